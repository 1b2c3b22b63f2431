package server

import (
	"context"
	"errors"
	"net/http"
	"time"

	"imzo/internal/eimzo/pkcs7info"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/ocsp"
	"imzo/verify"
)

var (
	errNotValidNow   = errors.New("the certificate is not valid now")
	errRevoked       = errors.New("the certificate is revoked")
	errSuspended     = errors.New("the certificate is suspended")
	errUnknownStatus = errors.New("the responder does not know the certificate")
	errStale         = errors.New("the responder's answer is not of now")
)

// certificateStatusView is the reply of /backend/certificate/status. Fields
// are named as in the replies about signers.
type certificateStatusView struct {
	SubjectCertificateInfo *subjectCertificateView  `json:"subjectCertificateInfo,omitempty"`
	Certificate            []pkcs7info.Certificate  `json:"certificate,omitempty"` // up to the trusted root
	CertificateVerified    bool                     `json:"certificateVerified"`
	CertificateValid       bool                     `json:"certificateValid"` // now
	TrustedCertificate     *pkcs7info.Certificate   `json:"trustedCertificate,omitempty"`
	OCSPResponse           []byte                   `json:"OCSPResponse,omitempty"`
	StatusUpdatedAt        string                   `json:"statusUpdatedAt,omitempty"`
	StatusNextUpdateAt     string                   `json:"statusNextUpdateAt,omitempty"`
	RevokedStatusInfo      *pkcs7info.RevokedStatus `json:"revokedStatusInfo,omitempty"`
	Exception              string                   `json:"exception,omitempty"`
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
	now := s.deps.Now()
	var path *cert.Path
	var pathErr error
	if err := s.gate.run(r.Context(), 0, func() { path, pathErr = s.path(subject, bag, now) }); err != nil {
		s.refuse(w, r, err)
		return
	}
	a := s.assess(r.Context(), source, subject, path, pathErr, now)
	if err := r.Context().Err(); err != nil {
		s.refuse(w, r, err)
		return
	}
	o, failure := success, (*verify.Failure)(nil)
	var e explanation
	if a.check != nil {
		o, failure = a.outcome, &verify.Failure{Signer: -1, TimeStamp: -1, Check: *a.check}
		e = explanation{who: say("who.certificate", clip(subject.SerialHex(), maxLoggedSerial)), cause: s.statusCause(a)}
	}
	s.logVerdict(r, o, audited{document: subject.Raw, serials: []string{clip(subject.SerialHex(), maxLoggedSerial)}}, failure)
	v := s.certificateStatusView(a)
	v.result = s.resultWith(r, o, e.text(s.language(r)))
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

// assessment is what there is to say about a certificate now.
type assessment struct {
	subject *cert.Certificate
	path    *cert.Path // nil when there is none
	valid   bool       // within its validity
	status  *verify.RevocationStatus
	cas     []*verify.RevocationStatus // those of the CAs, where they are asked for
	// check is the first that does not hold, outcome what that is called; nil
	// when the certificate is good.
	check   *verify.Check
	outcome outcome
	// silent tells that there was no answer. Why may be about our own
	// network: it is for the log.
	silent bool
}

// assess judges a certificate as a log-in would: of now, in the same order.
// path is its path to a root, or pathErr says why there is none.
func (s *Server) assess(ctx context.Context, source verify.RevocationSource, subject *cert.Certificate, path *cert.Path, pathErr error, now time.Time) assessment {
	a := assessment{subject: subject, valid: subject.ValidAt(now)}
	fail := func(name verify.CheckName, err error) assessment {
		a.check = &verify.Check{Name: name, Result: verify.Failed, Err: err}
		a.outcome = outcomeOf(*a.check, inSigner)
		return a
	}
	if pathErr != nil {
		return fail(verify.CheckPath, pathErr)
	}
	a.path = path
	if !a.valid {
		return fail(verify.CheckValidity, errNotValidNow)
	}
	last := len(path.Certificates) - 1 // the anchor is trusted as it is
	for i, c := range path.Certificates[:last] {
		if i > 0 && !s.config.CheckCARevocation {
			break
		}
		status, err := source.Status(ctx, c, path.Certificates[i+1])
		if err != nil {
			a.silent, status = true, nil
		}
		if i == 0 {
			a.status = status
		} else {
			a.cas = append(a.cas, status)
		}
		if err == nil {
			err = s.usable(status)
		}
		if err != nil {
			a.check = &verify.Check{Name: verify.CheckRevocation, Result: verify.Indeterminate, SubIndication: verify.TryLater, Err: err}
			a.outcome = statusNotKnown
			return a
		}
		if status.Status == ocsp.Revoked {
			if status.Reason == reasonHold {
				return fail(verify.CheckRevocation, errSuspended)
			}
			return fail(verify.CheckRevocation, errRevoked)
		}
	}
	if o, refused := s.notAllowed([]*verify.Signer{{Certificate: subject, Path: path, Policies: subject.PolicyIdentifiers}}); refused != nil {
		a.check, a.outcome = &refused.Check, o
	}
	return a
}

// usable tells whether a status says anything about now, by the rules of
// package verify.
func (s *Server) usable(status *verify.RevocationStatus) error {
	const skew = 5 * time.Minute // verify.Options.ClockSkew
	now := s.deps.Now()
	switch {
	case status == nil, status.Status != ocsp.Good && status.Status != ocsp.Revoked:
		return errUnknownStatus
	case status.ThisUpdate.IsZero(), status.ThisUpdate.After(now.Add(skew)),
		!status.NextUpdate.IsZero() && status.NextUpdate.Before(now.Add(-skew)):
		return errStale
	}
	return nil
}

// statusCause tells in words what is wrong with a certificate.
func (s *Server) statusCause(a assessment) sentence {
	switch a.check.Name {
	case checkPolicy, checkCA:
		return say(signerCauses[a.check.Name])
	case verify.CheckValidity:
		return say("cause.notNow", s.render.Date(a.subject.NotBefore), s.render.Date(a.subject.NotAfter))
	}
	return s.render.certificateCause(a.subject, s.deps.Now(), a.status, a.cas, *a.check)
}

func (s *Server) certificateStatusView(a assessment) certificateStatusView {
	info := s.render.subjectCertificate(a.subject)
	v := certificateStatusView{
		SubjectCertificateInfo: &info,
		Certificate:            s.render.Chain([]*cert.Certificate{a.subject}),
		CertificateValid:       a.valid,
		TrustedCertificate:     s.render.Anchor(a.path),
		RevokedStatusInfo:      s.render.Revoked(a.status),
	}
	if a.path != nil {
		v.Certificate = s.render.Chain(a.path.Certificates)
		v.CertificateVerified = a.check == nil || a.check.Name == checkPolicy || a.check.Name == checkCA
	}
	if a.status != nil {
		v.OCSPResponse = a.status.OCSPResponse
		v.StatusUpdatedAt = s.render.OptionalDate(a.status.ThisUpdate)
		v.StatusNextUpdateAt = s.render.OptionalDate(a.status.NextUpdate)
	}
	if c := a.check; c != nil {
		shown := *c
		if a.silent {
			shown.Err = nil
		}
		v.Exception = pkcs7info.Exception(shown)
	}
	return v
}
