package keyring

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// KeysFolder is the folder of a disk that E-IMZO keeps keys in.
const KeysFolder = "DSKEYS"

// Errors of naming a file.
var (
	ErrDisk    = errors.New("no such disk")
	ErrPath    = errors.New("the path is neither empty nor DSKEYS")
	ErrName    = errors.New("the name of the file has characters that are not allowed")
	ErrMissing = errors.New("no such file")
	ErrExists  = errors.New("the file exists")
	ErrFolder  = errors.New("the folder cannot be made")
	ErrChanged = errors.New("the file has changed since it was read")
	ErrSize    = errors.New("the file is too large for a key file")
)

// Home is the folder DSKEYS in the person's home, for Options.Dirs. The
// original does not look there.
func Home() []string {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil
	}
	return []string{filepath.Join(home, KeysFolder)}
}

// disk is a folder in which keys are looked for, itself and its DSKEYS.
type disk string

// name is the disk as pages know it: with the separator at its end.
func (d disk) name() string {
	s := string(d)
	if !strings.HasSuffix(s, string(filepath.Separator)) {
		s += string(filepath.Separator)
	}
	return s
}

// is tells whether a page means the disk by a clean path.
func (d disk) is(path string) bool {
	return string(d) == path || runtime.GOOS == "windows" && strings.EqualFold(string(d), path)
}

// place is a folder of keys: a disk, or the DSKEYS on it.
type place struct {
	disk disk
	keys bool
}

// path is "" or "DSKEYS", as pages know it.
func (p place) path() string {
	if p.keys {
		return KeysFolder
	}
	return ""
}

func (p place) folder() string { return filepath.Join(string(p.disk), p.path()) }

// open opens the folder. DSKEYS must be a folder: on the stick of a stranger a
// link may lead anywhere. The disk itself is what the person or the system
// named, link or not.
func (p place) open() (*os.Root, error) {
	root, err := os.OpenRoot(string(p.disk))
	if err != nil || !p.keys {
		return root, err
	}
	defer root.Close()
	info, err := root.Lstat(KeysFolder)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fs.ErrNotExist
	}
	return root.OpenRoot(KeysFolder)
}

// candidates are the disks that there may be, each once.
func (r *Ring) candidates() []disk {
	paths := slices.Clone(r.options.Dirs)
	if r.options.Roots != nil {
		paths = append(paths, r.options.Roots()...)
	}
	var all []disk
	for _, path := range paths {
		if abs, err := filepath.Abs(path); err == nil && !slices.Contains(all, disk(abs)) {
			all = append(all, disk(abs))
		}
	}
	return all
}

// patience is how long a disk may take to answer: one that sleeps wakes up in
// that time, one of a network that is gone never answers.
const patience = 5 * time.Second

// probe asks the system about a disk.
type probe struct {
	since time.Time
	done  chan struct{}
	info  fs.FileInfo // nil when there is no such folder
}

// look tells which of the disks there are: nil for one that is missing, or does
// not answer. That one costs a goroutine and the patience of one caller, not of
// each.
func (r *Ring) look(all []disk) []fs.FileInfo {
	probes := make([]*probe, len(all))
	r.probing.Lock()
	for i, d := range all {
		p := r.probes[d]
		if p == nil {
			p = &probe{since: time.Now(), done: make(chan struct{})}
			r.probes[d] = p
			go func() {
				if info, err := r.stat(string(d)); err == nil && info.IsDir() {
					p.info = info
				}
				r.probing.Lock()
				delete(r.probes, d)
				r.probing.Unlock()
				close(p.done)
			}()
		}
		probes[i] = p
	}
	r.probing.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), r.patience)
	defer cancel()
	found := make([]fs.FileInfo, len(all))
	for i, p := range probes {
		if time.Since(p.since) < r.patience {
			select {
			case <-p.done:
			case <-ctx.Done():
			}
		}
		select {
		case <-p.done:
			found[i] = p.info
		default:
			r.log.Debug("a disk does not answer", "disk", string(all[i]))
		}
	}
	return found
}

// disks lists the disks there are now, each once whatever names it has.
func (r *Ring) disks() []disk {
	all := r.candidates()
	var disks []disk
	var seen []fs.FileInfo
	for i, info := range r.look(all) {
		if info == nil || slices.ContainsFunc(seen, func(s fs.FileInfo) bool { return os.SameFile(s, info) }) {
			continue
		}
		disks, seen = append(disks, all[i]), append(seen, info)
	}
	return disks
}

// Disks lists the disks as pages know them: those there are, and their DSKEYS
// folders, each with a separator at its end.
func (r *Ring) Disks() []string {
	names := []string{}
	for _, d := range r.disks() {
		for _, p := range []place{{d, false}, {d, true}} {
			name := disk(p.folder()).name()
			if slices.Contains(names, name) {
				continue
			}
			if root, err := p.open(); err == nil {
				root.Close()
				names = append(names, name)
			}
		}
	}
	return names
}

// place finds the folder that disk and path name. Pages send back what they
// were given; a disk may also be the DSKEYS folder itself.
func (r *Ring) place(name, path string) (place, error) {
	if path != "" && path != KeysFolder {
		return place{}, ErrPath
	}
	if name == "" || !filepath.IsAbs(name) || strings.ContainsRune(name, 0) {
		return place{}, ErrDisk
	}
	wanted := filepath.Clean(name)
	all := r.candidates()
	found := place{keys: path != ""}
	i := slices.IndexFunc(all, func(d disk) bool { return d.is(wanted) })
	if i < 0 && path == "" && filepath.Base(wanted) == KeysFolder {
		found.keys = true
		i = slices.IndexFunc(all, func(d disk) bool { return d.is(filepath.Dir(wanted)) })
	}
	if i < 0 || r.look(all[i : i+1])[0] == nil {
		return place{}, ErrDisk
	}
	found.disk = all[i]
	return found, nil
}

// CheckFolder tells whether disk and path name a folder for keys: [ErrPath] or
// [ErrDisk]. The DSKEYS folder of a disk need not be there yet.
func (r *Ring) CheckFolder(disk, path string) error {
	_, err := r.place(disk, path)
	return err
}
