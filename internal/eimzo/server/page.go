package server

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"imzo/internal/httpx"
	"imzo/internal/i18n"
	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
	"imzo/pki/ocsp"
	"imzo/verify"
)

var (
	//go:embed templates/report.html
	pageText string
	//go:embed templates/report.css
	pageStyle string

	pageTemplate = template.Must(template.New("report").Parse(pageText))
	pagePolicy   = contentPolicy(pageStyle)
)

// contentPolicy forbids a page everything but its own style (CSP 3): it runs
// no script, fetches nothing, sends nothing and stands in no frame.
func contentPolicy(style string) string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// writePage answers with the report as a page.
func (s *Server) writePage(w http.ResponseWriter, r *http.Request, l i18n.Language, sub submission, j judged) {
	p := pager{render: s.render, language: l, refusal: func(signer *verify.Signer) outcome {
		o, _ := s.notAllowed([]*verify.Signer{signer})
		return o
	}}
	var out bytes.Buffer // an error must not leave half a page
	if err := pageTemplate.Execute(&out, p.page(r, sub, j)); err != nil {
		s.refuse(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", string(l))
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(out.Len()))
	_, _ = out.WriteTo(w) // a client that is gone needs no answer
}

// The data of the template. Every text is ready to be shown, and the template
// escapes it.

type page struct {
	words
	Lang    string
	Style   template.CSS
	Verdict pageVerdict
	Facts   []fact
	Signers []pagePart
}

// pagePart is a signature or a timestamp.
type pagePart struct {
	words
	Anchor     string
	Heading    string
	Verdict    pageVerdict
	Facts      []fact
	Checks     []pageCheck
	Chain      []pageCertificate
	TimeStamps []pagePart
}

// pageVerdict is told by a sign, a word and a colour.
type pageVerdict struct{ Text, Mark, Class string }

type fact struct {
	Label, Value, Detail string
	Code                 bool // for machines: digests, numbers
}

type pageCheck struct {
	Text    string
	Verdict pageVerdict
	Note    string
	Why     string // what is wrong
	Cause   string // for experts, in English
}

type pageCertificate struct{ Subject, Serial, Validity, Note string }

// words are the sentences of the page in one language.
type words struct{ language i18n.Language }

// T returns a sentence by its id without the "report." in front.
func (w words) T(id string, args ...any) string { return i18n.Text(w.language, "report."+id, args...) }

// pager makes the page's data out of a report.
type pager struct {
	render   renderer
	language i18n.Language
	// refusal tells why a signer whose signature is valid may not sign here,
	// which the report knows nothing of; anything but that is no refusal.
	refusal func(*verify.Signer) outcome
}

func (p pager) words() words { return words{p.language} }

func (p pager) t(id string, args ...any) string { return p.words().T(id, args...) }

// date says the zone too: the page leaves the server.
func (p pager) date(t time.Time) string {
	return t.In(p.render.Location).Format("2006-01-02 15:04:05 -07:00")
}

func (p pager) page(r *http.Request, sub submission, j judged) page {
	report := j.report
	v := page{
		words:   p.words(),
		Lang:    string(p.language),
		Style:   template.CSS(pageStyle), //nolint:gosec // our own file
		Verdict: p.verdict("document", report.Indication),
	}
	if report.Valid() && j.outcome.status != statusOK {
		v.Verdict = p.refused(j.outcome)
	}
	sum := sha256.Sum256(sub.document)
	v.Facts = []fact{
		{Label: p.t("answer"), Value: fmt.Sprintf("%d, %s", j.outcome.status, j.outcome.code()), Code: true},
		{Label: p.t("conclusion"), Value: conclusion(report.Indication, report.SubIndication), Code: true},
		{Label: p.t("checkedAt"), Value: p.date(report.At)},
		{Label: p.t("file"), Value: hex.EncodeToString(sum[:]), Code: true},
		{Label: p.t("content"), Value: p.content(sub, report)},
	}
	if id := httpx.RequestID(r.Context()); id != "" {
		v.Facts = append(v.Facts, fact{Label: p.t("request"), Value: id, Code: true})
	}
	if report.Format != nil {
		v.Facts = append(v.Facts, fact{Label: p.t("format"), Value: visible(report.Format.Error())})
		return v
	}
	v.Facts = append(v.Facts, fact{Label: p.t("signatures"), Value: strconv.Itoa(len(report.Signers))})
	for i, signer := range report.Signers {
		v.Signers = append(v.Signers, p.signer(i, signer))
	}
	return v
}

func conclusion(i verify.Indication, s verify.SubIndication) string {
	if s == "" {
		return string(i)
	}
	return string(i) + ", " + string(s)
}

// content tells where the source document is and how large.
func (p pager) content(sub submission, report *verify.Report) string {
	switch {
	case sub.hashed != nil:
		return p.t("content.beside", sub.hashed.Size())
	case sub.content != nil:
		return p.t("content.beside", len(sub.content))
	case report.ContentSize() >= 0:
		return p.t("content.inside", report.ContentSize())
	}
	return p.t("content.none")
}

// verdict is the result for the document, a signature or a token.
func (p pager) verdict(of string, i verify.Indication) pageVerdict {
	switch i {
	case verify.TotalPassed:
		return pageVerdict{p.t(of + ".valid"), "✓", "good"}
	case verify.TotalFailed:
		return pageVerdict{p.t(of + ".invalid"), "✗", "bad"}
	}
	return pageVerdict{p.t(of + ".open"), "?", "open"}
}

// refused is the verdict on what is valid and not allowed here.
func (p pager) refused(o outcome) pageVerdict {
	return pageVerdict{o.message.text(p.language), "✗", "bad"}
}

func (p pager) signer(i int, s *verify.Signer) pagePart {
	v := pagePart{
		words:   p.words(),
		Anchor:  fmt.Sprintf("signature-%d", i+1),
		Heading: p.t("signature.unnamed", i+1),
		Verdict: p.verdict("signature", s.Indication),
	}
	if o := p.refusal(s); s.Valid() && o.message != MessageNone {
		v.Verdict = p.refused(o)
	}
	c := s.Certificate
	if c == nil {
		v.Facts = append(v.Facts, fact{Label: p.t("named"), Value: visible(s.SID.String()), Code: true})
	} else {
		if name := commonName(c); name != "" {
			v.Heading = p.t("signature", i+1, visible(name))
		}
		v.Facts = append(v.Facts, p.subject(c)...)
		v.Facts = append(v.Facts, p.certificate(c)...)
	}
	v.Facts = append(v.Facts, fact{
		Label: p.t("date"), Value: p.date(s.SigningDate), Detail: p.t("source." + string(s.SigningDateSource)),
	})
	if s.SigningTime != nil && s.SigningDateSource != verify.DateFromSigningTime {
		v.Facts = append(v.Facts, fact{Label: p.t("claimed"), Value: p.date(*s.SigningTime)})
	}
	v.Facts = append(v.Facts, p.status(s.Revocation)...)
	v.Facts = append(v.Facts,
		fact{Label: p.t("algorithm"), Value: alg.SignatureName(s.SignatureAlgorithm.OID), Code: true},
		fact{Label: p.t("digest"), Value: hex.EncodeToString(s.Digest), Detail: digestName(s.DigestAlgorithm.OID), Code: true},
	)
	v.Facts = append(v.Facts, identifiers(p.t("policies"), s.Policies)...)
	v.Facts = append(v.Facts, identifiers(p.t("ignored"), s.UnsignedAttributes)...)
	v.Checks = p.checks(s.Checks, func(c verify.Check) sentence { return p.render.signerCause(s, c) })
	v.Chain = p.chain(s.Chain, s.Path)
	for n, t := range s.TimeStamps {
		v.TimeStamps = append(v.TimeStamps, p.timeStamp(i, n, t))
	}
	return v
}

func (p pager) timeStamp(i, n int, t *verify.TimeStamp) pagePart {
	v := pagePart{
		words:   p.words(),
		Anchor:  fmt.Sprintf("signature-%d-timestamp-%d", i+1, n+1),
		Heading: p.t("timestamp", n+1),
		Verdict: p.verdict("token", t.Indication),
		Checks:  p.checks(t.Checks, func(c verify.Check) sentence { return p.render.tokenCause(t, c) }),
		Chain:   p.chain(t.Chain, t.Path),
	}
	if t.Token != nil {
		info := t.Token.Info
		v.Facts = append(v.Facts, fact{Label: p.t("genTime"), Value: p.date(info.GenTime)})
		// BouncyCastle's way to print it begins with the number of its form.
		if _, name, ok := strings.Cut(t.Token.TSAString(), ": "); ok {
			v.Facts = append(v.Facts, fact{Label: p.t("tsa"), Value: visible(name)})
		}
		v.Facts = append(v.Facts, fact{Label: p.t("tsaPolicy"), Value: visible(info.Policy.String()), Code: true})
	}
	if c := t.Certificate; c != nil {
		v.Facts = append(v.Facts, p.subject(c)...)
		v.Facts = append(v.Facts, p.certificate(c)...)
	}
	v.Facts = append(v.Facts, p.status(t.Revocation)...)
	v.Facts = append(v.Facts, identifiers(p.t("ignored"), t.UnsignedAttributes)...)
	return v
}

func commonName(c *cert.Certificate) string { return c.Subject.Get("CN") }

// subject tells who a certificate is of.
func (p pager) subject(c *cert.Certificate) []fact {
	tin := c.Subject.Get(cert.OIDOrganisationTIN.String())
	if tin == "" {
		tin = c.Subject.Get("UID") // where E-IMZO has that of a person
	}
	var out []fact
	for _, f := range []fact{
		{Label: p.t("name"), Value: commonName(c)},
		{Label: p.t("organisation"), Value: c.Subject.Get("O")},
		{Label: p.t("pinfl"), Value: c.Subject.Get(cert.OIDPINFL.String())},
		{Label: p.t("tin"), Value: tin},
	} {
		if f.Value != "" {
			f.Value = visible(f.Value)
			out = append(out, f)
		}
	}
	return out
}

func (p pager) certificate(c *cert.Certificate) []fact {
	return []fact{
		{Label: p.t("serial"), Value: c.SerialHex(), Code: true},
		{Label: p.t("issuer"), Value: visible(c.Issuer.String())},
		{Label: p.t("validity"), Value: p.period(c)},
	}
}

func (p pager) period(c *cert.Certificate) string {
	return p.t("period", p.date(c.NotBefore), p.date(c.NotAfter))
}

// status tells what was answered about a certificate.
func (p pager) status(s *verify.RevocationStatus) []fact {
	if s == nil {
		return nil
	}
	f := fact{Label: p.t("status"), Value: p.t("status.unknown")}
	switch s.Status {
	case ocsp.Good:
		f.Value = p.t("status.good")
	case ocsp.Revoked:
		reason := ocsp.ReasonName(max(s.Reason, 0)) // none given means unspecified
		f.Value = p.t("status.ever", reason)
		if !s.RevokedAt.IsZero() {
			f.Value = p.t("status.revoked", p.date(s.RevokedAt), reason)
		}
	}
	if !s.ThisUpdate.IsZero() {
		f.Detail = p.t("status.asOf", p.date(s.ThisUpdate))
	}
	return []fact{f}
}

// identifiers lists object identifiers, and nothing when there are none.
func identifiers(label string, oids []ber.OID) []fact {
	if len(oids) == 0 {
		return nil
	}
	texts := make([]string, len(oids))
	for i, oid := range oids {
		texts[i] = oid.String()
	}
	return []fact{{Label: label, Value: visible(strings.Join(texts, ", ")), Code: true}}
}

func digestName(oid ber.OID) string {
	if d, err := alg.DigestByOID(oid); err == nil {
		return d.Name
	}
	return oid.String()
}

// notes are the sentences for what a reader should know of checks that passed.
var notes = map[string]string{
	verify.NoteNoTime:  "note.now",
	verify.NoteFuture:  "note.future",
	verify.NoteClaimed: "note.claimed",
	verify.NoteAnchor:  "note.root",
}

func (p pager) note(c verify.Check) string {
	switch id, ok := notes[c.Note]; {
	case c.Note == "":
		return ""
	case ok:
		return p.t(id)
	case c.Name == verify.CheckRevocation && c.Result == verify.Passed:
		return p.t("note.spared")
	}
	return visible(c.Note)
}

// maxCause bounds the cause of a failure, which may quote the document.
const maxCause = 500

// checks shows checks. What is wrong is said by why in the reader's language;
// the cause beside it has the words of the program.
func (p pager) checks(checks []verify.Check, why func(verify.Check) sentence) []pageCheck {
	out := make([]pageCheck, 0, len(checks))
	for _, c := range checks {
		v := pageCheck{Text: p.t("check." + string(c.Name)), Note: p.note(c)}
		v.Verdict = pageVerdict{Text: p.t("result." + c.Result.String()), Mark: "–"}
		switch c.Result {
		case verify.Passed:
			v.Verdict.Mark, v.Verdict.Class = "✓", "good"
		case verify.Failed:
			v.Verdict.Mark, v.Verdict.Class = "✗", "bad"
		case verify.Indeterminate:
			v.Verdict.Mark, v.Verdict.Class = "?", "open"
		}
		if c.Result == verify.Failed || c.Result == verify.Indeterminate {
			v.Why = capital(why(c).text(p.language))
		}
		if c.Err != nil {
			v.Cause = clip(visible(string(c.SubIndication)+": "+c.Err.Error()), maxCause)
		}
		out = append(out, v)
	}
	return out
}

// chain lists the certificates shown of a signer, and the root they lead to.
func (p pager) chain(chain []*cert.Certificate, path *cert.Path) []pageCertificate {
	var out []pageCertificate
	add := func(c *cert.Certificate, note string) {
		out = append(out, pageCertificate{Subject: visible(c.Subject.String()), Serial: c.SerialHex(), Validity: p.period(c), Note: note})
	}
	for _, c := range chain {
		if path != nil && c.Equal(path.Anchor()) {
			break
		}
		add(c, "")
	}
	if path != nil {
		add(path.Anchor(), p.t("anchor"))
	}
	return out
}

// maxVisible bounds one text of a page; the JSON has all of it.
const maxVisible = 1000

// visible makes text of strangers safe to look at: what html/template escapes
// is safe for browsers, and not yet for eyes. Control characters, those that
// turn the direction of writing (Unicode Technical Report 36, 2.6) and those
// that show nothing are written as numbers.
func visible(text string) string {
	text = clip(text, maxVisible)
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(text, "\uFFFD") {
		// Format characters are the bidirectional ones, the invisible ones
		// and tags; the joiners that some scripts need are none of ours.
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co) {
			fmt.Fprintf(&b, "<U+%04X>", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
