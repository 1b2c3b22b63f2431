package cert_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"imzo/internal/testpki"
	"imzo/pki/cert"
)

func TestBagKeepsEachCertificateOnce(t *testing.T) {
	p := testpki.New(t, "ozdst")
	user := p.User(t, testpki.Person)
	again, err := cert.Parse(user.Cert.Raw)
	if err != nil {
		t.Fatal(err)
	}
	b := cert.NewBag(user.Cert, nil, p.CA.Cert, again, user.Cert)
	if got := b.Certificates(); len(got) != 2 || got[0] != user.Cert || got[1] != p.CA.Cert {
		t.Errorf("%v", got)
	}
	if !b.Contains(again) || b.Contains(p.Root.Cert) {
		t.Error("contains by pointer, not by octets")
	}
	if got := b.BySubject(user.Cert.RawIssuer); len(got) != 1 || got[0] != p.CA.Cert {
		t.Errorf("issuer %v", got)
	}
	if got := b.Named(user.Cert.Issuer); len(got) != 1 || got[0] != p.CA.Cert {
		t.Errorf("issuer by name %v", got)
	}
	if b.Fingerprint(again) != user.Cert.Fingerprint() {
		t.Error("fingerprint")
	}
}

func TestBagsServeSeveralSearches(t *testing.T) {
	p := testpki.New(t, "ozdst")
	user, other := p.User(t, testpki.Person), p.User(t, testpki.Person+" 2")
	empty, full := cert.NewBag(), cert.NewBag(p.CA.Cert, p.Root.Cert)
	for _, leaf := range []testpki.Entity{user, other} {
		path, err := cert.BuildPath(leaf.Cert, cert.PathOptions{Anchors: p.Anchors(), Bags: []*cert.Bag{empty, full}, At: p.Now})
		if err != nil {
			t.Fatal(err)
		}
		if len(path.Certificates) != 3 {
			t.Errorf("path %v", path.Certificates)
		}
	}
	if _, err := cert.BuildPath(user.Cert, cert.PathOptions{Anchors: p.Anchors(), Bags: []*cert.Bag{empty}, At: p.Now}); err == nil {
		t.Error("a path without the CA")
	}
}

func TestWorkBoundsSearchesAndBags(t *testing.T) {
	p := testpki.New(t, "ozdst")
	user := p.User(t, testpki.Person)
	wantLimit := func(what string, err error) {
		t.Helper()
		var path *cert.PathError
		if !errors.As(err, &path) || path.Reason != cert.LimitExceeded || !errors.Is(err, cert.ErrWork) {
			t.Errorf("%s: %v", what, err)
		}
	}
	search := func(work *cert.Work) error {
		_, err := cert.BuildPath(user.Cert, cert.PathOptions{Anchors: p.Anchors(), Intermediates: user.Chain, At: p.Now, Work: work})
		return err
	}
	for _, units := range []int{0, 100, 300} {
		wantLimit("search", search(cert.NewWork(units)))
	}
	shared := cert.NewWork(800) // two signatures and the comparisons: enough once
	if err := search(shared); err != nil {
		t.Error(err)
	}
	wantLimit("second search", search(shared))

	b := cert.NewBag(user.Chain...)
	for _, units := range []int{0, 100, 300} {
		wantLimit("bag", b.Check(cert.NewBag(), nil, cert.NewWork(units)))
	}
	if err := b.Check(cert.NewBag(), nil, cert.NewWork(10000)); err != nil {
		t.Error(err)
	}
	asked := 0
	err := b.Check(cert.NewBag(p.CA.Cert), func(child, issuer *cert.Certificate) error {
		asked++
		return child.CheckSignatureFrom(issuer)
	}, nil)
	if err != nil || asked != 2 {
		t.Errorf("%d signatures checked: %v", asked, err)
	}
}

// Bags of few certificates are looked through, larger ones indexed: nobody can
// tell them apart.
func TestBagsOfAllSizesFindTheSame(t *testing.T) {
	p := testpki.New(t, "ecdsa:P-256")
	certs := []*cert.Certificate{p.CA.Cert, p.Root.Cert}
	for i := range 20 {
		certs = append(certs, p.User(t, fmt.Sprintf("CN=User %d", i%5)).Cert)
	}
	for n := range len(certs) + 1 {
		// Copies, and nothing, count once and not at all.
		b := cert.NewBag(append(append([]*cert.Certificate{nil}, certs[:n]...), certs[:n]...)...)
		pool := cert.NewPool(certs[:n]...)
		beside := cert.NewPool(certs[:n/2]...).Bag(certs[n/2 : n]...)
		if !slices.Equal(b.Certificates(), certs[:n]) || pool.Len() != n || !slices.Equal(pool.Certificates(), certs[:n]) {
			t.Fatalf("%d certificates: %v", n, b.Certificates())
		}
		for i, c := range certs {
			want := slices.DeleteFunc(slices.Clone(certs[:n]), func(o *cert.Certificate) bool { return !bytes.Equal(o.RawSubject, c.RawSubject) })
			read, err := cert.Parse(bytes.Clone(c.Raw))
			if err != nil {
				t.Fatal(err)
			}
			for name, got := range map[string][]*cert.Certificate{
				"BySubject": b.BySubject(c.RawSubject), "Named": b.Named(c.Subject), "of a pool": pool.BySubject(c.RawSubject), "beside a pool": beside.Named(c.Subject),
			} {
				if !slices.Equal(got, want) {
					t.Errorf("%s: %d of %d: %v, want %v", name, i, n, got, want)
				}
			}
			if in := i < n; b.Contains(c) != in || b.Contains(read) != in || pool.Contains(read) != in || beside.Contains(read) != in || b.Fingerprint(c) != c.Fingerprint() {
				t.Errorf("%d of %d: Contains, or the fingerprint, is wrong", i, n)
			}
		}
	}
}

// Anchors, also many, are for all requests at the same time.
func TestPoolsAreForConcurrentUse(t *testing.T) {
	p := testpki.New(t, "ecdsa:P-256")
	user := p.User(t, testpki.Person)
	for _, n := range []int{0, 20} {
		anchors := []*cert.Certificate{p.Root.Cert}
		for i := range n {
			anchors = append(anchors, p.User(t, fmt.Sprintf("CN=Root %d", i)).Cert)
		}
		pool := cert.NewPool(anchors...)
		var wait sync.WaitGroup
		for range 4 {
			wait.Go(func() {
				for range 20 {
					path, err := cert.BuildPath(user.Cert, cert.PathOptions{Anchors: pool, Intermediates: []*cert.Certificate{p.CA.Cert}, At: p.Now})
					if err != nil {
						t.Error(err)
						return
					}
					if err := cert.NewBag(user.Cert, p.TSA.Cert).Check(pool.Bag(path.Certificates...), nil, nil); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wait.Wait()
	}
}
