package cms

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/alg"
	"imzo/pki/armor"
	"imzo/pki/cert"
)

// TestExternalAttributesAreThoseOfTheGuide takes the signature that the guide
// of E-IMZO-SERVER prints (2.2.4) as one that a card has made.
func TestExternalAttributesAreThoseOfTheGuide(t *testing.T) {
	var kat struct {
		PublicKey string `json:"public_key_spki_b64"`
		Content   string `json:"content_utf8"`
		Digest    string `json:"content_digest"`
		Attrs     string `json:"signed_attributes_der_set"`
		Signature string `json:"signature"`
	}
	text, err := os.ReadFile("testdata/guide-signature.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &kat); err != nil {
		t.Fatal(err)
	}
	signed := time.Date(2022, 9, 27, 6, 17, 53, 0, time.UTC)
	attrs, err := ExternalAttributes(unhex(t, kat.Digest), signed)
	if err != nil {
		t.Fatal(err)
	}
	if len(attrs) != 107 || hex.EncodeToString(attrs) != kat.Attrs {
		t.Errorf("attributes are %x, want %s", attrs, kat.Attrs)
	}
	if got := hex.EncodeToString(alg.OZDST().Sum(attrs)); got != "914fb56e49c45375df9953601361796c43fad21dd29b7f717f9ee441ad766f86" {
		t.Errorf("the card is given %s", got)
	}
	spki, err := armor.DecodeBase64([]byte(kat.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	public, err := alg.ParsePublicKeyDER(spki)
	if err != nil {
		t.Fatal(err)
	}
	pki := testpki.New(t, "ozdst")
	user := pki.User(t, testpki.Person, func(c *cert.Template) { c.PublicKey = public })
	e := External{Chain: user.Chain, ContentDigest: unhex(t, kat.Digest), SigningTime: signed, Signature: unhex(t, kat.Signature)}
	document, err := AssembleDetached(e)
	if err != nil {
		t.Fatal(err)
	}
	mustVerify(t, document, []byte(kat.Content))
	e.SigningTime = signed.Add(time.Second)
	if _, err := AssembleDetached(e); !errors.Is(err, ErrSignature) {
		t.Errorf("a second later: %v", err)
	}
	if _, err := ExternalAttributes(e.ContentDigest, time.Time{}); !errors.Is(err, ErrAttribute) {
		t.Errorf("attributes without a time: %v", err)
	}
}

// A document made of a signature from elsewhere is, octet for octet, the one
// that Sign makes with the key at hand.
func TestAssembleDetachedMakesTheDocumentsOfSign(t *testing.T) {
	content := []byte("some document")
	for _, spec := range []string{"ozdst:C", "ozmst:C", "ozdst", "rsa:2048", "ecdsa:P-256", "ed25519"} {
		user := testpki.New(t, spec).User(t, testpki.Person)
		for _, plain := range []bool{false, true} {
			signer := signerOf(user)
			if plain {
				signer.NoSignedAttrs, signer.SigningTime = true, time.Time{}
			}
			want := mustSign(t, content, Options{Detached: true}, signer)
			e := External{
				Chain: user.Chain, ContentDigest: user.Key.Digest().Sum(content), SigningTime: signer.SigningTime,
				Signature: mustParse(t, want).SignerInfos[0].Signature,
			}
			got, err := AssembleDetached(e)
			if plain && spec == "ed25519" {
				if !errors.Is(err, ErrUnsupported) {
					t.Errorf("%s without attributes: %v", spec, err)
				}
				continue
			}
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s, plain %v: %v\n%x\n%x", spec, plain, err, got, want)
				continue
			}
			mustVerify(t, got, content)
		}
	}
}

func TestAssembleDetachedGivesNoDocumentThatDoesNotVerify(t *testing.T) {
	pki := testpki.New(t, "ozdst:C")
	user, other := pki.User(t, testpki.Person), pki.User(t, testpki.Organisation)
	digest := alg.OZDST().Sum([]byte("some document"))
	attrs, err := ExternalAttributes(digest, pki.Now)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := user.Key.SignMessage(rand.Reader, attrs)
	if err != nil {
		t.Fatal(err)
	}
	good := External{Chain: user.Chain, ContentDigest: digest, SigningTime: pki.Now, Signature: signature}
	if _, err := AssembleDetached(good); err != nil {
		t.Fatal(err)
	}
	unknown := pki.User(t, testpki.Person)
	broken := *unknown.Cert
	public := *broken.PublicKey
	public.Key = nil
	broken.PublicKey = &public
	many := append([]*cert.Certificate{}, user.Chain...)
	for range MaxCertificates {
		many = append(many, user.Cert) // copies are one
	}
	tests := []struct {
		name   string
		change func(e *External)
		want   error
	}{
		{"no certificate", func(e *External) { e.Chain = nil }, ErrCertificate},
		{"another's certificate", func(e *External) { e.Chain = other.Chain }, ErrSignature},
		{"another digest", func(e *External) { e.ContentDigest = alg.OZDST().Sum(nil) }, ErrSignature},
		{"a short digest", func(e *External) { e.ContentDigest = digest[1:] }, ErrDigestMismatch},
		{"no digest", func(e *External) { e.ContentDigest = nil }, ErrDigestMismatch},
		{"another time", func(e *External) { e.SigningTime = pki.Now.Add(-time.Second) }, ErrSignature},
		{"no time", func(e *External) { e.SigningTime = time.Time{} }, ErrSignature},
		{"no signature", func(e *External) { e.Signature = nil }, ErrSignature},
		{"a signature turned round", func(e *External) {
			e.Signature = append(bytes.Clone(signature[32:]), signature[:32]...)
		}, ErrSignature},
		{"a key nobody knows", func(e *External) { e.Chain = []*cert.Certificate{&broken} }, ErrUnsupported},
		{"copies of a certificate", func(e *External) { e.Chain = many }, nil},
	}
	for _, test := range tests {
		e := good
		test.change(&e)
		document, err := AssembleDetached(e)
		if !errors.Is(err, test.want) || (err == nil) != (document != nil) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
}
