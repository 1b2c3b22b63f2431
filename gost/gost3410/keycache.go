package gost3410

import (
	"container/list"
	"sync"
)

const (
	// frequentUses is after how many verifications a key gets its table: the
	// table costs as much as ten of them, and whoever brings new keys
	// all the time must not make us build tables all the time.
	frequentUses = 16
	// candidatesPerTable bounds the keys that are counted.
	candidatesPerTable = 16
)

// KeyCache verifies signatures, and keeps the tables (see [PrecomputedKey]) of
// the keys that verify most: those of authorities, whose certificates come with
// every document. It is safe for concurrent use.
type KeyCache struct {
	tables int // at most so many

	mu    sync.Mutex
	keys  map[keyID]*list.Element
	order list.List // of *frequentKey, the one used last in front
	built int
}

// keyID tells keys apart by value: every document brings its certificates anew.
type keyID struct {
	curve *Curve
	x, y  [ScalarSize]byte
}

type frequentKey struct {
	id       keyID
	uses     int
	building bool
	table    *comb // nil until the key is frequent
}

// NewKeyCache returns a cache of at most so many tables, of 88 kB each.
func NewKeyCache(tables int) *KeyCache {
	return &KeyCache{tables: tables, keys: map[keyID]*list.Element{}}
}

// Verify is k.Verify(digest, sig), sooner for keys that come often.
func (c *KeyCache) Verify(k *PublicKey, digest, sig []byte) bool {
	table, build := c.use(k)
	if build {
		table = k.curve.newComb(k.q, keyWindow)
		c.keep(k, table)
	}
	if table == nil {
		return k.Verify(digest, sig)
	}
	return (&PrecomputedKey{k, table}).Verify(digest, sig)
}

// use counts a use of a key and returns its table, if there is one, and whether
// the caller is to make it.
func (c *KeyCache) use(k *PublicKey) (table *comb, build bool) {
	id := keyID{k.curve, k.x, k.y}
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.keys[id]
	if !ok {
		if len(c.keys) >= c.tables*candidatesPerTable {
			c.drop(c.order.Back())
		}
		e = c.order.PushFront(&frequentKey{id: id})
		c.keys[id] = e
	}
	c.order.MoveToFront(e)
	f := e.Value.(*frequentKey)
	f.uses++
	if f.table != nil || f.building || f.uses < frequentUses {
		return f.table, false
	}
	f.building = true
	return nil, true
}

// keep keeps a table, in the place of the one not used longest.
func (c *KeyCache) keep(k *PublicKey, table *comb) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.keys[keyID{k.curve, k.x, k.y}]
	if !ok {
		return // so many others came meanwhile
	}
	for last := c.order.Back(); c.built >= c.tables && last != nil; last = last.Prev() {
		if f := last.Value.(*frequentKey); f.table != nil {
			f.table, f.building, f.uses = nil, false, 0
			c.built--
		}
	}
	f := e.Value.(*frequentKey)
	f.table, f.building = table, false
	c.built++
}

func (c *KeyCache) drop(e *list.Element) {
	f := e.Value.(*frequentKey)
	if f.table != nil {
		c.built--
	}
	delete(c.keys, f.id)
	c.order.Remove(e)
}
