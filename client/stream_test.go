package client

import (
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"
)

// zeros are data that nobody has in memory.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestStreamedDocumentsComeAsTheyAre(t *testing.T) {
	const size = 64 << 20
	var names []string
	var pkcs7 string
	var length int64
	var announced int64
	c, _ := serverOf(t, func(w http.ResponseWriter, r *http.Request) {
		announced = r.ContentLength
		_, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if err != nil {
			t.Error(err)
		}
		parts := multipart.NewReader(r.Body, parameters["boundary"])
		for {
			part, err := parts.NextPart()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Error(err)
				break
			}
			names = append(names, part.FormName())
			if part.FormName() == "pkcs7" {
				text, _ := io.ReadAll(part)
				pkcs7 = string(text)
			} else {
				length, _ = io.Copy(io.Discard, part)
			}
		}
		answerWith(`{"status":-10}`)(w, r)
	}, Options{})
	_, err := c.VerifyDetachedStream(t.Context(), User{}, io.LimitReader(zeros{}, size), "QUJD+/==")
	if !errors.Is(err, DocumentSignatureInvalid) {
		t.Error(err)
	}
	if strings.Join(names, " ") != "pkcs7 document" || pkcs7 != "QUJD+/==" || length != size || announced != -1 {
		t.Errorf("%v %q %d %d", names, pkcs7, length, announced)
	}
	if _, err := c.VerifyDetachedStream(t.Context(), User{}, zeros{}, " "); !errors.Is(err, ErrNotBase64) {
		t.Error(err)
	}
}

func TestStreamsAreNotSentAgain(t *testing.T) {
	calls := 0
	c, waits := serverOf(t, func(w http.ResponseWriter, r *http.Request) {
		calls++
		_, _ = io.Copy(io.Discard, r.Body)
		http.Error(w, "later", http.StatusServiceUnavailable)
	}, Options{})
	var answer *HTTPError
	if _, err := c.Digest(t.Context(), "", strings.NewReader("x")); !errors.As(err, &answer) || calls != 1 || len(*waits) != 0 {
		t.Error(err, calls)
	}
	if _, err := c.VerifyDetachedStream(t.Context(), User{}, strings.NewReader("x"), "QQ=="); !errors.As(err, &answer) || calls != 2 {
		t.Error(err, calls)
	}
}

// brokenReader is a file that cannot be read to its end.
type brokenReader struct{ err error }

func (r brokenReader) Read([]byte) (int, error) { return 0, r.err }

func TestDataThatCannotBeReadIsAnError(t *testing.T) {
	c, _ := serverOf(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		answerWith(`{"status":1,"digestHex":"00"}`)(w, r)
	}, Options{})
	why := errors.New("the disk is gone")
	if _, err := c.Digest(t.Context(), "", brokenReader{why}); !errors.Is(err, why) {
		t.Error(err)
	}
	if _, err := c.VerifyDetachedStream(t.Context(), User{}, brokenReader{why}, "QQ=="); !errors.Is(err, why) {
		t.Error(err)
	}
}

func TestStreamsEndWithTheirContextAlone(t *testing.T) {
	c, _ := serverOf(t, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(20 * time.Millisecond)
		answerWith(`{"status":1,"digestHex":"00","algorithm":"`+r.URL.Query().Get("algorithm")+`"}`)(w, r)
	}, Options{Timeout: time.Millisecond})
	if reply, err := c.Digest(t.Context(), "a b&c", strings.NewReader("x")); err != nil || reply.Algorithm != "a b&c" || reply.DigestHex != "00" {
		t.Error(reply, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Digest(ctx, "", strings.NewReader("x")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
