package revocation

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"imzo/internal/failover"
	"imzo/pki/cert"
	"imzo/pki/crl"
	"imzo/pki/ocsp"
	"imzo/verify"
)

const (
	// defaultRecheck is how old the copy of a list may be before it is
	// looked for anew. Lists appear early when something was revoked, and
	// name a nextUpdate that is hours or days away.
	defaultRecheck = 10 * time.Minute
	// listRetry keeps a list that cannot be had from being asked for by
	// everybody, and is short: it bounds how long the end of an outage goes
	// unnoticed.
	listRetry = 5 * time.Second
	// fetchTimeout is for a long list on a slow line. No asker waits that
	// long; the next one finds the list.
	fetchTimeout = time.Minute
	// maxListSize bounds one list: half a million revocations of O'z DSt's
	// long serial numbers. maxListsSize bounds all of them.
	maxListSize  = 32 << 20
	maxListsSize = 64 << 20
	// maxLists bounds how many are remembered, with those that failed.
	maxLists = 64
	// maxFetches bounds how many are under way, and so the memory for them.
	maxFetches = 4
	// listSkew is how far a CA's clock may be ahead.
	listSkew = 5 * time.Minute
)

var (
	// ErrNoCRL says that the certificate names no list that can be fetched,
	// and no other was given.
	ErrNoCRL = errors.New("no CRL to look into")
	// errOlderList says that a list was offered which is older than one seen
	// before.
	errOlderList = errors.New("the CRL is older than the one before")
	// errSilentList says that a list says nothing of a certificate.
	errSilentList = errors.New("an expired certificate may have left the CRL")
	errFetching   = errors.New("the CRL is still being fetched")
	errManyLists  = errors.New("too many CRLs are being fetched")
	errClosed     = errors.New("closed")
)

// CRLOptions say whether CRLs are the fall-back when no OCSP responder
// answers, and which. The zero value has none.
type CRLOptions struct {
	Enabled bool
	// URLs are looked into instead of the distribution points in
	// certificates: http, https, or file for one that something else keeps
	// up to date. They hold DER, or one PEM block.
	URLs []string
	// Recheck is how old the copy of a list may be before it is looked for
	// anew; 0 is ten minutes.
	Recheck time.Duration
}

// lists fetches and holds CRLs.
type lists struct {
	options CRLOptions
	http    *http.Client
	now     func() time.Time
	pool    failover.Pool

	ctx  context.Context
	stop context.CancelFunc
	work sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	fetching int
	held     map[listKey]*heldList
}

// listKey is an address and whose list it has to be: what an address offers is
// worth something for the issuer alone that signed it.
type listKey struct {
	address string
	issuer  [32]byte
}

// heldList is what is known of a list. Its times are of the machine's steady
// clock; whether a list is fresh the injected clock tells.
type heldList struct {
	list   *crl.CRL // nil: there was none yet
	size   int
	err    error     // of the last try
	tried  time.Time // the end of the last try
	used   time.Time
	flight chan struct{} // closed when the try under way has ended; nil without one
}

func newLists(o CRLOptions, client *http.Client, now func() time.Time) *lists {
	if o.Recheck == 0 {
		o.Recheck = defaultRecheck
	}
	copied := *client
	if copied.CheckRedirect == nil {
		copied.CheckRedirect = refuseRedirect
	}
	l := &lists{options: o, http: &copied, now: now, held: make(map[listKey]*heldList)}
	l.ctx, l.stop = context.WithCancel(context.Background())
	return l
}

// close stops the fetching and waits for its end.
func (l *lists) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.stop()
	l.work.Wait()
}

// status looks c up in the first list that says something of it.
func (l *lists) status(ctx context.Context, c, issuer *cert.Certificate) (*verify.RevocationStatus, error) {
	addresses := l.options.URLs
	if len(addresses) == 0 {
		if addresses = callable(c.CRLDistributionPoints); len(addresses) == 0 {
			return nil, ErrNoCRL
		}
	}
	status, err := failover.Ask(ctx, &l.pool, addresses, 0, func(ctx context.Context, address string) (*verify.RevocationStatus, error) {
		list, err := l.get(ctx, address, issuer)
		if err != nil {
			return nil, err
		}
		status, err := lookUp(list, c, l.now())
		if err != nil {
			return nil, err
		}
		status.Source = address
		return status, nil
	})
	if err != nil {
		return nil, fmt.Errorf("CRL: %w", err)
	}
	return status, nil
}

// lookUp tells what a list of c's issuer says of c.
func lookUp(list *crl.CRL, c *cert.Certificate, now time.Time) (*verify.RevocationStatus, error) {
	if err := list.Covers(c); err != nil {
		return nil, err
	}
	entry, revoked, err := list.Lookup(c.Serial)
	if err != nil {
		return nil, err
	}
	status := &verify.RevocationStatus{
		Status:     ocsp.Good,
		Reason:     ocsp.NoReason,
		ThisUpdate: list.ThisUpdate,
		NextUpdate: list.NextUpdate,
	}
	switch {
	case revoked && entry.RevokedAt.After(now.Add(listSkew)):
		return nil, crl.ErrFuture
	case revoked:
		status.Status, status.RevokedAt, status.Reason = ocsp.Revoked, entry.RevokedAt, entry.Reason
	case c.NotAfter.Before(list.ThisUpdate):
		return nil, errSilentList
	}
	return status, nil
}

// get returns a fresh list of the issuer. It waits for one no longer than ctx
// lives; the fetching goes on for the next asker.
func (l *lists) get(ctx context.Context, address string, issuer *cert.Certificate) (*crl.CRL, error) {
	key := listKey{address, issuer.Fingerprint()}
	flight, err := l.fetchIfDue(key, issuer)
	if err != nil {
		return nil, err
	}
	if flight != nil {
		select {
		case <-flight:
		case <-ctx.Done():
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.held[key]
	switch {
	case h == nil:
		return nil, errFetching // pushed out by others meanwhile
	case h.list != nil && h.list.Fresh(l.now()) == nil:
		// The last try may have failed: a list holds until its end.
		return h.list, nil
	case h.flight != nil:
		return nil, errors.Join(errFetching, ctx.Err())
	case h.err != nil:
		return nil, h.err
	}
	return nil, h.list.Fresh(l.now())
}

// fetchIfDue begins to fetch a list unless there is one that is good enough,
// or there was none a moment ago. It returns what to wait for, if anything.
func (l *lists) fetchIfDue(key listKey, issuer *cert.Certificate) (<-chan struct{}, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.held[key]
	if h == nil {
		h = &heldList{}
	}
	age := time.Since(h.tried)
	fresh := h.list != nil && h.list.Fresh(l.now()) == nil
	h.used = time.Now()
	switch {
	case h.flight != nil:
		return h.flight, nil
	case fresh && h.err == nil && age < l.options.Recheck, h.err != nil && age < l.patience(h.err):
		return nil, nil
	case l.closed:
		return nil, errClosed
	case l.fetching >= maxFetches:
		if fresh {
			return nil, nil
		}
		return nil, errManyLists
	}
	l.held[key] = h
	l.fetching++
	h.flight = make(chan struct{})
	l.makeRoom(key)
	l.work.Go(func() { l.fetch(key, h, issuer) })
	return h.flight, nil
}

// patience is how long a failure stands. The list of another issuer will be
// that the next time, too.
func (l *lists) patience(err error) time.Duration {
	if errors.Is(err, crl.ErrIssuer) {
		return max(l.options.Recheck, listRetry)
	}
	return listRetry
}

// fetch replaces a held list by what its address offers now.
func (l *lists) fetch(key listKey, h *heldList, issuer *cert.Certificate) {
	list, size, err := l.download(key.address, issuer)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil && h.list != nil && list.ThisUpdate.Before(h.list.ThisUpdate) {
		err = errOlderList
	}
	if err == nil {
		h.list, h.size = list, size
	}
	h.err, h.tried = err, time.Now()
	l.fetching--
	close(h.flight)
	h.flight = nil
	l.makeRoom(key)
}

// download returns the list at an address, if issuer has signed it and it is
// fresh, and how much memory it takes. It runs on a goroutine of its own, where
// a panic would end the process.
func (l *lists) download(address string, issuer *cert.Certificate) (list *crl.CRL, size int, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("reading the CRL panicked: %v", r)
		}
	}()
	ctx, cancel := context.WithTimeout(l.ctx, fetchTimeout)
	defer cancel()
	body, err := l.read(ctx, address)
	if err != nil {
		return nil, 0, err
	}
	size = cap(body)
	if block, _ := pem.Decode(body); block != nil && block.Type == "X509 CRL" {
		body = block.Bytes
	}
	if list, err = crl.Parse(body); err != nil {
		return nil, 0, err
	}
	if err := list.CheckSignatureFrom(issuer); err != nil {
		return nil, 0, err
	}
	return list, size, list.Fresh(l.now())
}

// read returns what stands at an address of the configuration or, by http
// alone, of a certificate.
func (l *lists) read(ctx context.Context, address string) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	if u.Scheme == "file" {
		return readListFile(u.Path)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/pkix-crl") // RFC 5280 4.2.1.13
	res, err := l.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("HTTP status %d", res.StatusCode)
	}
	return readList(res.Body)
}

func readListFile(name string) ([]byte, error) {
	// A pipe or device would keep us.
	if info, err := os.Stat(name); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readList(f)
}

func readList(r io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, maxListSize+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxListSize {
		return nil, fmt.Errorf("the CRL is longer than %d octets", maxListSize)
	}
	return body, nil
}

// makeRoom forgets the lists used least lately until the rest fits. The one
// in use stays, and those being fetched. The caller holds the lock.
func (l *lists) makeRoom(inUse listKey) {
	for {
		total := 0
		var oldest listKey
		var found *heldList
		for key, h := range l.held {
			total += h.size
			if key != inUse && h.flight == nil && (found == nil || h.used.Before(found.used)) {
				oldest, found = key, h
			}
		}
		if total <= maxListsSize && len(l.held) <= maxLists || found == nil {
			return
		}
		delete(l.held, oldest)
	}
}
