// Package cert reads, creates and judges X.509 certificates (RFC 5280) with
// any key that pki/alg knows, above all the GOST keys of Uzbekistan.
//
//	leaf, err := cert.Parse(der)
//	if err != nil { ... }
//	path, err := cert.BuildPath(leaf, cert.PathOptions{
//		Anchors:       cert.NewPool(root),
//		Intermediates: bag,
//		At:            now,
//	})
//	var failure *cert.PathError
//	if errors.As(err, &failure) { ... failure.Reason ... }
//
// crypto/x509 cannot do this work: it refuses both CA certificates of the
// Uzbek production PKI (BOOLEAN TRUE encoded as 0x01) and knows none of its
// keys. The parser here is tolerant in exactly what those certificates need:
// TRUE as any non-zero octet, DEFAULT values written out, keyUsage not
// critical. It is strict elsewhere: trailing octets, unequal inner and outer
// signature algorithms, duplicate extensions and extensions in a version 1
// certificate are errors, and the shell around the signed part must be DER to
// the octet, so that no octet of a certificate can change unnoticed.
//
// Nothing that was signed is re-encoded: Raw, RawTBS, RawSubject and RawIssuer
// are views of the input, which the caller must not change afterwards.
//
// Names print as BouncyCastle prints them ([Name.String]), because that text
// is what sites and servers of E-IMZO exchange.
//
// Requests for certificates (PKCS#10, RFC 2986) are made as E-IMZO makes them
// ([CreateRequest]) and read in the forms that sites hand around
// ([ParseRequest]).
//
// The package does not ask for revocation, does not judge the validity time
// of the end entity, nor its extended key usage: callers know for which time
// and purpose they ask. Of RFC 5280 section 6 it leaves out the policy tree;
// critical extensions that would need it make a path invalid.
package cert
