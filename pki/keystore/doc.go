// Package keystore reads and writes key files: PFX (PKCS#12, RFC 7292), PKCS#8
// (RFC 5208, RFC 5958), PEM, E-IMZO's YKS, and Java's JKS (read only). A file
// goes in, keys with their certificate chains come out:
//
//	aliases, err := keystore.ListPFX(data)              // needs no password
//	entries, err := keystore.OpenPFX(data, password)
//	if errors.Is(err, keystore.ErrPassword) { ... }     // never a damaged file
//	sig, err := entries[0].Key.SignMessage(rand.Reader, message)
//
// # PFX dialects
//
// Read are DER and BER, an HMAC under the PKCS#12 key derivation with any SHA,
// PBMAC1 (RFC 9579) or no MAC; keys and certificates under PKCS#12 PBE with
// 3DES, RC2-128 or RC2-40, under PBES2 (RFC 8018) with PBKDF2 over any
// HMAC-SHA and AES-CBC or 3DES, and certificates in the clear. Keys that are
// not encrypted (keyBag) are passed over, as E-IMZO does.
//
// Written are two profiles. ProfileJava8 is what the E-IMZO applications of
// Windows and of the phone open; ProfileModern is what Java 17 and OpenSSL 3
// write, and those applications do not open it.
//
// # Passwords
//
// The PKCS#12 derivation takes the password as UTF-16 with a final zero. For
// PBKDF2 the standards leave the encoding open: E-IMZO takes the low octet of
// each UTF-16 unit, others UTF-8. Both are tried on reading, the first is
// written; for ASCII passwords they are the same.
//
// JKS hashes the password as UTF-16, too, of which Latin-1 is supported.
//
// # YKS
//
// YKS files (YTKS-2) have the frame of a Java key store, with keys under GOST
// 28147-89 and digests of O'z DSt 1106. Aliases and certificates are in the
// clear: [ListYKS], [OpenYKS], [CreateYKS], [ChangeYKSPassword]. [QRKey] and
// [ParseQRKey] are the text of the QR code that hands a key to a phone.
//
// # Trust stores
//
//	certs, err := keystore.ParseTrustStore(data, password)
//
// reads the certificates of a JKS, PKCS#12, YKS, PEM or DER file, told apart by
// content: Java writes PKCS#12 under the name .jks since version 9.
//
// # What it does not do
//
// JCEKS files are not read here, nor PFX under public keys, RC4, single DES or
// scrypt. It finds no files, asks for no passwords, and checks
// no certificates: a chain is ordered by names and signatures, not validated.
package keystore
