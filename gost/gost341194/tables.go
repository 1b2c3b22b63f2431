package gost341194

import (
	"encoding/binary"
	"math/bits"

	"imzo/gost/gost28147"
)

// tables is an S-box prepared for speed. The assembly knows its layout.
type tables struct {
	// bytes[i] gives for byte i of a word the substitution of its two nibbles,
	// already at its place and rotated left by eleven bits, so that a round of
	// the cipher is four look-ups.
	bytes [4][256]uint32
	// nibbles are the boxes of the four lower and, shifted up, of the four
	// upper nibbles of a word's bytes.
	nibbles [2][4][16]byte
}

func expand(s *gost28147.SBox) *tables {
	rows := s.Rows()
	t := new(tables)
	for i := range t.bytes {
		for b := range t.bytes[i] {
			y := uint32(rows[2*i][b&15]) | uint32(rows[2*i+1][b>>4])<<4
			t.bytes[i][b] = bits.RotateLeft32(y<<(8*i), 11)
		}
		for j := range 16 {
			t.nibbles[0][i][j] = rows[2*i][j]
			t.nibbles[1][i][j] = rows[2*i+1][j] << 4
		}
	}
	return t
}

// round is the function f of GOST 28147-89 (RFC 5830 section 5.1) without the
// addition of the key.
func (t *tables) round(x uint32) uint32 {
	return t.bytes[0][uint8(x)] ^ t.bytes[1][uint8(x>>8)] ^ t.bytes[2][uint8(x>>16)] ^ t.bytes[3][uint8(x>>24)]
}

// keys holds the four keys of a step, transposed: word j of key i is at
// [j][i].
type keys [8][4]uint32

// encrypt encrypts h[i], a block in little-endian order, with key i. The four
// do not depend on each other and are computed side by side, which lets the
// processor overlap their look-ups.
func (t *tables) encrypt(k *keys, h *words) words {
	a1, a2 := uint32(h[0]), uint32(h[0]>>32)
	b1, b2 := uint32(h[1]), uint32(h[1]>>32)
	c1, c2 := uint32(h[2]), uint32(h[2]>>32)
	d1, d2 := uint32(h[3]), uint32(h[3]>>32)
	for range 3 {
		for i := 0; i < 8; i += 2 {
			p, q := &k[i], &k[i+1]
			a2 ^= t.round(a1 + p[0])
			b2 ^= t.round(b1 + p[1])
			c2 ^= t.round(c1 + p[2])
			d2 ^= t.round(d1 + p[3])
			a1 ^= t.round(a2 + q[0])
			b1 ^= t.round(b2 + q[1])
			c1 ^= t.round(c2 + q[2])
			d1 ^= t.round(d2 + q[3])
		}
	}
	for i := 6; i >= 0; i -= 2 {
		p, q := &k[i+1], &k[i]
		a2 ^= t.round(a1 + p[0])
		b2 ^= t.round(b1 + p[1])
		c2 ^= t.round(c1 + p[2])
		d2 ^= t.round(d1 + p[3])
		a1 ^= t.round(a2 + q[0])
		b1 ^= t.round(b2 + q[1])
		c1 ^= t.round(c2 + q[2])
		d1 ^= t.round(d2 + q[3])
	}
	// The cipher does not exchange the halves in its last step.
	return words{
		uint64(a2) | uint64(a1)<<32,
		uint64(b2) | uint64(b1)<<32,
		uint64(c2) | uint64(c1)<<32,
		uint64(d2) | uint64(d1)<<32,
	}
}

// encryptConstantTime is encrypt without look-ups that depend on the data.
func encryptConstantTime(s *gost28147.SBox, k *keys, h *words) (out words) {
	for i := range h {
		var key [gost28147.KeySize]byte
		for j := range k {
			binary.LittleEndian.PutUint32(key[4*j:], k[j][i])
		}
		c, err := gost28147.NewCipher(key[:], s)
		if err != nil {
			panic(err) // the key has its size
		}
		var block [gost28147.BlockSize]byte
		binary.LittleEndian.PutUint64(block[:], h[i])
		c.Encrypt(block[:], block[:])
		out[i] = binary.LittleEndian.Uint64(block[:])
		c.Wipe()
		clear(key[:])
	}
	return out
}
