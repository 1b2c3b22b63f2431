// Package reference is GOST R 34.10-2001 straight from RFC 5832 in math/big:
// affine coordinates, double and add, no short cut. It shares no code with
// package gost3410, takes no care of secrets and is there to test against and
// to generate test vectors.
package reference

import (
	"crypto/sha256"
	"encoding/binary"
	"math/big"
	"slices"
)

// Curve is y² = x³ + ax + b modulo P with base point G of prime order N.
type Curve struct {
	Name       string
	P, A, B, N *big.Int
	G          Point
}

// Point is an affine point; X is nil for infinity.
type Point struct{ X, Y *big.Int }

// Infinity reports whether p is the neutral element.
func (p Point) Infinity() bool { return p.X == nil }

// Equal reports whether p and q are the same point.
func (p Point) Equal(q Point) bool {
	if p.Infinity() || q.Infinity() {
		return p.Infinity() && q.Infinity()
	}
	return p.X.Cmp(q.X) == 0 && p.Y.Cmp(q.Y) == 0
}

// Curves returns the three curves of RFC 4357 11.4 and that of the example in
// RFC 5832 7.1.
func Curves() []*Curve {
	curve := func(name, p string, a int64, b, n string, gx int64, gy string) *Curve {
		c := &Curve{Name: name, P: hex(p), B: hex(b), N: hex(n)}
		c.A = new(big.Int).Mod(big.NewInt(a), c.P)
		c.G = Point{big.NewInt(gx), hex(gy)}
		return c
	}
	return []*Curve{
		curve("CryptoPro-A",
			"FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFD97", -3, "A6",
			"FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF6C611070995AD10045841B09B761B893",
			1, "8D91E471E0989CDA27DF505A453F2B7635294F2DDF23E3B122ACC99C9E9F1E14"),
		curve("CryptoPro-B",
			"8000000000000000000000000000000000000000000000000000000000000C99", -3,
			"3E1AF419A269A5F866A7D3C25C3DF80AE979259373FF2B182F49D4CE7E1BBC8B",
			"800000000000000000000000000000015F700CFFF1A624E5E497161BCC8A198F",
			1, "3FA8124359F96680B83D1C3EB2C070E5C545C9858D03ECFB744BF8D717717EFC"),
		curve("CryptoPro-C",
			"9B9F605F5A858107AB1EC85E6B41C8AACF846E86789051D37998F7B9022D759B", -3, "805A",
			"9B9F605F5A858107AB1EC85E6B41C8AA582CA3511EDDFB74F02F3A6598980BB9",
			0, "41ECE55743711A8C3CBF3783CD08C0EE4D4DC440D4641A8F366E550DFDB3BB67"),
		curve("test",
			"8000000000000000000000000000000000000000000000000000000000000431", 7,
			"5FBFF498AA938CE739B8E022FBAFEF40563F6E6A3472FC2A514C0CE9DAE23B7E",
			"8000000000000000000000000000000150FE8A1892976154C59CFC193ACCF5B3",
			2, "08E2A8A0E65147D4BD6316030E16D19C85C97F0A9CA267122B96ABBCEA7E8FC8"),
	}
}

func hex(s string) *big.Int {
	v, ok := new(big.Int).SetString(s, 16)
	if !ok {
		panic("reference: bad number " + s)
	}
	return v
}

// right returns x³ + ax + b.
func (c *Curve) right(x *big.Int) *big.Int {
	v := new(big.Int).Mul(x, x)
	v.Add(v, c.A).Mul(v, x).Add(v, c.B)
	return v.Mod(v, c.P)
}

// OnCurve reports whether x and y are below P and satisfy the equation.
func (c *Curve) OnCurve(x, y *big.Int) bool {
	if x.Sign() < 0 || y.Sign() < 0 || x.Cmp(c.P) >= 0 || y.Cmp(c.P) >= 0 {
		return false
	}
	left := new(big.Int).Mul(y, y)
	return left.Mod(left, c.P).Cmp(c.right(x)) == 0
}

// Lift returns a point with the given x, if there is one.
func (c *Curve) Lift(x *big.Int) (Point, bool) {
	y := new(big.Int).ModSqrt(c.right(x), c.P)
	if y == nil {
		return Point{}, false
	}
	return Point{new(big.Int).Set(x), y}, true
}

// Neg returns -p.
func (c *Curve) Neg(p Point) Point {
	if p.Infinity() {
		return p
	}
	y := new(big.Int).Neg(p.Y)
	return Point{new(big.Int).Set(p.X), y.Mod(y, c.P)}
}

// Add returns p + q.
func (c *Curve) Add(p, q Point) Point {
	if p.Infinity() {
		return q
	}
	if q.Infinity() {
		return p
	}
	num, den := new(big.Int), new(big.Int)
	if p.X.Cmp(q.X) == 0 {
		if p.Y.Cmp(q.Y) != 0 || p.Y.Sign() == 0 {
			return Point{}
		}
		num.Mul(p.X, p.X).Mul(num, big.NewInt(3)).Add(num, c.A)
		den.Lsh(p.Y, 1)
	} else {
		num.Sub(q.Y, p.Y)
		den.Sub(q.X, p.X)
	}
	l := num.Mul(num, den.ModInverse(den.Mod(den, c.P), c.P))
	l.Mod(l, c.P)
	x := new(big.Int).Mul(l, l)
	x.Sub(x, p.X).Sub(x, q.X).Mod(x, c.P)
	y := new(big.Int).Sub(p.X, x)
	y.Mul(y, l).Sub(y, p.Y).Mod(y, c.P)
	return Point{x, y}
}

// Mul returns k*p.
func (c *Curve) Mul(k *big.Int, p Point) Point {
	k = new(big.Int).Mod(k, c.N)
	var acc Point
	for i := k.BitLen() - 1; i >= 0; i-- {
		acc = c.Add(acc, acc)
		if k.Bit(i) == 1 {
			acc = c.Add(acc, p)
		}
	}
	return acc
}

// E returns the number signed for a digest: little-endian, modulo N, 1 for 0.
func (c *Curve) E(digest []byte) *big.Int {
	b := slices.Clone(digest)
	slices.Reverse(b)
	e := new(big.Int).SetBytes(b)
	e.Mod(e, c.N)
	if e.Sign() == 0 {
		e.SetInt64(1)
	}
	return e
}

// Sign returns r and s for the private key d, the number e and the nonce k
// (RFC 5832 6.1). Either may be 0: the caller chose a bad nonce then.
func (c *Curve) Sign(d, e, k *big.Int) (r, s *big.Int) {
	r = new(big.Int).Mod(c.Mul(k, c.G).X, c.N)
	s = new(big.Int).Mul(r, d)
	s.Add(s, new(big.Int).Mul(k, e)).Mod(s, c.N)
	return r, s
}

// Scalars returns z1 = s/e and z2 = -r/e.
func (c *Curve) Scalars(e, r, s *big.Int) (z1, z2 *big.Int) {
	v := new(big.Int).ModInverse(e, c.N)
	z1 = new(big.Int).Mul(s, v)
	z2 = new(big.Int).Mul(r, v)
	z2.Neg(z2)
	return z1.Mod(z1, c.N), z2.Mod(z2, c.N)
}

// Verify reports whether (r, s) is q's signature of e (RFC 5832 6.2).
func (c *Curve) Verify(q Point, e, r, s *big.Int) bool {
	for _, v := range []*big.Int{r, s} {
		if v.Sign() <= 0 || v.Cmp(c.N) >= 0 {
			return false
		}
	}
	return c.VerifyUnchecked(q, e, r, s)
}

// VerifyUnchecked is Verify without the range check of r and s, which tells
// what an implementation that forgot it would accept.
func (c *Curve) VerifyUnchecked(q Point, e, r, s *big.Int) bool {
	z1, z2 := c.Scalars(e, r, s)
	sum := c.Add(c.Mul(z1, c.G), c.Mul(z2, q))
	if sum.Infinity() {
		return false
	}
	x := new(big.Int).Mod(sum.X, c.N)
	return x.Cmp(new(big.Int).Mod(r, c.N)) == 0
}

// VerifyBytes is Verify on encodings: x, y and the halves of sig (s ‖ r)
// big-endian, the digest as the hash prints it; 32, 32, 64 and 32 bytes.
func (c *Curve) VerifyBytes(x, y, digest, sig []byte) bool {
	if len(x) != 32 || len(y) != 32 || len(digest) != 32 || len(sig) != 64 {
		return false
	}
	q := Point{new(big.Int).SetBytes(x), new(big.Int).SetBytes(y)}
	if !c.OnCurve(q.X, q.Y) {
		return false
	}
	return c.Verify(q, c.E(digest), new(big.Int).SetBytes(sig[32:]), new(big.Int).SetBytes(sig[:32]))
}

// Source is a stream of numbers that depends on its label only.
type Source struct {
	label string
	next  uint64
}

// NewSource returns the stream of the label.
func NewSource(label string) *Source { return &Source{label: label} }

// Bytes returns the next 32 bytes.
func (s *Source) Bytes() []byte {
	b := binary.BigEndian.AppendUint64([]byte(s.label), s.next)
	s.next++
	sum := sha256.Sum256(b)
	return sum[:]
}

// Scalar returns the next number in 1..n-1.
func (s *Source) Scalar(n *big.Int) *big.Int {
	for {
		v := new(big.Int).SetBytes(s.Bytes())
		if v.Sign() > 0 && v.Cmp(n) < 0 {
			return v
		}
	}
}
