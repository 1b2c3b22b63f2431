package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"imzo/internal/eimzo/server"
)

func newServerCommand(e env) *cobra.Command {
	var logFormat, check string
	var keys, asJSON bool
	c := &cobra.Command{
		Use:   "server [start] [-c] [config.properties]",
		Short: "Run the REST server, a drop-in for E-IMZO-SERVER",
		Long: `Run the REST server that a site asks whether an E-IMZO signature is valid: a
drop-in for E-IMZO-SERVER, with the same config.properties, endpoints and
JSON. docs/server.md describes it, docs/config.md lists all keys.

What the configuration needs at least:

  tsp.jks.file.path=keys/truststore.jks

An environment variable overrides a key of the file: EIMZO_CFG_LISTEN_PORT=80
sets listen.port. The command lines of the original work too: write imzo server
for java, and leave the rest as it is.

On SIGHUP the server reads the trusted certificates, its TLS certificate and
the key of its trust link again, without losing a request; other keys need a
restart. On SIGTERM it finishes the requests it has.`,
		Example: `  imzo server config.properties
  imzo server --check /etc/imzo/config.properties
  imzo server -Dfile.encoding=UTF-8 -jar e-imzo-server.jar config.properties
  imzo server --keys`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case keys:
				_, err := io.WriteString(e.stdout, server.ConfigDocument())
				return err
			case c.Flags().Changed("check"):
				if len(args) > 0 {
					return usagef("--check has the file already: imzo server --check FILE")
				}
				return checkServer(e, check, asJSON)
			case asJSON:
				return usagef("--json goes with --check")
			}
			path := "config.properties"
			if len(args) == 1 {
				path = args[0]
			}
			if logFormat != "" && logFormat != "text" && logFormat != "json" {
				return usagef("--log-format is text or json, not %q", logFormat)
			}
			return server.Run(c.Context(), path, server.Deps{
				Version: versionString(), Now: e.now, Environ: os.Environ(),
				NewLogger: func(level slog.Level, asJSON bool) *slog.Logger {
					if logFormat != "" {
						asJSON = logFormat == "json"
					}
					return newServerLogger(e.stderr, level, asJSON)
				},
			})
		},
	}
	c.Flags().StringVar(&logFormat, "log-format", "", "text or json, instead of log.format of the configuration")
	c.Flags().StringVar(&check, "check", "", "only check this configuration and the files it names")
	c.Flags().BoolVar(&asJSON, "json", false, "with --check: print the result as JSON")
	c.Flags().BoolVar(&keys, "keys", false, "print what docs/config.md says: every key, its values and default")
	return c
}

// checkServer says what is wrong with a configuration; nothing is listened on
// and nobody is asked.
func checkServer(e env, path string, asJSON bool) error {
	result := server.Check(path, os.Environ(), e.now)
	if asJSON {
		out := struct {
			File     string   `json:"file"`
			OK       bool     `json:"ok"`
			Warnings []string `json:"warnings"`
			Errors   []string `json:"errors"`
		}{path, len(result.Errors) == 0, append([]string{}, result.Warnings...), append([]string{}, result.Errors...)}
		encoder := json.NewEncoder(e.stdout)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(out); err != nil {
			return err
		}
	} else {
		for _, w := range result.Warnings {
			fmt.Fprintf(e.stderr, "warning: %s\n", printableError(errors.New(w)))
		}
		for _, f := range result.Errors {
			fmt.Fprintf(e.stderr, "error: %s\n", printableError(errors.New(f)))
		}
		if len(result.Errors) == 0 {
			fmt.Fprintf(e.stdout, "%s is right, with %s\n", path, plural(len(result.Warnings), "warning"))
		}
	}
	if len(result.Errors) > 0 {
		return errSilent
	}
	return nil
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func newServerLogger(w io.Writer, level slog.Level, asJSON bool) *slog.Logger {
	o := &slog.HandlerOptions{Level: level}
	if asJSON {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
