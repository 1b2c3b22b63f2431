package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// defaultHealth is where a server with the default listen.port says that it
// serves.
const defaultHealth = "http://127.0.0.1:8080/healthz/live"

// maxHealth bounds what is read of an answer: a line for each check.
const maxHealth = 64 << 10

func newHealthCommand(e env) *cobra.Command {
	var timeout time.Duration
	var quiet bool
	c := &cobra.Command{
		Use:   "health [URL]",
		Short: "Ask a server whether it is well",
		Long: `Ask a server's health address, print the answer, and exit 0 when it is HTTP
200 and 1 otherwise. Made for container health checks, where the image has
no other program to ask with.

/healthz/live is 200 as long as the process serves. /healthz/ready is 503 with
the reasons when it cannot do its work, for instance because Redis is away.
With backend.listen.port set, both are on that port.`,
		Example: `  imzo health
  imzo health http://127.0.0.1:8088/healthz/ready`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			address := defaultHealth
			if len(args) == 1 {
				address = args[0]
			}
			if u, err := url.Parse(address); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
				return usagef("%q is no http address", address)
			}
			ctx, cancel := context.WithTimeout(c.Context(), timeout)
			defer cancel()
			text, err := askHealth(ctx, address)
			if !quiet && text != "" {
				fmt.Fprintln(e.stdout, printableError(errors.New(text)))
			}
			return err
		},
	}
	c.Flags().DurationVar(&timeout, "timeout", 3*time.Second, "how long to wait for the answer")
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "print nothing but failures")
	return c
}

// askHealth returns what the address answers. A redirect is not followed: it
// tells nothing about the server's health.
func askHealth(ctx context.Context, address string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	// A proxy of the environment is for the outside world.
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxHealth))
	if err != nil {
		return "", err
	}
	text := strings.TrimSpace(string(body))
	if res.StatusCode != http.StatusOK {
		return text, fmt.Errorf("%s answers HTTP %d", address, res.StatusCode)
	}
	return text, nil
}
