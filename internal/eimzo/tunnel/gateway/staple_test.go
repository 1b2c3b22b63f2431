package gateway

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/cert"
	"imzo/pki/keystore"
	"imzo/pki/ocsp"
	"imzo/verify"
)

// source answers questions as a test says.
type source func(ctx context.Context, c, issuer *cert.Certificate) (*verify.RevocationStatus, error)

func (s source) Status(ctx context.Context, c, issuer *cert.Certificate) (*verify.RevocationStatus, error) {
	return s(ctx, c, issuer)
}

func TestTheStapledStatusIsRenewedBeforeItsEnd(t *testing.T) {
	p := testpki.New(t, "ozdst")
	e := site(t, p, []string{"example.uz"})
	d, _, err := newDomain("a", keystore.Entry{Key: e.Key, Chain: e.Chain}, p.Now)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	clock := p.Now
	now := func() time.Time { mu.Lock(); defer mu.Unlock(); return clock }
	advance := func(by time.Duration) { mu.Lock(); defer mu.Unlock(); clock = clock.Add(by) }
	good := func(text string) (*verify.RevocationStatus, error) {
		return &verify.RevocationStatus{Status: ocsp.Good, ThisUpdate: now(), NextUpdate: now().Add(time.Minute), OCSPResponse: []byte(text)}, nil
	}
	// What the responder answers one after another, and how long it is then
	// left alone.
	steps := []struct {
		answer func() (*verify.RevocationStatus, error)
		pause  time.Duration
		staple string
	}{
		{func() (*verify.RevocationStatus, error) { return nil, errors.New("down") }, 5 * time.Second, ""},
		{func() (*verify.RevocationStatus, error) { return nil, errors.New("down") }, 10 * time.Second, ""},
		{func() (*verify.RevocationStatus, error) { return good("first") }, 30 * time.Second, "first"},
		{func() (*verify.RevocationStatus, error) { return nil, nil }, 5 * time.Second, "first"}, // goes on until its end
		{func() (*verify.RevocationStatus, error) {
			return &verify.RevocationStatus{Status: ocsp.Good, ThisUpdate: now()}, nil // by a list
		}, 10 * time.Second, "first"},
		{func() (*verify.RevocationStatus, error) { return good("second") }, 30 * time.Second, "second"},
		{func() (*verify.RevocationStatus, error) {
			s, err := good("long")
			s.NextUpdate = now().AddDate(0, 0, 7)
			return s, err
		}, time.Hour, "long"},
		{func() (*verify.RevocationStatus, error) {
			s, err := good("no end")
			s.NextUpdate = time.Time{}
			return s, err
		}, 30 * time.Second, "no end"},
		{func() (*verify.RevocationStatus, error) {
			return &verify.RevocationStatus{Status: ocsp.Revoked, ThisUpdate: now(), OCSPResponse: []byte("revoked")}, nil
		}, maxStapleRetry, ""},
	}
	var log bytes.Buffer
	step := 0
	ctx, cancel := context.WithCancel(t.Context())
	s := stapler{domain: d, issuer: issuerOf(d, p.Anchors(), p.Now), now: now, log: slog.New(slog.NewTextHandler(&log, nil))}
	s.source = source(func(_ context.Context, c, issuer *cert.Certificate) (*verify.RevocationStatus, error) {
		if !c.Equal(e.Cert) || !issuer.Equal(p.CA.Cert) {
			t.Errorf("asked about %s by %s", c.Subject, issuer.Subject)
		}
		return steps[step].answer()
	})
	s.after = func(pause time.Duration) <-chan time.Time {
		if pause != steps[step].pause {
			t.Errorf("step %d: a pause of %s, want %s", step, pause, steps[step].pause)
		}
		if got := string(d.identity(now()).Staple); got != steps[step].staple {
			t.Errorf("step %d: stapled %q, want %q", step, got, steps[step].staple)
		}
		if step++; step == len(steps) {
			cancel()
			return nil
		}
		advance(min(pause, time.Minute/2))
		ready := make(chan time.Time, 1)
		ready <- now()
		return ready
	}
	s.run(ctx)
	if step != len(steps) {
		t.Errorf("ended after step %d", step)
	}
	// A trouble is told once, a revocation is an error.
	if n := strings.Count(log.String(), "level=WARN"); n != 2 || !strings.Contains(log.String(), "level=ERROR") {
		t.Errorf("%d warnings in\n%s", n, log.String())
	}
	// No agent gets one that is over.
	d.staple.Store(&staple{response: []byte("old"), until: now()})
	if d.identity(now()).Staple != nil {
		t.Error("a stapled status past its end")
	}
}

func TestTheIssuerOfADomainIsFoundWhereverItIs(t *testing.T) {
	p := testpki.New(t, "ozdst")
	other := testpki.New(t, "ozdst")
	e := site(t, p, []string{"example.uz"})
	for name, tt := range map[string]struct {
		chain   []*cert.Certificate
		anchors *cert.Pool
		want    *cert.Certificate
	}{
		"in its file":          {e.Chain, p.Anchors(), p.CA.Cert},
		"among the anchors":    {e.Chain[:1], cert.NewPool(p.CA.Cert), p.CA.Cert},
		"of a CA not trusted":  {e.Chain, other.Anchors(), p.CA.Cert},
		"nowhere":              {e.Chain[:1], other.Anchors(), nil},
		"only the root around": {e.Chain[:1], p.Anchors(), nil},
	} {
		d, _, err := newDomain("a", keystore.Entry{Key: e.Key, Chain: tt.chain}, p.Now)
		if err != nil {
			t.Fatal(err)
		}
		if got := issuerOf(d, tt.anchors, p.Now); got != tt.want && (got == nil || tt.want == nil || !got.Equal(tt.want)) {
			t.Errorf("%s: %v", name, got)
		}
	}
}
