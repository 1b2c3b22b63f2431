// Package cms reads, verifies, makes and rewrites the SignedData of the
// Cryptographic Message Syntax (RFC 5652): the documents of E-IMZO, of CAdES,
// and the timestamp tokens of RFC 3161.
//
// Reading takes BER and DER. Making writes the layout of E-IMZO by default
// (indefinite lengths, content in segments of 1000 octets, the certificate
// chain in its order), or DER.
//
//	sd, err := cms.Parse(document)
//	if err != nil { ... }
//	for _, si := range sd.SignerInfos {
//		for _, c := range sd.SignerCertificates(si) {
//			err = sd.Verify(si, c, nil) // nil: the content is inside
//		}
//	}
//
// Octets that were signed are never re-encoded: rewriting a document (one more
// signer, a timestamp, the content put in) copies certificates, signer infos
// and content as they are.
//
// No signature covers the shell of a document, so Parse is strict about it:
// versions follow RFC 5652 5.1 and 5.3 exactly, digestAlgorithms holds just
// what the signers use, identifiers of algorithms without parameters have
// none, the certificate bag holds X.509 certificates and nothing else, and
// nothing unknown stands anywhere. With cert.CheckBag over the certificates no
// octet of a document can be replaced without notice, but for these: unsigned
// attributes that nobody checks, embedded CRLs, and the second name that two
// kinds of signature have and that means the same (rsaEncryption beside
// sha256WithRSAEncryption, the key's identifier of GOST R 34.10-2001 beside
// the signature's). The same can be said in other octets, though: the shell and
// the signed attributes in BER with other lengths and segments, sets in another
// order, an algorithm without its NULL parameters wherever it is named, and the
// ECDSA signature (r, s) as (r, n-s). So do not tell documents apart by a digest
// of the whole.
//
// Verify proves that the key of one certificate signed one content. Whether
// that certificate is trusted, was valid and not revoked, and which of the
// signers must be there, is for package verify. Encryption (EnvelopedData) and
// countersignatures are not here.
package cms
