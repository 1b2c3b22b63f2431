package verify

import (
	"encoding/hex"
	"encoding/json"
	"time"

	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
	"imzo/pki/ocsp"
)

// The rendering of a report as JSON. Names and texts are stable: fields may be
// added. Times are RFC 3339 in UTC, digests, serial numbers, signatures and
// key identifiers lower-case hex, OCSP answers base64. Fields that do not
// apply are left out. The content is not in it, its size is.

type reportJSON struct {
	Indication        Indication    `json:"indication"`
	SubIndication     SubIndication `json:"subIndication,omitempty"`
	CheckedAt         time.Time     `json:"checkedAt"`
	Format            string        `json:"formatError,omitempty"`
	Detached          bool          `json:"detached"`
	ContentSize       *int          `json:"contentSize,omitempty"`
	RevocationSkipped bool          `json:"revocationSkipped,omitempty"`
	Signers           []signerJSON  `json:"signers"`
}

type signerJSON struct {
	Indication         Indication        `json:"indication"`
	SubIndication      SubIndication     `json:"subIndication,omitempty"`
	SignerID           signerIDJSON      `json:"signerId"`
	SigningTime        *time.Time        `json:"signingTime,omitempty"`
	SigningDate        time.Time         `json:"signingDate"`
	SigningDateSource  DateSource        `json:"signingDateSource"`
	DigestAlgorithm    algorithmJSON     `json:"digestAlgorithm"`
	Digest             string            `json:"digest,omitempty"`
	SignatureAlgorithm algorithmJSON     `json:"signatureAlgorithm"`
	Signature          string            `json:"signature"`
	Certificate        *certificateJSON  `json:"certificate,omitempty"`
	Chain              []certificateJSON `json:"chain,omitempty"`
	TrustAnchor        *certificateJSON  `json:"trustAnchor,omitempty"`
	Policies           []string          `json:"policies,omitempty"`
	UnsignedAttributes []string          `json:"ignoredUnsignedAttributes,omitempty"`
	Checks             []checkJSON       `json:"checks"`
	Revocation         *revocationJSON   `json:"revocation,omitempty"`
	CARevocation       []*revocationJSON `json:"caRevocation,omitempty"`
	TimeStamps         []timeStampJSON   `json:"timeStamps,omitempty"`
}

type timeStampJSON struct {
	Indication         Indication        `json:"indication"`
	SubIndication      SubIndication     `json:"subIndication,omitempty"`
	Time               *time.Time        `json:"time,omitempty"`
	SerialNumber       string            `json:"serialNumber,omitempty"`
	Policy             string            `json:"policy,omitempty"`
	TSA                string            `json:"tsa,omitempty"`
	HashAlgorithm      *algorithmJSON    `json:"hashAlgorithm,omitempty"`
	MessageImprint     string            `json:"messageImprint,omitempty"`
	Certificate        *certificateJSON  `json:"certificate,omitempty"`
	Chain              []certificateJSON `json:"chain,omitempty"`
	TrustAnchor        *certificateJSON  `json:"trustAnchor,omitempty"`
	UnsignedAttributes []string          `json:"ignoredUnsignedAttributes,omitempty"`
	Checks             []checkJSON       `json:"checks"`
	Revocation         *revocationJSON   `json:"revocation,omitempty"`
	CARevocation       []*revocationJSON `json:"caRevocation,omitempty"`
}

type signerIDJSON struct {
	Issuer       string `json:"issuer,omitempty"`
	SerialNumber string `json:"serialNumber,omitempty"`
	SubjectKeyID string `json:"subjectKeyId,omitempty"`
}

type algorithmJSON struct {
	OID  string `json:"oid"`
	Name string `json:"name,omitempty"`
}

type certificateJSON struct {
	Subject      string    `json:"subject"`
	Issuer       string    `json:"issuer"`
	SerialNumber string    `json:"serialNumber"`
	NotBefore    time.Time `json:"notBefore"`
	NotAfter     time.Time `json:"notAfter"`
	KeyAlgorithm string    `json:"keyAlgorithm"`
	SHA256       string    `json:"sha256"`
}

type checkJSON struct {
	Name          CheckName     `json:"name"`
	Result        string        `json:"result"`
	SubIndication SubIndication `json:"subIndication,omitempty"`
	Error         string        `json:"error,omitempty"`
	Note          string        `json:"note,omitempty"`
}

type revocationJSON struct {
	Status       string     `json:"status"`
	RevokedAt    *time.Time `json:"revokedAt,omitempty"`
	ReasonCode   *int       `json:"reasonCode,omitempty"`
	Reason       string     `json:"reason,omitempty"`
	ThisUpdate   *time.Time `json:"thisUpdate,omitempty"`
	NextUpdate   *time.Time `json:"nextUpdate,omitempty"`
	Source       string     `json:"source,omitempty"`
	OCSPResponse []byte     `json:"ocspResponse,omitempty"`
}

// MarshalJSON renders the report for machines.
func (r *Report) MarshalJSON() ([]byte, error) {
	v := reportJSON{
		Indication:        r.Indication,
		SubIndication:     r.SubIndication,
		CheckedAt:         r.At.UTC(),
		Detached:          r.Detached,
		RevocationSkipped: r.RevocationSkipped,
		Signers:           []signerJSON{},
	}
	if r.Format != nil {
		v.Format = r.Format.Error()
	}
	if size := r.ContentSize(); size >= 0 {
		v.ContentSize = &size
	}
	for _, s := range r.Signers {
		v.Signers = append(v.Signers, newSignerJSON(s))
	}
	return json.Marshal(v)
}

func newSignerJSON(s *Signer) signerJSON {
	v := signerJSON{
		Indication:         s.Indication,
		SubIndication:      s.SubIndication,
		SigningDate:        s.SigningDate.UTC(),
		SigningDateSource:  s.SigningDateSource,
		DigestAlgorithm:    digestJSON(s.DigestAlgorithm.OID),
		Digest:             hex.EncodeToString(s.Digest),
		SignatureAlgorithm: signatureJSON(s.SignatureAlgorithm.OID),
		Signature:          hex.EncodeToString(s.Signature),
		Certificate:        newCertificateJSON(s.Certificate),
		Chain:              certificatesJSON(s.Chain),
		TrustAnchor:        anchorJSON(s.Path),
		Policies:           oidTexts(s.Policies),
		UnsignedAttributes: oidTexts(s.UnsignedAttributes),
		Checks:             checksJSON(s.Checks),
		Revocation:         newRevocationJSON(s.Revocation),
		CARevocation:       revocationsJSON(s.CARevocation),
	}
	if s.SigningTime != nil {
		v.SigningTime = timeJSON(*s.SigningTime)
	}
	if s.SID.Serial != nil {
		v.SignerID = signerIDJSON{Issuer: s.SID.Issuer.String(), SerialNumber: s.SID.Serial.Text(16)}
	} else {
		v.SignerID.SubjectKeyID = hex.EncodeToString(s.SID.SubjectKeyID)
	}
	for _, t := range s.TimeStamps {
		v.TimeStamps = append(v.TimeStamps, newTimeStampJSON(t))
	}
	return v
}

func newTimeStampJSON(t *TimeStamp) timeStampJSON {
	v := timeStampJSON{
		Indication:         t.Indication,
		SubIndication:      t.SubIndication,
		Certificate:        newCertificateJSON(t.Certificate),
		Chain:              certificatesJSON(t.Chain),
		TrustAnchor:        anchorJSON(t.Path),
		UnsignedAttributes: oidTexts(t.UnsignedAttributes),
		Checks:             checksJSON(t.Checks),
		Revocation:         newRevocationJSON(t.Revocation),
		CARevocation:       revocationsJSON(t.CARevocation),
	}
	if t.Token == nil {
		return v
	}
	info := t.Token.Info
	v.Time = timeJSON(info.GenTime)
	if info.Serial != nil {
		v.SerialNumber = info.Serial.Text(16)
	}
	v.Policy = info.Policy.String()
	v.TSA = t.Token.TSAString()
	hash := digestJSON(info.HashAlgorithm.OID)
	v.HashAlgorithm = &hash
	v.MessageImprint = hex.EncodeToString(info.HashedMessage)
	return v
}

func digestJSON(oid ber.OID) algorithmJSON {
	v := algorithmJSON{OID: oid.String()}
	if d, err := alg.DigestByOID(oid); err == nil {
		v.Name = d.Name
	}
	return v
}

// signatureJSON leaves the name out where the registry has the dotted
// identifier only.
func signatureJSON(oid ber.OID) algorithmJSON {
	v := algorithmJSON{OID: oid.String(), Name: alg.SignatureName(oid)}
	if v.Name == v.OID {
		v.Name = ""
	}
	return v
}

func newCertificateJSON(c *cert.Certificate) *certificateJSON {
	if c == nil {
		return nil
	}
	sum := c.Fingerprint()
	return &certificateJSON{
		Subject:      c.Subject.String(),
		Issuer:       c.Issuer.String(),
		SerialNumber: c.SerialHex(),
		NotBefore:    c.NotBefore.UTC(),
		NotAfter:     c.NotAfter.UTC(),
		KeyAlgorithm: c.PublicKey.Name(),
		SHA256:       hex.EncodeToString(sum[:]),
	}
}

func certificatesJSON(certs []*cert.Certificate) []certificateJSON {
	var out []certificateJSON
	for _, c := range certs {
		out = append(out, *newCertificateJSON(c))
	}
	return out
}

func anchorJSON(p *cert.Path) *certificateJSON {
	if p == nil {
		return nil
	}
	return newCertificateJSON(p.Anchor())
}

func checksJSON(checks []Check) []checkJSON {
	out := make([]checkJSON, 0, len(checks))
	for _, c := range checks {
		v := checkJSON{Name: c.Name, Result: c.Result.String(), SubIndication: c.SubIndication, Note: c.Note}
		if c.Err != nil {
			v.Error = c.Err.Error()
		}
		out = append(out, v)
	}
	return out
}

func newRevocationJSON(s *RevocationStatus) *revocationJSON {
	if s == nil {
		return nil
	}
	v := &revocationJSON{
		Status:       statusName(s.Status),
		ThisUpdate:   timeJSON(s.ThisUpdate),
		NextUpdate:   timeJSON(s.NextUpdate),
		RevokedAt:    timeJSON(s.RevokedAt),
		Source:       s.Source,
		OCSPResponse: s.OCSPResponse,
	}
	if s.Status == ocsp.Revoked && s.Reason >= 0 {
		reason := s.Reason
		v.ReasonCode, v.Reason = &reason, ocsp.ReasonName(reason)
	}
	return v
}

func revocationsJSON(list []*RevocationStatus) []*revocationJSON {
	var out []*revocationJSON
	for _, s := range list {
		out = append(out, newRevocationJSON(s)) // null where unknown
	}
	return out
}

// statusName returns the name of RFC 6960 4.2.1.
func statusName(s ocsp.CertStatus) string {
	switch s {
	case ocsp.Good:
		return "good"
	case ocsp.Revoked:
		return "revoked"
	}
	return "unknown"
}

func timeJSON(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func oidTexts(oids []ber.OID) []string {
	var out []string
	for _, oid := range oids {
		out = append(out, oid.String())
	}
	return out
}
