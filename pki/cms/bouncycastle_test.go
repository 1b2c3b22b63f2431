package cms

import (
	"bytes"
	"encoding/base64"
	"fmt"
	mathrand "math/rand/v2"
	"strings"
	"testing"

	"imzo/gost/gost3410"
	"imzo/internal/testpki"
	"imzo/internal/testpki/peer"
	"imzo/pki/ber"
)

// The tests of this file exchange documents with BouncyCastle's own CMS
// classes under the object identifiers of Uzbekistan: it made the documents
// of E-IMZO and reads them in its server.

func bouncyCastle(t *testing.T) *peer.Proc {
	t.Helper()
	return peer.BouncyCastle(t).Start(t, "CMSPeer", "testdata/CMSPeer.java")
}

// field writes octets as the peer reads them.
func field(b []byte) string {
	if len(b) == 0 {
		return "."
	}
	return base64.StdEncoding.EncodeToString(b)
}

func unfield(t *testing.T, s string) []byte {
	t.Helper()
	if s == "." {
		return []byte{}
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// peerVerifies returns what the peer says of a document.
func peerVerifies(t *testing.T, p *peer.Proc, doc, detached []byte) string {
	t.Helper()
	content := "-"
	if detached != nil {
		content = field(detached)
	}
	return p.Ask(t, "verify "+content+" "+field(doc))
}

func mustVerifyWithPeer(t *testing.T, p *peer.Proc, doc, detached, content []byte, signers int) {
	t.Helper()
	if got, want := peerVerifies(t, p, doc, detached), fmt.Sprintf("ok %d %s", signers, field(content)); got != want {
		t.Fatalf("BouncyCastle says %.200s, want %.200s", got, want)
	}
}

// users returns entities on curve A, where all E-IMZO certificates are.
func users(t *testing.T, spec string) (pki *testpki.PKI, list []testpki.Entity) {
	t.Helper()
	pki = testpki.NewProduction(t, spec)
	for range 3 {
		list = append(list, pki.User(t, testpki.Person))
	}
	return pki, list
}

func peerSigns(t *testing.T, p *peer.Proc, family, place, attrs, encoding string, content []byte, who []testpki.Entity) []byte {
	t.Helper()
	var signers []string
	for _, e := range who {
		d := e.Key.Signer().(*gost3410.PrivateKey).Bytes()
		signers = append(signers, fmt.Sprintf("%x:%s", d, field(e.Cert.Raw)))
	}
	answer := p.Ask(t, strings.Join([]string{"sign", family, place, attrs, encoding, field(content), strings.Join(signers, ",")}, " "))
	doc, ok := strings.CutPrefix(answer, "ok ")
	if !ok {
		t.Fatalf("BouncyCastle says %.300s", answer)
	}
	return unfield(t, doc)
}

const rounds = 150 // documents in each direction and family

func TestDocumentsOfBouncyCastleVerify(t *testing.T) {
	p := bouncyCastle(t)
	for _, family := range []string{"ozdst", "ozmst"} {
		pki, list := users(t, family)
		rng := mathrand.New(mathrand.NewPCG(6, uint64(len(family))))
		for i := range rounds {
			content := randomOctets(rng, rng.IntN(4000))
			place, encoding := "attached", "BER"
			var detached []byte
			if i%2 == 1 {
				place, detached = "detached", content
			}
			if i%4 > 1 {
				encoding = "DER"
			}
			attrs := "attrs"
			if i%5 == 4 {
				attrs = "plain"
			}
			who := list[:1+i%3]
			doc := peerSigns(t, p, family, place, attrs, encoding, content, who)
			s := mustParse(t, doc)
			for _, si := range s.SignerInfos {
				if err := s.Verify(si, s.SignerCertificates(si)[0], detached); err != nil {
					t.Fatalf("document %d: %v\n%x", i, err, doc)
				}
			}
			if len(s.SignerInfos) != len(who) || s.Detached() != (detached != nil) || detached == nil && !bytes.Equal(s.Content(), content) {
				t.Fatalf("document %d: %d signers, detached %v", i, len(s.SignerInfos), s.Detached())
			}
			// Ours into theirs: both go on verifying it.
			extra := pki.User(t, testpki.Organisation)
			b, err := s.AddSigner(detached, signerOf(extra), nil)
			if err != nil {
				t.Fatal(err)
			}
			mustVerifyWithPeer(t, p, b, detached, content, len(who)+1)
		}
	}
}

func TestBouncyCastleVerifiesOurDocuments(t *testing.T) {
	p := bouncyCastle(t)
	for _, family := range []string{"ozdst", "ozmst"} {
		_, list := users(t, family)
		rng := mathrand.New(mathrand.NewPCG(7, uint64(len(family))))
		for i := range rounds {
			content := randomOctets(rng, rng.IntN(4000))
			o := layouts[i%len(layouts)]
			var signers []Signer
			for _, e := range list[:1+i%3] {
				s := signerOf(e)
				if i%5 == 4 {
					s.UseSubjectKeyID = true
				}
				if i%7 == 6 {
					s = Signer{Key: e.Key, Chain: e.Chain, NoSignedAttrs: true}
				}
				signers = append(signers, s)
			}
			doc := mustSign(t, content, o, signers...)
			var detached []byte
			if o.Detached {
				detached = content
			}
			mustVerifyWithPeer(t, p, doc, detached, content, len(signers))
			s := mustParse(t, doc)
			if o.Detached {
				b, err := s.AttachContent(content)
				if err != nil {
					t.Fatal(err)
				}
				mustVerifyWithPeer(t, p, b, nil, content, len(signers))
				if got := peerVerifies(t, p, doc, append(content, 'x')); !strings.HasPrefix(got, "no ") {
					t.Fatalf("document %d: BouncyCastle says of another content: %.100s", i, got)
				}
				continue
			}
			other := mustParse(t, mustSign(t, content, layouts[i/2%2], signerOf(list[2])))
			joined, err := Join(s, other)
			if err != nil {
				t.Fatal(err)
			}
			b, err := mustParse(t, joined).AddUnsignedAttribute(len(signers), NewAttribute(OIDTimeStampToken, ber.Sequence()))
			if err != nil {
				t.Fatal(err)
			}
			mustVerifyWithPeer(t, p, b, nil, content, len(signers)+1)
		}
	}
}

// TestWeRefuseChangedDocumentsThatBouncyCastleAccepts shows what the rules of
// the package comment are for, on documents with one bit changed.
func TestWeRefuseChangedDocumentsThatBouncyCastleAccepts(t *testing.T) {
	p := bouncyCastle(t)
	_, list := users(t, "ozdst")
	doc := mustSign(t, []byte("content"), Options{}, signerOf(list[0]))
	rng := mathrand.New(mathrand.NewPCG(8, 8))
	theirs := 0
	for range 300 {
		changed := bytes.Clone(doc)
		changed[rng.IntN(len(doc))] ^= 1 << rng.IntN(8)
		s, err := Parse(changed)
		ours := err == nil && len(s.SignerInfos) > 0 && verifyAll(s, nil) == nil
		answer := peerVerifies(t, p, changed, nil)
		if ours {
			t.Errorf("accepted: %x; BouncyCastle says %.100s", changed, answer)
		}
		if strings.HasPrefix(answer, "ok 1 ") {
			theirs++
		}
	}
	// BouncyCastle, which leaves the bag to path validation, accepts many:
	// were it none, the test would compare nothing.
	if theirs == 0 {
		t.Error("BouncyCastle accepts no changed document")
	}
	t.Logf("of 300 changed documents BouncyCastle verifies %d, we none", theirs)
}
