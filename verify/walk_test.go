package verify

import (
	"bytes"
	"context"
	"maps"
	"math/bits"
	"runtime"
	"sync"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/cert"
	"imzo/pki/cms"
)

// recording is a stamped document with the OCSP responses about its signer
// and its authority, which a source plays back and checks.
type recording struct {
	doc       []byte
	content   []byte // of a detached document
	anchors   *cert.Pool
	now       time.Time
	responses map[string][]byte // by serial number
	statuses  sync.Map          // serial number and response -> status, for those that are good
}

var recordedNonce = []byte("0123456789abcdef0123456789abcdef")

func record(t testing.TB, w *world, doc, content []byte) *recording {
	t.Helper()
	rec := &recording{doc: doc, content: content, anchors: w.Anchors(), now: w.Now, responses: make(map[string][]byte)}
	r := mustBeValid(t, doc, content, w.options())
	for _, s := range r.Signers {
		rec.responses[s.Certificate.SerialHex()] = s.Revocation.OCSPResponse
		for _, ts := range s.TimeStamps {
			rec.responses[ts.Certificate.SerialHex()] = ts.Revocation.OCSPResponse
		}
	}
	if v, err := rec.verify(doc, rec.responses); err != nil || !v {
		t.Fatalf("the recording is not valid: %v", err)
	}
	return rec
}

// verify tells whether report finds the document valid.
func (rec *recording) verify(doc []byte, responses map[string][]byte) (bool, error) {
	r, err := rec.report(doc, responses)
	if err != nil {
		return false, err
	}
	return r.Valid(), nil
}

// report plays the responses back. It does not use t, since it runs in
// goroutines.
func (rec *recording) report(doc []byte, responses map[string][]byte) (*Report, error) {
	source := sourceFunc(func(_ context.Context, c, issuer *cert.Certificate) (*RevocationStatus, error) {
		raw, ok := responses[c.SerialHex()]
		if !ok {
			return nil, errDown
		}
		// Certificates with a path and one serial number are one, so what was
		// good once is good again.
		key := c.SerialHex() + string(raw)
		if s, ok := rec.statuses.Load(key); ok {
			return s.(*RevocationStatus), nil
		}
		s, err := checkedStatus(raw, c, issuer, recordedNonce, rec.now)
		if err == nil {
			rec.statuses.Store(key, s)
		}
		return s, err
	})
	o := Options{Anchors: rec.anchors, Revocation: source, Now: func() time.Time { return rec.now }}
	return Document(context.Background(), doc, rec.content, o)
}

// eachInParallel calls f with every change that mutate makes, on all
// processors. f gets memory of its own.
func eachInParallel(data []byte, mutate func([]byte, func(int, []byte)), f func(at int, mutated []byte)) {
	type job struct {
		at      int
		mutated []byte
	}
	jobs := make(chan job, 64)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for j := range jobs {
				f(j.at, j.mutated)
			}
		})
	}
	mutate(data, func(at int, mutated []byte) { jobs <- job{at, bytes.Clone(mutated)} })
	close(jobs)
	wg.Wait()
}

// survivors lists the changes after which the verdict is still "valid".
func survivors(t *testing.T, data []byte, mutate func([]byte, func(int, []byte)), valid func(mutated []byte) (bool, error)) {
	t.Helper()
	var mu sync.Mutex
	tried := 0
	eachInParallel(data, mutate, func(at int, mutated []byte) {
		ok, err := valid(mutated)
		mu.Lock()
		defer mu.Unlock()
		tried++
		if err != nil {
			t.Errorf("change at %d: %v", at, err)
		}
		if ok {
			t.Errorf("unnoticed change at %d", at)
		}
	})
	if tried < len(data) {
		t.Errorf("only %d changes of %d octets tried", tried, len(data))
	}
	t.Logf("%d changes of %d octets", tried, len(data))
}

// eachOctetOnce flips one bit of each octet, another one each time.
func eachOctetOnce(data []byte, f func(int, []byte)) {
	m := bytes.Clone(data)
	for i := range data {
		m[i] ^= 1 << (i % 8)
		f(i, m)
		m[i] = data[i]
	}
}

// mutations changes every bit, and in short tests every octet.
func mutations() func([]byte, func(int, []byte)) {
	if testing.Short() {
		return eachOctetOnce
	}
	return func(data []byte, f func(int, []byte)) {
		testpki.EachBitFlip(data, func(bit int, mutated []byte) { f(bit/8, mutated) })
		testpki.EachByteChange(data, func(at int, mutated []byte) {
			if bits.OnesCount8(mutated[at]^data[at]) > 1 {
				f(at, mutated)
			}
		})
	}
}

// TestNoOctetCanBeChanged walks over a document in the layout of E-IMZO with
// its timestamp token, and over both OCSP responses: every bit, and of every
// octet some more values. There is no exception to justify.
func TestNoOctetCanBeChanged(t *testing.T) {
	w := worldOf(t, testpki.NewProduction(t, "ozdst"))
	text := []byte("some document")
	doc := w.stamp(t, mustSign(t, text, cms.Options{}, signerOf(w.user)), 0, w.Now.Add(-time.Minute))
	rec := record(t, w, doc, nil)

	t.Run("document", func(t *testing.T) {
		survivors(t, doc, mutations(), func(m []byte) (bool, error) { return rec.verify(m, rec.responses) })
	})
	// The token stands in the document as it is, so that was a walk over it.
	raws, err := mustParse(t, doc).SignerInfos[0].TimeStampTokens()
	if err != nil || len(raws) != 1 || !bytes.Contains(doc, raws[0]) {
		t.Fatalf("%d tokens, %v", len(raws), err)
	}
	for name, c := range map[string]*cert.Certificate{"OCSP of the signer": w.user.Cert, "OCSP of the authority": w.TSA.Cert} {
		t.Run(name, func(t *testing.T) {
			serial := c.SerialHex()
			survivors(t, rec.responses[serial], mutations(), func(m []byte) (bool, error) {
				// A response that is refused leaves the status unknown, as
				// TestStatusThatCannotBeHad tells; only what is not refused
				// needs the whole document.
				if _, err := checkedStatus(m, c, w.CA.Cert, recordedNonce, rec.now); err != nil {
					return false, nil
				}
				responses := maps.Clone(rec.responses)
				responses[serial] = m
				return rec.verify(doc, responses)
			})
		})
	}
}

func TestNoOctetOfOtherLayoutsCanBeChanged(t *testing.T) {
	if testing.Short() {
		t.Skip("walks take seconds")
	}
	for _, tt := range []struct {
		name, spec string
		o          cms.Options
		change     func(*cms.Signer)
		signers    int
	}{
		{"DER", "ozmst", cms.Options{DER: true}, nil, 1},
		{"detached", "ozdst", cms.Options{Detached: true}, nil, 1},
		{"curve C, without signed attributes", "ozmst:C", cms.Options{}, func(s *cms.Signer) { s.NoSignedAttrs, s.SigningTime = true, time.Time{} }, 1},
		{"key identifier", "ecdsa:P-256", cms.Options{}, func(s *cms.Signer) { s.UseSubjectKeyID = true }, 1},
		{"two signers", "ozdst", cms.Options{}, nil, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, tt.spec)
			var signers []cms.Signer
			for i := range tt.signers {
				user := w.user
				if i > 0 {
					user = w.User(t, testpki.Organisation)
				}
				s := signerOf(user)
				if tt.change != nil {
					tt.change(&s)
				}
				signers = append(signers, s)
			}
			doc := mustSign(t, []byte("x"), tt.o, signers...)
			for i := range signers {
				doc = w.stamp(t, doc, i, w.Now)
			}
			var detached []byte
			if tt.o.Detached {
				detached = []byte("x")
			}
			rec := record(t, w, doc, detached)
			survivors(t, doc, eachOctetOnce, func(m []byte) (bool, error) { return rec.verify(m, rec.responses) })
		})
	}
}

func TestNoPartOfADocumentIsEnough(t *testing.T) {
	w := newWorld(t, "ozdst")
	rec := record(t, w, w.stamped(t), nil)
	testpki.EachTruncation(rec.doc, func(prefix []byte) {
		if ok, err := rec.verify(prefix, rec.responses); ok || err != nil {
			t.Errorf("%d octets of %d: valid %v, %v", len(prefix), len(rec.doc), ok, err)
		}
	})
	for serial, raw := range rec.responses {
		for n := range raw {
			if ok, _ := rec.verify(rec.doc, map[string][]byte{serial: raw[:n]}); ok {
				t.Errorf("%d octets of an OCSP response of %d", n, len(raw))
			}
		}
	}
}

// The responses of two certificates swapped.
func TestOCSPResponsesSwapped(t *testing.T) {
	w := newWorld(t, "ozdst")
	rec := record(t, w, w.stamped(t), nil)
	u, a := w.user.Cert.SerialHex(), w.TSA.Cert.SerialHex()
	swapped := map[string][]byte{u: rec.responses[a], a: rec.responses[u]}
	if ok, err := rec.verify(rec.doc, swapped); ok || err != nil {
		t.Errorf("valid %v, %v", ok, err)
	}
}
