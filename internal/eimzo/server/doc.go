// Package server is a drop-in replacement of E-IMZO-SERVER: the REST service
// that a web site's back end asks whether an E-IMZO signature is valid (guide,
// chapter 2).
//
//	err := server.Run(ctx, "config.properties", server.Deps{Logger: log})
//
// runs it as its file says; [New] builds it from parts, for tests and for
// programs that bring their own trust.
//
// # What it answers
//
// Package verify decides, in a verify.Report. This package turns the report
// into what the guide documents: the status numbers in one table (status.go),
// the JSON as plain structs in the guide's order (views.go), the rest being
// HTTP. Replies are 200 with a status; 400 is for requests that cannot be
// understood, 503 for trouble on our side, both with one line of plain text.
//
// Bodies are base64 text, read whole whatever their Content-Type says: curl
// and PHP send them as forms, and a form's parser would eat every '+'.
//
// # What the guide leaves open
//
// The decisions of this implementation, where the guide is silent:
//
//   - A document that is no PKCS#7, or of the wrong kind (detached where
//     attached is asked for), gets -10; what is not even base64 gets HTTP 400.
//   - The status is that of the first signer with a failure, and of its first
//     failure in the order -10, -11, -12, -1, -21, -22, -23, -20. A revoked
//     certificate is -11. failedSignerInfo is that signer; pkcs7Info is there
//     too, with every signer.
//   - A document whose certificate was revoked after the time of a valid
//     timestamp keeps the status 1 and gets revokedStatusInfo;
//     revocation.strict makes it -11.
//   - A log-in is of now: the certificate must be valid and not revoked at the
//     time of the request, whatever dates the answer brings.
//   - auth.service.valid.minutes.window is 10 minutes when not set, and holds
//     to both sides of the server's clock. An answer without signingTime is
//     outside of any window.
//   - An answer to a challenge has exactly one signer, and its content is the
//     challenge to the octet. The challenge is used up once the signature has
//     proved right, whatever else is then wrong.
//   - /ping answers without VPN too, with the time and the caller's address,
//     and without vpnKeyInfo, so that it serves as the check the guide
//     describes.
//   - A token that the timestamp authority sends is verified against the trust
//     anchors before it is attached.
//
// # What it does not do yet
//
// The tunnel: its settings are reported and left alone.
package server
