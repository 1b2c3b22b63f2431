package httpx

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// logBuffer collects the lines of a JSON log.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) logger() *slog.Logger { return slog.New(slog.NewJSONHandler(b, nil)) }

// lines returns the log lines with a message.
func (b *logBuffer) lines(t *testing.T, message string) []map[string]any {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	var found []map[string]any
	for line := range bytes.Lines(b.buf.Bytes()) {
		var v map[string]any
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if v["msg"] == message {
			found = append(found, v)
		}
	}
	return found
}

// start serves h on a free port until the test ends and returns its address.
func start(t *testing.T, h http.Handler, o Options) (addr string, stop func() error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, ln, h, o) }()
	stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return ln.Addr().String(), stop
}

// client is a client whose connections do not outlive the test.
func client(t *testing.T) *http.Client {
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 30 * time.Second}
}

// echo answers with the body.
var echo = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	b, err := ReadBody(r, 1<<30)
	var bad *BodyError
	if errors.As(err, &bad) {
		Text(w, bad.Status, bad.Text)
		return
	}
	w.Write(b)
})

// raw sends text as it is and returns the whole answer; the text should ask to
// close the connection.
func raw(t *testing.T, addr, text string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("%v after %q", err, b)
	}
	return string(b)
}

func TestServeLogsOneLineARequest(t *testing.T) {
	var log logBuffer
	mux := http.NewServeMux()
	mux.HandleFunc("POST /thing/{id}", func(w http.ResponseWriter, r *http.Request) {
		Annotate(r.Context(), slog.String("serial", "218711a92"), slog.Int("status", 1))
		io.WriteString(w, RequestID(r.Context()))
	})
	addr, _ := start(t, mux, Options{Logger: log.logger()})
	c := client(t)
	res, err := c.Post("http://"+addr+"/thing/7", "text/plain", strings.NewReader("secret content"))
	if err != nil {
		t.Fatal(err)
	}
	id, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if len(id) < 20 || res.Header.Get("X-Request-Id") != string(id) {
		t.Errorf("id %q, header %q", id, res.Header.Get("X-Request-Id"))
	}
	res, err = c.Get("http://" + addr + "/absent")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()

	lines := waitLines(t, &log, "request", 2)
	first := lines[0]
	if first["id"] != string(id) || first["route"] != "POST /thing/{id}" || first["method"] != "POST" || first["http"] != 200.0 ||
		first["serial"] != "218711a92" || first["status"] != 1.0 || first["bytes"] != float64(len(id)) || first["duration"] == nil {
		t.Errorf("line %v", first)
	}
	if lines[1]["http"] != 404.0 || lines[1]["route"] != "/absent" {
		t.Errorf("line %v", lines[1])
	}
	if strings.Contains(fmt.Sprint(lines), "secret content") {
		t.Error("content in the log")
	}
}

// waitLines waits for log lines, which are written after the answer is sent.
func waitLines(t *testing.T, log *logBuffer, message string, n int) []map[string]any {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		lines := log.lines(t, message)
		if len(lines) >= n {
			return lines
		}
		if time.Now().After(end) {
			t.Fatalf("%d lines, want %d", len(lines), n)
		}
	}
}

func TestServeTakesTheRequestIDOfAProxyOnlyWhenItIsPlain(t *testing.T) {
	h := Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, RequestID(r.Context())) }), Options{})
	addr, _ := start(t, h, Options{})
	for id, taken := range map[string]bool{
		"abc-123_X.9": true, "": false, "a b": false, "a\"b": false, strings.Repeat("x", 64): true, strings.Repeat("x", 65): false,
	} {
		req, err := http.NewRequest("GET", "http://"+addr, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Request-Id", id)
		res, err := client(t).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if got := res.Header.Get("X-Request-Id"); (got == id) != taken || got == "" {
			t.Errorf("%q became %q", id, got)
		}
	}
}

func TestServeAnswersAPanicWith503AndGoesOn(t *testing.T) {
	var log logBuffer
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/early":
			panic("boom")
		case "/late":
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "half")
			http.NewResponseController(w).Flush()
			panic(errors.New("boom"))
		case "/abort":
			panic(http.ErrAbortHandler)
		}
	})
	addr, _ := start(t, h, Options{Logger: log.logger()})
	c := client(t)
	res, err := c.Get("http://" + addr + "/early")
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if res.StatusCode != 503 || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/plain") || strings.Contains(string(text), "boom") || len(text) == 0 {
		t.Errorf("%d %q", res.StatusCode, text)
	}
	for _, path := range []string{"/late", "/abort"} {
		res, err := c.Get("http://" + addr + path)
		if err == nil {
			_, err = io.ReadAll(res.Body)
			res.Body.Close()
		}
		if err == nil {
			t.Errorf("%s: a cut answer looks whole", path)
		}
	}
	res, err = c.Get("http://" + addr + "/fine")
	if err != nil || res.StatusCode != 200 {
		t.Fatal(res, err)
	}
	res.Body.Close()
	panics := waitLines(t, &log, "panic", 2)
	if len(panics) != 2 || panics[0]["panic"] != "boom" || !strings.Contains(fmt.Sprint(panics[0]["stack"]), "serve_test.go") {
		t.Errorf("%v", panics)
	}
}

func TestServeLimitsBodies(t *testing.T) {
	addr, _ := start(t, echo, Options{MaxBody: 1000})
	for _, size := range []int{0, 1, 999, 1000, 1001, 100_000} {
		for _, chunked := range []bool{false, true} {
			body := io.Reader(bytes.NewReader(bytes.Repeat([]byte("x"), size)))
			if chunked {
				body = struct{ io.Reader }{body}
			}
			res, err := client(t).Post("http://"+addr, "text/plain", body)
			if err != nil {
				t.Fatal(err)
			}
			got, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if size <= 1000 && (res.StatusCode != 200 || len(got) != size) || size > 1000 && res.StatusCode != 413 {
				t.Errorf("size %d, chunked %v: %d, %d octets", size, chunked, res.StatusCode, len(got))
			}
		}
	}
}

func TestReadBodyHasALimitOfItsOwn(t *testing.T) {
	for _, size := range []int{0, 1, 100, 101, 300_000} {
		for _, announced := range []bool{false, true} {
			r, err := http.NewRequest("POST", "/", struct{ io.Reader }{strings.NewReader(strings.Repeat("x", size))})
			if err != nil {
				t.Fatal(err)
			}
			r.ContentLength = -1
			if announced {
				r.ContentLength = int64(size)
			}
			b, err := ReadBody(r, 100)
			var bad *BodyError
			if size <= 100 && (err != nil || len(b) != size) || size > 100 && (!errors.As(err, &bad) || bad.Status != 413) {
				t.Errorf("size %d: %d octets, %v", size, len(b), err)
			}
		}
	}
	if b, err := ReadBody(&http.Request{}, 100); err != nil || b != nil {
		t.Errorf("no body: %v, %v", b, err)
	}
}

func TestReadBodyTakesMemoryForWhatCameOnly(t *testing.T) {
	r := &http.Request{ContentLength: 1 << 30, Body: io.NopCloser(strings.NewReader("short"))}
	b, err := ReadBody(r, 1<<30)
	if err != nil || cap(b) > 64<<10 {
		t.Fatalf("%d octets for a body of 5, %v", cap(b), err)
	}
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	r = &http.Request{ContentLength: int64(len(big)), Body: io.NopCloser(bytes.NewReader(big))}
	if b, err = ReadBody(r, 1<<30); err != nil || !bytes.Equal(b, big) || cap(b) > len(big)+len(big)/4 {
		t.Fatalf("%d octets for a body of %d, %v", cap(b), len(big), err)
	}
}

func TestABodyThatStandsStillIsCutOff(t *testing.T) {
	addr, _ := start(t, echo, Options{idle: 100 * time.Millisecond})
	got := raw(t, addr, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
	if !strings.HasPrefix(got, "HTTP/1.1 408 ") {
		t.Errorf("got %q", got)
	}
	// A handler that reads nothing does not leave net/http waiting either.
	addr, _ = start(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), Options{idle: 100 * time.Millisecond})
	got = raw(t, addr, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
	if !strings.HasPrefix(got, "HTTP/1.1 200 ") {
		t.Errorf("got %q", got)
	}
}

func TestABodyThatMovesIsNotCutOff(t *testing.T) {
	addr, _ := start(t, echo, Options{idle: 500 * time.Millisecond})
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 8\r\n\r\n")
	for range 8 { // 800 ms in all
		time.Sleep(100 * time.Millisecond)
		io.WriteString(c, "x")
	}
	b, err := io.ReadAll(c)
	if err != nil || !bytes.HasSuffix(b, []byte("xxxxxxxx")) {
		t.Errorf("%q, %v", b, err)
	}
	// The whole body has a bound all the same.
	addr, _ = start(t, echo, Options{idle: 500 * time.Millisecond, body: 200 * time.Millisecond})
	if got := raw(t, addr, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nxxxxxxx"); !strings.HasPrefix(got, "HTTP/1.1 408 ") {
		t.Errorf("got %q", got)
	}
}

func TestAHandlerOutlivesTheIdleTimeOfTheBody(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := ReadBody(r, 100); err != nil {
			t.Error(err)
		}
		select {
		case <-r.Context().Done():
			t.Error("the read deadline ended the request")
		case <-time.After(300 * time.Millisecond):
		}
		io.WriteString(w, "done")
	})
	addr, _ := start(t, h, Options{idle: 100 * time.Millisecond})
	for _, request := range []string{
		"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc",
		"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
	} {
		if got := raw(t, addr, request); !strings.HasSuffix(got, "done") {
			t.Errorf("got %q", got)
		}
	}
}

func TestAClientThatDoesNotReadIsCutOff(t *testing.T) {
	ended := make(chan error, 1)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := w.Write(make([]byte, 64<<20))
		ended <- err
	})
	addr, _ := start(t, h, Options{idle: 100 * time.Millisecond})
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	select {
	case err := <-ended:
		if err == nil {
			t.Error("64 MiB went to a client that reads nothing")
		}
	case <-time.After(10 * time.Second):
		t.Error("still writing")
	}
}

func TestServeFinishesRequestsBeforeItEnds(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-release
		if r.Context().Err() != nil {
			t.Error("the request saw the server stop")
		}
		io.WriteString(w, "finished")
	})
	addr, stop := start(t, h, Options{})
	answer := make(chan string, 1)
	go func() {
		c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		res, err := c.Get("http://" + addr)
		if err != nil {
			answer <- err.Error()
			return
		}
		b, _ := io.ReadAll(res.Body)
		res.Body.Close()
		answer <- string(b)
	}()
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	select {
	case err := <-stopped:
		t.Fatalf("ended with a request in flight: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	if got := <-answer; got != "finished" {
		t.Errorf("got %q", got)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", addr); err == nil {
		c.Close()
		t.Error("still listening")
	}
}

func TestServeCutsOffRequestsThatDoNotFinish(t *testing.T) {
	entered := make(chan struct{})
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done() // the connection is closed on us
	})
	var log logBuffer
	addr, stop := start(t, h, Options{grace: 50 * time.Millisecond, Logger: log.logger()})
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-entered
	if err := stop(); err != nil {
		t.Error(err)
	}
	if len(log.lines(t, "requests cut off: they did not finish in time")) != 1 {
		t.Error("nothing in the log")
	}
}

func TestServeReportsABrokenListener(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if err := Serve(t.Context(), ln, echo, Options{LenientHost: true}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestTextIsOneLineWithoutQuotes(t *testing.T) {
	addr, _ := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		Text(w, 400, "bad \"thing\"\r\nX: y\\")
	}), Options{})
	res, err := client(t).Get("http://" + addr)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if string(b) != "bad 'thing'  X: y/\n" || res.Header.Get("Content-Type") != "text/plain; charset=utf-8" || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%q %v", b, res.Header)
	}
}

func TestLenientHostTakesWhatClientsSend(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := ReadBody(r, 100)
		fmt.Fprintf(w, "host=%s path=%s body=%s other=%s", r.Host, r.URL.Path, b, r.Header.Get("Other"))
	})
	addr, _ := start(t, h, Options{LenientHost: true})
	for host, want := range map[string]string{
		"Host: example.uz\r\n":                          "example.uz",
		"Host: example.uz:8443\r\n":                     "example.uz:8443",
		"host:[::1]:80\r\n":                             "[::1]:80",
		"Host: http://localhost/frontend/challenge\r\n": "localhost",
		"HOST: https://example.uz:8443/a?b#c\r\n":       "example.uz:8443",
		"Host:\r\n":           "",
		"Host: two words\r\n": "",
		"Host: пример.уз\r\n": "",
		"Host: a/b\r\n":       "",
		"":                    "",
		"Other: x\r\nHost: http://a.uz/\r\nX: y\r\n":                         "a.uz",
		"X-Forwarded-Host: http://c.uz/\r\nHost: http://c.uz/\r\n":           "c.uz",
		"X-Pad: " + strings.Repeat("p", 6000) + "\r\nHost: http://b.uz/\r\n": "b.uz",
	} {
		got := raw(t, addr, "POST /p HTTP/1.1\r\n"+host+"Content-Length: 4\r\nConnection: close\r\n\r\nbody")
		if want := fmt.Sprintf("host=%s path=/p body=body other=", want); !strings.Contains(got, want) {
			t.Errorf("%.60q: got %q, want %q", host, got, want)
		}
	}
	if got := raw(t, addr, "POST /p HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 400 ") {
		t.Errorf("two hosts: %q", got)
	}
	if got := raw(t, addr, "GET /p HTTP/1.0\r\n\r\n"); !strings.Contains(got, "host= path=/p") {
		t.Errorf("HTTP/1.0: %q", got)
	}
	strict, _ := start(t, h, Options{})
	if got := raw(t, strict, "GET /p HTTP/1.1\r\nHost: http://a/\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 400 ") {
		t.Errorf("without LenientHost: %q", got)
	}
}

func TestLenientHostHoldsOnConnectionsThatAreKept(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := ReadBody(r, 1<<20)
		fmt.Fprintf(w, "%s %d", r.Host, len(b))
	})
	addr, _ := start(t, h, Options{LenientHost: true})
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	in := bufio.NewReader(c)
	for i := range 20 {
		// Bodies that hold what looks like a header must not be touched.
		body := strings.Repeat("\r\nHost: http://evil/\r\n\r\n", i*50)
		head := fmt.Sprintf("POST / HTTP/1.1\r\nHost: http://h%d.uz/x\r\nContent-Length: %d\r\n\r\n", i, len(body))
		for piece := head + body; piece != ""; { // in pieces that cut the head anywhere
			n := min(len(piece), 7+i*13)
			if _, err := io.WriteString(c, piece[:n]); err != nil {
				t.Fatal(err)
			}
			piece = piece[n:]
		}
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if want := fmt.Sprintf("h%d.uz %d", i, len(body)); string(b) != want {
			t.Fatalf("got %q, want %q", b, want)
		}
	}
}

// TestLenientHostLeavesTheBodyOfAPipelinedRequest: its head is read together
// with the request before, so that the next octets of the connection are a
// body, whatever they look like.
func TestLenientHostLeavesTheBodyOfAPipelinedRequest(t *testing.T) {
	addr, _ := start(t, echo, Options{LenientHost: true})
	for _, body := range []string{"MIAGCSqGSIb3", "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: http://a/\r\n\r\n"} {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(5 * time.Second))
		in := bufio.NewReader(c)
		head := fmt.Sprintf("POST / HTTP/1.1\r\nHost: b\r\nContent-Length: %d\r\n\r\n", len(body))
		for _, step := range []struct{ send, want string }{
			{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nfirst" + head, "first"}, {body, body},
		} {
			if _, err := io.WriteString(c, step.send); err != nil {
				t.Fatal(err)
			}
			res, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatalf("%q: %v", body, err)
			}
			got, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil || string(got) != step.want {
				t.Fatalf("got %q, %v, want %q", got, err, step.want)
			}
		}
	}
}

// FuzzFixHost checks that only the Host line changes, that the result needs
// no second change, and that what net/http takes stays as it is.
func FuzzFixHost(f *testing.F) {
	for _, s := range []string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: http://a/\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.0\r\n\r\n", "POST / HTTP/1.1\nhost:x y\n\n", "GET / HTTP/1.1\r\nA: b\r\nHost: \x00\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, head []byte) {
		end := headEnd(head)
		if end < 0 {
			return
		}
		head = head[:end]
		before := bytes.Clone(head)
		fixed := fixHost(head)
		if !bytes.Equal(head, before) {
			t.Fatal("the input was changed")
		}
		if fixed == nil {
			return
		}
		if fixHost(fixed) != nil {
			t.Fatalf("%q became %q, which needs fixing", head, fixed)
		}
		other := func(head []byte) (lines []string) {
			for line := range bytes.Lines(head) {
				if name, _, _ := bytes.Cut(line, []byte(":")); !bytes.EqualFold(name, []byte("host")) {
					lines = append(lines, string(line))
				}
			}
			return lines
		}
		if got, want := fmt.Sprint(other(fixed)), fmt.Sprint(other(head)); got != want {
			t.Fatalf("%q became %q", head, fixed)
		}
	})
}
