package server

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"imzo/bench/internal/figures"
	"imzo/internal/testpki/peer"
)

// binary is the folder of the program under test, which is built once.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "imzo-bench-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = dir
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// program returns the path of the server.
func program(t *testing.T) string {
	t.Helper()
	path := filepath.Join(binary, "imzo")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	path, err := build(t.Context(), binary)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func httpServer(t *testing.T, h http.HandlerFunc) (address string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// Both ways in which a server of Go writes a body, and the JDK's the first.
func TestAnswersAreReadWhole(t *testing.T) {
	long := `{"status":1,"x":"` + strings.Repeat("0123456789", 5000) + `"}`
	address := httpServer(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || (r.Method == "POST" && string(body) != "the body") {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		switch r.URL.Path {
		case "/length":
			w.Header().Set("Content-Length", fmt.Sprint(len(long)))
			_, _ = io.WriteString(w, long)
		case "/chunks":
			for i := 0; i < len(long); i += 700 {
				_, _ = io.WriteString(w, long[i:min(i+700, len(long))])
				w.(http.Flusher).Flush()
			}
		case "/refused":
			_, _ = io.WriteString(w, `{"status":-10,"message":"no"}`)
		default:
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, `{"status":1,"message":""}`)
		}
	})
	c, err := dial(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	for range 2 { // the connection goes on
		for _, path := range []string{"/length", "/chunks"} {
			for _, method := range []string{"GET", "POST"} {
				took, err := c.ask(request(method, path, map[string][]byte{"POST": []byte("the body")}[method]))
				if err != nil || string(c.body) != long || took <= 0 {
					t.Fatalf("%s %s: %v, %d octets of %d", method, path, err, len(c.body), len(long))
				}
			}
		}
		for _, path := range []string{"/refused", "/other"} {
			if _, err := c.ask(request("GET", path, nil)); err == nil {
				t.Errorf("%s is no error", path)
			}
		}
	}
}

func TestBrokenAnswersAreErrors(t *testing.T) {
	for _, answer := range []string{
		"",
		"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
		"HTTP/1.1 two OK\r\nContent-Length: 1\r\n\r\nx",
		"HTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: -4\r\n\r\nx",
		"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n",
	} {
		c := &connection{in: bufio.NewReader(strings.NewReader(answer))}
		if code, err := c.readAnswer(); err == nil {
			t.Errorf("%q is read as %d %q", answer, code, c.body)
		}
	}
}

func TestTheLoadIsClosed(t *testing.T) {
	var now, most, all atomic.Int64
	address := httpServer(t, func(w http.ResponseWriter, _ *http.Request) {
		n := now.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		all.Add(1)
		time.Sleep(time.Millisecond)
		now.Add(-1)
		_, _ = io.WriteString(w, `{"status":1,"message":""}`)
	})
	get := request("GET", "/", nil)
	var mu sync.Mutex
	numbers := map[int]bool{}
	l, err := run(t.Context(), address, 4, 200*time.Millisecond, func(c *connection, _ int) (time.Duration, error) {
		mu.Lock()
		numbers[c.number] = true
		mu.Unlock()
		return c.ask(get)
	})
	if err != nil {
		t.Fatal(err)
	}
	if most.Load() > 4 || len(numbers) != 4 {
		t.Errorf("%d requests at the same time, connections %v; want 4", most.Load(), numbers)
	}
	if int64(len(l.latencies)) != all.Load() || len(l.latencies) == 0 {
		t.Errorf("%d latencies of %d answers", len(l.latencies), all.Load())
	}
	if p := l.latencies.Percentile(1); p < time.Millisecond {
		t.Errorf("the soonest answer took %v, the server 1 ms", p)
	}
	if rate := l.perSecond(); rate <= 0 || rate > 4000 {
		t.Errorf("%v answers a second", rate)
	}
}

func TestAnErrorEndsTheLoad(t *testing.T) {
	var n atomic.Int64
	address := httpServer(t, func(w http.ResponseWriter, _ *http.Request) {
		status := 1
		if n.Add(1) > 20 {
			status = -1
		}
		fmt.Fprintf(w, `{"status":%d,"message":""}`, status)
	})
	get := request("GET", "/", nil)
	began := time.Now()
	if _, err := run(t.Context(), address, 3, time.Minute, func(c *connection, _ int) (time.Duration, error) { return c.ask(get) }); err == nil || !strings.Contains(err.Error(), `"status":-1`) {
		t.Errorf("the error is %v", err)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it took %v", took)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := run(ctx, address, 1, time.Minute, func(c *connection, _ int) (time.Duration, error) { return c.ask(get) }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := run(t.Context(), l.Addr().String(), 1, time.Minute, nil); err == nil {
		t.Error("nobody listens, and there is no error")
	}
}

func TestFilesOfProcessesAreRead(t *testing.T) {
	got, err := parseStat("7 (a (strange) name) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 9 0 100 1 1")
	if err != nil || got != 3*time.Second {
		t.Errorf("300 ticks are %v, %v", got, err)
	}
	status := []byte("Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\nThreads:\t3\n")
	for field, want := range map[string]float64{"VmRSS": 1 << 20, "VmHWM": 2 << 20} {
		if got, err := parseStatus(status, field); err != nil || got != want {
			t.Errorf("%s is %v, %v", field, got, err)
		}
	}
	page := []byte("# HELP go_memstats_mallocs_total x\ngo_memstats_mallocs_total 1.5e+06\nother{a=\"b\"} 1\n")
	if got, err := parseMetric(page, "go_memstats_mallocs_total"); err != nil || got != 1.5e6 {
		t.Errorf("the metric is %v, %v", got, err)
	}
	for name, f := range map[string]func() error{
		"stat":        func() error { _, err := parseStat("7 (x) S 1"); return err },
		"ticks":       func() error { _, err := parseStat("7 (x) S 1 7 7 0 -1 4 1 0 0 0 a b 0"); return err },
		"no field":    func() error { _, err := parseStatus(status, "VmPeak"); return err },
		"not in KiB":  func() error { _, err := parseStatus(status, "Threads"); return err },
		"no metric":   func() error { _, err := parseMetric(page, "other"); return err },
		"bad process": func() error { _, err := cpuTime(0); return err },
	} {
		if err := f(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if runtime.GOOS != "linux" {
		return
	}
	now, peak, err := memory(os.Getpid())
	if err != nil || now < 1<<20 || peak < now {
		t.Errorf("this process has %v octets, at most %v: %v", now, peak, err)
	}
	if _, err := cpuTime(os.Getpid()); err != nil {
		t.Error(err)
	}
}

func TestTheFloorDecodesAndHashes(t *testing.T) {
	content := make([]byte, 1<<16)
	document := base64.StdEncoding.AppendEncode(nil, content)
	if d, err := hashAndBase64(document, content); err != nil || d <= 0 {
		t.Errorf("%v, %v", d, err)
	}
	if _, err := hashAndBase64([]byte("***"), content); err == nil {
		t.Error("what is no base64 is decoded")
	}
}

// The whole, for moments: the real binary, and the stand-in, over the same
// documents.
func TestBothServersAnswerAllScenarios(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("figures of processes are read on Linux only")
	}
	if testing.Short() {
		t.Skip("it builds and starts servers")
	}
	peer.BouncyCastle(t)
	comparisons, versions, err := Measure(t.Context(), Options{
		Dir: t.TempDir(), Program: program(t), Rounds: 1, Slice: 50 * time.Millisecond, WarmUp: 50 * time.Millisecond,
		Signers: 2, Many: 3, Connections: []int{1, 2}, Large: 1 << 20, Log: t.Output(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(versions) != 1 || !strings.HasPrefix(versions[0], "BouncyCastle 1.") {
		t.Errorf("versions %v", versions)
	}
	targets := 0
	for _, c := range comparisons {
		if c.Target.Factor > 0 {
			targets++
		}
		if len(c.Ours.Samples) != 1 || !(c.Ours.Median() > 0) || c.Absent != "" || (c.Peer != "" && !(c.Ratio() > 0)) {
			t.Errorf("%+v", c)
		}
		for _, d := range append(c.Details, c.TheirDetails...) {
			if len(d.Value.Samples) != 1 || d.Value.Median() < 0 {
				t.Errorf("%s: %s %v", c.Figure, d.Name, d.Value)
			}
		}
	}
	if targets != 7 || len(comparisons) != 14 {
		t.Errorf("%d rows with %d targets, want 14 with 7:\n%s", len(comparisons), targets, table(comparisons))
	}
}

func table(c []figures.Comparison) string {
	var b strings.Builder
	_ = figures.Report{Comparisons: c}.WriteTable(&b) // into memory
	return b.String()
}

func TestTheStandInRefusesWhatIsWrong(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds and starts servers")
	}
	peer.BouncyCastle(t)
	dir := t.TempDir()
	w, err := newWorld(dir, program(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	ours, err := w.start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer ours.stop()
	documents, err := w.stamped(t.Context(), ours, 200)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{Options: Options{Dir: dir, Log: t.Output()}, world: w}
	java, err := b.startStandIn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer java.program.Close()
	c, err := dial(t.Context(), java.address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	for _, path := range []string{"/verify", "/verify?chains=cached"} {
		for range 2 {
			if _, err := c.ask(request("POST", path, documents[0])); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !strings.Contains(string(c.body), `"timeStampInfo":{`) || strings.Count(string(c.body), `"subjectName"`) != 7 {
		t.Errorf("the answer lacks facts: %s", c.body)
	}
	der, err := base64.StdEncoding.AppendDecode(nil, documents[0])
	if err != nil {
		t.Fatal(err)
	}
	// Both must find every changed octet among a sample of all.
	oursToo, err := dial(t.Context(), ours.address)
	if err != nil {
		t.Fatal(err)
	}
	defer oursToo.close()
	accepted := 0
	for i := 300; i < len(der); i += len(der) / 20 {
		wrong := append([]byte(nil), der...)
		wrong[i] ^= 4
		body := base64.StdEncoding.AppendEncode(nil, wrong)
		if _, err := oursToo.ask(request("POST", pathVerify, body)); err == nil {
			t.Errorf("octet %d changed, and our server accepts it", i)
		}
		if _, err := c.ask(request("POST", "/verify", body)); err == nil {
			accepted++
			t.Logf("octet %d changed, and the stand-in accepts it: ...%x...", i, der[i-8:i+8])
		}
	}
	// It does not check all that ours does outside of what is signed.
	if accepted > 1 {
		t.Errorf("the stand-in accepts %d documents of 20 that were changed", accepted)
	}
}

func TestPollingIsOpen(t *testing.T) {
	var n atomic.Int32
	address := httpServer(t, func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1) == 1 {
			time.Sleep(60 * time.Millisecond)
		}
		_, _ = io.WriteString(w, `{"status":2}`)
	})
	// One connection, a request every 10 ms: those that were due while the
	// first was answered are late, and their lateness counts.
	began := time.Now()
	l, err := run(t.Context(), address, 1, 150*time.Millisecond, paced(began, 1, 100, [][]byte{request("GET", "/", nil)}))
	if err != nil {
		t.Fatal(err)
	}
	late := 0
	for _, took := range l.latencies {
		if took > 5*time.Millisecond {
			late++
		}
	}
	if late < 5 || len(l.latencies) < 12 {
		t.Errorf("%d answers, %d of them late: %v", len(l.latencies), late, l.latencies)
	}
	// What has been signed is no document that is waited for.
	signed := httpServer(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"status":1,"x":0}`) })
	if _, err := run(t.Context(), signed, 1, 50*time.Millisecond, paced(time.Now(), 1, 100, [][]byte{request("GET", "/", nil)})); err == nil {
		t.Error("an answer with another status passes")
	}
}
