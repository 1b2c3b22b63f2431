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
	"slices"
	"time"

	"imzo/internal/failover"
	"imzo/pki/cert"
	"imzo/pki/ocsp"
	"imzo/verify"
)

const (
	// DefaultTimeout is the time a status may take in all. The clients of
	// E-IMZO-SERVER wait twenty seconds and some only five to ten; the answer
	// to one that waits eight must still be written after that.
	DefaultTimeout = 7 * time.Second
	// connectTimeout leaves time for a second responder when the first is
	// dead.
	connectTimeout = 3 * time.Second
	// nonceSize is what RFC 9654 2.1 asks clients to send.
	nonceSize = 32
	// maxAddresses bounds how many addresses of one certificate are tried.
	maxAddresses = 4
)

// ErrNoResponder says that there is nobody to ask: the certificate names no
// OCSP responder that can be called, and no other was given.
var ErrNoResponder = errors.New("no OCSP responder to ask")

// Options say whom to ask and how. The zero value asks the responder that the
// certificate names and wants a nonce in the answer.
type Options struct {
	// URLs are asked instead of the addresses in certificates, in this
	// order as long as they answer.
	URLs []string
	// NoncePolicy says what to do with an answer without our nonce.
	NoncePolicy ocsp.NoncePolicy
	// CRL says whether lists are the fall-back.
	CRL CRLOptions
	// HTTP is the client; nil is [NewHTTPClient].
	HTTP *http.Client
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Timeout bounds each Status; 0 is [DefaultTimeout].
	Timeout time.Duration
	// Rand is where nonces come from; nil is crypto/rand.
	Rand io.Reader
	// CheckSignature replaces the check of the signatures of responders'
	// certificates, for a cache; see ocsp.CheckOptions.
	CheckSignature func(child, issuer *cert.Certificate) error
}

// Checker is a [verify.RevocationSource] that asks OCSP responders, and CRLs
// where that is wanted. It is safe for concurrent use.
type Checker struct {
	options Options
	client  ocsp.Client
	pool    failover.Pool
	lists   *lists // nil without the fall-back
}

var _ verify.RevocationSource = (*Checker)(nil)

// New returns a Checker. Only one with the fall-back to CRLs has to be closed.
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
	k := &Checker{options: o, client: ocsp.Client{HTTP: o.HTTP}}
	if o.CRL.Enabled {
		k.lists = newLists(o.CRL, o.HTTP, o.Now)
	}
	return k
}

// NewHTTPClient returns a client for trust services: it follows no redirect,
// so that a responder cannot send us elsewhere, and sets no time-out beyond
// those of connecting, since its users bound each call by its context.
func NewHTTPClient() *http.Client {
	return &http.Client{
		CheckRedirect: refuseRedirect,
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

func refuseRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Close ends the fetching of CRLs. Status must not be called after it.
func (k *Checker) Close() error {
	if k.lists != nil {
		k.lists.close()
	}
	return nil
}

// Status asks about c, which issuer has issued. An error means that nothing is
// known about it now.
func (k *Checker) Status(ctx context.Context, c, issuer *cert.Certificate) (*verify.RevocationStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, k.options.Timeout)
	defer cancel()
	status, err := k.askResponders(ctx, c, issuer)
	if err == nil || k.lists == nil {
		return status, err
	}
	status, listErr := k.lists.status(ctx, c, issuer)
	if listErr != nil {
		return nil, errors.Join(err, listErr)
	}
	return status, nil
}

func (k *Checker) askResponders(ctx context.Context, c, issuer *cert.Certificate) (*verify.RevocationStatus, error) {
	addresses := k.options.URLs
	if len(addresses) == 0 {
		if addresses = callable(c.OCSPServers); len(addresses) == 0 {
			return nil, ErrNoResponder
		}
	}
	spare := 0
	if k.lists != nil {
		spare = 1
	}
	status, err := failover.Ask(ctx, &k.pool, addresses, spare, func(ctx context.Context, address string) (*verify.RevocationStatus, error) {
		return k.ask(ctx, address, c, issuer)
	})
	if err != nil {
		return nil, fmt.Errorf("OCSP: %w", err)
	}
	return status, nil
}

// callable returns the first addresses of a certificate that can be called.
func callable(addresses []string) []string {
	var out []string
	for _, address := range addresses {
		if u, err := url.Parse(address); err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && !slices.Contains(out, address) && len(out) < maxAddresses {
			out = append(out, address)
		}
	}
	return out
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
		Certificate:    c,
		Issuer:         issuer,
		Nonce:          request.Nonce,
		NoncePolicy:    k.options.NoncePolicy,
		Now:            k.options.Now(),
		CheckSignature: k.options.CheckSignature,
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
