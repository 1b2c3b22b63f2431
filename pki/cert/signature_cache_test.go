package cert_test

import (
	"math/big"
	"sync"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/cert"
)

// impostor is a root and a CA that bear the names, serial numbers and key
// identifiers of the real ones, over keys of their own.
func impostor(t *testing.T, p *testpki.PKI) (root, ca testpki.Entity) {
	t.Helper()
	as := func(like *cert.Certificate) func(*cert.Template) {
		return func(tm *cert.Template) {
			tm.Serial, tm.Subject = new(big.Int).Set(like.Serial), like.Subject
			tm.NotBefore, tm.NotAfter = like.NotBefore, like.NotAfter
			tm.BasicConstraints = &cert.BasicConstraints{IsCA: true, MaxPathLen: -1}
			tm.KeyUsage = cert.KeyUsageCertSign | cert.KeyUsageCRLSign
			for _, x := range like.Extensions {
				if x.OID.String() == "2.5.29.14" || x.OID.String() == "2.5.29.35" {
					tm.Extra = append(tm.Extra, x)
				}
			}
		}
	}
	root = p.SelfSigned(t, as(p.Root.Cert), p.KeySpec)
	ca = p.Issue(t, root, as(p.CA.Cert), p.KeySpec)
	return root, ca
}

func TestSignatureCacheRemembersWhatVerifies(t *testing.T) {
	p := testpki.New(t, "ozdst")
	user := p.User(t, testpki.Person)
	cache := cert.NewSignatureCache(0)
	for range 3 {
		if err := cache.Check(user.Cert, p.CA.Cert); err != nil {
			t.Fatal(err)
		}
	}
	if n := cache.Len(); n != 1 {
		t.Errorf("%d facts", n)
	}
	// The same octets read again are the same certificate.
	again, err := cert.Parse(append([]byte{}, user.Cert.Raw...))
	if err != nil {
		t.Fatal(err)
	}
	if err := cache.Check(again, p.CA.Cert); err != nil || cache.Len() != 1 {
		t.Errorf("%v, %d facts", err, cache.Len())
	}
}

func TestSignatureCacheForgetsWhatDoesNotVerify(t *testing.T) {
	p := testpki.New(t, "ozdst")
	user := p.User(t, testpki.Person)
	cache := cert.NewSignatureCache(0)
	for range 2 {
		if err := cache.Check(user.Cert, p.Root.Cert); err == nil {
			t.Fatal("signed by the root")
		}
	}
	if n := cache.Len(); n != 0 {
		t.Errorf("%d facts", n)
	}
}

// Whoever makes certificates that look like those that were verified gains
// nothing from it.
func TestSignatureCacheIsNotPoisonedByLookalikes(t *testing.T) {
	p := testpki.New(t, "ozdst")
	user := p.User(t, testpki.Person)
	fakeRoot, fakeCA := impostor(t, p)
	if fakeCA.Cert.SerialHex() != p.CA.Cert.SerialHex() || !fakeCA.Cert.Subject.Equal(p.CA.Cert.Subject) || !fakeCA.Cert.Issuer.Equal(p.CA.Cert.Issuer) {
		t.Fatal("the impostor does not look like the CA")
	}
	fakeUser := p.Issue(t, fakeCA, func(tm *cert.Template) {
		p.UserTemplate(t, tm, testpki.Person)
		tm.Serial = new(big.Int).Set(user.Cert.Serial)
	}, p.KeySpec)

	cache := cert.NewSignatureCache(0)
	build := func(leaf *cert.Certificate, between ...*cert.Certificate) error {
		_, err := cert.BuildPath(leaf, cert.PathOptions{
			Anchors: p.Anchors(), Intermediates: between, At: p.Now, CheckSignature: cache.Check,
		})
		return err
	}
	// The impostors' own signatures verify, and are facts.
	for _, pair := range [][2]*cert.Certificate{{fakeUser.Cert, fakeCA.Cert}, {fakeCA.Cert, fakeRoot.Cert}, {fakeRoot.Cert, fakeRoot.Cert}} {
		if err := cache.Check(pair[0], pair[1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := build(fakeUser.Cert, fakeCA.Cert, fakeRoot.Cert); err == nil {
		t.Error("a path by the impostor's facts alone")
	}
	if err := build(user.Cert, p.CA.Cert); err != nil {
		t.Fatal(err)
	}
	// Now with the facts of the real ones beside them.
	for name, between := range map[string][]*cert.Certificate{
		"with the impostor's CA":           {fakeCA.Cert},
		"with the real CA":                 {p.CA.Cert},
		"with both":                        {fakeCA.Cert, p.CA.Cert},
		"with the impostor's root as well": {fakeRoot.Cert, fakeCA.Cert, p.CA.Cert},
	} {
		if err := build(fakeUser.Cert, between...); err == nil {
			t.Errorf("the impostor's user has a path %s", name)
		}
	}
	if err := build(user.Cert, fakeCA.Cert, fakeRoot.Cert); err == nil {
		t.Error("the user has a path through the impostor's CA")
	}
	for _, pair := range [][2]*cert.Certificate{{user.Cert, fakeCA.Cert}, {fakeUser.Cert, p.CA.Cert}, {p.CA.Cert, fakeRoot.Cert}, {fakeCA.Cert, p.Root.Cert}} {
		if cache.Check(pair[0], pair[1]) == nil {
			t.Error("a signature that nobody made verifies")
		}
	}
}

// Every octet of a certificate counts, also those that its signature does not
// cover.
func TestSignatureCacheKnowsNoChangedCertificate(t *testing.T) {
	p := testpki.New(t, "ozdst")
	user := p.User(t, testpki.Person)
	cache := cert.NewSignatureCache(0)
	if err := cache.Check(user.Cert, p.CA.Cert); err != nil {
		t.Fatal(err)
	}
	readable := 0
	testpki.EachByteChange(user.Cert.Raw, func(offset int, mutated []byte) {
		c, err := cert.Parse(mutated)
		if err != nil {
			return
		}
		readable++
		if cache.Check(c, p.CA.Cert) == nil {
			t.Errorf("octet %d may be changed", offset)
		}
	})
	if readable < 100 {
		t.Errorf("only %d changes could be read", readable)
	}
}

// The facts say nothing about times and trust.
func TestPathsAreJudgedAnewWithRememberedSignatures(t *testing.T) {
	p := testpki.New(t, "ozdst")
	user := p.User(t, testpki.Person)
	other := testpki.New(t, "ozdst")
	cache := cert.NewSignatureCache(0)
	build := func(anchors *cert.Pool, at time.Time) error {
		_, err := cert.BuildPath(user.Cert, cert.PathOptions{
			Anchors: anchors, Intermediates: []*cert.Certificate{p.CA.Cert, p.Root.Cert}, At: at, CheckSignature: cache.Check,
		})
		return err
	}
	if err := build(p.Anchors(), p.Now); err != nil {
		t.Fatal(err)
	}
	facts := cache.Len()
	if err := build(p.Anchors(), p.CA.Cert.NotAfter.Add(time.Second)); err == nil {
		t.Error("the CA expired meanwhile")
	}
	if err := build(p.Anchors(), p.CA.Cert.NotBefore.Add(-time.Second)); err == nil {
		t.Error("the CA was not valid yet")
	}
	if err := build(other.Anchors(), p.Now); err == nil {
		t.Error("the root is not trusted any more")
	}
	if err := build(cert.NewPool(), p.Now); err == nil {
		t.Error("nothing is trusted any more")
	}
	if err := build(p.Anchors(), p.Now); err != nil || cache.Len() != facts {
		t.Errorf("%v, %d facts, had %d", err, cache.Len(), facts)
	}
}

func TestSignatureCacheKeepsToItsSize(t *testing.T) {
	p := testpki.New(t, "ecdsa:P-256")
	cache := cert.NewSignatureCache(4)
	var users []*cert.Certificate
	for range 10 {
		users = append(users, p.User(t, testpki.Person).Cert)
	}
	for _, u := range users {
		for _, c := range []*cert.Certificate{p.CA.Cert, u} {
			issuer := p.CA.Cert
			if c == p.CA.Cert {
				issuer = p.Root.Cert
			}
			if err := cache.Check(c, issuer); err != nil {
				t.Fatal(err)
			}
		}
		if cache.Len() > 4 {
			t.Fatalf("%d facts", cache.Len())
		}
	}
	// What was dropped is checked again, and what is used stays.
	if err := cache.Check(users[0], p.CA.Cert); err != nil || cache.Len() != 4 {
		t.Errorf("%v, %d facts", err, cache.Len())
	}
}

func TestSignatureCacheIsForConcurrentUse(t *testing.T) {
	p := testpki.New(t, "ecdsa:P-256")
	user := p.User(t, testpki.Person)
	cache := cert.NewSignatureCache(2)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 50 {
				if cache.Check(user.Cert, p.CA.Cert) != nil || cache.Check(p.CA.Cert, p.Root.Cert) != nil || cache.Check(p.TSA.Cert, p.CA.Cert) != nil {
					t.Error("a good signature does not verify")
				}
				if cache.Check(user.Cert, p.Root.Cert) == nil {
					t.Error("a wrong signature verifies")
				}
			}
		})
	}
	wait.Wait()
	if n := cache.Len(); n > 2 {
		t.Errorf("%d facts", n)
	}
}
