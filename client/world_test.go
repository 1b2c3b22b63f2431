package client_test

import (
	"encoding/base64"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"imzo/client"
	"imzo/internal/eimzo/server"
	"imzo/internal/httpx"
	"imzo/internal/testpki"
	"imzo/internal/testpki/services"
	"imzo/pki/cms"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "secret-of-the-sites-back-end"

// world is a server behind real HTTP, with all it depends on.
type world struct {
	*testpki.PKI
	trust  *services.Services
	http   *httptest.Server
	user   testpki.Entity
	client *client.Client
	clock  atomic.Int64 // nanoseconds after PKI.Now
}

// newWorld starts a server and a client of it; stop ends both. It is not bound
// to a test, because examples have none.
func newWorld() (w *world, stop func(), err error) {
	t := &exampleTB{}
	dir, err := os.MkdirTemp("", "imzo-client-")
	if err != nil {
		return nil, nil, err
	}
	w = &world{PKI: testpki.New(t, "ozdst")}
	w.user = w.User(t, testpki.Person)
	w.trust = services.Start(w.PKI, w.now)
	config := filepath.Join(dir, "config.properties")
	text := fmt.Sprintf("ocsp.url=%s\ntsp.url=%s\nocsp.cache.seconds=0\nbackend.token=%s\n", w.trust.OCSPURL, w.trust.TSAURL, token)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, nil, err
	}
	s, err := server.Load(config, server.Deps{Anchors: w.Anchors(), Now: w.now, Version: "1.11.4"})
	if err != nil {
		return nil, nil, err
	}
	w.http = httptest.NewServer(httpx.Wrap(s.Handler(), httpx.Options{}))
	if w.client, err = client.New(w.http.URL, client.Options{Token: token, Language: "en"}); err != nil {
		return nil, nil, err
	}
	return w, func() {
		w.client.Close()
		w.http.Close()
		w.trust.Close()
		_ = s.Close()
		_ = os.RemoveAll(dir)
	}, nil
}

func startWorld(t *testing.T) *world {
	t.Helper()
	w, stop, err := newWorld()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return w
}

func (w *world) now() time.Time { return w.Now.Add(time.Duration(w.clock.Load())) }

// sign is the user's agent.
func (w *world) sign(content string) string { return w.signAs(w.user, content, false) }

func (w *world) signDetached(content string) string { return w.signAs(w.user, content, true) }

func (w *world) signAs(who testpki.Entity, content string, detached bool) string {
	document, err := cms.Sign([]byte(content), []cms.Signer{{Key: who.Key, Chain: who.Chain[:2], SigningTime: w.now()}}, cms.Options{Detached: detached})
	if err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(document)
}

// exampleTB lets testpki make hierarchies where there is no test.
type exampleTB struct{ testing.TB }

func (*exampleTB) Helper()                           {}
func (*exampleTB) Fatal(args ...any)                 { panic(fmt.Sprint(args...)) }
func (*exampleTB) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
