package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"imzo/internal/eimzo/agent"
	"imzo/internal/eimzo/agent/keyring"
	"imzo/internal/eimzo/agent/prompt"
	"imzo/internal/i18n"
	"imzo/internal/revocation"
	"imzo/internal/secret"
	"imzo/pki/alg"
	"imzo/pki/token"
	"imzo/pki/token/pcsc"
	"imzo/pki/token/pkcs11"
	"imzo/pki/token/soft"
)

type agentFlags struct {
	headless, onlyDirs, lookup, developer, asJSON, verbose bool
	globalKeys, confirmEach, tellPassword, modernPFX       bool
	dirs, cards, modules, passwordFiles                    []string
	trustFiles, ocspURLs, tunnelFlags                      []string
	wsPort, wssPort                                        int
	compat, language, state, form, tsaURL, runConf         string
}

func newAgentCommand(e env) *cobra.Command {
	var a agentFlags
	c := &cobra.Command{
		Use:   "agent",
		Short: "Run the desktop agent, a drop-in for E-IMZO",
		Long: `Run the program that pages call to sign in the name of the person at this
computer: a drop-in for E-IMZO, at ws://127.0.0.1:64646/service/cryptapi and
wss://127.0.0.1:64443/service/cryptapi. docs/agent.md describes it.

Keys are looked for in --dir, in DSKEYS of the home folder, and on all disks
and their DSKEYS folders unless --only-dirs is given. Each use of a key asks
the person for its password, and shows which site wants what signed: through
pinentry or a page in the browser where there is a desktop, else at this
terminal.

With --headless nobody is asked, as in CI: passwords come from --password-file,
or from the variable IMZO_AGENT_PASSWORD for every key. Whatever site has an
API key can have documents signed then, so use it with test keys only.

With --tunnel, pages of a domain may open an encrypted tunnel to its server,
with a key of the person. The argument of E-IMZO for that,
-tunnel.HEX=HOST:PORT with the domain in hexadecimal digits, is taken too, and
so is its run.conf.

For wss, the certificate of this agent has to be trusted once:

  imzo agent trust install`,
		Example: `  imzo agent
  imzo agent --language en --dir ~/keys --prompt terminal
  IMZO_AGENT_PASSWORD=1 imzo agent --headless --dir imzo-data/keys
  imzo agent --headless --dir keys --password-file DS123=ds123.password --json
  imzo agent --tunnel example.uz=1.2.3.4:8843
  imzo agent -tunnel.6578616d706c652e757a=1.2.3.4:8843
  imzo agent --run-conf 'C:\Program Files (x86)\E-IMZO\run.conf'`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.run(c.Context(), e, c.Flags().Changed("lookup")) },
	}
	f := c.Flags()
	f.BoolVar(&a.headless, "headless", false, "ask nobody; take passwords from files or IMZO_AGENT_PASSWORD")
	f.StringArrayVar(&a.dirs, "dir", nil, "`FOLDER` with key files, as if it were a disk; may be repeated")
	f.BoolVar(&a.onlyDirs, "only-dirs", false, "look for keys in --dir only (always with --headless)")
	f.StringArrayVar(&a.cards, "cards", nil, "`FOLDER` with virtual ID cards and tokens of 'imzo card'; may be repeated")
	f.StringArrayVar(&a.modules, "pkcs11", nil, "`MODULE`, a shared library with PKCS#11 tokens; may be repeated (needs a build with -tags pkcs11)")
	f.StringArrayVar(&a.passwordFiles, "password-file", nil, "`KEY=FILE`: with --headless, the password of a key, named by its file without extension or its alias; may be repeated")
	f.IntVar(&a.wsPort, "ws-port", agent.DefaultWSPort, "`PORT` for ws and http on 127.0.0.1; 0 takes a free one, -1 none")
	f.IntVar(&a.wssPort, "wss-port", agent.DefaultWSSPort, "`PORT` for wss and https on 127.0.0.1; 0 takes a free one, -1 none")
	f.StringVar(&a.compat, "compat", "all", "`GENERATION` whose functions to answer: 6 (those of 6.x), 5 (of 3.x to 5.x too) or all")
	f.StringVar(&a.language, "language", "ru", "`LANGUAGE`, ru, uz or en, of messages to pages until they choose, and of questions")
	f.StringVar(&a.form, "prompt", "auto", "`FORM` to ask in: auto, pinentry, web or terminal")
	f.StringVar(&a.state, "state", "", "`FOLDER` for API keys, audit log and certificate (default: imzo/agent in the folder for settings)")
	f.BoolVar(&a.lookup, "lookup", false, "look up the API keys of sites at e-imzo.uz, which learns of them (default: on, with --headless off)")
	f.BoolVar(&a.developer, "developer", false, "ask the person about sites without an API key, instead of refusing them")
	f.BoolVar(&a.globalKeys, "global-keys", false, "let every site use the key ids and remembered passwords of the others, as E-IMZO does")
	f.BoolVar(&a.confirmEach, "confirm-each", false, "ask for the password at every use of a key, never remember it")
	f.BoolVar(&a.tellPassword, "tell-password", false, "tell sites that enrol a new key the password of it, as E-IMZO does")
	f.BoolVar(&a.modernPFX, "modern-pfx", false, "write new key files with AES-256 and SHA-256, which Java 8 does not open")
	f.StringArrayVar(&a.trustFiles, "trust", nil, "`FILE` with trusted root certificates for functions that verify; may be repeated (default: Uzbekistan's production root)")
	f.StringArrayVar(&a.ocspURLs, "ocsp", nil, "`URL` of an OCSP responder for them, instead of those in the certificates; may be repeated")
	f.StringVar(&a.tsaURL, "tsa", "", "`URL` of the timestamp authority for functions that stamp")
	f.StringArrayVar(&a.tunnelFlags, "tunnel", nil, "`DOMAIN=HOST:PORT`: the server of the tunnel for pages of a domain; may be repeated")
	f.StringVar(&a.runConf, "run-conf", "", "run.conf `FILE` of E-IMZO, for the tunnels in it")
	f.BoolVar(&a.asJSON, "json", false, "print where the agent answers as one JSON object")
	f.BoolVarP(&a.verbose, "verbose", "v", false, "log what happens")
	c.AddCommand(newAgentTrustCommand(e))
	return c
}

// startedAgent is what `imzo agent --json` prints.
type startedAgent struct {
	WS    string `json:"ws,omitempty"`
	WSS   string `json:"wss,omitempty"`
	Page  string `json:"page"`
	State string `json:"state"`
}

func (a *agentFlags) run(ctx context.Context, e env, lookupSet bool) error {
	o, err := a.options(e)
	if err != nil {
		return err
	}
	if a.lookup || !a.headless && !lookupSet {
		o.LookupURL = agent.LookupURL
	}
	if err := secret.HardenProcess(); err != nil {
		o.Logger.Warn("core dumps cannot be switched off", "error", err.Error())
	}
	s, err := agent.Listen(o)
	if err != nil {
		return err
	}
	if err := a.announce(e, s, o); err != nil {
		s.Close()
		return err
	}
	return s.Serve(ctx)
}

func (a *agentFlags) options(e env) (agent.ServiceOptions, error) {
	level := slog.LevelWarn
	if a.verbose {
		level = slog.LevelDebug
	}
	o := agent.ServiceOptions{
		Options: agent.Options{
			Compat: agent.Compat(a.compat), Language: i18n.Language(a.language), ConfirmEach: a.confirmEach, TellPassword: a.tellPassword, ModernPFX: a.modernPFX,
			TSAURL: a.tsaURL, Version: versionString(), Now: e.now,
			Logger: slog.New(slog.NewTextHandler(e.stderr, &slog.HandlerOptions{Level: level})),
		},
		GlobalKeys: a.globalKeys, Developer: a.developer, WSPort: a.wsPort, WSSPort: a.wssPort,
		Form: prompt.Form(a.form), Out: e.promptOut(), OpenBrowser: prompt.Browser,
	}
	switch {
	case o.Language != i18n.Russian && o.Language != i18n.Uzbek && o.Language != i18n.English:
		return o, usagef("--language is ru, uz or en, not %q", a.language)
	case o.Compat != agent.CompatAll && o.Compat != agent.Compat5 && o.Compat != agent.Compat6:
		return o, usagef("--compat is 6, 5 or all, not %q", a.compat)
	case len(a.passwordFiles) > 0 && !a.headless:
		return o, usagef("--password-file goes with --headless; without it the person is asked")
	case a.wsPort < agent.NoPort || a.wsPort > 65535 || a.wssPort < agent.NoPort || a.wssPort > 65535:
		return o, usagef("a port is 1 to 65535, 0 for a free one, -1 for none")
	}
	for _, dir := range a.dirs {
		if info, err := os.Stat(dir); err != nil {
			return o, usageError{fmt.Errorf("--dir: %w", err)}
		} else if !info.IsDir() {
			return o, usagef("--dir %s: not a folder", dir)
		}
		abs, err := filepath.Abs(dir)
		if err != nil {
			return o, err
		}
		o.Dirs = append(o.Dirs, abs)
	}
	if o.Volumes = !a.headless && !a.onlyDirs; o.Volumes {
		o.Dirs = append(o.Dirs, keyring.Home()...)
	}
	if a.headless {
		headless, err := a.passwords()
		if err != nil {
			return o, err
		}
		o.Prompter = headless
	}
	if err := a.tokens(&o); err != nil {
		return o, err
	}
	var err error
	if o.Tunnels, err = a.tunnels(o.Logger); err != nil {
		return o, err
	}
	if o.StateDir, err = agentState(a.state); err != nil {
		return o, err
	}
	if o.Anchors, err = e.loadAnchors(a.trustFiles); err != nil {
		return o, err
	}
	o.Revocation = revocation.New(revocation.Options{URLs: a.ocspURLs, Now: e.now})
	if a.tsaURL != "" {
		stamp, err := (&timestampFlags{url: a.tsaURL}).authority(e)
		if err != nil {
			return o, err
		}
		o.Stamp = func(ctx context.Context, d *alg.Digest, message []byte) ([]byte, error) {
			token, err := stamp(ctx, d, message)
			if err != nil {
				return nil, err
			}
			return token.Raw, nil
		}
	}
	if a.wssPort != agent.NoPort {
		authority, err := openLocalCA(o.StateDir, e, o.Logger)
		if err != nil {
			return o, err
		}
		o.Certificate = authority.GetCertificate
	}
	return o, nil
}

// promptOut is who is told the addresses of pages that ask: the person at a
// terminal. A log need not know them where the browser opens them.
func (e env) promptOut() io.Writer {
	if f, ok := e.stderr.(*os.File); ok && !term.IsTerminal(int(f.Fd())) && prompt.Desktop() {
		return nil
	}
	return e.stderr
}

// tokens finds the cards and tokens.
func (a *agentFlags) tokens(o *agent.ServiceOptions) error {
	var providers []token.Provider
	for _, dir := range a.cards {
		if info, err := os.Stat(dir); err != nil {
			return usageError{fmt.Errorf("--cards: %w", err)}
		} else if !info.IsDir() {
			return usagef("--cards %s: not a folder", dir)
		}
		providers = append(providers, soft.Folder(dir))
	}
	for _, module := range a.modules {
		p, err := pkcs11.Open(module, pkcs11.Options{})
		if err != nil {
			return fmt.Errorf("--pkcs11: %w", err)
		}
		providers = append(providers, p)
	}
	if !a.headless {
		providers = append(providers, readers{pcsc.Readers("")})
	}
	o.Tokens = token.NewSet(o.Logger, providers...)
	return nil
}

// readers are those of the PC/SC daemon, where there is one.
type readers struct{ token.Provider }

func (r readers) Tokens(ctx context.Context) ([]token.Token, error) {
	all, err := r.Provider.Tokens(ctx)
	if errors.Is(err, pcsc.ErrNoService) {
		return nil, nil
	}
	return all, err
}

// agentState is the folder that the agent keeps things in.
func agentState(dir string) (string, error) {
	if dir == "" {
		config, err := os.UserConfigDir()
		if err != nil {
			return "", fmt.Errorf("%w; give a folder with --state", err)
		}
		dir = filepath.Join(config, "imzo", "agent")
	}
	return filepath.Abs(dir)
}

// maxPassword bounds a file with a password.
const maxPassword = 1 << 10

// passwords reads what headless mode knows.
func (a *agentFlags) passwords() (*prompt.Headless, error) {
	h := &prompt.Headless{Passwords: map[string]*secret.Secret{}, Default: prompt.DefaultPassword()}
	for _, f := range a.passwordFiles {
		// Aliases have signs of equality in them, paths hardly ever.
		i := strings.LastIndexByte(f, '=')
		if i <= 0 {
			return h, usagef("--password-file takes KEY=FILE, not %q", f)
		}
		key, file := f[:i], f[i+1:]
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			return h, usageError{fmt.Errorf("--password-file: %w", err)}
		}
		if err != nil {
			return h, err
		}
		if len(text) > maxPassword {
			secret.Wipe(text)
			return h, usagef("--password-file: %s is too long for a password", file)
		}
		line := text
		if i := strings.IndexAny(string(text), "\r\n"); i >= 0 {
			line = text[:i]
		}
		h.Passwords[key] = secret.New(line)
		secret.Wipe(text)
	}
	return h, nil
}

// announce tells where the agent answers.
func (a *agentFlags) announce(e env, s *agent.Service, o agent.ServiceOptions) error {
	started := startedAgent{Page: s.PageURL() + "/", State: o.StateDir}
	if at := s.WSAddress(); at != "" {
		started.WS = "ws://" + at + agent.SocketPath
	}
	if at := s.WSSAddress(); at != "" {
		started.WSS = "wss://" + at + agent.SocketPath
	}
	if a.asJSON {
		return e.printJSON(started)
	}
	_, err := fmt.Fprintf(e.stdout, "The agent answers pages (%s)\n\n", versionString())
	for _, line := range [][2]string{{"page", started.Page}, {"ws", started.WS}, {"wss", started.WSS}, {"audit log", filepath.Join(started.State, agent.AuditFile)}} {
		if line[1] != "" && err == nil {
			_, err = fmt.Fprintf(e.stdout, "  %-9s  %s\n", line[0], line[1])
		}
	}
	if err == nil {
		_, err = fmt.Fprintln(e.stdout, "\nStop with Ctrl-C.")
	}
	return err
}
