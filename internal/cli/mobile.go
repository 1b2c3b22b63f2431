package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"time"

	"github.com/spf13/cobra"

	"imzo/internal/eimzo/mobile"
	"imzo/internal/eimzo/mobile/page"
	"imzo/internal/eimzo/mobile/phone"
	"imzo/internal/httpx"
	"imzo/internal/metrics"
	"imzo/internal/revocation"
	"imzo/internal/roots"
	"imzo/pki/cert"
	"imzo/pki/keystore"
	"imzo/pki/token"
	"imzo/pki/token/soft"
)

const (
	defaultMobileDir     = "imzo-mobile"
	mobileDataHelp       = "`FOLDER` with the registry of sites"
	defaultMobileListen  = "127.0.0.1:8070"
	defaultMobileGateway = "http://" + defaultMobileListen
	// trustStorePassword is that of the stores which come with E-IMZO-SERVER.
	trustStorePassword = "12345678"
	// mobileConnections may be open at once.
	mobileConnections = 4096
)

type mobileFlags struct {
	listen, data, certificates       string
	trustFiles, cards, proxies       []string
	trustPasswordFile, logFormat     string
	ocspURLs                         []string
	revocation, anywhere, asJSON     bool
	windowMinutes, perMinute, upload int
}

func newMobileCommand(e env) *cobra.Command {
	var m mobileFlags
	c := &cobra.Command{
		Use:   "mobile",
		Short: "Run the gateway of ID-CARD E-IMZO MOBILE, and act as its phone",
		Long: `Run the gateway of ID-CARD E-IMZO MOBILE: it takes a signature that an ID card
has made in a phone, checks it, makes the PKCS#7 of it and uploads this to the
site that asked for it. docs/mobile.md describes the whole flow.

Sites are registered with 'imzo mobile site add', also while the gateway runs.
With --cards it serves a phone as a page at /phone/, which signs with virtual
cards of 'imzo card'; 'imzo mobile phone' does the same on the command line.

The phone's page answers at loopback addresses only, unless --phone-anywhere is
given: whoever reaches it can try the PINs of the cards.`,
		Example: `  imzo mobile site add --url https://example.uz/frontend/mobile/upload --id 20e2
  imzo mobile
  imzo mobile --trust-store imzo-trust/root.pem --cards imzo-data/cards
  imzo mobile --listen 0.0.0.0:8070 --trusted-proxy 10.0.0.0/8 --check-revocation`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return m.run(c.Context(), e) },
	}
	f := c.Flags()
	f.StringVar(&m.data, "data", defaultMobileDir, mobileDataHelp)
	f.StringVar(&m.listen, "listen", defaultMobileListen, "`HOST:PORT` to answer at; port 0 takes a free one")
	f.StringArrayVar(&m.trustFiles, "trust-store", nil, "`FILE` with trusted root certificates: JKS, PKCS#12, PEM or DER; may be repeated (default: Uzbekistan's production root)")
	f.StringVar(&m.trustPasswordFile, "trust-store-password-file", "", "`FILE` with the password of the trust stores (default: "+trustStorePassword+")")
	f.StringVar(&m.certificates, "certificates", "", "`FOLDER` with the certificates (PEM, DER) of phones that send none")
	f.StringArrayVar(&m.cards, "cards", nil, "`FOLDER` with virtual cards: serves the phone's page at /phone/; may be repeated")
	f.BoolVar(&m.anywhere, "phone-anywhere", false, "serve the phone's page under any name and on any address")
	f.BoolVar(&m.revocation, "check-revocation", false, "ask OCSP responders about certificates too; the site's server does so in any case")
	f.StringArrayVar(&m.ocspURLs, "ocsp", nil, "`URL` of an OCSP responder for that, instead of those in the certificates; may be repeated")
	f.IntVar(&m.windowMinutes, "window", int(mobile.DefaultWindow/time.Minute), "`MINUTES` that signing times may be from now")
	f.IntVar(&m.perMinute, "per-minute", mobile.DefaultPerMinute, "`REQUESTS` that one address may make in a minute; -1 is without limit")
	f.IntVar(&m.upload, "upload-seconds", 25, "`SECONDS` for all attempts to upload one signature, 1 to 25")
	f.StringArrayVar(&m.proxies, "trusted-proxy", nil, "`NETWORK`, such as 10.0.0.0/8, of proxies that name the phone's address in X-Real-IP; may be repeated")
	f.StringVar(&m.logFormat, "log-format", "text", "text or json")
	f.BoolVar(&m.asJSON, "json", false, "print where the gateway answers as one JSON object")
	c.AddCommand(newMobileSite(e), newMobileLink(e), newMobilePhone(e))
	return c
}

// startedMobile is what `imzo mobile --json` prints.
type startedMobile struct {
	URL   string `json:"url"`
	Phone string `json:"phone,omitempty"`
	Data  string `json:"data"`
}

// cardFolders are the cards of several folders.
type cardFolders []token.Provider

func (c cardFolders) Tokens(ctx context.Context) (all []token.Token, err error) {
	for _, folder := range c {
		tokens, folderErr := folder.Tokens(ctx)
		all, err = append(all, tokens...), errors.Join(err, folderErr)
	}
	return all, err
}

func (m *mobileFlags) run(ctx context.Context, e env) error {
	if m.logFormat != "text" && m.logFormat != "json" {
		return usagef("--log-format is text or json, not %q", m.logFormat)
	}
	log := newServerLogger(e.stderr, slog.LevelInfo, m.logFormat == "json")
	o, err := m.options(e, log)
	if err != nil {
		return err
	}
	cards, err := m.folders()
	if err != nil {
		return err
	}
	gateway, err := mobile.New(o)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", m.listen)
	if err != nil {
		return usageError{fmt.Errorf("--listen: %w", err)}
	}
	defer listener.Close()
	started := startedMobile{URL: "http://" + listener.Addr().String(), Data: m.data}
	if len(cards) > 0 {
		if a, ok := listener.Addr().(*net.TCPAddr); !m.anywhere && (!ok || !a.IP.IsLoopback()) {
			return usagef("--cards on %s lets others try PINs: listen on 127.0.0.1, or add --phone-anywhere", m.listen)
		}
		pages, err := page.New(page.Options{
			Gateway: func(r *http.Request) phone.Gateway { return gateway.For(gateway.Address(r)) },
			Cards:   cards, Anywhere: m.anywhere, Logger: log, Now: e.now,
		})
		if err != nil {
			return err
		}
		gateway.HandlePhone(pages)
		started.Phone = started.URL + mobile.PhonePath
	}
	if err := m.announce(e, started); err != nil {
		return err
	}
	return httpx.Serve(ctx, listener, gateway, httpx.Options{Logger: log, Now: e.now, MaxBody: phone.MaxSubmission, Connections: mobileConnections})
}

func (m *mobileFlags) announce(e env, s startedMobile) error {
	if m.asJSON {
		return e.printJSON(s)
	}
	_, err := fmt.Fprintf(e.stdout, "The gateway answers phones (%s)\n\n", versionString())
	for _, line := range [][2]string{{"gateway", s.URL}, {"phone", s.Phone}, {"data", s.Data}} {
		if line[1] != "" && err == nil {
			_, err = fmt.Fprintf(e.stdout, "  %-8s %s\n", line[0], line[1])
		}
	}
	if err == nil {
		_, err = fmt.Fprintln(e.stdout, "\nStop with Ctrl-C.")
	}
	return err
}

func (m *mobileFlags) options(e env, log *slog.Logger) (mobile.Options, error) {
	o := mobile.Options{
		Window: time.Duration(m.windowMinutes) * time.Minute, PerMinute: m.perMinute, UploadTimeout: time.Duration(m.upload) * time.Second,
		Logger: log, Metrics: metrics.New(versionString()), Now: e.now,
	}
	switch {
	case m.windowMinutes < 1 || m.windowMinutes > 24*60:
		return o, usagef("--window is 1 to %d minutes", 24*60)
	case m.perMinute == 0 || m.perMinute < -1:
		return o, usagef("--per-minute is at least 1, or -1")
	case m.upload < 1 || m.upload > 25:
		return o, usagef("--upload-seconds is 1 to 25")
	case len(m.ocspURLs) > 0 && !m.revocation:
		return o, usagef("--ocsp goes with --check-revocation")
	case m.anywhere && len(m.cards) == 0:
		return o, usagef("--phone-anywhere goes with --cards")
	}
	for _, text := range m.proxies {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return o, usageError{fmt.Errorf("--trusted-proxy: %w", err)}
		}
		o.TrustedProxies = append(o.TrustedProxies, p)
	}
	var err error
	if o.Anchors, err = m.anchors(e); err != nil {
		return o, err
	}
	if m.certificates != "" {
		if o.Certificates, err = mobile.OpenDirectory(m.certificates, e.now); err != nil {
			return o, fmt.Errorf("--certificates: %w", err)
		}
	}
	if m.revocation {
		o.Revocation = revocation.New(revocation.Options{URLs: m.ocspURLs, Now: e.now})
	}
	o.Sites, err = mobile.OpenSites(m.data, e.now)
	return o, err
}

// anchors reads the trust stores as the server does.
func (m *mobileFlags) anchors(e env) (*cert.Pool, error) {
	if len(m.trustFiles) == 0 {
		return roots.Production()
	}
	password := trustStorePassword
	if m.trustPasswordFile != "" {
		var err error
		if password, _, err = e.givenPassword(m.trustPasswordFile); err != nil {
			return nil, err
		}
	}
	pool := cert.NewPool()
	for _, name := range m.trustFiles {
		b, err := e.readInput(name)
		if err != nil {
			return nil, fmt.Errorf("--trust-store: %w", err)
		}
		certs, err := keystore.ParseTrustStore(b, password)
		if err != nil {
			return nil, fmt.Errorf("--trust-store: %s: %w", name, err)
		}
		for _, c := range certs {
			pool.Add(c)
		}
	}
	return pool, nil
}

func (m *mobileFlags) folders() (cardFolders, error) {
	var out cardFolders
	for _, dir := range m.cards {
		if info, err := os.Stat(dir); err != nil {
			return nil, usageError{fmt.Errorf("--cards: %w", err)}
		} else if !info.IsDir() {
			return nil, usagef("--cards %s: not a folder", dir)
		}
		out = append(out, soft.Folder(dir))
	}
	return out, nil
}
