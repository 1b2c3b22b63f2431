package localca

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"imzo/internal/testpki/peer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a clock that tests set.
type clock struct{ at atomic.Pointer[time.Time] }

func newClock() *clock {
	c := new(clock)
	c.set(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	return c
}

func (c *clock) now() time.Time      { return *c.at.Load() }
func (c *clock) set(t time.Time)     { c.at.Store(&t) }
func (c *clock) add(d time.Duration) { c.set(c.now().Add(d)) }

func open(t *testing.T, dir string, o Options) *Authority {
	t.Helper()
	a, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// folder is a folder that Open takes.
func folder(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "tls")
}

func pool(certs ...*x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, c := range certs {
		p.AddCert(c)
	}
	return p
}

func TestOpenMakesAnAuthorityForLoopbackAlone(t *testing.T) {
	clock := newClock()
	dir := folder(t)
	a := open(t, dir, Options{Now: clock.now})
	c := a.Certificate()
	point, err := a.key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	id := sha256.Sum256(point)
	for what, ok := range map[string]bool{
		"is a CA of path length 0":       c.IsCA && c.BasicConstraintsValid && c.MaxPathLen == 0 && c.MaxPathLenZero,
		"key usage":                      c.KeyUsage == x509.KeyUsageCertSign|x509.KeyUsageCRLSign,
		"name constraints are critical":  c.PermittedDNSDomainsCritical,
		"DNS":                            fmt.Sprint(c.PermittedDNSDomains) == "[localhost]",
		"IP":                             fmt.Sprint(c.PermittedIPRanges) == "[127.0.0.0/8 ::1/128]",
		"mail":                           fmt.Sprint(c.PermittedEmailAddresses) == "[localhost.invalid]",
		"URI":                            fmt.Sprint(c.PermittedURIDomains) == "[localhost.invalid]",
		"key identifier of RFC 7093 2":   bytes.Equal(c.SubjectKeyId, id[:20]),
		"name ends with the key id":      strings.HasPrefix(c.Subject.CommonName, "Imzo local CA ") && strings.HasSuffix(c.Subject.CommonName, " "+hex.EncodeToString(id[:4])),
		"organization":                   fmt.Sprint(c.Subject.Organization) == "[Imzo]",
		"P-256":                          c.PublicKey.(*ecdsa.PublicKey).Curve == elliptic.P256(),
		"ten years":                      c.NotAfter.Equal(clock.now().AddDate(10, 0, 0)),
		"valid an hour before":           c.NotBefore.Equal(clock.now().Add(-time.Hour)),
		"path":                           a.Path() == filepath.Join(dir, "ca.pem"),
		"serial number positive, 16 B":   c.SerialNumber.Sign() > 0 && c.SerialNumber.BitLen() == 127,
		"not expiring":                   !a.Expiring(),
		"printing does not tell the key": fmt.Sprintf("%v %+v %#v %s", a, a, a, a.LogValue()) == strings.TrimSpace(strings.Repeat(c.Subject.CommonName+" ", 4)),
	} {
		if !ok {
			t.Errorf("not so: %s", what)
		}
	}
	critical := map[string]bool{"2.5.29.15": false, "2.5.29.19": false, "2.5.29.30": false}
	for _, e := range c.Extensions {
		if _, ok := critical[e.Id.String()]; ok {
			critical[e.Id.String()] = e.Critical
		}
	}
	for id, ok := range critical {
		if !ok {
			t.Errorf("extension %s is not critical", id)
		}
	}
	file, err := os.ReadFile(a.Path())
	if err != nil || !bytes.Equal(file, a.PEM()) {
		t.Errorf("%v: %s", err, file)
	}
	if runtime.GOOS != "windows" {
		for name, want := range map[string]os.FileMode{"": 0o700 | os.ModeDir, CertificateFile: 0o644, KeyFile: 0o600} {
			if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode() != want {
				t.Errorf("%q: %v %v, want %v", name, info.Mode(), err, want)
			}
		}
	}
	again := open(t, dir, Options{Now: clock.now})
	if !again.Certificate().Equal(c) || !again.key.Equal(a.key) {
		t.Error("the second Open gave another CA")
	}
}

func TestOpenSSLReadsTheKeyAndTheFingerprint(t *testing.T) {
	o := peer.OpenSSL(t)
	a := open(t, folder(t), Options{})
	if got := string(o.Run(t, nil, "x509", "-in", a.Path(), "-noout", "-fingerprint", "-sha256")); !strings.HasSuffix(strings.TrimSpace(got), "="+a.Fingerprint()) {
		t.Errorf("%s, ours %s", got, a.Fingerprint())
	}
	fromKey := o.Run(t, nil, "pkey", "-in", filepath.Join(a.dir, KeyFile), "-pubout")
	fromCert := o.Run(t, nil, "x509", "-in", a.Path(), "-noout", "-pubkey")
	if !bytes.Equal(fromKey, fromCert) {
		t.Errorf("%s\n%s", fromKey, fromCert)
	}
}

func TestAllWhoOpenAtOnceGetOneAuthority(t *testing.T) {
	dir := folder(t)
	var all [16]*Authority
	var wait sync.WaitGroup
	for i := range all {
		wait.Go(func() {
			var err error
			if all[i], err = Open(dir, Options{}); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	for _, a := range all[1:] {
		if a == nil || a.Fingerprint() != all[0].Fingerprint() || !a.key.Equal(all[0].key) {
			t.Fatalf("%v and %v", a, all[0])
		}
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 2 {
		t.Errorf("%v %v", list, err)
	}
}

func TestAKeyWithoutItsCertificateGetsOne(t *testing.T) {
	dir := folder(t)
	a := open(t, dir, Options{})
	if err := os.Remove(a.Path()); err != nil { // as after a kill between the two
		t.Fatal(err)
	}
	b := open(t, dir, Options{})
	if !b.key.Equal(a.key) || b.Certificate().Equal(a.Certificate()) || b.String() != a.String() {
		t.Errorf("%v %v", a, b)
	}
}

func write(t *testing.T, path string, b []byte, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, b, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func pkcs8(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func TestOpenRefusesFilesAndSaysWhatToDo(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other := open(t, folder(t), Options{})
	otherKey, err := os.ReadFile(filepath.Join(other.dir, KeyFile))
	if err != nil {
		t.Fatal(err)
	}
	garbage := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("no certificate")})
	tests := []struct {
		name string
		file string
		unix bool
		do   func(t *testing.T, path string, a *Authority)
		want error
		fix  string
	}{
		{"empty certificate", CertificateFile, false, func(t *testing.T, path string, _ *Authority) { write(t, path, nil, 0o644) }, ErrDamaged, "delete ca.pem and ca-key.pem"},
		{"no certificate in the PEM", CertificateFile, false, func(t *testing.T, path string, _ *Authority) { write(t, path, garbage, 0o644) }, ErrDamaged, "delete"},
		{"two certificates", CertificateFile, false, func(t *testing.T, path string, a *Authority) {
			write(t, path, append(a.PEM(), other.PEM()...), 0o644)
		}, ErrDamaged, "delete"},
		{"signature damaged", CertificateFile, false, func(t *testing.T, path string, a *Authority) {
			der := bytes.Clone(a.cert.Raw)
			der[len(der)-1] ^= 1
			write(t, path, encodeCertificate(der), 0o644)
		}, ErrDamaged, "delete"},
		{"certificate too large", CertificateFile, false, func(t *testing.T, path string, a *Authority) {
			write(t, path, append(a.PEM(), bytes.Repeat([]byte("\n"), sizeLimit)...), 0o644)
		}, ErrDamaged, "delete"},
		{"certificate of another key", CertificateFile, false, func(t *testing.T, path string, _ *Authority) { write(t, path, other.PEM(), 0o644) }, ErrMismatch, "delete"},
		{"a folder in the place of the certificate", CertificateFile, false, func(t *testing.T, path string, _ *Authority) {
			if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o755)); err != nil {
				t.Fatal(err)
			}
		}, ErrDamaged, "delete"},
		{"a link in the place of the key", KeyFile, true, func(t *testing.T, path string, _ *Authority) {
			if err := errors.Join(os.Remove(path), os.Symlink(filepath.Join(other.dir, KeyFile), path)); err != nil {
				t.Fatal(err)
			}
		}, ErrDamaged, "delete"},
		{"empty key", KeyFile, false, func(t *testing.T, path string, _ *Authority) { write(t, path, nil, 0o600) }, ErrDamaged, "delete"},
		{"key cut off", KeyFile, false, func(t *testing.T, path string, _ *Authority) {
			write(t, path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte{0x30, 0x10}}), 0o600)
		}, ErrDamaged, "delete"},
		{"RSA key", KeyFile, false, func(t *testing.T, path string, _ *Authority) { write(t, path, pkcs8(t, rsaKey), 0o600) }, ErrDamaged, "delete"},
		{"P-384 key", KeyFile, false, func(t *testing.T, path string, _ *Authority) { write(t, path, pkcs8(t, p384), 0o600) }, ErrDamaged, "delete"},
		{"key of another", CertificateFile, false, func(t *testing.T, path string, _ *Authority) {
			write(t, filepath.Join(filepath.Dir(path), KeyFile), otherKey, 0o600)
		}, ErrMismatch, "delete"},
		{"key missing", KeyFile, false, func(t *testing.T, path string, _ *Authority) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}, ErrMissing, "delete ca.pem"},
		{"key readable by the group", KeyFile, true, func(t *testing.T, path string, _ *Authority) { chmod(t, path, 0o640) }, ErrMode, "chmod 600"},
		{"key readable by all", KeyFile, true, func(t *testing.T, path string, _ *Authority) { chmod(t, path, 0o604) }, ErrMode, "chmod 600"},
		{"folder that others write to", "", true, func(t *testing.T, path string, _ *Authority) { chmod(t, path, 0o770) }, ErrMode, "chmod 700"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.unix && runtime.GOOS == "windows" {
				t.Skip("Windows has other rights")
			}
			dir := folder(t)
			a := open(t, dir, Options{})
			path := filepath.Join(dir, test.file)
			test.do(t, path, a)
			before := snapshot(t, dir)
			_, err := Open(dir, Options{})
			var file *FileError
			if !errors.Is(err, test.want) || !errors.As(err, &file) {
				t.Fatalf("%v, want %v", err, test.want)
			}
			if file.Path != path || !strings.Contains(file.Fix, test.fix) || !strings.HasPrefix(err.Error(), path+": ") || !strings.HasSuffix(err.Error(), file.Fix) {
				t.Errorf("%v, want %s and %q", err, path, test.fix)
			}
			if after := snapshot(t, dir); after != before {
				t.Errorf("files changed:\n%s\n%s", before, after)
			}
		})
	}
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// snapshot is the content of the files in a folder.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range list {
		content, _ := os.ReadFile(filepath.Join(dir, e.Name())) // fails for folders
		fmt.Fprintf(&b, "%s %x\n", e, sha256.Sum256(content))
	}
	return b.String()
}

func TestOpenRefusesACAThatCouldDoMore(t *testing.T) {
	dir := folder(t)
	a := open(t, dir, Options{})
	tests := map[string]func(*x509.Certificate){
		"no name constraints": func(c *x509.Certificate) {
			c.PermittedDNSDomains, c.PermittedIPRanges, c.PermittedEmailAddresses, c.PermittedURIDomains = nil, nil, nil, nil
		},
		"not critical":    func(c *x509.Certificate) { c.PermittedDNSDomainsCritical = false },
		"another domain":  func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"localhost", "example.com"} },
		"no domain":       func(c *x509.Certificate) { c.PermittedDNSDomains = nil },
		"another network": func(c *x509.Certificate) { c.PermittedIPRanges[0].IP = net.IPv4(10, 0, 0, 0).To4() },
		"a larger network": func(c *x509.Certificate) {
			c.PermittedIPRanges[1] = &net.IPNet{IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)}
		},
		"any mail":         func(c *x509.Certificate) { c.PermittedEmailAddresses = nil },
		"any URI":          func(c *x509.Certificate) { c.PermittedURIDomains = nil },
		"path length":      func(c *x509.Certificate) { c.MaxPathLen, c.MaxPathLenZero = 1, false },
		"path length none": func(c *x509.Certificate) { c.MaxPathLen, c.MaxPathLenZero = -1, false },
		"signs documents":  func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageDigitalSignature },
		"any use":          func(c *x509.Certificate) { c.ExtKeyUsage = nil },
		"use by clients":   func(c *x509.Certificate) { c.ExtKeyUsage = append(c.ExtKeyUsage, x509.ExtKeyUsageClientAuth) },
		"use unknown":      func(c *x509.Certificate) { c.UnknownExtKeyUsage = append(c.UnknownExtKeyUsage, []int{1, 2, 3}) },
		"no CA":            func(c *x509.Certificate) { c.IsCA, c.MaxPathLenZero = false, false },
		"unknown and critical": func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: []int{1, 2, 3}, Critical: true, Value: []byte{5, 0}}}
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			template := constraints()
			template.SerialNumber, template.Subject = big.NewInt(1), a.cert.Subject
			template.NotBefore, template.NotAfter = a.cert.NotBefore, a.cert.NotAfter
			change(template)
			der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
			if err != nil {
				t.Fatal(err)
			}
			write(t, a.Path(), encodeCertificate(der), 0o644)
			if _, err := Open(dir, Options{}); !errors.Is(err, ErrUnconstrained) || !strings.Contains(err.Error(), a.Path()) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestOpenFailsWhereItCannotWrite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, nil, 0o600)
	if _, err := Open(file, Options{}); err == nil {
		t.Error("opened a file")
	}
	dir := folder(t)
	broken := errors.New("no randomness")
	if _, err := Open(dir, Options{Rand: failing{broken}}); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	open(t, dir, Options{}) // what the first left is of use
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

var _ io.Reader = failing{}

func TestNamesFitIntoACertificate(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id, err := keyID(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	end := " " + hex.EncodeToString(id[:4])
	for host, want := range map[string]string{
		"":                       "Imzo local CA",
		"aziz-pc.local":          "Imzo local CA aziz-pc.local",
		"../a b/\x00\nц":         "Imzo local CA ..ab",
		strings.Repeat("h", 253): "Imzo local CA " + strings.Repeat("h", 41),
	} {
		name, err := subject(host, &key.PublicKey)
		if err != nil || name.CommonName != want+end || len(name.CommonName) > 64 {
			t.Errorf("%q: %q %v, want %q", host, name.CommonName, err, want+end)
		}
	}
}

func TestExpiringTellsAMonthBefore(t *testing.T) {
	clock := newClock()
	a := open(t, folder(t), Options{Now: clock.now})
	end := a.cert.NotAfter
	for _, test := range []struct {
		at   time.Time
		want bool
	}{
		{end.AddDate(-10, 0, 0), false},
		{end.Add(-30*24*time.Hour - time.Second), false},
		{end.Add(-30 * 24 * time.Hour), true},
		{end.Add(time.Hour), true},
	} {
		clock.set(test.at)
		if got := a.Expiring(); got != test.want {
			t.Errorf("%v: %v", test.at, got)
		}
	}
}

func TestRenewReplacesTheCertificateAndNotTheKey(t *testing.T) {
	clock := newClock()
	dir := folder(t)
	old := open(t, dir, Options{Now: clock.now})
	clock.set(old.cert.NotAfter.Add(time.Hour))
	expired := open(t, dir, Options{Now: clock.now})
	if !expired.Expiring() || expired.Fingerprint() != old.Fingerprint() {
		t.Fatal("Open renewed by itself, or does not see that it is time")
	}
	if _, err := expired.GetCertificate(nil); !errors.Is(err, ErrValidity) {
		t.Errorf("an expired CA signs: %v", err)
	}
	renewed, err := expired.Renew()
	if err != nil {
		t.Fatal(err)
	}
	if renewed.Expiring() || renewed.String() != old.String() || !renewed.key.Equal(old.key) || renewed.Fingerprint() == old.Fingerprint() {
		t.Errorf("%v %v", renewed.cert, old.cert)
	}
	if !renewed.cert.NotAfter.Equal(clock.now().AddDate(10, 0, 0)) {
		t.Errorf("until %v", renewed.cert.NotAfter)
	}
	if again := open(t, dir, Options{Now: clock.now}); again.Fingerprint() != renewed.Fingerprint() {
		t.Error("the file has another certificate")
	}
	// Another that still has the old one in hand.
	second, err := expired.Renew()
	if err != nil || second.Fingerprint() != renewed.Fingerprint() {
		t.Errorf("renewed a second time: %v", err)
	}
	leaf, err := renewed.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := leaf.Leaf.Verify(x509.VerifyOptions{Roots: pool(renewed.cert), DNSName: "localhost", CurrentTime: clock.now()}); err != nil {
		t.Error(err)
	}
}

func TestRenewFailsWithoutItsFolder(t *testing.T) {
	a := open(t, folder(t), Options{})
	if err := os.Remove(a.Path()); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Renew(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if err := os.RemoveAll(a.dir); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Renew(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
	a = open(t, folder(t), Options{})
	a.options.Rand = failing{io.ErrUnexpectedEOF}
	if _, err := a.Renew(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v", err)
	}
}
