// Package alg is the registry of signature algorithms: object identifier to
// name to hash, key and verification, for RSA, ECDSA, Ed25519, Uzbekistan's
// O'z DSt 1092:2009 and O'z MSt 286:2024, and Russia's GOST R 34.10-2001.
//
//	key, err := alg.ParsePublicKey(spki)                     // RFC 5280 4.1.2.7
//	sig, err := alg.ResolveSignature(certificateAlg, nil)    // RFC 5280 4.1.1.2
//	err = sig.Verify(key, tbs, signature)
//
// For CMS the digest algorithm of the SignerInfo is given as well, and has to
// be the signature's own:
//
//	digest, err := alg.DigestByOID(info.DigestAlgorithm.OID)
//	sig, err := alg.ResolveSignature(info.SignatureAlgorithm, digest)
//
// Standards: RFC 3279, 4055, 5758 (RSA, ECDSA), RFC 8410 and 8419 (Ed25519),
// RFC 4490 and 4491 (GOST R 34.10-2001); the O'z DSt identifiers and their
// parameter sets are those of E-IMZO, which no public standard lists.
//
// # SHA-1
//
// Signatures with SHA-1 (RSA, RSASSA-PSS and ECDSA) are verified, because old
// certificates and OCSP responses hold them, and never made: no key of this
// package signs with SHA-1. Whether a SHA-1 signature is good enough is the
// caller's policy; Signature.Digest tells.
//
// # What it does not do
//
// It reads no certificates and no CMS (packages cert and cms do), no key files
// (package keystore does), builds no paths and judges no ages or key sizes
// beyond the bounds that keep verification cheap. The obsolete 1024-bit
// algorithm 1 of O'z DSt 1092:2009 has a name and nothing else. DSA, Ed448,
// GOST R 34.10-2012 and elliptic curves given by explicit parameters are
// unsupported: such a key parses, so that its certificate can be shown, and
// verifies nothing.
package alg
