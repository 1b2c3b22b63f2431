package httpx

import (
	"context"
	"net/http"
	"runtime"
	"sync/atomic"
)

// Memory bounds what the bodies of all requests together take, over all the
// handlers that share it. [ReadBody] takes from it as a body comes in, not as
// it is announced, and a request gives all back when it ends.
//
// A quarter of it is kept for small bodies, so that a few large ones that come
// slowly, or are sent to do harm, leave log-ins alone.
type Memory struct {
	limit int64
	used  atomic.Int64
	large atomic.Int64 // of used, what bodies beyond smallBody have
	ended atomic.Int64 // requests whose memory is still to be collected
}

// smallBody is more than a log-in has, which is a signature with the signer's
// chain: 4 to 16 KiB.
const smallBody = 64 << 10

// NewMemory makes a bound of limit octets.
func NewMemory(limit int64) *Memory { return &Memory{limit: limit} }

// Used tells how much is taken.
func (m *Memory) Used() int64 { return m.used.Load() }

// take takes n octets more for a request that has held so many.
func (m *Memory) take(n, held int64) bool {
	large := largePart(held+n) - largePart(held)
	if m.used.Add(n) > m.limit {
		m.used.Add(-n)
		return false
	}
	if large > 0 && m.large.Add(large) > m.limit-m.limit/4 {
		m.used.Add(-n)
		m.large.Add(-large)
		return false
	}
	return true
}

// largePart is how much of a request's octets counts as that of a large body.
func largePart(held int64) int64 {
	if held <= smallBody {
		return 0
	}
	return held
}

// hold takes n octets for the request that ctx belongs to; those without a
// bound get what they ask for.
func hold(ctx context.Context, n int64) bool {
	info, ok := ctx.Value(requestKey{}).(*request)
	if !ok || info.memory == nil {
		return true
	}
	if !info.memory.take(n, info.held.Load()) {
		return false
	}
	info.held.Add(n)
	return true
}

// release gives back what a request held.
func (i *request) release() {
	if i.memory != nil {
		held := i.held.Swap(0)
		i.memory.used.Add(-held)
		i.memory.large.Add(-largePart(held))
		if held >= giantBody {
			i.memory.collect()
		}
	}
}

// giantBody is more than all else that a server has in memory. What such a
// body leaves would double the memory with the next one, before the garbage
// collector sees a reason to come.
const giantBody = 16 << 20

// collect runs the garbage collector in the background, which with a few
// megabytes in use takes it some milliseconds.
func (m *Memory) collect() {
	if m.ended.Add(1) > 1 {
		return // it runs already, and once more after that
	}
	go func() {
		for {
			n := m.ended.Load()
			runtime.GC()
			if m.ended.Add(-n) == 0 {
				return
			}
		}
	}()
}

// errNoRoom is the answer to a body that finds no room.
func errNoRoom() error {
	return &BodyError{Status: http.StatusServiceUnavailable, Text: "too many large requests at once, try again later", RetryAfter: 1}
}
