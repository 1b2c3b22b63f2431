package alg_test

import (
	"crypto/rand"
	"fmt"

	"imzo/pki/alg"
)

func Example() {
	key, err := alg.GenerateKey("ozdst", rand.Reader)
	if err != nil {
		fmt.Println(err)
		return
	}
	sig, err := key.SignMessage(rand.Reader, []byte("Salom"))
	if err != nil {
		fmt.Println(err)
		return
	}

	public, err := alg.ParsePublicKeyDER(key.PublicKey().Raw)
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := alg.ResolveSignature(key.SignatureAlgorithm(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(public.Name())
	fmt.Println(s.Name)
	fmt.Println(s.Verify(public, []byte("Salom"), sig))
	fmt.Println(s.Verify(public, []byte("Salom!"), sig))
	fmt.Println(key)
	// Output:
	// OZDST-1092-2009-2
	// OZDST-1106-2009-2-AwithOZDST-1092-2009-2
	// <nil>
	// signature is wrong
	// OZDST-1092-2009-2 private key [redacted]
}
