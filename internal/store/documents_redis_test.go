package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"imzo/internal/testpki/faultproxy"
	"imzo/internal/testpki/peer"
)

// openRedisDocuments makes a store that the test closes.
func openRedisDocuments(t testing.TB, o RedisOptions) *RedisDocuments {
	t.Helper()
	r, err := NewRedisDocuments(o)
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

func TestRedisOfDocumentsNeedsAnAddressAndTellsNoPassword(t *testing.T) {
	if r, err := NewRedisDocuments(RedisOptions{}); err == nil {
		r.Close()
		t.Error("accepted no address")
	}
	var log bytes.Buffer
	r := openRedisDocuments(t, RedisOptions{Addrs: []string{"redis:6379"}, Password: "hunter2"})
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "r", r)
	if text := fmt.Sprintf("%s %v %+v %#v", r, r, r, r) + log.String(); strings.Contains(text, "hunter") || !strings.Contains(text, "redis:6379") {
		t.Error(text)
	}
}

// TestTwoServersKeepOneUpload: the phone uploads to one, the page polls the
// other.
func TestTwoServersKeepOneUpload(t *testing.T) {
	const documents, uploaders = 50, 16
	server := peer.Redis(t)
	stores := [2]*RedisDocuments{openRedisDocuments(t, RedisOptions{Addrs: []string{server.Addr()}}), openRedisDocuments(t, RedisOptions{Addrs: []string{server.Addr()}})}
	for i := range documents {
		create(t, stores[i%2], fmt.Sprint(i), letter, time.Minute)
		wantDocument(t, stores[(i+1)%2], fmt.Sprint(i), letter)
	}
	var winners [documents]atomic.Int32
	var group sync.WaitGroup
	for uploader := range uploaders {
		group.Go(func() {
			for i := range documents {
				err := stores[uploader%2].Upload(context.Background(), fmt.Sprint(i), signedWith(fmt.Sprint(uploader+1)), time.Minute)
				switch {
				case err == nil && !winners[i].CompareAndSwap(0, int32(uploader+1)):
					t.Errorf("document %d was uploaded twice", i)
				case err != nil && !errors.Is(err, ErrUploaded):
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	for i := range winners {
		s := signedWith(fmt.Sprint(winners[i].Load()))
		want := letter
		want.Signed = &s
		for _, d := range stores {
			wantDocument(t, d, fmt.Sprint(i), want)
		}
	}
}

func TestAPollFetchesNoPKCS7(t *testing.T) {
	server := peer.Redis(t)
	proxy := faultproxy.New(t, server.Addr())
	d := openRedisDocuments(t, RedisOptions{Addrs: []string{proxy.Addr()}})
	create(t, d, "a", letter, time.Minute)
	upload(t, d, "a", signedWith(strings.Repeat("x", 1<<20)), time.Minute)
	admin := client(t, server.Addr())
	command(t, admin, "config", "resetstat")
	proxy.Pass() // counts from here
	const polls = 100
	for range polls {
		if uploaded, err := d.Uploaded(t.Context(), "a"); !uploaded || err != nil {
			t.Fatal(uploaded, err)
		}
	}
	if n := proxy.Seen(faultproxy.ToClient); n > 10*polls {
		t.Errorf("%d bytes for %d polls", n, polls)
	}
	if n := calls(t, admin, "getrange"); n != fmt.Sprint(polls) {
		t.Errorf("%s commands for %d polls", n, polls)
	}
	if n := calls(t, admin, "get"); n != "" {
		t.Errorf("read %s times", n)
	}
}

func TestOperationsOnDocumentsAreObserved(t *testing.T) {
	server := peer.Redis(t)
	admin := client(t, server.Addr())
	var mu sync.Mutex
	observed := map[string]int{}
	d := openRedisDocuments(t, RedisOptions{Addrs: []string{server.Addr()}, Observe: func(operation string, err error, took time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		if took < 0 || took > time.Minute {
			t.Errorf("%s took %s", operation, took)
		}
		observed[fmt.Sprint(operation, " ", err != nil)]++
	}})
	ctx := t.Context()
	create(t, d, "a", letter, time.Minute)
	if err := d.Create(ctx, "a", letter, time.Minute); !errors.Is(err, ErrExists) {
		t.Error(err)
	}
	wantDocument(t, d, "a", letter)
	wantNothing(t, d, "b")
	upload(t, d, "a", signed, time.Minute)
	if err := d.Upload(ctx, "a", signedWith("other"), time.Minute); !errors.Is(err, ErrUploaded) {
		t.Error(err)
	}
	if err := d.Ping(ctx); err != nil {
		t.Error(err)
	}
	// What is refused as it should be is no fault of the store.
	want := map[string]int{"create false": 2, "poll false": 2, "read false": 2, "upload false": 3, "ping false": 1}
	if diff := cmp.Diff(want, observed); diff != "" {
		t.Error(diff)
	}
	// Of a script that is new, or forgotten, one operation is told, too.
	if n := calls(t, admin, "eval"); n != "1" {
		t.Errorf("the script was sent %s times", n)
	}
	command(t, admin, "script", "flush")
	before := maps.Clone(observed)
	upload(t, d, "a", signed, time.Minute)
	if n := calls(t, admin, "eval"); n != "2" {
		t.Errorf("after it was forgotten the script was sent %s times", n)
	}
	before["upload false"]++
	if diff := cmp.Diff(before, observed); diff != "" {
		t.Error(diff)
	}
}

// useAll makes one call of each kind, and returns how they ended.
func useAll(d Documents, id string) map[string]error {
	ctx := context.Background()
	_, polled := d.Uploaded(ctx, id)
	_, read := d.Document(ctx, id)
	return map[string]error{
		"create": d.Create(ctx, id, letter, time.Minute), "upload": d.Upload(ctx, id, signed, time.Minute),
		"poll": polled, "read": read, "ping": d.Ping(ctx),
	}
}

func TestDocumentsOfARedisThatIsDownAreUnavailableUntilItIsUp(t *testing.T) {
	t.Parallel()
	const timeout = 300 * time.Millisecond
	server := peer.Redis(t)
	proxy := faultproxy.New(t, server.Addr())
	d := openRedisDocuments(t, RedisOptions{Addrs: []string{proxy.Addr()}, ConnectTimeout: timeout, Timeout: timeout})
	unavailable := func(id string) {
		t.Helper()
		for name, err := range useAll(d, id) {
			if !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrNotFound) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	up := func() {
		t.Helper()
		within(t, 5*time.Second, "recovery", func() {
			eventually(t, "recovery", func() error { return d.Ping(t.Context()) })
		})
	}
	create(t, d, "a", letter, time.Minute)
	create(t, d, "b", letter, time.Minute)
	upload(t, d, "b", signed, time.Minute)
	want := letter
	want.Signed = &signed

	// Out of reach for a while: everything is there afterwards.
	proxy.Swallow()
	within(t, 4*timeout, "calls while it is mute", func() { unavailable("a") })
	within(t, timeout, "further calls", func() {
		for range 20 {
			unavailable("a")
		}
	})
	proxy.Pass()
	up()
	wantDocument(t, d, "a", letter)
	wantDocument(t, d, "b", want)

	// Started anew, without data and scripts.
	server.Stop()
	unavailable("a")
	server.Start()
	up()
	wantNothing(t, d, "b")
	create(t, d, "b", letter, time.Minute)
	upload(t, d, "b", signed, time.Minute)
	wantDocument(t, d, "b", want)
}

// TestALostAnswerOfAnUploadIsMadeUpForByRepeatingIt: the store does not repeat
// by itself; the gateway does, and is told the truth.
func TestALostAnswerOfAnUploadIsMadeUpForByRepeatingIt(t *testing.T) {
	for name, cluster := range map[string]bool{"server": false, "cluster": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var admin *redis.Client
			var proxy *faultproxy.Proxy
			if cluster {
				admins, proxies := clusterOf(t, 1)
				admin, proxy = admins[0], proxies[0]
			} else {
				server := peer.Redis(t)
				admin, proxy = client(t, server.Addr()), faultproxy.New(t, server.Addr())
			}
			d := openRedisDocuments(t, RedisOptions{Addrs: []string{proxy.Addr()}, Cluster: cluster})
			create(t, d, "first", letter, time.Minute)
			upload(t, d, "first", signed, time.Minute) // so that the script is known
			create(t, d, "a", letter, time.Minute)
			command(t, admin, "config", "resetstat")

			proxy.CutAfter(faultproxy.ToClient, 0)
			if err := d.Upload(t.Context(), "a", signed, time.Minute); !errors.Is(err, ErrUnavailable) {
				t.Fatalf("got %v", err)
			}
			eventually(t, "recovery", func() error { return d.Ping(t.Context()) })
			want := letter
			want.Signed = &signed
			wantDocument(t, d, "a", want) // it was carried out
			if n := calls(t, admin, "evalsha"); n != "1" {
				t.Errorf("sent %s times", n)
			}
			upload(t, d, "a", signed, time.Minute)
			if err := d.Upload(t.Context(), "a", signedWith("other"), time.Minute); !errors.Is(err, ErrUploaded) {
				t.Errorf("got %v", err)
			}

			// The id of a creation whose answer was lost is lost.
			proxy.CutAfter(faultproxy.ToClient, 0)
			if err := d.Create(t.Context(), "b", letter, time.Minute); !errors.Is(err, ErrUnavailable) {
				t.Fatalf("got %v", err)
			}
			eventually(t, "recovery", func() error { return d.Ping(t.Context()) })
			if err := d.Create(t.Context(), "b", letter, time.Minute); !errors.Is(err, ErrExists) {
				t.Errorf("got %v", err)
			}
			ageRedis(t, admin, 0) // which fails for a key without an end
		})
	}
}

func TestARedisWithoutRoomIsFullAndLeavesDocumentsAsTheyAre(t *testing.T) {
	server := peer.Redis(t)
	admin := client(t, server.Addr())
	d := openRedisDocuments(t, RedisOptions{Addrs: []string{server.Addr()}})
	create(t, d, "a", letter, time.Minute)
	create(t, d, "signed", letter, time.Minute)
	upload(t, d, "signed", signed, time.Minute)
	command(t, admin, "config", "set", "maxmemory", "1")
	for name, err := range map[string]error{
		"create": d.Create(t.Context(), "b", letter, time.Minute), "upload": d.Upload(t.Context(), "a", signed, time.Hour),
	} {
		if !errors.Is(err, ErrFull) || !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	upload(t, d, "signed", signed, time.Minute) // nothing is to be kept
	wantDocument(t, d, "a", letter)
	if left := admin.PTTL(t.Context(), d.key("a")).Val(); left <= 0 || left > time.Minute {
		t.Errorf("it lives for %s", left)
	}
	command(t, admin, "config", "set", "maxmemory", "0")
	upload(t, d, "a", signed, time.Minute)
	wantNothing(t, d, "b")
}

// TestAUserOfRedisNeedsTheseRightsForDocuments: and without any of them nothing
// is left that has no end.
func TestAUserOfRedisNeedsTheseRightsForDocuments(t *testing.T) {
	rights := []string{"+set", "+get", "+getrange", "+evalsha", "+eval", "+ping"}
	server := peer.Redis(t)
	admin := client(t, server.Addr())
	user := func(name string, rights ...string) *RedisDocuments {
		args := []any{"acl", "setuser", name, "on", ">hunter2", "~imzo:document:*", "+auth"}
		for _, r := range rights {
			args = append(args, r)
		}
		command(t, admin, args...)
		return openRedisDocuments(t, RedisOptions{Addrs: []string{server.Addr()}, Username: name, Password: "hunter2"})
	}
	d := user("all", rights...)
	want := letter
	want.Signed = &signed
	create(t, d, "a", letter, time.Minute)
	upload(t, d, "a", signed, time.Minute)
	wantDocument(t, d, "a", want)
	if err := d.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	for i, missing := range rights {
		command(t, admin, "script", "flush")
		id := fmt.Sprint("without ", missing)
		d := user(fmt.Sprint("user", i), append(append([]string{}, rights[:i]...), rights[i+1:]...)...)
		if missing != "+set" {
			create(t, d, id, letter, time.Minute)
		}
		refused := 0
		for name, err := range useAll(d, id) {
			switch {
			case errors.Is(err, ErrUnavailable):
				refused++
				if strings.Contains(err.Error(), signed.SerialNumber) {
					t.Errorf("%s, %s: %v", missing, name, err)
				}
			case err != nil && !errors.Is(err, ErrExists) && !errors.Is(err, ErrNotFound):
				t.Errorf("%s, %s: %v", missing, name, err)
			}
		}
		if refused == 0 {
			t.Errorf("nothing needs %s", missing)
		}
	}
	ageRedis(t, admin, 0) // which fails for a key without an end
}

func TestACommandThatRedisDoesNotKnowIsSaidWithoutWhatWasSigned(t *testing.T) {
	d := openRedisDocuments(t, RedisOptions{Addrs: []string{peer.Redis(t, "--rename-command", "EVALSHA", "").Addr()}})
	create(t, d, "a", letter, time.Minute)
	err := d.Upload(t.Context(), "a", Signed{PKCS7: []byte("7700000"), SerialNumber: "7700000"}, time.Minute)
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "unknown command") || strings.Contains(err.Error(), "7700000") || strings.Contains(err.Error(), "serial") {
		t.Errorf("got %v", err)
	}
	wantDocument(t, d, "a", letter)
}

func TestKeysOfDocumentsLieBelowTheirPrefixAndEnd(t *testing.T) {
	server := peer.Redis(t)
	behind := client(t, server.Addr())
	o := RedisOptions{Addrs: []string{server.Addr()}}
	challenges, documents := openRedis(t, o), openRedisDocuments(t, o)
	o.Prefix = "other:"
	other := openRedisDocuments(t, o)
	for _, id := range strangeIDs {
		issue(t, challenges, id, time.Minute)
		create(t, documents, id, login, time.Minute)
		create(t, other, id, letter, time.Minute)
		upload(t, other, id, signed, time.Minute)
	}
	want := letter
	want.Signed = &signed
	for _, id := range strangeIDs {
		if !take(t, challenges, id) {
			t.Errorf("the challenge %q is lost", id)
		}
		wantDocument(t, documents, id, login)
		wantDocument(t, other, id, want)
	}
	keys, err := behind.Keys(t.Context(), "*").Result()
	if err != nil || len(keys) != 2*len(strangeIDs) {
		t.Errorf("%d keys, %v", len(keys), err)
	}
	for _, key := range keys {
		if !strings.HasPrefix(key, "imzo:document:") && !strings.HasPrefix(key, "other:") {
			t.Errorf("the key %q", key)
		}
		if left := behind.PTTL(t.Context(), key).Val(); left <= 0 || left > time.Minute {
			t.Errorf("%q lives for %s", key, left)
		}
	}
}

func TestRedisEndsTheLivesOfDocumentsByItself(t *testing.T) {
	d := openRedisDocuments(t, RedisOptions{Addrs: []string{peer.Redis(t).Addr()}})
	create(t, d, "waiting", letter, 30*time.Millisecond)
	create(t, d, "signed", letter, time.Minute)
	upload(t, d, "signed", signed, 30*time.Millisecond)
	for _, id := range []string{"waiting", "signed"} {
		eventually(t, "expiry", func() error {
			if _, err := d.Uploaded(t.Context(), id); !errors.Is(err, ErrNotFound) {
				return fmt.Errorf("got %w", err)
			}
			return nil
		})
		wantNothing(t, d, id)
	}
}

// foreign are values that no store has written.
var foreign = []string{
	"x", "1", "w", "s", "\n", "w\n", "s\n\n", "w{}\n", "w{\"kind\":\"other\"}\n", "wnull\n",
	"w{\"kind\":\"signing\"}", "x{\"kind\":\"signing\"}\n", "w{\"kind\":\"signing\"}\nmore",
	"s{\"kind\":\"signing\"}\n", "s{\"kind\":\"signing\"}\n{}", "s{\"kind\":\"signing\"}\n{}\n", "s{\"kind\":\"signing\"}\n[]\nPKCS#7",
	"w{\"kind\":\"authentication\"}\n", "w{\"kind\":\"signing\",\"challenge\":\"AB\"}\n", "w{\"kind\":\"signing\",\"created\":\"today\"}\n",
}

func TestAForeignValueIsNoDocument(t *testing.T) {
	server := peer.Redis(t)
	behind := client(t, server.Addr())
	d := openRedisDocuments(t, RedisOptions{Addrs: []string{server.Addr()}})
	for i, value := range foreign {
		id := fmt.Sprint(i)
		command(t, behind, "set", d.key(id), value, "px", 60_000)
		if got, err := d.Document(t.Context(), id); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%q was read as %v, %v", value, got, err)
		}
		if value[0] == 'w' || value[0] == 's' {
			continue // to look further is more than a poll costs
		}
		if got, err := d.Uploaded(t.Context(), id); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%q was polled as %v, %v", value, got, err)
		}
		if err := d.Upload(t.Context(), id, signed, time.Minute); !errors.Is(err, ErrUnavailable) {
			t.Errorf("uploaded to %q: %v", value, err)
		}
	}
	command(t, behind, "lpush", d.key("list"), "w")
	for name, err := range useAll(d, "list") {
		if !errors.Is(err, ErrUnavailable) && (name != "create" || !errors.Is(err, ErrExists)) && (name != "ping" || err != nil) {
			t.Errorf("a list, %s: %v", name, err)
		}
	}
}

// FuzzDecodeDocument: what is read is well formed, whatever lies in Redis.
func FuzzDecodeDocument(f *testing.F) {
	for _, value := range foreign {
		f.Add(value)
	}
	f.Add("w{\"kind\":\"authentication\",\"challenge\":\"AB8C\",\"created\":\"2026-11-23T10:00:00.5Z\"}\n")
	f.Add("s{\"kind\":\"signing\",\"created\":\"2026-11-23T15:00:00+05:00\"}\n{\"serialNumber\":\"7700000\",\"address\":\"::1\",\"at\":\"2026-11-23T10:00:09Z\"}\n0\x80\n")
	f.Fuzz(func(t *testing.T, value string) {
		d, err := decodeDocument(value)
		if err != nil {
			if !errors.Is(err, ErrUnavailable) || !cmp.Equal(d, Document{}) {
				t.Errorf("%v, %v", d, err)
			}
			return
		}
		if (d.Signed != nil) != (value[:1] == stateSigned) {
			t.Errorf("a poll would tell another state than %v", d)
		}
		if d.Signed != nil && !strings.HasSuffix(value, "\n"+string(d.Signed.PKCS7)) {
			t.Errorf("the PKCS#7 is not what was kept: %q", d.Signed.PKCS7)
		}
		waiting := d
		waiting.Signed = nil
		if again, err := waiting.normal(); err != nil || !cmp.Equal(again, waiting) {
			t.Errorf("%v could not be created: %v, %v", waiting, again, err)
		}
	})
}

// TestOneUploadIsKeptWhateverHappens: two servers on one Redis, whose
// connections are cut, slow and refused all the time, and gateways that repeat
// their uploads until they are told how it ended.
func TestOneUploadIsKeptWhateverHappens(t *testing.T) {
	t.Parallel()
	const gateways, documents = 4, 8
	server := peer.Redis(t)
	proxies := [2]*faultproxy.Proxy{faultproxy.New(t, server.Addr()), faultproxy.New(t, server.Addr())}
	var stores [2]*RedisDocuments
	for i, p := range proxies {
		stores[i] = openRedisDocuments(t, RedisOptions{Addrs: []string{p.Addr()}, ConnectTimeout: 50 * time.Millisecond, Timeout: 50 * time.Millisecond})
	}
	over, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	var faults, group sync.WaitGroup
	for seed, p := range proxies {
		faults.Go(func() {
			random := rand.New(rand.NewPCG(uint64(seed), 11))
			for over.Err() == nil {
				switch random.IntN(6) {
				case 0:
					p.CutAfter(faultproxy.ToServer, random.IntN(400))
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
	// until repeats a call while nobody knows how it ended.
	var failed, finished atomic.Int64
	until := func(f func() error) error {
		for {
			err := f()
			if !errors.Is(err, ErrUnavailable) {
				return err
			}
			failed.Add(1)
			time.Sleep(5 * time.Millisecond)
		}
	}
	for worker := range documents {
		group.Go(func() {
			ctx := context.Background()
			for i := 0; over.Err() == nil; i++ {
				id := fmt.Sprint(worker, " ", i)
				// One that exists is ours, of a lost answer: ids are unique.
				if err := until(func() error { return stores[i%2].Create(ctx, id, letter, time.Minute) }); err != nil && !errors.Is(err, ErrExists) {
					t.Error(err)
					return
				}
				var winner atomic.Pointer[Signed]
				var uploaders sync.WaitGroup
				for gateway := range gateways {
					uploaders.Go(func() {
						s := signedWith(fmt.Sprint(id, " by ", gateway))
						err := until(func() error { return stores[gateway%2].Upload(ctx, id, s, time.Minute) })
						switch {
						case err == nil && winner.Swap(&s) != nil:
							t.Errorf("two uploads to %s were told success", id)
						case err != nil && !errors.Is(err, ErrUploaded):
							t.Error(err)
						}
					})
				}
				uploaders.Wait()
				var got Document
				err := until(func() (err error) { got, err = stores[(i+1)%2].Document(ctx, id); return err })
				want := letter
				want.Signed = winner.Load()
				if diff := cmp.Diff(want, got); err != nil || diff != "" {
					t.Errorf("%s: %v %s", id, err, diff)
				}
				finished.Add(1)
			}
		})
	}
	faults.Wait()
	group.Wait()
	t.Logf("%d flows, %d calls failed", finished.Load(), failed.Load())
	if finished.Load() == 0 || failed.Load() == 0 {
		t.Error("nothing was finished, or nothing failed")
	}
	ageRedis(t, client(t, server.Addr()), 0) // which fails for a key without an end
}
