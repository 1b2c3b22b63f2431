package metrics

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func page(t *testing.T, m *Metrics) string {
	t.Helper()
	rec := httptest.NewRecorder()
	m.Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	if rec.Code != 200 || !strings.HasPrefix(rec.Header().Get("Content-Type"), "text/plain") {
		t.Fatalf("HTTP %d %s", rec.Code, rec.Header())
	}
	return rec.Body.String()
}

func TestEverythingCountedIsOnThePage(t *testing.T) {
	m := New("1.2.3")
	m.Verdict("/backend/auth", -20)
	m.Verdict("/backend/auth", -20)
	end := m.Begin()
	if !strings.Contains(page(t, m), "imzo_http_requests_in_flight 1\n") {
		t.Error("no request in flight")
	}
	end("/backend/auth", 200, 3*time.Millisecond)
	m.Begin()("", 404, time.Millisecond)
	m.RateLimited("/frontend/challenge")
	m.Revocation("hit", 0)
	m.Revocation("miss", 20*time.Millisecond)
	m.Timestamp(nil, time.Second)
	m.Timestamp(errors.New("down"), 7*time.Second)
	m.Store("challenges", "take", nil, time.Millisecond)
	m.Store("challenges", "take", errors.New("secret address"), time.Millisecond)
	m.TunnelOpened(20 * time.Millisecond)
	m.TunnelOpened(20 * time.Millisecond)
	m.TunnelClosed()
	m.TunnelEnded("idle")
	m.TunnelSent(5)
	m.TunnelReceived(7)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	e := Expiry{Kind: "root", Serial: "1a", Subject: "CN=ROOT", NotAfter: now.Add(36 * time.Hour)}
	m.Expiries(func() []Expiry { return []Expiry{e, e, {Kind: "tls", Serial: "2", NotAfter: now.Add(-24 * time.Hour)}} }, func() time.Time { return now })
	text := page(t, m)
	for _, want := range []string{
		`imzo_build_info{version="1.2.3"} 1`,
		`imzo_verdicts_total{route="/backend/auth",status="-20"} 2`,
		`imzo_http_requests_total{code="200",route="/backend/auth"} 1`,
		`imzo_http_requests_total{code="404",route="none"} 1`,
		`imzo_http_request_duration_seconds_count{route="/backend/auth"} 1`,
		`imzo_http_requests_in_flight 0`,
		`imzo_rate_limited_total{route="/frontend/challenge"} 1`,
		`imzo_revocation_total{result="hit"} 1`,
		`imzo_revocation_duration_seconds_count 1`,
		`imzo_timestamps_total{result="error"} 1`,
		`imzo_timestamp_duration_seconds_count 2`,
		`imzo_store_operations_total{operation="take",result="ok",store="challenges"} 1`,
		`imzo_store_operations_total{operation="take",result="error",store="challenges"} 1`,
		`imzo_tunnels_open 1`,
		`imzo_tunnels_total{result="idle"} 1`,
		`imzo_tunnels_total{result="ok"} 0`,
		`imzo_tunnel_handshake_duration_seconds_count 2`,
		`imzo_tunnel_octets_total{direction="sent"} 5`,
		`imzo_tunnel_octets_total{direction="received"} 7`,
		`imzo_certificate_expiry_days{kind="root",serial="1a"} 1.5`,
		`imzo_certificate_expiry_days{kind="tls",serial="2"} -1`,
		"go_goroutines ", "process_start_time_seconds ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(text, "secret") || strings.Contains(text, "CN=ROOT") {
		t.Error("what is in errors and names does not belong here")
	}
}

func TestAPageIsThereBeforeAnythingHappened(t *testing.T) {
	if text := page(t, New("dev")); strings.Contains(text, "imzo_certificate_expiry_days{") || !strings.Contains(text, "imzo_build_info") {
		t.Error(text)
	}
}
