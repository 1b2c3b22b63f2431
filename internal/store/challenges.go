package store

import (
	"context"
	"time"
)

// Challenges remembers values that may each be redeemed once within their
// lifetime. Implementations are safe for concurrent use.
type Challenges interface {
	// Issue remembers challenge for ttl from now. It fails with [ErrExists]
	// for one that lives, and with [ErrFull] when there is no room. The least
	// ttl is a millisecond.
	Issue(ctx context.Context, challenge string, ttl time.Duration) error
	// Take forgets challenge and tells whether it was alive until now. Of any
	// number of calls, at the same time or one after another, only one is
	// told true. An error means that nothing is known, so the challenge must
	// count as not redeemed and not redeemable.
	Take(ctx context.Context, challenge string) (bool, error)
	// Ping tells whether the store works.
	Ping(ctx context.Context) error
	// Close lets go of what the store holds. It may be called again.
	Close() error
}
