package verify

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
	"imzo/pki/cms"
)

// stranger makes documents as somebody would who wants to cost us much: of any
// certificates, none of which anybody has issued, and with signatures that are
// right, so that all the work for a signer is done.
type stranger struct {
	key    *alg.PrivateKey
	serial int64
	// wrong is a signature of something else: the check has to compute to
	// find it wrong.
	wrong []byte
	// stamp, when set, makes the unsigned attributes of every signer.
	stamp func(signature []byte) []cms.Attribute
}

func newStranger(t testing.TB) *stranger {
	t.Helper()
	s := &stranger{key: testpki.Key(t, "ozdst")}
	var err error
	if s.wrong, err = s.key.SignMessage(rand.Reader, []byte("something else")); err != nil {
		t.Fatal(err)
	}
	return s
}

// longName is a name of about size octets, of characters that JSON writes as six.
func longName(t testing.TB, size int, text string) cert.Name {
	t.Helper()
	return testpki.Name(t, "CN="+text+strings.Repeat("\x01", max(size-len(text)-20, 0)))
}

// certificate is one that nobody has signed.
func (s *stranger) certificate(t testing.TB, subject, issuer cert.Name, extensions ...[]byte) *cert.Certificate {
	t.Helper()
	s.serial++
	algorithm := s.key.SignatureAlgorithm().Marshal()
	now := testpki.DefaultNow()
	parts := [][]byte{
		ber.Tagged(ber.ContextConstructed(0), ber.Int64(2)), ber.Int64(s.serial), algorithm, issuer.Raw,
		ber.Sequence(ber.Time(now.AddDate(-1, 0, 0)), ber.Time(now.AddDate(1, 0, 0))), subject.Raw, s.key.PublicKey().Raw,
	}
	if len(extensions) > 0 {
		parts = append(parts, ber.Tagged(ber.ContextConstructed(3), ber.Sequence(extensions...)))
	}
	c, err := cert.Parse(ber.Sequence(ber.Sequence(parts...), algorithm, ber.BitString(s.wrong)))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// isCA is the extension that makes a certificate one of a CA.
func isCA() []byte {
	return ber.Sequence(ber.MustOID("2.5.29.19").DER(), ber.Bool(true), ber.OctetString(ber.Sequence(ber.Bool(true))))
}

// document is signed for each of the leaves.
func (s *stranger) document(t testing.TB, bag, leaves []*cert.Certificate) []byte {
	t.Helper()
	digest := s.key.Digest().Identifier().Marshal()
	set := ber.SetOf(rawAttrs(honestAttrs(s.key.Digest(), cms.OIDData, content()))...)
	signature, err := s.key.SignMessage(rand.Reader, set)
	if err != nil {
		t.Fatal(err)
	}
	attrs := append([]byte{ber.ContextConstructed(0)}, set[1:]...)
	var signers, certs [][]byte
	for _, c := range leaves {
		sid := ber.Sequence(c.RawIssuer, ber.Int(c.Serial))
		parts := [][]byte{ber.Int64(1), sid, digest, attrs, s.key.SignatureAlgorithm().Marshal(), ber.OctetString(signature)}
		if s.stamp != nil {
			parts = append(parts, ber.Tagged(ber.ContextConstructed(1), rawAttrs(s.stamp(signature))...))
		}
		signers = append(signers, ber.Sequence(parts...))
	}
	for _, c := range bag {
		certs = append(certs, c.Raw)
	}
	encap := ber.Sequence(cms.OIDData.DER(), ber.Tagged(ber.ContextConstructed(0), ber.OctetString(content())))
	return ber.Sequence(cms.OIDSignedData.DER(), ber.Tagged(ber.ContextConstructed(0), ber.Sequence(
		ber.Int64(1), ber.Set(digest), encap, ber.Tagged(ber.ContextConstructed(0), certs...), ber.Set(signers...))))
}

// yardstick is how long 50 signatures and the hash of 1 MiB take here and now,
// 0.01 s on a machine of its own: tests share one, and may run with the race
// detector.
func yardstick(w *world) time.Duration {
	start := time.Now()
	for range 50 {
		if err := w.user.Cert.CheckSignatureFrom(w.CA.Cert); err != nil {
			panic(err) // the hierarchy's own
		}
	}
	alg.OZDST().Sum(make([]byte, 1<<20))
	return time.Since(start)
}

// mustBeCheap verifies a document that is not valid, and holds the time it
// takes and the report it gives to what the package promises.
func mustBeCheap(t *testing.T, w *world, doc []byte) *Report {
	t.Helper()
	const most, tries = 100, 3 // yardsticks, a second; others may take the machine just then
	var r *Report
	for try := 1; ; try++ {
		start := time.Now()
		r = mustVerify(t, doc, nil, w.options())
		took := time.Since(start)
		t.Logf("%d octets: %v, %v", len(doc), took, r.FirstFailure())
		if took <= time.Second {
			break
		}
		limit := most * yardstick(w)
		if took <= limit {
			break
		}
		if try == tries {
			t.Errorf("took %v, want at most %v", took, limit)
			break
		}
	}
	out, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if most := 16<<20 + 4*len(doc); len(out) > most {
		t.Errorf("a report of %d octets for a document of %d", len(out), len(doc))
	}
	if r.Valid() {
		t.Error("valid")
	}
	return r
}

func TestCostlyDocumentsAreCheap(t *testing.T) {
	w := newWorld(t, "ozdst")
	// cas are certificates of one name that all might have issued each other
	// and the leaves.
	cas := func(s *stranger, n int, name cert.Name, extensions ...[]byte) (out []*cert.Certificate) {
		for range n {
			out = append(out, s.certificate(t, name, name, append(extensions, isCA())...))
		}
		return out
	}
	leaves := func(s *stranger, n int, issuer cert.Name) (out []*cert.Certificate) {
		for i := range n {
			out = append(out, s.certificate(t, longName(t, 0, fmt.Sprint("user ", i)), issuer))
		}
		return out
	}
	tests := map[string]struct {
		make func(s *stranger) []byte
		err  error // nil: any
	}{
		"64 signers and 936 certificates of one long name": {func(s *stranger) []byte {
			name := longName(t, 15<<10, "CA")
			l := leaves(s, 64, name)
			return s.document(t, append(cas(s, 936, name), l...), l)
		}, errNames},
		"the longest names that fit": {func(s *stranger) []byte {
			name := longName(t, 700, "CA")
			l := leaves(s, 64, name)
			return s.document(t, append(cas(s, 936, name), l...), l)
		}, nil},
		"a short name": {func(s *stranger) []byte {
			name := longName(t, 0, "CA")
			l := leaves(s, 64, name)
			return s.document(t, append(cas(s, 936, name), l...), l)
		}, nil},
		"names that differ in their encoding only": {func(s *stranger) []byte {
			l := leaves(s, 64, longName(t, 700, "CA"))
			var bag []*cert.Certificate
			for i := range 936 {
				name := longName(t, 700, "CA"+strings.Repeat(" ", i%7))
				bag = append(bag, s.certificate(t, name, name, isCA()))
			}
			return s.document(t, append(bag, l...), l)
		}, nil},
		"long chains shown by every signer": {func(s *stranger) []byte {
			var bag []*cert.Certificate
			issuer := longName(t, 15<<10, "CA 0")
			for i := range 9 {
				name := longName(t, 15<<10, fmt.Sprint("CA ", i+1))
				bag = append(bag, s.certificate(t, name, issuer, isCA()))
				issuer = name
			}
			l := leaves(s, 64, issuer)
			return s.document(t, append(bag, l...), l)
		}, errShown},
		"large certificates shown by every signer": {func(s *stranger) []byte {
			name := longName(t, 0, "CA")
			filler := ber.Sequence(ber.MustOID("1.2.3.4").DER(), ber.OctetString(make([]byte, 200<<10)))
			l := leaves(s, 64, name)
			return s.document(t, append(cas(s, 1, name, filler), l...), l)
		}, errShown},
		"large certificates to hash": {func(s *stranger) []byte {
			name := longName(t, 0, "CA")
			filler := ber.Sequence(ber.MustOID("1.2.3.4").DER(), ber.OctetString(make([]byte, 60<<10)))
			l := leaves(s, 4, name)
			return s.document(t, append(cas(s, 900, name, filler), l...), l)
		}, nil},
		"name constraints to compare": {func(s *stranger) []byte {
			name := longName(t, 0, "CA")
			var trees [][]byte
			for i := range 1000 {
				trees = append(trees, ber.Sequence(ber.Tagged(ber.Context(2), fmt.Appendf(nil, "%d.example.com", i))))
			}
			constraints := ber.Sequence(ber.MustOID("2.5.29.30").DER(), ber.Bool(true), ber.OctetString(ber.Sequence(ber.Tagged(ber.ContextConstructed(1), trees...))))
			var names [][]byte
			for i := range 60 {
				names = append(names, ber.Tagged(ber.Context(2), fmt.Appendf(nil, "%d.example.org", i)))
			}
			alternative := ber.Sequence(ber.MustOID("2.5.29.17").DER(), ber.OctetString(ber.Sequence(names...)))
			l := leaves(s, 12, name)
			return s.document(t, append(cas(s, 500, name, constraints, alternative), l...), l)
		}, nil},
		"tokens with certificates that have to verify": {func(s *stranger) []byte {
			name := w.TSA.Cert.Issuer
			tsa := w.TSA
			tsa.Chain = append(tsa.Chain[:len(tsa.Chain):len(tsa.Chain)], cas(s, maxTokenCertificates-len(tsa.Chain), name)...)
			var tokens []cms.Attribute
			s.stamp = func(signature []byte) []cms.Attribute {
				if tokens == nil {
					token := tokenBy(t, tsa, signature, w.Now.Add(-time.Minute))
					tokens = []cms.Attribute{cms.NewAttribute(cms.OIDTimeStampToken, token), cms.NewAttribute(cms.OIDTimeStampToken, w.token(t, signature, w.Now))}
				}
				return tokens
			}
			l := leaves(s, 64, longName(t, 0, "CA"))
			return s.document(t, append(cas(s, 900, name), l...), l)
		}, nil},
		"long names in extensions": {func(s *stranger) []byte {
			name, long := longName(t, 0, "CA"), longName(t, 8<<10, "elsewhere")
			directory := ber.Tagged(ber.ContextConstructed(4), long.Raw)
			alternative := ber.Sequence(ber.MustOID("2.5.29.17").DER(), ber.OctetString(ber.Sequence(directory)))
			keyID := ber.Sequence(ber.MustOID("2.5.29.35").DER(), ber.OctetString(ber.Sequence(
				ber.Tagged(ber.ContextConstructed(1), directory), ber.Tagged(ber.Context(2), []byte{1}))))
			l := leaves(s, 1, name)
			return s.document(t, append(cas(s, 300, name, alternative, keyID), l...), l)
		}, errNames},
		"copies of one certificate": {func(s *stranger) []byte {
			name := longName(t, 0, "CA")
			l := leaves(s, 1, name)
			var bag []*cert.Certificate
			for range cms.MaxCertificates {
				bag = append(bag, l[0])
			}
			return s.document(t, bag, l)
		}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := mustBeCheap(t, w, tt.make(newStranger(t)))
			if tt.err != nil && !errors.Is(r.Format, tt.err) {
				t.Errorf("%v, want %v", r.Format, tt.err)
			}
		})
	}
}

func TestNamesAreLimited(t *testing.T) {
	s := newStranger(t)
	w := newWorld(t, "ozdst")
	long := ber.Sequence(ber.Set(ber.Sequence(ber.MustOID("2.5.4.3").DER(), ber.UTF8String(strings.Repeat("n", 60<<10)))))
	leaf := s.certificate(t, longName(t, 0, "user"), longName(t, 0, "CA"))
	doc := s.document(t, []*cert.Certificate{leaf}, []*cert.Certificate{leaf})
	// The same with a long name, which no certificate can be made with.
	forged := strings.Replace(string(doc), string(leaf.Issuer.Raw), string(long), 1)
	r := mustVerify(t, []byte(forged), nil, w.options())
	if r.Format == nil {
		t.Error("a long name is read")
	}
	parsed, err := ber.Parse(long)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cert.ParseNameElement(parsed); !errors.Is(err, cert.ErrSyntax) {
		t.Errorf("name of %d octets: %v", len(long), err)
	}
}

// The limits are far from what honest documents have.
func TestALargeHonestDocumentIsValid(t *testing.T) {
	if testing.Short() {
		t.Skip("64 signers with tokens")
	}
	w := newWorld(t, "ozdst")
	var signers []cms.Signer
	for i := range cms.MaxSigners {
		signers = append(signers, signerOf(w.User(t, fmt.Sprintf("%s %d", testpki.Person, i))))
	}
	doc := mustSign(t, content(), cms.Options{}, signers...)
	for i := range signers {
		doc = w.stamp(t, doc, i, w.Now.Add(-time.Minute))
	}
	r := mustBeValid(t, doc, nil, w.options())
	if len(r.Signers) != cms.MaxSigners || len(r.Signers[63].TimeStamps) != 1 {
		t.Errorf("%d signers", len(r.Signers))
	}
}

func TestWorkEndsTheSearch(t *testing.T) {
	w := cert.NewWork(10)
	for _, tt := range []struct {
		units int
		err   error
	}{{4, nil}, {6, nil}, {1, cert.ErrWork}} {
		if err := w.Spend(tt.units); !errors.Is(err, tt.err) {
			t.Errorf("%d: %v, want %v", tt.units, err, tt.err)
		}
	}
	if err := (*cert.Work)(nil).Spend(1 << 40); err != nil {
		t.Errorf("no bound: %v", err)
	}
}
