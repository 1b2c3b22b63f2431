package trustlink

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"imzo/internal/revocation"
	"imzo/internal/testpki"
	"imzo/internal/testpki/faultproxy"
	"imzo/internal/testpki/peer"
	"imzo/internal/timestamping"
	"imzo/internal/trust"
	"imzo/pki/cert"
	"imzo/pki/keystore"
	"imzo/pki/ocsp"
)

// Making hierarchies and opening keys takes long, so that tests share what they
// do not change.
var (
	sharedDir string
	shared    struct {
		once       sync.Once
		own, other *trust.Authority
		key        trust.LinkKey
		clock      atomic.Int64 // offset of the hierarchies' clock
		err        error
	}
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "trustlink-*")
	if err != nil {
		panic(err)
	}
	sharedDir = dir
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if err := os.RemoveAll(dir); err != nil && code == 0 {
			code = 1
		}
		os.Exit(code)
	}))
}

const keyPassword = "correct horse battery"

func hierarchies() error {
	shared.once.Do(func() {
		for dir, a := range map[string]**trust.Authority{"own": &shared.own, "other": &shared.other} {
			*a, shared.err = trust.Init(filepath.Join(sharedDir, dir), trust.InitOptions{
				BaseURL: "http://127.0.0.1:1", KeySpec: "ecdsa:P-256",
				Options: trust.Options{Now: func() time.Time { return time.Now().Add(time.Duration(shared.clock.Load())) }},
			})
			if shared.err != nil {
				return
			}
		}
		shared.key, shared.err = shared.own.IssueLinkKey(trust.LinkKeyRequest{
			Domain: "example.uz", Out: filepath.Join(sharedDir, "example.key"), Password: keyPassword,
		}, time.UTC)
	})
	return shared.err
}

// world is a hierarchy, the folder of a server's keys, and maybe the link's
// other end.
type world struct {
	authority *trust.Authority
	usual     trust.LinkKey // not to be changed or revoked
	dir       string

	server *http.Server
	ended  chan error
	// before, when set, sees requests first; true means that it answered.
	before func(http.ResponseWriter, *http.Request) bool
}

func newWorld(t *testing.T) *world {
	t.Helper()
	if err := hierarchies(); err != nil {
		t.Fatal(err)
	}
	w := &world{authority: shared.own, usual: shared.key, dir: t.TempDir()}
	t.Cleanup(func() { w.stop(t) })
	return w
}

// key makes a client key of its own.
func (w *world) key(t *testing.T, a *trust.Authority, r trust.LinkKeyRequest) trust.LinkKey {
	t.Helper()
	if r.Domain == "" {
		r.Domain = "example.uz"
	}
	if r.Out == "" {
		r.Out = filepath.Join(w.dir, "new.key")
	}
	r.Password = keyPassword
	key, err := a.IssueLinkKey(r, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// start serves the link at an address; "" is a new one, which is returned.
func (w *world) start(t *testing.T, address string) string {
	t.Helper()
	config, err := w.authority.LinkConfig("")
	if err != nil {
		t.Fatal(err)
	}
	if address == "" {
		address = "127.0.0.1:0"
	}
	ln, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	link := w.authority.LinkHandler()
	w.server = &http.Server{
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if w.before == nil || !w.before(rw, r) {
				link.ServeHTTP(rw, r)
			}
		}),
	}
	server, ended := w.server, make(chan error, 1)
	w.ended = ended
	go func() { ended <- server.Serve(tls.NewListener(trust.LinkListener(ln), config)) }()
	return ln.Addr().String()
}

// stop ends the other end, cutting off what it is at.
func (w *world) stop(t *testing.T) {
	t.Helper()
	if w.server == nil {
		return
	}
	if err := w.server.Close(); err != nil {
		t.Error(err)
	}
	<-w.ended
	w.server = nil
}

// options are those of a link to an address with the usual key.
func (w *world) options(t *testing.T, address string, key trust.LinkKey) Options {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		Host: host, TLS: true, KeyFile: key.File, KeyPassword: keyPassword,
		TruststoreFile: key.Truststore, TruststorePassword: trust.DefaultTruststorePassword,
		KeepAlive: 200 * time.Millisecond, KeepAliveTimeout: 400 * time.Millisecond,
	}
	if _, err := fmt.Sscan(port, &o.Port); err != nil {
		t.Fatal(err)
	}
	return o
}

func open(t *testing.T, o Options) *Link {
	t.Helper()
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.HTTPClient().CloseIdleConnections)
	return l
}

// run keeps a link alive until the test ends.
func run(t *testing.T, l *Link) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-ended })
}

// until waits for a condition, at most five seconds: what the link has to
// recover in.
func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("not within 5 s: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (l *Link) connected() bool { return l.State().Connected }
func (l *Link) broken() bool    { return !l.State().Connected && l.State().LastError != "" }

func TestEverythingGoesThroughTheLink(t *testing.T) {
	w := newWorld(t)
	var hosts sync.Map
	w.before = func(_ http.ResponseWriter, r *http.Request) bool { hosts.Store(r.Host, true); return false }
	key := w.usual
	l := open(t, w.options(t, w.start(t, ""), key))
	reply, err := l.Ping(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if reply.YourIP != "127.0.0.1" || !reply.Key.Equal(l.Certificate()) || !l.Certificate().Equal(key.Entry.Chain[0]) || time.Since(reply.ServerTime).Abs() > time.Minute {
		t.Errorf("reply %+v", reply)
	}
	if s := l.State(); !s.Connected || s.Since.IsZero() || s.LastError != "" {
		t.Errorf("state %+v", s)
	}
	client := l.HTTPClient()
	// The host of certificates, over either scheme and with any port.
	for _, url := range []string{"http://e-imzo.uz/cams/ca.cer", "https://e-imzo.uz:8443/cams/ca.cer", "http://nowhere.invalid/cams/ca.cer"} {
		response, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(response.Body)
		if err = errors.Join(err, response.Body.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := cert.Parse(data); err != nil || response.Request.URL.String() != url {
			t.Errorf("%s: status %d, %v", url, response.StatusCode, err)
		}
	}
	for _, host := range []string{"e-imzo.uz", "e-imzo.uz:8443", "nowhere.invalid"} {
		if _, ok := hosts.Load(host); !ok {
			t.Errorf("no request for the host %s came through", host)
		}
	}
	user, err := w.authority.Issue(trust.Request{Profile: trust.ProfileUser, Subject: trust.Subject{CommonName: "A"}}, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.authority.Revoke(user.Chain[0].SerialHex(), "keyCompromise"); err != nil {
		t.Fatal(err)
	}
	checker := revocation.New(revocation.Options{URLs: []string{"http://e-imzo.uz/cams/ocsp"}, HTTP: client})
	if status, err := checker.Status(t.Context(), user.Chain[0], user.Chain[1]); err != nil || status.Status != ocsp.Revoked {
		t.Errorf("status %v, %v", status, err)
	}
	authority := timestamping.New(timestamping.Options{URLs: []string{"http://e-imzo.uz/cams/tst"}, HTTP: client, Now: time.Now})
	if _, err := authority.Stamp(t.Context(), user.Chain[0], user.Key.Digest(), []byte("message")); err != nil {
		t.Error(err)
	}
	// A redirect does not lead away from it.
	w.before = func(rw http.ResponseWriter, r *http.Request) bool {
		http.Redirect(rw, r, "http://192.0.2.1/", http.StatusFound)
		return true
	}
	response, err := client.Get("http://e-imzo.uz/")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusFound {
		t.Errorf("status %d", response.StatusCode)
	}
}

func TestServerStartsBeforeTheOtherEnd(t *testing.T) {
	w := newWorld(t)
	key := w.usual
	address := w.start(t, "")
	w.stop(t)
	var log safeBuffer
	o := w.options(t, address, key)
	o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	l := open(t, o)
	if s := l.State(); s != (State{}) {
		t.Errorf("state %+v before anything is known", s)
	}
	if _, err := l.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("ping to nobody: %v", err)
	}
	run(t, l)
	until(t, "the link is down", l.broken)
	w.start(t, address)
	until(t, "the link is up", l.connected)
	if text := log.String(); strings.Count(text, "is down") != 1 || strings.Count(text, "is up") != 1 || strings.Contains(text, keyPassword) {
		t.Errorf("log:\n%s", text)
	}
}

// The other end restarts while requests are under way: those fail or are
// repeated, later ones get their answers without anybody's help.
func TestLinkRecoversFromARestartInMidStream(t *testing.T) {
	w := newWorld(t)
	key := w.usual
	address := w.start(t, "")
	l := open(t, w.options(t, address, key))
	run(t, l)
	until(t, "the link is up", l.connected)
	ctx, cancel := context.WithCancel(t.Context())
	var asked, answered atomic.Int64
	var work sync.WaitGroup
	for range 4 {
		work.Go(func() {
			client := l.HTTPClient()
			for ctx.Err() == nil {
				asked.Add(1)
				if get(client) == nil {
					answered.Add(1)
				} else {
					time.Sleep(5 * time.Millisecond)
				}
			}
		})
	}
	for range 3 {
		until(t, "requests are answered", func() bool { n := answered.Load(); time.Sleep(20 * time.Millisecond); return answered.Load() > n+3 })
		w.stop(t)
		until(t, "the link is down", l.broken)
		w.start(t, address)
		until(t, "the link is up again", l.connected)
	}
	n := answered.Load()
	until(t, "requests are answered again", func() bool { return answered.Load() > n+10 })
	cancel()
	work.Wait()
}

func get(c *http.Client) error {
	response, err := c.Get("http://e-imzo.uz/cams/ca.cer")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return nil
}

// A question on a connection that the other end has closed meanwhile is asked
// again on a new one.
func TestQuestionsSurviveConnectionsThatWereClosed(t *testing.T) {
	w := newWorld(t)
	key := w.usual
	address := w.start(t, "")
	proxy := faultproxy.New(t, address)
	l := open(t, w.options(t, proxy.Addr(), key))
	client := l.HTTPClient()
	user, err := w.authority.Issue(trust.Request{Profile: trust.ProfileUser, Subject: trust.Subject{CommonName: "A"}}, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	checker := revocation.New(revocation.Options{URLs: []string{"http://e-imzo.uz/cams/ocsp"}, HTTP: client})
	for range 20 {
		if status, err := checker.Status(t.Context(), user.Chain[0], user.Chain[1]); err != nil || status.Status != ocsp.Good {
			t.Fatalf("status %v, %v", status, err)
		}
		// Whether the client notices before it asks again is chance.
		proxy.Cut()
	}
}

func TestHalfOpenPeerIsNoticed(t *testing.T) {
	w := newWorld(t)
	key := w.usual
	proxy := faultproxy.New(t, w.start(t, ""))
	o := w.options(t, proxy.Addr(), key)
	l := open(t, o)
	run(t, l)
	until(t, "the link is up", l.connected)
	proxy.Swallow()
	started := time.Now()
	// Nobody waits for longer than the keep-alive takes to notice, however
	// much patience he has.
	if err := get(l.HTTPClient()); err == nil {
		t.Error("an answer from nowhere")
	}
	until(t, "the link is down", l.broken)
	if took := time.Since(started); took > o.KeepAlive+2*o.KeepAliveTimeout+connectTimeout {
		t.Errorf("noticed after %s", took)
	}
	if s := l.State(); !strings.Contains(s.LastError, "no answer") && !strings.Contains(s.LastError, "time") && !strings.Contains(s.LastError, "closed") {
		t.Errorf("state %+v", s)
	}
	proxy.Pass()
	until(t, "the link is up again", l.connected)
	until(t, "requests are answered", func() bool { return get(l.HTTPClient()) == nil })
}

func TestBothEndsRefuseStrangers(t *testing.T) {
	w := newWorld(t)
	own, foreign := w.usual, w.key(t, shared.other, trust.LinkKeyRequest{Out: filepath.Join(w.dir, "foreign", "new.key")})
	short := w.key(t, w.authority, trust.LinkKeyRequest{Out: filepath.Join(w.dir, "short.key"), Days: 1})
	revoked := w.key(t, w.authority, trust.LinkKeyRequest{Out: filepath.Join(w.dir, "revoked.key")})
	if _, err := w.authority.Revoke(revoked.Entry.Chain[0].SerialHex(), "keyCompromise"); err != nil {
		t.Fatal(err)
	}
	address := w.start(t, "")
	t.Cleanup(func() { shared.clock.Store(0) })
	for name, tt := range map[string]struct {
		change func(*Options)
		want   string
		is     error
	}{
		"the other end has another CA":   {func(o *Options) { o.TruststoreFile = foreign.Truststore }, "unknown authority", ErrPeer},
		"the other end has another name": {func(o *Options) { o.Host = "localhost" }, "wanted to match localhost", ErrPeer},
		"our key is of another CA":       {func(o *Options) { o.KeyFile = foreign.File }, "unknown certificate authority", nil},
		"our key is revoked":             {func(o *Options) { o.KeyFile = revoked.File }, "bad certificate", nil},
		"our key is out of date": {func(o *Options) {
			o.KeyFile = short.File
			shared.clock.Store(int64(36 * time.Hour))
		}, "expired certificate", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Cleanup(func() { shared.clock.Store(0) })
			o := w.options(t, address, own)
			tt.change(&o)
			l := open(t, o)
			_, err := l.Ping(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.want) || tt.is != nil && !errors.Is(err, tt.is) {
				t.Fatalf("%v, want %s", err, tt.want)
			}
			run(t, l)
			until(t, "the link is down", l.broken)
			if s := l.State(); !strings.Contains(s.LastError, tt.want) {
				t.Errorf("state %+v", s)
			}
			if err := get(l.HTTPClient()); err == nil {
				t.Error("a request is answered")
			}
		})
	}
}

func TestRevocationEndsAnOpenConnection(t *testing.T) {
	w := newWorld(t)
	key := w.key(t, w.authority, trust.LinkKeyRequest{})
	l := open(t, w.options(t, w.start(t, ""), key))
	if err := get(l.HTTPClient()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.authority.Revoke(key.Entry.Chain[0].SerialHex(), "keyCompromise"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Ping(t.Context()); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "is revoked") {
		t.Errorf("ping: %v", err)
	}
	if err := get(l.HTTPClient()); err == nil {
		t.Error("a request is answered")
	}
	if !l.broken() {
		t.Errorf("state %+v", l.State())
	}
}

func TestRefusedRequestMarksTheLinkDown(t *testing.T) {
	w := newWorld(t)
	key := w.usual
	l := open(t, w.options(t, w.start(t, ""), key))
	w.before = func(rw http.ResponseWriter, _ *http.Request) bool {
		http.Error(rw, "no", http.StatusForbidden)
		return true
	}
	if err := get(l.HTTPClient()); err == nil || err.Error() != "403 Forbidden" {
		t.Errorf("%v", err)
	}
	if !l.broken() {
		t.Errorf("state %+v", l.State())
	}
}

func TestReloadChangesTheKeyWithoutALostRequest(t *testing.T) {
	w := newWorld(t)
	first := w.key(t, w.authority, trust.LinkKeyRequest{})
	second := w.key(t, w.authority, trust.LinkKeyRequest{Domain: "new.uz", Out: filepath.Join(w.dir, "second.key"), KeySpec: "ed25519"})
	address := w.start(t, "")
	entered, leave := make(chan struct{}), make(chan struct{})
	w.before = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/cams/root.cer" {
			close(entered)
			<-leave
		}
		return false
	}
	o := w.options(t, address, first)
	o.KeepAliveTimeout = time.Minute // the slow request is slower than reading keys takes
	l := open(t, o)
	slow := make(chan error, 1)
	go func() {
		response, err := l.HTTPClient().Get("http://e-imzo.uz/cams/root.cer")
		if err == nil {
			_, err = io.Copy(io.Discard, response.Body)
			err = errors.Join(err, response.Body.Close())
		}
		slow <- err
	}()
	<-entered

	good, err := os.ReadFile(first.File)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(first.File, good[:len(good)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := l.Reload(); err == nil || !strings.Contains(err.Error(), first.File) {
		t.Errorf("half a key file: %v", err)
	}
	if reply, err := l.Ping(t.Context()); err != nil || !reply.Key.Equal(first.Entry.Chain[0]) {
		t.Errorf("after a reload that went wrong: %v", err)
	}
	next, err := os.ReadFile(second.File)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(first.File, next, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := l.Reload(); err != nil {
		t.Fatal(err)
	}
	if !l.Certificate().Equal(second.Entry.Chain[0]) {
		t.Errorf("certificate %s", l.Certificate())
	}
	if reply, err := l.Ping(t.Context()); err != nil || !reply.Key.Equal(second.Entry.Chain[0]) {
		t.Errorf("the other end sees %v, %v", reply.Key, err)
	}
	close(leave)
	if err := <-slow; err != nil {
		t.Errorf("the request under way: %v", err)
	}
	// Nothing is left that goes on with the old key.
	until(t, "the old connections are closed", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.conns) == 1
	})
}

func TestKeysOfEveryKindAndFileOpenTheLink(t *testing.T) {
	w := newWorld(t)
	address := w.start(t, "")
	for _, spec := range []string{"ecdsa:P-256", "rsa:2048", "ed25519"} {
		for _, ext := range []string{".p12", ".pem"} {
			key := w.key(t, w.authority, trust.LinkKeyRequest{KeySpec: spec, Out: filepath.Join(w.dir, strings.ReplaceAll(spec, ":", "-")+ext)})
			if _, err := open(t, w.options(t, address, key)).Ping(t.Context()); err != nil {
				t.Errorf("%s %s: %v", spec, ext, err)
			}
		}
	}
	t.Run("JKS", func(t *testing.T) {
		keytool := peer.Keytool(t)
		key := w.key(t, w.authority, trust.LinkKeyRequest{Out: filepath.Join(w.dir, "java.p12")})
		store := filepath.Join(w.dir, "key.jks")
		out, err := exec.Command(keytool, "-importkeystore", "-noprompt", "-srckeystore", key.File, "-srcstoretype", "PKCS12", "-srcstorepass", keyPassword,
			"-destkeystore", store, "-deststoretype", "JKS", "-deststorepass", keyPassword).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		key.File = store
		reply, err := open(t, w.options(t, address, key)).Ping(t.Context())
		if err != nil || !reply.Key.Equal(key.Entry.Chain[0]) {
			t.Error(err)
		}
	})
}

func TestOpenTellsWhatIsWrongAndNoPassword(t *testing.T) {
	w := newWorld(t)
	key := w.usual
	gost, err := w.authority.Issue(trust.Request{Profile: trust.ProfileUser, Subject: trust.Subject{CommonName: "A"}, KeySpec: "ozdst"}, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, data []byte) string {
		path := filepath.Join(w.dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	pfx := func(name string, entries ...keystore.Entry) string {
		data, err := keystore.CreatePFX(bytes.NewReader(bytes.Repeat([]byte{7}, 4096)), entries, keyPassword, keystore.ProfileModern)
		if err != nil {
			t.Fatal(err)
		}
		return write(name, data)
	}
	gostRoot := testpki.New(t, "ozdst").Root.Cert
	for name, tt := range map[string]struct {
		change func(*Options)
		want   string
		is     error
	}{
		"no host":               {func(o *Options) { o.Host = "" }, "no host", nil},
		"a bad port":            {func(o *Options) { o.Port = 65536 }, "port 65536", nil},
		"no key":                {func(o *Options) { o.KeyFile = "" }, "client key", nil},
		"no trust store":        {func(o *Options) { o.TruststoreFile = "" }, "trust store", nil},
		"an absent key":         {func(o *Options) { o.KeyFile = "absent.key" }, "absent.key", fs.ErrNotExist},
		"an absent trust store": {func(o *Options) { o.TruststoreFile = "absent.jks" }, "absent.jks", fs.ErrNotExist},
		"a wrong password":      {func(o *Options) { o.KeyPassword = "tr0ub4dor" }, "example.key", keystore.ErrPassword},
		"a wrong store password": {func(o *Options) { o.TruststorePassword = "tr0ub4dor" },
			"vpn.jks", keystore.ErrPassword},
		"junk for a key":         {func(o *Options) { o.KeyFile = write("junk", []byte("junk")) }, "junk", keystore.ErrFormat},
		"junk for a trust store": {func(o *Options) { o.TruststoreFile = write("junk", []byte("junk")) }, "junk", keystore.ErrFormat},
		"a huge file":            {func(o *Options) { o.KeyFile = write("huge", make([]byte, maxFile+1)) }, "larger", nil},
		"a GOST key":             {func(o *Options) { o.KeyFile = pfx("gost.key", gost) }, "gost.key", ErrGOSTKey},
		"a trust store of GOST": {func(o *Options) { o.TruststoreFile = write("gost.pem", cert.EncodePEM(gostRoot)) },
			"none of its 1 certificates", nil},
	} {
		t.Run(name, func(t *testing.T) {
			o := w.options(t, "127.0.0.1:1", key)
			tt.change(&o)
			_, err := Open(o)
			if err == nil || !strings.Contains(err.Error(), tt.want) || tt.is != nil && !errors.Is(err, tt.is) {
				t.Fatalf("%v, want %s", err, tt.want)
			}
			if strings.Contains(err.Error(), keyPassword) || strings.Contains(err.Error(), "tr0ub4dor") {
				t.Errorf("the password in %v", err)
			}
		})
	}
	// A file with a GOST key and one for TLS is a good one.
	o := w.options(t, w.start(t, ""), key)
	o.KeyFile = pfx("both.key", gost, key.Entry)
	if _, err := open(t, o).Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestOptionsShowNoPasswords(t *testing.T) {
	o := Options{Host: "trust.uz", Port: 3443, KeyPassword: keyPassword, TruststorePassword: "tr0ub4dor"}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "o", o)
	text := fmt.Sprintf("%v %+v %#v %s ", o, o, o, o) + log.String()
	if strings.Contains(text, keyPassword) || strings.Contains(text, "tr0ub4dor") || !strings.Contains(text, "trust.uz:3443") {
		t.Error(text)
	}
}

func TestPlainLinkNeedsNoKey(t *testing.T) {
	w := newWorld(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.server, w.ended = &http.Server{Handler: w.authority.Handler()}, make(chan error, 1)
	go func() { w.ended <- w.server.Serve(ln) }()
	o := w.options(t, ln.Addr().String(), trust.LinkKey{})
	o.TLS, o.KeyPassword, o.TruststorePassword = false, "", ""
	l := open(t, o)
	reply, err := l.Ping(t.Context())
	if err != nil || reply.Key != nil || reply.YourIP != "127.0.0.1" || l.Certificate() != nil {
		t.Errorf("%+v, %v", reply, err)
	}
	if err := get(l.HTTPClient()); err != nil {
		t.Error(err)
	}
	// A key is shown by /info all the same.
	key := w.usual
	o.KeyFile, o.KeyPassword = key.File, keyPassword
	if l = open(t, o); !l.Certificate().Equal(key.Entry.Chain[0]) {
		t.Errorf("certificate %v", l.Certificate())
	}
}

// safeBuffer is a buffer for logs of several goroutines.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
