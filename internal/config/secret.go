package config

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is a text that does not get into logs, errors or JSON by accident.
type Secret struct{ text string }

// NewSecret hides text.
func NewSecret(text string) Secret { return Secret{text} }

// Reveal returns the text.
func (s Secret) Reveal() string { return s.text }

// IsEmpty tells whether there is no text.
func (s Secret) IsEmpty() bool { return s.text == "" }

const redacted = "[redacted]"

// String returns a placeholder.
func (s Secret) String() string { return redacted }

// Format writes the placeholder for every verb and flag.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText returns the placeholder.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue returns the placeholder.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
