package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"imzo/internal/inspect"
	"imzo/internal/secret"
	"imzo/internal/trust"
	"imzo/pki/alg"
	"imzo/pki/cert"
	"imzo/pki/keystore"
	"imzo/pki/token"
	"imzo/pki/token/soft"
)

// defaultTrustDir and defaultTrustURL are where trust services live unless
// told otherwise.
const (
	defaultTrustDir = "imzo-trust"
	defaultTrustURL = "http://127.0.0.1:8090"
)

var profiles = []trust.Profile{trust.ProfileUser, trust.ProfileOrganisation, trust.ProfileVPN, trust.ProfileDomain}

func newTrustCommand(e env) *cobra.Command {
	c := &cobra.Command{
		Use:   "trust",
		Short: "Run a CA with OCSP, timestamps and CRL",
		Long: `Make and run a complete hierarchy of trust services: root, CA, timestamp
authority, OCSP responder, CRL, users and organisations, VPN client keys. It
stands in for the services that E-IMZO-SERVER reaches through vpn.e-imzo.uz.

The hierarchy is a folder; every change is on the disk before a command ends,
and a running 'imzo trust serve' takes it up at once.`,
		Example: `  imzo trust init
  imzo trust issue --cn 'IVANOV IVAN' --pinfl 30000000000000 --password-file pw -o DSKEYS
  imzo trust serve
  imzo trust revoke 218711a92 --reason keyCompromise`,
	}
	var dir, passwordFile string
	c.PersistentFlags().StringVar(&dir, "dir", defaultTrustDir, "`FOLDER` of the hierarchy")
	c.PersistentFlags().StringVar(&passwordFile, "keys-password-file", "", "`FILE` with the password of the service keys (default: FOLDER/keys/password)")
	options := func() (trust.Options, error) {
		o := trust.Options{Now: e.now}
		if passwordFile == "" {
			return o, nil
		}
		p, err := e.readPassword(passwordFile, "")
		o.Password = p
		return o, err
	}
	open := func() (*trust.Authority, error) {
		o, err := options()
		if err != nil {
			return nil, err
		}
		return trust.Open(dir, o)
	}
	c.AddCommand(
		newTrustInit(e, &dir, options),
		newTrustIssue(e, open),
		newTrustList(e, open),
		newTrustServe(e, options, open),
		newTrustLinkKey(e, open),
		newTrustChange(e, "revoke SERIAL", "Revoke a certificate for good", open, true,
			func(a *trust.Authority, serial, reason string) (trust.Record, error) { return a.Revoke(serial, reason) }),
		newTrustChange(e, "suspend SERIAL", "Put a certificate on hold", open, false,
			func(a *trust.Authority, serial, _ string) (trust.Record, error) { return a.Suspend(serial) }),
		newTrustChange(e, "resume SERIAL", "End a suspension", open, false,
			func(a *trust.Authority, serial, _ string) (trust.Record, error) { return a.Resume(serial) }),
	)
	return c
}

// wrongCall marks what is wrong with the flags of a call as a usage error.
func wrongCall(err error) error {
	for _, usage := range []error{trust.ErrSubject, trust.ErrReason, trust.ErrValidity, trust.ErrAddress, trust.ErrKeySpec, alg.ErrUnsupported} {
		if errors.Is(err, usage) {
			return usageError{err}
		}
	}
	return err
}

func newTrustInit(e env, dir *string, options func() (trust.Options, error)) *cobra.Command {
	var o trust.InitOptions
	var asJSON bool
	c := &cobra.Command{
		Use:   "init",
		Short: "Make a hierarchy",
		Long: `Make a hierarchy in a folder that is absent or empty: root, CA, timestamp
authority, OCSP responder and the CA of VPN keys. The password of their keys is
a random one, kept beside them, unless --keys-password-file gives another.`,
		Example: `  imzo trust init
  imzo trust init --dir /srv/trust --url http://ca.example.uz --alg ozmst`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			var err error
			if o.Options, err = options(); err != nil {
				return err
			}
			o.Password = o.Options.Password
			a, err := trust.Init(*dir, o)
			if err != nil {
				return wrongCall(err)
			}
			root := filepath.Join(*dir, "root.pem")
			if asJSON {
				return e.printJSON(map[string]string{"dir": *dir, "root": root, "ocsp": a.OCSPURL(), "tsa": a.TSAURL()})
			}
			_, err = fmt.Fprintf(e.stdout, "hierarchy    %s\nroot         %s\nOCSP         %s\ntimestamps   %s\n", *dir, root, a.OCSPURL(), a.TSAURL())
			return err
		},
	}
	c.Flags().StringVar(&o.BaseURL, "url", defaultTrustURL, "`URL` of the services, written into the certificates")
	c.Flags().StringVar(&o.KeySpec, "alg", "ozdst", "keys: ozdst, ozmst, gost2001, rsa:2048, ecdsa:P-256, ...")
	c.Flags().StringVar(&o.Organisation, "organisation", "", "O of the service certificates (default test.imzo.local)")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

func newTrustIssue(e env, open func() (*trust.Authority, error)) *cobra.Command {
	var r trust.Request
	var profile, passwordFile, out, card, pinFile string
	var modern, asJSON bool
	c := &cobra.Command{
		Use:   "issue",
		Short: "Make a key and its certificate as a PFX file or on a card",
		Long: `Make a key and its certificate as a PFX file. Users and organisations get
E-IMZO certificates, --profile vpn a TLS client key, --profile domain the key
of a site's end of the tunnel. The file opens in Java 8 and in E-IMZO unless
--modern asks for stronger encryption.

With --card the key is made on a virtual card of 'imzo card create', and its
certificates are put there.`,
		Example: `  imzo trust issue --cn 'IVANOV IVAN' --pinfl 30000000000000 --uid 400000000 --password-file pw
  imzo trust issue --profile organisation --cn 'VALIYEV VALI' --pinfl 31111111111111 \
      --organisation 'NAMUNA MCHJ' --tin 301234567 --title DIREKTOR --password-file pw
  imzo trust issue --cn 'ALIYEV ALI' --pinfl 30000000000000 --card ali.card --pin-file pin
  imzo trust issue --profile vpn --cn example.uz --password-file pw -o keys/example.uz.pfx
  imzo trust issue --profile domain --cn example.uz --dns www.example.uz --password-file pw -o tunnel/servers/example.uz.pfx`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if r.Profile = trust.Profile(profile); !slices.Contains(profiles, r.Profile) {
				return usagef("--profile is user, organisation, vpn or domain, not %q", profile)
			}
			a, err := open()
			if err != nil {
				return err
			}
			if card != "" {
				return e.issueToCard(c.Context(), a, r, card, pinFile, asJSON)
			}
			password, err := e.newPassword(passwordFile)
			if err != nil {
				return err
			}
			format := keystore.ProfileJava8
			if modern {
				format = keystore.ProfileModern
			}
			path, entry, err := a.IssuePFX(r, time.Local, out, password, format)
			if err != nil {
				return wrongCall(err)
			}
			if asJSON {
				return e.printJSON(map[string]string{"file": path, "serial": entry.Chain[0].SerialHex(), "alias": entry.Alias})
			}
			_, err = fmt.Fprintf(e.stdout, "%s  serial %s  %s\n", path, entry.Chain[0].SerialHex(), inspect.Printable(entry.Chain[0].Subject.String()))
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&profile, "profile", string(trust.ProfileUser), "user, organisation, vpn or domain")
	f.StringVar(&r.Subject.CommonName, "cn", "", "full name, or the domain of a VPN client or a tunnel")
	f.StringSliceVar(&r.Names, "dns", nil, "with --profile domain: more host names or IP addresses of the site")
	f.StringVar(&r.Subject.GivenName, "name", "", "given name")
	f.StringVar(&r.Subject.Surname, "surname", "", "surname")
	f.StringVar(&r.Subject.PINFL, "pinfl", "", "PINFL, 14 digits")
	f.StringVar(&r.Subject.UID, "uid", "", "TIN of the person, 9 digits")
	f.StringVar(&r.Subject.Organisation, "organisation", "", "name of the organisation")
	f.StringVar(&r.Subject.TIN, "tin", "", "TIN of the organisation, 9 digits")
	f.StringVar(&r.Subject.Title, "title", "", "position in the organisation")
	f.StringVar(&r.Subject.Locality, "locality", "", "district")
	f.StringVar(&r.Subject.State, "state", "", "region")
	f.StringVar(&r.Subject.Country, "country", "UZ", "country, two letters")
	f.StringVar(&r.KeySpec, "alg", "", "key (default: that of the hierarchy)")
	f.IntVar(&r.Days, "days", 0, "validity in days (default two years)")
	f.StringVar(&passwordFile, "password-file", "", passwordFileHelp)
	f.StringVarP(&out, "output", "o", ".", "`FILE` that ends in .pfx, or folder (made when absent) for a file named as E-IMZO names it")
	f.BoolVar(&modern, "modern", false, "encrypt with AES-256, which Java 8 does not open")
	f.StringVar(&card, "card", "", "`FILE` of a virtual card, in place of a PFX file")
	f.StringVar(&pinFile, "pin-file", "", "with --card: "+pinFileHelp)
	f.BoolVar(&asJSON, "json", false, "print one JSON object")
	c.MarkFlagsMutuallyExclusive("card", "output")
	c.MarkFlagsMutuallyExclusive("card", "password-file")
	c.MarkFlagsMutuallyExclusive("card", "modern")
	return c
}

// issueToCard makes a key on a card and puts its certificates there.
func (e env) issueToCard(ctx context.Context, a *trust.Authority, r trust.Request, file, pinFile string, asJSON bool) error {
	if r.Profile == trust.ProfileVPN || r.Profile == trust.ProfileDomain {
		return usagef("--card holds keys of users and organisations, not of the VPN or a domain")
	}
	card, err := soft.Open(file)
	if err != nil {
		return err
	}
	pin, err := e.readPIN(pinFile, "PIN of the card")
	if err != nil {
		return err
	}
	defer secret.Wipe(pin)
	err = loadCard(ctx, card, pin, func(s token.Session) ([]*cert.Certificate, error) {
		spec := r.KeySpec
		if spec == "" {
			spec = cardKey
		}
		key, err := s.GenerateKey(ctx, spec)
		if err != nil {
			return nil, err
		}
		r.PublicKey = key.PublicKey()
		entry, err := a.Issue(r, time.Local)
		return entry.Chain, err
	})
	if err != nil {
		return wrongCall(err)
	}
	return e.showCard(ctx, card, asJSON)
}

func newTrustList(e env, open func() (*trust.Authority, error)) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List every certificate with its status",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			a, err := open()
			if err != nil {
				return err
			}
			records, err := a.List()
			if err != nil {
				return err
			}
			if asJSON {
				return e.printJSON(records)
			}
			w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "SERIAL\tPROFILE\tSTATUS\tVALID TO\tSUBJECT")
			for _, r := range records {
				status := string(r.Status)
				if r.Reason != "" {
					status += " (" + r.Reason + ")"
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.Serial, r.Profile, status, r.NotAfter.Format(time.DateOnly), inspect.Printable(r.Subject))
			}
			return w.Flush()
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return c
}

func newTrustChange(e env, use, short string, open func() (*trust.Authority, error), withReason bool, change func(*trust.Authority, string, string) (trust.Record, error)) *cobra.Command {
	var reason string
	var asJSON bool
	c := &cobra.Command{
		Use:     use,
		Short:   short,
		Example: "  imzo trust " + strings.Replace(use, "SERIAL", "218711a92", 1),
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			a, err := open()
			if err != nil {
				return err
			}
			r, err := change(a, args[0], reason)
			if err != nil {
				return wrongCall(err)
			}
			if asJSON {
				return e.printJSON(r)
			}
			_, err = fmt.Fprintf(e.stdout, "%s is %s since %s\n", r.Serial, r.Status, r.ChangedAt.Format(time.RFC3339))
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	if withReason {
		c.Flags().StringVar(&reason, "reason", "", "keyCompromise, cACompromise, affiliationChanged, superseded, cessationOfOperation, ...")
	}
	return c
}
