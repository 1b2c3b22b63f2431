package ocsp

import (
	"bytes"
	"crypto/subtle"
	"fmt"
	"slices"
	"time"

	"imzo/pki/alg"
	"imzo/pki/cert"
)

// NoncePolicy says what a response without the nonce of its request is worth.
type NoncePolicy int

const (
	// NonceRequired refuses a response without the nonce.
	NonceRequired NoncePolicy = iota
	// NonceIfPresent accepts a response without any nonce, for responders
	// that sign in advance; another nonce is still refused.
	NonceIfPresent
	// NonceIgnored accepts any nonce.
	NonceIgnored
)

const (
	defaultClockSkew = 5 * time.Minute
	defaultMaxAge    = time.Hour
)

// CheckOptions say what a response is checked against.
type CheckOptions struct {
	Certificate *cert.Certificate // that was asked about
	Issuer      *cert.Certificate // which issued it, already trusted
	Nonce       []byte            // of the request
	NoncePolicy NoncePolicy
	Now         time.Time
	// ClockSkew is how far the clocks of responder and checker may differ;
	// default 5 minutes.
	ClockSkew time.Duration
	// MaxAge bounds the age of an answer without nextUpdate; default 1 hour.
	MaxAge time.Duration
	// CheckSignature checks the responder's certificate against the issuer,
	// and those that ride along; default
	// [cert.Certificate.CheckSignatureFrom]. cert.Cache fits here.
	CheckSignature func(child, issuer *cert.Certificate) error
}

// Check returns the answer for the certificate if it can be relied on (RFC
// 6960 3.2): the response is successful; it was signed by the issuer itself
// or by a responder whose certificate the issuer issued for this
// (id-kp-OCSPSigning) and which is valid, not with SHA-1; every other certificate that rides
// along verifies too; CertID is that of the certificate; it is fresh; the
// nonce is the request's. Errors are the package's own, or a [*StatusError].
func (res *Response) Check(o CheckOptions) (*SingleResponse, error) {
	if o.ClockSkew == 0 {
		o.ClockSkew = defaultClockSkew
	}
	if o.MaxAge == 0 {
		o.MaxAge = defaultMaxAge
	}
	if o.CheckSignature == nil {
		o.CheckSignature = (*cert.Certificate).CheckSignatureFrom
	}
	if res.Status != Successful {
		return nil, &StatusError{res.Status}
	}
	responder, err := res.verify(o)
	if err != nil {
		return nil, err
	}
	if err := cert.NewBag(res.Certificates...).Check(cert.NewBag(o.Issuer, responder), o.CheckSignature, nil); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrResponder, err)
	}
	if err := res.checkNonce(o); err != nil {
		return nil, err
	}
	s, err := res.find(o)
	if err != nil {
		return nil, err
	}
	if err := res.checkFresh(s, o); err != nil {
		return nil, err
	}
	return s, nil
}

// verify returns the certificate the signature verifies with, one that may
// answer for the issuer.
func (res *Response) verify(o CheckOptions) (*cert.Certificate, error) {
	scheme, err := alg.ResolveSignature(res.algorithm, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	// Who asks chooses the nonce, and so part of what is signed: the place
	// where collisions of SHA-1 are of use. There are no old responses whose
	// validity this would end.
	if scheme.Digest() == alg.SHA1() {
		return nil, fmt.Errorf("%w: made with SHA-1", ErrSignature)
	}
	candidates := []*cert.Certificate{o.Issuer}
	for _, c := range res.Certificates {
		if !slices.ContainsFunc(candidates, c.Equal) {
			candidates = append(candidates, c)
		}
	}
	reason := fmt.Errorf("%w: its certificate is not in the response", ErrResponder)
	for _, c := range candidates {
		if !res.signedBy(c) {
			continue
		}
		if err := mayAnswer(c, o); err != nil {
			reason = err
			continue
		}
		if err := scheme.Verify(c.PublicKey, res.tbs, res.signature); err != nil {
			reason = fmt.Errorf("%w: %w", ErrSignature, err)
			continue
		}
		return c, nil
	}
	return nil, reason
}

// signedBy tells whether responderID names c.
func (res *Response) signedBy(c *cert.Certificate) bool {
	if res.ResponderName != nil {
		return res.ResponderName.Equal(c.Subject)
	}
	return bytes.Equal(res.ResponderKeyHash, c.PublicKey.KeyID())
}

// mayAnswer checks the right of c to answer for the issuer (RFC 6960
// 4.2.2.2).
func mayAnswer(c *cert.Certificate, o CheckOptions) error {
	if c.Equal(o.Issuer) {
		return nil
	}
	refused := func(format string, args ...any) error {
		return fmt.Errorf("%w: %w", ErrResponder, fmt.Errorf(format, args...))
	}
	switch {
	case !c.Issuer.Equal(o.Issuer.Subject):
		return refused("its certificate is of another issuer")
	case !slices.Contains(c.ExtKeyUsage, cert.OIDOCSPSigning):
		return refused("its certificate is not for OCSPSigning")
	case c.HasKeyUsage && c.KeyUsage&(cert.KeyUsageDigitalSignature|cert.KeyUsageContentCommitment) == 0:
		return refused("its key is not for signing")
	case len(c.UnhandledCritical) > 0:
		return refused("its certificate has the unknown critical extension %s", c.UnhandledCritical[0])
	case !c.ValidAt(o.Now):
		return refused("its certificate is not valid now")
	}
	if err := o.CheckSignature(c, o.Issuer); err != nil {
		return refused("%w", err)
	}
	return nil
}

func (res *Response) checkNonce(o CheckOptions) error {
	switch {
	case o.NoncePolicy == NonceIgnored:
		return nil
	case res.Nonce == nil && o.NoncePolicy == NonceIfPresent:
		return nil
	case len(o.Nonce) == 0 || subtle.ConstantTimeCompare(res.Nonce, o.Nonce) != 1:
		return ErrNonce
	}
	return nil
}

func (res *Response) find(o CheckOptions) (*SingleResponse, error) {
	var found *SingleResponse
	for i := range res.Responses {
		if !res.Responses[i].CertID.names(o.Certificate, o.Issuer) {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("%w: two answers for it", ErrCertID)
		}
		found = &res.Responses[i]
	}
	if found == nil {
		return nil, ErrCertID
	}
	return found, nil
}

func (res *Response) checkFresh(s *SingleResponse, o CheckOptions) error {
	latest := o.Now.Add(o.ClockSkew)
	if s.ThisUpdate.After(latest) || res.ProducedAt.After(latest) || s.Status == Revoked && s.RevokedAt.After(latest) {
		return ErrFuture
	}
	end := s.NextUpdate
	if end.IsZero() {
		end = s.ThisUpdate.Add(o.MaxAge)
	}
	if end.Before(s.ThisUpdate) || end.Before(o.Now.Add(-o.ClockSkew)) {
		return ErrStale
	}
	return nil
}
