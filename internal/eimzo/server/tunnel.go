package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"imzo/internal/eimzo/tunnel/gateway"
	"imzo/pki/cert"
	"imzo/pki/keystore"
	"imzo/verify"
)

// openTunnel makes the gateway of E-IMZO TUNNEL.
func (s *Server) openTunnel() error {
	c := s.config.Tunnel
	state := gateway.State{Destinations: c.Destinations}
	var failures [2]error
	state.Domains, failures[0] = s.loadDomains()
	state.Anchors, failures[1] = s.tunnelAnchors()
	if err := errors.Join(failures[:]...); err != nil {
		return err
	}
	s.logDomains(state)
	limit := func(n int) int {
		if n == 0 {
			return -1 // without limit
		}
		return n
	}
	var err error
	s.tunnel, err = gateway.New(gateway.Options{
		Revocation: budgeted{s}, Total: limit(c.Total), PerAddress: limit(c.PerAddress), Idle: c.Idle,
		Logger: s.deps.Logger, Metrics: s.deps.Metrics, Now: s.deps.Now, Rand: s.deps.Rand,
	}, state)
	return err
}

// budgeted asks for statuses as log-ins do: anew, and within the time of a
// request.
type budgeted struct{ s *Server }

func (b budgeted) Status(ctx context.Context, c, issuer *cert.Certificate) (*verify.RevocationStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, b.s.patience)
	defer cancel()
	return b.s.fresh.Status(ctx, c, issuer)
}

// loadDomains reads the keys that the tunnel proves to be a domain with.
func (s *Server) loadDomains() ([]*gateway.Domain, error) {
	domains, warnings, err := gateway.ReadDomains(s.config.Tunnel.ServersDir, s.config.Tunnel.ServersPassword.Reveal(), s.deps.Now())
	for _, w := range warnings {
		s.deps.Logger.Warn("tunnel.servers.dir: " + w)
	}
	if err != nil {
		err = fmt.Errorf("tunnel.servers.dir: %w", err)
	}
	return domains, err
}

// tunnelAnchors are those that users of the tunnel are trusted by: all CAs in
// its trust store, the server's own when it has none. Unlike elsewhere nothing
// shows which one it was, so that an intermediate CA may be one.
func (s *Server) tunnelAnchors() (*cert.Pool, error) {
	c := s.config.Tunnel
	if c.TrustStoreFile == "" {
		return s.anchors(), nil
	}
	data, err := readConfigured(c.TrustStoreFile)
	if err != nil {
		return nil, fmt.Errorf("tunnel.truststore.file: %w", err)
	}
	certs, err := keystore.ParseTrustStore(data, c.TrustStorePassword.Reveal())
	if err != nil {
		return nil, fmt.Errorf("tunnel.truststore.file: %s: %w", c.TrustStoreFile, err)
	}
	pool := cert.NewPool()
	for _, c := range certs {
		if c.BasicConstraints != nil && c.BasicConstraints.IsCA || notRoot(c) == "" {
			pool.Add(c)
			continue
		}
		s.deps.Logger.Warn("certificate is not trusted: it is not the certificate of a CA", "file", s.config.Tunnel.TrustStoreFile, "serial", c.SerialHex(), "subject", c.Subject.String())
	}
	if pool.Len() == 0 {
		return nil, fmt.Errorf("tunnel.truststore.file: %s: it has no certificate of a CA; put the root of your users' certificates there", c.TrustStoreFile)
	}
	return pool, nil
}

// reloadTunnel reads the tunnel's files again. What cannot be read stays.
func (s *Server) reloadTunnel() error {
	state := s.tunnel.State()
	var failures []error
	if domains, err := s.loadDomains(); err == nil {
		state.Domains = domains
	} else {
		failures = append(failures, err)
	}
	if anchors, err := s.tunnelAnchors(); err == nil {
		state.Anchors = anchors
	} else {
		failures = append(failures, err)
	}
	if s.reread != nil {
		if c, err := s.reread(); err == nil {
			state.Destinations = c.Tunnel.Destinations
		} else {
			failures = append(failures, err)
		}
	}
	if err := s.tunnel.Replace(state); err != nil {
		return errors.Join(append(failures, err)...)
	}
	s.logDomains(state)
	return errors.Join(failures...)
}

func (s *Server) logDomains(state gateway.State) {
	for _, d := range state.Domains {
		s.deps.Logger.Info("Tunnel of "+strings.Join(d.Names, ", "), "file", d.File, "serial", d.Certificate().SerialHex())
	}
}

// serveTunnel serves until ctx ends, and then for as long as tunnels may go on.
func (s *Server) serveTunnel(ctx context.Context, ln net.Listener) error {
	ended := make(chan error, 1)
	go func() { ended <- s.tunnel.Serve(ln) }()
	var err error
	select {
	case <-ctx.Done():
	case err = <-ended:
		ended <- err
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.config.Tunnel.Drain)
	defer cancel()
	if s.tunnel.Shutdown(drain) != nil {
		s.deps.Logger.Warn("tunnels were cut off by the stop", "after", s.config.Tunnel.Drain)
	}
	if err := <-ended; !errors.Is(err, gateway.ErrStopped) {
		return err
	}
	return nil
}

// checkTunnel tells what the gateway is doing.
func (s *Server) checkTunnel(context.Context) (string, error) {
	status := s.tunnel.Status()
	if !status.Listening {
		return "", errors.New("nothing listens for tunnels")
	}
	return fmt.Sprintf("listens on %s for %s, %d tunnels open", s.config.Tunnel.Listen, strings.Join(status.Domains, ", "), status.Tunnels), nil
}
