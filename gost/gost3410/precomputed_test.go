package gost3410_test

import (
	"testing"

	"imzo/gost/gost3410"
)

// verifies is Verify of a key and of its table, which must agree.
func verifies(t testing.TB, k *gost3410.PublicKey, digest, sig []byte) bool {
	t.Helper()
	ok := k.Verify(digest, sig)
	p := k.Precompute()
	if p.Verify(digest, sig) != ok {
		t.Errorf("%s: the key says %v, its table another thing: key %x digest %x signature %x", k.Curve().Name(), ok, k.Bytes(), digest, sig)
	}
	if p.PublicKey() != k {
		t.Error("a table of another key")
	}
	return ok
}
