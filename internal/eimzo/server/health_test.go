package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"imzo/internal/health"
	"imzo/internal/httpx"
	"imzo/internal/revocation"
	"imzo/internal/timestamping"
)

// ready asks a new server of the world whether it is ready.
func ready(t *testing.T, w *world, options ...func(*Config, *Deps)) (int, map[string]health.Outcome) {
	t.Helper()
	rec := callServer(w.newServer(t, options...), "GET", "/healthz/ready", "")
	var report health.Report
	if err := json.Unmarshal(rec.Body.Bytes(), &report); err != nil {
		t.Fatalf("%v: %s", err, rec.Body)
	}
	byName := map[string]health.Outcome{}
	for _, o := range report.Checks {
		byName[o.Name] = o
	}
	return rec.Code, byName
}

func TestReadyTellsReasons(t *testing.T) {
	w := newWorld(t)
	date := func(offset time.Duration) http.HandlerFunc {
		return func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Date", w.now().Add(offset).UTC().Format(http.TimeFormat))
		}
	}
	w.breakOCSP(date(0))
	w.breakTSA(date(0))
	want := func(name string, outcomes map[string]health.Outcome, check string, status health.Status, text string) {
		t.Helper()
		o := outcomes[check]
		if o.Status != status || !strings.Contains(o.Error+o.Detail, text) {
			t.Errorf("%s: %+v, want %s %q", name, o, status, text)
		}
	}
	code, outcomes := ready(t, w)
	if code != 200 {
		t.Errorf("HTTP %d %+v", code, outcomes)
	}
	want("well", outcomes, "store", health.OK, "")
	want("well", outcomes, "trust", health.OK, "1 trusted roots")
	want("well", outcomes, "ocsp", health.OK, "address 1 of 1 answers, clocks 0s apart")
	want("well", outcomes, "tsp", health.OK, "address 1 of 1 answers")
	want("well", outcomes, "certificates", health.OK, "the first of 1 to end is root "+w.Root.Cert.SerialHex())

	code, outcomes = ready(t, w, func(_ *Config, d *Deps) { d.Challenges = brokenStore{} })
	if code != 503 {
		t.Errorf("no store: HTTP %d", code)
	}
	want("no store", outcomes, "store", health.Failed, "challenges cannot be kept")
	for _, o := range outcomes {
		if strings.Contains(o.Error, "10.0.0.7") {
			t.Errorf("an address of our network: %+v", o)
		}
	}

	w.breakOCSP(date(10 * time.Minute))
	code, outcomes = ready(t, w, func(c *Config, _ *Deps) { c.TSPURLs = []string{"http://127.0.0.1:1/", w.tsa.URL} })
	if code != 200 {
		t.Errorf("a clock that is wrong: HTTP %d", code)
	}
	want("a wrong clock", outcomes, "ocsp", health.Warning, "10m0s apart")
	want("the second authority", outcomes, "tsp", health.OK, "address 2 of 2 answers")

	code, outcomes = ready(t, w, func(c *Config, _ *Deps) { c.OCSPURLs, c.TSPURLs = []string{"http://127.0.0.1:1/"}, nil })
	if code != 200 {
		t.Errorf("no responder: HTTP %d", code)
	}
	want("no responder", outcomes, "ocsp", health.Warning, "address 1 of ocsp.url is not reached")
	want("no address", outcomes, "tsp", health.OK, "where certificates say")

	// One that takes the question and says nothing.
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	w.breakOCSP(date(0))
	_, outcomes = ready(t, w, func(c *Config, _ *Deps) { c.OCSPURLs = []string{"http://" + mute.Addr().String(), w.ocsp.URL} })
	want("a mute responder", outcomes, "ocsp", health.OK, "address 2 of 2 answers")

	end := w.Root.Cert.NotAfter
	w.advance(end.Sub(w.now()) - 24*time.Hour)
	_, outcomes = ready(t, w)
	want("soon over", outcomes, "certificates", health.Warning, "root "+w.Root.Cert.SerialHex()+" ends ")
	w.advance(48 * time.Hour)
	code, outcomes = ready(t, w)
	if code != 503 {
		t.Errorf("no valid root: HTTP %d", code)
	}
	want("no valid root", outcomes, "trust", health.Failed, "none of 1 trusted roots")
}

func TestAPanicIsCountedAsWhatItIsAnsweredWith(t *testing.T) {
	w := newWorld(t)
	h := httpx.Wrap(w.server.counted(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == pathAuth {
			panic("oh")
		}
		_, _ = rw.Write([]byte("well"))
	})), httpx.Options{})
	for path, code := range map[string]int{pathAuth: 503, pathAttached: 200} {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest("POST", path, nil))
		page := w.call("GET", "/metrics", "").Body.String()
		if want := fmt.Sprintf(`imzo_http_requests_total{code="%d",route="%s"} 1`, code, path); rec.Code != code || !strings.Contains(page, want) {
			t.Errorf("%s: HTTP %d, or no %s", path, rec.Code, want)
		}
	}
}

// A body announced as too large is refused before the handlers that count.
func TestARequestRefusedBeforeTheHandlersIsCountedOnce(t *testing.T) {
	w := newWorld(t)
	h := httpx.Wrap(w.server.Handler(), httpx.Options{MaxBody: 10, Refused: w.server.countRefused})
	for range 2 {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest("POST", pathAttached, strings.NewReader(strings.Repeat("A", 11))))
		if rec.Code != 413 {
			t.Fatalf("HTTP %d", rec.Code)
		}
	}
	page := w.call("GET", "/metrics", "").Body.String()
	if want := `imzo_http_requests_total{code="413",route="` + pathAttached + `"} 2`; !strings.Contains(page, want) {
		t.Errorf("no %s", want)
	}
}

// Without an address of its own the server asks where certificates say; what
// came of that is all it can tell.
func TestReadyTellsWhatAskingWhereCertificatesSayCameTo(t *testing.T) {
	w := newWorld(t)
	s := w.newServer(t, func(c *Config, _ *Deps) { c.OCSPURLs, c.TSPURLs = nil, nil })
	check := func(name string) (detail string, err error) { // the page keeps its answers for a while
		t.Helper()
		for _, c := range s.readiness() {
			if c.Name == name {
				return c.Run(t.Context())
			}
		}
		t.Fatal("no check " + name)
		return "", nil
	}
	for _, step := range []struct {
		ocsp revocation.EventKind
		tsa  error
		well bool
		text string
	}{
		{well: true, text: "no answer yet"},
		{revocation.EventError, errors.New("at http://10.0.0.7"), false, "had no answer, no answer yet"},
		{revocation.EventMiss, nil, true, "the last answer came at 2"},
		{revocation.EventHit, nil, true, "the last answer came at 2"},
		{revocation.EventError, errors.New("at http://10.0.0.7"), false, "had no answer, the last answer came at 2"},
		{revocation.EventRefresh, nil, true, "the last answer came at 2"},
	} {
		w.advance(time.Second)
		if step.ocsp != "" {
			s.observeRevocation(revocation.Event{Kind: step.ocsp})
			s.observeTimestamp(timestamping.Event{Err: step.tsa})
		}
		for _, name := range []string{"ocsp", "tsp"} {
			detail, err := check(name)
			if text := fmt.Sprint(detail, err); (err == nil) != step.well || !strings.Contains(text, step.text) || strings.Contains(text, "10.0.0.7") {
				t.Errorf("%s after %q: %s, want %q", name, step.ocsp, text, step.text)
			}
		}
	}
}

func TestVerdictsAreCountedAndAudited(t *testing.T) {
	w := newWorld(t)
	document := w.sign(t, "some document")
	w.post(t, pathAttached, b64(document)).want(t, statusOK, MessageNone)
	w.post(t, pathAuth, b64(document)).want(t, statusChallenge, MessageChallenge)
	w.challenge(t)
	page := w.call("GET", "/metrics", "").Body.String()
	for _, want := range []string{
		`imzo_verdicts_total{route="/backend/auth",status="-20"} 1`,
		`imzo_verdicts_total{route="/backend/pkcs7/verify/attached",status="1"} 1`,
		`imzo_http_requests_total{code="200",route="/frontend/challenge"} 1`,
		`imzo_revocation_total{result="miss"} 1`,
		`imzo_certificate_expiry_days{kind="root",serial="` + w.Root.Cert.SerialHex() + `"}`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s", want)
		}
	}
	if rec := w.call("GET", "/some/path/that/is/not", ""); rec.Code != 404 {
		t.Fatal(rec.Code)
	}
	if page := w.call("GET", "/metrics", "").Body.String(); strings.Contains(page, "/some/path") || !strings.Contains(page, `code="404",route="none"} 1`) {
		t.Error("a path that somebody made up is in the metrics")
	}
	var line map[string]any
	for text := range strings.Lines(w.logs.String()) {
		if strings.Contains(text, `"msg":"verdict"`) && strings.Contains(text, pathAttached) {
			if err := json.Unmarshal([]byte(text), &line); err != nil {
				t.Fatal(err)
			}
		}
	}
	for key, want := range map[string]any{"status": 1.0, "code": "ok", "documentSHA256": sha256Hex(document), "route": pathAttached} {
		if line[key] != want {
			t.Errorf("%s is %v, want %v", key, line[key], want)
		}
	}
	if serials, ok := line["serials"].([]any); !ok || len(serials) != 1 || serials[0] != w.user.Cert.SerialHex() {
		t.Errorf("serials %v", line["serials"])
	}
	for _, key := range []string{"id", "ip", "host"} {
		if _, ok := line[key]; !ok {
			t.Errorf("no %s", key)
		}
	}
}
