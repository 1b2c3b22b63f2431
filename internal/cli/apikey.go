package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"imzo/internal/eimzo/apikey"
)

func newAPIKeyCommand(e env) *cobra.Command {
	c := &cobra.Command{
		Use:   "apikey",
		Short: "Check API keys of sites",
	}
	var asJSON bool
	verify := &cobra.Command{
		Use:   "verify DOMAIN KEY",
		Short: "Check that an API key is the vendor's for a domain",
		Long: `Check that an API key (128 hex digits) is the vendor's signature for a domain:
the bare host name, without scheme and port. Exits 1 when it is not.`,
		Example: `  imzo apikey verify localhost 96D0C1491615C82B9A54D9989779DF825B690748224C2B04F500F370D51827CE2644D8D4A82C18184D73AB8530BB8ED537269603F61DB0D03D2104ABF789970B`,
		Args:    cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			err := apikey.Verify(args[0], args[1])
			if asJSON {
				result := struct {
					Domain string `json:"domain"`
					Valid  bool   `json:"valid"`
					Error  string `json:"error,omitempty"`
				}{Domain: args[0], Valid: err == nil}
				if err != nil {
					result.Error = err.Error()
				}
				if err := e.printJSON(result); err != nil {
					return err
				}
			} else if err == nil {
				fmt.Fprintf(e.stdout, "valid for %s\n", args[0])
			} else {
				fmt.Fprintf(e.stdout, "not valid for %s: %v\n", args[0], err)
			}
			if err != nil {
				return errSilent
			}
			return nil
		},
	}
	verify.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	c.AddCommand(verify)
	return c
}
