package figures

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Report is one run.
type Report struct {
	Started     time.Time    `json:"started"`
	Took        string       `json:"took"`
	Machine     string       `json:"machine"`
	Versions    []string     `json:"versions"`
	Rounds      int          `json:"rounds"`
	Comparisons []Comparison `json:"comparisons"`
}

// WriteJSON writes the report with every sample.
func (r Report) WriteJSON(w io.Writer) error {
	type verdicts struct {
		Comparison
		Ratio   *float64 `json:"ratio,omitempty"` // NaN is no JSON
		Verdict Verdict  `json:"verdict,omitempty"`
	}
	out := struct {
		Report
		Comparisons []verdicts `json:"comparisons"`
	}{Report: r}
	for _, c := range r.Comparisons {
		v := verdicts{Comparison: c, Verdict: c.Verdict()}
		if ratio := c.Ratio(); !math.IsNaN(ratio) {
			v.Ratio = &ratio
		}
		out.Comparisons = append(out.Comparisons, v)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(out)
}

// WriteTable writes the comparisons as a table, and below it how many targets
// are met and why peers are absent.
func (r Report) WriteTable(w io.Writer) error {
	rows := [][]string{{"figure", "ours", "beside", "theirs", "ratio", "target", ""}}
	var absent []string
	count := map[Verdict]int{}
	for _, c := range r.Comparisons {
		verdict := c.Verdict()
		count[verdict]++
		row := []string{c.Figure, c.Ours.String(), c.Peer, "", "", c.Target.String(), string(verdict)}
		switch {
		case c.Absent != "":
			row[3] = "absent"
			if why := c.Peer + ": " + c.Absent; !slices.Contains(absent, why) {
				absent = append(absent, why)
			}
		case c.Peer != "":
			row[3], row[4] = c.Theirs.String(), ratioText(c.Ratio())
		}
		rows = append(rows, row)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n%s, took %s, medians of %d\n\n", r.Machine, strings.Join(r.Versions, ", "), r.Started.UTC().Format("2006-01-02 15:04 UTC"), r.Took, r.Rounds)
	WriteRows(&b, rows, numeric)
	if half, most := r.noise(); !math.IsNaN(half) {
		fmt.Fprintf(&b, "\nsamples differ by %.0f %% in the middle and %.0f %% at most\n", 100*half, 100*most)
	}
	writeDetails(&b, r.Comparisons)
	fmt.Fprintf(&b, "\n%d targets met, %d not met, %d without a peer\n", count[Met], count[NotMet], count[NoPeer])
	for _, why := range absent {
		fmt.Fprintf(&b, "absent: %s\n", why)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// noise tells how far the samples of one value lie apart, by its median: of the
// value in the middle, and of the worst. It is NaN when all have one sample.
func (r Report) noise() (half, most float64) {
	var all []float64
	for _, c := range r.Comparisons {
		for _, v := range []Value{c.Ours, c.Theirs} {
			if len(v.Samples) > 1 && v.Median() > 0 {
				all = append(all, (slices.Max(v.Samples)-slices.Min(v.Samples))/v.Median())
			}
		}
	}
	if len(all) == 0 {
		return math.NaN(), math.NaN()
	}
	return Median(all), slices.Max(all)
}

// writeDetails lists the details, a figure and side a line.
func writeDetails(b *strings.Builder, comparisons []Comparison) {
	seen := map[string]bool{}
	write := func(name string, details []Detail) {
		if len(details) == 0 || seen[name] {
			return
		}
		if len(seen) == 0 {
			b.WriteString("\n")
		}
		seen[name] = true
		var parts []string
		for _, d := range details {
			parts = append(parts, d.Name+" "+d.Value.String())
		}
		fmt.Fprintf(b, "%s: %s\n", name, strings.Join(parts, ", "))
	}
	for _, c := range comparisons {
		write(c.Figure, c.Details)
		write(c.Figure+", "+c.Peer, c.TheirDetails)
	}
}

func ratioText(r float64) string {
	switch {
	case math.IsNaN(r) || math.IsInf(r, 0):
		return "-"
	case r >= 100:
		return fmt.Sprintf("%.0fx", r)
	}
	return fmt.Sprintf("%.2fx", r)
}

// numeric are the columns that end at the right.
var numeric = []bool{1: true, 3: true, 4: true, 5: true, 6: false}

// WriteRows writes rows, the first one their heads, as Markdown that is also
// readable as it is. right tells of each column whether it ends at the right.
func WriteRows(b *strings.Builder, rows [][]string, right []bool) {
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell), 3)
		}
	}
	for n, row := range rows {
		for i, cell := range row {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if right[i] {
				cell = pad + cell
			} else {
				cell += pad
			}
			b.WriteString("| " + cell + " ")
		}
		b.WriteString("|\n")
		if n > 0 {
			continue
		}
		for i := range row {
			line := strings.Repeat("-", width[i]+2)
			if right[i] {
				line = line[1:] + ":"
			}
			b.WriteString("|" + line)
		}
		b.WriteString("|\n")
	}
}
