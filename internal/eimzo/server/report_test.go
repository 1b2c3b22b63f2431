package server

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"html"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
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

var update = flag.Bool("update", false, "write the golden pages anew")

// reportReply is the JSON of a report, as far as tests read it.
type reportReply struct {
	Report struct {
		Indication    string    `json:"indication"`
		SubIndication string    `json:"subIndication"`
		CheckedAt     time.Time `json:"checkedAt"`
		FormatError   string    `json:"formatError"`
		Detached      bool      `json:"detached"`
		ContentSize   *int      `json:"contentSize"`
		Signers       []struct {
			Indication string `json:"indication"`
			Checks     []struct{ Name, Result, Error string }
			TimeStamps []struct {
				Indication string `json:"indication"`
				Checks     []struct{ Name, Result string }
			} `json:"timeStamps"`
		} `json:"signers"`
	} `json:"report"`
	result
}

func (w *world) report(t testing.TB, body string, headers ...string) reportReply {
	t.Helper()
	rec := answerTo(w.server, newRequest(pathReport, body, headers...))
	if rec.Code != http.StatusOK || rec.Header().Get("Content-Type") != "application/json; charset=UTF-8" {
		t.Fatalf("HTTP %d %s: %.300s", rec.Code, rec.Header(), rec.Body)
	}
	var v reportReply
	if err := json.Unmarshal(rec.Body.Bytes(), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// page asks for a page and checks what holds for every one.
func (w *world) page(t testing.TB, query, body string, headers ...string) string {
	t.Helper()
	rec := answerTo(w.server, newRequest(pathReport+"?format=html"+query, body, headers...))
	if rec.Code != http.StatusOK {
		t.Fatalf("HTTP %d: %.300s", rec.Code, rec.Body)
	}
	text := rec.Body.String()
	for name, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
		"X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Content-Length": fmt.Sprint(len(text)),
	} {
		if got := rec.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	checkPage(t, text, rec.Header().Get("Content-Security-Policy"))
	return text
}

var (
	pageStyles = regexp.MustCompile(`(?s)<style>(.*?)</style>`)
	activePart = regexp.MustCompile(`(?i)<(script|iframe|img|link|form|a|object|svg|base)\b|\son\w+=|javascript:|\sstyle=|\shref=|\ssrc=`)
	missing    = regexp.MustCompile(`report\.\w+|%!|<no value>|ZgotmplZ`)
)

// checkPage checks that a page does nothing, fetches nothing and is whole.
func checkPage(t testing.TB, text, policy string) {
	t.Helper()
	styles := pageStyles.FindAllStringSubmatch(text, -1)
	if len(styles) != 1 {
		t.Fatalf("%d styles", len(styles))
	}
	sum := sha256.Sum256([]byte(styles[0][1]))
	if want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"; policy != want {
		t.Errorf("policy %q, want %q", policy, want)
	}
	rest := strings.Replace(text, styles[0][0], "", 1)
	for _, bad := range []*regexp.Regexp{activePart, missing} {
		if found := bad.FindString(rest); found != "" {
			t.Errorf("%q in the page", found)
		}
	}
	// Every element that has to be closed is.
	var open []string
	for _, m := range regexp.MustCompile(`<(/?)([a-z][a-z0-9]*)[^>]*>`).FindAllStringSubmatch(rest, -1) {
		switch {
		case m[2] == "meta":
		case m[1] == "":
			open = append(open, m[2])
		case len(open) == 0 || open[len(open)-1] != m[2]:
			t.Fatalf("</%s> in %v", m[2], open)
		default:
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		t.Errorf("not closed: %v", open)
	}
	ids := make(map[string]bool)
	for _, m := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(rest, -1) {
		if ids[m[1]] {
			t.Errorf("id %s twice", m[1])
		}
		ids[m[1]] = true
	}
	for _, m := range regexp.MustCompile(` aria-labelledby="([^"]*)"`).FindAllStringSubmatch(rest, -1) {
		if !ids[m[1]] {
			t.Errorf("label %s is not there", m[1])
		}
	}
}

func TestReportTellsEverything(t *testing.T) {
	w := newWorld(t)
	document := w.stamped(t, w.sign(t, "some document"))
	v := w.report(t, b64(document))
	if v.Status != statusOK || v.Code != "ok" || v.Report.Indication != "TOTAL-PASSED" || len(v.Report.Signers) != 1 {
		t.Fatalf("%+v", v)
	}
	if size := v.Report.ContentSize; size == nil || *size != len("some document") || v.Report.Detached {
		t.Errorf("content %v, detached %v", size, v.Report.Detached)
	}
	signer := v.Report.Signers[0]
	if len(signer.Checks) != len(verify.SignerChecks()) || len(signer.TimeStamps) != 1 || len(signer.TimeStamps[0].Checks) != len(verify.TimeStampChecks()) {
		t.Errorf("%+v", signer)
	}
	for _, c := range signer.Checks {
		if c.Result != "passed" {
			t.Errorf("%s %s", c.Name, c.Result)
		}
	}
	if raw := answerTo(w.server, newRequest(pathReport, b64(document))).Body.String(); strings.Contains(raw, "some document") || strings.Contains(raw, "c29tZSBkb2N1bWVudA") {
		t.Error("the content is in the report")
	}
}

// The report and verify never disagree.
func TestReportHasTheStatusOfVerify(t *testing.T) {
	w := newWorld(t)
	revoked := w.User(t, "CN=REVOKED")
	w.set(revoked.Cert, ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: w.Now.Add(-time.Hour), Reason: 1})
	unknown := w.User(t, "CN=UNKNOWN")
	w.set(unknown.Cert, ocsp.StatusInfo{Status: ocsp.Unknown})
	foreign := newWorld(t)
	for name, c := range map[string]struct {
		document            []byte
		indication, problem string
	}{
		"valid":      {w.sign(t, "x"), "TOTAL-PASSED", ""},
		"revoked":    {w.signAs(t, revoked, "x"), "INDETERMINATE", "REVOKED_NO_POE"},
		"unknown":    {w.signAs(t, unknown, "x"), "INDETERMINATE", "TRY_LATER"},
		"foreign":    {foreign.sign(t, "x"), "INDETERMINATE", "CERTIFICATE_CHAIN_GENERAL_FAILURE"},
		"other text": {bytes.Replace(w.sign(t, "some document"), []byte("some"), []byte("same"), 1), "TOTAL-FAILED", "HASH_FAILURE"},
		"detached":   {w.sign(t, "x", detached), "INDETERMINATE", "SIGNED_DATA_NOT_FOUND"},
		"a token over something else": {stampWith(t, w.sign(t, "x"), func(si *cms.SignerInfo) []byte { return token(t, &w.authority, si, []byte("y")) }),
			"TOTAL-FAILED", "HASH_FAILURE"},
		"nothing": {[]byte("AB"), "TOTAL-FAILED", "FORMAT_FAILURE"},
	} {
		t.Run(name, func(t *testing.T) {
			body := b64(c.document)
			want, got := w.post(t, pathAttached, body), w.report(t, body)
			if got.result != want.result {
				t.Errorf("%+v, verify has %+v", got.result, want.result)
			}
			if got.Report.Indication != c.indication || got.Report.SubIndication != c.problem {
				t.Errorf("%s %s, want %s %s", got.Report.Indication, got.Report.SubIndication, c.indication, c.problem)
			}
			for _, l := range i18n.Languages() {
				text := w.page(t, "&lang="+string(l), body)
				if !strings.Contains(text, `<html lang="`+string(l)+`">`) {
					t.Errorf("%s: language is not told", l)
				}
				verdict := map[string]string{"TOTAL-PASSED": "valid", "TOTAL-FAILED": "invalid", "INDETERMINATE": "open"}[c.indication]
				for _, other := range []string{"valid", "invalid", "open"} {
					sentence := "</span> " + html.EscapeString(i18n.Text(l, "report.document."+other)) + "</p>"
					if strings.Contains(text, sentence) != (other == verdict) {
						t.Errorf("%s: %q is there: %v", l, sentence, other != verdict)
					}
				}
				if c.problem != "" && !strings.Contains(text, c.problem) {
					t.Errorf("%s: no %s", l, c.problem)
				}
			}
		})
	}
}

func TestReportTakesEveryForm(t *testing.T) {
	w := newWorld(t)
	attached, separate := w.sign(t, "some document"), w.sign(t, "some document", detached)
	content := b64([]byte("some document"))
	pipe := "a | b" // whose DER has the sign that parts are cut at
	pem := "-----BEGIN PKCS7-----\n" + b64(attached) + "\n-----END PKCS7-----\n"
	for name, c := range map[string]struct {
		body     string
		form     bool
		detached bool
	}{
		"base64":                      {b64(attached), false, false},
		"PEM":                         {pem, false, false},
		"DER":                         {string(w.sign(t, pipe)), false, false},
		"a pair":                      {content + "|" + b64(separate), false, true},
		"an encoded pair":             {content + "%7C" + b64(separate), false, true},
		"a form with all":             {form("pkcs7", b64(separate), "document", "some document"), true, true},
		"a form, document first":      {form("document", "some document", "pkcs7", b64(separate)), true, true},
		"a form with PKCS#7 alone":    {form("pkcs7", b64(attached)), true, false},
		"a form of DER with the sign": {form("pkcs7", string(w.sign(t, pipe))), true, false},
	} {
		t.Run(name, func(t *testing.T) {
			kind := "text/plain"
			if c.form {
				kind = formType
			}
			v := w.report(t, c.body, "Content-Type", kind)
			if v.Status != statusOK || v.Report.Detached != c.detached {
				t.Errorf("status %d %s, detached %v", v.Status, v.Message, v.Report.Detached)
			}
		})
	}
}

func TestReportsAreRefused(t *testing.T) {
	w := newWorld(t)
	document := b64(w.sign(t, "x"))
	small := w.newServer(t, func(c *Config, _ *Deps) { c.Limits.Body = 1024 })
	for name, c := range map[string]struct {
		server      *Server
		query, body string
		code        int
		text        string
	}{
		"nothing":              {w.server, "", "", 400, "the body is empty"},
		"text":                 {w.server, "", "some document?", 400, "the PKCS#7 document is not base64"},
		"a pair of text":       {w.server, "", "?|" + document, 400, "the source document before '|' is not base64"},
		"a pair with nothing":  {w.server, "", "QQ==|", 400, "the PKCS#7 document is not base64"},
		"an unknown format":    {w.server, "?format=pdf", document, 400, "format is json or html"},
		"an unknown language":  {w.server, "?lang=kk", document, 400, "lang is uz, ru or en"},
		"larger than allowed":  {small, "", document, 413, "the body is larger than the allowed 1024 bytes"},
		"larger, to be a page": {small, "?format=html", document, 413, "the body is larger than the allowed 1024 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			rec := answerTo(c.server, newRequest(pathReport+c.query, c.body))
			if rec.Code != c.code || !strings.Contains(rec.Body.String(), c.text) || !strings.HasPrefix(rec.Header().Get("Content-Type"), "text/plain") {
				t.Errorf("HTTP %d %s: %s, want %d %s", rec.Code, rec.Header(), rec.Body, c.code, c.text)
			}
		})
	}
}

func TestReportIsAPageForWhoLikesPages(t *testing.T) {
	w := newWorld(t)
	document := b64(w.sign(t, "x"))
	const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
	for _, c := range []struct {
		accept, query string
		page          bool
	}{
		{"", "", false},
		{"*/*", "", false},
		{"application/json", "", false},
		{browser, "", true},
		{"text/html", "", true},
		{"TEXT/HTML ; Q=0.5", "", true},
		{"text/*", "", true},
		{"text/*, application/json;q=0.9", "", true},
		{"text/*;q=0.5, application/json", "", false},
		{"text/html;q=0.5, application/*", "", false},
		{"text/html;q=0, */*", "", false},
		{"text/html, application/json", "", false},
		{"text/html;q=nonsense", "", true},
		{"text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", "", true}, // Java's own
		{"text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", "?format=json", false},
		{browser, "?format=json", false},
		{"application/json", "?format=html", true},
		{",;,", "", false},
	} {
		rec := answerTo(w.server, newRequest(pathReport+c.query, document, "Accept", c.accept))
		page := strings.HasPrefix(rec.Header().Get("Content-Type"), "text/html")
		if rec.Code != http.StatusOK || page != c.page {
			t.Errorf("Accept %q %s: HTTP %d, page %v", c.accept, c.query, rec.Code, page)
		}
		if rec.Header().Get("Vary") != "Accept, Accept-Language" {
			t.Errorf("Vary %q", rec.Header().Get("Vary"))
		}
	}
}

func TestThePageIsInTheLanguageAskedFor(t *testing.T) {
	w := newWorld(t)
	document := b64(w.sign(t, "x"))
	for _, c := range []struct{ query, header, want string }{
		{"", "", "ru"}, {"", "uz-UZ,uz;q=0.9,ru;q=0.8", "uz"}, {"", "de,en;q=0.5", "en"}, {"&lang=en", "uz", "en"}, {"&lang=uz", "", "uz"},
	} {
		text := w.page(t, c.query, document, "Accept-Language", c.header)
		if title := i18n.Text(i18n.Language(c.want), "report.title"); !strings.Contains(text, `<html lang="`+c.want+`">`) || !strings.Contains(text, "<h1>"+title+"</h1>") {
			t.Errorf("%s %s: not in %s", c.query, c.header, c.want)
		}
	}
}

// What is wrong is said in the reader's language, beside the words of the
// program.
func TestThePageTellsWhatIsWrongInTheLanguageAskedFor(t *testing.T) {
	w := newWorld(t)
	document := strings.Replace(string(w.stamped(t, w.sign(t, "some document"))), "some document", "some d0cument", 1)
	w.set(w.user.Cert, ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: w.Now.Add(-time.Hour), Reason: 6})
	suspended := b64(w.stamped(t, w.sign(t, "x")))
	for language, want := range map[string][2]string{
		"uz": {"Dastlabki hujjat imzolangan hujjatga mos kelmaydi.", "Sertifikat 2026-01-01 16:00:00"},
		"ru": {"Исходный документ не соответствует подписанному.", "2026-01-01 16:00:00"},
		"en": {"The source document is not the one that was signed.", "2026-01-01 16:00:00"},
	} {
		text := w.page(t, "&lang="+language, b64([]byte(document)))
		if !strings.Contains(text, `<span class="why">`+want[0]+`</span><span class="detail" lang="en">`) {
			t.Errorf("%s: no %q", language, want[0])
		}
		text = w.page(t, "&lang="+language, suspended)
		i := strings.Index(text, `<span class="why">`)
		if i < 0 || !strings.Contains(text[i:], want[1]) {
			t.Errorf("%s: no %q", language, want[1])
		}
	}
}

func TestThePageShowsStrangersTextAsText(t *testing.T) {
	w := newWorld(t)
	hostile := "<script>alert(1)</script>\"' onload=x <b>&amp; \u202Ekcatta\u202C\u200B\u0007\u2028 </style> javascript:x {{.}} %s"
	user := w.Issue(t, w.CA, func(tmpl *cert.Template) {
		w.UserTemplate(t, tmpl, "CN=X")
		name, err := cert.NewName(
			cert.Attribute{Type: ber.MustOID("2.5.4.3"), Value: hostile}, cert.Attribute{Type: ber.MustOID("2.5.4.10"), Value: hostile + strings.Repeat("x", 2000)},
			cert.Attribute{Type: ber.MustOID("0.9.2342.19200300.100.1.1"), Value: hostile}, cert.Attribute{Type: cert.OIDPINFL, Value: hostile})
		if err != nil {
			t.Fatal(err)
		}
		tmpl.Subject = name
	}, w.KeySpec)
	document := w.stamped(t, w.signAs(t, user, "x"))
	for _, l := range i18n.Languages() {
		rec := answerTo(w.server, newRequest(pathReport+"?format=html&lang="+string(l), b64(document)))
		text := rec.Body.String()
		body := pageStyles.ReplaceAllString(text, "")
		for _, bad := range []string{"<script", "<b>", "\u202E", "\u202C", "\u200B", "\u0007", "\u2028", "</style"} {
			if strings.Contains(body, bad) {
				t.Errorf("%s: %q is in the page as it is", l, bad)
			}
		}
		for _, want := range []string{"&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39; onload=x", strings.ReplaceAll("&lt;U+202E&gt;kcatta&lt;U+202C&gt;&lt;U+200B&gt;&lt;U+0007&gt;&lt;U+2028&gt;", "+", "&#43;"), "&amp;amp;", "{{.}} %s"} {
			if !strings.Contains(body, want) {
				t.Errorf("%s: no %q", l, want)
			}
		}
		if strings.Contains(body, strings.Repeat("x", maxVisible+1)) {
			t.Errorf("%s: a text without bound", l)
		}
		// Outside of text there is nothing of it: what is left of the tags is
		// ours.
		for _, tag := range regexp.MustCompile(`<[^>]*>`).FindAllString(body, -1) {
			if strings.Contains(tag, "onload") || strings.Contains(tag, "alert") {
				t.Errorf("%s: tag %q", l, tag)
			}
		}
	}
	// So it is in failures that quote the document.
	w.set(user.Cert, ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: w.Now.Add(-time.Hour), Reason: 1})
	rec := answerTo(w.server, newRequest(pathReport+"?format=html", b64(document)))
	if rec.Code != http.StatusOK || strings.Contains(rec.Body.String(), "<script") {
		t.Errorf("HTTP %d", rec.Code)
	}
}

func TestThePageTellsOfRevocationAfterTheTimestamp(t *testing.T) {
	w := newWorld(t)
	document := b64(w.stamped(t, w.sign(t, "x")))
	w.advance(time.Minute)
	w.set(w.user.Cert, ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: w.Now.Add(30 * time.Second), Reason: 4})
	text := w.page(t, "&lang=en", document)
	for _, want := range []string{"revoked 2026-01-01 17:00:30 &#43;05:00 (superseded)", "it was revoked after the time of the timestamp", "The document is valid", "as of 2026-01-01 17:01:00"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
	w.set(w.user.Cert, ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: w.Now.Add(-time.Hour), Reason: 6})
	text = w.page(t, "&lang=en", document)
	for _, want := range []string{"(certificateHold)", "The document is not valid", ">REVOKED: the certificate is suspended since"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
}

func TestThePageTellsOfManySignatures(t *testing.T) {
	w := newWorld(t)
	joined := w.post(t, pathJoin, b64(w.stamped(t, w.sign(t, "x")))+"|"+b64(w.signAs(t, w.User(t, testpki.Organisation), "x"))).PKCS7
	text := w.page(t, "&lang=en", string(joined))
	for _, want := range []string{
		`<h2 id="signature-1">Signature 1: sfasdfa s asdfasd</h2>`, `<h2 id="signature-2">Signature 2: `, `<h3 id="signature-1-timestamp-1">Timestamp 1</h3>`,
		"11111111111111", ">http://test.e-imzo.uz/cams/tst<", "inside the signed file, 1 bytes", "time of the timestamp", "the time is the signer&#39;s claim, no timestamp proves it",
		"trusted root", "TOTAL-PASSED",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
}

func TestThePageOfALargeDocumentTellsItsSize(t *testing.T) {
	w := newWorld(t)
	text := w.page(t, "&lang=uz", form("pkcs7", b64(w.sign(t, "some document", detached)), "document", "some document"), "Content-Type", formType)
	if !strings.Contains(text, "imzodan alohida yuborilgan, 13 bayt") {
		t.Error("size is not told")
	}
}

// What is valid and not allowed here must not look as if it were accepted.
func TestThePageTellsOfSignersWhoAreNotAllowed(t *testing.T) {
	w := newWorld(t)
	document := b64(w.stamped(t, w.sign(t, "x")))
	s := w.newServer(t, func(c *Config, _ *Deps) { c.AllowedPolicies = []string{"1.2.3"} })
	v := decode(t, answerTo(s, newRequest(pathReport, document)))
	if v.Status != policyNotAllowed.status {
		t.Errorf("status %d", v.Status)
	}
	text := answerTo(s, newRequest(pathReport+"?format=html&lang=en", document)).Body.String()
	refusal := html.EscapeString(i18n.Text(i18n.English, "status.policy"))
	if strings.Contains(text, i18n.Text(i18n.English, "report.document.valid")) || strings.Contains(text, i18n.Text(i18n.English, "report.signature.valid")) {
		t.Error("the page calls it valid")
	}
	if n := strings.Count(text, "</span> "+refusal+"</p>"); n != 2 || !strings.Contains(text, "-24, policy") {
		t.Errorf("the refusal is told %d times", n)
	}
}

// Whatever a report can say has a sentence.
func TestEveryWordOfThePageIsThere(t *testing.T) {
	var ids []string
	for _, c := range append(verify.SignerChecks(), verify.TimeStampChecks()...) {
		ids = append(ids, "check."+string(c))
	}
	for _, r := range []verify.Result{verify.NotPerformed, verify.Passed, verify.Failed, verify.Indeterminate, verify.Skipped} {
		ids = append(ids, "result."+r.String())
	}
	for _, s := range []verify.DateSource{verify.DateFromTimeStamp, verify.DateFromSigningTime, verify.DateFromNow} {
		ids = append(ids, "source."+string(s))
	}
	for _, note := range notes {
		ids = append(ids, note)
	}
	for _, of := range []string{"document", "signature", "token"} {
		for _, v := range []string{"valid", "invalid", "open"} {
			ids = append(ids, of+"."+v)
		}
	}
	for _, m := range regexp.MustCompile(`\.T "([^"]+)"`).FindAllStringSubmatch(pageText, -1) {
		ids = append(ids, m[1])
	}
	source, err := os.ReadFile("page.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`p\.t\("([a-zA-Z.]+)"[,)]`).FindAllStringSubmatch(string(source), -1) {
		ids = append(ids, m[1])
	}
	if len(ids) < 70 {
		t.Errorf("%d sentences only", len(ids))
	}
	for _, id := range ids {
		if !i18n.Has("report." + id) {
			t.Errorf("no sentence report.%s", id)
		}
	}
}

// judgeReport is what a server with no rules of its own says.
func judgeReport(t testing.TB, report *verify.Report) (outcome, *verify.Failure) {
	t.Helper()
	return newWorld(t).server.judgeDocument(report)
}

// TestPagesAreGolden renders evidence that was stored once.
func TestPagesAreGolden(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "report", "evidence.json"))
	if err != nil {
		t.Fatal(err)
	}
	var stored verify.Evidence
	if err := json.Unmarshal(text, &stored); err != nil {
		t.Fatal(err)
	}
	location, err := time.LoadLocation("Asia/Tashkent")
	if err != nil {
		t.Fatal(err)
	}
	unanswered := stored
	unanswered.Statuses = nil
	for name, c := range map[string]struct {
		evidence *verify.Evidence
		language i18n.Language
	}{"valid.uz": {&stored, i18n.Uzbek}, "valid.ru": {&stored, i18n.Russian}, "valid.en": {&stored, i18n.English}, "open.en": {&unanswered, i18n.English}} {
		t.Run(name, func(t *testing.T) {
			report := c.evidence.Judge(verify.Policy{})
			o, failure := judgeReport(t, report)
			p := pager{renderer{pkcs7info.Renderer{Location: location}}, c.language, func(*verify.Signer) outcome { return success }}
			var out bytes.Buffer
			if err := pageTemplate.Execute(&out, p.page(newRequest(pathReport, ""), submission{document: stored.Document}, judged{report, o, failure})); err != nil {
				t.Fatal(err)
			}
			checkPage(t, out.String(), pagePolicy)
			file := filepath.Join("testdata", "report", name+".html")
			if *update {
				if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(out.Bytes(), want) {
				t.Errorf("%s differs; look at what -update writes", file)
			}
		})
	}
}
