package cert_test

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"slices"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/ber"
	"imzo/pki/cert"
)

// x509Families are the keys crypto/x509 knows too.
var x509Families = []string{"ecdsa:P-256", "ecdsa:P-384", "rsa:2048", "ed25519"}

// some draws up to n of the items.
func some[T any](r *mathrand.Rand, n int, item func() T) []T {
	var list []T
	for range r.IntN(n + 1) {
		list = append(list, item())
	}
	return list
}

func randomTemplate(t *testing.T, r *mathrand.Rand) *cert.Template {
	t.Helper()
	text := func() string {
		const letters = `abcXYZ 019,+"\=<>;#ўқғҳé.-`
		var s []rune
		for range 1 + r.IntN(12) {
			s = append(s, []rune(letters)[r.IntN(len([]rune(letters)))])
		}
		return string(s)
	}
	var attributes []cert.Attribute
	for _, a := range []string{"2.5.4.3", "2.5.4.10", "2.5.4.6", "1.2.840.113549.1.9.1", "1.2.860.3.16.1.2", "2.5.4.5"} {
		if r.IntN(2) == 0 {
			attributes = append(attributes, cert.Attribute{Type: ber.MustOID(a), Value: text()})
		}
	}
	subject, err := cert.NewName(attributes...)
	if err != nil {
		t.Fatal(err)
	}
	host := func() string { return fmt.Sprintf("h%d.example.uz", r.IntN(1000)) }
	uri := func() string { return fmt.Sprintf("http://h%d.example.uz/x?y=%d", r.IntN(1000), r.IntN(10)) }
	from := time.Date(1951+r.IntN(120), 1+time.Month(r.IntN(12)), 1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60), 0, time.UTC)
	tm := &cert.Template{
		Subject:   subject,
		NotBefore: from, NotAfter: from.Add(time.Duration(r.IntN(1e9)) * time.Second),
		KeyUsage:            cert.KeyUsage(r.IntN(1 << 9)),
		ExtKeyUsage:         some(r, 3, func() ber.OID { return ber.MustOID(fmt.Sprintf("1.3.6.1.5.5.7.3.%d", r.IntN(40))) }),
		ExtKeyUsageCritical: r.IntN(2) == 0,
		PoliciesCritical:    r.IntN(2) == 0,
		OCSPServers:         some(r, 2, uri), CAIssuers: some(r, 2, uri), CRLDistributionPoints: some(r, 3, uri),
		DNSNames: some(r, 3, host), EmailAddresses: some(r, 2, func() string { return "a@" + host() }),
		IPAddresses: some(r, 2, func() net.IP {
			b := make([]byte, []int{net.IPv4len, net.IPv6len}[r.IntN(2)])
			for i := range b {
				b[i] = byte(r.IntN(256))
			}
			return b
		}),
		OCSPNoCheck:           r.IntN(4) == 0,
		AuthorityIssuerSerial: r.IntN(2) == 0,
	}
	for i := range r.IntN(4) {
		tm.Policies = append(tm.Policies, ber.MustOID(fmt.Sprintf("1.3.6.1.4.1.46709.1.2.%d", i)))
	}
	if r.IntN(2) == 0 {
		tm.Serial = new(big.Int).Rsh(new(big.Int).SetUint64(r.Uint64()|1), uint(r.IntN(60)))
		tm.Serial.Add(tm.Serial, big.NewInt(1))
	}
	if r.IntN(2) == 0 {
		b := &cert.BasicConstraints{IsCA: r.IntN(2) == 0, MaxPathLen: -1}
		if b.IsCA && r.IntN(2) == 0 {
			b.MaxPathLen = r.IntN(300)
		}
		tm.BasicConstraints = b
	}
	return tm
}

// dotted gives x509's identifiers as text.
func dotted(oids []asn1.ObjectIdentifier) []string {
	var list []string
	for _, o := range oids {
		list = append(list, o.String())
	}
	return list
}

func dottedOIDs(oids []ber.OID) []string {
	var list []string
	for _, o := range oids {
		list = append(list, o.String())
	}
	return list
}

// compareX509 compares what both parsers say about the same octets.
func compareX509(t *testing.T, c *cert.Certificate, x *x509.Certificate) {
	t.Helper()
	check := func(what string, same bool) {
		t.Helper()
		if !same {
			t.Errorf("%s differs\n%x", what, c.Raw)
		}
	}
	bytesEqual := slices.Equal[[]byte]
	check("Raw", bytesEqual(c.Raw, x.Raw) && bytesEqual(c.RawTBS, x.RawTBSCertificate))
	check("names", bytesEqual(c.RawSubject, x.RawSubject) && bytesEqual(c.RawIssuer, x.RawIssuer))
	check("key", bytesEqual(c.PublicKey.Raw, x.RawSubjectPublicKeyInfo))
	if k, ok := c.PublicKey.Key.(interface{ Equal(crypto.PublicKey) bool }); !ok || !k.Equal(x.PublicKey) {
		t.Errorf("keys %v and %v", c.PublicKey.Key, x.PublicKey)
	}
	check("signature", bytesEqual(c.Signature, x.Signature))
	check("version", c.Version == x.Version)
	check("serial", c.Serial.Cmp(x.SerialNumber) == 0)
	check("validity", c.NotBefore.Equal(x.NotBefore) && c.NotAfter.Equal(x.NotAfter))
	check("CA", (c.BasicConstraints != nil) == x.BasicConstraintsValid && (c.BasicConstraints == nil || c.BasicConstraints.IsCA == x.IsCA))
	if c.BasicConstraints != nil && c.BasicConstraints.IsCA {
		want := x.MaxPathLen
		if want == 0 && !x.MaxPathLenZero {
			want = -1
		}
		check("path length", c.BasicConstraints.MaxPathLen == want)
	}
	check("key usage", int(c.KeyUsage) == int(x.KeyUsage))
	check("key ids", bytesEqual(c.SubjectKeyID, x.SubjectKeyId) && bytesEqual(c.AuthorityKeyID, x.AuthorityKeyId))
	check("policies", slices.Equal(dottedOIDs(c.PolicyIdentifiers), dotted(x.PolicyIdentifiers)))
	check("addresses", slices.Equal(c.OCSPServers, x.OCSPServer) && slices.Equal(c.CAIssuers, x.IssuingCertificateURL) && slices.Equal(c.CRLDistributionPoints, x.CRLDistributionPoints))
	check("DNS", slices.Equal(c.DNSNames, x.DNSNames))
	check("e-mail", slices.Equal(c.EmailAddresses, x.EmailAddresses))
	check("IP", slices.EqualFunc(c.IPAddresses, x.IPAddresses, net.IP.Equal))
	check("number of purposes", len(c.ExtKeyUsage) == len(x.ExtKeyUsage)+len(x.UnknownExtKeyUsage))
	check("unhandled", slices.Equal(dottedOIDs(c.UnhandledCritical), dotted(x.UnhandledCriticalExtensions)))
	check("number of extensions", len(c.Extensions) == len(x.Extensions))
	for i, e := range x.Extensions {
		check("extension", c.Extensions[i].OID.String() == e.Id.String() && c.Extensions[i].Critical == e.Critical && bytesEqual(c.Extensions[i].Value, e.Value))
	}
	// pkix prints backwards and in another way; the values must be the same.
	var values []string
	for _, rdn := range c.Subject.RDNs {
		for _, a := range rdn {
			values = append(values, a.Type.String()+a.Value)
		}
	}
	var want []string
	for _, a := range x.Subject.Names {
		want = append(want, a.Type.String()+fmt.Sprint(a.Value))
	}
	check("subject", slices.Equal(values, want))
}

func TestOurCertificatesReadTheSameInX509(t *testing.T) {
	const seed = 20260101
	r := mathrand.New(mathrand.NewPCG(seed, seed))
	for _, spec := range x509Families {
		issuer := testpki.New(t, spec).CA
		key := testpki.Key(t, spec)
		for range 150 {
			tm := randomTemplate(t, r)
			tm.PublicKey = key.PublicKey()
			c, err := cert.Create(rand.Reader, tm, issuer.Cert, issuer.Key)
			if err != nil {
				t.Fatal(err)
			}
			x, err := x509.ParseCertificate(c.Raw)
			if err != nil {
				t.Fatalf("%v\n%x", err, c.Raw)
			}
			compareX509(t, c, x)
			if err := x.CheckSignatureFrom(toX509(t, issuer.Cert)); err != nil {
				t.Error(err)
			}
			if got, want := c.Subject.Raw, tm.Subject.Raw; !slices.Equal(got, want) {
				t.Errorf("subject %x, want %x", got, want)
			}
		}
	}
}

func TestX509CertificatesReadTheSameHere(t *testing.T) {
	const seed = 20260102
	r := mathrand.New(mathrand.NewPCG(seed, seed))
	for _, spec := range x509Families {
		key := testpki.Key(t, spec)
		for i := range 100 {
			random := randomTemplate(t, r)
			x := &x509.Certificate{
				SerialNumber: big.NewInt(1 + r.Int64N(1<<50)),
				Subject: pkix.Name{
					CommonName: fmt.Sprint("CN ", i), Organization: some(r, 2, func() string { return "Ташкилот" }),
					Country: some(r, 2, func() string { return "UZ" }), SerialNumber: fmt.Sprint(r.IntN(100)),
				},
				NotBefore: random.NotBefore, NotAfter: random.NotAfter,
				KeyUsage:              x509.KeyUsage(random.KeyUsage),
				BasicConstraintsValid: r.IntN(2) == 0,
				OCSPServer:            random.OCSPServers, IssuingCertificateURL: random.CAIssuers, CRLDistributionPoints: random.CRLDistributionPoints,
				DNSNames: random.DNSNames, EmailAddresses: random.EmailAddresses, IPAddresses: random.IPAddresses,
			}
			if random.BasicConstraints != nil && x.BasicConstraintsValid {
				x.IsCA, x.MaxPathLen, x.MaxPathLenZero = random.BasicConstraints.IsCA, random.BasicConstraints.MaxPathLen, random.BasicConstraints.MaxPathLen == 0
			}
			if x.IsCA {
				x.SubjectKeyId = []byte{1, 2, 3, byte(i)}
				x.PermittedDNSDomains = random.DNSNames
				x.PermittedDNSDomainsCritical = true
			}
			for range r.IntN(3) {
				x.ExtKeyUsage = append(x.ExtKeyUsage, x509.ExtKeyUsage(r.IntN(13)))
			}
			for range r.IntN(2) {
				x.ExtraExtensions = append(x.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3, r.IntN(9)}, Critical: r.IntN(2) == 0, Value: []byte{5, 0}})
			}
			der, err := x509.CreateCertificate(rand.Reader, x, x, key.Public(), key.Signer())
			if err != nil {
				t.Fatal(err)
			}
			c, err := cert.Parse(der)
			if err != nil {
				t.Fatalf("%v\n%x", err, der)
			}
			parsed, err := x509.ParseCertificate(der)
			if err != nil {
				t.Fatal(err)
			}
			compareX509(t, c, parsed)
			if n := len(parsed.PermittedDNSDomains); n > 0 && !slices.Equal(c.NameConstraints.Permitted.DNS, parsed.PermittedDNSDomains) {
				t.Errorf("name constraints %v", c.NameConstraints)
			}
			if err := c.CheckSignatureFrom(c); err != nil {
				t.Error(err)
			}
		}
	}
}
