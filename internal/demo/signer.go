package demo

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"imzo/pki/cms"
	"imzo/pki/keystore"
)

// maxKeyFile bounds a PFX file: a key and a chain take 4 KiB.
const maxKeyFile = 1 << 20

// LocalSigner signs with the PFX files of one folder. It stands in for the
// person's signing program in `imzo up`; nothing else uses it.
type LocalSigner struct {
	Dir  string
	Now  func() time.Time
	Rand io.Reader
}

var _ Signer = LocalSigner{}

// Keys lists the aliases of all PFX files in the folder. Files that do not
// read are left out, as E-IMZO does.
func (s LocalSigner) Keys() ([]Key, error) {
	files, err := os.ReadDir(s.Dir)
	if err != nil {
		return nil, err
	}
	keys := []Key{}
	for _, f := range files {
		if !strings.EqualFold(filepath.Ext(f.Name()), ".pfx") {
			continue
		}
		data, err := s.read(f.Name())
		if err != nil {
			continue
		}
		aliases, err := keystore.ListPFX(data)
		if err != nil {
			continue
		}
		for _, a := range aliases {
			keys = append(keys, Key{ID: f.Name(), Subject: commonName(a), Alias: a})
		}
	}
	return keys, nil
}

// Sign implements [Signer].
func (s LocalSigner) Sign(key, password string, content []byte, detached bool) ([]byte, error) {
	keys, err := s.Keys()
	if err != nil {
		return nil, err
	}
	// The name comes from a page: only what Keys listed is opened.
	if !slices.ContainsFunc(keys, func(k Key) bool { return k.ID == key }) {
		return nil, ErrNoKey
	}
	data, err := s.read(key)
	if err != nil {
		return nil, ErrNoKey
	}
	entries, err := keystore.OpenPFX(data, password)
	if errors.Is(err, keystore.ErrPassword) {
		return nil, ErrPassword
	}
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, ErrNoKey
	}
	return cms.Sign(content, []cms.Signer{{
		Key: entries[0].Key, Chain: entries[0].Chain, SigningTime: s.Now(),
	}}, cms.Options{Detached: detached, Rand: s.Rand})
}

func (s LocalSigner) read(name string) ([]byte, error) {
	f, err := os.Open(filepath.Join(s.Dir, name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxKeyFile))
}

// commonName takes CN out of an alias the way sites do (crypto of E-IMZO
// aliases: name=value pairs after commas), for display only.
func commonName(alias string) string {
	for part := range strings.SplitSeq(alias, ",") {
		if name, value, ok := strings.Cut(part, "="); ok && strings.EqualFold(name, "cn") {
			return strings.ToUpper(value)
		}
	}
	return alias
}
