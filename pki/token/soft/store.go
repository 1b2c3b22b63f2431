package soft

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/gofrs/flock"

	"imzo/pki/token"
)

const (
	// lockPatience is how long a card may be in the hands of other programs;
	// each keeps it for one Argon2id.
	lockPatience = 10 * time.Second
	lockRetry    = 10 * time.Millisecond
)

// store is where a card lies.
type store struct{ path string }

// read returns the card as it is on disk. The file is replaced whole, so that
// no lock is needed to read it.
func (s store) read() (*card, error) {
	dir, name, err := s.folder()
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return s.readIn(dir, name)
}

func (s store) readIn(dir *os.Root, name string) (*card, error) {
	// Links are not followed, and nothing is opened that might block.
	was, err := dir.Lstat(name)
	if err != nil {
		return nil, missing(err)
	}
	if !was.Mode().IsRegular() {
		return nil, formatErrorf("%s is not a regular file", s.path)
	}
	f, err := dir.Open(name)
	if err != nil {
		return nil, missing(err)
	}
	defer f.Close()
	// Another process may have put a new version in the place meanwhile, or
	// somebody a link.
	if now, err := f.Stat(); err != nil || !now.Mode().IsRegular() {
		return nil, errors.Join(formatErrorf("%s is not a regular file", s.path), err)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, missing(err)
	}
	c, err := parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.path, err)
	}
	return c, nil
}

// change gives the card to edit while no other program has it. save puts the
// card as it now is on the disk and may be called again and again; what is not
// saved is forgotten.
func (s store) change(ctx context.Context, edit func(c *card, save func() error) error) error {
	return s.locked(ctx, func(dir *os.Root, name string) error {
		c, err := s.readIn(dir, name)
		if err != nil {
			return err
		}
		return edit(c, func() error { return replace(dir, name, c) })
	})
}

// create writes a card where no file is yet.
func (s store) create(ctx context.Context, c *card) error {
	return s.locked(ctx, func(dir *os.Root, name string) error {
		switch _, err := dir.Lstat(name); {
		case err == nil:
			return fmt.Errorf("%s: %w", s.path, fs.ErrExist)
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
		return replace(dir, name, c)
	})
}

func (s store) locked(ctx context.Context, work func(dir *os.Root, name string) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	dir, name, err := s.folder()
	if err != nil {
		return err
	}
	defer dir.Close()
	patience, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	// A file of its own: the card's is another one after each change.
	l := flock.New(s.path+".lock", flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
	if _, err := l.TryLockContext(patience, lockRetry); err != nil {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case patience.Err() != nil:
			return fmt.Errorf("%s: %w", s.path, token.ErrBusy)
		}
		return fmt.Errorf("%s: lock: %w", s.path, err)
	}
	defer l.Close() // unlocks
	return work(dir, name)
}

// folder opens the folder of the card, so that it stays the same one whatever
// is renamed.
func (s store) folder() (*os.Root, string, error) {
	dir, err := os.OpenRoot(filepath.Dir(s.path))
	if err != nil {
		return nil, "", missing(err)
	}
	return dir, filepath.Base(s.path), nil
}

// replace puts a card in the place of the old file: at any time there is one of
// them, whole, and after the return the new one survives a power cut. Callers
// hold the lock, so one name for the new file is enough; what a kill left there
// is overwritten.
func replace(dir *os.Root, name string, c *card) error {
	b, err := c.marshal()
	if err != nil {
		return err
	}
	fresh := "." + name + ".new"
	if err := dir.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := dir.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = dir.Rename(fresh, name)
	}
	if err != nil {
		return errors.Join(err, dir.Remove(fresh))
	}
	return syncFolder(dir)
}

// syncFolder makes a rename last. Windows has no such call, and its file
// systems keep a journal.
func syncFolder(dir *os.Root) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := dir.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// missing makes a file that is not there a token that is not there.
func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", token.ErrMissing, err)
	}
	return err
}
