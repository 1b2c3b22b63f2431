//go:build unix

package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// soakVariable is how long TestASoakLeavesTheServerAsItWas takes, such as 10m.
const soakVariable = "IMZO_SOAK"

// sample is what a server says of itself in /metrics.
type sample struct{ goroutines, files, memory float64 }

func (w *world) sample(t *testing.T, s *server) sample {
	t.Helper()
	page := w.must(t, s.backend+"/metrics", "").body
	read := func(name string) float64 {
		for line := range strings.Lines(page) {
			if value, ok := strings.CutPrefix(line, name+" "); ok {
				v, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
				if err != nil {
					t.Fatal(err)
				}
				return v
			}
		}
		t.Fatalf("no %s in the metrics", name)
		return 0
	}
	return sample{read("go_goroutines"), read("process_open_fds"), read("process_resident_memory_bytes")}
}

// TestASoakLeavesTheServerAsItWas puts full load on a server: log-ins,
// timestamps, good and bad documents. IMZO_SOAK=10m is the length for a
// release; what is run every time is only long enough to see that it works.
func TestASoakLeavesTheServerAsItWas(t *testing.T) {
	length := 15 * time.Second
	if text := os.Getenv(soakVariable); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil || length < 10*time.Second {
			t.Fatalf("%s=%s: a length such as 10m, and no less than 10s", soakVariable, text)
		}
	}
	if testing.Short() {
		t.Skip("a soak is not short")
	}
	w := newWorld(t, 8)
	s := startServer(t, w.folder("server"), properties(
		"listen.ip", "127.0.0.1", "listen.port", "0", "trust.pem.file.path", w.root,
		"ocsp.url", w.authority.OCSPURL(), "tsp.url", w.authority.TSAURL(),
	))
	content := strings.Repeat("a contract of some length. ", 400)
	plain, err := w.sign(w.people[0], content)
	if err != nil {
		t.Fatal(err)
	}
	stamped := w.must(t, s.url+"/frontend/timestamp/pkcs7", plain)
	var document struct {
		PKCS7 string `json:"pkcs7b64"`
	}
	if err := json.Unmarshal([]byte(stamped.body), &document); err != nil || stamped.Status != 1 {
		t.Fatalf("%v, %.300s", err, stamped.body)
	}
	other := base64.StdEncoding.EncodeToString([]byte("another document"))

	var requests atomic.Int64
	end := time.Now().Add(length)
	var group sync.WaitGroup
	failures := make(chan error, len(w.people))
	for i, person := range w.people {
		group.Go(func() {
			check := func(a answer, err error, want int) error {
				requests.Add(1)
				if err == nil && a.Status != want {
					err = fmt.Errorf("status %d, want %d: HTTP %d %.300s", a.Status, want, a.code, a.body)
				}
				return err
			}
			for n := i; time.Now().Before(end); n++ {
				var err error
				switch n % 5 {
				case 0:
					a, failed := w.logIn(person, s.url, s.url)
					err = check(a, failed, 1)
				case 1:
					a, failed := w.ask(s.url+"/frontend/timestamp/pkcs7", plain)
					err = check(a, failed, 1)
				case 2:
					a, failed := w.ask(s.url+"/backend/pkcs7/verify/attached", document.PKCS7)
					err = check(a, failed, 1)
				case 3:
					// It has its content inside already.
					a, failed := w.ask(s.url+"/backend/pkcs7/verify/detached", other+"|"+document.PKCS7)
					err = check(a, failed, -10)
				case 4:
					a, failed := w.ask(s.url+"/backend/pkcs7/verify/attached", other)
					err = check(a, failed, -10)
				}
				if err != nil {
					failures <- err
					return
				}
			}
		})
	}
	var samples []sample
	for time.Now().Before(end) {
		time.Sleep(min(time.Second, length/40))
		samples = append(samples, w.sample(t, s))
	}
	group.Wait()
	close(failures)
	for err := range failures {
		t.Error(err)
	}

	// The beginning does not count: caches and connections come to be.
	quarter := len(samples) / 4
	early, late := samples[quarter:2*quarter], samples[3*quarter:]
	for _, m := range []struct {
		name  string
		value func(sample) float64
		slack float64 // what a few connections or one collection make
	}{
		{"goroutines", func(s sample) float64 { return s.goroutines }, 10},
		{"file descriptors", func(s sample) float64 { return s.files }, 10},
		{"MiB of resident memory", func(s sample) float64 { return s.memory / (1 << 20) }, 12},
	} {
		before, after := median(early, m.value), median(late, m.value)
		t.Logf("%s: %.0f, later %.0f", m.name, before, after)
		if raceDetector && strings.HasPrefix(m.name, "MiB") {
			continue // the detector's own memory grows
		}
		if after > before+math.Max(before*.05, m.slack) {
			t.Errorf("%s grew from %.0f to %.0f", m.name, before, after)
		}
	}
	t.Logf("%d requests in %s", requests.Load(), length)
}

func median(samples []sample, value func(sample) float64) float64 {
	var all []float64
	for _, s := range samples {
		all = append(all, value(s))
	}
	slices.Sort(all)
	return all[len(all)/2]
}
