package server

import (
	"context"
	"errors"
	"net/http"

	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/ocsp"
	"imzo/verify"
)

var (
	errNotValidNow   = errors.New("the certificate is not valid now")
	errRevoked       = errors.New("the certificate is revoked or suspended")
	errUnknownStatus = errors.New("the responder does not know the certificate")
)

// certificateStatusView is the reply of /backend/certificate/status. Fields
// are named as in the replies about signers.
type certificateStatusView struct {
	SubjectCertificateInfo *subjectCertificateView `json:"subjectCertificateInfo,omitempty"`
	Certificate            []certificateView       `json:"certificate,omitempty"` // up to the trusted root
	CertificateVerified    bool                    `json:"certificateVerified"`
	CertificateValid       bool                    `json:"certificateValid"` // now
	TrustedCertificate     *certificateView        `json:"trustedCertificate,omitempty"`
	OCSPResponse           []byte                  `json:"OCSPResponse,omitempty"`
	StatusUpdatedAt        string                  `json:"statusUpdatedAt,omitempty"`
	StatusNextUpdateAt     string                  `json:"statusNextUpdateAt,omitempty"`
	RevokedStatusInfo      *revokedStatusView      `json:"revokedStatusInfo,omitempty"`
	Exception              string                  `json:"exception,omitempty"`
	result
}

// certificateStatus tells whether a certificate is good now, without a
// signature: a site may ask before it is too late. The body has the
// certificate, and after it those of its CAs where no trusted root has issued
// it; or it is a PKCS#7 document, whose first signer is meant.
func (s *Server) certificateStatus(w http.ResponseWriter, r *http.Request) {
	text, err := s.body(r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	subject, bag := certificatesOf(text)
	if subject == nil {
		o := outcome{statusCertificate, MessageNotCertificate}
		s.logVerdict(r, o, audited{}, nil)
		writeJSON(w, certificateStatusView{result: s.result(r, o, nil, nil)})
		return
	}
	source, cancel := s.budget(r.Context(), s.fresh)
	defer cancel()
	v, o, cause := s.statusOf(r.Context(), source, subject, bag)
	if err := r.Context().Err(); err != nil {
		s.refuse(w, r, err)
		return
	}
	var failure *verify.Failure
	if cause != nil {
		failure = &verify.Failure{Signer: -1, TimeStamp: -1, Check: verify.Check{Name: verify.CheckRevocation, Result: verify.Failed, Err: cause}}
		if o == statusNotKnown {
			failure.Check.Result, failure.Check.SubIndication = verify.Indeterminate, verify.TryLater
		}
	}
	s.logVerdict(r, o, audited{document: subject.Raw, serials: []string{subject.SerialHex()}}, failure)
	v.result = s.result(r, o, nil, nil)
	writeJSON(w, v)
}

// certificatesOf reads the certificate that is asked about, and those that may
// lead from it to a root. None means that there is no certificate.
func certificatesOf(text []byte) (subject *cert.Certificate, bag []*cert.Certificate) {
	if certs, err := cert.ParseAll(text); err == nil {
		return certs[0], certs[1:]
	}
	der, err := decodeDocument(text, "certificate")
	if err != nil {
		return nil, nil
	}
	if certs, err := cert.ParseAll(der); err == nil {
		return certs[0], certs[1:]
	}
	sd, err := cms.Parse(der)
	if err != nil || len(sd.SignerInfos) == 0 {
		return nil, nil
	}
	named := sd.SignerCertificates(sd.SignerInfos[0])
	if len(named) == 0 {
		return nil, nil
	}
	return named[0], sd.Certificates
}

// statusOf judges a certificate as a log-in would: of now. cause is nil on
// success.
func (s *Server) statusOf(ctx context.Context, source verify.RevocationSource, subject *cert.Certificate, bag []*cert.Certificate) (v certificateStatusView, o outcome, cause error) {
	info := s.render.subjectCertificate(subject)
	v.SubjectCertificateInfo = &info
	v.Certificate = s.render.chain([]*cert.Certificate{subject})
	v.CertificateValid = subject.ValidAt(s.deps.Now())
	fail := func(o outcome, cause error) (certificateStatusView, outcome, error) {
		v.Exception = cause.Error()
		return v, o, cause
	}
	path, err := s.path(subject, bag, s.deps.Now())
	if err != nil {
		return fail(certificateInvalid, err)
	}
	v.Certificate = s.render.chain(path.Certificates)
	v.TrustedCertificate = s.render.anchor(path)
	if !v.CertificateValid {
		return fail(certificateTooOld, errNotValidNow)
	}
	last := len(path.Certificates) - 1 // the anchor is trusted as it is
	for i, c := range path.Certificates[:last] {
		if i > 0 && !s.config.CheckCARevocation {
			break
		}
		status, err := source.Status(ctx, c, path.Certificates[i+1])
		if err != nil {
			// The cause may be about our own network: it is for the log.
			return v, statusNotKnown, err
		}
		if i == 0 {
			v.OCSPResponse = status.OCSPResponse
			v.StatusUpdatedAt = s.render.optionalDate(status.ThisUpdate)
			v.StatusNextUpdateAt = s.render.optionalDate(status.NextUpdate)
			v.RevokedStatusInfo = s.render.revoked(status)
		}
		switch status.Status {
		case ocsp.Good:
		case ocsp.Revoked:
			return fail(certificateInvalid, errRevoked)
		default:
			return fail(statusNotKnown, errUnknownStatus)
		}
	}
	v.CertificateVerified = true
	if o, refused := s.notAllowed([]*verify.Signer{{Certificate: subject, Path: path, Policies: subject.PolicyIdentifiers}}); refused != nil {
		return fail(o, refused.Check.Err)
	}
	return v, success, nil
}
