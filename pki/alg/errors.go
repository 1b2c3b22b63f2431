package alg

import "errors"

var (
	// ErrMalformed is wrapped by errors about an algorithm identifier, a key
	// or parameters that break the structure their standard prescribes.
	ErrMalformed = errors.New("malformed algorithm or key")

	// ErrUnsupported is wrapped when an algorithm, curve, parameter set or
	// key size is not one this package works with.
	ErrUnsupported = errors.New("unsupported algorithm")

	// ErrDigestMismatch is wrapped when a signature algorithm is used with
	// the digest algorithm of another.
	ErrDigestMismatch = errors.New("digest algorithm does not belong to the signature algorithm")

	// ErrKeyMismatch is wrapped when a signature is to be verified with a key
	// of another family.
	ErrKeyMismatch = errors.New("key does not belong to the signature algorithm")

	// ErrSignature tells that a signature is wrong. It carries no detail on
	// purpose: why a signature does not fit is nobody's business.
	ErrSignature = errors.New("signature is wrong")

	// ErrWiped tells that a private key was wiped.
	ErrWiped = errors.New("private key was wiped")

	// ErrNeedsMessage tells that the algorithm signs the message itself, so
	// that a digest of it is not enough (Ed25519, RFC 8032).
	ErrNeedsMessage = errors.New("algorithm signs the message, not its digest")
)
