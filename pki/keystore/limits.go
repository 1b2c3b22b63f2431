package keystore

import "fmt"

const (
	// maxFile bounds a PFX or PEM file: the largest seen hold a few keys
	// with chains in 20 KiB; 4 MiB is hundreds of keys.
	maxFile = 4 << 20

	// maxBags bounds the keys, and the certificates, of one file: every key
	// is compared with every certificate, and every link of its chain.
	maxBags = 256

	// maxChain bounds a chain; those in use have three or four certificates.
	maxChain = 16

	// maxKey bounds a PKCS#8 key: RSA of 16384 bits takes 10 KiB.
	maxKey = 16 << 10

	// maxSalt bounds a salt. The PKCS#12 derivation hashes it once more for
	// every block of output; no writer uses more than 64 octets.
	maxSalt = 1 << 10

	// maxPassword bounds a password, in UTF-16 units, for the same reason.
	maxPassword = 1 << 10

	// maxIterations bounds the iterations of all key derivations of one
	// file together: some seconds of work. Java refuses more than 5 million
	// in one derivation, files have 2048 to 600,000.
	maxIterations = 10_000_000

	// maxMACKey bounds the key of PBMAC1: PBKDF2 repeats all iterations for
	// every digest of output, so a kilobyte made minutes of work of the
	// iterations allowed. Writers ask for a digest, up to 64 octets.
	maxMACKey = 64
)

// work is what is left of the iterations a file may cost.
type work struct{ left int64 }

// spend takes n iterations.
func (w *work) spend(n int) error {
	if w.left -= int64(n); w.left < 0 {
		return fmt.Errorf("%w: more than %d iterations", ErrLimit, maxIterations)
	}
	return nil
}
