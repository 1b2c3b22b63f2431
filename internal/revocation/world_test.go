package revocation

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"math/big"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"imzo/internal/testpki"
	"imzo/internal/testpki/memnet"
	"imzo/pki/cert"
	"imzo/pki/crl"
	"imzo/pki/ocsp"
	"imzo/verify"
)

const (
	good, bad    = "http://good.example/ocsp", "http://bad.example/ocsp"
	listAddress  = "http://crl.example/ca.crl"
	ocspMedia    = "application/ocsp-response"
	crlMedia     = "application/pkix-crl"
	leastFaults  = 30
	crlsLifetime = 24 * time.Hour
)

// world is a network with a hierarchy, whose responder is at good.example, and
// a user whose certificate names a list at crl.example. Its clock is that of
// the bubble.
type world struct {
	*testpki.PKI
	net  *memnet.Network
	user testpki.Entity

	mu     sync.Mutex
	status ocsp.StatusInfo
	calls  int
}

func newWorld(t *testing.T, mods ...func(*cert.Template)) *world {
	t.Helper()
	w := &world{PKI: testpki.NewAt(t, "ecdsa:P-256", time.Now()), net: memnet.New(t), status: ocsp.StatusInfo{Status: ocsp.Good}}
	w.user = w.User(t, testpki.Person, append([]func(*cert.Template){func(tmpl *cert.Template) {
		tmpl.OCSPServers, tmpl.CRLDistributionPoints = []string{good}, []string{listAddress}
	}}, mods...)...)
	w.net.Serve("good.example", w.responder(nil))
	return w
}

func (w *world) set(s ocsp.StatusInfo) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status = s
}

func (w *world) lookup(context.Context, *big.Int) (ocsp.StatusInfo, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls++
	return w.status, nil
}

// responder answers as it should, but for a change.
func (w *world) responder(change func(*ocsp.Responder)) http.Handler {
	r := ocsp.Responder{
		Certificate: w.OCSP.Cert, Key: w.OCSP.Key, Issuer: w.CA.Cert,
		Lookup: w.lookup, Now: time.Now, Validity: time.Minute, Rand: rand.Reader,
	}
	if change != nil {
		change(&r)
	}
	return http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		rw.Header().Set("Content-Type", ocspMedia)
		rw.Write(r.Respond(req.Context(), body))
	})
}

// about is a responder that answers another question than it was asked.
func (w *world) about(change func(*ocsp.Request)) http.Handler {
	honest := w.responder(nil)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		q, err := ocsp.ParseRequest(body)
		if err != nil {
			http.Error(rw, err.Error(), http.StatusBadRequest)
			return
		}
		change(q)
		r.Body = io.NopCloser(bytes.NewReader(q.Marshal()))
		honest.ServeHTTP(rw, r)
	})
}

func (w *world) checker(t *testing.T, o Options) *Checker {
	t.Helper()
	o.HTTP = w.net.Client()
	k := New(o)
	t.Cleanup(func() { k.Close() })
	return k
}

func (w *world) ask(t *testing.T, s verify.RevocationSource) (*verify.RevocationStatus, error) {
	t.Helper()
	return s.Status(t.Context(), w.user.Cert, w.CA.Cert)
}

// list is a CRL of the CA, made now.
func (w *world) list(t *testing.T, entries ...crl.Entry) []byte {
	t.Helper()
	return w.listAt(t, w.CA, time.Now(), entries...)
}

func (w *world) listAt(t *testing.T, issuer testpki.Entity, at time.Time, entries ...crl.Entry) []byte {
	t.Helper()
	der, err := crl.Create(rand.Reader, &crl.Template{ThisUpdate: at, NextUpdate: at.Add(crlsLifetime), Entries: entries}, issuer.Cert, issuer.Key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// publish makes octets the list at crl.example.
func (w *world) publish(der []byte) {
	w.net.Serve("crl.example", octets(der))
}

func octets(der []byte) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", crlMedia)
		rw.Write(der)
	})
}

// revokedEntry is the user's, an hour ago, with the reason keyCompromise.
func (w *world) revokedEntry() crl.Entry {
	return crl.Entry{Serial: w.user.Cert.Serial, RevokedAt: time.Now().Add(-time.Hour).Truncate(time.Second), Reason: 1}
}

// ocspFaults are those of any peer, and what a responder can do wrong.
func (w *world) ocspFaults(t *testing.T) []memnet.Fault {
	t.Helper()
	out := memnet.Faults()
	add := func(name string, h http.Handler) {
		out = append(out, memnet.Fault{Name: name, Install: func(n *memnet.Network, host, _ string) { n.Serve(host, h) }})
	}
	at := func(d time.Duration) func(*ocsp.Responder) {
		return func(r *ocsp.Responder) { r.Now = func() time.Time { return time.Now().Add(d) } }
	}
	other := testpki.NewAt(t, "ecdsa:P-256", time.Now())
	add("stale", w.responder(at(-time.Hour)))
	add("from the future", w.responder(at(time.Hour)))
	add("the responder of another CA", w.responder(func(r *ocsp.Responder) { r.Certificate, r.Key = other.OCSP.Cert, other.OCSP.Key }))
	add("a user as the responder", w.responder(func(r *ocsp.Responder) { r.Certificate, r.Key = w.user.Cert, w.user.Key }))
	add("the timestamp authority as the responder", w.responder(func(r *ocsp.Responder) { r.Certificate, r.Key = w.TSA.Cert, w.TSA.Key }))
	add("signed with another key", w.responder(func(r *ocsp.Responder) { r.Key = w.user.Key }))
	add("for another CA", w.responder(func(r *ocsp.Responder) { r.Issuer = other.CA.Cert }))
	add("an internal error", w.responder(func(r *ocsp.Responder) {
		r.Lookup = func(context.Context, *big.Int) (ocsp.StatusInfo, error) {
			return ocsp.StatusInfo{}, io.ErrUnexpectedEOF
		}
	}))
	add("about another certificate", w.about(func(q *ocsp.Request) { q.CertIDs = []ocsp.CertID{ocsp.NewCertID(nil, w.TSA.Cert, w.CA.Cert)} }))
	add("about another CA's certificate", w.about(func(q *ocsp.Request) { q.CertIDs = []ocsp.CertID{ocsp.NewCertID(nil, w.user.Cert, w.Root.Cert)} }))
	add("another nonce", w.about(func(q *ocsp.Request) { q.Nonce = bytes.Repeat([]byte{7}, nonceSize) }))
	add("no nonce", w.about(func(q *ocsp.Request) { q.Nonce = nil }))
	for name, code := range map[string]byte{"malformedRequest": 1, "internalError": 2, "tryLater": 3, "sigRequired": 5, "unauthorized": 6} {
		add(name, octetsAs(ocspMedia, []byte{0x30, 0x03, 0x0a, 0x01, code}))
	}
	return out
}

func octetsAs(media string, body []byte) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", media)
		rw.Write(body)
	})
}

// eachFault runs a test in a bubble of its own for every fault that list
// makes, in a world of its own.
func eachFault(t *testing.T, list func(*world, *testing.T) []memnet.Fault, test func(*testing.T, *world, memnet.Fault)) {
	t.Helper()
	names := map[string]bool{}
	synctest.Test(t, func(t *testing.T) {
		for _, f := range list(newWorld(t), t) {
			names[f.Name] = true
		}
	})
	if len(names) < leastFaults {
		t.Fatalf("only %d faults", len(names))
	}
	for name := range names {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				for _, f := range list(w, t) {
					if f.Name == name {
						test(t, w, f)
					}
				}
			})
		})
	}
}
