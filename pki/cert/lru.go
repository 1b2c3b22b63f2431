package cert

import (
	"container/list"
	"sync"
)

// lru keeps the values of at most so many keys: those used least recently go
// first. It is safe for concurrent use.
type lru[K comparable, V any] struct {
	most int

	mu     sync.Mutex
	items  map[K]*list.Element
	recent list.List // of lruItem[K, V], the one used last in front
}

type lruItem[K comparable, V any] struct {
	key   K
	value V
}

func newLRU[K comparable, V any](most int) *lru[K, V] {
	return &lru[K, V]{most: most, items: make(map[K]*list.Element)}
}

func (l *lru[K, V]) get(key K) (value V, ok bool) {
	return l.find(func(items map[K]*list.Element) *list.Element { return items[key] })
}

// find is get for a key that need not be made to look it up, as a string of
// octets.
func (l *lru[K, V]) find(look func(items map[K]*list.Element) *list.Element) (value V, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := look(l.items)
	if e == nil {
		return value, false
	}
	l.recent.MoveToFront(e)
	return e.Value.(*lruItem[K, V]).value, true
}

// add keeps a value unless there is one, and returns the one that is kept.
func (l *lru[K, V]) add(key K, value V) V {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e, ok := l.items[key]; ok {
		return e.Value.(*lruItem[K, V]).value
	}
	for len(l.items) >= l.most {
		delete(l.items, l.recent.Remove(l.recent.Back()).(*lruItem[K, V]).key)
	}
	l.items[key] = l.recent.PushFront(&lruItem[K, V]{key, value})
	return value
}

func (l *lru[K, V]) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.items)
}
