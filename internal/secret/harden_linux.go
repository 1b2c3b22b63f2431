package secret

import (
	"errors"

	"golang.org/x/sys/unix"
)

// HardenProcess keeps the memory of the process, and of those it starts, out of
// core dumps, and its own out of reach of other processes of the same person
// (prctl(2), PR_SET_DUMPABLE; the programs it starts are as they were).
func HardenProcess() error {
	return errors.Join(
		unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}),
		unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0),
	)
}

// exclude keeps pages out of core dumps, also where nobody hardened the
// process. Old kernels do not know how.
func exclude(region []byte) { _ = unix.Madvise(region, unix.MADV_DONTDUMP) }
