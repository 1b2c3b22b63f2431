package httpx

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
)

// lenientListener accepts connections that are lenient about Host.
type lenientListener struct{ net.Listener }

func (l lenientListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	lenient := &lenientConn{Conn: c}
	lenient.atHead.Store(true)
	return lenient, nil
}

// lenientState tells a connection that the next octets begin a request.
func lenientState(c net.Conn, state http.ConnState) {
	if c, ok := c.(*lenientConn); ok && state == http.StateIdle {
		c.atHead.Store(true)
	}
}

type lenientKey struct{}

// lenientContext makes the connection known to lenientHandler.
func lenientContext(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, lenientKey{}, c)
}

// lenientHandler tells the connection that the head has been read. It has
// seen so itself, unless the head came together with the request before: then
// what it reads next is a body, which must pass as it is.
func lenientHandler(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(lenientKey{}).(*lenientConn); ok {
			c.atHead.Store(false)
		}
		h.ServeHTTP(w, r)
	})
}

// maxLenientHead is how much of a request is held back to look for its Host;
// a longer head passes as it is.
const maxLenientHead = 16 << 10

// lenientConn rewrites the Host of a request that net/http would refuse with
// 400 before any handler sees it. Clients of E-IMZO-SERVER put a whole URL
// there, or nothing, since their HTTP library asks for a header and the guide
// says "the domain". The host of a URL replaces the URL; anything else
// becomes the empty host. Two Host headers stay and are refused (RFC 9112
// 3.2).
//
// It looks only at what begins a request. A request that a client sends
// before it has the answer to the one before is passed as it is.
type lenientConn struct {
	net.Conn
	atHead atomic.Bool // net/http reads ahead while a handler runs
	held   []byte      // read from Conn, not yet by the server
}

func (c *lenientConn) Read(p []byte) (int, error) {
	if len(c.held) > 0 {
		n := copy(p, c.held)
		c.held = c.held[n:]
		return n, nil
	}
	if !c.atHead.Load() || len(p) == 0 {
		return c.Conn.Read(p)
	}
	n, err := c.Conn.Read(p)
	if n == 0 {
		return n, err
	}
	head := p[:n]
	if end := headEnd(head); end >= 0 {
		c.atHead.Store(false)
		fixed := fixHost(head[:end])
		if fixed == nil {
			return n, err
		}
		head = append(fixed, head[end:]...)
	} else if err == nil {
		head = c.rest(bytes.Clone(head))
	}
	n = copy(p, head)
	c.held = head[n:]
	return n, nil // the connection repeats its error
}

// rest reads on to the end of the head.
func (c *lenientConn) rest(head []byte) []byte {
	piece := make([]byte, 4<<10)
	for {
		n, err := c.Conn.Read(piece)
		head = append(head, piece[:n]...)
		if end := headEnd(head); end >= 0 {
			c.atHead.Store(false)
			if fixed := fixHost(head[:end]); fixed != nil {
				return append(fixed, head[end:]...)
			}
			return head
		}
		if err != nil || len(head) > maxLenientHead {
			c.atHead.Store(false)
			return head
		}
	}
}

// headEnd returns the offset after the empty line that ends a head, or -1.
func headEnd(b []byte) int {
	for i, c := range b {
		if c != '\n' {
			continue
		}
		if i+1 < len(b) && b[i+1] == '\n' {
			return i + 2
		}
		if i+2 < len(b) && b[i+1] == '\r' && b[i+2] == '\n' {
			return i + 3
		}
	}
	return -1
}

// fixHost returns head with a Host that net/http takes, or nil when it needs
// no fixing.
func fixHost(head []byte) []byte {
	requestLine, fields, _ := bytes.Cut(head, []byte("\n"))
	if !bytes.HasSuffix(bytes.TrimRight(requestLine, "\r"), []byte(" HTTP/1.1")) {
		return nil // 1.0 may go without, and 2 has none
	}
	var line, value []byte
	at, end := 0, len(requestLine)+1 // where line begins; where field ends
	for field := range bytes.Lines(fields) {
		end += len(field)
		name, rest, _ := bytes.Cut(field, []byte(":"))
		if !bytes.EqualFold(name, []byte("Host")) {
			continue
		}
		if line != nil {
			return nil // two of them
		}
		line, value, at = field, bytes.TrimSpace(rest), end-len(field)
	}
	if line == nil {
		return append(append(bytes.Clone(requestLine), "\nHost:\r\n"...), fields...)
	}
	if validHost(value) {
		return nil
	}
	host := ""
	if u, err := url.Parse(string(value)); err == nil && validHost([]byte(u.Host)) {
		host = u.Host
	}
	fixed := append(bytes.Clone(head[:at]), "Host: "+host+"\r\n"...)
	return append(fixed, head[at+len(line):]...)
}

// validHost tells whether net/http takes a Host: it looks at the characters
// only (RFC 3986 3.2.2).
func validHost(host []byte) bool {
	for _, c := range host {
		if c <= ' ' || c >= 0x7f || bytes.IndexByte([]byte(`"#/<>?@\^`+"`{|}"), c) >= 0 {
			return false
		}
	}
	return true
}
