package ocsp

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"math/big"
	mathrand "math/rand/v2"
	"strings"
	"testing"
	"time"

	"imzo/gost/gost3410"
	"imzo/internal/testpki"
	"imzo/internal/testpki/peer"
	"imzo/pki/cert"
)

// The tests of this file exchange requests and responses with BouncyCastle
// under the object identifiers of Uzbekistan: the responder of E-IMZO is
// built with it.

func bouncyCastle(t *testing.T) *peer.Proc {
	t.Helper()
	return peer.BouncyCastle(t).Start(t, "OCSPPeer", "testdata/OCSPPeer.java", "testdata/Family.java")
}

// field writes octets as the peer reads them.
func field(b []byte) string {
	if len(b) == 0 {
		return "."
	}
	return base64.StdEncoding.EncodeToString(b)
}

// askPeer returns the fields of the peer's answer.
func askPeer(t *testing.T, p *peer.Proc, words ...string) []string {
	t.Helper()
	answer := p.Ask(t, strings.Join(words, " "))
	rest, ok := strings.CutPrefix(answer, "ok ")
	if !ok {
		t.Fatalf("BouncyCastle says %.300s", answer)
	}
	return strings.Fields(rest)
}

func unfield(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// statusText writes a status as the peer does.
func statusText(s CertStatus, at time.Time, reason int) string {
	if s != Revoked {
		return s.String()
	}
	return fmt.Sprintf("revoked:%d:%d", at.UnixMilli(), reason)
}

func randomStatus(rng *mathrand.Rand, now time.Time) StatusInfo {
	reasons := []int{NoReason, 1, 2, 3, 4, 5, 6, 8, 9, 10}
	switch rng.IntN(3) {
	case 0:
		return StatusInfo{Status: Good, Reason: NoReason}
	case 1:
		return StatusInfo{Status: Unknown, Reason: NoReason}
	}
	return StatusInfo{Status: Revoked, RevokedAt: now.Add(-time.Duration(rng.IntN(1e6)) * time.Second), Reason: reasons[rng.IntN(len(reasons))]}
}

var peerDigests = map[string]string{"SHA-1": "1.3.14.3.2.26", "SHA-256": "2.16.840.1.101.3.4.2.1", "family": "family"}

func TestBouncyCastleRespondsToOurRequests(t *testing.T) {
	p := bouncyCastle(t)
	for _, spec := range []string{"ozdst", "ozmst"} {
		w := newWorld(t, spec)
		rng := mathrand.New(mathrand.NewPCG(1, uint64(len(spec))))
		users := []testpki.Entity{w.user, w.User(t, testpki.Organisation), w.User(t, testpki.Person)}
		for i := range 60 {
			nonce := make([]byte, 1+rng.IntN(maxNonceSize))
			for j := range nonce {
				nonce[j] = byte(rng.Uint32())
			}
			r := Request{Nonce: nonce}
			var want []StatusInfo
			var statuses []string
			who := users[:1+rng.IntN(3)]
			d := []string{"SHA-1", "SHA-256", w.CA.Key.Digest().Name}[i%3]
			for _, u := range who {
				r.CertIDs = append(r.CertIDs, NewCertID(digest(t, d), u.Cert, w.CA.Cert))
				info := randomStatus(rng, w.Now)
				want, statuses = append(want, info), append(statuses, statusText(info.Status, info.RevokedAt, info.Reason))
			}
			signer, id := w.OCSP, []string{"key", "name"}[i%2]
			if i%5 == 0 {
				signer = w.CA
			}
			key := signer.Key.Signer().(*gost3410.PrivateKey).Bytes()
			got := askPeer(t, p, "respond", spec, fmt.Sprintf("%x", key), field(signer.Cert.Raw), id,
				fmt.Sprint(w.Now.UnixMilli()), field(r.Marshal()), strings.Join(statuses, ","))
			res := mustParse(t, unfield(t, got[0]))
			for k, u := range who {
				s, err := res.Check(CheckOptions{Certificate: u.Cert, Issuer: w.CA.Cert, Nonce: nonce, Now: w.Now})
				if err != nil {
					t.Fatalf("%d: %v", i, err)
				}
				if s.Status != want[k].Status || s.Reason != want[k].Reason || !s.RevokedAt.Equal(want[k].RevokedAt) || s.NextUpdate.Sub(s.ThisUpdate) != time.Minute {
					t.Errorf("%d: %+v, want %+v", i, s, want[k])
				}
			}
		}
	}
}

func TestBouncyCastleReadsOurRequestsAndResponses(t *testing.T) {
	p := bouncyCastle(t)
	for _, spec := range []string{"ozdst", "ozmst"} {
		w := newWorld(t, spec)
		rng := mathrand.New(mathrand.NewPCG(2, uint64(len(spec))))
		for i := range 60 {
			info := randomStatus(rng, w.Now)
			serve := w.responder()
			serve.ByName = i%2 == 0
			serve.Lookup = func(context.Context, *big.Int) (StatusInfo, error) { return info, nil }
			if i%5 == 0 {
				serve.Certificate, serve.Key = w.CA.Cert, w.CA.Key
			}
			// BouncyCastle asks, we answer, it reads.
			name := []string{"SHA-1", "SHA-256", "family"}[i%3]
			asked := unfield(t, askPeer(t, p, "request", spec, peerDigests[name], field(w.CA.Cert.Raw), field(testNonce), field(w.user.Cert.Raw))[0])
			r, err := ParseRequest(asked)
			if err != nil {
				t.Fatal(err)
			}
			if len(r.CertIDs) != 1 || !r.CertIDs[0].names(w.user.Cert, w.CA.Cert) || !bytes.Equal(r.Nonce, testNonce) {
				t.Fatalf("%d: %+v", i, r)
			}
			got := askPeer(t, p, "read", spec, field(serve.Certificate.Raw), field(w.CA.Cert.Raw), field(w.user.Cert.Raw), field(serve.Respond(t.Context(), asked)))
			want := []string{"0", "true", field(testNonce), statusText(info.Status, info.RevokedAt, info.Reason),
				fmt.Sprint(w.Now.UnixMilli()), fmt.Sprint(w.Now.Add(time.Minute).UnixMilli())}
			if strings.Join(got, " ") != strings.Join(want, " ") {
				t.Errorf("%d: BouncyCastle reads %v, want %v", i, got, want)
			}
			// It reads what we ask.
			mine := Request{CertIDs: []CertID{w.id(), NewCertID(w.CA.Key.Digest(), w.OCSP.Cert, w.CA.Cert)}, Nonce: testNonce}
			got = askPeer(t, p, "parse", field(mine.Marshal()))
			if want := field(testNonce) + " " + w.user.Cert.SerialHex() + "," + w.OCSP.Cert.SerialHex(); strings.Join(got, " ") != want {
				t.Errorf("BouncyCastle reads %v, want %s", got, want)
			}
		}
		for s, want := range map[ResponseStatus]string{MalformedRequest: "1", InternalError: "2", TryLater: "3", SigRequired: "5", Unauthorized: "6"} {
			got := askPeer(t, p, "read", spec, field(w.OCSP.Cert.Raw), field(w.CA.Cert.Raw), field(w.user.Cert.Raw), field(errorResponse(s)))
			if got[0] != want {
				t.Errorf("%v: BouncyCastle reads %v", s, got)
			}
		}
	}
}

// TestBouncyCastleChecksSignatures shows that the peer of this file does not
// accept everything.
func TestBouncyCastleChecksSignatures(t *testing.T) {
	p := bouncyCastle(t)
	w := newWorld(t, "ozdst")
	f := w.forge()
	f.signer.Key = testpki.Key(t, "ozdst")
	f.bag = []*cert.Certificate{w.OCSP.Cert}
	got := askPeer(t, p, "read", "ozdst", field(w.OCSP.Cert.Raw), field(w.CA.Cert.Raw), field(w.user.Cert.Raw), field(f.make(t, w.Now)))
	if got[1] != "false" {
		t.Errorf("BouncyCastle says %v", got)
	}
}
