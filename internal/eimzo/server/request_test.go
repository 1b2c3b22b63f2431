package server

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"imzo/internal/httpx"
)

// bodyForms are the ways in which clients send base64.
func bodyForms(data []byte) map[string]string {
	std := base64.StdEncoding.EncodeToString(data)
	var lines strings.Builder
	for i := 0; i < len(std); i += 76 {
		lines.WriteString(std[i:min(i+76, len(std))] + "\r\n")
	}
	return map[string]string{
		"plain":              std,
		"line breaks":        lines.String(),
		"spaces and tabs":    " " + std[:10] + " \t" + std[10:] + "\n",
		"without padding":    strings.TrimRight(std, "="),
		"URL-safe":           base64.URLEncoding.EncodeToString(data),
		"raw URL-safe":       base64.RawURLEncoding.EncodeToString(data),
		"percent-encoded":    url.QueryEscape(std),
		"lower-case escapes": strings.NewReplacer("%2B", "%2b", "%2F", "%2f", "%3D", "%3d").Replace(url.QueryEscape(std)),
	}
}

// contentTypes are those that clients were seen to send.
var contentTypes = []string{
	"application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=UTF-8", "application/octet-stream",
	"text/plain", "text/plain; charset=utf-8", "application/text", "multipart/form-data; boundary=x", "", "nonsense",
}

func TestEveryFormOfTheBodyIsRead(t *testing.T) {
	w := newWorld(t)
	// The base64 of the document has all of '+', '/' and '='.
	var document []byte
	for i := 0; document == nil || !strings.Contains(b64(document), "+") || !strings.Contains(b64(document), "/") || !strings.HasSuffix(b64(document), "="); i++ {
		document = w.sign(t, strings.Repeat(".", i))
	}
	separate := w.sign(t, "some document", detached)
	forms := bodyForms(document)
	forms["PEM"] = string(pem.EncodeToMemory(&pem.Block{Type: "PKCS7", Bytes: document}))
	forms["PEM of CMS"] = string(pem.EncodeToMemory(&pem.Block{Type: "CMS", Bytes: document}))
	for name, body := range forms {
		for _, contentType := range contentTypes {
			v := w.post(t, pathAttached, body, "Content-Type", contentType)
			if v.Status != statusOK {
				t.Errorf("%s as %q: %.300s", name, contentType, v.raw)
			}
		}
	}
	for name, body := range bodyForms(separate) {
		for _, separator := range []string{"|", "%7C", "%7c"} {
			for _, content := range []string{b64([]byte("some document")), url.QueryEscape(b64([]byte("some document"))), "c29tZSBkb2N1bWVudA"} {
				if v := w.post(t, pathDetached, content+separator+body); v.Status != statusOK {
					t.Errorf("%s after %s and %s: %.300s", name, content, separator, v.raw)
				}
			}
		}
	}
	if v := w.post(t, pathAttached, string(document)); v.Status != statusOK {
		t.Errorf("binary: %.300s", v.raw)
	}
}

func TestBodiesAreNeverReadAsForms(t *testing.T) {
	w := newWorld(t)
	body := b64(w.sign(t, "some document"))
	for _, wrong := range []string{"pkcs7=" + body, "a=b&c=d", "pkcs7_64=" + url.QueryEscape(body)} {
		if rec := w.call("POST", pathAttached, wrong); rec.Code != http.StatusBadRequest {
			t.Errorf("%.30s: HTTP %d", wrong, rec.Code)
		}
	}
	// What stands in the query is no body either.
	if rec := w.call("POST", pathAttached+"?pkcs7="+url.QueryEscape(body), ""); rec.Code != http.StatusBadRequest {
		t.Errorf("HTTP %d", rec.Code)
	}
}

func TestWrongRequestsAre400WithOneLine(t *testing.T) {
	w := newWorld(t)
	document := b64(w.sign(t, "x"))
	for _, path := range []string{pathAuth, pathAttached, pathStamp, pathData, pathDetached, pathMake, pathJoin} {
		for name, body := range map[string]string{"empty": "", "white space": " \r\n\t ", "no base64": "ключ", "punctuation": "!!!!", "double percent": "%252B", "mixed alphabets": "a+b_", "cut": "MIAGC"} {
			rec := w.call("POST", path, body)
			if rec.Code != http.StatusBadRequest {
				t.Errorf("%s, %s: HTTP %d %s", path, name, rec.Code, rec.Body)
			}
			plainLine(t, rec)
		}
		// The demo's script sends GET when its body is empty.
		if rec := w.call("GET", path, ""); rec.Code != http.StatusBadRequest {
			t.Errorf("GET %s: HTTP %d", path, rec.Code)
		}
	}
	for _, path := range []string{pathDetached, pathMake, pathJoin} {
		for name, body := range map[string]string{
			"one part": document, "empty second": document + "|", "blank second": document + "| \n", "three parts": document + "|" + document + "|" + document,
			"first no base64": "x|" + document, "second no base64": document + "|x", "only the separator": "|",
		} {
			rec := w.call("POST", path, body)
			if rec.Code != http.StatusBadRequest {
				t.Errorf("%s, %s: HTTP %d %s", path, name, rec.Code, rec.Body)
			}
			plainLine(t, rec)
		}
	}
}

func TestUnknownPathsAre404(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/", "/frontend", "/frontend/", "/frontend/challenge/", "/backend/digests", "/frontend/mobile/auth", "/PING", "/ping/../ping", "//ping"} {
		r := httptest.NewRequest("POST", "http://x/", strings.NewReader("x"))
		r.URL.Path = path
		rec := httptest.NewRecorder()
		w.server.Handler().ServeHTTP(rec, r)
		if rec.Code != http.StatusNotFound {
			t.Errorf("%s: HTTP %d", path, rec.Code)
		}
		plainLine(t, rec)
	}
}

func TestMethodsAreNotToldApart(t *testing.T) {
	w := newWorld(t)
	document := b64(w.sign(t, "x"))
	for _, method := range []string{"GET", "POST", "PUT"} {
		for _, path := range []string{"/ping", "/info", "/frontend/challenge"} {
			if rec := w.call(method, path, ""); rec.Code != http.StatusOK {
				t.Errorf("%s %s: HTTP %d", method, path, rec.Code)
			}
		}
		decode(t, w.call(method, pathAttached, document)).want(t, statusOK, MessageNone)
	}
}

func TestLargeBodiesAreRefusedWith413(t *testing.T) {
	w := newWorld(t)
	if w.server.config.Limits.Body != httpx.DefaultMaxBody || w.server.config.Limits.Body < 100<<20 {
		t.Fatalf("limit %d", w.server.config.Limits.Body)
	}
	w.server.config.Limits.Body = 1000
	for _, announced := range []int64{1001, -1} {
		r := httptest.NewRequest("POST", pathAttached, io.MultiReader(bytes.NewReader(bytes.Repeat([]byte("A"), 1001))))
		r.ContentLength = announced
		rec := httptest.NewRecorder()
		w.server.Handler().ServeHTTP(rec, r)
		if rec.Code != http.StatusRequestEntityTooLarge {
			t.Errorf("HTTP %d", rec.Code)
		}
		plainLine(t, rec)
	}
}

// brokenBody stops in the middle.
type brokenBody struct{}

func (brokenBody) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

func TestABodyThatBreaksOffIs400(t *testing.T) {
	w := newWorld(t)
	rec := httptest.NewRecorder()
	w.server.Handler().ServeHTTP(rec, httptest.NewRequest("POST", pathAttached, brokenBody{}))
	if rec.Code != http.StatusBadRequest {
		t.Errorf("HTTP %d", rec.Code)
	}
	plainLine(t, rec)
}

func TestHostHeadersAreTakenInTheirOrderAndNeverRefused(t *testing.T) {
	for want, headers := range map[string][3]string{ // X-Real-Host, X-Forwarded-Host, Host
		"real.uz":            {"real.uz", "forwarded.uz", "host.uz"},
		"forwarded.uz":       {"", "forwarded.uz", "host.uz"},
		"host.uz:8443":       {"", " ", "host.uz:8443"},
		"localhost":          {"http://localhost/frontend/challenge", "", "host.uz"},
		"":                   {"", "", ""},
		"no host \"at\" all": {"no host \"at\" all", "", ""},
	} {
		r := httptest.NewRequest("GET", "/ping", nil)
		r.Host = headers[2]
		r.Header.Set("X-Real-Host", headers[0])
		r.Header.Set("X-Forwarded-Host", headers[1])
		if got := origin(r); got != want {
			t.Errorf("%q: got %q, want %q", headers, got, want)
		}
	}
	r := httptest.NewRequest("GET", "/ping", nil)
	r.Header.Set("X-Real-Host", strings.Repeat("x", 10_000))
	if n := len(origin(r)); n > maxHeaderText {
		t.Errorf("%d octets for the log", n)
	}
}

func TestUserIPIsTakenFromTheProxy(t *testing.T) {
	w := newWorld(t)
	for want, headers := range map[string][3]string{ // X-Real-IP, X-Forwarded-For, peer
		"1.2.3.4":     {"1.2.3.4", "5.6.7.8", "9.9.9.9:1"},
		"5.6.7.8":     {"", "5.6.7.8, 10.0.0.1", "9.9.9.9:1"},
		"9.9.9.9":     {"nonsense", "unknown", "9.9.9.9:1"},
		"::1":         {"::1", "", "9.9.9.9:1"},
		"2001:db8::1": {"[2001:db8::1]:443", "", "9.9.9.9:1"},
		"10.1.2.3":    {"::ffff:10.1.2.3", "", "9.9.9.9:1"},
		"fe80::1":     {"", "", "[fe80::1%eth0]:1"},
		"7.7.7.7":     {" 7.7.7.7:8080 ", "", "9.9.9.9:1"},
		"":            {"", "", "@"},
	} {
		r := httptest.NewRequest("GET", "/ping", nil)
		r.RemoteAddr = headers[2]
		r.Header.Set("X-Real-IP", headers[0])
		r.Header.Set("X-Forwarded-For", headers[1])
		if got := userIP(r); got != want {
			t.Errorf("%q: got %q, want %q", headers, got, want)
		}
		rec := httptest.NewRecorder()
		w.server.Handler().ServeHTTP(rec, r)
		if rec.Code != http.StatusOK || !strings.Contains(rec.Body.String(), `"yourIP":"`+want+`"`) {
			t.Errorf("%q: %d %s", headers, rec.Code, rec.Body)
		}
	}
}

func TestPingAndInfoAskNobody(t *testing.T) {
	w := newWorld(t)
	w.ocsp.Close()
	w.tsa.Close()
	w.advance(time.Second)
	if got := w.call("GET", "/ping", "").Body.String(); got != `{"serverDateTime":"2026-01-01 17:00:01","yourIP":"192.0.2.1"}` {
		t.Errorf("%s", got)
	}
	got := w.call("GET", "/info", "").Body.String()
	if !strings.HasPrefix(got, `{"version":"dev","serverTime":"2026.01.01 17:00:01","trustedCertificates":[{"serialNumber":"`+w.Root.Cert.SerialHex()+`","validFrom":"2021.01.01 17:00:00"`) {
		t.Errorf("%s", got)
	}
}

func TestChallengesAreUUIDsThatNeverRepeat(t *testing.T) {
	w := newWorld(t)
	seen := map[string]bool{}
	for range 1000 {
		c := w.challenge(t)
		if seen[c] || format(c) != "uuid" {
			t.Fatalf("challenge %q", c)
		}
		seen[c] = true
	}
	broken := w.newServer(t, func(_ *Config, d *Deps) { d.Rand = brokenBody{} })
	if rec := callServer(broken, "GET", "/frontend/challenge", ""); rec.Code != http.StatusServiceUnavailable {
		t.Errorf("without randomness: HTTP %d %s", rec.Code, rec.Body)
	}
}

func TestACallerThatHangsUpIsNoFindingAboutTheDocument(t *testing.T) {
	w := newWorld(t)
	body := b64(w.sign(t, w.challenge(t)))
	for _, path := range []string{pathAuth, pathAttached} {
		w.breakOCSP(func(rw http.ResponseWriter, r *http.Request) { brokenResponders["slow"](w, rw, r) })
		r := httptest.NewRequest("POST", path, strings.NewReader(body))
		ctx, cancel := contextWithCancelAfter(r, 50*time.Millisecond)
		rec := httptest.NewRecorder()
		w.server.Handler().ServeHTTP(rec, r.WithContext(ctx))
		cancel()
		if rec.Code != http.StatusServiceUnavailable {
			t.Errorf("%s: HTTP %d %s", path, rec.Code, rec.Body)
		}
	}
}

func contextWithCancelAfter(r *http.Request, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(r.Context())
	timer := time.AfterFunc(d, cancel)
	return ctx, func() { timer.Stop(); cancel() }
}
