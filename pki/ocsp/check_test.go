package ocsp

import (
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"math/big"
	"slices"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
)

var families = []string{"ozdst", "ozmst", "gost2001", "ecdsa:P-256", "rsa:2048", "ed25519"}

func TestAnswersOfTheResponderAreAccepted(t *testing.T) {
	for _, spec := range families {
		t.Run(spec, func(t *testing.T) {
			w := newWorld(t, spec)
			revokedAt := w.Now.Add(-time.Hour)
			for _, info := range []StatusInfo{
				{Status: Good},
				{Status: Unknown},
				{Status: Revoked, RevokedAt: revokedAt, Reason: NoReason},
				{Status: Revoked, RevokedAt: revokedAt, Reason: 1},
				{Status: Revoked, RevokedAt: revokedAt, Reason: 6},
			} {
				for _, name := range digestsOfCertIDs {
					p := w.responder()
					p.Lookup = lookup(t, w.user.Cert, info)
					p.ByName = len(name)%2 == 0
					r := Request{CertIDs: []CertID{NewCertID(digest(t, name), w.user.Cert, w.CA.Cert)}, Nonce: testNonce}
					res := mustParse(t, p.Respond(t.Context(), r.Marshal()))
					s, err := res.Check(w.options())
					if err != nil {
						t.Fatalf("%v by %s: %v", info, name, err)
					}
					if (res.ResponderName != nil) != p.ByName || (res.ResponderKeyHash != nil) == p.ByName {
						t.Errorf("responder %v, %x", res.ResponderName, res.ResponderKeyHash)
					}
					if s.Status != info.Status || info.Status == Revoked && (!s.RevokedAt.Equal(revokedAt) || s.Reason != info.Reason) {
						t.Errorf("%+v, want %+v", s, info)
					}
					if !s.ThisUpdate.Equal(w.Now) || !s.NextUpdate.Equal(w.Now.Add(time.Minute)) || !res.ProducedAt.Equal(w.Now) {
						t.Errorf("times %+v", s)
					}
				}
			}
		})
	}
}

func TestTheIssuerAnswersItself(t *testing.T) {
	w := newWorld(t, "ozdst")
	f := w.forge()
	f.signer = w.CA
	for name, bag := range map[string][]*cert.Certificate{
		"without certificates": {},
		"with its own":         {w.CA.Cert},
		"with its chain":       {w.Root.Cert, w.CA.Cert},
		"with all":             {w.OCSP.Cert, w.CA.Cert, w.Root.Cert, w.OCSP.Cert},
	} {
		f.bag = bag
		if _, err := mustParse(t, f.make(t, w.Now)).Check(w.options()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Named by its subject instead of its key.
	f.responderID = ber.Tagged(ber.ContextConstructed(1), w.CA.Cert.RawSubject)
	if _, err := mustParse(t, f.make(t, w.Now)).Check(w.options()); err != nil {
		t.Error(err)
	}
}

// forged is one attack: what is changed, and the error it must meet.
type forged struct {
	name   string
	change func(w *world, f *forge, o *CheckOptions)
	want   error // nil: must be accepted
}

func runForged(t *testing.T, list []forged) {
	t.Helper()
	for _, spec := range []string{"ozdst", "ecdsa:P-256"} {
		w := newWorld(t, spec)
		for _, tt := range list {
			t.Run(spec+"/"+tt.name, func(t *testing.T) {
				f, o := w.forge(), w.options()
				tt.change(w, &f, &o)
				s, err := mustParse(t, f.make(t, w.Now)).Check(o)
				if !errors.Is(err, tt.want) {
					t.Fatalf("error %v, want %v", err, tt.want)
				}
				if err != nil && s != nil {
					t.Error("an answer beside an error")
				}
			})
		}
	}
}

// TestCheckRefusesResponders has the attacks on who may answer (RFC 6960
// 4.2.2.2).
func TestCheckRefusesResponders(t *testing.T) {
	// by makes the signer a delegate with a changed certificate.
	by := func(change func(w *world, tmpl *cert.Template)) func(*world, *forge, *CheckOptions) {
		return func(w *world, f *forge, _ *CheckOptions) {
			f.signer = delegate(t, w, w.CA, func(tmpl *cert.Template) { change(w, tmpl) })
		}
	}
	runForged(t, []forged{
		{"an honest delegate", by(func(*world, *cert.Template) {}), nil},
		{"a delegate without key usage", by(func(_ *world, tmpl *cert.Template) { tmpl.KeyUsage = 0 }), nil},
		{"a delegate with more purposes", by(func(_ *world, tmpl *cert.Template) {
			tmpl.ExtKeyUsage = []ber.OID{cert.OIDClientAuth, cert.OIDOCSPSigning}
		}), nil},
		{"a leaf without OCSPSigning", func(w *world, f *forge, _ *CheckOptions) { f.signer = w.User(t, testpki.Person) }, ErrResponder},
		{"the certificate asked about", func(w *world, f *forge, _ *CheckOptions) { f.signer = w.user }, ErrResponder},
		{"a leaf without purposes", by(func(_ *world, tmpl *cert.Template) { tmpl.ExtKeyUsage = nil }), ErrResponder},
		{"a leaf for any purpose", by(func(_ *world, tmpl *cert.Template) { tmpl.ExtKeyUsage = []ber.OID{cert.OIDAnyExtKeyUsage} }), ErrResponder},
		{"a delegate not for signing", by(func(_ *world, tmpl *cert.Template) { tmpl.KeyUsage = cert.KeyUsageKeyAgreement }), ErrResponder},
		{"an expired delegate", by(func(w *world, tmpl *cert.Template) { tmpl.NotAfter = w.Now.Add(-time.Second) }), ErrResponder},
		{"a delegate not valid yet", by(func(w *world, tmpl *cert.Template) { tmpl.NotBefore = w.Now.Add(time.Second) }), ErrResponder},
		{"a delegate with an unknown critical extension", by(func(_ *world, tmpl *cert.Template) {
			tmpl.Extra = []cert.Extension{{OID: ber.MustOID("1.2.3.4"), Critical: true, Value: ber.Null()}}
		}), ErrResponder},
		{"a delegate of the root", func(w *world, f *forge, _ *CheckOptions) {
			f.signer = delegate(t, w, w.Root, func(*cert.Template) {})
		}, ErrResponder},
		{"the root itself", func(w *world, f *forge, _ *CheckOptions) { f.signer = w.Root }, ErrResponder},
		{"a delegate of another CA", func(w *world, f *forge, _ *CheckOptions) {
			other := w.Issue(t, w.Root, func(tmpl *cert.Template) { testpki.CATemplate(t, tmpl, "CN=Other") }, w.KeySpec)
			f.signer = delegate(t, w, other, func(*cert.Template) {})
		}, ErrResponder},
		{"a delegate of another CA of the same name", func(w *world, f *forge, _ *CheckOptions) {
			other := w.Issue(t, w.Root, func(tmpl *cert.Template) { testpki.CATemplate(t, tmpl, "CN=TestCA,O=test.e-imzo.uz") }, w.KeySpec)
			f.signer = delegate(t, w, other, func(*cert.Template) {})
			f.bag = []*cert.Certificate{f.signer.Cert, other.Cert, w.Root.Cert}
		}, ErrResponder},
		{"a delegate of a delegate", func(w *world, f *forge, _ *CheckOptions) {
			f.signer = delegate(t, w, w.OCSP, func(*cert.Template) {})
			f.bag = []*cert.Certificate{f.signer.Cert, w.OCSP.Cert}
		}, ErrResponder},
		{"a delegate that signed itself", func(w *world, f *forge, _ *CheckOptions) {
			f.signer = w.SelfSigned(t, func(tmpl *cert.Template) {
				tmpl.Subject, tmpl.BasicConstraints = w.CA.Cert.Subject, nil
				tmpl.KeyUsage, tmpl.ExtKeyUsage = cert.KeyUsageDigitalSignature, []ber.OID{cert.OIDOCSPSigning}
			}, w.KeySpec)
		}, ErrResponder},
		{"a delegate that is not in the response", func(w *world, f *forge, _ *CheckOptions) { f.bag = []*cert.Certificate{w.CA.Cert} }, ErrResponder},
		{"no certificate at all", func(w *world, f *forge, _ *CheckOptions) { f.bag = []*cert.Certificate{} }, ErrResponder},
		{"the responder names another key", func(w *world, f *forge, _ *CheckOptions) {
			f.responderID = ber.Tagged(ber.ContextConstructed(2), ber.OctetString(make([]byte, 20)))
		}, ErrResponder},
		{"the responder names another subject", func(w *world, f *forge, _ *CheckOptions) {
			f.responderID = ber.Tagged(ber.ContextConstructed(1), testpki.Name(t, "CN=TestOCSP").Raw)
		}, ErrResponder},
		{"a stranger rides along", func(w *world, f *forge, _ *CheckOptions) {
			c := testpki.New(t, w.KeySpec).User(t, testpki.Person).Cert
			f.bag = []*cert.Certificate{w.OCSP.Cert, c}
		}, ErrResponder},
		{"the issuer's seam refuses", func(_ *world, _ *forge, o *CheckOptions) {
			o.CheckSignature = func(_, _ *cert.Certificate) error { return alg.ErrSignature }
		}, ErrResponder},
		{"a responder under its name twice", func(w *world, f *forge, _ *CheckOptions) {
			// The first of that name in the bag did not sign; the second did.
			twin := delegate(t, w, w.CA, func(tmpl *cert.Template) { tmpl.Subject = w.OCSP.Cert.Subject })
			f.responderID = ber.Tagged(ber.ContextConstructed(1), w.OCSP.Cert.RawSubject)
			f.bag = []*cert.Certificate{twin.Cert, w.OCSP.Cert}
		}, nil},
	})
}

func delegate(t testing.TB, w *world, issuer testpki.Entity, change func(*cert.Template)) testpki.Entity {
	t.Helper()
	return w.Issue(t, issuer, func(tmpl *cert.Template) {
		tmpl.Subject = testpki.Name(t, "CN=Delegate")
		tmpl.KeyUsage = cert.KeyUsageDigitalSignature
		tmpl.ExtKeyUsage = []ber.OID{cert.OIDOCSPSigning}
		change(tmpl)
	}, w.KeySpec)
}

func TestCheckRefusesTheFormerKeyOfTheCA(t *testing.T) {
	w := newWorld(t, "ozdst")
	// The CA had another key under the same name.
	former := w.Issue(t, w.Root, func(tmpl *cert.Template) { testpki.CATemplate(t, tmpl, "CN=TestCA,O=test.e-imzo.uz") }, w.KeySpec)
	for name, bag := range map[string][]*cert.Certificate{"alone": {}, "with its certificate": {former.Cert, w.Root.Cert}} {
		for id, raw := range map[string][]byte{
			"by name": ber.Tagged(ber.ContextConstructed(1), w.CA.Cert.RawSubject),
			"by key":  ber.Tagged(ber.ContextConstructed(2), ber.OctetString(w.CA.Cert.PublicKey.KeyID())),
		} {
			f := w.forge()
			f.signer, f.bag, f.responderID = former, bag, raw
			_, err := mustParse(t, f.make(t, w.Now)).Check(w.options())
			if !errors.Is(err, ErrSignature) && !errors.Is(err, ErrResponder) {
				t.Errorf("%s, %s: %v", name, id, err)
			}
		}
	}
}

func TestCheckRefusesSignatures(t *testing.T) {
	other := func(spec string) []byte { return testpki.Key(t, spec).SignatureAlgorithm().Marshal() }
	runForged(t, []forged{
		{"of another key", func(w *world, f *forge, _ *CheckOptions) { f.signer.Key = testpki.Key(t, w.KeySpec) }, ErrSignature},
		{"of zeros", func(_ *world, f *forge, _ *CheckOptions) { f.signature = make([]byte, 64) }, ErrSignature},
		{"empty", func(_ *world, f *forge, _ *CheckOptions) { f.signature = []byte{} }, ErrSignature},
		{"cut short", func(w *world, f *forge, _ *CheckOptions) {
			f.signature = []byte{1}
		}, ErrSignature},
		{"with the algorithm of another family", func(_ *world, f *forge, _ *CheckOptions) { f.algorithm = other("ozmst") }, ErrSignature},
		{"with the algorithm of another key type", func(_ *world, f *forge, _ *CheckOptions) { f.algorithm = other("rsa:2048") }, ErrSignature},
		{"with an unknown algorithm", func(_ *world, f *forge, _ *CheckOptions) { f.algorithm = alg.New(ber.MustOID("1.2.3")).Marshal() }, ErrSignature},
		{"with parameters", func(w *world, f *forge, _ *CheckOptions) {
			f.algorithm = ber.Sequence(w.OCSP.Key.SignatureAlgorithm().OID.DER(), ber.OctetString(nil))
		}, ErrSignature},
	})
}

// TestCheckRefusesSignaturesWithSHA1: they are right, and still nothing to rely
// on, because who asks chooses a part of what is signed.
func TestCheckRefusesSignaturesWithSHA1(t *testing.T) {
	for spec, oids := range map[string][2]ber.OID{
		"rsa:2048":    {alg.OIDSignatureSHA1WithRSA, alg.OIDSignatureSHA256WithRSA},
		"ecdsa:P-256": {alg.OIDSignatureECDSAWithSHA1, alg.OIDSignatureECDSAWithSHA256},
	} {
		w := newWorld(t, spec)
		for i, hash := range []crypto.Hash{crypto.SHA1, crypto.SHA256} {
			f := w.forge()
			f.algorithm = alg.New(oids[i]).Marshal()
			f.sign = func(tbs []byte) ([]byte, error) {
				h := hash.New()
				h.Write(tbs)
				return f.signer.Key.Signer().Sign(rand.Reader, h.Sum(nil), hash)
			}
			res := mustParse(t, f.make(t, w.Now))
			scheme, err := alg.ResolveSignature(res.algorithm, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := scheme.Verify(w.OCSP.Cert.PublicKey, res.tbs, res.signature); err != nil {
				t.Fatalf("%s with %v: %v", spec, hash, err)
			}
			_, err = res.Check(w.options())
			if wrong := errors.Is(err, ErrSignature); wrong != (hash == crypto.SHA1) || !wrong && err != nil {
				t.Errorf("%s with %v: %v", spec, hash, err)
			}
		}
	}
}

// TestCheckRefusesAnswersForOtherCertificates has the attacks that work
// against an implementation that compares serial numbers alone.
func TestCheckRefusesAnswersForOtherCertificates(t *testing.T) {
	about := func(change func(*world, *CertID)) func(*world, *forge, *CheckOptions) {
		return func(w *world, f *forge, _ *CheckOptions) {
			a := w.answer()
			change(w, &a.id)
			f.answers = [][]byte{a.marshal()}
		}
	}
	runForged(t, []forged{
		{"another serial number", about(func(_ *world, id *CertID) { id.Serial = new(big.Int).Add(id.Serial, big.NewInt(1)) }), ErrCertID},
		{"same serial number, negative", about(func(_ *world, id *CertID) { id.Serial = new(big.Int).Neg(id.Serial) }), ErrCertID},
		{"same serial number of another issuer", about(func(w *world, id *CertID) {
			twin := w.Issue(t, w.Root, func(tmpl *cert.Template) { tmpl.Serial, tmpl.Subject = w.user.Cert.Serial, w.user.Cert.Subject }, w.KeySpec)
			*id = NewCertID(nil, twin.Cert, w.Root.Cert)
		}), ErrCertID},
		{"same serial number and issuer name, other key", about(func(w *world, id *CertID) { id.IssuerKeyHash = w.Root.Cert.PublicKey.KeyID() }), ErrCertID},
		{"same serial number and key, other name", about(func(w *world, id *CertID) { id.IssuerNameHash = alg.SHA1().Sum(w.Root.Cert.RawSubject) }), ErrCertID},
		{"no issuer", about(func(_ *world, id *CertID) { id.IssuerNameHash, id.IssuerKeyHash = nil, nil }), ErrCertID},
		{"a digest cut short", about(func(w *world, id *CertID) {
			*id = NewCertID(alg.SHA256(), w.user.Cert, w.CA.Cert)
			id.IssuerKeyHash = id.IssuerKeyHash[:20]
		}), ErrCertID},
		{"the digests of another algorithm", about(func(w *world, id *CertID) {
			*id = NewCertID(alg.OZDST(), w.user.Cert, w.CA.Cert)
			id.HashAlgorithm = alg.SHA256().Identifier()
		}), ErrCertID},
		{"an unknown digest", about(func(_ *world, id *CertID) { id.HashAlgorithm = alg.New(ber.MustOID("1.2.3")) }), ErrCertID},
		{"no answer", func(_ *world, f *forge, _ *CheckOptions) { f.answers = nil }, ErrCertID},
		{"two answers", func(w *world, f *forge, _ *CheckOptions) {
			a, b := w.answer(), w.answer()
			b.id = NewCertID(alg.SHA256(), w.user.Cert, w.CA.Cert)
			b.status = ber.Tagged(ber.ContextConstructed(1), ber.GeneralizedTime(w.Now))
			f.answers = [][]byte{a.marshal(), b.marshal()}
		}, ErrCertID},
		{"the asked one among others", func(w *world, f *forge, _ *CheckOptions) {
			before, after := w.answer(), w.answer()
			before.id.Serial, after.id.Serial = big.NewInt(1), big.NewInt(2)
			before.status = ber.Tagged(ber.ContextConstructed(1), ber.GeneralizedTime(w.Now))
			f.answers = [][]byte{before.marshal(), w.answer().marshal(), after.marshal()}
		}, nil},
	})
}

func TestCheckFindsTheAnswerAmongSeveral(t *testing.T) {
	w := newWorld(t, "ozdst")
	others := []testpki.Entity{w.User(t, testpki.Person), w.user, w.User(t, testpki.Organisation)}
	f := w.forge()
	f.answers = nil
	for i, e := range others {
		a := answer{id: NewCertID(digest(t, digestsOfCertIDs[i]), e.Cert, w.CA.Cert), this: w.Now, next: w.Now.Add(time.Minute)}
		if i == 1 {
			a.status = ber.Tagged(ber.ContextConstructed(1), ber.GeneralizedTime(w.Now), ber.Tagged(ber.ContextConstructed(0), ber.Enumerated(4)))
		}
		f.answers = append(f.answers, a.marshal())
	}
	res := mustParse(t, f.make(t, w.Now))
	for i, e := range others {
		o := w.options()
		o.Certificate = e.Cert
		s, err := res.Check(o)
		if err != nil {
			t.Fatal(err)
		}
		if (s.Status == Revoked) != (i == 1) || i == 1 && (s.Reason != 4 || ReasonName(s.Reason) != "superseded") {
			t.Errorf("certificate %d: %+v", i, s)
		}
	}
}

func TestCheckRefusesWhatIsNotFresh(t *testing.T) {
	times := func(this, next time.Duration) func(*world, *forge, *CheckOptions) {
		return func(w *world, f *forge, _ *CheckOptions) {
			a := w.answer()
			a.this, a.next = w.Now.Add(this), time.Time{}
			if next != 0 {
				a.next = w.Now.Add(next)
			}
			f.answers = [][]byte{a.marshal()}
		}
	}
	const m = time.Minute
	runForged(t, []forged{
		{"current", times(-m, m), nil},
		{"old but not to be updated yet", times(-30*24*60*m, m), nil},
		{"just within the skew", times(-60*m, -5*m), nil},
		{"stale", times(-60*m, -5*m-time.Second), ErrStale},
		{"without nextUpdate", times(-64*m, 0), nil},
		{"without nextUpdate and old", times(-66*m, 0), ErrStale},
		{"from the future within the skew", times(5*m, 6*m), nil},
		{"from the future", times(5*m+time.Second, 60*m), ErrFuture},
		{"ends before it begins", times(0, -m), ErrStale},
		{"produced in the future", func(w *world, f *forge, _ *CheckOptions) {
			f.producedAt = ber.GeneralizedTime(w.Now.Add(6 * m))
		}, ErrFuture},
		{"revoked in the future", func(w *world, f *forge, _ *CheckOptions) {
			a := w.answer()
			a.status = ber.Tagged(ber.ContextConstructed(1), ber.GeneralizedTime(w.Now.Add(time.Hour)))
			f.answers = [][]byte{a.marshal()}
		}, ErrFuture},
		{"another skew", func(w *world, f *forge, o *CheckOptions) {
			times(-60*m, -m)(w, f, o)
			o.ClockSkew = time.Second
		}, ErrStale},
		{"another age", func(w *world, f *forge, o *CheckOptions) {
			times(-64*m, 0)(w, f, o)
			o.MaxAge = 10 * m
		}, ErrStale},
	})
}

func TestCheckRefusesNonces(t *testing.T) {
	with := func(policy NoncePolicy, asked []byte, extensions ...[]byte) func(*world, *forge, *CheckOptions) {
		return func(_ *world, f *forge, o *CheckOptions) {
			o.NoncePolicy, o.Nonce, f.extensions = policy, asked, append([][]byte{}, extensions...)
		}
	}
	same, longer, bare := nonceExtension(testNonce), nonceExtension(append(testNonce[:32:32], 1)), extension("1.3.6.1.5.5.7.48.1.2", false, testNonce)
	other := nonceExtension(make([]byte, 32))
	runForged(t, []forged{
		{"the nonce", with(NonceRequired, testNonce, same), nil},
		{"the nonce without its inner string", with(NonceRequired, testNonce, bare), nil},
		{"missing", with(NonceRequired, testNonce), ErrNonce},
		{"another", with(NonceRequired, testNonce, other), ErrNonce},
		{"longer", with(NonceRequired, testNonce, longer), ErrNonce},
		{"none was sent", with(NonceRequired, nil, same), ErrNonce},
		{"none was sent, none came", with(NonceRequired, nil), ErrNonce},
		{"if present, the nonce", with(NonceIfPresent, testNonce, same), nil},
		{"if present, missing", with(NonceIfPresent, testNonce), nil},
		{"if present, another", with(NonceIfPresent, testNonce, other), ErrNonce},
		{"if present, none was sent", with(NonceIfPresent, nil, other), ErrNonce},
		{"ignored, missing", with(NonceIgnored, testNonce), nil},
		{"ignored, another", with(NonceIgnored, testNonce, other), nil},
		{"among other extensions", with(NonceRequired, testNonce, extension("1.3.6.1.5.5.7.48.1.9", false, ber.Null()), same), nil},
	})
}

func TestCheckRefusesResponsesWithoutAnswer(t *testing.T) {
	w := newWorld(t, "ecdsa:P-256")
	for _, s := range []ResponseStatus{MalformedRequest, InternalError, TryLater, SigRequired, Unauthorized} {
		res := mustParse(t, errorResponse(s))
		_, err := res.Check(w.options())
		var status *StatusError
		if !errors.As(err, &status) || status.Status != s {
			t.Errorf("%v: %v", s, err)
		}
		if res.Status != s || err.Error() != "OCSP responder says "+s.String() {
			t.Errorf("%v: %q", s, err)
		}
	}
}

func TestCheckAsksTheSeamAboutTheResponder(t *testing.T) {
	w := newWorld(t, "ecdsa:P-256")
	res := mustParse(t, w.forge().make(t, w.Now))
	var asked []*cert.Certificate
	o := w.options()
	o.CheckSignature = func(child, issuer *cert.Certificate) error {
		asked = append(asked, child, issuer)
		return child.CheckSignatureFrom(issuer)
	}
	if _, err := res.Check(o); err != nil {
		t.Fatal(err)
	}
	if !slices.EqualFunc(asked, []*cert.Certificate{w.OCSP.Cert, w.CA.Cert}, (*cert.Certificate).Equal) {
		t.Errorf("asked about %v", asked)
	}
}

// TestEveryCertificateOfABagIsVerified changes a certificate that has no part
// in the answer.
func TestEveryCertificateOfABagIsVerified(t *testing.T) {
	w := newWorld(t, "ozdst")
	bystander := w.User(t, testpki.Organisation).Cert
	raw := slices.Clone(bystander.Raw)
	raw[len(raw)-1] ^= 1
	changed, err := cert.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	f := w.forge()
	for _, tt := range []struct {
		c    *cert.Certificate
		want error
	}{{bystander, nil}, {changed, ErrResponder}} {
		f.bag = []*cert.Certificate{w.OCSP.Cert, tt.c}
		if _, err := mustParse(t, f.make(t, w.Now)).Check(w.options()); !errors.Is(err, tt.want) {
			t.Errorf("%v, want %v", err, tt.want)
		}
	}
}

// lookup knows one certificate.
func lookup(t *testing.T, c *cert.Certificate, info StatusInfo) func(context.Context, *big.Int) (StatusInfo, error) {
	return func(_ context.Context, serial *big.Int) (StatusInfo, error) {
		if serial.Cmp(c.Serial) != 0 {
			t.Errorf("asked about %x", serial)
		}
		return info, nil
	}
}
