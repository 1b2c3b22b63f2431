package armor

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
)

// sample holds every digit of base64, + and / among them, and its base64
// ends in one pad character.
var sample = func() []byte {
	b := []byte{0x30, 0x80, 0x06, 0x09}
	for i := range 256 {
		b = append(b, byte(i))
	}
	return append(b, 0xfb, 0xef, 0xff)
}()

func TestDecodeUndoesEveryToleratedForm(t *testing.T) {
	std := base64.StdEncoding.EncodeToString(sample)
	if !strings.ContainsAny(std, "+") || !strings.ContainsAny(std, "/") || !strings.HasSuffix(std, "=") {
		t.Fatalf("the sample does not test what it should: %s", std)
	}
	lines := func(end string) string {
		var b strings.Builder
		for i := 0; i < len(std); i += 64 {
			b.WriteString(std[i:min(i+64, len(std))] + end)
		}
		return b.String()
	}
	pemText := func(label string) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: sample}))
	}
	for name, text := range map[string]string{
		"one line":                     std,
		"line feeds":                   lines("\n"),
		"carriage returns, line feeds": lines("\r\n"),
		"carriage returns":             lines("\r"),
		"spaces":                       lines(" "),
		"tabs":                         lines("\t"),
		"every character apart":        strings.Join(strings.Split(std, ""), " \r\n"),
		"white space around":           " \r\n\t" + std + "\r\n ",
		"white space before padding":   strings.TrimRight(std, "=") + "\n=",
		"no padding":                   strings.TrimRight(std, "="),
		"url-safe":                     base64.URLEncoding.EncodeToString(sample),
		"url-safe without padding":     base64.RawURLEncoding.EncodeToString(sample),
		"percent-encoded":              url.QueryEscape(std),
		"percent-encoded, lower case":  strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(std, "+", "%2b"), "/", "%2f"), "=", "%3d"),
		"partly percent-encoded":       strings.Replace(std, "+", "%2B", 1),
		"every octet percent-encoded":  percentAll(std),
		"percent-encoded lines":        url.QueryEscape(lines("\r\n")),
		"PEM CMS":                      pemText("CMS"),
		"PEM PKCS7":                    pemText("PKCS7"),
		"PEM of an unknown label":      pemText("ANYTHING AT ALL"),
		"PEM without line breaks":      "-----BEGIN CMS-----" + std + "-----END CMS-----",
		"PEM with Windows line ends":   strings.ReplaceAll(pemText("CMS"), "\n", "\r\n"),
		"PEM with white space around":  "\r\n \t" + pemText("CMS") + " \n",
		"PEM without padding":          strings.ReplaceAll(pemText("CMS"), "=", ""),
		"PEM percent-encoded":          strings.ReplaceAll(url.PathEscape(pemText("CMS")), "=", "%3D"),
		"binary":                       string(sample),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Decode([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, sample) {
				t.Errorf("got %x", got)
			}
		})
	}
}

func percentAll(s string) string {
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		b.WriteString("%" + string(hexDigits[s[i]>>4]) + string(hexDigits[s[i]&15]))
	}
	return b.String()
}

func TestDecodeRefusesEverythingElse(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":                           "",
		"white space only":                  " \r\n\t",
		"one digit":                         "M",
		"five digits":                       "MIAGC",
		"bits left over after two digits":   "MB",
		"bits left over after three digits": "MIB",
		"bits left over, padded":            "MB==",
		"bits left over in three, padded":   "MIB=",
		"padding too short":                 "MA=",
		"padding too long":                  "MIA==",
		"padding of a whole group":          "MIAG====",
		"padding only":                      "=",
		"padding in the middle":             "MA==MIAG",
		"digit after padding":               "MIA=A",
		"character of no alphabet":          "MIA.",
		"bar":                               "MIAG|MIAG",
		"octet above ASCII":                 "MIA\xff",
		"byte order mark":                   "\xef\xbb\xbfMIAG",
		"NUL":                               "MIAG\x00",
		"vertical tab":                      "MIAG\v",
		"both alphabets":                    "MI+_",
		"both alphabets, percent-encoded":   "MI%2B-",
		"percent-encoding cut short":        "MIAG%2",
		"percent sign at the end":           "MIAG%",
		"percent-encoding not of hex":       "MIAG%2G",
		"two layers of percent-encoding":    "MI%252B",
		"percent-encoded bad character":     "MIA%00",
		"PEM without an end":                "-----BEGIN CMS-----\nMIAG\n",
		"PEM with another end":              "-----BEGIN CMS-----\nMIAG\n-----END PKCS7-----\n",
		"PEM with text after it":            "-----BEGIN CMS-----\nMIAG\n-----END CMS-----\nx",
		"PEM twice":                         "-----BEGIN CMS-----\nMIAG\n-----END CMS-----\n-----BEGIN CMS-----\nMIAG\n-----END CMS-----\n",
		"PEM with text before it":           "x\n-----BEGIN CMS-----\nMIAG\n-----END CMS-----\n",
		"PEM with a header":                 "-----BEGIN CMS-----\nA: b\n\nMIAG\n-----END CMS-----\n",
		"PEM without a label end":           "-----BEGIN CMS\nMIAG\n-----END CMS-----\n",
		"PEM with a bad first line":         "-----BEGINCMS-----\nMIAG\n-----END CMS-----\n",
		"PEM with bits left over":           "-----BEGIN CMS-----\nMIB=\n-----END CMS-----\n",
		"PEM with two layers":               "-----BEGIN%20CMS-----%0AMI%252B%0A-----END%20CMS-----",
		"PEM with broken percent-encoding":  "-----BEGIN%20CMS-----%0AMIAG%-----END%20CMS-----",
		"text that starts like a SEQUENCE":  "0 zero!",
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := Decode([]byte(text)); !errors.Is(err, ErrEncoding) {
				t.Errorf("got %x, %v", got, err)
			}
		})
	}
}

func TestDecodeTellsDERFromText(t *testing.T) {
	der := []byte{0x30, 0x03, 0x02, 0x01, 0x05}
	got, err := Decode(der)
	if err != nil || &got[0] != &der[0] {
		t.Errorf("DER was not returned as it is: %x, %v", got, err)
	}
	// "0aZ4" is base64, though its first character is the tag of SEQUENCE.
	if got, err := Decode([]byte("0aZ4")); err != nil || !bytes.Equal(got, []byte{0xd1, 0xa6, 0x78}) {
		t.Errorf("got %x, %v", got, err)
	}
	// What starts with another tag is no document; read as text it fails.
	if _, err := Decode([]byte{0x31, 0x00}); !errors.Is(err, ErrEncoding) {
		t.Errorf("a SET: %v", err)
	}
}

func TestDecodeBase64NeverSniffs(t *testing.T) {
	for name, text := range map[string]string{
		"DER": string(sample),
		"PEM": "-----BEGIN CMS-----\nMIAG\n-----END CMS-----\n",
	} {
		if got, err := DecodeBase64([]byte(text)); !errors.Is(err, ErrEncoding) {
			t.Errorf("%s: %x, %v", name, got, err)
		}
	}
	for _, text := range []string{"", "\r\n "} {
		if got, err := DecodeBase64([]byte(text)); err != nil || got == nil || len(got) != 0 {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestDecodeAgreesWithTheStandardLibrary(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for n := range 300 {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
			got, err := DecodeBase64([]byte(enc.EncodeToString(b)))
			if err != nil || !bytes.Equal(got, b) {
				t.Fatalf("%d octets: %x, %v", n, got, err)
			}
		}
	}
}

// TestDecodeCostsItsOwnSize bounds memory for large documents.
func TestDecodeCostsItsOwnSize(t *testing.T) {
	text := []byte(url.QueryEscape(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xfb, 0xef, 0xbe}, 1<<18))))
	allocs := testing.AllocsPerRun(3, func() {
		if _, err := DecodeBase64(text); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 1 {
		t.Errorf("%v allocations", allocs)
	}
}

// inPlace decodes a copy of text in its own memory and compares with the
// decoding beside it, errors included.
func inPlace(t *testing.T, text []byte) {
	t.Helper()
	for name, f := range map[string][2]func([]byte) ([]byte, error){
		"Decode": {Decode, DecodeInPlace}, "DecodeBase64": {DecodeBase64, DecodeBase64InPlace},
	} {
		want, wantErr := f[0](text)
		// What follows the text in memory is not its own.
		memory := append(bytes.Clone(text), "beyond"...)
		got, err := f[1](memory[:len(text)])
		if !bytes.Equal(got, want) || (got == nil) != (want == nil) || (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
			t.Fatalf("%s %q: %x, %v in place, %x, %v beside it", name, text, got, err, want, wantErr)
		}
		if string(memory[len(text):]) != "beyond" {
			t.Fatalf("%s %q: wrote beyond its text", name, text)
		}
	}
}

func TestDecodeInPlaceIsTheSame(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	inPlace(t, nil)
	for n := range 200 {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		text := base64.StdEncoding.EncodeToString(b)
		inPlace(t, []byte(text))
		inPlace(t, []byte(base64.RawURLEncoding.EncodeToString(b)))
		inPlace(t, []byte(percentAll(text)))
		inPlace(t, pem.EncodeToMemory(&pem.Block{Type: "CMS", Bytes: b}))
		// Breaks, bad characters and the other alphabet at every place.
		for _, insert := range []string{"\r\n", " ", "%0A", "=", "-", "/", "*", "%"} {
			at := 0
			if len(text) > 0 {
				at = int(rng.Uint32()) % len(text)
			}
			inPlace(t, []byte(text[:at]+insert+text[at:]))
		}
	}
}

func TestDecodeInPlaceAllocatesNothing(t *testing.T) {
	octets := bytes.Repeat([]byte{0xfb, 0xef, 0xbe}, 1<<10)
	text := []byte(base64.StdEncoding.EncodeToString(octets))
	memory := bytes.Clone(text)
	if allocs := testing.AllocsPerRun(3, func() {
		copy(memory, text)
		if got, err := DecodeInPlace(memory); err != nil || !bytes.Equal(got, octets) {
			t.Fatal(err)
		}
	}); allocs > 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// FuzzDecode checks that what decodes is the strict base64 of its result, up
// to the named tolerances.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		"", "MIAG", "MI A\r\nG", "MA==", "MA", "MB", "MI-_", "MI+/", "MI%2B%2F", "0\x80", "%", "MI%25",
		"-----BEGIN CMS-----\nMIAG\n-----END CMS-----\n", "-----BEGIN%20CMS-----%0AMIAG%0A-----END%20CMS-----",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		inPlace(t, text)
		if got, err := Decode(text); err == nil && len(got) > len(text) {
			t.Fatalf("%d octets out of %d characters", len(got), len(text))
		} else if err != nil && !errors.Is(err, ErrEncoding) {
			t.Fatalf("untyped error %v", err)
		}
		got, err := DecodeBase64(text)
		if err != nil {
			if !errors.Is(err, ErrEncoding) || got != nil {
				t.Fatalf("%x with error %v", got, err)
			}
			return
		}
		plain, err := unescape(text)
		if err != nil {
			t.Fatalf("decoded, but %v", err)
		}
		canonical := strings.Map(func(r rune) rune {
			switch {
			case isSpace(r) || r == '=':
				return -1
			case r == '-':
				return '+'
			case r == '_':
				return '/'
			}
			return r
		}, string(plain))
		if want := base64.RawStdEncoding.EncodeToString(got); canonical != want {
			t.Fatalf("%q decoded to %x, whose base64 is %q", text, got, want)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	octets := bytes.Repeat(sample, 1<<20/len(sample))
	text := []byte(base64.StdEncoding.EncodeToString(octets))
	memory := bytes.Clone(text)
	out := make([]byte, len(octets)+8)
	for _, bb := range []struct {
		name string
		f    func() error
	}{
		{"beside", func() error { _, err := Decode(text); return err }},
		{"inPlace", func() error { copy(memory, text); _, err := DecodeInPlace(memory); return err }},
		{"encoding-base64", func() error { _, err := base64.StdEncoding.Decode(out, text); return err }},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if err := bb.f(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
