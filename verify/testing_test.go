package verify

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"sync"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/ocsp"
	"imzo/pki/tsp"
)

var tsaPolicy = ber.MustOID("1.2.860.3.2.11.1")

// world is a hierarchy with its responder and a user.
type world struct {
	*testpki.PKI
	user      testpki.Entity
	responder *responder
}

func newWorld(t testing.TB, keySpec string) *world {
	t.Helper()
	return worldOf(t, testpki.New(t, keySpec))
}

func worldOf(t testing.TB, p *testpki.PKI) *world {
	t.Helper()
	return &world{PKI: p, user: p.User(t, testpki.Person), responder: newResponder(p)}
}

// options trust the root, ask the responder and stand still at Now.
func (w *world) options() Options {
	return Options{Anchors: w.Anchors(), Revocation: w.responder, Now: w.Clock()}
}

// content is what most documents hold: long enough for two segments of BER.
func content() []byte { return bytes.Repeat([]byte("Shartnoma No 7. "), 80) }

func signerOf(e testpki.Entity) cms.Signer {
	return cms.Signer{Key: e.Key, Chain: e.Chain, SigningTime: testpki.DefaultNow()}
}

func mustSign(t testing.TB, content []byte, o cms.Options, signers ...cms.Signer) []byte {
	t.Helper()
	b, err := cms.Sign(content, signers, o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustParse(t testing.TB, b []byte) *cms.SignedData {
	t.Helper()
	s, err := cms.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// document is signed by the user as E-IMZO does it.
func (w *world) document(t testing.TB) []byte {
	t.Helper()
	return mustSign(t, content(), cms.Options{}, signerOf(w.user))
}

// stamped is document with a timestamp, a minute old.
func (w *world) stamped(t testing.TB) []byte {
	t.Helper()
	return w.stamp(t, w.document(t), 0, w.Now.Add(-time.Minute))
}

// token returns a token of the world's authority over the message.
func (w *world) token(t testing.TB, message []byte, at time.Time) []byte {
	t.Helper()
	return tokenBy(t, w.TSA, message, at)
}

func tokenBy(t testing.TB, tsa testpki.Entity, message []byte, at time.Time) []byte {
	t.Helper()
	serial := new(big.Int).SetBytes([]byte{0x13, 0x21, 0x9e, 0xc5, 0x20, 0x23, 0x15, 0x19})
	authority := &tsp.Authority{
		Key:    tsa.Key,
		Chain:  tsa.Chain,
		Policy: tsaPolicy,
		Name:   "http://test.e-imzo.uz/cams/tst",
		Serial: func() (*big.Int, error) { return serial, nil },
		Now:    func() time.Time { return at },
		Rand:   rand.Reader,
	}
	d := tsa.Key.Digest()
	request := tsp.NewRequest(d, d.Sum(message), big.NewInt(1), true)
	response, err := tsp.ParseResponse(authority.Respond(t.Context(), request.Marshal()))
	if err != nil {
		t.Fatal(err)
	}
	if response.Token == nil {
		t.Fatalf("no token: %+v", response)
	}
	return response.Token.Raw
}

func (w *world) stamp(t testing.TB, doc []byte, signer int, at time.Time) []byte {
	t.Helper()
	si := mustParse(t, doc).SignerInfos[signer]
	return addUnsigned(t, doc, signer, cms.OIDTimeStampToken, w.token(t, si.Signature, at))
}

func addUnsigned(t testing.TB, doc []byte, signer int, oid ber.OID, values ...[]byte) []byte {
	t.Helper()
	out, err := mustParse(t, doc).AddUnsignedAttribute(signer, cms.NewAttribute(oid, values...))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// responder is a RevocationSource over real OCSP messages: each question is
// asked of an ocsp.Responder and its answer checked by pki/ocsp.
type responder struct {
	mu       sync.Mutex
	now      time.Time
	answers  []*ocsp.Responder
	statuses map[string]ocsp.StatusInfo // by serial number in hex
	asked    []string
	fail     map[string]error
	mutate   func(serial string, response []byte) []byte
}

// newResponder answers for the CA by its delegate and for the root by itself.
func newResponder(p *testpki.PKI) *responder {
	r := &responder{now: p.Now, statuses: make(map[string]ocsp.StatusInfo), fail: make(map[string]error)}
	r.add(p.OCSP, p.CA.Cert)
	r.add(p.Root, p.Root.Cert)
	return r
}

func (r *responder) add(by testpki.Entity, issuer *cert.Certificate) {
	r.answers = append(r.answers, &ocsp.Responder{
		Certificate: by.Cert,
		Key:         by.Key,
		Issuer:      issuer,
		Lookup: func(_ context.Context, serial *big.Int) (ocsp.StatusInfo, error) {
			if s, ok := r.statuses[serial.Text(16)]; ok {
				return s, nil
			}
			return ocsp.StatusInfo{Status: ocsp.Good}, nil
		},
		Now:      func() time.Time { return r.now },
		Validity: time.Minute,
		Rand:     rand.Reader,
	})
}

// byTheCA makes the CA answer itself, whose certificate outlives the
// delegate's.
func (r *responder) byTheCA(p *testpki.PKI) {
	r.answers[0].Certificate, r.answers[0].Key = p.CA.Cert, p.CA.Key
}

func (r *responder) revoke(c *cert.Certificate, at time.Time, reason int) {
	r.statuses[c.SerialHex()] = ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: at, Reason: reason}
}

var errDown = errors.New("the responder is down")

func (r *responder) Status(ctx context.Context, c, issuer *cert.Certificate) (*RevocationStatus, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	serial := c.SerialHex()
	r.asked = append(r.asked, serial)
	if err := r.fail[serial]; err != nil {
		return nil, err
	}
	nonce := []byte("0123456789abcdef0123456789abcdef")
	id := ocsp.NewCertID(nil, c, issuer)
	for _, by := range r.answers {
		if !by.Answers(id) {
			continue
		}
		raw := by.Respond(ctx, ocsp.Request{CertIDs: []ocsp.CertID{id}, Nonce: nonce}.Marshal())
		if r.mutate != nil {
			raw = r.mutate(serial, raw)
		}
		return checkedStatus(raw, c, issuer, nonce, r.now)
	}
	return nil, fmt.Errorf("nobody answers for %s", issuer.Subject)
}

// checkedStatus does what a real source does with a response.
func checkedStatus(raw []byte, c, issuer *cert.Certificate, nonce []byte, now time.Time) (*RevocationStatus, error) {
	response, err := ocsp.ParseResponse(raw)
	if err != nil {
		return nil, err
	}
	s, err := response.Check(ocsp.CheckOptions{Certificate: c, Issuer: issuer, Nonce: nonce, Now: now})
	if err != nil {
		return nil, err
	}
	return &RevocationStatus{
		Status: s.Status, RevokedAt: s.RevokedAt, Reason: s.Reason,
		ThisUpdate: s.ThisUpdate, NextUpdate: s.NextUpdate,
		OCSPResponse: response.Raw, Source: "test",
	}, nil
}

// sourceFunc is a RevocationSource.
type sourceFunc func(ctx context.Context, c, issuer *cert.Certificate) (*RevocationStatus, error)

func (f sourceFunc) Status(ctx context.Context, c, issuer *cert.Certificate) (*RevocationStatus, error) {
	return f(ctx, c, issuer)
}

func mustVerify(t testing.TB, doc, content []byte, o Options) *Report {
	t.Helper()
	r, err := Document(t.Context(), doc, content, o)
	if err != nil {
		t.Fatal(err)
	}
	checkConsistency(t, r)
	return r
}

func mustBeValid(t testing.TB, doc, content []byte, o Options) *Report {
	t.Helper()
	r := mustVerify(t, doc, content, o)
	if !r.Valid() {
		t.Fatalf("not valid: %v", r.FirstFailure())
	}
	return r
}

// checkConsistency checks what must hold for every report.
func checkConsistency(t testing.TB, r *Report) {
	t.Helper()
	valid := r.Format == nil && len(r.Signers) > 0
	for i, s := range r.Signers {
		good := consistent(t, fmt.Sprintf("signer %d", i), s.Checks, SignerChecks(), r.RevocationSkipped)
		for j, ts := range s.TimeStamps {
			ok := consistent(t, fmt.Sprintf("signer %d timestamp %d", i, j), ts.Checks, TimeStampChecks(), r.RevocationSkipped)
			if ok != ts.Valid() {
				t.Errorf("signer %d timestamp %d: valid %v, checks say %v", i, j, ts.Valid(), ok)
			}
			good = good && ok
		}
		if good != s.Valid() {
			t.Errorf("signer %d: valid %v, checks say %v", i, s.Valid(), good)
		}
		valid = valid && good
	}
	if valid != r.Valid() {
		t.Errorf("valid %v, checks say %v", r.Valid(), valid)
	}
	f := r.FirstFailure()
	switch {
	case valid && (f != nil || r.SubIndication != "" || r.Indication != TotalPassed):
		t.Errorf("valid, and yet %v, %s %s", f, r.Indication, r.SubIndication)
	case !valid && (f == nil || r.SubIndication == "" || r.Indication != r.SubIndication.Indication()):
		t.Errorf("not valid, and yet %v, %s %s", f, r.Indication, r.SubIndication)
	case !valid && f.Check.Err == nil:
		t.Errorf("failure without a cause: %v", f)
	}
}

// consistent tells whether the checks hold, and complains when they are not
// all there or do not make sense.
func consistent(t testing.TB, where string, checks []Check, names []CheckName, skipped bool) bool {
	t.Helper()
	good, broken := true, false
	for i, c := range checks {
		if c.Name != names[i] {
			t.Errorf("%s: check %d is %s, want %s", where, i, c.Name, names[i])
		}
		switch c.Result {
		case Passed:
		case Skipped:
			if c.Name != CheckRevocation || !skipped {
				t.Errorf("%s: %s was skipped", where, c.Name)
			}
		case Failed, Indeterminate:
			good, broken = false, true
			if c.Err == nil || c.SubIndication == "" {
				t.Errorf("%s: %s %s without cause or reason", where, c.Name, c.Result)
			}
		default:
			good = false
		}
		if c.holds() && (c.Err != nil || c.SubIndication != "") {
			t.Errorf("%s: %s holds with %v %s", where, c.Name, c.Err, c.SubIndication)
		}
	}
	if len(checks) != len(names) {
		t.Errorf("%s: %d checks, want %d", where, len(checks), len(names))
	}
	if !good && !broken {
		t.Errorf("%s: not valid, and no check says why", where)
	}
	return good
}

// wrong is a check that must not hold.
type wrong struct {
	name   CheckName
	result Result
	sub    SubIndication
	err    error // nil: any
}

// mustFail checks that of all checks of the document exactly these do not
// hold: those of the only signer, then those of its only token.
func mustFail(t testing.TB, r *Report, signer, token []wrong) {
	t.Helper()
	if r.Valid() {
		t.Error("valid")
	}
	if len(r.Signers) != 1 {
		t.Fatalf("%d signers: %v", len(r.Signers), r.FirstFailure())
	}
	s := r.Signers[0]
	sameFailures(t, "signer", s.Checks, signer)
	if len(s.TimeStamps) == 0 && len(token) > 0 {
		t.Fatal("no timestamp")
	}
	for _, ts := range s.TimeStamps {
		sameFailures(t, "timestamp", ts.Checks, token)
	}
}

func sameFailures(t testing.TB, where string, checks []Check, want []wrong) {
	t.Helper()
	left := make(map[CheckName]wrong)
	for _, w := range want {
		left[w.name] = w
	}
	for _, c := range checks {
		if !c.broken() {
			continue
		}
		w, ok := left[c.Name]
		delete(left, c.Name)
		switch {
		case !ok:
			t.Errorf("%s: %s %s %s: %v", where, c.Name, c.Result, c.SubIndication, c.Err)
		case c.Result != w.result || c.SubIndication != w.sub:
			t.Errorf("%s: %s is %s %s, want %s %s (%v)", where, c.Name, c.Result, c.SubIndication, w.result, w.sub, c.Err)
		case w.err != nil && !errors.Is(c.Err, w.err):
			t.Errorf("%s: %s: %v, want %v", where, c.Name, c.Err, w.err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(left)) {
		t.Errorf("%s: %s holds", where, name)
	}
}

// forge describes a document that pki/cms refuses to make. A nil field takes
// the honest value.
type forge struct {
	contentType ber.OID
	content     []byte
	digests     [][]byte
	bag         []*cert.Certificate
	crls        [][]byte
	attrs       []cms.Attribute
	unsigned    []cms.Attribute
	signature   []byte
}

func honestAttrs(d *alg.Digest, contentType ber.OID, content []byte) []cms.Attribute {
	return []cms.Attribute{
		cms.NewAttribute(cms.OIDContentType, contentType.DER()),
		cms.NewAttribute(cms.OIDSigningTime, ber.Time(testpki.DefaultNow())),
		cms.NewAttribute(cms.OIDMessageDigest, ber.OctetString(d.Sum(content))),
	}
}

// make writes the document, in DER, with e's key.
func (f forge) make(t testing.TB, e testpki.Entity) []byte {
	t.Helper()
	if f.contentType == "" {
		f.contentType = cms.OIDData
	}
	if f.attrs == nil {
		f.attrs = honestAttrs(e.Key.Digest(), f.contentType, f.content)
	}
	if f.bag == nil {
		f.bag = e.Chain
	}
	digest := e.Key.Digest().Identifier().Marshal()
	if f.digests == nil {
		f.digests = [][]byte{digest}
	}
	set := ber.SetOf(rawAttrs(f.attrs)...)
	if f.signature == nil {
		var err error
		if f.signature, err = e.Key.SignMessage(rand.Reader, set); err != nil {
			t.Fatal(err)
		}
	}
	sid := ber.Sequence(e.Cert.RawIssuer, ber.Int(e.Cert.Serial))
	implicit := bytes.Clone(set)
	implicit[0] = ber.ContextConstructed(0)
	si := [][]byte{ber.Int64(1), sid, digest, implicit, e.Key.SignatureAlgorithm().Marshal(), ber.OctetString(f.signature)}
	if f.unsigned != nil {
		si = append(si, ber.Tagged(ber.ContextConstructed(1), rawAttrs(f.unsigned)...))
	}
	version := int64(1)
	if f.contentType != cms.OIDData {
		version = 3
	}
	var certs [][]byte
	for _, c := range f.bag {
		certs = append(certs, c.Raw)
	}
	encap := ber.Sequence(f.contentType.DER(), ber.Tagged(ber.ContextConstructed(0), ber.OctetString(f.content)))
	parts := [][]byte{ber.Int64(version), ber.Set(f.digests...), encap, ber.Tagged(ber.ContextConstructed(0), certs...)}
	if f.crls != nil {
		parts = append(parts, ber.Tagged(ber.ContextConstructed(1), f.crls...))
	}
	parts = append(parts, ber.Set(ber.Sequence(si...)))
	return ber.Sequence(cms.OIDSignedData.DER(), ber.Tagged(ber.ContextConstructed(0), ber.Sequence(parts...)))
}

func rawAttrs(attrs []cms.Attribute) (raw [][]byte) {
	for _, a := range attrs {
		raw = append(raw, a.Raw)
	}
	return raw
}

// forgedWithoutSigners is a bag of certificates, as "certs-only" documents are.
func forgedWithoutSigners(certs []*cert.Certificate) []byte {
	var raw [][]byte
	for _, c := range certs {
		raw = append(raw, c.Raw)
	}
	return ber.Sequence(cms.OIDSignedData.DER(), ber.Tagged(ber.ContextConstructed(0), ber.Sequence(
		ber.Int64(1), ber.Set(), ber.Sequence(cms.OIDData.DER()), ber.Tagged(ber.ContextConstructed(0), raw...), ber.Set())))
}
