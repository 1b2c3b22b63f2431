// Package up is `imzo up`: trust services, E-IMZO-SERVER and the demo site in
// one process on this machine, over a data folder that the first run makes.
//
// The folder is made for development: its keys have the password 1.
package up

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"imzo/internal/atomicfile"
	"imzo/internal/trust"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/keystore"
)

// KeyPassword is the password of the test keys.
const KeyPassword = "1"

// Names inside the data folder.
const (
	trustDir   = "trust"
	keysDir    = "DSKEYS"
	configFile = "config.properties"
	rootFile   = "root.pem"
	sampleFile = "sample.p7s.b64"
	lockFile   = ".lock"
)

// users are the people who can log in.
var users = []trust.Request{
	{Profile: trust.ProfileUser, Subject: trust.Subject{
		CommonName: "IVANOV IVAN IVANOVICH", GivenName: "IVAN", Surname: "IVANOV",
		Locality: "YUNUSOBOD TUMANI", State: "TOSHKENT SHAHRI", Country: "UZ", PINFL: "30000000000001",
	}},
	{Profile: trust.ProfileOrganisation, Subject: trust.Subject{
		CommonName: "VALIYEVA NODIRA ANVAROVNA", GivenName: "NODIRA", Surname: "VALIYEVA",
		Organisation: `"NAMUNA" MCHJ`, Title: "DIREKTOR", TIN: "301234567",
		Locality: "MIROBOD TUMANI", State: "TOSHKENT SHAHRI", Country: "UZ", UID: "400000002", PINFL: "40000000000002",
	}},
}

// ErrBusy says that another process uses the data folder.
var ErrBusy = errors.New("another 'imzo up' uses this folder")

// data is an open data folder.
type data struct {
	dir   string
	lock  *flock.Flock
	trust *trust.Authority
	first bool // this run made it
}

func (d *data) path(name string) string { return filepath.Join(d.dir, name) }

func (d *data) close() error { return d.lock.Unlock() }

// openData opens the folder, making what is missing: an interrupted first run
// is finished by the next one. trustURL is where the trust services of a new
// hierarchy will answer.
func openData(dir, listen, trustURL string, now func() time.Time) (_ *data, err error) {
	if err := os.MkdirAll(filepath.Join(dir, keysDir), 0o700); err != nil {
		return nil, err
	}
	d := &data{dir: dir, lock: flock.New(filepath.Join(dir, lockFile))}
	locked, err := d.lock.TryLock()
	if err != nil {
		return nil, err
	}
	if !locked {
		return nil, fmt.Errorf("%s: %w", dir, ErrBusy)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	d.trust, err = trust.Open(d.path(trustDir), trust.Options{Now: now})
	if errors.Is(err, trust.ErrNoHierarchy) {
		d.first = true
		d.trust, err = trust.Init(d.path(trustDir), trust.InitOptions{BaseURL: trustURL, Options: trust.Options{Now: now}})
	}
	if err != nil {
		return nil, err
	}
	if err := d.fill(listen, now); err != nil {
		return nil, err
	}
	return d, nil
}

func (d *data) fill(listen string, now func() time.Time) error {
	for _, u := range users {
		if d.hasKey(u.Subject) {
			continue
		}
		entry, err := d.trust.Issue(u, time.Local)
		if err != nil {
			return err
		}
		if _, err := trust.WritePFX(d.path(keysDir), entry, u.Subject, KeyPassword, keystore.ProfileJava8); err != nil {
			return err
		}
		if err := d.writeSample(entry, now); err != nil {
			return err
		}
	}
	if err := writeMissing(d.path(rootFile), cert.EncodePEM(d.trust.Root())); err != nil {
		return err
	}
	config, err := configText(listen, d.trust)
	if err != nil {
		return err
	}
	return writeMissing(d.path(configFile), config)
}

// hasKey tells whether the folder has the first key of a subject.
func (d *data) hasKey(s trust.Subject) bool {
	number := s.TIN
	if number == "" {
		number = s.PINFL
	}
	_, err := os.Stat(filepath.Join(d.path(keysDir), "DS"+number+"0001.pfx"))
	return err == nil
}

// writeSample makes a signed document to try the server on.
func (d *data) writeSample(e keystore.Entry, now func() time.Time) error {
	document, err := cms.Sign([]byte("some document"), []cms.Signer{{Key: e.Key, Chain: e.Chain, SigningTime: now()}}, cms.Options{})
	if err != nil {
		return err
	}
	return writeMissing(d.path(sampleFile), base64Text(document))
}

// writeMissing writes a file that is not there yet.
func writeMissing(path string, b []byte) error {
	if err := atomicfile.Create(path, b, 0o644); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// configText is a config.properties for this folder, in the form of the
// guide's own (2.1).
func configText(listen string, a *trust.Authority) ([]byte, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return nil, err
	}
	return []byte(strings.NewReplacer("@IP@", host, "@PORT@", port, "@OCSP@", a.OCSPURL(), "@TSA@", a.TSAURL(), "@ROOT@", rootFile).Replace(
		`# Made by 'imzo up'; 'imzo server' takes it too. See docs/server.md.
listen.ip=@IP@
listen.port=@PORT@

# trusted root certificates, beside this file
trust.pem.file.path=@ROOT@

# the trust services of 'imzo up'
ocsp.url=@OCSP@
tsp.url=@TSA@
`)), nil
}
