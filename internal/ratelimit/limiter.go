// Package ratelimit bounds how often one address may ask, by the generic cell
// rate algorithm (GCRA, ITU-T I.371 Annex A): a burst at once, and then as many
// as the rate lets through, evenly.
//
//	limiter := ratelimit.New(ratelimit.Options{PerMinute: 60, Now: time.Now})
//	ok, wait := limiter.Allow(addr)
//
// An IPv6 address stands for its /64, which is what one customer gets. What
// limiter keeps is bounded: with more addresses than that at the same time, the
// ones that have asked least of late are forgotten, which only favours them.
package ratelimit

import (
	"net/netip"
	"sync"
	"time"
)

// maxAddresses bounds a limiter: 64 octets each are about 10 MB.
const maxAddresses = 1 << 17

// Options bound a limiter.
type Options struct {
	// PerMinute is the rate, at least 1.
	PerMinute int
	// Burst is how many may come at once; 0 is what the rate lets through in
	// ten seconds, and at least 1.
	Burst int
	// MaxAddresses bounds how many are remembered; 0 is 131,072.
	MaxAddresses int
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Limiter counts requests by address. It is safe for concurrent use.
type Limiter struct {
	interval time.Duration // between requests at the rate
	slack    time.Duration // how far an address may be ahead of it
	max      int
	now      func() time.Time

	mu sync.Mutex
	// due is when an address would be back at the rate: everything at or
	// before now has no debt and need not be kept. Two generations are kept:
	// when the first is full it becomes the second, which is forgotten.
	due, older map[netip.Addr]time.Time
}

// New makes a limiter.
func New(o Options) *Limiter {
	if o.PerMinute < 1 {
		o.PerMinute = 1
	}
	if o.Burst < 1 {
		o.Burst = max(1, o.PerMinute/6)
	}
	if o.MaxAddresses < 1 {
		o.MaxAddresses = maxAddresses
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	interval := time.Minute / time.Duration(o.PerMinute)
	return &Limiter{
		interval: interval, slack: time.Duration(o.Burst-1) * interval, max: max(1, o.MaxAddresses/2), now: o.Now,
		due: map[netip.Addr]time.Time{}, older: map[netip.Addr]time.Time{},
	}
}

// Allow tells whether a request of an address is within the limit, and counts
// it if so. Otherwise wait is how long it takes until one is.
func (l *Limiter) Allow(a netip.Addr) (ok bool, wait time.Duration) {
	a = Bucket(a)
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	due, known := l.due[a]
	if !known {
		due = l.older[a]
	}
	if due.Before(now) {
		due = now
	}
	// A clock that was put back must not lock anybody out.
	if latest := now.Add(l.slack + l.interval); due.After(latest) {
		due = latest
	}
	if wait = due.Sub(now) - l.slack; wait > 0 {
		return false, wait
	}
	if !known && len(l.due) >= l.max {
		l.due, l.older = map[netip.Addr]time.Time{}, l.due
	}
	l.due[a] = due.Add(l.interval)
	return true, 0
}

// Bucket is what is counted for an address: itself, or its /64 when it is of
// IPv6.
func Bucket(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if !a.Is6() {
		return a
	}
	p, err := a.Prefix(64)
	if err != nil {
		return a // not for a bit length that IPv6 has
	}
	return p.Addr()
}
