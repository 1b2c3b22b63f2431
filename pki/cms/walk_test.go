package cms

import (
	"testing"

	"imzo/internal/testpki"
	"imzo/pki/alg"
	"imzo/pki/ber"
)

// survivors returns the offsets where a changed octet goes unnoticed by Parse,
// Verify and cert.CheckBag together.
func survivors(t *testing.T, doc, detached []byte, each func([]byte, func(int, []byte))) (out []int) {
	t.Helper()
	mustVerify(t, doc, detached)
	each(doc, func(offset int, mutated []byte) {
		s, err := Parse(mutated)
		if err != nil || len(s.SignerInfos) == 0 {
			return
		}
		if verifyAll(s, detached) == nil {
			out = append(out, offset)
			t.Logf("offset %d: %#02x for %#02x", offset, mutated[offset], doc[offset])
		}
	})
	return out
}

// TestNoOctetOfTheFixtureCanBeChanged flips every bit and tries the six
// changes of testpki at every octet. There is no exception to justify.
func TestNoOctetOfTheFixtureCanBeChanged(t *testing.T) {
	doc := fixture(t)
	if got := survivors(t, doc, nil, testpki.EachByteChange); len(got) > 0 {
		t.Errorf("unnoticed changes at %v", got)
	}
	bits := func(data []byte, f func(int, []byte)) {
		testpki.EachBitFlip(data, func(bit int, mutated []byte) { f(bit/8, mutated) })
	}
	if got := survivors(t, doc, nil, bits); len(got) > 0 {
		t.Errorf("unnoticed flips at %v", got)
	}
	testpki.EachTruncation(doc, func(prefix []byte) {
		if _, err := Parse(prefix); err == nil {
			t.Errorf("%d octets of %d parse", len(prefix), len(doc))
		}
	})
	for _, tail := range []string{"\x00", "\x00\x00", "0"} {
		if _, err := Parse(append(doc[:len(doc):len(doc)], tail...)); err == nil {
			t.Errorf("parses with %x after it", tail)
		}
	}
}

// TestNoOctetOfADocumentCanBeChanged walks over documents of every layout and
// family with a chain of three certificates.
func TestNoOctetOfADocumentCanBeChanged(t *testing.T) {
	if testing.Short() {
		t.Skip("walks take seconds")
	}
	content := make([]byte, 1010)
	once := func(data []byte, f func(int, []byte)) {
		n := 0
		testpki.EachByteChange(data, func(offset int, mutated []byte) {
			if n++; n%5 == 0 { // every octet about once, in changing ways
				f(offset, mutated)
			}
		})
	}
	for _, tt := range []struct {
		name, spec string
		o          Options
		change     func(*Signer)
	}{
		{"production layout", "ozdst", Options{}, func(*Signer) {}},
		{"DER", "ozmst", Options{DER: true}, func(*Signer) {}},
		{"detached", "ozdst", Options{Detached: true}, func(*Signer) {}},
		{"without signed attributes", "ozdst", Options{}, func(s *Signer) { *s = Signer{Key: s.Key, Chain: s.Chain, NoSignedAttrs: true} }},
		{"by key identifier", "ecdsa:P-256", Options{}, func(s *Signer) { s.UseSubjectKeyID = true }},
		{"timestamp", "ecdsa:P-256", Options{ContentType: OIDTSTInfo, DER: true}, func(*Signer) {}},
		{"Ed25519", "ed25519", Options{DER: true}, func(*Signer) {}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			user := testpki.New(t, tt.spec).User(t, testpki.Person)
			signer := signerOf(user)
			tt.change(&signer)
			var detached []byte
			if tt.o.Detached {
				detached = content
			}
			if got := survivors(t, mustSign(t, content, tt.o, signer), detached, once); len(got) > 0 {
				t.Errorf("unnoticed changes at %v", got)
			}
		})
	}
}

// TestOnlyTheNameOfAnRSASignatureCanBeChanged: rsaEncryption and
// sha256WithRSAEncryption, one octet apart, name the same signature when the
// digest algorithm is given beside it (RFC 3370 3.2, RFC 5754 3.2).
func TestOnlyTheNameOfAnRSASignatureCanBeChanged(t *testing.T) {
	if testing.Short() {
		t.Skip("walks take seconds")
	}
	user := testpki.New(t, "rsa:2048").User(t, testpki.Person)
	doc := mustSign(t, []byte("x"), Options{DER: true}, signerOf(user))
	si := mustParse(t, doc).SignerInfos[0]
	if si.SignatureAlgorithm.OID != alg.OIDSignatureSHA256WithRSA {
		t.Fatalf("signed with %s", si.SignatureAlgorithm.OID)
	}
	name := alg.OIDKeyRSA.DER()
	other := func(data []byte, f func(int, []byte)) {
		testpki.EachByteChange(data, func(offset int, mutated []byte) {
			if mutated[offset] == data[offset]^1 || mutated[offset] == name[len(name)-1] {
				f(offset, mutated)
			}
		})
		// The change to rsaEncryption itself.
		at := len(doc) - len(ber.OctetString(si.Signature)) - len(ber.Null()) - 1
		mutated := append([]byte(nil), data...)
		mutated[at] = name[len(name)-1]
		f(at, mutated)
	}
	got := survivors(t, doc, nil, other)
	if len(got) != 1 || doc[got[0]] != 11 {
		t.Errorf("unnoticed changes at %v", got)
	}
}
