package tunnel

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"time"

	"imzo/gost/gost3410"
	"imzo/pki/cert"
	"imzo/pki/ocsp"
)

// check judges the certificates of the other end, the first being its own;
// domain is "" for a user.
func (t Trust) check(ctx context.Context, chain []*cert.Certificate, staple []byte, domain string, now time.Time) error {
	leaf := chain[0]
	path, err := cert.BuildPath(leaf, cert.PathOptions{Anchors: t.Anchors, Intermediates: chain[1:], At: now})
	if err != nil {
		return &Error{Alert: AlertUntrusted, Err: err}
	}
	if len(path.Certificates) < 2 {
		return fault(AlertUntrusted, "a trust anchor is nobody's certificate")
	}
	if leaf.BasicConstraints != nil && leaf.BasicConstraints.IsCA {
		return fault(AlertUntrusted, "the certificate is that of a CA")
	}
	if leaf.HasKeyUsage && leaf.KeyUsage&cert.KeyUsageDigitalSignature == 0 {
		return fault(AlertUntrusted, "the key usage has no digitalSignature")
	}
	if domain != "" {
		err = checkDomain(leaf, domain)
	} else if served(leaf) {
		err = fault(AlertUntrusted, "the certificate is for a server, not for a user")
	}
	if err != nil {
		return err
	}
	if now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return fault(AlertExpired, "the certificate is valid from %s to %s", leaf.NotBefore.Format(time.RFC3339), leaf.NotAfter.Format(time.RFC3339))
	}
	return t.status(ctx, leaf, path.Issuer(), staple, now)
}

// status finds out whether the certificate is revoked. Where nobody can tell, it
// counts as unknown, which is not good.
func (t Trust) status(ctx context.Context, c, issuer *cert.Certificate, staple []byte, now time.Time) error {
	why := errors.New("no stapled answer, and nobody to ask")
	if t.Staples && len(staple) > 0 {
		good, err := stapled(c, issuer, staple, now)
		if good {
			return nil
		}
		var e *Error
		if errors.As(err, &e) {
			return e
		}
		why = err
	}
	if t.Status != nil {
		revoked, err := t.Status(ctx, c, issuer)
		switch {
		case err != nil:
			why = err
		case revoked:
			return &Error{Alert: AlertRevoked}
		default:
			return nil
		}
	}
	return &Error{Alert: AlertStatus, Err: why}
}

// stapled reads an answer that came with the certificate. It cannot have a
// nonce of ours, so its own dates bound its age.
func stapled(c, issuer *cert.Certificate, staple []byte, now time.Time) (good bool, err error) {
	response, err := ocsp.ParseResponse(staple)
	if err != nil {
		return false, err
	}
	single, err := response.Check(ocsp.CheckOptions{Certificate: c, Issuer: issuer, NoncePolicy: ocsp.NonceIgnored, Now: now})
	if err != nil {
		return false, err
	}
	switch single.Status {
	case ocsp.Good:
		return true, nil
	case ocsp.Revoked:
		return false, &Error{Alert: AlertRevoked}
	default:
		return false, errors.New("the stapled answer is: unknown")
	}
}

// served tells whether a certificate is for servers and nothing else.
func served(c *cert.Certificate) bool {
	for _, use := range c.ExtKeyUsage {
		if use != cert.OIDServerAuth && use != cert.OIDOCSPSigning && use != cert.OIDTimeStamping {
			return false
		}
	}
	return len(c.ExtKeyUsage) > 0
}

// checkDomain wants the domain among the alternative names (RFC 6125 6.4), or,
// where there are none, as the common name of a certificate for servers.
func checkDomain(c *cert.Certificate, domain string) error {
	server := slices.Contains(c.ExtKeyUsage, cert.OIDServerAuth) || slices.Contains(c.ExtKeyUsage, cert.OIDAnyExtKeyUsage)
	if len(c.ExtKeyUsage) > 0 && !server {
		return fault(AlertUntrusted, "the certificate is not for a server")
	}
	if len(c.DNSNames) == 0 && len(c.IPAddresses) == 0 {
		if server && sameHost(c.Subject.Get("CN"), domain) {
			return nil
		}
	} else if ip := net.ParseIP(domain); ip != nil {
		for _, a := range c.IPAddresses {
			if a.Equal(ip) {
				return nil
			}
		}
	} else {
		for _, name := range c.DNSNames {
			if sameHost(name, domain) {
				return nil
			}
		}
	}
	return fault(AlertName, "the certificate is not of %s", domain)
}

// sameHost compares host names. A first label of the pattern that is "*" stands
// for one label.
func sameHost(pattern, host string) bool {
	pattern, host = strings.ToLower(strings.TrimSuffix(pattern, ".")), strings.ToLower(strings.TrimSuffix(host, "."))
	if pattern == "" || host == "" {
		return false
	}
	if rest, ok := strings.CutPrefix(pattern, "*."); ok && net.ParseIP(host) == nil {
		_, parent, found := strings.Cut(host, ".")
		return found && parent == rest && strings.Contains(rest, ".")
	}
	return pattern == host
}

// publicKey is the key of a certificate, which must be GOST R 34.10-2001 or what
// is the same under another name.
func publicKey(c *cert.Certificate) (*gost3410.PublicKey, bool) {
	k, ok := c.PublicKey.Key.(*gost3410.PublicKey)
	return k, ok
}
