package gost3410

import "imzo/gost/gost3410/internal/field"

// SignWithNonce signs with a given nonce, 32 bytes big-endian. It returns nil
// when the nonce gives r = 0 or s = 0.
func (k *PrivateKey) SignWithNonce(digest, nonce []byte) []byte {
	sig := make([]byte, SignatureSize)
	if !k.signWithNonce(sig, digest, k.pub.curve.fn.FromLimbs(field.FromBytes(nonce))) {
		return nil
	}
	return sig
}
