package store

import (
	"errors"
	"time"
)

var (
	// ErrExists says that a challenge or document of that name lives.
	ErrExists = errors.New("the store has one of that name")
	// ErrFull says that a store holds as much as it may.
	ErrFull = errors.New("the store is full")
	// ErrNotFound says that no such document lives: it is unknown or over.
	ErrNotFound = errors.New("the store has none of that name")
	// ErrUploaded says that a document was signed before, with another PKCS#7.
	ErrUploaded = errors.New("another PKCS#7 was uploaded before")
	// ErrUnavailable is wrapped by the errors of a store that cannot be
	// reached or refuses to serve.
	ErrUnavailable = errors.New("the store is not available")
	// ErrClosed says that the store was closed.
	ErrClosed = errors.New("the store is closed")

	errLifetime = errors.New("a lifetime is a millisecond or more")
)

// minLifetime is the precision of Redis, for which no lifetime is forever.
const minLifetime = time.Millisecond
