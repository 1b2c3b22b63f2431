package gateway

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"imzo/internal/eimzo/tunnel"
	"imzo/pki/alg"
	"imzo/pki/cert"
	"imzo/pki/keystore"
)

// ErrDomains is wrapped by errors about the folder of domain keys.
var ErrDomains = errors.New("keys of domains cannot be read")

const (
	// maxKeyFile bounds a file in the folder, maxDomains how many keys are there.
	maxKeyFile = 1 << 20
	maxDomains = 10_000
)

// Domain is a key and certificate that the gateway proves to be a domain with.
type Domain struct {
	// File is where the key came from.
	File string
	// Names are the host names, in lower case and ASCII, and the IP addresses
	// that the certificate is for. A name may begin with "*.", for one label.
	Names []string
	// Chain begins with the certificate; it has at most [tunnel.MaxChain].
	Chain []*cert.Certificate

	key    *alg.PrivateKey
	issuer *cert.Certificate // as the file has it; nil when it has none
	staple atomic.Pointer[staple]
}

// Certificate is that of the domain.
func (d *Domain) Certificate() *cert.Certificate { return d.Chain[0] }

// identity is what a handshake proves, with a stapled status that is fresh.
func (d *Domain) identity(now time.Time) *tunnel.Identity {
	id := &tunnel.Identity{Key: d.key, Chain: d.Chain}
	if s := d.staple.Load(); s != nil && now.Before(s.until) {
		id.Staple = s.response
	}
	return id
}

// ReadDomains reads the keys in a folder: files that end in .pfx or .p12, and
// in .pem, which have their key in themselves or in a file of the same name
// that ends in .key. The password of example.pfx is in example.password, or is
// password. Files that begin with a dot, and all others, are left alone.
//
// A warning is about something that will keep agents away. Errors wrap
// [ErrDomains]; there is one for each file that cannot be read.
func ReadDomains(dir, password string, now time.Time) (domains []*Domain, warnings []string, err error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w; make the folder, and put the PFX file of each domain there", ErrDomains, err)
	}
	var failures []error
	for _, f := range files {
		name := f.Name()
		if strings.HasPrefix(name, ".") || !isKeyFile(dir, name) {
			continue
		}
		if len(domains) == maxDomains {
			return nil, warnings, fmt.Errorf("%w: more than %d keys in %s", ErrDomains, maxDomains, dir)
		}
		d, said, err := readDomain(filepath.Join(dir, name), password, now)
		if err != nil {
			failures = append(failures, fmt.Errorf("%w: %s: %w", ErrDomains, filepath.Join(dir, name), err))
			continue
		}
		domains, warnings = append(domains, d), append(warnings, said...)
	}
	if len(failures) > 0 {
		return nil, warnings, errors.Join(failures...)
	}
	if len(domains) == 0 {
		return nil, warnings, fmt.Errorf("%w: there are none in %s: put the PFX file of a domain there, such as example.uz.pfx, and its password into example.uz.password", ErrDomains, dir)
	}
	return domains, append(warnings, sharedNames(domains)...), nil
}

// isKeyFile tells whether a file is one that names a key. A .key file belongs
// to the .pem file of its name; alone it is a key file of its own, as E-IMZO
// names some.
func isKeyFile(dir, name string) bool {
	switch ext := strings.ToLower(filepath.Ext(name)); ext {
	case ".pfx", ".p12", ".pem":
		return true
	case ".key":
		return !exists(filepath.Join(dir, strings.TrimSuffix(name, filepath.Ext(name))+".pem"))
	}
	return false
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// readDomain reads one key.
func readDomain(path, password string, now time.Time) (d *Domain, warnings []string, err error) {
	data, err := readFile(path)
	if err != nil {
		return nil, nil, err
	}
	defer func() { clear(data) }()
	stem := strings.TrimSuffix(path, filepath.Ext(path))
	if beside := stem + ".key"; strings.EqualFold(filepath.Ext(path), ".pem") && exists(beside) {
		key, err := readFile(beside)
		if err != nil {
			return nil, nil, err
		}
		data = append(append(key, '\n'), data...)
	}
	for _, file := range []string{path + ".password", stem + ".password"} {
		text, err := readFile(file)
		if err == nil {
			password = strings.TrimRight(string(text), "\r\n")
			break
		}
		if !errors.Is(err, os.ErrNotExist) {
			return nil, nil, err
		}
	}
	entries, err := keystore.Open(data, password)
	switch {
	case errors.Is(err, keystore.ErrPassword):
		return nil, nil, fmt.Errorf("%w: its password has to be in %s.password, or in tunnel.servers.password", err, stem)
	case err != nil && strings.EqualFold(filepath.Ext(path), ".pem"):
		return nil, nil, fmt.Errorf("%w; a .pem file has the certificate of a domain, and its key in itself or in %s.key", err, stem)
	case err != nil:
		return nil, nil, err
	case len(entries) != 1:
		return nil, nil, fmt.Errorf("it has %d keys; put each into a file of its own", len(entries))
	}
	return newDomain(path, entries[0], now)
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err == nil && len(data) > maxKeyFile {
		err = fmt.Errorf("%s: larger than %d bytes", path, maxKeyFile)
	}
	return data, err
}

// newDomain judges a key and its certificate. An entry from a file has been
// checked for its key to be the certificate's.
func newDomain(file string, e keystore.Entry, now time.Time) (d *Domain, warnings []string, err error) {
	if len(e.Chain) == 0 {
		return nil, nil, errors.New("it has no certificate of the key")
	}
	c := e.Chain[0]
	if !slices.Contains(gostFamilies, c.PublicKey.Family()) {
		return nil, nil, fmt.Errorf("its key is %s; the tunnel needs a GOST R 34.10-2001 key (`imzo trust issue --profile domain` makes one)", c.PublicKey.Name())
	}
	if c.HasKeyUsage && c.KeyUsage&cert.KeyUsageDigitalSignature == 0 {
		return nil, nil, errors.New("its certificate is not for digital signatures (keyUsage), which the tunnel proves its key with")
	}
	names, err := domainNames(c)
	if err != nil {
		return nil, nil, err
	}
	chain := e.Chain
	if last := len(chain) - 1; last > 0 && chain[last].SelfIssued() {
		chain = chain[:last] // agents have roots, or do not trust them
	}
	d = &Domain{File: file, Names: names, Chain: chain[:min(len(chain), tunnel.MaxChain)], key: e.Key}
	if len(e.Chain) > 1 {
		d.issuer = e.Chain[1]
	}
	warn := func(format string, args ...any) {
		warnings = append(warnings, fmt.Sprintf("%s: "+format, append([]any{file}, args...)...))
	}
	switch {
	case now.After(c.NotAfter):
		warn("the certificate of %s ended on %s: agents refuse it; put a new one there", names[0], c.NotAfter.Format(time.DateOnly))
	case now.Before(c.NotBefore):
		warn("the certificate of %s begins on %s: agents refuse it until then", names[0], c.NotBefore.Format(time.DateOnly))
	}
	if len(c.ExtKeyUsage) > 0 && !slices.Contains(c.ExtKeyUsage, cert.OIDServerAuth) {
		warn("the certificate of %s is not for servers (extKeyUsage without serverAuth): agents refuse it", names[0])
	}
	return d, warnings, nil
}

// gostFamilies are the identifiers under which keys on the curves of
// GOST R 34.10-2001 are certified.
var gostFamilies = []alg.Family{alg.FamilyGOST2001, alg.FamilyOZDST, alg.FamilyOZMST}

// domainNames are the names in the certificate: the alternative ones, or when
// there are none the common name of a certificate for servers (RFC 6125 6.4.4).
func domainNames(c *cert.Certificate) ([]string, error) {
	var names []string
	for _, n := range c.DNSNames {
		name, ok := hostName(n)
		if !ok {
			return nil, fmt.Errorf("its certificate is for %q, which is no host name", n)
		}
		names = append(names, name)
	}
	for _, ip := range c.IPAddresses {
		if a, ok := netip.AddrFromSlice(ip); ok {
			names = append(names, a.Unmap().String())
		}
	}
	if len(names) > 0 {
		slices.Sort(names)
		return slices.Compact(names), nil
	}
	if !slices.Contains(c.ExtKeyUsage, cert.OIDServerAuth) {
		return nil, errors.New("its certificate is of no domain: it has neither a subjectAltName with dNSName or iPAddress, nor serverAuth in extKeyUsage to make its common name one")
	}
	name, ok := domainName(c.Subject.Get("CN"))
	if !ok {
		return nil, fmt.Errorf("its certificate has no subjectAltName, and its common name %q is no domain", c.Subject.Get("CN"))
	}
	return []string{name}, nil
}

// domainName is a host name or an IP address in the form that names are
// compared in.
func domainName(text string) (string, bool) {
	if a, err := netip.ParseAddr(text); err == nil {
		return a.Unmap().String(), a.Zone() == ""
	}
	return hostName(text)
}

func hostName(text string) (string, bool) {
	name := strings.TrimSuffix(strings.ToLower(text), ".")
	labels := strings.TrimPrefix(name, "*.")
	if labels == "" || len(name) > 253 {
		return "", false
	}
	for label := range strings.SplitSeq(labels, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return "", false
		}
	}
	return name, true
}

// sharedNames warns of names that several certificates have.
func sharedNames(domains []*Domain) (warnings []string) {
	first := map[string]string{}
	for _, d := range domains {
		for _, n := range d.Names {
			if other, ok := first[n]; ok {
				warnings = append(warnings, fmt.Sprintf("%s: %s too is for %s; the one that is valid, and ends last, is used", d.File, other, n))
				continue
			}
			first[n] = d.File
		}
	}
	return warnings
}

// find returns the domain to be for a name that an agent asks for: of several,
// one that is valid now, and the one that ends last. It is nil for none.
func find(domains []*Domain, asked string, now time.Time) *Domain {
	name, ok := domainName(asked)
	if !ok || strings.HasPrefix(name, "*") {
		return nil
	}
	wildcard := ""
	if _, isIP := netip.ParseAddr(name); isIP != nil {
		if _, rest, ok := strings.Cut(name, "."); ok {
			wildcard = "*." + rest
		}
	}
	var best *Domain
	for _, d := range domains {
		if !slices.Contains(d.Names, name) && (wildcard == "" || !slices.Contains(d.Names, wildcard)) {
			continue
		}
		if best == nil || better(d.Certificate(), best.Certificate(), now) {
			best = d
		}
	}
	return best
}

func better(a, b *cert.Certificate, now time.Time) bool {
	if va, vb := a.ValidAt(now), b.ValidAt(now); va != vb {
		return va
	}
	return a.NotAfter.After(b.NotAfter)
}
