package cms

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"testing"
	"time"

	"imzo/gost/gost3410"
	"imzo/internal/testpki"
	"imzo/pki/alg"
	"imzo/pki/armor"
	"imzo/pki/ber"
	"imzo/pki/cert"
)

func fixture(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/cms-fixture.b64")
	if err != nil {
		t.Fatal(err)
	}
	der, err := armor.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestFixtureReadsAndVerifies(t *testing.T) {
	s := mustParse(t, fixture(t))
	if !s.Indefinite || s.Version != 1 || s.ContentType != OIDData || s.Detached() || string(s.Content()) != "Salom, E-IMZO" {
		t.Errorf("read as %+v", s)
	}
	if len(s.Certificates) != 1 || len(s.CRLs) != 0 || len(s.SignerInfos) != 1 || len(s.DigestAlgorithms) != 1 {
		t.Fatalf("%d certificates, %d CRLs, %d signers", len(s.Certificates), len(s.CRLs), len(s.SignerInfos))
	}
	si := s.SignerInfos[0]
	if got := si.SID.String(); got != "certificate 77010203" {
		t.Error(got)
	}
	if got := hex.EncodeToString(si.Signature); got != "f8d25633a0dfbf90fe93403a4898ca61dde1d9fd265fcdef44f32b6459dce538281654a61d548f423ad3369c905ce35ff3aa39597b7e7592d64470b975c55d2d" {
		t.Error(got)
	}
	at, ok, err := si.SigningTime()
	if want := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC); err != nil || !ok || !at.Equal(want) {
		t.Errorf("signing time %v, %v, %v", at, ok, err)
	}
	digest, ok, err := si.MessageDigest()
	if err != nil || !ok || hex.EncodeToString(digest) != hex.EncodeToString(alg.OZDST().Sum([]byte("Salom, E-IMZO"))) {
		t.Errorf("message digest %x, %v, %v", digest, ok, err)
	}
	if tokens, err := si.TimeStampTokens(); len(tokens) != 0 || err != nil {
		t.Errorf("%d tokens, %v", len(tokens), err)
	}
	certs := s.SignerCertificates(si)
	if len(certs) != 1 {
		t.Fatalf("%d certificates of the signer", len(certs))
	}
	if err := s.Verify(si, certs[0], nil); err != nil {
		t.Error(err)
	}
}

// TestSignRebuildsTheFixture makes the fixture again with its key: every octet
// but those of the signature, which is random, must come out the same.
func TestSignRebuildsTheFixture(t *testing.T) {
	want := fixture(t)
	s := mustParse(t, want)
	d := make([]byte, 32)
	for i := range d {
		d[i] = byte(i + 1)
	}
	raw, err := gost3410.NewPrivateKey(gost3410.CryptoProA(), d)
	if err != nil {
		t.Fatal(err)
	}
	key, err := alg.NewPrivateKeyWithSPKI(raw, s.Certificates[0].PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	got := mustSign(t, []byte("Salom, E-IMZO"), Options{}, Signer{
		Key: key, Chain: s.Certificates, SigningTime: at("2026-01-01T12:00:00Z"),
	})
	made := mustVerify(t, got, nil)
	blank := func(b, signature []byte) []byte {
		return bytes.Replace(b, signature, make([]byte, len(signature)), 1)
	}
	if a, b := blank(got, made.SignerInfos[0].Signature), blank(want, s.SignerInfos[0].Signature); !bytes.Equal(a, b) {
		t.Errorf("made %x\nwant %x", a, b)
	}
}

// TestGuideSignatureVerifies puts the signature printed in the guide of
// E-IMZO-SERVER (2.2.4) into a document, with a certificate made for its
// public key.
func TestGuideSignatureVerifies(t *testing.T) {
	var kat struct {
		PublicKey string `json:"public_key_spki_b64"`
		Content   string `json:"content_utf8"`
		Digest    string `json:"content_digest"`
		Attrs     string `json:"signed_attributes_der_set"`
		Time      string `json:"signing_time"`
		Signature string `json:"signature"`
	}
	text, err := os.ReadFile("testdata/guide-signature.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &kat); err != nil {
		t.Fatal(err)
	}
	spki, err := armor.DecodeBase64([]byte(kat.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	e, err := ber.Parse(spki)
	if err != nil {
		t.Fatal(err)
	}
	public, err := alg.ParsePublicKey(e)
	if err != nil {
		t.Fatal(err)
	}
	pki := testpki.New(t, "ozdst")
	user := pki.User(t, testpki.Person, func(c *cert.Template) { c.PublicKey = public })
	attrs, err := ber.Parse(unhex(t, kat.Attrs))
	if err != nil {
		t.Fatal(err)
	}
	list, err := parseAttributes(attrs)
	if err != nil {
		t.Fatal(err)
	}
	user.Key = pki.CA.Key // names the algorithms; the signature is the guide's
	b := forge{content: []byte(kat.Content), attrs: list, signature: unhex(t, kat.Signature)}.make(t, user)
	s := mustVerify(t, b, nil)
	si := s.SignerInfos[0]
	if got := hex.EncodeToString(si.RawSignedAttrs); got != kat.Attrs {
		t.Errorf("hashed attributes %s", got)
	}
	if got, ok, err := si.SigningTime(); err != nil || !ok || !got.Equal(at(kat.Time)) {
		t.Errorf("signing time %v, %v, %v", got, ok, err)
	}
	if digest, err := s.ContentDigest(si, nil); err != nil || hex.EncodeToString(digest) != kat.Digest {
		t.Errorf("digest %x, %v", digest, err)
	}
	// One second off and the signature is another's.
	list[1] = NewAttribute(OIDSigningTime, ber.UTCTime(at(kat.Time).Add(time.Second)))
	b = forge{content: []byte(kat.Content), attrs: list, signature: unhex(t, kat.Signature)}.make(t, user)
	if err := verifyAll(mustParse(t, b), nil); !errors.Is(err, ErrSignature) {
		t.Errorf("another signing time: %v", err)
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
