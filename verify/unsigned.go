package verify

import (
	"errors"
	"fmt"

	"imzo/pki/ber"
	"imzo/pki/cms"
)

// errHiddenToken tells of signed data, such as a timestamp token, in an
// unsigned attribute where nothing verifies it.
var errHiddenToken = errors.New("signed data in an unsigned attribute where it is not verified")

// unsignedFacts is what there is about the unsigned attributes of a signer.
type unsignedFacts struct {
	ignored []ber.OID
	err     error
}

// examineUnsigned looks for timestamp tokens where they do not belong. The
// type of an unsigned attribute is not signed: were such a token ignored, a
// changed octet would turn a stamped signature into a valid one without a
// stamp, and with it change the date everything is judged at.
func examineUnsigned(si *cms.SignerInfo) unsignedFacts {
	var u unsignedFacts
	for _, a := range si.UnsignedAttrs {
		if a.Type == cms.OIDTimeStampToken {
			continue
		}
		u.ignored = append(u.ignored, a.Type)
		for _, v := range a.Values {
			if u.err == nil && holdsSignedData(v) {
				u.err = fmt.Errorf("%w: type %s", errHiddenToken, a.Type)
			}
		}
	}
	return u
}

// holdsSignedData tells whether a value is, or is meant to be, a ContentInfo
// with signed data, which every timestamp token is. It looks at the outline
// only, so that a broken one is found too.
func holdsSignedData(v ber.Element) bool {
	if v.Tag != ber.TagSequence {
		return false
	}
	r := v.Children()
	first, err := r.Read(ber.TagOID)
	if err != nil {
		return false
	}
	oid, err := first.OID()
	return err == nil && oid == cms.OIDSignedData
}
