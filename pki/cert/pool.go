package cert

// Pool is a set of certificates that are trusted as they are: the trust
// anchors. The zero Pool and a nil one are empty. Add must not run at the same time as other
// methods.
type Pool struct{ bag *Bag }

// NewPool returns a pool of the certificates.
func NewPool(certs ...*Certificate) *Pool {
	p := new(Pool)
	for _, c := range certs {
		p.Add(c)
	}
	return p
}

// Add puts c into the pool, once.
func (p *Pool) Add(c *Certificate) {
	if p.bag == nil {
		p.bag = NewBag()
	}
	p.bag.add(c)
}

// roots returns the certificates as a bag that only its methods to look
// something up in may be called of.
func (p *Pool) roots() *Bag {
	if p == nil || p.bag == nil {
		return NewBag()
	}
	return p.bag
}

// Bag returns a bag that has these certificates and, for [Bag.Check] and
// [Bag.Named], those of the pool.
func (p *Pool) Bag(certs ...*Certificate) *Bag {
	b := NewBag()
	b.base = p.roots()
	for _, c := range certs {
		b.add(c)
	}
	return b
}

// Certificates returns the certificates in the order they were added.
func (p *Pool) Certificates() []*Certificate {
	if p == nil || p.bag == nil {
		return nil
	}
	return append([]*Certificate(nil), p.bag.certs...)
}

// Len returns how many certificates there are.
func (p *Pool) Len() int { return len(p.roots().certs) }

// BySubject returns the certificates whose subject has exactly this encoding.
func (p *Pool) BySubject(raw []byte) []*Certificate {
	return p.roots().BySubject(raw)
}

// Contains tells whether the pool has exactly this certificate.
func (p *Pool) Contains(c *Certificate) bool {
	return c != nil && p.roots().has(c.Fingerprint())
}
