package verify

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/crl"
	"imzo/pki/ocsp"
	"imzo/pki/tsp"
)

// Each test of this file makes one check of a signer fail, and checks that no
// other does.

func TestSignerCertificateMissing(t *testing.T) {
	w := newWorld(t, "ozdst")
	for name, bag := range map[string][]*cert.Certificate{
		"only issuers":  w.user.Chain[1:],
		"another user":  w.User(t, testpki.Organisation).Chain,
		"nothing there": {},
	} {
		t.Run(name, func(t *testing.T) {
			doc := forge{content: content(), bag: bag}.make(t, w.user)
			r := mustVerify(t, doc, nil, w.options())
			mustFail(t, r, []wrong{{CheckSignerCertificate, Failed, NoSigningCertificateFound, errNoCertificate}}, nil)
			if s := r.Signers[0]; s.Certificate != nil || s.Chain != nil || s.Check(CheckPath).Result != NotPerformed {
				t.Errorf("certificate %v, path %s", s.Certificate, s.Check(CheckPath).Result)
			}
		})
	}
}

func TestSignedAttributesThatMakeASignatureVoid(t *testing.T) {
	w := newWorld(t, "ozdst")
	d := w.user.Key.Digest()
	honest := honestAttrs(d, cms.OIDData, content())
	contentType, signingTime, messageDigest := honest[0], honest[1], honest[2]
	twoDigests := cms.NewAttribute(cms.OIDMessageDigest, ber.OctetString(d.Sum(content())), ber.OctetString(d.Sum(nil)))
	for _, tt := range []struct {
		name  string
		attrs []cms.Attribute
		want  error
	}{
		{"no messageDigest", []cms.Attribute{contentType, signingTime}, cms.ErrAttribute},
		{"two messageDigest", append(honest[:3:3], messageDigest), cms.ErrAttribute},
		{"two values of messageDigest", []cms.Attribute{contentType, signingTime, twoDigests}, cms.ErrAttribute},
		{"no contentType", []cms.Attribute{signingTime, messageDigest}, cms.ErrAttribute},
		{"contentType of something else", honestAttrs(d, cms.OIDTSTInfo, content()), cms.ErrContentType},
		{"two signingTime", append(honest[:3:3], signingTime), cms.ErrAttribute},
		{"signingTime that is no time", []cms.Attribute{contentType, messageDigest, cms.NewAttribute(cms.OIDSigningTime, ber.Int64(1))}, cms.ErrAttribute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := mustVerify(t, forge{content: content(), attrs: tt.attrs}.make(t, w.user), nil, w.options())
			mustFail(t, r, []wrong{{CheckSignedAttributes, Failed, SigConstraintsFailure, tt.want}}, nil)
		})
	}
}

func TestContentOfADetachedDocumentSwapped(t *testing.T) {
	w := newWorld(t, "ozdst")
	doc := w.stamp(t, mustSign(t, content(), cms.Options{Detached: true}, signerOf(w.user)), 0, w.Now)
	for _, swapped := range [][]byte{{}, content()[1:], append(content(), 0), bytes.ToUpper(content())} {
		r := mustVerify(t, doc, swapped, w.options())
		mustFail(t, r,
			[]wrong{{CheckDigest, Failed, HashFailure, cms.ErrDigestMismatch}},
			[]wrong{{CheckRevocation, Indeterminate, TryLater, errNotAsked}})
		if r.Indication != TotalFailed || r.SubIndication != HashFailure {
			t.Errorf("%s %s", r.Indication, r.SubIndication)
		}
		s := r.Signers[0]
		if !bytes.Equal(s.Digest, w.user.Key.Digest().Sum(content())) {
			t.Error("the report does not show the signed digest")
		}
		if !s.Certificate.Equal(w.user.Cert) || s.Check(CheckSignature).Result != NotPerformed || s.Check(CheckPath).Result != NotPerformed {
			t.Error("more was judged than the digest allows")
		}
	}
	if len(w.responder.asked) > 0 {
		t.Errorf("asked about %v for a signature that is none", w.responder.asked)
	}
}

func TestContentWithoutSignedAttributesSwapped(t *testing.T) {
	w := newWorld(t, "ozdst")
	signer := cms.Signer{Key: w.user.Key, Chain: w.user.Chain, NoSignedAttrs: true}
	doc := mustSign(t, content(), cms.Options{Detached: true}, signer)
	r := mustVerify(t, doc, []byte("another"), w.options())
	mustFail(t, r, []wrong{{CheckSignature, Failed, SigCryptoFailure, cms.ErrSignature}}, nil)
}

func TestSignatureWrong(t *testing.T) {
	w := newWorld(t, "ozdst")
	other, err := w.user.Key.SignMessage(rand.Reader, []byte("another message"))
	if err != nil {
		t.Fatal(err)
	}
	for name, signature := range map[string][]byte{
		"of another message": other,
		"zero":               make([]byte, 64),
		"short":              other[:63],
		"empty":              {},
	} {
		t.Run(name, func(t *testing.T) {
			r := mustVerify(t, forge{content: content(), signature: signature}.make(t, w.user), nil, w.options())
			mustFail(t, r, []wrong{{CheckSignature, Failed, SigCryptoFailure, cms.ErrSignature}}, nil)
			if r.Indication != TotalFailed {
				t.Errorf("%s", r.Indication)
			}
		})
	}
}

func TestAlgorithmNotSupported(t *testing.T) {
	w := newWorld(t, "ozdst")
	doc := w.document(t)
	i := bytes.LastIndex(doc, alg.OIDSignatureOZDST.DER())
	changed := slices.Concat(doc[:i], alg.OIDSignatureOZDST1.DER(), doc[i+len(alg.OIDSignatureOZDST.DER()):])
	r := mustVerify(t, changed, nil, w.options())
	mustFail(t, r, []wrong{{CheckSignature, Failed, CryptoConstraintsFailure, cms.ErrUnsupported}}, nil)
	if s := r.Signers[0]; s.Check(CheckDigest).Result != NotPerformed || s.Check(CheckSignedAttributes).Result != NotPerformed {
		t.Error("the report says more than was checked")
	}
}

func TestPathToNoAnchor(t *testing.T) {
	w := newWorld(t, "ozdst")
	o := w.options()
	o.Anchors = testpki.New(t, "ozdst").Anchors() // same names, other keys
	r := mustVerify(t, w.document(t), nil, o)
	mustFail(t, r, []wrong{{CheckPath, Failed, CertificateChainGeneralFailure, alg.ErrSignature}}, nil)
	if s := r.Signers[0]; s.Path != nil || len(s.Chain) != 3 || s.Check(CheckRevocation).Result != NotPerformed {
		t.Errorf("path %v, chain %v", s.Path, s.Chain)
	}
	o.Anchors = cert.NewPool(testpki.New(t, "ecdsa:P-256").User(t, testpki.Person).Cert)
	r = mustVerify(t, w.document(t), nil, o)
	mustFail(t, r, []wrong{{CheckPath, Failed, NoCertificateChainFound, nil}}, nil)
	if len(w.responder.asked) > 0 {
		t.Errorf("asked about %v, whom nobody here trusts", w.responder.asked)
	}
}

func TestPathConstraints(t *testing.T) {
	w := newWorld(t, "ozdst")
	userOf := func(issuer testpki.Entity, mods ...func(*cert.Template)) testpki.Entity {
		return w.Issue(t, issuer, func(c *cert.Template) {
			w.UserTemplate(t, c, testpki.Person)
			for _, mod := range mods {
				mod(c)
			}
		}, "ozdst")
	}
	caOf := func(issuer testpki.Entity, mod func(*cert.Template)) testpki.Entity {
		return w.Issue(t, issuer, func(c *cert.Template) {
			testpki.CATemplate(t, c, "CN=Other CA")
			mod(c)
		}, "ozdst")
	}
	unknownCritical := func(c *cert.Template) {
		c.Extra = append(c.Extra, cert.Extension{OID: ber.MustOID("1.2.3.4"), Critical: true, Value: ber.Null()})
	}
	for _, tt := range []struct {
		name   string
		signer testpki.Entity
		sub    SubIndication
		reason cert.Reason
	}{
		{"issuer is no CA", userOf(w.user), ChainConstraintsFailure, cert.NotCA},
		{"issuer may not sign certificates", userOf(caOf(w.Root, func(c *cert.Template) { c.KeyUsage = cert.KeyUsageDigitalSignature })), ChainConstraintsFailure, cert.NoCertSign},
		{"path too long", userOf(caOf(caOf(w.Root, func(c *cert.Template) {
			c.Subject, c.BasicConstraints.MaxPathLen = testpki.Name(t, "CN=Short CA"), 0
		}), func(*cert.Template) {})), ChainConstraintsFailure, cert.PathLenExceeded},
		{"unknown critical extension of the signer", userOf(w.CA, unknownCritical), ChainConstraintsFailure, cert.UnhandledCritical},
		{"unknown critical extension of the CA", userOf(caOf(w.Root, unknownCritical)), ChainConstraintsFailure, cert.UnhandledCritical},
		{"CA expired", userOf(caOf(w.Root, func(c *cert.Template) { c.NotAfter = w.Now.Add(-time.Hour) })), OutOfBoundsNoPOE, cert.Expired},
		{"CA not valid yet", userOf(caOf(w.Root, func(c *cert.Template) { c.NotBefore = w.Now.Add(time.Hour) })), OutOfBoundsNoPOE, cert.NotYetValid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := mustVerify(t, mustSign(t, content(), cms.Options{}, signerOf(tt.signer)), nil, w.options())
			mustFail(t, r, []wrong{{CheckPath, Failed, tt.sub, nil}}, nil)
			var p *cert.PathError
			if !errors.As(r.FirstFailure(), &p) || p.Reason != tt.reason {
				t.Errorf("%v, want %s", r.FirstFailure(), tt.reason)
			}
		})
	}
}

func TestBagWithAnUnverifiedCertificate(t *testing.T) {
	w := newWorld(t, "ozdst")
	stranger := testpki.New(t, "ozdst").User(t, testpki.Organisation)
	forged := bytes.Clone(w.User(t, testpki.Organisation).Cert.Raw)
	forged[len(forged)-1] ^= 1
	broken, err := cert.Parse(forged)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		more []*cert.Certificate
		sub  SubIndication
	}{
		{"forged", []*cert.Certificate{broken}, CertificateChainGeneralFailure},
		{"without its issuer", []*cert.Certificate{stranger.Cert}, CertificateChainGeneralFailure},
	} {
		t.Run(tt.name, func(t *testing.T) {
			doc := forge{content: content(), bag: append(tt.more, w.user.Chain...)}.make(t, w.user)
			mustFail(t, mustVerify(t, doc, nil, w.options()), []wrong{{CheckBag, Failed, tt.sub, nil}}, nil)
		})
	}
	t.Run("whole chain of a stranger", func(t *testing.T) {
		doc := forge{content: content(), bag: append(stranger.Chain, w.user.Chain...)}.make(t, w.user)
		mustBeValid(t, doc, nil, w.options())
	})
}

func TestEmbeddedCRLs(t *testing.T) {
	w := newWorld(t, "ozdst")
	list := func(by testpki.Entity) []byte {
		der, err := crl.Create(rand.Reader, &crl.Template{ThisUpdate: w.Now, NextUpdate: w.Now.Add(time.Hour)}, by.Cert, by.Key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	make := func(crls ...[]byte) []byte { return forge{content: content(), crls: crls}.make(t, w.user) }
	mustBeValid(t, make(list(w.CA), list(w.Root)), nil, w.options())

	stranger := testpki.New(t, "ozdst")
	for name, crls := range map[string][][]byte{
		"signed by another key of the name": {list(stranger.CA)},
		"of a CA that is not there":         {list(w.SelfSigned(t, func(c *cert.Template) { c.Subject = testpki.Name(t, "CN=Nobody") }, "ozdst"))},
		"too many":                          repeat(list(w.CA), maxCRLs+1),
	} {
		t.Run(name, func(t *testing.T) {
			r := mustVerify(t, make(crls...), nil, w.options())
			mustFail(t, r, []wrong{{CheckBag, Failed, CertificateChainGeneralFailure, nil}}, nil)
		})
	}
	t.Run("any octet changed", func(t *testing.T) {
		der := list(w.CA)
		testpki.EachByteChange(der, func(offset int, mutated []byte) {
			if offset%5 != 0 {
				return
			}
			if r := mustVerify(t, make(bytes.Clone(mutated)), nil, w.options()); r.Valid() {
				t.Errorf("unnoticed change at %d", offset)
			}
		})
	})
}

func repeat(b []byte, n int) (out [][]byte) {
	for range n {
		out = append(out, b)
	}
	return out
}

func TestKeyUsageOfTheSigner(t *testing.T) {
	w := newWorld(t, "ozdst")
	for _, tt := range []struct {
		name string
		mod  func(*cert.Template)
		want error // nil: valid
	}{
		{"production", func(*cert.Template) {}, nil},
		{"digitalSignature", func(c *cert.Template) { c.KeyUsage = cert.KeyUsageDigitalSignature }, nil},
		{"nonRepudiation", func(c *cert.Template) { c.KeyUsage = cert.KeyUsageContentCommitment }, nil},
		{"none, as temporary certificates", func(c *cert.Template) { c.KeyUsage = 0 }, nil},
		{"keyEncipherment", func(c *cert.Template) { c.KeyUsage = cert.KeyUsageKeyEncipherment }, errKeyUsage},
		{"keyCertSign", func(c *cert.Template) { c.KeyUsage = cert.KeyUsageCertSign }, errKeyUsage},
		{"no purposes", func(c *cert.Template) { c.ExtKeyUsage = nil }, nil},
		{"any purpose", func(c *cert.Template) { c.ExtKeyUsage = []ber.OID{cert.OIDAnyExtKeyUsage} }, nil},
		{"an unknown purpose", func(c *cert.Template) { c.ExtKeyUsage = []ber.OID{ber.MustOID("1.2.860.3.1")} }, nil},
		{"timestamps", func(c *cert.Template) { c.ExtKeyUsage = []ber.OID{cert.OIDTimeStamping} }, errPurpose},
		{"OCSP", func(c *cert.Template) { c.ExtKeyUsage = []ber.OID{cert.OIDOCSPSigning} }, errPurpose},
		{"TLS servers", func(c *cert.Template) { c.ExtKeyUsage = []ber.OID{cert.OIDServerAuth, cert.OIDOCSPSigning} }, errPurpose},
		{"TLS servers and clients", func(c *cert.Template) { c.ExtKeyUsage = []ber.OID{cert.OIDServerAuth, cert.OIDClientAuth} }, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			doc := mustSign(t, content(), cms.Options{}, signerOf(w.User(t, testpki.Person, tt.mod)))
			if tt.want == nil {
				mustBeValid(t, doc, nil, w.options())
				return
			}
			mustFail(t, mustVerify(t, doc, nil, w.options()), []wrong{{CheckKeyUsage, Failed, ChainConstraintsFailure, tt.want}}, nil)
		})
	}
}

func TestValidityOfTheSigner(t *testing.T) {
	w := newWorld(t, "ozdst")
	expired := w.User(t, testpki.Person, func(c *cert.Template) { c.NotAfter = w.Now.Add(-time.Second) })
	early := w.User(t, testpki.Person, func(c *cert.Template) { c.NotBefore = w.Now.Add(time.Second) })
	for _, tt := range []struct {
		name  string
		user  testpki.Entity
		stamp time.Time // zero: none
		sub   SubIndication
		want  error
	}{
		{"expired by the claimed time", expired, time.Time{}, OutOfBoundsNoPOE, errTooLate},
		{"not valid yet by the claimed time", early, time.Time{}, OutOfBoundsNoPOE, errTooEarly},
		{"expired by the timestamp", expired, w.Now, Expired, errTooLate},
		{"not valid yet by the timestamp", early, w.Now, NotYetValid, errTooEarly},
		{"valid by the timestamp, expired by the claimed time", expired, w.Now.Add(-time.Minute), "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			doc := mustSign(t, content(), cms.Options{}, signerOf(tt.user))
			if !tt.stamp.IsZero() {
				doc = w.stamp(t, doc, 0, tt.stamp)
			}
			if tt.want == nil {
				mustBeValid(t, doc, nil, w.options())
				return
			}
			mustFail(t, mustVerify(t, doc, nil, w.options()), []wrong{{CheckValidity, Failed, tt.sub, tt.want}}, nil)
		})
	}
}

// TestACertificateIsNotUsedBeforeItsTime: who may claim any signing time must
// not make a certificate valid by it that is not valid yet.
func TestACertificateIsNotUsedBeforeItsTime(t *testing.T) {
	w := newWorld(t, "ozdst")
	early := signerOf(w.User(t, testpki.Person, func(c *cert.Template) { c.NotBefore = w.Now.Add(time.Minute) }))
	early.SigningTime = w.Now.Add(time.Hour)
	doc := mustSign(t, content(), cms.Options{}, early)
	mustFail(t, mustVerify(t, doc, nil, w.options()), []wrong{{CheckValidity, Failed, OutOfBoundsNoPOE, errNotNow}}, nil)
}

func TestValidNowCountsBesideTheSigningDate(t *testing.T) {
	w := newWorld(t, "ozdst")
	signer := signerOf(w.User(t, testpki.Person, func(c *cert.Template) { c.NotAfter = w.Now.Add(-time.Second) }))
	signer.SigningTime = w.Now.Add(-time.Minute)
	claimed := mustSign(t, content(), cms.Options{}, signer)
	strict := w.options()
	strict.ValidNow = true
	for name, doc := range map[string][]byte{"claimed": claimed, "proven": w.stamp(t, claimed, 0, w.Now.Add(-time.Minute))} {
		t.Run(name, func(t *testing.T) {
			mustBeValid(t, doc, nil, w.options())
			mustFail(t, mustVerify(t, doc, nil, strict), []wrong{{CheckValidity, Failed, OutOfBoundsNoPOE, errNotNow}}, nil)
		})
	}
	mustBeValid(t, w.stamped(t), nil, strict)
}

func TestValidityIncludesItsBounds(t *testing.T) {
	w := newWorld(t, "ozdst")
	for _, mod := range []func(*cert.Template){
		func(c *cert.Template) { c.NotAfter = w.Now },
		func(c *cert.Template) { c.NotBefore = w.Now },
	} {
		mustBeValid(t, mustSign(t, content(), cms.Options{}, signerOf(w.User(t, testpki.Person, mod))), nil, w.options())
	}
}

func TestStatusThatCannotBeHad(t *testing.T) {
	w := newWorld(t, "ozdst")
	doc := w.document(t)
	good := RevocationStatus{Status: ocsp.Good, ThisUpdate: w.Now, NextUpdate: w.Now.Add(time.Minute), Reason: ocsp.NoReason}
	answer := func(change func(*RevocationStatus)) RevocationSource {
		return sourceFunc(func(context.Context, *cert.Certificate, *cert.Certificate) (*RevocationStatus, error) {
			s := good
			change(&s)
			return &s, nil
		})
	}
	for _, tt := range []struct {
		name   string
		source RevocationSource
		want   error // nil: valid
	}{
		{"good", answer(func(*RevocationStatus) {}), nil},
		{"good without an end", answer(func(s *RevocationStatus) { s.NextUpdate = time.Time{} }), nil},
		{"good within the clock skew", answer(func(s *RevocationStatus) { s.NextUpdate = w.Now.Add(-4 * time.Minute) }), nil},
		{"no source", nil, errNoSource},
		{"error", sourceFunc(func(context.Context, *cert.Certificate, *cert.Certificate) (*RevocationStatus, error) {
			return nil, errDown
		}), errDown},
		{"error and a status", sourceFunc(func(context.Context, *cert.Certificate, *cert.Certificate) (*RevocationStatus, error) {
			return &good, errDown
		}), errDown},
		{"nothing", sourceFunc(func(context.Context, *cert.Certificate, *cert.Certificate) (*RevocationStatus, error) {
			return nil, nil
		}), errNoStatus},
		{"panic", sourceFunc(func(context.Context, *cert.Certificate, *cert.Certificate) (*RevocationStatus, error) { panic("boom") }), errNoStatus},
		{"the zero status", sourceFunc(func(context.Context, *cert.Certificate, *cert.Certificate) (*RevocationStatus, error) {
			return new(RevocationStatus), nil
		}), errUnknown},
		{"unknown", answer(func(s *RevocationStatus) { s.Status = ocsp.Unknown }), errUnknown},
		{"no such status", answer(func(s *RevocationStatus) { s.Status = 17 }), errUnknown},
		{"undated", answer(func(s *RevocationStatus) { s.ThisUpdate = time.Time{} }), errUndated},
		{"from the future", answer(func(s *RevocationStatus) { s.ThisUpdate = w.Now.Add(6 * time.Minute) }), errStatusFuture},
		{"stale", answer(func(s *RevocationStatus) { s.NextUpdate = w.Now.Add(-6 * time.Minute) }), errStatusStale},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := w.options()
			o.Revocation = tt.source
			if tt.want == nil {
				mustBeValid(t, doc, nil, o)
				return
			}
			r := mustVerify(t, doc, nil, o)
			mustFail(t, r, []wrong{{CheckRevocation, Indeterminate, TryLater, tt.want}}, nil)
			if r.Indication != TotalIndeterminate {
				t.Errorf("%s", r.Indication)
			}
		})
	}
}

func TestUnknownCertificateOfTheResponder(t *testing.T) {
	w := newWorld(t, "ozdst")
	w.responder.statuses[w.user.Cert.SerialHex()] = ocsp.StatusInfo{Status: ocsp.Unknown}
	r := mustVerify(t, w.document(t), nil, w.options())
	mustFail(t, r, []wrong{{CheckRevocation, Indeterminate, TryLater, errUnknown}}, nil)
	if s := r.Signers[0].Revocation; s == nil || s.OCSPResponse == nil {
		t.Error("the answer is not in the report")
	}
}

func TestRevokedSigner(t *testing.T) {
	w := newWorld(t, "ozdst")
	stamp := w.Now.Add(-time.Minute)
	plain := w.document(t)
	stamped := w.stamp(t, plain, 0, stamp)
	const hold, keyCompromise = 6, 1
	for _, tt := range []struct {
		name   string
		doc    []byte
		at     time.Time
		reason int
		strict bool
		sub    SubIndication // "": valid
		cause  error
	}{
		{"no timestamp, revoked before the claimed time", plain, w.Now.Add(-time.Hour), keyCompromise, false, RevokedNoPOE, errRevoked},
		{"no timestamp, revoked after the claimed time", plain, w.Now.Add(time.Minute), keyCompromise, false, RevokedNoPOE, errRevoked},
		{"no timestamp, suspended", plain, w.Now.Add(time.Minute), hold, false, RevokedNoPOE, errSuspended},
		{"revoked before the timestamp", stamped, stamp.Add(-time.Second), keyCompromise, false, Revoked, errRevoked},
		{"revoked at the second of the timestamp", stamped, stamp, keyCompromise, false, Revoked, errRevoked},
		{"suspended before the timestamp", stamped, stamp.Add(-time.Second), hold, false, Revoked, errSuspended},
		{"revoked after the timestamp", stamped, stamp.Add(time.Second), keyCompromise, false, "", errRevoked},
		{"suspended after the timestamp", stamped, stamp.Add(time.Second), hold, false, "", errSuspended},
		{"revoked after the timestamp, strict", stamped, stamp.Add(time.Second), keyCompromise, true, Revoked, errRevoked},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.responder.revoke(w.user.Cert, tt.at, tt.reason)
			o := w.options()
			o.StrictRevocation = tt.strict
			r := mustVerify(t, tt.doc, nil, o)
			s := r.Signers[0]
			if tt.sub != "" {
				mustFail(t, r, []wrong{{CheckRevocation, Failed, tt.sub, tt.cause}}, nil)
				if r.Indication != tt.sub.Indication() {
					t.Errorf("%s", r.Indication)
				}
			} else if !r.Valid() || s.Check(CheckRevocation).Note == "" {
				t.Errorf("%v, note %q", r.FirstFailure(), s.Check(CheckRevocation).Note)
			}
			if s.Revocation == nil || s.Revocation.Status != ocsp.Revoked || !s.Revocation.RevokedAt.Equal(tt.at) || s.Revocation.Reason != tt.reason {
				t.Errorf("the status is not in the report: %+v", s.Revocation)
			}
		})
	}
}

func TestRevokedSinceEverIsNotSavedByATimestamp(t *testing.T) {
	w := newWorld(t, "ozdst")
	o := w.options()
	o.Revocation = sourceFunc(func(ctx context.Context, c, issuer *cert.Certificate) (*RevocationStatus, error) {
		if c.Equal(w.user.Cert) {
			return &RevocationStatus{Status: ocsp.Revoked, ThisUpdate: w.Now, Reason: ocsp.NoReason}, nil
		}
		return w.responder.Status(ctx, c, issuer)
	})
	mustFail(t, mustVerify(t, w.stamped(t), nil, o), []wrong{{CheckRevocation, Failed, Revoked, errRevoked}}, nil)
}

// A timestamp saves a revoked certificate only when it is valid itself.
func TestRevokedSignerWithATimestampThatIsNotValid(t *testing.T) {
	w := newWorld(t, "ozdst")
	doc := w.stamped(t)
	w.responder.revoke(w.user.Cert, w.Now.Add(-time.Second), 1)

	t.Run("authority revoked", func(t *testing.T) {
		w.responder.revoke(w.TSA.Cert, w.Now.Add(-time.Hour), 1)
		defer delete(w.responder.statuses, w.TSA.Cert.SerialHex())
		mustFail(t, mustVerify(t, doc, nil, w.options()),
			[]wrong{{CheckRevocation, Failed, RevokedNoPOE, errRevoked}},
			[]wrong{{CheckRevocation, Failed, Revoked, errRevoked}})
	})
	t.Run("status of the authority not to be had", func(t *testing.T) {
		w.responder.fail[w.TSA.Cert.SerialHex()] = errDown
		defer delete(w.responder.fail, w.TSA.Cert.SerialHex())
		r := mustVerify(t, doc, nil, w.options())
		mustFail(t, r,
			[]wrong{{CheckRevocation, Indeterminate, TryLater, errRevoked}},
			[]wrong{{CheckRevocation, Indeterminate, TryLater, errDown}})
		if r.Indication != TotalIndeterminate {
			t.Errorf("%s: another time it may be valid", r.Indication)
		}
		// Not when it could not help.
		w.responder.revoke(w.user.Cert, w.Now.Add(-time.Hour), 1)
		defer w.responder.revoke(w.user.Cert, w.Now.Add(-time.Second), 1)
		mustFail(t, mustVerify(t, doc, nil, w.options()),
			[]wrong{{CheckRevocation, Failed, Revoked, errRevoked}},
			[]wrong{{CheckRevocation, Indeterminate, TryLater, errDown}})
	})
	t.Run("imprint of another signature", func(t *testing.T) {
		doc := addUnsigned(t, w.document(t), 0, cms.OIDTimeStampToken, w.token(t, []byte("another"), w.Now.Add(-time.Hour)))
		mustFail(t, mustVerify(t, doc, nil, w.options()),
			[]wrong{{CheckRevocation, Failed, RevokedNoPOE, errRevoked}},
			[]wrong{{CheckImprint, Failed, HashFailure, tsp.ErrImprint}})
	})
}

func TestRevocationOfTheCAIsAskedOnlyWhenWanted(t *testing.T) {
	w := newWorld(t, "ozdst")
	doc := w.document(t)
	w.responder.revoke(w.CA.Cert, w.Now.Add(-time.Second), 2)
	mustBeValid(t, doc, nil, w.options())
	if want := []string{w.user.Cert.SerialHex()}; !sameSet(w.responder.asked, want) {
		t.Errorf("asked about %v", w.responder.asked)
	}

	o := w.options()
	o.CheckCARevocation = true
	r := mustVerify(t, doc, nil, o)
	mustFail(t, r, []wrong{{CheckRevocation, Failed, RevokedCANoPOE, errRevoked}}, nil)
	if ca := r.Signers[0].CARevocation; len(ca) != 1 || ca[0].Status != ocsp.Revoked {
		t.Errorf("CA status %v", ca)
	}
	// A timestamp from before saves the signer, but not itself.
	stamped := w.stamp(t, doc, 0, w.Now.Add(-time.Minute))
	r = mustVerify(t, stamped, nil, o)
	mustFail(t, r,
		[]wrong{{CheckRevocation, Failed, RevokedCANoPOE, errRevoked}},
		[]wrong{{CheckRevocation, Failed, Revoked, errRevoked}})
	w.responder.revoke(w.CA.Cert, w.Now.Add(-time.Second), 5)
	r = mustBeValid(t, stamped, nil, o)
	if r.Signers[0].Check(CheckRevocation).Note == "" {
		t.Error("the revocation of the CA is not noted")
	}

	w.responder.fail[w.CA.Cert.SerialHex()] = errDown
	r = mustVerify(t, doc, nil, o)
	mustFail(t, r, []wrong{{CheckRevocation, Indeterminate, TryLater, errDown}}, nil)
	if ca := r.Signers[0].CARevocation; len(ca) != 1 || ca[0] != nil {
		t.Errorf("CA status %v", ca)
	}
	// What is revoked for good outweighs what is not known.
	w.responder.revoke(w.user.Cert, w.Now.Add(-time.Second), 1)
	mustFail(t, mustVerify(t, doc, nil, o), []wrong{{CheckRevocation, Failed, RevokedNoPOE, errRevoked}}, nil)
}

func TestSignedDataInOtherUnsignedAttributes(t *testing.T) {
	w := newWorld(t, "ozdst")
	doc := w.document(t)
	si := mustParse(t, doc).SignerInfos[0]
	token := w.token(t, si.Signature, w.Now)
	archiveTimeStamp := ber.MustOID("1.2.840.113549.1.9.16.2.27")
	for name, value := range map[string][]byte{
		"a token":        token,
		"a document":     doc,
		"an empty one":   ber.Sequence(cms.OIDSignedData.DER()),
		"a broken one":   ber.Sequence(cms.OIDSignedData.DER(), ber.Null()),
		"a second value": nil,
	} {
		t.Run(name, func(t *testing.T) {
			values := [][]byte{value}
			if value == nil {
				values = [][]byte{ber.Null(), token}
			}
			d := addUnsigned(t, doc, 0, archiveTimeStamp, values...)
			r := mustVerify(t, d, nil, w.options())
			mustFail(t, r, []wrong{{CheckUnsignedAttributes, Failed, SigConstraintsFailure, errHiddenToken}}, nil)
			// A true timestamp beside it changes nothing.
			mustFail(t, mustVerify(t, w.stamp(t, d, 0, w.Now), nil, w.options()),
				[]wrong{{CheckUnsignedAttributes, Failed, SigConstraintsFailure, errHiddenToken}}, nil)
		})
	}
}

func TestOtherUnsignedAttributesAreIgnoredAndListed(t *testing.T) {
	w := newWorld(t, "ozdst")
	counterSignature := ber.MustOID("1.2.840.113549.1.9.6")
	unknown := ber.MustOID("1.2.3")
	doc := w.document(t)
	doc = addUnsigned(t, doc, 0, counterSignature, mustParse(t, doc).SignerInfos[0].Raw)
	doc = addUnsigned(t, doc, 0, unknown, ber.OctetString([]byte{1}), ber.Sequence(), ber.Sequence(ber.Null()), ber.Sequence(unknown.DER()))
	r := mustBeValid(t, doc, nil, w.options())
	if got := r.Signers[0].UnsignedAttributes; len(got) != 2 {
		t.Errorf("ignored %v", got)
	}
}

func TestSignedAttributeAmongTheUnsigned(t *testing.T) {
	w := newWorld(t, "ozdst")
	doc := forge{content: content(), unsigned: []cms.Attribute{cms.NewAttribute(cms.OIDSigningTime, ber.Time(w.Now))}}.make(t, w.user)
	mustFail(t, mustVerify(t, doc, nil, w.options()), []wrong{{CheckSignedAttributes, Failed, SigConstraintsFailure, cms.ErrAttribute}}, nil)
}

func TestTokenAmongTheSignedAttributes(t *testing.T) {
	w := newWorld(t, "ozdst")
	token := cms.NewAttribute(cms.OIDTimeStampToken, w.token(t, content(), w.Now))
	doc := forge{content: content(), attrs: append(honestAttrs(w.user.Key.Digest(), cms.OIDData, content()), token)}.make(t, w.user)
	mustFail(t, mustVerify(t, doc, nil, w.options()), []wrong{{CheckUnsignedAttributes, Failed, SigConstraintsFailure, cms.ErrAttribute}}, nil)
}
