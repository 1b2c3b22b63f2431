package keystore

import (
	"crypto/subtle"
	"hash"
	"io"

	"imzo/gost/gost28147"
	"imzo/gost/gost341194"
	"imzo/pki/alg"
	"imzo/pki/ber"
)

// The ciphers of keys in a YKS file; both are the same cipher.
var (
	oidYKSKey    = ber.MustOID("1.2.860.3.2.10.1")
	oidYKSKeyOld = ber.MustOID("1.2.860.1.4.1.100.1.1.1.1")
)

const (
	yksSaltSize   = 32
	yksIterations = 1000
	// yksWhitener stands before the content in the digest of the store, as
	// "Mighty Aphrodite" does in Java's.
	yksWhitener = "The IT Crowd"
)

// gostSum hashes the parts, one after the other, which may be secret.
func gostSum(h hash.Hash, parts ...[]byte) []byte {
	h.Reset()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// yksPassword returns a password in UTF-16, big-endian, without a final zero.
func yksPassword(s string) ([]byte, error) {
	pw, err := newPassword(s)
	if err != nil {
		return nil, err
	}
	defer pw.wipe()
	bmp := pw.bmp[0]
	return append([]byte(nil), bmp[:len(bmp)-2]...), nil
}

// yksDigest is what stands at the end of a store.
func yksDigest(pw, body []byte) []byte {
	return gostSum(gost341194.NewConstantTime(), pw, []byte(yksWhitener), body)
}

// yksCipher stretches the password. Its result has to be wiped.
func yksCipher(pw, salt []byte) (*gost28147.Cipher, error) {
	h := gost341194.NewConstantTime()
	key := gostSum(h, pw, salt)
	defer func() { clear(key) }()
	for range yksIterations - 1 {
		next := gostSum(h, pw, salt, key)
		clear(key)
		key = next
	}
	return gost28147.NewCipher(key, gost28147.SBoxHashCryptoPro())
}

// sealYKSKey encrypts a PKCS#8 key, which the caller clears.
func sealYKSKey(rand io.Reader, pw, pkcs8 []byte) ([]byte, error) {
	salt, err := randomOctets(rand, yksSaltSize)
	if err != nil {
		return nil, err
	}
	c, err := yksCipher(pw, salt)
	if err != nil {
		return nil, err
	}
	defer c.Wipe()
	text := make([]byte, 0, len(pkcs8)+gost28147.BlockSize)
	text = append(text, pkcs8...)
	for n := byte(1); n == 1 || len(text)%gost28147.BlockSize != 0; n++ {
		text = append(text, n)
	}
	if err := c.EncryptECB(text, text); err != nil {
		return nil, err
	}
	checksum := gostSum(gost341194.NewConstantTime(), pw, pkcs8)
	return ber.Sequence(alg.NewNull(oidYKSKey).Marshal(), ber.Tagged(ber.TagOctetString, salt, text, checksum)), nil
}

// openYKSKey decrypts a key. The caller clears the result. An error wraps
// ErrPassword when the key is sound and another password's.
func openYKSKey(pw, der []byte) ([]byte, error) {
	const what = "key of a YKS file"
	r, err := sequence(der, what)
	if err != nil {
		return nil, err
	}
	id, err := readIdentifier(&r, what)
	if err != nil {
		return nil, err
	}
	e, err := r.Read(ber.TagOctetString)
	if err != nil {
		return nil, formatError(what, err)
	}
	data, err := e.OctetString()
	if err != nil {
		return nil, formatError(what, err)
	}
	if err := r.Done(); err != nil {
		return nil, formatError(what, err)
	}
	if id.OID != oidYKSKey && id.OID != oidYKSKeyOld {
		return nil, unsupportedf("key of a YKS file under %s", id.OID)
	}
	n := len(data) - yksSaltSize - gost341194.Size
	if !id.NoParams() || n < gost28147.BlockSize || n%gost28147.BlockSize != 0 {
		return nil, formatErrorf("%s of %d octets", what, len(data))
	}
	salt, text, checksum := data[:yksSaltSize], data[yksSaltSize:yksSaltSize+n], data[yksSaltSize+n:]
	c, err := yksCipher(pw, salt)
	if err != nil {
		return nil, err
	}
	defer c.Wipe()
	plain := make([]byte, n)
	if err := c.DecryptECB(plain, text); err != nil {
		clear(plain)
		return nil, err
	}
	size := unpadSequence(plain)
	if size < 0 || subtle.ConstantTimeCompare(gostSum(gost341194.NewConstantTime(), pw, plain[:size]), checksum) != 1 {
		clear(plain)
		return nil, ErrPassword
	}
	return plain[:size], nil
}

// unpadSequence returns the length of a text without its padding, which is 1
// to 8 octets that count 1, 2, ...; -1 where it is not.
func unpadSequence(text []byte) int {
	size := len(text) - int(text[len(text)-1])
	if size < len(text)-gost28147.BlockSize || size >= len(text) {
		return -1
	}
	for i, b := range text[size:] {
		if int(b) != i+1 {
			return -1
		}
	}
	return size
}
