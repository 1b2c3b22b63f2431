//go:build unix

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"imzo/internal/trust"
)

// TestServerWorksOverTheTrustLinkOnly has a server whose OCSP responder cannot
// be reached but through the link: the address in the certificates is dead.
func TestServerWorksOverTheTrustLinkOnly(t *testing.T) {
	w := newWorld(t, 2)
	w.stopServices()
	dir := filepath.Join(w.dir, "trust")
	folder := w.folder("server")
	const password = "0123456789ABCDEF"
	linkKey := func(out string) trust.LinkKey {
		key, err := w.authority.IssueLinkKey(trust.LinkKeyRequest{Domain: "example.uz", Out: out, Password: password}, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	key := linkKey(filepath.Join(folder, "keys"))
	port := freePort(t)
	s := startServer(t, folder, properties(
		"listen.ip", "127.0.0.1", "listen.port", "0",
		"trust.pem.file.path", w.root,
		"vpn.tls.enabled", "yes", "vpn.connect.host", "127.0.0.1", "vpn.connect.port", fmt.Sprint(port),
		"vpn.key.file.path", "keys/"+filepath.Base(key.File), "vpn.key.password", password,
		"vpn.truststore.file.path", "keys/vpn.jks", "vpn.truststore.password", trust.DefaultTruststorePassword,
	))
	pingSerial := func() string {
		a := w.must(t, s.url+"/ping", "")
		if a.code == 503 {
			return ""
		}
		var v struct {
			YourIP     string
			VPNKeyInfo struct{ SerialNumber string }
		}
		if err := json.Unmarshal([]byte(a.body), &v); err != nil || v.YourIP != "127.0.0.1" {
			t.Fatalf("ping: HTTP %d %s, %v", a.code, a.body, err)
		}
		return v.VPNKeyInfo.SerialNumber
	}
	status := func(person int) int {
		a, err := w.logIn(w.people[person], s.url, s.url)
		if err != nil {
			t.Fatal(err)
		}
		if a.took > 8*time.Second {
			t.Errorf("an answer after %s", a.took)
		}
		return a.Status
	}
	within5s := func(what string, holds func() bool) {
		t.Helper()
		for deadline := time.Now().Add(5 * time.Second); !holds(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("not within 5 s: %s\n%s", what, s.log.String())
			}
		}
	}

	// Nobody is at the other end.
	if serial := pingSerial(); serial != "" {
		t.Errorf("a ping to nobody has the key %s", serial)
	}
	if got := status(0); got != -1 {
		t.Errorf("status %d without the link", got)
	}
	if a := w.must(t, s.url+"/info", ""); !strings.Contains(a.body, key.Entry.Chain[0].SerialHex()) {
		t.Errorf("info lacks the key: %s", a.body)
	}

	serve := func() *process {
		p := launch(t, "TERM", nil, imzo, "trust", "serve", "--dir", dir, "--listen", "127.0.0.1:0", "--link-listen", fmt.Sprintf("127.0.0.1:%d", port))
		p.await(t, "trust link on")
		return p
	}
	services := serve()
	within5s("the link comes up", func() bool { return pingSerial() == key.Entry.Chain[0].SerialHex() })
	if got := status(0); got != 1 {
		t.Fatalf("status %d over the link\n%s", got, s.log.String())
	}
	if _, err := w.authority.Revoke(w.people[1].Chain[0].SerialHex(), "keyCompromise"); err != nil {
		t.Fatal(err)
	}
	if got := status(1); got != -11 {
		t.Errorf("status %d of a revoked person", got)
	}

	services.kill()
	<-services.ended
	serve()
	within5s("the link comes back", func() bool { return status(0) == 1 })

	// The key is revoked: out at once. A new one comes in by SIGHUP.
	if _, err := w.authority.Revoke(key.Entry.Chain[0].SerialHex(), "superseded"); err != nil {
		t.Fatal(err)
	}
	if serial := pingSerial(); serial != "" {
		t.Errorf("the revoked key %s pings", serial)
	}
	if got := status(0); got != -1 {
		t.Errorf("status %d with a revoked key of the link", got)
	}
	next := linkKey(filepath.Join(folder, "next.key"))
	if err := os.Rename(next.File, key.File); err != nil {
		t.Fatal(err)
	}
	s.signal(t, syscall.SIGHUP)
	within5s("the new key is in use", func() bool { return pingSerial() == next.Entry.Chain[0].SerialHex() })
	if got := status(0); got != 1 {
		t.Errorf("status %d with the new key", got)
	}
	if text := s.log.String(); strings.Contains(text, password) || strings.Contains(text, trust.DefaultTruststorePassword) {
		t.Errorf("a password in the log:\n%s", text)
	}
}
