package tsp

import (
	"errors"
	"fmt"
	"io"
	"math/big"

	"imzo/pki/alg"
	"imzo/pki/ber"
)

const (
	// maxRequest bounds a request; it takes 100 octets.
	maxRequest = 16 << 10
	// maxNonce bounds a nonce; 64 bits are usual.
	maxNonce = 64
	// maxImprint is the longest digest in use.
	maxImprint = 64
)

// Request is TimeStampReq (RFC 3161 2.4.1).
type Request struct {
	Raw           []byte // as it was parsed
	HashAlgorithm alg.AlgorithmIdentifier
	HashedMessage []byte
	Policy        ber.OID  // absent: the authority's own
	Nonce         *big.Int // nil: none
	CertReq       bool
	// Extensions tells that the request has extensions; none are known.
	Extensions bool
}

// NewNonce returns 64 random bits.
func NewNonce(rand io.Reader) (*big.Int, error) {
	b := make([]byte, 8)
	if _, err := io.ReadFull(rand, b); err != nil {
		return nil, err
	}
	return new(big.Int).SetBytes(b), nil
}

// NewRequest asks for a token over a message with the digest hashed. certReq
// asks for the authority's certificate in the token.
func NewRequest(d *alg.Digest, hashed []byte, nonce *big.Int, certReq bool) Request {
	return Request{HashAlgorithm: d.Identifier(), HashedMessage: hashed, Nonce: nonce, CertReq: certReq}
}

// Marshal returns the request as DER.
func (r Request) Marshal() []byte {
	parts := [][]byte{ber.Int64(1), ber.Sequence(r.HashAlgorithm.Marshal(), ber.OctetString(r.HashedMessage))}
	if r.Policy != "" {
		parts = append(parts, r.Policy.DER())
	}
	if r.Nonce != nil {
		parts = append(parts, ber.Int(r.Nonce))
	}
	if r.CertReq {
		parts = append(parts, ber.Bool(true))
	}
	return ber.Sequence(parts...)
}

// ParseRequest reads a request.
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
		return fmt.Errorf("tag %#02x is no TimeStampReq", root.Tag)
	}
	r := root.Children()
	if err := readVersion(&r, 1); err != nil {
		return err
	}
	var err error
	if req.HashAlgorithm, req.HashedMessage, err = readImprint(&r); err != nil {
		return err
	}
	policy, ok, err := r.Optional(ber.TagOID)
	if err != nil {
		return err
	}
	if ok {
		if req.Policy, err = policy.OID(); err != nil {
			return err
		}
	}
	if req.Nonce, err = readNonce(&r); err != nil {
		return err
	}
	certReq, ok, err := r.Optional(ber.TagBoolean)
	if err != nil {
		return err
	}
	if ok {
		if req.CertReq, err = certReq.Bool(); err != nil {
			return err
		}
	}
	if _, req.Extensions, err = r.Optional(ber.ContextConstructed(0)); err != nil {
		return err
	}
	return r.Done()
}

func readVersion(r *ber.Reader, want int64) error {
	e, err := r.Read(ber.TagInteger)
	if err != nil {
		return err
	}
	if v, err := e.Int64(); err != nil || v != want {
		return errors.New("unknown version")
	}
	return nil
}

func readImprint(r *ber.Reader) (algorithm alg.AlgorithmIdentifier, hashed []byte, err error) {
	imprint, err := r.Read(ber.TagSequence)
	if err != nil {
		return algorithm, nil, err
	}
	in := imprint.Children()
	e, err := in.Read(ber.TagSequence)
	if err != nil {
		return algorithm, nil, err
	}
	if algorithm, err = alg.ParseAlgorithmIdentifier(e); err != nil {
		return algorithm, nil, err
	}
	if e, err = in.Read(ber.TagOctetString); err != nil {
		return algorithm, nil, err
	}
	if hashed, err = e.OctetString(); err != nil {
		return algorithm, nil, err
	}
	if len(hashed) > maxImprint {
		return algorithm, nil, fmt.Errorf("imprint of %d octets", len(hashed))
	}
	return algorithm, hashed, in.Done()
}

func readNonce(r *ber.Reader) (*big.Int, error) {
	e, ok, err := r.Optional(ber.TagInteger)
	if err != nil || !ok {
		return nil, err
	}
	if len(e.Content) > maxNonce {
		return nil, fmt.Errorf("nonce of %d octets", len(e.Content))
	}
	return e.Int()
}
