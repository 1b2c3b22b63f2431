package main

import (
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"

	"imzo/gost/gost3410/internal/reference"
)

// suite collects the tests of one curve.
type suite struct {
	c      *reference.Curve
	src    *reference.Source
	groups []*group
	byKey  map[string]*group
	seen   map[string]bool
	count  int
	err    error

	// The key, digest and signature that most tests are variations of.
	d      *big.Int
	q      reference.Point
	digest []byte
	e      *big.Int
	k      *big.Int
	r, s   *big.Int
}

var one = big.NewInt(1)

func newSuite(c *reference.Curve) *suite {
	s := &suite{c: c, src: reference.NewSource("wycheproof " + c.Name), byKey: make(map[string]*group), seen: make(map[string]bool)}
	s.d = s.src.Scalar(c.N)
	s.q = c.Mul(s.d, c.G)
	s.digest = s.src.Bytes()
	s.e = c.E(s.digest)
	s.k = s.src.Scalar(c.N)
	s.r, s.s = c.Sign(s.d, s.e, s.k)
	return s
}

func (s *suite) all() {
	s.ordinary()
	s.modified()
	s.ranges()
	s.forgottenRangeChecks()
	s.encodings()
	s.zeroDigests()
	s.infinity()
	s.duplications()
	s.ladders()
	s.inverses()
	s.specialDigests()
	s.smallHalves()
	s.largeX()
	s.wrongFormulas()
	s.wrongKeys()
	s.invalidKeys()
	s.number()
}

// --- arithmetic modulo n ---

func (s *suite) mod(v *big.Int) *big.Int      { return new(big.Int).Mod(v, s.c.N) }
func (s *suite) mul(a, b *big.Int) *big.Int   { return s.mod(new(big.Int).Mul(a, b)) }
func (s *suite) sub(a, b *big.Int) *big.Int   { return s.mod(new(big.Int).Sub(a, b)) }
func (s *suite) neg(a *big.Int) *big.Int      { return s.mod(new(big.Int).Neg(a)) }
func (s *suite) inv(a *big.Int) *big.Int      { return new(big.Int).ModInverse(a, s.c.N) }
func plus(a *big.Int, b int64) *big.Int       { return new(big.Int).Add(a, big.NewInt(b)) }
func pow2(n uint) *big.Int                    { return new(big.Int).Lsh(one, n) }
func fits(v *big.Int) bool                    { return v.Sign() >= 0 && v.BitLen() <= 256 }
func bytes32(v *big.Int) []byte               { return v.FillBytes(make([]byte, 32)) }
func encode(r, s *big.Int) []byte             { return append(bytes32(s), bytes32(r)...) }
func reversed(b []byte) []byte                { b = slices.Clone(b); slices.Reverse(b); return b }
func digestOf(e *big.Int) []byte              { return reversed(bytes32(e)) }
func concat(parts ...[]byte) []byte           { return slices.Concat(parts...) }
func (s *suite) x(p reference.Point) *big.Int { return s.mod(p.X) }

// at adds a test under the key q.
func (s *suite) at(q reference.Point, digest []byte, r, v *big.Int, valid bool, comment string, flags ...string) {
	s.put(bytes32(q.X), bytes32(q.Y), digest, encode(r, v), valid, comment, flags...)
}

// raw adds a test under the main key.
func (s *suite) raw(digest, sig []byte, valid bool, comment string, flags ...string) {
	s.put(bytes32(s.q.X), bytes32(s.q.Y), digest, sig, valid, comment, flags...)
}

// recover returns the key under which (r, v) is a signature of e with the
// point p, that is z1*G + z2*Q = p.
func (s *suite) recover(p reference.Point, e, r, v *big.Int) reference.Point {
	z1, z2 := s.c.Scalars(e, r, v)
	return s.c.Mul(s.inv(z2), s.c.Add(p, s.c.Neg(s.c.Mul(z1, s.c.G))))
}

// fromScalars returns a digest and a signature that make the verifier
// compute z1*G + z2*q, for r = x(p).
func (s *suite) fromScalars(p reference.Point, z1, z2 *big.Int) (e, r, v *big.Int) {
	r = s.x(p)
	e = s.mul(s.neg(r), s.inv(z2))
	return e, r, s.mul(z1, e)
}

func (s *suite) ordinary() {
	for i := range 8 {
		d, k, digest := s.src.Scalar(s.c.N), s.src.Scalar(s.c.N), s.src.Bytes()
		r, v := s.c.Sign(d, s.c.E(digest), k)
		s.at(s.c.Mul(d, s.c.G), digest, r, v, true, fmt.Sprintf("random key and digest %d", i), flagValid)
	}
	s.at(s.q, s.digest, s.r, s.s, true, "the signature that others are made from", flagValid)
	for i := range 8 {
		digest := s.src.Bytes()
		r, v := s.c.Sign(s.d, s.c.E(digest), s.src.Scalar(s.c.N))
		s.at(s.q, digest, r, v, true, fmt.Sprintf("random digest %d", i), flagValid)
	}
}

func (s *suite) modified() {
	sig := encode(s.r, s.s)
	for i := range sig {
		m := slices.Clone(sig)
		m[i] ^= 1 << (i % 8)
		s.raw(s.digest, m, false, fmt.Sprintf("bit %d of byte %d of the signature changed", i%8, i), flagModified)
	}
	for i := range s.digest {
		m := slices.Clone(s.digest)
		m[i] ^= 1 << (i % 8)
		s.raw(m, sig, false, fmt.Sprintf("bit %d of byte %d of the digest changed", i%8, i), flagModified)
	}
}

// special returns the values of r and s where range checks and arithmetic go
// wrong.
func (s *suite) special() map[string]*big.Int {
	n, p := s.c.N, s.c.P
	all := map[string]*big.Int{
		"0": big.NewInt(0), "1": one, "n-1": plus(n, -1), "n": n, "n+1": plus(n, 1),
		"p-1": plus(p, -1), "p": p, "p+1": plus(p, 1), "2^256-1": plus(pow2(256), -1), "2^255": pow2(255),
		"(n-1)/2": new(big.Int).Rsh(n, 1), "2^128": pow2(128), "2n": new(big.Int).Lsh(n, 1),
	}
	for name, v := range all {
		if !fits(v) {
			delete(all, name)
		}
	}
	return all
}

func keys(m map[string]*big.Int) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (s *suite) inRange(v *big.Int) bool { return v.Sign() > 0 && v.Cmp(s.c.N) < 0 }

func (s *suite) ranges() {
	special := s.special()
	flag := func(v ...*big.Int) string {
		for _, v := range v {
			if !s.inRange(v) {
				return flagRange
			}
		}
		return flagArithmetic
	}
	for _, rn := range keys(special) {
		for _, sn := range keys(special) {
			r, v := special[rn], special[sn]
			s.at(s.q, s.digest, r, v, false, fmt.Sprintf("r = %s, s = %s", rn, sn), flag(r, v))
		}
	}
	for _, name := range keys(special) {
		v := special[name]
		s.at(s.q, s.digest, v, s.s, false, fmt.Sprintf("r = %s, s of a valid signature", name), flag(v))
		s.at(s.q, s.digest, s.r, v, false, fmt.Sprintf("s = %s, r of a valid signature", name), flag(v))
	}
	for _, v := range []struct {
		name string
		r, s *big.Int
	}{
		{"r + n", new(big.Int).Add(s.r, s.c.N), s.s},
		{"s + n", s.r, new(big.Int).Add(s.s, s.c.N)},
		{"r + n and s + n", new(big.Int).Add(s.r, s.c.N), new(big.Int).Add(s.s, s.c.N)},
		{"r + p", new(big.Int).Add(s.r, s.c.P), s.s},
		{"2^256 - r", new(big.Int).Sub(pow2(256), s.r), s.s},
		{"2^256 - s", s.r, new(big.Int).Sub(pow2(256), s.s)},
	} {
		if fits(v.r) && fits(v.s) {
			s.at(s.q, s.digest, v.r, v.s, false, v.name+" instead of that of a valid signature", flagRange)
		}
	}
	for _, v := range []struct {
		name string
		r, s *big.Int
	}{
		{"n - r", s.neg(s.r), s.s},
		{"n - s", s.r, s.neg(s.s)},
		{"n - r and n - s", s.neg(s.r), s.neg(s.s)},
		{"1/r", s.inv(s.r), s.s},
		{"1/s", s.r, s.inv(s.s)},
	} {
		s.at(s.q, s.digest, v.r, v.s, false, v.name+" instead of that of a valid signature", flagArithmetic)
	}
}

// forgottenRangeChecks makes signatures that would verify if 0 and n were
// allowed.
func (s *suite) forgottenRangeChecks() {
	// s = 0 makes z1 = 0, so z2*Q = p can be solved for Q.
	for i := range 3 {
		p := s.c.Mul(s.src.Scalar(s.c.N), s.c.G)
		r := s.x(p)
		q := s.recover(p, s.e, r, new(big.Int))
		for _, v := range []struct {
			name string
			s    *big.Int
		}{{"0", new(big.Int)}, {"n", s.c.N}} {
			if !s.c.VerifyUnchecked(q, s.e, r, v.s) && s.err == nil {
				s.err = fmt.Errorf("%s: s = %s does not pass without the range check", s.c.Name, v.name)
			}
			s.at(q, s.digest, r, v.s, false, fmt.Sprintf("z1 = 0: s = %s would verify without the range check, %d", v.name, i), flagRange)
		}
	}
	// r = 0 makes z2 = 0; z1*G with x = 0 is known where G has x = 0.
	for _, r := range []*big.Int{new(big.Int), s.c.N} {
		for _, v := range []*big.Int{s.e, s.neg(s.e)} {
			comment := "z2 = 0: z1*G = ±G"
			if s.c.G.X.Sign() == 0 {
				comment += " with x = 0 would verify without the range check"
			}
			if r.Sign() != 0 {
				comment += ", r = n"
			}
			s.at(s.q, s.digest, r, v, false, comment, flagRange)
		}
	}
	// r = x not reduced.
	if s.c.P.Cmp(s.c.N) > 0 {
		for i, p := range s.pointsAbove(s.c.N, 3) {
			r, v := s.mod(p.X), s.src.Scalar(s.c.N)
			q := s.recover(p, s.e, r, v)
			s.at(q, s.digest, p.X, v, false, fmt.Sprintf("r = x without reduction modulo n, %d", i), flagRange, flagLargeX)
		}
	}
}

// pointsAbove returns the points with the smallest x above min, x = min
// itself left out since it gives r = 0 for min = n.
func (s *suite) pointsAbove(min *big.Int, count int) []reference.Point {
	var out []reference.Point
	for x := plus(min, 1); len(out) < count; x = plus(x, 1) {
		if p, ok := s.c.Lift(x); ok {
			out = append(out, p)
		}
	}
	return out
}

// pointsBelow returns the points with the largest x below max.
func (s *suite) pointsBelow(max *big.Int, count int) []reference.Point {
	var out []reference.Point
	for x := plus(max, -1); len(out) < count; x = plus(x, -1) {
		if p, ok := s.c.Lift(x); ok {
			out = append(out, p)
		}
	}
	return out
}

func (s *suite) encodings() {
	r, v := bytes32(s.r), bytes32(s.s)
	sig := concat(v, r)
	zero := []byte{0}
	asDER := func(a, b *big.Int) []byte {
		der, err := asn1.Marshal([]*big.Int{a, b})
		if err != nil && s.err == nil {
			s.err = err
		}
		return der
	}
	for _, c := range []struct {
		comment string
		sig     []byte
	}{
		{"empty signature", nil},
		{"one byte", sig[:1]},
		{"31 bytes", sig[:31]},
		{"s alone", v},
		{"r alone", r},
		{"33 bytes", sig[:33]},
		{"last byte cut off", sig[:63]},
		{"first byte cut off", sig[1:]},
		{"zero byte in front", concat(zero, sig)},
		{"zero byte at the end", concat(sig, zero)},
		{"other byte at the end", concat(sig, []byte{0xff})},
		{"two bytes at the end", concat(sig, zero, zero)},
		{"33-byte halves", concat(zero, v, zero, r)},
		{"31-byte halves", concat(v[1:], r[1:])},
		{"96 bytes: s, r, s", concat(sig, v)},
		{"signature twice", concat(sig, sig)},
		{"signature in 128 bytes, zeros in front of each half", concat(make([]byte, 32), v, make([]byte, 32), r)},
		{"halves swapped: r, s", concat(r, v)},
		{"all bytes reversed", reversed(sig)},
		{"both halves little-endian", concat(reversed(v), reversed(r))},
		{"s little-endian", concat(reversed(v), r)},
		{"r little-endian", concat(v, reversed(r))},
		{"halves swapped, little-endian", concat(reversed(r), reversed(v))},
		{"s in both halves", concat(v, v)},
		{"r in both halves", concat(r, r)},
		{"DER SEQUENCE of r, s", asDER(s.r, s.s)},
		{"DER SEQUENCE of s, r", asDER(s.s, s.r)},
		{"DER OCTET STRING of the signature", concat([]byte{0x04, 0x40}, sig)},
		{"DER BIT STRING of the signature", concat([]byte{0x03, 0x41, 0}, sig)},
		{"hexadecimal text", []byte(hex.EncodeToString(sig))},
		{"64 zero bytes", make([]byte, 64)},
		{"32-bit words swapped", swapWords(sig)},
	} {
		s.raw(s.digest, c.sig, false, c.comment, flagEncoding)
	}
	for _, n := range []int{0, 1, 31, 33, 64} {
		digest := make([]byte, n)
		copy(digest, s.digest)
		s.raw(digest, sig, false, fmt.Sprintf("digest of %d bytes", n), flagEncoding)
	}
	s.raw(reversed(s.digest), sig, false, "digest read big-endian", flagEncoding)
}

func swapWords(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i += 4 {
		out = append(out, reversed(b[i:i+4])...)
	}
	return out
}

func (s *suite) zeroDigests() {
	zeros := map[string]*big.Int{"0": new(big.Int), "n": s.c.N}
	r, v := s.c.Sign(s.d, one, s.k)
	for _, name := range keys(zeros) {
		digest := digestOf(zeros[name])
		s.at(s.q, digest, r, v, true, "digest "+name+" counts as 1", flagZeroDigest)
		for i := range 3 {
			k := s.src.Scalar(s.c.N)
			r, v := s.c.Sign(s.d, one, k)
			s.at(s.q, digest, r, v, true, fmt.Sprintf("digest %s counts as 1, nonce %d", name, i), flagZeroDigest)
		}
		// e = 0 left as it is: s = r*d, and 1/0 taken as 0.
		s.at(s.q, digest, r, s.mul(r, s.d), false, "digest "+name+" not replaced by 1", flagZeroDigest)
		s.at(s.q, digest, one, one, false, "digest "+name+", r = s = 1", flagZeroDigest)
		s.at(s.q, digest, s.r, s.s, false, "digest "+name+", signature of another digest", flagZeroDigest)
		s.at(s.q, digest, s.x(s.c.G), s.x(s.q), false, "digest "+name+", r = x(G), s = x(Q)", flagZeroDigest)
		s.at(s.q, digest, r, s.neg(v), false, "digest "+name+" counted as -1", flagZeroDigest)
	}
	s.at(s.q, digestOf(one), r, v, true, "digest 1", flagZeroDigest)
	s.at(s.q, digestOf(plus(s.c.N, 1)), r, v, true, "digest n+1", flagZeroDigest)
	// -e in place of e negates z1*G + z2*Q and leaves its x.
	s.at(s.q, digestOf(plus(s.c.N, -1)), r, v, true, "digest n-1 with the signature of 1", flagZeroDigest)
	s.at(s.q, digestOf(s.c.P), r, v, false, "digest p with the signature of 1", flagZeroDigest)
}

func (s *suite) infinity() {
	rs := map[string]*big.Int{
		"1": one, "2": big.NewInt(2), "n-1": plus(s.c.N, -1), "x(G)": s.x(s.c.G), "x(Q)": s.x(s.q),
		"r of a valid signature": s.r, "e": s.e, "d": s.d, "1/d": s.inv(s.d), "2^128": pow2(128),
	}
	for _, name := range keys(rs) {
		r := rs[name]
		if r.Sign() == 0 {
			continue // curve C has x(G) = 0
		}
		s.at(s.q, s.digest, r, s.mul(r, s.d), false, "z1*G = -z2*Q, r = "+name, flagInfinity)
	}
	for i := range 5 {
		r, digest := s.src.Scalar(s.c.N), s.src.Bytes()
		s.at(s.q, digest, r, s.mul(r, s.d), false, fmt.Sprintf("z1*G = -z2*Q, random r %d", i), flagInfinity)
	}
	// Small scalars, where a windowed ladder meets infinity in its table or at
	// its last step only.
	for _, z := range []int64{1, 2, 3, 15, 16, 17, 127, 128} {
		z2 := big.NewInt(z)
		r := s.src.Scalar(s.c.N)
		e := s.mul(s.neg(r), s.inv(z2))
		s.at(s.q, digestOf(e), r, s.mul(r, s.d), false, fmt.Sprintf("z1*G = -z2*Q, z2 = %d", z), flagInfinity)
	}
}

func (s *suite) duplications() {
	// s = -r*d makes z1*G = z2*Q; with nonce k that needs e = -2rd/k.
	for i := range 6 {
		k := s.src.Scalar(s.c.N)
		r := s.x(s.c.Mul(k, s.c.G))
		e := s.mul(s.neg(s.mul(r, s.d)), s.mul(big.NewInt(2), s.inv(k)))
		v := s.neg(s.mul(r, s.d))
		s.at(s.q, digestOf(e), r, v, true, fmt.Sprintf("z1*G = z2*Q %d", i), flagDuplication)
		s.at(s.q, s.digest, r, v, false, fmt.Sprintf("z1*G = z2*Q, another digest %d", i), flagDuplication)
		half := s.mul(k, s.inv(big.NewInt(2)))
		s.at(s.q, digestOf(e), nonZero(s.x(s.c.Mul(half, s.c.G))), v, false,
			fmt.Sprintf("r = x(z1*G) where z1*G = z2*Q %d", i), flagDuplication)
	}
	for _, key := range []struct {
		name string
		d    *big.Int
	}{{"G", one}, {"-G", plus(s.c.N, -1)}} {
		q := s.c.Mul(key.d, s.c.G)
		for i := range 3 {
			k, digest := s.src.Scalar(s.c.N), s.src.Bytes()
			r, v := s.c.Sign(key.d, s.c.E(digest), k)
			s.at(q, digest, r, v, true, fmt.Sprintf("Q = %s %d", key.name, i), flagEdgeKey)
			s.at(q, digest, r, s.neg(v), false, fmt.Sprintf("Q = %s, n - s %d", key.name, i), flagEdgeKey)
			s.at(s.c.Neg(q), digest, r, v, false, fmt.Sprintf("signature for Q = %s under -Q %d", key.name, i), flagEdgeKey, flagWrongKey)
			e := s.mul(s.neg(s.mul(r, key.d)), s.mul(big.NewInt(2), s.inv(k)))
			s.at(q, digestOf(e), r, s.neg(s.mul(r, key.d)), true, fmt.Sprintf("Q = %s, z1*G = z2*Q %d", key.name, i), flagDuplication, flagEdgeKey)
			s.at(q, digest, r, s.mul(r, key.d), false, fmt.Sprintf("Q = %s, z1*G = -z2*Q %d", key.name, i), flagInfinity, flagEdgeKey)
		}
	}
}

// nonZero returns v, or 1 where curve C gave x = 0.
func nonZero(v *big.Int) *big.Int {
	if v.Sign() == 0 {
		return one
	}
	return v
}

// ladders chooses keys near G and scalars whose ladders collide.
func (s *suite) ladders() {
	half := new(big.Int).Rsh(plus(s.c.N, 1), 1)
	scalars := []struct {
		name string
		v    *big.Int
	}{
		{"1", one}, {"2", big.NewInt(2)}, {"3", big.NewInt(3)}, {"n-1", plus(s.c.N, -1)}, {"n-2", plus(s.c.N, -2)},
		{"2^128", pow2(128)}, {"2^254", pow2(254)}, {"2^255-1 mod n", s.mod(plus(pow2(255), -1))},
		{"(n+1)/2", half}, {"(n-1)/2", plus(half, -1)},
		{"0101...", s.mod(pattern(0x55))}, {"1010...", s.mod(pattern(0xaa))},
	}
	multiples := []struct {
		name string
		d    *big.Int
	}{
		{"G", one}, {"-G", plus(s.c.N, -1)}, {"2G", big.NewInt(2)}, {"3G", big.NewInt(3)}, {"-2G", plus(s.c.N, -2)},
		{"16G", big.NewInt(16)}, {"-16G", plus(s.c.N, -16)}, {"128G", big.NewInt(128)}, {"G/2", half}, {"2^255 G", s.mod(pow2(255))},
	}
	for i, z1 := range scalars {
		for j, z2 := range scalars {
			key := multiples[(i*len(scalars)+j)%len(multiples)]
			q := s.c.Mul(key.d, s.c.G)
			a, b := s.c.Mul(z1.v, s.c.G), s.c.Mul(z2.v, q)
			sum := s.c.Add(a, b)
			comment := fmt.Sprintf("Q = %s, z1 = %s, z2 = %s", key.name, z1.name, z2.name)
			if sum.Infinity() {
				e := s.neg(s.inv(z2.v)) // for r = 1
				s.at(q, digestOf(e), one, s.mul(z1.v, e), false, comment+": infinity", flagShamir, flagInfinity)
				continue
			}
			if s.x(sum).Sign() == 0 {
				continue // no signature has r = 0
			}
			e, r, v := s.fromScalars(sum, z1.v, z2.v)
			s.at(q, digestOf(e), r, v, true, comment, flagShamir)
			// The same with the sign of z2 wrong.
			diff := s.c.Add(a, s.c.Neg(b))
			if diff.Infinity() || s.x(diff).Sign() == 0 || s.x(diff).Cmp(s.x(sum)) == 0 {
				continue
			}
			e, r, v = s.fromScalars(diff, z1.v, z2.v)
			s.at(q, digestOf(e), r, v, false, comment+": r = x(z1*G - z2*Q)", flagShamir, flagWrongFormula)
		}
	}
}

func pattern(b byte) *big.Int {
	return new(big.Int).SetBytes(slices.Repeat([]byte{b}, 32))
}

// inverses signs numbers whose inverse is an edge case.
func (s *suite) inverses() {
	n := s.c.N
	edges := []struct {
		name string
		e    *big.Int
	}{
		{"1", one}, {"2", big.NewInt(2)}, {"3", big.NewInt(3)}, {"n-1", plus(n, -1)}, {"n-2", plus(n, -2)},
		{"(n-1)/2", new(big.Int).Rsh(n, 1)}, {"(n+1)/2", new(big.Int).Rsh(plus(n, 1), 1)},
		{"2^64", pow2(64)}, {"2^128", pow2(128)}, {"2^192", pow2(192)}, {"2^255 mod n", s.mod(pow2(255))},
		{"2^64-1", plus(pow2(64), -1)}, {"2^128-1", plus(pow2(128), -1)}, {"2^255-1 mod n", s.mod(plus(pow2(255), -1))},
		{"2^256 mod n", s.mod(pow2(256))}, {"1/2^64", s.inv(pow2(64))}, {"1/2^128", s.inv(pow2(128))},
		{"1/2^256", s.inv(s.mod(pow2(256)))}, {"1/3", s.inv(big.NewInt(3))}, {"p mod n", s.mod(s.c.P)},
		{"1/(p mod n)", s.inv(s.mod(s.c.P))},
	}
	for _, c := range edges {
		digest := digestOf(c.e)
		r, v := s.c.Sign(s.d, c.e, s.src.Scalar(n))
		s.at(s.q, digest, r, v, true, "e = "+c.name, flagInverse)
		other := s.inv(c.e)
		if other.Cmp(c.e) != 0 {
			r, v = s.c.Sign(s.d, other, s.src.Scalar(n))
			s.at(s.q, digest, r, v, false, "e = "+c.name+", signed as 1/e", flagInverse)
		}
		r, v = s.c.Sign(s.d, s.neg(c.e), s.src.Scalar(n))
		s.at(s.q, digest, r, v, true, "e = "+c.name+", signed as -e, which has the same signatures", flagInverse)
	}
}

func (s *suite) specialDigests() {
	fill := func(b byte) []byte { return slices.Repeat([]byte{b}, 32) }
	half := func(first, second byte) []byte { return append(fill(first)[:16], fill(second)[:16]...) }
	random := s.src.Bytes()
	lead, tail := slices.Clone(random), slices.Clone(random)
	copy(lead, make([]byte, 8))
	copy(tail[24:], make([]byte, 8))
	for _, c := range []struct {
		name   string
		digest []byte
	}{
		{"all ones", fill(0xff)}, {"all 01", fill(0x01)}, {"all 80", fill(0x80)}, {"all 7f", fill(0x7f)},
		{"n-1", digestOf(plus(s.c.N, -1))}, {"n+2", digestOf(plus(s.c.N, 2))},
		{"p", digestOf(s.c.P)}, {"p-1", digestOf(plus(s.c.P, -1))}, {"2^255", digestOf(pow2(255))},
		{"2^256-2", digestOf(plus(pow2(256), -2))}, {"eight zero bytes in front", lead}, {"eight zero bytes at the end", tail},
		{"zeros then ones", half(0, 0xff)}, {"ones then zeros", half(0xff, 0)},
		{"first bit only", digestOf(one)}, {"last byte only", append(make([]byte, 31), 1)},
	} {
		e := s.c.E(c.digest)
		r, v := s.c.Sign(s.d, e, s.src.Scalar(s.c.N))
		s.at(s.q, c.digest, r, v, true, "digest "+c.name, flagSpecialHash)
		if be := s.c.E(reversed(c.digest)); be.Cmp(e) != 0 {
			r, v = s.c.Sign(s.d, be, s.src.Scalar(s.c.N))
			s.at(s.q, c.digest, r, v, false, "digest "+c.name+" signed as a big-endian number", flagSpecialHash)
		}
		// Truncated to 31 bytes, at the high end.
		short := slices.Clone(c.digest)
		short[31] = 0
		if te := s.c.E(short); te.Cmp(e) != 0 {
			r, v = s.c.Sign(s.d, te, s.src.Scalar(s.c.N))
			s.at(s.q, c.digest, r, v, false, "digest "+c.name+" signed without its last byte", flagSpecialHash)
		}
	}
}

// smallHalves makes keys for which tiny r and s are valid.
func (s *suite) smallHalves() {
	plusN := func(v *big.Int) *big.Int { return new(big.Int).Add(v, s.c.N) }
	twin := func(q reference.Point, digest []byte, r, v *big.Int, comment string) {
		if t := plusN(r); fits(t) {
			s.at(q, digest, t, v, false, comment+", r + n", flagSmallRS, flagRange)
		}
		if t := plusN(v); fits(t) {
			s.at(q, digest, r, t, false, comment+", s + n", flagSmallRS, flagRange)
		}
	}
	for i, p := range s.pointsAbove(new(big.Int), 4) {
		for j, v := range []*big.Int{one, big.NewInt(2), plus(s.c.N, -1), s.src.Scalar(s.c.N)} {
			digest := s.digest
			if j == 3 {
				digest = make([]byte, 32)
			}
			q := s.recover(p, s.c.E(digest), p.X, v)
			comment := fmt.Sprintf("small r, case %d.%d", i, j)
			s.at(q, digest, p.X, v, true, comment, flagSmallRS)
			twin(q, digest, p.X, v, comment)
		}
	}
	for i := range 4 {
		p := s.c.Mul(s.src.Scalar(s.c.N), s.c.G)
		v := big.NewInt(int64(i + 1))
		q := s.recover(p, s.e, s.x(p), v)
		comment := fmt.Sprintf("s = %d", i+1)
		s.at(q, s.digest, s.x(p), v, true, comment, flagSmallRS)
		twin(q, s.digest, s.x(p), v, comment)
	}
	// The largest r, just below n or p, whichever is smaller.
	top := s.c.N
	if s.c.P.Cmp(top) < 0 {
		top = s.c.P
	}
	for i, p := range s.pointsBelow(top, 3) {
		v := plus(s.c.N, int64(-1-i))
		q := s.recover(p, s.e, p.X, v)
		s.at(q, s.digest, p.X, v, true, fmt.Sprintf("largest r, s = n-%d", i+1), flagArithmetic)
	}
}

// largeX makes signatures with x at or above n, and, where p is below n, the
// r that no point can have.
func (s *suite) largeX() {
	if s.c.P.Cmp(s.c.N) < 0 {
		for _, r := range []*big.Int{s.c.P, plus(s.c.P, 1), plus(s.c.P, 2)} {
			s.at(s.q, s.digest, r, s.s, false, "r in p..n-1 is no x coordinate", flagLargeX)
		}
		// x = r - p is on the curve: r reduced modulo p would match.
		for i, p := range s.pointsAbove(new(big.Int), 4) {
			r, v := new(big.Int).Add(p.X, s.c.P), s.src.Scalar(s.c.N)
			q := s.recover(p, s.e, r, v)
			s.at(q, s.digest, r, v, false, fmt.Sprintf("r = x + p, below n, %d", i), flagLargeX)
		}
		return
	}
	above := append(s.pointsAbove(s.c.N, 4), s.pointsBelow(s.c.P, 4)...)
	for i, p := range above {
		r, v := s.mod(p.X), s.src.Scalar(s.c.N)
		q := s.recover(p, s.e, r, v)
		s.at(q, s.digest, r, v, true, fmt.Sprintf("x = r + n, %d", i), flagLargeX)
		s.at(q, s.digest, s.neg(r), v, false, fmt.Sprintf("x = r + n, with n - r, %d", i), flagLargeX)
	}
	// r + n has 256 bits but is above p: only x = r counts, and r = x - (2^256
	// - ...) must not wrap around. The point x + n - p would match modulo p.
	for i, p := range s.pointsAbove(new(big.Int), 3) {
		r := new(big.Int).Add(p.X, new(big.Int).Sub(s.c.P, s.c.N)) // r + n = x + p
		if !s.inRange(r) {
			continue
		}
		v := s.src.Scalar(s.c.N)
		q := s.recover(p, s.e, r, v)
		s.at(q, s.digest, r, v, false, fmt.Sprintf("r + n = x modulo p, but not below p, %d", i), flagLargeX)
	}
}

// wrongFormulas signs by equations that are near those of the standard.
func (s *suite) wrongFormulas() {
	c := s.c
	kInv := s.inv(s.k)
	p := c.Mul(s.k, c.G)
	rd, ke := s.mul(s.r, s.d), s.mul(s.k, s.e)
	y := s.mod(p.Y)
	for _, f := range []struct {
		comment string
		r, s    *big.Int
	}{
		{"ECDSA: s = (e + r*d)/k", s.r, s.mul(s.mod(new(big.Int).Add(s.e, rd)), kInv)},
		{"s = k*e - r*d", s.r, s.sub(ke, rd)},
		{"s = r*d", s.r, rd},
		{"s = k*e", s.r, ke},
		{"s = r*k + d*e", s.r, s.mod(new(big.Int).Add(s.mul(s.r, s.k), s.mul(s.d, s.e)))},
		{"s = r*d + k", s.r, s.mod(new(big.Int).Add(rd, s.k))},
		{"s = r*d + k/e", s.r, s.mod(new(big.Int).Add(rd, s.mul(s.k, s.inv(s.e))))},
		{"r = y", y, s.mod(new(big.Int).Add(s.mul(y, s.d), ke))},
		{"r = n - x", s.neg(s.r), s.mod(new(big.Int).Add(s.mul(s.neg(s.r), s.d), ke))},
		{"Schnorr: s = k + e*d", s.r, s.mod(new(big.Int).Add(s.k, s.mul(s.e, s.d)))},
		{"r = x(kG) + e", s.mod(new(big.Int).Add(s.r, s.e)), s.s},
	} {
		s.at(s.q, s.digest, f.r, f.s, false, f.comment, flagWrongFormula)
	}
	for i := range 4 { // z1 and z2 exchanged
		z1, z2 := s.src.Scalar(c.N), s.src.Scalar(c.N)
		sum := c.Add(c.Mul(z2, c.G), c.Mul(z1, s.q))
		e, r, v := s.fromScalars(sum, z1, z2)
		s.at(s.q, digestOf(e), r, v, false, fmt.Sprintf("r = x(z2*G + z1*Q) %d", i), flagWrongFormula)
	}
	for i := range 4 { // one half of the sum only
		z1, z2 := s.src.Scalar(c.N), s.src.Scalar(c.N)
		e, r, v := s.fromScalars(c.Mul(z1, c.G), z1, z2)
		s.at(s.q, digestOf(e), r, v, false, fmt.Sprintf("r = x(z1*G) %d", i), flagWrongFormula)
		e, r, v = s.fromScalars(c.Mul(z2, s.q), z1, z2)
		s.at(s.q, digestOf(e), r, v, false, fmt.Sprintf("r = x(z2*Q) %d", i), flagWrongFormula)
	}
}

func (s *suite) wrongKeys() {
	s.at(s.c.Neg(s.q), s.digest, s.r, s.s, false, "signature under -Q", flagWrongKey)
	s.at(s.c.G, s.digest, s.r, s.s, false, "signature under G", flagWrongKey)
	s.at(s.c.Add(s.q, s.c.G), s.digest, s.r, s.s, false, "signature under Q + G", flagWrongKey)
	s.at(s.c.Add(s.q, s.q), s.digest, s.r, s.s, false, "signature under 2Q", flagWrongKey)
	for _, other := range reference.Curves() {
		if other.Name == s.c.Name {
			continue
		}
		d := new(big.Int).Mod(s.d, other.N)
		r, v := other.Sign(d, other.E(s.digest), s.src.Scalar(other.N))
		if fits(r) && fits(v) {
			s.at(s.q, s.digest, r, v, false, "signature by the same scalar on "+other.Name, flagWrongKey)
		}
	}
}

// invalidKeys gives keys that are no points; the signatures verify under the
// point an implementation without the check would make of them, where there
// is one.
func (s *suite) invalidKeys() {
	c := s.c
	sig := encode(s.r, s.s)
	x, y := bytes32(s.q.X), bytes32(s.q.Y)
	bad := func(x, y *big.Int, sig []byte, comment string) {
		if fits(x) && fits(y) {
			s.put(bytes32(x), bytes32(y), s.digest, sig, false, comment, flagInvalidKey)
		}
	}
	bad(s.q.X, plus(s.q.Y, 1), sig, "y + 1")
	bad(plus(s.q.X, 1), s.q.Y, sig, "x + 1")
	bad(s.q.Y, s.q.X, sig, "x and y exchanged")
	bad(new(big.Int), new(big.Int), sig, "(0, 0), often an encoding of infinity")
	bad(c.P, c.P, sig, "(p, p)")
	bad(new(big.Int), c.P, sig, "(0, p)")
	bad(plus(pow2(256), -1), plus(pow2(256), -1), sig, "all ones")
	bad(one, one, sig, "(1, 1)")
	s.put(reversed(x), reversed(y), s.digest, sig, false, "coordinates little-endian", flagInvalidKey)
	// Points whose coordinates leave room for a second representation.
	for i, p := range s.pointsAbove(new(big.Int), 3) {
		// A signature valid under p: choose z1 and z2 freely.
		z1, z2 := s.src.Scalar(c.N), s.src.Scalar(c.N)
		e, r, v := s.fromScalars(c.Add(c.Mul(z1, c.G), c.Mul(z2, p)), z1, z2)
		s.at(p, digestOf(e), r, v, true, fmt.Sprintf("small x coordinate of the key, %d", i), flagEdgeKey)
		if big := new(big.Int).Add(p.X, c.P); fits(big) {
			s.put(bytes32(big), bytes32(p.Y), digestOf(e), encode(r, v), false, fmt.Sprintf("x + p instead of x, %d", i), flagInvalidKey)
		}
		if big := new(big.Int).Add(p.Y, c.P); fits(big) {
			s.put(bytes32(p.X), bytes32(big), digestOf(e), encode(r, v), false, fmt.Sprintf("y + p instead of y, %d", i), flagInvalidKey)
		}
		if big := new(big.Int).Sub(pow2(256), p.X); fits(big) {
			s.put(bytes32(big), bytes32(p.Y), digestOf(e), encode(r, v), false, fmt.Sprintf("2^256 - x instead of x, %d", i), flagInvalidKey)
		}
	}
	for i, p := range s.pointsBelow(c.P, 3) {
		z1, z2 := s.src.Scalar(c.N), s.src.Scalar(c.N)
		e, r, v := s.fromScalars(c.Add(c.Mul(z1, c.G), c.Mul(z2, p)), z1, z2)
		s.at(p, digestOf(e), r, v, true, fmt.Sprintf("x coordinate of the key near p, %d", i), flagEdgeKey)
		s.at(c.Neg(p), digestOf(e), r, v, false, fmt.Sprintf("x coordinate of the key near p, -Q, %d", i), flagEdgeKey, flagWrongKey)
	}
	// Points of y² = x³ + ax + b' for another b': the addition formulas do
	// not use b, so an unchecked verifier computes on that curve.
	for i := range 4 {
		other := *c
		other.B = new(big.Int).Mod(new(big.Int).SetBytes(s.src.Bytes()), c.P)
		for xi := int64(2); ; xi++ {
			if p, ok := other.Lift(big.NewInt(xi)); ok && !c.OnCurve(p.X, p.Y) {
				bad(p.X, p.Y, sig, fmt.Sprintf("point of a curve with another b, %d", i))
				break
			}
		}
	}
	// x coordinates with no point on the curve belong to the twist.
	twist := 0
	for xi := int64(1); twist < 3; xi++ {
		if _, ok := c.Lift(big.NewInt(xi)); !ok {
			twist++
			bad(big.NewInt(xi), c.G.Y, sig, fmt.Sprintf("x of the twist, %d", twist))
		}
	}
	for _, other := range reference.Curves() {
		if other.Name != c.Name {
			bad(other.G.X, other.G.Y, sig, "base point of "+other.Name)
		}
	}
}
