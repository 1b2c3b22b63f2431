package cert

import "fmt"

// Reason tells why a path or a bag of certificates was refused.
type Reason string

// The reasons. NoCertSign is the key usage that lacks keyCertSign.
const (
	NoPath               Reason = "no issuer leads to a trust anchor"
	BadSignature         Reason = "wrong signature"
	UnsupportedAlgorithm Reason = "algorithm not supported"
	Expired              Reason = "CA certificate expired"
	NotYetValid          Reason = "CA certificate not valid yet"
	NotCA                Reason = "issuer is no CA"
	PathLenExceeded      Reason = "path longer than a CA allows"
	NoCertSign           Reason = "CA key may not sign certificates"
	NameViolation        Reason = "name not permitted by a CA"
	UnhandledCritical    Reason = "critical extension not supported"
	LimitExceeded        Reason = "too many certificates to try"
)

// PathError is the error of [BuildPath] and [CheckBag].
type PathError struct {
	Reason Reason
	// Certificate is the one at fault: for NoPath the one without an
	// issuer, for BadSignature the one with the signature, else the one
	// that holds the constraint. It may be nil.
	Certificate *Certificate
	// Err is the cause, nil when Reason says it all.
	Err error
}

func (e *PathError) Error() string {
	s := fmt.Sprintf("%s: %s", e.Certificate, e.Reason)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *PathError) Unwrap() error { return e.Err }
