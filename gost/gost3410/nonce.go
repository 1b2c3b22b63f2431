package gost3410

import (
	"crypto/sha256"

	"imzo/gost/gost3410/internal/field"
)

// nonceEntropy is how many fresh random bytes a signature takes: as many as
// the strength of the nonce generator.
const nonceEntropy = 32

// nonceSource is HMAC_DRBG with SHA-256 (NIST SP 800-90A 10.1.2), seeded for
// one signature. The key and the digest in the seed make nonces of different
// signatures independent even when the fresh randomness is not; with good
// randomness the nonces are as good as random even when the key is weak.
type nonceSource struct {
	k, v  [sha256.Size]byte
	again bool
}

// newNonceSource instantiates the generator: the entropy is the private key
// and the fresh randomness, the nonce input the digest, and the curve's name
// keeps one scalar used on two curves from giving equal nonces.
func newNonceSource(curve string, d *[ScalarSize]byte, digest, fresh []byte) nonceSource {
	var material [ScalarSize + nonceEntropy + DigestSize + len("gost3410 CryptoPro-A")]byte
	defer clear(material[:])
	m := append(material[:0], d[:]...)
	m = append(m, fresh...)
	m = append(m, digest...)
	m = append(m, "gost3410 "...)
	m = append(m, curve...)

	var n nonceSource
	for i := range n.v {
		n.v[i] = 1
	}
	n.update(m)
	return n
}

// update is HMAC_DRBG_Update.
func (n *nonceSource) update(material []byte) {
	n.k = hmacSHA256(&n.k, n.v[:], []byte{0}, material)
	n.v = hmacSHA256(&n.k, n.v[:])
	if len(material) == 0 {
		return
	}
	n.k = hmacSHA256(&n.k, n.v[:], []byte{1}, material)
	n.v = hmacSHA256(&n.k, n.v[:])
}

// next returns the next 512 bits.
func (n *nonceSource) next() (hi, lo field.Limbs) {
	if n.again {
		n.update(nil)
	}
	n.again = true
	n.v = hmacSHA256(&n.k, n.v[:])
	hi = field.FromBytes(n.v[:])
	n.v = hmacSHA256(&n.k, n.v[:])
	return hi, field.FromBytes(n.v[:])
}

func (n *nonceSource) wipe() {
	clear(n.k[:])
	clear(n.v[:])
}

// hmacSHA256 is HMAC (RFC 2104) of the parts joined. crypto/hmac gives the
// same at the price of ten allocations a signature.
func hmacSHA256(key *[sha256.Size]byte, parts ...[]byte) [sha256.Size]byte {
	// V, a byte and the seed material are the longest message.
	var inner [sha256.BlockSize + sha256.Size + 1 + ScalarSize + nonceEntropy + DigestSize + 32]byte
	var outer [sha256.BlockSize + sha256.Size]byte
	defer clear(inner[:])
	defer clear(outer[:])
	for i := range sha256.BlockSize {
		inner[i], outer[i] = 0x36, 0x5c
	}
	for i, b := range key {
		inner[i] ^= b
		outer[i] ^= b
	}
	m := inner[:sha256.BlockSize]
	for _, p := range parts {
		m = append(m, p...)
	}
	sum := sha256.Sum256(m)
	copy(outer[sha256.BlockSize:], sum[:])
	return sha256.Sum256(outer[:])
}
