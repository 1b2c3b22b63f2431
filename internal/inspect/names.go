package inspect

import (
	"imzo/pki/alg"
	"imzo/pki/ber"
)

// oidName names an object identifier, "" when it has no name here.
func oidName(o ber.OID) string {
	if name := oidNames[o]; name != "" {
		return name
	}
	for _, name := range []string{alg.SignatureName(o), alg.KeyName(o)} {
		if name != o.String() {
			return name
		}
	}
	if d, err := alg.DigestByOID(o); err == nil {
		return d.Name
	}
	return ""
}

// oidText is the name with the dotted form, or the dotted form alone.
func oidText(o ber.OID) string {
	if name := oidName(o); name != "" {
		return name + " (" + o.String() + ")"
	}
	return o.String()
}

// shortOID is the name alone, or the dotted form.
func shortOID(o ber.OID) string {
	if name := oidName(o); name != "" {
		return name
	}
	return o.String()
}

// oidNames holds what package alg does not name.
var oidNames = func() map[ber.OID]string {
	names := map[ber.OID]string{}
	for dotted, name := range map[string]string{
		// CMS content types and attributes (RFC 5652, RFC 3161, RFC 5035).
		"1.2.840.113549.1.7.1":       "data",
		"1.2.840.113549.1.7.2":       "signedData",
		"1.2.840.113549.1.7.3":       "envelopedData",
		"1.2.840.113549.1.7.5":       "digestedData",
		"1.2.840.113549.1.7.6":       "encryptedData",
		"1.2.840.113549.1.9.16.1.2":  "authData",
		"1.2.840.113549.1.9.16.1.4":  "TSTInfo",
		"1.2.840.113549.1.9.16.1.23": "authEnvelopedData",
		"1.2.840.113549.1.9.3":       "contentType",
		"1.2.840.113549.1.9.4":       "messageDigest",
		"1.2.840.113549.1.9.5":       "signingTime",
		"1.2.840.113549.1.9.6":       "countersignature",
		"1.2.840.113549.1.9.14":      "extensionRequest",
		"1.2.840.113549.1.9.15":      "smimeCapabilities",
		"1.2.840.113549.1.9.52":      "cmsAlgorithmProtection",
		"1.2.840.113549.1.9.16.2.12": "signingCertificate",
		"1.2.840.113549.1.9.16.2.14": "timeStampToken",
		"1.2.840.113549.1.9.16.2.47": "signingCertificateV2",

		// Key files (RFC 7292, RFC 8018, RFC 9579, RFC 3565).
		"1.2.840.113549.1.9.20":      "friendlyName",
		"1.2.840.113549.1.9.21":      "localKeyId",
		"1.2.840.113549.1.9.22.1":    "x509Certificate",
		"1.2.840.113549.1.9.23.1":    "x509Crl",
		"1.2.840.113549.1.12.10.1.1": "keyBag",
		"1.2.840.113549.1.12.10.1.2": "pkcs8ShroudedKeyBag",
		"1.2.840.113549.1.12.10.1.3": "certBag",
		"1.2.840.113549.1.12.10.1.4": "crlBag",
		"1.2.840.113549.1.12.10.1.5": "secretBag",
		"1.2.840.113549.1.12.10.1.6": "safeContentsBag",
		"1.2.840.113549.1.12.1.1":    "pbeWithSHAAnd128BitRC4",
		"1.2.840.113549.1.12.1.2":    "pbeWithSHAAnd40BitRC4",
		"1.2.840.113549.1.12.1.3":    "pbeWithSHAAnd3-KeyTripleDES-CBC",
		"1.2.840.113549.1.12.1.4":    "pbeWithSHAAnd2-KeyTripleDES-CBC",
		"1.2.840.113549.1.12.1.5":    "pbeWithSHAAnd128BitRC2-CBC",
		"1.2.840.113549.1.12.1.6":    "pbeWithSHAAnd40BitRC2-CBC",
		"1.2.840.113549.1.5.12":      "PBKDF2",
		"1.2.840.113549.1.5.13":      "PBES2",
		"1.2.840.113549.1.5.14":      "PBMAC1",
		"1.2.840.113549.2.7":         "HMAC-SHA1",
		"1.2.840.113549.2.8":         "HMAC-SHA224",
		"1.2.840.113549.2.9":         "HMAC-SHA256",
		"1.2.840.113549.2.10":        "HMAC-SHA384",
		"1.2.840.113549.2.11":        "HMAC-SHA512",
		"1.2.840.113549.3.7":         "DES-EDE3-CBC",
		"2.16.840.1.101.3.4.1.2":     "AES-128-CBC",
		"2.16.840.1.101.3.4.1.22":    "AES-192-CBC",
		"2.16.840.1.101.3.4.1.42":    "AES-256-CBC",
		"1.3.6.1.4.1.11591.4.11":     "scrypt",
		"1.2.860.3.2.10.1":           "YTKS-2 encrypted private key",
		"1.2.860.1.4.1.100.1.1.1.1":  "YTKS-2 encrypted private key",

		// Certificates, CRLs and OCSP (RFC 5280, RFC 6960).
		"1.3.6.1.5.5.7.48.1":   "OCSP",
		"1.3.6.1.5.5.7.48.1.1": "basicOCSPResponse",
		"1.3.6.1.5.5.7.48.1.2": "nonce",
		"1.3.6.1.5.5.7.48.1.5": "OCSPNoCheck",
		"1.3.6.1.5.5.7.48.2":   "caIssuers",
		"1.3.6.1.5.5.7.1.1":    "authorityInfoAccess",
		"1.3.6.1.5.5.7.2.1":    "CPS",
		"1.3.6.1.5.5.7.2.2":    "userNotice",
		"1.3.6.1.5.5.7.3.1":    "serverAuth",
		"1.3.6.1.5.5.7.3.2":    "clientAuth",
		"1.3.6.1.5.5.7.3.3":    "codeSigning",
		"1.3.6.1.5.5.7.3.4":    "emailProtection",
		"1.3.6.1.5.5.7.3.8":    "timeStamping",
		"1.3.6.1.5.5.7.3.9":    "OCSPSigning",
		"2.5.29.14":            "subjectKeyIdentifier",
		"2.5.29.15":            "keyUsage",
		"2.5.29.16":            "privateKeyUsagePeriod",
		"2.5.29.17":            "subjectAltName",
		"2.5.29.18":            "issuerAltName",
		"2.5.29.19":            "basicConstraints",
		"2.5.29.20":            "cRLNumber",
		"2.5.29.21":            "reasonCode",
		"2.5.29.24":            "invalidityDate",
		"2.5.29.27":            "deltaCRLIndicator",
		"2.5.29.28":            "issuingDistributionPoint",
		"2.5.29.29":            "certificateIssuer",
		"2.5.29.30":            "nameConstraints",
		"2.5.29.31":            "cRLDistributionPoints",
		"2.5.29.32":            "certificatePolicies",
		"2.5.29.32.0":          "anyPolicy",
		"2.5.29.35":            "authorityKeyIdentifier",
		"2.5.29.36":            "policyConstraints",
		"2.5.29.37":            "extKeyUsage",
		"2.5.29.37.0":          "anyExtendedKeyUsage",
		"2.5.29.46":            "freshestCRL",

		// Names (RFC 4519), as E-IMZO writes them.
		"2.5.4.3":                    "CN",
		"2.5.4.4":                    "SURNAME",
		"2.5.4.5":                    "SERIALNUMBER",
		"2.5.4.6":                    "C",
		"2.5.4.7":                    "L",
		"2.5.4.8":                    "ST",
		"2.5.4.10":                   "O",
		"2.5.4.11":                   "OU",
		"2.5.4.12":                   "T",
		"2.5.4.15":                   "BusinessCategory",
		"2.5.4.41":                   "Name",
		"2.5.4.42":                   "GIVENNAME",
		"1.2.840.113549.1.9.1":       "E",
		"0.9.2342.19200300.100.1.1":  "UID",
		"0.9.2342.19200300.100.1.25": "DC",
		"1.2.860.3.16.1.1":           "TIN of the organisation",
		"1.2.860.3.16.1.2":           "PINFL",

		// Policies of Uzbekistan.
		"1.2.860.3.2.2.1.2.1": "all electronic reporting",
		"1.2.860.3.2.2.1.2.2": "electronic declarations",
		"1.2.860.3.2.2.1.2.3": "payment operations",
		"1.2.860.3.2.2.1.2.4": "exchange deals",
		"1.2.860.3.2.2.1.2.5": "electronic document flow",
		"1.2.860.3.2.10.2":    "temporary certificate",
		"1.2.860.3.2.11.1":    "timestamp authority",

		// Curves, and the parameter sets of GOST keys with the curve each
		// stands for.
		"1.3.132.0.33":           "P-224",
		"1.2.840.10045.3.1.7":    "P-256",
		"1.3.132.0.34":           "P-384",
		"1.3.132.0.35":           "P-521",
		"1.2.860.3.15.1.1.2.1.1": "A, curve CryptoPro-A",
		"1.2.860.3.15.1.1.2.1.2": "B, curve CryptoPro-B",
		"1.2.860.3.15.1.1.2.1.3": "C, curve CryptoPro-C",
		"1.2.860.3.15.1.1.2.1.4": "D",
		"1.2.860.3.15.1.1.2.1.5": "XchA, curve CryptoPro-A",
		"1.2.860.3.15.1.1.2.1.6": "XchB, curve CryptoPro-C",
		"1.2.860.3.15.2.1.2.1.1": "A, curve CryptoPro-A",
		"1.2.860.3.15.2.1.2.1.2": "B, curve CryptoPro-B",
		"1.2.860.3.15.2.1.2.1.3": "C, curve CryptoPro-C",
		"1.2.860.3.15.2.1.2.1.4": "D, curve CryptoPro-A",
		"1.2.860.3.15.2.1.2.1.5": "E, curve CryptoPro-B",
		"1.2.860.3.15.2.1.2.1.6": "XchB, curve CryptoPro-C",
		"1.2.643.2.2.35.0":       "test parameters",
		"1.2.643.2.2.35.1":       "CryptoPro-A",
		"1.2.643.2.2.35.2":       "CryptoPro-B",
		"1.2.643.2.2.35.3":       "CryptoPro-C",
		"1.2.643.2.2.36.0":       "CryptoPro-XchA, curve CryptoPro-A",
		"1.2.643.2.2.36.1":       "CryptoPro-XchB, curve CryptoPro-C",
		"1.2.643.2.2.30.0":       "test parameters of GOST R 34.11-94",
		"1.2.643.2.2.30.1":       "CryptoPro parameters of GOST R 34.11-94",
	} {
		names[ber.MustOID(dotted)] = name
	}
	return names
}()
