package keyring

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
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

// disks lists the folders there are now, each once.
func (r *Ring) disks() []disk {
	var all []disk
	add := func(path string) {
		path, err := filepath.Abs(path)
		if err != nil {
			return
		}
		if info, err := os.Stat(path); err == nil && info.IsDir() && !slices.Contains(all, disk(path)) {
			all = append(all, disk(path))
		}
	}
	for _, dir := range r.options.Dirs {
		add(dir)
	}
	if r.options.Roots != nil {
		for _, root := range r.options.Roots() {
			add(root)
		}
	}
	return all
}

// Disks lists the disks as pages know them: those there are, and their DSKEYS
// folders, each with a separator at its end.
func (r *Ring) Disks() []string {
	names := []string{}
	for _, d := range r.disks() {
		names = append(names, d.name())
		sub := disk(filepath.Join(string(d), KeysFolder))
		if info, err := os.Stat(string(sub)); err == nil && info.IsDir() && !slices.Contains(names, sub.name()) {
			names = append(names, sub.name())
		}
	}
	return names
}

// folder finds the folder that disk and path name. Pages send back what they
// were given; a disk may also be the DSKEYS folder itself.
func (r *Ring) folder(name, path string) (string, error) {
	if path != "" && path != KeysFolder {
		return "", ErrPath
	}
	if name == "" || !filepath.IsAbs(name) || strings.ContainsRune(name, 0) {
		return "", ErrDisk
	}
	wanted := disk(filepath.Clean(name))
	for _, d := range r.disks() {
		if wanted == d {
			return filepath.Join(string(d), path), nil
		}
		if sub := filepath.Join(string(d), KeysFolder); string(wanted) == sub && path == "" {
			return sub, nil
		}
	}
	return "", ErrDisk
}

// CheckFolder tells whether disk and path name a folder for keys: [ErrPath] or
// [ErrDisk].
func (r *Ring) CheckFolder(disk, path string) error {
	_, err := r.folder(disk, path)
	return err
}

// maxName bounds the name of a file without its extension.
const maxName = 200

// checkName refuses what could mean another file than one of the folder: on
// any system what would on one of them, since keys travel on memory sticks.
func checkName(name string) error {
	if name == "" || len(name) > maxName || strings.ContainsAny(name, "/\\:*?\"<>|") || strings.HasPrefix(name, ".") {
		return ErrName
	}
	for _, c := range name {
		if c < ' ' || c == 0x7f || c == 0xfffd {
			return ErrName
		}
	}
	switch base, _, _ := strings.Cut(strings.ToUpper(name), "."); strings.TrimRight(base, " ") {
	case "CON", "PRN", "AUX", "NUL":
		return ErrName
	default:
		if len(base) == 4 && (strings.HasPrefix(base, "COM") || strings.HasPrefix(base, "LPT")) && base[3] >= '0' && base[3] <= '9' {
			return ErrName
		}
	}
	return nil
}

// NewName checks the name of a file that is to be made: [0-9A-Z]+, as the
// original does.
func NewName(name string) error {
	if name == "" || len(name) > maxName || strings.Trim(name, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return ErrName
	}
	return checkName(name)
}

// maxFiles bounds what is looked at in one folder.
const maxFiles = 10_000

// entries lists the files of a kind in a folder, by name: regular ones only,
// whatever links lead to them as long as they stay in the folder.
func entries(folder string, k *Kind) ([]fs.DirEntry, error) {
	// On a stick of a stranger a link may lead anywhere.
	if info, err := os.Lstat(folder); err != nil || filepath.Base(folder) == KeysFolder && !info.IsDir() {
		return nil, fs.ErrNotExist
	}
	dir, err := os.Open(folder)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	all, err := dir.ReadDir(maxFiles)
	if err != nil && len(all) == 0 {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(e fs.DirEntry) bool {
		return !strings.EqualFold(filepath.Ext(e.Name()), k.Extension) || e.IsDir() || e.Type()&^(fs.ModeSymlink) != 0
	})
	slices.SortFunc(all, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return all, nil
}

func stem(file string) string { return strings.TrimSuffix(file, filepath.Ext(file)) }

// File is a key file: a name in a folder, so that no link leads elsewhere.
type File struct{ Folder, Name string }

// Path is where the file is.
func (f File) Path() string { return filepath.Join(f.Folder, f.Name) }

// Locate finds the file that a page names. Errors are [ErrPath], [ErrDisk],
// [ErrName] and [ErrMissing].
func (r *Ring) Locate(k *Kind, disk, path, name string) (File, error) {
	folder, err := r.folder(disk, path)
	if err != nil {
		return File{}, err
	}
	if err := checkName(name); err != nil {
		return File{}, err
	}
	list, err := entries(folder, k)
	if err != nil {
		return File{}, ErrMissing
	}
	found := File{Folder: folder}
	for _, e := range list {
		// "a.pfx" before "a.PFX", where a system tells them apart.
		if stem(e.Name()) == name && (found.Name == "" || e.Name() == name+k.Extension) {
			found.Name = e.Name()
		}
	}
	if found.Name == "" {
		return File{}, ErrMissing
	}
	return found, nil
}
