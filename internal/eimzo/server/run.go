package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"imzo/internal/httpx"
	"imzo/pki/cert"
)

// Load reads a config.properties and makes the server it describes. Warnings
// about the file go to the log.
func Load(path string, d Deps) (*Server, error) {
	c, warnings, err := LoadConfig(path, d.Environ)
	if d.Logger == nil && d.NewLogger != nil {
		d.Logger = d.NewLogger(c.LogLevel, c.LogJSON)
	}
	d = d.withDefaults()
	d.Logger.Info("imzo server version: " + d.Version)
	d.Logger.Info("Config file:" + path)
	if full, err := filepath.Abs(path); err == nil {
		d.Logger.Info("Loading config from file:" + full)
	}
	for _, w := range warnings {
		d.Logger.Warn(w)
	}
	if err != nil {
		return nil, err
	}
	s, err := New(c, d)
	if err != nil {
		return nil, err
	}
	s.reread = func() (Config, error) {
		c, _, err := LoadConfig(path, d.Environ)
		return c, err
	}
	return s, nil
}

// Result is what [Check] found: a line each.
type Result struct{ Warnings, Errors []string }

// Check finds what is wrong with a configuration and with the files that it
// names. It listens on nothing and connects to nothing.
func Check(path string, environ []string, now func() time.Time) Result {
	var r Result
	c, warnings, err := LoadConfig(path, environ)
	r.Warnings = warnings
	if err == nil {
		var s *Server
		log := slog.New(warningHandler{&r.Warnings})
		if s, err = New(c, Deps{Logger: log, Now: now}); err == nil {
			for _, anchor := range s.anchors().Certificates() {
				s.logExpired(anchor)
			}
			err = s.Close()
		}
	}
	if err != nil {
		r.Errors = strings.Split(err.Error(), "\n")
	}
	return r
}

// warningHandler collects the warnings of a log.
type warningHandler struct{ lines *[]string }

func (h warningHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }
func (h warningHandler) WithAttrs([]slog.Attr) slog.Handler           { return h }
func (h warningHandler) WithGroup(string) slog.Handler                { return h }

func (h warningHandler) Handle(_ context.Context, r slog.Record) error {
	var line strings.Builder
	line.WriteString(r.Message)
	r.Attrs(func(a slog.Attr) bool {
		fmt.Fprintf(&line, ", %s %s", a.Key, a.Value)
		return true
	})
	*h.lines = append(*h.lines, line.String())
	return nil
}

// ConfigDocument is docs/config.md.
func ConfigDocument() string {
	return configIntroduction + Keys().Markdown()
}

const configIntroduction = `# Keys of config.properties

Written by ` + "`imzo server --keys`" + ` from the table that the server reads its
configuration with.

The file has the syntax of Java properties. An unknown key is a warning that
names the nearest known one; a wrong value stops the start, with file, line and
what is allowed. ` + "`imzo server --check FILE`" + ` does only that. Relative paths are
looked for in the folder of the file, and if there is nothing, in the working
folder, as in the original.

An environment variable overrides a key: its name is ` + "`EIMZO_CFG_`" + ` and the key
with ` + "`_` for `.`" + `, in letters of any case, such as ` + "`EIMZO_CFG_LISTEN_PORT=80`" + `. An
empty variable counts as not set.

Keys marked as Imzo's own do not exist in E-IMZO-SERVER, which ignores them.
`

// Run serves as the config.properties at path says, until ctx is done. SIGHUP
// makes it read certificates and keys again.
func Run(ctx context.Context, path string, d Deps) error {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP) // from here on, so that an early one does not kill us
	defer signal.Stop(hangup)
	s, err := Load(path, d)
	if err != nil {
		return err
	}
	l, err := s.Listen()
	if err != nil {
		return errors.Join(err, s.Close())
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		for {
			select {
			case <-hangup:
				s.deps.Logger.Info("SIGHUP: reading certificates and keys again")
				if err := s.Reload(); err != nil {
					s.deps.Logger.Error("what cannot be read stays as it was", "error", err.Error())
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return s.Serve(ctx, l)
}

// Listeners are what a server answers on. Backend, Metrics and Tunnel are nil
// where the configuration names no ports for them.
type Listeners struct{ Main, Backend, Metrics, Tunnel net.Listener }

func (l Listeners) all() []net.Listener {
	var open []net.Listener
	for _, ln := range []net.Listener{l.Main, l.Backend, l.Metrics, l.Tunnel} {
		if ln != nil {
			open = append(open, ln)
		}
	}
	return open
}

// Close closes those that are open.
func (l Listeners) Close() {
	for _, ln := range l.all() {
		_ = ln.Close() // once more after Serve, which has closed them
	}
}

// Listen opens the addresses of the configuration.
func (s *Server) Listen() (Listeners, error) {
	var l Listeners
	for _, a := range []struct {
		keys    string
		address netip.AddrPort
		ln      *net.Listener
	}{
		{"listen.ip, listen.port", s.config.Listen, &l.Main},
		{"backend.listen.ip, backend.listen.port", s.config.Backend, &l.Backend},
		{"metrics.server.listen.ip, metrics.server.listen.port", s.config.Metrics, &l.Metrics},
		{"tunnel.listen.ip, tunnel.listen.port", s.config.Tunnel.Listen, &l.Tunnel},
	} {
		if !a.address.IsValid() {
			continue
		}
		ln, err := net.Listen("tcp", a.address.String())
		if err != nil {
			l.Close()
			return Listeners{}, fmt.Errorf("%s: %w", a.keys, err)
		}
		*a.ln = ln
	}
	return l, nil
}

// Serve answers the connections of l until ctx is done, and then closes the
// server. The log lines of the start are those that people know from the
// original.
func (s *Server) Serve(ctx context.Context, l Listeners) error {
	log := s.deps.Logger
	s.logStart()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type part struct {
		name  string
		serve func() error
	}
	parts := []part{{"http server", func() error { return s.serveHTTP(ctx, l.Main, s.handler(l.Backend == nil)) }}}
	log.Info("Started http server on: " + l.Main.Addr().String())
	if l.Backend != nil {
		parts = append(parts, part{"back end's http server", func() error { return s.serveHTTP(ctx, l.Backend, s.handler(true)) }})
		log.Info("Started http server of the back end on: " + l.Backend.Addr().String())
	}
	if l.Metrics != nil {
		parts = append(parts, part{"metrics", func() error {
			return httpx.Serve(ctx, l.Metrics, s.metricsHandler(), httpx.Options{Logger: log, Now: s.deps.Now})
		}})
		log.Info("Started metrics on: " + l.Metrics.Addr().String())
	}
	if l.Tunnel != nil {
		parts = append(parts, part{"tunnel", func() error { return s.serveTunnel(ctx, l.Tunnel) }})
		log.Info("Started tunnel on: " + l.Tunnel.Addr().String())
	}
	if s.link != nil {
		parts = append(parts, part{"trust link", func() error { s.link.Run(ctx); return nil }})
	}
	ended := make(chan error, len(parts))
	for _, p := range parts {
		go func() {
			err := p.serve()
			if err != nil {
				err = fmt.Errorf("%s: %w", p.name, err)
			}
			ended <- err
		}()
	}
	var failures []error
	for range parts {
		failures = append(failures, <-ended)
		cancel() // none goes on alone
	}
	failures = append(failures, s.Close())
	log.Info("Stopped")
	return errors.Join(failures...)
}

// serveHTTP serves one of the server's two addresses.
func (s *Server) serveHTTP(ctx context.Context, ln net.Listener, h http.Handler) error {
	o := httpx.Options{
		Logger:      s.deps.Logger,
		Now:         s.deps.Now,
		MaxBody:     s.config.Limits.Body,
		BodyLimit:   s.bodyLimit,
		Refused:     s.countRefused,
		Memory:      s.memory,
		Connections: s.config.Limits.Connections,
		LenientHost: true,
	}
	if s.config.TLSCertificateFile != "" {
		o.TLS = s.tlsConfig()
	}
	return httpx.Serve(ctx, ln, h, o)
}

// metricsHandler is the metrics' own port: /metrics and nothing else.
func (s *Server) metricsHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/metrics", s.deps.Metrics.Handler())
	return mux
}

func (s *Server) logStart() {
	log := s.deps.Logger
	s.logAnchors()
	log.Info("Dates in replies are in " + s.config.Location.String())
	if s.config.Cache.Redis {
		log.Info("Using Redis", "addresses", strings.Join(s.config.Cache.Addresses, " "))
	} else {
		log.Info("Using LocalCache")
	}
	if s.link != nil {
		log.Info("Using the trust link", "host", s.config.Link.Host, "port", s.config.Link.Port)
	}
	for _, path := range s.Routes() {
		log.Info("Registered: " + path)
	}
}

func (s *Server) logAnchors() {
	for _, c := range s.anchors().Certificates() {
		s.deps.Logger.Info("Trusted root", "serial", c.SerialHex(), "subject", c.Subject.String(), "validTo", c.NotAfter.In(s.config.Location).Format(time.RFC3339))
		s.logExpired(c)
	}
}

func (s *Server) logExpired(c *cert.Certificate) {
	if !c.ValidAt(s.deps.Now()) {
		s.deps.Logger.Warn("Trusted root is outside of its validity: nothing will verify up to it", "serial", c.SerialHex())
	}
}
