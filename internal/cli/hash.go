package cli

import (
	"encoding/hex"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"imzo/pki/alg"
)

func newHashCommand(e env) *cobra.Command {
	var name string
	var asJSON bool
	c := &cobra.Command{
		Use:   "hash FILE|-",
		Short: "Print the digest of a file",
		Long: `Print the digest of a file in hexadecimal, by default that of O'zDSt
1106:2009 algorithm 2 (the same function as O'z MSt 285:2024 and GOST R
34.11-94 with the CryptoPro parameters), which E-IMZO uses everywhere.`,
		Example: `  imzo hash contract.pdf
  printf 'some document' | imzo hash -
  imzo hash --alg SHA-256 --json contract.pdf`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			d, err := alg.DigestByName(name)
			if err != nil {
				return usageError{err}
			}
			in, err := e.openInput(args[0])
			if err != nil {
				return err
			}
			defer in.Close()
			h := d.New()
			n, err := io.Copy(h, in)
			if err != nil {
				return err
			}
			sum := hex.EncodeToString(h.Sum(nil))
			if asJSON {
				return e.printJSON(struct {
					Algorithm string `json:"algorithm"`
					OID       string `json:"oid"`
					Size      int64  `json:"size"`
					Digest    string `json:"digest"`
				}{d.Name, d.OID.String(), n, sum})
			}
			_, err = fmt.Fprintln(e.stdout, sum)
			return err
		},
	}
	c.Flags().StringVar(&name, "alg", "OZDST-1106-2009-2-A", "`DIGEST`: OZDST-1106-2009-2-A, OZMST-285-2024-2-A, SHA-256, ...")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}
