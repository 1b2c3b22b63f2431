package cms

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"imzo/internal/testpki"
	"imzo/internal/testpki/peer"
	"imzo/pki/cert"
)

// opensslSigner is a self-signed certificate and key made by openssl.
type opensslSigner struct {
	cert, key string // files
}

func newOpenSSLSigner(t *testing.T, o *peer.OpenSSLPeer, name string, args ...string) opensslSigner {
	t.Helper()
	dir := t.TempDir()
	s := opensslSigner{cert: filepath.Join(dir, name+".pem"), key: filepath.Join(dir, name+".key")}
	o.Run(t, nil, append([]string{"req", "-x509", "-nodes", "-subj", "/C=UZ/CN=" + name, "-keyout", s.key, "-out", s.cert,
		"-addext", "keyUsage=critical,digitalSignature,keyCertSign"}, args...)...)
	return s
}

// TestDocumentsOfOpenSSLVerify reads what `openssl cms -sign` makes.
func TestDocumentsOfOpenSSLVerify(t *testing.T) {
	o := peer.OpenSSL(t)
	rsa := newOpenSSLSigner(t, o, "rsa", "-newkey", "rsa:2048")
	ec := newOpenSSLSigner(t, o, "ec", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
	ec384 := newOpenSSLSigner(t, o, "ec384", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384")
	openSSLSigns(t, o, map[string][]string{
		"RSA":                 sign(rsa),
		"RSA, SHA-512":        append(sign(rsa), "-md", "sha512"),
		"RSA-PSS":             append(sign(rsa), "-keyopt", "rsa_padding_mode:pss"),
		"RSA-PSS, SHA-384":    append(sign(rsa), "-md", "sha384", "-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:20"),
		"ECDSA":               append(sign(ec), "-md", "sha256"),
		"ECDSA P-384":         append(sign(ec384), "-md", "sha384"),
		"two":                 append(sign(rsa), sign(ec)...),
		"three with CAdES":    append(append(append(sign(rsa), sign(ec)...), sign(ec384)...), "-cades"),
		"CAdES":               append(sign(ec), "-cades"),
		"RSA, CAdES, SHA-512": append(sign(rsa), "-cades", "-md", "sha512"),
	})
}

// TestDocumentsOfTheGOSTEngineVerify does so for the Russian family, whose
// mathematics is that of O'z DSt.
func TestDocumentsOfTheGOSTEngineVerify(t *testing.T) {
	o := peer.OpenSSLGOST(t)
	var signers []opensslSigner
	args := make(map[string][]string)
	for _, set := range []string{"A", "B", "C"} {
		s := newOpenSSLSigner(t, o, "gost"+set, "-newkey", "gost2001", "-pkeyopt", "paramset:"+set, "-md_gost94")
		signers = append(signers, s)
		args["GOST 2001 "+set] = append(sign(s), "-md", "md_gost94")
	}
	args["two"] = append(append(sign(signers[0]), sign(signers[2])...), "-md", "md_gost94")
	openSSLSigns(t, o, args)
}

func sign(s opensslSigner) []string { return []string{"-signer", s.cert, "-inkey", s.key} }

func openSSLSigns(t *testing.T, o *peer.OpenSSLPeer, signers map[string][]string) {
	forms := map[string][]string{
		"attached":                    {"-nodetach"},
		"detached":                    {},
		"attached, indefinite":        {"-nodetach", "-stream"},
		"without attributes":          {"-nodetach", "-noattr"},
		"without attributes detached": {"-noattr"},
		"by key identifier":           {"-nodetach", "-keyid"},
		"without S/MIME capabilities": {"-nodetach", "-nosmimecap"},
	}
	rng := mathrand.New(mathrand.NewPCG(3, 3))
	for name, who := range signers {
		for form, args := range forms {
			// CAdES is attributes; OpenSSL 3.0 cannot write PSS parameters
			// in its streaming mode.
			if strings.Contains(name, "CAdES") && strings.Contains(form, "without attributes") ||
				strings.Contains(name, "PSS") && strings.Contains(form, "indefinite") {
				continue
			}
			t.Run(name+"/"+form, func(t *testing.T) {
				content := randomOctets(rng, rng.IntN(20000))
				all := append([]string{"cms", "-sign", "-binary", "-outform", "DER"}, append(args, who...)...)
				doc := o.Run(t, content, all...)
				var detached []byte
				if strings.Contains(form, "detached") || len(args) == 0 {
					detached = content
				}
				s := mustVerify(t, doc, detached)
				if s.Detached() != (detached != nil) || detached == nil && !bytes.Equal(s.Content(), content) {
					t.Errorf("detached %v, content of %d octets", s.Detached(), len(s.Content()))
				}
				if strings.Contains(form, "indefinite") != s.Indefinite {
					t.Errorf("indefinite %v", s.Indefinite)
				}
				if want := strings.Count(strings.Join(who, " "), "-signer"); len(s.SignerInfos) != want {
					t.Errorf("%d signers of %d", len(s.SignerInfos), want)
				}
				if detached == nil {
					return
				}
				if err := verifyAll(s, append(content, 0)); !errors.Is(err, ErrDigestMismatch) && !errors.Is(err, ErrSignature) {
					t.Errorf("another content: %v", err)
				}
				b, err := s.AttachContent(content)
				if err != nil {
					t.Fatal(err)
				}
				mustVerify(t, b, nil)
			})
		}
	}
}

func writeFile(t *testing.T, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// opensslVerifies returns the content that `openssl cms -verify` finds.
func opensslVerifies(t *testing.T, o *peer.OpenSSLPeer, doc, detached []byte, roots ...*cert.Certificate) ([]byte, error) {
	t.Helper()
	args := []string{"cms", "-verify", "-binary", "-inform", "DER", "-in", writeFile(t, "doc.p7s", doc),
		"-CAfile", writeFile(t, "roots.pem", cert.EncodePEM(roots...)), "-purpose", "any", "-no_check_time"}
	if detached != nil {
		args = append(args, "-content", writeFile(t, "content", detached))
	}
	return o.TryRun(t, nil, args...)
}

func mustVerifyWithOpenSSL(t *testing.T, o *peer.OpenSSLPeer, doc, detached, content []byte, roots ...*cert.Certificate) {
	t.Helper()
	got, err := opensslVerifies(t, o, doc, detached, roots...)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, content) {
		t.Errorf("openssl found %d octets of %d", len(got), len(content))
	}
}

// TestOpenSSLVerifiesOurDocuments checks every layout, and everything that
// rewrites, with `openssl cms -verify`.
func TestOpenSSLVerifiesOurDocuments(t *testing.T) {
	o := peer.OpenSSL(t)
	rsa, ec := testpki.New(t, "rsa:2048"), testpki.New(t, "ecdsa:P-256")
	openSSLVerifiesFamily(t, o, rsa)
	openSSLVerifiesFamily(t, o, ec)

	// Two families in one document, made by Sign, AddSigner and Join.
	a, b := rsa.User(t, testpki.Person), ec.User(t, testpki.Person)
	content := randomOctets(mathrand.New(mathrand.NewPCG(4, 4)), 4321)
	for _, opt := range []Options{{}, {DER: true}} {
		one := mustSign(t, content, opt, signerOf(a))
		two := mustSign(t, content, opt, signerOf(b))
		added, err := mustParse(t, one).AddSigner(nil, signerOf(b), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		joined, err := Join(mustParse(t, one), mustParse(t, two))
		if err != nil {
			t.Fatal(err)
		}
		stamped, err := mustParse(t, joined).AddUnsignedAttribute(1, NewAttribute(OIDTimeStampToken, one))
		if err != nil {
			t.Fatal(err)
		}
		for name, doc := range map[string][]byte{"signed": mustSign(t, content, opt, signerOf(a), signerOf(b)), "added": added, "joined": joined, "stamped": stamped} {
			t.Run(fmt.Sprintf("%s, DER %v", name, opt.DER), func(t *testing.T) {
				mustVerifyWithOpenSSL(t, o, doc, nil, content, rsa.Root.Cert, ec.Root.Cert)
			})
		}
	}
}

func TestGOSTEngineVerifiesOurDocuments(t *testing.T) {
	o := peer.OpenSSLGOST(t)
	for _, set := range []string{"A", "B", "C"} {
		openSSLVerifiesFamily(t, o, testpki.New(t, "gost2001:"+set))
	}
}

func openSSLVerifiesFamily(t *testing.T, o *peer.OpenSSLPeer, pki *testpki.PKI) {
	t.Helper()
	user := pki.User(t, testpki.Person)
	byKey, plain := signerOf(user), Signer{Key: user.Key, Chain: user.Chain, NoSignedAttrs: true}
	byKey.UseSubjectKeyID = true
	rng := mathrand.New(mathrand.NewPCG(5, 5))
	for form, signer := range map[string]Signer{"usual": signerOf(user), "by key identifier": byKey, "without attributes": plain} {
		for _, opt := range layouts {
			t.Run(fmt.Sprintf("%s/%s/%+v", pki.KeySpec, form, opt), func(t *testing.T) {
				content := randomOctets(rng, 1+rng.IntN(5000))
				doc := mustSign(t, content, opt, signer)
				var detached []byte
				if opt.Detached {
					detached = content
				}
				mustVerifyWithOpenSSL(t, o, doc, detached, content, pki.Root.Cert)
				if !opt.Detached {
					return
				}
				if _, err := opensslVerifies(t, o, doc, append(content, 0), pki.Root.Cert); err == nil {
					t.Error("openssl verifies another content")
				}
				attached, err := mustParse(t, doc).AttachContent(content)
				if err != nil {
					t.Fatal(err)
				}
				mustVerifyWithOpenSSL(t, o, attached, nil, content, pki.Root.Cert)
			})
		}
	}
}
