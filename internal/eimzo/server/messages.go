package server

import (
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"imzo/internal/httpx"
	"imzo/internal/i18n"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/ocsp"
	"imzo/verify"
)

// result is the end of a reply. failure is what stands behind an outcome, and
// report what was verified; both may be nil.
func (s *Server) result(r *http.Request, o outcome, failure *verify.Failure, report *verify.Report) result {
	l := s.language(r)
	return s.resultWith(r, o, s.explanation(o, failure, report).text(l))
}

// resultWith is result with another explanation behind the text of the guide.
func (s *Server) resultWith(r *http.Request, o outcome, explanation string) result {
	message := o.message.text(s.language(r))
	if explanation != "" {
		message = strings.TrimSuffix(message, ".") + ". " + explanation
	}
	return result{Status: o.status, Message: message, Code: o.code(), RequestID: httpx.RequestID(r.Context())}
}

// language is that of a request's texts.
func (s *Server) language(r *http.Request) i18n.Language {
	return i18n.Match(r.Header.Get("Accept-Language"), s.config.Language)
}

// code is the machine-readable name of an outcome.
func (o outcome) code() string {
	if o.message == MessageNone {
		return "ok"
	}
	return string(o.message)
}

// text is the text of the guide's tables for a message.
func (m Message) text(l i18n.Language) string {
	if m == MessageNone {
		return ""
	}
	return i18n.Text(l, "status."+string(m))
}

// sentence is a text of the catalogue with its arguments. The zero value says
// nothing.
type sentence struct {
	id   string
	args []any
}

func say(id string, args ...any) sentence { return sentence{id, args} }

func (s sentence) text(l i18n.Language) string {
	if s.id == "" {
		return ""
	}
	return i18n.Text(l, s.id, s.args...)
}

// explanation tells of which signature a failure is, and what the cause was.
type explanation struct {
	who   sentence // nothing when it is about the document
	token bool     // about the certificate of a timestamp
	cause sentence
}

// text is the explanation as the sentence that follows the one of the guide.
func (e explanation) text(l i18n.Language) string {
	cause := e.cause.text(l)
	if cause == "" {
		return ""
	}
	if e.token {
		cause = i18n.Text(l, "who.timestamp", cause)
	}
	if who := e.who.text(l); who != "" {
		return who + ": " + cause
	}
	return capital(cause)
}

// capital begins a sentence.
func capital(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	if size == 0 {
		return ""
	}
	return string(unicode.ToUpper(first)) + text[size:]
}

// explanation finds the words for a failure. It says nothing that the reply
// does not hold in other fields: above all not what stands in errors, which may
// be about our own network.
func (s *Server) explanation(o outcome, failure *verify.Failure, report *verify.Report) explanation {
	switch {
	case o == outsideWindow && report != nil && len(report.Signers) == 1:
		return explanation{who: whose(report, 0), cause: s.windowCause(report)}
	case failure == nil:
		return explanation{}
	case failure.Signer < 0 || report == nil:
		return explanation{cause: documentCause(o, failure.Check)}
	}
	signer := report.Signers[failure.Signer]
	e := explanation{who: whose(report, failure.Signer)}
	if failure.TimeStamp < 0 {
		e.cause = s.render.signerCause(signer, failure.Check)
		return e
	}
	t := signer.TimeStamps[failure.TimeStamp]
	e.cause = s.render.tokenCause(t, failure.Check)
	e.token = certificateChecks[failure.Check.Name]
	return e
}

// whose names a signature: its number, and its signer as far as the document
// tells, by name and serial number.
func whose(report *verify.Report, i int) sentence {
	signer := report.Signers[i]
	c := signer.Certificate
	switch {
	case c == nil && signer.SID.Serial == nil:
		return say("who.keyed", i+1, clip(hex.EncodeToString(signer.SID.SubjectKeyID), maxLoggedSerial))
	case c == nil:
		return say("who.unnamed", i+1, clip(signer.SID.Serial.Text(16), maxLoggedSerial))
	}
	serial := clip(c.SerialHex(), maxLoggedSerial)
	if name := speakable(commonName(c)); name != "" {
		return say("who.signature", i+1, name, serial)
	}
	return say("who.unnamed", i+1, serial)
}

// maxSpoken bounds a name in a message, in characters. Certificates have 64
// (RFC 5280 appendix A.1, ub-common-name).
const maxSpoken = 64

// quotes are what stands for signs that mean something to HTML, JavaScript or
// SQL: in the original a message is one of a dozen texts, and sites put it into
// pages as it is. Names in Uzbek have apostrophes.
var quotes = strings.NewReplacer("'", "’", "`", "’", `"`, "”", "<", " ", ">", " ", "&", " ", `\`, " ")

// speakable makes a name of strangers fit to stand in a message: no signs that
// mean something elsewhere, none that are not seen, and not too long.
func speakable(name string) string {
	name = quotes.Replace(strings.ToValidUTF8(name, ""))
	name = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || !unicode.IsGraphic(r) {
			return ' '
		}
		return r
	}, name)
	name = strings.Join(strings.Fields(name), " ")
	if runes := []rune(name); len(runes) > maxSpoken {
		name = string(runes[:maxSpoken]) + "…"
	}
	return name
}

// windowCause tells why an answer to a challenge is not of now.
func (s *Server) windowCause(report *verify.Report) sentence {
	claimed := report.Signers[0].SigningTime
	if claimed == nil {
		return say("cause.noSigningTime")
	}
	return say("cause.window", s.render.Date(*claimed), s.render.Date(report.At))
}

// documentCause tells what is wrong with a document as a whole, where the text
// of the guide does not say it.
func documentCause(o outcome, c verify.Check) sentence {
	switch err := c.Err; {
	case errors.Is(err, errOneSigner):
		return say("cause.severalSigners")
	case errors.Is(err, cms.ErrAttached) && o != alreadyAttached:
		return say("cause.attached")
	case errors.Is(err, errNoSigners):
		return say("cause.noSignatures")
	case errors.Is(err, errNoCertificate):
		return say("cause.noCertificate")
	case errors.Is(err, cms.ErrLimit):
		return say("cause.limit")
	case errors.Is(err, cms.ErrUnsupported):
		return say("cause.unsupported")
	case errors.Is(err, cms.ErrFormat) && o != notPKCS7:
		return say("cause.notPKCS7")
	}
	return sentence{}
}

// signerCauses are the causes of checks of a signer that have only one.
var signerCauses = map[verify.CheckName]string{
	verify.CheckSignedAttributes:   "cause.attributes",
	verify.CheckKeyUsage:           "cause.keyUsage",
	verify.CheckBag:                "cause.bag",
	verify.CheckUnsignedAttributes: "cause.hiddenToken",
	checkPolicy:                    "cause.policy",
	checkCA:                        "cause.ca",
}

func (r renderer) signerCause(signer *verify.Signer, c verify.Check) sentence {
	switch c.Name {
	case verify.CheckSignerCertificate:
		if c.SubIndication == verify.NoSigningCertificateFound {
			return say("cause.noCertificate")
		}
		return say("cause.wrongCertificate")
	case verify.CheckDigest:
		if c.SubIndication == verify.SignedDataNotFound {
			return say("cause.detached")
		}
		return say("cause.digest")
	case verify.CheckSignature:
		if c.SubIndication == verify.CryptoConstraintsFailure {
			return say("cause.unsupported")
		}
		return say("cause.signature")
	}
	if id, ok := signerCauses[c.Name]; ok {
		return say(id)
	}
	return r.certificateCause(signer.Certificate, signer.SigningDate, signer.Revocation, signer.CARevocation, c)
}

// tokenCauses are those of a timestamp.
var tokenCauses = map[verify.CheckName]string{
	verify.CheckFormat:             "cause.tokenFormat",
	verify.CheckImprint:            "cause.tokenImprint",
	verify.CheckSignerCertificate:  "cause.tokenSigner",
	verify.CheckSignedAttributes:   "cause.tokenSigner",
	verify.CheckDigest:             "cause.tokenDigest",
	verify.CheckSigningTime:        "cause.tokenFuture",
	verify.CheckKeyUsage:           "cause.tokenKeyUsage",
	verify.CheckBag:                "cause.bag",
	verify.CheckUnsignedAttributes: "cause.hiddenToken",
}

// certificateChecks are about the certificate of a timestamp: their causes do
// not say by themselves that they are not about the signer's.
var certificateChecks = map[verify.CheckName]bool{
	verify.CheckPath: true, verify.CheckBag: true, verify.CheckKeyUsage: true, verify.CheckValidity: true, verify.CheckRevocation: true,
	verify.CheckUnsignedAttributes: true,
}

func (r renderer) tokenCause(t *verify.TimeStamp, c verify.Check) sentence {
	if c.Name == verify.CheckSignature {
		if c.SubIndication == verify.CryptoConstraintsFailure {
			return say("cause.unsupported")
		}
		return say("cause.tokenSignature")
	}
	if id, ok := tokenCauses[c.Name]; ok {
		return say(id)
	}
	var at time.Time
	if t.Token != nil {
		at = t.Token.Info.GenTime
	}
	return r.certificateCause(t.Certificate, at, t.Revocation, t.CARevocation, c)
}

// certificateCause tells what is wrong with a certificate at a date.
func (r renderer) certificateCause(c *cert.Certificate, at time.Time, status *verify.RevocationStatus, cas []*verify.RevocationStatus, check verify.Check) sentence {
	switch {
	case check.Name == verify.CheckPath:
		return pathCause(check.Err)
	case check.Name == verify.CheckValidity && c != nil:
		return r.validityCause(c, at)
	case check.Name == verify.CheckRevocation && check.Result == verify.Indeterminate:
		return unknownCause(status, cas)
	case check.Name == verify.CheckRevocation:
		return r.revokedCause(status)
	}
	return sentence{}
}

func pathCause(err error) sentence {
	var p *cert.PathError
	if errors.As(err, &p) {
		switch p.Reason {
		case cert.NoPath:
			return say("cause.noPath")
		case cert.Expired, cert.NotYetValid:
			return say("cause.caValidity")
		case cert.UnsupportedAlgorithm:
			return say("cause.unsupported")
		case cert.LimitExceeded:
			return say("cause.limit")
		}
	}
	return say("cause.path")
}

func (r renderer) validityCause(c *cert.Certificate, at time.Time) sentence {
	switch {
	case c.ValidAt(at):
		return say("cause.notNow", r.Date(c.NotBefore), r.Date(c.NotAfter))
	case at.Before(c.NotBefore):
		return say("cause.tooEarly", r.Date(c.NotBefore), r.Date(at))
	}
	return say("cause.tooLate", r.Date(c.NotAfter), r.Date(at))
}

// reasonHold is certificateHold (RFC 5280 5.3.1).
const reasonHold = 6

func (r renderer) revokedCause(status *verify.RevocationStatus) sentence {
	if status == nil || status.Status != ocsp.Revoked {
		return say("cause.caRevoked")
	}
	id := "cause.revoked"
	if status.Reason == reasonHold {
		id = "cause.suspended"
	}
	if status.RevokedAt.IsZero() {
		return say(id + "Always")
	}
	return say(id, r.Date(status.RevokedAt))
}

// unknownCause tells why it is not known whether a certificate is revoked.
func unknownCause(status *verify.RevocationStatus, cas []*verify.RevocationStatus) sentence {
	switch {
	case status == nil:
		return say("cause.noStatus")
	case status.Status == ocsp.Revoked:
		return say("cause.openStatus")
	case status.Status != ocsp.Good:
		return say("cause.unknownStatus")
	}
	for _, ca := range cas {
		if ca == nil || ca.Status != ocsp.Good {
			return say("cause.caStatusUnknown")
		}
	}
	return say("cause.noStatus") // good, and out of date
}
