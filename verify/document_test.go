package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/ocsp"
)

func TestDocumentsOfAllFamiliesAreValid(t *testing.T) {
	for _, spec := range []string{"ozdst", "ozmst:B", "ozmst:C", "gost2001", "rsa:2048", "ecdsa:P-256", "ed25519"} {
		t.Run(spec, func(t *testing.T) {
			w := newWorld(t, spec)
			for _, o := range []cms.Options{{}, {DER: true}} {
				r := mustBeValid(t, mustSign(t, content(), o, signerOf(w.user)), nil, w.options())
				if !bytes.Equal(r.Content, content()) || r.Detached {
					t.Errorf("content is %d octets, detached %v", len(r.Content), r.Detached)
				}
			}
			r := mustBeValid(t, w.stamped(t), nil, w.options())
			if s := r.Signers[0]; s.SigningDateSource != DateFromTimeStamp {
				t.Errorf("date from %s", s.SigningDateSource)
			}
			detached := mustSign(t, content(), cms.Options{Detached: true}, signerOf(w.user))
			if r := mustBeValid(t, detached, content(), w.options()); !r.Detached || r.Content != nil {
				t.Errorf("detached %v, content %d octets", r.Detached, len(r.Content))
			}
		})
	}
}

func TestReportOfAStampedDocument(t *testing.T) {
	w := newWorld(t, "ozdst")
	doc := w.stamped(t)
	si := mustParse(t, doc).SignerInfos[0]
	r := mustBeValid(t, doc, nil, w.options())
	if len(r.Signers) != 1 || !r.At.Equal(w.Now) || r.RevocationSkipped || r.Format != nil {
		t.Fatalf("%+v", r)
	}
	s := r.Signers[0]
	stampTime := w.Now.Add(-time.Minute)
	switch {
	case !s.Certificate.Equal(w.user.Cert):
		t.Errorf("certificate %s", s.Certificate)
	case !slices.EqualFunc(s.Chain, w.user.Chain, (*cert.Certificate).Equal):
		t.Errorf("chain %v", s.Chain)
	case !slices.EqualFunc(s.Path.Certificates, w.user.Chain, (*cert.Certificate).Equal):
		t.Errorf("path %v", s.Path.Certificates)
	case s.SigningTime == nil || !s.SigningTime.Equal(w.Now):
		t.Errorf("claimed time %v", s.SigningTime)
	case !s.SigningDate.Equal(stampTime) || s.SigningDateSource != DateFromTimeStamp:
		t.Errorf("date %v from %s", s.SigningDate, s.SigningDateSource)
	case !bytes.Equal(s.Signature, si.Signature):
		t.Error("signature")
	case !bytes.Equal(s.Digest, w.user.Key.Digest().Sum(content())):
		t.Error("digest")
	case s.Revocation == nil || s.Revocation.Status != ocsp.Good || s.Revocation.OCSPResponse == nil:
		t.Errorf("revocation %+v", s.Revocation)
	case len(s.Policies) != 4:
		t.Errorf("policies %v", s.Policies)
	case len(s.TimeStamps) != 1 || s.TimeStamp != s.TimeStamps[0]:
		t.Errorf("%d timestamps", len(s.TimeStamps))
	}
	ts := s.TimeStamp
	switch {
	case !ts.Token.Info.GenTime.Equal(stampTime):
		t.Errorf("genTime %v", ts.Token.Info.GenTime)
	case !ts.Certificate.Equal(w.TSA.Cert) || len(ts.Chain) != 3 || ts.Path == nil:
		t.Errorf("authority %v, chain %v", ts.Certificate, ts.Chain)
	case ts.Revocation == nil || ts.Revocation.OCSPResponse == nil:
		t.Errorf("revocation %+v", ts.Revocation)
	}
	if want := []string{w.user.Cert.SerialHex(), w.TSA.Cert.SerialHex()}; !sameSet(w.responder.asked, want) {
		t.Errorf("asked about %v, want %v", w.responder.asked, want)
	}
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

func TestProductionEncodingIsAccepted(t *testing.T) {
	w := worldOf(t, testpki.NewProduction(t, "ozdst"))
	mustBeValid(t, w.stamped(t), nil, w.options())
}

func TestEmptyContentIsAContent(t *testing.T) {
	w := newWorld(t, "ozdst")
	r := mustBeValid(t, mustSign(t, nil, cms.Options{}, signerOf(w.user)), nil, w.options())
	if r.Content == nil || len(r.Content) != 0 {
		t.Errorf("content %v", r.Content)
	}
	detached := mustSign(t, nil, cms.Options{Detached: true}, signerOf(w.user))
	mustBeValid(t, detached, []byte{}, w.options())
	r = mustVerify(t, detached, nil, w.options())
	mustFail(t, r, []wrong{{CheckDigest, Failed, SignedDataNotFound, cms.ErrDetached}}, nil)
	if r.Indication != TotalIndeterminate {
		t.Errorf("%s: the content may yet be found", r.Indication)
	}
}

// A mobile signature may have no signed attributes, and so no signing time.
func TestSignatureWithoutSignedAttributesIsJudgedNow(t *testing.T) {
	w := newWorld(t, "ozmst:C")
	signer := cms.Signer{Key: w.user.Key, Chain: w.user.Chain, NoSignedAttrs: true}
	doc := mustSign(t, content(), cms.Options{}, signer)
	r := mustBeValid(t, doc, nil, w.options())
	s := r.Signers[0]
	if s.SigningDateSource != DateFromNow || !s.SigningDate.Equal(w.Now) || s.SigningTime != nil {
		t.Errorf("date %v from %s, claimed %v", s.SigningDate, s.SigningDateSource, s.SigningTime)
	}
	if s.Check(CheckSigningTime).Note == "" {
		t.Error("the report does not say that the date is the present")
	}
	if !bytes.Equal(s.Digest, w.user.Key.Digest().Sum(content())) {
		t.Error("digest")
	}
	// A stamp gives it a date.
	r = mustBeValid(t, w.stamp(t, doc, 0, w.Now.Add(-time.Hour)), nil, w.options())
	if s := r.Signers[0]; s.SigningDateSource != DateFromTimeStamp {
		t.Errorf("date from %s", s.SigningDateSource)
	}
	// When the certificate is over, so is such a signature.
	o := w.options()
	o.Now = func() time.Time { return w.user.Cert.NotAfter.Add(time.Hour) }
	w.responder.now = o.Now()
	w.responder.byTheCA(w.PKI)
	mustFail(t, mustVerify(t, doc, nil, o), []wrong{{CheckValidity, Failed, OutOfBoundsNoPOE, errTooLate}}, nil)
}

func TestEd25519WithoutSignedAttributes(t *testing.T) {
	w := newWorld(t, "ed25519")
	signer := cms.Signer{Key: w.user.Key, Chain: w.user.Chain, NoSignedAttrs: true}
	mustBeValid(t, mustSign(t, content(), cms.Options{}, signer), nil, w.options())
}

func TestSignerNamedByKeyIdentifier(t *testing.T) {
	w := newWorld(t, "ozdst")
	signer := signerOf(w.user)
	signer.UseSubjectKeyID = true
	r := mustBeValid(t, mustSign(t, content(), cms.Options{}, signer), nil, w.options())
	if r.Signers[0].SID.Serial != nil {
		t.Error("named by serial number")
	}
}

func TestSigningTimeIsTheDateWithoutATimestamp(t *testing.T) {
	w := newWorld(t, "ozdst")
	o := w.options()
	// Years later, when the certificate is long over.
	o.Now = func() time.Time { return w.user.Cert.NotAfter.AddDate(1, 0, 0) }
	w.responder.now = o.Now()
	w.responder.byTheCA(w.PKI)
	r := mustBeValid(t, w.document(t), nil, o)
	if s := r.Signers[0]; s.SigningDateSource != DateFromSigningTime || !s.SigningDate.Equal(w.Now) {
		t.Errorf("date %v from %s", s.SigningDate, s.SigningDateSource)
	}
}

func TestClaimedTimeOfTheFutureIsNoted(t *testing.T) {
	w := newWorld(t, "ozdst")
	signer := signerOf(w.user)
	signer.SigningTime = w.Now.Add(time.Hour)
	r := mustBeValid(t, mustSign(t, content(), cms.Options{}, signer), nil, w.options())
	if note := r.Signers[0].Check(CheckSigningTime).Note; note != "the time the signer claims has not come yet" {
		t.Errorf("note %q", note)
	}
}

func TestOfflineReportSaysThatRevocationWasLeftOut(t *testing.T) {
	w := newWorld(t, "ozdst")
	w.responder.revoke(w.user.Cert, w.Now.Add(-time.Hour), 1)
	o := w.options()
	o.SkipRevocation = true
	r := mustBeValid(t, w.stamped(t), nil, o)
	if !r.RevocationSkipped || r.Signers[0].Check(CheckRevocation).Result != Skipped || r.Signers[0].TimeStamp.Check(CheckRevocation).Result != Skipped {
		t.Error("the report does not say that revocation was left out")
	}
	if len(w.responder.asked) > 0 {
		t.Errorf("asked about %v", w.responder.asked)
	}
}

func TestTrustAnchorItselfMaySign(t *testing.T) {
	w := newWorld(t, "ozdst")
	o := w.options()
	o.Anchors = cert.NewPool(w.user.Cert)
	r := mustBeValid(t, w.document(t), nil, o)
	if c := r.Signers[0].Check(CheckRevocation); c.Note == "" || r.Signers[0].Revocation != nil {
		t.Errorf("%+v", c)
	}
}

func TestInputThatIsNoDocument(t *testing.T) {
	w := newWorld(t, "ozdst")
	doc := w.document(t)
	certsOnly := forgedWithoutSigners(w.user.Chain)
	for _, tt := range []struct {
		name         string
		doc, content []byte
		want         error
	}{
		{"nothing", nil, nil, cms.ErrFormat},
		{"text", []byte("MIAGCSqGSIb3DQEHAqCA"), nil, cms.ErrFormat},
		{"a certificate", w.user.Cert.Raw, nil, cms.ErrFormat},
		{"cut short", doc[:len(doc)-1], nil, cms.ErrFormat},
		{"one octet more", append(slices.Clip(doc), 0), nil, cms.ErrFormat},
		{"no signers", certsOnly, nil, errNoSigners},
		{"content given twice", doc, content(), cms.ErrAttached},
		{"a timestamp token", w.token(t, content(), w.Now), nil, errContentType},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := mustVerify(t, tt.doc, tt.content, w.options())
			if r.Indication != TotalFailed || r.SubIndication != FormatFailure || len(r.Signers) != 0 {
				t.Errorf("%s %s, %d signers", r.Indication, r.SubIndication, len(r.Signers))
			}
			f := r.FirstFailure()
			if !errors.Is(r.Format, tt.want) || f == nil || !errors.Is(f, tt.want) || f.Check.Name != CheckFormat {
				t.Errorf("%v, %v, want %v", r.Format, f, tt.want)
			}
		})
	}
}

func TestProgrammingMistakesAndTheEndOfTheContextAreErrors(t *testing.T) {
	w := newWorld(t, "ozdst")
	doc := w.document(t)
	for _, pool := range []*cert.Pool{nil, cert.NewPool()} {
		o := w.options()
		o.Anchors = pool
		if _, err := Document(t.Context(), doc, nil, o); !errors.Is(err, ErrNoAnchors) {
			t.Errorf("without anchors: %v", err)
		}
		o.NoAnchors = true
		r, err := Document(t.Context(), doc, nil, o)
		if err != nil || len(r.Signers) != 1 {
			t.Fatalf("without anchors on purpose: %+v %v", r, err)
		}
		if s := r.Signers[0]; s.Check(CheckSignature).Result != Passed || s.Check(CheckPath).Result == Passed || r.Indication == TotalPassed {
			t.Errorf("without anchors on purpose: %s, %+v", r.Indication, s.Checks)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Document(ctx, doc, nil, w.options()); !errors.Is(err, context.Canceled) {
		t.Errorf("context ended before: %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	o := w.options()
	o.Revocation = sourceFunc(func(ctx context.Context, c, issuer *cert.Certificate) (*RevocationStatus, error) {
		cancel()
		return nil, ctx.Err()
	})
	if _, err := Document(ctx, doc, nil, o); !errors.Is(err, context.Canceled) {
		t.Errorf("context ended while asking: %v", err)
	}
}

// The examination itself stops when nobody waits for it any more.
func TestExaminationStopsWithItsContext(t *testing.T) {
	w := newWorld(t, "ozdst")
	doc := mustSign(t, content(), cms.Options{}, signerOf(w.user), signerOf(w.User(t, testpki.Organisation)))
	doc = w.stamp(t, w.stamp(t, w.stamp(t, doc, 0, w.Now), 0, w.Now), 1, w.Now)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	checks := 0
	o := w.options()
	o.CheckSignature = func(child, issuer *cert.Certificate) error {
		checks++
		cancel()
		return child.CheckSignatureFrom(issuer)
	}
	if _, err := Document(ctx, doc, nil, o); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if checks > 4 { // one token and one signer, two certificates each
		t.Errorf("%d certificates were checked after the end", checks)
	}
	if len(w.responder.asked) > 0 {
		t.Errorf("asked about %v", w.responder.asked)
	}
}

func TestDefaultClockIsTheSystems(t *testing.T) {
	w := worldOf(t, testpki.NewAt(t, "ozdst", time.Now().Truncate(time.Second)))
	signer := signerOf(w.user)
	signer.SigningTime = w.Now
	o := w.options()
	o.Now = nil
	r := mustBeValid(t, mustSign(t, content(), cms.Options{}, signer), nil, o)
	if d := r.At.Sub(w.Now); d < 0 || d > time.Minute {
		t.Errorf("checked at %v", r.At)
	}
}

// A report without its content tells its size and writes it all the same.
func TestOmittedContentIsWrittenFromTheDocument(t *testing.T) {
	w := newWorld(t, "ozdst")
	o := w.options()
	o.OmitContent = true
	for name, options := range map[string]cms.Options{"BER": {}, "DER": {DER: true}} {
		r := mustBeValid(t, mustSign(t, content(), options, signerOf(w.user)), nil, o)
		var out bytes.Buffer
		if err := r.WriteContentTo(&out); err != nil || !bytes.Equal(out.Bytes(), content()) {
			t.Errorf("%s: %d octets, %v", name, out.Len(), err)
		}
		if r.Content != nil || r.ContentSize() != len(content()) {
			t.Errorf("%s: content of %d octets, size %d", name, len(r.Content), r.ContentSize())
		}
		whole := mustBeValid(t, mustSign(t, content(), options, signerOf(w.user)), nil, w.options())
		if out.Reset(); whole.WriteContentTo(&out) != nil || !bytes.Equal(out.Bytes(), content()) || whole.ContentSize() != len(content()) {
			t.Errorf("%s: %d octets", name, out.Len())
		}
		want, _ := json.Marshal(whole)
		got, _ := json.Marshal(r)
		if size := fmt.Sprintf(`"contentSize":%d`, len(content())); !strings.Contains(string(got), size) || !strings.Contains(string(want), size) {
			t.Errorf("%s: %.300s", name, got)
		}
	}
	detached := mustBeValid(t, mustSign(t, content(), cms.Options{Detached: true}, signerOf(w.user)), content(), o)
	var out bytes.Buffer
	if err := detached.WriteContentTo(&out); err != nil || out.Len() != 0 || detached.ContentSize() != -1 {
		t.Errorf("detached: %v, %d octets, size %d", err, out.Len(), detached.ContentSize())
	}
	e, err := Collect(t.Context(), w.document(t), nil, o)
	if err != nil {
		t.Fatal(err)
	}
	if r := e.Judge(o.Policy()); r.Content != nil || r.ContentSize() != len(content()) {
		t.Error("the evidence has the content")
	}
	stored := Evidence{Document: e.Document, Anchors: e.Anchors, At: e.At, Statuses: e.Statuses}
	if r := stored.Judge(o.Policy()); !bytes.Equal(r.Content, content()) {
		t.Error("stored evidence has lost its content")
	}
}

// No verdict depends on what is remembered: not on other trust, other times,
// other documents.
func TestVerdictsDoNotDependOnWhatIsRemembered(t *testing.T) {
	w := newWorld(t, "ozdst")
	other := newWorld(t, "ozdst")
	plain := w.options()
	plain.Revocation = w.good() // the responder's signatures differ
	remembered := plain
	remembered.Certificates = cert.NewCache(0)
	docs := map[string][]byte{"plain": w.document(t), "stamped": w.stamped(t), "of strangers": other.stamped(t)}
	cases := map[string]func(*Options){
		"as it is":         func(*Options) {},
		"other roots":      func(o *Options) { o.Anchors = other.Anchors() },
		"both roots":       func(o *Options) { o.Anchors = cert.NewPool(w.Root.Cert, other.Root.Cert) },
		"years later":      func(o *Options) { at := w.CA.Cert.NotAfter.Add(time.Hour); o.Now = func() time.Time { return at } },
		"nobody to ask":    func(o *Options) { o.Revocation = nil },
		"CAs asked about":  func(o *Options) { o.CheckCARevocation = true },
		"strict, and now":  func(o *Options) { o.StrictRevocation, o.ValidNow = true, true },
		"as it is, again":  func(*Options) {},
		"without statuses": func(o *Options) { o.SkipRevocation = true },
	}
	for range 2 {
		for name, mod := range cases {
			for kind, doc := range docs {
				with, without := remembered, plain
				mod(&with)
				mod(&without)
				got, err := Document(t.Context(), doc, nil, with)
				want, wantErr := Document(t.Context(), doc, nil, without)
				if err != nil || wantErr != nil {
					t.Fatal(err, wantErr)
				}
				a, _ := json.Marshal(got)
				b, _ := json.Marshal(want)
				if !bytes.Equal(a, b) {
					t.Errorf("%s, %s:\n%s\nwithout a memory\n%s", kind, name, a, b)
				}
			}
		}
	}
	if certificates, signatures := remembered.Certificates.Len(); certificates < 6 || signatures < 6 {
		t.Errorf("%d certificates, %d signatures are remembered", certificates, signatures)
	}
	// What was good is refused at once when it is revoked.
	remembered.Revocation = w.responder
	w.responder.revoke(w.user.Cert, w.Now, 0)
	if r, err := Document(t.Context(), docs["plain"], nil, remembered); err != nil || r.Valid() || r.FirstFailure().Check.Name != CheckRevocation {
		t.Errorf("revoked meanwhile: %v", err)
	}
}
