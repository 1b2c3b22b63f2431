package server

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"
)

func from(peer string, headers ...string) *http.Request {
	r := httptest.NewRequest("GET", "/frontend/challenge", nil)
	r.RemoteAddr = peer
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func TestTheAddressOfRateLimitsIsNobodysToChoose(t *testing.T) {
	s := newWorld(t).server
	for name, c := range map[string]struct {
		r    *http.Request
		want string
	}{
		"a stranger":                    {from("192.0.2.1:5"), "192.0.2.1"},
		"a stranger who claims another": {from("192.0.2.1:5", "X-Real-IP", "198.51.100.1", "X-Forwarded-For", "198.51.100.2"), "192.0.2.1"},
		"a proxy of ours":               {from("127.0.0.1:5", "X-Real-IP", "198.51.100.1"), "198.51.100.1"},
		"mapped":                        {from("[::ffff:10.0.0.1]:5", "X-Real-IP", "::ffff:198.51.100.1"), "198.51.100.1"},
		"a chain":                       {from("10.0.0.1:5", "X-Forwarded-For", "203.0.113.9, 198.51.100.1", "X-Forwarded-For", "10.0.0.2"), "198.51.100.1"},
		"only proxies":                  {from("10.0.0.1:5", "X-Forwarded-For", "10.0.0.3, 10.0.0.2"), "10.0.0.3"},
		"nonsense":                      {from("10.0.0.1:5", "X-Real-IP", "user", "X-Forwarded-For", "unknown"), "10.0.0.1"},
		"nonsense after an address":     {from("10.0.0.1:5", "X-Forwarded-For", "198.51.100.1, unknown"), "10.0.0.1"},
		"nothing said":                  {from("[::1]:5"), "::1"},
	} {
		if got := s.callerIP(c.r); got != netip.MustParseAddr(c.want) {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	if got := s.callerIP(from("pipe")); got.IsValid() {
		t.Errorf("no address: %s", got)
	}
}

func TestTooManyRequestsOfOneAddressAre429(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *Deps) { c.Limits.ChallengesPerMinute, c.Limits.AuthsPerMinute = 3, 2 })
	count := func(path, ip string) (allowed int) {
		for range 20 {
			rec := httptest.NewRecorder()
			r := httptest.NewRequest("POST", path, nil)
			r.RemoteAddr = "127.0.0.1:9"
			r.Header.Set("X-Real-IP", ip)
			w.server.Handler().ServeHTTP(rec, r)
			if rec.Code != http.StatusTooManyRequests {
				allowed++
			} else if seconds := rec.Header().Get("Retry-After"); seconds == "" || seconds == "0" {
				t.Errorf("Retry-After %q", seconds)
			}
		}
		return allowed
	}
	if n := count("/frontend/challenge", "192.0.2.1"); n < 1 || n > 4 {
		t.Errorf("%d challenges", n)
	}
	if n := count("/frontend/challenge", "192.0.2.2"); n < 1 {
		t.Error("another address pays for the first")
	}
	if n := count("/backend/auth", "192.0.2.1"); n < 1 || n > 3 {
		t.Errorf("%d log-ins", n)
	}
	if n := count("/info", "192.0.2.1"); n != 20 {
		t.Errorf("%d of /info, which has no limit", n)
	}
	w.advance(5 * time.Minute)
	if n := count("/frontend/challenge", "192.0.2.1"); n < 1 {
		t.Error("no more challenges after a while")
	}
}

func TestPagesOfOtherOriginsMayCallTheFrontEndWhereAllowed(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *Deps) { c.CORSOrigins = []string{"https://example.uz"} })
	for _, c := range []struct {
		method, path, origin string
		code                 int
		allowed              bool
	}{
		{"GET", "/frontend/challenge", "https://example.uz", 200, true},
		{"GET", "/frontend/challenge", "https://evil.uz", 200, false},
		{"OPTIONS", "/frontend/challenge", "https://example.uz", 204, true},
		{"OPTIONS", "/frontend/challenge", "https://evil.uz", 204, false},
		{"POST", "/backend/auth", "https://example.uz", 400, false},
		{"GET", "/info", "https://example.uz", 200, false},
	} {
		rec := w.call(c.method, c.path, "", "Origin", c.origin, "Access-Control-Request-Method", "POST")
		if rec.Code != c.code || (rec.Header().Get("Access-Control-Allow-Origin") != "") != c.allowed {
			t.Errorf("%+v: HTTP %d %s", c, rec.Code, rec.Header())
		}
	}
	if rec := newWorld(t).call("GET", "/frontend/challenge", "", "Origin", "https://example.uz"); rec.Header().Get("Access-Control-Allow-Origin") != "" || rec.Header().Get("Vary") != "" {
		t.Errorf("without the key: %s", rec.Header())
	}
}
