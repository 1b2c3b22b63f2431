package cli

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"imzo/internal/trust"
	"imzo/pki/keystore"
)

// linkClient is an HTTP client with the key and the trust store that
// `trust link-key --json` names.
func linkClient(t *testing.T, answer string) (client *http.Client, serial string) {
	t.Helper()
	var made struct{ File, Truststore, Serial string }
	if err := json.Unmarshal([]byte(answer), &made); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(made.File)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := keystore.Open(data, "1")
	if err != nil {
		t.Fatal(err)
	}
	key := tls.Certificate{PrivateKey: entries[0].Key.Signer(), Certificate: [][]byte{entries[0].Chain[0].Raw}}
	if data, err = os.ReadFile(made.Truststore); err != nil {
		t.Fatal(err)
	}
	trusted, err := keystore.ParseTrustStore(data, trust.DefaultTruststorePassword)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{key}, RootCAs: x509.NewCertPool()}
	for _, c := range trusted {
		root, err := x509.ParseCertificate(c.Raw)
		if err != nil {
			t.Fatal(err)
		}
		config.RootCAs.AddCert(root)
	}
	transport := &http.Transport{TLSClientConfig: config}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}, made.Serial
}

func TestServeOpensTheLinkToItsKeys(t *testing.T) {
	s := newServices(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	said := make(chan string, 100)
	done := make(chan int, 1)
	e := env{stdin: strings.NewReader(""), stdout: &bytes.Buffer{}, stderr: lineWriter(said), now: time.Now}
	go func() {
		done <- run(ctx, []string{"trust", "serve", "--dir", s.dir, "--listen", "127.0.0.1:0", "--link-listen", "127.0.0.1:0", "--link-name", "trust.example.uz"}, e)
	}()
	if line := <-said; !strings.HasPrefix(line, "trust services on http://127.0.0.1:") {
		t.Fatalf("prints %q", line)
	}
	address, ok1 := strings.CutPrefix(strings.TrimSpace(<-said), "trust link on ")
	if !ok1 {
		t.Fatalf("prints %q", address)
	}
	// Made while it is served, for a new folder and a file of PEM.
	out := filepath.Join(t.TempDir(), "keys")
	byFolder := ok(t, "trust", "link-key", "--dir", s.dir, "--password-file", s.password, "--out", out, "--json", "example.uz")
	byFile := ok(t, "trust", "link-key", "--dir", s.dir, "--password-file", s.password, "--alg", "rsa:2048", "--out", filepath.Join(out, "e.pem"), "--truststore", filepath.Join(out, "vpn.pem"), "--json", "example.uz")
	for _, answer := range []string{byFolder, byFile} {
		client, serial := linkClient(t, answer)
		response, err := client.Get("https://" + address + "/ping")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(body), `"yourIP":"127.0.0.1"`) {
			t.Errorf("status %d, %v: %s", response.StatusCode, err, body)
		}
		// A running service locks a key out with the command.
		ok(t, "trust", "revoke", "--dir", s.dir, serial)
		if response, err = client.Get("https://" + address + "/ping"); err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusForbidden {
			t.Errorf("a revoked key gets status %d", response.StatusCode)
		}
	}
	files, err := filepath.Glob(filepath.Join(out, "example.uz-*.key"))
	if want := "example.uz-" + time.Now().AddDate(2, 0, 0).Format("2006-"); err != nil || len(files) != 1 || !strings.HasPrefix(filepath.Base(files[0]), want) {
		t.Errorf("key files %v, %v", files, err)
	}
	cancel()
	for code, open := 0, true; open; {
		select {
		case <-said: // the log
		case code = <-done:
			open = false
			if code != 0 {
				t.Errorf("exit %d", code)
			}
		}
	}
}

func TestServeNeedsItsAddresses(t *testing.T) {
	s := newServices(t)
	taken := strings.TrimPrefix(s.url, "http://") // by the test's own server
	o := imzo(t, "trust", "serve", "--dir", s.dir, "--listen", "127.0.0.1:0", "--link-listen", taken)
	if o.code != 1 || !strings.Contains(o.stderr, "address already in use") {
		t.Errorf("exit %d: %s", o.code, o.stderr)
	}
}
