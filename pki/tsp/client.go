package tsp

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"imzo/pki/alg"
)

// Client asks authorities over HTTP. The zero Client follows no redirects and
// gives up after 8 seconds.
type Client struct {
	HTTP *http.Client
}

// clientTimeout ends before the 10 seconds after which the clients of a
// signature server give up themselves.
const clientTimeout = 8 * time.Second

var defaultHTTP = &http.Client{
	Timeout:       clientTimeout,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// Stamp asks for a token over a message, with a random nonce, and checks the
// answer as [Response.Check] does. Errors wrap [ErrTransport] when there was
// no response; a refusal is a [*RejectedError].
func (c *Client) Stamp(ctx context.Context, authority string, d *alg.Digest, message []byte) (*Token, error) {
	u, err := url.Parse(authority)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%w: %q is no http address", ErrTransport, authority)
	}
	nonce, err := NewNonce(rand.Reader)
	if err != nil {
		return nil, err
	}
	request := NewRequest(d, d.Sum(message), nonce, true)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, authority, bytes.NewReader(request.Marshal()))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTransport, err)
	}
	req.Header.Set("Content-Type", "application/timestamp-query")
	req.Header.Set("Accept", "application/timestamp-reply")
	client := c.HTTP
	if client == nil {
		client = defaultHTTP
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTransport, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: HTTP status %d from %s", ErrTransport, res.StatusCode, u.Host)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxResponse+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTransport, err)
	}
	if len(body) > maxResponse {
		return nil, fmt.Errorf("%w: %w", ErrTransport, errors.New("the response is too large"))
	}
	response, err := ParseResponse(body)
	if err != nil {
		return nil, err
	}
	return response.Check(request)
}
