package gost3410_test

import (
	"crypto/rand"
	"fmt"

	"imzo/gost/gost3410"
	"imzo/gost/gost341194"
)

func Example() {
	key, err := gost3410.GenerateKey(gost3410.CryptoProA(), rand.Reader)
	if err != nil {
		fmt.Println(err)
		return
	}
	digest := gost341194.Sum256([]byte("some document"))
	sig, err := key.Sign(rand.Reader, digest[:], nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(sig), key.PublicKey().Verify(digest[:], sig))

	other := gost341194.Sum256([]byte("another document"))
	fmt.Println(key.PublicKey().Verify(other[:], sig))
	fmt.Println(key)
	// Output:
	// 64 true
	// false
	// gost3410.PrivateKey([redacted])
}

func ExampleParsePublicKey() {
	// The 64 bytes that a certificate's SubjectPublicKeyInfo holds; here the
	// base point: x = 1.
	g := gost3410.CryptoProA().Params()
	raw := make([]byte, gost3410.PublicKeySize)
	for i := range 32 {
		raw[i], raw[32+i] = g.Gx[31-i], g.Gy[31-i]
	}
	key, err := gost3410.ParsePublicKey(gost3410.CryptoProA(), raw)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s, y = %x...\n", key.Curve().Name(), key.Y()[:4])

	raw[0]++
	_, err = gost3410.ParsePublicKey(gost3410.CryptoProA(), raw)
	fmt.Println(err)
	// Output:
	// CryptoPro-A, y = 8d91e471...
	// gost3410: point is not on the curve
}

func ExamplePrivateKey_VKO() {
	ukm := []byte{1, 2, 3, 4, 5, 6, 7, 8} // agreed in the open, new each time
	alice, err := gost3410.GenerateKey(gost3410.CryptoProA(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	bob, err := gost3410.GenerateKey(gost3410.CryptoProA(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	a, err := alice.VKO(bob.PublicKey(), ukm)
	if err != nil {
		fmt.Println(err)
		return
	}
	b, err := bob.VKO(alice.PublicKey(), ukm)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(a), string(a) == string(b))
	// Output:
	// 32 true
}
