package field

import "math/bits"

// mulWide returns the 512-bit product of two 256-bit integers, least
// significant limb first.
func mulWide(x, y Element) (r0, r1, r2, r3, r4, r5, r6, r7 uint64) {
	var h0, h1, h2, h3, l0, l1, l2, l3, c uint64
	// The schoolbook product, one row for each limb of y. A row's high
	// halves never overflow: (2^64-1)^2 + 2(2^64-1) = 2^128 - 1.
	h0, r0 = bits.Mul64(x.l0, y.l0)
	h1, l1 = bits.Mul64(x.l1, y.l0)
	h2, l2 = bits.Mul64(x.l2, y.l0)
	h3, l3 = bits.Mul64(x.l3, y.l0)
	r1, c = bits.Add64(l1, h0, 0)
	r2, c = bits.Add64(l2, h1, c)
	r3, c = bits.Add64(l3, h2, c)
	r4 = h3 + c

	h0, l0 = bits.Mul64(x.l0, y.l1)
	h1, l1 = bits.Mul64(x.l1, y.l1)
	h2, l2 = bits.Mul64(x.l2, y.l1)
	h3, l3 = bits.Mul64(x.l3, y.l1)
	l1, c = bits.Add64(l1, h0, 0)
	l2, c = bits.Add64(l2, h1, c)
	l3, c = bits.Add64(l3, h2, c)
	h3 += c
	r1, c = bits.Add64(r1, l0, 0)
	r2, c = bits.Add64(r2, l1, c)
	r3, c = bits.Add64(r3, l2, c)
	r4, c = bits.Add64(r4, l3, c)
	r5 = h3 + c

	h0, l0 = bits.Mul64(x.l0, y.l2)
	h1, l1 = bits.Mul64(x.l1, y.l2)
	h2, l2 = bits.Mul64(x.l2, y.l2)
	h3, l3 = bits.Mul64(x.l3, y.l2)
	l1, c = bits.Add64(l1, h0, 0)
	l2, c = bits.Add64(l2, h1, c)
	l3, c = bits.Add64(l3, h2, c)
	h3 += c
	r2, c = bits.Add64(r2, l0, 0)
	r3, c = bits.Add64(r3, l1, c)
	r4, c = bits.Add64(r4, l2, c)
	r5, c = bits.Add64(r5, l3, c)
	r6 = h3 + c

	h0, l0 = bits.Mul64(x.l0, y.l3)
	h1, l1 = bits.Mul64(x.l1, y.l3)
	h2, l2 = bits.Mul64(x.l2, y.l3)
	h3, l3 = bits.Mul64(x.l3, y.l3)
	l1, c = bits.Add64(l1, h0, 0)
	l2, c = bits.Add64(l2, h1, c)
	l3, c = bits.Add64(l3, h2, c)
	h3 += c
	r3, c = bits.Add64(r3, l0, 0)
	r4, c = bits.Add64(r4, l1, c)
	r5, c = bits.Add64(r5, l2, c)
	r6, c = bits.Add64(r6, l3, c)
	r7 = h3 + c

	return r0, r1, r2, r3, r4, r5, r6, r7
}

// squareWide is mulWide(x, x) with 10 instead of 16 multiplications.
func squareWide(x Element) (r0, r1, r2, r3, r4, r5, r6, r7 uint64) {
	var h0, h1, h2, h3, h01, h02, h03, h12, h13, h23, l1, l2, l3, l02, l03, l12, l13, l23, c uint64
	// The products of different limbs, once.
	h01, r1 = bits.Mul64(x.l0, x.l1)
	h02, l02 = bits.Mul64(x.l0, x.l2)
	h03, l03 = bits.Mul64(x.l0, x.l3)
	h12, l12 = bits.Mul64(x.l1, x.l2)
	h13, l13 = bits.Mul64(x.l1, x.l3)
	h23, l23 = bits.Mul64(x.l2, x.l3)
	r2, c = bits.Add64(l02, h01, 0)
	r3, c = bits.Add64(l03, h02, c)
	r4, c = bits.Add64(l13, h03, c)
	r5, c = bits.Add64(l23, 0, c)
	r6 = h23 + c
	r3, c = bits.Add64(r3, l12, 0)
	r4, c = bits.Add64(r4, h12, c)
	r5, c = bits.Add64(r5, h13, c)
	r6 += c

	// Twice those, and the squares on the diagonal.
	r7 = r6 >> 63
	r6 = r6<<1 | r5>>63
	r5 = r5<<1 | r4>>63
	r4 = r4<<1 | r3>>63
	r3 = r3<<1 | r2>>63
	r2 = r2<<1 | r1>>63
	r1 <<= 1
	h0, r0 = bits.Mul64(x.l0, x.l0)
	h1, l1 = bits.Mul64(x.l1, x.l1)
	h2, l2 = bits.Mul64(x.l2, x.l2)
	h3, l3 = bits.Mul64(x.l3, x.l3)
	r1, c = bits.Add64(r1, h0, 0)
	r2, c = bits.Add64(r2, l1, c)
	r3, c = bits.Add64(r3, h1, c)
	r4, c = bits.Add64(r4, l2, c)
	r5, c = bits.Add64(r5, h2, c)
	r6, c = bits.Add64(r6, l3, c)
	r7 = r7 + h3 + c

	return r0, r1, r2, r3, r4, r5, r6, r7
}
