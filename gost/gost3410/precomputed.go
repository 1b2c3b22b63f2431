package gost3410

import "imzo/gost/gost3410/internal/field"

// Like vartime.go, this file branches on its data: signatures, digests and
// public keys.

const (
	keyWindow  = 6 // of the windows of a precomputed key: 88 kB a key
	baseWindow = 8 // of those of G, beside it: 270 kB a curve
)

// comb holds for each window i of so many bits the multiples 1, 2, ...
// 2^(bits-1) of 2^(bits*i) * q, so that a product is one addition a window and
// no doubling.
type comb struct {
	bits   uint
	points []field.Pair
}

func combWindows(bits uint) int { return int((256 + bits) / bits) } // 257 bits: the last carry

func (c *Curve) newComb(q field.Pair, bits uint) *comb {
	row := 1 << (bits - 1)
	points := make([]point, 0, combWindows(bits)*row)
	first := point{q.X, q.Y, c.fp.One()}
	for range combWindows(bits) {
		p := first
		points = append(points, p)
		for range row - 1 {
			c.add(&p, &first)
			points = append(points, p)
		}
		c.double(&p, 1)
		first = p
	}
	return &comb{bits, c.batchAffine(points)}
}

// addProduct adds k*q to acc, for the comb of q.
func (c *Curve) addProduct(acc *jacobian, k field.Limbs, t *comb) {
	row := 1 << (t.bits - 1)
	carry := uint64(0)
	for i, at := uint(0), 0; at < len(t.points); i, at = i+t.bits, at+row {
		v := bitsAt(k, i, t.bits) + carry
		carry = 0
		switch {
		case v == 0:
		case v <= uint64(row):
			c.addAffineVartime(acc, &t.points[at+int(v)-1], false)
		default: // v - 2^bits, and one more of the next window
			carry = 1
			if v = 1<<t.bits - v; v > 0 {
				c.addAffineVartime(acc, &t.points[at+int(v)-1], true)
			}
		}
	}
}

// PrecomputedKey is a public key with a table of its multiples, of 88 kB, for
// keys that verify many signatures: those of authorities. Its Verify takes
// about a quarter of the time of [PublicKey.Verify]; making the table takes as
// long as ten of those. It is immutable and safe for concurrent use.
type PrecomputedKey struct {
	key   *PublicKey
	table *comb
}

// Precompute makes the table of a key.
func (k *PublicKey) Precompute() *PrecomputedKey {
	return &PrecomputedKey{k, k.curve.newComb(k.q, keyWindow)}
}

// PublicKey returns the key.
func (p *PrecomputedKey) PublicKey() *PublicKey { return p.key }

// Verify is [PublicKey.Verify], with the same answers.
func (p *PrecomputedKey) Verify(digest, sig []byte) bool {
	c := p.key.curve
	l, ok := c.readClaim(digest, sig)
	if !ok {
		return false
	}
	z1, z2 := c.scalars(&l, c.invertVartime(l.e))
	sum := jacobian{inf: true}
	c.addProduct(&sum, z1, c.verifyBase())
	c.addProduct(&sum, z2, p.table)
	return c.xIs(&sum, l.r)
}

// claim is a signature as read: s and r in 1..n-1, and the number e that is
// signed.
type claim struct {
	s field.Element
	r field.Limbs
	e field.Element
}

// readClaim reads a signature (RFC 5832 6.2 steps 1 to 3).
func (c *Curve) readClaim(digest, sig []byte) (claim, bool) {
	if len(digest) != DigestSize || len(sig) != SignatureSize {
		return claim{}, false
	}
	s := field.FromBytes(sig[:ScalarSize])
	r := field.FromBytes(sig[ScalarSize:])
	if !c.isScalar(s) || !c.isScalar(r) {
		return claim{}, false
	}
	return claim{c.fn.FromLimbs(s), r, c.digestScalar(digest)}, true
}

// scalars returns the scalars of G and of the key whose sum has r for its x,
// for v = 1/e (RFC 5832 6.2 steps 4 and 5).
func (c *Curve) scalars(l *claim, v field.Element) (z1, z2 field.Limbs) {
	f := c.fn
	z1 = f.Limbs(f.Mul(l.s, v))
	z2 = f.Limbs(f.Sub(field.Element{}, f.Mul(f.FromLimbs(l.r), v)))
	return z1, z2
}

// invertVartime returns 1/e modulo n for a public e.
func (c *Curve) invertVartime(e field.Element) field.Element {
	return c.fn.FromLimbs(c.inverter.Invert(c.fn.Limbs(e)))
}

func (c *Curve) verifyBase() *comb {
	c.verifyOnce.Do(func() { c.verifyComb = c.newComb(field.Pair{X: c.gx, Y: c.gy}, baseWindow) })
	return c.verifyComb
}
