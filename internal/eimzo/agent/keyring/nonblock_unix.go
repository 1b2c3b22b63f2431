//go:build unix

package keyring

import (
	"os"
	"syscall"
)

// nonblock keeps the open of a pipe from waiting for its writer.
const nonblock = syscall.O_NONBLOCK

// syncFolder makes a rename last.
func syncFolder(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
