package cms

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"imzo/internal/testpki"
	"imzo/pki/ber"
)

// written is a hasher that was given a document in pieces of up to so many
// octets.
func written(rng *rand.Rand, document []byte, most int) *ContentHasher {
	h := new(ContentHasher)
	for len(document) > 0 {
		n := min(len(document), 1+rng.IntN(most))
		_, _ = h.Write(document[:n]) // never fails
		document = document[n:]
	}
	return h
}

func TestContentIsHashedWhileItComes(t *testing.T) {
	user := testpki.New(t, "ozdst").User(t, testpki.Person)
	rng := rand.New(rand.NewPCG(3, 1))
	for _, o := range []Options{{}, {DER: true}} {
		for _, n := range []int{0, 1, 127, 128, 999, 1000, 1001, 70000} {
			for _, most := range []int{1, 7, 4096, 1 << 20} {
				name := fmt.Sprintf("DER %v, %d octets in pieces of up to %d", o.DER, n, most)
				document := mustSign(t, randomOctets(rng, n), o, signerOf(user))
				s := mustParse(t, document)
				want, err := s.ContentDigest(s.SignerInfos[0], nil)
				if err != nil {
					t.Fatal(err)
				}
				h := written(rng, document, most)
				s.Hashed(h)
				got, err := s.ContentDigest(s.SignerInfos[0], nil)
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s: %x, %v; want %x", name, got, err, want)
				}
				d, err := s.SignerInfos[0].Digest()
				if err != nil {
					t.Fatal(err)
				}
				if _, ok := h.sumOf(d, payload{segments: s.content}, s.Raw); !ok {
					t.Errorf("%s: hashed in vain", name)
				}
				if err := verifyAll(s, nil); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	}
}

// What was hashed is taken for nothing but the very same octets.
func TestAnotherContentIsHashedAnew(t *testing.T) {
	pki := testpki.New(t, "ozdst")
	user := pki.User(t, testpki.Person)
	rng := rand.New(rand.NewPCG(3, 2))
	sign := func(content []byte, o Options) []byte { return mustSign(t, content, o, signerOf(user)) }
	content := randomOctets(rng, 5000)
	document := sign(content, Options{})
	other := bytes.Clone(content)
	other[4000] ^= 1

	for name, hashed := range map[string][]byte{
		"another layout":             sign(content, Options{DER: true}),
		"a longer content":           sign(append(bytes.Clone(content), 0), Options{}),
		"a shorter content":          sign(content[:4000], Options{}),
		"half of the document":       document[:len(document)/2],
		"nothing":                    nil,
		"text":                       []byte("MIAGCSqGSIb3DQEHAqCAMIACAQExDzANBgsqhlwD"),
		"a detached document":        sign(content, Options{Detached: true}),
		"many algorithms":            manyAlgorithms(t, document),
		"a length beyond the end":    bytes.Replace(document, []byte{0x04, 0x82, 0x03, 0xe8}, []byte{0x04, 0x84, 0x7f, 0xff, 0xff, 0xff}, 1),
		"segments in segments":       bytes.Replace(document, []byte{0x04, 0x82, 0x03, 0xe8}, []byte{0x24, 0x80, 0x04, 0x82, 0x03, 0xe4}, 1),
		"an indefinite octet string": bytes.Replace(document, []byte{0x24, 0x80, 0x04}, []byte{0x04, 0x80, 0x04}, 1),
	} {
		s := mustParse(t, document)
		s.Hashed(written(rng, hashed, 100))
		d, err := s.SignerInfos[0].Digest()
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := s.hasher.sumOf(d, payload{segments: s.content}, s.Raw); ok {
			t.Errorf("%s passes for the document", name)
		}
		if err := verifyAll(s, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}

	// A digest of another algorithm is another digest.
	s := mustParse(t, document)
	h := written(rng, document, 100)
	for _, d := range []string{"SHA-256", "OZMST-285-2024-2-A"} {
		if _, ok := h.sumOf(digestNamed(t, d), payload{segments: s.content}, s.Raw); ok {
			t.Errorf("passes for %s", d)
		}
	}
	// The same octets at another place are not known to be the same.
	if _, ok := h.sumOf(h.digest, payload{segments: mustParse(t, bytes.Clone(document)).content}, s.Raw); ok {
		t.Error("a copy passes for the document")
	}
	if _, ok := h.sumOf(h.digest, payload{segments: s.content}, s.Raw[:500]); ok {
		t.Error("segments beyond the document pass")
	}
}

// manyAlgorithms has one more digest algorithm than signers use.
func manyAlgorithms(t *testing.T, document []byte) []byte {
	t.Helper()
	set := ber.Set(mustParse(t, document).DigestAlgorithms[0].Raw)
	two := ber.Set(digestNamed(t, "SHA-256").Identifier().Marshal(), mustParse(t, document).DigestAlgorithms[0].Raw)
	if !bytes.Contains(document, set) {
		t.Fatal("no set of algorithms")
	}
	return bytes.Replace(document, set, two, 1)
}

// FuzzContentHasher checks that a document that was hashed as it came has the
// digests that it has otherwise.
func FuzzContentHasher(f *testing.F) {
	for i, b := range append(seeds(), fixture(f)) {
		f.Add(b, uint64(i))
	}
	f.Fuzz(func(t *testing.T, b []byte, seed uint64) {
		h := written(rand.New(rand.NewPCG(seed, 0)), b, 300)
		s, err := Parse(b)
		if err != nil || s.Detached() {
			return
		}
		for _, si := range s.SignerInfos {
			s.Hashed(nil)
			want, wantErr := s.ContentDigest(si, nil)
			s.Hashed(h)
			got, err := s.ContentDigest(si, nil)
			if !bytes.Equal(got, want) || (err == nil) != (wantErr == nil) {
				t.Fatalf("%x, %v; want %x, %v", got, err, want, wantErr)
			}
		}
	})
}
