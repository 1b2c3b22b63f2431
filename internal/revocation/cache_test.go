package revocation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/cert"
	"imzo/pki/ocsp"
	"imzo/verify"
)

// source is a [verify.RevocationSource] that answers as it is told.
type source struct {
	mu     sync.Mutex
	takes  time.Duration
	answer func() (*verify.RevocationStatus, error)
	calls  int
	closed int
}

func (s *source) Status(ctx context.Context, _, _ *cert.Certificate) (*verify.RevocationStatus, error) {
	s.mu.Lock()
	s.calls++
	takes, answer := s.takes, s.answer
	s.mu.Unlock()
	select {
	case <-time.After(takes):
		return answer()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *source) Close() error { s.closed++; return nil }

func (s *source) set(takes time.Duration, answer func() (*verify.RevocationStatus, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.takes, s.answer = takes, answer
}

func (s *source) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// good is of now, for a day.
func goodNow() (*verify.RevocationStatus, error) {
	return &verify.RevocationStatus{Status: ocsp.Good, Reason: ocsp.NoReason, ThisUpdate: time.Now(), NextUpdate: time.Now().AddDate(0, 0, 1), Source: "test"}, nil
}

func changed(change func(*verify.RevocationStatus)) func() (*verify.RevocationStatus, error) {
	return func() (*verify.RevocationStatus, error) {
		s, err := goodNow()
		change(s)
		return s, err
	}
}

var errDown = errors.New("down")

func down() (*verify.RevocationStatus, error) { return nil, errDown }

// events counts what a cache tells.
type events struct {
	mu   sync.Mutex
	list []Event
}

func (e *events) observe(event Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, event)
}

func (e *events) count(kind EventKind) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for _, event := range e.list {
		if event.Kind == kind {
			n++
		}
	}
	return n
}

// bubble runs a test with a cache of a source that takes a second.
func bubble(t *testing.T, o CacheOptions, test func(*testing.T, *Cache, *source, *events)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, e := &source{takes: time.Second, answer: goodNow}, &events{}
		o.Observe = e.observe
		c := NewCache(s, o)
		defer c.Close()
		test(t, c, s, e)
	})
}

// pair returns what the tests ask about; the source does not look at it.
func pair(t *testing.T) (user, issuer *cert.Certificate) {
	t.Helper()
	certs := certificates(t, 2)
	return certs[0], certs[1]
}

// certificates returns certificates that differ.
func certificates(t *testing.T, n int) []*cert.Certificate {
	t.Helper()
	p := &testpki.PKI{Now: time.Now()}
	var out []*cert.Certificate
	for range n {
		out = append(out, p.SelfSigned(t, func(*cert.Template) {}, "ed25519").Cert)
	}
	return out
}

func TestTwoHundredAskersOneQuestion(t *testing.T) {
	bubble(t, CacheOptions{}, func(t *testing.T, c *Cache, s *source, e *events) {
		user, issuer := pair(t)
		ask := func(source verify.RevocationSource) {
			var askers sync.WaitGroup
			for range 200 {
				askers.Go(func() {
					if status, err := source.Status(t.Context(), user, issuer); err != nil || status.Status != ocsp.Good {
						t.Errorf("%+v, %v", status, err)
					}
				})
			}
			askers.Wait()
		}
		ask(c)
		if s.asked() != 1 || e.count(EventMiss) != 1 || e.count(EventShared) != 199 || e.list[len(e.list)-1].Took != time.Second && e.count(EventHit) != 0 {
			t.Errorf("%d questions; %+v", s.asked(), e.list)
		}
		ask(c)
		if s.asked() != 1 || e.count(EventHit) != 200 {
			t.Errorf("kept: %d questions, %d hits", s.asked(), e.count(EventHit))
		}
		// Those who want it fresh share a question, too.
		ask(c.Fresh())
		if s.asked() != 2 || e.count(EventMiss) != 2 || e.count(EventShared) != 2*199 {
			t.Errorf("fresh: %d questions", s.asked())
		}
	})
}

// TestTwoHundredAskersOneError: an error is shared by those who wait for it,
// and by nobody after them.
func TestTwoHundredAskersOneError(t *testing.T) {
	bubble(t, CacheOptions{}, func(t *testing.T, c *Cache, s *source, e *events) {
		user, issuer := pair(t)
		s.set(time.Second, down)
		var askers sync.WaitGroup
		for range 200 {
			askers.Go(func() {
				if status, err := c.Status(t.Context(), user, issuer); status != nil || !errors.Is(err, errDown) {
					t.Errorf("%+v, %v", status, err)
				}
			})
		}
		askers.Wait()
		if s.asked() != 1 || e.count(EventError) != 1 || e.count(EventShared) != 199 {
			t.Errorf("%d questions", s.asked())
		}
		s.set(0, goodNow)
		if status, err := c.Status(t.Context(), user, issuer); err != nil || status.Status != ocsp.Good {
			t.Errorf("well again: %+v, %v", status, err)
		}
	})
}

func TestAnAskerWhoLeavesTakesNobodyAlong(t *testing.T) {
	bubble(t, CacheOptions{}, func(t *testing.T, c *Cache, s *source, _ *events) {
		user, issuer := pair(t)
		first, leave := context.WithCancel(t.Context())
		var askers sync.WaitGroup
		askers.Go(func() {
			start := time.Now()
			if status, err := c.Status(first, user, issuer); status != nil || !errors.Is(err, context.Canceled) || time.Since(start) != 500*time.Millisecond {
				t.Errorf("who left: %+v, %v after %s", status, err, time.Since(start))
			}
		})
		synctest.Wait()
		for range 10 {
			askers.Go(func() {
				if status, err := c.Status(t.Context(), user, issuer); err != nil || status.Status != ocsp.Good {
					t.Errorf("who stayed: %+v, %v", status, err)
				}
			})
		}
		time.Sleep(500 * time.Millisecond)
		leave()
		askers.Wait()
		if s.asked() != 1 {
			t.Errorf("%d questions", s.asked())
		}
		// All have left: the next has the answer all the same.
		gone, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := c.Fresh().Status(gone, user, issuer); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		time.Sleep(time.Second)
		if _, err := c.Status(t.Context(), user, issuer); err != nil || s.asked() != 2 {
			t.Errorf("%v, %d questions", err, s.asked())
		}
		if _, err := c.Fresh().Status(gone, user, issuer); !errors.Is(err, context.DeadlineExceeded) || s.asked() != 2 {
			t.Errorf("who had left before: %v, %d questions", err, s.asked())
		}
	})
}

func TestHowLongAnAnswerIsKept(t *testing.T) {
	const m = time.Minute
	until := func(d time.Duration) func(*verify.RevocationStatus) {
		return func(s *verify.RevocationStatus) { s.NextUpdate = time.Now().Add(d) }
	}
	for _, tt := range []struct {
		name   string
		cap    time.Duration
		change func(*verify.RevocationStatus)
		want   time.Duration // from the question on, which takes a second
	}{
		{"the default cap", 0, until(time.Hour), m},
		{"another cap", 10 * m, until(time.Hour), 10 * m},
		{"nextUpdate", 10 * m, until(30 * time.Second), 31 * time.Second},
		{"no nextUpdate", 2 * m, func(s *verify.RevocationStatus) { s.NextUpdate = time.Time{} }, 2 * m},
		{"revoked", 0, func(s *verify.RevocationStatus) { s.Status, s.RevokedAt = ocsp.Revoked, time.Now() }, m},
		{"on hold", 0, func(s *verify.RevocationStatus) { s.Status, s.Reason = ocsp.Revoked, 6 }, m},
		{"unknown", 0, func(s *verify.RevocationStatus) { s.Status = ocsp.Unknown }, 0},
		{"of no kind", 0, func(s *verify.RevocationStatus) { s.Status = 77 }, 0},
		{"undated", 0, func(s *verify.RevocationStatus) { s.ThisUpdate = time.Time{} }, 0},
		{"past its nextUpdate", 0, until(-2 * m), 0},
		{"as large as is kept", 0, func(s *verify.RevocationStatus) { s.OCSPResponse = make([]byte, maxKeptResponse) }, m},
		{"too large", 0, func(s *verify.RevocationStatus) { s.OCSPResponse = make([]byte, maxKeptResponse+1) }, 0},
		{"nothing is to be kept", -1, until(time.Hour), 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, CacheOptions{Cap: tt.cap}, func(t *testing.T, c *Cache, s *source, _ *events) {
				user, issuer := pair(t)
				s.set(time.Second, changed(tt.change))
				first, err := c.Status(t.Context(), user, issuer)
				if err != nil {
					t.Fatal(err)
				}
				if tt.want == 0 {
					if _, err := c.Status(t.Context(), user, issuer); err != nil || s.asked() != 2 {
						t.Errorf("%v, %d questions", err, s.asked())
					}
					if len(c.entries) != 0 || c.recent.Len() != 0 {
						t.Error("it was kept")
					}
					return
				}
				s.set(0, down)
				time.Sleep(tt.want - time.Second - time.Nanosecond)
				again, err := c.Status(t.Context(), user, issuer)
				if err != nil || again == first || again.Status != first.Status || !again.ThisUpdate.Equal(first.ThisUpdate) {
					t.Errorf("%+v, %v", again, err)
				}
				time.Sleep(time.Nanosecond)
				if status, err := c.Status(t.Context(), user, issuer); status != nil || !errors.Is(err, errDown) {
					t.Errorf("for too long: %+v, %v", status, err)
				}
			})
		})
	}
}

// TestNobodyWaitsForARefresh: certificates that are in use are answered at once
// for as long as they are, by answers that are never too old.
func TestNobodyWaitsForARefresh(t *testing.T) {
	for _, every := range []time.Duration{time.Second, 10 * time.Second, 40 * time.Second} {
		bubble(t, CacheOptions{}, func(t *testing.T, c *Cache, s *source, e *events) {
			user, issuer := pair(t)
			s.set(5*time.Second, goodNow)
			if _, err := c.Status(t.Context(), user, issuer); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			for time.Since(start) < 10*time.Minute {
				time.Sleep(every)
				before := time.Now()
				status, err := c.Status(t.Context(), user, issuer)
				if err != nil {
					t.Fatal(err)
				}
				if waited := time.Since(before); waited != 0 {
					t.Errorf("every %s: waited %s at %s", every, waited, before.Sub(start))
				}
				if age := time.Since(status.ThisUpdate); age > DefaultCap {
					t.Errorf("every %s: an answer %s old", every, age)
				}
			}
			// One question for 40 to 60 seconds.
			if n := s.asked(); n < 10 || n > 16 || e.count(EventRefresh) < n-2 || e.count(EventMiss) != 1 {
				t.Errorf("every %s: %d questions, %d refreshes, %d misses", every, n, e.count(EventRefresh), e.count(EventMiss))
			}
			// And none when nobody asks any more, but for one.
			n := s.asked()
			time.Sleep(time.Hour)
			if s.asked() > n+1 {
				t.Errorf("every %s: %d questions that nobody had", every, s.asked()-n)
			}
		})
	}
}

// TestAFirstUseNearTheEndRefreshes: the timer had found nobody.
func TestAFirstUseNearTheEndRefreshes(t *testing.T) {
	bubble(t, CacheOptions{}, func(t *testing.T, c *Cache, s *source, e *events) {
		user, issuer := pair(t)
		s.set(0, goodNow)
		for _, wait := range []time.Duration{0, 50 * time.Second, 20 * time.Second} {
			time.Sleep(wait)
			if _, err := c.Status(t.Context(), user, issuer); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if s.asked() != 2 || e.count(EventMiss) != 1 || e.count(EventHit) != 2 || e.count(EventRefresh) != 1 {
			t.Errorf("%d questions, %+v", s.asked(), e.list)
		}
	})
}

// TestWhoIsAskedAboutOnceIsNotRefreshed: most who log in are.
func TestWhoIsAskedAboutOnceIsNotRefreshed(t *testing.T) {
	bubble(t, CacheOptions{}, func(t *testing.T, c *Cache, s *source, e *events) {
		user, issuer := pair(t)
		if _, err := c.Status(t.Context(), user, issuer); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if s.asked() != 1 {
			t.Errorf("%d questions", s.asked())
		}
	})
}

// TestARefreshThatFailsIsTriedAgain, and prolongs nothing.
func TestARefreshThatFailsIsTriedAgain(t *testing.T) {
	bubble(t, CacheOptions{}, func(t *testing.T, c *Cache, s *source, e *events) {
		user, issuer := pair(t)
		ask := func() (*verify.RevocationStatus, error) { return c.Status(t.Context(), user, issuer) }
		for range 2 {
			if _, err := ask(); err != nil {
				t.Fatal(err)
			}
		}
		s.set(time.Second, down)
		time.Sleep(49 * time.Second) // 50 since the question; the refresh at 45 has failed
		if status, err := ask(); err != nil || s.asked() != 2 || e.count(EventError) != 1 {
			t.Errorf("%+v, %v, %d questions", status, err, s.asked())
		}
		s.set(time.Second, goodNow)
		time.Sleep(9 * time.Second) // 59: the next try has succeeded
		if s.asked() != 3 || e.count(EventRefresh) != 1 {
			t.Errorf("%d questions, %+v", s.asked(), e.list)
		}
		time.Sleep(2 * time.Second)
		if _, err := ask(); err != nil || e.count(EventMiss) != 1 {
			t.Errorf("%v, %d misses", err, e.count(EventMiss))
		}
		s.set(time.Second, down)
		time.Sleep(2 * DefaultCap)
		if status, err := ask(); status != nil || !errors.Is(err, errDown) {
			t.Errorf("%+v, %v", status, err)
		}
		if s.asked() > 10 {
			t.Errorf("%d questions in an outage", s.asked())
		}
	})
}

// TestARefreshThatLearnsOfNothingEndsTheAnswer: the responder does not know the
// certificate any more.
func TestARefreshThatLearnsOfNothingEndsTheAnswer(t *testing.T) {
	bubble(t, CacheOptions{}, func(t *testing.T, c *Cache, s *source, _ *events) {
		user, issuer := pair(t)
		for range 2 {
			if _, err := c.Status(t.Context(), user, issuer); err != nil {
				t.Fatal(err)
			}
		}
		s.set(0, changed(func(s *verify.RevocationStatus) { s.Status = ocsp.Unknown }))
		time.Sleep(50 * time.Second)
		if status, err := c.Status(t.Context(), user, issuer); err != nil || status.Status != ocsp.Unknown {
			t.Errorf("%+v, %v", status, err)
		}
	})
}

func TestFreshAnswersAreKeptForOthers(t *testing.T) {
	bubble(t, CacheOptions{}, func(t *testing.T, c *Cache, s *source, _ *events) {
		user, issuer := pair(t)
		if _, err := c.Status(t.Context(), user, issuer); err != nil {
			t.Fatal(err)
		}
		s.set(0, changed(func(s *verify.RevocationStatus) { s.Status = ocsp.Revoked }))
		if status, err := c.Status(t.Context(), user, issuer); err != nil || status.Status != ocsp.Good {
			t.Errorf("kept: %+v, %v", status, err)
		}
		for name, source := range map[string]verify.RevocationSource{"fresh": c.Fresh(), "kept since": c} {
			if status, err := source.Status(t.Context(), user, issuer); name == "fresh" && (err != nil || status.Status != ocsp.Revoked) {
				t.Errorf("%s: %+v, %v", name, status, err)
			}
		}
		if status, err := c.Status(t.Context(), user, issuer); err != nil || status.Status != ocsp.Revoked || s.asked() != 2 {
			t.Errorf("%+v, %v, %d questions", status, err, s.asked())
		}
		// No answer is no answer, also with one that is kept.
		s.set(0, down)
		if status, err := c.Fresh().Status(t.Context(), user, issuer); status != nil || !errors.Is(err, errDown) {
			t.Errorf("%+v, %v", status, err)
		}
	})
}

func TestAnswersAreNotMixedUp(t *testing.T) {
	bubble(t, CacheOptions{}, func(t *testing.T, c *Cache, s *source, _ *events) {
		certs := certificates(t, 4)
		for i, user := range certs {
			for j, issuer := range certs {
				name := fmt.Sprint(i, j)
				s.set(0, changed(func(s *verify.RevocationStatus) { s.Source = name }))
				if status, err := c.Status(t.Context(), user, issuer); err != nil || status.Source != name {
					t.Errorf("%s: %+v, %v", name, status, err)
				}
			}
		}
		for i, user := range certs {
			for j, issuer := range certs {
				status, err := c.Status(t.Context(), user, issuer)
				if err != nil || status.Source != fmt.Sprint(i, j) {
					t.Errorf("%d %d: %+v, %v", i, j, status, err)
				}
				status.Status = ocsp.Revoked // a caller's own
			}
		}
		if status, err := c.Status(t.Context(), certs[0], certs[1]); err != nil || status.Status != ocsp.Good {
			t.Errorf("%+v, %v", status, err)
		}
	})
}

func TestTheLeastUsedMakeRoom(t *testing.T) {
	bubble(t, CacheOptions{MaxEntries: 3}, func(t *testing.T, c *Cache, s *source, _ *events) {
		certs := certificates(t, 5)
		ask := func(i int) int {
			t.Helper()
			before := s.asked()
			if _, err := c.Status(t.Context(), certs[i], certs[0]); err != nil {
				t.Fatal(err)
			}
			if len(c.entries) > 3 || c.recent.Len() != len(c.entries) {
				t.Fatalf("%d entries", len(c.entries))
			}
			return s.asked() - before
		}
		for i := range 3 {
			ask(i)
		}
		ask(0)
		ask(3) // pushes 1 out
		for i, asked := range map[int]int{0: 0, 2: 0, 3: 0} {
			if ask(i) != asked {
				t.Errorf("%d was pushed out", i)
			}
		}
		if ask(1) != 1 {
			t.Error("1 is still there")
		}
	})
}

func TestQuestionsUnderWayAreBounded(t *testing.T) {
	bubble(t, CacheOptions{MaxQuestions: 4}, func(t *testing.T, c *Cache, s *source, e *events) {
		certs := certificates(t, 6)
		s.set(time.Hour, goodNow) // the time limit ends it
		var askers sync.WaitGroup
		var mu sync.Mutex
		busy, late := 0, 0
		start := time.Now()
		for _, user := range certs {
			askers.Go(func() {
				_, err := c.Status(t.Context(), user, certs[0])
				mu.Lock()
				defer mu.Unlock()
				switch {
				case errors.Is(err, ErrBusy) && time.Since(start) == 0:
					busy++
				case errors.Is(err, context.DeadlineExceeded) && time.Since(start) == DefaultTimeout:
					late++
				}
			})
		}
		askers.Wait()
		if busy != 2 || late != 4 || e.count(EventError) != 6 || len(c.flights) != 0 {
			t.Errorf("%d turned away, %d late, %d errors", busy, late, e.count(EventError))
		}
	})
}

// TestManyRefreshesAtOnce has more answers in use than refreshes may wait.
func TestManyRefreshesAtOnce(t *testing.T) {
	bubble(t, CacheOptions{}, func(t *testing.T, c *Cache, s *source, _ *events) {
		user, issuer := pair(t)
		s.set(0, goodNow)
		if _, err := c.Status(t.Context(), user, issuer); err != nil {
			t.Fatal(err)
		}
		c.mu.Lock()
		e := c.recent.Front().Value.(*entry)
		for range cap(c.due) + refreshers { // each of whom has one and waits for the lock
			c.due <- &entry{} // not current, so not asked for
		}
		e.used = true
		c.queue(e)
		if e.queued {
			t.Error("queued beyond the bound")
		}
		c.mu.Unlock()
		synctest.Wait()
		if len(c.due) != 0 || s.asked() != 1 {
			t.Errorf("%d wait, %d questions", len(c.due), s.asked())
		}
	})
}

func TestTheTimeOfARefresh(t *testing.T) {
	for _, tt := range []struct{ option, keep, want time.Duration }{
		{0, 60, 15}, {10, 60, 10}, {50, 60, 30}, {0, 2, 0},
	} {
		c := Cache{options: CacheOptions{RefreshBefore: tt.option}}
		if got := c.refreshBefore(tt.keep); got != tt.want {
			t.Errorf("%d of %d: %d, want %d", tt.option, tt.keep, got, tt.want)
		}
	}
}

func TestASourceThatBreaksIsAnError(t *testing.T) {
	bubble(t, CacheOptions{}, func(t *testing.T, c *Cache, s *source, e *events) {
		user, issuer := pair(t)
		for name, answer := range map[string]func() (*verify.RevocationStatus, error){
			"nothing":           func() (*verify.RevocationStatus, error) { return nil, nil },
			"a panic":           func() (*verify.RevocationStatus, error) { panic("at the disco") },
			"an answer as well": func() (*verify.RevocationStatus, error) { s, _ := goodNow(); return s, errDown },
		} {
			s.set(0, answer)
			if status, err := c.Status(t.Context(), user, issuer); status != nil || err == nil {
				t.Errorf("%s: %+v", name, status)
			}
		}
		if e.count(EventError) != 3 || len(c.flights) != 0 {
			t.Errorf("%d errors, %d under way", e.count(EventError), len(c.flights))
		}
	})
}

// TestAnAnswerHoldsNoDocument: certificates are views of the documents they
// came in.
func TestAnAnswerHoldsNoDocument(t *testing.T) {
	bubble(t, CacheOptions{}, func(t *testing.T, c *Cache, _ *source, _ *events) {
		user, issuer := pair(t)
		for range 2 {
			if _, err := c.Status(t.Context(), user, issuer); err != nil {
				t.Fatal(err)
			}
		}
		e := c.recent.Front().Value.(*entry)
		if !slices.Equal(e.certificate, user.Raw) || !slices.Equal(e.issuer, issuer.Raw) || &e.certificate[0] == &user.Raw[0] || &e.issuer[0] == &issuer.Raw[0] {
			t.Error("not a copy")
		}
	})
}

// TestAnAnswerNeedsBothClocks: whichever was set or stood still.
func TestAnAnswerNeedsBothClocks(t *testing.T) {
	start := time.Now()
	e := entry{asked: start, keep: time.Minute}
	for name, tt := range map[string]struct {
		now  time.Time
		want bool
	}{
		"at once":                 {start, true},
		"in time":                 {start.Add(time.Minute - 1), true},
		"late":                    {start.Add(time.Minute), false},
		"set back":                {start.Add(-1), false},
		"wall clock: in time":     {start.Round(0).Add(time.Second), true},
		"wall clock: set back":    {start.Round(0).Add(-time.Hour), false},
		"wall clock: set forward": {start.Round(0).Add(time.Hour), false},
	} {
		if got := e.fresh(tt.now); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestNeitherClockAloneKeepsAnAnswer(t *testing.T) {
	const m = time.Minute
	for _, tt := range []struct {
		steady, wall time.Duration
		want         bool
	}{
		{0, 0, true}, {m - 1, m - 1, true}, {m / 2, m / 3, true},
		{m / 2, time.Hour, false},  // slept, or set forward
		{m / 2, -time.Hour, false}, // set back
		{m, m / 2, false}, {2 * m, 0, false}, {-1, 0, false}, {0, m, false},
	} {
		if got := within(m, tt.steady, tt.wall); got != tt.want {
			t.Errorf("%s by the one, %s by the other: %v", tt.steady, tt.wall, got)
		}
	}
}

func TestClosing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{takes: time.Hour, answer: goodNow}
		c := NewCache(s, CacheOptions{})
		user, issuer := pair(t)
		done := make(chan error)
		go func() {
			_, err := c.Status(t.Context(), user, issuer)
			done <- err
		}()
		synctest.Wait()
		start := time.Now()
		if err := c.Close(); err != nil || time.Since(start) != 0 || s.closed != 1 {
			t.Errorf("%v after %s, source closed %d times", err, time.Since(start), s.closed)
		}
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("who waited: %v", err)
		}
		if _, err := c.Status(t.Context(), user, issuer); !errors.Is(err, ErrClosed) {
			t.Errorf("after the end: %v", err)
		}
	})
	// With answers that are kept and would be refreshed.
	bubble(t, CacheOptions{}, func(t *testing.T, c *Cache, s *source, _ *events) {
		user, issuer := pair(t)
		for range 2 {
			if _, err := c.Status(t.Context(), user, issuer); err != nil {
				t.Fatal(err)
			}
		}
		c.Close()
		time.Sleep(time.Hour)
		if s.asked() != 1 {
			t.Errorf("%d questions", s.asked())
		}
	})
}

// TestManyAtOnce is for the race detector: askers of all kinds, answers of all
// kinds, and the end in the middle of it.
func TestManyAtOnce(t *testing.T) {
	bubble(t, CacheOptions{MaxEntries: 5, Cap: 200 * time.Millisecond, MaxQuestions: 8}, func(t *testing.T, c *Cache, s *source, e *events) {
		certs := certificates(t, 12)
		s.set(20*time.Millisecond, goodNow)
		var askers sync.WaitGroup
		for i := range 60 {
			askers.Go(func() {
				for j := range 200 {
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(5+i)*time.Millisecond)
					source, about := verify.RevocationSource(c), (i*j)%len(certs)
					if about == 5 {
						source = c.Fresh()
					}
					status, err := source.Status(ctx, certs[about], certs[0])
					cancel()
					if err == nil && time.Since(status.ThisUpdate) > 200*time.Millisecond {
						t.Errorf("an answer %s old", time.Since(status.ThisUpdate))
					}
					time.Sleep(time.Duration(i%13) * time.Millisecond)
				}
			})
		}
		askers.Wait()
		if e.count(EventHit) == 0 || e.count(EventMiss) == 0 || e.count(EventShared) == 0 || e.count(EventRefresh) == 0 || e.count(EventError) == 0 {
			t.Errorf("%d hits, %d misses, %d shared, %d refreshes, %d errors",
				e.count(EventHit), e.count(EventMiss), e.count(EventShared), e.count(EventRefresh), e.count(EventError))
		}
	})
}
