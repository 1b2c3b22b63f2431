package server

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"imzo/internal/config"
	"imzo/internal/httpx"
	"imzo/internal/store"
	"imzo/pki/alg"
	"imzo/pki/cert"
	"imzo/pki/keystore"
	"imzo/pki/ocsp"
	"imzo/pki/tsp"
	"imzo/verify"
)

// troubled is everything that a server depends on, with a trouble that a test
// can change while the server runs.
type troubled struct {
	challenges store.Challenges
	revocation verify.RevocationSource
	tsa        TSA
	// trouble, when set, comes before every call.
	trouble func() error
}

func (d *troubled) before() error {
	if d.trouble == nil {
		return nil
	}
	return d.trouble()
}

type troubledStore struct{ *troubled }

func (s troubledStore) Issue(ctx context.Context, c string, ttl time.Duration) error {
	if err := s.before(); err != nil {
		return err
	}
	return s.challenges.Issue(ctx, c, ttl)
}

func (s troubledStore) Take(ctx context.Context, c string) (bool, error) {
	if err := s.before(); err != nil {
		return false, err
	}
	return s.challenges.Take(ctx, c)
}

func (s troubledStore) Ping(ctx context.Context) error {
	return errors.Join(s.before(), s.challenges.Ping(ctx))
}

func (s troubledStore) Close() error { return s.challenges.Close() }

type troubledRevocation struct{ *troubled }

func (s troubledRevocation) Status(ctx context.Context, c, issuer *cert.Certificate) (*verify.RevocationStatus, error) {
	if err := s.before(); err != nil {
		return nil, err
	}
	return s.revocation.Status(ctx, c, issuer)
}

type troubledTSA struct{ *troubled }

func (s troubledTSA) Stamp(ctx context.Context, signer *cert.Certificate, d *alg.Digest, message []byte) (*tsp.Token, error) {
	if err := s.before(); err != nil {
		return nil, err
	}
	return s.tsa.Stamp(ctx, signer, d, message)
}

var statusOfReply = regexp.MustCompile(`"status":(-?\d+)`)

// forbidden are the texts that must not be found, by what they are: every
// secret as it is, in hex and in base64 at each of the three places where an
// octet may begin.
func forbidden(secrets map[string][]byte) map[string]string {
	out := map[string]string{}
	for name, secret := range secrets {
		out[name] = string(secret)
		out[name+" in hex"] = hex.EncodeToString(secret)
		out[name+" percent-encoded"] = url.QueryEscape(string(secret))
		for shift := range 3 {
			// What stands before and behind spoils the first and last characters.
			text := base64.RawStdEncoding.EncodeToString(append(make([]byte, shift), secret...))
			out[fmt.Sprintf("%s in base64, %d", name, shift)] = text[4 : len(text)-3]
		}
	}
	return out
}

// TestNothingOfDocumentsAndKeysIsWrittenWhateverHappens sends documents with a
// marker in their content, a private key and nonsense to every endpoint, while
// all is well, while each thing that the server depends on is broken, and while
// it panics. In the log at its finest level, the metrics and every answer but
// those that hand a document back, there must be no part of them.
func TestNothingOfDocumentsAndKeysIsWrittenWhateverHappens(t *testing.T) {
	const (
		marker    = "CONTENTSECRET-of-a-contract-7391"
		token     = "TOKENSECRET-0123456789-0123456789"
		inAddress = "ADDRESSSECRET-0123456789"
	)
	var logs lockedBuffer
	w := newWorld(t)
	deps := &troubled{challenges: w.server.deps.Challenges, revocation: w.server.deps.Revocation, tsa: w.server.deps.TSA}
	s := w.newServer(t, func(c *Config, d *Deps) {
		c.BackendToken, c.DSV = config.NewSecret(token), true
		// For readiness alone: deps are asked for all else.
		c.OCSPURLs = []string{"http://user:" + inAddress + "@127.0.0.1:1/"}
		c.TSPURLs = []string{"http://user:" + inAddress + "@" + strings.TrimPrefix(w.tsa.URL, "http://")}
		d.Logger = slog.New(slog.NewJSONHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
		d.Challenges, d.Revocation, d.TSA = troubledStore{deps}, troubledRevocation{deps}, troubledTSA{deps}
	})
	const maxBody = 64 << 10
	h := httpx.Wrap(s.Handler(), httpx.Options{Logger: s.deps.Logger, MaxBody: maxBody, BodyLimit: func(*http.Request) int64 { return maxBody }})

	key, err := keystore.MarshalPKCS8(w.user.Key)
	if err != nil {
		t.Fatal(err)
	}
	attached, separate := w.sign(t, marker), w.sign(t, marker, detached)
	stamped := w.stamped(t, attached)
	content := b64([]byte(marker))
	other := b64([]byte(strings.Repeat("another document ", 10)))
	broken := bytes.Clone(attached)
	broken[len(broken)-10] ^= 1
	type body struct{ text, contentType string }
	bodies := map[string]body{
		"nothing":                 {},
		"an attached document":    {text: b64(attached)},
		"a stamped one":           {text: b64(stamped)},
		"one changed":             {text: b64(broken)},
		"one cut short":           {text: b64(attached[:len(attached)/2])},
		"one as DER":              {text: string(attached)},
		"one as PEM":              {text: "-----BEGIN PKCS7-----\n" + b64(attached) + "\n-----END PKCS7-----\n"},
		"a detached one":          {text: content + "|" + b64(separate)},
		"one of another content":  {text: other + "|" + b64(separate)},
		"two documents":           {text: b64(attached) + "|" + b64(attached)},
		"content":                 {text: content},
		"content that is no code": {text: marker},
		"content and nonsense":    {text: content + "|" + marker},
		"a private key":           {text: b64(key)},
		"a private key as it is":  {text: string(key)},
		"a certificate":           {text: b64(w.user.Cert.Raw)},
		"a form":                  {form("pkcs7", b64(separate), "document", marker), formType},
		"a form of nonsense":      {form("pkcs7", marker, "document", marker, marker, marker), formType},
		"a form cut short":        {form("document", marker, "pkcs7", b64(separate))[:200], formType},
		"a batch":                 {batchBody("a", b64(attached), "b", b64(broken), "c", content), "application/json"},
		"a batch of nonsense":     {`{"documents":[{"id":{"` + marker + `":1},"pkcs7":"` + marker + `"}]}`, "application/json"},
		"a broken batch":          {`{"documents":"` + marker, "application/json"},
		"a SOAP call":             {`<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><verifyPkcs7 xmlns="http://v1.pkcs7.plugin.server.dsv.eimzo.yt.uz/"><pkcs7B64>` + content + `</pkcs7B64></verifyPkcs7></e:Body></e:Envelope>`, "text/xml"},
		"too much":                {text: strings.Repeat(content, 2*maxBody/len(content))},
	}

	var answers strings.Builder
	codes := map[int]bool{}
	ask := func(path string, b body, headers ...string) (status string) {
		r := httptest.NewRequest("POST", path, strings.NewReader(b.text))
		r.Header.Set("Content-Type", b.contentType)
		r.Header.Set("Authorization", "Bearer "+token)
		for i := 0; i+1 < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		codes[rec.Code] = true
		text := rec.Body.String()
		if m := statusOfReply.FindStringSubmatch(text); m != nil {
			status = m[1]
		}
		fmt.Fprintln(&answers, path, rec.Code, rec.Header())
		// Documents that are handed back stand in their answers, where they
		// belong; so does the content of what was verified.
		handsBack := strings.Contains(text, `B64":"`) || strings.Contains(text, `b64":"`) || strings.Contains(text, "Base64") || strings.Contains(text, "base64&")
		if rec.Code != http.StatusOK || !handsBack {
			fmt.Fprintln(&answers, text)
		}
		return status
	}
	statuses := map[string]bool{}
	scenario := func(what string) {
		t.Helper()
		login := b64(w.sign(t, w.challenge(t)))
		// Of another server's store, which is the same one.
		statuses[ask(pathAuth, body{text: login})] = true
		for _, path := range append(s.Routes(), "/no/such/path") {
			for _, b := range bodies {
				statuses[ask(path, b)] = true
			}
			for _, headers := range [][]string{{"Authorization", "Bearer " + token[:20]}, {"Accept", "text/html"}, {"Accept-Language", "uz"}} {
				statuses[ask(path, bodies["one changed"], headers...)] = true
			}
		}
		if logs.Len() == 0 {
			t.Errorf("%s: nothing is in the log", what)
		}
	}
	scenario("all is well")
	w.set(w.user.Cert, ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: w.now().Add(-time.Hour), Reason: 1})
	scenario("a revoked certificate")
	w.set(w.user.Cert, ocsp.StatusInfo{Status: ocsp.Good})
	deps.trouble = func() error { return errors.New("out of order") }
	scenario("nothing answers")
	deps.trouble = func() error { panic("out of its mind") }
	scenario("a panic wherever others are asked")
	deps.trouble = nil
	w.advance(w.user.Cert.NotAfter.Sub(w.now()) + time.Hour)
	scenario("the signer's certificate has expired")
	w.advance(w.Root.Cert.NotAfter.Sub(w.now()) + time.Hour)
	scenario("all has expired")

	if !strings.Contains(logs.String(), `"msg":"panic"`) {
		t.Error("there was no panic")
	}
	for _, code := range []int{200, 400, 401, 404, 413, 503} {
		if !codes[code] {
			t.Errorf("HTTP %d did not come up", code)
		}
	}
	for _, status := range []string{"1", "-1", "-10", "-11", "-12", "-20"} {
		if !statuses[status] {
			t.Errorf("status %s did not come up", status)
		}
	}

	secrets := map[string][]byte{"content": []byte(marker), "the token": []byte(token), "the password in an address": []byte(inAddress)}
	// Whatever of the key does not stand in its certificate, as the public
	// half and the names of algorithms do.
	for i := 0; i+16 <= len(key); i += 8 {
		if part := key[i : i+16]; !bytes.Contains(w.user.Cert.Raw, part[4:12]) {
			secrets[fmt.Sprintf("octets %d of a private key", i)] = part
		}
	}
	if len(secrets) < 5 {
		t.Fatalf("only %d secrets to look for", len(secrets))
	}
	looked := forbidden(secrets)
	for i := 0; i+24 <= len(attached); i += 24 {
		// Neither is a document to be found by its other parts, apart from
		// the certificates in it, which answers show.
		part := attached[i : i+24]
		if !slices.ContainsFunc(w.user.Chain, func(c *cert.Certificate) bool { return bytes.Contains(c.Raw, part[8:16]) }) {
			looked[fmt.Sprintf("octets %d of a document", i)] = base64.StdEncoding.EncodeToString(part)
		}
	}
	// What is looked for is really there to be found.
	var sent strings.Builder
	for _, b := range bodies {
		sent.WriteString(b.text)
	}
	for what, secret := range looked {
		if strings.Contains(what, " of a document") || what == "content" || what == "content in base64, 0" || strings.HasSuffix(what, " of a private key") {
			if !strings.Contains(sent.String(), secret) {
				t.Errorf("%s was never sent", what)
			}
		}
	}
	page := httptest.NewRecorder()
	s.deps.Metrics.Handler().ServeHTTP(page, httptest.NewRequest("GET", "/metrics", nil))
	for name, text := range map[string]string{"the log": logs.String(), "the answers": answers.String(), "the metrics": page.Body.String()} {
		if len(text) < 1000 {
			t.Errorf("%s: only %q", name, text)
		}
		for what, secret := range looked {
			if i := strings.Index(text, secret); i >= 0 {
				t.Errorf("%s is in %s: ...%.300s", what, name, text[max(0, i-150):])
			}
		}
	}
	t.Logf("%d octets of log, %d of answers, %d of metrics, for %d texts", logs.Len(), answers.Len(), page.Body.Len(), len(looked))
}
