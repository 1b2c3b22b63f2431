package mobile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"imzo/pki/cert"
)

const (
	// maxFiles and maxCertificateFile bound a folder of certificates.
	maxFiles           = 20_000
	maxCertificateFile = 1 << 20
	// directoryAge is after how long the folder is read again though no file
	// was added or removed.
	directoryAge = 30 * time.Second
)

// ErrDirectory is wrapped when a folder of certificates cannot be read.
var ErrDirectory = errors.New("folder of certificates cannot be read")

// Directory finds certificates by their serial numbers in a folder with files
// of PEM or DER (.cer, .crt, .der, .pem), where an authority publishes what it
// has issued. New files are seen at once, changed ones within half a minute. Its methods may be
// called at the same time.
type Directory struct {
	dir string
	now func() time.Time

	mu       sync.Mutex
	read     time.Time // when it was read last
	modified time.Time // what the folder's time was then
	serials  map[string][]*cert.Certificate
	cas      []*cert.Certificate
}

// OpenDirectory reads a folder. now is nil for time.Now. The error wraps
// [ErrDirectory]: also when one of the files holds no certificate.
func OpenDirectory(dir string, now func() time.Time) (*Directory, error) {
	if now == nil {
		now = time.Now
	}
	d := &Directory{dir: dir, now: now}
	_, _, err := d.find("")
	return d, err
}

// find returns the certificates of a serial number, in lower case without
// leading zeros, and those of the CAs. When the folder cannot be read it
// returns what it read last, too.
func (d *Directory) find(serial string) (users, cas []*cert.Certificate, err error) {
	if d == nil {
		return nil, nil, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	err = d.refresh()
	return d.serials[serial], d.cas, err
}

func (d *Directory) refresh() error {
	info, err := os.Stat(d.dir)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDirectory, err)
	}
	now := d.now()
	age := now.Sub(d.read)
	if d.serials != nil && info.ModTime().Equal(d.modified) && age >= 0 && age < directoryAge {
		return nil
	}
	serials, cas, err := readDirectory(d.dir)
	if err != nil && d.serials != nil {
		return err // a file that is half written is no reason to forget the others
	}
	d.read, d.modified, d.serials, d.cas = now, info.ModTime(), serials, cas
	return err
}

func readDirectory(dir string) (serials map[string][]*cert.Certificate, cas []*cert.Certificate, err error) {
	fail := func(err error) (map[string][]*cert.Certificate, []*cert.Certificate, error) {
		return nil, nil, fmt.Errorf("%w: %w", ErrDirectory, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fail(err)
	}
	defer root.Close()
	folder, err := root.Open(".")
	if err != nil {
		return fail(err)
	}
	defer folder.Close()
	entries, err := folder.ReadDir(maxFiles + 1)
	if err != nil && err != io.EOF {
		return fail(err)
	}
	if len(entries) > maxFiles {
		return fail(fmt.Errorf("more than %d files", maxFiles))
	}
	serials = map[string][]*cert.Certificate{}
	for _, entry := range entries {
		name := entry.Name()
		i := strings.LastIndexByte(name, '.')
		if i < 0 || !slices.Contains([]string{".cer", ".crt", ".der", ".pem"}, strings.ToLower(name[i:])) || entry.IsDir() {
			continue
		}
		all, err := readCertificates(root, name)
		if err != nil {
			return fail(fmt.Errorf("%s: %w", name, err))
		}
		for _, c := range all {
			if c.BasicConstraints != nil && c.BasicConstraints.IsCA {
				cas = append(cas, c)
				continue
			}
			if same := serials[c.SerialHex()]; !slices.ContainsFunc(same, c.Equal) {
				serials[c.SerialHex()] = append(same, c)
			}
		}
	}
	return serials, cas, nil
}

func readCertificates(root *os.Root, name string) ([]*cert.Certificate, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxCertificateFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxCertificateFile {
		return nil, fmt.Errorf("larger than %d octets", maxCertificateFile)
	}
	return cert.ParseAll(b)
}
