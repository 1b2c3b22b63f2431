package ocsp

import (
	"bytes"
	"fmt"
	"math/big"

	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
)

// CertID names a certificate by its issuer and serial number (RFC 6960
// 4.1.1).
type CertID struct {
	// HashAlgorithm is the digest of the two hashes.
	HashAlgorithm alg.AlgorithmIdentifier
	// IssuerNameHash is over the issuer's name as the certificate has it,
	// IssuerKeyHash over the content of the issuer's key BIT STRING.
	IssuerNameHash, IssuerKeyHash []byte
	Serial                        *big.Int
}

// NewCertID names c, which issuer has issued. Without a digest it is SHA-1, as
// every responder takes it; it identifies and protects nothing.
func NewCertID(d *alg.Digest, c, issuer *cert.Certificate) CertID {
	if d == nil {
		d = alg.SHA1()
	}
	return CertID{
		HashAlgorithm:  d.Identifier(),
		IssuerNameHash: d.Sum(c.RawIssuer),
		IssuerKeyHash:  d.Sum(issuer.PublicKey.Bits),
		Serial:         c.Serial,
	}
}

// Equal compares all four parts.
func (id CertID) Equal(o CertID) bool {
	return id.HashAlgorithm.OID == o.HashAlgorithm.OID && id.sameIssuer(o) && id.Serial.Cmp(o.Serial) == 0
}

func (id CertID) sameIssuer(o CertID) bool {
	return bytes.Equal(id.IssuerNameHash, o.IssuerNameHash) && bytes.Equal(id.IssuerKeyHash, o.IssuerKeyHash)
}

// names tells whether id is the name of c under issuer, with whichever known
// digest it was made.
func (id CertID) names(c, issuer *cert.Certificate) bool {
	d, err := alg.DigestByOID(id.HashAlgorithm.OID)
	if err != nil {
		return false
	}
	return id.Equal(NewCertID(d, c, issuer))
}

// issuedBy tells whether id names a certificate of issuer.
func (id CertID) issuedBy(issuer *cert.Certificate) bool {
	d, err := alg.DigestByOID(id.HashAlgorithm.OID)
	if err != nil {
		return false
	}
	return id.sameIssuer(CertID{IssuerNameHash: d.Sum(issuer.RawSubject), IssuerKeyHash: d.Sum(issuer.PublicKey.Bits)})
}

func (id CertID) marshal() []byte {
	return ber.Sequence(id.HashAlgorithm.Marshal(), ber.OctetString(id.IssuerNameHash), ber.OctetString(id.IssuerKeyHash), ber.Int(id.Serial))
}

func parseCertID(e ber.Element) (CertID, error) {
	var id CertID
	r := e.Children()
	algorithm, err := r.Read(ber.TagSequence)
	if err != nil {
		return id, err
	}
	if id.HashAlgorithm, err = alg.ParseAlgorithmIdentifier(algorithm); err != nil {
		return id, err
	}
	for _, hash := range []*[]byte{&id.IssuerNameHash, &id.IssuerKeyHash} {
		e, err := r.Read(ber.TagOctetString)
		if err != nil {
			return id, err
		}
		if *hash, err = e.OctetString(); err != nil {
			return id, err
		}
		// The longest digest in use has 64 octets.
		if len(*hash) > 64 {
			return id, fmt.Errorf("hash of %d octets", len(*hash))
		}
	}
	serial, err := r.Read(ber.TagInteger)
	if err != nil {
		return id, err
	}
	if len(serial.Content) > 64 {
		return id, fmt.Errorf("serial number of %d octets", len(serial.Content))
	}
	if id.Serial, err = serial.Int(); err != nil {
		return id, err
	}
	return id, r.Done()
}
