// Package demo is the small web site of `imzo up`: it logs a person in and
// signs and checks a text in the browser, against an E-IMZO-SERVER, with the
// keys of the computer or by phone.
//
// It plays the three parts that a real integration has: the page, the reverse
// proxy that shows /frontend of the server to the page (guide 2.2), and the
// site's own back end, which alone calls /backend. The page signs through the
// fourth, the agent of the person's computer, or shows a code to the phone,
// whose gateway uploads the signature to the site's /frontend (guide 3.2). It
// is for one developer's own machine: the handler answers only on loopback
// names and only to its own pages.
package demo

import (
	"bytes"
	"context"
	"crypto/rand"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"
)

//go:embed site
var site embed.FS

// maxBody bounds what the page may post: a document in base64 and its
// signature.
const maxBody = 32 << 20

// sessionLife is how long a log-in lasts, and maxSessions how many are kept:
// a demo forgets rather than grows.
const (
	sessionLife = time.Hour
	maxSessions = 1000
)

// Options describe a site.
type Options struct {
	// Server is where the E-IMZO-SERVER answers, such as
	// "http://127.0.0.1:8080".
	Server string
	// Agent is the address of the agent's socket, such as
	// "ws://127.0.0.1:64646/service/cryptapi", and Script its client library.
	Agent  string
	Script []byte
	// Phone is the address of the page that stands for a phone, such as
	// "http://127.0.0.1:8070/phone/", and PhoneScript the script of sites for
	// phones.
	Phone       string
	PhoneScript []byte
	// Tunnel tells that pages of this site can open a tunnel, to dst_id 0.
	Tunnel bool
	Now    func() time.Time
}

// Site is the demo's http.Handler.
type Site struct {
	mux     *http.ServeMux
	server  *url.URL
	client  *http.Client
	options Options
	policy  string // of content
	now     func() time.Time
	mu      sync.Mutex
	session map[string]session
	phones  map[string]time.Time // DocumentIDs that have logged in, until when they matter
}

type session struct {
	person  json.RawMessage // subjectCertificateInfo
	expires time.Time
}

// New makes a site.
func New(o Options) (*Site, error) {
	u, err := url.Parse(o.Server)
	if err != nil {
		return nil, err
	}
	agent, err := url.Parse(o.Agent)
	if err != nil {
		return nil, err
	}
	pages, err := fs.Sub(site, "site")
	if err != nil {
		return nil, err
	}
	reached := "'self' " + agent.Scheme + "://" + agent.Host
	if o.Tunnel {
		reached += " ws://127.0.0.1:*" // the agent takes a port for each tunnel
	}
	s := &Site{
		mux:     http.NewServeMux(),
		server:  u,
		client:  &http.Client{Timeout: 30 * time.Second},
		policy:  "default-src 'self'; connect-src " + reached + "; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
		options: o,
		now:     o.Now,
		session: map[string]session{},
		phones:  map[string]time.Time{},
	}
	s.mux.Handle("/frontend/", s.frontend())
	s.mux.HandleFunc("GET /e-imzo.js", serveScript(o.Script))
	s.mux.HandleFunc("GET /e-imzo-mobile.js", serveScript(o.PhoneScript))
	s.mux.HandleFunc("GET /app/addresses", s.addresses)
	s.mux.HandleFunc("GET /app/me", s.me)
	s.mux.HandleFunc("POST /app/login", s.login)
	s.mux.HandleFunc("POST /app/logout", s.logout)
	s.mux.HandleFunc("POST /app/verify", s.verify)
	s.mux.HandleFunc("POST /app/phone/login", s.phoneLogin)
	s.mux.HandleFunc("POST /app/phone/verify", s.phoneVerify)
	s.mux.Handle("/", http.FileServerFS(pages))
	return s, nil
}

// ServeHTTP refuses what does not come from this site's own pages, also from
// those that rebind their name to this address: the back end acts for the
// person who is logged in.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", s.policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if host != "localhost" && !isLoopback(host) {
		http.Error(w, "this demo answers on loopback addresses only", http.StatusForbidden)
		return
	}
	if origin := r.Header.Get("Origin"); origin != "" && origin != "http://"+r.Host {
		http.Error(w, "foreign origin", http.StatusForbidden)
		return
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		http.Error(w, "foreign origin", http.StatusForbidden)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	s.mux.ServeHTTP(w, r)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return ip != nil && ip.IsLoopback()
}

// frontend passes /frontend to the server, as the guide's nginx does.
func (s *Site) frontend() http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(s.server)
			r.Out.Host = r.In.Host
			r.SetXForwarded()
			r.Out.Header.Set("X-Real-IP", clientIP(r.In))
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			http.Error(w, "the E-IMZO-SERVER does not answer", http.StatusBadGateway)
		},
	}
}

func clientIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// serveScript has a library, as a site would keep it among its own files.
func serveScript(script []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
		_, _ = w.Write(script)
	}
}

// addresses tells the page where the agent and the phone are, as their ports may
// have been taken, and whether there is a tunnel.
func (s *Site) addresses(w http.ResponseWriter, _ *http.Request) {
	reply(w, map[string]any{"agent": s.options.Agent, "phone": s.options.Phone, "tunnel": s.options.Tunnel})
}

// login is what a site's back end does: it hands the signed challenge to
// /backend/auth and opens a session when the answer is status 1.
func (s *Site) login(w http.ResponseWriter, r *http.Request) {
	var in struct {
		PKCS7 string `json:"pkcs7"`
	}
	if !readJSON(w, r, &in) {
		return
	}
	answer, err := s.backend(r, "/backend/auth", plainText, in.PKCS7)
	if err != nil {
		fail(w, http.StatusBadGateway, err.Error())
		return
	}
	s.enter(w, answer)
}

// enter opens a session for the person of an answer with status 1.
func (s *Site) enter(w http.ResponseWriter, answer []byte) {
	var verdict struct {
		Status  int             `json:"status"`
		Message string          `json:"message"`
		Person  json.RawMessage `json:"subjectCertificateInfo"`
	}
	if err := json.Unmarshal(answer, &verdict); err != nil {
		fail(w, http.StatusBadGateway, "the E-IMZO-SERVER gave no JSON")
		return
	}
	if verdict.Status != 1 {
		fail(w, http.StatusForbidden, fmt.Sprintf("%d - %s", verdict.Status, verdict.Message))
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: "session", Value: s.open(verdict.Person), Path: "/", HttpOnly: true,
		SameSite: http.SameSiteStrictMode, MaxAge: int(sessionLife / time.Second),
	})
	reply(w, map[string]any{"person": verdict.Person})
}

func (s *Site) open(person json.RawMessage) string {
	id := rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for k, v := range s.session {
		if now.After(v.expires) || len(s.session) >= maxSessions {
			delete(s.session, k)
		}
	}
	s.session[id] = session{person: person, expires: now.Add(sessionLife)}
	return id
}

func (s *Site) person(r *http.Request) (json.RawMessage, bool) {
	c, err := r.Cookie("session")
	if err != nil {
		return nil, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.session[c.Value]
	return v.person, ok && s.now().Before(v.expires)
}

func (s *Site) me(w http.ResponseWriter, r *http.Request) {
	person, ok := s.person(r)
	if !ok {
		reply(w, map[string]any{"person": nil})
		return
	}
	reply(w, map[string]any{"person": person})
}

func (s *Site) logout(w http.ResponseWriter, r *http.Request) {
	if c, err := r.Cookie("session"); err == nil {
		s.mu.Lock()
		delete(s.session, c.Value)
		s.mu.Unlock()
	}
	http.SetCookie(w, &http.Cookie{Name: "session", Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, MaxAge: -1})
	reply(w, map[string]any{"person": nil})
}

// verify checks a document for a person who is logged in.
func (s *Site) verify(w http.ResponseWriter, r *http.Request) {
	if _, ok := s.person(r); !ok {
		fail(w, http.StatusUnauthorized, "log in first")
		return
	}
	var in struct {
		PKCS7  string  `json:"pkcs7"`
		Data64 *string `json:"data64"` // only for a detached document; "" is an empty text
	}
	if !readJSON(w, r, &in) {
		return
	}
	path, body := "/backend/pkcs7/verify/attached", in.PKCS7
	if in.Data64 != nil {
		path, body = "/backend/pkcs7/verify/detached", *in.Data64+"|"+in.PKCS7
	}
	answer, err := s.backend(r, path, plainText, body)
	if err != nil {
		fail(w, http.StatusBadGateway, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Write(answer)
}

// What the bodies for the server are.
const (
	plainText = "text/plain"
	formData  = "application/x-www-form-urlencoded"
)

// backend posts a body to the server with the headers the guide asks for.
func (s *Site) backend(r *http.Request, path, media, body string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(r.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.server.JoinPath(path).String(), strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Host = r.Host
	req.Header.Set("X-Real-IP", clientIP(r))
	req.Header.Set("Content-Type", media)
	res, err := s.client.Do(req)
	if err != nil {
		return nil, errors.New("the E-IMZO-SERVER does not answer")
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 16<<20))
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the E-IMZO-SERVER answered %d: %s", res.StatusCode, bytes.TrimSpace(answer))
	}
	return answer, nil
}

// readJSON takes only application/json: a form of a foreign page cannot send
// that without asking first.
func readJSON(w http.ResponseWriter, r *http.Request, v any) bool {
	if media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); strings.TrimSpace(media) != "application/json" {
		fail(w, http.StatusUnsupportedMediaType, "send application/json")
		return false
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			fail(w, http.StatusRequestEntityTooLarge, "the body is too large for the demo")
			return false
		}
		fail(w, http.StatusBadRequest, "bad JSON")
		return false
	}
	return true
}

func reply(w http.ResponseWriter, v any) { writeJSON(w, http.StatusOK, v) }

func fail(w http.ResponseWriter, code int, text string) {
	writeJSON(w, code, map[string]string{"error": text})
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(v)
}
