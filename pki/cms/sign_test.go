package cms

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
)

func TestSignedDocumentsVerifyInEveryForm(t *testing.T) {
	content := randomOctets(rand.New(rand.NewPCG(1, 1)), 2500)
	for _, spec := range []string{"ozdst", "ozdst:B", "ozdst:C", "ozmst", "gost2001", "rsa:2048", "ecdsa:P-256", "ecdsa:P-384", "ecdsa:P-521", "ed25519"} {
		pki := testpki.New(t, spec)
		user := pki.User(t, testpki.Person)
		for _, o := range []Options{{}, {DER: true}, {Detached: true}, {Detached: true, DER: true}} {
			for _, plain := range []bool{false, true} {
				for _, byKey := range []bool{false, true} {
					name := fmt.Sprintf("%s/detached=%v,DER=%v,plain=%v,key id=%v", spec, o.Detached, o.DER, plain, byKey)
					t.Run(name, func(t *testing.T) {
						signer := Signer{Key: user.Key, Chain: user.Chain, NoSignedAttrs: plain, UseSubjectKeyID: byKey}
						if !plain {
							signer.SigningTime = pki.Now
						}
						checkSigned(t, content, o, signer)
					})
				}
			}
		}
	}
}

func checkSigned(t *testing.T, content []byte, o Options, signer Signer) {
	t.Helper()
	b := mustSign(t, content, o, signer)
	detached, other := []byte(nil), []byte(nil)
	if o.Detached {
		detached, other = content, append([]byte{0}, content...)
	}
	s := mustVerify(t, b, detached)
	if s.Indefinite == o.DER || s.Detached() != o.Detached || len(s.SignerInfos) != 1 {
		t.Errorf("indefinite %v, detached %v, %d signers", s.Indefinite, s.Detached(), len(s.SignerInfos))
	}
	if o.Detached != (s.Content() == nil) || !o.Detached && !bytes.Equal(s.Content(), content) {
		t.Error("content differs")
	}
	if o.DER {
		e, err := ber.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		if der, err := ber.DER(e); err != nil || !bytes.Equal(der, b) {
			t.Errorf("not DER: %v", err)
		}
	}
	si := s.SignerInfos[0]
	at, ok, err := si.SigningTime()
	if err != nil || ok == signer.NoSignedAttrs || ok && !at.Equal(signer.SigningTime) {
		t.Errorf("signing time %v, %v, %v", at, ok, err)
	}
	if (si.SID.SubjectKeyID != nil) != signer.UseSubjectKeyID {
		t.Errorf("named by %v", si.SID)
	}
	if !o.Detached {
		return
	}
	if err := verifyAll(s, other); err == nil {
		t.Error("another content verifies")
	} else if !signer.NoSignedAttrs && !errors.Is(err, ErrDigestMismatch) || signer.NoSignedAttrs && !errors.Is(err, ErrSignature) {
		t.Errorf("another content: %v", err)
	}
}

// TestSignWritesTheLayoutOfEIMZO spells the layout of crypto.md 5 out.
func TestSignWritesTheLayoutOfEIMZO(t *testing.T) {
	pki := testpki.NewProduction(t, "ozdst")
	user := pki.User(t, testpki.Person)
	content := bytes.Repeat([]byte("0123456789"), 250)
	b := mustSign(t, content, Options{}, signerOf(user))

	text := base64.StdEncoding.EncodeToString(b)
	if !strings.HasPrefix(text, "MIAGCSqGSIb3DQEHAqCAMIAC") {
		t.Errorf("starts with %.30s", text)
	}
	s := mustVerify(t, b, nil)
	si := s.SignerInfos[0]
	digest := alg.OZDST().Sum(content)
	algorithm := unhex(t, "300e060a2a865c030f01030201010500")
	attrs := unhex(t, "a069"+
		"3018"+"06092a864886f70d010903"+"310b06092a864886f70d010701"+
		"301c"+"06092a864886f70d010905"+"310f170d3236303130313132303030305a"+
		"302f"+"06092a864886f70d010904"+"31220420"+fmt.Sprintf("%x", digest))
	want := ber.Indefinite(ber.TagSequence, OIDSignedData.DER(),
		ber.Indefinite(0xa0, ber.Indefinite(ber.TagSequence,
			[]byte{2, 1, 1},
			ber.Tagged(ber.TagSet, algorithm),
			ber.Indefinite(ber.TagSequence, OIDData.DER(),
				ber.Indefinite(0xa0, ber.Indefinite(0x24,
					ber.OctetString(content[:1000]), ber.OctetString(content[1000:2000]), ber.OctetString(content[2000:])))),
			ber.Indefinite(0xa0, user.Cert.Raw, pki.CA.Cert.Raw, pki.Root.Cert.Raw),
			ber.Tagged(ber.TagSet, ber.Sequence(
				[]byte{2, 1, 1},
				ber.Sequence(user.Cert.RawIssuer, ber.Int(user.Cert.Serial)),
				algorithm,
				attrs,
				unhex(t, "300f060b2a865c030f0101020202020500"),
				ber.OctetString(si.Signature))),
		)))
	if !bytes.Equal(b, want) {
		t.Errorf("wrote %x\nwant  %x", b, want)
	}
	if !bytes.HasSuffix(b, make([]byte, 6)) {
		t.Error("does not end in three end-of-contents")
	}
}

func TestContentIsCutIntoSegments(t *testing.T) {
	user := testpki.New(t, "ecdsa:P-256").User(t, testpki.Person)
	for _, n := range []int{0, 1, 999, 1000, 1001, 1999, 2000, 2001, 12345} {
		content := randomOctets(rand.New(rand.NewPCG(2, uint64(n))), n)
		s := mustVerify(t, mustSign(t, content, Options{}, signerOf(user)), nil)
		if got := s.Content(); got == nil || !bytes.Equal(got, content) {
			t.Errorf("%d octets: %d read back", n, len(got))
		}
		var sizes []int
		if err := s.content.Segments(func(b []byte) bool { sizes = append(sizes, len(b)); return true }); err != nil {
			t.Fatal(err)
		}
		if want := (n + 999) / 1000; len(sizes) != want {
			t.Errorf("%d octets in segments %v", n, sizes)
		}
		var out bytes.Buffer
		if err := s.WriteContentTo(&out); err != nil || !bytes.Equal(out.Bytes(), content) {
			t.Errorf("%d octets: %d written, %v", n, out.Len(), err)
		}
	}
}

func TestWriteContentToStopsAtTheFirstError(t *testing.T) {
	user := testpki.New(t, "ecdsa:P-256").User(t, testpki.Person)
	s := mustParse(t, mustSign(t, make([]byte, 5000), Options{}, signerOf(user)))
	w := &brokenWriter{}
	if err := s.WriteContentTo(w); !errors.Is(err, io.ErrClosedPipe) || w.calls != 2 {
		t.Errorf("%v after %d writes", err, w.calls)
	}
	s = mustParse(t, mustSign(t, make([]byte, 5000), Options{Detached: true}, signerOf(user)))
	if err := s.WriteContentTo(io.Discard); !errors.Is(err, ErrDetached) {
		t.Errorf("detached: %v", err)
	}
}

type brokenWriter struct{ calls int }

func (w *brokenWriter) Write(b []byte) (int, error) {
	if w.calls++; w.calls == 2 {
		return 0, io.ErrClosedPipe
	}
	return len(b), nil
}

func TestSeveralSignersShareOneDocument(t *testing.T) {
	ozdst, ozmst, ecdsa := testpki.New(t, "ozdst"), testpki.New(t, "ozmst"), testpki.New(t, "ecdsa:P-256")
	users := []testpki.Entity{ozdst.User(t, testpki.Person), ozdst.User(t, testpki.Organisation), ozmst.User(t, testpki.Person), ecdsa.User(t, testpki.Person)}
	var signers []Signer
	for _, u := range users {
		signers = append(signers, signerOf(u))
	}
	for _, o := range []Options{{}, {DER: true}} {
		s := mustVerify(t, mustSign(t, []byte("content"), o, signers...), nil)
		if len(s.SignerInfos) != 4 || len(s.DigestAlgorithms) != 3 {
			t.Errorf("%d signers, %d digests", len(s.SignerInfos), len(s.DigestAlgorithms))
		}
		// Two leaves share CA and root: 4 leaves, 3 CAs, 3 roots.
		if len(s.Certificates) != 10 {
			t.Errorf("%d certificates", len(s.Certificates))
		}
		if o.DER {
			continue
		}
		for i, si := range s.SignerInfos {
			if !si.SID.Matches(users[i].Cert) {
				t.Errorf("signer %d is %v", i, si.SID)
			}
		}
		for i, want := range users[0].Chain {
			if !s.Certificates[i].Equal(want) {
				t.Errorf("certificate %d is not in the order of the chain", i)
			}
		}
	}
}

func TestVersionsFollowTheStandard(t *testing.T) {
	user := testpki.New(t, "ecdsa:P-256").User(t, testpki.Person)
	for _, tt := range []struct {
		name        string
		contentType ber.OID
		byKey       bool
		version, si int
	}{
		{"data by issuer and serial", OIDData, false, 1, 1},
		{"data by key identifier", OIDData, true, 3, 3},
		{"timestamp by issuer and serial", OIDTSTInfo, false, 3, 1},
		{"timestamp by key identifier", OIDTSTInfo, true, 3, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			signer := signerOf(user)
			signer.UseSubjectKeyID = tt.byKey
			s := mustVerify(t, mustSign(t, []byte{0x30, 0}, Options{ContentType: tt.contentType, DER: true}, signer), nil)
			if s.Version != tt.version || s.SignerInfos[0].Version != tt.si || s.ContentType != tt.contentType {
				t.Errorf("versions %d and %d, content type %s", s.Version, s.SignerInfos[0].Version, s.ContentType)
			}
		})
	}
}

func TestExtraSignedAttributesAreSigned(t *testing.T) {
	user := testpki.New(t, "ozdst").User(t, testpki.Person)
	signer := signerOf(user)
	id := ber.Sequence(ber.Sequence(ber.Sequence(ber.OctetString(alg.SHA256().Sum(user.Cert.Raw)))))
	signer.ExtraSignedAttrs = []Attribute{
		NewAttribute(OIDSigningCertificateV2, id),
		NewAttribute(ber.MustOID("1.2.3.4"), ber.UTF8String("b"), ber.UTF8String("a")),
	}
	s := mustVerify(t, mustSign(t, []byte("x"), Options{}, signer), nil)
	if got := len(s.SignerInfos[0].SignedAttrs); got != 5 {
		t.Errorf("%d attributes", got)
	}
}

func TestSignRefusesWhatWouldNotVerify(t *testing.T) {
	pki := testpki.New(t, "ecdsa:P-256")
	user, other := pki.User(t, testpki.Person), pki.User(t, testpki.Organisation)
	noKeyID := pki.Issue(t, pki.CA, func(c *cert.Template) {
		c.Subject = testpki.Name(t, "CN=Old")
		c.Version1 = true
	}, "ecdsa:P-256")
	honest := signerOf(user)
	with := func(f func(s *Signer)) []Signer {
		s := honest
		f(&s)
		return []Signer{s}
	}
	many := make([]Signer, MaxSigners+1)
	for i := range many {
		many[i] = honest
	}
	attrs := make([]Attribute, MaxAttributes)
	for i := range attrs {
		attrs[i] = NewAttribute(ber.MustOID(fmt.Sprintf("1.2.3.%d", i)), ber.Null())
	}
	ambiguous := ber.SetOf(rawAttrs(honestAttrs(user, OIDData, nil))...)
	for name, tt := range map[string]struct {
		content []byte
		signers []Signer
		o       Options
		want    error
	}{
		"nobody":                {signers: nil, want: ErrNoSigner},
		"no key":                {signers: with(func(s *Signer) { s.Key = nil }), want: ErrCertificate},
		"no certificate":        {signers: with(func(s *Signer) { s.Chain = nil }), want: ErrCertificate},
		"another's certificate": {signers: with(func(s *Signer) { s.Chain = other.Chain }), want: ErrCertificate},
		"no key identifier":     {signers: []Signer{{Key: noKeyID.Key, Chain: noKeyID.Chain, UseSubjectKeyID: true}}, want: ErrCertificate},
		"an attribute twice": {signers: with(func(s *Signer) {
			s.ExtraSignedAttrs = []Attribute{NewAttribute(OIDMessageDigest, ber.OctetString(nil))}
		}), want: ErrAttribute},
		"plain with a time":             {signers: with(func(s *Signer) { s.NoSignedAttrs = true }), want: ErrAttribute},
		"plain with attributes":         {signers: with(func(s *Signer) { s.NoSignedAttrs, s.SigningTime, s.ExtraSignedAttrs = true, time.Time{}, attrs[:1] }), want: ErrAttribute},
		"plain of another content type": {signers: with(func(s *Signer) { s.NoSignedAttrs, s.SigningTime = true, time.Time{} }), o: Options{ContentType: OIDTSTInfo}, want: ErrAttribute},
		"plain over signed attributes":  {content: ambiguous, signers: with(func(s *Signer) { s.NoSignedAttrs, s.SigningTime = true, time.Time{} }), want: ErrAttribute},
		"too many signers":              {signers: many, want: ErrLimit},
		"too many attributes":           {signers: with(func(s *Signer) { s.ExtraSignedAttrs = attrs }), want: ErrLimit},
		"a broken random source":        {signers: []Signer{honest}, o: Options{Rand: brokenReader{}}, want: errBroken},
		"no random, plain":              {signers: with(func(s *Signer) { s.NoSignedAttrs, s.SigningTime = true, time.Time{} }), o: Options{Rand: brokenReader{}}, want: errBroken},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.want == errBroken {
				// GOST keys hedge their nonces and need no fresh octets
				// to be safe, so only their error counts.
				gost := testpki.New(t, "ozdst").User(t, testpki.Person)
				tt.signers[0].Key, tt.signers[0].Chain = gost.Key, gost.Chain
			}
			b, err := Sign(tt.content, tt.signers, tt.o)
			if !errors.Is(err, tt.want) || b != nil {
				t.Errorf("%d octets, %v", len(b), err)
			}
		})
	}
	if b, err := Sign(nil, many[:MaxSigners], Options{}); err != nil {
		t.Error(err)
	} else if s := mustVerify(t, b, nil); len(s.SignerInfos) != MaxSigners || len(s.Certificates) != 3 {
		t.Errorf("%d signers, %d certificates", len(s.SignerInfos), len(s.Certificates))
	}
}

var errBroken = errors.New("broken")

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errBroken }

func TestNewAttributePanicsOnWhatIsNoElement(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("made an attribute of nonsense")
		}
	}()
	NewAttribute(OIDSigningTime, []byte{0xff})
}
