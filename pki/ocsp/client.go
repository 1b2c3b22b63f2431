package ocsp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Client asks responders over HTTP. The zero Client gives up after 8 seconds.
type Client struct {
	// HTTP sends the requests; nil means a client of this package's own.
	// Redirects are followed only when it has a CheckRedirect: addresses
	// come out of certificates, and where one points is where it ends.
	HTTP *http.Client
}

// clientTimeout ends before the 10 seconds after which the clients of a
// signature server give up themselves.
const clientTimeout = 8 * time.Second

func (c *Client) http() *http.Client {
	client := http.Client{Timeout: clientTimeout}
	if c.HTTP != nil {
		client = *c.HTTP
	}
	if client.CheckRedirect == nil {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	return &client
}

// Ask posts the request to a responder (RFC 6960 A.1) and parses what comes
// back. Errors wrap [ErrTransport] when there was no OCSP response, else
// [ErrFormat]. The response is not checked.
func (c *Client) Ask(ctx context.Context, responder string, r Request) (*Response, error) {
	u, err := url.Parse(responder)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%w: %q is no http address", ErrTransport, responder)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, responder, bytes.NewReader(r.Marshal()))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTransport, err)
	}
	req.Header.Set("Content-Type", "application/ocsp-request")
	req.Header.Set("Accept", "application/ocsp-response")
	res, err := c.http().Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTransport, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: HTTP status %d from %s", ErrTransport, res.StatusCode, u.Host)
	}
	// Responders are careless about the type; a page for people is none.
	if media := res.Header.Get("Content-Type"); strings.HasPrefix(media, "text/") {
		return nil, fmt.Errorf("%w: %s sent %q", ErrTransport, u.Host, media)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxResponse+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTransport, err)
	}
	if len(body) > maxResponse {
		return nil, fmt.Errorf("%w: %w", ErrTransport, errors.New("the response is too large"))
	}
	return ParseResponse(body)
}
