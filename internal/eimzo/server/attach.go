package server

import (
	"errors"
	"net/http"

	"imzo/pki/cms"
	"imzo/verify"
)

// makeAttached puts the source document into a detached one (guide 2.2.6).
// Nothing is verified but that it is the document that was signed.
func (s *Server) makeAttached(w http.ResponseWriter, r *http.Request) {
	content, document, err := s.contentAndDocument(r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	var attached []byte
	refused := s.gate.run(r.Context(), len(content)+len(document), func() {
		var sd *cms.SignedData
		if sd, err = cms.Parse(document); err == nil {
			attached, err = sd.AttachContent(content)
		}
	})
	if refused != nil {
		s.refuse(w, r, refused)
		return
	}
	s.rewritten(w, r, attached, err, documentDiffers)
}

// join makes one document of two with the same content (guide 2.2.7).
func (s *Server) join(w http.ResponseWriter, r *http.Request) {
	first, second, err := s.pair(r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	var parts [2]*cms.SignedData
	for i, part := range []struct {
		text []byte
		what string
	}{{first, "PKCS#7 document before '|'"}, {second, "PKCS#7 document after '|'"}} {
		der, err := decodeDocument(part.text, part.what)
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		if parts[i], err = cms.Parse(der); err != nil {
			s.rewritten(w, r, nil, err, notPKCS7)
			return
		}
	}
	var joined []byte
	refused := s.gate.run(r.Context(), len(parts[0].Raw)+len(parts[1].Raw), func() {
		joined, err = cms.Join(parts[0], parts[1])
	})
	if refused != nil {
		s.refuse(w, r, refused)
		return
	}
	s.rewritten(w, r, joined, err, notPKCS7)
}

// rewritten answers with a document, or with why there is none; otherwise is
// the outcome of errors that have none of their own.
func (s *Server) rewritten(w http.ResponseWriter, r *http.Request, document []byte, err error, otherwise outcome) {
	o, failure := success, (*verify.Failure)(nil)
	if err != nil {
		o = rewriteOutcome(err, otherwise)
		failure = formatFailure(err)
	}
	s.logVerdict(r, o, audited{document: document}, failure)
	writeJSON(w, documentView{PKCS7: document, result: s.result(r, o, failure, nil)})
}

// rewriteOutcome is what an error of package cms is called in a reply.
func rewriteOutcome(err error, otherwise outcome) outcome {
	switch {
	case errors.Is(err, cms.ErrAttached):
		return alreadyAttached
	case errors.Is(err, cms.ErrDetached):
		return notAttached
	case errors.Is(err, cms.ErrContentDiffers):
		return documentsDiffer
	case errors.Is(err, cms.ErrDigestMismatch), errors.Is(err, cms.ErrSignature):
		return documentDiffers
	case errors.Is(err, cms.ErrFormat), errors.Is(err, cms.ErrLimit), errors.Is(err, cms.ErrUnsupported):
		return notPKCS7
	}
	return otherwise
}

// formatFailure is an error of package cms for the log.
func formatFailure(err error) *verify.Failure {
	return &verify.Failure{Signer: -1, TimeStamp: -1, Check: verify.Check{
		Name: verify.CheckFormat, Result: verify.Failed, SubIndication: verify.FormatFailure, Err: err,
	}}
}
