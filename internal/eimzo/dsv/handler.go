package dsv

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"imzo/internal/httpx"
)

// Path is where the service lives.
const Path = "/dsvs/pkcs7/v1"

// Options are what a handler needs.
type Options struct {
	// REST answers the requests that calls become: the REST server, on the
	// side where /backend is served. Headers of the call come with them, so
	// that a token, the user's address and the language mean the same.
	REST http.Handler
	// MaxBody is the largest request in octets, httpx.DefaultMaxBody when 0.
	MaxBody int64
	// Address is the URL of the service in the WSDL. When it is empty the
	// address that the WSDL was asked for is taken, as the original does.
	Address string
}

// Handler answers the calls, whatever path it is mounted at.
type Handler struct{ o Options }

// New makes a handler.
func New(o Options) *Handler {
	if o.MaxBody <= 0 {
		o.MaxBody = httpx.DefaultMaxBody
	}
	return &Handler{o}
}

// operation is a call of the service and the REST request it becomes.
type operation struct {
	name string
	// arguments in the order of the body of the request, which has '|'
	// between them.
	arguments []string
	path      string // "" is a call that cannot be answered
}

// operations of the service, in the order of the WSDL.
var operations = []operation{
	{name: "verifyPkcs7", arguments: []string{"pkcs7B64"}, path: "/backend/pkcs7/verify/attached"},
	{name: "verifyPkcs7Detached", arguments: []string{"dataB64", "pkcs7B64"}, path: "/backend/pkcs7/verify/detached"},
	{name: "join2Pkcs7Attached", arguments: []string{"pkcs7AttachedB64A", "pkcs7AttachedB64B"}, path: "/frontend/pkcs7/join"},
	{name: "createPkcs7", arguments: []string{"document", "apikey"}},
}

func findOperation(name string) (operation, bool) {
	for _, o := range operations {
		if o.name == name {
			return o, true
		}
	}
	return operation{}, false
}

// ServeHTTP answers a POST as a call, also where its query is wsdl, and GET
// ?wsdl with the description of the service.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodPost:
		h.call(w, r)
	case (r.Method == http.MethodGet || r.Method == http.MethodHead) && strings.EqualFold(r.URL.RawQuery, "wsdl"):
		writeXML(w, http.StatusOK, description(h.address(r)))
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		httpx.Text(w, http.StatusMethodNotAllowed, "this is a SOAP service: its description is at ?wsdl, calls are sent with POST")
	}
}

// address is the URL of the service for the WSDL.
func (h *Handler) address(r *http.Request) string {
	if h.o.Address != "" {
		return h.o.Address
	}
	u := url.URL{Scheme: "http", Host: r.Host, Path: r.URL.Path}
	if r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") {
		u.Scheme = "https"
	}
	return u.String()
}

func (h *Handler) call(w http.ResponseWriter, r *http.Request) {
	body, err := httpx.ReadBody(r, h.o.MaxBody)
	if err != nil {
		var why *httpx.BodyError
		if !errors.As(err, &why) {
			why = &httpx.BodyError{Status: http.StatusBadRequest, Text: "the body could not be read"}
		}
		if why.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(why.RetryAfter))
		}
		httpx.Text(w, why.Status, why.Text)
		return
	}
	c, err := readCall(body)
	if err != nil {
		refuse(w, err)
		return
	}
	o, ok := findOperation(c.operation)
	switch {
	case !ok:
		refuse(w, noOperation(xml.Name{Space: serviceNamespace, Local: c.operation}))
	case o.path == "":
		writeFault(w, &fault{"Server", "this server holds no key to sign with: sign with the user's E-IMZO"})
	default:
		h.forward(w, r, o, c.arguments)
	}
}

func refuse(w http.ResponseWriter, err error) {
	var f *fault
	if !errors.As(err, &f) {
		f = &fault{"Server", "internal error, see the log of the server"}
	}
	writeFault(w, f)
}

// forward makes the REST request of a call and turns its answer into one.
func (h *Handler) forward(w http.ResponseWriter, r *http.Request, o operation, arguments map[string]string) {
	var texts []string
	for _, name := range o.arguments {
		text, ok := arguments[name]
		if !ok {
			writeVerdict(w, o.name, refusal("the argument "+name+" is missing"))
			return
		}
		if strings.Contains(text, "|") { // would move the border between the arguments
			writeVerdict(w, o.name, refusal("the argument "+name+" is not base64"))
			return
		}
		texts = append(texts, text)
	}
	answer := h.ask(r, o.path, strings.Join(texts, "|"))
	switch {
	case answer.status == http.StatusOK:
		v, err := answer.verdict()
		if err != nil {
			refuse(w, err)
			return
		}
		writeVerdict(w, o.name, v)
	case answer.status == http.StatusBadRequest:
		writeVerdict(w, o.name, refusal(answer.line()))
	case answer.status >= http.StatusInternalServerError:
		writeFault(w, &fault{"Server", answer.line()})
	default:
		// What stands in the way here is HTTP's, and so is how to go on: 401,
		// 413, 429 with their headers.
		maps.Copy(w.Header(), answer.header)
		w.WriteHeader(answer.status)
		_, _ = w.Write(answer.body.Bytes())
	}
}

// ask sends a request to the REST server, in this process.
func (h *Handler) ask(r *http.Request, path, body string) *answer {
	inner := r.Clone(r.Context())
	inner.URL = &url.URL{Path: path}
	inner.RequestURI = path
	inner.Pattern = ""
	inner.Body = io.NopCloser(strings.NewReader(body))
	inner.ContentLength = int64(len(body))
	inner.TransferEncoding, inner.Trailer, inner.MultipartForm = nil, nil, nil
	for _, name := range []string{"Content-Type", "Content-Length", "Content-Encoding", "Accept", "Accept-Encoding", "Transfer-Encoding", "SOAPAction"} {
		inner.Header.Del(name) // they were about the envelope
	}
	inner.Header.Set("Content-Type", "text/plain")
	a := &answer{header: http.Header{}}
	h.o.REST.ServeHTTP(a, inner)
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return a
}

// answer is what the REST server says, as its http.ResponseWriter.
type answer struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

// line is the text of an answer that is not 200.
func (a *answer) line() string { return strings.TrimSpace(a.body.String()) }

// verdict reads an answer that is 200.
func (a *answer) verdict() (verdict, error) {
	var reply struct {
		Status    int             `json:"status"`
		Message   json.RawMessage `json:"message"`
		PKCS7Info json.RawMessage `json:"pkcs7Info"`
		PKCS7     json.RawMessage `json:"pkcs7b64"`
	}
	if err := json.Unmarshal(a.body.Bytes(), &reply); err != nil {
		return verdict{}, err
	}
	v := verdict{Success: reply.Status == 1, PKCS7Info: reply.PKCS7Info, PKCS7: reply.PKCS7}
	if !v.Success {
		v.Reason = reply.Message
	}
	return v, nil
}
