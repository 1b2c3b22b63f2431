package localca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"strings"
	"time"
)

const (
	authorityYears = 10
	// leafLife is far below the 397 days that browsers allow (CA/Browser
	// Forum Baseline Requirements 6.3.2, Apple's limit of 825 days for local
	// CAs): making another costs nothing.
	leafLife = 90 * 24 * time.Hour
	// backdate is for clocks that are set a little back after the start.
	backdate = time.Hour
)

// constraints is a template with all that keeps a CA of ours to loopback.
func constraints() *x509.Certificate {
	return &x509.Certificate{
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLen:            0,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		// Names say nothing about programs and mails that are signed; in a CA
		// this usage bounds that of all it issues (RFC 5280 4.2.1.12 leaves
		// it open, but Go, OpenSSL, NSS, Windows and macOS do so).
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},

		PermittedDNSDomainsCritical: true,
		// Names below localhost are loopback too (RFC 6761 6.3).
		PermittedDNSDomains: []string{"localhost"},
		PermittedIPRanges: []*net.IPNet{
			{IP: net.IPv4(127, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)},
			{IP: net.IPv6loopback, Mask: net.CIDRMask(128, 128)},
		},
		// A constraint bounds only the kinds of name it mentions (RFC 5280
		// 4.2.1.10), so those we have no use for are bounded to a host that
		// never exists (RFC 6761 6.4).
		PermittedEmailAddresses: []string{"localhost.invalid"},
		PermittedURIDomains:     []string{"localhost.invalid"},
	}
}

// keyID is the subject key identifier by RFC 7093 2, method 1.
func keyID(key *ecdsa.PublicKey) ([]byte, error) {
	point, err := key.Bytes()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(point)
	return sum[:20], nil
}

// subject names an authority so that a person finds it in a list: by the
// computer, and by the key where there have been several.
func subject(host string, key *ecdsa.PublicKey) (pkix.Name, error) {
	id, err := keyID(key)
	if err != nil {
		return pkix.Name{}, err
	}
	// The name becomes that of a file in the system's store.
	host = strings.Map(func(r rune) rune {
		if r == '-' || r == '.' || '0' <= r && r <= '9' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z' {
			return r
		}
		return -1
	}, host)
	const limit = 64 // RFC 5280 A.1, ub-common-name
	last := " " + hex.EncodeToString(id[:4])
	name := "Imzo local CA"
	if host != "" {
		name += " " + host[:min(len(host), limit-len(name)-1-len(last))]
	}
	return pkix.Name{Organization: []string{"Imzo"}, CommonName: name + last}, nil
}

// serialNumber is 127 random bits, positive and within the 20 bytes of RFC 5280
// 4.1.2.2.
func serialNumber(random io.Reader) (*big.Int, error) {
	b := make([]byte, 16)
	if _, err := io.ReadFull(random, b); err != nil {
		return nil, err
	}
	b[0] = b[0]&0x7f | 0x40 // never 0
	return new(big.Int).SetBytes(b), nil
}

// newKey makes the key file of an authority.
func newKey(random io.Reader) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), random)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// selfSign makes the certificate of an authority, in DER.
func selfSign(random io.Reader, key *ecdsa.PrivateKey, name pkix.Name, now time.Time) ([]byte, error) {
	template := constraints()
	var err error
	if template.SubjectKeyId, err = keyID(&key.PublicKey); err != nil {
		return nil, err
	}
	if template.SerialNumber, err = serialNumber(random); err != nil {
		return nil, err
	}
	template.Subject = name
	template.NotBefore = now.Add(-backdate)
	template.NotAfter = now.AddDate(authorityYears, 0, 0)
	return x509.CreateCertificate(random, template, template, &key.PublicKey, key)
}
