package verify

import (
	"bytes"
	"context"
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
	"imzo/pki/cms"
	"imzo/pki/ocsp"
)

// The tests of this file are named for attacks. The attacker has real keys
// and certificates of his own, and every signature he needs from others is
// real.

func TestBagReordered(t *testing.T) {
	w := newWorld(t, "ozdst")
	u, ca, root := w.user.Cert, w.CA.Cert, w.Root.Cert
	for _, bag := range [][]*cert.Certificate{{root, ca, u}, {ca, u, root}, {u, u, ca, ca, root}, {u, ca}} {
		r := mustBeValid(t, forge{content: content(), bag: bag}.make(t, w.user), nil, w.options())
		s := r.Signers[0]
		if !s.Certificate.Equal(u) || !s.Chain[0].Equal(u) || !s.Chain[1].Equal(ca) {
			t.Errorf("chain %v", s.Chain)
		}
	}
	r := mustVerify(t, forge{content: content(), bag: []*cert.Certificate{u}}.make(t, w.user), nil, w.options())
	mustFail(t, r, []wrong{{CheckPath, Failed, NoCertificateChainFound, nil}, {CheckBag, Failed, NoCertificateChainFound, nil}}, nil)
	o := w.options()
	o.Anchors = cert.NewPool(ca)
	mustBeValid(t, forge{content: content(), bag: []*cert.Certificate{u}}.make(t, w.user), nil, o)
}

// A victim's certificate put in front of the attacker's must not become the
// signer's.
func TestForeignCertificateFirstInTheBag(t *testing.T) {
	w := newWorld(t, "ozdst")
	victim := w.User(t, testpki.Organisation)
	bag := append([]*cert.Certificate{victim.Cert}, w.user.Chain...)
	r := mustBeValid(t, forge{content: content(), bag: bag}.make(t, w.user), nil, w.options())
	if s := r.Signers[0]; !s.Certificate.Equal(w.user.Cert) || !s.Path.Leaf().Equal(w.user.Cert) || !s.Chain[0].Equal(w.user.Cert) {
		t.Errorf("signed by %s", s.Certificate.Subject)
	}
	if slices.Contains(w.responder.asked, victim.Cert.SerialHex()) {
		t.Error("the victim's status was asked")
	}
}

// The same for timestamps (CVE-2026-39984): the certificate that is checked
// must be the one that the token's signature verifies with.
func TestForeignCertificateFirstInTheBagOfAToken(t *testing.T) {
	w := newWorld(t, "ozdst")
	evil := testpki.New(t, "ozdst")
	bag := append(slices.Clone(w.TSA.Chain), evil.TSA.Chain...)
	doc := w.withToken(t, func(s []byte) []byte {
		return tokenForge{tsa: evil.TSA, bag: bag}.make(t, w, s)
	})
	r := mustVerify(t, doc, nil, w.options())
	mustFail(t, r, nil, []wrong{{CheckPath, Failed, CertificateChainGeneralFailure, nil}})
	if ts := r.Signers[0].TimeStamp; !ts.Certificate.Equal(evil.TSA.Cert) {
		t.Errorf("judged was %s", ts.Certificate.Subject)
	}
}

// The attacker's own CA has the name of the true one and issues a certificate
// with the victim's name and serial number.
func TestSameSerialOfAnotherIssuerKey(t *testing.T) {
	w := newWorld(t, "ozdst")
	evilCA := w.SelfSigned(t, func(c *cert.Template) { c.Subject = w.CA.Cert.Subject }, "ozdst")
	evil := w.Issue(t, evilCA, func(c *cert.Template) {
		c.Serial, c.Subject, c.KeyUsage = w.user.Cert.Serial, w.user.Cert.Subject, testpki.UserKeyUsage
	}, "ozdst")
	for name, bag := range map[string][]*cert.Certificate{
		"victim first":   append(slices.Clone(w.user.Chain), evil.Cert, evilCA.Cert),
		"attacker first": append([]*cert.Certificate{evil.Cert, evilCA.Cert}, w.user.Chain...),
		"victim alone":   w.user.Chain,
	} {
		t.Run(name, func(t *testing.T) {
			r := mustVerify(t, forge{content: content(), bag: bag}.make(t, evil), nil, w.options())
			if name == "victim alone" {
				mustFail(t, r, []wrong{{CheckSignature, Failed, SigCryptoFailure, cms.ErrSignature}}, nil)
				return
			}
			// The signature is the attacker's, and so is the verdict.
			mustFail(t, r, []wrong{{CheckPath, Failed, CertificateChainGeneralFailure, nil}}, nil)
			if !r.Signers[0].Certificate.Equal(evil.Cert) {
				t.Error("judged was the victim's certificate")
			}
			// And the victim's documents stay the victim's.
			r = mustBeValid(t, forge{content: content(), bag: bag}.make(t, w.user), nil, w.options())
			if !r.Signers[0].Certificate.Equal(w.user.Cert) {
				t.Error("the victim's signature was given to another")
			}
		})
	}
}

// Two certificates for one key with one name and serial number: whose
// signature it is cannot be told, so it is nobody's.
func TestTwoCertificatesThatFitTheSignature(t *testing.T) {
	w := newWorld(t, "ozdst")
	evilCA := w.SelfSigned(t, func(c *cert.Template) { c.Subject = w.CA.Cert.Subject }, "ozdst")
	twin := w.Issue(t, evilCA, func(c *cert.Template) {
		c.Serial, c.Subject, c.PublicKey = w.user.Cert.Serial, testpki.Name(t, "CN=Somebody else"), w.user.Key.PublicKey()
	}, "ozdst")
	for _, bag := range [][]*cert.Certificate{
		append(slices.Clone(w.user.Chain), twin.Cert, evilCA.Cert),
		append([]*cert.Certificate{twin.Cert, evilCA.Cert}, w.user.Chain...),
	} {
		r := mustVerify(t, forge{content: content(), bag: bag}.make(t, w.user), nil, w.options())
		mustFail(t, r, []wrong{{CheckSignerCertificate, Failed, SigConstraintsFailure, errAmbiguousSigner}}, nil)
	}
}

func TestManyCertificatesOfOneName(t *testing.T) {
	w := newWorld(t, "ozdst")
	evilCA := w.SelfSigned(t, func(c *cert.Template) { c.Subject = w.CA.Cert.Subject }, "ozdst")
	bag := append([]*cert.Certificate{evilCA.Cert}, w.user.Chain...)
	for range maxCandidates {
		bag = append(bag, w.Issue(t, evilCA, func(c *cert.Template) {
			c.Serial, c.Subject = w.user.Cert.Serial, w.user.Cert.Subject
		}, "ozdst").Cert)
	}
	r := mustVerify(t, forge{content: content(), bag: bag}.make(t, w.user), nil, w.options())
	mustFail(t, r, []wrong{{CheckSignerCertificate, Failed, SigConstraintsFailure, errTooManyNamed}}, nil)
	mustBeValid(t, forge{content: content(), bag: bag[:len(bag)-1]}.make(t, w.user), nil, w.options())
}

func TestDigestAlgorithmsThatLie(t *testing.T) {
	w := newWorld(t, "ozdst")
	own, ozmst, sha := alg.NewNull(alg.OIDDigestOZDST).Marshal(), alg.NewNull(alg.OIDDigestOZMST).Marshal(), alg.SHA256().Identifier().Marshal()
	for name, digests := range map[string][][]byte{
		"another":        {ozmst},
		"one more":       {own, sha},
		"none":           {},
		"without NULL":   {alg.New(alg.OIDDigestOZDST).Marshal()},
		"with parameter": {ber.Sequence(alg.OIDDigestOZDST.DER(), ber.Int64(1))},
	} {
		t.Run(name, func(t *testing.T) {
			r := mustVerify(t, forge{content: content(), digests: digests}.make(t, w.user), nil, w.options())
			if r.Format == nil || r.SubIndication != FormatFailure {
				t.Errorf("%s %v", r.SubIndication, r.FirstFailure())
			}
		})
	}
}

// The signed attributes of a signature shown as the content of a signature
// without any.
func TestSignedAttributesShownAsContent(t *testing.T) {
	w := newWorld(t, "ozdst")
	si := mustParse(t, w.document(t)).SignerInfos[0]
	sid := ber.Sequence(w.user.Cert.RawIssuer, ber.Int(w.user.Cert.Serial))
	digest := w.user.Key.Digest().Identifier().Marshal()
	plain := ber.Sequence(ber.Int64(1), sid, digest, si.SignatureAlgorithm.Marshal(), ber.OctetString(si.Signature))
	doc := ber.Sequence(cms.OIDSignedData.DER(), ber.Tagged(ber.ContextConstructed(0), ber.Sequence(
		ber.Int64(1), ber.Set(digest),
		ber.Sequence(cms.OIDData.DER(), ber.Tagged(ber.ContextConstructed(0), ber.OctetString(si.RawSignedAttrs))),
		ber.Tagged(ber.ContextConstructed(0), w.user.Cert.Raw, w.CA.Cert.Raw), ber.Set(plain))))
	r := mustVerify(t, doc, nil, w.options())
	mustFail(t, r, []wrong{{CheckSignedAttributes, Failed, SigConstraintsFailure, cms.ErrAttribute}}, nil)
}

// A signature over a TSTInfo relabelled as one over a document.
func TestTimestampShownAsDocument(t *testing.T) {
	w := newWorld(t, "ozdst")
	token := w.token(t, content(), w.Now)
	relabelled := bytes.Replace(token, cms.OIDTSTInfo.DER(), cms.OIDData.DER(), 1)
	if r := mustVerify(t, relabelled, nil, w.options()); r.Valid() {
		t.Error("valid")
	}
	// Even the authority itself signing data is no document signer.
	doc := mustSign(t, content(), cms.Options{}, signerOf(w.TSA))
	mustFail(t, mustVerify(t, doc, nil, w.options()), []wrong{{CheckKeyUsage, Failed, ChainConstraintsFailure, errPurpose}}, nil)
}

func TestTimestampCutOutLeavesTheClaimedTime(t *testing.T) {
	w := newWorld(t, "ozdst")
	w.responder.revoke(w.user.Cert, w.Now.Add(-time.Second), 1)
	if r := mustVerify(t, w.stamped(t), nil, w.options()); !r.Valid() {
		t.Fatalf("with its timestamp: %v", r.FirstFailure())
	}
	// Nobody can tell that there was one; but what it proved is gone too.
	mustFail(t, mustVerify(t, w.document(t), nil, w.options()), []wrong{{CheckRevocation, Failed, RevokedNoPOE, errRevoked}}, nil)
}

func TestTimestampMovedToAnotherSigner(t *testing.T) {
	w := newWorld(t, "ozdst")
	second := w.User(t, testpki.Organisation)
	doc := mustSign(t, content(), cms.Options{}, signerOf(w.user), signerOf(second))
	first := mustParse(t, doc).SignerInfos[0]
	doc = addUnsigned(t, doc, 1, cms.OIDTimeStampToken, w.token(t, first.Signature, w.Now))
	r := mustVerify(t, doc, nil, w.options())
	if r.Valid() || !r.Signers[0].Valid() || r.Signers[1].TimeStamp.Check(CheckImprint).Result != Failed {
		t.Errorf("%v", r.FirstFailure())
	}
	if f := r.FirstFailure(); f.Signer != 1 || f.TimeStamp != 0 || f.Check.Name != CheckImprint {
		t.Errorf("%v", f)
	}
}

func TestTwoSignersOneBad(t *testing.T) {
	w := newWorld(t, "ozdst")
	second := w.User(t, testpki.Organisation)
	doc := mustSign(t, content(), cms.Options{}, signerOf(w.user), signerOf(second))
	r := mustBeValid(t, doc, nil, w.options())
	if len(r.Signers) != 2 || !r.Signers[1].Certificate.Equal(second.Cert) {
		t.Errorf("%d signers", len(r.Signers))
	}
	t.Run("revoked", func(t *testing.T) {
		w.responder.revoke(second.Cert, w.Now.Add(-time.Hour), 1)
		defer delete(w.responder.statuses, second.Cert.SerialHex())
		r := mustVerify(t, doc, nil, w.options())
		f := r.FirstFailure()
		if r.Valid() || !r.Signers[0].Valid() || r.Signers[1].Valid() || f.Signer != 1 || f.Check.Name != CheckRevocation {
			t.Errorf("%v", f)
		}
	})
	t.Run("signature", func(t *testing.T) {
		si := mustParse(t, doc).SignerInfos[1]
		broken := bytes.Replace(doc, si.Signature, bytes.Repeat([]byte{1}, 64), 1)
		r := mustVerify(t, broken, nil, w.options())
		if f := r.FirstFailure(); f == nil || f.Signer != 1 || f.Check.Name != CheckSignature || !r.Signers[0].Valid() {
			t.Errorf("%v", f)
		}
	})
	t.Run("what cannot be known does not hide what is wrong", func(t *testing.T) {
		w.responder.fail[w.user.Cert.SerialHex()] = errDown
		defer delete(w.responder.fail, w.user.Cert.SerialHex())
		si := mustParse(t, doc).SignerInfos[1]
		broken := bytes.Replace(doc, si.Signature, bytes.Repeat([]byte{1}, 64), 1)
		r := mustVerify(t, broken, nil, w.options())
		if r.Indication != TotalFailed || r.SubIndication != SigCryptoFailure {
			t.Errorf("%s %s", r.Indication, r.SubIndication)
		}
		if f := r.FirstFailure(); f.Signer != 0 || f.Check.SubIndication != TryLater {
			t.Errorf("%v", f)
		}
		if got := len(r.Failures()); got != 2 {
			t.Errorf("%d failures", got)
		}
	})
	t.Run("content", func(t *testing.T) {
		detached := mustSign(t, content(), cms.Options{Detached: true}, signerOf(w.user), signerOf(second))
		for i, s := range mustVerify(t, detached, []byte("another"), w.options()).Signers {
			if s.Check(CheckDigest).Result != Failed {
				t.Errorf("signer %d: digest %s", i, s.Check(CheckDigest).Result)
			}
		}
	})
}

func TestJoinedDocuments(t *testing.T) {
	w := newWorld(t, "ozdst")
	other := newWorld(t, "ecdsa:P-256")
	w.responder.answers = append(w.responder.answers, other.responder.answers...)
	o := w.options()
	o.Anchors = cert.NewPool(w.Root.Cert, other.Root.Cert)
	a, b := w.stamped(t), other.stamped(t)
	joined, err := cms.Join(mustParse(t, a), mustParse(t, b))
	if err != nil {
		t.Fatal(err)
	}
	r := mustBeValid(t, joined, nil, o)
	if len(r.Signers) != 2 || r.Signers[0].TimeStamp == nil || r.Signers[1].TimeStamp == nil {
		t.Fatalf("%d signers", len(r.Signers))
	}
	again, err := mustParse(t, joined).AddSigner(nil, signerOf(w.User(t, testpki.Organisation)), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if r := mustBeValid(t, again, nil, o); len(r.Signers) != 3 {
		t.Errorf("%d signers", len(r.Signers))
	}
	// Trust in one root is not trust in the other.
	r = mustVerify(t, joined, nil, w.options())
	if f := r.FirstFailure(); r.Valid() || f.Signer != 1 || f.Check.Name != CheckPath || !r.Signers[0].Valid() {
		t.Errorf("%v", f)
	}
	// One unverified certificate in the bag is everybody's.
	forged := bytes.Clone(w.OCSP.Cert.Raw)
	forged[len(forged)-1] ^= 1
	broken, err := cert.Parse(forged)
	if err != nil {
		t.Fatal(err)
	}
	signer := signerOf(w.user)
	signer.Chain = append(slices.Clone(signer.Chain), broken)
	doc := mustSign(t, content(), cms.Options{}, signer, signerOf(other.user))
	for i, s := range mustVerify(t, doc, nil, o).Signers {
		if s.Check(CheckBag).Result != Failed {
			t.Errorf("signer %d: bag %s", i, s.Check(CheckBag).Result)
		}
	}
}

func TestAttachedContentAfterTheFact(t *testing.T) {
	w := newWorld(t, "ozdst")
	detached := w.stamp(t, mustSign(t, content(), cms.Options{Detached: true}, signerOf(w.user)), 0, w.Now)
	attached, err := mustParse(t, detached).AttachContent(content())
	if err != nil {
		t.Fatal(err)
	}
	r := mustBeValid(t, attached, nil, w.options())
	if !bytes.Equal(r.Content, content()) {
		t.Error("content differs")
	}
}

func TestQuestionsAreAskedOnceAndInParallel(t *testing.T) {
	w := newWorld(t, "ozdst")
	const signers = 6
	all := []cms.Signer{signerOf(w.user)}
	for range signers - 1 {
		all = append(all, signerOf(w.User(t, testpki.Person)))
	}
	doc := mustSign(t, content(), cms.Options{}, all...)
	for i := range signers {
		doc = w.stamp(t, doc, i, w.Now)
	}
	// Every question waits for all others: they must be under way together,
	// each certificate once, the authority once for all tokens.
	started := make(chan struct{}, signers+1)
	release := make(chan struct{})
	go func() {
		for range signers + 1 {
			<-started
		}
		close(release)
	}()
	o := w.options()
	o.Revocation = sourceFunc(func(ctx context.Context, c, issuer *cert.Certificate) (*RevocationStatus, error) {
		started <- struct{}{}
		select {
		case <-release:
		case <-time.After(30 * time.Second):
			return nil, errors.New("the questions were not asked together")
		}
		return w.responder.Status(ctx, c, issuer)
	})
	mustBeValid(t, doc, nil, o)
	if len(w.responder.asked) != signers+1 {
		t.Errorf("%d questions", len(w.responder.asked))
	}
}

func TestSignatureChecksOfCertificatesAreMadeOnceEach(t *testing.T) {
	w := newWorld(t, "ozdst")
	doc := w.stamp(t, mustSign(t, content(), cms.Options{}, signerOf(w.user), signerOf(w.User(t, testpki.Organisation))), 0, w.Now)
	checked := make(map[string]int)
	o := w.options()
	o.CheckSignature = func(child, issuer *cert.Certificate) error {
		checked[child.SerialHex()+" "+issuer.SerialHex()]++
		return child.CheckSignatureFrom(issuer)
	}
	mustBeValid(t, doc, nil, o)
	if len(checked) != 4 { // two users, the authority, the CA
		t.Errorf("%d pairs: %v", len(checked), checked)
	}
	for pair, n := range checked {
		if n != 1 {
			t.Errorf("%s: %d times", pair, n)
		}
	}
	// The seam decides.
	o.CheckSignature = func(child, issuer *cert.Certificate) error { return alg.ErrSignature }
	r := mustVerify(t, doc, nil, o)
	if f := r.FirstFailure(); f == nil || f.Check.Name != CheckPath {
		t.Errorf("%v", f)
	}
}

// The attacks on OCSP of anchors: whoever answers instead of the responder
// gets the status to be unknown, never to be good.
func TestAttacksOnOCSP(t *testing.T) {
	w := newWorld(t, "ozdst")
	doc := w.document(t)
	stranger := testpki.New(t, "ozdst")
	id := ocsp.NewCertID(nil, w.user.Cert, w.CA.Cert)
	otherUser := w.User(t, testpki.Organisation)
	nonce := []byte("0123456789abcdef0123456789abcdef")
	good := func(context.Context, *big.Int) (ocsp.StatusInfo, error) {
		return ocsp.StatusInfo{Status: ocsp.Good}, nil
	}
	honest := ocsp.Responder{Certificate: w.OCSP.Cert, Key: w.OCSP.Key, Issuer: w.CA.Cert, Lookup: good, Now: w.Clock(), Validity: time.Minute, Rand: rand.Reader}
	with := func(mod func(*ocsp.Responder)) *ocsp.Responder {
		r := honest
		mod(&r)
		return &r
	}
	at := func(t time.Time) func() time.Time { return func() time.Time { return t } }
	by := func(e testpki.Entity) *ocsp.Responder {
		return with(func(r *ocsp.Responder) { r.Certificate, r.Key = e.Cert, e.Key })
	}
	leaf := func(mod func(*cert.Template)) testpki.Entity {
		return w.Issue(t, w.CA, func(c *cert.Template) {
			c.Subject, c.KeyUsage, c.ExtKeyUsage = testpki.Name(t, "CN=Responder"), cert.KeyUsageDigitalSignature, []ber.OID{cert.OIDOCSPSigning}
			mod(c)
		}, "ozdst")
	}
	for _, tt := range []struct {
		name      string
		responder *ocsp.Responder
		id        ocsp.CertID
		nonce     []byte
		want      error // nil: valid
	}{
		{"honest", &honest, id, nonce, nil},
		{"honest, by the CA", by(w.CA), id, nonce, nil},
		{"signed by a user", by(otherUser), id, nonce, ocsp.ErrResponder},
		{"signed by the signer himself", by(w.user), id, nonce, ocsp.ErrResponder},
		{"signed by the timestamp authority", by(w.TSA), id, nonce, ocsp.ErrResponder},
		{"signed by the root, which did not issue", by(w.Root), id, nonce, ocsp.ErrResponder},
		{"signed by a stranger's responder", by(stranger.OCSP), id, nonce, ocsp.ErrResponder},
		{"signed with a stranger's key", with(func(r *ocsp.Responder) { r.Key = stranger.OCSP.Key }), id, nonce, ocsp.ErrSignature},
		{"responder's certificate expired", by(leaf(func(c *cert.Template) { c.NotAfter = w.Now.Add(-time.Hour) })), id, nonce, ocsp.ErrResponder},
		{"responder's certificate without the purpose", by(leaf(func(c *cert.Template) { c.ExtKeyUsage = nil })), id, nonce, ocsp.ErrResponder},
		{"about another certificate", &honest, ocsp.NewCertID(nil, otherUser.Cert, w.CA.Cert), nonce, ocsp.ErrCertID},
		{"stale", with(func(r *ocsp.Responder) { r.Now = at(w.Now.Add(-time.Hour)) }), id, nonce, ocsp.ErrStale},
		{"from the future", with(func(r *ocsp.Responder) { r.Now = at(w.Now.Add(time.Hour)) }), id, nonce, ocsp.ErrFuture},
		{"nonce missing", &honest, id, nil, ocsp.ErrNonce},
		{"nonce of another request", &honest, id, []byte("another nonce"), ocsp.ErrNonce},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := w.options()
			o.Revocation = sourceFunc(func(ctx context.Context, c, issuer *cert.Certificate) (*RevocationStatus, error) {
				raw := tt.responder.Respond(ctx, ocsp.Request{CertIDs: []ocsp.CertID{tt.id}, Nonce: tt.nonce}.Marshal())
				return checkedStatus(raw, c, issuer, nonce, w.Now)
			})
			if tt.want == nil {
				mustBeValid(t, doc, nil, o)
				return
			}
			mustFail(t, mustVerify(t, doc, nil, o), []wrong{{CheckRevocation, Indeterminate, TryLater, tt.want}}, nil)
		})
	}
	t.Run("no answer inside", func(t *testing.T) {
		o := w.options()
		o.Revocation = sourceFunc(func(_ context.Context, c, issuer *cert.Certificate) (*RevocationStatus, error) {
			return checkedStatus(honest.Respond(t.Context(), []byte("nonsense")), c, issuer, nonce, w.Now)
		})
		r := mustVerify(t, doc, nil, o)
		mustFail(t, r, []wrong{{CheckRevocation, Indeterminate, TryLater, nil}}, nil)
		var status *ocsp.StatusError
		if !errors.As(r.FirstFailure(), &status) {
			t.Errorf("%v", r.FirstFailure())
		}
	})
}
