// Package magma implements the block cipher Magma (GOST R 34.12-2015, RFC 8891),
// which is GOST 28147-89 with the S-box id-tc26-gost-28147-param-Z and the
// order of bytes turned round, and the authenticated encryption MGM over it
// (RFC 9058).
//
//	aead, err := magma.NewMGM(key)
//	if err != nil {
//		return err
//	}
//	sealed := aead.Seal(nil, nonce, plaintext, header)
//
// S-boxes and multiplications are computed without branches and without memory
// accesses that depend on secrets.
//
// A block has 64 bits, so one key must stay far below 2^32 blocks; whoever uses
// the package changes keys.
package magma
