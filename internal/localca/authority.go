package localca

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"imzo/internal/atomicfile"
)

// The files of an authority, in its folder.
const (
	CertificateFile = "ca.pem"     // mode 0644
	KeyFile         = "ca-key.pem" // mode 0600
)

// expiringWithin is what must be left of an authority's life.
const expiringWithin = 30 * 24 * time.Hour

// Options are for Open. The zero value is what programs use.
type Options struct {
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Rand gives serial numbers, and is handed to the standard library for
	// keys and signatures, which since Go 1.26 takes its own randomness; nil
	// means crypto/rand.
	Rand io.Reader
	// Log hears of certificates made; nil means nobody does.
	Log *slog.Logger
}

// Authority is a CA with its key, which is safe for concurrent use.
type Authority struct {
	dir     string // absolute
	options Options
	key     *ecdsa.PrivateKey
	cert    *x509.Certificate

	leaf    atomic.Pointer[leaf]
	renewal singleflight.Group

	computer computer
}

// Open reads the authority in a folder, and makes it when there is none; the
// folder is made too. Of several processes that do so at once, all get the same
// authority. An authority whose time is over is opened as well, see
// [Authority.Expiring].
//
// The error is a *[FileError] when a file has to be seen to.
func Open(dir string, o Options) (*Authority, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	root, err := openFolder(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	a := &Authority{dir: dir, options: o, computer: thisComputer()}
	if err := a.load(root); err != nil {
		return nil, err
	}
	// The key of the first server certificate is made here, so that what goes
	// wrong with it goes wrong at the start. An authority that may not sign at
	// this time tells so when it is asked to.
	if _, err := a.current(); err != nil && !errors.Is(err, ErrValidity) {
		return nil, err
	}
	return a, nil
}

// load reads the files, and makes those that are missing.
//
// The key is made first, and the certificate by whoever finds a key without
// one. The certificate must be looked for first: once it is there, so is the
// key.
func (a *Authority) load(root *os.Root) error {
	certPEM, err := readFile(root, CertificateFile)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return err
	}
	keyPEM, err := readFile(root, KeyFile)
	if errors.Is(err, fs.ErrNotExist) {
		if !missing {
			return &FileError{filepath.Join(a.dir, KeyFile), ErrMissing, "restore it, or delete " + CertificateFile + " to get a new CA, which has to be trusted anew"}
		}
		keyPEM, err = a.makeKey(root)
	}
	if err != nil {
		return err
	}
	if a.key, err = parseKey(keyPEM); err != nil {
		return &FileError{filepath.Join(a.dir, KeyFile), err, startAnew}
	}
	if missing {
		if certPEM, err = a.makeCertificate(root); err != nil {
			return err
		}
	}
	return a.use(certPEM)
}

// use takes the certificate of a file when it is one of this package, and of
// the key.
func (a *Authority) use(certPEM []byte) error {
	cert, err := parseCertificate(certPEM)
	if err == nil {
		err = checkCertificate(cert, &a.key.PublicKey)
	}
	if err != nil {
		return &FileError{a.Path(), err, startAnew}
	}
	a.cert = cert
	return nil
}

// makeKey makes the key file, and returns what is in it: another process may
// have been first.
func (a *Authority) makeKey(root *os.Root) ([]byte, error) {
	keyPEM, err := newKey(a.options.Rand)
	if err != nil {
		return nil, err
	}
	return create(root, KeyFile, keyPEM, 0o600)
}

// makeCertificate is makeKey for the certificate.
func (a *Authority) makeCertificate(root *os.Root) ([]byte, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "" // is in the name for people only
	}
	name, err := subject(host, &a.key.PublicKey)
	if err != nil {
		return nil, err
	}
	der, err := selfSign(a.options.Rand, a.key, name, a.options.Now())
	if err != nil {
		return nil, err
	}
	certPEM, err := create(root, CertificateFile, encodeCertificate(der), 0o644)
	if err == nil {
		a.options.Log.Info("made a local CA", "file", a.Path(), "name", name.CommonName)
	}
	return certPEM, err
}

// create makes a file unless there is one, and returns what it holds then.
func create(root *os.Root, name string, b []byte, mode fs.FileMode) ([]byte, error) {
	err := atomicfile.CreateIn(root, name, b, mode)
	if errors.Is(err, fs.ErrExist) {
		return readFile(root, name)
	}
	return b, err
}

// Renew makes a new certificate for the key of the authority, with the same
// name and ten years from now, puts it in the place of the old one and returns
// the new authority; a goes on with the old certificate. When another process
// has renewed it meanwhile, the result is that one's.
//
// Stores that trust the old certificate do not know the new one: Remove before
// it, Install after it. Whoever wants a new key as well deletes both files.
func (a *Authority) Renew() (*Authority, error) {
	root, err := openFolder(a.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	der, err := selfSign(a.options.Rand, a.key, a.cert.Subject, a.options.Now())
	if err != nil {
		return nil, err
	}
	err = atomicfile.ReplaceIn(root, CertificateFile, encodeCertificate(der), func() error {
		now, err := readFile(root, CertificateFile)
		if err == nil && !bytes.Equal(now, a.PEM()) {
			err = errRenewed
		}
		return err
	})
	if err != nil && !errors.Is(err, errRenewed) {
		return nil, fmt.Errorf("%s: %w", a.Path(), err)
	}
	renewed, err := Open(a.dir, a.options)
	if err == nil {
		a.options.Log.Info("renewed the local CA", "file", a.Path(), "until", renewed.cert.NotAfter)
	}
	return renewed, err
}

// errRenewed tells that another has put a certificate into the file.
var errRenewed = errors.New("the file has changed")

// Expiring tells whether the authority has ended or ends within 30 days, so
// that it is time for Renew.
func (a *Authority) Expiring() bool {
	return !a.options.Now().Before(a.cert.NotAfter.Add(-expiringWithin))
}

// valid tells whether the authority may sign now.
func (a *Authority) valid() bool {
	now := a.options.Now()
	return !now.Before(a.cert.NotBefore) && now.Before(a.cert.NotAfter)
}

// Certificate is the CA's certificate, which callers do not change.
func (a *Authority) Certificate() *x509.Certificate { return a.cert }

// PEM is the certificate as in its file.
func (a *Authority) PEM() []byte { return encodeCertificate(a.cert.Raw) }

// Path is the file of the certificate.
func (a *Authority) Path() string { return filepath.Join(a.dir, CertificateFile) }

// Fingerprint is the SHA-256 of the certificate as browsers show it, such as
// 0A:1B:...
func (a *Authority) Fingerprint() string {
	sum := sha256.Sum256(a.cert.Raw)
	parts := make([]string, len(sum))
	for i, b := range sum {
		parts[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(parts, ":")
}

// String names the authority without its key.
func (a *Authority) String() string { return a.cert.Subject.CommonName }

// Format is String for every verb: %+v would print the key.
func (a *Authority) Format(f fmt.State, _ rune) { io.WriteString(f, a.String()) }

// LogValue is String.
func (a *Authority) LogValue() slog.Value { return slog.StringValue(a.String()) }

func encodeCertificate(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
