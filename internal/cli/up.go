package cli

import (
	"errors"
	"log/slog"

	"github.com/spf13/cobra"

	"imzo/internal/eimzo/agent/prompt"
	"imzo/internal/up"
)

func newUpCommand(e env) *cobra.Command {
	o := up.Options{Stdout: e.stdout, Version: versionString(), Now: e.now, OpenBrowser: prompt.Browser}
	var verbose bool
	var form string
	c := &cobra.Command{
		Use:   "up",
		Short: "Run everything on this machine, with test keys",
		Long: `Run trust services, the E-IMZO-SERVER, the agent of the person, the gateway of
phones with a phone, and a demo site on this machine, without any outside
service. The first run makes a data folder with a hierarchy, two test keys
(password 1), a virtual ID card (PIN 1) and a config.properties; later runs reuse
it.

The server listens on --listen; the other parts move to a free port where
theirs is taken, and print it. The agent knows the test keys alone, and asks
for their password in the browser; with --headless it asks nobody, so that the
whole way runs in CI. This is for development: whoever can reach the
demo site on this machine can try the test keys.`,
		Example: `  imzo up
  imzo up --dir /tmp/imzo --listen 127.0.0.1:9000
  imzo up --headless`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.Form = prompt.Form(form)
			level := slog.LevelWarn
			if verbose {
				level = slog.LevelInfo
			}
			o.Logger = slog.New(slog.NewTextHandler(e.stderr, &slog.HandlerOptions{Level: level}))
			err := up.Run(c.Context(), o)
			if errors.Is(err, up.ErrListen) {
				return usageError{err}
			}
			return err
		},
	}
	c.Flags().StringVar(&o.Dir, "dir", "imzo-data", "data folder")
	c.Flags().StringVar(&o.Listen, "listen", "", "HOST:PORT of the server (default: that of config.properties, first 127.0.0.1:8080)")
	c.Flags().StringVar(&form, "prompt", "web", "`FORM` in which the agent asks: auto, pinentry, web or terminal")
	c.Flags().BoolVar(&o.Headless, "headless", false, "the agent asks nobody and signs with the test keys at once")
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "log every request")
	return c
}
