package cert_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
)

// parts are the elements of a certificate, to be put together wrongly.
type parts struct {
	version, serial, inner, issuer, validity, subject, spki []byte
	tail                                                    [][]byte // unique identifiers, extensions
	outer, signature                                        []byte
}

// takeApart returns the elements of a version 3 certificate.
func takeApart(t testing.TB, c *cert.Certificate) parts {
	t.Helper()
	split := func(b []byte) [][]byte {
		e, err := ber.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		var list [][]byte
		for r := e.Children(); !r.Empty(); {
			child, err := r.Next()
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, child.Raw)
		}
		return list
	}
	outer, tbs := split(c.Raw), split(c.RawTBS)
	return parts{tbs[0], tbs[1], tbs[2], tbs[3], tbs[4], tbs[5], tbs[6], tbs[7:], outer[1], outer[2]}
}

func (p parts) tbs() []byte {
	return ber.Sequence(slices.Concat([][]byte{p.version, p.serial, p.inner, p.issuer, p.validity, p.subject, p.spki}, p.tail)...)
}

func (p parts) der() []byte { return ber.Sequence(p.tbs(), p.outer, p.signature) }

// extensions replaces the tail by these extensions.
func (p parts) extensions(list ...[]byte) parts {
	p.tail = [][]byte{ber.Tagged(ber.ContextConstructed(3), ber.Sequence(list...))}
	return p
}

func extension(oid ber.OID, value []byte) []byte {
	return ber.Sequence(oid.DER(), ber.OctetString(value))
}

func TestParseIsStrict(t *testing.T) {
	good := takeApart(t, testpki.New(t, "ecdsa:P-256").CA.Cert)
	if _, err := cert.Parse(good.der()); err != nil {
		t.Fatal(err)
	}
	der := func(change func(p *parts)) []byte {
		p := good
		change(&p)
		return p.der()
	}
	integer := ber.Int64(1)
	ids := ber.Tagged(ber.Context(1), []byte{0, 1})
	aki := func(content ...[]byte) []byte { return extension(cert.OIDAuthorityKeyID, ber.Sequence(content...)) }
	for what, b := range map[string][]byte{
		"nothing":                      {},
		"no sequence":                  ber.Set(good.tbs(), good.outer, good.signature),
		"octets behind":                append(good.der(), 0),
		"empty":                        ber.Sequence(),
		"no algorithm":                 ber.Sequence(good.tbs()),
		"no signature":                 ber.Sequence(good.tbs(), good.outer),
		"a fourth element":             ber.Sequence(good.tbs(), good.outer, good.signature, ber.Null()),
		"indefinite shell":             ber.Indefinite(ber.TagSequence, good.tbs(), good.outer, good.signature),
		"long form of the length":      slices.Concat([]byte{0x30, 0x83, 0, byte(len(good.der()[4:]) >> 8), byte(len(good.der()[4:]))}, good.der()[4:]),
		"unused bits":                  der(func(p *parts) { p.signature = ber.Tagged(ber.TagBitString, []byte{1}, good.signature[3:]) }),
		"constructed signature":        der(func(p *parts) { p.signature = ber.Tagged(ber.TagBitString|0x20, good.signature) }),
		"bad signature bits":           der(func(p *parts) { p.signature = ber.Tagged(ber.TagBitString) }),
		"another outer algorithm":      der(func(p *parts) { p.outer = ber.Sequence(ber.MustOID("1.2.840.10045.4.3.3").DER()) }),
		"NULL in the outer algorithm":  der(func(p *parts) { p.outer = ber.Sequence(ber.MustOID("1.2.840.10045.4.3.2").DER(), ber.Null()) }),
		"algorithm no OID":             der(func(p *parts) { p.inner, p.outer = ber.Sequence(ber.Null()), ber.Sequence(ber.Null()) }),
		"version 0":                    der(func(p *parts) { p.version = ber.Tagged(0xa0, ber.Int64(-1)) }),
		"version 4":                    der(func(p *parts) { p.version = ber.Tagged(0xa0, ber.Int64(3)) }),
		"huge version":                 der(func(p *parts) { p.version = ber.Tagged(0xa0, ber.Int(new(big.Int).Lsh(big.NewInt(1), 70))) }),
		"version no number":            der(func(p *parts) { p.version = ber.Tagged(0xa0, ber.Null()) }),
		"two versions":                 der(func(p *parts) { p.version = ber.Tagged(0xa0, ber.Int64(2), ber.Int64(2)) }),
		"extensions in version 1":      der(func(p *parts) { p.version = nil }),
		"extensions in version 2":      der(func(p *parts) { p.version = ber.Tagged(0xa0, ber.Int64(1)) }),
		"identifiers in version 1":     der(func(p *parts) { p.version, p.tail = nil, [][]byte{ids} }),
		"bad identifiers":              der(func(p *parts) { p.tail = [][]byte{ber.Tagged(ber.Context(2), []byte{9, 1})} }),
		"identifiers after extensions": der(func(p *parts) { p.tail = append(slices.Clone(p.tail), ids) }),
		"serial of 34 octets":          der(func(p *parts) { p.serial = ber.Tagged(ber.TagInteger, bytes.Repeat([]byte{1}, 34)) }),
		"empty serial":                 der(func(p *parts) { p.serial = ber.Tagged(ber.TagInteger) }),
		"padded serial":                der(func(p *parts) { p.serial = ber.Tagged(ber.TagInteger, []byte{0, 1}) }),
		"no serial":                    der(func(p *parts) { p.serial = nil }),
		"no algorithm inside":          der(func(p *parts) { p.inner = ber.Null() }),
		"issuer no name":               der(func(p *parts) { p.issuer = ber.Sequence(integer) }),
		"subject no name":              der(func(p *parts) { p.subject = ber.Sequence(integer) }),
		"no validity":                  der(func(p *parts) { p.validity = ber.Null() }),
		"one time":                     der(func(p *parts) { p.validity = ber.Sequence(ber.UTCTime(time.Now())) }),
		"no times":                     der(func(p *parts) { p.validity = ber.Sequence() }),
		"three times":                  der(func(p *parts) { x := ber.UTCTime(time.Now()); p.validity = ber.Sequence(x, x, x) }),
		"begin no time":                der(func(p *parts) { p.validity = ber.Sequence(ber.Null(), ber.UTCTime(time.Now())) }),
		"end no time":                  der(func(p *parts) { p.validity = ber.Sequence(ber.UTCTime(time.Now()), ber.Null()) }),
		"no key":                       der(func(p *parts) { p.spki = ber.Null() }),
		"bad key":                      der(func(p *parts) { p.spki = ber.Sequence(ber.Null()) }),
		"no extensions":                good.extensions().der(),
		"extensions twice":             der(func(p *parts) { p.tail = append(slices.Clone(p.tail), p.tail[0]) }),
		"two lists of extensions": der(func(p *parts) {
			p.tail = [][]byte{ber.Tagged(0xa3, ber.Sequence(extension(cert.OIDOCSPNoCheck, ber.Null())), ber.Sequence())}
		}),
		"no list of extensions":       der(func(p *parts) { p.tail = [][]byte{ber.Tagged(0xa3, ber.Null())} }),
		"an extension twice":          good.extensions(extension(cert.OIDOCSPNoCheck, ber.Null()), extension(cert.OIDOCSPNoCheck, ber.Null())).der(),
		"1025 alternative names":      good.extensions(extension(cert.OIDSubjectAltName, ber.Sequence(slices.Repeat([][]byte{ber.Tagged(ber.Context(2), []byte("a"))}, 1025)...))).der(),
		"name of 129 attributes":      der(func(p *parts) { p.subject = manyAttributes(129) }),
		"257 KiB":                     good.extensions(extension(ber.MustOID("1.2.3"), make([]byte, 257<<10))).der(),
		"101 extensions":              good.extensions(manyExtensions(101)...).der(),
		"extension no sequence":       good.extensions(ber.Null()).der(),
		"extension without a type":    good.extensions(ber.Sequence()).der(),
		"extension with a bad type":   good.extensions(ber.Sequence([]byte{6, 1, 0x80}, ber.OctetString(nil))).der(),
		"extension without a value":   good.extensions(ber.Sequence(ber.MustOID("1.2.3").DER())).der(),
		"extension critical what":     good.extensions(ber.Sequence(ber.MustOID("1.2.3").DER(), []byte{1, 2, 0, 0}, ber.OctetString(nil))).der(),
		"extension with more":         good.extensions(ber.Sequence(ber.MustOID("1.2.3").DER(), ber.OctetString(nil), ber.Null())).der(),
		"extension not BER":           good.extensions(extension(cert.OIDKeyUsage, []byte{3, 9})).der(),
		"octets behind an extension":  good.extensions(extension(cert.OIDKeyUsage, append(ber.NamedBits(1), 0))).der(),
		"SKI no octets":               good.extensions(extension(cert.OIDSubjectKeyID, ber.Null())).der(),
		"KU no bits":                  good.extensions(extension(cert.OIDKeyUsage, ber.Null())).der(),
		"BC no sequence":              good.extensions(extension(cert.OIDBasicConstraints, ber.Null())).der(),
		"BC bad CA":                   good.extensions(extension(cert.OIDBasicConstraints, ber.Sequence([]byte{1, 0}))).der(),
		"BC negative length":          good.extensions(extension(cert.OIDBasicConstraints, ber.Sequence(ber.Bool(true), ber.Int64(-1)))).der(),
		"BC huge length":              good.extensions(extension(cert.OIDBasicConstraints, ber.Sequence(ber.Bool(true), ber.Int64(1<<40)))).der(),
		"BC larger length":            good.extensions(extension(cert.OIDBasicConstraints, ber.Sequence(ber.Bool(true), ber.Int(new(big.Int).Lsh(big.NewInt(1), 70))))).der(),
		"BC more":                     good.extensions(extension(cert.OIDBasicConstraints, ber.Sequence(ber.Bool(true), integer, integer))).der(),
		"EKU no sequence":             good.extensions(extension(cert.OIDExtKeyUsage, ber.Null())).der(),
		"EKU empty":                   good.extensions(extension(cert.OIDExtKeyUsage, ber.Sequence())).der(),
		"EKU no OIDs":                 good.extensions(extension(cert.OIDExtKeyUsage, ber.Sequence(integer))).der(),
		"policies no sequence":        good.extensions(extension(cert.OIDCertificatePolicies, ber.Null())).der(),
		"policies empty":              good.extensions(extension(cert.OIDCertificatePolicies, ber.Sequence())).der(),
		"policy no sequence":          good.extensions(extension(cert.OIDCertificatePolicies, ber.Sequence(integer))).der(),
		"policy without OID":          good.extensions(extension(cert.OIDCertificatePolicies, ber.Sequence(ber.Sequence()))).der(),
		"policy with a bad OID":       good.extensions(extension(cert.OIDCertificatePolicies, ber.Sequence(ber.Sequence([]byte{6, 1, 0x80})))).der(),
		"policy with more":            good.extensions(extension(cert.OIDCertificatePolicies, ber.Sequence(ber.Sequence(ber.MustOID("1.2.3").DER(), integer)))).der(),
		"AKI no sequence":             good.extensions(extension(cert.OIDAuthorityKeyID, ber.Null())).der(),
		"AKI long serial":             good.extensions(aki(ber.Tagged(ber.Context(2), bytes.Repeat([]byte{1}, 34)))).der(),
		"AKI empty serial":            good.extensions(aki(ber.Tagged(ber.Context(2)))).der(),
		"AKI bad name":                good.extensions(aki(ber.Tagged(ber.ContextConstructed(1), ber.Null()))).der(),
		"AKI more":                    good.extensions(aki(ber.Null())).der(),
		"AIA no sequence":             good.extensions(extension(cert.OIDAuthorityInfoAccess, ber.Null())).der(),
		"AIA no method":               good.extensions(extension(cert.OIDAuthorityInfoAccess, ber.Sequence(ber.Sequence()))).der(),
		"AIA bad method":              good.extensions(extension(cert.OIDAuthorityInfoAccess, ber.Sequence(ber.Sequence([]byte{6, 1, 0x80})))).der(),
		"AIA no location":             good.extensions(extension(cert.OIDAuthorityInfoAccess, ber.Sequence(ber.Sequence(ber.MustOID("1.3.6.1.5.5.7.48.1").DER())))).der(),
		"AIA bad location":            good.extensions(extension(cert.OIDAuthorityInfoAccess, ber.Sequence(ber.Sequence(ber.MustOID("1.3.6.1.5.5.7.48.1").DER(), ber.Tagged(ber.Context(6), []byte{0xff}))))).der(),
		"CRLDP no sequence":           good.extensions(extension(cert.OIDCRLDistributionPoints, ber.Null())).der(),
		"CRLDP no points":             good.extensions(extension(cert.OIDCRLDistributionPoints, ber.Sequence(ber.Null()))).der(),
		"CRLDP more":                  good.extensions(extension(cert.OIDCRLDistributionPoints, ber.Sequence(ber.Sequence(ber.Null())))).der(),
		"CRLDP bad name":              good.extensions(extension(cert.OIDCRLDistributionPoints, ber.Sequence(ber.Sequence(ber.Tagged(0xa0, ber.Null()))))).der(),
		"CRLDP bad full name":         good.extensions(extension(cert.OIDCRLDistributionPoints, ber.Sequence(ber.Sequence(ber.Tagged(0xa0, ber.Tagged(0xa0, ber.Null())))))).der(),
		"SAN no sequence":             good.extensions(extension(cert.OIDSubjectAltName, ber.Null())).der(),
		"SAN address of three octets": good.extensions(extension(cert.OIDSubjectAltName, ber.Sequence(ber.Tagged(ber.Context(7), []byte{1, 2, 3})))).der(),
		"SAN name not ASCII":          good.extensions(extension(cert.OIDSubjectAltName, ber.Sequence(ber.Tagged(ber.Context(2), []byte{0xc3, 0xbc})))).der(),
		"SAN bad directory name":      good.extensions(extension(cert.OIDSubjectAltName, ber.Sequence(ber.Tagged(ber.ContextConstructed(4), integer)))).der(),
		"SAN two directory names":     good.extensions(extension(cert.OIDSubjectAltName, ber.Sequence(ber.Tagged(ber.ContextConstructed(4), ber.Sequence(), ber.Sequence())))).der(),
		"no-check no NULL":            good.extensions(extension(cert.OIDOCSPNoCheck, integer)).der(),
		"NC no sequence":              good.extensions(extension(cert.OIDNameConstraints, ber.Null())).der(),
		"NC bad subtree":              good.extensions(extension(cert.OIDNameConstraints, ber.Sequence(ber.Tagged(0xa0, ber.Null())))).der(),
		"NC empty subtree":            good.extensions(extension(cert.OIDNameConstraints, ber.Sequence(ber.Tagged(0xa0, ber.Sequence())))).der(),
		"NC bad base":                 good.extensions(extension(cert.OIDNameConstraints, ber.Sequence(ber.Tagged(0xa0, ber.Sequence(ber.Null()))))).der(),
		"NC bad address":              good.extensions(extension(cert.OIDNameConstraints, ber.Sequence(ber.Tagged(0xa0, ber.Sequence(ber.Tagged(ber.Context(7), []byte{1, 2, 3, 4})))))).der(),
		"NC mask with holes":          good.extensions(extension(cert.OIDNameConstraints, ber.Sequence(ber.Tagged(0xa0, ber.Sequence(ber.Tagged(ber.Context(7), []byte{1, 2, 3, 4, 255, 0, 255, 0})))))).der(),
		"NC bad minimum":              good.extensions(extension(cert.OIDNameConstraints, ber.Sequence(ber.Tagged(0xa0, ber.Sequence(ber.Tagged(ber.Context(2), []byte("a")), ber.Tagged(ber.Context(0))))))).der(),
		"NC more":                     good.extensions(extension(cert.OIDNameConstraints, ber.Sequence(ber.Null()))).der(),
	} {
		if c, err := cert.Parse(b); err == nil {
			t.Errorf("%s: accepted as %v", what, c)
		} else if !errors.Is(err, cert.ErrSyntax) && !errors.Is(err, ber.ErrSyntax) && !errors.Is(err, alg.ErrMalformed) {
			t.Errorf("%s: an error of no kind: %v", what, err)
		}
	}
}

func manyAttributes(n int) []byte {
	return ber.Sequence(slices.Repeat([][]byte{ber.Set(ber.Sequence(cert.OIDCommonName.DER(), ber.UTF8String("a")))}, n)...)
}

func manyExtensions(n int64) [][]byte {
	list := make([][]byte, n)
	for i := range list {
		list[i] = extension(ber.MustOID("1.2.3."+big.NewInt(int64(i)).String()), nil)
	}
	return list
}

func TestParseToleratesWhatProductionHolds(t *testing.T) {
	good := takeApart(t, testpki.New(t, "ecdsa:P-256").CA.Cert)
	for what, p := range map[string]parts{
		"TRUE as 01, no path length": good.extensions(ber.Sequence(cert.OIDBasicConstraints.DER(), []byte{1, 1, 1}, ber.OctetString(ber.Sequence([]byte{1, 1, 1})))),
		"critical FALSE written out": good.extensions(ber.Sequence(cert.OIDOCSPNoCheck.DER(), ber.Bool(false), ber.OctetString(ber.Null()))),
		"CA FALSE written out":       good.extensions(extension(cert.OIDBasicConstraints, ber.Sequence(ber.Bool(false)))),
		"1024 alternative names":     good.extensions(extension(cert.OIDSubjectAltName, ber.Sequence(slices.Repeat([][]byte{ber.Tagged(ber.Context(2), []byte("a"))}, 1024)...))),
		"100 extensions":             good.extensions(manyExtensions(100)...),
		"other forms of names": good.extensions(extension(cert.OIDSubjectAltName, ber.Sequence(
			ber.Tagged(ber.Context(8), []byte{1}), ber.Tagged(ber.ContextConstructed(0), ber.MustOID("1.2.3").DER(), ber.Tagged(0xa0, ber.Null()))))),
		"CRLDP with reasons and issuer": good.extensions(extension(cert.OIDCRLDistributionPoints, ber.Sequence(
			ber.Sequence(ber.Tagged(0xa0, ber.Tagged(0xa1, good.subject)), ber.Tagged(ber.Context(1), []byte{0, 1}), ber.Tagged(0xa2, ber.Tagged(0xa4, good.subject)))))),
	} {
		if _, err := cert.Parse(p.der()); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	long := good
	long.subject = manyAttributes(128)
	if c, err := cert.Parse(long.der()); err != nil || len(c.Subject.RDNs) != 128 {
		t.Errorf("name of 128 attributes: %v", err)
	}
	stamped := good.extensions(extension(cert.OIDAuthorityInfoAccess, ber.Sequence(
		ber.Sequence(ber.MustOID("1.3.6.1.5.5.7.48.3").DER(), ber.Tagged(ber.Context(6), []byte("http://a/tst"))),
		ber.Sequence(ber.MustOID("1.3.6.1.5.5.7.48.9").DER(), ber.Tagged(ber.Context(6), []byte("http://a/other"))))))
	if c, err := cert.Parse(stamped.der()); err != nil || !slices.Equal(c.TimeStampServers, []string{"http://a/tst"}) || c.OCSPServers != nil || c.CAIssuers != nil {
		t.Errorf("timestamp authority: %v, %+v", err, c)
	}
	explicit := good
	explicit.version, explicit.tail = ber.Tagged(0xa0, ber.Int64(0)), nil
	if c, err := cert.Parse(explicit.der()); err != nil || c.Version != 1 {
		t.Errorf("version 1 written out: %v", err)
	}
	two := good
	two.version, two.tail = ber.Tagged(0xa0, ber.Int64(1)), [][]byte{ber.Tagged(ber.Context(1), []byte{0, 1}), ber.Tagged(ber.Context(2), []byte{0, 2})}
	if c, err := cert.Parse(two.der()); err != nil || c.Version != 2 {
		t.Errorf("version 2 with unique identifiers: %v", err)
	}
	for serial, want := range map[int64]string{0: "0", -255: "-ff", 1024: "400", 0x218711a92: "218711a92"} {
		p := good
		p.serial = ber.Int64(serial)
		c, err := cert.Parse(p.der())
		if err != nil {
			t.Errorf("serial %d: %v", serial, err)
		} else if c.SerialHex() != want {
			t.Errorf("serial %d is %s", serial, c.SerialHex())
		}
	}
	p := good
	p.serial = ber.Tagged(ber.TagInteger, bytes.Repeat([]byte{0x7f}, 33))
	if c, err := cert.Parse(p.der()); err != nil || c.SerialHex() != strings.Repeat("7f", 33) {
		t.Errorf("serial of 33 octets: %v", err)
	}
}

func TestEveryBitChangeIsNoticed(t *testing.T) {
	for _, spec := range []string{"ozdst", "ecdsa:P-256", "rsa:2048", "ed25519"} {
		t.Run(spec, func(t *testing.T) {
			if testing.Short() && spec != "ecdsa:P-256" {
				t.Skip("short: one family")
			}
			p := testpki.NewProduction(t, spec)
			for _, c := range []*cert.Certificate{p.User(t, "CN=A").Cert, p.CA.Cert} {
				issuer := p.CA.Cert
				if c == p.CA.Cert {
					issuer = p.Root.Cert
				}
				parsed := 0
				testpki.EachBitFlip(c.Raw, func(bit int, mutated []byte) {
					changed, err := cert.Parse(mutated)
					if err != nil {
						return
					}
					parsed++
					if err := changed.CheckSignatureFrom(issuer); err == nil {
						t.Errorf("bit %d of %d changed and the signature holds", bit, len(c.Raw)*8)
					}
				})
				if parsed < len(c.Signature)*4 {
					t.Errorf("only %d changed certificates could be read: the walk tests nothing", parsed)
				}
			}
		})
	}
}

func TestEveryTruncationIsRefused(t *testing.T) {
	c := load(t, "uz-production-root.pem")
	testpki.EachTruncation(c.Raw, func(prefix []byte) {
		if _, err := cert.Parse(prefix); err == nil {
			t.Fatalf("%d of %d octets are accepted", len(prefix), len(c.Raw))
		}
	})
}

// The key of crypto.md's vectors on curve A, d = 01 02 ... 20.
const (
	vectorSPKI = "3060301906092a865c030f01010201300c060a2a865c030f010102010103430004401b7beeb499fdd7d3f3f629c2be4c5d0321b6549889c499c3b082f7a269ef35aa88260cc8ff05621f0f09335c6616eb006c19d0eef4a42f09b7e173662a1a9cff"
	vectorSKI  = "69d314bae33ab9faad71e9781062f09d2c0e5231"
)

// vectorCertificate is the self-signed certificate in the CMS vector, with
// that key.
const vectorCertificate = "MIIBlDCCATygAwIBAgIEdwECAzAPBgsqhlwDDwEBAgICAgUAME0xEjAQBgNVBAMMCVRFU1QgVVNFUjENMAsGA1UEKQwEVEVTVDELMAkGA1UEBhMCVVoxGzAZBgcqhlwDEAECDA4xMjM0NTY3ODkwMTIzNDAeFw0yNTAxMDEwMDAwMDBaFw0yNzAxMDEwMDAwMDBaME0xEjAQBgNVBAMMCVRFU1QgVVNFUjENMAsGA1UEKQwEVEVTVDELMAkGA1UEBhMCVVoxGzAZBgcqhlwDEAECDA4xMjM0NTY3ODkwMTIzNDBgMBkGCSqGXAMPAQECATAMBgoqhlwDDwEBAgEBA0MABEAbe+60mf3X0/P2KcK+TF0DIbZUmInEmcOwgveiae81qogmDMj/BWIfDwkzXGYW6wBsGdDu9KQvCbfhc2YqGpz/MA8GCyqGXAMPAQECAgICBQADQQBXjimRydSaKjY/ycVSUx/lRNoJAAr0xHocv8GjsrKP3XTpOcY3p5pbfjncFZdr77MkrNt04vqNQ0q6Danr+N6P"

func TestKnownCertificateHasTheKnownKey(t *testing.T) {
	certs, err := cert.ParseAll([]byte(vectorCertificate))
	if err != nil {
		t.Fatal(err)
	}
	c := certs[0]
	if got := hex.EncodeToString(c.PublicKey.Raw); got != vectorSPKI {
		t.Errorf("SPKI %s", got)
	}
	if got := hex.EncodeToString(c.PublicKey.KeyID()); got != vectorSKI {
		t.Errorf("SKI %s", got)
	}
	if err := c.CheckSignatureFrom(c); err != nil {
		t.Error(err)
	}
	if got := c.Subject.String(); got != "CN=TEST USER,Name=TEST,C=UZ,1.2.860.3.16.1.2=12345678901234" || c.SerialHex() != "77010203" {
		t.Errorf("subject %s, serial %s", got, c.SerialHex())
	}
	if c.Version != 3 || len(c.Extensions) != 0 || c.BasicConstraints != nil || c.HasKeyUsage {
		t.Errorf("version %d with %d extensions", c.Version, len(c.Extensions))
	}
}

func TestParseAllReadsEveryForm(t *testing.T) {
	root, ca := load(t, "uz-production-root.pem"), load(t, "uz-production-ca.pem")
	both := []*cert.Certificate{root, ca}
	concatenated := slices.Concat(root.Raw, ca.Raw)
	base64Text := base64.StdEncoding.EncodeToString(concatenated)
	key := "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
	old := strings.ReplaceAll(string(cert.EncodePEM(ca)), "CERTIFICATE", "X509 CERTIFICATE")
	for what, data := range map[string][]byte{
		"PEM":              cert.EncodePEM(both...),
		"PEM between text": []byte("root:\n" + key + string(cert.EncodePEM(root)) + "CA:\n" + old),
		"DER":              concatenated,
		"base64":           []byte(base64Text),
		"base64 in lines":  []byte(" " + base64Text[:100] + "\r\n" + base64Text[100:] + "\n"),
	} {
		got, err := cert.ParseAll(data)
		if err != nil {
			t.Errorf("%s: %v", what, err)
		} else if !slices.EqualFunc(got, both, (*cert.Certificate).Equal) {
			t.Errorf("%s: %v", what, got)
		}
	}
}

func TestParseAllLosesNothingSilently(t *testing.T) {
	root := load(t, "uz-production-root.pem")
	pemText := string(cert.EncodePEM(root))
	for what, data := range map[string]string{
		"empty":              "",
		"spaces":             "  \n",
		"text":               "no certificate here!",
		"only a key":         "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
		"broken block":       pemText + strings.Replace(pemText, "MIIE", "M-IE", 1),
		"block cut short":    pemText + pemText[:len(pemText)/2],
		"broken certificate": pemText + strings.Replace(pemText, "MIIE", "MIIF", 1),
		"octets behind DER":  string(root.Raw) + "x",
		"DER of another":     string(ber.Sequence(ber.Null())),
	} {
		if got, err := cert.ParseAll([]byte(data)); err == nil {
			t.Errorf("%s: %v", what, got)
		}
	}
}

func TestCreateChecksWhatItIsGiven(t *testing.T) {
	p := testpki.New(t, "ecdsa:P-256")
	other := testpki.Key(t, "ecdsa:P-256")
	good := func() *cert.Template {
		return &cert.Template{Subject: testpki.Name(t, "CN=a"), NotBefore: p.Now, NotAfter: p.Now.Add(time.Hour), PublicKey: other.PublicKey()}
	}
	if _, err := cert.Create(rand.Reader, good(), p.CA.Cert, p.CA.Key); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(*cert.Template){
		"no subject":                func(tm *cert.Template) { tm.Subject = cert.Name{} },
		"validity backwards":        func(tm *cert.Template) { tm.NotAfter = tm.NotBefore.Add(-time.Second) },
		"path length without CA":    func(tm *cert.Template) { tm.BasicConstraints = &cert.BasicConstraints{MaxPathLen: 1} },
		"DNS name not ASCII":        func(tm *cert.Template) { tm.DNSNames = []string{"ў.uz"} },
		"address not ASCII":         func(tm *cert.Template) { tm.OCSPServers = []string{"http://ў"} },
		"IP address of five octets": func(tm *cert.Template) { tm.IPAddresses = append(tm.IPAddresses, []byte{1, 2, 3, 4, 5}) },
		"bad extra extension":       func(tm *cert.Template) { tm.Extra = []cert.Extension{{OID: cert.OIDKeyUsage}} },
		"extra extension twice": func(tm *cert.Template) {
			tm.Extra = []cert.Extension{{OID: cert.OIDOCSPNoCheck, Value: ber.Null()}, {OID: cert.OIDOCSPNoCheck, Value: ber.Null()}}
		},
		"serial of 34 octets": func(tm *cert.Template) { tm.Serial = new(big.Int).Lsh(big.NewInt(1), 270) },
	} {
		tm := good()
		change(tm)
		if _, err := cert.Create(rand.Reader, tm, p.CA.Cert, p.CA.Key); !errors.Is(err, cert.ErrTemplate) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := cert.Create(rand.Reader, good(), p.CA.Cert, other); !errors.Is(err, cert.ErrTemplate) {
		t.Errorf("key of another: %v", err)
	}
	if _, err := cert.Create(rand.Reader, good(), nil, p.CA.Key); !errors.Is(err, cert.ErrTemplate) {
		t.Errorf("self-signed for another key: %v", err)
	}
	if _, err := cert.Create(bytes.NewReader(nil), good(), p.CA.Cert, p.CA.Key); err == nil {
		t.Error("without randomness there is a certificate")
	}
}

func TestValidityIncludesItsBounds(t *testing.T) {
	c := load(t, "uz-production-ca.pem")
	for at, valid := range map[time.Time]bool{
		c.NotBefore:                                true,
		c.NotBefore.Add(-time.Nanosecond):          false,
		c.NotAfter:                                 true,
		c.NotAfter.Add(time.Second - 1):            true,
		c.NotAfter.Add(time.Second):                false,
		c.NotAfter.In(time.FixedZone("+5", 18000)): true,
	} {
		if c.ValidAt(at) != valid {
			t.Errorf("%v: valid must be %v", at, valid)
		}
	}
}

func TestCertificatePrintsNoPersonalData(t *testing.T) {
	u := testpki.New(t, "ecdsa:P-256").User(t, testpki.Person).Cert
	if got := u.String(); got != "certificate "+u.SerialHex() {
		t.Error(got)
	}
	var none *cert.Certificate
	if none.String() == "" || none.Equal(u) || u.Equal(none) || !u.Equal(u) {
		t.Error("nil certificates must be harmless")
	}
}

func TestPoolHoldsEachCertificateOnce(t *testing.T) {
	root, ca := load(t, "uz-production-root.pem"), load(t, "uz-production-ca.pem")
	var zero cert.Pool
	zero.Add(root)
	for _, p := range []*cert.Pool{&zero, cert.NewPool(root, load(t, "uz-production-root.pem"), nil)} {
		if p.Len() != 1 || len(p.Certificates()) != 1 || !p.Contains(load(t, "uz-production-root.pem")) || p.Contains(ca) || p.Contains(nil) {
			t.Error("a pool of one root")
		}
		if got := p.BySubject(ca.RawIssuer); len(got) != 1 || got[0] != root {
			t.Errorf("by subject: %v", got)
		}
		if got := p.BySubject(ca.RawSubject); len(got) != 0 {
			t.Errorf("by another subject: %v", got)
		}
	}
	var none *cert.Pool
	if none.Len() != 0 || none.Certificates() != nil || none.BySubject(root.RawSubject) != nil || none.Contains(root) {
		t.Error("a nil pool is empty")
	}
}
