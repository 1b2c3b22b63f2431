package trust

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"imzo/pki/keystore"
)

// WritePFX writes a key to out. When out is a folder the file is named as
// E-IMZO names them: "DS", the organisation's or the person's TIN or the
// PINFL, and a number of four digits; a key without any of these takes its
// certificate's serial number. An existing file is never replaced.
func WritePFX(out string, e keystore.Entry, s Subject, password string, p keystore.Profile) (path string, err error) {
	pfx, err := keystore.CreatePFX(rand.Reader, []keystore.Entry{e}, password, p)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(out)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err != nil || !info.IsDir() {
		return out, writeNew(out, pfx)
	}
	stem := e.Chain[0].SerialHex()
	for _, number := range []string{s.TIN, s.UID, s.PINFL} {
		if number != "" {
			stem = "DS" + number
			break
		}
	}
	for i := 1; i <= 9999; i++ {
		path = filepath.Join(out, fmt.Sprintf("%s%04d.pfx", stem, i))
		if err = writeNew(path, pfx); !errors.Is(err, fs.ErrExist) {
			return path, err
		}
	}
	return "", fmt.Errorf("%s holds 9999 keys of %s", out, stem)
}

// writeNew makes a file that appears whole or not at all, and only if there
// was none.
func writeNew(path string, b []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".pfx-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(b)
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Link(tmp.Name(), path); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%s: %w", path, fs.ErrExist)
		}
		// File systems of memory sticks have no links.
		if _, err := os.Lstat(path); err == nil {
			return fmt.Errorf("%s: %w", path, fs.ErrExist)
		}
		return os.Rename(tmp.Name(), path)
	}
	return nil
}
