package revocation

import (
	"bytes"
	"container/list"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"imzo/pki/cert"
	"imzo/pki/ocsp"
	"imzo/verify"
)

const (
	// DefaultCap is how long an answer is used when nothing else is said:
	// as long as the answers of E-IMZO's own responder are good for, so that
	// keeping them changes nothing about when a revocation becomes visible.
	DefaultCap = time.Minute
	// defaultMaxEntries is more than the certificates that a busy server
	// meets in a minute; it takes some 60 MB.
	defaultMaxEntries = 10_000
	// maxKeptResponse bounds an answer that is kept: those of E-IMZO, with
	// the responder's chain, have 3 to 5 KiB.
	maxKeptResponse = 16 << 10
	// defaultMaxQuestions bounds the questions under way, each a goroutine
	// and a connection. With a responder that answers in 10 ms it is far out
	// of reach; with a dead one it is what keeps its askers from piling up.
	defaultMaxQuestions = 1024
	// refreshers is how many questions go out at once to refresh answers
	// before anybody asks, and maxDue how many wait for that.
	refreshers = 8
	maxDue     = 1024
	// shortestRetry keeps a refresh that fails from being tried again and
	// again up to the very end of an answer.
	shortestRetry = time.Second
)

var (
	// ErrBusy says that too many questions are under way already.
	ErrBusy = errors.New("too many questions about revocation at once")
	// ErrClosed says that the cache was closed.
	ErrClosed = errors.New("the revocation cache is closed")

	errNoAnswer = errors.New("the revocation source has no answer")
)

// EventKind tells what an [Event] is about.
type EventKind string

// For every asker there is one of EventHit, EventMiss, EventShared and
// EventError. For every question that was put there is one of EventMiss,
// EventRefresh and EventError: their Took is how long responders take.
const (
	// EventHit is an asker who got a kept answer.
	EventHit EventKind = "hit"
	// EventMiss is an asker whose question was put and answered.
	EventMiss EventKind = "miss"
	// EventShared is an asker who waited for the question of another; the
	// answer may have been an error.
	EventShared EventKind = "shared"
	// EventRefresh is a question that was put before anybody asked, and
	// answered.
	EventRefresh EventKind = "refresh"
	// EventError is a question without an answer that can be relied on, or
	// an asker who was turned away.
	EventError EventKind = "error"
)

// Event is what asking for a status came to.
type Event struct {
	Kind EventKind
	// Took is how long the question took; zero for EventHit and EventShared.
	Took time.Duration
	// Source is where the answer is from, "" without one. It may come out of
	// a certificate.
	Source string
	// Err is the reason of an EventError.
	Err error
}

// CacheOptions bound what a [Cache] keeps. The zero value has the defaults.
type CacheOptions struct {
	// Cap is the longest time an answer is used, whatever its nextUpdate; 0
	// is [DefaultCap]. A negative Cap keeps nothing, and only lets those who
	// ask at the same time share a question.
	Cap time.Duration
	// MaxEntries bounds the number of answers kept; 0 is 10,000.
	MaxEntries int
	// MaxQuestions bounds the questions under way; 0 is 1,024.
	MaxQuestions int
	// RefreshBefore is how long before its end an answer in use is asked for
	// anew; 0 is a quarter of its time, and half of it is the most.
	RefreshBefore time.Duration
	// Timeout bounds each question; 0 is [DefaultTimeout].
	Timeout time.Duration
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Observe, when set, hears of everything. It is called from several
	// goroutines and must not wait.
	Observe func(Event)
}

// Cache is a [verify.RevocationSource] that keeps the answers of another one
// and asks it once for all who ask at the same time. It is safe for concurrent
// use. Statuses that it returns share their octets and must not be changed.
type Cache struct {
	source  verify.RevocationSource
	options CacheOptions

	ctx  context.Context
	stop context.CancelFunc
	work sync.WaitGroup
	due  chan *entry // to be refreshed

	mu      sync.Mutex
	closed  bool
	entries map[key]*list.Element // of *entry
	recent  *list.List            // the one used last in front
	flights map[key]*flight
}

var _ verify.RevocationSource = (*Cache)(nil)

// key names a question: the fingerprints of the certificate, which has the
// serial number, and of its issuer.
type key struct{ certificate, issuer [32]byte }

// entry is a kept answer.
type entry struct {
	key    key
	status *verify.RevocationStatus
	asked  time.Time // when the question was put
	keep   time.Duration
	timer  *time.Timer // of the refresh
	queued bool        // for a refresh
	// used tells that somebody got this answer from the cache.
	used bool
	// certificate and issuer are what a refresh asks about, set at the first
	// use. They are copies: a certificate is a view of the document it came
	// in, which must not live as long as the answer.
	certificate, issuer []byte
}

// fresh tells whether the answer may be used.
func (e *entry) fresh(now time.Time) bool {
	return within(e.keep, now.Sub(e.asked), now.Round(0).Sub(e.asked.Round(0)))
}

// within tells whether less than keep has passed by the steady clock and by the
// wall clock, and neither went back: the one knows no hour that was set, the
// other no sleep of the machine.
func within(keep, steady, wall time.Duration) bool {
	return steady >= 0 && steady < keep && wall >= 0 && wall < keep
}

// flight is a question under way.
type flight struct {
	done   chan struct{} // closed at the end; what follows is set then
	status *verify.RevocationStatus
	err    error
}

// NewCache returns a cache of the answers of source, which has to be closed.
func NewCache(source verify.RevocationSource, o CacheOptions) *Cache {
	if o.Cap == 0 {
		o.Cap = DefaultCap
	}
	if o.MaxEntries == 0 {
		o.MaxEntries = defaultMaxEntries
	}
	if o.MaxQuestions == 0 {
		o.MaxQuestions = defaultMaxQuestions
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Observe == nil {
		o.Observe = func(Event) {}
	}
	c := &Cache{
		source:  source,
		options: o,
		due:     make(chan *entry, maxDue),
		entries: make(map[key]*list.Element),
		recent:  list.New(),
		flights: make(map[key]*flight),
	}
	c.ctx, c.stop = context.WithCancel(context.Background())
	for range refreshers {
		c.work.Go(c.refreshDue)
	}
	return c
}

// Close stops questions and refreshes and waits for their end. It closes the
// source, too, when that is an io.Closer.
func (c *Cache) Close() error {
	c.mu.Lock()
	c.closed = true
	for _, element := range c.entries {
		element.Value.(*entry).timer.Stop()
	}
	clear(c.entries)
	c.recent.Init()
	c.mu.Unlock()
	c.stop()
	c.work.Wait()
	if closer, ok := c.source.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}

// Status returns a kept answer, or asks.
func (c *Cache) Status(ctx context.Context, certificate, issuer *cert.Certificate) (*verify.RevocationStatus, error) {
	k := key{certificate.Fingerprint(), issuer.Fingerprint()}
	if status := c.kept(k, certificate, issuer); status != nil {
		c.options.Observe(Event{Kind: EventHit, Source: status.Source})
		return status, nil
	}
	return c.ask(ctx, k, certificate, issuer)
}

// Fresh returns a source that takes no kept answers and asks every time, for
// what is of now and not of a minute ago. Its answers are kept for others, and
// those who ask at the same time still share a question.
func (c *Cache) Fresh() verify.RevocationSource { return freshSource{c} }

type freshSource struct{ cache *Cache }

func (f freshSource) Status(ctx context.Context, certificate, issuer *cert.Certificate) (*verify.RevocationStatus, error) {
	return f.cache.ask(ctx, key{certificate.Fingerprint(), issuer.Fingerprint()}, certificate, issuer)
}

// kept returns the kept answer, if there is one that may be used.
func (c *Cache) kept(k key, certificate, issuer *cert.Certificate) *verify.RevocationStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	element, ok := c.entries[k]
	if !ok {
		return nil
	}
	e, now := element.Value.(*entry), c.options.Now()
	if !e.fresh(now) {
		c.remove(element)
		return nil
	}
	c.recent.MoveToFront(element)
	e.used = true
	if e.certificate == nil {
		e.certificate, e.issuer = bytes.Clone(certificate.Raw), bytes.Clone(issuer.Raw)
	}
	if now.Sub(e.asked) >= e.keep-c.refreshBefore(e.keep) {
		c.queue(e) // the timer came before the first use
	}
	return shallow(e.status)
}

// ask waits for the answer to a question that is under way, or that it puts.
func (c *Cache) ask(ctx context.Context, k key, certificate, issuer *cert.Certificate) (*verify.RevocationStatus, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, shared, err := c.fly(k, certificate, issuer, EventMiss)
	if err != nil {
		c.options.Observe(Event{Kind: EventError, Err: err})
		return nil, err
	}
	if shared {
		c.options.Observe(Event{Kind: EventShared})
	}
	select {
	case <-f.done:
		return shallow(f.status), f.err
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", errNoAnswer, ctx.Err())
	}
}

// fly joins the question under way or puts it; kind is the event of an answer
// then. A question has a time limit of its own: whoever asked first may leave
// and the others still get their answer.
func (c *Cache) fly(k key, certificate, issuer *cert.Certificate, kind EventKind) (f *flight, shared bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, false, ErrClosed
	}
	if f, ok := c.flights[k]; ok {
		return f, true, nil
	}
	if len(c.flights) >= c.options.MaxQuestions {
		return nil, false, ErrBusy
	}
	f = &flight{done: make(chan struct{})}
	c.flights[k] = f
	c.work.Go(func() { c.answer(k, f, certificate, issuer, kind) })
	return f, false, nil
}

// answer puts a question and keeps the answer.
func (c *Cache) answer(k key, f *flight, certificate, issuer *cert.Certificate, kind EventKind) {
	ctx, cancel := context.WithTimeout(c.ctx, c.options.Timeout)
	defer cancel()
	asked, start := c.options.Now(), time.Now()
	f.status, f.err = c.question(ctx, certificate, issuer)
	event := Event{Kind: kind, Took: time.Since(start)}
	if f.err != nil {
		event.Kind, event.Err = EventError, f.err
	} else {
		event.Source = f.status.Source
	}
	c.mu.Lock()
	delete(c.flights, k)
	if f.err == nil && !c.closed {
		c.store(k, f.status, asked)
	}
	c.mu.Unlock()
	c.options.Observe(event)
	close(f.done)
}

// question asks the source. On a goroutine of its own a panic would end the
// process.
func (c *Cache) question(ctx context.Context, certificate, issuer *cert.Certificate) (status *verify.RevocationStatus, err error) {
	defer func() {
		if r := recover(); r != nil {
			status, err = nil, fmt.Errorf("%w: it panicked: %v", errNoAnswer, r)
		}
	}()
	status, err = c.source.Status(ctx, certificate, issuer)
	if err == nil && status == nil {
		err = errNoAnswer
	}
	if err != nil {
		return nil, err
	}
	return status, nil
}

// store puts an answer in the place of the one before, which it ends in any
// case. The caller holds the lock.
func (c *Cache) store(k key, status *verify.RevocationStatus, asked time.Time) {
	e := &entry{key: k, status: status, asked: asked, keep: c.keepFor(status, asked)}
	if before, ok := c.entries[k]; ok {
		old := before.Value.(*entry)
		e.certificate, e.issuer = old.certificate, old.issuer
		c.remove(before)
	}
	if !e.fresh(c.options.Now()) {
		return
	}
	e.timer = time.AfterFunc(e.keep-c.refreshBefore(e.keep), func() { c.refreshLater(e) })
	c.entries[k] = c.recent.PushFront(e)
	for len(c.entries) > c.options.MaxEntries {
		c.remove(c.recent.Back())
	}
}

// remove forgets an answer. The caller holds the lock.
func (c *Cache) remove(element *list.Element) {
	e := c.recent.Remove(element).(*entry)
	e.timer.Stop()
	delete(c.entries, e.key)
}

// keepFor is how long an answer may be used from the question on: not at all
// one that says nothing, or is too large.
func (c *Cache) keepFor(status *verify.RevocationStatus, asked time.Time) time.Duration {
	known := status.Status == ocsp.Good || status.Status == ocsp.Revoked
	if !known || status.ThisUpdate.IsZero() || len(status.OCSPResponse) > maxKeptResponse {
		return 0
	}
	keep := c.options.Cap
	if !status.NextUpdate.IsZero() {
		keep = min(keep, status.NextUpdate.Sub(asked))
	}
	return keep
}

// refreshBefore is how long before its end an answer is refreshed.
func (c *Cache) refreshBefore(keep time.Duration) time.Duration {
	before := c.options.RefreshBefore
	if before <= 0 {
		before = keep / 4
	}
	return min(before, keep/2)
}

// refreshLater hands an answer in use to the refreshers.
func (c *Cache) refreshLater(e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current(e) && e.used {
		c.queue(e)
	}
}

// queue hands an answer to the refreshers, once. When they have too much to do
// it goes without: its next asker asks. The caller holds the lock.
func (c *Cache) queue(e *entry) {
	if e.queued {
		return
	}
	select {
	case c.due <- e:
		e.queued = true
	default:
	}
}

// current tells whether e is still what is kept. The caller holds the lock.
func (c *Cache) current(e *entry) bool {
	element, ok := c.entries[e.key]
	return ok && element.Value.(*entry) == e
}

// refreshDue refreshes answers until the cache is closed.
func (c *Cache) refreshDue() {
	for {
		select {
		case <-c.ctx.Done():
			return
		case e := <-c.due:
			c.refresh(e)
		}
	}
}

// refresh asks anew for an answer, and once more before its end if that fails.
func (c *Cache) refresh(e *entry) {
	c.mu.Lock()
	needed := c.current(e) && e.fresh(c.options.Now())
	c.mu.Unlock()
	if !needed || c.refreshNow(e) == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	left := e.keep - c.options.Now().Sub(e.asked)
	if c.current(e) && left/2 >= shortestRetry {
		e.queued = false
		e.timer = time.AfterFunc(left/2, func() { c.refreshLater(e) })
	}
}

func (c *Cache) refreshNow(e *entry) error {
	certificate, err := cert.Parse(e.certificate)
	if err != nil {
		return err
	}
	issuer, err := cert.Parse(e.issuer)
	if err != nil {
		return err
	}
	f, _, err := c.fly(e.key, certificate, issuer, EventRefresh)
	if err != nil {
		return err
	}
	<-f.done // it has a time limit
	return f.err
}

// shallow keeps a caller's changes out of what others get.
func shallow(status *verify.RevocationStatus) *verify.RevocationStatus {
	if status == nil {
		return nil
	}
	out := *status
	return &out
}
