package agent

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"imzo/internal/eimzo/agent/keyring"
	"imzo/internal/eimzo/agent/prompt"
	"imzo/internal/eimzo/tunnel"
	"imzo/internal/testpki"
	"imzo/pki/ber"
	"imzo/pki/cert"
	"imzo/pki/keystore"
	"imzo/pki/ocsp"
	"imzo/pki/token"
	"imzo/pki/token/soft"
	"imzo/verify"
)

// domainEntity is a domain's certificate.
func domainEntity(t testing.TB, pki *testpki.PKI, name string, mods ...func(*cert.Template)) testpki.Entity {
	t.Helper()
	return pki.Issue(t, pki.CA, func(tmpl *cert.Template) {
		tmpl.Subject = testpki.Name(t, "CN="+name+",C=UZ")
		if ip := net.ParseIP(name); ip != nil {
			tmpl.IPAddresses = []net.IP{ip}
		} else {
			tmpl.DNSNames = []string{name}
		}
		tmpl.KeyUsage = cert.KeyUsageDigitalSignature
		tmpl.ExtKeyUsage = []ber.OID{cert.OIDServerAuth}
		for _, mod := range mods {
			mod(tmpl)
		}
	}, pki.KeySpec)
}

// statuses is a source of revocation: by certificate, the others are good.
type statuses struct {
	now time.Time
	of  map[*cert.Certificate]ocsp.CertStatus
}

func (s *statuses) Status(_ context.Context, c, _ *cert.Certificate) (*verify.RevocationStatus, error) {
	for known, status := range s.of {
		if known.Equal(c) {
			if status == ocsp.Unknown {
				return nil, errors.New("nobody answers")
			}
			return &verify.RevocationStatus{Status: status, ThisUpdate: s.now, RevokedAt: s.now.Add(-time.Hour), Reason: -1}, nil
		}
	}
	return &verify.RevocationStatus{Status: ocsp.Good, ThisUpdate: s.now}, nil
}

func (s *statuses) revoked(_ context.Context, c, issuer *cert.Certificate) (bool, error) {
	status, err := s.Status(context.Background(), c, issuer)
	return err == nil && status.Status == ocsp.Revoked, err
}

// farEnd is the server of tunnels.
type farEnd struct {
	ln           net.Listener
	config       tunnel.ServerConfig
	destinations map[uint8]string
	ctx          context.Context
	stop         context.CancelFunc
	running      sync.WaitGroup

	mu    sync.Mutex
	ended []error // of what was spliced
}

// newFarEnd serves the domains of certificates, until the test ends.
func newFarEnd(t testing.TB, pki *testpki.PKI, status *statuses, destination string, domains map[string]testpki.Entity) *farEnd {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &farEnd{ln: ln, destinations: map[uint8]string{0: destination, 7: "127.0.0.1:1"}}
	f.ctx, f.stop = context.WithCancel(context.Background())
	f.config = tunnel.ServerConfig{
		Identity: func(_ context.Context, domain string) (*tunnel.Identity, error) {
			e, ok := domains[domain]
			if !ok {
				return nil, nil
			}
			return &tunnel.Identity{Key: e.Key, Chain: e.Chain}, nil
		},
		Trust: tunnel.Trust{Anchors: cert.NewPool(pki.Root.Cert), Status: status.revoked},
		Rand:  rand.Reader, Now: func() time.Time { return pki.Now },
	}
	f.running.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			f.running.Go(func() { f.take(conn) })
		}
	})
	t.Cleanup(f.close)
	return f
}

func (f *farEnd) close() {
	_ = f.ln.Close()
	f.stop()
	f.running.Wait()
}

func (f *farEnd) take(conn net.Conn) {
	var destination net.Conn
	config := f.config
	config.Connect = func(ctx context.Context, p tunnel.Peer) error {
		to, ok := f.destinations[p.Destination]
		if !ok {
			return &tunnel.Error{Alert: tunnel.AlertDestination}
		}
		var d net.Dialer
		var err error
		if destination, err = d.DialContext(ctx, "tcp", to); err != nil {
			return &tunnel.Error{Alert: tunnel.AlertUnreachable, Err: err}
		}
		return nil
	}
	end, _, err := tunnel.Server(f.ctx, conn, config)
	if err != nil {
		if destination != nil {
			_ = destination.Close()
		}
		return
	}
	err = tunnel.Splice(f.ctx, end, destination, tunnel.SpliceOptions{})
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = append(f.ended, err)
}

// waitEnded waits until so many tunnels have ended.
func (f *farEnd) waitEnded(t *testing.T, n int) []error {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		f.mu.Lock()
		ended := append([]error{}, f.ended...)
		f.mu.Unlock()
		if len(ended) >= n {
			return ended
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d tunnels have ended, not %d", len(ended), n)
		}
	}
}

// newEcho is a WebSocket back end, which says everything back.
func newEcho(t testing.TB) (address string) {
	t.Helper()
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		for {
			kind, b, err := c.ReadMessage()
			if err != nil || c.WriteMessage(kind, b) != nil {
				return
			}
		}
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// tunnelDesk is a desk whose page has a tunnel to an echo.
type tunnelDesk struct {
	*desk
	far    *farEnd
	status *statuses
	key    string // id
}

func newTunnelDesk(t *testing.T, options ...func(*Options)) *tunnelDesk {
	t.Helper()
	td := &tunnelDesk{status: &statuses{of: map[*cert.Certificate]ocsp.CertStatus{}}}
	tunnels := map[string]string{}
	td.desk = newDesk(t, append([]func(*Options){func(o *Options) { o.Tunnels, o.Revocation = tunnels, td.status }}, options...)...)
	td.status.now = td.Now
	td.far = newFarEnd(t, td.PKI, td.status, newEcho(t), map[string]testpki.Entity{"example.uz": domainEntity(t, td.PKI, "example.uz")})
	tunnels["example.uz"] = td.far.ln.Addr().String()
	td.key = td.load(t)
	t.Cleanup(func() {
		td.agent.Close()
		td.agent.wait(t.Context())
	})
	return td
}

// create makes a tunnel and gives its address.
func (td *tunnelDesk) create(t *testing.T, id, password string) (address string) {
	t.Helper()
	td.types(password)
	reply := callFunction(t, td.agent, "tunnel", "create_tunnel", "0", id)
	wantFields(t, reply, map[string]any{"success": true, "status": 1})
	address = fmt.Sprint(reply["address"])
	if host, port, err := net.SplitHostPort(address); err != nil || host != "127.0.0.1" || port == "0" || len(reply) != 3 {
		t.Fatalf("%v", reply)
	}
	return address
}

// dialTunnel opens a WebSocket at an address, as a page of an origin.
func dialTunnel(t *testing.T, address, origin string) (*websocket.Conn, error) {
	t.Helper()
	c, _, err := websocket.DefaultDialer.Dial("ws://"+address+"/chat?x=y", http.Header{"Origin": {origin}})
	if err == nil {
		t.Cleanup(func() { _ = c.Close() })
		_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	}
	return c, err
}

// echoes sends a message and waits for it.
func echoes(t *testing.T, c *websocket.Conn, kind int, data []byte) {
	t.Helper()
	sent := make(chan error, 1)
	go func() { sent <- c.WriteMessage(kind, data) }()
	back, b, err := c.ReadMessage()
	if err != nil || back != kind || !bytes.Equal(b, data) {
		t.Fatalf("%d octets of kind %d came back as %d of %d, %v", len(data), kind, len(b), back, err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
}

// noRoomTaken waits until no tunnel is counted.
func noRoomTaken(t *testing.T, a *Agent) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		a.tunnels.mu.Lock()
		all, of := a.tunnels.all, maps.Clone(a.tunnels.of)
		a.tunnels.mu.Unlock()
		if all == 0 && len(of) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d tunnels are counted, %v", all, of)
		}
	}
}

func TestAPageTalksThroughATunnel(t *testing.T) {
	current := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, current) }) // after all others
	td := newTunnelDesk(t)
	address := td.create(t, td.key, "Abc12345")
	asked := td.person.asked[0]
	if want := "Сайт example.uz открывает с этим ключом шифрованный туннель к домену example.uz (" + td.far.ln.Addr().String() + "). Сервер узнает, чей это ключ."; asked.Question != want || asked.Kind != prompt.KindPassword || asked.Remember || asked.Key.File != "DS1" || asked.Content != nil {
		t.Errorf("the person saw %+v", asked)
	}
	c, err := dialTunnel(t, address, site.Origin)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := dialTunnel(t, address, site.Origin); err == nil {
		t.Error("a second connection", again)
	}
	echoes(t, c, websocket.TextMessage, []byte("Салом, tunnel!"))
	echoes(t, c, websocket.BinaryMessage, []byte{0, 1, 2, 255})
	echoes(t, c, websocket.TextMessage, nil)
	large := make([]byte, 16<<20)
	_, _ = rand.Read(large)
	echoes(t, c, websocket.BinaryMessage, large)
	pong := ""
	c.SetPongHandler(func(s string) error { pong = s; return nil })
	if err := c.WriteControl(websocket.PingMessage, []byte("are you there"), time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	echoes(t, c, websocket.TextMessage, []byte("after the ping"))
	if pong != "are you there" {
		t.Errorf("the pong is %q", pong)
	}
	if err := c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(4001, "enough"), time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if code, reason := ended(t, c); code != 4001 {
		t.Error(code, reason)
	}
	_ = c.Close()
	td.far.waitEnded(t, 1)
	noRoomTaken(t, td.agent)

	td.agent.Close()
	td.agent.wait(t.Context())
	log := td.audited.String()
	for _, want := range []string{
		"function=tunnel.create_tunnel status=1 domain=example.uz dst_id=0 server=" + td.far.ln.Addr().String() + " serial=" + td.user.Cert.SerialHex(),
		"origin=https://example.uz function=tunnel.end", "serial=" + td.user.Cert.SerialHex() + " domain=example.uz dst_id=0 sent=168", "seconds=",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the audit log has no %q: %s", want, log)
		}
	}
	td.far.close()
	td.agent.keys.Close()
	http.DefaultClient.CloseIdleConnections()
}

func TestEveryKindOfKeyOpensATunnel(t *testing.T) {
	cards := t.TempDir()
	td := newTunnelDesk(t, func(o *Options) { o.Tokens = token.NewSet(nil, soft.Folder(cards)) })
	card, err := soft.Create(filepath.Join(cards, "id.card"), soft.Options{Kind: token.KindIDCard, Name: "Card", Serial: "01", PIN: []byte("1234"), PUK: []byte("11111111"), Now: td.Clock()})
	if err != nil {
		t.Fatal(err)
	}
	session, err := card.Open(t.Context(), []byte("1234"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := session.GenerateKey(t.Context(), "ozdst:C")
	if err != nil {
		t.Fatal(err)
	}
	owner := td.PKI.User(t, testpki.Person, func(tmpl *cert.Template) { tmpl.PublicKey = key.PublicKey() })
	if err := session.Personalize(t.Context(), owner.Chain, []byte("1234")); err != nil {
		t.Fatal(err)
	}
	if err := session.Close(); err != nil {
		t.Fatal(err)
	}
	yks, err := keystore.CreateYKS(rand.Reader, []keystore.Entry{{Alias: td.alias, Key: td.user.Key, Chain: td.user.Chain}}, "Abc12345")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(td.stick, "DS2.yks"), yks, 0o600); err != nil {
		t.Fatal(err)
	}
	ytks := fmt.Sprint(callFunction(t, td.agent, "ytks", "load_key", td.stick+"/", "", "DS2", td.alias, td.user.Cert.SerialHex())["keyId"])
	for id, password := range map[string]string{"idcard": "1234", "ckc": "1234", ytks: "Abc12345"} {
		address := td.create(t, id, password)
		asked := td.person.asked[0]
		if !strings.Contains(asked.Question, "шифрованный туннель к домену example.uz ("+td.far.ln.Addr().String()+")") || asked.Remember {
			t.Errorf("%s: %+v", id, asked)
		}
		c, err := dialTunnel(t, address, site.Origin)
		if err != nil {
			t.Fatal(id, err)
		}
		echoes(t, c, websocket.TextMessage, []byte(id))
		_ = c.Close()
	}
	// What was remembered for signatures opens no tunnel by itself.
	td.person.remember = true
	td.types("Abc12345")
	wantFields(t, callFunction(t, td.agent, "pkcs7", "create_pkcs7", "AAAA", td.key), map[string]any{"success": true})
	td.types("cancel")
	td.refused(t, site, "tunnel", "create_tunnel", -5000, cancelled, "0", td.key)
}

func TestCloseCodesComeThroughATunnel(t *testing.T) {
	td := newTunnelDesk(t)
	for _, code := range []int{1000, 1001, 1008, 1011, 3000, 4999} {
		c, err := dialTunnel(t, td.create(t, td.key, "Abc12345"), site.Origin)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, "x"), time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		if got, reason := ended(t, c); got != code {
			t.Error(code, "came back as", got, reason)
		}
	}
}

// head is the head of a WebSocket's request, with what differs.
func head(address string, change map[string]string) string {
	lines := []string{"Host: " + address, "Origin: https://example.uz", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}
	var b strings.Builder
	first := "GET / HTTP/1.1"
	if f, ok := change[""]; ok {
		first = f
	}
	fmt.Fprintf(&b, "%s\r\n", first)
	for _, line := range lines {
		name, _, _ := strings.Cut(line, ":")
		if with, ok := change[name]; !ok {
			fmt.Fprintf(&b, "%s\r\n", line)
		} else if with != "" {
			fmt.Fprintf(&b, "%s\r\n", with)
		}
	}
	return b.String() + change["+"] + "\r\n"
}

// knock sends octets to an address and gives the first line of what comes back,
// once the other side has closed.
func knock(t *testing.T, address, octets string) string {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		return "refused"
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(c, octets); err != nil {
		t.Error(err)
	}
	b, err := io.ReadAll(c)
	if err != nil && len(b) == 0 {
		return err.Error()
	}
	line, _, _ := strings.Cut(string(b), "\r\n")
	return line
}

func TestOnlyThePageOfATunnelComesThrough(t *testing.T) {
	const forbidden, bad = "HTTP/1.1 403 Forbidden", "HTTP/1.1 400 Bad Request"
	type stranger struct {
		change map[string]string
		want   string
	}
	strangers := map[string]stranger{
		"another origin":          {map[string]string{"Origin": "Origin: https://stranger.uz"}, forbidden},
		"another port":            {map[string]string{"Origin": "Origin: https://example.uz:8443"}, forbidden},
		"another scheme":          {map[string]string{"Origin": "Origin: http://example.uz"}, forbidden},
		"no origin":               {map[string]string{"Origin": ""}, forbidden},
		"origin null":             {map[string]string{"Origin": "Origin: null"}, forbidden},
		"two origins":             {map[string]string{"+": "Origin: https://stranger.uz\r\n"}, forbidden},
		"a name pointed here":     {map[string]string{"Host": "Host: evil.uz"}, forbidden},
		"no port":                 {map[string]string{"Host": "Host: 127.0.0.1"}, forbidden},
		"the agent's port":        {map[string]string{"Host": "Host: 127.0.0.1:64646"}, forbidden},
		"two hosts":               {map[string]string{"+": "Host: evil.uz\r\n"}, bad},
		"no host":                 {map[string]string{"Host": ""}, forbidden},
		"no upgrade":              {map[string]string{"Upgrade": ""}, bad},
		"an upgrade to something": {map[string]string{"Upgrade": "Upgrade: h2c"}, bad},
		"no connection header":    {map[string]string{"Connection": "Connection: keep-alive"}, bad},
		"another version":         {map[string]string{"Sec-WebSocket-Version": "Sec-WebSocket-Version: 8"}, bad},
		"no key":                  {map[string]string{"Sec-WebSocket-Key": ""}, bad},
		"a post":                  {map[string]string{"": "POST / HTTP/1.1"}, bad},
		"a proxy":                 {map[string]string{"": "GET http://evil.uz/ HTTP/1.1"}, bad},
		"an old client":           {map[string]string{"": "GET / HTTP/1.0"}, bad},
		"a body":                  {map[string]string{"+": "Content-Length: 5\r\n"}, bad},
		"chunks":                  {map[string]string{"+": "Transfer-Encoding: chunked\r\n"}, bad},
		"a bare line feed":        {map[string]string{"+": "X: y\nOrigin: https://example.uz\r\n"}, bad},
		"a zero":                  {map[string]string{"+": "X: \x00\r\n"}, bad},
		"garbage":                 {map[string]string{"": "\x16\x03\x01\x02"}, bad},
		"a long head":             {map[string]string{"+": "X: " + strings.Repeat("x", maxHead) + "\r\n"}, bad},
	}
	td := newTunnelDesk(t)
	address := td.create(t, td.key, "Abc12345")
	seen := 0
	for name, s := range strangers {
		if seen++; seen == maxStrangers { // the last one that a tunnel bears
			c, err := dialTunnel(t, address, site.Origin)
			if err != nil {
				t.Fatal("after strangers:", err)
			}
			echoes(t, c, websocket.TextMessage, []byte("still the page's"))
			_ = c.Close()
			address, seen = td.create(t, td.key, "Abc12345"), 1
		}
		if got := knock(t, address, head(address, s.change)); got != s.want {
			t.Errorf("%s: %s, want %s", name, got, s.want)
		}
	}
	c, err := dialTunnel(t, address, site.Origin)
	if err != nil {
		t.Fatal(err)
	}
	echoes(t, c, websocket.TextMessage, []byte("still the page's"))
	_ = c.Close()

	// Under its other name.
	address = td.create(t, td.key, "Abc12345")
	_, port, _ := net.SplitHostPort(address)
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, head(address, map[string]string{"Host": "Host: localhost:" + port})); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 0, 1024)
	said := false
	for !bytes.HasSuffix(got, []byte("\x81\x02hi")) {
		if !said && bytes.HasSuffix(got, []byte("\r\n\r\n")) {
			said = true
			if _, err := io.WriteString(conn, "\x81\x82\x00\x00\x00\x00hi"); err != nil {
				t.Fatal(err)
			}
		}
		n, err := conn.Read(got[len(got):cap(got)])
		if got = got[:len(got)+n]; err != nil {
			t.Fatalf("%q %v", got, err)
		}
	}
	if !bytes.HasPrefix(got, []byte("HTTP/1.1 101 ")) {
		t.Errorf("%q", got)
	}
}

func TestTooManyStrangersEndATunnel(t *testing.T) {
	td := newTunnelDesk(t)
	address := td.create(t, td.key, "Abc12345")
	for i := range maxStrangers {
		if got := knock(t, address, "x\r\n\r\n"); got != "HTTP/1.1 400 Bad Request" {
			t.Errorf("%d: %s", i, got)
		}
	}
	td.far.waitEnded(t, 1)
	if got := knock(t, address, head(address, nil)); got != "refused" {
		t.Error(got)
	}
	noRoomTaken(t, td.agent)
}

// Whoever says nothing holds up nobody, and is cut off in time.
func TestASlowHeadHoldsUpNobody(t *testing.T) {
	td := newTunnelDesk(t)
	td.agent.head = 50 * time.Millisecond
	address := td.create(t, td.key, "Abc12345")
	if got := knock(t, address, "GET / HTTP/1.1\r\nHost: "+address); got != "HTTP/1.1 400 Bad Request" {
		t.Error(got)
	}
	td.agent.head = time.Minute
	address = td.create(t, td.key, "Abc12345")
	var slow []net.Conn
	for range maxStrangers / 2 {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\n")
		slow = append(slow, c)
	}
	c, err := dialTunnel(t, address, site.Origin)
	if err != nil {
		t.Fatal(err)
	}
	echoes(t, c, websocket.TextMessage, []byte("at once"))
	for _, s := range slow {
		_ = s.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.ReadAll(s); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("still waited for")
		}
	}
}

func TestARefusedTunnelSaysWhy(t *testing.T) {
	const failed = "Ошибка установления туннеля: "
	td := newTunnelDesk(t)
	server := td.agent.options.Tunnels["example.uz"]
	closed, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	// A program that closes, and one that speaks something else.
	rude := httptest.NewServer(http.NotFoundHandler())
	defer rude.Close()
	hasty, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer hasty.Close()
	go func() {
		for {
			c, err := hasty.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	// serve is the address of a server with this certificate for the domain.
	serve := func(e testpki.Entity) string {
		return newFarEnd(t, td.PKI, td.status, "127.0.0.1:1", map[string]testpki.Entity{"example.uz": e}).ln.Addr().String()
	}
	expired := domainEntity(t, td.PKI, "example.uz", func(tmpl *cert.Template) { tmpl.NotAfter = td.Now.Add(-time.Hour) })
	revoked, unknown, untrusted := domainEntity(t, td.PKI, "example.uz"), domainEntity(t, td.PKI, "example.uz"), domainEntity(t, testpki.New(t, "ozdst"), "example.uz")
	thief := domainEntity(t, td.PKI, "example.uz")
	thief.Key = testpki.Key(t, "ozdst")
	td.status.of[revoked.Cert], td.status.of[unknown.Cert] = ocsp.Revoked, ocsp.Unknown
	for _, c := range []struct {
		name, dst, id string
		from          Caller
		typed         []string
		server        string
		user          ocsp.CertStatus
		status        int
		want          string
	}{
		{name: "256", dst: "256", want: "Параметр dst_id принимает значение от 0 до 255."},
		{name: "-1", dst: "-1", want: "Параметр dst_id принимает значение от 0 до 255."},
		{name: "+1", dst: "+1", want: "Параметр dst_id принимает значение от 0 до 255."},
		{name: "x", dst: "x", want: "Параметр dst_id принимает значение от 0 до 255."},
		{name: "empty", dst: "", want: "Параметр dst_id принимает значение от 0 до 255."},
		{name: "a fraction", dst: "1.0", want: "Параметр dst_id принимает значение от 0 до 255."},
		{name: "no address", dst: "0", from: Caller{"https://other.uz", "other.uz"}, want: "Не удалось определить IP-адрес и TCP-порт туннеля для домена other.uz."},
		{name: "a subdomain", dst: "0", from: Caller{"https://a.example.uz", "a.example.uz"}, want: "Не удалось определить IP-адрес и TCP-порт туннеля для домена a.example.uz."},
		{name: "no origin", dst: "0", from: Caller{"null", "null"}, want: "Не удалось определить домен."},
		{name: "unknown id", dst: "0", id: strings.Repeat("0", 32), status: -1010, want: noKeyID},
		{name: "no card", dst: "0", id: "idcard", want: "Считыватель не найден. Обновите список."},
		{name: "wrong password", dst: "0", typed: []string{"a", "b", "c"}, status: -5000, want: cancelled},
		{name: "cancel", dst: "0", typed: []string{"cancel"}, status: -5000, want: cancelled},
		{name: "server down", dst: "0", server: closed.Addr().String(), typed: []string{"Abc12345"}, want: failed + "сервер туннеля не отвечает, проверьте сеть и адрес туннеля"},
		{name: "server closes", dst: "0", server: hasty.Addr().String(), typed: []string{"Abc12345"}, want: failed + "соединение с сервером туннеля прервалось, попробуйте ещё раз"},
		{name: "another protocol", dst: "0", server: rude.Listener.Addr().String(), typed: []string{"Abc12345"}, want: failed + "сервер и агент не понимают друг друга: по этому адресу не сервер туннеля Imzo"},
		{name: "another domain's certificate", dst: "0", server: serve(domainEntity(t, td.PKI, "other.uz")), typed: []string{"Abc12345"}, want: "Несоответствующий сертификат туннела к домену example.uz"},
		{name: "expired", dst: "0", server: serve(expired), typed: []string{"Abc12345"}, want: failed + "сертификат сервера сейчас не действует, проверьте дату на этом компьютере"},
		{name: "revoked", dst: "0", server: serve(revoked), typed: []string{"Abc12345"}, want: failed + "сертификат сервера отозван, сообщите владельцу сайта"},
		{name: "status unknown", dst: "0", server: serve(unknown), typed: []string{"Abc12345"}, want: failed + "не удалось узнать, не отозван ли сертификат сервера, попробуйте позже"},
		{name: "untrusted", dst: "0", server: serve(untrusted), typed: []string{"Abc12345"}, want: failed + "сертификат сервера выдан не доверенным центром"},
		{name: "a stolen certificate", dst: "0", server: serve(thief), typed: []string{"Abc12345"}, want: failed + "сервер не доказал, что владеет ключом домена"},
		{name: "destination unknown", dst: "255", typed: []string{"Abc12345"}, want: failed + "на сервере нет назначения с таким dst_id"},
		{name: "destination down", dst: "7", typed: []string{"Abc12345"}, want: failed + "сервер не смог соединиться с назначением dst_id, попробуйте позже"},
		{name: "own certificate revoked", dst: "0", typed: []string{"Abc12345"}, user: ocsp.Revoked, want: failed + "ваш сертификат отозван, выберите другой ключ"},
		{name: "own status unknown", dst: "0", typed: []string{"Abc12345"}, user: ocsp.Unknown, want: failed + "сервер не смог узнать, не отозван ли ваш сертификат, попробуйте позже"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.id == "" {
				c.id = td.key
			}
			if c.from == (Caller{}) {
				c.from = site
			}
			if c.status == 0 {
				c.status = -9999
			}
			if c.server == "" {
				c.server = server
			}
			td.agent.options.Tunnels["example.uz"] = c.server
			delete(td.status.of, td.user.Cert)
			if c.user != ocsp.Good {
				td.status.of[td.user.Cert] = c.user
			}
			td.types(c.typed...)
			td.refused(t, c.from, "tunnel", "create_tunnel", c.status, c.want, c.dst, c.id)
			if len(td.person.passwords) > 0 {
				t.Error("not asked")
			}
			noRoomTaken(t, td.agent)
		})
	}
	td.agent.options.Tunnels["example.uz"] = server
	delete(td.status.of, td.user.Cert)
	ask(t, td.agent, site, `{"plugin":"tunnel","name":"create_tunnel","arguments":[null,"x"]}`, `{"success":false,"status":-9999,"reason":"Параметр dst_id принимает значение от 0 до 255."}`)
	ask(t, td.agent, site, `{"plugin":"tunnel","name":"create_tunnel","arguments":["0"]}`, noFunction)
	// A server that has no such domain says so.
	td.agent.options.Tunnels["other.uz"] = server
	other := Caller{"https://other.uz", "other.uz"}
	id := td.loadFrom(t, other)
	td.types("Abc12345")
	td.refused(t, other, "tunnel", "create_tunnel", -9999, failed+"сервер не обслуживает этот домен, проверьте адрес туннеля", "0", id)
	// In the page's language.
	callFunction(t, td.agent, "app", "change_ui_lang", "en")
	td.types("Abc12345")
	td.refused(t, site, "tunnel", "create_tunnel", -9999, "The tunnel cannot be made: the server has no destination with this dst_id", "9", td.key)
}

// loadFrom loads the key for another page.
func (d *desk) loadFrom(t *testing.T, from Caller) string {
	t.Helper()
	f, err := d.keys.Locate(keyring.PFX, d.stick, "", "DS1")
	if err != nil {
		t.Fatal(err)
	}
	return d.keys.Add(keyring.Session{Type: keyring.TypePFX, Origin: from.Origin, File: f, Alias: d.alias})
}

func TestWithoutTrustThereIsNoTunnel(t *testing.T) {
	td := newTunnelDesk(t, func(o *Options) { o.Anchors = nil })
	td.refused(t, site, "tunnel", "create_tunnel", -9999, "Ошибка установления туннеля: нет доверенных корневых сертификатов, чтобы проверить сервер: см. --trust", "0", td.key)
	if len(td.person.asked) != 0 {
		t.Error("asked for nothing")
	}
	td = newTunnelDesk(t, func(o *Options) { o.Anchors = cert.NewPool() })
	td.types("Abc12345")
	td.refused(t, site, "tunnel", "create_tunnel", -9999, "Ошибка установления туннеля: сертификат сервера выдан не доверенным центром", "0", td.key)
	// Nobody to ask for the status, and nothing stapled.
	td = newTunnelDesk(t, func(o *Options) { o.Revocation = nil })
	td.types("Abc12345")
	td.refused(t, site, "tunnel", "create_tunnel", -9999, "Ошибка установления туннеля: не удалось узнать, не отозван ли сертификат сервера, попробуйте позже", "0", td.key)
}

func TestForeignKeysOpenNoTunnel(t *testing.T) {
	user := testpki.New(t, "ecdsa:P-256").User(t, testpki.Person)
	foreign := &card{info: token.Info{Kind: token.KindBAIK, Name: "BAIK 1", MinPIN: 1, MaxPIN: 8, TriesLeft: 3}, pin: "71829", key: user.Key, chain: user.Chain}
	td := newTunnelDesk(t, func(o *Options) { o.Tokens = token.NewSet(nil, slot{foreign}) })
	td.types("71829")
	td.refused(t, site, "tunnel", "create_tunnel", -9999, "Ключ не по O'z DSt 1092 или O'z MSt 286", "0", "ckc")
}

func TestAnUnusedTunnelEnds(t *testing.T) {
	td := newTunnelDesk(t)
	td.agent.unused = 20 * time.Millisecond
	address := td.create(t, td.key, "Abc12345")
	td.far.waitEnded(t, 1)
	if got := knock(t, address, head(address, nil)); got != "refused" {
		t.Error(got)
	}
	noRoomTaken(t, td.agent)
	td.agent.wait(t.Context())
	if log := td.audited.String(); !strings.Contains(log, "function=tunnel.end status=-9999") || !strings.Contains(log, "sent=0 received=0") {
		t.Error(log)
	}
}

func TestTunnelsAreLimited(t *testing.T) {
	td := newTunnelDesk(t)
	const full = "Ошибка установления туннеля: открыто слишком много туннелей, закройте ненужные"
	for range maxPageTunnels {
		td.create(t, td.key, "Abc12345")
	}
	td.types()
	td.refused(t, site, "tunnel", "create_tunnel", -9999, full, "0", td.key)
	// Another page still gets one, until there are too many in all.
	other := Caller{"https://example.uz:8443", "example.uz"}
	id := td.loadFrom(t, other)
	td.types("wrong", "cancel")
	td.refused(t, other, "tunnel", "create_tunnel", -5000, cancelled, "0", id)
	for i := range maxTunnels - maxPageTunnels {
		if !td.agent.tunnels.take(strconv.Itoa(i)) {
			t.Fatal(i)
		}
	}
	td.types()
	td.refused(t, other, "tunnel", "create_tunnel", -9999, full, "0", id)
	for i := range maxTunnels - maxPageTunnels {
		td.agent.tunnels.give(strconv.Itoa(i))
	}
	td.agent.Close()
	td.agent.wait(t.Context())
	noRoomTaken(t, td.agent)
}

func TestTheAgentsEndIsThatOfItsTunnels(t *testing.T) {
	current := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, current) }) // after all others
	td := newTunnelDesk(t)
	unused := td.create(t, td.key, "Abc12345")
	waiting, err := net.Dial("tcp", unused)
	if err != nil {
		t.Fatal(err)
	}
	defer waiting.Close()
	c, err := dialTunnel(t, td.create(t, td.key, "Abc12345"), site.Origin)
	if err != nil {
		t.Fatal(err)
	}
	echoes(t, c, websocket.TextMessage, []byte("before"))
	td.agent.Close()
	ctx, cancel := context.WithTimeout(t.Context(), stopTime)
	defer cancel()
	td.agent.wait(ctx)
	if ctx.Err() != nil {
		t.Error("not waited for")
	}
	if _, _, err := c.ReadMessage(); err == nil {
		t.Error("the tunnel is still open")
	}
	if got := knock(t, unused, head(unused, nil)); got != "refused" {
		t.Error(got)
	}
	td.far.waitEnded(t, 2)
	_ = c.Close()
	if strings.Count(td.audited.String(), "tunnel.end") != 2 {
		t.Error(td.audited)
	}
	td.far.close()
	td.agent.keys.Close()
	http.DefaultClient.CloseIdleConnections()
}

// The server's end ends the page's connection.
func TestTheServersEndIsThatOfThePage(t *testing.T) {
	td := newTunnelDesk(t)
	c, err := dialTunnel(t, td.create(t, td.key, "Abc12345"), site.Origin)
	if err != nil {
		t.Fatal(err)
	}
	echoes(t, c, websocket.TextMessage, []byte("before"))
	td.far.close()
	if code, reason := ended(t, c); code != 0 && code != websocket.CloseAbnormalClosure {
		t.Error(code, reason)
	}
	noRoomTaken(t, td.agent)
}

// proofContent is what an end of a tunnel signs.
var proofContent = []byte(strings.Repeat(" ", 64) + "imzo tunnel 1 client proof\x00 and a digest")

func TestNoPageGetsTheProofOfATunnelSigned(t *testing.T) {
	td := newTunnelDesk(t)
	td.refused(t, site, "cryptoauth", "get_signature", -9999, "Эти данные подписывает только сам агент, когда создаёт туннель", b64(proofContent), td.key)
	if len(td.person.asked) != 0 {
		t.Error("asked")
	}
	td.types("Abc12345")
	wantFields(t, callFunction(t, td.agent, "cryptoauth", "get_signature", b64([]byte("some document")), td.key), map[string]any{"success": true})
}

func TestTheTunnelIsOfTheOlderGenerations(t *testing.T) {
	for c, want := range map[Compat]string{Compat6: noFunction, Compat5: `{"success":false,"status":-9999,"reason":"Не удалось определить IP-адрес и TCP-порт туннеля для домена example.uz."}`} {
		ask(t, newAgent(t, func(o *Options) { o.Compat = c }), site, `{"plugin":"tunnel","name":"create_tunnel","arguments":["0","x"]}`, want)
	}
}

// Every alert says something else, in each language.
func TestEveryAlertHasItsWords(t *testing.T) {
	for alert := tunnel.AlertInternal; alert <= tunnel.AlertAborted; alert++ {
		words, ok := tunnelAlerts[alert]
		if !ok {
			t.Error(alert, "has no words")
		}
		for _, w := range []text{words.found, words.told} {
			if alert == tunnel.AlertName && w.ru == "" {
				continue
			}
			if w.ru == "" || w.uz == "" || w.en == "" || strings.Contains(w.ru+w.uz+w.en, "%") {
				t.Errorf("%s: %+v", alert, w)
			}
		}
	}
}
