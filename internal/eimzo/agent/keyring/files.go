package keyring

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"imzo/internal/atomicfile"
	"imzo/pki/cert"
	"imzo/pki/keystore"
)

// maxFile bounds a key file: one with a key and its chain has 5 KiB.
const maxFile = 1 << 20

// Kind is a kind of key file.
type Kind struct {
	Extension string // with the dot, in lower case
	// List describes the keys in a file, without a password.
	List func(data []byte) ([]Listed, error)
}

// Listed is a key in a file.
type Listed struct {
	Alias       string
	Certificate *cert.Certificate // nil where the file hides it
}

// PFX are PKCS#12 files, which show only the aliases.
var PFX = &Kind{Extension: ".pfx", List: func(data []byte) ([]Listed, error) {
	aliases, err := keystore.ListPFX(data)
	if err != nil {
		return nil, err
	}
	var list []Listed
	for _, a := range aliases {
		list = append(list, Listed{Alias: a})
	}
	return list, nil
}}

// YKS are YTKS-2 files, which show the certificates.
var YKS = &Kind{Extension: ".yks", List: func(data []byte) ([]Listed, error) {
	items, err := keystore.ListYKS(data)
	if err != nil {
		return nil, err
	}
	var list []Listed
	for _, i := range items {
		l := Listed{Alias: i.Alias}
		if len(i.Chain) > 0 {
			l.Certificate = i.Chain[0]
		}
		list = append(list, l)
	}
	return list, nil
}}

// Item is a key that a page can load.
type Item struct {
	Disk, Path, Name string
	Listed
}

// List lists the keys of a disk, or of all for "". Files that cannot be read
// are left out, as the original does. The error is [ErrDisk].
func (r *Ring) List(k *Kind, name string) ([]Item, error) {
	items := []Item{}
	if name != "" {
		folder, err := r.folder(name, "")
		if err != nil {
			return nil, err
		}
		items = r.listFolder(items, k, disk(folder).name(), "", folder)
		if filepath.Base(folder) != KeysFolder || r.isDisk(folder) {
			items = r.listFolder(items, k, disk(folder).name(), KeysFolder, filepath.Join(folder, KeysFolder))
		}
		return items, nil
	}
	seen := map[string]bool{}
	for _, d := range r.disks() {
		for _, path := range []string{"", KeysFolder} {
			folder := filepath.Join(string(d), path)
			if seen[folder] {
				continue
			}
			seen[folder] = true
			items = r.listFolder(items, k, d.name(), path, folder)
		}
	}
	return items, nil
}

func (r *Ring) isDisk(folder string) bool {
	for _, d := range r.disks() {
		if string(d) == folder {
			return true
		}
	}
	return false
}

func (r *Ring) listFolder(items []Item, k *Kind, name, path, folder string) []Item {
	list, err := entries(folder, k)
	if err != nil {
		return items
	}
	for _, e := range list {
		if checkName(stem(e.Name())) != nil {
			continue // nobody could load it
		}
		for _, l := range r.listFile(k, File{folder, e.Name()}) {
			items = append(items, Item{name, path, stem(e.Name()), l})
		}
	}
	return items
}

// listed is what a file had in it when it had this size and time.
type listed struct {
	size int64
	time time.Time
	keys []Listed
}

// listFile reads a file, or takes from memory what was in it.
func (r *Ring) listFile(k *Kind, f File) []Listed {
	data, info, err := read(f, func(info fs.FileInfo) bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		was, ok := r.read[f]
		return ok && was.size == info.Size() && was.time.Equal(info.ModTime())
	})
	if err != nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if data == nil {
		return r.read[f].keys
	}
	keys, err := k.List(data)
	if err != nil {
		keys = nil // and it is not read again until it changes
	}
	if len(r.read) >= maxFiles {
		clear(r.read)
	}
	r.read[f] = listed{info.Size(), info.ModTime(), keys}
	return keys
}

// Read reads a key file. The error is [ErrMissing] or [ErrSize].
func (r *Ring) Read(f File) ([]byte, error) {
	data, _, err := read(f, func(fs.FileInfo) bool { return false })
	return data, err
}

// read reads a regular file of the folder: no device and no pipe, which might
// hang, and no link that leads out of the folder. Where known says so the
// content is left out.
func read(f File, known func(fs.FileInfo) bool) ([]byte, fs.FileInfo, error) {
	root, err := os.OpenRoot(f.Folder)
	if err != nil {
		return nil, nil, ErrMissing
	}
	defer root.Close()
	file, err := root.OpenFile(f.Name, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrMissing, err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, nil, ErrMissing
	}
	if info.Size() > maxFile {
		return nil, nil, ErrSize
	}
	if known(info) {
		return nil, info, nil
	}
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrMissing, err)
	}
	if len(data) > maxFile {
		return nil, nil, ErrSize
	}
	return data, info, nil
}

// Create makes a new file, in a DSKEYS folder that is made where it is missing.
// It is there whole or not at all. Errors are those of [Ring.Locate] but
// ErrMissing, [ErrExists] and [ErrFolder].
func (r *Ring) Create(k *Kind, disk, path, name string, data []byte) (File, error) {
	folder, err := r.folder(disk, path)
	if err != nil {
		return File{}, err
	}
	if err := NewName(name); err != nil {
		return File{}, err
	}
	if _, err := r.Locate(k, disk, path, name); err == nil {
		return File{}, ErrExists
	}
	if path != "" {
		if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return File{}, fmt.Errorf("%w: %w", ErrFolder, err)
		}
	}
	f := File{folder, name + k.Extension}
	err = atomicfile.Create(f.Path(), data, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return File{}, ErrExists
	}
	return f, err
}

// Replace puts new content in the place of what was read from the file: the
// one or the other is there at any time. [ErrChanged] tells that somebody else
// has changed it.
func (r *Ring) Replace(f File, was, data []byte) error {
	now, err := r.Read(f)
	if err != nil {
		return err
	}
	if !bytes.Equal(now, was) {
		return ErrChanged
	}
	root, err := os.OpenRoot(f.Folder)
	if err != nil {
		return err
	}
	defer root.Close()
	info, err := root.Stat(f.Name)
	if err != nil {
		return err
	}
	name := ".new-" + rand.Text()
	file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer root.Remove(name) // fails once it is renamed
	_, err = file.Write(data)
	if err := errors.Join(err, file.Chmod(info.Mode().Perm()), file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := root.Rename(name, f.Name); err != nil {
		return err
	}
	return syncFolder(f.Folder)
}
