package ocsp

import (
	"context"
	"fmt"
	"net/http"

	"imzo/pki/internal/post"
)

// Client asks responders over HTTP. The zero Client gives up after 8 seconds.
type Client struct {
	// HTTP sends the requests; nil means a client of this package's own.
	// Redirects are followed only when it has a CheckRedirect: addresses
	// come out of certificates, and where one points is where it ends.
	HTTP *http.Client
}

var exchange = post.Exchange{
	RequestType:  "application/ocsp-request",
	ResponseType: "application/ocsp-response",
	MaxResponse:  maxResponse,
}

// Ask posts the request to a responder (RFC 6960 A.1) and parses what comes
// back. Errors wrap [ErrTransport] when there was no OCSP response, else
// [ErrFormat]. The response is not checked.
func (c *Client) Ask(ctx context.Context, responder string, r Request) (*Response, error) {
	body, err := exchange.Ask(ctx, c.HTTP, responder, r.Marshal())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTransport, err)
	}
	return ParseResponse(body)
}
