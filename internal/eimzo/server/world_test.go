package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"imzo/internal/i18n"
	"imzo/internal/testpki"
	"imzo/pki/ber"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/ocsp"
	"imzo/pki/tsp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// guideSubject is the user of the guide's samples.
const guideSubject = "CN=sfasdfa s asdfasd,1.2.860.3.16.1.2=11111111111111"

// world is a server with everything around it: a hierarchy, its OCSP responder
// and its timestamp authority behind real HTTP, and a clock.
type world struct {
	*testpki.PKI
	server *Server
	user   testpki.Entity
	clock  atomic.Int64 // nanoseconds after PKI.Now
	logs   lockedBuffer

	ocsp, tsa          *httptest.Server
	ocspCalls, tsaCall atomic.Int32

	mu       sync.Mutex
	statuses map[string]ocsp.StatusInfo // by serial; good when absent
	// ocspBreak and tsaBreak, when set, answer instead.
	ocspBreak, tsaBreak http.HandlerFunc
	responder           ocsp.Responder
	authority           tsp.Authority
}

type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

func newWorld(t testing.TB, options ...func(*Config, *Deps)) *world {
	t.Helper()
	return newWorldOf(t, testpki.New(t, "ozdst"), options...)
}

func newWorldOf(t testing.TB, pki *testpki.PKI, options ...func(*Config, *Deps)) *world {
	t.Helper()
	w := &world{PKI: pki, statuses: map[string]ocsp.StatusInfo{}}
	w.responder = ocsp.Responder{
		Certificate: pki.OCSP.Cert, Key: pki.OCSP.Key, Issuer: pki.CA.Cert,
		Lookup: w.lookup, Now: w.now, Validity: time.Minute, Rand: rand.Reader,
	}
	var serial atomic.Int64
	w.authority = tsp.Authority{
		Key: pki.TSA.Key, Chain: pki.TSA.Chain[:2], Policy: ber.MustOID("1.2.860.3.2.11.1"), Name: "http://test.e-imzo.uz/cams/tst",
		Serial: func() (*big.Int, error) { return big.NewInt(0x13219ec520231519 + serial.Add(1)), nil },
		Now:    w.now, Rand: rand.Reader,
	}
	w.ocsp = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.ocspCalls.Add(1)
		w.mu.Lock()
		broken := w.ocspBreak
		w.mu.Unlock()
		if broken != nil {
			broken(rw, r)
			return
		}
		w.answerOCSP(rw, r)
	}))
	t.Cleanup(w.ocsp.Close)
	w.tsa = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.tsaCall.Add(1)
		w.mu.Lock()
		broken, authority := w.tsaBreak, w.authority
		w.mu.Unlock()
		if broken != nil {
			broken(rw, r)
			return
		}
		request, _ := io.ReadAll(r.Body)
		rw.Header().Set("Content-Type", "application/timestamp-reply")
		rw.Write(authority.Respond(r.Context(), request))
	}))
	t.Cleanup(w.tsa.Close)
	w.user = w.User(t, guideSubject)
	w.server = w.newServer(t, options...)
	return w
}

// newServer makes another server in the same world.
func (w *world) newServer(t testing.TB, options ...func(*Config, *Deps)) *Server {
	t.Helper()
	c := DefaultConfig()
	c.OCSPURLs, c.TSPURLs = []string{w.ocsp.URL}, []string{w.tsa.URL}
	c.OCSPCache = 0 // tests change statuses
	d := Deps{Anchors: w.Anchors(), Now: w.now, Logger: slog.New(slog.NewJSONHandler(&w.logs, nil))}
	for _, o := range options {
		o(&c, &d)
	}
	s, err := New(c, d)
	if err != nil {
		t.Fatal(err)
	}
	s.patience = 5 * time.Second
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (w *world) answerOCSP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	responder := w.responder
	w.mu.Unlock()
	request, _ := io.ReadAll(r.Body)
	rw.Header().Set("Content-Type", "application/ocsp-response")
	rw.Write(responder.Respond(r.Context(), request))
}

func (w *world) now() time.Time { return w.Now.Add(time.Duration(w.clock.Load())) }

func (w *world) advance(d time.Duration) { w.clock.Add(int64(d)) }

func (w *world) lookup(_ context.Context, serial *big.Int) (ocsp.StatusInfo, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s, ok := w.statuses[serial.Text(16)]; ok {
		return s, nil
	}
	return ocsp.StatusInfo{Status: ocsp.Good}, nil
}

// set changes the status of a certificate.
func (w *world) set(c *cert.Certificate, s ocsp.StatusInfo) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.statuses[c.SerialHex()] = s
}

func (w *world) breakOCSP(h http.HandlerFunc) { w.mu.Lock(); w.ocspBreak = h; w.mu.Unlock() }
func (w *world) breakTSA(h http.HandlerFunc)  { w.mu.Lock(); w.tsaBreak = h; w.mu.Unlock() }

// sign makes a document of the user now.
func (w *world) sign(t testing.TB, content string, mods ...func(*cms.Signer, *cms.Options)) []byte {
	t.Helper()
	return w.signAs(t, w.user, content, mods...)
}

func (w *world) signAs(t testing.TB, who testpki.Entity, content string, mods ...func(*cms.Signer, *cms.Options)) []byte {
	t.Helper()
	signer := cms.Signer{Key: who.Key, Chain: who.Chain[:2], SigningTime: w.now()}
	var options cms.Options
	for _, m := range mods {
		m(&signer, &options)
	}
	document, err := cms.Sign([]byte(content), []cms.Signer{signer}, options)
	if err != nil {
		t.Fatal(err)
	}
	return document
}

func detached(_ *cms.Signer, o *cms.Options) { o.Detached = true }

func signedAt(at time.Time) func(*cms.Signer, *cms.Options) {
	return func(s *cms.Signer, _ *cms.Options) { s.SigningTime = at }
}

// stamped adds a token to every signature, straight from the authority.
func (w *world) stamped(t testing.TB, document []byte) []byte {
	t.Helper()
	w.mu.Lock()
	authority := w.authority
	w.mu.Unlock()
	return stampWith(t, document, func(si *cms.SignerInfo) []byte { return token(t, &authority, si, si.Signature) })
}

// stampWith adds what make returns as the token of every signature.
func stampWith(t testing.TB, document []byte, make func(*cms.SignerInfo) []byte) []byte {
	t.Helper()
	for i := range parsed(t, document).SignerInfos {
		sd := parsed(t, document)
		var err error
		document, err = sd.AddUnsignedAttribute(i, cms.NewAttribute(cms.OIDTimeStampToken, make(sd.SignerInfos[i])))
		if err != nil {
			t.Fatal(err)
		}
	}
	return document
}

// token asks an authority for a token over data.
func token(t testing.TB, a *tsp.Authority, si *cms.SignerInfo, data []byte) []byte {
	t.Helper()
	d, err := si.Digest()
	if err != nil {
		t.Fatal(err)
	}
	response, err := tsp.ParseResponse(a.Respond(t.Context(), tsp.NewRequest(d, d.Sum(data), nil, true).Marshal()))
	if err != nil || response.Token == nil {
		t.Fatalf("%v, %+v", err, response)
	}
	return response.Token.Raw
}

func parsed(t testing.TB, document []byte) *cms.SignedData {
	t.Helper()
	sd, err := cms.Parse(document)
	if err != nil {
		t.Fatal(err)
	}
	return sd
}

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// call sends a request to a handler and returns the answer.
func (w *world) call(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	return callServer(w.server, method, path, body, headers...)
}

func callServer(s *Server, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	s.Handler().ServeHTTP(rec, r)
	return rec
}

// reply is what tests read of any JSON answer.
type reply struct {
	verifyView
	SubjectCertificateInfo *subjectCertificateView  `json:"subjectCertificateInfo"`
	PKCS7                  []byte                   `json:"pkcs7b64"`
	Token                  []byte                   `json:"timestampTokenB64"`
	List                   []subjectCertificateView `json:"timestampedSignerList"`
	Challenge              string                   `json:"challenge"`
	TTL                    int                      `json:"ttl"`
	raw                    string
}

// post sends a body and wants HTTP 200 with JSON.
func (w *world) post(t testing.TB, path, body string, headers ...string) reply {
	t.Helper()
	return decode(t, w.call("POST", path, body, headers...))
}

func decode(t testing.TB, rec *httptest.ResponseRecorder) reply {
	t.Helper()
	if rec.Code != http.StatusOK || rec.Header().Get("Content-Type") != "application/json; charset=UTF-8" {
		t.Fatalf("HTTP %d, %s: %s", rec.Code, rec.Header().Get("Content-Type"), rec.Body)
	}
	if rec.Header().Get("Cache-Control") != "no-store" {
		t.Error("the answer may be cached")
	}
	v := reply{raw: rec.Body.String()}
	if err := json.Unmarshal([]byte(v.raw), &v); err != nil {
		t.Fatalf("%v in %.1500s", err, v.raw)
	}
	return v
}

// want checks status and message.
func (r reply) want(t testing.TB, status int, message Message) {
	t.Helper()
	text := message.text(i18n.Russian)
	if r.Status != status || !begins(r.Message, text) {
		t.Errorf("status %d %q, want %d %q\n%.1500s", r.Status, r.Message, status, text, r.raw)
	}
	if want := (outcome{status, message}).code(); r.Code != want {
		t.Errorf("code %q, want %q", r.Code, want)
	}
	if (r.Status == statusOK) != (r.Message == "") {
		t.Errorf("status %d with message %q", r.Status, r.Message)
	}
}

// challenge fetches a challenge.
func (w *world) challenge(t testing.TB) string {
	t.Helper()
	v := decode(t, w.call("GET", "/frontend/challenge", ""))
	if v.Status != statusOK || v.TTL != 120 || v.Challenge == "" {
		t.Fatalf("%.1500s", v.raw)
	}
	return v.Challenge
}

const (
	pathAuth     = "/backend/auth"
	pathAttached = "/backend/pkcs7/verify/attached"
	pathDetached = "/backend/pkcs7/verify/detached"
	pathStamp    = "/frontend/timestamp/pkcs7"
	pathData     = "/frontend/timestamp/data"
	pathMake     = "/frontend/pkcs7/make-attached"
	pathJoin     = "/frontend/pkcs7/join"
)

func sha256Hex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// begins tells whether a message is the guide's text, with or without what
// comes behind it.
func begins(message, text string) bool {
	if text == "" || message == text {
		return message == text
	}
	rest, ok := strings.CutPrefix(message, strings.TrimSuffix(text, "."))
	return ok && (strings.HasPrefix(rest, ". ") || strings.HasPrefix(rest, ": "))
}
