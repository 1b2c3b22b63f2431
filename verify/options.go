package verify

import (
	"context"
	"errors"
	"time"

	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/ocsp"
)

// defaultClockSkew is how far clocks of honest services lie apart: the same
// five minutes that Kerberos, and pki/ocsp, allow.
const defaultClockSkew = 5 * time.Minute

// ErrNoAnchors tells that [Options] hold no trust anchors: a mistake of the
// program, since no document could ever be valid.
var ErrNoAnchors = errors.New("no trust anchors")

// RevocationSource tells the status of certificates. It must prove what it
// says, by a signed and fresh OCSP answer or CRL, before it says it: this
// package believes it. An error, as well as a nil status, means that the
// status is unknown. It is called from several goroutines at once, each
// question about a certificate with a valid path, and it keeps its own
// time-outs within ctx.
type RevocationSource interface {
	Status(ctx context.Context, c, issuer *cert.Certificate) (*RevocationStatus, error)
}

// RevocationStatus is what a [RevocationSource] knows about a certificate.
type RevocationStatus struct {
	// Status is ocsp.Good or ocsp.Revoked; everything else counts as
	// unknown.
	Status ocsp.CertStatus
	// RevokedAt and Reason (RFC 5280 5.3.1, -1 when not given) are those of
	// a revoked certificate. A zero RevokedAt means since ever.
	RevokedAt time.Time
	Reason    int
	// ThisUpdate is when the status was known to be right, and is needed: a
	// status without a date counts as unknown. NextUpdate is when there will
	// be news, zero when not given.
	ThisUpdate, NextUpdate time.Time
	// OCSPResponse is the DER of the answer, nil when the status is from
	// elsewhere.
	OCSPResponse []byte
	// Source names where the status is from, such as the responder's URL.
	Source string
}

// Options says what to trust, whom to ask and how strict to be.
type Options struct {
	// Anchors are the trust anchors, for signers and timestamp authorities.
	Anchors *cert.Pool
	// NoAnchors says that there are none on purpose: the report then tells of
	// digests and signatures, no path is found and no document is valid.
	NoAnchors bool
	// Revocation is asked for the status of certificates. Without one every
	// status is unknown and no document is valid.
	Revocation RevocationSource
	// HashedContent is the content of a detached document that is too large
	// to be given whole, hashed as it came; content is nil then. A digest
	// that a signer uses and that is missing in it fails the signer, as does
	// Ed25519 without signed attributes, which needs the content itself.
	HashedContent *cms.HashedContent
	// ContentHasher has hashed the content of an attached document while the
	// document came: all of its octets were written to it. It saves hashing
	// them once more, where it has understood them; no verdict depends on it.
	ContentHasher *cms.ContentHasher
	// OmitContent leaves Report.Content out, which in a BER document is a
	// copy of all its segments: Report.WriteContentTo does without.
	OmitContent bool
	// SkipRevocation leaves revocation out. The report says so.
	SkipRevocation bool
	// CheckCARevocation asks for the status of the CA certificates of each
	// path as well, the anchor excepted. E-IMZO asks for the leaf only.
	CheckCARevocation bool
	// StrictRevocation fails a certificate that was revoked after the time
	// of a valid timestamp, too.
	StrictRevocation bool
	// ValidNow wants the signer's certificate to be valid at the time of the
	// check as well as at the signing date: for a log-in, which is of now.
	ValidNow bool
	// Compute, when set, runs all that takes computing, so that who verifies
	// much can bound how much of it goes on at once; revocation is asked about
	// outside of it. It is given the octets of document and content, and calls
	// work once, or returns an error without having called it.
	Compute func(ctx context.Context, octets int, work func()) error
	// Now is the clock; nil means time.Now. It is read once.
	Now func() time.Time
	// ClockSkew is how far a timestamp or a status may lie in the future;
	// zero means five minutes.
	ClockSkew time.Duration
	// Certificates remembers certificates and their signatures from one
	// document to the next. It may be nil. No verdict depends on it.
	Certificates *cert.Cache
	// CheckSignature replaces the check of certificate signatures, for a
	// cache of another kind; nil means that of Certificates. It must return
	// nil only for a pair whose signature verifies.
	CheckSignature func(child, issuer *cert.Certificate) error
}

// Policy is the part of [Options] that the judgement depends on.
type Policy struct {
	SkipRevocation    bool
	CheckCARevocation bool
	StrictRevocation  bool
	ValidNow          bool
	ClockSkew         time.Duration // zero means five minutes
}

// Policy returns the options' policy.
func (o Options) Policy() Policy {
	return Policy{
		SkipRevocation:    o.SkipRevocation,
		CheckCARevocation: o.CheckCARevocation,
		StrictRevocation:  o.StrictRevocation,
		ValidNow:          o.ValidNow,
		ClockSkew:         o.ClockSkew,
	}
}

func (p Policy) skew() time.Duration {
	if p.ClockSkew == 0 {
		return defaultClockSkew
	}
	return p.ClockSkew
}
