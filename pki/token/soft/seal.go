package soft

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/argon2"
)

const (
	keySize      = 32 // AES-256
	nonceSize    = 12
	sealOverhead = nonceSize + 16
)

// kdf is Argon2id (RFC 9106) with its parameters.
type kdf struct {
	Time    uint32 `json:"time"`
	Memory  uint32 `json:"memory_kib"`
	Threads uint8  `json:"threads"`
	Salt    []byte `json:"salt"`
}

// usualKDF is the second recommended choice of RFC 9106 4.
func usualKDF() kdf { return kdf{Time: 3, Memory: 64 << 10, Threads: 4} }

// A file from elsewhere must not take more than twice the usual memory, nor
// seconds of time. The lower bounds are those of RFC 9106 3.1.
const (
	maxKDFTime    = 8
	maxKDFMemory  = 128 << 10 // KiB
	maxKDFThreads = 8
	saltSize      = 16
)

func (k kdf) check() error {
	if k.Time < 1 || k.Time > maxKDFTime || k.Threads < 1 || k.Threads > maxKDFThreads ||
		k.Memory < 8*uint32(k.Threads) || k.Memory > maxKDFMemory || len(k.Salt) != saltSize {
		return formatErrorf("parameters of Argon2id")
	}
	return nil
}

func (k kdf) key(secret []byte) []byte {
	return argon2.IDKey(secret, k.Salt, k.Time, k.Memory, k.Threads, keySize)
}

var errSeal = errors.New("seal does not open")

// newLock puts the card key under a PIN or PUK, with all tries.
func newLock(rand io.Reader, use kdf, name string, id, secret, cardKey []byte, tries int) (*lock, error) {
	use.Salt = make([]byte, saltSize)
	if _, err := io.ReadFull(rand, use.Salt); err != nil {
		return nil, fmt.Errorf("reading randomness: %w", err)
	}
	key := use.key(secret)
	defer clear(key)
	sealed, err := seal(rand, key, bound(name, id, nil), cardKey)
	if err != nil {
		return nil, err
	}
	return &lock{TriesLeft: tries, KDF: use, Sealed: sealed}, nil
}

// open returns the card key, which the caller wipes, or errSeal.
func (l *lock) open(name string, id, secret []byte) ([]byte, error) {
	key := l.KDF.key(secret)
	defer clear(key)
	return unseal(key, bound(name, id, nil), l.Sealed)
}

// bound is the additional data of a seal: what it is for, whose it is.
func bound(name string, id, more []byte) []byte {
	out := append([]byte(format+" 1 "+name+"\x00"), id...)
	return append(out, more...)
}

// seal returns nonce and AES-256-GCM of the text. A random nonce is good for
// 2^32 seals under one key; a card key makes one for each key pair.
func seal(rand io.Reader, key, additional, text []byte) ([]byte, error) {
	aead, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	out := make([]byte, nonceSize, nonceSize+len(text)+aead.Overhead())
	if _, err := io.ReadFull(rand, out); err != nil {
		return nil, fmt.Errorf("reading randomness: %w", err)
	}
	return aead.Seal(out, out, text, additional), nil
}

func unseal(key, additional, sealed []byte) ([]byte, error) {
	aead, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	if len(sealed) < nonceSize {
		return nil, errSeal
	}
	text, err := aead.Open(nil, sealed[:nonceSize], sealed[nonceSize:], additional)
	if err != nil {
		return nil, errSeal
	}
	return text, nil
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
