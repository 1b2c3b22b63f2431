package verify

import (
	"bytes"
	"crypto/rand"
	"errors"
	"slices"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/ber"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/ocsp"
	"imzo/pki/tsp"
)

// Each test of this file makes one check of a token fail, and checks that
// neither another nor one of the signer does.

// withToken is the user's document with one token made by the function for
// the signature value.
func (w *world) withToken(t testing.TB, token func(signature []byte) []byte) []byte {
	t.Helper()
	doc := w.document(t)
	return addUnsigned(t, doc, 0, cms.OIDTimeStampToken, token(mustParse(t, doc).SignerInfos[0].Signature))
}

// tokenForge makes tokens that no authority makes. A nil field takes the
// honest value.
type tokenForge struct {
	tsa     testpki.Entity
	content []byte
	attrs   []cms.Attribute
	bag     []*cert.Certificate
	noESS   bool
}

func (f tokenForge) make(t testing.TB, w *world, signature []byte) []byte {
	t.Helper()
	if f.tsa.Cert == nil {
		f.tsa = w.TSA
	}
	if f.content == nil {
		f.content = tstInfo(w, f.tsa, signature, w.Now)
	}
	d := f.tsa.Key.Digest()
	if f.attrs == nil {
		f.attrs = honestAttrs(d, cms.OIDTSTInfo, f.content)
	}
	if !f.noESS {
		ess := ber.Sequence(ber.Sequence(ber.Sequence(d.Identifier().Marshal(), ber.OctetString(d.Sum(f.tsa.Cert.Raw)))))
		f.attrs = append(slices.Clip(f.attrs), cms.NewAttribute(cms.OIDSigningCertificateV2, ess))
	}
	return forge{contentType: cms.OIDTSTInfo, content: f.content, attrs: f.attrs, bag: f.bag}.make(t, f.tsa)
}

func tstInfo(w *world, tsa testpki.Entity, message []byte, at time.Time) []byte {
	d := tsa.Key.Digest()
	imprint := ber.Sequence(d.Identifier().Marshal(), ber.OctetString(d.Sum(message)))
	return ber.Sequence(ber.Int64(1), tsaPolicy.DER(), imprint, ber.Int64(1), ber.GeneralizedTime(at))
}

// tsa issues a certificate for an authority of the world's CA.
func (w *world) tsa(t testing.TB, mod func(*cert.Template)) testpki.Entity {
	t.Helper()
	return w.Issue(t, w.CA, func(c *cert.Template) {
		c.Subject = testpki.Name(t, "CN=Other TSA,O=test.e-imzo.uz")
		c.KeyUsage = cert.KeyUsageDigitalSignature
		c.ExtKeyUsage, c.ExtKeyUsageCritical = []ber.OID{cert.OIDTimeStamping}, true
		mod(c)
	}, w.KeySpec)
}

func TestForgedTokensThatAreHonestAreValid(t *testing.T) {
	w := newWorld(t, "ozdst")
	mustBeValid(t, w.withToken(t, func(s []byte) []byte { return tokenForge{}.make(t, w, s) }), nil, w.options())
	other := w.tsa(t, func(*cert.Template) {})
	mustBeValid(t, w.withToken(t, func(s []byte) []byte { return tokenForge{tsa: other}.make(t, w, s) }), nil, w.options())
	// The document has the CA certificates, so the token may leave them out.
	bag := []*cert.Certificate{w.TSA.Cert}
	r := mustBeValid(t, w.withToken(t, func(s []byte) []byte { return tokenForge{bag: bag}.make(t, w, s) }), nil, w.options())
	if chain := r.Signers[0].TimeStamp.Chain; len(chain) != 3 {
		t.Errorf("chain %v", chain)
	}
}

func TestTimestampOfAnotherSignature(t *testing.T) {
	w := newWorld(t, "ozdst")
	other := mustParse(t, w.document(t)).SignerInfos[0]
	doc := w.withToken(t, func([]byte) []byte { return w.token(t, other.Signature, w.Now) })
	r := mustVerify(t, doc, nil, w.options())
	mustFail(t, r, nil, []wrong{{CheckImprint, Failed, HashFailure, tsp.ErrImprint}})
	if s := r.Signers[0]; s.SigningDateSource != DateFromSigningTime || s.TimeStamp == nil {
		t.Errorf("date from %s", s.SigningDateSource)
	}
	// The digest of the document is no digest of its signature.
	doc = w.withToken(t, func([]byte) []byte { return w.token(t, content(), w.Now) })
	mustFail(t, mustVerify(t, doc, nil, w.options()), nil, []wrong{{CheckImprint, Failed, HashFailure, tsp.ErrImprint}})
}

func TestTokenThatIsNone(t *testing.T) {
	w := newWorld(t, "ozdst")
	doc := w.document(t)
	for name, value := range map[string][]byte{
		"NULL":                 ber.Null(),
		"a document":           doc,
		"not a TSTInfo inside": tokenForge{content: ber.Sequence(ber.Int64(1))}.make(t, w, nil),
	} {
		t.Run(name, func(t *testing.T) {
			r := mustVerify(t, addUnsigned(t, doc, 0, cms.OIDTimeStampToken, value), nil, w.options())
			mustFail(t, r, nil, []wrong{{CheckFormat, Failed, FormatFailure, nil}})
			if s := r.Signers[0]; s.TimeStamp == nil || s.TimeStamp.Token != nil || s.SigningDateSource != DateFromSigningTime {
				t.Errorf("%+v", s.TimeStamp)
			}
		})
	}
}

func TestTokenOfSeveralSigners(t *testing.T) {
	w := newWorld(t, "ozdst")
	other := w.tsa(t, func(*cert.Template) {})
	doc := w.withToken(t, func(s []byte) []byte {
		token := mustParse(t, w.token(t, s, w.Now))
		out, err := token.AddSigner(nil, cms.Signer{Key: other.Key, Chain: other.Chain, SigningTime: w.Now}, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return out
	})
	mustFail(t, mustVerify(t, doc, nil, w.options()), nil, []wrong{{CheckFormat, Failed, FormatFailure, errTokenSigners}})
}

func TestTokenCertificateMissing(t *testing.T) {
	w := newWorld(t, "ozdst")
	for name, bag := range map[string][]*cert.Certificate{"empty": {}, "only issuers": w.TSA.Chain[1:]} {
		t.Run(name, func(t *testing.T) {
			doc := w.withToken(t, func(s []byte) []byte { return tokenForge{bag: bag}.make(t, w, s) })
			mustFail(t, mustVerify(t, doc, nil, w.options()), nil, []wrong{{CheckSignerCertificate, Failed, NoSigningCertificateFound, errNoCertificate}})
		})
	}
}

func TestTokenThatDoesNotNameItsCertificate(t *testing.T) {
	w := newWorld(t, "ozdst")
	doc := w.withToken(t, func(s []byte) []byte { return tokenForge{noESS: true}.make(t, w, s) })
	mustFail(t, mustVerify(t, doc, nil, w.options()), nil, []wrong{{CheckSignedAttributes, Failed, SigConstraintsFailure, errTokenSigner}})
}

func TestTokenThatNamesAnotherCertificate(t *testing.T) {
	w := newWorld(t, "ozdst")
	doc := w.withToken(t, func(s []byte) []byte {
		info := tstInfo(w, w.TSA, s, w.Now)
		d := w.TSA.Key.Digest()
		ess := ber.Sequence(ber.Sequence(ber.Sequence(d.Identifier().Marshal(), ber.OctetString(d.Sum(w.user.Cert.Raw)))))
		attrs := append(honestAttrs(d, cms.OIDTSTInfo, info), cms.NewAttribute(cms.OIDSigningCertificateV2, ess))
		return tokenForge{content: info, attrs: attrs, noESS: true}.make(t, w, s)
	})
	mustFail(t, mustVerify(t, doc, nil, w.options()), nil, []wrong{{CheckSignerCertificate, Failed, NoSigningCertificateFound, cms.ErrCertificate}})
}

func TestTokenWithAnotherContentThanSigned(t *testing.T) {
	w := newWorld(t, "ozdst")
	doc := w.withToken(t, func(s []byte) []byte {
		attrs := honestAttrs(w.TSA.Key.Digest(), cms.OIDTSTInfo, tstInfo(w, w.TSA, s, w.Now.Add(-time.Hour)))
		return tokenForge{attrs: attrs}.make(t, w, s)
	})
	mustFail(t, mustVerify(t, doc, nil, w.options()), nil, []wrong{{CheckDigest, Failed, HashFailure, cms.ErrDigestMismatch}})
}

func TestTokenSignedByAnotherKey(t *testing.T) {
	w := newWorld(t, "ozdst")
	evil := w.TSA
	evil.Key = testpki.Key(t, "ozdst")
	doc := w.withToken(t, func(s []byte) []byte { return tokenForge{tsa: evil}.make(t, w, s) })
	mustFail(t, mustVerify(t, doc, nil, w.options()), nil, []wrong{{CheckSignature, Failed, SigCryptoFailure, cms.ErrSignature}})
}

func TestTokenFromTheFuture(t *testing.T) {
	w := newWorld(t, "ozdst")
	doc := w.document(t)
	mustBeValid(t, w.stamp(t, doc, 0, w.Now.Add(4*time.Minute)), nil, w.options())
	late := w.stamp(t, doc, 0, w.Now.Add(6*time.Minute))
	mustFail(t, mustVerify(t, late, nil, w.options()), nil, []wrong{{CheckSigningTime, Failed, TimestampOrderFailure, errTokenFuture}})
	o := w.options()
	o.ClockSkew = 10 * time.Minute
	mustBeValid(t, late, nil, o)
}

func TestTokenOfAnUntrustedAuthority(t *testing.T) {
	w := newWorld(t, "ozdst")
	stranger := testpki.New(t, "ozdst")
	doc := w.withToken(t, func(s []byte) []byte { return tokenBy(t, stranger.TSA, s, w.Now) })
	mustFail(t, mustVerify(t, doc, nil, w.options()), nil, []wrong{{CheckPath, Failed, CertificateChainGeneralFailure, nil}})
	if slices.Contains(w.responder.asked, stranger.TSA.Cert.SerialHex()) {
		t.Error("asked about a stranger")
	}
	selfMade := w.SelfSigned(t, func(c *cert.Template) {
		c.Subject, c.BasicConstraints, c.KeyUsage = testpki.Name(t, "CN=My own TSA"), nil, cert.KeyUsageDigitalSignature
		c.ExtKeyUsage, c.ExtKeyUsageCritical = []ber.OID{cert.OIDTimeStamping}, true
	}, "ozdst")
	doc = w.withToken(t, func(s []byte) []byte { return tokenBy(t, selfMade, s, w.Now) })
	mustFail(t, mustVerify(t, doc, nil, w.options()), nil, []wrong{{CheckPath, Failed, NoCertificateChainFound, nil}})
}

func TestTokenWithAnUnverifiedCertificateInItsBag(t *testing.T) {
	w := newWorld(t, "ozdst")
	forged := bytes.Clone(w.user.Cert.Raw)
	forged[len(forged)-1] ^= 1
	broken, err := cert.Parse(forged)
	if err != nil {
		t.Fatal(err)
	}
	doc := w.withToken(t, func(s []byte) []byte {
		return tokenForge{bag: append([]*cert.Certificate{broken}, w.TSA.Chain...)}.make(t, w, s)
	})
	mustFail(t, mustVerify(t, doc, nil, w.options()), nil, []wrong{{CheckBag, Failed, CertificateChainGeneralFailure, nil}})
}

func TestTokenByACertificateThatIsNotForTimestamps(t *testing.T) {
	w := newWorld(t, "ozdst")
	for name, mod := range map[string]func(*cert.Template){
		"purpose missing":               func(c *cert.Template) { c.ExtKeyUsage = nil },
		"purpose not critical":          func(c *cert.Template) { c.ExtKeyUsageCritical = false },
		"another purpose beside it":     func(c *cert.Template) { c.ExtKeyUsage = append(c.ExtKeyUsage, cert.OIDClientAuth) },
		"any purpose":                   func(c *cert.Template) { c.ExtKeyUsage = []ber.OID{cert.OIDAnyExtKeyUsage} },
		"a CA":                          func(c *cert.Template) { c.BasicConstraints = &cert.BasicConstraints{IsCA: true, MaxPathLen: -1} },
		"key usage without a signature": func(c *cert.Template) { c.KeyUsage = cert.KeyUsageKeyAgreement },
	} {
		t.Run(name, func(t *testing.T) {
			tsa := w.tsa(t, mod)
			doc := w.withToken(t, func(s []byte) []byte { return tokenForge{tsa: tsa}.make(t, w, s) })
			mustFail(t, mustVerify(t, doc, nil, w.options()), nil, []wrong{{CheckKeyUsage, Failed, ChainConstraintsFailure, tsp.ErrSigner}})
		})
	}
	t.Run("the user himself", func(t *testing.T) {
		doc := w.withToken(t, func(s []byte) []byte { return tokenForge{tsa: w.user}.make(t, w, s) })
		mustFail(t, mustVerify(t, doc, nil, w.options()), nil, []wrong{{CheckKeyUsage, Failed, ChainConstraintsFailure, tsp.ErrSigner}})
	})
}

func TestTokenOutsideTheValidityOfItsAuthority(t *testing.T) {
	w := newWorld(t, "ozdst")
	for name, tt := range map[string]struct {
		mod  func(*cert.Template)
		sub  SubIndication
		want error
	}{
		"expired":       {func(c *cert.Template) { c.NotAfter = w.Now.Add(-time.Second) }, Expired, errTooLate},
		"not valid yet": {func(c *cert.Template) { c.NotBefore = w.Now.Add(time.Second) }, NotYetValid, errTooEarly},
	} {
		t.Run(name, func(t *testing.T) {
			tsa := w.tsa(t, tt.mod)
			doc := w.withToken(t, func(s []byte) []byte { return tokenForge{tsa: tsa}.make(t, w, s) })
			mustFail(t, mustVerify(t, doc, nil, w.options()), nil, []wrong{{CheckValidity, Failed, tt.sub, tt.want}})
		})
	}
}

func TestStatusOfTheAuthorityThatCannotBeHad(t *testing.T) {
	w := newWorld(t, "ozdst")
	w.responder.fail[w.TSA.Cert.SerialHex()] = errDown
	r := mustVerify(t, w.stamped(t), nil, w.options())
	mustFail(t, r, nil, []wrong{{CheckRevocation, Indeterminate, TryLater, errDown}})
	if r.Indication != TotalIndeterminate || r.SubIndication != TryLater {
		t.Errorf("%s %s", r.Indication, r.SubIndication)
	}
}

// RFC 3161 4.1.
func TestRevokedAuthority(t *testing.T) {
	w := newWorld(t, "ozdst")
	stamp := w.Now.Add(-time.Minute)
	doc := w.stamp(t, w.document(t), 0, stamp)
	for _, tt := range []struct {
		reason int
		spared bool
	}{
		{ocsp.NoReason, false}, {1, false}, {2, false}, {3, true}, {4, true}, {5, true}, {6, false}, {9, false}, {10, false},
	} {
		t.Run(ocsp.ReasonName(tt.reason), func(t *testing.T) {
			w.responder.revoke(w.TSA.Cert, stamp.Add(time.Second), tt.reason)
			r := mustVerify(t, doc, nil, w.options())
			if tt.spared {
				if !r.Valid() || r.Signers[0].TimeStamp.Check(CheckRevocation).Note == "" {
					t.Errorf("a token from before is not valid: %v", r.FirstFailure())
				}
				o := w.options()
				o.StrictRevocation = true
				r = mustVerify(t, doc, nil, o)
			}
			cause := errRevoked
			if tt.reason == 6 {
				cause = errSuspended
			}
			mustFail(t, r, nil, []wrong{{CheckRevocation, Failed, Revoked, cause}})
			// A token from after is never valid.
			w.responder.revoke(w.TSA.Cert, stamp, tt.reason)
			mustFail(t, mustVerify(t, doc, nil, w.options()), nil, []wrong{{CheckRevocation, Failed, Revoked, cause}})
		})
	}
}

// unspecified is a reason when it is written, which our responder does not do.
func TestUnspecifiedIsAReason(t *testing.T) {
	for reason, want := range map[int]bool{ocsp.NoReason: false, 0: true} {
		if got := (&RevocationStatus{Status: ocsp.Revoked, Reason: reason}).sparesOlderTokens(); got != want {
			t.Errorf("reason %d: %v", reason, got)
		}
	}
}

func TestTokenInsideAToken(t *testing.T) {
	w := newWorld(t, "ozdst")
	for _, oid := range []ber.OID{cms.OIDTimeStampToken, ber.MustOID("1.2.3")} {
		doc := w.withToken(t, func(s []byte) []byte {
			token := w.token(t, s, w.Now)
			return addUnsigned(t, token, 0, oid, w.token(t, mustParse(t, token).SignerInfos[0].Signature, w.Now))
		})
		mustFail(t, mustVerify(t, doc, nil, w.options()), nil, []wrong{{CheckUnsignedAttributes, Failed, SigConstraintsFailure, errHiddenToken}})
	}
}

func TestEarliestOfSeveralTimestampsIsTheDate(t *testing.T) {
	w := newWorld(t, "ozdst")
	early, late := w.Now.Add(-2*time.Hour), w.Now.Add(-time.Hour)
	doc := w.document(t)
	signature := mustParse(t, doc).SignerInfos[0].Signature
	a, b := w.token(t, signature, early), w.token(t, signature, late)
	for _, tokens := range [][][]byte{{a, b}, {b, a}} {
		// As two attributes and as two values of one.
		two := addUnsigned(t, addUnsigned(t, doc, 0, cms.OIDTimeStampToken, tokens[0]), 0, cms.OIDTimeStampToken, tokens[1])
		one := addUnsigned(t, doc, 0, cms.OIDTimeStampToken, tokens...)
		for _, d := range [][]byte{two, one} {
			s := mustBeValid(t, d, nil, w.options()).Signers[0]
			if len(s.TimeStamps) != 2 || !s.SigningDate.Equal(early) || !s.TimeStamp.Token.Info.GenTime.Equal(early) {
				t.Errorf("%d timestamps, date %v", len(s.TimeStamps), s.SigningDate)
			}
		}
	}
}

func TestEveryTimestampMustBeValid(t *testing.T) {
	w := newWorld(t, "ozdst")
	wrongToken := w.token(t, []byte("another"), w.Now.Add(-3*time.Hour))
	for name, doc := range map[string][]byte{
		"second":  addUnsigned(t, w.stamped(t), 0, cms.OIDTimeStampToken, wrongToken),
		"nothing": addUnsigned(t, w.stamped(t), 0, cms.OIDTimeStampToken, ber.Null()),
	} {
		t.Run(name, func(t *testing.T) {
			r := mustVerify(t, doc, nil, w.options())
			s := r.Signers[0]
			if r.Valid() || len(s.TimeStamps) != 2 {
				t.Fatalf("valid %v with %d timestamps", r.Valid(), len(s.TimeStamps))
			}
			if !s.TimeStamp.Valid() || s.SigningDateSource != DateFromTimeStamp {
				t.Error("the date is not from the sound token")
			}
			if f := r.FirstFailure(); f.Signer != 0 || f.TimeStamp < 0 || s.TimeStamps[f.TimeStamp] == s.TimeStamp {
				t.Errorf("%v", f)
			}
		})
	}
}

func TestTooManyTimestamps(t *testing.T) {
	w := newWorld(t, "ozdst")
	doc := w.document(t)
	signature := mustParse(t, doc).SignerInfos[0].Signature
	var tokens [][]byte
	for i := range maxTokens + 1 {
		tokens = append(tokens, w.token(t, signature, w.Now.Add(-time.Duration(i)*time.Second)))
	}
	mustBeValid(t, addUnsigned(t, doc, 0, cms.OIDTimeStampToken, tokens[1:]...), nil, w.options())
	mustFail(t, mustVerify(t, addUnsigned(t, doc, 0, cms.OIDTimeStampToken, tokens...), nil, w.options()),
		[]wrong{{CheckUnsignedAttributes, Failed, SigConstraintsFailure, errTooManyTokens}}, nil)
}

func TestTooManyTimestampsInAll(t *testing.T) {
	w := newWorld(t, "ecdsa:P-256")
	var signers []cms.Signer
	for range maxDocumentTokens/maxTokens + 1 {
		signers = append(signers, signerOf(w.user))
	}
	doc := mustSign(t, []byte("x"), cms.Options{}, signers...)
	for i := range signers {
		signature := mustParse(t, doc).SignerInfos[i].Signature
		var tokens [][]byte
		for range maxTokens {
			tokens = append(tokens, w.token(t, signature, w.Now))
		}
		doc = addUnsigned(t, doc, i, cms.OIDTimeStampToken, tokens...)
	}
	r := mustVerify(t, doc, nil, w.options())
	last := len(signers) - 1
	if f := r.FirstFailure(); f == nil || f.Signer != last || !errors.Is(f, errTooManyTokens) {
		t.Errorf("%v", f)
	}
	if n := len(r.Signers[last].TimeStamps); n != 0 {
		t.Errorf("%d tokens too many were looked at", n)
	}
}

func TestTooManyCertificatesInAToken(t *testing.T) {
	w := newWorld(t, "ozdst")
	bag := slices.Clone(w.TSA.Chain)
	for len(bag) < maxTokenCertificates {
		bag = append(bag, w.Root.Cert)
	}
	mustBeValid(t, w.withToken(t, func(s []byte) []byte { return tokenForge{bag: bag}.make(t, w, s) }), nil, w.options())
	bag = append(bag, w.Root.Cert)
	doc := w.withToken(t, func(s []byte) []byte { return tokenForge{bag: bag}.make(t, w, s) })
	mustFail(t, mustVerify(t, doc, nil, w.options()), nil, []wrong{{CheckFormat, Failed, FormatFailure, errTokenBag}})
}

func TestTimestampByAnotherFamily(t *testing.T) {
	w := newWorld(t, "ozdst")
	other := newWorld(t, "ecdsa:P-256")
	o := w.options()
	o.Anchors = cert.NewPool(w.Root.Cert, other.Root.Cert)
	w.responder.answers = append(w.responder.answers, other.responder.answers...)
	doc := w.withToken(t, func(s []byte) []byte { return other.token(t, s, w.Now) })
	mustBeValid(t, doc, nil, o)
}
