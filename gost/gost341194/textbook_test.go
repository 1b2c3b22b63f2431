package gost341194

import (
	"math/big"
	"slices"
	"testing"

	"imzo/gost/gost28147"
)

// The hash written down once more as the standard tells it, byte by byte and
// with the cipher of package gost28147, to compare the fast one with. Numbers
// are 32 bytes, the least significant first; x_1 of the standard is the
// lowest part.

// textbookStep is f(H, M), RFC 5831 section 5.
func textbookStep(t testing.TB, s *gost28147.SBox, h, m []byte) []byte {
	t.Helper()
	constants := [][]byte{1: make([]byte, 32), 2: {
		0x00, 0xff, 0x00, 0xff, 0x00, 0xff, 0x00, 0xff, 0xff, 0x00, 0xff, 0x00, 0xff, 0x00, 0xff, 0x00,
		0x00, 0xff, 0xff, 0x00, 0xff, 0x00, 0x00, 0xff, 0xff, 0x00, 0x00, 0x00, 0xff, 0xff, 0x00, 0xff,
	}, 3: make([]byte, 32)}
	a := func(x []byte) []byte { return append(slices.Clone(x[8:]), xor(x[0:8], x[8:16])...) }

	u, v := h, m
	var enc []byte
	for i := range 4 {
		if i > 0 {
			u, v = xor(a(u), constants[i]), a(a(v))
		}
		w := xor(u, v)
		key := make([]byte, 32)
		for i := range 4 {
			for k := range 8 { // phi(i + 1 + 4(k-1)) = 8i + k
				key[i+4*k] = w[8*i+k]
			}
		}
		c, err := gost28147.NewCipher(key, s)
		if err != nil {
			t.Fatal(err)
		}
		block := make([]byte, 8)
		c.Encrypt(block, h[8*i:8*i+8])
		enc = append(enc, block...)
	}

	psi := func(x []byte, times int) []byte {
		for range times {
			y := make([]byte, 2)
			for _, i := range []int{1, 2, 3, 4, 13, 16} {
				y = xor(y, x[2*i-2:2*i])
			}
			x = append(slices.Clone(x[2:]), y...)
		}
		return x
	}
	return psi(xor(h, psi(xor(m, psi(enc, 12)), 1)), 61)
}

func xor(a, b []byte) []byte {
	c := make([]byte, len(a))
	for i := range a {
		c[i] = a[i] ^ b[i]
	}
	return c
}

// littleEndian returns n modulo 2^256 in 32 bytes.
func littleEndian(n *big.Int) []byte {
	b := new(big.Int).And(n, new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1))).FillBytes(make([]byte, 32))
	slices.Reverse(b)
	return b
}

func number(le []byte) *big.Int {
	b := slices.Clone(le)
	slices.Reverse(b)
	return new(big.Int).SetBytes(b)
}

// textbookHash is the whole procedure, RFC 5831 section 6, from the state h
// and sum after length bytes, whose rest is msg.
func textbookHash(t testing.TB, s *gost28147.SBox, h []byte, sum, length *big.Int, msg []byte) []byte {
	t.Helper()
	length = new(big.Int).Add(length, big.NewInt(int64(len(msg))))
	for len(msg) > 0 {
		block := make([]byte, 32)
		msg = msg[copy(block, msg):]
		h = textbookStep(t, s, h, block)
		sum = new(big.Int).Add(sum, number(block))
	}
	h = textbookStep(t, s, h, littleEndian(new(big.Int).Lsh(length, 3)))
	return textbookStep(t, s, h, littleEndian(sum))
}
