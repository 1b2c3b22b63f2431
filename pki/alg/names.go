package alg

import "imzo/pki/ber"

// uzbekNames are the names E-IMZO prints; sites compare them.
var uzbekNames = map[ber.OID]string{
	OIDKeyOZDST1:       "OZDST-1092-2009-1",
	OIDKeyOZDST:        "OZDST-1092-2009-2",
	OIDKeyOZMST:        "OZMST-286-2024-2",
	OIDSignatureOZDST1: "OZDST-1106-2009-2-AwithOZDST-1092-2009-1",
	OIDSignatureOZDST:  "OZDST-1106-2009-2-AwithOZDST-1092-2009-2",
	OIDSignatureOZMST:  "OZMST-285-2024-2-AwithOZMST-286-2024-2",
}

// keyNames are the names of the Java Cryptography Architecture.
var keyNames = map[ber.OID]string{
	OIDKeyRSA:      "RSA",
	OIDRSAPSS:      "RSASSA-PSS",
	OIDKeyEC:       "EC",
	OIDEd25519:     "Ed25519",
	OIDKeyGOST2001: "ECGOST3410",
}

var signatureNames = map[ber.OID]string{
	OIDKeyRSA:                   "RSA", // CMS names the digest apart (RFC 3370 3.2)
	OIDRSAPSS:                   "RSASSA-PSS",
	OIDSignatureSHA1WithRSA:     "SHA1withRSA",
	OIDSignatureSHA224WithRSA:   "SHA224withRSA",
	OIDSignatureSHA256WithRSA:   "SHA256withRSA",
	OIDSignatureSHA384WithRSA:   "SHA384withRSA",
	OIDSignatureSHA512WithRSA:   "SHA512withRSA",
	OIDSignatureECDSAWithSHA1:   "SHA1withECDSA",
	OIDSignatureECDSAWithSHA224: "SHA224withECDSA",
	OIDSignatureECDSAWithSHA256: "SHA256withECDSA",
	OIDSignatureECDSAWithSHA384: "SHA384withECDSA",
	OIDSignatureECDSAWithSHA512: "SHA512withECDSA",
	OIDEd25519:                  "Ed25519",
	OIDSignatureGOST2001:        "GOST3411withECGOST3410",
	OIDKeyGOST2001:              "ECGOST3410", // CMS names the digest apart (RFC 4490 3.2)
}

// KeyName returns the name of a public key algorithm, such as
// "OZDST-1092-2009-2", "RSA" or "EC", else the dotted object identifier.
func KeyName(oid ber.OID) string { return nameIn(keyNames, oid) }

// SignatureName returns the name of a signature algorithm, such as
// "OZDST-1106-2009-2-AwithOZDST-1092-2009-2" or "SHA256withRSA", else the
// dotted object identifier.
func SignatureName(oid ber.OID) string { return nameIn(signatureNames, oid) }

// EIMZOName returns the name as E-IMZO itself prints it in keyAlgName,
// signAlgName and publicKeyAlgName: the six names of O'z DSt and O'z MSt keys
// and signatures, and the dotted object identifier for everything else.
func EIMZOName(oid ber.OID) string { return nameIn(nil, oid) }

func nameIn(names map[ber.OID]string, oid ber.OID) string {
	if name, ok := uzbekNames[oid]; ok {
		return name
	}
	if name, ok := names[oid]; ok {
		return name
	}
	return oid.String()
}
