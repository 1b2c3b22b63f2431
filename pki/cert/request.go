package cert

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"imzo/pki/alg"
	"imzo/pki/armor"
	"imzo/pki/ber"
)

// ErrRequest is wrapped by the errors of [CreateRequest] about what it was
// given, and by every error of [ParseRequest].
var ErrRequest = errors.New("invalid certification request")

// The attributes of a request that hold extensions (RFC 2985 5.4.2).
var oidExtensionRequest = ber.MustOID("1.2.840.113549.1.9.14")

// Limits of a request. Real ones have half a KiB, with an RSA key of 16384
// bits and many names ten; those in PEM inside base64 take 16/9 of it.
const (
	maxRequest     = 64 << 10
	maxRequestText = 4 * maxRequest
	// maxRequestAttributes bounds the attributes; real requests have one or
	// two, Microsoft's four.
	maxRequestAttributes = 32
)

// RequestTemplate says what [CreateRequest] asks for.
type RequestTemplate struct {
	// Subject is the name the certificate should have; see [ParseName].
	Subject Name
	// Policies are the purposes asked for, by the OIDs of certificate
	// policies; none is usual.
	Policies []ber.OID
}

// Request is a request for a certificate (CertificationRequest of PKCS#10,
// RFC 2986). It is not changed after [ParseRequest].
type Request struct {
	// Raw is the whole request, RawInfo its signed part.
	Raw, RawInfo []byte
	Subject      Name
	// PublicKey is never nil; its Key is nil when the algorithm is not
	// supported.
	PublicKey *alg.PublicKey
	// Extensions are those asked for, in the order of the request.
	Extensions []Extension
	// Policies are the certificate policies asked for.
	Policies           []ber.OID
	SignatureAlgorithm alg.AlgorithmIdentifier
	// Signature is the content of the BIT STRING.
	Signature []byte
}

// CreateRequest returns the DER of a request for a certificate of the key,
// signed with it, as E-IMZO writes it: the set of attributes is empty, or with
// policies has one extensionRequest of one critical [NoticedPolicies]. The
// request is read back and its signature checked before it is returned.
func CreateRequest(rand io.Reader, t RequestTemplate, key *alg.PrivateKey) ([]byte, error) {
	if t.Subject.Raw == nil {
		return nil, fmt.Errorf("%w: no subject", ErrRequest)
	}
	for i, p := range t.Policies {
		if slices.Contains(t.Policies[:i], p) { // RFC 5280 4.2.1.4
			return nil, requestErrorf("policy %s twice", p)
		}
	}
	var attributes []byte
	if len(t.Policies) > 0 {
		policies := NoticedPolicies(t.Policies...)
		policies.Critical = true
		attributes = ber.Sequence(oidExtensionRequest.DER(), ber.Set(ber.Sequence(policies.der())))
	}
	info := ber.Sequence(
		ber.Int64(0),
		t.Subject.Raw,
		key.PublicKey().Raw,
		ber.Tagged(ber.ContextConstructed(0), attributes),
	)
	signature, err := key.SignMessage(rand, info)
	if err != nil {
		return nil, err
	}
	der := ber.Sequence(info, key.SignatureAlgorithm().Marshal(), ber.BitString(signature))
	r, err := parseRequestDER(der)
	if err != nil {
		return nil, err
	}
	if err := r.CheckSignature(); err != nil {
		return nil, fmt.Errorf("new request: %w", err)
	}
	return der, nil
}

// ParseRequest reads one request: its DER, PEM, or the base64 of either, which
// is how sites and E-IMZO hand requests around. The signature is not checked;
// see [Request.CheckSignature]. Like a certificate it must be DER around its
// signed part. The result aliases data when that is DER. Errors wrap
// [ErrRequest].
func ParseRequest(data []byte) (*Request, error) {
	if len(data) > maxRequestText {
		return nil, requestErrorf("%d octets", len(data))
	}
	der, err := armor.Decode(data)
	if err == nil && bytes.HasPrefix(bytes.TrimSpace(der), []byte("-----BEGIN ")) {
		der, err = armor.Decode(der) // base64 of PEM
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	return parseRequestDER(der)
}

func parseRequestDER(der []byte) (*Request, error) {
	if len(der) > maxRequest {
		return nil, requestErrorf("%d octets", len(der))
	}
	root, err := ber.Parse(der)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	r := &Request{Raw: root.Raw}
	if err := r.parse(root); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	return r, nil
}

func requestErrorf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrRequest, fmt.Sprintf(format, args...))
}

func (r *Request) parse(root ber.Element) error {
	if root.Tag != ber.TagSequence {
		return fmt.Errorf("tag %#02x is no CertificationRequest", root.Tag)
	}
	in := root.Children()
	info, err := in.Read(ber.TagSequence)
	if err != nil {
		return err
	}
	algorithm, err := in.Read(ber.TagSequence)
	if err != nil {
		return err
	}
	signature, err := in.Read(ber.TagBitString)
	if err != nil {
		return err
	}
	if err := in.Done(); err != nil {
		return err
	}
	bits, unused, err := signature.BitString()
	if err != nil {
		return err
	}
	if unused != 0 {
		return fmt.Errorf("signature with %d unused bits", unused)
	}
	r.RawInfo, r.Signature = info.Raw, bits
	// As in certificates: what no signature covers is written in one way.
	if !bytes.Equal(root.Raw, ber.Sequence(info.Raw, algorithm.Raw, ber.BitString(bits))) {
		return errors.New("not DER around the signed part")
	}
	if r.SignatureAlgorithm, err = alg.ParseAlgorithmIdentifier(algorithm); err != nil {
		return err
	}
	return r.parseInfo(info)
}

// parseInfo reads CertificationRequestInfo (RFC 2986 4.1).
func (r *Request) parseInfo(info ber.Element) error {
	in := info.Children()
	version, err := in.Read(ber.TagInteger)
	if err != nil {
		return err
	}
	if v, err := version.Int64(); err != nil || v != 0 {
		return errors.New("version other than 0")
	}
	if r.Subject, err = readName(&in); err != nil {
		return fmt.Errorf("subject: %w", err)
	}
	spki, err := in.Read(ber.TagSequence)
	if err != nil {
		return err
	}
	if r.PublicKey, err = alg.ParsePublicKey(spki); err != nil {
		return fmt.Errorf("public key: %w", err)
	}
	// The standard has the attributes always there, if empty; some writers
	// leave an empty set out.
	attributes, present, err := in.Optional(ber.ContextConstructed(0))
	if err != nil {
		return err
	}
	if present {
		if err := r.parseAttributes(attributes); err != nil {
			return err
		}
	}
	return in.Done()
}

// parseAttributes takes the extensions and passes over what else there is,
// such as challenge passwords.
func (r *Request) parseAttributes(set ber.Element) error {
	in := set.Children()
	seen := false
	for n := 0; !in.Empty(); n++ {
		if n == maxRequestAttributes {
			return fmt.Errorf("more than %d attributes", maxRequestAttributes)
		}
		attribute, err := in.Read(ber.TagSequence)
		if err != nil {
			return err
		}
		oid, values, err := readAttribute(attribute)
		if err != nil {
			return err
		}
		if oid != oidExtensionRequest {
			continue
		}
		if seen {
			return errors.New("two requests for extensions")
		}
		seen = true
		if err := r.parseExtensions(values); err != nil {
			return err
		}
	}
	return in.Done()
}

// readAttribute reads Attribute: a type and a SET of values.
func readAttribute(e ber.Element) (ber.OID, ber.Element, error) {
	in := e.Children()
	typ, err := in.Read(ber.TagOID)
	if err != nil {
		return "", ber.Element{}, err
	}
	oid, err := typ.OID()
	if err != nil {
		return "", ber.Element{}, err
	}
	values, err := in.Read(ber.TagSet)
	if err != nil {
		return "", ber.Element{}, err
	}
	return oid, values, in.Done()
}

// parseExtensions reads the one value of extensionRequest, which means what it
// means in a certificate.
func (r *Request) parseExtensions(values ber.Element) error {
	in := values.Children()
	list, err := in.Read(ber.TagSequence)
	if err != nil {
		return err
	}
	if err := in.Done(); err != nil {
		return err
	}
	var c Certificate
	if err := c.parseExtensions(list); err != nil {
		return err
	}
	r.Extensions, r.Policies = c.Extensions, c.PolicyIdentifiers
	return nil
}

// CheckSignature checks that whoever made the request has the private key.
// Errors are those of pki/alg: ErrSignature when the signature is wrong,
// ErrKeyMismatch, ErrUnsupported.
func (r *Request) CheckSignature() error {
	scheme, err := alg.ResolveSignature(r.SignatureAlgorithm, nil)
	if err != nil {
		return err
	}
	return scheme.Verify(r.PublicKey, r.RawInfo, r.Signature)
}
