package gost28147

import (
	"crypto/subtle"
	"encoding/binary"
	"errors"
)

const (
	// UKMSize is the size of the user keying material in bytes.
	UKMSize = 8
	// WrappedKeySize is the size of a wrapped key in bytes: UKM, encrypted
	// key, MAC.
	WrappedKeySize = UKMSize + KeySize + MACSize
)

// Errors of wrapping and unwrapping.
var (
	ErrUKMSize     = errors.New("gost28147: UKM is not 8 bytes long")
	ErrWrappedSize = errors.New("gost28147: wrapped key is not 44 bytes long")
	// ErrUnwrap tells that the MAC of a wrapped key is wrong: the key
	// encryption key or the S-box is another one, or the data was changed.
	ErrUnwrap = errors.New("gost28147: wrapped key does not match its MAC")
)

// WrapKey encrypts the 32-byte key cek under the key encryption key kek
// ("GOST 28147-89 Key Wrap", RFC 4357 section 6.1) and returns
// ukm || encrypted key || MAC, 44 bytes. The 8-byte ukm must be new for each
// wrapping with one kek. Use it for a kek of one use, such as one agreed by
// VKO; for a lasting kek there is [WrapKeyCryptoPro].
func WrapKey(kek, cek, ukm []byte, s *SBox) ([]byte, error) {
	if len(cek) != KeySize {
		return nil, ErrKeySize
	}
	if len(ukm) != UKMSize {
		return nil, ErrUKMSize
	}
	c, err := NewCipher(kek, s)
	if err != nil {
		return nil, err
	}
	defer c.Wipe()

	out := make([]byte, 0, WrappedKeySize)
	out = append(out, ukm...)
	out = append(out, cek...)
	enc := out[UKMSize:]
	if err := c.EncryptECB(enc, enc); err != nil {
		return nil, err
	}
	return c.appendCEKMAC(out, cek, ukm)
}

// UnwrapKey returns the key in what [WrapKey] returned (RFC 4357 section
// 6.2). A MAC that does not match is ErrUnwrap.
func UnwrapKey(kek, wrapped []byte, s *SBox) ([]byte, error) {
	if len(wrapped) != WrappedKeySize {
		return nil, ErrWrappedSize
	}
	c, err := NewCipher(kek, s)
	if err != nil {
		return nil, err
	}
	defer c.Wipe()

	ukm, enc, mac := wrapped[:UKMSize], wrapped[UKMSize:UKMSize+KeySize], wrapped[UKMSize+KeySize:]
	cek := make([]byte, KeySize)
	if err := c.DecryptECB(cek, enc); err != nil {
		return nil, err
	}
	want, err := c.appendCEKMAC(nil, cek, ukm)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(want, mac) != 1 {
		clear(cek)
		return nil, ErrUnwrap
	}
	return cek, nil
}

// appendCEKMAC appends the MAC of the key, which starts from the UKM.
func (c *Cipher) appendCEKMAC(b, cek, ukm []byte) ([]byte, error) {
	m, err := NewMAC(c, MACOptions{IV: ukm})
	if err != nil {
		return nil, err
	}
	if _, err := m.Write(cek); err != nil {
		return nil, err
	}
	return m.Sum(b), nil
}

// WrapKeyCryptoPro is [WrapKey] under a key diversified from kek and ukm
// ("CryptoPro Key Wrap", RFC 4357 section 6.3).
func WrapKeyCryptoPro(kek, cek, ukm []byte, s *SBox) ([]byte, error) {
	div, err := DiversifyKEK(kek, ukm, s)
	if err != nil {
		return nil, err
	}
	defer clear(div)
	return WrapKey(div, cek, ukm, s)
}

// UnwrapKeyCryptoPro returns the key in what [WrapKeyCryptoPro] returned
// (RFC 4357 section 6.4). A MAC that does not match is ErrUnwrap.
func UnwrapKeyCryptoPro(kek, wrapped []byte, s *SBox) ([]byte, error) {
	if len(wrapped) != WrappedKeySize {
		return nil, ErrWrappedSize
	}
	div, err := DiversifyKEK(kek, wrapped[:UKMSize], s)
	if err != nil {
		return nil, err
	}
	defer clear(div)
	return UnwrapKey(div, wrapped, s)
}

// DiversifyKEK derives a 32-byte key from the key encryption key and the
// 8-byte ukm (RFC 4357 section 6.5): eight times the key encrypts itself in
// feedback mode, with an initialisation vector of two sums of its words. A
// byte of the ukm tells which word goes to which sum.
func DiversifyKEK(kek, ukm []byte, s *SBox) ([]byte, error) {
	if len(kek) != KeySize {
		return nil, ErrKeySize
	}
	if len(ukm) != UKMSize {
		return nil, ErrUKMSize
	}
	key := append([]byte(nil), kek...)
	for _, a := range ukm {
		var s1, s2 uint32
		for j := range 8 {
			k := binary.LittleEndian.Uint32(key[4*j:])
			in := -uint32(a >> j & 1) // all ones when bit j is set
			s1 += k & in
			s2 += k &^ in
		}
		var iv [BlockSize]byte
		binary.LittleEndian.PutUint32(iv[:], s1)
		binary.LittleEndian.PutUint32(iv[4:], s2)

		c, err := NewCipher(key, s)
		if err != nil {
			return nil, err
		}
		stream, err := NewCFBEncrypter(c, iv[:], NoMeshing)
		if err != nil {
			return nil, err
		}
		stream.XORKeyStream(key, key)
		c.Wipe()
	}
	return key, nil
}
