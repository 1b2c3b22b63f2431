package demo

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

const somePerson = `{"status":1,"subjectCertificateInfo":{"serialNumber":"1","subjectName":{"CN":"A"}}}`

func TestAPhoneLogsInOnceForADocument(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	back := newBackend(t)
	b := newBrowser(t, back, func() time.Time { return now })
	login := func(id string) *http.Response {
		b.cookie = ""
		return b.do("POST", "/app/phone/login", jsonType, `{"documentId":"`+id+`"}`).Result()
	}
	for _, id := range []string{"", "850FF72", "850FF7277", "../auth", "850FF72/", "850FF72?", "850ff72g"} {
		if res := login(id); res.StatusCode != 400 || back.request != nil {
			t.Errorf("%q: %d, asked %v", id, res.StatusCode, back.request)
		}
	}

	back.answer = `{"status":-6,"message":"revoked"}`
	if res := login("00000001"); res.StatusCode != 403 || len(res.Cookies()) != 0 {
		t.Errorf("refused: %d, cookies %v", res.StatusCode, res.Cookies())
	}
	back.answer = somePerson
	res := login("850FF727")
	if res.StatusCode != 200 || len(res.Cookies()) != 1 {
		t.Fatalf("log-in: %d, cookies %v", res.StatusCode, res.Cookies())
	}
	if back.request.URL.Path != "/backend/mobile/authenticate/850FF727" || back.request.Host != "127.0.0.1:8000" || back.request.Header.Get("X-Real-IP") != "127.0.0.1" {
		t.Errorf("asked %s for %s, headers %v", back.request.URL, back.request.Host, back.request.Header)
	}
	back.request = nil
	if res := login("850FF727"); res.StatusCode != 403 || len(res.Cookies()) != 0 || back.request != nil {
		t.Errorf("a DocumentID serves twice: %d, cookies %v, asked %v", res.StatusCode, res.Cookies(), back.request)
	}
	back.Close()
	if res := login("00000002"); res.StatusCode != 502 {
		t.Errorf("server down: %d", res.StatusCode)
	}

	// What no server knows any more is forgotten.
	now = now.Add(sessionLife + time.Second)
	login("00000003")
	if n := len(b.site.phones); n != 1 {
		t.Errorf("%d DocumentIDs kept", n)
	}
}

func TestDocumentIDsAreBounded(t *testing.T) {
	b := newBrowser(t, newBackend(t), time.Now)
	for i := range maxSessions + 10 {
		b.site.useDocument(strings.Repeat("x", i))
	}
	if n := len(b.site.phones); n != maxSessions {
		t.Errorf("%d DocumentIDs kept", n)
	}
}

func TestADocumentOfThePhoneIsVerified(t *testing.T) {
	back := newBackend(t)
	b := newBrowser(t, back, time.Now)
	const body = `{"documentId":"850FF727&x=y","data64":"AA+/=="}`
	if w := b.do("POST", "/app/phone/verify", jsonType, body); w.Code != 401 || back.request != nil {
		t.Errorf("without a session: %d", w.Code)
	}
	back.answer = somePerson
	b.do("POST", "/app/login", jsonType, `{"pkcs7":"AA=="}`)
	back.answer = `{"status":-99,"message":"other"}`
	w := b.do("POST", "/app/phone/verify", jsonType, body)
	form, err := url.ParseQuery(back.body)
	if err != nil {
		t.Fatal(err)
	}
	if w.Code != 200 || w.Body.String() != back.answer || back.request.URL.Path != "/backend/mobile/verify" || len(form) != 2 ||
		form.Get("documentId") != "850FF727&x=y" || form.Get("document") != "AA+/==" ||
		back.request.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		t.Errorf("%d %s, asked %s with %q %v", w.Code, w.Body, back.request.URL.Path, back.body, back.request.Header)
	}
	if w := b.do("POST", "/app/phone/verify", "text/plain", body); w.Code != http.StatusUnsupportedMediaType {
		t.Errorf("a form of another page: %d", w.Code)
	}
	back.status, back.answer = 503, "no memory"
	if w := b.do("POST", "/app/phone/verify", jsonType, body); w.Code != 502 {
		t.Errorf("server in trouble: %d", w.Code)
	}
}
