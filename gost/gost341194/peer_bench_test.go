package gost341194

import (
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"imzo/internal/testpki/peer"
)

// BenchmarkPeers hashes one file of 64 MiB: here, and with the programs of
// RHash and of OpenSSL's GOST engine, whose start takes a few milliseconds.
func BenchmarkPeers(b *testing.B) {
	const size = 64 << 20
	data := make([]byte, size)
	if _, err := rand.Read(data); err != nil {
		b.Fatal(err)
	}
	file := filepath.Join(b.TempDir(), "data")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		b.Fatal(err)
	}
	b.Run("Imzo", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			Sum256(data)
		}
	})
	b.Run("RHash", func(b *testing.B) {
		rhash := peer.RHash(b)
		b.SetBytes(size)
		for b.Loop() {
			if out, err := exec.Command(rhash, "--gost94-cryptopro", file).CombinedOutput(); err != nil {
				b.Fatalf("%v: %s", err, out)
			}
		}
	})
	b.Run("OpenSSL", func(b *testing.B) {
		openssl := peer.OpenSSLGOST(b)
		b.SetBytes(size)
		for b.Loop() {
			openssl.Run(b, nil, "dgst", "-md_gost94", file)
		}
	})
}
