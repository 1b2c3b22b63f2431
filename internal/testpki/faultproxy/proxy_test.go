package faultproxy

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo answers every line with itself.
func echo(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	return ln.Addr().String()
}

// ask sends a line over a connection and returns what comes back within d.
func ask(c net.Conn, line string, d time.Duration) (string, error) {
	_ = c.SetDeadline(time.Now().Add(d))
	if _, err := c.Write([]byte(line)); err != nil {
		return "", err
	}
	return bufio.NewReader(c).ReadString('\n')
}

func dial(t *testing.T, p *Proxy) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestEveryFaultIsSeenAndEnds(t *testing.T) {
	p := New(t, echo(t))
	passes := func() {
		t.Helper()
		if got, err := ask(dial(t, p), "hello\n", time.Second); err != nil || got != "hello\n" {
			t.Fatalf("%q, %v", got, err)
		}
	}
	passes()

	open := dial(t, p)
	p.Delay(50 * time.Millisecond)
	start := time.Now()
	if got, err := ask(open, "slow\n", 2*time.Second); err != nil || got != "slow\n" || time.Since(start) < 100*time.Millisecond {
		t.Errorf("%q, %v after %s", got, err, time.Since(start))
	}
	p.Swallow()
	if got, err := ask(open, "lost\n", 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) || got != "" {
		t.Errorf("swallowed: %q, %v", got, err)
	}
	if in, out := p.Seen(ToServer), p.Seen(ToClient); in != len("lost\n") || out != 0 {
		t.Errorf("seen %d and %d octets", in, out)
	}
	p.Pass()
	passes()

	for _, d := range []Direction{ToServer, ToClient} {
		open := dial(t, p)
		p.CutAfter(d, 3)
		if got, err := ask(open, "cut off\n", time.Second); err == nil || !strings.HasPrefix("cut", got) {
			t.Errorf("direction %d: %q, %v", d, got, err)
		}
		passes() // only that one
	}

	open = dial(t, p)
	if _, err := ask(open, "x\n", time.Second); err != nil {
		t.Fatal(err)
	}
	p.Refuse()
	if _, err := ask(open, "x\n", time.Second); err == nil {
		t.Error("an open connection survived")
	}
	refused(t, p)
	p.Pass()
	passes()
}

func TestAnAbsentServiceIsRefused(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	refused(t, New(t, ln.Addr().String()))
}

// refused checks that a new connection ends: it may do so before the dialler
// has returned, or after.
func refused(t *testing.T, p *Proxy) {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		return
	}
	defer c.Close()
	if got, err := ask(c, "x\n", time.Second); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %q, %v", got, err)
	}
}
