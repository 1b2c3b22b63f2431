package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"imzo/internal/testpki/faultproxy"
	"imzo/internal/testpki/peer"
)

// eventually waits until f is content.
func eventually(t *testing.T, what string, f func() error) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: %v", what, err)
		}
	}
}

// command gives a command to a server, and fails the test when it is refused.
func command(t testing.TB, c *redis.Client, args ...any) {
	t.Helper()
	if err := c.Do(context.Background(), args...).Err(); err != nil {
		t.Fatalf("%v: %v", args, err)
	}
}

// has is content when the answer to args contains text.
func has(c *redis.Client, text string, args ...any) func() error {
	return func() error {
		answer, err := c.Do(context.Background(), args...).Text()
		if err == nil && !strings.Contains(answer, text) {
			err = fmt.Errorf("no %s in %s", text, answer)
		}
		return err
	}
}

// clusterOf starts a cluster of masters that share the slots, each behind a
// proxy under whose address the others and clients know it.
func clusterOf(t *testing.T, n int) (admins []*redis.Client, proxies []*faultproxy.Proxy) {
	t.Helper()
	const slots = 16384
	for i := range n {
		server := peer.Redis(t, "--cluster-enabled", "yes", "--cluster-require-full-coverage", "no")
		proxy := faultproxy.New(t, server.Addr())
		admin := client(t, server.Addr())
		_, port, _ := net.SplitHostPort(proxy.Addr())
		command(t, admin, "config", "set", "cluster-announce-ip", "127.0.0.1")
		command(t, admin, "config", "set", "cluster-announce-port", port)
		command(t, admin, "cluster", "set-config-epoch", i+1)
		command(t, admin, "cluster", "addslotsrange", i*slots/n, (i+1)*slots/n-1)
		if i > 0 {
			host, port, _ := net.SplitHostPort(admins[0].Options().Addr)
			own, _ := strconv.Atoi(port)
			command(t, admin, "cluster", "meet", host, port, own+10000)
		}
		admins, proxies = append(admins, admin), append(proxies, proxy)
	}
	for _, admin := range admins {
		eventually(t, "cluster", has(admin, "cluster_slots_ok:16384", "cluster", "info"))
		eventually(t, "cluster", has(admin, "cluster_state:ok", "cluster", "info"))
	}
	return admins, proxies
}

// calls tells how often a server carried out a command.
func calls(t *testing.T, c *redis.Client, command string) string {
	t.Helper()
	text, err := c.Info(t.Context(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ = strings.Cut(text, "cmdstat_"+command+":calls=")
	n, _, _ := strings.Cut(text, ",")
	return n
}

// idAt returns a challenge, or a document's id, whose key is at the node that
// the proxy is before.
func idAt(t *testing.T, c *connection, p *faultproxy.Proxy) string {
	t.Helper()
	for i := range 1000 {
		id := strconv.Itoa(i)
		node, err := c.cluster.MasterForKey(t.Context(), c.key(id))
		if err != nil {
			t.Fatal(err)
		}
		if node.Options().Addr == p.Addr() {
			return id
		}
	}
	t.Fatal("the node has no slots")
	return ""
}

// TestANodeOfAClusterIsDownAlone: what is at the other nodes goes on, and
// nobody waits for the one that hangs.
func TestANodeOfAClusterIsDownAlone(t *testing.T) {
	t.Parallel()
	const timeout = time.Second // a busy machine takes 300 ms to answer
	_, proxies := clusterOf(t, 2)
	r := openRedis(t, RedisOptions{Addrs: []string{proxies[0].Addr(), proxies[1].Addr()}, Cluster: true, ConnectTimeout: timeout, Timeout: timeout})
	if err := r.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	well, ill := idAt(t, r.connection, proxies[0]), idAt(t, r.connection, proxies[1])
	issue(t, r, well, time.Minute)
	issue(t, r, ill, time.Minute)
	proxies[1].Swallow()
	within(t, 4*timeout, "the first call", func() {
		if ok, err := r.Take(t.Context(), ill); ok || !errors.Is(err, ErrUnavailable) {
			t.Errorf("took %v, %v", ok, err)
		}
	})
	within(t, timeout, "60 further calls", func() {
		for range 20 {
			if err := r.Issue(t.Context(), ill, time.Minute); !errors.Is(err, ErrUnavailable) {
				t.Fatalf("issued: %v", err)
			}
			if err := r.Ping(t.Context()); !errors.Is(err, ErrUnavailable) {
				t.Fatalf("ping: %v", err)
			}
			if err := r.Issue(t.Context(), well, time.Minute); !errors.Is(err, ErrExists) {
				t.Fatalf("the other node: %v", err)
			}
		}
	})
	proxies[1].Pass()
	start := time.Now()
	eventually(t, "recovery", func() error { return r.Ping(t.Context()) })
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("recovered after %s", took)
	}
	if !take(t, r, ill) || !take(t, r, well) {
		t.Error("a challenge was lost")
	}
}

func TestAClusterIsSentNothingTwice(t *testing.T) {
	t.Parallel()
	admins, proxies := clusterOf(t, 1)
	r := openRedis(t, RedisOptions{Addrs: []string{proxies[0].Addr()}, Cluster: true})
	issue(t, r, "a", time.Minute)
	proxies[0].CutAfter(faultproxy.ToClient, 0)
	if ok, err := r.Take(t.Context(), "a"); ok || !errors.Is(err, ErrUnavailable) {
		t.Errorf("took %v, %v", ok, err)
	}
	eventually(t, "recovery", func() error { return r.Ping(t.Context()) })
	if n := calls(t, admins[0], "del"); n != "1" {
		t.Errorf("deleted %s times", n)
	}
	if take(t, r, "a") {
		t.Error("redeemed after it was deleted")
	}
}

// moveSlot begins to move the slot of a key from the first node to the second,
// and the key with it; finish ends it.
func moveSlot(t *testing.T, admins []*redis.Client, key string) (finish func()) {
	t.Helper()
	slot, err := admins[0].ClusterKeySlot(t.Context(), key).Result()
	if err != nil {
		t.Fatal(err)
	}
	from, err := admins[0].ClusterMyID(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	to, err := admins[1].ClusterMyID(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(admins[1].Options().Addr)
	command(t, admins[1], "cluster", "setslot", slot, "importing", from)
	command(t, admins[0], "cluster", "setslot", slot, "migrating", to)
	command(t, admins[0], "migrate", host, port, key, 0, 5000)
	return func() {
		t.Helper()
		for _, admin := range []*redis.Client{admins[1], admins[0]} {
			command(t, admin, "cluster", "setslot", slot, "node", to)
		}
	}
}

func TestSlotsThatMoveAreFollowed(t *testing.T) {
	t.Parallel()
	admins, proxies := clusterOf(t, 2)
	o := RedisOptions{Addrs: []string{proxies[0].Addr()}, Cluster: true}
	r := openRedis(t, o)
	challenge := idAt(t, r.connection, proxies[0])
	issue(t, r, challenge, time.Minute)
	finish := moveSlot(t, admins, r.key(challenge))
	if err := r.Issue(t.Context(), challenge, time.Minute); !errors.Is(err, ErrExists) {
		t.Errorf("while it moves: %v", err)
	}
	finish()
	if !take(t, r, challenge) || take(t, r, challenge) {
		t.Error("it was not redeemed once where it moved to")
	}

	d := openRedisDocuments(t, o)
	id := idAt(t, d.connection, proxies[0])
	create(t, d, id, letter, time.Minute)
	finish = moveSlot(t, admins, d.key(id))
	wantDocument(t, d, id, letter)
	// The other node does not know the script yet.
	upload(t, d, id, signed, time.Minute)
	want := letter
	want.Signed = &signed
	wantDocument(t, d, id, want)
	finish()
	wantDocument(t, d, id, want)
	if err := d.Upload(t.Context(), id, signedWith("other"), time.Minute); !errors.Is(err, ErrUploaded) {
		t.Errorf("where it moved to: %v", err)
	}
}

// TestARedisClusterOfNobodyIsUnavailable: not even the slots are known.
func TestARedisClusterOfNobodyIsUnavailable(t *testing.T) {
	t.Parallel()
	server := peer.Redis(t, "--cluster-enabled", "yes")
	command(t, client(t, server.Addr()), "cluster", "addslotsrange", 0, 16383)
	eventually(t, "cluster", has(client(t, server.Addr()), "cluster_state:ok", "cluster", "info"))
	server.Stop()
	r := openRedis(t, RedisOptions{Addrs: []string{server.Addr()}, Cluster: true})
	if ok, err := r.Take(t.Context(), "a"); ok || !errors.Is(err, ErrUnavailable) {
		t.Errorf("took %v, %v", ok, err)
	}
	server.Start() // with its slots, which a cluster keeps in a file
	t.Logf("recovered after %s", recovers(t, r))
}

// TestSentinelsPromoteAReplica: the store follows to the new master within the
// time for recovery, counted from when there is one.
func TestSentinelsPromoteAReplica(t *testing.T) {
	t.Parallel()
	const timeout = time.Second // a busy machine takes 300 ms to answer
	master, replica, sentinel := peer.Redis(t), peer.Redis(t), peer.Redis(t, "--sentinel")
	admin := client(t, sentinel.Addr())
	host, port, _ := net.SplitHostPort(master.Addr())
	command(t, client(t, replica.Addr()), "replicaof", host, port)
	eventually(t, "replica", has(client(t, replica.Addr()), "master_link_status:up", "info", "replication"))
	command(t, admin, "sentinel", "monitor", "mymaster", host, port, 1)
	command(t, admin, "sentinel", "set", "mymaster", "down-after-milliseconds", 300, "failover-timeout", 2000)
	// It learns of the replica from the master, which it asks now and then.
	eventually(t, "sentinel", has(admin, "slaves=1", "info", "sentinel"))

	o := RedisOptions{Addrs: []string{sentinel.Addr(), "127.0.0.1:1"}, MasterName: "mymaster", ConnectTimeout: timeout, Timeout: timeout}
	r, d := openRedis(t, o), openRedisDocuments(t, o)
	issue(t, r, "a", time.Minute)
	create(t, d, "waiting", letter, time.Minute)
	create(t, d, "uploaded", letter, time.Minute)
	upload(t, d, "uploaded", signed, time.Minute)
	command(t, client(t, master.Addr()), "wait", 1, 1000)
	master.Stop()
	if ok, err := r.Take(t.Context(), "b"); ok || !errors.Is(err, ErrUnavailable) {
		t.Errorf("took %v, %v", ok, err)
	}
	within(t, timeout, "50 further calls", func() {
		for range 50 {
			if err := r.Issue(t.Context(), "b", time.Minute); !errors.Is(err, ErrUnavailable) {
				t.Fatalf("issued: %v", err)
			}
		}
	})
	eventually(t, "promotion", has(client(t, replica.Addr()), "role:master", "info", "replication"))
	t.Logf("recovered %s after the promotion", recovers(t, r))
	if !take(t, r, "a") {
		t.Error("a challenge was lost")
	}
	eventually(t, "recovery", func() error { return d.Ping(t.Context()) })
	wantDocument(t, d, "waiting", letter)
	want := letter
	want.Signed = &signed
	wantDocument(t, d, "uploaded", want)
	upload(t, d, "waiting", signed, time.Minute) // by a script that is new to this master
	wantDocument(t, d, "waiting", want)
}

func TestARedisThatLoadsIsUnavailableUntilItHasLoaded(t *testing.T) {
	t.Parallel()
	// A key takes 20 ms to load: slow enough to be seen, and to pass.
	server := peer.Redis(t, "--key-load-delay", "20000", "--loading-process-events-interval-bytes", "1024")
	admin := client(t, server.Addr())
	r := openRedis(t, RedisOptions{Addrs: []string{server.Addr()}})
	issue(t, r, "a", time.Minute)
	for i := range 100 {
		command(t, admin, "set", i, strings.Repeat("x", 2000+i))
	}
	command(t, admin, "config", "set", "rdbcompression", "no")
	command(t, admin, "save")
	server.Stop()
	server.Start()
	within(t, time.Second, "a refusal", func() {
		if ok, err := r.Take(t.Context(), "b"); ok || !errors.Is(err, ErrUnavailable) {
			t.Errorf("took %v, %v", ok, err)
		} else if !strings.Contains(err.Error(), "LOADING") {
			t.Logf("instead of LOADING: %v", err)
		}
	})
	eventually(t, "loading", has(admin, "\nloading:0", "info", "persistence"))
	t.Logf("recovered %s after it was loaded", recovers(t, r))
}

// TestAuthThatRedisDoesNotKnowKeepsItsArguments: Redis repeats the arguments of
// commands that it does not have, and AUTH may be one of them.
func TestAuthThatRedisDoesNotKnowKeepsItsArguments(t *testing.T) {
	server := peer.Redis(t, "--rename-command", "AUTH", "", "--rename-command", "HELLO", "")
	r := openRedis(t, RedisOptions{Addrs: []string{server.Addr()}, Password: "hunter2"})
	err := r.Ping(t.Context())
	if !errors.Is(err, ErrUnavailable) || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "unknown command") {
		t.Fatalf("got %v", err)
	}
}

func TestAUserOfRedisLogsIn(t *testing.T) {
	server := peer.Redis(t)
	admin := client(t, server.Addr())
	command(t, admin, "acl", "setuser", "imzo", "on", ">hunter2", "~imzo:challenge:*", "+set", "+del", "+ping", "+auth", "+select")
	command(t, admin, "acl", "setuser", "narrow", "on", ">hunter2", "~other:*", "+set", "+del", "+ping", "+auth")
	r := openRedis(t, RedisOptions{Addrs: []string{server.Addr()}, Username: "imzo", Password: "hunter2", DB: 2})
	issue(t, r, "a", time.Minute)
	if !take(t, r, "a") {
		t.Error("lost")
	}
	narrow := openRedis(t, RedisOptions{Addrs: []string{server.Addr()}, Username: "narrow", Password: "hunter2"})
	if ok, err := narrow.Take(t.Context(), "a"); ok || !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "NOPERM") {
		t.Errorf("took %v, %v", ok, err)
	}
}

// TestACallerInAHurryWarnsTheOthers: when all leave before the time-out, Redis
// is found out all the same.
func TestACallerInAHurryWarnsTheOthers(t *testing.T) {
	server := peer.Redis(t)
	proxy := faultproxy.New(t, server.Addr())
	r := openRedis(t, RedisOptions{Addrs: []string{proxy.Addr()}, ConnectTimeout: 200 * time.Millisecond, Timeout: 200 * time.Millisecond})
	issue(t, r, "a", time.Minute)
	proxy.Swallow()
	eventually(t, "suspicion", func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if _, err := r.Take(ctx, "a"); !errors.Is(err, ErrUnavailable) {
			return fmt.Errorf("got %w", err)
		}
		return nil
	})
	proxy.Pass()
	recovers(t, r)
}

// TestCallersWhoLeaveDoNotHurtOthers: of a Redis that is well.
func TestCallersWhoLeaveDoNotHurtOthers(t *testing.T) {
	r := openRedis(t, RedisOptions{Addrs: []string{peer.Redis(t).Addr()}})
	var done atomic.Bool
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		for !done.Load() {
			ctx, cancel := context.WithCancel(context.Background())
			time.AfterFunc(100*time.Microsecond, cancel)
			for ctx.Err() == nil {
				_, _ = r.Take(ctx, "x") // how it ends is the others' concern here
			}
		}
	}()
	for i := range 500 {
		issue(t, r, strconv.Itoa(i), time.Minute)
		if !take(t, r, strconv.Itoa(i)) {
			t.Fatal("lost")
		}
	}
	done.Store(true)
	<-finished
}

func TestCloseEndsTheCallsThatWait(t *testing.T) {
	proxy := faultproxy.New(t, peer.Redis(t).Addr())
	r := openRedis(t, RedisOptions{Addrs: []string{proxy.Addr()}, Timeout: 30 * time.Second})
	issue(t, r, "a", time.Minute)
	proxy.Swallow()
	ended := make(chan error)
	go func() {
		_, err := r.Take(context.Background(), "a")
		ended <- err
	}()
	eventually(t, "the call", func() error {
		if proxy.Seen(faultproxy.ToServer) == 0 {
			return errors.New("not sent")
		}
		return nil
	})
	within(t, 5*time.Second, "Close and the call", func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, ErrClosed) {
			t.Errorf("got %v", err)
		}
	})
}

// TestManyCallersAreNoFaultOfRedis: who finds no connection in time is told so,
// and others go on.
func TestManyCallersAreNoFaultOfRedis(t *testing.T) {
	proxy := faultproxy.New(t, peer.Redis(t).Addr())
	r := openRedis(t, RedisOptions{Addrs: []string{proxy.Addr()}, ConnectTimeout: 400 * time.Millisecond, Timeout: 5 * time.Second})
	issue(t, r, "a", time.Minute)
	proxy.Delay(150 * time.Millisecond)
	var refused atomic.Int32
	var group sync.WaitGroup
	for i := range 50 * runtime.GOMAXPROCS(0) { // five times the connections
		group.Go(func() {
			err := r.Issue(context.Background(), "many "+strconv.Itoa(i), time.Minute)
			switch {
			case err == nil:
			case errors.Is(err, ErrUnavailable):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	group.Wait()
	if refused.Load() == 0 {
		t.Error("all found a connection, so that nothing was tested")
	}
	if err := r.Ping(t.Context()); err != nil {
		t.Errorf("the store is down now: %v", err)
	}
}

func TestRedisEndsLifetimesByItself(t *testing.T) {
	server := peer.Redis(t)
	r := openRedis(t, RedisOptions{Addrs: []string{server.Addr()}})
	behind := client(t, server.Addr())
	issue(t, r, "long", 2*time.Minute)
	left, err := behind.PTTL(t.Context(), challengePrefix+"long").Result()
	if err != nil || left > 2*time.Minute || left < time.Minute {
		t.Errorf("%s left, %v", left, err)
	}
	issue(t, r, "short", 30*time.Millisecond)
	eventually(t, "expiry", func() error {
		if n, err := behind.Exists(t.Context(), challengePrefix+"short").Result(); n != 0 || err != nil {
			return fmt.Errorf("%d exist, %w", n, err)
		}
		return nil
	})
	if take(t, r, "short") {
		t.Error("redeemed after its lifetime")
	}
}

// TestNothingIsRedeemedTwiceWhateverHappens: two servers on one Redis, whose
// connections are cut, slow and refused all the time.
func TestNothingIsRedeemedTwiceWhateverHappens(t *testing.T) {
	server := peer.Redis(t)
	proxies := [2]*faultproxy.Proxy{faultproxy.New(t, server.Addr()), faultproxy.New(t, server.Addr())}
	var stores [2]*Redis
	for i, p := range proxies {
		stores[i] = openRedis(t, RedisOptions{Addrs: []string{p.Addr()}, ConnectTimeout: 50 * time.Millisecond, Timeout: 50 * time.Millisecond})
	}
	over, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	var group sync.WaitGroup
	for seed, p := range proxies {
		group.Go(func() {
			random := rand.New(rand.NewPCG(uint64(seed), 7))
			for over.Err() == nil {
				switch random.IntN(6) {
				case 0:
					p.CutAfter(faultproxy.ToServer, random.IntN(200))
				case 1, 2:
					p.CutAfter(faultproxy.ToClient, random.IntN(20))
				case 3:
					p.Delay(time.Duration(random.IntN(60)) * time.Millisecond)
				case 4:
					p.Refuse()
				case 5:
					p.Pass()
				}
				time.Sleep(time.Duration(random.IntN(40)) * time.Millisecond)
			}
			p.Pass()
		})
	}
	var issued, redeemed, failed atomic.Int64
	for worker := range 8 {
		group.Go(func() {
			for i := 0; over.Err() == nil; i++ {
				challenge := fmt.Sprint(worker, " ", i)
				if err := stores[i%2].Issue(context.Background(), challenge, time.Minute); err != nil {
					failed.Add(1)
					time.Sleep(time.Millisecond)
				} else {
					issued.Add(1)
				}
				var won atomic.Int32
				var takers sync.WaitGroup
				for taker := range 4 {
					takers.Go(func() {
						ok, err := stores[taker%2].Take(context.Background(), challenge)
						switch {
						case ok && err == nil:
							won.Add(1)
						case ok:
							t.Error("redeemed with an error")
						case err != nil && !errors.Is(err, ErrUnavailable):
							t.Error(err)
						}
					})
				}
				takers.Wait()
				if won.Load() > 1 {
					t.Errorf("%s was redeemed %d times", challenge, won.Load())
				}
				redeemed.Add(int64(won.Load()))
			}
		})
	}
	group.Wait()
	t.Logf("%d issued, %d not, %d redeemed", issued.Load(), failed.Load(), redeemed.Load())
	if redeemed.Load() == 0 || failed.Load() == 0 {
		t.Error("nothing was redeemed, or nothing failed")
	}
	for _, r := range stores {
		recovers(t, r)
	}
}
