package store

import (
	"container/heap"
	"time"
)

// expiry is the end of a life.
type expiry struct {
	at    time.Time
	id    string
	index int // its place in the queue
}

// over tells whether the life has ended by now.
func (e *expiry) over(now time.Time) bool { return !now.Before(e.at) }

// expiryQueue holds lives, the next to end first. It is what the stores in
// memory sweep with.
type expiryQueue struct{ order expiryHeap }

func (q *expiryQueue) len() int      { return len(q.order) }
func (q *expiryQueue) add(e *expiry) { heap.Push(&q.order, e) }

// remove takes out a life before its end.
func (q *expiryQueue) remove(e *expiry) { heap.Remove(&q.order, e.index) }

// move gives a life another end.
func (q *expiryQueue) move(e *expiry, at time.Time) {
	e.at = at
	heap.Fix(&q.order, e.index)
}

// sweep takes out what has ended by now, and tells the names. Each life is
// swept once, so that a store that sweeps whenever it adds spends on average
// one heap operation on it.
func (q *expiryQueue) sweep(now time.Time, forget func(id string)) {
	for len(q.order) > 0 && q.order[0].over(now) {
		forget(heap.Pop(&q.order).(*expiry).id)
	}
}

// expiryHeap is a heap.Interface by end of life.
type expiryHeap []*expiry

func (h expiryHeap) Len() int           { return len(h) }
func (h expiryHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }

func (h expiryHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *expiryHeap) Push(x any) {
	e := x.(*expiry)
	e.index = len(*h)
	*h = append(*h, e)
}

func (h *expiryHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return e
}
