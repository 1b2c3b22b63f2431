package soft

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode"
	"unicode/utf8"

	"imzo/gost/gost3410"
	"imzo/pki/alg"
	"imzo/pki/cert"
	"imzo/pki/token"
)

// ErrFormat is wrapped when a file is not a card, or is damaged or hostile.
var ErrFormat = errors.New("malformed card file")

const (
	format  = "imzo-card"
	version = 1

	// A chain of three certificates has some 6 KiB; those of Uzbekistan are
	// below 4 KiB each.
	maxCertificates = 8
	maxCertificate  = 16 << 10
	// maxFile holds the certificates in base64 with room for the rest.
	maxFile = 256 << 10
	// maxSPKI bounds a GOST key, which has about 100 octets.
	maxSPKI = 512

	maxName   = 128 // characters; readers have names of some 60
	maxSerial = 64  // characters; real ones have 16 to 40

	idSize = 16

	minPIN = 1
	// devicePIN is what E-IMZO allows for ID cards and BAIK tokens.
	devicePIN = 8
	// longestPIN is for UZGUARD tokens, whose length E-IMZO lets vary.
	longestPIN     = 16
	minPUK, maxPUK = 8, 16
	longestTries   = 15 // ISO 7816-4 has four bits for the counter
	pukTries       = 10
)

// card is the content of a file.
type card struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	// ID is random; it binds what is sealed to this card.
	ID       []byte     `json:"id"`
	Kind     token.Kind `json:"kind"`
	Name     string     `json:"name"`
	Serial   string     `json:"serial"`
	Created  time.Time  `json:"created"`
	MaxPIN   int        `json:"max_pin"`
	MaxTries int        `json:"max_tries"`
	PIN      lock       `json:"pin"`
	PUK      *lock      `json:"puk,omitempty"`
	// Present belongs to Chain, Pending waits for its certificate.
	Present *sealedKey `json:"present_key,omitempty"`
	Pending *sealedKey `json:"pending_key,omitempty"`
	// Chain is user, CA, root, in DER.
	Chain [][]byte `json:"chain,omitempty"`
}

// lock is the card key under a PIN or PUK, with its counter.
type lock struct {
	TriesLeft int    `json:"tries_left"`
	KDF       kdf    `json:"argon2id"`
	Sealed    []byte `json:"sealed_card_key"`
}

// sealedKey is a private key under the card key.
type sealedKey struct {
	// SPKI is the SubjectPublicKeyInfo, in DER; it names family, parameter set
	// and curve.
	SPKI []byte `json:"public_key"`
	// Sealed is the scalar, 32 octets big-endian.
	Sealed []byte `json:"sealed_private_key"`
}

// parse reads and checks a card file. Errors wrap [ErrFormat].
func parse(b []byte) (*card, error) {
	if len(b) > maxFile {
		return nil, formatErrorf("more than %d octets", maxFile)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var c card
	if err := d.Decode(&c); err != nil {
		return nil, formatErrorf("%w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, formatErrorf("something follows the card")
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	return &c, nil
}

func (c *card) marshal() ([]byte, error) {
	if err := c.check(); err != nil { // what we write we must be able to read
		return nil, err
	}
	b, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return nil, err
	}
	if b = append(b, '\n'); len(b) > maxFile {
		return nil, formatErrorf("more than %d octets", maxFile)
	}
	return b, nil
}

func (c *card) check() error {
	switch {
	case c.Format != format:
		return formatErrorf("format is not %q", format)
	case c.Version != version:
		return formatErrorf("version %d, known is %d", c.Version, version)
	case len(c.ID) != idSize:
		return formatErrorf("id of %d octets", len(c.ID))
	}
	if err := c.checkOptions(); err != nil {
		return err
	}
	if err := c.PIN.check("PIN", c.MaxTries); err != nil {
		return err
	}
	if c.PUK != nil {
		if err := c.PUK.check("PUK", pukTries); err != nil {
			return err
		}
	}
	for _, k := range []*sealedKey{c.Present, c.Pending} {
		if k != nil {
			if _, _, err := k.public(); err != nil {
				return err
			}
		}
	}
	_, err := c.chain()
	return err
}

// checkOptions checks what [Options] choose.
func (c *card) checkOptions() error {
	k, ok := kinds[c.Kind]
	if !ok {
		return formatErrorf("kind %q is none of idcard, baikey, uzgrd", c.Kind)
	}
	if c.MaxPIN < minPIN || c.MaxPIN > k.maxPIN {
		return formatErrorf("PIN of up to %d digits, at most %d for %s", c.MaxPIN, k.maxPIN, c.Kind)
	}
	if c.MaxTries < 1 || c.MaxTries > longestTries {
		return formatErrorf("%d tries, want 1 to %d", c.MaxTries, longestTries)
	}
	if c.Name == "" || !utf8.ValidString(c.Name) || utf8.RuneCountInString(c.Name) > maxName {
		return formatErrorf("name is empty or has more than %d characters", maxName)
	}
	for _, r := range c.Name {
		if !unicode.IsPrint(r) { // it ends up in logs, on terminals and in pages
			return formatErrorf("name has characters that do not print")
		}
	}
	if _, err := hex.DecodeString(c.Serial); err != nil || len(c.Serial) > maxSerial {
		return formatErrorf("serial is not hexadecimal of at most %d characters", maxSerial)
	}
	return nil
}

func (l *lock) check(name string, tries int) error {
	if l.TriesLeft < 0 || l.TriesLeft > tries {
		return formatErrorf("%d of %d tries left for the %s", l.TriesLeft, tries, name)
	}
	if len(l.Sealed) != keySize+sealOverhead {
		return formatErrorf("sealed card key of %d octets", len(l.Sealed))
	}
	return l.KDF.check()
}

// public returns the public key and its point.
func (k *sealedKey) public() (*alg.PublicKey, *gost3410.PublicKey, error) {
	if len(k.SPKI) > maxSPKI || len(k.Sealed) != gost3410.ScalarSize+sealOverhead {
		return nil, nil, formatErrorf("length of a key")
	}
	public, err := alg.ParsePublicKeyDER(k.SPKI)
	if err != nil {
		return nil, nil, formatErrorf("public key: %w", err)
	}
	point, ok := public.Key.(*gost3410.PublicKey)
	if !ok {
		return nil, nil, formatErrorf("public key is none of a card")
	}
	return public, point, nil
}

// chain returns the certificates, nil when there are none.
func (c *card) chain() ([]*cert.Certificate, error) {
	if len(c.Chain) > maxCertificates {
		return nil, formatErrorf("%d certificates, at most %d are allowed", len(c.Chain), maxCertificates)
	}
	var out []*cert.Certificate
	for _, der := range c.Chain {
		if len(der) > maxCertificate {
			return nil, formatErrorf("certificate of %d octets", len(der))
		}
		parsed, err := cert.Parse(der)
		if err != nil {
			return nil, formatErrorf("%w", err)
		}
		out = append(out, parsed)
	}
	return out, nil
}

func (c *card) info() token.Info {
	return token.Info{
		Kind: c.Kind, Name: c.Name, Serial: c.Serial,
		MinPIN: minPIN, MaxPIN: c.MaxPIN, TriesLeft: c.PIN.TriesLeft,
		Personalized: len(c.Chain) > 0,
	}
}

func formatErrorf(text string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrFormat, fmt.Errorf(text, args...))
}
