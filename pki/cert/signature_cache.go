package cert

import (
	"container/list"
	"crypto/sha256"
	"sync"
)

// SignatureCache remembers which certificates carry a signature that verifies
// with which key, so that the certificates of CAs and services, and of users
// who come back, are not checked with each document anew. Its Check goes where
// a CheckSignature is asked for:
//
//	cache := cert.NewSignatureCache(0)
//	path, err := cert.BuildPath(leaf, cert.PathOptions{Anchors: roots, CheckSignature: cache.Check})
//
// It remembers arithmetic and nothing else: that the octets of the one are
// signed with the key of the other is true at any time and whoever is trusted.
// Times, constraints, names, revocation and trust are judged at each use. A
// fact is known by the SHA-256 digest of the whole certificate and that of the
// issuer's whole SubjectPublicKeyInfo, so another certificate never meets it,
// whatever names, serial numbers and key identifiers it bears. Signatures that
// do not verify are not remembered.
//
// It is safe for concurrent use.
type SignatureCache struct {
	max int

	mu     sync.Mutex
	facts  map[signatureFact]*list.Element
	recent list.List // of signatureFact, the one used last in front
}

// signatureFact names a signature by what it was computed from.
type signatureFact struct{ certificate, key [32]byte }

// defaultSignatureFacts is many times the CAs and services there are, with
// room for the users of a busy hour; it takes about 2 MB.
const defaultSignatureFacts = 8192

// NewSignatureCache returns a cache of at most so many signatures, 0 meaning
// 8192. Those used least recently go first.
func NewSignatureCache(most int) *SignatureCache {
	if most <= 0 {
		most = defaultSignatureFacts
	}
	return &SignatureCache{max: most, facts: make(map[signatureFact]*list.Element)}
}

// Check is [Certificate.CheckSignatureFrom], remembered.
func (s *SignatureCache) Check(child, issuer *Certificate) error {
	fact := signatureFact{child.Fingerprint(), sha256.Sum256(issuer.PublicKey.Raw)}
	if s.known(fact) {
		return nil
	}
	if err := child.CheckSignatureFrom(issuer); err != nil {
		return err
	}
	s.remember(fact)
	return nil
}

func (s *SignatureCache) known(fact signatureFact) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.facts[fact]
	if ok {
		s.recent.MoveToFront(e)
	}
	return ok
}

func (s *SignatureCache) remember(fact signatureFact) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.facts[fact]; ok {
		return // two checked it at the same time
	}
	for len(s.facts) >= s.max {
		delete(s.facts, s.recent.Remove(s.recent.Back()).(signatureFact))
	}
	s.facts[fact] = s.recent.PushFront(fact)
}

// Len returns how many signatures are remembered.
func (s *SignatureCache) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.facts)
}
