package phone

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"imzo/client/deeplink"
	"imzo/pki/alg"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/token"
)

// ErrKeyKind tells that the key of a token does not sign GOST digests, and so
// nothing that a code holds.
var ErrKeyKind = errors.New("the card's key is of no kind that E-IMZO MOBILE uses")

// Gateway is the other end: a [Client], or the gateway itself where the phone
// runs in the same process.
type Gateway interface {
	// Site returns what is registered. The error wraps [ErrUnknownSite] or
	// [ErrGateway].
	Site(ctx context.Context, siteID string) (Site, error)
	// Submit returns what came of a submission. The error wraps [ErrGateway]
	// when there is no answer.
	Submit(ctx context.Context, s Submission) (Outcome, error)
}

// Phone opens codes and signs what they stand for.
type Phone struct {
	Gateway Gateway
	// Now is the clock of the signing time; nil is time.Now.
	Now func() time.Time
	// Rand is for signatures; nil is crypto/rand. Cards use their own.
	Rand io.Reader
}

// Request is what a site asks for.
type Request struct {
	Code deeplink.Code
	Site Site
}

// Open reads a link or the text of a QR code and asks the gateway whose it is.
// Errors wrap [deeplink.ErrCode], [ErrUnknownSite] or [ErrGateway].
func (p *Phone) Open(ctx context.Context, link string) (Request, error) {
	code, err := deeplink.Parse(link)
	if err != nil {
		return Request{}, err
	}
	site, err := p.Gateway.Site(ctx, code.SiteID)
	if err != nil {
		return Request{}, err
	}
	return Request{Code: code, Site: site}, nil
}

// Sign has the token sign and hands the signature to the gateway. The error is
// that of the token (a *token.PINError, [token.ErrBlocked], ...), or wraps
// [ErrKeyKind] or [ErrGateway]. What the gateway or the site did not like is
// in the Outcome.
func (p *Phone) Sign(ctx context.Context, r Request, t token.Token, pin []byte) (Outcome, error) {
	s, err := p.sign(ctx, r, t, pin)
	if err != nil {
		return Outcome{}, err
	}
	return p.Gateway.Submit(ctx, s)
}

func (p *Phone) sign(ctx context.Context, r Request, t token.Token, pin []byte) (Submission, error) {
	// A wrong key must not cost a try of the PIN.
	chain, err := t.Chain(ctx)
	if err != nil {
		return Submission{}, err
	}
	if len(chain) == 0 {
		return Submission{}, token.ErrEmpty
	}
	if !Signs(chain[0]) {
		return Submission{}, fmt.Errorf("%w: %s", ErrKeyKind, chain[0].PublicKey.Name())
	}
	session, err := t.Open(ctx, pin)
	if err != nil {
		return Submission{}, err
	}
	defer session.Close()
	key, chain, err := session.Key(ctx)
	if err != nil {
		return Submission{}, err
	}
	now, random := time.Now, io.Reader(rand.Reader)
	if p.Now != nil {
		now = p.Now
	}
	if p.Rand != nil {
		random = p.Rand
	}
	at := now().UTC().Truncate(time.Second)
	attributes, err := cms.ExternalAttributes(r.Code.Hash[:], at)
	if err != nil {
		return Submission{}, err
	}
	signature, err := key.SignMessage(random, attributes)
	if err != nil {
		return Submission{}, err
	}
	s := Submission{
		SiteID: r.Code.SiteID, DocumentID: r.Code.DocumentID, Hash: hex.EncodeToString(r.Code.Hash[:]),
		SerialNumber: chain[0].SerialHex(), Signature: hex.EncodeToString(signature), SigningTime: at,
	}
	for _, c := range chain {
		s.Certificates = append(s.Certificates, c.Raw)
	}
	return s, nil
}

// Signs tells whether the key of a certificate signs digests of GOST R
// 34.11-94 with the CryptoPro S-box, which is what codes hold: the two kinds of
// Uzbekistan.
func Signs(c *cert.Certificate) bool {
	family := c.PublicKey.Family()
	return c.PublicKey.Key != nil && (family == alg.FamilyOZDST || family == alg.FamilyOZMST)
}
