package post

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

var exchange = Exchange{RequestType: "application/question", ResponseType: "application/answer", MaxResponse: 10}

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func TestAskPostsAndReturnsTheBody(t *testing.T) {
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || r.URL.Path != "/path" || string(body) != "question" ||
			r.Header.Get("Content-Type") != "application/question" || r.Header.Get("Accept") != "application/answer" {
			t.Errorf("%s %s %v %q, %v", r.Method, r.URL, r.Header, body, err)
		}
		io.WriteString(w, "0123456789") // the most that is allowed
	}) + "/path"
	for _, client := range []*http.Client{nil, {}, http.DefaultClient} {
		// net/http sniffs text, which is refused; say what it is.
		if _, err := exchange.Ask(t.Context(), client, address, []byte("question")); err == nil || !strings.Contains(err.Error(), "text/plain") {
			t.Errorf("a page for people: %v", err)
		}
	}
	address = serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/answer")
		io.WriteString(w, "0123456789")
	})
	if body, err := exchange.Ask(t.Context(), nil, address, nil); err != nil || string(body) != "0123456789" {
		t.Errorf("%q, %v", body, err)
	}
}

func TestAskRefusesWhatIsNoAnswer(t *testing.T) {
	target := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.Header()["Content-Type"] = nil })
	for name, address := range map[string]string{
		"no URL":         "http://%zz",
		"no host":        "http:///x",
		"another scheme": "file:///etc/passwd",
		"no method line": "http://host name/",
		"HTTP 500":       serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }),
		"HTTP 201":       serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201) }),
		"a redirect": serve(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, target, http.StatusTemporaryRedirect)
		}),
		"too long": serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/answer")
			w.Write(bytes.Repeat([]byte{1}, 11))
		}),
		"cut short": serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/answer")
			w.Header().Set("Content-Length", "9")
			w.Write([]byte{1})
		}),
	} {
		if body, err := exchange.Ask(t.Context(), nil, address, nil); err == nil {
			t.Errorf("%s: %q", name, body)
		}
	}
	follows := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return nil }}
	redirect := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, target, http.StatusTemporaryRedirect)
	})
	if _, err := exchange.Ask(t.Context(), follows, redirect, nil); err != nil {
		t.Errorf("a redirect that is wanted: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := exchange.Ask(ctx, nil, target, nil); err == nil {
		t.Error("asked after the end")
	}
}

func TestClientGivesUpByItself(t *testing.T) {
	if c := Client(nil); c.Timeout != timeout || timeout > 8e9 {
		t.Errorf("time-out %s", c.Timeout)
	}
	given := &http.Client{Timeout: 1}
	if c := Client(given); c.Timeout != 1 || c.CheckRedirect == nil || given.CheckRedirect != nil {
		t.Error("the caller's client was changed, or not used")
	}
}
