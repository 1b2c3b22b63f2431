package cert

import (
	"fmt"
	"math"
	"net"

	"imzo/pki/ber"
)

// The extensions this package reads (RFC 5280 4.2, RFC 6960 4.2.2.2.1), and
// the key purposes that callers ask for.
var (
	OIDSubjectKeyID          = ber.MustOID("2.5.29.14")
	OIDKeyUsage              = ber.MustOID("2.5.29.15")
	OIDSubjectAltName        = ber.MustOID("2.5.29.17")
	OIDBasicConstraints      = ber.MustOID("2.5.29.19")
	OIDNameConstraints       = ber.MustOID("2.5.29.30")
	OIDCRLDistributionPoints = ber.MustOID("2.5.29.31")
	OIDCertificatePolicies   = ber.MustOID("2.5.29.32")
	OIDAuthorityKeyID        = ber.MustOID("2.5.29.35")
	OIDExtKeyUsage           = ber.MustOID("2.5.29.37")
	OIDAuthorityInfoAccess   = ber.MustOID("1.3.6.1.5.5.7.1.1")
	OIDOCSPNoCheck           = ber.MustOID("1.3.6.1.5.5.7.48.1.5")

	// OIDAnyExtKeyUsage is anyExtendedKeyUsage (RFC 5280 4.2.1.12).
	OIDAnyExtKeyUsage  = ber.MustOID("2.5.29.37.0")
	OIDServerAuth      = ber.MustOID("1.3.6.1.5.5.7.3.1")
	OIDClientAuth      = ber.MustOID("1.3.6.1.5.5.7.3.2")
	OIDEmailProtection = ber.MustOID("1.3.6.1.5.5.7.3.4")
	OIDTimeStamping    = ber.MustOID("1.3.6.1.5.5.7.3.8")
	OIDOCSPSigning     = ber.MustOID("1.3.6.1.5.5.7.3.9")

	oidAccessOCSP         = ber.MustOID("1.3.6.1.5.5.7.48.1")
	oidAccessCAIssuers    = ber.MustOID("1.3.6.1.5.5.7.48.2")
	oidAccessTimeStamping = ber.MustOID("1.3.6.1.5.5.7.48.3")
)

// extensionParsers read the value of an extension into the certificate. A
// critical extension with a parser counts as handled, unless the parser says
// otherwise.
var extensionParsers = map[ber.OID]func(c *Certificate, value ber.Element) (handled bool, err error){
	OIDSubjectKeyID:          parseSubjectKeyID,
	OIDKeyUsage:              parseKeyUsage,
	OIDSubjectAltName:        parseSubjectAltName,
	OIDBasicConstraints:      parseBasicConstraints,
	OIDNameConstraints:       parseNameConstraints,
	OIDCRLDistributionPoints: parseCRLDistributionPoints,
	OIDCertificatePolicies:   parsePolicies,
	OIDAuthorityKeyID:        parseAuthorityKeyID,
	OIDExtKeyUsage:           parseExtKeyUsage,
	OIDAuthorityInfoAccess:   parseAuthorityInfoAccess,
	OIDOCSPNoCheck:           parseOCSPNoCheck,
}

func (c *Certificate) parseExtensions(list ber.Element) error {
	for r := list.Children(); !r.Empty(); {
		e, err := r.Read(ber.TagSequence)
		if err != nil {
			return err
		}
		x, err := parseExtension(e)
		if err != nil {
			return fmt.Errorf("extension: %w", err)
		}
		if _, dup := c.Extension(x.OID); dup {
			return syntaxErrorf("extension %s occurs twice", x.OID)
		}
		if len(c.Extensions) == maxExtensions {
			return syntaxErrorf("more than %d extensions", maxExtensions)
		}
		c.Extensions = append(c.Extensions, x)
		if err := c.interpret(x); err != nil {
			return fmt.Errorf("extension %s: %w", x.OID, err)
		}
	}
	if len(c.Extensions) == 0 {
		return syntaxErrorf("empty list of extensions")
	}
	return nil
}

func parseExtension(e ber.Element) (Extension, error) {
	r := e.Children()
	id, err := r.Read(ber.TagOID)
	if err != nil {
		return Extension{}, err
	}
	var x Extension
	if x.OID, err = id.OID(); err != nil {
		return Extension{}, err
	}
	critical, present, err := r.Optional(ber.TagBoolean)
	if err != nil {
		return Extension{}, err
	}
	if present {
		if x.Critical, err = critical.Bool(); err != nil {
			return Extension{}, err
		}
	}
	value, err := r.Read(ber.TagOctetString)
	if err != nil {
		return Extension{}, err
	}
	if x.Value, err = value.OctetString(); err != nil {
		return Extension{}, err
	}
	return x, r.Done()
}

// interpret reads an extension of a known type and notes the critical ones
// that are not handled.
func (c *Certificate) interpret(x Extension) error {
	handled := false
	if parse, ok := extensionParsers[x.OID]; ok {
		value, err := ber.Parse(x.Value)
		if err != nil {
			return err
		}
		if handled, err = parse(c, value); err != nil {
			return err
		}
	}
	if x.OID == OIDExtKeyUsage {
		c.ExtKeyUsageCritical = x.Critical
	}
	// Name constraints bind also where the CA forgot to mark them critical,
	// as RFC 5280 4.2.1.10 tells it to.
	if !handled && (x.Critical || x.OID == OIDNameConstraints) {
		c.UnhandledCritical = append(c.UnhandledCritical, x.OID)
	}
	return nil
}

// sequenceOf calls f for each element of a SEQUENCE.
func sequenceOf(e ber.Element, f func(ber.Element) error) error {
	if e.Tag != ber.TagSequence {
		return syntaxErrorf("tag %#02x is no SEQUENCE", e.Tag)
	}
	return each(e, f)
}

// each calls f for each element inside e, whatever the tag of e.
func each(e ber.Element, f func(ber.Element) error) error {
	r := e.Children()
	for n := 0; !r.Empty(); n++ {
		if n == maxListed {
			return syntaxErrorf("more than %d entries", maxListed)
		}
		item, err := r.Next()
		if err != nil {
			return err
		}
		if err := f(item); err != nil {
			return err
		}
	}
	return r.Done()
}

func parseSubjectKeyID(c *Certificate, value ber.Element) (bool, error) {
	if value.Tag != ber.TagOctetString {
		return false, syntaxErrorf("key identifier with tag %#02x", value.Tag)
	}
	c.SubjectKeyID = value.Content
	return true, nil
}

func parseAuthorityKeyID(c *Certificate, value ber.Element) (bool, error) {
	if value.Tag != ber.TagSequence {
		return false, syntaxErrorf("authority key identifier with tag %#02x", value.Tag)
	}
	r := value.Children()
	if e, present, err := r.Optional(ber.Context(0)); err != nil {
		return false, err
	} else if present {
		c.AuthorityKeyID = e.Content
	}
	if e, present, err := r.Optional(ber.ContextConstructed(1)); err != nil {
		return false, err
	} else if present {
		names, err := parseGeneralNames(e)
		if err != nil {
			return false, err
		}
		if len(names.directory) > 0 {
			c.AuthorityIssuer = &names.directory[0]
		}
	}
	if e, present, err := r.Optional(ber.Context(2)); err != nil {
		return false, err
	} else if present {
		if len(e.Content) > maxSerial {
			return false, syntaxErrorf("serial number of %d octets", len(e.Content))
		}
		if c.AuthoritySerial, err = e.WithTag(ber.TagInteger).Int(); err != nil {
			return false, err
		}
	}
	return true, r.Done()
}

func parseKeyUsage(c *Certificate, value ber.Element) (bool, error) {
	bits, _, err := value.BitString()
	if err != nil {
		return false, err
	}
	for i := range 9 {
		if i/8 < len(bits) && bits[i/8]&(0x80>>(i%8)) != 0 {
			c.KeyUsage |= 1 << i
		}
	}
	c.HasKeyUsage = true
	return true, nil
}

func parseBasicConstraints(c *Certificate, value ber.Element) (bool, error) {
	if value.Tag != ber.TagSequence {
		return false, syntaxErrorf("basic constraints with tag %#02x", value.Tag)
	}
	b := &BasicConstraints{MaxPathLen: -1}
	r := value.Children()
	if e, present, err := r.Optional(ber.TagBoolean); err != nil {
		return false, err
	} else if present {
		if b.IsCA, err = e.Bool(); err != nil {
			return false, err
		}
	}
	if e, present, err := r.Optional(ber.TagInteger); err != nil {
		return false, err
	} else if present {
		n, err := e.Int64()
		if err != nil {
			return false, err
		}
		if n < 0 || n > math.MaxInt32 {
			return false, syntaxErrorf("path length %d", n)
		}
		b.MaxPathLen = int(n)
	}
	c.BasicConstraints = b
	return true, r.Done()
}

func parseExtKeyUsage(c *Certificate, value ber.Element) (bool, error) {
	err := sequenceOf(value, func(e ber.Element) error {
		oid, err := e.OID()
		c.ExtKeyUsage = append(c.ExtKeyUsage, oid)
		return err
	})
	if err == nil && len(c.ExtKeyUsage) == 0 {
		err = syntaxErrorf("empty list of purposes")
	}
	return true, err
}

// parsePolicies reads the identifiers. The qualifiers that production
// certificates carry, also in critical extensions (CPS addresses and
// notices), are text for people and change nothing.
func parsePolicies(c *Certificate, value ber.Element) (bool, error) {
	err := sequenceOf(value, func(e ber.Element) error {
		if e.Tag != ber.TagSequence {
			return syntaxErrorf("policy with tag %#02x", e.Tag)
		}
		r := e.Children()
		id, err := r.Read(ber.TagOID)
		if err != nil {
			return err
		}
		oid, err := id.OID()
		if err != nil {
			return err
		}
		c.PolicyIdentifiers = append(c.PolicyIdentifiers, oid)
		if _, _, err := r.Optional(ber.TagSequence); err != nil {
			return err
		}
		return r.Done()
	})
	if err == nil && len(c.PolicyIdentifiers) == 0 {
		err = syntaxErrorf("empty list of policies")
	}
	return true, err
}

func parseAuthorityInfoAccess(c *Certificate, value ber.Element) (bool, error) {
	return true, sequenceOf(value, func(e ber.Element) error {
		r := e.Children()
		method, err := r.Read(ber.TagOID)
		if err != nil {
			return err
		}
		oid, err := method.OID()
		if err != nil {
			return err
		}
		location, err := r.Next()
		if err != nil {
			return err
		}
		var names generalNames
		if err := names.add(location); err != nil {
			return err
		}
		switch oid {
		case oidAccessOCSP:
			c.OCSPServers = append(c.OCSPServers, names.uri...)
		case oidAccessCAIssuers:
			c.CAIssuers = append(c.CAIssuers, names.uri...)
		case oidAccessTimeStamping:
			c.TimeStampServers = append(c.TimeStampServers, names.uri...)
		}
		return r.Done()
	})
}

// parseCRLDistributionPoints takes the URIs of the full names. Points for
// some reasons only and names relative to a CRL issuer are not followed.
func parseCRLDistributionPoints(c *Certificate, value ber.Element) (bool, error) {
	return true, sequenceOf(value, func(point ber.Element) error {
		if point.Tag != ber.TagSequence {
			return syntaxErrorf("distribution point with tag %#02x", point.Tag)
		}
		r := point.Children()
		if e, present, err := r.Optional(ber.ContextConstructed(0)); err != nil {
			return err
		} else if present {
			name := e.Children()
			if full, present, err := name.Optional(ber.ContextConstructed(0)); err != nil {
				return err
			} else if present {
				names, err := parseGeneralNames(full)
				if err != nil {
					return err
				}
				c.CRLDistributionPoints = append(c.CRLDistributionPoints, names.uri...)
			} else if _, _, err := name.Optional(ber.ContextConstructed(1)); err != nil {
				return err
			}
			if err := name.Done(); err != nil {
				return err
			}
		}
		if _, _, err := r.Optional(ber.Context(1)); err != nil {
			return err
		}
		if _, _, err := r.Optional(ber.ContextConstructed(2)); err != nil {
			return err
		}
		return r.Done()
	})
}

func parseSubjectAltName(c *Certificate, value ber.Element) (bool, error) {
	if value.Tag != ber.TagSequence {
		return false, syntaxErrorf("alternative names with tag %#02x", value.Tag)
	}
	names, err := parseGeneralNames(value)
	if err != nil {
		return false, err
	}
	c.DNSNames, c.EmailAddresses, c.URIs = names.dns, names.email, names.uri
	c.IPAddresses, c.DirectoryNames = names.ip, names.directory
	return true, nil
}

func parseOCSPNoCheck(c *Certificate, value ber.Element) (bool, error) {
	if !value.IsNull() {
		return false, syntaxErrorf("no-check with tag %#02x", value.Tag)
	}
	c.OCSPNoCheck = true
	return true, nil
}

// generalNames collects the forms of GeneralName (RFC 5280 4.2.1.6) that are
// used; others are skipped.
type generalNames struct {
	dns, email, uri []string
	ip              []net.IP
	directory       []Name
}

func parseGeneralNames(e ber.Element) (names generalNames, err error) {
	err = each(e, names.add)
	return names, err
}

func (n *generalNames) add(e ber.Element) error {
	switch e.Tag {
	case ber.Context(1), ber.Context(2), ber.Context(6):
		s, err := e.WithTag(ber.TagIA5String).Text()
		if err != nil {
			return err
		}
		switch e.Tag {
		case ber.Context(1):
			n.email = append(n.email, s)
		case ber.Context(2):
			n.dns = append(n.dns, s)
		default:
			n.uri = append(n.uri, s)
		}
	case ber.ContextConstructed(4):
		// A CHOICE is tagged explicitly.
		in := e.Children()
		name, err := readName(&in)
		if err != nil {
			return err
		}
		n.directory = append(n.directory, name)
		return in.Done()
	case ber.Context(7):
		if len(e.Content) != net.IPv4len && len(e.Content) != net.IPv6len {
			return syntaxErrorf("IP address of %d octets", len(e.Content))
		}
		n.ip = append(n.ip, net.IP(e.Content))
	case ber.ContextConstructed(0), ber.ContextConstructed(3), ber.ContextConstructed(5), ber.Context(8):
	default:
		return syntaxErrorf("tag %#02x is no GeneralName", e.Tag)
	}
	return nil
}
