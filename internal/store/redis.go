package store

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

const (
	// defaultRedisTimeout is that of the guide (2.1.1) for connecting and for
	// an answer.
	defaultRedisTimeout = 2 * time.Second
	// defaultPrefix keeps our keys apart from those of others in the same
	// database.
	defaultPrefix = "imzo:challenge:"
	// A store that is down is tried again after these times, longer and
	// longer: at most a second passes between its return and our seeing it.
	minProbePause, maxProbePause = 50 * time.Millisecond, time.Second
)

var (
	// ErrUnavailable is wrapped by the errors of a store that cannot be
	// reached.
	ErrUnavailable = errors.New("the store of challenges is not reachable")
	// ErrClosed says that the store was closed.
	ErrClosed = errors.New("the store of challenges is closed")
)

// RedisOptions say where Redis is and how to talk to it.
type RedisOptions struct {
	// Addrs are host:port of the server, of the sentinels when MasterName is
	// set, or of nodes of a cluster.
	Addrs              []string
	Username, Password string
	DB                 int
	// MasterName makes it a Redis behind sentinels.
	MasterName, SentinelPassword string
	// Cluster makes it a Redis Cluster.
	Cluster bool
	// TLS, when set, encrypts the connections.
	TLS *tls.Config
	// ConnectTimeout bounds connecting, Timeout each answer; 0 is two
	// seconds.
	ConnectTimeout, Timeout time.Duration
	// Prefix begins all keys; "" is "imzo:challenge:". Servers that share
	// challenges must agree on it.
	Prefix string
	// Observe, when set, hears of every operation ("issue", "take", "ping")
	// and its end. It must not wait.
	Observe func(operation string, err error, took time.Duration)
}

// String tells the addresses, and none of the passwords.
func (o RedisOptions) String() string { return "Redis at " + strings.Join(o.Addrs, ", ") }

// GoString is String.
func (o RedisOptions) GoString() string { return o.String() }

// LogValue is String for logs.
func (o RedisOptions) LogValue() slog.Value { return slog.StringValue(o.String()) }

// Redis is a [Challenges] that several servers share. A challenge is a key that
// Redis lets expire; to redeem it is to delete it, and Redis tells only one of
// those who delete a key that it was there.
//
// Nothing is sent twice: of a command whose answer was lost nobody knows
// whether it was carried out, so its challenge counts as lost.
//
// Once Redis cannot be reached, every call fails at once with [ErrUnavailable],
// instead of each waiting for the same time-out, until Redis answers a ping
// again.
type Redis struct {
	client  redis.UniversalClient
	prefix  string
	observe func(string, error, time.Duration)

	done    context.CancelFunc
	closed  context.Context
	probing sync.WaitGroup

	mu   sync.Mutex
	down error // why Redis is not asked at present, or nil
}

var _ Challenges = (*Redis)(nil)

// quiet keeps the client library from writing to standard error by itself.
var quiet = sync.OnceFunc(logging.Disable)

// NewRedis makes a store. It does not connect: a server may start before its
// Redis does.
func NewRedis(o RedisOptions) (*Redis, error) {
	if len(o.Addrs) == 0 {
		return nil, errors.New("no address of Redis")
	}
	if o.MasterName != "" && o.Cluster {
		return nil, errors.New("Redis is either behind sentinels or a cluster")
	}
	if !o.Cluster && o.MasterName == "" && len(o.Addrs) > 1 {
		return nil, errors.New("several addresses of Redis are those of sentinels or of a cluster")
	}
	if o.ConnectTimeout <= 0 {
		o.ConnectTimeout = defaultRedisTimeout
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultRedisTimeout
	}
	if o.Prefix == "" {
		o.Prefix = defaultPrefix
	}
	if o.Observe == nil {
		o.Observe = func(string, error, time.Duration) {}
	}
	quiet()
	r := &Redis{prefix: o.Prefix, observe: o.Observe}
	r.closed, r.done = context.WithCancel(context.Background())
	r.client = redis.NewUniversalClient(&redis.UniversalOptions{
		Addrs: o.Addrs, DB: o.DB, Username: o.Username, Password: o.Password,
		MasterName: o.MasterName, SentinelPassword: o.SentinelPassword, IsClusterMode: o.Cluster, TLSConfig: o.TLS,
		Protocol: 2, DisableIdentity: true, // nothing newer than what every Redis has understood for years
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		MaxRetries:               -1,
		DialTimeout:              o.ConnectTimeout, DialerRetries: 1,
		ReadTimeout: o.Timeout, WriteTimeout: o.Timeout, ContextTimeoutEnabled: true,
		PoolTimeout: o.ConnectTimeout, ConnMaxIdleTime: 5 * time.Minute,
	})
	return r, nil
}

// Issue implements [Challenges].
func (r *Redis) Issue(ctx context.Context, challenge string, ttl time.Duration) error {
	var fresh bool
	err := r.do(ctx, "issue", func(ctx context.Context) (err error) {
		fresh, err = r.client.SetNX(ctx, r.prefix+challenge, 1, ttl).Result()
		return err
	})
	if err == nil && !fresh {
		return ErrExists
	}
	return err
}

// Take implements [Challenges].
func (r *Redis) Take(ctx context.Context, challenge string) (bool, error) {
	var deleted int64
	err := r.do(ctx, "take", func(ctx context.Context) (err error) {
		deleted, err = r.client.Del(ctx, r.prefix+challenge).Result()
		return err
	})
	return err == nil && deleted == 1, err
}

// Ping implements [Challenges].
func (r *Redis) Ping(ctx context.Context) error {
	return r.do(ctx, "ping", func(ctx context.Context) error { return r.client.Ping(ctx).Err() })
}

// Close implements [Challenges].
func (r *Redis) Close() error {
	r.done()
	r.probing.Wait()
	err := r.client.Close()
	if errors.Is(err, redis.ErrClosed) {
		return nil // closed before
	}
	return err
}

// do runs one command unless Redis is known to be down.
func (r *Redis) do(ctx context.Context, operation string, command func(context.Context) error) error {
	start := time.Now()
	err := r.ready(ctx)
	if err == nil {
		if err = command(ctx); err != nil {
			err = r.judge(ctx, err)
		}
	}
	r.observe(operation, err, time.Since(start))
	return err
}

func (r *Redis) ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.closed.Err() != nil {
		return ErrClosed
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.down
}

// judge tells what the failure of a command means, and begins to probe when it
// is Redis that failed and not the caller who left.
func (r *Redis) judge(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case passed(ctx):
		return context.DeadlineExceeded // the connection's clock was first
	case r.closed.Err() != nil || errors.Is(err, redis.ErrClosed):
		return ErrClosed
	}
	err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	if answered(err) {
		return err // a refusal comes at once, there is nothing to save by not asking
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.down == nil {
		r.down = err
		r.probing.Go(r.probe)
	}
	return err
}

func passed(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && !time.Now().Before(deadline)
}

// answered tells whether the error is an answer of Redis, such as a wrong
// password or a database that is still loading.
func answered(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply) && !errors.Is(err, redis.Nil)
}

// probe pings until Redis answers. The pauses grow and are random, so that
// several servers do not come all at once.
func (r *Redis) probe() {
	pause := minProbePause
	for {
		select {
		case <-r.closed.Done():
			return
		case <-time.After(pause/2 + rand.N(pause/2)):
		}
		if pause *= 2; pause > maxProbePause {
			pause = maxProbePause
		}
		ctx, cancel := context.WithTimeout(r.closed, defaultRedisTimeout)
		err := r.client.Ping(ctx).Err()
		cancel()
		if err != nil && !answered(err) {
			continue
		}
		r.mu.Lock()
		r.down = nil
		r.mu.Unlock()
		return
	}
}
