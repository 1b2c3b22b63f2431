package server

import (
	"context"
	"errors"
	"net/http"

	"imzo/pki/ber"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/verify"
)

// restampView is the reply of /backend/pkcs7/restamp: that of
// /frontend/timestamp/pkcs7, and what was taken out.
type restampView struct {
	PKCS7                 []byte                   `json:"pkcs7b64,omitempty"`
	TimestampedSignerList []subjectCertificateView `json:"timestampedSignerList"`
	Replaced              []replacedView           `json:"replaced"`
	result
}

// replacedView is a token that was worth nothing.
type replacedView struct {
	SignerSerialNumber string `json:"signerSerialNumber,omitempty"`
	Time               string `json:"time,omitempty"` // that the token named
	Exception          string `json:"exception"`
}

// restamp gives a token to every signature that has none, or only such as
// failed: of an authority that was not to be trusted, over something else,
// damaged. One whose status cannot be checked at present has not failed and
// stays, since another token would prove a later time only. As with
// /frontend/timestamp/pkcs7 the signatures themselves are not judged.
func (s *Server) restamp(w http.ResponseWriter, r *http.Request) {
	document, err := s.document(r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.patience)
	defer cancel()
	cleaned, replaced, err := s.withoutFailedTokens(ctx, document)
	var stamped []byte
	var signers []*cert.Certificate
	if err == nil {
		stamped, signers, err = s.stampDocument(ctx, cleaned)
	}
	var no *notStampable
	switch {
	case errors.As(err, &no):
		failure := formatFailure(no.cause)
		s.logVerdict(r, no.outcome, audited{document: document}, failure)
		writeJSON(w, restampView{TimestampedSignerList: []subjectCertificateView{}, Replaced: []replacedView{}, result: s.result(r, no.outcome, failure, nil)})
		return
	case err != nil:
		s.refuse(w, r, err)
		return
	}
	v := restampView{PKCS7: stamped, TimestampedSignerList: []subjectCertificateView{}, Replaced: replaced, result: s.result(r, success, nil, nil)}
	var serials []string
	for _, c := range signers {
		v.TimestampedSignerList = append(v.TimestampedSignerList, s.render.subjectCertificate(c))
		serials = append(serials, c.SerialHex())
	}
	s.logVerdict(r, success, audited{document: stamped, serials: serials}, nil)
	writeJSON(w, v)
}

// withoutFailedTokens returns the document without the timestamp tokens that
// failed, and what those were.
func (s *Server) withoutFailedTokens(ctx context.Context, document []byte) ([]byte, []replacedView, error) {
	report, err := s.tokenReport(ctx, document)
	if err != nil {
		return nil, nil, err
	}
	replaced := []replacedView{}
	for i, signer := range report.Signers {
		failed := failedTokens(signer)
		if len(failed) == 0 {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		// The signers of a rewritten document are in the order they were in.
		sd, err := cms.Parse(document)
		if err != nil {
			return nil, nil, &notStampable{notPKCS7, err}
		}
		n := -1
		document, err = sd.FilterUnsignedAttribute(i, cms.OIDTimeStampToken, func(ber.Element) bool {
			n++
			check, gone := failed[n]
			if gone {
				replaced = append(replaced, s.replaced(signer, signer.TimeStamps[n], check))
			}
			return !gone
		})
		if err != nil {
			return nil, nil, &notStampable{timestampImpossible, err}
		}
	}
	return document, replaced, nil
}

// tokenReport verifies the tokens of a document. A report asks nobody about the
// tokens of a signature that does not verify, as that of a detached document
// never does without its content; so they are asked about here, each authority
// once, and in half the time there is: the rest is for new tokens.
func (s *Server) tokenReport(ctx context.Context, document []byte) (*verify.Report, error) {
	options := s.verifyOptions(nil)
	options.SkipRevocation = true
	evidence, err := verify.Collect(ctx, document, nil, options)
	if err != nil {
		return nil, err
	}
	policy := options.Policy()
	report := evidence.Judge(policy)
	authorities := &verify.Signer{}
	asked := make(map[[32]byte]bool)
	for _, signer := range report.Signers {
		for _, t := range signer.TimeStamps {
			if t.Path != nil && !asked[t.Path.Leaf().Fingerprint()] {
				asked[t.Path.Leaf().Fingerprint()] = true
				authorities.TimeStamps = append(authorities.TimeStamps, t)
			}
		}
	}
	limited, cancel := context.WithTimeout(ctx, s.patience/2)
	defer cancel()
	evidence.Statuses = statuses(limited, s.deps.Revocation, &verify.Report{Signers: []*verify.Signer{authorities}}, s.config.CheckCARevocation)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	policy.SkipRevocation = false
	return evidence.Judge(policy), nil
}

// failedTokens finds, by their place, the tokens of a signer of which a check
// failed, with the check.
func failedTokens(signer *verify.Signer) map[int]verify.Check {
	failed := make(map[int]verify.Check)
	for i, t := range signer.TimeStamps {
		for _, c := range t.Checks {
			if c.Result == verify.Failed {
				failed[i] = c
				break
			}
		}
	}
	return failed
}

func (s *Server) replaced(signer *verify.Signer, t *verify.TimeStamp, c verify.Check) replacedView {
	v := replacedView{Exception: string(c.Name)}
	if c.Err != nil {
		v.Exception = clip(string(c.Name)+": "+c.Err.Error(), maxLoggedCause)
	}
	if signer.Certificate != nil {
		v.SignerSerialNumber = signer.Certificate.SerialHex()
	}
	if t.Token != nil {
		v.Time = s.render.Date(t.Token.Info.GenTime)
	}
	return v
}
