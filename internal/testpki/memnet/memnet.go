// Package memnet is a network in memory for tests of what must not depend on
// its peers: hosts that answer, and hosts that fail in every way a peer can.
//
//	synctest.Test(t, func(t *testing.T) {
//		n := memnet.New(t)
//		n.Serve("good.example", handler)
//		memnet.Faults()[0].Install(n, "bad.example")
//		res, err := n.Client().Get("http://good.example/")
//	})
//
// Its connections are pipes, so that in a bubble of testing/synctest time-outs
// of minutes take no time and are exact. The package is for test files only.
package memnet

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"
)

// connectTimeout is that of the dialer.
const connectTimeout = 3 * time.Second

// Network has hosts by name. Hosts that were never set up refuse connections.
type Network struct {
	t      testing.TB
	ctx    context.Context // ends with the test
	client *http.Client

	mu    sync.Mutex
	hosts map[string]*host
	conns sync.WaitGroup
}

// host is how connections to it go.
type host struct {
	dial  func(context.Context) (net.Conn, error)
	close func()
	calls int
}

// New returns a network that lasts as long as the test.
func New(t testing.TB) *Network {
	ctx, cancel := context.WithCancel(context.Background())
	n := &Network{t: t, ctx: ctx, hosts: make(map[string]*host)}
	n.client = &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{DialContext: n.dial, MaxResponseHeaderBytes: 64 << 10, MaxIdleConnsPerHost: 32},
	}
	t.Cleanup(func() {
		n.client.CloseIdleConnections()
		cancel()
		n.mu.Lock()
		for _, h := range n.hosts {
			h.close()
		}
		n.mu.Unlock()
		n.conns.Wait()
	})
	return n
}

// Client returns a client whose connections go through the network.
func (n *Network) Client() *http.Client { return n.client }

// Calls returns how many connections to a host were tried since it was set up.
func (n *Network) Calls(name string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	if h := n.hosts[name]; h != nil {
		return h.calls
	}
	return 0
}

func (n *Network) dial(ctx context.Context, _, address string) (net.Conn, error) {
	name, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	h := n.hosts[name]
	if h != nil {
		h.calls++
	}
	n.mu.Unlock()
	if h == nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	return h.dial(ctx)
}

// set replaces a host. Connections that are idle do not reach the old one any
// more.
func (n *Network) set(name string, h *host) {
	n.mu.Lock()
	old := n.hosts[name]
	n.hosts[name] = h
	n.mu.Unlock()
	if old != nil {
		old.close()
	}
	n.client.CloseIdleConnections()
}

// Serve makes a host an HTTP server.
func (n *Network) Serve(name string, h http.Handler) {
	l := &listener{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: h}
	n.conns.Go(func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			n.t.Errorf("serving %s: %v", name, err)
		}
	})
	n.set(name, &host{dial: l.dial, close: func() { server.Close() }})
}

// Raw makes a host do with every connection what it likes. The connection is
// closed when f returns, and at the end of the test.
func (n *Network) Raw(name string, f func(net.Conn)) {
	n.set(name, &host{close: func() {}, dial: func(context.Context) (net.Conn, error) {
		ours, theirs := net.Pipe()
		n.conns.Go(func() {
			stop := context.AfterFunc(n.ctx, func() { theirs.Close() })
			defer stop()
			defer theirs.Close()
			f(theirs)
		})
		return ours, nil
	}})
}

// BlackHole makes a host take no notice of anybody.
func (n *Network) BlackHole(name string) {
	n.set(name, &host{close: func() {}, dial: func(ctx context.Context) (net.Conn, error) {
		<-ctx.Done()
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: ctx.Err()}
	}})
}

// Refuse makes a host refuse connections.
func (n *Network) Refuse(name string) {
	n.set(name, &host{close: func() {}, dial: func(context.Context) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}})
}

// listener hands pipes to a server.
type listener struct {
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (l *listener) dial(ctx context.Context) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-l.closed:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *listener) Addr() net.Addr { return &net.TCPAddr{} }

// Fault is a way in which a host fails to answer.
type Fault struct {
	Name string
	// Install makes a host fail. media is the type that its answers say they
	// are of.
	Install func(n *Network, name, media string)
}

// Faults returns the faults that have nothing to do with what is asked.
func Faults() []Fault {
	reply := func(write func(http.ResponseWriter, *http.Request)) func(*Network, string, string) {
		return func(n *Network, name, media string) {
			n.Serve(name, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				w.Header().Set("Content-Type", media)
				write(w, r)
			}))
		}
	}
	raw := func(write func(c net.Conn, media string)) func(*Network, string, string) {
		return func(n *Network, name, media string) {
			n.Raw(name, func(c net.Conn) {
				if _, err := c.Read(make([]byte, 1)); err != nil {
					return
				}
				// The rest of the request comes in, whatever goes out.
				go func() { _, _ = io.Copy(io.Discard, c) }()
				write(c, media)
			})
		}
	}
	status := func(code int) func(*Network, string, string) {
		return reply(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
	}
	garbage := bytes.Repeat([]byte("no DER at all "), 1000)
	return []Fault{
		{"refused", func(n *Network, name, _ string) { n.Refuse(name) }},
		{"black hole", func(n *Network, name, _ string) { n.BlackHole(name) }},
		{"never reads", func(n *Network, name, _ string) {
			n.Raw(name, func(net.Conn) { <-n.ctx.Done() })
		}},
		{"silent", reply(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })},
		{"hangs up", raw(func(net.Conn, string) {})},
		{"slow headers", raw(func(c net.Conn, _ string) {
			drip(c, []byte("HTTP/1.1 200 OK\r\nX-Slow: "+string(bytes.Repeat([]byte("x"), 100_000))))
		})},
		{"endless headers", raw(func(c net.Conn, _ string) {
			if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\n"); err != nil {
				return
			}
			for {
				if _, err := io.WriteString(c, "X-More: of the same\r\n"); err != nil {
					return
				}
			}
		})},
		{"endless interim answers", raw(func(c net.Conn, _ string) {
			for {
				if _, err := io.WriteString(c, "HTTP/1.1 103 Early Hints\r\n\r\n"); err != nil {
					return
				}
			}
		})},
		{"slow body", raw(func(c net.Conn, media string) {
			if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: "+media+"\r\nContent-Length: 100000\r\n\r\n"); err != nil {
				return
			}
			drip(c, make([]byte, 100_000))
		})},
		{"one octet and no more", reply(func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte{0x30})
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		})},
		{"endless body", reply(func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := w.Write(garbage); err != nil {
					return
				}
			}
		})},
		{"compressed, it says", reply(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(garbage)
		})},
		{"cut short", reply(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100000")
			_, _ = w.Write(garbage[:100])
		})},
		{"garbage", reply(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(garbage) })},
		{"empty", reply(func(http.ResponseWriter, *http.Request) {})},
		{"no HTTP", raw(func(c net.Conn, _ string) { _, _ = io.WriteString(c, "220 mail.example ESMTP\r\n") })},
		{"a web page", func(n *Network, name, _ string) {
			n.Serve(name, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }))
		}},
		{"HTTP 500", status(http.StatusInternalServerError)},
		{"HTTP 503", status(http.StatusServiceUnavailable)},
		{"HTTP 404", status(http.StatusNotFound)},
		{"HTTP 429", status(http.StatusTooManyRequests)},
		{"HTTP 204", status(http.StatusNoContent)},
		{"a redirect to itself", reply(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://"+r.Host+"/", http.StatusTemporaryRedirect)
		})},
	}
}

// drip sends octets slowly enough to keep any time-out between two of them from
// running out.
func drip(c net.Conn, octets []byte) {
	for i := range octets {
		if _, err := c.Write(octets[i : i+1]); err != nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}
