package revocation

import (
	"context"
	"errors"
	"math/big"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"imzo/internal/testpki/memnet"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/ocsp"
	"imzo/verify"
)

// The tests of this file have the real time limits, on the clock of a bubble.

// TestNoFaultIsEverAStatus: whatever the responder does, there is an error in
// time, a document is not valid, and both are over with the fault.
func TestNoFaultIsEverAStatus(t *testing.T) {
	eachFault(t, (*world).ocspFaults, func(t *testing.T, w *world, f memnet.Fault) {
		f.Install(w.net, "bad.example", ocspMedia)
		k := w.checker(t, Options{URLs: []string{bad}})
		start := time.Now()
		status, err := w.ask(t, k)
		if took := time.Since(start); status != nil || err == nil || took > DefaultTimeout {
			t.Errorf("%+v, %v after %s", status, err, took)
		}
		want := func(indication verify.Indication, sub verify.SubIndication) {
			t.Helper()
			start := time.Now()
			report, err := verify.Document(t.Context(), w.document(t), nil, verify.Options{Anchors: w.Anchors(), Revocation: k, Now: time.Now})
			if err != nil || report.Indication != indication || report.SubIndication != sub || time.Since(start) > DefaultTimeout {
				t.Errorf("%s %s, %v after %s, want %s %s", report.Indication, report.SubIndication, err, time.Since(start), indication, sub)
			}
		}
		want(verify.TotalIndeterminate, verify.TryLater)
		w.net.Serve("bad.example", w.responder(nil))
		want(verify.TotalPassed, "")
	})
}

func (w *world) document(t *testing.T) []byte {
	t.Helper()
	der, err := cms.Sign([]byte("x"), []cms.Signer{{Key: w.user.Key, Chain: w.user.Chain[:2], SigningTime: time.Now()}}, cms.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// TestEveryFaultLeavesTimeForTheNext has a good responder behind a bad one.
func TestEveryFaultLeavesTimeForTheNext(t *testing.T) {
	eachFault(t, (*world).ocspFaults, func(t *testing.T, w *world, f memnet.Fault) {
		f.Install(w.net, "bad.example", ocspMedia)
		k := w.checker(t, Options{URLs: []string{bad, good}})
		for _, limit := range []time.Duration{DefaultTimeout / 2, 0} { // the second does not wait again
			start := time.Now()
			status, err := w.ask(t, k)
			if took := time.Since(start); err != nil || status.Status != ocsp.Good || status.Source != good || took > limit {
				t.Errorf("%+v, %v after %s", status, err, took)
			}
		}
	})
}

// TestNoFaultIsKept has the cache between.
func TestNoFaultIsKept(t *testing.T) {
	eachFault(t, (*world).ocspFaults, func(t *testing.T, w *world, f memnet.Fault) {
		f.Install(w.net, "bad.example", ocspMedia)
		cache := NewCache(w.checker(t, Options{URLs: []string{bad}}), CacheOptions{})
		defer cache.Close()
		start := time.Now()
		status, err := w.ask(t, cache)
		if took := time.Since(start); status != nil || err == nil || took > DefaultTimeout {
			t.Errorf("%+v, %v after %s", status, err, took)
		}
		w.net.Serve("bad.example", w.responder(nil))
		if status, err = w.ask(t, cache); err != nil || status.Status != ocsp.Good {
			t.Errorf("well again: %+v, %v", status, err)
		}
		// What is kept lives on for its minute in the next outage, and no
		// longer.
		f.Install(w.net, "bad.example", ocspMedia)
		time.Sleep(DefaultCap - time.Second)
		if status, err = w.ask(t, cache); err != nil || status.Status != ocsp.Good {
			t.Errorf("kept: %+v, %v", status, err)
		}
		time.Sleep(time.Second)
		if status, err = w.ask(t, cache); err == nil || status != nil {
			t.Errorf("kept for too long: %+v", status)
		}
	})
}

// TestEveryFaultLeavesTimeForTheList has a list behind a bad responder, which
// says that the certificate is revoked.
func TestEveryFaultLeavesTimeForTheList(t *testing.T) {
	eachFault(t, (*world).ocspFaults, func(t *testing.T, w *world, f memnet.Fault) {
		f.Install(w.net, "bad.example", ocspMedia)
		w.publish(w.list(t, w.revokedEntry()))
		k := w.checker(t, Options{URLs: []string{bad}, CRL: CRLOptions{Enabled: true}})
		start := time.Now()
		status, err := w.ask(t, k)
		if took := time.Since(start); err != nil || status.Status != ocsp.Revoked || status.Source != listAddress || took > DefaultTimeout {
			t.Errorf("%+v, %v after %s", status, err, took)
		}
		w.net.Serve("bad.example", w.responder(nil))
		if status, err = w.ask(t, k); err != nil || status.Source != bad {
			t.Errorf("well again: %+v, %v", status, err)
		}
	})
}

// TestTheWorstCaseKeepsTheTime has as many dead responders and lists as a
// certificate may name, dead in different ways, and askers who come with the
// deadline of a request.
func TestTheWorstCaseKeepsTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var names []string
		for i := range memnet.Faults() {
			names = append(names, "http://bad"+strconv.Itoa(i)+".example/")
		}
		w := newWorld(t, func(tmpl *cert.Template) { tmpl.OCSPServers, tmpl.CRLDistributionPoints = names, names })
		for i, f := range memnet.Faults() {
			f.Install(w.net, "bad"+strconv.Itoa(i)+".example", ocspMedia)
		}
		cache := NewCache(w.checker(t, Options{CRL: CRLOptions{Enabled: true}}), CacheOptions{})
		defer cache.Close()
		for range 3 {
			start := time.Now()
			status, err := w.ask(t, cache)
			if took := time.Since(start); status != nil || err == nil || took > DefaultTimeout || took < DefaultTimeout/2 {
				t.Errorf("%+v, %v after %s", status, err, took)
			}
		}
		if DefaultTimeout >= 8*time.Second {
			t.Error("a client that waits eight seconds gets no answer")
		}
	})
}

// TestAnUnknownCertificateIsNotLookedForElsewhere: a responder that knows
// nothing of a certificate has answered. Another, or a list, might not know yet.
func TestAnUnknownCertificateIsNotLookedForElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.publish(w.list(t))
		unknown := w.responder(func(r *ocsp.Responder) { r.Lookup = unknownToAll })
		w.net.Serve("bad.example", unknown)
		k := w.checker(t, Options{URLs: []string{bad, good}, CRL: CRLOptions{Enabled: true}})
		status, err := w.ask(t, k)
		if err != nil || status.Status != ocsp.Unknown || status.Source != bad || w.calls != 0 || w.net.Calls("crl.example") != 0 {
			t.Errorf("%+v, %v", status, err)
		}
	})
}

// TestARedirectLeadsNowhere has a host that must never be reached.
func TestARedirectLeadsNowhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for _, host := range []string{"bad.example", "crl.example"} {
			w.net.Serve(host, http.RedirectHandler("http://inside.example/", http.StatusFound))
		}
		w.net.Serve("inside.example", w.responder(nil))
		client := *w.net.Client()
		client.CheckRedirect = nil // whoever brings a client need not think of it
		k := New(Options{URLs: []string{bad}, HTTP: &client, CRL: CRLOptions{Enabled: true}})
		defer k.Close()
		if status, err := w.ask(t, k); !errors.Is(err, ocsp.ErrTransport) || w.net.Calls("inside.example") != 0 {
			t.Errorf("%+v, %v", status, err)
		}
	})
}

// TestARevocationBecomesVisibleInTime asks every few seconds while the
// certificate is revoked at any moment: what is documented is a minute.
func TestARevocationBecomesVisibleInTime(t *testing.T) {
	for _, after := range []time.Duration{0, time.Second, 30 * time.Second, 44 * time.Second, 46 * time.Second, 59 * time.Second, 100 * time.Second} {
		for _, every := range []time.Duration{time.Second, 7 * time.Second, 25 * time.Second} {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				cache := NewCache(w.checker(t, Options{}), CacheOptions{})
				defer cache.Close()
				start := time.Now()
				revoked := start.Add(after)
				time.AfterFunc(after, func() { w.set(ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: revoked, Reason: 1}) })
				for time.Since(start) < 5*time.Minute {
					synctest.Wait()
					status, err := w.ask(t, cache)
					if err != nil {
						t.Fatal(err)
					}
					fresh, err := w.ask(t, cache.Fresh())
					if err != nil {
						t.Fatal(err)
					}
					switch {
					case time.Now().Before(revoked):
						if status.Status != ocsp.Good || fresh.Status != ocsp.Good {
							t.Fatal("revoked too early")
						}
					case fresh.Status != ocsp.Revoked:
						t.Fatal("a log-in does not see a revocation at once")
					case time.Since(revoked) >= DefaultCap && status.Status != ocsp.Revoked:
						t.Fatalf("good %s after the revocation", time.Since(revoked))
					}
					time.Sleep(every)
				}
			})
		}
	}
	// Without those who ask freshly.
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		cache := NewCache(w.checker(t, Options{}), CacheOptions{})
		defer cache.Close()
		for range 10 {
			if status, err := w.ask(t, cache); err != nil || status.Status != ocsp.Good {
				t.Fatalf("%+v, %v", status, err)
			}
			time.Sleep(10 * time.Second)
		}
		w.set(ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: time.Now(), Reason: ocsp.NoReason})
		time.Sleep(DefaultCap)
		if status, err := w.ask(t, cache); err != nil || status.Status != ocsp.Revoked {
			t.Errorf("%+v, %v", status, err)
		}
		// Off hold again, or revoked by mistake: the same time.
		w.set(ocsp.StatusInfo{Status: ocsp.Good})
		time.Sleep(DefaultCap)
		if status, err := w.ask(t, cache); err != nil || status.Status != ocsp.Good {
			t.Errorf("%+v, %v", status, err)
		}
	})
}

// TestClocksThatWereSet: an hour off is an error, and over with it.
func TestClocksThatWereSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var off time.Duration
		now := func() time.Time { return time.Now().Round(0).Add(off) } // the wall clock alone
		k := w.checker(t, Options{Now: now})
		cache := NewCache(k, CacheOptions{Now: now})
		defer cache.Close()
		if _, err := w.ask(t, cache); err != nil {
			t.Fatal(err)
		}
		for _, jump := range []struct {
			off  time.Duration
			want error
		}{{time.Hour, ocsp.ErrStale}, {-time.Hour, ocsp.ErrFuture}} {
			off = jump.off
			if status, err := w.ask(t, cache); status != nil || !errors.Is(err, jump.want) {
				t.Errorf("%s: %+v, %v", jump.off, status, err)
			}
			off = 0
			if status, err := w.ask(t, cache); err != nil || status.Status != ocsp.Good {
				t.Errorf("back from %s: %+v, %v", jump.off, status, err)
			}
		}
	})
}

func unknownToAll(context.Context, *big.Int) (ocsp.StatusInfo, error) {
	return ocsp.StatusInfo{Status: ocsp.Unknown}, nil
}
