package localca

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// database is a certificate database of NSS, used through its program certutil.
//
// truststore has code for NSS as well, which is of no use to us: it looks in
// places that are fixed when the program starts and misses those of snaps and
// flatpaks, tells nothing of a database that fails, leaves a CA that has
// expired where it is, and lets certutil ask for a password.
type database struct {
	certutil string
	dir      string
}

// generations bounds how many certificates of one name are removed: one for
// each ten years.
const generations = 20

// databases are those in the folders, or else those found in the home of the
// person.
func (c computer) databases(dirs []string) []store {
	if c.goos == "windows" {
		// Its certutil is another program. Firefox there trusts what Windows
		// does.
		return []store{brokenStore{StoreNSS, fmt.Errorf("%w: Firefox on Windows uses the system's store", ErrUnsupported)}}
	}
	certutil, err := c.certutil()
	if err != nil {
		return []store{brokenStore{StoreNSS, err}}
	}
	named := len(dirs) > 0
	if !named {
		dirs = c.nssDirs()
	}
	var all []store
	for _, dir := range dirs {
		db := database{certutil, dir}
		if _, err := os.Stat(filepath.Join(dir, "cert9.db")); err != nil {
			if named {
				all = append(all, brokenStore{db.name(), fmt.Errorf("%w: %w", ErrNoDatabase, err)})
			}
			continue
		}
		all = append(all, db)
	}
	if len(all) == 0 {
		return []store{brokenStore{StoreNSS, ErrNoDatabase}}
	}
	return all
}

// certutil finds the program. Homebrew does not put it on the path.
func (c computer) certutil() (string, error) {
	for _, name := range append([]string{"certutil"}, c.certutils...) {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", ErrNoCertutil
}

// nssDirs are the folders that may hold a database, each once.
func (c computer) nssDirs() []string {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil
	}
	var dirs, real []string
	for _, pattern := range c.nssPatterns {
		if !filepath.IsAbs(pattern) {
			pattern = filepath.Join(home, pattern)
		}
		found, err := filepath.Glob(pattern)
		if err != nil {
			continue // a home with brackets in its name
		}
		for _, dir := range found {
			// Snaps have a link to the version in use.
			if r, err := filepath.EvalSymlinks(dir); err == nil && !slices.Contains(real, r) {
				dirs, real = append(dirs, dir), append(real, r)
			}
		}
	}
	return dirs
}

func (d database) name() string { return StoreNSS + " " + d.dir }

// run calls certutil. The empty file of passwords keeps it from asking for one.
func (d database) run(ctx context.Context, stdin []byte, args ...string) ([]byte, error) {
	args = append(args, "-d", "sql:"+d.dir, "-f", os.DevNull)
	cmd := exec.CommandContext(ctx, d.certutil, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	var out, problem bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problem
	err := cmd.Run()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		err = fmt.Errorf("certutil %s: %w: %s", args[0], err, lastLine(append(out.Bytes(), problem.Bytes()...)))
		if strings.Contains(problem.String(), "SEC_ERROR_BAD_PASSWORD") || strings.Contains(problem.String(), "SEC_ERROR_IO") {
			err = fmt.Errorf("%w (when the browser has a primary password, import the CA in its settings)", err)
		}
	}
	return out.Bytes(), err
}

// certificates are those of the name, in DER. An error of certutil may mean
// that there is none, or that the database cannot be read; listing all tells.
func (d database) certificates(ctx context.Context, name string) ([][]byte, error) {
	out, err := d.run(ctx, nil, "-L", "-n", name, "-a")
	if err != nil {
		if _, err := d.run(ctx, nil, "-L"); err != nil {
			return nil, err
		}
		return nil, nil
	}
	var all [][]byte
	for block, rest := pem.Decode(out); block != nil; block, rest = pem.Decode(rest) {
		all = append(all, block.Bytes)
	}
	return all, nil
}

func (d database) trusted(ctx context.Context, a *Authority) (bool, error) {
	all, err := d.certificates(ctx, a.String())
	if err != nil || !slices.ContainsFunc(all, func(der []byte) bool { return bytes.Equal(der, a.cert.Raw) }) {
		return false, err
	}
	// As a CA of TLS servers.
	if _, err := d.run(ctx, nil, "-V", "-u", "L", "-n", a.String()); err != nil {
		return false, errors.Join(ErrNotTrusted, err)
	}
	return true, nil
}

func (d database) install(ctx context.Context, a *Authority) error {
	_, err := d.run(ctx, a.PEM(), "-A", "-t", "C,,", "-n", a.String())
	if err != nil && ctx.Err() == nil {
		// Without the right password the certificate goes in, and the trust
		// does not.
		return errors.Join(err, d.remove(ctx, a))
	}
	return err
}

func (d database) remove(ctx context.Context, a *Authority) error {
	for range generations {
		all, err := d.certificates(ctx, a.String())
		if err != nil || len(all) == 0 {
			return err
		}
		if _, err := d.run(ctx, nil, "-D", "-n", a.String()); err != nil {
			return err
		}
	}
	return fmt.Errorf("more than %d certificates of the name %q", generations, a)
}

// lastLine is the last line that a program wrote which says something.
func lastLine(b []byte) string {
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
