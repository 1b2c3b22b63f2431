//go:build pkcs11

package pkcs11

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/miekg/pkcs11"

	"imzo/internal/testpki"
	"imzo/internal/testpki/peer"
	"imzo/pki/alg"
	"imzo/pki/cert"
	"imzo/pki/token"
)

const (
	testPIN = "1234"
	soPIN   = "12345678"
)

// hsm is a SoftHSM of its own.
type hsm struct {
	util, module, tokens string
}

func newHSM(t *testing.T) *hsm {
	t.Helper()
	util, module := peer.SoftHSM(t)
	dir := t.TempDir()
	h := &hsm{util: util, module: module, tokens: filepath.Join(dir, "tokens")}
	if err := os.Mkdir(h.tokens, 0o700); err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(dir, "softhsm2.conf")
	text := "directories.tokendir = " + h.tokens + "\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", conf)
	return h
}

func (h *hsm) run(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), h.util, append(args, "--module", h.module)...).CombinedOutput(); err != nil {
		t.Fatalf("softhsm2-util %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// add makes a token with the key and the certificates of the entity.
func (h *hsm) add(t *testing.T, label string, e testpki.Entity) {
	t.Helper()
	h.run(t, "--init-token", "--free", "--label", label, "--pin", testPIN, "--so-pin", soPIN)
	if e.Cert == nil {
		return
	}
	h.addKey(t, label, "01", e)
	h.addCertificates(t, label, []byte{1}, e.Chain)
}

func (h *hsm) addKey(t *testing.T, label, id string, e testpki.Entity) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(e.Key.Signer())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	h.run(t, "--import", file, "--token", label, "--label", "key", "--id", id, "--pin", testPIN)
}

// addCertificates writes a chain, the first certificate under id and the others
// without one.
func (h *hsm) addCertificates(t *testing.T, label string, id []byte, chain []*cert.Certificate) {
	t.Helper()
	h.raw(t, label, func(lib *pkcs11.Ctx, s pkcs11.SessionHandle) error {
		for i, c := range chain {
			if i > 0 {
				id = nil
			}
			if _, err := lib.CreateObject(s, []*pkcs11.Attribute{
				pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_CERTIFICATE),
				pkcs11.NewAttribute(pkcs11.CKA_CERTIFICATE_TYPE, pkcs11.CKC_X_509),
				pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true),
				pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, false),
				pkcs11.NewAttribute(pkcs11.CKA_SUBJECT, c.RawSubject),
				pkcs11.NewAttribute(pkcs11.CKA_ID, id),
				pkcs11.NewAttribute(pkcs11.CKA_VALUE, c.Raw),
			}); err != nil {
				return err
			}
		}
		return nil
	})
}

// raw works on the token as its maker's tools do.
func (h *hsm) raw(t *testing.T, label string, work func(*pkcs11.Ctx, pkcs11.SessionHandle) error) {
	t.Helper()
	lib := pkcs11.New(h.module)
	defer lib.Destroy()
	if err := lib.Initialize(); err != nil {
		t.Fatal(err)
	}
	defer lib.Finalize()
	slots, err := lib.GetSlotList(true)
	if err != nil {
		t.Fatal(err)
	}
	for _, slot := range slots {
		if info, err := lib.GetTokenInfo(slot); err != nil || info.Label != label {
			continue
		}
		s, err := lib.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
		if err != nil {
			t.Fatal(err)
		}
		if err := lib.Login(s, pkcs11.CKU_USER, testPIN); err != nil {
			t.Fatal(err)
		}
		if err := work(lib, s); err != nil {
			t.Fatal(err)
		}
		lib.Logout(s)
		lib.CloseSession(s)
		return
	}
	t.Fatalf("no token %q", label)
}

// open returns the tokens of the module.
func (h *hsm) open(t *testing.T, o Options) []token.Token {
	t.Helper()
	p, err := Open(h.module, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.(io.Closer).Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	tokens, err := p.Tokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func unlock(t *testing.T, tk token.Token) token.Session {
	t.Helper()
	s, err := tk.Open(t.Context(), []byte(testPIN))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestTokensSignWithTheirKeys(t *testing.T) {
	for _, spec := range []string{"rsa:2048", "ecdsa:P-256", "ecdsa:P-384"} {
		t.Run(spec, func(t *testing.T) {
			ctx := t.Context()
			h := newHSM(t)
			user := testpki.New(t, spec).User(t, testpki.Person)
			h.add(t, "Ali", user)
			tokens := h.open(t, Options{})
			if len(tokens) != 1 {
				t.Fatalf("%d tokens", len(tokens))
			}
			info, err := tokens[0].Info(ctx)
			if err != nil || info.Kind != token.KindPKCS11 || info.Name != "Ali" || info.MinPIN != 4 || info.TriesLeft != -1 || !info.Personalized || info.Serial == "" {
				t.Errorf("%+v, %v", info, err)
			}
			chain, err := tokens[0].Chain(ctx)
			if err != nil || len(chain) != 3 {
				t.Fatalf("chain of %d, %v", len(chain), err)
			}
			for i, c := range chain {
				if !c.Equal(user.Chain[i]) {
					t.Errorf("certificate %d is %v", i, c)
				}
			}
			s := unlock(t, tokens[0])
			key, _, err := s.Key(ctx)
			if err != nil {
				t.Fatal(err)
			}
			signs(t, key, chain[0].PublicKey)
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if _, err := key.Sign(nil, make([]byte, 32), crypto.SHA256); !errors.Is(err, alg.ErrWiped) {
				t.Errorf("key of a closed session: %v", err)
			}
			if _, _, err := s.Key(ctx); !errors.Is(err, ErrClosed) {
				t.Errorf("closed session: %v", err)
			}
			if err := s.Close(); err != nil {
				t.Errorf("closed twice: %v", err)
			}
		})
	}
}

func signs(t *testing.T, key *alg.PrivateKey, with *alg.PublicKey) {
	t.Helper()
	message := []byte("hisob-faktura")
	sig, err := key.SignMessage(nil, message)
	if err != nil {
		t.Fatal(err)
	}
	scheme, err := alg.ResolveSignature(key.SignatureAlgorithm(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := scheme.Verify(with, message, sig); err != nil {
		t.Errorf("signature of the token: %v", err)
	}
	if err := scheme.Verify(with, append(message, '!'), sig); !errors.Is(err, alg.ErrSignature) {
		t.Errorf("signature over something else: %v", err)
	}
}

func TestRSASignsWithPSSAndOtherDigests(t *testing.T) {
	h := newHSM(t)
	user := testpki.New(t, "rsa:2048").User(t, testpki.Person)
	h.add(t, "Ali", user)
	key, _, err := unlock(t, h.open(t, Options{})[0]).Key(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	public := user.Cert.PublicKey.Key.(*rsa.PublicKey)
	for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		digest := make([]byte, hash.Size())
		sig, err := key.Sign(nil, digest, hash)
		if err != nil || rsa.VerifyPKCS1v15(public, hash, digest, sig) != nil {
			t.Errorf("PKCS#1 v1.5 over %v: %v", hash, err)
		}
		opts := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
		sig, err = key.Sign(nil, digest, opts)
		if err != nil || rsa.VerifyPSS(public, hash, digest, sig, opts) != nil {
			t.Errorf("PSS over %v: %v", hash, err)
		}
	}
	for _, bad := range []struct {
		digest []byte
		hash   crypto.Hash
	}{{make([]byte, 20), crypto.SHA1}, {make([]byte, 31), crypto.SHA256}, {make([]byte, 32), 0}} {
		if _, err := key.Sign(nil, bad.digest, bad.hash); !errors.Is(err, token.ErrUnsupported) {
			t.Errorf("%d octets by %v: %v", len(bad.digest), bad.hash, err)
		}
	}
}

func TestPINsAreToldApart(t *testing.T) {
	ctx := t.Context()
	h := newHSM(t)
	h.add(t, "Ali", testpki.New(t, "ecdsa:P-256").User(t, testpki.Person))
	tk := h.open(t, Options{})[0]
	var wrong *token.PINError
	if _, err := tk.Open(ctx, []byte("9999")); !errors.As(err, &wrong) || wrong.TriesLeft != -1 || errors.Is(err, token.ErrBlocked) {
		t.Errorf("wrong PIN: %v", err)
	}
	for _, pin := range []string{"", "123", strings.Repeat("1", 256)} {
		if _, err := tk.Open(ctx, []byte(pin)); !errors.Is(err, token.ErrPINLength) {
			t.Errorf("PIN of %d characters: %v", len(pin), err)
		}
	}
	s := unlock(t, tk)
	if err := s.ChangePIN(ctx, []byte("1")); !errors.Is(err, token.ErrPINLength) {
		t.Errorf("short new PIN: %v", err)
	}
	if err := s.ChangePIN(ctx, []byte("777777")); err != nil {
		t.Fatal(err)
	}
	if err := s.ChangePIN(ctx, []byte("888888")); err != nil {
		t.Fatalf("once more: %v", err)
	}
	s.Close()
	for _, pin := range []string{testPIN, "777777"} {
		if _, err := tk.Open(ctx, []byte(pin)); !errors.As(err, &wrong) {
			t.Errorf("old PIN %s: %v", pin, err)
		}
	}
	if s, err := tk.Open(ctx, []byte("888888")); err != nil {
		t.Errorf("new PIN: %v", err)
	} else {
		s.Close()
	}
}

// The module would take any PIN of a second session: the program is logged in.
func TestSecondSessionWaitsAndItsPINIsChecked(t *testing.T) {
	h := newHSM(t)
	h.add(t, "Ali", testpki.New(t, "ecdsa:P-256").User(t, testpki.Person))
	tk := h.open(t, Options{})[0]
	first := unlock(t, tk)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tk.Open(ctx, []byte(testPIN)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	answer := make(chan error)
	go func() {
		_, err := tk.Open(t.Context(), []byte("9999"))
		answer <- err
	}()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-answer; !errors.As(err, new(*token.PINError)) {
		t.Errorf("wrong PIN while another session was open: %v", err)
	}
}

func TestTokenInUseIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // ten seconds that take none
		m := newModule(nil, Options{}, nil)
		release, err := m.login(t.Context(), "1")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.login(t.Context(), "1"); !errors.Is(err, token.ErrBusy) {
			t.Errorf("second: %v", err)
		}
		if _, err := m.login(t.Context(), "2"); err != nil {
			t.Errorf("another token: %v", err)
		}
		release()
		if _, err := m.login(t.Context(), "1"); err != nil {
			t.Errorf("after the first: %v", err)
		}
	})
}

func TestTokenThatIsRemoved(t *testing.T) {
	ctx := t.Context()
	h := newHSM(t)
	h.add(t, "Ali", testpki.New(t, "rsa:2048").User(t, testpki.Person))
	tk := h.open(t, Options{})[0]
	s := unlock(t, tk)
	key, _, err := s.Key(ctx)
	if err != nil {
		t.Fatal(err)
	}
	// SoftHSM has no reader to pull a card from: what modules with readers
	// answer then is put in its place.
	m := tk.(*device).module
	lib := <-m.calls
	for _, code := range []pkcs11.Error{pkcs11.CKR_TOKEN_NOT_PRESENT, pkcs11.CKR_DEVICE_REMOVED, pkcs11.CKR_SLOT_ID_INVALID} {
		m.calls <- broken{lib, pkcs11.TokenInfo{}, code}
		_, info := tk.Info(ctx)
		_, chain := tk.Chain(ctx)
		_, _, keyErr := s.Key(ctx)
		_, sign := key.Sign(nil, make([]byte, 32), crypto.SHA256)
		for name, err := range map[string]error{"Info": info, "Chain": chain, "Key": keyErr, "Sign": sign, "ChangePIN": s.ChangePIN(ctx, []byte("4321"))} {
			if !errors.Is(err, token.ErrMissing) {
				t.Errorf("%s after %v: %v", name, code, err)
			}
		}
		<-m.calls
	}
	// Another token in the same slot is not this one.
	m.calls <- broken{lib, pkcs11.TokenInfo{SerialNumber: "other", Flags: pkcs11.CKF_TOKEN_INITIALIZED}, 0}
	if _, _, err := s.Key(ctx); !errors.Is(err, token.ErrMissing) {
		t.Errorf("another token: %v", err)
	}
	<-m.calls
	m.calls <- lib
	// What it has is a folder.
	if err := os.RemoveAll(h.tokens); err != nil {
		t.Fatal(err)
	}
	if _, err := key.Sign(nil, make([]byte, 32), crypto.SHA256); !errors.Is(err, token.ErrMissing) {
		t.Errorf("signature without the token: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if _, err := tk.Info(ctx); !errors.Is(err, token.ErrMissing) {
		t.Errorf("closed module: %v", err)
	}
}

// broken answers GetTokenInfo otherwise.
type broken struct {
	cryptoki
	info pkcs11.TokenInfo
	code pkcs11.Error
}

func (b broken) GetTokenInfo(uint) (pkcs11.TokenInfo, error) {
	if b.code != 0 {
		return pkcs11.TokenInfo{}, b.code
	}
	return b.info, nil
}

// blocking answers as a card does that counts, which SoftHSM does not.
type blocking struct {
	cryptoki
	left *int
}

func (b blocking) GetTokenInfo(slot uint) (pkcs11.TokenInfo, error) {
	info, err := b.cryptoki.GetTokenInfo(slot)
	switch *b.left {
	case 0:
		info.Flags |= pkcs11.CKF_USER_PIN_LOCKED
	case 1:
		info.Flags |= pkcs11.CKF_USER_PIN_FINAL_TRY
	}
	return info, err
}

func (b blocking) Login(s pkcs11.SessionHandle, user uint, pin string) error {
	if *b.left == 0 {
		return pkcs11.Error(pkcs11.CKR_PIN_LOCKED)
	}
	err := b.cryptoki.Login(s, user, pin)
	if err != nil {
		*b.left--
	}
	return err
}

func TestWrongPINsBlock(t *testing.T) {
	ctx := t.Context()
	h := newHSM(t)
	h.add(t, "Ali", testpki.New(t, "ecdsa:P-256").User(t, testpki.Person))
	tk := h.open(t, Options{})[0]
	m := tk.(*device).module
	left := 3
	lib := <-m.calls
	m.calls <- blocking{lib, &left}
	for _, want := range []int{-1, 1, 0} {
		var wrong *token.PINError
		if _, err := tk.Open(ctx, []byte("9999")); !errors.As(err, &wrong) || wrong.TriesLeft != want || errors.Is(err, token.ErrBlocked) != (want == 0) {
			t.Errorf("error %v, want %d left", err, want)
		}
	}
	if info, err := tk.Info(ctx); err != nil || info.TriesLeft != 0 {
		t.Errorf("%+v, %v", info, err)
	}
	if _, err := tk.Open(ctx, []byte(testPIN)); !errors.Is(err, token.ErrBlocked) {
		t.Errorf("right PIN: %v", err)
	}
	<-m.calls
	m.calls <- lib
}

func TestTokensAreListedByLabel(t *testing.T) {
	h := newHSM(t)
	user := testpki.New(t, "ecdsa:P-256").User(t, testpki.Person)
	h.add(t, "Vali", user)
	h.run(t, "--init-token", "--free", "--label", "Ali", "--pin", testPIN, "--so-pin", soPIN)
	h.run(t, "--init-token", "--free", "--label", "Ali", "--pin", testPIN, "--so-pin", soPIN)
	seen := map[string]bool{}
	p, err := Open(h.module, Options{})
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := p.Tokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, tk := range tokens {
		info, err := tk.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if info.Personalized != (info.Name == "Vali") {
			t.Errorf("%+v", info)
		}
		seen[info.Name] = true
	}
	if len(tokens) != 3 || len(seen) != 3 || !seen["Vali"] || !seen["Ali"] {
		t.Errorf("%d tokens: %v", len(tokens), seen)
	}
	if _, err := Open(h.module, Options{}); err == nil {
		t.Error("the module opens twice")
	}
	if err := p.(io.Closer).Close(); err != nil {
		t.Fatal(err)
	}
	if err := p.(io.Closer).Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	if got := h.open(t, Options{Label: "Vali"}); len(got) != 1 {
		t.Errorf("%d tokens with one label", len(got))
	}
}

func TestEmptyTokenIsEmpty(t *testing.T) {
	ctx := t.Context()
	h := newHSM(t)
	h.add(t, "Ali", testpki.Entity{})
	tk := h.open(t, Options{})[0]
	if info, err := tk.Info(ctx); err != nil || info.Personalized {
		t.Errorf("%+v, %v", info, err)
	}
	if _, err := tk.Chain(ctx); !errors.Is(err, token.ErrEmpty) {
		t.Errorf("chain: %v", err)
	}
	s := unlock(t, tk)
	if _, _, err := s.Key(ctx); !errors.Is(err, token.ErrEmpty) {
		t.Errorf("key: %v", err)
	}
	_, cplc := tk.CPLC(ctx, nil)
	_, generate := s.GenerateKey(ctx, "rsa:2048")
	for name, err := range map[string]error{"CPLC": cplc, "GenerateKey": generate, "Personalize": s.Personalize(ctx, nil, nil)} {
		if !errors.Is(err, token.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeyMustBeTheCertificates(t *testing.T) {
	ctx := t.Context()
	for _, spec := range []string{"rsa:2048", "ecdsa:P-256"} {
		pki := testpki.New(t, spec)
		mine, other := pki.User(t, testpki.Person), pki.User(t, testpki.Organisation)
		t.Run(spec+" without a key", func(t *testing.T) {
			h := newHSM(t)
			h.add(t, "Ali", testpki.Entity{})
			h.addCertificates(t, "Ali", []byte{1}, mine.Chain)
			if _, _, err := unlock(t, h.open(t, Options{})[0]).Key(ctx); !errors.Is(err, token.ErrEmpty) {
				t.Errorf("error %v", err)
			}
		})
		t.Run(spec+" with another key", func(t *testing.T) {
			h := newHSM(t)
			h.add(t, "Ali", testpki.Entity{})
			h.addKey(t, "Ali", "01", other)
			h.addCertificates(t, "Ali", []byte{1}, mine.Chain)
			tk := h.open(t, Options{})[0]
			s := unlock(t, tk)
			if _, _, err := s.Key(ctx); !errors.Is(err, token.ErrKeyMismatch) {
				t.Errorf("error %v", err)
			}
			// A token without public keys tells it by its signature.
			m := tk.(*device).module
			lib := <-m.calls
			m.calls <- noPublicKeys{lib, new(bool)}
			key, _, err := s.Key(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := key.Sign(nil, make([]byte, 32), crypto.SHA256); !errors.Is(err, token.ErrKeyMismatch) {
				t.Errorf("signature of another key: %v", err)
			}
			<-m.calls
			m.calls <- lib
		})
		t.Run(spec+" by its id", func(t *testing.T) {
			h := newHSM(t)
			h.add(t, "Ali", mine)
			h.addKey(t, "Ali", "0203", other)
			h.addCertificates(t, "Ali", []byte{2, 3}, other.Chain)
			key, chain, err := unlock(t, h.open(t, Options{KeyID: []byte{2, 3}})[0]).Key(ctx)
			if err != nil || !chain[0].Equal(other.Cert) {
				t.Fatalf("%v, %v", chain, err)
			}
			signs(t, key, other.Cert.PublicKey)
		})
	}
}

// noPublicKeys hides the public keys, as tokens do that have none.
type noPublicKeys struct {
	cryptoki
	hide *bool
}

func (n noPublicKeys) FindObjectsInit(s pkcs11.SessionHandle, wanted []*pkcs11.Attribute) error {
	*n.hide = bytes.Equal(wanted[0].Value, pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PUBLIC_KEY).Value)
	return n.cryptoki.FindObjectsInit(s, wanted)
}

func (n noPublicKeys) FindObjects(s pkcs11.SessionHandle, most int) ([]pkcs11.ObjectHandle, bool, error) {
	if *n.hide {
		return nil, false, nil
	}
	return n.cryptoki.FindObjects(s, most)
}

func TestOtherKeysAreNotSupported(t *testing.T) {
	for _, spec := range []string{"ecdsa:P-521", "ozdst"} {
		h := newHSM(t)
		h.add(t, "Ali", testpki.Entity{})
		h.addCertificates(t, "Ali", []byte{1}, testpki.New(t, spec).User(t, testpki.Person).Chain)
		p, err := Open(h.module, Options{})
		if err != nil {
			t.Fatal(err)
		}
		tokens, err := p.Tokens(t.Context())
		if err != nil || len(tokens) != 1 {
			t.Fatalf("%d tokens, %v", len(tokens), err)
		}
		s := unlock(t, tokens[0])
		if _, _, err := s.Key(t.Context()); !errors.Is(err, token.ErrUnsupported) {
			t.Errorf("%s: %v", spec, err)
		}
		s.Close()
		p.(io.Closer).Close()
	}
}

// asking wants the PIN before each signature, as keys for qualified signatures
// do.
type asking struct {
	cryptoki
	asked *int
}

func (a asking) GetAttributeValue(s pkcs11.SessionHandle, o pkcs11.ObjectHandle, wanted []*pkcs11.Attribute) ([]*pkcs11.Attribute, error) {
	if wanted[0].Type == pkcs11.CKA_ALWAYS_AUTHENTICATE {
		return []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_ALWAYS_AUTHENTICATE, true)}, nil
	}
	return a.cryptoki.GetAttributeValue(s, o, wanted)
}

func (a asking) Login(s pkcs11.SessionHandle, user uint, pin string) error {
	if user != pkcs11.CKU_CONTEXT_SPECIFIC {
		return a.cryptoki.Login(s, user, pin)
	}
	if pin != testPIN {
		return pkcs11.Error(pkcs11.CKR_PIN_INCORRECT)
	}
	*a.asked++
	return nil
}

func TestKeyThatAsksEachTimeIsGivenThePIN(t *testing.T) {
	h := newHSM(t)
	user := testpki.New(t, "ecdsa:P-256").User(t, testpki.Person)
	h.add(t, "Ali", user)
	tk := h.open(t, Options{})[0]
	m := tk.(*device).module
	asked := 0
	lib := <-m.calls
	m.calls <- asking{lib, &asked}
	key, _, err := unlock(t, tk).Key(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	signs(t, key, user.Cert.PublicKey)
	signs(t, key, user.Cert.PublicKey)
	if asked != 2 {
		t.Errorf("asked %d times for 2 signatures", asked)
	}
	<-m.calls
	m.calls <- lib
}

func TestOpenTellsWhatIsNoModule(t *testing.T) {
	file := filepath.Join(t.TempDir(), "module.so")
	if err := os.WriteFile(file, []byte("not ELF"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, "/nowhere/module.so"} {
		if p, err := Open(path, Options{}); err == nil || p != nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestReturnValuesBecomeErrorsOfTokens(t *testing.T) {
	for code, want := range map[uint]error{
		pkcs11.CKR_PIN_LOCKED: token.ErrBlocked, pkcs11.CKR_PIN_LEN_RANGE: token.ErrPINLength, pkcs11.CKR_PIN_INVALID: token.ErrPINLength,
		pkcs11.CKR_SESSION_COUNT: token.ErrBusy, pkcs11.CKR_USER_ALREADY_LOGGED_IN: token.ErrBusy,
		pkcs11.CKR_DEVICE_REMOVED: token.ErrMissing, pkcs11.CKR_MECHANISM_INVALID: token.ErrUnsupported, pkcs11.CKR_PIN_INCORRECT: errPIN,
		pkcs11.CKR_GENERAL_ERROR: pkcs11.Error(pkcs11.CKR_GENERAL_ERROR),
	} {
		if err := translate(fmt.Errorf("call: %w", pkcs11.Error(code))); !errors.Is(err, want) {
			t.Errorf("%#x: %v", code, err)
		}
	}
	if translate(nil) != nil {
		t.Error("no error becomes one")
	}
	if got := hexSerial("CAFE12"); got != "cafe12" {
		t.Errorf("serial %s", got)
	}
	if got := hexSerial("SN-1"); got != "534e2d31" {
		t.Errorf("serial %s", got)
	}
	if got := printable(" a\x1b[2Jb\xff "); got != "a[2Jb" {
		t.Errorf("label %q", got)
	}
}

func TestSessionPrintsNoPIN(t *testing.T) {
	s := &session{pin: []byte("73591")}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "session", s)
	text := log.String() + fmt.Sprintf("%v %+v %#v %s %x", s, s, s, s, s)
	if strings.Contains(text, "73591") || strings.Contains(text, fmt.Sprintf("%x", s.pin)) || !strings.Contains(text, "redacted") {
		t.Errorf("printed: %s", text)
	}
}
