package secret

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// In a process of its own: a hardened one stays so.
func TestTheProcessLeavesNoCoreDumps(t *testing.T) {
	const own = "IMZO_TEST_HARDEN"
	if os.Getenv(own) == "" {
		c := exec.Command(os.Args[0], "-test.run=^TestTheProcessLeavesNoCoreDumps$")
		c.Env = append(os.Environ(), own+"=1")
		if out, err := c.CombinedOutput(); err != nil || !strings.Contains(string(out), "hardened") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	if err := HardenProcess(); err != nil {
		t.Fatal(err)
	}
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil || dumpable != 0 {
		t.Errorf("dumpable %d %v", dumpable, err)
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &limit); err != nil || limit.Cur != 0 || limit.Max != 0 {
		t.Errorf("%+v %v", limit, err)
	}
	s := New([]byte("Abc12345"))
	if s.Text() != "Abc12345" {
		t.Error("secrets do not work any more")
	}
	fmt.Println("hardened")
}

// VmLck is the memory that the system keeps from being swapped out.
func TestSecretsAreLocked(t *testing.T) {
	lockedMemory := func() string {
		status, err := os.ReadFile("/proc/self/status")
		if err != nil {
			t.Fatal(err)
		}
		_, after, ok := strings.Cut(string(status), "VmLck:")
		if !ok {
			t.Fatalf("no VmLck in\n%s", status)
		}
		line, _, _ := strings.Cut(after, "\n")
		return strings.TrimSpace(line)
	}
	s := New([]byte("Abc12345"))
	defer s.Wipe()
	if got := lockedMemory(); s.Locked() == (got == "0 kB") {
		t.Errorf("locked %v, and the system says %s", s.Locked(), got)
	}
}

// Looks through all memory of the process: there is no copy beside the one that
// is wiped.
func TestNothingOfASecretIsLeftAnywhere(t *testing.T) {
	// The text stands nowhere but where we put it: not in the program either.
	const mask, n = 0x5a, 48
	wanted := make([]byte, n) // masked
	for i := range wanted {
		wanted[i] = byte(i*37+11) ^ mask
	}
	typed := make([]byte, n)
	for i := range typed {
		typed[i] = wanted[i] ^ mask
	}
	keeper := New([]byte("keeper")) // of the page
	defer keeper.Wipe()
	s := New(typed)
	if got := copies(t, wanted, mask); got != 1 {
		t.Errorf("%d copies", got)
	}
	c := s.Clone()
	if !c.Equal(s) {
		t.Error("a copy differs")
	}
	if got := copies(t, wanted, mask); got != 2 {
		t.Errorf("%d copies of two", got)
	}
	c.Wipe()
	s.Wipe()
	if got := copies(t, wanted, mask); got != 0 {
		t.Errorf("%d copies are left", got)
	}
}

// copies counts where in memory the wanted octets are, which come masked so
// that they themselves do not count.
func copies(t *testing.T, wanted []byte, mask byte) int {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	memory, err := os.Open("/proc/self/mem")
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Close()
	window, err := allocate(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	defer release(window, false)
	found := 0
	for line := range strings.Lines(string(maps)) {
		var from, to uint64
		var access string
		if _, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &access); err != nil {
			t.Fatal(line, err)
		}
		if !strings.HasPrefix(access, "rw") {
			continue
		}
		if to-from > 1<<30 {
			continue // of the race detector, which keeps no content
		}
		for from < to {
			n, _ := memory.ReadAt(window[:min(uint64(len(window)), to-from)], int64(from))
			if n == 0 {
				break // some pages are the kernel's
			}
			for i := range window[:n] {
				window[i] ^= mask
			}
			found += bytes.Count(window[:n], wanted)
			clear(window)
			if from += uint64(n); from < to && n > len(wanted) {
				from -= uint64(len(wanted)) - 1 // it may lie across the border
			}
		}
	}
	return found
}
