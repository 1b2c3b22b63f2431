//go:build unix

package revocation

import (
	"path/filepath"
	"syscall"
	"testing"
)

// TestAPipeDoesNotKeepUs has a file that never ends to be opened.
func TestAPipeDoesNotKeepUs(t *testing.T) {
	name := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Skip(err)
	}
	if _, err := readListFile(name); err == nil {
		t.Error("read")
	}
}
