// Package revocation asks whether certificates are revoked: by OCSP (RFC 6960)
// over HTTP, at the address in the certificate or at one of our own.
//
//	source := revocation.New(revocation.Options{Now: time.Now})
//	report, err := verify.Document(ctx, document, nil, verify.Options{
//		Anchors:    anchors,
//		Revocation: source,
//	})
//
// What an answer is worth (signature, the responder's authority, the right
// certificate, freshness, nonce) pki/ocsp checks, and what a status means for
// a signature package verify decides. This package finds the responder, keeps
// the time and says in one error why there is no status. It never guesses: no
// trustworthy answer is an error.
//
// The address in a certificate is a place that someone else makes us call.
// Package verify asks only about certificates with a valid path to an anchor,
// so it is a CA we trust that names the place. Beyond that only http and https
// are spoken, redirects are not followed, and answers have a limit.
//
// It does not remember answers. A cache is another verify.RevocationSource
// around this one.
package revocation
