package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"imzo/internal/testpki/peer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a time that tests move.
type clock struct{ nanoseconds atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(1_700_000_000, c.nanoseconds.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.nanoseconds.Add(int64(d)) }

// stores is the table over which every test of the interface runs: advance
// makes a store believe that time has passed.
var stores = map[string]func(t *testing.T) (c Challenges, advance func(time.Duration)){
	"memory": func(*testing.T) (Challenges, func(time.Duration)) {
		var c clock
		return NewMemory(c.now), c.advance
	},
	"redis": func(t *testing.T) (Challenges, func(time.Duration)) {
		server := peer.Redis(t)
		behind := client(t, server.Addr())
		return openRedis(t, RedisOptions{Addrs: []string{server.Addr()}}), func(d time.Duration) { ageRedis(t, behind, d) }
	},
}

func eachStore(t *testing.T, test func(t *testing.T, c Challenges, advance func(time.Duration))) {
	t.Helper()
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			c, advance := open(t)
			test(t, c, advance)
		})
	}
}

func issue(t *testing.T, c Challenges, challenge string, ttl time.Duration) {
	t.Helper()
	if err := c.Issue(t.Context(), challenge, ttl); err != nil {
		t.Fatal(err)
	}
}

func take(t *testing.T, c Challenges, challenge string) bool {
	t.Helper()
	ok, err := c.Take(t.Context(), challenge)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

func TestTakeRedeemsOnce(t *testing.T) {
	eachStore(t, func(t *testing.T, c Challenges, _ func(time.Duration)) {
		issue(t, c, "a", time.Minute)
		issue(t, c, "b", time.Minute)
		if !take(t, c, "a") || take(t, c, "a") {
			t.Error("a was not redeemed exactly once")
		}
		if take(t, c, "never issued") || take(t, c, "") {
			t.Error("redeemed what was never issued")
		}
		if !take(t, c, "b") {
			t.Error("b was lost")
		}
		if err := c.Ping(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestTakeRefusesWhatHasExpired(t *testing.T) {
	eachStore(t, func(t *testing.T, c Challenges, advance func(time.Duration)) {
		issue(t, c, "short", time.Minute)
		issue(t, c, "long", 2*time.Minute)
		advance(time.Minute)
		if take(t, c, "short") {
			t.Error("redeemed at the end of its lifetime")
		}
		advance(time.Minute - time.Second)
		if !take(t, c, "long") {
			t.Error("refused just before the end of its lifetime")
		}
	})
}

func TestIssueRefusesALivingChallengeAndTakesADeadOne(t *testing.T) {
	eachStore(t, func(t *testing.T, c Challenges, advance func(time.Duration)) {
		issue(t, c, "a", time.Minute)
		if err := c.Issue(t.Context(), "a", time.Hour); !errors.Is(err, ErrExists) {
			t.Errorf("issued twice: %v", err)
		}
		advance(time.Minute)
		issue(t, c, "a", time.Minute)
		if !take(t, c, "a") {
			t.Error("lost after it was issued anew")
		}
		// Taken early and issued anew: the end of the first life must not end
		// the second.
		issue(t, c, "b", time.Minute)
		advance(30 * time.Second)
		take(t, c, "b")
		issue(t, c, "b", time.Minute)
		advance(45 * time.Second)
		issue(t, c, "other", time.Minute)
		if !take(t, c, "b") {
			t.Error("the second life ended with the first")
		}
	})
}

func TestIssueRefusesAChallengeWithoutALifetime(t *testing.T) {
	eachStore(t, func(t *testing.T, c Challenges, _ func(time.Duration)) {
		for _, ttl := range []time.Duration{0, -1, -time.Minute, time.Millisecond - 1} {
			if err := c.Issue(t.Context(), "a", ttl); err == nil {
				t.Errorf("issued for %s", ttl)
			}
		}
		if take(t, c, "a") {
			t.Error("redeemed")
		}
	})
}

func TestACancelledContextRedeemsNothing(t *testing.T) {
	eachStore(t, func(t *testing.T, c Challenges, _ func(time.Duration)) {
		issue(t, c, "a", time.Minute)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if ok, err := c.Take(ctx, "a"); ok || err == nil {
			t.Errorf("got %v, %v", ok, err)
		}
		if err := c.Issue(ctx, "b", time.Minute); err == nil {
			t.Error("issued")
		}
		if !take(t, c, "a") {
			t.Error("the challenge was lost")
		}
	})
}

func TestEachChallengeIsRedeemedOnceByManyAtTheSameTime(t *testing.T) {
	const challenges, takers = 1000, 16
	eachStore(t, func(t *testing.T, c Challenges, _ func(time.Duration)) {
		var won [challenges]atomic.Int32
		var group sync.WaitGroup
		start := make(chan struct{})
		for i := range challenges {
			issue(t, c, fmt.Sprint(i), time.Hour)
		}
		for worker := range takers {
			group.Go(func() {
				<-start
				for i := range challenges {
					i = (i + worker*7) % challenges
					ok, err := c.Take(context.Background(), fmt.Sprint(i))
					if err != nil {
						t.Error(err)
					}
					if ok {
						won[i].Add(1)
					}
					// Others are issued meanwhile.
					if err := c.Issue(context.Background(), fmt.Sprint("other ", worker, i), time.Second); err != nil {
						t.Error(err)
					}
				}
			})
		}
		close(start)
		group.Wait()
		for i := range won {
			if n := won[i].Load(); n != 1 {
				t.Errorf("challenge %d was redeemed %d times", i, n)
			}
		}
	})
}

func TestMemoryIsBoundedAndSweepsTheDead(t *testing.T) {
	var c clock
	m := NewMemory(c.now)
	m.max = 10
	for i := range 10 {
		// Lifetimes of different length, so that the queue has to sort.
		issue(t, m, fmt.Sprint(i), time.Duration(10-i)*time.Second)
	}
	if err := m.Issue(t.Context(), "one too many", time.Second); !errors.Is(err, ErrFull) {
		t.Fatalf("got %v", err)
	}
	c.advance(5 * time.Second)
	for i := range 5 {
		issue(t, m, fmt.Sprint("new ", i), time.Minute)
	}
	if len(m.alive) != 10 || m.queue.len() != 10 {
		t.Errorf("%d alive, %d queued", len(m.alive), m.queue.len())
	}
	if !take(t, m, "0") || take(t, m, "9") {
		t.Error("swept the wrong ones")
	}
	c.advance(time.Hour)
	issue(t, m, "last", time.Minute)
	if len(m.alive) != 1 || m.queue.len() != 1 {
		t.Errorf("%d alive, %d queued after all others died", len(m.alive), m.queue.len())
	}
}

func BenchmarkMemory(b *testing.B) {
	m := NewMemory(time.Now)
	for i := 0; b.Loop(); i++ {
		id := fmt.Sprint(i)
		if err := m.Issue(b.Context(), id, time.Minute); err != nil {
			b.Fatal(err)
		}
		if ok, err := m.Take(b.Context(), id); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
