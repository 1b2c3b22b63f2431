package failover

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errDown = errors.New("down")

// peers answer with their own name unless they are down or slow.
type peers struct {
	down, slow map[string]bool
	asked      []string
	took       []time.Duration
}

func (p *peers) question(ctx context.Context, address string) (string, error) {
	start := time.Now()
	defer func() { p.asked, p.took = append(p.asked, address), append(p.took, time.Since(start)) }()
	switch {
	case p.slow[address]:
		<-ctx.Done()
		return "", ctx.Err()
	case p.down[address]:
		return "", errDown
	}
	return address, nil
}

func (p *peers) ask(t *testing.T, pool *Pool, spare int, addresses ...string) (string, error) {
	t.Helper()
	p.asked, p.took = nil, nil
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
	defer cancel()
	return Ask(ctx, pool, addresses, spare, p.question)
}

func set(names ...string) map[string]bool {
	out := make(map[string]bool)
	for _, name := range names {
		out[name] = true
	}
	return out
}

func TestTheFirstThatAnswersCounts(t *testing.T) {
	for _, tt := range []struct {
		down  map[string]bool
		want  string
		asked []string
	}{
		{nil, "a", []string{"a"}},
		{set("a"), "b", []string{"a", "b"}},
		{set("a", "b"), "c", []string{"a", "b", "c"}},
		{set("a", "b", "c"), "", []string{"a", "b", "c"}},
		{set("b"), "a", []string{"a"}},
	} {
		var pool Pool
		p := peers{down: tt.down}
		got, err := p.ask(t, &pool, 0, "a", "b", "a", "c", "b")
		if got != tt.want || !slices.Equal(p.asked, tt.asked) || (err == nil) != (tt.want != "") {
			t.Errorf("down %v: %q, %v, asked %v", tt.down, got, err, p.asked)
		}
		if err != nil && (!errors.Is(err, errDown) || !strings.Contains(err.Error(), "b: down")) {
			t.Errorf("%v does not tell who and why", err)
		}
	}
	if _, err := Ask(t.Context(), &Pool{}, nil, 0, (&peers{}).question); !errors.Is(err, ErrNobody) {
		t.Errorf("nobody: %v", err)
	}
}

func TestTheTimeIsShared(t *testing.T) {
	const s = time.Second
	for _, tt := range []struct {
		slow, down map[string]bool
		spare      int
		want       string
		took       []time.Duration
	}{
		{set("a"), nil, 0, "b", []time.Duration{2 * s, 0}},
		{set("a", "b"), nil, 0, "c", []time.Duration{2 * s, 2 * s, 0}},
		{set("a", "b", "c"), nil, 0, "", []time.Duration{2 * s, 2 * s, 2 * s}},
		{set("a", "b", "c"), nil, 1, "", []time.Duration{s + s/2, s + s/2, s + s/2}},
		// What those who fail at once do not use is for the others.
		{set("b"), set("a"), 0, "c", []time.Duration{0, 3 * s, 0}},
		{set("c"), set("a", "b"), 0, "", []time.Duration{0, 0, 6 * s}},
	} {
		synctest.Test(t, func(t *testing.T) {
			var pool Pool
			p := peers{slow: tt.slow, down: tt.down}
			got, err := p.ask(t, &pool, tt.spare, "a", "b", "c")
			if got != tt.want || !slices.Equal(p.took, tt.took) || (err == nil) != (tt.want != "") {
				t.Errorf("slow %v, down %v: %q, %v, took %v", tt.slow, tt.down, got, err, p.took)
			}
		})
	}
	// Without an end there is nothing to share.
	if got, err := Ask(t.Context(), &Pool{}, []string{"a"}, 0, func(ctx context.Context, address string) (string, error) {
		if _, ok := ctx.Deadline(); ok {
			t.Error("a time limit came from nowhere")
		}
		return address, nil
	}); got != "a" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestADeadPeerStandsAsideAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pool Pool
		p := peers{down: set("a")}
		want := func(when, answer string, asked ...string) {
			t.Helper()
			if got, err := p.ask(t, &pool, 0, "a", "b"); got != answer || err != nil || !slices.Equal(p.asked, asked) {
				t.Errorf("%s: %q, %v, asked %v", when, got, err, p.asked)
			}
		}
		want("at first", "b", "a", "b")
		want("then", "b", "b")
		time.Sleep(rest)
		want("one tries it", "b", "a", "b")
		want("and is right", "b", "b")
		p.down = nil
		want("not tried yet", "b", "b")
		time.Sleep(rest)
		want("alive", "a", "a")
		want("for good", "a", "a")
		// All down: each is a chance, and the first sign of life counts.
		p.down = set("a", "b")
		if got, err := p.ask(t, &pool, 0, "a", "b"); err == nil {
			t.Errorf("all down: %q", got)
		}
		p.down = nil
		want("recovered", "a", "a")
	})
}

// TestOneTriesThePeerThatWasDead has many askers at the end of its rest.
func TestOneTriesThePeerThatWasDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pool Pool
		if _, err := (&peers{down: set("a")}).ask(t, &pool, 0, "a", "b"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(rest)
		var mu sync.Mutex
		tried := 0
		var askers sync.WaitGroup
		for range 50 {
			askers.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
				defer cancel()
				got, err := Ask(ctx, &pool, []string{"a", "b"}, 0, func(ctx context.Context, address string) (string, error) {
					if address == "b" {
						return "b", nil
					}
					mu.Lock()
					tried++
					mu.Unlock()
					<-ctx.Done()
					return "", ctx.Err()
				})
				if got != "b" || err != nil {
					t.Errorf("%q, %v", got, err)
				}
			})
		}
		askers.Wait()
		if tried != 1 {
			t.Errorf("%d tried it", tried)
		}
	})
}

func TestAnAskerWhoLeavesBlamesNobody(t *testing.T) {
	var pool Pool
	ctx, cancel := context.WithCancel(t.Context())
	asked := 0
	_, err := Ask(ctx, &pool, []string{"a", "b"}, 0, func(ctx context.Context, _ string) (string, error) {
		asked++
		cancel()
		return "", ctx.Err()
	})
	if !errors.Is(err, context.Canceled) || asked != 1 {
		t.Errorf("%v, asked %d", err, asked)
	}
	p := &peers{}
	if got, err := p.ask(t, &pool, 0, "a", "b"); got != "a" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestTheMemoryForPeersIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pool Pool
		p := &peers{down: map[string]bool{}}
		fail := func(from, to int) {
			for i := from; i < to; i++ {
				name := fmt.Sprint("peer", i)
				p.down[name] = true
				if _, err := p.ask(t, &pool, 0, name); err == nil {
					t.Error("answered")
				}
			}
			if len(pool.resting) > maxRemembered {
				t.Errorf("%d peers", len(pool.resting))
			}
		}
		fail(0, 2*maxRemembered)
		time.Sleep(rest)
		fail(2*maxRemembered, 2*maxRemembered+1)
		if len(pool.resting) != 1 {
			t.Errorf("%d peers are still remembered", len(pool.resting))
		}
	})
}
