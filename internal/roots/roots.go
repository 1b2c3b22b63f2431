// Package roots holds the trust anchors that the command line knows without
// being told: the root of Uzbekistan's production hierarchy, so that a person
// can check a document without looking for certificates first. The server
// uses none of them: an administrator names its trust set.
package roots

import (
	_ "embed"

	"imzo/pki/cert"
)

// uz.pem is the national root "mitc.uz" (O'zDSt 1092:2009), serial
// 029ce182249b2d8e5207deb74086b4d6, valid 2020-03-25 to 2035-03-25.
//
//go:embed uz.pem
var uz []byte

// Production returns the roots of the production hierarchies.
func Production() (*cert.Pool, error) {
	certs, err := cert.ParseAll(uz)
	if err != nil {
		return nil, err
	}
	return cert.NewPool(certs...), nil
}
