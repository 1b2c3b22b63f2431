package httpx

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// reader answers with the length of the body, or with what was wrong with it.
func reader(limit int64) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := ReadBody(r, limit)
		var bad *BodyError
		if errors.As(err, &bad) {
			if bad.RetryAfter > 0 {
				w.Header().Set("Retry-After", strconv.Itoa(bad.RetryAfter))
			}
			Text(w, bad.Status, bad.Text)
			return
		}
		fmt.Fprint(w, len(body))
	})
}

func TestBodiesTogetherAreBounded(t *testing.T) {
	memory := NewMemory(1 << 20)
	held := make(chan struct{})
	release := make(chan struct{})
	h := Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reader(1<<20).ServeHTTP(w, r)
		if r.URL.Path == "/hold" {
			held <- struct{}{}
			<-release
		}
	}), Options{Memory: memory})
	post := func(path string, size int) *httptest.ResponseRecorder {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest("POST", path, strings.NewReader(strings.Repeat("x", size))))
		return rec
	}
	var group sync.WaitGroup
	group.Go(func() { post("/hold", 700<<10) })
	<-held
	if used := memory.Used(); used < 700<<10 || used > 1<<20 {
		t.Errorf("%d octets are held", used)
	}
	if rec := post("/", 700<<10); rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Retry-After") == "" {
		t.Errorf("no room: HTTP %d %s", rec.Code, rec.Header())
	}
	if rec := post("/", 10<<10); rec.Code != http.StatusOK {
		t.Errorf("a small one: HTTP %d", rec.Code)
	}
	close(release)
	group.Wait()
	if used := memory.Used(); used != 0 {
		t.Errorf("%d octets are held when all is over", used)
	}
	if rec := post("/", 700<<10); rec.Code != http.StatusOK {
		t.Errorf("room again: HTTP %d", rec.Code)
	}
	// Also when the handler panics.
	panics := Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = ReadBody(r, 1<<20)
		panic("oh")
	}), Options{Memory: memory})
	panics.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/", strings.NewReader("body")))
	if used := memory.Used(); used != 0 {
		t.Errorf("%d octets are held after a panic", used)
	}
}

func TestLargeBodiesLeaveRoomForSmallOnes(t *testing.T) {
	memory := NewMemory(4 << 20)
	addr, _ := start(t, reader(4<<20), Options{Memory: memory})
	post := func(size int) int {
		res, err := http.Post("http://"+addr+"/", "", strings.NewReader(strings.Repeat("x", size)))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		_, _ = io.Copy(io.Discard, res.Body)
		return res.StatusCode
	}
	dial := func(head string) net.Conn {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: a\r\n", head)
		return c
	}
	await := func(what string, done func(used int64) bool) {
		t.Helper()
		for end := time.Now().Add(5 * time.Second); !done(memory.Used()); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: %d octets are held", what, memory.Used())
			}
		}
	}
	// Large ones that all but end take as much as they may.
	var slow []net.Conn
	for range 8 {
		c := dial("Content-Length: 1000000\r\n\r\n")
		fmt.Fprint(c, strings.Repeat("x", 999_999))
		slow = append(slow, c)
	}
	await("large ones", func(used int64) bool { return used >= 2<<20 })
	if code := post(1_500_000); code != http.StatusServiceUnavailable {
		t.Errorf("one more large body: HTTP %d", code)
	}
	for range 5 {
		if code := post(32 << 10); code != http.StatusOK {
			t.Errorf("a small body beside large ones: HTTP %d", code)
		}
	}
	for _, c := range slow {
		c.Close()
	}
	await("afterwards", func(used int64) bool { return used == 0 })
	// Of many only the first octet has come.
	slow = nil
	for range 500 {
		slow = append(slow, dial("Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"))
	}
	await("begun ones", func(used int64) bool { return used >= 500 })
	if code := post(32 << 10); code != http.StatusOK {
		t.Errorf("a small body beside 500 that have only begun: HTTP %d", code)
	}
	for _, c := range slow {
		c.Close()
	}
	await("in the end", func(used int64) bool { return used == 0 })
	if memory.large.Load() != 0 {
		t.Errorf("%d octets are held by large bodies in the end", memory.large.Load())
	}
	if code := post(3<<20 - 1); code != http.StatusOK {
		t.Errorf("a large body alone: HTTP %d", code)
	}
}

func TestAnAnswerReadBitByBitIsCutOff(t *testing.T) {
	ended := make(chan time.Duration, 1)
	addr, _ := start(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		begin := time.Now()
		_, _ = w.Write(make([]byte, 64<<20))
		ended <- time.Since(begin)
	}), Options{idle: 300 * time.Millisecond, body: time.Second})
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	stop := make(chan struct{})
	defer close(stop)
	go func() { // fast enough not to stand still, and no faster
		piece := make([]byte, 256<<10)
		for {
			if _, err := c.Read(piece); err != nil {
				return
			}
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	select {
	case took := <-ended:
		if took < 800*time.Millisecond {
			t.Errorf("cut off after %s, though it went on", took)
		}
	case <-time.After(4 * time.Second):
		t.Error("it goes on and on")
	}
}

func TestSomeBodiesMayBeLarger(t *testing.T) {
	h := Wrap(reader(1<<20), Options{MaxBody: 10, BodyLimit: func(r *http.Request) int64 {
		if r.URL.Path == "/large" {
			return 100
		}
		return 5 // never less than MaxBody
	}})
	for path, sizes := range map[string]map[int]int{"/": {10: 200, 11: 413}, "/large": {100: 200, 101: 413}} {
		for size, want := range sizes {
			for _, chunked := range []bool{false, true} {
				r := httptest.NewRequest("POST", path, strings.NewReader(strings.Repeat("x", size)))
				if chunked {
					r.ContentLength = -1
				}
				rec := httptest.NewRecorder()
				h.ServeHTTP(rec, r)
				if rec.Code != want {
					t.Errorf("%s, %d octets, chunked %v: HTTP %d", path, size, chunked, rec.Code)
				}
			}
		}
	}
}

func TestOnlyTheOriginsOfTheListMayReadAnswers(t *testing.T) {
	called := 0
	h := CORS(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { called++ }), []string{"https://example.uz"})
	for name, c := range map[string]struct {
		method, origin, asks string
		code, called         int
		allowed              bool
	}{
		"a page":                      {"GET", "https://example.uz", "", 200, 1, true},
		"another page":                {"GET", "https://evil.uz", "", 200, 1, false},
		"no page":                     {"GET", "", "", 200, 1, false},
		"null":                        {"POST", "null", "", 200, 1, false},
		"another port":                {"POST", "https://example.uz:8443", "", 200, 1, false},
		"a preflight":                 {"OPTIONS", "https://example.uz", "POST", 204, 0, true},
		"a preflight of another page": {"OPTIONS", "https://evil.uz", "POST", 204, 0, false},
		"OPTIONS of no browser":       {"OPTIONS", "", "", 200, 1, false},
	} {
		called = 0
		r := httptest.NewRequest(c.method, "/", nil)
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		if c.asks != "" {
			r.Header.Set("Access-Control-Request-Method", c.asks)
		}
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		header := rec.Header()
		if rec.Code != c.code || called != c.called || (header.Get("Access-Control-Allow-Origin") == c.origin && c.origin != "") != c.allowed {
			t.Errorf("%s: HTTP %d, called %d, %s", name, rec.Code, called, header)
		}
		if header.Get("Vary") != "Origin" || header.Get("Access-Control-Allow-Credentials") != "" || (header.Get("Access-Control-Allow-Methods") != "") != (c.allowed && c.asks != "") {
			t.Errorf("%s: %s", name, header)
		}
	}
	if h := CORS(http.NotFoundHandler(), nil); h == nil {
		t.Error("no handler")
	}
}

func TestConnectionsBeyondTheLimitWait(t *testing.T) {
	addr, stop := start(t, reader(10), Options{Connections: 2})
	dial := func() net.Conn {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	answers := func(c net.Conn, d time.Duration) bool {
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		_ = c.SetReadDeadline(time.Now().Add(d))
		line, err := bufio.NewReader(c).ReadString('\n')
		return err == nil && strings.HasPrefix(line, "HTTP/1.1 200")
	}
	first, second := dial(), dial()
	if !answers(first, time.Second) || !answers(second, time.Second) {
		t.Fatal("no answer")
	}
	third := dial()
	if answers(third, 100*time.Millisecond) {
		t.Error("a third connection was served")
	}
	first.Close()
	_ = third.SetReadDeadline(time.Now().Add(5 * time.Second))
	if line, err := bufio.NewReader(third).ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 200") {
		t.Errorf("it never had its turn: %q, %v", line, err)
	}
	// A listener that is full closes, too.
	dial()
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestServeSpeaksTLS(t *testing.T) {
	pair := httptest.NewUnstartedServer(nil)
	pair.StartTLS()
	defer pair.Close()
	addr, _ := start(t, reader(10), Options{TLS: &tls.Config{Certificates: pair.TLS.Certificates, NextProtos: []string{"http/1.1"}}, LenientHost: true})
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // httptest's own certificate
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport}).Post("https://"+addr+"/", "", strings.NewReader("12345"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if text, err := io.ReadAll(res.Body); err != nil || string(text) != "5" {
		t.Errorf("%s, %v", text, err)
	}
}

// residentMemory is the RSS of this process in octets.
func residentMemory(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("no /proc: ", err)
	}
	pages, err := strconv.ParseInt(string(bytes.Fields(text)[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// TestAThousandSlowClientsCostLittleAndDisturbNobody: half of them have sent a
// part of the head, half a part of a large body. The memory is that of this
// process, so that of the clients counts, too.
func TestAThousandSlowClientsCostLittleAndDisturbNobody(t *testing.T) {
	const clients = 1000
	addr, _ := start(t, reader(DefaultMaxBody), Options{Memory: NewMemory(256 << 20), Connections: 10_000})
	runtime.GC()
	before := residentMemory(t)
	var open [clients]net.Conn
	for i := range open {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		open[i] = c
		if i%2 == 0 {
			fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: a\r\nX-Slow: ")
		} else {
			fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\nsome octets")
		}
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	var times []time.Duration
	for range 51 {
		begin := time.Now()
		res, err := client.Post("http://"+addr+"/", "", strings.NewReader("good"))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if res.StatusCode != 200 {
			t.Errorf("HTTP %d", res.StatusCode)
		}
		times = append(times, time.Since(begin))
	}
	slices.Sort(times)
	median := times[len(times)/2] // a machine that is busy with other tests has outliers
	cost := residentMemory(t) - before
	t.Logf("%d slow clients cost %d KiB; a good request took %s, the slowest %s", clients, cost>>10, median, times[len(times)-1])
	// The detector keeps shadows of all memory.
	if cost > 100<<20 && !raceDetector {
		t.Errorf("%d slow clients cost %d MiB", clients, cost>>20)
	}
	if median > 100*time.Millisecond {
		t.Errorf("a good request took %s", median)
	}
}

// The buffer of an announced body does not grow to nearly its size first, only
// to copy all that to the place it needs.
func TestALargeBodyTakesLittleMoreThanItself(t *testing.T) {
	for _, size := range []int64{0, 1, 4095, 4096, 10_000, 1 << 20, 5<<20 + 1} {
		memory := NewMemory(64 << 20)
		body := bytes.Repeat([]byte{7}, int(size))
		var most int64
		h := Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got, err := ReadBody(r, 32<<20)
			if err != nil || !bytes.Equal(got, body) {
				t.Errorf("%d octets: %d, %v", size, len(got), err)
			}
			most = memory.Used()
		}), Options{MaxBody: 32 << 20, Memory: memory})
		r := httptest.NewRequest("POST", "/", bytes.NewReader(body))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		h.ServeHTTP(httptest.NewRecorder(), r)
		runtime.ReadMemStats(&after)
		if most > size+1 {
			t.Errorf("%d octets are held for a body of %d", most, size)
		}
		// The buffers on the way add up to two thirds of the last one.
		if allocated := int64(after.TotalAlloc - before.TotalAlloc); allocated > 2*size+64<<10 {
			t.Errorf("%d octets are allocated for a body of %d", allocated, size)
		}
	}
}

// What a giant body leaves is collected when its request ends, however many
// end at the same time.
func TestGiantBodiesAreCollected(t *testing.T) {
	memory := NewMemory(1 << 30)
	h := Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := ReadBody(r, 64<<20); err != nil {
			t.Error(err)
		}
	}), Options{MaxBody: 64 << 20, Memory: memory})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/", bytes.NewReader(make([]byte, giantBody))))
		})
	}
	wait.Wait()
	for end := time.Now().Add(10 * time.Second); memory.ended.Load() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the collection does not end")
		}
	}
	runtime.ReadMemStats(&after)
	if after.NumForcedGC == before.NumForcedGC {
		t.Error("nothing was collected")
	}
	if after.HeapAlloc > before.HeapAlloc+giantBody {
		t.Errorf("%d MiB are left", after.HeapAlloc>>20)
	}
}
