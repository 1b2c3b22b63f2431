package cli

import (
	"crypto/rand"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"imzo/internal/eimzo/mobile"
	"imzo/internal/inspect"
)

func newMobileSite(e env) *cobra.Command {
	data := new(string)
	c := &cobra.Command{
		Use:   "site",
		Short: "Register the sites that phones sign for",
		Long: `Register the sites that phones sign for: a SiteID, what the person is shown, and
the UPLOAD URL that signatures are sent to. A running gateway takes up every
change at once.`,
		Example: `  imzo mobile site add --url https://example.uz/frontend/mobile/upload --id 20e2 --name Bozor
  imzo mobile site list
  imzo mobile site remove 20e2`,
	}
	c.PersistentFlags().StringVar(data, "data", defaultMobileDir, mobileDataHelp)
	c.AddCommand(newMobileSiteAdd(e, data), newMobileSiteList(e, data), newMobileSiteRemove(e, data))
	return c
}

// siteError marks what is wrong with a call as a usage error.
func siteError(err error) error {
	if errors.Is(err, mobile.ErrSite) {
		return usageError{err}
	}
	return err
}

func newMobileSiteAdd(e env, data *string) *cobra.Command {
	var site mobile.Site
	var replace, asJSON bool
	c := &cobra.Command{
		Use:   "add --url URL",
		Short: "Register a site",
		Example: `  imzo mobile site add --url http://127.0.0.1:8080/frontend/mobile/upload
  imzo mobile site add --url https://example.uz/frontend/mobile/upload --id 20e2 --name Bozor --domain example.uz
  imzo mobile site add --url https://example.uz/new/upload --id 20e2 --name Bozor --replace`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			sites, err := mobile.OpenSites(*data, e.now)
			if err != nil {
				return err
			}
			var added mobile.Site
			if replace {
				added, err = sites.Put(c.Context(), site)
			} else {
				added, err = sites.Add(c.Context(), site, rand.Reader)
			}
			if err != nil {
				return siteError(err)
			}
			if asJSON {
				return e.printJSON(added)
			}
			_, err = fmt.Fprintf(e.stdout, "SiteID   %s\nname     %s\ndomain   %s\nupload   %s\n", added.SiteID, added.Name, added.Domain, inspect.Printable(added.UploadURL))
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&site.UploadURL, "url", "", "UPLOAD `URL` of the site")
	f.StringVar(&site.SiteID, "id", "", "`SITEID`, four hexadecimal digits (default: a free one)")
	f.StringVar(&site.Name, "name", "", "`NAME` that the person is shown (default: the domain)")
	f.StringVar(&site.Domain, "domain", "", "`DOMAIN` that the person is shown (default: that of the URL)")
	f.BoolVar(&replace, "replace", false, "take the place of the site that has this SiteID")
	f.BoolVar(&asJSON, "json", false, "print one JSON object")
	_ = c.MarkFlagRequired("url")
	return c
}

func newMobileSiteList(e env, data *string) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "list", Short: "List the sites", Args: cobra.NoArgs,
		Example: "  imzo mobile site list --json",
		RunE: func(*cobra.Command, []string) error {
			sites, err := mobile.OpenSites(*data, e.now)
			if err != nil {
				return err
			}
			list, err := sites.List()
			if err != nil {
				return err
			}
			if asJSON {
				return e.printJSON(append([]mobile.Site{}, list...))
			}
			w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "SITEID\tNAME\tDOMAIN\tADDED\tUPLOAD URL")
			for _, s := range list {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", s.SiteID, s.Name, s.Domain, s.Added.Format(time.DateOnly), inspect.Printable(s.UploadURL))
			}
			return w.Flush()
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return c
}

func newMobileSiteRemove(e env, data *string) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "remove SITEID", Short: "Take a site out", Args: cobra.ExactArgs(1),
		Example: "  imzo mobile site remove 20e2",
		RunE: func(c *cobra.Command, args []string) error {
			sites, err := mobile.OpenSites(*data, e.now)
			if err != nil {
				return err
			}
			removed, err := sites.Remove(c.Context(), args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return e.printJSON(removed)
			}
			_, err = fmt.Fprintf(e.stdout, "%s (%s) is removed\n", removed.SiteID, removed.Domain)
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}
