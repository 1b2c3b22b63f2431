package gost28147

import (
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"math/bits"
)

// The constants C1 and C2 of the counter (RFC 5830 section 6.1). C1 is added
// to the second half of the register, C2 to the first.
const (
	counterC1 = 0x01010104
	counterC2 = 0x01010101
)

// block is a register of the modes: the first half first, as words.
type block struct{ n1, n2 uint32 }

func loadBlock(b []byte) block {
	return block{binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])}
}

func (c *Cipher) encryptBlock(b block) block {
	n1, n2 := c.encrypt(b.n1, b.n2)
	return block{n1, n2}
}

// cnt is the counter mode.
type cnt struct {
	secret
	c       Cipher
	mesh    mesher
	counter block
	gamma   [BlockSize]byte
	used    int // bytes of gamma already used
}

// NewCNT returns the counter mode ("gamma", RFC 5830 section 6) with the
// 8-byte initialisation vector. Encrypting and decrypting are the same. A
// vector must never be used twice with one key.
func NewCNT(c *Cipher, iv []byte, m Meshing) (cipher.Stream, error) {
	if len(iv) != BlockSize {
		return nil, ErrIVSize
	}
	return &cnt{
		c:       *c,
		mesh:    mesher{mode: m},
		counter: c.encryptBlock(loadBlock(iv)),
		used:    BlockSize,
	}, nil
}

func (x *cnt) nextGamma() {
	if x.mesh.next(&x.c) {
		x.counter = x.c.encryptBlock(x.counter)
	}
	x.counter.n1 += counterC2
	// Addition modulo 2^32-1: the carry comes back at the lower end.
	sum, carry := bits.Add32(x.counter.n2, counterC1, 0)
	x.counter.n2 = sum + carry

	g := x.c.encryptBlock(x.counter)
	binary.LittleEndian.PutUint32(x.gamma[:], g.n1)
	binary.LittleEndian.PutUint32(x.gamma[4:], g.n2)
	x.used = 0
}

// XORKeyStream encrypts or decrypts src into dst; see crypto/cipher.Stream.
func (x *cnt) XORKeyStream(dst, src []byte) {
	if len(dst) < len(src) {
		panic("gost28147: output smaller than input")
	}
	for len(src) > 0 {
		if x.used == BlockSize {
			x.nextGamma()
		}
		n := subtle.XORBytes(dst, src, x.gamma[x.used:])
		x.used += n
		dst, src = dst[n:], src[n:]
	}
}

// cfb is what both directions of cipher feedback share.
type cfb struct {
	secret
	c        Cipher
	mesh     mesher
	register [BlockSize]byte // the last ciphertext block, as far as known
	gamma    [BlockSize]byte
	used     int // bytes of gamma already used
}

func newCFB(c *Cipher, iv []byte, m Meshing) (cfb, error) {
	if len(iv) != BlockSize {
		return cfb{}, ErrIVSize
	}
	return cfb{c: *c, mesh: mesher{mode: m}, register: [BlockSize]byte(iv), used: BlockSize}, nil
}

func (x *cfb) nextGamma() {
	b := loadBlock(x.register[:])
	if x.mesh.next(&x.c) {
		b = x.c.encryptBlock(b)
	}
	g := x.c.encryptBlock(b)
	binary.LittleEndian.PutUint32(x.gamma[:], g.n1)
	binary.LittleEndian.PutUint32(x.gamma[4:], g.n2)
	x.used = 0
}

type cfbEncrypter struct{ cfb }

type cfbDecrypter struct{ cfb }

// NewCFBEncrypter returns a stream that encrypts in cipher feedback mode
// (RFC 5830 section 7) with the 8-byte initialisation vector.
func NewCFBEncrypter(c *Cipher, iv []byte, m Meshing) (cipher.Stream, error) {
	x, err := newCFB(c, iv, m)
	if err != nil {
		return nil, err
	}
	return &cfbEncrypter{x}, nil
}

// NewCFBDecrypter returns a stream that decrypts what NewCFBEncrypter
// encrypted.
func NewCFBDecrypter(c *Cipher, iv []byte, m Meshing) (cipher.Stream, error) {
	x, err := newCFB(c, iv, m)
	if err != nil {
		return nil, err
	}
	return &cfbDecrypter{x}, nil
}

// XORKeyStream encrypts src into dst; see crypto/cipher.Stream.
func (x *cfbEncrypter) XORKeyStream(dst, src []byte) {
	if len(dst) < len(src) {
		panic("gost28147: output smaller than input")
	}
	for len(src) > 0 {
		if x.used == BlockSize {
			x.nextGamma()
		}
		n := subtle.XORBytes(dst, src, x.gamma[x.used:])
		copy(x.register[x.used:], dst[:n])
		x.used += n
		dst, src = dst[n:], src[n:]
	}
}

// XORKeyStream decrypts src into dst; see crypto/cipher.Stream.
func (x *cfbDecrypter) XORKeyStream(dst, src []byte) {
	if len(dst) < len(src) {
		panic("gost28147: output smaller than input")
	}
	for len(src) > 0 {
		if x.used == BlockSize {
			x.nextGamma()
		}
		// dst may be src, so the ciphertext is kept first.
		n := copy(x.register[x.used:], src)
		subtle.XORBytes(dst, src, x.gamma[x.used:])
		x.used += n
		dst, src = dst[n:], src[n:]
	}
}
