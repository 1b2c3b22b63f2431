package gost28147

import (
	"crypto/cipher"
	"encoding/hex"
	"hash"
	"math/rand/v2"
	"testing"
)

type newStream = func(c *Cipher, iv []byte, m Meshing) (cipher.Stream, error)

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

// sbox returns a named S-box or, one time in four, a random one.
func (r *source) sbox() *SBox {
	if r.IntN(4) > 0 {
		return namedSBoxes[r.IntN(len(namedSBoxes))]
	}
	var rows [8][16]byte
	for i := range rows {
		for j, y := range r.Perm(16) {
			rows[i][j] = byte(y)
		}
	}
	s, err := NewSBox(rows)
	if err != nil {
		panic(err)
	}
	s.name = "random"
	return s
}

// piece returns the length of the next piece of n bytes, often a short one.
func (r *source) piece(n int) int {
	if r.IntN(2) == 0 {
		return min(n, r.IntN(20))
	}
	return r.IntN(n + 1)
}

// inPieces passes data through the stream in uneven pieces, some of them in
// place.
func (r *source) inPieces(s cipher.Stream, data []byte) []byte {
	out := make([]byte, len(data))
	for rest, dst := data, out; len(rest) > 0; {
		n := r.piece(len(rest))
		if r.IntN(2) == 0 {
			copy(dst, rest[:n])
			s.XORKeyStream(dst[:n], dst[:n])
		} else {
			s.XORKeyStream(dst, rest[:n])
		}
		rest, dst = rest[n:], dst[n:]
	}
	return out
}

func (r *source) writePieces(t testing.TB, h hash.Hash, data []byte) {
	t.Helper()
	for len(data) > 0 {
		n := r.piece(len(data))
		if got, err := h.Write(data[:n]); got != n || err != nil {
			t.Fatalf("Write of %d bytes returned %d, %v", n, got, err)
		}
		data = data[n:]
	}
}

func newCipher(t testing.TB, key []byte, s *SBox) *Cipher {
	t.Helper()
	c, err := NewCipher(key, s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
