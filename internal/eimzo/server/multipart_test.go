package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"imzo/internal/testpki"
	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cms"
)

const (
	pathBatch  = "/backend/pkcs7/verify/batch"
	pathReport = "/backend/pkcs7/report"

	formType = `multipart/form-data; boundary="----WebKitFormBoundary7MA4YWxkTrZu0gW"`
	boundary = "------WebKitFormBoundary7MA4YWxkTrZu0gW"
)

// form writes the parts, names and values in turn, as browsers do.
func form(parts ...string) string {
	var b strings.Builder
	for i := 0; i < len(parts); i += 2 {
		fmt.Fprintf(&b, "%s\r\nContent-Disposition: form-data; name=%q; filename=\"x\"\r\nContent-Type: application/octet-stream\r\n\r\n%s\r\n", boundary, parts[i], parts[i+1])
	}
	return b.String() + boundary + "--\r\n"
}

func TestPartsComeInAnyOrderAndForm(t *testing.T) {
	w := newWorld(t)
	document := w.stamped(t, w.sign(t, "some document", detached))
	want := w.post(t, pathDetached, b64([]byte("some document"))+"|"+b64(document))
	want.want(t, statusOK, MessageNone)
	pem := "-----BEGIN PKCS7-----\n" + b64(document) + "\n-----END PKCS7-----\n"
	for name, body := range map[string]string{
		"PKCS#7 first":         form("pkcs7", b64(document), "document", "some document"),
		"document first":       form("document", "some document", "pkcs7", b64(document)),
		"DER":                  form("pkcs7", string(document), "document", "some document"),
		"PEM":                  form("document", "some document", "pkcs7", pem),
		"with other fields":    form("csrf", "x", "document", "some document", "comment", strings.Repeat("x", 1<<20), "pkcs7", b64(document), "submit", ""),
		"text before the form": "preamble\r\n" + form("pkcs7", b64(document), "document", "some document"),
		"one is marked binary": strings.Replace(form("document", "some document", "pkcs7", b64(document)), "\r\n\r\nsome", "\r\nContent-Transfer-Encoding: binary\r\n\r\nsome", 1),
		"without file names":   strings.ReplaceAll(form("document", "some document", "pkcs7", b64(document)), `; filename="x"`, ""),
	} {
		t.Run(name, func(t *testing.T) {
			got := w.post(t, pathDetached, body, "Content-Type", formType)
			got.want(t, statusOK, MessageNone)
			for _, v := range []reply{got, want} { // with the nonce of its time
				v.PKCS7Info.Signers[0].OCSPResponse, v.PKCS7Info.Signers[0].TimeStampInfo.OCSPResponse = nil, nil
			}
			if diff := cmp.Diff(want.verifyView, got.verifyView, cmp.AllowUnexported(verifyView{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPartsAreVerified(t *testing.T) {
	w := newWorld(t)
	document := w.sign(t, "some document", detached)
	rsa := newWorldOf(t, testpki.New(t, "rsa:2048"))
	empty := w.sign(t, "", detached)
	for name, c := range map[string]struct {
		w       *world
		body    string
		status  int
		message Message
	}{
		"another document, PKCS#7 first":   {w, form("pkcs7", b64(document), "document", "some other"), statusSignature, MessageSignature},
		"another document, document first": {w, form("document", "some other", "pkcs7", b64(document)), statusSignature, MessageSignature},
		"a line break too many":            {w, form("document", "some document\r\n", "pkcs7", b64(document)), statusSignature, MessageSignature},
		"base64 of the document":           {w, form("document", b64([]byte("some document")), "pkcs7", b64(document)), statusSignature, MessageSignature},
		"content inside":                   {w, form("document", "x", "pkcs7", b64(w.sign(t, "x"))), statusSignature, MessageSignature},
		"no PKCS#7, first":                 {w, form("pkcs7", "QQ==", "document", "x"), statusSignature, MessageSignature},
		"no PKCS#7, last":                  {w, form("document", "x", "pkcs7", "QQ=="), statusSignature, MessageSignature},
		"an empty document":                {w, form("document", "", "pkcs7", b64(empty)), statusOK, MessageNone},
		"SHA-256, PKCS#7 first":            {rsa, form("pkcs7", b64(rsa.sign(t, "some document", detached)), "document", "some document"), statusOK, MessageNone},
		"SHA-256, document first":          {rsa, form("document", "some document", "pkcs7", b64(rsa.sign(t, "some document", detached))), statusOK, MessageNone},
	} {
		t.Run(name, func(t *testing.T) {
			v := c.w.post(t, pathDetached, c.body, "Content-Type", formType)
			if v.Status != c.status || v.Code != (outcome{c.status, c.message}).code() {
				t.Errorf("status %d %s, want %d %s", v.Status, v.Code, c.status, c.message)
			}
		})
	}
}

func TestPartsAreRefused(t *testing.T) {
	w := newWorld(t)
	document := b64(w.sign(t, "some document", detached))
	good := form("pkcs7", document, "document", "some document")
	many := make([]string, 0, 2*maxParts+2)
	for i := range maxParts + 1 {
		many = append(many, fmt.Sprint("field", i), "")
	}
	small := w.newServer(t, func(c *Config, _ *Deps) { c.Limits.Multipart = 1024 })
	narrow := w.newServer(t, func(c *Config, _ *Deps) { c.Limits.Body = 1024 })
	for name, c := range map[string]struct {
		server *Server
		path   string
		body   string
		code   int
		text   string
	}{
		"no document":          {w.server, pathDetached, form("pkcs7", document), 400, "the multipart body has no part named document"},
		"no PKCS#7":            {w.server, pathDetached, form("document", "x"), 400, "the multipart body has no part named pkcs7"},
		"no PKCS#7 to report":  {w.server, pathReport, form("document", "x"), 400, "the multipart body has no part named pkcs7"},
		"no parts":             {w.server, pathDetached, boundary + "--\r\n", 400, "the multipart body has no part named pkcs7"},
		"two documents":        {w.server, pathDetached, form("document", "x", "document", "y", "pkcs7", document), 400, "the multipart body has two parts named document"},
		"two PKCS#7":           {w.server, pathDetached, form("pkcs7", document, "pkcs7", document, "document", "y"), 400, "the multipart body has two parts named pkcs7"},
		"empty PKCS#7":         {w.server, pathDetached, form("pkcs7", " \r\n", "document", "x"), 400, "the part named pkcs7 is empty"},
		"PKCS#7 of signs":      {w.server, pathDetached, form("pkcs7", "?!", "document", "x"), 400, "the part named pkcs7 is not base64"},
		"too many parts":       {w.server, pathDetached, form(many...), 400, "the multipart body has more than 16 parts"},
		"nothing":              {w.server, pathDetached, "", 400, "the multipart body is damaged or cut short"},
		"no boundary in it":    {w.server, pathDetached, document, 400, "the multipart body is damaged or cut short"},
		"cut in the document":  {w.server, pathDetached, good[:strings.Index(good, "some doc")+4], 400, "the multipart body is damaged or cut short"},
		"cut in the PKCS#7":    {w.server, pathDetached, good[:500], 400, "the body could not be read"},
		"cut before the end":   {w.server, pathDetached, strings.TrimSuffix(good, boundary+"--\r\n"), 400, "the multipart body is damaged or cut short"},
		"document in base64":   {w.server, pathDetached, strings.Replace(good, "\r\n\r\nsome", "\r\nContent-Transfer-Encoding: base64\r\n\r\nsome", 1), 400, "the part named document has Content-Transfer-Encoding 'base64': send it as it is"},
		"quoted-printable":     {w.server, pathDetached, strings.Replace(good, "\r\n\r\nMI", "\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nMI", 1), 400, "the part named pkcs7 has Content-Transfer-Encoding"},
		"larger than allowed":  {small, pathDetached, good, 413, "the multipart body is larger than the allowed 1024 bytes"},
		"larger for a report":  {small, pathReport, good, 413, "the multipart body is larger than the allowed 1024 bytes"},
		"PKCS#7 beyond a body": {narrow, pathDetached, good, 413, "the body is larger than the allowed 1024 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, length := range []bool{true, false} {
				r := newRequest(c.path, c.body, "Content-Type", formType)
				if !length {
					r.ContentLength = -1 // chunked
				}
				rec := answerTo(c.server, r)
				if rec.Code != c.code || !strings.Contains(rec.Body.String(), c.text) {
					t.Errorf("HTTP %d %s, want %d %s", rec.Code, rec.Body, c.code, c.text)
				}
			}
		})
	}
}

// A large document may stop to come; the answer says so.
func TestPartsThatStopAreATimeOut(t *testing.T) {
	w := newWorld(t)
	for _, end := range []string{"", "some"} {
		r := newRequest(pathDetached, "", "Content-Type", formType)
		head := strings.SplitAfter(form("document", "some document"), "\r\n\r\n")[0]
		r.Body, r.ContentLength = io.NopCloser(io.MultiReader(strings.NewReader(head+end), brokenReader{os.ErrDeadlineExceeded})), -1
		rec := answerTo(w.server, r)
		if rec.Code != http.StatusRequestTimeout {
			t.Errorf("HTTP %d %s", rec.Code, rec.Body)
		}
	}
}

type brokenReader struct{ err error }

func (b brokenReader) Read([]byte) (int, error) { return 0, b.err }

// Content-Types that clients make up do not make their text a form.
func TestATypeWithoutBoundaryIsNoForm(t *testing.T) {
	w := newWorld(t)
	body := b64([]byte("some document")) + "|" + b64(w.sign(t, "some document", detached))
	for _, kind := range []string{"multipart/form-data", "multipart/mixed; boundary=x", "multipart/form-data; boundary", "application/pkcs7"} {
		w.post(t, pathDetached, body, "Content-Type", kind).want(t, statusOK, MessageNone)
	}
}

// repeated is a document that takes no memory.
type repeated struct {
	piece []byte
	left  int64
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(int64(len(p)), r.left)], r.piece)
	r.left -= int64(n)
	return n, nil
}

// TestALargeDocumentTakesNoMemory sends 256 MiB over a real connection to a
// server that takes no body of more than 1 MiB otherwise.
func TestALargeDocumentTakesNoMemory(t *testing.T) {
	const size = 256 << 20
	// SHA-256, so that the test is not about the speed of a hash.
	w := newWorldOf(t, testpki.New(t, "rsa:2048"), func(c *Config, _ *Deps) { c.Limits.Body = 1 << 20 })
	piece := bytes.Repeat([]byte("0123456789abcdef"), 4<<10)
	content := func() io.Reader { return &repeated{piece, size} }
	hash := alg.SHA256().New()
	if _, err := io.Copy(hash, content()); err != nil {
		t.Fatal(err)
	}
	document := signDigest(t, w, hash.Sum(nil))

	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.server.serveHTTP(ctx, ln, w.server.Handler()) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()

	var most uint64
	stop := make(chan struct{})
	watched := make(chan struct{})
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	go func() {
		defer close(watched)
		for {
			var now runtime.MemStats
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapInuse)
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	whole := strings.SplitAfter(form("pkcs7", b64(document), "document", "\x00"), "\x00")
	head, tail := strings.TrimSuffix(whole[0], "\x00"), whole[1]
	r, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+ln.Addr().String()+pathDetached, io.MultiReader(strings.NewReader(head), content(), strings.NewReader(tail)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", formType)
	start := time.Now()
	res, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var v reply
	if err := json.NewDecoder(res.Body).Decode(&v); err != nil {
		t.Fatal(err)
	}
	close(stop)
	<-watched
	grown := int64(most) - int64(before.HeapInuse)
	t.Logf("%d MiB in %v, heap grew by at most %d KiB", size>>20, time.Since(start), grown>>10)
	if v.Status != statusOK {
		t.Errorf("status %d %s", v.Status, v.Message)
	}
	if grown > 40<<20 {
		t.Errorf("the heap grew by %d octets", grown)
	}
}

// signDigest makes a detached document over a content that has this digest.
func signDigest(t testing.TB, w *world, digest []byte) []byte {
	t.Helper()
	key, c := w.user.Key, w.user.Cert
	attrs := ber.SetOf(cms.NewAttribute(cms.OIDContentType, cms.OIDData.DER()).Raw, cms.NewAttribute(cms.OIDMessageDigest, ber.OctetString(digest)).Raw)
	signature, err := key.SignMessage(rand.Reader, attrs)
	if err != nil {
		t.Fatal(err)
	}
	algorithm := key.Digest().Identifier().Marshal()
	signer := ber.Sequence(ber.Int64(1), ber.Sequence(c.RawIssuer, ber.Int(c.Serial)), algorithm,
		append([]byte{ber.ContextConstructed(0)}, attrs[1:]...), key.SignatureAlgorithm().Marshal(), ber.OctetString(signature))
	return ber.Sequence(cms.OIDSignedData.DER(), ber.Tagged(ber.ContextConstructed(0), ber.Sequence(
		ber.Int64(1), ber.Set(algorithm), ber.Sequence(cms.OIDData.DER()),
		ber.Tagged(ber.ContextConstructed(0), c.Raw, w.CA.Cert.Raw), ber.Set(signer))))
}

// newRequest is a request to serve.
func newRequest(path, body string, headers ...string) *http.Request {
	r := httptest.NewRequest("POST", path, strings.NewReader(body))
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

func answerTo(s *Server, r *http.Request) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	s.Handler().ServeHTTP(rec, r)
	return rec
}

// FuzzForms sends bodies of parts, batches and report pages: whatever is in
// them, the answer is a verdict, a page that is whole, or one line.
func FuzzForms(f *testing.F) {
	w := newWorldOf(f, testpki.New(f, "ecdsa:P-256"))
	separate := b64(w.sign(f, "some document", detached))
	for i, body := range []string{
		form("pkcs7", separate, "document", "some document"), form("document", "some document", "pkcs7", separate), form("pkcs7", separate),
		form(), "", boundary, boundary + "\r\n\r\n", form("pkcs7", separate)[:100], form("document", "x", "document", "x"),
		batchBody("a", separate+"|"+b64([]byte("some document"))), `{"documents":[]}`, `{"documents":[null]}`, "[[[", separate, "QQ==|" + separate,
	} {
		for kind := range byte(4) {
			f.Add(kind+byte(4*i), body)
		}
	}
	f.Fuzz(func(t *testing.T, kind byte, body string) {
		path := []string{pathDetached, pathReport, pathReport + "?format=html", pathBatch}[kind%4]
		headers := []string{}
		if kind&4 == 0 && path != pathBatch {
			headers = []string{"Content-Type", formType}
		}
		rec := answerTo(w.server, newRequest(path, body, headers...))
		switch {
		case rec.Code == http.StatusBadRequest:
			plainLine(t, rec)
		case rec.Code != http.StatusOK:
			t.Fatalf("HTTP %d %s", rec.Code, rec.Body)
		case kind%4 == 2:
			checkPage(t, rec.Body.String(), rec.Header().Get("Content-Security-Policy"))
		default:
			var v struct{ Status *int }
			if err := json.Unmarshal(rec.Body.Bytes(), &v); err != nil || v.Status == nil {
				t.Fatalf("%v in %s", err, rec.Body)
			}
		}
	})
}
