package cms

import (
	"errors"
	"fmt"

	"imzo/pki/alg"
	"imzo/pki/ber"
)

var (
	// ErrFormat is wrapped when octets are not the SignedData of RFC 5652,
	// or break one of the rules named in the package comment.
	ErrFormat = errors.New("invalid CMS document")

	// ErrLimit is wrapped when a document has more of something than any
	// honest one.
	ErrLimit = errors.New("CMS limit exceeded")

	// ErrUnsupported is wrapped when a document is well formed and uses
	// what this package does not do: another content type, attribute
	// certificates, an unknown algorithm.
	ErrUnsupported = errors.New("unsupported in CMS")

	// ErrAttribute is wrapped when the attributes break RFC 5652 5.3 or 11:
	// one that must be there is missing, or stands twice, or has several
	// values, or where it must not be.
	ErrAttribute = errors.New("bad attributes of a signer")

	// ErrContentType is wrapped when the signed content type is not that of
	// the content.
	ErrContentType = errors.New("signed content type differs")

	// ErrDigestMismatch is wrapped when the content is not what was signed.
	ErrDigestMismatch = errors.New("content digest differs")

	// ErrSignature is wrapped when the signature is wrong under the
	// certificate's key, or that key is not one for the signature algorithm.
	ErrSignature = errors.New("wrong signature")

	// ErrCertificate is wrapped when a certificate is not the one a signer
	// names, or not the one of a key.
	ErrCertificate = errors.New("certificate does not belong to the signer")

	// ErrDetached tells that the content is not inside and was not given.
	ErrDetached = errors.New("content of a detached signature is needed")

	// ErrAttached tells that content was given for a document that has its
	// own: which one counts must never be a question.
	ErrAttached = errors.New("document has its content inside")

	// ErrContentDiffers tells that two documents to be joined do not have
	// the same content.
	ErrContentDiffers = errors.New("contents of the documents differ")

	// ErrNoSigner tells that a document is to be made without signers, or
	// that it has no signer of this number.
	ErrNoSigner = errors.New("no such signer")
)

func formatErrorf(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrFormat, fmt.Errorf(format, args...))
}

// classify gives errors of the layers below the error of this package that
// they amount to.
func classify(err error) error {
	switch {
	case err == nil, errors.Is(err, ErrFormat), errors.Is(err, ErrLimit), errors.Is(err, ErrUnsupported):
		return err
	case errors.Is(err, ber.ErrLimit):
		return fmt.Errorf("%w: %w", ErrLimit, err)
	case errors.Is(err, alg.ErrUnsupported):
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	return fmt.Errorf("%w: %w", ErrFormat, err)
}
