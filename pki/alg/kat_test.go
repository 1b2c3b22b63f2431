package alg

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"imzo/gost/gost3410"
	"imzo/pki/ber"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The known answer of the key d = 0102...20 on curve A.
const (
	katPrivate   = "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"
	katSPKI      = "3060301906092a865c030f01010201300c060a2a865c030f010102010103430004401b7beeb499fdd7d3f3f629c2be4c5d0321b6549889c499c3b082f7a269ef35aa88260cc8ff05621f0f09335c6616eb006c19d0eef4a42f09b7e173662a1a9cff"
	katSKI       = "69d314bae33ab9faad71e9781062f09d2c0e5231"
	katSignature = "597882b9d36b1fb30e72bb520d1c33d26ced0ba434d1175411e79b224a2992e074e939c637a79a5b7e39dc15976befb324acdb74e2fa8d434aba0da9ebf8de8f"
)

func katKey(t testing.TB) *PrivateKey {
	t.Helper()
	s, err := gost3410.NewPrivateKey(gost3410.CryptoProA(), unhex(t, katPrivate))
	if err != nil {
		t.Fatal(err)
	}
	k, err := NewPrivateKey(s, FamilyOZDST)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func parseKey(t testing.TB, der []byte) *PublicKey {
	t.Helper()
	k, err := ParsePublicKeyDER(der)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func resolve1(t testing.TB, id AlgorithmIdentifier, d *Digest) *Signature {
	t.Helper()
	s, err := ResolveSignature(id, d)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPublicKeyIsWrittenAsEIMZOWritesIt(t *testing.T) {
	k := katKey(t)
	if got := hex.EncodeToString(k.PublicKey().Raw); got != katSPKI {
		t.Errorf("SPKI\n got %s\nwant %s", got, katSPKI)
	}
	if got := hex.EncodeToString(k.PublicKey().KeyID()); got != katSKI {
		t.Errorf("key identifier %s, want %s", got, katSKI)
	}
	parsed := parseKey(t, unhex(t, katSPKI))
	if parsed.ParamSet != OIDParamOZDSTA || parsed.Family() != FamilyOZDST || !parsed.SameKey(k.PublicKey()) {
		t.Errorf("read back as %s, family %s", parsed.ParamSet, parsed.Family())
	}
}

func TestKnownSignatureVerifies(t *testing.T) {
	s := resolve1(t, NewNull(OIDSignatureOZDST), nil)
	key := parseKey(t, unhex(t, katSPKI))
	if err := s.Verify(key, []byte("abc"), unhex(t, katSignature)); err != nil {
		t.Error(err)
	}
	if err := s.VerifyDigest(key, OZDST().Sum([]byte("abc")), unhex(t, katSignature)); err != nil {
		t.Error(err)
	}
	if err := s.Verify(key, []byte("abd"), unhex(t, katSignature)); err != ErrSignature {
		t.Errorf("another message: %v", err)
	}
	mine, err := katKey(t).SignMessage(rand.Reader, []byte("abc"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(key, []byte("abc"), mine); err != nil {
		t.Error(err)
	}
}

type eimzoVectors struct {
	Hash []struct {
		Alg         string
		MessageUTF8 string `json:"message_utf8"`
		MessageHex  string `json:"message_hex"`
		Digest      string
	}
	Keys      map[string]string `json:"public_keys_spki_b64"`
	Signature struct {
		Signer     string
		Attributes string `json:"signed_attributes_der_set"`
		Signature  string
	}
	APIKeys struct {
		PublicKey struct{ Curve, X, Y string } `json:"public_key"`
		Valid     map[string]string
	} `json:"api_keys"`
}

func loadEIMZO(t testing.TB) *eimzoVectors {
	t.Helper()
	data, err := os.ReadFile("testdata/eimzo.json")
	if err != nil {
		t.Fatal(err)
	}
	v := new(eimzoVectors)
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestDigestsOfTheGuide(t *testing.T) {
	for _, h := range loadEIMZO(t).Hash {
		oid, err := ber.ParseOID(h.Alg)
		if err != nil {
			t.Fatal(err)
		}
		d, err := DigestByOID(oid)
		if err != nil {
			t.Fatal(err)
		}
		msg := append([]byte(h.MessageUTF8), unhex(t, h.MessageHex)...)
		if got := hex.EncodeToString(d.Sum(msg)); got != h.Digest {
			t.Errorf("%s of %q: %s, want %s", d, msg, got, h.Digest)
		}
	}
}

func TestSignatureOfTheGuideVerifiesWithItsKeyOnly(t *testing.T) {
	v := loadEIMZO(t)
	s := resolve1(t, NewNull(OIDSignatureOZDST), OZDST())
	for name, b64 := range v.Keys {
		der, err := base64.StdEncoding.DecodeString(b64)
		if err != nil {
			t.Fatal(err)
		}
		key := parseKey(t, der)
		if key.Name() != "OZDST-1092-2009-2" || !bytes.Equal(key.Raw, der) {
			t.Errorf("%s: name %s", name, key.Name())
		}
		err = s.Verify(key, unhex(t, v.Signature.Attributes), unhex(t, v.Signature.Signature))
		if name == v.Signature.Signer && err != nil || name != v.Signature.Signer && err != ErrSignature {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAPIKeysAreSignaturesOfTheVendor(t *testing.T) {
	v := loadEIMZO(t)
	set, err := ber.ParseOID(v.APIKeys.PublicKey.Curve)
	if err != nil {
		t.Fatal(err)
	}
	curve, family, err := GOSTCurve(OIDKeyOZDST, set)
	if err != nil {
		t.Fatal(err)
	}
	point, err := gost3410.NewPublicKey(curve, unhex(t, v.APIKeys.PublicKey.X), unhex(t, v.APIKeys.PublicKey.Y))
	if err != nil {
		t.Fatal(err)
	}
	key, err := NewPublicKey(point, family, set)
	if err != nil {
		t.Fatal(err)
	}
	s := resolve1(t, NewNull(OIDSignatureOZDST), nil)
	for domain, sig := range v.APIKeys.Valid {
		once := OZDST().Sum([]byte(domain))
		if err := s.Verify(key, once, unhex(t, sig)); err != nil {
			t.Errorf("%s: %v", domain, err)
		}
		if err := s.Verify(key, OZDST().Sum([]byte(domain+"x")), unhex(t, sig)); err != ErrSignature {
			t.Errorf("%s: key fits another domain: %v", domain, err)
		}
	}
}
