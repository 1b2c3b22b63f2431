package gateway

import (
	"context"
	"log/slog"
	"time"

	"imzo/pki/cert"
	"imzo/pki/ocsp"
	"imzo/verify"
)

// staple is an OCSPResponse about the certificate of a domain, for agents that
// do not reach the responder.
type staple struct {
	response []byte
	until    time.Time // its nextUpdate
}

const (
	// defaultStapleLife is for answers without nextUpdate.
	defaultStapleLife = time.Minute
	// Between two questions for one certificate.
	minStaplePause, maxStaplePause = 5 * time.Second, time.Hour
	// Between two questions that had no answer; the pause doubles.
	minStapleRetry, maxStapleRetry = 5 * time.Second, 5 * time.Minute
	// statusTimeout bounds a question for a status.
	statusTimeout = 7 * time.Second
)

// stapler keeps the stapled status of one domain fresh.
type stapler struct {
	domain *Domain
	issuer *cert.Certificate
	source verify.RevocationSource
	now    func() time.Time
	log    *slog.Logger
	// after waits; a test's returns when it wants to.
	after func(time.Duration) <-chan time.Time
}

// run asks until ctx ends.
func (s stapler) run(ctx context.Context) {
	retry := minStapleRetry
	troubled := false
	for {
		pause, err := s.renew(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if !troubled {
				s.log.Warn("no OCSP answer about the certificate of a domain to send along: agents have to ask themselves", "file", s.domain.File, "serial", s.domain.Certificate().SerialHex(), "error", err.Error())
			}
			troubled, pause = true, retry
			retry = min(2*retry, maxStapleRetry)
		default:
			troubled, retry = false, minStapleRetry
		}
		select {
		case <-s.after(pause):
		case <-ctx.Done():
			return
		}
	}
}

// renew asks once, and tells when to ask again.
func (s stapler) renew(ctx context.Context) (pause time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	status, err := s.source.Status(ctx, s.domain.Certificate(), s.issuer)
	switch {
	case err != nil:
		return 0, err
	case status == nil:
		return 0, errNoStatus
	case status.Status == ocsp.Revoked:
		s.domain.staple.Store(nil)
		s.log.Error("the certificate of a domain is revoked: agents refuse it", "file", s.domain.File, "serial", s.domain.Certificate().SerialHex())
		return maxStapleRetry, nil
	case status.Status != ocsp.Good || status.OCSPResponse == nil:
		return 0, errNoStatus
	}
	until := status.NextUpdate
	if until.IsZero() {
		until = status.ThisUpdate.Add(defaultStapleLife)
	}
	s.domain.staple.Store(&staple{response: status.OCSPResponse, until: until})
	// Halfway to its end, so that a question without an answer does not leave
	// agents without one.
	return min(max(until.Sub(s.now())/2, minStaplePause), maxStaplePause), nil
}

// issuerOf finds who issued the certificate of a domain: among the anchors, or
// in its own file. It is nil when that is not known.
func issuerOf(d *Domain, anchors *cert.Pool, now time.Time) *cert.Certificate {
	if path, err := cert.BuildPath(d.Certificate(), cert.PathOptions{Anchors: anchors, Intermediates: d.Chain[1:], At: now}); err == nil && len(path.Certificates) > 1 {
		return path.Certificates[1]
	}
	return d.issuer
}
