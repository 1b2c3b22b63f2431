package verify

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"imzo/pki/cert"
)

// WriteText writes the report for people: the verdict, then for each signer
// who, when, and what does not hold. Text out of the document is cleaned of
// what would control a terminal.
func (r *Report) WriteText(w io.Writer) error {
	t := textWriter{Writer: bufio.NewWriter(w)}
	t.line(0, "%s", verdictText(r.Indication, r.SubIndication))
	if r.Format != nil {
		t.line(1, "the document cannot be verified: %v", r.Format)
	}
	switch {
	case r.Detached:
		t.line(0, "content: detached")
	case r.ContentSize() >= 0:
		t.line(0, "content: %d octets", r.ContentSize())
	}
	t.line(0, "checked: %s", stamp(r.At))
	if r.RevocationSkipped {
		t.line(0, "REVOCATION WAS NOT CHECKED")
	}
	for i, s := range r.Signers {
		t.signer(i, s)
	}
	return t.Flush()
}

type textWriter struct{ *bufio.Writer }

func (t textWriter) line(indent int, format string, args ...any) {
	_, _ = t.WriteString(strings.Repeat("  ", indent))
	_, _ = t.WriteString(printable(fmt.Sprintf(format, args...)))
	_ = t.WriteByte('\n') // bufio keeps the error for Flush
}

func (t textWriter) signer(i int, s *Signer) {
	t.line(0, "signer %d: %s", i+1, verdictText(s.Indication, s.SubIndication))
	t.certificate(s.Certificate, s.Path, s.Check(CheckSignature).Result == Passed)
	if s.SigningTime != nil {
		t.line(1, "claimed time: %s", stamp(*s.SigningTime))
	}
	t.line(1, "signing date: %s (%s)", stamp(s.SigningDate), dateSourceText(s.SigningDateSource))
	t.checks(1, s.Checks)
	for j, ts := range s.TimeStamps {
		t.line(1, "timestamp %d: %s", j+1, verdictText(ts.Indication, ts.SubIndication))
		if ts.Token != nil {
			t.line(2, "time: %s", stamp(ts.Token.Info.GenTime))
		}
		if ts.Certificate != nil {
			t.line(2, "authority: %s, serial %s", ts.Certificate.Subject, ts.Certificate.SerialHex())
		}
		t.checks(2, ts.Checks)
	}
}

func (t textWriter) certificate(c *cert.Certificate, path *cert.Path, proven bool) {
	if c == nil {
		return
	}
	label := "subject"
	if !proven {
		label = "named subject (not proven)"
	}
	t.line(1, "%s: %s", label, c.Subject)
	t.line(1, "serial: %s, issuer: %s", c.SerialHex(), c.Issuer)
	t.line(1, "valid: %s to %s", stamp(c.NotBefore), stamp(c.NotAfter))
	if path != nil {
		t.line(1, "trusted by: %s", path.Anchor().Subject)
	}
}

// checks writes one line for all checks that passed silently, and one for
// each that did not or has something to say.
func (t textWriter) checks(indent int, checks []Check) {
	var ok []string
	for _, c := range checks {
		if c.Result == Passed && c.Note == "" {
			ok = append(ok, string(c.Name))
		}
	}
	if len(ok) > 0 {
		t.line(indent, "passed: %s", strings.Join(ok, ", "))
	}
	for _, c := range checks {
		switch {
		case c.broken():
			t.line(indent, "%s: %s: %s: %v", strings.ToUpper(c.Result.String()), c.Name, c.SubIndication, c.Err)
		case c.Note != "":
			t.line(indent, "%s: %s: %s", c.Result, c.Name, c.Note)
		}
	}
}

func verdictText(i Indication, sub SubIndication) string {
	if sub == "" {
		return string(i)
	}
	return fmt.Sprintf("%s (%s)", i, sub)
}

func dateSourceText(s DateSource) string {
	switch s {
	case DateFromTimeStamp:
		return "timestamp"
	case DateFromSigningTime:
		return "claimed by the signer"
	}
	return "time of the check"
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// printable replaces what is not printed: names in certificates are free
// text, and may hold escape sequences or change the direction of writing.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}
