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
	"strings"
	"time"

	"imzo/pki/alg"
)

// Client asks authorities over HTTP. The zero Client gives up after 8 seconds.
type Client struct {
	// HTTP sends the requests; nil means a client of this package's own.
	// Redirects are followed only when it has a CheckRedirect: addresses
	// come out of certificates, and where one points is where it ends.
	HTTP *http.Client
	// Now is the local time reference that RFC 3161 2.2 speaks of: a token
	// must be from the time between request and response, give or take
	// ClockSkew. Without it the nonce alone tells that a token is new.
	Now func() time.Time
	// ClockSkew is how far the clocks of authority and client may differ;
	// default 5 minutes.
	ClockSkew time.Duration
}

const defaultClockSkew = 5 * time.Minute

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

// Stamp asks for a token over a message, with a random nonce, and checks the
// answer as [Response.Check] does, and its time when the client has a clock.
// Errors wrap [ErrTransport] when there was no response; a refusal is a
// [*RejectedError].
func (c *Client) Stamp(ctx context.Context, authority string, d *alg.Digest, message []byte) (*Token, error) {
	nonce, err := NewNonce(rand.Reader)
	if err != nil {
		return nil, err
	}
	request := NewRequest(d, d.Sum(message), nonce, true)
	var asked time.Time
	if c.Now != nil {
		asked = c.Now()
	}
	body, err := c.post(ctx, authority, request.Marshal())
	if err != nil {
		return nil, err
	}
	response, err := ParseResponse(body)
	if err != nil {
		return nil, err
	}
	token, err := response.Check(request)
	if err != nil {
		return nil, err
	}
	if c.Now != nil {
		if err := c.checkTime(token, asked, c.Now()); err != nil {
			return nil, err
		}
	}
	return token, nil
}

func (c *Client) checkTime(t *Token, asked, answered time.Time) error {
	skew := c.ClockSkew
	if skew == 0 {
		skew = defaultClockSkew
	}
	if at := t.Info.GenTime; at.Before(asked.Add(-skew)) || at.After(answered.Add(skew)) {
		return fmt.Errorf("%w: %s", ErrTime, at.Format(time.RFC3339))
	}
	return nil
}

// post sends a request and returns the body of the answer (RFC 3161 3.4).
func (c *Client) post(ctx context.Context, authority string, request []byte) ([]byte, error) {
	u, err := url.Parse(authority)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%w: %q is no http address", ErrTransport, authority)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, authority, bytes.NewReader(request))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTransport, err)
	}
	req.Header.Set("Content-Type", "application/timestamp-query")
	req.Header.Set("Accept", "application/timestamp-reply")
	res, err := c.http().Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTransport, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: HTTP status %d from %s", ErrTransport, res.StatusCode, u.Host)
	}
	// Authorities are careless about the type; a page for people is none.
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
	return body, nil
}
