package verify

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"imzo/gost/gost3410"
	"imzo/internal/testpki"
	"imzo/internal/testpki/peer"
)

// TestDocumentsOfBouncyCastleAreJudged judges documents that the classes
// which make those of E-IMZO have made, under the object identifiers of
// Uzbekistan, before and after they get a timestamp.
func TestDocumentsOfBouncyCastleAreJudged(t *testing.T) {
	p := peer.BouncyCastle(t).Start(t, "CMSPeer", "../pki/cms/testdata/CMSPeer.java")
	b64 := base64.StdEncoding.EncodeToString
	for _, family := range []string{"ozdst", "ozmst"} {
		w := worldOf(t, testpki.NewProduction(t, family))
		second := w.User(t, testpki.Organisation)
		var who []string
		for _, e := range []testpki.Entity{w.user, second} {
			d := e.Key.Signer().(*gost3410.PrivateKey).Bytes()
			who = append(who, fmt.Sprintf("%x:%s", d, b64(e.Cert.Raw)))
		}
		for _, form := range []string{"attached plain BER", "attached plain DER", "detached plain BER", "attached attrs BER", "attached attrs DER", "detached attrs DER"} {
			t.Run(family+" "+form, func(t *testing.T) {
				question := strings.Join([]string{"sign", family, form, b64(content()), strings.Join(who, ",")}, " ")
				answer, ok := strings.CutPrefix(p.Ask(t, question), "ok ")
				if !ok {
					t.Fatalf("BouncyCastle says %.300s", answer)
				}
				doc, err := base64.StdEncoding.DecodeString(answer)
				if err != nil {
					t.Fatal(err)
				}
				var detached []byte
				if strings.HasPrefix(form, "detached") {
					detached = content()
				}
				// It signs at the present, which is not the hierarchy's: no
				// claimed time, or one outside of all validities. The CA is
				// not in its documents either.
				now := w.options()
				now.Anchors.Add(w.CA.Cert)
				r := mustVerify(t, doc, detached, now)
				if len(r.Signers) != 2 {
					t.Fatalf("%d signers: %v", len(r.Signers), r.FirstFailure())
				}
				if strings.Contains(form, "plain") && !r.Valid() {
					t.Fatalf("%v", r.FirstFailure())
				}
				// With timestamps the claims do not matter.
				for i := range r.Signers {
					doc = w.stamp(t, doc, i, w.Now)
				}
				r = mustBeValid(t, doc, detached, now)
				for i, s := range r.Signers {
					if s.SigningDateSource != DateFromTimeStamp {
						t.Errorf("signer %d: date from %s", i, s.SigningDateSource)
					}
				}
				if detached != nil && mustVerify(t, doc, append(content(), 0), now).Valid() {
					t.Error("valid with another content")
				}
			})
		}
	}
}
