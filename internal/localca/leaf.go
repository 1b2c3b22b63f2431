package localca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"time"
)

// ErrValidity tells that the authority may not sign at this time: it has ended,
// and Renew is due, or the clock is wrong.
var ErrValidity = errors.New("the local CA is not valid at this time")

// leaf is a server certificate with its key.
type leaf struct {
	tls *tls.Certificate
	due time.Time // from then on there should be another
}

// valid tells whether the certificate is of use. One from the future is not:
// the clock has been set back.
func (l *leaf) valid(now time.Time) bool {
	return l != nil && !now.Before(l.tls.Leaf.NotBefore) && now.Before(l.tls.Leaf.NotAfter)
}

func (l *leaf) fresh(now time.Time) bool { return l.valid(now) && now.Before(l.due) }

// GetCertificate is for [tls.Config]: a certificate for localhost, 127.0.0.1 and
// ::1 with that of the CA, whatever name the client asks for. It lives 90 days,
// and is made anew, with a new key, when a third of that is left. Callers do not
// change it. The error wraps [ErrValidity] when the authority may not sign.
func (a *Authority) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	l, err := a.current()
	if err != nil {
		return nil, err
	}
	return l.tls, nil
}

// current returns a certificate that is fresh, or at least valid when no other
// can be made.
func (a *Authority) current() (*leaf, error) {
	if l := a.leaf.Load(); l.fresh(a.options.Now()) {
		return l, nil
	}
	made, err, _ := a.renewal.Do("", func() (any, error) {
		now := a.options.Now()
		old := a.leaf.Load()
		if old.fresh(now) { // made between the look above and here
			return old, nil
		}
		l, err := a.issue(now)
		if err == nil {
			a.leaf.Store(l)
			a.options.Log.Debug("made a server certificate", "until", l.tls.Leaf.NotAfter)
			return l, nil
		}
		if old.valid(now) {
			a.options.Log.Warn("cannot make a new server certificate", "error", err)
			return old, nil
		}
		return nil, err
	})
	if err != nil {
		return nil, err
	}
	return made.(*leaf), nil
}

// issue makes a certificate with a key of its own.
func (a *Authority) issue(now time.Time) (*leaf, error) {
	if !a.valid() {
		return nil, fmt.Errorf("%w: valid from %s to %s", ErrValidity, a.cert.NotBefore.Format(time.RFC3339), a.cert.NotAfter.Format(time.RFC3339))
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), a.options.Rand)
	if err != nil {
		return nil, err
	}
	serial, err := serialNumber(a.options.Rand)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{Organization: []string{"Imzo"}, CommonName: "localhost"},
		NotBefore:             later(now.Add(-backdate), a.cert.NotBefore),
		NotAfter:              now.Add(leafLife),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		DNSNames:              []string{"localhost"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1).To4(), net.IPv6loopback},
	}
	due := now.Add(leafLife * 2 / 3)
	if template.NotAfter.After(a.cert.NotAfter) {
		// Another would end at the same time.
		template.NotAfter, due = a.cert.NotAfter, a.cert.NotAfter
	}
	der, err := x509.CreateCertificate(a.options.Rand, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &leaf{&tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key, Leaf: parsed}, due}, nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
