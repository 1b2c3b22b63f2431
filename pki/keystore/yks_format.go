package keystore

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"imzo/gost/gost341194"
)

// A YKS file has the frame of a Java key store (all numbers big-endian, texts
// as DataOutput.writeUTF writes them), with another magic number, another
// cipher for keys and another digest at its end:
//
//	magic, version, number of entries   4 octets each
//	entries, each:
//	  kind 1 (key) or 2 (trusted certificate)   4
//	  alias                                     text
//	  milliseconds since 1970                   8
//	  key: length 4, EncryptedPrivateKeyInfo; number of certificates 4, these
//	  certificate: the text "X.509", length 4, DER
//	digest                              32
const (
	yksMagic   = 0xfeedbeef
	yksVersion = 2

	yksKey     = 1
	yksTrusted = 2

	yksX509 = "X.509"
)

// yks is a store as it is written.
type yks struct {
	entries []yksEntry
	// body is what digest is over, both as they were read.
	body, digest []byte
}

// yksEntry is an entry of either kind; a trusted one has no key and one
// certificate.
type yksEntry struct {
	kind    int64
	alias   string
	created int64 // milliseconds since 1970
	key     []byte
	certs   [][]byte
}

// IsYKS tells by its first octets whether a file is a YKS file.
func IsYKS(data []byte) bool {
	return len(data) >= 4 && binary.BigEndian.Uint32(data) == yksMagic
}

// parseYKS takes a store apart. What it returns aliases data.
func parseYKS(data []byte) (*yks, error) {
	const what = "YKS file"
	if len(data) > maxFile {
		return nil, limitError(what, len(data))
	}
	if !IsYKS(data) {
		return nil, formatErrorf("no YKS file")
	}
	r := jksReader{rest: data[4:]}
	version, count := r.number(4), r.number(4)
	if !r.short && version != yksVersion {
		return nil, unsupportedf("version %d of a YKS file", version)
	}
	if count > maxBags {
		return nil, fmt.Errorf("%w: more than %d entries", ErrLimit, maxBags)
	}
	s := new(yks)
	for range count {
		e, err := parseYKSEntry(&r)
		if err != nil {
			return nil, err
		}
		s.entries = append(s.entries, e)
	}
	s.body = data[:len(data)-len(r.rest)]
	s.digest = r.take(gost341194.Size)
	if r.short || len(r.rest) > 0 {
		return nil, formatErrorf("a YKS file that is cut off, or goes on after its end")
	}
	return s, nil
}

func parseYKSEntry(r *jksReader) (yksEntry, error) {
	e := yksEntry{kind: r.number(4)}
	alias := r.take(r.number(2))
	if created := r.take(8); !r.short {
		e.created = int64(binary.BigEndian.Uint64(created))
	}
	count := int64(1)
	switch {
	case r.short:
		return e, formatErrorf("a YKS file that is cut off")
	case e.kind == yksKey:
		e.key = r.take(r.number(4))
		if count = r.number(4); count > maxChain {
			return e, fmt.Errorf("%w: a chain of more than %d certificates", ErrLimit, maxChain)
		}
	case e.kind != yksTrusted:
		return e, formatErrorf("entry of kind %d in a YKS file", e.kind)
	}
	if len(e.key) > maxKey {
		return e, limitError("private key", len(e.key))
	}
	var err error
	if e.alias, err = decodeModifiedUTF8(alias); err != nil {
		return e, err
	}
	for range count {
		kind := r.take(r.number(2))
		if !r.short && string(kind) != yksX509 {
			return e, unsupportedf("certificate of type %q", kind)
		}
		e.certs = append(e.certs, r.take(r.number(4)))
	}
	if r.short {
		return e, formatErrorf("a YKS file that is cut off")
	}
	return e, nil
}

// marshal writes the store with the digest for the password.
func (s *yks) marshal(pw []byte) ([]byte, error) {
	be := binary.BigEndian
	out := be.AppendUint32(nil, yksMagic)
	out = be.AppendUint32(out, yksVersion)
	out = be.AppendUint32(out, uint32(len(s.entries)))
	for _, e := range s.entries {
		alias, err := encodeModifiedUTF8(e.alias)
		if err != nil {
			return nil, err
		}
		out = be.AppendUint32(out, uint32(e.kind))
		out = append(be.AppendUint16(out, uint16(len(alias))), alias...)
		out = be.AppendUint64(out, uint64(e.created))
		if e.kind == yksKey {
			out = append(be.AppendUint32(out, uint32(len(e.key))), e.key...)
			out = be.AppendUint32(out, uint32(len(e.certs)))
		}
		for _, c := range e.certs {
			out = append(be.AppendUint16(out, uint16(len(yksX509))), yksX509...)
			out = append(be.AppendUint32(out, uint32(len(c))), c...)
		}
	}
	out = append(out, yksDigest(pw, out)...)
	if len(out) > maxFile {
		return nil, limitError("YKS file", len(out))
	}
	return out, nil
}

// encodeModifiedUTF8 encodes a text as Java's DataOutput.writeUTF: NUL in two
// octets, what lies beyond the first plane as its two UTF-16 surrogates, each
// in three.
func encodeModifiedUTF8(s string) ([]byte, error) {
	if !utf8.ValidString(s) {
		return nil, formatErrorf("alias that is not UTF-8")
	}
	var b []byte
	for _, r := range s {
		switch {
		case r == 0:
			b = append(b, 0xc0, 0x80)
		case r > 0xffff:
			for _, unit := range utf16.AppendRune(nil, r) {
				b = append(b, 0xe0|byte(unit>>12), 0x80|byte(unit>>6)&0xbf, 0x80|byte(unit)&0xbf)
			}
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	if len(b) > math.MaxUint16 {
		return nil, limitError("alias", len(b))
	}
	return b, nil
}

// decodeModifiedUTF8 reads what encodeModifiedUTF8 writes, and nothing else:
// half a surrogate pair is text for Java, and for nobody who has to show it.
func decodeModifiedUTF8(b []byte) (string, error) {
	bad := func() (string, error) { return "", formatErrorf("alias in no modified UTF-8") }
	var s strings.Builder
	for i := 0; i < len(b); {
		if len(b)-i >= 2 && b[i] == 0xc0 && b[i+1] == 0x80 {
			s.WriteByte(0)
			i += 2
			continue
		}
		if high, ok := surrogate(b[i:]); ok {
			low, ok := surrogate(b[i+3:])
			r := utf16.DecodeRune(high, low)
			if !ok || r == utf8.RuneError {
				return bad()
			}
			s.WriteRune(r)
			i += 6
			continue
		}
		r, size := utf8.DecodeRune(b[i:])
		if r == 0 || r > 0xffff || r == utf8.RuneError && size == 1 {
			return bad()
		}
		s.WriteRune(r)
		i += size
	}
	return s.String(), nil
}

// surrogate reads half a pair, which is no UTF-8, from the start of b.
func surrogate(b []byte) (rune, bool) {
	if len(b) < 3 || b[0] != 0xed || b[1] < 0xa0 || b[1] > 0xbf || b[2] < 0x80 || b[2] > 0xbf {
		return 0, false
	}
	return 0xd000 | rune(b[1]&0x3f)<<6 | rune(b[2]&0x3f), true
}
