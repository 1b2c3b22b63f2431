package crl

import (
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/internal/testpki/peer"
	"imzo/pki/ber"
	"imzo/pki/cert"
)

const opensslConfig = `
[req]
distinguished_name = dn
[dn]
[v3]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
[ca]
default_ca = service
[service]
database = DIR/index
crlnumber = DIR/number
default_crl_days = 7
crl_extensions = EXTENSIONS
[number]
authorityKeyIdentifier = keyid:always
[partial]
issuingDistributionPoint = critical, @scope
[scope]
fullname = URI:http://ca.example/a.crl
onlyuser = TRUE
`

func write(t *testing.T, dir, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// opensslLists reads the lists that `openssl ca -gencrl` makes.
func opensslLists(t *testing.T, o *peer.OpenSSLPeer, md string, gen ...string) {
	t.Helper()
	dir := t.TempDir()
	conf := func(extensions string) string {
		return write(t, dir, "cnf", []byte(strings.NewReplacer("DIR", dir, "EXTENSIONS", extensions).Replace(opensslConfig)))
	}
	key, ca := filepath.Join(dir, "ca.key"), filepath.Join(dir, "ca.pem")
	o.Run(t, nil, append(append([]string{"req", "-config", conf("number"), "-newkey"}, gen...), "-nodes", "-x509", "-days", "30",
		"-subj", "/C=UZ/CN=CA", "-extensions", "v3", "-keyout", key, "-out", ca)...)
	pem, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	certs, err := cert.ParseAll(pem)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now().UTC().Add(-time.Hour).Truncate(time.Second)
	when := at.Format("060102150405Z")
	write(t, dir, "index", fmt.Appendf(nil, "V\t301231235959Z\t\t01\tunknown\t/CN=a\n"+
		"R\t301231235959Z\t%[1]s\t02\tunknown\t/CN=b\n"+
		"R\t301231235959Z\t%[1]s,keyCompromise\t7FFFFFFFFFFFFFFFFF\tunknown\t/CN=c\n"+
		"R\t301231235959Z\t%[1]s,certificateHold\tFF\tunknown\t/CN=d\n"+
		"R\t301231235959Z\t%[1]s,keyTime,20260102030405Z\t03\tunknown\t/CN=e\n", when))
	write(t, dir, "index.attr", nil)
	write(t, dir, "number", []byte("0A\n"))
	list := func(extensions string) []byte {
		out := filepath.Join(dir, "out.pem")
		o.Run(t, nil, "ca", "-gencrl", "-config", conf(extensions), "-keyfile", key, "-cert", ca, "-md", md, "-out", out)
		return o.Run(t, nil, "crl", "-in", out, "-outform", "DER")
	}
	l := mustParse(t, list("number"))
	if err := l.CheckSignatureFrom(certs[0]); err != nil {
		t.Error(err)
	}
	if err := l.Fresh(time.Now()); err != nil {
		t.Error(err)
	}
	if l.Number == nil || l.Number.Int64() != 10 || l.NextUpdate.Sub(l.ThisUpdate) != 7*24*time.Hour {
		t.Errorf("number %v, until %v", l.Number, l.NextUpdate)
	}
	large, _ := new(big.Int).SetString("7fffffffffffffffff", 16)
	for _, want := range []Entry{
		{Serial: big.NewInt(2), RevokedAt: at, Reason: NoReason},
		{Serial: large, RevokedAt: at, Reason: 1},
		{Serial: big.NewInt(255), RevokedAt: at, Reason: 6},
		{Serial: big.NewInt(3), RevokedAt: at, Reason: 1, InvalidityDate: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
	} {
		if got, revoked, err := l.Lookup(want.Serial); err != nil || !revoked || !sameEntry(got, want) {
			t.Errorf("%+v, %v, %v, want %+v", got, revoked, err, want)
		}
	}
	if _, revoked, err := l.Lookup(big.NewInt(1)); revoked || err != nil {
		t.Errorf("valid: %v, %v", revoked, err)
	}
	if _, err := Parse(list("partial")); err == nil || !strings.Contains(err.Error(), "not of all certificates") {
		t.Errorf("a list of user certificates only: %v", err)
	}
}

func TestListsOfOpenSSL(t *testing.T) {
	o := peer.OpenSSL(t)
	t.Run("RSA", func(t *testing.T) { opensslLists(t, o, "sha512", "rsa:2048") })
	t.Run("ECDSA", func(t *testing.T) { opensslLists(t, o, "sha256", "ec", "-pkeyopt", "ec_paramgen_curve:P-256") })
}

func TestListsOfTheGOSTEngine(t *testing.T) {
	for _, set := range []string{"A", "B", "C"} {
		t.Run(set, func(t *testing.T) {
			opensslLists(t, peer.OpenSSLGOST(t), "md_gost94", "gost2001", "-pkeyopt", "paramset:"+set)
		})
	}
}

// opensslReads lets `openssl crl` and `openssl verify` judge our list.
func opensslReads(t *testing.T, o *peer.OpenSSLPeer, spec string) {
	t.Helper()
	now := time.Now()
	p := testpki.NewAt(t, spec, now)
	held, free := p.User(t, testpki.Person), p.User(t, testpki.Organisation)
	tmpl := testTemplate()
	tmpl.ThisUpdate, tmpl.NextUpdate = now.Add(-time.Minute), now.Add(time.Hour)
	tmpl.Entries = append(tmpl.Entries, Entry{Serial: held.Cert.Serial, RevokedAt: now.Add(-time.Hour), Reason: 6})
	dir := t.TempDir()
	list := write(t, dir, "list.crl", mustCreate(t, tmpl, p.CA))
	out := o.Run(t, nil, "crl", "-inform", "DER", "-in", list, "-noout", "-text")
	for _, want := range []string{"Version 2 (0x1)", "X509v3 CRL Number: \n                12", "Serial Number: 0218711A92", "Certificate Hold", "Key Compromise",
		"Invalidity Date", "Serial Number: 80000000000000000000000000000000", "Serial Number: -05"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
	verify := func(c *cert.Certificate, list string) error {
		pem := o.Run(t, nil, "crl", "-inform", "DER", "-in", list)
		bundle := write(t, dir, "bundle.pem", append(cert.EncodePEM(p.Root.Cert, p.CA.Cert), pem...))
		out, err := o.TryRun(t, nil, "verify", "-crl_check", "-CAfile", bundle, write(t, dir, "user.pem", cert.EncodePEM(c)))
		if err != nil {
			return fmt.Errorf("%w %s", err, out)
		}
		return nil
	}
	if err := verify(free.Cert, list); err != nil {
		t.Error(err)
	}
	if err := verify(held.Cert, list); err == nil || !strings.Contains(err.Error(), "certificate revoked") {
		t.Errorf("of the revoked certificate openssl says %v", err)
	}
	// A list of the CA that another key has signed, as if it were its own.
	forged := forge{
		issuer:     p.CA.Cert.RawSubject,
		this:       ber.UTCTime(now.Add(-time.Minute)),
		next:       ber.UTCTime(now.Add(time.Hour)),
		extensions: listed(extension(cert.OIDAuthorityKeyID, ber.Sequence(ber.Tagged(ber.Context(0), p.CA.Cert.SubjectKeyID)))),
	}.make(t, p.OCSP)
	if err := verify(free.Cert, write(t, dir, "forged.crl", forged)); err == nil || !strings.Contains(err.Error(), "CRL signature failure") {
		t.Errorf("of a forged list openssl says %v", err)
	}
	if err := mustParse(t, forged).CheckSignatureFrom(p.CA.Cert); !errors.Is(err, ErrSignature) {
		t.Errorf("of a forged list we say %v", err)
	}
}

func TestOpenSSLReadsOurLists(t *testing.T) {
	o := peer.OpenSSL(t)
	for _, spec := range []string{"rsa:2048", "ecdsa:P-384", "ed25519"} {
		t.Run(spec, func(t *testing.T) { opensslReads(t, o, spec) })
	}
}

func TestGOSTEngineReadsOurLists(t *testing.T) {
	for _, set := range []string{"A", "B", "C"} {
		t.Run(set, func(t *testing.T) { opensslReads(t, peer.OpenSSLGOST(t), "gost2001:"+set) })
	}
}
