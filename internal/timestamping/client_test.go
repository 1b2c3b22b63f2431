package timestamping

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"math/big"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"imzo/internal/testpki"
	"imzo/internal/testpki/memnet"
	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
	"imzo/pki/tsp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	good, bad = "http://good.example/tst", "http://bad.example/tst"
	media     = "application/timestamp-reply"
)

var seal = []byte("signature value")

// world is a network with a hierarchy whose authority is to be found at
// good.example.
type world struct {
	*testpki.PKI
	net    *memnet.Network
	events []Event
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{PKI: testpki.NewAt(t, "ecdsa:P-256", time.Now()), net: memnet.New(t)}
	w.net.Serve("good.example", w.authority(nil))
	return w
}

func (w *world) digest() *alg.Digest { return w.TSA.Key.Digest() }

// authority answers as it should, but for a change.
func (w *world) authority(change func(*tsp.Authority)) http.Handler {
	var serial atomic.Int64
	a := tsp.Authority{
		Key: w.TSA.Key, Chain: w.TSA.Chain[:2], Policy: ber.MustOID("1.2.860.3.2.11.1"), Rand: rand.Reader, Now: time.Now,
		Serial: func() (*big.Int, error) { return big.NewInt(serial.Add(1)), nil },
	}
	if change != nil {
		change(&a)
	}
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		rw.Header().Set("Content-Type", media)
		rw.Write(a.Respond(r.Context(), body))
	})
}

// about is an authority that stamps another request than the one it got.
func (w *world) about(change func(*tsp.Request)) http.Handler {
	honest := w.authority(nil)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		q, err := tsp.ParseRequest(body)
		if err != nil {
			http.Error(rw, err.Error(), http.StatusBadRequest)
			return
		}
		change(q)
		r.Body = io.NopCloser(bytes.NewReader(q.Marshal()))
		honest.ServeHTTP(rw, r)
	})
}

func (w *world) client(o Options) *Client {
	o.HTTP = w.net.Client()
	o.Observe = func(e Event) { w.events = append(w.events, e) }
	return New(o)
}

func (w *world) stamp(t *testing.T, c *Client) (*tsp.Token, error) {
	t.Helper()
	return c.Stamp(t.Context(), nil, w.digest(), seal)
}

// faults are those of any peer, and what an authority can do wrong.
func (w *world) faults(t *testing.T) []memnet.Fault {
	t.Helper()
	out := memnet.Faults()
	add := func(name string, h http.Handler) {
		out = append(out, memnet.Fault{Name: name, Install: func(n *memnet.Network, host, _ string) { n.Serve(host, h) }})
	}
	user := w.User(t, testpki.Person)
	add("of yesterday", w.authority(func(a *tsp.Authority) { a.Now = func() time.Time { return time.Now().AddDate(0, 0, -1) } }))
	add("of tomorrow", w.authority(func(a *tsp.Authority) { a.Now = func() time.Time { return time.Now().AddDate(0, 0, 1) } }))
	add("by no authority", w.authority(func(a *tsp.Authority) { a.Key, a.Chain = user.Key, user.Chain[:2] }))
	add("by another's key", w.authority(func(a *tsp.Authority) { a.Key = user.Key }))
	add("without number", w.authority(func(a *tsp.Authority) { a.Serial = func() (*big.Int, error) { return nil, errors.New("no more") } }))
	add("another nonce", w.about(func(q *tsp.Request) { q.Nonce = big.NewInt(1) }))
	add("no nonce", w.about(func(q *tsp.Request) { q.Nonce = nil }))
	add("another imprint", w.about(func(q *tsp.Request) { q.HashedMessage = w.digest().Sum([]byte("other")) }))
	add("another digest", w.about(func(q *tsp.Request) {
		q.HashAlgorithm, q.HashedMessage = alg.OZDST().Identifier(), alg.OZDST().Sum(seal)
	}))
	add("an OCSP answer", http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", media)
		rw.Write([]byte{0x30, 0x03, 0x0a, 0x01, 0x03})
	}))
	return out
}

// TestNoFaultIsEverAToken has the real time limits: whatever the authority
// does, there is an error within them, and a token at once when it is well
// again.
func TestNoFaultIsEverAToken(t *testing.T) {
	each(t, func(t *testing.T, w *world, f memnet.Fault) {
		c := w.client(Options{URLs: []string{bad}})
		f.Install(w.net, "bad.example", media)
		start := time.Now()
		token, err := w.stamp(t, c)
		if took := time.Since(start); token != nil || err == nil || took > DefaultTimeout {
			t.Errorf("%v, %v after %s", token, err, took)
		}
		if len(w.events) != 1 || w.events[0].Source != bad || w.events[0].Err == nil {
			t.Errorf("events %+v", w.events)
		}
		w.net.Serve("bad.example", w.authority(nil))
		start = time.Now()
		if token, err = w.stamp(t, c); err != nil || token.CheckImprint(seal) != nil || time.Since(start) != 0 {
			t.Errorf("well again: %v", err)
		}
	})
}

// TestEveryFaultLeavesTimeForTheNext has a good authority behind a bad one.
func TestEveryFaultLeavesTimeForTheNext(t *testing.T) {
	each(t, func(t *testing.T, w *world, f memnet.Fault) {
		f.Install(w.net, "bad.example", media)
		c := w.client(Options{URLs: []string{bad, good}})
		start := time.Now()
		token, err := w.stamp(t, c)
		if err != nil || token.CheckImprint(seal) != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took > DefaultTimeout/2 {
			t.Errorf("took %s", took)
		}
		if len(w.events) != 2 || w.events[0].Err == nil || w.events[1].Err != nil || w.events[1].Source != good {
			t.Errorf("events %+v", w.events)
		}
		// The next one does not wait for it again.
		start = time.Now()
		if _, err := w.stamp(t, c); err != nil || time.Since(start) != 0 {
			t.Errorf("%v after %s", err, time.Since(start))
		}
	})
}

func each(t *testing.T, f func(*testing.T, *world, memnet.Fault)) {
	var names []string
	synctest.Test(t, func(t *testing.T) {
		for _, fault := range newWorld(t).faults(t) {
			names = append(names, fault.Name)
		}
	})
	if len(names) < 25 {
		t.Fatalf("only %d faults", len(names))
	}
	for i, name := range names {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				f(t, w, w.faults(t)[i])
			})
		})
	}
}

// TestTheWorstCaseKeepsTheTime has as many dead authorities as a certificate
// may name, dead in different ways.
func TestTheWorstCaseKeepsTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var urls []string
		for i, f := range memnet.Faults() {
			host := "bad" + strconv.Itoa(i) + ".example"
			f.Install(w.net, host, media)
			urls = append(urls, "http://"+host+"/")
		}
		user := w.User(t, testpki.Person, func(tmpl *cert.Template) { naming(tmpl, urls) })
		c := w.client(Options{})
		for range 2 {
			w.events = nil
			start := time.Now()
			token, err := c.Stamp(t.Context(), user.Cert, w.digest(), seal)
			if took := time.Since(start); token != nil || err == nil || took > DefaultTimeout || took < DefaultTimeout/2 {
				t.Errorf("%v, %v after %s", token, err, took)
			}
			if len(w.events) != maxAuthorities {
				t.Errorf("%d authorities were asked", len(w.events))
			}
		}
		if DefaultTimeout >= 8*time.Second {
			t.Error("a client that waits eight seconds gets no answer")
		}
	})
}

func TestTheAskerMayLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.net.BlackHole("bad.example")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := w.client(Options{URLs: []string{bad, bad}}).Stamp(ctx, nil, w.digest(), seal)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("%v after %s", err, time.Since(start))
		}
	})
}

// naming writes addresses of authorities into a certificate, by id-ad-timeStamping
// (RFC 5280 4.2.2.1 leaves the methods open).
func naming(tmpl *cert.Template, urls []string) {
	var access [][]byte
	for _, address := range urls {
		access = append(access, ber.Sequence(ber.MustOID("1.3.6.1.5.5.7.48.3").DER(), ber.Tagged(ber.Context(6), []byte(address))))
	}
	if access == nil {
		return
	}
	tmpl.OCSPServers, tmpl.CAIssuers = nil, nil
	tmpl.Extra = append(tmpl.Extra, cert.Extension{OID: cert.OIDAuthorityInfoAccess, Value: ber.Sequence(access...)})
}

// TestWhoIsAsked: those of the configuration, else those of a certificate that
// the caller vouches for, else nobody.
func TestWhoIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		user := func(urls ...string) *cert.Certificate {
			return w.User(t, testpki.Person, func(tmpl *cert.Template) { naming(tmpl, urls) }).Cert
		}
		w.net.Serve("named.example", w.authority(nil))
		const named = "http://named.example/"
		for _, tt := range []struct {
			name   string
			urls   []string
			signer *cert.Certificate
			asked  string // "" for nobody
		}{
			{"the configuration", []string{good}, nil, good},
			{"the configuration before the certificate", []string{good}, user(named), good},
			{"the certificate", nil, user(named), named},
			{"what can be called", nil, user("ldap://x/", "file:///etc/passwd", "http://", "::", named), named},
			{"nobody vouched for", nil, nil, ""},
			{"nobody named", nil, user(), ""},
			{"nobody who can be called", nil, user("ftp://named.example/"), ""},
		} {
			w.events = nil
			token, err := w.client(Options{URLs: tt.urls}).Stamp(t.Context(), tt.signer, w.digest(), seal)
			if tt.asked == "" {
				if token != nil || !errors.Is(err, ErrNoTSA) || len(w.events) != 0 {
					t.Errorf("%s: %v, %+v", tt.name, err, w.events)
				}
				continue
			}
			if err != nil || len(w.events) != 1 || w.events[0].Source != tt.asked {
				t.Errorf("%s: %v, %+v", tt.name, err, w.events)
			}
		}
	})
}

func TestACheckThatFailsLeadsToTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		strange := testpki.NewAt(t, "ecdsa:P-256", time.Now())
		w.net.Serve("bad.example", w.authority(func(a *tsp.Authority) { a.Key, a.Chain = strange.TSA.Key, strange.TSA.Chain[:2] }))
		errStrange := errors.New("not one of ours")
		o := Options{URLs: []string{bad, good}, Check: func(token *tsp.Token) error {
			if _, c, err := token.Signer(); err != nil || !c.Equal(w.TSA.Cert) {
				return errStrange
			}
			return nil
		}}
		token, err := w.stamp(t, w.client(o))
		if err != nil {
			t.Fatal(err)
		}
		if _, c, err := token.Signer(); err != nil || !c.Equal(w.TSA.Cert) {
			t.Errorf("token of %v", c)
		}
		o.URLs = o.URLs[:1]
		if token, err := w.stamp(t, w.client(o)); token != nil || !errors.Is(err, errStrange) {
			t.Errorf("%v, %v", token, err)
		}
	})
}

func TestARefusalIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.net.Serve("bad.example", http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", media)
			rw.Write(ber.Sequence(ber.Sequence(ber.Int64(2), ber.Sequence(ber.UTF8String("no contract")))))
		}))
		var refused *tsp.RejectedError
		if _, err := w.stamp(t, w.client(Options{URLs: []string{bad}})); !errors.As(err, &refused) || refused.Text != "no contract" {
			t.Errorf("%v", err)
		}
	})
}
