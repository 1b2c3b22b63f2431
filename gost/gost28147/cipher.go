package gost28147

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

const (
	// BlockSize is the size of a block in bytes.
	BlockSize = 8
	// KeySize is the size of a key in bytes.
	KeySize = 32
)

// Errors about the size of an argument.
var (
	ErrKeySize      = errors.New("gost28147: key is not 32 bytes long")
	ErrIVSize       = errors.New("gost28147: initialisation vector is not 8 bytes long")
	ErrPartialBlock = errors.New("gost28147: input is not a whole number of 8-byte blocks")
)

// Cipher is GOST 28147-89 with a key and an S-box. It implements
// crypto/cipher.Block and may be used by several goroutines at once, until
// Wipe.
type Cipher struct {
	secret
	key  [8]uint32
	sbox *SBox
}

// NewCipher returns the cipher with the 32-byte key and the S-box. The key is
// copied.
func NewCipher(key []byte, s *SBox) (*Cipher, error) {
	if len(key) != KeySize {
		return nil, ErrKeySize
	}
	if s == nil {
		return nil, ErrSBox
	}
	c := &Cipher{sbox: s}
	c.setKey((*[KeySize]byte)(key))
	return c, nil
}

func (c *Cipher) setKey(key *[KeySize]byte) {
	for i := range c.key {
		c.key[i] = binary.LittleEndian.Uint32(key[4*i:])
	}
}

// Wipe overwrites the key. The cipher must not be used after it: doing so
// panics. Streams and MACs made of the cipher hold copies of the key.
func (c *Cipher) Wipe() {
	clear(c.key[:])
	c.sbox = nil
}

// BlockSize returns 8.
func (c *Cipher) BlockSize() int { return BlockSize }

// SBox returns the S-box the cipher was made with.
func (c *Cipher) SBox() *SBox { return c.sbox }

// Encrypt encrypts the first 8 bytes of src into dst, which may be the same
// memory. Shorter slices panic, as in crypto/cipher.
func (c *Cipher) Encrypt(dst, src []byte) {
	if len(src) < BlockSize {
		panic("gost28147: input not full block")
	}
	if len(dst) < BlockSize {
		panic("gost28147: output not full block")
	}
	n1, n2 := c.encrypt(binary.LittleEndian.Uint32(src), binary.LittleEndian.Uint32(src[4:]))
	binary.LittleEndian.PutUint32(dst, n1)
	binary.LittleEndian.PutUint32(dst[4:], n2)
}

// Decrypt decrypts the first 8 bytes of src into dst, which may be the same
// memory. Shorter slices panic, as in crypto/cipher.
func (c *Cipher) Decrypt(dst, src []byte) {
	if len(src) < BlockSize {
		panic("gost28147: input not full block")
	}
	if len(dst) < BlockSize {
		panic("gost28147: output not full block")
	}
	n1, n2 := c.decrypt(binary.LittleEndian.Uint32(src), binary.LittleEndian.Uint32(src[4:]))
	binary.LittleEndian.PutUint32(dst, n1)
	binary.LittleEndian.PutUint32(dst[4:], n2)
}

// EncryptECB encrypts src block by block into dst, which must have the same
// length and be the same memory or not overlap. A length that is no multiple
// of 8 is ErrPartialBlock.
func (c *Cipher) EncryptECB(dst, src []byte) error {
	return eachBlock(dst, src, c.Encrypt)
}

// DecryptECB is the inverse of EncryptECB.
func (c *Cipher) DecryptECB(dst, src []byte) error {
	return eachBlock(dst, src, c.Decrypt)
}

func eachBlock(dst, src []byte, f func(dst, src []byte)) error {
	if len(src)%BlockSize != 0 || len(dst) != len(src) {
		return ErrPartialBlock
	}
	for ; len(src) > 0; dst, src = dst[BlockSize:], src[BlockSize:] {
		f(dst, src)
	}
	return nil
}

// round is the function f of RFC 5830 section 5.1: add the key, substitute,
// rotate by eleven bits.
func (s *SBox) round(n, k uint32) uint32 {
	return bits.RotateLeft32(s.substitute(n+k), 11)
}

// encrypt is the 32-step cycle "32-Z" of RFC 5830 section 5.1. Two steps at a
// time need no exchange of the halves; the last step of the standard does not
// exchange them either, hence the order of the result.
func (c *Cipher) encrypt(n1, n2 uint32) (uint32, uint32) {
	s, k := c.sbox, &c.key
	for range 3 {
		for i := 0; i < 8; i += 2 {
			n2 ^= s.round(n1, k[i])
			n1 ^= s.round(n2, k[i+1])
		}
	}
	for i := 7; i > 0; i -= 2 {
		n2 ^= s.round(n1, k[i])
		n1 ^= s.round(n2, k[i-1])
	}
	return n2, n1
}

// decrypt is the cycle "32-R" of RFC 5830 section 5.2: encrypt with the round
// keys in the opposite order.
func (c *Cipher) decrypt(n1, n2 uint32) (uint32, uint32) {
	s, k := c.sbox, &c.key
	for i := 0; i < 8; i += 2 {
		n2 ^= s.round(n1, k[i])
		n1 ^= s.round(n2, k[i+1])
	}
	for range 3 {
		for i := 7; i > 0; i -= 2 {
			n2 ^= s.round(n1, k[i])
			n1 ^= s.round(n2, k[i-1])
		}
	}
	return n2, n1
}

// imit is the 16-step cycle "16-Z" of RFC 5830 section 8. Its last step
// exchanges the halves.
func (c *Cipher) imit(n1, n2 uint32) (uint32, uint32) {
	s, k := c.sbox, &c.key
	for range 2 {
		for i := 0; i < 8; i += 2 {
			n2 ^= s.round(n1, k[i])
			n1 ^= s.round(n2, k[i+1])
		}
	}
	return n1, n2
}
