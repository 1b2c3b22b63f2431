package ocsp

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/url"
	"strings"

	"imzo/pki/alg"
	"imzo/pki/ber"
)

const (
	// maxRequest bounds a request: a certificate takes 100 octets in it, and
	// a signed one carries certificates.
	maxRequest = 64 << 10
	// maxCertIDs bounds how many certificates one request asks about; each
	// costs a look-up. A whole chain has four.
	maxCertIDs = 16
	// nonceSize is what RFC 9654 2.1 wants a client to send; it allows 1 to
	// 128 octets.
	nonceSize    = 32
	maxNonceSize = 128
)

var oidNonce = ber.MustOID("1.3.6.1.5.5.7.48.1.2")

// Request asks for the status of certificates (RFC 6960 4.1).
type Request struct {
	Raw     []byte // as it was parsed
	CertIDs []CertID
	Nonce   []byte // nil when there is none

	nonceValue []byte // extnValue that the nonce was read from
}

// NewNonce returns 32 octets of randomness.
func NewNonce(rand io.Reader) ([]byte, error) {
	nonce := make([]byte, nonceSize)
	_, err := io.ReadFull(rand, nonce)
	return nonce, err
}

// Marshal returns the request as DER, unsigned.
func (r Request) Marshal() []byte {
	var list [][]byte
	for _, id := range r.CertIDs {
		list = append(list, ber.Sequence(id.marshal()))
	}
	parts := [][]byte{ber.Sequence(list...)}
	if r.Nonce != nil {
		parts = append(parts, ber.Tagged(ber.ContextConstructed(2), ber.Sequence(nonceExtension(r.Nonce))))
	}
	return ber.Sequence(ber.Sequence(parts...))
}

// GetURL returns the address of the request in its GET form (RFC 6960 A.1).
// All of "+", "/" and "=" are escaped: there are servers that take the first
// for a space or merge a doubled second.
func (r Request) GetURL(responder string) string {
	return strings.TrimSuffix(responder, "/") + "/" + url.QueryEscape(base64.StdEncoding.EncodeToString(r.Marshal()))
}

// ParseGetPath returns the octets of a request in its GET form. escaped is
// what follows the responder's own path and its slash, as it stood on the
// wire. Errors wrap [ErrFormat].
func ParseGetPath(escaped string) ([]byte, error) {
	// An octet takes 4/3 characters, and each of these three at most.
	if len(escaped) > 4*maxRequest {
		return nil, formatErrorf("path of %d characters", len(escaped))
	}
	text, err := url.PathUnescape(escaped)
	if err != nil {
		return nil, formatError(err)
	}
	der, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, formatError(err)
	}
	return der, nil
}

func nonceExtension(nonce []byte) []byte {
	return nonceExtensionOf(ber.OctetString(nonce))
}

// nonceExtensionOf returns the extension with an extnValue as it is.
func nonceExtensionOf(value []byte) []byte {
	return ber.Sequence(oidNonce.DER(), ber.OctetString(value))
}

// ParseRequest reads a request. The signature of a signed one must be there in
// form and is not checked: nothing is answered to some and not to others.
func ParseRequest(der []byte) (*Request, error) {
	if len(der) > maxRequest {
		return nil, formatErrorf("request of %d octets", len(der))
	}
	root, err := ber.Parse(der)
	if err != nil {
		return nil, formatError(err)
	}
	req := &Request{Raw: root.Raw}
	if err := req.parse(root); err != nil {
		return nil, formatError(err)
	}
	return req, nil
}

func (req *Request) parse(root ber.Element) error {
	if root.Tag != ber.TagSequence {
		return fmt.Errorf("tag %#02x is no OCSPRequest", root.Tag)
	}
	r := root.Children()
	tbs, err := r.Read(ber.TagSequence)
	if err != nil {
		return err
	}
	if signature, ok, err := r.Optional(ber.ContextConstructed(0)); err != nil {
		return err
	} else if ok {
		if err := checkSignatureForm(signature); err != nil {
			return err
		}
	}
	if err := r.Done(); err != nil {
		return err
	}
	r = tbs.Children()
	if err := readVersion(&r); err != nil {
		return err
	}
	if _, _, err := r.Optional(ber.ContextConstructed(1)); err != nil { // requestorName
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
		if len(req.CertIDs) == maxCertIDs {
			return fmt.Errorf("more than %d certificates asked about", maxCertIDs)
		}
		in := item.Children()
		id, err := in.Read(ber.TagSequence)
		if err != nil {
			return err
		}
		certID, err := parseCertID(id)
		if err != nil {
			return err
		}
		req.CertIDs = append(req.CertIDs, certID)
		if _, _, err := readExtensions(&in, 0); err != nil {
			return err
		}
		if err := in.Done(); err != nil {
			return err
		}
	}
	if len(req.CertIDs) == 0 {
		return fmt.Errorf("no certificate asked about")
	}
	if req.Nonce, req.nonceValue, err = readExtensions(&r, 2); err != nil {
		return err
	}
	return r.Done()
}

// checkSignatureForm reads [0] { SEQUENCE { algorithm, BIT STRING, [0]
// certificates OPTIONAL } } (RFC 6960 4.1.1).
func checkSignatureForm(explicit ber.Element) error {
	outer := explicit.Children()
	signature, err := outer.Read(ber.TagSequence)
	if err != nil {
		return err
	}
	if err := outer.Done(); err != nil {
		return err
	}
	r := signature.Children()
	algorithm, err := r.Read(ber.TagSequence)
	if err != nil {
		return err
	}
	if _, err := alg.ParseAlgorithmIdentifier(algorithm); err != nil {
		return err
	}
	if _, err := r.Read(ber.TagBitString); err != nil {
		return err
	}
	if _, _, err := r.Optional(ber.ContextConstructed(0)); err != nil {
		return err
	}
	return r.Done()
}

// readVersion reads an optional version, which can only be 1.
func readVersion(r *ber.Reader) error {
	e, ok, err := r.Optional(ber.ContextConstructed(0))
	if err != nil || !ok {
		return err
	}
	in := e.Children()
	v, err := in.Read(ber.TagInteger)
	if err != nil {
		return err
	}
	if n, err := v.Int64(); err != nil || n != 0 {
		return fmt.Errorf("unknown version")
	}
	return in.Done()
}

// readExtensions reads optional Extensions under [tag] and returns the nonce
// if one is among them, and the extnValue it was in. An unknown critical
// extension is an error, and so is one that stands twice (RFC 5280 4.2).
func readExtensions(r *ber.Reader, tag int) (nonce, nonceValue []byte, err error) {
	tagged, ok, err := r.Optional(ber.ContextConstructed(tag))
	if err != nil || !ok {
		return nil, nil, err
	}
	outer := tagged.Children()
	list, err := outer.Read(ber.TagSequence)
	if err != nil {
		return nil, nil, err
	}
	if err := outer.Done(); err != nil {
		return nil, nil, err
	}
	seen := make(map[ber.OID]bool)
	for items := list.Children(); !items.Empty(); {
		item, err := items.Read(ber.TagSequence)
		if err != nil {
			return nil, nil, err
		}
		oid, critical, value, err := readExtension(item)
		switch {
		case err != nil:
			return nil, nil, err
		case seen[oid]:
			return nil, nil, fmt.Errorf("extension %s stands twice", oid)
		case oid == oidNonce:
			if nonce, err = parseNonce(value); err != nil {
				return nil, nil, err
			}
			nonceValue = value
		case critical:
			return nil, nil, fmt.Errorf("%w %s", ErrExtension, oid)
		}
		seen[oid] = true
	}
	return nonce, nonceValue, nil
}

func readExtension(e ber.Element) (oid ber.OID, critical bool, value []byte, err error) {
	r := e.Children()
	id, err := r.Read(ber.TagOID)
	if err != nil {
		return "", false, nil, err
	}
	if oid, err = id.OID(); err != nil {
		return "", false, nil, err
	}
	if b, ok, err := r.Optional(ber.TagBoolean); err != nil {
		return "", false, nil, err
	} else if ok {
		if critical, err = b.Bool(); err != nil {
			return "", false, nil, err
		}
	}
	v, err := r.Read(ber.TagOctetString)
	if err != nil {
		return "", false, nil, err
	}
	if value, err = v.OctetString(); err != nil {
		return "", false, nil, err
	}
	return oid, critical, value, r.Done()
}

// parseNonce reads Nonce ::= OCTET STRING. Responders older than RFC 8954 put
// the octets there without the inner string.
func parseNonce(value []byte) ([]byte, error) {
	if e, err := ber.Parse(value); err == nil && e.Tag == ber.TagOctetString {
		value = e.Content
	}
	if len(value) == 0 || len(value) > maxNonceSize {
		return nil, fmt.Errorf("nonce of %d octets", len(value))
	}
	return value, nil
}
