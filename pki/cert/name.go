package cert

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"imzo/pki/ber"
)

// ErrName is wrapped by the errors of [ParseName] and [NewName].
var ErrName = errors.New("invalid name")

// Name is an X.501 distinguished name (RFC 5280 4.1.2.4). The zero Name is
// not encodable; an empty name has Raw 30 00.
type Name struct {
	// Raw is the DER (or BER) of the name as it was read.
	Raw []byte
	// RDNs holds the relative names in the order of the encoding, which is
	// the order they print in; normally each has one attribute.
	RDNs [][]Attribute
}

// Attribute is one attribute of a name.
type Attribute struct {
	Type ber.OID
	// Value is the text of a UTF8String, PrintableString, IA5String,
	// T61String, BMPString, NumericString, VisibleString or GeneralString.
	// Any other value, and text that cannot be decoded, is "#" followed by
	// the hex of its encoding.
	Value string
	// Raw is the value as it is encoded.
	Raw ber.Element
}

// ParseNameElement reads a Name of at most 16 KiB from its element.
func ParseNameElement(e ber.Element) (Name, error) {
	n := Name{Raw: e.Raw}
	if e.Tag != ber.TagSequence {
		return Name{}, fmt.Errorf("%w: tag %#02x is no Name", ErrSyntax, e.Tag)
	}
	if len(e.Raw) > maxName {
		return Name{}, fmt.Errorf("%w: name of %d octets", ErrSyntax, len(e.Raw))
	}
	count := 0
	for rdns := e.Children(); !rdns.Empty(); {
		set, err := rdns.Read(ber.TagSet)
		if err != nil {
			return Name{}, fmt.Errorf("name: %w", err)
		}
		var rdn []Attribute
		for attrs := set.Children(); !attrs.Empty(); {
			a, err := parseAttribute(&attrs)
			if err != nil {
				return Name{}, fmt.Errorf("name: %w", err)
			}
			if count++; count > maxAttributes {
				return Name{}, fmt.Errorf("%w: name of more than %d attributes", ErrSyntax, maxAttributes)
			}
			rdn = append(rdn, a)
		}
		if len(rdn) == 0 {
			return Name{}, fmt.Errorf("%w: name with an empty part", ErrSyntax)
		}
		n.RDNs = append(n.RDNs, rdn)
	}
	return n, nil
}

func parseAttribute(r *ber.Reader) (Attribute, error) {
	seq, err := r.Read(ber.TagSequence)
	if err != nil {
		return Attribute{}, err
	}
	fields := seq.Children()
	typ, err := fields.Read(ber.TagOID)
	if err != nil {
		return Attribute{}, err
	}
	oid, err := typ.OID()
	if err != nil {
		return Attribute{}, err
	}
	value, err := fields.Next()
	if err != nil {
		return Attribute{}, err
	}
	return Attribute{Type: oid, Value: valueText(value), Raw: value}, fields.Done()
}

// isText tells whether BouncyCastle prints a value of this type as text.
// UniversalString is a string type that it prints as hex.
func isText(e ber.Element) bool {
	if e.Tag == ber.TagUniversalString {
		return false
	}
	_, err := e.Text()
	return err == nil
}

func valueText(e ber.Element) string {
	if isText(e) {
		s, _ := e.Text() // isText has just read it
		return s
	}
	return "#" + hex.EncodeToString(e.Raw)
}

// String returns the name as BouncyCastle prints it: the parts in the order
// of the certificate, "SYMBOL=value", joined by "," without a space, "+"
// within a multi-valued part, an attribute type without a symbol as dotted
// OID, and , " \ + = < > ; escaped by a backslash, as are "#" at the start
// and spaces at both ends.
func (n Name) String() string {
	var b strings.Builder
	for i, rdn := range n.RDNs {
		if i > 0 {
			b.WriteByte(',')
		}
		for j, a := range rdn {
			if j > 0 {
				b.WriteByte('+')
			}
			b.WriteString(attributeSymbol(a.Type))
			b.WriteByte('=')
			if isText(a.Raw) {
				writeEscaped(&b, a.Value)
			} else {
				b.WriteString(a.Value)
			}
		}
	}
	return b.String()
}

func writeEscaped(b *strings.Builder, s string) {
	body := strings.TrimRight(s, " ")
	leading := true
	for i, r := range body {
		switch {
		case r == ' ' && leading,
			r == '#' && i == 0,
			strings.ContainsRune(`,"\+=<>;`, r):
			b.WriteByte('\\')
		}
		leading = leading && r == ' '
		b.WriteRune(r)
	}
	for range len(s) - len(body) {
		b.WriteString(`\ `)
	}
}

// Map returns the values by the symbols that [Name.String] prints, unescaped.
// Of an attribute that occurs more than once the first value is taken, as
// sites do that read the printed name.
func (n Name) Map() map[string]string {
	m := make(map[string]string, len(n.RDNs))
	for _, rdn := range n.RDNs {
		for _, a := range rdn {
			symbol := attributeSymbol(a.Type)
			if _, ok := m[symbol]; !ok {
				m[symbol] = a.Value
			}
		}
	}
	return m
}

// Get returns the first value of the attribute with this symbol (in any
// case) or dotted OID, "" when there is none.
func (n Name) Get(symbolOrOID string) string {
	oid, err := attributeType(symbolOrOID)
	if err != nil {
		return ""
	}
	for _, rdn := range n.RDNs {
		for _, a := range rdn {
			if a.Type == oid {
				return a.Value
			}
		}
	}
	return ""
}

// Empty tells whether the name has no attribute.
func (n Name) Empty() bool { return len(n.RDNs) == 0 }

// Equal compares two names by RFC 5280 7.1: attribute by attribute, text
// without regard to its string type, to case and to the amount of white
// space, other values octet by octet, the attributes of a multi-valued part
// in any order. Composed and decomposed forms of one letter (NFKC) are not
// unified: a CA writes its name one way.
func (n Name) Equal(o Name) bool {
	if bytes.Equal(n.Raw, o.Raw) {
		return true
	}
	return len(n.RDNs) == len(o.RDNs) && n.hasPrefix(o)
}

// hasPrefix tells whether n lies in the subtree o (RFC 5280 4.2.1.10).
func (n Name) hasPrefix(o Name) bool {
	if len(n.RDNs) < len(o.RDNs) {
		return false
	}
	for i, rdn := range o.RDNs {
		if canonicalRDN(n.RDNs[i]) != canonicalRDN(rdn) {
			return false
		}
	}
	return true
}

// canonical returns a string that is the same for equal names and no others,
// so that names can be keys of a map.
func (n Name) canonical() string {
	var b []byte
	for _, rdn := range n.RDNs {
		b = appendCounted(b, canonicalRDN(rdn))
	}
	return string(b)
}

func canonicalRDN(rdn []Attribute) string {
	keys := make([]string, len(rdn))
	for i, a := range rdn {
		keys[i] = string(appendCounted(nil, string(a.Type))) + canonicalValue(a)
	}
	if len(keys) == 1 {
		return keys[0]
	}
	slices.Sort(keys)
	var b []byte
	for _, k := range keys {
		b = appendCounted(b, k)
	}
	return string(b)
}

func appendCounted(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// canonicalValue returns the same string for values that RFC 5280 7.1 calls
// equal. Its first octet keeps text and other values apart.
func canonicalValue(a Attribute) string {
	if !isText(a.Raw) {
		return "#" + string(a.Raw.Raw)
	}
	var b strings.Builder
	b.WriteByte('t')
	for i, word := range strings.FieldsFunc(a.Value, unicode.IsSpace) {
		if i > 0 {
			b.WriteByte(' ')
		}
		for _, r := range word {
			b.WriteRune(foldCase(r))
		}
	}
	return b.String()
}

// foldCase returns one representative of all the cases of a letter.
func foldCase(r rune) rune {
	if r < 0x80 {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		// K and S have a third case each outside ASCII, which folds to
		// the upper case letter below and would miss the lower one here.
		if r != 'k' && r != 's' {
			return r
		}
	}
	least := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		least = min(least, f)
	}
	return least
}
