package health

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func get(t *testing.T, h http.Handler) (int, Report) {
	t.Helper()
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest("GET", "/", nil))
	var r Report
	if err := json.Unmarshal(rec.Body.Bytes(), &r); err != nil {
		t.Fatalf("%v: %s", err, rec.Body)
	}
	return rec.Code, r
}

func fine(context.Context) (string, error)   { return "3 roots", nil }
func broken(context.Context) (string, error) { return "", errors.New("no connection") }

func TestReadyTellsWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		checks []Check
		code   int
		status Status
	}{
		"nothing to check": {nil, 200, OK},
		"all well":         {[]Check{{"a", true, fine}, {"b", false, fine}}, 200, OK},
		"a warning":        {[]Check{{"a", true, fine}, {"b", false, broken}}, 200, Warning},
		"a failure":        {[]Check{{"a", true, broken}, {"b", false, broken}, {"c", true, fine}}, 503, Failed},
		"a panic":          {[]Check{{"a", true, func(context.Context) (string, error) { panic("oh") }}}, 503, Failed},
	} {
		code, report := get(t, NewReady(c.checks, Options{}))
		if code != c.code || report.Status != c.status || len(report.Checks) != len(c.checks) {
			t.Errorf("%s: HTTP %d %+v", name, code, report)
		}
	}
	_, report := get(t, NewReady([]Check{{"a", true, fine}, {"b", false, broken}}, Options{}))
	if a, b := report.Checks[0], report.Checks[1]; a.Name != "a" || a.Detail != "3 roots" || a.Error != "" || b.Status != Warning || b.Error != "no connection" {
		t.Errorf("%+v", report)
	}
	if code, report := get(t, Live()); code != 200 || report.Status != OK {
		t.Errorf("live: %d %+v", code, report)
	}
}

func TestPollingCostsOneRunInAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int32
		r := NewReady([]Check{{"a", true, func(context.Context) (string, error) {
			runs.Add(1)
			time.Sleep(time.Second)
			return "", nil
		}}}, Options{})
		var group sync.WaitGroup
		for range 100 {
			group.Go(func() {
				if _, err := r.Report(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if n := runs.Load(); n != 1 {
			t.Errorf("%d runs for 100 at once", n)
		}
		time.Sleep(keep / 2)
		_, _ = r.Report(t.Context())
		time.Sleep(keep)
		_, _ = r.Report(t.Context())
		if n := runs.Load(); n != 2 {
			t.Errorf("%d runs, want 2", n)
		}
	})
}

func TestACheckThatHangsIsAFailureAndHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		r := NewReady([]Check{{"a", true, func(context.Context) (string, error) { <-release; return "", nil }}}, Options{})
		start := time.Now()
		report, err := r.Report(t.Context())
		if err != nil || report.Status != Failed || report.Checks[0].Error != "no answer within 3s" || time.Since(start) != limit {
			t.Errorf("%+v %v after %s", report, err, time.Since(start))
		}
		close(release)
		// Who leaves does not wait, and the run goes on for others.
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		time.Sleep(2 * keep)
		r.checks[0].Run = func(context.Context) (string, error) { time.Sleep(time.Second); return "", nil }
		if _, err := r.Report(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		if report, err := r.Report(t.Context()); err != nil || report.Status != OK {
			t.Errorf("%+v %v", report, err)
		}
	})
}
