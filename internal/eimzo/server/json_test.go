package server

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"strings"
	"testing"

	"imzo/internal/eimzo/pkcs7info"
	"imzo/pki/cms"
	"imzo/verify"
)

func TestBase64OfAnswersIsThatOfTheStandardLibrary(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for n := range 200 {
		src := make([]byte, n)
		for i := range src {
			src[i] = byte(rng.Uint32())
		}
		want := base64.RawStdEncoding.EncodeToString(src)
		dst := append(make([]byte, len(want)), "beyond"...)
		encodeBase64(dst[:len(want)], src)
		if string(dst) != want+"beyond" {
			t.Fatalf("%x: %q, want %q", src, dst, want)
		}
	}
}

// wholeView is the view as it is documented, with the content in it.
func wholeView(v verifyView, report *verify.Report, content []byte) verifyView {
	if v.PKCS7Info != nil && !report.Detached {
		info := *v.PKCS7Info
		info.DocumentBase64 = &content
		v.PKCS7Info = &info
	}
	return v
}

// The content goes out by itself, and nobody can tell from the answer.
func TestAnswersWithContentAreTheJSONOfTheirView(t *testing.T) {
	w := newWorld(t)
	failed := &pkcs7info.Signer{Signature: "it's = <b>", Exception: strings.Repeat("x='y'", 40_000)}
	for _, size := range []int{0, 1, 2, 3, 999, 1000, 1001, 48 << 10, 64<<10 - 1, 200_000} {
		content := bytes.Repeat([]byte{0xfb, 0xef, 0xbe, 0x00, '='}, size/5+1)[:size]
		for name, mod := range map[string]func(*cms.Signer, *cms.Options){
			"BER":      func(*cms.Signer, *cms.Options) {},
			"DER":      func(_ *cms.Signer, o *cms.Options) { o.DER = true },
			"detached": detached,
		} {
			document := w.sign(t, string(content), mod)
			options := w.server.verifyOptions(goodStatus{w.now})
			options.OmitContent = true
			beside := []byte(nil)
			if name == "detached" {
				beside = content
			}
			report, err := verify.Document(t.Context(), document, beside, options)
			if err != nil || report.Content != nil {
				t.Fatal(err, "content was made")
			}
			for _, f := range []*pkcs7info.Signer{nil, failed} {
				r := httptest.NewRequest("POST", pathAttached, nil)
				v := w.server.verifyView(r, judged{report: report, outcome: success})
				v.FailedSignerInfo = f
				rec := httptest.NewRecorder()
				writeVerify(rec, v, report)
				want := httptest.NewRecorder()
				writeJSON(want, wholeView(v, report, content))
				if rec.Body.String() != want.Body.String() {
					t.Fatalf("%s, %d octets:\n%.300s\nwant\n%.300s", name, size, rec.Body, want.Body)
				}
				if got := rec.Header().Get("Content-Length"); got != fmt.Sprint(rec.Body.Len()) || !json.Valid(rec.Body.Bytes()) {
					t.Errorf("%s, %d octets: Content-Length %s of %d", name, size, got, rec.Body.Len())
				}
			}
		}
	}
}

func TestAnswersAboutNoDocumentHaveNoContent(t *testing.T) {
	w := newWorld(t)
	report, err := verify.Document(t.Context(), []byte{0x30, 0x00}, nil, w.server.verifyOptions(nil))
	if err != nil {
		t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	writeVerify(rec, verifyView{result: result{Status: statusSignature}}, report)
	if got := rec.Body.String(); got != `{"status":-10,"message":""}` {
		t.Error(got)
	}
}

// brokenPipe takes some octets and then fails.
type brokenPipe struct{ left int }

func (b *brokenPipe) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, errors.New("broken pipe")
	}
	return len(p), nil
}

func TestAWriterThatFailedWritesNoMore(t *testing.T) {
	pipe := &brokenPipe{left: gsonBuffer}
	out := newGsonWriter(pipe)
	defer out.free()
	out.escape(bytes.Repeat([]byte("a='b'"), gsonBuffer))
	left := pipe.left
	if _, err := (*base64Writer)(out).Write(make([]byte, 3*gsonBuffer)); err == nil {
		t.Error("no error")
	}
	out.text("the end")
	out.flush()
	if out.err == nil || pipe.left != left {
		t.Errorf("%v, %d octets after it", out.err, left-pipe.left)
	}
}

// Buffers are used again, and nothing of one answer stands in another.
func TestAnswersShareNoMemory(t *testing.T) {
	for i := range 50 {
		rec := httptest.NewRecorder()
		text := strings.Repeat(fmt.Sprint(i, "='"), 100*i)
		writeJSON(rec, result{Message: text})
		var back result
		if err := json.Unmarshal(rec.Body.Bytes(), &back); err != nil || back.Message != text {
			t.Fatalf("%d: %v", i, err)
		}
	}
	large := newText()
	large.encode(strings.Repeat("x", 2*maxPooled))
	large.free()
	for range 10 {
		if again := newText(); again == large || again.Len() != 0 {
			t.Fatal("a large buffer stays for ever")
		}
	}
}
