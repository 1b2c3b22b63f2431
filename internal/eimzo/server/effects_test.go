package server

import (
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"imzo/pki/crl"
	"imzo/pki/ocsp"
)

// configured makes a server of the text of a configuration, with the services
// of the world.
func (w *world) configured(t *testing.T, text string) *Server {
	t.Helper()
	c, _, err := parseConfig(t, "ocsp.url="+w.ocsp.URL+"\ntsp.url="+w.tsa.URL+"\n"+text)
	if err != nil {
		t.Fatal(err)
	}
	return w.newServer(t, func(have *Config, _ *Deps) { *have = c })
}

func TestKeptAnswersOfOCSPAreUsedAsLongAsConfigured(t *testing.T) {
	w := newWorld(t)
	document := b64(w.sign(t, "some document"))
	for text, want := range map[string]struct {
		status int // of a certificate revoked a moment after the first question
		calls  int32
		later  int // and half a minute later
	}{
		"":                      {statusOK, 1, statusOK},
		"ocsp.cache.seconds=20": {statusOK, 1, statusCertificate},
		"ocsp.cache.seconds=0":  {statusCertificate, 2, statusCertificate},
	} {
		w.set(w.user.Cert, ocsp.StatusInfo{Status: ocsp.Good})
		s := w.configured(t, text)
		before := w.ocspCalls.Load()
		decode(t, callServer(s, "POST", pathAttached, document)).want(t, statusOK, MessageNone)
		w.set(w.user.Cert, ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: w.now().Add(-time.Hour), Reason: crl.NoReason})
		w.advance(time.Second)
		if v := decode(t, callServer(s, "POST", pathAttached, document)); v.Status != want.status {
			t.Errorf("%q: status %d, want %d", text, v.Status, want.status)
		}
		if calls := w.ocspCalls.Load() - before; calls != want.calls {
			t.Errorf("%q: %d questions, want %d", text, calls, want.calls)
		}
		w.advance(30 * time.Second)
		if v := decode(t, callServer(s, "POST", pathAttached, document)); v.Status != want.later {
			t.Errorf("%q: status %d later, want %d", text, v.Status, want.later)
		}
	}
	// A log-in asks, whatever is kept.
	w.set(w.user.Cert, ocsp.StatusInfo{Status: ocsp.Good})
	s := w.configured(t, "")
	for _, want := range []ocsp.CertStatus{ocsp.Good, ocsp.Revoked} {
		w.set(w.user.Cert, ocsp.StatusInfo{Status: want, RevokedAt: w.now().Add(-time.Hour), Reason: crl.NoReason})
		challenge := decode(t, callServer(s, "GET", "/frontend/challenge", "")).Challenge
		v := decode(t, callServer(s, "POST", pathAuth, b64(w.sign(t, challenge))))
		if (v.Status == statusOK) != (want == ocsp.Good) {
			t.Errorf("a log-in with a certificate that is %v: status %d", want, v.Status)
		}
	}
}

func TestListsDecideOnlyWhereConfigured(t *testing.T) {
	w := newWorld(t)
	var list []byte
	lists := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/pkix-crl")
		_, _ = rw.Write(list)
	}))
	defer lists.Close()
	w.breakOCSP(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusBadGateway) })
	document := b64(w.sign(t, "some document"))
	for name, c := range map[string]struct {
		text    string
		revoked bool
		want    int
	}{
		"not configured":  {"crl.url=" + lists.URL, false, statusUnknown},
		"good by a list":  {"crl.fallback=yes\ncrl.url=" + lists.URL, false, statusOK},
		"on the list":     {"crl.fallback=yes\ncrl.url=" + lists.URL, true, statusCertificate},
		"no list at hand": {"crl.fallback=yes\ncrl.url=http://127.0.0.1:1/", false, statusUnknown},
	} {
		template := &crl.Template{ThisUpdate: w.now().Add(-time.Minute), NextUpdate: w.now().Add(time.Hour)}
		if c.revoked {
			template.Entries = []crl.Entry{{Serial: w.user.Cert.Serial, RevokedAt: w.now().Add(-time.Hour), Reason: crl.NoReason}}
		}
		var err error
		if list, err = crl.Create(rand.Reader, template, w.CA.Cert, w.CA.Key); err != nil {
			t.Fatal(err)
		}
		if v := decode(t, callServer(w.configured(t, c.text), "POST", pathAttached, document)); v.Status != c.want {
			t.Errorf("%s: status %d, want %d", name, v.Status, c.want)
		}
	}
}

func TestTheStatusOfCAsCountsWhereConfigured(t *testing.T) {
	w := newWorld(t)
	document := b64(w.sign(t, "some document"))
	// The responder speaks for the CA, and knows nothing of what the root
	// has issued.
	for text, want := range map[string]int{"": statusOK, "revocation.ca=no": statusOK, "revocation.ca=yes": statusUnknown} {
		if v := decode(t, callServer(w.configured(t, text), "POST", pathAttached, document)); v.Status != want {
			t.Errorf("%q: status %d, want %d: %s", text, v.Status, want, v.raw)
		}
	}
}

func TestAChallengeLivesAsLongAsConfigured(t *testing.T) {
	w := newWorld(t)
	for text, want := range map[string]map[time.Duration]int{
		"":                                {119 * time.Second: statusOK, 121 * time.Second: statusChallenge},
		"cache.local.key.ttl.seconds=300": {299 * time.Second: statusOK, 301 * time.Second: statusChallenge},
		"cache.local.key.ttl.seconds=5":   {4 * time.Second: statusOK, 6 * time.Second: statusChallenge},
	} {
		s := w.configured(t, text)
		for age, status := range want {
			challenge := decode(t, callServer(s, "GET", "/frontend/challenge", ""))
			if challenge.TTL != 120 {
				t.Errorf("%q: the reply says %d", text, challenge.TTL)
			}
			w.advance(age)
			if v := decode(t, callServer(s, "POST", pathAuth, b64(w.sign(t, challenge.Challenge)))); v.Status != status {
				t.Errorf("%q: after %s status %d, want %d", text, age, v.Status, status)
			}
		}
	}
}

func TestTheWindowOfLogInsIsTheConfiguredOne(t *testing.T) {
	w := newWorld(t)
	for text, want := range map[string]map[time.Duration]int{
		"":                                    {9 * time.Minute: statusOK, 11 * time.Minute: -5},
		"auth.service.valid.minutes.window=1": {50 * time.Second: statusOK, -70 * time.Second: -5},
		"auth.service.valid.minutes.window=52704000": {24 * time.Hour: statusOK},
	} {
		s := w.configured(t, text)
		for at, status := range want {
			challenge := decode(t, callServer(s, "GET", "/frontend/challenge", "")).Challenge
			if v := decode(t, callServer(s, "POST", pathAuth, b64(w.sign(t, challenge, signedAt(w.now().Add(at)))))); v.Status != status {
				t.Errorf("%q: signed %s from now: status %d, want %d", text, at, v.Status, status)
			}
		}
	}
}

func TestOnlyTrustedProxiesNameTheUserOfALimit(t *testing.T) {
	w := newWorld(t)
	for text, want := range map[string]int{"": 200, "proxy.trusted=192.0.2.0/24": 429, "proxy.trusted=10.0.0.1": 200} {
		s := w.configured(t, "limits.challenge.per.minute=1\n"+text)
		code := 0
		for _, ip := range []string{"198.51.100.1", "198.51.100.2"} {
			r := from("10.0.0.1:5", "X-Real-IP", ip)
			rec := httptest.NewRecorder()
			s.Handler().ServeHTTP(rec, r)
			code = rec.Code
		}
		if code != want {
			t.Errorf("%q: HTTP %d, want %d", text, code, want)
		}
	}
}
