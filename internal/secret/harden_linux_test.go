package secret

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestTheProcessLeavesNoCoreDumps(t *testing.T) {
	if err := HardenProcess(); err != nil {
		t.Fatal(err)
	}
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil || dumpable != 0 {
		t.Errorf("dumpable %d %v", dumpable, err)
	}
	if os.Getuid() == 0 { // /proc of such a process is root's
		limits, err := os.ReadFile("/proc/self/limits")
		if err != nil || !strings.Contains(strings.Join(strings.Fields(string(limits)), " "), "Max core file size 0 0 bytes") {
			t.Errorf("%v\n%s", err, limits)
		}
	}
}
