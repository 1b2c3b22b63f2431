package cert

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
	"net"
	"time"

	"imzo/pki/alg"
	"imzo/pki/ber"
)

// ErrSyntax is wrapped by every error about octets that are not a
// certificate, beside the errors of pki/ber.
var ErrSyntax = errors.New("invalid certificate")

// Certificate is a parsed X.509 certificate. It is not changed after
// [Parse], so that any number of goroutines may use it; callers keep it so.
type Certificate struct {
	// Raw is the whole certificate, RawTBS its signed part with its header,
	// RawSubject and RawIssuer the two names. All are views of the input.
	Raw, RawTBS, RawSubject, RawIssuer []byte

	// Version is 1, 2 or 3.
	Version int
	// Serial may be zero or negative: RFC 5280 forbids both, old CAs issued
	// them.
	Serial *big.Int
	// SignatureAlgorithm stands, octet for octet, inside and outside of the
	// signed part.
	SignatureAlgorithm alg.AlgorithmIdentifier
	// Signature is the content of the BIT STRING.
	Signature       []byte
	Issuer, Subject Name
	// NotBefore and NotAfter bound the validity, both inclusive, in UTC.
	NotBefore, NotAfter time.Time
	// PublicKey is never nil; its Key is nil when the algorithm is not
	// supported.
	PublicKey *alg.PublicKey
	// Extensions holds all extensions in the order of the certificate.
	Extensions []Extension

	// BasicConstraints is nil when the extension is absent.
	BasicConstraints *BasicConstraints
	// KeyUsage holds the bits; without the extension (HasKeyUsage false)
	// every use is allowed.
	KeyUsage    KeyUsage
	HasKeyUsage bool
	// ExtKeyUsage is in the order of the certificate.
	ExtKeyUsage         []ber.OID
	ExtKeyUsageCritical bool
	// SubjectKeyID, AuthorityKeyID are nil when absent. AuthorityIssuer and
	// AuthoritySerial name the issuer's certificate by its issuer and
	// serial; they are nil when absent.
	SubjectKeyID, AuthorityKeyID []byte
	AuthorityIssuer              *Name
	AuthoritySerial              *big.Int
	// PolicyIdentifiers is in the order of the certificate.
	PolicyIdentifiers []ber.OID
	// OCSPServers, CAIssuers and CRLDistributionPoints are URIs, as written.
	OCSPServers, CAIssuers, CRLDistributionPoints []string
	// TimeStampServers are the URIs of timestamp authorities in the authority
	// information access.
	TimeStampServers []string
	// DNSNames, EmailAddresses, URIs, IPAddresses and DirectoryNames are the
	// subject's alternative names; other forms are left out.
	DNSNames, EmailAddresses, URIs []string
	IPAddresses                    []net.IP
	DirectoryNames                 []Name
	// NameConstraints is nil when the extension is absent.
	NameConstraints *NameConstraints
	// OCSPNoCheck tells that an OCSP responder's certificate needs no
	// revocation check (RFC 6960 4.2.2.2.1).
	OCSPNoCheck bool

	// UnhandledCritical lists critical extensions this package does not
	// process. A path with such a certificate is not valid.
	UnhandledCritical []ber.OID

	prepared *prepared // by a Cache; nil otherwise
}

// Extension is an extension as it stands in the certificate.
type Extension struct {
	OID      ber.OID
	Critical bool
	// Value is the content of the OCTET STRING.
	Value []byte
}

// BasicConstraints is the extension of RFC 5280 4.2.1.9.
type BasicConstraints struct {
	IsCA bool
	// MaxPathLen is how many CA certificates that are not self-issued may
	// stand between this one and the end entity; -1 means no limit.
	MaxPathLen int
}

// KeyUsage is the set of bits of RFC 5280 4.2.1.3; bit n of the standard is
// 1<<n.
type KeyUsage uint16

// The key usage bits.
const (
	KeyUsageDigitalSignature KeyUsage = 1 << iota
	KeyUsageContentCommitment
	KeyUsageKeyEncipherment
	KeyUsageDataEncipherment
	KeyUsageKeyAgreement
	KeyUsageCertSign
	KeyUsageCRLSign
	KeyUsageEncipherOnly
	KeyUsageDecipherOnly
)

// SerialHex returns the serial number as Java's BigInteger.toString(16) does:
// lower case, without leading zeros, with "-" when negative.
func (c *Certificate) SerialHex() string { return c.Serial.Text(16) }

// Fingerprint returns the SHA-256 digest of the whole certificate.
func (c *Certificate) Fingerprint() [32]byte {
	if p := c.ready(); p != nil {
		return p.sum
	}
	return sha256.Sum256(c.Raw)
}

// Equal tells whether the two certificates are the same octets.
func (c *Certificate) Equal(o *Certificate) bool {
	return c == o || c != nil && o != nil && bytes.Equal(c.Raw, o.Raw)
}

// SelfIssued tells whether subject and issuer are the same name, which CA
// certificates for a new key of the same CA also have.
func (c *Certificate) SelfIssued() bool { return c.Subject.Equal(c.Issuer) }

// ValidAt tells whether t lies within the validity, bounds included. A
// certificate is valid through the whole second of NotAfter (RFC 5280
// 4.1.2.5 writes times in whole seconds).
func (c *Certificate) ValidAt(t time.Time) bool {
	return !c.notYetValidAt(t) && !c.expiredAt(t)
}

func (c *Certificate) notYetValidAt(t time.Time) bool { return t.Before(c.NotBefore) }

func (c *Certificate) expiredAt(t time.Time) bool {
	return t.Truncate(time.Second).After(c.NotAfter)
}

// CheckSignatureFrom checks the certificate's signature with the issuer's
// key. It is cryptography only: names, constraints and times are for
// [BuildPath]. Errors are those of pki/alg: ErrSignature when the signature
// is wrong, ErrKeyMismatch, ErrUnsupported.
func (c *Certificate) CheckSignatureFrom(issuer *Certificate) error {
	scheme, err := alg.ResolveSignature(c.SignatureAlgorithm, nil)
	if err != nil {
		return err
	}
	return scheme.Verify(issuer.PublicKey, c.RawTBS, c.Signature)
}

// String names the certificate by its serial number, which logs may hold; the
// subject is personal data.
func (c *Certificate) String() string {
	if c == nil {
		return "no certificate"
	}
	return fmt.Sprintf("certificate %s", c.SerialHex())
}

// Extension returns the extension with this identifier.
func (c *Certificate) Extension(oid ber.OID) (Extension, bool) {
	for _, x := range c.Extensions {
		if x.OID == oid {
			return x, true
		}
	}
	return Extension{}, false
}
