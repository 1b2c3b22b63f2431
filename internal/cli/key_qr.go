package cli

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"imzo/internal/atomicfile"
	"imzo/internal/inspect"
	"imzo/internal/qr"
	"imzo/pki/keystore"
)

type keyQRFlags struct {
	key                 keyFlags
	qrPasswordFile, out string
	scale               int
	text, asJSON        bool
}

// madeQR is what `imzo key qr --json` prints.
type madeQR struct {
	File  string `json:"file,omitempty"`
	Alias string `json:"alias,omitempty"`
	// Text is what the code holds, where it is written to no file.
	Text string `json:"text,omitempty"`
}

func newKeyQR(e env) *cobra.Command {
	var k keyQRFlags
	c := &cobra.Command{
		Use:   "qr FILE|- [-o OUT.png]",
		Short: "Hand a key to a phone as a QR code",
		Long: `Draw a key as the QR code that E-IMZO's application for phones reads, on the
terminal or with -o into a PNG image. The file must hold a single key, of a kind
of Uzbekistan.

The code holds the private key itself, protected by its password alone: show it
to nobody, and delete the image when the phone has the key. The password, of
digits and Latin letters only, is that of the file, or another that
--qr-password-file gives.`,
		Example: `  imzo key qr DS1234567890001.pfx
  imzo key qr --qr-password-file pw2 -o key.png DS1234567890001.pfx
  imzo key qr --text --password-file pw key.pfx`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			k.key.file = args[0]
			return k.run(e)
		},
	}
	f := c.Flags()
	f.StringVar(&k.key.passwordFile, "password-file", "", passwordFileHelp)
	f.StringVar(&k.qrPasswordFile, "qr-password-file", "", "`FILE` whose first line is the password that the phone will ask for (else that of FILE)")
	f.StringVarP(&k.out, "output", "o", "", "PNG `FILE` to make; it must not be there yet")
	f.IntVar(&k.scale, "scale", 8, "pixels of a module of the image, 1 to 64")
	f.BoolVar(&k.text, "text", false, "print the text of the code, hex, in place of the code")
	f.BoolVar(&k.asJSON, "json", false, "print one JSON object; with -o it does not hold the key")
	c.MarkFlagsMutuallyExclusive("text", "output")
	c.MarkFlagsMutuallyExclusive("text", "json")
	return c
}

func (k *keyQRFlags) run(e env) error {
	if err := oneStdin(k.key.file, k.key.passwordFile, k.qrPasswordFile); err != nil {
		return err
	}
	if k.out == stdio {
		return usagef("-o takes the name of a PNG file")
	}
	if k.out != "" {
		if err := absent(k.out); err != nil {
			return err
		}
	}
	file, err := k.key.openFile(e)
	if err != nil {
		return err
	}
	defer file.wipe()
	entry, err := keystore.SingleKey(file.entries)
	if err != nil {
		return fmt.Errorf("%s: %w", k.key.file, err)
	}
	text, err := k.encode(e, file, entry)
	if err != nil {
		return fmt.Errorf("%s: %w", k.key.file, err)
	}
	return k.write(e, text, entry.Alias)
}

// encode returns the text of the code.
func (k *keyQRFlags) encode(e env, file *keyFile, entry keystore.Entry) (string, error) {
	password := file.password
	if k.qrPasswordFile != "" {
		var err error
		if password, _, err = e.givenPassword(k.qrPasswordFile); err != nil {
			return "", err
		}
	}
	text, err := keystore.QRKey(entry.Key, password)
	if errors.Is(err, keystore.ErrQRPassword) && k.qrPasswordFile == "" {
		return "", usagef("%w; give one with --qr-password-file, or change that of the file with 'imzo key password'", err)
	}
	return text, err
}

func (k *keyQRFlags) write(e env, text, alias string) error {
	if k.text {
		_, err := fmt.Fprintln(e.stdout, text)
		return err
	}
	if k.out == "" && k.asJSON {
		return e.printJSON(madeQR{Alias: alias, Text: text})
	}
	code, err := qr.Encode(text)
	if err != nil {
		return err
	}
	if k.out == "" {
		drawn := code.Text()
		if f, ok := e.stdout.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
			drawn = code.ANSI()
		}
		_, err := fmt.Fprint(e.stdout, drawn)
		return err
	}
	image, err := code.PNG(k.scale)
	if err != nil {
		return usageError{fmt.Errorf("--scale: %w", err)}
	}
	defer clear(image)
	if err := atomicfile.Create(k.out, image, 0o600); err != nil {
		return err
	}
	if k.asJSON {
		return e.printJSON(madeQR{File: k.out, Alias: alias})
	}
	_, err = fmt.Fprintf(e.stdout, "%s  %s\n", inspect.Printable(k.out), inspect.Printable(alias))
	return err
}
