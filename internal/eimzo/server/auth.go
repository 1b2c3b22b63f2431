package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"imzo/pki/cert"
	"imzo/verify"
)

// auth tells who signed a challenge (guide 2.2.2). Its order is that of the
// guide's diagram: the signature, the challenge, the certificate. So a wrong
// signature does not use a challenge up, and everything after the challenge
// does.
func (s *Server) auth(w http.ResponseWriter, r *http.Request) {
	document, err := s.document(r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	a, err := s.authenticate(r.Context(), document)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	s.logVerdict(r, a.outcome, audited{document: document, serials: signerSerials(a.report)}, a.failure)
	v := authView{result: s.result(r, a.outcome, a.failure, a.report)}
	if a.outcome == success {
		subject := s.render.subjectCertificate(a.report.Signers[0].Certificate)
		v.SubjectCertificateInfo = &subject
	}
	writeJSON(w, v)
}

// authentication is the verdict on an answer to a challenge.
type authentication struct {
	outcome outcome
	report  *verify.Report
	failure *verify.Failure // the check behind a failure, if it was one
}

func (s *Server) authenticate(ctx context.Context, document []byte) (authentication, error) {
	// Everything but revocation first: it takes no network.
	options := s.verifyOptions(nil)
	options.SkipRevocation = true
	// A log-in is of now. Neither a timestamp from before the revocation nor
	// an early signing time, which the window allows, lets anybody in whose
	// certificate is worth nothing any more.
	options.StrictRevocation, options.ValidNow = true, true
	evidence, err := verify.Collect(ctx, document, nil, options)
	if err != nil {
		return authentication{}, err
	}
	policy := options.Policy()
	report := evidence.Judge(policy)
	if failure := answerFailure(report); failure != nil {
		return authentication{signatureInvalid, report, failure}, nil
	}

	signer := report.Signers[0]
	alive, err := s.takeChallenge(ctx, report.Content)
	switch {
	case err != nil:
		return authentication{}, &unavailable{"the challenges cannot be looked up, see the log of the server", err}
	case !alive:
		return authentication{outcome: challengeNotFound, report: report}, nil
	case signer.SigningTime == nil:
		return authentication{outcome: outsideWindow, report: report}, nil
	}
	if lag := s.deps.Now().Sub(*signer.SigningTime); lag > s.config.AuthWindow || lag < -s.config.AuthWindow {
		return authentication{outcome: outsideWindow, report: report}, nil
	}
	if !report.Valid() {
		o, failure := s.judgeAnswer(report)
		return authentication{o, report, failure}, nil
	}

	// The same evidence, and what is to be said about revocation.
	source, cancel := s.budget(ctx, s.fresh)
	defer cancel()
	evidence.Statuses = statuses(ctx, source, report, s.config.CheckCARevocation)
	if err := ctx.Err(); err != nil {
		return authentication{}, err
	}
	policy.SkipRevocation = false
	report = evidence.Judge(policy)
	o, failure := s.judgeAnswer(report)
	return authentication{o, report, failure}, nil
}

// maxChallenge is more than any challenge has: whatever is longer was not
// issued here, and need not go to a store as its key.
const maxChallenge = 64

func (s *Server) takeChallenge(ctx context.Context, content []byte) (bool, error) {
	if len(content) > maxChallenge {
		return false, nil
	}
	return s.deps.Challenges.Take(ctx, string(content))
}

// errOneSigner says that a document is no answer to a challenge.
var errOneSigner = errors.New("an answer to a challenge has one signer")

// answerFailure tells why a document is no answer to any challenge: it is none
// at all, it has not exactly one signer, or the signature is wrong. Nil means
// that it may be one.
func answerFailure(r *verify.Report) *verify.Failure {
	if r.Format != nil {
		return r.FirstFailure()
	}
	if len(r.Signers) != 1 {
		return &verify.Failure{Signer: -1, TimeStamp: -1, Check: verify.Check{
			Name:          verify.CheckFormat,
			Result:        verify.Failed,
			SubIndication: verify.SigConstraintsFailure,
			Err:           fmt.Errorf("%w, not %d", errOneSigner, len(r.Signers)),
		}}
	}
	for _, name := range answerChecks {
		if c := r.Signers[0].Check(name); c.Result != verify.Passed {
			return &verify.Failure{Signer: 0, TimeStamp: -1, Check: c}
		}
	}
	return nil
}

// answerChecks are the checks that make the content the signer's own words.
var answerChecks = []verify.CheckName{
	verify.CheckSignerCertificate, verify.CheckSignedAttributes, verify.CheckDigest, verify.CheckSignature,
}

// statuses asks about the certificates of a report that has a path for each,
// and where cas is set about the CAs on the way to the anchor too.
func statuses(ctx context.Context, source verify.RevocationSource, r *verify.Report, cas bool) []verify.StatusAnswer {
	var answers []verify.StatusAnswer
	ask := func(p *cert.Path) {
		if p == nil {
			return
		}
		// The last is the anchor, which is trusted as it is.
		for i, c := range p.Certificates[:len(p.Certificates)-1] {
			if i > 0 && !cas {
				break
			}
			issuer := p.Certificates[i+1]
			a := verify.StatusAnswer{Certificate: c.Fingerprint(), Issuer: issuer.Fingerprint()}
			status, err := source.Status(ctx, c, issuer)
			if a.Status = status; err != nil {
				a.Status, a.Error = nil, err.Error()
			}
			answers = append(answers, a)
		}
	}
	for _, signer := range r.Signers {
		ask(signer.Path)
		for _, t := range signer.TimeStamps {
			ask(t.Path)
		}
	}
	return answers
}
