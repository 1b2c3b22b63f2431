package gateway

import (
	"crypto/rand"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/ber"
	"imzo/pki/cert"
	"imzo/pki/keystore"
)

// site makes the key and certificate of a domain.
func site(t testing.TB, p *testpki.PKI, names []string, mods ...func(*cert.Template)) testpki.Entity {
	t.Helper()
	return p.Issue(t, p.CA, func(tmpl *cert.Template) {
		tmpl.Subject = testpki.Name(t, "CN="+names[0])
		tmpl.KeyUsage = cert.KeyUsageDigitalSignature
		tmpl.ExtKeyUsage = []ber.OID{cert.OIDServerAuth}
		for _, n := range names {
			if ip := net.ParseIP(n); ip != nil {
				tmpl.IPAddresses = append(tmpl.IPAddresses, ip)
			} else {
				tmpl.DNSNames = append(tmpl.DNSNames, n)
			}
		}
		for _, mod := range mods {
			mod(tmpl)
		}
	}, p.KeySpec)
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func pfx(t testing.TB, e testpki.Entity, password string) []byte {
	t.Helper()
	data, err := keystore.CreatePFX(rand.Reader, []keystore.Entry{{Alias: "site", Key: e.Key, Chain: e.Chain}}, password, keystore.ProfileModern)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// pemFiles are the certificates and the key of an entity.
func pemFiles(t testing.TB, e testpki.Entity, password string) (certs, key []byte) {
	t.Helper()
	key, err := keystore.EncodePEM(rand.Reader, keystore.Entry{Key: e.Key}, password)
	if err != nil {
		t.Fatal(err)
	}
	return cert.EncodePEM(e.Chain...), key
}

func TestKeysOfDomainsAreReadInEveryForm(t *testing.T) {
	p := testpki.New(t, "ozdst")
	e := site(t, p, []string{"Example.uz", "www.example.uz", "192.0.2.7"})
	certs, key := pemFiles(t, e, "")
	_, locked := pemFiles(t, e, "secret")
	for name, tt := range map[string]struct {
		files    map[string][]byte
		password string
	}{
		"pfx with a password beside it":             {map[string][]byte{"a.pfx": pfx(t, e, "secret"), "a.password": []byte("secret\n")}, "other"},
		"pfx with a password after its whole name":  {map[string][]byte{"a.pfx": pfx(t, e, "secret"), "a.pfx.password": []byte("secret\r\n")}, ""},
		"p12 with the password of the key":          {map[string][]byte{"A.P12": pfx(t, e, "secret")}, "secret"},
		"pem and key":                               {map[string][]byte{"a.pem": certs, "a.key": key}, ""},
		"pem and encrypted key":                     {map[string][]byte{"a.pem": certs, "a.key": locked, "a.password": []byte("secret")}, ""},
		"pem with its key":                          {map[string][]byte{"a.pem": append(slices.Clone(certs), key...)}, ""},
		"a key file of another name, as E-IMZO has": {map[string][]byte{"example.uz-2028-01-01.key": pfx(t, e, "secret")}, "secret"},
		"among others":                              {map[string][]byte{"a.pfx": pfx(t, e, "1"), "README": nil, ".hidden.pfx": []byte("x"), "a.txt": nil}, "1"},
	} {
		dir := t.TempDir()
		for file, data := range tt.files {
			write(t, filepath.Join(dir, file), data)
		}
		domains, warnings, err := ReadDomains(dir, tt.password, p.Now)
		if err != nil || len(warnings) != 0 || len(domains) != 1 {
			t.Errorf("%s: %d domains, %q, %v", name, len(domains), warnings, err)
			continue
		}
		d := domains[0]
		if want := []string{"192.0.2.7", "example.uz", "www.example.uz"}; !slices.Equal(d.Names, want) {
			t.Errorf("%s: names %q", name, d.Names)
		}
		// The root stays at home.
		if len(d.Chain) != 2 || !d.Certificate().Equal(e.Cert) || !d.Chain[1].Equal(p.CA.Cert) {
			t.Errorf("%s: a chain of %d", name, len(d.Chain))
		}
		if id := d.identity(p.Now); !id.Key.PublicKey().SameKey(e.Cert.PublicKey) || id.Staple != nil {
			t.Errorf("%s: identity %v", name, id.Staple)
		}
	}
}

func TestFilesThatAreOfNoUseAreNamedWithWhatToDo(t *testing.T) {
	p := testpki.New(t, "ozdst")
	e := site(t, p, []string{"example.uz"})
	certs, _ := pemFiles(t, e, "")
	other := testpki.Key(t, "ozdst")
	otherKey, err := keystore.EncodePEM(rand.Reader, keystore.Entry{Key: other}, "")
	if err != nil {
		t.Fatal(err)
	}
	rsa := testpki.New(t, "ecdsa:P-256")
	nameless := func(tmpl *cert.Template) { tmpl.DNSNames = nil }
	user := p.User(t, testpki.Person)
	for name, tt := range map[string]struct {
		files map[string][]byte
		want  []string
	}{
		"no password":        {map[string][]byte{"a.pfx": pfx(t, e, "secret")}, []string{"a.pfx", "a.password", "tunnel.servers.password"}},
		"a wrong password":   {map[string][]byte{"a.pfx": pfx(t, e, "secret"), "a.password": []byte("x")}, []string{"a.pfx", "a.password"}},
		"no PFX":             {map[string][]byte{"a.pfx": []byte("text")}, []string{"a.pfx"}},
		"too large":          {map[string][]byte{"a.pfx": make([]byte, maxKeyFile+1)}, []string{"a.pfx", "larger than"}},
		"no key":             {map[string][]byte{"a.pem": certs}, []string{"a.pem", "a.key"}},
		"another key":        {map[string][]byte{"a.pem": certs, "a.key": otherKey}, []string{"a.pem"}},
		"a key of ECDSA":     {map[string][]byte{"a.pfx": pfx(t, site(t, rsa, []string{"example.uz"}), "")}, []string{"a.pfx", "GOST R 34.10-2001", "imzo trust issue --profile domain"}},
		"a person's key":     {map[string][]byte{"a.pfx": pfx(t, user, "")}, []string{"a.pfx", "of no domain"}},
		"a title for a name": {map[string][]byte{"a.pfx": pfx(t, site(t, p, []string{"Our site"}, nameless), "")}, []string{"a.pfx", `"Our site" is no domain`}},
		"a key to agree with": {map[string][]byte{"a.pfx": pfx(t, site(t, p, []string{"example.uz"}, func(tmpl *cert.Template) { tmpl.KeyUsage = cert.KeyUsageKeyAgreement }), "")},
			[]string{"a.pfx", "keyUsage"}},
		"nothing":        {nil, []string{"example.uz.pfx"}},
		"two wrong ones": {map[string][]byte{"a.pfx": nil, "b.pfx": nil}, []string{"a.pfx", "b.pfx"}},
	} {
		dir := t.TempDir()
		for file, data := range tt.files {
			write(t, filepath.Join(dir, file), data)
		}
		_, _, err := ReadDomains(dir, "", p.Now)
		if !errors.Is(err, ErrDomains) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, want := range tt.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: no %q in %v", name, want, err)
			}
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the password in %v", name, err)
		}
	}
	if _, _, err := ReadDomains(filepath.Join(t.TempDir(), "absent"), "", p.Now); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "make the folder") {
		t.Errorf("%v", err)
	}
}

func TestWhatKeepsAgentsAwayIsAWarning(t *testing.T) {
	p := testpki.New(t, "ozdst")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.pfx"), pfx(t, site(t, p, []string{"a.uz"}, func(tmpl *cert.Template) { tmpl.NotAfter = p.Now.AddDate(0, 0, -1) }), ""))
	write(t, filepath.Join(dir, "b.pfx"), pfx(t, site(t, p, []string{"b.uz"}, func(tmpl *cert.Template) { tmpl.NotBefore = p.Now.AddDate(0, 0, 1) }), ""))
	write(t, filepath.Join(dir, "c.pfx"), pfx(t, site(t, p, []string{"c.uz"}, func(tmpl *cert.Template) { tmpl.ExtKeyUsage = []ber.OID{cert.OIDClientAuth} }), ""))
	write(t, filepath.Join(dir, "d.pfx"), pfx(t, site(t, p, []string{"d.uz"}), ""))
	write(t, filepath.Join(dir, "e.pfx"), pfx(t, site(t, p, []string{"e.uz", "d.uz"}), ""))
	domains, warnings, err := ReadDomains(dir, "", p.Now)
	if err != nil || len(domains) != 5 {
		t.Fatal(len(domains), err)
	}
	said := strings.Join(warnings, "\n")
	for _, want := range []string{"a.pfx: the certificate of a.uz ended on", "b.pfx: the certificate of b.uz begins on", "c.pfx: the certificate of c.uz is not for servers", "e.pfx: " + filepath.Join(dir, "d.pfx") + " too is for d.uz"} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in\n%s", want, said)
		}
	}
	if len(warnings) != 4 {
		t.Errorf("%q", warnings)
	}
}

func TestADomainIsFoundByTheNamesOfItsCertificate(t *testing.T) {
	p := testpki.New(t, "ozdst")
	make1 := func(names []string, mods ...func(*cert.Template)) *Domain {
		e := site(t, p, names, mods...)
		d, _, err := newDomain(names[0], keystore.Entry{Key: e.Key, Chain: e.Chain}, p.Now)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	ends := func(at time.Time) func(*cert.Template) { return func(tmpl *cert.Template) { tmpl.NotAfter = at } }
	plain := make1([]string{"example.uz", "192.0.2.7", "2001:db8::1"})
	old := make1([]string{"turn.uz"}, ends(p.Now.AddDate(0, 0, -1)))
	current := make1([]string{"turn.uz"}, ends(p.Now.AddDate(0, 1, 0)))
	next := make1([]string{"turn.uz"}, ends(p.Now.AddDate(0, 3, 0)), func(tmpl *cert.Template) { tmpl.NotBefore = p.Now.AddDate(0, 0, 7) })
	onlyCN := make1([]string{"cn.uz"}, func(tmpl *cert.Template) { tmpl.DNSNames = nil })
	domains := []*Domain{plain, old, current, next, onlyCN}
	for asked, want := range map[string]*Domain{
		"example.uz": plain, "EXAMPLE.uz": plain, "example.uz.": plain, "192.0.2.7": plain, "2001:DB8:0::1": plain, "::ffff:192.0.2.7": plain,
		"turn.uz": current, "cn.uz": onlyCN,
		"www.example.uz": nil, "uz": nil, "": nil, "*": nil, "*.example.uz": nil, "example.uz\x00": nil, "192.0.2.8": nil, strings.Repeat("a", 300): nil,
	} {
		if got := find(domains, asked, p.Now); got != want {
			t.Errorf("%.40q: found %v", asked, got)
		}
	}
	if find(domains, "turn.uz", p.Now.AddDate(0, 0, 8)) != next {
		t.Error("the next certificate does not take over")
	}
	if find(domains, "turn.uz", p.Now.AddDate(1, 0, 0)) != next {
		t.Error("of those that have ended the last is not there to be told")
	}
}
