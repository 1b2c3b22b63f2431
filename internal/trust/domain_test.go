package trust

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"imzo/pki/alg"
	"imzo/pki/cert"
	"imzo/pki/keystore"
)

func TestACertificateOfADomainIsForThatDomainAlone(t *testing.T) {
	for hierarchy, want := range map[string]alg.Family{"ozdst": alg.FamilyOZDST, "gost2001": alg.FamilyGOST2001, "ecdsa:P-256": alg.FamilyOZDST} {
		a, _, clock := newAuthority(t, hierarchy)
		e := issue(t, a, Request{Profile: ProfileDomain, Subject: Subject{CommonName: "Example.uz"}, Names: []string{"www.example.uz", "192.0.2.7", "example.uz"}})
		c := e.Chain[0]
		if !slices.Equal(c.DNSNames, []string{"example.uz", "www.example.uz"}) || len(c.IPAddresses) != 1 || c.IPAddresses[0].String() != "192.0.2.7" {
			t.Errorf("%s: names %v %v", hierarchy, c.DNSNames, c.IPAddresses)
		}
		if c.Subject.Get("CN") != "Example.uz" || c.KeyUsage != cert.KeyUsageDigitalSignature || !slices.Equal(c.ExtKeyUsage, oids(cert.OIDServerAuth)) || len(c.OCSPServers) != 1 {
			t.Errorf("%s: %s, key usage %b, %v, OCSP %v", hierarchy, c.Subject, c.KeyUsage, c.ExtKeyUsage, c.OCSPServers)
		}
		if c.PublicKey.Family() != want || !e.Key.PublicKey().SameKey(c.PublicKey) {
			t.Errorf("%s: a key of %s", hierarchy, c.PublicKey.Family())
		}
		if _, err := cert.BuildPath(c, cert.PathOptions{Anchors: cert.NewPool(a.Root()), Intermediates: e.Chain[1:], At: clock.t}); err != nil {
			t.Error(err)
		}
	}
}

func TestNoDomainGetsWhatAgentsWouldRefuse(t *testing.T) {
	a, _, _ := newAuthority(t, "ozdst")
	for name, tt := range map[string]struct {
		r    Request
		want error
	}{
		"no name":                   {Request{Profile: ProfileDomain}, ErrSubject},
		"a title":                   {Request{Profile: ProfileDomain, Subject: Subject{CommonName: "Our site"}}, ErrSubject},
		"letters beyond ASCII":      {Request{Profile: ProfileDomain, Subject: Subject{CommonName: "пример.uz"}}, ErrSubject},
		"a port":                    {Request{Profile: ProfileDomain, Subject: Subject{CommonName: "example.uz:443"}}, ErrSubject},
		"a path":                    {Request{Profile: ProfileDomain, Subject: Subject{CommonName: "../example.uz"}}, ErrSubject},
		"a second name is wrong":    {Request{Profile: ProfileDomain, Subject: Subject{CommonName: "example.uz"}, Names: []string{"a b"}}, ErrSubject},
		"a key of another kind":     {Request{Profile: ProfileDomain, Subject: Subject{CommonName: "example.uz"}, KeySpec: "rsa:2048"}, ErrKeySpec},
		"a person with host names":  {Request{Profile: ProfileUser, Subject: Subject{CommonName: "A"}, Names: []string{"example.uz"}}, ErrSubject},
		"a VPN key with host names": {Request{Profile: ProfileVPN, Subject: Subject{CommonName: "A"}, Names: []string{"example.uz"}}, ErrSubject},
	} {
		if _, _, err := a.IssuePFX(tt.r, time.UTC, t.TempDir(), "1", keystore.ProfileJava8); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if records, err := a.List(); err != nil || len(records) != 6 {
		t.Errorf("%d records, %v", len(records), err)
	}
}

func TestTheFileOfADomainIsNamedAfterIt(t *testing.T) {
	a, _, _ := newAuthority(t, "ozdst")
	dir := t.TempDir()
	for want, r := range map[string]Request{
		"example.uz.pfx": {Profile: ProfileDomain, Subject: Subject{CommonName: "Example.uz"}, Names: []string{"a.example.uz"}},
		"b.uz.pfx":       {Profile: ProfileDomain, Subject: Subject{CommonName: "Our site"}, Names: []string{"c.uz", "b.uz"}},
	} {
		path, e, err := a.IssuePFX(r, time.UTC, dir, "1", keystore.ProfileJava8)
		if err != nil || path != filepath.Join(dir, want) {
			t.Fatalf("%s, %v; want %s", path, err, want)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if entries, err := keystore.OpenPFX(data, "1"); err != nil || len(entries) != 1 || !entries[0].Chain[0].Equal(e.Chain[0]) {
			t.Errorf("%d keys, %v", len(entries), err)
		}
		before, _ := a.List()
		if _, _, err := a.IssuePFX(r, time.UTC, dir, "1", keystore.ProfileJava8); !errors.Is(err, os.ErrExist) {
			t.Errorf("replaced: %v", err)
		}
		if after, _ := a.List(); len(after) != len(before) {
			t.Error("issued for nothing")
		}
	}
}
