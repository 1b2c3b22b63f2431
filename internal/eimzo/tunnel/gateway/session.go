package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"imzo/internal/eimzo/tunnel"
	"imzo/pki/cert"
)

// session is one connection of an agent, from its handshake to its end.
type session struct {
	gateway *Gateway
	conn    net.Conn
	address netip.Addr
	began   time.Time
	shaking bool // guarded by the gateway's mu

	mu          sync.Mutex
	domain      string // as the agent has asked
	peer        tunnel.Peer
	claimed     *cert.Certificate // the user's, which may be another's
	destination net.Conn
	ended       bool // nothing may be opened any more

	sent, received atomic.Int64
}

// run serves the connection to its end, and writes its line.
func (s *session) run() {
	defer s.cut()
	defer s.gateway.recovered(s.conn)
	err := s.serve()
	result := outcome(err)
	s.gateway.options.Metrics.TunnelEnded(result)
	s.log(result, err)
}

func (s *session) serve() error {
	g := s.gateway
	state := g.state.Load()
	t, peer, err := tunnel.Server(g.ctx, s.conn, tunnel.ServerConfig{
		Identity: func(_ context.Context, domain string) (*tunnel.Identity, error) {
			s.note(domain)
			d := find(state.Domains, domain, g.now())
			if d == nil {
				return nil, nil
			}
			return d.identity(g.now()), nil
		},
		Trust: tunnel.Trust{Anchors: state.Anchors, Status: func(ctx context.Context, c, issuer *cert.Certificate) (bool, error) {
			s.claim(c)
			return g.status(ctx, c, issuer)
		}},
		Connect: func(ctx context.Context, p tunnel.Peer) error { return s.connect(ctx, state, p) },
		Rand:    g.options.Rand,
		Now:     g.now,
		Timeout: g.options.HandshakeTimeout,
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.peer = peer
	destination := s.destination
	s.mu.Unlock()
	g.opened(s)
	return tunnel.Splice(g.ctx, t, destination, tunnel.SpliceOptions{
		Idle: g.options.Idle,
		Sent: func(n int) {
			s.sent.Add(int64(n))
			g.options.Metrics.TunnelSent(n)
		},
		Received: func(n int) {
			s.received.Add(int64(n))
			g.options.Metrics.TunnelReceived(n)
		},
	})
}

func (s *session) note(domain string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.domain = domain
}

// claim remembers the first certificate whose status is asked, for the log.
func (s *session) claim(c *cert.Certificate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.claimed == nil {
		s.claimed = c
	}
}

// connect connects to the destination that a verified user has asked for.
func (s *session) connect(ctx context.Context, state *State, p tunnel.Peer) error {
	s.mu.Lock()
	s.peer = p
	s.mu.Unlock()
	address, ok := state.Destinations[p.Destination]
	if !ok {
		return &tunnel.Error{Alert: tunnel.AlertDestination}
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	c, err := s.gateway.options.Dial(ctx, "tcp", address)
	if err != nil {
		return &tunnel.Error{Alert: tunnel.AlertUnreachable, Err: err}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		_ = c.Close() // nobody is there any more
		return context.Canceled
	}
	s.destination = c
	return nil
}

// cut closes both connections. Their errors tell nothing: both may be closed.
func (s *session) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	_ = s.conn.Close()
	if s.destination != nil {
		_ = s.destination.Close()
	}
}

// log writes the line of the connection. What went through it stays out.
func (s *session) log(result string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	attrs := []slog.Attr{
		slog.String("ip", s.address.String()),
		slog.String("domain", clip(s.domain)),
		slog.String("result", result),
	}
	level := slog.LevelInfo
	if c := s.peer.Certificate; c != nil {
		attrs = append(attrs,
			slog.Int("destination", int(s.peer.Destination)),
			slog.String("serial", clip(c.SerialHex())),
			slog.String("user", clip(c.Subject.Get("CN"))))
	}
	if s.peer.Certificate == nil && s.claimed != nil {
		// Its issuer is trusted, and it need not be that of who has sent it.
		attrs = append(attrs, slog.String("claimedSerial", clip(s.claimed.SerialHex())), slog.String("claimedUser", clip(s.claimed.Subject.Get("CN"))))
	}
	attrs = append(attrs,
		slog.Int64("sent", s.sent.Load()),
		slog.Int64("received", s.received.Load()),
		slog.Duration("duration", s.gateway.now().Sub(s.began).Round(time.Millisecond)))
	if err != nil {
		attrs = append(attrs, slog.String("reason", clip(err.Error())))
		if result == labels[tunnel.AlertUnreachable] || result == labels[tunnel.AlertStatus] || result == labels[tunnel.AlertInternal] {
			level = slog.LevelWarn // something here, or that we depend on, is not well
		}
	}
	s.gateway.log.LogAttrs(context.Background(), level, "tunnel", attrs...)
}

// What an agent says of itself must not fill the log.
const maxLogged = 300

func clip(text string) string {
	if len(text) <= maxLogged {
		return text
	}
	return strings.ToValidUTF8(text[:maxLogged], "") + "..."
}

// labels are the alerts as words for metrics and logs.
var labels = map[tunnel.Alert]string{
	tunnel.AlertInternal:    "internal",
	tunnel.AlertProtocol:    "protocol",
	tunnel.AlertVersion:     "version",
	tunnel.AlertSuite:       "suite",
	tunnel.AlertRecord:      "record",
	tunnel.AlertDomain:      "domain",
	tunnel.AlertUntrusted:   "untrusted",
	tunnel.AlertExpired:     "expired",
	tunnel.AlertRevoked:     "revoked",
	tunnel.AlertStatus:      "status",
	tunnel.AlertName:        "name",
	tunnel.AlertProof:       "proof",
	tunnel.AlertDestination: "destination",
	tunnel.AlertUnreachable: "unreachable",
	tunnel.AlertBusy:        "busy",
	tunnel.AlertTimeout:     "timeout",
	tunnel.AlertIdle:        "idle",
	tunnel.AlertStopping:    "stopping",
	tunnel.AlertAborted:     "aborted",
}

// outcome says in a word what came of a connection.
func outcome(err error) string {
	var e *tunnel.Error
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &e) && e.Remote:
		return "agent" // it said so; the log has what
	case errors.As(err, &e) && labels[e.Alert] != "":
		return labels[e.Alert]
	case errors.Is(err, tunnel.ErrTruncated):
		return "truncated"
	case errors.Is(err, context.Canceled):
		return labels[tunnel.AlertStopping]
	case errors.Is(err, context.DeadlineExceeded):
		return labels[tunnel.AlertTimeout]
	}
	return "network"
}

func stack() string { return string(debug.Stack()) }
