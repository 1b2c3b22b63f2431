// Package client calls an Imzo server, or the E-IMZO-SERVER that it replaces,
// from the back end of a site.
//
//	c, err := client.New("http://127.0.0.1:8080", client.Options{})
//	...
//	challenge, err := c.Challenge(ctx)            // for the page
//	...                                           // the user's agent signs it
//	user := client.User{IP: "1.2.3.4", Host: "example.uz"}
//	reply, err := c.Auth(ctx, user, pkcs7)        // what the page sends back
//	switch {
//	case errors.Is(err, client.AuthChallengeNotFound):
//		// too late: begin again
//	case err != nil:
//		// nobody is logged in
//	default:
//		login(reply.SubjectCertificateInfo.PINFL())
//	}
//
// A status other than 1 is an error, so that nothing that was not checked, or
// not found good, passes where only err is looked at. It is a [*StatusError]
// that wraps a status of its endpoint: errors.Is tells them apart, also where
// two endpoints use one number, as -20, for different things. The reply is
// returned beside the error, with all that the server said. An answer that is
// not HTTP 200 is an [*HTTPError].
//
// PKCS#7 documents are base64 text, as the agent gives them; what was or is to
// be signed is octets. Dates are text without a zone, see [Date].
//
// Calls are repeated when the server cannot be reached or is overloaded, but
// for [Client.Auth]: the first try may have used the challenge up.
//
// The package imports the standard library alone. It does not sign, which is
// the user's agent's part, and has no calls of the mobile endpoints.
package client
