package gost3410

import "imzo/gost/gost3410/internal/field"

// Everything in this file branches on its data and is for public values only:
// signatures, digests and public keys.

// jacobian is a point with x = X/Z², y = Y/Z³. Its doubling is cheaper than
// the complete one, its addition needs the special cases spelt out.
type jacobian struct {
	x, y, z field.Element
	inf     bool
}

// cached is a point to add several times: Z² and Z³ come with it.
type cached struct{ x, y, z, zz, zzz field.Element }

const (
	baseWidth = 8 // of the signed windows of G, whose table is static
	keyWidth  = 5 // of the key's, whose table is made for one verification

	baseOddMultiples = 1 << (baseWidth - 2)
	keyOddMultiples  = 1 << (keyWidth - 2)
)

// doubleVartime replaces p by 2^n * p: "dbl-2001-b" of the Explicit-Formulas
// Database for a = -3, the textbook formula else. No point has y = 0, the
// order is odd.
func (c *Curve) doubleVartime(p *jacobian, n int) {
	if p.inf || n == 0 || c.asm.double(p, n) {
		return
	}
	f := c.fp
	for range n {
		zz, yy := f.Square(p.z), f.Square(p.y)
		var slope field.Element // 3x² + az⁴
		if c.aMinus3 {
			slope = f.Mul(f.Sub(p.x, zz), f.Add(p.x, zz))
			slope = f.Add(f.Add(slope, slope), slope)
		} else {
			xx := f.Square(p.x)
			slope = f.Add(f.Add(f.Add(xx, xx), xx), f.Mul(c.a, f.Square(zz)))
		}
		s := f.Mul(p.x, yy)
		s = f.Add(s, s)
		s = f.Add(s, s) // 4xy²
		z := f.Mul(p.y, p.z)
		y4 := f.Add(yy, yy)
		y4 = f.Square(y4)
		y4 = f.Add(y4, y4) // 8y⁴
		p.x = f.Sub(f.Square(slope), f.Add(s, s))
		p.y = f.Sub(f.Mul(slope, f.Sub(s, p.x)), y4)
		p.z = f.Add(z, z)
	}
}

// join replaces p by p + q, from u1 = x1*z2², s1 = y1*z2³, h = x2*z1² - u1,
// r = y2*z1³ - s1 and z = z1*z2.
func (c *Curve) join(p *jacobian, u1, s1, h, r, z field.Element) {
	f := c.fp
	if f.IsZero(h) != 0 {
		if f.IsZero(r) != 0 {
			c.doubleVartime(p, 1)
			return
		}
		*p = jacobian{inf: true}
		return
	}
	h2 := f.Square(h)
	h3 := f.Mul(h2, h)
	v := f.Mul(u1, h2)
	p.x = f.Sub(f.Sub(f.Square(r), h3), f.Add(v, v))
	p.y = f.Sub(f.Mul(r, f.Sub(v, p.x)), f.Mul(s1, h3))
	p.z = f.Mul(z, h)
}

// addAffineVartime replaces p by p + q, or p - q.
func (c *Curve) addAffineVartime(p *jacobian, q *field.Pair, negate bool) {
	if !p.inf && c.asm.addAffine(p, q, negate) {
		return
	}
	f := c.fp
	y := q.Y
	if negate {
		y = f.Sub(field.Element{}, y)
	}
	if p.inf {
		*p = jacobian{x: q.X, y: y, z: f.One()}
		return
	}
	zz := f.Square(p.z)
	h := f.Sub(f.Mul(q.X, zz), p.x)
	r := f.Sub(f.Mul(y, f.Mul(zz, p.z)), p.y)
	c.join(p, p.x, p.y, h, r, p.z)
}

// addCachedVartime replaces p by p + q, or p - q.
func (c *Curve) addCachedVartime(p *jacobian, q *cached, negate bool) {
	if !p.inf && c.asm.addCached(p, q, negate) {
		return
	}
	f := c.fp
	y := q.y
	if negate {
		y = f.Sub(field.Element{}, y)
	}
	if p.inf {
		*p = jacobian{x: q.x, y: y, z: q.z}
		return
	}
	zz := f.Square(p.z)
	u1, s1 := f.Mul(p.x, q.zz), f.Mul(p.y, q.zzz)
	h := f.Sub(f.Mul(q.x, zz), u1)
	r := f.Sub(f.Mul(y, f.Mul(zz, p.z)), s1)
	c.join(p, u1, s1, h, r, f.Mul(p.z, q.z))
}

func (c *Curve) cache(p *jacobian) cached {
	zz := c.fp.Square(p.z)
	return cached{p.x, p.y, p.z, zz, c.fp.Mul(zz, p.z)}
}

// wnafLength is one digit more than a scalar has bits, for the last carry.
const wnafLength = 257

// wnaf writes k as the sum of digits[i]*2^i with odd digits of less than
// width bits and at least width-1 zeros after each.
func wnaf(k field.Limbs, width uint) (digits [wnafLength]int8) {
	carry := uint64(0)
	for i := uint(0); i < wnafLength; {
		if bitsAt(k, i, 1) == carry { // the bit and the carry make 0 or 2
			i++
			continue
		}
		v := bitsAt(k, i, width) + carry
		carry = v >> (width - 1) & 1
		digits[i] = int8(int64(v) - int64(carry<<width))
		i += width
	}
	return digits
}

// bitsAt returns n bits of k from bit i up; n is at most 8.
func bitsAt(k field.Limbs, i, n uint) uint64 {
	if i >= 256 {
		return 0
	}
	v := k[i/64] >> (i % 64)
	if i%64+n > 64 && i/64 < 3 {
		v |= k[i/64+1] << (64 - i%64)
	}
	return v & (1<<n - 1)
}

// doubleMult returns kg*G + kq*q for the affine point q: both scalars in
// signed windows over one chain of doublings (Shamir's trick).
func (c *Curve) doubleMult(kg, kq field.Limbs, q field.Pair) jacobian {
	f := c.fp
	baseOdd := c.base().odd

	var keyOdd [keyOddMultiples]cached
	p := jacobian{x: q.X, y: q.Y, z: f.One()}
	keyOdd[0] = c.cache(&p)
	twice := p
	c.doubleVartime(&twice, 1)
	step := c.cache(&twice)
	for i := 1; i < keyOddMultiples; i++ {
		c.addCachedVartime(&p, &step, false)
		keyOdd[i] = c.cache(&p)
	}

	dg, dq := wnaf(kg, baseWidth), wnaf(kq, keyWidth)
	acc := jacobian{inf: true}
	doublings := 0
	for i := wnafLength - 1; i >= 0; i-- {
		doublings++
		g, k := int(dg[i]), int(dq[i])
		if g|k == 0 {
			continue
		}
		c.doubleVartime(&acc, doublings)
		doublings = 0
		if g != 0 {
			c.addAffineVartime(&acc, &baseOdd[abs(g)/2], g < 0)
		}
		if k != 0 {
			c.addCachedVartime(&acc, &keyOdd[abs(k)/2], k < 0)
		}
	}
	c.doubleVartime(&acc, doublings)
	return acc
}

func abs(v int) int { return max(v, -v) }

// xIs reports whether the affine x coordinate of p, taken modulo n, is r,
// without the inversion an affine x would need. r must be below n.
func (c *Curve) xIs(p *jacobian, r field.Limbs) bool {
	if p.inf {
		return false
	}
	f := c.fp
	zz := f.Square(p.z)
	matches := func(x field.Limbs) bool {
		return f.IsZero(f.Sub(f.Mul(f.FromLimbs(x), zz), p.x)) != 0
	}
	// x mod n = r means x = r or, p being below 2n, x = r + n; and x < p.
	if r.Less(c.p) == 1 && matches(r) {
		return true
	}
	x, carry := r.Add(c.n)
	return carry == 0 && x.Less(c.p) == 1 && matches(x)
}
