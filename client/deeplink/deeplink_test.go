package deeplink

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// The first is of our own; the others are log-ins and a document of the
// guide (3.4.2, 3.4.5) and of the demo site.
var vectors = []struct{ site, document, text, code string }{
	{"b552", "362811E9", "abc",
		"b552362811E9" + "b285056dbf18d7392d7677369524dd14747459ed8143997e163b2986f92fd42c" + "33d4ad61"},
	{"0000", "B7735734", "AB8C2ED52B12DCBAB3FBD8C11007E4C0C7BF6A2F5818C05DEB61F3EE39052BDC",
		"0000B7735734" + "3ea4a4e0ad65a56444f0946d13a714c9f366787f7d56a01e4e26060fd2e7f799" + "60fd11b4"},
	{"0000", "2944F1F2", "F8D2181DC6C02EA819B88FF3EF49BE0C",
		"00002944F1F2" + "735ed03ef3aab35ee4bb80c9e94fa787112befa7ff57fe4b9b73a2710398dd7e" + "0404a2e3"},
	{"0000", "850FF727", "some document",
		"0000850FF727" + "3369cd520c8e556502b9bc0ac34ca69cafee96f2f4a8371a63d4dd7d3a458d05" + "36dfe5db"},
}

func TestCodesAreThoseOfTheOriginal(t *testing.T) {
	for _, v := range vectors {
		c, err := New(v.site, v.document, []byte(v.text))
		if err != nil {
			t.Fatal(err)
		}
		if c.String() != v.code || len(v.code) != Length {
			t.Errorf("%s: %s, want %s", v.text, c, v.code)
		}
		if c.URL() != "eimzo://sign?qc="+v.code {
			t.Errorf("link %s", c.URL())
		}
		if got := strings.Join(func() []string { g := c.Groups(); return g[:] }(), ""); got != v.code[12:76] {
			t.Errorf("groups %s", got)
		}
		for _, text := range []string{
			v.code, " " + v.code + "\n", strings.ToUpper(v.code), strings.ToLower(v.code),
			c.URL(), "EIMZO://SIGN?qc=" + v.code, "eimzo://sign/?qc=" + v.code,
		} {
			got, err := Parse(text)
			if err != nil {
				t.Errorf("%q: %v", text, err)
				continue
			}
			if got.DocumentID != v.document || !strings.EqualFold(got.SiteID, v.site) || got.Hash != c.Hash {
				t.Errorf("%q gives %+v", text, got)
			}
		}
	}
}

func TestParseRefusesWhatIsNoCode(t *testing.T) {
	good := vectors[0].code
	cases := []string{
		"", "eimzo:", "eimzo://sign", "eimzo://sign?qc=", "eimzo://other?qc=" + good, "https://sign?qc=" + good,
		good[1:], good + "0", good + "00", "g" + good[1:], strings.Repeat("0", Length), ":" + good,
		"eimzo://sign?qc=" + good + strings.Repeat("&x=1", 100),
	}
	for i := range good { // the check sum sees each digit
		digit := "1"
		if good[i] == '1' {
			digit = "2"
		}
		cases = append(cases, good[:i]+digit+good[i+1:])
	}
	for _, text := range cases {
		if c, err := Parse(text); !errors.Is(err, ErrCode) {
			t.Errorf("%q: %+v, %v", text, c, err)
		} else if len(text) > 8 && strings.Contains(err.Error(), text) {
			t.Errorf("the error repeats the code: %v", err)
		}
	}
}

func TestNewRefusesIdentifiersThatAreNotHexadecimal(t *testing.T) {
	for _, ids := range [][2]string{{"", "850FF727"}, {"000", "850FF727"}, {"00000", "850FF727"}, {"000g", "850FF727"}, {"0000", ""}, {"0000", "850FF72"}, {"0000", "850FF72700"}, {"0000", "850FF72z"}} {
		if _, err := New(ids[0], ids[1], nil); !errors.Is(err, ErrCode) {
			t.Errorf("%q: %v", ids, err)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a Code without identifiers has a text")
		}
	}()
	_ = Code{}.String()
}

func FuzzParse(f *testing.F) {
	for _, v := range vectors {
		f.Add(v.code)
		f.Add("eimzo://sign?qc=" + v.code)
	}
	f.Add("eimzo://sign?qc=%30")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(c.URL())
		if err != nil || again != c {
			t.Fatalf("%q: %+v, then %+v, %v", text, c, again, err)
		}
	})
}

func ExampleNew() {
	c, err := New("0000", "850FF727", []byte("some document"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.URL())
	fmt.Println(c.Groups())
	// Output:
	// eimzo://sign?qc=0000850FF7273369cd520c8e556502b9bc0ac34ca69cafee96f2f4a8371a63d4dd7d3a458d0536dfe5db
	// [3369cd520c8e5565 02b9bc0ac34ca69c afee96f2f4a8371a 63d4dd7d3a458d05]
}

func ExampleParse() {
	c, err := Parse("eimzo://sign?qc=0000850FF7273369cd520c8e556502b9bc0ac34ca69cafee96f2f4a8371a63d4dd7d3a458d0536dfe5db")
	fmt.Println(c.SiteID, c.DocumentID, err)
	// Output: 0000 850FF727 <nil>
}
