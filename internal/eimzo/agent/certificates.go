package agent

import (
	"encoding/base64"
	"encoding/hex"
	"time"

	"imzo/pki/alg"
	"imzo/pki/cert"
)

// dateFormat is how dates of certificates are told, in the zone of the
// computer: pages make a Date of them.
const dateFormat = "2006.01.02 15:04:05"

func (a *Agent) date(t time.Time) string { return t.In(a.location).Format(dateFormat) }

// certificateInfo is the certificate_info of x509.get_certificate_info.
type certificateInfo struct {
	SerialNumber string        `json:"serialNumber"` // hex
	SubjectName  string        `json:"subjectName"`
	ValidFrom    string        `json:"validFrom"`
	ValidTo      string        `json:"validTo"`
	IssuerName   string        `json:"issuerName"`
	PublicKey    publicKeyInfo `json:"publicKey"`
	Signature    signatureInfo `json:"signature"`
}

type publicKeyInfo struct {
	KeyAlgName string `json:"keyAlgName"`
	PublicKey  []byte `json:"publicKey"` // SubjectPublicKeyInfo
}

type signatureInfo struct {
	SignAlgName string `json:"signAlgName"`
	Signature   string `json:"signature"` // hex
}

func (a *Agent) certificateInfo(c *cert.Certificate) certificateInfo {
	return certificateInfo{
		SerialNumber: c.SerialHex(),
		SubjectName:  c.Subject.String(),
		ValidFrom:    a.date(c.NotBefore),
		ValidTo:      a.date(c.NotAfter),
		IssuerName:   c.Issuer.String(),
		PublicKey:    publicKeyOf(c.PublicKey),
		Signature:    signatureInfo{alg.SignatureName(c.SignatureAlgorithm.OID), hex.EncodeToString(c.Signature)},
	}
}

func publicKeyOf(k *alg.PublicKey) publicKeyInfo {
	return publicKeyInfo{alg.KeyName(k.Algorithm.OID), k.Raw}
}

// maxCertificate bounds the text of one certificate, which has a few
// kilobytes.
const maxCertificate = 256 << 10

// parseCertificate reads one certificate in the forms pages have it in: DER or
// PEM, in base64 or as it is.
func parseCertificate(s string) (*cert.Certificate, error) {
	if len(s) > maxCertificate {
		return nil, fail(codeOther, textReasonLongCertificate, maxCertificate)
	}
	for range 2 { // base64 of a PEM file is met too
		certs, err := cert.ParseAll([]byte(s))
		if err == nil && len(certs) == 1 {
			return certs[0], nil
		}
		if err == nil {
			return nil, fail(codeOther, textReasonManyCertificates, len(certs))
		}
		der, err := decode(s)
		if err != nil {
			break
		}
		s = string(der)
	}
	return nil, fail(codeOther, textReasonNotCertificate)
}

// base64Text is what replies hold for octets.
func base64Text(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
