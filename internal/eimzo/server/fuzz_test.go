package server

import (
	"encoding/json"
	"net/http"
	"testing"

	"imzo/internal/testpki"
)

// FuzzBodies sends bodies to every endpoint. None may bring the server down or
// be answered with anything but JSON with a status, or one line of 400 or 404.
func FuzzBodies(f *testing.F) {
	w := newWorldOf(f, testpki.New(f, "ecdsa:P-256"))
	attached, separate := w.sign(f, "x"), w.sign(f, "x", detached)
	stamped := w.stamped(f, attached)
	paths := []string{pathAuth, pathAttached, pathDetached, pathMake, pathJoin, pathStamp, pathData, "/ping", "/info", "/frontend/challenge", "/other"}
	for _, body := range []string{
		b64(attached), b64(stamped), b64([]byte("x")) + "|" + b64(separate), b64(attached) + "|" + b64(stamped),
		"", "|", "a|b", "%", "%7C", "AAAA", "MIAG", "-----BEGIN PKCS7-----\nMIAG\n-----END PKCS7-----\n", b64(attached[:50]), string(attached),
	} {
		for path := range paths {
			f.Add(byte(path), body)
		}
	}
	f.Fuzz(func(t *testing.T, path byte, body string) {
		p := paths[int(path)%len(paths)]
		rec := w.call("POST", p, body)
		switch rec.Code {
		case http.StatusOK:
			var v struct{ Status *int }
			if err := json.Unmarshal(rec.Body.Bytes(), &v); err != nil {
				t.Fatalf("%s: %v in %s", p, err, rec.Body)
			}
			if v.Status == nil && p != "/ping" && p != "/info" {
				t.Fatalf("%s: no status in %s", p, rec.Body)
			}
		case http.StatusBadRequest, http.StatusNotFound:
			plainLine(t, rec)
		default:
			t.Fatalf("%s: HTTP %d %s", p, rec.Code, rec.Body)
		}
	})
}

// FuzzChangedDocument changes one octet of a document that is right: whatever
// octet it is, the document must no longer be valid.
func FuzzChangedDocument(f *testing.F) {
	w := newWorldOf(f, testpki.New(f, "ecdsa:P-256"))
	document := w.stamped(f, w.sign(f, "some document"))
	for i := 0; i < len(document); i += 97 {
		f.Add(uint(i), byte(1))
	}
	f.Fuzz(func(t *testing.T, at uint, change byte) {
		if change == 0 {
			return
		}
		b := append([]byte{}, document...)
		b[at%uint(len(b))] ^= change
		v := w.post(t, pathAttached, b64(b))
		if v.Status == statusOK {
			t.Fatalf("octet %d of %d changed by %#x is still valid", at%uint(len(b)), len(b), change)
		}
	})
}
