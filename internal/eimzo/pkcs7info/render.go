package pkcs7info

import (
	"encoding/hex"
	"strings"
	"time"

	"imzo/pki/alg"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/ocsp"
	"imzo/verify"
)

// DateFormat is how dates are told, without a zone: readers take them for
// Tashkent time.
const DateFormat = "2006-01-02 15:04:05"

// Renderer turns reports and certificates into views.
type Renderer struct{ Location *time.Location }

// Date is t in the zone of the renderer.
func (r Renderer) Date(t time.Time) string { return t.In(r.Location).Format(DateFormat) }

// OptionalDate leaves out what is not known.
func (r Renderer) OptionalDate(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return r.Date(t)
}

// Certificate shows all of a certificate that the guide does.
func (r Renderer) Certificate(c *cert.Certificate) Certificate {
	return Certificate{
		SubjectInfo:  c.Subject.Map(),
		IssuerInfo:   c.Issuer.Map(),
		SerialNumber: c.SerialHex(),
		SubjectName:  c.Subject.String(),
		ValidFrom:    r.Date(c.NotBefore),
		ValidTo:      r.Date(c.NotAfter),
		IssuerName:   c.Issuer.String(),
		PublicKey: PublicKey{
			KeyAlgName: alg.EIMZOName(c.PublicKey.Algorithm.OID),
			PublicKey:  c.PublicKey.Raw,
		},
		Signature: Signature{
			SignAlgName: alg.EIMZOName(c.SignatureAlgorithm.OID),
			Signature:   hex.EncodeToString(c.Signature),
		},
	}
}

// Chain shows certificates in their order; none is an empty list.
func (r Renderer) Chain(certs []*cert.Certificate) []Certificate {
	views := make([]Certificate, 0, len(certs))
	for _, c := range certs {
		views = append(views, r.Certificate(c))
	}
	return views
}

// Anchor is the trust anchor that a path ends in.
func (r Renderer) Anchor(p *cert.Path) *Certificate {
	if p == nil {
		return nil
	}
	v := r.Certificate(p.Anchor())
	return &v
}

// Report renders all that is known of a document; a document that could not be
// read has nothing to show.
func (r Renderer) Report(report *verify.Report) *Info {
	if report.Format != nil {
		return nil
	}
	v := &Info{Signers: make([]*Signer, 0, len(report.Signers))}
	for _, s := range report.Signers {
		v.Signers = append(v.Signers, r.signer(s))
	}
	if !report.Detached {
		v.DocumentBase64 = &report.Content
	}
	return v
}

// The checks behind the flags of the guide. The chain of a certificate that is
// known to be revoked is not a valid one, so that nobody who looks only at the
// flags takes it for one; that nobody could say anything about it is told by
// the status.
var (
	signatureChecks = []verify.CheckName{
		verify.CheckSignerCertificate, verify.CheckSignedAttributes, verify.CheckDigest, verify.CheckSignature,
		verify.CheckSigningTime, verify.CheckUnsignedAttributes,
	}
	chainChecks = []verify.CheckName{verify.CheckPath, verify.CheckBag, verify.CheckKeyUsage}
)

// checks is what signers and timestamps have in common.
type checks interface {
	Check(verify.CheckName) verify.Check
}

func allPassed(of checks, names []verify.CheckName) bool {
	for _, name := range names {
		if of.Check(name).Result != verify.Passed {
			return false
		}
	}
	return true
}

func chainVerified(of checks) bool {
	return allPassed(of, chainChecks) && of.Check(verify.CheckRevocation).Result != verify.Failed
}

func (r Renderer) signer(s *verify.Signer) *Signer {
	v := &Signer{
		SignerID:                      signerID(s.SID, s.Certificate),
		Signature:                     hex.EncodeToString(s.Signature),
		Digest:                        hex.EncodeToString(s.Digest),
		Certificate:                   r.Chain(s.Chain),
		Verified:                      allPassed(s, signatureChecks),
		CertificateVerified:           chainVerified(s),
		TrustedCertificate:            r.Anchor(s.Path),
		CertificateValidAtSigningTime: s.Check(verify.CheckValidity).Result == verify.Passed,
		RevokedStatusInfo:             r.Revoked(s.Revocation),
	}
	if s.SigningTime != nil {
		v.SigningTime = r.Date(*s.SigningTime)
	}
	if s.TimeStamp != nil {
		v.TimeStampInfo = r.timeStamp(s.TimeStamp)
	}
	for _, oid := range s.Policies {
		v.PolicyIdentifiers = append(v.PolicyIdentifiers, oid.String())
	}
	if status := s.Revocation; status != nil {
		v.OCSPResponse = status.OCSPResponse
		v.StatusUpdatedAt = r.OptionalDate(status.ThisUpdate)
		v.StatusNextUpdateAt = r.OptionalDate(status.NextUpdate)
	}
	if c, ok := s.FirstFailure(); ok {
		v.Exception = Exception(c)
	}
	return v
}

func (r Renderer) timeStamp(t *verify.TimeStamp) *TimeStampInfo {
	v := &TimeStampInfo{
		Certificate:                   r.Chain(t.Chain),
		DigestVerified:                t.Check(verify.CheckImprint).Result == verify.Passed,
		CertificateVerified:           chainVerified(t),
		TrustedCertificate:            r.Anchor(t.Path),
		CertificateValidAtSigningTime: t.Check(verify.CheckValidity).Result == verify.Passed,
		RevokedStatusInfo:             r.Revoked(t.Revocation),
		Verified:                      allPassed(t, signatureChecks),
	}
	if status := t.Revocation; status != nil {
		v.OCSPResponse = status.OCSPResponse
		v.StatusUpdatedAt = r.OptionalDate(status.ThisUpdate)
		v.StatusNextUpdateAt = r.OptionalDate(status.NextUpdate)
	}
	if token := t.Token; token != nil {
		info := token.Info
		if len(token.SignedData.SignerInfos) > 0 {
			id := signerID(token.SignedData.SignerInfos[0].SID, t.Certificate)
			v.SignerID = &id
		}
		v.TSAPolicy = info.Policy.String()
		v.Time = r.Date(info.GenTime)
		v.HashAlgorithm = info.HashAlgorithm.OID.String()
		v.SerialNumber = info.Serial.Text(16)
		v.TSA = token.TSAString()
		v.MessageImprintAlgOID = info.HashAlgorithm.OID.String()
		v.MessageImprintDigest = hex.EncodeToString(info.HashedMessage)
	}
	if c, ok := t.FirstFailure(); ok {
		v.Exception = Exception(c)
	}
	return v
}

// signerID names a certificate by issuer and serial number, which the guide
// wants; a document may name it by its key identifier, and not contain it.
func signerID(id cms.SignerIdentifier, c *cert.Certificate) SignerID {
	switch {
	case id.Serial != nil:
		return SignerID{Issuer: id.Issuer.String(), SubjectSerialNumber: id.Serial.Text(16)}
	case c != nil:
		return SignerID{Issuer: c.Issuer.String(), SubjectSerialNumber: c.SerialHex()}
	}
	return SignerID{}
}

// Revoked shows a revocation or suspension, also one that came after the
// signing date.
func (r Renderer) Revoked(s *verify.RevocationStatus) *RevokedStatus {
	if s == nil || s.Status != ocsp.Revoked {
		return nil
	}
	reason := max(s.Reason, 0) // none given means unspecified (RFC 5280 5.3.1)
	return &RevokedStatus{RevocationTime: r.OptionalDate(s.RevokedAt), CRLReason: ocsp.ReasonName(reason)}
}

// Exception is the cause of a failure as text: the check, and what was wrong.
func Exception(c verify.Check) string {
	text := string(c.Name)
	if c.SubIndication != "" {
		text += ": " + string(c.SubIndication)
	}
	if c.Err != nil {
		text += ": " + c.Err.Error()
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}
