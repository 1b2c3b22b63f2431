// Package health answers whether a service lives and whether it is ready, with
// the reasons.
//
//	checks := []health.Check{{Name: "store", Critical: true, Run: func(ctx context.Context) (string, error) {
//		return "", store.Ping(ctx)
//	}}}
//	mux.Handle("/healthz/live", health.Live())
//	mux.Handle("/healthz/ready", health.NewReady(checks, health.Options{}))
//
// Live is for who restarts a process that hangs, ready for who decides where
// requests go. A check that is not critical is a warning: its failure is told,
// and the service stays ready.
package health

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

const (
	// keep is how long an outcome is told again, so that polling by several
	// balancers costs no more than by one.
	keep = 2 * time.Second
	// limit bounds each check: those who poll seldom wait longer than five
	// seconds.
	limit = 3 * time.Second
)

// Check is one thing that has to work.
type Check struct {
	Name     string
	Critical bool
	// Run tells the state in a few words, and an error when it is not well.
	// It must not tell secrets: whoever asks gets to read both.
	Run func(ctx context.Context) (detail string, err error)
}

// Status of a check or of the whole.
type Status string

const (
	OK      Status = "ok"
	Warning Status = "warning" // not well, and not critical
	Failed  Status = "failed"
)

// Outcome is what came of a check.
type Outcome struct {
	Name     string `json:"name"`
	Status   Status `json:"status"`
	Detail   string `json:"detail,omitempty"`
	Error    string `json:"error,omitempty"`
	Duration string `json:"duration"`
}

// Report is the answer of [Ready].
type Report struct {
	Status Status    `json:"status"`
	Checks []Outcome `json:"checks"`
}

// Live answers 200 as long as the process answers at all.
func Live() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		write(w, http.StatusOK, Report{Status: OK, Checks: []Outcome{}})
	})
}

// Options change how checks are run; the zero value is ready for use.
type Options struct {
	// Limit bounds each check; 0 is three seconds.
	Limit time.Duration
	// Keep is how long a report is told again; 0 is two seconds.
	Keep time.Duration
}

// Ready runs checks. It is safe for concurrent use.
type Ready struct {
	checks  []Check
	options Options

	mu   sync.Mutex
	last *run
}

type run struct {
	done   chan struct{}
	report Report
	ended  time.Time
}

// NewReady makes the handler of the checks, which answers 200 when no critical
// one fails, and 503 otherwise.
func NewReady(checks []Check, o Options) *Ready {
	if o.Limit <= 0 {
		o.Limit = limit
	}
	if o.Keep <= 0 {
		o.Keep = keep
	}
	return &Ready{checks: checks, options: o}
}

// ServeHTTP implements http.Handler.
func (r *Ready) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	report, err := r.Report(request.Context())
	if err != nil {
		return // whoever asked is gone
	}
	code := http.StatusOK
	if report.Status == Failed {
		code = http.StatusServiceUnavailable
	}
	write(w, code, report)
}

// Report runs the checks all at once, or returns what came of them a moment
// ago. The error is that of ctx.
func (r *Ready) Report(ctx context.Context) (Report, error) {
	r.mu.Lock()
	current := r.last
	if current == nil || !current.ended.IsZero() && time.Since(current.ended) > r.options.Keep {
		current = &run{done: make(chan struct{})}
		r.last = current
		// On its own: who asks first may leave, and others wait for it.
		go r.run(current)
	}
	r.mu.Unlock()
	select {
	case <-current.done:
		return current.report, nil
	case <-ctx.Done():
		return Report{}, ctx.Err()
	}
}

func (r *Ready) run(current *run) {
	outcomes := make([]Outcome, len(r.checks))
	var group sync.WaitGroup
	for i, c := range r.checks {
		group.Go(func() { outcomes[i] = r.one(c) })
	}
	group.Wait()
	report := Report{Status: OK, Checks: outcomes}
	for _, o := range outcomes {
		if o.Status == Failed || o.Status == Warning && report.Status == OK {
			report.Status = o.Status
		}
	}
	r.mu.Lock()
	current.report, current.ended = report, time.Now()
	r.mu.Unlock()
	close(current.done)
}

// one runs a check, and does not wait for one that outstays its limit.
func (r *Ready) one(c Check) Outcome {
	ctx, cancel := context.WithTimeout(context.Background(), r.options.Limit)
	defer cancel()
	type answer struct {
		detail string
		err    error
	}
	answered := make(chan answer, 1)
	start := time.Now()
	go func() {
		var a answer
		defer func() {
			if p := recover(); p != nil {
				a = answer{err: fmt.Errorf("the check itself failed: %v", p)}
			}
			answered <- a
		}()
		a.detail, a.err = c.Run(ctx)
	}()
	var a answer
	select {
	case a = <-answered:
	case <-ctx.Done():
		a.err = fmt.Errorf("no answer within %s", r.options.Limit)
	}
	o := Outcome{Name: c.Name, Status: OK, Detail: a.detail, Duration: time.Since(start).Round(time.Microsecond).String()}
	if a.err != nil {
		o.Error, o.Status = a.err.Error(), Warning
		if c.Critical {
			o.Status = Failed
		}
	}
	return o
}

func write(w http.ResponseWriter, code int, report Report) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=UTF-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	// A report always marshals, and who is gone needs no answer.
	_ = json.NewEncoder(w).Encode(report)
}
