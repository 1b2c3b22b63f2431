package cms

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"imzo/internal/testpki"
	"imzo/pki/alg"
	"imzo/pki/ber"
)

// parts is a SignedData in pieces, to put together wrongly.
type parts struct {
	oid, version, digests, encap, certs, crls, signers, tail []byte
}

func partsOf(s *SignedData) parts {
	d := s.document()
	return parts{
		oid:     OIDSignedData.DER(),
		version: ber.Int64(int64(s.Version)),
		digests: ber.Set(d.digests...),
		encap:   s.encap,
		certs:   s.certsRaw,
		signers: ber.Set(d.signers...),
	}
}

func (p parts) build() []byte {
	return ber.Sequence(p.oid, ber.Tagged(0xa0, ber.Sequence(p.version, p.digests, p.encap, p.certs, p.crls, p.signers, p.tail)))
}

// crl returns a CertificateList in outline, with the fields given in the place
// of thisUpdate and what follows.
func crl(fields ...[]byte) []byte {
	algorithm := alg.NewNull(alg.OIDSignatureOZDST).Marshal()
	tbs := ber.Sequence(append([][]byte{ber.Int64(1), algorithm, ber.Sequence()}, fields...)...)
	return ber.Sequence(tbs, algorithm, ber.BitString(make([]byte, 64)))
}

func TestParseAcceptsOnlySignedData(t *testing.T) {
	user := testpki.New(t, "ozdst").User(t, testpki.Person)
	s := mustParse(t, mustSign(t, []byte("x"), Options{DER: true}, signerOf(user)))
	good := partsOf(s)
	now := ber.UTCTime(testpki.DefaultNow())
	si := s.SignerInfos[0]
	attrs := ber.SetOf(rawAttrs(si.SignedAttrs)...)
	attrs[0] = 0xa0
	signer := func(f func(p [][]byte) [][]byte) parts {
		p := good
		list := [][]byte{ber.Int64(1), si.SID.marshal(), si.DigestAlgorithm.Raw, attrs, si.SignatureAlgorithm.Raw, ber.OctetString(si.Signature)}
		p.signers = ber.Set(ber.Sequence(f(list)...))
		return p
	}
	set := func(i int, b []byte) func([][]byte) [][]byte {
		return func(p [][]byte) [][]byte { p[i] = b; return p }
	}
	with := func(f func(p *parts)) parts {
		p := good
		f(&p)
		return p
	}
	certs := func(b ...[]byte) parts {
		return with(func(p *parts) { p.certs = ber.Tagged(0xa0, append(b, user.Cert.Raw)...) })
	}
	crls := func(b ...[]byte) parts { return with(func(p *parts) { p.crls = ber.Tagged(0xa1, b...) }) }
	encap := func(b ...[]byte) parts { return with(func(p *parts) { p.encap = ber.Sequence(b...) }) }
	octets := ber.OctetString([]byte("x"))
	algorithm := alg.NewNull(alg.OIDSignatureOZDST).Marshal()
	bits := ber.BitString(nil)
	same := func(p [][]byte) [][]byte { return p }

	for _, tt := range []struct {
		name string
		doc  parts
		want error
	}{
		{"unchanged", good, nil},
		{"signer rebuilt", signer(same), nil},
		{"without certificates", with(func(p *parts) { p.certs = nil }), nil},
		{"with an empty bag", with(func(p *parts) { p.certs = ber.Tagged(0xa0) }), nil},
		{"with a CRL", crls(crl(now)), nil},
		{"without signers", with(func(p *parts) { p.signers, p.digests = ber.Set(), ber.Set() }), nil},
		{"without signers and with a digest", with(func(p *parts) { p.signers = ber.Set() }), nil},

		{"other content", with(func(p *parts) { p.oid = OIDData.DER() }), ErrUnsupported},
		{"content that is no OID", with(func(p *parts) { p.oid = ber.Null() }), ErrFormat},
		{"version 0", with(func(p *parts) { p.version = ber.Int64(0) }), ErrFormat},
		{"version 2", with(func(p *parts) { p.version = ber.Int64(2) }), ErrFormat},
		{"version 3 of data", with(func(p *parts) { p.version = ber.Int64(3) }), ErrFormat},
		{"version 6", with(func(p *parts) { p.version = ber.Int64(6) }), ErrFormat},
		{"version negative", with(func(p *parts) { p.version = ber.Int64(-1) }), ErrFormat},
		{"version huge", with(func(p *parts) { p.version = ber.Tagged(2, bytes.Repeat([]byte{1}, 9)) }), ErrFormat},
		{"version no INTEGER", with(func(p *parts) { p.version = ber.Null() }), ErrFormat},
		{"digests no SET", with(func(p *parts) { p.digests = ber.Sequence(algorithm) }), ErrFormat},
		{"digest no algorithm", with(func(p *parts) { p.digests = ber.Set(ber.Null()) }), ErrFormat},
		{"something after the signers", with(func(p *parts) { p.tail = ber.Null() }), ErrFormat},
		{"signers no SET", with(func(p *parts) { p.signers = ber.Sequence() }), ErrFormat},
		{"signers missing", with(func(p *parts) { p.signers = nil }), ErrFormat},
		{"signer no SEQUENCE", with(func(p *parts) { p.signers = ber.Set(ber.Null()) }), ErrFormat},

		{"content no SEQUENCE", with(func(p *parts) { p.encap = ber.Null() }), ErrFormat},
		{"content without type", encap(), ErrFormat},
		{"content not tagged", encap(OIDData.DER(), octets), ErrFormat},
		{"content no OCTET STRING", encap(OIDData.DER(), ber.Tagged(0xa0, ber.UTF8String("x"))), ErrFormat},
		{"content empty", encap(OIDData.DER(), ber.Tagged(0xa0)), ErrFormat},
		{"content twice", encap(OIDData.DER(), ber.Tagged(0xa0, octets, octets)), ErrFormat},
		{"content and more", encap(OIDData.DER(), ber.Tagged(0xa0, octets), ber.Null()), ErrFormat},
		{"content segment no OCTET STRING", encap(OIDData.DER(), ber.Tagged(0xa0, ber.Tagged(0x24, ber.UTF8String("x")))), ErrFormat},

		{"extended certificate", certs(ber.Tagged(0xa0)), ErrUnsupported},
		{"attribute certificate, version 1", certs(ber.Tagged(0xa1)), ErrUnsupported},
		{"attribute certificate, version 2", certs(ber.Tagged(0xa2)), ErrUnsupported},
		{"certificate of another format", certs(ber.Tagged(0xa3)), ErrUnsupported},
		{"certificate of no format", certs(ber.Null()), ErrFormat},
		{"certificate that is none", certs(ber.Sequence()), ErrFormat},

		{"revocation information of another format", crls(ber.Tagged(0xa1)), ErrUnsupported},
		{"CRL no SEQUENCE", crls(ber.Null()), ErrFormat},
		{"CRL that is a certificate", crls(user.Cert.Raw), ErrFormat},
		{"CRL without thisUpdate", crls(crl()), ErrFormat},
		{"CRL with something else for it", crls(crl(ber.Null())), ErrFormat},
		{"CRL of nothing", crls(ber.Sequence()), ErrFormat},
		{"CRL of one part", crls(ber.Sequence(ber.Sequence())), ErrFormat},
		{"CRL of two parts", crls(ber.Sequence(ber.Sequence(), algorithm)), ErrFormat},
		{"CRL of four parts", crls(ber.Sequence(ber.Sequence(), algorithm, bits, bits)), ErrFormat},
		{"CRL with unused bits", crls(ber.Sequence(ber.Sequence(), algorithm, ber.NamedBits(0))), ErrFormat},
		{"CRL with an empty list", crls(ber.Sequence(ber.Sequence(), algorithm, bits)), ErrFormat},
		{"CRL with two algorithms", crls(ber.Sequence(ber.Sequence(ber.Sequence()), algorithm, bits)), ErrFormat},
		{"CRL with an algorithm that is none", crls(ber.Sequence(ber.Sequence(ber.Sequence()), ber.Sequence(), bits)), ErrFormat},
		{"CRL without issuer", crls(ber.Sequence(ber.Sequence(algorithm), algorithm, bits)), ErrFormat},

		{"signer version 3 by serial", signer(set(0, ber.Int64(3))), ErrFormat},
		{"signer version 0", signer(set(0, ber.Int64(0))), ErrFormat},
		{"signer version no INTEGER", signer(set(0, ber.Null())), ErrFormat},
		{"signer by key identifier, version 1", signer(set(1, ber.Tagged(0x80, []byte{1}))), ErrFormat},
		{"signer by empty key identifier", signer(set(1, ber.Tagged(0x80))), ErrFormat},
		{"signer by constructed key identifier", signer(set(1, ber.Tagged(0xa0, octets))), ErrFormat},
		{"signer by nothing", signer(set(1, ber.Null())), ErrFormat},
		{"signer by an empty name", signer(set(1, ber.Sequence())), ErrFormat},
		{"signer by a bad name", signer(set(1, ber.Sequence(ber.Sequence(ber.Null()), ber.Int64(1)))), ErrFormat},
		{"signer by a name alone", signer(set(1, ber.Sequence(si.SID.Issuer.Raw))), ErrFormat},
		{"signer by an empty serial", signer(set(1, ber.Sequence(si.SID.Issuer.Raw, ber.Tagged(2)))), ErrFormat},
		{"signer by name, serial and more", signer(set(1, ber.Sequence(si.SID.Issuer.Raw, ber.Int64(1), ber.Null()))), ErrFormat},
		{"signer's digest no algorithm", signer(set(2, ber.Null())), ErrFormat},
		{"signer's attributes empty", signer(set(3, ber.Tagged(0xa0))), ErrFormat},
		{"signer's attribute no SEQUENCE", signer(set(3, ber.Tagged(0xa0, ber.Null()))), ErrFormat},
		{"signer's attribute without type", signer(set(3, ber.Tagged(0xa0, ber.Sequence()))), ErrFormat},
		{"signer's attribute without set", signer(set(3, ber.Tagged(0xa0, ber.Sequence(OIDData.DER())))), ErrFormat},
		{"signer's attribute without value", signer(set(3, ber.Tagged(0xa0, ber.Sequence(OIDData.DER(), ber.Set())))), ErrFormat},
		{"signer's attribute with more", signer(set(3, ber.Tagged(0xa0, ber.Sequence(OIDData.DER(), ber.Set(ber.Null()), ber.Null())))), ErrFormat},
		{"signer's attribute without DER", signer(set(3, ber.Tagged(0xa0, NewAttribute(OIDData, ber.Tagged(1, []byte{1, 2})).Raw))), ErrFormat},
		{"signer's algorithm missing", signer(func(p [][]byte) [][]byte { return p[:4] }), ErrFormat},
		{"signer's algorithm none", signer(set(4, ber.Sequence())), ErrFormat},
		{"signer's signature missing", signer(func(p [][]byte) [][]byte { return p[:5] }), ErrFormat},
		{"signer's signature no OCTET STRING", signer(set(5, bits)), ErrFormat},
		{"signer's signature of other segments", signer(set(5, ber.Tagged(0x24, bits))), ErrFormat},
		{"signer's unsigned attributes empty", signer(func(p [][]byte) [][]byte { return append(p, ber.Tagged(0xa1)) }), ErrFormat},
		{"something after the signer", signer(func(p [][]byte) [][]byte { return append(p, ber.Null()) }), ErrFormat},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse(tt.doc.build())
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
	inner := ber.Sequence(good.version, good.digests, good.encap, good.certs, good.signers)
	for name, b := range map[string][]byte{
		"nothing":             nil,
		"no SEQUENCE":         ber.Set(good.oid, ber.Tagged(0xa0, inner)),
		"no content":          ber.Sequence(good.oid),
		"content not tagged":  ber.Sequence(good.oid, inner),
		"content empty":       ber.Sequence(good.oid, ber.Tagged(0xa0)),
		"content no SEQUENCE": ber.Sequence(good.oid, ber.Tagged(0xa0, ber.Set())),
		"content twice":       ber.Sequence(good.oid, ber.Tagged(0xa0, inner, inner)),
		"more after it":       ber.Sequence(good.oid, ber.Tagged(0xa0, inner), ber.Null()),
		"octets after it":     append(good.build(), 0),
	} {
		if _, err := Parse(b); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestParseReadsNestedSegments: constructed strings may hold constructed ones
// (X.690 8.7.3), and every length may be of either form.
func TestParseReadsNestedSegments(t *testing.T) {
	user := testpki.New(t, "ozdst").User(t, testpki.Person)
	content := []byte("constructed strings in constructed strings")
	s := mustParse(t, mustSign(t, content, Options{}, signerOf(user)))
	o := ber.OctetString
	for name, octets := range map[string][]byte{
		"primitive":          o(content),
		"two levels":         ber.Indefinite(0x24, ber.Indefinite(0x24, o(content[:3]), o(content[3:10])), o(content[10:])),
		"definite in it":     ber.Indefinite(0x24, ber.Tagged(0x24, o(content[:3])), ber.Tagged(0x24), o(content[3:])),
		"definite":           ber.Tagged(0x24, o(content[:1]), o(nil), o(content[1:])),
		"one octet each":     ber.Indefinite(0x24, each(content)...),
		"padded length":      append([]byte{0x04, 0x84, 0, 0, 0, byte(len(content))}, content...),
		"ten levels":         levels(10, o(content)),
		"empty segment only": ber.Indefinite(0x24, o(nil), o(content)),
	} {
		b := change(s, func(d *document) {
			d.encap = encoded(ber.Indefinite(ber.TagSequence, OIDData.DER(), ber.Indefinite(0xa0, octets)))
		})
		got := mustVerify(t, b, nil)
		if !bytes.Equal(got.Content(), content) {
			t.Errorf("%s: %q", name, got.Content())
		}
		if joined, err := Join(got, s); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if j := mustVerify(t, joined, nil); len(j.SignerInfos) != 1 || !bytes.Equal(j.encap, got.encap) {
			t.Errorf("%s: joined with %d signers", name, len(j.SignerInfos))
		}
	}
}

func each(b []byte) (out [][]byte) {
	for i := range b {
		out = append(out, ber.OctetString(b[i:i+1]))
	}
	return out
}

func levels(n int, b []byte) []byte {
	for range n {
		b = ber.Indefinite(0x24, b)
	}
	return b
}

func TestContentInOnePieceIsNotCopied(t *testing.T) {
	user := testpki.New(t, "ozdst").User(t, testpki.Person)
	b := mustSign(t, []byte("content"), Options{DER: true}, signerOf(user))
	got := mustParse(t, b).Content()
	if i := bytes.Index(b, []byte("content")); &got[0] != &b[i] {
		t.Error("copied")
	}
}

func TestParseBoundsWhatItCounts(t *testing.T) {
	pki := testpki.New(t, "ozdst")
	user := pki.User(t, testpki.Person)
	s := mustParse(t, mustSign(t, []byte("x"), Options{}, signerOf(user)))
	si := s.SignerInfos[0]
	repeat := func(b []byte, n int) [][]byte {
		out := make([][]byte, n)
		for i := range out {
			out[i] = b
		}
		return out
	}
	oneMore := NewAttribute(OIDTimeStampToken, ber.Null())
	attrs := func(n int) []Attribute {
		out := make([]Attribute, n)
		for i := range out {
			out[i] = oneMore
		}
		return out
	}
	unsigned := func(a []Attribute) func(*document) {
		return func(d *document) {
			d.signers = [][]byte{ber.Sequence(si.signed, ber.Tagged(0xa1, rawAttrs(a)...))}
		}
	}
	large := NewAttribute(ber.MustOID("1.2.3"), ber.OctetString(make([]byte, maxSignedAttrs/2)))
	signed := func(n int) []byte {
		set := ber.SetOf(rawAttrs(append(honestAttrs(user, OIDData, []byte("x")), large))...)
		set[0] = 0xa0
		raw := ber.Sequence(ber.Int64(1), si.SID.marshal(), si.DigestAlgorithm.Raw, set, si.SignatureAlgorithm.Raw, ber.OctetString(nil))
		return change(s, func(d *document) { d.signers = repeat(raw, n) })
	}
	for _, tt := range []struct {
		name string
		doc  []byte
		want error
	}{
		{"certificates", change(s, func(d *document) { d.certificates = repeat(user.Cert.Raw, MaxCertificates) }), nil},
		{"one certificate more", change(s, func(d *document) { d.certificates = repeat(user.Cert.Raw, MaxCertificates+1) }), ErrLimit},
		{"CRLs", change(s, func(d *document) { d.crls = repeat(crl(ber.UTCTime(pki.Now)), MaxCertificates) }), nil},
		{"one CRL more", change(s, func(d *document) { d.crls = repeat(crl(ber.UTCTime(pki.Now)), MaxCertificates+1) }), ErrLimit},
		{"signers", change(s, func(d *document) { d.signers = repeat(si.Raw, MaxSigners) }), nil},
		{"one signer more", change(s, func(d *document) { d.signers = repeat(si.Raw, MaxSigners+1) }), ErrLimit},
		{"digests", change(s, func(d *document) { d.digests = repeat(si.DigestAlgorithm.Raw, MaxSigners) }), nil},
		{"one digest more", change(s, func(d *document) { d.digests = repeat(si.DigestAlgorithm.Raw, MaxSigners+1) }), ErrLimit},
		{"attributes", change(s, unsigned(attrs(MaxAttributes))), nil},
		{"one attribute more", change(s, unsigned(attrs(MaxAttributes+1))), ErrLimit},
		{"values", change(s, unsigned([]Attribute{NewAttribute(OIDTimeStampToken, repeat(ber.Null(), MaxAttributes)...)})), nil},
		{"one value more", change(s, unsigned([]Attribute{NewAttribute(OIDTimeStampToken, repeat(ber.Null(), MaxAttributes+1)...)})), ErrLimit},
		{"signed octets", signed(1), nil},
		{"more signed octets", signed(2), ErrLimit},
		{"depth", change(s, func(d *document) {
			d.encap = encoded(ber.Sequence(OIDData.DER(), ber.Tagged(0xa0, levels(ber.MaxDepth, ber.OctetString(nil)))))
		}), ErrLimit},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Parse(tt.doc); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestTimeStampTokensComeInOrder(t *testing.T) {
	user := testpki.New(t, "ozdst").User(t, testpki.Person)
	first, second, third := ber.Sequence(ber.Int64(1)), ber.Sequence(ber.Int64(2)), ber.Sequence(ber.Int64(3))
	b := forge{content: []byte("x"), unsigned: []Attribute{
		NewAttribute(OIDTimeStampToken, third),
		NewAttribute(ber.MustOID("1.2.3"), ber.Null()),
		NewAttribute(OIDTimeStampToken, first, second),
	}}.make(t, user)
	tokens, err := mustVerify(t, b, nil).SignerInfos[0].TimeStampTokens()
	if got, want := fmt.Sprintf("%x", tokens), fmt.Sprintf("%x", [][]byte{third, first, second}); got != want || err != nil {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
}
