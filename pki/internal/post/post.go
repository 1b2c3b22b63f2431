// Package post is how the protocols of a PKI go over HTTP: OCSP (RFC 6960 A.1)
// and timestamps (RFC 3161 3.4) both post one message of a media type of their
// own and get one back.
//
// It knows nothing of the messages, and does not retry.
package post

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// timeout ends before the 10 seconds after which the clients of a signature
// server give up themselves.
const timeout = 8 * time.Second

// Exchange is one kind of question.
type Exchange struct {
	// RequestType and ResponseType are the media types.
	RequestType, ResponseType string
	// MaxResponse bounds the answer, in octets.
	MaxResponse int
}

// Client returns the client that asks for a caller: the given one, or one that
// gives up after 8 seconds. Redirects are followed only when it has a
// CheckRedirect: addresses come out of certificates, and where one points is
// where it ends.
func Client(given *http.Client) *http.Client {
	client := http.Client{Timeout: timeout}
	if given != nil {
		client = *given
	}
	if client.CheckRedirect == nil {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	return &client
}

// Ask posts the message to an http or https address and returns the body of
// the answer: that of an HTTP 200, not longer than allowed, and no page for
// people.
func (x Exchange) Ask(ctx context.Context, client *http.Client, address string, message []byte) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%q is no http address", address)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(message))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", x.RequestType)
	req.Header.Set("Accept", x.ResponseType)
	res, err := Client(client).Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("HTTP status %d from %s", res.StatusCode, u.Host)
	}
	// Responders and authorities are careless about the type; a page for
	// people is none.
	if media := res.Header.Get("Content-Type"); strings.HasPrefix(media, "text/") {
		return nil, fmt.Errorf("%s sent %q", u.Host, media)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, int64(x.MaxResponse)+1))
	if err != nil {
		return nil, err
	}
	if len(body) > x.MaxResponse {
		return nil, fmt.Errorf("the answer of %s is longer than %d octets", u.Host, x.MaxResponse)
	}
	return body, nil
}
