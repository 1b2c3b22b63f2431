// Package faultproxy stands between a program and a service in tests, and
// fails as networks do: slow, mute, refusing, or cut off in mid-command.
//
//	proxy := faultproxy.New(t, redis.Addr())
//	store := open(proxy.Addr())
//	proxy.CutAfter(faultproxy.ToClient, 3) // three octets of the next answer arrive
package faultproxy

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// Direction is a way through the proxy.
type Direction int

// The two directions: from clients to the service, and back.
const (
	ToServer Direction = iota
	ToClient
)

// mode is how the proxy treats connections.
type mode struct {
	refuse, swallow bool
	delay           time.Duration
	// cut closes a connection once so many octets have passed in its
	// direction since the mode began; negative is never.
	cut [2]int
}

var passing = mode{cut: [2]int{-1, -1}}

// Proxy passes TCP connections on to one address, until it is told otherwise.
// What it is told holds for the connections that are open, too.
type Proxy struct {
	target string
	ln     net.Listener
	work   sync.WaitGroup

	mu     sync.Mutex
	mode   mode
	seen   [2]int // octets in each direction since the mode began
	open   map[net.Conn]struct{}
	closed bool
}

// New starts a proxy before target, which ends with the test.
func New(t testing.TB, target string) *Proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{target: target, ln: ln, mode: passing, open: map[net.Conn]struct{}{}}
	p.work.Go(p.accept)
	t.Cleanup(func() {
		_ = ln.Close()
		p.mu.Lock()
		p.closed = true
		p.closeAll()
		p.mu.Unlock()
		p.work.Wait()
	})
	return p
}

// Addr is where the proxy listens, as host:port.
func (p *Proxy) Addr() string { return p.ln.Addr().String() }

// Pass passes everything, at once.
func (p *Proxy) Pass() { p.set(passing) }

// Delay passes every piece after d.
func (p *Proxy) Delay(d time.Duration) {
	m := passing
	m.delay = d
	p.set(m)
}

// Swallow takes everything and passes nothing, so that whoever waits, waits.
func (p *Proxy) Swallow() {
	m := passing
	m.swallow = true
	p.set(m)
}

// Refuse closes the open connections, and every new one as it comes.
func (p *Proxy) Refuse() {
	m := passing
	m.refuse = true
	p.set(m)
	p.Cut()
}

// Cut closes the open connections.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closeAll()
}

// CutAfter lets n more octets pass in a direction, over all connections, and
// then resets the one that they passed on; others pass on.
func (p *Proxy) CutAfter(d Direction, n int) {
	m := passing
	m.cut[d] = n
	p.set(m)
}

// Seen tells how many octets have come for a direction since the last change,
// whether they went on or not.
func (p *Proxy) Seen(d Direction) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen[d]
}

func (p *Proxy) set(m mode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode, p.seen = m, [2]int{}
}

func (p *Proxy) closeAll() {
	for c := range p.open {
		reset(c)
	}
}

// reset closes a connection so that the other end sees it break.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

func (p *Proxy) accept() {
	for {
		client, err := p.ln.Accept()
		if err != nil {
			return
		}
		p.work.Go(func() { p.serve(client) })
	}
}

// keep remembers a connection unless it must not be.
func (p *Proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.mode.refuse {
		return false
	}
	p.open[c] = struct{}{}
	return true
}

func (p *Proxy) serve(client net.Conn) {
	if !p.keep(client) {
		reset(client)
		return
	}
	server, err := net.DialTimeout("tcp", p.target, 5*time.Second)
	if err != nil || !p.keep(server) {
		if err == nil {
			reset(server)
		}
		p.drop(client)
		return
	}
	var both sync.WaitGroup
	both.Go(func() { p.pipe(ToServer, client, server) })
	both.Go(func() { p.pipe(ToClient, server, client) })
	both.Wait()
	p.drop(client, server)
}

func (p *Proxy) drop(connections ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range connections {
		reset(c)
		delete(p.open, c)
	}
}

var errCut = errors.New("cut")

// pipe passes octets until an end; then the other direction ends too.
func (p *Proxy) pipe(d Direction, from, to net.Conn) {
	defer reset(from)
	defer reset(to)
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if err := p.pass(d, to, buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (p *Proxy) pass(d Direction, to io.Writer, b []byte) error {
	p.mu.Lock()
	m := p.mode
	before := p.seen[d]
	p.seen[d] += len(b)
	over := m.cut[d] >= 0 && p.seen[d] > m.cut[d]
	if over {
		b = b[:m.cut[d]-before]
		p.mode.cut[d] = -1
	}
	p.mu.Unlock()
	if m.swallow {
		return nil
	}
	time.Sleep(m.delay)
	_, err := to.Write(b)
	if over {
		return errCut
	}
	return err
}
