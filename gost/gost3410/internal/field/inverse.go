package field

import "math/bits"

// Inverter inverts modulo an odd number below 2^256.
//
// The method is that of Bernstein and Yang, "Fast constant-time gcd computation
// and modular inversion" (2019): steps on the lowest bits of two numbers f and
// g decide what to do with the whole of them, so that some sixty steps are
// gathered in a matrix of words and applied at once. [Inverter.Invert] takes
// as many steps as it needs, for public values, [Inverter.InvertConstantTime]
// always the same.
type Inverter struct {
	m   signed62
	inv uint64 // 1/m mod 2^62
}

// signed62 is an integer in limbs of 62 bits, least significant first; the last
// has the sign.
type signed62 [5]int64

const mask62 = 1<<62 - 1

// NewInverter returns the inverter modulo m. It panics when m is even, which is
// a mistake of the calling package.
func NewInverter(m Limbs) *Inverter {
	if m[0]&1 == 0 {
		panic("field: modulus must be odd")
	}
	inv := m[0] // right in three bits, see NewMontgomery
	for range 5 {
		inv *= 2 - m[0]*inv
	}
	return &Inverter{toSigned62(m), inv & mask62}
}

func toSigned62(v Limbs) signed62 {
	return signed62{
		int64(v[0] & mask62),
		int64((v[0]>>62 | v[1]<<2) & mask62),
		int64((v[1]>>60 | v[2]<<4) & mask62),
		int64((v[2]>>58 | v[3]<<6) & mask62),
		int64(v[3] >> 56),
	}
}

// limbs is v, whose limbs are all in 0..2^62-1.
func (v *signed62) limbs() Limbs {
	a, b, c, d, e := uint64(v[0]), uint64(v[1]), uint64(v[2]), uint64(v[3]), uint64(v[4])
	return Limbs{a | b<<62, b>>2 | c<<60, c>>4 | d<<58, d>>6 | e<<56}
}

// steps is the matrix of sixty-two steps, times 2^62.
type steps struct{ u, v, q, r int64 }

// divsteps takes sixty-two steps on the lowest 62 bits of f, which is odd, and
// g. eta is minus the difference of their sizes in the paper's sense.
func divsteps(eta int, f, g uint64) (int, steps) {
	u, v, q, r := uint64(1), uint64(0), uint64(0), uint64(1)
	for left := 62; ; {
		zeros := bits.TrailingZeros64(g | ^uint64(0)<<left)
		g >>= zeros
		u <<= zeros
		v <<= zeros
		eta -= zeros
		left -= zeros
		if left == 0 {
			return eta, steps{int64(u), int64(v), int64(q), int64(r)}
		}
		// Both are odd. A multiple w of f that clears several low bits of g
		// stands for as many steps: up to six after a swap, four without one.
		var w uint64
		if eta < 0 {
			eta = -eta
			f, g = g, -f
			u, q = q, -u
			v, r = r, -v
			w = f * g * (f*f - 2) & low(min(eta+1, left), 63)
		} else {
			w = f + (f+1)&4<<1
			w = -w * g & low(min(eta+1, left), 15)
		}
		g += f * w
		q += u * w
		r += v * w
	}
}

// low is a mask of n bits, and of those in most.
func low(n int, most uint64) uint64 { return ^uint64(0) >> (64 - n) & most }

// int128 is an accumulator.
type int128 struct {
	hi int64
	lo uint64
}

// add adds a*b.
func (s *int128) add(a, b int64) {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	hi -= uint64(a>>63)&uint64(b) + uint64(b>>63)&uint64(a)
	var c uint64
	s.lo, c = bits.Add64(s.lo, lo, 0)
	s.hi += int64(hi) + int64(c)
}

// shift takes the lowest limb off.
func (s *int128) shift() int64 {
	limb := int64(s.lo & mask62)
	s.lo = s.lo>>62 | uint64(s.hi)<<2
	s.hi >>= 62
	return limb
}

// apply puts t*(d, e)/2^62 mod m into d and e: multiples of m make the lowest
// limbs zero. Both stay in -2m..m.
func (n *Inverter) apply(d, e *signed62, t *steps) {
	sd, se := d[4]>>63, e[4]>>63
	md, me := t.u&sd+t.v&se, t.q&sd+t.r&se
	var cd, ce int128
	cd.add(t.u, d[0])
	cd.add(t.v, e[0])
	ce.add(t.q, d[0])
	ce.add(t.r, e[0])
	md -= int64((n.inv*cd.lo + uint64(md)) & mask62)
	me -= int64((n.inv*ce.lo + uint64(me)) & mask62)
	cd.add(n.m[0], md)
	ce.add(n.m[0], me)
	cd.shift()
	ce.shift()
	for i := 1; i < 5; i++ {
		cd.add(t.u, d[i])
		cd.add(t.v, e[i])
		cd.add(n.m[i], md)
		ce.add(t.q, d[i])
		ce.add(t.r, e[i])
		ce.add(n.m[i], me)
		d[i-1], e[i-1] = cd.shift(), ce.shift()
	}
	d[4], e[4] = int64(cd.lo), int64(ce.lo)
}

// advance puts t*(f, g)/2^62 into f and g, of so many limbs. It is exact.
func advance(f, g *signed62, t *steps, size int) {
	var cf, cg int128
	for i := range size {
		cf.add(t.u, f[i])
		cf.add(t.v, g[i])
		cg.add(t.q, f[i])
		cg.add(t.r, g[i])
		lf, lg := cf.shift(), cg.shift()
		if i > 0 {
			f[i-1], g[i-1] = lf, lg
		}
	}
	f[size-1], g[size-1] = int64(cf.lo), int64(cg.lo)
}

// Invert returns 1/x modulo m for x below m, and 0 for 0. With a factor that
// both have, as no prime m has, it is nonsense.
func (n *Inverter) Invert(x Limbs) Limbs {
	f, g := n.m, toSigned62(x)
	var d signed62
	e := signed62{1}
	size := 5
	for eta := -1; ; {
		var t steps
		eta, t = divsteps(eta, uint64(f[0])|uint64(f[1])<<62, uint64(g[0])|uint64(g[1])<<62)
		n.apply(&d, &e, &t)
		advance(&f, &g, &t, size)
		rest := int64(0)
		for _, limb := range g[:size] {
			rest |= limb
		}
		if rest == 0 {
			break
		}
		// The numbers become shorter: a last limb that is only a sign goes into
		// the one before.
		if size > 2 && f[size-1]^f[size-1]>>63 == 0 && g[size-1]^g[size-1]>>63 == 0 {
			f[size-2] |= f[size-1] << 62
			g[size-2] |= g[size-1] << 62
			f[size-1], g[size-1] = 0, 0
			size--
		}
	}
	return n.canonical(&d, f[size-1]>>63)
}

// A batch of constant-time steps: sixty-two would let entries of the matrix
// leave 63 bits with the factor that its start has.
const (
	batchSteps = 59
	batches    = 10
)

// divstepsConstantTime takes 59 steps of the variant with zeta = -(delta + 1/2),
// for which 590 are enough for numbers below 2^256 (P. Wuille's computation of
// convex hulls, safegcd-bounds, 2021). The matrix is times 2^62.
func divstepsConstantTime(zeta int64, f, g uint64) (int64, steps) {
	// Eight instead of one: the shifts of the three steps that are not taken.
	u, v, q, r := uint64(1)<<(62-batchSteps), uint64(0), uint64(0), uint64(1)<<(62-batchSteps)
	for range batchSteps {
		swap := uint64(zeta >> 63) // all ones when zeta is negative
		odd := -(g & 1)
		// Where g is odd, add f to it or take it away.
		g += (f ^ swap - swap) & odd
		q += (u ^ swap - swap) & odd
		r += (v ^ swap - swap) & odd
		// Where both hold, the old g takes the place of f.
		swap &= odd
		zeta = zeta ^ int64(swap) - 1
		f += g & swap
		u += q & swap
		v += r & swap
		g >>= 1
		u <<= 1
		v <<= 1
	}
	return zeta, steps{int64(u), int64(v), int64(q), int64(r)}
}

// InvertConstantTime is Invert in a time that depends on m alone, for secret
// x.
func (n *Inverter) InvertConstantTime(x Limbs) Limbs {
	f, g := n.m, toSigned62(x)
	var d signed62
	e := signed62{1}
	zeta := int64(-1)
	for range batches {
		var t steps
		zeta, t = divstepsConstantTime(zeta, uint64(f[0])|uint64(f[1])<<62, uint64(g[0])|uint64(g[1])<<62)
		n.apply(&d, &e, &t)
		advance(&f, &g, &t, len(f))
	}
	return n.canonical(&d, f[4]>>63)
}

// canonical brings d, or -d where negative is all ones, into 0..m-1.
func (n *Inverter) canonical(d *signed62, negative int64) Limbs {
	plus := func(mask int64) {
		for i := range d {
			d[i] += n.m[i] & mask
		}
	}
	carry := func() {
		for i := range 4 {
			d[i+1] += d[i] >> 62
			d[i] &= mask62
		}
	}
	plus(d[4] >> 63)
	for i := range d {
		d[i] = d[i] ^ negative - negative
	}
	carry()
	plus(d[4] >> 63)
	carry()
	return d.limbs()
}
