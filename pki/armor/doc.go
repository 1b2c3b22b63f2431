// Package armor turns the text forms in which documents travel back into
// octets: DER or BER as it is, PEM (RFC 7468) under any label, and base64 (RFC
// 4648).
//
// Web pages, form encoders and mail programs bend base64 in a handful of ways
// that lose nothing, and the servers of Uzbekistan take them all: line breaks,
// spaces and tabs inside, padding left out, the URL-safe alphabet, and one
// layer of percent-encoding. These are undone. Everything else is an error:
// characters of neither alphabet or of both at once, padding in the middle or
// in the wrong number, bits that do not belong to an octet, a second layer of
// percent-encoding. So no two documents that differ read as the same octets
// by accident.
//
//	der, err := armor.Decode(body)
//	if err != nil { ... } // wraps armor.ErrEncoding
//
// The package does not look inside what it decodes and does not write: for
// output encoding/base64 and encoding/pem serve.
package armor
