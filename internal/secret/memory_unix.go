//go:build unix

package secret

import (
	"os"

	"golang.org/x/sys/unix"
)

// allocate takes whole pages from the system: memory of the garbage collector
// may be copied, and a lock holds for pages.
func allocate(n int) ([]byte, error) {
	page := os.Getpagesize()
	size := (n/page + 1) * page
	return unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
}

func lock(region []byte) error { return unix.Mlock(region) }

func release(region []byte, locked bool) {
	if locked {
		_ = unix.Munlock(region)
	}
	_ = unix.Munmap(region)
}
