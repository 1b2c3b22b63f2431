package armor

import "encoding/binary"

// What digits says of a character: its value in base64 or, above those, its
// class; and in bits of their own the alphabet that it alone belongs to.
const (
	digitLimit = 0x40 // values are below
	digitSpace = 0x40
	digitPad   = 0x41
	digitBad   = 0x42
	digitMask  = 0xff

	standardOnly = 0x100 // '+' and '/' of RFC 4648 4
	urlSafeOnly  = 0x200 // '-' and '_' of RFC 4648 5
)

var digits = func() (t [256]uint16) {
	for i := range t {
		t[i] = digitBad
	}
	for i := range uint16(26) {
		t['A'+i], t['a'+i] = i, 26+i
	}
	for i := range uint16(10) {
		t['0'+i] = 52 + i
	}
	t['+'], t['/'] = 62|standardOnly, 63|standardOnly
	t['-'], t['_'] = 62|urlSafeOnly, 63|urlSafeOnly
	t[' '], t['\t'], t['\r'], t['\n'] = digitSpace, digitSpace, digitSpace, digitSpace
	t['='] = digitPad
	return t
}()

// groups are the digits once more, each shifted to its place among four, so
// that four look-ups give three octets; above them stand the alphabets, and
// groupBad for what is no digit.
var groups = func() (t [4][256]uint32) {
	for place := range t {
		for c, v := range digits {
			if v&digitMask >= digitLimit {
				t[place][c] = groupBad
				continue
			}
			t[place][c] = uint32(v&0x3f)<<(18-6*place) | uint32(v&^digitMask)<<16
		}
	}
	return t
}()

const (
	groupOctets = 1<<24 - 1
	groupBad    = 1 << 31
)

// DecodeBase64 returns the octets of base64 text in new memory, with the
// tolerances the package names and no others. Unlike [Decode] it never takes
// the text for DER or PEM. An empty text gives no octets, not nil.
func DecodeBase64(text []byte) ([]byte, error) {
	return decode(make([]byte, 0, len(text)/4*3+8), text, true)
}

// DecodeBase64InPlace is [DecodeBase64] into the memory of text, which is
// overwritten whatever comes of it.
func DecodeBase64InPlace(text []byte) ([]byte, error) {
	if text == nil {
		text = []byte{}
	}
	return decode(text[:0:len(text)], text, true)
}

// decode walks text once and appends to out as it goes, so that a document of
// a hundred megabytes costs its own size and no more. out may be the memory of
// text: what is written has been read before.
func decode(out, text []byte, percent bool) ([]byte, error) {
	var (
		group uint32 // digits of the current four
		count int    // how many
		pads  int
		seen  uint16 // alphabets
	)
	for i := 0; i < len(text); i++ {
		if count == 0 && pads == 0 {
			n, alphabets := decodeGroups(out[len(out):cap(out)], text[i:])
			out, i, seen = out[:len(out)+n/4*3], i+n, seen|alphabets
		}
		// What is left of whole groups at the end of a line.
		for count == 0 && pads == 0 && i+4 <= len(text) {
			a, b, c, d := digits[text[i]], digits[text[i+1]], digits[text[i+2]], digits[text[i+3]]
			all := a | b | c | d
			if all&digitMask >= digitLimit {
				break
			}
			seen |= all
			v := uint32(a&0x3f)<<18 | uint32(b&0x3f)<<12 | uint32(c&0x3f)<<6 | uint32(d&0x3f)
			out = append(out, byte(v>>16), byte(v>>8), byte(v))
			i += 4
		}
		if i == len(text) {
			break
		}
		c, at := text[i], i
		if c == '%' && percent {
			var err error
			if c, err = escaped(text, i); err != nil {
				return nil, err
			}
			i += 2
		}
		switch v := digits[c]; {
		case v == digitSpace:
		case v == digitPad:
			pads++
		case v == digitBad:
			return nil, encodingErrorf("character %#02x at offset %d is no base64", c, at)
		case pads > 0:
			return nil, encodingErrorf("base64 goes on after its padding at offset %d", at)
		default:
			seen |= v
			group = group<<6 | uint32(v&0x3f)
			if count++; count == 4 {
				out = append(out, byte(group>>16), byte(group>>8), byte(group))
				group, count = 0, 0
			}
		}
	}
	if seen&standardOnly != 0 && seen&urlSafeOnly != 0 {
		return nil, encodingErrorf("two alphabets of base64 mixed")
	}
	return finish(out, group, count, pads)
}

// decodeGroups decodes groups of digits, two at a time, for as long as there
// are only such, and returns how many characters that were.
func decodeGroups(out, text []byte) (n int, alphabets uint16) {
	var seen uint32
	for len(text) >= 8 && len(out) >= 8 {
		first := groups[0][text[0]] | groups[1][text[1]] | groups[2][text[2]] | groups[3][text[3]]
		second := groups[0][text[4]] | groups[1][text[5]] | groups[2][text[6]] | groups[3][text[7]]
		if (first|second)&groupBad != 0 {
			break
		}
		seen |= first | second
		// Eight octets are written and six count; in place the two beyond
		// them are of these eight characters still.
		binary.BigEndian.PutUint64(out, uint64(first&groupOctets)<<40|uint64(second&groupOctets)<<16)
		text, out = text[8:], out[6:]
		n += 8
	}
	return n, uint16(seen >> 16 &^ digitMask)
}

// finish adds the octets of the last, incomplete group.
func finish(out []byte, group uint32, count, pads int) ([]byte, error) {
	if pads != 0 && (count < 2 || count+pads != 4) {
		return nil, encodingErrorf("wrong padding of base64")
	}
	unused := uint32(0)
	switch count {
	case 1:
		return nil, encodingErrorf("base64 cut short")
	case 2:
		out = append(out, byte(group>>4))
		unused = group & 0xf
	case 3:
		out = append(out, byte(group>>10), byte(group>>2))
		unused = group & 0x3
	}
	if unused != 0 {
		return nil, encodingErrorf("bits left over at the end of base64")
	}
	return out, nil
}
