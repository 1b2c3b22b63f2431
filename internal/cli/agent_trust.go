package cli

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/spf13/cobra"

	"imzo/internal/localca"
)

// localCADir is the folder of the local CA in the agent's state folder.
const localCADir = "ca"

func openLocalCA(state string, e env, log *slog.Logger) (*localca.Authority, error) {
	ca, err := localca.Open(filepath.Join(state, localCADir), localca.Options{Now: e.now, Log: log})
	if err != nil {
		return nil, err
	}
	if ca.Expiring() {
		log.Warn("the local CA ends soon: run 'imzo agent trust renew'", "until", ca.Certificate().NotAfter)
	}
	return ca, nil
}

type trustStoreFlags struct {
	state             string
	system, nss, java bool
	asJSON            bool
}

// storeResult is one line of `imzo agent trust ... --json`.
type storeResult struct {
	Store   string `json:"store"`
	Trusted bool   `json:"trusted"`
	Error   string `json:"error,omitempty"`
}

// storesShown is what `imzo agent trust ... --json` prints.
type storesShown struct {
	Certificate string        `json:"certificate"`
	Fingerprint string        `json:"fingerprint"`
	Until       string        `json:"until"`
	Stores      []storeResult `json:"stores"`
}

func newAgentTrustCommand(e env) *cobra.Command {
	var t trustStoreFlags
	c := &cobra.Command{
		Use:   "trust",
		Short: "Have browsers trust the agent's certificate, for wss",
		Long: `Have the trust stores of this computer trust the agent's own CA, which pages
over https need: they call wss://127.0.0.1:64443.

Each installation has a CA of its own. It can speak for localhost, 127.0.0.0/8
and ::1 only, so that whoever steals its key can be no other site. The stores
are those of the system and of browsers that have their own (NSS: Firefox, and
Chromium on Linux), and with --java that of Java.

That of the system needs root rights. This program asks for no password: run
'sudo -v' first, so that it can use sudo.`,
		Example: `  imzo agent trust install
  imzo agent trust show --json
  imzo agent trust install --nss
  imzo agent trust remove`,
	}
	sub := func(use, short string, act func(*localca.Authority, context.Context, localca.Stores) ([]localca.Result, error)) {
		s := &cobra.Command{
			Use: use, Short: short, Args: cobra.NoArgs,
			Example: "  imzo agent trust " + use + "\n  imzo agent trust " + use + " --system --nss --json",
			RunE:    func(c *cobra.Command, _ []string) error { return t.run(c.Context(), e, act) },
		}
		t.flags(s)
		c.AddCommand(s)
	}
	sub("install", "Have the stores trust the CA", (*localca.Authority).Install)
	sub("remove", "Take the CA out of the stores", (*localca.Authority).Remove)
	sub("show", "Tell which stores trust the CA", (*localca.Authority).Show)
	renew := &cobra.Command{
		Use: "renew", Short: "Make the CA's certificate anew, and have the stores trust that", Args: cobra.NoArgs,
		Example: "  imzo agent trust renew",
		RunE: func(c *cobra.Command, _ []string) error {
			return t.run(c.Context(), e, func(ca *localca.Authority, ctx context.Context, stores localca.Stores) ([]localca.Result, error) {
				if results, err := ca.Remove(ctx, stores); err != nil {
					return results, err
				}
				renewed, err := ca.Renew()
				if err != nil {
					return nil, err
				}
				return renewed.Install(ctx, stores)
			})
		},
	}
	t.flags(renew)
	c.AddCommand(renew)
	return c
}

func (t *trustStoreFlags) flags(c *cobra.Command) {
	f := c.Flags()
	f.BoolVar(&t.system, "system", false, "the store of the system")
	f.BoolVar(&t.nss, "nss", false, "the stores of browsers that have their own")
	f.BoolVar(&t.java, "java", false, "the store of Java")
	f.StringVar(&t.state, "state", "", "`FOLDER` of the agent (default: imzo/agent in the folder for settings)")
	f.BoolVar(&t.asJSON, "json", false, "print the result as one JSON object")
}

func (t *trustStoreFlags) run(ctx context.Context, e env, act func(*localca.Authority, context.Context, localca.Stores) ([]localca.Result, error)) error {
	state, err := agentState(t.state)
	if err != nil {
		return err
	}
	ca, err := openLocalCA(state, e, slog.New(slog.NewTextHandler(e.stderr, nil)))
	if err != nil {
		return err
	}
	stores := localca.Stores{System: t.system, NSS: t.nss, Java: t.java}
	if !t.system && !t.nss && !t.java {
		stores.System, stores.NSS = true, true
	}
	results, actErr := act(ca, ctx, stores)
	// Renewing changes the certificate.
	if ca, err = openLocalCA(state, e, slog.New(slog.DiscardHandler)); err != nil {
		return err
	}
	shown := storesShown{Certificate: ca.Path(), Fingerprint: ca.Fingerprint(), Until: ca.Certificate().NotAfter.UTC().Format("2006-01-02"), Stores: []storeResult{}}
	for _, r := range results {
		line := storeResult{Store: r.Store, Trusted: r.Present}
		if r.Err != nil {
			line.Error = r.Err.Error()
		}
		shown.Stores = append(shown.Stores, line)
	}
	if err := t.print(e, shown); err != nil {
		return err
	}
	if actErr != nil && len(results) > 0 {
		return errSilent // each store has said why
	}
	return actErr
}

func (t *trustStoreFlags) print(e env, s storesShown) error {
	if t.asJSON {
		return e.printJSON(s)
	}
	if _, err := fmt.Fprintf(e.stdout, "certificate  %s\nSHA-256      %s\nuntil        %s\n\n", s.Certificate, s.Fingerprint, s.Until); err != nil {
		return err
	}
	for _, r := range s.Stores {
		state := "not trusted"
		if r.Trusted {
			state = "trusted"
		}
		if r.Error != "" {
			state += ": " + r.Error
		}
		if _, err := fmt.Fprintf(e.stdout, "%s: %s\n", r.Store, state); err != nil {
			return err
		}
	}
	return nil
}
