package tsp

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"time"

	"imzo/pki/alg"
	"imzo/pki/internal/post"
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

var exchange = post.Exchange{
	RequestType:  "application/timestamp-query",
	ResponseType: "application/timestamp-reply",
	MaxResponse:  maxResponse,
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
	body, err := exchange.Ask(ctx, c.HTTP, authority, request.Marshal())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTransport, err)
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
