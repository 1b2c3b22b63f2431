package server

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"imzo/internal/eimzo/pkcs7info"
	"imzo/internal/i18n"
	"imzo/internal/testpki"
	"imzo/pki/ber"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/ocsp"
	"imzo/verify"
)

// withTSA returns the document stamped by an authority with this certificate.
func (w *world) withTSA(t testing.TB, document []byte, who testpki.Entity) []byte {
	t.Helper()
	authority := w.authority
	authority.Key, authority.Chain = who.Key, who.Chain[:2]
	return stampWith(t, document, func(si *cms.SignerInfo) []byte { return token(t, &authority, si, si.Signature) })
}

func tsaTemplate(t testing.TB, w *world, mods ...func(*cert.Template)) func(*cert.Template) {
	return func(tmpl *cert.Template) {
		tmpl.Subject = testpki.Name(t, "CN=OtherTSA")
		tmpl.KeyUsage = cert.KeyUsageDigitalSignature
		tmpl.ExtKeyUsage, tmpl.ExtKeyUsageCritical = []ber.OID{cert.OIDTimeStamping}, true
		for _, m := range mods {
			m(tmpl)
		}
	}
}

// TestVerifyDistinguishesWhatTheGuideDoes produces every status of the table
// in guide 2.2.4 with real documents, and checks the flags that go with it.
func TestVerifyDistinguishesWhatTheGuideDoes(t *testing.T) {
	w := newWorld(t)
	foreign := newWorld(t)
	hourAgo := w.Now.Add(-time.Hour)

	revoked := func(name string, s ocsp.StatusInfo) testpki.Entity {
		e := w.User(t, "CN="+name)
		w.set(e.Cert, s)
		return e
	}
	revokedBefore := revoked("BEFORE", ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: w.Now.AddDate(0, 0, -2), Reason: 1})
	revokedSince := revoked("SINCE", ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: w.Now.Add(-time.Minute), Reason: 4})
	suspended := revoked("SUSPENDED", ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: hourAgo, Reason: 6})
	unknown := revoked("UNKNOWN", ocsp.StatusInfo{Status: ocsp.Unknown})
	expired := w.Issue(t, w.CA, func(tmpl *cert.Template) {
		w.UserTemplate(t, tmpl, "CN=EXPIRED")
		tmpl.NotAfter = w.Now.AddDate(0, 0, -1)
	}, w.KeySpec)
	service := w.Issue(t, w.CA, func(tmpl *cert.Template) {
		w.UserTemplate(t, tmpl, "CN=SERVICE")
		tmpl.ExtKeyUsage = []ber.OID{cert.OIDServerAuth}
	}, w.KeySpec)

	unknownTSA := w.Issue(t, w.CA, tsaTemplate(t, w), w.KeySpec)
	w.set(unknownTSA.Cert, ocsp.StatusInfo{Status: ocsp.Unknown})
	stolenTSA := w.Issue(t, w.CA, tsaTemplate(t, w), w.KeySpec)
	w.set(stolenTSA.Cert, ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: w.Now.Add(-time.Minute), Reason: 1})
	closedTSA := w.Issue(t, w.CA, tsaTemplate(t, w), w.KeySpec)
	w.set(closedTSA.Cert, ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: w.Now.Add(-time.Minute), Reason: 5})
	expiredTSA := w.Issue(t, w.CA, tsaTemplate(t, w, func(tmpl *cert.Template) { tmpl.NotAfter = w.Now.AddDate(0, 0, -1) }), w.KeySpec)
	noTSA := w.Issue(t, w.CA, tsaTemplate(t, w, func(tmpl *cert.Template) { tmpl.ExtKeyUsageCritical = false }), w.KeySpec)
	otherTSA := foreign.Issue(t, foreign.CA, tsaTemplate(t, w), w.KeySpec)

	type flags struct{ verified, chain, valid bool }
	good := flags{true, true, true}
	for name, c := range map[string]struct {
		document []byte
		status   int
		message  Message
		signer   flags
		token    *flags // nil without timestamp
		revoked  string // reason in revokedStatusInfo of the signer
	}{
		"good":                {document: w.sign(t, "x"), status: statusOK, signer: good},
		"good, stamped":       {document: w.stamped(t, w.sign(t, "x")), status: statusOK, signer: good, token: &good},
		"good, no attributes": {document: w.sign(t, "x", func(s *cms.Signer, _ *cms.Options) { s.SigningTime, s.NoSignedAttrs = time.Time{}, true }), status: statusOK, signer: good},
		"good, DER":           {document: w.sign(t, "x", func(_ *cms.Signer, o *cms.Options) { o.DER = true }), status: statusOK, signer: good},
		"good, old":           {document: w.sign(t, "x", signedAt(w.Now.AddDate(0, -6, 0))), status: statusOK, signer: good},
		"expired since, but stamped in time": {
			document: w.backThen(t, w.Now.AddDate(0, 0, -2), func() []byte { return w.stamped(t, w.signAs(t, expired, "x")) }), status: statusOK, signer: good, token: &good},

		"status unknown": {document: w.signAs(t, unknown, "x"), status: statusUnknown, message: MessageStatusUnknown, signer: good},

		"signature changed": {document: changed(t, w.sign(t, "x"), firstSignature), status: statusSignature, message: MessageSignature},
		"content changed":   {document: changed(t, w.sign(t, "some document"), (*cms.SignedData).Content), status: statusSignature, message: MessageSignature},
		"detached":          {document: w.sign(t, "x", detached), status: statusSignature, message: MessageSignature},

		"other hierarchy": {document: w.signAs(t, foreign.user, "x"), status: statusCertificate, message: MessageCertificate, signer: flags{true, false, true}},
		"wrong purpose":   {document: w.signAs(t, service, "x"), status: statusCertificate, message: MessageCertificate, signer: flags{true, false, true}},
		"revoked":         {document: w.signAs(t, revokedBefore, "x"), status: statusCertificate, message: MessageCertificate, signer: flags{true, false, true}, revoked: "keyCompromise"},
		"suspended":       {document: w.signAs(t, suspended, "x"), status: statusCertificate, message: MessageCertificate, signer: flags{true, false, true}, revoked: "certificateHold"},
		"revoked after a date that the signer only claims": {
			document: w.signAs(t, revokedSince, "x", signedAt(hourAgo)), status: statusCertificate, message: MessageCertificate, signer: flags{true, false, true}, revoked: "superseded"},
		"revoked after the timestamp": {
			document: w.backThen(t, hourAgo, func() []byte { return w.stamped(t, w.signAs(t, revokedSince, "x")) }), status: statusOK, signer: good, token: &good, revoked: "superseded"},
		"revoked before the timestamp": {
			document: w.stamped(t, w.signAs(t, revokedBefore, "x")), status: statusCertificate, message: MessageCertificate, signer: flags{true, false, true}, token: &good, revoked: "keyCompromise"},

		"expired":          {document: w.signAs(t, expired, "x"), status: statusValidity, message: MessageValidity, signer: flags{true, true, false}},
		"signed too early": {document: w.sign(t, "x", signedAt(w.Now.AddDate(-1, 0, -1))), status: statusValidity, message: MessageValidity, signer: flags{true, true, false}},
		"stamped too late": {document: w.stamped(t, w.signAs(t, expired, "x", signedAt(w.Now.AddDate(0, 0, -2)))), status: statusValidity, message: MessageValidity, signer: flags{true, true, false}, token: &good},

		"TSA's status unknown": {document: w.withTSA(t, w.sign(t, "x"), unknownTSA), status: tsaUnknown, message: MessageTSAStatusUnknown, signer: good, token: &good},
		"token of another signature": {
			document: stampWith(t, w.sign(t, "x"), func(si *cms.SignerInfo) []byte { return token(t, &w.authority, si, []byte("y")) }),
			status:   tsaSignature, message: MessageTSASignature, signer: good, token: &good},
		"token changed": {
			document: stampWith(t, w.sign(t, "x"), func(si *cms.SignerInfo) []byte {
				return changed(t, token(t, &w.authority, si, si.Signature), firstSignature)
			}),
			status: tsaSignature, message: MessageTSASignature, signer: good, token: &flags{}},
		"token from the future": {
			document: w.backThen(t, w.Now.Add(time.Hour), func() []byte { return w.stamped(t, w.sign(t, "x")) }),
			status:   tsaSignature, message: MessageTSASignature, signer: good, token: &flags{false, true, true}},
		"token is no token": {document: stampWith(t, w.sign(t, "x"), func(*cms.SignerInfo) []byte { return ber.Sequence(ber.Int64(1)) }), status: tsaSignature, message: MessageTSASignature, signer: good, token: &flags{}},
		"token under another type": {
			document: mustReplace(t, w.stamped(t, w.sign(t, "x")), cms.OIDTimeStampToken.DER(), hiddenTokenType.DER()), status: tsaSignature, message: MessageTSASignature, signer: flags{false, true, true}},
		"TSA of another hierarchy": {document: w.withTSA(t, w.sign(t, "x"), otherTSA), status: tsaCertificate, message: MessageTSACertificate, signer: good, token: &flags{true, false, true}},
		"TSA without the purpose":  {document: w.withTSA(t, w.sign(t, "x"), noTSA), status: tsaCertificate, message: MessageTSACertificate, signer: good, token: &flags{true, false, true}},
		"TSA's key stolen later":   {document: w.backThen(t, hourAgo, func() []byte { return w.withTSA(t, w.sign(t, "x"), stolenTSA) }), status: tsaCertificate, message: MessageTSACertificate, signer: good, token: &flags{true, false, true}},
		"TSA closed later":         {document: w.backThen(t, hourAgo, func() []byte { return w.withTSA(t, w.sign(t, "x"), closedTSA) }), status: statusOK, signer: good, token: &good},
		"TSA expired":              {document: w.withTSA(t, w.sign(t, "x"), expiredTSA), status: tsaValidity, message: MessageTSAValidity, signer: good, token: &flags{true, true, false}},
	} {
		t.Run(name, func(t *testing.T) {
			v := w.post(t, pathAttached, b64(c.document))
			v.want(t, c.status, c.message)
			if v.PKCS7Info == nil || len(v.PKCS7Info.Signers) != 1 {
				t.Fatalf("%.1500s", v.raw)
			}
			s := v.PKCS7Info.Signers[0]
			if got := (flags{s.Verified, s.CertificateVerified, s.CertificateValidAtSigningTime}); got != c.signer {
				t.Errorf("flags %v, want %v\n%.1500s", got, c.signer, v.raw)
			}
			if ts := s.TimeStampInfo; (ts != nil) != (c.token != nil) {
				t.Errorf("timeStampInfo %v", ts)
			} else if ts != nil {
				if got := (flags{ts.Verified, ts.CertificateVerified, ts.CertificateValidAtSigningTime}); got != *c.token {
					t.Errorf("flags of the token %v, want %v\n%.1500s", got, *c.token, v.raw)
				}
				if bound := name != "token of another signature" && name != "token is no token"; ts.DigestVerified != bound {
					t.Errorf("digestVerified %v", ts.DigestVerified)
				}
			}
			switch r := s.RevokedStatusInfo; {
			case r == nil && c.revoked != "", r != nil && (r.CRLReason != c.revoked || len(r.RevocationTime) != len(pkcs7info.DateFormat)):
				t.Errorf("revokedStatusInfo %+v, want %q", r, c.revoked)
			}
			// Booleans and status never contradict each other: clients check
			// both.
			ownFault := !(s.Verified && s.CertificateVerified && s.CertificateValidAtSigningTime)
			if c.status == statusOK && (ownFault || s.Exception != "" || v.FailedSignerInfo != nil) {
				t.Errorf("status 1 with a fault: %.1500s", v.raw)
			}
			if c.status != statusOK {
				if v.FailedSignerInfo == nil {
					t.Fatalf("no failedSignerInfo: %.1500s", v.raw)
				}
				one, _ := json.Marshal(v.FailedSignerInfo)
				two, _ := json.Marshal(s)
				if !bytes.Equal(one, two) {
					t.Error("failedSignerInfo is not the failed signer")
				}
				if s.Exception == "" && (s.TimeStampInfo == nil || s.TimeStampInfo.Exception == "") {
					t.Errorf("no exception: %.1500s", v.raw)
				}
			}
		})
	}
}

// backThen moves the clock while make runs.
func (w *world) backThen(t testing.TB, at time.Time, make func() []byte) []byte {
	t.Helper()
	was := w.clock.Load()
	w.clock.Store(int64(at.Sub(w.Now)))
	defer w.clock.Store(was)
	return make()
}

func TestStrictRevocationCountsAfterTheTimestampToo(t *testing.T) {
	w := newWorld(t)
	user := w.User(t, "CN=SINCE")
	w.set(user.Cert, ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: w.Now.Add(-time.Minute), Reason: 4})
	document := b64(w.backThen(t, w.Now.Add(-time.Hour), func() []byte { return w.stamped(t, w.signAs(t, user, "x")) }))
	w.post(t, pathAttached, document).want(t, statusOK, MessageNone)
	strict := w.newServer(t, func(c *Config, _ *Deps) { c.StrictRevocation = true })
	v := decode(t, callServer(strict, "POST", pathAttached, document))
	v.want(t, statusCertificate, MessageCertificate)
	if v.FailedSignerInfo.CertificateVerified || v.FailedSignerInfo.RevokedStatusInfo == nil {
		t.Errorf("%.1500s", v.raw)
	}
}

func TestVerifyDetachedComparesTheContent(t *testing.T) {
	w := newWorld(t)
	document := b64(w.sign(t, "some document", detached))
	v := w.post(t, pathDetached, b64([]byte("some document"))+"|"+document)
	v.want(t, statusOK, MessageNone)
	if v.PKCS7Info.DocumentBase64 != nil || strings.Contains(v.raw, "documentBase64") {
		t.Errorf("the document comes back: %.1500s", v.raw)
	}
	for _, content := range []string{"some documenT", "", "some document\n", "c29tZSBkb2N1bWVudA=="} {
		v := w.post(t, pathDetached, b64([]byte(content))+"|"+document)
		v.want(t, statusSignature, MessageSignature)
		if v.PKCS7Info.Signers[0].Verified {
			t.Errorf("%q: verified", content)
		}
	}
	empty := b64(w.sign(t, "", detached))
	w.post(t, pathDetached, "|"+empty).want(t, statusOK, MessageNone)
	attachedDocument := b64(w.sign(t, "some document"))
	w.post(t, pathDetached, b64([]byte("some document"))+"|"+attachedDocument).want(t, statusSignature, MessageSignature)
}

func TestVerifyAttachedGivesTheDocumentBack(t *testing.T) {
	w := newWorld(t)
	for _, content := range []string{"some document", "", strings.Repeat("long ", 5000), "\x00\xff"} {
		v := w.post(t, pathAttached, b64(w.sign(t, content)))
		v.want(t, statusOK, MessageNone)
		if got := v.PKCS7Info.DocumentBase64; got == nil || string(*got) != content {
			t.Errorf("%.20q came back as %v", content, got)
		}
	}
}

func TestVerifyAnswersNoDocumentWithAStatusOnly(t *testing.T) {
	w := newWorld(t)
	for name, document := range map[string][]byte{
		"text": []byte("hello, this is no document"), "empty sequence": {0x30, 0}, "cut": w.sign(t, "x")[:200],
		"a certificate": w.user.Cert.Raw, "trailing octets": append(w.sign(t, "x"), 0),
	} {
		for _, body := range []struct{ path, text string }{{pathAttached, b64(document)}, {pathDetached, b64([]byte("x")) + "|" + b64(document)}} {
			v := w.post(t, body.path, body.text)
			v.want(t, statusSignature, MessageSignature)
			if want := `{"status":-10,"message":"ЭЦП недействительна. Документ не является PKCS#7 или повреждён.","code":"signature"}`; v.raw != want {
				t.Errorf("%s: %.1500s", name, v.raw)
			}
		}
	}
}

func TestVerifyChecksEverySigner(t *testing.T) {
	w := newWorld(t)
	second, third := w.User(t, "CN=SECOND"), w.User(t, "CN=THIRD")
	document := w.stamped(t, w.sign(t, "x"))
	for _, who := range []testpki.Entity{second, third} {
		var err error
		document, err = parsed(t, document).AddSigner(nil, cms.Signer{Key: who.Key, Chain: who.Chain, SigningTime: w.now()}, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
	}
	v := w.post(t, pathAttached, b64(document))
	v.want(t, statusOK, MessageNone)
	if len(v.PKCS7Info.Signers) != 3 {
		t.Fatalf("%d signers", len(v.PKCS7Info.Signers))
	}
	for i, who := range []testpki.Entity{w.user, second, third} {
		if got := v.PKCS7Info.Signers[i].SignerID.SubjectSerialNumber; got != who.Cert.SerialHex() {
			t.Errorf("signer %d is %s", i, got)
		}
	}
	// The first failing signer names the status, whatever comes after.
	w.set(third.Cert, ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: w.Now.AddDate(0, -1, 0), Reason: 1})
	v = w.post(t, pathAttached, b64(document))
	v.want(t, statusCertificate, MessageCertificate)
	if v.FailedSignerInfo.SignerID.SubjectSerialNumber != third.Cert.SerialHex() || !v.PKCS7Info.Signers[0].Verified {
		t.Errorf("%.1500s", v.raw)
	}
	w.set(second.Cert, ocsp.StatusInfo{Status: ocsp.Unknown})
	v = w.post(t, pathAttached, b64(document))
	v.want(t, statusUnknown, MessageStatusUnknown)
	if v.FailedSignerInfo.SignerID.SubjectSerialNumber != second.Cert.SerialHex() {
		t.Errorf("%.1500s", v.raw)
	}
	w.set(w.TSA.Cert, ocsp.StatusInfo{Status: ocsp.Unknown})
	v = w.post(t, pathAttached, b64(document))
	v.want(t, tsaUnknown, MessageTSAStatusUnknown)
	if v.FailedSignerInfo.SignerID.SubjectSerialNumber != w.user.Cert.SerialHex() {
		t.Errorf("%.1500s", v.raw)
	}
}

func TestVerifyIsNeverASuccessWithoutAnAnswerAboutRevocation(t *testing.T) {
	for name, broken := range brokenResponders {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.server.patience = 300 * time.Millisecond
			w.breakOCSP(func(rw http.ResponseWriter, r *http.Request) { broken(w, rw, r) })
			start := time.Now()
			v := w.post(t, pathAttached, b64(w.stamped(t, w.sign(t, "x"))))
			v.want(t, statusUnknown, MessageStatusUnknown)
			s := v.PKCS7Info.Signers[0]
			if s.OCSPResponse != nil || s.StatusUpdatedAt != "" || s.Exception == "" {
				t.Errorf("%.1500s", v.raw)
			}
			if took := time.Since(start); took > 4*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

func TestNoncePolicyIsTheConfigured(t *testing.T) {
	w := newWorld(t)
	w.breakOCSP(func(rw http.ResponseWriter, r *http.Request) { brokenResponders["without our nonce"](w, rw, r) })
	document := b64(w.sign(t, "x"))
	for policy, status := range map[ocsp.NoncePolicy]int{ocsp.NonceRequired: statusUnknown, ocsp.NonceIfPresent: statusOK, ocsp.NonceIgnored: statusOK} {
		s := w.newServer(t, func(c *Config, _ *Deps) { c.OCSPNonce = policy })
		if v := decode(t, callServer(s, "POST", pathAttached, document)); v.Status != status {
			t.Errorf("policy %d: status %d, want %d", policy, v.Status, status)
		}
	}
}

// TestAllQuestionsOfARequestShareOneTimeLimit: a document with many signers
// does not wait for each in turn.
func TestAllQuestionsOfARequestShareOneTimeLimit(t *testing.T) {
	w := newWorld(t)
	document := w.sign(t, "x")
	for range 20 {
		who := w.User(t, "CN=ONE OF MANY")
		var err error
		document, err = parsed(t, document).AddSigner(nil, cms.Signer{Key: who.Key, Chain: who.Chain[:1], SigningTime: w.now()}, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
	}
	w.server.patience = 200 * time.Millisecond
	w.breakOCSP(func(rw http.ResponseWriter, r *http.Request) { brokenResponders["slow"](w, rw, r) })
	start := time.Now()
	w.post(t, pathAttached, b64(document)).want(t, statusUnknown, MessageStatusUnknown)
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("took %s", took)
	}
}

func TestVerdictsAreLoggedOnceWithoutContent(t *testing.T) {
	w := newWorld(t)
	w.set(w.user.Cert, ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: w.Now.Add(-time.Hour), Reason: 1})
	w.post(t, pathAttached, b64(w.sign(t, "a very secret text")), "X-Real-IP", "1.2.3.4", "X-Forwarded-Host", "example.uz")
	var lines []map[string]any
	for line := range strings.Lines(w.logs.String()) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		if v["msg"] == "verdict" {
			lines = append(lines, v)
		}
	}
	if len(lines) != 1 {
		t.Fatalf("%d lines: %s", len(lines), w.logs.String())
	}
	line := lines[0]
	if line["status"] != -11.0 || line["ip"] != "1.2.3.4" || line["host"] != "example.uz" || line["check"] != "revocation" || line["route"] != pathAttached {
		t.Errorf("%v", line)
	}
	if serials, ok := line["serials"].([]any); !ok || len(serials) != 1 || serials[0] != w.user.Cert.SerialHex() {
		t.Errorf("%v", line["serials"])
	}
	if strings.Contains(w.logs.String(), "secret") || strings.Contains(w.logs.String(), b64([]byte("a very secret"))[:12]) {
		t.Error("content in the log")
	}
}

// TestEveryStatusHasAText: a status without a message would read as success
// to clients that look at the message.
func TestADocumentCannotFillTheLog(t *testing.T) {
	long := &verify.Signer{SID: cms.SignerIdentifier{SubjectKeyID: make([]byte, 1<<20)}}
	w := newWorld(t)
	r := httptest.NewRequest("POST", pathAttached, nil)
	failure := formatFailure(errors.New(strings.Repeat("\u042f", 1<<20)))
	w.server.logVerdict(r, notPKCS7, audited{serials: signerSerials(&verify.Report{Signers: []*verify.Signer{long}})}, failure)
	if line := w.logs.String(); len(line) > 2000 || !strings.Contains(line, "key 0000") || !strings.Contains(line, "\u042f...") {
		t.Errorf("%d octets: %.3000s", len(line), line)
	}
}

func TestEveryStatusHasAText(t *testing.T) {
	if text := MessageNone.text(i18n.Russian); text != "" {
		t.Error(text)
	}
	for name, m := range meanings {
		for _, o := range []outcome{m.signer, m.token, m.auth} {
			if !i18n.Has("status."+string(o.message)) || o.status >= 0 {
				t.Errorf("%s: %+v", name, o)
			}
		}
		if m.auth.status == statusChallenge || m.auth.status < statusChallenge {
			t.Errorf("%s: auth has no status %d", name, m.auth.status)
		}
	}
}
