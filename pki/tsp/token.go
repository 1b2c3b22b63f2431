package tsp

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"math/big"
	"time"

	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
	"imzo/pki/cms"
)

// maxToken bounds a token; with a chain of certificates it takes 6 KiB.
const maxToken = 1 << 20

// TSTInfo is what a timestamp authority signs (RFC 3161 2.4.2).
type TSTInfo struct {
	Policy        ber.OID
	HashAlgorithm alg.AlgorithmIdentifier
	HashedMessage []byte
	Serial        *big.Int
	GenTime       time.Time
	Accuracy      time.Duration // 0: not stated
	Ordering      bool
	Nonce         *big.Int     // nil: none
	TSA           *GeneralName // nil: none
}

// GeneralName is the name of the authority (RFC 5280 4.2.1.6).
type GeneralName struct {
	Tag   int    // of the choice: 4 directoryName, 6 uniformResourceIdentifier ...
	Value string // as text; "#" and hexadecimal for what has none
}

// String returns the form of BouncyCastle, which E-IMZO-SERVER prints: the
// tag, a colon, a space and the value.
func (n GeneralName) String() string { return fmt.Sprintf("%d: %s", n.Tag, n.Value) }

// Token is a TimeStampToken: a CMS SignedData over a TSTInfo.
type Token struct {
	Raw        []byte
	SignedData *cms.SignedData
	Info       TSTInfo
}

// ParseToken reads a token. Errors wrap [ErrFormat] or those of package cms.
func ParseToken(raw []byte) (*Token, error) { return ParseTokenWith(raw, nil) }

// ParseTokenWith is [ParseToken] with certificates that came before from a
// cache, which may be nil.
func ParseTokenWith(raw []byte, certificates *cert.Cache) (*Token, error) {
	if len(raw) > maxToken {
		return nil, formatErrorf("token of %d octets", len(raw))
	}
	sd, err := cms.ParseWith(raw, certificates)
	if err != nil {
		return nil, formatError(err)
	}
	if sd.ContentType != cms.OIDTSTInfo || sd.Detached() {
		return nil, formatErrorf("the content is no TSTInfo")
	}
	t := &Token{Raw: sd.Raw, SignedData: sd}
	info, err := ber.Parse(sd.Content())
	if err != nil {
		return nil, formatError(err)
	}
	if err := t.Info.parse(info); err != nil {
		return nil, formatError(err)
	}
	return t, nil
}

func (info *TSTInfo) parse(root ber.Element) error {
	if root.Tag != ber.TagSequence {
		return fmt.Errorf("tag %#02x is no TSTInfo", root.Tag)
	}
	r := root.Children()
	if err := readVersion(&r, 1); err != nil {
		return err
	}
	policy, err := r.Read(ber.TagOID)
	if err != nil {
		return err
	}
	if info.Policy, err = policy.OID(); err != nil {
		return err
	}
	if info.HashAlgorithm, info.HashedMessage, err = readImprint(&r); err != nil {
		return err
	}
	serial, err := r.Read(ber.TagInteger)
	if err != nil {
		return err
	}
	if len(serial.Content) > 64 { // RFC 3161 asks for 160 bits
		return fmt.Errorf("serial number of %d octets", len(serial.Content))
	}
	if info.Serial, err = serial.Int(); err != nil {
		return err
	}
	genTime, err := r.Read(ber.TagGeneralizedTime)
	if err != nil {
		return err
	}
	if info.GenTime, err = genTime.Time(); err != nil {
		return err
	}
	// RFC 3161 2.4.2: with seconds, and in UTC.
	if c := genTime.Content; len(c) < len("20060102150405Z") || c[len(c)-1] != 'Z' {
		return errors.New("genTime without seconds or not in UTC")
	}
	if info.Accuracy, err = readAccuracy(&r); err != nil {
		return err
	}
	ordering, ok, err := r.Optional(ber.TagBoolean)
	if err != nil {
		return err
	}
	if ok {
		if info.Ordering, err = ordering.Bool(); err != nil {
			return err
		}
	}
	if info.Nonce, err = readNonce(&r); err != nil {
		return err
	}
	tsa, ok, err := r.Optional(ber.ContextConstructed(0))
	if err != nil {
		return err
	}
	if ok {
		if info.TSA, err = parseGeneralName(tsa); err != nil {
			return err
		}
	}
	extensions, ok, err := r.Optional(ber.ContextConstructed(1))
	if err != nil {
		return err
	}
	if ok {
		if err := checkExtensions(extensions); err != nil {
			return err
		}
	}
	return r.Done()
}

// readAccuracy reads the optional Accuracy as one duration.
func readAccuracy(r *ber.Reader) (time.Duration, error) {
	e, ok, err := r.Optional(ber.TagSequence)
	if err != nil || !ok {
		return 0, err
	}
	var total time.Duration
	in := e.Children()
	for _, part := range []struct {
		tag  byte
		unit time.Duration
		max  int64
	}{{ber.TagInteger, time.Second, 1 << 31}, {ber.Context(0), time.Millisecond, 999}, {ber.Context(1), time.Microsecond, 999}} {
		e, ok, err := in.Optional(part.tag)
		if err != nil {
			return 0, err
		}
		if !ok {
			continue
		}
		n, err := e.WithTag(ber.TagInteger).Int64()
		if err != nil || n < 0 || n > part.max {
			return 0, errors.New("bad accuracy")
		}
		total += time.Duration(n) * part.unit
	}
	return total, in.Done()
}

func parseGeneralName(explicit ber.Element) (*GeneralName, error) {
	r := explicit.Children()
	e, err := r.Next()
	if err != nil {
		return nil, err
	}
	if err := r.Done(); err != nil {
		return nil, err
	}
	if e.Tag&0xc0 != 0x80 || e.Number > 8 {
		return nil, fmt.Errorf("tag %#02x is no GeneralName", e.Tag)
	}
	n := &GeneralName{Tag: int(e.Number)}
	switch e.Tag {
	case ber.Context(1), ber.Context(2), ber.Context(6):
		if n.Value, err = e.WithTag(ber.TagIA5String).Text(); err != nil {
			return nil, err
		}
	case ber.ContextConstructed(4):
		in := e.Children()
		name, err := in.Read(ber.TagSequence)
		if err != nil {
			return nil, err
		}
		if err := in.Done(); err != nil {
			return nil, err
		}
		parsed, err := cert.ParseNameElement(name)
		if err != nil {
			return nil, err
		}
		n.Value = parsed.String()
	case ber.Context(8):
		oid, err := e.WithTag(ber.TagOID).OID()
		if err != nil {
			return nil, err
		}
		n.Value = oid.String()
	default:
		n.Value = fmt.Sprintf("#%x", e.Content)
	}
	return n, nil
}

// checkExtensions refuses critical extensions: none are known.
func checkExtensions(list ber.Element) error {
	for r := list.Children(); !r.Empty(); {
		e, err := r.Read(ber.TagSequence)
		if err != nil {
			return err
		}
		in := e.Children()
		if _, err := in.Read(ber.TagOID); err != nil {
			return err
		}
		critical, ok, err := in.Optional(ber.TagBoolean)
		if err != nil {
			return err
		}
		if ok {
			if v, err := critical.Bool(); err != nil || v {
				return errors.New("critical extension")
			}
		}
		if _, err := in.Read(ber.TagOctetString); err != nil {
			return err
		}
		if err := in.Done(); err != nil {
			return err
		}
	}
	return nil
}

// TSAString returns the authority's name as E-IMZO-SERVER prints it, "" when
// the token has none.
func (t *Token) TSAString() string {
	if t.Info.TSA == nil {
		return ""
	}
	return t.Info.TSA.String()
}

// CheckImprint checks that the token is about the message. Errors are
// [ErrImprint] and, for an unknown digest, those of package alg.
func (t *Token) CheckImprint(message []byte) error {
	d, err := alg.DigestByOID(t.Info.HashAlgorithm.OID)
	if err != nil {
		return err
	}
	if !t.Info.HashAlgorithm.NoParams() || subtle.ConstantTimeCompare(d.Sum(message), t.Info.HashedMessage) != 1 {
		return ErrImprint
	}
	return nil
}

// Signer returns the one signer of the token and the certificate that its
// signature verifies with; a signature with SHA-1 is none. What is checked
// about the authority must be checked about this certificate, never about
// another of the bag.
func (t *Token) Signer() (*cms.SignerInfo, *cert.Certificate, error) {
	if n := len(t.SignedData.SignerInfos); n != 1 {
		return nil, nil, fmt.Errorf("%w: the token has %d signers", ErrSigner, n)
	}
	si := t.SignedData.SignerInfos[0]
	// Who asks for a token chooses the imprint and the nonce in it, and so
	// part of what is signed: the place where collisions of SHA-1 are of use.
	// messageDigest and the signature have one digest (package cms).
	if d, err := si.Digest(); err == nil && d == alg.SHA1() {
		return si, nil, fmt.Errorf("%w: made with SHA-1", ErrSignature)
	}
	if !namesCertificate(si) {
		return si, nil, fmt.Errorf("%w: the token does not name its certificate", ErrSigner)
	}
	var found *cert.Certificate
	err := fmt.Errorf("%w: its certificate is not in the token", ErrSigner)
	for _, c := range t.SignedData.SignerCertificates(si) {
		if found != nil && found.Equal(c) {
			continue
		}
		if verr := t.SignedData.Verify(si, c, nil); verr != nil {
			err = fmt.Errorf("%w: %w", ErrSignature, verr)
			continue
		}
		if found != nil {
			return si, nil, fmt.Errorf("%w: the signature verifies with several certificates", ErrSigner)
		}
		found = c
	}
	if found == nil {
		return si, nil, err
	}
	return si, found, nil
}

func namesCertificate(si *cms.SignerInfo) bool {
	for _, a := range si.SignedAttrs {
		// Package cms compares what they name with the certificate.
		if a.Type == cms.OIDSigningCertificate || a.Type == cms.OIDSigningCertificateV2 {
			return true
		}
	}
	return false
}

// VerifySignature checks that the token is signed, by the certificate that
// [Token.Signer] returns, and that this is a certificate of a timestamp
// authority (RFC 3161 2.3): extended key usage id-kp-timeStamping, alone and
// critical, and not a CA. Errors wrap [ErrSigner] or [ErrSignature].
func (t *Token) VerifySignature() error {
	_, c, err := t.Signer()
	if err != nil {
		return err
	}
	return CheckCertificate(c)
}

// CheckCertificate checks that a certificate is one of a timestamp authority.
func CheckCertificate(c *cert.Certificate) error {
	switch {
	case len(c.ExtKeyUsage) != 1 || c.ExtKeyUsage[0] != cert.OIDTimeStamping:
		return fmt.Errorf("%w: its certificate is not for timeStamping alone", ErrSigner)
	case !c.ExtKeyUsageCritical:
		return fmt.Errorf("%w: the purpose timeStamping is not critical", ErrSigner)
	case c.BasicConstraints != nil && c.BasicConstraints.IsCA:
		return fmt.Errorf("%w: it is a CA", ErrSigner)
	case c.HasKeyUsage && c.KeyUsage&(cert.KeyUsageDigitalSignature|cert.KeyUsageContentCommitment) == 0:
		return fmt.Errorf("%w: its key is not for signing", ErrSigner)
	}
	return nil
}
