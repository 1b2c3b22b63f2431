package cert_test

import (
	"fmt"
	"math/big"
	"slices"
	"sync"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/cert"
)

func signatures(k *cert.Cache) int {
	_, n := k.Len()
	return n
}

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

func TestCacheRemembersWhatVerifies(t *testing.T) {
	p := testpki.New(t, "ozdst")
	user := p.User(t, testpki.Person)
	cache := cert.NewCache(0)
	for range 3 {
		if err := cache.Check(user.Cert, p.CA.Cert); err != nil {
			t.Fatal(err)
		}
	}
	if n := signatures(cache); n != 1 {
		t.Errorf("%d facts", n)
	}
	// The same octets read again are the same certificate.
	again, err := cert.Parse(append([]byte{}, user.Cert.Raw...))
	if err != nil {
		t.Fatal(err)
	}
	if err := cache.Check(again, p.CA.Cert); err != nil || signatures(cache) != 1 {
		t.Errorf("%v, %d facts", err, signatures(cache))
	}
}

func TestCacheForgetsWhatDoesNotVerify(t *testing.T) {
	p := testpki.New(t, "ozdst")
	user := p.User(t, testpki.Person)
	cache := cert.NewCache(0)
	for range 2 {
		if err := cache.Check(user.Cert, p.Root.Cert); err == nil {
			t.Fatal("signed by the root")
		}
	}
	if n := signatures(cache); n != 0 {
		t.Errorf("%d facts", n)
	}
}

// Whoever makes certificates that look like those that were verified gains
// nothing from it.
func TestCacheIsNotPoisonedByLookalikes(t *testing.T) {
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

	cache := cert.NewCache(0)
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
func TestCacheKnowsNoChangedCertificate(t *testing.T) {
	p := testpki.New(t, "ozdst")
	user := p.User(t, testpki.Person)
	cache := cert.NewCache(0)
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
	cache := cert.NewCache(0)
	build := func(anchors *cert.Pool, at time.Time) error {
		_, err := cert.BuildPath(user.Cert, cert.PathOptions{
			Anchors: anchors, Intermediates: []*cert.Certificate{p.CA.Cert, p.Root.Cert}, At: at, CheckSignature: cache.Check,
		})
		return err
	}
	if err := build(p.Anchors(), p.Now); err != nil {
		t.Fatal(err)
	}
	facts := signatures(cache)
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
	if err := build(p.Anchors(), p.Now); err != nil || signatures(cache) != facts {
		t.Errorf("%v, %d facts, had %d", err, signatures(cache), facts)
	}
}

func TestCacheKeepsToItsSize(t *testing.T) {
	p := testpki.New(t, "ecdsa:P-256")
	cache := cert.NewCache(1)
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
		if signatures(cache) > 4 {
			t.Fatalf("%d facts", signatures(cache))
		}
	}
	// What was dropped is checked again, and what is used stays.
	if err := cache.Check(users[0], p.CA.Cert); err != nil || signatures(cache) != 4 {
		t.Errorf("%v, %d facts", err, signatures(cache))
	}
}

func TestCacheIsForConcurrentUse(t *testing.T) {
	p := testpki.New(t, "ecdsa:P-256")
	user := p.User(t, testpki.Person)
	cache := cert.NewCache(1)
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
	if n := signatures(cache); n > 4 {
		t.Errorf("%d facts", n)
	}
}

func TestCacheReadsOnce(t *testing.T) {
	p := testpki.New(t, "ozdst")
	user := p.User(t, testpki.Person)
	cache := cert.NewCache(0)
	der := append([]byte{}, user.Cert.Raw...)
	first, err := cache.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	second, err := cache.Parse(append([]byte{}, der...))
	if err != nil || first != second {
		t.Errorf("%v, read twice: %v", err, first != second)
	}
	// What it keeps is its own, and not a view of a document.
	clear(der)
	if !first.Equal(user.Cert) || first.Fingerprint() != user.Cert.Fingerprint() {
		t.Error("the certificate changed with the document it came in")
	}
	if err := cache.Check(first, p.CA.Cert); err != nil {
		t.Error(err)
	}
	if certificates, _ := cache.Len(); certificates != 1 {
		t.Errorf("%d certificates", certificates)
	}
}

func TestCacheKeepsNothingThatIsNoCertificate(t *testing.T) {
	p := testpki.New(t, "ozdst")
	cache := cert.NewCache(0)
	testpki.EachTruncation(p.CA.Cert.Raw, func(prefix []byte) {
		want, wantErr := cert.Parse(prefix)
		got, err := cache.Parse(prefix)
		if want != nil || got != nil || err == nil || err.Error() != wantErr.Error() {
			t.Fatalf("%d octets: %v, %v instead of %v", len(prefix), got, err, wantErr)
		}
	})
	if certificates, _ := cache.Len(); certificates != 0 {
		t.Errorf("%d certificates", certificates)
	}
}

func TestCacheKeepsNoLargeCertificate(t *testing.T) {
	p := testpki.New(t, "ozdst")
	large := p.User(t, testpki.Person, func(tm *cert.Template) {
		for i := range 200 {
			tm.DNSNames = append(tm.DNSNames, fmt.Sprintf("host-%d.example.uz", i))
		}
	})
	cache := cert.NewCache(0)
	c, err := cache.Parse(large.Cert.Raw)
	if err != nil || !c.Equal(large.Cert) {
		t.Fatal(err)
	}
	if certificates, _ := cache.Len(); certificates != 0 {
		t.Errorf("%d octets are kept", len(c.Raw))
	}
}

func TestCacheKeepsToItsSizeInCertificates(t *testing.T) {
	p := testpki.New(t, "ecdsa:P-256")
	cache := cert.NewCache(3)
	for range 10 {
		for _, c := range []*cert.Certificate{p.CA.Cert, p.User(t, testpki.Person).Cert} {
			if got, err := cache.Parse(c.Raw); err != nil || !got.Equal(c) {
				t.Fatal(err)
			}
		}
		if certificates, _ := cache.Len(); certificates > 3 {
			t.Fatalf("%d certificates", certificates)
		}
	}
	before, _ := cache.Parse(p.CA.Cert.Raw)
	if after, _ := cache.Parse(p.CA.Cert.Raw); before != after {
		t.Error("what is used most was dropped")
	}
}

// A copy with other octets must not pass for the certificate that it was
// copied from.
func TestCopiesOfKeptCertificatesHaveTheirOwnFingerprint(t *testing.T) {
	p := testpki.New(t, "ozdst")
	kept, err := cert.NewCache(0).Parse(p.CA.Cert.Raw)
	if err != nil {
		t.Fatal(err)
	}
	forged := *kept
	forged.Raw = append([]byte{}, kept.Raw...)
	forged.Raw[len(forged.Raw)-1] ^= 1
	if forged.Fingerprint() == kept.Fingerprint() {
		t.Error("two certificates, one fingerprint")
	}
}

// Searches find the same, whether certificates come from a cache or not.
func TestPathsAreTheSameWithKeptCertificates(t *testing.T) {
	p := testpki.New(t, "ozdst")
	user := p.User(t, testpki.Person)
	_, fakeCA := impostor(t, p)
	cache := cert.NewCache(0)
	keep := func(c *cert.Certificate) *cert.Certificate {
		kept, err := cache.Parse(c.Raw)
		if err != nil {
			t.Fatal(err)
		}
		return kept
	}
	bag := []*cert.Certificate{fakeCA.Cert, p.CA.Cert, p.TSA.Cert}
	var kept []*cert.Certificate
	for _, c := range bag {
		kept = append(kept, keep(c))
	}
	anchors := cert.NewPool(keep(p.Root.Cert))
	want, wantErr := cert.BuildPath(user.Cert, cert.PathOptions{Anchors: p.Anchors(), Intermediates: bag, At: p.Now})
	got, err := cert.BuildPath(keep(user.Cert), cert.PathOptions{Anchors: anchors, Intermediates: kept, At: p.Now, CheckSignature: cache.Check})
	if err != nil || wantErr != nil || !slices.EqualFunc(got.Certificates, want.Certificates, (*cert.Certificate).Equal) {
		t.Errorf("%v, %v: %v instead of %v", err, wantErr, got, want)
	}
	// The impostor's CA is in the bag, and only its root is not known.
	if err := cert.NewBag(kept...).Check(anchors.Bag(got.Certificates...), cache.Check, nil); err == nil {
		t.Error("the impostor's CA passes in the bag")
	}
	if err := cert.NewBag(kept[1:]...).Check(anchors.Bag(got.Certificates...), cache.Check, nil); err != nil {
		t.Error(err)
	}
}

func TestNilCacheRemembersNothing(t *testing.T) {
	p := testpki.New(t, "ecdsa:P-256")
	var cache *cert.Cache
	c, err := cache.Parse(p.CA.Cert.Raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := cache.Check(c, p.Root.Cert); err != nil {
		t.Error(err)
	}
	if certificates, facts := cache.Len(); certificates != 0 || facts != 0 {
		t.Errorf("%d, %d", certificates, facts)
	}
}
