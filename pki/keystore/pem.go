package keystore

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"

	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
)

// The PEM types read (RFC 7468, and what OpenSSL wrote before).
const (
	pemKey          = "PRIVATE KEY"
	pemEncryptedKey = "ENCRYPTED PRIVATE KEY"
	pemRSAKey       = "RSA PRIVATE KEY"
	pemECKey        = "EC PRIVATE KEY"
	pemCertificate  = "CERTIFICATE"
)

// ParsePEMKey reads the one private key of a PEM file and passes over all
// else in it. Errors are those of [OpenPEM].
func ParsePEMKey(data []byte, password string) (*alg.PrivateKey, error) {
	key, _, err := parsePEM(data, password)
	return key, err
}

// OpenPEM reads a PEM file with one private key (PKCS#8, encrypted with PBES2
// or PKCS#12 PBE or not, or the older RSA and EC forms) and, in any order, its
// certificate and issuers. The entry has no alias. The chain is empty when the
// file has no certificates; certificates without the key's own are an error.
//
// Errors wrap [ErrPassword], [ErrFormat], [ErrUnsupported] (such as the
// encryption of "Proc-Type" headers) or [ErrLimit].
func OpenPEM(data []byte, password string) (Entry, error) {
	key, certs, err := parsePEM(data, password)
	if err != nil {
		return Entry{}, err
	}
	if len(certs) == 0 {
		return Entry{Key: key}, nil
	}
	for _, c := range certs {
		if !key.PublicKey().SameKey(c.PublicKey) {
			continue
		}
		if key, err = alg.NewPrivateKeyWithSPKI(key.Signer(), c.PublicKey); err != nil {
			return Entry{}, algError(err)
		}
		return Entry{Key: key, Chain: chain(c, certs)}, nil
	}
	return Entry{}, formatErrorf("no certificate of the private key")
}

func parsePEM(data []byte, password string) (key *alg.PrivateKey, certs []*cert.Certificate, err error) {
	if len(data) > maxFile {
		return nil, nil, limitError("PEM", len(data))
	}
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			break
		}
		data = rest
		switch block.Type {
		case pemKey, pemEncryptedKey, pemRSAKey, pemECKey:
			if key != nil {
				return nil, nil, formatErrorf("more than one private key")
			}
			if key, err = parsePEMBlock(block, password); err != nil {
				return nil, nil, err
			}
		case pemCertificate:
			if len(certs) == maxBags {
				return nil, nil, fmt.Errorf("%w: more than %d certificates", ErrLimit, maxBags)
			}
			c, err := cert.Parse(block.Bytes)
			if err != nil {
				return nil, nil, formatError("certificate", err)
			}
			certs = append(certs, c)
		}
	}
	if key == nil {
		return nil, nil, formatErrorf("no private key")
	}
	return key, certs, nil
}

func parsePEMBlock(block *pem.Block, password string) (*alg.PrivateKey, error) {
	defer clear(block.Bytes)
	if len(block.Bytes) > maxKey {
		return nil, limitError("private key", len(block.Bytes))
	}
	if block.Headers["DEK-Info"] != "" {
		return nil, unsupportedf("encryption of RFC 1421")
	}
	switch block.Type {
	case pemEncryptedKey:
		return decryptPKCS8(block.Bytes, password, maxIterations)
	case pemRSAKey:
		key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err != nil {
			return nil, formatError("RSA private key", err)
		}
		return wrapStd(key)
	case pemECKey:
		key, err := x509.ParseECPrivateKey(block.Bytes)
		if err != nil {
			return nil, formatError("EC private key", err)
		}
		return wrapStd(key)
	}
	return ParsePKCS8(block.Bytes)
}

// decryptPKCS8 reads an EncryptedPrivateKeyInfo.
func decryptPKCS8(der []byte, password string, iterations int64) (*alg.PrivateKey, error) {
	e, err := ber.Parse(der)
	if err != nil {
		return nil, formatError("encrypted private key", err)
	}
	enc, ciphertext, err := parseEncryptedKey(e)
	if err != nil {
		return nil, err
	}
	pw, err := newPassword(password)
	if err != nil {
		return nil, err
	}
	defer pw.wipe()
	plain, err := enc.decrypt(pw, &work{iterations}, ciphertext)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	return ParsePKCS8(plain)
}

// EncodePEM writes the key as PKCS#8 and the chain after it. With a password
// the key is encrypted as in [ProfileModern]; with "" it is not, and the caller
// clears the result. The alias is not written.
func EncodePEM(rand io.Reader, e Entry, password string) ([]byte, error) {
	block, err := pemBlock(rand, e.Key, password)
	if err != nil {
		return nil, err
	}
	defer clear(block.Bytes)
	var out bytes.Buffer
	if err := pem.Encode(&out, block); err != nil {
		return nil, err
	}
	out.Write(cert.EncodePEM(e.Chain...))
	return out.Bytes(), nil
}

func pemBlock(rand io.Reader, key *alg.PrivateKey, password string) (*pem.Block, error) {
	if password == "" {
		der, err := MarshalPKCS8(key)
		return &pem.Block{Type: pemKey, Bytes: der}, err
	}
	prof, err := ProfileModern.profile()
	if err != nil {
		return nil, err
	}
	pw, err := newPassword(password)
	if err != nil {
		return nil, err
	}
	defer pw.wipe()
	der, err := encryptPKCS8(rand, prof, pw, key)
	return &pem.Block{Type: pemEncryptedKey, Bytes: der}, err
}
