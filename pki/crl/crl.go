// Package crl reads, checks, looks up and makes certificate revocation lists
// (RFC 5280 5).
//
//	list, err := crl.Parse(der)
//	err = list.CheckSignatureFrom(issuer)
//	err = list.Fresh(now)
//	err = list.Covers(c)
//	entry, revoked, err := list.Lookup(c.Serial)
//
// Only complete lists of the issuer's own certificates are read: delta lists,
// indirect lists and lists of one kind of certificate or reason are refused,
// because not being on them would mean nothing. For the same reason ask
// [CRL.Covers] before [CRL.Lookup]: a CA may publish its certificates in
// several lists, by distribution point. A parsed list keeps views of its octets and is searched where it lies: its memory is that of the input.
package crl

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"time"

	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
)

// MaxSize bounds a list: 64 MiB hold more entries than the parser's million
// elements.
const MaxSize = 64 << 20

// NoReason is the Reason of an entry that gives none.
const NoReason = -1

var (
	// ErrFormat is wrapped when octets are no certificate list.
	ErrFormat = errors.New("invalid CRL")
	// ErrUnsupported is wrapped for lists that do not cover all certificates
	// of their issuer, and for unknown critical extensions.
	ErrUnsupported = errors.New("unsupported CRL")
	// ErrIssuer is wrapped when a certificate may not sign the list.
	ErrIssuer = errors.New("CRL of another issuer")
	// ErrSignature is wrapped when the signature is wrong.
	ErrSignature = errors.New("wrong signature of the CRL")
	// ErrScope tells that a list is not the one a certificate would be on.
	ErrScope = errors.New("CRL of other certificates of its issuer")
	// ErrStale and ErrFuture tell that a list is out of date or from the
	// future.
	ErrStale  = errors.New("CRL is out of date")
	ErrFuture = errors.New("CRL is not valid yet")
)

var (
	oidCRLNumber                = ber.MustOID("2.5.29.20")
	oidReasonCode               = ber.MustOID("2.5.29.21")
	oidInvalidityDate           = ber.MustOID("2.5.29.24")
	oidDeltaCRLIndicator        = ber.MustOID("2.5.29.27")
	oidIssuingDistributionPoint = ber.MustOID("2.5.29.28")
	oidCertificateIssuer        = ber.MustOID("2.5.29.29")
)

// clockSkew is how far the clocks of issuer and checker may differ.
const clockSkew = 5 * time.Minute

// CRL is a parsed list.
type CRL struct {
	Raw        []byte
	Issuer     cert.Name
	ThisUpdate time.Time
	NextUpdate time.Time // zero: not stated
	Number     *big.Int  // nil: none
	// Points are the URIs of the distribution point the list is limited to
	// (RFC 5280 5.2.5); see [CRL.Covers].
	Points []string

	limited   bool // to Points, which may be none
	tbs       []byte
	algorithm alg.AlgorithmIdentifier
	signature []byte
	entries   ber.Element // SEQUENCE OF; zero when there is none
}

// Entry is a revoked certificate.
type Entry struct {
	Serial    *big.Int
	RevokedAt time.Time
	Reason    int // CRLReason; NoReason when absent
	// InvalidityDate is since when the key is suspected; zero when absent.
	InvalidityDate time.Time
}

// Parse reads a list with all its entries. Errors wrap [ErrFormat] or
// [ErrUnsupported].
func Parse(der []byte) (*CRL, error) {
	if len(der) > MaxSize {
		return nil, fmt.Errorf("%w: %d octets", ErrFormat, len(der))
	}
	root, err := ber.Parse(der)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	l := &CRL{Raw: root.Raw}
	if err := l.parse(root); err != nil {
		if errors.Is(err, ErrUnsupported) {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return l, nil
}

func (l *CRL) parse(root ber.Element) error {
	if root.Tag != ber.TagSequence {
		return fmt.Errorf("tag %#02x is no CertificateList", root.Tag)
	}
	r := root.Children()
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
	bits, unused, err := signature.BitString()
	if err != nil || unused != 0 {
		return errors.New("bad signature value")
	}
	// As in certificates: one form for what no signature covers.
	if !bytes.Equal(root.Raw, ber.Sequence(tbs.Raw, outer.Raw, ber.BitString(bits))) {
		return errors.New("not DER around the signed part")
	}
	l.tbs, l.signature = tbs.Raw, bits
	if l.algorithm, err = alg.ParseAlgorithmIdentifier(outer); err != nil {
		return err
	}
	inner, err := l.parseTBS(tbs)
	if err != nil {
		return err
	}
	if !bytes.Equal(inner.Raw, outer.Raw) {
		return errors.New("inner and outer signature algorithms differ")
	}
	return nil
}

func (l *CRL) parseTBS(tbs ber.Element) (algorithm ber.Element, err error) {
	r := tbs.Children()
	v2 := false
	if version, ok, err := r.Optional(ber.TagInteger); err != nil {
		return algorithm, err
	} else if ok {
		if n, err := version.Int64(); err != nil || n != 1 {
			return algorithm, errors.New("unknown version")
		}
		v2 = true
	}
	if algorithm, err = r.Read(ber.TagSequence); err != nil {
		return algorithm, err
	}
	issuer, err := r.Read(ber.TagSequence)
	if err != nil {
		return algorithm, err
	}
	if l.Issuer, err = cert.ParseNameElement(issuer); err != nil {
		return algorithm, err
	}
	this, err := r.Next()
	if err != nil {
		return algorithm, err
	}
	if l.ThisUpdate, err = this.Time(); err != nil {
		return algorithm, err
	}
	if tag := r.Peek(); tag == ber.TagUTCTime || tag == ber.TagGeneralizedTime {
		next, err := r.Next()
		if err != nil {
			return algorithm, err
		}
		if l.NextUpdate, err = next.Time(); err != nil {
			return algorithm, err
		}
	}
	if list, ok, err := r.Optional(ber.TagSequence); err != nil {
		return algorithm, err
	} else if ok {
		l.entries = list
		if err := l.walk(func(Entry) bool { return true }, v2); err != nil {
			return algorithm, err
		}
	}
	if tagged, ok, err := r.Optional(ber.ContextConstructed(0)); err != nil {
		return algorithm, err
	} else if ok {
		if !v2 {
			return algorithm, errors.New("extensions in version 1")
		}
		if err := l.parseExtensions(tagged); err != nil {
			return algorithm, err
		}
	}
	return algorithm, r.Done()
}

func (l *CRL) parseExtensions(tagged ber.Element) error {
	r := tagged.Children()
	list, err := r.Read(ber.TagSequence)
	if err != nil {
		return err
	}
	if err := r.Done(); err != nil {
		return err
	}
	seen := make(map[ber.OID]bool)
	return eachExtension(list, func(oid ber.OID, critical bool, value ber.Element) error {
		if seen[oid] {
			return fmt.Errorf("extension %s stands twice", oid)
		}
		seen[oid] = true
		switch oid {
		case oidCRLNumber:
			if value.Tag != ber.TagInteger {
				return fmt.Errorf("tag %#02x is no CRLNumber", value.Tag)
			}
			l.Number, err = value.Int()
			return err
		case oidDeltaCRLIndicator:
			return fmt.Errorf("%w: delta list", ErrUnsupported)
		case oidIssuingDistributionPoint:
			return l.parseScope(value)
		}
		if critical {
			return fmt.Errorf("%w: critical extension %s", ErrUnsupported, oid)
		}
		return nil
	})
}

// parseScope reads an issuing distribution point (RFC 5280 5.2.5) and accepts
// one that names a distribution point and no kind of certificate or reason.
func (l *CRL) parseScope(value ber.Element) error {
	if value.Tag != ber.TagSequence {
		return fmt.Errorf("tag %#02x is no IssuingDistributionPoint", value.Tag)
	}
	last := -1
	for r := value.Children(); !r.Empty(); {
		e, err := r.Next()
		if err != nil {
			return err
		}
		if int(e.Number) <= last {
			return errors.New("IssuingDistributionPoint out of order")
		}
		last = int(e.Number)
		switch e.Tag {
		case ber.ContextConstructed(0):
			l.limited = true
			if err := l.parsePoint(e); err != nil {
				return err
			}
		case ber.Context(1), ber.Context(2), ber.Context(4), ber.Context(5):
			only, err := e.WithTag(ber.TagBoolean).Bool()
			if err != nil {
				return err
			}
			if only {
				return fmt.Errorf("%w: not of all certificates of its issuer", ErrUnsupported)
			}
		default:
			return fmt.Errorf("%w: not for all reasons", ErrUnsupported)
		}
	}
	return nil
}

// parsePoint collects the URIs of a DistributionPointName. Other names are no
// error: [CRL.Covers] then finds nothing to compare with.
func (l *CRL) parsePoint(explicit ber.Element) error {
	r := explicit.Children()
	choice, err := r.Next()
	if err != nil {
		return err
	}
	if err := r.Done(); err != nil {
		return err
	}
	if choice.Tag != ber.ContextConstructed(0) { // fullName
		return nil
	}
	for names := choice.Children(); !names.Empty(); {
		name, err := names.Next()
		if err != nil {
			return err
		}
		if name.Tag != ber.Context(6) {
			continue
		}
		uri, err := name.WithTag(ber.TagIA5String).Text()
		if err != nil {
			return err
		}
		l.Points = append(l.Points, uri)
	}
	return nil
}

func eachExtension(list ber.Element, f func(ber.OID, bool, ber.Element) error) error {
	for r := list.Children(); !r.Empty(); {
		e, err := r.Read(ber.TagSequence)
		if err != nil {
			return err
		}
		in := e.Children()
		id, err := in.Read(ber.TagOID)
		if err != nil {
			return err
		}
		oid, err := id.OID()
		if err != nil {
			return err
		}
		critical := false
		if b, ok, err := in.Optional(ber.TagBoolean); err != nil {
			return err
		} else if ok {
			if critical, err = b.Bool(); err != nil {
				return err
			}
		}
		wrapped, err := in.Read(ber.TagOctetString)
		if err != nil {
			return err
		}
		if err := in.Done(); err != nil {
			return err
		}
		value, err := ber.Parse(wrapped.Content)
		if err != nil {
			return err
		}
		if err := f(oid, critical, value); err != nil {
			return err
		}
	}
	return nil
}

// walk reads the entries in order until f returns false.
func (l *CRL) walk(f func(Entry) bool, v2 bool) error {
	if l.entries.Raw == nil {
		return nil
	}
	for r := l.entries.Children(); !r.Empty(); {
		e, err := r.Read(ber.TagSequence)
		if err != nil {
			return err
		}
		entry, err := parseEntry(e, v2)
		if err != nil {
			return err
		}
		if !f(entry) {
			return nil
		}
	}
	return nil
}

func parseEntry(e ber.Element, v2 bool) (Entry, error) {
	out := Entry{Reason: NoReason}
	r := e.Children()
	serial, err := r.Read(ber.TagInteger)
	if err != nil {
		return out, err
	}
	if out.Serial, err = serial.Int(); err != nil {
		return out, err
	}
	at, err := r.Next()
	if err != nil {
		return out, err
	}
	if out.RevokedAt, err = at.Time(); err != nil {
		return out, err
	}
	extensions, ok, err := r.Optional(ber.TagSequence)
	if err != nil {
		return out, err
	}
	if ok {
		if !v2 {
			return out, errors.New("extensions in version 1")
		}
		if err := eachExtension(extensions, func(oid ber.OID, critical bool, value ber.Element) error {
			switch {
			case oid == oidReasonCode:
				if out.Reason != NoReason {
					return errors.New("two reasons")
				}
				if value.Tag != ber.TagEnumerated {
					return fmt.Errorf("tag %#02x is no CRLReason", value.Tag)
				}
				n, err := value.Int64()
				if err != nil || !isReason(n) {
					return errors.New("unknown CRLReason")
				}
				out.Reason = int(n)
			case oid == oidInvalidityDate:
				if !out.InvalidityDate.IsZero() {
					return errors.New("two invalidity dates")
				}
				if value.Tag != ber.TagGeneralizedTime {
					return fmt.Errorf("tag %#02x is no InvalidityDate", value.Tag)
				}
				out.InvalidityDate, err = value.Time()
				return err
			case oid == oidCertificateIssuer:
				return fmt.Errorf("%w: entry of another issuer", ErrUnsupported)
			case critical:
				return fmt.Errorf("%w: critical entry extension %s", ErrUnsupported, oid)
			}
			return nil
		}); err != nil {
			return out, err
		}
	}
	return out, r.Done()
}

// isReason tells whether RFC 5280 5.3.1 has a CRLReason n; 7 is not used.
func isReason(n int64) bool { return n >= 0 && n <= 10 && n != 7 }

// CheckSignatureFrom checks that issuer signed the list, not with SHA-1, and
// may sign lists.
// It says nothing about the issuer's own validity.
func (l *CRL) CheckSignatureFrom(issuer *cert.Certificate) error {
	if !l.Issuer.Equal(issuer.Subject) {
		return ErrIssuer
	}
	if issuer.HasKeyUsage && issuer.KeyUsage&cert.KeyUsageCRLSign == 0 {
		return fmt.Errorf("%w: its key is not for cRLSign", ErrIssuer)
	}
	scheme, err := alg.ResolveSignature(l.algorithm, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSignature, err)
	}
	// Nothing says that no asker has a hand in what is signed: serial numbers
	// and dates are others' wish. Lists are short-lived, so that no old one
	// loses its validity by this.
	if scheme.Digest() == alg.SHA1() {
		return fmt.Errorf("%w: made with SHA-1", ErrSignature)
	}
	if err := scheme.Verify(issuer.PublicKey, l.tbs, l.signature); err != nil {
		return fmt.Errorf("%w: %w", ErrSignature, err)
	}
	return nil
}

// Covers checks that c would be on the list if it were revoked: the list is of
// c's issuer, and if it is limited to a distribution point, c names that point
// (RFC 5280 6.3.3 b 2 i). Without this, whoever answers for a distribution
// point could hand out the list of another, where a revoked certificate is not.
// Errors are [ErrIssuer] and [ErrScope].
func (l *CRL) Covers(c *cert.Certificate) error {
	if !l.Issuer.Equal(c.Issuer) {
		return ErrIssuer
	}
	if !l.limited {
		return nil
	}
	for _, point := range l.Points {
		if slices.Contains(c.CRLDistributionPoints, point) {
			return nil
		}
	}
	return ErrScope
}

// Fresh checks that now lies between thisUpdate and nextUpdate, give or take
// five minutes. A list without nextUpdate is never fresh: RFC 5280 5.1.2.5
// demands one.
func (l *CRL) Fresh(now time.Time) error {
	if l.ThisUpdate.After(now.Add(clockSkew)) {
		return ErrFuture
	}
	if l.NextUpdate.Before(now.Add(-clockSkew)) || l.NextUpdate.Before(l.ThisUpdate) {
		return ErrStale
	}
	return nil
}

// Lookup finds the entry of a serial number and tells whether there is one.
// An entry with the reason removeFromCRL is none: it belongs to delta lists.
// Entries are passed over by the octets of their serial number, so that a
// search allocates nothing until it finds one.
func (l *CRL) Lookup(serial *big.Int) (entry Entry, revoked bool, err error) {
	const removeFromCRL = 8
	if l.entries.Raw == nil {
		return Entry{}, false, nil
	}
	want, err := ber.Parse(ber.Int(serial))
	if err != nil {
		return Entry{}, false, err
	}
	for r := l.entries.Children(); !r.Empty(); {
		e, err := r.Read(ber.TagSequence)
		if err != nil {
			return Entry{}, false, err
		}
		in := e.Children()
		id, err := in.Read(ber.TagInteger)
		if err != nil {
			return Entry{}, false, err
		}
		if !bytes.Equal(id.Content, want.Content) { // both minimal
			continue
		}
		if entry, err = parseEntry(e, true); err != nil {
			return Entry{}, false, err
		}
		if entry.Reason != removeFromCRL {
			return entry, true, nil
		}
	}
	return Entry{}, false, nil
}

// Each calls f for every entry in order until it returns false.
func (l *CRL) Each(f func(Entry) bool) error { return l.walk(f, true) }

// Template is what a list is made of.
type Template struct {
	ThisUpdate, NextUpdate time.Time
	Number                 *big.Int
	Entries                []Entry
}

// Create makes a list of version 2, signed by issuer's key. Errors wrap
// [ErrIssuer] when the key is not the issuer's, [ErrFormat] when the template
// is no list that others would read.
func Create(rand io.Reader, t *Template, issuer *cert.Certificate, key *alg.PrivateKey) ([]byte, error) {
	if !bytes.Equal(key.PublicKey().Bits, issuer.PublicKey.Bits) {
		return nil, fmt.Errorf("%w: the key is not the issuer's", ErrIssuer)
	}
	if !t.NextUpdate.After(t.ThisUpdate) {
		return nil, fmt.Errorf("%w: nextUpdate is not after thisUpdate", ErrFormat)
	}
	algorithm := key.SignatureAlgorithm().Marshal()
	parts := [][]byte{ber.Int64(1), algorithm, issuer.RawSubject, ber.Time(t.ThisUpdate), ber.Time(t.NextUpdate)}
	var revoked [][]byte
	for _, e := range t.Entries {
		if e.Serial == nil || e.Reason != NoReason && !isReason(int64(e.Reason)) {
			return nil, fmt.Errorf("%w: entry with serial number %v and reason %d", ErrFormat, e.Serial, e.Reason)
		}
		fields := [][]byte{ber.Int(e.Serial), ber.Time(e.RevokedAt)}
		var extensions [][]byte
		if e.Reason > 0 { // unspecified is left out (RFC 5280 5.3.1)
			extensions = append(extensions, extension(oidReasonCode, ber.Enumerated(int64(e.Reason))))
		}
		if !e.InvalidityDate.IsZero() {
			extensions = append(extensions, extension(oidInvalidityDate, ber.GeneralizedTime(e.InvalidityDate)))
		}
		if extensions != nil {
			fields = append(fields, ber.Sequence(extensions...))
		}
		revoked = append(revoked, ber.Sequence(fields...))
	}
	if len(revoked) > 0 {
		parts = append(parts, ber.Sequence(revoked...))
	}
	var extensions [][]byte
	if issuer.SubjectKeyID != nil {
		extensions = append(extensions, extension(cert.OIDAuthorityKeyID, ber.Sequence(ber.Tagged(ber.Context(0), issuer.SubjectKeyID))))
	}
	if t.Number != nil {
		extensions = append(extensions, extension(oidCRLNumber, ber.Int(t.Number)))
	}
	if len(extensions) > 0 {
		parts = append(parts, ber.Tagged(ber.ContextConstructed(0), ber.Sequence(extensions...)))
	}
	tbs := ber.Sequence(parts...)
	signature, err := key.SignMessage(rand, tbs)
	if err != nil {
		return nil, err
	}
	return ber.Sequence(tbs, algorithm, ber.BitString(signature)), nil
}

func extension(oid ber.OID, value []byte) []byte {
	return ber.Sequence(oid.DER(), ber.OctetString(value))
}
