// Package pkcs11 uses smart cards, USB tokens and HSMs that have a PKCS#11
// module (OASIS PKCS #11 2.40), the shared library of their maker:
//
//	tokens, err := pkcs11.Open("/usr/lib/softhsm/libsofthsm2.so", pkcs11.Options{})
//	all, err := tokens.Tokens(ctx)
//	session, err := all[0].Open(ctx, pin)
//	defer session.Close()
//	key, chain, err := session.Key(ctx)
//
// It signs with RSA keys (PKCS#1 v1.5 and PSS over SHA-256, 384, 512) and with
// ECDSA keys on P-256 and P-384 that have a certificate on the token, both
// under the same CKA_ID. The keys of Uzbekistan's algorithms have no mechanism
// in PKCS#11.
//
// A module is code of its maker that runs in the process; it needs cgo. The
// package is therefore built with -tags pkcs11 only, and [Open] tells
// [ErrNotBuilt] otherwise.
//
// It makes no keys, writes no certificates (GenerateKey and Personalize give
// token.ErrUnsupported) and sets up no tokens: the maker's tools do that, under
// the maker's rules for labels, identifiers and rights. Nor does it know how
// many tries are left, beyond what CK_TOKEN_INFO tells: none, one, or unknown.
// Readers with a key pad of their own are not supported.
//
// The module's interface takes PINs as C strings, of which copies stay in
// memory until they are overwritten by chance.
package pkcs11

import "errors"

// ErrNotBuilt tells that the program was built without PKCS#11.
var ErrNotBuilt = errors.New("built without PKCS#11: build with -tags pkcs11")

// Options choose among what a module has.
type Options struct {
	// Label is that of the only token to be used; "" is all tokens.
	Label string
	// KeyID is the CKA_ID of the key to be used. When it is nil the user's
	// certificate that is valid longest chooses.
	KeyID []byte
}
