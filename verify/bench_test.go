package verify

import (
	"context"
	"fmt"
	"testing"
	"time"

	"imzo/internal/testpki"
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
// attributes. With many users their keys have no tables, as most have none.
func BenchmarkRemembered(b *testing.B) {
	w := newWorld(b, "ozdst")
	for _, bb := range []struct{ users, size int }{{1, 1 << 10}, {1500, 1 << 10}, {1, 10 << 10}, {1, 1 << 20}} {
		b.Run(fmt.Sprintf("users=%d/%dKiB", bb.users, bb.size>>10), func(b *testing.B) {
			o := w.options()
			o.Revocation, o.Certificates = w.good(), cert.NewCache(2*bb.users+8)
			var docs [][]byte
			var parsed []*cms.SignedData
			for range bb.users {
				doc := mustSign(b, make([]byte, bb.size), cms.Options{}, signerOf(w.User(b, testpki.Person)))
				docs, parsed = append(docs, doc), append(parsed, mustParse(b, doc))
				if r, err := Document(b.Context(), doc, nil, o); err != nil || !r.Valid() {
					b.Fatal(err, r.FirstFailure())
				}
			}
			var whole, bare time.Duration
			b.SetBytes(int64(bb.size))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				// One and the other, of different users, so that neither finds
				// what the other has brought near.
				doc, sd := docs[i%bb.users], parsed[(i+bb.users/2)%bb.users]
				start := time.Now()
				r, err := Document(b.Context(), doc, nil, o)
				if err != nil || !r.Valid() {
					b.Fatal(err, r.FirstFailure())
				}
				middle := time.Now()
				digest, err := sd.ContentDigest(sd.SignerInfos[0], nil)
				if err == nil {
					err = sd.SignerInfos[0].Verify(sd.Certificates[0], sd.ContentType, digest)
				}
				if err != nil {
					b.Fatal(err)
				}
				whole += middle.Sub(start)
				bare += time.Since(middle)
			}
			b.ReportMetric(float64(whole)/float64(bare), "ratio")
			b.ReportMetric(float64(bare.Nanoseconds())/float64(b.N), "bare-ns/op")
			b.ReportMetric(float64(whole.Nanoseconds())/float64(b.N), "ns/op")
		})
	}
}
