package gost3410_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"imzo/gost/gost3410"
)

// signatures makes n of them on all curves in turn.
func signatures(t testing.TB, n int, curves []*gost3410.Curve) []gost3410.Signature {
	t.Helper()
	random := rand.NewChaCha8([32]byte{9})
	var out []gost3410.Signature
	for i := range n {
		key, err := gost3410.GenerateKey(curves[i%len(curves)], random)
		if err != nil {
			t.Fatal(err)
		}
		digest := make([]byte, gost3410.DigestSize)
		if i%5 > 0 { // a digest of zeros counts as 1
			random.Read(digest)
		}
		sig, err := key.Sign(random, digest, nil)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, gost3410.Signature{Key: key.PublicKey(), Digest: digest, Sig: sig})
	}
	return out
}

func TestVerifyBatchTellsTheBadOnesFromTheGood(t *testing.T) {
	for round := range 20 {
		batch := signatures(t, round, curves())
		want := make([]bool, len(batch))
		for i := range batch {
			s := &batch[i]
			s.Sig = slices.Clone(s.Sig)
			switch (i + round) % 7 {
			case 1:
				s.Sig[40] ^= 1
			case 2:
				s.Digest = slices.Clone(s.Digest)
				s.Digest[0] ^= 2 // 0 and 1 are the same number
			case 3:
				s.Sig = s.Sig[:63]
			case 4:
				s.Digest = s.Digest[1:]
			case 5:
				clear(s.Sig[:32]) // s = 0
			default:
				want[i] = true
			}
			if one := s.Key.Verify(s.Digest, s.Sig); one != want[i] {
				t.Fatalf("Verify of signature %d says %v", i, one)
			}
		}
		if got := gost3410.VerifyBatch(batch); !slices.Equal(got, want) {
			t.Errorf("%d signatures: %v, want %v", round, got, want)
		}
	}
}

func ExampleVerifyBatch() {
	key, err := gost3410.GenerateKey(gost3410.CryptoProA(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	digest := make([]byte, gost3410.DigestSize)
	sig, err := key.Sign(nil, digest, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	forged := slices.Clone(sig)
	forged[0] ^= 1
	fmt.Println(gost3410.VerifyBatch([]gost3410.Signature{
		{Key: key.PublicKey(), Digest: digest, Sig: sig},
		{Key: key.PublicKey(), Digest: digest, Sig: forged},
	}))
	// Output: [true false]
}

func BenchmarkVerifyBatch(b *testing.B) {
	batch := signatures(b, 16, []*gost3410.Curve{gost3410.CryptoProA()})
	b.Run("one by one", func(b *testing.B) {
		for b.Loop() {
			for _, s := range batch {
				s.Key.Verify(s.Digest, s.Sig)
			}
		}
	})
	b.Run("together", func(b *testing.B) {
		for b.Loop() {
			gost3410.VerifyBatch(batch)
		}
	})
}
