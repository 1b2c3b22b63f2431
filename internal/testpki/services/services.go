// Package services runs the OCSP responder and the timestamp authority of a
// hierarchy of package testpki over HTTP, for tests of what asks them.
//
//	pki := testpki.New(t, "ozdst")
//	trust := services.Start(pki, pki.Clock())
//	defer trust.Close()
//	... ocsp.url = trust.OCSPURL, tsp.url = trust.TSAURL
//	trust.Revoke(user.Cert, at)
//
// Every certificate is good until it is revoked. The package is for test files
// only.
package services

import (
	"context"
	"crypto/rand"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/ber"
	"imzo/pki/cert"
	"imzo/pki/ocsp"
	"imzo/pki/tsp"
)

// Services are a running responder and a running authority.
type Services struct {
	// OCSPURL and TSAURL are their addresses.
	OCSPURL, TSAURL string

	servers   []*httptest.Server
	serial    atomic.Int64
	responder ocsp.Responder
	authority tsp.Authority

	mu       sync.Mutex
	statuses map[string]ocsp.StatusInfo // by serial number
	down     bool
}

// Start starts the services; Close ends them.
func Start(p *testpki.PKI, now func() time.Time) *Services {
	s := &Services{statuses: map[string]ocsp.StatusInfo{}}
	s.responder = ocsp.Responder{
		Certificate: p.OCSP.Cert, Key: p.OCSP.Key, Issuer: p.CA.Cert,
		Lookup: s.lookup, Now: now, Validity: time.Minute, Rand: rand.Reader,
	}
	s.authority = tsp.Authority{
		Key: p.TSA.Key, Chain: p.TSA.Chain[:2], Policy: ber.MustOID("1.2.860.3.2.11.1"),
		Serial: func() (*big.Int, error) { return big.NewInt(s.serial.Add(1)), nil },
		Now:    now, Rand: rand.Reader,
	}
	s.OCSPURL = s.serve("application/ocsp-response", s.responder.Respond)
	s.TSAURL = s.serve("application/timestamp-reply", s.authority.Respond)
	return s
}

func (s *Services) serve(contentType string, respond func(context.Context, []byte) []byte) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		down := s.down
		s.mu.Unlock()
		request, err := io.ReadAll(r.Body)
		if down || err != nil {
			http.Error(w, "down", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(respond(r.Context(), request)) // a client that is gone needs no answer
	}))
	s.servers = append(s.servers, server)
	return server.URL
}

// Close ends the services.
func (s *Services) Close() {
	for _, server := range s.servers {
		server.Close()
	}
}

// SetDown makes both answer with an error of HTTP, or answer again.
func (s *Services) SetDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

// Revoke makes the responder call c revoked since a time.
func (s *Services) Revoke(c *cert.Certificate, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.statuses[c.SerialHex()] = ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: at}
}

func (s *Services) lookup(_ context.Context, serial *big.Int) (ocsp.StatusInfo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if status, ok := s.statuses[serial.Text(16)]; ok {
		return status, nil
	}
	return ocsp.StatusInfo{Status: ocsp.Good}, nil
}
