package verify

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"imzo/pki/cert"
	"imzo/pki/ocsp"
)

// maxParallel bounds the questions asked at the same time: a document of many
// signers must not wait for one after the other, nor flood a responder.
const maxParallel = 8

var (
	errNoSource     = errors.New("no revocation source")
	errNoStatus     = errors.New("the revocation source has no answer")
	errNotAsked     = errors.New("the status was not asked for")
	errUnknown      = errors.New("the status of the certificate is unknown")
	errUndated      = errors.New("the status has no date")
	errStatusFuture = errors.New("the status is from the future")
	errStatusStale  = errors.New("the status is out of date")
	errRevoked      = errors.New("the certificate is revoked")
	errSuspended    = errors.New("the certificate is suspended")
)

// question asks for the status of one certificate.
type question struct {
	certificate, issuer *cert.Certificate
}

// answer is a status, or why there is none.
type answer struct {
	status *RevocationStatus
	err    error
}

// questions lists what a judgement by the policy needs to know, each
// certificate once. Certificates without a path are not asked about: the
// address to ask at is in the certificate, and anybody can write one. Nor are
// those of tokens whose signature is none: no answer could make it one.
func (f *facts) questions(p Policy) []question {
	if p.SkipRevocation {
		return nil
	}
	var out []question
	seen := make(map[pair]bool)
	add := func(path *cert.Path) {
		for _, q := range pathQuestions(path, p) {
			if key := pairOf(q.certificate, q.issuer); !seen[key] {
				seen[key] = true
				out = append(out, q)
			}
		}
	}
	for _, s := range f.signers {
		if s.identity.certificate == nil {
			continue
		}
		add(s.chain.path)
		for _, t := range s.tokens {
			add(t.chain.path)
		}
	}
	return out
}

// pathQuestions lists the certificates of a path whose status counts. The
// anchor is trusted as it is, also when it is the leaf.
func pathQuestions(path *cert.Path, p Policy) []question {
	if path == nil {
		return nil
	}
	certs := path.Certificates
	n := len(certs) - 1
	if !p.CheckCARevocation {
		n = min(n, 1)
	}
	var out []question
	for i := range n {
		out = append(out, question{certificate: certs[i], issuer: certs[i+1]})
	}
	return out
}

// ask puts the questions to the source, several at a time. It returns when
// all have been answered; sources keep their time.
func ask(ctx context.Context, source RevocationSource, questions []question) []answer {
	answers := make([]answer, len(questions))
	if source == nil {
		for i := range answers {
			answers[i].err = errNoSource
		}
		return answers
	}
	if len(questions) == 1 {
		answers[0] = askOne(ctx, source, questions[0]) // most documents: no need of a goroutine
		return answers
	}
	slots := make(chan struct{}, maxParallel)
	var wg sync.WaitGroup
	for i, q := range questions {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			answers[i] = askOne(ctx, source, q)
		})
	}
	wg.Wait()
	return answers
}

// askOne turns a panic of the source into an unknown status: on a goroutine
// of its own nothing else would keep it from ending the process, and alone it
// should be no different.
func askOne(ctx context.Context, source RevocationSource, q question) (a answer) {
	defer func() {
		if r := recover(); r != nil {
			a = answer{err: fmt.Errorf("%w: revocation source panicked: %v", errNoStatus, r)}
		}
	}()
	status, err := source.Status(ctx, q.certificate, q.issuer)
	switch {
	case err != nil:
		return answer{err: err}
	case status == nil:
		return answer{err: errNoStatus}
	}
	return answer{status: status}
}

// usable tells whether a status may be believed at all at the given time. How
// fresh it must be is for its source; that it is dated, and not beyond its own
// end, is checked here again, since the zero status would read as good.
func (s *RevocationStatus) usable(at time.Time, skew time.Duration) error {
	switch {
	case s.Status != ocsp.Good && s.Status != ocsp.Revoked:
		return errUnknown
	case s.ThisUpdate.IsZero():
		return errUndated
	case s.ThisUpdate.After(at.Add(skew)):
		return errStatusFuture
	case !s.NextUpdate.IsZero() && s.NextUpdate.Before(at.Add(-skew)):
		return errStatusStale
	}
	return nil
}

// reasonHold is certificateHold: the certificate is suspended.
const reasonHold = 6

// revokedError says why a revoked certificate does not count.
func (s *RevocationStatus) revokedError() error {
	cause := errRevoked
	if s.Reason == reasonHold {
		cause = errSuspended
	}
	err := fmt.Errorf("%w since %s", cause, s.RevokedAt.UTC().Format(time.RFC3339))
	if s.RevokedAt.IsZero() {
		err = cause
	}
	if s.Reason >= 0 {
		err = fmt.Errorf("%w (%s)", err, ocsp.ReasonName(s.Reason))
	}
	return err
}

// sparesOlderTokens tells whether tokens made before the revocation of a
// timestamp authority stay valid: for the reasons unspecified,
// affiliationChanged, superseded and cessationOfOperation, and not without a
// reason (RFC 3161 4.1).
func (s *RevocationStatus) sparesOlderTokens() bool {
	switch s.Reason {
	case 0, 3, 4, 5:
		return true
	}
	return false
}
