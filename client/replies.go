package client

import (
	"fmt"
	"time"
)

// The fields of replies are those of the guide, in its order, and the names in
// JSON are its names. Strings that a reply leaves out are "". Certificates'
// serial numbers are lower-case hex, digests and signatures hex.

// Date is a date of a reply, "2006-01-02 15:04:05" or, in [Info],
// "2006.01.02 15:04:05": in the zone of the server, which it does not name.
type Date string

// tashkent is the zone of servers that nobody configured otherwise. It has had
// no summer time since 1992.
var tashkent = time.FixedZone("UTC+5", 5*60*60)

// Time returns the date as one of a server in Uzbekistan, which servers are
// wherever they stand unless time.zone says otherwise.
func (d Date) Time() (time.Time, error) { return d.In(tashkent) }

// In returns the date as one of a server with this time.zone.
func (d Date) In(zone *time.Location) (time.Time, error) {
	for _, layout := range []string{"2006-01-02 15:04:05", "2006.01.02 15:04:05"} {
		if t, err := time.ParseInLocation(layout, string(d), zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%.30q is no date of a server", string(d))
}

// Challenge is the reply of [Client.Challenge].
type Challenge struct {
	Challenge string `json:"challenge"`
	// TTL is how long it may be answered, in seconds.
	TTL int `json:"ttl"`
	Reply
}

// Ping is the reply of [Client.Ping].
type Ping struct {
	ServerDateTime Date   `json:"serverDateTime"`
	YourIP         string `json:"yourIP"`
	// VPNKeyInfo is nil where the server has no link to a Centre.
	VPNKeyInfo *SubjectCertificate `json:"vpnKeyInfo"`
}

// Info is the reply of [Client.Info].
type Info struct {
	Version             string            `json:"version"`
	ServerTime          Date              `json:"serverTime"`
	VPNKeyInfo          *InfoCertificate  `json:"vpnKeyInfo"`
	TrustedCertificates []InfoCertificate `json:"trustedCertificates"`
}

// InfoCertificate is a certificate in [Info].
type InfoCertificate struct {
	SerialNumber string            `json:"serialNumber"`
	ValidFrom    Date              `json:"validFrom"`
	ValidTo      Date              `json:"validTo"`
	SubjectInfo  map[string]string `json:"subjectInfo"`
}

// SubjectCertificate is what a reply says of a person's certificate.
type SubjectCertificate struct {
	SerialNumber string            `json:"serialNumber"`
	X500Name     string            `json:"X500Name"`
	SubjectName  map[string]string `json:"subjectName"`
	ValidFrom    Date              `json:"validFrom"`
	ValidTo      Date              `json:"validTo"`
}

// CommonName is the full name of the person.
func (s *SubjectCertificate) CommonName() string { return s.SubjectName["CN"] }

// PINFL is the personal number, 14 digits; "" when there is none.
func (s *SubjectCertificate) PINFL() string { return s.SubjectName["1.2.860.3.16.1.2"] }

// TIN is the tax number of the organisation that the person signs for; "" when
// they sign for themselves.
func (s *SubjectCertificate) TIN() string { return s.SubjectName["1.2.860.3.16.1.1"] }

// PersonalTIN is the tax number of the person.
func (s *SubjectCertificate) PersonalTIN() string { return s.SubjectName["UID"] }

// AuthReply is the reply of [Client.Auth].
type AuthReply struct {
	// SubjectCertificateInfo is who has logged in; nil when nobody has.
	SubjectCertificateInfo *SubjectCertificate `json:"subjectCertificateInfo"`
	Reply
}

// TimestampReply is the reply of [Client.Timestamp].
type TimestampReply struct {
	// PKCS7 is the document with its tokens, base64.
	PKCS7 string `json:"pkcs7b64"`
	// TimestampedSignerList are the signers that got a token now; empty when
	// all had one.
	TimestampedSignerList []SubjectCertificate `json:"timestampedSignerList"`
	Reply
}

// TokenReply is the reply of [Client.TimestampData].
type TokenReply struct {
	// TimestampToken is a TimeStampToken (RFC 3161 2.4.2), DER.
	TimestampToken []byte `json:"timestampTokenB64"`
	Reply
}

// DocumentReply is the reply of [Client.MakeAttached] and [Client.Join].
type DocumentReply struct {
	// PKCS7 is the document, base64.
	PKCS7 string `json:"pkcs7b64"`
	Reply
}

// VerifyReply is the reply of the verify calls.
type VerifyReply struct {
	// PKCS7Info is nil for what could not be read as PKCS#7.
	PKCS7Info *PKCS7Info `json:"pkcs7Info"`
	// FailedSignerInfo is the first signer with a failure.
	FailedSignerInfo *Signer `json:"failedSignerInfo"`
	Reply
}

// PKCS7Info is what a document says.
type PKCS7Info struct {
	Signers []Signer `json:"signers"`
	// Document is the content of an attached document, nil of a detached one.
	Document []byte `json:"documentBase64"`
}

// Signer is one signature of a document. Its flags are all true where the
// status of the reply is 1.
type Signer struct {
	SignerID                      SignerID           `json:"signerId"`
	SigningTime                   Date               `json:"signingTime"`
	Signature                     string             `json:"signature"`
	Digest                        string             `json:"digest"`
	TimeStampInfo                 *TimeStampInfo     `json:"timeStampInfo"`
	Certificate                   []Certificate      `json:"certificate"`
	OCSPResponse                  []byte             `json:"OCSPResponse"`
	StatusUpdatedAt               Date               `json:"statusUpdatedAt"`
	StatusNextUpdateAt            Date               `json:"statusNextUpdateAt"`
	Verified                      bool               `json:"verified"`
	CertificateVerified           bool               `json:"certificateVerified"`
	TrustedCertificate            *Certificate       `json:"trustedCertificate"`
	PolicyIdentifiers             []string           `json:"policyIdentifiers"`
	CertificateValidAtSigningTime bool               `json:"certificateValidAtSigningTime"`
	RevokedStatusInfo             *RevokedStatusInfo `json:"revokedStatusInfo"`
	Exception                     string             `json:"exception"`
}

// TimeStampInfo is the timestamp of a signature.
type TimeStampInfo struct {
	Certificate                   []Certificate      `json:"certificate"`
	OCSPResponse                  []byte             `json:"OCSPResponse"`
	StatusUpdatedAt               Date               `json:"statusUpdatedAt"`
	StatusNextUpdateAt            Date               `json:"statusNextUpdateAt"`
	DigestVerified                bool               `json:"digestVerified"`
	CertificateVerified           bool               `json:"certificateVerified"`
	TrustedCertificate            *Certificate       `json:"trustedCertificate"`
	CertificateValidAtSigningTime bool               `json:"certificateValidAtSigningTime"`
	RevokedStatusInfo             *RevokedStatusInfo `json:"revokedStatusInfo"`
	SignerID                      *SignerID          `json:"signerId"`
	TSAPolicy                     string             `json:"tsaPolicy"`
	Time                          Date               `json:"time"`
	HashAlgorithm                 string             `json:"hashAlgorithm"`
	SerialNumber                  string             `json:"serialNumber"`
	TSA                           string             `json:"tsa"`
	MessageImprintAlgOID          string             `json:"messageImprintAlgOID"`
	MessageImprintDigest          string             `json:"messageImprintDigest"`
	Verified                      bool               `json:"verified"`
	Exception                     string             `json:"exception"`
}

// SignerID names the certificate of a signer.
type SignerID struct {
	Issuer              string `json:"issuer"`
	SubjectSerialNumber string `json:"subjectSerialNumber"`
}

// Certificate is a certificate of a chain.
type Certificate struct {
	SubjectInfo  map[string]string    `json:"subjectInfo"`
	IssuerInfo   map[string]string    `json:"issuerInfo"`
	SerialNumber string               `json:"serialNumber"`
	SubjectName  string               `json:"subjectName"`
	ValidFrom    Date                 `json:"validFrom"`
	ValidTo      Date                 `json:"validTo"`
	IssuerName   string               `json:"issuerName"`
	PublicKey    PublicKey            `json:"publicKey"`
	Signature    CertificateSignature `json:"signature"`
}

// PublicKey is the key of a certificate.
type PublicKey struct {
	KeyAlgName string `json:"keyAlgName"`
	// PublicKey is a SubjectPublicKeyInfo, DER.
	PublicKey []byte `json:"publicKey"`
}

// CertificateSignature is the signature of a certificate's issuer.
type CertificateSignature struct {
	SignAlgName string `json:"signAlgName"`
	Signature   string `json:"signature"`
}

// RevokedStatusInfo tells of a certificate that is revoked or suspended.
type RevokedStatusInfo struct {
	RevocationTime Date   `json:"revocationTime"`
	CRLReason      string `json:"crlReason"`
}

// RestampReply is the reply of [Client.Restamp].
type RestampReply struct {
	TimestampReply
	// Replaced are the tokens that were taken out.
	Replaced []ReplacedToken `json:"replaced"`
}

// ReplacedToken is a timestamp token that was worth nothing.
type ReplacedToken struct {
	SignerSerialNumber string `json:"signerSerialNumber"`
	Time               Date   `json:"time"` // that it named
	Exception          string `json:"exception"`
}

// CertificateReply is the reply of [Client.CertificateStatus].
type CertificateReply struct {
	SubjectCertificateInfo *SubjectCertificate `json:"subjectCertificateInfo"`
	// Certificate is the chain, the certificate itself first.
	Certificate         []Certificate `json:"certificate"`
	CertificateVerified bool          `json:"certificateVerified"`
	// CertificateValid tells whether now is within the validity.
	CertificateValid   bool               `json:"certificateValid"`
	TrustedCertificate *Certificate       `json:"trustedCertificate"`
	OCSPResponse       []byte             `json:"OCSPResponse"`
	StatusUpdatedAt    Date               `json:"statusUpdatedAt"`
	StatusNextUpdateAt Date               `json:"statusNextUpdateAt"`
	RevokedStatusInfo  *RevokedStatusInfo `json:"revokedStatusInfo"`
	Exception          string             `json:"exception"`
	Reply
}

// DigestReply is the reply of [Client.Digest].
type DigestReply struct {
	// DigestHex is the digest, lower-case hex.
	DigestHex string `json:"digestHex"`
	Algorithm string `json:"algorithm"`
	Reply
}
