package client

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
)

// Ping asks whether the server is there (guide 2.1); a server with a link to a
// Centre asks that too.
func (c *Client) Ping(ctx context.Context) (*Ping, error) {
	reply := &Ping{}
	return reply, c.call(ctx, request{method: http.MethodGet, path: "/ping"}, reply)
}

// Info asks what the server is and whom it trusts.
func (c *Client) Info(ctx context.Context) (*Info, error) {
	reply := &Info{}
	return reply, c.call(ctx, request{method: http.MethodGet, path: "/info"}, reply)
}

// Challenge gets a random text for a user to sign (guide 2.2.1).
func (c *Client) Challenge(ctx context.Context) (*Challenge, error) {
	reply := &Challenge{}
	return reply, callFor[DocumentStatus](ctx, c, request{method: http.MethodGet, path: "/frontend/challenge"}, reply)
}

// Auth tells who has signed a challenge (guide 2.2.2). pkcs7 is base64 of an
// attached document whose content is the challenge. The request is sent once:
// when its answer gets lost the challenge is used up. An error wraps an
// [AuthStatus] when the answer came.
func (c *Client) Auth(ctx context.Context, u User, pkcs7 string) (*AuthReply, error) {
	r, err := textRequest("/backend/auth", u, pkcs7)
	if err != nil {
		return nil, err
	}
	r.once = true
	reply := &AuthReply{}
	if err := callFor[AuthStatus](ctx, c, r, reply); err != nil {
		return reply, err
	}
	if reply.SubjectCertificateInfo == nil {
		return reply, fmt.Errorf("%s: %w: it names nobody", r.path, ErrAnswer)
	}
	return reply, nil
}

// Timestamp attaches a timestamp token to every signature of a document that
// has none (guide 2.2.3).
func (c *Client) Timestamp(ctx context.Context, u User, pkcs7 string) (*TimestampReply, error) {
	reply := &TimestampReply{}
	return reply, callText(ctx, c, "/frontend/timestamp/pkcs7", u, reply, pkcs7)
}

// TimestampData gets a timestamp token over data. The original does not say
// what it replies; this is Imzo's reply.
func (c *Client) TimestampData(ctx context.Context, u User, data []byte) (*TokenReply, error) {
	reply := &TokenReply{}
	return reply, callText(ctx, c, "/frontend/timestamp/data", u, reply, encode(data))
}

// VerifyAttached verifies a document with its content inside (guide 2.2.4).
// Without an error every signature is valid; one wraps a [DocumentStatus] when
// the server has found otherwise, and the reply says what.
func (c *Client) VerifyAttached(ctx context.Context, u User, pkcs7 string) (*VerifyReply, error) {
	return c.verify(ctx, "/backend/pkcs7/verify/attached", u, pkcs7)
}

// VerifyDetached verifies a document over data (guide 2.2.5). Data and
// document go out in memory; for large data there is
// [Client.VerifyDetachedStream].
func (c *Client) VerifyDetached(ctx context.Context, u User, data []byte, pkcs7 string) (*VerifyReply, error) {
	return c.verify(ctx, "/backend/pkcs7/verify/detached", u, encode(data), pkcs7)
}

func (c *Client) verify(ctx context.Context, path string, u User, parts ...string) (*VerifyReply, error) {
	reply := &VerifyReply{}
	if err := callText(ctx, c, path, u, reply, parts...); err != nil {
		return reply, err
	}
	return reply, reply.consistent(path)
}

// consistent makes sure that status 1 and the flags say the same: an answer
// that contradicts itself is not believed.
func (r *VerifyReply) consistent(path string) error {
	if r.PKCS7Info == nil || len(r.PKCS7Info.Signers) == 0 {
		return fmt.Errorf("%s: %w: status 1 without a signer", path, ErrAnswer)
	}
	for i, s := range r.PKCS7Info.Signers {
		good := s.Verified && s.CertificateVerified && s.CertificateValidAtSigningTime
		if t := s.TimeStampInfo; t != nil {
			good = good && t.Verified && t.DigestVerified && t.CertificateVerified && t.CertificateValidAtSigningTime
		}
		if !good {
			return fmt.Errorf("%s: %w: status 1 with a signer %d that is not verified", path, ErrAnswer, i+1)
		}
	}
	return nil
}

// MakeAttached puts data into the detached document over it (guide 2.2.6).
// Nothing is verified but that it is the data that was signed.
func (c *Client) MakeAttached(ctx context.Context, u User, data []byte, pkcs7 string) (*DocumentReply, error) {
	reply := &DocumentReply{}
	return reply, callText(ctx, c, "/frontend/pkcs7/make-attached", u, reply, encode(data), pkcs7)
}

// Join makes one document of two attached ones with the same content
// (guide 2.2.7).
func (c *Client) Join(ctx context.Context, u User, first, second string) (*DocumentReply, error) {
	reply := &DocumentReply{}
	return reply, callText(ctx, c, "/frontend/pkcs7/join", u, reply, first, second)
}

// Restamp attaches a timestamp token to every signature that has none, and
// instead of such as failed. One that could not be checked for now stays.
// (Imzo only.)
func (c *Client) Restamp(ctx context.Context, u User, pkcs7 string) (*RestampReply, error) {
	reply := &RestampReply{}
	return reply, callText(ctx, c, "/backend/pkcs7/restamp", u, reply, pkcs7)
}

// CertificateStatus tells whether a certificate is good now. certificate is
// base64 or PEM, and PEM may have those of its CAs behind it; a PKCS#7 document
// stands for the certificate of its first signer. Without an error the
// certificate has a chain to a trusted root, is within its validity and not
// revoked. (Imzo only.)
func (c *Client) CertificateStatus(ctx context.Context, u User, certificate string) (*CertificateReply, error) {
	reply := &CertificateReply{}
	const path = "/backend/certificate/status"
	if err := callText(ctx, c, path, u, reply, certificate); err != nil {
		return reply, err
	}
	if !reply.CertificateVerified || !reply.CertificateValid || reply.RevokedStatusInfo != nil || reply.SubjectCertificateInfo == nil {
		return reply, fmt.Errorf("%s: %w: status 1 of a certificate that is not good", path, ErrAnswer)
	}
	return reply, nil
}

// callText makes a call whose body is base64, or two with '|' between them.
func callText(ctx context.Context, c *Client, path string, u User, reply replied, parts ...string) error {
	r, err := textRequest(path, u, parts...)
	if err != nil {
		return err
	}
	return callFor[DocumentStatus](ctx, c, r, reply)
}

func textRequest(path string, u User, parts ...string) (request, error) {
	for _, part := range parts {
		if strings.Contains(part, "|") { // would move the border
			return request{}, fmt.Errorf("%s: the document is %w", path, ErrNotBase64)
		}
	}
	if last := parts[len(parts)-1]; strings.TrimSpace(last) == "" && len(parts) > 1 {
		return request{}, fmt.Errorf("%s: the document is %w: it is empty", path, ErrNotBase64)
	}
	return request{method: http.MethodPost, path: path, user: u, contentType: typeText, body: []byte(strings.Join(parts, "|"))}, nil
}

func encode(data []byte) string { return base64.StdEncoding.EncodeToString(data) }
