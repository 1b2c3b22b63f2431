package cert

import (
	"bytes"
	"container/list"
	"crypto/sha256"
	"time"
)

// Cache remembers certificates that came before, read, and which of them carry
// a signature that verifies with which key: those of CAs, services, and users
// who come back are then not read and checked with each document anew.
//
//	cache := cert.NewCache(0)
//	leaf, err := cache.Parse(der)
//	path, err := cert.BuildPath(leaf, cert.PathOptions{Anchors: roots, CheckSignature: cache.Check})
//
// It remembers what octets say, that they are signed with a key, and the paths
// that were found: each for the leaf, the bag and the anchors it was found with,
// and for as long as its CA certificates are valid. What a leaf's own time and
// purpose are worth, revocation and policies are judged at each use. Octets are
// known by all of themselves, and a signature by the SHA-256 digests of the
// whole certificate and of the issuer's whole SubjectPublicKeyInfo, so that
// another certificate is never taken for one that came before, whatever names,
// serial numbers and key identifiers it bears. Octets that are no certificate,
// and signatures that do not verify, are not remembered.
//
// It is safe for concurrent use. A nil Cache remembers nothing.
type Cache struct {
	certificates *lru[string, *Certificate] // by all octets
	signatures   *lru[signatureFact, struct{}]
	paths        *lru[pathQuestion, foundPath]
}

// signatureFact names a signature by what it was computed from.
type signatureFact struct{ certificate, key [32]byte }

// pathQuestion is what a path was looked for with.
type pathQuestion struct {
	certificates [32]byte // digest of the digests of the leaf and all in the bags
	roots        *Bag     // of the anchors, which only grows
	trusted      int      // how many they were
}

// foundPath is a path that holds from one time to another, both included.
type foundPath struct {
	path     *Path
	from, to time.Time
}

const (
	// maxPathBag is how many certificates may be looked through for a path that
	// is kept: a document's chain, and that of its timestamp.
	maxPathBag = 15

	// defaultKept is many times the CAs and services there are, with room for
	// the users of a busy hour.
	defaultKept = 2048
	// maxKept bounds a certificate that is kept. In use they have 1 to 2 KiB.
	// Read it takes four times that, a hostile one a dozen times: a full cache
	// has 20 MB, 80 at the very worst.
	maxKept = 3 << 10
	// signaturesKept is how many signatures are kept for each certificate; one
	// takes 250 octets.
	signaturesKept = 4
)

// NewCache returns a cache of at most so many certificates, 0 meaning 2048,
// as many paths, and four times as many signatures. Those used least recently go first.
func NewCache(most int) *Cache {
	if most <= 0 {
		most = defaultKept
	}
	return &Cache{
		certificates: newLRU[string, *Certificate](most),
		signatures:   newLRU[signatureFact, struct{}](signaturesKept * most),
		paths:        newLRU[pathQuestion, foundPath](most),
	}
}

// Parse is [Parse], remembered. The result is for any number of users, and
// aliases der only where it is not kept.
func (k *Cache) Parse(der []byte) (*Certificate, error) {
	if k == nil || len(der) > maxKept {
		return Parse(der)
	}
	look := func(items map[string]*list.Element) *list.Element { return items[string(der)] }
	if c, ok := k.certificates.find(look); ok {
		return c, nil
	}
	c, err := Parse(bytes.Clone(der))
	if err != nil {
		return nil, err
	}
	c.prepared = prepare(c)
	return k.certificates.add(string(der), c), nil
}

// Check is [Certificate.CheckSignatureFrom], remembered.
func (k *Cache) Check(child, issuer *Certificate) error {
	if k == nil {
		return child.CheckSignatureFrom(issuer)
	}
	fact := signatureFact{child.Fingerprint(), issuer.keyDigest()}
	if _, ok := k.signatures.get(fact); ok {
		return nil
	}
	if err := child.CheckSignatureFrom(issuer); err != nil {
		return err
	}
	k.signatures.add(fact, struct{}{})
	return nil
}

// BuildPath is [BuildPath], remembered when it finds a path. That is shared, and
// not to be changed. o.CheckSignature must say the same of the same certificates
// every time.
func (k *Cache) BuildPath(leaf *Certificate, o PathOptions) (*Path, error) {
	question, ok := k.question(leaf, o)
	if !ok {
		return BuildPath(leaf, o)
	}
	known, ok := k.paths.get(question)
	if ok && !o.At.Before(known.from) && !o.At.After(known.to) {
		return known.path, nil
	}
	path, err := BuildPath(leaf, o)
	if err != nil || ok {
		return path, err
	}
	found := foundPath{path: path, from: path.Anchor().NotBefore, to: path.Anchor().NotAfter}
	for _, c := range path.Certificates[1:] {
		if c.NotBefore.After(found.from) {
			found.from = c.NotBefore
		}
		if c.NotAfter.Before(found.to) {
			found.to = c.NotAfter
		}
	}
	k.paths.add(question, found)
	return path, nil
}

func (k *Cache) question(leaf *Certificate, o PathOptions) (q pathQuestion, ok bool) {
	if k == nil || leaf == nil || o.Anchors.Len() == 0 || len(o.Intermediates) > 0 {
		return q, false
	}
	var sums [(1 + maxPathBag) * sha256.Size]byte
	sum := leaf.Fingerprint()
	n := copy(sums[:], sum[:])
	for _, b := range o.Bags {
		if len(b.sums)*sha256.Size > len(sums)-n {
			return q, false
		}
		for _, sum := range b.sums {
			n += copy(sums[n:], sum[:])
		}
	}
	roots := o.Anchors.roots()
	return pathQuestion{sha256.Sum256(sums[:n]), roots, len(roots.certs)}, true
}

// Len returns how many certificates and signatures are remembered.
func (k *Cache) Len() (certificates, signatures int) {
	if k == nil {
		return 0, 0
	}
	return k.certificates.len(), k.signatures.len()
}

// prepared is what is computed of a certificate again and again. It is made
// once for one that is kept.
type prepared struct {
	raw             []byte   // what it was computed of
	sum, key        [32]byte // digests of the certificate and of its key
	subject, issuer string   // canonical names
}

func prepare(c *Certificate) *prepared {
	return &prepared{
		raw:     c.Raw,
		sum:     sha256.Sum256(c.Raw),
		key:     sha256.Sum256(c.PublicKey.Raw),
		subject: c.Subject.canonical(),
		issuer:  c.Issuer.canonical(),
	}
}

// ready returns what was prepared, nil when there is nothing. A copy of a
// certificate whose octets were replaced has nothing.
func (c *Certificate) ready() *prepared {
	if p := c.prepared; p != nil && len(p.raw) == len(c.Raw) && &p.raw[0] == &c.Raw[0] {
		return p
	}
	return nil
}

func (c *Certificate) keyDigest() [32]byte {
	if p := c.ready(); p != nil {
		return p.key
	}
	return sha256.Sum256(c.PublicKey.Raw)
}

func (c *Certificate) canonicalSubject() string {
	if p := c.ready(); p != nil {
		return p.subject
	}
	return c.Subject.canonical()
}

func (c *Certificate) canonicalIssuer() string {
	if p := c.ready(); p != nil {
		return p.issuer
	}
	return c.Issuer.canonical()
}
