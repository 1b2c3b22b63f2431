package trust

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"imzo/internal/atomicfile"
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
		return out, atomicfile.Create(out, pfx, 0o600)
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
		if err = atomicfile.Create(path, pfx, 0o600); !errors.Is(err, fs.ErrExist) {
			return path, err
		}
	}
	return "", fmt.Errorf("%s holds 9999 keys of %s", out, stem)
}
