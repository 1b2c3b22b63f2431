package cli

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"imzo/internal/eimzo/server"
)

func newServerCommand(e env) *cobra.Command {
	var logFormat string
	c := &cobra.Command{
		Use:   "server [config.properties]",
		Short: "Run the REST server, a drop-in for E-IMZO-SERVER",
		Long: `Run the REST server that a site asks whether an E-IMZO signature is valid: a
drop-in for E-IMZO-SERVER, with the same config.properties, endpoints and
JSON. See docs/server.md for its keys.

What the configuration needs at least:

  listen.ip=127.0.0.1
  listen.port=8080
  trust.pem.file.path=keys/root.pem`,
		Example: `  imzo server config.properties
  imzo server --log-format json /etc/imzo/config.properties`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			path := "config.properties"
			if len(args) == 1 {
				path = args[0]
			}
			log, err := newLogger(e.stderr, logFormat)
			if err != nil {
				return err
			}
			return server.Run(c.Context(), path, server.Deps{Logger: log, Version: versionString(), Now: e.now})
		},
	}
	c.Flags().StringVar(&logFormat, "log-format", "text", "text or json")
	return c
}

func newLogger(w io.Writer, format string) (*slog.Logger, error) {
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, nil)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, nil)), nil
	}
	return nil, usageError{fmt.Errorf("--log-format is text or json, not %q", format)}
}
