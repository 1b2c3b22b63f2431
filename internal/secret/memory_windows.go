package secret

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

func allocate(size int) ([]byte, error) {
	address, err := windows.VirtualAlloc(0, uintptr(size), windows.MEM_COMMIT|windows.MEM_RESERVE, windows.PAGE_READWRITE)
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

// exclude has nothing to do, see [HardenProcess].
func exclude([]byte) {}
