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
// collector reuses its memory.
package secret

import (
	"crypto/subtle"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
)

// Secret is a password or PIN. Its methods may be called from several
// goroutines; the zero value is an empty secret. It must not be copied.
type Secret struct {
	mu     sync.Mutex
	region []byte // of the system, nil when it had none for us
	text   []byte
	locked bool
}

// New takes the octets of text, which are wiped.
func New(text []byte) *Secret {
	s := &Secret{}
	if region, err := allocate(len(text)); err == nil {
		s.region, s.text = region, region[:len(text)]
		s.locked = lock(region) == nil
	} else {
		s.text = make([]byte, len(text))
	}
	copy(s.text, text)
	Wipe(text)
	runtime.SetFinalizer(s, (*Secret).Wipe) // for those that nobody wiped
	return s
}

// Use calls f with the octets, which are valid until f returns.
func (s *Secret) Use(f func(text []byte)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s.text)
}

// Text is a copy for libraries that want a string. It cannot be wiped: take it
// late and let go of it soon.
func (s *Secret) Text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.text)
}

// Empty tells whether there is nothing in it.
func (s *Secret) Empty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.text) == 0
}

// Equal tells in constant time whether o has the same octets; how many there
// are is no secret.
func (s *Secret) Equal(o *Secret) bool {
	if s == o {
		return true
	}
	other := o.Clone()
	defer other.Wipe()
	s.mu.Lock()
	defer s.mu.Unlock()
	return subtle.ConstantTimeCompare(s.text, other.text) == 1
}

// Clone is a copy with a life of its own.
func (s *Secret) Clone() *Secret {
	s.mu.Lock()
	defer s.mu.Unlock()
	return New(append(make([]byte, 0, len(s.text)), s.text...))
}

// Locked tells whether the system keeps the secret out of swap.
func (s *Secret) Locked() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.locked
}

// Wipe overwrites the secret and gives its memory back. It is empty then.
func (s *Secret) Wipe() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	Wipe(s.text)
	if s.region != nil {
		release(s.region, s.locked)
	}
	s.region, s.text, s.locked = nil, nil, false
}

// Wipe overwrites b.
func Wipe(b []byte) {
	clear(b)
	runtime.KeepAlive(&b)
}

const redacted = "[secret]"

// String, GoString, Format, MarshalText and LogValue show nothing.
func (s *Secret) String() string { return redacted }

// GoString implements fmt.GoStringer.
func (s *Secret) GoString() string { return redacted }

// Format implements fmt.Formatter, so that no verb reaches the fields.
func (s *Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalText implements encoding.TextMarshaler, and with it JSON.
func (s *Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements slog.LogValuer.
func (s *Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
