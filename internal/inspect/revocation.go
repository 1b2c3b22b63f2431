package inspect

import (
	"strconv"
	"time"

	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/crl"
	"imzo/pki/ocsp"
)

func describeCRL(e ber.Element, _ string) (*Node, error) {
	l, err := crl.Parse(e.Raw)
	if err != nil {
		return nil, err
	}
	n := &Node{Label: "CRL", Value: clip(l.Issuer.Get("CN"))}
	n.attach(nameNode("issuer", l.Issuer))
	n.add("this update", "%s", when(l.ThisUpdate))
	n.addTime("next update", l.NextUpdate)
	if l.Number != nil {
		n.add("number", "%s", l.Number)
	}
	revoked := n.add("revoked certificates", "")
	count := 0
	if err := l.Each(func(entry crl.Entry) bool {
		if count++; count <= maxListed {
			revoked.attach(revokedNode(entry.Serial.Text(16), entry.RevokedAt, entry.Reason))
		}
		return true
	}); err != nil {
		return nil, err
	}
	revoked.Value = strconv.Itoa(count)
	revoked.more(count)
	return n, n.addSignature(firstChildren(e, 3))
}

// addTime adds a time that may be absent.
func (n *Node) addTime(label string, t time.Time) {
	if t.IsZero() {
		n.add(label, "not stated")
		return
	}
	n.add(label, "%s", when(t))
}

// addSignature adds what follows the signed part: algorithm and signature.
func (n *Node) addSignature(signed []ber.Element) error {
	if len(signed) < 3 {
		return nil
	}
	a, err := alg.ParseAlgorithmIdentifier(signed[1])
	if err != nil {
		return err
	}
	signature, _, err := signed[2].BitString()
	if err != nil {
		return err
	}
	n.add("signature algorithm", "%s", algorithm(a))
	n.add("signature", "%s", hexValue(signature))
	return nil
}

func revokedNode(serial string, at time.Time, reason int) *Node {
	n := &Node{Label: serial, Value: "revoked " + when(at)}
	if reason != ocsp.NoReason {
		n.Value += ", " + ocsp.ReasonName(reason)
	}
	return n
}

func describeOCSPRequest(e ber.Element, _ string) (*Node, error) {
	r, err := ocsp.ParseRequest(e.Raw)
	if err != nil {
		return nil, err
	}
	n := &Node{Label: "OCSP request"}
	n.list(len(r.CertIDs), func(i int) *Node { return certIDNode(r.CertIDs[i]) })
	if r.Nonce != nil {
		n.add("nonce", "%s", hexValue(r.Nonce))
	}
	return n, nil
}

func certIDNode(id ocsp.CertID) *Node {
	n := &Node{Label: "certificate", Value: "serial number " + id.Serial.Text(16)}
	n.add("hash algorithm", "%s", algorithm(id.HashAlgorithm))
	n.add("hash of the issuer's name", "%s", hexValue(id.IssuerNameHash))
	n.add("hash of the issuer's key", "%s", hexValue(id.IssuerKeyHash))
	return n
}

func describeOCSPResponse(e ber.Element, _ string) (*Node, error) {
	r, err := ocsp.ParseResponse(e.Raw)
	if err != nil {
		return nil, err
	}
	n := &Node{Label: "OCSP response", Value: r.Status.String()}
	if r.Status != ocsp.Successful {
		return n, nil
	}
	n.add("produced at", "%s", when(r.ProducedAt))
	if r.ResponderName != nil {
		n.attach(nameNode("responder", *r.ResponderName))
	} else {
		n.add("responder", "with SHA-1 key hash %x", r.ResponderKeyHash)
	}
	n.list(len(r.Responses), func(i int) *Node { return singleResponseNode(r.Responses[i]) })
	if r.Nonce != nil {
		n.add("nonce", "%s", hexValue(r.Nonce))
	}
	if err := n.addSignature(firstChildren(basicResponse(e), 3)); err != nil {
		return nil, err
	}
	bag := n.add("certificates", "%d", len(r.Certificates))
	bag.list(len(r.Certificates), func(i int) *Node { return certificateNode("certificate", r.Certificates[i]) })
	return n, nil
}

// basicResponse is what the response holds as an OCTET STRING: status, [0] {
// { type, response } } (RFC 6960 4.2.1).
func basicResponse(e ber.Element) ber.Element {
	octets, err := childAt(firstChild(childAt(e, 1)), 1).OctetString()
	if err != nil {
		return ber.Element{}
	}
	basic, err := ber.Parse(octets)
	if err != nil {
		return ber.Element{}
	}
	return basic
}

func singleResponseNode(r ocsp.SingleResponse) *Node {
	n := certIDNode(r.CertID)
	status := n.add("status", "%s", r.Status)
	if r.Status == ocsp.Revoked {
		status.Value += " " + when(r.RevokedAt)
		if r.Reason != ocsp.NoReason {
			status.Value += ", " + ocsp.ReasonName(r.Reason)
		}
	}
	n.add("this update", "%s", when(r.ThisUpdate))
	n.addTime("next update", r.NextUpdate)
	return n
}
