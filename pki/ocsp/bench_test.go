package ocsp

import (
	"testing"

	"imzo/pki/cert"
)

func BenchmarkParseAndCheck(b *testing.B) {
	for _, spec := range []string{"ozdst", "ecdsa:P-256"} {
		b.Run(spec, func(b *testing.B) {
			w := newWorld(b, spec)
			der := w.forge().make(b, w.Now)
			// The certificate of a responder is the same for years: what a
			// cache of its signature would save.
			cached := w.options()
			cached.CheckSignature = func(_, _ *cert.Certificate) error { return nil }
			for name, o := range map[string]CheckOptions{"whole": w.options(), "known responder": cached} {
				b.Run(name, func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						if _, err := mustParse(b, der).Check(o); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		})
	}
}

func BenchmarkRespond(b *testing.B) {
	w := newWorld(b, "ozdst")
	p, request := w.responder(), Request{CertIDs: []CertID{w.id()}, Nonce: testNonce}.Marshal()
	b.ReportAllocs()
	for b.Loop() {
		p.Respond(b.Context(), request)
	}
}
