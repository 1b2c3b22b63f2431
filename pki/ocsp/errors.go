package ocsp

import (
	"errors"
	"fmt"
)

var (
	// ErrFormat is wrapped when octets are not the message they should be.
	ErrFormat = errors.New("invalid OCSP message")
	// ErrTransport is wrapped when a responder gave no response at all.
	ErrTransport = errors.New("no answer from the OCSP responder")
	// ErrSignature tells that the signature of a response is wrong.
	ErrSignature = errors.New("wrong signature of the OCSP response")
	// ErrResponder is wrapped when who signed may not answer for the issuer.
	ErrResponder = errors.New("OCSP responder without authority")
	// ErrCertID is wrapped when a response does not answer for the
	// certificate that was asked about.
	ErrCertID = errors.New("OCSP response for another certificate")
	// ErrStale tells that newer information should be available.
	ErrStale = errors.New("OCSP response is out of date")
	// ErrFuture tells that a response is from the future.
	ErrFuture = errors.New("OCSP response is not valid yet")
	// ErrNonce tells that a response does not answer this request.
	ErrNonce = errors.New("OCSP nonce differs")
	// ErrExtension is wrapped when a critical extension is not understood.
	ErrExtension = errors.New("unknown critical extension")
)

// StatusError is a response that holds no answer.
type StatusError struct{ Status ResponseStatus }

func (e *StatusError) Error() string { return "OCSP responder says " + e.Status.String() }

func formatErrorf(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrFormat, fmt.Errorf(format, args...))
}

func formatError(err error) error {
	if err == nil || errors.Is(err, ErrFormat) || errors.Is(err, ErrExtension) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrFormat, err)
}
