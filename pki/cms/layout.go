package cms

import (
	"bytes"
	"slices"

	"imzo/pki/ber"
)

// segmentSize is how BouncyCastle, which makes the documents of E-IMZO, cuts
// content in BER.
const segmentSize = 1000

// document is a SignedData to be written. Every part is an encoded element,
// or several: a large content is copied once, into the result.
type document struct {
	indefinite   bool
	version      int
	digests      [][]byte // AlgorithmIdentifiers
	encap        [][]byte // encapContentInfo
	certificates [][]byte // elements of the set
	certsRaw     []byte   // the set as it was; goes before certificates
	crls         [][]byte // elements of the set
	signers      [][]byte // SignerInfos
}

// encode writes the ContentInfo. Of the two layouts, the indefinite one is
// that of E-IMZO octet for octet: the sets of digests and signers are
// definite also there.
func (d *document) encode() []byte {
	parts := [][]byte{ber.Int64(int64(d.version)), ber.Set(d.digests...)}
	parts = append(parts, d.encap...)
	switch {
	case d.certsRaw != nil:
		parts = append(parts, d.certsRaw)
	case len(d.certificates) > 0:
		parts = append(parts, wrap(ber.ContextConstructed(0), d.indefinite, d.certificates...)...)
	}
	if len(d.crls) > 0 {
		parts = append(parts, wrap(ber.ContextConstructed(1), d.indefinite, d.crls...)...)
	}
	parts = append(parts, wrap(ber.TagSet, false, d.signers...)...)
	parts = wrap(ber.TagSequence, d.indefinite, parts...)
	parts = wrap(ber.ContextConstructed(0), d.indefinite, parts...)
	parts = wrap(ber.TagSequence, d.indefinite, slices.Insert(parts, 0, OIDSignedData.DER())...)
	return slices.Concat(parts...)
}

// sortSets puts the sets in the order of DER.
func (d *document) sortSets() {
	for _, set := range [][][]byte{d.digests, d.certificates, d.crls, d.signers} {
		slices.SortFunc(set, bytes.Compare)
	}
}

// wrap puts the parts into one element, without copying them.
func wrap(tag byte, indefinite bool, parts ...[]byte) [][]byte {
	out := make([][]byte, 0, len(parts)+2)
	if indefinite {
		out = append(out, []byte{tag, 0x80})
		out = append(out, parts...)
		return append(out, []byte{0, 0})
	}
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	return append(append(out, ber.Header(tag, n)), parts...)
}

// encapContentInfo returns the element for a content; nil means detached.
func encapContentInfo(contentType ber.OID, content []byte, indefinite bool) [][]byte {
	parts := [][]byte{contentType.DER()}
	if content != nil {
		var octets [][]byte
		if indefinite {
			octets = wrap(ber.TagOctetString|constructed, true, segments(content)...)
		} else {
			octets = wrap(ber.TagOctetString, false, content)
		}
		parts = append(parts, wrap(ber.ContextConstructed(0), indefinite, octets...)...)
	}
	return wrap(ber.TagSequence, indefinite, parts...)
}

const constructed = 0x20

// segments returns the content as primitive OCTET STRINGs.
func segments(content []byte) [][]byte {
	out := make([][]byte, 0, 2*(len(content)/segmentSize+1))
	full := ber.Header(ber.TagOctetString, segmentSize)
	for len(content) >= segmentSize {
		out = append(out, full, content[:segmentSize])
		content = content[segmentSize:]
	}
	if len(content) > 0 {
		out = append(out, ber.Header(ber.TagOctetString, len(content)), content)
	}
	return out
}
