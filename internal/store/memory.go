package store

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// maxChallenges bounds a Memory. At the two minutes a challenge lives it is
// more than four thousand log-ins a second, and about 100 MB.
const maxChallenges = 1 << 19

// Memory is a [Challenges] in the memory of this process.
type Memory struct {
	now func() time.Time
	max int

	mu    sync.Mutex
	alive map[string]time.Time // challenge -> the instant it dies
	queue expiryQueue          // the next to die first; also holds those taken since
}

var _ Challenges = (*Memory)(nil)

// NewMemory returns an empty store that reads the time from now.
func NewMemory(now func() time.Time) *Memory {
	return &Memory{now: now, max: maxChallenges, alive: map[string]time.Time{}}
}

// Issue implements [Challenges].
func (m *Memory) Issue(ctx context.Context, challenge string, ttl time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if ttl < minLifetime {
		return errLifetime
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	m.sweep(now)
	if _, ok := m.alive[challenge]; ok {
		return ErrExists
	}
	if len(m.queue) >= m.max {
		return ErrFull
	}
	e := expiry{at: now.Add(ttl), challenge: challenge}
	m.alive[challenge] = e.at
	heap.Push(&m.queue, e)
	return nil
}

// Take implements [Challenges].
func (m *Memory) Take(ctx context.Context, challenge string) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	at, ok := m.alive[challenge]
	delete(m.alive, challenge)
	return ok && m.now().Before(at), nil
}

// Ping implements [Challenges]: memory is there.
func (m *Memory) Ping(ctx context.Context) error { return ctx.Err() }

// Close implements [Challenges]; there is nothing to let go of.
func (m *Memory) Close() error { return nil }

// sweep forgets what has died by now. Each challenge is swept once, so the
// cost of an Issue stays that of one heap operation on average.
func (m *Memory) sweep(now time.Time) {
	for len(m.queue) > 0 && !now.Before(m.queue[0].at) {
		e := heap.Pop(&m.queue).(expiry)
		// The same value may have been taken and issued anew since.
		if m.alive[e.challenge].Equal(e.at) {
			delete(m.alive, e.challenge)
		}
	}
}

type expiry struct {
	at        time.Time
	challenge string
}

// expiryQueue is a heap.Interface by time of expiry.
type expiryQueue []expiry

func (q expiryQueue) Len() int           { return len(q) }
func (q expiryQueue) Less(i, j int) bool { return q[i].at.Before(q[j].at) }
func (q expiryQueue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *expiryQueue) Push(x any)        { *q = append(*q, x.(expiry)) }

func (q *expiryQueue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = expiry{}
	*q = (*q)[:last]
	return e
}
