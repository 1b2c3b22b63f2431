package up

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"imzo/internal/demo"
	"imzo/internal/eimzo/agent"
	"imzo/internal/eimzo/agent/prompt"
	"imzo/internal/eimzo/mobile"
	"imzo/internal/eimzo/mobile/page"
	"imzo/internal/eimzo/mobile/phone"
	mobilesite "imzo/internal/eimzo/mobile/site"
	"imzo/internal/eimzo/server"
	"imzo/internal/httpx"
	"imzo/internal/localca"
	"imzo/internal/revocation"
	"imzo/internal/secret"
	"imzo/internal/trust"
	"imzo/pki/alg"
	"imzo/pki/token"
	"imzo/pki/token/soft"
	"imzo/pki/tsp"
)

// Addresses of the parts; all but the server's move to a free port where
// theirs is taken.
const (
	DefaultListen = "127.0.0.1:8080"
	trustListen   = "127.0.0.1:8090"
	mobileListen  = "127.0.0.1:8070"
	demoListen    = "127.0.0.1:8000"
)

// ErrListen is wrapped when [Options.Listen] is no address.
var ErrListen = errors.New("--listen takes HOST:PORT")

// Options describe a run.
type Options struct {
	Dir     string
	Listen  string // of the server; "" takes the one in config.properties
	Stdout  io.Writer
	Logger  *slog.Logger
	Version string
	Now     func() time.Time

	// Form is how the agent asks the person; "" is the page. OpenBrowser shows
	// its address, nil does not. Headless asks nobody and takes KeyPassword.
	Form        prompt.Form
	OpenBrowser func(address string) error
	Headless    bool
}

// Run starts everything, prints where it is, and serves until ctx is done.
func Run(ctx context.Context, o Options) error {
	listen, err := resolve(o.Listen)
	if err != nil {
		return err
	}
	trustLn, trustURL, err := listenTrust(o.Dir)
	if err != nil {
		return err
	}
	defer trustLn.Close()
	d, err := openData(o.Dir, listen, trustURL, o.Now)
	if err != nil {
		return err
	}
	defer d.close()

	config, warnings, err := server.LoadConfig(d.path(configFile), nil)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		o.Logger.Warn(w)
	}
	if o.Listen != "" {
		config.Listen = listen
	}
	// Where the port that the certificates name is taken; addresses of other
	// services, which somebody wrote into the file, stay.
	moveURLs(config.OCSPURLs, d.trust.OCSPURL(), d.trust.BaseURL(), trustURL)
	moveURLs(config.TSPURLs, d.trust.TSAURL(), d.trust.BaseURL(), trustURL)
	if config.Mobile.SiteID == "" { // a folder from before there were phones
		config.Mobile.SiteID = demoSiteID
	}
	service, err := server.New(config, server.Deps{Logger: o.Logger, Version: o.Version, Now: o.Now})
	if err != nil {
		return err
	}
	defer service.Close()
	listeners, err := service.Listen()
	if err != nil {
		return fmt.Errorf("%w; choose another address with --listen", err)
	}
	defer listeners.Close()
	// The demo site needs /backend too.
	serverLn := listeners.Main
	if listeners.Backend != nil {
		serverLn = listeners.Backend
	}
	serverURL := "http://" + dialable(serverLn.Addr())

	demoLn, err := listenOrFree(demoListen)
	if err != nil {
		return err
	}
	defer demoLn.Close()
	desk, err := listenAgent(d, o, trustURL)
	if err != nil {
		return err
	}
	defer desk.Close()
	mobileLn, err := listenOrFree(mobileListen)
	if err != nil {
		return err
	}
	defer mobileLn.Close()
	at := addresses{
		server: serverURL, trust: trustURL, demo: "http://" + demoLn.Addr().String(),
		agent: "ws://" + desk.WSAddress() + agent.SocketPath, phone: "http://" + mobileLn.Addr().String() + mobile.PhonePath,
	}
	gateway, err := newGateway(ctx, d, o, config.Mobile.SiteID, at.demo)
	if err != nil {
		return err
	}
	site, err := demo.New(demo.Options{
		Server: serverURL, Agent: at.agent, Script: agent.ClientScript(), Phone: at.phone, PhoneScript: mobilesite.Script(), Now: o.Now,
	})
	if err != nil {
		return err
	}

	parts := []struct {
		name  string
		serve func(context.Context) error
	}{
		{"trust services", serveHTTP(trustLn, d.trust.Handler(), o.Logger)},
		{"server", func(ctx context.Context) error { return service.Serve(ctx, listeners) }},
		{"agent", desk.Serve},
		{"gateway of phones", func(ctx context.Context) error {
			return httpx.Serve(ctx, mobileLn, gateway, httpx.Options{Logger: o.Logger, MaxBody: phone.MaxSubmission})
		}},
		{"demo site", serveHTTP(demoLn, site, o.Logger)},
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, len(parts))
	for _, p := range parts {
		go func() {
			err := p.serve(ctx)
			if err != nil {
				err = fmt.Errorf("%s: %w", p.name, err)
			}
			ended <- err
			stop() // one part alone is of no use
		}()
	}
	var errs []error
	if err := announce(o.Stdout, d, at); err != nil {
		errs = append(errs, err)
		stop()
	}
	for range parts {
		errs = append(errs, <-ended)
	}
	return errors.Join(errs...)
}

// listenAgent opens the agent, which knows the keys of the data folder alone
// and asks nobody on the internet. It takes free ports where its own are taken,
// as by E-IMZO.
func listenAgent(d *data, o Options, trustURL string) (*agent.Service, error) {
	s := agent.ServiceOptions{
		Options:  agent.Options{Version: o.Version, Logger: o.Logger, Now: o.Now, Anchors: d.trust.Anchors()},
		StateDir: d.path(agentDir), Dirs: []string{d.path(keysDir)},
		Form: o.Form, Out: o.Stdout, OpenBrowser: o.OpenBrowser, WSPort: agent.DefaultWSPort, WSSPort: agent.DefaultWSSPort,
	}
	ca, err := localca.Open(filepath.Join(s.StateDir, caDir), localca.Options{Now: o.Now, Log: o.Logger})
	if err != nil {
		return nil, err
	}
	s.Certificate = ca.GetCertificate
	if s.Form == "" {
		s.Form = prompt.FormWeb
	}
	if o.Headless {
		s.Prompter = &prompt.Headless{Default: secret.New([]byte(KeyPassword))}
	}
	s.Tokens = token.NewSet(o.Logger, soft.Folder(d.path(cardsDir)))
	s.Revocation = revocation.New(revocation.Options{URLs: []string{trustURL + strings.TrimPrefix(d.trust.OCSPURL(), d.trust.BaseURL())}, Now: o.Now})
	s.TSAURL = trustURL + strings.TrimPrefix(d.trust.TSAURL(), d.trust.BaseURL())
	stamper := &tsp.Client{Now: o.Now}
	s.Stamp = func(ctx context.Context, digest *alg.Digest, message []byte) ([]byte, error) {
		token, err := stamper.Stamp(ctx, s.TSAURL, digest, message)
		if err != nil {
			return nil, err
		}
		return token.Raw, nil
	}
	desk, err := agent.Listen(s)
	if taken := (*net.OpError)(nil); errors.As(err, &taken) {
		s.WSPort, s.WSSPort = 0, 0
		desk, err = agent.Listen(s)
	}
	return desk, err
}

// newGateway makes the gateway of phones, with the demo site registered: what
// is signed for it goes where its page's own calls go. Its phone is a page that
// has the cards of the data folder.
func newGateway(ctx context.Context, d *data, o Options, siteID, demoURL string) (*mobile.Gateway, error) {
	sites, err := mobile.OpenSites(d.path(mobileDir), o.Now)
	if err != nil {
		return nil, err
	}
	if _, err := sites.Put(ctx, mobile.Site{SiteID: siteID, Name: "Imzo demo", Domain: "127.0.0.1", UploadURL: demoURL + "/frontend/mobile/upload"}); err != nil {
		return nil, err
	}
	gateway, err := mobile.New(mobile.Options{Sites: sites, Anchors: d.trust.Anchors(), Logger: o.Logger, Now: o.Now})
	if err != nil {
		return nil, err
	}
	pages, err := page.New(page.Options{
		Gateway: func(r *http.Request) phone.Gateway { return gateway.For(gateway.Address(r)) },
		Cards:   soft.Folder(d.path(cardsDir)), Logger: o.Logger, Now: o.Now,
	})
	if err != nil {
		return nil, err
	}
	gateway.HandlePhone(pages)
	return gateway, nil
}

func serveHTTP(ln net.Listener, h http.Handler, log *slog.Logger) func(context.Context) error {
	return func(ctx context.Context) error {
		return httpx.Serve(ctx, ln, h, httpx.Options{Logger: log})
	}
}

// listenTrust opens the address that an existing hierarchy names, or the
// usual one, or a free port.
func listenTrust(dir string) (net.Listener, string, error) {
	address := trustListen
	if named, ok := trustAddress(filepath.Join(dir, trustDir)); ok {
		address = named
	}
	ln, err := listenOrFree(address)
	if err != nil {
		return nil, "", err
	}
	return ln, "http://" + ln.Addr().String(), nil
}

// trustAddress returns the host and port of an existing hierarchy without
// opening it: its address is needed before a new one can be made.
func trustAddress(dir string) (string, bool) {
	base, err := trust.ReadBaseURL(dir)
	if err != nil {
		return "", false
	}
	u, err := url.Parse(base)
	if err != nil || u.Port() == "" {
		return "", false
	}
	return u.Host, true
}

// listenOrFree listens on an address, or where that is taken on a free port of
// the same host.
func listenOrFree(address string) (net.Listener, error) {
	ln, err := net.Listen("tcp", address)
	if err == nil {
		return ln, nil
	}
	host, _, splitErr := net.SplitHostPort(address)
	if splitErr != nil {
		return nil, err
	}
	return net.Listen("tcp", net.JoinHostPort(host, "0"))
}

// moveURLs turns the address of the trust services into the one where they
// answer now, and leaves any other as it is.
func moveURLs(addresses []string, ours, from, to string) {
	for i, address := range addresses {
		if address == ours {
			addresses[i] = to + strings.TrimPrefix(address, from)
		}
	}
}

// resolve turns --listen, or [DefaultListen] for "", into numbers.
func resolve(address string) (netip.AddrPort, error) {
	if address == "" {
		address = DefaultListen
	}
	a, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%w: %w", ErrListen, err)
	}
	ip, ok := netip.AddrFromSlice(a.IP)
	if !ok {
		ip = netip.IPv4Unspecified() // ":8080"
	}
	return netip.AddrPortFrom(ip.Unmap(), uint16(a.Port)), nil
}

// dialable returns an address of this machine for a listener on all of them.
func dialable(a net.Addr) string {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil || !ap.Addr().IsUnspecified() {
		return a.String()
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), ap.Port()).String()
}

// addresses is where the parts answer.
type addresses struct{ demo, server, trust, agent, phone string }

// announce prints where everything is and what to try.
func announce(w io.Writer, d *data, at addresses) error {
	dir, err := filepath.Abs(d.dir)
	if err != nil {
		return err
	}
	made := "data folder"
	if d.first {
		made = "new data folder"
	}
	key, err := firstKey(d.path(keysDir))
	if err != nil {
		return err
	}
	sample := shellQuote("@" + filepath.Join(dir, sampleFile))
	_, err = fmt.Fprintf(w, `Imzo is up (%s %s)

  demo site       %s
  server          %s
  trust services  %s
  agent           %s
  phone           %s
  keys            %s, password %s
  ID card         %s, PIN %s

Try it:

  curl %s
  curl -d %s %s
  curl -d %s %s

Sign a file, and check it:

  echo %s > pw
  imzo sign --key %s --password-file pw -o signed.p7s FILE
  imzo verify --trust %s --ocsp %s signed.p7s

Stop with Ctrl-C.
`, made, dir, at.demo, at.server, at.trust, at.agent, at.phone, filepath.Join(dir, keysDir), KeyPassword, filepath.Join(dir, cardsDir, cardFile), KeyPassword,
		shellQuote(at.server+"/frontend/challenge"),
		sample, shellQuote(at.server+"/backend/pkcs7/verify/attached"),
		sample, shellQuote(at.server+"/frontend/timestamp/pkcs7"),
		KeyPassword, shellQuote(key), shellQuote(filepath.Join(dir, rootFile)), shellQuote(at.trust+"/cams/ocsp"))
	return err
}

func firstKey(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	files, err := filepath.Glob(filepath.Join(abs, "*.pfx"))
	if err != nil || len(files) == 0 {
		return "", fmt.Errorf("%s holds no keys: %w", dir, os.ErrNotExist)
	}
	return files[0], nil
}

// shellQuote protects what a shell would not take as it stands.
func shellQuote(s string) string {
	if strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./:=@") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func base64Text(b []byte) []byte {
	return append([]byte(base64.StdEncoding.EncodeToString(b)), '\n')
}
