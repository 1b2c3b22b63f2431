package phone

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

var (
	// ErrGateway is wrapped when the gateway cannot be reached or answers what
	// a gateway does not answer.
	ErrGateway = errors.New("gateway does not answer")
	// ErrUnknownSite is wrapped when nobody has registered the SiteID.
	ErrUnknownSite = errors.New("no site is registered with this SiteID")
)

const (
	// maxAnswer bounds what a gateway may answer.
	maxAnswer = 64 << 10
	// submitTimeout is longer than the gateway takes to give up on a site.
	submitTimeout = 45 * time.Second
	// submitTries and submitPause are for lost connections: a phone's network
	// comes and goes. A repeated submission changes nothing.
	submitTries = 3
	submitPause = 300 * time.Millisecond
)

// Client reaches a gateway over HTTP.
type Client struct {
	// URL is where the gateway answers, such as "https://m.example.uz"; a path
	// in it is kept.
	URL string
	// HTTP is the client; nil is one with time-outs that follows no redirects.
	HTTP *http.Client
}

// CheckURL tells what is wrong with the address of a gateway.
func CheckURL(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return fmt.Errorf("%q is no http or https address of a gateway", address)
	}
	return nil
}

// Site implements [Gateway].
func (c *Client) Site(ctx context.Context, siteID string) (Site, error) {
	var site Site
	status, answer, err := c.do(ctx, http.MethodGet, SitePath+url.PathEscape(siteID), nil)
	if err != nil {
		return site, err
	}
	var refusal Outcome
	switch {
	case status == http.StatusOK && json.Unmarshal(answer, &site) == nil && strings.EqualFold(site.SiteID, siteID):
		return site, nil
	case json.Unmarshal(answer, &refusal) == nil && refusal.Code == UnknownSite:
		return Site{}, fmt.Errorf("%w: %s", ErrUnknownSite, siteID)
	case refusal.Code != "":
		return Site{}, fmt.Errorf("%w: %s: %s", ErrGateway, refusal.Code, refusal.Message)
	}
	return Site{}, fmt.Errorf("%w: HTTP %d", ErrGateway, status)
}

// Submit implements [Gateway]. It tries again when the connection is lost.
func (c *Client) Submit(ctx context.Context, s Submission) (Outcome, error) {
	body, err := json.Marshal(s)
	if err != nil {
		return Outcome{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, submitTimeout)
	defer cancel()
	for try := 1; ; try++ {
		status, answer, err := c.do(ctx, http.MethodPost, SignPath, body)
		if err != nil {
			if try == submitTries || ctx.Err() != nil {
				return Outcome{}, err
			}
			select {
			case <-ctx.Done():
				return Outcome{}, err
			case <-time.After(submitPause):
			}
			continue
		}
		var outcome Outcome
		if json.Unmarshal(answer, &outcome) != nil || outcome.Code == "" || outcome.Accepted != (outcome.Code == Accepted) {
			return Outcome{}, fmt.Errorf("%w: HTTP %d", ErrGateway, status)
		}
		return outcome, nil
	}
}

func (c *Client) do(ctx context.Context, method, path string, body []byte) (int, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.URL, "/")+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, fmt.Errorf("%w: %w", ErrGateway, err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	client := c.HTTP
	if client == nil {
		client = &http.Client{
			Timeout:       submitTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, nil, fmt.Errorf("%w: %w", ErrGateway, err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return 0, nil, fmt.Errorf("%w: %w", ErrGateway, err)
	}
	if len(answer) > maxAnswer {
		return 0, nil, fmt.Errorf("%w: its answer is larger than %d octets", ErrGateway, maxAnswer)
	}
	return response.StatusCode, answer, nil
}
