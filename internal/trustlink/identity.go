package trustlink

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"imzo/pki/alg"
	"imzo/pki/cert"
	"imzo/pki/keystore"
)

// identity is a client key and whom it trusts, with the connections that were
// made with them.
type identity struct {
	certificate *cert.Certificate // nil without a key
	tls         *tls.Config       // nil without TLS
	transport   *http.Transport
}

// readIdentity reads the files of the link.
func (l *Link) readIdentity() (*identity, error) {
	o := &l.options
	id := &identity{}
	var pair tls.Certificate
	if o.KeyFile != "" {
		data, err := readFile(o.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("key of the trust link: %w", err)
		}
		entries, err := keystore.Open(data, o.KeyPassword)
		if err == nil {
			pair, id.certificate, err = clientKey(entries, o.TLS)
		}
		clear(data)
		if err != nil {
			return nil, fmt.Errorf("key of the trust link: %s: %w", o.KeyFile, err)
		}
	}
	if o.TLS {
		trusted, err := readTrusted(o.TruststoreFile, o.TruststorePassword)
		if err != nil {
			return nil, fmt.Errorf("trust store of the trust link: %s: %w", o.TruststoreFile, err)
		}
		id.tls = &tls.Config{
			MinVersion: tls.VersionTLS12, // the last that Java 8 speaks without being told to
			NextProtos: []string{"http/1.1"},
			ServerName: o.Host,
			Time:       o.Now,
			// Always this one, whatever CAs the other end says that it likes:
			// a refusal says more than a missing key.
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil },
			// crypto/tls knows one way to look at names, and certificates
			// without alternative names have no chance with it. VerifyConnection
			// does all of its work, and ours.
			InsecureSkipVerify: true,
			VerifyConnection: func(c tls.ConnectionState) error {
				return verifyPeer(c.PeerCertificates, trusted, o.Host, o.Now())
			},
		}
	}
	id.transport = &http.Transport{
		DialContext:            l.dialer(id.tls),
		MaxIdleConnsPerHost:    32,
		MaxIdleConns:           32,
		IdleConnTimeout:        o.KeepAlive + 30*time.Second, // a ping comes before
		ResponseHeaderTimeout:  answerTimeout,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true,
	}
	return id, nil
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("%s: larger than %d octets", name, maxFile)
	}
	return data, err
}

// clientKey picks the key of a file that TLS can use; of several, the one that
// is valid for the longest time. Without TLS any key will do.
func clientKey(entries []keystore.Entry, forTLS bool) (tls.Certificate, *cert.Certificate, error) {
	var best *keystore.Entry
	gost := false
	for i, e := range entries {
		switch {
		case len(e.Chain) == 0:
			continue
		case forTLS && !usable(e.Key):
			gost = true
			continue
		}
		if best == nil || e.Chain[0].NotAfter.After(best.Chain[0].NotAfter) {
			best = &entries[i]
		}
	}
	switch {
	case best == nil && gost:
		return tls.Certificate{}, nil, ErrGOSTKey
	case best == nil:
		return tls.Certificate{}, nil, ErrNoKey
	}
	pair := tls.Certificate{PrivateKey: best.Key.Signer()}
	for _, c := range best.Chain {
		pair.Certificate = append(pair.Certificate, c.Raw)
	}
	if !forTLS {
		return tls.Certificate{}, best.Chain[0], nil
	}
	leaf, err := x509.ParseCertificate(best.Chain[0].Raw)
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("certificate %s: %w", best.Chain[0].SerialHex(), err)
	}
	if own, ok := best.Key.Signer().Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !own.Equal(leaf.PublicKey) {
		return tls.Certificate{}, nil, fmt.Errorf("certificate %s is not that of the key", best.Chain[0].SerialHex())
	}
	pair.Leaf = leaf
	return pair, best.Chain[0], nil
}

// usable tells whether crypto/tls can sign with a key.
func usable(k *alg.PrivateKey) bool {
	switch k.Signer().Public().(type) {
	case *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	}
	return false
}

// readTrusted reads a trust store. What crypto/x509 cannot read, such as a root
// with a GOST key, cannot vouch for a TLS certificate either and is left out.
func readTrusted(name, password string) ([]*x509.Certificate, error) {
	data, err := readFile(name)
	if err != nil {
		return nil, err
	}
	certs, err := keystore.ParseTrustStore(data, password)
	if err != nil {
		return nil, err
	}
	var trusted []*x509.Certificate
	for _, c := range certs {
		if parsed, err := x509.ParseCertificate(c.Raw); err == nil && parsed.PublicKeyAlgorithm != x509.UnknownPublicKeyAlgorithm {
			trusted = append(trusted, parsed)
		}
	}
	if len(trusted) == 0 {
		return nil, fmt.Errorf("none of its %d certificates is one for TLS", len(certs))
	}
	return trusted, nil
}

// verifyPeer decides whether the other end is that of the link. See the
// package documentation for the rules.
func verifyPeer(chain, trusted []*x509.Certificate, host string, now time.Time) error {
	if len(chain) == 0 {
		return fmt.Errorf("%w: it has no certificate", ErrPeer)
	}
	leaf := chain[0]
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	for _, c := range trusted {
		roots.AddCert(c)
	}
	for _, c := range chain[1:] {
		intermediates.AddCert(c)
	}
	// An absent extended key usage allows everything, so it does here.
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: intermediates, CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPeer, err)
	}
	switch {
	case slices.ContainsFunc(trusted, leaf.Equal):
		return nil
	case len(leaf.DNSNames) > 0 || len(leaf.IPAddresses) > 0:
		if err := leaf.VerifyHostname(host); err != nil {
			return fmt.Errorf("%w: %w", ErrPeer, err)
		}
		return nil
	case strings.EqualFold(leaf.Subject.CommonName, host), slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageServerAuth):
		return nil
	}
	return fmt.Errorf("%w: its certificate has no alternative names, another common name than %s, and is not declared a server's; "+
		"if it is the right one, put the certificate itself into the trust store", ErrPeer, host)
}
