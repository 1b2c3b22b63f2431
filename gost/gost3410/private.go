package gost3410

import (
	"crypto"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"

	"imzo/gost/gost3410/internal/field"
)

// PrivateKey is a scalar d in 1..n-1 and its public key dG. It is a
// [crypto.Signer], prints as "[redacted]" in every format, and is safe for
// concurrent use except for Wipe.
type PrivateKey struct {
	pub *PublicKey
	// A pointer, so that a copy of the struct is no copy of the secret and
	// Wipe reaches all of them.
	secret *secret
}

type secret struct {
	d     field.Element // modulo n
	wiped bool
}

var (
	_ crypto.Signer  = (*PrivateKey)(nil)
	_ fmt.Formatter  = PrivateKey{}
	_ slog.LogValuer = PrivateKey{}
)

// GenerateKey returns a random key. It reads 64 bytes from random, or from
// crypto/rand when random is nil, and reduces them modulo n.
func GenerateKey(c *Curve, random io.Reader) (*PrivateKey, error) {
	if random == nil {
		random = rand.Reader
	}
	var seed [2 * ScalarSize]byte
	defer clear(seed[:])
	if _, err := io.ReadFull(random, seed[:]); err != nil {
		return nil, fmt.Errorf("gost3410: reading randomness: %w", err)
	}
	d := field.FromWide(c.fn, field.FromBytes(seed[:ScalarSize]), field.FromBytes(seed[ScalarSize:]))
	if c.fn.IsZero(d) != 0 { // one in 2^256
		return nil, ErrRandom
	}
	return c.privateKey(d), nil
}

// NewPrivateKey returns the key with the scalar d, 32 bytes big-endian. It
// returns ErrInvalidLength, or ErrInvalidScalar when d is not in 1..n-1.
func NewPrivateKey(c *Curve, d []byte) (*PrivateKey, error) {
	if len(d) != ScalarSize {
		return nil, fmt.Errorf("%w: private key of %d bytes, want %d", ErrInvalidLength, len(d), ScalarSize)
	}
	v := field.FromBytes(d)
	if !c.isScalar(v) {
		return nil, ErrInvalidScalar
	}
	return c.privateKey(c.fn.FromLimbs(v)), nil
}

func (c *Curve) privateKey(d field.Element) *PrivateKey {
	q := c.baseMult(c.fn.Limbs(d))
	return &PrivateKey{pub: c.publicKey(c.affine(&q)), secret: &secret{d: d}}
}

// Public returns the public key, a *PublicKey, as [crypto.Signer] asks.
func (k *PrivateKey) Public() crypto.PublicKey { return k.pub }

// PublicKey returns the public key.
func (k *PrivateKey) PublicKey() *PublicKey { return k.pub }

// Bytes returns the scalar d, 32 bytes big-endian, and nil after Wipe. The
// caller owns the copy and should clear it.
func (k *PrivateKey) Bytes() []byte {
	if k.secret.wiped {
		return nil
	}
	out := make([]byte, ScalarSize)
	k.pub.curve.fn.Limbs(k.secret.d).PutBytes(out)
	return out
}

// Equal reports whether other is a *PrivateKey with the same curve and
// scalar, in constant time. A wiped key equals none.
func (k *PrivateKey) Equal(other crypto.PrivateKey) bool {
	o, ok := other.(*PrivateKey)
	if !ok || o == nil || k.pub.curve != o.pub.curve || k.secret.wiped || o.secret.wiped {
		return false
	}
	a, b := k.Bytes(), o.Bytes()
	defer clear(a)
	defer clear(b)
	return subtle.ConstantTimeCompare(a, b) == 1
}

// Wipe overwrites the scalar, also for copies of the key. Sign and VKO return
// ErrWiped from then on; the public key stays. Wipe must not run beside other
// methods. Copies that the Go runtime made of the scalar stay in memory.
func (k *PrivateKey) Wipe() {
	k.secret.d = field.Element{}
	k.secret.wiped = true
}

// redacted is what a private key shows of itself.
const redacted = "gost3410.PrivateKey([redacted])"

// String returns a text without the secret.
func (k PrivateKey) String() string { return redacted }

// GoString returns a text without the secret, for %#v.
func (k PrivateKey) GoString() string { return redacted }

// Format writes a text without the secret whatever the verb.
func (k PrivateKey) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue returns a text without the secret, for log/slog.
func (k PrivateKey) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON returns a text without the secret.
func (k PrivateKey) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText returns a text without the secret.
func (k PrivateKey) MarshalText() ([]byte, error) { return []byte(redacted), nil }
