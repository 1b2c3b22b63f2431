package server

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"imzo/internal/i18n"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/ocsp"
)

func TestMessagesSayWhoseSignatureAndWhatIsWrong(t *testing.T) {
	w := newWorld(t)
	second := w.User(t, "CN=SECOND")
	document, err := parsed(t, w.sign(t, "text")).AddSigner(nil, cms.Signer{Key: second.Key, Chain: second.Chain[:2], SigningTime: w.now()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	revokedAt := w.now().Add(-time.Hour)
	w.set(second.Cert, ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: revokedAt, Reason: 1})
	at := revokedAt.In(tashkent(t)).Format(time.DateTime)
	serial := second.Cert.SerialHex()
	russian := "Сертификат недействителен. Подпись 2 (SECOND, сертификат " + serial + "): "
	for language, want := range map[string]string{
		"":      russian,
		"de":    russian,
		"uz":    "Sertifikat yaroqsiz. 2-imzo (SECOND, sertifikat " + serial + "): ",
		"en-US": "The certificate is invalid. Signature 2 (SECOND, certificate " + serial + "): the certificate was revoked on " + at + ".",
	} {
		v := w.post(t, pathAttached, b64(document), "Accept-Language", language)
		if !strings.HasPrefix(v.Message, want) || !strings.Contains(v.Message, at) || v.Code != "certificate" || v.Status != statusCertificate {
			t.Errorf("%q: %d %s %q\nwant %q", language, v.Status, v.Code, v.Message, want)
		}
		if v.FailedSignerInfo == nil || v.FailedSignerInfo.Certificate[0].SerialNumber != serial || len(v.PKCS7Info.Signers) != 2 {
			t.Errorf("%q: failedSignerInfo %+v", language, v.FailedSignerInfo)
		}
	}
}

func TestEachKindOfFailureHasItsWords(t *testing.T) {
	w := newWorld(t)
	expired := w.Issue(t, w.CA, func(tmpl *cert.Template) {
		w.UserTemplate(t, tmpl, "CN=EXPIRED")
		tmpl.NotAfter = w.Now.Add(-time.Hour)
	}, w.KeySpec)
	held, unknown := w.User(t, "CN=HELD"), w.User(t, "CN=UNKNOWN")
	w.set(held.Cert, ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: w.Now.Add(-time.Hour), Reason: 6})
	w.set(unknown.Cert, ocsp.StatusInfo{Status: ocsp.Unknown})
	otherToken := stampWith(t, w.sign(t, "x"), func(si *cms.SignerInfo) []byte { return token(t, &w.authority, si, []byte("another")) })
	for name, c := range map[string]struct{ path, body, want string }{
		"no document":    {pathAttached, b64([]byte("x")), "no PKCS#7"},
		"no content":     {pathAttached, b64(w.sign(t, "x", detached)), "not inside the PKCS#7"},
		"two contents":   {pathDetached, b64([]byte("x")) + "|" + b64(w.sign(t, "x")), "came beside it"},
		"another":        {pathDetached, b64([]byte("y")) + "|" + b64(w.sign(t, "x", detached)), "not the one that was signed"},
		"expired":        {pathAttached, b64(w.signAs(t, expired, "x")), "the certificate expired on"},
		"too early":      {pathAttached, b64(w.sign(t, "x", signedAt(w.Now.AddDate(-1, 0, -1)))), "the certificate is valid from"},
		"held":           {pathAttached, b64(w.signAs(t, held, "x")), "the certificate was suspended on"},
		"not known":      {pathAttached, b64(w.signAs(t, unknown, "x")), "does not know this certificate"},
		"other token":    {pathAttached, b64(otherToken), "the timestamp was made for another signature."},
		"log-in of none": {pathAuth, b64([]byte("x")), "no PKCS#7"},
	} {
		v := w.post(t, c.path, c.body, "Accept-Language", "en")
		if !strings.Contains(v.Message, c.want) || v.Status == statusOK {
			t.Errorf("%s: %d %q, want %q", name, v.Status, v.Message, c.want)
		}
	}
	early := w.post(t, pathAuth, b64(w.sign(t, w.challenge(t), signedAt(w.Now.Add(-time.Hour)))), "Accept-Language", "en")
	if !strings.Contains(early.Message, "the time of the signature is 2026-01-01 16:00:00, the server's is 2026-01-01 17:00:00.") {
		t.Error(early.Message)
	}
	two, err := parsed(t, w.sign(t, w.challenge(t))).AddSigner(nil, cms.Signer{Key: held.Key, Chain: held.Chain[:2], SigningTime: w.now()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if v := w.post(t, pathAuth, b64(two), "Accept-Language", "en"); !strings.Contains(v.Message, "exactly one signature") {
		t.Error(v.Message)
	}
	w.breakOCSP(func(rw http.ResponseWriter, _ *http.Request) { http.Error(rw, "out of order", 500) })
	v := w.post(t, pathAttached, b64(w.sign(t, "x")), "Accept-Language", "en")
	if !strings.Contains(v.Message, "gave no usable answer") || strings.Contains(v.Message, "127.0.0.1") {
		t.Error(v.Message)
	}
	// A name that fills a page does not fill the message.
	long := w.User(t, "CN="+strings.Repeat("Ж", 1000))
	if v := w.post(t, pathAttached, b64(w.signAs(t, long, "x"))); len(v.Message) > 1500 {
		t.Errorf("%d octets", len(v.Message))
	}
	// The language of the configuration.
	s := w.newServer(t, func(c *Config, _ *Deps) { c.Language = i18n.Uzbek })
	if v := decode(t, callServer(s, "POST", pathAuth, b64(w.sign(t, "never issued")))); v.Message != MessageChallenge.text(i18n.Uzbek) || v.Code != "challenge" {
		t.Error(v.Code, v.Message)
	}
}
