package revocation

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"imzo/internal/testpki"
	"imzo/internal/testpki/memnet"
	"imzo/pki/cert"
	"imzo/pki/crl"
	"imzo/pki/ocsp"
)

// crlFaults are those of any peer, and what is wrong with lists.
func (w *world) crlFaults(t *testing.T) []memnet.Fault {
	t.Helper()
	out := memnet.Faults()
	add := func(name string, der []byte) {
		out = append(out, memnet.Fault{Name: name, Install: func(n *memnet.Network, host, _ string) { n.Serve(host, octets(der)) }})
	}
	namesake := testpki.NewAt(t, "ecdsa:P-256", time.Now()) // the same names, other keys
	add("stale", w.listAt(t, w.CA, time.Now().Add(-crlsLifetime-time.Hour)))
	add("from the future", w.listAt(t, w.CA, time.Now().Add(time.Hour)))
	add("of another CA", w.listAt(t, w.Root, time.Now()))
	add("of a CA of the same name", w.listAt(t, namesake.CA, time.Now()))
	forged := w.list(t)
	forged[len(forged)-1] ^= 1
	add("a wrong signature", forged)
	add("an entry changed", func() []byte {
		der := w.list(t, crl.Entry{Serial: w.user.Cert.Serial, RevokedAt: time.Now(), Reason: crl.NoReason})
		for i := range der {
			if string(der[i:min(len(der), i+4)]) == string(w.user.Cert.Serial.Bytes()[:4]) {
				der[i] ^= 1
			}
		}
		return der
	}())
	add("too long", make([]byte, maxListSize+1))
	add("a PEM block of something else", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.list(t)}))
	return out
}

// fallBack is a checker that has nothing but lists.
func (w *world) fallBack(t *testing.T, o CRLOptions) *Checker {
	t.Helper()
	w.net.Refuse("good.example")
	o.Enabled = true
	return w.checker(t, Options{CRL: o})
}

// TestNoFaultOfAListIsEverAStatus: an error in time, and over soon after the
// fault.
func TestNoFaultOfAListIsEverAStatus(t *testing.T) {
	eachFault(t, (*world).crlFaults, func(t *testing.T, w *world, f memnet.Fault) {
		f.Install(w.net, "crl.example", crlMedia)
		k := w.fallBack(t, CRLOptions{})
		start := time.Now()
		status, err := w.ask(t, k)
		if took := time.Since(start); status != nil || err == nil || took > DefaultTimeout {
			t.Errorf("%+v, %v after %s", status, err, took)
		}
		// One that is still being fetched must end first.
		time.Sleep(fetchTimeout + listRetry)
		w.publish(w.list(t))
		wait := time.Duration(0)
		if f.Name == "of another CA" {
			wait = defaultRecheck // that was no outage
		}
		time.Sleep(wait)
		if status, err = w.ask(t, k); err != nil || status.Status != ocsp.Good {
			t.Errorf("well again: %+v, %v", status, err)
		}
	})
}

// TestAListHoldsUntilItsEnd has the faults come after a good list.
func TestAListHoldsUntilItsEnd(t *testing.T) {
	eachFault(t, (*world).crlFaults, func(t *testing.T, w *world, f memnet.Fault) {
		w.publish(w.list(t, w.revokedEntry()))
		k := w.fallBack(t, CRLOptions{})
		if _, err := w.ask(t, k); err != nil {
			t.Fatal(err)
		}
		f.Install(w.net, "crl.example", crlMedia)
		time.Sleep(defaultRecheck)
		for range 2 {
			start := time.Now()
			status, err := w.ask(t, k)
			if took := time.Since(start); err != nil || status.Status != ocsp.Revoked || took > DefaultTimeout {
				t.Errorf("%+v, %v after %s", status, err, took)
			}
		}
		time.Sleep(crlsLifetime + fetchTimeout)
		if status, err := w.ask(t, k); f.Name != "from the future" && (err == nil || status != nil) {
			t.Errorf("after its end: %+v", status)
		}
	})
}

func TestListsAreOffUnlessConfigured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.publish(w.list(t))
		w.net.Refuse("good.example")
		if status, err := w.ask(t, w.checker(t, Options{CRL: CRLOptions{URLs: []string{listAddress}}})); err == nil || w.net.Calls("crl.example") != 0 {
			t.Errorf("%+v", status)
		}
		// And not looked into while the responder answers.
		w.net.Serve("good.example", w.responder(nil))
		if status, err := w.ask(t, w.checker(t, Options{CRL: CRLOptions{Enabled: true}})); err != nil || status.Source != good || w.net.Calls("crl.example") != 0 {
			t.Errorf("%+v, %v", status, err)
		}
	})
}

func TestWhatAListSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		at := time.Now().Add(-time.Hour)
		expired := w.User(t, testpki.Person, func(tmpl *cert.Template) {
			tmpl.NotAfter, tmpl.CRLDistributionPoints, tmpl.OCSPServers = time.Now().Add(-time.Minute), []string{listAddress}, nil
		})
		serial := func(c *cert.Certificate, reason int) crl.Entry {
			return crl.Entry{Serial: c.Serial, RevokedAt: at, Reason: reason}
		}
		for _, tt := range []struct {
			name    string
			c       *cert.Certificate
			entries []crl.Entry
			want    ocsp.CertStatus
			reason  int
			err     error
		}{
			{"nothing", w.user.Cert, nil, ocsp.Good, ocsp.NoReason, nil},
			{"another", w.user.Cert, []crl.Entry{serial(w.TSA.Cert, 1)}, ocsp.Good, ocsp.NoReason, nil},
			{"without a reason", w.user.Cert, []crl.Entry{serial(w.user.Cert, crl.NoReason)}, ocsp.Revoked, ocsp.NoReason, nil},
			{"a compromised key", w.user.Cert, []crl.Entry{serial(w.user.Cert, 1)}, ocsp.Revoked, 1, nil},
			{"on hold", w.user.Cert, []crl.Entry{serial(w.user.Cert, 6)}, ocsp.Revoked, 6, nil},
			{"off hold", w.user.Cert, []crl.Entry{serial(w.user.Cert, 8)}, ocsp.Good, ocsp.NoReason, nil},
			// RFC 5280 3.3: the entry may have left the list.
			{"nothing of an expired one", expired.Cert, nil, 0, 0, errSilentList},
			{"revoked in the future", w.user.Cert, []crl.Entry{{Serial: w.user.Cert.Serial, RevokedAt: time.Now().Add(time.Hour), Reason: 1}}, 0, 0, crl.ErrFuture},
			{"an expired one", expired.Cert, []crl.Entry{serial(expired.Cert, 4)}, ocsp.Revoked, 4, nil},
		} {
			w.publish(w.list(t, tt.entries...))
			got, err := w.fallBack(t, CRLOptions{}).Status(t.Context(), tt.c, w.CA.Cert)
			switch {
			case tt.err != nil:
				if got != nil || !errors.Is(err, tt.err) {
					t.Errorf("%s: %+v, %v", tt.name, got, err)
				}
			case err != nil:
				t.Errorf("%s: %v", tt.name, err)
			default:
				if got.Status != tt.want || got.Reason != tt.reason || got.Source != listAddress || got.OCSPResponse != nil ||
					!got.ThisUpdate.Equal(time.Now()) || !got.NextUpdate.Equal(time.Now().Add(crlsLifetime)) {
					t.Errorf("%s: %+v", tt.name, got)
				}
				if got.RevokedAt.IsZero() == (tt.want == ocsp.Revoked) {
					t.Errorf("%s: revoked at %s", tt.name, got.RevokedAt)
				}
			}
		}
	})
}

// TestAListMustCoverTheCertificate: whoever answers for one distribution point
// could hand out the list of another.
func TestAListMustCoverTheCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		list, err := crl.Parse(w.list(t))
		if err != nil {
			t.Fatal(err)
		}
		other := w.Issue(t, w.Root, func(tmpl *cert.Template) { tmpl.Subject = testpki.Name(t, "CN=other") }, w.KeySpec)
		if status, err := lookUp(list, other.Cert, time.Now()); status != nil || !errors.Is(err, crl.ErrIssuer) {
			t.Errorf("%+v, %v", status, err)
		}
	})
}

func TestANewerListReplacesTheOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		old := w.list(t)
		w.publish(old)
		k := w.fallBack(t, CRLOptions{})
		want := func(when string, status ocsp.CertStatus, fetched int) {
			t.Helper()
			got, err := w.ask(t, k)
			if err != nil || got.Status != status || w.net.Calls("crl.example") != fetched {
				t.Errorf("%s: %+v, %v, fetched %d times", when, got, err, w.net.Calls("crl.example"))
			}
		}
		want("at first", ocsp.Good, 1)
		want("then", ocsp.Good, 1)
		time.Sleep(time.Second)
		w.publish(w.list(t, w.revokedEntry())) // which begins to count anew
		time.Sleep(defaultRecheck - 2*time.Second)
		want("not looked for yet", ocsp.Good, 0)
		time.Sleep(time.Second)
		want("as documented", ocsp.Revoked, 1)
		// Somebody offers the old list, which is still within its time.
		w.publish(old)
		time.Sleep(defaultRecheck)
		want("an older one", ocsp.Revoked, 1)
		want("is not asked for by everybody", ocsp.Revoked, 1)
	})
}

// TestAListThatCannotBeHadIsNotAskedForByEverybody counts requests.
func TestAListThatCannotBeHadIsNotAskedForByEverybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var requests atomic.Int32
		serve := func(status int, der []byte) {
			w.net.Serve("crl.example", http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
				requests.Add(1)
				rw.WriteHeader(status)
				rw.Write(der)
			}))
		}
		serve(http.StatusInternalServerError, nil)
		k := w.fallBack(t, CRLOptions{})
		for range 5 {
			for range 10 {
				if status, err := w.ask(t, k); err == nil {
					t.Errorf("%+v", status)
				}
			}
			time.Sleep(listRetry)
		}
		if n := requests.Load(); n != 5 {
			t.Errorf("asked for %d times", n)
		}
		serve(http.StatusOK, w.list(t))
		if status, err := w.ask(t, k); err != nil || status.Status != ocsp.Good {
			t.Errorf("well again: %+v, %v", status, err)
		}
	})
}

func TestAListHasALimit(t *testing.T) {
	endless := func(n int64) io.Reader { return io.LimitReader(zeros{}, n) }
	if body, err := readList(endless(maxListSize)); err != nil || len(body) != maxListSize {
		t.Errorf("the longest: %d octets, %v", len(body), err)
	}
	for _, n := range []int64{maxListSize + 1, 1 << 60} {
		if body, err := readList(endless(n)); err == nil || body != nil {
			t.Errorf("%d octets of %d", len(body), n)
		}
	}
}

// zeros never ends.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestOneFetchesForAllAndNobodyWaitsTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		der := w.list(t, w.revokedEntry())
		w.net.Serve("crl.example", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			time.Sleep(20 * time.Second) // longer than any asker waits
			rw.Write(der)
		}))
		k := w.fallBack(t, CRLOptions{})
		var askers sync.WaitGroup
		for range 50 {
			askers.Go(func() {
				start := time.Now()
				if status, err := w.ask(t, k); !errors.Is(err, errFetching) || time.Since(start) > DefaultTimeout {
					t.Errorf("%+v, %v after %s", status, err, time.Since(start))
				}
			})
		}
		askers.Wait()
		time.Sleep(20 * time.Second)
		if status, err := w.ask(t, k); err != nil || status.Status != ocsp.Revoked || w.net.Calls("crl.example") != 1 {
			t.Errorf("%+v, %v, fetched %d times", status, err, w.net.Calls("crl.example"))
		}
	})
}

func TestConfiguredListsReplaceThoseOfCertificates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		der := w.list(t, w.revokedEntry())
		name := filepath.Join(t.TempDir(), "ca.crl")
		w.publish(w.list(t)) // what the certificate names says good
		w.net.Serve("ours.example", octets(der))
		w.net.Serve("root.example", octets(w.listAt(t, w.Root, time.Now())))
		for _, tt := range []struct {
			name    string
			urls    []string
			content []byte // of the file
			source  string // "" for an error
		}{
			{"http", []string{"http://ours.example/"}, nil, "http://ours.example/"},
			{"the list of another CA before it", []string{"http://root.example/", "http://ours.example/"}, nil, "http://ours.example/"},
			{"a file of DER", []string{"file://" + name}, der, "file://" + name},
			{"a file of PEM", []string{"file://" + name}, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}), "file://" + name},
			{"no file", []string{"file://" + name + ".none"}, nil, ""},
			{"a folder", []string{"file://" + filepath.Dir(name)}, nil, ""},
			{"no address", []string{"http://%zz"}, nil, ""},
			{"another scheme", []string{"ldap://x/"}, nil, ""},
			{"a method line", []string{"http://a b/"}, nil, ""},
		} {
			if err := os.WriteFile(name, tt.content, 0o600); err != nil {
				t.Fatal(err)
			}
			status, err := w.ask(t, w.fallBack(t, CRLOptions{URLs: tt.urls}))
			if (err == nil) != (tt.source != "") || (status == nil) != (tt.source == "") {
				t.Errorf("%s: %+v, %v", tt.name, status, err)
			} else if err == nil && (status.Status != ocsp.Revoked || status.Source != tt.source) {
				t.Errorf("%s: %+v", tt.name, status)
			}
		}
		if w.net.Calls("crl.example") != 0 {
			t.Error("the list of the certificate was fetched")
		}
	})
}

// TestACertificateNamesNoFile: only a configuration may.
func TestACertificateNamesNoFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(tmpl *cert.Template) {
			tmpl.CRLDistributionPoints = []string{"file:///etc/passwd", "ldap://x/", "http://"}
		})
		if status, err := w.ask(t, w.fallBack(t, CRLOptions{})); status != nil || !errors.Is(err, ErrNoCRL) {
			t.Errorf("%+v, %v", status, err)
		}
	})
}

func TestTheMemoryForListsIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		l := w.fallBack(t, CRLOptions{}).lists
		parsed, err := crl.Parse(w.list(t))
		if err != nil {
			t.Fatal(err)
		}
		hold := func(i, size int) {
			l.mu.Lock()
			defer l.mu.Unlock()
			k := listKey{address: fmt.Sprint(i)}
			l.held[k] = &heldList{list: parsed, size: size, used: time.Now()}
			l.makeRoom(k)
			time.Sleep(time.Second)
		}
		for i := range 3 * maxLists {
			hold(i, 1)
		}
		if len(l.held) != maxLists || l.held[listKey{address: fmt.Sprint(3*maxLists - 1)}] == nil {
			t.Errorf("%d lists", len(l.held))
		}
		hold(-1, maxListsSize-10)
		if len(l.held) != 11 {
			t.Errorf("%d lists beside a large one", len(l.held))
		}
		hold(-2, maxListsSize+1)
		if len(l.held) != 1 || l.held[listKey{address: "-2"}] == nil {
			t.Errorf("%d lists beside one too large", len(l.held))
		}
	})
}

func TestFetchesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.net.BlackHole("crl.example")
		w.net.Refuse("good.example")
		k := w.checker(t, Options{CRL: CRLOptions{Enabled: true}, Timeout: time.Second})
		var askers sync.WaitGroup
		turnedAway := make(chan error, 4*maxFetches)
		for i := range 4 * maxFetches {
			user := w.User(t, testpki.Person, func(tmpl *cert.Template) {
				tmpl.OCSPServers, tmpl.CRLDistributionPoints = nil, []string{fmt.Sprint(listAddress, i)}
			})
			askers.Go(func() {
				if _, err := k.Status(t.Context(), user.Cert, w.CA.Cert); errors.Is(err, errManyLists) {
					turnedAway <- err
				}
			})
		}
		askers.Wait()
		if n := len(turnedAway); n != 3*maxFetches {
			t.Errorf("%d turned away", n)
		}
	})
}

func TestAClosedCheckerFetchesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		k := w.fallBack(t, CRLOptions{})
		if err := k.Close(); err != nil {
			t.Fatal(err)
		}
		if status, err := w.ask(t, k); status != nil || !errors.Is(err, errClosed) {
			t.Errorf("%+v, %v", status, err)
		}
	})
}

// TestClosingEndsAFetch has one under way.
func TestClosingEndsAFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.net.Serve("crl.example", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
		k := w.fallBack(t, CRLOptions{})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			_, err := k.Status(ctx, w.user.Cert, w.CA.Cert)
			done <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		start := time.Now()
		if err := k.Close(); err != nil || time.Since(start) != 0 {
			t.Errorf("%v after %s", err, time.Since(start))
		}
	})
}

// A panic while a list is read must not end the process.
func TestAPanicOfAFetchIsAnError(t *testing.T) {
	l := newLists(CRLOptions{}, &http.Client{Transport: panicking{}}, time.Now)
	defer l.close()
	if list, _, err := l.download("http://x/", nil); list != nil || err == nil {
		t.Errorf("%v, %v", list, err)
	}
}

type panicking struct{}

func (panicking) RoundTrip(*http.Request) (*http.Response, error) { panic("at the disco") }
