package crypto

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"imzo/bench/internal/figures"
	"imzo/bench/internal/outside"
	"imzo/gost/gost341194"
	"imzo/internal/testpki/peer"
)

// instant is long enough for one operation and no more.
const instant = time.Millisecond

func TestMeasurementsAreRead(t *testing.T) {
	if got, err := parseMeasurement("4 1000"); err != nil || got != 250 {
		t.Errorf("4 operations in 1000 ns take %v each, %v", got, err)
	}
	for _, wrong := range []string{"", "4", "0 10", "4 0", "-1 5", "error", "a b"} {
		if got, err := parseMeasurement(wrong); err == nil {
			t.Errorf("%q is read as %v", wrong, got)
		}
	}
}

// questions are those that Measure asks, for a moment each.
var questions = []string{"verify A", "verify-decoded A", "verify B", "verify C", "sign A", "hash 65536", "hash 64"}

func testPeer(t *testing.T, p *harness, more ...string) {
	t.Helper()
	defer p.Close()
	message := bytes.Repeat([]byte{1}, smallMessage)
	digest := gost341194.Sum256(message)
	for _, curve := range []string{"A", "B", "C"} {
		k, err := newSubjectKey(curve, digest)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.take(curve, k); err != nil {
			t.Fatal(err)
		}
		k.signature[5] ^= 1
		if err := p.take("wrong", k); err == nil {
			t.Errorf("curve %s: a wrong signature is taken", curve)
		}
	}
	got, err := p.Ask("digest " + hex.EncodeToString(message))
	if err != nil || got != hex.EncodeToString(digest[:]) {
		t.Errorf("its digest is %s, %v; ours is %x", got, err, digest)
	}
	for _, q := range append(more, questions...) {
		if ns, err := p.measure(instant, q); err != nil || ns < 100 {
			t.Errorf("%s: %v ns, %v", q, ns, err)
		}
	}
	for _, q := range []string{"verify none 1", "nonsense"} {
		if answer, err := p.Ask(q); err == nil {
			t.Errorf("%q is answered with %q", q, answer)
		}
	}
}

func TestBouncyCastleComputesWhatWeDo(t *testing.T) {
	peer.BouncyCastle(t)
	p, err := startBouncyCastle(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	testPeer(t, p, verifyJCA(bytes.Repeat([]byte{1}, smallMessage)))
}

func TestTheEngineComputesWhatWeDo(t *testing.T) {
	peer.OpenSSLGOST(t)
	p, err := startEngine(t.Context(), t.TempDir())
	if errors.Is(err, outside.ErrAbsent) && !strings.Contains(os.Getenv("IMZO_REQUIRE"), "gost-engine") {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	testPeer(t, p)
}

func TestRHashHashesWhatWeDo(t *testing.T) {
	peer.RHash(t)
	content := []byte(strings.Repeat("content ", 4096))
	r, err := findRHash(t.Context(), t.TempDir(), content)
	if err != nil {
		t.Fatal(err)
	}
	want := gost341194.Sum256(content)
	if got, _, err := r.sum(t.Context(), r.full); err != nil || got != hex.EncodeToString(want[:]) {
		t.Errorf("its digest is %s, %v; ours is %x", got, err, want)
	}
	if ns, err := r.measure(t.Context()); err != nil || ns < 1 {
		t.Errorf("%v ns, %v", ns, err)
	}
}

func TestDocumentsVerifyEachWay(t *testing.T) {
	d, err := newDocuments(3, 100)
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func() error{"bare": d.verifyBare, "signer": d.verifySigner, "document": d.verifyDocument} {
		for range 2 * len(d.each) {
			if err := f(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	for i := range d.each {
		d.each[i].signature[3] ^= 1
		d.each[i].der[len(d.each[i].der)-20] ^= 1 // in the signature, at the end
	}
	for name, f := range map[string]func() error{"bare": d.verifyBare, "signer": d.verifySigner, "document": d.verifyDocument} {
		if err := f(); err == nil {
			t.Errorf("%s: a wrong signature verifies", name)
		}
	}
}

func TestRepeatGivesTheTimeOfOne(t *testing.T) {
	calls := 0
	ns, err := repeat(func() error { calls++; time.Sleep(2 * time.Millisecond); return nil })(10 * time.Millisecond)
	if err != nil || ns < 2e6 || calls < 2 {
		t.Errorf("%d calls of 2 ms take %v ns each, %v", calls, ns, err)
	}
	if _, err := repeat(func() error { return errWrong })(time.Second); !errors.Is(err, errWrong) {
		t.Errorf("an operation that fails gives %v", err)
	}
}

// Without a peer its rows stay, and say so.
func TestAbsentPeersKeepTheirRows(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	comparisons, versions, err := Measure(t.Context(), Options{Dir: t.TempDir(), Rounds: 1, Slice: instant, WarmUp: instant, Large: 1 << 20, Users: 5})
	if err != nil {
		t.Fatal(err)
	}
	if len(versions) > 0 {
		t.Errorf("versions of absent peers: %v", versions)
	}
	count := map[figures.Verdict]int{}
	for _, c := range comparisons {
		outsider := strings.Contains(c.Peer, nameEngine) || strings.Contains(c.Peer, nameBC) || c.Peer == nameRHash
		if (c.Verdict() == figures.NoPeer) != outsider || (c.Absent == "") == outsider {
			t.Errorf("%s beside %s: verdict %q, absent %q", c.Figure, c.Peer, c.Verdict(), c.Absent)
		}
		if len(c.Ours.Samples) != 1 || !(c.Ours.Median() > 0) {
			t.Errorf("%s has the samples %v", c.Figure, c.Ours.Samples)
		}
		count[c.Verdict()]++
	}
	if count[figures.NoPeer] < 12 || len(comparisons)-count[figures.NoPeer] < 5 {
		t.Errorf("verdicts %v", count)
	}
}

// With them, every row has its ratio.
func TestAllPeersAreMeasured(t *testing.T) {
	peer.BouncyCastle(t)
	peer.RHash(t)
	comparisons, versions, err := Measure(t.Context(), Options{Dir: t.TempDir(), Rounds: 2, Slice: instant, WarmUp: instant, Large: 1 << 20, Users: 5, Log: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range comparisons {
		if strings.HasPrefix(c.Peer, nameEngine) && c.Absent != "" {
			continue // TestTheEngineComputesWhatWeDo tells
		}
		if c.Absent != "" || len(c.Ours.Samples) != 2 || !(c.Ratio() > 0) {
			t.Errorf("%s beside %s: %v, %v, ratio %v, absent %q", c.Figure, c.Peer, c.Ours, c.Theirs, c.Ratio(), c.Absent)
		}
	}
	if len(comparisons) != 20 || len(versions) < 2 {
		t.Errorf("%d rows, want 20; versions %v", len(comparisons), versions)
	}
}
