// Package trustlink is the way from a server to the trust services (vpn.* of
// config.properties): one address, mutual TLS, OCSP and timestamps and
// everything else as HTTP/1.1 inside.
//
//	link, err := trustlink.Open(trustlink.Options{
//		Host: "trust.example.uz", Port: 3443, TLS: true,
//		KeyFile: "keys/example.uz-2027-01-01.key", KeyPassword: password,
//		TruststoreFile: "keys/vpn.jks", TruststorePassword: "12345678",
//	})
//	go link.Run(ctx)                     // keep-alive, reconnects, state
//	client := link.HTTPClient()          // for internal/revocation and internal/timestamping
//	reply, err := link.Ping(ctx)
//
// Whatever host a URL names, the request goes to the other end of the link,
// with that host in its Host header: certificates name http://e-imzo.uz/cams/ocsp,
// which is nowhere else to be had. There is no way around the link: while it is
// down, requests fail.
//
// A request does not wait for Run: it connects by itself when no connection is
// open. Run tells in time that the other end is gone, closes the connections
// to it so that nobody waits for an answer on them, and knows the state.
//
// # The other end
//
// It proves itself by a certificate that the trust store vouches for, up to
// one of its certificates (RFC 5280 6, by crypto/x509) or by being one of them,
// and by its name:
//
//   - a certificate with DNS names or addresses (RFC 5280 4.2.1.6) must have
//     the host of the link among them (RFC 9525 6);
//   - one without them, as older CAs issue them, must either have the host as
//     its common name, or be declared a server's by its extended key usage
//     (serverAuth). A customer's key of the same CA is neither, so no customer
//     can pose as the trust services;
//   - a certificate that is in the trust store itself needs no name.
//
// # Keys
//
// A key file is PKCS#12, a Java key store or PEM, told apart by content, with
// an RSA, ECDSA or Ed25519 key. crypto/tls has no GOST suites, so a GOST key is
// refused with [ErrGOSTKey].
//
// # What it does not do
//
// It does not speak the protocol of the original's VPN server, which is not
// public, beyond what the guide shows: TLS with a client key and a trust store,
// and what /ping answers. The other end it is made for is `imzo trust serve
// --link-listen`.
package trustlink
