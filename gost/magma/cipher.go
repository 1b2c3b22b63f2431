package magma

import (
	"crypto/cipher"
	"encoding/binary"
	"slices"

	"imzo/gost/gost28147"
)

const (
	// BlockSize is the size of a block in bytes.
	BlockSize = 8
	// KeySize is the size of a key in bytes.
	KeySize = 32
)

// Cipher is Magma with a key. Several goroutines may use it at once, until Wipe.
type Cipher struct{ c *gost28147.Cipher }

var _ cipher.Block = (*Cipher)(nil)

// NewCipher returns the cipher with the 32-byte key, which is copied. Another
// size is [gost28147.ErrKeySize].
func NewCipher(key []byte) (*Cipher, error) {
	if len(key) != KeySize {
		return nil, gost28147.ErrKeySize
	}
	// RFC 8891 reads words big-endian where RFC 5830 reads them little-endian.
	var turned [KeySize]byte
	defer clear(turned[:])
	for i := 0; i < KeySize; i += 4 {
		binary.LittleEndian.PutUint32(turned[i:], binary.BigEndian.Uint32(key[i:]))
	}
	c, err := gost28147.NewCipher(turned[:], gost28147.SBoxTC26Z())
	if err != nil {
		return nil, err
	}
	return &Cipher{c}, nil
}

// Wipe overwrites the key. Using the cipher after it panics.
func (c *Cipher) Wipe() { c.c.Wipe() }

// BlockSize returns 8.
func (c *Cipher) BlockSize() int { return BlockSize }

// Encrypt encrypts the first 8 bytes of src into dst, which may be the same
// memory. Shorter slices panic, as in crypto/cipher.
func (c *Cipher) Encrypt(dst, src []byte) { turn(c.c.Encrypt, dst, src) }

// Decrypt is the inverse of Encrypt.
func (c *Cipher) Decrypt(dst, src []byte) { turn(c.c.Decrypt, dst, src) }

func turn(f func(dst, src []byte), dst, src []byte) {
	if len(src) < BlockSize {
		panic("magma: input not full block")
	}
	if len(dst) < BlockSize {
		panic("magma: output not full block")
	}
	var b [BlockSize]byte
	copy(b[:], src)
	slices.Reverse(b[:])
	f(b[:], b[:])
	slices.Reverse(b[:])
	copy(dst, b[:])
}

// block encrypts a block that is a number.
func (c *Cipher) block(x uint64) uint64 {
	var b [BlockSize]byte
	binary.LittleEndian.PutUint64(b[:], x)
	c.c.Encrypt(b[:], b[:])
	return binary.LittleEndian.Uint64(b[:])
}
