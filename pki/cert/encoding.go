package cert

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"

	"imzo/pki/ber"
)

// ErrNoCertificate is returned by [ParseAll] for an input without any.
var ErrNoCertificate = errors.New("no certificate found")

const pemCertificate = "CERTIFICATE"

// ParseAll reads the certificates of a file: PEM with any number of them
// (other blocks, such as keys, are passed over), DER, several one after the
// other, or the base64 of that. There is at least one, or an error.
func ParseAll(data []byte) ([]*Certificate, error) {
	switch {
	case bytes.Contains(data, []byte("-----BEGIN ")):
		return parsePEM(data)
	case len(data) > 0 && data[0] == ber.TagSequence:
		return parseConcatenated(data)
	}
	der, err := base64.StdEncoding.DecodeString(string(bytes.Join(bytes.Fields(data), nil)))
	if err != nil || len(der) == 0 {
		return nil, fmt.Errorf("%w: neither PEM, DER nor base64", ErrNoCertificate)
	}
	return parseConcatenated(der)
}

func parsePEM(data []byte) ([]*Certificate, error) {
	var certs []*Certificate
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != pemCertificate && block.Type != "X509 CERTIFICATE" {
			continue
		}
		c, err := Parse(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("PEM certificate %d: %w", len(certs)+1, err)
		}
		certs = append(certs, c)
	}
	// encoding/pem passes over blocks it cannot read: a trust store must
	// not lose a certificate that way.
	begun := bytes.Count(data, []byte("-----BEGIN CERTIFICATE-----")) + bytes.Count(data, []byte("-----BEGIN X509 CERTIFICATE-----"))
	if begun != len(certs) {
		return nil, fmt.Errorf("%w: %d of %d PEM certificates are readable", ErrSyntax, len(certs), begun)
	}
	if len(certs) == 0 {
		return nil, fmt.Errorf("%w in the PEM blocks", ErrNoCertificate)
	}
	return certs, nil
}

func parseConcatenated(der []byte) ([]*Certificate, error) {
	var certs []*Certificate
	for len(der) > 0 {
		e, rest, err := ber.ParsePrefix(der)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", len(certs)+1, err)
		}
		c, err := Parse(e.Raw)
		if err != nil {
			return nil, err
		}
		certs, der = append(certs, c), rest
	}
	return certs, nil
}

// EncodePEM returns the certificates as PEM, in the order given.
func EncodePEM(certs ...*Certificate) []byte {
	var b bytes.Buffer
	for _, c := range certs {
		// A bytes.Buffer takes every write, and there are no headers to refuse.
		_ = pem.Encode(&b, &pem.Block{Type: pemCertificate, Bytes: c.Raw})
	}
	return b.Bytes()
}
