package server

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"imzo/internal/eimzo/dsv"
	"imzo/internal/eimzo/pkcs7info"
	"imzo/internal/eimzo/tunnel/gateway"
	"imzo/internal/health"
	"imzo/internal/httpx"
	"imzo/internal/metrics"
	"imzo/internal/ratelimit"
	"imzo/internal/store"
	"imzo/internal/trustlink"
	"imzo/pki/alg"
	"imzo/pki/cert"
	"imzo/pki/tsp"
	"imzo/verify"
)

// remoteBudget bounds all that a request waits for others in: OCSP responders
// or the timestamp authority. Clients in use wait eight seconds and more, and
// the answer has to be made and sent too.
const remoteBudget = 7 * time.Second

// TSA makes timestamp tokens.
type TSA interface {
	// Stamp returns a token over the digest d of message, verified as far as
	// package tsp does it: imprint, nonce, signature, purpose. signer is the
	// certificate of the signature that is stamped, which may name an
	// authority; it is nil when there is none that a trusted CA has issued.
	Stamp(ctx context.Context, signer *cert.Certificate, d *alg.Digest, message []byte) (*tsp.Token, error)
}

// Deps are what a server uses. New fills in what is left nil from the Config.
type Deps struct {
	// Anchors are the trusted roots, by default those of the files in the
	// Config, which [Server.Reload] reads again.
	Anchors *cert.Pool
	// Revocation tells the status of certificates, by default over OCSP.
	Revocation verify.RevocationSource
	// TSA makes tokens, by default over HTTP.
	TSA TSA
	// Challenges remembers challenges, by default where Config.Cache says.
	// The server closes it.
	Challenges store.Challenges
	// Documents remembers what phones are to sign, by default where
	// Config.Mobile says. The server closes it.
	Documents store.Documents
	// VPNKey is the certificate that /ping and /info show, by default that of
	// the trust link.
	VPNKey *cert.Certificate
	// Metrics counts; by default a new set.
	Metrics *metrics.Metrics
	// Certificates remembers certificates and their signatures; by default a
	// new one of the usual size.
	Certificates *cert.Cache
	// CheckSignature checks the signatures of certificates, by default with
	// Certificates; see verify.Options.
	CheckSignature func(child, issuer *cert.Certificate) error
	// Version is what /info and the log say; by default "dev".
	Version string
	// Logger gets verdicts, and from [Server.Serve] the requests. By default
	// [Load] asks NewLogger for one, and without that nothing is logged.
	Logger    *slog.Logger
	NewLogger func(level slog.Level, asJSON bool) *slog.Logger
	// Environ are the environment variables that override the configuration
	// file, as os.Environ returns them.
	Environ []string
	// Now and Rand are the clock and the source of challenges; by default
	// the system's.
	Now  func() time.Time
	Rand io.Reader
}

// withDefaults fills in what the configuration says nothing about.
func (d Deps) withDefaults() Deps {
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Rand == nil {
		d.Rand = rand.Reader
	}
	if d.Version == "" {
		d.Version = "dev"
	}
	if d.Certificates == nil {
		d.Certificates = cert.NewCache(0)
	}
	if d.CheckSignature == nil {
		d.CheckSignature = d.Certificates.Check
	}
	if d.Metrics == nil {
		d.Metrics = metrics.New(d.Version)
	}
	return d
}

// Server answers the requests of E-IMZO-SERVER's clients. It is safe for
// concurrent use.
type Server struct {
	config   Config
	deps     Deps
	render   renderer
	table    []route
	routes   map[string]route // by path
	patience time.Duration    // remoteBudget
	limits   map[string]*ratelimit.Limiter
	memory   *httpx.Memory
	gate     *gate
	link     *trustlink.Link  // nil without one
	client   *http.Client     // to the trust services
	tunnel   *gateway.Gateway // nil without one
	// fresh is deps.Revocation without kept answers, for log-ins.
	fresh verify.RevocationSource

	// What asking for statuses and for timestamps came to, for readiness.
	responders, authorities contact

	// What a reload replaces.
	reloadable  bool
	reread      func() (Config, error) // the configuration; nil when it is of no file
	trusted     atomic.Pointer[cert.Pool]
	certificate atomic.Pointer[tls.Certificate]

	closing sync.Once
	closers []func() error
}

// ErrNoTrust says that a server has nothing to verify against.
var ErrNoTrust = errors.New("no trusted roots: set tsp.jks.file.path to a trust store, or trust.pem.file.path to a PEM file, with the root certificates")

// New makes a server, which the caller has to Serve or to Close. The error
// wraps [ErrNoTrust], or is about a file that the configuration names.
func New(c Config, d Deps) (*Server, error) {
	s := &Server{config: c, deps: d.withDefaults(), render: renderer{pkcs7info.Renderer{Location: c.Location}}, patience: remoteBudget}
	if err := s.complete(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.routes = make(map[string]route)
	s.table = append(s.routeTable(), s.mobileRoutes()...)
	if c.DSV {
		soap := dsv.New(dsv.Options{REST: s.Handler(), MaxBody: c.Limits.Body})
		s.table = append(s.table, route{path: dsv.Path, side: backend, serve: soap.ServeHTTP})
	}
	for _, r := range s.table {
		s.routes[r.path] = r
	}
	s.limits = s.rateLimits()
	s.memory = httpx.NewMemory(c.Limits.Memory)
	s.gate = newGate(c.Limits.Workers, s.patience)
	s.deps.Metrics.Expiries(s.expiries, s.deps.Now)
	return s, nil
}

// side tells who may call an endpoint.
type side int

const (
	anyone    side = iota // also on a port open to the world
	backend               // the site's back end: on the back end's port where there is one, with its token
	operation             // the administrator's tools: on the back end's port where there is one
)

type route struct {
	path  string
	side  side
	serve http.HandlerFunc
	// maxBody is the largest body of those that are read as they come: the
	// multipart ones, or all where the route streams.
	maxBody int64
	streams bool
}

// routeTable lists the endpoints; those that the original registers stand in
// its order.
func (s *Server) routeTable() []route {
	return []route{
		{path: "/ping", side: anyone, serve: s.ping},
		{path: "/info", side: anyone, serve: s.info},
		{path: "/frontend/challenge", side: anyone, serve: s.challenge},
		{path: "/backend/auth", side: backend, serve: s.auth},
		{path: "/frontend/timestamp/pkcs7", side: anyone, serve: s.timestampPKCS7},
		{path: "/frontend/timestamp/data", side: anyone, serve: s.timestampData},
		{path: "/backend/pkcs7/verify/attached", side: backend, serve: s.verifyAttached},
		{path: "/backend/pkcs7/verify/detached", side: backend, serve: s.verifyDetached, maxBody: s.config.Limits.Multipart},
		{path: "/backend/pkcs7/verify/batch", side: backend, serve: s.verifyBatch},
		{path: "/backend/pkcs7/report", side: backend, serve: s.report, maxBody: s.config.Limits.Multipart},
		{path: "/backend/pkcs7/restamp", side: backend, serve: s.restamp},
		{path: "/backend/certificate/status", side: backend, serve: s.certificateStatus},
		{path: "/backend/digest", side: backend, serve: s.digest, maxBody: s.config.Limits.Multipart, streams: true},
		{path: "/frontend/pkcs7/make-attached", side: anyone, serve: s.makeAttached},
		{path: "/frontend/pkcs7/join", side: anyone, serve: s.join},
		{path: "/healthz/live", side: operation, serve: health.Live().ServeHTTP},
		{path: "/healthz/ready", side: operation, serve: health.NewReady(s.readiness(), health.Options{}).ServeHTTP},
		{path: "/metrics", side: operation, serve: s.deps.Metrics.Handler().ServeHTTP},
		{path: "/openapi.json", side: operation, serve: s.openapi},
	}
}

// Routes lists the paths that are served.
func (s *Server) Routes() []string {
	var paths []string
	for _, r := range s.table {
		paths = append(paths, r.path)
	}
	return slices.Clip(paths)
}

// Handler returns the whole server as an http.Handler. Methods are not told
// apart: clients of the original send GET where there is no body and where
// there should be one.
func (s *Server) Handler() http.Handler { return s.handler(true) }

// find returns the route of a path. One that ends in a slash takes what stands
// after it.
func (s *Server) find(path string) (route, bool) {
	r, ok := s.routes[path]
	if !ok {
		r, ok = s.routes[path[:strings.LastIndexByte(path, '/')+1]]
	}
	return r, ok
}

// handler serves all routes, or only those that the world may call.
func (s *Server) handler(all bool) http.Handler {
	routes := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		route, ok := s.find(r.URL.Path)
		if !ok || !all && route.side != anyone {
			httpx.Text(w, http.StatusNotFound, "there is no such method")
			return
		}
		r.Pattern = route.path // for the log
		if route.side == backend && !s.authorized(r) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="imzo"`)
			httpx.Text(w, http.StatusUnauthorized, "backend.token is set: send it as Authorization: Bearer TOKEN")
			return
		}
		if !s.admit(w, r) {
			return
		}
		route.serve(w, r)
	})
	// Pages of other origins may call what pages are meant to call.
	pages := httpx.CORS(routes, s.config.CORSOrigins)
	return s.counted(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/frontend/") {
			pages.ServeHTTP(w, r)
			return
		}
		routes.ServeHTTP(w, r)
	}))
}

// authorized tells whether a caller of /backend knows the token, if there is
// one. Digests are compared, so that not even its length shows in the time.
func (s *Server) authorized(r *http.Request) bool {
	if s.config.BackendToken.IsEmpty() {
		return true
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	want := sha256.Sum256([]byte(s.config.BackendToken.Reveal()))
	have := sha256.Sum256([]byte(strings.TrimSpace(token)))
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(want[:], have[:]) == 1
}

// anchors are the roots trusted now; a reload replaces them.
func (s *Server) anchors() *cert.Pool { return s.trusted.Load() }

// budget returns a revocation source with one time limit for all questions
// of a request. The limit is not put on the context of the verification: what
// is not answered in time is an unknown status, and no failure to verify.
func (s *Server) budget(ctx context.Context, source verify.RevocationSource) (verify.RevocationSource, context.CancelFunc) {
	limited, cancel := context.WithTimeout(ctx, s.patience)
	return limitedSource{source, limited}, cancel
}

type limitedSource struct {
	source verify.RevocationSource
	ctx    context.Context
}

func (l limitedSource) Status(_ context.Context, c, issuer *cert.Certificate) (*verify.RevocationStatus, error) {
	if err := l.ctx.Err(); err != nil {
		return nil, err
	}
	return l.source.Status(l.ctx, c, issuer)
}

// verifyOptions are the options of every verification.
func (s *Server) verifyOptions(source verify.RevocationSource) verify.Options {
	return verify.Options{
		Anchors:           s.anchors(),
		Revocation:        source,
		StrictRevocation:  s.config.StrictRevocation,
		CheckCARevocation: s.config.CheckCARevocation,
		Now:               s.deps.Now,
		Certificates:      s.deps.Certificates,
		CheckSignature:    s.deps.CheckSignature,
		Compute:           s.gate.run,
	}
}
