package trustlink

import (
	"context"
	"crypto/tls"
	"net"
	"sync/atomic"
)

// dialError is why a connection did not come about.
type dialError struct{ err error }

// Error gives the cause.
func (e *dialError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *dialError) Unwrap() error { return e.err }

// conn is a connection that the link knows of.
type conn struct {
	net.Conn
	link   *Link
	closed atomic.Bool
}

// Read tells the link when the other end is gone.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil && !c.closed.Load() {
		signal(c.link.lost)
	}
	return n, err
}

// Close lets the link forget the connection.
func (c *conn) Close() error {
	c.closed.Store(true)
	c.link.mu.Lock()
	delete(c.link.conns, c)
	c.link.mu.Unlock()
	return c.Conn.Close()
}

// dialer returns a function that connects to the other end, whatever address
// it is asked for. With a config it makes the connection one of TLS, which
// the transport takes as any other.
func (l *Link) dialer(config *tls.Config) func(context.Context, string, string) (net.Conn, error) {
	// The system finds out that the other end is gone, too, also on
	// connections that no ping goes over.
	d := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{
		Enable:   true,
		Idle:     l.options.KeepAlive,
		Interval: l.options.KeepAliveTimeout / 4,
		Count:    4,
	}}
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, connectTimeout)
		defer cancel()
		raw, err := d.DialContext(ctx, "tcp", l.address)
		if err != nil {
			return nil, &dialError{err}
		}
		c := &conn{Conn: raw, link: l}
		l.mu.Lock()
		l.conns[c] = struct{}{}
		l.mu.Unlock()
		if config == nil {
			return c, nil
		}
		secure := tls.Client(c, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = c.Close()
			return nil, &dialError{err}
		}
		return secure, nil
	}
}

// closeAll ends all connections, and the requests on them.
func (l *Link) closeAll() {
	l.mu.Lock()
	open := make([]*conn, 0, len(l.conns))
	for c := range l.conns {
		open = append(open, c)
	}
	l.mu.Unlock()
	for _, c := range open {
		_ = c.Close() // gone anyway
	}
}
