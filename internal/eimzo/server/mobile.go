package server

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	"imzo/internal/httpx"
	"imzo/internal/store"
	"imzo/pki/cms"
	"imzo/pki/tsp"
	"imzo/verify"
)

// Signatures by phone and ID card (guide chapter 3). A page asks for a document
// id, shows it to the phone together with the hash of what is to be signed, and
// asks again and again whether the signature has come; the gateway of ID-CARD
// E-IMZO MOBILE uploads it; the site's back end asks who has signed.

const (
	pathMobile             = "/frontend/mobile/"
	pathMobileAuthenticate = "/backend/mobile/authenticate/" // the document id follows

	mobileIDSize        = 4  // octets of a DocumentID
	mobileChallengeSize = 32 // octets of a challenge
	// mobileDraws is how many ids are drawn before giving up: with a million
	// documents alive three in a row are taken once in 10^11 times.
	mobileDraws = 3
	// mobileUploadLife is how long a signature is kept for the back end, which
	// may ask for it as often as its page is reloaded.
	mobileUploadLife = 10 * time.Minute
	// maxMobileUpload bounds what the gateway uploads: a detached document has
	// a chain of certificates and no content, about 5 KiB.
	maxMobileUpload = 256 << 10
	// maxMobileForm bounds the forms with nothing but an id.
	maxMobileForm = 4 << 10
	// maxMobileText bounds what the uploader says beside the document.
	maxMobileText = 255
)

func (s *Server) mobileRoutes() []route {
	if s.config.Mobile.SiteID == "" {
		return nil
	}
	return []route{
		{path: pathMobile + "auth", side: anyone, serve: func(w http.ResponseWriter, r *http.Request) { s.mobileStart(w, r, store.Authentication) }},
		{path: pathMobile + "sign", side: anyone, serve: func(w http.ResponseWriter, r *http.Request) { s.mobileStart(w, r, store.Signing) }},
		{path: pathMobile + "status", side: anyone, serve: s.mobileStatus},
		{path: pathMobile + "upload", side: anyone, serve: s.mobileUpload},
		{path: pathMobileAuthenticate, side: backend, serve: s.mobileAuthenticate},
		{path: "/backend/mobile/verify", side: backend, serve: s.mobileVerify},
	}
}

// mobileStart begins a log-in (guide 3.4.2) or a signature (3.4.5).
func (s *Server) mobileStart(w http.ResponseWriter, r *http.Request, kind store.DocumentKind) {
	d := store.Document{Kind: kind, Created: s.deps.Now()}
	var err error
	if kind == store.Authentication {
		d.Challenge, err = s.randomHex(mobileChallengeSize)
	}
	id := ""
	for draw := 0; err == nil; draw++ {
		if id, err = s.randomHex(mobileIDSize); err != nil {
			break
		}
		err = s.deps.Documents.Create(r.Context(), id, d, s.config.Mobile.Lifetime)
		if !errors.Is(err, store.ErrExists) || draw == mobileDraws-1 {
			break
		}
		err = nil
	}
	if err != nil {
		s.mobileFrontendTrouble(w, r, err)
		return
	}
	httpx.Annotate(r.Context(), slog.Int("status", statusOK), slog.String("documentId", id))
	writeJSON(w, mobileStartView{Status: statusOK, SiteID: s.config.Mobile.SiteID, DocumentID: id, Challenge: d.Challenge})
}

// randomHex returns so many random octets in upper case.
func (s *Server) randomHex(octets int) (string, error) {
	b := make([]byte, octets)
	if _, err := io.ReadFull(s.deps.Rand, b); err != nil {
		return "", err
	}
	return strings.ToUpper(hex.EncodeToString(b)), nil
}

// mobileStatus tells whether the signature has come (guide 3.4.3).
func (s *Server) mobileStatus(w http.ResponseWriter, r *http.Request) {
	form, err := s.readForm(r, maxMobileForm)
	var id string
	if err == nil {
		id, err = form.documentID()
	}
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	uploaded, err := s.deps.Documents.Uploaded(r.Context(), id)
	if err != nil {
		s.mobileFrontendTrouble(w, r, err)
		return
	}
	o := mobileNotUploaded
	if uploaded {
		o = success
	}
	httpx.Annotate(r.Context(), slog.Int("status", o.status))
	writeJSON(w, mobileResult{Status: o.status})
}

// mobileFrontendTrouble answers a page when the documents cannot be had.
func (s *Server) mobileFrontendTrouble(w http.ResponseWriter, r *http.Request, err error) {
	o := mobileFrontendUnexpected
	switch {
	case errors.Is(err, store.ErrNotFound):
		o = mobileNotFound
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrFull), errors.Is(err, store.ErrClosed):
		o = mobileStore
	}
	s.mobileRefuse(w, r, o, err)
}

// mobileRefuse answers with a status that is no success.
func (s *Server) mobileRefuse(w http.ResponseWriter, r *http.Request, o outcome, cause error) {
	httpx.Annotate(r.Context(), slog.Int("status", o.status))
	if cause != nil {
		httpx.Annotate(r.Context(), slog.String("error", clip(cause.Error(), maxLoggedCause)))
	}
	writeJSON(w, s.mobileResult(r, o))
}

func (s *Server) mobileResult(r *http.Request, o outcome) mobileResult {
	if o == success {
		return mobileResult{Status: o.status}
	}
	return mobileResult{Status: o.status, Message: o.message.text(s.language(r)), Code: o.code(), RequestID: httpx.RequestID(r.Context())}
}

// mobileUpload takes the signature from the gateway (guide 3.4.1). The first
// that can be one is kept; what comes after it, but for the same once more, is
// refused. Nobody proves here that he is the gateway, so a document that is
// none must not take the place of the one that is awaited.
func (s *Server) mobileUpload(w http.ResponseWriter, r *http.Request) {
	if allowed := s.config.Mobile.UploadFrom; len(allowed) > 0 {
		from := s.callerIP(r)
		if !containsAddress(allowed, from) {
			httpx.Annotate(r.Context(), slog.String("error", "mobile.upload.from does not have "+from.String()))
			httpx.Text(w, http.StatusForbidden, "uploads come from the gateway alone")
			return
		}
	}
	form, err := s.readForm(r, maxMobileUpload)
	var id string
	if err == nil {
		id, err = form.documentID()
	}
	var document []byte
	if err == nil {
		document, err = form.pkcs7()
	}
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	o, cause := s.takeUpload(r.Context(), id, store.Signed{
		PKCS7:        document,
		SerialNumber: clip(form.get("serial_number", "serialNumber"), maxMobileText),
		Address:      clip(form.get("x_real_ip"), maxMobileText),
		At:           s.deps.Now(),
	})
	var crowded *httpx.BodyError
	if errors.As(cause, &crowded) {
		s.refuse(w, r, cause)
		return
	}
	// The document id stays out of the audit line: whoever knows it may ask
	// who has signed.
	s.logVerdict(r, o, audited{document: document}, failureOf(cause))
	if o == success {
		writeJSON(w, mobileStartView{Status: statusOK})
		return
	}
	writeJSON(w, s.mobileResult(r, o))
}

func (s *Server) takeUpload(ctx context.Context, id string, signed store.Signed) (outcome, error) {
	d, err := s.deps.Documents.Document(ctx, id)
	if err == nil {
		var cause error
		if err := s.gate.run(ctx, len(signed.PKCS7), func() { cause = plausible(d, signed.PKCS7) }); err != nil {
			return mobileFrontendUnexpected, err
		}
		if cause != nil {
			return mobileUploadRefused, cause
		}
		err = s.deps.Documents.Upload(ctx, id, signed, mobileUploadLife)
	}
	switch {
	case err == nil:
		return success, nil
	case errors.Is(err, store.ErrNotFound):
		return mobileNotFound, err
	case errors.Is(err, store.ErrUploaded):
		return mobileUploadedBefore, err
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrFull), errors.Is(err, store.ErrClosed):
		return mobileStore, err
	}
	return mobileFrontendUnexpected, err
}

// errUpload says why an upload is not what a document waits for.
var errUpload = errors.New("no detached PKCS#7 with one signature")

// plausible tells whether a document can be the signature that is awaited: the
// signature must be that of its certificate's key, over the challenge where
// that is known. Whether the certificate is worth anything is asked later.
func plausible(d store.Document, document []byte) error {
	sd, err := cms.Parse(document)
	if err != nil {
		return err
	}
	if !sd.Detached() || len(sd.SignerInfos) != 1 {
		return errUpload
	}
	si := sd.SignerInfos[0]
	candidates := sd.SignerCertificates(si)
	if len(candidates) == 0 {
		return errNoCertificate
	}
	digest, known, err := si.MessageDigest()
	if d.Kind == store.Authentication {
		known = true
		digest, err = sd.ContentDigest(si, []byte(d.Challenge))
	}
	if err != nil {
		return err
	}
	if !known {
		return nil // signed is the document alone, which is not known yet
	}
	for _, c := range candidates {
		if err = si.Verify(c, sd.ContentType, digest); err == nil {
			return nil
		}
	}
	return err
}

// mobileAuthenticate tells who has signed the challenge (guide 3.4.4).
func (s *Server) mobileAuthenticate(w http.ResponseWriter, r *http.Request) {
	id, ok := parseDocumentID(strings.TrimPrefix(r.URL.Path, pathMobileAuthenticate))
	if !ok {
		s.refuse(w, r, badRequestf("the path ends in a document id of 8 hexadecimal digits"))
		return
	}
	d, ok := s.mobileDocument(w, r, id, store.Authentication)
	if !ok {
		return
	}
	j, err := s.judgeMobile(r.Context(), d.Signed.PKCS7, []byte(d.Challenge), s.fresh, true)
	if err != nil {
		s.mobileBackendTrouble(w, r, err)
		return
	}
	s.logVerdict(r, j.outcome, audited{document: d.Signed.PKCS7, serials: signerSerials(j.report)}, j.failure)
	v := mobileView{mobileResult: s.mobileJudgement(r, j)}
	if j.outcome == success {
		v.SubjectCertificateInfo = s.mobileCertificate(j.report)
	}
	writeJSON(w, v)
}

// mobileVerify tells who has signed a document, and returns both in one, with
// a timestamp (guide 3.4.6).
func (s *Server) mobileVerify(w http.ResponseWriter, r *http.Request) {
	form, err := s.readForm(r, s.config.Limits.Body)
	var id string
	if err == nil {
		id, err = form.documentID()
	}
	var content []byte
	if err == nil {
		content, err = form.document()
	}
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	d, ok := s.mobileDocument(w, r, id, store.Signing)
	if !ok {
		return
	}
	document := d.Signed.PKCS7
	j, err := s.judgeMobile(r.Context(), document, content, s.deps.Revocation, false)
	if err == nil && j.outcome == mobileDocumentDiffers {
		// Scripts on pages hash what JavaScript takes for UTF-8: the halves of
		// a surrogate pair as characters of their own.
		if cesu, ok := cesu8(content); ok {
			var again judged
			if again, err = s.judgeMobile(r.Context(), document, cesu, s.deps.Revocation, false); err == nil && again.outcome != mobileDocumentDiffers {
				j, content = again, cesu
			}
		}
	}
	var attached []byte
	var stampedAt time.Time
	if err == nil && j.outcome == success {
		attached, stampedAt, err = s.attachMobile(r.Context(), document, content)
	}
	if err != nil {
		s.mobileBackendTrouble(w, r, err)
		return
	}
	s.logVerdict(r, j.outcome, audited{document: document, serials: signerSerials(j.report)}, j.failure)
	v := mobileView{mobileResult: s.mobileJudgement(r, j)}
	if j.outcome == success {
		v.SubjectCertificateInfo = s.mobileCertificate(j.report)
		v.VerificationInfo = &mobileVerificationView{PolicyIdentifiers: []string{}, TimestampedTime: s.render.Date(stampedAt)}
		signer := j.report.Signers[0]
		for _, p := range signer.Policies {
			v.VerificationInfo.PolicyIdentifiers = append(v.VerificationInfo.PolicyIdentifiers, p.String())
		}
		if signer.SigningTime != nil {
			v.VerificationInfo.SigningTime = s.render.Date(*signer.SigningTime)
		}
		v.PKCS7Attached = attached
	}
	writeJSON(w, v)
}

// mobileDocument looks a signature up. When there is none it answers.
func (s *Server) mobileDocument(w http.ResponseWriter, r *http.Request, id string, kind store.DocumentKind) (store.Document, bool) {
	d, err := s.deps.Documents.Document(r.Context(), id)
	o := success
	switch {
	case errors.Is(err, store.ErrNotFound):
		o = mobileNotFound
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrClosed):
		o = mobileStore
	case err != nil:
		o = mobileUnexpected
	case d.Kind != kind:
		o = mobileWrongKind
	case d.Signed == nil:
		o = mobileNotUploaded
	}
	if o == success {
		return d, true
	}
	s.logVerdict(r, o, audited{}, failureOf(err))
	writeJSON(w, s.mobileResult(r, o))
	return d, false
}

// errNoStamp says that a document is right and cannot be given a timestamp.
var errNoStamp = errors.New("no timestamp")

// attachMobile returns the document with its content and a timestamp inside.
func (s *Server) attachMobile(ctx context.Context, document, content []byte) (attached []byte, at time.Time, err error) {
	sd, err := cms.Parse(document)
	if err != nil {
		return nil, at, err
	}
	if refused := s.gate.run(ctx, len(content)+len(document), func() { attached, err = sd.AttachContent(content) }); refused != nil {
		return nil, at, refused
	}
	if err != nil {
		return nil, at, err
	}
	limited, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	if attached, _, err = s.stampDocument(limited, attached); err != nil {
		return nil, at, errors.Join(errNoStamp, err)
	}
	if sd, err = cms.Parse(attached); err != nil {
		return nil, at, err
	}
	tokens, err := sd.SignerInfos[0].TimeStampTokens()
	if err != nil || len(tokens) == 0 {
		return nil, at, errors.Join(errNoStamp, err)
	}
	token, err := tsp.ParseToken(tokens[0])
	if err != nil {
		return nil, at, errors.Join(errNoStamp, err)
	}
	return attached, token.Info.GenTime, nil
}

// mobileBackendTrouble answers the site's back end when there is no verdict.
func (s *Server) mobileBackendTrouble(w http.ResponseWriter, r *http.Request, err error) {
	var unavailable *unavailable
	var crowded *httpx.BodyError
	if errors.As(err, &crowded) {
		s.refuse(w, r, err)
		return
	}
	o := mobileUnexpected
	if errors.Is(err, errNoStamp) || errors.As(err, &unavailable) {
		o = mobileNoTimestamp
	}
	s.logVerdict(r, o, audited{}, failureOf(err))
	writeJSON(w, s.mobileResult(r, o))
}

// judgeMobile verifies a signature by phone. A log-in counts now, as one by the
// agent does, and a document is judged as its signatures always are.
func (s *Server) judgeMobile(ctx context.Context, document, content []byte, source verify.RevocationSource, login bool) (judged, error) {
	options := s.verifyOptions(nil)
	options.SkipRevocation = true
	if login {
		options.StrictRevocation, options.ValidNow = true, true
	}
	evidence, err := verify.Collect(ctx, document, content, options)
	if err != nil {
		return judged{}, err
	}
	policy := options.Policy()
	report := evidence.Judge(policy)
	if o, failure := mobileSignature(report); o != success {
		return judged{report, o, failure}, nil
	}
	signer := report.Signers[0]
	if signer.SigningTime == nil {
		return judged{report: report, outcome: mobileOutsideWindow}, nil
	}
	if lag := s.deps.Now().Sub(*signer.SigningTime); lag > s.config.AuthWindow || lag < -s.config.AuthWindow {
		return judged{report: report, outcome: mobileOutsideWindow}, nil
	}
	if report.Valid() {
		limited, cancel := s.budget(ctx, source)
		defer cancel()
		evidence.Statuses = statuses(ctx, limited, report, s.config.CheckCARevocation)
		if err := ctx.Err(); err != nil {
			return judged{}, err
		}
		policy.SkipRevocation = false
		report = evidence.Judge(policy)
	}
	o, failure := s.judgeAnswer(report)
	return judged{report, mobileOutcome(o, failure), failure}, nil
}

// mobileSignature judges the document and its signature, without its
// certificate.
func mobileSignature(report *verify.Report) (outcome, *verify.Failure) {
	failure := answerFailure(report)
	switch {
	case failure == nil:
		return success, nil
	case failure.Check.Name == verify.CheckDigest:
		return mobileDocumentDiffers, failure
	case failure.Check.Name == verify.CheckFormat, failure.Check.Name == verify.CheckSignerCertificate:
		return mobileFormat, failure
	}
	return mobileSignatureInvalid, failure
}

// mobileOutcome is what an outcome of /backend/auth is called here.
func mobileOutcome(o outcome, failure *verify.Failure) outcome {
	switch {
	case o == success:
		return success
	case o == policyNotAllowed || o == caNotAllowed:
		return outcome{statusMobileNotAllowed, o.message}
	case failure != nil && failure.Check.Result == verify.Indeterminate:
		return mobileStatusNotKnown
	case o == certificateTooOld:
		return mobileCertificateTooOld
	case o == certificateInvalid:
		return mobileCertificateInvalid
	}
	return mobileSignatureInvalid
}

// mobileJudgement is the reply's result with the reason of a failure.
func (s *Server) mobileJudgement(r *http.Request, j judged) mobileResult {
	if j.outcome == success {
		return mobileResult{Status: statusOK}
	}
	return mobileResult(s.result(r, j.outcome, j.failure, j.report))
}

func (s *Server) mobileCertificate(report *verify.Report) *mobileCertificateView {
	c := report.Signers[0].Certificate
	v := s.render.subjectCertificate(c)
	return &mobileCertificateView{
		SerialNumber: v.SerialNumber, X500Name: c.Subject.String(), SubjectName: v.SubjectName, ValidFrom: v.ValidFrom, ValidTo: v.ValidTo,
	}
}

func containsAddress(networks []netip.Prefix, a netip.Addr) bool {
	for _, n := range networks {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// failureOf is an error for the audit line.
func failureOf(err error) *verify.Failure {
	if err == nil {
		return nil
	}
	return formatFailure(err)
}

// cesu8 returns text as Unicode's CESU-8 (UTR 26), and whether that differs:
// each character beyond U+FFFF is there a pair of surrogates, three octets
// each.
func cesu8(text []byte) ([]byte, bool) {
	if !utf8.Valid(text) {
		return nil, false
	}
	out := make([]byte, 0, len(text))
	differs := false
	for _, c := range string(text) {
		if c <= 0xffff {
			out = utf8.AppendRune(out, c)
			continue
		}
		differs = true
		c -= 0x10000
		for _, half := range []rune{0xd800 + c>>10, 0xdc00 + c&0x3ff} {
			out = append(out, 0xe0|byte(half>>12), 0x80|byte(half>>6&0x3f), 0x80|byte(half&0x3f))
		}
	}
	return out, differs
}
