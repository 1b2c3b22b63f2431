package gost341194

import (
	"bytes"
	"crypto/hmac"
	"crypto/pbkdf2"
	"encoding"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"

	"imzo/gost/gost28147"
)

type vectorFile struct {
	Hash []struct {
		Source, SBox string
		Text         *string `json:"message_text"`
		Hex          string  `json:"message_hex"`
		RepeatText   string  `json:"repeat_text"`
		Repeat       int
		Digest       string
	}
	HMAC []struct {
		Source, SBox, Key, Message, MAC string
	}
	PBKDF2 []struct {
		Source, SBox, Password, Salt, Key string
		Iterations                        int
	}
}

func vectors(t *testing.T) vectorFile {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var f vectorFile
	if err := json.Unmarshal(text, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

// constructor returns the function that makes the hash of a vector.
func constructor(t *testing.T, sbox string) func() hash.Hash {
	t.Helper()
	switch sbox {
	case "cryptopro":
		return New
	case "test":
		return NewTest
	}
	s := unpack(t, sbox)
	return func() hash.Hash { return NewWithSBox(s) }
}

func TestHashVectors(t *testing.T) {
	f := vectors(t)
	if len(f.Hash) < 40 {
		t.Fatalf("only %d vectors", len(f.Hash))
	}
	var messages [][]byte
	var digests []string
	for i, v := range f.Hash {
		msg := unhex(t, v.Hex)
		if v.Text != nil {
			msg = []byte(*v.Text)
		}
		if v.Repeat > 0 {
			msg = []byte(strings.Repeat(v.RepeatText, v.Repeat))
		}
		for _, p := range paths() {
			h := on(p, constructor(t, v.SBox)())
			newSource(t).write(t, h, msg)
			if got := hex.EncodeToString(h.Sum(nil)); got != v.Digest {
				t.Errorf("%d (%s), %s, %d bytes: %s, want %s", i, v.Source, p, len(msg), got, v.Digest)
			}
		}
		if v.SBox == "cryptopro" {
			if got := Sum256(msg); hex.EncodeToString(got[:]) != v.Digest {
				t.Errorf("%d (%s): Sum256 is %x, want %s", i, v.Source, got, v.Digest)
			}
			messages, digests = append(messages, msg), append(digests, v.Digest)
		}
	}
	many := make([][Size]byte, len(messages))
	SumMany(many, messages)
	for i, want := range digests {
		if got := hex.EncodeToString(many[i][:]); got != want {
			t.Errorf("SumMany, %d bytes: %s, want %s", len(messages[i]), got, want)
		}
	}
}

func TestHMACVectors(t *testing.T) {
	for _, v := range vectors(t).HMAC {
		for _, p := range paths() {
			m := hmac.New(func() hash.Hash { return on(p, constructor(t, v.SBox)()) }, unhex(t, v.Key))
			if _, err := m.Write(unhex(t, v.Message)); err != nil {
				t.Fatal(err)
			}
			if got := hex.EncodeToString(m.Sum(nil)); got != v.MAC {
				t.Errorf("%s, %s: %s, want %s", v.Source, p, got, v.MAC)
			}
		}
	}
}

func TestPBKDF2Vectors(t *testing.T) {
	for _, v := range vectors(t).PBKDF2 {
		for _, p := range paths() {
			if v.Iterations > 10_000 && p != publicPath {
				continue // minutes, for what the other vectors test as well
			}
			h := func() hash.Hash { return on(p, constructor(t, v.SBox)()) }
			got, err := pbkdf2.Key(h, v.Password, unhex(t, v.Salt), v.Iterations, Size)
			if err != nil || hex.EncodeToString(got) != v.Key {
				t.Errorf("%s, %s, %d iterations: %x, %v, want %s", v.Source, p, v.Iterations, got, err, v.Key)
			}
		}
	}
}

func TestHashAgreesWithTheTextbook(t *testing.T) {
	r := newSource(t)
	for i := range 400 {
		s, msg := r.sbox(), r.bytes(min(r.length(i), 1500))
		want := textbookHash(t, s, make([]byte, 32), new(big.Int), new(big.Int), msg)
		for _, p := range paths() {
			h := on(p, NewWithSBox(s))
			r.write(t, h, msg)
			if got := h.Sum(nil); !bytes.Equal(got, want) {
				t.Fatalf("%s, S-box %x, message %x: %x, want %x", p, s.Rows(), msg, got, want)
			}
		}
	}
}

func TestConstantTimeHashIsTheSameWithoutTables(t *testing.T) {
	r := newSource(t)
	for i := range 300 {
		message := r.bytes(r.length(i))
		h := NewConstantTime()
		r.write(t, h, message[:len(message)/2])
		next := NewConstantTime()
		if err := next.(encoding.BinaryUnmarshaler).UnmarshalBinary(marshal(t, h)); err != nil {
			t.Fatal(err)
		}
		clone, err := next.(hash.Cloner).Clone()
		if err != nil {
			t.Fatal(err)
		}
		r.write(t, clone, message[len(message)/2:])
		if want := Sum256(message); !bytes.Equal(clone.Sum(nil), want[:]) {
			t.Fatalf("%d bytes: %x, want %x", len(message), clone.Sum(nil), want)
		}
		h.Reset()
		if empty := Sum256(nil); !bytes.Equal(h.Sum(nil), empty[:]) {
			t.Fatalf("after Reset: %x", h.Sum(nil))
		}
		for _, h := range []hash.Hash{h, next, clone} {
			if p := h.(*state).path; p != secretPath || !slices.Contains(constantTime, p) {
				t.Fatalf("the hash went by %s, whose time may tell the message", p)
			}
		}
	}
}

// TestLengthAndSumCarryAcrossWords starts from states no test could reach by
// writing: lengths of 2^61 bytes and more, whose count of bits leaves the
// lowest 64-bit word, and sums about to overflow 256 bits.
func TestLengthAndSumCarryAcrossWords(t *testing.T) {
	r := newSource(t)
	s := gost28147.SBoxHashCryptoPro()
	ones := ^uint64(0)
	for _, length := range []uint64{1 << 40, 1<<61 - 32, 1 << 61, 3 << 61, ones - 31 - 128} {
		for _, sum := range []words{{}, {ones, ones, ones, ones}, {ones, 0, ones, 0}, {0, 0, 0, ones}} {
			h := words{r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64()}
			msg := bytes.Repeat([]byte{0xff}, 114)
			hb, sb := h.bytes(), sum.bytes()
			want := textbookHash(t, s, hb[:], number(sb[:]), new(big.Int).SetUint64(length&^31), msg)
			for _, p := range paths() {
				d := &state{sbox: s, t: cryptoProTables, path: p, h: h, sum: sum, length: length &^ 31}
				if _, err := d.Write(msg); err != nil {
					t.Fatal(err)
				}
				if got := d.Sum(nil); !bytes.Equal(got, want) {
					t.Errorf("%s, length %d, sum %x: %x, want %x", p, length, sum, got, want)
				}
			}
		}
	}
}

func TestPsi4IsPsiFourTimes(t *testing.T) {
	r := newSource(t)
	for range 1000 {
		a := words{r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64()}
		b := a
		n := r.IntN(20)
		a.psi4(n)
		for range 4 * n {
			b.psi()
		}
		if a != b {
			t.Fatalf("psi4 %d times: %016x, want %016x", n, a, b)
		}
	}
}

func TestPsi60IsPsiSixtyTimes(t *testing.T) {
	r := newSource(t)
	for range 1000 {
		a := words{r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64()}
		b := a
		a.psi60()
		for range 60 {
			b.psi()
		}
		if a != b {
			t.Fatalf("%016x, want %016x", a, b)
		}
	}
}

func TestSumKeepsTheState(t *testing.T) {
	r := newSource(t)
	msg := r.bytes(500)
	h := New()
	for i, b := range msg {
		prefix := []byte("digest: ")
		got := h.Sum(prefix)
		want := Sum256(msg[:i])
		if string(got) != "digest: "+string(want[:]) {
			t.Fatalf("after %d bytes: %x, want %x", i, got[len(prefix):], want)
		}
		if _, err := h.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestResetForgetsTheMessageAndKeepsTheSBox(t *testing.T) {
	r := newSource(t)
	for range 20 {
		s := r.sbox()
		h := NewWithSBox(s)
		want := h.Sum(nil)
		r.write(t, h, r.bytes(100))
		h.Reset()
		if got := h.Sum(nil); !bytes.Equal(got, want) {
			t.Errorf("after Reset %x, want %x", got, want)
		}
		if h.Size() != Size || h.BlockSize() != BlockSize {
			t.Errorf("Size %d, BlockSize %d", h.Size(), h.BlockSize())
		}
	}
}

func TestConstructorsTakeTheirSBoxes(t *testing.T) {
	for name, pair := range map[string][2]hash.Hash{
		"CryptoPro": {New(), NewWithSBox(gost28147.SBoxHashCryptoPro())},
		"test":      {NewTest(), NewWithSBox(gost28147.SBoxHashTest())},
	} {
		if a, b := pair[0].Sum(nil), pair[1].Sum(nil); !bytes.Equal(a, b) {
			t.Errorf("%s: %x and %x", name, a, b)
		}
	}
	if bytes.Equal(New().Sum(nil), NewTest().Sum(nil)) {
		t.Error("New and NewTest are alike")
	}
}

func TestCloneGoesOnAlone(t *testing.T) {
	r := newSource(t)
	a, b, c := r.bytes(77), r.bytes(50), r.bytes(60)
	h := New().(hash.Cloner)
	r.write(t, h, a)
	clone, err := h.Clone()
	if err != nil {
		t.Fatal(err)
	}
	r.write(t, h, b)
	r.write(t, clone, c)
	for _, tc := range []struct {
		h   hash.Hash
		msg []byte
	}{{h, append(bytes.Clone(a), b...)}, {clone, append(bytes.Clone(a), c...)}} {
		if want := Sum256(tc.msg); !bytes.Equal(tc.h.Sum(nil), want[:]) {
			t.Errorf("got %x, want %x", tc.h.Sum(nil), want)
		}
	}
}

func TestHashingAllocatesNothing(t *testing.T) {
	msg := make([]byte, 10_000)
	for _, p := range paths() {
		if p == goNibbles {
			continue // its cipher has its keys on the heap
		}
		h := on(p, New())
		out := make([]byte, 0, Size)
		if n := testing.AllocsPerRun(20, func() {
			h.Reset()
			if _, err := h.Write(msg); err != nil {
				t.Fatal(err)
			}
			out = h.Sum(out[:0])
		}); n != 0 {
			t.Errorf("%s: Write and Sum allocate %v times", p, n)
		}
	}
	if n := testing.AllocsPerRun(20, func() { Sum256(msg) }); n != 0 {
		t.Errorf("Sum256 allocates %v times", n)
	}
}

func FuzzUnevenWritesEqualOneWrite(f *testing.F) {
	f.Add([]byte(""), uint16(0), uint16(0))
	f.Add([]byte("This is message, length=32 bytes"), uint16(1), uint16(31))
	f.Add(make([]byte, 100), uint16(32), uint16(33))
	f.Fuzz(func(t *testing.T, msg []byte, a, b uint16) {
		i := min(int(a), len(msg))
		j := min(i+int(b), len(msg))
		h := New()
		for _, part := range [][]byte{msg[:i], msg[i:j], msg[j:]} {
			if n, err := h.Write(part); n != len(part) || err != nil {
				t.Fatalf("Write returned %d, %v", n, err)
			}
		}
		if want := Sum256(msg); !bytes.Equal(h.Sum(nil), want[:]) {
			t.Errorf("cut at %d and %d: %x, want %x", i, j, h.Sum(nil), want)
		}
	})
}

func BenchmarkHash(b *testing.B) {
	for _, n := range []int{64, 1 << 10, 1 << 20} {
		msg := make([]byte, n)
		for _, p := range paths() {
			b.Run(fmt.Sprintf("%s/%dB", p, n), func(b *testing.B) {
				b.SetBytes(int64(n))
				b.ReportAllocs()
				for b.Loop() {
					d := state{sbox: gost28147.SBoxHashCryptoPro(), t: cryptoProTables, path: p}
					d.write(msg)
					d.digest()
				}
			})
		}
	}
}

func BenchmarkHMAC(b *testing.B) {
	m := hmac.New(New, []byte("a key of some length"))
	msg := make([]byte, 32)
	for b.Loop() {
		m.Reset()
		if _, err := m.Write(msg); err != nil {
			b.Fatal(err)
		}
		m.Sum(nil)
	}
}
