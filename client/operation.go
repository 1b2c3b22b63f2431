package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// The endpoints of this file are Imzo's own and for administrators: they are
// on the back end's port where there is one.

// ErrNotReady is wrapped by the error of [Client.Ready] about a server that
// cannot do its work now.
var ErrNotReady = errors.New("the server is not ready")

// Readiness is the reply of [Client.Live] and [Client.Ready].
type Readiness struct {
	// Status is "ok", "warning" when something is not well, or "failed".
	Status string        `json:"status"`
	Checks []HealthCheck `json:"checks"`
}

// HealthCheck is one thing that a server needs.
type HealthCheck struct {
	Name     string `json:"name"`
	Status   string `json:"status"`
	Detail   string `json:"detail"`
	Error    string `json:"error"`
	Duration string `json:"duration"`
}

// Live asks whether the server answers at all.
func (c *Client) Live(ctx context.Context) (*Readiness, error) {
	reply := &Readiness{}
	return reply, c.call(ctx, request{method: http.MethodGet, path: "/healthz/live"}, reply)
}

// Ready asks whether the server can do its work. A server that cannot is an
// error that wraps [ErrNotReady] and names what has failed; the reply has all
// checks.
func (c *Client) Ready(ctx context.Context) (*Readiness, error) {
	r := request{method: http.MethodGet, path: "/healthz/ready", also: http.StatusServiceUnavailable}
	reply := &Readiness{}
	if err := c.call(ctx, r, reply); err != nil {
		return reply, err
	}
	if reply.Status == "ok" || reply.Status == "warning" {
		return reply, nil
	}
	var failed []string
	for _, check := range reply.Checks {
		if check.Status == "failed" {
			failed = append(failed, check.Name+": "+check.Error)
		}
	}
	return reply, fmt.Errorf("%s: %w: %s", r.path, ErrNotReady, strings.Join(failed, "; "))
}

// Metrics gets the counters of the server, in the text format of Prometheus.
func (c *Client) Metrics(ctx context.Context) ([]byte, error) {
	text, _, err := c.send(ctx, request{method: http.MethodGet, path: "/metrics", accept: typeText})
	return text, err
}

// OpenAPI gets the description of the endpoints, as JSON.
func (c *Client) OpenAPI(ctx context.Context) ([]byte, error) {
	text, _, err := c.send(ctx, request{method: http.MethodGet, path: "/openapi.json"})
	return text, err
}
