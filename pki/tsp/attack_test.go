package tsp

import (
	"crypto"
	"crypto/rand"
	"errors"
	"slices"
	"testing"

	"imzo/internal/testpki"
	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
	"imzo/pki/cms"
)

// The tests of this file are named for attacks. In each, all signatures that
// the attacker needs and has are real.

func TestTimestampOfAnotherSignature(t *testing.T) {
	w := newWorld(t, "ozdst")
	token := mustParseToken(t, w.token(t))
	if err := token.VerifySignature(); err != nil {
		t.Fatal(err)
	}
	if err := token.CheckImprint([]byte("another signature value")); !errors.Is(err, ErrImprint) {
		t.Error(err)
	}
}

// TestForeignCertificateFirstInTheBag is the class of CVE-2026-39984: an
// ordinary user stamps, and the certificate of a real authority lies in the
// bag for the checks of purpose to find.
func TestForeignCertificateFirstInTheBag(t *testing.T) {
	w := newWorld(t, "ozdst")
	user := w.User(t, testpki.Person)
	info := tstInfo{}.marshal(w.digest())
	for name, bag := range map[string][]*cert.Certificate{
		"first": {w.TSA.Cert, user.Cert, w.CA.Cert, w.Root.Cert},
		"last":  {user.Cert, w.CA.Cert, w.Root.Cert, w.TSA.Cert},
	} {
		token := mustParseToken(t, withBag(t, w.sign(t, info, signedBy(user)), bag...))
		if _, c, err := token.Signer(); err != nil || !c.Equal(user.Cert) {
			t.Errorf("%s: signed by %v, %v", name, c, err)
		}
		if err := token.VerifySignature(); !errors.Is(err, ErrSigner) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A bag in any order is no attack by itself.
	token := mustParseToken(t, withBag(t, w.sign(t, info), user.Cert, w.Root.Cert, w.TSA.Cert, w.CA.Cert))
	if _, c, err := token.Signer(); err != nil || !c.Equal(w.TSA.Cert) {
		t.Errorf("signed by %v, %v", c, err)
	}
	if err := token.VerifySignature(); err != nil {
		t.Error(err)
	}
}

// TestTwinOfTheAuthority has an attacker's CA that issued a certificate with
// the authority's issuer name and serial number.
func TestTwinOfTheAuthority(t *testing.T) {
	w := newWorld(t, "ozdst")
	evilCA := w.SelfSigned(t, func(tmpl *cert.Template) { tmpl.Subject = w.CA.Cert.Subject }, w.KeySpec)
	evil := w.tsa(t, evilCA, func(tmpl *cert.Template) { tmpl.Serial, tmpl.Subject = w.TSA.Cert.Serial, w.TSA.Cert.Subject })
	info := tstInfo{}.marshal(w.digest())

	token := mustParseToken(t, withBag(t, w.sign(t, info, signedBy(evil)), w.TSA.Cert, evil.Cert, w.CA.Cert))
	// What signed is the attacker's, and its path is what will be judged.
	if _, c, err := token.Signer(); err != nil || !c.Equal(evil.Cert) {
		t.Errorf("signed by %v, %v", c, err)
	}
	// Naming the real certificate with the attacker's key is not possible.
	real := cms.NewAttribute(cms.OIDSigningCertificateV2, signingCertificate(w.TSA.Cert))
	token = mustParseToken(t, withBag(t, w.sign(t, info, signedBy(evil), func(s *cms.Signer, _ *cms.Options) {
		s.ExtraSignedAttrs = []cms.Attribute{real}
	}), w.TSA.Cert, evil.Cert))
	if _, c, err := token.Signer(); !errors.Is(err, ErrSignature) || c != nil {
		t.Errorf("signed by %v, %v", c, err)
	}
}

func TestCertificatesThatAreNoAuthority(t *testing.T) {
	w := newWorld(t, "ecdsa:P-256")
	for _, tt := range []struct {
		name   string
		change func(*cert.Template)
		want   error
	}{
		{"honest", func(*cert.Template) {}, nil},
		{"without key usage", func(tmpl *cert.Template) { tmpl.KeyUsage = 0 }, nil},
		{"for contentCommitment", func(tmpl *cert.Template) { tmpl.KeyUsage = cert.KeyUsageContentCommitment }, nil},
		{"explicitly no CA", func(tmpl *cert.Template) { tmpl.BasicConstraints = &cert.BasicConstraints{MaxPathLen: -1} }, nil},
		{"no purpose", func(tmpl *cert.Template) { tmpl.ExtKeyUsage = nil }, ErrSigner},
		{"another purpose", func(tmpl *cert.Template) { tmpl.ExtKeyUsage = []ber.OID{cert.OIDClientAuth} }, ErrSigner},
		{"any purpose", func(tmpl *cert.Template) { tmpl.ExtKeyUsage = []ber.OID{cert.OIDAnyExtKeyUsage} }, ErrSigner},
		{"purpose not critical", func(tmpl *cert.Template) { tmpl.ExtKeyUsageCritical = false }, ErrSigner},
		{"one purpose more", func(tmpl *cert.Template) {
			tmpl.ExtKeyUsage = []ber.OID{cert.OIDTimeStamping, cert.OIDEmailProtection}
		}, ErrSigner},
		{"the purpose twice", func(tmpl *cert.Template) {
			tmpl.ExtKeyUsage = []ber.OID{cert.OIDTimeStamping, cert.OIDTimeStamping}
		}, ErrSigner},
		{"a CA", func(tmpl *cert.Template) {
			tmpl.BasicConstraints = &cert.BasicConstraints{IsCA: true, MaxPathLen: -1}
			tmpl.KeyUsage |= cert.KeyUsageCertSign
		}, ErrSigner},
		{"a key not for signing", func(tmpl *cert.Template) { tmpl.KeyUsage = cert.KeyUsageKeyEncipherment }, ErrSigner},
		{"a key for certificates", func(tmpl *cert.Template) { tmpl.KeyUsage = cert.KeyUsageCertSign }, ErrSigner},
	} {
		e := w.tsa(t, w.CA, tt.change)
		token := mustParseToken(t, w.sign(t, tstInfo{}.marshal(w.digest()), signedBy(e)))
		if err := token.VerifySignature(); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
		if _, c, err := token.Signer(); err != nil || !c.Equal(e.Cert) {
			t.Errorf("%s: signer %v, %v", tt.name, c, err)
		}
	}
}

func TestTokensWithoutExactlyOneSigner(t *testing.T) {
	w := newWorld(t, "ozdst")
	info := tstInfo{}.marshal(w.digest())
	signer := cms.Signer{Key: w.TSA.Key, Chain: w.TSA.Chain, SigningTime: w.Now,
		ExtraSignedAttrs: []cms.Attribute{cms.NewAttribute(cms.OIDSigningCertificateV2, signingCertificate(w.TSA.Cert))}}
	other := w.tsa(t, w.CA, func(*cert.Template) {})
	second := signer
	second.Key, second.Chain = other.Key, other.Chain
	second.ExtraSignedAttrs = []cms.Attribute{cms.NewAttribute(cms.OIDSigningCertificateV2, signingCertificate(other.Cert))}
	for name, signers := range map[string][]cms.Signer{"two authorities": {signer, second}, "one twice": {signer, signer}} {
		raw, err := cms.Sign(info, signers, cms.Options{ContentType: cms.OIDTSTInfo, DER: true})
		if err != nil {
			t.Fatal(err)
		}
		token := mustParseToken(t, raw)
		if _, _, err := token.Signer(); !errors.Is(err, ErrSigner) {
			t.Errorf("%s: %v", name, err)
		}
		if err := token.VerifySignature(); !errors.Is(err, ErrSigner) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := mustParseToken(t, withoutSigners(t, w.token(t))).VerifySignature(); !errors.Is(err, ErrSigner) {
		t.Errorf("nobody: %v", err)
	}
}

// withoutSigners empties signerInfos and digestAlgorithms.
func withoutSigners(t *testing.T, token []byte) []byte {
	t.Helper()
	sd := mustParseToken(t, token).SignedData
	encap := ber.Sequence(cms.OIDTSTInfo.DER(), ber.Tagged(ber.ContextConstructed(0), ber.OctetString(sd.Content())))
	return ber.Sequence(cms.OIDSignedData.DER(), ber.Tagged(ber.ContextConstructed(0), ber.Sequence(ber.Int64(3), ber.Set(), encap, ber.Set())))
}

func TestTokensThatDoNotNameTheirCertificate(t *testing.T) {
	w := newWorld(t, "ozdst")
	other := w.tsa(t, w.CA, func(tmpl *cert.Template) { tmpl.PublicKey = w.TSA.Key.PublicKey() })
	v2 := func(d *alg.Digest, c *cert.Certificate) cms.Attribute {
		return cms.NewAttribute(cms.OIDSigningCertificateV2, ber.Sequence(ber.Sequence(ber.Sequence(d.Identifier().Marshal(), ber.OctetString(d.Sum(c.Raw))))))
	}
	v1 := func(c *cert.Certificate) cms.Attribute {
		return cms.NewAttribute(cms.OIDSigningCertificate, ber.Sequence(ber.Sequence(ber.Sequence(ber.OctetString(alg.SHA1().Sum(c.Raw))))))
	}
	for _, tt := range []struct {
		name  string
		attrs []cms.Attribute
		want  error
	}{
		{"by SHA-256", []cms.Attribute{v2(alg.SHA256(), w.TSA.Cert)}, nil},
		{"by O'z DSt", []cms.Attribute{v2(alg.OZDST(), w.TSA.Cert)}, nil},
		{"by SHA-1", []cms.Attribute{v1(w.TSA.Cert)}, nil},
		{"in both ways", []cms.Attribute{v1(w.TSA.Cert), v2(alg.SHA256(), w.TSA.Cert)}, nil},
		{"not at all", nil, ErrSigner},
		{"another certificate of the key", []cms.Attribute{v2(alg.SHA256(), other.Cert)}, ErrSignature},
		{"another by SHA-1", []cms.Attribute{v1(other.Cert)}, ErrSignature},
		{"two that differ", []cms.Attribute{v1(other.Cert), v2(alg.SHA256(), w.TSA.Cert)}, ErrSignature},
		{"an empty list", []cms.Attribute{cms.NewAttribute(cms.OIDSigningCertificateV2, ber.Sequence(ber.Sequence()))}, ErrSignature},
	} {
		token := mustParseToken(t, w.sign(t, tstInfo{}.marshal(w.digest()), func(s *cms.Signer, _ *cms.Options) { s.ExtraSignedAttrs = tt.attrs }))
		if err := token.VerifySignature(); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

// TestTokensSignedWithSHA1AreRefused: the signature is right, and still nothing
// to rely on, because who asks chooses a part of what is signed.
func TestTokensSignedWithSHA1AreRefused(t *testing.T) {
	w := newWorld(t, "rsa:2048")
	for _, tt := range []struct {
		hash      crypto.Hash
		digest    *alg.Digest
		signature ber.OID
		want      error
	}{
		{crypto.SHA256, alg.SHA256(), alg.OIDSignatureSHA256WithRSA, nil},
		{crypto.SHA1, alg.SHA1(), alg.OIDSignatureSHA1WithRSA, ErrSignature},
		{crypto.SHA1, alg.SHA1(), alg.OIDKeyRSA, ErrSignature}, // the digest stands beside
	} {
		content := tstInfo{}.marshal(w.digest())
		// RFC 5652 5.3 and 5.4: what is signed has the tag of SET OF.
		attributes := [][]byte{
			ber.Sequence(ber.MustOID("1.2.840.113549.1.9.3").DER(), ber.Set(cms.OIDTSTInfo.DER())),
			ber.Sequence(ber.MustOID("1.2.840.113549.1.9.4").DER(), ber.Set(ber.OctetString(tt.digest.Sum(content)))),
			ber.Sequence(cms.OIDSigningCertificateV2.DER(), ber.Set(signingCertificate(w.TSA.Cert))),
		}
		signed := ber.Set(attributes...)
		h := tt.hash.New()
		h.Write(signed)
		signature, err := w.TSA.Key.Signer().Sign(rand.Reader, h.Sum(nil), tt.hash)
		if err != nil {
			t.Fatal(err)
		}
		digestAlgorithm := tt.digest.Identifier().Marshal()
		algorithm := ber.Sequence(tt.signature.DER(), ber.Null())
		signer := ber.Sequence(
			ber.Int64(1),
			ber.Sequence(w.TSA.Cert.RawIssuer, ber.Int(w.TSA.Cert.Serial)),
			digestAlgorithm,
			ber.Tagged(ber.ContextConstructed(0), attributes...),
			algorithm,
			ber.OctetString(signature),
		)
		token := mustParseToken(t, ber.Sequence(cms.OIDSignedData.DER(), ber.Tagged(ber.ContextConstructed(0), ber.Sequence(
			ber.Int64(3), ber.Set(digestAlgorithm),
			ber.Sequence(cms.OIDTSTInfo.DER(), ber.Tagged(ber.ContextConstructed(0), ber.OctetString(content))),
			ber.Tagged(ber.ContextConstructed(0), w.TSA.Cert.Raw),
			ber.Set(signer),
		))))
		if err := token.SignedData.Verify(token.SignedData.SignerInfos[0], w.TSA.Cert, nil); err != nil {
			t.Fatalf("%v: %v", tt.hash, err)
		}
		if err := token.VerifySignature(); !errors.Is(err, tt.want) {
			t.Errorf("%v: %v, want %v", tt.hash, err, tt.want)
		}
		if _, c, err := token.Signer(); (c == nil) != (tt.want != nil) {
			t.Errorf("%v: %v", tt.hash, err)
		}
	}
}

func TestSignaturesOfOthers(t *testing.T) {
	w := newWorld(t, "ozdst")
	raw := w.token(t)
	// The last octets are the signature value.
	forged := slices.Clone(raw)
	if _, err := rand.Read(forged[len(forged)-64:]); err != nil {
		t.Fatal(err)
	}
	if err := mustParseToken(t, forged).VerifySignature(); !errors.Is(err, ErrSignature) {
		t.Error(err)
	}
	// The bag has no certificate that the signer names.
	token := mustParseToken(t, withBag(t, raw, w.CA.Cert, w.Root.Cert))
	if _, c, err := token.Signer(); !errors.Is(err, ErrSigner) || c != nil {
		t.Errorf("%v, %v", c, err)
	}
	// The one certificate twice is still one.
	token = mustParseToken(t, withBag(t, raw, w.TSA.Cert, w.TSA.Cert))
	if _, c, err := token.Signer(); err != nil || !c.Equal(w.TSA.Cert) {
		t.Errorf("%v, %v", c, err)
	}
}

func TestResponsesToOtherRequests(t *testing.T) {
	w := newWorld(t, "ecdsa:P-256")
	honest := w.request()
	for _, tt := range []struct {
		name   string
		change func(*Request, *tstInfo)
		want   error
	}{
		{"honest", func(*Request, *tstInfo) {}, nil},
		{"nonce mismatch", func(_ *Request, i *tstInfo) { i.nonce = ber.Int64(1) }, ErrNonce},
		{"nonce missing", func(_ *Request, i *tstInfo) { i.nonce = []byte{} }, ErrNonce},
		{"nonce negated", func(_ *Request, i *tstInfo) { i.nonce = ber.Int64(-0x5eed) }, ErrNonce},
		{"nonce of nobody", func(r *Request, _ *tstInfo) { r.Nonce = nil }, nil},
		{"another imprint", func(_ *Request, i *tstInfo) {
			i.imprint = ber.Sequence(w.digest().Identifier().Marshal(), ber.OctetString(w.digest().Sum([]byte("other"))))
		}, ErrImprint},
		{"another digest of the same length", func(_ *Request, i *tstInfo) {
			i.imprint = ber.Sequence(alg.OZDST().Identifier().Marshal(), ber.OctetString(honest.HashedMessage))
		}, ErrImprint},
		{"the policy asked for", func(r *Request, _ *tstInfo) { r.Policy = ber.MustOID(testPolicy) }, nil},
		{"another policy", func(r *Request, i *tstInfo) {
			r.Policy, i.policy = ber.MustOID(testPolicy), ber.MustOID("1.2.3").DER()
		}, ErrPolicy},
	} {
		req, info := honest, tstInfo{}
		tt.change(&req, &info)
		res, err := ParseResponse(granted(w.sign(t, info.marshal(w.digest()))))
		if err != nil {
			t.Fatal(err)
		}
		token, err := res.Check(req)
		if !errors.Is(err, tt.want) || (token == nil) != (tt.want != nil) {
			t.Errorf("%s: %v, %v", tt.name, token, err)
		}
	}
	user := w.User(t, testpki.Person)
	res, err := ParseResponse(granted(w.sign(t, tstInfo{}.marshal(w.digest()), signedBy(user))))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := res.Check(honest); !errors.Is(err, ErrSigner) {
		t.Errorf("by who is no authority: %v", err)
	}
}

// TestNoOctetOfATokenCanBeChanged walks over tokens: each change of each octet
// is noticed by ParseToken, VerifySignature, CheckImprint or cert.CheckBag.
func TestNoOctetOfATokenCanBeChanged(t *testing.T) {
	for _, tt := range []struct {
		name, spec string
		every      int // take one change in so many
		change     func(*cms.Signer, *cms.Options)
	}{
		{"O'z DSt", "ozdst", 1, func(*cms.Signer, *cms.Options) {}},
		{"BER of E-IMZO", "ozmst", 3, func(_ *cms.Signer, o *cms.Options) { o.DER = false }},
		{"ECDSA by key identifier", "ecdsa:P-256", 3, func(s *cms.Signer, _ *cms.Options) { s.UseSubjectKeyID = true }},
		{"Ed25519", "ed25519", 3, func(*cms.Signer, *cms.Options) {}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if testing.Short() && tt.every != 1 {
				t.Skip("walks take seconds")
			}
			w := newWorld(t, tt.spec)
			info := tstInfo{
				accuracy: marshalAccuracy(1500 * 1000 * 1000), ordering: ber.Bool(false),
				tsa:        ber.Tagged(ber.ContextConstructed(0), ber.Tagged(ber.Context(6), []byte(testName))),
				extensions: ber.Tagged(ber.ContextConstructed(1), extension("1.2.3", false, ber.Null())),
			}
			raw := w.sign(t, info.marshal(w.digest()), tt.change)
			accepted := func(b []byte) bool {
				token, err := ParseToken(b)
				return err == nil && token.VerifySignature() == nil && token.CheckImprint(seal) == nil && cert.CheckBag(token.SignedData.Certificates, nil) == nil
			}
			if !accepted(raw) {
				t.Fatal("the token itself is refused")
			}
			n := 0
			testpki.EachByteChange(raw, func(offset int, mutated []byte) {
				if n++; n%tt.every == 0 && accepted(mutated) {
					t.Errorf("offset %d: %#02x for %#02x", offset, mutated[offset], raw[offset])
				}
			})
			testpki.EachTruncation(raw, func(prefix []byte) {
				if _, err := ParseToken(prefix); err == nil {
					t.Errorf("%d octets of %d parse", len(prefix), len(raw))
				}
			})
		})
	}
}
