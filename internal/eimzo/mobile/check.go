package mobile

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"imzo/internal/eimzo/mobile/phone"
	"imzo/pki/alg"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/verify"
)

const (
	// searchWork bounds the search for the path of a stranger's certificate:
	// a quarter of a second.
	searchWork = 250_000
	// maxCandidates is how many certificates of one serial number are tried.
	// Several authorities may have given the same number.
	maxCandidates = 4
)

// refusal is a check that did not hold.
type refusal struct {
	code phone.Code
	err  error
}

func (r *refusal) Error() string { return string(r.code) + ": " + r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

func refuse(code phone.Code, format string, args ...any) *refusal {
	return &refusal{code, fmt.Errorf(format, args...)}
}

// check makes all checks of a submission in their order, and the detached
// PKCS#7 of it.
func (g *Gateway) check(ctx context.Context, s submission) (site Site, document []byte, failed *refusal) {
	site, err := g.options.Sites.Find(s.SiteID)
	switch {
	case errors.Is(err, ErrNoSite):
		return site, nil, &refusal{phone.UnknownSite, err}
	case err != nil:
		g.log.ErrorContext(ctx, "sites cannot be read", "error", err)
		return site, nil, refuse(phone.Unavailable, "the gateway cannot read its sites")
	}
	now := g.now()
	if d := now.Sub(s.SigningTime).Abs(); d > g.options.Window {
		return site, nil, refuse(phone.SigningTime, "signing time and the gateway's clock are %s apart, more than %s", d.Round(time.Second), g.options.Window)
	}
	document, failed = g.assemble(ctx, s, now)
	if failed != nil {
		return site, nil, failed
	}
	return site, document, g.judge(ctx, document, s)
}

// assemble finds the certificate that the signature verifies with, and makes
// the document.
func (g *Gateway) assemble(ctx context.Context, s submission, now time.Time) ([]byte, *refusal) {
	known, cas, err := g.options.Certificates.find(s.serial)
	if err != nil {
		g.log.ErrorContext(ctx, "certificates cannot be read", "error", err)
	}
	var candidates []*cert.Certificate
	for _, c := range slices.Concat(s.certificates, known) {
		if c.SerialHex() == s.serial && !slices.ContainsFunc(candidates, c.Equal) && len(candidates) < maxCandidates {
			candidates = append(candidates, c)
		}
	}
	if len(candidates) == 0 {
		return nil, refuse(phone.NoSigner, "no certificate of the number %s was sent or is known here", s.serial)
	}
	bag := cert.NewBag(slices.Concat(s.certificates, cas)...)
	work := cert.NewWork(searchWork)
	var first *refusal
	for _, c := range candidates {
		document, failed := g.assembleWith(c, bag, work, s, now)
		if failed == nil {
			return document, nil
		}
		if first == nil {
			first = failed
		}
	}
	return nil, first
}

func (g *Gateway) assembleWith(c *cert.Certificate, bag *cert.Bag, work *cert.Work, s submission, now time.Time) ([]byte, *refusal) {
	if !phone.Signs(c) {
		return nil, refuse(phone.KeyKind, "%s has a key of %s, which does not sign GOST digests", c, c.PublicKey.Name())
	}
	path, err := cert.BuildPath(c, cert.PathOptions{Anchors: g.options.Anchors, Bags: []*cert.Bag{bag}, At: now, Work: work})
	if err != nil {
		return nil, &refusal{phone.Untrusted, err}
	}
	document, err := cms.AssembleDetached(cms.External{
		Chain: path.Certificates, ContentDigest: s.code.Hash[:], SigningTime: s.SigningTime, Signature: s.signature,
	})
	if err != nil {
		return nil, &refusal{phone.BadSignature, err}
	}
	return document, nil
}

// judge has package verify decide about the document, as the site's server
// will, and says which check did not hold.
func (g *Gateway) judge(ctx context.Context, document []byte, s submission) *refusal {
	hashed, err := hashedContent(s.code.Hash[:])
	if err != nil {
		return refuse(phone.Unavailable, "the digest cannot be used: %w", err)
	}
	report, err := verify.Document(ctx, document, nil, verify.Options{
		Anchors: g.options.Anchors, HashedContent: hashed, ValidNow: true, Now: g.now,
		Revocation: g.options.Revocation, SkipRevocation: g.options.Revocation == nil,
	})
	if err != nil {
		return refuse(phone.Unavailable, "the signature could not be checked: %w", err)
	}
	failure := report.FirstFailure()
	if failure == nil {
		return nil
	}
	code := phone.NotAccepted
	switch failure.Check.Name {
	case verify.CheckPath, verify.CheckBag:
		code = phone.Untrusted
	case verify.CheckKeyUsage:
		code = phone.Usage
	case verify.CheckValidity:
		code = phone.NotValid
	case verify.CheckRevocation:
		if code = phone.Revoked; failure.Check.Result == verify.Indeterminate {
			code = phone.NoStatus
		}
	case verify.CheckSignature, verify.CheckDigest, verify.CheckSignedAttributes:
		code = phone.BadSignature
	}
	return &refusal{code, failure}
}

// hashedContent is a content of which only the digest is known, for both kinds
// of signatures there are: they share the digest under two names.
func hashedContent(digest []byte) (*cms.HashedContent, error) {
	text := hex.EncodeToString(digest)
	b, err := json.Marshal(map[string]any{"digests": map[string]string{
		alg.OZDST().OID.String(): text, alg.OZMST().OID.String(): text,
	}})
	if err != nil {
		return nil, err
	}
	h := new(cms.HashedContent)
	return h, json.Unmarshal(b, h)
}
