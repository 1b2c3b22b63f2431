package agent

import (
	"crypto/rand"
	"encoding/hex"
	"sync"
	"time"
)

// Bounds of what pages open and leave: a trust store or a CRL is gone after a
// day, as a key id is, and the oldest make room.
const (
	handleLife = 24 * time.Hour
	maxHandles = 256
)

// handles are things that pages have opened and name by an id: trust stores and
// CRLs. An id is of use to the page alone that got it.
type handles struct {
	mu   sync.Mutex
	kept map[string]handle
}

type handle struct {
	origin string
	since  time.Time
	thing  any
}

// newID makes an id like those of the original: 32 hexadecimal digits of a
// random UUID (RFC 9562 5.4).
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return hex.EncodeToString(b[:])
}

func (h *handles) add(origin string, now time.Time, thing any) (id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.kept == nil {
		h.kept = map[string]handle{}
	}
	oldest := ""
	for id, k := range h.kept {
		if now.Sub(k.since) >= handleLife {
			delete(h.kept, id)
		} else if oldest == "" || k.since.Before(h.kept[oldest].since) {
			oldest = id
		}
	}
	if len(h.kept) >= maxHandles {
		delete(h.kept, oldest)
	}
	id = newID()
	h.kept[id] = handle{origin, now, thing}
	return id
}

// opened is what an id stands for, if it is a T of this page.
func opened[T any](h *handles, origin, id string, now time.Time) (thing T, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	k, found := h.kept[id]
	if !found || k.origin != origin || now.Sub(k.since) >= handleLife {
		return thing, false
	}
	thing, ok = k.thing.(T)
	return thing, ok
}
