package gost3410

import (
	"bytes"
	"encoding/hex"
	"math/big"
	"testing"

	"imzo/gost/gost3410/internal/field"
	"imzo/gost/gost3410/internal/reference"
)

func allCurves() []*Curve { return []*Curve{cryptoProA, cryptoProB, cryptoProC, testCurve} }

// allPaths is allCurves and the same without assembly, where there is any.
func allPaths() []*Curve {
	all := allCurves()
	for _, c := range allCurves() {
		if c.asm != (assembly{}) {
			all = append(all, withoutAssembly(c))
		}
	}
	return all
}

func withoutAssembly(c *Curve) *Curve {
	p := newCurve(c.name, hexParams{
		p: hex.EncodeToString(c.params.P), a: hex.EncodeToString(c.params.A), b: hex.EncodeToString(c.params.B),
		n: hex.EncodeToString(c.params.N), gx: hex.EncodeToString(c.params.Gx), gy: hex.EncodeToString(c.params.Gy),
	}, unchanged)
	p.asm = assembly{}
	return p
}

func limbsOf(v *big.Int) field.Limbs {
	return field.FromBytes(v.FillBytes(make([]byte, 32)))
}

func bigOf(v field.Limbs) *big.Int {
	var b [32]byte
	v.PutBytes(b[:])
	return new(big.Int).SetBytes(b[:])
}

func referenceOf(t testing.TB, c *Curve) *reference.Curve {
	t.Helper()
	for _, r := range reference.Curves() {
		if r.Name == c.name {
			return r
		}
	}
	t.Fatalf("no reference for %s", c.name)
	return nil
}

// toPoint gives p the projective form with the given Z.
func (c *Curve) toPoint(p reference.Point, z field.Element) point {
	if p.Infinity() {
		return point{y: z}
	}
	x, y := c.fp.FromLimbs(limbsOf(p.X)), c.fp.FromLimbs(limbsOf(p.Y))
	return point{c.fp.Mul(x, z), c.fp.Mul(y, z), z}
}

func (c *Curve) toReference(p *point) reference.Point {
	if c.fp.IsZero(p.z) != 0 {
		return reference.Point{}
	}
	a := c.affine(p)
	return reference.Point{X: bigOf(c.fp.Limbs(a.X)), Y: bigOf(c.fp.Limbs(a.Y))}
}

func (c *Curve) toJacobian(p reference.Point, z field.Element) jacobian {
	if p.Infinity() {
		return jacobian{inf: true}
	}
	x, y := c.fp.FromLimbs(limbsOf(p.X)), c.fp.FromLimbs(limbsOf(p.Y))
	zz := c.fp.Square(z)
	return jacobian{x: c.fp.Mul(x, zz), y: c.fp.Mul(y, c.fp.Mul(zz, z)), z: z}
}

func (c *Curve) fromJacobian(p *jacobian) reference.Point {
	if p.inf {
		return reference.Point{}
	}
	inv := c.fp.Invert(p.z)
	zz := c.fp.Square(inv)
	return reference.Point{
		X: bigOf(c.fp.Limbs(c.fp.Mul(p.x, zz))),
		Y: bigOf(c.fp.Limbs(c.fp.Mul(p.y, c.fp.Mul(zz, inv)))),
	}
}

// Every pair of points out of a set with equal, opposite and infinite ones,
// in several projective forms, through every addition there is.
func TestAdditionsAreRightForAllPairs(t *testing.T) {
	for _, c := range allPaths() {
		r := referenceOf(t, c)
		src := reference.NewSource("points " + c.name)
		points := []reference.Point{{}, r.G, r.Neg(r.G), r.Add(r.G, r.G)}
		for range 4 {
			p := r.Mul(src.Scalar(r.N), r.G)
			points = append(points, p, r.Neg(p))
		}
		if p, ok := r.Lift(new(big.Int)); ok { // x = 0
			points = append(points, p, r.Neg(p))
		}
		zs := []field.Element{c.fp.One(), c.fp.FromLimbs(limbsOf(new(big.Int).SetBytes(src.Bytes())))}
		for _, p := range points {
			for _, zp := range zs {
				pp, pj := c.toPoint(p, zp), c.toJacobian(p, zp)
				twice := r.Add(p, p)
				for n, want := 1, twice; n <= 3; n, want = n+1, r.Add(want, want) {
					d := pp
					if c.double(&d, n); !c.toReference(&d).Equal(want) {
						t.Fatalf("%s: %d doublings of %v are wrong", c.name, n, p)
					}
					j := pj
					if c.doubleVartime(&j, n); !c.fromJacobian(&j).Equal(want) {
						t.Fatalf("%s: %d variable-time doublings of %v are wrong", c.name, n, p)
					}
				}
				for _, q := range points {
					sum, diff := r.Add(p, q), r.Add(p, r.Neg(q))
					for _, zq := range zs {
						qp := c.toPoint(q, zq)
						s := pp
						if c.add(&s, &qp); !c.toReference(&s).Equal(sum) {
							t.Fatalf("%s: add(%v, %v) is wrong", c.name, p, q)
						}
						if q.Infinity() {
							continue
						}
						qj := c.toJacobian(q, zq)
						qc := c.cache(&qj)
						j := pj
						if c.addCachedVartime(&j, &qc, false); !c.fromJacobian(&j).Equal(sum) {
							t.Fatalf("%s: addCachedVartime(%v, %v) is wrong", c.name, p, q)
						}
						j = pj
						if c.addCachedVartime(&j, &qc, true); !c.fromJacobian(&j).Equal(diff) {
							t.Fatalf("%s: addCachedVartime(%v, -%v) is wrong", c.name, p, q)
						}
					}
					if q.Infinity() {
						continue
					}
					qa := c.toPoint(q, c.fp.One())
					pair := field.Pair{X: qa.x, Y: qa.y}
					if s := c.addAffine(&pp, pair); !c.toReference(&s).Equal(sum) {
						t.Fatalf("%s: addAffine(%v, %v) is wrong", c.name, p, q)
					}
					j := pj
					if c.addAffineVartime(&j, &pair, false); !c.fromJacobian(&j).Equal(sum) {
						t.Fatalf("%s: addAffineVartime(%v, %v) is wrong", c.name, p, q)
					}
					j = pj
					if c.addAffineVartime(&j, &pair, true); !c.fromJacobian(&j).Equal(diff) {
						t.Fatalf("%s: addAffineVartime(%v, -%v) is wrong", c.name, p, q)
					}
				}
			}
		}
	}
}

// edgeScalars are the integers where windows carry, also above n.
func edgeScalars(n *big.Int) []*big.Int {
	top := new(big.Int).Lsh(big.NewInt(1), 256)
	out := []*big.Int{new(big.Int), big.NewInt(1), new(big.Int).Sub(top, big.NewInt(1)), new(big.Int).Sub(top, n)}
	for _, b := range []byte{0x55, 0xaa, 0x0f, 0xf0, 0x42, 0x21, 0x84, 0x10} {
		out = append(out, new(big.Int).SetBytes(bytes.Repeat([]byte{b}, 32)))
	}
	for i := uint(1); i < 256; i += 7 {
		v := new(big.Int).Lsh(big.NewInt(1), i)
		out = append(out, v, new(big.Int).Sub(v, big.NewInt(1)))
	}
	for i := int64(-2); i <= 2; i++ {
		out = append(out, new(big.Int).Add(n, big.NewInt(i)))
	}
	return out
}

func TestMultiplicationsAgreeWithTheReference(t *testing.T) {
	for _, c := range allPaths() {
		r := referenceOf(t, c)
		src := reference.NewSource("mult " + c.name)
		q := r.Mul(src.Scalar(r.N), r.G)
		qp := c.toPoint(q, c.fp.One())
		qa := field.Pair{X: qp.x, Y: qp.y}
		scalars := edgeScalars(r.N)
		for range 20 {
			scalars = append(scalars, new(big.Int).SetBytes(src.Bytes()))
		}
		table := c.newComb(qa, keyWindow)
		for i, k := range scalars {
			kg, kq := r.Mul(k, r.G), r.Mul(k, q)
			sum := jacobian{inf: true}
			if c.addProduct(&sum, limbsOf(k), table); !c.fromJacobian(&sum).Equal(kq) {
				t.Fatalf("%s: %x Q is wrong by its table", c.name, k)
			}
			if p := c.baseMult(limbsOf(k)); !c.toReference(&p).Equal(kg) {
				t.Fatalf("%s: %x G is wrong", c.name, k)
			}
			if p := c.mult(limbsOf(k), qa); !c.toReference(&p).Equal(kq) {
				t.Fatalf("%s: %x Q is wrong", c.name, k)
			}
			l := scalars[(i*7+3)%len(scalars)]
			if p := c.doubleMult(limbsOf(k), limbsOf(l), qa); !c.fromJacobian(&p).Equal(r.Add(kg, r.Mul(l, q))) {
				t.Fatalf("%s: %x G + %x Q is wrong", c.name, k, l)
			}
			sum = jacobian{inf: true}
			c.addProduct(&sum, limbsOf(k), c.verifyBase())
			c.addProduct(&sum, limbsOf(l), table)
			if !c.fromJacobian(&sum).Equal(r.Add(kg, r.Mul(l, q))) {
				t.Fatalf("%s: %x G + %x Q is wrong by their tables", c.name, k, l)
			}
			if p := c.doubleMult(limbsOf(k), limbsOf(l), field.Pair{X: c.gx, Y: c.gy}); !c.fromJacobian(&p).Equal(r.Add(kg, r.Mul(l, r.G))) {
				t.Fatalf("%s: %x G + %x G is wrong", c.name, k, l)
			}
		}
	}
}

func TestRecodingsRepresentTheScalar(t *testing.T) {
	src := reference.NewSource("recode")
	scalars := edgeScalars(reference.Curves()[0].N)
	for range 500 {
		scalars = append(scalars, new(big.Int).SetBytes(src.Bytes()))
	}
	for _, k := range scalars {
		sum := new(big.Int)
		for i, v := range recode(limbsOf(k)) {
			size, negative := digit(v)
			if size > windowEntries || negative != 0 && negative != ^uint64(0) {
				t.Fatalf("%x: digit %d is %d, %x", k, i, size, negative)
			}
			d := new(big.Int).Lsh(new(big.Int).SetUint64(size), uint(i*windowBits))
			if negative != 0 {
				d.Neg(d)
			}
			sum.Add(sum, d)
		}
		if sum.Cmp(k) != 0 {
			t.Fatalf("recode(%x) is %x", k, sum)
		}
		for _, width := range []uint{2, keyWidth, baseWidth} {
			sum.SetInt64(0)
			last := -int(width)
			for i, v := range wnaf(limbsOf(k), width) {
				if v == 0 {
					continue
				}
				if v%2 == 0 || int(v) >= 1<<(width-1) || int(v) <= -(1<<(width-1)) || i-last < int(width) {
					t.Fatalf("wnaf(%x, %d): digit %d at %d after %d", k, width, v, i, last)
				}
				last = i
				sum.Add(sum, new(big.Int).Lsh(big.NewInt(int64(v)), uint(i)))
			}
			if sum.Cmp(k) != 0 {
				t.Fatalf("wnaf(%x, %d) is %x", k, width, sum)
			}
		}
	}
}

// x = r + n in 256 bits but not below p, and carries out of 256 bits, must
// not match anything.
func TestXComparisonDoesNotWrapAround(t *testing.T) {
	for _, c := range allPaths() {
		r := referenceOf(t, c)
		for _, x := range []*big.Int{big.NewInt(1), big.NewInt(2), big.NewInt(5), big.NewInt(7), big.NewInt(9)} {
			p, ok := r.Lift(x)
			if !ok {
				continue
			}
			j := c.toJacobian(p, c.fp.FromLimbs(field.Limbs{77}))
			if !c.xIs(&j, limbsOf(x)) {
				t.Errorf("%s: x = %x does not match itself", c.name, x)
			}
			for name, v := range map[string]*big.Int{
				"x + p - n": new(big.Int).Sub(new(big.Int).Add(x, r.P), r.N),
				"x + p":     new(big.Int).Add(x, r.P),
				"2^256 - n": new(big.Int).Add(x, new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), r.N)),
			} {
				if v.Sign() <= 0 || v.Cmp(r.N) >= 0 {
					continue
				}
				if c.xIs(&j, limbsOf(v)) {
					t.Errorf("%s: x = %x matches %s", c.name, x, name)
				}
			}
		}
		if c.xIs(&jacobian{inf: true}, field.Limbs{}) {
			t.Errorf("%s: infinity has an x", c.name)
		}
	}
}
