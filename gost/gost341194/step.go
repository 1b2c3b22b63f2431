package gost341194

import (
	"encoding/binary"
	"math/bits"
)

// words is a 256-bit value as 64-bit words, the least significant first. The
// standard prints such values with the most significant digit first; in bytes
// they are little-endian.
type words [4]uint64

// wordsOf returns the value of 32 bytes.
func wordsOf(b []byte) words {
	return words{
		binary.LittleEndian.Uint64(b[0:]),
		binary.LittleEndian.Uint64(b[8:]),
		binary.LittleEndian.Uint64(b[16:]),
		binary.LittleEndian.Uint64(b[24:]),
	}
}

func (w words) bytes() (b [Size]byte) {
	for i, x := range w {
		binary.LittleEndian.PutUint64(b[8*i:], x)
	}
	return b
}

// add adds m to w as numbers modulo 2^256.
func (w *words) add(m *words) {
	var carry uint64
	for i := range w {
		w[i], carry = bits.Add64(w[i], m[i], carry)
	}
}

// c3 is the constant C3 of RFC 5831 section 5.1; C2 and C4 are zero.
var c3 = words{0xff00ff00ff00ff00, 0x00ff00ff00ff00ff, 0xff0000ff00ffff00, 0xff00ffff000000ff}

// step is the step hash function H <- f(H, M) of RFC 5831 section 5.
func (d *state) step(m *words) {
	h := &d.h
	var k keys
	u, v := *h, *m
	k.set(0, u[0]^v[0], u[1]^v[1], u[2]^v[2], u[3]^v[3])
	for i := 1; i < 4; i++ {
		// U <- A(U) + C, V <- A(A(V)), where A shifts by one word and adds
		// the lowest two for the highest.
		u = words{u[1], u[2], u[3], u[0] ^ u[1]}
		if i == 2 {
			u[0] ^= c3[0]
			u[1] ^= c3[1]
			u[2] ^= c3[2]
			u[3] ^= c3[3]
		}
		v = words{v[2], v[3], v[0] ^ v[1], v[1] ^ v[2]}
		k.set(i, u[0]^v[0], u[1]^v[1], u[2]^v[2], u[3]^v[3])
	}

	s := d.cipher(&k)

	// The shuffle psi^61(H + psi(M + psi^12(S))), section 5.3.
	s.psi4(3)
	s[0] ^= m[0]
	s[1] ^= m[1]
	s[2] ^= m[2]
	s[3] ^= m[3]
	s.psi()
	s[0] ^= h[0]
	s[1] ^= h[1]
	s[2] ^= h[2]
	s[3] ^= h[3]
	s.psi()
	s.psi60()
	*h = s
}

// set stores the key K_i = P(W), W being w3 w2 w1 w0: byte 4j+i of the key is
// byte 8i+j of W (RFC 5831 section 5.1), so word j of the key takes byte j of
// each word of W. It is a transposition, done in two steps of pairs.
func (k *keys) set(i int, w0, w1, w2, w3 uint64) {
	const (
		evenBytes = 0x00ff00ff00ff00ff
		evenPairs = 0x0000ffff0000ffff
	)
	a := w0&evenBytes | w1&evenBytes<<8  // bytes 0, 2, 4, 6 of w0, w1
	b := w0>>8&evenBytes | w1&^evenBytes // bytes 1, 3, 5, 7
	c := w2&evenBytes | w3&evenBytes<<8  // the same of w2, w3
	d := w2>>8&evenBytes | w3&^evenBytes
	e := a&evenPairs | c&evenPairs<<16  // words 0 and 4
	f := a>>16&evenPairs | c&^evenPairs // words 2 and 6
	g := b&evenPairs | d&evenPairs<<16  // words 1 and 5
	h := b>>16&evenPairs | d&^evenPairs // words 3 and 7
	k[0][i], k[4][i] = uint32(e), uint32(e>>32)
	k[1][i], k[5][i] = uint32(g), uint32(g>>32)
	k[2][i], k[6][i] = uint32(f), uint32(f>>32)
	k[3][i], k[7][i] = uint32(h), uint32(h>>32)
}

// psi shifts the value by 16 bits and puts y1+y2+y3+y4+y13+y16 at the top,
// y1 being the lowest 16 bits (RFC 5831 section 5.3).
func (s *words) psi() {
	y := s[0] ^ s[0]>>16 ^ s[0]>>32 ^ s[0]>>48 ^ s[3] ^ s[3]>>48
	s[0] = s[0]>>16 | s[1]<<48
	s[1] = s[1]>>16 | s[2]<<48
	s[2] = s[2]>>16 | s[3]<<48
	s[3] = s[3]>>16 | y<<48
}

// psi4 is psi four times, and that n times: four 16-bit values leave below
// and four enter at the top. Value n of the new ones is
//
//	y[n] + y[n+1] + y[n+2] + y[n+3] + y[n+12] + y[n+15]
//
// where y[n+15] is the one made just before it. All but that last term come
// from s and are summed in parallel; adding the last is a running sum.
func (s *words) psi4(n int) {
	s0, s1, s2, s3 := s[0], s[1], s[2], s[3] // keeps them in registers
	for range n {
		// Down: y[n..n+3] within s0; up: what of them is in s1.
		down := s0 ^ s0>>16
		down ^= down >> 32
		up := s1<<16 ^ s1<<32 ^ s1<<48
		x := down ^ up ^ s3
		x ^= x << 16
		x ^= x << 32
		x ^= (s3 >> 48) * 0x0001000100010001 // one copy for each of the four
		s0, s1, s2, s3 = s1, s2, s3, x
	}
	*s = words{s0, s1, s2, s3}
}

// psi60 is psi sixty times. The 16-bit values of the argument, with those that
// psi makes of them behind, are the sequence
//
//	y[n+16] = y[n] + y[n+1] + y[n+2] + y[n+3] + y[n+12] + y[n+15]
//
// Squaring its polynomial doubles the distances: the same sum of pairs of
// values gives the pair 32 behind, that of fours the four 64 behind, with less
// work. Four values are a word.
func (s *words) psi60() {
	a0, a1, a2, a3 := s[0], s[1], s[2], s[3]
	s.psi4(4)
	b0, b1, b2, b3 := s[0], s[1], s[2], s[3]
	c0 := pairs(a0, a1, a2, b2, b3)
	c1 := pairs(a1, a2, a3, b3, c0)
	c2 := pairs(a2, a3, b0, c0, c1)
	c3 := pairs(a3, b0, b1, c1, c2)
	d0 := pairs(b0, b1, b2, c2, c3)
	d1 := pairs(b1, b2, b3, c3, d0)
	d2 := pairs(b2, b3, c0, d0, d1)
	d3 := pairs(b3, c0, c1, d1, d2)
	e0 := a0 ^ a1 ^ a2 ^ a3 ^ d0 ^ d3
	e1 := a1 ^ a2 ^ a3 ^ b0 ^ d1 ^ e0
	e2 := a2 ^ a3 ^ b0 ^ b1 ^ d2 ^ e1
	*s = words{d3, e0, e1, e2}
}

// pairs returns the word of two pairs behind the words x, y, z, 8 to 6 words
// before it, and v, w, the last but one and the last.
func pairs(x, y, z, v, w uint64) uint64 {
	p := x ^ y ^ v ^ (x>>32 | y<<32) ^ (y>>32 | z<<32) ^ w>>32
	return p ^ p<<32 // the second pair adds the first
}
