package tsp_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log"
	"math/big"
	"time"

	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
	"imzo/pki/tsp"
)

// An authority stamps a signature value, and the token is checked.
func Example() {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	key, err := alg.GenerateKey("ozdst", rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	name, err := cert.ParseName("CN=TSA")
	if err != nil {
		log.Fatal(err)
	}
	c, err := cert.Create(rand.Reader, &cert.Template{
		Subject: name, NotBefore: now, NotAfter: now.AddDate(5, 0, 0),
		ExtKeyUsage: []ber.OID{cert.OIDTimeStamping}, ExtKeyUsageCritical: true,
	}, nil, key)
	if err != nil {
		log.Fatal(err)
	}
	authority := tsp.Authority{
		Key: key, Chain: []*cert.Certificate{c}, Policy: ber.MustOID("1.2.860.3.2.11.1"), Name: "http://tsa.example/cams/tst",
		Serial: func() (*big.Int, error) { return big.NewInt(1), nil },
		Now:    func() time.Time { return now },
		Rand:   rand.Reader,
	}

	signature, digest := []byte("signature value"), alg.OZDST()
	nonce, err := tsp.NewNonce(rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	request := tsp.NewRequest(digest, digest.Sum(signature), nonce, true)
	response, err := tsp.ParseResponse(authority.Respond(context.Background(), request.Marshal()))
	if err != nil {
		log.Fatal(err)
	}
	token, err := response.Check(request)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(token.Info.GenTime.Format(time.RFC3339), token.TSAString(), token.CheckImprint(signature))
	// Output: 2026-01-01T12:00:00Z 6: http://tsa.example/cams/tst <nil>
}
