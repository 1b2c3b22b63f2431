package server

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"sync"

	"imzo/internal/eimzo/pkcs7info"
	"imzo/verify"
)

// gsonEscapes are what Gson, which writes the replies of the original, escapes
// beside what encoding/json does. Outside of strings JSON has neither.
const (
	escapedEquals     = `\u003d`
	escapedApostrophe = `\u0027`
)

// writeJSON answers with HTTP 200 and v in the manner of Gson: the signs < > &
// = the apostrophe and U+2028, U+2029 as \uXXXX, everything else as it is.
func writeJSON(w http.ResponseWriter, v any) {
	text := newText()
	defer text.free()
	text.encode(v)
	jsonHeader(w)
	w.Header().Set("Content-Length", strconv.Itoa(gsonLen(text.Bytes())))
	out := newGsonWriter(w)
	defer out.free()
	out.escape(text.Bytes())
	out.flush()
}

// writeVerify answers with a view of a report and the content that is in the
// document. That goes out as it is encoded: a large one is not once more in
// memory.
func writeVerify(w http.ResponseWriter, v verifyView, report *verify.Report) {
	text := newVerifyText(v, v, report)
	defer text.free()
	jsonHeader(w)
	w.Header().Set("Content-Length", strconv.Itoa(text.len()))
	out := newGsonWriter(w)
	defer out.free()
	text.writeTo(out)
	out.flush()
}

func jsonHeader(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=UTF-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
}

// verifyText is the JSON of a [verifyView] around its documentBase64.
type verifyText struct {
	*jsonText
	cut    int            // where the content belongs
	report *verify.Report // whose content it is; nil without one
}

// verifyTail is what stands in a [verifyView] behind pkcs7Info, whose last
// field is documentBase64.
type verifyTail struct {
	FailedSignerInfo *pkcs7info.Signer `json:"failedSignerInfo,omitempty"`
	result
}

const documentField = `,"documentBase64":"`

// newVerifyText makes the text of whole, which is v or has it inside as its
// last part. The content is left out of both; it is taken from the report.
func newVerifyText(whole any, v verifyView, report *verify.Report) verifyText {
	text := verifyText{jsonText: newText()}
	text.encode(whole)
	if v.PKCS7Info == nil || report.ContentSize() < 0 {
		return text
	}
	// The view is the end of the text and begins with pkcs7Info. What comes
	// after that is encoded once more, to know how much it is.
	tail := newText()
	defer tail.free()
	tail.encode(verifyTail{v.FailedSignerInfo, v.result})
	text.report = report
	text.cut = text.Len() - tail.Len() - len("}") // before the end of pkcs7Info; a comma stands for a bracket
	return text
}

// len is how long it is when it is written.
func (t verifyText) len() int {
	n := gsonLen(t.Bytes())
	if t.report != nil {
		size := t.report.ContentSize()
		n += len(documentField) + base64.RawStdEncoding.EncodedLen(size) + (3-size%3)%3*len(escapedEquals) + len(`"`)
	}
	return n
}

func (t verifyText) writeTo(out *gsonWriter) {
	if t.report == nil {
		out.escape(t.Bytes())
		return
	}
	out.escape(t.Bytes()[:t.cut])
	out.text(documentField)
	_ = t.report.WriteContentTo((*base64Writer)(out)) // errors stay in out
	(*base64Writer)(out).end()
	out.text(`"`)
	out.escape(t.Bytes()[t.cut:])
}

// jsonText is a buffer for JSON.
type jsonText struct{ bytes.Buffer }

// texts and gsonWriters hold buffers that are not in use: an answer needs two,
// of twice its size, and they would be most of what a request allocates.
var (
	texts       = sync.Pool{New: func() any { return new(jsonText) }}
	gsonWriters = sync.Pool{New: func() any { return &gsonWriter{buffer: make([]byte, 0, gsonBuffer)} }}
)

const (
	// gsonBuffer holds most answers in one piece.
	gsonBuffer = 64 << 10
	// maxPooled is the largest buffer that is used again: those of rare large
	// answers must not stay for ever.
	maxPooled = 128 << 10
)

func newText() *jsonText { return texts.Get().(*jsonText) }

func (t *jsonText) free() {
	if t.Cap() <= maxPooled {
		t.Reset()
		texts.Put(t)
	}
}

func (t *jsonText) encode(v any) {
	_ = json.NewEncoder(t).Encode(v) // the views always marshal
	t.Truncate(t.Len() - len("\n"))
}

// gsonLen is how long JSON text is with the escapes of Gson.
func gsonLen(text []byte) int {
	return len(text) +
		bytes.Count(text, []byte{'='})*(len(escapedEquals)-1) +
		bytes.Count(text, []byte{'\''})*(len(escapedApostrophe)-1)
}

// gsonWriter writes JSON text with the escapes of Gson, in large pieces. The
// first error stays in it: a client that is gone needs no answer.
type gsonWriter struct {
	to     io.Writer
	buffer []byte
	err    error
	carry  [3]byte // octets of an incomplete group, for base64Writer
	held   int     // how many
}

func newGsonWriter(to io.Writer) *gsonWriter {
	w := gsonWriters.Get().(*gsonWriter)
	*w = gsonWriter{to: to, buffer: w.buffer[:0]}
	return w
}

func (w *gsonWriter) free() {
	w.to = nil
	gsonWriters.Put(w)
}

// room makes room for n octets, which the buffer can hold.
func (w *gsonWriter) room(n int) {
	if len(w.buffer)+n > cap(w.buffer) {
		w.flush()
	}
}

func (w *gsonWriter) flush() {
	if w.err == nil && len(w.buffer) > 0 {
		_, w.err = w.to.Write(w.buffer)
	}
	w.buffer = w.buffer[:0]
}

// text writes what needs no escapes.
func (w *gsonWriter) text(s string) {
	for len(s) > 0 {
		w.room(1)
		n := min(len(s), cap(w.buffer)-len(w.buffer))
		w.buffer = append(w.buffer, s[:n]...)
		s = s[n:]
	}
}

func (w *gsonWriter) octets(b []byte) {
	for len(b) > 0 {
		w.room(1)
		n := min(len(b), cap(w.buffer)-len(w.buffer))
		w.buffer = append(w.buffer, b[:n]...)
		b = b[n:]
	}
}

// escape writes JSON text. It has few characters to escape, so it is copied in
// the pieces between them.
func (w *gsonWriter) escape(text []byte) {
	next := func(c byte) int {
		if i := bytes.IndexByte(text, c); i >= 0 {
			return i
		}
		return len(text)
	}
	equals, apostrophe := next('='), next('\'')
	for len(text) > 0 {
		i := min(equals, apostrophe)
		w.octets(text[:i])
		if i == len(text) {
			return
		}
		if i == equals {
			w.text(escapedEquals)
		} else {
			w.text(escapedApostrophe)
		}
		text = text[i+1:]
		if i == equals {
			equals, apostrophe = next('='), apostrophe-i-1
		} else {
			equals, apostrophe = equals-i-1, next('\'')
		}
	}
}

// base64Writer writes octets as base64 with the padding that Gson escapes.
type base64Writer gsonWriter

// Write encodes whole groups and keeps what is left for the next one.
func (w *base64Writer) Write(p []byte) (int, error) {
	n := len(p)
	if w.held > 0 {
		m := copy(w.carry[w.held:], p)
		p = p[m:]
		if w.held += m; w.held < len(w.carry) {
			return n, w.err
		}
		w.encode(w.carry[:])
		w.held = 0
	}
	whole := len(p) / 3 * 3
	w.encode(p[:whole])
	w.held = copy(w.carry[:], p[whole:])
	return n, w.err
}

// encode encodes whole groups.
func (w *base64Writer) encode(p []byte) {
	out := (*gsonWriter)(w)
	for len(p) > 0 && w.err == nil {
		out.room(4)
		at := len(w.buffer)
		n := min(len(p), (cap(w.buffer)-at)/4*3)
		w.buffer = w.buffer[:at+n/3*4]
		encodeBase64(w.buffer[at:], p[:n])
		p = p[n:]
	}
}

// end writes the last, incomplete group.
func (w *base64Writer) end() {
	out := (*gsonWriter)(w)
	if w.held == 0 {
		return
	}
	out.room(4)
	w.buffer = base64.RawStdEncoding.AppendEncode(w.buffer, w.carry[:w.held])
	for range len(w.carry) - w.held {
		out.text(escapedEquals)
	}
	w.held = 0
}
