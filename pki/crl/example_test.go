package crl_test

import (
	"crypto/rand"
	"fmt"
	"log"
	"math/big"
	"time"

	"imzo/pki/alg"
	"imzo/pki/cert"
	"imzo/pki/crl"
)

// A CA lists a certificate, and the list is checked and searched.
func Example() {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	key, err := alg.GenerateKey("ozdst", rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	name, err := cert.ParseName("CN=TestCA")
	if err != nil {
		log.Fatal(err)
	}
	ca, err := cert.Create(rand.Reader, &cert.Template{Subject: name, NotBefore: now, NotAfter: now.AddDate(5, 0, 0)}, nil, key)
	if err != nil {
		log.Fatal(err)
	}
	user, err := cert.Create(rand.Reader, &cert.Template{
		Serial: big.NewInt(0x218711a92), Subject: name, PublicKey: key.PublicKey(),
		NotBefore: now, NotAfter: now.AddDate(2, 0, 0),
	}, ca, key)
	if err != nil {
		log.Fatal(err)
	}
	der, err := crl.Create(rand.Reader, &crl.Template{
		ThisUpdate: now, NextUpdate: now.AddDate(0, 0, 1), Number: big.NewInt(1),
		Entries: []crl.Entry{{Serial: user.Serial, RevokedAt: now, Reason: 1}},
	}, ca, key)
	if err != nil {
		log.Fatal(err)
	}

	list, err := crl.Parse(der)
	if err != nil {
		log.Fatal(err)
	}
	if err := list.CheckSignatureFrom(ca); err != nil {
		log.Fatal(err)
	}
	if err := list.Fresh(now.Add(time.Hour)); err != nil {
		log.Fatal(err)
	}
	if err := list.Covers(user); err != nil {
		log.Fatal(err)
	}
	entry, revoked, err := list.Lookup(user.Serial)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(revoked, entry.RevokedAt.Format(time.RFC3339), entry.Reason)
	// Output: true 2026-01-01T12:00:00Z 1
}
