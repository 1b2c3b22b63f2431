package dsv

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"strconv"
	"unicode/utf8"
)

// The text around the JSON of an answer; clients cut it off literally. %[1]s
// is the name of the operation.
const (
	replyHead = `<?xml version="1.0" ?><S:Envelope xmlns:S="` + soapNamespace + `"><S:Body><ns2:%[1]sResponse xmlns:ns2="` + serviceNamespace + `"><return>`
	replyTail = `</return></ns2:%[1]sResponse></S:Body></S:Envelope>`
)

// verdict is the JSON of an answer. Its parts are taken from the REST answer
// as they are.
type verdict struct {
	Success   bool
	Reason    json.RawMessage // when there is no success
	PKCS7Info json.RawMessage // of verify
	PKCS7     json.RawMessage // of join
}

// refusal is a verdict about a call that could not be made.
func refusal(reason string) verdict {
	text, _ := json.Marshal(reason) // a string always marshals
	return verdict{Reason: text}
}

// text writes a verdict as JSON that can stand in XML as it is: what XML would
// have to escape, or cannot hold at all, is escaped in the way of JSON, as Gson
// did in the original. That changes no value, since outside of strings JSON has
// no such characters.
func (v verdict) text() []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, `{"success":%t`, v.Success)
	for _, part := range []struct {
		name  string
		value json.RawMessage
	}{{"reason", v.Reason}, {"pkcs7Info", v.PKCS7Info}, {"pkcs7B64", v.PKCS7}} {
		if len(part.value) == 0 || bytes.Equal(part.value, []byte("null")) {
			continue
		}
		fmt.Fprintf(&out, `,"%s":`, part.name)
		writeForXML(&out, part.value)
	}
	out.WriteByte('}')
	return out.Bytes()
}

// writeForXML copies JSON and escapes the characters that XML 1.0 (section 2.2
// and 2.4) does not take literally.
func writeForXML(out *bytes.Buffer, text []byte) {
	out.Grow(len(text))
	plain := 0 // start of what has not been copied yet
	for i := 0; i < len(text); {
		c, size := rune(text[i]), 1
		if c >= utf8.RuneSelf {
			c, size = utf8.DecodeRune(text[i:])
		}
		var escape string
		switch {
		case c == '<' || c == '>' || c == '&' || c == 0xfffe || c == 0xffff:
			escape = fmt.Sprintf(`\u%04x`, c)
		case c < ' ':
			escape = " " // only between the values of JSON
		case c == utf8.RuneError && size == 1:
			escape = `\ufffd`
		}
		if escape != "" {
			out.Write(text[plain:i])
			out.WriteString(escape)
			plain = i + size
		}
		i += size
	}
	out.Write(text[plain:])
}

// writeVerdict answers a call.
func writeVerdict(w http.ResponseWriter, operation string, v verdict) {
	var out bytes.Buffer
	fmt.Fprintf(&out, replyHead, operation)
	out.Write(v.text())
	fmt.Fprintf(&out, replyTail, operation)
	writeXML(w, http.StatusOK, out.Bytes())
}

// writeFault answers a request that is no call, or that cannot be answered
// (SOAP 1.1, sections 4.4 and 6.2).
func writeFault(w http.ResponseWriter, f *fault) {
	var out bytes.Buffer
	out.WriteString(`<?xml version="1.0" ?><S:Envelope xmlns:S="` + soapNamespace + `"><S:Body><S:Fault><faultcode>S:` + f.code + `</faultcode><faultstring>`)
	_ = xml.EscapeText(&out, []byte(f.text)) // a buffer takes everything
	out.WriteString(`</faultstring></S:Fault></S:Body></S:Envelope>`)
	writeXML(w, http.StatusInternalServerError, out.Bytes())
}

func writeXML(w http.ResponseWriter, status int, text []byte) {
	h := w.Header()
	h.Set("Content-Type", "text/xml; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(text) // a client that is gone needs no answer
}
