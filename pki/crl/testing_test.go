package crl

import (
	"crypto/rand"
	"math/big"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/ber"
)

var testNow = testpki.DefaultNow()

// testTemplate has entries of every kind.
func testTemplate() *Template {
	at := testNow.Add(-time.Hour)
	return &Template{
		ThisUpdate: testNow, NextUpdate: testNow.Add(24 * time.Hour), Number: big.NewInt(12),
		Entries: []Entry{
			{Serial: big.NewInt(1), RevokedAt: at, Reason: NoReason},
			{Serial: big.NewInt(0x218711a92), RevokedAt: at.Add(-time.Hour), Reason: 6},
			{Serial: new(big.Int).Lsh(big.NewInt(1), 127), RevokedAt: at, Reason: 1, InvalidityDate: at.AddDate(0, -1, 0)},
			{Serial: big.NewInt(-5), RevokedAt: time.Date(2050, 1, 1, 0, 0, 0, 0, time.UTC), Reason: NoReason},
			{Serial: big.NewInt(255), RevokedAt: at, Reason: NoReason, InvalidityDate: at},
		},
	}
}

func mustParse(t testing.TB, der []byte) *CRL {
	t.Helper()
	l, err := Parse(der)
	if err != nil {
		t.Fatalf("%v\n%.400x", err, der)
	}
	return l
}

func mustCreate(t testing.TB, tmpl *Template, issuer testpki.Entity) []byte {
	t.Helper()
	der, err := Create(rand.Reader, tmpl, issuer.Cert, issuer.Key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// forge is a list that Create would not make. A nil field takes the honest
// value, an empty one is left out.
type forge struct {
	version, inner, issuer, this, next, entries, extensions, more []byte
	outer, bits, after                                            []byte
}

func (f forge) make(t testing.TB, by testpki.Entity) []byte {
	t.Helper()
	or := func(v *[]byte, otherwise []byte) {
		if *v == nil {
			*v = otherwise
		}
	}
	algorithm := by.Key.SignatureAlgorithm().Marshal()
	or(&f.version, ber.Int64(1))
	or(&f.inner, algorithm)
	or(&f.outer, algorithm)
	or(&f.issuer, by.Cert.RawSubject)
	or(&f.this, ber.UTCTime(testNow))
	or(&f.next, ber.UTCTime(testNow.Add(time.Hour)))
	tbs := ber.Sequence(f.version, f.inner, f.issuer, f.this, f.next, f.entries, f.extensions, f.more)
	if f.bits == nil {
		signature, err := by.Key.SignMessage(rand.Reader, tbs)
		if err != nil {
			t.Fatal(err)
		}
		f.bits = ber.BitString(signature)
	}
	return ber.Sequence(tbs, f.outer, f.bits, f.after)
}

// listed wraps extensions of the list.
func listed(extensions ...[]byte) []byte {
	return ber.Tagged(ber.ContextConstructed(0), ber.Sequence(extensions...))
}

// point is a distributionPoint with a fullName.
func point(names ...[]byte) []byte {
	return ber.Tagged(ber.ContextConstructed(0), ber.Tagged(ber.ContextConstructed(0), names...))
}

func critical(oid ber.OID, value []byte) []byte {
	return ber.Sequence(oid.DER(), ber.Bool(true), ber.OctetString(value))
}
