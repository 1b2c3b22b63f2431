package agent

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"imzo/internal/eimzo/agent/origin"
)

// SocketPath is where pages open their sockets.
const SocketPath = "/service/cryptapi"

// Bounds of sockets.
const (
	// maxMessage is the largest message: a document of 32 MiB in base64 and
	// what else is said.
	maxMessage = 64 << 20
	// messageCost is how much memory a message takes beside its own length
	// while it is worked on: as JSON, as arguments and decoded.
	messageCost = 3
	// idleMessage is how long a message may stand still, wholeMessage how
	// long it may take.
	idleMessage  = 30 * time.Second
	wholeMessage = 5 * time.Minute
	// pingEvery keeps an open socket alive; one that does not answer in twice
	// the time is gone.
	pingEvery = 30 * time.Second
	// closeWait is how long the other side has to close.
	closeWait = 5 * time.Second
	// writeWait bounds each write.
	writeWait = 30 * time.Second
)

// DefaultMemory bounds all messages together.
const DefaultMemory = 1 << 30

// budget is memory that messages share. One page gets half of it at most, which
// is two of the largest messages, so that it cannot keep others from calling.
type budget struct {
	all, free atomic.Int64

	mu    sync.Mutex
	taken map[string]int64 // by Origin
}

func (b *budget) set(n int64) {
	b.all.Store(n)
	b.free.Store(n)
}

func (b *budget) take(origin string, n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.taken[origin]+n > b.all.Load()/2 || b.free.Load() < n {
		return false
	}
	if b.taken == nil {
		b.taken = map[string]int64{}
	}
	b.taken[origin] += n
	b.free.Add(-n)
	return true
}

func (b *budget) give(origin string, n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.free.Add(n)
	if b.taken[origin] -= n; b.taken[origin] <= 0 {
		delete(b.taken, origin)
	}
}

// upgrader takes every origin: what a page may do is decided call by call, as
// pages without a key may bring one. Compression would let a small message
// become a large one.
var upgrader = websocket.Upgrader{
	HandshakeTimeout: 10 * time.Second,
	ReadBufferSize:   4 << 10,
	WriteBufferSize:  4 << 10,
	CheckOrigin:      func(*http.Request) bool { return true },
}

// errTooMuch tells that there is no memory for a message now.
var errTooMuch = errors.New("too many large messages at once")

// socket is one connection of a page.
type socket struct {
	agent *Agent
	conn  *websocket.Conn
	from  Caller
	write sync.Mutex
	cut   bool // a message was broken off; of read
}

// message is what a page has sent, and the memory taken for it.
type message struct {
	data []byte
	cost int64
}

// serveSocket answers the calls of one socket: one and then "Done", or with
// ?keepConnection as many as come.
func (a *Agent) serveSocket(w http.ResponseWriter, r *http.Request) {
	if !websocket.IsWebSocketUpgrade(r) {
		notFound(w)
		return
	}
	header := r.Header.Get("Origin")
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // it has answered
	}
	defer conn.Close()
	a.sockets.Add(1)
	defer a.sockets.Done()
	s := &socket{agent: a, conn: conn, from: Caller{header, origin.Domain(header)}}
	conn.SetReadLimit(maxMessage)
	conn.SetCloseHandler(s.closed)
	_, keep := r.URL.Query()["keepConnection"]

	ctx, cancel := a.running(r.Context())
	defer cancel()
	messages := make(chan message)
	reading := make(chan struct{})
	go func() {
		defer close(reading)
		defer cancel() // a page that is gone needs no answer
		s.read(ctx, messages, keep)
	}()
	s.serve(ctx, messages, keep)
	cancel()
	_ = conn.SetReadDeadline(time.Now().Add(closeWait))
	<-reading
	if s.cut {
		// What a page is still sending is thrown away: a connection closed
		// over it is reset, and the page would not learn why.
		_ = conn.SetReadDeadline(time.Now().Add(closeWait))
		_, _ = io.CopyN(io.Discard, conn.NetConn(), 2*maxMessage)
	}
}

// serve answers messages until there are no more.
func (s *socket) serve(ctx context.Context, messages <-chan message, keep bool) {
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for {
		select {
		case <-ctx.Done():
			if s.agent.stopping() {
				s.close(websocket.CloseGoingAway, "")
			}
			return
		case <-ping.C:
			_ = s.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeWait))
		case m := <-messages:
			reply := s.agent.answer(ctx, s.from, m.data)
			s.agent.memory.give(s.from.Origin, m.cost)
			if err := s.send(reply); err != nil {
				return
			}
			if !keep {
				s.close(websocket.CloseNormalClosure, "Done")
				return
			}
		}
	}
}

// read takes messages off the socket, one at a time, until it ends.
func (s *socket) read(ctx context.Context, messages chan<- message, keep bool) {
	for first := true; ; first = false {
		// An open socket may wait for its next call as long as it answers
		// pings; the first call, and others, come at once.
		m, err := s.next(first && !keep)
		if err != nil {
			s.agent.memory.give(s.from.Origin, m.cost)
			s.cut = errors.Is(err, errTooMuch) || errors.Is(err, websocket.ErrReadLimit)
			if errors.Is(err, errTooMuch) {
				s.close(websocket.CloseTryAgainLater, "try again later")
			}
			return
		}
		if m.data == nil {
			continue // binary ones are passed over
		}
		select {
		case messages <- m:
		case <-ctx.Done():
			s.agent.memory.give(s.from.Origin, m.cost) // only the close is still to come
		}
	}
}

// next reads one message; one without data was binary. The memory taken is the
// caller's to give back, also after an error.
func (s *socket) next(soon bool) (m message, err error) {
	patience := 2*pingEvery + s.agent.idle
	if soon {
		patience = s.agent.idle
	}
	alive := func(string) error { return s.conn.SetReadDeadline(time.Now().Add(patience)) }
	s.conn.SetPongHandler(alive)
	_ = alive("")
	kind, r, err := s.conn.NextReader()
	if err != nil {
		return m, err
	}
	end := time.Now().Add(s.agent.whole)
	chunk := make([]byte, 32<<10)
	for {
		at := time.Now().Add(s.agent.idle)
		if at.After(end) {
			at = end
		}
		_ = s.conn.SetReadDeadline(at)
		n, err := r.Read(chunk)
		if n > 0 && kind == websocket.TextMessage {
			cost := int64(n) * (1 + messageCost)
			if !s.agent.memory.take(s.from.Origin, cost) {
				return m, errTooMuch
			}
			m.cost += cost
			m.data = append(m.data, chunk[:n]...)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return m, err
		}
	}
	if kind == websocket.TextMessage && m.data == nil {
		m.data = []byte{}
	}
	return m, nil
}

func (s *socket) send(reply []byte) error {
	s.write.Lock()
	defer s.write.Unlock()
	_ = s.conn.SetWriteDeadline(time.Now().Add(writeWait))
	return s.conn.WriteMessage(websocket.TextMessage, reply)
}

func (s *socket) close(code int, reason string) {
	_ = s.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason), time.Now().Add(writeWait))
}

// closed answers the close of a page. Without a status it is answered with
// 1000: e-imzo.js takes every other for an error, and closes so itself.
func (s *socket) closed(code int, _ string) error {
	if code == websocket.CloseNoStatusReceived {
		code = websocket.CloseNormalClosure
	}
	s.close(code, "")
	return nil
}

// loopbackHost tells whether a Host header names this computer: a page whose
// name somebody has pointed here must not reach us (DNS rebinding).
func loopbackHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if len(host) > 2 && host[0] == '[' && host[len(host)-1] == ']' {
		host = host[1 : len(host)-1]
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
