// Package page is a phone in the browser: a page that does what the application
// E-IMZO ID-CARD does, with virtual cards (pki/token/soft) in the place of the
// card at the back of the phone. It is for developers, who have a whole
// log-in by phone on one machine then.
//
//	pages, err := page.New(page.Options{Gateway: gateway, Cards: soft.Folder("cards")})
//	mux.Handle("/phone/", pages)
//
// The page opens /phone/?link=eimzo%3A%2F%2Fsign%3Fqc%3D..., or reads a QR code
// from the camera or an image with jsQR (in assets, with its licence). Check
// sum, signature and all talk with the gateway are done here, not in the
// browser; the PIN comes over the connection, so the page answers at loopback
// addresses only unless told otherwise. A PIN is wiped after its use, and the
// card counts the wrong ones.
package page

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"imzo/client/deeplink"
	"imzo/internal/eimzo/mobile/phone"
	"imzo/internal/httpx"
	"imzo/internal/i18n"
	"imzo/internal/ratelimit"
	"imzo/internal/secret"
	"imzo/pki/cert"
	"imzo/pki/token"
)

//go:embed assets
var assets embed.FS

var pageTemplate = template.Must(template.ParseFS(assets, "assets/phone.html"))

// Path is where the page is.
const Path = "/phone/"

// policy lets the page run its own scripts and call its own address. Nobody may
// frame it: the person would not see what he types his PIN for.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const (
	// maxBody bounds what the page sends: a link, a name and a PIN.
	maxBody = 4 << 10
	// signsPerMinute bounds how often a PIN is tried by one address: each costs
	// an Argon2id.
	signsPerMinute = 30
)

// ErrOptions is wrapped by the error of New about what it was given.
var ErrOptions = errors.New("the phone's page cannot be made")

// Options describe the page.
type Options struct {
	// Gateway returns the gateway for a request of the page.
	Gateway func(r *http.Request) phone.Gateway
	// Cards finds the cards, such as soft.Folder.
	Cards token.Provider
	// Anywhere lets the page answer under other names than those of loopback.
	// Whoever reaches it can try PINs, until a card is blocked.
	Anywhere bool
	// Language is that of a person whose browser asks for none of ours; "" is
	// Russian.
	Language i18n.Language
	// Logger is told of cards that cannot be read; nil discards it.
	Logger *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// New makes the handler of the page and of what it calls. The error wraps
// [ErrOptions].
func New(o Options) (http.Handler, error) {
	if o.Gateway == nil || o.Cards == nil {
		return nil, fmt.Errorf("%w: it needs a gateway and cards", ErrOptions)
	}
	if o.Language == "" {
		o.Language = i18n.Russian
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	p := &pages{options: o, mux: http.NewServeMux(), limiter: ratelimit.New(ratelimit.Options{PerMinute: signsPerMinute, Burst: signsPerMinute, Now: o.Now})}
	p.mux.HandleFunc("GET "+Path+"{$}", p.show)
	for name, kind := range map[string]string{
		"phone.js": "text/javascript; charset=utf-8", "jsQR.js": "text/javascript; charset=utf-8", "jsQR.LICENSE": "text/plain; charset=utf-8",
		"phone.css": "text/css; charset=utf-8",
	} {
		p.mux.HandleFunc("GET "+Path+name, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			b, err := assets.ReadFile("assets/" + name)
			if err != nil {
				http.Error(w, "not found", http.StatusNotFound)
				return
			}
			_, _ = w.Write(b)
		})
	}
	p.mux.HandleFunc("POST "+Path+"api/open", p.open)
	p.mux.HandleFunc("POST "+Path+"api/sign", p.sign)
	return p, nil
}

type pages struct {
	options Options
	mux     *http.ServeMux
	limiter *ratelimit.Limiter
}

// ServeHTTP implements http.Handler.
func (p *pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("Permissions-Policy", "camera=(self)")
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if !p.options.Anywhere && !loopback(r.Host) {
		http.Error(w, "the phone answers at localhost and 127.0.0.1 only", http.StatusForbidden)
		return
	}
	if r.Method == http.MethodPost && !ownPage(r) {
		http.Error(w, "only the phone's own page may do this", http.StatusForbidden)
		return
	}
	p.mux.ServeHTTP(w, r)
}

func loopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && a.Unmap().IsLoopback()
}

// ownPage tells whether a call is one of our page, as the browser says (Fetch
// Metadata). A page of another origin cannot send JSON without being asked,
// and nobody answers it.
func ownPage(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		return false
	}
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); !strings.EqualFold(strings.TrimSpace(kind), "application/json") {
		return false
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host == r.Host
}

// language is the one of the page, else of the browser.
func (p *pages) language(r *http.Request) i18n.Language {
	if l := i18n.Language(r.URL.Query().Get("lang")); slices.Contains(i18n.Languages(), l) {
		return l
	}
	return i18n.Match(r.Header.Get("Accept-Language"), p.options.Language)
}

func say(l i18n.Language, id string, args ...any) string { return i18n.Text(l, "phone."+id, args...) }

// words is what the template writes with.
type words struct {
	Language  i18n.Language
	Languages []i18n.Language
	// Script has the sentences that the script needs.
	Script map[string]string
}

// T returns a sentence.
func (w words) T(id string) string { return say(w.Language, id) }

func (p *pages) show(w http.ResponseWriter, r *http.Request) {
	l := p.language(r)
	v := words{Language: l, Languages: i18n.Languages(), Script: map[string]string{}}
	for _, id := range []string{"noCode", "noCamera", "noAnswer", "noCards", "tries", "working"} {
		v.Script[id] = say(l, id)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = pageTemplate.Execute(w, v)
}

// request is what the page sends.
type request struct {
	Link string `json:"link"`
	Card string `json:"card"`
	// PIN stays in JSON's quotes, in memory that is wiped.
	PIN json.RawMessage `json:"pin"`
}

// answer is what the page gets. Error is a stable word, "" when all went well;
// Message is for the person.
type answer struct {
	Error      string     `json:"error,omitempty"`
	Message    string     `json:"message,omitempty"`
	TriesLeft  *int       `json:"triesLeft,omitempty"`
	Site       phone.Site `json:"site,omitzero"`
	DocumentID string     `json:"documentId,omitempty"`
	Groups     []string   `json:"groups,omitempty"`
	Cards      []card     `json:"cards,omitempty"`
	// Outcome is the gateway's.
	Outcome *phone.Outcome `json:"outcome,omitempty"`
}

// card is one to choose.
type card struct {
	ID        string `json:"id"` // its name
	Holder    string `json:"holder"`
	Serial    string `json:"serial"` // of the certificate
	Until     string `json:"until"`
	TriesLeft int    `json:"triesLeft"` // -1 when it does not tell
}

func reply(w http.ResponseWriter, status int, a answer) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(a)
}

// fail answers with what an error means to the person.
func (p *pages) fail(w http.ResponseWriter, r *http.Request, err error) {
	l := p.language(r)
	word, status := "failed", http.StatusUnprocessableEntity
	var wrong *token.PINError
	a := answer{}
	switch {
	case errors.Is(err, deeplink.ErrCode):
		word = "code"
	case errors.Is(err, phone.ErrUnknownSite):
		word = "site"
	case errors.Is(err, phone.ErrGateway):
		word, status = "gateway", http.StatusBadGateway
	case errors.Is(err, token.ErrBlocked):
		word = "blocked"
	case errors.As(err, &wrong):
		word = "pin"
		if wrong.TriesLeft >= 0 {
			a.TriesLeft = &wrong.TriesLeft
		}
	case errors.Is(err, token.ErrPINLength):
		word = "pinLength"
	case errors.Is(err, token.ErrMissing), errors.Is(err, token.ErrEmpty), errors.Is(err, phone.ErrKeyKind), errors.Is(err, token.ErrKeyMismatch):
		word = "card"
	default:
		p.options.Logger.WarnContext(r.Context(), "the phone's page fails", "error", err)
	}
	a.Error, a.Message = word, say(l, "error."+word)
	if a.TriesLeft != nil {
		a.Message += " " + say(l, "triesLeft", *a.TriesLeft)
	}
	reply(w, status, a)
}

// read takes what the page sends. The caller wipes the PIN.
func read(w http.ResponseWriter, r *http.Request) (request, bool) {
	body, err := httpx.ReadBody(r, maxBody)
	defer secret.Wipe(body)
	var v request
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err == nil {
		if err = d.Decode(&v); err == nil {
			if _, end := d.Token(); end != io.EOF {
				err = errors.New("something follows the JSON")
			}
		}
	}
	if err != nil {
		secret.Wipe(v.PIN)
		http.Error(w, "not what the page sends", http.StatusBadRequest)
	}
	return v, err == nil
}

func (p *pages) phone(r *http.Request) *phone.Phone {
	return &phone.Phone{Gateway: p.options.Gateway(r), Now: p.options.Now}
}

// open tells what a link asks for, and which cards there are.
func (p *pages) open(w http.ResponseWriter, r *http.Request) {
	v, ok := read(w, r)
	if !ok {
		return
	}
	secret.Wipe(v.PIN)
	asked, err := p.phone(r).Open(r.Context(), v.Link)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	groups := asked.Code.Groups()
	reply(w, http.StatusOK, answer{Site: asked.Site, DocumentID: asked.Code.DocumentID, Groups: groups[:], Cards: p.cards(r.Context())})
}

// tokens lists those with a certificate that can sign. One that cannot be read
// must not hide the others.
func (p *pages) tokens(ctx context.Context, each func(t token.Token, info token.Info, c *cert.Certificate)) {
	all, err := p.options.Cards.Tokens(ctx)
	if err != nil {
		p.options.Logger.WarnContext(ctx, "cards cannot be listed", "error", err)
	}
	for _, t := range all {
		info, err := t.Info(ctx)
		if err != nil {
			p.options.Logger.WarnContext(ctx, "card cannot be read", "error", err)
			continue
		}
		if chain, err := t.Chain(ctx); err == nil && len(chain) > 0 && phone.Signs(chain[0]) {
			each(t, info, chain[0])
		}
	}
}

func (p *pages) cards(ctx context.Context) (out []card) {
	p.tokens(ctx, func(_ token.Token, info token.Info, c *cert.Certificate) {
		holder := c.Subject.Get("CN")
		if holder == "" {
			holder = c.Subject.String()
		}
		out = append(out, card{ID: info.Name, Holder: holder, Serial: c.SerialHex(), Until: c.NotAfter.Format(time.DateOnly), TriesLeft: info.TriesLeft})
	})
	return out
}

// sign has the card sign, and hands the signature to the gateway.
func (p *pages) sign(w http.ResponseWriter, r *http.Request) {
	v, ok := read(w, r)
	if !ok {
		return
	}
	defer secret.Wipe(v.PIN)
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	from, parseErr := netip.ParseAddr(host)
	if err == nil && parseErr == nil {
		if ok, wait := p.limiter.Allow(from); !ok {
			w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
			reply(w, http.StatusTooManyRequests, answer{Error: "often", Message: say(p.language(r), "error.often")})
			return
		}
	}
	asked, err := p.phone(r).Open(r.Context(), v.Link)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	var chosen token.Token
	p.tokens(r.Context(), func(t token.Token, info token.Info, _ *cert.Certificate) {
		if info.Name == v.Card {
			chosen = t
		}
	})
	if chosen == nil {
		p.fail(w, r, token.ErrMissing)
		return
	}
	// A PIN has digits, which JSON writes as they are.
	pin := bytes.TrimSuffix(bytes.TrimPrefix(v.PIN, []byte{'"'}), []byte{'"'})
	outcome, err := p.phone(r).Sign(r.Context(), asked, chosen, pin)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	id := "outcome." + string(outcome.Code)
	if !i18n.Has("phone." + id) {
		id = "outcome.other"
	}
	reply(w, http.StatusOK, answer{Outcome: &outcome, Message: say(p.language(r), id)})
}
