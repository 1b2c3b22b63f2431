package server

import (
	"math"
	"mime"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"imzo/internal/httpx"
	"imzo/internal/ratelimit"
)

// bodyLimit is the largest body of a request beyond that of all others: where
// a route reads a body, or the parts of a multipart one, as it comes.
func (s *Server) bodyLimit(r *http.Request) int64 {
	if route := s.routes[r.URL.Path]; route.streams {
		return route.maxBody
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" {
		return 0
	}
	return s.routes[r.URL.Path].maxBody
}

// rateLimits are the limits of routes, by path.
func (s *Server) rateLimits() map[string]*ratelimit.Limiter {
	limits := make(map[string]*ratelimit.Limiter)
	for path, perMinute := range map[string]int{
		"/frontend/challenge": s.config.Limits.ChallengesPerMinute,
		"/backend/auth":       s.config.Limits.AuthsPerMinute,
		pathMobile + "auth":   s.config.Limits.MobilesPerMinute,
		pathMobile + "sign":   s.config.Limits.MobilesPerMinute,
	} {
		if perMinute > 0 {
			limits[path] = ratelimit.New(ratelimit.Options{PerMinute: perMinute, Now: s.deps.Now})
		}
	}
	return limits
}

// admit tells whether a request is within the limit of its route, and answers
// one that is not.
func (s *Server) admit(w http.ResponseWriter, r *http.Request) bool {
	limiter := s.limits[r.URL.Path]
	if limiter == nil {
		return true
	}
	ok, wait := limiter.Allow(s.callerIP(r))
	if ok {
		return true
	}
	s.deps.Metrics.RateLimited(r.URL.Path)
	w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(max(wait, time.Second).Seconds()))))
	httpx.Text(w, http.StatusTooManyRequests, "too many requests from this address, try again later")
	return false
}

// callerIP is the user's address for rate limits. Unlike [userIP], which is for
// the log, it believes headers only from those who may say so: everybody else
// could give himself a new address with every request.
func (s *Server) callerIP(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	at := peer.Addr().Unmap().WithZone("")
	if !s.trustedProxy(at) {
		return at
	}
	if a, err := netip.ParseAddr(strings.TrimSpace(r.Header.Get("X-Real-IP"))); err == nil {
		return a.Unmap().WithZone("")
	}
	// The last address that no proxy of ours has written: those before it
	// are what the caller claims.
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		a, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		if at = a.Unmap().WithZone(""); !s.trustedProxy(at) {
			break
		}
	}
	return at
}

func (s *Server) trustedProxy(a netip.Addr) bool {
	for _, p := range s.config.TrustedProxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
