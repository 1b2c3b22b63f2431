package ocsp_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log"
	"math/big"
	"time"

	"imzo/pki/alg"
	"imzo/pki/cert"
	"imzo/pki/ocsp"
)

// A CA answers for its own certificates, and what it says is checked.
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
	template := cert.Template{Serial: big.NewInt(1), Subject: name, NotBefore: now, NotAfter: now.AddDate(1, 0, 0)}
	ca, err := cert.Create(rand.Reader, &template, nil, key)
	if err != nil {
		log.Fatal(err)
	}
	template.Serial, template.PublicKey = big.NewInt(2), key.PublicKey()
	user, err := cert.Create(rand.Reader, &template, ca, key)
	if err != nil {
		log.Fatal(err)
	}
	responder := ocsp.Responder{
		Certificate: ca, Key: key, Issuer: ca, Rand: rand.Reader, Validity: time.Minute,
		Now: func() time.Time { return now },
		Lookup: func(_ context.Context, serial *big.Int) (ocsp.StatusInfo, error) {
			return ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: now, Reason: 6}, nil
		},
	}

	nonce, err := ocsp.NewNonce(rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	request := ocsp.Request{CertIDs: []ocsp.CertID{ocsp.NewCertID(nil, user, ca)}, Nonce: nonce}
	response, err := ocsp.ParseResponse(responder.Respond(context.Background(), request.Marshal()))
	if err != nil {
		log.Fatal(err)
	}
	status, err := response.Check(ocsp.CheckOptions{Certificate: user, Issuer: ca, Nonce: nonce, Now: now})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(status.Status, ocsp.ReasonName(status.Reason), "until", status.NextUpdate.Format(time.TimeOnly))
	// Output: revoked certificateHold until 12:01:00
}
