package testpki

import (
	"crypto/rand"
	"testing"
	"time"

	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
)

// Subjects of users, in the shapes that certificates of Uzbekistan have; the
// persons do not exist.
const (
	// Person has a personal number (PINFL) and a personal TIN (UID).
	Person = "CN=IVANOV IVAN IVANOVICH,Name=IVAN,SURNAME=IVANOV,L=YUNUSOBOD TUMANI,ST=TOSHKENT SHAHRI,C=UZ,UID=400000000,1.2.860.3.16.1.2=30000000000000"
	// Organisation is a director, with the TIN of the organisation.
	Organisation = "CN=PETROVA ANNA PETROVNA,Name=ANNA,SURNAME=PETROVA,L=YUNUSOBOD TUMANI,ST=TOSHKENT SHAHRI,C=UZ,O=\\\"SINOV\\\" MCHJ,UID=500000000,1.2.860.3.16.1.2=40000000000000,OU=RAHBARIYAT,T=DIREKTOR,1.2.860.3.16.1.1=200000000,BusinessCategory=MCHJ"
)

// OCSPURL, CAIssuersURL and CRLURL stand in users' certificates. The domain is
// reserved (RFC 2606): nothing answers there.
const (
	OCSPURL      = "http://e-imzo.invalid/cams/ocsp"
	CAIssuersURL = "http://e-imzo.invalid/cams/ca.cer"
	CRLURL       = "http://e-imzo.invalid/cams/ca.crl"
)

// UserKeyUsage is what production certificates of users allow: bits F8.
const UserKeyUsage = cert.KeyUsageDigitalSignature | cert.KeyUsageContentCommitment |
	cert.KeyUsageKeyEncipherment | cert.KeyUsageDataEncipherment | cert.KeyUsageKeyAgreement

// CAKeyUsage is what the production CAs' certificates allow: bits 86.
const CAKeyUsage = cert.KeyUsageDigitalSignature | cert.KeyUsageCertSign | cert.KeyUsageCRLSign

// Policies returns the policy identifiers in users' certificates.
func Policies() []ber.OID {
	return []ber.OID{
		ber.MustOID("1.3.6.1.4.1.46709.1.2.1"),
		ber.MustOID("1.3.6.1.4.1.46709.1.2.2"),
		ber.MustOID("1.3.6.1.4.1.46709.1.2.3"),
		ber.MustOID("1.3.6.1.4.1.46709.1.2.4"),
	}
}

// Entity is a certificate with its key and its chain.
type Entity struct {
	Cert *cert.Certificate
	Key  *alg.PrivateKey
	// Chain runs from Cert to the root, both included.
	Chain []*cert.Certificate
}

// PKI is a hierarchy: a root, a CA below it, and what the CA has certified.
type PKI struct {
	Root, CA Entity
	// TSA has the sole and critical purpose id-kp-timeStamping (RFC 3161
	// 2.3), OCSP the purpose id-kp-OCSPSigning and id-pkix-ocsp-nocheck.
	TSA, OCSP Entity
	// Now is the time at which everything is valid.
	Now time.Time
	// KeySpec names the key family, as alg.GenerateKey does.
	KeySpec string
}

// DefaultNow returns the time at which the hierarchies of [New] are valid.
func DefaultNow() time.Time { return time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC) }

// New returns a hierarchy with keys of the family that keySpec names, as
// alg.GenerateKey does: "ozdst", "ozmst", "gost2001", "rsa:2048",
// "ecdsa:P-256", "ed25519". It is valid around [DefaultNow].
func New(t testing.TB, keySpec string) *PKI {
	t.Helper()
	return NewAt(t, keySpec, DefaultNow())
}

// NewAt is [New] for another time.
func NewAt(t testing.TB, keySpec string, now time.Time) *PKI {
	t.Helper()
	return build(t, keySpec, now, func(*cert.Template) {})
}

// NewProduction returns a hierarchy that is encoded as the production PKI of
// Uzbekistan is, which is not DER: BOOLEAN TRUE as 0x01 in basicConstraints,
// keyUsage of CAs not critical, the issuer's name and serial number in the
// authority key identifier.
func NewProduction(t testing.TB, keySpec string) *PKI {
	t.Helper()
	return build(t, keySpec, DefaultNow(), ProductionEncoding)
}

// ProductionEncoding changes the template of a CA or user to the encoding of
// [NewProduction].
func ProductionEncoding(tmpl *cert.Template) {
	tmpl.AuthorityIssuerSerial = true
	if tmpl.BasicConstraints != nil && tmpl.BasicConstraints.IsCA {
		looseTrue := ber.Tagged(ber.TagBoolean, []byte{1})
		tmpl.Extra = append(tmpl.Extra,
			cert.Extension{OID: cert.OIDBasicConstraints, Value: ber.Sequence(looseTrue)},
			cert.Extension{OID: cert.OIDKeyUsage, Value: ber.NamedBits(0, 5, 6)})
	}
}

func build(t testing.TB, keySpec string, now time.Time, mod func(*cert.Template)) *PKI {
	t.Helper()
	p := &PKI{Now: now, KeySpec: keySpec}
	p.Root = p.SelfSigned(t, func(tmpl *cert.Template) {
		mod(tmpl)
	}, keySpec)
	p.CA = p.Issue(t, p.Root, func(tmpl *cert.Template) {
		CATemplate(t, tmpl, "CN=TestCA,O=test.e-imzo.uz")
		tmpl.NotBefore, tmpl.NotAfter = now.AddDate(-2, 0, 0), now.AddDate(3, 0, 0)
		mod(tmpl)
	}, keySpec)
	p.TSA = p.Issue(t, p.CA, func(tmpl *cert.Template) {
		tmpl.Subject = Name(t, "CN=TestTSA,O=test.e-imzo.uz")
		tmpl.KeyUsage = cert.KeyUsageDigitalSignature | cert.KeyUsageContentCommitment
		tmpl.ExtKeyUsage, tmpl.ExtKeyUsageCritical = []ber.OID{cert.OIDTimeStamping}, true
		tmpl.OCSPServers = []string{OCSPURL}
		mod(tmpl)
	}, keySpec)
	p.OCSP = p.Issue(t, p.CA, func(tmpl *cert.Template) {
		tmpl.Subject = Name(t, "CN=TestOCSP,O=test.e-imzo.uz")
		tmpl.KeyUsage = cert.KeyUsageDigitalSignature
		tmpl.ExtKeyUsage = []ber.OID{cert.OIDOCSPSigning}
		tmpl.OCSPNoCheck = true
		mod(tmpl)
	}, keySpec)
	return p
}

// Anchors returns a pool of the root.
func (p *PKI) Anchors() *cert.Pool { return cert.NewPool(p.Root.Cert) }

// Clock returns [PKI.Now] as a function.
func (p *PKI) Clock() func() time.Time { return func() time.Time { return p.Now } }

// User returns a user with this subject, issued by the CA for two years around
// Now, with the extensions production certificates have. The mods may change
// the template.
func (p *PKI) User(t testing.TB, subject string, mods ...func(*cert.Template)) Entity {
	t.Helper()
	return p.Issue(t, p.CA, func(tmpl *cert.Template) {
		p.UserTemplate(t, tmpl, subject)
		for _, mod := range mods {
			mod(tmpl)
		}
	}, p.KeySpec)
}

// UserTemplate fills the template of [PKI.User].
func (p *PKI) UserTemplate(t testing.TB, tmpl *cert.Template, subject string) {
	t.Helper()
	tmpl.Subject = Name(t, subject)
	tmpl.KeyUsage = UserKeyUsage
	tmpl.ExtKeyUsage, tmpl.ExtKeyUsageCritical = []ber.OID{cert.OIDClientAuth, cert.OIDEmailProtection}, true
	tmpl.Policies, tmpl.PoliciesCritical = Policies(), true
	tmpl.OCSPServers, tmpl.CAIssuers = []string{OCSPURL}, []string{CAIssuersURL}
	tmpl.CRLDistributionPoints = []string{CRLURL}
	tmpl.AuthorityIssuerSerial = true
}

// CATemplate makes the template that of a CA without a path length limit.
func CATemplate(t testing.TB, tmpl *cert.Template, subject string) {
	t.Helper()
	tmpl.Subject = Name(t, subject)
	tmpl.BasicConstraints = &cert.BasicConstraints{IsCA: true, MaxPathLen: -1}
	tmpl.KeyUsage = CAKeyUsage
}

// SelfSigned returns a root with a key of its own. The template starts as
// that of CN=TestRoot, valid for fifteen years; tmpl may change it.
func (p *PKI) SelfSigned(t testing.TB, tmpl func(*cert.Template), keySpec string) Entity {
	t.Helper()
	key := Key(t, keySpec)
	template := &cert.Template{NotBefore: p.Now.AddDate(-5, 0, 0), NotAfter: p.Now.AddDate(10, 0, 0)}
	CATemplate(t, template, "CN=TestRoot")
	tmpl(template)
	c, err := cert.Create(rand.Reader, template, nil, key)
	if err != nil {
		t.Fatalf("creating a root: %v", err)
	}
	return Entity{Cert: c, Key: key, Chain: []*cert.Certificate{c}}
}

// Issue returns a certificate of the issuer, with a key of its own unless tmpl
// sets one (the entity then has no Key). The template starts with a validity
// of two years around Now and nothing else; tmpl fills in the rest, also what
// makes a broken certificate.
func (p *PKI) Issue(t testing.TB, issuer Entity, tmpl func(*cert.Template), keySpec string) Entity {
	t.Helper()
	template := &cert.Template{NotBefore: p.Now.AddDate(-1, 0, 0), NotAfter: p.Now.AddDate(1, 0, 0)}
	tmpl(template)
	var key *alg.PrivateKey
	if template.PublicKey == nil {
		key = Key(t, keySpec)
		template.PublicKey = key.PublicKey()
	}
	c, err := cert.Create(rand.Reader, template, issuer.Cert, issuer.Key)
	if err != nil {
		t.Fatalf("issuing a certificate: %v", err)
	}
	return Entity{Cert: c, Key: key, Chain: append([]*cert.Certificate{c}, issuer.Chain...)}
}

// Key returns a new key of the family that keySpec names.
func Key(t testing.TB, keySpec string) *alg.PrivateKey {
	t.Helper()
	key, err := alg.GenerateKey(keySpec, rand.Reader)
	if err != nil {
		t.Fatalf("key %s: %v", keySpec, err)
	}
	return key
}

// Name returns the name that the text stands for.
func Name(t testing.TB, text string) cert.Name {
	t.Helper()
	n, err := cert.ParseName(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
