package gost28147

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"testing"
)

// vector is an entry of testdata/vectors.json.
type vector struct {
	Op, Source string

	SBox    string // object identifier
	Rows    string // or the S-box itself, two values a byte
	Meshing bool
	Key, IV string

	Input        string
	InputPattern int `json:"input_pattern"` // n bytes 7i+3
	Output       string
	OutputSHA256 string `json:"output_sha256"`
}

func (v vector) sbox(t *testing.T) *SBox {
	t.Helper()
	if v.SBox != "" {
		s, ok := SBoxByOID(v.SBox)
		if !ok {
			t.Fatalf("no S-box %s", v.SBox)
		}
		return s
	}
	packed := unhex(t, v.Rows)
	if len(packed) != 64 {
		t.Fatalf("S-box of %d bytes", len(packed))
	}
	var rows [8][16]byte
	for i, b := range packed {
		rows[i/8][i%8*2], rows[i/8][i%8*2+1] = b>>4, b&15
	}
	s, err := NewSBox(rows)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (v vector) input(t *testing.T) []byte {
	t.Helper()
	if v.InputPattern == 0 {
		return unhex(t, v.Input)
	}
	b := make([]byte, v.InputPattern)
	for i := range b {
		b[i] = byte(7*i + 3)
	}
	return b
}

func (v vector) check(t *testing.T, got []byte) {
	t.Helper()
	if v.OutputSHA256 != "" {
		if sum := sha256.Sum256(got); hex.EncodeToString(sum[:]) != v.OutputSHA256 {
			t.Errorf("output %x... is not the expected one", got[:min(16, len(got))])
		}
		return
	}
	if want := unhex(t, v.Output); !bytes.Equal(got, want) {
		t.Errorf("output is %x, want %x", got, want)
	}
}

func TestVectors(t *testing.T) {
	text, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Vectors []vector }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Vectors) < 50 {
		t.Fatalf("only %d vectors", len(file.Vectors))
	}
	for i, v := range file.Vectors {
		t.Run(fmt.Sprintf("%d %s", i, v.Op), func(t *testing.T) {
			t.Log(v.Source)
			s, in := v.sbox(t), v.input(t)
			c := newCipher(t, unhex(t, v.Key), s)
			m := NoMeshing
			if v.Meshing {
				m = CryptoProMeshing
			}
			out := make([]byte, len(in))
			back := make([]byte, len(in))
			switch v.Op {
			case "ecb":
				if err := c.EncryptECB(out, in); err != nil {
					t.Fatal(err)
				}
				if err := c.DecryptECB(back, out); err != nil {
					t.Fatal(err)
				}
			case "cfb", "cnt":
				enc, dec := newStream(NewCFBEncrypter), newStream(NewCFBDecrypter)
				if v.Op == "cnt" {
					enc, dec = NewCNT, NewCNT
				}
				e, err := enc(c, unhex(t, v.IV), m)
				if err != nil {
					t.Fatal(err)
				}
				d, err := dec(c, unhex(t, v.IV), m)
				if err != nil {
					t.Fatal(err)
				}
				e.XORKeyStream(out, in)
				d.XORKeyStream(back, out)
			case "mac":
				mac, err := NewMAC(c, MACOptions{Size: len(v.Output) / 2, Meshing: m})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := mac.Write(in); err != nil {
					t.Fatal(err)
				}
				out, back = mac.Sum(nil), in
			case "wrap", "wrap_cryptopro":
				wrap, unwrap := WrapKey, UnwrapKey
				if v.Op == "wrap_cryptopro" {
					wrap, unwrap = WrapKeyCryptoPro, UnwrapKeyCryptoPro
				}
				if out, err = wrap(unhex(t, v.Key), in, unhex(t, v.IV), s); err != nil {
					t.Fatal(err)
				}
				if back, err = unwrap(unhex(t, v.Key), out, s); err != nil {
					t.Fatal(err)
				}
			default:
				t.Fatalf("unknown operation %q", v.Op)
			}
			v.check(t, out)
			if !bytes.Equal(back, in) {
				t.Errorf("the inverse gives %x, want %x", back, in)
			}
		})
	}
}
