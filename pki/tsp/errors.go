package tsp

import (
	"errors"
	"fmt"
)

var (
	// ErrFormat is wrapped when octets are not the message they should be.
	ErrFormat = errors.New("invalid timestamp message")
	// ErrTransport is wrapped when an authority gave no response at all.
	ErrTransport = errors.New("no answer from the timestamp authority")
	// ErrImprint tells that a token is about other octets.
	ErrImprint = errors.New("timestamp is of other data")
	// ErrSignature is wrapped when the token's signature is wrong.
	ErrSignature = errors.New("wrong signature of the timestamp")
	// ErrSigner is wrapped when it cannot be told who signed a token, or
	// when that certificate is not one of a timestamp authority.
	ErrSigner = errors.New("timestamp by who is no timestamp authority")
	// ErrNonce tells that a response does not answer this request.
	ErrNonce = errors.New("timestamp nonce differs")
	// ErrTime is wrapped when a token is not from the time of its request.
	ErrTime = errors.New("timestamp from another time than the request")
	// ErrPolicy tells that a token is under another policy than asked for.
	ErrPolicy = errors.New("timestamp under another policy")
)

// RejectedError is a response without a token.
type RejectedError struct {
	Status  PKIStatus
	Failure FailureInfo // 0 when the authority gave none
	Text    string
}

func (e *RejectedError) Error() string {
	s := "timestamp authority says " + e.Status.String()
	if e.Failure != 0 {
		s += ": " + e.Failure.String()
	}
	if e.Text != "" {
		s += fmt.Sprintf(" (%q)", e.Text)
	}
	return s
}

func formatErrorf(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrFormat, fmt.Errorf(format, args...))
}

func formatError(err error) error {
	if err == nil || errors.Is(err, ErrFormat) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrFormat, err)
}
