package inspect

import (
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
	"imzo/pki/keystore"
)

// isPasswordError tells a password that does not fit: the one error that is
// the caller's and not the file's.
func isPasswordError(err error) bool { return errors.Is(err, keystore.ErrPassword) }

// privateKeyNode shows what is public of a private key.
func privateKeyNode(label string, k *alg.PrivateKey) *Node {
	public := publicKeyNode(k.PublicKey())
	n := &Node{Label: label, Value: public.Value}
	return n.attach(public).attach(&Node{Label: "private part", Value: "not shown"})
}

// describePrivateKey describes PrivateKeyInfo (RFC 5958 2).
func describePrivateKey(e ber.Element, _ string) (*Node, error) {
	const label = "private key (PKCS#8)"
	head := firstChildren(e, 3)
	a, err := alg.ParseAlgorithmIdentifier(head[1])
	if err != nil {
		return nil, err
	}
	k, err := keystore.ParsePKCS8(e.Raw)
	if err != nil {
		n := &Node{Label: label, Value: oidText(a.OID)}
		n.add("not readable", "%v", err)
		return n, nil
	}
	return privateKeyNode(label, k), nil
}

// isTraditionalKey: RSAPrivateKey (RFC 8017 A.1.2) or ECPrivateKey (RFC 5915).
func isTraditionalKey(head []ber.Element) bool { return traditionalType(head) != "" }

// traditionalType returns the PEM label of a key outside of PKCS#8.
func traditionalType(head []ber.Element) string {
	if len(head) >= 2 && head[0].Tag == ber.TagInteger && isOctetString(head[1].Tag) {
		return "EC PRIVATE KEY"
	}
	if len(head) < 9 {
		return ""
	}
	for _, c := range head[:9] {
		if c.Tag != ber.TagInteger {
			return ""
		}
	}
	return "RSA PRIVATE KEY"
}

func describeTraditionalKey(e ber.Element, _ string) (*Node, error) {
	pemLabel := traditionalType(firstChildren(e, 9))
	label := strings.Fields(pemLabel)[0] + " private key"
	k, err := parseKey(pemLabel, e.Raw, "")
	if err != nil {
		n := &Node{Label: label}
		n.add("not readable", "%v", err)
		return n, nil
	}
	return privateKeyNode(label, k), nil
}

// parseKey reads a key through the PEM form, which keystore takes.
func parseKey(label string, der []byte, password string) (*alg.PrivateKey, error) {
	block := pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})
	defer clear(block)
	return keystore.ParsePEMKey(block, password)
}

// describeEncryptedKey describes EncryptedPrivateKeyInfo (RFC 5958 3).
func describeEncryptedKey(e ber.Element, password string) (*Node, error) {
	head := firstChildren(e, 2)
	n := &Node{Label: "encrypted private key (PKCS#8)"}
	n.attach(encryptionNode(head[0]))
	n.add("ciphertext", "%s", stringSize(head[1]))
	if password == "" {
		return n, nil
	}
	k, err := parseKey("ENCRYPTED PRIVATE KEY", e.Raw, password)
	if isPasswordError(err) {
		return nil, err
	}
	if err != nil {
		n.add("not opened", "%v", err)
		return n, nil
	}
	return n.attach(privateKeyNode("private key", k)), nil
}

// isEncryption tells whether an algorithm identifier names an encryption
// under a password.
func isEncryption(e ber.Element) bool {
	oid, ok := firstOID(e)
	return ok && (strings.HasPrefix(oid.String(), "1.2.840.113549.1.12.1.") || strings.HasPrefix(oid.String(), "1.2.840.113549.1.5.") ||
		strings.HasPrefix(oidName(oid), "YTKS"))
}

// firstOID reads the identifier that an AlgorithmIdentifier, a ContentInfo, a
// SafeBag or an attribute starts with.
func firstOID(e ber.Element) (ber.OID, bool) {
	r := e.Children()
	id, err := r.Read(ber.TagOID)
	if err != nil {
		return "", false
	}
	oid, err := id.OID()
	return oid, err == nil
}

// encryptionNode describes the algorithm of a password-based encryption in
// one line: names and iterations, wherever in the parameters they stand.
func encryptionNode(e ber.Element) *Node {
	return &Node{Label: "encryption", Value: clip(protection(e))}
}

func protection(e ber.Element) string {
	var names []string
	var iterations string
	collectAlgorithms(e, &names, &iterations)
	s := strings.Join(names, ", ")
	if iterations != "" {
		s += ", " + iterations + " iterations"
	}
	return s
}

// collectAlgorithms walks an AlgorithmIdentifier. Iterations are the number
// that follows a salt (RFC 7292 appendix C, RFC 8018 A.2).
func collectAlgorithms(e ber.Element, names *[]string, iterations *string) {
	salt := false
	for _, c := range firstChildren(e, 10) {
		switch {
		case c.Tag == ber.TagOID:
			if oid, err := c.OID(); err == nil && len(*names) < 10 {
				*names = append(*names, shortOID(oid))
			}
		case c.Tag == ber.TagInteger && salt && *iterations == "":
			*iterations = primitive(c)
		case c.Constructed():
			collectAlgorithms(c, names, iterations)
		}
		salt = isOctetString(c.Tag)
	}
}

func stringSize(e ber.Element) string {
	b, err := e.OctetString()
	if err != nil {
		return err.Error()
	}
	return size(len(b))
}

// describePFX describes what a PFX file shows without its password, and with
// it the certificates and the public halves of its keys.
func describePFX(e ber.Element, password string) (*Node, error) {
	head := firstChildren(e, 3)
	content, err := pfxContent(head[1])
	if err != nil {
		return nil, err
	}
	safes, err := ber.Parse(content)
	if err != nil {
		return nil, err
	}
	n := &Node{Label: "key file (PFX, PKCS#12)"}
	mac := "none"
	if len(head) > 2 {
		mac = macText(head[2])
	}
	n.add("MAC", "%s", mac)
	for i, s := range firstChildren(safes, maxListed) {
		n.attach(safeNode(fmt.Sprintf("safe %d", i+1), s))
	}
	if password == "" {
		n.add("opened", "no: certificates and keys take the password")
		return n, nil
	}
	entries, err := keystore.OpenPFX(e.Raw, password)
	if isPasswordError(err) {
		return nil, err
	}
	if err != nil {
		n.add("not opened", "%v", err)
		return n, nil
	}
	for i, entry := range entries {
		n.attach(entryNode(fmt.Sprintf("key %d", i+1), entry))
	}
	return n, nil
}

// pfxContent returns the AuthenticatedSafe. Only what is protected by a
// password, not by a signature, is met.
func pfxContent(contentInfo ber.Element) ([]byte, error) {
	r := contentInfo.Children()
	if _, err := r.Read(ber.TagOID); err != nil {
		return nil, err
	}
	explicit, err := r.Read(ber.ContextConstructed(0))
	if err != nil {
		return nil, err
	}
	in := explicit.Children()
	octets, err := in.Read(ber.TagOctetString)
	if err != nil {
		return nil, err
	}
	return octets.OctetString()
}

// macText describes MacData: digest, salt, iterations (RFC 7292 4).
func macText(e ber.Element) string {
	parts := firstChildren(e, 3)
	if len(parts) == 0 {
		return "unreadable"
	}
	s := protection(firstChild(parts[0]))
	if strings.Contains(s, "PBMAC1") {
		return s // its own parameters count, not those of MacData (RFC 9579 4)
	}
	s = "HMAC with " + s
	if len(parts) > 2 {
		return s + ", " + primitive(parts[2]) + " iterations"
	}
	return s + ", 1 iteration"
}

// firstChild is the first element inside e; the zero Element has none.
func firstChild(e ber.Element) ber.Element {
	if c := firstChildren(e, 1); len(c) > 0 {
		return c[0]
	}
	return ber.Element{}
}

// safeNode describes one ContentInfo of the AuthenticatedSafe.
func safeNode(label string, e ber.Element) *Node {
	n := &Node{Label: label}
	oid, ok := firstOID(e)
	if !ok {
		n.Value = "unreadable"
		return n
	}
	switch shortOID(oid) {
	case "data":
		n.Value = "not encrypted"
		content, err := pfxContent(e)
		if err != nil {
			n.Value += ": " + err.Error()
			return n
		}
		bags, err := ber.Parse(content)
		if err != nil {
			n.Value += ": " + err.Error()
			return n
		}
		list := firstChildren(bags, maxListed+1)
		n.list(len(list), func(i int) *Node { return bagNode(list[i]) })
	case "encryptedData":
		// EncryptedData: version, { type, algorithm, [0] ciphertext }.
		n.Value = "encrypted"
		data := firstChild(childAt(e, 1))
		info := firstChildren(childAt(data, 1), 3)
		if len(info) > 1 {
			n.attach(encryptionNode(info[1]))
		}
		if len(info) > 2 {
			n.add("ciphertext", "%s", stringSize(info[2]))
		}
	default:
		n.Value = oidText(oid)
	}
	return n
}

// childAt is the i-th element inside e; the zero Element has none.
func childAt(e ber.Element, i int) ber.Element {
	if c := firstChildren(e, i+1); len(c) > i {
		return c[i]
	}
	return ber.Element{}
}

// bagNode describes a SafeBag: type, [0] value, attributes (RFC 7292 4.2).
func bagNode(e ber.Element) *Node {
	oid, ok := firstOID(e)
	if !ok {
		return &Node{Label: "bag", Value: "unreadable"}
	}
	n := &Node{Label: shortOID(oid)}
	value := firstChild(childAt(e, 1))
	switch n.Label {
	case "pkcs8ShroudedKeyBag":
		n.Label = "encrypted private key"
		n.attach(encryptionNode(firstChild(value)))
	case "keyBag":
		n.Label = "private key, NOT ENCRYPTED"
	case "certBag":
		n.Label = "certificate"
		n.attach(certBagNode(value))
	}
	for _, a := range firstChildren(childAt(e, 2), maxListed) {
		n.attach(bagAttributeNode(a))
	}
	return n
}

// certBagNode describes CertBag: type, [0] OCTET STRING.
func certBagNode(e ber.Element) *Node {
	octets, err := firstChild(childAt(e, 1)).OctetString()
	if err == nil {
		var c *cert.Certificate
		if c, err = cert.Parse(octets); err == nil {
			return certificateNode("certificate", c)
		}
	}
	return &Node{Label: "not readable", Value: clip(err.Error())}
}

func bagAttributeNode(e ber.Element) *Node {
	oid, ok := firstOID(e)
	if !ok {
		return &Node{Label: "attribute", Value: "unreadable"}
	}
	n := &Node{Label: shortOID(oid)}
	v := firstChild(childAt(e, 1))
	if v.Tag == ber.TagOctetString && utf8.Valid(v.Content) && isText(v.Content) {
		n.Value = clip(string(v.Content)) // Java writes "Time <milliseconds>"
	} else if !v.Constructed() {
		n.Value = clip(primitive(v))
	}
	if n.Label == "friendlyName" {
		n.Label = "alias"
	}
	return n
}

func entryNode(label string, entry keystore.Entry) *Node {
	n := privateKeyNode(label, entry.Key)
	if entry.Alias != "" {
		n.add("alias", "%s", entry.Alias)
	}
	n.list(len(entry.Chain), func(i int) *Node {
		return certificateNode(fmt.Sprintf("certificate %d", i+1), entry.Chain[i])
	})
	return n
}
