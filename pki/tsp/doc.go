// Package tsp is the Time-Stamp Protocol (RFC 3161, RFC 5816): requests,
// responses, tokens, a client, and an authority without its HTTP server.
//
//	token, err := (&tsp.Client{}).Stamp(ctx, url, alg.OZDST(), signature)
//	err = token.CheckImprint(signature) // it is about these octets
//	err = token.VerifySignature()       // and its authority said so
//
// A token proves its time only to who trusts the authority:
// [Token.VerifySignature] proves which certificate signed and that this
// certificate is one of a timestamp authority; its path, validity and
// revocation are for the caller to check, on the certificate that
// [Token.Signer] returns.
//
// A token must name its certificate in a signed attribute (signingCertificate
// or signingCertificateV2), as RFC 3161 2.4.2 demands, and must not be signed
// with SHA-1.
package tsp
