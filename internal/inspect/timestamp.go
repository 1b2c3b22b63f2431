package inspect

import (
	"fmt"

	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cms"
	"imzo/pki/tsp"
)

func describeTimeStampRequest(e ber.Element, _ string) (*Node, error) {
	r, err := tsp.ParseRequest(e.Raw)
	if err != nil {
		return nil, err
	}
	n := &Node{Label: "timestamp request"}
	n.addImprint(r.HashAlgorithm, r.HashedMessage)
	if r.Policy != "" {
		n.add("policy", "%s", oidText(r.Policy))
	}
	if r.Nonce != nil {
		n.add("nonce", "%x", r.Nonce)
	}
	n.add("certificate wanted", "%t", r.CertReq)
	return n, nil
}

func describeTimeStampResponse(e ber.Element, _ string) (*Node, error) {
	r, err := tsp.ParseResponse(e.Raw)
	if err != nil {
		return nil, err
	}
	n := &Node{Label: "timestamp response", Value: r.Status.String()}
	if r.Text != "" {
		n.add("text", "%s", r.Text)
	}
	if r.Failure != 0 {
		n.add("failure", "%s", r.Failure)
	}
	if r.Token != nil {
		n.attach(tokenNode(r.Token, 0))
	}
	return n, nil
}

// tokenNode describes a token; depth is how many it is inside of.
func tokenNode(t *tsp.Token, depth int) *Node {
	s, info := t.SignedData, t.Info
	n := &Node{Label: "timestamp token", Value: when(info.GenTime)}
	n.addImprint(info.HashAlgorithm, info.HashedMessage)
	n.add("serial number", "%x", info.Serial)
	n.add("policy", "%s", oidText(info.Policy))
	if info.TSA != nil {
		n.add("authority", "%s", info.TSA.Value)
	}
	if info.Accuracy != 0 {
		n.add("accuracy", "%s", info.Accuracy)
	}
	if info.Ordering {
		n.add("ordering", "true")
	}
	if info.Nonce != nil {
		n.add("nonce", "%x", info.Nonce)
	}
	n.addEncoding(s)
	n.addSigners(s, depth)
	n.addBag(s)
	return n
}

func (n *Node) addImprint(a alg.AlgorithmIdentifier, hashed []byte) {
	n.add("hash algorithm", "%s", algorithm(a))
	n.add("hashed message", "%s", hexValue(hashed))
}

func (n *Node) addSigners(s *cms.SignedData, depth int) {
	for i, si := range s.SignerInfos {
		n.attach(signerNode(fmt.Sprintf("signer %d", i+1), s, si, depth))
	}
}
