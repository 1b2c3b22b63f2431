package cli

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"imzo/internal/atomicfile"
	"imzo/internal/inspect"
	"imzo/pki/alg"
	"imzo/pki/cert"
	"imzo/pki/keystore"
)

func newKeyCommand(e env) *cobra.Command {
	c := &cobra.Command{
		Use:   "key",
		Short: "Make, look at and convert key files",
		Long: `Make, look at and convert key files: PFX (PKCS#12), YKS (YTKS) and PEM. To see
how a file is built and encrypted, without its password, use 'imzo inspect'.`,
		Example: `  imzo key new --subject 'CN=IVANOV IVAN,1.2.860.3.16.1.2=30000000000000' -o ivanov.pfx
  imzo key list ~/DSKEYS
  imzo key info ivanov.pfx
  imzo key convert ivanov.pfx -o ivanov.yks`,
	}
	c.AddCommand(newKeyNew(e), newKeyList(e), newKeyInfo(e), newKeyConvert(e), newKeyPassword(e), newKeyRequest(e), newKeyQR(e))
	return c
}

type keyNewFlags struct {
	subject, spec, passwordFile, out string
	days                             int
	modern, pem, asJSON              bool
}

func newKeyNew(e env) *cobra.Command {
	var k keyNewFlags
	c := &cobra.Command{
		Use:   "new --subject NAME -o FILE",
		Short: "Make a key with a self-signed certificate",
		Long: `Make a key with a self-signed certificate, as a PFX file, as a YKS file (when
its name ends in .yks) or as PEM. Nobody trusts it who does not trust this very certificate: 'imzo verify --trust' takes
it. For keys under a CA of your own use 'imzo trust issue'.

The subject is written as E-IMZO shows it: 1.2.860.3.16.1.2 is the PINFL,
1.2.860.3.16.1.1 the TIN of an organisation.`,
		Example: `  imzo key new --subject 'CN=TEST USER,C=UZ' -o test.pfx
  imzo key new --subject 'CN=IVANOV IVAN,1.2.860.3.16.1.2=30000000000000' --password-file pw -o ivanov.pfx
  imzo key new --subject 'CN=robot' --alg ecdsa:P-256 --pem -o robot.pem`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return k.run(e) },
	}
	f := c.Flags()
	f.StringVar(&k.subject, "subject", "", "distinguished `NAME`, such as CN=IVANOV IVAN,O=NAMUNA,C=UZ")
	f.StringVar(&k.spec, "alg", "ozdst", "`KIND` of key: ozdst, ozmst, gost2001, rsa:2048, ecdsa:P-256, ed25519; with a curve as in ozdst:B")
	f.StringVar(&k.passwordFile, "password-file", "", passwordFileHelp)
	f.StringVarP(&k.out, "output", "o", "", "`FILE` to make; it must not be there yet")
	f.IntVar(&k.days, "days", 365, "validity in days")
	f.BoolVar(&k.modern, "modern", false, "encrypt with AES-256, which Java 8 and so E-IMZO do not open")
	f.BoolVar(&k.pem, "pem", false, "write PEM; encrypted only if a password is given")
	f.BoolVar(&k.asJSON, "json", false, "print one JSON object")
	c.MarkFlagsMutuallyExclusive("pem", "modern")
	for _, required := range []string{"subject", "output"} {
		if err := c.MarkFlagRequired(required); err != nil {
			panic(err)
		}
	}
	return c
}

func (k *keyNewFlags) run(e env) error {
	if k.days < 1 || k.days > 36500 {
		return usagef("--days must be between 1 and 36500")
	}
	name, err := cert.ParseName(k.subject)
	if err != nil {
		return usageError{fmt.Errorf("--subject: %w", err)}
	}
	if name.Empty() {
		return usagef("--subject is empty; give at least CN=NAME")
	}
	if k.modern && kindOf(k.out) == kindYKS {
		return usagef("--modern is for PFX files; a YKS file has one cipher only")
	}
	if err := absent(k.out); err != nil {
		return err
	}
	key, err := alg.GenerateKey(k.spec, rand.Reader)
	if err != nil {
		return usageError{fmt.Errorf("--alg: %w", err)}
	}
	defer key.Wipe()
	c, err := selfSigned(key, name, e.now(), k.days)
	if err != nil {
		return err
	}
	entry := keystore.Entry{Alias: keystore.Alias(c, time.Local), Key: key, Chain: []*cert.Certificate{c}}
	file, err := k.encode(e, entry)
	if err != nil {
		return err
	}
	defer clear(file)
	if err := atomicfile.Create(k.out, file, 0o600); err != nil {
		return err
	}
	if k.asJSON {
		return e.printJSON(struct {
			File        string   `json:"file"`
			Alias       string   `json:"alias"`
			Certificate certInfo `json:"certificate"`
		}{k.out, entry.Alias, describeCert(c)})
	}
	_, err = fmt.Fprintf(e.stdout, "%s  %s\n", inspect.Printable(k.out), inspect.Printable(entry.Alias))
	return err
}

func (k *keyNewFlags) encode(e env, entry keystore.Entry) ([]byte, error) {
	if k.pem {
		password, _, err := e.givenPassword(k.passwordFile)
		if err != nil {
			return nil, err
		}
		return keystore.EncodePEM(rand.Reader, entry, password)
	}
	password, err := e.newPassword(k.passwordFile)
	if err != nil {
		return nil, err
	}
	kind := kindPFX
	if kindOf(k.out) == kindYKS {
		kind = kindYKS
	}
	return kind.encode([]keystore.Entry{entry}, password, profileFor(k.modern))
}

// selfSigned makes the certificate of a key that signs documents.
func selfSigned(key *alg.PrivateKey, name cert.Name, now time.Time, days int) (*cert.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 63))
	if err != nil {
		return nil, err
	}
	start := now.UTC().Truncate(time.Second)
	return cert.Create(rand.Reader, &cert.Template{
		Serial: serial.Add(serial, big.NewInt(1)), Subject: name, PublicKey: key.PublicKey(),
		NotBefore: start, NotAfter: start.AddDate(0, 0, days),
		KeyUsage: cert.KeyUsageDigitalSignature | cert.KeyUsageContentCommitment,
	}, nil, key)
}

// listedKey is one key as `imzo key list` shows it. Only a YKS file shows its
// certificates without a password.
type listedKey struct {
	File        string    `json:"file"`
	Alias       string    `json:"alias,omitempty"`
	Certificate *certInfo `json:"certificate,omitempty"`
	Error       string    `json:"error,omitempty"`
}

func newKeyList(e env) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "list [FOLDER|FILE...]",
		Short: "List the keys in folders; no password is needed",
		Long: `List the aliases of the PFX and YKS files in folders (and their DSKEYS
subfolders), by default of the current folder and of DSKEYS in the home folder. A file that
cannot be read is told on standard error, and when it was named itself the exit
code is 1.`,
		Example: "  imzo key list\n  imzo key list --json /media/flash",
		Args:    cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			keys, err := e.findKeys(args)
			if err != nil {
				return err
			}
			return e.printKeys(keys, args, asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return c
}

// findKeys lists the keys of the named folders and files, or of the usual
// folders as far as they are there.
func (e env) findKeys(named []string) ([]listedKey, error) {
	paths := named
	if len(named) == 0 {
		paths = []string{"."}
		if home, err := os.UserHomeDir(); err == nil {
			paths = append(paths, filepath.Join(home, "DSKEYS"))
		}
	}
	keys := []listedKey{}
	for _, p := range paths {
		found, err := e.listKeys(p)
		if err != nil && (len(named) > 0 || !errors.Is(err, fs.ErrNotExist)) {
			return nil, err
		}
		keys = append(keys, found...)
	}
	return keys, nil
}

func (e env) printKeys(keys []listedKey, named []string, asJSON bool) error {
	failed := false
	for _, k := range keys {
		for _, name := range named {
			failed = failed || k.Error != "" && k.File == name
		}
		switch {
		case asJSON:
		case k.Error != "":
			fmt.Fprintf(e.stderr, "%s: %s\n", inspect.Printable(k.File), inspect.Printable(k.Error))
		default:
			fmt.Fprintf(e.stdout, "%s  %s\n", inspect.Printable(k.File), inspect.Printable(k.Alias))
		}
	}
	if asJSON {
		if err := e.printJSON(keys); err != nil {
			return err
		}
	} else if len(keys) == 0 {
		fmt.Fprintln(e.stderr, "no PFX or YKS files here")
	}
	if failed {
		return errSilent
	}
	return nil
}

func (e env) listKeys(path string) ([]listedKey, error) {
	files, err := keyFiles(path)
	if err != nil {
		return nil, err
	}
	var keys []listedKey
	for _, f := range files {
		listed, err := e.listFile(f)
		if err != nil {
			listed = append(listed, listedKey{File: f, Error: err.Error()})
		}
		keys = append(keys, listed...)
	}
	return keys, nil
}

var errNoAlias = errors.New("no key that can be seen without a password; see 'imzo key info'")

func (e env) listFile(file string) ([]listedKey, error) {
	data, err := e.readInput(file)
	if err != nil {
		return nil, err
	}
	var keys []listedKey
	if keystore.IsYKS(data) {
		items, err := keystore.ListYKS(data)
		if err != nil {
			return nil, err
		}
		for _, item := range items {
			k := listedKey{File: file, Alias: item.Alias}
			if len(item.Chain) > 0 {
				info := describeCert(item.Chain[0])
				k.Certificate = &info
			}
			keys = append(keys, k)
		}
	} else {
		aliases, err := keystore.ListPFX(data)
		if err != nil {
			return nil, err
		}
		for _, a := range aliases {
			keys = append(keys, listedKey{File: file, Alias: a})
		}
	}
	if len(keys) == 0 {
		return nil, errNoAlias
	}
	return keys, nil
}

// keyFiles returns the PFX and YKS files of a folder and its DSKEYS subfolder, where
// E-IMZO looks for them too; a file stands for itself.
func keyFiles(path string) ([]string, error) {
	if path == stdio {
		return []string{path}, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	var files []string
	for _, dir := range []string{path, filepath.Join(path, "DSKEYS")} {
		names, err := os.ReadDir(dir)
		if err != nil && dir == path {
			return nil, err
		}
		for _, n := range names {
			if ext := strings.ToLower(filepath.Ext(n.Name())); !n.IsDir() && (ext == ".pfx" || ext == ".yks") {
				files = append(files, filepath.Join(dir, n.Name()))
			}
		}
	}
	return files, nil
}

// certInfo is a certificate as `imzo key info` shows it.
type certInfo struct {
	SerialNumber string    `json:"serialNumber"`
	Subject      string    `json:"subject"`
	Issuer       string    `json:"issuer"`
	NotBefore    time.Time `json:"notBefore"`
	NotAfter     time.Time `json:"notAfter"`
	Key          string    `json:"key"`
	ParamSet     string    `json:"paramSet,omitempty"`
	KeyID        string    `json:"keyId"`
}

func describeCert(c *cert.Certificate) certInfo {
	return certInfo{
		SerialNumber: c.SerialHex(), Subject: c.Subject.String(), Issuer: c.Issuer.String(), NotBefore: c.NotBefore, NotAfter: c.NotAfter,
		Key: c.PublicKey.Name(), ParamSet: c.PublicKey.ParamSet.String(), KeyID: hex.EncodeToString(c.PublicKey.KeyID()),
	}
}

// keyInfo is a key as `imzo key info` shows it.
type keyInfo struct {
	Alias        string     `json:"alias,omitempty"`
	Key          string     `json:"key"`
	Certificates []certInfo `json:"certificates"`
}

func newKeyInfo(e env) *cobra.Command {
	var key keyFlags
	var asJSON bool
	c := &cobra.Command{
		Use:   "info FILE|-",
		Short: "Show the keys of a file with their certificates",
		Long: `Show the keys of a PFX, YKS or PEM file with their certificates: the key's own
first, then its issuers. The private key is opened, so a wrong password is noticed,
and never shown.`,
		Example: "  imzo key info DS1234567890001.pfx\n  imzo key info --password-file pw --json key.pfx",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			key.file = args[0]
			if err := oneStdin(key.file, key.passwordFile); err != nil {
				return err
			}
			entries, err := key.openAll(e)
			if err != nil {
				return err
			}
			keys := []keyInfo{}
			for _, entry := range entries {
				entry.Key.Wipe()
				i := keyInfo{Alias: entry.Alias, Key: entry.Key.PublicKey().Name(), Certificates: []certInfo{}}
				for _, c := range entry.Chain {
					i.Certificates = append(i.Certificates, describeCert(c))
				}
				keys = append(keys, i)
			}
			if asJSON {
				return e.printJSON(keys)
			}
			return e.printKeyInfo(keys)
		},
	}
	c.Flags().StringVar(&key.passwordFile, "password-file", "", passwordFileHelp)
	c.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return c
}

func (e env) printKeyInfo(keys []keyInfo) error {
	var b strings.Builder
	for _, k := range keys {
		fmt.Fprintf(&b, "key        %s\n", k.Key)
		if k.Alias != "" {
			fmt.Fprintf(&b, "alias      %s\n", inspect.Printable(k.Alias))
		}
		for n, c := range k.Certificates {
			note := ""
			switch now := e.now(); {
			case now.After(c.NotAfter.Add(time.Second)):
				note = " (EXPIRED)"
			case now.Before(c.NotBefore):
				note = " (NOT VALID YET)"
			}
			fmt.Fprintf(&b, "certificate %d\n  subject  %s\n  issuer   %s\n  serial   %s\n  valid    %s to %s%s\n  key      %s %s\n",
				n+1, inspect.Printable(c.Subject), inspect.Printable(c.Issuer), c.SerialNumber,
				localTime(c.NotBefore), localTime(c.NotAfter), note, c.Key, c.ParamSet)
		}
		if len(k.Certificates) == 0 {
			fmt.Fprintln(&b, "no certificate")
		}
	}
	_, err := fmt.Fprint(e.stdout, b.String())
	return err
}
