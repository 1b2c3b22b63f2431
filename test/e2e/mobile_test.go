//go:build unix

package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"imzo/client/deeplink"
	"imzo/internal/eimzo/mobile/phone"
	"imzo/internal/testpki/peer"
	"imzo/pki/cms"
	"imzo/pki/keystore"
)

const mobileSiteID = "20e2"

// mobileConfig is one server of several, with the guide's lines for Redis in
// which phones' documents are (guide 3.2).
func mobileConfig(t *testing.T, w *world, redis *peer.RedisServer) string {
	t.Helper()
	config := properties("mobile.siteId", mobileSiteID, "tsp.url", w.authority.TSAURL())
	if redis == nil {
		return config + properties("listen.ip", "127.0.0.1", "listen.port", "0", "trust.pem.file.path", w.root)
	}
	host, port, err := net.SplitHostPort(redis.Addr())
	if err != nil {
		t.Fatal(err)
	}
	return config + clusterConfig(t, w, redis.Addr()) + properties(
		"mobile.storage.redis.host", host, "mobile.storage.redis.port", port, "mobile.storage.redis.password", redisPassword, "mobile.storage.redis.db", "1")
}

// startGateway starts the gateway of phones with one site, whose signatures go
// to the address of uploads.
func startGateway(t *testing.T, w *world, folder, upload string) (*process, *phone.Client) {
	t.Helper()
	data := w.folder(folder)
	if out, err := exec.CommandContext(t.Context(), imzo, "mobile", "site", "add", "--data", data, "--id", mobileSiteID, "--url", upload+"/frontend/mobile/upload").CombinedOutput(); err != nil {
		t.Fatalf("imzo mobile site add: %v\n%s", err, out)
	}
	port := freePort(t)
	p := launch(t, "KILL", nil, imzo, "mobile", "--data", data, "--listen", fmt.Sprintf("127.0.0.1:%d", port), "--trust-store", w.root, "--per-minute", "-1")
	waitListening(t, p, port)
	t.Cleanup(func() { checkLog(t, p) })
	return p, &phone.Client{URL: fmt.Sprintf("http://127.0.0.1:%d", port), HTTP: w.client}
}

// mobileAnswer is what the mobile endpoints say.
type mobileAnswer struct {
	Status     int    `json:"status"`
	Message    string `json:"message"`
	SiteID     string `json:"siteId"`
	DocumentID string `json:"documentId"`
	Challenge  string `json:"challange"` // as the guide spells it
	Subject    struct {
		SerialNumber string `json:"serialNumber"`
	} `json:"subjectCertificateInfo"`
	PKCS7Attached []byte `json:"pkcs7Attached"`
}

func (w *world) askMobile(address string, form url.Values) (m mobileAnswer, err error) {
	body := "-" // a POST in any case
	if form != nil {
		body = form.Encode()
	}
	a, err := w.ask(address, body, "Host", "example.uz", "X-Real-IP", "192.0.2.1")
	if err == nil && a.code != http.StatusOK {
		err = fmt.Errorf("%s: HTTP %d %.300s", address, a.code, a.body)
	}
	if err == nil {
		err = json.Unmarshal([]byte(a.body), &m)
	}
	return m, err
}

// submission is what a phone sends that has the person's card.
func submission(person keystore.Entry, code deeplink.Code) (phone.Submission, error) {
	at := time.Now().UTC().Truncate(time.Second)
	attributes, err := cms.ExternalAttributes(code.Hash[:], at)
	if err != nil {
		return phone.Submission{}, err
	}
	signature, err := person.Key.SignMessage(rand.Reader, attributes)
	if err != nil {
		return phone.Submission{}, err
	}
	s := phone.Submission{
		SiteID: code.SiteID, DocumentID: code.DocumentID, Hash: hex.EncodeToString(code.Hash[:]),
		SerialNumber: person.Chain[0].SerialHex(), Signature: hex.EncodeToString(signature), SigningTime: at,
	}
	for _, c := range person.Chain {
		s.Certificates = append(s.Certificates, c.Raw)
	}
	return s, nil
}

// routes are the addresses that the parts of a flow use.
type routes struct {
	page, back string // the page's /frontend, the site's /backend
	gateway    *phone.Client
}

// flow is one log-in (text is "") or signature by phone, from the page's first
// call to the back end's last.
func (w *world) flow(r routes, person keystore.Entry, text string) (id string, err error) {
	kind := "auth"
	if text != "" {
		kind = "sign"
	}
	start, err := w.askMobile(r.page+"/frontend/mobile/"+kind, nil)
	if err != nil || start.Status != 1 {
		return "", fmt.Errorf("%s: %+v, %w", kind, start, err)
	}
	id = start.DocumentID
	content := text
	if content == "" {
		content = start.Challenge
	}
	status := func(want int) error {
		s, err := w.askMobile(r.page+"/frontend/mobile/status", url.Values{"documentId": {id}})
		if err != nil || s.Status != want {
			return fmt.Errorf("status of %s: %+v, want %d, %w", id, s, want, err)
		}
		return nil
	}
	if err := status(2); err != nil {
		return id, err
	}
	code, err := deeplink.New(start.SiteID, id, []byte(content))
	if err != nil {
		return id, err
	}
	s, err := submission(person, code)
	if err != nil {
		return id, err
	}
	outcome, err := r.gateway.Submit(w.t.Context(), s)
	if err != nil || !outcome.Accepted {
		return id, fmt.Errorf("upload of %s: %+v, %w", id, outcome, err)
	}
	if err := status(1); err != nil {
		return id, err
	}
	var judged mobileAnswer
	if text == "" {
		judged, err = w.askMobile(r.back+"/backend/mobile/authenticate/"+id, nil)
	} else {
		judged, err = w.askMobile(r.back+"/backend/mobile/verify", url.Values{"documentId": {id}, "document": {base64.StdEncoding.EncodeToString([]byte(text))}})
	}
	if err != nil || judged.Status != 1 {
		return id, fmt.Errorf("verdict on %s: %d %s, %w", id, judged.Status, judged.Message, err)
	}
	if got, want := judged.Subject.SerialNumber, person.Chain[0].SerialHex(); !strings.EqualFold(got, want) {
		return id, fmt.Errorf("%s was signed by %s, the answer says %s", id, want, got)
	}
	if text != "" {
		sd, err := cms.Parse(judged.PKCS7Attached)
		if err != nil || !bytes.Equal(sd.Content(), []byte(text)) {
			return id, fmt.Errorf("document %s came back as another: %w", id, err)
		}
	}
	return id, nil
}

// Check of the guide's 3.2.1 with several servers: what a phone uploads to one
// is seen by the page and the back end that ask the other.
func TestPhonesUploadToOneServerAndPagesPollTheOther(t *testing.T) {
	w := newWorld(t, 2)
	redis := startRedis(t)
	config := mobileConfig(t, w, redis)
	one := startServer(t, w.folder("one"), config)
	two := startServer(t, w.folder("two"), config)
	app := startSite(t, w, one, two)
	front := startNginx(t, func(listen string) map[string]string { return guideNginx(t, listen, app.URL, one, two) })
	_, toOne := startGateway(t, w, "gateway-one", one.url)
	_, toNginx := startGateway(t, w, "gateway", front.url)

	for name, r := range map[string]routes{
		"upload to one, page and back end at two": {two.url, two.backend, toOne},
		"upload to one, back end at one":          {two.url, one.backend, toOne},
		"all through nginx":                       {front.url, two.backend, toNginx},
	} {
		t.Run(name, func(t *testing.T) {
			for i := range 10 {
				text := ""
				if i%2 == 1 {
					text = fmt.Sprintf("Shartnoma № %d, %s", i, name)
				}
				id, err := w.flow(r, w.people[i%len(w.people)], text)
				if err != nil {
					t.Fatal(err)
				}
				// Another signature of the same document finds no way in,
				// whatever server it comes to.
				challenge := text
				if text == "" {
					challenge = "another challenge"
				}
				code, err := deeplink.New(mobileSiteID, id, []byte(challenge))
				if err != nil {
					t.Fatal(err)
				}
				s, err := submission(w.people[(i+1)%len(w.people)], code)
				if err != nil {
					t.Fatal(err)
				}
				for _, gateway := range []*phone.Client{toOne, toNginx} {
					if outcome, err := gateway.Submit(t.Context(), s); err != nil || outcome.Accepted || outcome.Code != phone.SiteRefused {
						t.Errorf("a second upload of %s: %+v, %v", id, outcome, err)
					}
				}
			}
		})
	}
	for _, s := range []*server{one, two} {
		if !strings.Contains(s.log.String(), "route=/frontend/mobile/status") {
			t.Error("one server was asked for nothing")
		}
		if strings.Contains(s.log.String(), "password="+redisPassword) {
			t.Error("the password of Redis is in the log")
		}
	}
	if n := app.strays.Load(); n > 0 {
		t.Errorf("the site got %d requests that are not its own", n)
	}
	one.stop(t)
	two.stop(t)
}

// A thousand people sign at the same time, each something else: everybody gets
// what is his own, and the server is as small afterwards as it was.
func TestAThousandFlowsAtOnceAreNeverCrossed(t *testing.T) {
	const flows, people = 1000, 50
	for _, storage := range []string{"memory", "Redis"} {
		t.Run(storage, func(t *testing.T) {
			w := newWorld(t, people)
			var redis *peer.RedisServer
			if storage == "Redis" {
				redis = startRedis(t)
			}
			srv := startServer(t, w.folder("server"), mobileConfig(t, w, redis))
			gateway, client := startGateway(t, w, "gateway", srv.url)
			r := routes{srv.url, srv.backend, client}
			if _, err := w.flow(r, w.people[0], "first"); err != nil { // caches fill
				t.Fatal(err)
			}
			before := map[*process]int{srv.process: rss(t, srv.pid), gateway: rss(t, gateway.pid)}

			var mu sync.Mutex
			seen := map[string]bool{}
			begin := make(chan struct{})
			all, ctx := errgroup.WithContext(t.Context())
			for i := range flows {
				all.Go(func() error {
					select {
					case <-begin:
					case <-ctx.Done():
						return ctx.Err()
					}
					text := ""
					if i%2 == 1 {
						text = fmt.Sprintf("Shartnoma № %d", i)
					}
					id, err := w.flow(r, w.people[i%people], text)
					if err != nil {
						return fmt.Errorf("flow %d: %w", i, err)
					}
					mu.Lock()
					defer mu.Unlock()
					if seen[id] {
						return fmt.Errorf("document %s was given out twice", id)
					}
					seen[id] = true
					return nil
				})
			}
			began := time.Now()
			close(begin)
			if err := all.Wait(); err != nil && !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			t.Logf("%d flows in %v", flows, time.Since(began).Round(time.Millisecond))
			if len(seen) != flows {
				t.Errorf("%d flows of %d", len(seen), flows)
			}
			for p, was := range before {
				// Documents of a thousand flows are some 6 MB; the rest is what
				// the garbage collector lets stand, and what the race detector
				// adds to each octet.
				limit := 128
				if raceDetector {
					limit = 1024
				}
				if is := rss(t, p.pid); is-was > limit<<10 {
					t.Errorf("%s has grown from %d to %d KiB", p.name, was, is)
				}
			}
			srv.stop(t)
		})
	}
}

// rss is the resident memory of a process in KiB, 0 where there is no /proc.
func rss(t *testing.T, pid int) int {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	return 0
}
