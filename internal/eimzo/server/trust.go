package server

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"imzo/pki/cert"
)

// loadAnchors reads the roots that everything is verified up to. Certificates
// in the file that are no roots, as a trust store of E-IMZO-SERVER has them
// too, are reported and left out: were a CA an anchor, replies would name it
// as trustedCertificate where the original names the root.
func loadAnchors(path string, log *slog.Logger) (*cert.Pool, error) {
	if path == "" {
		return nil, ErrNoTrust
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("trust.pem.file.path: %w", err)
	}
	certs, err := cert.ParseAll(data)
	if err != nil {
		return nil, fmt.Errorf("trust.pem.file.path: %s: %w", path, err)
	}
	pool := cert.NewPool()
	for _, c := range certs {
		why := notRoot(c)
		if why == "" {
			pool.Add(c)
			continue
		}
		log.Warn("certificate is not trusted: "+why, "file", path, "serial", c.SerialHex(), "subject", c.Subject.String())
	}
	if pool.Len() == 0 {
		return nil, fmt.Errorf("trust.pem.file.path: %s: %w", path, ErrNoTrust)
	}
	return pool, nil
}

// notRoot says why a certificate is not a root; "" when it is one.
func notRoot(c *cert.Certificate) string {
	if !c.SelfIssued() {
		return "it is no root, another CA has issued it"
	}
	if err := c.CheckSignatureFrom(c); err != nil {
		return "its signature is wrong"
	}
	if c.Version >= 3 && (c.BasicConstraints == nil || !c.BasicConstraints.IsCA) {
		return "it is not the certificate of a CA"
	}
	return ""
}

// findFile returns where a file is that a configuration names by a relative
// path. Beside the configuration comes first: what a server trusts should not
// depend on the folder it was started in.
func findFile(name, configFile string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	beside := filepath.Join(filepath.Dir(configFile), name)
	if _, err := os.Stat(beside); err != nil {
		if _, err := os.Stat(name); err == nil {
			return name
		}
	}
	return beside
}
