package up

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// running is an `imzo up` under test.
type running struct {
	server, trust, demo, agent, phone string
	text                              string
	output                            func() string // so far
	stop                              func()
}

// start runs it with nobody to ask, and waits for its announcement.
func start(t *testing.T, dir, listen string) *running {
	t.Helper()
	return startWith(t, Options{Dir: dir, Listen: listen, Headless: true})
}

func startWith(t *testing.T, o Options) *running {
	t.Helper()
	o.Logger, o.Version, o.Now = slog.New(slog.DiscardHandler), "test", time.Now
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		o.Stdout = in
		err := Run(ctx, o)
		in.CloseWithError(errors.Join(io.EOF, err))
		ended <- err
	}()
	var mu sync.Mutex
	var text bytes.Buffer
	chunk := make([]byte, 4096)
	read := func() error {
		n, err := out.Read(chunk)
		mu.Lock()
		defer mu.Unlock()
		text.Write(chunk[:n])
		return err
	}
	for !strings.Contains(text.String(), "Stop with Ctrl-C") {
		if err := read(); err != nil {
			cancel()
			t.Fatalf("ended early: %v\n%s", err, text.String())
		}
	}
	r := &running{text: text.String()}
	r.output = func() string {
		mu.Lock()
		defer mu.Unlock()
		return text.String()
	}
	go func() {
		for read() == nil {
		}
	}()
	stopped := false
	r.stop = func() {
		if stopped {
			return
		}
		stopped = true
		http.DefaultClient.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("ended with %v", err)
		}
	}
	t.Cleanup(r.stop)
	for name, to := range map[string]*string{"server": &r.server, "trust services": &r.trust, "demo site": &r.demo, "agent": &r.agent, "phone": &r.phone} {
		m := regexp.MustCompile(`(?m)^  ` + name + ` +((?:http|ws)://\S+)$`).FindStringSubmatch(r.text)
		if m == nil {
			t.Fatalf("no address of the %s in\n%s", name, r.text)
		}
		*to = m[1]
	}
	return r
}

func fetch(t *testing.T, method, url, contentType, body string) (int, []byte) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, b
}

func status(t *testing.T, body []byte) int {
	t.Helper()
	var v struct {
		Status int `json:"status"`
	}
	decode(t, body, &v)
	return v.Status
}

func decode(t *testing.T, body []byte, to any) {
	t.Helper()
	if err := json.Unmarshal(body, to); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
}

func TestUpLogsInOnceAndComesBackWithTheSameKeys(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir, "127.0.0.1:0")
	keys := newSigner(t, r).keys()
	if len(keys) != 2 {
		t.Fatalf("keys %v", keys)
	}
	login := func(r *running, key listed) {
		t.Helper()
		_, body := fetch(t, "GET", r.server+"/frontend/challenge", "", "")
		var c struct{ Challenge string }
		decode(t, body, &c)
		text := newSigner(t, r).sign(key, c.Challenge)
		if _, body := fetch(t, "POST", r.server+"/backend/auth", "application/x-www-form-urlencoded", text); status(t, body) != 1 {
			t.Errorf("log-in: %s", body)
		}
		if _, body := fetch(t, "POST", r.server+"/backend/auth", "text/plain", text); status(t, body) != -20 {
			t.Errorf("replay: %s", body)
		}
	}
	for _, k := range keys {
		login(r, k)
	}

	sample, err := os.ReadFile(filepath.Join(dir, sampleFile))
	if err != nil {
		t.Fatal(err)
	}
	if _, body := fetch(t, "POST", r.server+"/backend/pkcs7/verify/attached", "", string(sample)); status(t, body) != 1 {
		t.Errorf("sample: %s", body)
	}
	_, body := fetch(t, "POST", r.server+"/frontend/timestamp/pkcs7", "", string(sample))
	var stamped struct {
		PKCS7B64 string `json:"pkcs7b64"`
		Status   int
	}
	if err := json.Unmarshal(body, &stamped); err != nil || stamped.Status != 1 {
		t.Fatalf("timestamp: %v %s", err, body)
	}
	if _, body := fetch(t, "POST", r.server+"/backend/pkcs7/verify/attached", "", stamped.PKCS7B64); status(t, body) != 1 || !strings.Contains(string(body), `"timeStampInfo"`) {
		t.Errorf("stamped sample: %s", body)
	}

	if err := Run(context.Background(), Options{Dir: dir, Listen: "127.0.0.1:0", Stdout: io.Discard, Logger: slog.New(slog.DiscardHandler), Now: time.Now}); !errors.Is(err, ErrBusy) {
		t.Errorf("a second one in the same folder: %v", err)
	}
	before := fileContents(t, dir)
	r.stop()

	// The second start finds the port of its trust services taken: the
	// certificates name it all the same.
	taken, err := net.Listen("tcp", strings.TrimPrefix(r.trust, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	again := start(t, dir, "127.0.0.1:0")
	if again.trust == r.trust {
		t.Error("the taken port is announced")
	}
	// The phones' registry has the address of the site, which the test leaves
	// to chance.
	written := []string{"trust/ledger", "agent/audit.log", "mobile/sites.json"}
	for name, b := range fileContents(t, dir) {
		if !slices.Contains(written, name) && !bytes.Equal(before[name], b) {
			t.Errorf("%s changed", name)
		}
	}
	login(again, keys[0])
}

func fileContents(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		files[filepath.ToSlash(name)], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestUpFinishesAnInterruptedFirstRun(t *testing.T) {
	dir := t.TempDir()
	start(t, dir, "127.0.0.1:0").stop()
	for _, name := range []string{configFile, rootFile, sampleFile, keysDir + "/DS3012345670001.pfx"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	r := start(t, dir, "127.0.0.1:0")
	sample, err := os.ReadFile(filepath.Join(dir, sampleFile))
	if err != nil {
		t.Fatal(err)
	}
	if _, body := fetch(t, "POST", r.server+"/backend/pkcs7/verify/attached", "", string(sample)); status(t, body) != 1 {
		t.Errorf("sample: %s", body)
	}
}

func TestUpTakesTheAddressOfItsConfiguration(t *testing.T) {
	dir := t.TempDir()
	start(t, dir, "127.0.0.1:0").stop()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := ln.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, configFile)
	config, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	config = regexp.MustCompile(`listen\.port=\d+`).ReplaceAll(config, []byte("listen.port="+port))
	if err := os.WriteFile(path, config, 0o644); err != nil {
		t.Fatal(err)
	}
	if r := start(t, dir, ""); r.server != "http://"+address {
		t.Errorf("server at %s, want %s", r.server, address)
	}
}

func TestDemoSiteLogsInAndVerifies(t *testing.T) {
	r := start(t, t.TempDir(), "127.0.0.1:0")
	code, page := fetch(t, "GET", r.demo+"/", "", "")
	if code != 200 || !strings.Contains(string(page), "Imzo demo") {
		t.Fatalf("page: %d %s", code, page)
	}
	_, body := fetch(t, "GET", r.demo+"/frontend/challenge", "", "")
	var c struct{ Challenge string }
	if decode(t, body, &c); c.Challenge == "" {
		t.Fatalf("challenge through the site: %s", body)
	}
	signer := newSigner(t, r)
	signed := signer.sign(signer.keys()[0], c.Challenge)
	code, body = fetch(t, "POST", r.demo+"/app/login", "application/json", `{"pkcs7":"`+signed+`"}`)
	if code != 200 || !strings.Contains(string(body), "CN") {
		t.Fatalf("log-in: %d %s", code, body)
	}
	if code, body = fetch(t, "POST", r.demo+"/app/login", "application/json", `{"pkcs7":"`+signed+`"}`); code != http.StatusForbidden {
		t.Errorf("replay: %d %s", code, body)
	}
	if code, body = fetch(t, "POST", r.demo+"/app/verify", "application/json", `{"pkcs7":"`+signed+`"}`); code != http.StatusUnauthorized {
		t.Errorf("verify without a session: %d %s", code, body)
	}
}
