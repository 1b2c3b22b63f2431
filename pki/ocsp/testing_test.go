package ocsp

import (
	"bytes"
	"context"
	"crypto/rand"
	"math/big"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
)

// testNonce is the nonce of the requests in tests.
var testNonce = bytes.Repeat([]byte{0xa5}, nonceSize)

// world is a hierarchy with one certificate that is asked about.
type world struct {
	*testpki.PKI
	user testpki.Entity
}

func newWorld(t testing.TB, keySpec string) *world {
	t.Helper()
	p := testpki.New(t, keySpec)
	return &world{PKI: p, user: p.User(t, testpki.Person)}
}

// options ask about the user.
func (w *world) options() CheckOptions {
	return CheckOptions{Certificate: w.user.Cert, Issuer: w.CA.Cert, Nonce: testNonce, Now: w.Now}
}

func (w *world) id() CertID { return NewCertID(nil, w.user.Cert, w.CA.Cert) }

// responder answers for the CA with its delegate; everything is good.
func (w *world) responder() *Responder {
	return &Responder{
		Certificate: w.OCSP.Cert,
		Key:         w.OCSP.Key,
		Issuer:      w.CA.Cert,
		Lookup: func(context.Context, *big.Int) (StatusInfo, error) {
			return StatusInfo{Status: Good}, nil
		},
		Now:      w.Clock(),
		Validity: time.Minute,
		Rand:     rand.Reader,
	}
}

func mustParse(t testing.TB, der []byte) *Response {
	t.Helper()
	res, err := ParseResponse(der)
	if err != nil {
		t.Fatalf("%v\n%x", err, der)
	}
	return res
}

// answer is a SingleResponse at the test's choice.
type answer struct {
	id         CertID
	status     []byte // default good
	this, next time.Time
	extensions []byte // with its tag
}

var statusGood = ber.Tagged(ber.Context(0))

func (a answer) marshal() []byte {
	if a.status == nil {
		a.status = statusGood
	}
	parts := [][]byte{a.id.marshal(), a.status, ber.GeneralizedTime(a.this)}
	if !a.next.IsZero() {
		parts = append(parts, ber.Tagged(ber.ContextConstructed(0), ber.GeneralizedTime(a.next)))
	}
	return ber.Sequence(append(parts, a.extensions)...)
}

// forge is a response that the package's own responder would not make. A zero
// field takes the honest value.
type forge struct {
	signer      testpki.Entity
	bag         []*cert.Certificate // nil: the signer's certificate
	answers     [][]byte
	responderID []byte
	producedAt  []byte
	version     []byte
	extensions  [][]byte // nil: the nonce
	algorithm   []byte
	signature   []byte
	sign        func(tbs []byte) ([]byte, error) // nil: with the signer's key
	bits        []byte                           // BIT STRING of the signature
	extra       []byte                           // after the bag
}

// forge returns an honest answer about the user, to be made dishonest.
func (w *world) forge() forge {
	return forge{signer: w.OCSP, answers: [][]byte{w.answer().marshal()}}
}

func (w *world) answer() answer {
	return answer{id: w.id(), this: w.Now, next: w.Now.Add(time.Minute)}
}

func (f forge) make(t testing.TB, now time.Time) []byte {
	t.Helper()
	if f.responderID == nil {
		f.responderID = ber.Tagged(ber.ContextConstructed(2), ber.OctetString(f.signer.Cert.PublicKey.KeyID()))
	}
	if f.producedAt == nil {
		f.producedAt = ber.GeneralizedTime(now)
	}
	if f.extensions == nil {
		f.extensions = [][]byte{nonceExtension(testNonce)}
	}
	parts := [][]byte{f.version, f.responderID, f.producedAt, ber.Sequence(f.answers...)}
	if len(f.extensions) > 0 {
		parts = append(parts, ber.Tagged(ber.ContextConstructed(1), ber.Sequence(f.extensions...)))
	}
	tbs := ber.Sequence(parts...)
	if f.algorithm == nil {
		f.algorithm = f.signer.Key.SignatureAlgorithm().Marshal()
	}
	if f.sign == nil {
		f.sign = func(tbs []byte) ([]byte, error) { return f.signer.Key.SignMessage(rand.Reader, tbs) }
	}
	if f.signature == nil {
		var err error
		if f.signature, err = f.sign(tbs); err != nil {
			t.Fatal(err)
		}
	}
	if f.bits == nil {
		f.bits = ber.BitString(f.signature)
	}
	if f.bag == nil {
		f.bag = []*cert.Certificate{f.signer.Cert}
	}
	basic := [][]byte{tbs, f.algorithm, f.bits}
	if len(f.bag) > 0 {
		var raw [][]byte
		for _, c := range f.bag {
			raw = append(raw, c.Raw)
		}
		basic = append(basic, ber.Tagged(ber.ContextConstructed(0), ber.Sequence(raw...)))
	}
	return successful(oidBasic, ber.OctetString(ber.Sequence(append(basic, f.extra)...)))
}

func successful(responseType ber.OID, response []byte) []byte {
	return ber.Sequence(ber.Enumerated(0), ber.Tagged(ber.ContextConstructed(0), ber.Sequence(responseType.DER(), response)))
}

func extension(oid string, critical bool, value []byte) []byte {
	parts := [][]byte{ber.MustOID(oid).DER()}
	if critical {
		parts = append(parts, ber.Bool(true))
	}
	return ber.Sequence(append(parts, ber.OctetString(value))...)
}

// archiveCutoff is the extension of RFC 6960 4.4.4.
func archiveCutoff(at time.Time) []byte {
	return extension("1.3.6.1.5.5.7.48.1.6", false, ber.GeneralizedTime(at))
}

// digestsOfCertIDs are those a responder may name certificates with.
var digestsOfCertIDs = []string{"SHA-1", "SHA-224", "SHA-256", "SHA-384", "SHA-512", "OZDST-1106-2009-2-A", "OZMST-285-2024-2-A", "GOST3411"}

func digest(t testing.TB, name string) *alg.Digest {
	t.Helper()
	d, err := alg.DigestByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// seedTB lets test helpers make certificates outside of a test: they only ask
// it for Helper and Fatal.
type seedTB struct{ testing.TB }

func (*seedTB) Helper()                           {}
func (*seedTB) Fatal(args ...any)                 { panic(args) }
func (*seedTB) Fatalf(format string, args ...any) { panic(append([]any{format}, args...)) }
