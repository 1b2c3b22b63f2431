package store

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"time"
)

const (
	// maxDocuments bounds a MemoryDocuments. At the five minutes that a
	// document waits it is more than 200 new ones a second.
	maxDocuments = 1 << 16
	// maxDocumentBytes bounds it too, since a PKCS#7 with its chain may be some
	// 100 KiB, and nobody need prove anything to upload one. It is room for
	// 2,600 of that size, and for all the documents at 3.5 KiB.
	maxDocumentBytes = 256 << 20
	// documentOverhead is what a document takes beside its texts: records, and
	// its places in map and queue.
	documentOverhead = 384
)

// MemoryDocuments is a [Documents] in the memory of this process, which is
// right for one server. What is over is forgotten at the next Create or Upload.
type MemoryDocuments struct {
	now                 func() time.Time
	maxCount, maxMemory int

	mu     sync.RWMutex // polls do not wait for one another
	alive  map[string]*memoryDocument
	queue  expiryQueue // of alive
	memory int         // the sum of their sizes
}

var _ Documents = (*MemoryDocuments)(nil)

type memoryDocument struct {
	life expiry
	// document is never written to, nor is what it points at, once it can be
	// seen: who has read it under the lock may use it without.
	document Document
	size     int
}

// NewMemoryDocuments returns an empty store that reads the time from now.
func NewMemoryDocuments(now func() time.Time) *MemoryDocuments {
	return &MemoryDocuments{now: now, maxCount: maxDocuments, maxMemory: maxDocumentBytes, alive: map[string]*memoryDocument{}}
}

// Create implements [Documents].
func (m *MemoryDocuments) Create(ctx context.Context, id string, d Document, ttl time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if ttl < minLifetime {
		return errLifetime
	}
	d, err := d.normal()
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.sweep()
	if _, ok := m.alive[id]; ok {
		return ErrExists
	}
	id = strings.Clone(id) // of the request that it may be a part of
	size := documentOverhead + len(id) + len(d.Challenge)
	if len(m.alive) >= m.maxCount || size > m.maxMemory-m.memory {
		return ErrFull
	}
	added := &memoryDocument{life: expiry{at: now.Add(ttl), id: id}, document: d, size: size}
	m.alive[id] = added
	m.queue.add(&added.life)
	m.memory += size
	return nil
}

// Upload implements [Documents].
func (m *MemoryDocuments) Upload(ctx context.Context, id string, s Signed, ttl time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if ttl < minLifetime {
		return errLifetime
	}
	s, err := s.normal()
	if err != nil {
		return err
	}
	s.PKCS7 = bytes.Clone(s.PKCS7)
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.sweep()
	found, ok := m.alive[id]
	if !ok {
		return ErrNotFound
	}
	if there := found.document.Signed; there != nil {
		if !bytes.Equal(there.PKCS7, s.PKCS7) {
			return ErrUploaded
		}
		return nil
	}
	size := len(s.PKCS7) + len(s.SerialNumber) + len(s.Address)
	if size > m.maxMemory-m.memory {
		return ErrFull
	}
	found.document.Signed = &s
	found.size += size
	m.memory += size
	m.queue.move(&found.life, now.Add(ttl))
	return nil
}

// Uploaded implements [Documents].
func (m *MemoryDocuments) Uploaded(ctx context.Context, id string) (bool, error) {
	d, err := m.read(ctx, id)
	return d.Signed != nil, err
}

// Document implements [Documents].
func (m *MemoryDocuments) Document(ctx context.Context, id string) (Document, error) {
	d, err := m.read(ctx, id)
	if d.Signed != nil {
		own := *d.Signed
		own.PKCS7 = bytes.Clone(own.PKCS7)
		d.Signed = &own
	}
	return d, err
}

// read returns a document that still shares its PKCS#7 with the store.
func (m *MemoryDocuments) read(ctx context.Context, id string) (Document, error) {
	if err := ctx.Err(); err != nil {
		return Document{}, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	found, ok := m.alive[id]
	if !ok || found.life.over(m.now()) {
		return Document{}, ErrNotFound
	}
	return found.document, nil
}

// Ping implements [Documents]: memory is there.
func (m *MemoryDocuments) Ping(ctx context.Context) error { return ctx.Err() }

// Close implements [Documents]; there is nothing to let go of.
func (m *MemoryDocuments) Close() error { return nil }

// sweep forgets what is over, and returns the time.
func (m *MemoryDocuments) sweep() time.Time {
	now := m.now()
	m.queue.sweep(now, func(id string) {
		m.memory -= m.alive[id].size
		delete(m.alive, id)
	})
	return now
}
