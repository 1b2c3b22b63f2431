package gost28147

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"imzo/internal/testpki/peer"
)

// opensslRounds is how often each S-box and mode is compared; starting the
// program takes some 10 ms each time.
const opensslRounds = 6

// opensslSBoxes are the S-boxes the engine knows for the cipher. All of them
// come with key meshing there, also the test set.
func opensslSBoxes() []*SBox {
	return []*SBox{SBoxTest(), SBoxCryptoProA(), SBoxCryptoProB(), SBoxCryptoProC(), SBoxCryptoProD(), SBoxTC26Z()}
}

func TestCFBAgreesWithOpenSSL(t *testing.T) {
	o := peer.OpenSSLGOST(t)
	for _, s := range opensslSBoxes() {
		t.Run(s.Name(), func(t *testing.T) {
			compareStream(t, o.WithEnv("CRYPT_PARAMS="+s.Name()), "-gost89", s, NewCFBEncrypter, NewCFBDecrypter)
		})
	}
}

func TestCNTAgreesWithOpenSSL(t *testing.T) {
	o := peer.OpenSSLGOST(t)
	// The engine's counter mode has these two S-boxes only.
	for cipher, s := range map[string]*SBox{"-gost89-cnt": SBoxCryptoProA(), "-gost89-cnt-12": SBoxTC26Z()} {
		t.Run(s.Name(), func(t *testing.T) {
			compareStream(t, o, cipher, s, NewCNT, NewCNT)
		})
	}
}

func compareStream(t *testing.T, o *peer.OpenSSLPeer, cipher string, s *SBox, encrypt, decrypt newStream) {
	t.Helper()
	r := newSource(t)
	for i := range opensslRounds {
		n := []int{1, 8, 1024, 1025, 2053, 100_000 + r.IntN(1000)}[i%6]
		key, iv, data := r.bytes(KeySize), r.bytes(BlockSize), r.bytes(n)
		c := newCipher(t, key, s)
		args := []string{"enc", cipher, "-K", hex.EncodeToString(key), "-iv", hex.EncodeToString(iv)}

		e, err := encrypt(c, iv, CryptoProMeshing)
		if err != nil {
			t.Fatal(err)
		}
		got := r.inPieces(e, data)
		if want := o.Run(t, data, args...); !bytes.Equal(got, want) {
			t.Fatalf("key %x, iv %x, %d bytes: encryption differs from byte %s", key, iv, n, firstDifference(got, want))
		}
		d, err := decrypt(c, iv, CryptoProMeshing)
		if err != nil {
			t.Fatal(err)
		}
		got = r.inPieces(d, data)
		if want := o.Run(t, data, append(args, "-d")...); !bytes.Equal(got, want) {
			t.Fatalf("key %x, iv %x, %d bytes: decryption differs from byte %s", key, iv, n, firstDifference(got, want))
		}
	}
}

func TestMACAgreesWithOpenSSL(t *testing.T) {
	o := peer.OpenSSLGOST(t)
	for _, s := range opensslSBoxes() {
		t.Run(s.Name(), func(t *testing.T) {
			r := newSource(t)
			for i := range 2 * opensslRounds {
				n := []int{1, 7, 8, 9, 16, 17, 1023, 1024, 1025, 2048, 2049, 50_000 + r.IntN(1000)}[i%12]
				key, data, size := r.bytes(KeySize), r.bytes(n), 1+r.IntN(MaxMACSize)
				m, err := NewMAC(newCipher(t, key, s), MACOptions{Size: size, Meshing: CryptoProMeshing})
				if err != nil {
					t.Fatal(err)
				}
				r.writePieces(t, m, data)
				out := o.Run(t, data, "dgst", "-mac", "gost-mac", "-macopt", "paramset:"+s.Name(),
					"-macopt", "hexkey:"+hex.EncodeToString(key), "-macopt", fmt.Sprintf("size:%d", size))
				_, want, _ := strings.Cut(strings.TrimSpace(string(out)), "= ")
				if got := hex.EncodeToString(m.Sum(nil)); got != want {
					t.Fatalf("key %x, %d bytes: MAC is %s, want %s", key, n, got, want)
				}
			}
		})
	}
}
