package agent

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"imzo/internal/eimzo/agent/keyring"
	"imzo/internal/eimzo/agent/origin"
	"imzo/internal/eimzo/agent/prompt"
	"imzo/internal/httpx"
)

// The ports that pages of E-IMZO know.
const (
	DefaultWSPort  = 64646
	DefaultWSSPort = 64443
)

// NoPort leaves a port out.
const NoPort = -1

// LookupURL is where E-IMZO looks up the API keys of domains that bring none.
const LookupURL = "https://e-imzo.uz/apikey/get/"

// Bounds of connections.
const (
	maxConnections = 2048
	headerTime     = 10 * time.Second
	idleTime       = time.Minute
	maxHeader      = 64 << 10
	stopTime       = 5 * time.Second
	menuPause      = 10 * time.Second // between two windows that pages open
)

// apiKeysFile is the name of the file of API keys in the state folder.
const apiKeysFile = "apikeys.json"

// ServiceOptions describe an agent that runs on its ports.
type ServiceOptions struct {
	// Options are the agent's. Allow, Register, Audit, Keys and Prompter are
	// the service's to set, but a Prompter that is given is used.
	Options
	// StateDir is the folder with the API keys and the audit log; it is made
	// where it is missing.
	StateDir string
	// Dirs are folders with keys. Volumes looks on all disks too.
	Dirs    []string
	Volumes bool
	// GlobalKeys makes key ids and remembered passwords of use to every page,
	// as in the original.
	GlobalKeys bool
	// LookupURL is where API keys are looked up, see [LookupURL]; "" does not.
	LookupURL string
	HTTP      *http.Client // for that; nil is http.DefaultClient
	// Developer asks the person about pages without an API key.
	Developer bool
	// Form is how the person is asked. Out is told the addresses of pages
	// that ask; nil for nobody. OpenBrowser shows them; nil does not.
	Form        prompt.Form
	Out         io.Writer
	OpenBrowser func(address string) error
	// WSPort and WSSPort are the ports on 127.0.0.1; 0 takes a free one, and
	// [NoPort] none. Certificate is that of the second, which it needs.
	WSPort, WSSPort int
	Certificate     func(*tls.ClientHelloInfo) (*tls.Certificate, error)
}

// Service is an agent with its ports and files.
type Service struct {
	agent   *Agent
	audit   *AuditLog
	keys    *keyring.Ring
	prompts http.Handler
	log     *slog.Logger
	config  *tls.Config

	ws, wss net.Listener // nil where there is none
}

// Listen opens the ports and files of an agent. The caller calls Serve, or
// Close.
func Listen(o ServiceOptions) (_ *Service, err error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.HTTP == nil {
		o.HTTP = http.DefaultClient
	}
	s := &Service{log: o.Logger}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if err := os.MkdirAll(o.StateDir, 0o700); err != nil {
		return nil, err
	}
	if s.ws, err = listen("--ws-port", o.WSPort); err != nil {
		return nil, err
	}
	if o.Certificate == nil {
		o.WSSPort = NoPort
	}
	if s.wss, err = listen("--wss-port", o.WSSPort); err != nil {
		return nil, err
	}
	if s.ws == nil && s.wss == nil {
		return nil, errors.New("an agent without any port is of no use")
	}
	s.config = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: o.Certificate, NextProtos: []string{"http/1.1"}}
	if s.audit, err = OpenAudit(o.StateDir, o.Now, o.Logger); err != nil {
		return nil, err
	}
	apiKeys, err := origin.OpenKeys(filepath.Join(o.StateDir, apiKeysFile), o.Logger)
	if err != nil {
		return nil, fmt.Errorf("the API keys cannot be read: %w", err)
	}
	ring := keyring.Options{Dirs: o.Dirs, Global: o.GlobalKeys, Now: o.Now, Log: o.Logger}
	if o.Volumes {
		ring.Roots = keyring.Volumes
	}
	s.keys = keyring.New(ring)

	form := o.Prompter
	if form == nil {
		web := &prompt.Web{Base: s.PageURL, Open: o.OpenBrowser, Out: o.Out}
		if form, err = prompt.Choose(o.Form, web); err != nil {
			return nil, err
		}
		s.prompts = web
	}
	queue := prompt.NewQueue(form, o.Now)
	gate := &origin.Gate{Keys: apiKeys, LookupURL: o.LookupURL, HTTP: o.HTTP, Developer: o.Developer, Now: o.Now, Log: o.Logger}
	options := o.Options
	options.Keys, options.Prompter, options.Audit, options.Register = s.keys, queue, s.audit.Write, apiKeys.Register
	options.Allow = Gated(gate, queue, o.Language)
	if options.ShowMenu == nil && o.OpenBrowser != nil {
		var turn sync.Mutex
		var last time.Time
		options.ShowMenu = func(context.Context) {
			turn.Lock()
			defer turn.Unlock()
			if o.Now().Sub(last) < menuPause {
				return
			}
			last = o.Now()
			if err := o.OpenBrowser(s.PageURL() + "/"); err != nil {
				o.Logger.Info("no browser", "cause", err.Error())
			}
		}
	}
	s.agent, err = New(options)
	return s, err
}

// listen opens a port; nil for [NoPort].
func listen(flag string, port int) (net.Listener, error) {
	if port == NoPort {
		return nil, nil
	}
	ln, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("%w; if E-IMZO or another agent runs, stop it, or choose another port with %s", err, flag)
	}
	return httpx.LimitConnections(ln, maxConnections), nil
}

// WSAddress and WSSAddress are the host and port of the ports; "" where there
// is none.
func (s *Service) WSAddress() string { return address(s.ws) }

// WSSAddress is that of TLS.
func (s *Service) WSSAddress() string { return address(s.wss) }

func address(ln net.Listener) string {
	if ln == nil {
		return ""
	}
	return ln.Addr().String()
}

// PageURL is where the agent's own pages are, without a slash at its end.
func (s *Service) PageURL() string {
	if s.ws != nil {
		return "http://" + s.WSAddress()
	}
	return "https://" + s.WSSAddress()
}

// Serve answers until ctx is done; then sockets get 1001, and what is being
// answered has a few seconds. It closes the service.
func (s *Service) Serve(ctx context.Context) error {
	defer s.Close()
	server := &http.Server{
		Handler: s.agent.Handler(s.prompts), ReadHeaderTimeout: headerTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHeader,
		TLSConfig: s.config, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	var parts []func() error
	if s.ws != nil {
		parts = append(parts, func() error { return server.Serve(s.ws) })
	}
	if s.wss != nil {
		parts = append(parts, func() error { return server.ServeTLS(s.wss, "", "") })
	}
	ended := make(chan error, len(parts))
	for _, serve := range parts {
		go func() { ended <- serve() }()
	}
	var errs []error
	left := len(parts)
	select {
	case <-ctx.Done():
	case err := <-ended:
		errs = append(errs, err)
		left--
	}
	s.agent.Close()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	if err := server.Shutdown(stop); err != nil {
		errs = append(errs, server.Close())
	}
	for range left {
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			errs = append(errs, err)
		}
	}
	s.agent.wait(stop)
	return errors.Join(errs...)
}

// Close closes what is open. It is not needed after Serve.
func (s *Service) Close() {
	for _, ln := range []net.Listener{s.ws, s.wss} {
		if ln != nil {
			_ = ln.Close()
		}
	}
	if s.agent != nil {
		s.agent.Close()
	}
	if s.keys != nil {
		_ = s.keys.Close()
	}
	if s.audit != nil {
		_ = s.audit.Close()
	}
}
