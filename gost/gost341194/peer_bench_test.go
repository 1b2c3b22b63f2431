package gost341194

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"imzo/gost/gost28147"
	"imzo/internal/testpki/peer"
)

// BenchmarkPeers hashes 64 MiB: here, by each path and by SumMany as sixteen
// messages of 4 MiB, and from a file with the programs of RHash and of
// OpenSSL's GOST engine, whose start takes a few milliseconds. BouncyCastle,
// which is slow, hashes 4 MiB.
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
	for _, p := range paths() {
		b.Run("Imzo, "+p.String(), func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				d := state{sbox: gost28147.SBoxHashCryptoPro(), t: cryptoProTables, path: p}
				d.write(data)
				d.digest()
			}
		})
	}
	b.Run("Imzo, SumMany", func(b *testing.B) {
		messages := make([][]byte, 16)
		for i := range messages {
			messages[i] = data[i*(size/16):][:size/16]
		}
		b.SetBytes(size)
		for b.Loop() {
			SumMany(make([][Size]byte, len(messages)), messages)
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
	b.Run("BouncyCastle", func(b *testing.B) {
		const size = 4 << 20
		bc := peer.BouncyCastle(b).Start(b, "Peer", "testdata/Peer.java")
		question := fmt.Sprintf("pattern %s %d", sboxBytes(gost28147.SBoxHashCryptoPro()), size)
		bc.Ask(b, question) // its compiler warms up
		b.SetBytes(size)
		for b.Loop() {
			bc.Ask(b, question)
		}
	})
}

// BenchmarkPeersOnShortMessages hashes messages of 64 bytes, each at once:
// OpenSSL's GOST engine by its own measure, in which EVP_Digest does that.
func BenchmarkPeersOnShortMessages(b *testing.B) {
	const size = 64
	b.Run("Imzo", func(b *testing.B) {
		data := make([]byte, size)
		b.SetBytes(size)
		for b.Loop() {
			Sum256(data)
		}
	})
	b.Run("OpenSSL", func(b *testing.B) {
		openssl := peer.OpenSSLGOST(b)
		speed := regexp.MustCompile(`\+F:[0-9]+:md_gost94:([0-9.]+)`)
		for b.Loop() {
			out := openssl.Run(b, nil, "speed", "-mr", "-seconds", "1", "-bytes", strconv.Itoa(size), "-evp", "md_gost94")
			m := speed.FindSubmatch(out)
			if m == nil {
				b.Fatalf("no figure in %s", out)
			}
			bytesPerSecond, err := strconv.ParseFloat(string(m[1]), 64)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(size*1e9/bytesPerSecond, "ns/op")
			b.ReportMetric(bytesPerSecond/1e6, "MB/s")
		}
	})
}
