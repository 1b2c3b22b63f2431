package agent

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"imzo/internal/eimzo/agent/keyring"
	"imzo/internal/eimzo/agent/prompt"
	"imzo/internal/i18n"
	"imzo/pki/alg"
	"imzo/pki/cert"
	"imzo/pki/token"
	"imzo/verify"
)

// The version that pages ask for. They want a number of at least 4.86, and
// choose what they call by it.
const (
	versionMajor = "6"
	versionMinor = "4"
	versionPatch = "7"
)

// Options say how an agent works. The zero value of each is what `imzo agent`
// has without flags, unless said.
type Options struct {
	// Compat is which functions there are; "" is [CompatAll].
	Compat Compat
	// Language is what pages are answered in until they choose; "" is Russian.
	Language i18n.Language
	// Allow tells whether a caller may call what needs an API key: nil, or
	// the refusal. It must be set.
	Allow func(ctx context.Context, from Caller) error
	// Register takes API keys, as pairs of a domain and its key. It must be
	// set. An [*origin.KeyError] names a domain whose key is not its own.
	Register func(pairs []string) error
	// Audit takes one line for each call. It must be set.
	Audit func(attrs []slog.Attr)
	// Keys finds and remembers keys, and Prompter asks the person. Both must
	// be set; the caller closes Keys.
	Keys     *keyring.Ring
	Prompter prompt.Prompter
	// Tokens are the ID cards and tokens there are; nil for none.
	Tokens *token.Set
	// Memory bounds what all messages of pages take together, in octets; 0
	// is [DefaultMemory].
	Memory int64
	// ConfirmEach asks for the password at every use of a key, and remembers
	// none.
	ConfirmEach bool
	// TellPassword tells the page that gets a person a key the password that
	// the person chose for it, as the original does.
	TellPassword bool
	// ModernPFX writes key files that Java 8 does not open.
	ModernPFX bool
	// Anchors are what an opened trust store trusts, and Revocation tells the
	// status of certificates when documents are verified; both may be nil.
	Anchors    *cert.Pool
	Revocation verify.RevocationSource
	// TSAURL is the timestamp authority that Stamp asks, and Stamp gets a
	// token over message; nil where none is set.
	TSAURL string
	Stamp  func(ctx context.Context, d *alg.Digest, message []byte) ([]byte, error)
	// Tunnels are the addresses, HOST:PORT, of the servers of tunnels, by the
	// domain of the pages that may open one to there. What they have for a
	// certificate is checked by Anchors and Revocation.
	Tunnels map[string]string
	// ShowMenu opens the program's own page; nil where there is no desktop.
	ShowMenu func(ctx context.Context)
	// Version is of the program, for people.
	Version string

	Logger   *slog.Logger     // nil discards
	Now      func() time.Time // nil is time.Now
	Rand     io.Reader        // nil is crypto/rand
	Location *time.Location   // of dates without a zone; nil is time.Local
}

// Agent answers calls. It is safe for use by several connections at once.
type Agent struct {
	options  Options
	table    *table
	keys     *keyring.Ring
	prompter prompt.Prompter
	log      *slog.Logger
	now      func() time.Time
	rand     io.Reader
	location *time.Location

	ctx     context.Context // until Close
	stop    context.CancelFunc
	memory  budget         // of messages
	sockets sync.WaitGroup // and tunnels
	// idle and whole are how long messages may take, see idleMessage.
	idle, whole time.Duration
	// unused and head are how long tunnels may take, see unusedTunnel.
	unused, head time.Duration

	tunnels    tunnels
	handles    handles
	enrolments enrolments

	mu        sync.Mutex
	languages map[string]i18n.Language // that pages chose, by Origin
	confirmed map[[2]string]bool       // what the person said yes to: Origin and question
}

// maxLanguages bounds what pages can make us remember.
const maxLanguages = 1024

// New makes an agent.
func New(o Options) (*Agent, error) {
	switch o.Compat {
	case "":
		o.Compat = CompatAll
	case CompatAll, Compat5, Compat6:
	default:
		return nil, errors.New("compat is 6, 5 or all")
	}
	if o.Allow == nil || o.Register == nil || o.Audit == nil || o.Keys == nil || o.Prompter == nil {
		return nil, errors.New("an agent needs Allow, Register, Audit, Keys and Prompter")
	}
	if o.Language == "" {
		o.Language = i18n.Russian
	}
	a := &Agent{options: o, keys: o.Keys, prompter: o.Prompter, log: o.Logger, now: o.Now, rand: o.Rand, location: o.Location, languages: map[string]i18n.Language{}, confirmed: map[[2]string]bool{}, idle: idleMessage, whole: wholeMessage, unused: unusedTunnel, head: headTunnel}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	if a.now == nil {
		a.now = time.Now
	}
	if a.rand == nil {
		a.rand = rand.Reader
	}
	if a.location == nil {
		a.location = time.Local
	}
	a.ctx, a.stop = context.WithCancel(context.Background())
	if o.Memory == 0 {
		o.Memory = DefaultMemory
	}
	a.memory.set(o.Memory)
	a.table = newTable(allPlugins(), o.Compat)
	return a, nil
}

// allPlugins lists the plugins in the order of apidoc.
func allPlugins() []plugin {
	plugins := []plugin{
		mainPlugin(), appPlugin(), pfxPlugin(), pkiPlugin(), pkcs7Plugin(), x509Plugin(), baikeyPlugin(), idcardPlugin(), ckcPlugin(),
		pkcs10Plugin(), ytksPlugin(), uzgrdPlugin(), randseedPlugin(),
	}
	plugins = append(plugins, legacyListPlugins()...)
	plugins = append(plugins, legacyPKCS7(), cryptoauthPlugin(), tsaclientPlugin())
	plugins = append(plugins, trustPlugins()...)
	return append(plugins, tunnelPlugin())
}

func (a *Agent) allow(ctx context.Context, c *call) error { return a.options.Allow(ctx, c.Caller) }

func (a *Agent) audit(attrs []slog.Attr) { a.options.Audit(attrs) }

// language is what a page chose, or the one of the options.
func (a *Agent) language(from Caller) i18n.Language {
	a.mu.Lock()
	defer a.mu.Unlock()
	if l, ok := a.languages[from.Origin]; ok {
		return l
	}
	return a.options.Language
}

// setLanguage keeps the choice of a page for it alone. The original changes
// the whole program, so that one page decides for the others.
func (a *Agent) setLanguage(from Caller, l i18n.Language) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.languages) >= maxLanguages {
		clear(a.languages)
	}
	a.languages[from.Origin] = l
}
