//go:build linux

package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The bounds are those of the project's figures (40 MiB, 150 ms) with room for
// a busy machine; docs/performance.md has the real ones.
const (
	idleMemory = 60 << 20
	readyTime  = 2 * time.Second
)

// processMemory reads a line of /proc/PID/status, in octets: VmRSS is what a
// process has now, VmHWM the most it ever had.
func processMemory(t *testing.T, pid int, name string) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		if key, value, _ := strings.Cut(string(line), ":"); key == name {
			kib, err := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatalf("no %s in\n%s", name, text)
	return 0
}

func startVerifier(t *testing.T, w *world) *server {
	return startServer(t, w.folder("server"), properties(
		"listen.ip", "127.0.0.1", "listen.port", "0", "trust.pem.file.path", w.root,
		"ocsp.url", w.authority.OCSPURL(), "tsp.url", w.authority.TSAURL()))
}

func TestAnIdleServerIsSmallAndSoonThere(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector takes memory of its own")
	}
	w := newWorld(t, 0)
	began := time.Now()
	s := startVerifier(t, w)
	if a := w.must(t, s.url+"/ping", ""); a.code != http.StatusOK {
		t.Fatalf("HTTP %d: %s", a.code, a.body)
	}
	took := time.Since(began)
	memory := processMemory(t, s.pid, "VmRSS")
	t.Logf("ready after %s, %.1f MiB", took.Round(time.Millisecond), float64(memory)/(1<<20))
	if took > readyTime {
		t.Errorf("ready after %s", took)
	}
	if memory > idleMemory {
		t.Errorf("%d MiB when idle", memory>>20)
	}
	s.stop(t)
}

// A document is in memory once, as its base64: that is 1.4 times its size, and
// one third of that again while it arrives.
func TestALargeDocumentTakesLessThanThreeTimesItsSize(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector takes memory of its own")
	}
	const size = 50 << 20
	w := newWorld(t, 1)
	s := startVerifier(t, w)
	document, err := w.sign(w.people[0], strings.Repeat("0123456789abcdef", size/16))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 { // what the first one leaves must not be in the way of the next
		if a := w.must(t, s.url+"/backend/pkcs7/verify/attached", document); a.Status != 1 || len(a.body) < size {
			t.Fatalf("HTTP %d, %.500s", a.code, a.body)
		}
	}
	memory := processMemory(t, s.pid, "VmHWM")
	t.Logf("%.2f times the document at the most", float64(memory)/size)
	if memory > 3*size {
		t.Errorf("%d MiB for a document of %d MiB", memory>>20, size>>20)
	}
	s.stop(t)
}
