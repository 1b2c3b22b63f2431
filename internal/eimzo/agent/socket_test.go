package agent

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"
)

// serveAgent serves an agent on a port of its own.
func serveAgent(t *testing.T, a *Agent) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(a.Handler(nil))
	t.Cleanup(func() { a.Close(); s.Close() })
	return s
}

// dial opens a socket as a page of an origin does.
func dial(t testing.TB, s *httptest.Server, query, origin string) *websocket.Conn {
	t.Helper()
	header := http.Header{}
	if origin != "" {
		header.Set("Origin", origin)
	}
	c, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(s.URL, "http")+SocketPath+query, header)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetReadDeadline(time.Now().Add(2 * time.Minute))
	return c
}

func say(t testing.TB, c *websocket.Conn, request string) string {
	t.Helper()
	if err := c.WriteMessage(websocket.TextMessage, []byte(request)); err != nil {
		t.Fatal(err)
	}
	_, reply, err := c.ReadMessage()
	if err != nil {
		t.Fatal(err)
	}
	return string(reply)
}

// ended reads until the socket ends, and tells how.
func ended(t testing.TB, c *websocket.Conn) (code int, reason string) {
	t.Helper()
	for {
		_, _, err := c.ReadMessage()
		var e *websocket.CloseError
		if errors.As(err, &e) {
			return e.Code, e.Text
		}
		if err != nil {
			return 0, err.Error()
		}
	}
}

const getVersion = `{"name":"version"}`

func TestASocketTakesOneCallAndIsDone(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	s := serveAgent(t, newAgent(t))
	defer s.Close()
	c := dial(t, s, "", "https://example.uz")
	if reply := say(t, c, getVersion); !strings.Contains(reply, `"major":"6"`) {
		t.Error(reply)
	}
	if code, reason := ended(t, c); code != 1000 || reason != "Done" {
		t.Error(code, reason)
	}
	_ = c.Close()
	// A page that closes first, without a status.
	c = dial(t, s, "?keepConnection", "https://example.uz")
	for range 3 {
		if reply := say(t, c, getVersion); !strings.Contains(reply, `"major":"6"`) {
			t.Error(reply)
		}
	}
	if err := c.WriteControl(websocket.CloseMessage, nil, time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if code, _ := ended(t, c); code != 1000 {
		t.Error("a close without a status is answered with", code)
	}
	_ = c.Close()
	for _, query := range []string{"?keepConnection=", "?keepConnection=false", "?a=b&keepConnection"} {
		c := dial(t, s, query, "")
		say(t, c, getVersion)
		say(t, c, getVersion)
		_ = c.Close()
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestBinaryMessagesArePassedOver(t *testing.T) {
	s := serveAgent(t, newAgent(t))
	c := dial(t, s, "", "")
	if err := c.WriteMessage(websocket.BinaryMessage, []byte(getVersion)); err != nil {
		t.Fatal(err)
	}
	if reply := say(t, c, "no JSON"); reply != noFunctionReply(t) {
		t.Error(reply)
	}
}

func noFunctionReply(t *testing.T) string {
	t.Helper()
	return string(newAgent(t).answer(t.Context(), site, nil))
}

func TestTheOriginIsThatOfTheSocket(t *testing.T) {
	s := serveAgent(t, newAgent(t))
	for origin, want := range map[string]string{
		"https://stranger.uz":      `"status":-1022`,
		"https://example.uz":       `"status":1,`,
		"https://example.uz:8443":  `"status":1,`,
		"":                         `"status":1,`,
		"null":                     `"status":1,`,
		"file://":                  `"status":1,`,
		"https://STRANGER.uz":      `"status":1,`, // a header that no browser sends
		"https://x.stranger.uz:80": `"status":1,`,
	} {
		if reply := say(t, dial(t, s, "", origin), `{"plugin":"app","name":"change_ui_lang","arguments":["ru"]}`); !strings.Contains(reply+",", want) {
			t.Errorf("%q: %s", origin, reply)
		}
	}
}

func TestAStopTellsPages(t *testing.T) {
	a := newAgent(t)
	s := serveAgent(t, a)
	c := dial(t, s, "?keepConnection", "")
	say(t, c, getVersion)
	a.Close()
	if code, _ := ended(t, c); code != 1001 {
		t.Error(code)
	}
}

func TestPagesAreServed(t *testing.T) {
	s := serveAgent(t, newAgent(t))
	get := func(method, path, host, origin string) (*http.Response, string) {
		t.Helper()
		r, err := http.NewRequest(method, s.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if host != "" {
			r.Host = host
		}
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response, string(text)
	}
	for path, want := range map[string][2]string{
		"/":                {"text/html; charset=utf-8", "<title>E-IMZO-v6.4.7</title>"},
		"/apidoc.html":     {"text/html; charset=utf-8", "apidoc.js"},
		"/e-imzo.js":       {"text/javascript; charset=utf-8", "CAPIWS"},
		"/e-imzo-logo.png": {"image/png", "PNG"},
		"/favicon.ico":     {"image/x-icon", "PNG"},
		"/?x=y":            {"text/html; charset=utf-8", "E-IMZO-v6.4.7 установлен"},
		"/e-imzo.js?v=6":   {"text/javascript; charset=utf-8", "Base64"},
		"/apidoc.js":       {"text/javascript; charset=utf-8", "localhost"},
		"/agent.css":       {"text/css; charset=utf-8", "main"},
	} {
		r, text := get("GET", path, "", "")
		if r.StatusCode != 200 || r.Header.Get("Content-Type") != want[0] || !strings.Contains(text, want[1]) || r.Header.Get("Content-Security-Policy") == "" {
			t.Errorf("%s: %d %v %.100s", path, r.StatusCode, r.Header, text)
		}
	}
	for _, c := range [][2]string{{"GET", "/no"}, {"POST", "/"}, {"PUT", "/e-imzo.js"}, {"GET", SocketPath}, {"GET", "/site/index.html"}, {"GET", "/../go.mod"}} {
		if r, text := get(c[0], c[1], "", ""); r.StatusCode != 404 || text != "404 - Not Found" || r.Header.Get("Content-Type") != "text/plain" {
			t.Errorf("%v: %d %q", c, r.StatusCode, text)
		}
	}
	for _, path := range []string{"/", "/no", SocketPath} {
		for origin, want := range map[string]string{"https://example.uz": "https://example.uz", "": "*"} {
			r, text := get("OPTIONS", path, "", origin)
			if r.StatusCode != 200 || text != "" || !r.Close || r.Header.Get("Access-Control-Allow-Private-Network") != "true" || r.Header.Get("Access-Control-Allow-Origin") != want ||
				r.Header.Get("Access-Control-Allow-Methods") != "GET, POST, OPTIONS" || r.Header.Get("Access-Control-Allow-Headers") != "*" {
				t.Errorf("%s: %d %v", path, r.StatusCode, r.Header)
			}
		}
	}
	// A name that somebody has pointed at this computer.
	for host, want := range map[string]int{
		"evil.uz": 403, "evil.uz:64646": 403, "localhost.evil.uz": 403, "127.0.0.1.evil.uz": 403, "10.0.0.1": 403, "localhost": 200, "localhost:64646": 200,
		"127.0.0.1:64646": 200, "127.0.0.2": 200, "[::1]:64646": 200, "[::1]": 200,
	} {
		if r, _ := get("GET", "/", host, ""); r.StatusCode != want {
			t.Errorf("Host %s: %d", host, r.StatusCode)
		}
	}
	_, response, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(s.URL, "http")+SocketPath, http.Header{"Host": {"evil.uz"}})
	if err == nil || response.StatusCode != 403 {
		t.Error("a socket under another name", err)
	}
}

func TestLargeMessagesAreTakenAndTooLargeOnesClosed(t *testing.T) {
	a := newAgent(t)
	s := serveAgent(t, a)
	long := strings.Repeat("A", maxArgument)
	c := dial(t, s, "?keepConnection", "")
	if reply := say(t, c, `{"plugin":"cryptoauth","name":"get_digest_hex","arguments":["`+long+`"]}`); !strings.Contains(reply, `"digest_hex"`) {
		t.Errorf("%.200s", reply)
	}
	if reply := say(t, c, `{"plugin":"cryptoauth","name":"get_digest_hex","arguments":["`+long+`A"]}`); !strings.Contains(reply, `"status":-9999`) {
		t.Errorf("%.200s", reply)
	}
	large := bytes.Repeat([]byte("A"), maxMessage+1)
	_ = c.WriteMessage(websocket.TextMessage, large) // it may be closed before its end
	if code, reason := ended(t, c); code != websocket.CloseMessageTooBig {
		t.Error(code, reason)
	}
	givenBack(t, a, DefaultMemory)
}

// givenBack waits until messages hold no memory: that is a moment after their
// sockets have ended.
func givenBack(t *testing.T, a *Agent, all int64) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); a.memory.free.Load() != all; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d octets are not given back", all-a.memory.free.Load())
		}
	}
}

func TestMessagesShareTheMemoryThereIs(t *testing.T) {
	a := newAgent(t, func(o *Options) { o.Memory = 1 << 20 })
	s := serveAgent(t, a)
	c := dial(t, s, "", "")
	_ = c.WriteMessage(websocket.TextMessage, bytes.Repeat([]byte("A"), 1<<20))
	if code, reason := ended(t, c); code != websocket.CloseTryAgainLater {
		t.Error(code, reason)
	}
	if reply := say(t, dial(t, s, "", ""), getVersion); !strings.Contains(reply, `"major"`) {
		t.Error(reply)
	}
	givenBack(t, a, 1<<20)
}

// TestOnePageLeavesOthersTheirShareOfMemory: half of it is for the others.
func TestOnePageLeavesOthersTheirShareOfMemory(t *testing.T) {
	var b budget
	b.set(100)
	if !b.take("a", 30) || !b.take("a", 20) || b.take("a", 1) {
		t.Error("a page has not just half of the memory")
	}
	if !b.take("b", 50) || b.take("c", 1) {
		t.Error("the others have not just the rest")
	}
	b.give("a", 50)
	b.give("b", 50)
	if b.free.Load() != 100 || len(b.taken) != 0 {
		t.Errorf("%d free, %v", b.free.Load(), b.taken)
	}
}

// A thousand pages that open a socket and say nothing, or half a message, cost
// little, and another is answered.
func TestAThousandIdleSocketsCostLittle(t *testing.T) {
	a := newAgent(t)
	s := serveAgent(t, a)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var conns []net.Conn
	defer func() {
		for _, c := range conns {
			_ = c.Close()
		}
	}()
	for i := range 1000 {
		c := dial(t, s, "", "").NetConn()
		if i%2 == 0 {
			_, _ = c.Write([]byte{0x01, 0x80 | 100, 1, 2, 3, 4, 'x'}) // the beginning of a fragment
		}
		conns = append(conns, c)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	// Both ends are in this process.
	if grown := (after.HeapInuse + after.StackInuse - before.HeapInuse - before.StackInuse) >> 20; int64(grown) > 150 {
		t.Errorf("%d MiB", grown)
	}
	start := time.Now()
	if reply := say(t, dial(t, s, "", ""), getVersion); !strings.Contains(reply, `"major"`) || time.Since(start) > 2*time.Second {
		t.Error(reply, time.Since(start))
	}
}

// Ten thousand signatures by fifty clients; the password was asked for once.
func TestManyClientsSignAtOnce(t *testing.T) {
	calls := 10_000
	if testing.Short() || raceEnabled {
		calls = 500
	}
	d := newDesk(t)
	s := serveAgent(t, d.agent)
	id := d.load(t)
	d.person.remember = true
	d.types("Abc12345")
	callFunction(t, d.agent, "pkcs7", "create_pkcs7", "AAAA", id)
	request, err := json.Marshal(map[string]any{"plugin": "pkcs7", "name": "create_pkcs7", "arguments": []string{b64([]byte("some document")), id, ""}})
	if err != nil {
		t.Fatal(err)
	}
	goroutines, heap := runtime.NumGoroutine(), heapInUse()
	var left atomic.Int64
	left.Store(int64(calls))
	var wait sync.WaitGroup
	dialer := websocket.Dialer{}
	start := time.Now()
	for range 50 {
		wait.Go(func() {
			for left.Add(-1) >= 0 {
				c, _, err := dialer.Dial("ws"+strings.TrimPrefix(s.URL, "http")+SocketPath, http.Header{"Origin": {"https://example.uz"}})
				if err != nil {
					t.Error(err)
					return
				}
				if err := c.WriteMessage(websocket.TextMessage, request); err != nil {
					t.Error(err)
				}
				_, reply, err := c.ReadMessage()
				if err != nil || !bytes.Contains(reply, []byte(`"success":true`)) {
					t.Errorf("%.200s %v", reply, err)
				}
				_, _, err = c.ReadMessage()
				if !websocket.IsCloseError(err, 1000) {
					t.Error(err)
				}
				_ = c.Close()
			}
		})
	}
	wait.Wait()
	t.Logf("%d signatures in %s", calls, time.Since(start).Round(time.Millisecond))
	if log := d.audited.String(); strings.Count(log, "pkcs7.create_pkcs7") != calls+1 {
		t.Errorf("%d lines of audit", strings.Count(log, "pkcs7.create_pkcs7"))
	}
	givenBack(t, d.agent, DefaultMemory)
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > goroutines+5; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, before there were %d", runtime.NumGoroutine(), goroutines)
		}
	}
	*d.audited = bytes.Buffer{}
	if now := heapInUse(); now > heap+8<<20 {
		t.Errorf("%d KiB of heap, before there were %d", now>>10, heap>>10)
	} else {
		t.Logf("goroutines %d then %d, heap %d KiB then %d KiB", goroutines, runtime.NumGoroutine(), heap>>10, now>>10)
	}
}

func heapInUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
