package server

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"imzo/internal/i18n"
	"imzo/pki/armor"
	"imzo/verify"
)

// reportView is the JSON of /backend/pkcs7/report: everything that is known of
// a document, without its content, and the status that verify would give it.
type reportView struct {
	Report *verify.Report `json:"report"`
	result
}

// report answers with the whole report on a document, for machines or as a
// page for people.
func (s *Server) report(w http.ResponseWriter, r *http.Request) {
	asPage, language, err := s.reportForm(r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	sub, err := s.reportSubmission(w, r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	source, cancel := s.budget(r.Context(), s.deps.Revocation)
	defer cancel()
	j, err := s.judge(r.Context(), source, sub)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	s.logVerdict(r, j.outcome, audited{document: sub.document, serials: signerSerials(j.report)}, j.failure)
	w.Header().Add("Vary", "Accept, Accept-Language")
	if !asPage {
		writeJSON(w, reportView{Report: j.report, result: s.result(r, j.outcome, j.failure, j.report)})
		return
	}
	s.writePage(w, r, language, sub, j)
}

// reportForm tells what is asked for. The query is stronger than the headers:
// HTTP libraries send headers that their users do not know of, Java's that it
// likes HTML best.
func (s *Server) reportForm(r *http.Request) (asPage bool, language i18n.Language, err error) {
	query := r.URL.Query()
	switch query.Get("format") {
	case "":
		asPage = prefersHTML(r.Header.Values("Accept"))
	case "html":
		asPage = true
	case "json":
	default:
		return false, "", badRequestf("format is json or html")
	}
	if language = i18n.Language(query.Get("lang")); language == "" {
		language = s.language(r)
	}
	if !slices.Contains(i18n.Languages(), language) {
		return false, "", badRequestf("lang is uz, ru or en")
	}
	return asPage, language, nil
}

// prefersHTML tells whether text/html has a greater weight in Accept than
// application/json (RFC 9110 12.5.1).
func prefersHTML(accept []string) bool {
	list := strings.Join(accept, ",")
	html := acceptWeight(list, "text/html")
	return html > 0 && html > acceptWeight(list, "application/json")
}

// acceptWeight is the weight of a media type, that of the most specific entry
// that it fits; 0 when it is not accepted.
func acceptWeight(list, mediaType string) float64 {
	general, _, _ := strings.Cut(mediaType, "/")
	ranges := []string{"*/*", general + "/*", mediaType}
	best, weight := -1, 0.0
	for entry := range strings.SplitSeq(list, ",") {
		kind, parameters, _ := strings.Cut(entry, ";")
		specific := slices.Index(ranges, strings.ToLower(strings.TrimSpace(kind)))
		if specific <= best {
			continue
		}
		best, weight = specific, 1
		for p := range strings.SplitSeq(parameters, ";") {
			name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
			if q, err := strconv.ParseFloat(value, 64); err == nil && strings.EqualFold(name, "q") {
				weight = q
			}
		}
	}
	return weight
}

// reportSubmission reads any of the forms in which the endpoints of verify
// take documents: one PKCS#7, "data64|pkcs7_64", or the parts of a form, of
// which the document may be left out.
func (s *Server) reportSubmission(w http.ResponseWriter, r *http.Request) (sub submission, err error) {
	parts, err := multipartReader(w, r, s.config.Limits.Multipart)
	if err != nil {
		return sub, err
	}
	if parts != nil {
		return s.submission(r, parts)
	}
	text, err := s.body(r)
	if err != nil {
		return sub, err
	}
	// In no text form of one document is a '|', and in DER it may be.
	document, whole := armor.Decode(text)
	if whole == nil {
		return submission{document: document}, nil
	}
	first, second, err := cutPair(text)
	if err != nil {
		return sub, badRequestf("the PKCS#7 document is not base64: %s", whole)
	}
	sub.content, sub.document, err = decodePair(first, second)
	return sub, err
}
