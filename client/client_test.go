package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// serverOf starts an HTTP server and a client of it that does not wait between
// tries but writes down how long it would have.
func serverOf(t *testing.T, h http.HandlerFunc, o Options) (c *Client, waits *[]time.Duration) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	c, err := New(s.URL, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	waits = &[]time.Duration{}
	c.pause = func(_ context.Context, d time.Duration) error { *waits = append(*waits, d); return nil }
	return c, waits
}

func answerWith(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=UTF-8")
		_, _ = io.WriteString(w, text)
	}
}

func TestHeadersSayWhoTheUserIs(t *testing.T) {
	var got http.Header
	var host, path, body string
	h := func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got, host, path, body = r.Header, r.Host, r.URL.Path, string(b)
		answerWith(`{"status":-10}`)(w, r)
	}
	u := User{IP: "1.2.3.4", Host: "example.uz:8443"}
	c, _ := serverOf(t, h, Options{Token: "t", Language: "uz"})
	_, _ = c.VerifyDetached(t.Context(), u, []byte{0xfb, 0xff}, "QUJD+/==")
	want := map[string]string{
		"X-Real-Ip": "1.2.3.4", "X-Real-Host": "example.uz:8443", "X-Forwarded-Host": "example.uz:8443",
		"Authorization": "Bearer t", "Accept-Language": "uz", "Accept": "application/json", "Content-Type": "text/plain",
	}
	for name, value := range want {
		if got.Get(name) != value {
			t.Errorf("%s: %q, want %q", name, got.Get(name), value)
		}
	}
	if host != "example.uz:8443" || path != "/backend/pkcs7/verify/detached" || body != "+/8=|QUJD+/==" {
		t.Errorf("%s %s %q", host, path, body)
	}
	c, _ = serverOf(t, h, Options{KeepHost: true})
	_, _ = c.VerifyAttached(t.Context(), u, "QUJD")
	if got.Get("X-Real-Host") != "example.uz:8443" || host != c.base.Host || got.Get("Authorization") != "" || got.Get("Accept-Language") != "" {
		t.Errorf("%s %s", host, got)
	}
	_, _ = c.VerifyAttached(t.Context(), User{}, "QUJD")
	if _, ok := got["X-Real-Ip"]; ok || got.Get("X-Real-Host") != "" {
		t.Errorf("%s", got)
	}
	for _, bad := range []User{{IP: "1\r\nX: y"}, {Host: "a\nb"}} {
		if _, err := c.Auth(t.Context(), bad, "QUJD"); err == nil {
			t.Errorf("%+v was sent", bad)
		}
	}
}

func TestThePathOfTheAddressIsKept(t *testing.T) {
	var path string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path = r.URL.Path
		answerWith(`{}`)(w, r)
	}))
	defer s.Close()
	for _, prefix := range []string{"/eimzo", "/eimzo/"} {
		c, err := New(s.URL+prefix, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Info(t.Context()); err != nil || path != "/eimzo/info" {
			t.Errorf("%s %v", path, err)
		}
		c.Close()
	}
}

func TestAddressesThatAreNoneAreRefused(t *testing.T) {
	for _, address := range []string{"", "127.0.0.1:8080", "ftp://x", "http://", "http://user:password@x", "http://x?y", "http://x#y", "http://x\x7f"} {
		c, err := New(address, Options{})
		if err == nil {
			t.Errorf("%q: %v", address, c)
		} else if strings.Contains(err.Error(), "password") {
			t.Error(err)
		}
	}
}

func TestCallsAreRepeatedWhereThatIsSafe(t *testing.T) {
	var calls atomic.Int32
	broken := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if calls.Add(1) < 3 {
				if status == 0 { // the connection breaks
					conn, _, err := w.(http.Hijacker).Hijack()
					if err == nil {
						_ = conn.Close()
					}
					return
				}
				w.Header().Set("Retry-After", "2")
				http.Error(w, "later", status)
				return
			}
			answerWith(`{"status":1,"pkcs7b64":"QQ=="}`)(w, r)
		}
	}
	for status, again := range map[int]bool{0: true, 429: true, 502: true, 503: true, 504: true, 400: false, 401: false, 404: false, 413: false, 500: false} {
		calls.Store(0)
		c, waits := serverOf(t, broken(status), Options{})
		_, err := c.Join(t.Context(), User{}, "QQ==", "Qg==")
		if again != (err == nil) || again != (calls.Load() == 3) || again != (len(*waits) == 2) {
			t.Errorf("HTTP %d: %d calls, %v, %v", status, calls.Load(), *waits, err)
		}
		if status >= 429 && again && (*waits)[0] < 2*time.Second {
			t.Errorf("HTTP %d: comes again after %s", status, (*waits)[0])
		}
		if status == 0 && ((*waits)[0] < firstPause || (*waits)[1] < 2*firstPause || (*waits)[1] > 4*firstPause) {
			t.Errorf("waits %v", *waits)
		}
		calls.Store(0)
		c, _ = serverOf(t, broken(status), Options{Retries: -1})
		if _, err := c.Join(t.Context(), User{}, "QQ==", "Qg=="); err == nil || calls.Load() != 1 {
			t.Errorf("HTTP %d without retries: %d calls", status, calls.Load())
		}
		calls.Store(0)
		c, _ = serverOf(t, broken(status), Options{})
		if _, err := c.Auth(t.Context(), User{}, "QQ=="); err == nil || calls.Load() != 1 {
			t.Errorf("HTTP %d: auth was called %d times, %v", status, calls.Load(), err)
		}
	}
}

func TestTheTimeOfACallHasAnEnd(t *testing.T) {
	release := make(chan struct{})
	c, _ := serverOf(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-release:
		}
	}, Options{Timeout: 50 * time.Millisecond})
	defer close(release)
	if _, err := c.Ping(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Ping(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	// Who wants to be left alone for longer than there is time is not waited
	// for, and it is said why.
	c, waits := serverOf(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "60")
		http.Error(w, "later", http.StatusTooManyRequests)
	}, Options{})
	_, err := c.Ping(t.Context())
	var answer *HTTPError
	if !errors.As(err, &answer) || answer.RetryAfter != time.Minute || len(*waits) != 0 {
		t.Errorf("%v %v", err, *waits)
	}
	c.pause = pause
	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := pause(ctx, time.Minute); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if err := pause(t.Context(), time.Microsecond); err != nil {
		t.Error(err)
	}
}

func TestAnswersThatAreNotTheServersAreErrors(t *testing.T) {
	type answer struct{ contentType, text string }
	for name, a := range map[string]answer{
		"a page":          {"text/html; charset=utf-8", "<html>welcome</html>"},
		"no type":         {"", `{"status":1}`},
		"no JSON":         {"application/json", "welcome"},
		"half of it":      {"application/json", `{"status":1,"pkcs7Info":`},
		"a list":          {"application/json", `[]`},
		"a text status":   {"application/json", `{"status":"1"}`},
		"a wrong base64":  {"application/json", `{"status":1,"pkcs7Info":{"documentBase64":"?"}}`},
		"no signers":      {"application/json", `{"status":1,"message":""}`},
		"empty signers":   {"application/json", `{"status":1,"pkcs7Info":{"signers":[]}}`},
		"a wrong flag":    {"application/json", `{"status":1,"pkcs7Info":{"signers":[{"verified":true,"certificateVerified":true,"certificateValidAtSigningTime":false}]}}`},
		"a wrong token":   {"application/json", `{"status":1,"pkcs7Info":{"signers":[{"verified":true,"certificateVerified":true,"certificateValidAtSigningTime":true,"timeStampInfo":{"verified":true}}]}}`},
		"no status":       {"application/json", `{}`},
		"another object":  {"application/json", `{"success":true}`},
		"status 2":        {"application/json", `{"status":2}`},
		"status 0":        {"application/json", `{"status":0}`},
		"an unknown name": {"application/json", `{"status":-77,"message":"x"}`},
	} {
		c, _ := serverOf(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = []string{a.contentType}
			_, _ = io.WriteString(w, a.text)
		}, Options{})
		_, err := c.VerifyAttached(t.Context(), User{}, "QQ==")
		var status *StatusError
		if !errors.Is(err, ErrAnswer) && !errors.As(err, &status) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := c.Auth(t.Context(), User{}, "QQ=="); err == nil {
			t.Errorf("%s: somebody has logged in", name)
		}
	}
}

func TestLargeAnswersAreNotRead(t *testing.T) {
	c, _ := serverOf(t, answerWith(`{"version":"`+strings.Repeat("x", 1000)+`"}`), Options{MaxResponse: 1000})
	if _, err := c.Info(t.Context()); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	c, _ = serverOf(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, strings.Repeat("a \n", 1<<20))
	}, Options{})
	_, err := c.Info(t.Context())
	var answer *HTTPError
	if !errors.As(err, &answer) || len(answer.Text) > maxErrorText || strings.Contains(answer.Text, "\n") {
		t.Errorf("%T", err)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	var calls atomic.Int32
	thief := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { calls.Add(1) }))
	defer thief.Close()
	for _, status := range []int{301, 302, 307, 308} {
		c, _ := serverOf(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, thief.URL, status) },
			Options{Token: "t", HTTPClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}})
		_, err := c.Auth(t.Context(), User{}, "QQ==")
		var answer *HTTPError
		if !errors.As(err, &answer) || answer.StatusCode != status || calls.Load() != 0 {
			t.Errorf("%d: %v", status, err)
		}
	}
}

func TestErrorsSayWhatAndWhere(t *testing.T) {
	c, _ := serverOf(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Request-Id", "abc")
		http.Error(w, "the body is\nempty", http.StatusBadRequest)
	}, Options{})
	_, err := c.Auth(t.Context(), User{}, "")
	if err == nil || err.Error() != "/backend/auth: HTTP 400: the body is empty [request abc]" {
		t.Error(err)
	}
	err = &StatusError{Path: "/x", Reply: Reply{Status: -10, Message: "m", RequestID: "id"}, status: DocumentSignatureInvalid}
	if got := err.Error(); got != "/x: status -10 (signature invalid): m [request id]" {
		t.Error(got)
	}
	if got := (&HTTPError{Path: "/x", StatusCode: 503}).Error(); got != "/x: HTTP 503" {
		t.Error(got)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	down, err := New("http://"+address, Options{Retries: -1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := down.Ping(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "/ping: dial tcp") || !errors.As(err, new(*net.OpError)) {
		t.Error(err)
	}
}

func TestTokensDoNotShow(t *testing.T) {
	o := Options{Token: "secret"}
	var logged strings.Builder
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "token", o.Token, "options", o)
	marshalled, err := json.Marshal(o.Token)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(o), fmt.Sprintf("%v %+v %#v %s %q", o.Token, o, o.Token, o.Token, o.Token), logged.String(), string(marshalled)} {
		if strings.Contains(text, "secret") || !strings.Contains(text, redacted) {
			t.Error(text)
		}
	}
}

func TestStatusesHaveNames(t *testing.T) {
	for s, want := range map[fmt.Stringer]string{
		AuthChallengeNotFound: "challenge not found", DocumentTSAStatusUnknown: "status of the timestamp's certificate unknown",
		AuthStatus(-77): "status -77", DocumentStatus(0): "status 0",
	} {
		if s.String() != want || s.(error).Error() != want {
			t.Errorf("%s, want %s", s, want)
		}
	}
	if len(authNames) != 8 || len(documentNames) != 10 {
		t.Error("a status has no name")
	}
	if DocumentSignatureInvalid.Temporary() || AuthChallengeNotFound.Temporary() || !DocumentTSAStatusUnknown.Temporary() {
		t.Error("temporary")
	}
}

func TestDatesHaveTheZoneOfTheServer(t *testing.T) {
	want := time.Date(2022, 9, 27, 6, 17, 53, 0, time.UTC)
	for _, d := range []Date{"2022-09-27 11:17:53", "2022.09.27 11:17:53"} {
		if got, err := d.Time(); err != nil || !got.Equal(want) {
			t.Errorf("%s: %s %v", d, got, err)
		}
	}
	if got, err := Date("2022-09-27 06:17:53").In(time.UTC); err != nil || !got.Equal(want) {
		t.Error(got, err)
	}
	for _, d := range []Date{"", "27.09.2022", "2022-13-01 00:00:00", Date(strings.Repeat("9", 1000))} {
		if _, err := d.Time(); err == nil || len(err.Error()) > 100 {
			t.Errorf("%.40s: %v", d, err)
		}
	}
}

func TestAReadinessThatIsNoneIsAnError(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"a proxy's page": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "no upstream", http.StatusServiceUnavailable)
		},
		"another answer":   answerWith(`{}`),
		"half an answer":   answerWith(`{"status":`),
		"no such endpoint": http.NotFound,
	} {
		c, _ := serverOf(t, h, Options{})
		if _, err := c.Ready(t.Context()); err == nil {
			t.Errorf("%s: ready", name)
		}
	}
}

func TestBatchesThatContradictThemselvesAreErrors(t *testing.T) {
	good := `{"id":"a","status":1,"message":"","pkcs7Info":{"signers":[{"verified":true,"certificateVerified":true,"certificateValidAtSigningTime":true}]}}`
	documents := []BatchDocument{{ID: "a", PKCS7: "QQ=="}}
	for name, text := range map[string]string{
		"no results":       `{"status":1}`,
		"too many results": `{"status":1,"results":[` + good + `,` + good + `]}`,
		"another document": `{"status":1,"results":[` + strings.Replace(good, `"a"`, `"b"`, 1) + `]}`,
		"a wrong flag":     `{"status":1,"results":[` + strings.Replace(good, `true`, `false`, 1) + `]}`,
		"a wrong status":   `{"status":1,"results":[` + strings.Replace(good, `:1`, `:-10`, 1) + `]}`,
		"a wrong end":      `{"status":-10,"results":[` + good + `]}`,
		"a report":         `{"status":1,"report":{"indication":"TOTAL-FAILED"}}`,
	} {
		c, _ := serverOf(t, answerWith(text), Options{})
		if _, err := c.VerifyBatch(t.Context(), User{}, documents); !errors.Is(err, ErrAnswer) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := c.Report(t.Context(), User{}, "QQ=="); err == nil {
			t.Errorf("%s: a report", name)
		}
	}
	c, _ := serverOf(t, answerWith(`{"status":1,"results":[`+good+`]}`), Options{})
	if _, err := c.VerifyBatch(t.Context(), User{}, documents); err != nil {
		t.Error(err)
	}
}

func TestCertificatesThatContradictThemselvesAreErrors(t *testing.T) {
	for _, text := range []string{
		`{"status":1}`,
		`{"status":1,"subjectCertificateInfo":{},"certificateVerified":true}`,
		`{"status":1,"subjectCertificateInfo":{},"certificateVerified":true,"certificateValid":true,"revokedStatusInfo":{}}`,
	} {
		c, _ := serverOf(t, answerWith(text), Options{})
		if _, err := c.CertificateStatus(t.Context(), User{}, "QQ=="); !errors.Is(err, ErrAnswer) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
