package gost28147

import (
	"bytes"
	"crypto/cipher"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestSubstituteLooksUpEveryRow(t *testing.T) {
	r := newSource(t)
	for _, s := range append(slices.Clone(namedSBoxes), r.sbox(), r.sbox(), r.sbox()) {
		for range 2000 {
			x := r.Uint32()
			var want uint32
			for i, row := range s.rows {
				want |= uint32(row[x>>(4*i)&15]) << (4 * i)
			}
			if got := s.substitute(x); got != want {
				t.Fatalf("%s: substitute(%08x) = %08x, want %08x", s.Name(), x, got, want)
			}
		}
	}
}

func TestSBoxByOIDFindsEveryNamedSBox(t *testing.T) {
	for _, s := range namedSBoxes {
		if got, ok := SBoxByOID(s.OID()); !ok || got != s {
			t.Errorf("SBoxByOID(%s) is not %s", s.OID(), s.Name())
		}
	}
	if s, ok := SBoxByOID("1.2.3"); ok || s != nil {
		t.Error("SBoxByOID(1.2.3) found something")
	}
}

func TestNamedSBoxesDiffer(t *testing.T) {
	for i, a := range namedSBoxes {
		for _, b := range namedSBoxes[i+1:] {
			if a.Rows() == b.Rows() || a.Name() == b.Name() || a.OID() == b.OID() {
				t.Errorf("%s and %s are alike", a.Name(), b.Name())
			}
		}
	}
}

func TestNewSBoxRefusesRowsThatAreNoPermutation(t *testing.T) {
	good := SBoxCryptoProA().Rows()
	if s, err := NewSBox(good); err != nil || s.Rows() != good || s.Name() != "" || s.OID() != "" {
		t.Fatalf("good rows: %v", err)
	}
	for name, spoil := range map[string]func(rows *[8][16]byte){
		"value above 15": func(rows *[8][16]byte) { rows[3][4] = 16 },
		"value twice":    func(rows *[8][16]byte) { rows[7][0] = rows[7][15] },
		"empty":          func(rows *[8][16]byte) { *rows = [8][16]byte{} },
	} {
		rows := good
		spoil(&rows)
		if _, err := NewSBox(rows); !errors.Is(err, ErrSBox) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSizesAreChecked(t *testing.T) {
	s, key, iv := SBoxCryptoProA(), make([]byte, KeySize), make([]byte, BlockSize)
	c := newCipher(t, key, s)
	wrapped, err := WrapKey(key, key, iv, s)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		f    func() error
		want error
	}{
		"short key":                   {func() error { _, err := NewCipher(key[1:], s); return err }, ErrKeySize},
		"no key":                      {func() error { _, err := NewCipher(nil, s); return err }, ErrKeySize},
		"no S-box":                    {func() error { _, err := NewCipher(key, nil); return err }, ErrSBox},
		"ECB of a part of a block":    {func() error { return c.EncryptECB(make([]byte, 9), make([]byte, 9)) }, ErrPartialBlock},
		"ECB into a shorter slice":    {func() error { return c.DecryptECB(make([]byte, 8), make([]byte, 16)) }, ErrPartialBlock},
		"CNT with a short IV":         {func() error { _, err := NewCNT(c, iv[1:], NoMeshing); return err }, ErrIVSize},
		"CFB+ with a long IV":         {func() error { _, err := NewCFBEncrypter(c, key, NoMeshing); return err }, ErrIVSize},
		"CFB- with no IV":             {func() error { _, err := NewCFBDecrypter(c, nil, NoMeshing); return err }, ErrIVSize},
		"MAC of 9 bytes":              {func() error { _, err := NewMAC(c, MACOptions{Size: 9}); return err }, ErrMACSize},
		"MAC of -1 bytes":             {func() error { _, err := NewMAC(c, MACOptions{Size: -1}); return err }, ErrMACSize},
		"MAC with a short IV":         {func() error { _, err := NewMAC(c, MACOptions{IV: iv[1:]}); return err }, ErrIVSize},
		"wrap a short key":            {func() error { _, err := WrapKey(key, key[1:], iv, s); return err }, ErrKeySize},
		"wrap under a short key":      {func() error { _, err := WrapKey(key[1:], key, iv, s); return err }, ErrKeySize},
		"wrap with a short UKM":       {func() error { _, err := WrapKey(key, key, iv[1:], s); return err }, ErrUKMSize},
		"CryptoPro wrap, short KEK":   {func() error { _, err := WrapKeyCryptoPro(key[1:], key, iv, s); return err }, ErrKeySize},
		"CryptoPro wrap, no UKM":      {func() error { _, err := WrapKeyCryptoPro(key, key, nil, s); return err }, ErrUKMSize},
		"CryptoPro wrap, no S-box":    {func() error { _, err := WrapKeyCryptoPro(key, key, iv, nil); return err }, ErrSBox},
		"unwrap 43 bytes":             {func() error { _, err := UnwrapKey(key, wrapped[1:], s); return err }, ErrWrappedSize},
		"unwrap under a short key":    {func() error { _, err := UnwrapKey(key[1:], wrapped, s); return err }, ErrKeySize},
		"CryptoPro unwrap, 45 bytes":  {func() error { _, err := UnwrapKeyCryptoPro(key, append(wrapped, 0), s); return err }, ErrWrappedSize},
		"CryptoPro unwrap, short KEK": {func() error { _, err := UnwrapKeyCryptoPro(key[1:], wrapped, s); return err }, ErrKeySize},
	} {
		if err := tc.f(); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", name, err, tc.want)
		}
	}
}

func TestShortSlicesPanic(t *testing.T) {
	c := newCipher(t, make([]byte, KeySize), SBoxCryptoProA())
	block, short := make([]byte, 8), make([]byte, 7)
	calls := map[string]func(){
		"Encrypt from short": func() { c.Encrypt(block, short) },
		"Encrypt to short":   func() { c.Encrypt(short, block) },
		"Decrypt from short": func() { c.Decrypt(block, short) },
		"Decrypt to short":   func() { c.Decrypt(short, block) },
	}
	for name, f := range map[string]newStream{"CNT": NewCNT, "CFB+": NewCFBEncrypter, "CFB-": NewCFBDecrypter} {
		s, err := f(c, block, NoMeshing)
		if err != nil {
			t.Fatal(err)
		}
		calls[name] = func() { s.XORKeyStream(short, block) }
	}
	for name, f := range calls {
		if !panics(f) {
			t.Errorf("%s does not panic", name)
		}
	}
}

func panics(f func()) (yes bool) {
	defer func() { yes = recover() != nil }()
	f()
	return false
}

func TestBlockIsInterchangeableWithCryptoCipher(t *testing.T) {
	// The standard library's CFB over our block is our CFB without meshing.
	r := newSource(t)
	c := newCipher(t, r.bytes(KeySize), SBoxTC26Z())
	iv, data := r.bytes(BlockSize), r.bytes(5000)
	want := make([]byte, len(data))
	//lint:ignore SA1019 the deprecated mode serves as the reference here
	cipher.NewCFBEncrypter(c, iv).XORKeyStream(want, data)
	s, err := NewCFBEncrypter(c, iv, NoMeshing)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.inPieces(s, data); !bytes.Equal(got, want) {
		t.Errorf("differs from byte %s", firstDifference(got, want))
	}
	if c.BlockSize() != 8 || c.SBox() != SBoxTC26Z() {
		t.Error("wrong block size or S-box")
	}
}

// TestCounterCarriesRoundTheEnd reaches the addition modulo 2^32-1, whose
// carry random vectors meet only now and then.
func TestCounterCarriesRoundTheEnd(t *testing.T) {
	c := newCipher(t, make([]byte, KeySize), SBoxCryptoProA())
	for _, tc := range []struct{ before, after block }{
		{block{0, 0}, block{0x01010101, 0x01010104}},
		{block{0xffffffff, 0xfefefefb}, block{0x01010100, 0xffffffff}},
		{block{0xfefefeff, 0xfefefefc}, block{0, 1}},
		{block{0, 0xffffffff}, block{0x01010101, 0x01010104}},
	} {
		x := &cnt{c: *c, counter: tc.before}
		x.nextGamma()
		if x.counter != tc.after {
			t.Errorf("after %08x comes %08x, want %08x", tc.before, x.counter, tc.after)
		}
	}
}

func TestStreamsDoNotChangeTheCiphersKey(t *testing.T) {
	r := newSource(t)
	c := newCipher(t, r.bytes(KeySize), SBoxCryptoProA())
	before := c.key
	for _, f := range []newStream{NewCNT, NewCFBEncrypter, NewCFBDecrypter} {
		s, err := f(c, r.bytes(BlockSize), CryptoProMeshing)
		if err != nil {
			t.Fatal(err)
		}
		r.inPieces(s, make([]byte, 3000))
	}
	m, err := NewMAC(c, MACOptions{Meshing: CryptoProMeshing})
	if err != nil {
		t.Fatal(err)
	}
	r.writePieces(t, m, make([]byte, 3000))
	if c.key != before {
		t.Error("meshing changed the key of the cipher")
	}
}

func TestMACSumKeepsTheStateAndResetForgetsIt(t *testing.T) {
	r := newSource(t)
	c := newCipher(t, r.bytes(KeySize), SBoxCryptoProA())
	iv := r.bytes(BlockSize)
	for _, o := range []MACOptions{{}, {Size: 8, IV: iv, Meshing: CryptoProMeshing}} {
		m, err := NewMAC(c, o)
		if err != nil {
			t.Fatal(err)
		}
		data := r.bytes(4000)
		r.writePieces(t, m, data)
		want := m.Sum(nil)
		if len(want) != m.Size() || m.BlockSize() != BlockSize {
			t.Errorf("tag of %d bytes, Size %d, BlockSize %d", len(want), m.Size(), m.BlockSize())
		}

		m.Reset()
		for i, b := range data {
			if i%7 == 0 {
				m.Sum(nil)
			}
			if _, err := m.Write([]byte{b}); err != nil {
				t.Fatal(err)
			}
		}
		if got := m.Sum([]byte("tag: ")); !bytes.Equal(got, append([]byte("tag: "), want...)) {
			t.Errorf("after Reset and Sums in between: %x, want %x", got, want)
		}
	}
}

func TestMACOfShortMessagesIsThatOfTwoBlocks(t *testing.T) {
	r := newSource(t)
	c := newCipher(t, r.bytes(KeySize), SBoxTC26Z())
	m, err := NewMAC(c, MACOptions{})
	if err != nil {
		t.Fatal(err)
	}
	sum := func(b []byte) string {
		m.Reset()
		r.writePieces(t, m, b)
		return fmt.Sprintf("%x", m.Sum(nil))
	}
	for n := range 17 {
		b := r.bytes(n)
		padded := append(bytes.Clone(b), make([]byte, 16-n)...)
		if got, want := sum(b), sum(padded); got != want {
			t.Errorf("%d bytes: %s, want %s", n, got, want)
		}
	}
	if sum(nil) == "00000000" {
		t.Error("the MAC of the empty message does not depend on the key")
	}
}

func TestUnwrapRefusesEveryChangedBit(t *testing.T) {
	r := newSource(t)
	kek, cek, ukm, s := r.bytes(KeySize), r.bytes(KeySize), r.bytes(UKMSize), SBoxCryptoProA()
	for name, tc := range map[string]struct {
		wrap   func(kek, cek, ukm []byte, s *SBox) ([]byte, error)
		unwrap func(kek, wrapped []byte, s *SBox) ([]byte, error)
	}{
		"GOST 28147-89 wrap": {WrapKey, UnwrapKey},
		"CryptoPro wrap":     {WrapKeyCryptoPro, UnwrapKeyCryptoPro},
	} {
		wrapped, err := tc.wrap(kek, cek, ukm, s)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := tc.unwrap(kek, wrapped, s); err != nil || !bytes.Equal(got, cek) {
			t.Fatalf("%s: %x, %v", name, got, err)
		}
		for i := range 8 * len(wrapped) {
			bad := bytes.Clone(wrapped)
			bad[i/8] ^= 1 << (i % 8)
			if got, err := tc.unwrap(kek, bad, s); !errors.Is(err, ErrUnwrap) || got != nil {
				t.Errorf("%s with bit %d changed: %x, %v", name, i, got, err)
			}
		}
		other := bytes.Clone(kek)
		other[31] ^= 0x80
		if _, err := tc.unwrap(other, wrapped, s); !errors.Is(err, ErrUnwrap) {
			t.Errorf("%s under another key: %v", name, err)
		}
		if _, err := tc.unwrap(kek, wrapped, SBoxCryptoProB()); !errors.Is(err, ErrUnwrap) {
			t.Errorf("%s with another S-box: %v", name, err)
		}
	}
}

func TestArgumentsAreNotChanged(t *testing.T) {
	r := newSource(t)
	kek, cek, ukm, s := r.bytes(KeySize), r.bytes(KeySize), r.bytes(UKMSize), SBoxCryptoProA()
	kek0, cek0, ukm0 := bytes.Clone(kek), bytes.Clone(cek), bytes.Clone(ukm)
	wrapped, err := WrapKeyCryptoPro(kek, cek, ukm, s)
	if err != nil {
		t.Fatal(err)
	}
	wrapped0 := bytes.Clone(wrapped)
	if _, err := UnwrapKeyCryptoPro(kek, wrapped, s); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(kek, kek0) || !bytes.Equal(cek, cek0) || !bytes.Equal(ukm, ukm0) || !bytes.Equal(wrapped, wrapped0) {
		t.Error("an argument was changed")
	}
}

func TestKeysAreNotPrinted(t *testing.T) {
	key := []byte("0123456789abcdefghijklmnopqrstuv")
	c := newCipher(t, key, SBoxCryptoProA())
	iv := make([]byte, BlockSize)
	m, err := NewMAC(c, MACOptions{})
	if err != nil {
		t.Fatal(err)
	}
	values := []any{c, *c, m, *m}
	for _, f := range []newStream{NewCNT, NewCFBEncrypter, NewCFBDecrypter} {
		s, err := f(c, iv, NoMeshing)
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, s)
	}
	for _, v := range values {
		name := reflect.TypeOf(v).String()
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			if got := fmt.Sprintf(verb, v); got != redacted {
				t.Errorf("%s of %s is %q", verb, name, got)
			}
		}
		if js, err := json.Marshal(v); err != nil || string(js) != `"`+redacted+`"` {
			t.Errorf("JSON of %s is %s, %v", name, js, err)
		}
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("used", "cipher", v)
		if !strings.Contains(log.String(), `cipher=`+redacted) {
			t.Errorf("log of %s: %s", name, log.String())
		}
		if s, ok := v.(fmt.Stringer); !ok || s.String() != redacted {
			t.Errorf("%s is no Stringer that hides", name)
		}
	}
}

func TestWipedCipherIsUnusable(t *testing.T) {
	c := newCipher(t, []byte("0123456789abcdefghijklmnopqrstuv"), SBoxCryptoProA())
	c.Wipe()
	if c.key != [8]uint32{} {
		t.Error("the key is still there")
	}
	if b := make([]byte, BlockSize); !panics(func() { c.Encrypt(b, b) }) {
		t.Error("a wiped cipher encrypts")
	}
}

func FuzzStreamsRoundTripInPieces(f *testing.F) {
	f.Add([]byte("0123456789abcdefghijklmnopqrstuv01234567"), uint8(1), true)
	f.Add(make([]byte, 3000), uint8(0), true)
	f.Add(make([]byte, 1100), uint8(13), false)
	f.Fuzz(func(t *testing.T, data []byte, step uint8, meshing bool) {
		if len(data) < KeySize+BlockSize {
			t.Skip()
		}
		key, iv, msg := data[:KeySize], data[KeySize:KeySize+BlockSize], data[KeySize+BlockSize:]
		m := NoMeshing
		if meshing {
			m = CryptoProMeshing
		}
		c := newCipher(t, key, SBoxCryptoProA())
		for name, mode := range map[string][2]newStream{"CNT": {NewCNT, NewCNT}, "CFB": {NewCFBEncrypter, NewCFBDecrypter}} {
			run := func(f newStream, in []byte, step int) []byte {
				s, err := f(c, iv, m)
				if err != nil {
					t.Fatal(err)
				}
				out := bytes.Clone(in)
				for rest := out; len(rest) > 0; {
					n := min(len(rest), step)
					s.XORKeyStream(rest[:n], rest[:n])
					rest = rest[n:]
				}
				return out
			}
			whole := run(mode[0], msg, len(msg)+1)
			if pieces := run(mode[0], msg, int(step)+1); !bytes.Equal(pieces, whole) {
				t.Errorf("%s in pieces of %d differs", name, int(step)+1)
			}
			if back := run(mode[1], whole, int(step)+1); !bytes.Equal(back, msg) {
				t.Errorf("%s does not decrypt what it encrypted", name)
			}
		}
	})
}

func FuzzUnwrapKeyAcceptsOnlyItsOwn(f *testing.F) {
	kek := []byte("0123456789abcdefghijklmnopqrstuv")
	good, err := WrapKey(kek, kek, kek[:UKMSize], SBoxCryptoProA())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:40])
	f.Fuzz(func(t *testing.T, wrapped []byte) {
		cek, err := UnwrapKey(kek, wrapped, SBoxCryptoProA())
		if err != nil {
			return
		}
		again, err := WrapKey(kek, cek, wrapped[:UKMSize], SBoxCryptoProA())
		if err != nil || !bytes.Equal(again, wrapped) {
			t.Errorf("unwrapped, but wrapping again gives %x, %v", again, err)
		}
	})
}

func BenchmarkEncryptBlock(b *testing.B) {
	c := newCipher(b, make([]byte, KeySize), SBoxCryptoProA())
	buf := make([]byte, BlockSize)
	b.SetBytes(BlockSize)
	for b.Loop() {
		c.Encrypt(buf, buf)
	}
}

func BenchmarkStream(b *testing.B) {
	c := newCipher(b, make([]byte, KeySize), SBoxCryptoProA())
	buf := make([]byte, 16<<10)
	for _, mode := range []struct {
		name string
		new  newStream
	}{{"CNT", NewCNT}, {"CFBEncrypter", NewCFBEncrypter}, {"CFBDecrypter", NewCFBDecrypter}} {
		b.Run(mode.name, func(b *testing.B) {
			s, err := mode.new(c, buf[:BlockSize], CryptoProMeshing)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(buf)))
			for b.Loop() {
				s.XORKeyStream(buf, buf)
			}
		})
	}
}

func BenchmarkMAC(b *testing.B) {
	m, err := NewMAC(newCipher(b, make([]byte, KeySize), SBoxCryptoProA()), MACOptions{})
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 16<<10)
	b.SetBytes(int64(len(buf)))
	for b.Loop() {
		if _, err := m.Write(buf); err != nil {
			b.Fatal(err)
		}
	}
}
