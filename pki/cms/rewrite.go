package cms

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"

	"imzo/pki/ber"
	"imzo/pki/cert"
)

// The functions of this file make a new document out of one or two. Certificates,
// CRLs, signer infos and the content keep their octets and their order, new
// ones come last; the outer layout stays what it was, indefinite or definite.
// (In a definite layout the sets may so lose the order of DER. No signature
// depends on it.)

// document returns s as a document to be written.
func (s *SignedData) document() document {
	d := document{
		indefinite: s.Indefinite,
		version:    s.Version,
		encap:      encoded(s.encap),
		certsRaw:   s.certsRaw,
		crls:       s.CRLs,
	}
	for _, a := range s.DigestAlgorithms {
		d.digests = append(d.digests, a.Raw)
	}
	for _, si := range s.SignerInfos {
		d.signers = append(d.signers, si.Raw)
	}
	return d
}

// AddSigner returns the document with one more signature over its content,
// and the signer's chain in the bag. The content of a detached document must
// be given and be the one its other signers signed; for an attached one it
// must be nil. Errors are those of [Sign], [ErrDetached], [ErrAttached] and
// [ErrDigestMismatch].
func (s *SignedData) AddSigner(content []byte, signer Signer, random io.Reader) ([]byte, error) {
	p, err := s.message(content)
	if err != nil {
		return nil, err
	}
	if s.Detached() {
		if err := s.checkContent(content); err != nil {
			return nil, err
		}
	}
	doc := s.document()
	if err := s.addSigners(&doc, p, []Signer{signer}, random); err != nil {
		return nil, err
	}
	return doc.encode(), nil
}

// AttachContent returns a detached document with the content put in, after
// checking that it is what every signer signed: by messageDigest, or for a
// signer without signed attributes by the signature, for which the
// certificate must be in the bag. Errors: [ErrAttached] when the document has
// its content already, [ErrDigestMismatch], [ErrAttribute], [ErrUnsupported],
// [ErrLimit].
func (s *SignedData) AttachContent(content []byte) ([]byte, error) {
	if !s.Detached() {
		return nil, ErrAttached
	}
	if content == nil {
		content = []byte{}
	}
	if err := s.checkContent(content); err != nil {
		return nil, err
	}
	doc := s.document()
	doc.encap = encapContentInfo(s.ContentType, content, s.Indefinite)
	return doc.encode(), nil
}

// checkContent checks that the content is the one of all signers of a
// detached document.
func (s *SignedData) checkContent(content []byte) error {
	sums := digests{payload: payload{whole: content}}
	for i, si := range s.SignerInfos {
		if err := s.checkContentOf(si, content, &sums); err != nil {
			return fmt.Errorf("signer %d: %w", i, err)
		}
	}
	return nil
}

func (s *SignedData) checkContentOf(si *SignerInfo, content []byte, sums *digests) error {
	if si.RawSignedAttrs == nil {
		return s.checkPlainContent(si, content, sums)
	}
	digest, err := si.Digest()
	if err != nil {
		return err
	}
	signed, ok, err := si.MessageDigest()
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("%w: messageDigest is missing", ErrAttribute)
	}
	if !bytes.Equal(signed, sums.sum(digest)) {
		return ErrDigestMismatch
	}
	return nil
}

// checkPlainContent is for a signature over the content itself: nothing but
// the signature tells which content it is of.
func (s *SignedData) checkPlainContent(si *SignerInfo, content []byte, sums *digests) error {
	if err := si.checkAmbiguous(sums.payload); err != nil {
		return err
	}
	digest, err := si.Digest()
	if err != nil {
		return err
	}
	candidates := s.SignerCertificates(si)
	if len(candidates) > maxCandidates {
		return fmt.Errorf("%w: %d certificates bear the name the signer gives", ErrLimit, len(candidates))
	}
	for _, c := range candidates {
		err := s.verifyWith(sums.sum(digest), si, c, content)
		if err == nil || !errors.Is(err, ErrSignature) {
			return err
		}
	}
	return fmt.Errorf("%w: no certificate in the document verifies the signature over it", ErrDigestMismatch)
}

// AddUnsignedAttribute returns the document with an unsigned attribute, such
// as a timestamp token, added to the signer of this number in SignerInfos.
// Everything signed keeps its octets. Errors: [ErrNoSigner], [ErrAttribute]
// for what is no attribute or must be signed, [ErrLimit].
func (s *SignedData) AddUnsignedAttribute(signer int, a Attribute) ([]byte, error) {
	if signer < 0 || signer >= len(s.SignerInfos) {
		return nil, fmt.Errorf("%w: %d of %d", ErrNoSigner, signer, len(s.SignerInfos))
	}
	switch a.Type {
	case OIDContentType, OIDMessageDigest, OIDSigningTime, OIDAlgorithmProtection, OIDSigningCertificate, OIDSigningCertificateV2:
		return nil, fmt.Errorf("%w: %s must be signed", ErrAttribute, a.Type)
	}
	if err := a.check(); err != nil {
		return nil, err
	}
	si := s.SignerInfos[signer]
	raw, err := si.withUnsigned(append(slices.Clone(si.UnsignedAttrs), a))
	if err != nil {
		return nil, err
	}
	doc := s.document()
	doc.signers[signer] = raw
	return doc.encode(), nil
}

// withUnsigned returns the SignerInfo with these unsigned attributes, and all
// else as it is.
func (si *SignerInfo) withUnsigned(attrs []Attribute) ([]byte, error) {
	var raw [][]byte
	values := 0
	for _, a := range attrs {
		raw = append(raw, a.Raw)
		values += len(a.Values)
	}
	if values > MaxAttributes {
		return nil, fmt.Errorf("%w: more than %d values of attributes", ErrLimit, MaxAttributes)
	}
	set := ber.SetOf(raw...)
	set[0] = ber.ContextConstructed(1)
	return ber.Sequence(si.signed, set), nil
}

// Join returns one document with the content both have, and the signers of a,
// then those of b. A signature that stands in both comes once, with the
// unsigned attributes (timestamp tokens) of both; certificates and CRLs come
// once. The layout is that of a. Errors: [ErrDetached] when one has no
// content, [ErrContentDiffers], [ErrLimit].
func Join(a, b *SignedData) ([]byte, error) {
	if a.Detached() || b.Detached() {
		return nil, ErrDetached
	}
	if a.ContentType != b.ContentType {
		return nil, fmt.Errorf("%w: types %s and %s", ErrContentDiffers, a.ContentType, b.ContentType)
	}
	if !sameContent(a.content, b.content) {
		return nil, ErrContentDiffers
	}
	doc := a.document()
	signers, err := joinSigners(&doc, a.SignerInfos, b.SignerInfos)
	if err != nil {
		return nil, err
	}
	doc.version = version(a.ContentType, signers)
	doc.digests = usedDigests(union(doc.digests, b.document().digests, itself), signers)
	if doc.crls = union(a.CRLs, b.CRLs, itself); len(doc.crls) > MaxCertificates {
		return nil, fmt.Errorf("%w: more than %d CRLs", ErrLimit, MaxCertificates)
	}
	if err := doc.setCertificates(a, union(a.Certificates, b.Certificates, func(c *cert.Certificate) []byte { return c.Raw })); err != nil {
		return nil, err
	}
	return doc.encode(), nil
}

// joinSigners appends to doc, which has the signers of a, those of b.
func joinSigners(doc *document, a, b []*SignerInfo) ([]*SignerInfo, error) {
	all := slices.Clone(a)
	signedAttrs := 0
	for _, si := range a {
		signedAttrs += len(si.RawSignedAttrs)
	}
	for _, si := range b {
		at := slices.IndexFunc(all, func(x *SignerInfo) bool { return bytes.Equal(x.signed, si.signed) })
		if at < 0 {
			if signedAttrs += len(si.RawSignedAttrs); signedAttrs > maxSignedAttrs {
				return nil, fmt.Errorf("%w: more than %d octets of signed attributes", ErrLimit, maxSignedAttrs)
			}
			all = append(all, si)
			doc.signers = append(doc.signers, si.Raw)
			continue
		}
		merged := *all[at]
		merged.UnsignedAttrs = union(merged.UnsignedAttrs, si.UnsignedAttrs, func(x Attribute) []byte { return x.Raw })
		if len(merged.UnsignedAttrs) == len(all[at].UnsignedAttrs) {
			continue
		}
		raw, err := merged.withUnsigned(merged.UnsignedAttrs)
		if err != nil {
			return nil, err
		}
		all[at], doc.signers[at] = &merged, raw
	}
	if len(all) > MaxSigners {
		return nil, fmt.Errorf("%w: more than %d signers", ErrLimit, MaxSigners)
	}
	return all, nil
}

// union returns a, and of b what is not there yet, going by the octets of
// each. It finds duplicates by digest: comparing a thousand large CRLs that
// differ in their last octet with a thousand others takes half a minute.
func union[T any](a, b []T, octets func(T) []byte) []T {
	seen := make(map[[sha256.Size]byte]bool, len(a)+len(b))
	for _, x := range a {
		seen[sha256.Sum256(octets(x))] = true
	}
	all := slices.Clip(a)
	for _, x := range b {
		if sum := sha256.Sum256(octets(x)); !seen[sum] {
			seen[sum] = true
			all = append(all, x)
		}
	}
	return all
}

func itself(b []byte) []byte { return b }

// FilterUnsignedAttribute returns the document with only those values of the
// signer's unsigned attributes of type t that keep accepts, and every signed
// octet as it was. It is called with each value, in the order of the document.
// An attribute that has none left goes. Errors: [ErrNoSigner].
func (s *SignedData) FilterUnsignedAttribute(signer int, t ber.OID, keep func(value ber.Element) bool) ([]byte, error) {
	if signer < 0 || signer >= len(s.SignerInfos) {
		return nil, fmt.Errorf("%w: %d of %d", ErrNoSigner, signer, len(s.SignerInfos))
	}
	si := s.SignerInfos[signer]
	var left []Attribute
	for _, a := range si.UnsignedAttrs {
		if a.Type != t {
			left = append(left, a)
			continue
		}
		var values [][]byte
		for _, v := range a.Values {
			if keep(v) {
				values = append(values, v.Raw)
			}
		}
		switch len(values) {
		case 0:
		case len(a.Values):
			left = append(left, a)
		default:
			left = append(left, NewAttribute(t, values...))
		}
	}
	raw := ber.Sequence(si.signed)
	if len(left) > 0 {
		var err error
		if raw, err = si.withUnsigned(left); err != nil {
			return nil, err
		}
	}
	doc := s.document()
	doc.signers[signer] = raw
	return doc.encode(), nil
}
