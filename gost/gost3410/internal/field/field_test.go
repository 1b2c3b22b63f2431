package field

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"
)

// The moduli of the GOST curves: p and n of CryptoPro-A, B, C and of the RFC
// 5832 example.
var moduli = []struct{ name, hex string }{
	{"A.p", "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFD97"},
	{"A.n", "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF6C611070995AD10045841B09B761B893"},
	{"B.p", "8000000000000000000000000000000000000000000000000000000000000C99"},
	{"B.n", "800000000000000000000000000000015F700CFFF1A624E5E497161BCC8A198F"},
	{"C.p", "9B9F605F5A858107AB1EC85E6B41C8AACF846E86789051D37998F7B9022D759B"},
	{"C.n", "9B9F605F5A858107AB1EC85E6B41C8AA582CA3511EDDFB74F02F3A6598980BB9"},
	{"test.p", "8000000000000000000000000000000000000000000000000000000000000431"},
	{"test.n", "8000000000000000000000000000000150FE8A1892976154C59CFC193ACCF5B3"},
}

func hexInt(t testing.TB, s string) *big.Int {
	t.Helper()
	v, ok := new(big.Int).SetString(s, 16)
	if !ok {
		t.Fatalf("bad hex %q", s)
	}
	return v
}

func toLimbs(v *big.Int) Limbs {
	var b [32]byte
	return FromBytes(v.FillBytes(b[:]))
}

func toBig(v Limbs) *big.Int {
	var b [32]byte
	v.PutBytes(b[:])
	return new(big.Int).SetBytes(b[:])
}

// fields returns every field under test: Montgomery for all the moduli and
// the special reduction for its own.
func fields(t testing.TB) map[string]Field {
	t.Helper()
	all := map[string]Field{"Crandall": CryptoProA()}
	for _, m := range moduli {
		all["Montgomery "+m.name] = NewMontgomery(toLimbs(hexInt(t, m.hex)))
	}
	return all
}

// edges returns the integers around which carries and reductions happen.
func edges(m *big.Int) []*big.Int {
	one := big.NewInt(1)
	top := new(big.Int).Lsh(one, 256)
	var out []*big.Int
	for _, base := range []*big.Int{new(big.Int), m, top, new(big.Int).Lsh(one, 64), new(big.Int).Lsh(one, 128),
		new(big.Int).Lsh(one, 192), new(big.Int).Lsh(one, 255), new(big.Int).Rsh(m, 1), new(big.Int).Sub(top, m)} {
		for d := int64(-3); d <= 3; d++ {
			v := new(big.Int).Add(base, big.NewInt(d))
			if v.Sign() >= 0 && v.BitLen() <= 256 {
				out = append(out, v)
			}
		}
	}
	return out
}

// checkAll compares every operation on the pair of 256-bit integers with
// math/big.
func checkAll(t *testing.T, f Field, x, y *big.Int) {
	t.Helper()
	m := toBig(f.Modulus())
	ex, ey := f.FromLimbs(toLimbs(x)), f.FromLimbs(toLimbs(y))
	check := func(what string, got Element, want *big.Int) {
		t.Helper()
		want = new(big.Int).Mod(want, m)
		if g := toBig(f.Limbs(got)); g.Cmp(want) != 0 {
			t.Fatalf("%s of %x, %x mod %x = %x, want %x", what, x, y, m, g, want)
		}
	}
	check("FromLimbs", ex, x)
	check("Add", f.Add(ex, ey), new(big.Int).Add(x, y))
	check("Sub", f.Sub(ex, ey), new(big.Int).Sub(x, y))
	check("Mul", f.Mul(ex, ey), new(big.Int).Mul(x, y))
	check("Square", f.Square(ex), new(big.Int).Mul(x, x))
	check("Select x", f.Select(^uint64(0), ex, ey), x)
	check("Select y", f.Select(0, ex, ey), y)
	zero := uint64(0)
	if new(big.Int).Mod(x, m).Sign() == 0 {
		zero = ^uint64(0)
	}
	if got := f.IsZero(ex); got != zero {
		t.Fatalf("IsZero(%x) = %x, want %x", x, got, zero)
	}
	diff := uint64(0)
	if new(big.Int).Mod(new(big.Int).Sub(x, y), m).Sign() == 0 {
		diff = ^uint64(0)
	}
	if got := f.IsZero(f.Sub(ex, ey)); got != diff {
		t.Fatalf("IsZero(%x - %x) = %x, want %x", x, y, got, diff)
	}
}

func checkInvert(t *testing.T, f Field, x *big.Int) {
	t.Helper()
	m := toBig(f.Modulus())
	ex := f.FromLimbs(toLimbs(x))
	want := new(big.Int).ModInverse(x, m)
	if want == nil {
		want = new(big.Int)
	}
	if got := toBig(f.Limbs(f.Invert(ex))); got.Cmp(want) != 0 {
		t.Fatalf("Invert(%x) mod %x = %x, want %x", x, m, got, want)
	}
}

func TestFieldsAgreeWithMathBigAtEdges(t *testing.T) {
	for name, f := range fields(t) {
		t.Run(name, func(t *testing.T) {
			values := edges(toBig(f.Modulus()))
			for _, x := range values {
				for _, y := range values {
					checkAll(t, f, x, y)
				}
				checkInvert(t, f, x)
			}
			if got := toBig(f.Limbs(f.One())); got.Cmp(big.NewInt(1)) != 0 {
				t.Errorf("One() = %x", got)
			}
		})
	}
}

func TestFieldsAgreeWithMathBigOnRandomValues(t *testing.T) {
	rounds := 20000
	if testing.Short() {
		rounds = 2000
	}
	for name, f := range fields(t) {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			for i := range rounds {
				x, y := randomLimbs(rng), randomLimbs(rng)
				checkAll(t, f, toBig(x), toBig(y))
				if i%50 == 0 {
					checkInvert(t, f, toBig(x))
				}
			}
		})
	}
}

// randomLimbs favours limbs of all zeros and all ones, where carries run.
func randomLimbs(rng *rand.Rand) Limbs {
	var v Limbs
	for i := range v {
		switch rng.IntN(6) {
		case 0:
			v[i] = 0
		case 1:
			v[i] = ^uint64(0)
		case 2:
			v[i] = ^uint64(0) - uint64(rng.IntN(1500))
		default:
			v[i] = rng.Uint64()
		}
	}
	return v
}

// The Crandall field keeps results unreduced, so long chains reach forms that
// single operations on fresh values do not.
func TestOperationChainsStayCongruent(t *testing.T) {
	for name, f := range fields(t) {
		t.Run(name, func(t *testing.T) {
			m := toBig(f.Modulus())
			rng := rand.New(rand.NewPCG(3, 4))
			x := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1))
			ex := f.FromLimbs(toLimbs(x))
			y := new(big.Int).Set(x)
			ey := ex
			for i := range 20000 {
				switch rng.IntN(6) {
				case 0:
					x, ex = new(big.Int).Add(x, y), f.Add(ex, ey)
				case 1:
					x, ex = new(big.Int).Sub(x, y), f.Sub(ex, ey)
				case 2:
					x, ex = new(big.Int).Sub(y, x), f.Sub(ey, ex)
				case 3:
					x, ex = new(big.Int).Mul(x, y), f.Mul(ex, ey)
				case 4:
					y, ey = new(big.Int).Mul(y, y), f.Square(ey)
				case 5:
					x, y, ex, ey = y, x, ey, ex
				}
				x, y = new(big.Int).Mod(x, m), new(big.Int).Mod(y, m)
				if toBig(f.Limbs(ex)).Cmp(x) != 0 || toBig(f.Limbs(ey)).Cmp(y) != 0 {
					t.Fatalf("step %d: values differ", i)
				}
				if i%100 == 99 { // a chain that has reached zero would stay there
					y = toBig(randomLimbs(rng))
					ey = f.FromLimbs(toLimbs(y))
				}
			}
		})
	}
}

func TestLookupReadsTheIndexedPair(t *testing.T) {
	f := CryptoProA()
	table := make([]Pair, 16)
	for i := range table {
		table[i] = Pair{Element{uint64(i), 1, 2, 3}, Element{4, 5, 6, uint64(100 + i)}}
	}
	for i := uint64(1); i <= 16; i++ {
		if got := f.Lookup(table, i); got != table[i-1] {
			t.Errorf("Lookup(%d) = %v, want %v", i, got, table[i-1])
		}
	}
	for _, i := range []uint64{0, 17, 1 << 40, ^uint64(0)} {
		if got := f.Lookup(table, i); got != (Pair{}) {
			t.Errorf("Lookup(%d) = %v, want zeros", i, got)
		}
	}
}

func TestFromWideReduces512Bits(t *testing.T) {
	for name, f := range fields(t) {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(5, 6))
			m := toBig(f.Modulus())
			for range 500 {
				hi, lo := randomLimbs(rng), randomLimbs(rng)
				want := new(big.Int).Lsh(toBig(hi), 256)
				want.Add(want, toBig(lo)).Mod(want, m)
				if got := toBig(f.Limbs(FromWide(f, hi, lo))); got.Cmp(want) != 0 {
					t.Fatalf("FromWide(%x, %x) = %x, want %x", hi, lo, got, want)
				}
			}
		})
	}
}

func TestLimbsEncodings(t *testing.T) {
	var be, le, out [32]byte
	for i := range be {
		be[i], le[31-i] = byte(i+1), byte(i+1)
	}
	v, w := FromBytes(be[:]), FromLittleEndian(le[:])
	if v != w {
		t.Fatalf("big-endian %x and little-endian %x differ", v, w)
	}
	if v[3] != 0x0102030405060708 {
		t.Errorf("top limb %x", v[3])
	}
	if v.PutBytes(out[:]); out != be {
		t.Errorf("PutBytes = %x", out)
	}
	if v.PutLittleEndian(out[:]); out != le {
		t.Errorf("PutLittleEndian = %x", out)
	}
}

func TestLimbsCompareAndAdd(t *testing.T) {
	values := edges(hexInt(t, moduli[0].hex))
	top := new(big.Int).Lsh(big.NewInt(1), 256)
	for _, x := range values {
		for _, y := range values {
			less := uint64(0)
			if x.Cmp(y) < 0 {
				less = 1
			}
			if got := toLimbs(x).Less(toLimbs(y)); got != less {
				t.Fatalf("%x < %x = %d", x, y, got)
			}
			sum, carry := toLimbs(x).Add(toLimbs(y))
			want := new(big.Int).Add(x, y)
			got := toBig(sum)
			if carry == 1 {
				got.Add(got, top)
			}
			if carry > 1 || got.Cmp(want) != 0 {
				t.Fatalf("%x + %x = %x carry %d", x, y, sum, carry)
			}
		}
		if got, want := toLimbs(x).IsZero() == 1, x.Sign() == 0; got != want {
			t.Errorf("IsZero(%x) = %v", x, got)
		}
	}
}

func TestMisuseOfConstantsPanics(t *testing.T) {
	for name, f := range map[string]func(){
		"even modulus":        func() { NewMontgomery(Limbs{2, 0, 0, 1 << 63}) },
		"255-bit modulus":     func() { NewMontgomery(Limbs{1, 0, 0, 1 << 62}) },
		"31 bytes":            func() { FromBytes(make([]byte, 31)) },
		"33 bytes":            func() { FromLittleEndian(make([]byte, 33)) },
		"PutBytes into short": func() { Limbs{}.PutBytes(make([]byte, 31)) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}

func FuzzFieldAgainstMathBig(f *testing.F) {
	for _, m := range moduli {
		for _, e := range edges(hexInt(f, m.hex)) {
			f.Add(e.FillBytes(make([]byte, 32)), e.FillBytes(make([]byte, 32)))
		}
	}
	all := fields(f)
	f.Fuzz(func(t *testing.T, x, y []byte) {
		if len(x) != 32 || len(y) != 32 {
			return
		}
		for _, fd := range all {
			checkAll(t, fd, new(big.Int).SetBytes(x), new(big.Int).SetBytes(y))
			checkInvert(t, fd, new(big.Int).SetBytes(x))
		}
	})
}

func BenchmarkField(b *testing.B) {
	for _, f := range []Field{CryptoProA(), NewMontgomery(toLimbs(hexInt(b, moduli[2].hex)))} {
		x := f.FromLimbs(Limbs{1, 2, 3, 1 << 62})
		y := f.FromLimbs(Limbs{5, 6, 7, 1 << 61})
		name := fmt.Sprintf("%T", f)
		b.Run(name+"/Mul", func(b *testing.B) {
			for b.Loop() {
				x = f.Mul(x, y)
			}
		})
		b.Run(name+"/Square", func(b *testing.B) {
			for b.Loop() {
				x = f.Square(x)
			}
		})
		b.Run(name+"/Add", func(b *testing.B) {
			for b.Loop() {
				x = f.Add(x, y)
			}
		})
		b.Run(name+"/Sub", func(b *testing.B) {
			for b.Loop() {
				x = f.Sub(x, y)
			}
		})
		b.Run(name+"/Invert", func(b *testing.B) {
			for b.Loop() {
				x = f.Invert(x)
			}
		})
	}
}
