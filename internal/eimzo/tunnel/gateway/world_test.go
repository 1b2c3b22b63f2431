package gateway

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"imzo/internal/eimzo/tunnel"
	"imzo/internal/metrics"
	"imzo/internal/revocation"
	"imzo/internal/testpki"
	"imzo/internal/testpki/services"
	"imzo/pki/cert"
	"imzo/pki/keystore"
	"imzo/pki/ocsp"
	"imzo/verify"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	theDomain = "example.uz"
	person    = "CN=IVANOV IVAN,1.2.860.3.16.1.2=30000000000000"
	// patience bounds what should happen at once.
	patience = 20 * time.Second
)

// world is a gateway before an echo server, with a user, an OCSP responder and
// real connections between them.
type world struct {
	*testpki.PKI
	gateway  *Gateway
	address  string
	site     testpki.Entity
	user     testpki.Entity
	services *services.Services
	source   verify.RevocationSource
	echo     *echo
	metrics  *metrics.Metrics
	logs     lockedBuffer
	ended    chan error
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func newWorld(t testing.TB, mods ...func(*Options, *State)) *world {
	t.Helper()
	w := &world{PKI: testpki.New(t, "ozdst"), metrics: metrics.New("test"), ended: make(chan error, 1)}
	w.services = services.Start(w.PKI, w.Clock())
	t.Cleanup(w.services.Close)
	client := revocation.NewHTTPClient()
	t.Cleanup(client.CloseIdleConnections)
	w.source = revocation.New(revocation.Options{URLs: []string{w.services.OCSPURL}, HTTP: client, Now: w.Clock()})
	w.site, w.user, w.echo = site(t, w.PKI, []string{theDomain}), w.User(t, person), newEcho(t)
	o := Options{
		Revocation: w.source, Idle: time.Minute, Metrics: w.metrics, Now: w.Clock(), Rand: rand.Reader,
		Logger: slog.New(slog.NewTextHandler(&w.logs, nil)),
	}
	s := State{Domains: []*Domain{w.domain(t, w.site)}, Anchors: w.Anchors(), Destinations: map[uint8]string{0: w.echo.address}}
	for _, mod := range mods {
		mod(&o, &s)
	}
	var err error
	if w.gateway, err = New(o, s); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.address = ln.Addr().String()
	go func() { w.ended <- w.gateway.Serve(ln) }()
	t.Cleanup(func() {
		w.stop(t, 0)
		if err := <-w.ended; !errors.Is(err, ErrStopped) {
			t.Errorf("Serve: %v", err)
		}
		if t.Failed() {
			t.Log(w.logs.String())
		}
	})
	return w
}

// stop shuts the gateway down, within the time that a test has.
func (w *world) stop(t testing.TB, drain time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- w.gateway.Shutdown(ctx) }()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		t.Fatal("Shutdown hangs")
		return nil
	}
}

func (w *world) domain(t testing.TB, e testpki.Entity) *Domain {
	t.Helper()
	d, _, err := newDomain("test", keystore.Entry{Key: e.Key, Chain: e.Chain}, w.Now)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// config is the user's.
func (w *world) config() tunnel.ClientConfig {
	return w.configOf(w.user)
}

func (w *world) configOf(who testpki.Entity) tunnel.ClientConfig {
	return tunnel.ClientConfig{
		Identity: tunnel.Identity{Key: who.Key, Chain: who.Chain[:2]},
		Domain:   theDomain,
		Trust: tunnel.Trust{Anchors: w.Anchors(), Status: func(ctx context.Context, c, issuer *cert.Certificate) (bool, error) {
			s, err := w.source.Status(ctx, c, issuer)
			return err == nil && s.Status == ocsp.Revoked, err
		}},
		Rand: rand.Reader, Now: w.Clock(),
	}
}

// dial makes a tunnel, to use until the test ends.
func (w *world) dial(t testing.TB, c tunnel.ClientConfig) (*tunnel.Conn, error) {
	t.Helper()
	return w.dialFrom(t, c, "127.0.0.1")
}

func (w *world) dialFrom(t testing.TB, c tunnel.ClientConfig, from string) (*tunnel.Conn, error) {
	t.Helper()
	conn := w.raw(t, from)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tun, err := tunnel.Client(ctx, conn, c)
	if err != nil {
		return nil, err
	}
	if err := tun.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tun.Close() })
	return tun, nil
}

// raw is a connection to the gateway without a tunnel.
func (w *world) raw(t testing.TB, from string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: patience}
	conn, err := d.Dial("tcp", w.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// open makes a tunnel that works.
func (w *world) open(t testing.TB, c tunnel.ClientConfig) *tunnel.Conn {
	t.Helper()
	tun, err := w.dial(t, c)
	if err != nil {
		t.Fatal(err)
	}
	if err := chat(tun, "salom"); err != nil {
		t.Fatal(err)
	}
	return tun
}

// try makes a tunnel and uses it once: its error is whatever came first.
func (w *world) try(t testing.TB, c tunnel.ClientConfig) error {
	t.Helper()
	tun, err := w.dial(t, c)
	if err != nil {
		return err
	}
	defer tun.Close()
	return chat(tun, "salom")
}

// chat sends text and waits for its echo.
func chat(tun io.ReadWriter, text string) error {
	if _, err := io.WriteString(tun, text); err != nil {
		return err
	}
	b := make([]byte, len(text))
	if _, err := io.ReadFull(tun, b); err != nil {
		return err
	}
	if string(b) != text {
		return errors.New("the echo is another")
	}
	return nil
}

// wantAlert checks that an error is an alert, said by the gateway or found here.
func wantAlert(t testing.TB, what string, err error, alert tunnel.Alert, remote bool) {
	t.Helper()
	var e *tunnel.Error
	if !errors.As(err, &e) || e.Alert != alert || e.Remote != remote {
		t.Errorf("%s: %v, want %q (said by the gateway: %v)", what, err, alert, remote)
	}
}

// logged waits for a line of the log that has all the parts.
func (w *world) logged(t testing.TB, parts ...string) {
	t.Helper()
	eventually(t, strings.Join(parts, " ")+" in the log", func() bool {
		for line := range strings.Lines(w.logs.String()) {
			all := true
			for _, p := range parts {
				all = all && strings.Contains(line, p)
			}
			if all {
				return true
			}
		}
		return false
	})
}

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// counted waits for a sample of the metrics.
func (w *world) counted(t testing.TB, sample string) {
	t.Helper()
	eventually(t, sample, func() bool {
		rec := httptest.NewRecorder()
		w.metrics.Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
		return strings.Contains(rec.Body.String(), sample+"\n")
	})
}

// echo is a destination that sends back what it gets.
type echo struct {
	address string
	ln      net.Listener

	mu    sync.Mutex
	conns []net.Conn
	taken chan net.Conn
	ended chan error // of reading each
}

func newEcho(t testing.TB) *echo {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &echo{address: ln.Addr().String(), ln: ln, taken: make(chan net.Conn, 1000), ended: make(chan error, 1000)}
	var group sync.WaitGroup
	group.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			e.mu.Lock()
			e.conns = append(e.conns, c)
			e.mu.Unlock()
			e.taken <- c
			group.Go(func() {
				defer c.Close()
				_, err := io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{c})
				e.ended <- err
			})
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		e.mu.Lock()
		for _, c := range e.conns {
			_ = c.Close()
		}
		e.mu.Unlock()
		group.Wait()
	})
	return e
}
