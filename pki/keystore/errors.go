package keystore

import (
	"errors"
	"fmt"
)

var (
	// ErrPassword is wrapped when the password does not open a file whose
	// structure is sound.
	ErrPassword = errors.New("wrong password")

	// ErrFormat is wrapped when a file is not of its format, or is damaged.
	ErrFormat = errors.New("malformed key file")

	// ErrUnsupported is wrapped when a file is sound and uses what this
	// package does not do, or a key cannot be exported.
	ErrUnsupported = errors.New("unsupported key file")

	// ErrLimit is wrapped when a file asks for more work or memory than the
	// limits allow.
	ErrLimit = errors.New("key file exceeds a limit")
)

func formatError(what string, err error) error {
	return fmt.Errorf("%w: %s: %w", ErrFormat, what, err)
}

func formatErrorf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
}

func unsupportedf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUnsupported, fmt.Sprintf(format, args...))
}

func limitError(what string, size int) error {
	return fmt.Errorf("%w: %s of %d octets", ErrLimit, what, size)
}
