package agent

import (
	"encoding/hex"
	"strings"

	"imzo/pki/armor"
)

// decode reads base64 of a page.
func decode(s string) ([]byte, error) {
	b, err := armor.DecodeBase64([]byte(s))
	if err != nil {
		return nil, fail(codeOther, textReasonNotBase64, err)
	}
	return b, nil
}

// decodeHex reads hexadecimal digits of either case.
func decodeHex(s string) ([]byte, error) {
	b, err := hex.DecodeString(strings.TrimSpace(s))
	if err != nil {
		return nil, fail(codeOther, textReasonNotHex)
	}
	return b, nil
}

// equalHex compares serial numbers as text: case and leading zeros are no
// difference.
func equalHex(a, b string) bool {
	trim := func(s string) string { return strings.TrimLeft(strings.ToLower(strings.TrimSpace(s)), "0") }
	return trim(a) == trim(b)
}
