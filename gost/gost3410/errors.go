package gost3410

import "errors"

var (
	// ErrInvalidLength is returned for a key, coordinate, digest or key
	// material of the wrong length.
	ErrInvalidLength = errors.New("gost3410: invalid length")
	// ErrNotOnCurve is returned for coordinates that are no point of the
	// curve, or are not below p.
	ErrNotOnCurve = errors.New("gost3410: point is not on the curve")
	// ErrInvalidScalar is returned for a private key outside 1..n-1.
	ErrInvalidScalar = errors.New("gost3410: private key is not between 1 and the group order")
	// ErrInvalidUKM is returned for user key material that is 0 modulo n: the
	// agreed point would be infinity.
	ErrInvalidUKM = errors.New("gost3410: user key material is zero")
	// ErrCurveMismatch is returned for a peer key on another curve.
	ErrCurveMismatch = errors.New("gost3410: keys are on different curves")
	// ErrRandom is returned when a source of randomness gives what no random
	// source gives, such as all zeros.
	ErrRandom = errors.New("gost3410: random source is broken")
	// ErrWiped is returned by a private key after Wipe.
	ErrWiped = errors.New("gost3410: private key was wiped")
)
