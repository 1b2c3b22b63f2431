package httpx

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// requestIDHeader carries the id of a request in and out.
const requestIDHeader = "X-Request-Id"

// maxLoggedPath keeps what a stranger writes into the log short.
const maxLoggedPath = 200

// Wrap gives h what [Serve] gives it, apart from the time-outs of headers and
// connections: for tests, and for handlers served in another way.
func Wrap(h http.Handler, o Options) http.Handler {
	o = o.complete()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := o.Now()
		info := &request{id: requestID(r), memory: o.Memory}
		defer info.release()
		r = r.WithContext(context.WithValue(r.Context(), requestKey{}, info))
		out := &response{ResponseWriter: w, control: http.NewResponseController(w), idle: o.idle, whole: o.body}
		out.Header().Set(requestIDHeader, info.id)
		defer func() {
			// For what net/http has still to send. It may first wait for the
			// rest of a body that the handler left.
			out.extend(2 * o.idle)
			logRequest(o.Logger, r, out, info, o.Now().Sub(start))
		}()
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(http.ErrAbortHandler)
			}
			o.Logger.ErrorContext(r.Context(), "panic", "id", info.id, "route", route(r), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			if out.status != 0 {
				panic(http.ErrAbortHandler) // the answer is under way: cut it off
			}
			Text(out, http.StatusServiceUnavailable, "internal error, see the log of the server")
		}()
		limit := o.MaxBody
		if o.BodyLimit != nil {
			limit = max(limit, o.BodyLimit(r))
		}
		if r.ContentLength > limit {
			out.Header().Set("Connection", "close")
			Text(out, http.StatusRequestEntityTooLarge, tooLarge(limit))
			if o.Refused != nil {
				o.Refused(r, http.StatusRequestEntityTooLarge)
			}
			return
		}
		if r.Body != nil && r.Body != http.NoBody {
			body := &body{ReadCloser: r.Body, control: out.control, idle: o.idle, deadline: time.Now().Add(o.bodyTime(limit))}
			// Also when the handler does not read it: net/http then discards
			// what is left, and must not wait for ever.
			body.extend()
			r.Body = http.MaxBytesReader(out, body, limit)
		}
		h.ServeHTTP(out, r)
	})
}

func logRequest(log *slog.Logger, r *http.Request, out *response, info *request, took time.Duration) {
	status := out.status
	if status == 0 {
		status = http.StatusOK
	}
	level := slog.LevelInfo
	if status >= 500 {
		level = slog.LevelError
	}
	attrs := append([]slog.Attr{
		slog.String("id", info.id),
		slog.String("method", r.Method),
		slog.String("route", route(r)),
		slog.Int("http", status),
		slog.Duration("duration", took),
		slog.Int64("bytes", out.written),
	}, info.all()...)
	log.LogAttrs(r.Context(), level, "request", attrs...)
}

// route is the pattern that served the request or, for want of one, its path.
func route(r *http.Request) string {
	if r.Pattern != "" {
		return r.Pattern
	}
	path := r.URL.Path
	return path[:min(len(path), maxLoggedPath)]
}

// request is what Wrap knows of a request beyond the request.
type request struct {
	id     string
	memory *Memory      // nil without a bound
	held   atomic.Int64 // octets of memory
	mu     sync.Mutex
	attrs  []slog.Attr
}

func (i *request) all() []slog.Attr {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.attrs
}

type requestKey struct{}

// RequestID returns the id of the request that ctx belongs to, or "".
func RequestID(ctx context.Context) string {
	if info, ok := ctx.Value(requestKey{}).(*request); ok {
		return info.id
	}
	return ""
}

// Annotate adds attributes to the access log line of the request that ctx
// belongs to.
func Annotate(ctx context.Context, attrs ...slog.Attr) {
	if info, ok := ctx.Value(requestKey{}).(*request); ok {
		info.mu.Lock()
		info.attrs = append(info.attrs, attrs...)
		info.mu.Unlock()
	}
}

// requestID takes the id that a proxy gave, so that the logs of both can be
// read together, and otherwise makes one.
func requestID(r *http.Request) string {
	id := r.Header.Get(requestIDHeader)
	if len(id) == 0 || len(id) > 64 {
		return rand.Text()
	}
	for _, c := range []byte(id) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != '_' && c != '.' {
			return rand.Text()
		}
	}
	return id
}

// response counts an answer and moves its deadline along.
type response struct {
	http.ResponseWriter
	control *http.ResponseController
	idle    time.Duration
	whole   time.Duration // for the whole answer
	end     time.Time     // of it, once it has begun
	status  int
	written int64
}

// Unwrap is for http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *response) WriteHeader(status int) {
	// 1xx are no answers yet, 101 excepted.
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write sends b in pieces, each with its own deadline, so that the deadline
// limits standing still and not the size of the answer. All of them together
// have as long as a body: whoever reads piece by piece must not hold for hours
// what the request has in memory.
func (w *response) Write(b []byte) (n int, err error) {
	const piece = 256 << 10
	if w.status == 0 {
		w.status = http.StatusOK
	}
	if w.end.IsZero() {
		w.end = time.Now().Add(w.whole)
	}
	for first := true; err == nil && (first || len(b) > 0); first = false {
		w.extend(w.idle)
		var m int
		m, err = w.ResponseWriter.Write(b[:min(len(b), piece)])
		n += m
		b = b[m:]
	}
	w.written += int64(n)
	return n, err
}

// extend is of no effect where there is no connection, as in a recorder.
func (w *response) extend(by time.Duration) {
	at := time.Now().Add(by)
	if !w.end.IsZero() && at.After(w.end) {
		at = w.end
	}
	_ = w.control.SetWriteDeadline(at)
}

// body moves the deadline of a request's body along as it arrives.
type body struct {
	io.ReadCloser
	control  *http.ResponseController
	idle     time.Duration
	deadline time.Time // for the whole body
}

func (b *body) Read(p []byte) (int, error) {
	b.extend()
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		// net/http now watches the connection for its end, and must not take
		// our deadline for one.
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

func (b *body) extend() {
	at := time.Now().Add(b.idle)
	if at.After(b.deadline) {
		at = b.deadline
	}
	_ = b.control.SetReadDeadline(at)
}
