//go:build amd64 && !purego

package gost3410

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"imzo/gost/gost3410/internal/field"
)

// operands are what one call of each formula works with: any field elements,
// for the formulas are polynomials and mean the same off the curve.
type operands struct {
	p, q           point
	pair           field.Pair
	zz, zzz        field.Element
	size, negative uint64
	n              int
}

// run puts the operands through every formula of the curve.
func (o *operands) run(c *Curve) (out [][3]field.Limbs) {
	add := func(x, y, z field.Element) {
		out = append(out, [3]field.Limbs{c.fp.Limbs(x), c.fp.Limbs(y), c.fp.Limbs(z)})
	}
	j := jacobian{x: o.p.x, y: o.p.y, z: o.p.z}
	c.doubleVartime(&j, o.n)
	add(j.x, j.y, j.z)

	table := []field.Pair{o.pair, {X: o.q.x, Y: o.q.y}, {X: o.zz, Y: o.q.z}}
	k := cached{o.q.x, o.q.y, o.q.z, o.zz, o.zzz}
	for _, negate := range []bool{false, true} {
		j = jacobian{x: o.p.x, y: o.p.y, z: o.p.z}
		if c.addAffineVartime(&j, &o.pair, negate); !j.inf {
			add(j.x, j.y, j.z)
		}
		j = jacobian{x: o.p.x, y: o.p.y, z: o.p.z}
		if c.addCachedVartime(&j, &k, negate); !j.inf {
			add(j.x, j.y, j.z)
		}
	}

	p := o.p
	c.double(&p, o.n)
	add(p.x, p.y, p.z)
	p = o.p
	c.add(&p, &o.q)
	add(p.x, p.y, p.z)
	p = o.p
	digit := uint8(o.size) << 1 // as recode writes 0 to 3
	if o.negative != 0 {
		digit = -digit & (1<<(windowBits+1) - 1)
		if o.size == 0 {
			digit = 1<<(windowBits+1) - 1
		}
	}
	c.addWindow(&p, table, digit)
	add(p.x, p.y, p.z)
	return out
}

func compareFormulas(t *testing.T, asm, plain *Curve, o operands) {
	t.Helper()
	got, want := o.run(asm), o.run(plain)
	if len(got) != len(want) {
		t.Fatalf("%s: %d results, want %d, of %x", asm.name, len(got), len(want), o)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("%s: result %d is %x, want %x, of %x", asm.name, i, got[i], want[i], o)
		}
	}
}

// rawElement makes an element of any limbs: for CryptoPro-A as they are, at or
// above p too.
func rawElement(c *Curve, v field.Limbs) field.Element { return c.fp.FromLimbs(v) }

func newOperands(c *Curve, next func() field.Limbs, n uint64) operands {
	e := func() field.Element { return rawElement(c, next()) }
	o := operands{
		p: point{e(), e(), e()}, q: point{e(), e(), e()},
		pair: field.Pair{X: e(), Y: e()}, zz: e(), zzz: e(),
		size: n % 4, negative: n >> 2 & 1, n: int(n>>3%4) + 1,
	}
	if o.negative != 0 {
		o.negative = ^uint64(0)
	}
	return o
}

// edges are the limbs where carries run through and reductions begin or end.
func edges(c *Curve) []field.Limbs {
	ones := ^uint64(0)
	all := field.Limbs{ones, ones, ones, ones}
	out := []field.Limbs{{}, {1}, {2}, all, {ones - 1, ones, ones, ones}, {0, 0, 0, ones}, {ones}, {ones, ones, ones}, {0, 0, 0, 1 << 63}}
	for d := uint64(0); d < 4; d++ {
		v, w := c.p, c.p
		v[0] += d
		w[0] -= d
		out = append(out, v, w)
	}
	return out
}

func TestAssemblyDoesWhatGoDoes(t *testing.T) {
	checked := 0
	for _, c := range allCurves() {
		if c.asm == (assembly{}) {
			continue
		}
		checked++
		plain := withoutAssembly(c)
		special := edges(c)
		r := rand.New(rand.NewPCG(7, 8))
		for i := range uint64(20_000) {
			compareFormulas(t, c, plain, newOperands(c, func() field.Limbs {
				if r.Uint64N(3) > 0 {
					return special[r.IntN(len(special))]
				}
				return field.Limbs{r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64()}
			}, i))
		}
	}
	if checked == 0 {
		t.Skip("this processor lacks the instructions the assembly needs")
	}
}

func FuzzAssembly(f *testing.F) {
	f.Add(uint8(0), []byte("any bytes make limbs"))
	f.Add(uint8(5), make([]byte, 320))
	plain := make(map[*Curve]*Curve)
	var curves []*Curve
	for _, c := range allCurves() {
		if c.asm != (assembly{}) {
			curves = append(curves, c)
			plain[c] = withoutAssembly(c)
		}
	}
	f.Fuzz(func(t *testing.T, n uint8, data []byte) {
		for _, c := range curves {
			rest := data
			compareFormulas(t, c, plain[c], newOperands(c, func() (v field.Limbs) {
				for i := range v {
					var b [8]byte
					rest = rest[copy(b[:], rest):]
					v[i] = binary.LittleEndian.Uint64(b[:])
				}
				return v
			}, uint64(n)))
		}
	})
}
