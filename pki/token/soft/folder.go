package soft

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"imzo/pki/token"
)

// Extension is how the files end that [Folder] looks at.
const Extension = ".card"

const (
	// maxCards is how many cards a folder has; a desk has a handful.
	maxCards = 64
	// maxEntries is how many names are read to find them.
	maxEntries = 4096
)

// Folder is a provider of all cards whose files end in .card and lie right in
// the folder, at most 64, in the order of their names. Links are not followed.
// A folder that is not there has no cards. Files that are no cards, and too
// many, give an error beside the cards that could be read. Cards of one name
// get the name of the file added.
func Folder(dir string) token.Provider { return folder(dir) }

type folder string

func (d folder) Tokens(ctx context.Context) ([]token.Token, error) {
	names, errs := d.files()
	var out []token.Token
	seen := map[string]bool{}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		c, err := Open(filepath.Join(string(d), name))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		info, err := c.Info(ctx)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for seen[info.Name] {
			info.Name = fmt.Sprintf("%s (%s)", info.Name, name)
			c.name = info.Name
		}
		seen[info.Name] = true
		out = append(out, c)
	}
	return out, errors.Join(errs...)
}

// files returns the names of what may be cards, sorted.
func (d folder) files() (names []string, errs []error) {
	f, err := os.Open(string(d))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, []error{err}
	}
	defer f.Close()
	entries, err := f.ReadDir(maxEntries)
	if err != nil && !errors.Is(err, io.EOF) {
		errs = append(errs, err)
	}
	if len(entries) == maxEntries {
		errs = append(errs, fmt.Errorf("%s: only the first %d files were looked at", string(d), maxEntries))
	}
	for _, e := range entries {
		if e.Type().IsRegular() && strings.HasSuffix(e.Name(), Extension) && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	if len(names) > maxCards {
		errs = append(errs, fmt.Errorf("%s: more than %d cards, the others are left out", string(d), maxCards))
		names = names[:maxCards]
	}
	return names, errs
}
