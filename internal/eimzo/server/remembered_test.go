package server

import (
	"context"
	"log/slog"
	"math/big"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/ocsp"
)

// warm lets a server see a document until it has remembered all there is.
func warm(t *testing.T, w *world, body string) {
	t.Helper()
	for range 3 {
		w.post(t, pathAttached, body).want(t, statusOK, MessageNone)
	}
	if certificates, signatures := w.server.deps.Certificates.Len(); certificates == 0 || signatures == 0 {
		t.Fatalf("%d certificates, %d signatures are remembered", certificates, signatures)
	}
}

// The chain was valid under the roots of before.
func TestRememberedChainsEndWithTheirRoot(t *testing.T) {
	w, other := newWorld(t), testpki.New(t, "ozdst")
	dir := t.TempDir()
	root := filepath.Join(dir, "root.pem")
	writeFile(t, root, string(cert.EncodePEM(w.Root.Cert)))
	w.server = w.newServer(t, func(c *Config, d *Deps) { c.TrustPEMFile, d.Anchors = root, nil })
	body := b64(w.stamped(t, w.sign(t, "content")))
	login := func() reply { return w.post(t, pathAuth, b64(w.sign(t, w.challenge(t)))) }
	warm(t, w, body)
	login().want(t, statusOK, MessageNone)

	reload := func(c *cert.Certificate) {
		writeFile(t, root, string(cert.EncodePEM(c)))
		if err := w.server.Reload(); err != nil {
			t.Fatal(err)
		}
	}
	reload(other.Root.Cert)
	w.post(t, pathAttached, body).want(t, statusCertificate, MessageCertificate)
	login().want(t, statusCertificate, MessageCertificate)
	if rec := w.call("POST", "/backend/certificate/status", b64(w.user.Cert.Raw)+"\n"); decode(t, rec).Status != statusCertificate {
		t.Errorf("%.300s", rec.Body)
	}
	reload(w.Root.Cert)
	w.post(t, pathAttached, body).want(t, statusOK, MessageNone)
}

func TestRememberedCertificatesExpire(t *testing.T) {
	w := newWorld(t)
	body := b64(w.sign(t, "content"))
	warm(t, w, body)
	w.clock.Store(int64(w.user.Cert.NotAfter.Sub(w.Now) + time.Second))
	if v := w.post(t, pathAuth, b64(w.sign(t, w.challenge(t)))); v.Status != statusValidity {
		t.Errorf("a log-in with a certificate that expired: %.300s", v.raw)
	}
	w.clock.Store(int64(w.CA.Cert.NotAfter.Sub(w.Now) + time.Second))
	if v := w.post(t, pathAuth, b64(w.sign(t, w.challenge(t)))); v.Status == statusOK {
		t.Errorf("a log-in under a CA that expired: %.300s", v.raw)
	}
}

func TestRememberedCertificatesAreRevoked(t *testing.T) {
	w := newWorld(t)
	body := b64(w.stamped(t, w.sign(t, "content")))
	warm(t, w, body)
	w.advance(2 * time.Second)
	w.set(w.user.Cert, ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: w.Now.Add(-time.Hour)})
	w.post(t, pathAttached, body).want(t, statusCertificate, MessageCertificate)
	w.post(t, pathAuth, b64(w.sign(t, w.challenge(t)))).want(t, statusCertificate, MessageCertificate)
	w.set(w.user.Cert, ocsp.StatusInfo{Status: ocsp.Good})
	w.post(t, pathAttached, body).want(t, statusOK, MessageNone)
	w.set(w.TSA.Cert, ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: w.Now.Add(-time.Hour), Reason: 1})
	w.post(t, pathAttached, body).want(t, tsaCertificate, MessageTSACertificate)
}

// A stranger's CA bears all the names and numbers of ours. He sends his
// documents first, between, and after ours.
func TestLookalikesOfRememberedCertificatesAreRefused(t *testing.T) {
	w := newWorld(t)
	like := func(c *cert.Certificate) func(*cert.Template) {
		return func(tm *cert.Template) {
			tm.Serial, tm.Subject, tm.NotBefore, tm.NotAfter = new(big.Int).Set(c.Serial), c.Subject, c.NotBefore, c.NotAfter
			if c.BasicConstraints != nil && c.BasicConstraints.IsCA {
				tm.BasicConstraints, tm.KeyUsage = &cert.BasicConstraints{IsCA: true, MaxPathLen: -1}, cert.KeyUsageCertSign
			} else {
				tm.KeyUsage = testpki.UserKeyUsage
			}
			for _, x := range c.Extensions {
				if s := x.OID.String(); s == "2.5.29.14" || s == "2.5.29.35" {
					tm.Extra = append(tm.Extra, x)
				}
			}
		}
	}
	root := w.SelfSigned(t, like(w.Root.Cert), w.KeySpec)
	ca := w.Issue(t, root, like(w.CA.Cert), w.KeySpec)
	user := w.Issue(t, ca, like(w.user.Cert), w.KeySpec)
	good := b64(w.sign(t, "content"))
	var strange []string
	for _, chain := range [][]*cert.Certificate{
		{user.Cert}, {user.Cert, ca.Cert}, {user.Cert, w.CA.Cert}, {user.Cert, ca.Cert, root.Cert}, {user.Cert, w.CA.Cert, w.Root.Cert}, {user.Cert, w.user.Cert, w.CA.Cert},
	} {
		strange = append(strange, b64(w.signAs(t, user, "content", func(s *cms.Signer, _ *cms.Options) { s.Chain = chain })))
	}
	for range 3 {
		for i, body := range strange {
			if v := w.post(t, pathAttached, body); v.Status == statusOK {
				t.Errorf("the stranger's document %d is valid: %.300s", i, v.raw)
			}
			w.post(t, pathAttached, good).want(t, statusOK, MessageNone)
		}
	}
}

// A crowd of users and strangers, with trust that comes and goes: nobody gets
// the answer of another. It is for the race detector, too.
func TestRememberedFactsInACrowd(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	w.server = w.newServer(t, func(_ *Config, d *Deps) {
		d.Revocation, d.Logger, d.Certificates = goodStatus{w.now}, slog.New(slog.DiscardHandler), cert.NewCache(2)
	})
	both := cert.NewPool(w.Root.Cert, other.Root.Cert)
	bodies := map[string]bool{
		b64(w.sign(t, "one")):                           true,
		b64(w.stamped(t, w.sign(t, "two"))):             true,
		b64(other.sign(t, "three")):                     false, // unless both are trusted
		b64(w.stamped(t, w.signAs(t, w.TSA, "four"))):   false,
		b64(other.stamped(t, other.sign(t, "fifteen"))): false,
	}
	ctx, cancel := context.WithCancel(t.Context())
	var reloading, asking sync.WaitGroup
	reloading.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			if i%2 == 0 {
				w.server.trusted.Store(both)
			} else {
				w.server.trusted.Store(w.Anchors())
			}
			time.Sleep(time.Millisecond)
		}
	})
	for range 4 {
		asking.Go(func() {
			for range 15 {
				for body, ours := range bodies {
					rec := w.call("POST", pathAttached, body)
					if rec.Code != http.StatusOK {
						t.Errorf("HTTP %d", rec.Code)
					}
					if ours && decode(t, rec).Status != statusOK {
						t.Errorf("%.300s", rec.Body)
					}
				}
			}
		})
	}
	asking.Wait()
	cancel()
	reloading.Wait()
	w.server.trusted.Store(w.Anchors())
	for body, ours := range bodies {
		if v := w.post(t, pathAttached, body); (v.Status == statusOK) != ours {
			t.Errorf("ours %v: %.300s", ours, v.raw)
		}
	}
	if certificates, signatures := w.server.deps.Certificates.Len(); certificates > 2 || signatures > 8 {
		t.Errorf("%d certificates, %d signatures are remembered", certificates, signatures)
	}
}

// Documents ask once while an answer is good, however many come at once, and a
// log-in asks anew.
func TestAStatusIsFetchedOnceForACrowd(t *testing.T) {
	w := newWorld(t)
	w.server = w.newServer(t, func(c *Config, _ *Deps) { c.OCSPCache = time.Minute })
	release := make(chan struct{})
	w.breakOCSP(func(rw http.ResponseWriter, r *http.Request) {
		<-release
		w.answerOCSP(rw, r)
	})
	body := b64(w.sign(t, "content"))
	var crowd sync.WaitGroup
	for i := range 32 {
		crowd.Go(func() {
			if v := decode(t, w.call("POST", pathAttached, body)); v.Status != statusOK {
				t.Errorf("%d: %.300s", i, v.raw)
			}
		})
	}
	for w.ocspCalls.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	close(release)
	crowd.Wait()
	for range 10 {
		w.post(t, pathAttached, body).want(t, statusOK, MessageNone)
	}
	if n := w.ocspCalls.Load(); n != 1 {
		t.Errorf("%d questions for a crowd", n)
	}
	w.breakOCSP(nil)
	w.set(w.user.Cert, ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: w.Now.Add(-time.Hour)})
	w.post(t, pathAuth, b64(w.sign(t, w.challenge(t)))).want(t, statusCertificate, MessageCertificate)
	if n := w.ocspCalls.Load(); n != 2 {
		t.Errorf("%d questions after a log-in", n)
	}
	// What the log-in learned is known to the documents.
	w.post(t, pathAttached, body).want(t, statusCertificate, MessageCertificate)
	w.set(w.user.Cert, ocsp.StatusInfo{Status: ocsp.Good})
	w.advance(2 * time.Minute)
	w.post(t, pathAttached, body).want(t, statusOK, MessageNone)
	if n := w.ocspCalls.Load(); n != 3 {
		t.Errorf("%d questions after the answer was over", n)
	}
}
