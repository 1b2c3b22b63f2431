package soft_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"imzo/pki/token"
	"imzo/pki/token/soft"
)

func ExampleCreate() {
	dir, err := os.MkdirTemp("", "cards")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	card, err := soft.Create(filepath.Join(dir, "ali.card"), soft.Options{
		Kind: token.KindIDCard, Name: "Ali", PIN: []byte("1234"), PUK: []byte("12345678"),
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	_, err = card.Open(ctx, []byte("4321"))
	var wrong *token.PINError
	fmt.Println(errors.As(err, &wrong), err)

	session, err := card.Open(ctx, []byte("1234"))
	if err != nil {
		log.Fatal(err)
	}
	defer session.Close()
	key, err := session.GenerateKey(ctx, "")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(key.PublicKey().Name(), key)
	// Output:
	// true wrong PIN, tries left: 4
	// OZDST-1092-2009-2 OZDST-1092-2009-2 private key [redacted]
}
