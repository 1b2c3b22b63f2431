package verify

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/internal/testpki/peer"
	"imzo/pki/alg"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/keystore"
	"imzo/pki/ocsp"
)

// The tests of this file judge documents, timestamps and OCSP responses that
// are all OpenSSL's.

// opensslWorld is a hierarchy whose parts OpenSSL plays. OpenSSL has no clock
// but the system's, so it is valid around the present.
type opensslWorld struct {
	*world
	openssl *peer.OpenSSLPeer
	dir     string
	digest  string
	revoked map[string]bool // by serial number
}

func newOpenSSLWorld(t *testing.T, o *peer.OpenSSLPeer, spec, digest string) *opensslWorld {
	t.Helper()
	w := &opensslWorld{
		world:   worldOf(t, testpki.NewAt(t, spec, time.Now().Truncate(time.Second))),
		openssl: o,
		dir:     t.TempDir(),
		digest:  digest,
		revoked: make(map[string]bool),
	}
	w.entity(t, "user", w.user)
	w.entity(t, "tsa", w.TSA)
	w.entity(t, "ocsp", w.OCSP)
	w.write(t, "chain.pem", cert.EncodePEM(w.CA.Cert, w.Root.Cert))
	w.write(t, "ca.pem", cert.EncodePEM(w.CA.Cert))
	w.write(t, "serial", []byte("01\n"))
	w.write(t, "ts.cnf", []byte(fmt.Sprintf(`[tsa_config]
serial = %s
default_policy = %s
digests = %s
signer_digest = %s
ordering = yes
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = sha256
`, w.path("serial"), tsaPolicy, digest, digest)))
	return w
}

func (w *opensslWorld) path(name string) string { return filepath.Join(w.dir, name) }

func (w *opensslWorld) write(t *testing.T, name string, b []byte) string {
	t.Helper()
	if err := os.WriteFile(w.path(name), b, 0o600); err != nil {
		t.Fatal(err)
	}
	return w.path(name)
}

func (w *opensslWorld) entity(t *testing.T, name string, e testpki.Entity) {
	t.Helper()
	der, err := keystore.MarshalPKCS8(e.Key)
	if err != nil {
		t.Fatal(err)
	}
	w.write(t, name+".key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	w.write(t, name+".pem", cert.EncodePEM(e.Cert))
}

func (w *opensslWorld) sign(t *testing.T, content []byte, args ...string) []byte {
	t.Helper()
	return w.openssl.Run(t, content, append([]string{"cms", "-sign", "-binary", "-outform", "DER", "-md", w.digest,
		"-signer", w.path("user.pem"), "-inkey", w.path("user.key"), "-certfile", w.path("chain.pem")}, args...)...)
}

func (w *opensslWorld) stampSigner(t *testing.T, doc []byte) []byte {
	t.Helper()
	signature := w.write(t, "signature", mustParse(t, doc).SignerInfos[0].Signature)
	query := w.path("query")
	w.openssl.Run(t, nil, "ts", "-query", "-data", signature, "-"+w.digest, "-cert", "-out", query)
	token := w.openssl.Run(t, nil, "ts", "-reply", "-config", w.path("ts.cnf"), "-section", "tsa_config", "-queryfile", query,
		"-signer", w.path("tsa.pem"), "-inkey", w.path("tsa.key"), "-chain", w.path("chain.pem"), "-token_out")
	return addUnsigned(t, doc, 0, cms.OIDTimeStampToken, token)
}

// source asks `openssl ocsp`, which keeps certificates in an index file.
func (w *opensslWorld) source(t *testing.T) RevocationSource {
	t.Helper()
	return sourceFunc(func(_ context.Context, c, issuer *cert.Certificate) (*RevocationStatus, error) {
		dir, err := os.MkdirTemp(w.dir, "ocsp")
		if err != nil {
			return nil, err
		}
		serial := strings.ToUpper(c.SerialHex())
		if len(serial)%2 == 1 {
			serial = "0" + serial
		}
		status, when := "V", ""
		if w.revoked[c.SerialHex()] {
			status, when = "R", w.Now.Add(-time.Hour).UTC().Format("060102150405Z")+",keyCompromise"
		}
		line := strings.Join([]string{status, c.NotAfter.UTC().Format("060102150405Z"), when, serial, "unknown", "/CN=x"}, "\t") + "\n"
		index, request := filepath.Join(dir, "index.txt"), filepath.Join(dir, "request")
		if err := os.WriteFile(index, []byte(line), 0o600); err != nil {
			return nil, err
		}
		req := ocsp.Request{CertIDs: []ocsp.CertID{ocsp.NewCertID(nil, c, issuer)}, Nonce: recordedNonce}
		if err := os.WriteFile(request, req.Marshal(), 0o600); err != nil {
			return nil, err
		}
		response := filepath.Join(dir, "response")
		if _, err := w.openssl.TryRun(t, nil, "ocsp", "-index", index, "-CA", w.path("ca.pem"), "-rsigner", w.path("ocsp.pem"), "-rkey", w.path("ocsp.key"),
			"-rmd", w.digest, "-ndays", "1", "-reqin", request, "-respout", response); err != nil {
			return nil, err
		}
		raw, err := os.ReadFile(response)
		if err != nil {
			return nil, err
		}
		return checkedStatus(raw, c, issuer, recordedNonce, time.Now())
	})
}

func TestWhatOpenSSLMakesIsJudged(t *testing.T) {
	for _, tt := range []struct{ spec, digest string }{
		{"rsa:2048", "sha256"}, {"ecdsa:P-256", "sha256"}, {"ecdsa:P-384", "sha384"},
	} {
		t.Run(tt.spec, func(t *testing.T) {
			judgeOpenSSL(t, newOpenSSLWorld(t, peer.OpenSSL(t), tt.spec, tt.digest))
		})
	}
}

// The Russian family of the GOST engine has the mathematics of O'z DSt.
func TestWhatTheGOSTEngineMakesIsJudged(t *testing.T) {
	for _, spec := range []string{"gost2001", "gost2001:B", "gost2001:C"} {
		t.Run(spec, func(t *testing.T) {
			judgeOpenSSL(t, newOpenSSLWorld(t, peer.OpenSSLGOST(t), spec, "md_gost94"))
		})
	}
}

func judgeOpenSSL(t *testing.T, w *opensslWorld) {
	text := content()
	o := Options{Anchors: w.Anchors(), Revocation: w.source(t), Now: time.Now}
	for name, args := range map[string][]string{
		"attached":           {"-nodetach"},
		"detached":           {},
		"streamed":           {"-nodetach", "-stream"},
		"CAdES":              {"-nodetach", "-cades"},
		"by key identifier":  {"-nodetach", "-keyid"},
		"without attributes": {"-nodetach", "-noattr"},
	} {
		t.Run(name, func(t *testing.T) {
			var detached []byte
			if len(args) == 0 {
				detached = text
			}
			doc := w.sign(t, text, args...)
			r := mustBeValid(t, doc, detached, o)
			if detached == nil && !bytes.Equal(r.Content, text) {
				t.Errorf("content of %d octets", len(r.Content))
			}
			if s := r.Signers[0]; !s.Certificate.Equal(w.user.Cert) || s.Revocation == nil || s.Revocation.Status != ocsp.Good {
				t.Errorf("%s, %+v", s.Certificate, s.Revocation)
			}
			other := bytes.ToUpper(text)
			if detached != nil && mustVerify(t, doc, other, o).Valid() {
				t.Error("valid with another content")
			}
		})
	}
	t.Run("timestamp", func(t *testing.T) {
		doc := w.stampSigner(t, w.sign(t, text, "-nodetach"))
		r := mustBeValid(t, doc, nil, o)
		s := r.Signers[0]
		if s.SigningDateSource != DateFromTimeStamp || !s.TimeStamp.Certificate.Equal(w.TSA.Cert) || s.TimeStamp.Token.Info.Policy != tsaPolicy {
			t.Errorf("%s by %s", s.SigningDateSource, s.TimeStamp.Certificate)
		}
		if d, err := alg.DigestByOID(s.TimeStamp.Token.Info.HashAlgorithm.OID); err != nil || !bytes.Equal(s.TimeStamp.Token.Info.HashedMessage, d.Sum(s.Signature)) {
			t.Errorf("imprint: %v", err)
		}
		// The token of one signature on another.
		token := mustParse(t, doc).SignerInfos[0].UnsignedAttrs[0]
		another := addUnsigned(t, w.sign(t, []byte("another"), "-nodetach"), 0, token.Type, token.Values[0].Raw)
		if f := mustVerify(t, another, nil, o).FirstFailure(); f == nil || f.Check.Name != CheckImprint {
			t.Errorf("%v", f)
		}
	})
	t.Run("revoked", func(t *testing.T) {
		w.revoked[w.user.Cert.SerialHex()] = true
		defer delete(w.revoked, w.user.Cert.SerialHex())
		doc := w.sign(t, text, "-nodetach")
		mustFail(t, mustVerify(t, doc, nil, o), []wrong{{CheckRevocation, Failed, RevokedNoPOE, errRevoked}}, nil)
		mustFail(t, mustVerify(t, w.stampSigner(t, doc), nil, o), []wrong{{CheckRevocation, Failed, Revoked, errRevoked}}, nil)
	})
}
