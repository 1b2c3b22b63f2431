package keystore

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"time"

	"imzo/pki/alg"
	"imzo/pki/cert"
)

// YKSItem is a key of a YKS file as far as it can be seen without a password.
type YKSItem struct {
	// Alias is the name of the key, as the file has it.
	Alias string
	// Chain is subject first, then issuers; it may be empty.
	Chain []*cert.Certificate
	// Created is when the entry was made; the zero time when the file says 0.
	Created time.Time
}

// ListYKS returns the keys of a YKS file (E-IMZO's YTKS-2 store), in the order
// of the file. It needs no password, as certificates and aliases stand in the
// clear: E-IMZO itself lists under the password 00000000, with which it checks
// nothing. So nothing here proves that the file is as its owner wrote it.
// Trusted certificates, which stand for no key, are not listed. Errors wrap
// [ErrFormat], [ErrUnsupported] or [ErrLimit].
func ListYKS(data []byte) ([]YKSItem, error) {
	s, err := parseYKS(data)
	if err != nil {
		return nil, err
	}
	var items []YKSItem
	for _, e := range s.entries {
		if e.kind != yksKey {
			continue
		}
		chain, err := e.certificates()
		if err != nil {
			return nil, err
		}
		items = append(items, YKSItem{Alias: e.alias, Chain: chain, Created: e.time()})
	}
	return items, nil
}

// OpenYKS returns the keys of a YKS file with their chains, as the file has
// them; unlike those of a PFX, aliases may have any case. The password
// 00000000 is a password like any other here; see [ListYKS].
//
// Errors wrap [ErrPassword] when the password does not fit or the file was
// changed, which its digest does not tell apart, [ErrFormat], [ErrUnsupported]
// or [ErrLimit].
func OpenYKS(data []byte, password string) ([]Entry, error) {
	s, pw, err := unlockYKS(data, password)
	if err != nil {
		return nil, err
	}
	defer clear(pw)
	var entries []Entry
	for _, e := range s.entries {
		if e.kind != yksKey {
			continue
		}
		opened, err := e.open(pw)
		if err != nil {
			return nil, err
		}
		entries = append(entries, opened)
	}
	return entries, nil
}

// CreateYKS writes the entries to a YKS file, each with its alias as it is. The
// demands on entries are those of [CreatePFX], but a file without any is one
// too. Created is written to the millisecond, the certificate's notBefore where
// it is zero.
func CreateYKS(rand io.Reader, entries []Entry, password string) ([]byte, error) {
	if len(entries) > 0 {
		if err := checkEntries(entries); err != nil {
			return nil, err
		}
	}
	pw, err := yksPassword(password)
	if err != nil {
		return nil, err
	}
	defer clear(pw)
	var s yks
	for _, e := range entries {
		if len(e.Chain) > maxChain {
			return nil, fmt.Errorf("%w: a chain of more than %d certificates", ErrLimit, maxChain)
		}
		out := yksEntry{kind: yksKey, alias: e.Alias, created: e.created().UnixMilli()}
		for _, c := range e.Chain {
			out.certs = append(out.certs, c.Raw)
		}
		plain, err := MarshalPKCS8(e.Key)
		if err != nil {
			return nil, err
		}
		out.key, err = sealYKSKey(rand, pw, plain)
		clear(plain)
		if err != nil {
			return nil, err
		}
		s.entries = append(s.entries, out)
	}
	return s.marshal(pw)
}

// created is when the entry was made, as far as anything tells.
func (e Entry) created() time.Time {
	switch {
	case !e.Created.IsZero():
		return e.Created
	case len(e.Chain) > 0:
		return e.Chain[0].NotBefore
	}
	return time.UnixMilli(0)
}

// ChangeYKSPassword writes the store under another password. All else stays as
// it was: trusted certificates too, which [CreateYKS] could not bring back.
// Errors are those of [OpenYKS] and of [CreateYKS].
func ChangeYKSPassword(rand io.Reader, data []byte, old, password string) ([]byte, error) {
	s, pw, err := unlockYKS(data, old)
	if err != nil {
		return nil, err
	}
	defer clear(pw)
	newPW, err := yksPassword(password)
	if err != nil {
		return nil, err
	}
	defer clear(newPW)
	for i := range s.entries {
		e := &s.entries[i]
		if e.kind != yksKey {
			continue
		}
		plain, err := openYKSKey(pw, e.key)
		if err != nil {
			return nil, e.named(err)
		}
		e.key, err = sealYKSKey(rand, newPW, plain)
		clear(plain)
		if err != nil {
			return nil, err
		}
	}
	return s.marshal(newPW)
}

// unlockYKS reads a store and checks its digest. The caller clears the octets
// of the password.
func unlockYKS(data []byte, password string) (*yks, []byte, error) {
	s, err := parseYKS(data)
	if err != nil {
		return nil, nil, err
	}
	pw, err := yksPassword(password)
	if err != nil {
		return nil, nil, err
	}
	if subtle.ConstantTimeCompare(yksDigest(pw, s.body), s.digest) != 1 {
		clear(pw)
		return nil, nil, fmt.Errorf("%w, or the YKS file was changed", ErrPassword)
	}
	return s, pw, nil
}

// trustedYKS returns the certificates of a store that stand alone.
func trustedYKS(data []byte, password string) ([]*cert.Certificate, error) {
	s, pw, err := unlockYKS(data, password)
	if err != nil {
		return nil, err
	}
	clear(pw)
	var certs []*cert.Certificate
	for _, e := range s.entries {
		if e.kind != yksTrusted {
			continue
		}
		list, err := e.certificates()
		if err != nil {
			return nil, err
		}
		certs = append(certs, list...)
	}
	return certs, nil
}

// open decrypts the key of an entry.
func (e *yksEntry) open(pw []byte) (Entry, error) {
	plain, err := openYKSKey(pw, e.key)
	if err != nil {
		return Entry{}, e.named(err)
	}
	defer clear(plain)
	key, err := ParsePKCS8(plain)
	if err != nil {
		return Entry{}, e.named(err)
	}
	chain, err := e.certificates()
	if err != nil {
		return Entry{}, err
	}
	out := Entry{Alias: e.alias, Key: key, Chain: chain, Created: e.time()}
	if len(chain) == 0 {
		return out, nil
	}
	if !key.PublicKey().SameKey(chain[0].PublicKey) {
		return Entry{}, e.named(formatErrorf("its certificate is another key's"))
	}
	// The certificate knows the parameter set and identifiers best.
	if out.Key, err = alg.NewPrivateKeyWithSPKI(key.Signer(), chain[0].PublicKey); err != nil {
		return Entry{}, algError(err)
	}
	return out, nil
}

// named says which entry an error is about.
func (e *yksEntry) named(err error) error {
	if errors.Is(err, ErrPassword) {
		return fmt.Errorf("%w: the key %q has another one", err, e.alias)
	}
	return fmt.Errorf("key %q: %w", e.alias, err)
}

// certificates parses the certificates of an entry.
func (e *yksEntry) certificates() ([]*cert.Certificate, error) {
	var certs []*cert.Certificate
	for _, der := range e.certs {
		c, err := cert.Parse(der)
		if err != nil {
			return nil, formatError(fmt.Sprintf("certificate of entry %q", e.alias), err)
		}
		certs = append(certs, c)
	}
	return certs, nil
}

// time is when the entry was made. What lies beyond the calendar of
// certificates says nothing, and JSON could not hold it.
func (e *yksEntry) time() time.Time {
	t := time.UnixMilli(e.created).UTC()
	if e.created == 0 || t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}
