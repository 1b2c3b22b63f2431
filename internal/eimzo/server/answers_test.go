package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/ocsp"
	"imzo/verify"
)

// TestOwnRepliesKeepTheirShape holds the replies of endpoints that no guide
// has against samples: the same fields in the same order, the same types.
func TestOwnRepliesKeepTheirShape(t *testing.T) {
	w := newWorld(t)
	revoked := w.User(t, guideSubject)
	w.set(revoked.Cert, ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: w.Now.Add(-time.Hour), Reason: 6})
	wrong := stampWith(t, w.sign(t, "x"), func(si *cms.SignerInfo) []byte { return token(t, &w.authority, si, []byte("another")) })
	for name, c := range map[string]struct{ path, body string }{
		"digest":                     {pathDigest, "some document"},
		"certificate-status":         {pathCertStatus, string(cert.EncodePEM(w.user.Cert, w.CA.Cert))},
		"certificate-status-revoked": {pathCertStatus, string(cert.EncodePEM(revoked.Cert, w.CA.Cert))},
		"certificate-status-none":    {pathCertStatus, b64([]byte("none"))},
		"restamp":                    {pathRestamp, b64(wrong)},
		"restamp-impossible":         {pathRestamp, b64([]byte("none"))},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", "own", name+".json"))
			if err != nil {
				t.Fatal(err)
			}
			var want bytes.Buffer
			if err := json.Compact(&want, text); err != nil {
				t.Fatal(err)
			}
			got := w.call("POST", c.path, c.body).Body.Bytes()
			if got, want := shape(t, got), shape(t, want.Bytes()); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			_, gotCode, _ := bytes.Cut(got, []byte(`,"code":`))
			if _, wantCode, ok := bytes.Cut(want.Bytes(), []byte(`,"code":`)); !ok || !bytes.Equal(gotCode, wantCode) {
				t.Errorf("code %s, want %s", gotCode, wantCode)
			}
		})
	}
}

// source answers about certificates as a test wants it to.
type source func(c *cert.Certificate) (*verify.RevocationStatus, error)

func (f source) Status(_ context.Context, c, _ *cert.Certificate) (*verify.RevocationStatus, error) {
	return f(c)
}

func TestCertificateStatusBelievesOnlyAnswersOfNow(t *testing.T) {
	w := newWorld(t)
	body := string(cert.EncodePEM(w.user.Cert, w.CA.Cert))
	good := verify.RevocationStatus{Status: ocsp.Good, ThisUpdate: w.Now, NextUpdate: w.Now.Add(time.Minute)}
	with := func(change func(*verify.RevocationStatus)) source {
		return func(*cert.Certificate) (*verify.RevocationStatus, error) {
			s := good
			change(&s)
			return &s, nil
		}
	}
	for name, c := range map[string]struct {
		source  source
		status  int
		message Message
		says    string
	}{
		"good":              {with(func(*verify.RevocationStatus) {}), statusOK, MessageNone, ""},
		"good, without end": {with(func(s *verify.RevocationStatus) { s.NextUpdate = time.Time{} }), statusOK, MessageNone, ""},
		"no answer": {func(*cert.Certificate) (*verify.RevocationStatus, error) {
			return nil, errors.New("10.0.0.7: refused")
		}, statusUnknown, MessageStatusUnknown, "gave no usable answer"},
		"neither answer nor error": {func(*cert.Certificate) (*verify.RevocationStatus, error) { return nil, nil }, statusUnknown, MessageStatusUnknown, "gave no usable answer"},
		"unknown":                  {with(func(s *verify.RevocationStatus) { s.Status = ocsp.Unknown }), statusUnknown, MessageStatusUnknown, "does not know"},
		"undated":                  {with(func(s *verify.RevocationStatus) { s.ThisUpdate = time.Time{} }), statusUnknown, MessageStatusUnknown, "gave no usable answer"},
		"of the future":            {with(func(s *verify.RevocationStatus) { s.ThisUpdate = w.Now.Add(time.Hour) }), statusUnknown, MessageStatusUnknown, "gave no usable answer"},
		"stale":                    {with(func(s *verify.RevocationStatus) { s.NextUpdate = w.Now.Add(-time.Hour) }), statusUnknown, MessageStatusUnknown, "gave no usable answer"},
		"revoked": {with(func(s *verify.RevocationStatus) {
			s.Status, s.RevokedAt, s.Reason = ocsp.Revoked, w.Now.Add(-time.Hour), 1
		}), statusCertificate, MessageCertificate, "the certificate was revoked on 2026-01-01 16:00:00."},
		"suspended": {with(func(s *verify.RevocationStatus) { s.Status, s.Reason = ocsp.Revoked, 6 }), statusCertificate, MessageCertificate, "the certificate is suspended."},
		"CA revoked": {func(c *cert.Certificate) (*verify.RevocationStatus, error) {
			s := good
			if c.Equal(w.CA.Cert) {
				s.Status, s.RevokedAt = ocsp.Revoked, w.Now
			}
			return &s, nil
		}, statusCertificate, MessageCertificate, "the CA certificate is revoked."},
		"CA not known": {func(c *cert.Certificate) (*verify.RevocationStatus, error) {
			if c.Equal(w.CA.Cert) {
				return nil, errors.New("10.0.0.7: refused")
			}
			return &good, nil
		}, statusUnknown, MessageStatusUnknown, "status of the CA certificate is unknown"},
	} {
		s := w.newServer(t, func(conf *Config, d *Deps) { conf.CheckCARevocation, d.Revocation = true, c.source })
		rec := callServer(s, "POST", pathCertStatus, body)
		decode(t, rec).want(t, c.status, c.message)
		v := into[certificateStatusView](t, callServer(s, "POST", pathCertStatus, body, "Accept-Language", "en"))
		if !strings.Contains(v.Message, c.says) || c.says != "" && !strings.Contains(v.Message, "Certificate "+w.user.Cert.SerialHex()+": ") {
			t.Errorf("%s: %q, want %q", name, v.Message, c.says)
		}
		if v.CertificateVerified != (c.status == statusOK) || (v.Exception == "") != (c.status == statusOK) || strings.Contains(rec.Body.String(), "10.0.0.7") {
			t.Errorf("%s: %.1000s", name, rec.Body)
		}
	}
}

func TestCertificateStatusKnowsWhoIsAllowed(t *testing.T) {
	w := newWorld(t)
	body := string(cert.EncodePEM(w.user.Cert, w.CA.Cert))
	for says, c := range map[string]struct {
		policies, cas []string
		status        int
		message       Message
	}{
		"":               {[]string{w.user.Cert.PolicyIdentifiers[0].String()}, []string{fingerprintHex(w.CA.Cert)}, statusOK, MessageNone},
		"policy.allowed": {[]string{"1.2.3"}, nil, statusPolicy, MessagePolicy},
		"ca.allowed":     {nil, []string{"1"}, statusCA, MessageCA},
	} {
		s := w.newServer(t, func(conf *Config, _ *Deps) { conf.AllowedPolicies, conf.AllowedCAs = c.policies, c.cas })
		v := decode(t, callServer(s, "POST", pathCertStatus, body))
		v.want(t, c.status, c.message)
		if !strings.Contains(v.Message, says) || !strings.Contains(v.raw, `"certificateVerified":true`) {
			t.Errorf("%s", v.raw)
		}
	}
}

func TestRestampAsksAboutTheAuthoritiesOfDetachedDocumentsToo(t *testing.T) {
	w := newWorld(t)
	stolen := w.Issue(t, w.CA, tsaTemplate(t, w), w.KeySpec)
	document := w.withTSA(t, w.sign(t, "text", detached), stolen)
	if v := into[restampView](t, w.call("POST", pathRestamp, b64(document))); len(v.Replaced) != 0 || !bytes.Equal(v.PKCS7, document) {
		t.Fatalf("a good token was replaced: %+v", v.Replaced)
	}
	w.set(stolen.Cert, ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: w.Now.Add(-time.Minute), Reason: 1})
	v := into[restampView](t, w.call("POST", pathRestamp, b64(document)))
	if len(v.Replaced) != 1 || !strings.Contains(v.Replaced[0].Exception, "revoked") || len(v.TimestampedSignerList) != 1 {
		t.Fatalf("%+v", v)
	}
	w.post(t, pathDetached, b64([]byte("text"))+"|"+b64(v.PKCS7)).want(t, statusOK, MessageNone)
}

// TestRestampKeepsSignersApart, also such as have the same signature twice.
func TestRestampKeepsSignersApart(t *testing.T) {
	w := newWorld(t)
	second := w.User(t, "CN=SECOND")
	for name, options := range map[string]func(*cms.Signer, *cms.Options){
		"BER": func(*cms.Signer, *cms.Options) {},
		"DER": func(_ *cms.Signer, o *cms.Options) { o.DER = true },
	} {
		t.Run(name, func(t *testing.T) {
			both, err := parsed(t, w.sign(t, "text", options)).AddSigner(nil, cms.Signer{Key: second.Key, Chain: second.Chain[:2], SigningTime: w.now()}, nil)
			if err != nil {
				t.Fatal(err)
			}
			before := parsed(t, both)
			// The first has a good token, the second one of another signature.
			n := 0
			mixed := stampWith(t, both, func(si *cms.SignerInfo) []byte {
				if n++; n == 1 {
					return token(t, &w.authority, si, si.Signature)
				}
				return token(t, &w.authority, si, []byte("another"))
			})
			v := into[restampView](t, w.call("POST", pathRestamp, b64(mixed)))
			if len(v.Replaced) != 1 || v.Replaced[0].SignerSerialNumber != second.Cert.SerialHex() || len(v.TimestampedSignerList) != 1 || v.TimestampedSignerList[0].SerialNumber != second.Cert.SerialHex() {
				t.Fatalf("%+v %+v", v.Replaced, v.TimestampedSignerList)
			}
			after := parsed(t, v.PKCS7)
			for i, si := range before.SignerInfos {
				if got := after.SignerInfos[i]; !bytes.Equal(got.Signature, si.Signature) || !bytes.Equal(got.RawSignedAttrs, si.RawSignedAttrs) {
					t.Errorf("signer %d was rewritten", i)
				}
			}
			if after.Indefinite != before.Indefinite || !bytes.Equal(after.SignerInfos[0].Raw, parsed(t, mixed).SignerInfos[0].Raw) {
				t.Error("more was changed than the one signer")
			}
			w.post(t, pathAttached, b64(v.PKCS7)).want(t, statusOK, MessageNone)
		})
	}
}

// TestRestampHasTimeForTokensWhenNobodyAnswersAboutTheOld: a responder that
// keeps silent takes half the time.
func TestRestampHasTimeForTokensWhenNobodyAnswersAboutTheOld(t *testing.T) {
	w := newWorld(t)
	w.server.patience = time.Second
	second := w.User(t, "CN=SECOND")
	document, err := parsed(t, w.stamped(t, w.sign(t, "text"))).AddSigner(nil, cms.Signer{Key: second.Key, Chain: second.Chain[:2], SigningTime: w.now()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	defer close(done)
	w.breakOCSP(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-done:
		}
	})
	v := into[restampView](t, w.call("POST", pathRestamp, b64(document)))
	if v.Status != statusOK || len(v.Replaced) != 0 || len(v.TimestampedSignerList) != 1 {
		t.Errorf("%+v", v)
	}
	w.breakOCSP(nil)
	other := w.newServer(t) // this one may still be waiting
	decode(t, callServer(other, "POST", pathAttached, b64(v.PKCS7))).want(t, statusOK, MessageNone)
}

func TestOwnEndpointsAreTheBackEndsOnly(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{pathDigest, pathCertStatus, pathRestamp} {
		if r := w.server.routes[path]; r.side != backend || r.serve == nil {
			t.Errorf("%s: %+v", path, r.side)
		}
	}
}

// FuzzCertificateStatus checks that what is no certificate and no
// document with one is said to be none, and that nothing panics.
func FuzzCertificateStatus(f *testing.F) {
	pki := testpki.New(f, "ozdst")
	user := pki.User(f, guideSubject)
	f.Add(string(cert.EncodePEM(user.Cert, pki.CA.Cert)))
	f.Add(b64(user.Cert.Raw))
	f.Add(string(user.Cert.Raw))
	document, err := cms.Sign([]byte("x"), []cms.Signer{{Key: user.Key, Chain: user.Chain}}, cms.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b64(document))
	f.Add("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----")
	f.Fuzz(func(t *testing.T, text string) {
		subject, bag := certificatesOf([]byte(text))
		if subject == nil && len(bag) > 0 {
			t.Error("a bag without a certificate")
		}
		if subject != nil && (len(subject.Raw) == 0 || subject.SerialHex() == "") {
			t.Errorf("%v", subject)
		}
	})
}
