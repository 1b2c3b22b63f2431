package cert

// Pool is a set of certificates that are trusted as they are: the trust
// anchors. The zero Pool and a nil one are empty. Add must not run at the same time as other
// methods.
type Pool struct {
	certs         []*Certificate
	byFingerprint map[[32]byte]bool
	bySubject     map[string][]*Certificate
}

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
	if c == nil || p.Contains(c) {
		return
	}
	if p.byFingerprint == nil {
		p.byFingerprint = make(map[[32]byte]bool)
		p.bySubject = make(map[string][]*Certificate)
	}
	p.certs = append(p.certs, c)
	p.byFingerprint[c.Fingerprint()] = true
	p.bySubject[string(c.RawSubject)] = append(p.bySubject[string(c.RawSubject)], c)
}

// Certificates returns the certificates in the order they were added.
func (p *Pool) Certificates() []*Certificate {
	if p == nil {
		return nil
	}
	return append([]*Certificate(nil), p.certs...)
}

// Len returns how many certificates there are.
func (p *Pool) Len() int {
	if p == nil {
		return 0
	}
	return len(p.certs)
}

// BySubject returns the certificates whose subject has exactly this encoding.
func (p *Pool) BySubject(raw []byte) []*Certificate {
	if p == nil {
		return nil
	}
	return append([]*Certificate(nil), p.bySubject[string(raw)]...)
}

// Contains tells whether the pool has exactly this certificate.
func (p *Pool) Contains(c *Certificate) bool {
	return p != nil && c != nil && p.byFingerprint[c.Fingerprint()]
}
