package keystore

import (
	"bytes"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"os"
	"testing"

	"imzo/gost/gost3410"
	"imzo/internal/testpki"
	"imzo/pki/alg"
)

// fuzzIterations keeps inputs that ask for work from slowing the fuzzer.
const fuzzIterations = 100

// checkTyped fails for an error that callers could not tell apart.
func checkTyped(t *testing.T, err error) {
	t.Helper()
	for _, want := range []error{nil, ErrPassword, ErrFormat, ErrUnsupported, ErrLimit} {
		if errors.Is(err, want) {
			return
		}
	}
	t.Errorf("error of no kind: %v", err)
}

func addPFXSeeds(f *testing.F) {
	f.Helper()
	e := entryOf(f, "ozdst", testpki.Person)
	data := fastPFX(f, testPassword, e)
	f.Add(data)
	f.Add(withoutMAC(f, data))
	f.Add(fastPFX(f, "", entryOf(f, "ecdsa:P-256", testpki.Organisation)))
	for _, name := range []string{"java8.pfx", "modern.pfx"} {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
}

// What opens was listed before, opens the same again, and can be written.
func FuzzOpenPFX(f *testing.F) {
	addPFXSeeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := openPFX(data, testPassword, fuzzIterations)
		checkTyped(t, err)
		if err != nil {
			return
		}
		aliases, err := ListPFX(data)
		if err != nil {
			t.Fatalf("opens and does not list: %v", err)
		}
		if len(aliases) > len(entries) {
			t.Errorf("lists %d and opens %d", len(aliases), len(entries))
		}
		for _, e := range entries {
			if e.Alias != lower(e.Alias) {
				t.Errorf("alias %q", e.Alias)
			}
			if e.Key == nil || e.Key.PublicKey().Supported() != nil {
				t.Error("entry without a usable key")
			}
			if _, err := MarshalPKCS8(e.Key); err != nil {
				t.Error(err)
			}
		}
	})
}

// A list is stable, and nothing in it needs the password.
func FuzzListPFX(f *testing.F) {
	addPFXSeeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		aliases, err := ListPFX(data)
		checkTyped(t, err)
		if errors.Is(err, ErrPassword) {
			t.Error("listing asks for a password")
		}
		if !bytes.Equal(before, data) {
			t.Error("the input was changed")
		}
		for _, a := range aliases {
			if a != lower(a) {
				t.Errorf("alias %q is not lower case", a)
			}
		}
	})
}

// A key that reads is written in one form, which reads as the same key.
func FuzzParsePKCS8(f *testing.F) {
	for _, spec := range []string{"ozdst", "ozmst:B", "gost2001:C", "ecdsa:P-256", "ed25519"} {
		k, err := alg.GenerateKey(spec, rand.Reader)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(pkcs8Of(f, k))
	}
	d := unhex(f, katPrivate)
	f.Add(info(alg.OIDKeyOZDST, nil, append([]byte{2, 32}, d...)))
	f.Add(info(alg.OIDKeyOZMST, append([]byte{0x30, 12}, alg.OIDParamOZMSTA.DER()...), d))
	f.Fuzz(func(t *testing.T, der []byte) {
		k, err := ParsePKCS8(der)
		checkTyped(t, err)
		if err != nil {
			if errors.Is(err, ErrPassword) {
				t.Error("plain key asks for a password")
			}
			return
		}
		again, err := ParsePKCS8(pkcs8Of(t, k))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again.PublicKey().Raw, k.PublicKey().Raw) || again.Family() != k.Family() {
			t.Error("another key after writing")
		}
		if s, ok := k.Signer().(*gost3410.PrivateKey); ok && !s.Equal(again.Signer().(*gost3410.PrivateKey)) {
			t.Error("another scalar after writing")
		}
	})
}

// What opens can be written and opens as the same key and chain.
func FuzzOpenPEM(f *testing.F) {
	e := entryOf(f, "ozdst", testpki.Person)
	text, err := EncodePEM(rand.Reader, e, "")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	shrouded, err := encryptPKCS8(rand.Reader, fastProfile(), mustPassword(f, testPassword), e.Key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(pem.EncodeToMemory(&pem.Block{Type: pemEncryptedKey, Bytes: shrouded}))
	f.Fuzz(func(t *testing.T, text []byte) {
		if bytes.Contains(text, []byte("ENCRYPTED")) {
			if block, _ := pem.Decode(text); block != nil {
				_, err := decryptPKCS8(block.Bytes, testPassword, fuzzIterations)
				checkTyped(t, err)
			}
			return // OpenPEM would allow it all the iterations there are
		}
		e, err := OpenPEM(text, testPassword)
		checkTyped(t, err)
		if err != nil {
			return
		}
		out, err := EncodePEM(rand.Reader, e, "")
		if err != nil {
			t.Fatal(err)
		}
		again, err := OpenPEM(out, "")
		if err != nil {
			t.Fatal(err)
		}
		if !again.Key.PublicKey().SameKey(e.Key.PublicKey()) || len(again.Chain) != len(e.Chain) {
			t.Error("another entry after writing")
		}
	})
}
