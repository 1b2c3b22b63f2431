package server

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"imzo/pki/cert"
	"imzo/pki/keystore"
)

// loadAnchors reads the roots that everything is verified up to. Certificates
// in the files that are no roots, as a trust store of E-IMZO-SERVER has them
// too, are reported and left out: were a CA an anchor, replies would name it
// as trustedCertificate where the original names the root.
//
// They come out of the cache, where documents that bring them along find them.
func loadAnchors(c Config, log *slog.Logger, known *cert.Cache) (*cert.Pool, error) {
	if c.TrustStoreFile == "" && c.TrustPEMFile == "" {
		return nil, ErrNoTrust
	}
	pool := cert.NewPool()
	for _, source := range []struct {
		key, path string
		parse     func([]byte) ([]*cert.Certificate, error)
	}{
		{"tsp.jks.file.path", c.TrustStoreFile, func(data []byte) ([]*cert.Certificate, error) {
			return keystore.ParseTrustStore(data, c.TrustStorePassword.Reveal())
		}},
		{"trust.pem.file.path", c.TrustPEMFile, cert.ParseAll},
	} {
		if source.path == "" {
			continue
		}
		data, err := readConfigured(source.path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", source.key, err)
		}
		certs, err := source.parse(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", source.key, source.path, err)
		}
		for _, c := range certs {
			if c, err = known.Parse(c.Raw); err != nil {
				return nil, fmt.Errorf("%s: %s: %w", source.key, source.path, err)
			}
			why := notRoot(c)
			if why == "" {
				pool.Add(c)
				continue
			}
			log.Warn("certificate is not trusted: "+why, "file", source.path, "serial", c.SerialHex(), "subject", c.Subject.String())
		}
	}
	if pool.Len() == 0 {
		return nil, fmt.Errorf("%s: %w", strings.Join(slices.DeleteFunc([]string{c.TrustStoreFile, c.TrustPEMFile}, func(s string) bool { return s == "" }), ", "), ErrNoTrust)
	}
	return pool, nil
}

// maxConfigured bounds the files that a configuration names: keys, trust
// stores and certificates.
const maxConfigured = 16 << 20

func readConfigured(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxConfigured+1))
	if err == nil && len(data) > maxConfigured {
		err = fmt.Errorf("%s: larger than %d bytes", path, maxConfigured)
	}
	return data, err
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
