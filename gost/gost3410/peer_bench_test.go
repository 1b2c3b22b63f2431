package gost3410_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"testing"

	"imzo/gost/gost3410"
	"imzo/internal/testpki/peer"
)

// BenchmarkPeers puts CryptoPro-A beside Go's own P-256, the yardstick of what
// a curve of 256 bits can do on the machine, and beside BouncyCastle, which
// gets its key anew with every call, as a server does. A call of BouncyCastle
// includes one line over a pipe each way, 10 to 30 µs.
func BenchmarkPeers(b *testing.B) {
	digest := make([]byte, gost3410.DigestSize)
	digest[3] = 7

	key, err := gost3410.GenerateKey(gost3410.CryptoProA(), nil)
	if err != nil {
		b.Fatal(err)
	}
	sig, err := key.Sign(nil, digest, nil)
	if err != nil {
		b.Fatal(err)
	}
	raw := key.PublicKey().Bytes()
	b.Run("Sign/CryptoPro-A", func(b *testing.B) {
		for b.Loop() {
			if _, err := key.Sign(nil, digest, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Verify/CryptoPro-A", func(b *testing.B) {
		for b.Loop() {
			k, err := gost3410.ParsePublicKey(gost3410.CryptoProA(), raw)
			if err != nil || !k.Verify(digest, sig) {
				b.Fatal("signature does not verify")
			}
		}
	})

	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	der, err := ecdsa.SignASN1(rand.Reader, p256, digest)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("Sign/Go-P-256", func(b *testing.B) {
		for b.Loop() {
			if _, err := ecdsa.SignASN1(rand.Reader, p256, digest); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Verify/Go-P-256", func(b *testing.B) {
		for b.Loop() {
			if !ecdsa.VerifyASN1(&p256.PublicKey, digest, der) {
				b.Fatal("signature does not verify")
			}
		}
	})

	pub := key.PublicKey()
	verify := fmt.Sprintf("verify CryptoPro-A %x %x %x %x", pub.X(), pub.Y(), digest, sig)
	sign := fmt.Sprintf("sign CryptoPro-A %x %x", key.Bytes(), digest)
	b.Run("Sign/BouncyCastle", func(b *testing.B) {
		bc := peer.BouncyCastle(b).Start(b, "GostPeer", "testdata/java/GostPeer.java")
		warm(b, bc, sign)
		for b.Loop() {
			if answer := bc.Ask(b, sign); len(answer) != 2*gost3410.SignatureSize {
				b.Fatal(answer)
			}
		}
	})
	b.Run("Verify/BouncyCastle", func(b *testing.B) {
		bc := peer.BouncyCastle(b).Start(b, "GostPeer", "testdata/java/GostPeer.java")
		warm(b, bc, verify)
		for b.Loop() {
			if bc.Ask(b, verify) != "true" {
				b.Fatal("signature does not verify")
			}
		}
	})
}

// warm lets Java compile what is measured.
func warm(b *testing.B, bc *peer.Proc, line string) {
	b.Helper()
	for range 3000 {
		bc.Ask(b, line)
	}
}
