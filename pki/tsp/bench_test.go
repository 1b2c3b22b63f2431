package tsp

import "testing"

func BenchmarkVerify(b *testing.B) {
	for _, spec := range []string{"ozdst", "ecdsa:P-256"} {
		b.Run(spec, func(b *testing.B) {
			raw := newWorld(b, spec).token(b)
			b.ReportAllocs()
			for b.Loop() {
				token := mustParseToken(b, raw)
				if err := token.VerifySignature(); err != nil {
					b.Fatal(err)
				}
				if err := token.CheckImprint(seal); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRespond(b *testing.B) {
	w := newWorld(b, "ozdst")
	a, request := w.authority(), w.request().Marshal()
	b.ReportAllocs()
	for b.Loop() {
		a.Respond(b.Context(), request)
	}
}
