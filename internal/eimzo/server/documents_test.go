package server

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"imzo/pki/ber"
	"imzo/pki/cms"
	"imzo/pki/ocsp"
)

// hiddenTokenType is an unsigned attribute type as long as that of timestamp
// tokens, which nobody knows.
var hiddenTokenType = ber.MustOID("1.2.840.113549.1.9.16.2.99")

// changed returns the document with one bit changed in the part that pick
// names.
func changed(t testing.TB, document []byte, pick func(*cms.SignedData) []byte) []byte {
	t.Helper()
	part := pick(parsed(t, document))
	if bytes.Count(document, part) != 1 {
		t.Fatal("the part is not there once")
	}
	out := bytes.Clone(document)
	out[bytes.Index(document, part)] ^= 1
	return out
}

func firstSignature(sd *cms.SignedData) []byte { return sd.SignerInfos[0].Signature }

func mustReplace(t testing.TB, b, old, new []byte) []byte {
	t.Helper()
	if bytes.Count(b, old) != 1 || len(old) != len(new) {
		t.Fatalf("%d times %x", bytes.Count(b, old), old)
	}
	return bytes.Replace(b, old, new, 1)
}

// brokenResponders answer for an OCSP responder in ways that must never count
// as an answer.
var brokenResponders = map[string]func(w *world, rw http.ResponseWriter, r *http.Request){
	"down": func(_ *world, rw http.ResponseWriter, _ *http.Request) {
		panic(http.ErrAbortHandler)
	},
	"HTTP 500": func(_ *world, rw http.ResponseWriter, _ *http.Request) {
		http.Error(rw, "out of order", http.StatusInternalServerError)
	},
	"garbage":      func(_ *world, rw http.ResponseWriter, _ *http.Request) { io.WriteString(rw, "<html>login</html>") },
	"empty":        func(*world, http.ResponseWriter, *http.Request) {},
	"endless":      func(_ *world, rw http.ResponseWriter, _ *http.Request) { endless(rw) },
	"try later":    func(_ *world, rw http.ResponseWriter, _ *http.Request) { rw.Write([]byte{0x30, 3, 0x0a, 1, 3}) },
	"unauthorized": func(_ *world, rw http.ResponseWriter, _ *http.Request) { rw.Write([]byte{0x30, 3, 0x0a, 1, 6}) },
	"slow": func(_ *world, rw http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // so that the end of the connection is seen
		<-r.Context().Done()
	},
	"redirect": func(w *world, rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			w.answerOCSP(rw, r)
			return
		}
		http.Redirect(rw, r, "/elsewhere", http.StatusTemporaryRedirect)
	},
	"changed answer": func(w *world, rw http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		w.answerOCSP(rec, r)
		b := rec.Body.Bytes()
		b[len(b)/2] ^= 1
		rw.Write(b)
	},
	"signed by the user's own key": func(w *world, rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		forged := w.responder
		w.mu.Unlock()
		forged.Certificate, forged.Key = w.user.Cert, w.user.Key
		request, _ := io.ReadAll(r.Body)
		rw.Write(forged.Respond(r.Context(), request))
	},
	"out of date": func(w *world, rw http.ResponseWriter, r *http.Request) {
		w.respondAt(rw, r, -time.Hour)
	},
	"from the future": func(w *world, rw http.ResponseWriter, r *http.Request) {
		w.respondAt(rw, r, time.Hour)
	},
	"without our nonce": func(w *world, rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		request, err := ocsp.ParseRequest(body)
		if err != nil {
			panic(err)
		}
		w.mu.Lock()
		responder := w.responder
		w.mu.Unlock()
		rw.Write(responder.Respond(r.Context(), ocsp.Request{CertIDs: request.CertIDs}.Marshal()))
	},
	"for another certificate": func(w *world, rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		request, err := ocsp.ParseRequest(body)
		if err != nil {
			panic(err)
		}
		w.mu.Lock()
		responder := w.responder
		w.mu.Unlock()
		other := ocsp.NewCertID(nil, w.TSA.Cert, w.CA.Cert)
		rw.Write(responder.Respond(r.Context(), ocsp.Request{CertIDs: []ocsp.CertID{other}, Nonce: request.Nonce}.Marshal()))
	},
}

func (w *world) respondAt(rw http.ResponseWriter, r *http.Request, offset time.Duration) {
	w.mu.Lock()
	responder := w.responder
	w.mu.Unlock()
	responder.Now = func() time.Time { return w.now().Add(offset) }
	request, _ := io.ReadAll(r.Body)
	rw.Write(responder.Respond(r.Context(), request))
}

func endless(rw http.ResponseWriter) {
	for {
		if _, err := rw.Write(make([]byte, 64<<10)); err != nil {
			return
		}
	}
}

// plainLine checks the body of an answer that is no JSON.
func plainLine(t testing.TB, rec *httptest.ResponseRecorder) {
	t.Helper()
	text := rec.Body.String()
	if !strings.HasPrefix(rec.Header().Get("Content-Type"), "text/plain") || rec.Header().Get("Cache-Control") != "no-store" ||
		strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "\n") || len(text) < 10 || strings.ContainsAny(text, "\"\\\r") {
		t.Errorf("HTTP %d, %v: %q", rec.Code, rec.Header(), text)
	}
}
