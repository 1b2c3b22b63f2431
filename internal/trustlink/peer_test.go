package trustlink

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// certify makes a certificate with crypto/x509, which is what verifyPeer gets.
func certify(t *testing.T, template *x509.Certificate, ca *x509.Certificate, caKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	if template.NotBefore.IsZero() {
		template.NotBefore, template.NotAfter = peerNow.AddDate(-1, 0, 0), peerNow.AddDate(1, 0, 0)
	}
	if ca == nil {
		ca, caKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca, key.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c, key
}

var peerNow = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

func TestPeerMustBeTheTrustServices(t *testing.T) {
	caTemplate := func(cn string) *x509.Certificate {
		return &x509.Certificate{Subject: pkix.Name{CommonName: cn}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	}
	root, rootKey := certify(t, caTemplate("VPN Root"), nil, nil)
	sub, subKey := certify(t, caTemplate("VPN CA"), root, rootKey)
	stranger, strangerKey := certify(t, caTemplate("VPN Root"), nil, nil)
	server := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	client := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	const host = "vpn.e-imzo.uz"
	named := func(cn string) pkix.Name { return pkix.Name{CommonName: cn} }
	for name, tt := range map[string]struct {
		template x509.Certificate
		host     string
		of       string // who issued it: "" is root
		pinned   bool
		want     string // "" is accepted
	}{
		"its name":                            {template: x509.Certificate{DNSNames: []string{host}}},
		"its name of several":                 {template: x509.Certificate{DNSNames: []string{"a.uz", "*.e-imzo.uz"}, ExtKeyUsage: server}},
		"its address":                         {template: x509.Certificate{IPAddresses: []net.IP{net.IPv4(192, 0, 2, 1)}}, host: "192.0.2.1"},
		"another name":                        {template: x509.Certificate{DNSNames: []string{"evil.uz"}, Subject: named(host)}, want: "evil.uz"},
		"another address":                     {template: x509.Certificate{IPAddresses: []net.IP{net.IPv4(192, 0, 2, 2)}}, host: "192.0.2.1", want: "192.0.2.2"},
		"another name, declared a server":     {template: x509.Certificate{DNSNames: []string{"evil.uz"}, ExtKeyUsage: server}, want: "evil.uz"},
		"no names but the common one":         {template: x509.Certificate{Subject: named("VPN.e-imzo.uz")}},
		"no names, declared a server":         {template: x509.Certificate{Subject: named("VPN Server"), ExtKeyUsage: server}},
		"no names, a customer's":              {template: x509.Certificate{Subject: named("Client")}, want: "put the certificate itself"},
		"no names, a customer's that says so": {template: x509.Certificate{Subject: named("Client"), ExtKeyUsage: client}, want: "incompatible key usage"},
		"its name, declared a client":         {template: x509.Certificate{DNSNames: []string{host}, ExtKeyUsage: client}, want: "incompatible key usage"},
		"of a stranger":                       {template: x509.Certificate{DNSNames: []string{host}}, of: "stranger", want: "authority"},
		"of a CA that rides along":            {template: x509.Certificate{DNSNames: []string{host}}, of: "sub"},
		"pinned, whatever its name":           {template: x509.Certificate{Subject: named("VPN 1")}, of: "stranger", pinned: true},
		"pinned and out of date":              {template: x509.Certificate{NotBefore: peerNow.AddDate(-2, 0, 0), NotAfter: peerNow.AddDate(-1, 0, 0)}, of: "stranger", pinned: true, want: "expired"},
		"out of date":                         {template: x509.Certificate{DNSNames: []string{host}, NotBefore: peerNow.AddDate(-2, 0, 0), NotAfter: peerNow.Add(-time.Second)}, want: "expired"},
		"of the future":                       {template: x509.Certificate{DNSNames: []string{host}, NotBefore: peerNow.Add(time.Hour), NotAfter: peerNow.AddDate(1, 0, 0)}, want: "not yet valid"},
	} {
		t.Run(name, func(t *testing.T) {
			ca, key, chain := root, rootKey, []*x509.Certificate(nil)
			switch tt.of {
			case "sub":
				ca, key, chain = sub, subKey, []*x509.Certificate{sub}
			case "stranger":
				ca, key = stranger, strangerKey
			}
			leaf, _ := certify(t, &tt.template, ca, key)
			trusted := []*x509.Certificate{root}
			if tt.pinned {
				trusted = append(trusted, leaf)
			}
			if tt.host == "" {
				tt.host = host
			}
			err := verifyPeer(append([]*x509.Certificate{leaf}, chain...), trusted, tt.host, peerNow)
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (!errors.Is(err, ErrPeer) || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
	if err := verifyPeer(nil, []*x509.Certificate{root}, host, peerNow); !errors.Is(err, ErrPeer) {
		t.Errorf("without a certificate: %v", err)
	}
}

func TestPingBelievesNoNonsense(t *testing.T) {
	w := newWorld(t)
	key := w.usual
	var status int
	var body string
	w.before = func(rw http.ResponseWriter, _ *http.Request) bool {
		rw.WriteHeader(status)
		_, _ = io.WriteString(rw, body)
		return true
	}
	l := open(t, w.options(t, w.start(t, ""), key))
	for name, tt := range map[string]struct {
		status     int
		body, want string
	}{
		"no JSON":          {200, "<html>", "answer to a ping"},
		"nothing":          {200, "", "answer to a ping"},
		"no time":          {200, `{"yourIP":"192.0.2.1"}`, "without the time"},
		"no address":       {200, `{"serverTime":"2026-01-01T00:00:00Z"}`, "without our address"},
		"a text for an IP": {200, `{"serverTime":"2026-01-01T00:00:00Z","yourIP":"<script>"}`, "without our address"},
		"a bad key":        {200, `{"serverTime":"2026-01-01T00:00:00Z","yourIP":"192.0.2.1","key":"MAA="}`, "key in the answer"},
		"too much":         {200, strings.Repeat(" ", maxPing+1), "too large"},
		"another service":  {404, "not found", "HTTP status 404"},
		"an error":         {500, "", "HTTP status 500"},
		"a refusal":        {403, "go \x1b[31maway\nsecond line", "refuses the key: go [31maway"},
	} {
		t.Run(name, func(t *testing.T) {
			status, body = tt.status, tt.body
			_, err := l.Ping(t.Context())
			if err == nil || !strings.HasSuffix(err.Error(), tt.want) && !strings.Contains(err.Error(), tt.want+" ") && !strings.Contains(err.Error(), tt.want+":") {
				t.Errorf("%v, want %s", err, tt.want)
			}
			if !l.broken() {
				t.Errorf("state %+v", l.State())
			}
		})
	}
	answer, err := json.Marshal(pingAnswer{ServerTime: peerNow, YourIP: "2001:db8::1"})
	if err != nil {
		t.Fatal(err)
	}
	status, body = 200, string(answer)
	if reply, err := l.Ping(t.Context()); err != nil || !reply.ServerTime.Equal(peerNow) || reply.YourIP != "2001:db8::1" || reply.Key != nil {
		t.Errorf("%+v, %v", reply, err)
	}
}

func TestPausesGrowAndAreRandomUpToTheirCap(t *testing.T) {
	low := &Link{options: Options{Rand: bytes.NewReader(make([]byte, 8*64))}}
	for failures, want := range []time.Duration{125, 250, 500, 1000, 2000, 4000, 8000, 15000, 15000} {
		if got := low.pause(failures); got != want*time.Millisecond {
			t.Errorf("shortest pause %d is %s, want %s", failures, got, want*time.Millisecond)
		}
	}
	random := &Link{options: Options{Rand: rand.Reader}}
	seen := map[time.Duration]bool{}
	for range 100 {
		p := random.pause(1000)
		if p < maxPause/2 || p > maxPause {
			t.Fatalf("pause %s", p)
		}
		seen[p] = true
	}
	if len(seen) < 90 {
		t.Errorf("%d different pauses of 100", len(seen))
	}
	if got := (&Link{options: Options{Rand: strings.NewReader("")}}).pause(2); got != time.Second {
		t.Errorf("without randomness %s", got)
	}
}

// A peer that takes connections and drops them, or refuses them, is not asked
// all the time.
func TestDeadPeerIsAskedLessAndLess(t *testing.T) {
	w := newWorld(t)
	key := w.usual
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepted, ended := make(chan time.Time, 1000), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			accepted <- time.Now()
			c.Close()
		}
	}()
	t.Cleanup(func() { ln.Close(); <-ended })
	l := open(t, w.options(t, ln.Addr().String(), key))
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	l.Run(ctx)
	if n := len(accepted); n < 2 || n > 8 {
		t.Errorf("%d connections in 1.5 s", n)
	}
	if !l.broken() {
		t.Errorf("state %+v", l.State())
	}
}

func TestLongErrorsAreCut(t *testing.T) {
	w := newWorld(t)
	key := w.usual
	l := open(t, w.options(t, "127.0.0.1:1", key))
	l.down(errors.New(strings.Repeat("я", 1000) + "\xff"))
	if s := l.State().LastError; len(s) > maxReason || len(s) < maxReason-3 || strings.Contains(s, "�") {
		t.Errorf("%d octets: %s", len(s), s)
	}
}
