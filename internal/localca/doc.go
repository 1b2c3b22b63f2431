// Package localca is a certificate authority of one installation, for the
// HTTPS and WSS ports that the agent opens on the loopback interface.
//
//	ca, err := localca.Open(dir, localca.Options{})
//	server := &http.Server{TLSConfig: &tls.Config{GetCertificate: ca.GetCertificate}}
//	results, err := ca.Install(ctx, localca.Stores{System: true, NSS: true})
//
// Browsers trust whatever a CA in their store has signed, so that a key lying
// on a person's disk would let its thief be any site. This CA cannot: a critical
// name constraint (RFC 5280 4.2.1.10) lets it speak for localhost, 127.0.0.0/8
// and ::1 alone, and its extended key usage for TLS servers alone.
//
// The folder holds ca.pem, the certificate, and ca-key.pem, the key as PKCS#8.
// Both are made on first use and never replaced unasked: a file that is damaged
// or open to others is an error that says what to do. Certificates for servers
// live in memory only.
//
// [Authority.Install], [Authority.Remove] and [Authority.Show] are about the
// trust stores of the system, of the browsers that have their own (NSS) and of
// Java. The package asks for no password: where root rights are missing,
// [ErrRights] tells so. It has no command line, and it makes no certificates
// for other names or for clients.
package localca
