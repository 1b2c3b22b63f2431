package crypto

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"imzo/gost/gost3410"
	"imzo/gost/gost341194"
	"imzo/pki/alg"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/ocsp"
	"imzo/verify"
)

// manyUsers is how many people sign the documents that are verified in turn: more
// than the keys that alg counts, so that none gets a table of its own, as no
// user of a large site does.
const manyUsers = 1100

// documents are signed documents of many users of one CA, and the bare
// signatures to compare with.
type documents struct {
	content []byte
	each    []document
	next    int
	options verify.Options
}

type document struct {
	der       []byte
	key       *gost3410.PublicKey
	signature []byte // bare, over the digest of the content
}

// newDocuments makes a root, a CA, its users and a document of each.
func newDocuments(count, size int) (*documents, error) {
	d := &documents{content: make([]byte, size)}
	for i := range d.content {
		d.content[i] = byte('a' + i%26)
	}
	digest := gost341194.Sum256(d.content)
	now := time.Now()

	issue := func(subject string, issuer *cert.Certificate, issuerKey *alg.PrivateKey, change func(*cert.Template)) (*cert.Certificate, *alg.PrivateKey, error) {
		name, err := cert.ParseName(subject)
		if err != nil {
			return nil, nil, err
		}
		key, err := alg.GenerateKey("ozdst", rand.Reader)
		if err != nil {
			return nil, nil, err
		}
		t := &cert.Template{
			Subject: name, PublicKey: key.PublicKey(), NotBefore: now.AddDate(0, 0, -1), NotAfter: now.AddDate(1, 0, 0),
			KeyUsage: cert.KeyUsageDigitalSignature | cert.KeyUsageContentCommitment,
		}
		change(t)
		if issuerKey == nil {
			issuerKey = key
		}
		c, err := cert.Create(rand.Reader, t, issuer, issuerKey)
		return c, key, err
	}
	authority := func(t *cert.Template) {
		t.BasicConstraints = &cert.BasicConstraints{IsCA: true, MaxPathLen: -1}
		t.KeyUsage = cert.KeyUsageCertSign | cert.KeyUsageCRLSign
	}
	root, rootKey, err := issue("CN=Root", nil, nil, authority)
	if err != nil {
		return nil, err
	}
	ca, caKey, err := issue("CN=CA", root, rootKey, authority)
	if err != nil {
		return nil, err
	}
	for i := range count {
		user, key, err := issue(fmt.Sprintf("CN=USER %d,UID=%09d", i, i), ca, caKey, func(*cert.Template) {})
		if err != nil {
			return nil, err
		}
		der, err := cms.Sign(d.content, []cms.Signer{{Key: key, Chain: []*cert.Certificate{user, ca, root}, SigningTime: now}}, cms.Options{})
		if err != nil {
			return nil, err
		}
		private, ok := key.Signer().(*gost3410.PrivateKey)
		if !ok {
			return nil, fmt.Errorf("the key of a user is a %T", key.Signer())
		}
		signature, err := private.Sign(nil, digest[:], nil)
		if err != nil {
			return nil, err
		}
		d.each = append(d.each, document{der, private.PublicKey(), signature})
	}
	chains := cert.NewCache(0)
	if root, err = chains.Parse(root.Raw); err != nil { // as the server reads its roots
		return nil, err
	}
	d.options = verify.Options{
		Anchors: cert.NewPool(root), Revocation: goodStatus{now}, OmitContent: true, // as the server does
		Certificates: chains, CheckSignature: chains.Check,
	}
	// Once each, so that the chains are known from here on.
	for range d.each {
		if err := d.verifyDocument(); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// goodStatus knows the status of every certificate at once.
type goodStatus struct{ at time.Time }

// Status implements verify.RevocationSource.
func (g goodStatus) Status(context.Context, *cert.Certificate, *cert.Certificate) (*verify.RevocationStatus, error) {
	return &verify.RevocationStatus{Status: ocsp.Good, Reason: ocsp.NoReason, ThisUpdate: g.at, NextUpdate: g.at.Add(time.Hour)}, nil
}

func (d *documents) take() *document {
	d.next = (d.next + 1) % len(d.each)
	return &d.each[d.next]
}

// verifyBare hashes the content and verifies a signature over the digest.
func (d *documents) verifyBare() error {
	doc := d.take()
	digest := gost341194.Sum256(d.content)
	if !doc.key.Verify(digest[:], doc.signature) {
		return errWrong
	}
	return nil
}

// verifySigner parses a document and verifies its signature with the signer's
// certificate out of it.
func (d *documents) verifySigner() error {
	sd, err := cms.Parse(d.take().der)
	if err != nil {
		return err
	}
	si := sd.SignerInfos[0]
	certificates := sd.SignerCertificates(si)
	if len(certificates) != 1 {
		return errWrong
	}
	return sd.Verify(si, certificates[0], nil)
}

// verifyDocument comes to the whole verdict, as the server does.
func (d *documents) verifyDocument() error {
	report, err := verify.Document(context.Background(), d.take().der, nil, d.options)
	if err != nil {
		return err
	}
	if !report.Valid() {
		return report.FirstFailure()
	}
	return nil
}
