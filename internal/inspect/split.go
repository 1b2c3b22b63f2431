package inspect

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"strings"

	"imzo/pki/armor"
	"imzo/pki/ber"
)

// part is one thing of a file: a PEM block, or an element of BER.
type part struct {
	// label is that of the PEM block, "" when it is none.
	label   string
	element ber.Element
	// secret marks a PEM block that calls itself a private key.
	secret bool
	// opaque says why there is no element.
	opaque string
}

var pemBegin = []byte("-----BEGIN ")

// split takes a file apart: PEM blocks, or BER elements one after the other,
// binary or as base64. There is at least one part, or an error.
func split(data []byte) ([]part, error) {
	if parts := splitPEM(data); len(parts) > 0 {
		return parts, nil
	}
	der, err := armor.Decode(data)
	if err != nil {
		// What starts with another tag than SEQUENCE, armor takes for text.
		if e, berErr := ber.Parse(data); berErr == nil {
			return []part{{element: e}}, nil
		}
		return nil, fmt.Errorf("neither BER, PEM nor base64: %w", err)
	}
	if parts := splitPEM(der); len(parts) > 0 {
		return parts, nil // PEM once more in base64, as some sites send it
	}
	return splitBER(der)
}

func splitPEM(data []byte) []part {
	if !bytes.Contains(data, pemBegin) {
		return nil
	}
	var parts []part
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return parts
		}
		if len(parts) == maxListed {
			return append(parts, part{opaque: fmt.Sprintf("more than %d PEM blocks", maxListed)})
		}
		parts = append(parts, pemPart(block))
	}
}

func pemPart(block *pem.Block) part {
	p := part{label: block.Type, secret: strings.Contains(block.Type, "PRIVATE KEY")}
	if proc := block.Headers["Proc-Type"]; strings.Contains(proc, "ENCRYPTED") {
		cipher, _, _ := strings.Cut(block.Headers["DEK-Info"], ",")
		p.opaque = fmt.Sprintf("encrypted with %s as PEM of OpenSSL, %s", cipher, size(len(block.Bytes)))
		return p
	}
	e, err := ber.Parse(block.Bytes)
	if err != nil {
		p.opaque = fmt.Sprintf("%s: %v", size(len(block.Bytes)), err)
		return p
	}
	p.element = e
	return p
}

func splitBER(der []byte) ([]part, error) {
	var parts []part
	for len(der) > 0 {
		if len(parts) == maxListed {
			return append(parts, part{opaque: fmt.Sprintf("more than %d elements, %s", maxListed, size(len(der)))}), nil
		}
		e, rest, err := ber.ParsePrefix(der)
		if err != nil {
			if len(parts) == 0 {
				return nil, err
			}
			return append(parts, part{opaque: fmt.Sprintf("%s after it: %v", size(len(der)), err)}), nil
		}
		parts, der = append(parts, part{element: e}), rest
	}
	return parts, nil
}

// join puts the descriptions of the parts under one root.
func join(parts []part, describe func(part) *Node) *Node {
	if len(parts) == 1 {
		root := describe(parts[0])
		root.bound(maxNodes)
		return root
	}
	root := &Node{Label: "file", Value: fmt.Sprintf("%d parts", len(parts))}
	for _, p := range parts {
		root.attach(describe(p))
	}
	root.bound(maxNodes)
	return root
}
