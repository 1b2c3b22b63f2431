package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"imzo/internal/health"
	"imzo/internal/metrics"
	"imzo/internal/revocation"
)

const (
	// expiryWarning is when the end of a certificate becomes a warning.
	expiryWarning = 30 * 24 * time.Hour
	// maxClockOffset is how far another's clock may be from ours. Beyond five
	// minutes fresh OCSP answers and timestamps count as wrong.
	maxClockOffset = time.Minute
)

// readiness are the checks of /healthz/ready. Only what makes every answer
// impossible is critical: without an OCSP responder or timestamps a server has
// documented answers, and taking it out of service helps nobody while its
// neighbours have the same trouble.
func (s *Server) readiness() []health.Check {
	checks := []health.Check{
		{Name: "store", Critical: true, Run: func(ctx context.Context) (string, error) { return "", s.pingStore(ctx) }},
		{Name: "trust", Critical: true, Run: s.checkTrust},
		{Name: "certificates", Run: s.checkExpiries},
		{Name: "ocsp", Run: func(ctx context.Context) (string, error) {
			return s.reach(ctx, s.config.OCSPURLs, "ocsp.url", &s.responders)
		}},
		{Name: "tsp", Run: func(ctx context.Context) (string, error) {
			return s.reach(ctx, s.config.TSPURLs, "tsp.url", &s.authorities)
		}},
	}
	if s.link != nil {
		checks = append(checks, health.Check{Name: "link", Run: s.checkLink})
	}
	if s.tunnel != nil {
		checks = append(checks, health.Check{Name: "tunnel", Run: s.checkTunnel})
	}
	return checks
}

// checkLink tells what the keep-alive of the trust link has found, and whether
// the clock at its other end agrees with ours. While it is down a status cannot
// be checked, which has its documented answers.
func (s *Server) checkLink(ctx context.Context) (string, error) {
	state := s.link.State()
	since := state.Since.UTC().Format(time.RFC3339)
	if state.Since.IsZero() {
		return "", errors.New("not connected yet")
	}
	if !state.Connected {
		return "", fmt.Errorf("down since %s, see the log of the server", since)
	}
	reply, err := s.link.Ping(ctx)
	if err != nil {
		s.deps.Logger.Warn("the trust link does not answer", "error", err.Error())
		return "", errors.New("it does not answer, see the log of the server")
	}
	if offset := s.deps.Now().Sub(reply.ServerTime); offset.Abs() > maxClockOffset {
		return "", fmt.Errorf("the clock at its other end and ours are %s apart", offset.Abs().Round(time.Second))
	}
	return "up since " + since, nil
}

// pingStore keeps to itself where the stores are.
func (s *Server) pingStore(ctx context.Context) error {
	if err := s.deps.Challenges.Ping(ctx); err != nil {
		s.deps.Logger.Warn("the store of challenges is not well", "error", err.Error())
		return errors.New("challenges cannot be kept, see the log of the server")
	}
	if s.deps.Documents == nil {
		return nil
	}
	if err := s.deps.Documents.Ping(ctx); err != nil {
		s.deps.Logger.Warn("the store of documents for phones is not well", "error", err.Error())
		return errors.New("documents for phones cannot be kept, see the log of the server")
	}
	return nil
}

func (s *Server) checkTrust(context.Context) (string, error) {
	now := s.deps.Now()
	valid := 0
	all := s.anchors().Certificates()
	for _, c := range all {
		if c.ValidAt(now) {
			valid++
		}
	}
	if valid == 0 {
		return "", fmt.Errorf("none of %d trusted roots is within its validity", len(all))
	}
	return fmt.Sprintf("%d trusted roots", valid), nil
}

func (s *Server) checkExpiries(context.Context) (string, error) {
	var soon []string
	var first metrics.Expiry
	list := s.expiries()
	for _, e := range list {
		if first.Serial == "" || e.NotAfter.Before(first.NotAfter) {
			first = e
		}
		if e.NotAfter.Sub(s.deps.Now()) < expiryWarning {
			soon = append(soon, fmt.Sprintf("%s %s ends %s", e.Kind, e.Serial, e.NotAfter.UTC().Format(time.RFC3339)))
		}
	}
	if len(soon) > 0 {
		return "", errors.New(strings.Join(soon, ", "))
	}
	return fmt.Sprintf("the first of %d to end is %s %s, %s", len(list), first.Kind, first.Serial, first.NotAfter.UTC().Format(time.RFC3339)), nil
}

// reach tells whether one of the services answers HTTP at all, whatever it
// says to a request without a question, and whether its clock agrees with
// ours. Where the addresses stand in certificates, it tells what came of the
// questions that were put there.
func (s *Server) reach(ctx context.Context, addresses []string, key string, asked *contact) (string, error) {
	if len(addresses) == 0 {
		detail, err := asked.state()
		return "asked where certificates say, since " + key + " is not set: " + detail, err
	}
	var failures []error
	for i, address := range addresses {
		// One that does not answer leaves time for those after it.
		patience := s.patience
		if end, ok := ctx.Deadline(); ok {
			patience = time.Until(end)
		}
		limited, cancel := context.WithTimeout(ctx, patience/time.Duration(len(addresses)-i))
		offset, known, err := s.clockOffset(limited, address)
		cancel()
		switch {
		case err != nil:
			s.deps.Logger.Debug("not reached", "address", i+1, "key", key, "error", err.Error())
			failures = append(failures, fmt.Errorf("address %d of %s is not reached", i+1, key))
			continue
		case known && offset.Abs() > maxClockOffset:
			return "", fmt.Errorf("its clock and ours are %s apart", offset.Abs().Round(time.Second))
		case known:
			return fmt.Sprintf("address %d of %d answers, clocks %s apart", i+1, len(addresses), offset.Abs().Round(time.Second)), nil
		}
		return fmt.Sprintf("address %d of %d answers", i+1, len(addresses)), nil
	}
	return "", errors.Join(failures...)
}

// clockOffset asks for the Date of an HTTP server (RFC 9110 6.6.1), which has
// whole seconds.
func (s *Server) clockOffset(ctx context.Context, address string) (offset time.Duration, known bool, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, address, nil)
	if err != nil {
		return 0, false, err
	}
	response, err := s.client.Do(request)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return 0, false, err
	}
	_ = response.Body.Close() // of a HEAD
	at, err := http.ParseTime(response.Header.Get("Date"))
	if err != nil {
		return 0, false, nil
	}
	return s.deps.Now().Sub(at), true, nil
}

// newTrustClient is the client for OCSP, timestamps and reachability.
func (s *Server) newTrustClient() *http.Client {
	if s.link != nil {
		return s.link.HTTPClient()
	}
	return revocation.NewHTTPClient()
}
