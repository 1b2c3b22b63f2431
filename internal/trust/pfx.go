package trust

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"imzo/internal/atomicfile"
	"imzo/pki/keystore"
)

// IssuePFX is [Authority.Issue] with the key written to out: a file, or a
// folder, made when it is absent, that gets one more file named as E-IMZO
// names them. What is absent is a file when its name ends in .pfx, .p12, .key or .pem.
//
// An existing file is never replaced, and refused before anything is issued.
// The file of a domain in a folder is named after the domain.
//
// A certificate whose key cannot be written is revoked again, since nobody
// has the key.
func (a *Authority) IssuePFX(r Request, loc *time.Location, out, password string, p keystore.Profile) (path string, e keystore.Entry, err error) {
	if hosts := r.hosts(); len(hosts) > 0 && outputFolder(out) == out {
		name := strings.ToLower(r.Subject.CommonName)
		if !isHost(name) {
			name = hosts[0]
		}
		if isHost(name) { // otherwise nothing is issued
			out = filepath.Join(out, name+".pfx")
		}
	}
	return a.issueTo(r, loc, out, func(e keystore.Entry) (string, error) { return WritePFX(out, e, r.Subject, password, p) })
}

// issueTo issues a certificate whose key write keeps in out.
func (a *Authority) issueTo(r Request, loc *time.Location, out string, write func(keystore.Entry) (string, error)) (path string, e keystore.Entry, err error) {
	if err := prepareOutput(out); err != nil {
		return "", e, err
	}
	if e, err = a.Issue(r, loc); err != nil {
		return "", e, err
	}
	path, err = write(e)
	if err != nil {
		serial := e.Chain[0].SerialHex()
		if _, revokeErr := a.Revoke(serial, "cessationOfOperation"); revokeErr != nil {
			return "", e, fmt.Errorf("%w; revoke certificate %s, its key was not kept: %w", err, serial, revokeErr)
		}
		return "", e, fmt.Errorf("%w; certificate %s is revoked, its key was not kept", err, serial)
	}
	return path, e, nil
}

func prepareOutput(out string) error {
	info, err := os.Stat(out)
	switch {
	case err == nil && !info.IsDir():
		return fmt.Errorf("%s: %w", out, fs.ErrExist)
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return os.MkdirAll(outputFolder(out), 0o700)
}

// outputFolder returns the folder that a key goes into which is written to out.
func outputFolder(out string) string {
	if info, err := os.Stat(out); err == nil && info.IsDir() {
		return out
	}
	switch strings.ToLower(filepath.Ext(out)) {
	case ".pfx", ".p12", ".key", ".pem":
		return filepath.Dir(out)
	}
	return out
}

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
