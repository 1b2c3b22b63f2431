package tsp

import (
	"context"
	"errors"
	"io"
	"math/big"
	"strings"
	"time"
	"unicode"

	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
	"imzo/pki/cms"
)

// Authority issues tokens. Its fields are set before it is used and not
// changed after.
type Authority struct {
	Key   *alg.PrivateKey
	Chain []*cert.Certificate // the authority's certificate first
	// Policy is that of every token; a request for another is rejected.
	Policy ber.OID
	// Name is the URI in the tsa field; "" leaves it out. RFC 3161 2.4.2 wants
	// it to be a name of the certificate too (a uniformResourceIdentifier of
	// its subjectAltName); OpenSSL refuses tokens where it is not.
	Name string
	// Serial returns a number never given before, above 0 and of at most
	// 160 bits (RFC 3161 2.4.2).
	Serial   func() (*big.Int, error)
	Now      func() time.Time
	Accuracy time.Duration // stated in tokens when above 0
	Rand     io.Reader
}

// Respond returns the TimeStampResp to a request, whatever the request is.
func (a *Authority) Respond(_ context.Context, request []byte) []byte {
	req, err := ParseRequest(request)
	if err != nil {
		return reject(BadDataFormat, "the request does not parse")
	}
	d, err := alg.DigestByOID(req.HashAlgorithm.OID)
	switch {
	case err != nil || !req.HashAlgorithm.NoParams() || d == alg.SHA1():
		return reject(BadAlg, "the digest is not accepted")
	case len(req.HashedMessage) != d.Size:
		return reject(BadDataFormat, "the imprint is not of its digest's length")
	case req.Policy != "" && req.Policy != a.Policy:
		return reject(UnacceptedPolicy, "the policy is not this authority's")
	case req.Extensions:
		return reject(UnacceptedExtension, "no extension is known")
	}
	token, err := a.token(req)
	if err != nil {
		return reject(SystemFailure, "the token cannot be made")
	}
	return ber.Sequence(ber.Sequence(ber.Int64(int64(Granted))), token)
}

func reject(f FailureInfo, text string) []byte {
	bit := 0
	for f>>bit != 1 {
		bit++
	}
	return ber.Sequence(ber.Sequence(ber.Int64(int64(Rejection)), ber.Sequence(ber.UTF8String(text)), ber.NamedBits(bit)))
}

func (a *Authority) token(req *Request) ([]byte, error) {
	serial, err := a.Serial()
	if err != nil {
		return nil, err
	}
	if serial == nil || serial.Sign() <= 0 || serial.BitLen() > 160 {
		return nil, errors.New("a serial number that is none")
	}
	now := a.Now().UTC().Truncate(time.Second)
	info := [][]byte{
		ber.Int64(1), a.Policy.DER(),
		ber.Sequence(req.HashAlgorithm.Marshal(), ber.OctetString(req.HashedMessage)),
		ber.Int(serial), ber.GeneralizedTime(now),
	}
	if a.Accuracy > 0 {
		info = append(info, marshalAccuracy(a.Accuracy))
	}
	if req.Nonce != nil {
		info = append(info, ber.Int(req.Nonce))
	}
	if a.Name != "" {
		name := ber.IA5String(a.Name)
		if strings.ContainsFunc(a.Name, func(r rune) bool { return r > unicode.MaxASCII }) {
			return nil, errors.New("a name that is no URI")
		}
		name[0] = ber.Context(6)
		info = append(info, ber.Tagged(ber.ContextConstructed(0), name))
	}
	document, err := cms.Sign(ber.Sequence(info...), []cms.Signer{{
		Key: a.Key, Chain: a.Chain, SigningTime: now,
		ExtraSignedAttrs: []cms.Attribute{cms.NewAttribute(cms.OIDSigningCertificateV2, signingCertificate(a.Chain[0]))},
	}}, cms.Options{ContentType: cms.OIDTSTInfo, DER: true, Rand: a.Rand})
	if err != nil || req.CertReq {
		return document, err
	}
	return withoutCertificates(document)
}

// marshalAccuracy writes Accuracy, rounded up to its unit of a microsecond:
// an authority must not claim to be better than it is.
func marshalAccuracy(d time.Duration) []byte {
	micros := int64((d + time.Microsecond - 1) / time.Microsecond)
	var parts [][]byte
	if n := micros / 1_000_000; n > 0 {
		parts = append(parts, ber.Int64(n))
	}
	for i, n := range []int64{micros / 1000 % 1000, micros % 1000} {
		if n > 0 {
			e := ber.Int64(n)
			e[0] = ber.Context(i)
			parts = append(parts, e)
		}
	}
	return ber.Sequence(parts...)
}

// signingCertificate returns SigningCertificateV2 with the default digest,
// SHA-256 (RFC 5035 4).
func signingCertificate(c *cert.Certificate) []byte {
	return ber.Sequence(ber.Sequence(ber.Sequence(ber.OctetString(alg.SHA256().Sum(c.Raw)))))
}

// withoutCertificates takes the bag out of a token, as who did not set
// certReq wants it (RFC 3161 2.4.1). No signature covers the bag.
func withoutCertificates(document []byte) ([]byte, error) {
	root, err := ber.Parse(document)
	if err != nil {
		return nil, err
	}
	r := root.Children()
	contentType, err := r.Read(ber.TagOID)
	if err != nil {
		return nil, err
	}
	explicit, err := r.Read(ber.ContextConstructed(0))
	if err != nil {
		return nil, err
	}
	in := explicit.Children()
	signedData, err := in.Read(ber.TagSequence)
	if err != nil {
		return nil, err
	}
	var parts [][]byte
	for fields := signedData.Children(); !fields.Empty(); {
		e, err := fields.Next()
		if err != nil {
			return nil, err
		}
		if e.Tag != ber.ContextConstructed(0) {
			parts = append(parts, e.Raw)
		}
	}
	return ber.Sequence(contentType.Raw, ber.Tagged(ber.ContextConstructed(0), ber.Sequence(parts...))), nil
}
