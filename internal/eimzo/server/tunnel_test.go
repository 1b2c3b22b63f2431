package server

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"imzo/internal/eimzo/tunnel"
	"imzo/internal/health"
	"imzo/internal/testpki"
	"imzo/internal/testpki/services"
	"imzo/pki/ber"
	"imzo/pki/cert"
	"imzo/pki/keystore"
)

// writeDomain puts the key of a domain into the folder of a server.
func writeDomain(t testing.TB, p *testpki.PKI, dir, domain, password string, mods ...func(*cert.Template)) testpki.Entity {
	t.Helper()
	e := p.Issue(t, p.CA, func(tmpl *cert.Template) {
		tmpl.Subject = testpki.Name(t, "CN="+domain)
		tmpl.KeyUsage, tmpl.ExtKeyUsage, tmpl.DNSNames = cert.KeyUsageDigitalSignature, []ber.OID{cert.OIDServerAuth}, []string{domain}
		for _, mod := range mods {
			mod(tmpl)
		}
	}, p.KeySpec)
	pfx, err := keystore.CreatePFX(rand.Reader, []keystore.Entry{{Alias: domain, Key: e.Key, Chain: e.Chain}}, password, keystore.ProfileModern)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, domain+".pfx"), string(pfx))
	return e
}

// echoes is a destination that answers with its name and what it gets.
func echoes(t testing.TB, name string) (port string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.WriteString(c, name+":")
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	t.Cleanup(func() { _ = ln.Close(); <-done })
	_, port, _ = net.SplitHostPort(ln.Addr().String())
	return port
}

// throughTunnel sends text and returns what comes back until the end.
func throughTunnel(address string, c tunnel.ClientConfig, text string) (string, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	tun, err := tunnel.Client(ctx, conn, c)
	if err != nil {
		return "", err
	}
	defer tun.Close()
	_ = tun.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.WriteString(tun, text); err != nil {
		return "", err
	}
	if err := tun.CloseWrite(); err != nil {
		return "", err
	}
	got, err := io.ReadAll(tun)
	return string(got), err
}

func tunnelUser(p *testpki.PKI, user testpki.Entity, domain string) tunnel.ClientConfig {
	return tunnel.ClientConfig{
		Identity: tunnel.Identity{Key: user.Key, Chain: user.Chain[:2]}, Domain: domain,
		Trust: tunnel.Trust{Anchors: p.Anchors(), Status: func(context.Context, *cert.Certificate, *cert.Certificate) (bool, error) { return false, nil }},
		Rand:  rand.Reader, Now: time.Now,
	}
}

// tunnelWorld is a configuration with a tunnel, and the services around it.
type tunnelWorld struct {
	*testpki.PKI
	dir, text string
	services  *services.Services
}

func newTunnelWorld(t *testing.T) *tunnelWorld {
	t.Helper()
	p := testpki.NewAt(t, "ozdst", time.Now())
	w := &tunnelWorld{PKI: p, dir: t.TempDir(), services: services.Start(p, time.Now)}
	t.Cleanup(w.services.Close)
	writeFile(t, filepath.Join(w.dir, "root.pem"), string(cert.EncodePEM(p.Root.Cert)))
	w.text = "trust.pem.file.path=root.pem\nocsp.url=" + w.services.OCSPURL + "\ntunnel.enabled=yes\ntunnel.listen.ip=127.0.0.1\ntunnel.listen.port=0\ntunnel.servers.password=secret\ntunnel.drain.seconds=1\n"
	return w
}

func tunnelAddress(t *testing.T, r *running) string {
	t.Helper()
	eventually(t, "the tunnel is open", func() bool { return r.logged("Started tunnel on: ") })
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	_, after, _ := strings.Cut(r.log.text.String(), "Started tunnel on: ")
	return strings.TrimRight(strings.Fields(after)[0], `"`)
}

func hangup(t *testing.T) {
	t.Helper()
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Signal(syscall.SIGHUP)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestAServerWithATunnel goes through what its administrator does: start,
// change a key and a destination, look at health and metrics, stop.
func TestAServerWithATunnel(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows sends no SIGHUP")
	}
	w := newTunnelWorld(t)
	folder := filepath.Join(w.dir, "tunnel", "servers")
	site := writeDomain(t, w.PKI, folder, "example.uz", "secret")
	destination := func(name string) string {
		return "tunnel.destination.0.host=127.0.0.1\ntunnel.destination.0.port=" + echoes(t, name) + "\n"
	}
	r := start(t, w.dir, w.text+destination("first"))
	address := tunnelAddress(t, r)
	user := w.User(t, testpki.Person)
	ask := func(domain string) (string, error) {
		return throughTunnel(address, tunnelUser(w.PKI, user, domain), "salom")
	}
	if got, err := ask("example.uz"); err != nil || got != "first:salom" {
		t.Fatalf("%q, %v", got, err)
	}
	if _, err := ask("second.uz"); !isAlert(err, tunnel.AlertDomain) {
		t.Errorf("a domain that is not there: %v", err)
	}
	// Log-ins ask for every status anew, and so do tunnels.
	w.services.Revoke(user.Cert, time.Now().Add(-time.Hour))
	if _, err := ask("example.uz"); !isAlert(err, tunnel.AlertRevoked) {
		t.Errorf("a user revoked since: %v", err)
	}
	user = w.User(t, testpki.Person)

	page := func(path string) string {
		res, err := newClient(t).Get("http://" + r.address + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusOK && path == "/metrics" {
			t.Fatal(res.StatusCode, err)
		}
		return string(text)
	}
	var report health.Report
	if err := json.Unmarshal([]byte(page("/healthz/ready")), &report); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, c := range report.Checks {
		if c.Name == "tunnel" {
			found = c.Status == health.OK && strings.Contains(c.Detail, "example.uz")
		}
	}
	if !found {
		t.Errorf("%+v", report)
	}
	for _, want := range []string{`imzo_tunnels_total{result="domain"} 1`, `imzo_tunnels_total{result="revoked"} 1`, `kind="tunnel",serial="` + site.Cert.SerialHex() + `"`} {
		// What the client is told the server counts a moment later.
		for until := time.Now().Add(5 * time.Second); !strings.Contains(page("/metrics"), want); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(until) {
				t.Fatalf("no %s", want)
			}
		}
	}

	// What is changed is there after a hang-up.
	if err := os.Remove(filepath.Join(folder, "example.uz.pfx")); err != nil {
		t.Fatal(err)
	}
	writeDomain(t, w.PKI, folder, "second.uz", "secret")
	writeFile(t, filepath.Join(w.dir, "config.properties"), "listen.ip=127.0.0.1\nlisten.port=0\n"+w.text+destination("other"))
	hangup(t)
	eventually(t, "the new key", func() bool { return r.logged("Tunnel of second.uz") })
	if got, err := ask("second.uz"); err != nil || got != "other:salom" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := ask("example.uz"); !isAlert(err, tunnel.AlertDomain) {
		t.Errorf("a domain whose key is gone: %v", err)
	}
	// What cannot be read stays as it was.
	writeFile(t, filepath.Join(folder, "second.uz.pfx"), "nothing")
	writeFile(t, filepath.Join(w.dir, "config.properties"), "tunnel.destination.0.host=x\n")
	hangup(t)
	eventually(t, "the failure is in the log", func() bool {
		return r.logged("what cannot be read stays as it was") && r.logged("second.uz.pfx") && r.logged("it needs tunnel.destination.0.port")
	})
	if got, err := ask("second.uz"); err != nil || got != "other:salom" {
		t.Errorf("%q, %v", got, err)
	}
	if r.logged("secret") || r.logged("salom") {
		t.Error("the log knows too much")
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", address); err == nil {
		t.Error("it listens after its end")
	}
}

func isAlert(err error, a tunnel.Alert) bool {
	var e *tunnel.Error
	return errors.As(err, &e) && e.Alert == a && e.Remote
}

// The trust store of the tunnel is its own: whom the rest of the server trusts
// does not matter.
func TestUsersOfTheTunnelAreTrustedByItsOwnStore(t *testing.T) {
	w := newTunnelWorld(t)
	writeDomain(t, w.PKI, filepath.Join(w.dir, "tunnel", "servers"), "example.uz", "secret")
	others := testpki.NewAt(t, "ozdst", time.Now())
	store, err := keystore.CreateTrustStore([]*cert.Certificate{w.CA.Cert, w.TSA.Cert}, "12346578", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(w.dir, "tunnel", "truststore.jks"), string(store))
	writeFile(t, filepath.Join(w.dir, "root.pem"), string(cert.EncodePEM(others.Root.Cert)))
	r := start(t, w.dir, w.text+"tunnel.truststore.file=tunnel/truststore.jks\ntunnel.truststore.password=12346578\ntunnel.destination.0.host=127.0.0.1\ntunnel.destination.0.port="+echoes(t, "a")+"\n")
	address := tunnelAddress(t, r)
	if got, err := throughTunnel(address, tunnelUser(w.PKI, w.User(t, testpki.Person), "example.uz"), "b"); err != nil || got != "a:b" {
		t.Errorf("%q, %v", got, err)
	}
	c := tunnelUser(w.PKI, others.User(t, testpki.Person), "example.uz")
	if _, err := throughTunnel(address, c, "b"); !isAlert(err, tunnel.AlertUntrusted) {
		t.Errorf("somebody whom only the rest of the server trusts: %v", err)
	}
	if !r.logged("it is not the certificate of a CA") {
		t.Error("nothing about the TSA in the trust store")
	}
}

func TestCheckLooksAtTheFilesOfTheTunnel(t *testing.T) {
	p := testpki.New(t, "ozdst")
	dir := t.TempDir()
	path := filepath.Join(dir, "config.properties")
	writeFile(t, filepath.Join(dir, "root.pem"), string(cert.EncodePEM(p.Root.Cert)))
	const text = "trust.pem.file.path=root.pem\ntunnel.enabled=yes\ntunnel.listen.ip=192.0.2.1\ntunnel.destination.0.host=a\ntunnel.destination.0.port=1\n"
	now := func() time.Time { return p.Now }
	check := func(text string, environ ...string) string {
		writeFile(t, path, text)
		r := Check(path, environ, now)
		return strings.Join(append(r.Errors, r.Warnings...), "\n")
	}
	if said := check(text); !strings.Contains(said, "tunnel.servers.dir") || !strings.Contains(said, filepath.Join(dir, "tunnel", "servers")) || !strings.Contains(said, "make the folder") {
		t.Errorf("%s", said)
	}
	folder := filepath.Join(dir, "tunnel", "servers")
	writeDomain(t, p, folder, "example.uz", "secret")
	if said := check(text); !strings.Contains(said, "example.uz.pfx") || !strings.Contains(said, "example.uz.password") {
		t.Errorf("%s", said)
	}
	writeFile(t, filepath.Join(folder, "example.uz.password"), "secret\n")
	if said := check(text); said != "" {
		t.Errorf("%s", said)
	}
	writeDomain(t, p, folder, "example.uz", "secret", func(tmpl *cert.Template) { tmpl.NotAfter = p.Now.AddDate(0, 0, -1) })
	if said := check(text); !strings.HasPrefix(said, "tunnel.servers.dir: ") || !strings.Contains(said, "ended on") {
		t.Errorf("%s", said)
	}
	writeDomain(t, p, folder, "example.uz", "secret")
	for store, want := range map[string]string{"absent.jks": "absent.jks", "config.properties": "trust store", "leaf.pem": "no certificate of a CA"} {
		writeFile(t, filepath.Join(dir, "leaf.pem"), string(cert.EncodePEM(p.TSA.Cert)))
		if said := check(text + "tunnel.truststore.file=" + store + "\n"); !strings.Contains(said, "tunnel.truststore.file") || !strings.Contains(said, want) {
			t.Errorf("%s: %s", store, said)
		}
	}
	// Nothing of it is looked at without the tunnel.
	if said := check(strings.Replace(text, "tunnel.enabled=yes", "tunnel.enabled=no\ntunnel.servers.dir=nowhere", 1)); said != "" {
		t.Errorf("%s", said)
	}
	if said := check(text, "EIMZO_CFG_TUNNEL_SERVERS_DIR=elsewhere", "EIMZO_CFG_TUNNEL_DESTINATION_3_HOST=b"); !strings.Contains(said, "EIMZO_CFG_TUNNEL_DESTINATION_3_HOST: tunnel.destination.3.host: it needs") {
		t.Errorf("%s", said)
	}
}
