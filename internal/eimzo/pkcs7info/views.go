// Package pkcs7info shows a report on a PKCS#7 document as E-IMZO does: the
// object pkcs7Info, which the server answers with (guide 2.2.4) and the desktop
// program did in its versions 3 to 5.
//
// It is a rendering of a [verify.Report] and decides nothing. Names, nesting and
// order are those of the guide's samples; pointers and omitempty stand where the
// original leaves a field out.
package pkcs7info

// Info is pkcs7Info.
type Info struct {
	Signers []*Signer `json:"signers"`
	// DocumentBase64 is nil for a detached document, and not for an empty
	// one.
	DocumentBase64 *[]byte `json:"documentBase64,omitempty"`
}

// Signer is one of its signers.
type Signer struct {
	SignerID                      SignerID       `json:"signerId"`
	SigningTime                   string         `json:"signingTime,omitempty"`
	Signature                     string         `json:"signature"`
	Digest                        string         `json:"digest,omitempty"`
	TimeStampInfo                 *TimeStampInfo `json:"timeStampInfo,omitempty"`
	Certificate                   []Certificate  `json:"certificate,omitempty"`
	OCSPResponse                  []byte         `json:"OCSPResponse,omitempty"`
	StatusUpdatedAt               string         `json:"statusUpdatedAt,omitempty"`
	StatusNextUpdateAt            string         `json:"statusNextUpdateAt,omitempty"`
	Verified                      bool           `json:"verified"`
	CertificateVerified           bool           `json:"certificateVerified"`
	TrustedCertificate            *Certificate   `json:"trustedCertificate,omitempty"`
	PolicyIdentifiers             []string       `json:"policyIdentifiers,omitempty"`
	CertificateValidAtSigningTime bool           `json:"certificateValidAtSigningTime"`
	RevokedStatusInfo             *RevokedStatus `json:"revokedStatusInfo,omitempty"`
	Exception                     string         `json:"exception,omitempty"`
}

// TimeStampInfo is the timestamp of a signer.
type TimeStampInfo struct {
	Certificate                   []Certificate  `json:"certificate,omitempty"`
	OCSPResponse                  []byte         `json:"OCSPResponse,omitempty"`
	StatusUpdatedAt               string         `json:"statusUpdatedAt,omitempty"`
	StatusNextUpdateAt            string         `json:"statusNextUpdateAt,omitempty"`
	DigestVerified                bool           `json:"digestVerified"`
	CertificateVerified           bool           `json:"certificateVerified"`
	TrustedCertificate            *Certificate   `json:"trustedCertificate,omitempty"`
	CertificateValidAtSigningTime bool           `json:"certificateValidAtSigningTime"`
	RevokedStatusInfo             *RevokedStatus `json:"revokedStatusInfo,omitempty"`
	SignerID                      *SignerID      `json:"signerId,omitempty"`
	TSAPolicy                     string         `json:"tsaPolicy,omitempty"`
	Time                          string         `json:"time,omitempty"`
	HashAlgorithm                 string         `json:"hashAlgorithm,omitempty"`
	SerialNumber                  string         `json:"serialNumber,omitempty"`
	TSA                           string         `json:"tsa,omitempty"`
	MessageImprintAlgOID          string         `json:"messageImprintAlgOID,omitempty"`
	MessageImprintDigest          string         `json:"messageImprintDigest,omitempty"`
	Verified                      bool           `json:"verified"`
	Exception                     string         `json:"exception,omitempty"`
}

// SignerID names the certificate of a signer; the serial number is in hex.
type SignerID struct {
	Issuer              string `json:"issuer,omitempty"`
	SubjectSerialNumber string `json:"subjectSerialNumber,omitempty"`
}

// Certificate is a certificate of a chain.
type Certificate struct {
	SubjectInfo  map[string]string `json:"subjectInfo"`
	IssuerInfo   map[string]string `json:"issuerInfo"`
	SerialNumber string            `json:"serialNumber"`
	SubjectName  string            `json:"subjectName"`
	ValidFrom    string            `json:"validFrom"`
	ValidTo      string            `json:"validTo"`
	IssuerName   string            `json:"issuerName"`
	PublicKey    PublicKey         `json:"publicKey"`
	Signature    Signature         `json:"signature"`
}

// PublicKey is the key of a certificate.
type PublicKey struct {
	KeyAlgName string `json:"keyAlgName"`
	PublicKey  []byte `json:"publicKey"` // SubjectPublicKeyInfo
}

// Signature is the signature of a certificate.
type Signature struct {
	SignAlgName string `json:"signAlgName"`
	Signature   string `json:"signature"` // hex
}

// RevokedStatus is when and why a certificate was revoked or suspended.
type RevokedStatus struct {
	RevocationTime string `json:"revocationTime,omitempty"`
	CRLReason      string `json:"crlReason"`
}
