package keystore_test

import (
	"errors"
	"fmt"
	"os"

	"imzo/pki/keystore"
)

func Example() {
	data, err := os.ReadFile("testdata/java8.pfx")
	if err != nil {
		fmt.Println(err)
		return
	}
	aliases, err := keystore.ListPFX(data)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(aliases[0])

	_, err = keystore.OpenPFX(data, "guess")
	fmt.Println(errors.Is(err, keystore.ErrPassword))

	entries, err := keystore.OpenPFX(data, "Abc12345")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(entries[0].Key)
	fmt.Println(entries[0].Chain[0].Subject)
	// Output:
	// cn=test user,name=test,c=uz,1.2.860.3.16.1.2=12345678901234,serialnumber=77010203,validfrom=2025.01.01 05:00:00,validto=2027.01.01 05:00:00
	// true
	// OZDST-1092-2009-2 private key [redacted]
	// CN=TEST USER,Name=TEST,C=UZ,1.2.860.3.16.1.2=12345678901234
}
