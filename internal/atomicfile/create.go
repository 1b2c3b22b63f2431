// Package atomicfile makes files that appear whole or not at all.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Pattern is what files are named after, in their folder, until they are
// whole. A kill leaves one behind.
const Pattern = ".new-*"

// Create makes a file that is not there yet, with its content synced. Another
// process sees nothing of it or all of it. The error wraps fs.ErrExist when
// there is a file already; it stays as it was.
func Create(path string, b []byte, mode fs.FileMode) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), Pattern)
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(b)
	if err := errors.Join(err, tmp.Chmod(mode), tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	// A link, unlike a rename, never replaces what is there.
	err = os.Link(tmp.Name(), path)
	if err == nil {
		return nil
	}
	// File systems of memory sticks have no links.
	if _, statErr := os.Lstat(path); errors.Is(statErr, fs.ErrNotExist) {
		return os.Rename(tmp.Name(), path)
	}
	return fmt.Errorf("%s: %w", path, fs.ErrExist)
}
