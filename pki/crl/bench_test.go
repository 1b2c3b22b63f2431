package crl

import (
	"math/big"
	"testing"

	"imzo/internal/testpki"
)

func BenchmarkLarge(b *testing.B) {
	p := testpki.New(b, "ozdst")
	der := mustCreate(b, largeTemplate(50000), p.CA)
	b.Run("parse and verify", func(b *testing.B) {
		b.SetBytes(int64(len(der)))
		b.ReportAllocs()
		for b.Loop() {
			if err := mustParse(b, der).CheckSignatureFrom(p.CA.Cert); err != nil {
				b.Fatal(err)
			}
		}
	})
	l := mustParse(b, der)
	b.Run("look up what is not there", func(b *testing.B) {
		b.SetBytes(int64(len(der)))
		b.ReportAllocs()
		for b.Loop() {
			if _, revoked, err := l.Lookup(big.NewInt(3)); revoked || err != nil {
				b.Fatal(revoked, err)
			}
		}
	})
}
