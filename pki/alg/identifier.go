package alg

import (
	"bytes"
	"fmt"

	"imzo/pki/ber"
)

// AlgorithmIdentifier is the structure of that name (RFC 5280 4.1.1.2).
type AlgorithmIdentifier struct {
	OID    ber.OID
	Params []byte // the parameters element with its header; nil when absent
	Raw    []byte // the whole as read; nil when made here
}

// New returns an identifier without parameters.
func New(oid ber.OID) AlgorithmIdentifier { return AlgorithmIdentifier{OID: oid} }

// NewNull returns an identifier with NULL parameters.
func NewNull(oid ber.OID) AlgorithmIdentifier {
	return AlgorithmIdentifier{OID: oid, Params: ber.Null()}
}

// ParseAlgorithmIdentifier reads SEQUENCE { OID, ANY OPTIONAL }. Params and
// Raw alias the input. Errors wrap [ErrMalformed].
func ParseAlgorithmIdentifier(e ber.Element) (AlgorithmIdentifier, error) {
	bad := func(err error) (AlgorithmIdentifier, error) {
		return AlgorithmIdentifier{}, fmt.Errorf("%w: algorithm identifier: %w", ErrMalformed, err)
	}
	if e.Tag != ber.TagSequence {
		return bad(fmt.Errorf("tag %#02x is no SEQUENCE", e.Tag))
	}
	r := e.Children()
	id, err := r.Read(ber.TagOID)
	if err != nil {
		return bad(err)
	}
	a := AlgorithmIdentifier{Raw: e.Raw}
	if a.OID, err = id.OID(); err != nil {
		return bad(err)
	}
	if !r.Empty() {
		params, err := r.Next()
		if err != nil {
			return bad(err)
		}
		a.Params = params.Raw
	}
	if err := r.Done(); err != nil {
		return bad(err)
	}
	return a, nil
}

// Marshal returns the element: Raw when there is one, else DER.
func (a AlgorithmIdentifier) Marshal() []byte {
	if a.Raw != nil {
		return a.Raw
	}
	return ber.Sequence(a.OID.DER(), a.Params)
}

// NoParams tells whether the parameters are absent or NULL, which the
// standards ask implementations to take for the same (RFC 5754 2).
func (a AlgorithmIdentifier) NoParams() bool {
	return a.Params == nil || bytes.Equal(a.Params, ber.Null())
}

// Equal tells whether both have the same OID and the same parameters, absent
// and NULL ones being the same.
func (a AlgorithmIdentifier) Equal(b AlgorithmIdentifier) bool {
	return a.OID == b.OID && (a.NoParams() && b.NoParams() || bytes.Equal(a.Params, b.Params))
}
