package gost3410

import (
	"fmt"

	"imzo/gost/gost3410/internal/field"
	"imzo/gost/gost341194"
)

// VKO agrees on 32 bytes with the holder of peer's private key (VKO GOST R
// 34.10-2001, RFC 4357 5.2): the GOST R 34.11-94 hash, with the CryptoPro
// S-box, of x ‖ y, both little-endian, of the point (ukm * d) * peer.
//
// ukm is a little-endian integer that both sides know. RFC 4357 has 8 bytes;
// any length from 1 to 32 is taken, because CMS and TLS dialects use others.
// It must not be 0 modulo n (ErrInvalidUKM). peer must be on k's curve
// (ErrCurveMismatch).
//
// The result keys a cipher. It authenticates nobody.
func (k *PrivateKey) VKO(peer *PublicKey, ukm []byte) ([]byte, error) {
	c := k.pub.curve
	if peer.curve != c {
		return nil, fmt.Errorf("%w: %s and %s", ErrCurveMismatch, c.name, peer.curve.name)
	}
	if len(ukm) == 0 || len(ukm) > ScalarSize {
		return nil, fmt.Errorf("%w: user key material of %d bytes, want 1 to %d", ErrInvalidLength, len(ukm), ScalarSize)
	}
	if k.secret.wiped {
		return nil, ErrWiped
	}
	var padded [ScalarSize]byte
	copy(padded[:], ukm)
	u := c.fn.FromLimbs(field.FromLittleEndian(padded[:]))
	if c.fn.IsZero(u) != 0 { // ukm is public
		return nil, ErrInvalidUKM
	}

	p := c.mult(c.fn.Limbs(c.fn.Mul(u, k.secret.d)), peer.q)
	shared := c.affine(&p)
	var xy [PublicKeySize]byte
	defer clear(xy[:])
	c.fp.Limbs(shared.X).PutLittleEndian(xy[:ScalarSize])
	c.fp.Limbs(shared.Y).PutLittleEndian(xy[ScalarSize:])
	h := gost341194.NewConstantTime()
	h.Write(xy[:])
	return h.Sum(nil), nil
}
