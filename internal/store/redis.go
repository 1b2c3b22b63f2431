package store

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// challengePrefix keeps challenges apart from the keys of others in the same
// database.
const challengePrefix = "imzo:challenge:"

// Redis is a [Challenges] that several servers share. A challenge is a key that
// Redis lets expire; to redeem it is to delete it, and Redis tells only one of
// those who delete a key that it was there.
//
// Nothing is sent twice: of a command whose answer was lost nobody knows
// whether it was carried out, so its challenge counts as lost.
//
// A Redis that cannot be reached, or a node of a cluster, is not asked again
// until it answers a ping: every call fails at once with [ErrUnavailable],
// instead of each waiting for the same time-out.
//
// What Redis forgets it cannot refuse: one that starts from a snapshot of
// minutes ago, or a replica promoted before the last deletions reached it, may
// accept a challenge for the second time while that has not expired. Run it
// without snapshots, and with min-replicas-to-write where there are replicas.
type Redis struct{ *connection }

var _ Challenges = (*Redis)(nil)

// NewRedis makes a store of challenges. It does not connect: a server may start
// before its Redis does.
func NewRedis(o RedisOptions) (*Redis, error) {
	c, err := newConnection(o, challengePrefix)
	if err != nil {
		return nil, err
	}
	return &Redis{c}, nil
}

// Issue implements [Challenges].
func (r *Redis) Issue(ctx context.Context, challenge string, ttl time.Duration) error {
	if ttl < minLifetime {
		return errLifetime
	}
	key := r.key(challenge)
	_, err := r.run(ctx, "issue", key, "set", key, 1, "px", ttl.Milliseconds(), "nx")
	if errors.Is(err, redis.Nil) {
		return ErrExists
	}
	return err
}

// Take implements [Challenges].
func (r *Redis) Take(ctx context.Context, challenge string) (bool, error) {
	key := r.key(challenge)
	deleted, err := r.run(ctx, "take", key, "del", key)
	return err == nil && deleted == int64(1), err
}
