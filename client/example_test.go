package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"
	"time"

	"imzo/client"
)

// start starts a server for the examples and returns its address, and the
// agent of a user, which signs in the browser of the user in real life.
func start() (address string, agent *world, stop func()) {
	w, stop, err := newWorld()
	if err != nil {
		log.Fatal(err)
	}
	return w.http.URL, w, stop
}

func Example() {
	address, agent, stop := start() // your server is at "http://127.0.0.1:8080"
	defer stop()

	c, err := client.New(address, client.Options{Token: "secret-of-the-sites-back-end", Language: "en"})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	ctx := context.Background()

	// The page asks for a challenge, and the user's agent signs it.
	challenge, err := c.Challenge(ctx)
	if err != nil {
		log.Fatal(err)
	}
	pkcs7 := agent.sign(challenge.Challenge)

	// The page sends the signed challenge to the back end.
	reply, err := c.Auth(ctx, client.User{IP: "1.2.3.4", Host: "example.uz"}, pkcs7)
	switch {
	case errors.Is(err, client.AuthChallengeNotFound):
		fmt.Println("too late, try again")
		return
	case err != nil:
		fmt.Println("nobody is logged in:", err)
		return
	}
	fmt.Println(reply.SubjectCertificateInfo.CommonName(), reply.SubjectCertificateInfo.PINFL())

	// A challenge is good for one log-in.
	_, err = c.Auth(ctx, client.User{}, pkcs7)
	fmt.Println(errors.Is(err, client.AuthChallengeNotFound))

	// Output:
	// IVANOV IVAN IVANOVICH 30000000000000
	// true
}

func ExampleClient_VerifyAttached() {
	address, agent, stop := start()
	defer stop()
	c, err := client.New(address, client.Options{Token: "secret-of-the-sites-back-end"})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	ctx, user := context.Background(), client.User{IP: "1.2.3.4", Host: "example.uz"}

	// A timestamp first, so that the signature outlives the certificate.
	stamped, err := c.Timestamp(ctx, user, agent.sign("some document"))
	if err != nil {
		log.Fatal(err)
	}
	reply, err := c.VerifyAttached(ctx, user, stamped.PKCS7)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", reply.PKCS7Info.Document)
	for _, signer := range reply.PKCS7Info.Signers {
		at, err := signer.TimeStampInfo.Time.Time()
		fmt.Println(signer.Certificate[0].SubjectInfo["CN"], at.UTC().Format(time.RFC3339), err)
	}
	// Output:
	// some document
	// IVANOV IVAN IVANOVICH 2026-01-01T12:00:00Z <nil>
}

func ExampleClient_VerifyDetached() {
	address, agent, stop := start()
	defer stop()
	c, err := client.New(address, client.Options{Token: "secret-of-the-sites-back-end"})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	pkcs7 := agent.signDetached("some document")
	reply, err := c.VerifyDetached(context.Background(), client.User{}, []byte("another document"), pkcs7)
	var status client.DocumentStatus
	if errors.As(err, &status) {
		fmt.Println(int(status), status, status.Temporary())
		fmt.Println(reply.FailedSignerInfo.Verified)
	}
	// Output:
	// -10 signature invalid false
	// false
}

func ExampleHTTPError() {
	address, _, stop := start()
	defer stop()
	c, err := client.New(address, client.Options{Token: "secret-of-the-sites-back-end"})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	_, err = c.VerifyAttached(context.Background(), client.User{}, "?")
	var answer *client.HTTPError
	if errors.As(err, &answer) {
		fmt.Println(answer.StatusCode, strings.HasPrefix(answer.Text, "the PKCS#7 document is not base64"))
	}
	// Output:
	// 400 true
}

func ExampleClient_VerifyDetachedStream() {
	address, agent, stop := start()
	defer stop()
	c, err := client.New(address, client.Options{Token: "secret-of-the-sites-back-end"})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	pkcs7 := agent.signDetached("a film of two gigabytes")
	data := strings.NewReader("a film of two gigabytes") // an *os.File in real life
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	reply, err := c.VerifyDetachedStream(ctx, client.User{}, data, pkcs7)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(reply.PKCS7Info.Signers[0].Certificate[0].SubjectInfo["CN"])
	// Output:
	// IVANOV IVAN IVANOVICH
}

func ExampleClient_VerifyBatch() {
	address, agent, stop := start()
	defer stop()
	c, err := client.New(address, client.Options{Token: "secret-of-the-sites-back-end"})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	reply, err := c.VerifyBatch(context.Background(), client.User{}, []client.BatchDocument{
		{ID: "contract", PKCS7: agent.sign("a contract")},
		{ID: "invoice", PKCS7: agent.signDetached("an invoice"), Data: []byte("another invoice")},
	})
	fmt.Println("all are valid:", err == nil)
	for _, result := range reply.Results {
		fmt.Println(result.ID, errors.Is(result.Err(), client.DocumentSignatureInvalid))
	}
	// Output:
	// all are valid: false
	// contract false
	// invoice true
}

func ExampleClient_CertificateStatus() {
	address, agent, stop := start()
	defer stop()
	c, err := client.New(address, client.Options{Token: "secret-of-the-sites-back-end"})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	// A document stands for the certificate of its signer.
	reply, err := c.CertificateStatus(context.Background(), client.User{}, agent.sign("anything"))
	if err != nil {
		log.Fatal(err)
	}
	until, err := reply.SubjectCertificateInfo.ValidTo.Time()
	fmt.Println(reply.SubjectCertificateInfo.CommonName(), "until", until.Year(), err)
	// Output:
	// IVANOV IVAN IVANOVICH until 2027 <nil>
}

func ExampleClient_Digest() {
	address, _, stop := start()
	defer stop()
	c, err := client.New(address, client.Options{Token: "secret-of-the-sites-back-end"})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	reply, err := c.Digest(context.Background(), "", strings.NewReader("some document"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(reply.DigestHex)
	// Output:
	// 3369cd520c8e556502b9bc0ac34ca69cafee96f2f4a8371a63d4dd7d3a458d05
}

func ExampleClient_ReportPage() {
	address, agent, stop := start()
	defer stop()
	c, err := client.New(address, client.Options{Token: "secret-of-the-sites-back-end"})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	page, err := c.ReportPage(context.Background(), client.User{}, "uz", agent.sign("some document"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(strings.HasPrefix(string(page), "<!DOCTYPE html>"))
	// Output:
	// true
}
