package crl

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"errors"
	"math/big"
	mathrand "math/rand/v2"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
)

var families = []string{"ozdst", "ozmst", "gost2001", "ecdsa:P-256", "rsa:2048", "ed25519"}

func sameEntry(a, b Entry) bool {
	return a.Serial.Cmp(b.Serial) == 0 && a.RevokedAt.Equal(b.RevokedAt) && a.Reason == b.Reason && a.InvalidityDate.Equal(b.InvalidityDate)
}

func TestListsComeBackAsTheyWere(t *testing.T) {
	for _, spec := range families {
		t.Run(spec, func(t *testing.T) {
			p := testpki.New(t, spec)
			tmpl := testTemplate()
			der := mustCreate(t, tmpl, p.CA)
			l := mustParse(t, der)
			if err := l.CheckSignatureFrom(p.CA.Cert); err != nil {
				t.Error(err)
			}
			if !bytes.Equal(l.Raw, der) || !l.Issuer.Equal(p.CA.Cert.Subject) || !l.ThisUpdate.Equal(tmpl.ThisUpdate) || !l.NextUpdate.Equal(tmpl.NextUpdate) || l.Number.Cmp(tmpl.Number) != 0 {
				t.Errorf("%+v", l)
			}
			var all []Entry
			if err := l.Each(func(e Entry) bool { all = append(all, e); return true }); err != nil {
				t.Fatal(err)
			}
			if len(all) != len(tmpl.Entries) {
				t.Fatalf("%d entries", len(all))
			}
			for i, want := range tmpl.Entries {
				got, revoked, err := l.Lookup(want.Serial)
				if err != nil || !revoked || !sameEntry(got, want) || !sameEntry(all[i], want) {
					t.Errorf("entry %d: %+v, %v, %v, want %+v", i, got, revoked, err, want)
				}
			}
			for _, serial := range []int64{0, 2, 5, -1, 127, 128, 0x218711a93} {
				if got, revoked, err := l.Lookup(big.NewInt(serial)); revoked || err != nil || got.Serial != nil {
					t.Errorf("%d: %+v, %v, %v", serial, got, revoked, err)
				}
			}
			n := 0
			if err := l.Each(func(Entry) bool { n++; return n < 2 }); err != nil || n != 2 {
				t.Errorf("stopped after %d, %v", n, err)
			}
		})
	}
}

func TestEmptyListHasNoEntries(t *testing.T) {
	p := testpki.New(t, "ecdsa:P-256")
	for name, der := range map[string][]byte{
		"ours":                    mustCreate(t, &Template{ThisUpdate: testNow, NextUpdate: testNow.Add(time.Hour)}, p.CA),
		"empty list":              forge{entries: ber.Sequence()}.make(t, p.CA),
		"version 1":               forge{version: []byte{}}.make(t, p.CA),
		"version 1, no end":       forge{version: []byte{}, next: []byte{}}.make(t, p.CA),
		"generalized times":       forge{this: ber.GeneralizedTime(testNow), next: ber.GeneralizedTime(testNow.Add(time.Hour))}.make(t, p.CA),
		"an unknown extension":    forge{extensions: listed(extension(ber.MustOID("1.2.3"), ber.Null()))}.make(t, p.CA),
		"empty distributionpoint": forge{extensions: listed(critical(oidIssuingDistributionPoint, ber.Sequence()))}.make(t, p.CA),
	} {
		l := mustParse(t, der)
		if err := l.CheckSignatureFrom(p.CA.Cert); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, revoked, err := l.Lookup(big.NewInt(1)); revoked || err != nil {
			t.Errorf("%s: %v, %v", name, revoked, err)
		}
		if l.Number != nil {
			t.Errorf("%s: number %v", name, l.Number)
		}
	}
}

func TestRemoveFromCRLIsNoRevocation(t *testing.T) {
	p := testpki.New(t, "ecdsa:P-256")
	at := testNow.Add(-time.Hour)
	l := mustParse(t, mustCreate(t, &Template{ThisUpdate: testNow, NextUpdate: testNow.Add(time.Hour), Entries: []Entry{
		{Serial: big.NewInt(7), RevokedAt: at, Reason: 8},
		{Serial: big.NewInt(9), RevokedAt: at, Reason: 8},
		{Serial: big.NewInt(9), RevokedAt: at, Reason: 1},
	}}, p.CA))
	if _, revoked, err := l.Lookup(big.NewInt(7)); revoked || err != nil {
		t.Errorf("removed: %v, %v", revoked, err)
	}
	if e, revoked, err := l.Lookup(big.NewInt(9)); !revoked || e.Reason != 1 || err != nil {
		t.Errorf("revoked as well: %+v, %v, %v", e, revoked, err)
	}
}

func TestParseRefuses(t *testing.T) {
	p := testpki.New(t, "ecdsa:P-256")
	entry := func(parts ...[]byte) []byte { return ber.Sequence(ber.Sequence(parts...)) }
	one, at := ber.Int64(1), ber.UTCTime(testNow)
	reason := func(value []byte) []byte { return entry(one, at, ber.Sequence(extension(oidReasonCode, value))) }
	scope := func(parts ...[]byte) forge {
		return forge{extensions: listed(critical(oidIssuingDistributionPoint, ber.Sequence(parts...)))}
	}
	yes := []byte{0xff}
	uri := point(ber.Tagged(ber.Context(6), []byte("http://x/y.crl")))
	oid := ber.MustOID("1.2.3")
	for _, tt := range []struct {
		name string
		f    forge
		want error // nil: accepted
	}{
		{"honest", forge{}, nil},
		{"where it lies", scope(uri), nil},
		{"where it lies, relative to its issuer", scope(ber.Tagged(ber.ContextConstructed(0), ber.Tagged(ber.ContextConstructed(1), ber.Set()))), nil},
		{"where it lies in a directory", scope(point(ber.Tagged(ber.ContextConstructed(4), p.CA.Cert.RawSubject))), nil},
		{"nothing restricted", scope(uri, ber.Tagged(ber.Context(1), []byte{0}), ber.Tagged(ber.Context(4), []byte{0})), nil},
		{"user certificates only", scope(ber.Tagged(ber.Context(1), yes)), ErrUnsupported},
		{"CA certificates only", scope(ber.Tagged(ber.Context(2), yes)), ErrUnsupported},
		{"some reasons only", scope(ber.Tagged(ber.Context(3), []byte{1, 0x40})), ErrUnsupported},
		{"an indirect list", scope(ber.Tagged(ber.Context(4), yes)), ErrUnsupported},
		{"an indirect list with 01 for TRUE", scope(ber.Tagged(ber.Context(4), []byte{1})), ErrUnsupported},
		{"attribute certificates only", scope(ber.Tagged(ber.Context(5), yes)), ErrUnsupported},
		{"an unknown scope", scope(ber.Tagged(ber.Context(6), yes)), ErrUnsupported},
		{"user certificates only, not critical", forge{extensions: listed(extension(oidIssuingDistributionPoint, ber.Sequence(ber.Tagged(ber.Context(1), yes))))}, ErrUnsupported},
		{"a delta list", forge{extensions: listed(critical(oidDeltaCRLIndicator, ber.Int64(1)))}, ErrUnsupported},
		{"a delta list, not critical", forge{extensions: listed(extension(oidDeltaCRLIndicator, ber.Int64(1)))}, ErrUnsupported},
		{"an unknown critical extension", forge{extensions: listed(critical(oid, ber.Null()))}, ErrUnsupported},
		{"entries of other issuers", forge{entries: entry(one, at, ber.Sequence(critical(ber.MustOID("2.5.29.29"), ber.Sequence())))}, ErrUnsupported},
		{"an unknown critical entry extension", forge{entries: entry(one, at, ber.Sequence(critical(oid, ber.Null())))}, ErrUnsupported},
		{"a holdInstruction", forge{entries: entry(one, at, ber.Sequence(extension(ber.MustOID("2.5.29.23"), ber.MustOID("1.2").DER())))}, nil},

		{"entries of other issuers, not critical", forge{entries: entry(one, at, ber.Sequence(extension(oidCertificateIssuer, ber.Sequence())))}, ErrUnsupported},
		{"the same extension twice", forge{extensions: listed(extension(oid, ber.Null()), extension(oid, ber.Null()))}, ErrFormat},
		{"two numbers", forge{extensions: listed(extension(oidCRLNumber, one), extension(oidCRLNumber, ber.Int64(2)))}, ErrFormat},
		{"number of another type", forge{extensions: listed(extension(oidCRLNumber, ber.Enumerated(1)))}, ErrFormat},
		{"revoked and removed at once", forge{entries: entry(one, at, ber.Sequence(extension(oidReasonCode, ber.Enumerated(1)), extension(oidReasonCode, ber.Enumerated(8))))}, ErrFormat},
		{"two invalidity dates", forge{entries: entry(one, at, ber.Sequence(
			extension(oidInvalidityDate, ber.GeneralizedTime(testNow)), extension(oidInvalidityDate, ber.GeneralizedTime(testNow))))}, ErrFormat},
		{"two distribution points", scope(uri, uri), ErrFormat},
		{"a scope out of order", scope(ber.Tagged(ber.Context(1), []byte{0}), uri), ErrFormat},
		{"a distribution point without name", scope(ber.Tagged(ber.ContextConstructed(0))), ErrFormat},
		{"a distribution point with two names", scope(ber.Tagged(ber.ContextConstructed(0), ber.Sequence(), ber.Sequence())), ErrFormat},
		{"a distribution point that is no URI", scope(point(ber.Tagged(ber.Context(6), []byte{0xff}))), ErrFormat},
		{"version 1 given", forge{version: ber.Int64(0)}, ErrFormat},
		{"version 3", forge{version: ber.Int64(2)}, ErrFormat},
		{"extensions in version 1", forge{version: []byte{}, extensions: listed()}, ErrFormat},
		{"entry extensions in version 1", forge{version: []byte{}, entries: reason(ber.Enumerated(1))}, ErrFormat},
		{"no algorithm", forge{inner: []byte{}, issuer: ber.Null()}, ErrFormat},
		{"other algorithm inside", forge{inner: alg.NewNull(alg.OIDSignatureOZDST).Marshal()}, ErrFormat},
		{"bad algorithm", forge{inner: ber.Sequence(), outer: ber.Sequence()}, ErrFormat},
		{"bad name", forge{issuer: ber.Sequence(ber.Null())}, ErrFormat},
		{"no time", forge{this: []byte{}, next: []byte{}}, ErrFormat},
		{"bad time", forge{this: ber.Tagged(ber.TagUTCTime)}, ErrFormat},
		{"bad end", forge{next: ber.Tagged(ber.TagUTCTime)}, ErrFormat},
		{"extensions are no list", forge{extensions: ber.Tagged(ber.ContextConstructed(0))}, ErrFormat},
		{"two lists of extensions", forge{extensions: ber.Tagged(ber.ContextConstructed(0), ber.Sequence(), ber.Sequence())}, ErrFormat},
		{"extension is none", forge{extensions: listed(ber.Null())}, ErrFormat},
		{"extension without type", forge{extensions: listed(ber.Sequence())}, ErrFormat},
		{"extension of bad type", forge{extensions: listed(ber.Sequence(ber.Tagged(ber.TagOID)))}, ErrFormat},
		{"extension of bad boolean", forge{extensions: listed(ber.Sequence(oid.DER(), ber.Tagged(ber.TagBoolean), ber.OctetString(ber.Null())))}, ErrFormat},
		{"extension without value", forge{extensions: listed(ber.Sequence(oid.DER()))}, ErrFormat},
		{"extension of bad value", forge{extensions: listed(ber.Sequence(oid.DER(), ber.OctetString(nil)))}, ErrFormat},
		{"extension with more", forge{extensions: listed(ber.Sequence(oid.DER(), ber.OctetString(ber.Null()), ber.Null()))}, ErrFormat},
		{"number is none", forge{extensions: listed(extension(oidCRLNumber, ber.Null()))}, ErrFormat},
		{"scope is no sequence", forge{extensions: listed(critical(oidIssuingDistributionPoint, ber.Null()))}, ErrFormat},
		{"scope of a bad boolean", scope(ber.Tagged(ber.Context(1))), ErrFormat},
		{"entry is none", forge{entries: ber.Sequence(ber.Null())}, ErrFormat},
		{"entry without serial", forge{entries: entry()}, ErrFormat},
		{"entry with a bad serial", forge{entries: entry(ber.Tagged(ber.TagInteger))}, ErrFormat},
		{"entry without time", forge{entries: entry(one)}, ErrFormat},
		{"entry with a bad time", forge{entries: entry(one, ber.Null())}, ErrFormat},
		{"entry with more", forge{entries: entry(one, at, ber.Null())}, ErrFormat},
		{"reason 7", forge{entries: reason(ber.Enumerated(7))}, ErrFormat},
		{"reason 11", forge{entries: reason(ber.Enumerated(11))}, ErrFormat},
		{"reason -1", forge{entries: reason(ber.Enumerated(-1))}, ErrFormat},
		{"reason of another type", forge{entries: reason(ber.Int64(1))}, ErrFormat},
		{"invalidity date of another type", forge{entries: entry(one, at, ber.Sequence(extension(oidInvalidityDate, at)))}, ErrFormat},
		{"more in the signed part", forge{more: ber.Null()}, ErrFormat},
		{"more after the signature", forge{after: ber.Null()}, ErrFormat},
		{"unused bits", forge{bits: ber.Tagged(ber.TagBitString, []byte{1, 2})}, ErrFormat},
		{"signature in pieces", forge{bits: ber.Tagged(ber.TagBitString|0x20, ber.BitString([]byte{1}))}, ErrFormat},
		{"signature of another type", forge{bits: ber.OctetString([]byte{1})}, ErrFormat},
	} {
		l, err := Parse(tt.f.make(t, p.CA))
		if !errors.Is(err, tt.want) || (l == nil) != (tt.want != nil) || errors.Is(err, ErrFormat) && errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	honest := forge{}.make(t, p.CA)
	for name, der := range map[string][]byte{
		"nothing":         nil,
		"no sequence":     ber.Set(),
		"empty":           ber.Sequence(),
		"no algorithm":    ber.Sequence(ber.Sequence()),
		"no signature":    ber.Sequence(ber.Sequence(), ber.Sequence()),
		"trailing octets": append(honest[:len(honest):len(honest)], 0),
		"indefinite":      append(append([]byte{0x30, 0x80}, honest[3:]...), 0, 0),
		"nested too deep": bytes.Repeat([]byte{0x30, 0x80}, 1<<20),
		"too large":       make([]byte, MaxSize+1),
	} {
		if l, err := Parse(der); !errors.Is(err, ErrFormat) || l != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCheckSignatureFrom(t *testing.T) {
	for _, spec := range []string{"ozdst", "ecdsa:P-256"} {
		p := testpki.New(t, spec)
		l := mustParse(t, mustCreate(t, testTemplate(), p.CA))
		twin := p.Issue(t, p.Root, func(tmpl *cert.Template) { testpki.CATemplate(t, tmpl, "CN=TestCA,O=test.e-imzo.uz") }, spec)
		// The CA's own key, certified for other things.
		noSign := p.Issue(t, p.Root, func(tmpl *cert.Template) {
			testpki.CATemplate(t, tmpl, "CN=TestCA,O=test.e-imzo.uz")
			tmpl.KeyUsage, tmpl.PublicKey = cert.KeyUsageCertSign, p.CA.Key.PublicKey()
		}, spec)
		noUsage := p.Issue(t, p.Root, func(tmpl *cert.Template) {
			testpki.CATemplate(t, tmpl, "CN=TestCA,O=test.e-imzo.uz")
			tmpl.KeyUsage, tmpl.PublicKey = 0, p.CA.Key.PublicKey()
		}, spec)
		for _, tt := range []struct {
			name   string
			list   *CRL
			issuer *cert.Certificate
			want   error
		}{
			{"the CA", l, p.CA.Cert, nil},
			{"the CA without key usage", l, noUsage.Cert, nil},
			{"another CA", l, p.Root.Cert, ErrIssuer},
			{"a CA not for lists", l, noSign.Cert, ErrIssuer},
			{"another key of the CA", l, twin.Cert, ErrSignature},
			{"a user with the CA's name", mustParse(t, forge{issuer: p.CA.Cert.RawSubject}.make(t, p.OCSP)), p.CA.Cert, ErrSignature},
			{"zeros", mustParse(t, forge{bits: ber.BitString(make([]byte, 64))}.make(t, p.CA)), p.CA.Cert, ErrSignature},
			{"an unknown algorithm", mustParse(t, forge{inner: ber.Sequence(ber.MustOID("1.2.3").DER()), outer: ber.Sequence(ber.MustOID("1.2.3").DER())}.make(t, p.CA)), p.CA.Cert, ErrSignature},
			{"another family", mustParse(t, forge{inner: alg.NewNull(alg.OIDSignatureOZMST).Marshal(), outer: alg.NewNull(alg.OIDSignatureOZMST).Marshal()}.make(t, p.CA)), p.CA.Cert, ErrSignature},
		} {
			if err := tt.list.CheckSignatureFrom(tt.issuer); !errors.Is(err, tt.want) {
				t.Errorf("%s: %s: %v, want %v", spec, tt.name, err, tt.want)
			}
		}
	}
}

// TestListOfAnotherDistributionPointCoversNothing has a CA that splits its
// list. Each part is genuine; a certificate revoked on one is not on the other.
func TestListOfAnotherDistributionPointCoversNothing(t *testing.T) {
	p := testpki.New(t, "ecdsa:P-256")
	uri := func(s string) []byte { return ber.Tagged(ber.Context(6), []byte(s)) }
	scoped := func(tlv []byte) *CRL {
		return mustParse(t, forge{extensions: listed(critical(oidIssuingDistributionPoint, ber.Sequence(tlv)))}.make(t, p.CA))
	}
	at := func(points ...string) *cert.Certificate {
		return p.User(t, testpki.Person, func(tmpl *cert.Template) { tmpl.CRLDistributionPoints = points }).Cert
	}
	const a, b = "http://ca.example/a.crl", "http://ca.example/b.crl"
	whole, partA := mustParse(t, mustCreate(t, testTemplate(), p.CA)), scoped(point(uri(a)))
	for _, tt := range []struct {
		name string
		list *CRL
		c    *cert.Certificate
		want error
	}{
		{"the whole list", whole, at(), nil},
		{"the whole list, with points", whole, at(a, b), nil},
		{"the whole list of another CA", whole, p.CA.Cert, ErrIssuer},
		{"its part", partA, at(a), nil},
		{"one of its parts", partA, at(b, a), nil},
		{"a part of several names", scoped(point(uri(b), uri(a))), at(a), nil},
		{"another part", partA, at(b), ErrScope},
		{"a part, for a certificate without points", partA, at(), ErrScope},
		{"a part of another CA", partA, p.CA.Cert, ErrIssuer},
		{"a part in a directory", scoped(point(ber.Tagged(ber.ContextConstructed(4), p.CA.Cert.RawSubject))), at(a), ErrScope},
		{"a part relative to its issuer", scoped(ber.Tagged(ber.ContextConstructed(0), ber.Tagged(ber.ContextConstructed(1), ber.Set()))), at(a), ErrScope},
		{"a part without names", scoped(point()), at(a), ErrScope},
	} {
		if err := tt.list.CheckSignatureFrom(p.CA.Cert); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if err := tt.list.Covers(tt.c); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

// TestSignaturesWithSHA1AreRefused has signatures that are right, and still
// nothing to rely on.
func TestSignaturesWithSHA1AreRefused(t *testing.T) {
	for spec, oids := range map[string][2]ber.OID{
		"rsa:2048":    {alg.OIDSignatureSHA1WithRSA, alg.OIDSignatureSHA256WithRSA},
		"ecdsa:P-256": {alg.OIDSignatureECDSAWithSHA1, alg.OIDSignatureECDSAWithSHA256},
	} {
		p := testpki.New(t, spec)
		for i, hash := range []crypto.Hash{crypto.SHA1, crypto.SHA256} {
			algorithm := alg.New(oids[i]).Marshal()
			f := forge{inner: algorithm, outer: algorithm}
			tbs := mustParse(t, f.make(t, p.CA)).tbs
			h := hash.New()
			h.Write(tbs)
			signature, err := p.CA.Key.Signer().Sign(rand.Reader, h.Sum(nil), hash)
			if err != nil {
				t.Fatal(err)
			}
			f.bits = ber.BitString(signature)
			l := mustParse(t, f.make(t, p.CA))
			scheme, err := alg.ResolveSignature(l.algorithm, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := scheme.Verify(p.CA.Cert.PublicKey, l.tbs, l.signature); err != nil {
				t.Fatalf("%s with %v: %v", spec, hash, err)
			}
			err = l.CheckSignatureFrom(p.CA.Cert)
			if wrong := errors.Is(err, ErrSignature); wrong != (hash == crypto.SHA1) || !wrong && err != nil {
				t.Errorf("%s with %v: %v", spec, hash, err)
			}
		}
	}
}

func TestFresh(t *testing.T) {
	p := testpki.New(t, "ecdsa:P-256")
	l := mustParse(t, mustCreate(t, &Template{ThisUpdate: testNow, NextUpdate: testNow.Add(time.Hour)}, p.CA))
	endless := mustParse(t, forge{next: []byte{}}.make(t, p.CA))
	backwards := mustParse(t, forge{next: ber.UTCTime(testNow.Add(-time.Minute))}.make(t, p.CA))
	for _, tt := range []struct {
		name string
		list *CRL
		at   time.Duration
		want error
	}{
		{"new", l, 0, nil},
		{"at its end", l, time.Hour, nil},
		{"within the skew", l, time.Hour + 5*time.Minute, nil},
		{"late", l, time.Hour + 5*time.Minute + time.Second, ErrStale},
		{"early within the skew", l, -5 * time.Minute, nil},
		{"early", l, -5*time.Minute - time.Second, ErrFuture},
		{"without end", endless, 0, ErrStale},
		{"ends before it begins", backwards, 0, ErrStale},
	} {
		if err := tt.list.Fresh(testNow.Add(tt.at)); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

func TestCreateRefuses(t *testing.T) {
	p := testpki.New(t, "ecdsa:P-256")
	tmpl := Template{ThisUpdate: testNow, NextUpdate: testNow.Add(time.Hour)}
	if _, err := Create(nil, &tmpl, p.CA.Cert, p.Root.Key); !errors.Is(err, ErrIssuer) {
		t.Errorf("another's key: %v", err)
	}
	tmpl.NextUpdate = testNow
	if _, err := Create(nil, &tmpl, p.CA.Cert, p.CA.Key); !errors.Is(err, ErrFormat) {
		t.Errorf("no validity: %v", err)
	}
	tmpl.NextUpdate = testNow.Add(time.Hour)
	for _, e := range []Entry{
		{Serial: big.NewInt(1), RevokedAt: testNow, Reason: 7},
		{Serial: big.NewInt(1), RevokedAt: testNow, Reason: 11},
		{Serial: big.NewInt(1), RevokedAt: testNow, Reason: -2},
		{RevokedAt: testNow, Reason: NoReason},
	} {
		tmpl.Entries = []Entry{e}
		if _, err := Create(nil, &tmpl, p.CA.Cert, p.CA.Key); !errors.Is(err, ErrFormat) {
			t.Errorf("entry %+v: %v", e, err)
		}
	}
	tmpl.Entries = nil
	self := p.SelfSigned(t, func(*cert.Template) {}, "ed25519")
	self.Key.Wipe()
	if _, err := Create(nil, &tmpl, self.Cert, self.Key); !errors.Is(err, alg.ErrWiped) {
		t.Errorf("a key that is gone: %v", err)
	}
}

// TestNoOctetOfAListCanBeChanged walks over lists: each change of each octet
// fails to parse or to verify.
func TestNoOctetOfAListCanBeChanged(t *testing.T) {
	for _, spec := range []string{"ozdst", "ecdsa:P-256", "ed25519"} {
		p := testpki.New(t, spec)
		der := mustCreate(t, testTemplate(), p.CA)
		if err := mustParse(t, der).CheckSignatureFrom(p.CA.Cert); err != nil {
			t.Fatal(err)
		}
		testpki.EachByteChange(der, func(offset int, mutated []byte) {
			if l, err := Parse(mutated); err == nil && l.CheckSignatureFrom(p.CA.Cert) == nil {
				t.Errorf("%s: offset %d: %#02x for %#02x", spec, offset, mutated[offset], der[offset])
			}
		})
		testpki.EachTruncation(der, func(prefix []byte) {
			if _, err := Parse(prefix); err == nil {
				t.Errorf("%s: %d octets of %d parse", spec, len(prefix), len(der))
			}
		})
	}
}

// largeTemplate has n entries of random 64-bit serial numbers.
func largeTemplate(n int) *Template {
	rng := mathrand.New(mathrand.NewPCG(1, 1))
	tmpl := &Template{ThisUpdate: testNow, NextUpdate: testNow.Add(time.Hour)}
	for range n {
		tmpl.Entries = append(tmpl.Entries, Entry{Serial: new(big.Int).SetUint64(rng.Uint64()), RevokedAt: testNow, Reason: rng.IntN(7)})
	}
	return tmpl
}

func TestLookupAllocatesNothingPerEntry(t *testing.T) {
	p := testpki.New(t, "ecdsa:P-256")
	tmpl := largeTemplate(20000)
	l := mustParse(t, mustCreate(t, tmpl, p.CA))
	if allocs := testing.AllocsPerRun(3, func() {
		if _, revoked, err := l.Lookup(big.NewInt(3)); revoked || err != nil {
			t.Error(revoked, err)
		}
	}); allocs > 20 {
		t.Errorf("%v allocations to look through %d entries", allocs, len(tmpl.Entries))
	}
	last := tmpl.Entries[len(tmpl.Entries)-1]
	if _, revoked, err := l.Lookup(last.Serial); !revoked || err != nil {
		t.Errorf("last entry: %v, %v", revoked, err)
	}
}

// TestParseBoundsEntries: more elements than the limit of package ber are
// refused before any is read.
func TestParseBoundsEntries(t *testing.T) {
	p := testpki.New(t, "ecdsa:P-256")
	small := ber.Sequence(ber.Int64(1), ber.UTCTime(testNow))
	der := forge{entries: ber.Sequence(bytes.Repeat(small, ber.MaxElements/3+1))}.make(t, p.CA)
	if _, err := Parse(der); !errors.Is(err, ErrFormat) || !errors.Is(err, ber.ErrLimit) {
		t.Errorf("%d octets: %v", len(der), err)
	}
}
