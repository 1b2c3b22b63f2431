package ocsp

import (
	"bytes"
	"fmt"
	"time"

	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
)

const (
	// maxResponse bounds a response: a chain of certificates takes 5 KiB.
	maxResponse = 1 << 20
	// maxSingleResponses bounds the answers in one response; pre-produced
	// ones may cover more than was asked.
	maxSingleResponses = 1000
	// maxResponseCertificates bounds the bag of a response.
	maxResponseCertificates = 16
)

var oidBasic = ber.MustOID("1.3.6.1.5.5.7.48.1.1")

// ResponseStatus is OCSPResponseStatus (RFC 6960 4.2.1).
type ResponseStatus int

// The statuses; 4 is not used.
const (
	Successful       ResponseStatus = 0
	MalformedRequest ResponseStatus = 1
	InternalError    ResponseStatus = 2
	TryLater         ResponseStatus = 3
	SigRequired      ResponseStatus = 5
	Unauthorized     ResponseStatus = 6
)

func (s ResponseStatus) String() string {
	switch s {
	case Successful:
		return "successful"
	case MalformedRequest:
		return "malformedRequest"
	case InternalError:
		return "internalError"
	case TryLater:
		return "tryLater"
	case SigRequired:
		return "sigRequired"
	case Unauthorized:
		return "unauthorized"
	}
	return fmt.Sprintf("responseStatus %d", int(s))
}

// CertStatus is where a certificate stands.
type CertStatus int

// The zero CertStatus is no status: forgetting to set one must not read as
// good.
const (
	Good CertStatus = iota + 1
	Revoked
	Unknown
)

func (s CertStatus) String() string {
	switch s {
	case Good:
		return "good"
	case Revoked:
		return "revoked"
	case Unknown:
		return "unknown"
	}
	return fmt.Sprintf("CertStatus(%d)", int(s))
}

// NoReason is the Reason of a revocation that gives none.
const NoReason = -1

// ReasonName returns the name of a CRLReason (RFC 5280 5.3.1).
func ReasonName(code int) string {
	names := [...]string{
		"unspecified", "keyCompromise", "cACompromise", "affiliationChanged", "superseded", "cessationOfOperation",
		"certificateHold", "", "removeFromCRL", "privilegeWithdrawn", "aACompromise",
	}
	switch {
	case code == NoReason:
		return names[0]
	case code < 0 || code >= len(names) || names[code] == "":
		return fmt.Sprintf("reason %d", code)
	}
	return names[code]
}

// isReason tells whether RFC 5280 5.3.1 has a CRLReason n; 7 is not used.
func isReason(n int64) bool { return n >= 0 && n <= 10 && n != 7 }

// SingleResponse is the status of one certificate.
type SingleResponse struct {
	CertID    CertID
	Status    CertStatus
	RevokedAt time.Time // of Revoked
	Reason    int       // CRLReason of Revoked; NoReason when absent
	// ThisUpdate is when the status was known to be so; NextUpdate, which
	// may be zero, when newer information is available.
	ThisUpdate, NextUpdate time.Time
}

// Response is a parsed response; see [Response.Check] for what it is worth.
type Response struct {
	Raw          []byte
	Status       ResponseStatus
	ProducedAt   time.Time
	Responses    []SingleResponse
	Nonce        []byte
	Certificates []*cert.Certificate // the bag, unverified
	// ResponderName or ResponderKeyHash (SHA-1) names who signed.
	ResponderName    *cert.Name
	ResponderKeyHash []byte

	tbs       []byte
	algorithm alg.AlgorithmIdentifier
	signature []byte
}

// ParseResponse reads a response. Errors wrap [ErrFormat] or [ErrExtension].
func ParseResponse(der []byte) (*Response, error) {
	if len(der) > maxResponse {
		return nil, formatErrorf("response of %d octets", len(der))
	}
	root, err := ber.Parse(der)
	if err != nil {
		return nil, formatError(err)
	}
	res := &Response{Raw: root.Raw}
	if err := res.parse(root); err != nil {
		return nil, formatError(err)
	}
	return res, nil
}

func (res *Response) parse(root ber.Element) error {
	if root.Tag != ber.TagSequence {
		return fmt.Errorf("tag %#02x is no OCSPResponse", root.Tag)
	}
	r := root.Children()
	status, err := r.Read(ber.TagEnumerated)
	if err != nil {
		return err
	}
	n, err := status.Int64()
	if err != nil || n < 0 || n > 6 || n == 4 {
		return fmt.Errorf("unknown responseStatus")
	}
	res.Status = ResponseStatus(n)
	if res.Status != Successful {
		return r.Done()
	}
	tagged, err := r.Read(ber.ContextConstructed(0))
	if err != nil {
		return err
	}
	if err := r.Done(); err != nil {
		return err
	}
	r = tagged.Children()
	responseBytes, err := r.Read(ber.TagSequence)
	if err != nil {
		return err
	}
	if err := r.Done(); err != nil {
		return err
	}
	r = responseBytes.Children()
	typeElement, err := r.Read(ber.TagOID)
	if err != nil {
		return err
	}
	if t, err := typeElement.OID(); err != nil || t != oidBasic {
		return fmt.Errorf("response type is not id-pkix-ocsp-basic")
	}
	inner, err := r.Read(ber.TagOctetString)
	if err != nil {
		return err
	}
	if err := r.Done(); err != nil {
		return err
	}
	basic, err := ber.Parse(inner.Content)
	if err != nil {
		return err
	}
	canonical, err := res.parseBasic(basic)
	if err != nil {
		return err
	}
	// The signature covers only the middle. The shell around it must be the
	// one DER there is for it, or octets could change unnoticed.
	shell := ber.Sequence(ber.Enumerated(0), ber.Tagged(ber.ContextConstructed(0),
		ber.Sequence(oidBasic.DER(), ber.OctetString(canonical))))
	if !bytes.Equal(shell, root.Raw) {
		return fmt.Errorf("not DER around the signed part")
	}
	return nil
}

// parseBasic reads BasicOCSPResponse and returns how its unsigned parts must
// have been written.
func (res *Response) parseBasic(basic ber.Element) (canonical []byte, err error) {
	if basic.Tag != ber.TagSequence {
		return nil, fmt.Errorf("tag %#02x is no BasicOCSPResponse", basic.Tag)
	}
	r := basic.Children()
	tbs, err := r.Read(ber.TagSequence)
	if err != nil {
		return nil, err
	}
	algorithm, err := r.Read(ber.TagSequence)
	if err != nil {
		return nil, err
	}
	if res.algorithm, err = alg.ParseAlgorithmIdentifier(algorithm); err != nil {
		return nil, err
	}
	signature, err := r.Read(ber.TagBitString)
	if err != nil {
		return nil, err
	}
	bits, unused, err := signature.BitString()
	if err != nil || unused != 0 {
		return nil, fmt.Errorf("bad signature value")
	}
	res.tbs, res.signature = tbs.Raw, bits
	parts := [][]byte{tbs.Raw, algorithm.Raw, ber.BitString(bits)}
	tagged, ok, err := r.Optional(ber.ContextConstructed(0))
	if err != nil {
		return nil, err
	}
	if ok {
		var raw [][]byte
		outer := tagged.Children()
		list, err := outer.Read(ber.TagSequence)
		if err != nil {
			return nil, err
		}
		if err := outer.Done(); err != nil {
			return nil, err
		}
		for items := list.Children(); !items.Empty(); {
			item, err := items.Next()
			if err != nil {
				return nil, err
			}
			if len(res.Certificates) == maxResponseCertificates {
				return nil, fmt.Errorf("more than %d certificates", maxResponseCertificates)
			}
			c, err := cert.Parse(item.Raw)
			if err != nil {
				return nil, err
			}
			res.Certificates = append(res.Certificates, c)
			raw = append(raw, c.Raw)
		}
		parts = append(parts, ber.Tagged(ber.ContextConstructed(0), ber.Sequence(raw...)))
	}
	if err := r.Done(); err != nil {
		return nil, err
	}
	return ber.Sequence(parts...), res.parseData(tbs)
}

func (res *Response) parseData(tbs ber.Element) error {
	r := tbs.Children()
	if err := readVersion(&r); err != nil {
		return err
	}
	if err := res.parseResponderID(&r); err != nil {
		return err
	}
	produced, err := r.Read(ber.TagGeneralizedTime)
	if err != nil {
		return err
	}
	if res.ProducedAt, err = produced.Time(); err != nil {
		return err
	}
	list, err := r.Read(ber.TagSequence)
	if err != nil {
		return err
	}
	for items := list.Children(); !items.Empty(); {
		item, err := items.Read(ber.TagSequence)
		if err != nil {
			return err
		}
		if len(res.Responses) == maxSingleResponses {
			return fmt.Errorf("more than %d answers", maxSingleResponses)
		}
		single, err := parseSingle(item)
		if err != nil {
			return err
		}
		res.Responses = append(res.Responses, single)
	}
	if res.Nonce, _, err = readExtensions(&r, 1); err != nil {
		return err
	}
	return r.Done()
}

func (res *Response) parseResponderID(r *ber.Reader) error {
	id, err := r.Next()
	if err != nil {
		return err
	}
	in := id.Children()
	switch id.Tag {
	case ber.ContextConstructed(1):
		e, err := in.Read(ber.TagSequence)
		if err != nil {
			return err
		}
		name, err := cert.ParseNameElement(e)
		if err != nil {
			return err
		}
		res.ResponderName = &name
	case ber.ContextConstructed(2):
		e, err := in.Read(ber.TagOctetString)
		if err != nil {
			return err
		}
		if res.ResponderKeyHash, err = e.OctetString(); err != nil {
			return err
		}
	default:
		return fmt.Errorf("tag %#02x is no ResponderID", id.Tag)
	}
	return in.Done()
}

func parseSingle(e ber.Element) (SingleResponse, error) {
	s := SingleResponse{Reason: NoReason}
	r := e.Children()
	id, err := r.Read(ber.TagSequence)
	if err != nil {
		return s, err
	}
	if s.CertID, err = parseCertID(id); err != nil {
		return s, err
	}
	status, err := r.Next()
	if err != nil {
		return s, err
	}
	switch status.Tag {
	case ber.Context(0), ber.Context(2):
		if len(status.Content) != 0 {
			return s, fmt.Errorf("status with content")
		}
		if s.Status = Good; status.Tag == ber.Context(2) {
			s.Status = Unknown
		}
	case ber.ContextConstructed(1):
		s.Status = Revoked
		if err := s.parseRevoked(status); err != nil {
			return s, err
		}
	default:
		return s, fmt.Errorf("tag %#02x is no CertStatus", status.Tag)
	}
	this, err := r.Read(ber.TagGeneralizedTime)
	if err != nil {
		return s, err
	}
	if s.ThisUpdate, err = this.Time(); err != nil {
		return s, err
	}
	next, ok, err := r.Optional(ber.ContextConstructed(0))
	if err != nil {
		return s, err
	}
	if ok {
		in := next.Children()
		t, err := in.Read(ber.TagGeneralizedTime)
		if err != nil {
			return s, err
		}
		if s.NextUpdate, err = t.Time(); err != nil {
			return s, err
		}
		if err := in.Done(); err != nil {
			return s, err
		}
	}
	if _, _, err := readExtensions(&r, 1); err != nil {
		return s, err
	}
	return s, r.Done()
}

func (s *SingleResponse) parseRevoked(e ber.Element) error {
	r := e.Children()
	at, err := r.Read(ber.TagGeneralizedTime)
	if err != nil {
		return err
	}
	if s.RevokedAt, err = at.Time(); err != nil {
		return err
	}
	reason, ok, err := r.Optional(ber.ContextConstructed(0))
	if err != nil {
		return err
	}
	if ok {
		in := reason.Children()
		code, err := in.Read(ber.TagEnumerated)
		if err != nil {
			return err
		}
		n, err := code.Int64()
		if err != nil || !isReason(n) {
			return fmt.Errorf("unknown CRLReason")
		}
		s.Reason = int(n)
		if err := in.Done(); err != nil {
			return err
		}
	}
	return r.Done()
}
