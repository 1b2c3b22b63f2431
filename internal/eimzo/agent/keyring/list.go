package keyring

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"imzo/pki/cert"
	"imzo/pki/keystore"
)

// Limits of a listing. Disks belong to people: there may be a camera's hundred
// thousand pictures on one, or what somebody made to keep us busy.
const (
	maxNames  = 200_000  // looked at in one folder
	maxFiles  = 10_000   // key files of a listing
	maxItems  = 20_000   // keys of a listing
	maxListed = 64 << 20 // octets read for a listing, beside what is remembered
	maxKept   = 64 << 20 // octets of files whose keys are remembered
)

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

// List lists the keys of a disk, or of all for "": each file once, its keys in
// the order of the file. Files that cannot be read are left out, as the
// original does. The error is [ErrDisk].
func (r *Ring) List(k *Kind, name string) ([]Item, error) {
	l := &listing{ring: r, kind: k, items: []Item{}}
	if name == "" {
		for _, d := range r.disks() {
			l.folder(place{d, false}, d.name(), "")
			l.folder(place{d, true}, d.name(), KeysFolder)
		}
	} else {
		p, err := r.place(name, "")
		if err != nil {
			return nil, err
		}
		l.folder(p, disk(p.folder()).name(), "")
		if !p.keys {
			l.folder(place{p.disk, true}, p.disk.name(), KeysFolder)
		}
	}
	r.log.Debug("keys are listed", "kind", k.Extension, "keys", len(l.items), "files", l.files, "octets", l.octets, "unreadable", l.unreadable, "cut", l.cut)
	return l.items, nil
}

// listing is a list that grows.
type listing struct {
	ring  *Ring
	kind  *Kind
	items []Item
	seen  []fs.FileInfo // folders

	files, unreadable int
	octets            int
	cut               bool // a limit left files out
}

// folder adds the keys of a folder, which pages know by disk and path.
func (l *listing) folder(p place, disk, path string) {
	root, err := p.open()
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			l.unreadable++
		}
		return
	}
	defer root.Close()
	if info, err := root.Stat("."); err == nil {
		if slices.ContainsFunc(l.seen, func(s fs.FileInfo) bool { return os.SameFile(s, info) }) {
			return
		}
		l.seen = append(l.seen, info)
	}
	names, cut, err := keyFiles(root, l.kind)
	l.cut = l.cut || cut
	if err != nil {
		l.unreadable++
	}
	for _, name := range names {
		if l.files >= maxFiles || len(l.items) >= maxItems || l.octets >= maxListed {
			l.cut = true
			return
		}
		l.files++
		keys, read, err := l.ring.list(root, l.kind, File{p.folder(), name})
		l.octets += read
		if err != nil {
			l.unreadable++
			continue
		}
		for _, key := range keys[:min(len(keys), maxItems-len(l.items))] {
			l.items = append(l.items, Item{disk, path, stem(name), key})
		}
	}
}

// keyFiles lists the files of a kind in a folder, by name: regular ones that
// can be named. cut tells that there are more than we look at; err may come
// with those before it.
func keyFiles(root *os.Root, k *Kind) (names []string, cut bool, err error) {
	dir, err := root.Open(".")
	if err != nil {
		return nil, false, err
	}
	defer dir.Close()
	byStem := map[string]string{}
	for looked := 0; ; {
		list, err := dir.ReadDir(1000)
		for _, e := range list {
			name := e.Name()
			if !strings.EqualFold(filepath.Ext(name), k.Extension) || !e.Type().IsRegular() || checkName(stem(name)) != nil {
				continue
			}
			// Where a system tells "a.pfx" and "a.PFX" apart pages cannot.
			was, ok := byStem[stem(name)]
			if !ok || was != stem(name)+k.Extension && (name == stem(name)+k.Extension || name < was) {
				byStem[stem(name)] = name
			}
		}
		looked += len(list)
		cut = looked >= maxNames || len(byStem) > maxFiles
		if err != nil || cut {
			for _, name := range byStem {
				names = append(names, name)
			}
			slices.Sort(names)
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return names, cut, err
		}
	}
}

// kept is what a file had in it.
type kept struct {
	info fs.FileInfo
	keys []Listed
	err  error
}

// settled is when a file's time tells whether it has changed since: memory
// sticks have times of two seconds.
const settled = 3 * time.Second

// list reads the keys of a file, or takes them from memory. read is how much
// was read for it.
func (r *Ring) list(root *os.Root, k *Kind, f File) (keys []Listed, read int, err error) {
	info, err := keyInfo(root, f.Name)
	if err != nil {
		return nil, 0, err
	}
	r.keeping.Lock()
	was, ok := r.kept[f]
	r.keeping.Unlock()
	if ok && was.info.Size() == info.Size() && was.info.ModTime().Equal(info.ModTime()) && os.SameFile(was.info, info) {
		return was.keys, 0, was.err
	}
	data, err := readKey(root, f.Name)
	if err != nil {
		return nil, len(data), err
	}
	keys, err = k.List(data)
	if age := time.Since(info.ModTime()); len(data) == int(info.Size()) && (age < 0 || age > settled) {
		r.keep(f, kept{info, keys, err})
	}
	return keys, len(data), err
}

// keep remembers what is in a file, also that there is nothing.
func (r *Ring) keep(f File, k kept) {
	r.keeping.Lock()
	defer r.keeping.Unlock()
	r.dropKept(f)
	if len(r.kept) >= maxFiles || r.keptOctets+k.info.Size() > maxKept {
		clear(r.kept)
		r.keptOctets = 0
	}
	r.kept[f] = k
	r.keptOctets += k.info.Size()
}

// dropKept forgets what is in a file. The caller holds the lock.
func (r *Ring) dropKept(f File) {
	if was, ok := r.kept[f]; ok {
		r.keptOctets -= was.info.Size()
		delete(r.kept, f)
	}
}
