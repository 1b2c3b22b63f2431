package localca

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
)

// What may be wrong with a file of an authority.
var (
	ErrDamaged       = errors.New("the file is damaged")
	ErrMissing       = errors.New("the file is missing")
	ErrMode          = errors.New("others than the owner have access")
	ErrMismatch      = errors.New("the certificate is not of the key in " + KeyFile)
	ErrUnconstrained = errors.New("the certificate is not one that is of use for loopback alone")
)

// startAnew is what to do about a file that is of no use.
const startAnew = "restore it, or delete " + CertificateFile + " and " + KeyFile + " to get a new CA, which has to be trusted anew"

// FileError is about a file that a person has to see to. It is never replaced
// without being asked: stores may trust what it was.
type FileError struct {
	Path string
	Err  error  // wraps one of the errors above
	Fix  string // what to do, in words
}

func (e *FileError) Error() string { return fmt.Sprintf("%s: %v: %s", e.Path, e.Err, e.Fix) }

// Unwrap returns Err.
func (e *FileError) Unwrap() error { return e.Err }

// sizeLimit is far above a key or a certificate of ours, which have less than
// 2 KiB.
const sizeLimit = 64 << 10

// openFolder opens the folder of an authority. Where others could put a file of
// their own, they could have the person trust a CA of theirs.
func openFolder(dir string) (*os.Root, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	info, err := root.Stat(".")
	if err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0 {
		err = &FileError{dir, ErrMode, "chmod 700 " + dir}
	}
	if err != nil {
		root.Close()
		return nil, err
	}
	return root, nil
}

// readFile reads a file of an authority; the key's must be its owner's alone.
// The error wraps fs.ErrNotExist when there is no file.
func readFile(root *os.Root, name string) ([]byte, error) {
	path := filepath.Join(root.Name(), name)
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &FileError{path, fmt.Errorf("%w: it is no regular file", ErrDamaged), startAnew}
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err = f.Stat()
	if err != nil {
		return nil, err
	}
	// The rights of Windows are those of the folder, in the person's profile.
	if name == KeyFile && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, &FileError{path, ErrMode, "chmod 600 " + path + "; if somebody else may have read it, delete " + CertificateFile + " and " + KeyFile + " to get a new CA"}
	}
	b, err := io.ReadAll(io.LimitReader(f, sizeLimit+1))
	if err != nil {
		return nil, err
	}
	if len(b) > sizeLimit {
		return nil, &FileError{path, fmt.Errorf("%w: larger than %d bytes", ErrDamaged, sizeLimit), startAnew}
	}
	return b, nil
}

// only returns the content of a PEM file of one block.
func only(b []byte, kind string) ([]byte, error) {
	block, rest := pem.Decode(b)
	if block == nil || block.Type != kind || len(bytes.TrimSpace(rest)) != 0 {
		return nil, fmt.Errorf("%w: want one PEM block %q", ErrDamaged, kind)
	}
	return block.Bytes, nil
}

func parseKey(b []byte) (*ecdsa.PrivateKey, error) {
	der, err := only(b, "PRIVATE KEY")
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%w: not an ECDSA key on P-256", ErrDamaged)
	}
	return key, nil
}

func parseCertificate(b []byte) (*x509.Certificate, error) {
	der, err := only(b, "CERTIFICATE")
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return cert, nil
}

// checkCertificate tells whether a certificate is what selfSign makes for the
// key: whoever can write the file must not get a CA trusted that can do more.
func checkCertificate(c *x509.Certificate, key *ecdsa.PublicKey) error {
	if !key.Equal(c.PublicKey) {
		return ErrMismatch
	}
	if err := c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	want := constraints()
	equalNets := func(a, b *net.IPNet) bool { return a.String() == b.String() }
	for _, check := range []struct {
		what string
		ok   bool
	}{
		{"issuer", bytes.Equal(c.RawIssuer, c.RawSubject)},
		{"basic constraints", c.BasicConstraintsValid && c.IsCA && c.MaxPathLen == 0 && c.MaxPathLenZero},
		{"key usage", c.KeyUsage == want.KeyUsage},
		{"extended key usage", slices.Equal(c.ExtKeyUsage, want.ExtKeyUsage) && len(c.UnknownExtKeyUsage) == 0},
		{"critical name constraints", c.PermittedDNSDomainsCritical},
		{"DNS names", slices.Equal(c.PermittedDNSDomains, want.PermittedDNSDomains)},
		{"IP addresses", slices.EqualFunc(c.PermittedIPRanges, want.PermittedIPRanges, equalNets)},
		{"e-mail addresses", slices.Equal(c.PermittedEmailAddresses, want.PermittedEmailAddresses)},
		{"URIs", slices.Equal(c.PermittedURIDomains, want.PermittedURIDomains)},
		{"critical extensions", len(c.UnhandledCriticalExtensions) == 0},
	} {
		if !check.ok {
			return fmt.Errorf("%w: %s", ErrUnconstrained, check.what)
		}
	}
	return nil
}
