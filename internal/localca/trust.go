package localca

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Why a store cannot be used. What the functions return says what to do.
var (
	ErrRights      = errors.New("root rights are needed")
	ErrUnsupported = errors.New("not possible on this system")
	ErrNoCertutil  = errors.New("the program certutil is missing: install libnss3-tools (Debian, Ubuntu), nss-tools (Fedora) or nss (Homebrew)")
	ErrNoDatabase  = errors.New("no database of a browser was found: start the browser once")
	ErrNoJava      = errors.New("no Java was found: set JAVA_HOME to one that has bin/keytool and lib/security/cacerts")
	ErrNotTrusted  = errors.New("the CA was given to the store, which does not trust it")
	ErrNoStore     = errors.New("no trust store was asked for")
)

// The names of stores in a [Result]. A database of NSS has its folder too, as
// in "nss /home/aziz/.pki/nssdb".
const (
	StoreSystem = "system"
	StoreNSS    = "nss"
	StoreJava   = "java"
)

// Stores says which trust stores are meant.
type Stores struct {
	// System is the store of the operating system, which the browsers of
	// Windows and macOS use, and on Linux programs such as curl.
	System bool
	// NSS are the databases of Firefox and, on Linux, of Chromium and its
	// kin: one in each profile.
	NSS bool
	// NSSDirs, unless it is empty, are the folders of the databases (those
	// with a cert9.db), in place of the ones found in the person's home.
	NSSDirs []string
	// Java is the store of the Java that JAVA_HOME names.
	Java bool
}

// Result tells about one store.
type Result struct {
	Store   string
	Present bool // whether the store trusts the CA now
	Err     error
}

// store is one place that certificates are trusted from.
type store interface {
	name() string
	trusted(context.Context, *Authority) (bool, error)
	install(context.Context, *Authority) error
	remove(context.Context, *Authority) error
}

// Install has the stores trust this CA. One that fails does not keep the others
// from being tried; the error joins those of all of them. A store that trusts
// it already is left alone.
//
// The store of the system, and Java's where it is the system's, need root
// rights on Unix. They are taken through sudo, and only when sudo asks for no
// password: [ErrRights] tells the person to run "sudo -v" first. On Windows and
// macOS the system itself may ask the person to confirm.
//
// An authority that is not valid now is not installed ([ErrValidity]).
//
// A context that is done stops between stores, and ends certutil; the other
// programs are waited for.
func (a *Authority) Install(ctx context.Context, stores Stores) ([]Result, error) {
	if !a.valid() {
		return nil, fmt.Errorf("%w: it must be renewed before it is installed", ErrValidity)
	}
	return a.each(ctx, stores, func(s store) error {
		if present, err := s.trusted(ctx, a); present && err == nil {
			return nil
		}
		if err := s.install(ctx, a); err != nil {
			return err
		}
		// Programs report success for less.
		present, err := s.trusted(ctx, a)
		if err == nil && !present {
			err = ErrNotTrusted
		}
		return err
	})
}

// Remove ends the trust of the stores in this CA, as [Authority.Install] began
// it; that of a store in which it is not is no error. From the databases of NSS
// go all certificates of its name, so also those from before a Renew.
func (a *Authority) Remove(ctx context.Context, stores Stores) ([]Result, error) {
	return a.each(ctx, stores, func(s store) error { return s.remove(ctx, a) })
}

// Show tells for each store whether it trusts this CA. Nothing is changed and
// no rights are needed.
func (a *Authority) Show(ctx context.Context, stores Stores) ([]Result, error) {
	return a.each(ctx, stores, func(store) error { return nil })
}

// each does something with each of the stores, and then looks what it trusts.
func (a *Authority) each(ctx context.Context, stores Stores, do func(store) error) ([]Result, error) {
	if !stores.System && !stores.NSS && !stores.Java {
		return nil, ErrNoStore
	}
	var results []Result
	for _, s := range a.stores(stores) {
		r := Result{Store: s.name()}
		if r.Err = ctx.Err(); r.Err == nil {
			r.Err = do(s)
		}
		if ctx.Err() == nil {
			present, err := s.trusted(ctx, a)
			r.Present = present
			if r.Err == nil { // else the second error would tell the same
				r.Err = err
			}
		}
		results = append(results, r)
	}
	var all []error
	for _, r := range results {
		if r.Err != nil {
			all = append(all, fmt.Errorf("%s: %w", r.Store, r.Err))
		}
	}
	return results, errors.Join(all...)
}

func (a *Authority) stores(wanted Stores) []store {
	var all []store
	if wanted.System {
		all = append(all, systemStore{a.computer})
	}
	if wanted.NSS {
		all = append(all, a.computer.databases(wanted.NSSDirs)...)
	}
	if wanted.Java {
		all = append(all, javaStore{a.computer})
	}
	return slices.Clip(all)
}

// brokenStore is a store that cannot be used at all.
type brokenStore struct {
	store string
	err   error
}

func (b brokenStore) name() string                                      { return b.store }
func (b brokenStore) trusted(context.Context, *Authority) (bool, error) { return false, b.err }
func (b brokenStore) install(context.Context, *Authority) error         { return b.err }
func (b brokenStore) remove(context.Context, *Authority) error          { return b.err }
