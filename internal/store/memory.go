package store

import (
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
	alive map[string]*expiry // by challenge
	queue expiryQueue        // of alive
}

var _ Challenges = (*Memory)(nil)

// NewMemory returns an empty store that reads the time from now.
func NewMemory(now func() time.Time) *Memory {
	return &Memory{now: now, max: maxChallenges, alive: map[string]*expiry{}}
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
	m.queue.sweep(now, func(challenge string) { delete(m.alive, challenge) })
	if _, ok := m.alive[challenge]; ok {
		return ErrExists
	}
	if len(m.alive) >= m.max {
		return ErrFull
	}
	e := &expiry{at: now.Add(ttl), id: challenge}
	m.alive[challenge] = e
	m.queue.add(e)
	return nil
}

// Take implements [Challenges].
func (m *Memory) Take(ctx context.Context, challenge string) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.alive[challenge]
	if !ok {
		return false, nil
	}
	delete(m.alive, challenge)
	m.queue.remove(e)
	return !e.over(m.now()), nil
}

// Ping implements [Challenges]: memory is there.
func (m *Memory) Ping(ctx context.Context) error { return ctx.Err() }

// Close implements [Challenges]; there is nothing to let go of.
func (m *Memory) Close() error { return nil }
