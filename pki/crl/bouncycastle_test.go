package crl

import (
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
)

func askPeer(t *testing.T, p *peer.Proc, words ...string) []string {
	t.Helper()
	answer := p.Ask(t, strings.Join(words, " "))
	rest, ok := strings.CutPrefix(answer, "ok ")
	if !ok {
		t.Fatalf("BouncyCastle says %.300s", answer)
	}
	return strings.Fields(rest)
}

// entryText writes an entry as the peer does.
func entryText(e Entry) string {
	invalid := int64(0)
	if !e.InvalidityDate.IsZero() {
		invalid = e.InvalidityDate.UnixMilli()
	}
	return fmt.Sprintf("%s:%d:%d:%d", e.Serial.Text(16), e.RevokedAt.UnixMilli(), e.Reason, invalid)
}

func randomEntries(rng *mathrand.Rand) (list []Entry) {
	reasons := []int{NoReason, 1, 2, 3, 4, 5, 6, 9, 10}
	for range 1 + rng.IntN(30) {
		e := Entry{
			Serial:    new(big.Int).SetUint64(rng.Uint64()),
			RevokedAt: testNow.Add(-time.Duration(rng.IntN(1e8)) * time.Second),
			Reason:    reasons[rng.IntN(len(reasons))],
		}
		if e.Reason >= 0 && rng.IntN(3) == 0 {
			e.InvalidityDate = e.RevokedAt.Add(-time.Hour)
		}
		list = append(list, e)
	}
	return list
}

// TestBouncyCastleExchangesLists makes lists with each side and reads them with
// the other, under the object identifiers of Uzbekistan.
func TestBouncyCastleExchangesLists(t *testing.T) {
	p := peer.BouncyCastle(t).Start(t, "CRLPeer", "testdata/CRLPeer.java", "../ocsp/testdata/Family.java")
	field := base64.StdEncoding.EncodeToString
	for _, spec := range []string{"ozdst", "ozmst"} {
		pki := testpki.New(t, spec)
		key := fmt.Sprintf("%x", pki.CA.Key.Signer().(*gost3410.PrivateKey).Bytes())
		rng := mathrand.New(mathrand.NewPCG(1, uint64(len(spec))))
		for i := range 40 {
			entries := randomEntries(rng)
			number := new(big.Int).SetUint64(rng.Uint64())
			var texts, serials []string
			for _, e := range entries {
				texts, serials = append(texts, entryText(e)), append(serials, e.Serial.Text(16))
			}

			theirs, err := base64.StdEncoding.DecodeString(askPeer(t, p, "make", spec, key, field(pki.CA.Cert.Raw), number.Text(16),
				fmt.Sprint(testNow.UnixMilli()), fmt.Sprint(testNow.Add(time.Hour).UnixMilli()), strings.Join(texts, ","))[0])
			if err != nil {
				t.Fatal(err)
			}
			l := mustParse(t, theirs)
			if err := l.CheckSignatureFrom(pki.CA.Cert); err != nil {
				t.Fatalf("%d: %v", i, err)
			}
			if l.Number.Cmp(number) != 0 || !l.ThisUpdate.Equal(testNow) || !l.NextUpdate.Equal(testNow.Add(time.Hour)) {
				t.Errorf("%d: %+v", i, l)
			}
			for _, want := range entries {
				if got, revoked, err := l.Lookup(want.Serial); err != nil || !revoked || !sameEntry(got, want) {
					t.Errorf("%d: %+v, %v, %v, want %+v", i, got, revoked, err, want)
				}
			}

			ours := mustCreate(t, &Template{ThisUpdate: testNow, NextUpdate: testNow.Add(time.Hour), Number: number, Entries: entries}, pki.CA)
			got := askPeer(t, p, "read", spec, field(pki.CA.Cert.Raw), field(ours), strings.Join(append(serials, "3"), ","))
			want := []string{"true", number.Text(16), fmt.Sprint(len(entries)), strings.Join(append(texts, "-"), ",")}
			if strings.Join(got, " ") != strings.Join(want, " ") {
				t.Errorf("%d: BouncyCastle reads %v, want %v", i, got, want)
			}
			if got := askPeer(t, p, "read", spec, field(pki.Root.Cert.Raw), field(ours), "3"); got[0] != "false" {
				t.Errorf("%d: BouncyCastle takes the root for the issuer", i)
			}
		}
	}
}
