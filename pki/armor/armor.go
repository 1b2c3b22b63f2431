package armor

import (
	"bytes"
	"errors"
	"fmt"
)

// ErrEncoding is wrapped by every error of this package.
var ErrEncoding = errors.New("invalid text encoding")

func encodingErrorf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrEncoding, fmt.Sprintf(format, args...))
}

const (
	pemBegin = "-----BEGIN "
	pemEnd   = "-----END "
	pemDash  = "-----"
)

// Decode returns the octets that text stands for: text itself when it is
// binary DER or BER (a SEQUENCE holding any octet that no text has), the body
// of the one PEM block it consists of, or its base64 decoded. The result
// aliases text only in the first case. An empty text is an error.
func Decode(text []byte) ([]byte, error) { return decodeAny(text, DecodeBase64) }

// DecodeInPlace is [Decode] for text that nobody needs any more: its memory is
// overwritten, whatever comes of it, and the result may alias it.
func DecodeInPlace(text []byte) ([]byte, error) { return decodeAny(text, DecodeBase64InPlace) }

func decodeAny(text []byte, decodeBase64 func([]byte) ([]byte, error)) ([]byte, error) {
	if isBinary(text) {
		return text, nil
	}
	trimmed := bytes.TrimFunc(text, isSpace)
	if len(trimmed) == 0 {
		return nil, encodingErrorf("nothing in it")
	}
	if bytes.HasPrefix(trimmed, []byte(pemBegin[:len(pemDash)+5])) {
		return decodePEM(trimmed)
	}
	return decodeBase64(trimmed)
}

// isBinary tells DER from text. Every document, certificate and key starts
// with SEQUENCE, and none is without an octet outside printable ASCII: its
// object identifiers alone bring several. The character '0' is a SEQUENCE tag
// too, so the first octet does not decide by itself.
func isBinary(b []byte) bool {
	const sequence = 0x30
	if len(b) == 0 || b[0] != sequence {
		return false
	}
	for _, c := range b {
		if c >= 0x7f || c < 0x20 && !isSpace(rune(c)) {
			return true
		}
	}
	return false
}

func isSpace(c rune) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// decodePEM reads exactly one block; text before, after or beside the base64
// (RFC 1421 headers) is not part of any signed document and refused.
func decodePEM(text []byte) ([]byte, error) {
	if bytes.IndexByte(text, '%') >= 0 {
		var err error
		if text, err = unescape(text); err != nil {
			return nil, err
		}
		text = bytes.TrimFunc(text, isSpace)
	}
	rest, ok := bytes.CutPrefix(text, []byte(pemBegin))
	if !ok {
		return nil, encodingErrorf("bad first line of PEM")
	}
	label, rest, ok := bytes.Cut(rest, []byte(pemDash))
	if !ok || bytes.ContainsAny(label, "\r\n") {
		return nil, encodingErrorf("bad first line of PEM")
	}
	body, last, ok := bytes.Cut(rest, []byte(pemEnd))
	if !ok {
		return nil, encodingErrorf("PEM without its last line")
	}
	if !bytes.Equal(last, append(bytes.Clone(label), pemDash...)) {
		return nil, encodingErrorf("bad last line of PEM")
	}
	return decode(make([]byte, 0, len(body)/4*3+8), body, false)
}

// unescape undoes one layer of percent-encoding (RFC 3986 2.1). A plus sign
// stays one: in base64 it is a digit.
func unescape(text []byte) ([]byte, error) {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '%' {
			var err error
			if c, err = escaped(text, i); err != nil {
				return nil, err
			}
			i += 2
		}
		out = append(out, c)
	}
	return out, nil
}

// escaped reads the percent-encoded octet at text[i].
func escaped(text []byte, i int) (byte, error) {
	if i+2 < len(text) {
		hi, lo := hexDigit(text[i+1]), hexDigit(text[i+2])
		if hi >= 0 && lo >= 0 {
			return byte(hi<<4 | lo), nil
		}
	}
	return 0, encodingErrorf("bad percent-encoding at offset %d", i)
}

func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
