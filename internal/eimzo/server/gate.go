package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"time"

	"golang.org/x/sync/semaphore"

	"imzo/internal/httpx"
)

// gate bounds how much is computed at the same time, so that answers which
// cost nothing do not wait behind documents, and a crowd is served one after
// the other instead of all slowly. Those who come first go first. Whoever has
// passed computes and does not wait for anything: not for an OCSP responder, a
// store, or a client; so it cannot be kept closed from outside.
type gate struct {
	all   *semaphore.Weighted
	large *semaphore.Weighted // taken before all by what takes long
	wait  time.Duration       // the longest that anybody waits
}

// newGate makes a gate for so many at once. Large documents get half of it, or
// they would stand in the way of log-ins for as long as their hash takes.
func newGate(workers int, wait time.Duration) *gate {
	if workers <= 0 {
		workers = defaultWorkers()
	}
	return &gate{
		all:   semaphore.NewWeighted(int64(workers)),
		large: semaphore.NewWeighted(int64(max(1, workers/2))),
		wait:  wait,
	}
}

// defaultWorkers is one for each processor that we may use. On a single one
// there are two, so that a large document leaves room for a small one.
func defaultWorkers() int { return max(2, runtime.GOMAXPROCS(0)) }

// errCrowded is the answer when nothing became free in time.
var errCrowded = &httpx.BodyError{Status: http.StatusServiceUnavailable, Text: "too many requests at once, try again later", RetryAfter: 1}

// run calls work when its turn comes. It returns the error of ctx, or
// errCrowded, when it did not come; work was not called then. octets is how
// much is to be hashed.
func (g *gate) run(ctx context.Context, octets int, work func()) error {
	if ctx.Err() == nil && octets < largeDocument && g.all.TryAcquire(1) { // nobody is waiting
		defer g.all.Release(1)
		work()
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, g.wait)
	defer cancel()
	leave, err := g.enter(limited, octets)
	if err != nil {
		if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
			return errCrowded
		}
		return err
	}
	defer leave()
	work()
	return nil
}

// enter waits for its turn. Whoever gets in calls leave.
func (g *gate) enter(ctx context.Context, octets int) (leave func(), err error) {
	isLarge := octets >= largeDocument
	if isLarge {
		if err := g.large.Acquire(ctx, 1); err != nil {
			return nil, err
		}
	}
	if err := g.all.Acquire(ctx, 1); err != nil {
		if isLarge {
			g.large.Release(1)
		}
		return nil, err
	}
	return func() {
		g.all.Release(1)
		if isLarge {
			g.large.Release(1)
		}
	}, nil
}

// writer is w with a turn for each piece that is written: for what is hashed
// as it comes, between waits for the network.
func (g *gate) writer(ctx context.Context, w io.Writer) io.Writer { return gatedWriter{g, ctx, w} }

type gatedWriter struct {
	gate *gate
	ctx  context.Context
	w    io.Writer
}

func (g gatedWriter) Write(p []byte) (n int, err error) {
	if refused := g.gate.run(g.ctx, 0, func() { n, err = g.w.Write(p) }); refused != nil {
		return 0, refused
	}
	return n, err
}
