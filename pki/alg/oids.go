package alg

import "imzo/pki/ber"

// Object identifiers of Uzbekistan. "OZDST" stands for the legacy family of
// 2009, "OZMST" for that of 2024; the mathematics is the same.
var (
	OIDKeyOZDST1 = ber.MustOID("1.2.860.3.15.1.1.1.1") // 1024-bit algorithm 1, obsolete
	OIDKeyOZDST  = ber.MustOID("1.2.860.3.15.1.1.2.1")
	OIDKeyOZMST  = ber.MustOID("1.2.860.3.15.2.1.2.1")

	OIDParamOZDSTA    = ber.MustOID("1.2.860.3.15.1.1.2.1.1")
	OIDParamOZDSTB    = ber.MustOID("1.2.860.3.15.1.1.2.1.2")
	OIDParamOZDSTC    = ber.MustOID("1.2.860.3.15.1.1.2.1.3")
	OIDParamOZDSTD    = ber.MustOID("1.2.860.3.15.1.1.2.1.4") // registered, has no curve
	OIDParamOZDSTXchA = ber.MustOID("1.2.860.3.15.1.1.2.1.5")
	OIDParamOZDSTXchB = ber.MustOID("1.2.860.3.15.1.1.2.1.6")

	OIDParamOZMSTA    = ber.MustOID("1.2.860.3.15.2.1.2.1.1")
	OIDParamOZMSTB    = ber.MustOID("1.2.860.3.15.2.1.2.1.2")
	OIDParamOZMSTC    = ber.MustOID("1.2.860.3.15.2.1.2.1.3")
	OIDParamOZMSTD    = ber.MustOID("1.2.860.3.15.2.1.2.1.4")
	OIDParamOZMSTE    = ber.MustOID("1.2.860.3.15.2.1.2.1.5") // also registered as XchA
	OIDParamOZMSTXchB = ber.MustOID("1.2.860.3.15.2.1.2.1.6")

	OIDSignatureOZDST1 = ber.MustOID("1.2.860.3.15.1.1.1.2.2.2") // obsolete
	OIDSignatureOZDST  = ber.MustOID("1.2.860.3.15.1.1.2.2.2.2")
	OIDSignatureOZMST  = ber.MustOID("1.2.860.3.15.2.1.2.2.2.2")

	OIDDigestOZDST = ber.MustOID("1.2.860.3.15.1.3.2.1.1")
	OIDDigestOZMST = ber.MustOID("1.2.860.3.15.2.3.2.1.1")
)

// Object identifiers of E-IMZO that are no algorithms: attributes of names,
// the encrypted keys of YTKS stores and certificate policies.
var (
	OIDAttributeINN   = ber.MustOID("1.2.860.3.16.1.1") // tax number (STIR) of an organisation
	OIDAttributePINFL = ber.MustOID("1.2.860.3.16.1.2") // personal number (JSHSHIR), 14 digits

	OIDEncryptedKeyYTKS    = ber.MustOID("1.2.860.3.2.10.1")
	OIDEncryptedKeyYTKSOld = ber.MustOID("1.2.860.1.4.1.100.1.1.1.1")

	OIDPolicyTemporary   = ber.MustOID("1.2.860.3.2.10.2") // temporary self-issued certificates
	OIDPolicyReporting   = ber.MustOID("1.2.860.3.2.2.1.2.1")
	OIDPolicyDeclaration = ber.MustOID("1.2.860.3.2.2.1.2.2")
	OIDPolicyPayment     = ber.MustOID("1.2.860.3.2.2.1.2.3")
	OIDPolicyExchange    = ber.MustOID("1.2.860.3.2.2.1.2.4")
	OIDPolicyDocument    = ber.MustOID("1.2.860.3.2.2.1.2.5")
	OIDPolicyTSA         = ber.MustOID("1.2.860.3.2.11.1")
	OIDTimeStampToken    = ber.MustOID("1.2.840.113549.1.9.16.2.14") // RFC 3161 appendix A
)

// Object identifiers of Russia's GOST R 34.10-2001 (RFC 4357, RFC 4491).
var (
	OIDKeyGOST2001          = ber.MustOID("1.2.643.2.2.19")
	OIDSignatureGOST2001    = ber.MustOID("1.2.643.2.2.3")
	OIDDigestGOST94         = ber.MustOID("1.2.643.2.2.9")
	OIDParamGOST2001Test    = ber.MustOID("1.2.643.2.2.35.0")
	OIDParamGOST2001A       = ber.MustOID("1.2.643.2.2.35.1")
	OIDParamGOST2001B       = ber.MustOID("1.2.643.2.2.35.2")
	OIDParamGOST2001C       = ber.MustOID("1.2.643.2.2.35.3")
	OIDParamGOST2001XchA    = ber.MustOID("1.2.643.2.2.36.0")
	OIDParamGOST2001XchB    = ber.MustOID("1.2.643.2.2.36.1")
	OIDParamGOST94Test      = ber.MustOID("1.2.643.2.2.30.0")
	OIDParamGOST94CryptoPro = ber.MustOID("1.2.643.2.2.30.1")
)

// Object identifiers of the digests of FIPS 180-4 (RFC 3279, RFC 5754).
var (
	OIDDigestSHA1   = ber.MustOID("1.3.14.3.2.26")
	OIDDigestSHA224 = ber.MustOID("2.16.840.1.101.3.4.2.4")
	OIDDigestSHA256 = ber.MustOID("2.16.840.1.101.3.4.2.1")
	OIDDigestSHA384 = ber.MustOID("2.16.840.1.101.3.4.2.2")
	OIDDigestSHA512 = ber.MustOID("2.16.840.1.101.3.4.2.3")
)

// Object identifiers of RSA (RFC 8017 appendix C).
var (
	OIDKeyRSA                 = ber.MustOID("1.2.840.113549.1.1.1")
	OIDRSAPSS                 = ber.MustOID("1.2.840.113549.1.1.10") // key and signature
	OIDMGF1                   = ber.MustOID("1.2.840.113549.1.1.8")
	OIDSignatureSHA1WithRSA   = ber.MustOID("1.2.840.113549.1.1.5")
	OIDSignatureSHA224WithRSA = ber.MustOID("1.2.840.113549.1.1.14")
	OIDSignatureSHA256WithRSA = ber.MustOID("1.2.840.113549.1.1.11")
	OIDSignatureSHA384WithRSA = ber.MustOID("1.2.840.113549.1.1.12")
	OIDSignatureSHA512WithRSA = ber.MustOID("1.2.840.113549.1.1.13")
)

// Object identifiers of elliptic curves (RFC 5480, RFC 5758, RFC 8410).
var (
	OIDKeyEC                    = ber.MustOID("1.2.840.10045.2.1")
	OIDCurveP224                = ber.MustOID("1.3.132.0.33")
	OIDCurveP256                = ber.MustOID("1.2.840.10045.3.1.7")
	OIDCurveP384                = ber.MustOID("1.3.132.0.34")
	OIDCurveP521                = ber.MustOID("1.3.132.0.35")
	OIDSignatureECDSAWithSHA1   = ber.MustOID("1.2.840.10045.4.1")
	OIDSignatureECDSAWithSHA224 = ber.MustOID("1.2.840.10045.4.3.1")
	OIDSignatureECDSAWithSHA256 = ber.MustOID("1.2.840.10045.4.3.2")
	OIDSignatureECDSAWithSHA384 = ber.MustOID("1.2.840.10045.4.3.3")
	OIDSignatureECDSAWithSHA512 = ber.MustOID("1.2.840.10045.4.3.4")
	OIDEd25519                  = ber.MustOID("1.3.101.112") // key and signature
)
