// Package gost3410 implements GOST R 34.10-2001 signatures over 256-bit
// curves (RFC 5832), and the key agreement VKO GOST R 34.10-2001 (RFC 4357
// 5.2). Uzbekistan's O'z DSt 1092-2009 "algorithm 2" and O'z MSt 286-2024 are
// the same mathematics under other object identifiers.
//
//	key, err := gost3410.GenerateKey(gost3410.CryptoProA(), rand.Reader)
//	sig, err := key.Sign(rand.Reader, digest, nil)
//	ok := key.PublicKey().Verify(digest, sig)
//
// # Byte order
//
// A digest is 32 bytes as the hash prints it and is read as a little-endian
// integer. A signature is 64 bytes, s then r, both big-endian. A public key
// is x then y, both little-endian, where it is one string of 64 bytes (RFC
// 4491 2.3.2), and big-endian where x and y stand alone. A private key is 32
// bytes big-endian.
//
// # Secrets
//
// Signing, key generation and key agreement, with the hash that it ends in,
// run the same operations on the same addresses whatever the key and the nonce
// are: complete addition formulas, look-ups that read the whole table, no
// math/big. Verification works on public data and takes the short cuts it can.
// The nonce of a signature is derived from the key, the digest and fresh
// randomness, so a broken random source does not give the key away. Go may
// leave copies of secrets in memory that Wipe cannot reach.
//
// # What it does not do
//
// It does not hash messages (package gost341194 does), knows no object
// identifiers or ASN.1 (package alg does), and has no 512-bit curves of GOST
// R 34.10-2012.
package gost3410
