package client

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrTooLarge is wrapped by errors about an answer larger than
	// Options.MaxResponse.
	ErrTooLarge = errors.New("the answer is too large")
	// ErrNotBase64 is wrapped by errors about a document that cannot be base64
	// text. Nothing was sent.
	ErrNotBase64 = errors.New("not base64")
	// ErrAnswer is wrapped by errors about an answer that no server of this
	// kind gives: most often another program listens at the address.
	ErrAnswer = errors.New("this is no answer of an E-IMZO server")
)

// StatusError is a reply with a status other than 1.
type StatusError struct {
	// Path is that of the endpoint.
	Path string
	// Reply is the end of the reply. Its Message is for people, its Code for
	// programs, where the server gives one.
	Reply Reply

	status error // AuthStatus or DocumentStatus
}

// Error gives path, status, its name and the server's message.
func (e *StatusError) Error() string {
	text := fmt.Sprintf("%s: status %d (%s)", e.Path, e.Reply.Status, e.status)
	if e.Reply.Message != "" {
		text += ": " + e.Reply.Message
	}
	if e.Reply.RequestID != "" {
		text += " [request " + e.Reply.RequestID + "]"
	}
	return text
}

// Unwrap returns the status as an [AuthStatus] or [DocumentStatus].
func (e *StatusError) Unwrap() error { return e.status }

// HTTPError is an answer with another HTTP status than 200: 400 is a request
// that the server cannot understand, 401 a token that is wrong or missing, 404
// a server that has no such endpoint, 413 a document larger than the server
// takes, 429 too many requests, 503 trouble on the server's side.
type HTTPError struct {
	Path       string
	StatusCode int
	// Text is what the server says, one line, at most 4 KiB.
	Text string
	// RequestID finds the request in the server's log.
	RequestID string
	// RetryAfter is how long the server wants to be left alone, 0 when it does
	// not say.
	RetryAfter time.Duration
}

// Error gives path, HTTP status and the server's line.
func (e *HTTPError) Error() string {
	text := fmt.Sprintf("%s: HTTP %d", e.Path, e.StatusCode)
	if e.Text != "" {
		text += ": " + e.Text
	}
	if e.RequestID != "" {
		text += " [request " + e.RequestID + "]"
	}
	return text
}
