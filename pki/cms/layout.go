package cms

import (
	"bytes"
	"slices"

	"imzo/pki/ber"
)

// segmentSize is how BouncyCastle, which makes the documents of E-IMZO, cuts
// content in BER.
const segmentSize = 1000

// constructed is the bit of the identifier octet.
const constructed = 0x20

// part is something to be written. A document is sized first and written
// once, so that a large content is copied once, into the result.
type part interface {
	size() int
	appendTo(out []byte) []byte
}

// encoded is what needs no more encoding: one element or several.
type encoded []byte

func (b encoded) size() int                  { return len(b) }
func (b encoded) appendTo(out []byte) []byte { return append(out, b...) }

// element is a constructed element.
type element struct {
	tag        byte
	indefinite bool
	parts      []part
}

func (e element) size() int {
	n := e.inside()
	if e.indefinite {
		return n + 4
	}
	return n + len(ber.Header(e.tag, n))
}

func (e element) inside() (n int) {
	for _, p := range e.parts {
		n += p.size()
	}
	return n
}

func (e element) appendTo(out []byte) []byte {
	if e.indefinite {
		out = append(out, e.tag, 0x80)
	} else {
		out = append(out, ber.Header(e.tag, e.inside())...)
	}
	for _, p := range e.parts {
		out = p.appendTo(out)
	}
	if e.indefinite {
		out = append(out, 0, 0)
	}
	return out
}

// segmented is a content written as primitive OCTET STRINGs of segmentSize.
type segmented []byte

func (s segmented) size() int {
	n := len(s) / segmentSize * (segmentSize + len(ber.Header(ber.TagOctetString, segmentSize)))
	if rest := len(s) % segmentSize; rest > 0 {
		n += rest + len(ber.Header(ber.TagOctetString, rest))
	}
	return n
}

func (s segmented) appendTo(out []byte) []byte {
	header := ber.Header(ber.TagOctetString, segmentSize)
	for ; len(s) >= segmentSize; s = s[segmentSize:] {
		out = append(append(out, header...), s[:segmentSize]...)
	}
	if len(s) > 0 {
		out = append(append(out, ber.Header(ber.TagOctetString, len(s))...), s...)
	}
	return out
}

// encapContentInfo returns the part for a content; nil means detached.
func encapContentInfo(contentType ber.OID, content []byte, indefinite bool) part {
	parts := []part{encoded(contentType.DER())}
	if content != nil {
		octets := []part{encoded(ber.Header(ber.TagOctetString, len(content))), encoded(content)}
		if indefinite {
			octets = []part{element{ber.TagOctetString | constructed, true, []part{segmented(content)}}}
		}
		parts = append(parts, element{ber.ContextConstructed(0), indefinite, octets})
	}
	return element{ber.TagSequence, indefinite, parts}
}

// document is a SignedData to be written.
type document struct {
	indefinite   bool
	version      int
	digests      [][]byte // AlgorithmIdentifiers
	encap        part     // encapContentInfo
	certsRaw     []byte   // the bag as it was; goes before certificates
	certificates [][]byte // elements of the bag
	crls         [][]byte // elements of the set
	signers      [][]byte // SignerInfos
}

// encode writes the ContentInfo. Of the two layouts, the indefinite one is
// that of E-IMZO octet for octet: the sets of digests and signers are
// definite also there.
func (d *document) encode() []byte {
	parts := []part{encoded(ber.Int64(int64(d.version))), encoded(ber.Set(d.digests...)), d.encap}
	switch {
	case d.certsRaw != nil:
		parts = append(parts, encoded(d.certsRaw))
	case len(d.certificates) > 0:
		parts = append(parts, element{ber.ContextConstructed(0), d.indefinite, raws(d.certificates)})
	}
	if len(d.crls) > 0 {
		parts = append(parts, element{ber.ContextConstructed(1), d.indefinite, raws(d.crls)})
	}
	parts = append(parts, element{ber.TagSet, false, raws(d.signers)})
	root := element{ber.TagSequence, d.indefinite, []part{
		encoded(OIDSignedData.DER()),
		element{ber.ContextConstructed(0), d.indefinite, []part{
			element{ber.TagSequence, d.indefinite, parts},
		}},
	}}
	return root.appendTo(make([]byte, 0, root.size()))
}

func raws(list [][]byte) []part {
	out := make([]part, len(list))
	for i, b := range list {
		out[i] = encoded(b)
	}
	return out
}

// sortSets puts the sets in the order of DER.
func (d *document) sortSets() {
	for _, set := range [][][]byte{d.digests, d.certificates, d.crls, d.signers} {
		slices.SortFunc(set, bytes.Compare)
	}
}
