package gost3410

import (
	"crypto/subtle"

	"imzo/gost/gost3410/internal/field"
)

// Everything in this file is constant-time in points and scalars.

// point is a point in homogeneous coordinates: x = X/Z, y = Y/Z. Infinity is
// (0 : Y : 0) with any Y but 0.
type point struct{ x, y, z field.Element }

const (
	// windowBits is the width of the signed windows of a scalar. Five bits
	// balance the additions (one a window) against the look-ups (half of
	// 2^windowBits entries each).
	windowBits = 5
	// windows covers 257 bits: the recoding may carry out of the 256th.
	windows = 52
	// windowEntries is the number of multiples a window chooses from: 1 to
	// 2^(windowBits-1). Zero and the negative ones need no entry.
	windowEntries = 1 << (windowBits - 1)
)

func (c *Curve) infinity() point { return point{y: c.fp.One()} }

// terms returns what a sum of two points needs of xx = X1X2, zz = Z1Z2 and
// xz = X1Z2 + X2Z1 beside the products with Y:
//
//	u = -(a*xz + 3b*zz)    v = 3xx + a*zz    w = 3b*xz + a*(xx - a*zz)
//
// (Renes, Costello, Batina, "Complete addition formulas for prime order
// elliptic curves", 2016, algorithm 1; algorithm 4 is the case a = -3, which
// needs two multiplications by b and none by a.)
func (c *Curve) terms(xx, zz, xz field.Element) (u, v, w field.Element) {
	f := c.fp
	if c.aMinus3 { // a property of the curve, not of a secret
		zz3 := f.Add(f.Add(zz, zz), zz)
		u = f.Sub(xz, f.Mul(c.b, zz))
		u = f.Add(f.Add(u, u), u)
		v = f.Sub(f.Add(f.Add(xx, xx), xx), zz3)
		w = f.Sub(f.Sub(f.Mul(c.b, xz), zz3), xx)
		w = f.Add(f.Add(w, w), w)
		return u, v, w
	}
	azz := f.Mul(c.a, zz)
	u = f.Sub(field.Element{}, f.Add(f.Mul(c.a, xz), f.Mul(c.b3, zz)))
	v = f.Add(f.Add(f.Add(xx, xx), xx), azz)
	w = f.Add(f.Mul(c.b3, xz), f.Mul(c.a, f.Sub(xx, azz)))
	return u, v, w
}

// finish puts a sum together from the products of its terms' coordinates.
func (c *Curve) finish(xx, yy, zz, xy, xz, yz field.Element) point {
	f := c.fp
	u, v, w := c.terms(xx, zz, xz)
	sum, diff := f.Add(yy, u), f.Sub(yy, u)
	return point{
		x: f.Sub(f.Mul(xy, sum), f.Mul(yz, w)),
		y: f.Add(f.Mul(sum, diff), f.Mul(v, w)),
		z: f.Add(f.Mul(yz, diff), f.Mul(xy, v)),
	}
}

// add replaces p by p + q, for any two points: equal, opposite or infinity.
func (c *Curve) add(p, q *point) {
	if c.asm.addComplete(p, q) {
		return
	}
	f := c.fp
	xx, yy, zz := f.Mul(p.x, q.x), f.Mul(p.y, q.y), f.Mul(p.z, q.z)
	xy := f.Sub(f.Mul(f.Add(p.x, p.y), f.Add(q.x, q.y)), f.Add(xx, yy))
	xz := f.Sub(f.Mul(f.Add(p.x, p.z), f.Add(q.x, q.z)), f.Add(xx, zz))
	yz := f.Sub(f.Mul(f.Add(p.y, p.z), f.Add(q.y, q.z)), f.Add(yy, zz))
	*p = c.finish(xx, yy, zz, xy, xz, yz)
}

// addAffine returns p + q for q with Z = 1, which cannot be infinity.
func (c *Curve) addAffine(p *point, q field.Pair) point {
	f := c.fp
	xx, yy := f.Mul(p.x, q.X), f.Mul(p.y, q.Y)
	xy := f.Sub(f.Mul(f.Add(p.x, p.y), f.Add(q.X, q.Y)), f.Add(xx, yy))
	xz := f.Add(f.Mul(q.X, p.z), p.x)
	yz := f.Add(f.Mul(q.Y, p.z), p.y)
	return c.finish(xx, yy, p.z, xy, xz, yz)
}

// double replaces p by 2^n * p, for any point and n from 1.
func (c *Curve) double(p *point, n int) {
	if c.asm.doubleComplete(p, n) {
		return
	}
	f := c.fp
	for range n {
		xx, yy, zz := f.Square(p.x), f.Square(p.y), f.Square(p.z)
		xy, xz, yz := f.Mul(p.x, p.y), f.Mul(p.x, p.z), f.Mul(p.y, p.z)
		xy, xz, yz = f.Add(xy, xy), f.Add(xz, xz), f.Add(yz, yz)
		u, v, w := c.terms(xx, zz, xz)
		sum, diff := f.Add(yy, u), f.Sub(yy, u)
		z := f.Mul(yz, yy)
		z = f.Add(z, z)
		p.x = f.Sub(f.Mul(xy, sum), f.Mul(yz, w))
		p.y = f.Add(f.Mul(sum, diff), f.Mul(v, w))
		p.z = f.Add(z, z)
	}
}

// affine returns x and y, and zeros for infinity.
func (c *Curve) affine(p *point) field.Pair {
	inv := c.fp.Invert(p.z)
	return field.Pair{X: c.fp.Mul(p.x, inv), Y: c.fp.Mul(p.y, inv)}
}

// batchAffine is affine for many points, none of them infinity, with one
// inversion.
func (c *Curve) batchAffine(points []point) []field.Pair {
	f := c.fp
	products := make([]field.Element, len(points)) // of z up to here
	acc := f.One()
	for i := range points {
		acc = f.Mul(acc, points[i].z)
		products[i] = acc
	}
	inv := f.Invert(acc)
	out := make([]field.Pair, len(points))
	for i := len(points) - 1; i >= 0; i-- {
		zInv := inv
		if i > 0 {
			zInv = f.Mul(inv, products[i-1])
		}
		inv = f.Mul(inv, points[i].z)
		out[i] = field.Pair{X: f.Mul(points[i].x, zInv), Y: f.Mul(points[i].y, zInv)}
	}
	return out
}

// multiples returns 1q, 2q, ... 16q: the entries of one window.
func (c *Curve) multiples(q *point) [windowEntries]point {
	var out [windowEntries]point
	out[0] = *q
	for i := 1; i < windowEntries; i++ {
		out[i] = out[i-1]
		c.add(&out[i], q)
	}
	return out
}

// baseTables are the multiples of G.
type baseTables struct {
	// comb holds for window i the multiples of 32^i * G.
	comb [windows][]field.Pair
	// odd holds 1G, 3G, 5G, ... for verification.
	odd []field.Pair
}

func (c *Curve) base() *baseTables {
	c.tablesOnce.Do(func() {
		t := new(baseTables)
		g := point{c.gx, c.gy, c.fp.One()}

		points := make([]point, 0, windows*windowEntries)
		for q, i := g, 0; i < windows; i++ {
			row := c.multiples(&q)
			points = append(points, row[:]...)
			q = row[windowEntries-1]
			c.double(&q, 1)
		}
		all := c.batchAffine(points)
		for i := range t.comb {
			t.comb[i] = all[i*windowEntries : (i+1)*windowEntries : (i+1)*windowEntries]
		}

		odd := make([]point, baseOddMultiples)
		odd[0] = g
		twice := g
		c.double(&twice, 1)
		for i := 1; i < len(odd); i++ {
			odd[i] = odd[i-1]
			c.add(&odd[i], &twice)
		}
		t.odd = c.batchAffine(odd)
		c.tables = t
	})
	return c.tables
}

// recode writes the scalar as windows of six bits that overlap by one. The
// lower bit of a window is the upper of the one before: it carries in what
// that one, read as a signed digit, gave too little (Booth).
func recode(k field.Limbs) (out [windows]uint8) {
	w := [5]uint64{k[0] << 1, k[1]<<1 | k[0]>>63, k[2]<<1 | k[1]>>63, k[3]<<1 | k[2]>>63, k[3] >> 63}
	for i := range out {
		out[i] = uint8(w[0] & (1<<(windowBits+1) - 1))
		for j := range 4 {
			w[j] = w[j]>>windowBits | w[j+1]<<(64-windowBits)
		}
		w[4] >>= windowBits
	}
	return out
}

// digit returns the value of a recoded window, -16 to 16: its size, and all
// ones when it is negative.
func digit(v uint8) (size, negative uint64) {
	negative = -uint64(v >> windowBits)
	w := (uint64(v) ^ negative) & (1<<(windowBits+1) - 1)
	return w>>1 + w&1, negative
}

// addWindow adds the window's multiple from the table to p.
func (c *Curve) addWindow(p *point, table []field.Pair, v uint8) {
	size, negative := digit(v)
	if c.asm.addWindow(p, table, size, negative) {
		return
	}
	f := c.fp
	q := f.Lookup(table, size)
	q.Y = f.Select(negative, f.Sub(field.Element{}, q.Y), q.Y)
	sum := c.addAffine(p, q)
	// A zero digit has no affine point; its sum is nonsense and dropped.
	zero := -uint64(subtle.ConstantTimeByteEq(uint8(size), 0))
	*p = point{
		x: f.Select(zero, p.x, sum.x),
		y: f.Select(zero, p.y, sum.y),
		z: f.Select(zero, p.z, sum.z),
	}
}

// baseMult returns k*G for any 256-bit k.
func (c *Curve) baseMult(k field.Limbs) point {
	t := c.base()
	acc := c.infinity()
	for i, v := range recode(k) {
		c.addWindow(&acc, t.comb[i], v)
	}
	return acc
}

// mult returns k*q for any 256-bit k and any point q but infinity.
func (c *Curve) mult(k field.Limbs, q field.Pair) point {
	row := c.multiples(&point{q.X, q.Y, c.fp.One()})
	table := c.batchAffine(row[:])
	digits := recode(k)
	acc := c.infinity()
	for i := windows - 1; i >= 0; i-- {
		if i != windows-1 {
			c.double(&acc, windowBits)
		}
		c.addWindow(&acc, table, digits[i])
	}
	return acc
}
