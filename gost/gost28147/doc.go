// Package gost28147 implements the block cipher GOST 28147-89 (RFC 5830), its
// modes of operation and the algorithms RFC 4357 builds on it.
//
// The standard leaves the S-box open; an [SBox] is one of the published sets
// ([SBoxCryptoProA], [SBoxHashCryptoPro], ..., or by identifier [SBoxByOID])
// or a set of the user's own ([NewSBox]). Peers have to agree on it.
//
//	c, err := gost28147.NewCipher(key, gost28147.SBoxCryptoProA())
//	if err != nil {
//		return err
//	}
//	stream, err := gost28147.NewCFBEncrypter(c, iv, gost28147.CryptoProMeshing)
//
// What is here:
//   - [Cipher] is a crypto/cipher.Block with 8-byte blocks and a 32-byte key;
//     its methods EncryptECB and DecryptECB work on whole buffers (simple
//     substitution, RFC 5830 section 5).
//   - [NewCNT] is the counter mode, "gamma" (RFC 5830 section 6).
//   - [NewCFBEncrypter] and [NewCFBDecrypter] are cipher feedback (RFC 5830
//     section 7).
//   - [NewMAC] is the message authentication code, "IMIT" (RFC 5830 section 8).
//   - Counter, feedback and MAC optionally change the key every 1024 bytes
//     (CryptoPro key meshing, RFC 4357 section 2.3.2).
//   - [WrapKey], [UnwrapKey], [WrapKeyCryptoPro], [UnwrapKeyCryptoPro] and
//     [DiversifyKEK] are RFC 4357 section 6.
//
// The S-boxes are evaluated as Boolean functions, without a memory access that
// depends on the key or the data, and the key schedule has no branches: time
// does not depend on secrets. Types that hold a key do not print it.
//
// The package has no padding, no choice of initialisation vectors and no
// authenticated encryption: a stream protects nothing against change unless
// its user adds a MAC. A block of 64 bits limits what one key may encrypt;
// without key meshing stay far below 2^32 blocks (32 GiB).
package gost28147
