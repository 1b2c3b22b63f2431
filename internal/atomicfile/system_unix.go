//go:build unix

package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// chown gives a file the owner and group of another.
func chown(f *os.File, now, was fs.FileInfo) error {
	n, ok := now.Sys().(*syscall.Stat_t)
	w, also := was.Sys().(*syscall.Stat_t)
	if !ok || !also || n.Uid == w.Uid && n.Gid == w.Gid {
		return nil
	}
	return f.Chown(int(w.Uid), int(w.Gid))
}

// syncFolder makes new names in a folder last.
func syncFolder(root *os.Root) error {
	dir, err := root.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	// Some file systems have nothing to sync in a folder.
	if err := dir.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}
