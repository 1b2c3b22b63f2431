package keystore

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"

	jks "github.com/pavlo-v-chernykh/keystore-go/v4"

	"imzo/pki/cert"
)

// Magic numbers of Java's own formats.
const (
	jksMagic   = 0xfeedfeed
	jceksMagic = 0xcececece
)

// JKS is what a Java key store holds, in the order of its aliases.
type JKS struct {
	Trusted []*cert.Certificate
	// Entries are the keys that the store's password opens too, as keytool
	// makes them by default.
	Entries []Entry
}

// ParseJKS reads a Java key store. The password proves the store's integrity
// and opens its keys.
//
// Errors wrap [ErrPassword] when the password does not fit or the store was
// changed, which its digest does not tell apart, [ErrFormat], [ErrLimit], and
// [ErrUnsupported] for JCEKS.
func ParseJKS(data []byte, password string) (*JKS, error) {
	if err := checkJKS(data); err != nil {
		return nil, err
	}
	pw := []byte(password)
	defer clear(pw)
	store := jks.New(jks.WithOrderedAliases())
	if err := store.Load(bytes.NewReader(data), pw); err != nil {
		if strings.Contains(err.Error(), "digest") {
			return nil, fmt.Errorf("%w, or the Java key store was changed", ErrPassword)
		}
		return nil, formatError("Java key store", err)
	}
	var out JKS
	for _, alias := range store.Aliases() {
		if store.IsTrustedCertificateEntry(alias) {
			entry, err := store.GetTrustedCertificateEntry(alias)
			if err != nil {
				return nil, formatError(alias, err)
			}
			c, err := parseJKSCertificate(entry.Certificate)
			if err != nil {
				return nil, formatError(alias, err)
			}
			out.Trusted = append(out.Trusted, c)
			continue
		}
		entry, err := store.GetPrivateKeyEntry(alias, pw)
		if err != nil {
			return nil, fmt.Errorf("%w: the key %q has another one", ErrPassword, alias)
		}
		e, err := jksKey(alias, entry)
		clear(entry.PrivateKey)
		if err != nil {
			return nil, err
		}
		out.Entries = append(out.Entries, e)
	}
	return &out, nil
}

func jksKey(alias string, entry jks.PrivateKeyEntry) (Entry, error) {
	key, err := ParsePKCS8(entry.PrivateKey)
	if err != nil {
		return Entry{}, fmt.Errorf("key %q: %w", alias, err)
	}
	e := Entry{Alias: lower(alias), Key: key, Created: entry.CreationTime}
	for _, c := range entry.CertificateChain {
		parsed, err := parseJKSCertificate(c)
		if err != nil {
			return Entry{}, formatError(alias, err)
		}
		e.Chain = append(e.Chain, parsed)
	}
	return e, nil
}

func parseJKSCertificate(c jks.Certificate) (*cert.Certificate, error) {
	if c.Type != "X.509" && c.Type != "X509" {
		return nil, unsupportedf("certificate of type %q", c.Type)
	}
	return cert.Parse(c.Content)
}

// checkJKS walks over a store without reading what is in it: the library makes
// buffers as large as the store says they are.
func checkJKS(data []byte) error {
	const what = "Java key store"
	if len(data) > maxFile {
		return limitError(what, len(data))
	}
	r := jksReader{rest: data}
	switch magic := r.number(4); {
	case magic == jceksMagic:
		return unsupportedf("JCEKS; turn it into PKCS#12 with keytool -importkeystore -deststoretype PKCS12")
	case magic != jksMagic:
		return formatErrorf("no Java key store")
	}
	version, entries := r.number(4), r.number(4)
	if version != 1 && version != 2 {
		return formatErrorf("version %d of a Java key store", version)
	}
	if entries > maxBags {
		return fmt.Errorf("%w: more than %d entries", ErrLimit, maxBags)
	}
	certificate := func() {
		if version == 2 {
			r.skip(r.number(2)) // its type
		}
		r.skip(r.number(4))
	}
	for range entries {
		kind := r.number(4)
		r.skip(r.number(2)) // alias
		r.skip(8)           // date
		switch kind {
		case 1:
			r.skip(r.number(4))
			chain := r.number(4)
			if chain > maxChain {
				return fmt.Errorf("%w: a chain of more than %d certificates", ErrLimit, maxChain)
			}
			for range chain {
				certificate()
			}
		case 2:
			certificate()
		default:
			return formatErrorf("entry of kind %d in a Java key store", kind)
		}
	}
	r.skip(20) // digest
	if r.short || len(r.rest) > 0 {
		return formatErrorf("a Java key store that is cut off, or goes on after its end")
	}
	return nil
}

type jksReader struct {
	rest  []byte
	short bool
}

// number reads a big-endian number of two or four octets.
func (r *jksReader) number(size int) int64 {
	if len(r.rest) < size {
		r.short, r.rest = true, nil
		return 0
	}
	var full [4]byte
	copy(full[4-size:], r.rest)
	r.rest = r.rest[size:]
	return int64(binary.BigEndian.Uint32(full[:]))
}

func (r *jksReader) skip(n int64) {
	if n > int64(len(r.rest)) {
		r.short, r.rest = true, nil
		return
	}
	r.rest = r.rest[n:]
}

// Open reads a key file of any kind, by its content: PKCS#12, a Java key store
// or PEM. It returns all keys in it.
func Open(data []byte, password string) ([]Entry, error) {
	switch {
	case isJKS(data):
		store, err := ParseJKS(data, password)
		if err != nil {
			return nil, err
		}
		return store.Entries, nil
	case bytes.Contains(data, []byte("-----BEGIN ")):
		e, err := OpenPEM(data, password)
		if err != nil {
			return nil, err
		}
		return []Entry{e}, nil
	}
	return OpenPFX(data, password)
}

// ParseTrustStore reads the certificates of a trust store of any kind, by its
// content: a Java key store, PKCS#12, which Java 9 and later write under the
// name .jks too, PEM or one certificate in DER. Certificates that belong to
// keys are left out where the format tells them apart.
func ParseTrustStore(data []byte, password string) ([]*cert.Certificate, error) {
	if len(data) > maxFile {
		return nil, limitError("trust store", len(data))
	}
	if isJKS(data) {
		store, err := ParseJKS(data, password)
		if err != nil {
			return nil, err
		}
		return store.Trusted, nil
	}
	certs, err := cert.ParseAll(data)
	if err == nil {
		return certs, nil
	}
	if _, notPFX := parsePFX(data); notPFX != nil {
		return nil, formatError("trust store (neither JKS, PKCS#12 nor certificates)", err)
	}
	return pfxCertificates(data, password)
}

// CreateTrustStore returns a Java key store of trusted certificates, which have
// the aliases 1, 2, ... and are dated made.
func CreateTrustStore(certs []*cert.Certificate, password string, made time.Time) ([]byte, error) {
	store := jks.New(jks.WithOrderedAliases())
	for i, c := range certs {
		err := store.SetTrustedCertificateEntry(strconv.Itoa(i+1), jks.TrustedCertificateEntry{
			CreationTime: made, Certificate: jks.Certificate{Type: "X.509", Content: c.Raw},
		})
		if err != nil {
			return nil, formatError("trust store", err)
		}
	}
	var out bytes.Buffer
	if err := store.Store(&out, []byte(password)); err != nil {
		return nil, formatError("trust store", err)
	}
	return out.Bytes(), nil
}

func isJKS(data []byte) bool {
	if len(data) < 4 {
		return false
	}
	magic := binary.BigEndian.Uint32(data)
	return magic == jksMagic || magic == jceksMagic
}

// pfxCertificates returns the certificates of a PFX that are no key's own.
func pfxCertificates(data []byte, password string) ([]*cert.Certificate, error) {
	o, err := unlock(data, password, maxIterations)
	if err != nil {
		return nil, err
	}
	defer o.wipe()
	var certs []*cert.Certificate
	for _, b := range o.certs {
		if b.localKeyID != nil {
			continue
		}
		c, err := cert.Parse(b.der)
		if err != nil {
			return nil, formatError("certificate", err)
		}
		certs = append(certs, c)
	}
	return certs, nil
}
