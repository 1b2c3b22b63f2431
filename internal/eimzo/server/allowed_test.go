package server

import (
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

func TestRepliesNameTheirRequest(t *testing.T) {
	w := newWorld(t)
	h := httpx.Wrap(w.server.Handler(), httpx.Options{})
	r := httptest.NewRequest("GET", "/frontend/challenge", nil)
	r.Header.Set("X-Request-Id", "abc-123")
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	if !strings.HasSuffix(rec.Body.String(), `"status":1,"message":"","code":"ok","requestId":"abc-123"}`) || rec.Header().Get("X-Request-Id") != "abc-123" {
		t.Error(rec.Body)
	}
}

func TestOnlyAllowedPoliciesAndCAsCount(t *testing.T) {
	w := newWorld(t)
	withPolicy := w.Issue(t, w.CA, func(tmpl *cert.Template) { w.UserTemplate(t, tmpl, "CN=WITH POLICY") }, w.KeySpec)
	if len(withPolicy.Cert.PolicyIdentifiers) == 0 {
		t.Fatal("the test's user has no policy")
	}
	policy := withPolicy.Cert.PolicyIdentifiers[0].String()
	fingerprint := fingerprintHex(w.CA.Cert)
	for name, c := range map[string]struct {
		policies, cas []string
		want          int
		message       Message
	}{
		"no restriction":      {nil, nil, statusOK, MessageNone},
		"the policy":          {[]string{"1.2.3", policy}, nil, statusOK, MessageNone},
		"another policy":      {[]string{"1.2.3"}, nil, statusPolicy, MessagePolicy},
		"the CA's serial":     {nil, []string{w.CA.Cert.SerialHex()}, statusOK, MessageNone},
		"the CA's digest":     {nil, []string{fingerprint}, statusOK, MessageNone},
		"another CA":          {nil, []string{"1"}, statusCA, MessageCA},
		"the root":            {nil, []string{w.Root.Cert.SerialHex()}, statusCA, MessageCA}, // it did not issue the certificate
		"the signer's serial": {nil, []string{withPolicy.Cert.SerialHex()}, statusCA, MessageCA},
		"neither":             {[]string{"1.2.3"}, []string{"1"}, statusPolicy, MessagePolicy},
	} {
		s := w.newServer(t, func(c2 *Config, _ *Deps) { c2.AllowedPolicies, c2.AllowedCAs = c.policies, c.cas })
		document := w.signAs(t, withPolicy, "text")
		separate := w.signAs(t, withPolicy, "text", detached)
		for path, body := range map[string]string{pathAttached: b64(document), pathDetached: b64([]byte("text")) + "|" + b64(separate)} {
			v := decode(t, callServer(s, "POST", path, body))
			v.want(t, c.want, c.message)
			if (v.FailedSignerInfo != nil) != (c.want != statusOK) {
				t.Errorf("%s %s: failedSignerInfo %v", name, path, v.FailedSignerInfo)
			} else if v.FailedSignerInfo != nil && !strings.Contains(v.FailedSignerInfo.Exception, ".allowed") {
				t.Errorf("%s %s: exception %q", name, path, v.FailedSignerInfo.Exception)
			}
		}
		challenge := decode(t, callServer(s, "GET", "/frontend/challenge", "")).Challenge
		v := decode(t, callServer(s, "POST", pathAuth, b64(w.signAs(t, withPolicy, challenge))))
		v.want(t, c.want, c.message)
		if (v.SubjectCertificateInfo != nil) != (c.want == statusOK) {
			t.Errorf("%s: subjectCertificateInfo %v", name, v.SubjectCertificateInfo)
		}
	}
}

// TestTheFirstSignerWithAFailureDecides, whether it is his signature or that
// he may not sign here.
func TestTheFirstSignerWithAFailureDecides(t *testing.T) {
	w := newWorld(t)
	good := w.Issue(t, w.CA, func(tmpl *cert.Template) { w.UserTemplate(t, tmpl, "CN=GOOD") }, w.KeySpec)
	policy := good.Cert.PolicyIdentifiers[0].String()
	bare := w.Issue(t, w.CA, func(tmpl *cert.Template) {
		w.UserTemplate(t, tmpl, "CN=BARE")
		tmpl.Policies = nil
	}, w.KeySpec)
	w.set(good.Cert, ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: w.now().Add(-time.Hour), Reason: 1})
	s := w.newServer(t, func(c *Config, _ *Deps) { c.AllowedPolicies = []string{policy} })
	signed := func(first, second testpki.Entity) []byte {
		document, err := parsed(t, w.signAs(t, first, "text")).AddSigner(nil, cms.Signer{Key: second.Key, Chain: second.Chain[:2], SigningTime: w.now()}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return document
	}
	decode(t, callServer(s, "POST", pathAttached, b64(signed(bare, good)))).want(t, statusPolicy, MessagePolicy)
	decode(t, callServer(s, "POST", pathAttached, b64(signed(good, bare)))).want(t, statusCertificate, MessageCertificate)
}
