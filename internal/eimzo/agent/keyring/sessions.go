package keyring

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"imzo/internal/secret"
	"imzo/pki/alg"
)

// Type is what an id stands for, in the words of the protocol.
type Type string

// The types of the protocol.
const (
	TypeKeyPair Type = "KEY_PAIR"
	TypePFX     Type = "PFX_KEY_STORE"
	TypeYTKS    Type = "YTKS_KEY_STORE"
	TypeIDCard  Type = "IDCARD_EIMZO_KEY_STORE"
	TypeBAIK    Type = "BAIK_TOKEN_KEY_STORE"
	TypeUZGUARD Type = "UZGUARD_TOKEN_KEY_STORE"
	TypeCKC     Type = "CKC_STORE"
)

// How long things live. The original does not tell how long a key is loaded
// for; pages keep ids for a working day.
const (
	sessionLife   = 24 * time.Hour
	shortRemember = 60 * time.Second
	longRemember  = 6 * time.Hour
	maxSessions   = 4096
	maxOfOrigin   = 512 // so that one page does not push out those of others
)

// ErrNoID tells that an id is not known, has ended, or is another page's.
var ErrNoID = errors.New("no such key id")

// Session is what a page has loaded.
type Session struct {
	ID     string
	Type   Type
	Origin string // the page's
	File   File
	Alias  string
	Serial string          // of the certificate, for YTKS
	Key    *alg.PrivateKey // of a KEY_PAIR; nil but from [Ring.Use]
}

// Options say where keys are, and how long what is kept.
type Options struct {
	// Dirs are folders to look in, as if they were disks.
	Dirs []string
	// Roots lists the disks there are now, such as [Volumes]; nil for none.
	Roots func() []string
	// Global makes ids of use to every page, as in the original.
	Global bool
	Now    func() time.Time // nil is time.Now
	Log    *slog.Logger     // nil discards
}

// Ring finds keys and remembers sessions. It is safe for use by several
// goroutines.
type Ring struct {
	options  Options
	log      *slog.Logger
	stat     func(path string) (fs.FileInfo, error)
	patience time.Duration // with a disk, see look

	probing sync.Mutex
	probes  map[disk]*probe // that have not been answered

	keeping    sync.Mutex
	kept       map[File]kept // what was in files, so that they are read once
	keptOctets int64

	writing sync.Mutex // of files

	mu        sync.Mutex
	sessions  map[string]*session
	passwords map[passwordKey]*remembered
}

type session struct {
	Session
	since, used time.Time
	users       int  // of the key
	gone        bool // the last of them wipes it
}

type passwordKey struct{ origin, id string }

type remembered struct {
	secret *secret.Secret
	opened Wiper // nil where nothing is kept
	until  time.Time
	timer  *time.Timer
}

// New makes a ring, which has to be closed.
func New(o Options) *Ring {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Ring{options: o, log: o.Log, stat: os.Stat, patience: patience, probes: map[disk]*probe{}, kept: map[File]kept{}, sessions: map[string]*session{}, passwords: map[passwordKey]*remembered{}}
}

// Close forgets all passwords and keys.
func (r *Ring) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k := range r.passwords {
		r.forget(k)
	}
	for id := range r.sessions {
		r.drop(id)
	}
	return nil
}

// Add keeps a session under a new id, a UUID without its hyphens (RFC 9562
// 5.4).
func (r *Ring) Add(s Session) (id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.options.Now()
	var oldest, oldestOfOrigin *session
	ofOrigin := 0
	older := func(a, b *session) *session {
		if a == nil || b.used.Before(a.used) {
			return b
		}
		return a
	}
	for id, k := range r.sessions {
		if now.Sub(k.since) >= sessionLife {
			r.drop(id)
			continue
		}
		oldest = older(oldest, k)
		if k.Origin == s.Origin {
			ofOrigin++
			oldestOfOrigin = older(oldestOfOrigin, k)
		}
	}
	switch {
	case ofOrigin >= maxOfOrigin:
		r.drop(oldestOfOrigin.ID)
	case len(r.sessions) >= maxSessions:
		r.drop(oldest.ID)
	}
	s.ID = newID()
	r.sessions[s.ID] = &session{Session: s, since: now, used: now}
	return s.ID
}

func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return hex.EncodeToString(b[:])
}

// Get returns what a page loaded under an id.
func (r *Ring) Get(origin, id string) (Session, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k, err := r.get(origin, id)
	if err != nil {
		return Session{}, err
	}
	k.used = r.options.Now()
	s := k.Session
	s.Key = nil
	return s, nil
}

// Use is [Ring.Get] with the key of a KEY_PAIR, which is not wiped before done
// was called, whatever becomes of the session.
func (r *Ring) Use(origin, id string) (s Session, done func(), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k, err := r.get(origin, id)
	if err != nil {
		return Session{}, func() {}, err
	}
	k.used = r.options.Now()
	k.users++
	return k.Session, sync.OnceFunc(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		k.users--
		k.wipe()
	}), nil
}

// wipe wipes the key when the session is gone and nobody uses it. The caller
// holds the lock.
func (k *session) wipe() {
	if k.gone && k.users == 0 && k.Key != nil {
		k.Key.Wipe()
	}
}

// get finds a session. The caller holds the lock.
func (r *Ring) get(origin, id string) (*session, error) {
	k, ok := r.sessions[id]
	if !ok || !r.options.Global && k.Origin != origin {
		return nil, ErrNoID
	}
	if r.options.Now().Sub(k.since) >= sessionLife {
		r.drop(id)
		return nil, ErrNoID
	}
	return k, nil
}

// Remove ends a session and forgets its password.
func (r *Ring) Remove(origin, id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := r.get(origin, id); err != nil {
		return err
	}
	r.drop(id)
	return nil
}

// drop ends a session. The caller holds the lock.
func (r *Ring) drop(id string) {
	if k := r.sessions[id]; k != nil {
		k.gone = true
		k.wipe()
	}
	delete(r.sessions, id)
	for k := range r.passwords {
		if k.id == id {
			r.forget(k)
		}
	}
}

// password keys: with Global all pages share.
func (r *Ring) passwordKey(origin, id string) passwordKey {
	if r.options.Global {
		origin = ""
	}
	return passwordKey{origin, id}
}

// Remember keeps a copy of the password of an id: for six hours, or for a
// minute, which is what a page needs for signing several documents in a row.
func (r *Ring) Remember(origin, id string, s *secret.Secret, long bool) {
	life := shortRemember
	if long {
		life = longRemember
	}
	k := r.passwordKey(origin, id)
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.passwords[k]; !known && len(r.passwords) >= maxSessions {
		return
	}
	r.forget(k)
	kept := &remembered{secret: s.Clone(), until: r.options.Now().Add(life)}
	kept.timer = time.AfterFunc(life, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.passwords[k] == kept {
			r.forget(k)
		}
	})
	r.passwords[k] = kept
}

// Remembered returns a copy of the password of an id, which the caller wipes.
func (r *Ring) Remembered(origin, id string) (*secret.Secret, bool) {
	k := r.passwordKey(origin, id)
	r.mu.Lock()
	defer r.mu.Unlock()
	kept, ok := r.passwords[k]
	if !ok {
		return nil, false
	}
	if !r.options.Now().Before(kept.until) {
		r.forget(k)
		return nil, false
	}
	return kept.secret.Clone(), true
}

// Wiper is what a password has opened.
type Wiper interface{ Wipe() }

// Keep keeps what the remembered password of an id has opened, and wipes it
// when the password goes; without a password at once.
func (r *Ring) Keep(origin, id string, opened Wiper) {
	k := r.passwordKey(origin, id)
	r.mu.Lock()
	defer r.mu.Unlock()
	kept, ok := r.passwords[k]
	if !ok {
		opened.Wipe()
		return
	}
	if kept.opened != nil {
		kept.opened.Wipe()
	}
	kept.opened = opened
}

// Kept returns what [Ring.Keep] has kept, or nil. It may be wiped at any time.
func (r *Ring) Kept(origin, id string) Wiper {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept, ok := r.passwords[r.passwordKey(origin, id)]
	if !ok || !r.options.Now().Before(kept.until) {
		return nil
	}
	return kept.opened
}

// Forget wipes the password of an id.
func (r *Ring) Forget(origin, id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(r.passwordKey(origin, id))
}

// ForgetFile ends all sessions of a file, after its password has changed.
func (r *Ring) ForgetFile(f File) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, k := range r.sessions {
		if k.File == f {
			r.drop(id)
		}
	}
}

// ForgetPrefix wipes the passwords of all ids that begin so, for all pages: the
// PINs of tokens.
func (r *Ring) ForgetPrefix(prefix string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k := range r.passwords {
		if strings.HasPrefix(k.id, prefix) {
			r.forget(k)
		}
	}
}

// forget wipes a password. The caller holds the lock.
func (r *Ring) forget(k passwordKey) {
	kept, ok := r.passwords[k]
	if !ok {
		return
	}
	kept.timer.Stop()
	kept.secret.Wipe()
	if kept.opened != nil {
		kept.opened.Wipe()
	}
	delete(r.passwords, k)
}
