// Package origin tells which page calls the agent, and whether it may: by the
// API key of its domain, as E-IMZO does (guide 1.1), or because the person
// said so.
//
//	domain := origin.Domain(r.Header.Get("Origin"))
//	if gate.Allowed(ctx, header, domain, ask) { ... }
package origin

import (
	"net/url"
	"strings"
)

// Null is the domain of callers that have no origin: programs, pages from
// files and sandboxed frames.
const Null = "null"

// maxOrigin bounds an Origin header that is looked at.
const maxOrigin = 1024

// Domain returns the host in an Origin header: in lower case, without port,
// brackets and user. What names none is [Null].
func Domain(header string) string {
	header = strings.TrimSpace(header)
	if header == "" || len(header) > maxOrigin {
		return Null
	}
	u, err := url.Parse(header)
	if err != nil || u.Scheme == "" || u.Opaque != "" {
		return Null
	}
	switch host := strings.ToLower(u.Hostname()); host {
	case "":
		return Null
	default:
		return host
	}
}
