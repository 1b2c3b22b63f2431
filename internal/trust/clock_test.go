package trust

import (
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"imzo/internal/revocation"
	"imzo/internal/timestamping"
	"imzo/pki/ocsp"
)

// What docs/trust.md says of a clock that jumps by an hour, seen by those who
// ask: an answer that is not of their time counts for none, and a wrong status
// is never given. When the clocks agree again everything is as before.
func TestAskersRefuseAnswersOfAnotherHour(t *testing.T) {
	var theirs, ours atomic.Int64 // offsets of the clocks
	base := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	clock := func(offset *atomic.Int64) func() time.Time {
		return func() time.Time { return base.Add(time.Duration(offset.Load())) }
	}
	a, err := Init(t.TempDir(), InitOptions{BaseURL: "http://127.0.0.1:1", KeySpec: "ecdsa:P-256", Options: Options{Now: clock(&theirs)}})
	if err != nil {
		t.Fatal(err)
	}
	good, bad := issue(t, a, person), issue(t, a, person)
	server := httptest.NewServer(a.Handler())
	defer server.Close()
	checker := revocation.New(revocation.Options{URLs: []string{server.URL + pathOCSP}, HTTP: server.Client(), Now: clock(&ours)})
	stamper := timestamping.New(timestamping.Options{URLs: []string{server.URL + pathTSA}, HTTP: server.Client(), Now: clock(&ours)})

	const hour = time.Hour
	revoked := false
	check := func(name string, their, our time.Duration) {
		t.Helper()
		theirs.Store(int64(their))
		ours.Store(int64(our))
		agree := their == our
		status, err := checker.Status(t.Context(), good.Chain[0], good.Chain[1])
		if agree && (err != nil || status.Status != ocsp.Good) || !agree && err == nil {
			t.Errorf("%s: the good one is %+v, %v", name, status, err)
		}
		status, err = checker.Status(t.Context(), bad.Chain[0], bad.Chain[1])
		switch {
		case !agree && err == nil:
			t.Errorf("%s: an answer of another hour is taken: %+v", name, status)
		case agree && (err != nil || (status.Status == ocsp.Revoked) != revoked):
			t.Errorf("%s: the other is %+v, %v", name, status, err)
		case agree && revoked && status.RevokedAt.After(base.Add(our)):
			t.Errorf("%s: revoked in the future, at %s", name, status.RevokedAt)
		}
		token, err := stamper.Stamp(t.Context(), good.Chain[0], good.Key.Digest(), []byte(name))
		if agree != (err == nil) {
			t.Errorf("%s: timestamp: %v", name, err)
		}
		if err == nil && !token.Info.GenTime.Equal(base.Add(their)) {
			t.Errorf("%s: the token is of %s", name, token.Info.GenTime)
		}
	}
	check("at first", 0, 0)
	check("theirs an hour ahead", hour, 0)
	check("theirs an hour behind", -hour, 0)
	check("and right again", 0, 0)
	theirs.Store(int64(hour))
	if _, err := a.Revoke(bad.Chain[0].SerialHex(), "keyCompromise"); err != nil {
		t.Fatal(err)
	}
	revoked = true
	check("revoked while theirs was ahead", 0, 0)
	check("theirs ahead once more", hour, 0)
	check("ours an hour behind", 0, -hour)
	check("both an hour ahead", hour, hour)
	check("both right", 0, 0)
}
