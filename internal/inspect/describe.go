package inspect

import (
	"fmt"

	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/keystore"
)

// Describe returns the tree of a file: binary, base64, PEM with any number of
// blocks, or YKS. What it does not recognise, or what is not what it looks like,
// becomes a plain ASN.1 tree.
//
// The password is for key files; "" leaves them closed, and shows only what
// they tell without it. The error wraps keystore.ErrPassword when it does not
// fit, and tells otherwise that the file is neither BER, PEM, base64 nor YKS.
func Describe(data []byte, password string) (*Node, error) {
	if keystore.IsYKS(data) {
		root, err := describeYKS(data, password)
		if err == nil {
			root.bound(maxNodes)
		}
		return root, err
	}
	parts, err := split(data)
	if err != nil {
		return nil, err
	}
	var failed error
	root := join(parts, func(p part) *Node {
		n, err := p.describe(password)
		if err != nil {
			failed = err
			return &Node{}
		}
		return n
	})
	if failed != nil {
		return nil, failed
	}
	return root, nil
}

// kind is one kind of file. Its outline is what an element must look like to
// be tried; describe then reads it in full.
type kind struct {
	name     string
	outline  func(head []ber.Element) bool
	describe func(e ber.Element, password string) (*Node, error)
}

// kinds returns the kinds in the order they are tried. Several outlines are
// the same for two kinds; the first that can be read counts.
func kinds() []kind {
	return []kind{
		{"CMS", isContentInfo, describeContentInfo},
		{"certificate", isSigned, describeCertificate},
		{"CRL", isSigned, describeCRL},
		{"certificate request", isSigned, describeRequest},
		{"OCSP response", isOCSPResponse, describeOCSPResponse},
		{"PKCS#12", isPFX, describePFX},
		{"timestamp request", isTimeStampRequest, describeTimeStampRequest},
		{"timestamp response", isTimeStampResponse, describeTimeStampResponse},
		{"private key", isPrivateKey, describePrivateKey},
		{"private key", isTraditionalKey, describeTraditionalKey},
		{"encrypted private key", isEncryptedKey, describeEncryptedKey},
		{"public key", isPublicKey, describePublicKey},
		{"OCSP request", isOCSPRequest, describeOCSPRequest},
	}
}

func (p part) describe(password string) (*Node, error) {
	if p.opaque != "" {
		label := "contents"
		if p.label != "" {
			label = "PEM " + p.label
		}
		return &Node{Label: clip(label), Value: clip(p.opaque)}, nil
	}
	n, err := describeElement(p.element, password, p.secret)
	if n != nil && p.label != "" && n.Label == plainLabel {
		n.Label = clip("PEM " + p.label)
	}
	return n, err
}

// plainLabel is the label of what is not recognised.
const plainLabel = "ASN.1"

// describeElement describes an element as what it is. An unreadable one
// becomes its plain tree, with the reason of the kind it looks most like.
func describeElement(e ber.Element, password string, secret bool) (*Node, error) {
	plain := &Node{Label: plainLabel}
	if e.Tag == ber.TagSequence {
		head := firstChildren(e, 10)
		for _, k := range kinds() {
			if !k.outline(head) {
				continue
			}
			n, err := k.describe(e, password)
			if err == nil {
				return n, nil
			}
			if isPasswordError(err) {
				return nil, err
			}
			if plain.Value == "" {
				plain.Value = clip(fmt.Sprintf("looks like %s, but: %v", k.name, err))
			}
		}
	}
	return plain.attach(asn1Tree(e, secret)), nil
}

// The outlines. head is up to ten elements of the SEQUENCE.

func tagAt(head []ber.Element, i int) byte {
	if i < len(head) {
		return head[i].Tag
	}
	return 0
}

// isContentInfo: type, [0] content (RFC 5652 3).
func isContentInfo(head []ber.Element) bool {
	return len(head) == 2 && head[0].Tag == ber.TagOID && head[1].Tag == ber.ContextConstructed(0)
}

// isSigned: signed part, algorithm, signature; certificates, CRLs and
// certificate requests alike.
func isSigned(head []ber.Element) bool {
	return len(head) == 3 && head[0].Tag == ber.TagSequence && head[1].Tag == ber.TagSequence && head[2].Tag == ber.TagBitString
}

// isOCSPResponse: status, [0] response (RFC 6960 4.2.1).
func isOCSPResponse(head []ber.Element) bool {
	return len(head) <= 2 && tagAt(head, 0) == ber.TagEnumerated
}

// isPFX: version 3, ContentInfo, MAC (RFC 7292 4).
func isPFX(head []ber.Element) bool {
	return (len(head) == 2 || len(head) == 3) && head[0].Tag == ber.TagInteger && head[1].Tag == ber.TagSequence &&
		firstTag(head[1]) == ber.TagOID && (len(head) == 2 || head[2].Tag == ber.TagSequence)
}

// isTimeStampRequest: version, imprint (RFC 3161 2.4.1).
func isTimeStampRequest(head []ber.Element) bool {
	return len(head) >= 2 && head[0].Tag == ber.TagInteger && head[1].Tag == ber.TagSequence && firstTag(head[1]) == ber.TagSequence
}

// isTimeStampResponse: status, token (RFC 3161 2.4.2).
func isTimeStampResponse(head []ber.Element) bool {
	return (len(head) == 1 || len(head) == 2 && head[1].Tag == ber.TagSequence) && head[0].Tag == ber.TagSequence && firstTag(head[0]) == ber.TagInteger
}

// isPrivateKey: version, algorithm, key (RFC 5958 2).
func isPrivateKey(head []ber.Element) bool {
	return len(head) >= 3 && head[0].Tag == ber.TagInteger && head[1].Tag == ber.TagSequence && firstTag(head[1]) == ber.TagOID && isOctetString(head[2].Tag)
}

// isEncryptedKey: algorithm of encryption, ciphertext (RFC 5958 3).
func isEncryptedKey(head []ber.Element) bool {
	return len(head) == 2 && head[0].Tag == ber.TagSequence && firstTag(head[0]) == ber.TagOID && isOctetString(head[1].Tag) && isEncryption(head[0])
}

// isPublicKey: algorithm, key (RFC 5280 4.1.2.7).
func isPublicKey(head []ber.Element) bool {
	return len(head) == 2 && head[0].Tag == ber.TagSequence && firstTag(head[0]) == ber.TagOID && head[1].Tag == ber.TagBitString
}

// isOCSPRequest: request, [0] signature (RFC 6960 4.1.1).
func isOCSPRequest(head []ber.Element) bool {
	return (len(head) == 1 || len(head) == 2 && head[1].Tag == ber.ContextConstructed(0)) && head[0].Tag == ber.TagSequence
}

// algorithm describes an identifier in one line.
func algorithm(a alg.AlgorithmIdentifier) string {
	s := oidText(a.OID)
	if !a.NoParams() {
		s += ", with parameters"
	}
	return s
}
