package server

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/ocsp"
	"imzo/verify"
)

// goodStatus is a revocation source that answers at once, as a cache does.
type goodStatus struct{ now func() time.Time }

func (g goodStatus) Status(context.Context, *cert.Certificate, *cert.Certificate) (*verify.RevocationStatus, error) {
	at := g.now()
	return &verify.RevocationStatus{Status: ocsp.Good, Reason: ocsp.NoReason, ThisUpdate: at, NextUpdate: at.Add(time.Minute), OCSPResponse: make([]byte, 1200)}, nil
}

// benchWorld is a server whose revocation answers are at hand, and the body of
// a stamped document of 10 KB.
func benchWorld(b *testing.B) (w *world, body string) {
	b.Helper()
	w = newWorld(b)
	w.server = w.newServer(b, func(_ *Config, d *Deps) { d.Revocation, d.Logger = goodStatus{w.now}, nil })
	return w, b64(w.stamped(b, w.sign(b, strings.Repeat("0123456789", 1000))))
}

// BenchmarkVerifyAttached is one request at the handler: base64, CMS, content
// digest, three signatures with their chain, JSON.
func BenchmarkVerifyAttached(b *testing.B) {
	w, body := benchWorld(b)
	w.post(b, pathAttached, body).want(b, statusOK, MessageNone)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if rec := w.call("POST", pathAttached, body); rec.Code != http.StatusOK {
			b.Fatal(rec.Code)
		}
	}
}

// BenchmarkVerifyAttachedOverLoopback is the same over a kept connection.
func BenchmarkVerifyAttachedOverLoopback(b *testing.B) {
	w, body := benchWorld(b)
	base, client := serve(b, w.server), newClient(b)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		res, err := client.Post(base+pathAttached, "text/plain", strings.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
			b.Fatal(res.StatusCode, err)
		}
		res.Body.Close()
	}
}

// BenchmarkAuth is a log-in: a challenge, and its answer.
func BenchmarkAuth(b *testing.B) {
	w, _ := benchWorld(b)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		body := b64(w.sign(b, w.challenge(b)))
		b.StartTimer()
		if v := w.post(b, pathAuth, body); v.Status != statusOK {
			b.Fatal(v.raw)
		}
	}
}

// BenchmarkLargeAttached is a document of 50 MiB over a kept connection. The
// metric "ratio" compares with the hash of the content and the decoding of the
// base64 alone.
func BenchmarkLargeAttached(b *testing.B) {
	w, _ := benchWorld(b)
	base, client := serve(b, w.server), newClient(b)
	content := make([]byte, 50<<20)
	for i := range content {
		content[i] = byte(i * i >> 8)
	}
	for _, bb := range []struct {
		name string
		mods []func(*cms.Signer, *cms.Options)
	}{{"BER", nil}, {"DER", []func(*cms.Signer, *cms.Options){func(_ *cms.Signer, o *cms.Options) { o.DER = true }}}} {
		b.Run(bb.name, func(b *testing.B) {
			document := w.stamped(b, w.sign(b, string(content), bb.mods...))
			body := b64(document)
			sd := parsed(b, document)
			out := make([]byte, len(document)+8)
			var whole, bare time.Duration
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				start := time.Now()
				res, err := client.Post(base+pathAttached, "text/plain", strings.NewReader(body))
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
					b.Fatal(res.StatusCode, err)
				}
				res.Body.Close()
				middle := time.Now()
				if _, err := base64.StdEncoding.Decode(out, []byte(body)); err != nil {
					b.Fatal(err)
				}
				if _, err := sd.ContentDigest(sd.SignerInfos[0], nil); err != nil {
					b.Fatal(err)
				}
				whole += middle.Sub(start)
				bare += time.Since(middle)
			}
			b.ReportMetric(float64(whole)/float64(bare), "ratio")
			b.ReportMetric(float64(whole.Nanoseconds())/float64(b.N), "ns/op")
		})
	}
}

// BenchmarkCrowd is a stamped document of 1 KiB from many clients at once over
// kept connections. Besides the requests in a second it tells how long the
// median and the slowest hundredth waited.
func BenchmarkCrowd(b *testing.B) {
	w, _ := benchWorld(b)
	base := serve(b, w.server)
	body := b64(w.stamped(b, w.sign(b, strings.Repeat("0123456789abcdef", 64))))
	for _, connections := range []int{1, 8, 64} {
		b.Run(fmt.Sprint(connections), func(b *testing.B) {
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}}
			defer client.CloseIdleConnections()
			var left atomic.Int64
			left.Store(int64(b.N))
			took := make([][]time.Duration, connections)
			var wait sync.WaitGroup
			b.ReportAllocs()
			b.ResetTimer()
			for i := range connections {
				wait.Go(func() {
					for left.Add(-1) >= 0 {
						start := time.Now()
						res, err := client.Post(base+pathAttached, "text/plain", strings.NewReader(body))
						if err != nil {
							b.Error(err)
							return
						}
						if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
							b.Error(res.StatusCode, err)
						}
						res.Body.Close()
						took[i] = append(took[i], time.Since(start))
					}
				})
			}
			wait.Wait()
			b.StopTimer()
			all := slices.Concat(took...)
			slices.Sort(all)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
			b.ReportMetric(float64(all[len(all)/2].Microseconds()), "p50-us")
			b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "p99-us")
		})
	}
}
