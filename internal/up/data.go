// Package up is `imzo up`: trust services, E-IMZO-SERVER, the agent, the
// gateway of phones and the demo site in one process on this machine, over a
// data folder that the first run makes.
//
// The folder is made for development: its keys have the password 1.
package up

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"imzo/internal/atomicfile"
	"imzo/internal/trust"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/keystore"
	"imzo/pki/token"
	"imzo/pki/token/soft"
)

// KeyPassword is the password of the test keys, and the PIN of the card.
const KeyPassword = "1"

const cardPUK = "11111111"

// demoSiteID is the SiteID of the demo site.
const demoSiteID = "00d0"

// Names inside the data folder.
const (
	trustDir   = "trust"
	keysDir    = "DSKEYS"
	agentDir   = "agent"
	cardsDir   = "cards"
	mobileDir  = "mobile"
	cardFile   = "idcard" + soft.Extension
	caDir      = "ca" // in agentDir
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
func openData(dir string, listen netip.AddrPort, trustURL string, now func() time.Time) (_ *data, err error) {
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
	if err := d.sweep(); err != nil {
		return nil, err
	}
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

func (d *data) fill(listen netip.AddrPort, now func() time.Time) error {
	for _, u := range users {
		if d.hasKey(u.Subject) {
			continue
		}
		if _, _, err := d.trust.IssuePFX(u, time.Local, d.path(keysDir), KeyPassword, keystore.ProfileJava8); err != nil {
			return err
		}
	}
	if err := d.makeCard(now); err != nil {
		return err
	}
	if err := d.writeSample(now); err != nil {
		return err
	}
	if err := d.writeRoot(); err != nil {
		return err
	}
	return writeMissing(d.path(configFile), configText(listen, d.trust))
}

// sweep removes what a killed run left half made, among it keys. The folder
// is locked, so nobody is making them now.
func (d *data) sweep() error {
	for _, pattern := range []string{
		d.path(trust.UnfinishedPattern), d.path(atomicfile.Pattern), filepath.Join(d.path(keysDir), atomicfile.Pattern),
	} {
		left, err := filepath.Glob(pattern)
		if err != nil {
			return err
		}
		for _, path := range left {
			if err := os.RemoveAll(path); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeRoot writes the root for the server. One that is there already must be
// of this hierarchy: with another's the server would refuse every signature
// without a word why. It may hold more certificates.
func (d *data) writeRoot() error {
	path := d.path(rootFile)
	if err := writeMissing(path, cert.EncodePEM(d.trust.Root())); err != nil {
		return err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	roots, err := cert.ParseAll(b)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if !slices.ContainsFunc(roots, d.trust.Root().Equal) {
		return fmt.Errorf("%s is not of the hierarchy in %s: take a new folder, or remove this one's %s, %s and %s",
			path, d.path(trustDir), rootFile, keysDir, sampleFile)
	}
	return nil
}

// keyFile is the name of the first key of a subject.
func keyFile(s trust.Subject) string {
	number := s.TIN
	if number == "" {
		number = s.PINFL
	}
	return "DS" + number + "0001.pfx"
}

func (d *data) hasKey(s trust.Subject) bool {
	_, err := os.Stat(filepath.Join(d.path(keysDir), keyFile(s)))
	return err == nil
}

// makeCard makes the virtual ID card of the first person, where there is none.
// One that an interrupted run has left without certificates gets them.
func (d *data) makeCard(now func() time.Time) error {
	if err := os.MkdirAll(d.path(cardsDir), 0o700); err != nil {
		return err
	}
	path := filepath.Join(d.path(cardsDir), cardFile)
	card, err := soft.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		card, err = soft.Create(path, soft.Options{Kind: token.KindIDCard, Name: "Virtual ID card", Serial: "0001", PIN: []byte(KeyPassword), PUK: []byte(cardPUK), Now: now})
	}
	if err != nil {
		return err
	}
	ctx := context.Background()
	if _, err := card.Chain(ctx); !errors.Is(err, token.ErrEmpty) {
		return err
	}
	session, err := card.Open(ctx, []byte(KeyPassword))
	if err != nil {
		return err
	}
	defer session.Close()
	key, err := session.GenerateKey(ctx, "")
	if err != nil {
		return err
	}
	request := users[0]
	request.PublicKey = key.PublicKey()
	entry, err := d.trust.Issue(request, time.Local)
	if err != nil {
		return err
	}
	return session.Personalize(ctx, entry.Chain, []byte(KeyPassword))
}

// writeSample makes a signed document to try the server on, where there is
// none. A person who gave the key another password has to do without.
func (d *data) writeSample(now func() time.Time) error {
	if _, err := os.Stat(d.path(sampleFile)); err == nil {
		return nil
	}
	pfx, err := os.ReadFile(filepath.Join(d.path(keysDir), keyFile(users[0].Subject)))
	if err != nil {
		return err
	}
	entries, err := keystore.OpenPFX(pfx, KeyPassword)
	if errors.Is(err, keystore.ErrPassword) {
		return nil
	}
	if err != nil {
		return err
	}
	document, err := cms.Sign([]byte("some document"), []cms.Signer{{Key: entries[0].Key, Chain: entries[0].Chain, SigningTime: now()}}, cms.Options{Rand: rand.Reader})
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
func configText(listen netip.AddrPort, a *trust.Authority) []byte {
	port := strconv.Itoa(int(listen.Port()))
	return []byte(strings.NewReplacer("@IP@", listen.Addr().String(), "@PORT@", port, "@OCSP@", a.OCSPURL(), "@TSA@", a.TSAURL(), "@ROOT@", rootFile, "@SITE@", demoSiteID).Replace(
		`# Made by 'imzo up'; 'imzo server' takes it too. See docs/server.md.
listen.ip=@IP@
listen.port=@PORT@

# trusted root certificates, beside this file
trust.pem.file.path=@ROOT@

# the trust services of 'imzo up'
ocsp.url=@OCSP@
tsp.url=@TSA@

# signatures by phone: the demo site in the registry of the gateway
mobile.siteId=@SITE@

# what one address of users may ask for in a minute
limits.challenge.per.minute=600
limits.auth.per.minute=600
`))
}
