package keystore

import (
	"imzo/pki/cert"
)

// chain returns leaf and its issuers among certs, until a self-issued one or
// until none is found. It orders; it does not validate.
func chain(leaf *cert.Certificate, certs []*cert.Certificate) []*cert.Certificate {
	out := []*cert.Certificate{leaf}
	seen := map[*cert.Certificate]bool{leaf: true}
	for c := leaf; !c.SelfIssued() && len(out) < maxChain; {
		issuer := issuerOf(c, certs, seen)
		if issuer == nil {
			break
		}
		seen[issuer] = true
		out = append(out, issuer)
		c = issuer
	}
	return out
}

// maxIssuerChecks bounds the signatures verified to choose between issuers of
// one name: CAs renew their keys a few times, not more.
const maxIssuerChecks = 8

// issuerOf returns the certificate with the name of c's issuer; when several
// have it, the one whose key verifies c.
func issuerOf(c *cert.Certificate, certs []*cert.Certificate, seen map[*cert.Certificate]bool) *cert.Certificate {
	var found []*cert.Certificate
	for _, o := range certs {
		if !seen[o] && o.Subject.Equal(c.Issuer) {
			found = append(found, o)
		}
	}
	if len(found) == 0 {
		return nil
	}
	if len(found) > 1 {
		for _, o := range found[:min(len(found), maxIssuerChecks)] {
			if c.CheckSignatureFrom(o) == nil {
				return o
			}
		}
	}
	return found[0]
}
