package cms

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"

	"imzo/pki/alg"
	"imzo/pki/ber"
)

// Detached tells that the content is not inside the document.
func (s *SignedData) Detached() bool { return s.content.Raw == nil }

// Content returns the content: nil when detached, never nil otherwise. It is a
// view of the document when that has it in one piece, as DER has; the segments
// of BER are joined in new memory at every call.
func (s *SignedData) Content() []byte {
	if s.Detached() {
		return nil
	}
	// Parse has read all segments, so this cannot fail.
	b, _ := s.content.OctetString()
	if b == nil {
		b = []byte{}
	}
	return b
}

// ContentSize returns the octets of the content, -1 when detached.
func (s *SignedData) ContentSize() int {
	if s.Detached() {
		return -1
	}
	n := 0
	_ = s.content.Segments(func(b []byte) bool { // Parse has read them all
		n += len(b)
		return true
	})
	return n
}

// WriteContentTo writes the content to w, segment by segment. It returns
// [ErrDetached] when there is none.
func (s *SignedData) WriteContentTo(w io.Writer) error {
	if s.Detached() {
		return ErrDetached
	}
	var failed error
	err := s.content.Segments(func(b []byte) bool {
		_, failed = w.Write(b)
		return failed == nil
	})
	if failed != nil {
		return failed
	}
	return err
}

// message returns the content to verify: the one inside, or for a detached
// signature the one given. Both or neither is an error. An empty detached
// content is not nil.
func (s *SignedData) message(detached []byte) (payload, error) {
	switch {
	case s.Detached() && detached == nil:
		return payload{}, ErrDetached
	case !s.Detached() && detached != nil:
		return payload{}, ErrAttached
	case s.Detached():
		return payload{whole: detached}, nil
	}
	return payload{segments: s.content}, nil
}

// payload is a content in one piece or in segments.
type payload struct {
	whole    []byte
	segments ber.Element
}

func (p payload) hashWith(h hash.Hash) []byte {
	if p.segments.Raw == nil {
		h.Write(p.whole)
	} else {
		_ = p.segments.Segments(func(b []byte) bool {
			h.Write(b)
			return true
		})
	}
	return h.Sum(nil)
}

func (p payload) bytes() []byte {
	if p.segments.Raw == nil {
		return p.whole
	}
	b, _ := p.segments.OctetString()
	return b
}

// first returns the first octet, 0 when there is none.
func (p payload) first() (first byte) {
	if p.segments.Raw == nil {
		if len(p.whole) > 0 {
			first = p.whole[0]
		}
		return first
	}
	_ = p.segments.Segments(func(b []byte) bool {
		if len(b) == 0 {
			return true
		}
		first = b[0]
		return false
	})
	return first
}

// ContentDigest returns the digest of the content with the signer's digest
// algorithm, for [SignerInfo.Verify]. detached is the content of a detached
// signature, and nil otherwise: [ErrDetached], [ErrAttached].
//
// For a signer without signed attributes it also refuses content that is
// itself a set of signed attributes (ErrAttribute): whoever has a signature
// over signed attributes could take them out and show them as the content
// that was signed.
func (s *SignedData) ContentDigest(si *SignerInfo, detached []byte) ([]byte, error) {
	p, err := s.message(detached)
	if err != nil {
		return nil, err
	}
	if err := si.checkAmbiguous(p); err != nil {
		return nil, err
	}
	d, err := si.Digest()
	if err != nil {
		return nil, err
	}
	if sum, ok := s.hasher.sumOf(d, p, s.Raw); ok {
		return sum, nil
	}
	return p.hashWith(d.New()), nil
}

func (si *SignerInfo) checkAmbiguous(p payload) error {
	if si.RawSignedAttrs == nil && isSignedAttrs(p) {
		return errAmbiguous
	}
	return nil
}

var errAmbiguous = fmt.Errorf("%w: content is a set of signed attributes, and there are none", ErrAttribute)

// isSignedAttrs tells whether the content could be what a signature with
// signed attributes was made over: a SET of attributes, messageDigest among
// them. It is meant to be wide: nobody signs such content on purpose.
func isSignedAttrs(p payload) bool {
	if p.first() != ber.TagSet {
		return false
	}
	e, err := ber.Parse(p.bytes())
	if err != nil {
		return false
	}
	found := false
	for r := e.Children(); !r.Empty(); {
		child, err := r.Read(ber.TagSequence)
		if err != nil {
			return false
		}
		in := child.Children()
		t, err := readOID(&in)
		if err != nil {
			return false
		}
		found = found || t == OIDMessageDigest
	}
	return found
}

// sameContent compares two contents that may be cut into segments in
// different ways. It compares digests, for a list of the segments would take
// many times the memory of a document that has one for each octet.
func sameContent(a, b ber.Element) bool {
	return bytes.Equal(payload{segments: a}.hashWith(sha256.New()), payload{segments: b}.hashWith(sha256.New()))
}

// digests computes each digest of one content once.
type digests struct {
	payload
	sums map[*alg.Digest][]byte
}

func (d *digests) sum(with *alg.Digest) []byte {
	sum, ok := d.sums[with]
	if !ok {
		sum = d.hashWith(with.New())
		if d.sums == nil {
			d.sums = make(map[*alg.Digest][]byte)
		}
		d.sums[with] = sum
	}
	return sum
}
