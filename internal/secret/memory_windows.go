package secret

import (
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

// allocate takes whole pages from the system: memory of the garbage collector
// may be copied, and a lock holds for pages.
func allocate(n int) ([]byte, error) {
	page := os.Getpagesize()
	size := uintptr((n/page + 1) * page)
	address, err := windows.VirtualAlloc(0, size, windows.MEM_COMMIT|windows.MEM_RESERVE, windows.PAGE_READWRITE)
	if err != nil {
		return nil, err
	}
	// The address is not one of Go's memory, so nothing moves it. Through a
	// pointer to it go vet knows that too.
	return unsafe.Slice(*(**byte)(unsafe.Pointer(&address)), size), nil
}

func start(region []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(region))) }

func lock(region []byte) error { return windows.VirtualLock(start(region), uintptr(len(region))) }

func release(region []byte, locked bool) {
	if locked {
		_ = windows.VirtualUnlock(start(region), uintptr(len(region)))
	}
	_ = windows.VirtualFree(start(region), 0, windows.MEM_RELEASE)
}
