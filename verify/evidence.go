package verify

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/ocsp"
)

// Evidence is everything a verdict depends on: the document, what was trusted,
// the time, and what the revocation source said. Judging it again gives the
// same report, without network and at any later time:
//
//	stored, err := json.Marshal(evidence)
//	...
//	var e verify.Evidence
//	err = json.Unmarshal(stored, &e)
//	report := e.Judge(verify.Policy{})
//
// The statuses are as they were answered; whoever can change stored evidence
// can change them.
type Evidence struct {
	Document []byte
	// Content is that of a detached document, nil otherwise.
	Content []byte
	// Hashed is the content instead, when that was not kept.
	Hashed   *cms.HashedContent
	Anchors  []*cert.Certificate
	At       time.Time
	Statuses []StatusAnswer

	// facts are the examination of the fields above it but Statuses; nil
	// means that it is still to be made.
	facts *facts
}

// StatusAnswer is what the revocation source said about one certificate.
type StatusAnswer struct {
	// Certificate and Issuer are SHA-256 digests of the whole certificates.
	Certificate, Issuer [32]byte
	// Status is nil when there was no answer; Error says why.
	Status *RevocationStatus
	Error  string

	err error
}

func newStatusAnswer(q question, a answer) StatusAnswer {
	p := pairOf(q.certificate, q.issuer)
	s := StatusAnswer{Certificate: p[0], Issuer: p[1], Status: a.status, err: a.err}
	if a.err != nil {
		s.Error = a.err.Error()
	}
	return s
}

func (s StatusAnswer) answer() answer {
	switch {
	case s.err != nil:
		return answer{err: s.err}
	case s.Status != nil:
		return answer{status: s.Status}
	case s.Error != "":
		return answer{err: errors.New(s.Error)}
	}
	return answer{err: errNoStatus}
}

// Judge returns the verdict on the evidence. It asks nobody and reads no
// clock. Evidence is not changed, so that several policies may judge it at the
// same time.
func (e *Evidence) Judge(p Policy) *Report {
	f := e.facts
	if f == nil {
		f = examine(context.Background(), subject{e.Document, e.Content, e.Hashed, nil}, cert.NewPool(e.Anchors...), e.At, memory{})
		f.keepContent()
	}
	answers := make(map[pair]answer, len(e.Statuses))
	for _, s := range e.Statuses {
		answers[pair{s.Certificate, s.Issuer}] = s.answer()
	}
	return judge(f, answers, e.At, p)
}

// errEvidence is wrapped when stored evidence cannot be read.
var errEvidence = errors.New("invalid evidence")

type evidenceJSON struct {
	At       time.Time          `json:"at"`
	Document []byte             `json:"document"`
	Detached bool               `json:"detached"`
	Content  []byte             `json:"content,omitempty"`
	Hashed   *cms.HashedContent `json:"hashedContent,omitempty"`
	Anchors  [][]byte           `json:"anchors"`
	Statuses []statusJSON       `json:"statuses"`
}

type statusJSON struct {
	Certificate string          `json:"certificate"`
	Issuer      string          `json:"issuer"`
	Status      *revocationJSON `json:"status,omitempty"`
	Error       string          `json:"error,omitempty"`
}

// MarshalJSON writes octets in base64 and digests in hex.
func (e *Evidence) MarshalJSON() ([]byte, error) {
	v := evidenceJSON{At: e.At, Document: e.Document, Detached: e.Content != nil, Content: e.Content, Hashed: e.Hashed, Anchors: [][]byte{}, Statuses: []statusJSON{}}
	for _, c := range e.Anchors {
		v.Anchors = append(v.Anchors, c.Raw)
	}
	for _, s := range e.Statuses {
		v.Statuses = append(v.Statuses, statusJSON{
			Certificate: hex.EncodeToString(s.Certificate[:]),
			Issuer:      hex.EncodeToString(s.Issuer[:]),
			Status:      newRevocationJSON(s.Status),
			Error:       s.Error,
		})
	}
	return json.Marshal(v)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (e *Evidence) UnmarshalJSON(b []byte) error {
	var v evidenceJSON
	if err := json.Unmarshal(b, &v); err != nil {
		return fmt.Errorf("%w: %w", errEvidence, err)
	}
	out := Evidence{At: v.At, Document: v.Document, Hashed: v.Hashed}
	if v.Detached {
		out.Content = append([]byte{}, v.Content...)
	}
	for _, raw := range v.Anchors {
		c, err := cert.Parse(raw)
		if err != nil {
			return fmt.Errorf("%w: anchor: %w", errEvidence, err)
		}
		out.Anchors = append(out.Anchors, c)
	}
	for _, s := range v.Statuses {
		a, err := s.answer()
		if err != nil {
			return err
		}
		out.Statuses = append(out.Statuses, a)
	}
	*e = out
	return nil
}

func (s statusJSON) answer() (StatusAnswer, error) {
	a := StatusAnswer{Error: s.Error}
	for text, digest := range map[string]*[32]byte{s.Certificate: &a.Certificate, s.Issuer: &a.Issuer} {
		b, err := hex.DecodeString(text)
		if err != nil || len(b) != len(digest) {
			return a, fmt.Errorf("%w: %q is no SHA-256 digest", errEvidence, text)
		}
		copy(digest[:], b)
	}
	if s.Status == nil {
		return a, nil
	}
	status, ok := statusByName(s.Status.Status)
	if !ok {
		return a, fmt.Errorf("%w: status %q", errEvidence, s.Status.Status)
	}
	a.Status = &RevocationStatus{
		Status:       status,
		Reason:       -1,
		ThisUpdate:   timeOf(s.Status.ThisUpdate),
		NextUpdate:   timeOf(s.Status.NextUpdate),
		RevokedAt:    timeOf(s.Status.RevokedAt),
		OCSPResponse: s.Status.OCSPResponse,
		Source:       s.Status.Source,
	}
	if s.Status.ReasonCode != nil {
		a.Status.Reason = *s.Status.ReasonCode
	}
	return a, nil
}

func statusByName(name string) (ocsp.CertStatus, bool) {
	for _, s := range []ocsp.CertStatus{ocsp.Good, ocsp.Revoked, ocsp.Unknown} {
		if statusName(s) == name {
			return s, true
		}
	}
	return 0, false
}

func timeOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
