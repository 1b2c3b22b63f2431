package inspect

import (
	"crypto/rsa"
	"fmt"
	"strings"

	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
)

func describeCertificate(e ber.Element, _ string) (*Node, error) {
	c, err := cert.Parse(e.Raw)
	if err != nil {
		return nil, err
	}
	return certificateNode("certificate", c), nil
}

// certificateNode describes one certificate; its value tells it from others
// at a glance.
func certificateNode(label string, c *cert.Certificate) *Node {
	n := &Node{Label: label, Value: clip(c.Subject.Get("CN"))}
	n.add("version", "%d", c.Version)
	n.add("serial number", "%s", c.SerialHex())
	n.attach(nameNode("subject", c.Subject), nameNode("issuer", c.Issuer))
	n.add("valid from", "%s", when(c.NotBefore))
	n.add("valid to", "%s", when(c.NotAfter))
	n.attach(publicKeyNode(c.PublicKey))
	if len(c.Extensions) > 0 {
		x := n.add("extensions", "")
		x.list(len(c.Extensions), func(i int) *Node { return extensionNode(c, c.Extensions[i]) })
	}
	n.add("signature algorithm", "%s", algorithm(c.SignatureAlgorithm))
	n.add("signature", "%s", hexValue(c.Signature))
	fingerprint := c.Fingerprint()
	n.add("SHA-256 fingerprint", "%x", fingerprint[:])
	return n
}

// nameNode shows a name as E-IMZO prints it, and what Uzbekistan's numbers in
// it mean.
func nameNode(label string, name cert.Name) *Node {
	n := &Node{Label: label, Value: clip(name.String())}
	if pinfl := name.Get(cert.OIDPINFL.String()); pinfl != "" {
		n.add("PINFL", "%s", pinfl)
	}
	if tin := name.Get(cert.OIDOrganisationTIN.String()); tin != "" {
		n.add("TIN of the organisation", "%s", tin)
	}
	return n
}

func publicKeyNode(k *alg.PublicKey) *Node {
	n := &Node{Label: "public key", Value: k.Name()}
	n.add("algorithm", "%s", oidText(k.Algorithm.OID))
	if k.ParamSet != "" {
		n.add("parameter set", "%s", oidText(k.ParamSet))
	}
	if key, ok := k.Key.(*rsa.PublicKey); ok {
		n.add("modulus", "%d bits", key.N.BitLen())
	}
	n.add("key", "%s", hexValue(k.Bits))
	n.add("SHA-1 key identifier", "%x", k.KeyID())
	return n
}

func describePublicKey(e ber.Element, _ string) (*Node, error) {
	k, err := alg.ParsePublicKey(e)
	if err != nil {
		return nil, err
	}
	return publicKeyNode(k), nil
}

var keyUsageNames = [...]string{
	"digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement",
	"keyCertSign", "cRLSign", "encipherOnly", "decipherOnly",
}

func keyUsageText(usage cert.KeyUsage) string {
	var names []string
	for i, name := range keyUsageNames {
		if usage&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

func extensionLabel(x cert.Extension) string {
	label := oidText(x.OID)
	if x.Critical {
		label += ", critical"
	}
	return label
}

// extensionNode describes an extension by what the parser of certificates
// read from it, or as a plain tree.
func extensionNode(c *cert.Certificate, x cert.Extension) *Node {
	n := &Node{Label: extensionLabel(x)}
	lines := func(label string, values []string) {
		n.list(len(values), func(i int) *Node { return &Node{Label: label, Value: clip(values[i])} })
	}
	switch x.OID {
	case cert.OIDBasicConstraints:
		switch {
		case !c.BasicConstraints.IsCA:
			n.Value = "no CA"
		case c.BasicConstraints.MaxPathLen < 0:
			n.Value = "CA"
		default:
			n.Value = fmt.Sprintf("CA, path length %d", c.BasicConstraints.MaxPathLen)
		}
	case cert.OIDKeyUsage:
		n.Value = keyUsageText(c.KeyUsage)
	case cert.OIDExtKeyUsage:
		var names []string
		for _, o := range c.ExtKeyUsage {
			names = append(names, shortOID(o))
		}
		n.Value = clip(strings.Join(names, ", "))
	case cert.OIDSubjectKeyID:
		n.Value = hexValue(c.SubjectKeyID)
	case cert.OIDAuthorityKeyID:
		n.Value = hexValue(c.AuthorityKeyID)
		if c.AuthorityIssuer != nil {
			n.add("issuer", "%s", c.AuthorityIssuer)
		}
		if c.AuthoritySerial != nil {
			n.add("serial number", "%x", c.AuthoritySerial)
		}
	case cert.OIDCertificatePolicies:
		n.policies(x.Value)
	case cert.OIDAuthorityInfoAccess:
		lines("OCSP", c.OCSPServers)
		lines("caIssuers", c.CAIssuers)
	case cert.OIDCRLDistributionPoints:
		lines("URL", c.CRLDistributionPoints)
	case cert.OIDSubjectAltName:
		lines("DNS", c.DNSNames)
		lines("e-mail", c.EmailAddresses)
		lines("URI", c.URIs)
		n.list(len(c.IPAddresses), func(i int) *Node { return &Node{Label: "IP address", Value: c.IPAddresses[i].String()} })
		n.list(len(c.DirectoryNames), func(i int) *Node { return nameNode("directory name", c.DirectoryNames[i]) })
	case cert.OIDOCSPNoCheck:
	default:
		n.octets(x.Value)
	}
	return n
}

// policies shows each policy with the texts of its qualifiers: addresses and
// notices for people.
func (n *Node) policies(value []byte) {
	e, err := ber.Parse(value)
	if err != nil {
		n.octets(value)
		return
	}
	list := firstChildren(e, maxListed)
	for _, policy := range list {
		parts := firstChildren(policy, 2)
		if len(parts) == 0 {
			continue
		}
		oid, err := parts[0].OID()
		if err != nil {
			continue
		}
		p := n.add("policy", "%s", oidText(oid))
		if len(parts) > 1 {
			for _, q := range firstChildren(parts[1], maxListed) {
				p.attach(qualifierNode(q))
			}
		}
	}
}

func qualifierNode(e ber.Element) *Node {
	n := &Node{Label: "qualifier"}
	parts := firstChildren(e, 2)
	if len(parts) > 0 {
		if oid, err := parts[0].OID(); err == nil {
			n.Label = shortOID(oid)
		}
	}
	if len(parts) > 1 {
		n.Value = clip(strings.Join(texts(parts[1], nil), " "))
	}
	return n
}

// texts collects the character strings inside e.
func texts(e ber.Element, out []string) []string {
	if !e.Constructed() {
		if s, err := e.Text(); err == nil {
			return append(out, s)
		}
		return out
	}
	for _, c := range firstChildren(e, maxListed) {
		out = texts(c, out)
	}
	return out
}

// octets shows a value that is BER as a plain tree, and else in hex.
func (n *Node) octets(value []byte) {
	e, err := ber.Parse(value)
	if err != nil {
		n.Value = hexValue(value)
		return
	}
	t := asn1Tree(e, false)
	if t.Children == nil && t.Value != "" {
		n.Value = t.Value // one primitive: its type does not matter
		return
	}
	n.attach(t)
}

// describeRequest describes a certificate request (RFC 2986 4.2).
func describeRequest(e ber.Element, _ string) (*Node, error) {
	head := firstChildren(e, 3)
	r := head[0].Children()
	if _, err := r.Read(ber.TagInteger); err != nil {
		return nil, err
	}
	subject, err := r.Next()
	if err != nil {
		return nil, err
	}
	name, err := cert.ParseNameElement(subject)
	if err != nil {
		return nil, err
	}
	spki, err := r.Read(ber.TagSequence)
	if err != nil {
		return nil, err
	}
	key, err := alg.ParsePublicKey(spki)
	if err != nil {
		return nil, err
	}
	n := &Node{Label: "certificate request (PKCS#10)", Value: clip(name.Get("CN"))}
	n.attach(nameNode("subject", name), publicKeyNode(key))
	if attributes, ok, err := r.Optional(ber.ContextConstructed(0)); err != nil {
		return nil, err
	} else if ok && len(attributes.Content) > 0 {
		n.attach(&Node{Label: "attributes", Children: asn1Tree(attributes, false).Children})
	}
	if err := r.Done(); err != nil {
		return nil, err
	}
	return n, n.addSignature(head)
}
