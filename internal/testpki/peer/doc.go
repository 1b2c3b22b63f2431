// Package peer finds the outside programs our tests compare themselves with:
// OpenSSL, the OpenSSL GOST engine, BouncyCastle, Redis, nginx, Chromium,
// RHash, systemd-analyze, strace, keytool, promtool, zbarimg, pinentry-tty,
// certutil and SoftHSM.
//
// A test asks for the peer it needs and goes on when it is there:
//
//	ossl := peer.OpenSSLGOST(t)
//	digest := ossl.Run(t, message, "dgst", "-md_gost94", "-binary")
//
// A peer that is not installed skips the test with a message that names the
// Debian package. The environment variable IMZO_REQUIRE holds a comma
// separated list of peers that must be there (openssl, gost-engine,
// bouncycastle, redis, nginx, chromium, rhash, systemd, strace, keytool,
// promtool, zbarimg, pinentry-tty, certutil, softhsm2); one of those being
// absent fails the test, so that a build meant to run everything cannot pass by
// skipping.
//
// The package is for test files only: it imports testing, starts processes
// and is no part of the product.
package peer
