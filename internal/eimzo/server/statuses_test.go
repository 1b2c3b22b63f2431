package server

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/ocsp"
)

// statusCase makes a document that gets a status. It is told how to make a
// document and of what; now is its signing time unless it says otherwise.
type statusCase struct {
	status  int
	message Message
	server  *Server // the world's when nil
	make    func(content string, mods ...func(*cms.Signer, *cms.Options)) []byte
	after   func(document []byte) []byte // what is done to the document then
}

// TestEveryStatusOfTheGuideIsProduced is the one place where all statuses of
// the guide's tables (2.2.2, 2.2.4) and of server 2 stand together: each is
// made for a log-in and for an attached and a detached document, and none is
// left out that /openapi.json promises.
func TestEveryStatusOfTheGuideIsProduced(t *testing.T) {
	w := newWorld(t)
	foreign := newWorld(t)
	user := func(name string, s ocsp.StatusInfo) testpki.Entity {
		e := w.User(t, "CN="+name)
		w.set(e.Cert, s)
		return e
	}
	unknown := user("UNKNOWN", ocsp.StatusInfo{Status: ocsp.Unknown})
	revoked := user("REVOKED", ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: w.Now.Add(-time.Hour), Reason: 1})
	suspended := user("SUSPENDED", ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: w.Now.Add(-time.Hour), Reason: 6})
	expired := w.Issue(t, w.CA, func(tmpl *cert.Template) {
		w.UserTemplate(t, tmpl, "CN=EXPIRED")
		tmpl.NotAfter = w.Now.Add(-time.Minute)
	}, w.KeySpec)
	unknownTSA := w.Issue(t, w.CA, tsaTemplate(t, w), w.KeySpec)
	w.set(unknownTSA.Cert, ocsp.StatusInfo{Status: ocsp.Unknown})
	expiredTSA := w.Issue(t, w.CA, tsaTemplate(t, w, func(tmpl *cert.Template) { tmpl.NotAfter = w.Now.Add(-time.Minute) }), w.KeySpec)
	otherPolicy := w.newServer(t, func(c *Config, _ *Deps) { c.AllowedPolicies = []string{"1.2.3"} })
	otherCA := w.newServer(t, func(c *Config, _ *Deps) { c.AllowedCAs = []string{"1"} })

	by := func(who testpki.Entity) func(string, ...func(*cms.Signer, *cms.Options)) []byte {
		return func(content string, mods ...func(*cms.Signer, *cms.Options)) []byte {
			return w.signAs(t, who, content, mods...)
		}
	}
	stampedBy := func(who testpki.Entity) func([]byte) []byte {
		return func(document []byte) []byte { return w.withTSA(t, document, who) }
	}
	signatureChanged := func(document []byte) []byte { return changed(t, document, firstSignature) }
	wrongImprint := func(document []byte) []byte {
		return stampWith(t, document, func(si *cms.SignerInfo) []byte { return token(t, &w.authority, si, []byte("another")) })
	}
	both := map[string]statusCase{
		"good":                  {status: statusOK, make: by(w.user)},
		"status unknown":        {status: statusUnknown, message: MessageStatusUnknown, make: by(unknown)},
		"signature changed":     {status: statusSignature, message: MessageSignature, make: by(w.user), after: signatureChanged},
		"no PKCS#7":             {status: statusSignature, message: MessageSignature, make: by(w.user), after: func([]byte) []byte { return []byte("none") }},
		"no chain to a root":    {status: statusCertificate, message: MessageCertificate, make: by(foreign.user)},
		"revoked":               {status: statusCertificate, message: MessageCertificate, make: by(revoked)},
		"suspended":             {status: statusCertificate, message: MessageCertificate, make: by(suspended)},
		"expired":               {status: statusValidity, message: MessageValidity, make: by(expired)},
		"policy not allowed":    {status: statusPolicy, message: MessagePolicy, server: otherPolicy, make: by(w.user)},
		"CA not allowed":        {status: statusCA, message: MessageCA, server: otherCA, make: by(w.user)},
		"good, with a token":    {status: statusOK, make: by(w.user), after: func(d []byte) []byte { return w.stamped(t, d) }},
		"not allowed, and late": {status: statusValidity, message: MessageValidity, server: otherPolicy, make: by(expired)},
	}
	// Of timestamps there are statuses in the table of documents only.
	documents := map[string]statusCase{
		"TSA status unknown": {status: tsaUnknown, message: MessageTSAStatusUnknown, make: by(w.user), after: stampedBy(unknownTSA)},
		"wrong imprint":      {status: tsaSignature, message: MessageTSASignature, make: by(w.user), after: wrongImprint},
		"token changed": {status: tsaSignature, message: MessageTSASignature, make: by(w.user), after: func(d []byte) []byte {
			return stampWith(t, d, func(si *cms.SignerInfo) []byte {
				return changed(t, token(t, &w.authority, si, si.Signature), firstSignature)
			})
		}},
		"TSA unknown to us": {status: tsaCertificate, message: MessageTSACertificate, make: by(w.user), after: func(d []byte) []byte { return foreign.stamped(t, d) }},
		"TSA expired":       {status: tsaValidity, message: MessageTSAValidity, make: by(w.user), after: stampedBy(expiredTSA)},
	}
	produced := map[string]map[int]bool{"AuthStatus": {}, "VerifyStatus": {}}
	post := func(t *testing.T, table, path, body string, c statusCase) reply {
		t.Helper()
		s := c.server
		if s == nil {
			s = w.server
		}
		v := decode(t, callServer(s, "POST", path, body, "Accept-Language", "ru"))
		v.want(t, c.status, c.message)
		produced[table][v.Status] = true
		return v
	}
	document := func(c statusCase, content string, mods ...func(*cms.Signer, *cms.Options)) []byte {
		d := c.make(content, mods...)
		if c.after != nil {
			d = c.after(d)
		}
		return d
	}
	verified := maps.Clone(documents)
	maps.Copy(verified, both)
	for name, c := range verified {
		t.Run("attached/"+name, func(t *testing.T) {
			v := post(t, "VerifyStatus", pathAttached, b64(document(c, "text")), c)
			if (v.FailedSignerInfo != nil) != (c.status != statusOK && name != "no PKCS#7") {
				t.Errorf("failedSignerInfo %v", v.FailedSignerInfo)
			}
		})
		t.Run("detached/"+name, func(t *testing.T) {
			post(t, "VerifyStatus", pathDetached, b64([]byte("text"))+"|"+b64(document(c, "text", detached)), c)
		})
	}

	ask := func(c statusCase) string {
		s := c.server
		if s == nil {
			s = w.server
		}
		return decode(t, callServer(s, "GET", "/frontend/challenge", "")).Challenge
	}
	for name, c := range both {
		t.Run("auth/"+name, func(t *testing.T) {
			v := post(t, "AuthStatus", pathAuth, b64(document(c, ask(c))), c)
			if (v.SubjectCertificateInfo != nil) != (c.status == statusOK) {
				t.Errorf("subjectCertificateInfo %v", v.SubjectCertificateInfo)
			}
		})
	}
	late := statusCase{status: statusTime, message: MessageSigningTime, make: by(w.user)}
	for _, at := range []time.Duration{-11 * time.Minute, 11 * time.Minute} {
		t.Run(fmt.Sprintf("auth/signed %s from now", at), func(t *testing.T) {
			post(t, "AuthStatus", pathAuth, b64(document(late, ask(late), signedAt(w.now().Add(at)))), late)
		})
	}
	gone := statusCase{status: statusChallenge, message: MessageChallenge, make: by(w.user)}
	t.Run("auth/challenge unknown", func(t *testing.T) {
		post(t, "AuthStatus", pathAuth, b64(document(gone, "00000000-0000-4000-8000-000000000000")), gone)
	})
	t.Run("auth/challenge used", func(t *testing.T) {
		used := b64(w.sign(t, w.challenge(t)))
		w.post(t, pathAuth, used).want(t, statusOK, MessageNone)
		post(t, "AuthStatus", pathAuth, used, gone)
	})
	t.Run("auth/challenge expired", func(t *testing.T) {
		old := w.newServer(t, func(c *Config, _ *Deps) { c.Cache.LocalTTL = challengeTTL })
		c := statusCase{status: statusChallenge, message: MessageChallenge, server: old, make: by(w.user)}
		challenge := ask(c)
		w.advance(challengeTTL + time.Second)
		post(t, "AuthStatus", pathAuth, b64(document(c, challenge)), c)
	})

	doc := apiDescription(t, w)
	for table, statuses := range produced {
		var promised []int
		for _, v := range doc.Components.Schemas[table].Value.Enum {
			promised = append(promised, int(v.(float64)))
		}
		slices.Sort(promised)
		if got := slices.Sorted(maps.Keys(statuses)); !slices.Equal(got, promised) {
			t.Errorf("%s: made %v, promised %v", table, got, promised)
		}
	}
}

// TestEveryHTTPStatusIsProduced makes the answers that are no verdicts.
func TestEveryHTTPStatusIsProduced(t *testing.T) {
	w := newWorld(t)
	document := b64(w.sign(t, "text"))
	small := w.newServer(t, func(c *Config, _ *Deps) { c.Limits.Body = 100 })
	limited := w.newServer(t, func(c *Config, _ *Deps) { c.Limits.AuthsPerMinute, c.Limits.ChallengesPerMinute = 1, 1 })
	noStore := w.newServer(t, func(_ *Config, d *Deps) { d.Challenges = brokenStore{} })
	noTSA := w.newServer(t, func(c *Config, _ *Deps) { c.TSPURLs = []string{w.ocsp.URL} })
	for name, c := range map[string]struct {
		server *Server
		paths  []string
		body   string
		times  int
		want   int
	}{
		"400 empty":     {w.server, []string{pathAuth, pathAttached, pathDetached, pathStamp, pathData, pathMake, pathJoin, pathCertStatus, pathRestamp}, " ", 1, 400},
		"400 no base64": {w.server, []string{pathAuth, pathAttached, pathDetached, pathStamp, pathData, pathMake, pathJoin, pathRestamp}, "{}", 1, 400},
		"400 one part":  {w.server, []string{pathDetached, pathMake, pathJoin}, document, 1, 400},
		"413":           {small, []string{pathAuth, pathAttached, pathDetached, pathStamp, pathData, pathMake, pathJoin, pathCertStatus, pathRestamp}, document, 1, 413},
		"429":           {limited, []string{pathAuth, "/frontend/challenge"}, document, 2, 429},
		"503 store":     {noStore, []string{pathAuth, "/frontend/challenge"}, document, 1, 503},
		"503 TSA":       {noTSA, []string{pathStamp, pathData, pathRestamp}, document, 1, 503},
		"404":           {w.server, []string{"/", "/backend", "/frontend/mobile/auth"}, "", 1, 404},
	} {
		for _, path := range c.paths {
			rec := callServer(c.server, "POST", path, c.body)
			for range c.times - 1 {
				rec = callServer(c.server, "POST", path, c.body)
			}
			if rec.Code != c.want {
				t.Errorf("%s %s: HTTP %d %s", name, path, rec.Code, rec.Body)
			}
			if c.want != http.StatusOK {
				plainLine(t, rec)
			}
		}
	}
}
