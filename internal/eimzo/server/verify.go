package server

import (
	"net/http"

	"imzo/verify"
)

// verifyAttached verifies a document with its content inside (guide 2.2.4).
func (s *Server) verifyAttached(w http.ResponseWriter, r *http.Request) {
	document, err := s.document(r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	s.verify(w, r, document, nil)
}

// verifyDetached verifies a document with its content beside it (guide 2.2.5).
func (s *Server) verifyDetached(w http.ResponseWriter, r *http.Request) {
	content, document, err := s.contentAndDocument(r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	s.verify(w, r, document, content)
}

func (s *Server) verify(w http.ResponseWriter, r *http.Request, document, content []byte) {
	source, cancel := s.budget(r.Context(), s.deps.Revocation)
	defer cancel()
	report, err := verify.Document(r.Context(), document, content, s.verifyOptions(source))
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	o, failure := s.judgeDocument(report)
	s.logVerdict(r, o, audited{document, signerSerials(report)}, failure)
	v := verifyView{PKCS7Info: s.render.report(report), result: s.result(r, o, failure, report)}
	if failure != nil && failure.Signer >= 0 && v.PKCS7Info != nil {
		v.FailedSignerInfo = v.PKCS7Info.Signers[failure.Signer]
	}
	writeJSON(w, v)
}
