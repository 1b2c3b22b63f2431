package server

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/ocsp"
)

// login fetches a challenge and posts what sign makes of it.
func (w *world) login(t *testing.T, sign func(challenge string) []byte) reply {
	t.Helper()
	return w.post(t, pathAuth, b64(sign(w.challenge(t))))
}

func TestAuthTellsWhoSignedTheChallenge(t *testing.T) {
	w := newWorld(t)
	v := w.login(t, func(c string) []byte { return w.sign(t, c) })
	v.want(t, statusOK, MessageNone)
	got := v.SubjectCertificateInfo
	if got == nil || got.SerialNumber != w.user.Cert.SerialHex() || got.SubjectName["CN"] != "sfasdfa s asdfasd" ||
		got.SubjectName["1.2.860.3.16.1.2"] != "11111111111111" || got.ValidFrom != "2025-01-01 17:00:00" || got.ValidTo != "2027-01-01 17:00:00" {
		t.Errorf("%.1500s", v.raw)
	}
	if v.PKCS7Info != nil || v.FailedSignerInfo != nil {
		t.Errorf("fields of another method: %.1500s", v.raw)
	}
}

func TestAuthAcceptsEveryKeyFamily(t *testing.T) {
	for _, spec := range []string{"ozdst:B", "ozdst:C", "ozmst", "rsa:2048", "ecdsa:P-256", "ed25519"} {
		t.Run(spec, func(t *testing.T) {
			w := newWorldOf(t, testpki.New(t, spec))
			w.login(t, func(c string) []byte { return w.sign(t, c) }).want(t, statusOK, MessageNone)
		})
	}
}

func TestAuthToleratesATimestamp(t *testing.T) {
	w := newWorld(t)
	w.login(t, func(c string) []byte { return w.stamped(t, w.sign(t, c)) }).want(t, statusOK, MessageNone)
}

func TestAuthRefusesAReplayedChallenge(t *testing.T) {
	w := newWorld(t)
	body := b64(w.sign(t, w.challenge(t)))
	w.post(t, pathAuth, body).want(t, statusOK, MessageNone)
	for range 3 {
		v := w.post(t, pathAuth, body)
		v.want(t, statusChallenge, MessageChallenge)
		if v.SubjectCertificateInfo != nil {
			t.Errorf("a replay still names a person: %.1500s", v.raw)
		}
	}
}

func TestAuthAcceptsAChallengeOnceAmongManyAtTheSameTime(t *testing.T) {
	w := newWorld(t)
	body := b64(w.sign(t, w.challenge(t)))
	var accepted, replayed atomic.Int32
	var group sync.WaitGroup
	start := make(chan struct{})
	for range 100 {
		group.Go(func() {
			<-start
			switch v := w.post(t, pathAuth, body); v.Status {
			case statusOK:
				accepted.Add(1)
			case statusChallenge:
				replayed.Add(1)
			default:
				t.Errorf("%.1500s", v.raw)
			}
		})
	}
	close(start)
	group.Wait()
	if accepted.Load() != 1 || replayed.Load() != 99 {
		t.Errorf("%d accepted, %d refused", accepted.Load(), replayed.Load())
	}
}

func TestAuthRefusesWhatIsNoLivingChallenge(t *testing.T) {
	w := newWorld(t)
	for name, content := range map[string]string{
		"never issued": "9b573e40-cefd-42cc-a534-f6e78b27c2ae", "empty": "",
	} {
		t.Run(name, func(t *testing.T) {
			w.post(t, pathAuth, b64(w.sign(t, content))).want(t, statusChallenge, MessageChallenge)
		})
	}
	t.Run("more than the challenge", func(t *testing.T) {
		w.login(t, func(c string) []byte { return w.sign(t, c+"\n") }).want(t, statusChallenge, MessageChallenge)
	})
	t.Run("a long document", func(t *testing.T) {
		s := w.newServer(t, func(_ *Config, d *Deps) { d.Challenges = brokenStore{} }) // which is not asked
		decode(t, callServer(s, "POST", pathAuth, b64(w.sign(t, strings.Repeat("x", 1000))))).want(t, statusChallenge, MessageChallenge)
	})
	t.Run("upper case", func(t *testing.T) {
		w.login(t, func(c string) []byte { return w.sign(t, strings.ToUpper(c)) }).want(t, statusChallenge, MessageChallenge)
	})
	t.Run("just in time", func(t *testing.T) {
		c := w.challenge(t)
		w.advance(challengeTTL - time.Second)
		w.post(t, pathAuth, b64(w.sign(t, c))).want(t, statusOK, MessageNone)
	})
	t.Run("expired", func(t *testing.T) {
		c := w.challenge(t)
		w.advance(challengeTTL)
		w.post(t, pathAuth, b64(w.sign(t, c))).want(t, statusChallenge, MessageChallenge)
	})
}

func TestAuthWantsASigningTimeWithinTheWindow(t *testing.T) {
	w := newWorld(t)
	window := DefaultConfig().AuthWindow
	for offset, status := range map[time.Duration]int{
		0: statusOK, window: statusOK, -window: statusOK,
		window + time.Second: statusTime, -window - time.Second: statusTime, 24 * time.Hour: statusTime, -24 * time.Hour: statusTime,
	} {
		v := w.login(t, func(c string) []byte { return w.sign(t, c, signedAt(w.now().Add(offset))) })
		if v.Status != status {
			t.Errorf("%s: status %d, want %d", offset, v.Status, status)
		}
		if status == statusTime {
			v.want(t, statusTime, MessageSigningTime)
		}
	}
	t.Run("no signing time", func(t *testing.T) {
		w.login(t, func(c string) []byte { return w.sign(t, c, signedAt(time.Time{})) }).want(t, statusTime, MessageSigningTime)
	})
	t.Run("no signed attributes", func(t *testing.T) {
		w.login(t, func(c string) []byte {
			return w.sign(t, c, func(s *cms.Signer, _ *cms.Options) { s.SigningTime, s.NoSignedAttrs = time.Time{}, true })
		}).want(t, statusTime, MessageSigningTime)
	})
	t.Run("a timestamp does not help", func(t *testing.T) {
		w.login(t, func(c string) []byte { return w.stamped(t, w.sign(t, c, signedAt(w.now().Add(-time.Hour)))) }).want(t, statusTime, MessageSigningTime)
	})
	t.Run("configured", func(t *testing.T) {
		s := w.newServer(t, func(c *Config, _ *Deps) { c.AuthWindow = 2 * time.Hour })
		c := decode(t, callServer(s, "GET", "/frontend/challenge", "")).Challenge
		decode(t, callServer(s, "POST", pathAuth, b64(w.sign(t, c, signedAt(w.now().Add(-90*time.Minute)))))).want(t, statusOK, MessageNone)
	})
}

func TestAuthRefusesWrongSignaturesAndKeepsTheChallenge(t *testing.T) {
	w := newWorld(t)
	for name, sign := range map[string]func(c string) []byte{
		"changed signature": func(c string) []byte { return changed(t, w.sign(t, c), firstSignature) },
		"changed content":   func(c string) []byte { return changed(t, w.sign(t, c), (*cms.SignedData).Content) },
		"detached":          func(c string) []byte { return w.sign(t, c, detached) },
		"no document":       func(string) []byte { return []byte("no document at all") },
		"half a document":   func(c string) []byte { d := w.sign(t, c); return d[:len(d)/2] },
		"two signers": func(c string) []byte {
			second := w.User(t, "CN=SECOND")
			d, err := parsed(t, w.sign(t, c)).AddSigner(nil, cms.Signer{Key: second.Key, Chain: second.Chain, SigningTime: w.now()}, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			return d
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := w.challenge(t)
			v := w.post(t, pathAuth, b64(sign(c)))
			v.want(t, statusSignature, MessageSignature)
			if v.SubjectCertificateInfo != nil {
				t.Errorf("a refusal names a person: %.1500s", v.raw)
			}
			w.post(t, pathAuth, b64(w.sign(t, c))).want(t, statusOK, MessageNone)
		})
	}
}

func TestAuthUsesTheChallengeUpWhateverIsThenWrong(t *testing.T) {
	w := newWorld(t)
	stranger := testpki.New(t, "ozdst").User(t, guideSubject)
	expired := w.Issue(t, w.CA, func(tmpl *cert.Template) {
		w.UserTemplate(t, tmpl, guideSubject)
		tmpl.NotBefore, tmpl.NotAfter = w.Now.AddDate(-2, 0, 0), w.Now.AddDate(0, 0, -1)
	}, w.KeySpec)
	early := w.Issue(t, w.CA, func(tmpl *cert.Template) {
		w.UserTemplate(t, tmpl, guideSubject)
		tmpl.NotBefore = w.Now.AddDate(0, 0, 1)
	}, w.KeySpec)
	service := w.Issue(t, w.CA, func(tmpl *cert.Template) {
		w.UserTemplate(t, tmpl, guideSubject)
		tmpl.KeyUsage = cert.KeyUsageKeyAgreement
	}, w.KeySpec)
	revoked := w.User(t, "CN=REVOKED")
	w.set(revoked.Cert, ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: w.Now.Add(-time.Hour), Reason: 1})
	suspended := w.User(t, "CN=SUSPENDED")
	w.set(suspended.Cert, ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: w.Now.Add(-time.Hour), Reason: 6})
	unknown := w.User(t, "CN=UNKNOWN")
	w.set(unknown.Cert, ocsp.StatusInfo{Status: ocsp.Unknown})

	for name, c := range map[string]struct {
		sign    func(challenge string) []byte
		status  int
		message Message
	}{
		"other hierarchy":   {func(c string) []byte { return w.signAs(t, stranger, c) }, statusCertificate, MessageCertificate},
		"expired":           {func(c string) []byte { return w.signAs(t, expired, c) }, statusValidity, MessageValidity},
		"not valid yet":     {func(c string) []byte { return w.signAs(t, early, c) }, statusValidity, MessageValidity},
		"key usage":         {func(c string) []byte { return w.signAs(t, service, c) }, statusCertificate, MessageCertificate},
		"revoked":           {func(c string) []byte { return w.signAs(t, revoked, c) }, statusCertificate, MessageCertificate},
		"suspended":         {func(c string) []byte { return w.signAs(t, suspended, c) }, statusCertificate, MessageCertificate},
		"unknown to the CA": {func(c string) []byte { return w.signAs(t, unknown, c) }, statusUnknown, MessageStatusUnknown},
		"wrong time":        {func(c string) []byte { return w.sign(t, c, signedAt(w.Now.Add(-time.Hour))) }, statusTime, MessageSigningTime},
	} {
		t.Run(name, func(t *testing.T) {
			challenge := w.challenge(t)
			v := w.post(t, pathAuth, b64(c.sign(challenge)))
			v.want(t, c.status, c.message)
			if v.SubjectCertificateInfo != nil {
				t.Errorf("a refusal names a person: %.1500s", v.raw)
			}
			w.post(t, pathAuth, b64(w.sign(t, challenge))).want(t, statusChallenge, MessageChallenge)
		})
	}
}

// TestAuthJudgesTheCertificateOfNow: for a document the date of its timestamp
// or the signing time counts, for a log-in the moment of it does too.
func TestAuthJudgesTheCertificateOfNow(t *testing.T) {
	t.Run("revoked after the timestamp", func(t *testing.T) {
		w := newWorld(t)
		document := w.stamped(t, w.sign(t, w.challenge(t)))
		w.advance(30 * time.Second)
		w.set(w.user.Cert, ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: w.now(), Reason: 4})
		w.advance(10 * time.Second)
		w.post(t, pathAttached, b64(document)).want(t, statusOK, MessageNone)
		w.post(t, pathAuth, b64(document)).want(t, statusCertificate, MessageCertificate)
	})
	w := newWorld(t)
	for name, c := range map[string]struct {
		change  func(*cert.Template)
		claimed time.Duration
	}{
		"expired since the signing time":    {func(tmpl *cert.Template) { tmpl.NotAfter = w.Now.Add(-time.Minute) }, -5 * time.Minute},
		"valid at a signing time to come":   {func(tmpl *cert.Template) { tmpl.NotBefore = w.Now.Add(time.Minute) }, 5 * time.Minute},
		"valid at the signing time and now": {func(*cert.Template) {}, 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			who := w.User(t, guideSubject, c.change)
			v := w.login(t, func(challenge string) []byte { return w.signAs(t, who, challenge, signedAt(w.Now.Add(c.claimed))) })
			if who.Cert.ValidAt(w.Now) {
				v.want(t, statusOK, MessageNone)
			} else {
				v.want(t, statusValidity, MessageValidity)
			}
		})
	}
	t.Run("expired since the timestamp", func(t *testing.T) {
		who := w.User(t, guideSubject, func(tmpl *cert.Template) { tmpl.NotAfter = w.Now.Add(20 * time.Second) })
		document := w.stamped(t, w.signAs(t, who, w.challenge(t)))
		w.advance(30 * time.Second)
		w.post(t, pathAuth, b64(document)).want(t, statusValidity, MessageValidity)
	})
}

// TestAuthNeverConfusesTimestampsWithChallenges: in the table of auth -20 is
// the challenge, and there are no statuses of timestamps.
func TestAuthNeverConfusesTimestampsWithChallenges(t *testing.T) {
	w := newWorld(t)
	foreign := newWorld(t)
	w.login(t, func(c string) []byte { return foreign.stamped(t, w.sign(t, c)) }).want(t, statusCertificate, MessageCertificate)
	w.login(t, func(c string) []byte {
		return stampWith(t, w.sign(t, c), func(si *cms.SignerInfo) []byte { return token(t, &w.authority, si, []byte("another signature")) })
	}).want(t, statusSignature, MessageSignature)
	w.login(t, func(c string) []byte {
		d := w.stamped(t, w.sign(t, c))
		return mustReplace(t, d, cms.OIDTimeStampToken.DER(), hiddenTokenType.DER())
	}).want(t, statusSignature, MessageSignature)
	w.set(w.TSA.Cert, ocsp.StatusInfo{Status: ocsp.Unknown})
	w.login(t, func(c string) []byte { return w.stamped(t, w.sign(t, c)) }).want(t, statusUnknown, MessageStatusUnknown)
}

func TestAuthIsNeverASuccessWithoutAnAnswerAboutRevocation(t *testing.T) {
	for name, broken := range brokenResponders {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.server.patience = 300 * time.Millisecond
			w.breakOCSP(func(rw http.ResponseWriter, r *http.Request) { broken(w, rw, r) })
			w.login(t, func(c string) []byte { return w.sign(t, c) }).want(t, statusUnknown, MessageStatusUnknown)
			if w.ocspCalls.Load() == 0 {
				t.Error("nobody was asked")
			}
		})
	}
	t.Run("nobody to ask", func(t *testing.T) {
		w := newWorld(t, func(c *Config, _ *Deps) { c.OCSPURLs = nil })
		w.user = w.User(t, guideSubject, func(tmpl *cert.Template) { tmpl.OCSPServers = nil })
		w.login(t, func(c string) []byte { return w.sign(t, c) }).want(t, statusUnknown, MessageStatusUnknown)
	})
}

func TestAuthAsksTheResponderInTheCertificateWhenNoneIsConfigured(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *Deps) { c.OCSPURLs = nil })
	w.user = w.User(t, guideSubject, func(tmpl *cert.Template) { tmpl.OCSPServers = []string{w.ocsp.URL + "/cams/ocsp"} })
	w.login(t, func(c string) []byte { return w.sign(t, c) }).want(t, statusOK, MessageNone)
	if w.ocspCalls.Load() != 1 {
		t.Errorf("%d calls", w.ocspCalls.Load())
	}
}

func TestAuthAsksNobodyBeforeTheChallengeIsRight(t *testing.T) {
	w := newWorld(t)
	w.post(t, pathAuth, b64(w.sign(t, "no challenge"))).want(t, statusChallenge, MessageChallenge)
	stranger := testpki.New(t, "ozdst").User(t, guideSubject)
	w.login(t, func(c string) []byte { return w.signAs(t, stranger, c) }).want(t, statusCertificate, MessageCertificate)
	if n := w.ocspCalls.Load(); n != 0 {
		t.Errorf("%d calls to the OCSP responder", n)
	}
}

// brokenStore is a store that cannot be reached.
type brokenStore struct{}

var errStore = errors.New("no connection to the store at 10.0.0.7")

func (brokenStore) Issue(context.Context, string, time.Duration) error { return errStore }
func (brokenStore) Take(context.Context, string) (bool, error)         { return false, errStore }
func (brokenStore) Ping(context.Context) error                         { return errStore }
func (brokenStore) Close() error                                       { return nil }

func TestTroubleWithTheStoreIs503(t *testing.T) {
	w := newWorld(t, func(_ *Config, d *Deps) { d.Challenges = brokenStore{} })
	for path, body := range map[string]string{"/frontend/challenge": "", pathAuth: b64(w.sign(t, "x"))} {
		rec := w.call("POST", path, body)
		if rec.Code != http.StatusServiceUnavailable {
			t.Errorf("%s: HTTP %d", path, rec.Code)
		}
		plainLine(t, rec)
		if strings.Contains(rec.Body.String(), "10.0.0.7") {
			t.Errorf("%s: the answer tells of our network: %s", path, rec.Body)
		}
	}
}
