//go:build unix

package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"imzo/internal/trust"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/keystore"
)

// world is what stands around the servers: trust services and people with
// keys.
type world struct {
	t         *testing.T
	dir       string
	authority *trust.Authority
	root      string // path of the root certificate as PEM
	people    []keystore.Entry
	client    *http.Client
	services  *httptest.Server
}

func newWorld(t *testing.T, people int) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir()}
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	// The longest answer of a server takes 8 s.
	w.client = &http.Client{Transport: transport, Timeout: 20 * time.Second}

	w.services = httptest.NewUnstartedServer(nil)
	authority, err := trust.Init(filepath.Join(w.dir, "trust"), trust.InitOptions{BaseURL: "http://" + w.services.Listener.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	w.authority = authority
	w.services.Config.Handler = authority.Handler()
	w.services.Start()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		w.stopServices()
	})
	w.root = filepath.Join(w.dir, "root.pem")
	if err := os.WriteFile(w.root, cert.EncodePEM(authority.Root()), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range people {
		e, err := authority.Issue(trust.Request{Profile: trust.ProfileUser, Subject: trust.Subject{
			CommonName: fmt.Sprintf("USER %d", i), PINFL: fmt.Sprintf("3%013d", i),
		}}, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		w.people = append(w.people, e)
	}
	return w
}

// stopServices takes the trust services away.
func (w *world) stopServices() { w.services.Close() }

// folder makes a folder for a server's files.
func (w *world) folder(name string) string {
	w.t.Helper()
	dir := filepath.Join(w.dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		w.t.Fatal(err)
	}
	return dir
}

// sign returns the signature of a person over the content, as base64.
func (w *world) sign(person keystore.Entry, content string) (string, error) {
	document, err := cms.Sign([]byte(content), []cms.Signer{{Key: person.Key, Chain: person.Chain, SigningTime: time.Now()}}, cms.Options{})
	return base64.StdEncoding.EncodeToString(document), err
}

// answer is what a server said.
type answer struct {
	code   int // of HTTP
	header http.Header
	body   string
	took   time.Duration

	Status    int    `json:"status"`
	Message   string `json:"message"`
	Challenge string `json:"challenge"`
}

// ask sends a request and reads the answer, as JSON where it is that. An
// empty body is a GET.
func (w *world) ask(url, body string, headers ...string) (answer, error) {
	var a answer
	method, reader := http.MethodGet, io.Reader(nil)
	if body != "" {
		method, reader = http.MethodPost, strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, url, reader)
	if err != nil {
		return a, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		} else {
			req.Header.Set(headers[i], headers[i+1])
		}
	}
	began := time.Now()
	res, err := w.client.Do(req)
	if err != nil {
		return a, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	a.took = time.Since(began)
	a.code, a.header, a.body = res.StatusCode, res.Header, string(text)
	if err != nil {
		return a, err
	}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
		err = json.Unmarshal(text, &a)
	}
	return a, err
}

// must is ask on the test's goroutine.
func (w *world) must(t *testing.T, url, body string, headers ...string) answer {
	t.Helper()
	a, err := w.ask(url, body, headers...)
	if err != nil {
		t.Fatalf("%s: %v (HTTP %d, %.500s)", url, err, a.code, a.body)
	}
	return a
}

// logIn fetches a challenge from one address, and answers it at another one.
func (w *world) logIn(person keystore.Entry, challengeURL, authURL string) (answer, error) {
	c, err := w.ask(challengeURL+"/frontend/challenge", "")
	if err != nil || c.Status != 1 {
		return c, err
	}
	document, err := w.sign(person, c.Challenge)
	if err != nil {
		return answer{}, err
	}
	return w.ask(authURL+"/backend/auth", document, "Host", "example.uz", "X-Real-IP", "192.0.2.1")
}
