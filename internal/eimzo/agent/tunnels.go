package agent

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"imzo/internal/eimzo/tunnel"
)

// Bounds of tunnels.
const (
	// unusedTunnel is how long a tunnel waits for its page, headTunnel how long
	// the head of a request may take.
	unusedTunnel = time.Minute
	headTunnel   = 10 * time.Second
	maxHead      = 16 << 10
	// maxStrangers is how many others a tunnel turns away before it closes.
	maxStrangers = 16
	// Tunnels that are being made, wait or are open.
	maxPageTunnels = 8
	maxTunnels     = 64
	// lingerTime is how long those who are turned away have to read why.
	lingerTime = time.Second
)

// tunnels counts those there are, by the Origin of their pages.
type tunnels struct {
	mu  sync.Mutex
	all int
	of  map[string]int
}

// take makes room for a tunnel of a page, if there is some.
func (t *tunnels) take(origin string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all >= maxTunnels || t.of[origin] >= maxPageTunnels {
		return false
	}
	if t.of == nil {
		t.of = map[string]int{}
	}
	t.all++
	t.of[origin]++
	return true
}

func (t *tunnels) give(origin string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all--
	if t.of[origin]--; t.of[origin] == 0 {
		delete(t.of, origin)
	}
}

// localTunnel is the way from a page to its tunnel: a port on 127.0.0.1 that
// passes one connection on, which must be a WebSocket of that page. Whoever else
// comes is turned away: other pages in the person's browser can reach the port
// too, and would speak in the person's name.
type localTunnel struct {
	agent       *Agent
	end         *tunnel.Conn
	origin      string // of the page
	domain      string
	destination uint64
	serial      string // of the certificate
	made        time.Time
	ln          *net.TCPListener
	others      sync.WaitGroup // who came to the port

	mu      sync.Mutex
	claimed bool // page is set for good
	page    net.Conn

	sent, received atomic.Int64
}

// errUnused and errStrangers are why a tunnel ends that its page never used.
var (
	errUnused    = errors.New("the page did not come")
	errStrangers = errors.New("too many others came")
)

// listen opens the port, and gives its address.
func (l *localTunnel) listen() (address string, err error) {
	l.ln, err = net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return "", err
	}
	return l.ln.Addr().String(), nil
}

// serve waits for the page and passes on what it and the server say, until one
// of them, or ctx, ends it.
func (l *localTunnel) serve(ctx context.Context) {
	defer l.others.Wait()
	page, err := l.admit(ctx)
	if err != nil {
		alert := tunnel.AlertIdle
		if ctx.Err() != nil {
			alert = tunnel.AlertStopping
		}
		_ = l.end.Abort(alert)
	} else {
		err = tunnel.Splice(ctx, l.end, page, tunnel.SpliceOptions{
			Sent:     func(n int) { l.sent.Add(int64(n)) },
			Received: func(n int) { l.received.Add(int64(n)) },
		})
	}
	l.report(err)
}

// report writes the end of a tunnel into the audit log.
func (l *localTunnel) report(err error) {
	status := 1
	if err != nil {
		status = codeOther
		l.agent.log.Info("a tunnel has ended", "domain", l.domain, "cause", err.Error())
	}
	l.agent.audit([]slog.Attr{
		slog.String("origin", l.origin), slog.String("function", "tunnel.end"), slog.Int("status", status), slog.String("serial", l.serial),
		slog.String("domain", l.domain), slog.Uint64("dst_id", l.destination),
		slog.Int64("sent", l.sent.Load()), slog.Int64("received", l.received.Load()), slog.Float64("seconds", time.Since(l.made).Round(time.Millisecond).Seconds()),
	})
}

// admit gives the first connection that is the page's, and closes the port.
func (l *localTunnel) admit(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, l.agent.unused, errUnused)
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	context.AfterFunc(ctx, func() { _ = l.ln.Close() })
	defer l.ln.Close()

	var strangers atomic.Int32
	for range maxStrangers + 1 {
		conn, err := l.ln.Accept()
		if err != nil {
			stop(err)
			break
		}
		l.others.Go(func() {
			head, status, err := l.read(ctx, conn)
			if err == nil && l.claim(&headedConn{conn, head}) {
				stop(nil)
				return
			}
			if err == nil || ctx.Err() != nil { // the tunnel has its page, or has ended
				_ = conn.Close()
				return
			}
			l.agent.log.Debug("a tunnel turns somebody away", "domain", l.domain, "cause", err.Error())
			if strangers.Add(1) == maxStrangers {
				stop(errStrangers)
			}
			turnAway(conn, status)
		})
	}
	<-ctx.Done()
	l.claim(nil) // nobody comes later
	if l.page == nil {
		return nil, context.Cause(ctx)
	}
	return l.page, nil
}

// claim makes a connection that of the page, if the tunnel still waits for it.
func (l *localTunnel) claim(page net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.claimed {
		return false
	}
	l.claimed, l.page = true, page
	return true
}

// read reads the head of a request, and what came with it, and judges whether it
// is the page's. status is the answer where it is not.
func (l *localTunnel) read(ctx context.Context, conn net.Conn) (head []byte, status int, err error) {
	_ = conn.SetReadDeadline(time.Now().Add(l.agent.head))
	cut := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	defer cut()
	buffer := make([]byte, maxHead)
	n := 0
	for {
		if n == len(buffer) {
			return nil, http.StatusBadRequest, errors.New("the head is too long")
		}
		k, err := conn.Read(buffer[n:])
		if i := bytes.Index(buffer[max(n-3, 0):n+k], []byte("\r\n\r\n")); i >= 0 {
			n, head = n+k, buffer[:max(n-3, 0)+i+4]
			break
		}
		n += k
		if err != nil {
			return nil, http.StatusBadRequest, err
		}
	}
	if status, err := l.judge(head); err != nil {
		return nil, status, err
	}
	if !cut() { // cut off meanwhile
		return nil, http.StatusForbidden, context.Cause(ctx)
	}
	_ = conn.SetReadDeadline(time.Time{})
	return buffer[:n], 0, nil
}

// judge tells whether the head of a request is that of a WebSocket of the page
// (RFC 6455 4.1). A browser lets no page say another Origin, nor another Host
// than that of the address it has.
func (l *localTunnel) judge(head []byte) (status int, err error) {
	if bytes.Count(head, []byte("\n")) != bytes.Count(head, []byte("\r\n")) || bytes.IndexByte(head, 0) >= 0 {
		return http.StatusBadRequest, errors.New("the head is malformed")
	}
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
	if err != nil {
		return http.StatusBadRequest, err
	}
	key := r.Header.Values("Sec-Websocket-Key")
	switch {
	case r.Method != http.MethodGet || r.ProtoMajor != 1 || r.ProtoMinor != 1 || !strings.HasPrefix(r.RequestURI, "/"),
		!websocket.IsWebSocketUpgrade(r) || r.Header.Get("Sec-Websocket-Version") != "13" || len(key) != 1 || key[0] == "",
		r.ContentLength != 0 || len(r.TransferEncoding) > 0:
		return http.StatusBadRequest, errors.New("this is no WebSocket")
	}
	port := l.ln.Addr().(*net.TCPAddr).Port
	if r.Host != fmt.Sprintf("127.0.0.1:%d", port) && r.Host != fmt.Sprintf("localhost:%d", port) || hostLines(head) != 1 {
		return http.StatusForbidden, errors.New("another host")
	}
	if from := r.Header.Values("Origin"); len(from) != 1 || from[0] != l.origin {
		return http.StatusForbidden, errors.New("another origin")
	}
	return 0, nil
}

// hostLines counts the Host lines of a head, of which the parser shows but one.
func hostLines(head []byte) (n int) {
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		if name, _, ok := bytes.Cut(line, []byte(":")); ok && strings.EqualFold(string(name), "Host") {
			n++
		}
	}
	return n
}

// turnAway answers a stranger.
func turnAway(conn net.Conn, status int) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(lingerTime))
	reason := http.StatusText(status)
	if _, err := fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", status, reason, len(reason), reason); err != nil {
		return
	}
	// A connection closed over what is still coming is reset, and the answer
	// lost.
	if tcp, ok := conn.(*net.TCPConn); ok && tcp.CloseWrite() == nil {
		_, _ = io.CopyN(io.Discard, conn, maxHead)
	}
}

// headedConn is a connection of which the head is read already.
type headedConn struct {
	net.Conn
	head []byte
}

func (c *headedConn) Read(b []byte) (int, error) {
	if len(c.head) == 0 {
		return c.Conn.Read(b)
	}
	n := copy(b, c.head)
	if c.head = c.head[n:]; len(c.head) == 0 {
		c.head = nil // its memory is not needed any more
	}
	return n, nil
}

// CloseWrite passes on that nothing more follows.
func (c *headedConn) CloseWrite() error { return c.Conn.(*net.TCPConn).CloseWrite() }
