// Package timestamping gets timestamp tokens (RFC 3161) from the first of
// several authorities that gives one.
//
//	tsa := timestamping.New(timestamping.Options{
//		URLs: []string{"http://a.example/tst", "http://b.example/tst"},
//		Now:  time.Now,
//	})
//	token, err := tsa.Stamp(ctx, signer, digest, signature)
//
// Without addresses of its own it asks those in the certificate of the signer
// whose signature is stamped. That is a place which somebody else makes us
// call, so the caller hands over a certificate only if a CA that it trusts has
// issued it, and nil otherwise. Beyond that only http and https are spoken,
// redirects are not followed, few addresses are tried, and answers have a
// limit.
//
// What a token is worth (imprint, nonce, signature, purpose, time) pki/tsp
// checks. Whether its authority is to be trusted the caller says, in
// [Options].Check or after.
package timestamping

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"imzo/internal/failover"
	"imzo/pki/alg"
	"imzo/pki/cert"
	"imzo/pki/tsp"
)

const (
	// DefaultTimeout is the time a token may take in all. An answer to a
	// client that waits eight seconds must still be written after that.
	DefaultTimeout = 7 * time.Second
	// maxAuthorities bounds how many addresses of one certificate are tried.
	maxAuthorities = 4
)

// ErrNoTSA says that there is nobody to ask for a token.
var ErrNoTSA = errors.New("no timestamp authority to ask")

// Options say whom to ask and how. The zero value asks the authorities that
// the signer's certificate names.
type Options struct {
	// URLs are asked instead of the addresses in certificates, in this
	// order as long as they answer.
	URLs []string
	// HTTP is the client; nil is that of pki/tsp.
	HTTP *http.Client
	// Now is the clock that tokens must agree with; nil is time.Now.
	Now func() time.Time
	// Timeout bounds each Stamp; 0 is [DefaultTimeout].
	Timeout time.Duration
	// Check, when set, must accept a token; the next authority is asked for
	// another otherwise.
	Check func(*tsp.Token) error
	// Observe, when set, hears of every authority that was asked. It is
	// called on the asker's goroutine and must not wait.
	Observe func(Event)
}

// Event is what asking an authority came to.
type Event struct {
	// Source is the authority's address.
	Source string
	// Err is nil when it gave a token that was accepted.
	Err  error
	Took time.Duration
}

// Client gets tokens. It is safe for concurrent use.
type Client struct {
	options Options
	client  tsp.Client
	pool    failover.Pool
}

// New returns a Client.
func New(o Options) *Client {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	return &Client{options: o, client: tsp.Client{HTTP: o.HTTP, Now: o.Now}}
}

// Stamp returns a token over the digest d of message. signer is the
// certificate of the signature that is stamped, if a trusted CA has issued it,
// else nil. Errors wrap [ErrNoTSA], or those of pki/tsp and Options.Check.
func (c *Client) Stamp(ctx context.Context, signer *cert.Certificate, d *alg.Digest, message []byte) (*tsp.Token, error) {
	addresses := c.options.URLs
	if len(addresses) == 0 {
		if addresses = named(signer); len(addresses) == 0 {
			return nil, ErrNoTSA
		}
	}
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	return failover.Ask(ctx, &c.pool, addresses, 0, func(ctx context.Context, address string) (*tsp.Token, error) {
		start := time.Now()
		token, err := c.ask(ctx, address, d, message)
		if c.options.Observe != nil {
			c.options.Observe(Event{Source: address, Err: err, Took: time.Since(start)})
		}
		return token, err
	})
}

func (c *Client) ask(ctx context.Context, address string, d *alg.Digest, message []byte) (*tsp.Token, error) {
	token, err := c.client.Stamp(ctx, address, d, message)
	if err != nil {
		return nil, err
	}
	if c.options.Check != nil {
		if err := c.options.Check(token); err != nil {
			return nil, err
		}
	}
	return token, nil
}

// named lists the addresses in a certificate that can be called.
func named(signer *cert.Certificate) []string {
	if signer == nil {
		return nil
	}
	var out []string
	for _, address := range signer.TimeStampServers {
		if u, err := url.Parse(address); err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && !slices.Contains(out, address) && len(out) < maxAuthorities {
			out = append(out, address)
		}
	}
	return out
}
