package memnet

import (
	"context"
	"errors"
	"io"
	"net/http"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestHostsAnswerUntilTheyAreReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(t)
		if _, err := n.Client().Get("http://a.example/"); !errors.Is(err, syscall.ECONNREFUSED) || n.Calls("a.example") != 0 {
			t.Errorf("a host that is not there: %v", err)
		}
		for _, text := range []string{"one", "two"} {
			n.Serve("a.example", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) }))
			res, err := n.Client().Get("http://a.example/")
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil || string(body) != text || n.Calls("a.example") != 1 {
				t.Errorf("%q, %v, %d calls", body, err, n.Calls("a.example"))
			}
		}
	})
}

// TestFaultsAreNoAnswers tells those that end by themselves from those that
// only a time-out ends.
func TestFaultsAreNoAnswers(t *testing.T) {
	for _, f := range Faults() {
		t.Run(f.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := New(t)
				f.Install(n, "bad.example", "application/x")
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://bad.example/", nil)
				if err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				res, err := n.Client().Do(req)
				if err == nil {
					var got int64
					got, err = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<20))
					res.Body.Close()
					if err == nil && res.StatusCode == http.StatusOK && res.Header.Get("Content-Type") == "application/x" && 0 < got && got < 10_000 {
						t.Errorf("%d octets", got)
					}
				}
				if took := time.Since(start); took > time.Minute {
					t.Errorf("took %s", took)
				}
			})
		})
	}
}
