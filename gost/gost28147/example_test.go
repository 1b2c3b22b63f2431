package gost28147_test

import (
	"encoding/hex"
	"fmt"

	"imzo/gost/gost28147"
)

func ExampleCipher_EncryptECB() {
	key, _ := hex.DecodeString("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
	block, _ := hex.DecodeString("0011223344556677")
	c, err := gost28147.NewCipher(key, gost28147.SBoxHashCryptoPro())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Wipe()
	if err := c.EncryptECB(block, block); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%x\n", block)
	// Output: 0aa8a84eb9858f24
}

func ExampleWrapKey() {
	kek := []byte("a key agreed with the receiver..")
	cek := []byte("the key of the document's cipher")
	ukm := []byte("8 random")

	wrapped, err := gost28147.WrapKey(kek, cek, ukm, gost28147.SBoxCryptoProA())
	if err != nil {
		fmt.Println(err)
		return
	}
	got, err := gost28147.UnwrapKey(kek, wrapped, gost28147.SBoxCryptoProA())
	fmt.Printf("%d bytes; %s; %v\n", len(wrapped), got, err)

	wrapped[20] ^= 1
	_, err = gost28147.UnwrapKey(kek, wrapped, gost28147.SBoxCryptoProA())
	fmt.Println(err)
	// Output:
	// 44 bytes; the key of the document's cipher; <nil>
	// gost28147: wrapped key does not match its MAC
}
