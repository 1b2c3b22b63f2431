package verify

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/ocsp"
)

var update = flag.Bool("update", false, "make the recorded evidence and its renderings anew")

const evidenceFile = "evidence.json"

// recordedEvidence is that of a stamped document, recorded once.
func recordedEvidence(t testing.TB) *Evidence {
	t.Helper()
	e := new(Evidence)
	if err := json.Unmarshal(golden(t, evidenceFile, nil), e); err != nil {
		t.Fatal(err)
	}
	return e
}

// golden returns the file in testdata; with -update it is written first.
func golden(t testing.TB, name string, write []byte) []byte {
	t.Helper()
	name = filepath.Join("testdata", name)
	if *update && write != nil {
		if err := os.WriteFile(name, write, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func indented(t testing.TB, v any) []byte {
	t.Helper()
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestRecordedEvidence judges evidence that was recorded by an earlier build.
// What it renders to is a promise: fields may be added, none may change.
func TestRecordedEvidence(t *testing.T) {
	if *update {
		w := worldOf(t, testpki.NewProduction(t, "ozdst"))
		doc := w.stamp(t, mustSign(t, []byte("some document"), cms.Options{}, signerOf(w.user)), 0, w.Now.Add(-time.Minute))
		e, err := Collect(t.Context(), doc, nil, w.options())
		if err != nil {
			t.Fatal(err)
		}
		golden(t, evidenceFile, indented(t, e))
	}
	e := recordedEvidence(t)
	r := e.Judge(Policy{})
	checkConsistency(t, r)
	if !r.Valid() {
		t.Fatalf("%v", r.FirstFailure())
	}
	got := indented(t, r)
	if want := golden(t, "report.json", got); !bytes.Equal(got, want) {
		t.Errorf("report.json differs:\n%s", got)
	}
	var text bytes.Buffer
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if want := golden(t, "report.txt", text.Bytes()); !bytes.Equal(text.Bytes(), want) {
		t.Errorf("report.txt differs:\n%s", text.Bytes())
	}
	// The responses in it prove what it says.
	rec := loadRecording(t)
	if ok, err := rec.verify(rec.doc, rec.responses); !ok || err != nil {
		t.Errorf("valid %v, %v", ok, err)
	}
}

// loadRecording makes a recording of the recorded evidence: always the same
// octets, as fuzzing needs them.
func loadRecording(t testing.TB) *recording {
	t.Helper()
	e := recordedEvidence(t)
	rec := &recording{doc: e.Document, anchors: cert.NewPool(e.Anchors...), now: e.At, responses: make(map[string][]byte)}
	for _, s := range e.Judge(Policy{}).Signers {
		rec.responses[s.Certificate.SerialHex()] = s.Revocation.OCSPResponse
		rec.responses[s.TimeStamp.Certificate.SerialHex()] = s.TimeStamp.Revocation.OCSPResponse
	}
	return rec
}

func TestEvidenceReplaysTheSameReport(t *testing.T) {
	w := newWorld(t, "ozdst")
	second := w.User(t, testpki.Organisation)
	detached := mustSign(t, content(), cms.Options{Detached: true}, signerOf(w.user), signerOf(second))
	empty := mustSign(t, nil, cms.Options{Detached: true}, signerOf(w.user))
	w.responder.revoke(second.Cert, w.Now.Add(-time.Second), 1)
	for name, in := range map[string]struct {
		doc, content []byte
		prepare      func()
	}{
		"valid":            {w.stamped(t), nil, func() {}},
		"one revoked":      {w.stamp(t, detached, 0, w.Now), content(), func() {}},
		"content missing":  {detached, nil, func() {}},
		"empty content":    {empty, []byte{}, func() {}},
		"no document":      {[]byte("x"), nil, func() {}},
		"nobody answers":   {w.stamped(t), nil, func() { w.responder.fail[w.TSA.Cert.SerialHex()] = errDown }},
		"reason not given": {w.stamped(t), nil, func() { w.responder.revoke(w.TSA.Cert, w.Now, ocsp.NoReason) }},
	} {
		t.Run(name, func(t *testing.T) {
			in.prepare()
			defer clear(w.responder.fail)
			for _, o := range []Options{{}, {StrictRevocation: true}, {CheckCARevocation: true}, {SkipRevocation: true}, {ValidNow: true}, {ClockSkew: time.Second}} {
				o.Anchors, o.Revocation, o.Now = w.Anchors(), w.responder, w.Clock()
				e, err := Collect(t.Context(), in.doc, in.content, o)
				if err != nil {
					t.Fatal(err)
				}
				want := indented(t, e.Judge(o.Policy()))
				if got := indented(t, e.Judge(o.Policy())); !bytes.Equal(got, want) {
					t.Errorf("judged twice, it differs:\n%s\n%s", got, want)
				}
				direct := indented(t, mustVerify(t, in.doc, in.content, o))
				if statusless(direct) != statusless(want) {
					t.Errorf("Document says otherwise:\n%s\n%s", direct, want)
				}
				stored, err := json.Marshal(e)
				if err != nil {
					t.Fatal(err)
				}
				var again Evidence
				if err := json.Unmarshal(stored, &again); err != nil {
					t.Fatal(err)
				}
				if got := indented(t, again.Judge(o.Policy())); !bytes.Equal(got, want) {
					t.Errorf("stored and judged again, it differs:\n%s\n%s", got, want)
				}
				if restored, err := json.Marshal(&again); err != nil || !bytes.Equal(restored, stored) {
					t.Errorf("stored again, it differs (%v):\n%s\n%s", err, restored, stored)
				}
			}
		})
	}
}

// statusless takes the OCSP responses out, whose signatures are random.
func statusless(b []byte) string {
	var keep []string
	for line := range strings.Lines(string(b)) {
		if !strings.Contains(line, `"ocspResponse"`) {
			keep = append(keep, line)
		}
	}
	return strings.Join(keep, "")
}

// The same evidence under another policy, which asks for more than was
// collected.
func TestEvidenceUnderAnotherPolicy(t *testing.T) {
	w := newWorld(t, "ozdst")
	w.responder.revoke(w.user.Cert, w.Now.Add(-time.Second), 1)
	e, err := Collect(t.Context(), w.stamped(t), nil, w.options())
	if err != nil {
		t.Fatal(err)
	}
	if r := e.Judge(Policy{}); !r.Valid() {
		t.Errorf("%v", r.FirstFailure())
	}
	mustFail(t, e.Judge(Policy{StrictRevocation: true}), []wrong{{CheckRevocation, Failed, Revoked, errRevoked}}, nil)
	r := e.Judge(Policy{CheckCARevocation: true})
	if r.Valid() || r.SubIndication != TryLater {
		t.Errorf("the CA's status was never asked: %s", r.SubIndication)
	}
	if r := e.Judge(Policy{SkipRevocation: true}); !r.Valid() || !r.RevocationSkipped {
		t.Errorf("%v", r.FirstFailure())
	}
}

func TestEvidenceWithoutStatusesIsNotValid(t *testing.T) {
	e := recordedEvidence(t)
	for i := range e.Statuses {
		less := *e
		less.Statuses = append(append([]StatusAnswer{}, e.Statuses[:i]...), e.Statuses[i+1:]...)
		if r := less.Judge(Policy{}); r.Valid() || r.SubIndication != TryLater {
			t.Errorf("without status %d: %s", i, r.SubIndication)
		}
		empty := *e
		empty.Statuses = append([]StatusAnswer{}, e.Statuses...)
		empty.Statuses[i].Status = nil
		if r := empty.Judge(Policy{}); r.Valid() || !errors.Is(r.FirstFailure(), errNoStatus) {
			t.Errorf("with an empty status %d: %v", i, r.FirstFailure())
		}
	}
	none := *e
	none.Anchors = nil
	if r := none.Judge(Policy{}); r.Valid() {
		t.Error("valid without an anchor")
	}
}

func TestEvidenceThatCannotBeRead(t *testing.T) {
	whole := string(golden(t, evidenceFile, nil))
	digest := whole[strings.Index(whole, `"certificate": "`)+len(`"certificate": "`):][:64]
	for name, text := range map[string]string{
		"no JSON":            whole[:len(whole)/2],
		"no anchor":          `{"anchors":["AAAA"]}`,
		"no digest":          strings.Replace(whole, digest, "zz"+digest[2:], 1),
		"a digest too short": strings.Replace(whole, digest, digest[2:], 1),
		"no such status":     strings.Replace(whole, `"status": "good"`, `"status": "fine"`, 1),
		"no time":            strings.Replace(whole, `"at": "`, `"at": "x`, 1),
		"an array":           `[]`,
	} {
		t.Run(name, func(t *testing.T) {
			if text == whole {
				t.Fatal("nothing was changed")
			}
			var e Evidence
			if err := json.Unmarshal([]byte(text), &e); err == nil {
				t.Error("it was read")
			}
		})
	}
}
