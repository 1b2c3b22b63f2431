package cert

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"imzo/pki/alg"
)

// Limits of the search. The certificates of a document come from whoever made
// the document, so the work they can cause is bounded whatever they hold.
const (
	// maxPathCertificates is the longest path, anchor included. Production
	// paths have three; ten is what other verifiers allow by default.
	maxPathCertificates = 10
	// maxSignatureChecks bounds the costly part: 64 GOST signatures take
	// some 10 ms.
	maxSignatureChecks = 64
	// maxSteps bounds the candidates looked at, which without a signature
	// check cost about a microsecond each.
	maxSteps = 1 << 14
)

// PathOptions says what [BuildPath] may use.
type PathOptions struct {
	// Anchors are trusted as they are. Without any there is no path.
	Anchors *Pool
	// Intermediates may help to reach an anchor; they are not trusted. Bags
	// are the same for several searches.
	Intermediates []*Certificate
	Bags          []*Bag
	// At is the time at which all CA certificates must be valid.
	At time.Time
	// CheckSignature replaces [Certificate.CheckSignatureFrom], for a cache.
	// It spends Work itself.
	CheckSignature func(child, issuer *Certificate) error
	// Work bounds several searches together; it may be nil.
	Work *Work
}

// Path is a validated certification path.
type Path struct {
	// Certificates runs from the leaf to the anchor, both included. A leaf
	// that is an anchor itself stands alone.
	Certificates []*Certificate
}

// Leaf returns the first certificate.
func (p Path) Leaf() *Certificate { return p.Certificates[0] }

// Anchor returns the trust anchor, the last certificate.
func (p Path) Anchor() *Certificate { return p.Certificates[len(p.Certificates)-1] }

// Issuer returns the certificate of the leaf's issuer; for a leaf that is an
// anchor itself that is the leaf.
func (p Path) Issuer() *Certificate { return p.Certificates[min(1, len(p.Certificates)-1)] }

// BuildPath finds a path from the leaf to an anchor and validates it by
// RFC 5280 section 6: names chain, signatures verify, every CA certificate,
// the anchor included, is valid at o.At, is a CA (a version 1 certificate only
// as anchor), may sign certificates, and its path length and name constraints
// hold; no certificate has a critical extension that is not processed. Key
// identifiers order the candidates; being wrong in them is no fault.
//
// The leaf's own validity time, key usage and purpose are for the caller to
// judge. The leaf may be an anchor itself.
//
// The error is a *[PathError]. When several paths fail it is about the one
// that came furthest.
func BuildPath(leaf *Certificate, o PathOptions) (*Path, error) {
	if leaf == nil {
		return nil, &PathError{Reason: NoPath}
	}
	if len(leaf.UnhandledCritical) > 0 {
		return nil, unhandledCritical(leaf)
	}
	if o.Anchors.Contains(leaf) {
		return &Path{Certificates: []*Certificate{leaf}}, nil
	}
	s := newSearch(o)
	if found := s.extend([]*Certificate{leaf}); found != nil {
		return &Path{Certificates: found}, nil
	}
	if s.exhausted != nil {
		return nil, s.exhausted
	}
	return nil, s.failure
}

func unhandledCritical(c *Certificate) *PathError {
	return &PathError{Reason: UnhandledCritical, Certificate: c, Err: fmt.Errorf("extension %s", c.UnhandledCritical[0])}
}

// search is the state of one BuildPath.
type search struct {
	roots *Bag   // of the anchors
	bags  []*Bag // of what is not trusted
	at    time.Time
	check func(child, issuer *Certificate) error
	work  *Work

	candidates map[*Certificate][]candidate // by child
	signatures []checkedSignature           // at most maxSignatureChecks
	steps      int

	exhausted *PathError // a limit was met: the search is over
	failure   *PathError // of the path that came furthest
	depth     int        // how far that was
}

// checkedSignature is what a check of a signature came to.
type checkedSignature struct {
	child, issuer *Certificate
	err           error
}

// candidate is a certificate whose subject is the issuer looked for.
type candidate struct {
	*Certificate
	anchor bool
	rank   int
}

func newSearch(o PathOptions) *search {
	s := &search{
		roots:      o.Anchors.roots(),
		bags:       o.Bags,
		at:         o.At,
		check:      o.CheckSignature,
		work:       o.Work,
		candidates: make(map[*Certificate][]candidate),
	}
	if s.check == nil {
		s.check = spending((*Certificate).CheckSignatureFrom, o.Work)
	}
	if len(o.Intermediates) > 0 {
		s.bags = append(s.bags[:len(s.bags):len(s.bags)], NewBag(o.Intermediates...))
	}
	return s
}

// extend looks for a way from the end of path to an anchor, depth first, best
// candidates first.
func (s *search) extend(path []*Certificate) []*Certificate {
	child := path[len(path)-1]
	s.note(len(path), &PathError{Reason: NoPath, Certificate: child})
	if len(path) == maxPathCertificates {
		s.note(len(path)+1, &PathError{Reason: LimitExceeded, Certificate: child, Err: fmt.Errorf("path of %d certificates", len(path))})
		return nil
	}
	for _, issuer := range s.issuers(child) {
		if s.steps++; s.steps > maxSteps {
			s.exhausted = &PathError{Reason: LimitExceeded, Certificate: child, Err: fmt.Errorf("%d candidates", maxSteps)}
		}
		s.spend(child, 1)
		if s.exhausted != nil {
			return nil
		}
		if loops(path, issuer.Certificate) {
			continue
		}
		if err := s.judge(path, issuer); err != nil {
			s.note(len(path)+1, err)
			continue
		}
		longer := append(path[:len(path):len(path)], issuer.Certificate)
		if issuer.anchor {
			return longer
		}
		if found := s.extend(longer); found != nil {
			return found
		}
	}
	return nil
}

// note keeps the failure of the longest path. Among equals a wrong signature
// gives way to any other: it often is just another key of the same CA.
func (s *search) note(depth int, err *PathError) {
	if s.failure == nil || depth > s.depth ||
		depth == s.depth && s.failure.Reason == BadSignature && err.Reason != BadSignature {
		s.failure, s.depth = err, depth
	}
}

// loops tells whether the path has c already, or another certificate of the
// same CA for the same key, which leads nowhere new (RFC 4158 2.4.2). The leaf
// is compared as a whole only: an anchor may certify its own name and key.
func loops(path []*Certificate, c *Certificate) bool {
	for i, p := range path {
		if p.Equal(c) || i > 0 && bytes.Equal(p.RawSubject, c.RawSubject) && bytes.Equal(p.PublicKey.Raw, c.PublicKey.Raw) {
			return true
		}
	}
	return false
}

// judge checks whether issuer may certify the path below it.
func (s *search) judge(path []*Certificate, issuer candidate) *PathError {
	c := issuer.Certificate
	fault := func(r Reason) *PathError { return &PathError{Reason: r, Certificate: c} }
	b := c.BasicConstraints
	switch {
	case c.notYetValidAt(s.at):
		return fault(NotYetValid)
	case c.expiredAt(s.at):
		return fault(Expired)
	case c.Version < 3 && !issuer.anchor,
		c.Version >= 3 && (b == nil || !b.IsCA):
		return fault(NotCA)
	case c.HasKeyUsage && c.KeyUsage&KeyUsageCertSign == 0:
		return fault(NoCertSign)
	case len(c.UnhandledCritical) > 0:
		return unhandledCritical(c)
	case b != nil && b.MaxPathLen >= 0 && intermediates(path) > b.MaxPathLen:
		return fault(PathLenExceeded)
	}
	if c.NameConstraints != nil {
		for i, below := range path {
			if i > 0 && below.SelfIssued() {
				continue
			}
			if s.spend(c, c.NameConstraints.work(below)); s.exhausted != nil {
				return s.exhausted
			}
			if err := c.NameConstraints.check(below); err != nil {
				return &PathError{Reason: NameViolation, Certificate: below, Err: err}
			}
		}
	}
	return s.checkSignature(path[len(path)-1], c)
}

// intermediates counts the CA certificates between the leaf and the next
// issuer that a path length limits.
func intermediates(path []*Certificate) int {
	n := 0
	for _, c := range path[1:] {
		if !c.SelfIssued() {
			n++
		}
	}
	return n
}

func (s *search) checkSignature(child, issuer *Certificate) *PathError {
	i := slices.IndexFunc(s.signatures, func(c checkedSignature) bool { return c.child == child && c.issuer == issuer })
	if i < 0 {
		if len(s.signatures) == maxSignatureChecks {
			s.exhausted = &PathError{Reason: LimitExceeded, Certificate: child, Err: fmt.Errorf("%d signatures", maxSignatureChecks)}
			return s.exhausted
		}
		i = len(s.signatures)
		s.signatures = append(s.signatures, checkedSignature{child, issuer, s.check(child, issuer)})
	}
	err := s.signatures[i].err
	if err == nil {
		return nil
	}
	failure := signatureError(child, err)
	if failure.Reason == LimitExceeded {
		s.exhausted = failure
	}
	return failure
}

// spend pays for a part of the search, which is over when it cannot.
func (s *search) spend(at *Certificate, units int) {
	if err := s.work.Spend(units); err != nil && s.exhausted == nil {
		s.exhausted = tooMuch(at, err)
	}
}

func signatureError(c *Certificate, err error) *PathError {
	reason := BadSignature
	switch {
	case errors.Is(err, alg.ErrUnsupported):
		reason = UnsupportedAlgorithm
	case errors.Is(err, ErrWork):
		reason = LimitExceeded
	}
	return &PathError{Reason: reason, Certificate: c, Err: err}
}

// issuers returns the certificates with the subject that child names as its
// issuer, the likeliest first: anchors, then key identifiers that match, then
// validity at the time asked for.
func (s *search) issuers(child *Certificate) []candidate {
	if found, ok := s.candidates[child]; ok {
		return found
	}
	var found []candidate
	s.spend(child, nameWork(child.RawIssuer))
	if s.exhausted != nil {
		return nil
	}
	name := child.canonicalIssuer()
	seen := make(map[[32]byte]bool)
	collect := func(b *Bag, anchor bool) {
		for _, c := range b.named(name) {
			sum := b.Fingerprint(c)
			// Copies, also those of anchors, are one certificate.
			if seen[sum] || !anchor && s.roots.has(sum) {
				continue
			}
			seen[sum] = true
			if s.spend(child, rankWork(child, c)); s.exhausted != nil {
				return
			}
			rank := 4 * keyIDRank(child, c)
			if !anchor {
				rank += 16
			}
			if !c.ValidAt(s.at) {
				rank++
			}
			found = append(found, candidate{Certificate: c, anchor: anchor, rank: rank})
		}
	}
	collect(s.roots, true)
	for _, b := range s.bags {
		collect(b, false)
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return cmp.Compare(a.rank, b.rank) })
	s.candidates[child] = found
	return found
}

// keyIDRanks is the number of ranks that keyIDRank gives.
const keyIDRanks = 3

// rankWork is what keyIDRank costs.
func rankWork(child, issuer *Certificate) int {
	if child.AuthorityIssuer == nil {
		return 1
	}
	return nameWork(child.AuthorityIssuer.Raw, issuer.RawIssuer)
}

// keyIDRank compares the authority key identifier of child with a candidate:
// 0 means that they match, 1 that nothing can be said, 2 that they differ.
func keyIDRank(child, issuer *Certificate) int {
	match := func(same bool) int {
		if same {
			return 0
		}
		return 2
	}
	switch {
	case child.AuthorityKeyID != nil && issuer.SubjectKeyID != nil:
		return match(bytes.Equal(child.AuthorityKeyID, issuer.SubjectKeyID))
	case child.AuthoritySerial != nil && child.AuthorityIssuer != nil:
		return match(child.AuthoritySerial.Cmp(issuer.Serial) == 0 && child.AuthorityIssuer.Equal(issuer.Issuer))
	}
	return 1
}
