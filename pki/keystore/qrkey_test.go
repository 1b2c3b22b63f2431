package keystore

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"imzo/gost/gost3410"
	"imzo/gost/gost341194"
	"imzo/internal/testpki"
	"imzo/pki/alg"
)

const qrVector = "e7310101fe69b6e06c5102dedcef472f6e08b141c55939f12d8d7660a312709a7cad6efda00892c41a8a14b3fc62957f0c6455f58809de3acbcc98ac4c8595809bc6f460"

// vectorKey is the key of the vectors, 0102...20 on curve A.
func vectorKey(t testing.TB) *alg.PrivateKey {
	t.Helper()
	s, err := gost3410.NewPrivateKey(gost3410.CryptoProA(), upTo32(1))
	if err != nil {
		t.Fatal(err)
	}
	k, err := alg.NewPrivateKey(s, alg.FamilyOZDST)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func qrKey(t testing.TB, k *alg.PrivateKey, password string) string {
	t.Helper()
	text, err := QRKey(k, password)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestQRKeyVector(t *testing.T) {
	if got := qrKey(t, vectorKey(t), testPassword); got != qrVector {
		t.Errorf("got %s\nwant %s", got, qrVector)
	}
	for _, text := range []string{qrVector, strings.ToUpper(qrVector), " " + qrVector + "\n"} {
		k, err := ParseQRKey(text, testPassword)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(k.PublicKey().Raw, vectorKey(t).PublicKey().Raw) {
			t.Errorf("another key comes of %q", text)
		}
	}
}

func TestQRKeysAreThoseOfBouncyCastlesPrimitives(t *testing.T) {
	java := startGOSTJava(t)
	for set, curve := range map[string]string{"ozdst": "1", "ozdst:B": "2", "ozdst:C": "3", "ozmst": "1", "ozmst:C": "3"} {
		key := testpki.Key(t, set)
		d := key.Signer().(*gost3410.PrivateKey).Bytes()
		text := qrKey(t, key, "0Az9")
		if want := java.ask(t, "qr", []byte("0Az9"), []byte(curve), d); text != want {
			t.Errorf("%s:\n got %s\nwant %s", set, text, want)
		}
		back, err := ParseQRKey(text, "0Az9")
		if err != nil || !bytes.Equal(back.Signer().(*gost3410.PrivateKey).Bytes(), d) {
			t.Errorf("%s: %v", set, err)
		}
		if _, err := ParseQRKey(text, "0Az8"); !errors.Is(err, ErrPassword) || errors.Is(err, ErrFormat) {
			t.Errorf("%s: another password: %v", set, err)
		}
	}
}

func TestQRKeysTakePasswordsOfDigitsAndLatinLetters(t *testing.T) {
	key := vectorKey(t)
	for _, password := range []string{"", "a b", "a-b", "пароль", "a\n", "a\x00", "é", "a_", "@", "[", "`", "{", "/", ":", strings.Repeat("a", maxPassword+1)} {
		if text, err := QRKey(key, password); !errors.Is(err, ErrQRPassword) {
			t.Errorf("%.10q: %s, %v", password, text, err)
		}
		if _, err := ParseQRKey(qrVector, password); !errors.Is(err, ErrQRPassword) || !errors.Is(err, ErrPassword) {
			t.Errorf("reading with %.10q: %v", password, err)
		}
	}
	for _, password := range []string{"0", "9", "A", "Z", "a", "z", strings.Repeat("a", maxPassword)} {
		if _, err := ParseQRKey(qrKey(t, key, password), password); err != nil {
			t.Errorf("%.10q: %v", password, err)
		}
	}
}

func TestQRKeysAreMadeOfKeysOfUzbekistanOnly(t *testing.T) {
	for _, spec := range []string{"gost2001", "rsa:2048", "ecdsa:P-256", "ed25519"} {
		if text, err := QRKey(testpki.Key(t, spec), "a"); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: %s, %v", spec, text, err)
		}
	}
	key := vectorKey(t)
	key.Wipe()
	if _, err := QRKey(key, "a"); !errors.Is(err, ErrUnsupported) {
		t.Errorf("a wiped key: %v", err)
	}
}

func TestSingleKeyRefusesFilesOfNoneOrSeveral(t *testing.T) {
	e := Entry{Alias: "a"}
	if got, err := SingleKey([]Entry{e}); err != nil || got.Alias != "a" {
		t.Errorf("%v, %v", got, err)
	}
	for _, entries := range [][]Entry{nil, {e, e}} {
		if _, err := SingleKey(entries); !errors.Is(err, ErrSingleKey) || !strings.Contains(err.Error(), "PFX must contain a single key") {
			t.Errorf("%d entries: %v", len(entries), err)
		}
	}
}

func TestParseQRKeyRefusesWhatIsNone(t *testing.T) {
	good := unhex(t, qrVector)
	with := func(at int, octet byte) string {
		b := bytes.Clone(good)
		b[at] = octet
		return hex.EncodeToString(b)
	}
	c, err := qrCipher(testPassword)
	if err != nil {
		t.Fatal(err)
	}
	// A scalar of zero with a fitting digest.
	zero := append(bytes.Clone(good[:4]), make([]byte, 32)...)
	zero = append(zero, gostSum(gost341194.New(), make([]byte, 32))...)
	if err := c.EncryptECB(zero[4:], zero[4:]); err != nil {
		t.Fatal(err)
	}
	for what, tc := range map[string]struct {
		text string
		want error
	}{
		"nothing":          {"", ErrFormat},
		"cut off":          {qrVector[2:], ErrFormat},
		"more":             {qrVector + "00", ErrFormat},
		"no hex":           {"g" + qrVector[1:], ErrFormat},
		"another header":   {with(0, 0xe6), ErrFormat},
		"another version":  {with(2, 2), ErrFormat},
		"no curve":         {with(3, 0), ErrUnsupported},
		"a fourth curve":   {with(3, 4), ErrUnsupported},
		"a changed scalar": {with(4, good[4]^1), ErrPassword},
		"a changed digest": {with(67, good[67]^1), ErrPassword},
		"a scalar of zero": {hex.EncodeToString(zero), ErrFormat},
	} {
		if k, err := ParseQRKey(tc.text, testPassword); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, %v", what, k, err)
		}
	}
}

// A text that reads is written again as it was, but for the case of its
// letters.
func FuzzParseQRKey(f *testing.F) {
	f.Add(qrVector, testPassword)
	f.Add(strings.ToUpper(qrKey(f, testpki.Key(f, "ozdst:B"), "0")), "0")
	f.Add("E731", "пароль")
	f.Fuzz(func(t *testing.T, text, password string) {
		k, err := ParseQRKey(text, password)
		checkTyped(t, err)
		if err != nil {
			return
		}
		if got := qrKey(t, k, password); got != strings.ToLower(strings.TrimSpace(text)) {
			t.Errorf("%q comes back as %q", text, got)
		}
	})
}
