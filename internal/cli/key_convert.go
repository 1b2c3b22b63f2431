package cli

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"imzo/internal/atomicfile"
	"imzo/internal/inspect"
	"imzo/pki/keystore"
)

const newPasswordFileHelp = "`FILE` whose first line is the new password (else it is asked for)"

// keyKind is a format of key files that is written.
type keyKind string

const (
	kindPFX keyKind = "pfx"
	kindYKS keyKind = "yks"
	kindPEM keyKind = "pem"
)

// kindOf is the format that a name ends in, or "".
func kindOf(name string) keyKind {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".pfx", ".p12":
		return kindPFX
	case ".yks":
		return kindYKS
	case ".pem", ".key":
		return kindPEM
	}
	return ""
}

// encode writes the entries in the format.
func (k keyKind) encode(entries []keystore.Entry, password string, profile keystore.Profile) ([]byte, error) {
	switch k {
	case kindYKS:
		return keystore.CreateYKS(rand.Reader, entries, password)
	case kindPEM:
		if len(entries) > 1 {
			return nil, usagef("a PEM file holds one key; say which with --alias")
		}
		return keystore.EncodePEM(rand.Reader, entries[0], password)
	}
	return keystore.CreatePFX(rand.Reader, entries, password, profile)
}

// profileFor is the profile that the flag --modern asks for.
func profileFor(modern bool) keystore.Profile {
	if modern {
		return keystore.ProfileModern
	}
	return keystore.ProfileJava8
}

// absent refuses to make a file that is there already.
func absent(name string) error {
	if _, err := os.Lstat(name); err == nil {
		return fmt.Errorf("%s: %w; choose another name", name, fs.ErrExist)
	}
	return nil
}

// withAliases names what a file names nowhere, as E-IMZO would.
func withAliases(entries []keystore.Entry) []keystore.Entry {
	for i := range entries {
		if entries[i].Alias == "" && len(entries[i].Chain) > 0 {
			entries[i].Alias = keystore.Alias(entries[i].Chain[0], time.Local)
		}
	}
	return entries
}

type keyConvertFlags struct {
	key                  keyFlags
	newPasswordFile, out string
	modern, asJSON       bool
}

// writtenKeys is what `imzo key convert` and `imzo key password` print.
type writtenKeys struct {
	File    string   `json:"file"`
	Format  keyKind  `json:"format"`
	Aliases []string `json:"aliases"`
}

func newKeyConvert(e env) *cobra.Command {
	var k keyConvertFlags
	c := &cobra.Command{
		Use:   "convert FILE|- [-o OUT]",
		Short: "Turn a key file into another format",
		Long: `Turn a key file into another format: PFX, YKS or PEM, as the name of OUT ends
in (.pfx, .p12, .yks, .pem). Without -o a PFX or PEM becomes a YKS file of the
same name beside it, and a YKS file or Java key store a PFX. FILE stays as it
is, and no file is replaced.

The password stays the same unless there is a new one. A PFX is written as
E-IMZO and Java 8 open it; --modern writes AES-256, which they do not.`,
		Example: `  imzo key convert DS1234567890001.pfx
  imzo key convert --password-file pw DS1234567890001.yks -o key.pfx
  imzo key convert --modern old.pfx -o new.pfx
  imzo key convert key.pfx -o key.pem`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			k.key.file = args[0]
			return k.run(e)
		},
	}
	f := c.Flags()
	f.StringVar(&k.key.passwordFile, "password-file", "", passwordFileHelp)
	f.StringVar(&k.newPasswordFile, "new-password-file", "", "`FILE` whose first line is the password of OUT (else that of FILE)")
	f.StringVar(&k.key.alias, "alias", "", "this key alone, when the file holds several: the `ALIAS` or a part of it")
	f.StringVarP(&k.out, "output", "o", "", "`FILE` to make; it must not be there yet")
	f.BoolVar(&k.modern, "modern", false, "encrypt a PFX with AES-256, which Java 8 and so E-IMZO do not open")
	f.BoolVar(&k.asJSON, "json", false, "print one JSON object")
	return c
}

func (k *keyConvertFlags) run(e env) error {
	if err := oneStdin(k.key.file, k.key.passwordFile, k.newPasswordFile); err != nil {
		return err
	}
	if k.out == "" && k.key.file == stdio {
		return usagef("say with -o which file to make of standard input")
	}
	if k.out != "" && kindOf(k.out) == "" {
		return usagef("%s: a key file ends in .pfx, .p12, .yks or .pem", k.out)
	}
	file, err := k.key.openFile(e)
	if err != nil {
		return err
	}
	defer file.wipe()
	out := k.out
	if out == "" {
		extension := ".yks"
		if !isPEM(file.data) && !isSequence(file.data) {
			extension = ".pfx"
		}
		out = strings.TrimSuffix(k.key.file, filepath.Ext(k.key.file)) + extension
	}
	kind := kindOf(out)
	if k.modern && kind != kindPFX {
		return usagef("--modern is for PFX files, %s is none", out)
	}
	if err := absent(out); err != nil {
		return err
	}
	entries := withAliases(file.entries)
	if k.key.alias != "" {
		entry, err := k.key.choose(entries)
		if err != nil {
			return err
		}
		entries = []keystore.Entry{entry}
	}
	password, err := k.password(e, file)
	if err != nil {
		return err
	}
	data, err := kind.encode(entries, password, profileFor(k.modern))
	if err != nil {
		return err
	}
	defer clear(data)
	if err := atomicfile.Create(out, data, 0o600); err != nil {
		return err
	}
	e.warnAboutTrusted(k.key.file, file)
	return e.printWritten(out, kind, entries, k.asJSON)
}

// isSequence tells PFX from the formats of Java.
func isSequence(data []byte) bool { return bytes.HasPrefix(data, []byte{0x30}) }

// password is that of the new file.
func (k *keyConvertFlags) password(e env, file *keyFile) (string, error) {
	switch {
	case k.newPasswordFile != "":
		return e.changedPassword(k.newPasswordFile)
	case file.encrypted:
		return file.password, nil
	}
	return e.newPassword(k.key.passwordFile)
}

// warnAboutTrusted tells what a conversion leaves behind: certificates that
// stand alone, which only the formats of Java and YKS hold.
func (e env) warnAboutTrusted(name string, file *keyFile) {
	if isPEM(file.data) || isSequence(file.data) {
		return
	}
	if certs, err := keystore.ParseTrustStore(file.data, file.password); err == nil && len(certs) > 0 {
		fmt.Fprintf(e.stderr, "imzo: warning: %s also has %d trusted certificates, which were not taken over\n", inspect.Printable(name), len(certs))
	}
}

func (e env) printWritten(file string, kind keyKind, entries []keystore.Entry, asJSON bool) error {
	w := writtenKeys{File: file, Format: kind, Aliases: []string{}}
	for _, entry := range entries {
		w.Aliases = append(w.Aliases, entry.Alias)
	}
	if asJSON {
		return e.printJSON(w)
	}
	for _, alias := range w.Aliases {
		if _, err := fmt.Fprintf(e.stdout, "%s  %s\n", inspect.Printable(file), inspect.Printable(alias)); err != nil {
			return err
		}
	}
	return nil
}

// changedPassword takes a new password for a file that has one: never from the
// variable IMZO_PASSWORD, which is the old one.
func (e env) changedPassword(file string) (string, error) {
	var p string
	var err error
	if file != "" {
		p, _, err = e.givenPassword(file)
	} else if p, err = e.askTwice(); err != nil && errors.As(err, new(usageError)) {
		err = usagef("a new password is needed: give it with --new-password-file FILE")
	}
	if err == nil && p == "" {
		err = errors.New("the new password is empty")
	}
	return p, err
}

func newKeyPassword(e env) *cobra.Command {
	var key keyFlags
	var newPasswordFile string
	var modern, asJSON bool
	c := &cobra.Command{
		Use:   "password FILE",
		Short: "Change the password of a key file",
		Long: `Change the password of a PFX, YKS or PEM file. The file is replaced in one step,
after the new one was opened as a trial; whoever may read it stays the same. A
password that is forgotten cannot be restored.

A PFX keeps its kind of encryption, --modern changes it to AES-256. Of a PFX the
keys and their chains are kept, and nothing else that may be in it.`,
		Example: `  imzo key password DS1234567890001.pfx
  imzo key password --password-file old --new-password-file new key.yks`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			key.file = args[0]
			if key.file == stdio {
				return usagef("standard input has no password that could change; use 'imzo key convert'")
			}
			if err := oneStdin(key.passwordFile, newPasswordFile); err != nil {
				return err
			}
			return e.changeKeyPassword(key, newPasswordFile, modern, asJSON)
		},
	}
	f := c.Flags()
	f.StringVar(&key.passwordFile, "password-file", "", passwordFileHelp)
	f.StringVar(&newPasswordFile, "new-password-file", "", newPasswordFileHelp)
	f.BoolVar(&modern, "modern", false, "encrypt a PFX with AES-256, which Java 8 and so E-IMZO do not open")
	f.BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

func (e env) changeKeyPassword(key keyFlags, newPasswordFile string, modern, asJSON bool) error {
	file, err := key.openFile(e)
	if err != nil {
		return err
	}
	defer file.wipe()
	kind := file.kind()
	switch {
	case kind == "":
		return fmt.Errorf("%s: the password of a Java key store is changed by keytool; 'imzo key convert' makes a PFX of it", key.file)
	case modern && kind != kindPFX:
		return usagef("--modern is for PFX files, %s is none", key.file)
	}
	password, err := e.changedPassword(newPasswordFile)
	if err != nil {
		return err
	}
	entries := withAliases(file.entries)
	data, err := file.underPassword(kind, entries, password, modern)
	if err != nil {
		return err
	}
	defer clear(data)
	opened, err := keystore.Open(data, password)
	if err == nil && len(opened) != len(entries) {
		err = fmt.Errorf("%d of %d keys", len(opened), len(entries))
	}
	if err != nil {
		return fmt.Errorf("%s: stays as it is, since under its new password it does not open: %w", key.file, err)
	}
	if err := writeFile(key.file, data, 0o600); err != nil {
		return err
	}
	return e.printWritten(key.file, kind, entries, asJSON)
}

// kind is the format of the file, "" for one that is only read.
func (f *keyFile) kind() keyKind {
	switch {
	case keystore.IsYKS(f.data):
		return kindYKS
	case isPEM(f.data):
		return kindPEM
	case isSequence(f.data):
		return kindPFX
	}
	return ""
}

// underPassword writes the file under another password.
func (f *keyFile) underPassword(kind keyKind, entries []keystore.Entry, password string, modern bool) ([]byte, error) {
	switch kind {
	case kindYKS:
		return keystore.ChangeYKSPassword(rand.Reader, f.data, f.password, password)
	case kindPFX:
		profile, err := keystore.ProfileOf(f.data)
		if err != nil {
			return nil, err
		}
		if modern {
			profile = keystore.ProfileModern
		}
		return kind.encode(entries, password, profile)
	}
	return kind.encode(entries, password, 0)
}
