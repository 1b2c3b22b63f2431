package keystore

import (
	"bytes"
	"crypto/pbkdf2"
	"hash"
	"unicode/utf16"
	"unicode/utf8"
)

// The purposes of the PKCS#12 key derivation (RFC 7292 appendix B.3).
const (
	kdfKey byte = 1
	kdfIV  byte = 2
	kdfMAC byte = 3
)

// pkcs12Key is the key derivation of RFC 7292 appendix B.2. password is in the
// encoding of appendix B.1.
func pkcs12Key(newHash func() hash.Hash, purpose byte, password, salt []byte, iterations, size int) []byte {
	h := newHash()
	u, v := h.Size(), h.BlockSize()
	diversifier := bytes.Repeat([]byte{purpose}, v)
	input := make([]byte, 0, len(salt)+len(password)+2*v)
	input = appendFilled(input, salt, v)
	input = appendFilled(input, password, v)
	defer clear(input)
	out := make([]byte, 0, (size+u-1)/u*u)
	sum := make([]byte, 0, u)
	defer func() { clear(sum[:u]) }()
	for {
		h.Reset()
		h.Write(diversifier)
		h.Write(input)
		sum = h.Sum(sum[:0])
		for range iterations - 1 {
			h.Reset()
			h.Write(sum)
			sum = h.Sum(sum[:0])
		}
		out = append(out, sum...)
		if len(out) >= size {
			clear(out[size:])
			return out[:size]
		}
		// Every v octets of the input, as a number, grow by the digest
		// repeated to v octets, plus one.
		b := appendFilled(nil, sum, v)
		for block := input; len(block) > 0; block = block[v:] {
			addPlusOne(block[:v], b)
		}
		clear(b)
	}
}

// appendFilled appends b, repeated to the next multiple of v octets; nothing
// stays nothing.
func appendFilled(out, b []byte, v int) []byte {
	for n := (len(b) + v - 1) / v * v; n > 0; {
		part := b[:min(len(b), n)]
		out = append(out, part...)
		n -= len(part)
	}
	return out
}

// addPlusOne sets a to a + b + 1 modulo 2^(8 len(a)), big-endian.
func addPlusOne(a, b []byte) {
	carry := 1
	for i := len(a) - 1; i >= 0; i-- {
		carry += int(a[i]) + int(b[i])
		a[i] = byte(carry)
		carry >>= 8
	}
}

// pbkdf2Key is PBKDF2 (RFC 8018 5.2).
func pbkdf2Key(newHash func() hash.Hash, password, salt []byte, iterations, size int) ([]byte, error) {
	return pbkdf2.Key(newHash, string(password), salt, iterations, size)
}

// password holds the encodings of a password that files are tried with.
type password struct {
	bmp    [][]byte // for the PKCS#12 derivation
	octets [][]byte // for PBKDF2
}

// newPassword encodes a password. Text that is not UTF-8, or longer than
// anybody types, is the password of no file: the error wraps ErrPassword.
func newPassword(s string) (*password, error) {
	units := utf16.Encode([]rune(s))
	defer clear(units)
	if !utf8.ValidString(s) || len(units) > maxPassword {
		return nil, ErrPassword
	}
	bmp := make([]byte, 0, 2*len(units)+2)
	low := make([]byte, 0, len(units))
	for _, u := range units {
		bmp = append(bmp, byte(u>>8), byte(u))
		low = append(low, byte(u))
	}
	bmp = append(bmp, 0, 0)
	p := &password{bmp: [][]byte{bmp}, octets: [][]byte{low}}
	if s == "" {
		// OpenSSL can be made to write files for no password at all, where
		// not even the final zero is hashed.
		p.bmp = append(p.bmp, nil)
	}
	if s != string(low) {
		p.octets = append(p.octets, []byte(s))
	}
	return p, nil
}

// wipe clears the copies made by newPassword.
func (p *password) wipe() {
	for _, b := range p.bmp {
		clear(b)
	}
	for _, b := range p.octets {
		clear(b)
	}
}
