package field

import "math/bits"

// Montgomery is the field of an odd prime m with 2^255 < m < 2^256. An
// element holds x*2^256 mod m, always below m.
type Montgomery struct {
	common
	m        Limbs
	inv      uint64  // -1/m mod 2^64
	one      Element // 2^256 mod m
	r2       Element // 2^512 mod m
	inverter *Inverter
}

// NewMontgomery returns the field of the prime m. It panics when m is even or
// not above 2^255: moduli are constants of the calling package.
func NewMontgomery(m Limbs) *Montgomery {
	if m[0]&1 == 0 || m[3]>>63 == 0 {
		panic("field: modulus must be odd and have 256 bits")
	}
	f := &Montgomery{m: m}

	// Newton's iteration doubles the correct bits: m*m = 1 mod 8 gives three,
	// five rounds make 96.
	inv := m[0]
	for range 5 {
		inv *= 2 - m[0]*inv
	}
	f.inv = -inv

	// 2^256 - m is 2^256 mod m, since m is above 2^255; doubling it 256 times
	// gives 2^512 mod m.
	var c uint64
	f.one.l0, c = bits.Sub64(0, m[0], 0)
	f.one.l1, c = bits.Sub64(0, m[1], c)
	f.one.l2, c = bits.Sub64(0, m[2], c)
	f.one.l3, _ = bits.Sub64(0, m[3], c)
	f.r2 = f.one
	for range 256 {
		f.r2 = f.Add(f.r2, f.r2)
	}
	f.inverter = NewInverter(m)
	return f
}

// Modulus implements [Field].
func (f *Montgomery) Modulus() Limbs { return f.m }

// NegativeInverse returns -1/m mod 2^64.
func (f *Montgomery) NegativeInverse() uint64 { return f.inv }

// One implements [Field].
func (f *Montgomery) One() Element { return f.one }

// FromLimbs implements [Field].
func (f *Montgomery) FromLimbs(v Limbs) Element {
	// Mul takes one factor up to 2^256: its result stays below 2m.
	return f.Mul(Element{v[0], v[1], v[2], v[3]}, f.r2)
}

// Limbs implements [Field].
func (f *Montgomery) Limbs(x Element) Limbs {
	v := f.Mul(x, Element{l0: 1})
	return Limbs{v.l0, v.l1, v.l2, v.l3}
}

// IsZero implements [Field].
func (f *Montgomery) IsZero(x Element) uint64 {
	return zeroMask(x.l0 | x.l1 | x.l2 | x.l3)
}

// Add implements [Field].
func (f *Montgomery) Add(x, y Element) Element {
	r0, c := bits.Add64(x.l0, y.l0, 0)
	r1, c := bits.Add64(x.l1, y.l1, c)
	r2, c := bits.Add64(x.l2, y.l2, c)
	r3, c := bits.Add64(x.l3, y.l3, c)
	return reduceOnce(c, r0, r1, r2, r3, &f.m)
}

// Sub implements [Field].
func (f *Montgomery) Sub(x, y Element) Element {
	r0, b := bits.Sub64(x.l0, y.l0, 0)
	r1, b := bits.Sub64(x.l1, y.l1, b)
	r2, b := bits.Sub64(x.l2, y.l2, b)
	r3, b := bits.Sub64(x.l3, y.l3, b)
	mask := -b
	r0, c := bits.Add64(r0, mask&f.m[0], 0)
	r1, c = bits.Add64(r1, mask&f.m[1], c)
	r2, c = bits.Add64(r2, mask&f.m[2], c)
	r3, _ = bits.Add64(r3, mask&f.m[3], c)
	return Element{r0, r1, r2, r3}
}

// Mul implements [Field].
func (f *Montgomery) Mul(x, y Element) Element { return f.reduce(mulWide(x, y)) }

// Square implements [Field].
func (f *Montgomery) Square(x Element) Element { return f.reduce(squareWide(x)) }

// reduce returns the 512-bit number r divided by 2^256 mod m, for r below
// m*2^256. Each round adds the multiple of m that makes the lowest limb 0.
// The top limb h3 of q*m is at most 2^64 - 2, so h3 + top does not overflow.
func (f *Montgomery) reduce(r0, r1, r2, r3, r4, r5, r6, r7 uint64) Element {
	m0, m1, m2, m3 := f.m[0], f.m[1], f.m[2], f.m[3]

	q := r0 * f.inv
	h0, l0 := bits.Mul64(q, m0)
	h1, l1 := bits.Mul64(q, m1)
	h2, l2 := bits.Mul64(q, m2)
	h3, l3 := bits.Mul64(q, m3)
	l1, c := bits.Add64(l1, h0, 0)
	l2, c = bits.Add64(l2, h1, c)
	l3, c = bits.Add64(l3, h2, c)
	h3 += c
	_, c = bits.Add64(r0, l0, 0)
	r1, c = bits.Add64(r1, l1, c)
	r2, c = bits.Add64(r2, l2, c)
	r3, c = bits.Add64(r3, l3, c)
	r4, top := bits.Add64(r4, h3, c)

	q = r1 * f.inv
	h0, l0 = bits.Mul64(q, m0)
	h1, l1 = bits.Mul64(q, m1)
	h2, l2 = bits.Mul64(q, m2)
	h3, l3 = bits.Mul64(q, m3)
	l1, c = bits.Add64(l1, h0, 0)
	l2, c = bits.Add64(l2, h1, c)
	l3, c = bits.Add64(l3, h2, c)
	h3 += c
	_, c = bits.Add64(r1, l0, 0)
	r2, c = bits.Add64(r2, l1, c)
	r3, c = bits.Add64(r3, l2, c)
	r4, c = bits.Add64(r4, l3, c)
	r5, top = bits.Add64(r5, h3+top, c)

	q = r2 * f.inv
	h0, l0 = bits.Mul64(q, m0)
	h1, l1 = bits.Mul64(q, m1)
	h2, l2 = bits.Mul64(q, m2)
	h3, l3 = bits.Mul64(q, m3)
	l1, c = bits.Add64(l1, h0, 0)
	l2, c = bits.Add64(l2, h1, c)
	l3, c = bits.Add64(l3, h2, c)
	h3 += c
	_, c = bits.Add64(r2, l0, 0)
	r3, c = bits.Add64(r3, l1, c)
	r4, c = bits.Add64(r4, l2, c)
	r5, c = bits.Add64(r5, l3, c)
	r6, top = bits.Add64(r6, h3+top, c)

	q = r3 * f.inv
	h0, l0 = bits.Mul64(q, m0)
	h1, l1 = bits.Mul64(q, m1)
	h2, l2 = bits.Mul64(q, m2)
	h3, l3 = bits.Mul64(q, m3)
	l1, c = bits.Add64(l1, h0, 0)
	l2, c = bits.Add64(l2, h1, c)
	l3, c = bits.Add64(l3, h2, c)
	h3 += c
	_, c = bits.Add64(r3, l0, 0)
	r4, c = bits.Add64(r4, l1, c)
	r5, c = bits.Add64(r5, l2, c)
	r6, c = bits.Add64(r6, l3, c)
	r7, top = bits.Add64(r7, h3+top, c)

	return reduceOnce(top, r4, r5, r6, r7, &f.m)
}

// Invert implements [Field].
func (f *Montgomery) Invert(x Element) Element {
	return f.FromLimbs(f.inverter.InvertConstantTime(f.Limbs(x)))
}
