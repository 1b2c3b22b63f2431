//go:build unix && !linux

package secret

import "golang.org/x/sys/unix"

// HardenProcess keeps the memory of the process out of core dumps.
func HardenProcess() error { return unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}) }
