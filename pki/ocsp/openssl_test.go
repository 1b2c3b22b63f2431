package ocsp

import (
	"context"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/internal/testpki/peer"
	"imzo/pki/cert"
)

const opensslExtensions = `
[req]
distinguished_name = dn
[dn]
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign, digitalSignature
[user]
keyUsage = critical, digitalSignature
[ocsp]
keyUsage = critical, digitalSignature
extendedKeyUsage = OCSPSigning
`

// opensslCA is a CA whose keys are in files of openssl.
type opensslCA struct {
	o   *peer.OpenSSLPeer
	dir string
	gen []string // arguments that make a key
}

func newOpenSSLCA(t *testing.T, o *peer.OpenSSLPeer, gen ...string) *opensslCA {
	t.Helper()
	ca := &opensslCA{o: o, dir: t.TempDir(), gen: gen}
	ca.write(t, "cnf", []byte(opensslExtensions))
	ca.o.Run(t, nil, append(ca.request("ca", "/CN=CA"), "-x509", "-days", "30", "-extensions", "ca", "-out", ca.file("ca.pem"))...)
	return ca
}

func (ca *opensslCA) file(name string) string { return filepath.Join(ca.dir, name) }

func (ca *opensslCA) write(t *testing.T, name string, b []byte) string {
	t.Helper()
	if err := os.WriteFile(ca.file(name), b, 0o600); err != nil {
		t.Fatal(err)
	}
	return ca.file(name)
}

func (ca *opensslCA) read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(ca.file(name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (ca *opensslCA) request(who, subject string) []string {
	args := append([]string{"req", "-config", ca.file("cnf"), "-newkey"}, ca.gen...)
	return append(args, "-nodes", "-keyout", ca.file(who+".key"), "-subj", subject)
}

func (ca *opensslCA) cert(t *testing.T, who string) *cert.Certificate {
	t.Helper()
	certs, err := cert.ParseAll(ca.read(t, who+".pem"))
	if err != nil {
		t.Fatal(err)
	}
	return certs[0]
}

func (ca *opensslCA) issue(t *testing.T, who, extensions, serial string) *cert.Certificate {
	t.Helper()
	ca.o.Run(t, nil, append(ca.request(who, "/CN="+who), "-out", ca.file(who+".csr"))...)
	ca.o.Run(t, nil, "x509", "-req", "-in", ca.file(who+".csr"), "-CA", ca.file("ca.pem"), "-CAkey", ca.file("ca.key"),
		"-set_serial", serial, "-days", "20", "-extfile", ca.file("cnf"), "-extensions", extensions, "-out", ca.file(who+".pem"))
	return ca.cert(t, who)
}

// TestResponderOfOpenSSL checks what `openssl ocsp` answers to our requests and
// reads the requests it makes.
func TestResponderOfOpenSSL(t *testing.T) {
	o := peer.OpenSSL(t)
	t.Run("RSA", func(t *testing.T) { opensslResponds(t, newOpenSSLCA(t, o, "rsa:2048")) })
	t.Run("ECDSA", func(t *testing.T) {
		opensslResponds(t, newOpenSSLCA(t, o, "ec", "-pkeyopt", "ec_paramgen_curve:P-384"))
	})
}

// TestResponderOfTheGOSTEngine does so for the Russian family, whose
// mathematics is that of O'z DSt.
func TestResponderOfTheGOSTEngine(t *testing.T) {
	for _, set := range []string{"A", "B", "C"} {
		t.Run(set, func(t *testing.T) {
			opensslResponds(t, newOpenSSLCA(t, peer.OpenSSLGOST(t), "gost2001", "-pkeyopt", "paramset:"+set))
		})
	}
}

func opensslResponds(t *testing.T, ca *opensslCA) {
	good, revoked, missing := ca.issue(t, "good", "user", "0x1000"), ca.issue(t, "revoked", "user", "0x7fffffffffffffff"), ca.issue(t, "missing", "user", "3")
	ca.issue(t, "ocsp", "ocsp", "4")
	issuer := ca.cert(t, "ca")
	now := time.Now()
	revokedAt := now.Add(-time.Hour).UTC().Truncate(time.Second)
	ca.write(t, "index", fmt.Appendf(nil, "V\t%s\t\t1000\tunknown\t/CN=good\nR\t%s\t%s,keyCompromise\t7FFFFFFFFFFFFFFF\tunknown\t/CN=revoked\n",
		good.NotAfter.Format("060102150405Z"), revoked.NotAfter.Format("060102150405Z"), revokedAt.Format("060102150405Z")))
	ca.write(t, "index.attr", nil)
	want := map[*cert.Certificate]StatusInfo{
		good: {Status: Good, Reason: NoReason}, revoked: {Status: Revoked, RevokedAt: revokedAt, Reason: 1}, missing: {Status: Unknown, Reason: NoReason},
	}
	check := func(t *testing.T, res *Response, nonce []byte) {
		t.Helper()
		for c, info := range want {
			s, err := res.Check(CheckOptions{Certificate: c, Issuer: issuer, Nonce: nonce, Now: time.Now()})
			if err != nil {
				t.Fatal(err)
			}
			if s.Status != info.Status || !s.RevokedAt.Equal(info.RevokedAt) || s.Reason != info.Reason {
				t.Errorf("%s: %+v, want %+v", c.Subject, s, info)
			}
		}
		o := CheckOptions{Certificate: good, Issuer: issuer, Nonce: make([]byte, 32), Now: time.Now()}
		if _, err := res.Check(o); err == nil {
			t.Error("accepted with another nonce")
		}
	}

	list := []*cert.Certificate{good, revoked, missing}
	digests := digestsOfCertIDs[:5] // those openssl knows everywhere
	for i, who := range []string{"ca", "ocsp", "ca", "ocsp", "ocsp"} {
		t.Run(fmt.Sprintf("ours to %s, %s", who, digests[i]), func(t *testing.T) {
			r := Request{Nonce: testNonce}
			for _, c := range list {
				r.CertIDs = append(r.CertIDs, NewCertID(digest(t, digests[i]), c, issuer))
			}
			args := []string{"ocsp", "-index", ca.file("index"), "-rsigner", ca.file(who + ".pem"), "-rkey", ca.file(who + ".key"), "-CA", ca.file("ca.pem"),
				"-reqin", ca.write(t, "ours.req", r.Marshal()), "-respout", ca.file("theirs.resp")}
			if i > 1 {
				args = append(args, "-resp_key_id", "-nmin", "5")
			}
			ca.o.Run(t, nil, args...)
			check(t, mustParse(t, ca.read(t, "theirs.resp")), testNonce)
		})
	}
	t.Run("theirs", func(t *testing.T) {
		args := []string{"ocsp", "-issuer", ca.file("ca.pem"), "-reqout", ca.file("theirs.req")}
		for _, who := range []string{"good", "revoked", "missing"} {
			args = append(args, "-cert", ca.file(who+".pem"))
		}
		// Signed, with certificates.
		args = append(args, "-signer", ca.file("good.pem"), "-signkey", ca.file("good.key"))
		ca.o.Run(t, nil, args...)
		r, err := ParseRequest(ca.read(t, "theirs.req"))
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range list {
			if !r.CertIDs[i].names(c, issuer) || !r.CertIDs[i].Equal(NewCertID(nil, c, issuer)) {
				t.Errorf("request %d does not name %s", i, c.Subject)
			}
		}
		if len(r.CertIDs) != 3 || len(r.Nonce) == 0 {
			t.Errorf("%d certificates, nonce %x", len(r.CertIDs), r.Nonce)
		}
	})
}

// TestOpenSSLVerifiesOurResponses lets `openssl ocsp` judge our responder:
// signature, delegation, nonce, times and status.
func TestOpenSSLVerifiesOurResponses(t *testing.T) {
	o := peer.OpenSSL(t)
	for _, spec := range []string{"rsa:2048", "ecdsa:P-256"} {
		t.Run(spec, func(t *testing.T) { opensslVerifies(t, o, spec) })
	}
}

func TestGOSTEngineVerifiesOurResponses(t *testing.T) {
	for _, spec := range []string{"gost2001:A", "gost2001:B", "gost2001:C"} {
		t.Run(spec, func(t *testing.T) { opensslVerifies(t, peer.OpenSSLGOST(t), spec) })
	}
}

func opensslVerifies(t *testing.T, o *peer.OpenSSLPeer, spec string) {
	p := testpki.NewAt(t, spec, time.Now())
	w := &world{PKI: p, user: p.User(t, testpki.Person)}
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ca, user := write("ca.pem", cert.EncodePEM(w.CA.Cert)), write("user.pem", cert.EncodePEM(w.user.Cert))
	// openssl compares the nonce only without -cert and prints the status only
	// with it.
	judge := func(request, response []byte) (string, error) {
		roots := write("roots.pem", cert.EncodePEM(w.Root.Cert, w.CA.Cert))
		in := write("resp", response)
		if out, err := o.TryRun(t, nil, "ocsp", "-CAfile", roots, "-reqin", write("req", request), "-respin", in); err != nil {
			return string(out), err
		}
		out, err := o.TryRun(t, nil, "ocsp", "-no_nonce", "-issuer", ca, "-cert", user, "-CAfile", roots, "-respin", in)
		return string(out), err
	}
	serve := w.responder()
	serve.Now = time.Now
	revokedAt := time.Now().UTC().Add(-time.Hour).Truncate(time.Second)
	for _, tt := range []struct {
		info StatusInfo
		want []string
	}{
		{StatusInfo{Status: Good}, []string{": good"}},
		{StatusInfo{Status: Unknown}, []string{": unknown"}},
		{StatusInfo{Status: Revoked, RevokedAt: revokedAt}, []string{": revoked", "Revocation Time: " + revokedAt.Format("Jan _2 15:04:05 2006")}},
		{StatusInfo{Status: Revoked, RevokedAt: revokedAt, Reason: 1}, []string{": revoked", "Reason: keyCompromise"}},
	} {
		for _, byName := range []bool{false, true} {
			serve.ByName = byName
			serve.Lookup = func(context.Context, *big.Int) (StatusInfo, error) { return tt.info, nil }
			r := Request{CertIDs: []CertID{w.id()}, Nonce: testNonce}
			resp := serve.Respond(t.Context(), r.Marshal())
			out, err := judge(r.Marshal(), resp)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range tt.want {
				if !strings.Contains(out, want) || strings.Contains(out, "WARNING") {
					t.Errorf("no %q: openssl says %s", want, out)
				}
			}
			r.Nonce = make([]byte, 32) // of another request
			if out, err := judge(r.Marshal(), resp); err == nil || !strings.Contains(err.Error(), "Nonce Verify error") {
				t.Errorf("openssl says of another nonce: %s, %v", out, err)
			}
		}
	}
	// A leaf without the purpose is refused by both.
	serve.Certificate, serve.Key = w.user.Cert, w.user.Key
	r := Request{CertIDs: []CertID{w.id()}, Nonce: testNonce}
	resp := serve.Respond(t.Context(), r.Marshal())
	if out, err := judge(r.Marshal(), resp); err == nil {
		t.Errorf("openssl accepts a leaf without OCSPSigning: %s", out)
	}
	opts := w.options()
	opts.Now = time.Now()
	if _, err := mustParse(t, resp).Check(opts); err == nil {
		t.Error("accepted a leaf without OCSPSigning")
	}
}

// TestOpenSSLAsksOurResponder speaks HTTP with it.
func TestOpenSSLAsksOurResponder(t *testing.T) {
	o := peer.OpenSSL(t)
	p := testpki.NewAt(t, "ecdsa:P-256", time.Now())
	w := &world{PKI: p, user: p.User(t, testpki.Person)}
	responder := w.responder()
	responder.Now = time.Now
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		out.Header().Set("Content-Type", "application/ocsp-response")
		out.Write(responder.Respond(r.Context(), body))
	}))
	defer server.Close()
	dir := t.TempDir()
	write := func(name string, c ...*cert.Certificate) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, cert.EncodePEM(c...), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	out := o.Run(t, nil, "ocsp", "-url", server.URL+"/cams/ocsp", "-issuer", write("ca.pem", w.CA.Cert), "-cert", write("user.pem", w.user.Cert),
		"-CAfile", write("roots.pem", w.Root.Cert, w.CA.Cert))
	if !strings.Contains(string(out), "user.pem: good") || strings.Contains(string(out), "WARNING") {
		t.Errorf("openssl says %s", out)
	}
}
