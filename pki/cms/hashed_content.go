package cms

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"

	"imzo/pki/alg"
	"imzo/pki/ber"
)

// HashedContent is the content of a detached document that was hashed as it
// came, and not kept, for documents larger than memory:
//
//	h := cms.NewHashedContent(sd.Digests()...)
//	_, err := io.Copy(h, file)
//	...
//	digest, err := sd.HashedContentDigest(si, h)
//
// It is written to first, and the first reading ends that. Once read it may be
// read by any number of goroutines.
type HashedContent struct {
	digests []*alg.Digest
	states  []hash.Hash // of digests; two that compute the same share one
	sums    map[ber.OID][]byte
	size    int64
	// head is the content while it may be a set of signed attributes, which
	// is nothing but that and not large.
	head []byte
	// signedAttrs is what came of head.
	signedAttrs bool
}

// NewHashedContent returns an empty content to write to, for these digests.
// Without any it counts octets only.
func NewHashedContent(digests ...*alg.Digest) *HashedContent {
	h := &HashedContent{digests: digests, head: []byte{}}
	for i, d := range digests {
		state := h.shared(digests[:i], d)
		if state == nil {
			state = d.New()
		}
		h.states = append(h.states, state)
	}
	return h
}

func (h *HashedContent) shared(earlier []*alg.Digest, d *alg.Digest) hash.Hash {
	for i, e := range earlier {
		if e.SameFunction(d) {
			return h.states[i]
		}
	}
	return nil
}

// Write adds to the content. It fails once something was read.
func (h *HashedContent) Write(p []byte) (int, error) {
	if h.sums != nil {
		return 0, errors.New("content is complete")
	}
	h.keepHead(p)
	h.size += int64(len(p))
	for i, state := range h.states {
		if h.shared(h.digests[:i], h.digests[i]) == nil {
			state.Write(p)
		}
	}
	return len(p), nil
}

// keepHead keeps the content for as long as it may be signed attributes.
func (h *HashedContent) keepHead(p []byte) {
	switch {
	case h.head == nil || len(p) == 0:
	case h.size == 0 && p[0] != ber.TagSet:
		h.head = nil
	case len(h.head)+len(p) > maxSignedAttrs:
		// None that large would be read here, and who knows what others do.
		h.head, h.signedAttrs = nil, true
	default:
		h.head = append(h.head, p...)
	}
}

// finish makes the sums.
func (h *HashedContent) finish() {
	if h.sums != nil {
		return
	}
	h.sums = make(map[ber.OID][]byte)
	for i, d := range h.digests {
		h.sums[d.OID] = h.states[i].Sum(nil)
	}
	if h.head != nil {
		h.signedAttrs = isSignedAttrs(payload{whole: h.head})
	}
	h.states, h.head = nil, nil
}

// Size returns the octets of the content.
func (h *HashedContent) Size() int64 { return h.size }

// Sum returns the digest of the content, nil when it was not among those of
// [NewHashedContent].
func (h *HashedContent) Sum(d *alg.Digest) []byte {
	h.finish()
	return bytes.Clone(h.sums[d.OID])
}

// Digests returns the digests that the signers of the document use, for
// [NewHashedContent].
func (s *SignedData) Digests() []*alg.Digest {
	var out []*alg.Digest
	for _, a := range s.DigestAlgorithms {
		if d, err := alg.DigestByOID(a.OID); err == nil {
			out = append(out, d)
		}
	}
	return out
}

// HashedContentDigest is [SignedData.ContentDigest] for a detached content
// that was hashed before: [ErrAttached] when the document has its content
// inside, [ErrUnsupported] when the digest was not computed. Ed25519 without
// signed attributes cannot be verified with it, since it signs the content
// itself.
func (s *SignedData) HashedContentDigest(si *SignerInfo, h *HashedContent) ([]byte, error) {
	if !s.Detached() {
		return nil, ErrAttached
	}
	h.finish()
	if si.RawSignedAttrs == nil && h.signedAttrs {
		return nil, errAmbiguous
	}
	d, err := si.Digest()
	if err != nil {
		return nil, err
	}
	sum, ok := h.sums[d.OID]
	if !ok {
		return nil, fmt.Errorf("%w: %s of the content was not computed", ErrUnsupported, d.Name)
	}
	return bytes.Clone(sum), nil
}

type hashedContentJSON struct {
	Size        int64             `json:"size"`
	Digests     map[string]string `json:"digests"` // hex, by dotted identifier
	SignedAttrs bool              `json:"signedAttributes,omitempty"`
}

// MarshalJSON writes the size and the digests in hex; it ends the writing.
func (h *HashedContent) MarshalJSON() ([]byte, error) {
	h.finish()
	v := hashedContentJSON{Size: h.size, Digests: make(map[string]string), SignedAttrs: h.signedAttrs}
	for oid, sum := range h.sums {
		v.Digests[oid.String()] = hex.EncodeToString(sum)
	}
	return json.Marshal(v)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (h *HashedContent) UnmarshalJSON(b []byte) error {
	var v hashedContentJSON
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	out := HashedContent{size: v.Size, signedAttrs: v.SignedAttrs, sums: make(map[ber.OID][]byte)}
	for name, text := range v.Digests {
		d, err := alg.DigestByName(name)
		if err != nil {
			return err
		}
		sum, err := hex.DecodeString(text)
		if err != nil || len(sum) != d.Size {
			return fmt.Errorf("%w: %q is no %s digest", ErrFormat, text, d.Name)
		}
		out.digests = append(out.digests, d)
		out.sums[d.OID] = sum
	}
	*h = out
	return nil
}
