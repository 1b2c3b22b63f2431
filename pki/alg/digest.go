package alg

import (
	"crypto"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"slices"
	"strings"

	"imzo/gost/gost341194"
	"imzo/pki/ber"
)

// Digest is a hash function under one object identifier. There is one value
// for each, so digests are compared by pointer; the O'z DSt, O'z MSt and GOST
// digests compute the same and are not the same.
type Digest struct {
	OID  ber.OID
	Name string // "OZDST-1106-2009-2-A", "SHA-256", ...
	Size int    // octets of a digest

	null bool        // the identifier is written with NULL parameters
	std  crypto.Hash // 0 for the GOST family
	make func() hash.Hash
}

func newGOST94() hash.Hash { return gost341194.New() }

var (
	digestOZDST  = &Digest{OID: OIDDigestOZDST, Name: "OZDST-1106-2009-2-A", Size: gost341194.Size, null: true, make: newGOST94}
	digestOZMST  = &Digest{OID: OIDDigestOZMST, Name: "OZMST-285-2024-2-A", Size: gost341194.Size, null: true, make: newGOST94}
	digestGOST94 = &Digest{OID: OIDDigestGOST94, Name: "GOST3411", Size: gost341194.Size, null: true, make: newGOST94}
	digestSHA1   = &Digest{OID: OIDDigestSHA1, Name: "SHA-1", Size: sha1.Size, std: crypto.SHA1, make: sha1.New}
	digestSHA224 = &Digest{OID: OIDDigestSHA224, Name: "SHA-224", Size: sha256.Size224, std: crypto.SHA224, make: sha256.New224}
	digestSHA256 = &Digest{OID: OIDDigestSHA256, Name: "SHA-256", Size: sha256.Size, std: crypto.SHA256, make: sha256.New}
	digestSHA384 = &Digest{OID: OIDDigestSHA384, Name: "SHA-384", Size: sha512.Size384, std: crypto.SHA384, make: sha512.New384}
	digestSHA512 = &Digest{OID: OIDDigestSHA512, Name: "SHA-512", Size: sha512.Size, std: crypto.SHA512, make: sha512.New}

	digests = []*Digest{digestOZDST, digestOZMST, digestGOST94, digestSHA1, digestSHA224, digestSHA256, digestSHA384, digestSHA512}
)

// OZDST returns the digest of the legacy O'z DSt family.
func OZDST() *Digest { return digestOZDST }

// OZMST returns the digest of the O'z MSt family of 2024.
func OZMST() *Digest { return digestOZMST }

// SHA1 returns SHA-1: for identifiers (OCSP CertID, key identifiers), not for
// new signatures.
func SHA1() *Digest { return digestSHA1 }

// SHA256 returns SHA-256.
func SHA256() *Digest { return digestSHA256 }

// DigestByOID returns the digest of an object identifier; the error wraps
// [ErrUnsupported].
func DigestByOID(oid ber.OID) (*Digest, error) {
	for _, d := range digests {
		if d.OID == oid {
			return d, nil
		}
	}
	return nil, fmt.Errorf("%w: digest %s", ErrUnsupported, oid)
}

// DigestByName returns the digest with the name, in any case and with or
// without the hyphen of the SHA names, or with the dotted object identifier.
// The error wraps [ErrUnsupported].
func DigestByName(name string) (*Digest, error) {
	for _, d := range digests {
		if strings.EqualFold(name, d.Name) || name == d.OID.String() ||
			d.std != 0 && strings.EqualFold(name, strings.Replace(d.Name, "-", "", 1)) {
			return d, nil
		}
	}
	return nil, fmt.Errorf("%w: digest %q", ErrUnsupported, name)
}

// Digests returns all digests there are.
func Digests() []*Digest { return slices.Clone(digests) }

// SameFunction tells whether two digests compute the same, as those of the
// GOST family do.
func (d *Digest) SameFunction(o *Digest) bool { return d.std == o.std }

// New returns a new hash state.
func (d *Digest) New() hash.Hash { return d.make() }

// Sum returns the digest of b.
func (d *Digest) Sum(b []byte) []byte {
	if d.std == 0 { // without a state on the heap
		sum := gost341194.Sum256(b)
		return sum[:]
	}
	h := d.make()
	h.Write(b)
	return h.Sum(nil)
}

// Identifier returns the algorithm identifier as its family writes it: with
// NULL parameters for the GOST family, without for SHA (RFC 5754 2).
func (d *Digest) Identifier() AlgorithmIdentifier {
	if d.null {
		return NewNull(d.OID)
	}
	return New(d.OID)
}

// String returns the name.
func (d *Digest) String() string { return d.Name }
