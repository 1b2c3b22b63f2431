package cert

import (
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"

	"imzo/pki/ber"
)

// maxNameText bounds the text of [ParseName]; the longest names of real
// certificates have under 1 KiB.
const maxNameText = 64 << 10

// ParseName reads a name as BouncyCastle's BCStyle does, and so what
// [Name.String] prints: "CN=...,1.2.860.3.16.1.2=...". Symbols may have any
// case (also SN for SERIALNUMBER, EMAILADDRESS for E, and the prefix "OID."),
// spaces around them and around values do not count, "+" joins the attributes
// of one part, a value may be quoted, "\" escapes a character or gives an
// octet as two hex digits, and "#" starts the hex of an encoded value. The
// order is kept, but for the attributes of one part, which DER sorts.
//
// C, SERIALNUMBER, DN and TelephoneNumber become PrintableString, E and DC
// IA5String, all else UTF8String; text that its type cannot hold becomes
// UTF8String too. An empty text is the empty name. Errors wrap [ErrName].
func ParseName(s string) (Name, error) {
	if len(s) > maxNameText {
		return Name{}, fmt.Errorf("%w: text of %d octets", ErrName, len(s))
	}
	if !utf8.ValidString(s) {
		return Name{}, fmt.Errorf("%w: not UTF-8", ErrName)
	}
	var rdns [][]Attribute
	p := nameParser{rest: s}
	p.skipSpaces()
	for more := p.rest != ""; more; {
		var rdn []Attribute
		var end byte = '+'
		for end == '+' {
			a, next, err := p.attribute()
			if err != nil {
				return Name{}, fmt.Errorf("%w: %w", ErrName, err)
			}
			rdn, end = append(rdn, a), next
		}
		rdns = append(rdns, rdn)
		more = end == ','
	}
	return encodeName(rdns)
}

// NewName returns a name of the attributes, each a part of its own. Only
// Type and Value of an attribute are used; the value is plain text.
func NewName(attributes ...Attribute) (Name, error) {
	rdns := make([][]Attribute, len(attributes))
	for i, a := range attributes {
		if !utf8.ValidString(a.Value) {
			return Name{}, fmt.Errorf("%w: value of %s is not UTF-8", ErrName, attributeSymbol(a.Type))
		}
		if _, err := ber.ParseOID(a.Type.String()); err != nil {
			return Name{}, fmt.Errorf("%w: attribute type: %w", ErrName, err)
		}
		rdns[i] = []Attribute{textAttribute(a.Type, a.Value)}
	}
	return encodeName(rdns)
}

func encodeName(rdns [][]Attribute) (Name, error) {
	parts := make([][]byte, len(rdns))
	for i, rdn := range rdns {
		attrs := make([][]byte, len(rdn))
		for j, a := range rdn {
			attrs[j] = ber.Sequence(a.Type.DER(), a.Raw.Raw)
		}
		parts[i] = ber.SetOf(attrs...)
	}
	e, err := ber.Parse(ber.Sequence(parts...))
	if err != nil {
		return Name{}, fmt.Errorf("%w: %w", ErrName, err)
	}
	n, err := ParseNameElement(e)
	if err != nil {
		return Name{}, fmt.Errorf("%w: %w", ErrName, err)
	}
	return n, nil
}

// textAttribute encodes text in the string type of the attribute's kind.
func textAttribute(oid ber.OID, text string) Attribute {
	var der []byte
	switch oid {
	case oidCountry, oidSerialNumber, oidDNQualifier, oidTelephoneNumber:
		if isPrintable(text) {
			der = ber.PrintableString(text)
		}
	case oidEmailAddress, oidDomainComponent:
		if isASCII(text) {
			der = ber.IA5String(text)
		}
	}
	if der == nil {
		der = ber.UTF8String(text)
	}
	e, _, _ := ber.ParsePrefix(der) // just encoded
	return Attribute{Type: oid, Value: text, Raw: e}
}

func isPrintable(s string) bool {
	return strings.TrimLeft(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 '()+,-./:=?") == ""
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

type nameParser struct{ rest string }

func (p *nameParser) skipSpaces() { p.rest = strings.TrimLeft(p.rest, " ") }

// attribute reads "type=value" and the separator behind it: ',', '+', or 0 at
// the end of the text.
func (p *nameParser) attribute() (Attribute, byte, error) {
	symbol, _, found := strings.Cut(p.rest, "=")
	if !found {
		return Attribute{}, 0, fmt.Errorf("no \"=\" in %q", clip(p.rest))
	}
	p.rest = p.rest[len(symbol)+1:]
	oid, err := attributeType(strings.TrimSpace(symbol))
	if err != nil {
		return Attribute{}, 0, fmt.Errorf("unknown attribute %q", clip(strings.TrimSpace(symbol)))
	}
	p.skipSpaces()
	if strings.HasPrefix(p.rest, "#") {
		return p.encoded(oid)
	}
	text, end, err := p.text()
	if err != nil {
		return Attribute{}, 0, fmt.Errorf("%s: %w", attributeSymbol(oid), err)
	}
	return textAttribute(oid, text), end, nil
}

// encoded reads a value given as the hex of its encoding.
func (p *nameParser) encoded(oid ber.OID) (Attribute, byte, error) {
	digits := p.rest[1:]
	p.rest = ""
	var end byte
	if i := strings.IndexAny(digits, ",+"); i >= 0 {
		digits, end, p.rest = digits[:i], digits[i], digits[i+1:]
		p.skipSpaces()
	}
	der, err := hex.DecodeString(strings.TrimSpace(digits))
	if err != nil {
		return Attribute{}, 0, fmt.Errorf("%s: bad hex after #", attributeSymbol(oid))
	}
	e, err := ber.Parse(der)
	if err != nil {
		return Attribute{}, 0, fmt.Errorf("%s: %w", attributeSymbol(oid), err)
	}
	return Attribute{Type: oid, Value: valueText(e), Raw: e}, end, nil
}

// text reads an escaped or quoted value up to its separator, which it
// consumes.
func (p *nameParser) text() (text string, end byte, err error) {
	var b []byte
	keep := 0 // b[:keep] is not trimmed at the end
	quoted := false
	s := p.rest
	i := 0
loop:
	for ; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			i++
			if i == len(s) {
				return "", 0, fmt.Errorf("backslash at the end")
			}
			if i+1 < len(s) && isHex(s[i]) && isHex(s[i+1]) {
				octet, _ := hex.DecodeString(s[i : i+2]) // two hex digits
				b = append(b, octet[0])
				i++
			} else {
				b = append(b, s[i])
			}
			keep = len(b)
		case c == '"':
			quoted = !quoted
			keep = len(b)
		case !quoted && (c == ',' || c == '+'):
			end = c
			i++
			break loop
		default:
			b = append(b, c)
			if quoted || c != ' ' {
				keep = len(b)
			}
		}
	}
	if quoted {
		return "", 0, fmt.Errorf("quotation mark without its pair")
	}
	p.rest = s[i:]
	if end != 0 {
		p.skipSpaces()
	}
	b = b[:keep]
	if !utf8.Valid(b) {
		return "", 0, fmt.Errorf("escaped octets are not UTF-8")
	}
	return string(b), end, nil
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// clip keeps error texts short.
func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}
