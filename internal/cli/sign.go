package cli

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"imzo/internal/inspect"
	"imzo/pki/armor"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/keystore"
)

const passwordFileHelp = "`FILE` whose first line is the password (else the variable IMZO_PASSWORD, else it is asked for)"

// keyFlags are the flags of every command that uses a private key.
type keyFlags struct {
	file, passwordFile, alias string
}

func (k *keyFlags) register(c *cobra.Command) {
	c.Flags().StringVar(&k.file, "key", "", "`FILE` with the key: PFX, YKS, or PEM with key and certificates")
	c.Flags().StringVar(&k.passwordFile, "password-file", "", passwordFileHelp)
	c.Flags().StringVar(&k.alias, "alias", "", "which key, when the file holds several: the `ALIAS` or a part of it")
	if err := c.MarkFlagRequired("key"); err != nil {
		panic(err)
	}
}

// keyFile is a key file that was opened.
type keyFile struct {
	data    []byte
	entries []keystore.Entry // one or more
	// password is "" for PEM that is not encrypted.
	password  string
	encrypted bool
}

// wipe clears the keys.
func (f *keyFile) wipe() {
	for _, entry := range f.entries {
		entry.Key.Wipe()
	}
}

// openFile reads every key of the file; only a file that needs a password asks
// for one.
func (k *keyFlags) openFile(e env) (*keyFile, error) {
	data, err := e.readInput(k.file)
	if err != nil {
		return nil, err
	}
	f := &keyFile{data: data, encrypted: !isPEM(data) || bytes.Contains(data, []byte("ENCRYPTED"))}
	if f.encrypted {
		if f.password, err = e.readPassword(k.passwordFile, "Password of "+k.file); err != nil {
			return nil, err
		}
	}
	if f.entries, err = keystore.Open(data, f.password); err != nil {
		return nil, fmt.Errorf("%s: %w", k.file, err)
	}
	if len(f.entries) == 0 {
		return nil, fmt.Errorf("%s: no private key", k.file)
	}
	return f, nil
}

func isPEM(data []byte) bool { return bytes.Contains(data, []byte("-----BEGIN ")) }

// openAll is openFile for those who need the keys alone.
func (k *keyFlags) openAll(e env) ([]keystore.Entry, error) {
	f, err := k.openFile(e)
	if err != nil {
		return nil, err
	}
	return f.entries, nil
}

// open reads the one key that the flags name, which has a certificate.
func (k *keyFlags) open(e env) (keystore.Entry, error) {
	entries, err := k.openAll(e)
	if err != nil {
		return keystore.Entry{}, err
	}
	entry, err := k.choose(entries)
	if err != nil {
		return keystore.Entry{}, err
	}
	if len(entry.Chain) == 0 {
		return keystore.Entry{}, fmt.Errorf("%s: the key has no certificate; put it into the file, after the key", k.file)
	}
	return entry, nil
}

// choose finds the key that --alias names: by the whole alias, else by a part
// that only one has.
func (k *keyFlags) choose(entries []keystore.Entry) (keystore.Entry, error) {
	if k.alias == "" && len(entries) == 1 {
		return entries[0], nil
	}
	var found []keystore.Entry
	var aliases []string
	for _, entry := range entries {
		if k.alias != "" && strings.EqualFold(entry.Alias, k.alias) {
			return entry, nil
		}
		if k.alias != "" && strings.Contains(strings.ToLower(entry.Alias), strings.ToLower(k.alias)) {
			found = append(found, entry)
		}
		aliases = append(aliases, inspect.Printable(entry.Alias))
	}
	if len(found) == 1 {
		return found[0], nil
	}
	return keystore.Entry{}, usagef("%s: say which key with --alias; the file has\n  %s", k.file, strings.Join(aliases, "\n  "))
}

// warnAboutValidity tells a person that what is being signed will not be
// valid. It does not stop him: the certificate may be a test's.
func (e env) warnAboutValidity(c *cert.Certificate, now time.Time) {
	if c.ValidAt(now) {
		return
	}
	fault := "expired on " + localTime(c.NotAfter)
	if now.Before(c.NotBefore) {
		fault = "is not valid before " + localTime(c.NotBefore)
	}
	fmt.Fprintf(e.stderr, "imzo: warning: the certificate of %s %s: the signature will not be accepted\n", personOf(c), fault)
}

// personOf is who a certificate is of, for a line of text.
func personOf(c *cert.Certificate) string {
	if cn := c.Subject.Get("CN"); cn != "" {
		return inspect.Printable(cn)
	}
	return inspect.Printable(c.Subject.String())
}

func localTime(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05 MST") }

// signedFile is what `imzo sign --json` and `imzo timestamp --json` print.
type signedFile struct {
	File       string       `json:"file"`
	Size       int          `json:"size"`
	Base64     bool         `json:"base64"`
	Detached   bool         `json:"detached"`
	Signatures []madeSigner `json:"signatures"`
}

type madeSigner struct {
	Subject      string     `json:"subject,omitempty"`
	SerialNumber string     `json:"serialNumber,omitempty"`
	SigningTime  *time.Time `json:"signingTime,omitempty"`
	Signature    string     `json:"signature"`
	TimeStamps   int        `json:"timeStamps"`
}

type signFlags struct {
	key                              keyFlags
	detached, text, der, add, asJSON bool
	out, contentFile                 string
}

func newSignCommand(e env) *cobra.Command {
	var s signFlags
	c := &cobra.Command{
		Use:   "sign --key FILE.pfx FILE|-",
		Short: "Sign a file as PKCS#7",
		Long: `Sign a file as PKCS#7 (CMS SignedData) in the layout that E-IMZO writes. The
document has the content inside, unless --detached leaves it out. With --add,
FILE is such a document already, and gets one more signature.

The result goes to standard output, or to the file of -o. With -o, --json
prints what was made.`,
		Example: `  imzo sign --key DS1234567890001.pfx --password-file pw -o contract.p7s contract.pdf
  imzo sign --key key.pfx --password-file pw --detached --base64 contract.pdf > contract.pdf.p7s
  imzo sign --key other.pfx --password-file pw --add -o both.p7s contract.p7s
  printf %s "$CHALLENGE" | imzo sign --key key.pfx --password-file pw --base64 -`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return s.run(e, args[0]) },
	}
	s.key.register(c)
	f := c.Flags()
	f.BoolVar(&s.detached, "detached", false, "leave the content out of the document")
	f.BoolVar(&s.text, "base64", false, "write base64 on one line")
	f.BoolVar(&s.der, "der", false, "write DER instead of E-IMZO's BER")
	f.BoolVar(&s.add, "add", false, "FILE is a PKCS#7 document: add a signature to it")
	f.StringVar(&s.contentFile, "content", "", "with --add: `FILE` with the content of a detached document")
	f.StringVarP(&s.out, "output", "o", "", "`FILE` to write, instead of standard output")
	f.BoolVar(&s.asJSON, "json", false, "with -o: print what was made as one JSON object")
	return c
}

func (s *signFlags) check(input string) error {
	switch {
	case s.add && (s.detached || s.der):
		return usagef("--add keeps the form of the document; leave --detached and --der out")
	case s.contentFile != "" && !s.add:
		return usagef("--content goes with --add")
	}
	if err := jsonNeedsFile(s.asJSON, s.out); err != nil {
		return err
	}
	if err := oneStdin(input, s.key.file, s.key.passwordFile, s.contentFile); err != nil {
		return err
	}
	if s.add {
		return keepsFile(s.out, s.key.file, s.contentFile) // adding in place is what one may want
	}
	return keepsFile(s.out, s.key.file, input)
}

// jsonNeedsFile keeps JSON apart from a document on standard output.
func jsonNeedsFile(asJSON bool, out string) error {
	if asJSON && (out == "" || out == stdio) {
		return usagef("--json needs -o: the document itself is what is printed otherwise")
	}
	return nil
}

func (s *signFlags) run(e env, name string) error {
	if err := s.check(name); err != nil {
		return err
	}
	input, err := e.readInput(name)
	if err != nil {
		return err
	}
	entry, err := s.key.open(e)
	if err != nil {
		return err
	}
	defer entry.Key.Wipe()
	now := e.now()
	e.warnAboutValidity(entry.Chain[0], now)
	signer := cms.Signer{Key: entry.Key, Chain: entry.Chain, SigningTime: now}
	var document []byte
	if s.add {
		document, err = e.addSigner(name, input, s.contentFile, signer)
	} else {
		document, err = cms.Sign(input, []cms.Signer{signer}, cms.Options{Detached: s.detached, DER: s.der, Rand: rand.Reader})
	}
	if err != nil {
		return err
	}
	return e.writeDocument(document, s.out, s.text, s.asJSON)
}

func (e env) addSigner(name string, document []byte, contentFile string, signer cms.Signer) ([]byte, error) {
	signed, err := parseDocument(name, document)
	if err != nil {
		return nil, err
	}
	var content []byte
	switch {
	case signed.Detached() && contentFile == "":
		return nil, usagef("%s is detached: give its content with --content FILE", name)
	case !signed.Detached() && contentFile != "":
		return nil, usagef("%s has its content inside: leave --content out", name)
	case contentFile != "":
		if content, err = e.readInput(contentFile); err != nil {
			return nil, err
		}
	}
	out, err := signed.AddSigner(content, signer, rand.Reader)
	if errors.Is(err, cms.ErrDigestMismatch) {
		return nil, fmt.Errorf("%s is not the content that %s signs: %w", contentFile, name, err)
	}
	return out, err
}

// writeDocument writes a document and tells about it.
func (e env) writeDocument(document []byte, out string, text, asJSON bool) error {
	b := document
	if text {
		b = base64Line(document)
	}
	if err := e.writeOutput(out, b, !text); err != nil {
		return err
	}
	if !asJSON {
		return nil
	}
	info, err := describeSigned(document, out, text)
	if err != nil {
		return err
	}
	info.Size = len(b)
	return e.printJSON(info)
}

func describeSigned(document []byte, out string, text bool) (*signedFile, error) {
	signed, err := cms.Parse(document)
	if err != nil {
		return nil, err
	}
	info := &signedFile{File: out, Base64: text, Detached: signed.Detached()}
	for _, si := range signed.SignerInfos {
		m := madeSigner{Signature: fmt.Sprintf("%x", si.Signature)}
		if certs := signed.SignerCertificates(si); len(certs) > 0 {
			m.Subject, m.SerialNumber = certs[0].Subject.String(), certs[0].SerialHex()
		}
		at, ok, err := si.SigningTime()
		if err != nil {
			return nil, err
		}
		if ok {
			m.SigningTime = &at
		}
		tokens, err := si.TimeStampTokens()
		if err != nil {
			return nil, err
		}
		m.TimeStamps = len(tokens)
		info.Signatures = append(info.Signatures, m)
	}
	return info, nil
}

// base64Line is the text form that E-IMZO uses: one line.
func base64Line(b []byte) []byte {
	return append([]byte(base64.StdEncoding.EncodeToString(b)), '\n')
}

// parseDocument reads a PKCS#7 document in any text form.
func parseDocument(name string, input []byte) (*cms.SignedData, error) {
	b, err := armor.Decode(input)
	if err != nil {
		return nil, fmt.Errorf("%s: this is no PKCS#7 document: %w", name, err)
	}
	signed, err := cms.Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: this is no PKCS#7 document: %w", name, err)
	}
	return signed, nil
}
