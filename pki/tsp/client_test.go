package tsp

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

func (w world) serve(t *testing.T, a *Authority) string {
	t.Helper()
	return serve(t, func(out http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/timestamp-query" {
			t.Errorf("%s %s: %v", r.Method, r.Header, err)
		}
		out.Header().Set("Content-Type", "application/timestamp-reply")
		out.Write(a.Respond(r.Context(), body))
	})
}

func TestClientStamps(t *testing.T) {
	for _, spec := range []string{"ozdst", "ozmst", "ecdsa:P-256"} {
		w := newWorld(t, spec)
		address := w.serve(t, w.authority())
		var nonces []string
		for _, c := range []*Client{{}, {HTTP: http.DefaultClient}, {Now: w.Clock()}} {
			token, err := c.Stamp(t.Context(), address+"/cams/tst", w.digest(), seal)
			if err != nil {
				t.Fatal(err)
			}
			if err := token.CheckImprint(seal); err != nil {
				t.Error(err)
			}
			nonces = append(nonces, token.Info.Nonce.String())
		}
		if nonces[0] == nonces[1] || nonces[1] == nonces[2] {
			t.Errorf("nonces %v", nonces)
		}
	}
}

func TestClientChecksTheTime(t *testing.T) {
	w := newWorld(t, "ecdsa:P-256")
	const m = time.Minute
	for _, tt := range []struct {
		name                string
		off, skew, accuracy time.Duration // of the authority's clock
		between             time.Duration // request and response
		want                error
	}{
		{"same clock", 0, 0, 0, 0, nil},
		{"within the skew", 5 * m, 0, 0, 0, nil},
		{"behind within the skew", -5 * m, 0, 0, 0, nil},
		{"ahead", 5*m + time.Second, 0, 0, 0, ErrTime},
		{"behind", -5*m - time.Second, 0, 0, 0, ErrTime},
		{"years behind", -10000 * time.Hour, 0, 0, 0, ErrTime},
		{"another skew", 2 * m, time.Second, 0, 0, ErrTime},
		{"a rough clock gets no more", 6 * m, 0, 2 * m, 0, ErrTime},
		{"a slow answer", 7 * m, 0, 0, 3 * m, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := w.authority()
			a.Now = func() time.Time { return w.Now.Add(tt.off) }
			a.Accuracy = tt.accuracy
			calls := 0
			c := Client{ClockSkew: tt.skew, Now: func() time.Time {
				calls++
				return w.Now.Add(time.Duration(calls-1) * tt.between)
			}}
			token, err := c.Stamp(t.Context(), w.serve(t, a), w.digest(), seal)
			if !errors.Is(err, tt.want) || (token == nil) != (tt.want != nil) {
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
}

func TestClientRefusesBadAnswers(t *testing.T) {
	w := newWorld(t, "ecdsa:P-256")
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	honest := w.serve(t, w.authority())
	reply := func(media string, status int, body []byte) string {
		return serve(t, func(out http.ResponseWriter, _ *http.Request) {
			out.Header()["Content-Type"] = []string{media}
			out.WriteHeader(status)
			out.Write(body)
		})
	}
	const ours = "application/timestamp-reply"
	var rejected *RejectedError
	for _, tt := range []struct {
		name    string
		address string
		want    error
	}{
		{"a login page", reply("text/html", 200, []byte("<html>")), ErrTransport},
		{"no answer of the protocol", reply(ours, 200, []byte("down")), ErrFormat},
		{"HTTP 503", reply(ours, 503, nil), ErrTransport},
		{"too large", reply(ours, 200, bytes.Repeat([]byte{0x30}, maxResponse+1)), ErrTransport},
		{"as large as allowed", reply(ours, 200, bytes.Repeat([]byte{0x30}, maxResponse)), ErrFormat},
		{"a token of yesterday", reply(ours, 200, granted(w.token(t))), ErrNonce},
		{"cut short", serve(t, func(out http.ResponseWriter, _ *http.Request) {
			out.Header().Set("Content-Type", ours)
			out.Header().Set("Content-Length", "1000")
			out.Write([]byte{0x30})
		}), ErrTransport},
		{"a redirect", serve(t, func(out http.ResponseWriter, r *http.Request) {
			http.Redirect(out, r, honest, http.StatusTemporaryRedirect)
		}), ErrTransport},
		{"nobody there", gone.URL, ErrTransport},
		{"no address", "", ErrTransport},
		{"another scheme", "ftp://tsa.example/", ErrTransport},
		{"no URL", "http://%zz", ErrTransport},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, c := range []*Client{{}, {HTTP: &http.Client{}}} {
				if token, err := c.Stamp(t.Context(), tt.address, w.digest(), seal); !errors.Is(err, tt.want) || token != nil {
					t.Errorf("%v, %v, want %v", token, err, tt.want)
				}
			}
		})
	}
	if _, err := (&Client{}).Stamp(t.Context(), reply(ours, 200, reject(TimeNotAvailable, "no GPS")), w.digest(), seal); !errors.As(err, &rejected) || rejected.Failure != TimeNotAvailable || rejected.Text != "no GPS" {
		t.Errorf("refused: %v", err)
	}
}

// TestClientStopsInASlowBody has an authority that sends one octet and no more.
func TestClientStopsInASlowBody(t *testing.T) {
	w := newWorld(t, "ecdsa:P-256")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	address := serve(t, func(out http.ResponseWriter, r *http.Request) {
		out.Header().Set("Content-Type", "application/timestamp-reply")
		out.Write([]byte{0x30})
		out.(http.Flusher).Flush()
		cancel()
		<-r.Context().Done()
	})
	if _, err := (&Client{}).Stamp(ctx, address, w.digest(), seal); !errors.Is(err, ErrTransport) || !errors.Is(err, context.Canceled) {
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
	if _, err := (&Client{}).Stamp(ctx, address, w.digest(), seal); !errors.Is(err, ErrTransport) || !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}
