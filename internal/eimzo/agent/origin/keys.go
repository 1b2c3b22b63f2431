package origin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"imzo/internal/eimzo/apikey"
)

// Bounds of the keys that pages make us keep.
const (
	maxKeys  = 4096
	maxStore = 4 << 20
)

// KeyError tells that a key is not that of its domain.
type KeyError struct{ Domain string }

func (e *KeyError) Error() string { return "not the API key of the domain " + e.Domain }

// Keys are the API keys that pages have brought. They are public words of the
// vendor, so it does not matter which page brings which.
type Keys struct {
	path string
	log  *slog.Logger

	mu   sync.Mutex
	keys map[string]string // by domain
}

// OpenKeys reads the keys of a file, which need not be there; "" keeps them in
// memory only. Keys that do not verify any more are left out.
func OpenKeys(path string, log *slog.Logger) (*Keys, error) {
	k := &Keys{path: path, log: log, keys: map[string]string{}}
	if path == "" {
		return k, nil
	}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxStore))
	if err != nil {
		return nil, err
	}
	stored := map[string]string{}
	if err := json.Unmarshal(text, &stored); err != nil {
		// Pages bring their keys again.
		log.Warn("the file of API keys is damaged and starts anew", "file", filepath.Base(path))
		return k, nil
	}
	for domain, key := range stored {
		if apikey.Verify(domain, key) == nil && len(k.keys) < maxKeys {
			k.keys[domain] = key
		}
	}
	return k, nil
}

// Has tells whether there is a key of the domain.
func (k *Keys) Has(domain string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, ok := k.keys[domain]
	return ok
}

// Register takes pairs of a domain and its key: all, or with a [*KeyError]
// none.
func (k *Keys) Register(pairs []string) error {
	for i := 0; i+1 < len(pairs); i += 2 {
		k.mu.Lock()
		known := k.keys[pairs[i]] == pairs[i+1]
		k.mu.Unlock()
		if !known && apikey.Verify(pairs[i], pairs[i+1]) != nil {
			return &KeyError{pairs[i]}
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	changed := false
	for i := 0; i+1 < len(pairs); i += 2 {
		domain, key := pairs[i], pairs[i+1]
		if _, ok := k.keys[domain]; ok {
			continue
		}
		if len(k.keys) >= maxKeys {
			return fmt.Errorf("%d API keys are kept already", maxKeys)
		}
		k.keys[domain] = key
		changed = true
	}
	if !changed || k.path == "" {
		return nil
	}
	// The page goes on either way: it brings its key again after a start.
	if err := k.write(); err != nil && k.log != nil {
		k.log.Warn("the API keys cannot be stored", "file", filepath.Base(k.path), "error", err.Error())
	}
	return nil
}

// write puts the keys into the file: it has the old ones or the new ones. The
// caller holds the lock.
func (k *Keys) write() error {
	text, err := json.MarshalIndent(k.keys, "", "  ")
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(k.path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(append(text, '\n'))
	if err := errors.Join(err, file.Chmod(0o600), file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), k.path)
}
