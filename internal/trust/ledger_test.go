package trust

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// collect opens a ledger and returns it with what it applied.
func collect(t *testing.T, path string) (*ledger, *[]entry) {
	t.Helper()
	var got []entry
	l, err := openLedger(path, func(e entry) error {
		got = append(got, e)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return l, &got
}

func write(t *testing.T, l *ledger, serial string) {
	t.Helper()
	if err := l.transact(func() (entry, error) {
		return entry{Event: eventRevoke, Issuer: entityCA, Serial: serial, Time: time.Unix(1, 0).UTC()}, nil
	}); err != nil {
		t.Fatal(err)
	}
}

func serials(entries []entry) string {
	var s []string
	for _, e := range entries {
		s = append(s, e.Serial)
	}
	return strings.Join(s, " ")
}

func TestLedgerKeepsEveryAcknowledgedEntryWhereverTheLastIsCut(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ledger")
	l, _ := collect(t, path)
	write(t, l, "a")
	write(t, l, "b")
	acknowledged := l.offset
	write(t, l, "c")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := acknowledged; cut < int64(len(whole)); cut++ {
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		l, got := collect(t, path)
		if serials(*got) != "a b" {
			t.Fatalf("cut at %d: %s", cut, serials(*got))
		}
		write(t, l, "d")
		if _, again := collect(t, path); serials(*again) != "a b d" {
			t.Fatalf("cut at %d, then written: %s", cut, serials(*again))
		}
	}
}

func TestLedgerRefusesDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	l, _ := collect(t, path)
	write(t, l, "a")
	write(t, l, "b")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		damaged := append([]byte(nil), whole...)
		damaged[i] ^= 1
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := openLedger(path, func(entry) error { return nil })
		// The very last octet is the end of the last line: without it that
		// line is unfinished, as after a crash.
		if i == len(whole)-1 {
			if err != nil {
				t.Errorf("unfinished line: %v", err)
			}
			continue
		}
		if !errors.Is(err, ErrDamaged) {
			t.Errorf("octet %d changed: %v", i, err)
		}
	}

	if err := os.WriteFile(path, whole[:10], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := l.refresh(); !errors.Is(err, ErrDamaged) {
		t.Errorf("ledger that shrank: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := l.refresh(); !errors.Is(err, ErrDamaged) {
		t.Errorf("ledger that went away: %v", err)
	}
}

func TestLedgerIsSharedByItsWriters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	const writers, each = 4, 25
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			seen := 0
			l, err := openLedger(path, func(entry) error { seen++; return nil })
			if err != nil {
				t.Error(err)
				return
			}
			for i := range each {
				before := 0
				if err := l.transact(func() (entry, error) {
					before = seen
					return entry{Event: eventRevoke, Serial: fmt.Sprintf("%d-%d", w, i)}, nil
				}); err != nil {
					t.Error(err)
				}
				if seen != before+1 {
					t.Errorf("%d entries appeared in one transaction", seen-before)
				}
			}
		})
	}
	wg.Wait()
	_, got := collect(t, path)
	if len(*got) != writers*each {
		t.Errorf("%d entries, want %d", len(*got), writers*each)
	}
}

// firstLine collects output and tells when it begins.
type firstLine struct {
	strings.Builder
	come  chan struct{}
	begun bool
}

func (w *firstLine) Write(p []byte) (int, error) {
	if !w.begun {
		w.begun = true
		close(w.come)
	}
	return w.Builder.Write(p)
}

// TestLedgerSurvivesKills runs a writer as a process of its own and kills it
// at random moments. What it reported as written must be there afterwards.
func TestLedgerSurvivesKills(t *testing.T) {
	if path := os.Getenv("IMZO_TEST_LEDGER"); path != "" {
		l, err := openLedger(path, func(entry) error { return nil })
		if err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		for i := 0; ; i++ {
			serial := fmt.Sprintf("%s-%d", os.Getenv("IMZO_TEST_RUN"), i)
			if err := l.transact(func() (entry, error) {
				return entry{Event: eventRevoke, Serial: serial, Cert: make([]byte, 3000)}, nil
			}); err != nil {
				fmt.Println("error", err)
				os.Exit(1)
			}
			fmt.Println(serial)
		}
	}
	kills := 200
	if testing.Short() {
		kills = 20
	}
	path := filepath.Join(t.TempDir(), "ledger")
	acknowledged := map[string]bool{}
	for run := range kills {
		c := exec.Command(os.Args[0], "-test.run=^TestLedgerSurvivesKills$")
		c.Env = append(os.Environ(), "IMZO_TEST_LEDGER="+path, fmt.Sprintf("IMZO_TEST_RUN=%d", run))
		out := &firstLine{come: make(chan struct{})}
		c.Stdout = out
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		// Some are killed as they begin, others once they write: how long
		// that takes depends on what else the machine does.
		if run%4 > 0 {
			select {
			case <-out.come:
			case <-time.After(30 * time.Second):
			}
		}
		time.Sleep(rand.N(20 * time.Millisecond))
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait() // it was killed
		text := out.String()
		if strings.Contains(text, "error") {
			t.Fatalf("run %d: %s", run, text)
		}
		lines := strings.Split(text, "\n")
		for _, serial := range lines[:len(lines)-1] { // the last may be cut
			acknowledged[serial] = true
		}
	}
	if len(acknowledged) < kills/2 {
		t.Fatalf("only %d entries were written in %d runs", len(acknowledged), kills)
	}
	_, got := collect(t, path)
	found := map[string]int{}
	for _, e := range *got {
		found[e.Serial]++
	}
	for serial := range acknowledged {
		if found[serial] != 1 {
			t.Errorf("%s was acknowledged and is there %d times", serial, found[serial])
		}
	}
}
