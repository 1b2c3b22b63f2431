package cli

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// startMobile runs the gateway until the test ends.
func startMobile(t *testing.T, args ...string) startedMobile {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	var stderr bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		code := run(ctx, append([]string{"mobile", "--json", "--listen", "127.0.0.1:0"}, args...), env{stdin: strings.NewReader(""), stdout: w, stderr: &stderr, now: time.Now})
		_ = w.Close()
		ended <- code
	}()
	t.Cleanup(func() {
		cancel()
		if code := <-ended; code != exitOK {
			t.Errorf("exit %d: %s", code, &stderr)
		}
	})
	var s startedMobile
	if err := json.NewDecoder(r).Decode(&s); err != nil {
		cancel()
		code := <-ended
		ended <- exitOK
		t.Fatalf("exit %d, %v: %s", code, err, &stderr)
	}
	return s
}

// TestAPhoneSignsOverTheGateway goes the whole way on the command line: trust
// services, a card, a gateway with a site, a link, wrong PINs, the right one,
// and the signature that the site gets.
func TestAPhoneSignsOverTheGateway(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, text := range map[string]string{"pin": "1234\n", "wrong": "4321\n", "puk": "12345678\n", "document": "some document"} {
		if err := os.WriteFile(at(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	imzo := func(want int, stdin string, args ...string) (string, string) {
		t.Helper()
		var stdout, stderr bytes.Buffer
		e := env{stdin: strings.NewReader(stdin), stdout: &stdout, stderr: &stderr, now: time.Now, ask: noTerminal}
		if got := run(t.Context(), args, e); got != want {
			t.Fatalf("imzo %s exits %d, not %d: %s%s", strings.Join(args, " "), got, want, &stdout, &stderr)
		}
		return stdout.String(), stderr.String()
	}
	if err := os.Mkdir(at("cards"), 0o700); err != nil {
		t.Fatal(err)
	}
	card := filepath.Join(at("cards"), "ali.card")
	imzo(0, "", "trust", "init", "--dir", at("pki"))
	imzo(0, "", "card", "create", "--tries", "3", "--pin-file", at("pin"), "--puk-file", at("puk"), card)
	imzo(0, "", "trust", "issue", "--dir", at("pki"), "--cn", "ALIYEV ALI", "--pinfl", "30000000000000", "--card", card, "--pin-file", at("pin"))

	var mu sync.Mutex
	var uploads []map[string]string
	reply := `{"status":1,"message":null}`
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		uploads = append(uploads, map[string]string{"id": r.PostFormValue("document_id"), "pkcs7": r.PostFormValue("pkcs7_b64"), "ip": r.PostFormValue("x_real_ip")})
		fmt.Fprint(w, reply)
	}))
	defer site.Close()
	started := startMobile(t, "--data", at("data"), "--trust-store", filepath.Join(at("pki"), "root.pem"), "--cards", at("cards"), "--certificates", at("pki"), "--per-minute", "-1")
	// The gateway runs already.
	imzo(0, "", "mobile", "site", "add", "--data", at("data"), "--url", site.URL+"/upload", "--id", "20e2", "--name", "Bozor")
	out, _ := imzo(0, "", "mobile", "link", "--site", "20e2", "--document", "850FF727", "--json", at("document"))
	var made madeLink
	if err := json.Unmarshal([]byte(out), &made); err != nil {
		t.Fatal(err)
	}
	phone := func(want int, stdin string, args ...string) phoneResult {
		t.Helper()
		out, _ := imzo(want, stdin, append([]string{"mobile", "phone", "--link", made.Link, "--gateway", started.URL, "--card", card, "--json"}, args...)...)
		var r phoneResult
		if err := json.Unmarshal([]byte(out), &r); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return r
	}
	if r := phone(1, "", "--pin-file", at("wrong")); r.Code != "pin" || r.TriesLeft == nil || *r.TriesLeft != 2 || r.Site.Name != "Bozor" {
		t.Errorf("wrong PIN: %+v", r)
	}
	if r := phone(1, "a\n", "--pin-stdin"); r.Code != "pinLength" {
		t.Errorf("no PIN: %+v", r)
	}
	r := phone(0, "1234\n", "--pin-stdin")
	if !r.Accepted || r.Code != "accepted" || r.DocumentID != "850FF727" || strings.Join(r.Hash, "") != made.Hash || r.Answer.HTTPStatus != 200 {
		t.Errorf("right PIN: %+v", r)
	}
	if len(uploads) != 1 || uploads[0]["id"] != "850FF727" || uploads[0]["ip"] != "127.0.0.1" {
		t.Fatalf("uploads %v", uploads)
	}
	pkcs7, err := base64.StdEncoding.DecodeString(uploads[0]["pkcs7"])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at("signature.p7s"), pkcs7, 0o600); err != nil {
		t.Fatal(err)
	}
	verified, _ := imzo(0, "", "verify", "--trust", filepath.Join(at("pki"), "root.pem"), "--offline", "--content", at("document"), at("signature.p7s"))
	if !strings.Contains(verified, "ALIYEV ALI") {
		t.Errorf("verified: %s", verified)
	}
	// For people, and a site that has changed its mind.
	mu.Lock()
	reply = `{"status":-2,"message":"expired"}`
	mu.Unlock()
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) // another signing time
	shown, told := imzo(1, "", "mobile", "phone", "--link", made.Code, "--gateway", started.URL, "--card", card, "--pin-file", at("pin"))
	if !strings.Contains(shown, "site      Bozor\n") || !strings.Contains(shown, strings.Join(made.Groups, " ")) || !strings.Contains(told, "siteRefused: the site answers status -2: expired") {
		t.Errorf("shown %s, told %s", shown, told)
	}
	other, _ := imzo(0, "", "mobile", "link", "--site", "0001", "--document", "850FF727", "--json", at("document"))
	if err := json.Unmarshal([]byte(other), &made); err != nil {
		t.Fatal(err)
	}
	if r := phone(1, "", "--pin-file", at("pin")); r.Code != "unknownSite" || r.Site != nil {
		t.Errorf("unknown site: %+v", r)
	}
	made.Link = strings.Replace(made.Link, "qc=0001", "qc=20e2", 1)
	if r := phone(2, "", "--pin-file", at("pin")); r.Code != "code" {
		t.Errorf("a link that was changed: %+v", r)
	}
	out, _ = imzo(0, "", "mobile", "link", "--site", "20e2", "--document", "850FF727", "--json", at("document"))
	if err := json.Unmarshal([]byte(out), &made); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"pin", "pin", "blocked", "blocked"} {
		if r := phone(1, "", "--pin-file", at("wrong")); r.Code != want {
			t.Errorf("%+v, want %s", r, want)
		}
	}
	if r := phone(1, "", "--pin-file", at("pin")); r.Code != "blocked" {
		t.Errorf("blocked: %+v", r)
	}
	_, told = imzo(1, "", "mobile", "phone", "--link", made.Link, "--gateway", started.URL, "--card", card, "--pin-file", at("pin"))
	if !strings.Contains(told, "imzo card unblock") {
		t.Errorf("told %s", told)
	}
	opened, err := http.Post(started.Phone+"api/open?lang=en", "application/json", strings.NewReader(`{"link":"`+made.Link+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Body.Close()
	if b, err := io.ReadAll(opened.Body); err != nil || !strings.Contains(string(b), `"holder":"ALIYEV ALI"`) || !strings.Contains(string(b), `"triesLeft":0`) {
		t.Errorf("the page sees %s, %v", b, err)
	}
	response, err := http.Get(started.Phone)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != 200 || !strings.HasSuffix(started.Phone, "/phone/") {
		t.Errorf("%s: HTTP %d", started.Phone, response.StatusCode)
	}
}

func TestTheGatewayTellsPeopleWhereItAnswers(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // it ends as soon as it serves
	dir := t.TempDir()
	var stdout, stderr bytes.Buffer
	code := run(ctx, []string{"mobile", "--listen", "127.0.0.1:0", "--data", filepath.Join(dir, "data"), "--cards", dir}, env{stdout: &stdout, stderr: &stderr, now: time.Now})
	if code != exitOK || !strings.Contains(stdout.String(), "  gateway  http://127.0.0.1:") || !strings.Contains(stdout.String(), "/phone/\n") {
		t.Errorf("exit %d: %s%s", code, &stdout, &stderr)
	}
}

func TestMobileOptionsAreRead(t *testing.T) {
	dir := t.TempDir()
	m := mobileFlags{
		windowMinutes: 3, perMinute: 5, upload: 7, data: filepath.Join(dir, "data"), proxies: []string{"10.0.0.0/8"}, revocation: true,
		ocspURLs: []string{"http://127.0.0.1:1/"},
	}
	o, err := m.options(env{now: time.Now}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if o.Window != 3*time.Minute || o.PerMinute != 5 || o.UploadTimeout != 7*time.Second || o.Revocation == nil || len(o.TrustedProxies) != 1 || o.Anchors.Len() == 0 {
		t.Errorf("%+v", o)
	}
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte("wrong"), 0o600); err != nil {
		t.Fatal(err)
	}
	m.trustFiles, m.trustPasswordFile = []string{filepath.Join(dir, "none")}, password
	if _, err := m.options(env{now: time.Now}, nil); err == nil || !strings.Contains(err.Error(), "--trust-store") {
		t.Error(err)
	}
}
