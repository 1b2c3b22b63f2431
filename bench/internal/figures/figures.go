// Package figures holds what a benchmark has measured, and prints it: values
// with their samples, comparisons with a peer or a limit, and the verdict on
// each target.
//
//	c := figures.Comparison{
//		Figure: "verify", Ours: ours, Peer: "OpenSSL", Theirs: theirs,
//		Target: figures.AtLeast(2.5),
//	}
//	fmt.Println(c.Ratio(), c.Verdict())
//
// It measures nothing itself.
package figures

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
)

// Unit says what a number is, and whether more of it is better.
type Unit string

// The units.
const (
	Nanoseconds Unit = "ns"   // of one operation, or of one answer
	PerSecond   Unit = "/s"   // operations
	BytesSecond Unit = "B/s"  // throughput
	Bytes       Unit = "B"    // memory
	Count       Unit = "each" // such as allocations
)

// moreIsBetter tells which of two values of the unit wins.
func (u Unit) moreIsBetter() bool { return u == PerSecond || u == BytesSecond }

// Value is a quantity that was measured several times.
type Value struct {
	Unit    Unit      `json:"unit"`
	Samples []float64 `json:"samples"`
}

// Of returns the value with these samples.
func Of(u Unit, samples ...float64) Value { return Value{u, samples} }

// Median returns the middle sample, the mean of the two in the middle of an
// even number, and NaN of none.
func (v Value) Median() float64 { return Median(v.Samples) }

// MarshalJSON adds the median to unit and samples.
func (v Value) MarshalJSON() ([]byte, error) {
	type plain Value
	out := struct {
		plain
		Median *float64 `json:"median,omitempty"` // NaN is no JSON
	}{plain: plain(v)}
	if median := v.Median(); !math.IsNaN(median) {
		out.Median = &median
	}
	return json.Marshal(out)
}

// String prints the median in a unit that suits its size.
func (v Value) String() string {
	m := v.Median()
	switch {
	case math.IsNaN(m):
		return "-"
	case v.Unit == Nanoseconds && m < 1e6:
		return fmt.Sprintf("%.1f µs", m/1e3)
	case v.Unit == Nanoseconds && m < 1e9:
		return fmt.Sprintf("%.1f ms", m/1e6)
	case v.Unit == Nanoseconds:
		return fmt.Sprintf("%.2f s", m/1e9)
	case v.Unit == PerSecond:
		return fmt.Sprintf("%.0f /s", m)
	case v.Unit == BytesSecond:
		return fmt.Sprintf("%.1f MB/s", m/1e6)
	case v.Unit == Bytes:
		return fmt.Sprintf("%.1f MiB", m/(1<<20))
	}
	return strconv.FormatFloat(math.Round(m*10)/10, 'f', -1, 64)
}

// Median returns the middle of the samples, see [Value.Median].
func Median(samples []float64) float64 {
	if len(samples) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(samples))
	middle := len(s) / 2
	if len(s)%2 == 1 {
		return s[middle]
	}
	return (s[middle-1] + s[middle]) / 2
}

// Latencies are the times of single answers, all of them: percentiles of it
// are exact.
type Latencies []time.Duration

// Sort puts the latencies in order, as Percentile wants them.
func (l Latencies) Sort() { slices.Sort(l) }

// Percentile returns the smallest latency that p percent of the sorted
// latencies do not exceed; p above 0 and at most 100. It is 0 of none.
func (l Latencies) Percentile(p float64) time.Duration {
	if len(l) == 0 {
		return 0
	}
	rank := int(math.Ceil(p * float64(len(l)) / 100))
	return l[min(max(rank, 1), len(l))-1]
}

// Target is what a comparison must hold. The zero Target asks for nothing.
type Target struct {
	// Factor is how many times better than the peer ours must be at least;
	// with Most, how many times the peer's cost ours may have.
	Factor float64 `json:"factor,omitempty"`
	// Most makes Factor an upper bound of ours by theirs.
	Most bool `json:"most,omitempty"`
	// Strict wants ours below the bound, not on it; only with Most.
	Strict bool `json:"strict,omitempty"`
}

// AtLeast wants ours so many times as good as theirs.
func AtLeast(factor float64) Target { return Target{Factor: factor} }

// AtMost wants ours to cost no more than so many times theirs.
func AtMost(factor float64) Target { return Target{Factor: factor, Most: true} }

// Below wants ours to cost less than so many times theirs.
func Below(factor float64) Target { return Target{Factor: factor, Most: true, Strict: true} }

// String prints the target as the table does; "" when nothing is asked.
func (t Target) String() string {
	switch {
	case t.Factor == 0:
		return ""
	case t.Most && t.Strict:
		return fmt.Sprintf("< %gx", t.Factor)
	case t.Most:
		return fmt.Sprintf("<= %gx", t.Factor)
	}
	return fmt.Sprintf(">= %gx", t.Factor)
}

// Comparison puts a figure of ours beside that of a peer, or beside a limit.
type Comparison struct {
	Figure string `json:"figure"`
	Ours   Value  `json:"ours"`
	Peer   string `json:"peer,omitempty"` // "" for a figure that stands alone
	Theirs Value  `json:"theirs"`
	Target Target `json:"target"`
	// Absent is why the peer could not be measured; "" when it was.
	Absent string `json:"absent,omitempty"`
	// Details are more about ours, and TheirDetails about the peer's; both
	// stand below the table.
	Details      []Detail `json:"details,omitempty"`
	TheirDetails []Detail `json:"theirDetails,omitempty"`
}

// Detail is a value that goes with a figure.
type Detail struct {
	Name  string `json:"name"`
	Value Value  `json:"value"`
}

// Ratio returns how many times better ours is (time: theirs by ours, rate:
// ours by theirs), or under a target of the kind at most, ours by theirs. It
// is NaN when there is nothing to compare.
func (c Comparison) Ratio() float64 {
	if c.Peer == "" || c.Absent != "" {
		return math.NaN()
	}
	ours, theirs := c.Ours.Median(), c.Theirs.Median()
	if c.Target.Most || c.Ours.Unit.moreIsBetter() {
		return ours / theirs
	}
	return theirs / ours
}

// Verdict is what became of a target.
type Verdict string

// The verdicts.
const (
	Met      Verdict = "met"
	NotMet   Verdict = "NOT MET"
	NoPeer   Verdict = "absent" // the peer is not there, so nobody knows
	NoTarget Verdict = ""
)

// Verdict judges the target. What could not be measured is never met.
func (c Comparison) Verdict() Verdict {
	t := c.Target
	switch ratio := c.Ratio(); {
	case c.Absent != "":
		return NoPeer
	case t.Factor == 0:
		return NoTarget
	case t.Strict && ratio < t.Factor, t.Most && !t.Strict && ratio <= t.Factor, !t.Most && ratio >= t.Factor:
		return Met
	}
	return NotMet
}
