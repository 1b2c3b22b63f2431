// Package phone is the phone of ID-CARD E-IMZO MOBILE: what the application
// E-IMZO ID-CARD does with a link or the text of a QR code, and how it talks to
// the gateway.
//
//	p := phone.Phone{Gateway: &phone.Client{URL: "http://127.0.0.1:8070"}, Now: time.Now}
//	request, err := p.Open(ctx, "eimzo://sign?qc=0000850FF7273369cd52...")
//	// show request.Site and request.Code.Groups() to the person, ask the PIN
//	outcome, err := p.Sign(ctx, request, card, pin)
//
// The card signs the digest of three attributes, contentType, signingTime and
// messageDigest; the phone never sees the document. The protocol between phone
// and gateway is our own, since that of the original is not public.
//
// It keeps no PIN, asks nobody for one, and shows nothing.
package phone
