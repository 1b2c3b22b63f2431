package store

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
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
	// A Redis that is down is tried again after these times, longer and
	// longer: at most a second passes between its return and the next try.
	minProbePause, maxProbePause = 50 * time.Millisecond, time.Second
)

var (
	// ErrUnavailable is wrapped by the errors of a store that cannot be
	// reached or refuses to serve.
	ErrUnavailable = errors.New("the store of challenges is not available")
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
	// ConnectTimeout bounds connecting, Timeout an answer; 0 is two seconds.
	// No call takes longer than the two together.
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
// A Redis that cannot be reached, or a node of a cluster, is not asked again
// until it answers a ping: every call fails at once with [ErrUnavailable],
// instead of each waiting for the same time-out.
//
// What Redis forgets it cannot refuse: one that starts from a snapshot of
// minutes ago, or a replica promoted before the last deletions reached it, may
// accept a challenge for the second time while that has not expired. Run it
// without snapshots, and with min-replicas-to-write where there are replicas.
type Redis struct {
	client  redis.UniversalClient
	cluster *redis.ClusterClient // the client, when it is one
	name    string
	prefix  string
	secrets []string
	observe func(string, error, time.Duration)
	// patience bounds a command, with connecting and whatever a cluster or
	// sentinels add, and an attempt to find out whether Redis is back.
	patience, probePatience time.Duration

	ctx     context.Context // until Close
	cancel  context.CancelFunc
	probing sync.WaitGroup

	mu     sync.Mutex
	faults map[string]*fault // by address of the node; "" is all of Redis
}

// fault is a node that is being probed.
type fault struct {
	err error // why it is not asked; nil when there is only a suspicion
}

var _ Challenges = (*Redis)(nil)

// quiet keeps the client library from writing to standard error by itself.
var quiet = sync.OnceFunc(logging.Disable)

// NewRedis makes a store. It does not connect: a server may start before its
// Redis does.
func NewRedis(o RedisOptions) (*Redis, error) {
	switch {
	case len(o.Addrs) == 0:
		return nil, errors.New("no address of Redis")
	case o.MasterName != "" && o.Cluster:
		return nil, errors.New("Redis is either behind sentinels or a cluster")
	case o.MasterName == "" && !o.Cluster && len(o.Addrs) > 1:
		return nil, errors.New("several addresses of Redis are those of sentinels or of a cluster")
	case o.Cluster && o.DB != 0:
		return nil, errors.New("a Redis Cluster has database 0 only")
	}
	if o.ConnectTimeout <= 0 {
		o.ConnectTimeout = defaultRedisTimeout
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultRedisTimeout
	}
	if o.Observe == nil {
		o.Observe = func(string, error, time.Duration) {}
	}
	quiet()
	r := &Redis{
		name: o.String(), prefix: cmp.Or(o.Prefix, defaultPrefix), secrets: []string{o.Password, o.SentinelPassword}, observe: o.Observe,
		patience: o.ConnectTimeout + o.Timeout, probePatience: max(o.ConnectTimeout, o.Timeout),
		faults: map[string]*fault{},
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	options := &redis.UniversalOptions{
		Addrs: o.Addrs, DB: o.DB, Username: o.Username, Password: o.Password,
		MasterName: o.MasterName, SentinelPassword: o.SentinelPassword, TLSConfig: o.TLS,
		Protocol: 2, DisableIdentity: true, // nothing newer than what every Redis has understood for years
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		MaxRetries:               -1,
		DialTimeout:              o.ConnectTimeout, DialerRetries: 1,
		ReadTimeout: o.Timeout, WriteTimeout: o.Timeout, ContextTimeoutEnabled: true,
		PoolTimeout: o.ConnectTimeout, ConnMaxIdleTime: 5 * time.Minute,
	}
	if o.Cluster {
		// The policies of the library are for commands of many keys, and
		// would ask the cluster for a description of all commands.
		c := options.Cluster()
		c.DisableRoutingPolicies = true
		r.cluster = redis.NewClusterClient(c)
		r.client = r.cluster
	} else {
		r.client = redis.NewUniversalClient(options)
	}
	return r, nil
}

// String tells the addresses, and none of the passwords.
func (r *Redis) String() string { return r.name }

// GoString is String.
func (r *Redis) GoString() string { return r.name }

// LogValue is String for logs.
func (r *Redis) LogValue() slog.Value { return slog.StringValue(r.name) }

// Issue implements [Challenges].
func (r *Redis) Issue(ctx context.Context, challenge string, ttl time.Duration) error {
	if ttl < minLifetime {
		return errLifetime
	}
	_, err := r.run(ctx, "issue", challenge, "set", r.prefix+challenge, 1, "px", ttl.Milliseconds(), "nx")
	if errors.Is(err, redis.Nil) {
		return ErrExists
	}
	return err
}

// Take implements [Challenges].
func (r *Redis) Take(ctx context.Context, challenge string) (bool, error) {
	deleted, err := r.run(ctx, "take", challenge, "del", r.prefix+challenge)
	return err == nil && deleted == int64(1), err
}

// Ping implements [Challenges]. In a cluster every master must answer, for a
// challenge may be at any of them.
func (r *Redis) Ping(ctx context.Context) error {
	start := time.Now()
	err := r.usable(ctx)
	if err == nil {
		limited, cancel := context.WithTimeout(ctx, r.patience)
		defer cancel()
		if r.cluster == nil {
			err = r.judge(ctx, "", r.client, r.client.Ping(limited).Err())
		} else {
			err = r.judge(ctx, "", r.client, r.cluster.ForEachMaster(limited, func(_ context.Context, node *redis.Client) error {
				return r.judge(ctx, node.Options().Addr, node, node.Ping(limited).Err())
			}))
		}
	}
	r.observe("ping", err, time.Since(start))
	return err
}

// Close implements [Challenges]. Commands that run end with [ErrClosed].
func (r *Redis) Close() error {
	r.mu.Lock()
	r.cancel()
	r.mu.Unlock()
	r.probing.Wait()
	err := r.client.Close()
	if errors.Is(err, redis.ErrClosed) {
		return nil // closed before
	}
	return err
}

// once is a command that the client for clusters, too, sends no second time,
// unless a node has answered that it did not carry it out.
type once struct{ *redis.Cmd }

// NoRetry overrides that of redis.Cmd.
func (once) NoRetry() bool { return true }

// run sends one command unless Redis is known to be down.
func (r *Redis) run(ctx context.Context, operation, challenge string, args ...any) (answer any, err error) {
	start := time.Now()
	limited, cancel := context.WithTimeout(ctx, r.patience)
	defer cancel()
	answer, err = r.send(ctx, limited, r.prefix+challenge, redis.NewCmd(limited, args...))
	observed := err
	if errors.Is(err, redis.Nil) {
		observed = nil
	}
	r.observe(operation, observed, time.Since(start))
	return answer, err
}

func (r *Redis) send(ctx, limited context.Context, key string, command *redis.Cmd) (any, error) {
	if err := r.usable(ctx, ""); err != nil {
		return nil, err
	}
	var at string
	var node pinger = r.client
	if r.cluster != nil {
		master, err := r.cluster.MasterForKey(limited, key)
		if err != nil {
			return nil, r.judge(ctx, "", r.client, err)
		}
		at, node = master.Options().Addr, master
		if err := r.usable(ctx, at); err != nil {
			return nil, err
		}
	}
	err := r.client.Process(limited, once{command})
	if errors.Is(err, redis.Nil) {
		return nil, redis.Nil
	}
	return command.Val(), r.judge(ctx, at, node, err)
}

// usable tells why nothing is to be asked of the nodes, or of any node when
// none is named.
func (r *Redis) usable(ctx context.Context, nodes ...string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.ctx.Err() != nil {
		return ErrClosed
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for at, f := range r.faults {
		if f.err != nil && (len(nodes) == 0 || slices.Contains(nodes, at)) {
			return f.err
		}
	}
	return nil
}

// judge tells what the failure of a command means, and begins to probe when it
// may be Redis that failed.
func (r *Redis) judge(ctx context.Context, at string, node pinger, err error) error {
	switch {
	case err == nil:
		return nil
	case r.ctx.Err() != nil:
		return ErrClosed
	case errors.Is(err, ErrUnavailable):
		return err // of one node of several, judged already
	case left(ctx) != nil:
		// Whether the caller was in a hurry or Redis was slow is found out
		// without them.
		r.suspect(at, node, nil)
		return left(ctx)
	case redis.HasErrorPrefix(err, "OOM"):
		return fmt.Errorf("%w: %w", ErrFull, r.unavailable(err))
	case answered(err), errors.Is(err, redis.ErrPoolTimeout):
		// A refusal comes at once, so that nothing is saved by not asking;
		// and others wait for answers on all the connections there may be,
		// and will see how that ends.
		return r.unavailable(err)
	}
	err = r.unavailable(err)
	r.suspect(at, node, err)
	return err
}

// unavailable tells the cause, but does not wrap it: a time-out of ours would
// look like the caller's own. Redis repeats the arguments of commands it does
// not know, which may be AUTH.
func (r *Redis) unavailable(cause error) error {
	text := cause.Error()
	for _, secret := range r.secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "***")
		}
	}
	return fmt.Errorf("%w: %s", ErrUnavailable, text)
}

// left tells whether the caller's time is over. The clock of a connection may
// be a moment before that of the context.
func left(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

// answered tells whether the error is an answer of Redis, such as a wrong
// password or a database that is still loading.
func answered(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply)
}

// suspect probes a node unless that happens already. Until it answers nothing
// is asked of it when there is an error.
func (r *Redis) suspect(at string, node pinger, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f := r.faults[at]; f != nil {
		if f.err == nil {
			f.err = err
		}
		return
	}
	if r.ctx.Err() != nil {
		return
	}
	r.faults[at] = &fault{err}
	r.probing.Go(func() { r.probe(at, node) })
}

type pinger interface {
	Ping(ctx context.Context) *redis.StatusCmd
}

// probe pings until there is an answer. The pauses grow and are random, so
// that several servers do not come all at once.
func (r *Redis) probe(at string, node pinger) {
	for pause := minProbePause; ; pause = min(2*pause, maxProbePause) {
		ctx, cancel := context.WithTimeout(r.ctx, r.probePatience)
		err := node.Ping(ctx).Err()
		cancel()
		// A node that has left the cluster is closed, and of no concern.
		gone := errors.Is(err, redis.ErrClosed)
		r.mu.Lock()
		if err == nil || answered(err) || gone {
			delete(r.faults, at)
			r.mu.Unlock()
			return
		}
		r.faults[at].err = r.unavailable(err)
		r.mu.Unlock()
		if r.cluster != nil {
			r.cluster.ReloadState(r.ctx) // another node may have its slots now
		}
		select {
		case <-r.ctx.Done():
			return
		case <-time.After(pause/2 + rand.N(pause/2)):
		}
	}
}
