package ber

import (
	"bytes"
	"encoding/binary"
	"math/big"
	"slices"
	"time"
	"unicode/utf16"
)

// Tagged returns an element with the identifier octet tag and the parts, one
// after the other, as its content.
func Tagged(tag byte, content ...[]byte) []byte {
	n := 0
	for _, c := range content {
		n += len(c)
	}
	out := appendHeader(make([]byte, 0, n+10), tag, n)
	for _, c := range content {
		out = append(out, c...)
	}
	return out
}

// Header returns the identifier octet tag and the definite length n: what goes
// before n octets of content that are too many to copy.
func Header(tag byte, n int) []byte { return appendHeader(nil, tag, n) }

func appendHeader(out []byte, tag byte, n int) []byte {
	out = append(out, tag)
	if n < 0x80 {
		return append(out, byte(n))
	}
	size := 1
	for v := n >> 8; v > 0; v >>= 8 {
		size++
	}
	out = append(out, 0x80|byte(size))
	for i := size - 1; i >= 0; i-- {
		out = append(out, byte(n>>(8*i)))
	}
	return out
}

// Indefinite returns a constructed element of indefinite length.
func Indefinite(tag byte, parts ...[]byte) []byte {
	out := slices.Concat(append([][]byte{{tag, 0x80}}, parts...)...)
	return append(out, 0, 0)
}

// Sequence returns a SEQUENCE of the parts.
func Sequence(parts ...[]byte) []byte { return Tagged(TagSequence, parts...) }

// Set returns a SET with the parts in the order given.
func Set(parts ...[]byte) []byte { return Tagged(TagSet, parts...) }

// SetOf returns a SET OF in the order of DER (X.690 11.6).
func SetOf(parts ...[]byte) []byte {
	sorted := slices.Clone(parts)
	slices.SortFunc(sorted, bytes.Compare)
	return Tagged(TagSet, sorted...)
}

// Int returns an INTEGER.
func Int(v *big.Int) []byte { return Tagged(TagInteger, intContent(v)) }

// Int64 returns an INTEGER.
func Int64(v int64) []byte { return Int(big.NewInt(v)) }

// Enumerated returns an ENUMERATED.
func Enumerated(v int64) []byte { return Tagged(TagEnumerated, intContent(big.NewInt(v))) }

func intContent(v *big.Int) []byte {
	if v.Sign() >= 0 {
		b := v.Bytes()
		if len(b) == 0 || b[0]&0x80 != 0 {
			b = append([]byte{0}, b...)
		}
		return b
	}
	// Two's complement in the fewest octets n with v >= -2^(8n-1).
	n := uint(new(big.Int).Not(v).BitLen()/8 + 1)
	b := new(big.Int).Add(v, new(big.Int).Lsh(big.NewInt(1), 8*n)).Bytes()
	return append(make([]byte, int(n)-len(b)), b...)
}

// Bool returns a BOOLEAN, TRUE as 0xff.
func Bool(v bool) []byte {
	if v {
		return []byte{TagBoolean, 1, 0xff}
	}
	return []byte{TagBoolean, 1, 0}
}

// Null returns NULL.
func Null() []byte { return []byte{TagNull, 0} }

// OctetString returns a primitive OCTET STRING.
func OctetString(b []byte) []byte { return Tagged(TagOctetString, b) }

// BitString returns a BIT STRING of whole octets.
func BitString(b []byte) []byte { return Tagged(TagBitString, []byte{0}, b) }

// NamedBits returns a BIT STRING with the named bits set, without trailing
// zero bits (X.690 11.2.2).
func NamedBits(bits ...int) []byte {
	if len(bits) == 0 {
		return BitString(nil)
	}
	last := slices.Max(bits)
	content := make([]byte, last/8+2)
	content[0] = byte(7 - last%8)
	for _, bit := range bits {
		content[1+bit/8] |= 0x80 >> (bit % 8)
	}
	return Tagged(TagBitString, content)
}

// UTF8String returns a UTF8String.
func UTF8String(s string) []byte { return Tagged(TagUTF8String, []byte(s)) }

// PrintableString returns a PrintableString; the caller answers for the
// characters.
func PrintableString(s string) []byte { return Tagged(TagPrintableString, []byte(s)) }

// IA5String returns an IA5String; the caller answers for the characters.
func IA5String(s string) []byte { return Tagged(TagIA5String, []byte(s)) }

// BMPString returns a BMPString (UTF-16, big endian).
func BMPString(s string) []byte {
	var content []byte
	for _, u := range utf16.Encode([]rune(s)) {
		content = append(content, byte(u>>8), byte(u))
	}
	return Tagged(TagBMPString, content)
}

// UTCTime returns t as UTCTime with seconds.
func UTCTime(t time.Time) []byte {
	return Tagged(TagUTCTime, []byte(t.UTC().Format("060102150405Z")))
}

// GeneralizedTime returns t as GeneralizedTime in whole seconds.
func GeneralizedTime(t time.Time) []byte {
	return Tagged(TagGeneralizedTime, []byte(t.UTC().Format("20060102150405Z")))
}

// Time returns t as RFC 5280 4.1.2.5 wants it: UTCTime for the years 1950 to
// 2049, else GeneralizedTime.
func Time(t time.Time) []byte {
	if y := t.UTC().Year(); y >= 1950 && y < 2050 {
		return UTCTime(t)
	}
	return GeneralizedTime(t)
}

// DER re-encodes an element as DER: minimal definite lengths, primitive
// strings, and every SET sorted as a SET OF. Values keep their octets, a
// BOOLEAN its one: what a signer wrote there is what was signed. Strings under
// an implicit tag cannot be told from other constructed elements and stay as
// they are. It is for what the standards define by its DER encoding, such as
// the signed attributes of CMS (RFC 5652 5.4), never for certificates.
func DER(e Element) ([]byte, error) {
	if isDER(e) {
		return append(appendHeaderOf(make([]byte, 0, len(e.Raw)), e, len(e.Content)), e.Content...), nil
	}
	return appendDER(make([]byte, 0, len(e.Raw)), e)
}

// isDER tells whether DER would change nothing in e but, perhaps, its own
// identifier. Where it is not sure it says no.
func isDER(e Element) bool {
	switch e.Tag {
	case TagOctetString | constructedBit, TagBitString | constructedBit, TagBoolean:
		return false
	}
	if header := len(e.Raw) - len(e.Content); e.Indefinite || header != headerLength(e) {
		return false
	}
	if !e.Constructed() {
		return true
	}
	var last []byte
	for r := e.Children(); !r.Empty(); {
		child, err := r.Next()
		if err != nil || !isDER(child) {
			return false
		}
		if e.Tag == TagSet {
			if bytes.Compare(last, child.Raw) > 0 {
				return false
			}
			last = child.Raw
		}
	}
	return true
}

// headerLength is the length of the header that appendHeaderOf writes for an
// unchanged content.
func headerLength(e Element) int {
	n := 2
	if e.Tag&highNumber == highNumber {
		for n = 3; e.Raw[n-2]&0x80 != 0; n++ {
		}
	}
	if size := len(e.Content); size >= 0x80 {
		for ; size > 0; size >>= 8 {
			n++
		}
	}
	return n
}

// appendDER writes into one buffer, whatever the number of elements: hostile
// input has one in every second octet.
func appendDER(out []byte, e Element) ([]byte, error) {
	switch e.Tag {
	case TagOctetString | constructedBit:
		b, err := e.OctetString()
		return append(appendHeader(out, TagOctetString, len(b)), b...), err
	case TagBitString | constructedBit:
		b, unused, err := e.BitString()
		return append(append(appendHeader(out, TagBitString, len(b)+1), byte(unused)), b...), err
	case TagBoolean:
		if _, err := e.Bool(); err != nil {
			return nil, err
		}
	}
	if !e.Constructed() {
		return append(appendHeaderOf(out, e, len(e.Content)), e.Content...), nil
	}
	start, last, count, sorted := len(out), len(out), 0, true
	for r := e.Children(); !r.Empty(); count++ {
		child, err := r.Next()
		if err != nil {
			return nil, err
		}
		at := len(out)
		if out, err = appendDER(out, child); err != nil {
			return nil, err
		}
		sorted = sorted && bytes.Compare(out[last:at], out[at:]) <= 0
		last = at
	}
	if e.Tag == TagSet && !sorted {
		sortElements(out[start:], count)
	}
	// Only now the length is known: the header is written behind the content
	// and brought to its front.
	size := len(out) - start
	out = appendHeaderOf(out, e, size)
	var header [2 * binary.MaxVarintLen64]byte
	n := copy(header[:], out[start+size:])
	copy(out[start+n:], out[start:start+size])
	copy(out[start:], header[:n])
	return out, nil
}

// sortElements puts the DER elements in b, count of them, in the order of a
// SET OF.
func sortElements(b []byte, count int) {
	content := bytes.Clone(b)
	parts := make([][]byte, 0, count)
	for r := (Reader{rest: content}); !r.Empty(); {
		part, err := r.Next()
		if err != nil {
			return // just written, so it reads
		}
		parts = append(parts, part.Raw)
	}
	slices.SortFunc(parts, bytes.Compare)
	for _, part := range parts {
		b = b[copy(b, part):]
	}
}

// appendHeaderOf keeps the identifier octets of e, which may be several, and
// writes the definite length n.
func appendHeaderOf(out []byte, e Element, n int) []byte {
	if e.Tag&highNumber != highNumber {
		return appendHeader(out, e.Tag, n)
	}
	last := 1
	for e.Raw[last]&0x80 != 0 {
		last++
	}
	return appendHeader(append(out, e.Raw[:last]...), e.Raw[last], n)
}
