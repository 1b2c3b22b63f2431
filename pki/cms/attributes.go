package cms

import (
	"fmt"
	"time"

	"imzo/pki/ber"
)

// Attribute types (RFC 5652 11, RFC 6211, RFC 5035, RFC 3161 appendix A).
var (
	OIDContentType          = ber.MustOID("1.2.840.113549.1.9.3")
	OIDMessageDigest        = ber.MustOID("1.2.840.113549.1.9.4")
	OIDSigningTime          = ber.MustOID("1.2.840.113549.1.9.5")
	OIDAlgorithmProtection  = ber.MustOID("1.2.840.113549.1.9.52")
	OIDSigningCertificate   = ber.MustOID("1.2.840.113549.1.9.16.2.12")
	OIDSigningCertificateV2 = ber.MustOID("1.2.840.113549.1.9.16.2.47")
	OIDTimeStampToken       = ber.MustOID("1.2.840.113549.1.9.16.2.14")
)

// Attribute is a signed or unsigned attribute (RFC 5652 5.3).
type Attribute struct {
	Type   ber.OID
	Values []ber.Element // at least one
	Raw    []byte        // the whole with its header
}

// NewAttribute returns an attribute with the values, each one DER element. It
// panics when a value is none: attributes are made by programs, not read.
func NewAttribute(t ber.OID, values ...[]byte) Attribute {
	a := Attribute{Type: t, Raw: ber.Sequence(t.DER(), ber.SetOf(values...))}
	for _, v := range values {
		e, err := ber.Parse(v)
		if err != nil {
			panic("cms: attribute " + t.String() + ": " + err.Error())
		}
		a.Values = append(a.Values, e)
	}
	return a
}

// check tells whether Raw is an attribute of this type, as [NewAttribute] and
// Parse make it.
func (a Attribute) check() error {
	e, err := ber.Parse(a.Raw)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrAttribute, a.Type, err)
	}
	read, err := parseAttribute(e, new([]ber.Element))
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrAttribute, a.Type, err)
	}
	if e.Tag != ber.TagSequence || read.Type != a.Type {
		return fmt.Errorf("%w: encoded as another than %s", ErrAttribute, a.Type)
	}
	return nil
}

func parseAttributes(set ber.Element) ([]Attribute, error) {
	out := make([]Attribute, 0, 4) // most sets have three, with a value each
	all := make([]ber.Element, 0, 4)
	for r := set.Children(); !r.Empty(); {
		if len(out) == MaxAttributes {
			return nil, fmt.Errorf("%w: more than %d attributes", ErrLimit, MaxAttributes)
		}
		e, err := r.Read(ber.TagSequence)
		if err != nil {
			return nil, err
		}
		before := len(all)
		a, err := parseAttribute(e, &all)
		if err != nil {
			return nil, err
		}
		a.Values = all[before:len(all):len(all)]
		out = append(out, a)
	}
	if len(out) == 0 {
		return nil, formatErrorf("empty set of attributes")
	}
	return out, nil
}

// parseAttribute reads SEQUENCE { attrType, SET OF value } and appends the
// values to all, which has those of other attributes.
func parseAttribute(e ber.Element, all *[]ber.Element) (Attribute, error) {
	a := Attribute{Raw: e.Raw}
	r := e.Children()
	var err error
	if a.Type, err = readOID(&r); err != nil {
		return a, err
	}
	set, err := r.Read(ber.TagSet)
	if err != nil {
		return a, err
	}
	if err := r.Done(); err != nil {
		return a, err
	}
	before := len(*all)
	for v := set.Children(); !v.Empty(); {
		if len(*all) == MaxAttributes {
			return a, fmt.Errorf("%w: more than %d values of attributes", ErrLimit, MaxAttributes)
		}
		value, err := v.Next()
		if err != nil {
			return a, err
		}
		*all = append(*all, value)
	}
	if len(*all) == before {
		return a, formatErrorf("attribute %s without a value", a.Type)
	}
	return a, nil
}

// single returns the value of the signed attribute t, which RFC 5652 11 allows
// to stand once, with one value, and never unsigned.
func (si *SignerInfo) single(t ber.OID) (value ber.Element, ok bool, err error) {
	for _, a := range si.UnsignedAttrs {
		if a.Type == t {
			return value, false, fmt.Errorf("%w: %s is not signed", ErrAttribute, t)
		}
	}
	for _, a := range si.SignedAttrs {
		if a.Type != t {
			continue
		}
		if ok {
			return value, false, fmt.Errorf("%w: %s stands twice", ErrAttribute, t)
		}
		if len(a.Values) != 1 {
			return value, false, fmt.Errorf("%w: %s has %d values", ErrAttribute, t, len(a.Values))
		}
		value, ok = a.Values[0], true
	}
	return value, ok, nil
}

// SigningTime returns the time the signer claims, by the clock of the
// signer's computer, and whether there is one. The error wraps [ErrAttribute].
func (si *SignerInfo) SigningTime() (time.Time, bool, error) {
	v, ok, err := si.single(OIDSigningTime)
	if err != nil || !ok {
		return time.Time{}, false, err
	}
	t, err := v.Time()
	if err != nil {
		return time.Time{}, false, fmt.Errorf("%w: signingTime: %w", ErrAttribute, err)
	}
	return t, true, nil
}

// MessageDigest returns the signed digest of the content, and whether there
// is one. The error wraps [ErrAttribute].
func (si *SignerInfo) MessageDigest() ([]byte, bool, error) {
	v, ok, err := si.single(OIDMessageDigest)
	if err != nil || !ok {
		return nil, false, err
	}
	if v.Tag&^0x20 != ber.TagOctetString {
		return nil, false, fmt.Errorf("%w: messageDigest is no OCTET STRING", ErrAttribute)
	}
	d, err := v.OctetString()
	if err != nil {
		return nil, false, fmt.Errorf("%w: messageDigest: %w", ErrAttribute, err)
	}
	return d, true, nil
}

// contentType returns the signed content type, and whether there is one.
func (si *SignerInfo) contentType() (ber.OID, bool, error) {
	v, ok, err := si.single(OIDContentType)
	if err != nil || !ok {
		return "", false, err
	}
	oid, err := v.OID()
	if err != nil {
		return "", false, fmt.Errorf("%w: contentType: %w", ErrAttribute, err)
	}
	return oid, true, nil
}

// TimeStampTokens returns the timestamp tokens of the signature (unsigned
// attribute 1.2.840.113549.1.9.16.2.14), each a whole ContentInfo, in the
// order of the document. A token among the signed attributes cannot be of
// this signature; the error wraps [ErrAttribute].
func (si *SignerInfo) TimeStampTokens() ([][]byte, error) {
	for _, a := range si.SignedAttrs {
		if a.Type == OIDTimeStampToken {
			return nil, fmt.Errorf("%w: timestamp token of a signature inside it", ErrAttribute)
		}
	}
	var out [][]byte
	for _, a := range si.UnsignedAttrs {
		if a.Type != OIDTimeStampToken {
			continue
		}
		for _, v := range a.Values {
			out = append(out, v.Raw)
		}
	}
	return out, nil
}
