package server

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"time"

	"imzo/internal/httpx"
)

// Load reads a config.properties and makes the server it describes. Warnings
// about the file go to the logger of d.
func Load(path string, d Deps) (*Server, error) {
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	if d.Version == "" {
		d.Version = "dev"
	}
	d.Logger.Info("imzo server version: " + d.Version)
	d.Logger.Info("Config file:" + path)
	if full, err := filepath.Abs(path); err == nil {
		d.Logger.Info("Loading config from file:" + full)
	}
	c, warnings, err := LoadConfig(path)
	for _, w := range warnings {
		d.Logger.Warn(w)
	}
	if err != nil {
		return nil, err
	}
	return New(c, d)
}

// Run serves as the config.properties at path says, until ctx is done.
func Run(ctx context.Context, path string, d Deps) error {
	s, err := Load(path, d)
	if err != nil {
		return err
	}
	ln, err := s.Listen()
	if err != nil {
		return err
	}
	return s.Serve(ctx, ln)
}

// Listen opens the address of the configuration.
func (s *Server) Listen() (net.Listener, error) {
	ln, err := net.Listen("tcp", s.config.Listen.String())
	if err != nil {
		return nil, fmt.Errorf("listen.ip, listen.port: %w", err)
	}
	return ln, nil
}

// Serve answers the connections of ln until ctx is done. The log lines of the
// start are those that people know from the original.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	log := s.deps.Logger
	for _, c := range s.anchors().Certificates() {
		log.Info("Trusted root", "serial", c.SerialHex(), "subject", c.Subject.String(), "validTo", c.NotAfter.In(s.config.Location).Format(time.RFC3339))
		if !c.ValidAt(s.deps.Now()) {
			log.Warn("Trusted root is outside of its validity: nothing will verify up to it", "serial", c.SerialHex())
		}
	}
	log.Info("Dates in replies are in " + s.config.Location.String())
	for _, path := range s.Routes() {
		log.Info("Registered: " + path)
	}
	log.Info("Started http server on: " + ln.Addr().String())
	err := httpx.Serve(ctx, ln, s.Handler(), httpx.Options{Logger: log, Now: s.deps.Now, MaxBody: s.maxBody, LenientHost: true})
	log.Info("Stopped")
	return err
}
