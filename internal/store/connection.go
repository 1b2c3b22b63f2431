package store

import (
	"cmp"
	"context"
	"crypto/sha1" // the name of a script in Redis
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
	// A Redis that is down is tried again after these times, longer and
	// longer: at most a second passes between its return and the next try.
	minProbePause, maxProbePause = 50 * time.Millisecond, time.Second
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
	// Prefix begins all keys; "" is "imzo:challenge:" for challenges and
	// "imzo:document:" for documents. Servers that share a store must agree on
	// it, and no two stores in one database may begin their keys alike.
	Prefix string
	// Observe, when set, hears of every operation and its end: "issue", "take"
	// and "ping" of challenges; "create", "upload", "poll", "read" and "ping"
	// of documents. It must not wait.
	Observe func(operation string, err error, took time.Duration)
}

// String tells the addresses, and none of the passwords.
func (o RedisOptions) String() string { return "Redis at " + strings.Join(o.Addrs, ", ") }

// GoString is String.
func (o RedisOptions) GoString() string { return o.String() }

// LogValue is String for logs.
func (o RedisOptions) LogValue() slog.Value { return slog.StringValue(o.String()) }

// connection is what the stores in Redis stand on: it sends their commands and
// knows whether there is any use in it, see [Redis].
type connection struct {
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

// quiet keeps the client library from writing to standard error by itself.
var quiet = sync.OnceFunc(logging.Disable)

// newConnection does not connect yet: a server may start before its Redis does.
func newConnection(o RedisOptions, defaultPrefix string) (*connection, error) {
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
	c := &connection{
		name: o.String(), prefix: cmp.Or(o.Prefix, defaultPrefix), secrets: []string{o.Password, o.SentinelPassword}, observe: o.Observe,
		patience: o.ConnectTimeout + o.Timeout, probePatience: max(o.ConnectTimeout, o.Timeout),
		faults: map[string]*fault{},
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
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
		own := options.Cluster()
		own.DisableRoutingPolicies = true
		c.cluster = redis.NewClusterClient(own)
		c.client = c.cluster
	} else {
		c.client = redis.NewUniversalClient(options)
	}
	return c, nil
}

// String tells the addresses, and none of the passwords.
func (c *connection) String() string { return c.name }

// GoString is String.
func (c *connection) GoString() string { return c.name }

// LogValue is String for logs.
func (c *connection) LogValue() slog.Value { return slog.StringValue(c.name) }

// Ping tells whether Redis works. In a cluster every master must answer, for a
// key may be at any of them.
func (c *connection) Ping(ctx context.Context) error {
	start := time.Now()
	err := c.usable(ctx)
	if err == nil {
		limited, cancel := context.WithTimeout(ctx, c.patience)
		defer cancel()
		if c.cluster == nil {
			err = c.judge(ctx, "", c.client, c.client.Ping(limited).Err())
		} else {
			err = c.judge(ctx, "", c.client, c.cluster.ForEachMaster(limited, func(_ context.Context, node *redis.Client) error {
				return c.judge(ctx, node.Options().Addr, node, node.Ping(limited).Err())
			}))
		}
	}
	c.observe("ping", err, time.Since(start))
	return err
}

// Close lets go of the connections; commands that run end with [ErrClosed]. It
// may be called again.
func (c *connection) Close() error {
	c.mu.Lock()
	c.cancel()
	c.mu.Unlock()
	c.probing.Wait()
	err := c.client.Close()
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

// key is where id is kept: whatever its characters, it lies below the prefix.
func (c *connection) key(id string) string { return c.prefix + id }

// run sends one command for a key unless Redis is known to be down. An answer
// of nothing is [redis.Nil].
func (c *connection) run(ctx context.Context, operation, key string, args ...any) (any, error) {
	return c.observed(ctx, operation, func(limited context.Context) (any, error) {
		return c.send(ctx, limited, key, args...)
	})
}

// runScript is run for a script of one key. Redis forgets scripts when it
// starts anew; one that it does not know it has not carried out, so that it may
// be sent again with its text.
func (c *connection) runScript(ctx context.Context, operation string, s script, key string, args ...any) (any, error) {
	return c.observed(ctx, operation, func(limited context.Context) (any, error) {
		args := append([]any{"evalsha", s.sha1, 1, key}, args...)
		answer, err := c.send(ctx, limited, key, args...)
		if errors.Is(err, errNoScript) {
			args[0], args[1] = "eval", s.text
			answer, err = c.send(ctx, limited, key, args...)
		}
		return answer, err
	})
}

// script is one of Lua, and the name by which Redis knows it.
type script struct{ text, sha1 string }

func newScript(text string) script {
	return script{text, fmt.Sprintf("%x", sha1.Sum([]byte(text)))}
}

// errNoScript is an answer to EVALSHA.
var errNoScript = fmt.Errorf("%w: it does not know the script", ErrUnavailable)

// observed gives an operation its time and tells of its end.
func (c *connection) observed(ctx context.Context, operation string, f func(limited context.Context) (any, error)) (any, error) {
	start := time.Now()
	limited, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	answer, err := f(limited)
	told := err
	if errors.Is(err, redis.Nil) {
		told = nil
	}
	c.observe(operation, told, time.Since(start))
	return answer, err
}

func (c *connection) send(ctx, limited context.Context, key string, args ...any) (any, error) {
	if err := c.usable(ctx, ""); err != nil {
		return nil, err
	}
	var at string
	var node pinger = c.client
	if c.cluster != nil {
		master, err := c.cluster.MasterForKey(limited, key)
		if err != nil {
			return nil, c.judge(ctx, "", c.client, err)
		}
		at, node = master.Options().Addr, master
		if err := c.usable(ctx, at); err != nil {
			return nil, err
		}
	}
	command := redis.NewCmd(limited, args...)
	err := c.client.Process(limited, once{command})
	switch {
	case errors.Is(err, redis.Nil):
		return nil, redis.Nil
	case redis.HasErrorPrefix(err, "NOSCRIPT"):
		return nil, errNoScript
	}
	return command.Val(), c.judge(ctx, at, node, err)
}

// usable tells why nothing is to be asked of the nodes, or of any node when
// none is named.
func (c *connection) usable(ctx context.Context, nodes ...string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if c.ctx.Err() != nil {
		return ErrClosed
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for at, f := range c.faults {
		if f.err != nil && (len(nodes) == 0 || slices.Contains(nodes, at)) {
			return f.err
		}
	}
	return nil
}

// judge tells what the failure of a command means, and begins to probe when it
// may be Redis that failed.
func (c *connection) judge(ctx context.Context, at string, node pinger, err error) error {
	switch {
	case err == nil:
		return nil
	case c.ctx.Err() != nil:
		return ErrClosed
	case errors.Is(err, ErrUnavailable):
		return err // of one node of several, judged already
	case left(ctx) != nil:
		// Whether the caller was in a hurry or Redis was slow is found out
		// without them.
		c.suspect(at, node, nil)
		return left(ctx)
	case redis.HasErrorPrefix(err, "OOM"):
		return fmt.Errorf("%w: %w", ErrFull, c.unavailable(err))
	case answered(err), errors.Is(err, redis.ErrPoolTimeout):
		// A refusal comes at once, so that nothing is saved by not asking;
		// and others wait for answers on all the connections there may be,
		// and will see how that ends.
		return c.unavailable(err)
	}
	err = c.unavailable(err)
	c.suspect(at, node, err)
	return err
}

// unavailable tells the cause, but does not wrap it: a time-out of ours would
// look like the caller's own. Redis repeats the arguments of commands it does
// not know, which may be those of AUTH or what a phone has signed.
func (c *connection) unavailable(cause error) error {
	text, _, _ := strings.Cut(cause.Error(), ", with args")
	for _, secret := range c.secrets {
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
func (c *connection) suspect(at string, node pinger, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.faults[at]; f != nil {
		if f.err == nil {
			f.err = err
		}
		return
	}
	if c.ctx.Err() != nil {
		return
	}
	c.faults[at] = &fault{err}
	c.probing.Go(func() { c.probe(at, node) })
}

type pinger interface {
	Ping(ctx context.Context) *redis.StatusCmd
}

// probe pings until there is an answer. The pauses grow and are random, so
// that several servers do not come all at once.
func (c *connection) probe(at string, node pinger) {
	for pause := minProbePause; ; pause = min(2*pause, maxProbePause) {
		ctx, cancel := context.WithTimeout(c.ctx, c.probePatience)
		err := node.Ping(ctx).Err()
		cancel()
		// A node that has left the cluster is closed, and of no concern.
		gone := errors.Is(err, redis.ErrClosed)
		c.mu.Lock()
		if err == nil || answered(err) || gone {
			delete(c.faults, at)
			c.mu.Unlock()
			return
		}
		c.faults[at].err = c.unavailable(err)
		c.mu.Unlock()
		if c.cluster != nil {
			c.cluster.ReloadState(c.ctx) // another node may have its slots now
		}
		select {
		case <-c.ctx.Done():
			return
		case <-time.After(pause/2 + rand.N(pause/2)):
		}
	}
}
