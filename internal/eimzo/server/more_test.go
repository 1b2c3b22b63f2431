package server

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"imzo/internal/httpx"
	"imzo/internal/testpki"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/ocsp"
)

const (
	pathDigest     = "/backend/digest"
	pathCertStatus = "/backend/certificate/status"
	pathRestamp    = "/backend/pkcs7/restamp"
)

func into[T any](t *testing.T, rec *httptest.ResponseRecorder) (v T) {
	t.Helper()
	if rec.Code != http.StatusOK {
		t.Fatalf("HTTP %d %s", rec.Code, rec.Body)
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &v); err != nil {
		t.Fatalf("%v: %s", err, rec.Body)
	}
	return v
}

func TestDigestIsThatOfTheOctetsThatCame(t *testing.T) {
	w := newWorld(t)
	for query, c := range map[string]struct{ body, algorithm, want string }{
		"":                                {"some document", "OZDST-1106-2009-2-A", "3369cd520c8e556502b9bc0ac34ca69cafee96f2f4a8371a63d4dd7d3a458d05"},
		"?encoding=raw":                   {"", "OZDST-1106-2009-2-A", "981e5f3ca30c841487830f84fb433e13ac1101569b9c13584ac483234cd656c0"},
		"?encoding=base64":                {b64([]byte("some document")) + "\r\n", "OZDST-1106-2009-2-A", "3369cd520c8e556502b9bc0ac34ca69cafee96f2f4a8371a63d4dd7d3a458d05"},
		"?algorithm=SHA-256&encoding=raw": {"abc", "SHA-256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	} {
		v := into[digestView](t, w.call("POST", pathDigest+query, c.body))
		if v.Status != statusOK || v.DigestHex != c.want || v.Algorithm != c.algorithm || v.Code != "ok" {
			t.Errorf("%q: %+v", query, v)
		}
	}
	for query, body := range map[string]string{"?algorithm=rot13": "x", "?encoding=hex": "x", "?encoding=base64": "%%%"} {
		if rec := w.call("POST", pathDigest+query, body); rec.Code != http.StatusBadRequest {
			t.Errorf("%q: HTTP %d %s", query, rec.Code, rec.Body)
		}
	}
	if rec := w.call("POST", pathDigest+"?algorithm=rot13", "x"); !strings.Contains(rec.Body.String(), "OZDST-1106-2009-2-A") {
		t.Errorf("the answer does not say what there is: %s", rec.Body)
	}
}

// TestALargeBodyIsHashedAndNotKept: it is larger than any that is kept, and
// the bound of all bodies does not know of it.
func TestALargeBodyIsHashedAndNotKept(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *Deps) { c.Limits.Body, c.Limits.Memory, c.Limits.Multipart = 1000, 1000, 100_000 })
	h := httpx.Wrap(w.server.Handler(), httpx.Options{MaxBody: w.server.config.Limits.Body, BodyLimit: w.server.bodyLimit, Memory: w.server.memory})
	for size, want := range map[int]int{100_000: 200, 100_001: 413} {
		for _, chunked := range []bool{false, true} {
			r := httptest.NewRequest("POST", pathDigest, strings.NewReader(strings.Repeat("x", size)))
			if chunked {
				r.ContentLength = -1
			}
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, r)
			if rec.Code != want {
				t.Errorf("%d octets, chunked %v: HTTP %d %s", size, chunked, rec.Code, rec.Body)
			}
		}
	}
}

func TestCertificateStatusIsThatOfNow(t *testing.T) {
	w := newWorld(t)
	expired := w.Issue(t, w.CA, func(tmpl *cert.Template) {
		w.UserTemplate(t, tmpl, "CN=EXPIRED")
		tmpl.NotAfter = w.Now.Add(-time.Hour)
	}, w.KeySpec)
	revoked, held, unknown := w.User(t, "CN=REVOKED"), w.User(t, "CN=HELD"), w.User(t, "CN=UNKNOWN")
	w.set(revoked.Cert, ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: w.Now.Add(-time.Hour), Reason: 1})
	w.set(held.Cert, ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: w.Now.Add(-time.Hour), Reason: 6})
	w.set(unknown.Cert, ocsp.StatusInfo{Status: ocsp.Unknown})
	stranger := testpki.New(t, "ozdst").User(t, "CN=STRANGER")
	both := func(e testpki.Entity) string { return string(cert.EncodePEM(e.Cert, w.CA.Cert)) }
	for name, c := range map[string]struct {
		body     string
		status   int
		message  Message
		verified bool
		revoked  string
	}{
		"PEM":             {both(w.user), statusOK, MessageNone, true, ""},
		"DER in base64":   {b64(append(append([]byte{}, w.user.Cert.Raw...), w.CA.Cert.Raw...)), statusOK, MessageNone, true, ""},
		"DER":             {string(w.user.Cert.Raw) + string(w.CA.Cert.Raw), statusOK, MessageNone, true, ""},
		"PKCS#7":          {b64(w.sign(t, "x")), statusOK, MessageNone, true, ""},
		"without its CA":  {string(cert.EncodePEM(w.user.Cert)), statusCertificate, MessageCertificate, false, ""},
		"a stranger":      {both(stranger), statusCertificate, MessageCertificate, false, ""},
		"expired":         {both(expired), statusValidity, MessageValidity, false, ""},
		"revoked":         {both(revoked), statusCertificate, MessageCertificate, false, "keyCompromise"},
		"held":            {both(held), statusCertificate, MessageCertificate, false, "certificateHold"},
		"unknown":         {both(unknown), statusUnknown, MessageStatusUnknown, false, ""},
		"no certificate":  {b64([]byte("hello")), statusCertificate, MessageNotCertificate, false, ""},
		"no base64":       {"<certificate>", statusCertificate, MessageNotCertificate, false, ""},
		"the root itself": {string(w.Root.Cert.Raw), statusOK, MessageNone, true, ""},
	} {
		rec := w.call("POST", pathCertStatus, c.body)
		v := into[certificateStatusView](t, rec)
		decode(t, rec).want(t, c.status, c.message)
		if v.CertificateVerified != c.verified {
			t.Errorf("%s: certificateVerified %v: %s", name, v.CertificateVerified, rec.Body)
		}
		if (v.RevokedStatusInfo != nil) != (c.revoked != "") || v.RevokedStatusInfo != nil && v.RevokedStatusInfo.CRLReason != c.revoked {
			t.Errorf("%s: revokedStatusInfo %+v", name, v.RevokedStatusInfo)
		}
	}
	v := into[certificateStatusView](t, w.call("POST", pathCertStatus, both(w.user)))
	if v.SubjectCertificateInfo.SerialNumber != w.user.Cert.SerialHex() || len(v.Certificate) != 3 || v.TrustedCertificate.SerialNumber != w.Root.Cert.SerialHex() ||
		len(v.OCSPResponse) == 0 || v.StatusUpdatedAt == "" || v.StatusNextUpdateAt == "" || !v.CertificateValid {
		t.Errorf("%+v", v)
	}
	w.breakOCSP(func(rw http.ResponseWriter, _ *http.Request) { http.Error(rw, "out of order", 500) })
	rec := w.call("POST", pathCertStatus, both(w.user))
	decode(t, rec).want(t, statusUnknown, MessageStatusUnknown)
	if strings.Contains(rec.Body.String(), "127.0.0.1") {
		t.Errorf("the answer tells of our network: %s", rec.Body)
	}
	if rec := w.call("POST", pathCertStatus, ""); rec.Code != http.StatusBadRequest {
		t.Errorf("empty: HTTP %d", rec.Code)
	}
}

func TestRestampReplacesWhatFailedAndNothingElse(t *testing.T) {
	w := newWorld(t)
	otherTSA := testpki.New(t, "ozdst").TSA
	plain := w.sign(t, "some document")
	good := w.stamped(t, plain)
	wrong := stampWith(t, plain, func(si *cms.SignerInfo) []byte { return token(t, &w.authority, si, []byte("another signature")) })
	strange := w.withTSA(t, plain, otherTSA)
	// One token that is right, and one that is not.
	mixed := stampWith(t, good, func(si *cms.SignerInfo) []byte { return token(t, &w.authority, si, []byte("another signature")) })
	separate := w.stampedDetached(t)
	for name, c := range map[string]struct {
		document          []byte
		stamped, replaced int
	}{
		"none":                 {plain, 1, 0},
		"a good one":           {good, 0, 0},
		"of another signature": {wrong, 1, 1},
		"of a stranger":        {strange, 1, 1},
		"one of two":           {mixed, 0, 1},
		"detached":             {separate, 1, 1},
	} {
		v := into[restampView](t, w.call("POST", pathRestamp, b64(c.document)))
		if v.Status != statusOK || len(v.TimestampedSignerList) != c.stamped || len(v.Replaced) != c.replaced {
			t.Errorf("%s: %d stamped, %d replaced, %s", name, len(v.TimestampedSignerList), len(v.Replaced), v.Message)
		}
		for _, r := range v.Replaced {
			if r.Exception == "" || r.SignerSerialNumber != w.user.Cert.SerialHex() {
				t.Errorf("%s: %+v", name, r)
			}
		}
		body, path := b64(v.PKCS7), pathAttached
		if name == "detached" {
			body, path = b64([]byte("some document"))+"|"+body, pathDetached
		}
		w.post(t, path, body).want(t, statusOK, MessageNone)
		if name == "a good one" && string(v.PKCS7) != string(good) {
			t.Error("a document without fault was changed")
		}
	}
	// A status that cannot be asked for is no failure of the token.
	w.set(w.TSA.Cert, ocsp.StatusInfo{Status: ocsp.Unknown})
	if v := into[restampView](t, w.call("POST", pathRestamp, b64(good))); len(v.Replaced) != 0 || string(v.PKCS7) != string(good) {
		t.Errorf("%+v", v.Replaced)
	}
	if v := into[restampView](t, w.call("POST", pathRestamp, b64([]byte("x")))); v.Status != statusSignature || v.Message == "" || len(v.PKCS7) != 0 {
		t.Errorf("no document: %+v", v)
	}
	w.breakTSA(func(rw http.ResponseWriter, _ *http.Request) { http.Error(rw, "out of order", 500) })
	if rec := w.call("POST", pathRestamp, b64(wrong)); rec.Code != http.StatusServiceUnavailable {
		t.Errorf("no authority: HTTP %d", rec.Code)
	}
	if rec := w.call("POST", pathRestamp, ""); rec.Code != http.StatusBadRequest {
		t.Errorf("empty: HTTP %d", rec.Code)
	}
}

// stampedDetached is a detached document with a token over something else.
func (w *world) stampedDetached(t *testing.T) []byte {
	t.Helper()
	return stampWith(t, w.sign(t, "some document", detached), func(si *cms.SignerInfo) []byte {
		return token(t, &w.authority, si, []byte("another signature"))
	})
}
