package cms_test

import (
	"crypto/rand"
	"fmt"
	"log"
	"time"

	"imzo/pki/alg"
	"imzo/pki/cert"
	"imzo/pki/cms"
)

// A document is signed, a second signature added, and both are verified. Which
// certificates to trust is for package verify.
func Example() {
	key, err := alg.GenerateKey("ozdst", rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	name, err := cert.ParseName("CN=Test User,C=UZ")
	if err != nil {
		log.Fatal(err)
	}
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	c, err := cert.Create(rand.Reader, &cert.Template{Subject: name, NotBefore: now, NotAfter: now.AddDate(2, 0, 0)}, nil, key)
	if err != nil {
		log.Fatal(err)
	}
	signer := cms.Signer{Key: key, Chain: []*cert.Certificate{c}, SigningTime: now}

	document, err := cms.Sign([]byte("Salom"), []cms.Signer{signer}, cms.Options{})
	if err != nil {
		log.Fatal(err)
	}
	sd, err := cms.Parse(document)
	if err != nil {
		log.Fatal(err)
	}
	signer.SigningTime = now.Add(time.Hour)
	if document, err = sd.AddSigner(nil, signer, rand.Reader); err != nil {
		log.Fatal(err)
	}
	if sd, err = cms.Parse(document); err != nil {
		log.Fatal(err)
	}
	for _, si := range sd.SignerInfos {
		at, _, err := si.SigningTime()
		if err != nil {
			log.Fatal(err)
		}
		for _, c := range sd.SignerCertificates(si) {
			fmt.Println(c.Subject, at.Format(time.RFC3339), sd.Verify(si, c, nil))
		}
	}
	fmt.Printf("%s\n", sd.Content())
	// Output:
	// CN=Test User,C=UZ 2026-01-01T12:00:00Z <nil>
	// CN=Test User,C=UZ 2026-01-01T13:00:00Z <nil>
	// Salom
}
