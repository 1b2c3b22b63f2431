package gost3410

import (
	"sync"
	"testing"
)

// signer is a key with a signature.
type signer struct {
	key         *PublicKey
	digest, sig []byte
}

func newSigner(t testing.TB, c *Curve, n byte) signer {
	t.Helper()
	key, err := GenerateKey(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := signer{key: key.PublicKey(), digest: make([]byte, DigestSize)}
	s.digest[5] = n
	if s.sig, err = key.Sign(nil, s.digest, nil); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s signer) check(t testing.TB, c *KeyCache) {
	t.Helper()
	if !c.Verify(s.key, s.digest, s.sig) {
		t.Error("a signature does not verify")
	}
	bad := append([]byte(nil), s.sig...)
	bad[40] ^= 1
	if c.Verify(s.key, s.digest, bad) || c.Verify(s.key, s.digest[:31], s.sig) || c.Verify(s.key, s.digest, s.sig[:63]) {
		t.Error("a wrong signature verifies")
	}
}

func (c *KeyCache) table(s signer) *comb {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.keys[keyID{s.key.curve, s.key.x, s.key.y}]; ok {
		return e.Value.(*frequentKey).table
	}
	return nil
}

func TestKeysThatComeOftenGetATable(t *testing.T) {
	c := NewKeyCache(2)
	first, second, third := newSigner(t, cryptoProA, 1), newSigner(t, cryptoProB, 2), newSigner(t, cryptoProC, 3)
	first.check(t, c)
	if c.table(first) != nil {
		t.Error("a table for a key that came once")
	}
	for _, s := range []signer{first, second} {
		for range frequentUses {
			s.check(t, c)
			// The same key from another certificate.
			again, err := ParsePublicKey(s.key.curve, s.key.Bytes())
			if err != nil || !c.Verify(again, s.digest, s.sig) {
				t.Fatal(err)
			}
		}
		if c.table(s) == nil {
			t.Error("no table")
		}
	}
	// Another key of the same numbers on another curve is another key.
	if len(c.keys) != 2 || c.built != 2 {
		t.Errorf("%d keys, %d tables", len(c.keys), c.built)
	}
	second.check(t, c)
	for range frequentUses {
		third.check(t, c)
	}
	if c.built != 2 || c.table(first) != nil || c.table(second) == nil || c.table(third) == nil {
		t.Errorf("%d tables; the one used longest ago has to go", c.built)
	}
	// It may come back.
	for range frequentUses {
		first.check(t, c)
	}
	if c.table(first) == nil || c.built != 2 {
		t.Errorf("%d tables", c.built)
	}
}

func TestTheCacheOfKeysIsBounded(t *testing.T) {
	c := NewKeyCache(2)
	s := newSigner(t, cryptoProA, 1)
	for range frequentUses {
		s.check(t, c)
	}
	for i := range 2 * c.tables * candidatesPerTable {
		newSigner(t, cryptoProA, byte(i)).check(t, c)
	}
	if len(c.keys) != c.tables*candidatesPerTable || c.order.Len() != len(c.keys) {
		t.Errorf("%d keys, %d in order", len(c.keys), c.order.Len())
	}
	if c.table(s) != nil || c.built != 0 {
		t.Errorf("%d tables of keys that are gone", c.built)
	}
}

func TestACacheOfKeysServesMany(t *testing.T) {
	c := NewKeyCache(3)
	var signers []signer
	for i := range 8 {
		signers = append(signers, newSigner(t, allCurves()[i%4], byte(i)))
	}
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			for n := range 60 {
				signers[(i+n*n)%len(signers)].check(t, c)
			}
		})
	}
	wait.Wait()
	if c.built > 3 {
		t.Errorf("%d tables", c.built)
	}
}
