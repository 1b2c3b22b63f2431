// Package field holds constant-time arithmetic modulo the 256-bit primes of
// the GOST R 34.10-2001 curves: the coordinate fields and the fields of
// scalars modulo the group order.
//
// Two implementations stand behind one method set, [Field]:
//
//   - [Crandall] for p = 2^256 - c with a small c (CryptoPro-A, c = 617),
//     where a reduction is one multiplication by c;
//   - [Montgomery] for any odd modulus of exactly 256 bits.
//
// Elements are values of four 64-bit limbs, small enough to travel in
// registers, so the calls through the interface allocate nothing. What the
// limbs mean belongs to the Field that made them; elements of two fields must
// not be mixed.
//
// Every operation runs the same instructions for all inputs: no branch and no
// memory address depends on an element. The exceptions say so in their names
// or comments and are for public values only. The package does not check that
// a modulus is prime; [Field.Invert] relies on it.
package field

import (
	"encoding/binary"
	"math/bits"
)

// Limbs is a 256-bit integer, least significant limb first.
type Limbs [4]uint64

// Element is a residue in the representation of the field that made it. The
// zero value is 0 in every field.
//
// It is a struct and not an array because Go passes structs of up to four
// words in registers.
type Element struct{ l0, l1, l2, l3 uint64 }

// Pair is two elements that are looked up together: an affine point.
type Pair struct{ X, Y Element }

// Field is the arithmetic of one prime field. All methods are constant-time
// in the elements, masks and indices, and safe for concurrent use.
type Field interface {
	// One returns 1.
	One() Element
	// Add returns x + y.
	Add(x, y Element) Element
	// Sub returns x - y.
	Sub(x, y Element) Element
	// Mul returns x * y.
	Mul(x, y Element) Element
	// Square returns x * x.
	Square(x Element) Element
	// Invert returns 1/x, and 0 for 0.
	Invert(x Element) Element
	// IsZero returns all ones when x is 0 and 0 otherwise.
	IsZero(x Element) uint64
	// Select returns x when mask is all ones and y when it is 0.
	Select(mask uint64, x, y Element) Element
	// Lookup returns table[index-1], and zeros when index is 0 or beyond the
	// table. It reads the whole table each time.
	Lookup(table []Pair, index uint64) Pair
	// FromLimbs returns v mod m. v may be any 256-bit integer.
	FromLimbs(v Limbs) Element
	// Limbs returns the canonical value of x, below the modulus.
	Limbs(x Element) Limbs
	// Modulus returns the modulus.
	Modulus() Limbs
}

// FromBytes reads a 32-byte big-endian integer. It panics on another length,
// which is a mistake of the calling package.
func FromBytes(b []byte) Limbs {
	if len(b) != 32 {
		panic("field: not 32 bytes")
	}
	return Limbs{
		binary.BigEndian.Uint64(b[24:]),
		binary.BigEndian.Uint64(b[16:]),
		binary.BigEndian.Uint64(b[8:]),
		binary.BigEndian.Uint64(b[0:]),
	}
}

// FromLittleEndian reads a 32-byte little-endian integer. It panics on
// another length.
func FromLittleEndian(b []byte) Limbs {
	if len(b) != 32 {
		panic("field: not 32 bytes")
	}
	return Limbs{
		binary.LittleEndian.Uint64(b[0:]),
		binary.LittleEndian.Uint64(b[8:]),
		binary.LittleEndian.Uint64(b[16:]),
		binary.LittleEndian.Uint64(b[24:]),
	}
}

// PutBytes writes the integer into 32 bytes, big-endian.
func (v Limbs) PutBytes(b []byte) {
	_ = b[31]
	binary.BigEndian.PutUint64(b[0:], v[3])
	binary.BigEndian.PutUint64(b[8:], v[2])
	binary.BigEndian.PutUint64(b[16:], v[1])
	binary.BigEndian.PutUint64(b[24:], v[0])
}

// PutLittleEndian writes the integer into 32 bytes, little-endian.
func (v Limbs) PutLittleEndian(b []byte) {
	_ = b[31]
	binary.LittleEndian.PutUint64(b[0:], v[0])
	binary.LittleEndian.PutUint64(b[8:], v[1])
	binary.LittleEndian.PutUint64(b[16:], v[2])
	binary.LittleEndian.PutUint64(b[24:], v[3])
}

// Less returns 1 when v < w and 0 otherwise, in constant time.
func (v Limbs) Less(w Limbs) uint64 {
	_, b := bits.Sub64(v[0], w[0], 0)
	_, b = bits.Sub64(v[1], w[1], b)
	_, b = bits.Sub64(v[2], w[2], b)
	_, b = bits.Sub64(v[3], w[3], b)
	return b
}

// IsZero returns 1 when v is 0 and 0 otherwise, in constant time.
func (v Limbs) IsZero() uint64 {
	return zeroMask(v[0]|v[1]|v[2]|v[3]) & 1
}

// Add returns v + w mod 2^256 and the carry.
func (v Limbs) Add(w Limbs) (sum Limbs, carry uint64) {
	sum[0], carry = bits.Add64(v[0], w[0], 0)
	sum[1], carry = bits.Add64(v[1], w[1], carry)
	sum[2], carry = bits.Add64(v[2], w[2], carry)
	sum[3], carry = bits.Add64(v[3], w[3], carry)
	return sum, carry
}

// FromWide returns hi*2^256 + lo mod m. It turns 512 random bits into an
// element whose bias cannot be measured.
func FromWide(f Field, hi, lo Limbs) Element {
	// 2^256 - m is 2^256 mod m, since every modulus is above 2^255.
	m := f.Modulus()
	var two256 Limbs
	var b uint64
	two256[0], b = bits.Sub64(0, m[0], 0)
	two256[1], b = bits.Sub64(0, m[1], b)
	two256[2], b = bits.Sub64(0, m[2], b)
	two256[3], _ = bits.Sub64(0, m[3], b)
	return f.Add(f.Mul(f.FromLimbs(hi), f.FromLimbs(two256)), f.FromLimbs(lo))
}

// zeroMask returns all ones when w is 0 and 0 otherwise.
func zeroMask(w uint64) uint64 {
	// The top bit of w | -w is set exactly when w is not 0.
	return ((w | -w) >> 63) - 1
}

// reduceOnce returns v - m when carry*2^256 + v >= m, else v. The value must
// be below 2m.
func reduceOnce(carry, v0, v1, v2, v3 uint64, m *Limbs) Element {
	s0, b := bits.Sub64(v0, m[0], 0)
	s1, b := bits.Sub64(v1, m[1], b)
	s2, b := bits.Sub64(v2, m[2], b)
	s3, b := bits.Sub64(v3, m[3], b)
	_, b = bits.Sub64(carry, 0, b)
	keep := -b // all ones when the subtraction went below zero
	return Element{
		s0 ^ keep&(s0^v0),
		s1 ^ keep&(s1^v1),
		s2 ^ keep&(s2^v2),
		s3 ^ keep&(s3^v3),
	}
}

// common holds the operations that are the same for every representation.
type common struct{}

func (common) Select(mask uint64, x, y Element) Element {
	return Element{
		y.l0 ^ mask&(x.l0^y.l0),
		y.l1 ^ mask&(x.l1^y.l1),
		y.l2 ^ mask&(x.l2^y.l2),
		y.l3 ^ mask&(x.l3^y.l3),
	}
}

func (common) Lookup(table []Pair, index uint64) Pair {
	var x0, x1, x2, x3, y0, y1, y2, y3 uint64
	for i := range table {
		mask := zeroMask(uint64(i+1) ^ index)
		e := &table[i]
		x0 |= mask & e.X.l0
		x1 |= mask & e.X.l1
		x2 |= mask & e.X.l2
		x3 |= mask & e.X.l3
		y0 |= mask & e.Y.l0
		y1 |= mask & e.Y.l1
		y2 |= mask & e.Y.l2
		y3 |= mask & e.Y.l3
	}
	return Pair{Element{x0, x1, x2, x3}, Element{y0, y1, y2, y3}}
}
