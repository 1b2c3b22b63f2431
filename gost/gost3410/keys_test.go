package gost3410_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"imzo/gost/gost3410"
	"imzo/gost/gost3410/internal/reference"
)

func newKey(t testing.TB, c *gost3410.Curve) *gost3410.PrivateKey {
	t.Helper()
	k, err := gost3410.GenerateKey(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func refCurve(t testing.TB, c *gost3410.Curve) *reference.Curve {
	t.Helper()
	for _, r := range reference.Curves() {
		if r.Name == c.Name() {
			return r
		}
	}
	t.Fatalf("no reference for %s", c.Name())
	return nil
}

func bytes32(v *big.Int) []byte { return v.FillBytes(make([]byte, 32)) }

func TestCurveParametersAreThoseOfTheReference(t *testing.T) {
	for _, c := range curves() {
		r, p := refCurve(t, c), c.Params()
		for _, v := range []struct {
			name string
			got  []byte
			want *big.Int
		}{{"p", p.P, r.P}, {"a", p.A, r.A}, {"b", p.B, r.B}, {"n", p.N, r.N}, {"Gx", p.Gx, r.G.X}, {"Gy", p.Gy, r.G.Y}} {
			if !bytes.Equal(v.got, bytes32(v.want)) {
				t.Errorf("%s: %s = %x, want %x", c.Name(), v.name, v.got, v.want)
			}
		}
	}
}

func TestCurvesAreTheSamePointersAndCannotBeChanged(t *testing.T) {
	again := curves()
	for i, c := range curves() {
		if c != again[i] {
			t.Errorf("%s: another pointer", c.Name())
		}
		p := c.Params()
		for _, b := range [][]byte{p.P, p.A, p.B, p.N, p.Gx, p.Gy} {
			clear(b)
		}
		if bytes.Equal(c.Params().P, p.P) || bytes.Equal(c.Params().Gy, p.Gy) {
			t.Errorf("%s: Params gives out its own memory", c.Name())
		}
	}
}

func TestPublicKeysOfRandomAndEdgeScalarsMatchTheReference(t *testing.T) {
	for _, c := range curves() {
		r := refCurve(t, c)
		src := reference.NewSource("public keys " + c.Name())
		var scalars []*big.Int
		for i := int64(1); i <= 40; i++ {
			scalars = append(scalars, big.NewInt(i), new(big.Int).Sub(r.N, big.NewInt(i)))
		}
		// Around every window boundary of the fixed-base tables.
		for i := uint(0); i < 256; i += 5 {
			for d := int64(-1); d <= 1; d++ {
				v := new(big.Int).Lsh(big.NewInt(1), i)
				scalars = append(scalars, v.Add(v, big.NewInt(d)).Mod(v, r.N))
			}
		}
		for range 30 {
			scalars = append(scalars, src.Scalar(r.N))
		}
		for _, d := range scalars {
			if d.Sign() == 0 {
				continue
			}
			k, err := gost3410.NewPrivateKey(c, bytes32(d))
			if err != nil {
				t.Fatalf("%s: %x: %v", c.Name(), d, err)
			}
			want := r.Mul(d, r.G)
			if !bytes.Equal(k.PublicKey().X(), bytes32(want.X)) || !bytes.Equal(k.PublicKey().Y(), bytes32(want.Y)) {
				t.Fatalf("%s: %x G = (%x, %x), want (%x, %x)", c.Name(), d, k.PublicKey().X(), k.PublicKey().Y(), want.X, want.Y)
			}
			if !bytes.Equal(k.Bytes(), bytes32(d)) {
				t.Fatalf("%s: Bytes = %x, want %x", c.Name(), k.Bytes(), d)
			}
		}
	}
}

func TestNewPrivateKeyRejectsScalarsOutOfRange(t *testing.T) {
	for _, c := range curves() {
		n := new(big.Int).SetBytes(c.Params().N)
		max := bytes.Repeat([]byte{0xff}, 32)
		for _, v := range []struct {
			name string
			d    []byte
			want error
		}{
			{"0", make([]byte, 32), gost3410.ErrInvalidScalar},
			{"n", bytes32(n), gost3410.ErrInvalidScalar},
			{"n+1", bytes32(new(big.Int).Add(n, big.NewInt(1))), gost3410.ErrInvalidScalar},
			{"2^256-1", max, gost3410.ErrInvalidScalar},
			{"empty", nil, gost3410.ErrInvalidLength},
			{"31 bytes", make([]byte, 31), gost3410.ErrInvalidLength},
			{"33 bytes", make([]byte, 33), gost3410.ErrInvalidLength},
			{"n-1", bytes32(new(big.Int).Sub(n, big.NewInt(1))), nil},
			{"1", append(make([]byte, 31), 1), nil},
		} {
			if _, err := gost3410.NewPrivateKey(c, v.d); !errors.Is(err, v.want) {
				t.Errorf("%s: %s: %v, want %v", c.Name(), v.name, err, v.want)
			}
		}
	}
}

func TestPublicKeyRejectsWhatIsNoPoint(t *testing.T) {
	for _, c := range curves() {
		p := c.Params()
		zero := make([]byte, 32)
		for _, v := range []struct {
			name string
			x, y []byte
			want error
		}{
			{"G", p.Gx, p.Gy, nil},
			{"zeros", zero, zero, gost3410.ErrNotOnCurve},
			{"y changed", p.Gx, p.Gx, gost3410.ErrNotOnCurve},
			{"x = p", p.P, p.Gy, gost3410.ErrNotOnCurve},
			{"y = p", p.Gx, p.P, gost3410.ErrNotOnCurve},
			{"short x", p.Gx[:31], p.Gy, gost3410.ErrInvalidLength},
			{"long y", p.Gx, append(slices.Clone(p.Gy), 0), gost3410.ErrInvalidLength},
			{"nothing", nil, nil, gost3410.ErrInvalidLength},
		} {
			if k, err := gost3410.NewPublicKey(c, v.x, v.y); !errors.Is(err, v.want) || (k == nil) == (v.want == nil) {
				t.Errorf("%s: %s: %v, want %v", c.Name(), v.name, err, v.want)
			}
		}
		for _, n := range []int{0, 1, 32, 63, 65, 128} {
			if _, err := gost3410.ParsePublicKey(c, make([]byte, n)); !errors.Is(err, gost3410.ErrInvalidLength) {
				t.Errorf("%s: %d bytes: %v", c.Name(), n, err)
			}
		}
	}
}

func TestPublicKeyEncodingsRoundTrip(t *testing.T) {
	for _, c := range curves() {
		k := newKey(t, c).PublicKey()
		raw := k.Bytes()
		parsed, err := gost3410.ParsePublicKey(c, raw)
		if err != nil || !parsed.Equal(k) || parsed.Curve() != c {
			t.Errorf("%s: ParsePublicKey: %v", c.Name(), err)
		}
		byXY, err := gost3410.NewPublicKey(c, k.X(), k.Y())
		if err != nil || !byXY.Equal(k) {
			t.Errorf("%s: NewPublicKey: %v", c.Name(), err)
		}
		for i := range 32 {
			if raw[i] != k.X()[31-i] || raw[32+i] != k.Y()[31-i] {
				t.Fatalf("%s: Bytes %x is not X %x, Y %x little-endian", c.Name(), raw, k.X(), k.Y())
			}
		}
		clear(k.X())
		clear(k.Y())
		clear(raw)
		if !parsed.Equal(k) || bytes.Equal(k.Bytes(), raw) {
			t.Errorf("%s: the key gives out its own memory", c.Name())
		}
	}
}

func TestEqualComparesCurveAndValue(t *testing.T) {
	c := gost3410.CryptoProA()
	a, b := newKey(t, c), newKey(t, c)
	same, err := gost3410.NewPrivateKey(c, a.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	elsewhere, err := gost3410.NewPrivateKey(gost3410.CryptoProB(), append(make([]byte, 31), 5))
	if err != nil {
		t.Fatal(err)
	}
	five, err := gost3410.NewPrivateKey(c, append(make([]byte, 31), 5))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []struct {
		name string
		k    *gost3410.PrivateKey
		o    any
		want bool
	}{
		{"itself", a, a, true}, {"a copy", a, same, true}, {"another key", a, b, false},
		{"the scalar on another curve", five, elsewhere, false}, {"another type", a, &ecdsa.PrivateKey{}, false},
		{"nil", a, nil, false}, {"a nil key", a, (*gost3410.PrivateKey)(nil), false},
	} {
		if got := v.k.Equal(v.o); got != v.want {
			t.Errorf("private key, %s: %v", v.name, got)
		}
	}
	for _, v := range []struct {
		name string
		o    any
		want bool
	}{
		{"itself", a.Public(), true}, {"a copy", same.PublicKey(), true}, {"another key", b.PublicKey(), false},
		{"another type", &ecdsa.PublicKey{}, false}, {"nil", nil, false}, {"a nil key", (*gost3410.PublicKey)(nil), false},
	} {
		if got := a.PublicKey().Equal(v.o); got != v.want {
			t.Errorf("public key, %s: %v", v.name, got)
		}
	}
	var _ crypto.Signer = a
}

func TestPrivateKeyNeverPrints(t *testing.T) {
	k := newKey(t, gost3410.CryptoProA())
	secretHex := hex.EncodeToString(k.Bytes())
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("text", "key", k, "value", *k)
	slog.New(slog.NewTextHandler(&log, nil)).Info("text", "key", k, "value", *k)
	out := []string{log.String(), k.String(), k.GoString(), k.LogValue().String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T%v"} {
		out = append(out, fmt.Sprintf(verb, k), fmt.Sprintf(verb, *k),
			fmt.Sprintf(verb, struct{ K *gost3410.PrivateKey }{k}), fmt.Sprintf(verb, []gost3410.PrivateKey{*k}))
	}
	for _, v := range []any{k, *k, map[string]any{"key": k}} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(b))
	}
	text, err := k.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	out = append(out, string(text))
	// Any eight digits of the scalar in any form would be a leak; decimal
	// limbs are what %v shows of integers.
	for _, s := range out {
		if strings.Contains(strings.ToLower(s), secretHex[:8]) || strings.Contains(strings.ToLower(s), secretHex[56:]) {
			t.Errorf("secret in %q", s)
		}
	}
	for _, s := range out[1:4] {
		if !strings.Contains(s, "[redacted]") {
			t.Errorf("%q does not say that it is redacted", s)
		}
	}
	if got := fmt.Sprintf("%d", *k); got != k.String() {
		t.Errorf("%%d prints %q", got)
	}
}

func TestWipeEndsTheKeyAndItsCopies(t *testing.T) {
	k := newKey(t, gost3410.CryptoProA())
	other, err := gost3410.NewPrivateKey(gost3410.CryptoProA(), k.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	dup := *k
	k.Wipe()
	for name, w := range map[string]*gost3410.PrivateKey{"key": k, "copy": &dup} {
		if _, err := w.Sign(nil, make([]byte, 32), nil); !errors.Is(err, gost3410.ErrWiped) {
			t.Errorf("%s: Sign: %v", name, err)
		}
		if _, err := w.VKO(other.PublicKey(), []byte{1}); !errors.Is(err, gost3410.ErrWiped) {
			t.Errorf("%s: VKO: %v", name, err)
		}
		if w.Bytes() != nil {
			t.Errorf("%s: Bytes = %x", name, w.Bytes())
		}
		if w.Equal(other) || other.Equal(w) || w.Equal(w) {
			t.Errorf("%s: equals", name)
		}
		if !w.PublicKey().Equal(other.PublicKey()) {
			t.Errorf("%s: public key lost", name)
		}
	}
	if _, err := other.Sign(nil, make([]byte, 32), nil); err != nil {
		t.Errorf("an unrelated key of the same scalar: %v", err)
	}
}

func TestGenerateKeyUsesItsReader(t *testing.T) {
	for _, c := range curves() {
		seed := bytes.Repeat([]byte{0xa5}, 64)
		k, err := gost3410.GenerateKey(c, bytes.NewReader(seed))
		if err != nil {
			t.Fatal(err)
		}
		want := new(big.Int).Mod(new(big.Int).SetBytes(seed), new(big.Int).SetBytes(c.Params().N))
		if !bytes.Equal(k.Bytes(), bytes32(want)) {
			t.Errorf("%s: d = %x, want %x", c.Name(), k.Bytes(), want)
		}
		if _, err := gost3410.GenerateKey(c, bytes.NewReader(seed[:63])); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: short reader: %v", c.Name(), err)
		}
		boom := errors.New("boom")
		if _, err := gost3410.GenerateKey(c, iotest.ErrReader(boom)); !errors.Is(err, boom) {
			t.Errorf("%s: broken reader: %v", c.Name(), err)
		}
		if _, err := gost3410.GenerateKey(c, bytes.NewReader(make([]byte, 64))); !errors.Is(err, gost3410.ErrRandom) {
			t.Errorf("%s: zeros: %v", c.Name(), err)
		}
	}
}

func FuzzParsePublicKey(f *testing.F) {
	for _, c := range curves() {
		p := c.Params()
		slices.Reverse(p.Gx)
		slices.Reverse(p.Gy)
		f.Add(append(p.Gx, p.Gy...))
		slices.Reverse(p.P)
		f.Add(append(slices.Clone(p.P), p.Gy...))
	}
	f.Add(make([]byte, 64))
	f.Add(make([]byte, 63))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, c := range curves() {
			k, err := gost3410.ParsePublicKey(c, raw)
			if err != nil {
				if k != nil {
					t.Fatal("a key with an error")
				}
				if len(raw) != 64 {
					if !errors.Is(err, gost3410.ErrInvalidLength) {
						t.Fatalf("length: %v", err)
					}
					continue
				}
			}
			if len(raw) != 64 {
				t.Fatalf("%d bytes taken", len(raw))
			}
			x, y := slices.Clone(raw[:32]), slices.Clone(raw[32:])
			slices.Reverse(x)
			slices.Reverse(y)
			on := refCurve(t, c).OnCurve(new(big.Int).SetBytes(x), new(big.Int).SetBytes(y))
			if on != (err == nil) {
				t.Fatalf("%s: on curve %v, err %v", c.Name(), on, err)
			}
			if err == nil && !bytes.Equal(k.Bytes(), raw) {
				t.Fatalf("%s: %x became %x", c.Name(), raw, k.Bytes())
			}
		}
	})
}
