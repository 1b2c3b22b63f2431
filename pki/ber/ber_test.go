package ber

import (
	"bytes"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"math/big"
	"runtime"
	"slices"
	"testing"
	"time"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func parse(t testing.TB, s string) Element {
	t.Helper()
	e, err := Parse(unhex(t, s))
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return e
}

func TestParseReadsEveryFormOfLength(t *testing.T) {
	for _, tt := range []struct {
		name, in, content string
		indefinite        bool
	}{
		{"short", "0403616263", "616263", false},
		{"long", "048103616263", "616263", false},
		{"long and padded", "048400000003616263", "616263", false},
		{"empty", "0400", "", false},
		{"indefinite", "308002010100" + "00", "020101", true},
		{"indefinite in indefinite", "3080308005000000" + "0000", "308005000000", true},
		{"definite in indefinite", "3080300205000000", "30020500", true},
		{"indefinite in definite", "300630800500" + "0000", "308005000000", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := parse(t, tt.in)
			if got := hex.EncodeToString(e.Content); got != tt.content {
				t.Errorf("content %s, want %s", got, tt.content)
			}
			if hex.EncodeToString(e.Raw) != tt.in || e.Indefinite != tt.indefinite {
				t.Errorf("raw %x, indefinite %v", e.Raw, e.Indefinite)
			}
		})
	}
}

func TestParseRefusesMalformedInput(t *testing.T) {
	for name, in := range map[string]string{
		"nothing":                       "",
		"tag only":                      "30",
		"content cut short":             "0403616",
		"length beyond the end":         "04046162",
		"length of the length missing":  "0482",
		"length of five octets":         "04850000000001ff",
		"indefinite primitive":          "04800000",
		"end-of-contents missing":       "3080020101",
		"half an end-of-contents":       "308002010100",
		"end-of-contents at the top":    "0000",
		"end-of-contents in a definite": "30020000",
		"child beyond its parent":       "3003020201" + "ff",
		"trailing octet":                "020101" + "00",
		"tag number cut short":          "1f",
		"tag number padded":             "1f801f00",
		"tag number below 31":           "1f1e00",
		"tag number too long":           "1f8181818101" + "00",
		"length missing after a tag":    "1f81",
	} {
		t.Run(name, func(t *testing.T) {
			if len(in)%2 != 0 {
				in = in[:len(in)-1]
			}
			if e, err := Parse(unhex(t, in)); !errors.Is(err, ErrSyntax) {
				t.Errorf("got %+v, %v", e, err)
			}
		})
	}
}

func TestParseBoundsDepthAndCount(t *testing.T) {
	nested := func(n int) []byte {
		return slices.Concat(bytes.Repeat([]byte{0x30, 0x80}, n), make([]byte, 2*n))
	}
	if _, err := Parse(nested(MaxDepth)); err != nil {
		t.Errorf("depth %d: %v", MaxDepth, err)
	}
	if _, err := Parse(nested(MaxDepth + 1)); !errors.Is(err, ErrLimit) {
		t.Errorf("depth %d: %v", MaxDepth+1, err)
	}
	flat := Tagged(TagSequence, bytes.Repeat(Null(), MaxElements-1))
	if _, err := Parse(flat); err != nil {
		t.Errorf("%d elements: %v", MaxElements, err)
	}
	flat = Tagged(TagSequence, bytes.Repeat(Null(), MaxElements))
	if _, err := Parse(flat); !errors.Is(err, ErrLimit) {
		t.Errorf("%d elements: %v", MaxElements+1, err)
	}
}

// TestParseOfHostileInputIsCheap feeds what makes other parsers recurse or
// allocate: each must end at once, with an error and without memory.
func TestParseOfHostileInputIsCheap(t *testing.T) {
	const size = 64 << 20
	for name, unit := range map[string][]byte{
		"nesting":        {0x30, 0x80},
		"one-byte parts": {0x24, 0x80, 0x04, 0x01, 0x41},
		"empty sets":     {0x31, 0x00},
		"end marks":      {0x00, 0x00},
		"long lengths":   {0x30, 0x84, 0x03, 0xff, 0xff, 0x00},
	} {
		t.Run(name, func(t *testing.T) {
			in := bytes.Repeat(unit, size/len(unit))
			if name == "one-byte parts" {
				in = append([]byte{0x24, 0x80}, bytes.Repeat(unit[2:], size/3)...)
			}
			if name == "empty sets" {
				in = append([]byte{0x30, 0x80}, in...)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			_, err := Parse(in)
			elapsed := time.Since(start)
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Error("accepted")
			}
			if elapsed > time.Second {
				t.Errorf("took %v", elapsed)
			}
			if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
				t.Errorf("allocated %d octets", got)
			}
		})
	}
}

func TestReaderReadsInOrderAndReportsWhatIsWrong(t *testing.T) {
	e := parse(t, "300c"+"020105"+"0403616263"+"a0020500")
	r := e.Children()
	if r.Peek() != TagInteger {
		t.Errorf("peeked %#x", r.Peek())
	}
	if _, err := r.Read(TagOctetString); !errors.Is(err, ErrSyntax) {
		t.Errorf("wrong tag: %v", err)
	}
	v, err := r.Read(TagInteger)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := v.Int64(); n != 5 || err != nil {
		t.Errorf("integer %d, %v", n, err)
	}
	if _, ok, err := r.Optional(ContextConstructed(0)); ok || err != nil {
		t.Errorf("optional: %v %v", ok, err)
	}
	if _, ok, err := r.Optional(TagOctetString); !ok || err != nil {
		t.Errorf("optional: %v %v", ok, err)
	}
	if !bytes.Equal(r.Rest(), unhex(t, "a0020500")) {
		t.Errorf("rest %x", r.Rest())
	}
	if err := r.Done(); !errors.Is(err, ErrSyntax) {
		t.Errorf("done with an element left: %v", err)
	}
	if _, err := r.Next(); err != nil {
		t.Error(err)
	}
	if !r.Empty() || r.Done() != nil || r.Peek() != 0 {
		t.Error("not empty at the end")
	}
	if _, err := r.Next(); !errors.Is(err, ErrSyntax) {
		t.Errorf("past the end: %v", err)
	}

	primitive := parse(t, "020105")
	r = primitive.Children()
	if _, err := r.Next(); !errors.Is(err, ErrSyntax) || r.Done() == nil {
		t.Errorf("children of a primitive: %v", err)
	}
}

func TestIntegers(t *testing.T) {
	for _, tt := range []struct {
		in string
		v  int64
	}{
		{"020100", 0}, {"02017f", 127}, {"02020080", 128}, {"0201ff", -1}, {"020180", -128},
		{"0202ff7f", -129}, {"02087fffffffffffffff", 1<<63 - 1}, {"02088000000000000000", -1 << 63}, {"0a0103", 3},
	} {
		e := parse(t, tt.in)
		if v, err := e.Int64(); v != tt.v || err != nil {
			t.Errorf("%s: %d, %v", tt.in, v, err)
		}
		v, err := e.Int()
		if err != nil || v.Int64() != tt.v {
			t.Errorf("%s: %v, %v", tt.in, v, err)
		}
		if e.Tag == TagInteger && !bytes.Equal(Int(v), e.Raw) {
			t.Errorf("%s written as %x", tt.in, Int(v))
		}
		if e.Tag == TagEnumerated && !bytes.Equal(Enumerated(tt.v), e.Raw) {
			t.Errorf("%s written as %x", tt.in, Enumerated(tt.v))
		}
	}
	for _, in := range []string{"0200", "02020001", "0202ffff", "040101"} {
		if v, err := parse(t, in).Int(); !errors.Is(err, ErrSyntax) {
			t.Errorf("%s: %v, %v", in, v, err)
		}
	}
	if _, err := parse(t, "0209008000000000000000").Int64(); !errors.Is(err, ErrSyntax) {
		t.Error("nine octets read as int64")
	}
	big5k, _ := Parse(Tagged(TagInteger, bytes.Repeat([]byte{1}, maxInteger+1)))
	if _, err := big5k.Int(); !errors.Is(err, ErrSyntax) {
		t.Error("integer above the limit accepted")
	}
}

func TestIntegersAgreeWithTheStandardLibrary(t *testing.T) {
	v := big.NewInt(1)
	for i := range 300 {
		for _, w := range []*big.Int{v, new(big.Int).Neg(v), new(big.Int).Sub(v, big.NewInt(1)), new(big.Int).Not(v)} {
			want, err := asn1.Marshal(w)
			if err != nil {
				t.Fatal(err)
			}
			if got := Int(w); !bytes.Equal(got, want) {
				t.Fatalf("%v: %x, want %x", w, got, want)
			}
			e, err := Parse(want)
			if err != nil {
				t.Fatal(err)
			}
			if back, err := e.Int(); err != nil || back.Cmp(w) != 0 {
				t.Fatalf("%v read back as %v, %v", w, back, err)
			}
		}
		v = new(big.Int).Lsh(big.NewInt(int64(i%3+1)), uint(i))
	}
}

func TestBooleansAreTrueWhenNotZero(t *testing.T) {
	for in, want := range map[string]bool{"010100": false, "010101": true, "0101ff": true} {
		if got, err := parse(t, in).Bool(); got != want || err != nil {
			t.Errorf("%s: %v, %v", in, got, err)
		}
	}
	for _, in := range []string{"0100", "01020000", "020101"} {
		if _, err := parse(t, in).Bool(); !errors.Is(err, ErrSyntax) {
			t.Errorf("%s: %v", in, err)
		}
	}
	if !bytes.Equal(Bool(true), unhex(t, "0101ff")) || !bytes.Equal(Bool(false), unhex(t, "010100")) {
		t.Error("not written as DER")
	}
}

func TestObjectIdentifiers(t *testing.T) {
	for dotted, der := range map[string]string{
		"1.2.860.3.15.1.1.2.1":       "06092a865c030f01010201",
		"1.2.860.3.15.1.1.2.2.2.2":   "060b2a865c030f010102020202",
		"1.2.860.3.16.1.1":           "06072a865c03100101",
		"2.5.4.3":                    "0603550403",
		"0.0":                        "060100",
		"1.39":                       "06014f",
		"2.40":                       "060178",
		"2.999.1":                    "060388" + "3701",
		"2.25.340282366920938463463": "",
	} {
		o, err := ParseOID(dotted)
		if err != nil {
			t.Errorf("%s: %v", dotted, err)
			continue
		}
		if o.String() != dotted {
			t.Errorf("%s printed as %s", dotted, o)
		}
		if der != "" && hex.EncodeToString(o.DER()) != der {
			t.Errorf("%s is %x, want %s", dotted, o.DER(), der)
		}
		e, err := Parse(o.DER())
		if err != nil {
			t.Fatal(err)
		}
		if back, err := e.OID(); back != o || err != nil {
			t.Errorf("%s read back as %s, %v", dotted, back, err)
		}
		if text, _ := o.MarshalText(); string(text) != dotted {
			t.Errorf("%s as text: %s", dotted, text)
		}
	}
	for _, bad := range []string{"", "1", "3.1", "1.40", "1.2.", "1.02", "1.-2", "a.b", "1.2.99999999999999999999999999999999999999999"} {
		if o, err := ParseOID(bad); !errors.Is(err, ErrSyntax) {
			t.Errorf("%q: %v, %v", bad, o, err)
		}
	}
	for _, bad := range []string{"0600", "060180", "06028001", "0602" + "2a86", "020101", "0615" + "8181818181818181818181818181818181818181" + "01"} {
		if o, err := parse(t, bad).OID(); !errors.Is(err, ErrSyntax) {
			t.Errorf("%s: %v, %v", bad, o, err)
		}
	}
	if OID("").String() != "" {
		t.Error("the zero OID prints")
	}
	defer func() {
		if recover() == nil {
			t.Error("MustOID accepts nonsense")
		}
	}()
	MustOID("x")
}

func TestOctetStringsAreJoinedFromSegments(t *testing.T) {
	for in, want := range map[string]string{
		"0403616263":                                 "616263",
		"2480040161" + "04026263" + "0000":           "616263",
		"2409" + "2404" + "04026162" + "040163":      "616263",
		"a080" + "0401610402" + "6263" + "0000":      "616263",
		"8003616263":                                 "616263",
		"24800000":                                   "",
		"2480" + "2480" + "040161" + "0000" + "0000": "61",
	} {
		e := parse(t, in)
		got, err := e.OctetString()
		if err != nil || hex.EncodeToString(got) != want {
			t.Errorf("%s: %x, %v", in, got, err)
		}
	}
	for _, in := range []string{"2480020101" + "0000", "0203010203", "3000"} {
		if got, err := parse(t, in).OctetString(); !errors.Is(err, ErrSyntax) {
			t.Errorf("%s: %x, %v", in, got, err)
		}
	}
	e := parse(t, "0403616263")
	if got, _ := e.OctetString(); &got[0] != &e.Raw[2] {
		t.Error("a primitive string was copied")
	}
	n := 0
	if err := parse(t, "2480040161"+"04026263"+"0000").Segments(func([]byte) bool { n++; return false }); n != 1 || err != nil {
		t.Errorf("%d segments after a stop, %v", n, err)
	}
	implicit := parse(t, "a003040161").WithTag(TagOctetString)
	if got, err := implicit.OctetString(); string(got) != "a" || err != nil {
		t.Errorf("implicit: %q, %v", got, err)
	}
}

func TestBitStrings(t *testing.T) {
	for _, tt := range []struct {
		in, bits string
		unused   int
	}{
		{"030100", "", 0}, {"0303" + "04" + "fff0", "fff0", 4}, {"2380" + "030200" + "ff" + "030204" + "f0" + "0000", "fff0", 4},
	} {
		bits, unused, err := parse(t, tt.in).BitString()
		if err != nil || hex.EncodeToString(bits) != tt.bits || unused != tt.unused {
			t.Errorf("%s: %x/%d, %v", tt.in, bits, unused, err)
		}
	}
	for _, in := range []string{"0300", "030108", "0302" + "08ff", "030101", "2380" + "030204f0" + "030200ff" + "0000", "2380040161" + "0000", "0400"} {
		if bits, _, err := parse(t, in).BitString(); !errors.Is(err, ErrSyntax) {
			t.Errorf("%s: %x, %v", in, bits, err)
		}
	}
	for want, bits := range map[string][]int{"030206c0": {0, 1}, "030201" + "86": {0, 5, 6}, "0303070080": {8}, "030100": nil} {
		if got := hex.EncodeToString(NamedBits(bits...)); got != want {
			t.Errorf("bits %v: %s, want %s", bits, got, want)
		}
	}
}

func TestText(t *testing.T) {
	for _, tt := range []struct {
		der  []byte
		want string
	}{
		{UTF8String("O‘zDSt"), "O‘zDSt"}, {PrintableString("UZ"), "UZ"}, {IA5String("a@b"), "a@b"},
		{BMPString("Ўзбек😀"), "Ўзбек😀"}, {Tagged(TagT61String, []byte{0xe9}), "é"},
		{Tagged(TagUniversalString, []byte{0, 1, 0xf6, 0}), "😀"}, {Tagged(TagNumericString, []byte("12")), "12"},
	} {
		e, err := Parse(tt.der)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := e.Text(); got != tt.want || err != nil {
			t.Errorf("%x: %q, %v", tt.der, got, err)
		}
	}
	for _, in := range []string{"0c01ff", "1301ff", "1e0141", "1c0141", "1c0400110000", "040141"} {
		if got, err := parse(t, in).Text(); !errors.Is(err, ErrSyntax) {
			t.Errorf("%s: %q, %v", in, got, err)
		}
	}
}

func TestTimes(t *testing.T) {
	for in, want := range map[string]string{
		"\x17220927061753Z":              "2022-09-27T06:17:53Z",
		"\x172209270617Z":                "2022-09-27T06:17:00Z",
		"\x17220927111753+0500":          "2022-09-27T06:17:53Z",
		"\x17500101000000Z":              "1950-01-01T00:00:00Z",
		"\x17491231235959Z":              "2049-12-31T23:59:59Z",
		"\x1820500101000000Z":            "2050-01-01T00:00:00Z",
		"\x1820220927061753.25Z":         "2022-09-27T06:17:53.25Z",
		"\x1820220927061753,5Z":          "2022-09-27T06:17:53.5Z",
		"\x1820220927011753-0500":        "2022-09-27T06:17:53Z",
		"\x1820240229000000Z":            "2024-02-29T00:00:00Z",
		"\x1899991231235959Z":            "9999-12-31T23:59:59Z",
		"\x1800000101000000-0001":        "0000-01-01T00:01:00Z",
		"\x1820220927061753.1234567899Z": "2022-09-27T06:17:53.123456789Z",
	} {
		e, err := Parse(Tagged(in[0], []byte(in[1:])))
		if err != nil {
			t.Fatal(err)
		}
		got, err := e.Time()
		if err != nil || got.Format(time.RFC3339Nano) != want {
			t.Errorf("%s: %v, %v", in[1:], got, err)
		}
	}
	for _, in := range []string{
		"\x17", "\x17220927061753", "\x17221327061753Z", "\x17220931061753Z", "\x17230229000000Z", "\x17220927241753Z",
		"\x17220927066053Z", "\x17220927061760Z", "\x1722092706175Z", "\x17220927061753ZZ", "\x17220927061753+05",
		"\x17220927061753+2500", "\x17220927061753.5Z", "\x1820220927061753", "\x1820220927061753.Z", "\x1820220900061753Z",
		"\x17-20927061753Z", "\x0c220927061753Z", "\x1899991231235959-0001", "\x1800000101000000+0001",
	} {
		e, err := Parse(Tagged(in[0], []byte(in[1:])))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := e.Time(); !errors.Is(err, ErrSyntax) {
			t.Errorf("%q: %v, %v", in[1:], got, err)
		}
	}
	at := time.Date(2049, 12, 31, 23, 59, 59, 0, time.UTC)
	if got := Time(at); got[0] != TagUTCTime {
		t.Errorf("2049 written as %x", got)
	}
	if got := Time(at.Add(time.Second)); got[0] != TagGeneralizedTime {
		t.Errorf("2050 written as %x", got)
	}
}

func TestDERNormalises(t *testing.T) {
	for in, want := range map[string]string{
		"3080" + "020101" + "0000":                "3003020101",
		"3180" + "020102" + "010101" + "0000":     "3106" + "010101" + "020102",
		"310c" + "31800201020000" + "0101ff0500":  "310a" + "0101ff" + "0500" + "3103020102",
		"2480040161" + "040162" + "0000":          "04026162",
		"2380" + "030200ff" + "030204f0" + "0000": "030304fff0",
		"048103616263":                            "0403616263",
		"bf8148" + "80" + "0500" + "0000":         "bf8148020500",
		"a080" + "3080" + "0000" + "0000":         "a0023000",
	} {
		got, err := DER(parse(t, in))
		if err != nil || hex.EncodeToString(got) != want {
			t.Errorf("%s: %x, %v, want %s", in, got, err, want)
		}
	}
}

// TestDEROfManyElementsIsCheap: a list of a million octets that holds half a
// million elements costs a few times its size, not a hundred times.
func TestDEROfManyElementsIsCheap(t *testing.T) {
	nulls := bytes.Repeat(Null(), 500_000)
	for name, e := range map[string][]byte{
		"list":         Sequence(nulls),
		"sorted set":   Set(nulls),
		"unsorted set": Set(Bool(true), nulls, Bool(false)),
		"nested":       Sequence(Set(Sequence(Set(Sequence(nulls))))),
	} {
		in, err := Parse(e)
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := DER(in); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		most := 3
		if name == "unsorted set" { // sorting takes a slice header for each element
			most = 16
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > uint64(most*len(e)) {
			t.Errorf("%s: %d octets for %d", name, got, len(e))
		}
	}
}

func TestWriters(t *testing.T) {
	if got := Sequence(Int64(1), Null()); !bytes.Equal(got, unhex(t, "30050201010500")) {
		t.Errorf("%x", got)
	}
	if got := SetOf(Int64(2), Bool(true)); !bytes.Equal(got, unhex(t, "31060101ff020102")) {
		t.Errorf("%x", got)
	}
	if got := Set(Int64(2), Bool(true)); !bytes.Equal(got, unhex(t, "31060201020101ff")) {
		t.Errorf("%x", got)
	}
	if got := Indefinite(TagSequence, Null()); !bytes.Equal(got, unhex(t, "308005000000")) {
		t.Errorf("%x", got)
	}
	for _, n := range []int{0, 127, 128, 255, 256, 65535, 65536} {
		e, err := Parse(OctetString(make([]byte, n)))
		if err != nil || len(e.Content) != n {
			t.Errorf("%d octets: %d, %v", n, len(e.Content), err)
		}
		if got := Header(TagOctetString, n); !bytes.Equal(got, e.Raw[:len(e.Raw)-n]) {
			t.Errorf("header of %d octets: %x", n, got)
		}
	}
	e := parse(t, "bf814800")
	if e.Number != 200 || !e.Constructed() {
		t.Errorf("high tag number read as %+v", e)
	}
	if !parse(t, "0500").IsNull() || parse(t, "050100").IsNull() {
		t.Error("NULL is told wrongly")
	}
}

// The ends of the first indefinite elements are remembered by Parse; those
// beyond are looked for. Nobody can tell them apart.
func TestIndefiniteElementsEndWhereTheyDo(t *testing.T) {
	leaf := []byte{0x30, 0x80, 0x02, 0x01, 0x07, 0x30, 0x03, 0x02, 0x01, 0x08, 0x00, 0x00}
	for _, n := range []int{1, 11, 12, 13, 40} {
		flat := append(append([]byte{0x31, 0x80}, bytes.Repeat(leaf, n)...), 0, 0)
		e, err := Parse(flat)
		if err != nil {
			t.Fatal(err)
		}
		got := 0
		for r := e.Children(); !r.Empty(); got++ {
			child, err := r.Read(TagSequence)
			if err != nil || !bytes.Equal(child.Raw, leaf) || !bytes.Equal(child.Content, leaf[2:len(leaf)-2]) {
				t.Fatalf("%d of %d: %x, %v", got, n, child.Raw, err)
			}
			// Also in what was cut out and parsed by itself.
			again, err := Parse(child.Raw)
			if err != nil {
				t.Fatal(err)
			}
			in := again.Children()
			if seven, err := in.Read(TagInteger); err != nil || seven.Content[0] != 7 {
				t.Fatalf("%v, %v", seven, err)
			}
		}
		if got != n {
			t.Errorf("%d elements, want %d", got, n)
		}
	}
	depth := MaxDepth - 1
	nested := append(append(bytes.Repeat([]byte{0x30, 0x80}, depth), 0x02, 0x01, 0x05), make([]byte, 2*depth)...)
	e, err := Parse(nested)
	for i := 1; i < depth && err == nil; i++ {
		r := e.Children()
		if e, err = r.Read(TagSequence); len(e.Raw) != len(nested)-4*i {
			t.Fatalf("level %d has %d octets", i, len(e.Raw))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}
