package trust

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
	"imzo/pki/keystore"
	"imzo/pki/ocsp"
	"imzo/pki/tsp"
)

var (
	// ErrExists says that a folder already holds something.
	ErrExists = errors.New("folder is not empty")
	// ErrNoHierarchy says that a folder holds no hierarchy.
	ErrNoHierarchy = errors.New("no hierarchy here; make one with 'imzo trust init'")
	// ErrUnknownSerial says that the authority never issued a serial number.
	ErrUnknownSerial = errors.New("no such certificate")
	// ErrStatus says that a status change does not fit the present status.
	ErrStatus = errors.New("status does not allow this")
	// ErrReason says that a reason of revocation has no name of RFC 5280.
	ErrReason = errors.New("unknown reason")
	// ErrValidity says that a certificate cannot be valid for so many days.
	ErrValidity = errors.New("validity out of range")
	// ErrKeySpec says that a key is not of a kind that its use takes.
	ErrKeySpec = errors.New("unsuitable kind of key")
	// ErrAddress says that an address of the services is none.
	ErrAddress = errors.New("bad address of the services")
)

// The entities of a hierarchy, which are also names of files in keys/.
const (
	entityRoot    = "root"
	entityCA      = "ca"
	entityTSA     = "tsa"
	entityOCSP    = "ocsp"
	entityVPN     = "vpn"
	entityVPNOCSP = "vpn-ocsp"
)

// ledgerOf says which issuer the ledger names for the certificate of an
// entity; self-signed ones are their own.
var ledgerOf = map[string]string{
	entityRoot: entityRoot, entityCA: entityRoot, entityTSA: entityCA, entityOCSP: entityCA,
	entityVPN: entityVPN, entityVPNOCSP: entityVPN,
}

// Validity of certificates in years: as the guide's test hierarchy for the
// services, and as production for users.
const (
	rootYears    = 20
	serviceYears = 5
	userYears    = 2
)

// DefaultTSAPolicy is the policy of the E-IMZO timestamp authority (guide
// 2.2.4, tsaPolicy).
const DefaultTSAPolicy = "1.2.860.3.2.11.1"

// userPolicies are the certificate policies of the guide's test users.
var userPolicies = []ber.OID{
	ber.MustOID("1.3.6.1.4.1.46709.1.2.2"),
	ber.MustOID("1.3.6.1.4.1.46709.1.2.4"),
	ber.MustOID("1.3.6.1.4.1.46709.1.2.1"),
	ber.MustOID("1.3.6.1.4.1.46709.1.2.3"),
}

const (
	settingsFile = "trust.json"
	ledgerFile   = "ledger"
)

// settings is the content of trust.json.
type settings struct {
	Version      int    `json:"version"`
	BaseURL      string `json:"baseURL"`
	KeySpec      string `json:"keySpec"`
	Organisation string `json:"organisation"`
	TSAPolicy    string `json:"tsaPolicy"`
}

// InitOptions describe a new hierarchy.
type InitOptions struct {
	BaseURL      string // where its services will answer; written into certificates
	KeySpec      string // keys of root, CA, TSA, OCSP and users, as alg.GenerateKey takes them; default "ozdst"
	Organisation string // O of the service certificates; default "test.imzo.local"
	Password     string // of the key files; default: a random one, kept in keys/password
	Options
}

// Options are what an authority takes from its surroundings; zero values mean
// the system's clock and randomness.
type Options struct {
	Now      func() time.Time
	Rand     io.Reader
	Password string // of the key files; default: the content of keys/password
}

// Authority is an open hierarchy. Its methods may be called at the same time.
type Authority struct {
	dir      string
	settings settings
	now      func() time.Time
	rand     io.Reader
	entities map[string]keystore.Entry

	tsa        *tsp.Authority
	responders []*ocsp.Responder
	crls       crlCache

	ledger  *ledger
	mu      sync.RWMutex
	records []*Record
	bySN    map[string]*Record // issuer "/" serial
}

// UnfinishedPattern is what folders are named after, beside or in the folder
// of a hierarchy, while [Init] fills them. A kill leaves one behind.
const UnfinishedPattern = ".trust-*"

// Init makes a hierarchy in dir, which must be absent or an empty folder, and
// opens it. An absent folder appears whole or not at all; an empty one, which
// may be a mount point or somebody's working folder, stays and is filled,
// trust.json last.
func Init(dir string, o InitOptions) (*Authority, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	files, err := os.ReadDir(dir)
	absent := errors.Is(err, fs.ErrNotExist)
	if err != nil && !absent {
		return nil, err
	}
	if len(files) > 0 {
		return nil, fmt.Errorf("%s: %w", dir, ErrExists)
	}
	place := dir // where the unfinished folder lies: on the same file system
	if absent {
		place = filepath.Dir(filepath.Clean(dir))
		if err := os.MkdirAll(place, 0o755); err != nil {
			return nil, err
		}
	}
	tmp, err := os.MkdirTemp(place, UnfinishedPattern)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	a, err := o.build(tmp)
	if err != nil {
		return nil, err
	}
	if absent {
		err = os.Rename(tmp, dir)
	} else {
		err = moveInto(dir, tmp)
	}
	if err != nil {
		return nil, err
	}
	if err := syncDir(place); err != nil {
		return nil, err
	}
	a.dir = dir
	a.ledger.moved(filepath.Join(dir, ledgerFile))
	return a, a.prepare()
}

// moveInto moves what is in a folder to another one, trust.json last: without
// it nothing is a hierarchy.
func moveInto(dir, from string) error {
	files, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	names := []string{}
	for _, f := range files {
		if f.Name() != settingsFile {
			names = append(names, f.Name())
		}
	}
	for _, name := range append(names, settingsFile) {
		to := filepath.Join(dir, name)
		if _, err := os.Lstat(to); err == nil {
			return fmt.Errorf("%s: %w", dir, ErrExists) // another Init was quicker
		}
		if err := os.Rename(filepath.Join(from, name), to); err != nil {
			return err
		}
	}
	return nil
}

func (o *InitOptions) complete() error {
	if o.KeySpec == "" {
		o.KeySpec = "ozdst"
	}
	if o.Organisation == "" {
		o.Organisation = "test.imzo.local"
	}
	if o.Password == "" {
		o.Password = o.Options.Password
	}
	o.Options.complete()
	u, err := url.Parse(o.BaseURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("%w: it must be a URL such as http://127.0.0.1:8090, not %q", ErrAddress, o.BaseURL)
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%w: paths are added to it, so %q cannot have a query", ErrAddress, o.BaseURL)
	}
	o.BaseURL = strings.TrimSuffix(o.BaseURL, "/")
	return nil
}

func (o *Options) complete() {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
}

// build writes the files of a new hierarchy. What it returns is not set up to
// serve yet.
func (o *InitOptions) build(dir string) (*Authority, error) {
	keys := filepath.Join(dir, "keys")
	if err := os.Mkdir(keys, 0o700); err != nil {
		return nil, err
	}
	if o.Password == "" {
		o.Password = rand.Text()
		if err := writeSynced(filepath.Join(keys, "password"), []byte(o.Password+"\n"), 0o600); err != nil {
			return nil, err
		}
	}
	set := settings{Version: 1, BaseURL: o.BaseURL, KeySpec: o.KeySpec, Organisation: o.Organisation, TSAPolicy: DefaultTSAPolicy}
	config, err := json.MarshalIndent(set, "", "  ")
	if err != nil {
		return nil, err
	}
	if err := writeSynced(filepath.Join(dir, settingsFile), append(config, '\n'), 0o644); err != nil {
		return nil, err
	}
	a := &Authority{dir: dir, settings: set, now: o.Now, rand: o.Rand, entities: map[string]keystore.Entry{}, bySN: map[string]*Record{}}
	if a.ledger, err = openLedger(filepath.Join(dir, ledgerFile), a.apply); err != nil {
		return nil, err
	}
	// The VPN is TLS, which knows no GOST: its keys are ECDSA whatever the
	// hierarchy's own are.
	for _, e := range []struct {
		name, issuer, subject, keySpec string
		profile                        Profile
	}{
		{entityRoot, "", "CN=TestRoot,O=" + escape(o.Organisation) + ",C=UZ", o.KeySpec, profileRoot},
		{entityCA, entityRoot, "CN=TestCA,O=" + escape(o.Organisation), o.KeySpec, profileCA},
		{entityTSA, entityCA, "CN=TSA,O=" + escape(o.Organisation), o.KeySpec, profileTSA},
		{entityOCSP, entityCA, "CN=OCSP,O=" + escape(o.Organisation), o.KeySpec, profileOCSP},
		{entityVPN, "", "CN=VPN CA,O=" + escape(o.Organisation), "ecdsa:P-256", profileRoot},
		{entityVPNOCSP, entityVPN, "CN=VPN OCSP,O=" + escape(o.Organisation), "ecdsa:P-256", profileOCSP},
	} {
		subject, err := cert.ParseName(e.subject)
		if err != nil {
			return nil, err
		}
		entity, err := a.issue(certificateOrder{issuer: e.issuer, ledger: ledgerOf[e.name], subject: subject, profile: e.profile, keySpec: e.keySpec})
		if err != nil {
			return nil, fmt.Errorf("making %s: %w", e.name, err)
		}
		entity.Alias = e.name
		a.entities[e.name] = entity
		pfx, err := keystore.CreatePFX(o.Rand, []keystore.Entry{entity}, o.Password, keystore.ProfileModern)
		if err != nil {
			return nil, err
		}
		if err := writeSynced(filepath.Join(keys, e.name+".pfx"), pfx, 0o600); err != nil {
			return nil, err
		}
	}
	if err := writeSynced(filepath.Join(dir, "root.pem"), cert.EncodePEM(a.entities[entityRoot].Chain[0]), 0o644); err != nil {
		return nil, err
	}
	return a, errors.Join(syncDir(keys), syncDir(dir))
}

func writeSynced(name string, b []byte, mode os.FileMode) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}

// Open opens the hierarchy in dir.
func Open(dir string, o Options) (*Authority, error) {
	o.complete()
	set, err := readSettings(dir)
	if err != nil {
		return nil, err
	}
	a := &Authority{dir: dir, settings: set, now: o.Now, rand: o.Rand, entities: map[string]keystore.Entry{}, bySN: map[string]*Record{}}
	if o.Password == "" {
		if o.Password, err = readKeysPassword(dir); err != nil {
			return nil, err
		}
	}
	for _, name := range []string{entityRoot, entityCA, entityTSA, entityOCSP, entityVPN, entityVPNOCSP} {
		path := filepath.Join(dir, "keys", name+".pfx")
		pfx, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		entries, err := keystore.OpenPFX(pfx, o.Password)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if len(entries) != 1 || len(entries[0].Chain) == 0 {
			return nil, fmt.Errorf("%s: one key with its certificates belongs here", path)
		}
		a.entities[name] = entries[0]
	}
	if a.ledger, err = openLedger(filepath.Join(dir, ledgerFile), a.apply); err != nil {
		return nil, err
	}
	if err := a.checkLedger(); err != nil {
		return nil, err
	}
	return a, a.prepare()
}

// readKeysPassword reads the password that a hierarchy keeps beside its keys.
func readKeysPassword(dir string) (string, error) {
	b, err := os.ReadFile(filepath.Join(dir, "keys", "password"))
	if err != nil {
		return "", fmt.Errorf("the password of the key files: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// checkLedger looks for the certificates of the services themselves, the
// first entries of every ledger. One that lacks them is lost or another
// hierarchy's, and certificate lists made from it would leave out what has
// been revoked.
func (a *Authority) checkLedger() error {
	for name, e := range a.entities {
		id := ledgerOf[name] + "/" + e.Chain[0].SerialHex()
		if r := a.bySN[id]; r == nil || !r.Cert.Equal(e.Chain[0]) {
			return fmt.Errorf("%w: %s does not record the certificate of %s", ErrDamaged, a.ledger.path, name)
		}
	}
	return nil
}

func readSettings(dir string) (settings, error) {
	path := filepath.Join(dir, settingsFile)
	config, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return settings{}, fmt.Errorf("%s: %w", dir, ErrNoHierarchy)
	}
	if err != nil {
		return settings{}, err
	}
	var set settings
	if err := json.Unmarshal(config, &set); err != nil {
		return settings{}, fmt.Errorf("%s: %w", path, err)
	}
	if set.Version != 1 {
		return settings{}, fmt.Errorf("%s is of version %d, this program reads 1", path, set.Version)
	}
	return set, nil
}

// ReadBaseURL returns where the services of the hierarchy in dir answer,
// without opening its keys.
func ReadBaseURL(dir string) (string, error) {
	set, err := readSettings(dir)
	return set.BaseURL, err
}

// prepare sets up the services.
func (a *Authority) prepare() error {
	policy, err := ber.ParseOID(a.settings.TSAPolicy)
	if err != nil {
		return fmt.Errorf("tsaPolicy: %w", err)
	}
	tsa := a.entities[entityTSA]
	a.tsa = &tsp.Authority{
		Key: tsa.Key, Chain: tsa.Chain, Policy: policy, Name: a.TSAURL(),
		Serial: a.randomSerial, Now: a.now, Rand: a.rand,
	}
	for responder, issuer := range map[string]string{entityOCSP: entityCA, entityVPNOCSP: entityVPN} {
		e := a.entities[responder]
		a.responders = append(a.responders, &ocsp.Responder{
			Certificate: e.Chain[0], Key: e.Key, Issuer: a.entities[issuer].Chain[0],
			Lookup: a.lookup(issuer), Now: a.now, Rand: a.rand, Validity: ocspValidity,
		})
	}
	return nil
}

// Anchors returns the root of the hierarchy as a trust set.
func (a *Authority) Anchors() *cert.Pool { return cert.NewPool(a.Root()) }

// Root returns the root certificate.
func (a *Authority) Root() *cert.Certificate { return a.entities[entityRoot].Chain[0] }

// BaseURL returns where the services answer, as written into certificates.
func (a *Authority) BaseURL() string { return a.settings.BaseURL }

// OCSPURL returns the address of the OCSP responder.
func (a *Authority) OCSPURL() string { return a.settings.BaseURL + pathOCSP }

// TSAURL returns the address of the timestamp authority.
func (a *Authority) TSAURL() string { return a.settings.BaseURL + pathTSA }

// Timestamp answers an RFC 3161 request without going over HTTP.
func (a *Authority) Timestamp(ctx context.Context, request []byte) []byte {
	return a.tsa.Respond(ctx, request)
}

// Status is where a certificate stands.
type Status string

const (
	StatusGood      Status = "good"
	StatusSuspended Status = "suspended" // certificateHold
	StatusRevoked   Status = "revoked"
)

// Record is what the ledger says of a certificate.
type Record struct {
	Serial    string            `json:"serial"`
	Issuer    string            `json:"issuer"`
	Profile   Profile           `json:"profile"`
	Subject   string            `json:"subject"`
	NotBefore time.Time         `json:"notBefore"`
	NotAfter  time.Time         `json:"notAfter"`
	Status    Status            `json:"status"`
	ChangedAt time.Time         `json:"changedAt"`        // of the status
	Reason    string            `json:"reason,omitempty"` // RFC 5280 name, for suspended and revoked
	Cert      *cert.Certificate `json:"-"`

	reason int
}

// apply takes one ledger entry into memory; the ledger calls it in order.
func (a *Authority) apply(e entry) error {
	if err := a.record(e); err != nil {
		return err
	}
	// Not while a.mu is held: who makes a list holds the lock of the lists
	// and waits for the records. Nobody gets the old list meanwhile: the
	// ledger is locked, and CRL reads it first.
	a.crls.note(e)
	return nil
}

func (a *Authority) record(e entry) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	id := e.Issuer + "/" + e.Serial
	r := a.bySN[id]
	if e.Event == eventIssue {
		c, err := cert.Parse(e.Cert)
		if err != nil {
			return err
		}
		if r != nil || c.SerialHex() != e.Serial {
			return fmt.Errorf("certificate %s is recorded wrongly", id)
		}
		r = &Record{
			Serial: e.Serial, Issuer: e.Issuer, Profile: e.Profile, Subject: c.Subject.String(),
			NotBefore: c.NotBefore, NotAfter: c.NotAfter, Status: StatusGood, ChangedAt: e.Time, Cert: c,
		}
		a.bySN[id] = r
		a.records = append(a.records, r)
		return nil
	}
	if r == nil {
		return fmt.Errorf("%s of %s, which was never issued", e.Event, id)
	}
	next := *r // records handed out stay as they were
	next.ChangedAt, next.reason, next.Reason = e.Time, e.Reason, ocsp.ReasonName(e.Reason)
	switch e.Event {
	case eventRevoke:
		next.Status = StatusRevoked
	case eventSuspend:
		next.Status = StatusSuspended
	case eventResume:
		next.Status, next.Reason = StatusGood, ""
	default:
		return fmt.Errorf("unknown event %q", e.Event)
	}
	a.bySN[id] = &next
	a.records[slices.Index(a.records, r)] = &next
	return nil
}

// List returns every certificate in the order of issue.
func (a *Authority) List() ([]Record, error) {
	if err := a.ledger.refresh(); err != nil {
		return nil, err
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	out := make([]Record, len(a.records))
	for i, r := range a.records {
		out[i] = *r
	}
	return out, nil
}

// find returns the record of a serial number in hex; it must be the only one
// among the issuers.
func (a *Authority) find(serial string) (*Record, error) {
	serial = strings.TrimLeft(strings.ToLower(strings.TrimSpace(serial)), "0")
	a.mu.RLock()
	defer a.mu.RUnlock()
	var found *Record
	for _, issuer := range []string{entityRoot, entityCA, entityVPN} {
		if r := a.bySN[issuer+"/"+serial]; r != nil {
			if found != nil {
				return nil, fmt.Errorf("%s: several certificates have this serial number", serial)
			}
			found = r
		}
	}
	if found == nil {
		return nil, fmt.Errorf("%s: %w", serial, ErrUnknownSerial)
	}
	return found, nil
}

// Revoke revokes a certificate for good. The reason is a name of RFC 5280
// 5.3.1 such as "keyCompromise"; "" means unspecified.
func (a *Authority) Revoke(serial, reason string) (Record, error) {
	code, err := reasonCode(reason)
	if err != nil {
		return Record{}, err
	}
	return a.change(serial, eventRevoke, code, StatusGood, StatusSuspended)
}

// Suspend puts a certificate on hold; [Authority.Resume] takes it off again.
func (a *Authority) Suspend(serial string) (Record, error) {
	return a.change(serial, eventSuspend, reasonCertificateHold, StatusGood)
}

// Resume ends a suspension.
func (a *Authority) Resume(serial string) (Record, error) {
	return a.change(serial, eventResume, 0, StatusSuspended)
}

func (a *Authority) change(serial string, what event, reason int, from ...Status) (Record, error) {
	var done *Record
	err := a.ledger.transact(func() (entry, error) {
		r, err := a.find(serial)
		if err != nil {
			return entry{}, err
		}
		if !slices.Contains(from, r.Status) {
			return entry{}, fmt.Errorf("%w: %s is %s", ErrStatus, r.Serial, r.Status)
		}
		done = r
		return entry{Event: what, Time: a.now().UTC().Truncate(time.Second), Issuer: r.Issuer, Serial: r.Serial, Reason: reason}, nil
	})
	if err != nil {
		return Record{}, err
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	return *a.bySN[done.Issuer+"/"+done.Serial], nil
}

const reasonCertificateHold = 6

// reasonCode returns the CRLReason code of a name. Hold has its own command,
// and removeFromCRL is no state of a certificate.
func reasonCode(name string) (int, error) {
	if name == "" {
		return 0, nil
	}
	var names []string
	for _, code := range []int{0, 1, 2, 3, 4, 5, 9, 10} {
		if strings.EqualFold(ocsp.ReasonName(code), name) {
			return code, nil
		}
		names = append(names, ocsp.ReasonName(code))
	}
	return 0, fmt.Errorf("%w %q; use one of %s", ErrReason, name, strings.Join(names, ", "))
}

// randomSerial returns a positive 63-bit serial number.
func (a *Authority) randomSerial() (*big.Int, error) {
	for {
		v, err := rand.Int(a.rand, new(big.Int).Lsh(big.NewInt(1), 63))
		if err != nil || v.Sign() > 0 {
			return v, err
		}
	}
}

// Entities returns the names of the service certificates, for display.
func (a *Authority) Entities() map[string]*cert.Certificate {
	out := map[string]*cert.Certificate{}
	for name := range maps.Keys(a.entities) {
		out[name] = a.entities[name].Chain[0]
	}
	return out
}

// generate makes a key of the hierarchy's kind, or of spec when given.
func (a *Authority) generate(spec string) (*alg.PrivateKey, error) {
	if spec == "" {
		spec = a.settings.KeySpec
	}
	return alg.GenerateKey(spec, a.rand)
}
