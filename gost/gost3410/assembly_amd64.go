//go:build !purego

package gost3410

import (
	"golang.org/x/sys/cpu"

	"imzo/gost/gost3410/internal/field"
)

// constants are what the assembly needs to know of a curve. It knows the
// offsets of the members.
type constants struct {
	m    field.Limbs // modulus of the coordinates
	mInv uint64      // -1/m mod 2^64, for Montgomery's form
	b    field.Element
}

// assembly says which of the point formulas in assembly fit a curve.
type assembly struct {
	kind assemblyKind
	k    *constants
}

type assemblyKind uint8

const (
	noAssembly assemblyKind = iota
	crandallAssembly
	montgomeryAssembly
)

// newAssembly picks the formulas for a curve. They are written for a = -3 and
// for processors with MULX, ADCX, ADOX and AVX2: Intel since 2014, AMD since
// 2017.
func newAssembly(c *Curve) assembly {
	if !c.aMinus3 || !cpu.X86.HasBMI2 || !cpu.X86.HasADX || !cpu.X86.HasAVX2 {
		return assembly{}
	}
	switch f := c.fp.(type) {
	case field.Crandall:
		return assembly{crandallAssembly, &constants{m: c.p, b: c.b}}
	case *field.Montgomery:
		return assembly{montgomeryAssembly, &constants{m: c.p, mInv: f.NegativeInverse(), b: c.b}}
	}
	return assembly{} // a test's field
}

// Each method below does what the function of its name in point.go or
// vartime.go does, and reports false when there is no assembly for the curve,
// or for the case.

// double replaces p, which is not infinity, by 2^n * p; n is at least 1.
func (a assembly) double(p *jacobian, n int) bool {
	switch a.kind {
	case crandallAssembly:
		doubleCrandall(p, n, a.k)
	case montgomeryAssembly:
		doubleMontgomery(p, n, a.k)
	default:
		return false
	}
	return true
}

// addAffine replaces p, which is not infinity, by p + q, or p - q.
func (a assembly) addAffine(p *jacobian, q *field.Pair, negate bool) bool {
	switch a.kind {
	case crandallAssembly:
		return addAffineCrandall(p, q, word(negate), a.k) != 0
	case montgomeryAssembly:
		return addAffineMontgomery(p, q, word(negate), a.k) != 0
	}
	return false
}

// addCached replaces p, which is not infinity, by p + q, or p - q.
func (a assembly) addCached(p *jacobian, q *cached, negate bool) bool {
	switch a.kind {
	case crandallAssembly:
		return addCachedCrandall(p, q, word(negate), a.k) != 0
	case montgomeryAssembly:
		return addCachedMontgomery(p, q, word(negate), a.k) != 0
	}
	return false
}

// doubleComplete replaces p by 2^n * p; n is at least 1.
func (a assembly) doubleComplete(p *point, n int) bool {
	switch a.kind {
	case crandallAssembly:
		doubleCompleteCrandall(p, n, a.k)
	case montgomeryAssembly:
		doubleCompleteMontgomery(p, n, a.k)
	default:
		return false
	}
	return true
}

// addComplete replaces p by p + q.
func (a assembly) addComplete(p, q *point) bool {
	switch a.kind {
	case crandallAssembly:
		addCompleteCrandall(p, q, a.k)
	case montgomeryAssembly:
		addCompleteMontgomery(p, q, a.k)
	default:
		return false
	}
	return true
}

// addWindow adds to p the table's multiple of that size, 0 to len(table), or
// its negative.
func (a assembly) addWindow(p *point, table []field.Pair, size, negative uint64) bool {
	switch a.kind {
	case crandallAssembly:
		addWindowCrandall(p, &table[0], len(table), size, negative, a.k)
	case montgomeryAssembly:
		addWindowMontgomery(p, &table[0], len(table), size, negative, a.k)
	default:
		return false
	}
	return true
}

func word(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

//go:noescape
func doubleCrandall(p *jacobian, n int, k *constants)

//go:noescape
func addAffineCrandall(p *jacobian, q *field.Pair, negate uint64, k *constants) (done uint64)

//go:noescape
func addCachedCrandall(p *jacobian, q *cached, negate uint64, k *constants) (done uint64)

//go:noescape
func doubleCompleteCrandall(p *point, n int, k *constants)

//go:noescape
func addCompleteCrandall(p, q *point, k *constants)

//go:noescape
func addWindowCrandall(p *point, table *field.Pair, n int, size, negative uint64, k *constants)

//go:noescape
func doubleMontgomery(p *jacobian, n int, k *constants)

//go:noescape
func addAffineMontgomery(p *jacobian, q *field.Pair, negate uint64, k *constants) (done uint64)

//go:noescape
func addCachedMontgomery(p *jacobian, q *cached, negate uint64, k *constants) (done uint64)

//go:noescape
func doubleCompleteMontgomery(p *point, n int, k *constants)

//go:noescape
func addCompleteMontgomery(p, q *point, k *constants)

//go:noescape
func addWindowMontgomery(p *point, table *field.Pair, n int, size, negative uint64, k *constants)
