package gost3410

import (
	"crypto"
	"crypto/rand"
	"fmt"
	"io"

	"imzo/gost/gost3410/internal/field"
)

// Sign signs the digest, 32 bytes as the hash prints it (RFC 5832 6.1), and
// returns 64 bytes s ‖ r, big-endian. A digest that is 0 modulo n counts as
// 1.
//
// The nonce is derived from the key, the digest and 32 bytes read from
// random, or from crypto/rand when random is nil. A source that repeats
// itself makes signatures of one digest equal, and no more. opts is ignored
// and may be nil: GOST R 34.11-94 has no crypto.Hash.
func (k *PrivateKey) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if len(digest) != DigestSize {
		return nil, fmt.Errorf("%w: digest of %d bytes, want %d", ErrInvalidLength, len(digest), DigestSize)
	}
	if k.secret.wiped {
		return nil, ErrWiped
	}
	if random == nil {
		random = rand.Reader
	}
	// The signature's own memory first holds the fresh randomness; a buffer
	// given to a Reader would be one more allocation.
	sig := make([]byte, SignatureSize)
	if _, err := io.ReadFull(random, sig[:nonceEntropy]); err != nil {
		return nil, fmt.Errorf("gost3410: reading randomness: %w", err)
	}

	c := k.pub.curve
	var d [ScalarSize]byte
	defer clear(d[:])
	c.fn.Limbs(k.secret.d).PutBytes(d[:])
	nonces := newNonceSource(c.name, &d, digest, sig[:nonceEntropy])
	defer nonces.wipe()
	for {
		hi, lo := nonces.next()
		if k.signWithNonce(sig, digest, field.FromWide(c.fn, hi, lo)) {
			return sig, nil
		}
	}
}

// signWithNonce writes the signature under the nonce and reports whether the
// nonce was fit for it: r and s must not be 0, which happens once in 2^255.
//
// These are the lines that must not branch on what they work with.
func (k *PrivateKey) signWithNonce(sig, digest []byte, nonce field.Element) bool {
	c := k.pub.curve
	f := c.fn
	p := c.baseMult(f.Limbs(nonce))
	// An infinite p, from nonce 0, has x = 0 here, so r = 0 rejects it.
	x := c.fp.Mul(p.x, c.fp.Invert(p.z))
	r := f.FromLimbs(c.fp.Limbs(x))
	s := f.Add(f.Mul(r, k.secret.d), f.Mul(nonce, c.digestScalar(digest)))

	f.Limbs(s).PutBytes(sig[:ScalarSize])
	f.Limbs(r).PutBytes(sig[ScalarSize:])
	return f.IsZero(r)|f.IsZero(s) == 0
}
