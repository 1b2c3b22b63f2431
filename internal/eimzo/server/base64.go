package server

import (
	"encoding/base64"
	"encoding/binary"
)

// base64Pairs is the two characters of base64 that each twelve bits stand for,
// the first in the low octet.
var base64Pairs = func() (t [1 << 12]uint16) {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	for i := range t {
		t[i] = uint16(digits[i>>6]) | uint16(digits[i&0x3f])<<8
	}
	return t
}()

// encodeBase64 writes the base64 of src without padding to the begin of dst,
// which has room for it: half as fast again as encoding/base64, which is a
// tenth of the time that an answer with a large document takes.
func encodeBase64(dst, src []byte) {
	for len(src) >= 8 && len(dst) >= 8 {
		v := binary.BigEndian.Uint64(src) // of which six octets count
		binary.LittleEndian.PutUint64(dst, uint64(base64Pairs[v>>52])|uint64(base64Pairs[v>>40&0xfff])<<16|
			uint64(base64Pairs[v>>28&0xfff])<<32|uint64(base64Pairs[v>>16&0xfff])<<48)
		src, dst = src[6:], dst[8:]
	}
	base64.RawStdEncoding.Encode(dst, src)
}
