package field

import (
	"math/big"
	"math/rand/v2"
	"testing"
)

func bigInt(v Limbs) *big.Int {
	var b [32]byte
	v.PutBytes(b[:])
	return new(big.Int).SetBytes(b[:])
}

func limbsFrom(v *big.Int) Limbs { return FromBytes(v.FillBytes(make([]byte, 32))) }

func invertsLikeBig(t *testing.T, n *Inverter, m, x Limbs) {
	t.Helper()
	want := new(big.Int).ModInverse(bigInt(x), bigInt(m))
	if want == nil {
		want = new(big.Int)
		if x.IsZero() == 0 {
			return // not coprime: no prime modulus has such a number
		}
	}
	if got := n.InvertConstantTime(x); bigInt(got).Cmp(want) != 0 {
		t.Fatalf("1/%x mod %x is %x in constant time, want %x", bigInt(x), bigInt(m), bigInt(got), want)
	}
	got := n.Invert(x)
	if bigInt(got).Cmp(want) != 0 {
		t.Fatalf("1/%x mod %x is %x, want %x", bigInt(x), bigInt(m), bigInt(got), want)
	}
}

func TestInverterAgreesWithBig(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	moduli := []Limbs{crandallModulus(), {3}, {5}, {^uint64(0), 1}, {1, 0, 0, 1 << 63}, {0xc99, 0, 0, 1 << 63}}
	for _, hex := range []string{
		"ffffffffffffffffffffffffffffffff6c611070995ad10045841b09b761b893", "800000000000000000000000000000015f700cfff1a624e5e497161bcc8a198f",
		"9b9f605f5a858107ab1ec85e6b41c8aa582ca3511eddfb74f02f3a6598980bb9", "8000000000000000000000000000000150fe8a1892976154c59cfc193accf5b3",
	} {
		v, _ := new(big.Int).SetString(hex, 16)
		moduli = append(moduli, limbsFrom(v))
	}
	for _, m := range moduli {
		n := NewInverter(m)
		edges := []*big.Int{new(big.Int), big.NewInt(1), big.NewInt(2), new(big.Int).Sub(bigInt(m), big.NewInt(1)), new(big.Int).Sub(bigInt(m), big.NewInt(2)), new(big.Int).Rsh(bigInt(m), 1)}
		for i := uint(1); i < 256; i++ {
			power := new(big.Int).Lsh(big.NewInt(1), i)
			edges = append(edges, power, new(big.Int).Sub(power, big.NewInt(1)), new(big.Int).Add(power, big.NewInt(1)))
		}
		for _, x := range edges {
			invertsLikeBig(t, n, m, limbsFrom(new(big.Int).Mod(x, bigInt(m))))
		}
		for range 20_000 {
			x := Limbs{random.Uint64(), random.Uint64(), random.Uint64(), random.Uint64()}
			invertsLikeBig(t, n, m, limbsFrom(new(big.Int).Mod(bigInt(x), bigInt(m))))
		}
	}
}

func TestInverterWantsAnOddModulus(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("an even modulus is taken")
		}
	}()
	NewInverter(Limbs{2})
}

func FuzzInverter(f *testing.F) {
	f.Add(uint64(1), uint64(0), uint64(0), uint64(1)<<63, uint64(5), uint64(0), uint64(0), uint64(0))
	f.Fuzz(func(t *testing.T, m0, m1, m2, m3, x0, x1, x2, x3 uint64) {
		m := Limbs{m0 | 1, m1, m2, m3}
		if m == (Limbs{1}) {
			return
		}
		invertsLikeBig(t, NewInverter(m), m, limbsFrom(new(big.Int).Mod(bigInt(Limbs{x0, x1, x2, x3}), bigInt(m))))
	})
}

func BenchmarkInvert(b *testing.B) {
	m := Limbs{0x45841b09b761b893, 0x6c611070995ad100, ^uint64(0), ^uint64(0)}
	x := Limbs{0x123456789abcdef, 0xfedcba9876543210, 0x1111222233334444, 0x5555666677778888}
	n := NewInverter(m)
	b.Run("vartime", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			x = n.Invert(x)
		}
	})
	b.Run("constant time", func(b *testing.B) {
		for b.Loop() {
			x = n.InvertConstantTime(x)
		}
	})
}
