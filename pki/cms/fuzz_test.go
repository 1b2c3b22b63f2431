package cms

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"sync"
	"testing"

	"imzo/internal/testpki"
	"imzo/pki/ber"
)

// seeds returns documents of every layout; they are made once.
var seeds = sync.OnceValue(func() (out [][]byte) {
	t := new(seedTB)
	pki := testpki.New(t, "ozdst")
	alice, bob := pki.User(t, testpki.Person), pki.User(t, testpki.Organisation)
	byKey, plain := signerOf(alice), Signer{Key: alice.Key, Chain: alice.Chain, NoSignedAttrs: true}
	byKey.UseSubjectKeyID = true
	content := bytes.Repeat([]byte("0123456789"), 120)
	for _, o := range layouts {
		out = append(out, mustSign(t, content, o, signerOf(alice)), mustSign(t, content, o, byKey, signerOf(bob)), mustSign(t, content, o, plain))
	}
	s := mustParse(t, out[0])
	stamped, err := s.AddUnsignedAttribute(0, NewAttribute(OIDTimeStampToken, out[3]))
	if err != nil {
		panic(err)
	}
	withCRL := change(s, func(d *document) { d.crls = [][]byte{crl(ber.UTCTime(pki.Now))} })
	return append(out, stamped, withCRL)
})

// seedTB lets test helpers make seeds outside of a test: they only ask it for
// Helper and Fatal.
type seedTB struct{ testing.TB }

func (*seedTB) Helper()               {}
func (*seedTB) Fatal(args ...any)     { panic(args) }
func (*seedTB) Fatalf(string, ...any) { panic("seed") }

// signedContents remembers every content a seed has signed.
var signedContents = sync.OnceValue(func() map[[32]byte]bool {
	known := make(map[[32]byte]bool)
	for _, b := range seeds() {
		if s, err := Parse(b); err == nil && !s.Detached() {
			known[sha256.Sum256(s.Content())] = true
		}
	}
	return known
})

// FuzzVerify checks that nothing panics, that Parse keeps views of its input,
// and that no mutation yields a valid signature over content nobody signed.
func FuzzVerify(f *testing.F) {
	for _, b := range append(seeds(), fixture(f)) {
		f.Add(b)
	}
	known := signedContents()
	known[sha256.Sum256([]byte("Salom, E-IMZO"))] = true
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Parse(b)
		if err != nil {
			if s != nil {
				t.Fatal("a document beside an error")
			}
			return
		}
		if !bytes.Equal(s.Raw, b) || len(s.SignerInfos) > MaxSigners || len(s.Certificates) > MaxCertificates {
			t.Fatalf("read as %d octets, %d signers, %d certificates", len(s.Raw), len(s.SignerInfos), len(s.Certificates))
		}
		for _, si := range s.SignerInfos {
			_, _, _ = si.SigningTime()
			_, _, _ = si.MessageDigest()
			_, _ = si.TimeStampTokens()
			if si.RawSignedAttrs != nil {
				e, err := ber.Parse(si.RawSignedAttrs)
				if err != nil {
					t.Fatal(err)
				}
				if der, err := ber.DER(e); err != nil || !bytes.Equal(der, si.RawSignedAttrs) {
					t.Fatalf("hashed attributes are no DER: %x", si.RawSignedAttrs)
				}
			}
			for _, c := range s.SignerCertificates(si) {
				if s.Detached() {
					continue
				}
				if s.Verify(si, c, nil) == nil && !known[sha256.Sum256(s.Content())] {
					// A fuzzer that made its own key pair and
					// signed with it would be news as well.
					t.Fatalf("verifies over %q", s.Content())
				}
			}
		}
	})
}

// FuzzAddUnsignedAttribute checks that a rewritten document reads, verifies as
// before, and has every signed octet unchanged.
func FuzzAddUnsignedAttribute(f *testing.F) {
	for i, b := range seeds() {
		f.Add(b, i, []byte("value"))
	}
	content := bytes.Repeat([]byte("0123456789"), 120)
	f.Fuzz(func(t *testing.T, b []byte, signer int, value []byte) {
		s, err := Parse(b)
		if err != nil {
			return
		}
		a := NewAttribute(OIDTimeStampToken, ber.OctetString(value))
		out, err := s.AddUnsignedAttribute(signer, a)
		if err != nil {
			return
		}
		got, err := Parse(out)
		if err != nil {
			t.Fatalf("own document: %v\n%x", err, out)
		}
		mustKeep(t, s, got, 0)
		if !bytes.Equal(got.encap, s.encap) || !bytes.Equal(got.certsRaw, s.certsRaw) {
			t.Fatal("content or bag changed")
		}
		tokens, err := got.SignerInfos[signer].TimeStampTokens()
		before, errBefore := s.SignerInfos[signer].TimeStampTokens()
		if (err == nil) != (errBefore == nil) || err == nil && len(tokens) != len(before)+1 {
			t.Fatalf("%d tokens, %v; before %d, %v", len(tokens), err, len(before), errBefore)
		}
		var detached []byte
		if s.Detached() {
			detached = content
		}
		if was, is := verifyAll(s, detached), verifyAll(got, detached); (was == nil) != (is == nil) {
			t.Fatalf("before %v, after %v", was, is)
		}
	})
}

// FuzzFilterUnsignedAttribute checks that taking values out leaves a document
// that reads, has every signed octet and every other attribute unchanged and
// verifies as before; that taking all out undoes adding; and that taking none
// out changes no octet of the signer.
func FuzzFilterUnsignedAttribute(f *testing.F) {
	for i, b := range seeds() {
		f.Add(b, i%2, uint64(i), []byte("value"))
	}
	content := bytes.Repeat([]byte("0123456789"), 120)
	f.Fuzz(func(t *testing.T, b []byte, signer int, mask uint64, value []byte) {
		s, err := Parse(b)
		if err != nil || signer < 0 || signer >= len(s.SignerInfos) {
			return
		}
		filter := func(s *SignedData, keep func(i int) bool) (*SignedData, int) {
			n, left := 0, 0
			out, err := s.FilterUnsignedAttribute(signer, OIDTimeStampToken, func(ber.Element) bool {
				ok := keep(n)
				n++
				if ok {
					left++
				}
				return ok
			})
			if err != nil {
				t.Fatalf("own document: %v", err)
			}
			got, err := Parse(out)
			if err != nil {
				t.Fatalf("own document: %v\n%x", err, out)
			}
			mustKeep(t, s, got, 0)
			if !bytes.Equal(got.encap, s.encap) || !bytes.Equal(got.certsRaw, s.certsRaw) {
				t.Fatal("content or bag changed")
			}
			return got, left
		}
		others := func(s *SignedData) (out [][]byte) {
			for _, a := range s.SignerInfos[signer].UnsignedAttrs {
				if a.Type != OIDTimeStampToken {
					out = append(out, a.Raw)
				}
			}
			return out
		}
		values := func(s *SignedData) (out [][]byte) {
			for _, a := range s.SignerInfos[signer].UnsignedAttrs {
				for _, v := range a.Values {
					if a.Type == OIDTimeStampToken {
						out = append(out, v.Raw)
					}
				}
			}
			return out
		}
		equal := func(a, b [][]byte) bool { return slices.EqualFunc(a, b, bytes.Equal) }

		some, left := filter(s, func(i int) bool { return mask>>(i%64)&1 == 1 })
		var want [][]byte
		for i, v := range values(s) {
			if mask>>(i%64)&1 == 1 {
				want = append(want, v)
			}
		}
		slices.SortFunc(want, bytes.Compare)
		got := values(some)
		slices.SortFunc(got, bytes.Compare)
		if left != len(want) || !equal(got, want) || !equal(others(some), others(s)) {
			t.Fatalf("%d values left, want %d", len(got), len(want))
		}
		var detached []byte
		if s.Detached() {
			detached = content
		}
		if was, is := verifyAll(s, detached), verifyAll(some, detached); (was == nil) != (is == nil) {
			t.Fatalf("before %v, after %v", was, is)
		}
		none, _ := filter(s, func(int) bool { return false })
		if len(values(none)) != 0 {
			t.Fatal("values are left")
		}
		added, err := none.AddUnsignedAttribute(signer, NewAttribute(OIDTimeStampToken, ber.OctetString(value)))
		if err != nil {
			return
		}
		with, err := Parse(added)
		if err != nil {
			t.Fatal(err)
		}
		if back, _ := filter(with, func(int) bool { return false }); !equal(others(back), others(none)) || !bytes.Equal(back.SignerInfos[signer].signed, none.SignerInfos[signer].signed) {
			t.Fatal("taking out does not undo adding")
		}
		if same, _ := filter(with, func(int) bool { return true }); !equal(values(same), values(with)) {
			t.Fatal("keeping all changed something")
		}
	})
}

// FuzzJoin checks that joining what can be read gives what can be read, with
// every signer of both once, and that joining again changes nothing.
func FuzzJoin(f *testing.F) {
	list := seeds()
	for i, b := range list {
		f.Add(b, list[(i+1)%len(list)])
	}
	f.Fuzz(func(t *testing.T, x, y []byte) {
		a, err := Parse(x)
		if err != nil {
			return
		}
		b, err := Parse(y)
		if err != nil {
			return
		}
		out, err := Join(a, b)
		if err != nil {
			return
		}
		got, err := Parse(out)
		if err != nil {
			t.Fatalf("own document: %v\n%x", err, out)
		}
		if !bytes.Equal(a.Content(), b.Content()) {
			t.Fatal("joined different contents")
		}
		mustKeep(t, a, got, 0)
		for _, si := range b.SignerInfos {
			n := 0
			for _, x := range got.SignerInfos {
				if bytes.Equal(x.signed, si.signed) {
					n++
				}
			}
			if n == 0 {
				t.Fatal("a signer of the second is gone")
			}
		}
		again, err := Join(got, b)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again, out) {
			t.Fatalf("joined again:\n%x\n%x", again, out)
		}
	})
}
