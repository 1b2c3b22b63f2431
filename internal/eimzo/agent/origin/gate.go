package origin

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// Bounds of looking keys up.
const (
	lookupTimeout = 15 * time.Second
	lookupAgain   = 10 * time.Minute
	maxDomains    = 1024
	maxAnswer     = 1 << 10
)

// Gate tells which pages may call.
type Gate struct {
	Keys *Keys
	// LookupURL is where API keys are looked up, such as
	// "https://e-imzo.uz/apikey/get/"; "" does not look. It tells the vendor
	// which sites a person uses.
	LookupURL string
	HTTP      *http.Client
	// Developer asks the person about pages without a key.
	Developer bool
	Now       func() time.Time
	Log       *slog.Logger

	group  singleflight.Group
	mu     sync.Mutex
	failed map[string]time.Time // look-ups, by domain
	said   map[string]said      // by the whole origin
}

// said is what the person said about a page.
type said int

const (
	always said = iota + 1
	never
)

// Ask asks the person whether a page may call, once or always.
type Ask func(ctx context.Context) (allowed, always bool, err error)

// Allowed tells whether a page may call: its domain has a key, here or at the
// vendor's, or the person allows it. What the person denied stays denied while
// the program runs; a question that nobody answered is asked again, and so is
// that of a page without a name, which any other may be the next time.
func (g *Gate) Allowed(ctx context.Context, header, domain string, ask Ask) bool {
	if g.Keys.Has(domain) {
		return true
	}
	if g.LookupURL != "" && domain != Null && g.lookup(ctx, domain) {
		return true
	}
	if !g.Developer {
		return false
	}
	g.mu.Lock()
	decided := g.said[header]
	g.mu.Unlock()
	if decided != 0 {
		return decided == always
	}
	allowed, forever, err := ask(ctx)
	if err != nil {
		g.Log.Info("nobody said whether a page may call", "cause", err.Error())
		return false
	}
	if (!allowed || forever) && domain != Null {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.said == nil || len(g.said) >= maxDomains {
			g.said = map[string]said{}
		}
		g.said[header] = never
		if allowed {
			g.said[header] = always
		}
	}
	return allowed
}

// lookup gets the key of a domain from the vendor. Those who ask at the same
// time share a question, and one that failed is not repeated for ten minutes.
func (g *Gate) lookup(ctx context.Context, domain string) bool {
	g.mu.Lock()
	last, failed := g.failed[domain]
	g.mu.Unlock()
	if failed && g.Now().Sub(last) < lookupAgain {
		return false
	}
	found, _, _ := g.group.Do(domain, func() (any, error) {
		// Whoever asked first may leave; the answer is for the others too.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookupTimeout)
		defer cancel()
		key, err := g.get(ctx, domain)
		if err == nil {
			err = g.Keys.Register([]string{domain, key})
		}
		if err != nil {
			g.Log.Info("no API key was found", "domain", domain, "cause", err.Error())
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.failed == nil || len(g.failed) >= maxDomains {
			g.failed = map[string]time.Time{}
		}
		delete(g.failed, domain)
		if err != nil {
			g.failed[domain] = g.Now()
		}
		return err == nil, nil
	})
	return found.(bool)
}

func (g *Gate) get(ctx context.Context, domain string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, g.LookupURL+url.PathEscape(domain), nil)
	if err != nil {
		return "", err
	}
	response, err := g.HTTP.Do(r)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	return strings.TrimSpace(string(text)), err
}
