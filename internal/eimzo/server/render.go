package server

import (
	"time"

	"imzo/internal/eimzo/pkcs7info"
	"imzo/pki/cert"
)

const infoDateFormat = "2006.01.02 15:04:05"

// renderer turns reports and certificates into views.
type renderer struct{ pkcs7info.Renderer }

func (r renderer) infoDate(t time.Time) string { return t.In(r.Location).Format(infoDateFormat) }

func (r renderer) vpnKey(c *cert.Certificate) *vpnKeyView {
	if c == nil {
		return nil
	}
	return &vpnKeyView{
		SerialNumber: c.SerialHex(),
		X500Name:     c.Subject.String(),
		ValidFrom:    r.Date(c.NotBefore),
		ValidTo:      r.Date(c.NotAfter),
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
		ValidFrom:    r.Date(c.NotBefore),
		ValidTo:      r.Date(c.NotAfter),
	}
}
