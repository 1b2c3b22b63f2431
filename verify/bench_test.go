package verify

import (
	"context"
	"testing"

	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/ocsp"
)

// good is a source that knows without asking.
func (w *world) good() RevocationSource {
	s := &RevocationStatus{Status: ocsp.Good, ThisUpdate: w.Now, NextUpdate: w.Now, Reason: ocsp.NoReason}
	return sourceFunc(func(context.Context, *cert.Certificate, *cert.Certificate) (*RevocationStatus, error) { return s, nil })
}

func BenchmarkDocument(b *testing.B) {
	w := newWorld(b, "ozdst")
	large := make([]byte, 1<<20)
	for _, bb := range []struct {
		name string
		doc  []byte
	}{
		{"plain", w.document(b)},
		{"timestamp", w.stamped(b)},
		{"1MiB", mustSign(b, large, cms.Options{}, signerOf(w.user))},
	} {
		b.Run(bb.name, func(b *testing.B) {
			o := w.options()
			o.Revocation = w.good()
			b.SetBytes(int64(len(bb.doc)))
			b.ReportAllocs()
			for b.Loop() {
				r, err := Document(b.Context(), bb.doc, nil, o)
				if err != nil || !r.Valid() {
					b.Fatal(err, r.FirstFailure())
				}
			}
		})
	}
}

func BenchmarkJudge(b *testing.B) {
	w := newWorld(b, "ozdst")
	e, err := Collect(b.Context(), w.stamped(b), nil, w.options())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if !e.Judge(Policy{}).Valid() {
			b.Fatal("not valid")
		}
	}
}
