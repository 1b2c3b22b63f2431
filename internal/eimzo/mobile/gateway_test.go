package mobile

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"imzo/gost/gost341194"
	"imzo/internal/eimzo/mobile/phone"
	"imzo/internal/httpx"
	"imzo/internal/metrics"
	"imzo/internal/testpki"
	"imzo/pki/alg"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/ocsp"
	"imzo/verify"
)

// world is a gateway with one site, and what the site was sent.
type world struct {
	t       *testing.T
	pki     *testpki.PKI
	user    testpki.Entity
	sites   *Sites
	gateway *Gateway
	log     *bytes.Buffer

	mu      sync.Mutex
	uploads []map[string]string
	asked   atomic.Int32
	// answer is what the site does.
	answer func(w http.ResponseWriter, attempt int)
}

const siteID = "20e2"

func newWorld(t *testing.T, change func(*Options)) *world {
	t.Helper()
	w := &world{t: t, pki: testpki.New(t, "ozdst:C"), log: new(bytes.Buffer)}
	w.user = w.pki.User(t, testpki.Person)
	w.answer = func(w http.ResponseWriter, _ int) { io.WriteString(w, `{"status":1,"message":null}`) }
	server := httptest.NewServer(http.HandlerFunc(w.upload))
	t.Cleanup(server.Close)
	var err error
	if w.sites, err = OpenSites(t.TempDir(), w.pki.Clock()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.sites.Add(t.Context(), Site{SiteID: siteID, Name: "Bozor", Domain: "example.uz", UploadURL: server.URL + "/frontend/mobile/upload"}, rand.Reader); err != nil {
		t.Fatal(err)
	}
	o := Options{Sites: w.sites, Anchors: w.pki.Anchors(), Now: w.pki.Clock(), Logger: slog.New(slog.NewTextHandler(w.log, nil)), PerMinute: -1}
	if change != nil {
		change(&o)
	}
	if w.gateway, err = New(o); err != nil {
		t.Fatal(err)
	}
	w.gateway.uploads.pause = time.Millisecond
	w.gateway.uploads.attempt = 2 * time.Second
	return w
}

func (w *world) upload(out http.ResponseWriter, r *http.Request) {
	n := int(w.asked.Add(1))
	if err := r.ParseForm(); err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		w.t.Errorf("upload %s %s: %v", r.Method, r.Header, err)
	}
	fields := map[string]string{}
	for name, values := range r.PostForm {
		fields[name] = strings.Join(values, "|")
	}
	w.mu.Lock()
	w.uploads = append(w.uploads, fields)
	answer := w.answer
	w.mu.Unlock()
	answer(out, n)
}

// answers changes what the site does.
func (w *world) answers(answer func(w http.ResponseWriter, attempt int)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer = answer
}

// sent returns what the site was sent.
func (w *world) sent() []map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.uploads)
}

const document = "some document"

// signed is what a phone of the user submits.
func (w *world) signed(by testpki.Entity, at time.Time) phone.Submission {
	w.t.Helper()
	hash := gost341194.Sum256([]byte(document))
	attributes, err := cms.ExternalAttributes(hash[:], at)
	if err != nil {
		w.t.Fatal(err)
	}
	signature, err := by.Key.SignMessage(rand.Reader, attributes)
	if err != nil {
		w.t.Fatal(err)
	}
	s := phone.Submission{
		SiteID: siteID, DocumentID: "850FF727", Hash: hex.EncodeToString(hash[:]), SerialNumber: by.Cert.SerialHex(),
		Signature: hex.EncodeToString(signature), SigningTime: at.UTC().Truncate(time.Second),
	}
	for _, c := range by.Chain {
		s.Certificates = append(s.Certificates, c.Raw)
	}
	return s
}

func (w *world) post(body any) (int, phone.Outcome) {
	w.t.Helper()
	b, ok := body.([]byte)
	if !ok {
		var err error
		if b, err = json.Marshal(body); err != nil {
			w.t.Fatal(err)
		}
	}
	rec := httptest.NewRecorder()
	w.gateway.ServeHTTP(rec, httptest.NewRequest("POST", phone.SignPath, bytes.NewReader(b)))
	var o phone.Outcome
	if err := json.Unmarshal(rec.Body.Bytes(), &o); err != nil || rec.Header().Get("Content-Type") != "application/json" {
		w.t.Fatalf("HTTP %d %s %q: %v", rec.Code, rec.Header(), rec.Body, err)
	}
	return rec.Code, o
}

func TestASignatureReachesItsSite(t *testing.T) {
	w := newWorld(t, nil)
	s := w.signed(w.user, w.pki.Now)
	code, outcome := w.post(s)
	one := 1
	want := phone.Outcome{Accepted: true, Code: phone.Accepted, Message: "the site has the signature", Site: &phone.SiteAnswer{HTTPStatus: 200, Status: &one, Attempts: 1}}
	if diff := cmp.Diff(want, outcome); diff != "" || code != http.StatusOK {
		t.Fatalf("HTTP %d %s", code, diff)
	}
	sent := w.sent()
	if len(sent) != 1 {
		t.Fatalf("%d uploads", len(sent))
	}
	u := sent[0]
	pkcs7, err := base64.StdEncoding.DecodeString(u["pkcs7_b64"])
	if err != nil {
		t.Fatal(err)
	}
	delete(u, "pkcs7_b64")
	if diff := cmp.Diff(map[string]string{"document_id": "850FF727", "serial_number": w.user.Cert.SerialHex(), "x_real_ip": "192.0.2.1"}, u); diff != "" {
		t.Error(diff)
	}
	report, err := verify.Document(t.Context(), pkcs7, []byte(document), verify.Options{Anchors: w.pki.Anchors(), SkipRevocation: true, Now: w.pki.Clock()})
	if err != nil || !report.Valid() || len(report.Signers[0].Chain) != 3 || !report.Signers[0].SigningTime.Equal(w.pki.Now) {
		t.Errorf("the site got %+v, %v", report, err)
	}
	if !strings.HasPrefix(base64.StdEncoding.EncodeToString(pkcs7), "MIAGCSqGSIb3DQEHAqCA") {
		t.Error("not the layout of E-IMZO")
	}
	// The same again is answered, and not uploaded; in lower case too.
	s.DocumentID, s.SiteID = strings.ToLower(s.DocumentID), strings.ToUpper(s.SiteID)
	if code, again := w.post(s); code != http.StatusOK || !again.Accepted || w.asked.Load() != 1 {
		t.Errorf("again: HTTP %d %+v, %d uploads", code, again, w.asked.Load())
	}
	// Another signature of the document is another upload.
	if code, _ := w.post(w.signed(w.user, w.pki.Now.Add(time.Second))); code != http.StatusOK || w.asked.Load() != 2 {
		t.Errorf("another: HTTP %d, %d uploads", code, w.asked.Load())
	}
	for _, secret := range []string{s.Signature, "IVANOV", s.Hash} {
		if strings.Contains(w.log.String(), secret) {
			t.Errorf("the log has %s", secret)
		}
	}
	if !strings.Contains(w.log.String(), "site=20e2 document=850FF727 serial="+w.user.Cert.SerialHex()+" code=accepted") {
		t.Errorf("log %s", w.log)
	}
}

type statusOf map[string]*verify.RevocationStatus

func (s statusOf) Status(_ context.Context, c, _ *cert.Certificate) (*verify.RevocationStatus, error) {
	if status := s[c.SerialHex()]; status != nil {
		return status, nil
	}
	return nil, errors.New("nobody answers")
}

func TestEachCheckHasItsRefusal(t *testing.T) {
	w := newWorld(t, nil)
	now := w.pki.Now
	stranger := testpki.New(t, "ozdst:C").User(t, testpki.Person)
	expired := w.pki.User(t, testpki.Person, func(c *cert.Template) { c.NotBefore, c.NotAfter = now.AddDate(-2, 0, 0), now.Add(-time.Minute) })
	future := w.pki.User(t, testpki.Person, func(c *cert.Template) { c.NotBefore = now.Add(time.Hour) })
	noUse := w.pki.User(t, testpki.Person, func(c *cert.Template) { c.KeyUsage = cert.KeyUsageKeyAgreement })
	other := w.pki.User(t, testpki.Organisation)
	elliptic := testpki.New(t, "ecdsa:P-256").User(t, testpki.Person)
	good := w.signed(w.user, now)
	with := func(change func(s *phone.Submission)) phone.Submission {
		s := good
		s.Certificates = slices.Clone(good.Certificates)
		change(&s)
		return s
	}
	signedBy := func(e testpki.Entity) phone.Submission { return w.signed(e, now) }
	long := strings.Repeat("0", phone.MaxSubmission)
	tests := []struct {
		name string
		body any
		code phone.Code
		http int
	}{
		{"no JSON", []byte("signature"), phone.BadRequest, 400},
		{"empty", []byte(""), phone.BadRequest, 400},
		{"an array", []byte("[]"), phone.BadRequest, 400},
		{"unknown field", []byte(`{"siteID2":"20e2"}`), phone.BadRequest, 400},
		{"something after", append(mustJSON(t, good), '1'), phone.BadRequest, 400},
		{"too large", []byte(`{"siteId":"` + long + `"}`), phone.BadRequest, 413},
		{"short SiteID", with(func(s *phone.Submission) { s.SiteID = "20e" }), phone.BadRequest, 400},
		{"DocumentID that is none", with(func(s *phone.Submission) { s.DocumentID = "../../aa" }), phone.BadRequest, 400},
		{"short hash", with(func(s *phone.Submission) { s.Hash = s.Hash[2:] }), phone.BadRequest, 400},
		{"long hash", with(func(s *phone.Submission) { s.Hash += "00" }), phone.BadRequest, 400},
		{"short signature", with(func(s *phone.Submission) { s.Signature = s.Signature[2:] }), phone.BadRequest, 400},
		{"signature that is no hex", with(func(s *phone.Submission) { s.Signature = "x" + s.Signature[1:] }), phone.BadRequest, 400},
		{"no serial number", with(func(s *phone.Submission) { s.SerialNumber = "00" }), phone.BadRequest, 400},
		{"odd serial number", with(func(s *phone.Submission) { s.SerialNumber = "-1" }), phone.BadRequest, 400},
		{"no time", with(func(s *phone.Submission) { s.SigningTime = time.Time{} }), phone.BadRequest, 400},
		{"parts of a second", with(func(s *phone.Submission) { s.SigningTime = s.SigningTime.Add(time.Millisecond) }), phone.BadRequest, 400},
		{"many certificates", with(func(s *phone.Submission) { s.Certificates = slices.Repeat(s.Certificates, 3) }), phone.BadRequest, 400},
		{"broken certificate", with(func(s *phone.Submission) { s.Certificates[1] = s.Certificates[1][1:] }), phone.BadRequest, 400},
		{"unknown site", with(func(s *phone.Submission) { s.SiteID = "20e3" }), phone.UnknownSite, 404},
		{"early", w.signed(w.user, now.Add(-DefaultWindow-time.Second)), phone.SigningTime, 422},
		{"late", w.signed(w.user, now.Add(DefaultWindow+time.Second)), phone.SigningTime, 422},
		{"no certificate", with(func(s *phone.Submission) { s.Certificates = nil }), phone.NoSigner, 422},
		{"another serial number", with(func(s *phone.Submission) { s.SerialNumber = "123" }), phone.NoSigner, 422},
		{"a key of another kind", with(func(s *phone.Submission) {
			s.SerialNumber, s.Certificates = elliptic.Cert.SerialHex(), [][]byte{elliptic.Cert.Raw}
		}), phone.KeyKind, 422},
		{"a stranger", signedBy(stranger), phone.Untrusted, 422},
		{"without the CA", with(func(s *phone.Submission) { s.Certificates = s.Certificates[:1] }), phone.Untrusted, 422},
		{"expired", signedBy(expired), phone.NotValid, 422},
		{"not yet valid", signedBy(future), phone.NotValid, 422},
		{"not for signatures", signedBy(noUse), phone.Usage, 422},
		{"another hash", with(func(s *phone.Submission) { s.Hash = strings.Repeat("0", 64) }), phone.BadSignature, 422},
		{"another time", with(func(s *phone.Submission) { s.SigningTime = s.SigningTime.Add(time.Second) }), phone.BadSignature, 422},
		{"halves swapped", with(func(s *phone.Submission) { s.Signature = s.Signature[64:] + s.Signature[:64] }), phone.BadSignature, 422},
		{"another's certificate", with(func(s *phone.Submission) {
			s.SerialNumber, s.Certificates[0] = other.Cert.SerialHex(), other.Cert.Raw
		}), phone.BadSignature, 422},
	}
	for _, test := range tests {
		code, outcome := w.post(test.body)
		if outcome.Accepted || outcome.Code != test.code || code != test.http || outcome.Message == "" {
			t.Errorf("%s: HTTP %d %+v, want %d %s", test.name, code, outcome, test.http, test.code)
		}
	}
	if w.asked.Load() != 0 {
		t.Errorf("the site was called %d times", w.asked.Load())
	}
	// In another time zone it is the same second, and what rides along without
	// need does no harm.
	if code, outcome := w.post(with(func(s *phone.Submission) {
		s.SigningTime = s.SigningTime.In(time.FixedZone("Tashkent", 5*3600))
		s.Certificates = append(s.Certificates, other.Cert.Raw)
		s.SerialNumber = "00" + strings.ToUpper(s.SerialNumber)
	})); code != 200 {
		t.Errorf("HTTP %d %+v", code, outcome)
	}
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRevocationIsAskedWhereItIsConfigured(t *testing.T) {
	source := statusOf{}
	w := newWorld(t, func(o *Options) { o.Revocation = source })
	revoked := w.pki.User(t, testpki.Person)
	silent := w.pki.User(t, testpki.Person)
	source[w.user.Cert.SerialHex()] = &verify.RevocationStatus{Status: ocsp.Good, ThisUpdate: w.pki.Now}
	source[revoked.Cert.SerialHex()] = &verify.RevocationStatus{Status: ocsp.Revoked, ThisUpdate: w.pki.Now, RevokedAt: w.pki.Now.Add(-time.Hour)}
	for _, test := range []struct {
		who  testpki.Entity
		want phone.Code
	}{{w.user, phone.Accepted}, {revoked, phone.Revoked}, {silent, phone.NoStatus}} {
		if _, outcome := w.post(w.signed(test.who, w.pki.Now)); outcome.Code != test.want {
			t.Errorf("%+v, want %s", outcome, test.want)
		}
	}
}

func TestCertificatesComeFromTheFolder(t *testing.T) {
	dir := t.TempDir()
	clock := testpki.DefaultNow()
	directory, err := OpenDirectory(dir, func() time.Time { return clock })
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(o *Options) { o.Certificates = directory })
	s := w.signed(w.user, w.pki.Now)
	s.Certificates = nil
	if _, outcome := w.post(s); outcome.Code != phone.NoSigner {
		t.Errorf("an empty folder: %+v", outcome)
	}
	write := func(name string, b []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("ca.pem", cert.EncodePEM(w.pki.CA.Cert, w.pki.Root.Cert))
	write("user.CER", w.user.Cert.Raw)
	write("notes.txt", []byte("no certificate"))
	clock = clock.Add(time.Hour)
	if code, outcome := w.post(s); code != 200 {
		t.Errorf("HTTP %d %+v", code, outcome)
	}
	// What is damaged is told; what was read before stays.
	write("half.pem", []byte("-----BEGIN"))
	clock = clock.Add(time.Hour)
	s = w.signed(w.user, w.pki.Now.Add(time.Second))
	s.Certificates = nil
	if code, outcome := w.post(s); code != 200 || !strings.Contains(w.log.String(), "half.pem") {
		t.Errorf("HTTP %d %+v %s", code, outcome, w.log)
	}
	if _, err := OpenDirectory(dir, nil); !errors.Is(err, ErrDirectory) {
		t.Errorf("a damaged folder: %v", err)
	}
	if _, err := OpenDirectory(filepath.Join(dir, "none"), nil); !errors.Is(err, ErrDirectory) {
		t.Errorf("no folder: %v", err)
	}
	write("half.pem", make([]byte, maxCertificateFile+1))
	if _, err := OpenDirectory(dir, nil); !errors.Is(err, ErrDirectory) || !strings.Contains(err.Error(), "larger") {
		t.Errorf("a large file: %v", err)
	}
}

func TestUploadsAreRepeatedUntilTheSiteDecides(t *testing.T) {
	say := func(status int, text string) func(http.ResponseWriter, int) {
		return func(w http.ResponseWriter, _ int) {
			w.WriteHeader(status)
			io.WriteString(w, text)
		}
	}
	after := func(n int, first func(http.ResponseWriter, int)) func(http.ResponseWriter, int) {
		return func(w http.ResponseWriter, attempt int) {
			if attempt <= n {
				first(w, attempt)
				return
			}
			io.WriteString(w, `{"status":1,"message":null}`)
		}
	}
	hang := func(w http.ResponseWriter, _ int) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			conn.Close()
		}
	}
	redirect := func(w http.ResponseWriter, _ int) {
		w.Header().Set("Location", "http://127.0.0.1:1/metadata")
		w.WriteHeader(http.StatusFound)
	}
	tests := []struct {
		name     string
		answer   func(http.ResponseWriter, int)
		code     phone.Code
		attempts int // 0: several
		message  string
	}{
		{"500 twice", after(2, say(500, "oh")), phone.Accepted, 3, ""},
		{"503 and 429", after(1, say(429, "slow down")), phone.Accepted, 2, ""},
		{"lost connections", after(2, hang), phone.Accepted, 3, ""},
		{"Redis down", after(1, say(200, `{"status":-1,"message":"redis"}`)), phone.Accepted, 2, ""},
		{"Redis down for good", say(200, `{"status":-1,"message":"redis"}`), phone.SiteUnreachable, 0, "redis"},
		{"502 for good", say(502, "<html>"), phone.SiteUnreachable, 0, "<html>"},
		{"never an answer", hang, phone.SiteUnreachable, 0, ""},
		{"expired", say(200, `{"status":-2,"message":"no\nsuch document"}`), phone.SiteRefused, 1, "no such document"},
		{"404", say(404, "no such page"), phone.SiteRefused, 1, "no such page"},
		{"400", say(400, "document_id is missing"), phone.SiteRefused, 1, "document_id is missing"},
		{"redirect", redirect, phone.SiteRefused, 1, ""},
		{"huge", say(200, strings.Repeat("x", maxSiteAnswer+1)), phone.SiteRefused, 1, ""},
		{"a relay that says ok", say(200, "ok"), phone.Accepted, 1, ""},
		{"a relay that says so in JSON", say(201, `{"success":true}`), phone.Accepted, 1, ""},
		{"nothing", say(204, ""), phone.Accepted, 1, ""},
		{"a relay that writes numbers as text", say(200, `{"status":"1"}`), phone.Accepted, 1, ""},
		{"a relay that writes words", say(200, `{"status":"OK","message":"taken"}`), phone.Accepted, 1, "taken"},
		{"a relay that failed", say(200, `{"success":false,"message":"no session"}`), phone.SiteRefused, 1, "no session"},
		{"a relay that failed in words", say(200, `{"status":"error"}`), phone.SiteRefused, 1, ""},
		{"a relay that failed in text", say(200, `{"status":"-2"}`), phone.SiteRefused, 1, ""},
		{"a relay that says false", say(200, `{"status":false}`), phone.SiteRefused, 1, ""},
		{"half a status", say(200, `{"status":1.5}`), phone.SiteRefused, 1, ""},
		{"a web page", say(200, "\n<!doctype html><title>Home</title>"), phone.SiteRefused, 1, ""},
		{"long message", say(200, `{"status":-9,"message":"`+strings.Repeat("m", 5000)+`"}`), phone.SiteRefused, 1, strings.Repeat("m", maxSiteMessage)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, func(o *Options) { o.UploadTimeout = 150 * time.Millisecond })
			w.answers(test.answer)
			s := w.signed(w.user, w.pki.Now)
			code, outcome := w.post(s)
			if outcome.Code != test.code || outcome.Site == nil || outcome.Site.Message != test.message || code != httpStatus(test.code) {
				t.Fatalf("HTTP %d %+v %+v", code, outcome, outcome.Site)
			}
			if n := outcome.Site.Attempts; test.attempts != 0 && n != test.attempts || test.attempts == 0 && n < 2 {
				t.Errorf("%d attempts", n)
			}
			sent := w.sent()
			for _, u := range sent[1:] {
				if diff := cmp.Diff(sent[0], u); diff != "" {
					t.Errorf("another try sends something else: %s", diff)
				}
			}
			before := w.asked.Load()
			w.answers(func(w http.ResponseWriter, _ int) { io.WriteString(w, `{"status":1}`) })
			if _, again := w.post(s); !again.Accepted || (w.asked.Load() == before) != outcome.Accepted {
				t.Errorf("the phone's next try: %+v, %d uploads before, %d after", again, before, w.asked.Load())
			}
		})
	}
}

func TestASlowSiteIsGivenUp(t *testing.T) {
	release := make(chan struct{})
	w := newWorld(t, func(o *Options) { o.UploadTimeout = 120 * time.Millisecond })
	w.gateway.uploads.attempt = 50 * time.Millisecond
	w.answers(func(http.ResponseWriter, int) { <-release })
	start := time.Now()
	code, outcome := w.post(w.signed(w.user, w.pki.Now))
	close(release)
	if code != http.StatusBadGateway || outcome.Code != phone.SiteUnreachable || outcome.Site.Attempts < 2 || !strings.Contains(outcome.Message, "timeout") {
		t.Errorf("HTTP %d %+v", code, outcome)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
}

func TestOneSubmissionIsUploadedOnceHoweverOftenItComes(t *testing.T) {
	w := newWorld(t, nil)
	release := make(chan struct{})
	w.answers(func(out http.ResponseWriter, _ int) {
		<-release
		io.WriteString(out, `{"status":1}`)
	})
	s := w.signed(w.user, w.pki.Now)
	checked, err := checkSubmission(s)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	// The first phone loses its connection at once.
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	group.Go(func() { w.gateway.submit(gone, checked, netip.Addr{}) })
	for w.asked.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	for range 10 {
		group.Go(func() {
			if o := w.gateway.submit(context.Background(), checked, netip.Addr{}); !o.Accepted {
				t.Errorf("%+v", o)
			}
		})
	}
	close(release)
	group.Wait()
	if n := w.asked.Load(); n != 1 {
		t.Errorf("%d uploads", n)
	}
}

func TestASiteThatHangsLeavesRoomForOthers(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.UploadTimeout = 100 * time.Millisecond })
	key := func(i int) (k [32]byte) { k[0], k[1] = byte(i), byte(i>>8); return }
	f, first := w.gateway.board(key(0), siteID)
	if f == nil || !first {
		t.Fatal("no room")
	}
	for range maxUploadsOfSite {
		f.to.slots <- struct{}{}
	}
	// Whoever waits for his turn in vain is told so.
	code, outcome := w.post(w.signed(w.user, w.pki.Now))
	if code != http.StatusServiceUnavailable || outcome.Code != phone.Busy {
		t.Errorf("HTTP %d %+v", code, outcome)
	}
	<-f.to.slots
	if code, outcome := w.post(w.signed(w.user, w.pki.Now)); code != http.StatusOK {
		t.Errorf("HTTP %d %+v", code, outcome)
	}
	for i := range maxFlightsOfSite {
		w.gateway.board(key(i), siteID)
	}
	if f, _ := w.gateway.board(key(maxFlightsOfSite), siteID); f != nil {
		t.Error("a queue without end")
	}
	if f, first := w.gateway.board(key(maxFlightsOfSite), "0001"); f == nil || !first {
		t.Error("no room for another site")
	}
	if f, first := w.gateway.board(key(3), siteID); f == nil || first {
		t.Error("one that flies is not found")
	}
	if code, outcome := w.post(w.signed(w.user, w.pki.Now.Add(time.Second))); code != http.StatusServiceUnavailable || outcome.Code != phone.Busy {
		t.Errorf("HTTP %d %+v", code, outcome)
	}
}

// A thousand people sign at the same time, and none gets the other's answer.
func TestAThousandSignaturesGoTogether(t *testing.T) {
	w := newWorld(t, nil)
	var group sync.WaitGroup
	good := w.signed(w.user, w.pki.Now)
	for i := range 1000 {
		group.Go(func() {
			s := good
			s.DocumentID = fmt.Sprintf("%08X", i)
			checked, err := checkSubmission(s)
			if err != nil {
				t.Error(err)
				return
			}
			if o := w.gateway.submit(context.Background(), checked, netip.Addr{}); !o.Accepted {
				t.Errorf("%d: %+v", i, o)
			}
		})
	}
	group.Wait()
	seen := map[string]bool{}
	for _, u := range w.sent() {
		seen[u["document_id"]] = true
	}
	if len(seen) != 1000 || len(w.gateway.sites) != 0 || w.gateway.count != 0 {
		t.Errorf("%d documents arrived, %d on their way", len(seen), w.gateway.count)
	}
}

func TestAcceptedSubmissionsAreForgottenInTime(t *testing.T) {
	clock := testpki.DefaultNow()
	w := newWorld(t, func(o *Options) { o.Now = func() time.Time { return clock } })
	w.post(w.signed(w.user, clock))
	if len(w.gateway.flights) != 1 || len(w.gateway.sites) != 0 || w.gateway.count != 0 {
		t.Fatalf("%d kept, %d running", len(w.gateway.flights), w.gateway.count)
	}
	clock = clock.Add(keepAccepted + time.Second)
	w.post(w.signed(w.user, clock))
	if len(w.gateway.flights) != 1 || len(w.gateway.order) != 1 {
		t.Errorf("%d kept", len(w.gateway.flights))
	}
}

func TestTheGatewayTellsAboutItself(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Metrics, o.PerMinute = metrics.New("test"), 4 })
	get := func(path string) *httptest.ResponseRecorder {
		rec := httptest.NewRecorder()
		w.gateway.ServeHTTP(rec, httptest.NewRequest("GET", path, nil))
		return rec
	}
	if rec := get("/api/sites/20E2"); rec.Code != 200 || rec.Body.String() != `{"siteId":"20e2","name":"Bozor","domain":"example.uz"}`+"\n" {
		t.Errorf("site: %d %s", rec.Code, rec.Body)
	}
	if rec := get("/api/sites/0000"); rec.Code != 404 || !strings.Contains(rec.Body.String(), `"code":"unknownSite"`) {
		t.Errorf("no site: %d %s", rec.Code, rec.Body)
	}
	for range 8 {
		get("/api/sites/0000")
	}
	rec := get("/api/sites/0000")
	if rec.Code != http.StatusTooManyRequests || rec.Header().Get("Retry-After") == "" {
		t.Errorf("too often: %d %s", rec.Code, rec.Header())
	}
	if code, outcome := w.post(w.signed(w.user, w.pki.Now)); code != http.StatusTooManyRequests || outcome.Code != phone.TooMany {
		t.Errorf("too often: %d %+v", code, outcome)
	}
	for path, want := range map[string]string{
		"/healthz/live": "ok", "/healthz/ready": "1 registered", "/": "/api/sign", ScriptPath: "EIMZOMobile", "/metrics": `imzo_http_requests_total{code="404",route="/api/sites/{site}"} 9`,
	} {
		if rec := get(path); rec.Code != 200 || !strings.Contains(rec.Body.String(), want) {
			t.Errorf("%s: %d %s", path, rec.Code, rec.Body)
		}
	}
	if rec := get("/api/sign"); rec.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET of a submission: %d", rec.Code)
	}
	if rec := get("/etc/passwd"); rec.Code != http.StatusNotFound {
		t.Errorf("another path: %d", rec.Code)
	}
}

func TestADamagedRegistryIsNoUnknownSite(t *testing.T) {
	w := newWorld(t, nil)
	if err := os.WriteFile(filepath.Join(w.sites.dir, SitesFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, outcome := w.post(w.signed(w.user, w.pki.Now)); code != 503 || outcome.Code != phone.Unavailable {
		t.Errorf("HTTP %d %+v", code, outcome)
	}
	for path, want := range map[string]string{"/api/sites/20e2": `"unavailable"`, "/healthz/ready": "cannot be read"} {
		rec := httptest.NewRecorder()
		w.gateway.ServeHTTP(rec, httptest.NewRequest("GET", path, nil))
		if rec.Code != 503 || !strings.Contains(rec.Body.String(), want) || strings.Contains(rec.Body.String(), w.sites.dir) {
			t.Errorf("%s: %d %s", path, rec.Code, rec.Body)
		}
	}
	if _, err := w.gateway.For(netip.Addr{}).Site(t.Context(), "20e2"); !errors.Is(err, phone.ErrGateway) {
		t.Errorf("for a phone in this process: %v", err)
	}
}

func TestTheAddressIsThatOfThePhone(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} })
	for _, test := range [][3]string{
		{"10.1.2.3:80", "203.0.113.7", "203.0.113.7"},
		{"[::ffff:10.1.2.3]:80", "2001:db8::1", "2001:db8::1"},
		{"10.1.2.3:80", "nonsense", "10.1.2.3"},
		{"192.0.2.9:80", "203.0.113.7", "192.0.2.9"},
		{"@", "203.0.113.7", "invalid IP"},
		{"x:1", "203.0.113.7", "invalid IP"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = test[0]
		r.Header.Set("X-Real-IP", test[1])
		if got := w.gateway.Address(r).String(); got != test[2] {
			t.Errorf("%v gives %s", test, got)
		}
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	w := newWorld(t, nil)
	for name, o := range map[string]Options{
		"no sites": {Anchors: w.pki.Anchors()}, "no anchors": {Sites: w.sites}, "empty anchors": {Sites: w.sites, Anchors: cert.NewPool()},
		"negative": {Sites: w.sites, Anchors: w.pki.Anchors(), Window: -1},
	} {
		if _, err := New(o); !errors.Is(err, ErrOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New(Options{Sites: w.sites, Anchors: w.pki.Anchors()}); err != nil {
		t.Error(err)
	}
}

// A phone.Client on a real connection meets the same gateway.
func TestAClientReachesTheGateway(t *testing.T) {
	w := newWorld(t, nil)
	server := httptest.NewServer(httpx.Wrap(w.gateway, httpx.Options{}))
	defer server.Close()
	client := &phone.Client{URL: server.URL + "/"}
	found, err := client.Site(t.Context(), "20E2")
	if err != nil || found.Domain != "example.uz" {
		t.Errorf("%+v, %v", found, err)
	}
	if _, err := client.Site(t.Context(), "0001"); !errors.Is(err, phone.ErrUnknownSite) {
		t.Error(err)
	}
	outcome, err := client.Submit(t.Context(), w.signed(w.user, w.pki.Now))
	if err != nil || !outcome.Accepted {
		t.Errorf("%+v, %v", outcome, err)
	}
	if outcome, err = client.Submit(t.Context(), phone.Submission{}); err != nil || outcome.Code != phone.BadRequest {
		t.Errorf("%+v, %v", outcome, err)
	}
	local := w.gateway.For(netip.Addr{})
	if outcome, err = local.Submit(t.Context(), phone.Submission{}); err != nil || outcome.Code != phone.BadRequest {
		t.Errorf("%+v, %v", outcome, err)
	}
	if outcome, err = local.Submit(t.Context(), w.signed(w.user, w.pki.Now)); err != nil || !outcome.Accepted {
		t.Errorf("%+v, %v", outcome, err)
	}
	if _, err := local.Site(t.Context(), "0001"); !errors.Is(err, phone.ErrUnknownSite) {
		t.Error(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if ip := w.uploads[1]["x_real_ip"]; ip != "" {
		t.Errorf("address %q of nobody", ip)
	}
}

func TestBothKindsOfKeysSign(t *testing.T) {
	w := newWorld(t, nil)
	user := w.pki.Issue(t, w.pki.CA, func(c *cert.Template) { w.pki.UserTemplate(t, c, testpki.Person) }, "ozmst:C")
	if user.Key.Family() != alg.FamilyOZMST {
		t.Fatal(user.Key.Family())
	}
	if _, outcome := w.post(w.signed(user, w.pki.Now)); !outcome.Accepted {
		t.Errorf("%+v", outcome)
	}
}

func FuzzReadSubmission(f *testing.F) {
	hash := hex.EncodeToString(make([]byte, 32))
	f.Add(fmt.Appendf(nil, `{"siteId":"20e2","documentId":"850FF727","hash":"%s","serialNumber":"77","signature":"%[1]s%[1]s","signingTime":"2026-07-01T12:00:00Z","certificates":[]}`, hash))
	f.Add([]byte(`{"certificates":["MAA="]}`))
	f.Add([]byte(`{"signingTime":"2026-07-01T12:00:00+05:00"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := readSubmission(b)
		if err != nil {
			return
		}
		again, err := checkSubmission(s.Submission)
		if err != nil || again.code != s.code || again.serial != s.serial || !bytes.Equal(again.signature, s.signature) {
			t.Fatalf("%+v, then %+v, %v", s, again, err)
		}
		if len(s.signature) != 64 || len(s.code.String()) != 84 || s.SigningTime.Nanosecond() != 0 || s.serial != strings.TrimLeft(s.serial, "0") {
			t.Fatalf("%+v", s)
		}
	})
}
