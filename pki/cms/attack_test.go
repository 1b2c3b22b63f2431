package cms

import (
	"bytes"
	"errors"
	"testing"

	"imzo/internal/testpki"
	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
)

// The tests of this file are named for attacks on the logic of CMS. In each,
// all signatures that the attacker needs and has are real.

func TestBagOrderDoesNotMatter(t *testing.T) {
	pki := testpki.New(t, "ozdst")
	user, stranger := pki.User(t, testpki.Person), pki.User(t, testpki.Organisation)
	s := mustParse(t, mustSign(t, []byte("x"), Options{}, signerOf(user)))
	b := change(s, func(d *document) {
		d.certificates = [][]byte{stranger.Cert.Raw, pki.Root.Cert.Raw, user.Cert.Raw, pki.CA.Cert.Raw}
	})
	s = mustVerify(t, b, nil)
	if got := s.SignerCertificates(s.SignerInfos[0]); len(got) != 1 || !got[0].Equal(user.Cert) {
		t.Errorf("signed by %v", got)
	}
}

func TestBagRefusesUnverifiedCertificates(t *testing.T) {
	pki := testpki.New(t, "ozdst")
	user := pki.User(t, testpki.Person)
	s := mustParse(t, mustSign(t, []byte("x"), Options{}, signerOf(user)))
	forged := bytes.Clone(user.Cert.Raw)
	forged[len(forged)-1] ^= 1
	b := change(s, func(d *document) { d.certificates = append([][]byte{forged}, d.certificates...) })
	s = mustParse(t, b)
	si := s.SignerInfos[0]
	if got := s.SignerCertificates(si); len(got) != 2 {
		t.Fatalf("%d certificates of the signer", len(got))
	}
	var path *cert.PathError
	if err := verifyAll(s, nil); !errors.As(err, &path) {
		t.Errorf("a forged certificate rides along: %v", err)
	}
}

// TestAnotherCertificateOfTheSameSerial has an attacker's CA that issued a
// certificate with the victim's issuer name and serial number.
func TestAnotherCertificateOfTheSameSerial(t *testing.T) {
	pki := testpki.New(t, "ozdst")
	victim := pki.User(t, testpki.Person)
	evilCA := pki.SelfSigned(t, func(c *cert.Template) { c.Subject = pki.CA.Cert.Subject }, "ozdst")
	evil := pki.Issue(t, evilCA, func(c *cert.Template) {
		c.Serial, c.Subject = victim.Cert.Serial, victim.Cert.Subject
	}, "ozdst")

	b := forge{content: []byte("x"), bag: []*cert.Certificate{victim.Cert, evil.Cert, evilCA.Cert}}.make(t, evil)
	s := mustParse(t, b)
	si := s.SignerInfos[0]
	if got := s.SignerCertificates(si); len(got) != 2 {
		t.Fatalf("%d certificates of the signer", len(got))
	}
	if err := s.Verify(si, victim.Cert, nil); !errors.Is(err, ErrSignature) {
		t.Errorf("the victim's certificate: %v", err)
	}
	// It is the attacker's certificate that verifies, so it is the
	// attacker's chain that path validation will see.
	if err := s.Verify(si, evil.Cert, nil); err != nil {
		t.Error(err)
	}
}

func TestCertificateTheSignerDoesNotName(t *testing.T) {
	pki := testpki.New(t, "ozdst")
	user := pki.User(t, testpki.Person)
	renewed := pki.User(t, testpki.Person, func(c *cert.Template) { c.PublicKey = user.Key.PublicKey() })
	s := mustParse(t, mustSign(t, []byte("x"), Options{}, signerOf(user)))
	if err := s.Verify(s.SignerInfos[0], renewed.Cert, nil); !errors.Is(err, ErrCertificate) {
		t.Errorf("same key, other certificate: %v", err)
	}
	// Another spelling of the issuer's name is another name.
	sid := SignerIdentifier{Issuer: testpki.Name(t, "CN=TESTCA,O=test.e-imzo.uz"), Serial: user.Cert.Serial}
	if !sid.Issuer.Equal(user.Cert.Issuer) {
		t.Fatal("the names should be equal by RFC 5280")
	}
	s = mustParse(t, forge{content: []byte("x"), sid: sid.marshal()}.make(t, user))
	if err := verifyAll(s, nil); !errors.Is(err, errNoCertificate) {
		t.Errorf("another spelling: %v", err)
	}
}

func TestAttributesThatMakeASignatureVoid(t *testing.T) {
	pki := testpki.New(t, "ozdst")
	user, other := pki.User(t, testpki.Person), pki.User(t, testpki.Organisation)
	content := []byte("x")
	attrs := honestAttrs(user, OIDData, content)
	contentType, signingTime, messageDigest := attrs[0], attrs[1], attrs[2]
	digest := ber.OctetString(alg.OZDST().Sum(content))
	wrong := ber.OctetString(alg.OZDST().Sum([]byte("y")))
	essID := func(d *alg.Digest, c *cert.Certificate) []byte {
		return ber.Sequence(ber.Sequence(ber.Sequence(d.Identifier().Marshal(), ber.OctetString(d.Sum(c.Raw)))))
	}
	essSHA1 := func(c *cert.Certificate) []byte {
		return ber.Sequence(ber.Sequence(ber.Sequence(ber.OctetString(alg.SHA1().Sum(c.Raw)))))
	}
	protection := func(digest, signature alg.AlgorithmIdentifier) Attribute {
		implicit := signature.Marshal()
		return NewAttribute(OIDAlgorithmProtection, ber.Sequence(digest.Marshal(), append([]byte{0xa1}, implicit[1:]...)))
	}
	ozdst, ozmst := alg.NewNull(alg.OIDDigestOZDST), alg.NewNull(alg.OIDDigestOZMST)
	for _, tt := range []struct {
		name  string
		attrs []Attribute
		want  error
	}{
		{"honest", attrs, nil},
		{"no signing time", []Attribute{contentType, messageDigest}, nil},
		{"honest with protection", append(attrs[:3:3], protection(ozdst, user.Key.SignatureAlgorithm())), nil},
		{"honest with protection without NULL", append(attrs[:3:3], protection(alg.New(alg.OIDDigestOZDST), alg.New(alg.OIDSignatureOZDST))), nil},
		{"honest with the certificate", append(attrs[:3:3], NewAttribute(OIDSigningCertificateV2, essID(alg.OZDST(), user.Cert))), nil},
		{"honest with the certificate by SHA-1", append(attrs[:3:3], NewAttribute(OIDSigningCertificate, essSHA1(user.Cert))), nil},

		{"no messageDigest", []Attribute{contentType, signingTime}, ErrAttribute},
		{"two messageDigests", append(attrs[:3:3], NewAttribute(OIDMessageDigest, wrong)), ErrAttribute},
		{"messageDigest twice the same", append(attrs[:3:3], messageDigest), ErrAttribute},
		{"two values of messageDigest", []Attribute{contentType, NewAttribute(OIDMessageDigest, digest, wrong)}, ErrAttribute},
		{"messageDigest of another type", []Attribute{contentType, NewAttribute(OIDMessageDigest, ber.UTF8String("x"))}, ErrAttribute},
		{"messageDigest of another content", []Attribute{contentType, NewAttribute(OIDMessageDigest, wrong)}, ErrDigestMismatch},
		{"messageDigest cut short", []Attribute{contentType, NewAttribute(OIDMessageDigest, ber.OctetString(nil))}, ErrDigestMismatch},
		{"no contentType", []Attribute{signingTime, messageDigest}, ErrAttribute},
		{"two contentTypes", append(attrs[:3:3], NewAttribute(OIDContentType, OIDTSTInfo.DER())), ErrAttribute},
		{"two values of contentType", []Attribute{NewAttribute(OIDContentType, OIDData.DER(), OIDTSTInfo.DER()), messageDigest}, ErrAttribute},
		{"contentType of another type", []Attribute{NewAttribute(OIDContentType, ber.Null()), messageDigest}, ErrAttribute},
		{"contentType of another content", []Attribute{NewAttribute(OIDContentType, OIDTSTInfo.DER()), messageDigest}, ErrContentType},
		{"two signing times", append(attrs[:3:3], NewAttribute(OIDSigningTime, ber.UTCTime(at("2020-01-01T00:00:00Z")))), ErrAttribute},
		{"two values of signing time", []Attribute{contentType, messageDigest, NewAttribute(OIDSigningTime, ber.UTCTime(at("2020-01-01T00:00:00Z")), ber.UTCTime(at("2021-01-01T00:00:00Z")))}, ErrAttribute},
		{"signing time that is none", []Attribute{contentType, messageDigest, NewAttribute(OIDSigningTime, ber.UTF8String("now"))}, ErrAttribute},

		{"protection of another digest", append(attrs[:3:3], protection(ozmst, user.Key.SignatureAlgorithm())), ErrAttribute},
		{"protection of another signature", append(attrs[:3:3], protection(ozdst, alg.NewNull(alg.OIDSignatureOZMST))), ErrAttribute},
		{"protection without signature", append(attrs[:3:3], NewAttribute(OIDAlgorithmProtection, ber.Sequence(ozdst.Marshal()))), ErrAttribute},
		{"protection with more", append(attrs[:3:3], NewAttribute(OIDAlgorithmProtection, ber.Sequence(ozdst.Marshal(), []byte{0xa1, 3, 6, 1, 0x2a}, ber.Null()))), ErrAttribute},
		{"protection that is none", append(attrs[:3:3], NewAttribute(OIDAlgorithmProtection, ber.Null())), ErrAttribute},
		{"protection of nothing", append(attrs[:3:3], NewAttribute(OIDAlgorithmProtection, ber.Sequence())), ErrAttribute},
		{"protection of a bad signature", append(attrs[:3:3], NewAttribute(OIDAlgorithmProtection, ber.Sequence(ozdst.Marshal(), []byte{0xa1, 0}))), ErrAttribute},
		{"two protections", append(attrs[:3:3], protection(ozdst, user.Key.SignatureAlgorithm()), protection(ozdst, user.Key.SignatureAlgorithm())), ErrAttribute},

		{"another's certificate", append(attrs[:3:3], NewAttribute(OIDSigningCertificateV2, essID(alg.OZDST(), other.Cert))), ErrCertificate},
		{"another's certificate by SHA-1", append(attrs[:3:3], NewAttribute(OIDSigningCertificate, essSHA1(other.Cert))), ErrCertificate},
		{"two lists of certificates", append(attrs[:3:3], NewAttribute(OIDSigningCertificateV2, essID(alg.OZDST(), user.Cert), essID(alg.OZDST(), other.Cert))), ErrAttribute},
		{"no certificate in the list", append(attrs[:3:3], NewAttribute(OIDSigningCertificateV2, ber.Sequence(ber.Sequence()))), ErrAttribute},
		{"no list of certificates", append(attrs[:3:3], NewAttribute(OIDSigningCertificateV2, ber.Sequence())), ErrAttribute},
		{"list of certificates that is none", append(attrs[:3:3], NewAttribute(OIDSigningCertificateV2, ber.Null())), ErrAttribute},
		{"certificate by an unknown digest", append(attrs[:3:3], NewAttribute(OIDSigningCertificateV2, ber.Sequence(ber.Sequence(ber.Sequence(alg.New(OIDData).Marshal(), ber.OctetString(nil)))))), ErrAttribute},
		{"certificate by a bad digest", append(attrs[:3:3], NewAttribute(OIDSigningCertificateV2, ber.Sequence(ber.Sequence(ber.Sequence(ber.Sequence(), ber.OctetString(nil)))))), ErrAttribute},
		{"certificate without a digest", append(attrs[:3:3], NewAttribute(OIDSigningCertificateV2, ber.Sequence(ber.Sequence(ber.Sequence(alg.SHA256().Identifier().Marshal()))))), ErrAttribute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := mustParse(t, forge{content: content, attrs: tt.attrs}.make(t, user))
			if err := s.Verify(s.SignerInfos[0], user.Cert, nil); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestUnsignedAttributesCannotStandForSignedOnes(t *testing.T) {
	user := testpki.New(t, "ozdst").User(t, testpki.Person)
	content := []byte("x")
	attrs := honestAttrs(user, OIDData, content)
	for _, i := range []int{0, 1, 2} {
		signed := append(attrs[:i:i], attrs[i+1:]...)
		s := mustParse(t, forge{content: content, attrs: signed, unsigned: attrs[i : i+1]}.make(t, user))
		if err := s.Verify(s.SignerInfos[0], user.Cert, nil); !errors.Is(err, ErrAttribute) {
			t.Errorf("unsigned %s: %v", attrs[i].Type, err)
		}
		s = mustParse(t, forge{content: content, attrs: attrs, unsigned: attrs[i : i+1]}.make(t, user))
		if err := s.Verify(s.SignerInfos[0], user.Cert, nil); !errors.Is(err, ErrAttribute) {
			t.Errorf("%s signed and unsigned: %v", attrs[i].Type, err)
		}
	}
	token := NewAttribute(OIDTimeStampToken, ber.Sequence())
	s := mustParse(t, forge{content: content, attrs: append(attrs, token)}.make(t, user))
	if _, err := s.SignerInfos[0].TimeStampTokens(); !errors.Is(err, ErrAttribute) {
		t.Errorf("signed token: %v", err)
	}
}

func TestDigestAlgorithmsThatLie(t *testing.T) {
	user := testpki.New(t, "ozdst").User(t, testpki.Person)
	ozdst, ozmst := alg.NewNull(alg.OIDDigestOZDST).Marshal(), alg.NewNull(alg.OIDDigestOZMST).Marshal()
	for _, tt := range []struct {
		name    string
		digests [][]byte
		digest  []byte
		want    error
	}{
		{"none", [][]byte{}, nil, ErrFormat},
		{"another", [][]byte{ozmst}, nil, ErrFormat},
		{"one more", [][]byte{ozdst, ozmst}, nil, ErrFormat},
		{"the same without NULL", [][]byte{alg.New(alg.OIDDigestOZDST).Marshal()}, nil, ErrFormat},
		{"an unknown one more", [][]byte{ozdst, alg.New(OIDData).Marshal()}, nil, ErrUnsupported},
		{"with parameters", nil, ber.Sequence(alg.OIDDigestOZDST.DER(), ber.Int64(1)), ErrFormat},
		{"with empty parameters", nil, ber.Sequence(alg.OIDDigestOZDST.DER(), ber.Sequence()), ErrFormat},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := forge{content: []byte("x"), digests: tt.digests, digest: tt.digest}.make(t, user)
			if _, err := Parse(b); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
	// The digest of the other family computes the same octets, so only the
	// rule that identifiers follow the family tells.
	s := mustParse(t, forge{content: []byte("x"), digest: ozmst}.make(t, user))
	if err := verifyAll(s, nil); !errors.Is(err, ErrSignature) {
		t.Errorf("digest of another family: %v", err)
	}
	s = mustParse(t, forge{content: []byte("x"), algorithm: alg.NewNull(alg.OIDSignatureOZMST).Marshal(), digest: ozmst}.make(t, user))
	if err := verifyAll(s, nil); !errors.Is(err, ErrSignature) {
		t.Errorf("signature of another family: %v", err)
	}
	s = mustParse(t, forge{content: []byte("x"), algorithm: ber.Sequence(alg.OIDSignatureOZDST.DER(), ber.Int64(1))}.make(t, user))
	if err := verifyAll(s, nil); !errors.Is(err, ErrSignature) {
		t.Errorf("signature algorithm with parameters: %v", err)
	}
	s = mustParse(t, forge{content: []byte("x"), algorithm: alg.New(OIDData).Marshal()}.make(t, user))
	if err := verifyAll(s, nil); !errors.Is(err, ErrUnsupported) {
		t.Errorf("unknown signature algorithm: %v", err)
	}
}

func TestDetachedContentSwapped(t *testing.T) {
	user := testpki.New(t, "ozdst").User(t, testpki.Person)
	content, other := []byte("pay 1"), []byte("pay 1000")
	detached := mustParse(t, mustSign(t, content, Options{Detached: true}, signerOf(user)))
	attached := mustParse(t, mustSign(t, content, Options{}, signerOf(user)))
	for _, tt := range []struct {
		name  string
		s     *SignedData
		given []byte
		want  error
	}{
		{"the content", detached, content, nil},
		{"another content", detached, other, ErrDigestMismatch},
		{"empty content", detached, []byte{}, ErrDigestMismatch},
		{"no content", detached, nil, ErrDetached},
		{"content beside an attached one", attached, content, ErrAttached},
		{"another content beside an attached one", attached, other, ErrAttached},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := verifyAll(tt.s, tt.given); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
	// An attacker who puts other content into the detached document.
	b := change(detached, func(d *document) { d.encap = encapContentInfo(OIDData, other, true) })
	if err := verifyAll(mustParse(t, b), nil); !errors.Is(err, ErrDigestMismatch) {
		t.Errorf("other content put in: %v", err)
	}
}

func TestContentTypeChanged(t *testing.T) {
	user := testpki.New(t, "ozdst").User(t, testpki.Person)
	s := mustParse(t, mustSign(t, []byte("x"), Options{}, signerOf(user)))
	b := change(s, func(d *document) {
		d.encap, d.version = encapContentInfo(OIDTSTInfo, []byte("x"), true), 3
	})
	if err := verifyAll(mustParse(t, b), nil); !errors.Is(err, ErrContentType) {
		t.Errorf("got %v", err)
	}
	// Without signed attributes nothing signs the content type: only data.
	plain := Signer{Key: user.Key, Chain: user.Chain, NoSignedAttrs: true}
	s = mustParse(t, mustSign(t, []byte("x"), Options{}, plain))
	b = change(s, func(d *document) {
		d.encap, d.version = encapContentInfo(OIDTSTInfo, []byte("x"), true), 3
	})
	if err := verifyAll(mustParse(t, b), nil); !errors.Is(err, ErrAttribute) {
		t.Errorf("without signed attributes: %v", err)
	}
}

// TestSignedAttributesRemoved is the attack on CMS that its two ways of
// signing allow: the signature over signed attributes is one over a content
// that is the DER of these attributes.
func TestSignedAttributesRemoved(t *testing.T) {
	for _, spec := range []string{"ozdst", "rsa:2048", "ecdsa:P-256", "ed25519"} {
		user := testpki.New(t, spec).User(t, testpki.Person)
		s := mustParse(t, mustSign(t, []byte("honest content"), Options{}, signerOf(user)))
		si := s.SignerInfos[0]
		b := forge{content: si.RawSignedAttrs, plain: true, signature: si.Signature}.make(t, user)
		s = mustParse(t, b)
		if err := verifyAll(s, nil); !errors.Is(err, ErrAttribute) {
			t.Errorf("%s attached: %v", spec, err)
		}
		if _, err := s.ContentDigest(s.SignerInfos[0], nil); !errors.Is(err, ErrAttribute) {
			t.Errorf("%s digest: %v", spec, err)
		}
		detached := change(s, func(d *document) { d.encap = encapContentInfo(OIDData, nil, true) })
		if err := verifyAll(mustParse(t, detached), si.RawSignedAttrs); !errors.Is(err, ErrAttribute) {
			t.Errorf("%s detached: %v", spec, err)
		}
	}
	// Content that merely starts like a SET is content.
	user := testpki.New(t, "ozdst").User(t, testpki.Person)
	for _, content := range [][]byte{{0x31}, {0x31, 0}, []byte("1: once upon a time"), ber.Set(ber.Sequence(OIDData.DER())), ber.Set(ber.Null()), ber.Set(ber.Sequence(ber.Null()))} {
		b := mustSign(t, content, Options{}, Signer{Key: user.Key, Chain: user.Chain, NoSignedAttrs: true})
		mustVerify(t, b, nil)
	}
}

func TestSignatureMovedToAnotherSigner(t *testing.T) {
	pki := testpki.New(t, "ozdst")
	alice, bob := pki.User(t, testpki.Person), pki.User(t, testpki.Organisation)
	content := []byte("x")
	s := mustParse(t, mustSign(t, content, Options{}, signerOf(alice), signerOf(bob)))
	a, b := s.SignerInfos[0], s.SignerInfos[1]
	swap := func(si *SignerInfo, sid SignerIdentifier, signature []byte) []byte {
		attrs := bytes.Clone(si.RawSignedAttrs)
		attrs[0] = 0xa0
		return ber.Sequence(ber.Int64(1), sid.marshal(), si.DigestAlgorithm.Raw, attrs, si.SignatureAlgorithm.Raw, ber.OctetString(signature))
	}
	for name, doc := range map[string][]byte{
		"signatures exchanged": change(s, func(d *document) {
			d.signers = [][]byte{swap(a, a.SID, b.Signature), swap(b, b.SID, a.Signature)}
		}),
		"names exchanged": change(s, func(d *document) {
			d.signers = [][]byte{swap(a, b.SID, a.Signature), swap(b, a.SID, b.Signature)}
		}),
	} {
		if err := verifyAll(mustParse(t, doc), nil); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.Verify(a, bob.Cert, nil); !errors.Is(err, ErrCertificate) {
		t.Errorf("certificate of the other signer: %v", err)
	}
}

func TestVerifyWantsADigestOfItsSize(t *testing.T) {
	user := testpki.New(t, "ozdst").User(t, testpki.Person)
	s := mustParse(t, mustSign(t, []byte("x"), Options{}, signerOf(user)))
	for _, digest := range [][]byte{nil, make([]byte, 31), make([]byte, 33), make([]byte, 32)} {
		if err := s.SignerInfos[0].Verify(user.Cert, OIDData, digest); !errors.Is(err, ErrDigestMismatch) {
			t.Errorf("%d octets: %v", len(digest), err)
		}
	}
}

func TestEd25519WithoutSignedAttributesNeedsTheContent(t *testing.T) {
	user := testpki.New(t, "ed25519").User(t, testpki.Person)
	s := mustParse(t, mustSign(t, []byte("x"), Options{}, Signer{Key: user.Key, Chain: user.Chain, NoSignedAttrs: true}))
	si := s.SignerInfos[0]
	digest, err := s.ContentDigest(si, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := si.Verify(user.Cert, OIDData, digest); !errors.Is(err, ErrUnsupported) || !errors.Is(err, alg.ErrNeedsMessage) {
		t.Errorf("with a digest: %v", err)
	}
	if err := s.Verify(si, user.Cert, nil); err != nil {
		t.Error(err)
	}
}

// TestSignedAttributesNotInDER: RFC 5652 5.4 signs the DER even where the
// document has another encoding.
func TestSignedAttributesNotInDER(t *testing.T) {
	user := testpki.New(t, "ozdst").User(t, testpki.Person)
	content := []byte("x")
	attrs := honestAttrs(user, OIDData, content)
	der := ber.SetOf(rawAttrs(attrs)...)
	signature, err := user.Key.SignMessage(nil, der)
	if err != nil {
		t.Fatal(err)
	}
	s := mustParse(t, mustSign(t, content, Options{}, signerOf(user)))
	si := s.SignerInfos[0]
	loose := ber.Indefinite(ber.TagSequence, attrs[2].Type.DER(),
		ber.Indefinite(ber.TagSet, ber.Indefinite(0x24, ber.OctetString(alg.OZDST().Sum(content)))))
	for name, set := range map[string][]byte{
		"unsorted":          ber.Tagged(0xa0, attrs[2].Raw, attrs[0].Raw, attrs[1].Raw),
		"indefinite":        ber.Indefinite(0xa0, rawAttrs(attrs)...),
		"indefinite inside": ber.Indefinite(0xa0, attrs[0].Raw, attrs[1].Raw, loose),
	} {
		b := change(s, func(d *document) {
			d.signers = [][]byte{ber.Sequence(ber.Int64(1), si.SID.marshal(), si.DigestAlgorithm.Raw, set, si.SignatureAlgorithm.Raw, ber.OctetString(signature))}
		})
		s := mustParse(t, b)
		if got := s.SignerInfos[0].RawSignedAttrs; !bytes.Equal(got, der) {
			t.Errorf("%s: hashed over %x", name, got)
		}
		if err := verifyAll(s, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestBooleanInSignedAttributesCannotBeChanged: any octet but 0 is TRUE, and
// still the one that was signed counts.
func TestBooleanInSignedAttributesCannotBeChanged(t *testing.T) {
	signer := signerOf(testpki.New(t, "ozdst").User(t, testpki.Person))
	signer.ExtraSignedAttrs = []Attribute{NewAttribute(ber.MustOID("1.2.3"), ber.Bool(true))}
	doc := mustSign(t, []byte("x"), Options{}, signer)
	mustVerify(t, doc, nil)
	doc[bytes.LastIndex(doc, ber.Bool(true))+2] = 1
	if err := verifyAll(mustParse(t, doc), nil); !errors.Is(err, ErrSignature) {
		t.Errorf("another TRUE: %v", err)
	}
}
