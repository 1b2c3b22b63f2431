package gost3410

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"testing"
)

func stdHMAC(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

func TestHMACIsThatOfTheStandardLibrary(t *testing.T) {
	var key [32]byte
	for i := range key {
		key[i] = byte(i * 7)
	}
	for n := 0; n < 160; n++ {
		msg := bytes.Repeat([]byte{byte(n)}, n)
		got := hmacSHA256(&key, msg[:n/2], msg[n/2:])
		if want := stdHMAC(key[:], msg); !bytes.Equal(got[:], want) {
			t.Fatalf("%d bytes: %x, want %x", n, got, want)
		}
	}
}

// The generator written down once more from SP 800-90A 10.1.2, over
// crypto/hmac.
func TestNonceSourceIsHMACDRBG(t *testing.T) {
	d := [32]byte{1, 2, 3}
	digest, fresh := bytes.Repeat([]byte{4}, 32), bytes.Repeat([]byte{5}, 32)
	for _, curve := range []string{"CryptoPro-A", "test"} {
		seed := append(append(append(append([]byte(nil), d[:]...), fresh...), digest...), "gost3410 "+curve...)
		k, v := make([]byte, 32), bytes.Repeat([]byte{1}, 32)
		update := func(data []byte) {
			k = stdHMAC(k, v, []byte{0}, data)
			v = stdHMAC(k, v)
			if len(data) > 0 {
				k = stdHMAC(k, v, []byte{1}, data)
				v = stdHMAC(k, v)
			}
		}
		update(seed)
		n := newNonceSource(curve, &d, digest, fresh)
		for i := range 4 {
			if i > 0 {
				update(nil)
			}
			v = stdHMAC(k, v)
			first := bytes.Clone(v)
			v = stdHMAC(k, v)
			hi, lo := n.next()
			var got [64]byte
			hi.PutBytes(got[:32])
			lo.PutBytes(got[32:])
			if want := append(first, v...); !bytes.Equal(got[:], want) {
				t.Fatalf("%s, output %d: %x, want %x", curve, i, got, want)
			}
		}
		n.wipe()
		if n.k != [32]byte{} || n.v != [32]byte{} {
			t.Error("wipe leaves the state")
		}
	}
}

func TestSignAllocatesTheSignatureOnly(t *testing.T) {
	key, err := GenerateKey(cryptoProA, nil)
	if err != nil {
		t.Fatal(err)
	}
	digest := make([]byte, DigestSize)
	allocs := testing.AllocsPerRun(50, func() {
		if _, err := key.Sign(nil, digest, nil); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 1 {
		t.Errorf("Sign allocates %v times, want once", allocs)
	}
	sig, err := key.Sign(nil, digest, nil)
	if err != nil {
		t.Fatal(err)
	}
	if allocs := testing.AllocsPerRun(50, func() { key.PublicKey().Verify(digest, sig) }); allocs != 0 {
		t.Errorf("Verify allocates %v times", allocs)
	}
}
