package magma_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"imzo/gost/magma"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// RFC 8891 A.3 and A.4.
func TestCipherOfTheStandard(t *testing.T) {
	c, err := magma.NewCipher(unhex(t, "ffeeddccbbaa99887766554433221100f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"))
	if err != nil {
		t.Fatal(err)
	}
	plain, want := unhex(t, "fedcba9876543210"), unhex(t, "4ee901e5c2d8ca3d")
	got := make([]byte, 8)
	if c.Encrypt(got, plain); !bytes.Equal(got, want) {
		t.Errorf("encrypted %x, want %x", got, want)
	}
	if c.Decrypt(got, got); !bytes.Equal(got, plain) {
		t.Errorf("decrypted %x, want %x", got, plain)
	}
	if c.BlockSize() != 8 {
		t.Errorf("BlockSize %d", c.BlockSize())
	}
}

const (
	mgmKey   = "ffeeddccbbaa99887766554433221100f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"
	mgmNonce = "12def06b3c130a59"
	mgmData  = "0101010101010101 0202020202020202 0303030303030303 0404040404040404 0505050505050505 ea"
	mgmPlain = "ffeeddccbbaa9988 1122334455667700 8899aabbcceeff0a 0011223344556677 99aabbcceeff0a00 1122334455667788 aabbcceeff0a0011 2233445566778899 aabbcc"
	mgmText  = "c795066c5f9ea03b 85113342459185ae 1f2e00d6bf2b785d 940470b8bb9c8e7d 9a5dd3731f7ddc70 ec27cb0ace6fa576 70f65c646abb75d5 47aa37c3bcb5c34e 03bb9c"
	mgmTag   = "a7928069aa10fd10"
)

// RFC 9058 A.2.
func TestMGMOfTheStandard(t *testing.T) {
	m, err := magma.NewMGM(unhex(t, mgmKey))
	if err != nil {
		t.Fatal(err)
	}
	nonce, data, plain := unhex(t, mgmNonce), unhex(t, mgmData), unhex(t, mgmPlain)
	want := unhex(t, mgmText+mgmTag)
	got := m.Seal([]byte("before"), nonce, plain, data)
	if !bytes.Equal(got, append([]byte("before"), want...)) {
		t.Errorf("sealed %x\nwant   %x", got, want)
	}
	back, err := m.Open(nil, nonce, want, data)
	if err != nil || !bytes.Equal(back, plain) {
		t.Errorf("opened %x, %v", back, err)
	}
}

func TestMGMInPlace(t *testing.T) {
	m, _ := magma.NewMGM(unhex(t, mgmKey))
	nonce := unhex(t, mgmNonce)
	for n := range 100 {
		plain := make([]byte, n)
		_, _ = rand.Read(plain)
		want := m.Seal(nil, nonce, plain, plain[:n/2])
		data := bytes.Clone(plain[:n/2])
		buffer := make([]byte, n, n+magma.TagSize)
		copy(buffer, plain)
		got := m.Seal(buffer[:0], nonce, buffer, data)
		if !bytes.Equal(got, want) || &got[0] != &buffer[:1][0] {
			t.Fatalf("%d bytes in place: %x, want %x", n, got, want)
		}
		back, err := m.Open(got[:0], nonce, got, data)
		if err != nil || !bytes.Equal(back, plain) {
			t.Fatalf("%d bytes opened in place: %x, %v", n, back, err)
		}
	}
}

func TestMGMRefusesEveryChange(t *testing.T) {
	m, _ := magma.NewMGM(unhex(t, mgmKey))
	nonce, data := unhex(t, mgmNonce), unhex(t, mgmData)
	sealed := unhex(t, mgmText+mgmTag)
	for _, changed := range []*[]byte{&nonce, &data, &sealed} {
		for bit := range 8 * len(*changed) {
			if changed == &nonce && bit == 7 {
				continue // which panics
			}
			(*changed)[bit/8] ^= 1 << (bit % 8)
			dst := make([]byte, 0, 200)
			out, err := m.Open(dst, nonce, sealed, data)
			if !errors.Is(err, magma.ErrOpen) || out != nil || !bytes.Equal(dst[:200], make([]byte, 200)) {
				t.Fatalf("bit %d: %x, %v", bit, out, err)
			}
			(*changed)[bit/8] ^= 1 << (bit % 8)
		}
	}
	for n := range sealed {
		if _, err := m.Open(nil, nonce, sealed[:n], data); !errors.Is(err, magma.ErrOpen) {
			t.Fatalf("%d bytes: %v", n, err)
		}
	}
}

func TestMisuse(t *testing.T) {
	if _, err := magma.NewMGM(make([]byte, 31)); err == nil {
		t.Error("a key of 31 bytes was taken")
	}
	m, _ := magma.NewMGM(make([]byte, 32))
	c, _ := magma.NewCipher(make([]byte, 32))
	for name, f := range map[string]func(){
		"short nonce":    func() { m.Seal(nil, make([]byte, 7), nil, nil) },
		"first bit":      func() { m.Seal(nil, append([]byte{0x80}, make([]byte, 7)...), nil, nil) },
		"short block":    func() { c.Encrypt(make([]byte, 8), make([]byte, 7)) },
		"short result":   func() { c.Encrypt(make([]byte, 7), make([]byte, 8)) },
		"after the wipe": func() { c.Wipe(); c.Encrypt(make([]byte, 8), make([]byte, 8)) },
		"sealed after":   func() { m.Wipe(); m.Seal(nil, make([]byte, 8), nil, nil) },
	} {
		if name == "after the wipe" || name == "sealed after" {
			defer panics(t, name, f)
			continue
		}
		panics(t, name, f)
	}
	if m.NonceSize() != 8 || m.Overhead() != 8 {
		t.Error("sizes of the mode")
	}
}

func panics(t *testing.T, name string, f func()) {
	defer func() {
		if recover() == nil {
			t.Errorf("%s: no panic", name)
		}
	}()
	f()
}

func BenchmarkSeal(b *testing.B) {
	m, _ := magma.NewMGM(make([]byte, 32))
	buffer := make([]byte, 16384, 16384+magma.TagSize)
	nonce := make([]byte, 8)
	b.SetBytes(int64(len(buffer)))
	b.ReportAllocs()
	for b.Loop() {
		m.Seal(buffer[:0], nonce, buffer, nil)
	}
}
