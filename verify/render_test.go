package verify

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/ocsp"
)

func text(t testing.TB, r *Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := r.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestRenderingOfFailures(t *testing.T) {
	w := newWorld(t, "ozdst")
	w.responder.revoke(w.user.Cert, w.Now.Add(-time.Hour), 6)
	doc := w.stamp(t, w.document(t), 0, w.Now)
	doc = addUnsigned(t, doc, 0, cms.OIDTimeStampToken, doc)
	r := mustVerify(t, doc, nil, w.options())
	got := text(t, r)
	for _, want := range []string{
		"TOTAL-FAILED (REVOKED)\n",
		"  FAILED: revocation: REVOKED: the certificate is suspended since 2026-01-01T11:00:00Z (certificateHold)\n",
		"  timestamp 2: TOTAL-FAILED (FORMAT_FAILURE)\n",
		"    FAILED: format: FORMAT_FAILURE: ",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
	var v struct {
		SubIndication string
		Signers       []struct {
			Checks []struct {
				Name, Result, SubIndication, Error string
			}
			Revocation struct {
				Status, Reason string
				ReasonCode     int
				RevokedAt      time.Time
				OCSPResponse   []byte
			}
			TimeStamps []struct {
				Indication string
				Time       *time.Time
			}
		}
	}
	if err := json.Unmarshal(indented(t, r), &v); err != nil {
		t.Fatal(err)
	}
	s := v.Signers[0]
	revocation := s.Checks[9]
	switch {
	case v.SubIndication != "REVOKED" || len(s.Checks) != len(SignerChecks()):
		t.Errorf("%s, %d checks", v.SubIndication, len(s.Checks))
	case revocation.Name != "revocation" || revocation.Result != "failed" || revocation.SubIndication != "REVOKED" || revocation.Error == "":
		t.Errorf("%+v", revocation)
	case s.Revocation.Status != "revoked" || s.Revocation.Reason != "certificateHold" || s.Revocation.ReasonCode != 6 ||
		!s.Revocation.RevokedAt.Equal(w.Now.Add(-time.Hour)) || len(s.Revocation.OCSPResponse) == 0:
		t.Errorf("%+v", s.Revocation)
	case len(s.TimeStamps) != 2 || s.TimeStamps[0].Time == nil == (s.TimeStamps[1].Time == nil):
		t.Errorf("%+v", s.TimeStamps)
	}
}

func TestRenderingOfWhatIsNoDocument(t *testing.T) {
	w := newWorld(t, "ozdst")
	r := mustVerify(t, []byte("x"), nil, w.options())
	if got, want := text(t, r), "TOTAL-FAILED (FORMAT_FAILURE)\n  the document cannot be verified: "; !strings.HasPrefix(got, want) {
		t.Errorf("%q", got)
	}
	var v map[string]any
	if err := json.Unmarshal(indented(t, r), &v); err != nil {
		t.Fatal(err)
	}
	if v["formatError"] == "" || v["indication"] != "TOTAL-FAILED" || len(v["signers"].([]any)) != 0 {
		t.Errorf("%v", v)
	}
}

func TestRenderingOfDetachedOfflineAndUnproven(t *testing.T) {
	w := newWorld(t, "ozdst")
	signer := signerOf(w.user)
	signer.UseSubjectKeyID = true
	doc := mustSign(t, content(), cms.Options{Detached: true}, signer)
	o := w.options()
	o.SkipRevocation = true
	got := text(t, mustVerify(t, doc, content(), o))
	for _, want := range []string{"content: detached\n", "REVOCATION WAS NOT CHECKED\n", "  skipped: revocation: ", "(claimed by the signer)\n", "  passed: signingTime: the time is the signer's claim\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
	r := mustVerify(t, doc, []byte("another"), o)
	if got := text(t, r); !strings.Contains(got, "named subject (not proven): CN=IVANOV") {
		t.Errorf("a certificate that nothing proves:\n%s", got)
	}
	var v struct {
		RevocationSkipped bool
		Signers           []struct{ SignerID map[string]string }
	}
	if err := json.Unmarshal(indented(t, r), &v); err != nil {
		t.Fatal(err)
	}
	if !v.RevocationSkipped || v.Signers[0].SignerID["subjectKeyId"] == "" || len(v.Signers[0].SignerID) != 1 {
		t.Errorf("%+v", v)
	}
	plain := mustSign(t, content(), cms.Options{}, cms.Signer{Key: w.user.Key, Chain: w.user.Chain, NoSignedAttrs: true})
	if got := text(t, mustVerify(t, plain, nil, o)); !strings.Contains(got, "(time of the check)\n") {
		t.Errorf("%s", got)
	}
	nobody := forge{content: content(), bag: []*cert.Certificate{}}.make(t, w.user)
	if got := text(t, mustVerify(t, nobody, nil, o)); strings.Contains(got, "subject") {
		t.Errorf("%s", got)
	}
}

// A name in a certificate is free text: it must not speak to the terminal.
func TestTextCannotControlTheTerminal(t *testing.T) {
	w := newWorld(t, "ozdst")
	evil := w.User(t, testpki.Person, func(c *cert.Template) {
		name, err := cert.NewName(cert.Attribute{Type: w.user.Cert.Subject.RDNs[0][0].Type, Value: "A\x1b[2J\nsigner 1: TOTAL-PASSED\u202e"})
		if err != nil {
			t.Fatal(err)
		}
		c.Subject = name
	})
	got := text(t, mustVerify(t, mustSign(t, content(), cms.Options{}, signerOf(evil)), nil, w.options()))
	if strings.ContainsAny(got, "\x1b\u202e") || strings.Contains(got, "\nsigner 1: TOTAL-PASSED\ufffd") || !strings.Contains(got, "A\ufffd") {
		t.Errorf("%q", got)
	}
}

func TestTextReportsTheWritersError(t *testing.T) {
	w := newWorld(t, "ozdst")
	r := mustVerify(t, w.document(t), nil, w.options())
	if err := r.WriteText(brokenWriter{}); !errors.Is(err, errDown) {
		t.Errorf("%v", err)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errDown }

func TestRenderingOfCAStatus(t *testing.T) {
	w := newWorld(t, "ozdst")
	o := w.options()
	o.CheckCARevocation = true
	w.responder.fail[w.CA.Cert.SerialHex()] = errDown
	var v struct {
		Signers []struct{ CARevocation []*struct{ Status string } }
	}
	if err := json.Unmarshal(indented(t, mustVerify(t, w.document(t), nil, o)), &v); err != nil {
		t.Fatal(err)
	}
	if ca := v.Signers[0].CARevocation; len(ca) != 1 || ca[0] != nil {
		t.Errorf("%+v", ca)
	}
}

func TestNamesOfResultsAndStatuses(t *testing.T) {
	for r, want := range map[Result]string{NotPerformed: "notPerformed", Passed: "passed", Failed: "failed", Indeterminate: "indeterminate", Skipped: "skipped", 99: "result(99)"} {
		if r.String() != want {
			t.Errorf("%d is %q", r, r.String())
		}
	}
	for s, want := range map[ocsp.CertStatus]string{ocsp.Good: "good", ocsp.Revoked: "revoked", ocsp.Unknown: "unknown", 0: "unknown"} {
		if statusName(s) != want {
			t.Errorf("%d is %q", s, statusName(s))
		}
	}
}

func TestZeroValuesAreNotValid(t *testing.T) {
	var r *Report
	var s *Signer
	var ts *TimeStamp
	if r.Valid() || s.Valid() || ts.Valid() || new(Report).Valid() || new(Signer).Valid() || new(TimeStamp).Valid() {
		t.Error("nothing is valid")
	}
	if new(Report).FirstFailure() == nil {
		t.Error("a report that is not valid has no failure")
	}
	if c, bad := new(Signer).FirstFailure(); bad {
		t.Errorf("%+v", c)
	}
	if new(Signer).Check(CheckDigest).Result != NotPerformed || new(TimeStamp).Check(CheckDigest).Result != NotPerformed {
		t.Error("a check that is not there was made")
	}
	if v := conclude(nil); v.indication == TotalPassed {
		t.Error("no checks are enough to be valid")
	}
	if v := conclude([]Check{passed(CheckDigest), notPerformed(CheckPath)}); v.indication == TotalPassed {
		t.Error("a check that was not made is enough to be valid")
	}
}

func TestFailuresTellWhere(t *testing.T) {
	w := newWorld(t, "ozdst")
	w.responder.fail[w.TSA.Cert.SerialHex()] = errDown
	r := mustVerify(t, w.stamped(t), nil, w.options())
	f := r.FirstFailure()
	if got, want := f.Error(), "signer 1: timestamp 1: revocation: TRY_LATER: the responder is down"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if !errors.Is(f, errDown) {
		t.Error("the cause is not in it")
	}
	if c, bad := r.Signers[0].TimeStamp.FirstFailure(); !bad || c.Name != CheckRevocation {
		t.Errorf("%+v", c)
	}
	if _, bad := r.Signers[0].FirstFailure(); bad {
		t.Error("the failure is the token's, not the signer's")
	}
	r = mustVerify(t, nil, nil, w.options())
	if got := r.FirstFailure().Error(); !strings.HasPrefix(got, "document: format: FORMAT_FAILURE: ") {
		t.Errorf("%q", got)
	}
}
