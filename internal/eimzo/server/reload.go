package server

import (
	"crypto/tls"
	"errors"
	"fmt"
)

// Reload reads again what may change while the server runs: the trusted
// certificates, the TLS certificate, the key of the trust link, and the
// tunnel's keys, trust store and destinations. Requests and tunnels go on meanwhile, each with what it began with. Whatever cannot be read stays as
// it was, and is in the error.
func (s *Server) Reload() error {
	var failures []error
	if s.reloadable {
		pool, err := loadAnchors(s.config, s.deps.Logger, s.deps.Certificates)
		if err == nil {
			s.trusted.Store(pool)
			s.logAnchors()
		}
		failures = append(failures, err)
	}
	if s.config.TLSCertificateFile != "" {
		failures = append(failures, s.loadTLS())
	}
	if s.link != nil {
		failures = append(failures, s.link.Reload())
	}
	if s.tunnel != nil {
		failures = append(failures, s.reloadTunnel())
	}
	return errors.Join(failures...)
}

// loadTLS reads the certificate that new connections are answered with.
func (s *Server) loadTLS() error {
	pair, err := tls.LoadX509KeyPair(s.config.TLSCertificateFile, s.config.TLSKeyFile)
	if err != nil {
		return fmt.Errorf("tls.certificate.file.path, tls.key.file.path: %w", err)
	}
	s.certificate.Store(&pair)
	return nil
}

// tlsConfig answers with the certificate of the last reload.
func (s *Server) tlsConfig() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"}, // all that httpx speaks on a listener it wraps
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return s.certificate.Load(), nil
		},
	}
}
