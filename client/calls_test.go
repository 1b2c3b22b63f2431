package client_test

import (
	"encoding/base64"
	"encoding/pem"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"imzo/client"
	"imzo/internal/testpki"
	"imzo/internal/testpki/services"
	"imzo/pki/cms"
	"imzo/pki/tsp"
)

var user = client.User{IP: "1.2.3.4", Host: "example.uz"}

func TestAUserLogsInOncePerChallenge(t *testing.T) {
	w := startWorld(t)
	challenge, err := w.client.Challenge(t.Context())
	if err != nil || challenge.TTL != 120 || challenge.Status != client.StatusOK {
		t.Fatal(challenge, err)
	}
	answer := w.sign(challenge.Challenge)
	reply, err := w.client.Auth(t.Context(), user, answer)
	if err != nil {
		t.Fatal(err)
	}
	who := reply.SubjectCertificateInfo
	if who.CommonName() != "IVANOV IVAN IVANOVICH" || who.PINFL() != "30000000000000" || who.PersonalTIN() != "400000000" || who.TIN() != "" || who.SerialNumber != w.user.Cert.SerialHex() {
		t.Errorf("%+v", who)
	}
	if from, err := who.ValidFrom.Time(); err != nil || !from.Equal(w.user.Cert.NotBefore) {
		t.Errorf("%s %v, want %s", from, err, w.user.Cert.NotBefore)
	}

	// The same number means another thing in another call.
	reply, err = w.client.Auth(t.Context(), user, answer)
	var status *client.StatusError
	if !errors.Is(err, client.AuthChallengeNotFound) || errors.Is(err, client.DocumentTSAStatusUnknown) || !errors.As(err, &status) || reply.SubjectCertificateInfo != nil {
		t.Fatalf("%v %+v", err, reply)
	}
	if status.Reply.Status != -20 || status.Reply.Message == "" || status.Path != "/backend/auth" || !strings.Contains(err.Error(), "status -20 (challenge not found): "+status.Reply.Message) {
		t.Errorf("%+v %s", status.Reply, err)
	}
}

func TestFailuresOfAuthAreTheirStatuses(t *testing.T) {
	w := startWorld(t)
	challenge := func() string {
		c, err := w.client.Challenge(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return c.Challenge
	}
	late := w.sign(challenge())
	w.clock.Add(int64(2 * time.Minute))
	if _, err := w.client.Auth(t.Context(), user, late); !errors.Is(err, client.AuthChallengeNotFound) {
		t.Errorf("late: %v", err)
	}
	if _, err := w.client.Auth(t.Context(), user, w.signDetached(challenge())); !errors.Is(err, client.AuthSignatureInvalid) {
		t.Errorf("detached: %v", err)
	}
	stranger := testpki.New(t, "ozdst")
	if _, err := w.client.Auth(t.Context(), user, w.signAs(stranger.User(t, testpki.Person), challenge(), false)); !errors.Is(err, client.AuthCertificateInvalid) {
		t.Errorf("a stranger: %v", err)
	}
	w.clock.Add(int64(time.Hour))
	early := challenge()
	w.clock.Add(-int64(time.Hour))
	answer := w.sign(early)
	w.clock.Add(int64(time.Hour))
	if _, err := w.client.Auth(t.Context(), user, answer); !errors.Is(err, client.AuthSigningTime) {
		t.Errorf("a wrong clock: %v", err)
	}
	w.trust.SetDown(true)
	_, err := w.client.Auth(t.Context(), user, w.sign(challenge()))
	var status client.AuthStatus
	if !errors.Is(err, client.AuthStatusUnknown) || !errors.As(err, &status) || !status.Temporary() {
		t.Errorf("no responder: %v", err)
	}
}

func TestDocumentsAreStampedJoinedAndVerified(t *testing.T) {
	w := startWorld(t)
	ctx := t.Context()
	stamped, err := w.client.Timestamp(ctx, user, w.sign("some document"))
	if err != nil || len(stamped.TimestampedSignerList) != 1 || stamped.TimestampedSignerList[0].CommonName() != "IVANOV IVAN IVANOVICH" {
		t.Fatal(stamped, err)
	}
	other := w.User(t, testpki.Organisation)
	joined, err := w.client.Join(ctx, user, stamped.PKCS7, w.signAs(other, "some document", false))
	if err != nil {
		t.Fatal(err)
	}
	reply, err := w.client.VerifyAttached(ctx, user, joined.PKCS7)
	if err != nil {
		t.Fatal(err)
	}
	if info := reply.PKCS7Info; len(info.Signers) != 2 || string(info.Document) != "some document" || reply.FailedSignerInfo != nil {
		t.Fatalf("%+v", reply)
	}
	tokens := 0
	for _, s := range reply.PKCS7Info.Signers {
		if at, err := s.SigningTime.Time(); err != nil || !at.Equal(w.Now) || len(s.Certificate) < 2 || s.TrustedCertificate == nil || len(s.OCSPResponse) == 0 || s.Digest != "3369cd520c8e556502b9bc0ac34ca69cafee96f2f4a8371a63d4dd7d3a458d05" {
			t.Errorf("%+v", s)
		}
		if s.TimeStampInfo != nil {
			tokens++
			if at, err := s.TimeStampInfo.Time.Time(); err != nil || !at.Equal(w.Now) || s.TimeStampInfo.TSAPolicy != "1.2.860.3.2.11.1" {
				t.Errorf("%+v", s.TimeStampInfo)
			}
		}
	}
	if tokens != 1 {
		t.Errorf("%d timestamps", tokens)
	}

	separate := w.signDetached("some document")
	if reply, err := w.client.VerifyDetached(ctx, user, []byte("some document"), separate); err != nil || reply.PKCS7Info.Document != nil {
		t.Error(reply, err)
	}
	attached, err := w.client.MakeAttached(ctx, user, []byte("some document"), separate)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.client.VerifyAttached(ctx, user, attached.PKCS7); err != nil {
		t.Error(err)
	}
	token, err := w.client.TimestampData(ctx, user, []byte("data"))
	if err != nil || len(token.TimestampToken) == 0 {
		t.Error(token, err)
	}
}

func TestFailuresOfDocumentsAreTheirStatuses(t *testing.T) {
	w := startWorld(t)
	ctx := t.Context()
	reply, err := w.client.VerifyDetached(ctx, user, []byte("another document"), w.signDetached("some document"))
	if !errors.Is(err, client.DocumentSignatureInvalid) || reply.FailedSignerInfo == nil || reply.FailedSignerInfo.Verified {
		t.Errorf("%v %+v", err, reply)
	}
	if _, err := w.client.VerifyAttached(ctx, user, "AAAA"); !errors.Is(err, client.DocumentSignatureInvalid) {
		t.Errorf("no PKCS#7: %v", err)
	}
	if _, err := w.client.Join(ctx, user, w.sign("a"), w.sign("b")); !errors.Is(err, client.DocumentSignatureInvalid) {
		t.Errorf("join: %v", err)
	}
	if _, err := w.client.MakeAttached(ctx, user, []byte("b"), w.signDetached("a")); !errors.Is(err, client.DocumentSignatureInvalid) {
		t.Errorf("make-attached: %v", err)
	}
	if _, err := w.client.Timestamp(ctx, user, "AAAA"); !errors.Is(err, client.DocumentSignatureInvalid) {
		t.Errorf("timestamp: %v", err)
	}
	document := w.sign("some document")
	w.trust.Revoke(w.user.Cert, w.Now.Add(-time.Hour))
	reply, err = w.client.VerifyAttached(ctx, user, document)
	if !errors.Is(err, client.DocumentCertificateInvalid) || reply.FailedSignerInfo.RevokedStatusInfo == nil {
		t.Errorf("revoked: %v", err)
	}
	w.trust.SetDown(true)
	_, err = w.client.VerifyAttached(ctx, user, document)
	var status client.DocumentStatus
	if !errors.As(err, &status) || status != client.DocumentStatusUnknown || !status.Temporary() {
		t.Errorf("no responder: %v", err)
	}
}

func TestWhatIsNoDocumentIsNotSent(t *testing.T) {
	c, err := client.New("http://127.0.0.1:1", client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	for name, call := range map[string]func() error{
		"auth with a border":     func() error { _, err := c.Auth(ctx, user, "A|B"); return err },
		"attached with a border": func() error { _, err := c.VerifyAttached(ctx, user, "A|B"); return err },
		"detached with a border": func() error { _, err := c.VerifyDetached(ctx, user, nil, "A|B"); return err },
		"detached without one":   func() error { _, err := c.VerifyDetached(ctx, user, nil, " \n"); return err },
		"join with a border":     func() error { _, err := c.Join(ctx, user, "A|B", "C"); return err },
	} {
		if err := call(); !errors.Is(err, client.ErrNotBase64) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestServersTellOfThemselves(t *testing.T) {
	w := startWorld(t)
	ping, err := w.client.Ping(t.Context())
	if err != nil || ping.YourIP != "127.0.0.1" {
		t.Fatal(ping, err)
	}
	if at, err := ping.ServerDateTime.Time(); err != nil || !at.Equal(w.Now) {
		t.Errorf("%s %v", at, err)
	}
	info, err := w.client.Info(t.Context())
	if err != nil || info.Version != "1.11.4" || len(info.TrustedCertificates) != 1 || info.TrustedCertificates[0].SerialNumber != w.Root.Cert.SerialHex() {
		t.Fatal(info, err)
	}
	if at, err := info.ServerTime.Time(); err != nil || !at.Equal(w.Now) {
		t.Errorf("%s %v", at, err)
	}
}

func TestServersTellHowTheyAre(t *testing.T) {
	w := startWorld(t)
	ctx := t.Context()
	if live, err := w.client.Live(ctx); err != nil || live.Status != "ok" {
		t.Error(live, err)
	}
	ready, err := w.client.Ready(ctx)
	if err != nil || len(ready.Checks) == 0 {
		t.Error(ready, err)
	}
	if text, err := w.client.Metrics(ctx); err != nil || !strings.Contains(string(text), "imzo_") {
		t.Errorf("%.200s %v", text, err)
	}
	if text, err := w.client.OpenAPI(ctx); err != nil || !strings.HasPrefix(string(text), "{") {
		t.Errorf("%.200s %v", text, err)
	}
}

func TestAServerThatTrustsNobodyIsNotReady(t *testing.T) {
	w := startWorld(t)
	w.clock.Add(int64(100 * 365 * 24 * time.Hour)) // no root is valid any more
	ready, err := w.client.Ready(t.Context())
	if !errors.Is(err, client.ErrNotReady) || !strings.Contains(err.Error(), "trust: ") || ready.Status != "failed" {
		t.Error(ready, err)
	}
}

func TestTheBackEndIsClosedWithoutTheToken(t *testing.T) {
	w := startWorld(t)
	for _, token := range []client.Token{"", "another-secret-of-24-characters"} {
		c, err := client.New(w.http.URL, client.Options{Token: token})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.VerifyAttached(t.Context(), user, w.sign("x"))
		var answer *client.HTTPError
		if !errors.As(err, &answer) || answer.StatusCode != 401 || answer.RequestID == "" {
			t.Error(err)
		}
		if _, err := c.Challenge(t.Context()); err != nil {
			t.Error(err)
		}
		c.Close()
	}
}

func TestCertificatesAreAskedAbout(t *testing.T) {
	w := startWorld(t)
	ctx := t.Context()
	certificate := base64.StdEncoding.EncodeToString(w.user.Cert.Raw)
	chain := ""
	for _, c := range w.user.Chain {
		chain += string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
	}
	reply, err := w.client.CertificateStatus(ctx, user, chain)
	if err != nil || reply.SubjectCertificateInfo.PINFL() != "30000000000000" || len(reply.Certificate) != 3 || reply.TrustedCertificate == nil || len(reply.OCSPResponse) == 0 {
		t.Fatalf("%+v %v", reply, err)
	}
	if _, err := w.client.CertificateStatus(ctx, user, w.sign("x")); err != nil {
		t.Errorf("of a document: %v", err)
	}
	if reply, err := w.client.CertificateStatus(ctx, user, certificate); !errors.Is(err, client.DocumentCertificateInvalid) || reply.CertificateVerified {
		t.Errorf("without its CA: %+v %v", reply, err)
	}
	if _, err := w.client.CertificateStatus(ctx, user, "AAAA"); !errors.Is(err, client.DocumentCertificateInvalid) {
		t.Errorf("no certificate: %v", err)
	}
	w.trust.Revoke(w.user.Cert, w.Now.Add(-time.Hour))
	if reply, err := w.client.CertificateStatus(ctx, user, chain); !errors.Is(err, client.DocumentCertificateInvalid) || reply.RevokedStatusInfo == nil {
		t.Errorf("revoked: %+v %v", reply, err)
	}
	w.trust.SetDown(true)
	if _, err := w.client.CertificateStatus(ctx, user, chain); !errors.Is(err, client.DocumentStatusUnknown) {
		t.Errorf("no responder: %v", err)
	}
	w.trust.SetDown(false)
	w.clock.Add(int64(10 * 365 * 24 * time.Hour))
	if reply, err := w.client.CertificateStatus(ctx, user, chain); err == nil || reply.CertificateValid {
		t.Errorf("too old: %+v %v", reply, err)
	}
}

func TestFailedTimestampsAreReplaced(t *testing.T) {
	w := startWorld(t)
	ctx := t.Context()
	document := w.sign("some document")
	reply, err := w.client.Restamp(ctx, user, document)
	if err != nil || len(reply.Replaced) != 0 || len(reply.TimestampedSignerList) != 1 {
		t.Fatalf("%+v %v", reply, err)
	}
	good := reply.PKCS7
	if reply, err := w.client.Restamp(ctx, user, good); err != nil || len(reply.Replaced) != 0 || len(reply.TimestampedSignerList) != 0 {
		t.Errorf("%+v %v", reply, err)
	}
	// A token of an authority that nobody here trusts.
	stranger := testpki.New(t, "ozdst")
	other := services.Start(stranger, w.now)
	defer other.Close()
	bad := w.stampAt(t, other.TSAURL, document)
	if _, err := w.client.VerifyAttached(ctx, user, bad); !errors.Is(err, client.DocumentTSACertificateInvalid) {
		t.Fatal(err)
	}
	reply, err = w.client.Restamp(ctx, user, bad)
	if err != nil || len(reply.Replaced) != 1 || reply.Replaced[0].SignerSerialNumber != w.user.Cert.SerialHex() || reply.Replaced[0].Exception == "" {
		t.Fatalf("%+v %v", reply, err)
	}
	if at, err := reply.Replaced[0].Time.Time(); err != nil || !at.Equal(w.Now) {
		t.Errorf("%s %v", at, err)
	}
	if _, err := w.client.VerifyAttached(ctx, user, reply.PKCS7); err != nil {
		t.Error(err)
	}
	if _, err := w.client.Restamp(ctx, user, "AAAA"); !errors.Is(err, client.DocumentSignatureInvalid) {
		t.Error(err)
	}
	w.trust.SetDown(true)
	c, err := client.New(w.http.URL, client.Options{Token: token, Retries: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var answer *client.HTTPError
	if _, err := c.Restamp(ctx, user, document); !errors.As(err, &answer) || answer.StatusCode != 503 {
		t.Errorf("no authority: %v", err)
	}
}

// stampAt attaches a token of an authority that the server would not ask.
func (w *world) stampAt(t *testing.T, address, document string) string {
	t.Helper()
	der, err := base64.StdEncoding.DecodeString(document)
	if err != nil {
		t.Fatal(err)
	}
	sd, err := cms.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := sd.SignerInfos[0].Digest()
	if err != nil {
		t.Fatal(err)
	}
	connections := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	authority := tsp.Client{HTTP: connections, Now: w.now}
	token, err := authority.Stamp(t.Context(), address, digest, sd.SignerInfos[0].Signature)
	if err != nil {
		t.Fatal(err)
	}
	der, err = sd.AddUnsignedAttribute(0, cms.NewAttribute(cms.OIDTimeStampToken, token.Raw))
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}

func TestDigestsAreComputed(t *testing.T) {
	w := startWorld(t)
	reply, err := w.client.Digest(t.Context(), "", strings.NewReader("some document"))
	if err != nil || reply.DigestHex != "3369cd520c8e556502b9bc0ac34ca69cafee96f2f4a8371a63d4dd7d3a458d05" || reply.Algorithm != "OZDST-1106-2009-2-A" {
		t.Errorf("%+v %v", reply, err)
	}
	if reply, err := w.client.Digest(t.Context(), "", strings.NewReader("")); err != nil || reply.DigestHex != "981e5f3ca30c841487830f84fb433e13ac1101569b9c13584ac483234cd656c0" {
		t.Errorf("of nothing: %+v %v", reply, err)
	}
	var answer *client.HTTPError
	if _, err := w.client.Digest(t.Context(), "MD5", strings.NewReader("x")); !errors.As(err, &answer) || answer.StatusCode != 400 {
		t.Error(err)
	}
}
