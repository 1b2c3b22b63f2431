//go:build !purego

package gost341194

import "math/bits"

// All of a step but the cipher is linear over GF(2), and most of it acts on
// whole 16-bit words: the shuffle psi, A, and the choice of the keys' bytes.
// This file computes such maps, for the constants of the assembly.

// wordMap is a linear map of the sixteen 16-bit words of a value: bit i of
// element o says that word i of the input is part of word o of the output.
// Word 0 is the least significant.
type wordMap [16]uint16

// psiTimes returns psi^n (RFC 5831 section 5.3).
func psiTimes(n int) wordMap {
	var m wordMap
	for i := range m {
		m[i] = 1 << i
	}
	for range n {
		y := m[0] ^ m[1] ^ m[2] ^ m[3] ^ m[12] ^ m[15]
		copy(m[:], m[1:])
		m[15] = y
	}
	return m
}

// quarterWords returns the words of the 64-bit quarter n of the sequence
// x0, x1, x2, x3, x0+x1, x1+x2, ..., each quarter from the fourth on being the
// sum of those four and three before it. A^i takes quarters i to i+3 of it
// (RFC 5831 section 5.1).
func quarterWords(n int) [4]uint16 {
	if n < 4 {
		return [4]uint16{1 << (4 * n), 2 << (4 * n), 4 << (4 * n), 8 << (4 * n)}
	}
	a, b := quarterWords(n-4), quarterWords(n-3)
	for i := range a {
		a[i] ^= b[i]
	}
	return a
}

// matrices returns the two 8x8 matrices of GF2P8AFFINEQB with which eight rows
// of a map act on the first and on the last eight words.
func matrices(rows [8]uint16) (first, last [8]byte) {
	for i, r := range rows {
		first[i], last[i] = bits.Reverse8(byte(r)), bits.Reverse8(byte(r>>8))
	}
	return first, last
}
