package cli

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestHealthTellsByItsExitCode(t *testing.T) {
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/healthz/live":
			io.WriteString(w, `{"status":"ok"}`+"\n")
		case "/healthz/ready":
			w.WriteHeader(http.StatusServiceUnavailable)
			io.WriteString(w, "{\"store\":\"redis is away\x1b[2J\"}")
		case "/moved":
			http.Redirect(w, r, "/healthz/live", http.StatusFound)
		case "/slow":
			<-release
		}
	}))
	defer srv.Close()
	defer close(release)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()

	for _, test := range []struct {
		name           string
		args           []string
		code           int
		stdout, stderr string
	}{
		{"well", []string{srv.URL + "/healthz/live"}, exitOK, "{\"status\":\"ok\"}\n", ""},
		{"quietly well", []string{"-q", srv.URL + "/healthz/live"}, exitOK, "", ""},
		{"not ready", []string{srv.URL + "/healthz/ready"}, exitFailure, "redis is away", "HTTP 503"},
		{"a redirect is no health", []string{srv.URL + "/moved"}, exitFailure, "", "HTTP 302"},
		{"nobody there", []string{gone.URL}, exitFailure, "", "refused"},
		{"no answer in time", []string{"--timeout", "50ms", srv.URL + "/slow"}, exitFailure, "", "deadline"},
		{"no address", []string{"localhost:8080"}, exitUsage, "", "no http address"},
		{"two addresses", []string{srv.URL, srv.URL}, exitUsage, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), append([]string{"health"}, test.args...), env{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, now: time.Now})
			if code != test.code || !strings.Contains(stdout.String(), test.stdout) || !strings.Contains(stderr.String(), test.stderr) {
				t.Errorf("exit %d, want %d\nstdout: %s\nstderr: %s", code, test.code, &stdout, &stderr)
			}
			if test.stdout == "" && test.name == "quietly well" && stdout.Len() > 0 {
				t.Errorf("quiet, and yet it says %q", &stdout)
			}
			if strings.Contains(stdout.String(), "\x1b") {
				t.Error("what the server says reaches the terminal as it is")
			}
		})
	}
}
