package prompt

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"embed"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"imzo/internal/i18n"
	"imzo/internal/secret"
)

//go:embed site
var siteFiles embed.FS

var questionPage = template.Must(template.ParseFS(siteFiles, "site/question.html"))

// WebPath is where the pages of [Web] are.
const WebPath = "/prompt/"

// webPolicy lets the page do nothing but send its form back. Nobody may frame
// it: the person would not see what he clicks on.
const webPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// maxForm bounds what the form sends.
const maxForm = 16 << 10

// Web asks in a page of the agent, under an address that nobody can guess. The
// first who opens it gets the question; on a computer of several people others
// may see the address among the arguments of the browser, but then it is used
// up. Pages of other sites can neither read nor frame nor send it.
type Web struct {
	// Base is where the agent answers, such as "http://127.0.0.1:64646".
	Base func() string
	// Open shows an address in the person's browser; nil where there is none.
	Open func(address string) error
	// Out is told the address too; nil for nobody.
	Out io.Writer

	mu      sync.Mutex
	waiting map[string]*question
}

// question is one that waits for its answer.
type question struct {
	Request
	until time.Time

	mu     sync.Mutex
	cookie string // of the browser that opened it; "" until then
	form   string // must come back with the answer
	over   bool
	answer chan Answer // or closed when refused
}

// Ask implements [Prompter].
func (w *Web) Ask(ctx context.Context, r Request) (Answer, error) {
	until, ok := ctx.Deadline()
	if !ok {
		until = time.Now().Add(Timeout)
	}
	q := &question{Request: r, until: until, form: rand.Text(), answer: make(chan Answer, 1)}
	id := rand.Text()
	w.mu.Lock()
	if w.waiting == nil {
		w.waiting = map[string]*question{}
	}
	w.waiting[id] = q
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		delete(w.waiting, id)
		w.mu.Unlock()
	}()
	address := w.Base() + WebPath + id
	shown := w.Out != nil
	if shown {
		fmt.Fprintf(w.Out, "%s\n  %s\n", say(r.Language, "open"), address)
	}
	if w.Open != nil && w.Open(address) == nil {
		shown = true
	}
	if !shown {
		return Answer{}, ErrUnavailable
	}
	select {
	case answer, ok := <-q.answer:
		if !ok {
			return Answer{}, ErrCancelled
		}
		return answer, nil
	case <-ctx.Done():
		q.mu.Lock()
		defer q.mu.Unlock()
		q.over = true
		select {
		case answer := <-q.answer: // at the last moment
			answer.Secret.Wipe()
		default:
		}
		return Answer{}, ctx.Err()
	}
}

// ServeHTTP serves the pages.
func (w *Web) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	header := out.Header()
	header.Set("Content-Security-Policy", webPolicy)
	header.Set("X-Frame-Options", "DENY")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "same-origin") // with "no-referrer" the form would come from the origin null
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cache-Control", "no-store")
	switch {
	case r.Method == http.MethodGet && r.URL.Path == WebPath+"question.js":
		serveFile(out, "site/question.js", "text/javascript; charset=utf-8")
	case r.Method == http.MethodGet && r.URL.Path == WebPath+"question.css":
		serveFile(out, "site/question.css", "text/css; charset=utf-8")
	case !sameSite(r):
		http.Error(out, "this page belongs to the agent alone", http.StatusForbidden)
	default:
		w.serveQuestion(out, r)
	}
}

func serveFile(out http.ResponseWriter, name, kind string) {
	b, err := siteFiles.ReadFile(name)
	if err != nil {
		http.Error(out, "not found", http.StatusNotFound)
		return
	}
	out.Header().Set("Content-Type", kind)
	_, _ = out.Write(b)
}

// sameSite tells whether the person or our own page sends a request, as the
// browser says (Fetch Metadata). Programs say nothing, and do not know the
// address.
func sameSite(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
	default:
		return false
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host == r.Host
}

// pageView is what the page shows.
type pageView struct {
	Language i18n.Language
	Title    string
	Note     string // instead of a question
	Error    string
	Question string
	Facts    []fact
	Preview  string
	Heading  string // of the preview
	Form     string
	Secret   string // label
	Again    string // label
	Disk     string // label
	Disks    []string
	Chosen   string
	Hint     string
	Remember string // label
	Agree    string
	Always   string
	Refuse   string
	Left     string // with %d
	Seconds  int
}

func (w *Web) serveQuestion(out http.ResponseWriter, r *http.Request) {
	id := strings.TrimPrefix(r.URL.Path, WebPath)
	w.mu.Lock()
	q := w.waiting[id]
	w.mu.Unlock()
	if q == nil {
		gone(out, i18n.Match(r.Header.Get("Accept-Language"), i18n.Russian))
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.over || !q.opens(out, r, id):
		gone(out, q.Language)
	case r.Method == http.MethodGet:
		q.show(out, "", "")
	case r.Method == http.MethodPost:
		q.take(out, r)
	default:
		http.Error(out, "not allowed", http.StatusMethodNotAllowed)
	}
}

// opens gives the question to the first browser that comes, which gets a
// cookie, and to that one again.
func (q *question) opens(out http.ResponseWriter, r *http.Request, id string) bool {
	if q.cookie == "" && r.Method == http.MethodGet {
		q.cookie = rand.Text()
		http.SetCookie(out, &http.Cookie{Name: "imzo-prompt", Value: q.cookie, Path: WebPath + id, HttpOnly: true, SameSite: http.SameSiteStrictMode})
		return true
	}
	c, err := r.Cookie("imzo-prompt")
	return err == nil && q.cookie != "" && subtle.ConstantTimeCompare([]byte(c.Value), []byte(q.cookie)) == 1
}

func gone(out http.ResponseWriter, l i18n.Language) {
	page(out, http.StatusNotFound, pageView{Language: l, Title: "Imzo", Note: say(l, "gone")})
}

func page(out http.ResponseWriter, status int, v pageView) {
	out.Header().Set("Content-Type", "text/html; charset=utf-8")
	out.WriteHeader(status)
	_ = questionPage.Execute(out, v)
}

// show writes the question. The caller holds the lock.
func (q *question) show(out http.ResponseWriter, wrong, disk string) {
	l := q.Language
	v := pageView{
		Language: l, Title: q.title(), Error: q.Retry, Question: visibleLine(q.Question, maxQuestion), Facts: q.facts(),
		Preview: q.preview(), Form: q.form, Agree: q.agree(), Refuse: q.refuse(),
		Left: i18nLeft(l), Seconds: max(0, int(time.Until(q.until).Seconds())),
	}
	if wrong != "" {
		v.Error = wrong
	}
	if v.Preview != "" {
		v.Heading = say(l, "preview")
	}
	switch {
	case q.asksNew():
		v.Secret, v.Again, v.Hint = q.secretLabel(), say(l, "again"), say(l, "rules")+" "+say(l, "forgotten")
	case q.asksSecret():
		v.Secret = q.secretLabel()
	case q.Kind == KindPermission:
		v.Always, v.Hint = say(l, "always"), say(l, "permissionHint")
	}
	if q.Kind == KindNewKey {
		v.Disk, v.Disks, v.Chosen = say(l, "disk"), q.Disks, disk
	}
	if q.Remember && q.asksSecret() {
		v.Remember = say(l, "remember")
	}
	page(out, http.StatusOK, v)
}

// i18nLeft has the number of seconds as "#", which the page counts down.
func i18nLeft(l i18n.Language) string {
	return strings.Replace(say(l, "left", 60), "60", "#", 1)
}

// take takes the answer. The caller holds the lock.
func (q *question) take(out http.ResponseWriter, r *http.Request) {
	fields, err := readForm(http.MaxBytesReader(out, r.Body, maxForm))
	defer func() {
		for _, f := range fields {
			secret.Wipe(f)
		}
	}()
	if err != nil || subtle.ConstantTimeCompare(fields["form"], []byte(q.form)) != 1 {
		http.Error(out, "not the form of this question", http.StatusBadRequest)
		return
	}
	action := string(fields["action"])
	if action != "agree" && (action != "always" || q.Kind != KindPermission) {
		if q.asksSecret() {
			q.end(out, nil)
		} else {
			q.end(out, &Answer{}) // "no" is an answer
		}
		return
	}
	if !q.asksSecret() {
		q.end(out, &Answer{Allowed: true, Always: action == "always"})
		return
	}
	disk := string(fields["disk"])
	if q.Kind == KindNewKey && !slices.Contains(q.Disks, disk) {
		q.show(out, say(q.Language, "disk"), "")
		return
	}
	if wrong := q.wrong(fields["secret"], fields["again"]); wrong != "" {
		q.show(out, wrong, disk)
		return
	}
	q.end(out, &Answer{Secret: secret.New(fields["secret"]), Remember: q.Remember && len(fields["remember"]) > 0, Disk: disk})
}

// end hands the answer over; nil refuses. The caller holds the lock.
func (q *question) end(out http.ResponseWriter, a *Answer) {
	q.over = true
	if a == nil {
		close(q.answer)
	} else {
		q.answer <- *a
	}
	page(out, http.StatusOK, pageView{Language: q.Language, Title: q.title(), Note: say(q.Language, "done")})
}

// readForm reads a form (application/x-www-form-urlencoded) into memory that
// can be wiped, which [http.Request.ParseForm] does not.
func readForm(body io.Reader) (map[string][]byte, error) {
	raw := make([]byte, 0, maxForm+1)
	defer func() { secret.Wipe(raw[:cap(raw)]) }()
	for len(raw) < cap(raw) {
		n, err := body.Read(raw[len(raw):cap(raw)])
		raw = raw[:len(raw)+n]
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	fields := map[string][]byte{}
	for pair := range bytes.SplitSeq(raw, []byte("&")) {
		if len(pair) == 0 {
			continue
		}
		name, value, _ := bytes.Cut(pair, []byte("="))
		plain, err := unescape(name)
		if err != nil {
			return fields, err
		}
		decoded, err := unescape(value)
		if err != nil {
			return fields, err
		}
		fields[string(plain)] = decoded
	}
	return fields, nil
}

// unescape decodes a value of a form.
func unescape(s []byte) ([]byte, error) {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '+':
			out = append(out, ' ')
		case '%':
			if i+2 >= len(s) {
				return nil, fmt.Errorf("a form that ends in a percent sign")
			}
			high, low := digit(s[i+1]), digit(s[i+2])
			if high < 0 || low < 0 {
				return nil, fmt.Errorf("a form with a percent sign that no number follows")
			}
			out = append(out, byte(high<<4|low))
			i += 2
		default:
			out = append(out, s[i])
		}
	}
	return out, nil
}

func digit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
