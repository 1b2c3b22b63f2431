// Package testpki makes certificate hierarchies for tests, in any key family,
// whole and broken, and mutates octets for tests that walk over them.
//
//	pki := testpki.New(t, "ozdst")
//	user := pki.User(t, testpki.Person)
//	path, err := cert.BuildPath(user.Cert, cert.PathOptions{
//		Anchors: pki.Anchors(), Intermediates: user.Chain, At: pki.Now,
//	})
//
// Time stands still at PKI.Now, so that no test depends on the day it runs.
// Keys and serial numbers are random. The package is for test files only; the
// subpackage peer finds the outside programs that tests compare with.
package testpki
