package gost28147

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// secret is embedded in the types that hold a key, so that no way of printing
// or logging them shows it.
type secret struct{}

// String hides the key.
func (secret) String() string { return redacted }

// Format hides the key from every verb of package fmt.
func (secret) Format(f fmt.State, _ rune) {
	// A failing writer is fmt's to report.
	_, _ = io.WriteString(f, redacted)
}

// LogValue hides the key from log/slog.
func (secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the key from encoders such as encoding/json.
func (secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
