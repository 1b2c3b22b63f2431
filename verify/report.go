package verify

import (
	"fmt"
	"io"
	"time"

	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/tsp"
)

// Report is the verdict on a document with all that led to it. It aliases the
// document, and nobody changes it once it is made.
type Report struct {
	// Indication is TotalPassed when the document is valid: it has a signer,
	// and each signer and each token passed. Otherwise it is TotalFailed when
	// anything failed for good, else TotalIndeterminate; SubIndication is the
	// first of that kind.
	Indication    Indication
	SubIndication SubIndication
	// At is the time of the check.
	At time.Time
	// Format is why the document could not be read or has nothing to verify;
	// nil otherwise. There are no signers then.
	Format error
	// Detached tells that the content was given apart.
	Detached bool
	// Content is the content inside the document, whether its signatures are
	// valid or not; nil when detached, and with Options.OmitContent.
	Content []byte
	// RevocationSkipped tells that the options left revocation out.
	RevocationSkipped bool
	// Signers is in the order of the document.
	Signers []*Signer

	signedData *cms.SignedData // nil when it could not be read
}

// ContentSize returns the octets of the content inside the document, -1 when
// there is none.
func (r *Report) ContentSize() int {
	switch {
	case r.Content != nil:
		return len(r.Content)
	case r.signedData != nil:
		return r.signedData.ContentSize()
	}
	return -1
}

// WriteContentTo writes the content inside the document to w, in the pieces
// that the document has it in. Without one it writes nothing.
func (r *Report) WriteContentTo(w io.Writer) error {
	switch {
	case r.ContentSize() < 0:
		return nil
	case r.Content != nil:
		_, err := w.Write(r.Content)
		return err
	}
	return r.signedData.WriteContentTo(w)
}

// DateSource tells where a signing date is from.
type DateSource string

// The sources of a signing date.
const (
	DateFromTimeStamp   DateSource = "timeStamp"
	DateFromSigningTime DateSource = "signingTime" // the signer's claim
	DateFromNow         DateSource = "now"         // neither: the time of the check
)

// Signer is the verdict on one signature.
type Signer struct {
	Indication    Indication
	SubIndication SubIndication
	// SID is how the document names the certificate.
	SID cms.SignerIdentifier
	// Certificate is the signer's. When CheckSignature did not pass it is
	// merely the one the document names, if it names one, and proves nothing.
	Certificate *cert.Certificate
	// Chain is the certificate and its issuers as far as the document has
	// them: subject, CA, root.
	Chain []*cert.Certificate
	// Path leads to the anchor; nil unless CheckPath passed.
	Path *cert.Path
	// SigningTime is what the signer claims; nil when he does not.
	SigningTime *time.Time
	// SigningDate is what the signature was judged at, SigningDateSource
	// where it is from.
	SigningDate       time.Time
	SigningDateSource DateSource
	// DigestAlgorithm and SignatureAlgorithm are as the document names them.
	DigestAlgorithm, SignatureAlgorithm alg.AlgorithmIdentifier
	// Signature is the signature value, Digest the signed digest of the
	// content, or the computed one when none is signed.
	Signature, Digest []byte
	// Checks are those of [SignerChecks].
	Checks []Check
	// Revocation is the status of Certificate as answered; nil when it was
	// not asked or not answered. CARevocation is that of the CA certificates
	// of Path in their order, with Options.CheckCARevocation.
	Revocation   *RevocationStatus
	CARevocation []*RevocationStatus
	// TimeStamp is the earliest sound token, or the first one when none is
	// sound; nil when there is none. TimeStamps are all, in the order of the
	// document. Each of them must be valid.
	TimeStamp  *TimeStamp
	TimeStamps []*TimeStamp
	// Policies are the certificate's, in its order.
	Policies []ber.OID
	// UnsignedAttributes are the types of those that were ignored.
	UnsignedAttributes []ber.OID
}

// TimeStamp is the verdict on one timestamp token of a signature.
type TimeStamp struct {
	Indication    Indication
	SubIndication SubIndication
	// Token is nil when CheckFormat failed.
	Token *tsp.Token
	// Certificate is the timestamp authority's; the same caution as for
	// [Signer].Certificate holds, and it may be nil.
	Certificate *cert.Certificate
	// Chain, Path, Checks, Revocation, CARevocation and UnsignedAttributes
	// are as in Signer; Checks are those of [TimeStampChecks].
	Chain              []*cert.Certificate
	Path               *cert.Path
	Checks             []Check
	Revocation         *RevocationStatus
	CARevocation       []*RevocationStatus
	UnsignedAttributes []ber.OID
}

// Valid tells whether the document is valid: TOTAL-PASSED.
func (r *Report) Valid() bool { return r != nil && r.Indication == TotalPassed }

// Valid tells whether the signature and all its tokens are valid.
func (s *Signer) Valid() bool { return s != nil && s.Indication == TotalPassed }

// Valid tells whether the token is valid.
func (t *TimeStamp) Valid() bool { return t != nil && t.Indication == TotalPassed }

// Check returns the check of this name; a check the signer does not have is
// NotPerformed.
func (s *Signer) Check(name CheckName) Check { return find(s.Checks, name) }

// Check returns the check of this name; a check the token does not have is
// NotPerformed.
func (t *TimeStamp) Check(name CheckName) Check { return find(t.Checks, name) }

func find(checks []Check, name CheckName) Check {
	for _, c := range checks {
		if c.Name == name {
			return c
		}
	}
	return notPerformed(name)
}

// Failure is a check that did not hold, and where. It is an error.
type Failure struct {
	// Signer is the index in Report.Signers; -1 is the document as a whole.
	Signer int
	// TimeStamp is the index in Signer.TimeStamps; -1 is the signature.
	TimeStamp int
	Check     Check
}

// Error tells where, which check, the sub-indication and the cause.
func (f *Failure) Error() string {
	where := "document"
	if f.Signer >= 0 {
		where = fmt.Sprintf("signer %d", f.Signer+1)
	}
	if f.TimeStamp >= 0 {
		where += fmt.Sprintf(": timestamp %d", f.TimeStamp+1)
	}
	s := fmt.Sprintf("%s: %s: %s", where, f.Check.Name, f.Check.SubIndication)
	if f.Check.Err != nil {
		s += ": " + f.Check.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Check.Err }

// FirstFailure returns the first check that does not hold, signer by signer,
// each with its own checks first and those of its tokens after them. It is
// nil for a valid document, and never nil otherwise.
func (r *Report) FirstFailure() *Failure {
	if r.Valid() {
		return nil
	}
	if failures := r.Failures(); len(failures) > 0 {
		return &failures[0]
	}
	// A report that was not made by this package.
	return &Failure{Signer: -1, TimeStamp: -1, Check: failed(CheckFormat, FormatFailure, r.Format)}
}

// Failures returns all checks that failed or were indeterminate, in the order
// of [Report.FirstFailure].
func (r *Report) Failures() []Failure {
	var out []Failure
	add := func(signer, timeStamp int, checks []Check) {
		for _, c := range checks {
			if c.broken() {
				out = append(out, Failure{Signer: signer, TimeStamp: timeStamp, Check: c})
			}
		}
	}
	if r.Format != nil {
		add(-1, -1, []Check{failed(CheckFormat, r.SubIndication, r.Format)})
	}
	for i, s := range r.Signers {
		add(i, -1, s.Checks)
		for j, t := range s.TimeStamps {
			add(i, j, t.Checks)
		}
	}
	return out
}

// FirstFailure returns the first of the signer's own checks that does not
// hold, and whether there is one. Those of its tokens are not among them.
func (s *Signer) FirstFailure() (Check, bool) { return firstBroken(s.Checks) }

// FirstFailure returns the first check that does not hold, and whether there
// is one.
func (t *TimeStamp) FirstFailure() (Check, bool) { return firstBroken(t.Checks) }

func firstBroken(checks []Check) (Check, bool) {
	for _, c := range checks {
		if c.broken() {
			return c, true
		}
	}
	return Check{}, false
}
