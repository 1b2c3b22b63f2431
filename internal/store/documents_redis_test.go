package store

import (
	"errors"
	"testing"
)

// openRedisDocuments makes a store that the test closes.
func openRedisDocuments(t testing.TB, o RedisOptions) *RedisDocuments {
	t.Helper()
	r, err := NewRedisDocuments(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(r.Close(), r.Close()); err != nil {
			t.Error(err)
		}
	})
	return r
}
