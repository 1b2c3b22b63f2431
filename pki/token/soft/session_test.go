package soft

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"

	"imzo/internal/testpki"
	"imzo/pki/alg"
	"imzo/pki/cert"
	"imzo/pki/token"
)

func TestPendingKeyLeavesThePresentInUse(t *testing.T) {
	ctx := t.Context()
	c, old := personalized(t)
	pki := testpki.New(t, "ozdst")
	s := unlock(t, c, testPIN)
	first, err := s.GenerateKey(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.GenerateKey(ctx, "ozmst")
	if err != nil {
		t.Fatal(err)
	}
	s.Close()

	// Days later, when the certificate comes.
	s = unlock(t, c, testPIN)
	key, chain, err := s.Key(ctx)
	if err != nil || !chain[0].Equal(old[0]) {
		t.Fatalf("present key: %v", err)
	}
	signs(t, key, old[0].PublicKey)
	if err := s.Personalize(ctx, certify(t, pki, first.PublicKey()), []byte(testPIN)); !errors.Is(err, token.ErrKeyMismatch) {
		t.Errorf("certificate for a key that a newer one replaced: %v", err)
	}
	renewed := certify(t, pki, old[0].PublicKey)
	if err := s.Personalize(ctx, renewed, []byte(testPIN)); err != nil {
		t.Errorf("new certificate for the present key: %v", err)
	}
	fresh := certify(t, pki, second.PublicKey())
	if err := s.Personalize(ctx, fresh, []byte("5")); err != nil {
		t.Errorf("certificate for the pending key: %v", err)
	}
	if err := s.Personalize(ctx, renewed, []byte("5")); !errors.Is(err, token.ErrKeyMismatch) {
		t.Errorf("certificate for the key that is no longer there: %v", err)
	}
	key, chain, err = unlock(t, c, "5").Key(ctx)
	if err != nil || !chain[0].Equal(fresh[0]) {
		t.Fatalf("key: %v", err)
	}
	signs(t, key, fresh[0].PublicKey)
}

func TestPersonalizeRefusesAndChangesNothing(t *testing.T) {
	c, chain := personalized(t)
	s := unlock(t, c, testPIN)
	before, err := os.ReadFile(c.Path())
	if err != nil {
		t.Fatal(err)
	}
	pki := testpki.New(t, "ozdst")
	long := make([]*cert.Certificate, maxCertificates+1)
	for i := range long {
		long[i] = chain[0]
	}
	huge := pki.Issue(t, pki.CA, func(tmpl *cert.Template) {
		pki.UserTemplate(t, tmpl, testpki.Person)
		tmpl.PublicKey = chain[0].PublicKey
		tmpl.DNSNames = []string{strings.Repeat("a.", maxCertificate/2) + "uz"}
	}, "").Chain
	tests := map[string]struct {
		chain []*cert.Certificate
		pin   string
		want  error
	}{
		"no certificates":       {nil, "1", token.ErrEmpty},
		"another person's":      {pki.User(t, testpki.Person).Chain, "1", token.ErrKeyMismatch},
		"RSA":                   {testpki.New(t, "rsa:2048").CA.Chain, "1", token.ErrKeyMismatch},
		"too many certificates": {long, "1", ErrFormat},
		"a huge certificate":    {huge, "1", ErrFormat},
		"no PIN":                {chain, "", token.ErrPINLength},
		"a long PIN":            {chain, "123456789", token.ErrPINLength},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if err := s.Personalize(t.Context(), test.chain, []byte(test.pin)); !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
			if after, err := os.ReadFile(c.Path()); err != nil || !bytes.Equal(before, after) {
				t.Errorf("the file changed: %v", err)
			}
		})
	}
}

func TestClosedSessionDoesNothing(t *testing.T) {
	ctx := t.Context()
	c, chain := personalized(t)
	s := unlock(t, c, testPIN)
	key, _, err := s.Key(ctx)
	if err != nil {
		t.Fatal(err)
	}
	held := s.keys[0].key
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if *s.key != [keySize]byte{} {
		t.Error("the card key was not wiped")
	}
	if held.Bytes() != nil {
		t.Error("the private key was not wiped")
	}
	digest := make([]byte, 32)
	if _, err := key.Sign(nil, digest, crypto.Hash(0)); !errors.Is(err, alg.ErrWiped) {
		t.Errorf("key of a closed session: %v", err)
	}
	_, _, keyErr := s.Key(ctx)
	_, generate := s.GenerateKey(ctx, "")
	for name, err := range map[string]error{
		"Key": keyErr, "GenerateKey": generate, "ChangePIN": s.ChangePIN(ctx, []byte("1")),
		"Personalize": s.Personalize(ctx, chain, []byte("1")),
	} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Other sessions are not touched.
	other := unlock(t, c, testPIN)
	key, _, err = other.Key(ctx)
	if err != nil {
		t.Fatal(err)
	}
	signs(t, key, chain[0].PublicKey)
	key.Wipe()
	if _, err := key.Sign(nil, digest, nil); !errors.Is(err, alg.ErrWiped) {
		t.Errorf("wiped key: %v", err)
	}
}

func TestKeySignsWhileItsSessionCloses(t *testing.T) {
	c, _ := personalized(t)
	s := unlock(t, c, testPIN)
	key, _, err := s.Key(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				if _, err := key.Sign(nil, make([]byte, 32), nil); err != nil {
					if !errors.Is(err, alg.ErrWiped) {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	s.Close()
	wg.Wait()
}

// Who blocks the card with wrong PINs must not be undone by a session from
// before, which anything that runs in its program may use.
func TestOldSessionDoesNotUnblock(t *testing.T) {
	ctx := t.Context()
	c, chain := personalized(t)
	s := unlock(t, c, testPIN)
	if _, err := guess(ctx, c); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"ChangePIN": s.ChangePIN(ctx, []byte("1")), "Personalize": s.Personalize(ctx, chain, []byte("1")),
	} {
		if !errors.Is(err, token.ErrBlocked) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := triesLeft(t, c); got != 0 {
		t.Errorf("%d tries left", got)
	}
}

// The certificates stand in the clear: who exchanges them must not make the
// card sign for another name.
func TestExchangedPartsDoNotOpen(t *testing.T) {
	ctx := t.Context()
	c, _ := personalized(t)
	other, _ := personalized(t)
	theirs, err := other.store.read()
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		mod  func(*card)
		want error
	}{
		"chain of another":          {func(c *card) { c.Chain = theirs.Chain }, token.ErrKeyMismatch},
		"key of another":            {func(c *card) { c.Present = theirs.Present }, ErrFormat},
		"sealed key of another":     {func(c *card) { c.Present.Sealed = theirs.Present.Sealed }, ErrFormat},
		"public key of another":     {func(c *card) { c.Present.SPKI = theirs.Present.SPKI }, ErrFormat},
		"a bit of the key":          {func(c *card) { c.Present.Sealed[20] ^= 1 }, ErrFormat},
		"no key":                    {func(c *card) { c.Present = nil }, token.ErrEmpty},
		"no chain":                  {func(c *card) { c.Chain = nil }, token.ErrEmpty},
		"id of another":             {func(c *card) { c.ID = theirs.ID }, token.ErrMissing},
		"nothing, to see it change": {func(*card) {}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := unlock(t, c, testPIN)
			whole, err := os.ReadFile(c.Path())
			if err != nil {
				t.Fatal(err)
			}
			defer os.WriteFile(c.Path(), whole, 0o600)
			if err := c.store.change(ctx, func(content *card, save func() error) error {
				test.mod(content)
				return save()
			}); err != nil {
				t.Fatal(err)
			}
			if _, _, err := s.Key(ctx); !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
		})
	}
	// The lock of the PIN is bound to the card as well.
	if err := c.store.change(ctx, func(content *card, save func() error) error {
		content.PIN = theirs.PIN
		return save()
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Open(ctx, []byte(testPIN)); !errors.As(err, new(*token.PINError)) {
		t.Errorf("PIN of another card: %v", err)
	}
}

func TestOptionsPrintNoSecret(t *testing.T) {
	o := options()
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "options", o)
	text := log.String() + fmt.Sprintf("%v %+v %#v %s %x %v", o, o, o, o, o, &o)
	for _, secret := range [][]byte{o.PIN, o.PUK} {
		for _, form := range []string{string(secret), hex.EncodeToString(secret), fmt.Sprint(secret), fmt.Sprintf("%#v", secret)} {
			if strings.Contains(text, form) {
				t.Errorf("printed: %s", text)
			}
		}
	}
	if !strings.Contains(text, "Ali") {
		t.Errorf("printed: %s", text)
	}
}

func TestSessionPrintsNoSecret(t *testing.T) {
	c, _ := personalized(t)
	s := unlock(t, c, testPIN)
	key, _, err := s.Key(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "session", s, "key", key)
	text := log.String() + fmt.Sprintf("%v %+v %#v %s %x %v %+v", s, s, s, s, s, key, s.keys)
	for _, secret := range [][]byte{s.key[:], s.keys[0].key.Bytes()} {
		if strings.Contains(text, hex.EncodeToString(secret)) || strings.Contains(text, fmt.Sprint(secret)) {
			t.Errorf("printed: %s", text)
		}
	}
	if !strings.Contains(text, "redacted") {
		t.Errorf("printed: %s", text)
	}
}
