package cert

import (
	"bytes"
	"fmt"
	"slices"
)

// Bag is certificates that came together, such as those of a CMS document,
// made ready for any number of searches: copies are one, and what is costly to
// compute is computed once. It is not for concurrent use.
type Bag struct {
	base  *Bag // what is in it beside what follows; read only; may be nil
	certs []*Certificate
	sums  [][32]byte // their fingerprints
	names []string   // their canonical subjects
	index *bagIndex  // nil while they are few

	// Of certificates that have none at hand, also of others than those in
	// the bag; issuers are canonical.
	fingerprints map[*Certificate][32]byte
	issuers      map[*Certificate]string

	// What certs, sums and names are in while there are few.
	firstCerts [usual]*Certificate
	firstSums  [usual][32]byte
	firstNames [usual]string
}

// usual is how many certificates most documents have: signer, CA and root, and
// those of a timestamp authority.
const usual = 4

// bagIndex finds certificates among many.
type bagIndex struct {
	bySum     map[[32]byte]bool
	byName    map[string][]*Certificate // by canonical subject
	bySubject map[string][]int          // by encoded subject
}

// few is how many certificates are sooner looked through than indexed. Most
// documents have three.
const few = 8

// NewBag returns a bag of the certificates. It computes with every octet of
// their names; whoever takes them from a stranger bounds these first.
func NewBag(certs ...*Certificate) *Bag {
	b := new(Bag)
	b.certs, b.sums, b.names = b.firstCerts[:0], b.firstSums[:0], b.firstNames[:0]
	if len(certs) > usual {
		b.certs, b.sums, b.names = make([]*Certificate, 0, len(certs)), make([][32]byte, 0, len(certs)), make([]string, 0, len(certs))
	}
	for _, c := range certs {
		b.add(c)
	}
	return b
}

// add puts a certificate into the bag, once.
func (b *Bag) add(c *Certificate) {
	if c == nil {
		return
	}
	sum := c.Fingerprint()
	if b.contains(sum) {
		return
	}
	// Many may share a long name, of which the canonical one is computed once.
	var name string
	if i, ok := b.sameSubject(c.RawSubject); ok {
		name = b.names[i]
	} else {
		name = c.canonicalSubject()
	}
	b.certs, b.sums, b.names = append(b.certs, c), append(b.sums, sum), append(b.names, name)
	switch {
	case b.index != nil:
		b.index.add(b, len(b.certs)-1)
	case len(b.certs) > few:
		b.index = &bagIndex{make(map[[32]byte]bool), make(map[string][]*Certificate), make(map[string][]int)}
		for i := range b.certs {
			b.index.add(b, i)
		}
	}
}

func (x *bagIndex) add(b *Bag, i int) {
	c := b.certs[i]
	if b.fingerprints == nil {
		b.fingerprints = make(map[*Certificate][32]byte)
	}
	b.fingerprints[c] = b.sums[i]
	x.bySum[b.sums[i]] = true
	x.byName[b.names[i]] = append(x.byName[b.names[i]], c)
	x.bySubject[string(c.RawSubject)] = append(x.bySubject[string(c.RawSubject)], i)
}

// sameSubject finds the first certificate with this encoded subject.
func (b *Bag) sameSubject(raw []byte) (i int, ok bool) {
	if b.index != nil {
		if found := b.index.bySubject[string(raw)]; len(found) > 0 {
			return found[0], true
		}
		return 0, false
	}
	i = slices.IndexFunc(b.certs, func(c *Certificate) bool { return bytes.Equal(c.RawSubject, raw) })
	return i, i >= 0
}

// contains tells whether a certificate with this fingerprint is in the bag.
func (b *Bag) contains(sum [32]byte) bool { return b.has(sum) || b.base != nil && b.base.contains(sum) }

// has is contains without the base.
func (b *Bag) has(sum [32]byte) bool {
	if b.index != nil {
		return b.index.bySum[sum]
	}
	return slices.Contains(b.sums, sum)
}

// named returns those with this canonical subject. The caller does not change
// the slice.
func (b *Bag) named(name string) []*Certificate {
	var own []*Certificate
	if b.index != nil {
		own = b.index.byName[name]
	} else {
		for i, n := range b.names {
			if n == name {
				own = append(own, b.certs[i])
			}
		}
	}
	if b.base == nil {
		return own
	}
	return slices.Concat(b.base.named(name), own)
}

// Certificates returns the certificates in the order they were given, without
// copies. The caller does not change the slice.
func (b *Bag) Certificates() []*Certificate { return b.certs }

// BySubject returns those whose subject has exactly this encoding.
func (b *Bag) BySubject(raw []byte) []*Certificate {
	var out []*Certificate
	if b.index != nil {
		for _, i := range b.index.bySubject[string(raw)] {
			out = append(out, b.certs[i])
		}
		return out
	}
	for _, c := range b.certs {
		if bytes.Equal(c.RawSubject, raw) {
			out = append(out, c)
		}
	}
	return out
}

// Named returns those whose subject is this name, as [Name.Equal] compares.
func (b *Bag) Named(n Name) []*Certificate { return b.named(n.canonical()) }

// Contains tells whether the bag has exactly this certificate.
func (b *Bag) Contains(c *Certificate) bool { return b.contains(b.Fingerprint(c)) }

// Fingerprint is that of the certificate, computed once.
func (b *Bag) Fingerprint(c *Certificate) [32]byte {
	if p := c.ready(); p != nil {
		return p.sum
	}
	if b.index == nil {
		if i := slices.Index(b.certs, c); i >= 0 {
			return b.sums[i]
		}
	}
	sum, ok := b.fingerprints[c]
	if !ok {
		if b.fingerprints == nil {
			b.fingerprints = make(map[*Certificate][32]byte)
		}
		sum = c.Fingerprint()
		b.fingerprints[c] = sum
	}
	return sum
}

// issuer is the canonical name of the issuer, computed once.
func (b *Bag) issuer(c *Certificate) string {
	if p := c.ready(); p != nil {
		return p.issuer
	}
	name, ok := b.issuers[c]
	if !ok {
		if b.issuers == nil {
			b.issuers = make(map[*Certificate]string)
		}
		name = c.Issuer.canonical()
		b.issuers[c] = name
	}
	return name
}

// CheckBag checks that nothing unverified rides along in a bag of
// certificates that no signature covers, such as those of a CMS document or
// an OCSP response: each must be, octet for octet, one of known (the
// certificates of validated paths and the anchors), or carry a signature that
// verifies with the key of an issuer found among bag and known. It says
// nothing about trust: a stranger's self-signed certificate passes.
//
// The number of signatures checked is bounded by twice the size of the bag
// and some. The error is a *[PathError].
func CheckBag(bag, known []*Certificate) error {
	return NewBag(bag...).Check(NewBag(known...), nil, nil)
}

// Check is [CheckBag] for a bag that is at hand. checkSignature replaces
// [Certificate.CheckSignatureFrom] when it is not nil; work may be nil.
func (b *Bag) Check(known *Bag, checkSignature func(child, issuer *Certificate) error, work *Work) error {
	if checkSignature == nil {
		checkSignature = spending((*Certificate).CheckSignatureFrom, work)
	}
	budget := 2*len(b.certs) + maxSignatureChecks
	for _, c := range b.certs {
		if known.contains(b.Fingerprint(c)) {
			continue
		}
		name := b.issuer(c)
		issuers := slices.Concat(known.named(name), b.named(name))
		if err := checkUnderAny(c, issuers, checkSignature, work, &budget); err != nil {
			return err
		}
	}
	return nil
}

// spending makes a check of signatures pay for each.
func spending(check func(child, issuer *Certificate) error, work *Work) func(child, issuer *Certificate) error {
	return func(child, issuer *Certificate) error {
		if err := work.Spend(SignatureWork(len(child.RawTBS))); err != nil {
			return err
		}
		return check(child, issuer)
	}
}

// checkUnderAny tries the candidates, those whose key identifier matches
// first.
func checkUnderAny(c *Certificate, issuers []*Certificate, check func(child, issuer *Certificate) error, work *Work, budget *int) *PathError {
	ranks := make([]int, len(issuers))
	for i, issuer := range issuers {
		if err := work.Spend(rankWork(c, issuer)); err != nil {
			return tooMuch(c, err)
		}
		ranks[i] = keyIDRank(c, issuer)
	}
	failure := &PathError{Reason: NoPath, Certificate: c}
	for rank := range keyIDRanks {
		for i, issuer := range issuers {
			if ranks[i] != rank {
				continue
			}
			if *budget == 0 {
				return &PathError{Reason: LimitExceeded, Certificate: c, Err: fmt.Errorf("too many certificates of one name")}
			}
			*budget--
			err := check(c, issuer)
			if err == nil {
				return nil
			}
			failure = signatureError(c, err)
			if failure.Reason == LimitExceeded {
				return failure
			}
		}
	}
	return failure
}

func tooMuch(c *Certificate, err error) *PathError {
	return &PathError{Reason: LimitExceeded, Certificate: c, Err: err}
}
