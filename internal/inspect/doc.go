// Package inspect makes a readable tree of PKI files: certificates, CMS
// documents (RFC 5652), timestamps (RFC 3161), OCSP messages (RFC 6960), CRLs
// (RFC 5280), key files (RFC 7292, RFC 5208, YKS), and of any other BER as a plain
// ASN.1 tree.
//
//	tree, err := inspect.Describe(data, "")
//	if err != nil { ... } // neither BER, PEM nor base64
//	err = tree.WriteText(os.Stdout)
//
// It describes; it judges nothing (that is package verify): no signature is
// checked, and what a file says of itself is shown as it says it. A private
// key is never shown, neither readable nor as octets, with a password or
// without: only its algorithm and its public half are. Output is bounded, and
// text that could drive a terminal is escaped.
package inspect
