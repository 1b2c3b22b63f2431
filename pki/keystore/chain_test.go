package keystore

import (
	"crypto/rand"
	mathrand "math/rand/v2"
	"slices"
	"testing"

	"imzo/internal/testpki"
	"imzo/pki/ber"
	"imzo/pki/cert"
)

func TestChainIsFoundInAnyOrder(t *testing.T) {
	pki := testpki.New(t, "ozdst")
	user := pki.User(t, testpki.Person)
	other := testpki.New(t, "ozdst") // same names, other keys
	bag := append(slices.Clone(user.Chain), other.CA.Cert, other.Root.Cert, pki.TSA.Cert, other.User(t, testpki.Person).Cert)
	for range 20 {
		mathrand.Shuffle(len(bag), func(i, j int) { bag[i], bag[j] = bag[j], bag[i] })
		got := chain(user.Cert, bag)
		if !slices.EqualFunc(got, user.Chain, (*cert.Certificate).Equal) {
			t.Fatalf("chain %v", subjects(got))
		}
	}
}

func TestChainStopsWhereTheIssuerIsMissing(t *testing.T) {
	user := testpki.New(t, "ozdst").User(t, testpki.Person)
	for n := 1; n <= 3; n++ {
		if got := chain(user.Cert, user.Chain[:n]); len(got) != n {
			t.Errorf("with %d certificates: chain %v", n, subjects(got))
		}
	}
	if got := chain(user.Cert, []*cert.Certificate{user.Cert, user.Chain[2]}); len(got) != 1 {
		t.Errorf("without the CA: chain %v", subjects(got))
	}
}

func TestChainOfCrossCertificatesEnds(t *testing.T) {
	// Two CAs certify each other: a circle without a self-issued end.
	pki := testpki.New(t, "ecdsa:P-256")
	a := pki.Issue(t, pki.Root, func(tmpl *cert.Template) { testpki.CATemplate(t, tmpl, "CN=A") }, pki.KeySpec)
	b := pki.Issue(t, a, func(tmpl *cert.Template) { testpki.CATemplate(t, tmpl, "CN=B") }, pki.KeySpec)
	back := pki.Issue(t, b, func(tmpl *cert.Template) {
		testpki.CATemplate(t, tmpl, "CN=A")
		tmpl.PublicKey = a.Key.PublicKey()
	}, pki.KeySpec)
	leaf := pki.Issue(t, a, func(tmpl *cert.Template) { tmpl.Subject = testpki.Name(t, "CN=leaf") }, pki.KeySpec)
	got := chain(leaf.Cert, []*cert.Certificate{leaf.Cert, back.Cert, b.Cert})
	if len(got) != 3 {
		t.Errorf("chain %v", subjects(got))
	}
	// A long line of CAs is cut.
	line := []*cert.Certificate{}
	issuer := pki.Root
	for i := range maxChain + 3 {
		issuer = pki.Issue(t, issuer, func(tmpl *cert.Template) { testpki.CATemplate(t, tmpl, "CN=L"+string(rune('a'+i))) }, pki.KeySpec)
		line = append(line, issuer.Cert)
	}
	if got := chain(line[len(line)-1], line); len(got) != maxChain {
		t.Errorf("chain of %d", len(got))
	}
}

func TestKeyWithoutItsCertificateGetsAllInFileOrder(t *testing.T) {
	pki := testpki.New(t, "ozdst")
	user, stranger := pki.User(t, testpki.Person), pki.User(t, testpki.Organisation)
	ids := [][]byte{[]byte("same id")}
	e := Entry{Alias: "a", Key: user.Key, Chain: stranger.Chain}
	bag, err := writeKeyBag(rand.Reader, fastProfile(), mustPassword(t, testPassword), e, ids[0])
	if err != nil {
		t.Fatal(err)
	}
	// The stranger's certificate claims the local key id of the key.
	data := assemble(t, writeData(ber.Sequence(bag)), writeData(ber.Sequence(writeCertBags([]Entry{e}, ids)...)))
	entries, err := OpenPFX(data, testPassword)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || !slices.EqualFunc(entries[0].Chain, stranger.Chain, (*cert.Certificate).Equal) {
		t.Fatalf("entries %+v", entries)
	}
	checkPair(t, entries[0].Key, user.Cert)
}

func TestRenewedCertificateIsChosenByLocalKeyID(t *testing.T) {
	pki := testpki.New(t, "ozdst")
	first := pki.User(t, testpki.Person)
	second := pki.User(t, testpki.Person, func(tmpl *cert.Template) { tmpl.PublicKey = first.Key.PublicKey() })
	e := Entry{Alias: "a", Key: first.Key, Chain: second.Chain}
	id := []byte("the second")
	bag, err := writeKeyBag(rand.Reader, fastProfile(), mustPassword(t, testPassword), e, id)
	if err != nil {
		t.Fatal(err)
	}
	old := writeCertBags([]Entry{{Alias: "old", Chain: first.Chain}}, [][]byte{[]byte("the first")})
	renewed := writeCertBags([]Entry{e}, [][]byte{id})
	data := assemble(t, writeData(ber.Sequence(append(append([][]byte{bag}, old...), renewed...)...)))
	entries, err := OpenPFX(data, testPassword)
	if err != nil {
		t.Fatal(err)
	}
	if got := entries[0].Chain; len(got) != 3 || !got[0].Equal(second.Cert) {
		t.Errorf("chain %v", subjects(got))
	}
}

func subjects(certs []*cert.Certificate) []string {
	var out []string
	for _, c := range certs {
		out = append(out, c.Subject.String())
	}
	return out
}
