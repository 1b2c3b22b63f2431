package cms

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/ber"
	"imzo/pki/cert"
)

// mustKeep checks that every signed octet of before is in after.
func mustKeep(t testing.TB, before, after *SignedData, offset int) {
	t.Helper()
	for i, si := range before.SignerInfos {
		if got := after.SignerInfos[offset+i]; !bytes.Equal(got.signed, si.signed) || !bytes.Equal(got.RawSignedAttrs, si.RawSignedAttrs) {
			t.Errorf("signer %d was rewritten", i)
		}
	}
	for _, c := range before.Certificates {
		if !slices.ContainsFunc(after.Certificates, c.Equal) {
			t.Errorf("%v is gone", c)
		}
	}
	for _, x := range before.CRLs {
		if !slices.ContainsFunc(after.CRLs, func(y []byte) bool { return bytes.Equal(x, y) }) {
			t.Error("a CRL is gone")
		}
	}
	if !before.Detached() && !bytes.Equal(before.Content(), after.Content()) {
		t.Error("content differs")
	}
	if after.Indefinite != before.Indefinite {
		t.Errorf("indefinite %v became %v", before.Indefinite, after.Indefinite)
	}
}

var layouts = []Options{{}, {DER: true}, {Detached: true}, {Detached: true, DER: true}}

func TestAddSignerKeepsTheOthers(t *testing.T) {
	ozdst, ecdsa := testpki.New(t, "ozdst"), testpki.New(t, "ecdsa:P-256")
	alice, bob, carol := ozdst.User(t, testpki.Person), ozdst.User(t, testpki.Organisation), ecdsa.User(t, testpki.Person)
	content := bytes.Repeat([]byte("content"), 300)
	for _, o := range layouts {
		t.Run(fmt.Sprintf("%+v", o), func(t *testing.T) {
			var detached []byte
			if o.Detached {
				detached = content
			}
			one := mustVerify(t, mustSign(t, content, o, signerOf(alice)), detached)
			b, err := one.AddSigner(detached, signerOf(bob), nil)
			if err != nil {
				t.Fatal(err)
			}
			two := mustVerify(t, b, detached)
			mustKeep(t, one, two, 0)
			if len(two.SignerInfos) != 2 || len(two.DigestAlgorithms) != 1 || len(two.Certificates) != 4 || two.Version != 1 {
				t.Errorf("%d signers, %d digests, %d certificates, version %d", len(two.SignerInfos), len(two.DigestAlgorithms), len(two.Certificates), two.Version)
			}
			byKey := signerOf(carol)
			byKey.UseSubjectKeyID = true
			if b, err = two.AddSigner(detached, byKey, nil); err != nil {
				t.Fatal(err)
			}
			three := mustVerify(t, b, detached)
			mustKeep(t, two, three, 0)
			if len(three.SignerInfos) != 3 || len(three.DigestAlgorithms) != 2 || len(three.Certificates) != 7 || three.Version != 3 {
				t.Errorf("%d signers, %d digests, %d certificates, version %d", len(three.SignerInfos), len(three.DigestAlgorithms), len(three.Certificates), three.Version)
			}
			// Signing once more with certificates already there keeps
			// the bag as it is.
			if b, err = three.AddSigner(detached, Signer{Key: alice.Key, Chain: alice.Chain, NoSignedAttrs: true}, nil); err != nil {
				t.Fatal(err)
			}
			if four := mustVerify(t, b, detached); !bytes.Equal(four.certsRaw, three.certsRaw) {
				t.Error("the bag was rewritten")
			}
		})
	}
}

func TestAddSignerRefuses(t *testing.T) {
	pki := testpki.New(t, "ecdsa:P-256")
	alice, bob := pki.User(t, testpki.Person), pki.User(t, testpki.Organisation)
	content := []byte("x")
	attached := mustParse(t, mustSign(t, content, Options{}, signerOf(alice)))
	detached := mustParse(t, mustSign(t, content, Options{Detached: true}, signerOf(alice)))
	full := mustParse(t, change(attached, func(d *document) {
		d.signers = slices.Repeat(d.signers, MaxSigners)
	}))
	crowded := mustParse(t, change(attached, func(d *document) {
		d.certificates = slices.Repeat([][]byte{alice.Cert.Raw}, MaxCertificates)
	}))
	large := NewAttribute(ber.MustOID("1.2.3"), ber.OctetString(make([]byte, maxSignedAttrs-1000)))
	for _, tt := range []struct {
		name    string
		s       *SignedData
		content []byte
		signer  Signer
		want    error
	}{
		{"content for an attached document", attached, content, signerOf(bob), ErrAttached},
		{"no content for a detached one", detached, nil, signerOf(bob), ErrDetached},
		{"another content", detached, []byte("y"), signerOf(bob), ErrDigestMismatch},
		{"another's certificate", attached, nil, Signer{Key: bob.Key, Chain: alice.Chain}, ErrCertificate},
		{"too many signers", full, nil, signerOf(bob), ErrLimit},
		{"too many certificates", crowded, nil, signerOf(bob), ErrLimit},
		{"too many signed octets", mustParse(t, mustSign(t, content, Options{}, Signer{Key: alice.Key, Chain: alice.Chain, ExtraSignedAttrs: []Attribute{large}})), nil,
			Signer{Key: bob.Key, Chain: bob.Chain, ExtraSignedAttrs: []Attribute{large}}, ErrLimit},
	} {
		if b, err := tt.s.AddSigner(tt.content, tt.signer, nil); !errors.Is(err, tt.want) || b != nil {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

func TestAddSignerToADocumentWithoutSigners(t *testing.T) {
	pki := testpki.New(t, "ecdsa:P-256")
	alice := pki.User(t, testpki.Person)
	s := mustParse(t, mustSign(t, []byte("x"), Options{}, signerOf(pki.User(t, testpki.Organisation))))
	empty := mustParse(t, change(s, func(d *document) { d.signers, d.certificates = nil, nil }))
	if empty.certsRaw != nil || len(empty.DigestAlgorithms) != 1 {
		t.Fatal("not what the test needs")
	}
	b, err := empty.AddSigner(nil, signerOf(alice), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := mustVerify(t, b, nil); len(got.SignerInfos) != 1 || len(got.Certificates) != 3 {
		t.Errorf("%d signers, %d certificates", len(got.SignerInfos), len(got.Certificates))
	}
}

func TestAttachContent(t *testing.T) {
	pki := testpki.New(t, "ozdst")
	alice, bob := pki.User(t, testpki.Person), pki.User(t, testpki.Organisation)
	content := bytes.Repeat([]byte("content"), 300)
	plain := Signer{Key: bob.Key, Chain: bob.Chain, NoSignedAttrs: true}
	for _, der := range []bool{false, true} {
		s := mustParse(t, mustSign(t, content, Options{Detached: true, DER: der}, signerOf(alice), plain))
		b, err := s.AttachContent(content)
		if err != nil {
			t.Fatal(err)
		}
		got := mustVerify(t, b, nil)
		mustKeep(t, s, got, 0)
		if !bytes.Equal(got.Content(), content) {
			t.Error("content differs")
		}
		if attached := mustSign(t, content, Options{DER: der}, signerOf(alice), plain); len(b) != len(attached) {
			t.Errorf("%d octets, signed attached it has %d", len(b), len(attached))
		}
		if _, err := got.AttachContent(content); !errors.Is(err, ErrAttached) {
			t.Errorf("attached again: %v", err)
		}
		for name, other := range map[string][]byte{"other": append([]byte("x"), content...), "empty": {}, "nil": nil} {
			if _, err := s.AttachContent(other); !errors.Is(err, ErrDigestMismatch) {
				t.Errorf("%s content: %v", name, err)
			}
		}
	}
	empty := mustParse(t, mustSign(t, nil, Options{Detached: true}, signerOf(alice)))
	b, err := empty.AttachContent(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := mustVerify(t, b, nil).Content(); got == nil || len(got) != 0 {
		t.Errorf("empty content became %v", got)
	}
}

func TestAttachContentChecksEverySigner(t *testing.T) {
	pki := testpki.New(t, "ozdst")
	alice, bob := pki.User(t, testpki.Person), pki.User(t, testpki.Organisation)
	content, other := []byte("x"), []byte("y")
	a := mustParse(t, mustSign(t, content, Options{Detached: true}, signerOf(alice)))
	plain := Signer{Key: bob.Key, Chain: bob.Chain, NoSignedAttrs: true}
	for _, tt := range []struct {
		name string
		b    []byte
		want error
	}{
		{"second signed another content", mustSign(t, other, Options{Detached: true}, signerOf(bob)), ErrDigestMismatch},
		{"second signed another content plainly", mustSign(t, other, Options{Detached: true}, plain), ErrDigestMismatch},
		{"second has no messageDigest", change(mustParse(t, forge{attrs: honestAttrs(bob, OIDData, content)[:2]}.make(t, bob)), func(d *document) {}), ErrAttribute},
		{"second has two messageDigests", change(mustParse(t, forge{attrs: append(honestAttrs(bob, OIDData, content), honestAttrs(bob, OIDData, other)[2])}.make(t, bob)), func(d *document) {}), ErrAttribute},
	} {
		b := mustParse(t, tt.b)
		both := mustParse(t, change(a, func(d *document) {
			d.signers = append(d.signers, b.SignerInfos[0].Raw)
			d.certificates = append(d.certificates, bob.Cert.Raw)
		}))
		if _, err := both.AttachContent(content); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	s := mustParse(t, mustSign(t, content, Options{Detached: true}, plain))
	bare := mustParse(t, change(s, func(d *document) { d.certificates = nil }))
	if _, err := bare.AttachContent(content); !errors.Is(err, ErrDigestMismatch) {
		t.Errorf("plain signature without its certificate: %v", err)
	}
}

// TestAttachContentTriesFewCertificates: a thousand certificates of one name
// once made it hash the content a thousand times.
func TestAttachContentTriesFewCertificates(t *testing.T) {
	pki := testpki.New(t, "ozdst")
	user, other := pki.User(t, testpki.Person), pki.User(t, testpki.Person)
	content := []byte("x")
	s := mustParse(t, mustSign(t, content, Options{Detached: true}, Signer{Key: user.Key, Chain: user.Chain, NoSignedAttrs: true}))
	fake := bytes.Replace(user.Cert.Raw, user.Cert.PublicKey.Bits, other.Cert.PublicKey.Bits, 1)
	withFakes := func(n int) *SignedData {
		return mustParse(t, change(s, func(d *document) {
			d.certificates = nil
			for range n {
				d.certificates = append(d.certificates, fake)
			}
			d.certificates = append(d.certificates, user.Cert.Raw)
		}))
	}
	if _, err := withFakes(maxCandidates - 1).AttachContent(content); err != nil {
		t.Errorf("the signer's certificate stands last: %v", err)
	}
	if _, err := withFakes(maxCandidates).AttachContent(content); !errors.Is(err, ErrLimit) {
		t.Errorf("too many certificates of one name: %v", err)
	}
}

func TestAddUnsignedAttributeKeepsSignedOctets(t *testing.T) {
	pki := testpki.New(t, "ozdst")
	alice, bob := pki.User(t, testpki.Person), pki.User(t, testpki.Organisation)
	content := bytes.Repeat([]byte("content"), 300)
	token := NewAttribute(OIDTimeStampToken, ber.Sequence(ber.Int64(1)))
	note := NewAttribute(ber.MustOID("1.2.3.4"), ber.UTF8String("a"))
	for _, o := range layouts {
		var detached []byte
		if o.Detached {
			detached = content
		}
		s := mustParse(t, mustSign(t, content, o, signerOf(alice), signerOf(bob)))
		for signer := range 2 {
			b, err := s.AddUnsignedAttribute(signer, token)
			if err != nil {
				t.Fatal(err)
			}
			got := mustVerify(t, b, detached)
			mustKeep(t, s, got, 0)
			if !bytes.Equal(got.encap, s.encap) || !bytes.Equal(got.certsRaw, s.certsRaw) {
				t.Error("content or bag were rewritten")
			}
			if !bytes.Equal(got.SignerInfos[1-signer].Raw, s.SignerInfos[1-signer].Raw) {
				t.Error("the other signer was rewritten")
			}
			tokens, err := got.SignerInfos[signer].TimeStampTokens()
			if err != nil || len(tokens) != 1 || !bytes.Equal(tokens[0], ber.Sequence(ber.Int64(1))) {
				t.Errorf("tokens %x, %v", tokens, err)
			}
			if b, err = got.AddUnsignedAttribute(signer, note); err != nil {
				t.Fatal(err)
			}
			again := mustVerify(t, b, detached)
			if list := again.SignerInfos[signer].UnsignedAttrs; len(list) != 2 || !bytes.Equal(list[0].Raw, note.Raw) || !bytes.Equal(list[1].Raw, token.Raw) {
				t.Errorf("attributes %v", list)
			}
		}
		for _, signer := range []int{-1, 2} {
			if _, err := s.AddUnsignedAttribute(signer, token); !errors.Is(err, ErrNoSigner) {
				t.Errorf("signer %d: %v", signer, err)
			}
		}
	}
}

func TestAddUnsignedAttributeRefuses(t *testing.T) {
	user := testpki.New(t, "ecdsa:P-256").User(t, testpki.Person)
	s := mustParse(t, mustSign(t, []byte("x"), Options{}, signerOf(user)))
	for _, a := range append(honestAttrs(user, OIDData, nil), NewAttribute(OIDSigningCertificateV2, ber.Sequence())) {
		if _, err := s.AddUnsignedAttribute(0, a); !errors.Is(err, ErrAttribute) {
			t.Errorf("%s: %v", a.Type, err)
		}
	}
	full := NewAttribute(OIDTimeStampToken, slices.Repeat([][]byte{ber.Null()}, MaxAttributes)...)
	b, err := s.AddUnsignedAttribute(0, full)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mustParse(t, b).AddUnsignedAttribute(0, NewAttribute(OIDTimeStampToken, ber.Null())); !errors.Is(err, ErrLimit) {
		t.Errorf("one value more: %v", err)
	}
	for name, raw := range map[string][]byte{
		"nothing":      nil,
		"another type": NewAttribute(OIDMessageDigest, ber.Null()).Raw,
		"no value":     NewAttribute(OIDTimeStampToken).Raw,
		"no SEQUENCE":  ber.Set(OIDTimeStampToken.DER(), ber.Set(ber.Null())),
	} {
		if _, err := s.AddUnsignedAttribute(0, Attribute{Type: OIDTimeStampToken, Raw: raw}); !errors.Is(err, ErrAttribute) {
			t.Errorf("attribute of %s: %v", name, err)
		}
	}
}

func TestJoinPutsSignersOneAfterTheOther(t *testing.T) {
	ozdst, ecdsa := testpki.New(t, "ozdst"), testpki.New(t, "ecdsa:P-256")
	alice, bob, carol := ozdst.User(t, testpki.Person), ozdst.User(t, testpki.Organisation), ecdsa.User(t, testpki.Person)
	content := bytes.Repeat([]byte("content"), 300)
	for _, da := range []bool{false, true} {
		for _, db := range []bool{false, true} {
			byKey := signerOf(carol)
			byKey.UseSubjectKeyID = true
			a := mustParse(t, mustSign(t, content, Options{DER: da}, signerOf(alice)))
			b := mustParse(t, mustSign(t, content, Options{DER: db}, signerOf(bob)))
			c := mustParse(t, mustSign(t, content, Options{DER: db}, byKey))
			joined, err := Join(a, b)
			if err != nil {
				t.Fatal(err)
			}
			ab := mustVerify(t, joined, nil)
			mustKeep(t, a, ab, 0)
			if !bytes.Equal(ab.SignerInfos[1].Raw, b.SignerInfos[0].Raw) {
				t.Error("the second signer was rewritten")
			}
			if len(ab.SignerInfos) != 2 || len(ab.Certificates) != 4 || len(ab.DigestAlgorithms) != 1 || ab.Version != 1 {
				t.Errorf("%d signers, %d certificates, %d digests, version %d", len(ab.SignerInfos), len(ab.Certificates), len(ab.DigestAlgorithms), ab.Version)
			}
			if joined, err = Join(ab, c); err != nil {
				t.Fatal(err)
			}
			abc := mustVerify(t, joined, nil)
			mustKeep(t, ab, abc, 0)
			if len(abc.SignerInfos) != 3 || len(abc.Certificates) != 7 || len(abc.DigestAlgorithms) != 2 || abc.Version != 3 {
				t.Errorf("%d signers, %d certificates, %d digests, version %d", len(abc.SignerInfos), len(abc.Certificates), len(abc.DigestAlgorithms), abc.Version)
			}
			// What is in it already comes once.
			for _, part := range []*SignedData{a, b, c, ab, abc} {
				again, err := Join(abc, part)
				if err != nil || !bytes.Equal(again, abc.Raw) {
					t.Errorf("joined once more: %d octets of %d, %v", len(again), len(abc.Raw), err)
				}
			}
		}
	}
}

func TestJoinKeepsTokensOfBoth(t *testing.T) {
	pki := testpki.New(t, "ozdst")
	alice := pki.User(t, testpki.Person)
	s := mustParse(t, mustSign(t, []byte("x"), Options{}, signerOf(alice)))
	token := func(n int64) Attribute { return NewAttribute(OIDTimeStampToken, ber.Sequence(ber.Int64(n))) }
	stamped := func(s *SignedData, n int64) *SignedData {
		b, err := s.AddUnsignedAttribute(0, token(n))
		if err != nil {
			t.Fatal(err)
		}
		return mustParse(t, b)
	}
	one, two := stamped(s, 1), stamped(s, 2)
	twice := mustParse(t, change(s, func(d *document) {
		d.signers = [][]byte{stamped(s, 3).SignerInfos[0].Raw, stamped(s, 4).SignerInfos[0].Raw}
	}))
	for _, tt := range []struct {
		name string
		a, b *SignedData
		want int
	}{
		{"none", s, s, 0}, {"first", one, s, 1}, {"second", s, one, 1}, {"the same", one, one, 1},
		{"both", one, two, 2}, {"both the other way", two, one, 2}, {"one signer twice in the second", one, twice, 3},
	} {
		b, err := Join(tt.a, tt.b)
		if err != nil {
			t.Fatal(err)
		}
		got := mustVerify(t, b, nil)
		tokens, err := got.SignerInfos[0].TimeStampTokens()
		if len(got.SignerInfos) != 1 || len(tokens) != tt.want || err != nil {
			t.Errorf("%s: %d signers, %d tokens, %v", tt.name, len(got.SignerInfos), len(tokens), err)
		}
	}
	full := NewAttribute(OIDTimeStampToken, slices.Repeat([][]byte{ber.Null()}, MaxAttributes)...)
	b, err := s.AddUnsignedAttribute(0, full)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Join(mustParse(t, b), one); !errors.Is(err, ErrLimit) {
		t.Errorf("more tokens than allowed: %v", err)
	}
}

func TestJoinKeepsCRLsOnce(t *testing.T) {
	pki := testpki.New(t, "ecdsa:P-256")
	s := mustParse(t, mustSign(t, []byte("x"), Options{}, signerOf(pki.User(t, testpki.Person))))
	withCRLs := func(days ...int) *SignedData {
		return mustParse(t, change(s, func(d *document) {
			for _, day := range days {
				d.crls = append(d.crls, crl(ber.UTCTime(pki.Now.AddDate(0, 0, day))))
			}
		}))
	}
	b, err := Join(withCRLs(1, 2), withCRLs(2, 3))
	if err != nil {
		t.Fatal(err)
	}
	if got := mustVerify(t, b, nil); len(got.CRLs) != 3 {
		t.Errorf("%d CRLs", len(got.CRLs))
	}
	var first, second []int
	for i := range MaxCertificates {
		first = append(first, i)
		second = append(second, i+1)
	}
	if _, err := Join(withCRLs(first...), withCRLs(second...)); !errors.Is(err, ErrLimit) {
		t.Errorf("too many CRLs: %v", err)
	}
}

// TestJoinIsCheapForHostileDocuments: large CRLs that differ in their last
// octets, and content of one-octet segments.
func TestJoinIsCheapForHostileDocuments(t *testing.T) {
	if testing.Short() {
		t.Skip("needs hundreds of megabytes")
	}
	pki := testpki.New(t, "ozdst")
	s := mustParse(t, mustSign(t, bytes.Repeat([]byte{'x'}, 1_000_000), Options{}, signerOf(pki.User(t, testpki.Person))))
	list, err := ber.Parse(crl(ber.UTCTime(pki.Now)))
	if err != nil {
		t.Fatal(err)
	}
	fields := list.Children()
	tbs, err := fields.Next()
	if err != nil {
		t.Fatal(err)
	}
	algorithm, err := fields.Next()
	if err != nil {
		t.Fatal(err)
	}
	withCRLs := func(from int) *SignedData {
		return mustParse(t, change(s, func(d *document) {
			signature := make([]byte, 60<<10)
			for i := range 500 {
				binary.BigEndian.PutUint32(signature[len(signature)-4:], uint32(from+i))
				d.crls = append(d.crls, ber.Sequence(tbs.Raw, algorithm.Raw, ber.BitString(signature)))
			}
		}))
	}
	a, b := withCRLs(0), withCRLs(500)
	start := time.Now()
	if out, err := Join(a, b); err != nil || len(mustParse(t, out).CRLs) != 1000 {
		t.Errorf("joining CRLs: %v", err)
	}
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("joining CRLs took %v", took)
	}
	cut := mustParse(t, change(s, func(d *document) {
		d.encap = encoded(ber.Sequence(OIDData.DER(), ber.Tagged(0xa0, ber.Indefinite(0x24, bytes.Repeat([]byte{4, 1, 'x'}, 1_000_000)))))
	}))
	for name, other := range map[string]*SignedData{"cut alike": cut, "cut otherwise": s} {
		got := allocated(func() {
			if _, err := Join(cut, other); err != nil {
				t.Error(err)
			}
		})
		if got > 2*uint64(len(cut.Raw)) {
			t.Errorf("%s: allocated %d octets for %d", name, got, len(cut.Raw))
		}
	}
}

// TestJoinedDocumentsCanBeRead: the limits hold for what Join makes.
func TestJoinedDocumentsCanBeRead(t *testing.T) {
	pki := testpki.New(t, "ozdst")
	document := func() *SignedData {
		signer := signerOf(pki.User(t, testpki.Person))
		signer.ExtraSignedAttrs = []Attribute{NewAttribute(ber.MustOID("1.2.3"), ber.OctetString(make([]byte, maxSignedAttrs*2/3)))}
		return mustParse(t, mustSign(t, []byte("x"), Options{}, signer))
	}
	if _, err := Join(document(), document()); !errors.Is(err, ErrLimit) {
		t.Errorf("more signed attributes than can be read: %v", err)
	}
}

func TestJoinRefuses(t *testing.T) {
	pki := testpki.New(t, "ecdsa:P-256")
	alice, bob := pki.User(t, testpki.Person), pki.User(t, testpki.Organisation)
	doc := func(content []byte, o Options, e testpki.Entity) *SignedData {
		return mustParse(t, mustSign(t, content, o, signerOf(e)))
	}
	content := bytes.Repeat([]byte("c"), 2500)
	a := doc(content, Options{}, alice)
	many := func(e testpki.Entity, n int) *SignedData {
		var signers []Signer
		for i := range n {
			s := signerOf(e)
			s.SigningTime = pki.Now.Add(time.Duration(i) * time.Second)
			signers = append(signers, s)
		}
		return mustParse(t, mustSign(t, content, Options{}, signers...))
	}
	crowd := func(e testpki.Entity, n int) *SignedData {
		s := doc(content, Options{}, e)
		return mustParse(t, change(s, func(d *document) {
			for i := range n {
				c := pki.Issue(t, pki.CA, func(c *cert.Template) { c.Subject = testpki.Name(t, fmt.Sprintf("CN=%d", i)) }, "ecdsa:P-256")
				d.certificates = append(d.certificates, c.Cert.Raw)
			}
		}))
	}
	for _, tt := range []struct {
		name string
		a, b *SignedData
		want error
	}{
		{"first detached", doc(content, Options{Detached: true}, alice), a, ErrDetached},
		{"second detached", a, doc(content, Options{Detached: true}, bob), ErrDetached},
		{"other content", a, doc(bytes.Repeat([]byte("d"), 2500), Options{}, bob), ErrContentDiffers},
		{"last octet differs", a, doc(append(bytes.Repeat([]byte("c"), 2499), 'd'), Options{DER: true}, bob), ErrContentDiffers},
		{"shorter content", a, doc(content[:2499], Options{}, bob), ErrContentDiffers},
		{"longer content", a, doc(append(content[:2500:2500], 'c'), Options{DER: true}, bob), ErrContentDiffers},
		{"empty content", a, doc(nil, Options{}, bob), ErrContentDiffers},
		{"other content type", a, doc(content, Options{ContentType: OIDTSTInfo}, bob), ErrContentDiffers},
		{"too many signers", many(alice, MaxSigners/2), many(bob, MaxSigners/2+1), ErrLimit},
		{"too many certificates", crowd(alice, 500), crowd(bob, 500), ErrLimit},
	} {
		if b, err := Join(tt.a, tt.b); !errors.Is(err, tt.want) || b != nil {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

// TestFilterUnsignedAttributeKeepsEverySignedOctet takes tokens out of BER and
// DER documents, some of several and all.
func TestFilterUnsignedAttributeKeepsEverySignedOctet(t *testing.T) {
	for _, der := range []bool{false, true} {
		s := newFilterDocument(t, der)
		plain := s.Raw
		with := s
		for _, text := range []string{"first", "second", "third"} {
			raw, err := with.AddUnsignedAttribute(0, NewAttribute(OIDTimeStampToken, ber.Sequence(ber.OctetString([]byte(text)))))
			if err != nil {
				t.Fatal(err)
			}
			if with, err = Parse(raw); err != nil {
				t.Fatal(err)
			}
		}
		for name, c := range map[string]struct {
			keep func(ber.Element) bool
			left int
		}{
			"all":     {func(ber.Element) bool { return true }, 3},
			"none":    {func(ber.Element) bool { return false }, 0},
			"one":     {func(v ber.Element) bool { return bytes.Contains(v.Raw, []byte("second")) }, 1},
			"but one": {func(v ber.Element) bool { return !bytes.Contains(v.Raw, []byte("second")) }, 2},
		} {
			raw, err := with.FilterUnsignedAttribute(0, OIDTimeStampToken, c.keep)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Parse(raw)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			tokens, err := got.SignerInfos[0].TimeStampTokens()
			if err != nil || len(tokens) != c.left {
				t.Errorf("%s: %d tokens, %v", name, len(tokens), err)
			}
			if c.left == 0 && !bytes.Equal(raw, plain) {
				t.Errorf("%s, DER %v: the document is not what it was without tokens", name, der)
			}
			if c.left == 3 && !bytes.Equal(raw, with.Raw) {
				t.Errorf("%s, DER %v: a document with nothing to take out was changed", name, der)
			}
			if !bytes.Equal(got.SignerInfos[0].Signature, s.SignerInfos[0].Signature) || !bytes.Equal(got.SignerInfos[0].RawSignedAttrs, s.SignerInfos[0].RawSignedAttrs) {
				t.Errorf("%s: signed octets changed", name)
			}
			// Other attributes stay.
			other, err := with.FilterUnsignedAttribute(0, OIDContentType, c.keep)
			if err != nil || !bytes.Equal(other, with.Raw) {
				t.Errorf("%s: another type: %v", name, err)
			}
		}
		for _, signer := range []int{-1, 1} {
			if _, err := with.FilterUnsignedAttribute(signer, OIDTimeStampToken, func(ber.Element) bool { return true }); !errors.Is(err, ErrNoSigner) {
				t.Errorf("signer %d: %v", signer, err)
			}
		}
	}
}

func newFilterDocument(t *testing.T, der bool) *SignedData {
	t.Helper()
	user := testpki.New(t, "ozdst").User(t, "CN=USER")
	raw, err := Sign([]byte("content"), []Signer{{Key: user.Key, Chain: user.Chain[:2]}}, Options{DER: der})
	if err != nil {
		t.Fatal(err)
	}
	s, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
