package trustlink

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"imzo/pki/cert"
)

var (
	// ErrGOSTKey says that a key file has only keys that TLS cannot use.
	ErrGOSTKey = errors.New("the key is a GOST key, and TLS of this program takes RSA, ECDSA and Ed25519 only")
	// ErrNoKey says that a key file has no key with its certificate.
	ErrNoKey = errors.New("no key with its certificate")
	// ErrRefused says that the other end answers and turns this key away.
	ErrRefused = errors.New("the other end refuses the key")
	// ErrPeer says that the other end's certificate is not that of the trust
	// services.
	ErrPeer = errors.New("the other end is not to be trusted")
)

// Defaults of vpn.keepalive.time.sec and vpn.keepalive.timeout.sec.
const (
	DefaultKeepAlive        = 60 * time.Second
	DefaultKeepAliveTimeout = 20 * time.Second
)

const (
	// connectTimeout is for TCP and TLS together. Two tries and an answer fit
	// into the eight seconds that a verification has.
	connectTimeout = 3 * time.Second
	// answerTimeout is for callers without patience of their own. Keep-alive
	// ends the waiting on a dead connection before.
	answerTimeout = 30 * time.Second
	// maxFile bounds key files and trust stores, which have some kilobytes.
	maxFile = 4 << 20
)

// Options say where the link goes and with what key.
type Options struct {
	Host string
	Port int
	// TLS is vpn.tls.enabled. Without it the link is plain TCP, to a tunnel
	// of somebody else's on the same machine; KeyFile may then be empty.
	TLS                                bool
	KeyFile, KeyPassword               string
	TruststoreFile, TruststorePassword string
	// KeepAlive is the time between two pings, KeepAliveTimeout how long one
	// may take; zero values are the defaults.
	KeepAlive, KeepAliveTimeout time.Duration

	Logger *slog.Logger     // nil discards
	Now    func() time.Time // nil is time.Now
	Rand   io.Reader        // for jitter; nil is crypto/rand
}

// String shows no passwords.
func (o Options) String() string {
	return fmt.Sprintf("trust link to %s", net.JoinHostPort(o.Host, strconv.Itoa(o.Port)))
}

// GoString is String, for %#v.
func (o Options) GoString() string { return o.String() }

// LogValue shows no passwords.
func (o Options) LogValue() slog.Value { return slog.StringValue(o.String()) }

// Link is the way to the trust services. Its methods may be called at the
// same time.
type Link struct {
	options Options
	address string // host:port

	identity  atomic.Pointer[identity]
	reloading sync.Mutex

	mu    sync.Mutex
	state State
	told  bool // whether the log has heard of a state
	conns map[*conn]struct{}

	// lost tells Run that a connection ended, kick that it has to look at
	// once even while it waits to reconnect.
	lost, kick chan struct{}
}

// State is whether the other end answers.
type State struct {
	Connected bool
	// Since is when Connected changed last; zero before anything is known.
	Since time.Time
	// LastError is why the link is down, or was the last time; "" when it
	// never was.
	LastError string
}

// Open reads the key and the trust store. It connects to nothing, so that a
// server starts while the other end is away. Errors name the file and what is
// wrong with it, never a password.
func Open(o Options) (*Link, error) {
	switch {
	case o.Host == "":
		return nil, errors.New("trust link: no host")
	case o.Port < 1 || o.Port > 65535:
		return nil, fmt.Errorf("trust link: port %d", o.Port)
	case o.TLS && o.KeyFile == "":
		return nil, errors.New("trust link: TLS needs a client key")
	case o.TLS && o.TruststoreFile == "":
		return nil, errors.New("trust link: TLS needs a trust store")
	}
	if o.KeepAlive <= 0 {
		o.KeepAlive = DefaultKeepAlive
	}
	if o.KeepAliveTimeout <= 0 {
		o.KeepAliveTimeout = DefaultKeepAliveTimeout
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	l := &Link{
		options: o,
		address: net.JoinHostPort(o.Host, strconv.Itoa(o.Port)),
		conns:   map[*conn]struct{}{},
		lost:    make(chan struct{}, 1),
		kick:    make(chan struct{}, 1),
	}
	id, err := l.readIdentity()
	if err != nil {
		return nil, err
	}
	l.identity.Store(id)
	return l, nil
}

// Reload reads the key and the trust store again. New requests go over new
// connections with the new key, those under way finish with the old one. What
// cannot be read leaves everything as it was.
func (l *Link) Reload() error {
	l.reloading.Lock()
	defer l.reloading.Unlock()
	id, err := l.readIdentity()
	if err != nil {
		return err
	}
	old := l.identity.Swap(id)
	// Busy connections are closed too, once their request has its answer: a
	// transport that gets no more requests keeps none.
	old.transport.CloseIdleConnections()
	signal(l.kick)
	return nil
}

// Certificate returns the certificate of the client key, nil when there is
// none.
func (l *Link) Certificate() *cert.Certificate { return l.identity.Load().certificate }

// State returns whether the other end answers, as far as known.
func (l *Link) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

// HTTPClient returns a client whose requests all go through the link. It
// follows no redirects. Its requests may be sent a second time when a
// connection breaks: questions to the trust services change nothing.
func (l *Link) HTTPClient() *http.Client {
	return &http.Client{Transport: roundTripper{l}, CheckRedirect: refuseRedirect}
}

func refuseRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// roundTripper sends requests through the link.
type roundTripper struct{ link *Link }

// RoundTrip implements http.RoundTripper.
func (t roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := t.link.send(r)
	if err != nil {
		return nil, err
	}
	if refuses(response) {
		t.link.down(fmt.Errorf("%w: HTTP status %d", ErrRefused, response.StatusCode))
	} else {
		t.link.up()
	}
	return response, nil
}

// CloseIdleConnections is what http.Client.CloseIdleConnections calls.
func (t roundTripper) CloseIdleConnections() { t.link.identity.Load().transport.CloseIdleConnections() }

// send sends a request to the other end, whatever its host is.
func (l *Link) send(r *http.Request) (*http.Response, error) {
	through := r.Clone(r.Context())
	if through.Host == "" {
		through.Host = r.URL.Host
	}
	// One address, so that all hosts share connections.
	through.URL.Scheme, through.URL.Host = "http", l.address
	// An empty value is not sent; it tells net/http that a POST may be
	// repeated on a new connection when the old one turns out to be closed.
	through.Header["X-Idempotency-Key"] = []string{}
	response, err := l.identity.Load().transport.RoundTrip(through)
	if err != nil {
		var dial *dialError
		switch {
		case errors.As(err, &dial):
			l.down(dial)
		case !errors.Is(r.Context().Err(), context.Canceled):
			signal(l.lost) // Run finds out what it means
		}
		return nil, fmt.Errorf("trust link %s: %w", l.address, err)
	}
	response.Request = r
	return response, nil
}

// refuses tells whether an answer turns the key away.
func refuses(r *http.Response) bool {
	return r.StatusCode == http.StatusForbidden || r.StatusCode == http.StatusUnauthorized
}

// signal wakes whoever waits on a channel with room for one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
