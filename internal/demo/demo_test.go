package demo

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// backend is an E-IMZO-SERVER that answers what it is told to.
type backend struct {
	*httptest.Server
	status  int
	answer  string
	request *http.Request
	body    string
}

func newBackend(t *testing.T) *backend {
	b := &backend{status: 200, answer: `{"status":1,"message":"","subjectCertificateInfo":{"serialNumber":"1","subjectName":{"CN":"A"}}}`}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		b.request, b.body = r, string(body)
		w.WriteHeader(b.status)
		io.WriteString(w, b.answer)
	}))
	t.Cleanup(b.Close)
	return b
}

type browser struct {
	t       *testing.T
	site    *Site
	cookie  string
	headers map[string]string
	host    string
}

func (b *browser) do(method, path, contentType, body string) *httptest.ResponseRecorder {
	b.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = b.host
	r.RemoteAddr = "127.0.0.1:5000"
	r.Header.Set("Content-Type", contentType)
	if b.cookie != "" {
		r.Header.Set("Cookie", b.cookie)
	}
	for k, v := range b.headers {
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	b.site.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if b.cookie = c.Name + "=" + c.Value; c.MaxAge < 0 {
			b.cookie = ""
		}
	}
	return w
}

func newBrowser(t *testing.T, back *backend, now func() time.Time) *browser {
	t.Helper()
	site, err := New(Options{Server: back.URL, Agent: "ws://127.0.0.1:64646/service/cryptapi", Script: []byte("var CAPIWS"), Phone: "http://127.0.0.1:8070/phone/", PhoneScript: []byte("var EIMZOMobile"), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t: t, site: site, host: "127.0.0.1:8000"}
}

const jsonType = "application/json"

func TestForeignPagesAreKeptOut(t *testing.T) {
	for name, tt := range map[string]struct {
		host    string
		headers map[string]string
		want    int
	}{
		"own page":               {"127.0.0.1:8000", map[string]string{"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin"}, 200},
		"own page, by name":      {"localhost:8000", map[string]string{"Origin": "http://localhost:8000"}, 200},
		"own page, IPv6":         {"[::1]:8000", nil, 200},
		"typed into the bar":     {"127.0.0.1:8000", map[string]string{"Sec-Fetch-Site": "none"}, 200},
		"foreign origin":         {"127.0.0.1:8000", map[string]string{"Origin": "https://evil.example"}, 403},
		"other port":             {"127.0.0.1:8000", map[string]string{"Origin": "http://127.0.0.1:8001"}, 403},
		"null origin":            {"127.0.0.1:8000", map[string]string{"Origin": "null"}, 403},
		"cross-site fetch":       {"127.0.0.1:8000", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		"rebound name":           {"evil.example:8000", nil, 403},
		"address of the network": {"192.0.2.1:8000", nil, 403},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBrowser(t, newBackend(t), time.Now)
			b.host, b.headers = tt.host, tt.headers
			if w := b.do("GET", "/app/me", "", ""); w.Code != tt.want {
				t.Errorf("status %d, want %d", w.Code, tt.want)
			}
		})
	}
	b := newBrowser(t, newBackend(t), time.Now)
	if csp := b.do("GET", "/", "", "").Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'self'") {
		t.Errorf("policy %q", csp)
	}
}

func TestThePageLearnsWhereAgentAndPhoneAre(t *testing.T) {
	b := newBrowser(t, newBackend(t), time.Now)
	if got := strings.TrimSpace(b.do("GET", "/app/addresses", "", "").Body.String()); got != `{"agent":"ws://127.0.0.1:64646/service/cryptapi","phone":"http://127.0.0.1:8070/phone/","tunnel":false}` {
		t.Error(got)
	}
	w := b.do("GET", "/e-imzo.js", "", "")
	if w.Body.String() != "var CAPIWS" || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/javascript") {
		t.Error(w.Body.String(), w.Header())
	}
	if w := b.do("GET", "/e-imzo-mobile.js", "", ""); w.Body.String() != "var EIMZOMobile" {
		t.Error(w.Body.String())
	}
	if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "connect-src 'self' ws://127.0.0.1:64646;") {
		t.Error(csp)
	}
	if w := b.do("POST", "/signer/sign", jsonType, "{}"); w.Code != 404 && w.Code != 405 {
		t.Errorf("the site signs itself: %d", w.Code)
	}
	for _, o := range []Options{{Server: "%"}, {Agent: "%"}} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v taken", o)
		}
	}
}

func TestBodiesAreReadAsJSONOnly(t *testing.T) {
	b := newBrowser(t, newBackend(t), time.Now)
	if w := b.do("POST", "/app/login", "text/plain", `{"pkcs7":"AA=="}`); w.Code != http.StatusUnsupportedMediaType {
		t.Errorf("a form of another page could log in: %d", w.Code)
	}
	for body, want := range map[string]int{
		`{"pkcs7":"AA==","more":1}`: 400,
		`nonsense`:                  400,
		`{"pkcs7":"` + strings.Repeat("x", maxBody) + `"}`: 413,
	} {
		if w := b.do("POST", "/app/login", jsonType, body); w.Code != want {
			t.Errorf("%.60s: %d %s, want %d", body, w.Code, w.Body, want)
		}
	}
}

func TestSessionBeginsWithAValidAnswerAndEnds(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	back := newBackend(t)
	b := newBrowser(t, back, func() time.Time { return now })
	me := func() string { return strings.TrimSpace(b.do("GET", "/app/me", "", "").Body.String()) }

	back.answer = `{"status":-20,"message":"late"}`
	if w := b.do("POST", "/app/login", jsonType, `{"pkcs7":"AA=="}`); w.Code != 403 || !strings.Contains(w.Body.String(), "-20 - late") {
		t.Errorf("refused log-in: %d %s", w.Code, w.Body)
	}
	if me() != `{"person":null}` {
		t.Errorf("logged in without a right answer: %s", me())
	}
	back.answer = `{"status":1,"subjectCertificateInfo":{"serialNumber":"1","subjectName":{"CN":"A"}}}`
	if w := b.do("POST", "/app/login", jsonType, `{"pkcs7":"AA=="}`); w.Code != 200 {
		t.Fatalf("log-in: %d %s", w.Code, w.Body)
	}
	if back.request.URL.Path != "/backend/auth" || back.body != "AA==" || back.request.Host != "127.0.0.1:8000" || back.request.Header.Get("X-Real-IP") != "127.0.0.1" {
		t.Errorf("asked %s for %s with %q, headers %v", back.request.URL, back.request.Host, back.body, back.request.Header)
	}
	if !strings.Contains(me(), `"CN":"A"`) {
		t.Errorf("session: %s", me())
	}
	back.answer = `{"status":1}`
	if w := b.do("POST", "/app/verify", jsonType, `{"pkcs7":"BB==","data64":"CC=="}`); w.Code != 200 || back.body != "CC==|BB==" || back.request.URL.Path != "/backend/pkcs7/verify/detached" {
		t.Errorf("verify: %d, %s %s", w.Code, back.request.URL.Path, back.body)
	}
	if w := b.do("POST", "/app/verify", jsonType, `{"pkcs7":"BB=="}`); w.Code != 200 || back.body != "BB==" || back.request.URL.Path != "/backend/pkcs7/verify/attached" {
		t.Errorf("verify: %d, %s %s", w.Code, back.request.URL.Path, back.body)
	}
	if w := b.do("POST", "/app/verify", jsonType, `{"pkcs7":"BB==","data64":""}`); w.Code != 200 || back.body != "|BB==" || back.request.URL.Path != "/backend/pkcs7/verify/detached" {
		t.Errorf("verify over an empty text: %d, %s %s", w.Code, back.request.URL.Path, back.body)
	}
	now = now.Add(sessionLife + time.Second)
	if w := b.do("POST", "/app/verify", jsonType, `{"pkcs7":"BB=="}`); w.Code != 401 {
		t.Errorf("verify in an old session: %d", w.Code)
	}
	b.do("POST", "/app/login", jsonType, `{"pkcs7":"AA=="}`)
	cookie := b.cookie
	b.do("POST", "/app/logout", jsonType, `{}`)
	b.cookie = cookie
	if me() != `{"person":null}` {
		t.Errorf("after log-out: %s", me())
	}
}

func TestServerTroubleIsTold(t *testing.T) {
	back := newBackend(t)
	b := newBrowser(t, back, time.Now)
	back.status, back.answer = 503, "no memory"
	if w := b.do("POST", "/app/login", jsonType, `{"pkcs7":"AA=="}`); w.Code != 502 || !strings.Contains(w.Body.String(), "503: no memory") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	back.status, back.answer = 200, "<html>"
	if w := b.do("POST", "/app/login", jsonType, `{"pkcs7":"AA=="}`); w.Code != 502 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := b.do("GET", "/frontend/challenge?_uc=1", "", ""); w.Code != 200 || back.request.Header.Get("X-Forwarded-For") != "127.0.0.1" {
		t.Errorf("proxied: %d, %v", w.Code, back.request.Header)
	}
	back.Close()
	if w := b.do("GET", "/frontend/challenge", "", ""); w.Code != 502 {
		t.Errorf("server down: %d %s", w.Code, w.Body)
	}
	if w := b.do("POST", "/app/login", jsonType, `{"pkcs7":"AA=="}`); w.Code != 502 {
		t.Errorf("server down: %d %s", w.Code, w.Body)
	}
}

func TestSessionsAreBounded(t *testing.T) {
	b := newBrowser(t, newBackend(t), time.Now)
	for range maxSessions + 10 {
		b.site.open(nil)
	}
	if n := len(b.site.session); n > maxSessions {
		t.Errorf("%d sessions kept", n)
	}
}

func TestPagesMayReachTunnelsWhereThereAreSome(t *testing.T) {
	site, err := New(Options{Server: "http://127.0.0.1:8080", Agent: "ws://127.0.0.1:64646/service/cryptapi", Tunnel: true, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, site: site, host: "127.0.0.1:8000"}
	if csp := b.do("GET", "/tunnel.html", "", "").Header().Get("Content-Security-Policy"); !strings.Contains(csp, "connect-src 'self' ws://127.0.0.1:64646 ws://127.0.0.1:*;") {
		t.Error(csp)
	}
	if got := b.do("GET", "/app/addresses", "", "").Body.String(); !strings.Contains(got, `"tunnel":true`) {
		t.Error(got)
	}
	for path, want := range map[string]string{"/tunnel.html": "tunnel.js", "/tunnel.js": "create_tunnel", "/page.js": "load_key", "/": "tunnel.html"} {
		if got := b.do("GET", path, "", ""); got.Code != 200 || !strings.Contains(got.Body.String(), want) {
			t.Errorf("%s: %d", path, got.Code)
		}
	}
}
