package ocsp

import (
	"context"
	"fmt"
	"io"
	"math/big"
	"time"

	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
)

// StatusInfo is what a responder knows of a certificate.
type StatusInfo struct {
	Status    CertStatus
	RevokedAt time.Time
	Reason    int // CRLReason; 0 or NoReason is left out, another unknown one is an error
}

// Responder answers for the certificates of one issuer. Its fields are set
// before it is used and not changed after.
type Responder struct {
	// Certificate is the issuer's own or one it issued for OCSPSigning; Key
	// belongs to it.
	Certificate *cert.Certificate
	Key         *alg.PrivateKey
	Issuer      *cert.Certificate
	// Lookup returns the status of a serial number. An error makes the
	// answer internalError: no status is ever made up.
	Lookup func(ctx context.Context, serial *big.Int) (StatusInfo, error)
	Now    func() time.Time
	// Validity is nextUpdate minus thisUpdate.
	Validity time.Duration
	// ByName makes the responder name itself by its subject, for clients
	// that do not know the key hash of RFC 6960 4.2.2.3.
	ByName bool
	Rand   io.Reader
}

// Answers tells whether id names a certificate of the responder's issuer.
func (p *Responder) Answers(id CertID) bool { return id.issuedBy(p.Issuer) }

// Respond returns the OCSPResponse to a request, whatever the request is. For
// certificates of other issuers only, that is unauthorized (RFC 6960 2.3).
func (p *Responder) Respond(ctx context.Context, request []byte) []byte {
	req, err := ParseRequest(request)
	if err != nil {
		return errorResponse(MalformedRequest)
	}
	now := p.Now().UTC().Truncate(time.Second)
	var answers [][]byte
	ours := false
	for _, id := range req.CertIDs {
		info := StatusInfo{Status: Unknown}
		if p.Answers(id) {
			ours = true
			if info, err = p.Lookup(ctx, id.Serial); err != nil {
				return errorResponse(InternalError)
			}
		}
		answer, err := marshalSingle(id, info, now, now.Add(p.Validity))
		if err != nil {
			return errorResponse(InternalError)
		}
		answers = append(answers, answer)
	}
	if !ours {
		return errorResponse(Unauthorized)
	}
	parts := [][]byte{
		p.responderID(),
		ber.GeneralizedTime(now),
		ber.Sequence(answers...),
	}
	if req.Nonce != nil {
		// As it came: a client that left out the inner OCTET STRING compares
		// the whole extnValue.
		parts = append(parts, ber.Tagged(ber.ContextConstructed(1), ber.Sequence(nonceExtensionOf(req.nonceValue))))
	}
	tbs := ber.Sequence(parts...)
	signature, err := p.Key.SignMessage(p.Rand, tbs)
	if err != nil {
		return errorResponse(InternalError)
	}
	basic := [][]byte{tbs, p.Key.SignatureAlgorithm().Marshal(), ber.BitString(signature)}
	if !p.Certificate.Equal(p.Issuer) {
		basic = append(basic, ber.Tagged(ber.ContextConstructed(0), ber.Sequence(p.Certificate.Raw)))
	}
	return ber.Sequence(ber.Enumerated(int64(Successful)), ber.Tagged(ber.ContextConstructed(0),
		ber.Sequence(oidBasic.DER(), ber.OctetString(ber.Sequence(basic...)))))
}

func (p *Responder) responderID() []byte {
	if p.ByName {
		return ber.Tagged(ber.ContextConstructed(1), p.Certificate.RawSubject)
	}
	return ber.Tagged(ber.ContextConstructed(2), ber.OctetString(p.Certificate.PublicKey.KeyID()))
}

func errorResponse(s ResponseStatus) []byte { return ber.Sequence(ber.Enumerated(int64(s))) }

func marshalSingle(id CertID, info StatusInfo, this, next time.Time) ([]byte, error) {
	var status []byte
	switch info.Status {
	case Good:
		status = ber.Tagged(ber.Context(0))
	case Unknown:
		status = ber.Tagged(ber.Context(2))
	case Revoked:
		if y := info.RevokedAt.UTC().Year(); y < 0 || y > 9999 {
			return nil, fmt.Errorf("revoked in the year %d", y)
		}
		parts := [][]byte{ber.GeneralizedTime(info.RevokedAt)}
		switch {
		case info.Reason == NoReason || info.Reason == 0:
		case !isReason(int64(info.Reason)):
			return nil, fmt.Errorf("no CRLReason %d", info.Reason)
		default:
			parts = append(parts, ber.Tagged(ber.ContextConstructed(0), ber.Enumerated(int64(info.Reason))))
		}
		status = ber.Tagged(ber.ContextConstructed(1), parts...)
	default:
		return nil, fmt.Errorf("no status %d", info.Status)
	}
	return ber.Sequence(id.marshal(), status, ber.GeneralizedTime(this),
		ber.Tagged(ber.ContextConstructed(0), ber.GeneralizedTime(next))), nil
}
