package cms

import (
	"bytes"
	cryptorand "crypto/rand"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
)

// signerOf signs as E-IMZO does: chain in the bag, signing time signed.
func signerOf(e testpki.Entity) Signer {
	return Signer{Key: e.Key, Chain: e.Chain, SigningTime: testpki.DefaultNow()}
}

func mustSign(t testing.TB, content []byte, o Options, signers ...Signer) []byte {
	t.Helper()
	b, err := Sign(content, signers, o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustParse(t testing.TB, b []byte) *SignedData {
	t.Helper()
	s, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var errNoCertificate = errors.New("no certificate of the signer in the bag")

// verifyAll verifies every signer with the one certificate of the bag that
// verifies, and refuses a bag with anything unverified in it: what a user of
// the package does before path validation.
func verifyAll(s *SignedData, detached []byte) error {
	for _, si := range s.SignerInfos {
		certs := s.SignerCertificates(si)
		if len(certs) == 0 {
			return errNoCertificate
		}
		var err error
		for _, c := range certs {
			if err = s.Verify(si, c, detached); err == nil {
				break
			}
		}
		if err != nil {
			return err
		}
	}
	return cert.CheckBag(s.Certificates, nil)
}

func mustVerify(t testing.TB, b, detached []byte) *SignedData {
	t.Helper()
	s := mustParse(t, b)
	if err := verifyAll(s, detached); err != nil {
		t.Fatal(err)
	}
	return s
}

func randomOctets(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// forge describes a document that our own writer refuses to make: everything
// of it is at the test's choice. A nil field takes the honest value.
type forge struct {
	contentType ber.OID
	content     []byte
	digests     [][]byte
	bag         []*cert.Certificate
	bagRaw      [][]byte
	sid         []byte
	digest      []byte
	attrs       []Attribute // replaces the honest attributes
	plain       bool        // no signed attributes
	signed      []byte      // what is signed, when not the attributes or content
	unsigned    []Attribute
	algorithm   []byte
	signature   []byte
	version     int
	siVersion   int
}

func honestAttrs(e testpki.Entity, contentType ber.OID, content []byte) []Attribute {
	return []Attribute{
		NewAttribute(OIDContentType, contentType.DER()),
		NewAttribute(OIDSigningTime, ber.Time(testpki.DefaultNow())),
		NewAttribute(OIDMessageDigest, ber.OctetString(e.Key.Digest().Sum(content))),
	}
}

func rawAttrs(attrs []Attribute) (raw [][]byte) {
	for _, a := range attrs {
		raw = append(raw, a.Raw)
	}
	return raw
}

// make writes the document with e's key.
func (f forge) make(t testing.TB, e testpki.Entity) []byte {
	t.Helper()
	if f.contentType == "" {
		f.contentType = OIDData
	}
	if f.attrs == nil {
		f.attrs = honestAttrs(e, f.contentType, f.content)
	}
	if f.bag == nil {
		f.bag = e.Chain
	}
	for _, c := range f.bag {
		f.bagRaw = append(f.bagRaw, c.Raw)
	}
	if f.digest == nil {
		f.digest = e.Key.Digest().Identifier().Marshal()
	}
	if f.digests == nil {
		f.digests = [][]byte{f.digest}
	}
	if f.algorithm == nil {
		f.algorithm = e.Key.SignatureAlgorithm().Marshal()
	}
	id := SignerIdentifier{Issuer: e.Cert.Issuer, Serial: e.Cert.Serial}
	if f.sid == nil {
		f.sid = id.marshal()
	}
	if f.siVersion == 0 {
		f.siVersion = 1
	}
	if f.version == 0 {
		f.version = 1
		if f.contentType != OIDData {
			f.version = 3
		}
	}
	set := ber.SetOf(rawAttrs(f.attrs)...)
	if f.signed == nil {
		f.signed = set
		if f.plain {
			f.signed = f.content
		}
	}
	if f.signature == nil {
		var err error
		if f.signature, err = e.Key.SignMessage(cryptorand.Reader, f.signed); err != nil {
			t.Fatal(err)
		}
	}
	parts := [][]byte{ber.Int64(int64(f.siVersion)), f.sid, f.digest}
	if !f.plain {
		set = bytes.Clone(set)
		set[0] = ber.ContextConstructed(0)
		parts = append(parts, set)
	}
	parts = append(parts, f.algorithm, ber.OctetString(f.signature))
	if f.unsigned != nil {
		parts = append(parts, ber.Tagged(ber.ContextConstructed(1), rawAttrs(f.unsigned)...))
	}
	doc := document{
		indefinite:   true,
		version:      f.version,
		digests:      f.digests,
		encap:        encapContentInfo(f.contentType, f.content, true),
		certificates: f.bagRaw,
		signers:      [][]byte{ber.Sequence(parts...)},
	}
	return doc.encode()
}

// change returns s written anew after f changed the parts of it.
func change(s *SignedData, f func(d *document)) []byte {
	d := s.document()
	d.certificates = nil
	for _, c := range s.Certificates {
		d.certificates = append(d.certificates, c.Raw)
	}
	d.certsRaw = nil
	d.digests, d.signers = slices.Clone(d.digests), slices.Clone(d.signers)
	f(&d)
	return d.encode()
}

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

func digestNamed(t testing.TB, name string) *alg.Digest {
	t.Helper()
	d, err := alg.DigestByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
