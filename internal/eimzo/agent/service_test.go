package agent

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"imzo/internal/eimzo/agent/prompt"
	"imzo/internal/i18n"
	"imzo/internal/secret"
)

// selfSigned is a certificate for 127.0.0.1.
func selfSigned(t *testing.T) (func(*tls.ClientHelloInfo) (*tls.Certificate, error), *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
	}, pool
}

// run starts a service and returns it with how to stop it.
func run(t *testing.T, o ServiceOptions) (*Service, func() error) {
	t.Helper()
	s, err := Listen(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	stop := sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() { _ = stop() })
	return s, stop
}

// call makes one call over a socket of its own.
func (s *Service) call(t *testing.T, origin, plugin, name string, args ...string) map[string]any {
	t.Helper()
	return callOver(t, websocket.DefaultDialer, "ws://"+s.WSAddress()+SocketPath, origin, plugin, name, args...)
}

func callOver(t *testing.T, dialer *websocket.Dialer, url, origin, plugin, name string, args ...string) map[string]any {
	t.Helper()
	header := http.Header{}
	if origin != "" {
		header.Set("Origin", origin)
	}
	c, _, err := dialer.Dial(url, header)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.WriteJSON(map[string]any{"plugin": plugin, "name": name, "arguments": args}); err != nil {
		t.Fatal(err)
	}
	var reply map[string]any
	if err := c.ReadJSON(&reply); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.ReadMessage(); !websocket.IsCloseError(err, 1000) {
		t.Errorf("not closed with 1000: %v", err)
	}
	return reply
}

// publicKey is the API key that E-IMZO gives everybody for localhost.
const publicKey = "96D0C1491615C82B9A54D9989779DF825B690748224C2B04F500F370D51827CE2644D8D4A82C18184D73AB8530BB8ED537269603F61DB0D03D2104ABF789970B"

func TestAServiceSignsForPagesOverBothPorts(t *testing.T) {
	d := newDesk(t)
	certificate, pool := selfSigned(t)
	o := ServiceOptions{
		Options:  Options{Prompter: &prompt.Headless{Default: secret.New([]byte("Abc12345"))}, Now: func() time.Time { return d.now }},
		StateDir: filepath.Join(t.TempDir(), "state"), Dirs: []string{d.stick}, Certificate: certificate,
	}
	s, stop := run(t, o)
	const page = "http://localhost:8000"
	wantFields(t, s.call(t, page, "pfx", "list_all_certificates"), map[string]any{"success": false, "status": -1022, "reason": "API-key для домена localhost недействителен."})
	wantFields(t, s.call(t, page, "", "apikey", "localhost", publicKey), map[string]any{"success": true, "message": page})
	id := fmt.Sprint(s.call(t, page, "pfx", "load_key", d.stick+"/", "", "DS1", d.alias)["keyId"])
	dialer := &websocket.Dialer{TLSClientConfig: &tls.Config{RootCAs: pool}}
	reply := callOver(t, dialer, "wss://"+s.WSSAddress()+SocketPath, page, "pkcs7", "create_pkcs7", "AAAA", id)
	wantFields(t, reply, map[string]any{"success": true, "signer_serial_number": d.user.Cert.SerialHex()})
	if strings.Contains(s.PageURL(), "https") {
		t.Error(s.PageURL())
	}

	// A socket that waits is told of the end.
	waiting, _, err := websocket.DefaultDialer.Dial("ws://"+s.WSAddress()+SocketPath+"?keepConnection", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer waiting.Close()
	told := make(chan error, 1)
	go func() {
		_, _, err := waiting.ReadMessage()
		told <- err
	}()
	if err := stop(); err != nil {
		t.Error(err)
	}
	if err := <-told; !websocket.IsCloseError(err, websocket.CloseGoingAway) {
		t.Error(err)
	}

	// The audit log names site, function and key, and keeps no content.
	b, err := os.ReadFile(filepath.Join(o.StateDir, AuditFile))
	if err != nil {
		t.Fatal(err)
	}
	var last map[string]any
	lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	if err := json.Unmarshal(lines[len(lines)-1], &last); err != nil {
		t.Fatal(err)
	}
	wantFields(t, last, map[string]any{"origin": page, "function": "pkcs7.create_pkcs7", "status": 1, "serial": d.user.Cert.SerialHex(), "size": 3})
	for _, never := range []string{"AAAA", "Abc12345", id} {
		if bytes.Contains(b, []byte(never)) {
			t.Errorf("the audit log has %q: %s", never, b)
		}
	}

	// The API key is still there after a restart, the key id is not.
	again, _ := run(t, o)
	wantFields(t, again.call(t, page, "pkcs7", "create_pkcs7", "AAAA", id), map[string]any{"status": -1010, "reason": noKeyID})
	if reply := again.call(t, page, "pfx", "list_all_certificates"); len(reply["certificates"].([]any)) != 1 {
		t.Error(reply)
	}
}

func TestAServiceSaysWhyItDoesNotStart(t *testing.T) {
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	certificate, _ := selfSigned(t)
	file := filepath.Join(t.TempDir(), "file")
	blocked := t.TempDir()
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(blocked, AuditFile), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*ServiceOptions)
		want   string
	}{
		"port":       {func(o *ServiceOptions) { o.WSPort = port }, "--ws-port"},
		"TLS port":   {func(o *ServiceOptions) { o.WSSPort, o.Certificate = port, certificate }, "--wss-port"},
		"no port":    {func(o *ServiceOptions) { o.WSPort = NoPort }, "without any port"},
		"state":      {func(o *ServiceOptions) { o.StateDir = file }, "file"},
		"audit":      {func(o *ServiceOptions) { o.StateDir = blocked }, "audit log"},
		"form":       {func(o *ServiceOptions) { o.Form = "window" }, "no way to ask"},
		"generation": {func(o *ServiceOptions) { o.Compat = "7" }, "compat"},
	} {
		o := ServiceOptions{StateDir: filepath.Join(t.TempDir(), "state")}
		c.change(&o)
		if s, err := Listen(o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
			if err == nil {
				s.Close()
			}
		}
	}
}

func TestAPageAsksThePersonInAPage(t *testing.T) {
	d := newDesk(t)
	opened := make(chan string, 4)
	var told bytes.Buffer
	s, _ := run(t, ServiceOptions{
		Options: Options{Now: time.Now, Language: i18n.English}, StateDir: t.TempDir(), Dirs: []string{d.stick}, WSSPort: NoPort,
		Form: prompt.FormWeb, Out: &told, OpenBrowser: func(a string) error { opened <- a; return nil }, Developer: true,
	})
	done := make(chan map[string]any, 1)
	go func() { done <- s.call(t, "http://new.uz", "pfx", "list_disks") }()
	address := <-opened
	response, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil || !bytes.Contains(page, []byte("new.uz asks for permission")) {
		t.Fatalf("%s %v", page, err)
	}
	if response.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("others may read it")
	}
	_, form, _ := bytes.Cut(page, []byte(`name="form" value="`))
	form, _, _ = bytes.Cut(form, []byte(`"`))
	r, err := http.NewRequest("POST", address, strings.NewReader("action=agree&form="+string(form)))
	if err != nil {
		t.Fatal(err)
	}
	r.AddCookie(response.Cookies()[0])
	if response, err = http.DefaultClient.Do(r); err != nil || response.StatusCode != 200 {
		t.Fatal(response, err)
	}
	_ = response.Body.Close()
	if reply := <-done; reply["success"] != true {
		t.Error(reply)
	}
	// The menu opens, but not as often as a page likes.
	s.call(t, "http://localhost", "", "apikey", "localhost", publicKey)
	for range 5 {
		s.call(t, "http://localhost", "app", "show_menu")
	}
	if a := <-opened; a != s.PageURL()+"/" || len(opened) != 0 {
		t.Errorf("%s and %d more", a, len(opened))
	}
}

func TestTheAuditLogIsBoundedAndKeepsSignatures(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	l, err := OpenAudit(dir, func() time.Time { return now }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	l.maxSize, l.maxFiles = 12_000, 3
	line := func(origin, function string, more ...slog.Attr) {
		l.Write(append([]slog.Attr{slog.String("origin", origin), slog.String("function", function), slog.Int("status", 1)}, more...))
	}
	for range 1000 {
		line("https://flood.uz", "pkcs7.create_pkcs7")
		line("https://flood.uz", "pfx.list_disks")
		line("https://flood.uz", "version")
	}
	for i := range 100 {
		line("https://flood.uz", "pkcs7.create_pkcs7", slog.String("serial", fmt.Sprint("n", i)))
	}
	now = now.Add(time.Minute)
	line("https://flood.uz", "pfx.load_key")
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	all := read("audit.log.1") + read("audit.log")
	if n := strings.Count(all, "create_pkcs7"); n != auditRefusals+100 {
		t.Errorf("%d lines", n)
	}
	if strings.Contains(all, "list_disks") || strings.Contains(all, "version") || !strings.Contains(all, `"left_out":940`) || !strings.Contains(all, `"time":"2026-03-01T10:00:00Z"`) {
		t.Error(all[len(all)-500:])
	}
	for range 1000 {
		line("https://x.uz", "pkcs7.create_pkcs7", slog.String("serial", "1"))
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 3 {
		t.Errorf("%v %v", files, err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil || info.Size() > 12_000 || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %d %v", f.Name(), info.Size(), info.Mode())
		}
	}
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 50 {
				line("https://y.uz", "pkcs7.create_pkcs7", slog.String("serial", "2"))
			}
		})
	}
	wait.Wait()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if n := strings.Count(read("audit.log.2")+read("audit.log.1")+read("audit.log"), `"serial":"2"`); n == 0 || strings.Contains(read("audit.log"), "}{") {
		t.Error("lines are lost or mixed")
	}
}

// TestAnAuditLogThatIsLostBeginsAgain: its folder was away while a new file
// should have begun.
func TestAnAuditLogThatIsLostBeginsAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := OpenAudit(dir, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	l.maxSize = 1
	line := func() {
		l.Write([]slog.Attr{slog.String("function", "pkcs7.create_pkcs7"), slog.String("serial", "1")})
	}
	line()
	if err := os.Rename(dir, dir+"2"); err != nil {
		t.Skip("a folder with an open file cannot be moved here")
	}
	line()
	if !l.closed {
		t.Error("the file was not lost")
	}
	if err := os.Rename(dir+"2", dir); err != nil {
		t.Fatal(err)
	}
	line()
	if text, err := os.ReadFile(filepath.Join(dir, AuditFile)); err != nil || !strings.Contains(string(text), "create_pkcs7") || l.closed {
		t.Errorf("%s %v", text, err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestAnAuditLogThatCannotBeWrittenIsTold(t *testing.T) {
	var told bytes.Buffer
	l, err := OpenAudit(t.TempDir(), time.Now, slog.New(slog.NewTextHandler(&told, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.file.Close(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		l.Write([]slog.Attr{slog.String("function", "pkcs7.create_pkcs7"), slog.String("serial", "1")})
	}
	if n := strings.Count(told.String(), "cannot be written"); n != 1 {
		t.Errorf("told %d times: %s", n, told.String())
	}
}
