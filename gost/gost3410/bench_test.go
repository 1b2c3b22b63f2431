package gost3410_test

import (
	"testing"

	"imzo/gost/gost3410"
)

func BenchmarkGOST3410(b *testing.B) {
	digest := make([]byte, gost3410.DigestSize)
	digest[3] = 7
	ukm := []byte{1, 2, 3, 4, 5, 6, 7, 8}
	for _, c := range curves() {
		key, err := gost3410.GenerateKey(c, nil)
		if err != nil {
			b.Fatal(err)
		}
		sig, err := key.Sign(nil, digest, nil)
		if err != nil {
			b.Fatal(err)
		}
		raw := key.PublicKey().Bytes()
		b.Run("Sign/"+c.Name(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := key.Sign(nil, digest, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("Verify/"+c.Name(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !key.PublicKey().Verify(digest, sig) {
					b.Fatal("signature does not verify")
				}
			}
		})
		known := key.PublicKey().Precompute()
		b.Run("VerifyKnown/"+c.Name(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !known.Verify(digest, sig) {
					b.Fatal("signature does not verify")
				}
			}
		})
		b.Run("Precompute/"+c.Name(), func(b *testing.B) {
			for b.Loop() {
				key.PublicKey().Precompute()
			}
		})
		b.Run("ParsePublicKey/"+c.Name(), func(b *testing.B) {
			for b.Loop() {
				if _, err := gost3410.ParsePublicKey(c, raw); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("GenerateKey/"+c.Name(), func(b *testing.B) {
			for b.Loop() {
				if _, err := gost3410.GenerateKey(c, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("VKO/"+c.Name(), func(b *testing.B) {
			for b.Loop() {
				if _, err := key.VKO(key.PublicKey(), ukm); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
