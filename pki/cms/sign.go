package cms

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"slices"
	"time"

	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
)

// Signer is who signs, and how.
type Signer struct {
	Key *alg.PrivateKey
	// Chain goes into the document, in its order: the certificate of Key
	// first, then the CA, then the root.
	Chain []*cert.Certificate
	// SigningTime is signed as an attribute, in whole seconds; the zero
	// time leaves it out.
	SigningTime time.Time
	// NoSignedAttrs signs the content itself. What follows is then not
	// used, and SigningTime must be zero.
	NoSignedAttrs bool
	// ExtraSignedAttrs are signed beside contentType, signingTime and
	// messageDigest.
	ExtraSignedAttrs []Attribute
	// UseSubjectKeyID names the certificate by its key identifier instead
	// of issuer and serial number.
	UseSubjectKeyID bool
}

// Options tells what document to make. The zero value makes what E-IMZO makes.
type Options struct {
	// Detached leaves the content out.
	Detached bool
	// ContentType is eContentType; absent means [OIDData].
	ContentType ber.OID
	// DER writes definite lengths and sorted sets (so the order of signers
	// and certificates is lost), for consumers that read nothing else. The
	// default is the BER layout of E-IMZO.
	DER bool
	// Rand is for the nonces of signatures; nil means crypto/rand.
	Rand io.Reader
}

// Sign makes a document with one signature or several over the content.
// Errors wrap [ErrNoSigner], [ErrCertificate], [ErrAttribute], [ErrLimit], or
// are those of the key.
func Sign(content []byte, signers []Signer, o Options) ([]byte, error) {
	if len(signers) == 0 {
		return nil, fmt.Errorf("%w: nobody signs", ErrNoSigner)
	}
	if o.ContentType == "" {
		o.ContentType = OIDData
	}
	if content == nil {
		content = []byte{}
	}
	s := &SignedData{ContentType: o.ContentType}
	doc := document{indefinite: !o.DER}
	attached := content
	if o.Detached {
		attached = nil
	}
	doc.encap = encapContentInfo(o.ContentType, attached, doc.indefinite)
	if err := s.addSigners(&doc, payload{whole: content}, signers, o.Rand); err != nil {
		return nil, err
	}
	if o.DER {
		doc.sortSets()
	}
	return doc.encode(), nil
}

// addSigners signs and adds to doc, which holds what s does, the signer infos
// and what they need: digest algorithms, certificates, the version.
func (s *SignedData) addSigners(doc *document, p payload, signers []Signer, random io.Reader) error {
	if random == nil {
		random = rand.Reader
	}
	if len(s.SignerInfos)+len(signers) > MaxSigners {
		return fmt.Errorf("%w: more than %d signers", ErrLimit, MaxSigners)
	}
	sums := digests{payload: p}
	all := slices.Clip(s.SignerInfos)
	certificates := slices.Clip(s.Certificates)
	room := maxSignedAttrs
	for _, si := range all {
		room -= len(si.RawSignedAttrs)
	}
	for _, signer := range signers {
		raw, err := signer.sign(s.ContentType, &sums, random)
		if err != nil {
			return err
		}
		// Read back what was made: limits and rules hold for our own
		// documents as well.
		e, err := ber.Parse(raw)
		if err != nil {
			return classify(err)
		}
		si, err := parseSignerInfo(e, room, nil)
		if err != nil {
			return classify(err)
		}
		room -= len(si.RawSignedAttrs)
		all = append(all, si)
		doc.signers = append(doc.signers, raw)
		doc.digests = appendMissing(doc.digests, si.DigestAlgorithm.Raw)
		for _, x := range signer.Chain {
			if !contains(certificates, x) {
				certificates = append(certificates, x)
			}
		}
	}
	if err := doc.setCertificates(s, certificates); err != nil {
		return err
	}
	doc.digests = usedDigests(doc.digests, all)
	doc.version = version(s.ContentType, all)
	return nil
}

// setCertificates keeps the set of s as it is when nothing was added to it.
func (d *document) setCertificates(s *SignedData, all []*cert.Certificate) error {
	if len(all) > MaxCertificates {
		return fmt.Errorf("%w: more than %d certificates", ErrLimit, MaxCertificates)
	}
	d.certsRaw, d.certificates = nil, nil
	if len(all) == len(s.Certificates) && s.certsRaw != nil {
		d.certsRaw = s.certsRaw
		return nil
	}
	for _, c := range all {
		d.certificates = append(d.certificates, c.Raw)
	}
	return nil
}

func contains(list []*cert.Certificate, c *cert.Certificate) bool {
	return slices.ContainsFunc(list, c.Equal)
}

// usedDigests leaves out what no signer uses.
func usedDigests(digests [][]byte, signers []*SignerInfo) [][]byte {
	return slices.DeleteFunc(slices.Clone(digests), func(raw []byte) bool {
		return !slices.ContainsFunc(signers, func(si *SignerInfo) bool { return bytes.Equal(si.DigestAlgorithm.Raw, raw) })
	})
}

func appendMissing(list [][]byte, b []byte) [][]byte {
	for _, x := range list {
		if bytes.Equal(x, b) {
			return list
		}
	}
	return append(slices.Clip(list), b)
}

// sign makes one SignerInfo (RFC 5652 5.3).
func (signer Signer) sign(contentType ber.OID, sums *digests, random io.Reader) ([]byte, error) {
	id, err := signer.identifier()
	if err != nil {
		return nil, err
	}
	digest := signer.Key.Digest()
	parts := [][]byte{ber.Int64(int64(id.version())), id.marshal(), digest.Identifier().Marshal()}
	var signature []byte
	if signer.NoSignedAttrs {
		if err := signer.checkPlain(contentType, sums.payload); err != nil {
			return nil, err
		}
		signature, err = signer.Key.SignMessage(random, sums.bytes())
	} else {
		attrs, attrErr := signer.signedAttrs(contentType, sums.sum(digest))
		if attrErr != nil {
			return nil, attrErr
		}
		signature, err = signer.Key.SignMessage(random, attrs)
		implicit := bytes.Clone(attrs)
		implicit[0] = ber.ContextConstructed(0)
		parts = append(parts, implicit)
	}
	if err != nil {
		return nil, err
	}
	parts = append(parts, signer.Key.SignatureAlgorithm().Marshal(), ber.OctetString(signature))
	return ber.Sequence(parts...), nil
}

// identifier names the signer's certificate, which must be that of the key.
func (signer Signer) identifier() (id SignerIdentifier, err error) {
	if signer.Key == nil || len(signer.Chain) == 0 {
		return id, fmt.Errorf("%w: key or certificate is missing", ErrCertificate)
	}
	c := signer.Chain[0]
	public := signer.Key.PublicKey()
	if public.Algorithm.OID != c.PublicKey.Algorithm.OID || !bytes.Equal(public.Bits, c.PublicKey.Bits) {
		return id, fmt.Errorf("%w: %s is not of the signing key", ErrCertificate, c)
	}
	if !signer.UseSubjectKeyID {
		return SignerIdentifier{Issuer: c.Issuer, Serial: c.Serial}, nil
	}
	if len(c.SubjectKeyID) == 0 {
		return id, fmt.Errorf("%w: %s has no subject key identifier", ErrCertificate, c)
	}
	return SignerIdentifier{SubjectKeyID: c.SubjectKeyID}, nil
}

// checkPlain checks that the content may be signed without attributes.
func (signer Signer) checkPlain(contentType ber.OID, p payload) error {
	switch {
	case contentType != OIDData:
		return fmt.Errorf("%w: content type %s needs signed attributes", ErrAttribute, contentType)
	case !signer.SigningTime.IsZero() || len(signer.ExtraSignedAttrs) > 0:
		return fmt.Errorf("%w: given, and none are to be signed", ErrAttribute)
	case isSignedAttrs(p):
		return fmt.Errorf("%w: content is a set of signed attributes itself", ErrAttribute)
	}
	return nil
}

// signedAttrs returns the DER of the SET OF. Its order puts contentType,
// signingTime and messageDigest as E-IMZO has them.
func (signer Signer) signedAttrs(contentType ber.OID, digest []byte) ([]byte, error) {
	attrs := []Attribute{
		NewAttribute(OIDContentType, contentType.DER()),
		NewAttribute(OIDMessageDigest, ber.OctetString(digest)),
	}
	if !signer.SigningTime.IsZero() {
		attrs = append(attrs, NewAttribute(OIDSigningTime, ber.Time(signer.SigningTime)))
	}
	attrs = append(attrs, signer.ExtraSignedAttrs...)
	var raw [][]byte
	seen := make(map[ber.OID]bool)
	for _, a := range attrs {
		if seen[a.Type] {
			return nil, fmt.Errorf("%w: %s stands twice", ErrAttribute, a.Type)
		}
		seen[a.Type] = true
		raw = append(raw, a.Raw)
	}
	return ber.SetOf(raw...), nil
}
