package gost3410_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"imzo/gost/gost28147"
	"imzo/gost/gost3410"
	"imzo/gost/gost341194"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func curves() []*gost3410.Curve {
	return []*gost3410.Curve{gost3410.CryptoProA(), gost3410.CryptoProB(), gost3410.CryptoProC(), gost3410.TestCurve()}
}

func readVectors(t testing.TB, name string, v any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

type signVector struct {
	Comment   string `json:"comment"`
	Curve     string `json:"curve"`
	D         string `json:"d"`
	X         string `json:"x"`
	Y         string `json:"y"`
	Message   string `json:"message"` // hashed when there is no digest
	Digest    string `json:"digest"`  // as the hash prints it
	Nonce     string `json:"nonce"`
	Signature string `json:"signature"`
}

func TestKnownSignaturesWithFixedNonces(t *testing.T) {
	var vectors []signVector
	readVectors(t, "sign.json", &vectors)
	for _, v := range vectors {
		t.Run(v.Comment, func(t *testing.T) {
			key, err := gost3410.NewPrivateKey(curveNamed(t, v.Curve), unhex(t, v.D))
			if err != nil {
				t.Fatal(err)
			}
			pub := key.PublicKey()
			if got := hex.EncodeToString(pub.X()); got != v.X {
				t.Errorf("x = %s, want %s", got, v.X)
			}
			if got := hex.EncodeToString(pub.Y()); got != v.Y {
				t.Errorf("y = %s, want %s", got, v.Y)
			}
			digest := unhex(t, v.Digest)
			if v.Digest == "" {
				sum := gost341194.Sum256([]byte(v.Message))
				digest = sum[:]
			}
			sig := key.SignWithNonce(digest, unhex(t, v.Nonce))
			if got := hex.EncodeToString(sig); got != v.Signature {
				t.Errorf("signature = %s, want %s", got, v.Signature)
			}
			if !verifies(t, pub, digest, unhex(t, v.Signature)) {
				t.Error("the known signature does not verify")
			}
		})
	}
}

func curveNamed(t testing.TB, name string) *gost3410.Curve {
	t.Helper()
	i := slices.IndexFunc(curves(), func(c *gost3410.Curve) bool { return c.Name() == name })
	if i < 0 {
		t.Fatalf("no curve %q", name)
	}
	return curves()[i]
}

// The vectors of this test were read off the vendor's guide; the keys are
// those of its certificates.
func TestKnownEIMZOSignaturesVerify(t *testing.T) {
	var v struct {
		Comment    string            `json:"comment"`
		Keys       map[string]string `json:"keys"` // x ‖ y little-endian
		Signatures []struct {
			Comment   string `json:"comment"`
			Key       string `json:"key"`
			Message   string `json:"message"` // hex
			Signature string `json:"signature"`
		} `json:"signatures"`
		APIKeys map[string]string `json:"apiKeys"` // over the hash of the hash of the domain
	}
	readVectors(t, "e-imzo.json", &v)

	keys := make(map[string]*gost3410.PublicKey)
	for name, raw := range v.Keys {
		k, err := gost3410.ParsePublicKey(gost3410.CryptoProA(), unhex(t, raw))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := hex.EncodeToString(k.Bytes()); got != raw {
			t.Errorf("%s: Bytes = %s, want %s", name, got, raw)
		}
		keys[name] = k
	}
	for _, s := range v.Signatures {
		digest := gost341194.Sum256(unhex(t, s.Message))
		sig := unhex(t, s.Signature)
		for name, k := range keys {
			if got, want := verifies(t, k, digest[:], sig), name == s.Key; got != want {
				t.Errorf("%s by %s: Verify = %v, want %v", s.Comment, name, got, want)
			}
		}
	}
	if len(v.Signatures) == 0 || len(v.APIKeys) == 0 {
		t.Fatal("no vectors")
	}
	for domain, sig := range v.APIKeys {
		once := gost341194.Sum256([]byte(domain))
		twice := gost341194.Sum256(once[:])
		if !verifies(t, keys["api"], twice[:], unhex(t, sig)) {
			t.Errorf("API key of %s does not verify", domain)
		}
		if verifies(t, keys["api"], once[:], unhex(t, sig)) {
			t.Errorf("API key of %s verifies over the single hash", domain)
		}
	}
}

// RFC 4357 gives no value for VKO, but the examples of RFC 4490 wrap a content
// key under one: a wrong agreement would not pass the MAC of the wrapping.
func TestExamplesOfRFC4490And4491(t *testing.T) {
	var v struct {
		Comment              string `json:"comment"`
		D                    string `json:"d"`
		PublicKey            string `json:"publicKey"`
		CertificateTBS       string `json:"certificateTBS"`
		CertificateSignature string `json:"certificateSignature"`
		Message              string `json:"message"`
		MessageSignature     string `json:"messageSignature"`
		Envelopes            []struct {
			Comment    string `json:"comment"`
			Sender     string `json:"sender"`
			UKM        string `json:"ukm"`
			Wrapped    string `json:"wrapped"`
			MAC        string `json:"mac"`
			IV         string `json:"iv"`
			Ciphertext string `json:"ciphertext"`
			Wrap       string `json:"wrap"`
		} `json:"envelopes"`
	}
	readVectors(t, "rfc4490.json", &v)
	key, err := gost3410.NewPrivateKey(gost3410.CryptoProA(), unhex(t, v.D))
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(key.PublicKey().Bytes()); got != v.PublicKey {
		t.Errorf("public key %s, want %s", got, v.PublicKey)
	}
	for what, signed := range map[string][2]string{
		"certificate": {v.CertificateTBS, v.CertificateSignature},
		"message":     {v.Message, v.MessageSignature},
	} {
		digest := gost341194.Sum256(unhex(t, signed[0]))
		if !verifies(t, key.PublicKey(), digest[:], unhex(t, signed[1])) {
			t.Errorf("the signature of the %s does not verify", what)
		}
	}
	if len(v.Envelopes) != 2 {
		t.Fatalf("%d envelopes", len(v.Envelopes))
	}
	for _, e := range v.Envelopes {
		sender, err := gost3410.ParsePublicKey(gost3410.CryptoProA(), unhex(t, e.Sender))
		if err != nil {
			t.Fatal(err)
		}
		kek, err := key.VKO(sender, unhex(t, e.UKM))
		if err != nil {
			t.Fatal(err)
		}
		sbox := gost28147.SBoxCryptoProA()
		wrapped := slices.Concat(unhex(t, e.UKM), unhex(t, e.Wrapped), unhex(t, e.MAC))
		unwrap := gost28147.UnwrapKeyCryptoPro
		if e.Wrap == "GOST 28147-89" {
			unwrap = gost28147.UnwrapKey
		}
		cek, err := unwrap(kek, wrapped, sbox)
		if err != nil {
			t.Errorf("%s: %v", e.Comment, err)
			continue
		}
		block, err := gost28147.NewCipher(cek, sbox)
		if err != nil {
			t.Fatal(err)
		}
		stream, err := gost28147.NewCFBDecrypter(block, unhex(t, e.IV), gost28147.NoMeshing)
		if err != nil {
			t.Fatal(err)
		}
		text := unhex(t, e.Ciphertext)
		stream.XORKeyStream(text, text)
		if string(text) != string(unhex(t, v.Message)) {
			t.Errorf("%s: %q", e.Comment, text)
		}
	}
}

func TestKnownVKO(t *testing.T) {
	var vectors []struct {
		Comment string `json:"comment"`
		Curve   string `json:"curve"`
		D       string `json:"d"`    // little-endian
		Peer    string `json:"peer"` // the peer's private key, little-endian
		UKM     string `json:"ukm"`
		KEK     string `json:"kek"`
	}
	readVectors(t, "vko.json", &vectors)
	for _, v := range vectors {
		private := func(s string) *gost3410.PrivateKey {
			t.Helper()
			d := unhex(t, s)
			slices.Reverse(d)
			k, err := gost3410.NewPrivateKey(curveNamed(t, v.Curve), d)
			if err != nil {
				t.Fatal(err)
			}
			return k
		}
		a, b := private(v.D), private(v.Peer)
		for _, pair := range [][2]*gost3410.PrivateKey{{a, b}, {b, a}} {
			kek, err := pair[0].VKO(pair[1].PublicKey(), unhex(t, v.UKM))
			if err != nil {
				t.Fatal(err)
			}
			if got := hex.EncodeToString(kek); got != v.KEK {
				t.Errorf("%s: %s, want %s", v.Comment, got, v.KEK)
			}
		}
	}
}
