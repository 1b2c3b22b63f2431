package server

import (
	"errors"
	"net/http"

	"imzo/internal/revocation"
	"imzo/internal/store"
	"imzo/internal/timestamping"
)

// complete fills in what the caller left for the configuration to decide.
// What it opens is closed by close.
func (s *Server) complete() (err error) {
	c, d := s.config, &s.deps
	if d.Anchors == nil {
		if d.Anchors, err = loadAnchors(c, d.Logger); err != nil {
			return err
		}
		s.reloadable = true
	}
	if d.Anchors.Len() == 0 {
		return ErrNoTrust
	}
	s.trusted.Store(d.Anchors)
	if c.TLSCertificateFile != "" {
		if err := s.loadTLS(); err != nil {
			return err
		}
	}
	if d.Challenges == nil {
		d.Challenges = store.NewMemory(d.Now)
	}
	client := revocation.NewHTTPClient()
	s.closers = append(s.closers, func() error { client.CloseIdleConnections(); return nil })
	if d.Revocation == nil {
		s.openRevocation(client)
	} else {
		s.fresh = d.Revocation
	}
	if d.TSA == nil {
		d.TSA = timestamping.New(timestamping.Options{
			URLs: c.TSPURLs, HTTP: client, Now: d.Now, Timeout: s.patience, Check: s.checkToken,
		})
	}
	return nil
}

// openRevocation asks OCSP responders, then CRLs where they are wanted, and
// keeps the answers for as long as the configuration says.
func (s *Server) openRevocation(client *http.Client) {
	c, d := s.config, &s.deps
	o := revocation.Options{URLs: c.OCSPURLs, NoncePolicy: c.OCSPNonce, HTTP: client, Now: d.Now, Timeout: s.patience}
	if c.CRLFallback {
		o.CRL = revocation.CRLOptions{Enabled: true, URLs: c.CRLURLs}
	}
	keep := c.OCSPCache
	if keep == 0 {
		keep = -1 // who asks at the same time still shares a question
	}
	cache := revocation.NewCache(revocation.New(o), revocation.CacheOptions{Cap: keep, Timeout: s.patience, Now: d.Now})
	s.closers = append(s.closers, cache.Close)
	d.Revocation, s.fresh = cache, cache.Fresh()
}

// Close lets go of connections and background work. A server that Serve has
// served is closed already.
func (s *Server) Close() error {
	var failures []error
	s.closing.Do(func() {
		for i := len(s.closers) - 1; i >= 0; i-- {
			failures = append(failures, s.closers[i]())
		}
	})
	return errors.Join(failures...)
}
