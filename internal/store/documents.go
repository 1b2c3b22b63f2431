package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// DocumentKind tells log-ins from documents proper. The text is that of records
// in Redis.
type DocumentKind string

const (
	// Authentication is the log-in of a user who signs a challenge of ours.
	Authentication DocumentKind = "authentication"
	// Signing is the signature of a document that only the site knows.
	Signing DocumentKind = "signing"
)

// Document is what a site waits to have signed by a phone.
type Document struct {
	Kind DocumentKind
	// Challenge is the text that an Authentication signs, in hexadecimal; ""
	// for Signing.
	Challenge string
	Created   time.Time // UTC
	// Signed is nil until the signature was uploaded.
	Signed *Signed
}

// Signed is what the gateway of E-IMZO MOBILE uploaded for a document. Nothing
// of it is verified here, and nobody has authenticated the uploader.
type Signed struct {
	// PKCS7 is a detached SignedData (RFC 5652), as uploaded.
	PKCS7 []byte
	// SerialNumber is that of the certificate, and Address the IP address of
	// the phone, as told by the uploader. Bytes that are no UTF-8 come back as
	// U+FFFD.
	SerialNumber, Address string
	At                    time.Time // UTC
}

// Documents remembers what phones are to sign, and what they have signed, until
// the end of its life. What is returned shares no memory with the store.
// Implementations are safe for concurrent use.
//
// Which ids are good is the caller's to say; any text is kept apart from any
// other. The least lifetime is a millisecond.
type Documents interface {
	// Create remembers a document that waits for its signature, for ttl from
	// now. It fails with [ErrExists] when the id lives, whose owner is another
	// then, so that the caller draws a new one; and with [ErrFull] when there
	// is no room. After [ErrUnavailable] the id may live, and nobody knows it:
	// it counts as lost.
	Create(ctx context.Context, id string, d Document, ttl time.Duration) error
	// Upload adds the signature, and makes the document live for ttl from now.
	// Of any number of calls, at the same time or one after another, only one
	// has its PKCS#7 kept; the others fail with [ErrUploaded]. An id that is
	// unknown or over is [ErrNotFound], too much to keep is [ErrFull].
	//
	// After [ErrUnavailable] the upload may have been carried out. To repeat
	// it is safe: the PKCS#7 that is there already, to the byte, is a success
	// that changes nothing. Neither does the document live any longer for it,
	// or whoever has seen its PKCS#7 could keep it alive; nor does what was
	// told about it change.
	Upload(ctx context.Context, id string, s Signed, ttl time.Duration) error
	// Uploaded tells whether there is a signature, or [ErrNotFound]. It costs
	// next to nothing, for browsers ask once a second.
	Uploaded(ctx context.Context, id string) (bool, error)
	// Document returns all that is known, or [ErrNotFound].
	Document(ctx context.Context, id string) (Document, error)
	// Ping tells whether the store works.
	Ping(ctx context.Context) error
	// Close lets go of what the store holds. It may be called again.
	Close() error
}

// normal checks a document to be created, and returns it as both stores give it
// back.
func (d Document) normal() (Document, error) {
	switch {
	case d.Kind != Authentication && d.Kind != Signing:
		return Document{}, fmt.Errorf("a document of the kind %q", d.Kind)
	case (d.Kind == Authentication) != (d.Challenge != ""):
		return Document{}, errors.New("a log-in has a challenge, and nothing else has")
	case d.Signed != nil:
		return Document{}, errors.New("a document that was signed before it was created")
	}
	return Document{Kind: d.Kind, Challenge: text(d.Challenge), Created: instant(d.Created)}, nil
}

// normal checks a signature to be uploaded, and returns it as both stores give
// it back, but for the PKCS#7, which is that of s.
func (s Signed) normal() (Signed, error) {
	if len(s.PKCS7) == 0 {
		return Signed{}, errors.New("an upload without PKCS#7")
	}
	return Signed{s.PKCS7, text(s.SerialNumber), text(s.Address), instant(s.At)}, nil
}

// text is a copy, or the whole request of which s may be a part would stay.
func text(s string) string { return strings.Clone(strings.ToValidUTF8(s, "\uFFFD")) }

// instant takes from a time what Redis does not keep.
func instant(t time.Time) time.Time { return t.UTC().Round(0) }
