package server

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"imzo/bench/internal/figures"
)

// Pages of people who look for their phone ask every second or two whether the
// signature has come. That load is open: pages do not wait for each other, and
// an answer that is late does not make them ask less. So the requests have
// their times beforehand, and what is measured is from then, not from when the
// connection was free to send (no coordinated omission).

const (
	pathMobileSign   = "/frontend/mobile/sign"
	pathMobileStatus = "/frontend/mobile/status"

	pollsPerSecond = 5000
	// pollDocuments wait for their phones meanwhile.
	pollDocuments = 1000
	pollLimit     = 20 * time.Millisecond
)

// waiting is the status that a document without a signature has.
var waiting = []byte(`"status":2`)

// pollRequests begins documents over a connection and returns the requests
// that poll them.
func pollRequests(ctx context.Context, address string, documents int) ([][]byte, error) {
	c, err := dial(ctx, address)
	if err != nil {
		return nil, err
	}
	defer c.close()
	var out [][]byte
	for range documents {
		if _, err := c.ask(request("POST", pathMobileSign, nil)); err != nil {
			return nil, err
		}
		var answer struct {
			DocumentID string `json:"documentId"`
		}
		if err := json.Unmarshal(c.body, &answer); err != nil {
			return nil, err
		}
		out = append(out, request("GET", pathMobileStatus+"?documentId="+answer.DocumentID, nil))
	}
	return out, nil
}

// paced is a step of an open load: each of so many connections sends its
// requests at times of its own, so that all together send perSecond.
func paced(began time.Time, connections, perSecond int, requests [][]byte) step {
	every := time.Duration(connections) * time.Second / time.Duration(perSecond)
	return func(c *connection, n int) (time.Duration, error) {
		due := began.Add(every*time.Duration(n) + every*time.Duration(c.number)/time.Duration(connections))
		time.Sleep(time.Until(due))
		if _, err := c.exchange(requests[(c.number+n*connections)%len(requests)], waiting); err != nil {
			return 0, err
		}
		return time.Since(due), nil
	}
}

// measurePolling lets pages poll documents.
func (b *bench) measurePolling(ctx context.Context, p *process) (figures.Comparison, error) {
	b.logf("polling")
	requests, err := pollRequests(ctx, p.address, pollDocuments)
	if err != nil {
		return figures.Comparison{}, err
	}
	connections := b.Connections[len(b.Connections)-1]
	var s samples
	for range b.Rounds {
		do := paced(time.Now().Add(10*time.Millisecond), connections, pollsPerSecond, requests)
		if err := b.sampleOurs(ctx, p, scenario{connections: connections, ours: do}, &s); err != nil {
			return figures.Comparison{}, err
		}
	}
	return figures.Comparison{
		Figure: fmt.Sprintf("poll a phone's document, %d offered, %d connections, p99", pollsPerSecond, connections),
		Ours:   figures.Of(figures.Nanoseconds, s.p99...), Peer: "limit", Theirs: figures.Of(figures.Nanoseconds, float64(pollLimit)),
		Target: figures.Below(1), Details: append([]figures.Detail{{Name: "rate", Value: figures.Of(figures.PerSecond, s.rate...)}}, s.details()...),
	}, nil
}
