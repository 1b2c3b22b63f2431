package server

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// largeBody is the base64 of a document with that many octets of content.
func largeBody(t testing.TB, w *world, size int) (text string, document []byte) {
	t.Helper()
	document = w.sign(t, strings.Repeat("0123456789abcdef", size/16+1)[:size])
	return b64(document), document
}

// A large document is read as a small one is, in whatever form it comes.
func TestLargeDocumentsAreReadInEveryForm(t *testing.T) {
	w := newWorld(t)
	for pad := range 3 {
		plain, document := largeBody(t, w, 2<<20+pad)
		half := len(plain) / 2 &^ 3
		for name, form := range map[string]struct {
			text  string
			early bool // hashed as it came
		}{
			"plain":                    {plain, true},
			"a line end":               {plain + "\r\n", true},
			"no padding":               {strings.TrimRight(plain, "="), true},
			"much white space":         {plain + strings.Repeat("\n", 100), false},
			"white space in front":     {" " + plain, false},
			"lines":                    {wrapped(plain), false},
			"a line end late":          {plain[:half] + "\n" + plain[half:], false},
			"a line end later":         {plain[:len(plain)-20] + "\n" + plain[len(plain)-20:], false},
			"the URL alphabet":         {base64.URLEncoding.EncodeToString(document), false},
			"percent-encoded":          {url.QueryEscape(plain), false},
			"one escape late":          {plain[:half] + "%" + "4" + string("0123456789abcdef"[plain[half]&15]) + plain[half+1:], false},
			"PEM":                      {string(pem.EncodeToMemory(&pem.Block{Type: "CMS", Bytes: document})), false},
			"octets":                   {string(document), false},
			"padding in the middle":    {plain[:half] + "====" + plain[half:], false},
			"something else late":      {plain[:half] + "!" + plain[half+1:], false},
			"something else at last":   {plain[:len(plain)-5] + "!" + plain[len(plain)-4:], false},
			"two documents":            {plain + "|" + plain, false},
			"more after the padding":   {plain + "AAAA", false},
			"one digit too many":       {strings.TrimRight(plain, "=") + "A", false},
			"bad bits at the end":      {strings.TrimRight(plain, "=")[:len(strings.TrimRight(plain, "="))-1] + "_", false},
			"nothing but white space":  {strings.Repeat(" ", 2<<20), false},
			"no document but base64":   {strings.Repeat("MIIA", 1<<19), false},
			"no document and no MIIA ": {strings.Repeat("AAAA", 1<<19), false},
		} {
			if name == "one escape late" && !strings.ContainsRune("@ABCDEFGHIJKLMNO", rune(plain[half])) {
				continue // has another first digit
			}
			if name == "more after the padding" && !strings.HasSuffix(plain, "=") {
				continue // there is none
			}
			for _, slow := range []bool{false, true} {
				request := func() *http.Request {
					r := httptest.NewRequest("POST", pathAttached, strings.NewReader(form.text))
					if slow {
						r.Body = io.NopCloser(iotest.HalfReader(strings.NewReader(form.text)))
					}
					return r
				}
				want, wantErr := w.server.document(request())
				got, digest, err := w.server.streamedDocument(request())
				if !bytes.Equal(got, want) || (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
					t.Errorf("%d, %s: %d octets, %v; want %d, %v", pad, name, len(got), err, len(want), wantErr)
				}
				if h := digest.wait(); (h != nil) != (form.early && err == nil) && !strings.HasPrefix(name, "no document") && !strings.HasPrefix(name, "bad bits") && !strings.HasPrefix(name, "one digit") {
					t.Errorf("%d, %s: hashed as it came: %v", pad, name, h != nil)
				}
			}
		}
		for _, text := range []string{plain, plain + "\n", wrapped(plain)} {
			rec := callServer(w.server, "POST", pathAttached, text)
			if rec.Code != http.StatusOK || !strings.Contains(rec.Body.String(), `"status":1,`) {
				t.Errorf("HTTP %d %.200s", rec.Code, rec.Body)
			}
		}
		// One octet of the content is another one.
		changed := bytes.Clone(document)
		changed[len(changed)/2] ^= 1
		if rec := callServer(w.server, "POST", pathAttached, b64(changed)); !strings.Contains(rec.Body.String(), `"status":-10,`) {
			t.Errorf("a changed content: HTTP %d %.200s", rec.Code, rec.Body)
		}
	}
}

func wrapped(text string) string {
	var b strings.Builder
	for part := text; part != ""; {
		n := min(76, len(part))
		b.WriteString(part[:n] + "\r\n")
		part = part[n:]
	}
	return b.String()
}

// Whoever hangs up in the middle, or stops, leaves nothing behind.
func TestHalfALargeDocumentLeavesNothingBehind(t *testing.T) {
	w := newWorld(t)
	text, _ := largeBody(t, w, 2<<20)
	before := runtime.NumGoroutine()
	for name, body := range map[string]io.Reader{
		"cut":      strings.NewReader(text[:len(text)/2]),
		"an error": io.MultiReader(strings.NewReader(text[:len(text)/2]), iotest.ErrReader(errors.New("gone"))),
		"nothing":  iotest.ErrReader(errors.New("gone")),
	} {
		r := httptest.NewRequest("POST", pathAttached, body)
		r.ContentLength = int64(len(text))
		if document, digest, err := w.server.streamedDocument(r); err == nil && (name != "cut" || digest.wait() == nil) {
			t.Errorf("%s: %d octets", name, len(document))
		}
	}
	// A caller who is gone waits for no turn.
	ctx, cancel := context.WithCancel(t.Context())
	r := httptest.NewRequest("POST", pathAttached, strings.NewReader(text)).WithContext(ctx)
	cancel()
	if _, digest, err := w.server.streamedDocument(r); err == nil && digest.wait() != nil {
		t.Error("hashed for nobody")
	}
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, before %d", runtime.NumGoroutine(), before)
		}
	}
}
