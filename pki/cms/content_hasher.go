package cms

import (
	"bytes"
	"hash"

	"imzo/pki/alg"
	"imzo/pki/ber"
)

// ContentHasher hashes the content of an attached document while the document
// still comes:
//
//	h := new(cms.ContentHasher)
//	io.Copy(io.MultiWriter(&document, h), r)
//	sd, err := cms.Parse(document.Bytes())
//	sd.Hashed(h)
//
// It reads no more of the document than where the content is and with what it
// is to be hashed, and trusts none of that: [SignedData.ContentDigest] takes
// its digest only where the parsed document has, octet for octet, the same
// content in the same places, and a signer wants the same algorithm. For what it
// does not understand it is of no use, and the content is hashed later.
type ContentHasher struct {
	at      int    // octets written
	head    []byte // all before the content, until it is understood
	header  []byte // of the segment that comes
	left    int    // octets left of the segment
	end     int    // of the content, where its length was given; else 0
	inside  bool   // the head is understood
	done    bool   // the content has ended
	useless bool
	digest  *alg.Digest
	state   hash.Hash
	spans   []span // segments of the content
	sum     []byte
}

// span is a segment of the content: its place in the document.
type span struct{ at, size int }

const (
	// maxHasherHead is how long what stands before a content may be: about
	// ninety octets, unless somebody lists algorithms.
	maxHasherHead = 1 << 10
	// maxSpans bounds the memory for segments: documents of BouncyCastle have
	// one for each 1000 or 4096 octets.
	maxSpans = 1 << 19
)

// Write takes the next octets of the document. It never fails.
func (h *ContentHasher) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 && !h.done && !h.useless {
		var used int
		switch {
		case !h.inside:
			used = h.readHead(p)
		case h.left > 0:
			used = min(h.left, len(p))
			h.state.Write(p[:used])
			h.left -= used
			h.endOfSegment(h.at + used)
		default:
			used = h.readHeader(p)
		}
		h.at += used
		p = p[used:]
	}
	return n, nil
}

// endOfSegment ends a content whose length was given.
func (h *ContentHasher) endOfSegment(at int) {
	if h.left > 0 || h.end == 0 || at < h.end {
		return
	}
	h.done = true
	h.useless = at > h.end
	h.sum = h.state.Sum(nil)
}

// readHead collects octets until they lead to the content.
func (h *ContentHasher) readHead(p []byte) (used int) {
	for used < len(p) {
		h.head = append(h.head, p[used])
		used++
		rest, state := h.parseHead()
		switch {
		case state == headGood:
			h.inside = true
			h.begin(rest, h.at+used)
			h.head = nil
			return used
		case state == headBad || len(h.head) == maxHasherHead:
			h.useless = true
			return used
		}
	}
	return used
}

type headState int

const (
	headShort headState = iota
	headGood
	headBad
)

// hasherHeader is tag and length of an element; length is -1 where it is not
// given.
type hasherHeader struct {
	tag    byte
	length int
}

// take reads a header off b.
func (x *hasherHeader) take(b []byte) (rest []byte, state headState) {
	if len(b) < 2 {
		return nil, headShort
	}
	x.tag, x.length = b[0], int(b[1])
	rest = b[2:]
	switch {
	case b[0]&0x1f == 0x1f || b[1] > 0x84:
		return nil, headBad
	case b[1] == 0x80:
		x.length = -1
	case b[1] > 0x80:
		n := int(b[1] & 0x7f)
		if len(rest) < n {
			return nil, headShort
		}
		x.length = 0
		for _, o := range rest[:n] {
			x.length = x.length<<8 | int(o)
		}
		rest = rest[n:]
	}
	return rest, headGood
}

// parseHead reads ContentInfo, and SignedData up to the header of its content,
// which it returns (RFC 5652 3, 5.1).
func (h *ContentHasher) parseHead() (content hasherHeader, state headState) {
	b := h.head
	var x hasherHeader
	open := func(tag byte) headState {
		if b, state = x.take(b); state == headGood && x.tag != tag {
			state = headBad
		}
		return state
	}
	value := func(tag byte) (v []byte, state headState) {
		if state = open(tag); state != headGood {
			return nil, state
		}
		if x.length < 0 || x.length > maxHasherHead {
			return nil, headBad
		}
		if len(b) < x.length {
			return nil, headShort
		}
		v, b = b[:x.length], b[x.length:]
		return v, headGood
	}
	const context0 = 0xa0
	if state = open(ber.TagSequence); state != headGood {
		return x, state
	}
	if _, state = value(ber.TagOID); state != headGood { // what it says the parser will tell
		return x, state
	}
	for _, tag := range []byte{context0, ber.TagSequence} {
		if state = open(tag); state != headGood {
			return x, state
		}
	}
	if _, state = value(ber.TagInteger); state != headGood {
		return x, state
	}
	algorithms, state := value(ber.TagSet)
	if state != headGood {
		return x, state
	}
	if h.digest == nil {
		if h.digest = onlyDigest(algorithms); h.digest == nil {
			return x, headBad
		}
	}
	if state = open(ber.TagSequence); state != headGood {
		return x, state
	}
	if _, state = value(ber.TagOID); state != headGood {
		return x, state
	}
	if state = open(context0); state != headGood {
		return x, state
	}
	const constructed = 0x20
	if b, state = x.take(b); state == headGood && x.tag != ber.TagOctetString && x.tag != ber.TagOctetString|constructed {
		state = headBad
	}
	return x, state
}

// onlyDigest is the algorithm of a set of one.
func onlyDigest(set []byte) *alg.Digest {
	e, err := ber.Parse(set)
	if err != nil {
		return nil
	}
	a, err := alg.ParseAlgorithmIdentifier(e)
	if err != nil {
		return nil
	}
	d, err := alg.DigestByOID(a.OID)
	if err != nil {
		return nil
	}
	return d
}

// begin goes on with the content, whose octets start at the place.
func (h *ContentHasher) begin(x hasherHeader, at int) {
	h.state = h.digest.New()
	switch {
	case x.tag != ber.TagOctetString: // constructed: of segments
		if x.length >= 0 {
			h.end = at + x.length
			h.endOfSegment(at)
		}
	case x.length < 0:
		h.useless = true
	default:
		h.end = at + x.length
		h.segment(at, x.length)
	}
}

// segment goes on with a segment at the place.
func (h *ContentHasher) segment(at, size int) {
	if len(h.spans) == maxSpans {
		h.useless = true
		return
	}
	h.spans = append(h.spans, span{at, size})
	h.left = size
	h.endOfSegment(at)
}

// readHeader collects the header of a segment, or the end of the content.
func (h *ContentHasher) readHeader(p []byte) (used int) {
	for used < len(p) {
		h.header = append(h.header, p[used])
		used++
		var x hasherHeader
		_, state := x.take(h.header)
		if state == headShort {
			continue
		}
		h.header = h.header[:0]
		switch {
		case state == headGood && x.tag == 0 && x.length == 0 && h.end == 0:
			h.done = true
			h.sum = h.state.Sum(nil)
		case state == headGood && x.tag == ber.TagOctetString && x.length >= 0:
			h.segment(h.at+used, x.length)
		default:
			h.useless = true // segments of segments, for one
		}
		return used
	}
	return used
}

// Hashed tells that the octets that s was parsed from were written to h, and
// nothing else was. h is not written to any more.
func (s *SignedData) Hashed(h *ContentHasher) { s.hasher = h }

// sumOf returns the digest of the content if it is of exactly this payload, at
// the same places of the document.
func (h *ContentHasher) sumOf(d *alg.Digest, p payload, document []byte) ([]byte, bool) {
	if h == nil || !h.done || h.useless || h.digest != d || p.segments.Raw == nil {
		return nil, false
	}
	left, same := h.spans, true
	compare := func(b []byte) bool {
		if len(left) == 0 {
			same = false
			return false
		}
		s := left[0]
		left = left[1:]
		same = s.size == len(b) && s.at >= 0 && s.at+s.size <= len(document) && (s.size == 0 || &document[s.at] == &b[0])
		return same
	}
	if err := p.segments.Segments(compare); err != nil || !same || len(left) > 0 {
		return nil, false
	}
	return bytes.Clone(h.sum), true
}
