package mobile

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gofrs/flock"

	"imzo/internal/atomicfile"
)

// SitesFile is the name of the file with the sites, in the data folder.
const SitesFile = "sites.json"

const (
	sitesFormat  = "imzo-mobile-sites"
	sitesVersion = 1
	// maxSites leaves a SiteID of 2^16 free to be found by chance at once.
	maxSites = 10_000
	// maxSitesFile bounds the file: as many sites with the longest of all.
	maxSitesFile = 32 << 20
	maxName      = 200  // characters
	maxURL       = 2000 // octets
	lockWait     = 10 * time.Second
	lockPause    = 20 * time.Millisecond
)

var (
	// ErrSite is wrapped when what is to be registered cannot be.
	ErrSite = errors.New("site cannot be registered")
	// ErrSiteExists is wrapped when the SiteID is taken.
	ErrSiteExists = errors.New("SiteID is taken")
	// ErrNoSite is wrapped when there is no site of a SiteID.
	ErrNoSite = errors.New("no site has this SiteID")
	// ErrSitesFile is wrapped when the file with the sites is damaged. It is
	// then left as it is, for a person to look at.
	ErrSitesFile = errors.New("file with the sites cannot be read")
)

// Site is a registered site.
type Site struct {
	// SiteID is four hexadecimal digits, as they were given.
	SiteID string `json:"siteId"`
	// Name and Domain are shown to the person who signs.
	Name   string `json:"name"`
	Domain string `json:"domain"`
	// UploadURL is where signatures are sent, http or https.
	UploadURL string    `json:"uploadUrl"`
	Added     time.Time `json:"added"`
}

// Sites is the registry of sites: a file that several processes may change,
// each change whole or not at all. Its methods may be called at the same time.
type Sites struct {
	dir string
	now func() time.Time

	mu   sync.Mutex
	info fs.FileInfo // of the file as it was read; nil when there was none
	list []Site
}

// OpenSites returns the registry in a folder, which is made when it is not
// there. now stamps what is added; nil is time.Now. The error wraps
// [ErrSitesFile] when the file is damaged.
func OpenSites(dir string, now func() time.Time) (*Sites, error) {
	if now == nil {
		now = time.Now
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s := &Sites{dir: dir, now: now}
	_, err := s.List()
	return s, err
}

// List returns all sites in the order of their SiteIDs.
func (s *Sites) List() ([]Site, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refresh(); err != nil {
		return nil, err
	}
	return slices.Clone(s.list), nil
}

// Find returns the site of a SiteID, in upper or lower case. The error wraps
// [ErrNoSite] or [ErrSitesFile].
func (s *Sites) Find(siteID string) (Site, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refresh(); err != nil {
		return Site{}, err
	}
	i, found := search(s.list, siteID)
	if !found {
		return Site{}, fmt.Errorf("%w: %.8q", ErrNoSite, siteID)
	}
	return s.list[i], nil
}

func search(list []Site, siteID string) (int, bool) {
	return slices.BinarySearchFunc(list, strings.ToLower(siteID), func(a Site, id string) int {
		return strings.Compare(strings.ToLower(a.SiteID), id)
	})
}

// refresh reads the file when it is another than the one read last. A changed
// file has another inode, since it is replaced whole. The caller holds the
// lock.
func (s *Sites) refresh() error {
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSitesFile, err)
	}
	defer root.Close()
	info, err := root.Lstat(SitesFile)
	if errors.Is(err, fs.ErrNotExist) {
		s.info, s.list = nil, nil
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSitesFile, err)
	}
	if s.info != nil && os.SameFile(info, s.info) && info.Size() == s.info.Size() && info.ModTime().Equal(s.info.ModTime()) {
		return nil
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: %s is no regular file", ErrSitesFile, SitesFile)
	}
	f, err := root.Open(SitesFile)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSitesFile, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSitesFile+1))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSitesFile, err)
	}
	list, err := parseSites(b)
	if err != nil {
		return err
	}
	if info, err = f.Stat(); err != nil {
		return fmt.Errorf("%w: %w", ErrSitesFile, err)
	}
	s.info, s.list = info, list
	return nil
}

// sitesContent is the file.
type sitesContent struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	Sites   []Site `json:"sites"`
}

// parseSites reads the content of the file. Errors wrap ErrSitesFile.
func parseSites(b []byte) ([]Site, error) {
	damaged := func(format string, args ...any) ([]Site, error) {
		return nil, fmt.Errorf("%w: %s: %w", ErrSitesFile, SitesFile, fmt.Errorf(format, args...))
	}
	if len(b) > maxSitesFile {
		return damaged("larger than %d octets", maxSitesFile)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var c sitesContent
	if err := d.Decode(&c); err != nil {
		return damaged("%w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return damaged("something follows its JSON")
	}
	if c.Format != sitesFormat || c.Version != sitesVersion {
		return damaged("format %.40q, version %d is not ours", c.Format, c.Version)
	}
	if len(c.Sites) > maxSites {
		return damaged("more than %d sites", maxSites)
	}
	slices.SortFunc(c.Sites, func(a, b Site) int {
		return strings.Compare(strings.ToLower(a.SiteID), strings.ToLower(b.SiteID))
	})
	for i, site := range c.Sites {
		if err := site.check(); err != nil {
			return damaged("site %d: %w", i+1, err)
		}
		if i > 0 && strings.EqualFold(c.Sites[i-1].SiteID, site.SiteID) {
			return damaged("SiteID %s stands twice", site.SiteID)
		}
	}
	return c.Sites, nil
}

// check tells what is wrong with a site.
func (s Site) check() error {
	if raw, err := hex.DecodeString(s.SiteID); err != nil || len(raw) != siteSize {
		return fmt.Errorf("%w: SiteID %.12q is not four hexadecimal digits", ErrSite, s.SiteID)
	}
	if err := checkText("name", s.Name); err != nil {
		return err
	}
	if err := checkText("domain", s.Domain); err != nil {
		return err
	}
	return checkUploadURL(s.UploadURL)
}

// checkText keeps out what could mislead the person who reads it.
func checkText(what, text string) error {
	bad := func(r rune) bool { return !unicode.IsPrint(r) } // also what turns the direction of text
	if text == "" || !utf8.ValidString(text) || utf8.RuneCountInString(text) > maxName || strings.ContainsFunc(text, bad) || strings.TrimSpace(text) != text {
		return fmt.Errorf("%w: the %s is 1 to %d printable characters", ErrSite, what, maxName)
	}
	return nil
}

func checkUploadURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || len(text) > maxURL:
	case u.Scheme != "http" && u.Scheme != "https":
	case u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.Opaque != "":
	default:
		return nil
	}
	// The text may hold a password.
	return fmt.Errorf("%w: the UPLOAD URL is an http or https address of at most %d octets, without user and fragment", ErrSite, maxURL)
}

// siteSize is the octets of a SiteID.
const siteSize = 2

// Add registers a site, for good when it returns. Without a SiteID it gets a
// free one, read from random; without a domain that of the UPLOAD URL; without
// a name the domain. Errors wrap [ErrSite], [ErrSiteExists] or [ErrSitesFile].
func (s *Sites) Add(ctx context.Context, site Site, random io.Reader) (Site, error) {
	err := s.change(ctx, func(list []Site) ([]Site, error) {
		if site.SiteID == "" {
			id, err := freeID(list, random)
			if err != nil {
				return nil, err
			}
			site.SiteID = id
		}
		if i, taken := search(list, site.SiteID); taken {
			return nil, fmt.Errorf("%w: %s is that of %s", ErrSiteExists, list[i].SiteID, list[i].Domain)
		}
		var err error
		list, site, err = s.put(list, site)
		return list, err
	})
	return site, err
}

// Put is [Sites.Add] for a SiteID that may be taken: the site takes its place.
// Without a SiteID the error wraps [ErrSite].
func (s *Sites) Put(ctx context.Context, site Site) (Site, error) {
	err := s.change(ctx, func(list []Site) (_ []Site, err error) {
		list, site, err = s.put(list, site)
		return list, err
	})
	return site, err
}

// put completes and checks a site, and puts it into the list.
func (s *Sites) put(list []Site, site Site) ([]Site, Site, error) {
	if u, err := url.Parse(site.UploadURL); err == nil && site.Domain == "" {
		site.Domain = u.Hostname()
	}
	if site.Name == "" {
		site.Name = site.Domain
	}
	site.Added = s.now().UTC().Truncate(time.Second)
	if err := site.check(); err != nil {
		return nil, site, err
	}
	i, taken := search(list, site.SiteID)
	switch {
	case taken:
		list[i] = site
	case len(list) == maxSites:
		return nil, site, fmt.Errorf("%w: there are %d already", ErrSite, maxSites)
	default:
		list = slices.Insert(list, i, site)
	}
	return list, site, nil
}

// freeID draws a SiteID. 0000 is left out: it is that of everybody's examples.
func freeID(list []Site, random io.Reader) (string, error) {
	for range 100 * siteSize {
		var raw [siteSize]byte
		if _, err := io.ReadFull(random, raw[:]); err != nil {
			return "", fmt.Errorf("reading randomness: %w", err)
		}
		id := hex.EncodeToString(raw[:])
		if _, taken := search(list, id); !taken && raw != [siteSize]byte{} {
			return id, nil
		}
	}
	return "", fmt.Errorf("%w: no free SiteID was found", ErrSite)
}

// Remove takes a site out. The error wraps [ErrNoSite] or [ErrSitesFile].
func (s *Sites) Remove(ctx context.Context, siteID string) (Site, error) {
	var removed Site
	err := s.change(ctx, func(list []Site) ([]Site, error) {
		i, found := search(list, siteID)
		if !found {
			return nil, fmt.Errorf("%w: %.8q", ErrNoSite, siteID)
		}
		removed = list[i]
		return slices.Delete(list, i, i+1), nil
	})
	return removed, err
}

// change replaces the file, while other processes wait.
func (s *Sites) change(ctx context.Context, change func([]Site) ([]Site, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	lock := flock.New(s.dir + string(os.PathSeparator) + SitesFile + ".lock")
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	if ok, err := lock.TryLockContext(ctx, lockPause); err != nil || !ok {
		return fmt.Errorf("%s is locked by another process: %w", SitesFile, err)
	}
	defer lock.Unlock()
	if err := s.refresh(); err != nil {
		return err
	}
	list, err := change(slices.Clone(s.list))
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(sitesContent{Format: sitesFormat, Version: sitesVersion, Sites: list}, "", "  ")
	if err != nil {
		return err
	}
	b = append(b, '\n')
	if s.info == nil {
		// Whoever may read it knows where signatures go; that is no secret, and
		// changing it is.
		err = atomicfile.CreateIn(root, SitesFile, b, 0o600)
	} else {
		err = atomicfile.ReplaceIn(root, SitesFile, b, func() error { return nil }) // others wait for the lock
	}
	if err != nil {
		return err
	}
	return s.refresh()
}
