package trust

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"imzo/internal/httpx"
	"imzo/pki/cert"
	"imzo/pki/keystore"
)

// serveLink serves the link of a hierarchy and returns its address.
func serveLink(t *testing.T, a *Authority, hosts ...string) string {
	t.Helper()
	config, err := a.LinkConfig("", append(hosts, "127.0.0.1")...)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		ended <- httpx.Serve(t.Context(), LinkListener(ln), a.LinkHandler(), httpx.Options{TLS: config, Logger: slog.New(slog.DiscardHandler)})
	}()
	t.Cleanup(func() {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return ln.Addr().String()
}

func pairOf(e keystore.Entry) *tls.Certificate {
	pair := &tls.Certificate{PrivateKey: e.Key.Signer()}
	for _, c := range e.Chain {
		pair.Certificate = append(pair.Certificate, c.Raw)
	}
	return pair
}

// linkClient is a client that trusts the VPN CA.
func linkClient(t *testing.T, a *Authority, key *tls.Certificate) *http.Client {
	t.Helper()
	ca, err := x509.ParseCertificate(a.entities[entityVPN].Chain[0].Raw)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{RootCAs: x509.NewCertPool(), Time: a.now}
	config.RootCAs.AddCert(ca)
	if key != nil {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return key, nil }
	}
	transport := &http.Transport{TLSClientConfig: config}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func TestLinkServesItsOwnPathsAndNothingElse(t *testing.T) {
	a, _, clock := newAuthority(t, "ecdsa:P-256")
	address := serveLink(t, a)
	key := issue(t, a, Request{Profile: ProfileVPN, Subject: Subject{CommonName: "example.uz"}})
	client := linkClient(t, a, pairOf(key))
	get := func(path, host string) (int, []byte) {
		r, err := http.NewRequest(http.MethodGet, "https://"+address+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, body
	}
	status, body := get("/ping", "")
	var answer pingAnswer
	if err := json.Unmarshal(body, &answer); err != nil || status != http.StatusOK {
		t.Fatalf("status %d, %v: %s", status, err, body)
	}
	if !answer.ServerTime.Equal(clock.t) || answer.YourIP != "127.0.0.1" || !slices.Equal(answer.Key, key.Chain[0].Raw) {
		t.Errorf("ping answers %+v", answer)
	}
	for path, want := range map[string]int{
		"/cams/ca.cer": 200, "/cams/vpn.crl": 200, "/cams/root.pem": 200, "/": 200,
		"/cams/ocsp": 405, "/backend/auth": 404, "/metrics": 404, "/cams/../etc/passwd": 404,
	} {
		if status, body := get(path, "e-imzo.uz"); status != want {
			t.Errorf("%s has status %d, want %d: %s", path, status, want, body)
		}
	}
	// A proxy's request is no reason to go anywhere either.
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{*pairOf(key)}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET http://192.0.2.1/secret HTTP/1.1\r\nHost: 192.0.2.1\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if raw, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(raw), "HTTP/1.1 404") {
		t.Errorf("a request to another host gives %v: %.60s", err, raw)
	}
}

func TestPlainPingNamesNoKey(t *testing.T) {
	a, _, _ := newAuthority(t, "ecdsa:P-256")
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/ping", nil)
	r.RemoteAddr = "192.0.2.7:1234"
	a.Handler().ServeHTTP(w, r)
	if got, want := strings.TrimSpace(w.Body.String()), `{"serverTime":"2026-01-01T12:00:00Z","yourIP":"192.0.2.7"}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	w = httptest.NewRecorder()
	a.LinkHandler().ServeHTTP(w, r)
	if w.Code != http.StatusForbidden {
		t.Errorf("the link without TLS has status %d", w.Code)
	}
}

func TestLinkRefusesKeysThatAreNoClientsOfIt(t *testing.T) {
	a, _, _ := newAuthority(t, "ecdsa:P-256")
	other, _, _ := newAuthority(t, "ecdsa:P-256")
	address := serveLink(t, a)
	vpn := Request{Profile: ProfileVPN, Subject: Subject{CommonName: "example.uz"}}
	key := func(r Request, from *Authority, change func(*Authority, string) (Record, error)) *tls.Certificate {
		e := issue(t, from, r)
		if change != nil {
			if _, err := change(from, e.Chain[0].SerialHex()); err != nil {
				t.Fatal(err)
			}
		}
		return pairOf(e)
	}
	server, err := a.linkEntry(mustKeysPassword(t, a), []string{"127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		key  *tls.Certificate
		want string
	}{
		"without a key":      {nil, "certificate required"},
		"of another CA":      {key(vpn, other, nil), "unknown certificate authority"},
		"of a user":          {key(person, a, nil), "unknown certificate authority"},
		"of the OCSP server": {pairOf(a.entities[entityVPNOCSP]), "bad certificate"},
		"of the link itself": {pairOf(server), "bad certificate"},
		"revoked":            {key(vpn, a, func(a *Authority, s string) (Record, error) { return a.Revoke(s, "keyCompromise") }), "bad certificate"},
		"suspended":          {key(vpn, a, (*Authority).Suspend), "bad certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			// Every time: the alert must not be lost to a reset.
			for range 20 {
				response, err := linkClient(t, a, tt.key).Get("https://" + address + "/ping")
				if err == nil {
					response.Body.Close()
					t.Fatalf("status %d", response.StatusCode)
				}
				if !strings.Contains(err.Error(), tt.want) {
					t.Fatalf("%v, want %s", err, tt.want)
				}
			}
		})
	}
}

func mustKeysPassword(t *testing.T, a *Authority) string {
	t.Helper()
	p, err := readKeysPassword(a.dir)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestOpenConnectionOfTheLinkEndsWithItsKey(t *testing.T) {
	a, _, clock := newAuthority(t, "ecdsa:P-256")
	ask := func(e keystore.Entry) (int, string) {
		c, err := x509.ParseCertificate(e.Chain[0].Raw)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/ping", nil)
		r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{c}}
		a.LinkHandler().ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	request := Request{Profile: ProfileVPN, Subject: Subject{CommonName: "example.uz"}, Days: 1}
	revoked, expired := issue(t, a, request), issue(t, a, request)
	if status, body := ask(revoked); status != http.StatusOK {
		t.Fatalf("status %d: %s", status, body)
	}
	if _, err := a.Suspend(revoked.Chain[0].SerialHex()); err != nil {
		t.Fatal(err)
	}
	if status, body := ask(revoked); status != http.StatusForbidden || !strings.Contains(body, "suspended") {
		t.Errorf("suspended: %d %s", status, body)
	}
	if _, err := a.Resume(revoked.Chain[0].SerialHex()); err != nil {
		t.Fatal(err)
	}
	if status, _ := ask(revoked); status != http.StatusOK {
		t.Errorf("resumed: %d", status)
	}
	if _, err := a.Revoke(revoked.Chain[0].SerialHex(), ""); err != nil {
		t.Fatal(err)
	}
	if status, body := ask(revoked); status != http.StatusForbidden || !strings.Contains(body, "revoked") {
		t.Errorf("revoked: %d %s", status, body)
	}
	clock.t = clock.t.Add(25 * time.Hour)
	if status, body := ask(expired); status != http.StatusForbidden || !strings.Contains(body, "is valid from") {
		t.Errorf("expired: %d %s", status, body)
	}
	if err := os.Truncate(filepath.Join(a.dir, ledgerFile), 10); err != nil {
		t.Fatal(err)
	}
	if status, _ := ask(expired); status != http.StatusServiceUnavailable {
		t.Errorf("with a damaged ledger: %d", status)
	}
}

func TestLinkKeyOfTheServerIsKeptAndRenewed(t *testing.T) {
	a, dir, clock := newAuthority(t, "ecdsa:P-256")
	serial := func(hosts ...string) string {
		config, err := a.LinkConfig("", hosts...)
		if err != nil {
			t.Fatal(err)
		}
		c, err := cert.Parse(config.Certificates[0].Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		return c.SerialHex()
	}
	first := serial("0.0.0.0", "Trust.Example.uz")
	if again := serial("trust.example.uz", "::"); again != first {
		t.Error("the key is made anew for nothing")
	}
	a, err := Open(dir, Options{Now: clock.now})
	if err != nil {
		t.Fatal(err)
	}
	if again := serial(); again != first {
		t.Error("the key does not survive a restart")
	}
	second := serial("192.0.2.1")
	if second == first {
		t.Error("a new name has the old certificate")
	}
	if _, err := a.Revoke(second, "keyCompromise"); err != nil {
		t.Fatal(err)
	}
	third := serial("192.0.2.1")
	if third == second {
		t.Error("the link is served with a revoked key")
	}
	clock.t = clock.t.AddDate(serviceYears, -1, 0)
	if serial("192.0.2.1") == third {
		t.Error("the link is served with a key near its end")
	}
	for _, host := range []string{"a b", "-x.uz", "x..uz", "*.uz", strings.Repeat("a", 64)} {
		if _, err := a.LinkConfig("", host); !errors.Is(err, ErrAddress) {
			t.Errorf("host %q: %v", host, err)
		}
	}
	if _, err := a.LinkConfig("wrong"); !errors.Is(err, keystore.ErrPassword) {
		t.Errorf("wrong password: %v", err)
	}
}

func TestLinkKeysAreWrittenInEveryForm(t *testing.T) {
	a, _, _ := newAuthority(t, "ozdst")
	dir := t.TempDir()
	for _, tt := range []struct{ out, file, store, storeFile, spec string }{
		{filepath.Join(dir, "keys"), "keys/example.uz-2028-01-01.key", "", "keys/vpn.jks", ""},
		{filepath.Join(dir, "new/e.pem"), "new/e.pem", filepath.Join(dir, "vpn.pem"), "vpn.pem", "rsa:2048"},
		{filepath.Join(dir, "e.p12"), "e.p12", "", "vpn.jks", "ed25519"},
	} {
		key, err := a.IssueLinkKey(LinkKeyRequest{Domain: "example.uz", KeySpec: tt.spec, Out: tt.out, Password: "secret", Truststore: tt.store}, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		if want := filepath.Join(dir, tt.file); key.File != want {
			t.Errorf("key in %s, want %s", key.File, want)
		}
		if want := filepath.Join(dir, tt.storeFile); key.Truststore != want {
			t.Errorf("trust store in %s, want %s", key.Truststore, want)
		}
		data, err := os.ReadFile(key.File)
		if err != nil {
			t.Fatal(err)
		}
		entries, err := keystore.Open(data, "secret")
		if err != nil || len(entries) != 1 || len(entries[0].Chain) != 2 || !entries[0].Chain[0].Equal(key.Entry.Chain[0]) {
			t.Errorf("%s: %d entries, %v", key.File, len(entries), err)
		}
		if data, err = os.ReadFile(key.Truststore); err != nil {
			t.Fatal(err)
		}
		certs, err := keystore.ParseTrustStore(data, DefaultTruststorePassword)
		if err != nil || len(certs) != 1 || !certs[0].Equal(a.entities[entityVPN].Chain[0]) {
			t.Errorf("%s: %d certificates, %v", key.Truststore, len(certs), err)
		}
	}
	before, err := a.List()
	if err != nil {
		t.Fatal(err)
	}
	foreign, _, _ := newAuthority(t, "ecdsa:P-256")
	junk := filepath.Join(dir, "junk.jks")
	if err := os.WriteFile(junk, []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		a    *Authority
		r    LinkKeyRequest
		want error
	}{
		"no domain":              {a, LinkKeyRequest{Domain: "../x"}, ErrSubject},
		"a GOST key":             {a, LinkKeyRequest{Domain: "x.uz", KeySpec: "ozdst"}, ErrKeySpec},
		"an existing key":        {a, LinkKeyRequest{Domain: "x.uz", Out: filepath.Join(dir, "e.p12")}, fs.ErrExist},
		"another's trust store":  {foreign, LinkKeyRequest{Domain: "x.uz", Out: filepath.Join(dir, "f.p12")}, fs.ErrExist},
		"junk for a trust store": {a, LinkKeyRequest{Domain: "x.uz", Out: filepath.Join(dir, "f.p12"), Truststore: junk}, keystore.ErrFormat},
	} {
		tt.r.Password = "secret"
		if _, err := tt.a.IssueLinkKey(tt.r, time.UTC); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	after, err := a.List()
	if err != nil {
		t.Fatal(err)
	}
	if len(after) != len(before) {
		t.Errorf("%d certificates issued for nothing", len(after)-len(before))
	}
}
