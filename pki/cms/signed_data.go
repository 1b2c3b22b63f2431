package cms

import (
	"bytes"
	"fmt"

	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
)

// Content types (RFC 5652 4 and 5, RFC 3161 2.4.2).
var (
	OIDData       = ber.MustOID("1.2.840.113549.1.7.1")
	OIDSignedData = ber.MustOID("1.2.840.113549.1.7.2")
	OIDTSTInfo    = ber.MustOID("1.2.840.113549.1.9.16.1.4")
)

// Limits of Parse, and of everything that writes. They are many times what
// documents in use have, and keep a hostile one from costing more memory than
// its own size.
const (
	// MaxCertificates bounds the certificates, and also the CRLs, of a
	// document.
	MaxCertificates = 1000
	// MaxSigners bounds the signers, and the digest algorithms.
	MaxSigners = 64
	// MaxAttributes bounds the signed, and the unsigned, attributes of one
	// signer, and the values of all of them together.
	MaxAttributes = 256
	// maxSignedAttrs bounds the octets of the signed attributes of all
	// signers together: they are encoded anew, level by level, before they
	// are hashed (RFC 5652 5.4). 105 octets are usual.
	maxSignedAttrs = 1 << 20
	// maxCandidates bounds the certificates tried for one signer where all
	// bear the name that the signer gives. One is usual.
	maxCandidates = 8
)

// SignedData is a parsed document (RFC 5652 5.1). It aliases what it was
// parsed from, and is not changed after [Parse], so that any number of
// goroutines may use it.
type SignedData struct {
	// Raw is the whole ContentInfo.
	Raw []byte
	// Indefinite tells that Raw was written with indefinite lengths.
	Indefinite bool
	// Version is 1 or 3.
	Version int
	// DigestAlgorithms are those of the signers, in the order of the
	// document.
	DigestAlgorithms []alg.AlgorithmIdentifier
	// ContentType is eContentType: [OIDData], [OIDTSTInfo] ...
	ContentType ber.OID
	// Certificates is the bag in the order of the document. Nothing in it
	// is verified by being there: see cert.CheckBag.
	Certificates []*cert.Certificate
	// CRLs are CertificateLists (RFC 5280 5.1), each with its header, only
	// their outline checked.
	CRLs [][]byte
	// SignerInfos is in the order of the document. A document may have none.
	SignerInfos []*SignerInfo

	content  ber.Element // the OCTET STRING; Raw is nil when detached
	encap    []byte      // encapContentInfo with its header
	certsRaw []byte      // certificates with its header; nil when absent
	cache    *cert.Cache // of certificates; may be nil
	hasher   *ContentHasher
}

// Parse reads one document with nothing after it. Errors wrap [ErrFormat],
// [ErrLimit] or [ErrUnsupported].
func Parse(b []byte) (*SignedData, error) { return ParseWith(b, nil) }

// ParseWith is [Parse] with certificates that came before from a cache, which
// may be nil. They do not alias b.
func ParseWith(b []byte, certificates *cert.Cache) (*SignedData, error) {
	root, err := ber.Parse(b)
	if err != nil {
		return nil, classify(err)
	}
	s := &SignedData{Raw: root.Raw, Indefinite: root.Indefinite, cache: certificates}
	if err := s.parseContentInfo(root); err != nil {
		return nil, classify(err)
	}
	return s, nil
}

// parseContentInfo reads SEQUENCE { contentType, [0] EXPLICIT SignedData }.
func (s *SignedData) parseContentInfo(root ber.Element) error {
	if root.Tag != ber.TagSequence {
		return formatErrorf("tag %#02x is no ContentInfo", root.Tag)
	}
	r := root.Children()
	contentType, err := readOID(&r)
	if err != nil {
		return err
	}
	if contentType != OIDSignedData {
		return fmt.Errorf("%w: content type %s", ErrUnsupported, contentType)
	}
	explicit, err := r.Read(ber.ContextConstructed(0))
	if err != nil {
		return err
	}
	if err := r.Done(); err != nil {
		return err
	}
	inside := explicit.Children()
	signedData, err := inside.Read(ber.TagSequence)
	if err != nil {
		return err
	}
	if err := inside.Done(); err != nil {
		return err
	}
	return s.parseSignedData(signedData)
}

func (s *SignedData) parseSignedData(e ber.Element) error {
	r := e.Children()
	version, err := readVersion(&r)
	if err != nil {
		return err
	}
	s.Version = version
	digests, err := r.Read(ber.TagSet)
	if err != nil {
		return err
	}
	if s.DigestAlgorithms, err = parseDigestAlgorithms(digests); err != nil {
		return err
	}
	encap, err := r.Read(ber.TagSequence)
	if err != nil {
		return err
	}
	if err := s.parseEncapContentInfo(encap); err != nil {
		return err
	}
	certs, ok, err := r.Optional(ber.ContextConstructed(0))
	if err != nil {
		return err
	}
	if ok {
		s.certsRaw = certs.Raw
		if s.Certificates, err = parseCertificates(certs, s.cache); err != nil {
			return err
		}
	}
	crls, ok, err := r.Optional(ber.ContextConstructed(1))
	if err != nil {
		return err
	}
	if ok {
		if s.CRLs, err = parseCRLs(crls); err != nil {
			return err
		}
	}
	signers, err := r.Read(ber.TagSet)
	if err != nil {
		return err
	}
	if err := r.Done(); err != nil {
		return err
	}
	if s.SignerInfos, err = parseSignerInfos(signers, s.Certificates); err != nil {
		return err
	}
	return s.checkShell()
}

// parseDigestAlgorithms accepts only digests that are known and have no
// parameters. An entry that no signer uses is refused by checkShell.
func parseDigestAlgorithms(set ber.Element) ([]alg.AlgorithmIdentifier, error) {
	var out []alg.AlgorithmIdentifier
	for r := set.Children(); !r.Empty(); {
		if len(out) == MaxSigners {
			return nil, fmt.Errorf("%w: more than %d digest algorithms", ErrLimit, MaxSigners)
		}
		e, err := r.Next()
		if err != nil {
			return nil, err
		}
		a, err := alg.ParseAlgorithmIdentifier(e)
		if err != nil {
			return nil, err
		}
		if _, err := resolveDigest(a); err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

func resolveDigest(a alg.AlgorithmIdentifier) (*alg.Digest, error) {
	d, err := alg.DigestByOID(a.OID)
	if err != nil {
		return nil, classify(err)
	}
	if !a.NoParams() {
		return nil, formatErrorf("digest algorithm with parameters")
	}
	return d, nil
}

// parseEncapContentInfo reads SEQUENCE { eContentType, [0] EXPLICIT OCTET
// STRING OPTIONAL } (RFC 5652 5.2). PKCS #7 allowed other types than OCTET
// STRING for content that is not data; nothing current writes them.
func (s *SignedData) parseEncapContentInfo(e ber.Element) error {
	s.encap = e.Raw
	r := e.Children()
	var err error
	if s.ContentType, err = readOID(&r); err != nil {
		return err
	}
	if r.Empty() {
		return nil
	}
	explicit, err := r.Read(ber.ContextConstructed(0))
	if err != nil {
		return err
	}
	if err := r.Done(); err != nil {
		return err
	}
	inside := explicit.Children()
	if s.content, err = inside.Read(ber.TagOctetString); err != nil {
		return err
	}
	if err := inside.Done(); err != nil {
		return err
	}
	// All segments, so that reading the content later cannot fail.
	return s.content.Segments(func([]byte) bool { return true })
}

// parseCertificates reads the CertificateSet of RFC 5652 10.2.3.
func parseCertificates(set ber.Element, cache *cert.Cache) ([]*cert.Certificate, error) {
	var out []*cert.Certificate
	for r := set.Children(); !r.Empty(); {
		if len(out) == MaxCertificates {
			return nil, fmt.Errorf("%w: more than %d certificates", ErrLimit, MaxCertificates)
		}
		e, err := r.Next()
		if err != nil {
			return nil, err
		}
		switch e.Tag {
		case ber.TagSequence:
		case ber.ContextConstructed(0):
			return nil, fmt.Errorf("%w: PKCS #6 extended certificate", ErrUnsupported)
		case ber.ContextConstructed(1), ber.ContextConstructed(2):
			return nil, fmt.Errorf("%w: attribute certificate", ErrUnsupported)
		case ber.ContextConstructed(3):
			return nil, fmt.Errorf("%w: certificate of another format", ErrUnsupported)
		default:
			return nil, formatErrorf("tag %#02x among the certificates", e.Tag)
		}
		c, err := cache.Parse(e.Raw)
		if err != nil {
			return nil, fmt.Errorf("%d in the bag: %w", len(out), err)
		}
		out = append(out, c)
	}
	return out, nil
}

// parseCRLs reads the RevocationInfoChoices of RFC 5652 10.2.1. The CRLs
// prove nothing here; their outline is checked so that nothing else can pass
// for one.
func parseCRLs(set ber.Element) ([][]byte, error) {
	var out [][]byte
	for r := set.Children(); !r.Empty(); {
		if len(out) == MaxCertificates {
			return nil, fmt.Errorf("%w: more than %d CRLs", ErrLimit, MaxCertificates)
		}
		e, err := r.Next()
		if err != nil {
			return nil, err
		}
		if e.Tag == ber.ContextConstructed(1) {
			return nil, fmt.Errorf("%w: revocation information of another format", ErrUnsupported)
		}
		if err := checkCRLOutline(e); err != nil {
			return nil, fmt.Errorf("CRL %d: %w", len(out), err)
		}
		out = append(out, e.Raw)
	}
	return out, nil
}

// checkCRLOutline checks for CertificateList ::= SEQUENCE { tbsCertList
// SEQUENCE { version INTEGER OPTIONAL, signature, issuer, thisUpdate, ... },
// signatureAlgorithm, signature BIT STRING } (RFC 5280 5.1). The fourth field
// is a time only in a CRL, so that a certificate is none.
func checkCRLOutline(e ber.Element) error {
	if e.Tag != ber.TagSequence {
		return formatErrorf("tag %#02x is no CertificateList", e.Tag)
	}
	r := e.Children()
	tbs, err := r.Read(ber.TagSequence)
	if err != nil {
		return err
	}
	outer, err := r.Read(ber.TagSequence)
	if err != nil {
		return err
	}
	signature, err := r.Read(ber.TagBitString)
	if err != nil {
		return err
	}
	if err := r.Done(); err != nil {
		return err
	}
	if _, unused, err := signature.BitString(); err != nil || unused != 0 {
		return formatErrorf("bad signature bits")
	}
	in := tbs.Children()
	if _, _, err := in.Optional(ber.TagInteger); err != nil {
		return err
	}
	inner, err := in.Read(ber.TagSequence)
	if err != nil {
		return err
	}
	if !bytes.Equal(inner.Raw, outer.Raw) {
		return formatErrorf("inner and outer signature algorithms differ")
	}
	if _, err := alg.ParseAlgorithmIdentifier(inner); err != nil {
		return err
	}
	if _, err := in.Read(ber.TagSequence); err != nil {
		return err
	}
	thisUpdate, err := in.Next()
	if err != nil {
		return err
	}
	_, err = thisUpdate.Time()
	return err
}

func parseSignerInfos(set ber.Element, certs []*cert.Certificate) ([]*SignerInfo, error) {
	var out []*SignerInfo
	signedAttrs := 0
	for r := set.Children(); !r.Empty(); {
		if len(out) == MaxSigners {
			return nil, fmt.Errorf("%w: more than %d signers", ErrLimit, MaxSigners)
		}
		e, err := r.Read(ber.TagSequence)
		if err != nil {
			return nil, err
		}
		si, err := parseSignerInfo(e, maxSignedAttrs-signedAttrs, certs)
		if err != nil {
			return nil, fmt.Errorf("signer %d: %w", len(out), err)
		}
		signedAttrs += len(si.RawSignedAttrs)
		out = append(out, si)
	}
	return out, nil
}

// checkShell checks what no signature covers. RFC 5652 5.1 lets
// digestAlgorithms hold anything in any number; here it holds, octet for
// octet, what the signers use and nothing else, as everybody writes it.
func (s *SignedData) checkShell() error {
	if want := version(s.ContentType, s.SignerInfos); s.Version != want {
		return formatErrorf("version %d where %d belongs", s.Version, want)
	}
	used := make([]bool, len(s.DigestAlgorithms))
	for i, si := range s.SignerInfos {
		found := false
		for j, a := range s.DigestAlgorithms {
			if bytes.Equal(a.Raw, si.DigestAlgorithm.Raw) {
				found, used[j] = true, true
			}
		}
		if !found {
			return formatErrorf("signer %d: digest algorithm is not among those of the document", i)
		}
	}
	for j, a := range s.DigestAlgorithms {
		if !used[j] && len(s.SignerInfos) > 0 {
			return formatErrorf("digest algorithm %s is used by no signer", a.OID)
		}
	}
	return nil
}

// version returns SignedData.version by RFC 5652 5.1. The values 4 and 5 are
// for attribute certificates and other formats, which are refused.
func version(contentType ber.OID, signers []*SignerInfo) int {
	if contentType != OIDData {
		return 3
	}
	for _, si := range signers {
		if si.Version == 3 {
			return 3
		}
	}
	return 1
}

// SignerCertificates returns the certificates of the bag that the signer
// names: none, normally one, several when somebody put in more with the same
// name. Which of them it is only [SignerInfo.Verify] can tell.
func (s *SignedData) SignerCertificates(si *SignerInfo) []*cert.Certificate {
	var out []*cert.Certificate
	for _, c := range s.Certificates {
		if si.SID.Matches(c) {
			out = append(out, c)
		}
	}
	return out
}

func readOID(r *ber.Reader) (ber.OID, error) {
	e, err := r.Read(ber.TagOID)
	if err != nil {
		return "", err
	}
	return e.OID()
}

func readVersion(r *ber.Reader) (int, error) {
	e, err := r.Read(ber.TagInteger)
	if err != nil {
		return 0, err
	}
	v, err := e.Int64()
	if err != nil {
		return 0, err
	}
	if v < 0 || v > 5 {
		return 0, formatErrorf("version %d", v)
	}
	return int(v), nil
}
