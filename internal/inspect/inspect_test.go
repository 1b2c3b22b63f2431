package inspect

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/keystore"
)

var (
	update = flag.Bool("update", false, "write the golden texts anew")
	remake = flag.Bool("remake", false, "make the files of testdata anew")
)

const testPassword = "Parol 1"

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func text(t testing.TB, n *Node) string {
	t.Helper()
	var b strings.Builder
	if err := n.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// golden compares with a text file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update || *remake {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(read(t, name)), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// files are the files of testdata, with the label they must be recognised by.
var files = []struct{ name, password, label string }{
	{"uz-production-ca.pem", "", "certificate"},
	{"uz-production-root.pem", "", "certificate"},
	{"site.cer", "", "certificate"},
	{"hostile.cer", "", "certificate"},
	{"request.csr", "", "certificate request (PKCS#10)"},
	{"fixture.b64", "", "CMS SignedData (PKCS#7)"},
	{"detached.der", "", "CMS SignedData (PKCS#7)"},
	{"plain.p7s", "", "CMS SignedData (PKCS#7)"},
	{"stamped.p7s", "", "CMS SignedData (PKCS#7)"},
	{"enveloped.p7m", "", "CMS"},
	{"broken.p7s", "", "ASN.1"},
	{"request.tsq", "", "timestamp request"},
	{"granted.tsr", "", "timestamp response"},
	{"rejected.tsr", "", "timestamp response"},
	{"token.tst", "", "timestamp token"},
	{"ocsp.req", "", "OCSP request"},
	{"ocsp.resp", "", "OCSP response"},
	{"malformed.resp", "", "OCSP response"},
	{"list.crl", "", "CRL"},
	{"java8.pfx", "", "key file (PFX, PKCS#12)"},
	{"java8.pfx", testPassword, "key file (PFX, PKCS#12)"},
	{"modern.pfx", "", "key file (PFX, PKCS#12)"},
	{"key.yks", "", "key file (YKS, YTKS-2)"},
	{"key.yks", testPassword, "key file (YKS, YTKS-2)"},
	{"keybag.pfx", "", "key file (PFX, PKCS#12)"},
	{"ozdst.key", "", "private key (PKCS#8)"},
	{"unknown.key", "", "private key (PKCS#8)"},
	{"chain.pem", "", "file"},
	{"encrypted.pem", "", "encrypted private key (PKCS#8)"},
	{"encrypted.pem", testPassword, "encrypted private key (PKCS#8)"},
	{"old-encrypted.pem", "", "PEM RSA PRIVATE KEY"},
	{"rsa.pem", "", "RSA private key"},
	{"ec.pem", "", "file"},
	{"ozdst.pub", "", "public key"},
}

func TestDescribesEveryKindAsGolden(t *testing.T) {
	if *remake {
		remakeTestdata(t)
	}
	for _, f := range files {
		name := f.name
		if f.password != "" {
			name += ".opened"
		}
		t.Run(name, func(t *testing.T) {
			n, err := Describe(read(t, f.name), f.password)
			if err != nil {
				t.Fatal(err)
			}
			if n.Label != f.label {
				t.Errorf("label %q, want %q", n.Label, f.label)
			}
			golden(t, name+".txt", text(t, n))
		})
	}
}

func TestPlainTreesAsGolden(t *testing.T) {
	for _, name := range []string{"fixture.b64", "java8.pfx", "ozdst.key", "rsa.pem", "ec.pem", "chain.pem", "old-encrypted.pem"} {
		n, err := ASN1(read(t, name))
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name+".asn1.txt", text(t, n))
	}
}

// secrets returns the octets of testdata's private keys that must never be
// seen: the numbers of each key.
func secrets(t *testing.T) [][]byte {
	t.Helper()
	out := [][]byte{[]byte(hostileSecret)}
	// d of the GOST key: SEC1 inside PKCS#8.
	pkcs8, err := ber.Parse(read(t, "ozdst.key"))
	if err != nil {
		t.Fatal(err)
	}
	inner, err := ber.Parse(childAt(pkcs8, 2).Content)
	if err != nil {
		t.Fatal(err)
	}
	d := childAt(inner, 1).Content
	if len(d) != 32 {
		t.Fatalf("d has %d octets", len(d))
	}
	out = append(out, d)
	block, _ := pem.Decode(read(t, "rsa.pem"))
	key, err := ber.Parse(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	for i := 3; i < 9; i++ {
		out = append(out, bytes.TrimLeft(childAt(key, i).Content, "\x00"))
	}
	_, rest := pem.Decode(read(t, "ec.pem"))
	block, _ = pem.Decode(rest)
	if key, err = ber.Parse(block.Bytes); err != nil {
		t.Fatal(err)
	}
	return append(out, childAt(key, 1).Content)
}

// shows tells whether a text has a secret in hex, base64, as a number or as
// it is, in either byte order. Sixteen octets of it are enough.
func shows(text string, secret []byte) bool {
	if len(secret) > 16 {
		secret = secret[:16]
	}
	reversed := bytes.Clone(secret)
	for i, j := 0, len(reversed)-1; i < j; i, j = i+1, j-1 {
		reversed[i], reversed[j] = reversed[j], reversed[i]
	}
	lower := strings.ToLower(text)
	return strings.Contains(lower, hex.EncodeToString(secret)) || strings.Contains(lower, hex.EncodeToString(reversed)) ||
		strings.Contains(text, string(secret)) || strings.Contains(text, base64.RawStdEncoding.EncodeToString(secret[:15]))
}

func TestPrivateKeysAreNeverShown(t *testing.T) {
	hidden := secrets(t)
	check := func(t *testing.T, n *Node) {
		t.Helper()
		out := text(t, n)
		for i, s := range hidden {
			if shows(out, s) {
				t.Errorf("secret %d is shown", i)
			}
		}
	}
	for _, f := range files {
		data := read(t, f.name)
		described, err := Describe(data, f.password)
		if err != nil {
			t.Fatal(err)
		}
		check(t, described)
		if keystore.IsYKS(data) {
			continue // no ASN.1
		}
		plain, err := ASN1(data)
		if err != nil {
			t.Fatal(err)
		}
		check(t, plain)
	}
}

func TestKeysOfTestdataWouldBeFound(t *testing.T) {
	// The guard of the test above: what it looks for is in the files.
	for i, s := range secrets(t) {
		found := false
		for _, name := range []string{"ozdst.key", "unknown.key"} {
			found = found || bytes.Contains(read(t, name), s)
		}
		for _, name := range []string{"rsa.pem", "ec.pem"} {
			for rest := read(t, name); ; {
				var block *pem.Block
				if block, rest = pem.Decode(rest); block == nil {
					break
				}
				found = found || bytes.Contains(block.Bytes, s)
			}
		}
		if !found || !shows(hex.EncodeToString(s), s) {
			t.Errorf("secret %d is in no file", i)
		}
	}
}

func TestWrongPasswordIsTold(t *testing.T) {
	for _, name := range []string{"java8.pfx", "modern.pfx", "encrypted.pem"} {
		if _, err := Describe(read(t, name), "wrong"); !errors.Is(err, keystore.ErrPassword) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPasswordOpensCertificatesNotTheKey(t *testing.T) {
	n, err := Describe(read(t, "modern.pfx"), testPassword)
	if err != nil {
		t.Fatal(err)
	}
	out := text(t, n)
	for _, want := range []string{"PETROVA ANNA", "OZDST-1092-2009-2", "parameter set: A, curve CryptoPro-A", "private part: not shown", "certificate 3: TestRoot"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
}

func TestSameTreeForEveryTextForm(t *testing.T) {
	der := read(t, "token.tst")
	want, err := Describe(der, "")
	if err != nil {
		t.Fatal(err)
	}
	armored := pem.EncodeToMemory(&pem.Block{Type: "CMS", Bytes: der})
	for name, form := range map[string][]byte{
		"base64":        []byte(base64.StdEncoding.EncodeToString(der)),
		"PEM":           armored,
		"base64 of PEM": []byte(base64.StdEncoding.EncodeToString(armored)),
	} {
		got, err := Describe(form, "")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

func TestWhatIsNoPKIFileIsRefused(t *testing.T) {
	for _, data := range []string{"", "hello, world\n", "-----BEGIN CERTIFICATE-----\n", "\x30\x82"} {
		if n, err := Describe([]byte(data), ""); err == nil {
			t.Errorf("%q: %s", data, text(t, n))
		}
	}
}

func TestOtherTagsAndTrailingOctetsAreShown(t *testing.T) {
	n, err := Describe(ber.Set(ber.Int64(5), ber.PrintableString("UZ")), "")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := text(t, n), "ASN.1\n  SET\n    INTEGER: 5\n    PrintableString: UZ\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	n, err = Describe(append(ber.Sequence(ber.Tagged(ber.Context(6), []byte("http://x.uz")), ber.Tagged(0x41, []byte{1, 2})), 0xff, 0x01), "")
	if err != nil {
		t.Fatal(err)
	}
	out := text(t, n)
	for _, want := range []string{"file: 2 parts", "[6]: http://x.uz", "[application 1]: 0102", "contents: 2 bytes after it"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
}

func TestSeveralElementsAreDescribedOneByOne(t *testing.T) {
	c := read(t, "site.cer")
	n, err := Describe(bytes.Repeat(c, maxListed+2), "")
	if err != nil {
		t.Fatal(err)
	}
	if len(n.Children) != maxListed+1 || n.Children[0].Label != "certificate" || !strings.Contains(n.Children[maxListed].Value, "more than") {
		t.Errorf("%d children, last %+v", len(n.Children), n.Children[len(n.Children)-1])
	}
}

func TestOutputIsBounded(t *testing.T) {
	// A hundred thousand elements, a deep nest of strings, a huge text.
	many := make([][]byte, 100_000)
	for i := range many {
		many[i] = ber.Null()
	}
	nested := ber.OctetString([]byte("innermost secret"))
	for range 50 {
		nested = ber.OctetString(nested)
	}
	for name, data := range map[string][]byte{
		"elements": ber.Sequence(many...),
		"strings":  ber.Sequence(nested),
		"text":     ber.Sequence(ber.UTF8String(strings.Repeat("ў", 1_000_000))),
		"octets":   ber.Sequence(ber.OctetString(make([]byte, 1_000_000))),
		"number":   ber.Sequence(ber.Tagged(ber.TagInteger, bytes.Repeat([]byte{0x7f}, 4000))),
	} {
		n, err := Describe(data, "")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if count := countNodes(n); count > maxNodes+50 {
			t.Errorf("%s: %d nodes", name, count)
		}
		if out := text(t, n); len(out) > 40*maxNodes {
			t.Errorf("%s: %d octets of text", name, len(out))
		}
	}
}

func countNodes(n *Node) int {
	count := 1
	for _, c := range n.Children {
		count += countNodes(c)
	}
	return count
}

func TestPrintableEscapesWhatDrivesATerminal(t *testing.T) {
	for in, want := range map[string]string{
		"‘ZDST Ўзбекистон 🙂": "‘ZDST Ўзбекистон 🙂",
		"\x1b[31m\r\n":       `\u001b[31m\u000d\u000a`,
		"a\u202eb\u2066":     `a\u202eb\u2066`,
		"\u009b\u2028\ufeff": `\u009b\u2028\ufeff`,
		"\U000e0041":         `\U000e0041`,
		"\xff":               "\ufffd",
	} {
		if got := Printable(in); strings.ToValidUTF8(got, "\ufffd") != want {
			t.Errorf("Printable(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestHostileNamesAreEscaped(t *testing.T) {
	n, err := Describe(read(t, "hostile.cer"), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range text(t, n) {
		if r != '\n' && Unsafe(r) {
			t.Fatalf("%U is written as it is", r)
		}
	}
}

func TestEveryParameterSetHasAName(t *testing.T) {
	for _, spec := range []string{"ozdst:A", "ozdst:B", "ozdst:C", "ozmst:A", "ozmst:B", "ozmst:C", "gost2001:A", "ecdsa:P-256", "ecdsa:P-384"} {
		k, err := alg.GenerateKey(spec, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if oidName(k.PublicKey().ParamSet) == "" {
			t.Errorf("%s: %s has no name", spec, k.PublicKey().ParamSet)
		}
	}
}
