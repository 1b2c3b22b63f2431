package secret

import (
	"errors"

	"golang.org/x/sys/unix"
)

// HardenProcess keeps the memory of the process out of core dumps, and out of
// reach of other processes of the same person (prctl(2), PR_SET_DUMPABLE).
func HardenProcess() error {
	return errors.Join(
		unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}),
		unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0),
	)
}
