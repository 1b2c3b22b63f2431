// Package gost341194 implements the hash function GOST R 34.11-94 (RFC 5831),
// known in Uzbekistan as O'z DSt 1106:2009 algorithm 2 and O'zMSt 285:2024
// algorithm 2, and in Ukraine as GOST 34.311-95.
//
// The standard leaves the S-box of its cipher open. [New] takes that of
// CryptoPro, which Russia's and Uzbekistan's systems use, [NewTest] the one of
// the standard's examples, [NewWithSBox] any other:
//
//	h := gost341194.New()
//	io.Copy(h, document)
//	digest := h.Sum(nil) // 32 bytes, in the order of RFC 4490 and of E-IMZO
//
// The initial value is 32 zero bytes, as everywhere. HMAC_GOSTR3411 (RFC 4357
// section 3) is hmac.New(func() hash.Hash { return gost341194.New() }, key).
//
// Several documents that wait are hashed side by side by [SumMany].
//
// The hash is meant for public data: it looks its S-boxes up in tables, at
// places that depend on the message, and that can be observed by others on the
// same machine through the processor's cache. Where a secret goes through it,
// as in HMAC or in deriving a key from a password, take [NewConstantTime],
// which has no such look-ups.
//
// On amd64 there is assembly, most of it for processors with AVX-512 VBMI and
// GFNI (AMD's from Zen 4 on, Intel's servers from Ice Lake on); the build tag
// purego leaves it out. All ways have the same results and go on with each
// other's states.
//
// GOST R 34.11-94 is broken in theory (collisions in 2^105, preimages in
// 2^192 steps) and withdrawn in Russia. It is here because documents and
// laws in force use it; do not choose it for something new.
package gost341194
