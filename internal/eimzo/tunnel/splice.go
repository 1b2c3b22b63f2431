package tunnel

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"
)

// SpliceOptions bound a spliced tunnel.
type SpliceOptions struct {
	// Idle is the time without an octet either way after which the tunnel is
	// aborted; 0 is for ever.
	Idle time.Duration
	// Sent and Received, when not nil, are told of octets as they go to and come
	// from the tunnel.
	Sent, Received func(n int)
}

// Splice copies between a tunnel and a connection until both directions have
// ended, and closes both. The end of one direction is passed on (half-close). A
// slow reader slows its writer down, since nothing is kept but a record each
// way. The result is nil when both ended well; the end of ctx aborts with
// AlertStopping.
func Splice(ctx context.Context, t *Conn, c net.Conn, o SpliceOptions) error {
	var why atomic.Pointer[Error]
	abort := func(a Alert) {
		why.CompareAndSwap(nil, &Error{Alert: a})
		_ = t.Abort(a)
		reset(c)
	}
	defer context.AfterFunc(ctx, func() { abort(AlertStopping) })()

	var busy atomic.Bool
	over := make(chan struct{})
	if o.Idle > 0 {
		go func() {
			tick := time.NewTicker(o.Idle)
			defer tick.Stop()
			// Between Idle and twice that passes without an octet.
			for {
				select {
				case <-over:
					return
				case <-tick.C:
					if !busy.Swap(false) {
						abort(AlertIdle)
						return
					}
				}
			}
		}()
	}
	count := func(f func(int)) func(int) {
		return func(n int) {
			busy.Store(true)
			if f != nil {
				f(n)
			}
		}
	}

	out := make(chan error, 1)
	go func() {
		err := carry(t, c, count(o.Sent), t.CloseWrite)
		if err != nil {
			var e *readError
			if errors.As(err, &e) {
				_ = t.Abort(AlertAborted) // the other end must not take this for an end
			} else {
				_ = t.Close()
			}
			reset(c)
		}
		out <- err
	}()
	in := carry(c, t, count(o.Received), func() error {
		if half, ok := c.(interface{ CloseWrite() error }); ok {
			return half.CloseWrite()
		}
		return c.Close()
	})
	if in != nil {
		var e *readError
		if errors.As(in, &e) {
			_ = t.Close()
		} else {
			_ = t.Abort(AlertAborted)
		}
		reset(c) // nor must who is behind us
	}
	sent := <-out
	close(over)
	_ = t.Close()
	_ = c.Close()
	if e := why.Load(); e != nil {
		return e
	}
	return first(in, sent)
}

// first is the cause of two errors: what a tunnel says rather than what its end
// has done to the connection.
func first(a, b error) error {
	var e *Error
	switch {
	case errors.As(a, &e):
		return e
	case errors.Is(a, ErrTruncated):
		return ErrTruncated
	case b != nil:
		return &Error{Alert: AlertAborted, Err: b}
	case a != nil:
		return &Error{Alert: AlertAborted, Err: a}
	}
	return nil
}

// readError is an error of the side that is read from.
type readError struct{ err error }

func (e *readError) Error() string { return e.err.Error() }
func (e *readError) Unwrap() error { return e.err }

func carry(to io.Writer, from io.Reader, count func(int), end func() error) error {
	buffer := make([]byte, maxData)
	defer clear(buffer)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			count(n)
			if _, err := to.Write(buffer[:n]); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return end()
		case err != nil:
			return &readError{err}
		}
	}
}

// reset closes a connection so that its other end sees no orderly end.
func reset(c net.Conn) {
	if tcp, ok := c.(interface{ SetLinger(int) error }); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}
