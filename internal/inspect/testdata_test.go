package inspect

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/crl"
	"imzo/pki/keystore"
	"imzo/pki/ocsp"
	"imzo/pki/tsp"
)

// remakeTestdata makes the files of testdata anew, with new keys; the golden
// texts have to follow (-update). The certificates of production and the
// fixture are not made here: they are from outside.
func remakeTestdata(t *testing.T) {
	t.Helper()
	p := testpki.New(t, "ozdst")
	user := p.User(t, testpki.Organisation)
	second := p.User(t, testpki.Person)
	remakeDocuments(t, p, user, second)
	remakeRevocation(t, p, user, second)
	remakeKeys(t, user)
	remakeCertificates(t, p)
}

func save(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join("testdata", name), b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func remakeDocuments(t *testing.T, p *testpki.PKI, user, second testpki.Entity) {
	octets := must[[]byte](t)
	signers := []cms.Signer{
		{Key: user.Key, Chain: user.Chain, SigningTime: p.Now},
		{Key: second.Key, Chain: second.Chain, SigningTime: p.Now.Add(time.Minute)},
	}
	document := octets(cms.Sign([]byte("Salom, E-IMZO"), signers, cms.Options{}))
	save(t, "detached.der", octets(cms.Sign([]byte("Salom"), signers[:1], cms.Options{Detached: true, DER: true})))
	save(t, "plain.p7s", octets(cms.Sign([]byte("Salom"), []cms.Signer{{Key: user.Key, Chain: user.Chain[:1], NoSignedAttrs: true}}, cms.Options{})))

	signed := must[*cms.SignedData](t)(cms.Parse(document))
	signature := signed.SignerInfos[0].Signature
	authority := tsp.Authority{
		Key: p.TSA.Key, Chain: p.TSA.Chain, Policy: ber.MustOID("1.2.860.3.2.11.1"), Name: "http://test.e-imzo.uz/cams/tst",
		Serial: func() (*big.Int, error) { return big.NewInt(0x2187), nil }, Now: p.Clock(), Accuracy: time.Second,
	}
	request := tsp.NewRequest(alg.OZDST(), alg.OZDST().Sum(signature), big.NewInt(0x1234567), true)
	save(t, "request.tsq", request.Marshal())
	answer := authority.Respond(context.Background(), request.Marshal())
	save(t, "granted.tsr", answer)
	request.Policy = ber.MustOID("1.2.3.4")
	save(t, "rejected.tsr", authority.Respond(context.Background(), request.Marshal()))

	response := must[*tsp.Response](t)(tsp.ParseResponse(answer))
	save(t, "token.tst", response.Token.Raw)
	stamped := octets(signed.AddUnsignedAttribute(0, cms.NewAttribute(cms.OIDTimeStampToken, response.Token.Raw)))
	signed = must[*cms.SignedData](t)(cms.Parse(stamped))
	stamped = octets(signed.AddUnsignedAttribute(1, cms.NewAttribute(ber.MustOID("1.2.3.4.5"), ber.UTF8String("other"), ber.Sequence(ber.Int64(7)))))
	save(t, "stamped.p7s", stamped)

	// Another content type is named and shown as it is.
	save(t, "enveloped.p7m", ber.Sequence(ber.MustOID("1.2.840.113549.1.7.3").DER(),
		ber.Tagged(ber.ContextConstructed(0), ber.Sequence(ber.Int64(2), ber.Set(), ber.Sequence(
			cms.OIDData.DER(), ber.Sequence(ber.MustOID("2.16.840.1.101.3.4.1.42").DER(), ber.OctetString(make([]byte, 16))), ber.Tagged(ber.Context(0), make([]byte, 32)))))))

	// What the strict parser refuses is still shown.
	save(t, "broken.p7s", ber.Sequence(cms.OIDSignedData.DER(), ber.Tagged(ber.ContextConstructed(0), ber.Sequence(
		ber.Int64(77), ber.Set(), ber.Sequence(cms.OIDData.DER()), ber.Set()))))
}

func remakeRevocation(t *testing.T, p *testpki.PKI, user, second testpki.Entity) {
	octets := must[[]byte](t)
	revoked := p.Now.Add(-time.Hour)
	responder := ocsp.Responder{
		Certificate: p.OCSP.Cert, Key: p.OCSP.Key, Issuer: p.CA.Cert, Now: p.Clock(), Validity: time.Minute,
		Lookup: func(_ context.Context, serial *big.Int) (ocsp.StatusInfo, error) {
			if serial.Cmp(user.Cert.Serial) == 0 {
				return ocsp.StatusInfo{Status: ocsp.Good}, nil
			}
			return ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: revoked, Reason: 6}, nil
		},
	}
	request := ocsp.Request{CertIDs: []ocsp.CertID{ocsp.NewCertID(nil, user.Cert, p.CA.Cert), ocsp.NewCertID(nil, second.Cert, p.CA.Cert)}, Nonce: []byte("nonce of sixteen")}
	save(t, "ocsp.req", request.Marshal())
	save(t, "ocsp.resp", responder.Respond(context.Background(), request.Marshal()))
	save(t, "malformed.resp", responder.Respond(context.Background(), []byte("no request")))
	template := &crl.Template{ThisUpdate: p.Now, NextUpdate: p.Now.AddDate(0, 0, 1), Number: big.NewInt(12)}
	for i := range maxListed + 5 {
		template.Entries = append(template.Entries, crl.Entry{Serial: big.NewInt(int64(0x218700 + i)), RevokedAt: revoked, Reason: []int{1, ocsp.NoReason}[i%2]})
	}
	list := octets(crl.Create(rand.Reader, template, p.CA.Cert, p.CA.Key))
	save(t, "list.crl", pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: list}))
}

func remakeKeys(t *testing.T, user testpki.Entity) {
	octets := must[[]byte](t)
	entry := keystore.Entry{Alias: keystore.Alias(user.Cert, time.UTC), Key: user.Key, Chain: user.Chain, Created: testpki.DefaultNow()}
	java8 := octets(keystore.CreatePFX(rand.Reader, []keystore.Entry{entry}, testPassword, keystore.ProfileJava8))
	save(t, "java8.pfx", java8)
	save(t, "modern.pfx", octets(keystore.CreatePFX(rand.Reader, []keystore.Entry{entry}, testPassword, keystore.ProfileModern)))
	save(t, "key.yks", octets(keystore.CreateYKS(rand.Reader, []keystore.Entry{entry}, testPassword)))
	save(t, "ozdst.key", octets(keystore.MarshalPKCS8(user.Key)))
	save(t, "chain.pem", octets(keystore.EncodePEM(rand.Reader, entry, "")))
	save(t, "encrypted.pem", octets(keystore.EncodePEM(rand.Reader, keystore.Entry{Key: user.Key}, testPassword)))
	save(t, "ozdst.pub", []byte(base64.StdEncoding.EncodeToString(user.Key.PublicKey().Raw)))

	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	save(t, "rsa.pem", pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaKey)}))
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	// As `openssl ecparam -genkey` writes it: the parameters come first.
	curve := pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: alg.OIDCurveP256.DER()})
	ec := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: octets(x509.MarshalECPrivateKey(ecKey))})
	save(t, "ec.pem", append(curve, ec...))
	save(t, "old-encrypted.pem", pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY",
		Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00112233445566778899AABBCCDDEEFF"}, Bytes: make([]byte, 64)}))
	// A key of an algorithm nobody knows: its octets stay hidden all the same.
	save(t, "unknown.key", ber.Sequence(ber.Int64(0), ber.Sequence(ber.MustOID("1.2.3.4").DER()), ber.OctetString([]byte(hostileSecret))))
	// An unencrypted key inside a PFX.
	bag := ber.Sequence(ber.MustOID("1.2.840.113549.1.12.10.1.1").DER(), ber.Tagged(ber.ContextConstructed(0), octets(keystore.MarshalPKCS8(user.Key))),
		ber.Set(ber.Sequence(ber.MustOID("1.2.840.113549.1.9.20").DER(), ber.Set(ber.BMPString("open key")))))
	wrap := func(b []byte) []byte {
		return ber.Sequence(cms.OIDData.DER(), ber.Tagged(ber.ContextConstructed(0), ber.OctetString(b)))
	}
	certBag := ber.Sequence(ber.MustOID("1.2.840.113549.1.12.10.1.3").DER(), ber.Tagged(ber.ContextConstructed(0), ber.Sequence(
		ber.MustOID("1.2.840.113549.1.9.22.1").DER(), ber.Tagged(ber.ContextConstructed(0), ber.OctetString(user.Cert.Raw)))))
	save(t, "keybag.pfx", ber.Sequence(ber.Int64(3), wrap(ber.Sequence(wrap(ber.Sequence(bag, certBag))))))

	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: "example.uz", Country: []string{"UZ"}}, DNSNames: []string{"example.uz"}}, ecKey)
	if err != nil {
		t.Fatal(err)
	}
	save(t, "request.csr", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: request}))
}

// hostileSecret stands for a private key in what is no known key.
const hostileSecret = "a secret of 32 octets, as d of GO"

func remakeCertificates(t *testing.T, p *testpki.PKI) {
	site := p.Issue(t, p.CA, func(tmpl *cert.Template) {
		tmpl.Subject = testpki.Name(t, "CN=example.uz")
		tmpl.DNSNames = []string{"example.uz", "www.example.uz"}
		tmpl.IPAddresses = []net.IP{net.IPv4(192, 0, 2, 1)}
		tmpl.ExtKeyUsage = []ber.OID{cert.OIDServerAuth}
		tmpl.Extra = []cert.Extension{
			{OID: ber.MustOID("1.2.3.4.6"), Critical: true, Value: ber.Sequence(ber.UTF8String("own"), ber.Bool(true))},
			{OID: ber.MustOID("1.2.3.4.7"), Value: ber.Int64(42)},
			{OID: ber.MustOID("1.2.3.4.8"), Value: []byte{0xff, 0xff}},
			{OID: cert.OIDCertificatePolicies, Value: ber.Sequence(ber.Sequence(ber.MustOID("1.2.860.3.2.2.1.2.1").DER(), ber.Sequence(
				ber.Sequence(ber.MustOID("1.3.6.1.5.5.7.2.1").DER(), ber.IA5String("http://e-imzo.uz/cps")),
				ber.Sequence(ber.MustOID("1.3.6.1.5.5.7.2.2").DER(), ber.Sequence(ber.Tagged(ber.TagUTF8String, []byte("for reports only")))),
			)))},
		}
	}, "rsa:2048")
	save(t, "site.cer", site.Cert.Raw)
	// Escape sequences, a bidirectional override and a NUL, as no honest
	// certificate has them.
	hostile := p.Issue(t, p.CA, func(tmpl *cert.Template) {
		name, err := cert.NewName(cert.Attribute{Type: cert.OIDCommonName, Value: "\x1b]0;owned\a\u202eGNITSET\u2066\x00\u009b31m"})
		if err != nil {
			t.Fatal(err)
		}
		tmpl.Subject = name
	}, "ecdsa:P-256")
	save(t, "hostile.cer", hostile.Cert.Raw)
}
