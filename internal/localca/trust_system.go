package localca

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/smallstep/truststore"
)

// computer is what the stores touch outside this package's folder.
type computer struct {
	goos      string
	euid      func() int                    // -1 on Windows
	add, drop func(*x509.Certificate) error // the system's store
	bundles   []string                      // files with all that the system trusts; empty: ask the system
	// certutils are places of certutil that are not on the path, nssPatterns
	// those of databases, in the home unless they are absolute.
	certutils, nssPatterns []string
}

func thisComputer() computer {
	c := computer{
		goos: runtime.GOOS,
		euid: os.Geteuid,
		add:  func(cert *x509.Certificate) error { return truststore.Install(cert) },
		drop: func(cert *x509.Certificate) error { return truststore.Uninstall(cert) },
	}
	switch c.goos {
	case "windows":
	case "darwin":
		c.certutils = []string{"/opt/homebrew/opt/nss/bin/certutil", "/usr/local/opt/nss/bin/certutil"}
		c.nssPatterns = []string{"Library/Application Support/Firefox/Profiles/*"}
	default:
		c.bundles = []string{
			"/etc/ssl/certs/ca-certificates.crt",                // Debian, Arch
			"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // Fedora
			"/etc/pki/tls/certs/ca-bundle.crt",                  // Fedora before
			"/var/lib/ca-certificates/ca-bundle.pem",            // openSUSE
			"/etc/ssl/cert.pem",                                 // Alpine, FreeBSD
		}
		data := os.Getenv("XDG_DATA_HOME")
		if data == "" {
			data = filepath.Join(".local", "share")
		}
		c.nssPatterns = []string{
			".pki/nssdb", filepath.Join(data, "pki", "nssdb"), // Chromium
			"snap/chromium/current/.pki/nssdb",
			".mozilla/firefox/*", ".config/mozilla/firefox/*",
			"snap/firefox/common/.mozilla/firefox/*",
			".var/app/org.mozilla.firefox/.mozilla/firefox/*",
		}
	}
	return c
}

// rights makes sure that sudo, which truststore runs, asks for no password. It
// does not take the rights itself.
func (c computer) rights(ctx context.Context) error {
	if c.goos == "windows" || c.euid() == 0 {
		return nil
	}
	sudo, err := exec.LookPath("sudo")
	if err != nil {
		return fmt.Errorf("%w: become root, there is no sudo", ErrRights)
	}
	// Also makes the time begin anew in which sudo does not ask.
	if err := exec.CommandContext(ctx, sudo, "-n", "-v").Run(); err != nil {
		return fmt.Errorf(`%w: run "sudo -v", and then this again`, ErrRights)
	}
	return nil
}

// explain adds what a program that truststore ran has said.
func explain(err error) error {
	var command *truststore.CmdError
	switch {
	case errors.Is(err, truststore.ErrNotSupported), errors.Is(err, truststore.ErrTrustNotSupported):
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	case errors.As(err, &command):
		return fmt.Errorf("%w: %s", err, lastLine(command.Out()))
	}
	return err
}

// systemStore is the store of the operating system, changed by truststore.
type systemStore struct{ computer }

func (s systemStore) name() string { return StoreSystem }

// trusted verifies a server certificate of the authority with what the system
// trusts now; crypto/x509 remembers that on Linux from when it was first asked.
func (s systemStore) trusted(_ context.Context, a *Authority) (bool, error) {
	l, err := a.current()
	if errors.Is(err, ErrValidity) {
		return false, nil // nobody trusts it at this time
	}
	if err != nil {
		return false, err
	}
	options := x509.VerifyOptions{DNSName: "localhost", CurrentTime: a.options.Now(), Intermediates: x509.NewCertPool()}
	options.Intermediates.AddCert(a.cert)
	if len(s.bundles) > 0 {
		if options.Roots, err = s.roots(); err != nil {
			return false, err
		}
	}
	_, err = l.tls.Leaf.Verify(options)
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &unknown) {
		return false, nil
	}
	return err == nil, err
}

// bundleLimit is far above the 300 KiB that the roots of all browsers have.
const bundleLimit = 32 << 20

// roots reads the first bundle there is.
func (s systemStore) roots() (*x509.CertPool, error) {
	for _, name := range s.bundles {
		f, err := os.Open(name)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		b, err := io.ReadAll(io.LimitReader(f, bundleLimit))
		f.Close()
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
			// Some have certificates that crypto/x509 refuses.
			if cert, err := x509.ParseCertificate(block.Bytes); err == nil {
				pool.AddCert(cert)
			}
		}
		return pool, nil
	}
	return nil, fmt.Errorf("%w: no list of trusted certificates such as %s: install ca-certificates", ErrUnsupported, s.bundles[0])
}

func (s systemStore) install(ctx context.Context, a *Authority) error {
	if err := s.rights(ctx); err != nil {
		return err
	}
	return explain(s.add(a.cert))
}

func (s systemStore) remove(ctx context.Context, a *Authority) error {
	if present, err := s.trusted(ctx, a); err == nil && !present && a.valid() {
		return nil // no need of rights
	}
	if err := s.rights(ctx); err != nil {
		return err
	}
	if err := s.drop(a.cert); !errors.Is(err, truststore.ErrNotFound) {
		return explain(err)
	}
	return nil
}
