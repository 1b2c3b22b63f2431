package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"imzo/internal/testpki/peer"
)

// texts are the seeds of the fuzz target and the questions to Java.
var texts = []string{
	"",
	"a=b",
	"a=b\nc:d\r\ne f\rg",
	"listen.ip=0.0.0.0\nlisten.port=8080\n",
	"  key  =  value with trailing  \n",
	"key\tvalue\nkey2\fvalue2",
	"# comment \\\nnot=comment\n! another\n   # indented=1",
	"a=one, \\\n   two, \\\r\n\tthree",
	"a=b\\\\\nc=d",
	"a=b\\\\\\\nc=d",
	"a=\\\n\nb=c",
	"\\\n",
	"\\\n#x=1",
	"a=b\\",
	"a\\",
	"\\",
	"a\\=b\\:c\\ d=e\\=f",
	"a==b\na2:=c\na3 = = d",
	"=value",
	":",
	"key",
	"key=",
	"a=\\t\\n\\r\\f\\z\\\"",
	"a=\\u0041\\u00e9\\u041f\n\\u0062=2",
	"a=\\ud83d\\ude00",
	"a=\\u12",
	"a=\\u12g4",
	"path=C:\\users\\x",
	"path=C:\\\\keys\\\\a.pem",
	"имя=значение",
	"a=1\na=2\nb=1\na=3",
	"a=b\n\n\n\n",
	"\r\r\n\n\ra=b",
	"a\u00a0b=c",
	"a=b#c!d",
	"#",
	"!\\\na=b",
	"a=b \\\n# c=d\ne=f",
	"a=b\\\n\\\n\\\nc",
	"   \\\n   a=b",
	"a\x00b=c\x00d",
}

// flatten gives the keys and values as Properties.java does.
func flatten(f *File) string {
	hex := func(s string) string {
		var b strings.Builder
		for _, u := range utf16.Encode([]rune(s)) {
			fmt.Fprintf(&b, "%04x", u)
		}
		return b.String()
	}
	var pairs []string
	for e := range f.Entries() {
		if last, _ := f.Lookup(e.Key); last == e {
			pairs = append(pairs, hex(e.Key)+"="+hex(e.Value)+";")
		}
	}
	slices.SortFunc(pairs, func(a, b string) int {
		ka, _, _ := strings.Cut(a, "=")
		kb, _, _ := strings.Cut(b, "=")
		return strings.Compare(ka, kb)
	})
	return strings.Join(pairs, "")
}

func TestParseAgreesWithJava(t *testing.T) {
	proc := peer.BouncyCastle(t).Start(t, "Properties", "testdata/Properties.java")
	compare := func(text string) {
		t.Helper()
		want := proc.Ask(t, base64.StdEncoding.EncodeToString([]byte(text)))
		f, err := Parse("x", []byte(text))
		if err != nil {
			if want != "error" {
				t.Errorf("%q: %v, Java reads %s", text, err, want)
			}
			return
		}
		if got := flatten(f); got != want {
			t.Errorf("%q: we read %s, Java %s", text, got, want)
		}
	}
	for _, text := range texts {
		// A file that ends in a backslash alone on its line is an entry without
		// key and value to Java, unless CR LF follows it. To us it is nothing.
		if line := text[strings.LastIndexAny(strings.TrimRight(text, "\n"), "\r\n")+1:]; strings.Trim(line, " \n") != `\` {
			compare(text)
		}
	}
	// Random texts of the characters that mean something.
	r := rand.New(rand.NewPCG(1, 2))
	alphabet := []string{"a", "b", "=", ":", " ", "\t", "\f", "\n", "\r", "\r\n", "\\", "\\\n", "#", "!", "u0041", "\\u0042", "é", "ж"}
	for range 2000 {
		var b strings.Builder
		for range r.IntN(20) {
			b.WriteString(alphabet[r.IntN(len(alphabet))])
		}
		compare(b.String() + "\nend=1")
	}
}

func TestParseKeepsLineNumbersOfContinuedLines(t *testing.T) {
	f, err := Parse("x", []byte("# head\r\n\r\na=1,\\\n  2\nb=3\rc=4"))
	if err != nil {
		t.Fatal(err)
	}
	want := []Entry{{"a", "1,2", 3, ""}, {"b", "3", 5, ""}, {"c", "4", 6, ""}}
	if got := slices.Collect(f.Entries()); !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

func TestParseReadsLatin1WhenTheFileIsNotUTF8(t *testing.T) {
	for text, want := range map[string]string{
		"a=\xe9t\xe9":           "été",
		"a=été":                 "été",
		"\xef\xbb\xbfa=después": "después",
	} {
		f, err := Parse("x", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := f.Lookup("a"); !ok || e.Value != want {
			t.Errorf("%q: %q, want %q", text, e.Value, want)
		}
	}
}

func TestParseNamesTheLineOfABadEscape(t *testing.T) {
	_, err := Parse("config.properties", []byte("a=1\npath=C:\\users"))
	if !errors.Is(err, ErrSyntax) || !strings.HasPrefix(err.Error(), "config.properties:2: ") || !strings.Contains(err.Error(), `\\`) {
		t.Fatalf("got %v", err)
	}
}

func TestLoadRefusesWhatIsNoConfiguration(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.properties")
	if _, err := Load(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent file: %v", err)
	}
	if err := os.WriteFile(path, make([]byte, maxSize+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "larger") {
		t.Errorf("huge file: %v", err)
	}
	if err := os.WriteFile(path, []byte("a=b"), 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err := Load(path); err != nil || flatten(f) != "0061=0062;" {
		t.Errorf("got %v, %v", f, err)
	}
}

// FuzzParse checks that every text either is refused or reads as keys and
// values that, written back with every special character escaped, read the
// same again.
func FuzzParse(f *testing.F) {
	for _, text := range texts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse("x", data)
		if err != nil {
			if !errors.Is(err, ErrSyntax) && len(data) <= maxSize {
				t.Fatalf("unexpected error %v", err)
			}
			return
		}
		var b strings.Builder
		line := 0
		for e := range file.Entries() {
			if e.Line <= line {
				t.Fatalf("line %d after line %d", e.Line, line)
			}
			line = e.Line
			b.WriteString(escaped(e.Key) + "=" + escaped(e.Value) + "\n")
		}
		again, err := Parse("y", []byte(b.String()))
		if err != nil {
			t.Fatalf("%q does not read back: %v", b.String(), err)
		}
		if got, want := flatten(again), flatten(file); got != want {
			t.Fatalf("%q reads back as %s, want %s", b.String(), got, want)
		}
	})
}

func escaped(s string) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(s)) {
		fmt.Fprintf(&b, `\u%04X`, u)
	}
	return b.String()
}
