package ber

import (
	"math/big"
	"strconv"
	"strings"
)

// OID is an object identifier as its DER content octets: comparable, usable
// as a map key, and free to read from an input. The zero value means absent.
type OID string

// Limits of object identifiers: twice the longest seen, and arcs wide enough
// for the 128-bit UUIDs under 2.25.
const (
	maxOIDLength = 256
	maxOIDArcs   = 128
	maxArcOctets = 19
)

// ParseOID reads the dotted form, such as "1.2.860.3.15.1.3.2.1.1".
func ParseOID(dotted string) (OID, error) {
	parts := strings.Split(dotted, ".")
	if len(parts) < 2 || len(parts) > maxOIDArcs {
		return "", syntaxErrorf("bad object identifier %q", dotted)
	}
	arcs := make([]*big.Int, len(parts))
	for i, p := range parts {
		if p == "" || len(p) > 41 || len(p) > 1 && p[0] == '0' || strings.Trim(p, "0123456789") != "" {
			return "", syntaxErrorf("bad object identifier %q", dotted)
		}
		arcs[i], _ = new(big.Int).SetString(p, 10)
	}
	if arcs[0].Cmp(big.NewInt(2)) > 0 || arcs[0].Cmp(big.NewInt(2)) < 0 && arcs[1].Cmp(big.NewInt(39)) > 0 {
		return "", syntaxErrorf("bad object identifier %q", dotted)
	}
	first := new(big.Int).Mul(arcs[0], big.NewInt(40))
	arcs[1].Add(arcs[1], first)
	var out []byte
	for _, a := range arcs[1:] {
		n := max((a.BitLen()+6)/7, 1)
		if n > maxArcOctets {
			return "", syntaxErrorf("bad object identifier %q", dotted)
		}
		for i := n - 1; i >= 0; i-- {
			low := new(big.Int).Rsh(a, uint(7*i)).Uint64() & 0x7f
			if i > 0 {
				low |= 0x80
			}
			out = append(out, byte(low))
		}
	}
	o := OID(out)
	return o, o.check()
}

// common are the identifiers that nearly every document, certificate, timestamp
// and OCSP answer has, so that reading them makes no copies: those of CMS and of
// names and extensions, and the algorithms of GOST and of Uzbekistan.
var common = func() map[string]OID {
	m := make(map[string]OID)
	for _, dotted := range []string{
		"1.2.840.113549.1.7.1", "1.2.840.113549.1.7.2", "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4", "1.2.840.113549.1.9.5",
		"1.2.840.113549.1.9.16.1.4", "1.2.840.113549.1.9.16.2.12", "1.2.840.113549.1.9.16.2.14", "1.2.840.113549.1.9.16.2.47",
		"1.2.643.2.2.3", "1.2.643.2.2.9", "1.2.643.2.2.19", "1.2.643.2.2.30.1", "1.2.643.2.2.35.1", "1.2.643.2.2.35.2", "1.2.643.2.2.35.3",
		"1.2.860.3.15.1.1.1.1", "1.2.860.3.15.1.1.2.1", "1.2.860.3.15.1.1.1.2.2.2", "1.2.860.3.15.1.1.2.2.2.2", "1.2.860.3.15.1.3.2.1.1",
		"1.2.860.3.15.2.1.2.1", "1.2.860.3.15.2.1.2.2.2.2", "1.2.860.3.15.2.3.2.1.1", "1.2.860.3.2.11.1",
		"1.2.860.3.16.1.1", "1.2.860.3.16.1.2", "0.9.2342.19200300.100.1.1",
		"2.5.4.3", "2.5.4.4", "2.5.4.5", "2.5.4.6", "2.5.4.7", "2.5.4.8", "2.5.4.10", "2.5.4.11", "2.5.4.12", "2.5.4.15", "2.5.4.41", "2.5.4.42",
		"2.5.29.14", "2.5.29.15", "2.5.29.17", "2.5.29.19", "2.5.29.31", "2.5.29.32", "2.5.29.35", "2.5.29.37",
		"1.3.6.1.5.5.7.1.1", "1.3.6.1.5.5.7.48.1", "1.3.6.1.5.5.7.48.2", "1.3.6.1.5.5.7.48.1.1", "1.3.6.1.5.5.7.48.1.2",
		"1.3.14.3.2.26", "2.16.840.1.101.3.4.2.1", "1.2.840.113549.1.1.1", "1.2.840.113549.1.1.11",
	} {
		o := MustOID(dotted)
		m[string(o)] = o
	}
	return m
}()

// MustOID is [ParseOID] for constants; it panics when dotted is malformed.
func MustOID(dotted string) OID {
	o, err := ParseOID(dotted)
	if err != nil {
		panic(err)
	}
	return o
}

func (o OID) check() error {
	if len(o) == 0 || len(o) > maxOIDLength || o[len(o)-1]&0x80 != 0 {
		return syntaxErrorf("bad object identifier")
	}
	arcs, octets := 1, 0
	for i := range len(o) {
		if octets == 0 && o[i] == 0x80 {
			return syntaxErrorf("object identifier is not minimal")
		}
		if octets++; octets > maxArcOctets {
			return syntaxErrorf("object identifier with too large a number")
		}
		if o[i]&0x80 == 0 {
			arcs, octets = arcs+1, 0
		}
	}
	if arcs > maxOIDArcs {
		return syntaxErrorf("object identifier with %d numbers", arcs)
	}
	return nil
}

// String returns the dotted form, "" for the zero OID.
func (o OID) String() string {
	if o == "" {
		return ""
	}
	var b strings.Builder
	var small uint64
	var large *big.Int
	first := true
	for i := range len(o) {
		c := o[i]
		if large == nil && small >= 1<<57 {
			large = new(big.Int).SetUint64(small)
		}
		if large != nil {
			large.Lsh(large, 7).Or(large, big.NewInt(int64(c&0x7f)))
		} else {
			small = small<<7 | uint64(c&0x7f)
		}
		if c&0x80 != 0 {
			continue
		}
		if first {
			first = false
			top := uint64(2)
			if large == nil {
				top = min(small/40, 2)
				small -= top * 40
			} else {
				large.Sub(large, big.NewInt(80))
			}
			b.WriteString(strconv.FormatUint(top, 10))
		}
		b.WriteByte('.')
		if large != nil {
			b.WriteString(large.String())
		} else {
			b.WriteString(strconv.FormatUint(small, 10))
		}
		small, large = 0, nil
	}
	return b.String()
}

// MarshalText returns the dotted form.
func (o OID) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// DER returns the OBJECT IDENTIFIER element.
func (o OID) DER() []byte { return Tagged(TagOID, []byte(o)) }
