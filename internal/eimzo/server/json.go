package server

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
)

// gsonEscapes are what Gson, which writes the replies of the original, escapes
// beside what encoding/json does. Outside of strings JSON has neither.
var gsonEscapes = map[byte]string{'=': `\u003d`, '\'': `\u0027`}

// writeJSON answers with HTTP 200 and v in the manner of Gson: the signs < > &
// = the apostrophe and U+2028, U+2029 as \uXXXX, everything else as it is.
func writeJSON(w http.ResponseWriter, v any) {
	jsonHeader(w)
	// The views always marshal, and a client that is gone needs no answer.
	_ = json.NewEncoder(gsonWriter{w}).Encode(v)
}

func jsonHeader(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=UTF-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
}

// gsonWriter gets the whole text of a reply from an Encoder, in one Write.
type gsonWriter struct{ http.ResponseWriter }

func (w gsonWriter) Write(p []byte) (int, error) {
	text := bytes.TrimSuffix(p, []byte("\n"))
	length := len(text)
	for c, escape := range gsonEscapes {
		length += bytes.Count(text, []byte{c}) * (len(escape) - 1)
	}
	w.Header().Set("Content-Length", strconv.Itoa(length))
	out := bufio.NewWriter(w.ResponseWriter)
	escapeGson(out, text)
	return len(p), out.Flush()
}

// escapeGson writes JSON text with the escapes of Gson. A reply with a
// document inside is long and has few characters to escape, so the text goes
// out in the pieces between them instead of being copied. Errors stay in out.
func escapeGson(out *bufio.Writer, text []byte) {
	for len(text) > 0 {
		i := bytes.IndexAny(text, "='")
		if i < 0 {
			i = len(text)
		}
		_, _ = out.Write(text[:i])
		if i < len(text) {
			_, _ = out.WriteString(gsonEscapes[text[i]])
			i++
		}
		text = text[i:]
	}
}
