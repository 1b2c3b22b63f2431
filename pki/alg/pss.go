package alg

import (
	"errors"
	"fmt"

	"imzo/pki/ber"
)

// pssParams are RSASSA-PSS-params (RFC 4055 3.1) this package can work with:
// one hash for the message and the mask, and the only trailer there is.
type pssParams struct {
	digest *Digest
	salt   int
}

// Defaults and bounds of RSASSA-PSS-params.
const (
	pssDefaultSalt    = 20
	pssDefaultTrailer = 1
	// No salt is longer than the largest modulus.
	pssMaxSalt = maxRSABits / 8
)

// parsePSSParams reads RSASSA-PSS-params. Errors wrap [ErrMalformed] or, for
// what is well-formed and not done here, [ErrUnsupported].
func parsePSSParams(params []byte) (*pssParams, error) {
	bad := func(err error) (*pssParams, error) {
		return nil, fmt.Errorf("%w: RSASSA-PSS parameters: %w", ErrMalformed, err)
	}
	e, err := ber.Parse(params)
	if err != nil {
		return bad(err)
	}
	if e.Tag != ber.TagSequence {
		return bad(fmt.Errorf("tag %#02x is no SEQUENCE", e.Tag))
	}
	r := e.Children()
	hash := New(OIDDigestSHA1)
	if inner, ok, err := explicit(&r, 0); err != nil {
		return bad(err)
	} else if ok {
		if hash, err = ParseAlgorithmIdentifier(inner); err != nil {
			return nil, err
		}
	}
	maskHash := New(OIDDigestSHA1)
	if inner, ok, err := explicit(&r, 1); err != nil {
		return bad(err)
	} else if ok {
		if maskHash, err = parseMGF1(inner); err != nil {
			return nil, err
		}
	}
	salt, err := explicitInt(&r, 2, pssDefaultSalt)
	if err != nil {
		return bad(err)
	}
	trailer, err := explicitInt(&r, 3, pssDefaultTrailer)
	if err != nil {
		return bad(err)
	}
	if err := r.Done(); err != nil {
		return bad(err)
	}

	digest, err := DigestByOID(hash.OID)
	if err != nil {
		return nil, err
	}
	switch {
	case !hash.NoParams() || !maskHash.NoParams():
		return bad(errors.New("hash with parameters"))
	case salt < 0 || salt > pssMaxSalt:
		return bad(fmt.Errorf("salt of %d octets", salt))
	case trailer != pssDefaultTrailer:
		return bad(fmt.Errorf("trailer field %d", trailer))
	case digest.std == 0:
		return nil, fmt.Errorf("%w: RSASSA-PSS with %s", ErrUnsupported, digest)
	case maskHash.OID != hash.OID:
		// RFC 4055 3.1 recommends the same, and crypto/rsa does no other.
		return nil, fmt.Errorf("%w: RSASSA-PSS with two hashes", ErrUnsupported)
	case salt == 0:
		// crypto/rsa reads 0 as "any length", which is another algorithm.
		return nil, fmt.Errorf("%w: RSASSA-PSS without salt", ErrUnsupported)
	}
	return &pssParams{digest: digest, salt: int(salt)}, nil
}

// parseMGF1 reads the mask generation function and returns its hash.
func parseMGF1(e ber.Element) (AlgorithmIdentifier, error) {
	mask, err := ParseAlgorithmIdentifier(e)
	if err != nil {
		return AlgorithmIdentifier{}, err
	}
	if mask.OID != OIDMGF1 {
		return AlgorithmIdentifier{}, fmt.Errorf("%w: mask generation function %s", ErrUnsupported, mask.OID)
	}
	inner, err := ber.Parse(mask.Params)
	if err != nil {
		return AlgorithmIdentifier{}, fmt.Errorf("%w: MGF1: %w", ErrMalformed, err)
	}
	return ParseAlgorithmIdentifier(inner)
}

// explicit reads an optional EXPLICIT [n].
func explicit(r *ber.Reader, n int) (inner ber.Element, ok bool, err error) {
	outer, ok, err := r.Optional(ber.ContextConstructed(n))
	if !ok || err != nil {
		return ber.Element{}, false, err
	}
	c := outer.Children()
	if inner, err = c.Next(); err != nil {
		return ber.Element{}, false, err
	}
	return inner, true, c.Done()
}

func explicitInt(r *ber.Reader, n int, absent int64) (int64, error) {
	inner, ok, err := explicit(r, n)
	if !ok || err != nil {
		return absent, err
	}
	if inner.Tag != ber.TagInteger {
		return 0, fmt.Errorf("tag %#02x is no INTEGER", inner.Tag)
	}
	return inner.Int64()
}

// allows tells whether a key bound to the parameters p may make signatures
// with the parameters s (RFC 4055 3.3): the same hashes and no shorter salt.
func (p *pssParams) allows(s *pssParams) bool {
	return p.digest == s.digest && s.salt >= p.salt
}

// identifier returns the algorithm identifier of signatures with p.
func (p *pssParams) identifier() AlgorithmIdentifier {
	hash := NewNull(p.digest.OID).Marshal() // RFC 4055 2.1 generates NULL here
	return AlgorithmIdentifier{OID: OIDRSAPSS, Params: ber.Sequence(
		ber.Tagged(ber.ContextConstructed(0), hash),
		ber.Tagged(ber.ContextConstructed(1), ber.Sequence(OIDMGF1.DER(), hash)),
		ber.Tagged(ber.ContextConstructed(2), ber.Int64(int64(p.salt))),
	)}
}
