package inspect

import (
	"encoding/hex"
	"fmt"

	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cms"
	"imzo/pki/tsp"
)

// maxNestedTokens bounds timestamp tokens inside timestamp tokens.
const maxNestedTokens = 4

func describeContentInfo(e ber.Element, _ string) (*Node, error) {
	head := firstChildren(e, 2)
	oid, err := head[0].OID()
	if err != nil {
		return nil, err
	}
	if oid == cms.OIDSignedData {
		return signedDataNode(e, 0)
	}
	// Of other content types, the name and the outline.
	n := &Node{Label: "CMS", Value: oidText(oid)}
	return n.attach(asn1Tree(e, false)), nil
}

func signedDataNode(e ber.Element, depth int) (*Node, error) {
	s, err := cms.Parse(e.Raw)
	if err != nil {
		return nil, err
	}
	if s.ContentType == cms.OIDTSTInfo {
		t, err := tsp.ParseToken(e.Raw)
		if err != nil {
			return nil, err
		}
		return tokenNode(t, depth), nil
	}
	n := &Node{Label: "CMS SignedData (PKCS#7)"}
	if s.Detached() {
		n.Value = "detached"
	}
	n.addEncoding(s)
	content := n.add("content", "%s, %s", shortOID(s.ContentType), contentSize(s))
	if !s.Detached() {
		for _, d := range digests(s) {
			content.add(d.Name, "%s", contentDigest(s, d))
		}
	}
	n.addSigners(s, depth)
	n.addBag(s)
	return n, nil
}

// addEncoding adds what every SignedData has before its content.
func (n *Node) addEncoding(s *cms.SignedData) {
	encoding := "definite lengths"
	if s.Indefinite {
		encoding = "indefinite lengths (BER)"
	}
	n.add("encoding", "%s, %s", encoding, size(len(s.Raw)))
	n.add("version", "%d", s.Version)
	for _, a := range s.DigestAlgorithms {
		n.add("digest algorithm", "%s", algorithm(a))
	}
}

func (n *Node) addBag(s *cms.SignedData) {
	bag := n.add("certificates", "%d", len(s.Certificates))
	bag.list(len(s.Certificates), func(i int) *Node {
		return certificateNode(fmt.Sprintf("certificate %d", i+1), s.Certificates[i])
	})
	n.list(len(s.CRLs), func(i int) *Node {
		e, err := ber.Parse(s.CRLs[i])
		if err == nil {
			var list *Node
			if list, err = describeCRL(e, ""); err == nil {
				return list
			}
		}
		return &Node{Label: "CRL", Value: clip(err.Error())}
	})
}

func contentSize(s *cms.SignedData) string {
	if s.Detached() {
		return "not inside"
	}
	var n counter
	if err := s.WriteContentTo(&n); err != nil {
		return err.Error()
	}
	return size(int(n))
}

// counter counts what is written to it.
type counter int64

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}

// digests returns the digests that the signers use, each once.
func digests(s *cms.SignedData) []*alg.Digest {
	var out []*alg.Digest
	seen := map[*alg.Digest]bool{}
	for _, a := range s.DigestAlgorithms {
		if d, err := alg.DigestByOID(a.OID); err == nil && !seen[d] {
			seen[d] = true
			out = append(out, d)
		}
	}
	return out
}

func contentDigest(s *cms.SignedData, d *alg.Digest) string {
	h := d.New()
	if err := s.WriteContentTo(h); err != nil {
		return err.Error()
	}
	return hex.EncodeToString(h.Sum(nil))
}

func signerNode(label string, s *cms.SignedData, si *cms.SignerInfo, depth int) *Node {
	n := &Node{Label: label}
	certs := s.SignerCertificates(si)
	if len(certs) > 0 {
		n.Value = clip(certs[0].Subject.Get("CN"))
	}
	n.add("version", "%d", si.Version)
	if si.SID.Serial != nil {
		n.add("certificate", "serial number %x of %s", si.SID.Serial, si.SID.Issuer)
	} else {
		n.add("certificate", "with key identifier %x", si.SID.SubjectKeyID)
	}
	if len(certs) == 0 {
		n.add("certificate is", "not in the document")
	}
	n.add("digest algorithm", "%s", algorithm(si.DigestAlgorithm))
	if si.SignedAttrs == nil {
		n.add("signed attributes", "none: the content itself is signed")
	} else {
		n.attach(attributesNode("signed attributes", si.SignedAttrs, depth))
	}
	n.add("signature algorithm", "%s", algorithm(si.SignatureAlgorithm))
	n.add("signature", "%s", hexValue(si.Signature))
	if len(si.UnsignedAttrs) > 0 {
		n.attach(attributesNode("unsigned attributes", si.UnsignedAttrs, depth))
	}
	return n
}

func attributesNode(label string, attrs []cms.Attribute, depth int) *Node {
	n := &Node{Label: label}
	n.list(len(attrs), func(i int) *Node { return attributeNode(attrs[i], depth) })
	return n
}

func attributeNode(a cms.Attribute, depth int) *Node {
	n := &Node{Label: oidText(a.Type)}
	if len(a.Values) == 1 && !a.Values[0].Constructed() {
		n.Value = clip(primitive(a.Values[0]))
		return n
	}
	n.list(len(a.Values), func(i int) *Node {
		v := a.Values[i]
		if a.Type == cms.OIDTimeStampToken && depth < maxNestedTokens {
			if token, err := signedDataNode(v, depth+1); err == nil {
				return token
			}
		}
		return asn1Tree(v, false)
	})
	return n
}
