package cms

import (
	"bytes"
	"errors"
	"fmt"

	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
)

// Verify checks that the signer's signature over the content was made with
// the key of certificate c: [SignedData.ContentDigest] and
// [SignerInfo.Verify] in one. detached is the content of a detached signature,
// and nil otherwise. It also covers what a digest alone cannot: Ed25519
// without signed attributes (RFC 8419 3).
func (s *SignedData) Verify(si *SignerInfo, c *cert.Certificate, detached []byte) error {
	digest, err := s.ContentDigest(si, detached)
	if err != nil {
		return err
	}
	return s.verifyWith(digest, si, c, detached)
}

// verifyWith is Verify with the digest of the content, which a caller with
// several certificates to try computes once.
func (s *SignedData) verifyWith(digest []byte, si *SignerInfo, c *cert.Certificate, detached []byte) error {
	err := si.Verify(c, s.ContentType, digest)
	if si.RawSignedAttrs != nil || !errors.Is(err, alg.ErrNeedsMessage) {
		return err
	}
	scheme, err := si.scheme()
	if err != nil {
		return err
	}
	message, err := s.message(detached)
	if err != nil {
		return err
	}
	return signatureError(scheme.Verify(c.PublicKey, message.bytes(), si.Signature))
}

// Verify checks one signer against the certificate c, the eContentType of the
// document and the digest of its content (RFC 5652 5.4 to 5.6). A nil error
// means: the holder of the key in c signed that content, with these signed
// attributes. Errors wrap [ErrCertificate], [ErrAttribute], [ErrContentType],
// [ErrDigestMismatch], [ErrSignature] or [ErrUnsupported]. The signature is
// checked last, so with signed attributes ErrDigestMismatch says nothing
// about it.
func (si *SignerInfo) Verify(c *cert.Certificate, contentType ber.OID, contentDigest []byte) error {
	if !si.SID.Matches(c) {
		return fmt.Errorf("%w: %s is not the %s", ErrCertificate, c, si.SID)
	}
	digest, err := si.Digest()
	if err != nil {
		return err
	}
	if len(contentDigest) != digest.Size {
		return fmt.Errorf("%w: %d octets are no %s digest", ErrDigestMismatch, len(contentDigest), digest.Name)
	}
	scheme, err := si.scheme()
	if err != nil {
		return err
	}
	if si.RawSignedAttrs == nil {
		// RFC 5652 5.3: the attributes must be there for anything but data.
		if contentType != OIDData {
			return fmt.Errorf("%w: none are signed, with content type %s", ErrAttribute, contentType)
		}
		return signatureError(scheme.VerifyDigest(c.PublicKey, contentDigest, si.Signature))
	}
	if err := si.checkAttributes(c, contentType, contentDigest); err != nil {
		return err
	}
	return signatureError(scheme.Verify(c.PublicKey, si.RawSignedAttrs, si.Signature))
}

// scheme resolves the signature algorithm, which must be one with the
// signer's digest.
func (si *SignerInfo) scheme() (*alg.Signature, error) {
	digest, err := si.Digest()
	if err != nil {
		return nil, err
	}
	scheme, err := alg.ResolveSignature(si.SignatureAlgorithm, digest)
	return scheme, signatureError(err)
}

func signatureError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, alg.ErrUnsupported), errors.Is(err, alg.ErrNeedsMessage):
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	return fmt.Errorf("%w: %w", ErrSignature, err)
}

// checkAttributes checks the signed attributes that say what is signed.
func (si *SignerInfo) checkAttributes(c *cert.Certificate, contentType ber.OID, contentDigest []byte) error {
	signedType, ok, err := si.contentType()
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("%w: contentType is missing", ErrAttribute)
	}
	if signedType != contentType {
		return fmt.Errorf("%w: %s where the content is %s", ErrContentType, signedType, contentType)
	}
	messageDigest, ok, err := si.MessageDigest()
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("%w: messageDigest is missing", ErrAttribute)
	}
	if _, _, err := si.SigningTime(); err != nil {
		return err
	}
	if err := si.checkAlgorithmProtection(); err != nil {
		return err
	}
	if err := si.checkSigningCertificate(c); err != nil {
		return err
	}
	if !bytes.Equal(messageDigest, contentDigest) {
		return ErrDigestMismatch
	}
	return nil
}

// checkAlgorithmProtection compares the algorithms that are signed, when they
// are, with those used: SEQUENCE { digestAlgorithm, [1] signatureAlgorithm }
// (RFC 6211). BouncyCastle writes this attribute by default.
func (si *SignerInfo) checkAlgorithmProtection() error {
	v, ok, err := si.single(OIDAlgorithmProtection)
	if err != nil || !ok {
		return err
	}
	bad := func(err error) error {
		return fmt.Errorf("%w: CMSAlgorithmProtection: %w", ErrAttribute, err)
	}
	if v.Tag != ber.TagSequence {
		return bad(fmt.Errorf("tag %#02x", v.Tag))
	}
	r := v.Children()
	digest, err := readAlgorithm(&r)
	if err != nil {
		return bad(err)
	}
	implicit, err := r.Read(ber.ContextConstructed(1))
	if err != nil {
		return bad(err)
	}
	signature, err := alg.ParseAlgorithmIdentifier(implicit.WithTag(ber.TagSequence))
	if err != nil {
		return bad(err)
	}
	if err := r.Done(); err != nil {
		return bad(err)
	}
	if !digest.Equal(si.DigestAlgorithm) || !signature.Equal(si.SignatureAlgorithm) {
		return bad(errors.New("other algorithms were signed"))
	}
	return nil
}

// checkSigningCertificate compares the certificate that the signed attributes
// name by its digest, when they do, with c (RFC 5035 5): the key alone does
// not tell two certificates of one holder apart.
func (si *SignerInfo) checkSigningCertificate(c *cert.Certificate) error {
	for _, t := range []ber.OID{OIDSigningCertificate, OIDSigningCertificateV2} {
		v, ok, err := si.single(t)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		id, err := parseESSCertID(v, t == OIDSigningCertificateV2)
		if err != nil {
			return fmt.Errorf("%w: signing certificate: %w", ErrAttribute, err)
		}
		if !bytes.Equal(id.digest.Sum(c.Raw), id.hash) {
			return fmt.Errorf("%w: signed attributes name another", ErrCertificate)
		}
	}
	return nil
}

type essCertID struct {
	digest *alg.Digest
	hash   []byte
}

// parseESSCertID reads the first certificate identifier, that of the signer,
// of SigningCertificate or SigningCertificateV2: SEQUENCE { SEQUENCE OF
// SEQUENCE { hashAlgorithm DEFAULT sha256 (V2 only), certHash, issuerSerial
// OPTIONAL }, policies OPTIONAL }. The issuer and serial repeat what the
// digest says.
func parseESSCertID(v ber.Element, v2 bool) (essCertID, error) {
	id := essCertID{digest: alg.SHA1()}
	if v2 {
		id.digest = alg.SHA256()
	}
	if v.Tag != ber.TagSequence {
		return id, fmt.Errorf("tag %#02x", v.Tag)
	}
	r := v.Children()
	list, err := r.Read(ber.TagSequence)
	if err != nil {
		return id, err
	}
	ids := list.Children()
	first, err := ids.Read(ber.TagSequence)
	if err != nil {
		return id, err
	}
	in := first.Children()
	if v2 && in.Peek() == ber.TagSequence {
		a, err := readAlgorithm(&in)
		if err != nil {
			return id, err
		}
		if id.digest, err = resolveDigest(a); err != nil {
			return id, err
		}
	}
	hash, err := in.Read(ber.TagOctetString)
	if err != nil {
		return id, err
	}
	id.hash, err = hash.OctetString()
	return id, err
}
