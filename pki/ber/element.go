package ber

import (
	"errors"
	"fmt"
)

// Limits of [Parse].
const (
	// MaxDepth is the deepest nesting read: the value OpenSSL uses
	// (ASN1_MAX_CONSTRUCTED_NEST is 30) and twice what a timestamped CMS
	// document with certificates needs.
	MaxDepth = 32

	// MaxElements bounds how many elements one input may hold. A document of
	// 128 MiB cut into the 1000-octet segments of BouncyCastle has 134,000;
	// what has more than a million is made to cost time.
	MaxElements = 1 << 20
)

var (
	// ErrSyntax is wrapped by every error about octets that are not BER or
	// not of the type asked for.
	ErrSyntax = errors.New("invalid BER")

	// ErrLimit is wrapped when an input is deeper or longer than the limits.
	ErrLimit = errors.New("BER limit exceeded")
)

func syntaxErrorf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrSyntax, fmt.Sprintf(format, args...))
}

// Identifier octets (X.690 8.1.2) of the types that PKI structures use. They
// include the constructed bit where the type always has it.
const (
	TagBoolean         = 0x01
	TagInteger         = 0x02
	TagBitString       = 0x03
	TagOctetString     = 0x04
	TagNull            = 0x05
	TagOID             = 0x06
	TagEnumerated      = 0x0a
	TagUTF8String      = 0x0c
	TagNumericString   = 0x12
	TagPrintableString = 0x13
	TagT61String       = 0x14
	TagIA5String       = 0x16
	TagUTCTime         = 0x17
	TagGeneralizedTime = 0x18
	TagVisibleString   = 0x1a
	TagGeneralString   = 0x1b
	TagUniversalString = 0x1c
	TagBMPString       = 0x1e
	TagSequence        = 0x30
	TagSet             = 0x31

	constructedBit = 0x20
	highNumber     = 0x1f
)

// Context returns the identifier octet of a primitive context-specific tag
// [n], 0 <= n < 31.
func Context(n int) byte { return 0x80 | byte(n) }

// ContextConstructed returns the identifier octet of a constructed
// context-specific tag [n], 0 <= n < 31.
func ContextConstructed(n int) byte { return 0xa0 | byte(n) }

// Element is one BER type-length-value. Raw and Content alias the input.
type Element struct {
	// Tag is the identifier octet: class, constructed bit and number. For
	// tag numbers above 30 its low five bits are ones and Number differs.
	Tag byte
	// Number is the tag number.
	Number uint32
	// Indefinite tells that the length was given as 0x80.
	Indefinite bool
	// Raw is the whole element: header, content and, for an indefinite
	// length, the end-of-contents octets.
	Raw []byte
	// Content is what lies between header and end-of-contents.
	Content []byte

	at   int   // offset of Content in what was parsed, for ends
	ends *ends // nil when there is nothing to know
}

// ends is where elements of indefinite length end. Finding that takes a walk
// over all that is inside, and those of a document stand one in the other down
// to its content: what the walk of [Parse] found is kept for those that come
// first. Documents of BouncyCastle have seven.
type ends struct {
	n     int
	spans [12]span
}

type span struct{ start, end int }

func (e *ends) of(start int) (end int, ok bool) {
	if e == nil {
		return 0, false
	}
	for _, s := range e.spans[:e.n] {
		if s.start == start {
			return s.end, true
		}
	}
	return 0, false
}

// Constructed tells whether the content is a series of elements.
func (e Element) Constructed() bool { return e.Tag&constructedBit != 0 }

// WithTag returns e with its identifier octet replaced, so that an IMPLICIT
// tag can be read as the type it stands for. The constructed bit is kept for
// the string types, which have both forms. Raw stays as it was.
func (e Element) WithTag(tag byte) Element {
	switch tag {
	case TagOctetString, TagBitString:
		tag |= e.Tag & constructedBit
	}
	e.Tag, e.Number = tag, uint32(tag&highNumber)
	return e
}

// Parse reads exactly one element with nothing after it, and checks the whole
// tree inside: every length within its parent, depth at most [MaxDepth], at
// most [MaxElements] elements. It allocates nothing for DER. Errors wrap [ErrSyntax]
// or [ErrLimit].
func Parse(b []byte) (Element, error) {
	e, rest, err := ParsePrefix(b)
	if err != nil {
		return Element{}, err
	}
	if len(rest) != 0 {
		return Element{}, syntaxErrorf("%d octets after the end", len(rest))
	}
	return e, nil
}

// ParsePrefix is [Parse] for an input that may go on after its first element;
// it returns what follows.
func ParsePrefix(b []byte) (e Element, rest []byte, err error) {
	end, inside, err := walk(b)
	if err != nil {
		return Element{}, nil, err
	}
	h, err := readHeader(b)
	if err != nil {
		return Element{}, nil, err
	}
	e = h.element(b, end)
	e.at, e.ends = h.size, inside
	return e, b[end:], nil
}

type header struct {
	tag        byte
	number     uint32
	size       int // octets of identifier and length
	length     int // octets of content; meaningless when indefinite
	indefinite bool
}

func (h header) element(b []byte, end int) Element {
	e := Element{Tag: h.tag, Number: h.number, Indefinite: h.indefinite, Raw: b[:end:end]}
	if h.indefinite {
		e.Content = b[h.size : end-2 : end-2]
	} else {
		e.Content = b[h.size:end:end]
	}
	return e
}

// readHeader reads identifier and length octets and checks that a definite
// length fits b.
func readHeader(b []byte) (header, error) {
	if len(b) < 2 {
		return header{}, syntaxErrorf("cut short in a header")
	}
	h := header{tag: b[0], number: uint32(b[0] & highNumber), size: 1}
	if h.tag == 0 {
		return header{}, syntaxErrorf("unexpected end-of-contents")
	}
	if h.number == highNumber {
		h.number = 0
		for i := 0; ; i++ {
			// Four octets give 28 bits: no registered type comes near.
			if i == 4 || h.size == len(b) {
				return header{}, syntaxErrorf("bad tag number")
			}
			c := b[h.size]
			h.size++
			if i == 0 && c == 0x80 {
				return header{}, syntaxErrorf("bad tag number")
			}
			h.number = h.number<<7 | uint32(c&0x7f)
			if c&0x80 == 0 {
				break
			}
		}
		if h.number < highNumber || h.size == len(b) {
			return header{}, syntaxErrorf("bad tag number")
		}
	}
	c := b[h.size]
	h.size++
	switch {
	case c < 0x80:
		h.length = int(c)
	case c == 0x80:
		if h.tag&constructedBit == 0 {
			return header{}, syntaxErrorf("indefinite length of a primitive element")
		}
		h.indefinite = true
		return h, nil
	default:
		// Four length octets reach 4 GiB, beyond any input that is read.
		n := int(c & 0x7f)
		if n > 4 || len(b)-h.size < n {
			return header{}, syntaxErrorf("bad length")
		}
		var length uint64
		for _, c := range b[h.size : h.size+n] {
			length = length<<8 | uint64(c)
		}
		h.size += n
		if length > uint64(len(b)) {
			return header{}, syntaxErrorf("length exceeds the input")
		}
		h.length = int(length)
	}
	if h.length > len(b)-h.size {
		return header{}, syntaxErrorf("length exceeds the input")
	}
	return h, nil
}

// walk checks the first element of b with everything in it and returns where
// it ends. It keeps its own stack: a recursive walk over hostile nesting ends
// a Go process in a way that no recover catches.
func walk(b []byte) (end int, inside *ends, err error) {
	type frame struct {
		limit      int // where the content must end at the latest
		indefinite bool
		span       int // place in inside, counted from 1; 0 means none
	}
	var stack [MaxDepth]frame
	depth, pos, count := 0, 0, 0
	for {
		for depth > 0 {
			f := stack[depth-1]
			if f.indefinite {
				if f.limit-pos < 2 || b[pos] != 0 || b[pos+1] != 0 {
					break
				}
				pos += 2
				if f.span > 0 {
					inside.spans[f.span-1].end = pos
				}
			} else if pos != f.limit {
				break
			}
			depth--
		}
		if depth == 0 && pos > 0 {
			return pos, inside, nil
		}
		limit := len(b)
		if depth > 0 {
			limit = stack[depth-1].limit
		}
		if count++; count > MaxElements {
			return 0, nil, fmt.Errorf("%w: more than %d elements", ErrLimit, MaxElements)
		}
		// Nearly all that is primitive has one octet of tag and one of length.
		if limit-pos >= 2 {
			if tag, length := b[pos], int(b[pos+1]); tag&constructedBit == 0 && tag != 0 && tag&highNumber != highNumber &&
				length < 0x80 && length <= limit-pos-2 {
				pos += 2 + length
				continue
			}
		}
		h, err := readHeader(b[pos:limit])
		if err != nil {
			return 0, nil, err
		}
		start := pos
		pos += h.size
		if h.tag&constructedBit == 0 {
			pos += h.length
			continue
		}
		if depth == MaxDepth {
			return 0, nil, fmt.Errorf("%w: nested deeper than %d", ErrLimit, MaxDepth)
		}
		f := frame{limit: limit, indefinite: h.indefinite}
		if !h.indefinite {
			f.limit = pos + h.length
		} else {
			if inside == nil {
				inside = new(ends)
			}
			if inside.n < len(inside.spans) {
				inside.spans[inside.n].start = start
				inside.n++
				f.span = inside.n
			}
		}
		stack[depth] = f
		depth++
	}
}
