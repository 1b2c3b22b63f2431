package demo

import (
	"net/http"
	"net/url"
	"regexp"
)

// documentIDs are those of E-IMZO-SERVER: what else the page sends becomes no
// part of an address.
var documentIDs = regexp.MustCompile(`^[0-9A-Fa-f]{8}$`)

// phoneLogin is what a site's back end does when /frontend/mobile/status says
// that the phone has signed: it asks who it was (guide 3.2.2), and opens a
// session.
func (s *Site) phoneLogin(w http.ResponseWriter, r *http.Request) {
	var in struct {
		DocumentID string `json:"documentId"`
	}
	if !readJSON(w, r, &in) {
		return
	}
	if !documentIDs.MatchString(in.DocumentID) {
		fail(w, http.StatusBadRequest, "bad documentId")
		return
	}
	// The server tells as often as it is asked: whoever sees an old DocumentID
	// must not become the person.
	if !s.useDocument(in.DocumentID) {
		fail(w, http.StatusForbidden, "this documentId has been used")
		return
	}
	answer, err := s.backend(r, "/backend/mobile/authenticate/"+in.DocumentID, plainText, "")
	if err != nil {
		fail(w, http.StatusBadGateway, err.Error())
		return
	}
	s.enter(w, answer)
}

// useDocument takes a DocumentID for a log-in; it is false when it was taken
// before.
func (s *Site) useDocument(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for k, until := range s.phones {
		if now.After(until) {
			delete(s.phones, k)
		}
	}
	if _, used := s.phones[id]; used || len(s.phones) >= maxSessions {
		return false
	}
	s.phones[id] = now.Add(sessionLife) // longer than any server keeps it
	return true
}

// phoneVerify hands the document that the page has, and its DocumentID, to
// /backend/mobile/verify (guide 3.2.3), for a person who is logged in.
func (s *Site) phoneVerify(w http.ResponseWriter, r *http.Request) {
	if _, ok := s.person(r); !ok {
		fail(w, http.StatusUnauthorized, "log in first")
		return
	}
	var in struct {
		DocumentID string `json:"documentId"`
		Data64     string `json:"data64"`
	}
	if !readJSON(w, r, &in) {
		return
	}
	form := url.Values{"documentId": {in.DocumentID}, "document": {in.Data64}}
	answer, err := s.backend(r, "/backend/mobile/verify", formData, form.Encode())
	if err != nil {
		fail(w, http.StatusBadGateway, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Write(answer)
}
