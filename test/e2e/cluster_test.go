//go:build unix

package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"imzo/internal/testpki/peer"
)

// redisPassword is that of the guide's example.
const redisPassword = "test"

// startRedis starts a Redis with the guide's password.
func startRedis(t *testing.T) *peer.RedisServer {
	t.Helper()
	r := peer.Redis(t)
	lockRedis(t, r)
	return r
}

// lockRedis sets the password, which Redis forgets with all else when it is
// stopped.
func lockRedis(t *testing.T, r *peer.RedisServer) {
	t.Helper()
	redisAs(t, r, "", "CONFIG SET requirepass "+redisPassword)
}

// redisAs sends inline commands, after the password if there is one, and
// returns what Redis answers to the last one. An error of Redis ends the test.
func redisAs(t *testing.T, r *peer.RedisServer, password string, commands ...string) (text string) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", r.Addr(), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if password != "" {
		commands = append([]string{"AUTH " + password}, commands...)
	}
	reader := bufio.NewReader(conn)
	for _, command := range commands {
		if _, err := io.WriteString(conn, command+"\r\n"); err != nil {
			t.Fatalf("%s: %v", command, err)
		}
		line, err := reader.ReadString('\n')
		if err != nil || strings.HasPrefix(line, "-") {
			t.Fatalf("redis answers %s with %q, %v", command, line, err)
		}
		text = strings.TrimSpace(line)
		// A bulk string: its length, and that many octets (RESP).
		if n, err := strconv.Atoi(strings.TrimPrefix(text, "$")); err == nil && text[0] == '$' && n >= 0 {
			bulk := make([]byte, n+len("\r\n"))
			if _, err := io.ReadFull(reader, bulk); err != nil {
				t.Fatalf("%s: %v", command, err)
			}
			text = string(bulk[:n])
		}
	}
	return text
}

// clusterConfig is one server of several: the guide's lines for Redis, whose
// address is given, on a free port.
func clusterConfig(t *testing.T, w *world, redis string) string {
	t.Helper()
	host, port, err := net.SplitHostPort(redis)
	if err != nil {
		t.Fatal(err)
	}
	return properties("listen.ip", "127.0.0.1", "listen.port", "0", "trust.pem.file.path", w.root) +
		replaced(t, guideFile(t, "redis.properties"), "cache.redis.host=127.0.0.1", "cache.redis.host="+host, "cache.redis.port=6379", "cache.redis.port="+port)
}

// site is an application of a customer: it hands the document of a log-in to
// both servers at the same time, and answers with what they say.
type site struct {
	*httptest.Server
	servers []*server
	// seen are the addresses of people, as nginx told them.
	seen sync.Map
	// strays counts requests that nginx should have sent elsewhere.
	strays atomic.Int32
}

func startSite(t *testing.T, w *world, servers ...*server) *site {
	t.Helper()
	s := &site{servers: servers}
	s.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/login" {
			s.strays.Add(1)
			rw.WriteHeader(http.StatusTeapot)
			return
		}
		document, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(rw, err.Error(), http.StatusBadRequest)
			return
		}
		s.seen.Store(r.Header.Get("X-Real-IP")+" "+r.Host, true)
		answers := make([]int, len(s.servers))
		var all errgroup.Group
		for i, srv := range s.servers {
			all.Go(func() error {
				a, err := w.ask(srv.backend+"/backend/auth", string(document), "Host", r.Host, "X-Real-IP", r.Header.Get("X-Real-IP"))
				if err == nil && a.code != http.StatusOK {
					err = fmt.Errorf("HTTP %d: %s", a.code, a.body)
				}
				answers[i] = a.Status
				return err
			})
		}
		if err := all.Wait(); err != nil {
			http.Error(rw, err.Error(), http.StatusBadGateway)
			return
		}
		rw.Header().Set("Content-Type", "text/plain")
		json.NewEncoder(rw).Encode(answers)
	}))
	t.Cleanup(s.Close)
	return s
}

// logIns lets people log in through nginx, n times in all, each time with a
// new challenge that both servers get the answer to. Each must be accepted by
// exactly one of them, and be unknown to the other one.
func logIns(t *testing.T, w *world, base string, n int) (servedBy map[int]int) {
	t.Helper()
	servedBy = map[int]int{}
	var mu sync.Mutex
	seen := map[string]bool{}
	var all errgroup.Group
	all.SetLimit(8)
	for i := range n {
		all.Go(func() error {
			// What a browser claims about itself must not count.
			c, err := w.ask(base+"/frontend/challenge", "", "Host", "example.uz", "X-Real-IP", "198.51.100.7")
			if err != nil || c.code != http.StatusOK || c.Status != 1 || c.Challenge == "" {
				return fmt.Errorf("challenge %d: HTTP %d %.200s: %w", i, c.code, c.body, err)
			}
			document, err := w.sign(w.people[i%len(w.people)], c.Challenge)
			if err != nil {
				return err
			}
			a, err := w.ask(base+"/login", document, "Host", "example.uz", "X-Real-IP", "198.51.100.7")
			if err != nil || a.code != http.StatusOK {
				return fmt.Errorf("log-in %d: HTTP %d %.200s: %w", i, a.code, a.body, err)
			}
			var statuses []int
			if err := json.Unmarshal([]byte(a.body), &statuses); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			if seen[c.Challenge] {
				return fmt.Errorf("challenge %s was given out twice", c.Challenge)
			}
			seen[c.Challenge] = true
			accepted := -1
			for s, status := range statuses {
				switch {
				case status == 1 && accepted < 0:
					accepted = s
				case status == 1:
					return fmt.Errorf("log-in %d: accepted twice: %v", i, statuses)
				case status != -20:
					return fmt.Errorf("log-in %d: statuses %v", i, statuses)
				}
			}
			if accepted < 0 {
				return fmt.Errorf("log-in %d: accepted by nobody: %v", i, statuses)
			}
			servedBy[accepted]++
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		t.Fatal(err)
	}
	return servedBy
}

func TestEachOfAThousandChallengesIsAcceptedOnce(t *testing.T) {
	w := newWorld(t, 4)
	redis := startRedis(t)
	config := clusterConfig(t, w, redis.Addr())
	one := startServer(t, w.folder("one"), config)
	two := startServer(t, w.folder("two"), config)
	site := startSite(t, w, one, two)
	front := startNginx(t, func(listen string) map[string]string { return guideNginx(t, listen, site.URL, one, two) })

	// What one server gave out, the other one knows.
	for i := range 20 {
		from, to := one, two
		if i%2 == 1 {
			from, to = two, one
		}
		if a, err := w.logIn(w.people[0], from.url, to.backend); err != nil || a.Status != 1 {
			t.Fatalf("answered to the other server: %+v, %v", a, err)
		}
	}

	servedBy := logIns(t, w, front.url, 1000)
	if servedBy[0]+servedBy[1] != 1000 || servedBy[0] == 0 || servedBy[1] == 0 {
		t.Errorf("accepted by the servers: %v, want 1000 by both together", servedBy)
	}
	for _, s := range []*server{one, two} {
		if n := strings.Count(s.log.String(), "route=/frontend/challenge"); n < 300 {
			t.Errorf("one server gave out only %d of the challenges", n)
		}
		if strings.Contains(s.log.String(), "password="+redisPassword) {
			t.Error("the password of Redis is in the log")
		}
	}
	checkSite(t, site)
	one.stop(t)
	two.stop(t)
}

func checkSite(t *testing.T, s *site) {
	t.Helper()
	s.seen.Range(func(key, _ any) bool {
		if key != "127.0.0.1 example.uz" {
			t.Errorf("nginx says that the person is %q", key)
		}
		return true
	})
	if n := s.strays.Load(); n > 0 {
		t.Errorf("the site got %d requests that are not its own", n)
	}
}

// The configuration in deploy/ does the same, and keeps what is not for the
// world away from it.
func TestOurNginxKeepsTheBackEndInside(t *testing.T) {
	w := newWorld(t, 1)
	redis := startRedis(t)
	config := clusterConfig(t, w, redis.Addr()) + properties("backend.listen.ip", "127.0.0.1", "backend.listen.port", "0")
	one := startServer(t, w.folder("one"), config)
	two := startServer(t, w.folder("two"), config)
	site := startSite(t, w, one, two)
	front := startNginx(t, func(listen string) map[string]string { return ourNginx(t, listen, site.URL, one, two) })

	logIns(t, w, front.url, 50)
	checkSite(t, site)
	for _, path := range []string{
		"/backend/auth", "/backend/pkcs7/verify/attached", "/ping", "/info", "/metrics", "/healthz/live", "/healthz/ready", "/openapi.json",
		"//backend/auth", "/frontend/../backend/auth", "/frontend/%2e%2e/backend/auth", "/frontend/..%2fbackend/auth", "/FRONTEND/challenge", "/frontendx",
	} {
		if a := w.must(t, front.url+path, "", "Host", "example.uz"); a.code != http.StatusTeapot {
			t.Errorf("%s reaches more than the site: HTTP %d %.200s", path, a.code, a.body)
		}
	}
	// Even who reaches the public port past nginx finds no back end there.
	for _, s := range []*server{one, two} {
		for _, path := range []string{"/backend/auth", "/metrics", "/healthz/ready"} {
			if a := w.must(t, s.url+path, "x"); a.code != http.StatusNotFound {
				t.Errorf("%s on the public port: HTTP %d", path, a.code)
			}
		}
	}
	c := w.must(t, front.url+"/frontend/challenge", "", "Host", "example.uz")
	if c.header.Get("Cache-Control") != "no-store" {
		t.Errorf("a challenge may be cached: %q", c.header.Get("Cache-Control"))
	}
}

// A server that is restarted, or dies, while people log in costs nobody a
// log-in that the other server could serve.
func TestServersCanBeRestartedOneByOne(t *testing.T) {
	w := newWorld(t, 1)
	redis := startRedis(t)
	config := clusterConfig(t, w, redis.Addr())
	servers := []*server{startServer(t, w.folder("one"), config), startServer(t, w.folder("two"), config)}
	site := startSite(t, w, servers...)
	front := startNginx(t, func(listen string) map[string]string { return ourNginx(t, listen, site.URL, servers...) })

	done := make(chan struct{})
	var asked atomic.Int32
	load, failed := errgroup.WithContext(t.Context())
	for range 4 {
		load.Go(func() error {
			for {
				select {
				case <-done:
					return nil
				default:
				}
				c, err := w.ask(front.url+"/frontend/challenge", "", "Host", "example.uz")
				if err != nil || c.code != http.StatusOK || c.Status != 1 {
					return fmt.Errorf("after %d challenges: HTTP %d %.200s %w", asked.Load(), c.code, c.body, err)
				}
				asked.Add(1)
			}
		})
	}
	more := func() {
		t.Helper()
		until := asked.Load() + 100
		for deadline := time.Now().Add(20 * time.Second); asked.Load() < until; time.Sleep(5 * time.Millisecond) {
			if failed.Err() != nil || time.Now().After(deadline) {
				t.Fatalf("challenges have stopped coming: %v", context.Cause(failed))
			}
		}
	}
	more()
	for _, s := range servers {
		s.stop(t)
		more()
		s.restart(t)
		// nginx leaves alone what has failed for fail_timeout; stopping the
		// other one before that would leave it with none.
		s.await(t, "route=/frontend/challenge")
		more()
	}
	close(done)
	if err := load.Wait(); err != nil {
		t.Error(err)
	}
	for _, s := range servers {
		if a, err := w.logIn(w.people[0], s.url, s.backend); err != nil || a.Status != 1 {
			t.Errorf("after the restarts: %+v, %v", a, err)
		}
	}
	if text := readFile(t, filepath.Join(front.dir, "access.log")); strings.Contains(text, " 502 ") || strings.Contains(text, " 504 ") {
		t.Error("nginx gave up on requests")
	}
}
