package gost341194

import (
	"syscall"
	"testing"
)

// guarded returns n bytes between two pages that can not be read, close to
// the first of them or to the second.
func guarded(t *testing.T, n int, atEnd bool) []byte {
	t.Helper()
	page := syscall.Getpagesize()
	room := (n + page - 1) / page * page
	m, err := syscall.Mmap(-1, 0, room+2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Munmap(m); err != nil {
			t.Error(err)
		}
	})
	for _, p := range [][]byte{m[:page], m[page+room:]} {
		if err := syscall.Mprotect(p, syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	if atEnd {
		return m[page+room-n : page+room]
	}
	return m[page : page+n]
}

func TestNothingIsReadOutsideTheMessage(t *testing.T) {
	r := newSource(t)
	for _, n := range []int{1, 31, 32, 33, 64, 96, 4096, 4100} {
		for _, atEnd := range []bool{false, true} {
			msg := guarded(t, n, atEnd)
			copy(msg, r.bytes(n))
			want := on(goTables, New())
			want.Write(msg)
			for _, p := range paths() {
				h := on(p, New())
				h.Write(msg)
				if got, want := h.Sum(nil), want.Sum(nil); string(got) != string(want) {
					t.Errorf("%s, %d bytes: %x, want %x", p, n, got, want)
				}
			}
			for _, count := range []int{2, 5, 16} {
				messages := make([][]byte, count)
				for i := range messages {
					messages[i] = msg
				}
				checkMany(t, messages)
			}
		}
	}
}
