package server

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"imzo/internal/config"
	"imzo/internal/httpx"
	"imzo/internal/testpki"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/ocsp"
)

// apiDescription loads the description as clients do, and checks it.
func apiDescription(t *testing.T, w *world) *openapi3.T {
	t.Helper()
	rec := w.call("GET", "/openapi.json", "")
	if rec.Code != http.StatusOK || rec.Header().Get("Content-Type") != "application/json; charset=UTF-8" {
		t.Fatalf("HTTP %d %s", rec.Code, rec.Header())
	}
	doc, err := openapi3.NewLoader().LoadFromData(rec.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context(), openapi3.DisableExamplesValidation()); err != nil {
		t.Fatal(err)
	}
	return doc
}

// exampleCall is a request with an answer to hold against the description.
type exampleCall struct {
	name   string
	method string // "" is the operation's, POST before GET
	path   string // as described, with a query, if there is one
	body   func() string
	header []string
	// server answers; the world's when nil.
	server *Server
	// http and status are what is to be answered; status 0 says nothing.
	http, status int
	cancelled    bool // the caller has hung up
	crowded      bool // others' bodies fill the memory for them
}

// apiProbe sends requests and validates them and their answers.
type apiProbe struct {
	*world
	doc  *openapi3.T
	seen map[string]bool // path and HTTP status
}

func (p *apiProbe) run(t *testing.T, c exampleCall) {
	t.Helper()
	path, query, _ := strings.Cut(c.path, "?")
	address := strings.Replace(c.path, "{documentId}", strings.TrimPrefix(query, "documentId="), 1)
	item := p.doc.Paths.Value(path)
	if item == nil {
		t.Errorf("%s is not described", path)
		return
	}
	method, operation := "GET", item.Get
	if item.Post != nil && c.method != "GET" {
		method, operation = "POST", item.Post
	}
	var body []byte
	if c.body != nil {
		body = []byte(c.body())
	}
	s := c.server
	if s == nil {
		s = p.server
	}
	request := func() *http.Request {
		r := httptest.NewRequest(method, address, bytes.NewReader(body))
		if body != nil {
			r.Header.Set("Content-Type", "text/plain; charset=utf-8")
		}
		for i := 0; i+1 < len(c.header); i += 2 {
			r.Header.Set(c.header[i], c.header[i+1])
		}
		return r
	}
	r := request()
	if c.cancelled {
		ctx, cancel := context.WithCancel(r.Context())
		cancel()
		r = r.WithContext(ctx)
	}
	rec := httptest.NewRecorder()
	var o httpx.Options
	if c.crowded {
		o.Memory = httpx.NewMemory(1)
		// What is read as it comes finds room, and no turn.
		wait := s.gate.wait
		s.gate.wait = time.Millisecond
		open := fill(t, s)
		defer func() { open(); s.gate.wait = wait }()
	}
	httpx.Wrap(s.Handler(), o).ServeHTTP(rec, r)
	answer := rec.Body.Bytes()
	p.seen[method+" "+path+" "+strconv.Itoa(rec.Code)] = true
	if rec.Code != c.http {
		t.Errorf("HTTP %d, want %d: %.300s", rec.Code, c.http, answer)
	}
	if c.status != 0 && !bytes.Contains(answer, fmt.Appendf(nil, `"status":%d`, c.status)) {
		t.Errorf("no status %d: %.300s ... %s", c.status, answer, answer[max(0, len(answer)-200):])
	}
	if len(rec.Header()["X-Request-Id"]) != 1 {
		t.Errorf("headers %s", rec.Header())
	}

	input := &openapi3filter.RequestValidationInput{
		Request: request(),
		// Of the one path with a parameter the query repeats it.
		PathParams: map[string]string{"documentId": strings.TrimPrefix(query, "documentId=")},
		Route:      &routers.Route{Spec: p.doc, Path: path, PathItem: item, Method: method, Operation: operation},
		Options: &openapi3filter.Options{
			AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, MultiError: true, IncludeResponseStatus: true, RejectWhenRequestBodyNotSpecified: true,
		},
	}
	if rec.Code != http.StatusBadRequest && rec.Code != http.StatusRequestEntityTooLarge {
		if err := openapi3filter.ValidateRequest(t.Context(), input); err != nil {
			t.Errorf("the description does not allow the request: %v", err)
		}
	}
	err := openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: rec.Code, Header: rec.Header(), Options: input.Options,
		Body: io.NopCloser(bytes.NewReader(answer)),
	})
	if err != nil {
		t.Errorf("the description does not allow the answer %.1000s\n%v", answer, err)
	}
}

// TestDescriptionIsTrue holds real answers of every endpoint, successes and
// failures, against /openapi.json, and makes every answer that it promises.
func TestDescriptionIsTrue(t *testing.T) {
	openapi3filter.RegisterBodyDecoder("text/html", openapi3filter.RegisteredBodyDecoder("text/plain"))
	defer openapi3filter.UnregisterBodyDecoder("text/html")
	w := newWorld(t)
	w.server = w.newServer(t, withMobile)
	p := &apiProbe{w, apiDescription(t, w), map[string]bool{}}
	for _, c := range append(p.calls(t), p.mobileCalls(t)...) {
		t.Run(c.path+" "+c.name, func(t *testing.T) { p.run(t, c) })
	}
	for _, c := range p.refusals(t) {
		t.Run(c.path+" "+c.name, func(t *testing.T) { p.run(t, c) })
	}

	routes := w.server.Routes()
	for i, path := range routes {
		if path == pathMobileAuthenticate {
			path += "{documentId}"
			routes[i] = path
		}
		item := p.doc.Paths.Value(path)
		if item == nil {
			t.Errorf("%s is not in openapi.json", path)
			continue
		}
		for method, operation := range item.Operations() {
			for code := range operation.Responses.Map() {
				if !p.seen[method+" "+path+" "+code] {
					t.Errorf("%s %s: no test makes the answer HTTP %s", method, path, code)
				}
			}
		}
	}
	for path := range p.doc.Paths.Map() {
		if !slices.Contains(routes, path) {
			t.Errorf("%s is described and does not exist", path)
		}
	}
}

// calls are the business answers.
func (p *apiProbe) calls(t *testing.T) []exampleCall {
	text := func(s string) func() string { return func() string { return s } }
	stamped := p.stamped(t, p.sign(t, "some document"))
	separate := p.sign(t, "some document", detached)
	content := b64([]byte("some document"))
	other := p.User(t, testpki.Organisation)
	revoked := p.User(t, testpki.Person)
	p.set(revoked.Cert, ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: p.now().Add(-time.Hour), Reason: 1})
	unknown := p.newServer(t, func(c *Config, _ *Deps) { c.OCSPURLs = []string{p.tsa.URL} })
	return []exampleCall{
		{name: "success", path: "/ping", http: 200},
		{name: "success", path: "/info", http: 200},
		{name: "success", path: "/openapi.json", http: 200},
		{name: "success", path: "/healthz/live", http: 200},
		{name: "success", path: "/healthz/ready", http: 200},
		{name: "success", path: "/metrics", http: 200},
		{name: "success", path: "/frontend/challenge?_uc=1", http: 200, status: 1},

		{name: "success", path: pathAuth, http: 200, status: 1, body: func() string { return b64(p.sign(t, p.challenge(t))) }},
		{name: "a used challenge", path: pathAuth, http: 200, status: -20, body: func() string { return b64(p.sign(t, "x")) }},
		{name: "no PKCS#7", path: pathAuth, http: 200, status: -10, body: text(content)},
		{name: "a revoked certificate", path: pathAuth, http: 200, status: -11, body: func() string { return b64(p.signAs(t, revoked, p.challenge(t))) }},
		{name: "a wrong clock", path: pathAuth, http: 200, status: -5, body: func() string {
			return b64(p.sign(t, p.challenge(t), signedAt(p.now().Add(-time.Hour))))
		}},
		{name: "in Uzbek", path: pathAuth, http: 200, status: -20, header: []string{"Accept-Language", "uz", "X-Real-IP", "1.2.3.4", "X-Real-Host", "example.uz"}, body: func() string { return b64(p.sign(t, "x")) }},

		{name: "success", path: pathStamp, http: 200, status: 1, body: func() string { return b64(p.sign(t, "x")) }},
		{name: "nothing to do", path: pathStamp, http: 200, status: 1, body: text(b64(stamped))},
		{name: "no PKCS#7", path: pathStamp, http: 200, status: -10, body: text(content)},
		{name: "success", path: pathData, http: 200, status: 1, body: text(content)},

		{name: "success", path: pathAttached, http: 200, status: 1, body: text(b64(p.sign(t, "some document")))},
		{name: "with a timestamp", path: pathAttached, http: 200, status: 1, body: text(b64(stamped))},
		{name: "two signers", path: pathAttached, http: 200, status: 1, body: func() string {
			return string(p.post(t, pathJoin, b64(stamped)+"|"+b64(p.signAs(t, other, "some document"))).PKCS7)
		}},
		{name: "no PKCS#7", path: pathAttached, http: 200, status: -10, body: text(content)},
		{name: "a revoked certificate", path: pathAttached, http: 200, status: -11, body: text(b64(p.signAs(t, revoked, "x")))},
		{name: "an unknown root", path: pathAttached, http: 200, status: -11, body: func() string {
			stranger := testpki.New(t, "ozdst")
			return b64(p.signAs(t, stranger.User(t, testpki.Person), "x"))
		}},
		{name: "an unknown status", path: pathAttached, http: 200, status: -1, server: unknown, body: text(b64(p.sign(t, "x")))},
		{name: "a timestamp over something else", path: pathAttached, http: 200, status: -21, body: func() string {
			return b64(stampWith(t, p.sign(t, "x"), func(si *cms.SignerInfo) []byte { return token(t, &p.authority, si, []byte("y")) }))
		}},
		{name: "success", path: pathDetached, http: 200, status: 1, body: text(content + "|" + b64(separate))},
		{name: "another document", path: pathDetached, http: 200, status: -10, body: text("QQ==|" + b64(separate))},
		{name: "in parts", path: pathDetached, http: 200, status: 1, header: []string{"Content-Type", formType}, body: text(form("pkcs7", b64(separate), "document", "some document"))},

		{name: "success", path: pathBatch, http: 200, status: 1, header: []string{"Content-Type", "application/json"}, body: text(`{"documents":[{"id":"a","pkcs7":"` + b64(stamped) + `"},{"pkcs7":"` + b64(separate) + `","document":"` + content + `"}]}`)},
		{name: "one is revoked", path: pathBatch, http: 200, status: -11, header: []string{"Content-Type", "application/json"}, body: text(`{"documents":[{"id":"a","pkcs7":"` + b64(stamped) + `"},{"id":"b","pkcs7":"` + b64(p.signAs(t, revoked, "x")) + `"}]}`)},
		{name: "success", path: pathReport, http: 200, status: 1, body: text(b64(stamped))},
		{name: "a detached document", path: pathReport, http: 200, status: 1, body: text(content + "|" + b64(separate))},
		{name: "in parts", path: pathReport, http: 200, status: 1, header: []string{"Content-Type", formType}, body: text(form("document", "some document", "pkcs7", b64(separate)))},
		{name: "a page", path: pathReport + "?format=html&lang=uz", http: 200, body: text(b64(stamped))},
		{name: "a revoked certificate", path: pathReport, http: 200, status: -11, body: text(b64(p.signAs(t, revoked, "x")))},
		{name: "an unknown status", path: pathReport, http: 200, status: -1, server: unknown, body: text(b64(p.sign(t, "x")))},
		{name: "no PKCS#7", path: pathReport, http: 200, status: -10, body: text(content)},

		{name: "success", path: pathRestamp, http: 200, status: 1, body: text(b64(p.sign(t, "x")))},
		{name: "a token over something else", path: pathRestamp, http: 200, status: 1, body: func() string {
			return b64(stampWith(t, p.sign(t, "x"), func(si *cms.SignerInfo) []byte { return token(t, &p.authority, si, []byte("y")) }))
		}},
		{name: "no PKCS#7", path: pathRestamp, http: 200, status: -10, body: text(content)},
		{name: "success", path: pathCertStatus, http: 200, status: 1, body: text(string(cert.EncodePEM(p.user.Cert, p.CA.Cert)))},
		{name: "revoked", path: pathCertStatus, http: 200, status: -11, body: text(string(cert.EncodePEM(revoked.Cert, p.CA.Cert)))},
		{name: "an unknown status", path: pathCertStatus, http: 200, status: -1, server: unknown, body: text(string(cert.EncodePEM(p.user.Cert, p.CA.Cert)))},
		{name: "no certificate", path: pathCertStatus, http: 200, status: -11, body: text(content)},
		{name: "success", path: pathDigest, http: 200, status: 1, header: []string{"Content-Type", "application/octet-stream"}, body: text("octets")},

		{name: "success", path: pathMake, http: 200, status: 1, body: text(content + "|" + b64(separate))},
		{name: "another document", path: pathMake, http: 200, status: -10, body: text("QQ==|" + b64(separate))},
		{name: "success", path: pathJoin, http: 200, status: 1, body: text(b64(stamped) + "|" + b64(p.signAs(t, other, "some document")))},
		{name: "different documents", path: pathJoin, http: 200, status: -10, body: text(b64(stamped) + "|" + b64(p.signAs(t, other, "x")))},
	}
}

// mobileCalls are those of the flow by phone.
func (p *apiProbe) mobileCalls(t *testing.T) []exampleCall {
	form := []string{"Content-Type", "application/x-www-form-urlencoded"}
	text := func(pairs ...string) func() string { return func() string { return encoded(pairs...) } }
	const (
		front, authenticate, check = pathMobile, pathMobileAuthenticate + "{documentId}", "/backend/mobile/verify"
		nobody                     = "documentId=00000000"
	)
	login := startMobile(t, p.server, front+"auth")
	signature := startMobile(t, p.server, front+"sign")
	signed := func(content string) string { return b64(p.sign(t, content, detached)) }
	return []exampleCall{
		{name: "success", path: front + "auth", http: 200, status: 1},
		{name: "success", path: front + "sign", http: 200, status: 1},
		{name: "waiting", path: front + "status?documentId=" + login.DocumentID, http: 200, status: 2},
		{name: "unknown", path: front + "status", http: 200, status: -2, header: form, body: text("documentId", "00000000")},
		{name: "waiting", path: authenticate + "?documentId=" + login.DocumentID, http: 200, status: 2},
		{name: "something else", path: front + "upload", http: 200, status: -10, header: form, body: text("documentId", login.DocumentID, "pkcs7_b64", signed("x"))},
		{name: "success", path: front + "upload", http: 200, status: 1, header: form, body: text("documentId", login.DocumentID, "pkcs7_b64", signed(login.Challenge), "serial_number", "1", "x_real_ip", "192.0.2.1")},
		{name: "uploaded", path: front + "status?documentId=" + login.DocumentID, http: 200, status: 1},
		{name: "success", path: authenticate + "?documentId=" + login.DocumentID, http: 200, status: 1},
		{name: "success", method: "GET", path: authenticate + "?documentId=" + login.DocumentID, http: 200, status: 1},
		{name: "unknown", path: authenticate + "?" + nobody, http: 200, status: -2},
		{name: "success", path: front + "upload", http: 200, status: 1, header: form, body: text("documentId", signature.DocumentID, "pkcs7_b64", signed("some document"))},
		{name: "another document", path: check, http: 200, status: -99, header: form, body: text("documentId", signature.DocumentID, "document", "QQ==")},
		{name: "success", path: check, http: 200, status: 1, header: form, body: text("documentId", signature.DocumentID, "document", b64([]byte("some document")))},
	}
}

// refusals are the answers of HTTP: each that an operation has in the
// description is made here.
func (p *apiProbe) refusals(t *testing.T) []exampleCall {
	const secret = "0123456789abcdef0123456789abcdef"
	with := func(change func(c *Config, d *Deps)) *Server {
		return p.newServer(t, func(c *Config, d *Deps) { withMobile(c, d); change(c, d) })
	}
	guarded := with(func(c *Config, _ *Deps) { c.BackendToken = config.NewSecret(secret) })
	small := with(func(c *Config, _ *Deps) { c.Limits.Body = 10 })
	stuck := with(func(c *Config, d *Deps) {
		c.TSPURLs = []string{p.ocsp.URL} // answers, and no tokens
		d.Challenges, d.Rand = brokenStore{}, brokenBody{}
	})
	document := b64(p.sign(t, "x"))
	bodies := map[string]string{
		pathDetached: "QQ==|" + b64(p.sign(t, "A", detached)), pathMake: "QQ==|" + b64(p.sign(t, "A", detached)), pathJoin: document + "|" + document,
		pathData: "QQ==", pathAuth: b64(p.sign(t, "x")),
		pathBatch: `{"documents":[{"pkcs7":"` + document + `"}]}`,
	}
	const authenticate = pathMobileAuthenticate + "{documentId}"
	login, signature := startMobile(t, p.server, pathMobile+"auth"), startMobile(t, p.server, pathMobile+"sign")
	uploadMobile(t, p.server, login.DocumentID, p.sign(t, login.Challenge, detached)).want(t, "upload", success)
	uploadMobile(t, p.server, signature.DocumentID, p.sign(t, "A", detached)).want(t, "upload", success)
	bodies[pathMobile+"upload"] = encoded("documentId", signature.DocumentID, "pkcs7_b64", document)
	bodies[pathMobileVerify] = encoded("documentId", signature.DocumentID, "document", "QQ==")
	bodies[pathMobile+"status"] = encoded("documentId", signature.DocumentID)
	linked := p.newServer(t, func(c *Config, _ *Deps) { c.Link = LinkConfig{Host: "127.0.0.1", Port: closedPort(t)} })
	var calls []exampleCall
	type served struct {
		path, method string
		*openapi3.Operation
	}
	var all []served
	for path, item := range p.doc.Paths.Map() {
		for method, operation := range item.Operations() {
			all = append(all, served{path, method, operation})
		}
	}
	for _, operation := range all {
		path := operation.path
		body := bodies[path]
		if body == "" {
			body = document
		}
		for code := range operation.Responses.Map() {
			c := exampleCall{name: "HTTP " + code, method: operation.method, path: path, body: func() string { return body }}
			switch path {
			case pathBatch:
				c.header = []string{"Content-Type", "application/json"}
			case pathDigest:
				c.header = []string{"Content-Type", "application/octet-stream"}
			case pathMobile + "upload", pathMobile + "status", pathMobileVerify:
				c.header = []string{"Content-Type", "application/x-www-form-urlencoded"}
			case authenticate:
				c.path += "?documentId=" + login.DocumentID
				c.body = nil
			}
			switch code {
			case "200":
				continue
			case "400":
				c.body = func() string { return " " }
				if path == pathDigest { // of nothing there is one, too
					c.path += "?algorithm=none"
				}
				if path == authenticate {
					c.path, c.body = path+"?documentId=none", nil
				}
			case "401":
				c.server, c.header = guarded, append(c.header, "Authorization", "Bearer 0")
			case "403":
				c.server = with(func(c *Config, _ *Deps) {
					c.Mobile.UploadFrom = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
				})
			case "429":
				c.server = with(func(c *Config, _ *Deps) {
					c.Limits.ChallengesPerMinute, c.Limits.AuthsPerMinute, c.Limits.MobilesPerMinute = 1, 1, 1
				})
				callServer(c.server, "GET", path, "")
				if operation.RequestBody == nil {
					c.body = nil
				}
			case "413":
				c.server, c.body = small, func() string { return document }
				switch path {
				case pathDigest:
					c.path += "?encoding=base64"
				case pathMobile + "upload", pathMobile + "status", pathMobileVerify:
					// Those of the gateway and of pages have limits of their own.
					c.body = func() string {
						return encoded("documentId", login.DocumentID, "pkcs7_b64", strings.Repeat("A", maxMobileUpload))
					}
				}
			case "503":
				c.server = stuck
				if path == "/ping" {
					c.server = linked
				}
				if operation.RequestBody == nil {
					c.body = nil
				}
				c.cancelled = slices.Contains([]string{pathAttached, pathDetached, pathBatch, pathReport, pathCertStatus}, path)
				c.crowded = slices.Contains([]string{pathMake, pathJoin, pathDigest, pathMobile + "upload", pathMobileVerify, authenticate}, path)
				if path == pathMobile+"upload" || path == pathMobileVerify || path == authenticate {
					c.server = nil // the one that has the documents
				}
			default:
				t.Errorf("%s: no request for an answer HTTP %s", path, code)
				continue
			}
			c.http, _ = strconv.Atoi(code)
			calls = append(calls, c)
		}
	}
	return calls
}

// closedPort returns a port that nobody listens on.
func closedPort(t *testing.T) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

func TestTheDescriptionOfStatusesIsTheTable(t *testing.T) {
	doc := apiDescription(t, newWorld(t))
	for name, places := range map[string][]place{"AuthStatus": {inAuth}, "VerifyStatus": {inSigner, inToken}} {
		var described []int
		for _, v := range doc.Components.Schemas[name].Value.Enum {
			described = append(described, int(v.(float64)))
		}
		for _, p := range places {
			for check, m := range meanings {
				if s := m.at(p).status; !slices.Contains(described, s) {
					t.Errorf("%s has no %d, which %s becomes", name, s, check)
				}
			}
			if s := unknowns.at(p).status; !slices.Contains(described, s) {
				t.Errorf("%s has no %d", name, s)
			}
		}
	}
}
