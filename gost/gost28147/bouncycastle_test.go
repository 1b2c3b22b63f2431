package gost28147

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"imzo/internal/testpki/peer"
)

// bc asks BouncyCastle; arguments are names, or bytes to be sent in hex.
type bc struct{ proc *peer.Proc }

func bouncyCastle(t *testing.T) bc {
	t.Helper()
	return bc{peer.BouncyCastle(t).Start(t, "Peer", "testdata/Peer.java")}
}

func (b bc) ask(t *testing.T, args ...any) string {
	t.Helper()
	line := make([]string, len(args))
	for i, a := range args {
		switch a := a.(type) {
		case string:
			line[i] = a
		case []byte:
			line[i] = hex.EncodeToString(a)
			if len(a) == 0 {
				line[i] = "-"
			}
		case *SBox: // 128 bytes, a value each
			for _, row := range a.rows {
				line[i] += hex.EncodeToString(row[:])
			}
		default:
			t.Fatalf("argument %d is a %T", i, a)
		}
	}
	return b.proc.Ask(t, strings.Join(line, " "))
}

func (b bc) bytes(t *testing.T, args ...any) []byte {
	t.Helper()
	answer := b.ask(t, args...)
	if answer == "-" {
		return nil
	}
	return unhex(t, answer)
}

func TestSBoxesAreThoseOfBouncyCastle(t *testing.T) {
	b := bouncyCastle(t)
	for name, s := range map[string]*SBox{
		"E-TEST": SBoxTest(), "E-A": SBoxCryptoProA(), "E-B": SBoxCryptoProB(), "E-C": SBoxCryptoProC(),
		"E-D": SBoxCryptoProD(), "Param-Z": SBoxTC26Z(), "D-TEST": SBoxHashTest(), "D-A": SBoxHashCryptoPro(),
	} {
		want := b.bytes(t, "sbox", name)
		var got []byte
		for _, row := range s.Rows() {
			got = append(got, row[:]...)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: rows are %x, BouncyCastle's %s are %x", s.Name(), got, name, want)
		}
	}
}

// rounds is how often each check against BouncyCastle runs with other random
// input; a round takes some 50 us.
const rounds = 1500

// lengths returns lengths around the limits of blocks and of key meshing,
// then random ones.
func lengths(r *source, i int) int {
	edges := []int{0, 1, 7, 8, 9, 15, 16, 17, 1016, 1023, 1024, 1025, 1032, 2047, 2048, 2049, 4096, 9001}
	if i < len(edges) {
		return edges[i]
	}
	return r.IntN(3000)
}

func TestECBAgreesWithBouncyCastle(t *testing.T) {
	b, r := bouncyCastle(t), newSource(t)
	for range rounds {
		s, key, data := r.sbox(), r.bytes(KeySize), r.bytes(BlockSize*r.IntN(20))
		c := newCipher(t, key, s)
		enc, dec := make([]byte, len(data)), make([]byte, len(data))
		if err := c.EncryptECB(enc, data); err != nil {
			t.Fatal(err)
		}
		if err := c.DecryptECB(dec, data); err != nil {
			t.Fatal(err)
		}
		if want := b.bytes(t, "ecb+", s, key, data); !bytes.Equal(enc, want) {
			t.Fatalf("%s: encryption of %x with key %x is %x, want %x", s.Name(), data, key, enc, want)
		}
		if want := b.bytes(t, "ecb-", s, key, data); !bytes.Equal(dec, want) {
			t.Fatalf("%s: decryption of %x with key %x is %x, want %x", s.Name(), data, key, dec, want)
		}
	}
}

func TestStreamsAgreeWithBouncyCastle(t *testing.T) {
	b := bouncyCastle(t)
	for _, tc := range []struct {
		command string
		new     newStream
		m       Meshing
	}{
		{"cfb+", NewCFBEncrypter, NoMeshing},
		{"cfb-", NewCFBDecrypter, NoMeshing},
		{"gcfb+", NewCFBEncrypter, CryptoProMeshing},
		{"gcfb-", NewCFBDecrypter, CryptoProMeshing},
		{"gofb+", NewCNT, NoMeshing}, // BouncyCastle's counter mode does not mesh
		{"gofb-", NewCNT, NoMeshing},
	} {
		t.Run(tc.command, func(t *testing.T) {
			r := newSource(t)
			for i := range rounds {
				s, key, iv, data := r.sbox(), r.bytes(KeySize), r.bytes(BlockSize), r.bytes(lengths(r, i))
				stream, err := tc.new(newCipher(t, key, s), iv, tc.m)
				if err != nil {
					t.Fatal(err)
				}
				got := r.inPieces(stream, data)
				if want := b.bytes(t, tc.command, s, key, iv, data); !bytes.Equal(got, want) {
					t.Fatalf("%s, key %x, iv %x, %d bytes: differs from byte %s", s.Name(), key, iv, len(data), firstDifference(got, want))
				}
			}
		})
	}
}

func TestMACAgreesWithBouncyCastle(t *testing.T) {
	b, r := bouncyCastle(t), newSource(t)
	for i := range rounds {
		s, key, data := r.sbox(), r.bytes(KeySize), r.bytes(lengths(r, i))
		if len(data) <= BlockSize {
			// BouncyCastle fills a short message up to one block, we to two.
			data = r.bytes(BlockSize + 1 + len(data))
		}
		var o MACOptions
		iv := []byte(nil)
		if i%2 == 1 {
			iv = r.bytes(BlockSize)
			o.IV = iv
		}
		m, err := NewMAC(newCipher(t, key, s), o)
		if err != nil {
			t.Fatal(err)
		}
		r.writePieces(t, m, data)
		if got, want := m.Sum(nil), b.bytes(t, "mac", s, key, iv, data); !bytes.Equal(got, want) {
			t.Fatalf("%s, key %x, iv %x, %d bytes: MAC is %x, want %x", s.Name(), key, iv, len(data), got, want)
		}
	}
}

func TestKeyWrapAgreesWithBouncyCastle(t *testing.T) {
	b := bouncyCastle(t)
	for _, tc := range []struct {
		name   string
		wrap   func(kek, cek, ukm []byte, s *SBox) ([]byte, error)
		unwrap func(kek, wrapped []byte, s *SBox) ([]byte, error)
	}{
		{"", WrapKey, UnwrapKey},
		{"cp", WrapKeyCryptoPro, UnwrapKeyCryptoPro},
	} {
		t.Run(tc.name+"wrap", func(t *testing.T) {
			r := newSource(t)
			for range rounds {
				s, kek, cek, ukm := r.sbox(), r.bytes(KeySize), r.bytes(KeySize), r.bytes(UKMSize)
				got, err := tc.wrap(kek, cek, ukm, s)
				if err != nil {
					t.Fatal(err)
				}
				// BouncyCastle leaves the UKM out of what it returns.
				theirs := b.bytes(t, tc.name+"wrap", s, kek, ukm, cek)
				if want := append(bytes.Clone(ukm), theirs...); !bytes.Equal(got, want) {
					t.Fatalf("%s, kek %x, cek %x, ukm %x: wrapped %x, want %x", s.Name(), kek, cek, ukm, got, want)
				}
				back, err := tc.unwrap(kek, append(bytes.Clone(ukm), theirs...), s)
				if err != nil || !bytes.Equal(back, cek) {
					t.Fatalf("BouncyCastle's key does not unwrap: %v", err)
				}
				if answer := b.ask(t, tc.name+"unwrap", s, kek, ukm, got[UKMSize:]); answer != hex.EncodeToString(cek) {
					t.Fatalf("BouncyCastle unwraps %s, want %x", answer, cek)
				}
			}
		})
	}
}

func firstDifference(a, b []byte) string {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprint(i)
		}
	}
	return fmt.Sprintf("%d (lengths %d and %d)", min(len(a), len(b)), len(a), len(b))
}
