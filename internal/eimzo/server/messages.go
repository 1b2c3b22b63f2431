package server

import (
	"net/http"

	"imzo/internal/httpx"
	"imzo/internal/i18n"
	"imzo/verify"
)

// result is the end of a reply. failure is what stands behind an outcome, and
// report what was verified; both may be nil.
func (s *Server) result(r *http.Request, o outcome, failure *verify.Failure, report *verify.Report) result {
	return result{
		Status:    o.status,
		Message:   o.message.text(s.language(r)),
		Code:      o.code(),
		RequestID: httpx.RequestID(r.Context()),
	}
}

// language is that of a request's texts.
func (s *Server) language(r *http.Request) i18n.Language {
	return i18n.Match(r.Header.Get("Accept-Language"), s.config.Language)
}

// code is the machine-readable name of an outcome.
func (o outcome) code() string {
	if o.message == MessageNone {
		return "ok"
	}
	return string(o.message)
}

// text is the text of the guide's tables for a message.
func (m Message) text(l i18n.Language) string {
	if m == MessageNone {
		return ""
	}
	return i18n.Text(l, "status."+string(m))
}
