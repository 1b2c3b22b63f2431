package cert

import (
	"strings"

	"imzo/pki/ber"
)

// The attribute types of names that Imzo itself needs by identifier.
var (
	// OIDCommonName is CN.
	OIDCommonName = ber.MustOID("2.5.4.3")
	// OIDOrganisationTIN is the taxpayer number (INN, STIR) of an
	// organisation in a certificate of Uzbekistan: nine digits.
	OIDOrganisationTIN = ber.MustOID("1.2.860.3.16.1.1")
	// OIDPINFL is the personal number (PINFL, JSHSHIR): fourteen digits.
	OIDPINFL = ber.MustOID("1.2.860.3.16.1.2")

	oidEmailAddress    = ber.MustOID("1.2.840.113549.1.9.1")
	oidDomainComponent = ber.MustOID("0.9.2342.19200300.100.1.25")
	oidCountry         = ber.MustOID("2.5.4.6")
	oidSerialNumber    = ber.MustOID("2.5.4.5")
	oidDNQualifier     = ber.MustOID("2.5.4.46")
	oidTelephoneNumber = ber.MustOID("2.5.4.20")
)

// nameSymbols are the names BouncyCastle prints for attribute types (BCStyle
// and the older X509Name, up to the releases E-IMZO is built with). What is
// not listed prints as its dotted OID: also organizationIdentifier, which
// only later releases know.
var nameSymbols = []struct {
	symbol string
	oid    ber.OID
}{
	{"C", oidCountry},
	{"O", ber.MustOID("2.5.4.10")},
	{"T", ber.MustOID("2.5.4.12")},
	{"OU", ber.MustOID("2.5.4.11")},
	{"CN", OIDCommonName},
	{"L", ber.MustOID("2.5.4.7")},
	{"ST", ber.MustOID("2.5.4.8")},
	{"SERIALNUMBER", oidSerialNumber},
	{"E", oidEmailAddress},
	{"DC", oidDomainComponent},
	{"UID", ber.MustOID("0.9.2342.19200300.100.1.1")},
	{"STREET", ber.MustOID("2.5.4.9")},
	{"SURNAME", ber.MustOID("2.5.4.4")},
	{"GIVENNAME", ber.MustOID("2.5.4.42")},
	{"INITIALS", ber.MustOID("2.5.4.43")},
	{"GENERATION", ber.MustOID("2.5.4.44")},
	{"UniqueIdentifier", ber.MustOID("2.5.4.45")},
	{"DN", oidDNQualifier},
	{"Pseudonym", ber.MustOID("2.5.4.65")},
	{"PostalAddress", ber.MustOID("2.5.4.16")},
	{"Name", ber.MustOID("2.5.4.41")},
	{"DateOfBirth", ber.MustOID("1.3.6.1.5.5.7.9.1")},
	{"PlaceOfBirth", ber.MustOID("1.3.6.1.5.5.7.9.2")},
	{"Gender", ber.MustOID("1.3.6.1.5.5.7.9.3")},
	{"CountryOfCitizenship", ber.MustOID("1.3.6.1.5.5.7.9.4")},
	{"CountryOfResidence", ber.MustOID("1.3.6.1.5.5.7.9.5")},
	{"NameAtBirth", ber.MustOID("1.3.36.8.3.14")},
	{"PostalCode", ber.MustOID("2.5.4.17")},
	{"BusinessCategory", ber.MustOID("2.5.4.15")},
	{"TelephoneNumber", oidTelephoneNumber},
	{"unstructuredName", ber.MustOID("1.2.840.113549.1.9.2")},
	{"unstructuredAddress", ber.MustOID("1.2.840.113549.1.9.8")},
}

var (
	symbolByOID = map[ber.OID]string{}
	oidBySymbol = map[string]ber.OID{ // lower case
		"sn":           oidSerialNumber,
		"emailaddress": oidEmailAddress,
	}
)

func init() {
	for _, s := range nameSymbols {
		symbolByOID[s.oid] = s.symbol
		oidBySymbol[strings.ToLower(s.symbol)] = s.oid
	}
}

// attributeSymbol returns the symbol of an attribute type or its dotted OID.
func attributeSymbol(o ber.OID) string {
	if s, ok := symbolByOID[o]; ok {
		return s
	}
	return o.String()
}

// attributeType resolves a symbol, in any case, or a dotted OID (also with
// the prefix "OID." of RFC 1779, as BouncyCastle does).
func attributeType(s string) (ber.OID, error) {
	lower := strings.ToLower(s)
	if o, ok := oidBySymbol[lower]; ok {
		return o, nil
	}
	return ber.ParseOID(strings.TrimPrefix(lower, "oid."))
}
