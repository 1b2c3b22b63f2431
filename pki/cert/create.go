package cert

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"time"

	"imzo/pki/alg"
	"imzo/pki/ber"
)

// ErrTemplate is wrapped by the errors of [Create] about what it was given.
var ErrTemplate = errors.New("invalid certificate template")

// Template says what [Create] puts into a certificate.
type Template struct {
	// Serial is drawn at random, 64 bits, when nil.
	Serial  *big.Int
	Subject Name
	// NotBefore and NotAfter are cut to whole seconds.
	NotBefore, NotAfter time.Time
	// PublicKey is the subject's; nil means the one that signs, for a
	// self-signed certificate.
	PublicKey *alg.PublicKey
	// Version1 makes a certificate without extensions.
	Version1 bool

	// BasicConstraints is written critical, nil leaves it out.
	BasicConstraints *BasicConstraints
	// KeyUsage is written critical, zero leaves it out.
	KeyUsage            KeyUsage
	ExtKeyUsage         []ber.OID
	ExtKeyUsageCritical bool
	Policies            []ber.OID
	PoliciesCritical    bool

	OCSPServers, CAIssuers, CRLDistributionPoints []string
	DNSNames, EmailAddresses                      []string
	IPAddresses                                   []net.IP
	NameConstraints                               *NameConstraints // written critical
	OCSPNoCheck                                   bool

	// AuthorityIssuerSerial adds the issuer's issuer and serial number to
	// the authority key identifier, as the production PKI does.
	AuthorityIssuerSerial bool

	// Extra extensions come last. One of a type that would be written
	// anyway takes its place.
	Extra []Extension
}

// Create makes a version 3 certificate (or version 1, without extensions),
// signed with key, which is the issuer's, or the subject's own when issuer is
// nil. The subject key identifier is the SHA-1 digest of the key's BIT STRING
// (RFC 5280 4.2.1.2, method 1), the authority key identifier the issuer's. The
// certificate is read back and its signature checked before it is returned.
func Create(rand io.Reader, t *Template, issuer *Certificate, key *alg.PrivateKey) (*Certificate, error) {
	public := t.PublicKey
	if public == nil {
		public = key.PublicKey()
	}
	signer, issuerName := key.PublicKey(), t.Subject.Raw
	certified := public
	if issuer != nil {
		certified, issuerName = issuer.PublicKey, issuer.RawSubject
	}
	switch {
	case !bytes.Equal(signer.Raw, certified.Raw):
		return nil, fmt.Errorf("%w: the key is not the issuer's", ErrTemplate)
	case t.Subject.Raw == nil:
		return nil, fmt.Errorf("%w: no subject", ErrTemplate)
	case t.NotAfter.Before(t.NotBefore):
		return nil, fmt.Errorf("%w: validity ends before it begins", ErrTemplate)
	}
	serial := t.Serial
	if serial == nil {
		var err error
		if serial, err = randomSerial(rand); err != nil {
			return nil, err
		}
	}
	algorithm := key.SignatureAlgorithm().Marshal()
	var version, extensions []byte
	if !t.Version1 {
		version = ber.Tagged(ber.ContextConstructed(0), ber.Int64(2))
		list, err := t.extensions(public, issuer, serial)
		if err != nil {
			return nil, err
		}
		extensions = ber.Tagged(ber.ContextConstructed(3), ber.Sequence(list...))
	}
	tbs := ber.Sequence(
		version,
		ber.Int(serial),
		algorithm,
		issuerName,
		ber.Sequence(ber.Time(t.NotBefore), ber.Time(t.NotAfter)),
		t.Subject.Raw,
		public.Raw,
		extensions,
	)
	signature, err := key.SignMessage(rand, tbs)
	if err != nil {
		return nil, err
	}
	c, err := Parse(ber.Sequence(tbs, algorithm, ber.BitString(signature)))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTemplate, err)
	}
	if issuer == nil {
		issuer = c
	}
	if err := c.CheckSignatureFrom(issuer); err != nil {
		return nil, fmt.Errorf("new certificate: %w", err)
	}
	return c, nil
}

// randomSerial returns a positive number of 64 random bits, what CAs are asked
// for to keep the signed octets unpredictable.
func randomSerial(rand io.Reader) (*big.Int, error) {
	b := make([]byte, 8)
	for {
		if _, err := io.ReadFull(rand, b); err != nil {
			return nil, fmt.Errorf("random serial number: %w", err)
		}
		if n := new(big.Int).SetBytes(b); n.Sign() > 0 {
			return n, nil
		}
	}
}

// extensions returns the encoded extensions; there is always the subject key
// identifier among them, or what replaces it.
func (t *Template) extensions(public *alg.PublicKey, issuer *Certificate, serial *big.Int) ([][]byte, error) {
	w := extensionWriter{replaced: make(map[ber.OID]bool)}
	for _, x := range t.Extra {
		w.replaced[x.OID] = true
	}
	if b := t.BasicConstraints; b != nil {
		if b.MaxPathLen >= 0 && !b.IsCA {
			return nil, fmt.Errorf("%w: path length without CA", ErrTemplate)
		}
		w.add(OIDBasicConstraints, true, b.der())
	}
	if t.KeyUsage != 0 {
		w.add(OIDKeyUsage, true, t.KeyUsage.der())
	}
	if len(t.ExtKeyUsage) > 0 {
		w.add(OIDExtKeyUsage, t.ExtKeyUsageCritical, sequence(t.ExtKeyUsage, ber.OID.DER))
	}
	if len(t.Policies) > 0 {
		w.add(OIDCertificatePolicies, t.PoliciesCritical, sequence(t.Policies, func(o ber.OID) []byte {
			return ber.Sequence(o.DER())
		}))
	}
	keyID := public.KeyID()
	w.add(OIDSubjectKeyID, false, ber.OctetString(keyID))
	if issuer == nil {
		// Self-signed: the certificate is its own issuer's.
		issuer = &Certificate{SubjectKeyID: keyID, RawIssuer: t.Subject.Raw, Serial: serial}
	}
	t.addAuthorityKeyID(&w, issuer)
	if err := t.addAlternativeNames(&w); err != nil {
		return nil, err
	}
	if t.NameConstraints != nil {
		w.add(OIDNameConstraints, true, t.NameConstraints.der())
	}
	if err := t.addAddresses(&w); err != nil {
		return nil, err
	}
	if t.OCSPNoCheck {
		w.add(OIDOCSPNoCheck, false, ber.Null())
	}
	clear(w.replaced)
	for _, x := range t.Extra {
		w.add(x.OID, x.Critical, x.Value)
	}
	return w.list, nil
}

type extensionWriter struct {
	replaced map[ber.OID]bool
	list     [][]byte
}

func (w *extensionWriter) add(oid ber.OID, critical bool, value []byte) {
	if w.replaced[oid] {
		return
	}
	parts := [][]byte{oid.DER()}
	if critical {
		parts = append(parts, ber.Bool(true))
	}
	w.list = append(w.list, ber.Sequence(append(parts, ber.OctetString(value))...))
}

// addAuthorityKeyID writes what is known of the issuer: its key identifier, and
// on request its issuer and serial number. A version 1 certificate names no
// identifier, and its key has one all the same (RFC 5280 4.2.1.1).
func (t *Template) addAuthorityKeyID(w *extensionWriter, issuer *Certificate) {
	keyID := issuer.SubjectKeyID
	if keyID == nil && issuer.Version == 1 {
		keyID = issuer.PublicKey.KeyID()
	}
	var parts [][]byte
	if keyID != nil {
		parts = append(parts, ber.Tagged(ber.Context(0), keyID))
	}
	if t.AuthorityIssuerSerial {
		parts = append(parts,
			ber.Tagged(ber.ContextConstructed(1), ber.Tagged(ber.ContextConstructed(4), issuer.RawIssuer)),
			ber.Tagged(ber.Context(2), integerContent(issuer.Serial)))
	}
	if len(parts) > 0 {
		w.add(OIDAuthorityKeyID, false, ber.Sequence(parts...))
	}
}

// integerContent returns the content octets of an INTEGER, for an implicit
// tag.
func integerContent(v *big.Int) []byte {
	e, _, _ := ber.ParsePrefix(ber.Int(v)) // just encoded
	return e.Content
}

func (t *Template) addAlternativeNames(w *extensionWriter) error {
	var names [][]byte
	for _, s := range t.DNSNames {
		names = append(names, ber.Tagged(ber.Context(2), []byte(s)))
	}
	for _, s := range t.EmailAddresses {
		names = append(names, ber.Tagged(ber.Context(1), []byte(s)))
	}
	if err := checkASCII(t.DNSNames, t.EmailAddresses); err != nil {
		return err
	}
	for _, ip := range t.IPAddresses {
		octets := ip.To4()
		if octets == nil {
			octets = ip.To16()
		}
		if octets == nil {
			return fmt.Errorf("%w: IP address of %d octets", ErrTemplate, len(ip))
		}
		names = append(names, ber.Tagged(ber.Context(7), octets))
	}
	if len(names) > 0 {
		// RFC 5280 4.2.1.6: critical when the subject is empty.
		w.add(OIDSubjectAltName, t.Subject.Empty(), ber.Sequence(names...))
	}
	return nil
}

// addAddresses writes where to ask for revocation and for issuers.
func (t *Template) addAddresses(w *extensionWriter) error {
	if err := checkASCII(t.OCSPServers, t.CAIssuers, t.CRLDistributionPoints); err != nil {
		return err
	}
	var access [][]byte
	for _, uri := range t.CAIssuers {
		access = append(access, ber.Sequence(oidAccessCAIssuers.DER(), uriName(uri)))
	}
	for _, uri := range t.OCSPServers {
		access = append(access, ber.Sequence(oidAccessOCSP.DER(), uriName(uri)))
	}
	if len(access) > 0 {
		w.add(OIDAuthorityInfoAccess, false, ber.Sequence(access...))
	}
	if len(t.CRLDistributionPoints) > 0 {
		w.add(OIDCRLDistributionPoints, false, sequence(t.CRLDistributionPoints, func(uri string) []byte {
			full := ber.Tagged(ber.ContextConstructed(0), uriName(uri))
			return ber.Sequence(ber.Tagged(ber.ContextConstructed(0), full))
		}))
	}
	return nil
}

func uriName(uri string) []byte { return ber.Tagged(ber.Context(6), []byte(uri)) }

func checkASCII(lists ...[]string) error {
	for _, list := range lists {
		for _, s := range list {
			if !isASCII(s) {
				return fmt.Errorf("%w: %q is not ASCII", ErrTemplate, s)
			}
		}
	}
	return nil
}

// sequence returns a SEQUENCE with each item encoded by f.
func sequence[T any](items []T, f func(T) []byte) []byte {
	parts := make([][]byte, len(items))
	for i, item := range items {
		parts[i] = f(item)
	}
	return ber.Sequence(parts...)
}

func (b *BasicConstraints) der() []byte {
	var parts [][]byte
	if b.IsCA {
		parts = append(parts, ber.Bool(true))
		if b.MaxPathLen >= 0 {
			parts = append(parts, ber.Int64(int64(b.MaxPathLen)))
		}
	}
	return ber.Sequence(parts...)
}

func (u KeyUsage) der() []byte {
	var bits []int
	for i := range 9 {
		if u&(1<<i) != 0 {
			bits = append(bits, i)
		}
	}
	return ber.NamedBits(bits...)
}

func (n *NameConstraints) der() []byte {
	var parts [][]byte
	for i, s := range []*Subtrees{&n.Permitted, &n.Excluded} {
		if list := s.der(); len(list) > 0 {
			parts = append(parts, ber.Tagged(ber.ContextConstructed(i), list...))
		}
	}
	return ber.Sequence(parts...)
}

func (s *Subtrees) der() [][]byte {
	var list [][]byte
	add := func(tag byte, content []byte) { list = append(list, ber.Sequence(ber.Tagged(tag, content))) }
	for _, n := range s.Directory {
		add(ber.ContextConstructed(4), n.Raw)
	}
	for _, d := range s.DNS {
		add(ber.Context(2), []byte(d))
	}
	for _, e := range s.Email {
		add(ber.Context(1), []byte(e))
	}
	for _, ip := range s.IP {
		add(ber.Context(7), append(append([]byte{}, ip.IP...), ip.Mask...))
	}
	return list
}
