package revocation

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"imzo/internal/testpki"
	"imzo/pki/cert"
	"imzo/pki/ocsp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// responder is an OCSP responder behind HTTP.
type responder struct {
	*httptest.Server
	calls atomic.Int32
	ocsp  ocsp.Responder
	last  atomic.Pointer[ocsp.Request]
}

func newResponder(t *testing.T, p *testpki.PKI, status ocsp.StatusInfo) *responder {
	t.Helper()
	r := &responder{ocsp: ocsp.Responder{
		Certificate: p.OCSP.Cert, Key: p.OCSP.Key, Issuer: p.CA.Cert,
		Lookup:   func(context.Context, *big.Int) (ocsp.StatusInfo, error) { return status, nil },
		Now:      p.Clock(),
		Validity: time.Minute, Rand: rand.Reader,
	}}
	r.Server = serve(t, func(w http.ResponseWriter, req *http.Request) {
		r.calls.Add(1)
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		if parsed, err := ocsp.ParseRequest(body); err != nil {
			t.Errorf("request: %v", err)
		} else {
			r.last.Store(parsed)
		}
		w.Write(r.ocsp.Respond(req.Context(), body))
	})
	return r
}

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// newChecker returns a checker whose connections end with the test.
func newChecker(t *testing.T, p *testpki.PKI, o Options) *Checker {
	t.Helper()
	o.HTTP, o.Now = NewHTTPClient(), p.Clock()
	t.Cleanup(o.HTTP.CloseIdleConnections)
	return New(o)
}

func TestStatusIsWhatTheResponderSigned(t *testing.T) {
	p := testpki.New(t, "ozdst")
	user := p.User(t, testpki.Person)
	revokedAt := p.Now.Add(-time.Hour)
	for name, c := range map[string]struct {
		info   ocsp.StatusInfo
		reason int
	}{
		"good":      {ocsp.StatusInfo{Status: ocsp.Good}, ocsp.NoReason},
		"revoked":   {ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: revokedAt, Reason: 1}, 1},
		"suspended": {ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: revokedAt, Reason: 6}, 6},
		"unknown":   {ocsp.StatusInfo{Status: ocsp.Unknown}, ocsp.NoReason},
	} {
		t.Run(name, func(t *testing.T) {
			r := newResponder(t, p, c.info)
			got, err := newChecker(t, p, Options{URLs: []string{r.URL}}).Status(t.Context(), user.Cert, p.CA.Cert)
			if err != nil {
				t.Fatal(err)
			}
			if got.Status != c.info.Status || got.Source != r.URL || !got.ThisUpdate.Equal(p.Now) || !got.NextUpdate.Equal(p.Now.Add(time.Minute)) {
				t.Errorf("got %+v", got)
			}
			if c.info.Status == ocsp.Revoked && (!got.RevokedAt.Equal(revokedAt) || got.Reason != c.reason) {
				t.Errorf("got %+v", got)
			}
			// What is handed on is the answer itself: it parses and checks again.
			response, err := ocsp.ParseResponse(got.OCSPResponse)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := response.Check(ocsp.CheckOptions{Certificate: user.Cert, Issuer: p.CA.Cert, Nonce: r.last.Load().Nonce, Now: p.Now}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestEveryQuestionHasItsOwnNonce(t *testing.T) {
	p := testpki.New(t, "ecdsa:P-256")
	user := p.User(t, testpki.Person)
	r := newResponder(t, p, ocsp.StatusInfo{Status: ocsp.Good})
	k := newChecker(t, p, Options{URLs: []string{r.URL}})
	var nonces [][]byte
	for range 3 {
		if _, err := k.Status(t.Context(), user.Cert, p.CA.Cert); err != nil {
			t.Fatal(err)
		}
		nonce := r.last.Load().Nonce
		for _, before := range nonces {
			if bytes.Equal(before, nonce) {
				t.Error("a nonce came twice")
			}
		}
		if len(nonce) != 32 {
			t.Errorf("nonce of %d octets", len(nonce))
		}
		nonces = append(nonces, nonce)
	}
	k = newChecker(t, p, Options{URLs: []string{r.URL}, NoncePolicy: ocsp.NonceIgnored})
	if _, err := k.Status(t.Context(), user.Cert, p.CA.Cert); err != nil || r.last.Load().Nonce != nil {
		t.Errorf("policy off: nonce %x, %v", r.last.Load().Nonce, err)
	}
	k = newChecker(t, p, Options{URLs: []string{r.URL}, Rand: strings.NewReader("short")})
	if _, err := k.Status(t.Context(), user.Cert, p.CA.Cert); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("without randomness: %v", err)
	}
}

func TestTheResponderInTheCertificateIsAskedUnlessOneIsGiven(t *testing.T) {
	p := testpki.New(t, "ecdsa:P-256")
	named, given := newResponder(t, p, ocsp.StatusInfo{Status: ocsp.Good}), newResponder(t, p, ocsp.StatusInfo{Status: ocsp.Good})
	dead := serve(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "x", http.StatusInternalServerError) })
	user := p.User(t, testpki.Person, func(tmpl *cert.Template) {
		tmpl.OCSPServers = []string{"ldap://x/", "file:///etc/passwd", "http://", dead.URL, named.URL}
	})
	got, err := newChecker(t, p, Options{}).Status(t.Context(), user.Cert, p.CA.Cert)
	if err != nil || got.Source != named.URL || named.calls.Load() != 1 {
		t.Errorf("%+v, %v, %d calls", got, err, named.calls.Load())
	}
	got, err = newChecker(t, p, Options{URLs: []string{given.URL}}).Status(t.Context(), user.Cert, p.CA.Cert)
	if err != nil || got.Source != given.URL || named.calls.Load() != 1 {
		t.Errorf("%+v, %v, %d calls", got, err, named.calls.Load())
	}
}

func TestNobodyToAskIsAnError(t *testing.T) {
	p := testpki.New(t, "ecdsa:P-256")
	for _, urls := range [][]string{nil, {"ldap://x/cn=ocsp"}, {"ftp://x/", "javascript:alert(1)", "http:///path", "::"}} {
		user := p.User(t, testpki.Person, func(tmpl *cert.Template) { tmpl.OCSPServers = urls })
		if _, err := newChecker(t, p, Options{}).Status(t.Context(), user.Cert, p.CA.Cert); !errors.Is(err, ErrNoResponder) {
			t.Errorf("%q: %v", urls, err)
		}
	}
}

func TestACertificateCannotMakeUsCallManyPlaces(t *testing.T) {
	p := testpki.New(t, "ecdsa:P-256")
	var calls atomic.Int32
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { calls.Add(1); http.Error(w, "x", http.StatusTeapot) })
	user := p.User(t, testpki.Person, func(tmpl *cert.Template) {
		tmpl.OCSPServers = nil
		for i := range 50 {
			tmpl.OCSPServers = append(tmpl.OCSPServers, s.URL+"/"+strconv.Itoa(i))
		}
	})
	_, err := newChecker(t, p, Options{}).Status(t.Context(), user.Cert, p.CA.Cert)
	if !errors.Is(err, ocsp.ErrTransport) || calls.Load() != maxAddresses {
		t.Errorf("%d calls, %v", calls.Load(), err)
	}
}

func TestWrongAnswersAreErrors(t *testing.T) {
	p, other := testpki.New(t, "ecdsa:P-256"), testpki.New(t, "ecdsa:P-256")
	user := p.User(t, testpki.Person)
	good := newResponder(t, p, ocsp.StatusInfo{Status: ocsp.Good})
	respond := func(change func(*ocsp.Responder)) http.HandlerFunc {
		r := ocsp.Responder{Certificate: p.OCSP.Cert, Key: p.OCSP.Key, Issuer: p.CA.Cert, Lookup: good.ocsp.Lookup, Now: p.Clock(), Validity: time.Minute, Rand: rand.Reader}
		change(&r)
		return func(w http.ResponseWriter, req *http.Request) {
			body, _ := io.ReadAll(req.Body)
			w.Write(r.Respond(req.Context(), body))
		}
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   error
	}{
		"no answer":  {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, ocsp.ErrTransport},
		"a web page": {func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>") }, ocsp.ErrTransport},
		"garbage": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/ocsp-response")
			io.WriteString(w, "garbage")
		}, ocsp.ErrFormat},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, good.URL, http.StatusPermanentRedirect)
		}, ocsp.ErrTransport},
		"other hierarchy": {respond(func(r *ocsp.Responder) { r.Certificate, r.Key = other.OCSP.Cert, other.OCSP.Key }), ocsp.ErrResponder},
		"stale":           {respond(func(r *ocsp.Responder) { r.Now = func() time.Time { return p.Now.Add(-time.Hour) } }), ocsp.ErrStale},
		"from the future": {respond(func(r *ocsp.Responder) { r.Now = func() time.Time { return p.Now.Add(time.Hour) } }), ocsp.ErrFuture},
		"nonce left out": {func(w http.ResponseWriter, req *http.Request) {
			body, _ := io.ReadAll(req.Body)
			q, err := ocsp.ParseRequest(body)
			if err != nil {
				t.Error(err)
				return
			}
			w.Write(good.ocsp.Respond(req.Context(), ocsp.Request{CertIDs: q.CertIDs}.Marshal()))
		}, ocsp.ErrNonce},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, c.answer)
			status, err := newChecker(t, p, Options{URLs: []string{s.URL}}).Status(t.Context(), user.Cert, p.CA.Cert)
			if !errors.Is(err, c.want) || status != nil || !strings.Contains(err.Error(), s.URL) {
				t.Errorf("%+v, %v, want %v", status, err, c.want)
			}
		})
	}
	if n := good.calls.Load(); n != 0 {
		t.Errorf("a redirect was followed %d times", n)
	}
}

func TestStatusKeepsItsTime(t *testing.T) {
	p := testpki.New(t, "ecdsa:P-256")
	slow := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	user := p.User(t, testpki.Person, func(tmpl *cert.Template) { tmpl.OCSPServers = []string{slow.URL, slow.URL, slow.URL} })
	start := time.Now()
	_, err := newChecker(t, p, Options{Timeout: 100 * time.Millisecond}).Status(t.Context(), user.Cert, p.CA.Cert)
	if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took > 3*time.Second {
		t.Errorf("%v after %s", err, took)
	}
	if DefaultTimeout > 8*time.Second {
		t.Errorf("default time-out %s", DefaultTimeout)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newChecker(t, p, Options{}).Status(ctx, user.Cert, p.CA.Cert); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestTheZeroOptionsWork(t *testing.T) {
	p := testpki.NewAt(t, "ecdsa:P-256", time.Now())
	r := newResponder(t, p, ocsp.StatusInfo{Status: ocsp.Good})
	r.ocsp.Now = time.Now
	user := p.User(t, testpki.Person, func(tmpl *cert.Template) { tmpl.OCSPServers = []string{r.URL} })
	k := New(Options{})
	defer k.options.HTTP.CloseIdleConnections()
	got, err := k.Status(t.Context(), user.Cert, p.CA.Cert)
	if err != nil || got.Status != ocsp.Good {
		t.Errorf("%+v, %v", got, err)
	}
}
