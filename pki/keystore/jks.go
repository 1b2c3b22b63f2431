package keystore

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	jks "github.com/pavlo-v-chernykh/keystore-go/v4"

	"imzo/pki/alg"
	"imzo/pki/ber"
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
// and opens its keys; "" is a password like any other, unlike Java's null, for
// which nothing is checked.
//
// Errors wrap [ErrPassword] when the password does not fit or the store was
// changed, which its digest does not tell apart, [ErrFormat], [ErrLimit], and
// [ErrUnsupported] for JCEKS and for passwords with letters beyond Latin-1.
func ParseJKS(data []byte, password string) (*JKS, error) {
	store, err := loadJKS(data, password)
	if err != nil {
		return nil, err
	}
	defer store.wipe()
	var out JKS
	if out.Trusted, err = store.trusted(); err != nil {
		return nil, err
	}
	out.Entries, err = store.keys()
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// jksStore is a store whose password fits.
type jksStore struct {
	jks.KeyStore
	password []byte
}

func (s *jksStore) wipe() { clear(s.password) }

// loadJKS reads a store. Its result has to be wiped.
func loadJKS(data []byte, password string) (*jksStore, error) {
	if err := checkJKS(data); err != nil {
		return nil, err
	}
	pw, err := jksPasswordOctets(password)
	if err != nil {
		return nil, err
	}
	// Java writes aliases in lower case; others may not, and the library
	// would not find those again.
	s := &jksStore{jks.New(jks.WithOrderedAliases(), jks.WithCaseExactAliases()), pw}
	if err := s.Load(bytes.NewReader(data), pw); err != nil {
		s.wipe()
		if strings.Contains(err.Error(), "digest") {
			return nil, fmt.Errorf("%w, or the Java key store was changed", ErrPassword)
		}
		return nil, formatError("Java key store", err)
	}
	return s, nil
}

// jksPasswordOctets returns a password as the library takes it: an octet for
// each of the UTF-16 units that Java hashes, whose upper halves are zero then.
func jksPasswordOctets(password string) ([]byte, error) {
	if !utf8.ValidString(password) || len(password) > maxPassword {
		return nil, ErrPassword
	}
	pw := make([]byte, 0, len(password))
	for _, r := range password {
		if r > 0xff {
			clear(pw)
			return nil, unsupportedf("Java key store under a password with letters beyond Latin-1")
		}
		pw = append(pw, byte(r))
	}
	return pw, nil
}

// trusted returns the certificates that stand alone.
func (s *jksStore) trusted() ([]*cert.Certificate, error) {
	var certs []*cert.Certificate
	for _, alias := range s.Aliases() {
		if !s.IsTrustedCertificateEntry(alias) {
			continue
		}
		entry, err := s.GetTrustedCertificateEntry(alias)
		if err != nil {
			return nil, formatError(alias, err)
		}
		c, err := parseJKSCertificate(entry.Certificate)
		if err != nil {
			return nil, jksError(alias, err)
		}
		certs = append(certs, c)
	}
	return certs, nil
}

// keys opens the keys.
func (s *jksStore) keys() ([]Entry, error) {
	var entries []Entry
	for _, alias := range s.Aliases() {
		if !s.IsPrivateKeyEntry(alias) {
			continue
		}
		entry, err := s.GetPrivateKeyEntry(alias, s.password)
		switch {
		case err != nil && strings.Contains(err.Error(), "digest"):
			return nil, fmt.Errorf("%w: the key %q has another one", ErrPassword, alias)
		case err != nil:
			return nil, unsupportedf("key %q: %v", alias, err)
		}
		e, err := jksKey(alias, entry)
		clear(entry.PrivateKey)
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// jksError names the entry that an error is about, and is a format error when
// it is of no kind yet.
func jksError(alias string, err error) error {
	if errors.Is(err, ErrUnsupported) {
		return fmt.Errorf("entry %q: %w", alias, err)
	}
	return formatError(fmt.Sprintf("entry %q", alias), err)
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
			return Entry{}, jksError(alias, err)
		}
		e.Chain = append(e.Chain, parsed)
	}
	if len(e.Chain) == 0 {
		return e, nil
	}
	if !key.PublicKey().SameKey(e.Chain[0].PublicKey) {
		return Entry{}, formatErrorf("the certificate of key %q is another key's", alias)
	}
	// The certificate knows the parameter set and identifiers best.
	if e.Key, err = alg.NewPrivateKeyWithSPKI(key.Signer(), e.Chain[0].PublicKey); err != nil {
		return Entry{}, algError(err)
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
			r.take(r.number(2)) // its type
		}
		r.take(r.number(4))
	}
	for range entries {
		kind := r.number(4)
		r.take(r.number(2)) // alias
		r.take(8)           // date
		switch kind {
		case 1:
			key := r.take(r.number(4))
			if !r.short {
				if err := checkJKSKey(key); err != nil {
					return err
				}
			}
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
	r.take(sha1.Size) // digest
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

func (r *jksReader) take(n int64) []byte {
	if n > int64(len(r.rest)) {
		r.short, r.rest = true, nil
		return nil
	}
	out := r.rest[:n]
	r.rest = r.rest[n:]
	return out
}

// checkJKSKey looks at the EncryptedPrivateKeyInfo of a key (RFC 5958 3): the
// library takes for granted that its ciphertext has a salt before it and a
// digest after it.
func checkJKSKey(der []byte) error {
	const what = "key of a Java key store"
	r, err := sequence(der, what)
	if err != nil {
		return err
	}
	if _, err := readIdentifier(&r, what); err != nil {
		return err
	}
	data, err := r.Read(ber.TagOctetString)
	if err != nil {
		return formatError(what, err)
	}
	if ciphertext, err := data.OctetString(); err != nil || len(ciphertext) < 2*sha1.Size {
		return formatErrorf("%s: ciphertext too short", what)
	}
	return nil
}

// Open reads a key file of any kind, by its content: PKCS#12, YKS, a Java key
// store or PEM. It returns all keys in it.
func Open(data []byte, password string) ([]Entry, error) {
	switch {
	case IsYKS(data):
		return OpenYKS(data, password)
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
// name .jks too, YKS, PEM or one certificate in DER. Certificates that belong to
// keys are left out where the format tells them apart, and the keys of a Java
// key store are not opened. Errors are those of [ParseJKS] and [OpenPFX].
func ParseTrustStore(data []byte, password string) ([]*cert.Certificate, error) {
	return parseTrustStore(data, password, maxIterations)
}

func parseTrustStore(data []byte, password string, iterations int64) ([]*cert.Certificate, error) {
	if len(data) > maxFile {
		return nil, limitError("trust store", len(data))
	}
	if isJKS(data) {
		store, err := loadJKS(data, password)
		if err != nil {
			return nil, err
		}
		defer store.wipe()
		return store.trusted()
	}
	if IsYKS(data) {
		return trustedYKS(data, password)
	}
	certs, err := cert.ParseAll(data)
	if err == nil {
		return certs, nil
	}
	if _, notPFX := parsePFX(data); notPFX != nil {
		return nil, formatError("trust store (neither JKS, PKCS#12 nor certificates)", err)
	}
	return pfxCertificates(data, password, iterations)
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
	pw, err := jksPasswordOctets(password)
	if err != nil {
		return nil, err
	}
	defer clear(pw)
	var out bytes.Buffer
	if err := store.Store(&out, pw); err != nil {
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
func pfxCertificates(data []byte, password string, iterations int64) ([]*cert.Certificate, error) {
	o, err := unlock(data, password, iterations)
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
