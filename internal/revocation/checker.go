package revocation

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"imzo/pki/cert"
	"imzo/pki/ocsp"
	"imzo/verify"
)

const (
	// DefaultTimeout is the time a status may take in all. The clients of
	// E-IMZO-SERVER wait twenty seconds and some only five to ten.
	DefaultTimeout = 8 * time.Second
	// connectTimeout leaves time for a second responder when the first is
	// dead.
	connectTimeout = 3 * time.Second
	// nonceSize is what RFC 9654 2.1 asks clients to send.
	nonceSize = 32
	// maxResponders bounds how many addresses of one certificate are tried.
	maxResponders = 4
)

// ErrNoResponder says that there is nobody to ask: the certificate names no
// OCSP responder that can be called, and no other was given.
var ErrNoResponder = errors.New("no OCSP responder to ask")

// Options say whom to ask and how. The zero value asks the responder that the
// certificate names and wants a nonce in the answer.
type Options struct {
	// URL is asked instead of the addresses in certificates.
	URL string
	// NoncePolicy says what to do with an answer without our nonce.
	NoncePolicy ocsp.NoncePolicy
	// HTTP is the client; nil is [NewHTTPClient].
	HTTP *http.Client
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Timeout bounds each Status; 0 is [DefaultTimeout].
	Timeout time.Duration
	// Rand is where nonces come from; nil is crypto/rand.
	Rand io.Reader
}

// Checker is a [verify.RevocationSource] that asks OCSP responders. It is safe
// for concurrent use.
type Checker struct {
	options Options
	client  ocsp.Client
}

var _ verify.RevocationSource = (*Checker)(nil)

// New returns a Checker.
func New(o Options) *Checker {
	if o.HTTP == nil {
		o.HTTP = NewHTTPClient()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	return &Checker{options: o, client: ocsp.Client{HTTP: o.HTTP}}
}

// NewHTTPClient returns a client for trust services: it follows no redirect,
// so that a responder cannot send us elsewhere, and sets no time-out beyond
// those of connecting, since its users bound each call by its context.
func NewHTTPClient() *http.Client {
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: connectTimeout, KeepAlive: 30 * time.Second}).DialContext,
			TLSHandshakeTimeout:    connectTimeout,
			MaxIdleConnsPerHost:    32, // one or two hosts get all our calls
			IdleConnTimeout:        60 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
		},
	}
}

// Status asks about c, which issuer has issued. An error means that nothing is
// known about it now.
func (k *Checker) Status(ctx context.Context, c, issuer *cert.Certificate) (*verify.RevocationStatus, error) {
	urls, err := k.responders(c)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, k.options.Timeout)
	defer cancel()
	var failures []error
	for _, address := range urls {
		status, err := k.ask(ctx, address, c, issuer)
		if err == nil {
			return status, nil
		}
		failures = append(failures, fmt.Errorf("OCSP at %s: %w", address, err))
		if ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(failures...)
}

// responders lists whom to ask about c.
func (k *Checker) responders(c *cert.Certificate) ([]string, error) {
	if k.options.URL != "" {
		return []string{k.options.URL}, nil
	}
	var urls []string
	for _, address := range c.OCSPServers {
		if u, err := url.Parse(address); err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && len(urls) < maxResponders {
			urls = append(urls, address)
		}
	}
	if len(urls) == 0 {
		return nil, ErrNoResponder
	}
	return urls, nil
}

// ask puts the question to one responder and checks the answer.
func (k *Checker) ask(ctx context.Context, address string, c, issuer *cert.Certificate) (*verify.RevocationStatus, error) {
	request := ocsp.Request{CertIDs: []ocsp.CertID{ocsp.NewCertID(nil, c, issuer)}}
	if k.options.NoncePolicy != ocsp.NonceIgnored {
		request.Nonce = make([]byte, nonceSize)
		if _, err := io.ReadFull(k.options.Rand, request.Nonce); err != nil {
			return nil, err
		}
	}
	response, err := k.client.Ask(ctx, address, request)
	if err != nil {
		return nil, err
	}
	single, err := response.Check(ocsp.CheckOptions{
		Certificate: c,
		Issuer:      issuer,
		Nonce:       request.Nonce,
		NoncePolicy: k.options.NoncePolicy,
		Now:         k.options.Now(),
	})
	if err != nil {
		return nil, err
	}
	return &verify.RevocationStatus{
		Status:       single.Status,
		RevokedAt:    single.RevokedAt,
		Reason:       single.Reason,
		ThisUpdate:   single.ThisUpdate,
		NextUpdate:   single.NextUpdate,
		OCSPResponse: response.Raw,
		Source:       address,
	}, nil
}
