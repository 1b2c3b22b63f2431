package trust

import (
	"errors"
	"fmt"
	"strings"

	"imzo/pki/cert"
)

// Subject is who a certificate is for, in the fields of E-IMZO certificates
// (guide 2.2.4: UID, 1.2.860.3.16.1.2, 1.2.860.3.16.1.1). Empty fields are
// left out.
type Subject struct {
	CommonName   string // CN: full name, or the domain of a VPN client
	GivenName    string // Name (2.5.4.41)
	Surname      string // SURNAME
	Organisation string // O
	Title        string // T: position
	Locality     string // L
	State        string // ST
	Country      string // C
	UID          string // UID: the person's TIN, 9 digits
	PINFL        string // 1.2.860.3.16.1.2: personal number, 14 digits
	TIN          string // 1.2.860.3.16.1.1: TIN of the organisation, 9 digits
}

// ErrSubject is wrapped by errors about subject fields.
var ErrSubject = errors.New("bad subject")

// name returns the distinguished name, attributes in the order of production
// certificates.
func (s Subject) name() (cert.Name, error) {
	if s.CommonName == "" {
		return cert.Name{}, fmt.Errorf("%w: the common name is missing", ErrSubject)
	}
	for _, number := range []struct {
		field, value string
		digits       int
	}{{"UID", s.UID, 9}, {"PINFL", s.PINFL, 14}, {"TIN", s.TIN, 9}} {
		if number.value != "" && (len(number.value) != number.digits || strings.Trim(number.value, "0123456789") != "") {
			return cert.Name{}, fmt.Errorf("%w: %s has %d digits, not %q", ErrSubject, number.field, number.digits, number.value)
		}
	}
	if s.Country != "" && len(s.Country) != 2 {
		return cert.Name{}, fmt.Errorf("%w: the country is two letters, such as UZ, not %q", ErrSubject, s.Country)
	}
	var parts []string
	for _, a := range [][2]string{
		{"CN", s.CommonName}, {"Name", s.GivenName}, {"SURNAME", s.Surname}, {"O", s.Organisation}, {"T", s.Title},
		{"L", s.Locality}, {"ST", s.State}, {"C", s.Country}, {"UID", s.UID},
		{"1.2.860.3.16.1.1", s.TIN}, {"1.2.860.3.16.1.2", s.PINFL},
	} {
		if a[1] != "" {
			parts = append(parts, a[0]+"="+escape(a[1]))
		}
	}
	return cert.ParseName(strings.Join(parts, ","))
}

// escape protects a value from being read as name syntax.
func escape(v string) string {
	var b strings.Builder
	for i, r := range v {
		if strings.ContainsRune(`,"\+=<>;`, r) || i == 0 && (r == '#' || r == ' ') || r == ' ' && i == len(v)-1 {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
