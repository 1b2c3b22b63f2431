package keystore

import (
	"math/big"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/cert"
)

func TestAliasIsTheStringSitesParse(t *testing.T) {
	der, err := os.ReadFile("testdata/fixture.cer")
	if err != nil {
		t.Fatal(err)
	}
	fixture, err := cert.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	tashkent := time.FixedZone("UZT", 5*3600)
	const begin = "cn=test user,name=test,c=uz,1.2.860.3.16.1.2=12345678901234,serialnumber=77010203,"
	for _, tc := range []struct {
		zone *time.Location
		want string
	}{
		{tashkent, begin + "validfrom=2025.01.01 05:00:00,validto=2027.01.01 05:00:00"},
		{nil, begin + "validfrom=2025.01.01 00:00:00,validto=2027.01.01 00:00:00"},
		{time.UTC, begin + "validfrom=2025.01.01 00:00:00,validto=2027.01.01 00:00:00"},
	} {
		if got := Alias(fixture, tc.zone); got != tc.want {
			t.Errorf("in %s\n got %s\nwant %s", tc.zone, got, tc.want)
		}
	}
}

func TestAliasOfOrganisationsAndOddSerialNumbers(t *testing.T) {
	pki := testpki.New(t, "ozdst")
	validity := func(tmpl *cert.Template) {
		tmpl.NotBefore = time.Date(2024, 12, 31, 23, 59, 59, 0, time.UTC)
		tmpl.NotAfter = time.Date(2026, 5, 1, 18, 59, 59, 0, time.UTC)
	}
	const person = "cn=ivanov ivan ivanovich,name=ivan,surname=ivanov,l=yunusobod tumani,st=toshkent shahri,c=uz,uid=400000000,1.2.860.3.16.1.2=30000000000000,"
	const times = ",validfrom=2025.01.01 04:59:59,validto=2026.05.01 23:59:59"
	for _, tc := range []struct {
		subject string
		serial  int64
		want    string
	}{
		{testpki.Person, 0x785d0338, person + "serialnumber=785d0338" + times},
		{testpki.Person, 0x218711a92, person + "serialnumber=218711a92" + times},
		{testpki.Person, 0x0f, person + "serialnumber=f" + times},
		{testpki.Person, -0x1234, person + "serialnumber=-1234" + times},
		{testpki.Organisation, 0x77f634b1, `cn=petrova anna petrovna,name=anna,surname=petrova,l=yunusobod tumani,st=toshkent shahri,c=uz,o=\"sinov\" mchj,uid=500000000,` +
			`1.2.860.3.16.1.2=40000000000000,ou=rahbariyat,t=direktor,1.2.860.3.16.1.1=200000000,businesscategory=mchj,serialnumber=77f634b1` + times},
	} {
		user := pki.User(t, tc.subject, validity, func(tmpl *cert.Template) { tmpl.Serial = big.NewInt(tc.serial) })
		if got := Alias(user.Cert, time.FixedZone("UZT", 5*3600)); got != tc.want {
			t.Errorf("\n got %s\nwant %s", got, tc.want)
		}
	}
}

// Sites take an alias apart like this: upper case, the two OIDs renamed, cut
// before every name.
func TestAliasSurvivesTheParserOfSites(t *testing.T) {
	user := testpki.New(t, "ozdst").User(t, testpki.Organisation)
	s := strings.ToUpper(Alias(user.Cert, nil))
	s = strings.Replace(s, "1.2.860.3.16.1.1=", "INN=", 1)
	s = strings.Replace(s, "1.2.860.3.16.1.2=", "PINFL=", 1)
	got := map[string]string{}
	starts := regexp.MustCompile(`,[A-Z]+=`).FindAllStringIndex(s, -1)
	from := 0
	for _, at := range append(starts, []int{len(s)}) {
		name, value, _ := strings.Cut(s[from:at[0]], "=")
		got[name] = value
		from = at[0] + 1
	}
	for name, want := range map[string]string{
		"CN": "PETROVA ANNA PETROVNA", "INN": "200000000", "PINFL": "40000000000000", "UID": "500000000", "T": "DIREKTOR",
		"SERIALNUMBER": strings.ToUpper(user.Cert.SerialHex()),
		"VALIDFROM":    user.Cert.NotBefore.Format("2006.01.02 15:04:05"),
		"VALIDTO":      user.Cert.NotAfter.Format("2006.01.02 15:04:05"),
	} {
		if got[name] != want {
			t.Errorf("%s = %q, want %q", name, got[name], want)
		}
	}
}
