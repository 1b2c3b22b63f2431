package tsp

import (
	"crypto/rand"
	"math/big"
	"testing"

	"imzo/internal/testpki"
	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
	"imzo/pki/cms"
)

// testPolicy, testName are those of the timestamp authority of E-IMZO's test
// system (guide 2.2.4).
const (
	testPolicy = "1.2.860.3.2.11.1"
	testName   = "http://test.e-imzo.uz/cams/tst"
)

var testSerial, _ = new(big.Int).SetString("13219ec520231519", 16)

// seal is a signature to be timestamped.
var seal = []byte("signature value")

type world struct{ *testpki.PKI }

func newWorld(t testing.TB, keySpec string) world {
	t.Helper()
	return world{testpki.New(t, keySpec)}
}

func (w world) authority() *Authority {
	return &Authority{
		Key:    w.TSA.Key,
		Chain:  w.TSA.Chain,
		Policy: ber.MustOID(testPolicy),
		Name:   testName,
		Serial: func() (*big.Int, error) { return testSerial, nil },
		Now:    w.Clock(),
		Rand:   rand.Reader,
	}
}

// digest is the one that goes with the authority's key.
func (w world) digest() *alg.Digest { return w.TSA.Key.Digest() }

func (w world) request() Request {
	return NewRequest(w.digest(), w.digest().Sum(seal), big.NewInt(0x5eed), true)
}

// token is an honest token over the seal.
func (w world) token(t testing.TB) []byte {
	t.Helper()
	res, err := ParseResponse(w.authority().Respond(t.Context(), w.request().Marshal()))
	if err != nil {
		t.Fatal(err)
	}
	return res.Token.Raw
}

func mustParseToken(t testing.TB, raw []byte) *Token {
	t.Helper()
	token, err := ParseToken(raw)
	if err != nil {
		t.Fatalf("%v\n%x", err, raw)
	}
	return token
}

// tstInfo is a TSTInfo at the test's choice; a nil field takes the honest
// value, an empty one is left out.
type tstInfo struct{ version, policy, imprint, serial, genTime, accuracy, ordering, nonce, tsa, extensions, more []byte }

func (i tstInfo) marshal(d *alg.Digest) []byte {
	honest := func(v, otherwise []byte) []byte {
		if v == nil {
			return otherwise
		}
		return v
	}
	return ber.Sequence(
		honest(i.version, ber.Int64(1)),
		honest(i.policy, ber.MustOID(testPolicy).DER()),
		honest(i.imprint, ber.Sequence(d.Identifier().Marshal(), ber.OctetString(d.Sum(seal)))),
		honest(i.serial, ber.Int(testSerial)),
		honest(i.genTime, ber.GeneralizedTime(testpki.DefaultNow())),
		i.accuracy, i.ordering,
		honest(i.nonce, ber.Int64(0x5eed)),
		i.tsa, i.extensions, i.more,
	)
}

// sign makes a token over any content, as the authority would.
func (w world) sign(t testing.TB, content []byte, change ...func(*cms.Signer, *cms.Options)) []byte {
	t.Helper()
	signer := cms.Signer{
		Key: w.TSA.Key, Chain: w.TSA.Chain, SigningTime: w.Now,
		ExtraSignedAttrs: []cms.Attribute{cms.NewAttribute(cms.OIDSigningCertificateV2, signingCertificate(w.TSA.Cert))},
	}
	o := cms.Options{ContentType: cms.OIDTSTInfo, DER: true}
	for _, f := range change {
		f(&signer, &o)
	}
	b, err := cms.Sign(content, []cms.Signer{signer}, o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// signedBy makes an entity the signer, naming its own certificate.
func signedBy(e testpki.Entity) func(*cms.Signer, *cms.Options) {
	return func(s *cms.Signer, _ *cms.Options) {
		s.Key, s.Chain = e.Key, e.Chain
		s.ExtraSignedAttrs = []cms.Attribute{cms.NewAttribute(cms.OIDSigningCertificateV2, signingCertificate(e.Cert))}
	}
}

// withBag replaces the certificates of a DER token, in this order.
func withBag(t testing.TB, token []byte, bag ...*cert.Certificate) []byte {
	t.Helper()
	bare, err := withoutCertificates(token)
	if err != nil {
		t.Fatal(err)
	}
	read := func(r *ber.Reader) ber.Element {
		e, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	root, err := ber.Parse(bare)
	if err != nil {
		t.Fatal(err)
	}
	r := root.Children()
	contentType := read(&r)
	explicit := read(&r)
	r = explicit.Children()
	signedData := read(&r)
	r = signedData.Children()
	version, digests, encap, signers := read(&r), read(&r), read(&r), read(&r)
	var raw [][]byte
	for _, c := range bag {
		raw = append(raw, c.Raw)
	}
	return ber.Sequence(contentType.Raw, ber.Tagged(ber.ContextConstructed(0), ber.Sequence(
		version.Raw, digests.Raw, encap.Raw, ber.Tagged(ber.ContextConstructed(0), raw...), signers.Raw)))
}

// tsa issues a certificate of a timestamp authority, with changes.
func (w world) tsa(t testing.TB, issuer testpki.Entity, change func(*cert.Template)) testpki.Entity {
	t.Helper()
	return w.Issue(t, issuer, func(tmpl *cert.Template) {
		tmpl.Subject = testpki.Name(t, "CN=Authority")
		tmpl.KeyUsage = cert.KeyUsageDigitalSignature
		tmpl.ExtKeyUsage, tmpl.ExtKeyUsageCritical = []ber.OID{cert.OIDTimeStamping}, true
		change(tmpl)
	}, w.KeySpec)
}

// granted wraps a token in a response.
func granted(token []byte) []byte {
	return ber.Sequence(ber.Sequence(ber.Int64(0)), token)
}

func extension(oid string, critical bool, value []byte) []byte {
	parts := [][]byte{ber.MustOID(oid).DER()}
	if critical {
		parts = append(parts, ber.Bool(true))
	}
	return ber.Sequence(append(parts, ber.OctetString(value))...)
}
