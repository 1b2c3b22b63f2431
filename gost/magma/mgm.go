package magma

import (
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"math/bits"
)

const (
	// NonceSize is the size of a nonce in bytes. Its first bit is zero.
	NonceSize = 8
	// TagSize is the size of a tag in bytes.
	TagSize = 8
	// maxSize bounds plaintext and associated data: their lengths in bits are
	// written in 32 bits, and the counters have 32.
	maxSize = 1<<29 - 1
)

// ErrOpen tells that a message is not authentic.
var ErrOpen = errors.New("magma: message authentication failed")

// MGM is Magma in the mode MGM (RFC 9058). It is safe for concurrent use, until
// Wipe.
type MGM struct{ c *Cipher }

var _ cipher.AEAD = (*MGM)(nil)

// NewMGM returns the mode with the 32-byte key, which is copied.
func NewMGM(key []byte) (*MGM, error) {
	c, err := NewCipher(key)
	if err != nil {
		return nil, err
	}
	return &MGM{c}, nil
}

// Wipe overwrites the key. Using m after it panics.
func (m *MGM) Wipe() { m.c.Wipe() }

// NonceSize returns 8.
func (m *MGM) NonceSize() int { return NonceSize }

// Overhead returns 8, the size of the tag.
func (m *MGM) Overhead() int { return TagSize }

// Seal is cipher.AEAD's. A nonce whose first bit is set, or of another size,
// panics, and so does more than 512 MiB.
func (m *MGM) Seal(dst, nonce, plaintext, additionalData []byte) []byte {
	n := checked(nonce, plaintext, additionalData)
	out, tail := grow(dst, len(plaintext)+TagSize)
	ciphertext := tail[:len(plaintext)]
	m.crypt(ciphertext, plaintext, n)
	binary.BigEndian.PutUint64(tail[len(plaintext):], m.tag(n, ciphertext, additionalData))
	return out
}

// Open is cipher.AEAD's. A message that is not authentic is ErrOpen, and
// nothing of it is given out.
func (m *MGM) Open(dst, nonce, ciphertext, additionalData []byte) ([]byte, error) {
	if len(ciphertext) < TagSize || len(ciphertext)-TagSize > maxSize {
		return nil, ErrOpen
	}
	body, tag := ciphertext[:len(ciphertext)-TagSize], ciphertext[len(ciphertext)-TagSize:]
	n := checked(nonce, body, additionalData)
	var want [TagSize]byte
	binary.BigEndian.PutUint64(want[:], m.tag(n, body, additionalData))
	if subtle.ConstantTimeCompare(want[:], tag) != 1 {
		return nil, ErrOpen
	}
	out, tail := grow(dst, len(body))
	m.crypt(tail, body, n)
	return out, nil
}

func checked(nonce, text, additionalData []byte) uint64 {
	if len(nonce) != NonceSize {
		panic("magma: nonce is not 8 bytes long")
	}
	n := binary.BigEndian.Uint64(nonce)
	if n>>63 != 0 {
		panic("magma: first bit of the nonce is set")
	}
	if len(text) > maxSize || len(additionalData) > maxSize {
		panic("magma: message too long")
	}
	return n
}

// crypt adds the gamma of RFC 9058 4.1: the encryptions of a counter in the
// lower half, which begins as the encryption of the nonce.
func (m *MGM) crypt(dst, src []byte, nonce uint64) {
	y := m.c.block(nonce)
	for ; len(src) >= BlockSize; dst, src = dst[BlockSize:], src[BlockSize:] {
		binary.LittleEndian.PutUint64(dst, binary.LittleEndian.Uint64(src)^bits.ReverseBytes64(m.c.block(y)))
		y = y&^0xffffffff | uint64(uint32(y)+1)
	}
	if len(src) > 0 {
		g := m.c.block(y)
		for i := range src {
			dst[i] = src[i] ^ byte(g>>(56-8*i))
		}
	}
}

// tag is the sum of RFC 9058 4.1, step 4, encrypted: each block times a
// coefficient, which is the encryption of a counter in the upper half. Products
// are reduced once, after they are summed.
func (m *MGM) tag(nonce uint64, ciphertext, additionalData []byte) uint64 {
	z := m.c.block(nonce | 1<<63)
	var high, low uint64
	add := func(x uint64) {
		h, l := multiply(m.c.block(z), x)
		high, low = high^h, low^l
		z += 1 << 32
	}
	for _, part := range [2][]byte{additionalData, ciphertext} {
		for ; len(part) >= BlockSize; part = part[BlockSize:] {
			add(binary.BigEndian.Uint64(part))
		}
		if len(part) > 0 {
			var b [BlockSize]byte
			copy(b[:], part)
			add(binary.BigEndian.Uint64(b[:]))
		}
	}
	add(uint64(len(additionalData))<<35 | uint64(len(ciphertext))<<3)
	return m.c.block(reduce(high, low))
}

// multiply is the product of two polynomials over GF(2). Every fourth bit of
// the factors is multiplied alone, so that sums have room to be carried into
// and the carries are masked away; the multiplier takes the same time for all.
func multiply(x, y uint64) (high, low uint64) {
	const lane = 0x1111111111111111
	var xs, ys [4]uint64
	for i := range xs {
		xs[i], ys[i] = x&(lane<<i), y&(lane<<i)
	}
	for i := range 4 {
		var h, l uint64
		for j := range 4 {
			a, b := bits.Mul64(xs[j], ys[(i-j)&3])
			h, l = h^a, l^b
		}
		high, low = high|h&(lane<<i), low|l&(lane<<i)
	}
	return high, low
}

// reduce takes a product modulo x^64 + x^4 + x^3 + x + 1.
func reduce(high, low uint64) uint64 {
	over := high>>60 ^ high>>61 ^ high>>63
	high ^= over
	return low ^ high ^ high<<1 ^ high<<3 ^ high<<4
}

// grow returns in with n bytes more, and those.
func grow(in []byte, n int) (out, tail []byte) {
	if total := len(in) + n; cap(in) >= total {
		out = in[:total]
	} else {
		out = make([]byte, total)
		copy(out, in)
	}
	return out, out[len(in):]
}
