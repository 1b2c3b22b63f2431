package server

import (
	"context"
	"net/http"

	"imzo/verify"
)

// verifyAttached verifies a document with its content inside (guide 2.2.4).
func (s *Server) verifyAttached(w http.ResponseWriter, r *http.Request) {
	document, digest, err := s.streamedDocument(r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	s.verify(w, r, submission{document: document, early: digest})
}

// verifyDetached verifies a document with its content beside it (guide 2.2.5),
// in one text or in the parts of a form.
func (s *Server) verifyDetached(w http.ResponseWriter, r *http.Request) {
	sub, err := s.detachedSubmission(w, r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	s.verify(w, r, sub)
}

func (s *Server) detachedSubmission(w http.ResponseWriter, r *http.Request) (sub submission, err error) {
	parts, err := multipartReader(w, r, s.config.Limits.Multipart)
	if err != nil {
		return sub, err
	}
	if parts == nil {
		sub.content, sub.document, err = s.contentAndDocument(r)
		return sub, err
	}
	if sub, err = s.submission(r, parts); err == nil && sub.hashed == nil {
		err = badRequestf("the multipart body has no part named %s", partDocument)
	}
	return sub, err
}

func (s *Server) verify(w http.ResponseWriter, r *http.Request, sub submission) {
	source, cancel := s.budget(r.Context(), s.deps.Revocation)
	defer cancel()
	digest := startDigest(sub.document)
	j, err := s.judge(r.Context(), source, sub)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	s.logVerdict(r, j.outcome, audited{document: sub.document, serials: signerSerials(j.report), digest: digest}, j.failure)
	writeVerify(w, s.verifyView(r, j), j.report)
}

// judged is a verdict with what it is called in a reply. failure is nil on
// success.
type judged struct {
	report  *verify.Report
	outcome outcome
	failure *verify.Failure
}

func (s *Server) judge(ctx context.Context, source verify.RevocationSource, sub submission) (judged, error) {
	options := s.verifyOptions(source)
	options.HashedContent = sub.hashed
	options.ContentHasher = sub.early.wait()
	options.OmitContent = true // it goes from the document into the answer
	report, err := verify.Document(ctx, sub.document, sub.content, options)
	if err != nil {
		return judged{}, err
	}
	o, failure := s.judgeDocument(report)
	return judged{report, o, failure}, nil
}

// verifyView is the view of a verdict without the content, which [writeVerify]
// writes.
func (s *Server) verifyView(r *http.Request, j judged) verifyView {
	v := verifyView{PKCS7Info: s.render.Report(j.report), result: s.result(r, j.outcome, j.failure, j.report)}
	if v.PKCS7Info != nil {
		v.PKCS7Info.DocumentBase64 = nil
	}
	if j.failure != nil && j.failure.Signer >= 0 && v.PKCS7Info != nil {
		v.FailedSignerInfo = v.PKCS7Info.Signers[j.failure.Signer]
		if j.failure.Check.Name == checkPolicy || j.failure.Check.Name == checkCA {
			// The report knows nothing of what is allowed here.
			v.FailedSignerInfo.Exception = j.failure.Error()
		}
	}
	return v
}
