package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"imzo/internal/eimzo/tunnel"
	"imzo/internal/metrics"
	"imzo/internal/ratelimit"
	"imzo/pki/cert"
	"imzo/pki/ocsp"
	"imzo/verify"
)

const (
	// DefaultTotal and DefaultPerAddress are how many tunnels may be open.
	DefaultTotal      = 10_000
	DefaultPerAddress = 100
	// DefaultHandshakes is how many may be made at the same time: what a
	// processor core makes within the time a handshake may take.
	DefaultHandshakes = 1024
	// dialTimeout is the time to connect to a destination.
	dialTimeout = 5 * time.Second
	// refuseTimeout is the time to tell somebody that there is no room.
	refuseTimeout = time.Second
	// maxRefusals is how many are told at the same time; more are cut off.
	maxRefusals = 256
	// abortGrace is the time that tunnels have to say why they end.
	abortGrace = 2 * time.Second
	// busyPause is the least time between two log lines about a limit.
	busyPause = 10 * time.Second
)

var (
	// ErrOptions is wrapped by the error of New about what it was given.
	ErrOptions = errors.New("the tunnel's gateway cannot be made")
	// ErrStopped is what Serve returns after Shutdown.
	ErrStopped = errors.New("the tunnel's gateway has stopped")

	errNoStatus = errors.New("the status of the certificate is not known")
)

// Options describe a gateway.
type Options struct {
	// Revocation tells whether certificates of users are revoked, and is asked
	// for what is stapled to those of domains. It should not answer from what
	// it knew before. It is needed.
	Revocation verify.RevocationSource
	// Total bounds the connections, PerAddress those of one address (an IPv6
	// /64 is one), Handshakes those that are not tunnels yet. 0 is the default,
	// negative is without limit.
	Total, PerAddress, Handshakes int
	// Idle ends tunnels without an octet either way; 0 is never.
	Idle time.Duration
	// HandshakeTimeout bounds a handshake; 0 is tunnel.DefaultTimeout.
	HandshakeTimeout time.Duration
	// Dial connects to destinations; nil is a net.Dialer's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Logger gets one line for each tunnel when it has ended; nil discards it.
	Logger *slog.Logger
	// Metrics counts; nil for none.
	Metrics *metrics.Metrics
	// Now and Rand are the clock and the randomness; nil is the system's.
	Now  func() time.Time
	Rand io.Reader
}

// State is what a running gateway may be given anew.
type State struct {
	// Domains are what the gateway can prove to be.
	Domains []*Domain
	// Anchors are whom users' certificates must lead to.
	Anchors *cert.Pool
	// Destinations are host:port by dst_id.
	Destinations map[uint8]string
}

// Gateway serves tunnels. Its methods may be called at the same time.
type Gateway struct {
	options Options
	log     *slog.Logger
	now     func() time.Time
	state   atomic.Pointer[State]

	// ctx ends when what is open has to end at once.
	ctx      context.Context
	abort    context.CancelFunc
	group    sync.WaitGroup // of connections
	refusals chan struct{}  // one for each that is being told

	mu         sync.Mutex
	stopped    bool
	serving    map[net.Listener]bool
	sessions   map[*session]bool
	byAddress  map[netip.Addr]int
	handshakes int
	tunnels    int
	lastBusy   time.Time
	// staplers of the state; nil until the gateway serves.
	stopStaplers context.CancelFunc
	staplers     sync.WaitGroup
}

// New makes a gateway. The error wraps [ErrOptions].
func New(o Options, s State) (*Gateway, error) {
	switch {
	case o.Revocation == nil:
		return nil, fmt.Errorf("%w: nobody to ask for the status of certificates", ErrOptions)
	case o.Idle < 0 || o.HandshakeTimeout < 0:
		return nil, fmt.Errorf("%w: a negative time", ErrOptions)
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	for _, limit := range []struct {
		value *int
		usual int
	}{{&o.Total, DefaultTotal}, {&o.PerAddress, DefaultPerAddress}, {&o.Handshakes, DefaultHandshakes}} {
		if *limit.value == 0 {
			*limit.value = limit.usual
		}
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = metrics.New("")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	g := &Gateway{
		options: o, log: o.Logger, now: o.Now,
		serving: map[net.Listener]bool{}, sessions: map[*session]bool{}, byAddress: map[netip.Addr]int{},
		refusals: make(chan struct{}, maxRefusals),
	}
	g.ctx, g.abort = context.WithCancel(context.Background())
	g.state.Store(&s)
	return g, nil
}

func (s State) check() error {
	switch {
	case len(s.Domains) == 0:
		return fmt.Errorf("%w: no keys of domains", ErrOptions)
	case s.Anchors.Len() == 0:
		return fmt.Errorf("%w: no trusted certificates", ErrOptions)
	}
	return nil
}

// State is what the gateway serves with now.
func (g *Gateway) State() State { return *g.state.Load() }

// Replace changes what new tunnels are made with. Those that are open go on. A
// certificate that was there before keeps its stapled status.
func (g *Gateway) Replace(s State) error {
	if err := s.check(); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, d := range s.Domains {
		for _, old := range g.state.Load().Domains {
			if d != old && d.Certificate().Equal(old.Certificate()) {
				d.staple.Store(old.staple.Load())
			}
		}
	}
	g.state.Store(&s)
	if g.stopStaplers != nil && !g.stopped {
		g.startStaplers()
	}
	return nil
}

// startStaplers replaces the staplers. g.mu is held.
func (g *Gateway) startStaplers() {
	if g.stopStaplers != nil {
		g.stopStaplers()
	}
	ctx, stop := context.WithCancel(g.ctx)
	g.stopStaplers = stop
	state := g.state.Load()
	for _, d := range state.Domains {
		issuer := issuerOf(d, state.Anchors, g.now())
		if issuer == nil {
			g.log.Warn("the issuer of the certificate of a domain is not known: put it into the file, or agents have to have it", "file", d.File, "serial", d.Certificate().SerialHex())
			continue
		}
		s := stapler{domain: d, issuer: issuer, source: g.options.Revocation, now: g.now, log: g.log, after: time.After}
		g.staplers.Go(func() { s.run(ctx) })
	}
}

// Status tells what the gateway is doing.
type Status struct {
	Listening           bool
	Tunnels, Handshakes int
	Domains             []string
}

// Status tells what the gateway is doing.
func (g *Gateway) Status() Status {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := Status{Listening: len(g.serving) > 0, Tunnels: g.tunnels, Handshakes: g.handshakes}
	for _, d := range g.state.Load().Domains {
		s.Domains = append(s.Domains, d.Names...)
	}
	slices.Sort(s.Domains)
	s.Domains = slices.Compact(s.Domains)
	return s
}

// Serve takes the connections of ln, which it closes, until [Gateway.Shutdown]
// is called. It then returns [ErrStopped], and otherwise why it could not go on.
func (g *Gateway) Serve(ln net.Listener) error {
	g.mu.Lock()
	if g.stopped {
		g.mu.Unlock()
		_ = ln.Close() // nothing was taken from it
		return ErrStopped
	}
	g.serving[ln] = true
	if g.stopStaplers == nil {
		g.startStaplers()
	}
	g.mu.Unlock()
	defer func() {
		_ = ln.Close() // Shutdown has, or Accept has failed
		g.mu.Lock()
		delete(g.serving, ln)
		g.mu.Unlock()
	}()
	pause := time.Duration(0)
	for {
		conn, err := ln.Accept()
		if err != nil {
			if g.isStopped() {
				return ErrStopped
			}
			// As net/http does: out of files is no reason to end.
			if temporary, ok := err.(interface{ Temporary() bool }); !ok || !temporary.Temporary() {
				return err
			}
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			g.log.Warn("a tunnel's connection is not taken, trying again", "error", err.Error(), "pause", pause)
			select {
			case <-time.After(pause):
			case <-g.ctx.Done():
				return ErrStopped
			}
			continue
		}
		pause = 0
		g.take(conn)
	}
}

func (g *Gateway) isStopped() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.stopped
}

// take serves a connection on its own, if there is room.
func (g *Gateway) take(conn net.Conn) {
	s := &session{gateway: g, conn: conn, began: g.now(), address: addressOf(conn)}
	over := g.admit(s)
	if over == stopping {
		_ = conn.Close() // it came while the listener was being closed
		return
	}
	go func() {
		defer g.group.Done()
		if over != "" {
			g.refuse(conn)
			return
		}
		defer g.leave(s)
		s.run()
	}()
}

// limit is what a connection is too many for; "" within all.
type limit string

const stopping limit = "stopping"

// admit counts a connection, if there is room for it. Shutdown waits for it
// unless it is stopping.
func (g *Gateway) admit(s *session) (over limit) {
	g.mu.Lock()
	defer g.mu.Unlock()
	o, bucket := g.options, ratelimit.Bucket(s.address)
	defer func() {
		if over != stopping {
			g.group.Add(1)
		}
	}()
	full := func(have, limit int) bool { return limit > 0 && have >= limit }
	switch {
	case g.stopped:
		return stopping
	case full(len(g.sessions), o.Total):
		over = "tunnel.limit.total"
	case full(g.byAddress[bucket], o.PerAddress):
		over = "tunnel.limit.address"
	case full(g.handshakes, o.Handshakes):
		over = "handshakes"
	default:
		g.sessions[s] = true
		g.byAddress[bucket]++
		g.handshakes++
		s.shaking = true
		return ""
	}
	// A flood must not fill the log.
	if now := g.now(); now.Sub(g.lastBusy) >= busyPause || now.Before(g.lastBusy) {
		g.lastBusy = now
		g.log.Warn("too many tunnels", "limit", string(over), "ip", s.address.String(), "open", len(g.sessions))
	}
	return over
}

// leave uncounts a connection.
func (g *Gateway) leave(s *session) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.sessions, s)
	bucket := ratelimit.Bucket(s.address)
	if g.byAddress[bucket]--; g.byAddress[bucket] <= 0 {
		delete(g.byAddress, bucket)
	}
	switch {
	case s.shaking:
		g.handshakes--
	default:
		g.tunnels--
		g.options.Metrics.TunnelClosed()
	}
}

// opened counts a connection as a tunnel.
func (g *Gateway) opened(s *session) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s.shaking = false
	g.handshakes--
	g.tunnels++
	g.options.Metrics.TunnelOpened(g.now().Sub(s.began))
}

// refuse ends a connection that there is no room for. A panic of it ends
// nothing else.
func (g *Gateway) refuse(conn net.Conn) {
	defer g.recovered(conn)
	select {
	case g.refusals <- struct{}{}:
		defer func() { <-g.refusals }()
		// A connection on which this does not work is closed all the same.
		_ = conn.SetDeadline(time.Now().Add(refuseTimeout))
		_ = tunnel.Refuse(conn, tunnel.AlertBusy)
	default: // a flood
	}
	_ = conn.Close()
	g.options.Metrics.TunnelEnded(labels[tunnel.AlertBusy])
}

// recovered ends a connection whose goroutine has panicked.
func (g *Gateway) recovered(conn net.Conn) {
	if p := recover(); p != nil {
		_ = conn.Close()
		g.log.Error("a tunnel has panicked", "panic", fmt.Sprint(p), "stack", stack())
		g.options.Metrics.TunnelEnded(labels[tunnel.AlertInternal])
	}
}

// Shutdown stops taking connections, and waits for those that are open. When
// ctx ends, the others are told that the server stops, and end; the error then
// is ctx's. Nothing is left when it returns.
func (g *Gateway) Shutdown(ctx context.Context) error {
	g.mu.Lock()
	g.stopped = true
	for ln := range g.serving {
		_ = ln.Close() // Serve sees it
	}
	g.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		g.group.Wait()
		close(ended)
	}()
	var err error
	select {
	case <-ended:
	case <-ctx.Done():
		err = ctx.Err()
	}
	g.abort()
	for first := true; ; first = false {
		select {
		case <-ended:
			g.staplers.Wait()
			return err
		case <-time.After(abortGrace):
		}
		if first {
			g.cut()
		}
	}
}

// cut closes the connections of those that did not end by themselves.
func (g *Gateway) cut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for s := range g.sessions {
		s.cut()
	}
}

// status asks whether a certificate is revoked.
func (g *Gateway) status(ctx context.Context, c, issuer *cert.Certificate) (revoked bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	s, err := g.options.Revocation.Status(ctx, c, issuer)
	switch {
	case err != nil:
		return false, err
	case s == nil:
		return false, errNoStatus
	case s.Status == ocsp.Revoked:
		return true, nil
	case s.Status == ocsp.Good && !s.ThisUpdate.IsZero():
		return false, nil
	}
	return false, errNoStatus
}

// addressOf is the address at the other end of a connection; the zero one for
// none of IP.
func addressOf(conn net.Conn) netip.Addr {
	a, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr().Unmap().WithZone("")
}
