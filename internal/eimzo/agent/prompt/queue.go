package prompt

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Bounds of what waits for the person.
const (
	maxWaiting  = 8
	maxOfOrigin = 2
	maxWait     = 90 * time.Second // for a turn
	// After freeRefusals in a row a page waits before it may ask again, each
	// time twice as long.
	freeRefusals = 3
	firstPause   = 5 * time.Second
	longestPause = 10 * time.Minute
	maxOrigins   = 1024
)

// Queue shows one question at a time. A page may have two waiting; one that
// goes on asking after it was refused has to wait, so that nobody is worn down.
type Queue struct {
	form Prompter
	now  func() time.Time
	turn chan struct{}

	mu       sync.Mutex
	waiting  map[string]int
	all      int
	refusals map[string]*refusals
}

type refusals struct {
	count int
	until time.Time
}

// NewQueue puts a queue in front of a form; now is the clock, nil for time.Now.
func NewQueue(form Prompter, now func() time.Time) *Queue {
	if now == nil {
		now = time.Now
	}
	return &Queue{form: form, now: now, turn: make(chan struct{}, 1), waiting: map[string]int{}, refusals: map[string]*refusals{}}
}

// Ask implements [Prompter]. The person has a minute from when the question is
// shown.
func (q *Queue) Ask(ctx context.Context, r Request) (Answer, error) {
	if err := q.enter(r.Origin); err != nil {
		return Answer{}, err
	}
	defer q.leave(r.Origin)
	wait, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	select {
	case q.turn <- struct{}{}:
	case <-wait.Done():
		if ctx.Err() != nil {
			return Answer{}, ctx.Err()
		}
		return Answer{}, ErrBusy
	}
	defer func() { <-q.turn }()
	shown, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	answer, err := q.form.Ask(shown, r)
	if err != nil && ctx.Err() == nil && errors.Is(shown.Err(), context.DeadlineExceeded) {
		err = errors.Join(ErrTimeout, err)
	}
	said := err
	if err == nil && (r.Kind == KindPermission || r.Kind == KindConfirm) && !answer.Allowed {
		said = ErrCancelled
	}
	q.note(r.Origin, said)
	return answer, err
}

func (q *Queue) enter(origin string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if k := q.refusals[origin]; k != nil && q.now().Before(k.until) {
		return ErrBusy
	}
	if q.all >= maxWaiting || q.waiting[origin] >= maxOfOrigin {
		return ErrBusy
	}
	q.all++
	q.waiting[origin]++
	return nil
}

func (q *Queue) leave(origin string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.all--
	if q.waiting[origin]--; q.waiting[origin] == 0 {
		delete(q.waiting, origin)
	}
}

// note counts refusals in a row.
func (q *Queue) note(origin string, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case err == nil:
		delete(q.refusals, origin)
		return
	case errors.Is(err, ErrUnavailable), errors.Is(err, ErrMismatch):
		return // the person had no part in it, or wants to go on
	}
	// A page that leaves before there was an answer counts too, or it could show
	// one question after the other.
	k := q.refusals[origin]
	if k == nil {
		if len(q.refusals) >= maxOrigins {
			clear(q.refusals)
		}
		k = &refusals{}
		q.refusals[origin] = k
	}
	k.count++
	if k.count >= freeRefusals {
		pause := min(firstPause<<min(k.count-freeRefusals, 16), longestPause)
		k.until = q.now().Add(pause)
	}
}
