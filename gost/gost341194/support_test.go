package gost341194

import (
	"encoding/hex"
	"hash"
	"math/rand/v2"
	"testing"

	"imzo/gost/gost28147"
)

// source makes reproducible random input; each test has its own sequence.
type source struct{ *rand.Rand }

func newSource(t testing.TB) *source {
	t.Helper()
	var seed [32]byte
	copy(seed[:], t.Name())
	return &source{rand.New(rand.NewChaCha8(seed))}
}

func (r *source) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// length returns the i-th length to try: all up to three blocks, then random
// ones.
func (r *source) length(i int) int {
	if i <= 3*BlockSize+1 {
		return i
	}
	return r.IntN(5000)
}

// sbox returns one of the S-boxes with tables of their own or a random one.
func (r *source) sbox() *gost28147.SBox {
	switch r.IntN(4) {
	case 0:
		return gost28147.SBoxHashCryptoPro()
	case 1:
		return gost28147.SBoxHashTest()
	case 2:
		return gost28147.SBoxTC26Z()
	}
	var rows [8][16]byte
	for i := range rows {
		for j, y := range r.Perm(16) {
			rows[i][j] = byte(y)
		}
	}
	s, err := gost28147.NewSBox(rows)
	if err != nil {
		panic(err)
	}
	return s
}

// write writes the message in uneven pieces, many of them short.
func (r *source) write(t testing.TB, h hash.Hash, msg []byte) {
	t.Helper()
	for len(msg) > 0 {
		n := r.IntN(len(msg) + 1)
		if r.IntN(2) == 0 {
			n = min(len(msg), r.IntN(3*BlockSize))
		}
		if got, err := h.Write(msg[:n]); got != n || err != nil {
			t.Fatalf("Write of %d bytes returned %d, %v", n, got, err)
		}
		msg = msg[n:]
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// unpack makes an S-box of 64 bytes with two values each.
func unpack(t testing.TB, packed string) *gost28147.SBox {
	t.Helper()
	b := unhex(t, packed)
	if len(b) != 64 {
		t.Fatalf("S-box of %d bytes", len(b))
	}
	var rows [8][16]byte
	for i, x := range b {
		rows[i/8][i%8*2], rows[i/8][i%8*2+1] = x>>4, x&15
	}
	s, err := gost28147.NewSBox(rows)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
