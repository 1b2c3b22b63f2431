package ratelimit

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(1_700_000_000, c.at.Load()) }
func (c *clock) advance(d time.Duration) { c.at.Add(int64(d)) }

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func allowed(l *Limiter, a netip.Addr, n int) (count int) {
	for range n {
		if ok, _ := l.Allow(a); ok {
			count++
		}
	}
	return count
}

func TestABurstAndThenTheRate(t *testing.T) {
	var c clock
	l := New(Options{PerMinute: 60, Burst: 5, Now: c.now})
	a := addr("192.0.2.1")
	if n := allowed(l, a, 100); n != 5 {
		t.Errorf("a burst of %d", n)
	}
	ok, wait := l.Allow(a)
	if ok || wait <= 0 || wait > time.Second {
		t.Errorf("%v, wait %s", ok, wait)
	}
	c.advance(wait)
	if n := allowed(l, a, 10); n != 1 {
		t.Errorf("%d after the wait", n)
	}
	// An hour at three times the rate lets the rate through, and the burst.
	total := 0
	for range 3600 {
		c.advance(time.Second)
		total += allowed(l, a, 3)
	}
	if total < 3600 || total > 3605 {
		t.Errorf("%d in an hour", total)
	}
	// Rest gives the burst back, and no more.
	c.advance(time.Hour)
	if n := allowed(l, a, 100); n != 5 {
		t.Errorf("a burst of %d after a rest", n)
	}
}

func TestAddressesDoNotPayForEachOther(t *testing.T) {
	var c clock
	l := New(Options{PerMinute: 6, Now: c.now})
	for _, pair := range []struct {
		first, second string
		together      bool
	}{
		{"192.0.2.1", "192.0.2.2", false},
		{"198.51.100.1", "::ffff:198.51.100.1", true},
		{"2001:db8::1", "2001:db8::ffff:2", true},
		{"2001:db8:0:1::1", "2001:db8:0:2::1", false},
		{"fe80::1%eth0", "fe80::2%eth1", true},
	} {
		allowed(l, addr(pair.first), 10)
		ok, _ := l.Allow(addr(pair.second))
		if ok == pair.together {
			t.Errorf("%s and %s: together %v", pair.first, pair.second, !ok)
		}
	}
	// Requests without an address are one.
	if n := allowed(l, netip.Addr{}, 10); n != 1 {
		t.Errorf("%d without an address", n)
	}
}

func TestAClockPutBackLocksNobodyOut(t *testing.T) {
	var c clock
	l := New(Options{PerMinute: 60, Burst: 2, Now: c.now})
	a := addr("192.0.2.1")
	allowed(l, a, 10)
	c.advance(-time.Hour)
	if _, wait := l.Allow(a); wait > 2*time.Second {
		t.Errorf("has to wait %s", wait)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	var c clock
	l := New(Options{PerMinute: 1, MaxAddresses: 100, Now: c.now})
	a := netip.AddrFrom4([4]byte{10, 0, 0, 0})
	for range 100_000 {
		a = a.Next()
		l.Allow(a)
		if n := len(l.due) + len(l.older); n > 100 {
			t.Fatalf("%d addresses are kept", n)
		}
	}
	// The last are still known.
	if ok, _ := l.Allow(a); ok {
		t.Error("forgot the last one")
	}
}

func TestManyAtOnceGetNoMoreThanOne(t *testing.T) {
	var c clock
	l := New(Options{PerMinute: 60, Burst: 50, Now: c.now})
	var ok atomic.Int32
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() { ok.Add(int32(allowed(l, addr("192.0.2.1"), 100))) })
	}
	group.Wait()
	if n := ok.Load(); n != 50 {
		t.Errorf("%d of a burst of 50", n)
	}
}

func TestOptionsHaveDefaults(t *testing.T) {
	l := New(Options{})
	if n := allowed(l, addr("192.0.2.1"), 10); n != 1 {
		t.Errorf("%d at once", n)
	}
}

func BenchmarkAllow(b *testing.B) {
	l := New(Options{PerMinute: 600})
	a := addr("192.0.2.1")
	for b.Loop() {
		l.Allow(a)
	}
}
