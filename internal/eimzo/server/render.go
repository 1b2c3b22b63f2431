package server

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

// Formats of dates, without a zone: readers take them for Tashkent time.
const (
	dateFormat     = "2006-01-02 15:04:05"
	infoDateFormat = "2006.01.02 15:04:05"
)

// renderer turns reports and certificates into views.
type renderer struct{ location *time.Location }

func (r renderer) date(t time.Time) string { return t.In(r.location).Format(dateFormat) }

func (r renderer) infoDate(t time.Time) string { return t.In(r.location).Format(infoDateFormat) }

// optionalDate leaves out what is not known.
func (r renderer) optionalDate(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return r.date(t)
}

func (r renderer) vpnKey(c *cert.Certificate) *vpnKeyView {
	if c == nil {
		return nil
	}
	return &vpnKeyView{
		SerialNumber: c.SerialHex(),
		X500Name:     c.Subject.String(),
		ValidFrom:    r.date(c.NotBefore),
		ValidTo:      r.date(c.NotAfter),
	}
}

func (r renderer) infoCertificate(c *cert.Certificate) infoCertificateView {
	return infoCertificateView{
		SerialNumber: c.SerialHex(),
		ValidFrom:    r.infoDate(c.NotBefore),
		ValidTo:      r.infoDate(c.NotAfter),
		SubjectInfo:  c.Subject.Map(),
	}
}

func (r renderer) subjectCertificate(c *cert.Certificate) subjectCertificateView {
	return subjectCertificateView{
		SerialNumber: c.SerialHex(),
		SubjectName:  c.Subject.Map(),
		ValidFrom:    r.date(c.NotBefore),
		ValidTo:      r.date(c.NotAfter),
	}
}

func (r renderer) certificate(c *cert.Certificate) certificateView {
	return certificateView{
		SubjectInfo:  c.Subject.Map(),
		IssuerInfo:   c.Issuer.Map(),
		SerialNumber: c.SerialHex(),
		SubjectName:  c.Subject.String(),
		ValidFrom:    r.date(c.NotBefore),
		ValidTo:      r.date(c.NotAfter),
		IssuerName:   c.Issuer.String(),
		PublicKey: publicKeyView{
			KeyAlgName: alg.EIMZOName(c.PublicKey.Algorithm.OID),
			PublicKey:  c.PublicKey.Raw,
		},
		Signature: signatureView{
			SignAlgName: alg.EIMZOName(c.SignatureAlgorithm.OID),
			Signature:   hex.EncodeToString(c.Signature),
		},
	}
}

func (r renderer) chain(certs []*cert.Certificate) []certificateView {
	views := make([]certificateView, 0, len(certs))
	for _, c := range certs {
		views = append(views, r.certificate(c))
	}
	return views
}

// anchor is the trust anchor that a path ends in.
func (r renderer) anchor(p *cert.Path) *certificateView {
	if p == nil {
		return nil
	}
	v := r.certificate(p.Anchor())
	return &v
}

// report renders all that is known of a document; a document that could not be
// read has nothing to show.
func (r renderer) report(report *verify.Report) *pkcs7InfoView {
	if report.Format != nil {
		return nil
	}
	v := &pkcs7InfoView{Signers: make([]*signerView, 0, len(report.Signers))}
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

func (r renderer) signer(s *verify.Signer) *signerView {
	v := &signerView{
		SignerID:                      signerID(s.SID, s.Certificate),
		Signature:                     hex.EncodeToString(s.Signature),
		Digest:                        hex.EncodeToString(s.Digest),
		Certificate:                   r.chain(s.Chain),
		Verified:                      allPassed(s, signatureChecks),
		CertificateVerified:           chainVerified(s),
		TrustedCertificate:            r.anchor(s.Path),
		CertificateValidAtSigningTime: s.Check(verify.CheckValidity).Result == verify.Passed,
		RevokedStatusInfo:             r.revoked(s.Revocation),
	}
	if s.SigningTime != nil {
		v.SigningTime = r.date(*s.SigningTime)
	}
	if s.TimeStamp != nil {
		v.TimeStampInfo = r.timeStamp(s.TimeStamp)
	}
	for _, oid := range s.Policies {
		v.PolicyIdentifiers = append(v.PolicyIdentifiers, oid.String())
	}
	if status := s.Revocation; status != nil {
		v.OCSPResponse = status.OCSPResponse
		v.StatusUpdatedAt = r.optionalDate(status.ThisUpdate)
		v.StatusNextUpdateAt = r.optionalDate(status.NextUpdate)
	}
	if c, ok := s.FirstFailure(); ok {
		v.Exception = exception(c)
	}
	return v
}

func (r renderer) timeStamp(t *verify.TimeStamp) *timeStampInfoView {
	v := &timeStampInfoView{
		Certificate:                   r.chain(t.Chain),
		DigestVerified:                t.Check(verify.CheckImprint).Result == verify.Passed,
		CertificateVerified:           chainVerified(t),
		TrustedCertificate:            r.anchor(t.Path),
		CertificateValidAtSigningTime: t.Check(verify.CheckValidity).Result == verify.Passed,
		RevokedStatusInfo:             r.revoked(t.Revocation),
		Verified:                      allPassed(t, signatureChecks),
	}
	if status := t.Revocation; status != nil {
		v.OCSPResponse = status.OCSPResponse
		v.StatusUpdatedAt = r.optionalDate(status.ThisUpdate)
		v.StatusNextUpdateAt = r.optionalDate(status.NextUpdate)
	}
	if token := t.Token; token != nil {
		info := token.Info
		if len(token.SignedData.SignerInfos) > 0 {
			id := signerID(token.SignedData.SignerInfos[0].SID, t.Certificate)
			v.SignerID = &id
		}
		v.TSAPolicy = info.Policy.String()
		v.Time = r.date(info.GenTime)
		v.HashAlgorithm = info.HashAlgorithm.OID.String()
		v.SerialNumber = info.Serial.Text(16)
		v.TSA = token.TSAString()
		v.MessageImprintAlgOID = info.HashAlgorithm.OID.String()
		v.MessageImprintDigest = hex.EncodeToString(info.HashedMessage)
	}
	if c, ok := t.FirstFailure(); ok {
		v.Exception = exception(c)
	}
	return v
}

// signerID names a certificate by issuer and serial number, which the guide
// wants; a document may name it by its key identifier, and not contain it.
func signerID(id cms.SignerIdentifier, c *cert.Certificate) signerIDView {
	switch {
	case id.Serial != nil:
		return signerIDView{Issuer: id.Issuer.String(), SubjectSerialNumber: id.Serial.Text(16)}
	case c != nil:
		return signerIDView{Issuer: c.Issuer.String(), SubjectSerialNumber: c.SerialHex()}
	}
	return signerIDView{}
}

// revoked shows a revocation or suspension, also one that came after the
// signing date.
func (r renderer) revoked(s *verify.RevocationStatus) *revokedStatusView {
	if s == nil || s.Status != ocsp.Revoked {
		return nil
	}
	reason := max(s.Reason, 0) // none given means unspecified (RFC 5280 5.3.1)
	return &revokedStatusView{RevocationTime: r.optionalDate(s.RevokedAt), CRLReason: ocsp.ReasonName(reason)}
}

// exception is the cause of a failure as text: the check, and what was wrong.
func exception(c verify.Check) string {
	text := string(c.Name)
	if c.SubIndication != "" {
		text += ": " + string(c.SubIndication)
	}
	if c.Err != nil {
		text += ": " + c.Err.Error()
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}
