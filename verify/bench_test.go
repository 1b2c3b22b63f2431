package verify

import (
	"context"
	"fmt"
	"testing"
	"time"

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

// BenchmarkRemembered is what a server meets: certificates whose signatures it
// has seen. The metric "ratio" compares with the bare work, which is the hash
// of the content and the verification of the signer's signature over his
// attributes.
func BenchmarkRemembered(b *testing.B) {
	w := newWorld(b, "ozdst")
	cache := cert.NewCache(0)
	for _, size := range []int{1 << 10, 10 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			doc := mustSign(b, make([]byte, size), cms.Options{}, signerOf(w.user))
			o := w.options()
			o.Revocation, o.Certificates = w.good(), cache
			sd := mustParse(b, doc)
			si := sd.SignerInfos[0]
			bare := func() {
				digest, err := sd.ContentDigest(si, nil)
				if err == nil {
					err = si.Verify(sd.Certificates[0], sd.ContentType, digest)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
			var whole, part time.Duration
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				start := time.Now()
				r, err := Document(b.Context(), doc, nil, o)
				if err != nil || !r.Valid() {
					b.Fatal(err, r.FirstFailure())
				}
				middle := time.Now()
				bare()
				whole += middle.Sub(start)
				part += time.Since(middle)
			}
			b.ReportMetric(float64(whole)/float64(part), "ratio")
			b.ReportMetric(float64(part.Nanoseconds())/float64(b.N), "bare-ns/op")
			b.ReportMetric(float64(whole.Nanoseconds())/float64(b.N), "ns/op")
		})
	}
}
