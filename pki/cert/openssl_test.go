package cert_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/internal/testpki/peer"
	"imzo/pki/ber"
	"imzo/pki/cert"
)

func write(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// askOpenSSL lets openssl judge a chain.
func askOpenSSL(t *testing.T, ossl *peer.OpenSSLPeer, c chain) error {
	t.Helper()
	args := []string{"verify", "-no-CApath", "-no-CAstore", "-partial_chain", "-attime", strconv.FormatInt(c.at.Unix(), 10)}
	if len(c.anchors) > 0 {
		args = append(args, "-CAfile", write(t, "anchors.pem", cert.EncodePEM(c.anchors...)))
	} else {
		args = append(args, "-no-CAfile")
	}
	if len(c.intermediates) > 0 {
		args = append(args, "-untrusted", write(t, "untrusted.pem", cert.EncodePEM(c.intermediates...)))
	}
	_, err := ossl.TryRun(t, nil, append(args, write(t, "leaf.pem", cert.EncodePEM(c.leaf)))...)
	return err
}

// opensslDiffers lists the cases of path building on which openssl judges
// otherwise, and why.
var opensslDiffers = map[string]string{
	"leaf expired":                                "the leaf's time is for our callers to judge",
	"wrong authority key identifier":              "openssl takes a wrong key identifier for another issuer",
	"root without basic constraints":              "openssl accepts a root for its keyCertSign alone",
	"critical policy constraints":                 "openssl has the policy tree, off by default",
	"critical inhibitAnyPolicy":                   "openssl has the policy tree, off by default",
	"eleven certificates":                         "openssl allows a hundred",
	"cross-signed by an expired and a valid root": "openssl does not go back to try another issuer",
	"cross-signed by an unknown and a known root": "openssl does not go back to try another issuer",
	"constraint on addresses of sites":            "openssl processes URIs, and this leaf has none",
	"constraint with a minimum":                   "openssl looks at it when a name of that form is there",
	"constraint with a maximum":                   "openssl looks at it when a name of that form is there",
}

func TestOpenSSLJudgesPathsAlike(t *testing.T) {
	for _, spec := range []string{"gost2001", "ecdsa:P-256"} {
		ossl := peer.OpenSSLGOST(t)
		p := testpki.New(t, spec)
		for _, tc := range chainCases() {
			t.Run(spec+"/"+tc.name, func(t *testing.T) {
				c := tc.make(t, p)
				_, ours := c.build()
				compareVerdicts(t, "openssl", ours, askOpenSSL(t, ossl, c), opensslDiffers[tc.name])
			})
		}
	}
}

func TestOpenSSLReadsOurExtensions(t *testing.T) {
	ossl := peer.OpenSSLGOST(t)
	p := testpki.New(t, "gost2001")
	ca := deeper(t, p, p.Root, "CN=CA", pathLen(3))
	user := p.User(t, testpki.Organisation, func(tm *cert.Template) {
		tm.DNSNames, tm.EmailAddresses = []string{"e-imzo.uz"}, []string{"a@e-imzo.uz"}
	})
	for name, tc := range map[string]struct {
		c    *cert.Certificate
		want []string
	}{
		"CA": {ca.Cert, []string{"CA:TRUE, pathlen:3", "Digital Signature, Certificate Sign, CRL Sign", "Basic Constraints: critical", "Key Usage: critical"}},
		"user": {user.Cert, []string{
			"Digital Signature, Non Repudiation, Key Encipherment, Data Encipherment, Key Agreement",
			"TLS Web Client Authentication, E-mail Protection", "Extended Key Usage: critical", "Policies: critical",
			"Policy: 1.3.6.1.4.1.46709.1.2.1", "Policy: 1.3.6.1.4.1.46709.1.2.4",
			"OCSP - URI:" + testpki.OCSPURL, "CA Issuers - URI:" + testpki.CAIssuersURL, "URI:" + testpki.CRLURL,
			"DNS:e-imzo.uz, email:a@e-imzo.uz", "DirName:/CN=TestRoot", "Signature Algorithm: GOST R 34.11-94 with GOST R 34.10-2001",
		}},
		"TSA":  {p.TSA.Cert, []string{"Extended Key Usage: critical", "Time Stamping"}},
		"OCSP": {p.OCSP.Cert, []string{"OCSP Signing", "OCSP No Check"}},
	} {
		text := string(ossl.Run(t, cert.EncodePEM(tc.c), "x509", "-noout", "-text"))
		text = strings.ReplaceAll(text, "X509v3 ", "")
		for _, want := range tc.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in\n%s", name, want, text)
			}
		}
		if got := strings.TrimSpace(string(ossl.Run(t, cert.EncodePEM(tc.c), "x509", "-noout", "-serial"))); !strings.EqualFold(strings.TrimLeft(strings.TrimPrefix(got, "serial="), "0"), tc.c.SerialHex()) {
			t.Errorf("%s: openssl has %s, we have %s", name, got, tc.c.SerialHex())
		}
	}
}

const opensslExtensions = `
oid_section = oids
[oids]
pinfl = 1.2.860.3.16.1.2
[req]
distinguished_name = dn
utf8 = yes
[dn]
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[ca]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid, issuer:always
nameConstraints = critical, permitted;email:.uz, excluded;IP:10.0.0.0/255.0.0.0
[user]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature, nonRepudiation
extendedKeyUsage = critical, clientAuth, emailProtection
subjectAltName = email:a@e-imzo.uz, IP:192.0.2.1, DNS:e-imzo.uz, URI:http://e-imzo.uz/, dirName:san_dn
authorityInfoAccess = OCSP;URI:http://e-imzo.uz/cams/ocsp, caIssuers;URI:http://e-imzo.uz/ca.cer
crlDistributionPoints = URI:http://e-imzo.uz/a.crl, URI:http://e-imzo.uz/b.crl
certificatePolicies = critical, 1.3.6.1.4.1.46709.1.2.1, @policy
[san_dn]
CN = Direktor
[policy]
policyIdentifier = 1.3.6.1.4.1.46709.1.2.2
CPS.1 = "http://e-imzo.uz/cps"
userNotice.1 = @notice
[notice]
explicitText = "UTF8:Электрон рақамли имзо"
`

func TestOpenSSLCertificatesParseAndVerify(t *testing.T) {
	for _, newKey := range [][]string{
		{"gost2001", "-pkeyopt", "paramset:A"},
		{"gost2001", "-pkeyopt", "paramset:B"},
		{"gost2001", "-pkeyopt", "paramset:C"},
		{"gost2001", "-pkeyopt", "paramset:XA"},
		{"rsa:2048"},
		{"ec", "-pkeyopt", "ec_paramgen_curve:P-384"},
		{"ed25519"},
	} {
		t.Run(strings.Join(newKey, " "), func(t *testing.T) {
			ossl := peer.OpenSSLGOST(t)
			dir := t.TempDir()
			in := func(name string) string { return filepath.Join(dir, name) }
			if err := os.WriteFile(in("cnf"), []byte(opensslExtensions), 0o600); err != nil {
				t.Fatal(err)
			}
			make := func(who, subject, issuer string, extra ...string) *cert.Certificate {
				args := append([]string{"req", "-config", in("cnf"), "-newkey"}, newKey...)
				args = append(args, "-nodes", "-keyout", in(who+".key"), "-subj", subject, "-utf8")
				if issuer == "" {
					ossl.Run(t, nil, append(append(args, "-x509", "-days", "30", "-extensions", who, "-out", in(who+".pem")), extra...)...)
				} else {
					ossl.Run(t, nil, append(args, "-out", in(who+".csr"))...)
					ossl.Run(t, nil, append([]string{"x509", "-req", "-in", in(who + ".csr"), "-CA", in(issuer + ".pem"), "-CAkey", in(issuer + ".key"),
						"-days", "20", "-extfile", in("cnf"), "-extensions", who, "-out", in(who + ".pem")}, extra...)...)
				}
				data, err := os.ReadFile(in(who + ".pem"))
				if err != nil {
					t.Fatal(err)
				}
				certs, err := cert.ParseAll(data)
				if err != nil {
					t.Fatal(err)
				}
				return certs[0]
			}
			root := make("root", "/C=UZ/O=Ильдиз/CN=Root", "")
			ca := make("ca", "/C=UZ/O=Марказ/CN=CA", "root", "-set_serial", "0x7fffffffffffffffffff")
			user := make("user", "/CN=A, B\\+C/pinfl=30000000000000", "ca", "-set_serial", "-5")

			at := ca.NotBefore.Add(time.Hour)
			path, err := cert.BuildPath(user, cert.PathOptions{Anchors: cert.NewPool(root), Intermediates: []*cert.Certificate{ca}, At: at})
			if err != nil {
				t.Fatal(err)
			}
			if len(path.Certificates) != 3 {
				t.Errorf("path %v", path.Certificates)
			}
			if got := user.Subject.String(); got != `CN=A\, B\+C,1.2.860.3.16.1.2=30000000000000` {
				t.Errorf("subject %s", got)
			}
			if got := root.Subject.String(); got != "C=UZ,O=Ильдиз,CN=Root" {
				t.Errorf("subject %s", got)
			}
			if user.SerialHex() != "-5" || ca.SerialHex() != "7fffffffffffffffffff" {
				t.Errorf("serials %s, %s", user.SerialHex(), ca.SerialHex())
			}
			if ca.BasicConstraints.MaxPathLen != 0 || !ca.BasicConstraints.IsCA || user.BasicConstraints.IsCA {
				t.Errorf("basic constraints %+v, %+v", ca.BasicConstraints, user.BasicConstraints)
			}
			if user.KeyUsage != cert.KeyUsageDigitalSignature|cert.KeyUsageContentCommitment || ca.KeyUsage != cert.KeyUsageCertSign|cert.KeyUsageCRLSign {
				t.Errorf("key usage %b, %b", user.KeyUsage, ca.KeyUsage)
			}
			if string(ca.SubjectKeyID) != string(ca.PublicKey.KeyID()) {
				t.Errorf("key id %x, of the key %x", ca.SubjectKeyID, ca.PublicKey.KeyID())
			}
			if string(ca.AuthorityKeyID) != string(root.SubjectKeyID) || !ca.AuthorityIssuer.Equal(root.Subject) || ca.AuthoritySerial.Cmp(root.Serial) != 0 {
				t.Errorf("authority %x, %v, %x", ca.AuthorityKeyID, ca.AuthorityIssuer, ca.AuthoritySerial)
			}
			got := fmt.Sprint(user.EmailAddresses, user.IPAddresses, user.DNSNames, user.URIs, user.DirectoryNames, user.OCSPServers, user.CAIssuers, user.CRLDistributionPoints, dottedOIDs(user.PolicyIdentifiers), dottedOIDs(user.ExtKeyUsage))
			if want := "[a@e-imzo.uz] [192.0.2.1] [e-imzo.uz] [http://e-imzo.uz/] " + fmt.Sprint(user.DirectoryNames) +
				" [http://e-imzo.uz/cams/ocsp] [http://e-imzo.uz/ca.cer] [http://e-imzo.uz/a.crl http://e-imzo.uz/b.crl]" +
				" [1.3.6.1.4.1.46709.1.2.1 1.3.6.1.4.1.46709.1.2.2] [1.3.6.1.5.5.7.3.2 1.3.6.1.5.5.7.3.4]"; got != want {
				t.Errorf("extensions\n%s, want\n%s", got, want)
			}
			if len(user.DirectoryNames) != 1 || user.DirectoryNames[0].String() != "CN=Direktor" {
				t.Errorf("directory names %v", user.DirectoryNames)
			}
			if n := ca.NameConstraints; len(n.Permitted.Email) != 1 || n.Permitted.Email[0] != ".uz" || len(n.Excluded.IP) != 1 || n.Excluded.IP[0].String() != "10.0.0.0/8" {
				t.Errorf("name constraints %+v", n)
			}
			if x, _ := ca.Extension(cert.OIDKeyUsage); x.Critical {
				t.Error("key usage of the CA is critical")
			}
			if _, ok := user.Extension(ber.MustOID("1.2.3")); ok {
				t.Error("an extension that is not there")
			}
		})
	}
}
