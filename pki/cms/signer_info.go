package cms

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/big"

	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
)

// SignerInfo is one signature of a document (RFC 5652 5.3).
type SignerInfo struct {
	// Raw is the whole with its header.
	Raw []byte
	// Version is 1 when SID names issuer and serial, 3 when it holds a key
	// identifier.
	Version int
	// SID names the signer's certificate.
	SID SignerIdentifier
	// DigestAlgorithm is the one of the content digest.
	DigestAlgorithm, SignatureAlgorithm alg.AlgorithmIdentifier
	// SignedAttrs and UnsignedAttrs are in the order of the document.
	SignedAttrs, UnsignedAttrs []Attribute
	// RawSignedAttrs is what is hashed for the signature: the DER of a SET
	// OF (RFC 5652 5.4). It is nil when there are no signed attributes; then
	// the content is what is signed.
	RawSignedAttrs []byte
	// Signature is the signature value: for GOST s (32 octets, big endian)
	// and r.
	Signature []byte

	signed []byte // all elements but unsignedAttrs, with their headers
}

// SignerIdentifier names a certificate, by issuer and serial number or by
// subject key identifier.
type SignerIdentifier struct {
	Issuer cert.Name
	Serial *big.Int // nil when SubjectKeyID is set
	// SubjectKeyID is nil when Issuer and Serial are set.
	SubjectKeyID []byte
}

// Matches tells whether c is a certificate the identifier names. Issuer names
// are compared octet for octet: signers copy the name out of the certificate,
// and a looser comparison would let it be changed in the document.
func (id SignerIdentifier) Matches(c *cert.Certificate) bool {
	if id.Serial == nil {
		return len(id.SubjectKeyID) > 0 && bytes.Equal(id.SubjectKeyID, c.SubjectKeyID)
	}
	return id.Serial.Cmp(c.Serial) == 0 && bytes.Equal(id.Issuer.Raw, c.RawIssuer)
}

// String names the certificate: the serial number, or the key identifier, in
// lower-case hex.
func (id SignerIdentifier) String() string {
	if id.Serial == nil {
		return "key " + hex.EncodeToString(id.SubjectKeyID)
	}
	return "certificate " + id.Serial.Text(16)
}

// parseSignerInfo reads a SignerInfo whose signed attributes take at most
// room octets. The certificates of the document have most names read already.
func parseSignerInfo(e ber.Element, room int, certs []*cert.Certificate) (*SignerInfo, error) {
	si := &SignerInfo{Raw: e.Raw}
	r := e.Children()
	var err error
	if si.Version, err = readVersion(&r); err != nil {
		return nil, err
	}
	if si.SID, err = parseSID(&r, certs); err != nil {
		return nil, err
	}
	if want := si.SID.version(); si.Version != want {
		return nil, formatErrorf("version %d where %d belongs", si.Version, want)
	}
	if si.DigestAlgorithm, err = readAlgorithm(&r); err != nil {
		return nil, err
	}
	signed, ok, err := r.Optional(ber.ContextConstructed(0))
	if err != nil {
		return nil, err
	}
	if ok {
		if err := si.parseSignedAttrs(signed, room); err != nil {
			return nil, err
		}
	}
	if si.SignatureAlgorithm, err = readAlgorithm(&r); err != nil {
		return nil, err
	}
	signature, err := r.Read(ber.TagOctetString)
	if err != nil {
		return nil, err
	}
	if si.Signature, err = signature.OctetString(); err != nil {
		return nil, err
	}
	si.signed = e.Content[:len(e.Content)-len(r.Rest())]
	unsigned, ok, err := r.Optional(ber.ContextConstructed(1))
	if err != nil {
		return nil, err
	}
	if ok {
		if si.UnsignedAttrs, err = parseAttributes(unsigned); err != nil {
			return nil, fmt.Errorf("unsigned attributes: %w", err)
		}
	}
	return si, r.Done()
}

func (si *SignerInfo) parseSignedAttrs(e ber.Element, room int) error {
	if len(e.Raw) > room {
		return fmt.Errorf("%w: more than %d octets of signed attributes", ErrLimit, maxSignedAttrs)
	}
	var err error
	if si.SignedAttrs, err = parseAttributes(e); err != nil {
		return fmt.Errorf("signed attributes: %w", err)
	}
	// For what is DER already this changes the tag and nothing else.
	si.RawSignedAttrs, err = ber.DER(e.WithTag(ber.TagSet))
	return err
}

func readAlgorithm(r *ber.Reader) (alg.AlgorithmIdentifier, error) {
	e, err := r.Next()
	if err != nil {
		return alg.AlgorithmIdentifier{}, err
	}
	return alg.ParseAlgorithmIdentifier(e)
}

// parseSID reads IssuerAndSerialNumber or [0] IMPLICIT SubjectKeyIdentifier.
func parseSID(r *ber.Reader, certs []*cert.Certificate) (SignerIdentifier, error) {
	var id SignerIdentifier
	ski, ok, err := r.Optional(ber.Context(0))
	if err != nil {
		return id, err
	}
	if ok {
		if id.SubjectKeyID = ski.Content; len(id.SubjectKeyID) == 0 {
			return id, formatErrorf("empty subject key identifier")
		}
		return id, nil
	}
	e, err := r.Read(ber.TagSequence)
	if err != nil {
		return id, err
	}
	in := e.Children()
	issuer, err := in.Read(ber.TagSequence)
	if err != nil {
		return id, err
	}
	if id.Issuer, err = readIssuer(issuer, certs); err != nil {
		return id, err
	}
	serial, err := in.Read(ber.TagInteger)
	if err != nil {
		return id, err
	}
	if id.Serial, err = serial.Int(); err != nil {
		return id, err
	}
	return id, in.Done()
}

// readIssuer reads a name, or takes it from one of the first certificates that
// has the same octets there: the signer's own stands in front.
func readIssuer(e ber.Element, certs []*cert.Certificate) (cert.Name, error) {
	for _, c := range certs[:min(len(certs), 4)] {
		if bytes.Equal(c.RawIssuer, e.Raw) {
			return c.Issuer, nil
		}
	}
	return cert.ParseNameElement(e)
}

// version is SignerInfo.version by RFC 5652 5.3.
func (id SignerIdentifier) version() int {
	if id.Serial == nil {
		return 3
	}
	return 1
}

// marshal returns the SignerIdentifier element.
func (id SignerIdentifier) marshal() []byte {
	if id.Serial == nil {
		return ber.Tagged(ber.Context(0), id.SubjectKeyID)
	}
	return ber.Sequence(id.Issuer.Raw, ber.Int(id.Serial))
}

// Digest returns the digest of the content the signer used. The error wraps
// [ErrUnsupported] or [ErrFormat].
func (si *SignerInfo) Digest() (*alg.Digest, error) { return resolveDigest(si.DigestAlgorithm) }
