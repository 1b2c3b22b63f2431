//go:build unix

package secret

import "golang.org/x/sys/unix"

func allocate(size int) ([]byte, error) {
	return unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
}

func lock(region []byte) error { return unix.Mlock(region) }

func release(region []byte, locked bool) {
	if locked {
		_ = unix.Munlock(region)
	}
	_ = unix.Munmap(region)
}
