package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// DefaultTimeout is that of the official Java client for reading.
	DefaultTimeout = 30 * time.Second
	// DefaultMaxResponse leaves room for the base64 of the largest document
	// that a server takes by default, 128 MiB, and all that stands beside it.
	DefaultMaxResponse = 256 << 20
	// DefaultRetries are the tries after the first.
	DefaultRetries = 2

	connectTimeout = 5 * time.Second // that of the official Java client
	firstPause     = 200 * time.Millisecond
	longestPause   = 5 * time.Second
	maxErrorText   = 4 << 10
)

// Token is what a server with backend.token wants to see. It does not show
// itself in logs and errors.
type Token string

const redacted = "[redacted]"

// String hides the token.
func (Token) String() string { return redacted }

// GoString hides the token.
func (Token) GoString() string { return redacted }

// LogValue hides the token.
func (Token) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the token.
func (Token) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Options change how a client calls; the zero value is for a server on the
// same machine or network.
type Options struct {
	// HTTPClient sends the requests. By default it is one that connects within
	// 5 s. Redirects are not followed whatever its CheckRedirect says: they
	// would take documents and tokens to somebody else.
	HTTPClient *http.Client
	// Token is sent as "Authorization: Bearer", when it is not empty.
	Token Token
	// Language is that of messages, a language tag or a whole Accept-Language:
	// "uz", "ru", "en". By default the server chooses.
	Language string
	// KeepHost leaves the header Host to be the server's own address, for
	// servers behind a proxy that tells sites apart by it. The user's domain
	// is sent in X-Real-Host and X-Forwarded-Host anyhow; the original wants
	// it in Host.
	KeepHost bool
	// Timeout bounds a call with all its tries, DefaultTimeout when 0. A
	// context may end it sooner. Calls that stream are bounded by their
	// context alone.
	Timeout time.Duration
	// Retries are the tries after the first, DefaultRetries when 0, none when
	// negative.
	Retries int
	// MaxResponse bounds what is read of an answer, in octets,
	// DefaultMaxResponse when 0.
	MaxResponse int64
}

// Client calls one server. It is safe for concurrent use.
type Client struct {
	base    *url.URL
	options Options
	http    *http.Client
	pause   func(context.Context, time.Duration) error
}

// New makes a client of the server at an address, such as
// "http://127.0.0.1:8080"; a path in it goes before that of every endpoint.
func New(address string, o Options) (*Client, error) {
	base, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("the address of the server: %w", withoutURL(err))
	}
	if base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, fmt.Errorf("the address of the server is not of the form http://host:port or https://host:port")
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.MaxResponse <= 0 {
		o.MaxResponse = DefaultMaxResponse
	}
	if o.Retries == 0 {
		o.Retries = DefaultRetries
	}
	c := &Client{base: base, options: o, pause: pause}
	if o.HTTPClient != nil {
		own := *o.HTTPClient
		c.http = &own
	} else {
		c.http = &http.Client{Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         (&net.Dialer{Timeout: connectTimeout}).DialContext,
			ForceAttemptHTTP2:   true,
			MaxIdleConnsPerHost: 16,
			IdleConnTimeout:     90 * time.Second,
			TLSHandshakeTimeout: connectTimeout,
		}}
	}
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c, nil
}

// Close ends connections that are open and not in use.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// User says for whom a call is made. The server writes it into its log; the
// zero value says nothing.
type User struct {
	// IP is the address of the user's machine.
	IP string
	// Host is the domain where the user signed, such as "example.uz".
	Host string
}

// Reply is the end of every reply that has a status.
type Reply struct {
	// Status is 1 for success.
	Status int `json:"status"`
	// Message is for people, in the language of Options; "" on success.
	Message string `json:"message"`
	// Code names what happened for programs and does not change with language
	// or version: "ok", "challenge", ... The original has none.
	Code string `json:"code"`
	// RequestID finds the request in the server's log. The original has none.
	RequestID string `json:"requestId"`
}

func (r *Reply) end() *Reply { return r }

// replied is a pointer to a reply with a status.
type replied interface{ end() *Reply }

// request is a call on its way.
type request struct {
	method, path string
	query        url.Values
	user         User
	accept       string // json when empty
	contentType  string
	body         []byte
	stream       io.Reader // instead of body; cannot be sent again
	once         bool      // must not be sent again
	also         int       // an HTTP status that is an answer like 200, if its type is right
}

const (
	typeJSON = "application/json"
	typeHTML = "text/html"
	typeText = "text/plain"
	// typeBinary is what no form parser on the way looks into.
	typeBinary = "application/octet-stream"
)

// call sends a request and reads the JSON of the answer into reply.
func (c *Client) call(ctx context.Context, r request, reply any) error {
	body, _, err := c.send(ctx, r)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, reply); err != nil {
		return fmt.Errorf("%s: %w: %w", r.path, ErrAnswer, err)
	}
	return nil
}

// callFor is call for replies with a status, which becomes an error of the
// type S.
func callFor[S interface {
	~int
	error
}](ctx context.Context, c *Client, r request, reply replied) error {
	if err := c.call(ctx, r, reply); err != nil {
		return err
	}
	if end := reply.end(); end.Status != StatusOK {
		return &StatusError{Path: r.path, Reply: *end, status: S(end.Status)}
	}
	return nil
}

// send sends a request, several times where that is needed and safe, and
// returns the body and headers of an answer with HTTP 200.
func (c *Client) send(ctx context.Context, r request) ([]byte, http.Header, error) {
	if r.stream == nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.options.Timeout)
		defer cancel()
	}
	for try := 0; ; try++ {
		body, header, err := c.try(ctx, r)
		if err == nil || r.once || r.stream != nil || try >= c.options.Retries {
			return body, header, err
		}
		wait, again := retryAfter(err, try)
		if !again {
			return nil, nil, err
		}
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < wait {
			return nil, nil, err // tells more than that the time is over
		}
		if c.pause(ctx, wait) != nil {
			return nil, nil, err
		}
	}
}

// retryAfter tells whether and when to try again: when nobody was there, when
// the server has too much to do, and when a proxy did not reach it.
func retryAfter(err error, try int) (time.Duration, bool) {
	backOff := min(firstPause<<try, longestPause)
	backOff += rand.N(backOff) // so that many clients do not come back at once
	var answer *HTTPError
	var network *networkError
	switch {
	case errors.As(err, &network):
		return backOff, true
	case errors.As(err, &answer):
		switch answer.StatusCode {
		case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return max(backOff, answer.RetryAfter), true
		}
	}
	return 0, false
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// networkError is a request that got no answer.
type networkError struct {
	path string
	err  error
}

func (e *networkError) Error() string { return e.path + ": " + e.err.Error() }
func (e *networkError) Unwrap() error { return e.err }

// withoutURL drops the URL that net/http puts into its errors: it may have
// been typed with a password.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// try sends a request once.
func (c *Client) try(ctx context.Context, r request) ([]byte, http.Header, error) {
	req, err := c.newRequest(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	response, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, nil, fmt.Errorf("%s: %w", r.path, ctx.Err())
		}
		return nil, nil, &networkError{r.path, withoutURL(err)}
	}
	defer response.Body.Close()
	want := r.accept
	if want == "" {
		want = typeJSON
	}
	got, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	expected := err == nil && got == want
	if response.StatusCode != http.StatusOK && (response.StatusCode != r.also || !expected) {
		return nil, nil, newHTTPError(r.path, response)
	}
	if !expected {
		return nil, nil, fmt.Errorf("%s: %w: it is %q, not %s", r.path, ErrAnswer, response.Header.Get("Content-Type"), want)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, c.options.MaxResponse+1))
	switch {
	case int64(len(body)) > c.options.MaxResponse:
		return nil, nil, fmt.Errorf("%s: %w: more than %d bytes", r.path, ErrTooLarge, c.options.MaxResponse)
	case err != nil && ctx.Err() != nil:
		return nil, nil, fmt.Errorf("%s: %w", r.path, ctx.Err())
	case err != nil:
		return nil, nil, &networkError{r.path, err}
	}
	return body, response.Header, nil
}

func (c *Client) newRequest(ctx context.Context, r request) (*http.Request, error) {
	u := c.base.JoinPath(r.path)
	u.RawQuery = r.query.Encode()
	body := r.stream
	if body == nil && r.body != nil {
		body = bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, u.String(), body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.path, withoutURL(err))
	}
	h := req.Header
	h.Set("Accept", typeJSON)
	if r.accept != "" {
		h.Set("Accept", r.accept)
	}
	if r.contentType != "" {
		h.Set("Content-Type", r.contentType)
	}
	if c.options.Language != "" {
		h.Set("Accept-Language", c.options.Language)
	}
	if c.options.Token != "" {
		h.Set("Authorization", "Bearer "+string(c.options.Token))
	}
	if r.user.IP != "" {
		h.Set("X-Real-IP", r.user.IP)
	}
	if host := r.user.Host; host != "" {
		h.Set("X-Real-Host", host)
		h.Set("X-Forwarded-Host", host)
		if !c.options.KeepHost {
			req.Host = host
		}
	}
	return req, nil
}

func newHTTPError(path string, response *http.Response) *HTTPError {
	text, _ := io.ReadAll(io.LimitReader(response.Body, maxErrorText)) // what came of it
	e := &HTTPError{
		Path:       path,
		StatusCode: response.StatusCode,
		Text:       strings.Join(strings.Fields(strings.ToValidUTF8(string(text), "\uFFFD")), " "),
		RequestID:  response.Header.Get("X-Request-Id"),
	}
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && seconds > 0 {
		e.RetryAfter = time.Duration(min(seconds, int(time.Hour/time.Second))) * time.Second
	}
	return e
}
