package inspect

import (
	"fmt"
	"unicode"
	"unicode/utf8"

	"imzo/pki/ber"
)

// maxOpened is how many strings inside strings a plain tree opens: a key file
// has three (AuthenticatedSafe, SafeContents, a key that is not encrypted).
const maxOpened = 6

// hidden stands for what is part of a private key.
const hidden = "not shown: private key"

// ASN1 returns the plain ASN.1 trees of a file, in any text form that
// [Describe] reads.
func ASN1(data []byte) (*Node, error) {
	parts, err := split(data)
	if err != nil {
		return nil, err
	}
	return join(parts, func(p part) *Node {
		if p.opaque != "" {
			return &Node{Label: "contents", Value: p.opaque}
		}
		return asn1Tree(p.element, p.secret)
	}), nil
}

func asn1Tree(e ber.Element, secret bool) *Node {
	t := tree{left: maxNodes}
	return t.element(e, 0, secret)
}

// tree is one plain tree in the making.
type tree struct{ left int }

var tagNames = map[byte]string{
	ber.TagBoolean: "BOOLEAN", ber.TagInteger: "INTEGER", ber.TagBitString: "BIT STRING", ber.TagOctetString: "OCTET STRING",
	ber.TagNull: "NULL", ber.TagOID: "OBJECT IDENTIFIER", ber.TagEnumerated: "ENUMERATED", ber.TagUTF8String: "UTF8String",
	ber.TagNumericString: "NumericString", ber.TagPrintableString: "PrintableString", ber.TagT61String: "T61String",
	ber.TagIA5String: "IA5String", ber.TagUTCTime: "UTCTime", ber.TagGeneralizedTime: "GeneralizedTime",
	ber.TagVisibleString: "VisibleString", ber.TagGeneralString: "GeneralString", ber.TagUniversalString: "UniversalString",
	ber.TagBMPString: "BMPString", ber.TagSequence: "SEQUENCE", ber.TagSet: "SET",
	ber.TagOctetString | 0x20: "OCTET STRING, constructed", ber.TagBitString | 0x20: "BIT STRING, constructed",
}

func tagName(e ber.Element) string {
	if name := tagNames[e.Tag]; name != "" {
		return name
	}
	class := [4]string{"universal ", "application ", "", "private "}[e.Tag>>6]
	return fmt.Sprintf("[%s%d]", class, e.Number)
}

// element recurses no deeper than the parser's own limit for each opened
// string. In a secret element numbers and strings have no values.
func (t *tree) element(e ber.Element, opened int, secret bool) *Node {
	t.left--
	n := &Node{Label: tagName(e)}
	if e.Indefinite {
		n.Label += ", indefinite"
	}
	if e.Constructed() {
		t.children(n, e, opened, secret)
		return n
	}
	if inner, ok := insideString(e); ok {
		n.Value = size(len(inner.Raw))
		if opened < maxOpened {
			n.attach(t.element(inner, opened+1, secret))
		} else {
			n.Value += " of BER"
		}
		return n
	}
	n.Value = clip(primitive(e))
	if secret && isSecretType(e.Tag) {
		n.Value = hidden
	}
	return n
}

func (t *tree) children(n *Node, e ber.Element, opened int, secret bool) {
	hide := privateKeyParts(e)
	r := e.Children()
	for i := 0; !r.Empty(); i++ {
		child, err := r.Next()
		if err != nil {
			n.add("...", "%v", err) // not after a ber.Parse of the whole
			return
		}
		if t.left <= 0 {
			n.add("...", "the rest is left out")
			return
		}
		if hide != nil && hide(i) {
			t.left--
			n.attach(&Node{Label: tagName(child), Value: hidden})
			continue
		}
		n.attach(t.element(child, opened, secret))
	}
}

// isSecretType tells which types hold the numbers of a key.
func isSecretType(tag byte) bool {
	return tag == ber.TagInteger || tag == ber.TagOctetString || tag == ber.TagBitString || tag >= 0x80
}

// privateKeyParts recognises the structures of private keys by their outline
// and tells which of their elements hold the secret; nil for all else. It
// rather hides too much.
func privateKeyParts(e ber.Element) func(i int) bool {
	if e.Tag != ber.TagSequence {
		return nil
	}
	head := firstChildren(e, 6)
	if len(head) < 2 || head[0].Tag != ber.TagInteger {
		return nil
	}
	switch {
	// PrivateKeyInfo, OneAsymmetricKey (RFC 5958 2): version, algorithm, key.
	case len(head) > 2 && head[1].Tag == ber.TagSequence && firstTag(head[1]) == ber.TagOID && isOctetString(head[2].Tag):
		return func(i int) bool { return i == 2 }
	// ECPrivateKey (RFC 5915 3): version, key, [0] curve, [1] public key.
	case isOctetString(head[1].Tag):
		return func(i int) bool { return i == 1 }
	}
	// RSAPrivateKey (RFC 8017 A.1.2): version, n, e, secrets ...; the DSA
	// key of OpenSSL: version, p, q, g, y, x.
	for _, c := range head {
		if c.Tag != ber.TagInteger {
			return nil
		}
	}
	if len(head) < 6 {
		return nil
	}
	return func(i int) bool { return i >= 3 }
}

func isOctetString(tag byte) bool { return tag&^0x20 == ber.TagOctetString }

// firstChildren returns up to n elements inside e.
func firstChildren(e ber.Element, n int) []ber.Element {
	var out []ber.Element
	for r := e.Children(); len(out) < n && !r.Empty(); {
		c, err := r.Next()
		if err != nil {
			break
		}
		out = append(out, c)
	}
	return out
}

// firstTag is the identifier octet of the first element inside e, or 0.
func firstTag(e ber.Element) byte {
	r := e.Children()
	return r.Peek()
}

// insideString finds the BER that extensions and key files carry inside
// strings.
func insideString(e ber.Element) (ber.Element, bool) {
	b := e.Content
	switch e.Tag {
	case ber.TagOctetString:
	case ber.TagBitString:
		if len(b) < 2 || b[0] != 0 {
			return ber.Element{}, false
		}
		b = b[1:]
	default:
		return ber.Element{}, false
	}
	if len(b) < 4 || b[0] != ber.TagSequence && b[0] != ber.TagOctetString {
		return ber.Element{}, false
	}
	inner, err := ber.Parse(b)
	return inner, err == nil
}

func primitive(e ber.Element) string {
	switch e.Tag {
	case ber.TagBoolean:
		if v, err := e.Bool(); err == nil {
			return fmt.Sprint(v)
		}
	case ber.TagInteger, ber.TagEnumerated:
		if v, err := e.Int(); err == nil {
			if v.BitLen() <= 63 {
				return v.String()
			}
			return "0x" + v.Text(16)
		}
	case ber.TagOID:
		if o, err := e.OID(); err == nil {
			return oidText(o)
		}
	case ber.TagUTCTime, ber.TagGeneralizedTime:
		if t, err := e.Time(); err == nil {
			return when(t)
		}
	case ber.TagNull:
		return hexValue(e.Content) // empty, as it has to be
	case ber.TagBitString, ber.TagOctetString:
		return hexValue(e.Content)
	}
	if s, err := e.Text(); err == nil {
		return s
	}
	if e.Tag >= 0x80 && len(e.Content) > 0 && isText(e.Content) {
		return string(e.Content) // such as a URI under an implicit tag
	}
	return hexValue(e.Content)
}

func isText(b []byte) bool {
	if !utf8.Valid(b) {
		return false
	}
	for _, r := range string(b) {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}
