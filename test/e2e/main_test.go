//go:build unix

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

// imzo is the path of the binary under test.
var imzo string

// TestMain builds the binary once for all tests; under the race detector the
// binary has it too.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "imzo-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	imzo = filepath.Join(dir, "imzo")
	args := []string{"build", "-o", imzo}
	env := append(os.Environ(), "CGO_ENABLED=0")
	if raceDetector {
		args, env = append(args, "-race"), append(os.Environ(), "CGO_ENABLED=1")
	}
	cmd := exec.Command("go", append(args, "imzo/cmd/imzo")...)
	cmd.Env = env
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "the binary cannot be built: %v\n%s", err, out)
		os.RemoveAll(dir)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(dir)
		os.Exit(code)
	}))
}
