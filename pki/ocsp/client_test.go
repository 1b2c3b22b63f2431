package ocsp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// serve answers every request with the handler, until the test ends.
func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

func TestClientAsksAResponder(t *testing.T) {
	w := newWorld(t, "ozdst")
	address := serve(t, func(out http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/ocsp-request" {
			t.Errorf("%s %s: %v", r.Method, r.Header, err)
		}
		out.Header().Set("Content-Type", "application/ocsp-response")
		out.Write(w.responder().Respond(r.Context(), body))
	})
	for name, client := range map[string]*Client{"zero": {}, "own": {HTTP: http.DefaultClient}} {
		res, err := client.Ask(t.Context(), address+"/cams/ocsp", Request{CertIDs: []CertID{w.id()}, Nonce: testNonce})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if s, err := res.Check(w.options()); err != nil || s.Status != Good {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
}

func TestClientTellsTransportFromContent(t *testing.T) {
	w := newWorld(t, "ecdsa:P-256")
	good := w.forge().make(t, w.Now)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	reply := func(media string, status int, body []byte) http.HandlerFunc {
		return func(out http.ResponseWriter, _ *http.Request) {
			out.Header()["Content-Type"] = []string{media}
			out.WriteHeader(status)
			out.Write(body)
		}
	}
	const ours = "application/ocsp-response"
	target := serve(t, reply(ours, 200, good))
	for _, tt := range []struct {
		name    string
		address string
		want    error
	}{
		{"honest", target, nil},
		{"another type", serve(t, reply("application/octet-stream", 200, good)), nil},
		{"no type", serve(t, reply("", 200, good)), nil},
		{"a status without answer", serve(t, reply(ours, 200, errorResponse(TryLater))), nil},
		{"a login page", serve(t, reply("text/html; charset=utf-8", 200, []byte("<html>"))), ErrTransport},
		{"no answer of the protocol", serve(t, reply(ours, 200, []byte("down"))), ErrFormat},
		{"empty", serve(t, reply(ours, 200, nil)), ErrFormat},
		{"HTTP 500", serve(t, reply(ours, 500, good)), ErrTransport},
		{"too large", serve(t, reply(ours, 200, bytes.Repeat([]byte{0x30}, maxResponse+1))), ErrTransport},
		{"as large as allowed", serve(t, reply(ours, 200, bytes.Repeat([]byte{0x30}, maxResponse))), ErrFormat},
		{"cut short", serve(t, func(out http.ResponseWriter, _ *http.Request) {
			out.Header().Set("Content-Length", "100000")
			out.Write(good)
		}), ErrTransport},
		{"a redirect", serve(t, func(out http.ResponseWriter, r *http.Request) {
			http.Redirect(out, r, target, http.StatusTemporaryRedirect)
		}), ErrTransport},
		{"nobody there", gone.URL, ErrTransport},
		{"no address", "", ErrTransport},
		{"no host", "http:///ocsp", ErrTransport},
		{"another scheme", "file:///etc/passwd", ErrTransport},
		{"ldap", "ldap://directory.example/cn=x", ErrTransport},
		{"no URL", "http://%zz", ErrTransport},
		{"a port that is none", "http://127.0.0.1:99999/", ErrTransport},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, c := range []*Client{{}, {HTTP: &http.Client{}}} {
				res, err := c.Ask(t.Context(), tt.address, Request{CertIDs: []CertID{w.id()}})
				if !errors.Is(err, tt.want) || (res == nil) != (tt.want != nil) {
					t.Errorf("%v, error %v, want %v", res, err, tt.want)
				}
			}
		})
	}
}

func TestClientFollowsRedirectsOnlyWhenToldTo(t *testing.T) {
	w := newWorld(t, "ecdsa:P-256")
	target := serve(t, func(out http.ResponseWriter, _ *http.Request) {
		out.Header().Set("Content-Type", "application/ocsp-response")
		out.Write(w.forge().make(t, w.Now))
	})
	address := serve(t, func(out http.ResponseWriter, r *http.Request) {
		http.Redirect(out, r, target, http.StatusPermanentRedirect)
	})
	c := Client{HTTP: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return nil }}}
	if _, err := c.Ask(t.Context(), address, Request{CertIDs: []CertID{w.id()}}); err != nil {
		t.Error(err)
	}
}

// TestClientStopsInASlowBody has a responder that sends one octet and no more.
func TestClientStopsInASlowBody(t *testing.T) {
	w := newWorld(t, "ecdsa:P-256")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	address := serve(t, func(out http.ResponseWriter, r *http.Request) {
		out.Header().Set("Content-Type", "application/ocsp-response")
		out.Write([]byte{0x30})
		out.(http.Flusher).Flush()
		cancel()
		<-r.Context().Done()
	})
	if _, err := (&Client{}).Ask(ctx, address, Request{CertIDs: []CertID{w.id()}}); !errors.Is(err, ErrTransport) || !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestClientStopsWithItsContext(t *testing.T) {
	w := newWorld(t, "ecdsa:P-256")
	release := make(chan struct{})
	address := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	defer close(release)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := (&Client{}).Ask(ctx, address, Request{CertIDs: []CertID{w.id()}})
	if !errors.Is(err, ErrTransport) || !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}
