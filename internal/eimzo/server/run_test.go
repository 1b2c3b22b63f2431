package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/cert"
)

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// serve runs a server on a free port until the test ends and returns its URL.
func serve(t testing.TB, s *Server) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, Listeners{Main: ln}) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return "http://" + ln.Addr().String()
}

func newClient(t testing.TB) *http.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 8}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 30 * time.Second}
}

// TestAWholeLoginAndSignature goes through everything a site does, over real
// connections.
func TestAWholeLoginAndSignature(t *testing.T) {
	w := newWorld(t)
	base := serve(t, w.server)
	client := newClient(t)
	call := func(method, path, body string) reply {
		t.Helper()
		req, err := http.NewRequest(method, base+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "example.uz"
		req.Header.Set("X-Real-IP", "1.2.3.4")
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%s: HTTP %d %s %v", path, res.StatusCode, text, err)
		}
		v := reply{raw: string(text)}
		if err := json.Unmarshal(text, &v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	challenge := call("GET", "/frontend/challenge", "").Challenge
	login := call("POST", pathAuth, b64(w.sign(t, challenge)))
	login.want(t, statusOK, MessageNone)
	if login.SubjectCertificateInfo.SubjectName["CN"] != "sfasdfa s asdfasd" {
		t.Errorf("%s", login.raw)
	}
	contract := b64([]byte(strings.Repeat("contract ", 100_000)))
	content := strings.Repeat("contract ", 100_000)
	stamped := call("POST", pathStamp, b64(w.sign(t, content, detached)))
	stamped.want(t, statusOK, MessageNone)
	call("POST", pathDetached, contract+"|"+b64(stamped.PKCS7)).want(t, statusOK, MessageNone)
	attached := call("POST", pathMake, contract+"|"+b64(stamped.PKCS7))
	attached.want(t, statusOK, MessageNone)
	second := w.User(t, "CN=SECOND")
	joined := call("POST", pathJoin, b64(attached.PKCS7)+"|"+b64(w.signAs(t, second, content)))
	joined.want(t, statusOK, MessageNone)
	verified := call("POST", pathAttached, b64(joined.PKCS7))
	verified.want(t, statusOK, MessageNone)
	if len(verified.PKCS7Info.Signers) != 2 || string(*verified.PKCS7Info.DocumentBase64) != content {
		t.Errorf("%d signers, %d octets", len(verified.PKCS7Info.Signers), len(*verified.PKCS7Info.DocumentBase64))
	}
	// One request line each, with the status and the signer.
	if n := strings.Count(w.logs.String(), `"msg":"request"`); n < 6 {
		t.Errorf("%d request lines", n)
	}
	for _, part := range []string{`"route":"/backend/auth"`, `"status":1`, `"serial":"` + w.user.Cert.SerialHex() + `"`, "Started http server on: 127.0.0.1:", "Registered: /backend/pkcs7/verify/detached"} {
		if !strings.Contains(w.logs.String(), part) {
			t.Errorf("no %s in the log", part)
		}
	}
}

func TestHostsThatAreNoHostsReachTheServer(t *testing.T) {
	w := newWorld(t)
	base := serve(t, w.server)
	for _, host := range []string{"http://localhost/frontend/challenge", "два слова", ""} {
		c, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "GET /frontend/challenge HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host)
		b, err := io.ReadAll(c)
		c.Close()
		if err != nil || !strings.HasPrefix(string(b), "HTTP/1.1 200 OK\r\n") {
			t.Errorf("Host %q: %.100q, %v", host, b, err)
		}
	}
}

// lines collects log lines and tells when one with a text has come.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
	want string
	come chan string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(p)
	if _, after, ok := strings.Cut(string(p), l.want); ok {
		l.come <- strings.Trim(after, "\"\n")
	}
	return len(p), nil
}

func TestRunServesWhatTheFileSays(t *testing.T) {
	pki := testpki.NewAt(t, "ecdsa:P-256", time.Now())
	dir := t.TempDir()
	path := filepath.Join(dir, "conf", "config.properties")
	// A trust store as the original has it: roots, CAs and services.
	writeFile(t, filepath.Join(dir, "conf", "keys", "trust.pem"), string(cert.EncodePEM(pki.CA.Cert, pki.Root.Cert, pki.TSA.Cert)))
	writeFile(t, path, "listen.ip=127.0.0.1\nlisten.port=0\ntrust.pem.file.path=keys/trust.pem\nlisten.prot=1\n")
	log := &lines{want: "Started http server on: ", come: make(chan string, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- Run(ctx, path, Deps{Logger: slog.New(slog.NewTextHandler(log, nil)), Version: "1.2.3"})
	}()
	var addr string
	select {
	case addr = <-log.come:
	case err := <-ended:
		t.Fatal(err)
	}
	res, err := newClient(t).Get("http://" + addr + "/info")
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(res.Body)
	res.Body.Close()
	var v infoView
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	if v.Version != "1.2.3" || len(v.TrustedCertificates) != 1 || v.TrustedCertificates[0].SerialNumber != pki.Root.Cert.SerialHex() {
		t.Errorf("%s", text)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	log.mu.Lock()
	defer log.mu.Unlock()
	for _, want := range []string{"did you mean listen.port?", "it is no root", pki.TSA.Cert.SerialHex(), "imzo server version: 1.2.3", "Dates in replies are in Asia/Tashkent", "Stopped"} {
		if !strings.Contains(log.text.String(), want) {
			t.Errorf("no %q in the log:\n%s", want, log.text.String())
		}
	}
}

func TestAServerDoesNotStartWithoutWhatItNeeds(t *testing.T) {
	pki := testpki.New(t, "ecdsa:P-256")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "root.pem"), string(cert.EncodePEM(pki.Root.Cert)))
	writeFile(t, filepath.Join(dir, "ca.pem"), string(cert.EncodePEM(pki.CA.Cert)))
	writeFile(t, filepath.Join(dir, "text.pem"), "no certificate")
	leaf := pki.SelfSigned(t, func(tmpl *cert.Template) { tmpl.BasicConstraints, tmpl.KeyUsage = nil, 0 }, pki.KeySpec)
	writeFile(t, filepath.Join(dir, "leaf.pem"), string(cert.EncodePEM(leaf.Cert)))
	forged := *pki.Root.Cert
	forged.Raw = append([]byte{}, forged.Raw...)
	forged.Raw[len(forged.Raw)-1] ^= 1
	writeFile(t, filepath.Join(dir, "forged.pem"), string(cert.EncodePEM(&forged)))

	for text, want := range map[string]string{
		"":                                "trust.pem.file.path",
		guideFile(t, "config.properties"): "tsp.jks.file.path",
		"trust.pem.file.path=absent.pem":  "no such file",
		"trust.pem.file.path=text.pem":    "no certificate",
		"trust.pem.file.path=ca.pem":      "no trusted roots",
		"trust.pem.file.path=leaf.pem":    "no trusted roots",
		"trust.pem.file.path=forged.pem":  "no trusted roots",
		"cache.type=redis":                "tsp.jks.file.path",
		"trust.pem.file.path=root.pem\nlisten.ip=127.0.0.1\nlisten.port=" + port: "listen.port",
	} {
		path := filepath.Join(dir, "config.properties")
		writeFile(t, path, text)
		if err := Run(t.Context(), path, Deps{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
	if err := Run(t.Context(), filepath.Join(dir, "absent"), Deps{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if _, err := New(DefaultConfig(), Deps{Anchors: cert.NewPool()}); !errors.Is(err, ErrNoTrust) {
		t.Errorf("%v", err)
	}
}

func TestFilesAreLookedForBesideTheConfigurationFirst(t *testing.T) {
	dir, work := t.TempDir(), t.TempDir()
	t.Chdir(work)
	config := filepath.Join(dir, "config.properties")
	if got := findFile("root.pem", config); got != filepath.Join(dir, "root.pem") {
		t.Errorf("nowhere: %s", got)
	}
	writeFile(t, "root.pem", "")
	if got := findFile("root.pem", config); got != "root.pem" {
		t.Errorf("in the working directory: %s", got)
	}
	writeFile(t, filepath.Join(dir, "root.pem"), "")
	if got := findFile("root.pem", config); got != filepath.Join(dir, "root.pem") {
		t.Errorf("in both: %s", got)
	}
	writeFile(t, config, "trust.pem.file.path=root.pem")
	if c, _, err := LoadConfig(config, nil); err != nil || c.TrustPEMFile != filepath.Join(dir, "root.pem") {
		t.Errorf("what is loaded: %s, %v", c.TrustPEMFile, err)
	}
	if got := findFile("/etc/root.pem", config); got != "/etc/root.pem" {
		t.Errorf("absolute: %s", got)
	}
	if got := findFile("", config); got != "" {
		t.Errorf("none: %s", got)
	}
}

func TestARootOutsideItsValidityIsReported(t *testing.T) {
	w := newWorld(t)
	w.advance(50 * 365 * 24 * time.Hour)
	serve(t, w.server)
	for end := time.Now().Add(10 * time.Second); !strings.Contains(w.logs.String(), "outside of its validity"); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(w.logs.String())
		}
	}
}
