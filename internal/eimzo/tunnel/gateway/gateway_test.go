package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"imzo/internal/eimzo/tunnel"
	"imzo/internal/testpki"
	"imzo/pki/cert"
	"imzo/verify"
)

func TestATunnelLeadsToItsDestination(t *testing.T) {
	second := newEcho(t)
	w := newWorld(t, func(_ *Options, s *State) { s.Destinations[255] = second.address })
	tun := w.open(t, w.config())
	w.counted(t, "imzo_tunnels_open 1")
	text := strings.Repeat("maxfiy ", 50_000)
	go func() {
		_, _ = io.WriteString(tun, text)
		_ = tun.CloseWrite()
	}()
	got, err := io.ReadAll(tun)
	if err != nil || string(got) != text {
		t.Fatalf("%d octets of %d, %v", len(got), len(text), err)
	}
	_ = tun.Close()
	w.logged(t, "msg=tunnel", "ip=127.0.0.1", "domain=example.uz", "result=ok", "destination=0", "serial="+w.user.Cert.SerialHex(), `user="IVANOV IVAN"`,
		fmt.Sprintf("sent=%d received=%d duration=", len(text)+5, len(text)+5))
	w.counted(t, "imzo_tunnels_open 0")
	w.counted(t, `imzo_tunnels_total{result="ok"} 1`)
	w.counted(t, "imzo_tunnel_handshake_duration_seconds_count 1")
	if strings.Contains(w.logs.String(), "maxfiy") || strings.Contains(w.logs.String(), "salom") {
		t.Error("the content is in the log")
	}
	c := w.config()
	c.Destination = 255
	w.open(t, c)
	if len(second.taken) != 1 || len(w.echo.taken) != 1 {
		t.Errorf("%d and %d connections", len(w.echo.taken), len(second.taken))
	}
}

func TestEveryRefusalSaysWhy(t *testing.T) {
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = dead.Close()
	w := newWorld(t, func(_ *Options, s *State) { s.Destinations[1] = dead.Addr().String() })
	with := func(mod func(*tunnel.ClientConfig)) tunnel.ClientConfig {
		c := w.config()
		mod(&c)
		return c
	}
	user := func(mods ...func(*cert.Template)) tunnel.ClientConfig { return w.configOf(w.User(t, person, mods...)) }
	revoked := user()
	w.services.Revoke(revoked.Identity.Chain[0], w.Now.Add(-time.Hour))
	stranger := testpki.New(t, "ozdst").User(t, person)
	for name, tt := range map[string]struct {
		config tunnel.ClientConfig
		alert  tunnel.Alert
	}{
		"another domain":      {with(func(c *tunnel.ClientConfig) { c.Domain = "example.com" }), tunnel.AlertDomain},
		"no such destination": {with(func(c *tunnel.ClientConfig) { c.Destination = 7 }), tunnel.AlertDestination},
		"destination down":    {with(func(c *tunnel.ClientConfig) { c.Destination = 1 }), tunnel.AlertUnreachable},
		"revoked":             {revoked, tunnel.AlertRevoked},
		"expired":             {user(func(tmpl *cert.Template) { tmpl.NotAfter = w.Now.Add(-time.Minute) }), tunnel.AlertExpired},
		"not yet valid":       {user(func(tmpl *cert.Template) { tmpl.NotBefore = w.Now.Add(time.Hour) }), tunnel.AlertExpired},
		"of another CA":       {w.configOf(stranger), tunnel.AlertUntrusted},
		"the key of another":  {with(func(c *tunnel.ClientConfig) { c.Identity.Key = stranger.Key }), tunnel.AlertProof},
	} {
		taken := len(w.echo.taken)
		wantAlert(t, name, w.try(t, tt.config), tt.alert, true)
		w.logged(t, "msg=tunnel", "result="+labels[tt.alert])
		if len(w.echo.taken) != taken {
			t.Errorf("%s: the destination was connected to", name)
		}
	}
	w.logged(t, "domain=example.com", "result=domain")
	w.logged(t, "result=revoked", "claimedSerial="+revoked.Identity.Chain[0].SerialHex())
	w.logged(t, "level=WARN", "destination=1", "result=unreachable", "serial="+w.user.Cert.SerialHex(), "connection refused")
	w.services.SetDown(true)
	c := w.config()
	c.Trust.Status, c.Trust.Staples = func(context.Context, *cert.Certificate, *cert.Certificate) (bool, error) { return false, nil }, true
	wantAlert(t, "no responder", w.try(t, c), tunnel.AlertStatus, true)
	w.services.SetDown(false)
	w.open(t, w.config())
	w.counted(t, "imzo_tunnels_open 1")
}

func TestAgentsGetTheStapledStatusOfTheDomain(t *testing.T) {
	var mute atomic.Bool // nobody answers about domains
	w := newWorld(t, func(o *Options, _ *State) {
		asked := o.Revocation
		o.Revocation = source(func(ctx context.Context, c, issuer *cert.Certificate) (*verify.RevocationStatus, error) {
			if mute.Load() && len(c.DNSNames) > 0 {
				return nil, errNoStatus
			}
			return asked.Status(ctx, c, issuer)
		})
	})
	c := w.config()
	c.Trust.Status, c.Trust.Staples = nil, true
	d := w.gateway.State().Domains[0]
	eventually(t, "a stapled status", func() bool { return d.staple.Load() != nil })
	w.open(t, c)
	// A certificate that is there again keeps its status; another has none yet.
	again := w.domain(t, w.site)
	mute.Store(true)
	state := w.gateway.State()
	state.Domains = []*Domain{again}
	if err := w.gateway.Replace(state); err != nil {
		t.Fatal(err)
	}
	if again.staple.Load() == nil {
		t.Error("the status was forgotten")
	}
	state.Domains = []*Domain{w.domain(t, site(t, w.PKI, []string{theDomain}))}
	if err := w.gateway.Replace(state); err != nil {
		t.Fatal(err)
	}
	wantAlert(t, "no stapled status", w.try(t, c), tunnel.AlertStatus, false)
	w.logged(t, "level=WARN", "no OCSP answer about the certificate of a domain")
}

func TestThereIsRoomForSoManyTunnels(t *testing.T) {
	w := newWorld(t, func(o *Options, _ *State) { o.Total = 2 })
	first := w.open(t, w.config())
	second := w.open(t, w.config())
	wantAlert(t, "the third", w.try(t, w.config()), tunnel.AlertBusy, true)
	w.counted(t, `imzo_tunnels_total{result="busy"} 1`)
	w.logged(t, "too many tunnels", "limit=tunnel.limit.total", "open=2")
	for _, tun := range []*tunnel.Conn{first, second} {
		if err := chat(tun, "still there"); err != nil {
			t.Error(err)
		}
	}
	_ = first.Close()
	eventually(t, "room again", func() bool { return w.gateway.Status().Tunnels == 1 })
	w.open(t, w.config())
}

func TestOneAddressDoesNotTakeTheRoomOfOthers(t *testing.T) {
	w := newWorld(t, func(o *Options, _ *State) { o.PerAddress = 1 })
	first := w.open(t, w.config())
	wantAlert(t, "the second", w.try(t, w.config()), tunnel.AlertBusy, true)
	if _, err := w.dialFrom(t, w.config(), "127.0.0.2"); err != nil {
		t.Errorf("another address: %v", err)
	}
	_ = first.Close()
	eventually(t, "room again", func() bool { return w.gateway.Status().Tunnels == 1 })
	w.open(t, w.config())
}

func TestSlowHandshakesEnd(t *testing.T) {
	w := newWorld(t, func(o *Options, _ *State) { o.Handshakes, o.HandshakeTimeout = 2, 500*time.Millisecond })
	began := time.Now()
	silent, dripping := w.raw(t, "127.0.0.1"), w.raw(t, "127.0.0.1")
	eventually(t, "two handshakes", func() bool { return w.gateway.Status().Handshakes == 2 })
	wantAlert(t, "the third", w.try(t, w.config()), tunnel.AlertBusy, true)
	w.logged(t, "limit=handshakes")
	go func() {
		for range 1000 {
			if _, err := dripping.Write([]byte{1}); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	for _, c := range []net.Conn{silent, dripping} {
		_ = c.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.Copy(io.Discard, c); errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it is still open: %v", err)
		}
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("after %s", took)
	}
	w.logged(t, "msg=tunnel", "result=timeout")
	eventually(t, "room again", func() bool { return w.gateway.Status().Handshakes == 0 })
	w.open(t, w.config())
}

func TestGarbageIsNoTunnel(t *testing.T) {
	w := newWorld(t)
	for _, text := range []string{"GET / HTTP/1.1\r\nHost: example.uz\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", strings.Repeat("\xff", 100_000), "\x00"} {
		conn := w.raw(t, "127.0.0.1")
		_, _ = io.WriteString(conn, text)
		_ = conn.(*net.TCPConn).CloseWrite()
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		_, err := io.Copy(io.Discard, conn)
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			t.Errorf("%.20q: still open", text)
		}
	}
	eventually(t, "nothing is left", func() bool { s := w.gateway.Status(); return s.Handshakes == 0 && s.Tunnels == 0 })
	w.open(t, w.config())
}

func TestAnIdleTunnelEnds(t *testing.T) {
	w := newWorld(t, func(o *Options, _ *State) { o.Idle = 300 * time.Millisecond })
	tun := w.open(t, w.config())
	for range 4 {
		time.Sleep(100 * time.Millisecond) // less than Idle each, more together
		if err := chat(tun, "here"); err != nil {
			t.Fatal(err)
		}
	}
	_, err := tun.Read(make([]byte, 1))
	wantAlert(t, "an idle tunnel", err, tunnel.AlertIdle, true)
	w.logged(t, "msg=tunnel", "result=idle")
	<-w.echo.ended
}

func TestTheEndOfADestinationIsTheEndOfTheTunnel(t *testing.T) {
	w := newWorld(t)
	tun := w.open(t, w.config())
	broken := (<-w.echo.taken).(*net.TCPConn)
	_ = broken.SetLinger(0)
	_ = broken.Close()
	_, err := tun.Read(make([]byte, 1))
	wantAlert(t, "a destination that breaks off", err, tunnel.AlertAborted, true)
	w.logged(t, "msg=tunnel", "result=aborted")

	// Half of it: the destination has said all, and still listens.
	tun = w.open(t, w.config())
	half := (<-w.echo.taken).(*net.TCPConn)
	if err := half.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if n, err := tun.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := io.WriteString(tun, "one more thing"); err != nil {
		t.Error(err)
	}
	if err := tun.CloseWrite(); err != nil {
		t.Error(err)
	}
	eventually(t, "the tunnel has ended", func() bool { return w.gateway.Status().Tunnels == 0 })
}

func TestAnAgentThatVanishesLeavesNothingBehind(t *testing.T) {
	w := newWorld(t)
	conn := w.raw(t, "127.0.0.1")
	tun, err := tunnel.Client(t.Context(), conn, w.config())
	if err != nil {
		t.Fatal(err)
	}
	if err := chat(tun, "salom"); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	select {
	case <-w.echo.ended:
	case <-time.After(patience):
		t.Fatal("the destination is still connected")
	}
	eventually(t, "the tunnel has ended", func() bool { return w.gateway.Status().Tunnels == 0 })
	w.logged(t, "msg=tunnel", "result=truncated")
	w.counted(t, "imzo_tunnels_open 0")
}

func TestAStopWaitsForTunnelsAndThenTellsThem(t *testing.T) {
	w := newWorld(t)
	tun := w.open(t, w.config())
	stopped := make(chan error, 1)
	go func() { stopped <- w.stop(t, 500*time.Millisecond) }()
	eventually(t, "nothing is taken any more", func() bool {
		c, err := net.Dial("tcp", w.address)
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	if err := chat(tun, "the old one goes on"); err != nil {
		t.Error(err)
	}
	_, err := tun.Read(make([]byte, 1))
	wantAlert(t, "after the time", err, tunnel.AlertStopping, true)
	if err := <-stopped; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v", err)
	}
	w.logged(t, "msg=tunnel", "result=stopping")

	w = newWorld(t)
	tun = w.open(t, w.config())
	go func() { stopped <- w.stop(t, patience) }()
	eventually(t, "it is stopping", w.gateway.isStopped)
	_ = tun.Close()
	if err := <-stopped; err != nil {
		t.Errorf("Shutdown after the last tunnel: %v", err)
	}
	w.logged(t, "msg=tunnel", "result=ok")
}

func TestAStopDoesNotWaitForThoseWhoDoNotListen(t *testing.T) {
	w := newWorld(t)
	tun := w.open(t, w.config())
	w.raw(t, "127.0.0.1") // in its handshake
	// Fill everything on the way back, and read none of it.
	_ = tun.SetWriteDeadline(time.Now().Add(time.Second))
	for {
		if _, err := tun.Write(make([]byte, 1<<20)); err != nil {
			break
		}
	}
	began := time.Now()
	if err := w.stop(t, time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v", err)
	}
	if took := time.Since(began); took > 3*abortGrace {
		t.Errorf("it took %s", took)
	}
}

func TestAReloadIsForNewTunnels(t *testing.T) {
	w := newWorld(t)
	old := w.open(t, w.config())
	w.services.Revoke(w.site.Cert, w.Now.Add(-time.Hour))
	wantAlert(t, "a revoked domain", w.try(t, w.config()), tunnel.AlertRevoked, false)
	second := newEcho(t)
	state := w.gateway.State()
	state.Domains = []*Domain{w.domain(t, site(t, w.PKI, []string{theDomain})), w.domain(t, site(t, w.PKI, []string{"other.uz"}))}
	state.Destinations = map[uint8]string{3: second.address}
	if err := w.gateway.Replace(state); err != nil {
		t.Fatal(err)
	}
	c := w.config()
	wantAlert(t, "a destination that is gone", w.try(t, c), tunnel.AlertDestination, true)
	c.Destination = 3
	w.open(t, c)
	c.Domain = "other.uz"
	w.open(t, c)
	if err := chat(old, "still there"); err != nil {
		t.Error(err)
	}
	// Other roots, which the user's certificate does not lead to.
	state.Anchors = testpki.New(t, "ozdst").Anchors()
	if err := w.gateway.Replace(state); err != nil {
		t.Fatal(err)
	}
	wantAlert(t, "a user who is not trusted any more", w.try(t, c), tunnel.AlertUntrusted, true)
	for _, bad := range []State{{Anchors: w.Anchors()}, {Domains: state.Domains}} {
		if err := w.gateway.Replace(bad); !errors.Is(err, ErrOptions) {
			t.Errorf("%v", err)
		}
	}
}

func TestAPanicEndsOneTunnel(t *testing.T) {
	w := newWorld(t, func(o *Options, s *State) {
		dial := (&net.Dialer{}).DialContext
		s.Destinations[1] = "panic:1"
		o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			if address == "panic:1" {
				panic("for the test")
			}
			return dial(ctx, network, address)
		}
	})
	tun := w.open(t, w.config())
	c := w.config()
	c.Destination = 1
	if err := w.try(t, c); err == nil {
		t.Error("a tunnel to nowhere")
	}
	w.logged(t, "level=ERROR", "for the test", "stack=")
	w.counted(t, `imzo_tunnels_total{result="internal"} 1`)
	if err := chat(tun, "still there"); err != nil {
		t.Error(err)
	}
	eventually(t, "it is not counted any more", func() bool { s := w.gateway.Status(); return s.Handshakes == 0 && s.Tunnels == 1 })
}

func TestManyTunnelsAtOnce(t *testing.T) {
	const many = 200
	w := newWorld(t, func(o *Options, _ *State) { o.PerAddress, o.HandshakeTimeout = -1, 2*time.Minute })
	config := w.config()
	config.Timeout = 2 * time.Minute
	var group sync.WaitGroup
	for i := range many {
		group.Go(func() {
			conn, err := net.Dial("tcp", w.address)
			if err != nil {
				t.Error(err)
				return
			}
			tun, err := tunnel.Client(t.Context(), conn, config)
			if err != nil {
				t.Errorf("tunnel %d: %v", i, err)
				return
			}
			defer tun.Close()
			text := make([]byte, 50_000)
			_, _ = rand.Read(text)
			if err := chat(tun, string(text)); err != nil {
				t.Errorf("tunnel %d: %v", i, err)
			}
		})
	}
	group.Wait()
	w.counted(t, fmt.Sprintf(`imzo_tunnels_total{result="ok"} %d`, many))
	w.counted(t, "imzo_tunnels_open 0")
	w.counted(t, `imzo_tunnel_octets_total{direction="received"} 1e+07`)
	if s := w.gateway.Status(); s.Tunnels != 0 || s.Handshakes != 0 || len(w.gateway.byAddress) != 0 {
		t.Errorf("left: %+v", s)
	}
}

func TestAGatewayThatHasStoppedServesNothing(t *testing.T) {
	w := newWorld(t)
	if err := w.stop(t, time.Second); err != nil {
		t.Error(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.gateway.Serve(ln); !errors.Is(err, ErrStopped) {
		t.Error(err)
	}
	if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	for _, bad := range []struct {
		o Options
		s State
	}{
		{Options{}, w.gateway.State()},
		{Options{Revocation: w.source, Idle: -1}, w.gateway.State()},
		{Options{Revocation: w.source}, State{}},
	} {
		if _, err := New(bad.o, bad.s); !errors.Is(err, ErrOptions) {
			t.Errorf("%v", err)
		}
	}
}

// A flood of connections beyond a limit is told so as far as there is room, and
// takes nothing from those who are in.
func TestAFloodIsShed(t *testing.T) {
	w := newWorld(t, func(o *Options, _ *State) { o.Total = 1 })
	tun := w.open(t, w.config())
	const many = 2 * maxRefusals
	for range many {
		w.raw(t, "127.0.0.1")
	}
	w.counted(t, fmt.Sprintf(`imzo_tunnels_total{result="busy"} %d`, many))
	if err := chat(tun, "still there"); err != nil {
		t.Error(err)
	}
	if n := strings.Count(w.logs.String(), "too many tunnels"); n != 1 {
		t.Errorf("%d lines in the log", n)
	}
}

// weary is a listener that is out of files for a while, and then out of order.
type weary struct {
	net.Listener
	errs []error
}

func (l *weary) Accept() (net.Conn, error) {
	err := l.errs[0]
	l.errs = l.errs[1:]
	return nil, err
}

func TestTroubleOfAMomentDoesNotEndTheService(t *testing.T) {
	w := newWorld(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	full := &net.OpError{Op: "accept", Err: syscall.EMFILE}
	final := errors.New("out of order")
	if err := w.gateway.Serve(&weary{ln, []error{full, full, final}}); !errors.Is(err, final) {
		t.Errorf("Serve: %v", err)
	}
	if n := strings.Count(w.logs.String(), "is not taken, trying again"); n != 2 {
		t.Errorf("%d lines in\n%s", n, w.logs.String())
	}
	if !w.gateway.Status().Listening {
		t.Error("the other listener has ended, too")
	}
}
