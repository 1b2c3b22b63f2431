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
	if r.ContentLength > limit {
		return nil, &BodyError{Status: http.StatusRequestEntityTooLarge, Text: tooLarge(limit)}
	}
	if r.Body == nil {
		return nil, nil
	}
	// A stranger may announce much and send nothing, so the buffer grows with
	// what has come, but never beyond what was announced. It begins small:
	// thousands of bodies of which nothing has come must not fill the memory.
	const step = 4 << 10
	var data []byte
	grow := func() bool {
		size := max(4*int64(len(data)), step)
		if r.ContentLength >= 0 {
			// One more, to see the end without growing again; and when more
			// than half of it would be there, all, so that the last step does
			// not copy nearly the whole.
			if whole := r.ContentLength + 1; size > whole/2 {
				size = whole
			}
		}
		size = min(size, limit+1)
		if !hold(r.Context(), size-int64(cap(data))) {
			return false
		}
		bigger := make([]byte, len(data), size)
		copy(bigger, data)
		data = bigger
		return true
	}
	for {
		if len(data) == cap(data) && !grow() {
			return nil, errNoRoom()
		}
		n, err := r.Body.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		var over *http.MaxBytesError
		switch {
		case int64(len(data)) > limit || errors.As(err, &over):
			return nil, &BodyError{Status: http.StatusRequestEntityTooLarge, Text: tooLarge(limit), Err: err}
		case err == io.EOF:
			return data, nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, &BodyError{Status: http.StatusRequestTimeout, Text: "the body did not arrive in time", Err: err}
		case err != nil:
			return nil, &BodyError{Status: http.StatusBadRequest, Text: "the body could not be read", Err: err}
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
