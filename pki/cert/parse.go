package cert

import (
	"bytes"
	"fmt"

	"imzo/pki/alg"
	"imzo/pki/ber"
)

const (
	// maxCertificate bounds the size. Real certificates have 1 to 10 KiB, one
	// with a post-quantum signature 50.
	maxCertificate = 256 << 10
	// maxAttributes bounds the attributes of a name, maxListed the entries
	// of one list in an extension. What is read takes several times the
	// memory of its encoding, and a document may hold a thousand
	// certificates. Real names have a dozen attributes, the longest lists
	// of alternative names some hundreds.
	maxAttributes = 128
	maxListed     = 1024
	// maxName bounds the octets of one name. Names are compared, printed and
	// shown many times over; real ones have 200 to 600 octets.
	maxName = 16 << 10
	// maxSerial bounds serial numbers. RFC 5280 4.1.2.2 allows 20 octets;
	// CAs that put a sign octet or a 32-octet digest there exist.
	maxSerial = 33
	// maxExtensions bounds the extensions of one certificate; real ones
	// have about a dozen. The search for duplicates is quadratic in it.
	maxExtensions = 100
)

func syntaxErrorf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrSyntax, fmt.Sprintf(format, args...))
}

// Parse reads one certificate with nothing after it. The package comment
// tells where it is tolerant. The result aliases der. Errors wrap [ErrSyntax]
// or those of pki/ber; a public key of an unknown algorithm is no error.
func Parse(der []byte) (*Certificate, error) {
	if len(der) > maxCertificate {
		return nil, syntaxErrorf("%d octets", len(der))
	}
	root, err := ber.Parse(der)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	c := &Certificate{Raw: root.Raw}
	if err := c.parse(root); err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	return c, nil
}

func (c *Certificate) parse(root ber.Element) error {
	if root.Tag != ber.TagSequence {
		return syntaxErrorf("tag %#02x is no Certificate", root.Tag)
	}
	r := root.Children()
	tbs, err := r.Read(ber.TagSequence)
	if err != nil {
		return err
	}
	outer, err := r.Read(ber.TagSequence)
	if err != nil {
		return err
	}
	signature, err := r.Read(ber.TagBitString)
	if err != nil {
		return err
	}
	if err := r.Done(); err != nil {
		return err
	}
	bits, unused, err := signature.BitString()
	if err != nil {
		return err
	}
	if unused != 0 {
		return syntaxErrorf("signature with %d unused bits", unused)
	}
	c.RawTBS, c.Signature = tbs.Raw, bits

	// No signature covers the shell around the signed part, so there must
	// be only one way to write it.
	if !bytes.Equal(root.Raw, ber.Sequence(tbs.Raw, outer.Raw, ber.BitString(bits))) {
		return syntaxErrorf("not DER around the signed part")
	}
	inner, err := c.parseTBS(tbs)
	if err != nil {
		return err
	}
	if !bytes.Equal(inner.Raw, outer.Raw) {
		return syntaxErrorf("inner and outer signature algorithms differ")
	}
	c.SignatureAlgorithm, err = alg.ParseAlgorithmIdentifier(outer)
	return err
}

// parseTBS reads the signed part and returns its signature algorithm.
func (c *Certificate) parseTBS(tbs ber.Element) (signature ber.Element, err error) {
	r := tbs.Children()
	if err := c.parseVersion(&r); err != nil {
		return ber.Element{}, err
	}
	serial, err := r.Read(ber.TagInteger)
	if err != nil {
		return ber.Element{}, err
	}
	if len(serial.Content) > maxSerial {
		return ber.Element{}, syntaxErrorf("serial number of %d octets", len(serial.Content))
	}
	if c.Serial, err = serial.Int(); err != nil {
		return ber.Element{}, err
	}
	if signature, err = r.Read(ber.TagSequence); err != nil {
		return ber.Element{}, err
	}
	if c.Issuer, err = readName(&r); err != nil {
		return ber.Element{}, fmt.Errorf("issuer: %w", err)
	}
	if err := c.parseValidity(&r); err != nil {
		return ber.Element{}, fmt.Errorf("validity: %w", err)
	}
	if c.Subject, err = readName(&r); err != nil {
		return ber.Element{}, fmt.Errorf("subject: %w", err)
	}
	c.RawIssuer, c.RawSubject = c.Issuer.Raw, c.Subject.Raw
	spki, err := r.Read(ber.TagSequence)
	if err != nil {
		return ber.Element{}, err
	}
	if c.PublicKey, err = alg.ParsePublicKey(spki); err != nil {
		return ber.Element{}, fmt.Errorf("public key: %w", err)
	}
	return signature, c.parseTail(&r)
}

// parseVersion reads the version, also the default written out.
func (c *Certificate) parseVersion(r *ber.Reader) error {
	c.Version = 1
	tagged, present, err := r.Optional(ber.ContextConstructed(0))
	if err != nil || !present {
		return err
	}
	in := tagged.Children()
	e, err := in.Read(ber.TagInteger)
	if err != nil {
		return err
	}
	v, err := e.Int64()
	if err != nil {
		return err
	}
	if v < 0 || v > 2 {
		return syntaxErrorf("version %d", v)
	}
	c.Version = int(v) + 1
	return in.Done()
}

func (c *Certificate) parseValidity(r *ber.Reader) error {
	seq, err := r.Read(ber.TagSequence)
	if err != nil {
		return err
	}
	in := seq.Children()
	from, err := in.Next()
	if err != nil {
		return err
	}
	if c.NotBefore, err = from.Time(); err != nil {
		return err
	}
	to, err := in.Next()
	if err != nil {
		return err
	}
	if c.NotAfter, err = to.Time(); err != nil {
		return err
	}
	return in.Done()
}

// parseTail reads what only later versions have: unique identifiers and
// extensions.
func (c *Certificate) parseTail(r *ber.Reader) error {
	for n := 1; n <= 2; n++ {
		e, present, err := r.Optional(ber.Context(n))
		if err != nil {
			return err
		}
		if !present {
			continue
		}
		if c.Version < 2 {
			return syntaxErrorf("unique identifier in version %d", c.Version)
		}
		if _, _, err := e.WithTag(ber.TagBitString).BitString(); err != nil {
			return err
		}
	}
	tagged, present, err := r.Optional(ber.ContextConstructed(3))
	if err != nil {
		return err
	}
	if !present {
		return r.Done()
	}
	if c.Version < 3 {
		return syntaxErrorf("extensions in version %d", c.Version)
	}
	in := tagged.Children()
	list, err := in.Read(ber.TagSequence)
	if err != nil {
		return err
	}
	if err := in.Done(); err != nil {
		return err
	}
	if err := c.parseExtensions(list); err != nil {
		return err
	}
	return r.Done()
}

func readName(r *ber.Reader) (Name, error) {
	e, err := r.Next()
	if err != nil {
		return Name{}, err
	}
	return ParseNameElement(e)
}
