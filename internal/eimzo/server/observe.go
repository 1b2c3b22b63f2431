package server

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"imzo/internal/httpx"
	"imzo/internal/metrics"
	"imzo/internal/revocation"
	"imzo/internal/timestamping"
	"imzo/verify"
)

// audited is what the audit line of a verdict says of a request beyond the
// verdict.
type audited struct {
	// document is what was judged: its digest stands in the line.
	document []byte
	serials  []string
	// digest is that of document where it was begun before; see startDigest.
	digest <-chan [sha256.Size]byte
}

// startDigest computes the digest of a large document for the audit line while
// the document is verified; small ones get nil.
func startDigest(document []byte) <-chan [sha256.Size]byte {
	if len(document) < largeDocument {
		return nil
	}
	digest := make(chan [sha256.Size]byte, 1)
	go func() { digest <- sha256.Sum256(document) }()
	return digest
}

// largeDocument is what takes longer than the rest of its request: a hundred
// times the documents in use.
const largeDocument = 1 << 20

// logVerdict writes the audit line of a verdict: about which document (by its
// digest), whose certificates, what and why, and nothing of the content. It
// counts the verdict, too.
func (s *Server) logVerdict(r *http.Request, o outcome, about audited, failure *verify.Failure) {
	attrs := []slog.Attr{
		slog.String("id", httpx.RequestID(r.Context())),
		slog.String("route", s.served(r)),
		slog.Int("status", o.status),
		slog.String("code", o.code()),
		slog.String("ip", userIP(r)),
		slog.String("host", origin(r)),
	}
	if about.document != nil {
		var digest [sha256.Size]byte
		if about.digest != nil {
			digest = <-about.digest
		} else {
			digest = sha256.Sum256(about.document)
		}
		attrs = append(attrs, slog.String("documentSHA256", hex.EncodeToString(digest[:])))
	}
	if len(about.serials) > 0 {
		attrs = append(attrs, slog.Any("serials", about.serials))
	}
	if failure != nil {
		attrs = append(attrs,
			slog.String("check", string(failure.Check.Name)),
			slog.String("subIndication", string(failure.Check.SubIndication)),
			slog.String("cause", clip(failure.Error(), maxLoggedCause)))
	}
	level := slog.LevelInfo
	if o.status == statusUnknown || failure != nil && failure.Check.Result == verify.Indeterminate {
		level = slog.LevelWarn // somebody whom we depend on does not answer
	}
	s.deps.Logger.LogAttrs(r.Context(), level, "verdict", attrs...)
	s.deps.Metrics.Verdict(s.served(r), o.status)
	httpx.Annotate(r.Context(), slog.Int("status", o.status))
	if len(about.serials) > 0 {
		httpx.Annotate(r.Context(), slog.String("serial", about.serials[0]))
	}
}

// signerSerials lists the serial numbers of the certificates of a report's
// signers, as the documents name them where it does not have them.
func signerSerials(report *verify.Report) []string {
	var serials []string
	for _, signer := range report.Signers {
		serial := signer.SID.String()
		if c := signer.Certificate; c != nil {
			serial = c.SerialHex()
		}
		serials = append(serials, clip(serial, maxLoggedSerial))
	}
	return serials
}

// What a document says of itself has no limit but its own, and must not fill
// the log. A serial number has 33 octets at most.
const (
	maxLoggedSerial = 80
	maxLoggedCause  = 1000
)

// clip cuts text for the log.
func clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}

// counted counts requests and how long they take.
func (s *Server) counted(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		end := s.deps.Metrics.Begin()
		start := time.Now()
		out := &coded{ResponseWriter: w}
		ended := false
		defer func() {
			switch {
			case out.code != 0:
			case ended:
				out.code = http.StatusOK
			default:
				out.code = http.StatusServiceUnavailable // a panic, see httpx.Wrap
			}
			end(s.served(r), out.code, time.Since(start))
		}()
		h.ServeHTTP(out, r)
		ended = true
	})
}

// countRefused counts a request that never came as far as counted.
func (s *Server) countRefused(r *http.Request, code int) {
	s.deps.Metrics.Begin()(s.served(r), code, 0)
}

// served is the path of the route of a request if it is one that is served.
func (s *Server) served(r *http.Request) string {
	route, _ := s.find(r.URL.Path)
	return route.path
}

// coded remembers the HTTP status of an answer, 0 before there is one.
type coded struct {
	http.ResponseWriter
	code int
}

// Unwrap is for http.ResponseController.
func (w *coded) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *coded) WriteHeader(code int) {
	w.code = code
	w.ResponseWriter.WriteHeader(code)
}

func (w *coded) Write(b []byte) (int, error) {
	if w.code == 0 {
		w.code = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// observeRevocation counts what asking for a status came to. The address stays
// out: it may come from a certificate.
func (s *Server) observeRevocation(e revocation.Event) {
	s.deps.Metrics.Revocation(string(e.Kind), e.Took)
	switch e.Kind {
	case revocation.EventMiss, revocation.EventRefresh:
		s.responders.note(true, s.deps.Now())
	case revocation.EventError:
		s.responders.note(false, s.deps.Now())
	}
}

func (s *Server) observeTimestamp(e timestamping.Event) {
	s.deps.Metrics.Timestamp(e.Err, e.Took)
	s.authorities.note(e.Err == nil, s.deps.Now())
}

// contact is what asking others came to: when they answered last, and when
// they did not.
type contact struct {
	mu               sync.Mutex
	answered, failed time.Time
}

func (c *contact) note(answered bool, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if answered {
		c.answered = at
	} else {
		c.failed = at
	}
}

// state tells of the last question, as a check of readiness does.
func (c *contact) state() (detail string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := "no answer yet"
	if !c.answered.IsZero() {
		last = "the last answer came at " + c.answered.UTC().Format(time.RFC3339)
	}
	if c.failed.After(c.answered) {
		return "", fmt.Errorf("a question at %s had no answer, %s", c.failed.UTC().Format(time.RFC3339), last)
	}
	return last, nil
}

// expiries lists the certificates whose end stops the server from working.
func (s *Server) expiries() []metrics.Expiry {
	var list []metrics.Expiry
	for _, c := range s.anchors().Certificates() {
		list = append(list, metrics.Expiry{Kind: "root", Serial: c.SerialHex(), Subject: c.Subject.String(), NotAfter: c.NotAfter})
	}
	if c := s.vpnKey(); c != nil {
		list = append(list, metrics.Expiry{Kind: "link", Serial: c.SerialHex(), Subject: c.Subject.String(), NotAfter: c.NotAfter})
	}
	if pair := s.certificate.Load(); pair != nil && pair.Leaf != nil {
		list = append(list, metrics.Expiry{Kind: "tls", Serial: pair.Leaf.SerialNumber.Text(16), Subject: pair.Leaf.Subject.String(), NotAfter: pair.Leaf.NotAfter})
	}
	if s.tunnel != nil {
		for _, d := range s.tunnel.State().Domains {
			c := d.Certificate()
			list = append(list, metrics.Expiry{Kind: "tunnel", Serial: c.SerialHex(), Subject: c.Subject.String(), NotAfter: c.NotAfter})
		}
	}
	return list
}
