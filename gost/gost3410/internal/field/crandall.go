package field

import "math/bits"

// Crandall is the field of p = 2^256 - c. Elements hold any 256-bit integer
// congruent to the value (so 0..c-1 have two forms each); only Limbs and
// IsZero bring them below p.
type Crandall struct{ common }

// c of p = 2^256 - c for CryptoPro-A (RFC 4357 11.4). A constant lets the
// compiler keep it in an instruction.
const crandallC = 617

// CryptoProA returns the field of p = 2^256 - 617.
func CryptoProA() Field { return Crandall{} }

func crandallModulus() Limbs {
	return Limbs{^uint64(0) - (crandallC - 1), ^uint64(0), ^uint64(0), ^uint64(0)}
}

// Modulus implements [Field].
func (Crandall) Modulus() Limbs { return crandallModulus() }

// One implements [Field].
func (Crandall) One() Element { return Element{l0: 1} }

// FromLimbs implements [Field].
func (Crandall) FromLimbs(v Limbs) Element { return Element{v[0], v[1], v[2], v[3]} }

// Limbs implements [Field].
func (Crandall) Limbs(x Element) Limbs {
	// x >= p exactly when x + c carries out of 256 bits, and then x - p is
	// what the sum leaves.
	s0, c := bits.Add64(x.l0, crandallC, 0)
	s1, c := bits.Add64(x.l1, 0, c)
	s2, c := bits.Add64(x.l2, 0, c)
	s3, c := bits.Add64(x.l3, 0, c)
	m := -c
	return Limbs{
		x.l0 ^ m&(x.l0^s0),
		x.l1 ^ m&(x.l1^s1),
		x.l2 ^ m&(x.l2^s2),
		x.l3 ^ m&(x.l3^s3),
	}
}

// IsZero implements [Field].
func (Crandall) IsZero(x Element) uint64 {
	// 0 has the two forms 0 and p.
	p := crandallModulus()
	return zeroMask(x.l0|x.l1|x.l2|x.l3) |
		zeroMask((x.l0^p[0])|^(x.l1&x.l2&x.l3))
}

// Add implements [Field].
func (Crandall) Add(x, y Element) Element {
	r0, c := bits.Add64(x.l0, y.l0, 0)
	r1, c := bits.Add64(x.l1, y.l1, c)
	r2, c := bits.Add64(x.l2, y.l2, c)
	r3, c := bits.Add64(x.l3, y.l3, c)
	r0, c = bits.Add64(r0, -c&crandallC, 0)
	r1, c = bits.Add64(r1, 0, c)
	r2, c = bits.Add64(r2, 0, c)
	r3, c = bits.Add64(r3, 0, c)
	// Two elements at or above p carry once more; r0 is tiny then.
	return Element{r0 + -c&crandallC, r1, r2, r3}
}

// Sub implements [Field].
func (Crandall) Sub(x, y Element) Element {
	r0, b := bits.Sub64(x.l0, y.l0, 0)
	r1, b := bits.Sub64(x.l1, y.l1, b)
	r2, b := bits.Sub64(x.l2, y.l2, b)
	r3, b := bits.Sub64(x.l3, y.l3, b)
	r0, b = bits.Sub64(r0, -b&crandallC, 0)
	r1, b = bits.Sub64(r1, 0, b)
	r2, b = bits.Sub64(r2, 0, b)
	r3, b = bits.Sub64(r3, 0, b)
	// A second borrow leaves a number near 2^256, so r0 is large enough.
	return Element{r0 - -b&crandallC, r1, r2, r3}
}

// Mul implements [Field].
func (Crandall) Mul(x, y Element) Element { return crandallReduce(mulWide(x, y)) }

// Square implements [Field].
func (Crandall) Square(x Element) Element { return crandallReduce(squareWide(x)) }

// crandallReduce folds a 512-bit number: 2^256 = c mod p.
func crandallReduce(r0, r1, r2, r3, r4, r5, r6, r7 uint64) Element {
	h0, l0 := bits.Mul64(r4, crandallC)
	h1, l1 := bits.Mul64(r5, crandallC)
	h2, l2 := bits.Mul64(r6, crandallC)
	h3, l3 := bits.Mul64(r7, crandallC)
	l1, c := bits.Add64(l1, h0, 0)
	l2, c = bits.Add64(l2, h1, c)
	l3, c = bits.Add64(l3, h2, c)
	h3 += c
	r0, c = bits.Add64(r0, l0, 0)
	r1, c = bits.Add64(r1, l1, c)
	r2, c = bits.Add64(r2, l2, c)
	r3, c = bits.Add64(r3, l3, c)
	// At most 617 + 1 stands above 256 bits now; a third fold is needed only
	// when this one carries, and leaves a tiny r0.
	r0, c = bits.Add64(r0, (h3+c)*crandallC, 0)
	r1, c = bits.Add64(r1, 0, c)
	r2, c = bits.Add64(r2, 0, c)
	r3, c = bits.Add64(r3, 0, c)
	return Element{r0 + -c&crandallC, r1, r2, r3}
}

var crandallInverter = NewInverter(crandallModulus())

// Invert implements [Field].
func (f Crandall) Invert(x Element) Element {
	return f.FromLimbs(crandallInverter.InvertConstantTime(f.Limbs(x)))
}
