package server

import (
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"imzo/internal/i18n"
	"imzo/internal/testpki"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/ocsp"
	"imzo/pki/tsp"
	"imzo/verify"
)

func TestMessagesSayWhoseSignatureAndWhatIsWrong(t *testing.T) {
	w := newWorld(t)
	second := w.User(t, "CN=SECOND")
	document, err := parsed(t, w.sign(t, "text")).AddSigner(nil, cms.Signer{Key: second.Key, Chain: second.Chain[:2], SigningTime: w.now()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	revokedAt := w.now().Add(-time.Hour)
	w.set(second.Cert, ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: revokedAt, Reason: 1})
	at := revokedAt.In(tashkent(t)).Format(time.DateTime)
	serial := second.Cert.SerialHex()
	russian := "Сертификат недействителен. Подпись 2 (SECOND, сертификат " + serial + "): "
	for language, want := range map[string]string{
		"":      russian,
		"de":    russian,
		"uz":    "Sertifikat yaroqsiz. 2-imzo (SECOND, sertifikat " + serial + "): ",
		"en-US": "The certificate is invalid. Signature 2 (SECOND, certificate " + serial + "): the certificate was revoked on " + at + ".",
	} {
		v := w.post(t, pathAttached, b64(document), "Accept-Language", language)
		if !strings.HasPrefix(v.Message, want) || !strings.Contains(v.Message, at) || v.Code != "certificate" || v.Status != statusCertificate {
			t.Errorf("%q: %d %s %q\nwant %q", language, v.Status, v.Code, v.Message, want)
		}
		if v.FailedSignerInfo == nil || v.FailedSignerInfo.Certificate[0].SerialNumber != serial || len(v.PKCS7Info.Signers) != 2 {
			t.Errorf("%q: failedSignerInfo %+v", language, v.FailedSignerInfo)
		}
	}
}

func TestEachKindOfFailureHasItsWords(t *testing.T) {
	w := newWorld(t)
	expired := w.Issue(t, w.CA, func(tmpl *cert.Template) {
		w.UserTemplate(t, tmpl, "CN=EXPIRED")
		tmpl.NotAfter = w.Now.Add(-time.Hour)
	}, w.KeySpec)
	held, unknown := w.User(t, "CN=HELD"), w.User(t, "CN=UNKNOWN")
	w.set(held.Cert, ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: w.Now.Add(-time.Hour), Reason: 6})
	w.set(unknown.Cert, ocsp.StatusInfo{Status: ocsp.Unknown})
	otherToken := stampWith(t, w.sign(t, "x"), func(si *cms.SignerInfo) []byte { return token(t, &w.authority, si, []byte("another")) })
	for name, c := range map[string]struct{ path, body, want string }{
		"no document":    {pathAttached, b64([]byte("x")), "no PKCS#7"},
		"no content":     {pathAttached, b64(w.sign(t, "x", detached)), "not inside the PKCS#7"},
		"two contents":   {pathDetached, b64([]byte("x")) + "|" + b64(w.sign(t, "x")), "came beside it"},
		"another":        {pathDetached, b64([]byte("y")) + "|" + b64(w.sign(t, "x", detached)), "not the one that was signed"},
		"expired":        {pathAttached, b64(w.signAs(t, expired, "x")), "the certificate expired on"},
		"too early":      {pathAttached, b64(w.sign(t, "x", signedAt(w.Now.AddDate(-1, 0, -1)))), "the certificate is valid from"},
		"held":           {pathAttached, b64(w.signAs(t, held, "x")), "the certificate was suspended on"},
		"not known":      {pathAttached, b64(w.signAs(t, unknown, "x")), "does not know this certificate"},
		"other token":    {pathAttached, b64(otherToken), "the timestamp was made for another signature."},
		"log-in of none": {pathAuth, b64([]byte("x")), "no PKCS#7"},
	} {
		v := w.post(t, c.path, c.body, "Accept-Language", "en")
		if !strings.Contains(v.Message, c.want) || v.Status == statusOK {
			t.Errorf("%s: %d %q, want %q", name, v.Status, v.Message, c.want)
		}
	}
	early := w.post(t, pathAuth, b64(w.sign(t, w.challenge(t), signedAt(w.Now.Add(-time.Hour)))), "Accept-Language", "en")
	if !strings.Contains(early.Message, "the time of the signature is 2026-01-01 16:00:00, the server's is 2026-01-01 17:00:00.") {
		t.Error(early.Message)
	}
	two, err := parsed(t, w.sign(t, w.challenge(t))).AddSigner(nil, cms.Signer{Key: held.Key, Chain: held.Chain[:2], SigningTime: w.now()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if v := w.post(t, pathAuth, b64(two), "Accept-Language", "en"); !strings.Contains(v.Message, "exactly one signature") {
		t.Error(v.Message)
	}
	w.breakOCSP(func(rw http.ResponseWriter, _ *http.Request) { http.Error(rw, "out of order", 500) })
	v := w.post(t, pathAttached, b64(w.sign(t, "x")), "Accept-Language", "en")
	if !strings.Contains(v.Message, "gave no usable answer") || strings.Contains(v.Message, "127.0.0.1") {
		t.Error(v.Message)
	}
	// A name that fills a page does not fill the message.
	long := w.User(t, "CN="+strings.Repeat("Ж", 1000))
	if v := w.post(t, pathAttached, b64(w.signAs(t, long, "x"))); len(v.Message) > 1500 {
		t.Errorf("%d octets", len(v.Message))
	}
	// The language of the configuration.
	s := w.newServer(t, func(c *Config, _ *Deps) { c.Language = i18n.Uzbek })
	if v := decode(t, callServer(s, "POST", pathAuth, b64(w.sign(t, "never issued")))); v.Message != MessageChallenge.text(i18n.Uzbek) || v.Code != "challenge" {
		t.Error(v.Code, v.Message)
	}
}

// TestEveryCheckHasWordsInEveryLanguage: also one that package verify gets
// later, and every sentence there is has a failure that it is for.
func TestEveryCheckHasWordsInEveryLanguage(t *testing.T) {
	w := newWorld(t)
	s := w.server
	signed, now := w.Now.AddDate(0, 0, -3), w.Now
	c := w.user.Cert
	status := func(st ocsp.CertStatus, reason int, at time.Time) *verify.RevocationStatus {
		return &verify.RevocationStatus{Status: st, Reason: reason, RevokedAt: at, ThisUpdate: now}
	}
	good := status(ocsp.Good, -1, time.Time{})
	type is = verify.SubIndication
	path := func(r cert.Reason) error { return &cert.PathError{Reason: r, Certificate: c} }
	signer := func(mods ...func(*verify.Signer)) *verify.Signer {
		out := &verify.Signer{Certificate: c, SigningDate: signed, SigningTime: &signed, Revocation: good}
		for _, m := range mods {
			m(out)
		}
		return out
	}
	revocation := func(st *verify.RevocationStatus, cas ...*verify.RevocationStatus) func(*verify.Signer) {
		return func(s *verify.Signer) { s.Revocation, s.CARevocation = st, cas }
	}
	date := func(at time.Time) func(*verify.Signer) { return func(s *verify.Signer) { s.SigningDate = at } }
	failed := func(name verify.CheckName, sub is, err error) verify.Check {
		return verify.Check{Name: name, Result: verify.Failed, SubIndication: sub, Err: err}
	}
	open := verify.Check{Name: verify.CheckRevocation, Result: verify.Indeterminate, SubIndication: verify.TryLater, Err: errors.New("10.0.0.7: refused")}
	used := map[string]bool{}
	note := func(name string, e explanation, want string) {
		t.Helper()
		used[e.cause.id], used[e.who.id] = true, true
		if e.token {
			used["who.timestamp"] = true
		}
		if e.cause.id != want {
			t.Errorf("%s: %q, want %q", name, e.cause.id, want)
		}
		for _, l := range i18n.Languages() {
			text := e.text(l)
			if want == "" {
				if text != "" {
					t.Errorf("%s %s: %q", name, l, text)
				}
				continue
			}
			if !i18n.Has(want) || !strings.HasSuffix(text, ".") || strings.ContainsAny(text, "%!<>\n") || strings.Contains(text, "10.0.0.7") || len(text) > 600 {
				t.Errorf("%s %s: %q", name, l, text)
			}
		}
	}

	bySigner := []struct {
		check  verify.Check
		signer *verify.Signer
		want   string
	}{
		{failed(verify.CheckSignerCertificate, verify.NoSigningCertificateFound, nil), &verify.Signer{SID: cms.SignerIdentifier{Serial: big.NewInt(0x1a)}}, "cause.noCertificate"},
		{failed(verify.CheckSignerCertificate, verify.NoSigningCertificateFound, nil), &verify.Signer{SID: cms.SignerIdentifier{SubjectKeyID: make([]byte, 500)}}, "cause.noCertificate"},
		{failed(verify.CheckSignerCertificate, verify.SigConstraintsFailure, nil), signer(), "cause.wrongCertificate"},
		{failed(verify.CheckSignedAttributes, verify.SigConstraintsFailure, nil), signer(), "cause.attributes"},
		{failed(verify.CheckDigest, verify.HashFailure, nil), signer(), "cause.digest"},
		{failed(verify.CheckDigest, verify.SignedDataNotFound, nil), signer(), "cause.detached"},
		{failed(verify.CheckSignature, verify.SigCryptoFailure, nil), signer(), "cause.signature"},
		{failed(verify.CheckSignature, verify.CryptoConstraintsFailure, nil), signer(), "cause.unsupported"},
		{failed(verify.CheckPath, verify.NoCertificateChainFound, path(cert.NoPath)), signer(), "cause.noPath"},
		{failed(verify.CheckPath, verify.OutOfBoundsNoPOE, path(cert.Expired)), signer(), "cause.caValidity"},
		{failed(verify.CheckPath, verify.ChainConstraintsFailure, path(cert.NotCA)), signer(), "cause.path"},
		{failed(verify.CheckPath, verify.CryptoConstraintsFailure, path(cert.UnsupportedAlgorithm)), signer(), "cause.unsupported"},
		{failed(verify.CheckPath, verify.CertificateChainGeneralFailure, path(cert.LimitExceeded)), signer(), "cause.limit"},
		{failed(verify.CheckPath, verify.CertificateChainGeneralFailure, nil), signer(), "cause.path"},
		{failed(verify.CheckBag, verify.CertificateChainGeneralFailure, nil), signer(), "cause.bag"},
		{failed(verify.CheckKeyUsage, verify.ChainConstraintsFailure, nil), signer(), "cause.keyUsage"},
		{failed(verify.CheckValidity, verify.Expired, nil), signer(date(c.NotAfter.Add(time.Hour))), "cause.tooLate"},
		{failed(verify.CheckValidity, verify.NotYetValid, nil), signer(date(c.NotBefore.Add(-time.Hour))), "cause.tooEarly"},
		{failed(verify.CheckValidity, verify.OutOfBoundsNoPOE, nil), signer(), "cause.notNow"},
		{failed(verify.CheckRevocation, verify.RevokedNoPOE, nil), signer(revocation(status(ocsp.Revoked, 1, now))), "cause.revoked"},
		{failed(verify.CheckRevocation, verify.RevokedNoPOE, nil), signer(revocation(status(ocsp.Revoked, 6, now))), "cause.suspended"},
		{failed(verify.CheckRevocation, verify.RevokedNoPOE, nil), signer(revocation(status(ocsp.Revoked, 1, time.Time{}))), "cause.revokedAlways"},
		{failed(verify.CheckRevocation, verify.RevokedNoPOE, nil), signer(revocation(status(ocsp.Revoked, 6, time.Time{}))), "cause.suspendedAlways"},
		{failed(verify.CheckRevocation, verify.RevokedCANoPOE, nil), signer(revocation(good, status(ocsp.Revoked, 1, now))), "cause.caRevoked"},
		{open, signer(revocation(nil)), "cause.noStatus"},
		{open, signer(revocation(good)), "cause.noStatus"},
		{open, signer(revocation(good, nil)), "cause.caStatusUnknown"},
		{open, signer(revocation(good, good, status(ocsp.Unknown, -1, time.Time{}))), "cause.caStatusUnknown"},
		{open, signer(revocation(status(ocsp.Unknown, -1, time.Time{}))), "cause.unknownStatus"},
		{open, signer(revocation(status(ocsp.Revoked, 4, now))), "cause.openStatus"},
		{failed(verify.CheckUnsignedAttributes, verify.SigConstraintsFailure, nil), signer(), "cause.hiddenToken"},
		{failed(checkPolicy, verify.SigConstraintsFailure, nil), signer(), "cause.policy"},
		{failed(checkCA, verify.ChainConstraintsFailure, nil), signer(), "cause.ca"},
	}
	seen := map[verify.CheckName]bool{verify.CheckSigningTime: true} // never fails for a signer
	for _, x := range bySigner {
		seen[x.check.Name] = true
		report := &verify.Report{At: now, Signers: []*verify.Signer{x.signer}}
		e := s.explanation(outcomeOf(x.check, inSigner), &verify.Failure{Signer: 0, TimeStamp: -1, Check: x.check}, report)
		note("signer: "+string(x.check.Name), e, x.want)
	}
	for _, name := range verify.SignerChecks() {
		if !seen[name] {
			t.Errorf("no words for the check %s of a signer", name)
		}
	}

	sound, err := tsp.ParseToken(token(t, &w.authority, parsed(t, w.sign(t, "x")).SignerInfos[0], []byte("x")))
	if err != nil {
		t.Fatal(err)
	}
	byToken := []struct {
		check verify.Check
		want  string
	}{
		{failed(verify.CheckFormat, verify.FormatFailure, nil), "cause.tokenFormat"},
		{failed(verify.CheckImprint, verify.HashFailure, nil), "cause.tokenImprint"},
		{failed(verify.CheckSignerCertificate, verify.NoSigningCertificateFound, nil), "cause.tokenSigner"},
		{failed(verify.CheckSignedAttributes, verify.SigConstraintsFailure, nil), "cause.tokenSigner"},
		{failed(verify.CheckDigest, verify.HashFailure, nil), "cause.tokenDigest"},
		{failed(verify.CheckSignature, verify.SigCryptoFailure, nil), "cause.tokenSignature"},
		{failed(verify.CheckSignature, verify.CryptoConstraintsFailure, nil), "cause.unsupported"},
		{failed(verify.CheckSigningTime, verify.TimestampOrderFailure, nil), "cause.tokenFuture"},
		{failed(verify.CheckPath, verify.NoCertificateChainFound, path(cert.NoPath)), "cause.noPath"},
		{failed(verify.CheckBag, verify.CertificateChainGeneralFailure, nil), "cause.bag"},
		{failed(verify.CheckKeyUsage, verify.ChainConstraintsFailure, nil), "cause.tokenKeyUsage"},
		{failed(verify.CheckValidity, verify.Expired, nil), "cause.notNow"},
		{failed(verify.CheckRevocation, verify.Revoked, nil), "cause.revoked"},
		{failed(verify.CheckUnsignedAttributes, verify.SigConstraintsFailure, nil), "cause.hiddenToken"},
	}
	seen = map[verify.CheckName]bool{}
	for _, x := range byToken {
		seen[x.check.Name] = true
		stamp := &verify.TimeStamp{Token: sound, Certificate: w.TSA.Cert, Revocation: status(ocsp.Revoked, 1, now)}
		if x.check.Name == verify.CheckFormat {
			stamp = &verify.TimeStamp{}
		}
		report := &verify.Report{At: now, Signers: []*verify.Signer{signer(func(s *verify.Signer) { s.TimeStamps = []*verify.TimeStamp{stamp} })}}
		e := s.explanation(outcomeOf(x.check, inToken), &verify.Failure{Signer: 0, TimeStamp: 0, Check: x.check}, report)
		note("timestamp: "+string(x.check.Name), e, x.want)
	}
	for _, name := range verify.TimeStampChecks() {
		if !seen[name] {
			t.Errorf("no words for the check %s of a timestamp", name)
		}
	}

	for _, x := range []struct {
		outcome outcome
		err     error
		want    string
	}{
		{signatureInvalid, fmt.Errorf("at 3: %w", cms.ErrFormat), "cause.notPKCS7"},
		{notPKCS7, fmt.Errorf("at 3: %w", cms.ErrFormat), ""}, // said already
		{notPKCS7, cms.ErrLimit, "cause.limit"},
		{signatureInvalid, cms.ErrUnsupported, "cause.unsupported"},
		{signatureInvalid, cms.ErrAttached, "cause.attached"},
		{alreadyAttached, cms.ErrAttached, ""},
		{timestampImpossible, errNoSigners, "cause.noSignatures"},
		{timestampImpossible, errNoCertificate, "cause.noCertificate"},
		{signatureInvalid, errOneSigner, "cause.severalSigners"},
		{signatureInvalid, errors.New("something else"), ""},
	} {
		note(fmt.Sprintf("document: %v", x.err), s.explanation(x.outcome, formatFailure(x.err), nil), x.want)
	}

	for _, claimed := range []*time.Time{nil, &signed} {
		want := "cause.window"
		if claimed == nil {
			want = "cause.noSigningTime"
		}
		report := &verify.Report{At: now, Signers: []*verify.Signer{{Certificate: c, SigningTime: claimed}}}
		note("window", s.explanation(outsideWindow, nil, report), want)
	}
	used["who.certificate"] = true // of /backend/certificate/status
	for _, id := range i18n.IDs() {
		if (strings.HasPrefix(id, "cause.") || strings.HasPrefix(id, "who.")) && !used[id] {
			t.Errorf("%s is for nothing", id)
		}
		if message, ok := strings.CutPrefix(id, "status."); ok && !slices.Contains(messages, Message(message)) {
			t.Errorf("%s is for no message", id)
		}
	}
	for _, m := range messages {
		if !i18n.Has("status." + string(m)) {
			t.Errorf("%s has no text", m)
		}
	}
}

// messages are all but that of success.
var messages = []Message{
	MessageStatusUnknown, MessageSigningTime, MessageSignature, MessageCertificate, MessageValidity, MessageChallenge,
	MessageTSAStatusUnknown, MessageTSASignature, MessageTSACertificate, MessageTSAValidity, MessagePolicy, MessageCA, MessageNotCertificate,
	MessageNotPKCS7, MessageAlreadyAttached, MessageNotAttached, MessageDocumentDiffers, MessageDocumentsDiffer, MessageTimestampImpossible,
	MessageMobileWaiting, MessageMobileStore, MessageMobileNotFound, MessageMobileUploadRefused, MessageMobileUploaded, MessageMobileWrongKind,
	MessageMobileTime, MessageMobileNoTimestamp, MessageMobileUnexpected,
}

// TestNamesOfStrangersDoNoHarmInMessages: anybody can make a certificate, and
// sites put messages into their pages.
func TestNamesOfStrangersDoNoHarmInMessages(t *testing.T) {
	for name, want := range map[string]string{
		"IVANOV IVAN":                   "IVANOV IVAN",
		"G'ULOMOV O`KTAM ALI O‘G‘LI":    "G’ULOMOV O’KTAM ALI O‘G‘LI",
		"ИВАНОВ ИВАН":                   "ИВАНОВ ИВАН",
		`<script>alert("1")</script>`:   "script alert(”1”) /script",
		`x\u003cb\u003e&lt;b&gt;`:       "x u003cb u003e lt;b gt;",
		"a\r\nSet-Cookie: b\t\x00\x7f":  "a Set-Cookie: b",
		"a\u202egpj.exe\u200b\u2028b":   "a gpj.exe b",
		"\xff\xfeА":                     "А",
		"   ":                           "",
		strings.Repeat("Ж", 64):         strings.Repeat("Ж", 64),
		strings.Repeat("Ж", 65) + "<>":  strings.Repeat("Ж", 64) + "…",
		strings.Repeat("x ", 1_000_000): strings.TrimSpace(strings.Repeat("x ", 32)) + " …",
	} {
		if got := speakable(name); got != want {
			t.Errorf("%.40q: %q, want %q", name, got, want)
		}
	}
	w := newWorld(t)
	stranger := testpki.New(t, "ozdst").User(t, `CN=\<img src\=x onerror\=alert(1)\>`)
	v := w.post(t, pathAttached, b64(w.signAs(t, stranger, "x")))
	v.want(t, statusCertificate, MessageCertificate)
	if !strings.Contains(v.Message, "(img src=x onerror=alert(1), ") || strings.ContainsAny(v.Message, "<>'\"&\\") {
		t.Error(v.Message)
	}
}
