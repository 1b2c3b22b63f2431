// Package trust makes and runs a complete hierarchy of trust services: root,
// CA, timestamp authority, OCSP responder and CRL, users and organisations,
// and client keys for the VPN. It is the embedded stand-in for the services
// that E-IMZO-SERVER reaches through vpn.e-imzo.uz, under the same paths
// (/cams/ocsp, /cams/tst).
//
//	a, err := trust.Init(dir, trust.InitOptions{BaseURL: "http://127.0.0.1:8090"})
//	issued, err := a.Issue(trust.Request{Profile: trust.ProfileUser, Subject: trust.Subject{CommonName: "…"}})
//	http.Serve(ln, a.Handler())
//
// A hierarchy is a folder: trust.json (names and addresses), keys/*.pfx with
// the password in keys/password, and ledger, the append-only record of every
// certificate and every change of its status. Whoever holds the folder is the
// authority: it is made for development, tests and closed installations, not
// for a national root.
package trust
