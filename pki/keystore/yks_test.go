package keystore

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"imzo/gost/gost28147"
	"imzo/gost/gost341194"
	"imzo/internal/testpki"
	"imzo/internal/testpki/peer"
	"imzo/pki/alg"
	"imzo/pki/ber"
)

func createYKS(t testing.TB, password string, entries ...Entry) []byte {
	t.Helper()
	data, err := CreateYKS(rand.Reader, entries, password)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// utf16Password is the encoding of an ASCII password, by hand.
func utf16Password(s string) []byte {
	var b []byte
	for i := range len(s) {
		b = append(b, 0, s[i])
	}
	return b
}

// resealed replaces the digest at the end by the right one for the content.
func resealed(data []byte) []byte {
	body := data[:len(data)-gost341194.Size]
	return append(bytes.Clone(body), yksDigest(utf16Password(testPassword), body)...)
}

// upTo32 returns the octets from, from+1, ... of a vector.
func upTo32(from byte) []byte {
	b := make([]byte, 32)
	for i := range b {
		b[i] = from + byte(i)
	}
	return b
}

func TestYKSVectors(t *testing.T) {
	// The key that the password is stretched to encrypts like the key of
	// the vector.
	c, err := yksCipher(utf16Password(testPassword), upTo32(0))
	if err != nil {
		t.Fatal(err)
	}
	want, err := gost28147.NewCipher(unhex(t, "718133a66b881e32c205f28f4e3421fd03b8e1581e424a45cbcc3b60ad943700"), gost28147.SBoxHashCryptoPro())
	if err != nil {
		t.Fatal(err)
	}
	got, expected := make([]byte, 8), make([]byte, 8)
	c.Encrypt(got, got)
	want.Encrypt(expected, expected)
	if !bytes.Equal(got, expected) {
		t.Error("another key comes of the password")
	}

	const empty = "feedbeef" + "00000002" + "00000000" + "cdaa750dc0f60603fe86468cad4303130cc361b989f4e4ab6d2e6dc68c3c4011"
	if got := hex.EncodeToString(createYKS(t, testPassword)); got != empty {
		t.Errorf("empty store %s", got)
	}
	if entries, err := OpenYKS(unhex(t, empty), testPassword); err != nil || len(entries) != 0 {
		t.Errorf("%v, %v", entries, err)
	}
	if items, err := ListYKS(unhex(t, empty)); err != nil || len(items) != 0 {
		t.Errorf("%v, %v", items, err)
	}
}

// TestYKSFixture holds the format still: what a release wrote once, the next
// ones open.
func TestYKSFixture(t *testing.T) {
	data, err := os.ReadFile("testdata/fixture.yks")
	if err != nil {
		t.Fatal(err)
	}
	const alias = "cn=test user,name=test,c=uz,1.2.860.3.16.1.2=12345678901234,serialnumber=77010203,validfrom=2025.01.01 00:00:00,validto=2027.01.01 00:00:00"
	items, err := ListYKS(data)
	if err != nil || len(items) != 1 || items[0].Alias != alias || len(items[0].Chain) != 1 || items[0].Chain[0].SerialHex() != "77010203" ||
		items[0].Created.UnixMilli() != 1767268800123 {
		t.Fatalf("%+v, %v", items, err)
	}
	entries, err := OpenYKS(data, testPassword)
	if err != nil || len(entries) != 1 || entries[0].Alias != alias {
		t.Fatalf("%+v, %v", entries, err)
	}
	checkPair(t, entries[0].Key, items[0].Chain[0])
	if !bytes.Contains(pkcs8Of(t, entries[0].Key), upTo32(1)) {
		t.Error("another key")
	}
}

func TestYKSFilesBringBackKeysAndChains(t *testing.T) {
	for _, spec := range allSpecs {
		want := entryOf(t, spec, testpki.Organisation)
		want.Created = time.UnixMilli(1700000000123).UTC()
		data := createYKS(t, testPassword, want)
		entries, err := OpenYKS(data, testPassword)
		if err != nil || len(entries) != 1 {
			t.Fatalf("%s: %d, %v", spec, len(entries), err)
		}
		checkSameEntry(t, entries[0], want)
		if !entries[0].Created.Equal(want.Created) {
			t.Errorf("%s: made %s", spec, entries[0].Created)
		}
		if again, err := Open(data, testPassword); err != nil || len(again) != 1 || again[0].Alias != want.Alias {
			t.Errorf("%s: Open: %d, %v", spec, len(again), err)
		}
		items, err := ListYKS(data)
		if err != nil || len(items) != 1 || items[0].Alias != want.Alias || len(items[0].Chain) != 3 || !items[0].Chain[2].Equal(want.Chain[2]) ||
			!items[0].Created.Equal(want.Created) {
			t.Errorf("%s: lists %+v, %v", spec, items, err)
		}
	}
}

func TestYKSFilesHoldSeveralKeysInTheirOrder(t *testing.T) {
	first, second := entryOf(t, "ozdst", testpki.Person), entryOf(t, "ozmst", testpki.Organisation)
	first.Alias, second.Alias = "Second by Name № 1 😀", "A"
	bare := Entry{Alias: "no certificate", Key: testpki.Key(t, "ozdst:B")}
	entries, err := OpenYKS(createYKS(t, testPassword, first, second, bare), testPassword)
	if err != nil || len(entries) != 3 {
		t.Fatalf("%d, %v", len(entries), err)
	}
	// Aliases keep their case, unlike those of PFX.
	if entries[0].Alias != first.Alias || entries[1].Alias != "A" || entries[2].Alias != "no certificate" {
		t.Errorf("%q, %q, %q", entries[0].Alias, entries[1].Alias, entries[2].Alias)
	}
	if !entries[0].Created.Equal(first.Chain[0].NotBefore) || !entries[2].Created.IsZero() {
		t.Errorf("made %s, %s", entries[0].Created, entries[2].Created)
	}
	if len(entries[2].Chain) != 0 || !entries[2].Key.PublicKey().SameKey(bare.Key.PublicKey()) {
		t.Error("another key without a certificate")
	}
}

func TestYKSFilesStayClosedToOtherPasswords(t *testing.T) {
	data := createYKS(t, testPassword, entryOf(t, "ozdst", testpki.Person))
	for _, password := range []string{"", "Abc1234", testPassword + "x", "abc12345", "00000000", "\xff", strings.Repeat("a", 2000)} {
		if entries, err := OpenYKS(data, password); !errors.Is(err, ErrPassword) || errors.Is(err, ErrFormat) {
			t.Errorf("%.20q: %d, %v", password, len(entries), err)
		}
	}
	// The magic password of E-IMZO opens what it was used for, no more.
	data = createYKS(t, "00000000", entryOf(t, "ozdst", testpki.Person))
	if entries, err := OpenYKS(data, "00000000"); err != nil || len(entries) != 1 {
		t.Errorf("%d, %v", len(entries), err)
	}
	for _, password := range []string{"", "ўқғҳ😀"} {
		if _, err := OpenYKS(createYKS(t, password, entryOf(t, "ozdst", testpki.Person)), password); err != nil {
			t.Errorf("%q: %v", password, err)
		}
	}
}

func TestChangedYKSFilesDoNotOpen(t *testing.T) {
	data := createYKS(t, testPassword, entryOf(t, "ozdst", testpki.Person))
	for i := 0; i < len(data); i += 1 + i/64 {
		changed := bytes.Clone(data)
		changed[i] ^= 0x01
		if _, err := OpenYKS(changed, testPassword); err == nil {
			t.Errorf("octet %d can change", i)
		}
		if _, err := OpenYKS(data[:i], testPassword); !errors.Is(err, ErrFormat) {
			t.Errorf("the first %d octets: %v", i, err)
		}
		if _, err := ListYKS(data[:i]); !errors.Is(err, ErrFormat) {
			t.Errorf("the first %d octets list: %v", i, err)
		}
	}
	if _, err := OpenYKS(append(bytes.Clone(data), 0), testPassword); !errors.Is(err, ErrFormat) {
		t.Errorf("an octet more: %v", err)
	}
}

func TestAKeyOfAYKSFileUnderAnotherPasswordIsNamed(t *testing.T) {
	e := entryOf(t, "ozdst", testpki.Person)
	e.Alias = "mine"
	s, err := parseYKS(createYKS(t, testPassword, e))
	if err != nil {
		t.Fatal(err)
	}
	other, err := sealYKSKey(rand.Reader, utf16Password("other"), pkcs8Of(t, e.Key))
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Clone(s.entries[0].key)
	changed[len(changed)-1] ^= 1
	for what, key := range map[string][]byte{"another password's": other, "a changed checksum": changed} {
		s.entries[0].key = key
		data, err := s.marshal(utf16Password(testPassword))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := OpenYKS(data, testPassword); !errors.Is(err, ErrPassword) || !strings.Contains(err.Error(), `"mine"`) {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := ChangeYKSPassword(rand.Reader, data, testPassword, "new"); !errors.Is(err, ErrPassword) {
			t.Errorf("%s: changing: %v", what, err)
		}
	}
}

// yksOf is a store of one entry whose key is sealed as it is given.
func yksOf(t testing.TB, e yksEntry) []byte {
	t.Helper()
	data, err := (&yks{entries: []yksEntry{e}}).marshal(utf16Password(testPassword))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func sealed(t testing.TB, pkcs8 []byte) []byte {
	t.Helper()
	der, err := sealYKSKey(rand.Reader, utf16Password(testPassword), pkcs8)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestYKSFilesThatMakeNoSenseAreRefused(t *testing.T) {
	e, other := entryOf(t, "ozdst", testpki.Person), entryOf(t, "ozdst", testpki.Organisation)
	key, certificate := pkcs8Of(t, e.Key), e.Chain[0].Raw
	info := func(oid ber.OID, params []byte, octets int) []byte {
		return ber.Sequence(ber.Sequence(oid.DER(), params), ber.OctetString(make([]byte, octets)))
	}
	number := func(at int, v uint32) func([]byte) {
		return func(b []byte) { binary.BigEndian.PutUint32(b[at:], v) }
	}
	entry := func(seal []byte, certs ...[]byte) []byte {
		return yksOf(t, yksEntry{kind: yksKey, alias: "a", key: seal, certs: certs})
	}
	patched := func(change func([]byte)) []byte {
		data := entry(sealed(t, key), certificate)
		change(data)
		return resealed(data)
	}
	for what, tc := range map[string]struct {
		data []byte
		want error
	}{
		"nothing":                      {nil, ErrFormat},
		"another magic number":         {patched(number(0, 0xfeedfeed)), ErrFormat},
		"version 1":                    {patched(number(4, 1)), ErrUnsupported},
		"many entries":                 {patched(number(8, maxBags+1)), ErrLimit},
		"a negative number of entries": {patched(number(8, 0xffffffff)), ErrLimit},
		"two entries of one":           {patched(number(8, 2)), ErrFormat},
		"an entry of kind 3":           {patched(number(12, 3)), ErrFormat},
		"an endless key":               {patched(number(27, 0xffffffff)), ErrFormat},
		"an alias of half a pair":      {patched(func(b []byte) { b[18] = 0xff }), ErrFormat},
		"a long chain":                 {entry(sealed(t, key), bytesTimes(certificate, maxChain+1)...), ErrLimit},
		"a large key":                  {entry(make([]byte, maxKey+1)), ErrLimit},
		"a large file":                 {make([]byte, maxFile+1), ErrLimit},
		"no certificate but octets":    {entry(sealed(t, key), []byte{1, 2, 3}), ErrFormat},
		"another key's certificate":    {entry(sealed(t, key), other.Chain[0].Raw), ErrFormat},
		"no key":                       {entry(nil), ErrFormat},
		"no key in the sealed":         {entry(sealed(t, []byte("no key"))), ErrFormat},
		"another cipher":               {entry(info(oidPBE3DES, ber.Null(), 72)), ErrUnsupported},
		"parameters":                   {entry(info(oidYKSKey, ber.Int64(5), 72)), ErrFormat},
		"no text":                      {entry(info(oidYKSKey, ber.Null(), 64)), ErrFormat},
		"half a block":                 {entry(info(oidYKSKey, ber.Null(), 76)), ErrFormat},
		"zeros":                        {entry(info(oidYKSKey, ber.Null(), 80)), ErrPassword},
		"a key that is cut off":        {entry(sealed(t, key)[:50]), ErrFormat},
		"more behind the key":          {entry(ber.Sequence(append([][]byte{alg.NewNull(oidYKSKey).Marshal()}, ber.OctetString(nil), ber.Null())...)), ErrFormat},
		"a text for an octet string":   {entry(ber.Sequence(alg.NewNull(oidYKSKey).Marshal(), ber.UTF8String("a"))), ErrFormat},
		"a certificate of another type": {patched(func(b []byte) {
			copy(b[bytes.Index(b, []byte("X.509")):], "X.500")
		}), ErrUnsupported},
	} {
		if entries, err := OpenYKS(tc.data, testPassword); !errors.Is(err, tc.want) {
			t.Errorf("%s: %d, %v", what, len(entries), err)
		}
	}
}

func bytesTimes(b []byte, n int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = b
	}
	return out
}

func TestOldAndBareCiphersOfYKSOpen(t *testing.T) {
	e := entryOf(t, "ozdst", testpki.Person)
	for _, id := range []alg.AlgorithmIdentifier{alg.New(oidYKSKey), alg.NewNull(oidYKSKeyOld)} {
		parsed, err := ber.Parse(sealed(t, pkcs8Of(t, e.Key)))
		if err != nil {
			t.Fatal(err)
		}
		in := parsed.Children()
		if _, err := in.Next(); err != nil {
			t.Fatal(err)
		}
		octets, err := in.Next()
		if err != nil {
			t.Fatal(err)
		}
		data := yksOf(t, yksEntry{kind: yksKey, alias: "a", key: ber.Sequence(id.Marshal(), octets.Raw)})
		entries, err := OpenYKS(data, testPassword)
		if err != nil || len(entries) != 1 || !entries[0].Key.PublicKey().SameKey(e.Key.PublicKey()) {
			t.Errorf("%s: %d, %v", id.OID, len(entries), err)
		}
	}
}

func TestCreateYKSRefusesWhatItCannotWrite(t *testing.T) {
	e := entryOf(t, "ozdst", testpki.Person)
	with := func(change func(*Entry)) []Entry {
		c := e
		change(&c)
		return []Entry{c}
	}
	wiped := testpki.Key(t, "ozdst")
	wiped.Wipe()
	for what, entries := range map[string][]Entry{
		"no alias":           with(func(e *Entry) { e.Alias = "" }),
		"a long alias":       with(func(e *Entry) { e.Alias = strings.Repeat("a", 70_000) }),
		"an alias of octets": with(func(e *Entry) { e.Alias = "\xff" }),
		"no key":             with(func(e *Entry) { e.Key = nil }),
		"a wiped key":        with(func(e *Entry) { e.Key, e.Chain = wiped, nil }),
		"another key":        with(func(e *Entry) { e.Key = testpki.Key(t, "ozdst") }),
		"two of one name":    {e, e},
		"a long chain": with(func(e *Entry) {
			for len(e.Chain) <= maxChain {
				e.Chain = append(e.Chain, e.Chain[0])
			}
		}),
	} {
		if data, err := CreateYKS(rand.Reader, entries, testPassword); err == nil {
			t.Errorf("%s: %d octets", what, len(data))
		}
	}
	if _, err := CreateYKS(rand.Reader, nil, "\xff"); !errors.Is(err, ErrPassword) {
		t.Errorf("a password of octets: %v", err)
	}
	if _, err := CreateYKS(bytes.NewReader(nil), []Entry{e}, testPassword); err == nil {
		t.Error("a salt of nothing")
	}
}

// trustedStore is a store of a key and a trusted certificate, written by Java.
func trustedStore(t testing.TB, java javaPeer, oid string, e Entry) []byte {
	t.Helper()
	args := [][]byte{[]byte(oid), []byte(testPassword), upTo32(9), []byte(e.Alias), []byte("1700000000123"), pkcs8Of(t, e.Key)}
	for _, c := range e.Chain {
		args = append(args, c.Raw)
	}
	return unword(t, java.ask(t, "write", args...))
}

func startGOSTJava(t testing.TB) javaPeer {
	t.Helper()
	return javaPeer{peer.BouncyCastle(t).Start(t, "GOSTKeyFiles", "testdata/GOSTKeyFiles.java")}
}

func TestJavaAndWeReadEachOthersYKSFiles(t *testing.T) {
	java := startGOSTJava(t)
	for _, spec := range []string{"ozdst", "ozmst:C", "rsa:2048"} {
		want := entryOf(t, spec, testpki.Organisation)
		want.Alias = "Калит № 1, O‘z \x00 😀"
		want.Created = time.UnixMilli(1700000000123).UTC()

		second := Entry{Alias: "second", Key: testpki.Key(t, spec)}
		data := createYKS(t, testPassword, want, second)
		b64 := base64.StdEncoding.EncodeToString
		words := []string{b64([]byte(want.Alias)), "1700000000123", b64(pkcs8Of(t, want.Key))}
		for _, c := range want.Chain {
			words = append(words, b64(c.Raw))
		}
		words = append(words, ";", b64([]byte("second")), "0", b64(pkcs8Of(t, second.Key)))
		if got, expected := java.ask(t, "read", []byte(testPassword), data), strings.Join(words, " "); got != expected {
			t.Errorf("%s: Java reads\n%s\nwant\n%s", spec, got, expected)
		}
		if got := java.ask(t, "read", []byte("another"), data); got != "wrong password" {
			t.Errorf("%s: %s", spec, got)
		}

		for _, oid := range []ber.OID{oidYKSKey, oidYKSKeyOld} {
			theirs := trustedStore(t, java, oid.String(), want)
			entries, err := OpenYKS(theirs, testPassword)
			if err != nil || len(entries) != 1 {
				t.Fatalf("%s: %d, %v", spec, len(entries), err)
			}
			if entries[0].Alias != want.Alias || !entries[0].Created.Equal(want.Created) {
				t.Errorf("%s: %q, %s", spec, entries[0].Alias, entries[0].Created)
			}
			entries[0].Alias = lower(want.Alias)
			checkSameEntry(t, entries[0], want)
		}
	}
}

func TestTrustedCertificatesOfAYKSFileStayAndAreRead(t *testing.T) {
	java := startGOSTJava(t)
	want := entryOf(t, "ozdst", testpki.Person)
	data := trustedStore(t, java, oidYKSKey.String(), want)
	root := want.Chain[len(want.Chain)-1]
	if certs, err := ParseTrustStore(data, testPassword); err != nil || len(certs) != 1 || !certs[0].Equal(root) {
		t.Errorf("%d, %v", len(certs), err)
	}
	if _, err := ParseTrustStore(data, "another"); !errors.Is(err, ErrPassword) {
		t.Errorf("another password: %v", err)
	}
	if items, err := ListYKS(data); err != nil || len(items) != 1 || items[0].Alias != want.Alias {
		t.Errorf("lists %+v, %v", items, err)
	}

	changed, err := ChangeYKSPassword(rand.Reader, data, testPassword, "Янги пароль")
	if err != nil {
		t.Fatal(err)
	}
	if certs, err := ParseTrustStore(changed, "Янги пароль"); err != nil || len(certs) != 1 || !certs[0].Equal(root) {
		t.Errorf("%d, %v", len(certs), err)
	}
	entries, err := OpenYKS(changed, "Янги пароль")
	if err != nil || len(entries) != 1 || entries[0].Created.UnixMilli() != 1700000000123 {
		t.Fatalf("%+v, %v", entries, err)
	}
	checkSameEntry(t, entries[0], want)
	if _, err := OpenYKS(changed, testPassword); !errors.Is(err, ErrPassword) {
		t.Errorf("the old password: %v", err)
	}
	if _, err := ChangeYKSPassword(rand.Reader, data, "another", "new"); !errors.Is(err, ErrPassword) {
		t.Errorf("another password: %v", err)
	}
	if _, err := ChangeYKSPassword(rand.Reader, data, testPassword, "\xff"); !errors.Is(err, ErrPassword) {
		t.Errorf("a new password of octets: %v", err)
	}
	if _, err := ChangeYKSPassword(bytes.NewReader(nil), data, testPassword, "new"); err == nil {
		t.Error("a salt of nothing")
	}
}

func TestAliasesAreJavasModifiedUTF8(t *testing.T) {
	java := startGOSTJava(t)
	for _, s := range []string{"a", "Ўқғҳ №", "\u0000", "a\x00b", "\u007f\u0080\u07ff\u0800\uffff", "😀𐐀\U0010ffff", "\ufffd"} {
		got, err := encodeModifiedUTF8(s)
		if err != nil {
			t.Fatal(err)
		}
		if want := unword(t, java.ask(t, "utf", []byte(s))); !bytes.Equal(got, want) {
			t.Errorf("%q is %x, Java writes %x", s, got, want)
		}
		if back, err := decodeModifiedUTF8(got); err != nil || back != s {
			t.Errorf("%q comes back as %q, %v", s, back, err)
		}
	}
	for _, octets := range []string{
		"00", "c0", "c081", "80", "ff", "ed", "eda0", "eda080", "eda08061", "edb080", "edb080eda080", "eda080eda080", "eda080ed", "f09f9880", "e0808a", "c1bf",
	} {
		if s, err := decodeModifiedUTF8(unhex(t, octets)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s is %q, %v", octets, s, err)
		}
	}
}

func TestTimesOfYKSEntriesThatNoCalendarHasAreNone(t *testing.T) {
	for ms, want := range map[int64]string{
		0: "", 1: "1970-01-01T00:00:00.001Z", -1: "1969-12-31T23:59:59.999Z", 1 << 62: "", -1 << 62: "",
	} {
		data := yksOf(t, yksEntry{kind: yksKey, alias: "a", created: ms, key: sealed(t, pkcs8Of(t, testpki.Key(t, "ozdst")))})
		items, err := ListYKS(data)
		if err != nil || len(items) != 1 {
			t.Fatal(err)
		}
		if got := items[0].Created; got.IsZero() != (want == "") || want != "" && got.Format(time.RFC3339Nano) != want {
			t.Errorf("%s: %s", strconv.FormatInt(ms, 10), got)
		}
	}
}

// What parses is written again octet for octet but for the digest; what opens
// lists, and can be written.
func FuzzOpenYKS(f *testing.F) {
	f.Add(createYKS(f, testPassword, entryOf(f, "ozdst", testpki.Person)))
	f.Add(createYKS(f, testPassword))
	f.Add(yksOf(f, yksEntry{kind: yksTrusted, alias: "\x00😀", certs: [][]byte{entryOf(f, "ecdsa:P-256", testpki.Person).Chain[0].Raw}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > gost341194.Size {
			data = resealed(data) // or nothing gets past the digest
		}
		s, err := parseYKS(data)
		checkTyped(t, err)
		if err != nil {
			if errors.Is(err, ErrPassword) {
				t.Error("reading asks for a password")
			}
			return
		}
		again, err := s.marshal(utf16Password(testPassword))
		if err != nil || !bytes.Equal(again, data) {
			t.Fatalf("written again: %v\n%x\n%x", err, again, data)
		}
		items, listErr := ListYKS(data)
		checkTyped(t, listErr)
		if len(s.entries) > 2 {
			return // each key costs a thousand rounds
		}
		entries, err := OpenYKS(data, testPassword)
		checkTyped(t, err)
		if err != nil {
			return
		}
		if listErr != nil || len(items) != len(entries) {
			t.Errorf("opens %d and lists %d, %v", len(entries), len(items), listErr)
		}
		for _, e := range entries {
			if e.Key == nil || e.Key.PublicKey().Supported() != nil {
				t.Error("entry without a usable key")
			}
		}
	})
}
