package cert_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/cert"
)

func FuzzParse(f *testing.F) {
	f.Add(load(f, "uz-production-root.pem").Raw)
	f.Add(load(f, "uz-production-ca.pem").Raw)
	vector, err := base64.StdEncoding.DecodeString(vectorCertificate)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(vector)
	p := testpki.New(f, "ecdsa:P-256")
	f.Add(p.User(f, testpki.Organisation, func(tm *cert.Template) {
		tm.DNSNames, tm.EmailAddresses = []string{"e-imzo.uz"}, []string{"a@e-imzo.uz"}
	}).Cert.Raw)
	f.Add(p.OCSP.Cert.Raw)
	f.Fuzz(func(t *testing.T, der []byte) {
		c, err := cert.Parse(der)
		if err != nil {
			return
		}
		if !bytes.Equal(c.Raw, der) || !bytes.Contains(der, c.RawTBS) || !bytes.Contains(c.RawTBS, c.RawSubject) || !bytes.Contains(c.RawTBS, c.RawIssuer) {
			t.Fatal("the raw parts are not those of the input")
		}
		again, err := cert.ParseAll(cert.EncodePEM(c))
		if err != nil || len(again) != 1 || !again[0].Equal(c) {
			t.Fatalf("PEM does not bring it back: %v", err)
		}
		if c.PublicKey == nil || c.Serial == nil || c.Version < 1 || c.Version > 3 {
			t.Fatal("a field without a value")
		}
		if c.Version < 3 && len(c.Extensions) > 0 {
			t.Fatal("extensions in an old version")
		}
		// A certificate with another first octet of its signature is
		// another certificate.
		if len(c.Signature) > 0 && c.CheckSignatureFrom(c) == nil {
			changed := bytes.Clone(der)
			changed[len(changed)-len(c.Signature)] ^= 1
			if other, err := cert.Parse(changed); err == nil && other.CheckSignatureFrom(other) == nil {
				t.Fatal("two signatures for one certificate, one octet apart")
			}
		}
		_ = c.Subject.String()
		_ = c.SelfIssued()
	})
}

// FuzzPath cuts octets of certificates of a bag in and out and asks that no
// mutated certificate becomes part of a path.
func FuzzPath(f *testing.F) {
	p := testpki.New(f, "ecdsa:P-256")
	middle := p.Issue(f, p.CA, func(tm *cert.Template) { testpki.CATemplate(f, tm, "CN=Middle") }, p.KeySpec)
	leaf := p.Issue(f, middle, func(tm *cert.Template) { tm.Subject = testpki.Name(f, testpki.Person) }, p.KeySpec)
	genuine := cert.NewPool(leaf.Chain...)
	f.Add(uint8(0), uint16(0), []byte{0x31}, int64(0))
	f.Add(uint8(1), uint16(40), []byte{}, int64(1))
	f.Add(uint8(2), uint16(300), []byte{0xff, 0xff}, int64(-1e9))
	f.Fuzz(func(t *testing.T, which uint8, at uint16, patch []byte, shift int64) {
		bag := append([]*cert.Certificate{}, leaf.Chain...)
		target := int(which) % len(bag)
		mutated := bytes.Clone(bag[target].Raw)
		if int(at) < len(mutated) {
			copy(mutated[at:], patch)
		}
		if c, err := cert.Parse(mutated); err == nil {
			bag[target] = c
			// The true one may ride along: which of the two comes first
			// must not matter.
			if which > 127 {
				bag = append(bag, leaf.Chain[target])
			}
		}
		when := p.Now.Add(time.Duration(shift))
		path, err := cert.BuildPath(bag[0], cert.PathOptions{Anchors: p.Anchors(), Intermediates: bag, At: when})
		if err != nil {
			if failure := new(cert.PathError); !errors.As(err, &failure) || failure.Reason == "" {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		for _, c := range path.Certificates {
			if !genuine.Contains(c) {
				t.Fatalf("a changed certificate is in the path: %x", c.Raw)
			}
		}
		for _, c := range path.Certificates[1:] {
			if !c.ValidAt(when) {
				t.Fatal("a CA is not valid at that time")
			}
		}
		if err := cert.CheckBag(bag, path.Certificates); err == nil {
			for _, c := range bag {
				if !genuine.Contains(c) {
					t.Fatalf("a changed certificate is in the bag: %x", c.Raw)
				}
			}
		}
	})
}
