// Package failover asks peers that are all as good as each other, one after
// the other, until one answers.
//
//	var pool failover.Pool
//	token, err := failover.Ask(ctx, &pool, addresses, 0, func(ctx context.Context, address string) (*tsp.Token, error) {
//		return client.Stamp(ctx, address, digest, message)
//	})
//
// The time that is left is shared: a peer that is slow, in whatever way, ends
// in time for the next. A peer that failed goes to the end of the queue for
// half a minute, so that a dead one costs its time once and not at every
// question; after that one question tries it, and the others go on with its
// neighbours until it has answered. When all have failed all are still asked:
// nothing here ever answers in a peer's place, and the first sign of life
// counts.
//
// It knows nothing of protocols: what an answer is the question decides.
package failover

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	// rest is how long a peer that failed stands at the end of the queue.
	rest = 30 * time.Second
	// maxRemembered bounds the memory for peers; some of their addresses
	// come out of certificates.
	maxRemembered = 256
)

// ErrNobody says that there was no address to ask at.
var ErrNobody = errors.New("nobody to ask")

// Pool remembers which peers failed lately, by their addresses. The zero Pool
// remembers nothing yet. It is safe for concurrent use, and not to be copied.
//
// Its clock is the one that time-outs run by: a machine whose clock is set
// neither dismisses a peer for it nor forgives one.
type Pool struct {
	mu sync.Mutex
	// resting holds until when a peer stands at the end.
	resting map[string]time.Time
}

// Ask puts a question to the addresses in turn and returns the first answer,
// or all errors, each with its address. An address gets an equal part of the
// time that ctx has left, by deadline; spare is how many parts are kept back
// for what the caller does when nobody answers. A question that panics is the
// caller's.
func Ask[T any](ctx context.Context, p *Pool, addresses []string, spare int, question func(ctx context.Context, address string) (T, error)) (T, error) {
	var none T
	if len(addresses) == 0 {
		return none, ErrNobody
	}
	var failures []error
	order := p.order(addresses)
	for i, address := range order {
		answer, err := askOne(ctx, len(order)-i+spare, address, question)
		if err == nil {
			p.answered(address)
			return answer, nil
		}
		failures = append(failures, fmt.Errorf("%s: %w", address, err))
		if errors.Is(ctx.Err(), context.Canceled) {
			break // the asker has left: that tells nothing of the peer
		}
		p.failed(address)
		if ctx.Err() != nil {
			break
		}
	}
	return none, errors.Join(failures...)
}

// askOne gives an address one of the parts of the time that is left.
func askOne[T any](ctx context.Context, parts int, address string, question func(context.Context, string) (T, error)) (T, error) {
	if deadline, ok := ctx.Deadline(); ok {
		limited, cancel := context.WithTimeout(ctx, time.Until(deadline)/time.Duration(parts))
		defer cancel()
		ctx = limited
	}
	return question(ctx, address)
}

// order returns the addresses as they are to be asked, each once: first those
// that do not rest, as they were given. One whose rest is over is among them
// for the caller alone, and rests on for everybody else until it answers.
func (p *Pool) order(addresses []string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	var ready, resting []string
	for _, address := range addresses {
		if slices.Contains(ready, address) || slices.Contains(resting, address) {
			continue
		}
		until, failed := p.resting[address]
		switch {
		case !failed:
			ready = append(ready, address)
		case now.Before(until):
			resting = append(resting, address)
		default:
			p.resting[address] = now.Add(rest)
			ready = append(ready, address)
		}
	}
	return append(ready, resting...)
}

func (p *Pool) answered(address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.resting, address)
}

func (p *Pool) failed(address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.resting == nil {
		p.resting = make(map[string]time.Time)
	}
	if _, known := p.resting[address]; !known && len(p.resting) >= maxRemembered {
		for other, until := range p.resting {
			if !now.Before(until) {
				delete(p.resting, other)
			}
		}
		if len(p.resting) >= maxRemembered {
			return // not remembered: it is asked in its turn
		}
	}
	p.resting[address] = now.Add(rest)
}
