package atomicfile

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"
)

// ErrNotRegular tells that what is to be replaced is a link, a folder or a
// device.
var ErrNotRegular = errors.New("not a regular file")

// CreateIn is [Create] for a file right in the folder of root, so that no link
// on the way leads elsewhere.
func CreateIn(root *os.Root, name string, b []byte, mode fs.FileMode) error {
	tmp, err := writeIn(root, b, func(f *os.File) error { return same(f, nil, mode) })
	if err != nil {
		return err
	}
	defer root.Remove(tmp)
	// A link, unlike a rename, never replaces what is there.
	err = root.Link(tmp, name)
	if err != nil {
		// File systems of memory sticks have no links.
		if _, statErr := root.Lstat(name); !errors.Is(statErr, fs.ErrNotExist) {
			return fmt.Errorf("%s: %w", name, fs.ErrExist)
		}
		err = root.Rename(tmp, name)
	}
	if err != nil {
		return err
	}
	return syncFolder(root)
}

// ReplaceIn puts new content in the place of a regular file right in the folder
// of root, with the same mode and owner. At any time the file has the old
// content or the new. Just before the change unchanged is asked whether the
// file is still what the caller has read; its error ends the call. When the
// mode or owner cannot be kept nothing is changed.
//
// On Windows the new file has the access rights of the folder, not those that
// the old one may have had of its own.
func ReplaceIn(root *os.Root, name string, b []byte, unchanged func() error) error {
	was, err := root.Lstat(name)
	if err != nil {
		return err
	}
	if !was.Mode().IsRegular() {
		return fmt.Errorf("%s: %w", name, ErrNotRegular)
	}
	tmp, err := writeIn(root, b, func(f *os.File) error { return same(f, was, was.Mode().Perm()) })
	if err != nil {
		return err
	}
	defer root.Remove(tmp) // fails once it is renamed
	if err := unchanged(); err != nil {
		return err
	}
	if err := root.Rename(tmp, name); err != nil {
		return err
	}
	return syncFolder(root)
}

// writeIn makes a file with content that is synced, and returns its name.
func writeIn(root *os.Root, b []byte, prepare func(*os.File) error) (name string, err error) {
	name = strings.TrimSuffix(Pattern, "*") + rand.Text()
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	err = prepare(f)
	if err == nil {
		_, err = f.Write(b)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, root.Remove(name))
	}
	return name, nil
}

// same gives a new file a mode, and the owner of was where there is one. What
// is so already is left alone: memory sticks have one mode and owner for all
// files and refuse to change them.
func same(f *os.File, was fs.FileInfo, mode fs.FileMode) error {
	now, err := f.Stat()
	if err != nil {
		return err
	}
	if was != nil {
		if err := chown(f, now, was); err != nil {
			return err
		}
	}
	if now.Mode().Perm() == mode {
		return nil
	}
	return f.Chmod(mode)
}

// RemoveAbandoned removes what killed processes have left in the folder of root
// by [CreateIn] and [ReplaceIn] before a time.
func RemoveAbandoned(root *os.Root, before time.Time) error {
	dir, err := root.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	for range 100 { // of a thousand
		list, err := dir.ReadDir(1000)
		for _, e := range list {
			random, ok := strings.CutPrefix(e.Name(), strings.TrimSuffix(Pattern, "*"))
			if !ok || len(random) != len(rand.Text()) || strings.Trim(random, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" || !e.Type().IsRegular() {
				continue
			}
			if info, err := e.Info(); err == nil && info.ModTime().Before(before) {
				_ = root.Remove(e.Name()) // another may have
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}
