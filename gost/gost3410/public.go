package gost3410

import (
	"bytes"
	"crypto"
	"fmt"
	"slices"

	"imzo/gost/gost3410/internal/field"
)

// PublicKey is a point of a curve other than infinity. It is immutable and
// safe for concurrent use; compare keys with Equal.
type PublicKey struct {
	curve *Curve
	q     field.Pair
	x, y  [ScalarSize]byte // big-endian
}

// NewPublicKey returns the key with the affine coordinates x and y, 32 bytes
// big-endian each. It returns ErrInvalidLength, or ErrNotOnCurve when the
// coordinates are not below p or are no point of c.
func NewPublicKey(c *Curve, x, y []byte) (*PublicKey, error) {
	if len(x) != ScalarSize || len(y) != ScalarSize {
		return nil, fmt.Errorf("%w: coordinates of %d and %d bytes, want %d", ErrInvalidLength, len(x), len(y), ScalarSize)
	}
	xl, yl := field.FromBytes(x), field.FromBytes(y)
	if xl.Less(c.p) == 0 || yl.Less(c.p) == 0 {
		return nil, fmt.Errorf("%w: coordinate is not below p", ErrNotOnCurve)
	}
	q := field.Pair{X: c.fp.FromLimbs(xl), Y: c.fp.FromLimbs(yl)}
	if !c.onCurve(q.X, q.Y) {
		return nil, ErrNotOnCurve
	}
	return c.publicKey(q), nil
}

// ParsePublicKey reads the 64 bytes x ‖ y, both little-endian, that the
// SubjectPublicKeyInfo of a certificate wraps in an OCTET STRING (RFC 4491
// 2.3.2). Errors are those of NewPublicKey.
func ParsePublicKey(c *Curve, raw []byte) (*PublicKey, error) {
	if len(raw) != PublicKeySize {
		return nil, fmt.Errorf("%w: public key of %d bytes, want %d", ErrInvalidLength, len(raw), PublicKeySize)
	}
	x, y := bytes.Clone(raw[:ScalarSize]), bytes.Clone(raw[ScalarSize:])
	slices.Reverse(x)
	slices.Reverse(y)
	return NewPublicKey(c, x, y)
}

// publicKey makes a key of a point known to be on c.
func (c *Curve) publicKey(q field.Pair) *PublicKey {
	k := &PublicKey{curve: c, q: q}
	c.fp.Limbs(q.X).PutBytes(k.x[:])
	c.fp.Limbs(q.Y).PutBytes(k.y[:])
	return k
}

// Curve returns the curve of the key.
func (k *PublicKey) Curve() *Curve { return k.curve }

// X returns the affine x coordinate, 32 bytes big-endian.
func (k *PublicKey) X() []byte { return bytes.Clone(k.x[:]) }

// Y returns the affine y coordinate, 32 bytes big-endian.
func (k *PublicKey) Y() []byte { return bytes.Clone(k.y[:]) }

// Bytes returns the 64 bytes x ‖ y, both little-endian, that ParsePublicKey
// reads.
func (k *PublicKey) Bytes() []byte {
	out := make([]byte, PublicKeySize)
	field.FromBytes(k.x[:]).PutLittleEndian(out[:ScalarSize])
	field.FromBytes(k.y[:]).PutLittleEndian(out[ScalarSize:])
	return out
}

// Equal reports whether other is a *PublicKey with the same curve and point.
func (k *PublicKey) Equal(other crypto.PublicKey) bool {
	o, ok := other.(*PublicKey)
	return ok && o != nil && k.curve == o.curve && k.x == o.x && k.y == o.y
}

// Verify reports whether sig is k's signature of the digest (RFC 5832 6.2).
//
// The digest is 32 bytes as the hash prints it. The signature is exactly 64
// bytes, s ‖ r, big-endian, both in 1..n-1; some implementations ignore what
// follows the 64th byte, this one rejects it. A digest that is 0 modulo n
// counts as 1.
//
// Verify takes time that depends on its arguments, which are public.
func (k *PublicKey) Verify(digest, sig []byte) bool {
	c := k.curve
	l, ok := c.readClaim(digest, sig)
	if !ok {
		return false
	}
	return k.holds(&l, c.invertVartime(l.e))
}

// holds reports whether the claim is true, v being 1/e.
func (k *PublicKey) holds(l *claim, v field.Element) bool {
	z1, z2 := k.curve.scalars(l, v)
	sum := k.curve.doubleMult(z1, z2, k.q)
	return k.curve.xIs(&sum, l.r)
}

// isScalar reports whether v is in 1..n-1. It is constant-time in v up to the
// answer.
func (c *Curve) isScalar(v field.Limbs) bool {
	return v.IsZero() == 0 && v.Less(c.n) == 1
}

// digestScalar returns the number that is signed: the digest, read as a
// little-endian integer, modulo n, or 1 when that is 0 (RFC 5832 6.1 step 2).
func (c *Curve) digestScalar(digest []byte) field.Element {
	e := c.fn.FromLimbs(field.FromLittleEndian(digest))
	return c.fn.Select(c.fn.IsZero(e), c.fn.One(), e)
}
