package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"imzo/internal/httpx"
	"imzo/pki/armor"
)

// badRequest is a request that cannot be understood: HTTP 400 with this text.
type badRequest struct{ text string }

func (e *badRequest) Error() string { return e.text }

func badRequestf(format string, args ...any) error {
	return &badRequest{fmt.Sprintf(format, args...)}
}

// unavailable is trouble that is not the client's: HTTP 503 with this text.
// The cause is for the log.
type unavailable struct {
	text  string
	cause error
}

func (e *unavailable) Error() string { return e.text + ": " + e.cause.Error() }
func (e *unavailable) Unwrap() error { return e.cause }

// refuse answers a request that has no business answer.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var body *httpx.BodyError
	var bad *badRequest
	var trouble *unavailable
	switch {
	case errors.As(err, &body):
		if body.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(body.RetryAfter))
		}
		httpx.Text(w, body.Status, body.Text)
	case errors.As(err, &bad):
		httpx.Text(w, http.StatusBadRequest, bad.text)
	case errors.As(err, &trouble):
		httpx.Text(w, http.StatusServiceUnavailable, trouble.text)
	case errors.Is(err, context.Canceled) && r.Context().Err() != nil:
		// The client hung up; nobody reads this.
		httpx.Text(w, http.StatusServiceUnavailable, "the request was given up")
	default:
		httpx.Text(w, http.StatusServiceUnavailable, "internal error, see the log of the server")
	}
	httpx.Annotate(r.Context(), slog.String("error", err.Error()))
}

// body reads the whole body, whatever type it claims to have.
func (s *Server) body(r *http.Request) ([]byte, error) {
	text, err := httpx.ReadBody(r, s.config.Limits.Body)
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, errEmptyBody()
	}
	return text, nil
}

func errEmptyBody() error { return badRequestf("the body is empty: send base64") }

// document reads a body that is one PKCS#7 document.
func (s *Server) document(r *http.Request) ([]byte, error) {
	text, err := s.body(r)
	if err != nil {
		return nil, err
	}
	return decodeDocument(text, "PKCS#7 document")
}

// decodeDocument decodes the text forms of a document, in the memory of the
// text, which is lost.
func decodeDocument(text []byte, what string) ([]byte, error) {
	der, err := armor.DecodeInPlace(text)
	if err != nil {
		return nil, badRequestf("the %s is not base64: %s", what, err)
	}
	return der, nil
}

// pair reads a body of two parts with '|' between them, which may be
// percent-encoded as the rest may be. The parts are not decoded yet.
func (s *Server) pair(r *http.Request) (first, second []byte, err error) {
	text, err := s.body(r)
	if err != nil {
		return nil, nil, err
	}
	return cutPair(text)
}

// cutPair cuts a body at its '|'.
func cutPair(text []byte) (first, second []byte, err error) {
	first, second, ok := bytes.Cut(text, []byte("|"))
	if !ok {
		// '%' is in no base64: here it can only begin an escape.
		if first, second, ok = bytes.Cut(text, []byte("%7C")); !ok {
			first, second, ok = bytes.Cut(text, []byte("%7c"))
		}
	}
	if !ok {
		return nil, nil, badRequestf("the body has no '|' between its two parts")
	}
	if len(bytes.TrimSpace(second)) == 0 {
		return nil, nil, badRequestf("the part after '|' is empty")
	}
	return first, second, nil
}

// contentAndDocument reads the body "data64|pkcs7_64". An empty document can
// be signed, so the first part may be empty.
func (s *Server) contentAndDocument(r *http.Request) (content, document []byte, err error) {
	first, second, err := s.pair(r)
	if err != nil {
		return nil, nil, err
	}
	return decodePair(first, second)
}

// decodePair decodes both in their own memory, which is lost.
func decodePair(first, second []byte) (content, document []byte, err error) {
	if content, err = armor.DecodeBase64InPlace(first); err != nil {
		return nil, nil, badRequestf("the source document before '|' is not base64: %s", err)
	}
	if document, err = decodeDocument(second, "PKCS#7 document after '|'"); err != nil {
		return nil, nil, err
	}
	return content, document, nil
}

// maxHeaderText bounds what of a header comes into the log.
const maxHeaderText = 255

// origin is the domain where the user signed, for the log. HTTP libraries that
// do not let a program set Host made clients send it in other headers too.
// Nothing is refused for what stands there: clients send URLs, ports and
// nonsense.
func origin(r *http.Request) string {
	for _, host := range []string{r.Header.Get("X-Real-Host"), r.Header.Get("X-Forwarded-Host"), r.Host} {
		if host = strings.TrimSpace(host); host == "" {
			continue
		}
		if u, err := url.Parse(host); err == nil && u.Host != "" {
			host = u.Host
		}
		return strings.ToValidUTF8(host[:min(len(host), maxHeaderText)], "")
	}
	return ""
}

// userIP is the user's address: what the site's back end or the proxy says,
// else the other end of the connection.
func userIP(r *http.Request) string {
	forwarded, _, _ := strings.Cut(r.Header.Get("X-Forwarded-For"), ",")
	for _, text := range []string{r.Header.Get("X-Real-IP"), forwarded, r.RemoteAddr} {
		text = strings.TrimSpace(text)
		if a, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
			return a.Unmap().WithZone("").String()
		}
		if host, _, err := net.SplitHostPort(text); err == nil {
			if a, err := netip.ParseAddr(host); err == nil {
				return a.Unmap().WithZone("").String()
			}
		}
	}
	return ""
}
