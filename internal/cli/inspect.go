package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"imzo/internal/inspect"
	"imzo/pki/keystore"
)

func newInspectCommand(e env) *cobra.Command {
	var plain, asJSON bool
	var passwordFile string
	c := &cobra.Command{
		Use:   "inspect FILE|-",
		Short: "Show what is inside a PKI file",
		Long: `Show what is inside a certificate, a PKCS#7 document, a timestamp, an OCSP
request or response, a CRL or a key file, as a tree for people. The file may be
binary, PEM with any number of blocks, or base64; anything else made of ASN.1 is
shown as its plain tree.

Nothing is verified: this shows what a file says, 'imzo verify' tells whether
it is true. A private key is never shown. A key file tells its aliases and how
it is encrypted; with its password also the certificates and public keys.`,
		Example: `  imzo inspect contract.p7s
  imzo inspect --password-file pw DS1234567890001.pfx
  curl -s http://ca.example.uz/ca.cer | imzo inspect -
  imzo inspect --json contract.p7s | jq '.children[].label'`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if plain && passwordFile != "" {
				return usagef("--asn1 opens no key files; leave --password-file out")
			}
			if err := oneStdin(args[0], passwordFile); err != nil {
				return err
			}
			data, err := e.readInput(args[0])
			if err != nil {
				return err
			}
			tree, err := e.inspectFile(data, plain, passwordFile)
			if errors.Is(err, keystore.ErrPassword) {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			if err != nil {
				return fmt.Errorf("%s: this is no PKI file: %w", args[0], err)
			}
			if asJSON {
				return e.printJSON(tree)
			}
			return tree.WriteText(e.stdout)
		},
	}
	f := c.Flags()
	f.BoolVar(&plain, "asn1", false, "show the plain ASN.1 tree")
	f.StringVar(&passwordFile, "password-file", "", "`FILE` whose first line is the password of a key file")
	f.BoolVar(&asJSON, "json", false, "print the tree as JSON: label, value, children")
	return c
}

func (e env) inspectFile(data []byte, plain bool, passwordFile string) (*inspect.Node, error) {
	if plain {
		return inspect.ASN1(data)
	}
	// IMZO_PASSWORD is not asked here: what can be seen without a password
	// must not depend on one that is meant for another file.
	password := ""
	if passwordFile != "" {
		var err error
		if password, _, err = e.givenPassword(passwordFile); err != nil {
			return nil, err
		}
	}
	return inspect.Describe(data, password)
}
