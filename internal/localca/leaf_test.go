package localca

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"imzo/internal/testpki/peer"
)

func certificate(t *testing.T, a *Authority) *tls.Certificate {
	t.Helper()
	c, err := a.GetCertificate(&tls.ClientHelloInfo{ServerName: "example.com"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTheCertificateIsForLoopbackAndNothingElse(t *testing.T) {
	a := open(t, folder(t), Options{})
	c := certificate(t, a)
	if len(c.Certificate) != 2 || !bytes.Equal(c.Certificate[1], a.cert.Raw) || !bytes.Equal(c.Certificate[0], c.Leaf.Raw) {
		t.Errorf("chain of %d", len(c.Certificate))
	}
	if life := c.Leaf.NotAfter.Sub(c.Leaf.NotBefore); life > 397*24*time.Hour {
		t.Errorf("lives %v", life)
	}
	for name, good := range map[string]bool{
		"localhost": true, "127.0.0.1": true, "::1": true,
		"127.0.0.2": false, "::2": false, "::ffff:127.0.0.2": false, "0.0.0.0": false, "::": false,
		"example.com": false, "localhost.example.com": false, "a.localhost": false, "10.0.0.1": false, "192.168.1.1": false,
	} {
		_, err := c.Leaf.Verify(x509.VerifyOptions{Roots: pool(a.cert), DNSName: name})
		if (err == nil) != good {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageCodeSigning, x509.ExtKeyUsageEmailProtection} {
		if _, err := c.Leaf.Verify(x509.VerifyOptions{Roots: pool(a.cert), KeyUsages: []x509.ExtKeyUsage{usage}}); err == nil {
			t.Errorf("good for usage %d", usage)
		}
	}
}

// Whoever steals the key can sign what he likes, and nobody takes it.
func TestStolenKeyIsOfUseForLoopbackAlone(t *testing.T) {
	o := peer.OpenSSL(t)
	a := open(t, folder(t), Options{})
	server := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	uri, err := url.Parse("https://example.com/x")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		usage   []x509.ExtKeyUsage
		purpose string // of OpenSSL
		leaf    x509.Certificate
		good    bool
	}{
		{"localhost", server, "sslserver", x509.Certificate{DNSNames: []string{"localhost"}}, true},
		{"127.0.0.1", server, "sslserver", x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1).To4()}}, true},
		{"::1", server, "sslserver", x509.Certificate{IPAddresses: []net.IP{net.IPv6loopback}}, true},
		{"127.8.9.1", server, "sslserver", x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 8, 9, 1).To4()}}, true},
		{"example.com", server, "sslserver", x509.Certificate{DNSNames: []string{"example.com"}}, false},
		{"example.com beside localhost", server, "sslserver", x509.Certificate{DNSNames: []string{"localhost", "example.com"}}, false},
		{"notlocalhost", server, "sslserver", x509.Certificate{DNSNames: []string{"notlocalhost"}}, false},
		{"10.0.0.1", server, "sslserver", x509.Certificate{IPAddresses: []net.IP{net.IPv4(10, 0, 0, 1).To4()}}, false},
		{"128.0.0.1", server, "sslserver", x509.Certificate{IPAddresses: []net.IP{net.IPv4(128, 0, 0, 1).To4()}}, false},
		{"::2", server, "sslserver", x509.Certificate{IPAddresses: []net.IP{net.ParseIP("::2")}}, false},
		{"a mail address", server, "sslserver", x509.Certificate{EmailAddresses: []string{"a@example.com"}}, false},
		{"a URI", server, "sslserver", x509.Certificate{URIs: []*url.URL{uri}}, false},
		{"a client", []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, "sslclient", x509.Certificate{}, false},
		{"a mail", []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}, "smimesign", x509.Certificate{}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := test.leaf
			c.SerialNumber, c.Subject = big.NewInt(7), pkix.Name{CommonName: "leaf of a thief"}
			c.NotBefore, c.NotAfter = time.Now().Add(-time.Minute), time.Now().Add(time.Hour)
			c.KeyUsage, c.ExtKeyUsage, c.BasicConstraintsValid = x509.KeyUsageDigitalSignature, test.usage, true
			key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			der, err := x509.CreateCertificate(rand.Reader, &c, a.cert, &key.PublicKey, a.key)
			if err != nil {
				t.Fatal(err)
			}
			parsed, err := x509.ParseCertificate(der)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := parsed.Verify(x509.VerifyOptions{Roots: pool(a.cert), KeyUsages: test.usage}); (err == nil) != test.good {
				t.Errorf("Go: %v", err)
			}
			file := filepath.Join(t.TempDir(), "leaf.pem")
			write(t, file, encodeCertificate(der), 0o600)
			out, err := o.TryRun(t, nil, "verify", "-no-CApath", "-no-CAstore", "-purpose", test.purpose, "-CAfile", a.Path(), file)
			if (err == nil) != test.good {
				t.Errorf("OpenSSL: %v: %s", err, out)
			}
		})
	}
}

func TestAStolenKeyMakesNoCAs(t *testing.T) {
	o := peer.OpenSSL(t)
	a := open(t, folder(t), Options{})
	template := constraints()
	template.SerialNumber, template.Subject = big.NewInt(2), pkix.Name{CommonName: "sub"}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Minute), time.Now().Add(time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	sub, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(3), DNSNames: []string{"localhost"}, NotBefore: template.NotBefore, NotAfter: template.NotAfter}
	if der, err = x509.CreateCertificate(rand.Reader, c, sub, &a.key.PublicKey, a.key); err != nil {
		t.Fatal(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Verify(x509.VerifyOptions{Roots: pool(a.cert), Intermediates: pool(sub), DNSName: "localhost"}); err == nil {
		t.Error("Go takes it")
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "sub"), encodeCertificate(sub.Raw), 0o600)
	write(t, filepath.Join(dir, "leaf"), encodeCertificate(der), 0o600)
	if _, err := o.TryRun(t, nil, "verify", "-CAfile", a.Path(), "-untrusted", filepath.Join(dir, "sub"), filepath.Join(dir, "leaf")); err == nil {
		t.Error("OpenSSL takes it")
	}
}

func TestTheCertificateIsRenewedByTheClock(t *testing.T) {
	clock := newClock()
	a := open(t, folder(t), Options{Now: clock.now})
	first := certificate(t, a)
	start := clock.now()
	if !first.Leaf.NotBefore.Equal(start.Add(-time.Hour)) || !first.Leaf.NotAfter.Equal(start.Add(leafLife)) {
		// The CA began an hour before as well.
		t.Errorf("%v to %v", first.Leaf.NotBefore, first.Leaf.NotAfter)
	}
	clock.set(start.Add(60*24*time.Hour - time.Second))
	if certificate(t, a) != first {
		t.Error("renewed too early")
	}
	clock.add(time.Second)
	second := certificate(t, a)
	if second == first || !second.Leaf.NotAfter.Equal(clock.now().Add(leafLife)) || second.Leaf.SerialNumber.Cmp(first.Leaf.SerialNumber) == 0 {
		t.Error("not renewed with a third left")
	}
	if first.PrivateKey.(*ecdsa.PrivateKey).Equal(second.PrivateKey) {
		t.Error("the key stayed")
	}
	// A clock that has been set back by a person.
	clock.set(start)
	third := certificate(t, a)
	if third == second || !third.Leaf.NotBefore.Equal(start.Add(-time.Hour)) {
		t.Errorf("from the future: %v", third.Leaf.NotBefore)
	}
	clock.set(start.Add(-2 * time.Hour))
	if _, err := a.GetCertificate(nil); !errors.Is(err, ErrValidity) {
		t.Errorf("before the CA: %v", err)
	}
}

func TestNoCertificateOutlivesTheAuthority(t *testing.T) {
	clock := newClock()
	a := open(t, folder(t), Options{Now: clock.now})
	clock.set(a.cert.NotAfter.Add(-24 * time.Hour))
	last := certificate(t, a)
	if !last.Leaf.NotAfter.Equal(a.cert.NotAfter) {
		t.Errorf("until %v", last.Leaf.NotAfter)
	}
	clock.set(a.cert.NotAfter.Add(-time.Second))
	if certificate(t, a) != last {
		t.Error("made another that ends at the same time")
	}
	clock.add(time.Second)
	if _, err := a.GetCertificate(nil); !errors.Is(err, ErrValidity) {
		t.Errorf("%v", err)
	}
}

func TestAValidCertificateServesWhileNoOtherCanBeMade(t *testing.T) {
	clock := newClock()
	var log bytes.Buffer
	a := open(t, folder(t), Options{Now: clock.now, Log: slog.New(slog.NewTextHandler(&log, nil))})
	first := certificate(t, a)
	a.options.Rand = failing{io.ErrUnexpectedEOF}
	clock.set(first.Leaf.NotAfter.Add(-time.Second))
	if certificate(t, a) != first {
		t.Error("another certificate")
	}
	if !strings.Contains(log.String(), "cannot make a new server certificate") {
		t.Errorf("log: %s", &log)
	}
	clock.add(time.Second)
	if _, err := a.GetCertificate(nil); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v", err)
	}
}

func TestAllGetOneCertificateWhenItIsDue(t *testing.T) {
	clock := newClock()
	a := open(t, folder(t), Options{Now: clock.now})
	for range 5 {
		clock.add(61 * 24 * time.Hour)
		var all [50]*tls.Certificate
		var wait sync.WaitGroup
		start := make(chan struct{})
		for i := range all {
			wait.Go(func() {
				<-start
				var err error
				if all[i], err = a.GetCertificate(&tls.ClientHelloInfo{}); err != nil {
					t.Error(err)
				}
			})
		}
		close(start)
		wait.Wait()
		for _, c := range all[1:] {
			if c == nil || c != all[0] {
				t.Fatal("two certificates at one time")
			}
		}
		if !all[0].Leaf.NotAfter.Equal(clock.now().Add(leafLife)) {
			t.Errorf("until %v", all[0].Leaf.NotAfter)
		}
	}
}

// serve answers "salom" on a port of an address of the loopback interface.
func serve(t *testing.T, a *Authority, address string) *url.URL {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<title>salom</title>")
	}))
	server.Listener.Close()
	server.Listener = tls.NewListener(listener, &tls.Config{GetCertificate: a.GetCertificate})
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0) // of clients that hang up
	server.Start()
	t.Cleanup(server.Close)
	u, err := url.Parse("https://" + listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestAClientThatTrustsOnlyTheAuthorityConnects(t *testing.T) {
	a := open(t, folder(t), Options{})
	u := serve(t, a, "127.0.0.1:0")
	client := func(roots *x509.CertPool) *http.Client {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
		transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, u.Host)
		}
		t.Cleanup(transport.CloseIdleConnections)
		return &http.Client{Transport: transport}
	}
	for host, good := range map[string]bool{"127.0.0.1": true, "localhost": true, "[::1]": true, "127.0.0.2": false, "example.com": false} {
		answer, err := client(pool(a.cert)).Get("https://" + host + ":" + u.Port())
		if (err == nil) != good {
			t.Errorf("%s: %v", host, err)
		}
		if err != nil {
			continue
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || !strings.Contains(string(body), "salom") {
			t.Errorf("%s: %q %v", host, body, err)
		}
	}
	var unknown x509.UnknownAuthorityError
	if _, err := client(pool(open(t, folder(t), Options{}).cert)).Get(u.String()); !errors.As(err, &unknown) {
		t.Errorf("a client that trusts another CA: %v", err)
	}
}
