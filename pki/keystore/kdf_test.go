package keystore

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"os"
	"strings"
	"testing"

	"imzo/internal/testpki/peer"
)

// The vectors of RFC 2268 section 5.
func TestRC2MatchesItsVectors(t *testing.T) {
	for _, v := range []struct {
		key, plain, cipher string
		bits               int
	}{
		{"0000000000000000", "0000000000000000", "ebb773f993278eff", 63},
		{"ffffffffffffffff", "ffffffffffffffff", "278b27e42e2f0d49", 64},
		{"3000000000000000", "1000000000000001", "30649edf9be7d2c2", 64},
		{"88", "0000000000000000", "61a8a244adacccf0", 64},
		{"88bca90e90875a", "0000000000000000", "6ccf4308974c267f", 64},
		{"88bca90e90875a7f0f79c384627bafb2", "0000000000000000", "1a807d272bbe5db1", 64},
		{"88bca90e90875a7f0f79c384627bafb2", "0000000000000000", "2269552ab0f85ca6", 128},
		{"88bca90e90875a7f0f79c384627bafb216f80a6f85920584c42fceb0be255daf1e", "0000000000000000", "5b78d3a43dfff1f1", 129},
	} {
		c := newRC2(unhex(t, v.key), v.bits)
		got := make([]byte, rc2BlockSize)
		c.Encrypt(got, unhex(t, v.plain))
		if hex.EncodeToString(got) != v.cipher {
			t.Errorf("key %s, %d bits: %x, want %s", v.key, v.bits, got, v.cipher)
		}
		c.Decrypt(got, got)
		if hex.EncodeToString(got) != v.plain {
			t.Errorf("key %s, %d bits: decrypts to %x", v.key, v.bits, got)
		}
	}
}

// The vectors of the PKCS#12 derivation that BouncyCastle and others carry:
// password "smeg", SHA-1.
func TestPKCS12DerivationMatchesKnownVectors(t *testing.T) {
	for _, v := range []struct {
		purpose    byte
		salt       string
		iterations int
		want       string
	}{
		{kdfKey, "0a58cf64530d823f", 1, "8aaae6297b6cb04642ab5b077851284eb7128f1a2a7fbca3"},
		{kdfIV, "0a58cf64530d823f", 1, "79993dfe048d3b76"},
		{kdfMAC, "3d83c0e4546ac140", 1, "8d967d88f6caa9d714800ab3d48051d63f73a312"},
	} {
		pw, err := newPassword("smeg")
		if err != nil {
			t.Fatal(err)
		}
		got := pkcs12Key(sha1.New, v.purpose, pw.bmp[0], unhex(t, v.salt), v.iterations, len(v.want)/2)
		if hex.EncodeToString(got) != v.want {
			t.Errorf("purpose %d: %x, want %s", v.purpose, got, v.want)
		}
	}
}

func TestDerivationsAgreeWithOpenSSL(t *testing.T) {
	ossl := peer.OpenSSL(t)
	hashes := map[string]func() hash.Hash{"SHA1": sha1.New, "SHA224": sha256.New224, "SHA256": sha256.New, "SHA384": sha512.New384, "SHA512": sha512.New}
	passwords := []string{"", "x", "Abc12345", "пароль", strings.Repeat("long", 40)}
	n := 0
	for name, h := range hashes {
		password := passwords[n%len(passwords)]
		n++
		pw, err := newPassword(password)
		if err != nil {
			t.Fatal(err)
		}
		salt := bytes.Repeat([]byte{byte(n)}, 1+n*17) // shorter and longer than a block
		for purpose := kdfKey; purpose <= kdfMAC; purpose++ {
			size := []int{5, 24, 150}[purpose-1]
			out := ossl.Run(t, nil, "kdf", "-binary", "-keylen", fmt.Sprint(size), "-kdfopt", "digest:"+name,
				"-kdfopt", fmt.Sprintf("hexpass:%x", pw.bmp[0]), "-kdfopt", fmt.Sprintf("hexsalt:%x", salt),
				"-kdfopt", "iter:37", "-kdfopt", fmt.Sprintf("id:%d", purpose), "PKCS12KDF")
			if got := pkcs12Key(h, purpose, pw.bmp[0], salt, 37, size); !bytes.Equal(got, out) {
				t.Errorf("PKCS#12 with %s, purpose %d: %x, want %x", name, purpose, got, out)
			}
		}
		if password == "" {
			continue // openssl kdf takes no empty password for PBKDF2
		}
		form := pw.octets[len(pw.octets)-1]
		out := ossl.Run(t, nil, "kdf", "-binary", "-keylen", "50", "-kdfopt", "digest:"+name,
			"-kdfopt", fmt.Sprintf("hexpass:%x", form), "-kdfopt", fmt.Sprintf("hexsalt:%x", salt),
			"-kdfopt", "iter:37", "-kdfopt", "pkcs5:1", "PBKDF2")
		got, err := pbkdf2Key(h, form, salt, 37, 50)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, out) {
			t.Errorf("PBKDF2 with %s: %x, want %x", name, got, out)
		}
	}
}

func TestPasswordIsEncodedInTheFormsOfItsReaders(t *testing.T) {
	for _, tc := range []struct {
		password    string
		bmp, octets []string
	}{
		{"", []string{"0000", ""}, []string{""}},
		{"aB", []string{"006100420000"}, []string{"6142"}},
		{"Ўў", []string{"040e045e0000"}, []string{"0e5e", "d08ed19e"}},
		{"é", []string{"00e90000"}, []string{"e9", "c3a9"}},
		{"😀", []string{"d83dde000000"}, []string{"3d00", "f09f9880"}},
	} {
		p, err := newPassword(tc.password)
		if err != nil {
			t.Fatal(err)
		}
		if got := hexes(p.bmp); fmt.Sprint(got) != fmt.Sprint(tc.bmp) {
			t.Errorf("%q for PKCS#12: %q, want %q", tc.password, got, tc.bmp)
		}
		if got := hexes(p.octets); fmt.Sprint(got) != fmt.Sprint(tc.octets) {
			t.Errorf("%q for PBKDF2: %q, want %q", tc.password, got, tc.octets)
		}
		p.wipe()
		for _, b := range append(p.bmp, p.octets...) {
			if bytes.Count(b, []byte{0}) != len(b) {
				t.Errorf("%q is still in memory after wiping", tc.password)
			}
		}
	}
	for _, bad := range []string{"\xff", strings.Repeat("a", maxPassword+1)} {
		if _, err := newPassword(bad); !errors.Is(err, ErrPassword) {
			t.Errorf("password of %d octets: %v", len(bad), err)
		}
	}
}

func hexes(list [][]byte) []string {
	out := make([]string, len(list))
	for i, b := range list {
		out[i] = hex.EncodeToString(b)
	}
	return out
}

// The file of RFC 9579 appendix A.1: PBMAC1 with SHA-256, password "1234".
func TestPBMAC1FileOfTheRFCOpens(t *testing.T) {
	text, err := os.ReadFile("testdata/rfc9579-a1.b64")
	if err != nil {
		t.Fatal(err)
	}
	data, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil {
		t.Fatal(err)
	}
	entries, err := OpenPFX(data, "1234")
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Alias != "" || len(entries[0].Chain) != 1 {
		t.Fatalf("entries: %+v", entries)
	}
	checkPair(t, entries[0].Key, entries[0].Chain[0])
	if _, err := OpenPFX(data, "12345"); !errors.Is(err, ErrPassword) {
		t.Errorf("wrong password: %v", err)
	}
	// A changed key length in the MAC's parameters is a wrong MAC over
	// contents that decrypt (RFC 9579 A.6 has such a file).
	at := bytes.LastIndex(data, unhex(t, "020120300c"))
	data[at+2] = 0x21
	if _, err := OpenPFX(data, "1234"); !errors.Is(err, ErrFormat) {
		t.Errorf("changed MAC parameters: %v", err)
	}
}
