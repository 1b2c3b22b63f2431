package httpx

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

// BodyError says why a body could not be read, and how to answer.
type BodyError struct {
	Status int    // of HTTP
	Text   string // for [Text]
	Err    error
	// RetryAfter is after how many seconds it is worth trying again; 0 says
	// nothing.
	RetryAfter int
}

// Error gives the text and the cause.
func (e *BodyError) Error() string {
	if e.Err == nil {
		return e.Text
	}
	return e.Text + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *BodyError) Unwrap() error { return e.Err }

// ReadBody reads the whole body of a request, whatever its Content-Type says
// it is. A body of more than limit octets, one that stops, one that is cut
// short or one that finds no room in [Options].Memory is a [*BodyError].
func ReadBody(r *http.Request, limit int64) ([]byte, error) {
	b, err := OpenBody(r, limit)
	if err != nil {
		return nil, err
	}
	return b.All(nil)
}

// Body is the body of a request that is read piece by piece, by the rules of
// [ReadBody].
type Body struct {
	r           *http.Request
	limit, read int64
}

// OpenBody begins to read. A length that is announced and beyond limit is an
// error.
func OpenBody(r *http.Request, limit int64) (*Body, error) {
	if r.ContentLength > limit {
		return nil, &BodyError{Status: http.StatusRequestEntityTooLarge, Text: tooLarge(limit)}
	}
	return &Body{r: r, limit: limit}, nil
}

// Read reads what has come. The error is io.EOF or a [*BodyError].
func (b *Body) Read(p []byte) (int, error) {
	if b.r.Body == nil {
		return 0, io.EOF
	}
	n, err := b.r.Body.Read(p)
	b.read += int64(n)
	var over *http.MaxBytesError
	switch {
	case b.read > b.limit || errors.As(err, &over):
		return n, &BodyError{Status: http.StatusRequestEntityTooLarge, Text: tooLarge(b.limit), Err: err}
	case err == nil || err == io.EOF:
		return n, err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return n, &BodyError{Status: http.StatusRequestTimeout, Text: "the body did not arrive in time", Err: err}
	}
	return n, &BodyError{Status: http.StatusBadRequest, Text: "the body could not be read", Err: err}
}

// Grow returns data with room for so many octets more, at least. whole is how
// long it gets at most, -1 where nobody knows. Memory that [Options].Memory does not have is a
// [*BodyError].
//
// A stranger may announce much and send nothing, so the buffer grows with what
// has come, but never beyond what was announced. It begins small: thousands of
// bodies of which nothing has come must not fill the memory.
func (b *Body) Grow(data []byte, room int, whole int64) ([]byte, error) {
	const step = 4 << 10
	size := max(4*int64(len(data)), step)
	if whole >= 0 && size > whole/2 {
		// When more than half of it would be there, all, so that the last
		// step does not copy nearly the whole.
		size = whole
	}
	size = max(min(size, b.limit+1), int64(len(data)+room))
	if !hold(b.r.Context(), size-int64(cap(data))) {
		return nil, errNoRoom()
	}
	bigger := make([]byte, len(data), size)
	copy(bigger, data)
	return bigger, nil
}

// Hold counts n octets of memory for the request, beside those of Grow. The
// error is a [*BodyError].
func (b *Body) Hold(n int64) error {
	if !hold(b.r.Context(), n) {
		return errNoRoom()
	}
	return nil
}

// All reads the rest of the body and returns it after data, which may be nil.
func (b *Body) All(data []byte) ([]byte, error) {
	whole := int64(-1)
	if b.r.ContentLength >= 0 {
		// One more, to see the end without growing again.
		whole = int64(len(data)) + b.r.ContentLength - b.read + 1
	}
	if b.r.Body == nil {
		return data, nil
	}
	for {
		if len(data) == cap(data) {
			var err error
			if data, err = b.Grow(data, 1, whole); err != nil {
				return nil, err
			}
		}
		n, err := b.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		switch {
		case err == io.EOF:
			return data, nil
		case err != nil:
			return nil, err
		}
	}
}

func tooLarge(limit int64) string {
	return fmt.Sprintf("the body is larger than the allowed %d bytes", limit)
}

// Text answers with a status and one line of plain text. Double quotes and
// line breaks are replaced: clients paste the line into JSON of their own.
func Text(w http.ResponseWriter, status int, line string) {
	line = strings.NewReplacer(`"`, "'", "\\", "/", "\r", " ", "\n", " ").Replace(line)
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, line+"\n") // a client that is gone needs no answer
}
