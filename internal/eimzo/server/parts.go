package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"imzo/internal/revocation"
	"imzo/internal/store"
	"imzo/internal/timestamping"
	"imzo/internal/trustlink"
)

// linkTSA is whom E-IMZO's server asks for timestamps when its configuration
// names nobody, as the guide's: certificates do not name a timestamp authority.
// The link takes the request to its own end, whatever host this says.
const linkTSA = "http://e-imzo.uz/cams/tst"

// complete fills in what the caller left for the configuration to decide.
// What it opens is closed by close.
func (s *Server) complete() (err error) {
	c, d := s.config, &s.deps
	if d.Anchors == nil {
		if d.Anchors, err = loadAnchors(c, d.Logger, d.Certificates); err != nil {
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
	if c.Link.Enabled() {
		if s.link, err = openLink(c.Link, *d); err != nil {
			return fmt.Errorf("vpn.*: %w", err)
		}
	}
	if d.Challenges == nil {
		if d.Challenges, err = openChallenges(c.Cache, *d); err != nil {
			return err
		}
	}
	s.closers = append(s.closers, d.Challenges.Close)
	if d.Documents == nil && c.Mobile.SiteID != "" {
		if d.Documents, err = openDocuments(c.Mobile, *d); err != nil {
			return err
		}
	}
	if d.Documents != nil {
		s.closers = append(s.closers, d.Documents.Close)
	}
	client := s.newTrustClient()
	s.client = client
	s.closers = append(s.closers, func() error { client.CloseIdleConnections(); return nil })
	if d.Revocation == nil {
		s.openRevocation(client)
	} else {
		s.fresh = d.Revocation
	}
	if c.Tunnel.Listen.IsValid() {
		if err := s.openTunnel(); err != nil {
			return err
		}
	}
	if d.TSA == nil {
		addresses := c.TSPURLs
		if len(addresses) == 0 && s.link != nil {
			addresses = []string{linkTSA}
		}
		d.TSA = timestamping.New(timestamping.Options{
			URLs: addresses, HTTP: client, Now: d.Now, Timeout: s.patience, Check: s.checkToken, Observe: s.observeTimestamp,
		})
	}
	return nil
}

// openRevocation asks OCSP responders, then CRLs where they are wanted, and
// keeps the answers for as long as the configuration says.
func (s *Server) openRevocation(client *http.Client) {
	c, d := s.config, &s.deps
	o := revocation.Options{URLs: c.OCSPURLs, NoncePolicy: c.OCSPNonce, HTTP: client, Now: d.Now, Timeout: s.patience, CheckSignature: d.CheckSignature}
	if c.CRLFallback {
		o.CRL = revocation.CRLOptions{Enabled: true, URLs: c.CRLURLs}
	}
	keep := c.OCSPCache
	if keep == 0 {
		keep = -1 // who asks at the same time still shares a question
	}
	cache := revocation.NewCache(revocation.New(o), revocation.CacheOptions{Cap: keep, Timeout: s.patience, Now: d.Now, Observe: s.observeRevocation})
	s.closers = append(s.closers, cache.Close)
	d.Revocation, s.fresh = cache, cache.Fresh()
}

func openLink(c LinkConfig, d Deps) (*trustlink.Link, error) {
	return trustlink.Open(trustlink.Options{
		Host:               c.Host,
		Port:               c.Port,
		TLS:                c.TLS,
		KeyFile:            c.KeyFile,
		KeyPassword:        c.KeyPassword.Reveal(),
		TruststoreFile:     c.TrustStoreFile,
		TruststorePassword: c.TrustStorePassword.Reveal(),
		KeepAlive:          c.KeepAlive,
		KeepAliveTimeout:   c.KeepTimeout,
		Logger:             d.Logger,
		Now:                d.Now,
	})
}

// openChallenges does not wait for Redis: a server starts while it is away.
func openChallenges(c CacheConfig, d Deps) (store.Challenges, error) {
	if !c.Redis {
		return store.NewMemory(d.Now), nil
	}
	o, err := c.options("cache.redis.", "challenges", d)
	if err != nil {
		return nil, err
	}
	return store.NewRedis(o)
}

func openDocuments(c MobileConfig, d Deps) (store.Documents, error) {
	if !c.Shared {
		return store.NewMemoryDocuments(d.Now), nil
	}
	o, err := c.Redis.options("mobile.storage.redis.", "documents", d)
	if err != nil {
		return nil, err
	}
	return store.NewRedisDocuments(o)
}

// options are those of the keys that begin with prefix, for a store as metrics
// name it.
func (c RedisConfig) options(prefix, name string, d Deps) (store.RedisOptions, error) {
	o := store.RedisOptions{
		Addrs:            c.Addresses,
		Username:         c.Username,
		Password:         c.Password.Reveal(),
		DB:               c.DB,
		MasterName:       c.Master,
		SentinelPassword: c.SentinelPassword.Reveal(),
		Cluster:          c.Cluster,
		ConnectTimeout:   c.ConnectTimeout,
		Timeout:          c.Deadline,
		Prefix:           c.Prefix,
		Observe:          func(operation string, err error, took time.Duration) { d.Metrics.Store(name, operation, err, took) },
	}
	if c.TLS {
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
		if host, _, err := net.SplitHostPort(c.Addresses[0]); err == nil && c.Master == "" && !c.Cluster {
			o.TLS.ServerName = host
		}
		if c.TLSCAFile != "" {
			data, err := readConfigured(c.TLSCAFile)
			if err != nil {
				return o, fmt.Errorf("%stls.ca.file.path: %w", prefix, err)
			}
			o.TLS.RootCAs = x509.NewCertPool()
			if !o.TLS.RootCAs.AppendCertsFromPEM(data) {
				return o, fmt.Errorf("%stls.ca.file.path: %s: no certificate in PEM", prefix, c.TLSCAFile)
			}
		}
	}
	return o, nil
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
