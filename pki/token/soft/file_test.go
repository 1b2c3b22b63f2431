package soft

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"imzo/internal/testpki"
)

// A card of version 1 stays readable: testdata/version1.card has the PIN 1234
// and the PUK 12345678.
func TestCardOfVersion1StaysReadable(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("testdata", "version1.card"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "x.card")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	key, chain, err := unlock(t, c, testPIN).Key(t.Context())
	if err != nil || len(chain) != 3 {
		t.Fatalf("%d certificates, %v", len(chain), err)
	}
	signs(t, key, chain[0].PublicKey)
	if err := c.Unblock(t.Context(), []byte(testPUK), []byte("1")); err != nil {
		t.Error(err)
	}
}

func TestHostileFilesAreRefused(t *testing.T) {
	c, _ := personalized(t)
	whole, err := os.ReadFile(c.Path())
	if err != nil {
		t.Fatal(err)
	}
	edits := map[string]func(*card){
		"format":               func(c *card) { c.Format = "card" },
		"version 2":            func(c *card) { c.Version = 2 },
		"short id":             func(c *card) { c.ID = c.ID[1:] },
		"kind":                 func(c *card) { c.Kind = "pkcs11" },
		"PINs of no digits":    func(c *card) { c.MaxPIN = 0 },
		"no tries":             func(c *card) { c.MaxTries = 0 },
		"more tries than all":  func(c *card) { c.PIN.TriesLeft = 6 },
		"tries below nothing":  func(c *card) { c.PIN.TriesLeft = -1 },
		"eleven PUK tries":     func(c *card) { c.PUK.TriesLeft = 11 },
		"much memory":          func(c *card) { c.PIN.KDF.Memory = 129 << 10 },
		"all memory":           func(c *card) { c.PUK.KDF.Memory = 1<<32 - 1 },
		"little memory":        func(c *card) { c.PIN.KDF.Memory = 7 },
		"much time":            func(c *card) { c.PIN.KDF.Time = 9 },
		"no time":              func(c *card) { c.PIN.KDF.Time = 0 },
		"many threads":         func(c *card) { c.PIN.KDF.Threads = 9 },
		"no threads":           func(c *card) { c.PIN.KDF.Threads = 0 },
		"short salt":           func(c *card) { c.PIN.KDF.Salt = c.PIN.KDF.Salt[1:] },
		"short seal":           func(c *card) { c.PIN.Sealed = c.PIN.Sealed[:10] },
		"short key":            func(c *card) { c.Present.Sealed = nil },
		"no public key":        func(c *card) { c.Present.SPKI = nil },
		"long public key":      func(c *card) { c.Present.SPKI = make([]byte, maxSPKI+1) },
		"an RSA public key":    func(c *card) { c.Present.SPKI = rsaKey(t) },
		"many certificates":    func(c *card) { c.Chain = make([][]byte, 9) },
		"a long certificate":   func(c *card) { c.Chain[0] = make([]byte, maxCertificate+1) },
		"no certificate":       func(c *card) { c.Chain[1] = []byte{0x30, 0} },
		"control characters":   func(c *card) { c.Name = "\x1b[2J" },
		"no name":              func(c *card) { c.Name = "" },
		"serial in no hex":     func(c *card) { c.Serial = "<b>" },
		"pending key is empty": func(c *card) { c.Pending = &sealedKey{} },
	}
	for name, edit := range edits {
		t.Run(name, func(t *testing.T) {
			content, err := parse(whole)
			if err != nil {
				t.Fatal(err)
			}
			edit(content)
			b, err := json.Marshal(content)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := parse(b); !errors.Is(err, ErrFormat) {
				t.Errorf("parse: %v", err)
			}
			if _, err := content.marshal(); !errors.Is(err, ErrFormat) {
				t.Errorf("marshal: %v", err)
			}
		})
	}
	texts := map[string][]byte{
		"nothing":           nil,
		"no JSON":           []byte("card"),
		"a list":            []byte("[]"),
		"null":              []byte("null"),
		"something after":   append(bytes.Clone(whole), "{}"...),
		"an unknown field":  bytes.Replace(whole, []byte("{"), []byte(`{"more":1,`), 1),
		"cut off":           whole[:len(whole)/2],
		"too large":         append(bytes.Clone(whole), bytes.Repeat([]byte(" "), maxFile)...),
		"a negative number": bytes.Replace(whole, []byte(`"time": 1`), []byte(`"time": -1`), 1),
		"deep nesting":      []byte(strings.Repeat("[", 100000)),
	}
	for name, b := range texts {
		t.Run(name, func(t *testing.T) {
			if _, err := parse(b); !errors.Is(err, ErrFormat) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func rsaKey(t *testing.T) []byte {
	t.Helper()
	return testpki.Key(t, "rsa:2048").PublicKey().Raw
}

func TestFileIsRefusedBeforeItIsReadWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "big.card")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 1<<40); err != nil {
		t.Skipf("no sparse files here: %v", err)
	}
	if _, err := Open(path); !errors.Is(err, ErrFormat) {
		t.Errorf("error %v", err)
	}
}

// FuzzParse: whatever is taken for a card is within the limits, and is the same
// card when it is written and read again.
func FuzzParse(f *testing.F) {
	empty, full := newCard(f), func() *Card { c, _ := personalized(f); return c }()
	for _, c := range []*Card{empty, full} {
		b, err := os.ReadFile(c.Path())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"format":"imzo-card","version":1}`))
	f.Add([]byte(`{"pin":{"argon2id":{"memory_kib":4294967295}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := parse(b)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Errorf("error %v", err)
			}
			return
		}
		if k := c.PIN.KDF; k.Memory > maxKDFMemory || k.Time > maxKDFTime || k.Threads == 0 || k.Time == 0 {
			t.Errorf("parameters %+v", k)
		}
		if info := c.info(); info.TriesLeft < 0 || info.MaxPIN < 1 || info.MaxPIN > 16 || info.Name == "" {
			t.Errorf("info %+v", info)
		}
		written, err := c.marshal()
		if errors.Is(err, ErrFormat) && len(b) > maxFile/2 {
			return // indented, it may have grown past the limit
		}
		if err != nil {
			t.Fatal(err)
		}
		again, err := parse(written)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c, again); d != "" {
			t.Errorf("another card: %s", d)
		}
	})
}
