package cert_test

import (
	"encoding/hex"
	"errors"
	"maps"
	"strings"
	"testing"

	"imzo/pki/ber"
	"imzo/pki/cert"
)

// encodedName returns the Name of single-valued parts given as an OID and an
// encoded value.
func encodedName(t testing.TB, parts ...any) cert.Name {
	t.Helper()
	var rdns [][]byte
	for i := 0; i < len(parts); i += 2 {
		rdns = append(rdns, ber.Set(ber.Sequence(ber.MustOID(parts[i].(string)).DER(), parts[i+1].([]byte))))
	}
	return nameOf(t, ber.Sequence(rdns...))
}

func nameOf(t testing.TB, der []byte) cert.Name {
	t.Helper()
	e, err := ber.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	n, err := cert.ParseNameElement(e)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestNamePrintsAsBouncyCastle(t *testing.T) {
	for _, tc := range []struct {
		name cert.Name
		want string
	}{
		{encodedName(t), ""},
		{encodedName(t, "2.5.4.3", ber.UTF8String("IVANOV IVAN"), "1.2.860.3.16.1.2", ber.PrintableString("30000000000000")), "CN=IVANOV IVAN,1.2.860.3.16.1.2=30000000000000"},
		{encodedName(t, "2.5.4.41", ber.UTF8String("A"), "2.5.4.4", ber.UTF8String("B"), "2.5.4.12", ber.UTF8String("C"), "2.5.4.15", ber.UTF8String("D"), "0.9.2342.19200300.100.1.1", ber.UTF8String("E")), "Name=A,SURNAME=B,T=C,BusinessCategory=D,UID=E"},
		{encodedName(t, "2.5.4.10", ber.UTF8String(`"SINOV" MCHJ`)), `O=\"SINOV\" MCHJ`},
		{encodedName(t, "2.5.4.3", ber.UTF8String(`a,b"c\d+e=f<g>h;i`)), `CN=a\,b\"c\\d\+e\=f\<g\>h\;i`},
		{encodedName(t, "2.5.4.3", ber.UTF8String("#1 #2")), `CN=\#1 #2`},
		{encodedName(t, "2.5.4.3", ber.UTF8String("  a b  ")), `CN=\ \ a b\ \ `},
		{encodedName(t, "2.5.4.3", ber.UTF8String("   ")), `CN=\ \ \ `},
		{encodedName(t, "2.5.4.3", ber.UTF8String("")), "CN="},
		{encodedName(t, "2.5.4.3", ber.BMPString("Ўзбек")), "CN=Ўзбек"},
		{encodedName(t, "2.5.4.3", ber.Tagged(ber.TagT61String, []byte{'M', 0xfc})), "CN=Mü"},
		{encodedName(t, "2.5.4.3", ber.Tagged(ber.TagUniversalString, []byte{0, 0, 0, 'A'})), "CN=#1c0400000041"},
		{encodedName(t, "2.5.4.3", ber.Int64(5)), "CN=#020105"},
		{encodedName(t, "2.5.4.3", ber.Tagged(ber.TagUTF8String, []byte{0xff})), "CN=#0c01ff"},
		{encodedName(t, "2.5.4.97", ber.UTF8String("x")), "2.5.4.97=x"},
		{
			nameOf(t, ber.Sequence(ber.Set(
				ber.Sequence(ber.MustOID("2.5.4.3").DER(), ber.UTF8String("a")),
				ber.Sequence(ber.MustOID("2.5.4.11").DER(), ber.UTF8String("b"))))),
			"CN=a+OU=b",
		},
	} {
		if got := tc.name.String(); got != tc.want {
			t.Errorf("%x prints as %s, want %s", tc.name.Raw, got, tc.want)
		}
	}
}

func TestParseNameRulesOfPKCS10(t *testing.T) {
	for _, tc := range []struct {
		text string
		want cert.Name
	}{
		{"", encodedName(t)},
		{"CN=TEST USER,Name=TEST,C=UZ,1.2.860.3.16.1.2=12345678901234", encodedName(t,
			"2.5.4.3", ber.UTF8String("TEST USER"), "2.5.4.41", ber.UTF8String("TEST"), "2.5.4.6", ber.PrintableString("UZ"), "1.2.860.3.16.1.2", ber.UTF8String("12345678901234"))},
		{" cn = a , sn = 1 , emailAddress = b@c , dc=d,telephonenumber=5,dn=6,OID.2.5.4.10=x", encodedName(t,
			"2.5.4.3", ber.UTF8String("a"), "2.5.4.5", ber.PrintableString("1"), "1.2.840.113549.1.9.1", ber.IA5String("b@c"),
			"0.9.2342.19200300.100.1.25", ber.IA5String("d"), "2.5.4.20", ber.PrintableString("5"), "2.5.4.46", ber.PrintableString("6"), "2.5.4.10", ber.UTF8String("x"))},
		{`O=a\,b\=c\\d,CN="x, y"`, encodedName(t, "2.5.4.10", ber.UTF8String(`a,b=c\d`), "2.5.4.3", ber.UTF8String("x, y"))},
		{`CN=\ a \ ,O=`, encodedName(t, "2.5.4.3", ber.UTF8String(" a  "), "2.5.4.10", ber.UTF8String(""))},
		{`CN=\#a,O=#1303414243,L=\d0\8e`, encodedName(t, "2.5.4.3", ber.UTF8String("#a"), "2.5.4.10", ber.PrintableString("ABC"), "2.5.4.7", ber.UTF8String("Ў"))},
		{"C=Ўз,E=ў@x", encodedName(t, "2.5.4.6", ber.UTF8String("Ўз"), "1.2.840.113549.1.9.1", ber.UTF8String("ў@x"))},
		{"OU=b+CN=a", nameOf(t, ber.Sequence(ber.Set(
			ber.Sequence(ber.MustOID("2.5.4.3").DER(), ber.UTF8String("a")),
			ber.Sequence(ber.MustOID("2.5.4.11").DER(), ber.UTF8String("b")))))},
	} {
		got, err := cert.ParseName(tc.text)
		if err != nil {
			t.Errorf("%s: %v", tc.text, err)
			continue
		}
		if string(got.Raw) != string(tc.want.Raw) {
			t.Errorf("%s is\n%x, want\n%x", tc.text, got.Raw, tc.want.Raw)
		}
	}
}

func TestParseNameRefusesWhatIsNoName(t *testing.T) {
	for _, text := range []string{
		"CN", "CN=a,", "CN=a+", ",CN=a", "=a", "XX=a", "9.9.9=a", "CN=a,b", `CN=a\`, `CN="a`, "CN=#zz", "CN=#1", "CN=#0c05", "CN=#", `CN=\ff`,
		"CN=\xff", strings.Repeat("CN=a,", 20000) + "CN=a",
	} {
		if n, err := cert.ParseName(text); !errors.Is(err, cert.ErrName) {
			t.Errorf("%.40q: %v, %v", text, n, err)
		}
	}
}

func TestNewNameEncodesPlainText(t *testing.T) {
	n, err := cert.NewName(
		cert.Attribute{Type: cert.OIDCommonName, Value: `a,b+c="d"`},
		cert.Attribute{Type: cert.OIDPINFL, Value: "30000000000000"})
	if err != nil {
		t.Fatal(err)
	}
	if got := n.Get("cn"); got != `a,b+c="d"` {
		t.Errorf("CN is %s", got)
	}
	if _, err := cert.NewName(cert.Attribute{Value: "x"}); !errors.Is(err, cert.ErrName) {
		t.Errorf("without a type: %v", err)
	}
	if _, err := cert.NewName(cert.Attribute{Type: cert.OIDCommonName, Value: "\xff"}); !errors.Is(err, cert.ErrName) {
		t.Errorf("not UTF-8: %v", err)
	}
}

func TestNameMapTakesTheFirstValue(t *testing.T) {
	n, err := cert.ParseName("CN=A,O=\\\"X\\\",OU=first,OU=second,1.2.860.3.16.1.1=200000000")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"CN": "A", "O": `"X"`, "OU": "first", "1.2.860.3.16.1.1": "200000000"}
	if got := n.Map(); !maps.Equal(got, want) {
		t.Errorf("map %v", got)
	}
	for key, value := range map[string]string{"cn": "A", "2.5.4.3": "A", "OU": "first", "1.2.860.3.16.1.1": "200000000", "L": "", "no such": ""} {
		if got := n.Get(key); got != value {
			t.Errorf("%s is %q, want %q", key, got, value)
		}
	}
}

func TestNamesCompareByRFC5280(t *testing.T) {
	utf8 := ber.UTF8String
	for _, tc := range []struct {
		a, b  cert.Name
		equal bool
	}{
		{encodedName(t), encodedName(t), true},
		{encodedName(t, "2.5.4.3", utf8("Test CA")), encodedName(t, "2.5.4.3", ber.PrintableString("  test \t  ca ")), true},
		{encodedName(t, "2.5.4.3", utf8("ЎЗБЕК ſK")), encodedName(t, "2.5.4.3", ber.BMPString("ўзбек sk")), true},
		{encodedName(t, "2.5.4.3", utf8("a b")), encodedName(t, "2.5.4.3", utf8("ab")), false},
		{encodedName(t, "2.5.4.3", utf8("a")), encodedName(t, "2.5.4.10", utf8("a")), false},
		{encodedName(t, "2.5.4.3", utf8("a")), encodedName(t, "2.5.4.3", utf8("a"), "2.5.4.10", utf8("a")), false},
		{encodedName(t, "2.5.4.3", utf8("a"), "2.5.4.10", utf8("b")), encodedName(t, "2.5.4.10", utf8("b"), "2.5.4.3", utf8("a")), false},
		{encodedName(t, "2.5.4.3", ber.Int64(5)), encodedName(t, "2.5.4.3", ber.Int64(5)), true},
		{encodedName(t, "2.5.4.3", ber.Int64(5)), encodedName(t, "2.5.4.3", ber.Int64(6)), false},
		{encodedName(t, "2.5.4.3", ber.Int64(5)), encodedName(t, "2.5.4.3", utf8("#020105")), false},
		{
			nameOf(t, ber.Sequence(ber.Set(ber.Sequence(ber.MustOID("2.5.4.3").DER(), utf8("a")), ber.Sequence(ber.MustOID("2.5.4.11").DER(), utf8("b"))))),
			nameOf(t, ber.Sequence(ber.Set(ber.Sequence(ber.MustOID("2.5.4.11").DER(), utf8("B")), ber.Sequence(ber.MustOID("2.5.4.3").DER(), utf8("A"))))),
			true,
		},
		{
			nameOf(t, ber.Sequence(ber.Set(ber.Sequence(ber.MustOID("2.5.4.3").DER(), utf8("a")), ber.Sequence(ber.MustOID("2.5.4.11").DER(), utf8("b"))))),
			encodedName(t, "2.5.4.3", utf8("a"), "2.5.4.11", utf8("b")),
			false,
		},
	} {
		if tc.a.Equal(tc.b) != tc.equal || tc.b.Equal(tc.a) != tc.equal {
			t.Errorf("%q and %q: equal must be %v", tc.a, tc.b, tc.equal)
		}
	}
}

func TestParseNameElementRefusesWhatIsNoName(t *testing.T) {
	attribute := ber.Sequence(ber.MustOID("2.5.4.3").DER(), ber.UTF8String("a"))
	for what, der := range map[string][]byte{
		"no sequence":     ber.Set(ber.Set(attribute)),
		"no set":          ber.Sequence(attribute),
		"empty part":      ber.Sequence(ber.Set()),
		"no attribute":    ber.Sequence(ber.Set(ber.Null())),
		"no type":         ber.Sequence(ber.Set(ber.Sequence())),
		"type no OID":     ber.Sequence(ber.Set(ber.Sequence(ber.Null(), ber.Null()))),
		"bad OID":         ber.Sequence(ber.Set(ber.Sequence([]byte{6, 1, 0x80}, ber.Null()))),
		"no value":        ber.Sequence(ber.Set(ber.Sequence(ber.MustOID("2.5.4.3").DER()))),
		"a second value":  ber.Sequence(ber.Set(ber.Sequence(ber.MustOID("2.5.4.3").DER(), ber.Null(), ber.Null()))),
		"primitive value": {0x30, 0x02, 0x11, 0x00},
	} {
		e, err := ber.Parse(der)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := cert.ParseNameElement(e); err == nil {
			t.Errorf("%s: read as %q", what, n)
		}
	}
}

func FuzzParseName(f *testing.F) {
	for _, seed := range []string{
		"CN=IVANOV IVAN IVANOVICH,Name=IVAN,SURNAME=IVANOV,UID=400000000,1.2.860.3.16.1.2=30000000000000",
		`O=\"X\" MCHJ,CN=\ a\ `, `CN=#0c0141+OU=b`, `cn="a, b";x`, `CN=\d0\8e`, "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := cert.ParseName(text)
		if err != nil {
			return
		}
		again, err := cert.ParseName(n.String())
		if err != nil {
			t.Fatalf("%q prints as %q, which is no name: %v", text, n, err)
		}
		// A value given in hex may have a string type of its own.
		if !again.Equal(n) || !strings.Contains(text, "#") && string(again.Raw) != string(n.Raw) {
			t.Fatalf("%q is\n%x but prints as %q, which is\n%x", text, n.Raw, n, again.Raw)
		}
	})
}

func FuzzNameElement(f *testing.F) {
	for _, seed := range []string{
		"300c310a300806035504030c0161", "3000", "300d310b300906035504031c04000000", "300e310c300a06035504031e0304100d",
	} {
		der, _ := hex.DecodeString(seed)
		f.Add(der)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		e, err := ber.Parse(der)
		if err != nil {
			return
		}
		n, err := cert.ParseNameElement(e)
		if err != nil {
			return
		}
		if !n.Equal(n) {
			t.Fatalf("%x is not equal to itself", der)
		}
		// What the name prints as is a name with the same text, unless one
		// part's attributes stand in another order than DER's.
		again, err := cert.ParseName(n.String())
		if err != nil {
			if len(n.String()) > 60000 {
				return
			}
			t.Fatalf("%x prints as %q, which is no name: %v", der, n, err)
		}
		if !again.Equal(n) {
			t.Fatalf("%x prints as %q, which is another name", der, n)
		}
	})
}
