package server

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"imzo/pki/cert"
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
