package soft

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"imzo/gost/gost3410"
	"imzo/pki/alg"
	"imzo/pki/cert"
	"imzo/pki/token"
)

// ErrClosed tells that a session was closed.
var ErrClosed = errors.New("session with the card is closed")

// session is an unlocked card.
type session struct {
	card *Card
	id   []byte

	mu sync.Mutex
	// key is the card key. A pointer, so that a session that is printed shows
	// an address.
	key    *[keySize]byte
	keys   []*signer
	closed bool
}

var _ token.Session = (*session)(nil)

// newSession takes the card key over.
func newSession(c *Card, id, key []byte) *session {
	return &session{card: c, id: id, key: (*[keySize]byte)(key)}
}

// Format prints no secret.
func (s *session) Format(f fmt.State, _ rune) { io.WriteString(f, "session with a card [redacted]") }

// LogValue prints no secret.
func (s *session) LogValue() slog.Value { return slog.StringValue("session with a card [redacted]") }

// Close implements token.Session.
func (s *session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	clear(s.key[:])
	for _, k := range s.keys {
		k.Wipe()
	}
	s.keys = nil
	return nil
}

// Key implements token.Session.
func (s *session) Key(ctx context.Context) (*alg.PrivateKey, []*cert.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil, ErrClosed
	}
	content, err := s.card.read(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err := s.same(content); err != nil {
		return nil, nil, err
	}
	chain, err := content.chain()
	if err != nil {
		return nil, nil, err
	}
	if len(chain) == 0 || content.Present == nil {
		return nil, nil, token.ErrEmpty
	}
	key, err := s.unseal(content.Present)
	if err != nil {
		return nil, nil, err
	}
	// Under the identifiers of the certificate, which the CA may have chosen.
	private, err := s.hold(key, chain[0].PublicKey)
	return private, chain, err
}

// GenerateKey implements token.Session. Parameters are "ozdst" or "ozmst" with
// the curve, such as "ozdst:C"; without one, or "", the kind of the card
// chooses. A new pending key takes the place of an older one.
func (s *session) GenerateKey(ctx context.Context, parameters string) (*alg.PrivateKey, error) {
	var out *alg.PrivateKey
	err := s.change(ctx, func(content *card, save func() error) error {
		key, public, err := kinds[content.Kind].generate(parameters, s.card.rand)
		if err != nil {
			return err
		}
		content.Pending, err = s.seal(key, public)
		if err == nil {
			err = save()
		}
		if err != nil {
			key.Wipe()
			return err
		}
		out, err = s.hold(key, public)
		return err
	})
	return out, err
}

// Personalize implements token.Session. It takes 1 to 8 certificates of at most
// 16 KiB and does not verify them: whom to trust is not for a card to know.
func (s *session) Personalize(ctx context.Context, chain []*cert.Certificate, newPIN []byte) error {
	if len(chain) == 0 {
		return fmt.Errorf("%w: nothing to write", token.ErrEmpty)
	}
	return s.change(ctx, func(content *card, save func() error) error {
		if err := digits(newPIN, minPIN, content.MaxPIN); err != nil {
			return err
		}
		switch user := chain[0].PublicKey; {
		case content.Pending.is(user):
			content.Present, content.Pending = content.Pending, nil
		case !content.Present.is(user):
			return token.ErrKeyMismatch
		}
		content.Chain = nil
		for _, c := range chain {
			content.Chain = append(content.Chain, c.Raw)
		}
		if err := content.check(); err != nil { // before the work for the PIN
			return err
		}
		if err := s.card.setPIN(content, newPIN, s.key[:]); err != nil {
			return err
		}
		return save()
	})
}

// ChangePIN implements token.Session.
func (s *session) ChangePIN(ctx context.Context, newPIN []byte) error {
	return s.change(ctx, func(content *card, save func() error) error {
		if err := digits(newPIN, minPIN, content.MaxPIN); err != nil {
			return err
		}
		if err := s.card.setPIN(content, newPIN, s.key[:]); err != nil {
			return err
		}
		return save()
	})
}

// change is store.change for a session: the card must be the one that was
// unlocked, and not blocked since, or who has an old session could undo what
// the counter did.
func (s *session) change(ctx context.Context, edit func(content *card, save func() error) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	return s.card.store.change(ctx, func(content *card, save func() error) error {
		if err := s.same(content); err != nil {
			return err
		}
		if content.PIN.TriesLeft == 0 {
			return token.ErrBlocked
		}
		return edit(content, save)
	})
}

func (s *session) same(content *card) error {
	if !bytes.Equal(content.ID, s.id) {
		return fmt.Errorf("%w: another card is in its place", token.ErrMissing)
	}
	return nil
}

// is tells whether the sealed key, which may be nil, belongs to a public key.
func (k *sealedKey) is(public *alg.PublicKey) bool {
	if k == nil {
		return false
	}
	own, _, err := k.public()
	return err == nil && own.SameKey(public)
}

func (s *session) seal(key *gost3410.PrivateKey, public *alg.PublicKey) (*sealedKey, error) {
	d := key.Bytes()
	defer clear(d)
	sealed, err := seal(s.card.rand, s.key[:], bound("key", s.id, public.Raw), d)
	if err != nil {
		return nil, err
	}
	return &sealedKey{SPKI: public.Raw, Sealed: sealed}, nil
}

func (s *session) unseal(k *sealedKey) (*gost3410.PrivateKey, error) {
	_, point, err := k.public()
	if err != nil {
		return nil, err
	}
	d, err := unseal(s.key[:], bound("key", s.id, k.SPKI), k.Sealed)
	if err != nil {
		return nil, formatErrorf("private key: %w", err)
	}
	defer clear(d)
	key, err := gost3410.NewPrivateKey(point.Curve(), d)
	if err != nil {
		return nil, formatErrorf("private key: %w", err)
	}
	return key, nil
}

// hold returns the key under the identifiers of public, until Close.
func (s *session) hold(key *gost3410.PrivateKey, public *alg.PublicKey) (*alg.PrivateKey, error) {
	k := &signer{key: key}
	private, err := alg.NewPrivateKeyWithSPKI(k, public)
	if err != nil {
		k.Wipe()
		if errors.Is(err, alg.ErrKeyMismatch) {
			err = fmt.Errorf("%w: %w", token.ErrKeyMismatch, err)
		}
		return nil, err
	}
	s.keys = append(s.keys, k)
	return private, nil
}

// signer is a key that signs and does not come out, as in a card, until its
// session ends.
type signer struct {
	mu    sync.Mutex
	key   *gost3410.PrivateKey
	wiped bool
}

var _ crypto.Signer = (*signer)(nil)

func (k *signer) Public() crypto.PublicKey { return k.key.PublicKey() }

func (k *signer) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.wiped {
		return nil, alg.ErrWiped
	}
	return k.key.Sign(rand, digest, opts)
}

// Wipe is what alg.PrivateKey.Wipe calls.
func (k *signer) Wipe() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.key.Wipe()
	k.wiped = true
}
