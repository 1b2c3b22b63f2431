// Package ocsp is the Online Certificate Status Protocol (RFC 6960, nonces by
// RFC 9654): requests, responses, the check of a response, a client, and a
// responder without its HTTP server.
//
//	nonce, _ := ocsp.NewNonce(rand.Reader)
//	request := ocsp.Request{CertIDs: []ocsp.CertID{ocsp.NewCertID(nil, c, issuer)}, Nonce: nonce}
//	response, err := (&ocsp.Client{}).Ask(ctx, url, request)
//	status, err := response.Check(ocsp.CheckOptions{Certificate: c, Issuer: issuer, Nonce: nonce, Now: now})
//
// A parsed response says nothing until [Response.Check] accepts it: who signed
// it and with what right, whether it answers for this very certificate of
// this very issuer, whether it is fresh, and whether it answers this request.
//
// Responses are read strictly: every octet outside the signed part has one
// form, so none can be changed unnoticed. The revocation of the responder's
// own certificate is not asked (RFC 6960 4.2.2.2.1 leaves that to policy).
package ocsp
