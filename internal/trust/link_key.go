package trust

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"imzo/internal/atomicfile"
	"imzo/pki/cert"
	"imzo/pki/keystore"
)

// DefaultTruststorePassword is what a server takes vpn.truststore.password for
// when it is absent. A trust store holds no secret.
const DefaultTruststorePassword = "12345678"

// LinkKeyRequest asks for the key of a server for the link.
type LinkKeyRequest struct {
	Domain  string
	KeySpec string // default ecdsa:P-256; rsa:2048 and ed25519 are the others of TLS
	Days    int    // validity; default two years
	// Out is a file that ends in .p12, .pfx, .key (PKCS#12) or .pem, or a
	// folder, where the file is named as the guide does:
	// example.uz-2026-11-23.key, after the domain and the last day.
	Out      string
	Password string
	// Truststore is where the trust store goes, unless NoTruststore: PEM when
	// it ends in .pem, a Java key store otherwise; "" is vpn.jks beside the
	// key. It is left as it is when it trusts the VPN CA already.
	Truststore   string
	NoTruststore bool
}

// LinkKey is what [Authority.IssueLinkKey] has written.
type LinkKey struct {
	File       string
	Truststore string // "" when none was asked for
	Entry      keystore.Entry
}

// IssueLinkKey makes the key of a server for the link and writes it and the
// trust store for it. A key file is never replaced.
func (a *Authority) IssueLinkKey(r LinkKeyRequest, loc *time.Location) (LinkKey, error) {
	if !isHostName(strings.ToLower(r.Domain)) {
		return LinkKey{}, fmt.Errorf("%w: %q is no domain", ErrSubject, r.Domain)
	}
	if err := tlsKeySpec(r.KeySpec); err != nil {
		return LinkKey{}, err
	}
	var key LinkKey
	if !r.NoTruststore {
		if key.Truststore = r.Truststore; key.Truststore == "" {
			key.Truststore = filepath.Join(outputFolder(r.Out), "vpn.jks")
		}
		if err := a.writeTruststore(key.Truststore); err != nil {
			return LinkKey{}, err
		}
	}
	request := Request{Profile: ProfileVPN, Subject: Subject{CommonName: r.Domain}, KeySpec: r.KeySpec, Days: r.Days}
	var err error
	key.File, key.Entry, err = a.issueTo(request, loc, r.Out, func(e keystore.Entry) (string, error) {
		out := r.Out
		if info, err := os.Stat(out); err == nil && info.IsDir() {
			out = filepath.Join(out, r.Domain+"-"+e.Chain[0].NotAfter.In(loc).Format(time.DateOnly)+".key")
		}
		var data []byte
		var err error
		if strings.EqualFold(filepath.Ext(out), ".pem") {
			data, err = keystore.EncodePEM(rand.Reader, e, r.Password)
		} else {
			data, err = keystore.CreatePFX(rand.Reader, []keystore.Entry{e}, r.Password, keystore.ProfileModern)
		}
		if err != nil {
			return "", err
		}
		return out, atomicfile.Create(out, data, 0o600)
	})
	return key, err
}

// tlsKeySpec refuses keys that crypto/tls has no use for.
func tlsKeySpec(spec string) error {
	family, _, _ := strings.Cut(spec, ":")
	switch family {
	case "", "rsa", "ecdsa", "ed25519":
		return nil
	}
	return fmt.Errorf("%w: TLS takes rsa:2048, ecdsa:P-256 or ed25519 keys, not %s", ErrKeySpec, spec)
}

// writeTruststore writes the VPN CA for clients, unless it is there.
func (a *Authority) writeTruststore(path string) error {
	ca := a.entities[entityVPN].Chain[0]
	if data, err := os.ReadFile(path); err == nil {
		certs, err := keystore.ParseTrustStore(data, DefaultTruststorePassword)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		for _, c := range certs {
			if c.Equal(ca) {
				return nil
			}
		}
		return fmt.Errorf("%s: %w, and does not trust the VPN CA of this hierarchy", path, os.ErrExist)
	}
	data := cert.EncodePEM(ca)
	if !strings.EqualFold(filepath.Ext(path), ".pem") {
		var err error
		if data, err = keystore.CreateTrustStore([]*cert.Certificate{ca}, DefaultTruststorePassword, a.now()); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return atomicfile.Create(path, data, 0o644)
}
