package ber

import (
	"bytes"
	"encoding/binary"
	"math/big"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// maxInteger bounds INTEGERs: the modulus of the largest RSA key in use has
// 2 KiB, and arithmetic on more is slow out of proportion.
const maxInteger = 4 << 10

func (e Element) expect(tag byte) error {
	if e.Tag != tag {
		return syntaxErrorf("tag %#02x where %#02x belongs", e.Tag, tag)
	}
	return nil
}

// Bool reads a BOOLEAN. Any non-zero octet is TRUE: the CA certificates of
// Uzbekistan hold 0x01, which DER forbids.
func (e Element) Bool() (bool, error) {
	if err := e.expect(TagBoolean); err != nil {
		return false, err
	}
	if len(e.Content) != 1 {
		return false, syntaxErrorf("BOOLEAN of %d octets", len(e.Content))
	}
	return e.Content[0] != 0, nil
}

// IsNull tells whether e is exactly NULL.
func (e Element) IsNull() bool { return e.Tag == TagNull && len(e.Content) == 0 }

// Int reads an INTEGER or ENUMERATED of at most 4 KiB, minimally encoded.
func (e Element) Int() (*big.Int, error) {
	c, err := e.integer()
	if err != nil {
		return nil, err
	}
	v := new(big.Int).SetBytes(c)
	if c[0]&0x80 != 0 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(len(c))*8))
	}
	return v, nil
}

// Int64 reads an INTEGER or ENUMERATED that fits 64 bits.
func (e Element) Int64() (int64, error) {
	c, err := e.integer()
	if err != nil {
		return 0, err
	}
	if len(c) > 8 {
		return 0, syntaxErrorf("INTEGER of %d octets where a small one belongs", len(c))
	}
	v := int64(int8(c[0]))
	for _, b := range c[1:] {
		v = v<<8 | int64(b)
	}
	return v, nil
}

func (e Element) integer() ([]byte, error) {
	if e.Tag != TagInteger && e.Tag != TagEnumerated {
		return nil, e.expect(TagInteger)
	}
	c := e.Content
	switch {
	case len(c) == 0:
		return nil, syntaxErrorf("empty INTEGER")
	case len(c) > maxInteger:
		return nil, syntaxErrorf("INTEGER of %d octets", len(c))
	case len(c) > 1 && (c[0] == 0 && c[1]&0x80 == 0 || c[0] == 0xff && c[1]&0x80 != 0):
		return nil, syntaxErrorf("INTEGER is not minimal")
	}
	return c, nil
}

// OID reads an OBJECT IDENTIFIER.
func (e Element) OID() (OID, error) {
	if err := e.expect(TagOID); err != nil {
		return "", err
	}
	if o, ok := common[string(e.Content)]; ok {
		return o, nil
	}
	o := OID(e.Content)
	if err := o.check(); err != nil {
		return "", err
	}
	return o, nil
}

// BitString reads a BIT STRING, primitive or constructed, and returns its
// octets with the number of unused bits in the last one.
func (e Element) BitString() (bits []byte, unused int, err error) {
	if e.Tag == TagBitString {
		c := e.Content
		if len(c) == 0 || c[0] > 7 || len(c) == 1 && c[0] != 0 {
			return nil, 0, syntaxErrorf("bad BIT STRING")
		}
		return c[1:], int(c[0]), nil
	}
	if err := e.expect(TagBitString | constructedBit); err != nil {
		return nil, 0, err
	}
	for r := e.Children(); !r.Empty(); {
		if unused != 0 {
			return nil, 0, syntaxErrorf("unused bits inside a BIT STRING")
		}
		part, err := r.Read(TagBitString)
		if err != nil {
			return nil, 0, err
		}
		var b []byte
		if b, unused, err = part.BitString(); err != nil {
			return nil, 0, err
		}
		bits = append(bits, b...)
	}
	return bits, unused, nil
}

// OctetString reads an OCTET STRING, also one under a context-specific
// implicit tag. A primitive one is returned as a view of the input, the
// segments of a constructed one are joined into new memory.
func (e Element) OctetString() ([]byte, error) {
	var first []byte
	n, size := 0, 0
	if err := e.Segments(func(b []byte) bool {
		if n == 0 {
			first = b
		}
		n, size = n+1, size+len(b)
		return true
	}); err != nil {
		return nil, err
	}
	if n <= 1 {
		return first, nil
	}
	joined := make([]byte, 0, size)
	err := e.Segments(func(b []byte) bool {
		joined = append(joined, b...)
		return true
	})
	return joined, err
}

// Segments hands the segments of an OCTET STRING to yield in order, without
// copying, until it returns false. A primitive string is one segment.
func (e Element) Segments(yield func([]byte) bool) error {
	if tag := e.Tag &^ constructedBit; tag != TagOctetString && tag&0xc0 != 0x80 {
		return e.expect(TagOctetString)
	}
	_, err := e.segments(yield)
	return err
}

// segments recurses no deeper than the walk of Parse allowed.
func (e Element) segments(yield func([]byte) bool) (goOn bool, err error) {
	if !e.Constructed() {
		return yield(e.Content), nil
	}
	for r := e.Children(); !r.Empty(); {
		part, err := r.Read(TagOctetString)
		if err != nil {
			return false, err
		}
		if goOn, err = part.segments(yield); !goOn || err != nil {
			return goOn, err
		}
	}
	return true, nil
}

// Text reads any of the ASN.1 character string types as UTF-8. T61String is
// taken as Latin-1, as every other implementation does.
func (e Element) Text() (string, error) {
	c := e.Content
	switch e.Tag {
	case TagUTF8String:
		if !utf8.Valid(c) {
			return "", syntaxErrorf("bad UTF8String")
		}
		return string(c), nil
	case TagNumericString, TagPrintableString, TagIA5String, TagVisibleString, TagGeneralString:
		for _, b := range c {
			if b >= 0x80 {
				return "", syntaxErrorf("bad character in a string")
			}
		}
		return string(c), nil
	case TagT61String:
		out := make([]rune, len(c))
		for i, b := range c {
			out[i] = rune(b)
		}
		return string(out), nil
	case TagBMPString:
		if len(c)%2 != 0 {
			return "", syntaxErrorf("bad BMPString")
		}
		units := make([]uint16, len(c)/2)
		for i := range units {
			units[i] = binary.BigEndian.Uint16(c[2*i:])
		}
		return string(utf16.Decode(units)), nil
	case TagUniversalString:
		if len(c)%4 != 0 {
			return "", syntaxErrorf("bad UniversalString")
		}
		out := make([]rune, len(c)/4)
		for i := range out {
			v := binary.BigEndian.Uint32(c[4*i:])
			if v > utf8.MaxRune {
				return "", syntaxErrorf("bad UniversalString")
			}
			out[i] = rune(v)
		}
		return string(out), nil
	}
	return "", syntaxErrorf("tag %#02x is no character string", e.Tag)
}

// Time reads a UTCTime (years 1950 to 2049, RFC 5280 4.1.2.5.1) or a
// GeneralizedTime, with or without seconds, fractions and offset, and returns
// it in UTC. A GeneralizedTime in local time without offset is refused: it
// names no instant.
func (e Element) Time() (time.Time, error) {
	s := e.Content
	var year int
	bad := func() (time.Time, error) { return time.Time{}, syntaxErrorf("bad time") }
	digits := func(n int) (int, bool) {
		if len(s) < n {
			return 0, false
		}
		v := 0
		for _, c := range s[:n] {
			if c < '0' || c > '9' {
				return 0, false
			}
			v = v*10 + int(c-'0')
		}
		s = s[n:]
		return v, true
	}
	var ok bool
	switch e.Tag {
	case TagUTCTime:
		if year, ok = digits(2); !ok {
			return bad()
		}
		if year += 1900; year < 1950 {
			year += 100
		}
	case TagGeneralizedTime:
		if year, ok = digits(4); !ok {
			return bad()
		}
	default:
		return time.Time{}, syntaxErrorf("tag %#02x is no time", e.Tag)
	}
	month, ok1 := digits(2)
	day, ok2 := digits(2)
	hour, ok3 := digits(2)
	minute, ok4 := digits(2)
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return bad()
	}
	second, nanos := 0, 0
	if len(s) > 0 && s[0] >= '0' && s[0] <= '9' {
		if second, ok = digits(2); !ok {
			return bad()
		}
		if e.Tag == TagGeneralizedTime && len(s) > 0 && (s[0] == '.' || s[0] == ',') {
			s = s[1:]
			scale, n := 100_000_000, 0
			for ; len(s) > 0 && s[0] >= '0' && s[0] <= '9'; n++ {
				nanos += int(s[0]-'0') * scale // digits beyond nanoseconds add 0
				scale /= 10
				s = s[1:]
			}
			if n == 0 {
				return bad()
			}
		}
	}
	if month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59 {
		return bad()
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, nanos, time.UTC)
	if t.Day() != day {
		return bad() // 31 February
	}
	if bytes.Equal(s, []byte("Z")) {
		return t, nil
	}
	if len(s) != 5 || s[0] != '+' && s[0] != '-' {
		return bad()
	}
	east := s[0] == '+'
	s = s[1:]
	oh, ok1 := digits(2)
	om, ok2 := digits(2)
	if !ok1 || !ok2 || oh > 23 || om > 59 {
		return bad()
	}
	offset := time.Duration(oh)*time.Hour + time.Duration(om)*time.Minute
	if east {
		offset = -offset
	}
	// In UTC the offset may lead out of the years that have four digits, which
	// neither GeneralizedTime nor JSON can hold.
	if t = t.Add(offset); t.Year() < 0 || t.Year() > 9999 {
		return bad()
	}
	return t, nil
}
