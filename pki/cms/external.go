package cms

import (
	"bytes"
	"crypto"
	"fmt"
	"io"
	"time"

	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
)

// External is a signature that another device has made, such as the ID card in
// a person's phone, and what is needed to make a document of it. The content
// is known by its digest only.
type External struct {
	// Chain goes into the document, in its order: the signer's certificate
	// first, then the CA, then the root.
	Chain []*cert.Certificate
	// ContentDigest is the digest of the content, with the algorithm that
	// belongs to the key of the certificate.
	ContentDigest []byte
	// SigningTime is what was signed as an attribute. When it is zero nothing
	// but the content was signed, without attributes.
	SigningTime time.Time
	// Signature is the signature value as CMS has it: for the GOST family s||r
	// in 64 octets.
	Signature []byte
}

// ExternalAttributes returns what a device signs for a detached document: the
// DER of the SET OF contentType (data), signingTime in whole seconds of UTC,
// and messageDigest (RFC 5652 5.4), 107 octets with a digest of 32. The device
// signs the digest of these octets; [AssembleDetached] puts the result into a
// document.
func ExternalAttributes(contentDigest []byte, signingTime time.Time) ([]byte, error) {
	if signingTime.IsZero() {
		return nil, fmt.Errorf("%w: signingTime is missing", ErrAttribute)
	}
	return Signer{SigningTime: signingTime}.signedAttrs(OIDData, contentDigest)
}

// AssembleDetached makes the detached document, in the layout of E-IMZO, of a
// signature that was made elsewhere. It returns no document whose signature
// does not verify with Chain[0]; whether that certificate is trusted it does
// not ask. Errors wrap [ErrCertificate], [ErrDigestMismatch], [ErrSignature],
// [ErrLimit] or [ErrUnsupported], which is also that of Ed25519 without signed
// attributes: such a signature is over the content, not over its digest.
//
// Without signed attributes nobody can tell here whether the content is itself
// a set of attributes, which [SignedData.ContentDigest] refuses later.
func AssembleDetached(e External) ([]byte, error) {
	if len(e.Chain) == 0 {
		return nil, fmt.Errorf("%w: certificate is missing", ErrCertificate)
	}
	c := e.Chain[0]
	key, err := alg.NewPrivateKeyWithSPKI(madeElsewhere{c.PublicKey.Key, e.Signature}, c.PublicKey)
	if err != nil {
		return nil, classify(fmt.Errorf("key of %s: %w", c, err))
	}
	if len(e.ContentDigest) != key.Digest().Size {
		return nil, fmt.Errorf("%w: %d octets are no %s digest", ErrDigestMismatch, len(e.ContentDigest), key.Digest().Name)
	}
	signer := Signer{Key: key, Chain: e.Chain, SigningTime: e.SigningTime, NoSignedAttrs: e.SigningTime.IsZero()}
	sums := digests{sums: map[*alg.Digest][]byte{key.Digest(): e.ContentDigest}}
	raw, err := signer.sign(OIDData, &sums, nil)
	if err != nil {
		return nil, err
	}
	element, err := ber.Parse(raw)
	if err != nil {
		return nil, classify(err)
	}
	si, err := parseSignerInfo(element, maxSignedAttrs, e.Chain)
	if err != nil {
		return nil, classify(err)
	}
	if err := si.Verify(c, OIDData, e.ContentDigest); err != nil {
		return nil, err
	}
	doc := document{
		indefinite: true,
		digests:    [][]byte{si.DigestAlgorithm.Raw},
		encap:      encapContentInfo(OIDData, nil, true),
		signers:    [][]byte{raw},
		version:    version(OIDData, []*SignerInfo{si}),
	}
	var bag []*cert.Certificate
	for _, x := range e.Chain {
		if !contains(bag, x) {
			bag = append(bag, x)
		}
	}
	if err := doc.setCertificates(&SignedData{}, bag); err != nil {
		return nil, err
	}
	return doc.encode(), nil
}

// madeElsewhere is a key that is not here: it "signs" with the signature that
// its device has made already, whatever it is given.
type madeElsewhere struct {
	public    crypto.PublicKey
	signature []byte
}

func (m madeElsewhere) Public() crypto.PublicKey { return m.public }

func (m madeElsewhere) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return bytes.Clone(m.signature), nil
}
