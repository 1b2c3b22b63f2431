package cert_test

import (
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"imzo/pki/cert"
)

// load reads the one certificate of a file in testdata.
func load(t testing.TB, name string) *cert.Certificate {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	certs, err := cert.ParseAll(data)
	if err != nil {
		t.Fatal(err)
	}
	if len(certs) != 1 {
		t.Fatalf("%s: %d certificates", name, len(certs))
	}
	return certs[0]
}

func TestProductionCertificatesParseAndVerify(t *testing.T) {
	root, ca := load(t, "uz-production-root.pem"), load(t, "uz-production-ca.pem")
	for _, tc := range []struct {
		c               *cert.Certificate
		subject, serial string
		from, to        time.Time
		skid            string
		crl, ocsp, aia  int
	}{
		{
			root,
			"C=UZ,OU=ERI kalitlarini ro‘yxatga olish organi (O‘ZDST 1092-2009-II),O=AT va kommunikatsiyalarini rivojlantirish vazirligi,CN=mitc.uz",
			"29ce182249b2d8e5207deb74086b4d6",
			time.Date(2020, 3, 25, 12, 30, 2, 0, time.UTC), time.Date(2035, 3, 25, 12, 30, 2, 0, time.UTC),
			"877c3f5920f2d454a5425242c0e410f32316d016",
			1, 1, 1,
		},
		{
			ca,
			"CN=YANGI TEXNOLOGIYALAR ILMIY-AXBOROT MARKAZI DUK,O=YANGI TEXNOLOGIYALAR ILMIY-AXBOROT MARKAZI DUK,OU=ERI yaratish va reestrini yuritish,L=100096 Toshkent sh. Chilonzor t. Muqimiy k. 166-uy,E=info@yt.uz,C=UZ",
			"31955b4adb0aa0ca",
			time.Date(2024, 3, 26, 4, 0, 0, 0, time.UTC), time.Date(2029, 3, 25, 4, 0, 0, 0, time.UTC),
			"441ce26c991a398263fd41e77b1cef479db47aa5",
			0, 0, 0,
		},
	} {
		if got := tc.c.Subject.String(); got != tc.subject {
			t.Errorf("subject %s\nwant    %s", got, tc.subject)
		}
		if tc.c.Issuer.String() != root.Subject.String() {
			t.Errorf("issuer %s", tc.c.Issuer)
		}
		if got := tc.c.SerialHex(); got != tc.serial {
			t.Errorf("serial %s, want %s", got, tc.serial)
		}
		if !tc.c.NotBefore.Equal(tc.from) || !tc.c.NotAfter.Equal(tc.to) {
			t.Errorf("validity %v to %v", tc.c.NotBefore, tc.c.NotAfter)
		}
		if got := hex.EncodeToString(tc.c.SubjectKeyID); got != tc.skid || got != hex.EncodeToString(tc.c.PublicKey.KeyID()) {
			t.Errorf("key id %s, of the key %x", got, tc.c.PublicKey.KeyID())
		}
		if string(tc.c.AuthorityKeyID) != string(root.SubjectKeyID) || !tc.c.AuthorityIssuer.Equal(root.Subject) || tc.c.AuthoritySerial.Cmp(root.Serial) != 0 {
			t.Error("authority key identifier is not the root's")
		}
		if b := tc.c.BasicConstraints; b == nil || !b.IsCA || b.MaxPathLen != -1 {
			t.Errorf("basic constraints %+v", b)
		}
		if tc.c.KeyUsage != cert.KeyUsageDigitalSignature|cert.KeyUsageCertSign|cert.KeyUsageCRLSign {
			t.Errorf("key usage %b", tc.c.KeyUsage)
		}
		if len(tc.c.CRLDistributionPoints) != tc.crl || len(tc.c.OCSPServers) != tc.ocsp || len(tc.c.CAIssuers) != tc.aia {
			t.Errorf("addresses %q %q %q", tc.c.CRLDistributionPoints, tc.c.OCSPServers, tc.c.CAIssuers)
		}
		if got := tc.c.PublicKey.Name(); got != "OZDST-1092-2009-2" {
			t.Errorf("key %s", got)
		}
		if err := tc.c.CheckSignatureFrom(root); err != nil {
			t.Error(err)
		}
		if err := tc.c.CheckSignatureFrom(ca); err == nil {
			t.Error("a signature by the root verifies with the CA's key")
		}
	}
	if root.OCSPServers[0] != "http://ca.mitc.uz/ocsp" || root.CAIssuers[0] != "http://ca.mitc.uz/root-1092-2.cer" ||
		root.CRLDistributionPoints[0] != "http://ca.mitc.uz/root-1092-2.crl" {
		t.Errorf("addresses %q %q %q", root.CRLDistributionPoints, root.OCSPServers, root.CAIssuers)
	}
	if !root.SelfIssued() || ca.SelfIssued() {
		t.Error("the root is self-issued, the CA is not")
	}

	at := time.Date(2026, 1, 15, 0, 0, 0, 0, time.UTC)
	path, err := cert.BuildPath(ca, cert.PathOptions{Anchors: cert.NewPool(root), At: at})
	if err != nil {
		t.Fatal(err)
	}
	if path.Anchor() != root || path.Issuer() != root || path.Leaf() != ca {
		t.Error("the path is not CA, root")
	}
	_, err = cert.BuildPath(ca, cert.PathOptions{Anchors: cert.NewPool(root), At: root.NotAfter.Add(time.Second)})
	if failure := new(cert.PathError); !errors.As(err, &failure) || failure.Reason != cert.Expired {
		t.Errorf("after the root's end: %v", err)
	}
}
