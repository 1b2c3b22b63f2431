package server

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/cert"
)

// writeTLS writes a certificate of its own for 127.0.0.1, with a name to know
// it by.
func writeTLS(t testing.TB, dir, name string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "tls.crt"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	writeFile(t, filepath.Join(dir, "tls.key"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})))
}

// running is a server that Run started.
type running struct {
	address string
	log     *lines
	stop    func() error
}

// start runs the configuration in dir until the test ends.
func start(t *testing.T, dir, text string) *running {
	t.Helper()
	path := filepath.Join(dir, "config.properties")
	writeFile(t, path, "listen.ip=127.0.0.1\nlisten.port=0\n"+text)
	log := &lines{want: "Started http server on: ", come: make(chan string, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, path, Deps{Logger: slog.New(slog.NewTextHandler(log, nil))}) }()
	r := &running{log: log}
	select {
	case r.address = <-log.come:
	case err := <-ended:
		cancel()
		t.Fatal(err)
	}
	stopped := false
	r.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-ended
	}
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func (r *running) logged(text string) bool {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	return strings.Contains(r.log.text.String(), text)
}

// eventually waits for what another process or goroutine brings about.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// TestAHangupReplacesTrustAndCertificateWithoutALostRequest sends requests all
// the while.
func TestAHangupReplacesTrustAndCertificateWithoutALostRequest(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows sends no SIGHUP")
	}
	first, second := testpki.NewAt(t, "ecdsa:P-256", time.Now()), testpki.NewAt(t, "ecdsa:P-256", time.Now())
	dir := t.TempDir()
	writeTLS(t, dir, "first")
	writeFile(t, filepath.Join(dir, "root.pem"), string(cert.EncodePEM(first.Root.Cert)))
	r := start(t, dir, "trust.pem.file.path=root.pem\ntls.certificate.file.path=tls.crt\ntls.key.file.path=tls.key\n")
	insecure := &tls.Config{InsecureSkipVerify: true} // which certificate it is, is the test
	info := func(client *http.Client) (served string, root string, err error) {
		res, err := client.Get("https://" + r.address + "/info")
		if err != nil {
			return "", "", err
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			return "", "", err
		}
		var v infoView
		if err := json.Unmarshal(text, &v); err != nil || res.StatusCode != http.StatusOK || len(v.TrustedCertificates) != 1 {
			return "", "", fmt.Errorf("HTTP %d %s: %w", res.StatusCode, text, err)
		}
		return res.TLS.PeerCertificates[0].Subject.CommonName, v.TrustedCertificates[0].SerialNumber, nil
	}
	fresh := func() (string, string, error) {
		transport := &http.Transport{TLSClientConfig: insecure, DisableKeepAlives: true}
		defer transport.CloseIdleConnections()
		return info(&http.Client{Transport: transport})
	}
	if name, root, err := fresh(); err != nil || name != "first" || root != first.Root.Cert.SerialHex() {
		t.Fatal(name, root, err)
	}

	done := make(chan struct{})
	var answered atomic.Int32
	lost := make(chan error, 4)
	for range cap(lost) {
		go func() {
			transport := &http.Transport{TLSClientConfig: insecure}
			defer transport.CloseIdleConnections()
			client := &http.Client{Transport: transport}
			for {
				select {
				case <-done:
					lost <- nil
					return
				default:
				}
				if _, _, err := info(client); err != nil {
					lost <- err
					return
				}
				answered.Add(1)
			}
		}()
	}
	hangup := func() {
		t.Helper()
		self, err := os.FindProcess(os.Getpid())
		if err == nil {
			err = self.Signal(syscall.SIGHUP)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	writeTLS(t, dir, "second")
	writeFile(t, filepath.Join(dir, "root.pem"), string(cert.EncodePEM(second.Root.Cert)))
	hangup()
	eventually(t, "both are new", func() bool {
		name, root, err := fresh()
		return err == nil && name == "second" && root == second.Root.Cert.SerialHex()
	})
	// What cannot be read stays as it was.
	writeFile(t, filepath.Join(dir, "root.pem"), "nothing")
	writeFile(t, filepath.Join(dir, "tls.crt"), "nothing")
	hangup()
	eventually(t, "the failure is in the log", func() bool { return r.logged("what cannot be read stays as it was") })
	if name, root, err := fresh(); err != nil || name != "second" || root != second.Root.Cert.SerialHex() {
		t.Error(name, root, err)
	}
	eventually(t, "requests went on", func() bool { return answered.Load() > 50 })
	close(done)
	for range cap(lost) {
		if err := <-lost; err != nil {
			t.Errorf("a request was lost: %v", err)
		}
	}
}

func TestTheBackEndHasAPortAndATokenOfItsOwn(t *testing.T) {
	pki := testpki.NewAt(t, "ecdsa:P-256", time.Now())
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "root.pem"), string(cert.EncodePEM(pki.Root.Cert)))
	const token = "0123456789abcdef0123456789abcdef"
	r := start(t, dir, "trust.pem.file.path=root.pem\nbackend.listen.port=0\nbackend.token="+token+"\nmetrics.server.enabled=yes\nmetrics.server.listen.ip=127.0.0.1\nmetrics.server.listen.port=0\n")
	addressOf := func(what string) string {
		r.log.mu.Lock()
		defer r.log.mu.Unlock()
		_, after, ok := strings.Cut(r.log.text.String(), what)
		if !ok {
			t.Fatalf("no %q in\n%s", what, r.log.text.String())
		}
		return strings.TrimRight(strings.Fields(after)[0], `"`)
	}
	eventually(t, "all ports are open", func() bool { return r.logged("Started metrics on: ") })
	backEnd, metrics := addressOf("Started http server of the back end on: "), addressOf("Started metrics on: ")
	client := newClient(t)
	for _, c := range []struct {
		address, path, authorization string
		want                         int
	}{
		{r.address, "/frontend/challenge", "", 200},
		{r.address, "/info", "", 200},
		{r.address, "/backend/auth", "", 404},
		{r.address, "/backend/auth", "Bearer " + token, 404},
		{r.address, "/metrics", "", 404},
		{r.address, "/healthz/ready", "", 404},
		{r.address, "/openapi.json", "", 404},
		{backEnd, "/frontend/challenge", "", 200},
		{backEnd, "/healthz/live", "", 200},
		{backEnd, "/metrics", "", 200},
		{backEnd, "/backend/auth", "", 401},
		{backEnd, "/backend/auth", "Bearer wrong", 401},
		{backEnd, "/backend/auth", "Basic " + token, 401},
		{backEnd, "/backend/auth", token, 401},
		{backEnd, "/backend/auth", "Bearer " + token, 400}, // no body, but past the door
		{backEnd, "/backend/auth", "bearer " + token, 400},
		{metrics, "/metrics", "", 200},
		{metrics, "/info", "", 404},
		{metrics, "/backend/auth", "Bearer " + token, 404},
	} {
		req, err := http.NewRequest("GET", "http://"+c.address+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.authorization != "" {
			req.Header.Set("Authorization", c.authorization)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != c.want {
			t.Errorf("%+v: HTTP %d %s", c, res.StatusCode, text)
		}
		if c.want == 401 && !strings.HasPrefix(res.Header.Get("WWW-Authenticate"), "Bearer") {
			t.Errorf("%+v: no challenge", c)
		}
	}
	if r.logged(token) {
		t.Error("the token is in the log")
	}
}

func TestCheckFindsWhatAStartWouldFind(t *testing.T) {
	pki := testpki.New(t, "ecdsa:P-256")
	dir := t.TempDir()
	path := filepath.Join(dir, "config.properties")
	writeFile(t, filepath.Join(dir, "root.pem"), string(cert.EncodePEM(pki.Root.Cert, pki.CA.Cert)))
	writeFile(t, path, "trust.pem.file.path=root.pem\nlisten.ip=192.0.2.1\ncache.type=redis\ncache.redis.host=192.0.2.1\n")
	now := func() time.Time { return pki.Now }
	r := Check(path, nil, now)
	if len(r.Errors) != 0 || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "certificate is not trusted: it is no root") {
		t.Errorf("%+v", r)
	}
	r = Check(path, nil, func() time.Time { return pki.Now.AddDate(50, 0, 0) })
	if len(r.Warnings) != 2 || !strings.Contains(r.Warnings[1], "outside of its validity") {
		t.Errorf("%+v", r)
	}
	r = Check(path, []string{"EIMZO_CFG_TRUST_PEM_FILE_PATH=absent.pem"}, now)
	if len(r.Errors) != 1 || !strings.Contains(r.Errors[0], "trust.pem.file.path") || !strings.Contains(r.Errors[0], "absent.pem") {
		t.Errorf("%+v", r)
	}
}
