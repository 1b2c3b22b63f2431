package secret

import (
	"os"
	"slices"
	"sync"
)

// slotSize is what a password has room in; longer ones get pages of their own.
// How many pages may be locked is limited, on Windows to some forty, so they
// are shared.
const slotSize = 256

// memory is where the secrets of the process lie, as there is one heap.
var memory arena

// arena hands out slots of pages that the system gave us: what the garbage
// collector manages may be copied, and locks hold for whole pages.
type arena struct {
	mu    sync.Mutex
	pages []*page
}

type page struct {
	region []byte
	locked bool
	free   []int // where slots begin
	slots  int
}

// block is memory for one secret.
type block struct {
	text []byte
	page *page // nil where the system had none for us
	at   int
}

// take gives memory for n octets.
func (a *arena) take(n int) *block {
	a.mu.Lock()
	defer a.mu.Unlock()
	if n > slotSize {
		p := newPage(n, n)
		if p == nil {
			return &block{text: make([]byte, n)}
		}
		p.free = nil
		return &block{text: p.region[:n:n], page: p}
	}
	i := slices.IndexFunc(a.pages, func(p *page) bool { return len(p.free) > 0 })
	if i < 0 {
		p := newPage(os.Getpagesize(), slotSize)
		if p == nil {
			return &block{text: make([]byte, n)}
		}
		i, a.pages = len(a.pages), append(a.pages, p)
	}
	p := a.pages[i]
	last := len(p.free) - 1
	at := p.free[last]
	p.free = p.free[:last]
	return &block{text: p.region[at : at+n : at+n], page: p, at: at}
}

// newPage takes pages for n octets from the system, or nil.
func newPage(n, slot int) *page {
	size := (n + os.Getpagesize() - 1) / os.Getpagesize() * os.Getpagesize()
	region, err := allocate(size)
	if err != nil {
		return nil
	}
	exclude(region)
	p := &page{region: region, locked: lock(region) == nil, slots: size / slot}
	for i := range p.slots {
		p.free = append(p.free, i*slot)
	}
	return p
}

// give takes a block back, overwritten.
func (a *arena) give(b *block) {
	Wipe(b.text)
	p := b.page
	if p == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	i := slices.Index(a.pages, p)
	if i < 0 { // its own
		release(p.region, p.locked)
		return
	}
	p.free = append(p.free, b.at)
	// One page stays for the next.
	if len(p.free) == p.slots && len(a.pages) > 1 {
		a.pages = slices.Delete(a.pages, i, i+1)
		release(p.region, p.locked)
	}
}
