package gost341194_test

import (
	"crypto/hmac"
	"fmt"
	"io"
	"strings"

	"imzo/gost/gost341194"
)

func ExampleNew() {
	h := gost341194.New()
	if _, err := io.Copy(h, strings.NewReader("some document")); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%x\n", h.Sum(nil))
	// Output: 3369cd520c8e556502b9bc0ac34ca69cafee96f2f4a8371a63d4dd7d3a458d05
}

func ExampleSum256() {
	fmt.Printf("%x\n", gost341194.Sum256([]byte("abc")))
	// Output: b285056dbf18d7392d7677369524dd14747459ed8143997e163b2986f92fd42c
}

func ExampleNew_hmac() {
	m := hmac.New(gost341194.New, []byte("key"))
	m.Write([]byte("message"))
	fmt.Println(len(m.Sum(nil)))
	// Output: 32
}

// Documents that wait together are hashed together.
func ExampleSumMany() {
	documents := [][]byte{[]byte("abc"), []byte("some document"), nil}
	digests := make([][gost341194.Size]byte, len(documents))
	gost341194.SumMany(digests, documents)
	for _, d := range digests {
		fmt.Printf("%x\n", d[:8])
	}
	// Output:
	// b285056dbf18d739
	// 3369cd520c8e5565
	// 981e5f3ca30c8414
}
