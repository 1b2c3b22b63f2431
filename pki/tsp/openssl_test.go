package tsp

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/internal/testpki/peer"
	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
)

// opensslConfig is for `openssl req` and `openssl ts`.
const opensslConfig = `
[req]
distinguished_name = dn
[dn]
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
[tsa]
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
[service]
serial = DIR/serial
crypto_device = builtin
signer_cert = DIR/tsa.pem
signer_key = DIR/tsa.key
certs = DIR/ca.pem
signer_digest = SIGNER
default_policy = 1.2.860.3.2.11.1
other_policies = 1.2.3.4
digests = sha1, sha256, sha384, sha512EXTRA
accuracy = secs:1, millisecs:500, microsecs:100
clock_precision_digits = 3
ordering = yes
tsa_name = yes
ess_cert_id_chain = CHAIN
ess_cert_id_alg = ESS
`

type opensslTSA struct {
	o   *peer.OpenSSLPeer
	dir string
}

// newOpenSSLTSA makes a CA and an authority whose keys are in files of
// openssl.
func newOpenSSLTSA(t *testing.T, o *peer.OpenSSLPeer, signer, extra, ess, chain string, gen ...string) *opensslTSA {
	t.Helper()
	a := &opensslTSA{o: o, dir: t.TempDir()}
	conf := strings.NewReplacer("DIR", a.dir, "SIGNER", signer, "EXTRA", extra, "ESS", ess, "CHAIN", chain)
	a.write(t, "cnf", []byte(conf.Replace(opensslConfig)))
	a.write(t, "serial", []byte("13219EC520231518\n"))
	newKey := append([]string{"req", "-config", a.file("cnf"), "-nodes", "-newkey"}, gen...)
	o.Run(t, nil, append(newKey[:len(newKey):len(newKey)], "-x509", "-days", "30", "-subj", "/CN=CA", "-extensions", "ca", "-keyout", a.file("ca.key"), "-out", a.file("ca.pem"))...)
	o.Run(t, nil, append(newKey[:len(newKey):len(newKey)], "-subj", "/O=imzo/CN=TSA", "-keyout", a.file("tsa.key"), "-out", a.file("tsa.csr"))...)
	o.Run(t, nil, "x509", "-req", "-in", a.file("tsa.csr"), "-CA", a.file("ca.pem"), "-CAkey", a.file("ca.key"), "-set_serial", "77",
		"-days", "20", "-extfile", a.file("cnf"), "-extensions", "tsa", "-out", a.file("tsa.pem"))
	return a
}

func (a *opensslTSA) file(name string) string { return filepath.Join(a.dir, name) }

func (a *opensslTSA) write(t *testing.T, name string, b []byte) string {
	t.Helper()
	if err := os.WriteFile(a.file(name), b, 0o600); err != nil {
		t.Fatal(err)
	}
	return a.file(name)
}

func (a *opensslTSA) certificate(t *testing.T, name string) *cert.Certificate {
	t.Helper()
	b, err := os.ReadFile(a.file(name))
	if err != nil {
		t.Fatal(err)
	}
	list, err := cert.ParseAll(b)
	if err != nil {
		t.Fatal(err)
	}
	return list[0]
}

func (a *opensslTSA) reply(t *testing.T, request []byte) []byte {
	t.Helper()
	a.o.Run(t, nil, "ts", "-reply", "-config", a.file("cnf"), "-section", "service", "-queryfile", a.write(t, "query", request), "-out", a.file("reply"))
	b, err := os.ReadFile(a.file("reply"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// stamps checks what the authority answers to our requests.
func (a *opensslTSA) stamps(t *testing.T, d *alg.Digest) {
	t.Helper()
	nonce, err := NewNonce(bytes.NewReader([]byte("\xff1234567")))
	if err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	req := NewRequest(d, d.Sum(seal), nonce, true)
	for _, policy := range []string{"", "1.2.3.4"} {
		if policy != "" {
			req.Policy = ber.MustOID(policy)
		}
		res, err := ParseResponse(a.reply(t, req.Marshal()))
		if err != nil {
			t.Fatal(err)
		}
		token, err := res.Check(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := token.CheckImprint(seal); err != nil {
			t.Error(err)
		}
		if _, c, err := token.Signer(); err != nil || !c.Equal(a.certificate(t, "tsa.pem")) {
			t.Errorf("signed by %v, %v", c, err)
		}
		if err := cert.CheckBag(token.SignedData.Certificates, nil); err != nil {
			t.Error(err)
		}
		want := testPolicy
		if policy != "" {
			want = policy
		}
		info := token.Info
		if info.Policy.String() != want || info.Accuracy != 1500100*time.Microsecond || !info.Ordering || !strings.HasPrefix(info.Serial.Text(16), "13219ec5202315") ||
			info.GenTime.Before(before.Add(-time.Second)) || info.GenTime.After(time.Now()) || token.TSAString() != "4: O=imzo,CN=TSA" {
			t.Errorf("%+v, TSA %s", info, token.TSAString())
		}
	}
	req.CertReq, req.Policy = false, ""
	res, err := ParseResponse(a.reply(t, req.Marshal()))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(res.Token.SignedData.Certificates); n != 0 {
		t.Errorf("%d certificates that nobody asked for", n)
	}
	// What it refuses, it refuses with the bits we know.
	req.Policy = ber.MustOID("1.2.3.5")
	if res, err = ParseResponse(a.reply(t, req.Marshal())); err != nil || res.Status != Rejection || res.Failure != UnacceptedPolicy {
		t.Errorf("%+v, %v", res, err)
	}
	req.Policy, req.HashedMessage = "", req.HashedMessage[:d.Size-1]
	if res, err = ParseResponse(a.reply(t, req.Marshal())); err != nil || res.Status != Rejection || res.Failure != BadDataFormat {
		t.Errorf("%+v, %v", res, err)
	}
}

func TestAuthorityOfOpenSSL(t *testing.T) {
	o := peer.OpenSSL(t)
	for _, tt := range []struct {
		name, signer, ess, chain string
		gen                      []string
		digest                   string
	}{
		{"RSA, ESS by SHA-1", "sha256", "sha1", "no", []string{"rsa:2048"}, "SHA-256"},
		{"RSA, ESS by SHA-256 with chain", "sha512", "sha256", "yes", []string{"rsa:2048"}, "SHA-512"},
		{"ECDSA, ESS by SHA-384", "sha384", "sha384", "no", []string{"ec", "-pkeyopt", "ec_paramgen_curve:P-384"}, "SHA-384"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := newOpenSSLTSA(t, o, tt.signer, "", tt.ess, tt.chain, tt.gen...)
			d, err := alg.DigestByName(tt.digest)
			if err != nil {
				t.Fatal(err)
			}
			a.stamps(t, d)
		})
	}
}

func TestAuthorityOfTheGOSTEngine(t *testing.T) {
	for _, set := range []string{"A", "B", "C"} {
		t.Run(set, func(t *testing.T) {
			a := newOpenSSLTSA(t, peer.OpenSSLGOST(t), "md_gost94", ", md_gost94", "sha256", "no", "gost2001", "-pkeyopt", "paramset:"+set)
			d, err := alg.DigestByName("GOST3411")
			if err != nil {
				t.Fatal(err)
			}
			a.stamps(t, d)
		})
	}
}

// opensslVerifies lets `openssl ts` ask our authority and judge its answers.
func opensslVerifies(t *testing.T, o *peer.OpenSSLPeer, spec, digest string) {
	t.Helper()
	w := world{testpki.NewAt(t, spec, time.Now())}
	// openssl wants the name in the token to be one of the certificate.
	w.TSA = w.tsa(t, w.CA, func(tmpl *cert.Template) {
		tmpl.Extra = []cert.Extension{{OID: ber.MustOID("2.5.29.17"), Value: ber.Sequence(ber.Tagged(ber.Context(6), []byte(testName)))}}
	})
	a := &opensslTSA{o: o, dir: t.TempDir()}
	data := a.write(t, "data", seal)
	roots := a.write(t, "roots.pem", cert.EncodePEM(w.Root.Cert))
	untrusted := a.write(t, "untrusted.pem", cert.EncodePEM(w.CA.Cert, w.TSA.Cert))
	for _, tt := range []struct {
		name    string
		args    []string
		certReq bool
	}{{"with certificates", []string{"-cert"}, true}, {"without", nil, false}, {"without nonce", []string{"-cert", "-no_nonce"}, true}, {"policy", []string{"-cert", "-tspolicy", testPolicy}, true}} {
		o.Run(t, nil, append([]string{"ts", "-query", "-data", data, "-" + digest, "-out", a.file("query")}, tt.args...)...)
		query, err := os.ReadFile(a.file("query"))
		if err != nil {
			t.Fatal(err)
		}
		req, err := ParseRequest(query)
		if err != nil {
			t.Fatal(err)
		}
		if req.CertReq != tt.certReq || !bytes.Equal(req.Marshal(), query) {
			t.Errorf("%s: %+v", tt.name, req)
		}
		authority := w.authority()
		authority.Now, authority.Accuracy = time.Now, 1500*time.Millisecond
		reply := a.write(t, "reply", authority.Respond(t.Context(), query))
		verify := func(args ...string) error {
			out, err := o.TryRun(t, nil, append([]string{"ts", "-verify", "-in", reply, "-CAfile", roots, "-untrusted", untrusted}, args...)...)
			if err == nil && !strings.Contains(string(out), "Verification: OK") {
				t.Errorf("%s: openssl says %s", tt.name, out)
			}
			return err
		}
		if err := verify("-queryfile", a.file("query")); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if err := verify("-data", data); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if err := verify("-data", a.write(t, "other", []byte("other"))); err == nil {
			t.Errorf("%s: openssl accepts another message", tt.name)
		}
		text := string(o.Run(t, nil, "ts", "-reply", "-in", reply, "-text"))
		for _, want := range []string{"Status: Granted.", "Policy OID: " + testPolicy, "Serial number: 0x13219EC520231519", "Accuracy: 0x01 seconds, 0x01F4 millis, unspecified micros", "URI:" + testName} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in %s", tt.name, want, text)
			}
		}
	}
	// A rejection, as openssl prints it.
	text := string(o.Run(t, nil, "ts", "-reply", "-in", a.write(t, "reply", reject(UnacceptedPolicy, "not ours")), "-text"))
	if !strings.Contains(text, "Status: Rejected.") || !strings.Contains(text, "not ours") || !strings.Contains(text, "unsupported") && !strings.Contains(text, "policy") {
		t.Errorf("openssl says %s", text)
	}
}

func TestOpenSSLVerifiesOurTokens(t *testing.T) {
	o := peer.OpenSSL(t)
	for _, spec := range []string{"rsa:2048", "ecdsa:P-256", "ecdsa:P-384"} {
		t.Run(spec, func(t *testing.T) { opensslVerifies(t, o, spec, "sha512") })
	}
}

func TestGOSTEngineVerifiesOurTokens(t *testing.T) {
	for _, set := range []string{"A", "B", "C"} {
		t.Run(set, func(t *testing.T) {
			opensslVerifies(t, peer.OpenSSLGOST(t), fmt.Sprintf("gost2001:%s", set), "md_gost94")
		})
	}
}
