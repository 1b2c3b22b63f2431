package cert_test

import (
	"errors"
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
