package server

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"imzo/bench/internal/figures"
)

// The load generator is closed, but for polling (polling.go): each connection sends a request, waits for the
// answer and sends the next. It shares the cores with the server, so it does
// as little as it can: requests are made beforehand, and of an answer it reads
// the length, the body and the status in it.

// answerTimeout is more than any answer takes.
const answerTimeout = 30 * time.Second

// step is one exchange over a connection: it returns how long the answer took
// that is measured. n counts the steps of the connection.
type step func(c *connection, n int) (time.Duration, error)

// load is what came of a run.
type load struct {
	took      time.Duration
	latencies figures.Latencies // sorted
}

// perSecond returns the answers a second.
func (l load) perSecond() float64 { return float64(len(l.latencies)) / l.took.Seconds() }

// run keeps so many connections to an address busy for a time. The first
// answer that is an error ends it: a server under a load it does not take has
// no figures.
func run(parent context.Context, address string, connections int, d time.Duration, do step) (load, error) {
	var (
		mu    sync.Mutex
		all   load
		fault error
		group sync.WaitGroup
	)
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	opened := make([]*connection, connections)
	for i := range opened {
		c, err := dial(ctx, address)
		if err != nil {
			return load{}, err
		}
		defer c.close()
		c.number = i
		opened[i] = c
	}
	began := time.Now()
	end := began.Add(d)
	for _, c := range opened {
		group.Go(func() {
			var mine figures.Latencies
			var err error
			for n := 0; ctx.Err() == nil && time.Now().Before(end); n++ {
				var took time.Duration
				if took, err = do(c, n); err != nil {
					cancel()
					break
				}
				mine = append(mine, took)
			}
			mu.Lock()
			defer mu.Unlock()
			all.latencies = append(all.latencies, mine...)
			if fault == nil && err != nil {
				fault = err
			}
		})
	}
	group.Wait()
	all.took = time.Since(began)
	if fault == nil {
		fault = parent.Err()
	}
	if fault != nil {
		return load{}, fault
	}
	all.latencies.Sort()
	return all, nil
}

// connection is one to a server of HTTP/1.1 that is kept.
type connection struct {
	number int
	conn   net.Conn
	in     *bufio.Reader
	body   []byte // of the last answer
}

func dial(ctx context.Context, address string) (*connection, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &connection{conn: conn, in: bufio.NewReaderSize(conn, 16<<10)}, nil
}

func (c *connection) close() { _ = c.conn.Close() }

// request makes the bytes of a request.
func request(method, path string, body []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n", method, path)
	if method == "POST" {
		fmt.Fprintf(&b, "Content-Type: text/plain\r\nContent-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n")
	b.Write(body)
	return b.Bytes()
}

// good is what every answer must have: 200, and the status of the guide.
var good = []byte(`"status":1,`)

// ask sends a request and reads the answer, which must be good, and returns how
// long that took.
func (c *connection) ask(request []byte) (time.Duration, error) { return c.exchange(request, good) }

// exchange is ask for an answer that must have something else.
func (c *connection) exchange(request, want []byte) (time.Duration, error) {
	began := time.Now()
	if err := c.conn.SetDeadline(began.Add(answerTimeout)); err != nil {
		return 0, err
	}
	if _, err := c.conn.Write(request); err != nil {
		return 0, err
	}
	code, err := c.readAnswer()
	took := time.Since(began)
	if err == nil && (code != 200 || !bytes.Contains(c.body, want)) {
		err = fmt.Errorf("HTTP %d: %.300s", code, c.body)
	}
	return took, err
}

var errAnswer = errors.New("not an answer of HTTP/1.1 over a kept connection")

// readAnswer reads head and body of an answer.
func (c *connection) readAnswer() (code int, err error) {
	line, err := c.line()
	if err != nil {
		return 0, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, fmt.Errorf("%w: %.100q", errAnswer, line)
	}
	if code, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, fmt.Errorf("%w: %.100q", errAnswer, line)
	}
	length, chunked := -1, false
	for {
		if line, err = c.line(); err != nil {
			return 0, err
		}
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil || length < 0 {
				return 0, fmt.Errorf("%w: length %q", errAnswer, value)
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = bytes.EqualFold(value, []byte("chunked"))
		}
	}
	c.body = c.body[:0]
	switch {
	case chunked:
		return code, c.readChunks()
	case length < 0:
		return 0, fmt.Errorf("%w: no length", errAnswer)
	}
	return code, c.more(length)
}

// readChunks reads a body in chunks (RFC 9112 7.1).
func (c *connection) readChunks() error {
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		size, _, _ := bytes.Cut(line, []byte(";"))
		n, err := strconv.ParseUint(string(bytes.TrimSpace(size)), 16, 31)
		if err != nil {
			return fmt.Errorf("%w: chunk of %q", errAnswer, line)
		}
		if err := c.more(int(n)); err != nil {
			return err
		}
		if line, err = c.line(); err != nil {
			return err
		}
		if len(line) > 0 {
			return fmt.Errorf("%w: a chunk goes on, or has a trailer", errAnswer)
		}
		if n == 0 {
			return nil
		}
	}
}

// more reads n bytes onto the body.
func (c *connection) more(n int) error {
	have := len(c.body)
	if cap(c.body)-have < n {
		c.body = append(make([]byte, 0, 2*(have+n)), c.body...)
	}
	c.body = c.body[:have+n]
	_, err := io.ReadFull(c.in, c.body[have:])
	return err
}

// line reads a line without its end; it is valid until the next reading.
func (c *connection) line() ([]byte, error) {
	line, err := c.in.ReadSlice('\n')
	return bytes.TrimRight(line, "\r\n"), err
}
