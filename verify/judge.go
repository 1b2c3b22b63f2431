package verify

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"imzo/pki/ber"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/ocsp"
	"imzo/pki/tsp"
)

var (
	errKeyUsage    = errors.New("key usage of the certificate does not allow signatures")
	errPurpose     = errors.New("the certificate is for services, not for signing documents")
	errTooEarly    = errors.New("the certificate was not valid yet at the signing date")
	errTooLate     = errors.New("the certificate was expired at the signing date")
	errNotNow      = errors.New("the certificate is not valid at the time of the check")
	errTokenFuture = errors.New("the timestamp is from the future")
)

// judge makes the report. It is a function of its arguments alone: it reads no
// clock, asks nobody, and verifies no signature.
func judge(f *facts, answers map[pair]answer, at time.Time, p Policy) *Report {
	r := &Report{At: at, Format: f.format, RevocationSkipped: p.SkipRevocation}
	if f.sd != nil {
		r.Detached = f.sd.Detached()
		r.Content = f.content
		r.signedData = f.sd
	}
	if f.format != nil {
		r.SubIndication = FormatFailure
		r.Indication = r.SubIndication.Indication()
		return r
	}
	j := judgement{answers: answers, at: at, policy: p}
	for _, s := range f.signers {
		r.Signers = append(r.Signers, j.signer(s))
	}
	var v verdict
	for _, s := range r.Signers {
		v = v.and(verdict{s.Indication, s.SubIndication})
	}
	r.Indication, r.SubIndication = v.conclusion()
	return r
}

type judgement struct {
	answers map[pair]answer
	at      time.Time
	policy  Policy
}

// verdict is a main result with its reason. The zero verdict is that of no
// parts.
type verdict struct {
	indication Indication
	sub        SubIndication
}

// and puts another part to a verdict. Passed is what has parts that all
// passed, else the first TOTAL-FAILED counts, else the first with a reason: so
// a status that cannot be had now does not hide what is wrong for good.
func (v verdict) and(part verdict) verdict {
	switch {
	case v.indication == "":
		return part
	case part.indication == TotalPassed:
		return v
	case v.indication == TotalPassed,
		v.indication != TotalFailed && part.indication == TotalFailed,
		v.sub == "":
		return part
	}
	return v
}

// conclusion is the verdict in the end: nothing is not passed.
func (v verdict) conclusion() (Indication, SubIndication) {
	if v.indication == "" {
		return TotalIndeterminate, ""
	}
	return v.indication, v.sub
}

// conclude draws the verdict from checks: valid only when each one holds.
func conclude(checks []Check) verdict {
	var v verdict
	for _, c := range checks {
		switch {
		case c.holds():
			v = v.and(verdict{indication: TotalPassed})
		case c.broken():
			v = v.and(verdict{c.SubIndication.Indication(), c.SubIndication})
		default:
			// A consequence of another check, which tells the reason.
			v = v.and(verdict{indication: TotalIndeterminate})
		}
	}
	return v
}

func (j judgement) signer(f *signerFacts) *Signer {
	si := f.info
	s := &Signer{
		SID:                si.SID,
		Certificate:        f.identity.shown(),
		Chain:              f.chain.shown,
		Path:               f.chain.path,
		SigningTime:        f.claimed,
		SigningDate:        f.date,
		SigningDateSource:  f.source,
		DigestAlgorithm:    si.DigestAlgorithm,
		SignatureAlgorithm: si.SignatureAlgorithm,
		Signature:          si.Signature,
		Digest:             f.digest,
		UnsignedAttributes: f.unsigned.ignored,
	}
	if s.Certificate != nil {
		s.Policies = s.Certificate.PolicyIdentifiers
	}
	for _, t := range f.tokens {
		s.TimeStamps = append(s.TimeStamps, j.timeStamp(t))
	}
	if len(s.TimeStamps) > 0 {
		s.TimeStamp = s.TimeStamps[max(f.best, 0)]
	}

	s.Checks = signatureChecks(make([]Check, 0, len(signerChecks)), f.identity)
	if c := f.identity.certificate; c != nil {
		revocation := j.revocation(f.chain, f.proof(s), signerSpared)
		s.Revocation, s.CARevocation = revocation.leaf, revocation.ca
		s.Checks = append(s.Checks,
			j.signingTimeCheck(f),
			pathCheck(f.chain),
			bagCheck(f.chain),
			checkOr(CheckKeyUsage, ChainConstraintsFailure, checkDocumentKey(c)),
			j.signerValidity(c, f),
			revocation.check,
		)
	}
	s.Checks = append(s.Checks, checkOr(CheckUnsignedAttributes, SigConstraintsFailure, f.unsigned.err))
	s.Checks = complete(s.Checks, signerChecks[:])

	v := conclude(s.Checks)
	for _, t := range s.TimeStamps {
		v = v.and(verdict{t.Indication, t.SubIndication})
	}
	s.Indication, s.SubIndication = v.conclusion()
	return s
}

// proof is a time at which a signature proves to have existed.
type proof struct {
	time time.Time // zero when nothing proves any
	// open tells that the proof stands or falls with a status that cannot be
	// had now.
	open bool
}

// proof returns the time of the earliest sound token, when it is valid in
// every respect, or would be if its authority is not revoked.
func (f *signerFacts) proof(s *Signer) proof {
	if f.best < 0 {
		return proof{}
	}
	t := s.TimeStamps[f.best]
	p := proof{time: f.tokens[f.best].token.Info.GenTime}
	for _, c := range t.Checks {
		switch {
		case c.holds():
		case c.Name == CheckRevocation && c.Result == Indeterminate:
			p.open = true
		default:
			return proof{}
		}
	}
	return p
}

func (j judgement) timeStamp(f *tokenFacts) *TimeStamp {
	t := &TimeStamp{Token: f.token, UnsignedAttributes: f.unsigned.ignored}
	if f.token == nil {
		t.Checks = complete([]Check{failed(CheckFormat, FormatFailure, f.formatErr)}, timeStampChecks[:])
	} else {
		t.Certificate, t.Chain, t.Path = f.identity.shown(), f.chain.shown, f.chain.path
		t.Checks = append(make([]Check, 0, len(timeStampChecks)), passed(CheckFormat), checkOr(CheckImprint, HashFailure, f.imprintErr))
		t.Checks = signatureChecks(t.Checks, f.identity)
		if c := f.identity.certificate; c != nil {
			date := f.token.Info.GenTime
			// A token proves its own time.
			revocation := j.revocation(f.chain, proof{time: date}, tokenSpared)
			t.Revocation, t.CARevocation = revocation.leaf, revocation.ca
			t.Checks = append(t.Checks,
				j.genTimeCheck(f.token),
				pathCheck(f.chain),
				bagCheck(f.chain),
				checkOr(CheckKeyUsage, ChainConstraintsFailure, f.purposeErr),
				validityCheck(c, date, DateFromTimeStamp),
				revocation.check,
			)
		}
		t.Checks = append(t.Checks, checkOr(CheckUnsignedAttributes, SigConstraintsFailure, f.unsigned.err))
		t.Checks = complete(t.Checks, timeStampChecks[:])
	}
	t.Indication, t.SubIndication = conclude(t.Checks).conclusion()
	return t
}

// complete puts the checks in order and adds those that were not made.
func complete(checks []Check, names []CheckName) []Check {
	if slices.EqualFunc(checks, names, func(c Check, name CheckName) bool { return c.Name == name }) {
		return checks
	}
	out := make([]Check, 0, len(names))
	for _, name := range names {
		out = append(out, find(checks, name))
	}
	return out
}

// signatureChecks appends, from how far the verification of a signature came,
// which of its checks passed.
func signatureChecks(out []Check, id identity) []Check {
	names := [...]CheckName{CheckSignerCertificate, CheckSignedAttributes, CheckDigest, CheckSignature}
	first := len(out)
	bad := len(names)
	var check Check
	if id.err != nil {
		check = signatureFailure(id.err)
		bad = slices.Index(names[:], check.Name)
	}
	for i, name := range names {
		switch {
		case i < bad:
			out = append(out, passed(name))
		case i == bad:
			out = append(out, check)
		default:
			out = append(out, notPerformed(name))
		}
	}
	if errors.Is(id.err, cms.ErrUnsupported) {
		// Found before the attributes were looked at.
		out[first+1], out[first+2] = notPerformed(CheckSignedAttributes), notPerformed(CheckDigest)
	}
	return out
}

func signatureFailure(err error) Check {
	switch verifyStage(err) {
	case stageCertificate:
		sub := NoSigningCertificateFound
		if errors.Is(err, errAmbiguousSigner) || errors.Is(err, errTooManyNamed) {
			sub = SigConstraintsFailure
		}
		return failed(CheckSignerCertificate, sub, err)
	case stageAttributes:
		return failed(CheckSignedAttributes, SigConstraintsFailure, err)
	case stageDigest:
		if errors.Is(err, cms.ErrDetached) {
			return failed(CheckDigest, SignedDataNotFound, err)
		}
		return failed(CheckDigest, HashFailure, err)
	case stageSignature:
		return failed(CheckSignature, SigCryptoFailure, err)
	}
	return failed(CheckSignature, CryptoConstraintsFailure, err)
}

func (j judgement) signingTimeCheck(f *signerFacts) Check {
	c := passed(CheckSigningTime)
	switch {
	case f.source == DateFromNow:
		c.Note = NoteNoTime
	case f.source == DateFromSigningTime && f.date.After(j.at.Add(j.policy.skew())):
		c.Note = NoteFuture
	case f.source == DateFromSigningTime:
		c.Note = NoteClaimed
	}
	return c
}

// genTimeCheck refuses a token from the future: it proves nothing about the
// time it names.
func (j judgement) genTimeCheck(t *tsp.Token) Check {
	if t.Info.GenTime.After(j.at.Add(j.policy.skew())) {
		return failed(CheckSigningTime, TimestampOrderFailure, fmt.Errorf("%w: %s", errTokenFuture, t.Info.GenTime.UTC().Format(time.RFC3339)))
	}
	return passed(CheckSigningTime)
}

func pathCheck(c chainFacts) Check {
	return checkOr(CheckPath, pathSubIndication(c.pathErr), c.pathErr)
}

func bagCheck(c chainFacts) Check {
	return checkOr(CheckBag, pathSubIndication(c.bagErr), c.bagErr)
}

func pathSubIndication(err error) SubIndication {
	if err == nil {
		return ""
	}
	var p *cert.PathError
	if !errors.As(err, &p) {
		return CertificateChainGeneralFailure
	}
	switch p.Reason {
	case cert.NoPath:
		return NoCertificateChainFound
	case cert.Expired, cert.NotYetValid:
		return OutOfBoundsNoPOE
	case cert.NotCA, cert.PathLenExceeded, cert.NoCertSign, cert.NameViolation, cert.UnhandledCritical:
		return ChainConstraintsFailure
	case cert.UnsupportedAlgorithm:
		return CryptoConstraintsFailure
	}
	return CertificateChainGeneralFailure
}

// checkDocumentKey checks that the certificate is one to sign documents with.
// Certificates of E-IMZO have the usages F8 and the purposes clientAuth and
// emailProtection; temporary ones have neither extension and may do anything.
func checkDocumentKey(c *cert.Certificate) error {
	if c.HasKeyUsage && c.KeyUsage&(cert.KeyUsageDigitalSignature|cert.KeyUsageContentCommitment) == 0 {
		return errKeyUsage
	}
	// National purposes are not known here, so it is not said which are
	// good; those of services alone are bad (RFC 5280 4.2.1.12).
	if len(c.ExtKeyUsage) == 0 {
		return nil
	}
	for _, purpose := range c.ExtKeyUsage {
		if !servicePurpose(purpose) {
			return nil
		}
	}
	return errPurpose
}

func servicePurpose(oid ber.OID) bool {
	switch oid {
	case cert.OIDServerAuth, cert.OIDTimeStamping, cert.OIDOCSPSigning:
		return true
	}
	return false
}

// signerValidity is validityCheck with what it cannot see: a signature that is
// here was not made later than now, whatever time it claims, so that a
// certificate cannot be used before its time.
func (j judgement) signerValidity(c *cert.Certificate, f *signerFacts) Check {
	check := validityCheck(c, f.date, f.source)
	if check.Result != Passed || c.ValidAt(j.at) {
		return check
	}
	if j.policy.ValidNow || f.source == DateFromSigningTime && f.date.After(j.at) {
		return failed(CheckValidity, OutOfBoundsNoPOE, fmt.Errorf("%w, %s", errNotNow, j.at.UTC().Format(time.RFC3339)))
	}
	return check
}

// validityCheck compares the certificate's validity with the signing date.
// Only a timestamp proves that the signature is from that date; a date that
// is claimed may also be wrong, so that nothing is known for good.
func validityCheck(c *cert.Certificate, date time.Time, source DateSource) Check {
	if c.ValidAt(date) {
		return passed(CheckValidity)
	}
	sub, err := Expired, errTooLate
	if date.Before(c.NotBefore) {
		sub, err = NotYetValid, errTooEarly
	}
	if source != DateFromTimeStamp {
		sub = OutOfBoundsNoPOE
	}
	return failed(CheckValidity, sub, fmt.Errorf("%w, %s", err, date.UTC().Format(time.RFC3339)))
}

// revocationResult is the outcome of all questions about one path.
type revocationResult struct {
	check Check
	leaf  *RevocationStatus
	ca    []*RevocationStatus
}

// signerSpared tells whether a signature from the proven time survives the
// revocation of its certificate.
func signerSpared(s *RevocationStatus, proof time.Time) bool { return proof.Before(s.RevokedAt) }

// tokenSpared tells the same about a token and its authority.
func tokenSpared(s *RevocationStatus, genTime time.Time) bool {
	return genTime.Before(s.RevokedAt) && s.sparesOlderTokens()
}

// revocation judges the status of the certificates of a path.
func (j judgement) revocation(chain chainFacts, p proof, spared func(*RevocationStatus, time.Time) bool) revocationResult {
	switch {
	case j.policy.SkipRevocation:
		return revocationResult{check: Check{Name: CheckRevocation, Result: Skipped, Note: NoteSkipped}}
	case chain.path == nil:
		return revocationResult{check: notPerformed(CheckRevocation)}
	}
	out := revocationResult{check: passed(CheckRevocation)}
	questions := pathQuestions(chain.path, j.policy)
	if len(questions) == 0 {
		out.check.Note = NoteAnchor
	}
	for i, q := range questions {
		check, status := j.status(q, i > 0, p, spared)
		if i == 0 {
			out.leaf = status
		} else {
			out.ca = append(out.ca, status)
		}
		out.check = graver(out.check, check)
	}
	return out
}

// graver returns the check that tells more: one that failed, else one that is
// open, else one with a note. Of equals it is the first.
func graver(a, b Check) Check {
	rank := func(c Check) int {
		switch {
		case c.Result == Failed:
			return 3
		case !c.holds():
			return 2
		case c.Note != "":
			return 1
		}
		return 0
	}
	if rank(b) > rank(a) {
		return b
	}
	return a
}

// status judges one answer.
func (j judgement) status(q question, isCA bool, p proof, spared func(*RevocationStatus, time.Time) bool) (Check, *RevocationStatus) {
	a, ok := j.answers[pairOf(q.certificate, q.issuer)]
	switch {
	case !ok:
		return indeterminate(CheckRevocation, errNotAsked), nil
	case a.err != nil:
		return indeterminate(CheckRevocation, a.err), nil
	}
	s := a.status
	if err := s.usable(j.at, j.policy.skew()); err != nil {
		return indeterminate(CheckRevocation, err), s
	}
	if s.Status == ocsp.Good {
		return passed(CheckRevocation), s
	}
	err := s.revokedError()
	if isCA {
		err = fmt.Errorf("%s: %w", q.certificate, err)
	}
	switch {
	case p.time.IsZero() && isCA:
		return failed(CheckRevocation, RevokedCANoPOE, err), s
	case p.time.IsZero():
		return failed(CheckRevocation, RevokedNoPOE, err), s
	case j.policy.StrictRevocation, !spared(s, p.time):
		return failed(CheckRevocation, Revoked, err), s
	case p.open:
		return indeterminate(CheckRevocation, fmt.Errorf("%w, after the time of a timestamp whose own status is unknown", err)), s
	}
	c := passed(CheckRevocation)
	c.Note = err.Error() + ", after the timestamp"
	return c, s
}
