package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"imzo/internal/httpx"
	"imzo/internal/trust"
)

func newTrustServe(e env, options func() (trust.Options, error), open func() (*trust.Authority, error)) *cobra.Command {
	var listen, linkListen string
	var linkNames []string
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve OCSP, timestamps, CRL and certificates over HTTP",
		Long: `Serve OCSP, timestamps, certificate lists and certificates over HTTP. With
--link-listen servers get them over the trust link too: TLS 1.3, where each
has a client key of 'imzo trust link-key'. Clients connect to the host of the
hierarchy's address, to the address of --link-listen or to a --link-name.`,
		Example: `  imzo trust serve
  imzo trust serve --dir /srv/trust --listen 0.0.0.0:8090
  imzo trust serve --link-listen 0.0.0.0:3443 --link-name trust.example.uz`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			a, err := open()
			if err != nil {
				return err
			}
			if listen == "" {
				listen = strings.TrimPrefix(strings.TrimPrefix(a.BaseURL(), "http://"), "https://")
				if _, _, err := net.SplitHostPort(listen); err != nil {
					return usagef("the hierarchy's address %s has no port; say where to listen with --listen", a.BaseURL())
				}
			}
			log := slog.New(slog.NewTextHandler(e.stderr, nil))
			ln, err := net.Listen("tcp", listen)
			if err != nil {
				return err
			}
			services := []func(context.Context) error{func(ctx context.Context) error {
				return httpx.Serve(ctx, ln, a.Handler(), httpx.Options{Logger: log})
			}}
			fmt.Fprintf(e.stderr, "trust services on http://%s (certificates name %s); stop with Ctrl-C\n", ln.Addr(), a.BaseURL())
			if linkListen != "" {
				link, err := listenLink(a, options, log, linkListen, linkNames)
				if err != nil {
					return errors.Join(wrongCall(err), ln.Close())
				}
				fmt.Fprintf(e.stderr, "trust link on %s\n", link.ln.Addr())
				services = append(services, link.serve)
			}
			return together(c.Context(), services)
		},
	}
	c.Flags().StringVar(&listen, "listen", "", "`HOST:PORT` to listen on (default: that of the hierarchy)")
	c.Flags().StringVar(&linkListen, "link-listen", "", "`HOST:PORT` of the trust link (default: none)")
	c.Flags().StringSliceVar(&linkNames, "link-name", nil, "further `HOST` that clients of the link connect to; may be repeated")
	return c
}

// link is the trust link, listening.
type link struct {
	ln    net.Listener
	serve func(context.Context) error
}

func listenLink(a *trust.Authority, options func() (trust.Options, error), log *slog.Logger, listen string, names []string) (*link, error) {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return nil, usagef("--link-listen takes HOST:PORT, not %q", listen)
	}
	o, err := options()
	if err != nil {
		return nil, err
	}
	config, err := a.LinkConfig(o.Password, append([]string{host}, names...)...)
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, err
	}
	ln = trust.LinkListener(ln)
	return &link{ln: ln, serve: func(ctx context.Context) error {
		return httpx.Serve(ctx, ln, a.LinkHandler(), httpx.Options{Logger: log, TLS: config})
	}}, nil
}

// together runs services until ctx is done or one of them ends.
func together(ctx context.Context, services []func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, len(services))
	for _, serve := range services {
		go func() { ended <- serve(ctx) }()
	}
	var failures []error
	for range services {
		failures = append(failures, <-ended)
		cancel()
	}
	return errors.Join(failures...)
}

func newTrustLinkKey(e env, open func() (*trust.Authority, error)) *cobra.Command {
	var r trust.LinkKeyRequest
	var passwordFile string
	var asJSON bool
	c := &cobra.Command{
		Use:   "link-key DOMAIN",
		Short: "Make the key of a server for the trust link",
		Long: `Make the key that a server of DOMAIN opens the trust link with (vpn.key.file.path
of its config.properties), and the trust store beside it (vpn.truststore.file.path,
password 12345678, which is what servers take it for). The key file is named
after the domain and its last day, as E-IMZO names them. 'imzo trust revoke'
locks the key out at once.`,
		Example: `  imzo trust link-key example.uz --password-file pw --out keys
  imzo trust link-key example.uz --password-file pw --out example.pem --truststore vpn.pem`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			r.Domain = args[0]
			a, err := open()
			if err != nil {
				return err
			}
			if r.Password, err = e.newPassword(passwordFile); err != nil {
				return err
			}
			key, err := a.IssueLinkKey(r, time.Local)
			if err != nil {
				return wrongCall(err)
			}
			certificate := key.Entry.Chain[0]
			if asJSON {
				return e.printJSON(map[string]string{
					"file": key.File, "truststore": key.Truststore, "serial": certificate.SerialHex(), "validTo": certificate.NotAfter.Format(time.RFC3339),
				})
			}
			fmt.Fprintf(e.stdout, "vpn.key.file.path=%s\n", key.File)
			if key.Truststore != "" {
				fmt.Fprintf(e.stdout, "vpn.truststore.file.path=%s\n", key.Truststore)
			}
			_, err = fmt.Fprintf(e.stdout, "# serial %s, valid to %s\n", certificate.SerialHex(), certificate.NotAfter.Format(time.RFC3339))
			return err
		},
	}
	f := c.Flags()
	f.StringVarP(&r.Out, "out", "o", ".", "`FILE` that ends in .p12, .pfx, .key or .pem, or folder (made when absent)")
	f.StringVar(&r.Truststore, "truststore", "", "`FILE` of the trust store, PEM when it ends in .pem, else a Java key store (default: vpn.jks beside the key)")
	f.BoolVar(&r.NoTruststore, "no-truststore", false, "write no trust store")
	f.StringVar(&r.KeySpec, "alg", "", "key: ecdsa:P-256 (default), rsa:2048, ed25519")
	f.IntVar(&r.Days, "days", 0, "validity in days (default two years)")
	f.StringVar(&passwordFile, "password-file", "", passwordFileHelp)
	f.BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}
