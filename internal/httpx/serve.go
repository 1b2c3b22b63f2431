package httpx

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

const (
	// headerTimeout is for the request line and headers, which fit one packet.
	headerTimeout = 10 * time.Second
	// idleTimeout is how long a body or an answer may stand still.
	idleTimeout = 30 * time.Second
	// bodyTimeout bounds a whole body, and a whole answer, so that one octet
	// every half minute does not hold a connection for ever. 128 MiB in this
	// time are 220 kB/s; see bodyTime for bodies that may be larger.
	bodyTimeout = 10 * time.Minute
	// keepAliveTimeout closes connections nobody uses. It is longer than the
	// 60 s after which nginx lets go of its side, so that we are not the one
	// to close a connection that a request is just entering.
	keepAliveTimeout = 75 * time.Second
	// graceTimeout is what requests get to finish in when the server stops;
	// the slowest wait eight seconds for an OCSP responder.
	graceTimeout = 15 * time.Second
	// maxHeader bounds request line and headers.
	maxHeader = 64 << 10
	// DefaultMaxBody is the largest body: base64 of documents of tens of
	// megabytes together with their signature occurs.
	DefaultMaxBody = 128 << 20
)

// Options change how a handler is served; the zero value is ready for use.
type Options struct {
	// Logger gets one line a request and what net/http has to say. Nil
	// discards both.
	Logger *slog.Logger
	// Now is the clock of the log's durations; nil is time.Now.
	Now func() time.Time
	// MaxBody is the largest body in octets; 0 is DefaultMaxBody.
	MaxBody int64
	// BodyLimit, when set, may allow the bodies of some requests more than
	// MaxBody: of those that are read as they come and not kept.
	BodyLimit func(*http.Request) int64
	// Refused, when set, is told of requests that are answered before the
	// handler sees them, and with what HTTP status.
	Refused func(r *http.Request, status int)
	// Memory, when set, bounds the bodies of all requests together.
	Memory *Memory
	// Connections is how many may be open at once, others wait; 0 is without
	// limit.
	Connections int
	// TLS, when set, makes it HTTPS. It has to offer nothing but http/1.1.
	TLS *tls.Config
	// LenientHost takes requests whose Host is missing or is no host, which
	// net/http refuses. See [lenientConn].
	LenientHost bool

	idle, body, grace time.Duration // for tests; 0 is the constant
}

func (o Options) complete() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MaxBody == 0 {
		o.MaxBody = DefaultMaxBody
	}
	if o.idle == 0 {
		o.idle = idleTimeout
	}
	if o.body == 0 {
		o.body = bodyTimeout
	}
	if o.grace == 0 {
		o.grace = graceTimeout
	}
	return o
}

// bodyTime is how long a body may take that may have limit octets. What is
// allowed more than usual gets as much more time: two gigabytes in ten minutes
// would ask for a line of 30 Mbit/s.
func (o Options) bodyTime(limit int64) time.Duration {
	return max(o.body, time.Duration(float64(o.body)*min(float64(limit)/DefaultMaxBody, maxBodyTimes)))
}

// maxBodyTimes bounds bodyTime where the limit is set to no limit at all: to a
// day or so.
const maxBodyTimes = 150

// Serve answers connections of ln with h until ctx is done, then lets the
// requests in flight finish. It closes ln and returns nil after such an end,
// and the error of the listener otherwise. Requests do not see ctx end.
func Serve(ctx context.Context, ln net.Listener, h http.Handler, o Options) error {
	o = o.complete()
	srv := &http.Server{
		Handler:           Wrap(h, o),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       keepAliveTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(o.Logger.Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	if o.Connections > 0 {
		ln = LimitConnections(ln, o.Connections)
	}
	if o.TLS != nil {
		ln = tls.NewListener(ln, o.TLS)
	}
	if o.LenientHost {
		ln = lenientListener{ln}
		srv.ConnState, srv.ConnContext = lenientState, lenientContext
		srv.Handler = lenientHandler(srv.Handler)
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ln) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	graceful, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.grace)
	defer cancel()
	err := srv.Shutdown(graceful)
	if errors.Is(err, context.DeadlineExceeded) {
		o.Logger.Warn("requests cut off: they did not finish in time", "grace", o.grace)
		err = srv.Close()
	}
	<-ended // http.ErrServerClosed
	return err
}
