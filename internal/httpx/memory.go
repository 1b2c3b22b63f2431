package httpx

import (
	"context"
	"net/http"
	"sync/atomic"
)

// Memory bounds what the bodies of all requests together take, over all the
// handlers that share it. [ReadBody] takes from it as a body comes in, not as
// it is announced, and a request gives all back when it ends.
type Memory struct {
	limit int64
	used  atomic.Int64
}

// NewMemory makes a bound of limit octets.
func NewMemory(limit int64) *Memory { return &Memory{limit: limit} }

// Used tells how much is taken.
func (m *Memory) Used() int64 { return m.used.Load() }

func (m *Memory) take(n int64) bool {
	if m.used.Add(n) <= m.limit {
		return true
	}
	m.used.Add(-n)
	return false
}

// hold takes n octets for the request that ctx belongs to; those without a
// bound get what they ask for.
func hold(ctx context.Context, n int64) bool {
	info, ok := ctx.Value(requestKey{}).(*request)
	if !ok || info.memory == nil {
		return true
	}
	if !info.memory.take(n) {
		return false
	}
	info.held.Add(n)
	return true
}

// release gives back what a request held.
func (i *request) release() {
	if i.memory != nil {
		i.memory.used.Add(-i.held.Swap(0))
	}
}

// errNoRoom is the answer to a body that finds no room.
func errNoRoom() error {
	return &BodyError{Status: http.StatusServiceUnavailable, Text: "too many large requests at once, try again later", RetryAfter: 1}
}
