package mobile

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"imzo/internal/eimzo/mobile/phone"
	"imzo/internal/eimzo/mobile/site"
	"imzo/internal/health"
	"imzo/internal/httpx"
	"imzo/internal/metrics"
	"imzo/internal/ratelimit"
	"imzo/pki/cert"
	"imzo/verify"
)

// Where the gateway answers, beside the paths of package phone.
const (
	PhonePath  = "/phone/"
	ScriptPath = "/e-imzo-mobile.js"
)

const (
	// DefaultWindow is that of auth.service.valid.minutes.window.
	DefaultWindow = 10 * time.Minute
	// DefaultPerMinute lets a person sign once a second for a while.
	DefaultPerMinute = 60
	// uploadTimeout bounds all attempts of an upload. It ends before a
	// connection that stands still is cut off.
	uploadTimeout = 25 * time.Second
	// maxUploads bounds the uploads that go on at once, maxUploadsOfSite those
	// to one site, so that a dead one leaves the others alone. More wait:
	// maxFlights together, of 10 KiB each, and maxFlightsOfSite for one site.
	maxUploads       = 256
	maxUploadsOfSite = 64
	maxFlights       = 4096
	maxFlightsOfSite = 3072
	// keepAccepted is how long an accepted submission is answered again
	// without another upload, maxKept how many are.
	keepAccepted = 10 * time.Minute
	maxKept      = 20_000
)

// ErrOptions is wrapped by the error of New about what it was given.
var ErrOptions = errors.New("gateway cannot be made")

// Options describe a gateway.
type Options struct {
	// Sites is the registry. It is needed.
	Sites *Sites
	// Anchors are the trusted roots. They are needed.
	Anchors *cert.Pool
	// Certificates has those that phones do not send; nil is none.
	Certificates *Directory
	// Revocation tells whether certificates are revoked. Nil leaves that to
	// the site's server, which asks in any case.
	Revocation verify.RevocationSource
	// Window is how far signing times may be from now; 0 is DefaultWindow.
	Window time.Duration
	// PerMinute is how often one address may call; 0 is DefaultPerMinute,
	// negative is without limit.
	PerMinute int
	// TrustedProxies may name the phone's address in X-Real-IP.
	TrustedProxies []netip.Prefix
	// HTTP is the client of uploads; nil is one with time-outs. Redirects are
	// not followed with any.
	HTTP *http.Client
	// UploadTimeout bounds all attempts to upload; 0 is 25 seconds.
	UploadTimeout time.Duration
	// Logger gets one line a submission; nil discards it.
	Logger *slog.Logger
	// Metrics counts requests and is served at /metrics; nil for none.
	Metrics *metrics.Metrics
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Gateway is an http.Handler. Its methods may be called at the same time.
type Gateway struct {
	options Options
	log     *slog.Logger
	now     func() time.Time
	mux     *http.ServeMux
	limiter *ratelimit.Limiter // nil for none
	uploads uploader

	mu      sync.Mutex
	flights map[[32]byte]*flight
	order   []*flight           // the accepted ones, oldest first
	sites   map[string]*traffic // by SiteID
	count   int                 // flights that are not over
	slots   chan struct{}       // one for each upload that goes on
}

// traffic is what is on its way to one site.
type traffic struct {
	count int           // flights that are not over
	slots chan struct{} // one for each upload that goes on
}

// flight is a submission that is being uploaded, or was accepted.
type flight struct {
	key     [32]byte
	to      *traffic
	done    chan struct{} // closed when outcome is there
	outcome phone.Outcome
	until   time.Time
}

// New makes a gateway. The error wraps [ErrOptions].
func New(o Options) (*Gateway, error) {
	switch {
	case o.Sites == nil:
		return nil, fmt.Errorf("%w: no registry of sites", ErrOptions)
	case o.Anchors.Len() == 0:
		return nil, fmt.Errorf("%w: no trusted certificates", ErrOptions)
	case o.Window < 0 || o.UploadTimeout < 0:
		return nil, fmt.Errorf("%w: a negative time", ErrOptions)
	}
	if o.Window == 0 {
		o.Window = DefaultWindow
	}
	if o.UploadTimeout == 0 {
		o.UploadTimeout = uploadTimeout
	}
	if o.HTTP == nil {
		o.HTTP = newHTTPClient()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	g := &Gateway{
		options: o, log: o.Logger, now: o.Now, mux: http.NewServeMux(),
		uploads: uploader{client: o.HTTP, attempt: attemptTimeout, pause: firstPause},
		flights: map[[32]byte]*flight{}, sites: map[string]*traffic{}, slots: make(chan struct{}, maxUploads),
	}
	if o.PerMinute >= 0 {
		if o.PerMinute == 0 {
			o.PerMinute = DefaultPerMinute
		}
		g.limiter = ratelimit.New(ratelimit.Options{PerMinute: o.PerMinute, Burst: max(10, o.PerMinute/2), Now: o.Now})
	}
	g.mux.HandleFunc("POST "+phone.SignPath, g.serveSign)
	g.mux.HandleFunc("GET "+phone.SitePath+"{site}", g.serveSite)
	g.mux.HandleFunc("GET "+ScriptPath, serveScript)
	g.mux.Handle("GET /healthz/live", health.Live())
	g.mux.Handle("GET /healthz/ready", health.NewReady([]health.Check{{Name: "sites", Critical: true, Run: g.ready}}, health.Options{}))
	if o.Metrics != nil {
		g.mux.Handle("GET /metrics", o.Metrics.Handler())
	}
	g.mux.HandleFunc("GET /{$}", serveIndex)
	return g, nil
}

// HandlePhone serves a phone in the browser under [PhonePath]. It is called
// before the gateway serves: the phone is one that calls [Gateway.For].
func (g *Gateway) HandlePhone(h http.Handler) { g.mux.Handle(PhonePath, h) }

// ServeHTTP implements http.Handler.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if g.options.Metrics == nil {
		g.mux.ServeHTTP(w, r)
		return
	}
	end := g.options.Metrics.Begin()
	start := time.Now()
	out := &coded{ResponseWriter: w, code: http.StatusOK}
	defer func() {
		_, pattern := g.mux.Handler(r)
		if _, path, ok := strings.Cut(pattern, " "); ok {
			pattern = path
		}
		end(pattern, out.code, time.Since(start))
	}()
	g.mux.ServeHTTP(out, r)
}

// coded remembers the HTTP status of an answer.
type coded struct {
	http.ResponseWriter
	code int
}

// Unwrap is for http.ResponseController.
func (c *coded) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func (c *coded) WriteHeader(code int) {
	if code >= 200 {
		c.code = code
	}
	c.ResponseWriter.WriteHeader(code)
}

func (g *Gateway) ready(context.Context) (string, error) {
	list, err := g.options.Sites.List()
	if err != nil {
		return "", ErrSitesFile // the path is nobody's business
	}
	return fmt.Sprintf("%d registered", len(list)), nil
}

func serveIndex(w http.ResponseWriter, _ *http.Request) {
	httpx.Text(w, http.StatusOK, "IS ID-CARD E-IMZO MOBILE: phones post to "+phone.SignPath)
}

func serveScript(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/javascript; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin") // sites may use it from here
	h.Set("Cache-Control", "max-age=3600")
	_, _ = w.Write(site.Script())
}

// Local is the gateway as seen by a phone in the same process.
type Local struct {
	gateway *Gateway
	from    netip.Addr
}

// For returns the gateway for a phone in the same process, whose person sits
// at an address (not valid when unknown). Limits by address do not apply.
func (g *Gateway) For(from netip.Addr) Local { return Local{g, from} }

// Site implements phone.Gateway.
func (l Local) Site(_ context.Context, siteID string) (phone.Site, error) {
	s, err := l.gateway.options.Sites.Find(siteID)
	switch {
	case errors.Is(err, ErrNoSite):
		return phone.Site{}, fmt.Errorf("%w: %w", phone.ErrUnknownSite, err)
	case err != nil:
		return phone.Site{}, fmt.Errorf("%w: %w", phone.ErrGateway, err)
	}
	return phone.Site{SiteID: s.SiteID, Name: s.Name, Domain: s.Domain}, nil
}

// Submit implements phone.Gateway.
func (l Local) Submit(ctx context.Context, s phone.Submission) (phone.Outcome, error) {
	checked, err := checkSubmission(s)
	if err != nil {
		return phone.Outcome{Code: phone.BadRequest, Message: err.Error()}, nil
	}
	return l.gateway.submit(ctx, checked, l.from), nil
}

func (g *Gateway) serveSign(w http.ResponseWriter, r *http.Request) {
	from := g.Address(r)
	if !g.allowed(w, r, from) {
		return
	}
	body, err := httpx.ReadBody(r, phone.MaxSubmission)
	var bad *httpx.BodyError
	if errors.As(err, &bad) {
		answer(w, bad.Status, phone.Outcome{Code: phone.BadRequest, Message: bad.Text})
		return
	}
	s, err := readSubmission(body)
	if err != nil {
		answer(w, http.StatusBadRequest, phone.Outcome{Code: phone.BadRequest, Message: printable(err.Error())})
		return
	}
	outcome := g.submit(r.Context(), s, from)
	if outcome.Code == phone.Busy {
		w.Header().Set("Retry-After", "5")
	}
	answer(w, httpStatus(outcome.Code), outcome)
}

// httpStatus is the HTTP status of an outcome.
func httpStatus(c phone.Code) int {
	switch c {
	case phone.Accepted:
		return http.StatusOK
	case phone.BadRequest:
		return http.StatusBadRequest
	case phone.UnknownSite:
		return http.StatusNotFound
	case phone.TooMany:
		return http.StatusTooManyRequests
	case phone.Busy, phone.Unavailable:
		return http.StatusServiceUnavailable
	case phone.SiteRefused, phone.SiteUnreachable:
		return http.StatusBadGateway
	}
	return http.StatusUnprocessableEntity // the signature
}

func answer(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		httpx.Text(w, http.StatusInternalServerError, "the answer cannot be written")
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n'))
}

// allowed counts a request of an address, or refuses it.
func (g *Gateway) allowed(w http.ResponseWriter, r *http.Request, from netip.Addr) bool {
	if g.limiter == nil {
		return true
	}
	ok, wait := g.limiter.Allow(from)
	if ok {
		return true
	}
	if g.options.Metrics != nil {
		g.options.Metrics.RateLimited(strings.TrimSuffix(r.URL.Path, r.PathValue("site")))
	}
	w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	answer(w, http.StatusTooManyRequests, phone.Outcome{Code: phone.TooMany, Message: "too many requests from this address"})
	return false
}

// Address is that of the phone: the caller's, or what a trusted proxy says.
func (g *Gateway) Address(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	at, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	at = at.Unmap().WithZone("")
	for _, p := range g.options.TrustedProxies {
		if !p.Contains(at) {
			continue
		}
		if named, err := netip.ParseAddr(strings.TrimSpace(r.Header.Get("X-Real-IP"))); err == nil {
			return named.Unmap().WithZone("")
		}
	}
	return at
}

func (g *Gateway) serveSite(w http.ResponseWriter, r *http.Request) {
	if !g.allowed(w, r, g.Address(r)) {
		return
	}
	found, err := g.For(netip.Addr{}).Site(r.Context(), r.PathValue("site"))
	switch {
	case errors.Is(err, phone.ErrUnknownSite):
		answer(w, http.StatusNotFound, phone.Outcome{Code: phone.UnknownSite, Message: ErrNoSite.Error()})
	case err != nil:
		g.log.ErrorContext(r.Context(), "sites cannot be read", "error", err)
		answer(w, http.StatusServiceUnavailable, phone.Outcome{Code: phone.Unavailable, Message: "the gateway cannot read its sites"})
	default:
		answer(w, http.StatusOK, found)
	}
}

// submit checks a submission and uploads what comes of it. It returns when the
// outcome is known, also when the phone has gone.
func (g *Gateway) submit(ctx context.Context, s submission, from netip.Addr) phone.Outcome {
	start := time.Now()
	ctx = context.WithoutCancel(ctx)
	outcome := g.outcome(ctx, s, from)
	attrs := []any{
		"site", s.code.SiteID, "document", s.code.DocumentID, "serial", s.serial, "code", string(outcome.Code),
		"duration", time.Since(start).Round(time.Millisecond),
	}
	level := slog.LevelInfo
	if !outcome.Accepted {
		attrs, level = append(attrs, "reason", outcome.Message), slog.LevelWarn
	}
	if outcome.Site != nil {
		attrs = append(attrs, "attempts", outcome.Site.Attempts, "http", outcome.Site.HTTPStatus)
	}
	g.log.Log(ctx, level, "signature of a phone", attrs...)
	return outcome
}

func (g *Gateway) outcome(ctx context.Context, s submission, from netip.Addr) phone.Outcome {
	found, document, failed := g.check(ctx, s)
	if failed != nil {
		return phone.Outcome{Code: failed.code, Message: printable(failed.err.Error())}
	}
	// The document holds all that was submitted, but for these.
	key := sha256.Sum256(append([]byte(strings.ToLower(s.code.SiteID)+s.code.DocumentID), document...))
	f, first := g.board(key, found.SiteID)
	if f == nil {
		return busy()
	}
	if first {
		go g.fly(ctx, f, found, s, document, from)
	}
	<-f.done
	return f.outcome
}

// busy is the outcome of what found no room.
func busy() phone.Outcome {
	return phone.Outcome{Code: phone.Busy, Message: "too many signatures are on their way"}
}

// board returns the flight of a submission, and whether the caller is to start
// it; nil when there is no room.
func (g *Gateway) board(key [32]byte, siteID string) (f *flight, first bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	for len(g.order) > 0 && (now.After(g.order[0].until) || len(g.order) > maxKept) {
		delete(g.flights, g.order[0].key)
		g.order = g.order[1:]
	}
	if f := g.flights[key]; f != nil {
		return f, false
	}
	to := g.sites[siteID]
	if g.count >= maxFlights || to != nil && to.count >= maxFlightsOfSite {
		return nil, false
	}
	if to == nil {
		to = &traffic{slots: make(chan struct{}, maxUploadsOfSite)}
		g.sites[siteID] = to
	}
	g.count++
	to.count++
	f = &flight{key: key, to: to, done: make(chan struct{})}
	g.flights[key] = f
	return f, true
}

func (g *Gateway) fly(ctx context.Context, f *flight, to Site, s submission, document []byte, from netip.Addr) {
	outcome := g.upload(ctx, f.to, to, s, document, from)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.count--
	if f.to.count--; f.to.count == 0 {
		delete(g.sites, to.SiteID)
	}
	f.outcome = outcome
	if outcome.Accepted {
		f.until = g.now().Add(keepAccepted)
		g.order = append(g.order, f)
	} else {
		delete(g.flights, f.key) // another try is another upload
	}
	close(f.done)
}

// upload waits for its turn and sends.
func (g *Gateway) upload(ctx context.Context, t *traffic, to Site, s submission, document []byte, from netip.Addr) phone.Outcome {
	ctx, cancel := context.WithTimeout(ctx, g.options.UploadTimeout)
	defer cancel()
	for _, slots := range []chan struct{}{t.slots, g.slots} {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		case <-ctx.Done():
			return busy()
		}
	}
	return g.uploads.send(ctx, to, s, document, from)
}
