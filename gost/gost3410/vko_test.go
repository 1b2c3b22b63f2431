package gost3410_test

import (
	"bytes"
	"errors"
	"math/big"
	"slices"
	"testing"

	"imzo/gost/gost3410"
	"imzo/gost/gost3410/internal/reference"
	"imzo/gost/gost341194"
)

// refVKO is RFC 4357 5.2 over the reference arithmetic.
func refVKO(t testing.TB, c *gost3410.Curve, d []byte, peer *gost3410.PublicKey, ukm []byte) []byte {
	t.Helper()
	r := refCurve(t, c)
	le := slices.Clone(ukm)
	slices.Reverse(le)
	k := new(big.Int).Mul(new(big.Int).SetBytes(le), new(big.Int).SetBytes(d))
	p := r.Mul(k, reference.Point{X: new(big.Int).SetBytes(peer.X()), Y: new(big.Int).SetBytes(peer.Y())})
	x, y := bytes32(p.X), bytes32(p.Y)
	slices.Reverse(x)
	slices.Reverse(y)
	sum := gost341194.Sum256(append(x, y...))
	return sum[:]
}

func TestVKOAgreesBothWaysAndWithTheReference(t *testing.T) {
	for _, c := range curves() {
		r := refCurve(t, c)
		src := reference.NewSource("vko " + c.Name())
		for i := range 40 {
			a, err := gost3410.NewPrivateKey(c, bytes32(src.Scalar(r.N)))
			if err != nil {
				t.Fatal(err)
			}
			b, err := gost3410.NewPrivateKey(c, bytes32(src.Scalar(r.N)))
			if err != nil {
				t.Fatal(err)
			}
			ukm := src.Bytes()[:1+i%32]
			ukm[0] |= 1
			one, err := a.VKO(b.PublicKey(), ukm)
			if err != nil {
				t.Fatal(err)
			}
			two, err := b.VKO(a.PublicKey(), ukm)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(one, two) {
				t.Fatalf("%s: %x and %x", c.Name(), one, two)
			}
			if want := refVKO(t, c, a.Bytes(), b.PublicKey(), ukm); !bytes.Equal(one, want) {
				t.Fatalf("%s: VKO = %x, want %x", c.Name(), one, want)
			}
		}
	}
}

// Scalars whose windows are zero, negative or all alike.
func TestVKOWithEdgeScalars(t *testing.T) {
	for _, c := range curves() {
		r := refCurve(t, c)
		peer := newKey(t, c).PublicKey()
		base := []*big.Int{big.NewInt(1), big.NewInt(2), big.NewInt(15), big.NewInt(16), big.NewInt(17), big.NewInt(31), big.NewInt(32),
			new(big.Int).Lsh(big.NewInt(1), 128), new(big.Int).Lsh(big.NewInt(1), 254)}
		for _, v := range base {
			for _, d := range []*big.Int{v, new(big.Int).Sub(r.N, v)} {
				key, err := gost3410.NewPrivateKey(c, bytes32(d))
				if err != nil {
					t.Fatal(err)
				}
				got, err := key.VKO(peer, []byte{1})
				if err != nil {
					t.Fatal(err)
				}
				if want := refVKO(t, c, key.Bytes(), peer, []byte{1}); !bytes.Equal(got, want) {
					t.Errorf("%s: d = %x: %x, want %x", c.Name(), d, got, want)
				}
			}
		}
	}
}

func TestVKORejectsBadArguments(t *testing.T) {
	c := gost3410.CryptoProA()
	key, peer := newKey(t, c), newKey(t, c).PublicKey()
	n := c.Params().N
	slices.Reverse(n)
	for _, v := range []struct {
		name string
		peer *gost3410.PublicKey
		ukm  []byte
		want error
	}{
		{"zero", peer, make([]byte, 8), gost3410.ErrInvalidUKM},
		{"n", peer, n, gost3410.ErrInvalidUKM},
		{"empty", peer, nil, gost3410.ErrInvalidLength},
		{"33 bytes", peer, bytes.Repeat([]byte{1}, 33), gost3410.ErrInvalidLength},
		{"another curve", newKey(t, gost3410.CryptoProB()).PublicKey(), []byte{1}, gost3410.ErrCurveMismatch},
	} {
		if out, err := key.VKO(v.peer, v.ukm); !errors.Is(err, v.want) || out != nil {
			t.Errorf("%s: %x, %v", v.name, out, err)
		}
	}
	// Zeros at the high end change nothing: the integer is little-endian.
	short, err := key.VKO(peer, []byte{1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	long, err := key.VKO(peer, []byte{1, 2, 3, 0, 0, 0, 0, 0})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(short, long) {
		t.Error("UKM is not read little-endian")
	}
}
