// Package apikey checks the API keys with which web sites open E-IMZO (guide
// 1.1).
//
// A key is the vendor's signature for the site's domain: 128 hexadecimal
// digits, s then r of GOST R 34.10-2001 on the curve CryptoPro-A, over the
// hash of the hash (GOST R 34.11-94, CryptoPro) of the domain's name in
// UTF-8.
//
//	err := apikey.Verify("example.uz", key) // nil: the key is the domain's
//
// The domain is the bare host name as the browser shows it, without scheme
// and port; a page from a file has the domain "null". Keys cannot be made
// here: only the vendor has the private key.
package apikey

import (
	"encoding/hex"
	"errors"
	"strings"

	"imzo/gost/gost3410"
	"imzo/gost/gost341194"
)

var (
	// ErrFormat says that a text is no API key at all.
	ErrFormat = errors.New("an API key has 128 hexadecimal digits")
	// ErrSignature says that a key is not the vendor's for the domain.
	ErrSignature = errors.New("the API key does not belong to the domain")
)

// The vendor's public key on CryptoPro-A, big-endian, as every E-IMZO
// carries it.
const (
	vendorX = "29c7371abeb628c21dea54d24e6f17ad5de119bc495dcd402b27e642efa78cbd"
	vendorY = "be1401d23a79d1270d13332a0b4b1aefa533d2f75133c3cbc0061d8e47869749"
)

var vendor = func() *gost3410.PublicKey {
	x, errX := hex.DecodeString(vendorX)
	y, errY := hex.DecodeString(vendorY)
	key, err := gost3410.NewPublicKey(gost3410.CryptoProA(), x, y)
	if err := errors.Join(errX, errY, err); err != nil {
		panic(err)
	}
	return key
}()

// Verify tells whether key is the vendor's for domain. The digits may be of
// either case, with white space around them. The error is [ErrFormat] or
// [ErrSignature].
func Verify(domain, key string) error { return verify(vendor, domain, key) }

func verify(signer *gost3410.PublicKey, domain, key string) error {
	sig, err := hex.DecodeString(strings.TrimSpace(key))
	if err != nil || len(sig) != gost3410.SignatureSize {
		return ErrFormat
	}
	once := gost341194.Sum256([]byte(domain))
	twice := gost341194.Sum256(once[:])
	if !signer.Verify(twice[:], sig) {
		return ErrSignature
	}
	return nil
}
