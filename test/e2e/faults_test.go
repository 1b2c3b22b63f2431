//go:build unix

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"imzo/internal/testpki/faultproxy"
	"imzo/internal/testpki/peer"
)

const (
	// longest503 is all that a server answers while Redis is away: the time-outs
	// of the guide's configuration, 2 s to connect and 2 s to read, and the
	// noise of a machine with other work.
	longest503 = 5 * time.Second
	// atOnce is for an answer that waits for nobody.
	atOnce = 500 * time.Millisecond
	// recovery is what the servers may take to notice that Redis is back.
	recovery = 5 * time.Second
)

// The texts of docs/server.md for a challenge and an answer to one while the
// store is away.
var texts503 = []string{
	"no challenge can be issued now, see the log of the server",
	"the challenges cannot be looked up, see the log of the server",
}

// people at work: they log in all the time, and whatever happens to Redis,
// their answers have to be the documented ones.
type crowd struct {
	w       *world
	servers []*server
	// fronts are where challenges come from: nginx, and each server.
	fronts  []string
	mu      sync.Mutex
	tally   map[string]int
	fast    int // 503 answers given at once
	slowest time.Duration
}

// logIn answers one challenge to both servers at once.
func (c *crowd) logIn(ctx context.Context, i int) error {
	challenge, err := c.ask(c.fronts[i%len(c.fronts)]+"/frontend/challenge", "")
	if err != nil {
		return err
	}
	if challenge.code != http.StatusOK {
		time.Sleep(10 * time.Millisecond) // as a person who tries again, only faster
		return ctx.Err()
	}
	document, err := c.w.sign(c.w.people[i%len(c.w.people)], challenge.Challenge)
	if err != nil {
		return err
	}
	statuses := make([]int, len(c.servers))
	var both errgroup.Group
	for i, s := range c.servers {
		both.Go(func() error {
			a, err := c.ask(s.backend+"/backend/auth", document)
			statuses[i] = a.Status
			return err
		})
	}
	if err := both.Wait(); err != nil {
		return err
	}
	if n := count(statuses, 1); n > 1 {
		return fmt.Errorf("accepted by %d servers", n)
	}
	return ctx.Err()
}

// ask wants one of the documented answers.
func (c *crowd) ask(url, body string) (answer, error) {
	a, err := c.w.ask(url, body, "Host", "example.uz", "X-Real-IP", "192.0.2.1")
	if err != nil {
		return a, err
	}
	what := strconv.Itoa(a.code)
	switch {
	case a.code == http.StatusOK && (a.Status == 1 || a.Status == -20):
		what += " " + strconv.Itoa(a.Status)
	case a.code == http.StatusServiceUnavailable && slices.Contains(texts503, strings.TrimSpace(a.body)) &&
		strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") && a.header.Get("X-Request-Id") != "":
	default:
		return a, fmt.Errorf("%s answers HTTP %d %.300s", url, a.code, a.body)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tally[what]++
	if a.code == http.StatusServiceUnavailable && a.took < atOnce {
		c.fast++
	}
	c.slowest = max(c.slowest, a.took)
	return a, nil
}

// reset begins a new count.
func (c *crowd) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tally, c.fast, c.slowest = map[string]int{}, 0, 0
}

func (c *crowd) counts() (accepted, refused, fast int, slowest time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tally["200 1"], c.tally["503"], c.fast, c.slowest
}

// await waits until the counts are as wanted.
func (c *crowd) await(t *testing.T, working context.Context, what string, in time.Duration, enough func() bool) {
	t.Helper()
	for deadline := time.Now().Add(in); !enough(); time.Sleep(10 * time.Millisecond) {
		if working.Err() != nil {
			t.Fatalf("%s: %v", what, context.Cause(working))
		}
		if time.Now().After(deadline) {
			c.mu.Lock()
			defer c.mu.Unlock()
			t.Fatalf("%s: not within %v: %v, %d of the 503 at once, slowest %v\n%.3000s", what, in, c.tally, c.fast, c.slowest, c.servers[0].log.String())
		}
	}
}

func count(list []int, of int) (n int) {
	for _, v := range list {
		if v == of {
			n++
		}
	}
	return n
}

// fault is something that happens to Redis.
type fault struct {
	name       string
	begin, end func(t *testing.T)
	// harmless ones only make log-ins slower.
	harmless bool
	// passing ones hit a few log-ins, and leave the others alone.
	passing bool
}

func TestServersOutliveWhateverHappensToRedis(t *testing.T) {
	w := newWorld(t, 2)
	redis := startRedis(t)
	proxy := faultproxy.New(t, redis.Addr())
	config := clusterConfig(t, w, proxy.Addr())
	c := &crowd{w: w, tally: map[string]int{}}
	c.servers = []*server{startServer(t, w.folder("one"), config), startServer(t, w.folder("two"), config)}
	front := startNginx(t, func(listen string) map[string]string {
		return guideNginx(t, listen, startSite(t, w, c.servers...).URL, c.servers...)
	})
	c.fronts = []string{front.url, c.servers[0].url, c.servers[1].url}

	done := make(chan struct{})
	load, working := errgroup.WithContext(t.Context())
	for i := range 4 {
		load.Go(func() error {
			for n := i; ; n++ {
				select {
				case <-done:
					return nil
				default:
				}
				if err := c.logIn(working, n); err != nil {
					return err
				}
			}
		})
	}
	var stop sync.Once
	finish := func() { stop.Do(func() { close(done); load.Wait() }) }
	t.Cleanup(finish)

	works := func() bool { accepted, _, _, _ := c.counts(); return accepted > 50 }
	c.await(t, working, "all is well", 30*time.Second, works)
	for _, f := range append(redisFaults(redis), wayFaults(proxy)...) {
		began := time.Now()
		c.reset()
		f.begin(t)
		switch {
		case f.harmless:
			c.await(t, working, f.name, 60*time.Second, works)
		case f.passing:
			c.await(t, working, f.name, 30*time.Second, func() bool { _, refused, _, _ := c.counts(); return refused > 10 })
		default:
			c.await(t, working, f.name, 15*time.Second, func() bool { _, refused, fast, _ := c.counts(); return refused > 20 && fast > 10 })
		}
		if _, _, _, slowest := c.counts(); slowest > longest503 {
			t.Errorf("%s: an answer took %v", f.name, slowest)
		}
		f.end(t)
		healed := time.Now()
		// Both servers have to be well, by themselves and soon.
		for _, s := range c.servers {
			c.await(t, working, f.name+" is over", recovery-time.Since(healed), func() bool {
				a, err := w.logIn(w.people[0], s.url, s.backend)
				return err == nil && a.Status == 1
			})
		}
		t.Logf("%s: %v, well again after %v", f.name, healed.Sub(began).Round(time.Millisecond), time.Since(healed).Round(time.Millisecond))
		c.reset()
		c.await(t, working, "after "+f.name, 30*time.Second, works)
	}
	finish()
	if err := load.Wait(); err != nil {
		t.Error(err)
	}
	for _, s := range c.servers {
		if !s.running() {
			t.Errorf("a server is gone with code %d", s.code)
			continue
		}
		if strings.Contains(s.log.String(), redisPassword+`"`) {
			t.Error("the password of Redis is in the log")
		}
		s.stop(t)
	}
}

// wayFaults are what happens between the servers and Redis.
func wayFaults(proxy *faultproxy.Proxy) []fault {
	healthy := func(*testing.T) { proxy.Pass() }
	// cutting resets a connection in the middle of what goes over it, at
	// places one after the other, until it is stopped.
	cutting := func(name string, d faultproxy.Direction) fault {
		var stop func()
		return fault{
			name: name, passing: true,
			begin: func(*testing.T) {
				done, ended := make(chan struct{}), make(chan struct{})
				stop = func() { close(done); <-ended }
				go func() {
					defer close(ended)
					for n := 1; ; n = n%97 + 1 {
						select {
						case <-done:
							return
						case <-time.After(30 * time.Millisecond):
							proxy.CutAfter(d, n)
						}
					}
				}()
			},
			end: func(*testing.T) { stop(); proxy.Pass() },
		}
	}
	return []fault{
		{name: "Redis is slow", harmless: true, begin: func(*testing.T) { proxy.Delay(200 * time.Millisecond) }, end: healthy},
		{name: "Redis is slower than the time-out", begin: func(*testing.T) { proxy.Delay(3 * time.Second) }, end: healthy},
		{name: "Redis does not answer", begin: func(*testing.T) { proxy.Swallow() }, end: healthy},
		{name: "connections to Redis are refused", begin: func(*testing.T) { proxy.Refuse() }, end: healthy},
		cutting("connections are reset in mid-command", faultproxy.ToServer),
		cutting("connections are reset in mid-answer", faultproxy.ToClient),
	}
}

// redisFaults are what Redis itself does.
func redisFaults(redis *peer.RedisServer) []fault {
	signal := func(s syscall.Signal) func(*testing.T) {
		return func(t *testing.T) {
			t.Helper()
			if err := syscall.Kill(redisPID(t, redis), s); err != nil {
				t.Fatal(err)
			}
		}
	}
	pid := 0
	return []fault{
		{
			name:  "Redis is killed and comes back empty",
			begin: func(*testing.T) { redis.Stop() },
			end: func(t *testing.T) {
				redis.Start()
				lockRedis(t, redis)
			},
		},
		{
			name: "Redis hangs",
			begin: func(t *testing.T) {
				pid = redisPID(t, redis)
				signal(syscall.SIGSTOP)(t)
			},
			end: func(t *testing.T) {
				if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
					t.Fatal(err)
				}
			},
		},
		{
			name:  "Redis wants another password",
			begin: func(t *testing.T) { redisAuthed(t, redis, "CONFIG SET requirepass other", "CLIENT KILL TYPE normal") },
			end:   func(t *testing.T) { redisAs(t, redis, "other", "CONFIG SET requirepass "+redisPassword) },
		},
		{
			name:  "Redis is a replica and takes no writes",
			begin: func(t *testing.T) { redisAuthed(t, redis, "REPLICAOF 127.0.0.1 1") },
			end:   func(t *testing.T) { redisAuthed(t, redis, "REPLICAOF NO ONE") },
		},
		{
			name:  "Redis is full",
			begin: func(t *testing.T) { redisAuthed(t, redis, "CONFIG SET maxmemory 1") },
			end:   func(t *testing.T) { redisAuthed(t, redis, "CONFIG SET maxmemory 0") },
		},
	}
}

// redisPID asks Redis for its process number.
func redisPID(t *testing.T, r *peer.RedisServer) int {
	t.Helper()
	text := redisAs(t, r, redisPassword, "INFO server")
	m := regexp.MustCompile(`process_id:(\d+)`).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("redis does not say its process number: %q", text)
	}
	pid, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func redisAuthed(t *testing.T, r *peer.RedisServer, commands ...string) {
	t.Helper()
	redisAs(t, r, redisPassword, commands...)
}
