package trustlink

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"time"
)

const (
	// firstPause is the first wait before reconnecting; each is twice as long
	// as the one before, up to maxPause. A restart of the other end is over
	// within the first few.
	firstPause = 250 * time.Millisecond
	maxPause   = 30 * time.Second
	// minGap is the least time between two pings: of a peer that takes
	// connections and drops them.
	minGap = 100 * time.Millisecond
	// maxReason bounds LastError.
	maxReason = 300
)

// Run keeps the link alive until ctx is done: it pings the other end every
// KeepAlive and at once when a connection ends, gives it up when a ping has no
// answer within KeepAliveTimeout, and tries again after growing pauses. It
// closes the connections when it ends. It is called once.
func (l *Link) Run(ctx context.Context) {
	defer l.closeAll()
	defer func() { l.identity.Load().transport.CloseIdleConnections() }()
	for failures := 0; ; {
		err := l.keepAlive(ctx)
		if ctx.Err() != nil {
			return
		}
		pause, lost := l.options.KeepAlive, l.lost
		if err != nil {
			// That connections end is nothing new now.
			pause, lost = l.pause(failures), nil
			failures++
		} else {
			failures = 0
		}
		if !sleep(ctx, min(minGap, pause), nil, nil) || !sleep(ctx, pause-minGap, lost, l.kick) {
			return
		}
	}
}

// sleep waits for d or until one of the channels is signalled; false means
// that ctx is done.
func sleep(ctx context.Context, d time.Duration, a, b <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-a:
	case <-b:
	case <-ctx.Done():
		return false
	}
	return true
}

// keepAlive is one ping. When it fails the connections are closed: whoever
// waits on them would wait for nothing.
func (l *Link) keepAlive(ctx context.Context) error {
	ping, cancel := context.WithTimeout(ctx, l.options.KeepAliveTimeout)
	defer cancel()
	_, err := l.Ping(ping)
	if err == nil || ctx.Err() != nil {
		return err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = errors.New("no answer to a ping within " + l.options.KeepAliveTimeout.String())
	}
	l.down(err)
	l.closeAll()
	return err
}

// pause returns how long to wait after so many failures: half of it fixed and
// half of it random, so that the servers of a restarted peer do not all come
// back in the same moment.
func (l *Link) pause(failures int) time.Duration {
	full := maxPause
	if failures < 16 {
		full = min(full, firstPause<<failures)
	}
	var b [8]byte
	if _, err := io.ReadFull(l.options.Rand, b[:]); err != nil {
		return full
	}
	half := uint64(full / 2)
	return time.Duration(half + binary.BigEndian.Uint64(b[:])%(half+1))
}

// up notes that the other end answered.
func (l *Link) up() {
	l.mu.Lock()
	changed := !l.state.Connected
	if changed {
		l.state.Connected, l.state.Since = true, l.options.Now()
	}
	l.told = true
	l.mu.Unlock()
	if changed {
		l.options.Logger.Info("trust link is up", "address", l.address)
		signal(l.kick) // Run need not wait for its next try
	}
}

// down notes why the other end did not.
func (l *Link) down(err error) {
	reason := strings.ToValidUTF8(err.Error(), "?")
	if len(reason) > maxReason {
		reason = strings.ToValidUTF8(reason[:maxReason], "")
	}
	l.mu.Lock()
	changed := l.state.Connected || !l.told
	if changed {
		l.state.Connected, l.state.Since = false, l.options.Now()
	}
	l.state.LastError, l.told = reason, true
	l.mu.Unlock()
	if changed {
		l.options.Logger.Warn("trust link is down", "address", l.address, "error", reason)
	}
}
