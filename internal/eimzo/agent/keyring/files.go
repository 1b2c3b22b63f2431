package keyring

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"imzo/internal/atomicfile"
)

// maxFile bounds a key file: one with a key and its chain has 5 KiB.
const maxFile = 1 << 20

// File is a key file: a name in a folder of keys.
type File struct{ Folder, Name string }

// Path is where the file is.
func (f File) Path() string { return filepath.Join(f.Folder, f.Name) }

// Locate finds the file that a page names. Errors are [ErrPath], [ErrDisk],
// [ErrName] and [ErrMissing].
func (r *Ring) Locate(k *Kind, disk, path, name string) (File, error) {
	p, err := r.place(disk, path)
	if err != nil {
		return File{}, err
	}
	if err := checkName(name); err != nil {
		return File{}, err
	}
	root, err := p.open()
	if err != nil {
		return File{}, fmt.Errorf("%w: %w", ErrMissing, err)
	}
	defer root.Close()
	// As it is on the disk, which may not tell capitals from small letters.
	names, _, err := keyFiles(root, k)
	for _, n := range names {
		if stem(n) == name {
			return File{p.folder(), n}, nil
		}
	}
	if err != nil {
		return File{}, fmt.Errorf("%w: %w", ErrMissing, err)
	}
	return File{}, ErrMissing
}

// open opens the folder of a file, which must still be one of keys.
func (r *Ring) open(f File) (*os.Root, error) {
	p, err := r.place(f.Folder, "")
	if err != nil || checkName(stem(f.Name)) != nil || strings.ContainsAny(filepath.Ext(f.Name), `/\:`) {
		return nil, ErrMissing
	}
	root, err := p.open()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMissing, err)
	}
	return root, nil
}

// Read reads a key file. The error is [ErrMissing] or [ErrSize].
func (r *Ring) Read(f File) ([]byte, error) {
	root, err := r.open(f)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if _, err := keyInfo(root, f.Name); err != nil {
		return nil, err
	}
	return readKey(root, f.Name)
}

// keyInfo looks at a file before it is opened: a device may do something then,
// and a link leads elsewhere.
func keyInfo(root *os.Root, name string) (fs.FileInfo, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMissing, err)
	}
	if !info.Mode().IsRegular() {
		return nil, ErrMissing
	}
	if info.Size() > maxFile {
		return nil, ErrSize
	}
	return info, nil
}

// readKey reads a file that was looked at. Should it be another by now, it is
// one of the folder still, and a pipe does not hang us.
func readKey(root *os.Root, name string) ([]byte, error) {
	file, err := root.OpenFile(name, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMissing, err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, ErrMissing
	}
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMissing, err)
	}
	if len(data) > maxFile {
		return nil, ErrSize
	}
	return data, nil
}

// Create makes a new file, in a DSKEYS folder that is made where it is missing.
// It is there whole or not at all. Errors are those of [Ring.Locate] but
// ErrMissing, [ErrExists], [ErrFolder] and [ErrSize].
func (r *Ring) Create(k *Kind, disk, path, name string, data []byte) (File, error) {
	p, err := r.place(disk, path)
	if err != nil {
		return File{}, err
	}
	if err := NewName(name); err != nil {
		return File{}, err
	}
	if len(data) > maxFile {
		return File{}, ErrSize
	}
	r.writing.Lock()
	defer r.writing.Unlock()
	root, err := p.make()
	if err != nil {
		return File{}, fmt.Errorf("%w: %w", ErrFolder, err)
	}
	defer root.Close()
	names, _, err := keyFiles(root, k)
	if err != nil {
		return File{}, err
	}
	for _, n := range names {
		if stem(n) == name {
			return File{}, ErrExists
		}
	}
	f := File{p.folder(), name + k.Extension}
	r.tidy(root)
	err = atomicfile.CreateIn(root, f.Name, data, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return File{}, ErrExists
	}
	return f, err
}

// make opens the folder, which it makes where it is missing.
func (p place) make() (*os.Root, error) {
	if p.keys {
		root, err := os.OpenRoot(string(p.disk))
		if err != nil {
			return nil, err
		}
		defer root.Close()
		if err := root.Mkdir(KeysFolder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	return p.open()
}

// Replace puts new content in the place of what was read from the file: the
// one or the other is there at any time, of the same mode and owner. Errors are
// [ErrChanged], when somebody else has changed it since, [ErrMissing] and
// [ErrSize]; after any error but one of syncing the file is as it was.
func (r *Ring) Replace(f File, was, data []byte) error {
	if len(data) > maxFile {
		return ErrSize
	}
	r.writing.Lock()
	defer r.writing.Unlock()
	root, err := r.open(f)
	if err != nil {
		return err
	}
	defer root.Close()
	unchanged := func() error {
		if _, err := keyInfo(root, f.Name); err != nil {
			return err
		}
		if now, err := readKey(root, f.Name); err != nil {
			return err
		} else if !bytes.Equal(now, was) {
			return ErrChanged
		}
		return nil
	}
	if err := unchanged(); err != nil {
		return err
	}
	r.tidy(root)
	err = atomicfile.ReplaceIn(root, f.Name, data, unchanged)
	r.keeping.Lock()
	r.dropKept(f)
	r.keeping.Unlock()
	return err
}

// tidy removes what a killed agent has left: copies of key files, under the
// password that the person chose then. Another agent may be at work, but not
// for an hour.
func (r *Ring) tidy(root *os.Root) {
	if err := atomicfile.RemoveAbandoned(root, time.Now().Add(-time.Hour)); err != nil {
		r.log.Debug("unfinished files are not looked for", "error", err.Error())
	}
}
