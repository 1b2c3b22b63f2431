package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"imzo/pki/cert"
	"imzo/verify"
)

func TestGateBoundsWhatGoesOnAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(3, time.Hour)
		var inside, most atomic.Int32
		var wait sync.WaitGroup
		for range 50 {
			wait.Go(func() {
				err := g.run(t.Context(), 0, func() {
					most.Store(max(most.Load(), inside.Add(1)))
					time.Sleep(time.Second)
					inside.Add(-1)
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		if n := most.Load(); n != 3 {
			t.Errorf("%d at once", n)
		}
	})
}

func TestGateServesInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1, time.Hour)
		var order []int
		var wait sync.WaitGroup
		for i := range 20 {
			wait.Go(func() {
				_ = g.run(t.Context(), i%3*largeDocument, func() {
					time.Sleep(time.Second)
					order = append(order, i)
				})
			})
			synctest.Wait() // it has come to the gate
		}
		wait.Wait()
		small, large := -1, -1
		for _, i := range order {
			last := &small
			if i%3 > 0 {
				last = &large
			}
			if i < *last {
				t.Fatalf("served in the order %v", order)
			}
			*last = i
		}
		if len(order) != 20 {
			t.Errorf("served %v", order)
		}
	})
}

func TestGateLetsGoOfWhoeverLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1, time.Hour)
		release := make(chan struct{})
		var wait sync.WaitGroup
		wait.Go(func() { _ = g.run(t.Context(), 0, func() { <-release }) })
		synctest.Wait()
		ctx, hangUp := context.WithCancel(t.Context())
		for _, octets := range []int{0, largeDocument, 0, largeDocument} {
			wait.Go(func() {
				if err := g.run(ctx, octets, func() { t.Error("it had left") }); !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			})
		}
		served := false
		wait.Go(func() { _ = g.run(t.Context(), largeDocument, func() { served = true }) })
		synctest.Wait()
		hangUp()
		synctest.Wait()
		close(release)
		wait.Wait()
		if !served {
			t.Error("the one who stayed was not served")
		}
		if err := g.run(ctx, 0, func() { t.Error("it had left before it came") }); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestGateRefusesAfterItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(2, 7*time.Second)
		release := make(chan struct{})
		var wait sync.WaitGroup
		for range 2 {
			wait.Go(func() { _ = g.run(t.Context(), 0, func() { <-release }) })
		}
		synctest.Wait()
		start := time.Now()
		for _, octets := range []int{0, largeDocument} {
			if err := g.run(t.Context(), octets, func() { t.Error("there was no room") }); !errors.Is(err, errCrowded) {
				t.Errorf("%d octets: %v", octets, err)
			}
		}
		if took := time.Since(start); took != 14*time.Second {
			t.Errorf("they waited %s", took)
		}
		close(release)
		wait.Wait()
		for _, octets := range []int{0, largeDocument} {
			if err := g.run(t.Context(), octets, func() {}); err != nil {
				t.Errorf("%d octets: %v", octets, err)
			}
		}
	})
}

func TestLargeDocumentsLeaveRoomForSmallOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(4, time.Hour)
		release := make(chan struct{})
		var wait sync.WaitGroup
		for range 10 {
			wait.Go(func() { _ = g.run(t.Context(), largeDocument, func() { <-release }) })
		}
		synctest.Wait()
		start := time.Now()
		for range 10 {
			if err := g.run(t.Context(), largeDocument-1, func() {}); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("small ones waited %s", took)
		}
		close(release)
		wait.Wait()
	})
}

func TestGateOpensAgainAfterAPanic(t *testing.T) {
	g := newGate(1, time.Hour)
	for _, octets := range []int{0, largeDocument, 0} {
		func() {
			defer func() { _ = recover() }()
			_ = g.run(t.Context(), octets, func() { panic("at work") })
		}()
	}
	if err := g.run(t.Context(), largeDocument, func() {}); err != nil {
		t.Error(err)
	}
}

// fill closes the gate of a server until the test ends or open is called.
func fill(t *testing.T, s *Server) (open func()) {
	t.Helper()
	var leave []func()
	for s.gate.all.TryAcquire(1) {
		leave = append(leave, func() { s.gate.all.Release(1) })
	}
	open = sync.OnceFunc(func() {
		for _, f := range leave {
			f()
		}
	})
	t.Cleanup(open)
	return open
}

func TestACrowdedServerSaysSoAndAnswersWhatCostsNothing(t *testing.T) {
	w := newWorld(t)
	document := b64(w.sign(t, "content"))
	apart := b64([]byte("content")) + "|" + b64(w.sign(t, "content", detached))
	challenge := b64(w.sign(t, w.challenge(t)))
	w.server.gate.wait = 20 * time.Millisecond
	open := fill(t, w.server)
	for _, path := range []string{"/ping", "/frontend/challenge", "/healthz/live", "/healthz/ready", "/info", "/metrics"} {
		if rec := w.call("GET", path, ""); rec.Code != http.StatusOK {
			t.Errorf("%s: HTTP %d", path, rec.Code)
		}
	}
	crowded := map[string]string{
		pathAttached:                      document,
		pathDetached:                      apart,
		pathAuth:                          challenge,
		pathMake:                          apart,
		pathJoin:                          document + "|" + document,
		"/backend/pkcs7/report":           document,
		"/backend/pkcs7/restamp":          document,
		"/backend/pkcs7/verify/batch":     `{"documents":[{"id":"1","pkcs7":"` + document + `"}]}`,
		"/backend/certificate/status":     b64(w.user.Cert.Raw),
		"/backend/digest":                 "content",
		"/backend/digest?encoding=base64": document,
	}
	for path, body := range crowded {
		rec := w.call("POST", path, body)
		if rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Retry-After") != "1" || !strings.Contains(rec.Body.String(), "too many requests at once") {
			t.Errorf("%s: HTTP %d, Retry-After %q: %s", path, rec.Code, rec.Header().Get("Retry-After"), rec.Body)
		}
	}
	open()
	w.server.gate.wait = time.Minute
	for path, body := range crowded {
		if rec := w.call("POST", path, body); rec.Code != http.StatusOK {
			t.Errorf("%s: HTTP %d: %s", path, rec.Code, rec.Body)
		}
	}
	// The log-in that was turned away has not used its challenge up.
	if v := w.post(t, pathAuth, challenge); v.Status != statusChallenge {
		t.Errorf("the challenge is good twice: %s", v.raw)
	}
}

// A responder that does not answer keeps nobody else waiting.
func TestNobodyComputesWhileWaitingForAResponder(t *testing.T) {
	asked, answer := make(chan struct{}, 64), make(chan struct{})
	w := newWorld(t, func(c *Config, _ *Deps) { c.Limits.Workers = 1 })
	w.server.deps.Revocation = sourceFunc(func(ctx context.Context, c, issuer *cert.Certificate) (*verify.RevocationStatus, error) {
		asked <- struct{}{}
		select {
		case <-answer:
		case <-ctx.Done():
		}
		return goodStatus{w.now}.Status(ctx, c, issuer)
	})
	body := b64(w.sign(t, "content"))
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			if rec := w.call("POST", pathAttached, body); rec.Code != http.StatusOK {
				t.Errorf("HTTP %d", rec.Code)
			}
		})
	}
	for range 8 {
		<-asked // all of them have computed what they have to
	}
	if v := w.post(t, pathAuth, b64(w.sign(t, w.challenge(t)))); v.Status != statusOK {
		t.Error(v.raw)
	}
	close(answer)
	wait.Wait()
}

// A client that is gone leaves the queue; nothing is computed for it.
func TestAClientThatHangsUpLeavesTheQueue(t *testing.T) {
	w := newWorld(t)
	body := b64(w.sign(t, "content"))
	open := fill(t, w.server)
	ctx, hangUp := context.WithCancel(t.Context())
	done := make(chan int)
	go func() {
		rec := httptest.NewRecorder()
		w.server.Handler().ServeHTTP(rec, httptest.NewRequest("POST", pathAttached, strings.NewReader(body)).WithContext(ctx))
		done <- rec.Code
	}()
	hangUp()
	if code := <-done; code != http.StatusServiceUnavailable {
		t.Errorf("HTTP %d", code)
	}
	open()
	if rec := w.call("POST", pathAttached, body); rec.Code != http.StatusOK {
		t.Errorf("HTTP %d", rec.Code)
	}
}

func TestPiecesOfAStreamTakeTurns(t *testing.T) {
	g := newGate(1, 20*time.Millisecond)
	var out bytes.Buffer
	w := g.writer(t.Context(), &out)
	if n, err := io.WriteString(w, "some"); n != 4 || err != nil {
		t.Error(n, err)
	}
	if err := g.run(t.Context(), 0, func() {
		if n, err := io.WriteString(w, "thing"); n != 0 || !errors.Is(err, errCrowded) {
			t.Error(n, err)
		}
	}); err != nil {
		t.Error(err)
	}
	if out.String() != "some" {
		t.Errorf("%q", &out)
	}
}
