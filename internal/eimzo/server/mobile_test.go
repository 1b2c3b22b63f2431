package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"imzo/internal/i18n"
	"imzo/internal/store"
	"imzo/internal/testpki"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/ocsp"
)

const (
	pathMobileAuth   = pathMobile + "auth"
	pathMobileSign   = pathMobile + "sign"
	pathMobileStatus = pathMobile + "status"
	pathMobileUpload = pathMobile + "upload"
	pathMobileVerify = "/backend/mobile/verify"
)

// mobileReply is what tests read of an answer.
type mobileReply struct {
	mobileView
	SiteID     string `json:"siteId"`
	DocumentID string `json:"documentId"`
	Challenge  string `json:"challange"`
	raw        string
}

func (r mobileReply) want(t testing.TB, what string, o outcome) {
	t.Helper()
	if r.Status != o.status || !begins(r.Message, o.message.text(i18n.Russian)) {
		t.Errorf("%s: status %d %q, want %d %q\n%.600s", what, r.Status, r.Message, o.status, o.message.text(i18n.Russian), r.raw)
	}
	if o != success && r.Code != o.code() && r.Status != statusMobileWaiting {
		t.Errorf("%s: code %q, want %q", what, r.Code, o.code())
	}
	if o != success && (r.SubjectCertificateInfo != nil || r.PKCS7Attached != nil || r.VerificationInfo != nil) {
		t.Errorf("%s: a failure tells about a signer: %s", what, r.raw)
	}
}

func withMobile(c *Config, _ *Deps) { c.Mobile.SiteID = "20e2" }

// form encodes names and values as a form.
func encoded(pairs ...string) string {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v.Encode()
}

func askMobile(t testing.TB, s *Server, method, path, body string, headers ...string) mobileReply {
	t.Helper()
	rec := callServer(s, method, path, body, headers...)
	if rec.Code != http.StatusOK || rec.Header().Get("Content-Type") != "application/json; charset=UTF-8" || rec.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("%s: HTTP %d, %v: %s", path, rec.Code, rec.Header(), rec.Body)
	}
	v := mobileReply{raw: rec.Body.String()}
	if err := json.Unmarshal([]byte(v.raw), &v); err != nil {
		t.Fatalf("%v in %s", err, v.raw)
	}
	return v
}

func startMobile(t testing.TB, s *Server, path string) mobileReply {
	t.Helper()
	v := askMobile(t, s, "POST", path, "")
	v.want(t, path, success)
	return v
}

func pollMobile(t testing.TB, s *Server, id string) mobileReply {
	t.Helper()
	return askMobile(t, s, "POST", pathMobileStatus, encoded("documentId", id))
}

func uploadMobile(t testing.TB, s *Server, id string, document []byte) mobileReply {
	t.Helper()
	return askMobile(t, s, "POST", pathMobileUpload, encoded("document_id", id, "pkcs7_b64", b64(document), "serial_number", "7700000", "x_real_ip", "203.0.113.9"))
}

func verifyMobile(t testing.TB, s *Server, id, content string) mobileReply {
	t.Helper()
	return askMobile(t, s, "POST", pathMobileVerify, encoded("documentId", id, "document", b64([]byte(content))), "X-Real-IP", "1.2.3.4")
}

func TestALogInByPhone(t *testing.T) {
	w := newWorld(t, withMobile)
	s := w.server
	start := callServer(s, "POST", pathMobileAuth, "")
	shape := regexp.MustCompile(`^\{"status":1,"message":null,"siteId":"20e2","documentId":"[0-9A-F]{8}","challange":"[0-9A-F]{64}"\}$`)
	if !shape.MatchString(start.Body.String()) {
		t.Fatalf("%s", start.Body)
	}
	var started mobileReply
	if err := json.Unmarshal(start.Body.Bytes(), &started); err != nil {
		t.Fatal(err)
	}
	id := started.DocumentID
	if v := pollMobile(t, s, id); v.raw != `{"status":2}` {
		t.Errorf("before: %s", v.raw)
	}
	askMobile(t, s, "GET", pathMobileAuthenticate+id, "").want(t, "before", mobileNotUploaded)

	document := w.sign(t, started.Challenge, detached)
	if v := uploadMobile(t, s, id, document); v.raw != `{"status":1,"message":null}` {
		t.Errorf("upload: %s", v.raw)
	}
	if v := pollMobile(t, s, strings.ToLower(id)); v.raw != `{"status":1}` {
		t.Errorf("after: %s", v.raw)
	}
	for _, method := range []string{"GET", "POST"} { // the page of a result can be loaded again
		v := askMobile(t, s, method, pathMobileAuthenticate+id, "", "X-Real-IP", "1.2.3.4", "Host", "example.uz")
		want := fmt.Sprintf(`{"status":1,"subjectCertificateInfo":{"serialNumber":%q,"X500Name":"CN\u003dsfasdfa s asdfasd,1.2.860.3.16.1.2\u003d11111111111111",`+
			`"subjectName":{"1.2.860.3.16.1.2":"11111111111111","CN":"sfasdfa s asdfasd"},"validFrom":"2025-`, w.user.Cert.SerialHex())
		if !strings.HasPrefix(v.raw, want) {
			t.Errorf("%s\nwant\n%s", v.raw, want)
		}
	}
	if logs := w.logs.String(); strings.Contains(logs, started.Challenge) || !strings.Contains(logs, `"route":"/backend/mobile/authenticate/"`) {
		t.Error("the log has the challenge, or no line of the verdict")
	}
}

func TestADocumentByPhone(t *testing.T) {
	w := newWorld(t, withMobile)
	s := w.server
	start := callServer(s, "POST", pathMobileSign, "")
	if !regexp.MustCompile(`^\{"status":1,"message":null,"siteId":"20e2","documentId":"[0-9A-F]{8}"\}$`).MatchString(start.Body.String()) {
		t.Fatalf("%s", start.Body)
	}
	var started mobileReply
	if err := json.Unmarshal(start.Body.Bytes(), &started); err != nil {
		t.Fatal(err)
	}
	const content = "some document"
	uploadMobile(t, s, started.DocumentID, w.sign(t, content, detached)).want(t, "upload", success)
	v := verifyMobile(t, s, started.DocumentID, content)
	v.want(t, "verify", success)
	if v.VerificationInfo == nil || v.SubjectCertificateInfo == nil || v.VerificationInfo.SigningTime != s.render.Date(w.now()) ||
		v.VerificationInfo.TimestampedTime != s.render.Date(w.now()) || v.VerificationInfo.PolicyIdentifiers == nil {
		t.Fatalf("%s", v.raw)
	}
	if !strings.Contains(v.raw, `"pkcs7Attached":"MIAGCSqGSIb3DQEHAqCA`) {
		t.Errorf("%.500s", v.raw)
	}
	again := w.post(t, pathAttached, b64(v.PKCS7Attached))
	again.want(t, statusOK, MessageNone)
	if string(*again.PKCS7Info.DocumentBase64) != content || again.PKCS7Info.Signers[0].TimeStampInfo == nil {
		t.Errorf("%.600s", again.raw)
	}
}

// TestEveryMobileStatusIsProduced has the tables of the guide (3.2.3), each
// status at least once.
func TestEveryMobileStatusIsProduced(t *testing.T) {
	w := newWorld(t, withMobile)
	foreign := newWorld(t)
	unknown, revoked := w.User(t, "CN=UNKNOWN"), w.User(t, "CN=REVOKED")
	w.set(unknown.Cert, ocsp.StatusInfo{Status: ocsp.Unknown})
	w.set(revoked.Cert, ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: w.Now.Add(-time.Hour), Reason: 1})
	expired := w.Issue(t, w.CA, func(tmpl *cert.Template) {
		w.UserTemplate(t, tmpl, "CN=EXPIRED")
		tmpl.NotAfter = w.Now.Add(-time.Minute)
	}, w.KeySpec)
	seen := map[string]map[int]bool{"frontend": {}, "backend": {}}
	note := func(side string, v mobileReply) mobileReply { seen[side][v.Status] = true; return v }

	// What the store holds, whatever the endpoint for uploads lets in.
	for name, c := range map[string]struct {
		who      testpki.Entity
		document func(document []byte) []byte
		mods     []func(*cms.Signer, *cms.Options)
		login    outcome
		signed   outcome // over the right document
	}{
		"right":             {who: w.user, login: success, signed: success},
		"no document":       {who: w.user, document: func([]byte) []byte { return []byte("x") }, login: mobileFormat, signed: mobileFormat},
		"signature changed": {who: w.user, document: func(d []byte) []byte { return changed(t, d, firstSignature) }, login: mobileSignatureInvalid, signed: mobileSignatureInvalid},
		"another root":      {who: foreign.user, login: mobileCertificateInvalid, signed: mobileCertificateInvalid},
		"revoked":           {who: revoked, login: mobileCertificateInvalid, signed: mobileCertificateInvalid},
		"expired":           {who: expired, login: mobileCertificateTooOld, signed: mobileCertificateTooOld},
		"status not known":  {who: unknown, login: mobileStatusNotKnown, signed: mobileStatusNotKnown},
		"too early":         {who: w.user, mods: []func(*cms.Signer, *cms.Options){signedAt(w.Now.Add(-11 * time.Minute))}, login: mobileOutsideWindow, signed: mobileOutsideWindow},
		"too late":          {who: w.user, mods: []func(*cms.Signer, *cms.Options){signedAt(w.Now.Add(11 * time.Minute))}, login: mobileOutsideWindow, signed: mobileOutsideWindow},
		"just in time":      {who: w.user, mods: []func(*cms.Signer, *cms.Options){signedAt(w.Now.Add(-9 * time.Minute))}, login: success, signed: success},
		"no time":           {who: w.user, mods: []func(*cms.Signer, *cms.Options){signedAt(time.Time{})}, login: mobileOutsideWindow, signed: mobileOutsideWindow},
	} {
		make := func(content string) []byte {
			d := w.signAs(t, c.who, content, append(c.mods, detached)...)
			if c.document != nil {
				d = c.document(d)
			}
			return d
		}
		put := func(id string, document []byte) {
			if err := w.server.deps.Documents.Upload(t.Context(), id, store.Signed{PKCS7: document, At: w.now()}, time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		login := startMobile(t, w.server, pathMobileAuth)
		put(login.DocumentID, make(login.Challenge))
		note("backend", askMobile(t, w.server, "GET", pathMobileAuthenticate+login.DocumentID, "")).want(t, name+", log-in", c.login)
		signing := startMobile(t, w.server, pathMobileSign)
		put(signing.DocumentID, make("text"))
		note("backend", verifyMobile(t, w.server, signing.DocumentID, "text")).want(t, name+", document", c.signed)
		if c.signed == success {
			note("backend", verifyMobile(t, w.server, signing.DocumentID, "other")).want(t, "other document", mobileDocumentDiffers)
		}
		// A log-in is no document, and the reverse.
		note("backend", verifyMobile(t, w.server, login.DocumentID, "text")).want(t, name, mobileWrongKind)
		note("backend", askMobile(t, w.server, "GET", pathMobileAuthenticate+signing.DocumentID, "")).want(t, name, mobileWrongKind)
	}

	// Waiting, over, never there.
	waiting := startMobile(t, w.server, pathMobileAuth)
	note("frontend", pollMobile(t, w.server, waiting.DocumentID)).want(t, "waiting", outcome{statusMobileWaiting, MessageNone})
	note("backend", askMobile(t, w.server, "GET", pathMobileAuthenticate+waiting.DocumentID, "")).want(t, "waiting", mobileNotUploaded)
	note("frontend", uploadMobile(t, w.server, waiting.DocumentID, w.sign(t, waiting.Challenge, detached))).want(t, "upload", success)
	note("frontend", uploadMobile(t, w.server, waiting.DocumentID, w.sign(t, waiting.Challenge, detached))).want(t, "another upload", mobileUploadedBefore)
	forgotten := startMobile(t, w.server, pathMobileSign)
	w.advance(w.server.config.Mobile.Lifetime + time.Second)
	for _, id := range []string{forgotten.DocumentID, "01234567"} {
		note("frontend", pollMobile(t, w.server, id)).want(t, "over", mobileNotFound)
		note("frontend", uploadMobile(t, w.server, id, w.sign(t, "text", detached))).want(t, "over", mobileNotFound)
		note("backend", verifyMobile(t, w.server, id, "text")).want(t, "over", mobileNotFound)
		note("backend", askMobile(t, w.server, "GET", pathMobileAuthenticate+id, "")).want(t, "over", mobileNotFound)
	}

	// Trouble of the store.
	for _, c := range []struct {
		err               error
		frontend, backend outcome
	}{
		{fmt.Errorf("away: %w", store.ErrUnavailable), mobileStore, mobileStore},
		{store.ErrClosed, mobileStore, mobileStore},
		{errors.New("nobody expected this"), mobileFrontendUnexpected, mobileUnexpected},
	} {
		broken := w.newServer(t, withMobile, func(_ *Config, d *Deps) { d.Documents = brokenDocuments{c.err} })
		for _, path := range []string{pathMobileAuth, pathMobileSign} {
			note("frontend", askMobile(t, broken, "POST", path, "")).want(t, c.err.Error(), c.frontend)
		}
		note("frontend", pollMobile(t, broken, "01234567")).want(t, c.err.Error(), c.frontend)
		note("frontend", uploadMobile(t, broken, "01234567", w.sign(t, "x", detached))).want(t, c.err.Error(), c.frontend)
		note("backend", verifyMobile(t, broken, "01234567", "text")).want(t, c.err.Error(), c.backend)
		note("backend", askMobile(t, broken, "GET", pathMobileAuthenticate+"01234567", "")).want(t, c.err.Error(), c.backend)
	}

	// What the configuration allows, and no timestamp.
	for _, c := range []struct {
		configure func(*Config, *Deps)
		message   Message
	}{
		{func(c *Config, _ *Deps) { c.AllowedPolicies = []string{"1.2.3"} }, MessagePolicy},
		{func(c *Config, _ *Deps) { c.AllowedCAs = []string{"1"} }, MessageCA},
	} {
		s := w.newServer(t, withMobile, c.configure)
		v := startMobile(t, s, pathMobileAuth)
		uploadMobile(t, s, v.DocumentID, w.sign(t, v.Challenge, detached)).want(t, "upload", success)
		note("backend", askMobile(t, s, "GET", pathMobileAuthenticate+v.DocumentID, "")).want(t, string(c.message), outcome{statusMobileNotAllowed, c.message})
	}
	w.breakTSA(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusBadGateway) })
	v := startMobile(t, w.server, pathMobileSign)
	uploadMobile(t, w.server, v.DocumentID, w.sign(t, "text", detached)).want(t, "upload", success)
	note("backend", verifyMobile(t, w.server, v.DocumentID, "text")).want(t, "no TSA", mobileNoTimestamp)
	w.breakTSA(nil)
	note("backend", verifyMobile(t, w.server, v.DocumentID, "text")).want(t, "TSA back", success)

	for side, statuses := range map[string][]int{
		"frontend": {1, 2, -1, -2, -9, -10},
		"backend":  {1, 2, -1, -2, -3, -4, -5, -6, -7, -8, -9, -10, -11, -99, -100},
	} {
		for _, status := range statuses {
			if !seen[side][status] {
				t.Errorf("%s: status %d was not produced", side, status)
			}
		}
		if seen[side][0] {
			t.Errorf("%s: status 0, which should never be returned", side)
		}
	}
}

// brokenDocuments is a store that fails.
type brokenDocuments struct{ err error }

func (b brokenDocuments) Create(context.Context, string, store.Document, time.Duration) error {
	return b.err
}
func (b brokenDocuments) Upload(context.Context, string, store.Signed, time.Duration) error {
	return b.err
}
func (b brokenDocuments) Uploaded(context.Context, string) (bool, error) { return false, b.err }
func (b brokenDocuments) Document(context.Context, string) (store.Document, error) {
	return store.Document{}, b.err
}
func (b brokenDocuments) Ping(context.Context) error { return b.err }
func (b brokenDocuments) Close() error               { return nil }

// TestOnlyTheAwaitedSignatureIsTaken: nobody proves to be the gateway, and the
// first upload counts.
func TestOnlyTheAwaitedSignatureIsTaken(t *testing.T) {
	w := newWorld(t, withMobile)
	login, signing := startMobile(t, w.server, pathMobileAuth), startMobile(t, w.server, pathMobileSign)
	good := w.sign(t, login.Challenge, detached)
	two, err := parsed(t, good).AddSigner([]byte(login.Challenge), cms.Signer{Key: w.user.Key, Chain: w.user.Chain[:2], SigningTime: w.now()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	plain := func(s *cms.Signer, o *cms.Options) {
		o.Detached, s.NoSignedAttrs, s.SigningTime = true, true, time.Time{}
	}
	for name, document := range map[string][]byte{
		"nothing of the kind": []byte("x"),
		"another challenge":   w.sign(t, strings.Repeat("A", 64), detached),
		"octets of it":        w.sign(t, "octets", detached),
		"attached":            w.sign(t, login.Challenge),
		"two signers":         two,
		"changed":             changed(t, good, firstSignature),
		"plain, another":      w.sign(t, "another", plain),
	} {
		v := uploadMobile(t, w.server, login.DocumentID, document)
		v.want(t, name, mobileUploadRefused)
	}
	for name, document := range map[string][]byte{
		"nothing of the kind": []byte("x"), "attached": w.sign(t, "text"), "changed": changed(t, w.sign(t, "text", detached), firstSignature),
	} {
		uploadMobile(t, w.server, signing.DocumentID, document).want(t, name, mobileUploadRefused)
	}
	pollMobile(t, w.server, login.DocumentID).want(t, "still waiting", outcome{statusMobileWaiting, MessageNone})
	uploadMobile(t, w.server, login.DocumentID, good).want(t, "the awaited one", success)
	uploadMobile(t, w.server, login.DocumentID, good).want(t, "the same once more", success)
	askMobile(t, w.server, "GET", pathMobileAuthenticate+login.DocumentID, "").want(t, "log-in", success)

	// Without signed attributes, as cards may sign.
	uploadMobile(t, w.server, signing.DocumentID, w.sign(t, "text", plain)).want(t, "plain", success)
	verifyMobile(t, w.server, signing.DocumentID, "text").want(t, "no signing time", mobileOutsideWindow)
}

func TestMobileFormsOfRealClients(t *testing.T) {
	w := newWorld(t, withMobile)
	document := func(id string) []byte { return w.sign(t, "text", detached) }
	multipartBody := func(pairs ...string) string {
		var b bytes.Buffer
		for i := 0; i+1 < len(pairs); i += 2 {
			fmt.Fprintf(&b, "--xx\r\nContent-Disposition: form-data; name=%q\r\n\r\n%s\r\n", pairs[i], pairs[i+1])
		}
		return b.String() + "--xx--\r\n"
	}
	text := "application/x-www-form-urlencoded"
	for name, c := range map[string]struct {
		query, kind string
		body        func(id, pkcs7 string) string
	}{
		"the gateway":        {"", text, func(id, p string) string { return encoded("document_id", id, "pkcs7_b64", p) }},
		"not encoded":        {"", text, func(id, p string) string { return "document_id=" + id + "&pkcs7_b64=" + p }},
		"relayed":            {"?documentId=%s", "text/plain", func(_, p string) string { return p }},
		"relayed with lines": {"?documentId=%s", "text/plain", func(_, p string) string { return p[:64] + "\r\n" + p[64:] + "\r\n" }},
		"camel case":         {"", text + "; charset=UTF-8", func(id, p string) string { return encoded("documentId", id, "pkcs7", p) }},
		"multipart":          {"", "multipart/form-data; boundary=xx", func(id, p string) string { return multipartBody("document_id", id, "pkcs7_b64", p) }},
		"no type":            {"", "", func(id, p string) string { return encoded("document_id", id, "pkcs7_b64", p) }},
	} {
		id := startMobile(t, w.server, pathMobileSign).DocumentID
		path := pathMobileUpload
		if c.query != "" {
			path += fmt.Sprintf(c.query, id)
		}
		askMobile(t, w.server, "POST", path, c.body(id, b64(document(id))), "Content-Type", c.kind).want(t, name, success)
		for _, poll := range []struct{ path, body, kind string }{
			{pathMobileStatus, "documentId=" + id, text}, {pathMobileStatus + "?documentId=" + id, "", ""},
			{pathMobileStatus, multipartBody("documentId", id), "multipart/form-data; boundary=xx"},
		} {
			askMobile(t, w.server, "POST", poll.path, poll.body, "Content-Type", poll.kind).want(t, name+" "+poll.kind, success)
		}
		content := b64([]byte("text"))
		for _, body := range []string{encoded("documentId", id, "document", content), "documentId=" + id + "&document=" + content} {
			askMobile(t, w.server, "POST", pathMobileVerify, body).want(t, name, success)
		}
	}
	id := startMobile(t, w.server, pathMobileSign).DocumentID
	for path, bodies := range map[string][]string{
		pathMobileStatus:       {"", "documentId=", "documentId=12", "documentId=0123456g", "documentId=%zz", "x=1"},
		pathMobileUpload:       {"", "document_id=" + id, "pkcs7_b64=AAAA", "document_id=" + id + "&pkcs7_b64=*", "document_id=" + id + "&pkcs7_b64="},
		pathMobileVerify:       {"", "documentId=" + id, "document=AAAA", "documentId=" + id + "&document=*"},
		pathMobileAuthenticate: {""}, pathMobileAuthenticate + "0123456": {""}, pathMobileAuthenticate + "01234567x": {""},
	} {
		for _, body := range bodies {
			if rec := callServer(w.server, "POST", path, body); rec.Code != http.StatusBadRequest || rec.Body.Len() == 0 {
				t.Errorf("%s %q: HTTP %d %s", path, body, rec.Code, rec.Body)
			}
		}
	}
	big := encoded("document_id", id, "pkcs7_b64", strings.Repeat("A", maxMobileUpload))
	if rec := callServer(w.server, "POST", pathMobileUpload, big); rec.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a large upload: HTTP %d", rec.Code)
	}
	for _, path := range []string{pathMobileAuthenticate + id + "/x", "/frontend/mobile/", "/frontend/mobile/other"} {
		if rec := callServer(w.server, "POST", path, ""); rec.Code != http.StatusNotFound {
			t.Errorf("%s: HTTP %d", path, rec.Code)
		}
	}
}

// TestTextWithCharactersBeyondTheBasicPlane: the script of the original's demo
// site hashes surrogates one by one.
func TestTextWithCharactersBeyondTheBasicPlane(t *testing.T) {
	w := newWorld(t, withMobile)
	const text = "emoji \U0001F600"
	cesu, ok := cesu8([]byte(text))
	if !ok || !bytes.Equal(cesu, []byte("emoji \xed\xa0\xbd\xed\xb8\x80")) {
		t.Fatalf("%x", cesu)
	}
	if _, ok := cesu8([]byte("текст")); ok {
		t.Error("text without such characters differs")
	}
	if _, ok := cesu8([]byte("\xff\U0001F600")); ok {
		t.Error("octets that are no text differ")
	}
	for _, signed := range [][]byte{[]byte(text), cesu} {
		id := startMobile(t, w.server, pathMobileSign).DocumentID
		uploadMobile(t, w.server, id, w.sign(t, string(signed), detached)).want(t, "upload", success)
		v := verifyMobile(t, w.server, id, text)
		v.want(t, "verify", success)
		if content := parsed(t, v.PKCS7Attached).Content(); !bytes.Equal(content, signed) {
			t.Errorf("attached is %q, signed was %q", content, signed)
		}
		verifyMobile(t, w.server, id, text+"x").want(t, "another", mobileDocumentDiffers)
	}
}

func TestUploadsMayBeLimitedToTheGateway(t *testing.T) {
	w := newWorld(t, withMobile, func(c *Config, _ *Deps) {
		c.Mobile.UploadFrom = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
	})
	id := startMobile(t, w.server, pathMobileSign).DocumentID
	body := encoded("document_id", id, "pkcs7_b64", b64(w.sign(t, "text", detached)))
	// 192.0.2.1, where the test's requests come from, is no trusted proxy.
	if rec := callServer(w.server, "POST", pathMobileUpload, body, "X-Real-IP", "203.0.113.7"); rec.Code != http.StatusForbidden {
		t.Errorf("HTTP %d", rec.Code)
	}
	trusted := w.newServer(t, withMobile, func(c *Config, d *Deps) {
		c.Mobile.UploadFrom = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
		d.Documents = w.server.deps.Documents
	})
	if rec := callServer(trusted, "POST", pathMobileUpload, body, "X-Real-IP", "198.51.100.1"); rec.Code != http.StatusForbidden {
		t.Errorf("HTTP %d", rec.Code)
	}
	askMobile(t, trusted, "POST", pathMobileUpload, body, "X-Real-IP", "203.0.113.7").want(t, "the gateway", success)
}

func TestWithoutASiteThereIsNoMobileFlow(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{pathMobileAuth, pathMobileSign, pathMobileStatus, pathMobileUpload, pathMobileVerify, pathMobileAuthenticate + "01234567"} {
		if rec := w.call("POST", path, ""); rec.Code != http.StatusNotFound {
			t.Errorf("%s: HTTP %d", path, rec.Code)
		}
	}
}

// TestABusyIDIsDrawnAnew: ids are random and may be alive already.
func TestABusyIDIsDrawnAnew(t *testing.T) {
	w := newWorld(t, withMobile, func(_ *Config, d *Deps) {
		d.Rand = bytes.NewReader(append(append(bytes.Repeat([]byte{1}, 8), 2, 2, 2, 2), bytes.Repeat([]byte{1}, 12)...))
	})
	if a, b := startMobile(t, w.server, pathMobileSign).DocumentID, startMobile(t, w.server, pathMobileSign).DocumentID; a != "01010101" || b != "02020202" {
		t.Errorf("%s, %s", a, b)
	}
	askMobile(t, w.server, "POST", pathMobileSign, "").want(t, "three in a row", mobileFrontendUnexpected)
	askMobile(t, w.server, "POST", pathMobileSign, "").want(t, "no more random numbers", mobileFrontendUnexpected)
}
