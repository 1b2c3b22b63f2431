package cert

import "errors"

// ErrWork is wrapped when the work allowed by a [Work] is used up.
var ErrWork = errors.New("too much work")

// Work bounds what searches among the certificates of one stranger cost
// together: each search has limits of its own, and a document can cause
// hundreds. It is counted in units of about a microsecond. A nil Work has no
// bound. It is not for concurrent use.
type Work struct{ left int }

// NewWork allows so many units.
func NewWork(units int) *Work { return &Work{left: units} }

// Spend takes units, and returns [ErrWork] when there are not as many left;
// then nothing is left.
func (w *Work) Spend(units int) error {
	if w == nil {
		return nil
	}
	if units > w.left {
		w.left = 0
		return ErrWork
	}
	w.left -= units
	return nil
}

// SignatureWork returns what a signature over so many octets costs to check:
// 56 µs for the curve and 135 octets of O'z DSt 1106 in a microsecond
// (docs/performance.md), with room for P-521 and RSA of 8192 bits.
func SignatureWork(octets int) int { return 200 + octets/64 }

// nameWork is what it costs to compare names in any case of their letters.
func nameWork(names ...[]byte) int {
	octets := 0
	for _, n := range names {
		octets += len(n)
	}
	return 1 + octets/16
}
