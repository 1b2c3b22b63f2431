package store

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
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

// openRedis makes a store that the test closes.
func openRedis(t testing.TB, o RedisOptions) *Redis {
	t.Helper()
	r, err := NewRedis(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(r.Close(), r.Close()); err != nil {
			t.Error(err)
		}
	})
	return r
}

// client is a plain client for what a test does behind the store's back.
func client(t testing.TB, addr string) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { c.Close() })
	return c
}

// ageRedis makes all keys older: Redis has its own clock, so their
// remaining lifetimes are cut instead.
func ageRedis(t testing.TB, c *redis.Client, d time.Duration) {
	t.Helper()
	ctx := context.Background()
	keys, err := c.Keys(ctx, "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		left, err := c.PTTL(ctx, key).Result()
		if err != nil {
			t.Fatal(err)
		}
		if left < 0 {
			t.Fatalf("%s lives for ever", key)
		}
		// Rounded, since real time has passed too.
		if left = (left + 500*time.Millisecond).Truncate(time.Second) - d; left <= 0 {
			err = c.Del(ctx, key).Err()
		} else {
			err = c.PExpire(ctx, key, left).Err()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestRedisNeedsAnAddressThatMakesSense(t *testing.T) {
	for name, o := range map[string]RedisOptions{
		"none":             {},
		"several":          {Addrs: []string{"a:1", "b:1"}},
		"sentinel cluster": {Addrs: []string{"a:1"}, MasterName: "m", Cluster: true},
		"cluster with db":  {Addrs: []string{"a:1"}, Cluster: true, DB: 1},
	} {
		if r, err := NewRedis(o); err == nil {
			r.Close()
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestOptionsOfRedisDoNotPrintPasswords(t *testing.T) {
	o := RedisOptions{Addrs: []string{"redis:6379"}, Password: "hunter2", SentinelPassword: "hunter3"}
	var log bytes.Buffer
	r := openRedis(t, o)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "o", o, "r", r)
	if text := fmt.Sprintf("%s %v %+v %#v %s %v %+v %#v", o, o, o, o, r, r, r, r) + log.String(); strings.Contains(text, "hunter") || !strings.Contains(text, "redis:6379") {
		t.Error(text)
	}
}

// TestTwoServersRedeemEachChallengeOnce: each has connections of its own.
func TestTwoServersRedeemEachChallengeOnce(t *testing.T) {
	server := peer.Redis(t)
	stores := [2]*Redis{openRedis(t, RedisOptions{Addrs: []string{server.Addr()}}), openRedis(t, RedisOptions{Addrs: []string{server.Addr()}})}
	const challenges, takers = 500, 16
	var won [challenges]atomic.Int32
	for i := range challenges {
		issue(t, stores[i%2], strconv.Itoa(i), time.Minute)
	}
	var group sync.WaitGroup
	for taker := range takers {
		group.Go(func() {
			for i := range challenges {
				ok, err := stores[taker%2].Take(context.Background(), strconv.Itoa(i))
				if err != nil {
					t.Error(err)
				}
				if ok {
					won[i].Add(1)
				}
			}
		})
	}
	group.Wait()
	for i := range won {
		if n := won[i].Load(); n != 1 {
			t.Errorf("challenge %d was redeemed %d times", i, n)
		}
	}
}

func TestServersWithOtherPrefixesDoNotShareChallenges(t *testing.T) {
	server := peer.Redis(t)
	a, b := openRedis(t, RedisOptions{Addrs: []string{server.Addr()}, Prefix: "a:"}), openRedis(t, RedisOptions{Addrs: []string{server.Addr()}, Prefix: "b:", DB: 0})
	other := openRedis(t, RedisOptions{Addrs: []string{server.Addr()}, Prefix: "a:", DB: 3})
	issue(t, a, "x", time.Minute)
	if take(t, b, "x") || take(t, other, "x") || !take(t, a, "x") {
		t.Error("shared, or lost")
	}
}

// within runs f and fails when it takes longer than d.
func within(t *testing.T, d time.Duration, what string, f func()) {
	t.Helper()
	start := time.Now()
	f()
	if took := time.Since(start); took > d {
		t.Errorf("%s took %s, more than %s", what, took, d)
	}
}

// recovers waits until the store works again and returns how long it took.
func recovers(t *testing.T, r *Redis) time.Duration {
	t.Helper()
	start := time.Now()
	for {
		err := r.Issue(t.Context(), fmt.Sprint("recovered ", time.Now().UnixNano()), time.Minute)
		took := time.Since(start)
		if err == nil {
			if took > 5*time.Second {
				t.Errorf("recovered after %s", took)
			}
			return took
		}
		if took > 15*time.Second {
			t.Fatalf("no recovery: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestEveryFaultOfRedisIsAnErrorAndThenOver(t *testing.T) {
	const timeout = 300 * time.Millisecond
	for name, fault := range map[string]func(*peer.RedisServer, *faultproxy.Proxy) (mend func()){
		"stopped": func(s *peer.RedisServer, _ *faultproxy.Proxy) func() { s.Stop(); return s.Start },
		"slow":    func(_ *peer.RedisServer, p *faultproxy.Proxy) func() { p.Delay(2 * timeout); return p.Pass },
		"mute":    func(_ *peer.RedisServer, p *faultproxy.Proxy) func() { p.Swallow(); return p.Pass },
		"refused": func(_ *peer.RedisServer, p *faultproxy.Proxy) func() { p.Refuse(); return p.Pass },
		"cut in the command": func(_ *peer.RedisServer, p *faultproxy.Proxy) func() {
			p.CutAfter(faultproxy.ToServer, 7)
			return p.Pass
		},
		"cut in the answer": func(_ *peer.RedisServer, p *faultproxy.Proxy) func() {
			p.CutAfter(faultproxy.ToClient, 1)
			return p.Pass
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := peer.Redis(t)
			proxy := faultproxy.New(t, server.Addr())
			var failed atomic.Int32
			r := openRedis(t, RedisOptions{Addrs: []string{proxy.Addr()}, ConnectTimeout: timeout, Timeout: timeout, Observe: func(_ string, err error, _ time.Duration) {
				if err != nil {
					failed.Add(1)
				}
			}})
			issue(t, r, "before", time.Minute)
			mend := fault(server, proxy)
			within(t, 4*timeout, "the first call", func() {
				if ok, err := r.Take(t.Context(), "some"); ok || !errors.Is(err, ErrUnavailable) {
					t.Errorf("took %v, %v", ok, err)
				}
			})
			if !strings.HasPrefix(name, "cut") { // which is over at once
				// Known to be down: nobody waits.
				within(t, timeout/2, "100 further calls", func() {
					for range 50 {
						if err := r.Issue(t.Context(), "x", time.Minute); !errors.Is(err, ErrUnavailable) {
							t.Fatalf("issued: %v", err)
						}
						if err := r.Ping(t.Context()); !errors.Is(err, ErrUnavailable) {
							t.Fatalf("ping: %v", err)
						}
					}
				})
				if n := failed.Load(); n != 101 {
					t.Errorf("%d failures were told", n)
				}
			}
			mend()
			t.Logf("recovered after %s", recovers(t, r))
			if name != "stopped" && !take(t, r, "before") {
				t.Error("a challenge from before is lost")
			}
		})
	}
}

// TestALostAnswerRedeemsNothingTwice: a challenge whose deletion was carried
// out, but not answered, must not be redeemed by the next try.
func TestALostAnswerRedeemsNothingTwice(t *testing.T) {
	server := peer.Redis(t)
	proxy := faultproxy.New(t, server.Addr())
	r := openRedis(t, RedisOptions{Addrs: []string{proxy.Addr()}})
	issue(t, r, "a", time.Minute)
	proxy.CutAfter(faultproxy.ToClient, 0)
	if ok, err := r.Take(t.Context(), "a"); ok || !errors.Is(err, ErrUnavailable) {
		t.Fatalf("took %v, %v", ok, err)
	}
	recovers(t, r)
	if take(t, r, "a") {
		t.Error("redeemed though Redis had deleted it before")
	}
}

func TestACallerWhoLeavesDoesNotMakeRedisDown(t *testing.T) {
	server := peer.Redis(t)
	proxy := faultproxy.New(t, server.Addr())
	r := openRedis(t, RedisOptions{Addrs: []string{proxy.Addr()}, Timeout: 10 * time.Second})
	issue(t, r, "a", time.Minute)
	proxy.Swallow()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	within(t, 2*time.Second, "a call that was given up", func() {
		if _, err := r.Take(ctx, "b"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
	proxy.Pass()
	if err := r.Ping(t.Context()); err != nil {
		t.Errorf("the next caller pays: %v", err)
	}
}

func TestAClosedStoreSaysSo(t *testing.T) {
	server := peer.Redis(t)
	r := openRedis(t, RedisOptions{Addrs: []string{server.Addr()}})
	server.Stop()
	if err := r.Ping(t.Context()); !errors.Is(err, ErrUnavailable) { // so that it probes
		t.Fatal(err)
	}
	within(t, time.Second, "Close", func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := r.Issue(t.Context(), "a", time.Minute); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestARefusalOfRedisIsSaidWithoutThePassword(t *testing.T) {
	server := peer.Redis(t)
	admin := client(t, server.Addr())
	if err := admin.ConfigSet(t.Context(), "requirepass", "correct").Err(); err != nil {
		t.Fatal(err)
	}
	wrong := openRedis(t, RedisOptions{Addrs: []string{server.Addr()}, Password: "hunter2"})
	none := openRedis(t, RedisOptions{Addrs: []string{server.Addr()}})
	for name, r := range map[string]*Redis{"wrong": wrong, "none": none} {
		for range 3 {
			within(t, time.Second, name, func() {
				if err := r.Issue(t.Context(), "a", time.Minute); !errors.Is(err, ErrUnavailable) || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
	}
	right := openRedis(t, RedisOptions{Addrs: []string{server.Addr()}, Username: "default", Password: "correct"})
	issue(t, right, "a", time.Minute)
	// A replica and a server without room refuse too, and then do not.
	admin = redis.NewClient(&redis.Options{Addr: server.Addr(), Password: "correct"})
	t.Cleanup(func() { admin.Close() })
	if err := admin.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	if err := right.Issue(t.Context(), "b", time.Minute); !errors.Is(err, ErrUnavailable) || !errors.Is(err, ErrFull) {
		t.Errorf("no room: %v", err)
	}
	if err := admin.ConfigSet(t.Context(), "maxmemory", "0").Err(); err != nil {
		t.Fatal(err)
	}
	issue(t, right, "b", time.Minute)
	if err := admin.ReplicaOf(t.Context(), "127.0.0.1", "1").Err(); err != nil {
		t.Fatal(err)
	}
	if err := right.Issue(t.Context(), "c", time.Minute); !errors.Is(err, ErrUnavailable) {
		t.Errorf("read-only: %v", err)
	}
	if err := admin.ReplicaOf(t.Context(), "no", "one").Err(); err != nil {
		t.Fatal(err)
	}
	recovers(t, right)
}

func TestRedisOverTLS(t *testing.T) {
	dir := t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, private := filepath.Join(dir, "crt"), filepath.Join(dir, "key")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, b := range map[string][]byte{certificate: text, private: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	_, port, _ := net.SplitHostPort(addr)
	peer.Redis(t, "--tls-port", port, "--tls-cert-file", certificate, "--tls-key-file", private, "--tls-ca-cert-file", certificate, "--tls-auth-clients", "no")

	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	o := RedisOptions{Addrs: []string{addr}, TLS: &tls.Config{RootCAs: roots}}
	r, d := openRedis(t, o), openRedisDocuments(t, o)
	issue(t, r, "a", time.Minute)
	if !take(t, r, "a") {
		t.Error("lost")
	}
	create(t, d, "a", letter, time.Minute)
	wantDocument(t, d, "a", letter)
	for name, o := range map[string]RedisOptions{
		"an unknown CA": {Addrs: []string{addr}, TLS: &tls.Config{RootCAs: x509.NewCertPool()}},
		"no TLS":        {Addrs: []string{addr}, Timeout: 200 * time.Millisecond},
	} {
		if err := openRedis(t, o).Ping(t.Context()); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRedisBehindASentinel(t *testing.T) {
	master := peer.Redis(t)
	sentinel := peer.Redis(t, "--sentinel")
	host, port, _ := net.SplitHostPort(master.Addr())
	admin := client(t, sentinel.Addr())
	if err := admin.Do(t.Context(), "SENTINEL", "MONITOR", "mymaster", host, port, 1).Err(); err != nil {
		t.Fatal(err)
	}
	r := openRedis(t, RedisOptions{Addrs: []string{sentinel.Addr()}, MasterName: "mymaster"})
	issue(t, r, "a", time.Minute)
	if !take(t, openRedis(t, RedisOptions{Addrs: []string{master.Addr()}}), "a") {
		t.Error("it is not the master that was told")
	}
	sentinel.Stop() // the master is known and stays
	issue(t, r, "b", time.Minute)
	if err := openRedis(t, RedisOptions{Addrs: []string{sentinel.Addr()}, MasterName: "mymaster"}).Ping(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("no sentinel: %v", err)
	}
}

func TestRedisCluster(t *testing.T) {
	t.Parallel()
	node := peer.Redis(t, "--cluster-enabled", "yes")
	admin := client(t, node.Addr())
	if err := admin.ClusterAddSlotsRange(t.Context(), 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		info, err := admin.ClusterInfo(t.Context()).Result()
		if err == nil && strings.Contains(info, "cluster_state:ok") {
			break
		}
		if time.Now().After(end) {
			t.Fatal(info, err)
		}
	}
	o := RedisOptions{Addrs: []string{node.Addr()}, Cluster: true}
	r, d := openRedis(t, o), openRedisDocuments(t, o)
	want := letter
	want.Signed = &signed
	for i := range 50 {
		issue(t, r, strconv.Itoa(i), time.Minute)
		create(t, d, strconv.Itoa(i), letter, time.Minute)
		upload(t, d, strconv.Itoa(i), signed, time.Minute)
	}
	for i := range 50 {
		if !take(t, r, strconv.Itoa(i)) || take(t, r, strconv.Itoa(i)) {
			t.Errorf("%d was not redeemed exactly once", i)
		}
		wantDocument(t, d, strconv.Itoa(i), want)
	}
	node.Stop()
	for _, store := range []interface{ Ping(context.Context) error }{r, d} {
		if err := store.Ping(t.Context()); !errors.Is(err, ErrUnavailable) {
			t.Errorf("no node: %v", err)
		}
	}
}

func BenchmarkRedis(b *testing.B) {
	r := openRedis(b, RedisOptions{Addrs: []string{peer.Redis(b).Addr()}})
	for i := 0; b.Loop(); i++ {
		id := strconv.Itoa(i)
		if err := r.Issue(b.Context(), id, time.Minute); err != nil {
			b.Fatal(err)
		}
		if ok, err := r.Take(b.Context(), id); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
