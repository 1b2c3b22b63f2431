package gost341194

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"testing"
	"unicode/utf16"

	"imzo/gost/gost28147"
)

// The key files of E-IMZO stretch passwords with this hash and encrypt with
// GOST 28147-89 in simple substitution under the same S-box.

// sumOf hashes the parts, one after the other.
func sumOf(h hash.Hash, parts ...[]byte) []byte {
	h.Reset()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

func upTo32(from byte) []byte {
	b := make([]byte, 32)
	for i := range b {
		b[i] = from + byte(i)
	}
	return b
}

func TestKeyFilesOfEIMZO(t *testing.T) {
	const password = "Abc12345"
	for name, h := range map[string]hash.Hash{"with tables": New(), "constant time": NewConstantTime()} {
		check := func(what string, got []byte, want string) {
			t.Helper()
			if hex.EncodeToString(got) != want {
				t.Errorf("%s: %s: %x, want %s", name, what, got, want)
			}
		}
		// YTKS: UTF-16 without terminator; 1000 rounds over password and salt.
		var utf16be []byte
		for _, u := range utf16.Encode([]rune(password)) {
			utf16be = binary.BigEndian.AppendUint16(utf16be, u)
		}
		salt := upTo32(0)
		key := sumOf(h, utf16be, salt)
		for range 999 {
			key = sumOf(h, utf16be, salt, key)
		}
		check("key of a YTKS store", key, "718133a66b881e32c205f28f4e3421fd03b8e1581e424a45cbcc3b60ad943700")
		empty := []byte{0xfe, 0xed, 0xbe, 0xef, 0, 0, 0, 2, 0, 0, 0, 0}
		check("end of an empty YTKS store", sumOf(h, utf16be, []byte("The IT Crowd"), empty),
			"cdaa750dc0f60603fe86468cad4303130cc361b989f4e4ab6d2e6dc68c3c4011")

		// QR: the private key and its hash, encrypted without padding.
		key = sumOf(h, []byte(password))
		for range 999 {
			key = sumOf(h, key)
		}
		check("key of a QR code", key, "9ea15638302d853d70fb14a1884be0c3ef706b51c791a848c5772fb7fcc8d3d6")
		c, err := gost28147.NewCipher(key, gost28147.SBoxHashCryptoPro())
		if err != nil {
			t.Fatal(err)
		}
		d := upTo32(1)
		payload := bytes.Join([][]byte{d, sumOf(h, d)}, nil)
		if err := c.EncryptECB(payload, payload); err != nil {
			t.Fatal(err)
		}
		check("payload of a QR code", payload, "fe69b6e06c5102dedcef472f6e08b141c55939f12d8d7660a312709a7cad6efd"+
			"a00892c41a8a14b3fc62957f0c6455f58809de3acbcc98ac4c8595809bc6f460")
	}
}
