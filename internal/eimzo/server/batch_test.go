package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"imzo/pki/cert"
	"imzo/pki/ocsp"
	"imzo/verify"
)

// batchReply is the answer to a batch.
type batchReply struct {
	Results []struct {
		ID string `json:"id"`
		verifyView
	} `json:"results"`
	result
}

// batchBody writes a batch of ids and PKCS#7 documents in turn; after '|' is
// the content of a detached one.
func batchBody(pairs ...string) string {
	var items []map[string]string
	for i := 0; i < len(pairs); i += 2 {
		item := map[string]string{"id": pairs[i]}
		var detached bool
		var content string
		item["pkcs7"], content, detached = strings.Cut(pairs[i+1], "|")
		if detached {
			item["document"] = content
		}
		items = append(items, item)
	}
	text, _ := json.Marshal(map[string]any{"documents": items})
	return string(text)
}

func (w *world) batch(t testing.TB, s *Server, body string) batchReply {
	t.Helper()
	rec := answerTo(s, newRequest(pathBatch, body, "Content-Type", "application/json"))
	if rec.Code != http.StatusOK || rec.Header().Get("Content-Type") != "application/json; charset=UTF-8" || rec.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("HTTP %d %s: %.300s", rec.Code, rec.Header(), rec.Body)
	}
	var v batchReply
	if err := json.Unmarshal(rec.Body.Bytes(), &v); err != nil {
		t.Fatalf("%v in %.500s", err, rec.Body)
	}
	return v
}

func TestABatchAnswersAsVerifyDoes(t *testing.T) {
	w := newWorld(t)
	revoked := w.User(t, "CN=REVOKED")
	w.set(revoked.Cert, ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: w.Now.Add(-time.Hour), Reason: 1})
	attached := b64(w.stamped(t, w.sign(t, "some document")))
	separate := b64(w.sign(t, "other document", detached))
	bad := b64(w.signAs(t, revoked, "x"))
	v := w.batch(t, w.server, batchBody(
		"first", attached, "", separate+"|"+b64([]byte("other document")), "wrong", separate+"|QQ==",
		"revoked", bad, "empty", b64(w.sign(t, "", detached))+"|", "none", "QQ==", "left out", separate))
	want := []struct {
		id     string
		status int
	}{{"first", 1}, {"", 1}, {"wrong", -10}, {"revoked", -11}, {"empty", 1}, {"none", -10}, {"left out", -10}}
	if len(v.Results) != len(want) {
		t.Fatalf("%d results", len(v.Results))
	}
	for i, r := range v.Results {
		if r.ID != want[i].id || r.Status != want[i].status {
			t.Errorf("%d: %q has status %d, want %q %d", i, r.ID, r.Status, want[i].id, want[i].status)
		}
		if (r.Status == statusOK) != (r.FailedSignerInfo == nil && r.PKCS7Info != nil) {
			t.Errorf("%q: status %d with failed %v", r.ID, r.Status, r.FailedSignerInfo)
		}
	}
	if v.Status != statusSignature || v.Code != "signature" || v.Message != v.Results[2].Message {
		t.Errorf("whole: %d %s %q", v.Status, v.Code, v.Message)
	}
	// A result is what verify answers.
	alone := w.post(t, pathAttached, bad)
	alone.PKCS7Info.Signers[0].OCSPResponse, v.Results[3].PKCS7Info.Signers[0].OCSPResponse = nil, nil
	alone.FailedSignerInfo.OCSPResponse, v.Results[3].FailedSignerInfo.OCSPResponse = nil, nil
	got, _ := json.Marshal(v.Results[3].verifyView)
	if one, _ := json.Marshal(alone.verifyView); string(got) != string(one) {
		t.Errorf("got\n%s\nwant\n%s", got, one)
	}
}

func TestABatchOfValidDocumentsIsASuccess(t *testing.T) {
	w := newWorld(t)
	document := b64(w.sign(t, "x"))
	var pairs []string
	for i := range maxBatch {
		pairs = append(pairs, fmt.Sprint(i), document)
	}
	v := w.batch(t, w.server, batchBody(pairs...))
	if len(v.Results) != maxBatch || v.Status != statusOK || v.Message != "" || v.Code != "ok" {
		t.Errorf("%d results, %d %s %q", len(v.Results), v.Status, v.Code, v.Message)
	}
	for i, r := range v.Results {
		if r.ID != fmt.Sprint(i) || r.Status != statusOK {
			t.Fatalf("%d: %q %d", i, r.ID, r.Status)
		}
	}
	// An audit line and a count for each.
	if n := strings.Count(w.logs.String(), `"msg":"verdict"`); n != maxBatch {
		t.Errorf("%d verdicts logged", n)
	}
}

func TestTheReplyToABatchIsGolden(t *testing.T) {
	w := newWorld(t)
	rec := answerTo(w.server, newRequest(pathBatch, batchBody("a=1", "QQ==", "b'<2>", "QUI=")))
	want := `{"results":[{"id":"a\u003d1","status":-10,"message":MESSAGE,"code":"signature"},{"id":"b\u0027\u003c2\u003e","status":-10,"message":MESSAGE,"code":"signature"}],"status":-10,"message":MESSAGE,"code":"signature"}`
	var v batchReply
	if err := json.Unmarshal(rec.Body.Bytes(), &v); err != nil {
		t.Fatal(err)
	}
	quoted, _ := json.Marshal(v.Message)
	message := strings.NewReplacer("=", `\u003d`, "'", `\u0027`).Replace(string(quoted))
	if want = strings.ReplaceAll(want, "MESSAGE", message); v.Message == "" || rec.Body.String() != want {
		t.Errorf("got  %s\nwant %s", rec.Body, want)
	}
}

func TestBatchesAreRefused(t *testing.T) {
	w := newWorld(t)
	document := b64(w.sign(t, "x"))
	var many []string
	for range maxBatch + 1 {
		many = append(many, "", document)
	}
	small := w.newServer(t, func(c *Config, _ *Deps) { c.Limits.Body = 1024 })
	for name, c := range map[string]struct {
		server *Server
		body   string
		code   int
		text   string
	}{
		"nothing":            {w.server, " ", 400, "the body is empty"},
		"no JSON":            {w.server, document, 400, "the body is not the JSON of a batch"},
		"cut":                {w.server, batchBody("", document)[:500], 400, "the body is not the JSON of a batch"},
		"something after it": {w.server, batchBody("", document) + "{}", 400, "the body is not the JSON of a batch"},
		"a list":             {w.server, "[]", 400, "the body is not the JSON of a batch"},
		"a number as id":     {w.server, `{"documents":[{"id":1,"pkcs7":"QQ=="}]}`, 400, "the body is not the JSON of a batch"},
		"no documents":       {w.server, `{}`, 400, "the batch has no documents"},
		"too many":           {w.server, batchBody(many...), 400, "the batch has 101 documents, allowed are 100"},
		"a long id":          {w.server, batchBody(strings.Repeat("x", 256), document), 400, "documents[0].id is longer than 255 bytes"},
		"no PKCS#7":          {w.server, `{"documents":[{"pkcs7":"QQ=="},{"id":"b"}]}`, 400, "the documents[1].pkcs7 is not base64"},
		"signs":              {w.server, batchBody("a", "?!"), 400, "the documents[0].pkcs7 is not base64"},
		"a document of text": {w.server, batchBody("a", document+"|some document?"), 400, "documents[0].document is not base64"},
		"too large":          {small, batchBody("a", document), 413, "larger than the allowed 1024 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			rec := answerTo(c.server, newRequest(pathBatch, c.body))
			if rec.Code != c.code || !strings.Contains(rec.Body.String(), c.text) {
				t.Errorf("HTTP %d %.300s, want %d %s", rec.Code, rec.Body, c.code, c.text)
			}
		})
	}
}

// sourceFunc is a source of statuses.
type sourceFunc func(ctx context.Context, c, issuer *cert.Certificate) (*verify.RevocationStatus, error)

func (f sourceFunc) Status(ctx context.Context, c, issuer *cert.Certificate) (*verify.RevocationStatus, error) {
	return f(ctx, c, issuer)
}

// good is the answer that a certificate is not revoked.
func (w *world) good() *verify.RevocationStatus {
	return &verify.RevocationStatus{Status: ocsp.Good, ThisUpdate: w.now(), Reason: -1}
}

func TestABatchWorksOnAFewDocumentsAtOnce(t *testing.T) {
	w := newWorld(t)
	var now, most atomic.Int32
	full := make(chan struct{})
	s := w.newServer(t, func(_ *Config, d *Deps) {
		d.Revocation = sourceFunc(func(ctx context.Context, _, _ *cert.Certificate) (*verify.RevocationStatus, error) {
			n := now.Add(1)
			defer now.Add(-1)
			for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
			}
			if n == batchWorkers {
				select {
				case full <- struct{}{}:
				default:
				}
			}
			select { // until all workers are here, and a little longer for one too many
			case <-full:
			case <-time.After(5 * time.Millisecond):
			}
			return w.good(), nil
		})
	})
	var pairs []string
	for i := range 40 {
		pairs = append(pairs, fmt.Sprint(i), b64(w.sign(t, fmt.Sprint("document ", i))))
	}
	if v := w.batch(t, s, batchBody(pairs...)); v.Status != statusOK {
		t.Errorf("status %d %s", v.Status, v.Message)
	}
	if n := most.Load(); n < 2 || n > batchWorkers {
		t.Errorf("%d at the same time", n)
	}
}

// All documents of a batch share one time limit, and what is not answered in
// it is unknown, never good.
func TestABatchEndsInTime(t *testing.T) {
	w := newWorld(t)
	s := w.newServer(t, func(_ *Config, d *Deps) {
		d.Revocation = sourceFunc(func(ctx context.Context, _, _ *cert.Certificate) (*verify.RevocationStatus, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
	})
	s.patience = 50 * time.Millisecond
	var pairs []string
	for i := range 20 {
		pairs = append(pairs, fmt.Sprint(i), b64(w.sign(t, "x")))
	}
	start := time.Now()
	v := w.batch(t, s, batchBody(pairs...))
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("took %v", took)
	}
	for _, r := range v.Results {
		if r.Status != statusUnknown {
			t.Errorf("%s: status %d", r.ID, r.Status)
		}
	}
	if v.Status != statusUnknown {
		t.Errorf("status %d", v.Status)
	}
}

// A caller that hangs up ends the work, and what was sent of the reply is no
// JSON that somebody could take for all of it.
func TestABatchThatIsGivenUpIsCutOff(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	var asked atomic.Int32
	s := w.newServer(t, func(_ *Config, d *Deps) {
		d.Revocation = sourceFunc(func(ctx context.Context, _, _ *cert.Certificate) (*verify.RevocationStatus, error) {
			if asked.Add(1) > 1 {
				cancel()
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return w.good(), nil
		})
	})
	var pairs []string
	for i := range 20 {
		pairs = append(pairs, fmt.Sprint(i), b64(w.sign(t, "x")))
	}
	defer func() {
		if p := recover(); p != nil && p != http.ErrAbortHandler {
			panic(p)
		}
		if n := asked.Load(); n > 2*batchWorkers {
			t.Errorf("%d documents were verified for nobody", n)
		}
	}()
	rec := answerTo(s, newRequest(pathBatch, batchBody(pairs...)).WithContext(ctx))
	if rec.Code != http.StatusServiceUnavailable { // when the first did not make it
		t.Errorf("HTTP %d %.300s", rec.Code, rec.Body)
	}
}

func TestAPanicInABatchIsThatOfTheRequest(t *testing.T) {
	w := newWorld(t)
	s := w.newServer(t, func(_ *Config, d *Deps) {
		d.CheckSignature = func(_, _ *cert.Certificate) error { panic("broken cache") }
	})
	defer func() {
		if p := recover(); p != "broken cache" {
			t.Errorf("%v", p)
		}
	}()
	answerTo(s, newRequest(pathBatch, batchBody("a", b64(w.sign(t, "x")), "b", b64(w.sign(t, "y")))))
	t.Error("answered")
}
