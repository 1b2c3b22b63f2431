package agent

import (
	"context"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"strings"
)

//go:embed site
var siteFiles embed.FS

var pageTemplate = template.Must(template.ParseFS(siteFiles, "site/index.html"))

// pagePolicy lets the pages run their own script and call the agent, and
// nobody show them in a frame.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self' ws://127.0.0.1:* wss://127.0.0.1:* ws://localhost:* wss://localhost:*; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Handler serves pages and sockets. Prompts, when not nil, gets what lies under
// /prompt/.
func (a *Agent) Handler(prompts http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !loopbackHost(r.Host) {
			http.Error(w, "this computer is called localhost or 127.0.0.1", http.StatusForbidden)
			return
		}
		if prompts != nil && strings.HasPrefix(r.URL.Path, "/prompt/") {
			prompts.ServeHTTP(w, r)
			return
		}
		// Chrome asks before a page of the internet may call this computer
		// (Private Network Access).
		header := w.Header()
		allowed := r.Header.Get("Origin")
		if allowed == "" {
			allowed = "*"
		}
		header.Set("Access-Control-Allow-Private-Network", "true")
		header.Set("Access-Control-Allow-Origin", allowed)
		header.Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
		header.Set("Access-Control-Allow-Headers", "*")
		header.Set("Vary", "Origin")
		if r.Method == http.MethodOptions {
			header.Set("Connection", "close")
			w.WriteHeader(http.StatusOK)
			return
		}
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			notFound(w)
		case r.URL.Path == SocketPath:
			a.serveSocket(w, r)
		default:
			a.servePage(w, r)
		}
	})
}

// pages are the files there are, by path, with their types.
var pages = map[string][2]string{
	"/apidoc.html":     {"site/apidoc.html", "text/html; charset=utf-8"},
	"/apidoc.js":       {"site/apidoc.js", "text/javascript; charset=utf-8"},
	"/agent.css":       {"site/agent.css", "text/css; charset=utf-8"},
	"/e-imzo.js":       {"site/e-imzo.js", "text/javascript; charset=utf-8"},
	"/e-imzo-logo.png": {"site/e-imzo-logo.png", "image/png"},
	"/favicon.ico":     {"site/favicon.ico", "image/x-icon"},
}

func (a *Agent) servePage(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Content-Security-Policy", pagePolicy)
	if r.URL.Path == "/" {
		header.Set("Content-Type", "text/html; charset=utf-8")
		version := versionMajor + "." + versionMinor + "." + versionPatch
		_ = pageTemplate.Execute(w, map[string]string{"Version": version, "Program": a.options.Version})
		return
	}
	page, ok := pages[r.URL.Path]
	if !ok {
		notFound(w)
		return
	}
	b, err := siteFiles.ReadFile(page[0])
	if err != nil {
		notFound(w)
		return
	}
	header.Set("Content-Type", page[1])
	_, _ = w.Write(b)
}

func notFound(w http.ResponseWriter) {
	w.Header().Del("Content-Security-Policy")
	w.Header().Set("Content-Type", "text/plain")
	w.WriteHeader(http.StatusNotFound)
	fmt.Fprint(w, "404 - Not Found")
}

// ClientScript is e-imzo.js, for sites to keep among their own files.
func ClientScript() []byte {
	b, err := siteFiles.ReadFile("site/e-imzo.js")
	if err != nil {
		panic(err) // part of the program
	}
	return b
}

// running is ctx that ends, too, when the agent stops.
func (a *Agent) running(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(a.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

func (a *Agent) stopping() bool { return a.ctx.Err() != nil }

// Close ends all sockets, with 1001 to their pages, and all tunnels.
func (a *Agent) Close() { a.stop() }

// wait waits for sockets and tunnels to end, but not beyond ctx.
func (a *Agent) wait(ctx context.Context) {
	ended := make(chan struct{})
	go func() {
		a.sockets.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
}
