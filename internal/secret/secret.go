// Package secret holds passwords and PINs in memory of their own: locked
// against being swapped out where the system lets us, wiped when they are no
// longer needed, and never printed.
//
//	s := secret.New(typed) // typed is wiped
//	defer s.Wipe()
//	s.Use(func(text []byte) { ... })
//
// What it does not do: it cannot wipe copies that others make. A library that
// takes a string gets one from [Secret.Text], which lives until the garbage
// collector reuses its memory. Hibernation writes locked memory to disk too.
package secret

import (
	"crypto/subtle"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
)

// Secret is a password or PIN. Its methods may be called from several
// goroutines; the zero value and nil are empty secrets. It must not be copied.
type Secret struct {
	mu sync.Mutex
	// A pointer, so that also what prints a struct by its fields shows an
	// address.
	held *block
}

// New takes the octets of text, which are wiped.
func New(text []byte) *Secret {
	s := &Secret{}
	s.fill(text)
	Wipe(text)
	return s
}

// fill gives a new secret its octets.
func (s *Secret) fill(text []byte) {
	if len(text) == 0 {
		return
	}
	s.held = memory.take(len(text))
	copy(s.held.text, text)
	runtime.SetFinalizer(s, (*Secret).Wipe) // for those that nobody wiped
}

// octets are those held. The caller has the lock.
func (s *Secret) octets() []byte {
	if s.held == nil {
		return nil
	}
	return s.held.text
}

// Use calls f with the octets, which are valid until f returns. f must not
// change them, nor call methods of s.
func (s *Secret) Use(f func(text []byte)) {
	if s == nil {
		f(nil)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s.octets())
}

// Text is a copy for libraries that want a string. It cannot be wiped: take it
// late and let go of it soon.
func (s *Secret) Text() (text string) {
	s.Use(func(b []byte) { text = string(b) })
	return text
}

// Empty tells whether there is nothing in it.
func (s *Secret) Empty() (empty bool) {
	s.Use(func(b []byte) { empty = len(b) == 0 })
	return empty
}

// Equal tells in constant time whether o has the same octets; how many there
// are is no secret.
func (s *Secret) Equal(o *Secret) (equal bool) {
	// Not one lock inside the other: a.Equal(b) may meet b.Equal(a).
	other := o.Clone()
	defer other.Wipe()
	s.Use(func(b []byte) { equal = subtle.ConstantTimeCompare(b, other.octets()) == 1 })
	return equal
}

// Clone is a copy with a life of its own.
func (s *Secret) Clone() *Secret {
	c := &Secret{}
	s.Use(c.fill)
	return c
}

// Locked tells whether the system keeps the secret out of swap. There may be
// too little memory that it would lock; the secret is as usable then.
func (s *Secret) Locked() bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held != nil && s.held.page != nil && s.held.page.locked
}

// Wipe overwrites the secret and gives its memory back. It is empty then.
func (s *Secret) Wipe() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held != nil {
		memory.give(s.held)
		s.held = nil
		runtime.SetFinalizer(s, nil)
	}
}

// Wipe overwrites b.
//
//go:noinline
func Wipe(b []byte) {
	// Not inlined, so the compiler cannot see that nobody reads b afterwards.
	clear(b)
	runtime.KeepAlive(b)
}

const redacted = "[secret]"

var (
	_ fmt.Stringer   = (*Secret)(nil)
	_ fmt.GoStringer = (*Secret)(nil)
	_ fmt.Formatter  = (*Secret)(nil)
	_ slog.LogValuer = (*Secret)(nil)
)

// String implements fmt.Stringer and shows nothing.
func (s *Secret) String() string { return redacted }

// GoString implements fmt.GoStringer and shows nothing.
func (s *Secret) GoString() string { return redacted }

// Format implements fmt.Formatter, so that no verb reaches the fields.
func (s *Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalText implements encoding.TextMarshaler and shows nothing.
func (s *Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON implements json.Marshaler and shows nothing.
func (s *Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// LogValue implements slog.LogValuer and shows nothing.
func (s *Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
