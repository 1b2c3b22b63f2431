package keystore

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"strings"
	"testing"

	"imzo/internal/testpki"
	"imzo/pki/alg"
	"imzo/pki/cert"
)

func TestPEMComesBackAsItWasWritten(t *testing.T) {
	for _, spec := range allSpecs {
		want := entryOf(t, spec, testpki.Person)
		for _, password := range []string{"", testPassword, "пароль"} {
			text, err := EncodePEM(rand.Reader, want, password)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), "BEGIN PRIVATE KEY") != (password == "") {
				t.Errorf("%s, %q: written\n%s", spec, password, text)
			}
			got, err := OpenPEM(text, password)
			if err != nil {
				t.Fatalf("%s, %q: %v", spec, password, err)
			}
			got.Alias = want.Alias
			checkSameEntry(t, got, want)
			key, err := ParsePEMKey(text, password)
			if err != nil {
				t.Fatal(err)
			}
			checkPair(t, key, want.Chain[0])
			if password != "" {
				if _, err := OpenPEM(text, password+" "); !errors.Is(err, ErrPassword) {
					t.Errorf("%s: wrong password: %v", spec, err)
				}
				if _, err := OpenPEM(text, "\xff"); !errors.Is(err, ErrPassword) {
					t.Errorf("%s: password that is no text: %v", spec, err)
				}
			}
		}
	}
}

func TestOldPEMKeysRead(t *testing.T) {
	r := entryOf(t, "rsa:2048", testpki.Person)
	e := entryOf(t, "ecdsa:P-256", testpki.Person)
	ecDER, err := x509.MarshalECPrivateKey(e.Key.Signer().(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		entry Entry
		block pem.Block
	}{
		{r, pem.Block{Type: pemRSAKey, Bytes: x509.MarshalPKCS1PrivateKey(r.Key.Signer().(*rsa.PrivateKey))}},
		{e, pem.Block{Type: pemECKey, Bytes: ecDER}},
	} {
		key, err := ParsePEMKey(pem.EncodeToMemory(&tc.block), "")
		if err != nil {
			t.Fatal(err)
		}
		checkPair(t, key, tc.entry.Chain[0])
		broken := tc.block
		broken.Bytes = broken.Bytes[:20]
		if _, err := ParsePEMKey(pem.EncodeToMemory(&broken), ""); !errors.Is(err, ErrFormat) {
			t.Errorf("%s cut short: %v", tc.block.Type, err)
		}
		tc.block.Headers = map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "DES-EDE3-CBC,00"}
		if _, err := ParsePEMKey(pem.EncodeToMemory(&tc.block), "x"); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s with RFC 1421 encryption: %v", tc.block.Type, err)
		}
	}
}

func TestPEMFilesThatAreRefused(t *testing.T) {
	e := entryOf(t, "ozdst", testpki.Person)
	other := entryOf(t, "ozdst", testpki.Person)
	key, err := EncodePEM(rand.Reader, Entry{Key: e.Key}, "")
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, b []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}) }
	for name, tc := range map[string]struct {
		text []byte
		want error
	}{
		"nothing":                        {nil, ErrFormat},
		"certificates only":              {cert.EncodePEM(e.Chain...), ErrFormat},
		"two keys":                       {bytes.Repeat(key, 2), ErrFormat},
		"another key's certificate":      {append(bytes.Clone(key), cert.EncodePEM(other.Chain...)...), ErrFormat},
		"broken certificate":             {append(bytes.Clone(key), block(pemCertificate, []byte{1})...), ErrFormat},
		"broken key":                     {block(pemKey, []byte{1}), ErrFormat},
		"broken encrypted key":           {block(pemEncryptedKey, []byte{1}), ErrFormat},
		"large key":                      {block(pemKey, make([]byte, maxKey+1)), ErrLimit},
		"large file":                     {make([]byte, maxFile+1), ErrLimit},
		"more certificates than allowed": {append(bytes.Clone(key), bytes.Repeat(cert.EncodePEM(e.Chain[0]), maxBags+1)...), ErrLimit},
	} {
		if _, err := OpenPEM(tc.text, ""); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, err := OpenPEM(key, ""); err != nil || len(got.Chain) != 0 {
		t.Errorf("key alone: %+v, %v", got, err)
	}
}

func TestEncodePEMRefusesWhatItCannotWrite(t *testing.T) {
	e := entryOf(t, "ozdst", testpki.Person)
	inCard, err := alg.NewPrivateKey(card{e.Key}, alg.FamilyOZDST)
	if err != nil {
		t.Fatal(err)
	}
	for _, password := range []string{"", testPassword} {
		if _, err := EncodePEM(rand.Reader, Entry{Key: inCard}, password); !errors.Is(err, ErrUnsupported) {
			t.Errorf("key in a card, password %q: %v", password, err)
		}
	}
	if _, err := EncodePEM(rand.Reader, e, "\xff"); !errors.Is(err, ErrPassword) {
		t.Errorf("password that is no text: %v", err)
	}
	for n := range saltSize + 16 {
		if _, err := EncodePEM(io.LimitReader(rand.Reader, int64(n)), e, testPassword); err == nil {
			t.Fatalf("written with %d octets of randomness", n)
		}
	}
}
