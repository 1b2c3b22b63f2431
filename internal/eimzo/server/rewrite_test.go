package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/tsp"
)

func TestTimestampIsAttachedToEverySignatureWithoutOne(t *testing.T) {
	for _, layout := range []struct {
		name string
		mods []func(*cms.Signer, *cms.Options)
	}{
		{"attached", nil},
		{"detached", []func(*cms.Signer, *cms.Options){detached}},
		{"DER", []func(*cms.Signer, *cms.Options){func(_ *cms.Signer, o *cms.Options) { o.DER = true }}},
	} {
		t.Run(layout.name, func(t *testing.T) {
			w := newWorld(t)
			document := w.sign(t, "some document", layout.mods...)
			var content []byte
			if layout.name == "detached" {
				content = []byte("some document")
			}
			verified := func(b []byte) reply {
				if content == nil {
					return w.post(t, pathAttached, b64(b))
				}
				return w.post(t, pathDetached, b64(content)+"|"+b64(b))
			}

			v := w.post(t, pathStamp, b64(document))
			v.want(t, statusOK, MessageNone)
			if len(v.List) != 1 || v.List[0].SerialNumber != w.user.Cert.SerialHex() {
				t.Fatalf("%.1500s", v.raw)
			}
			if got := verified(v.PKCS7); got.Status != statusOK || got.PKCS7Info.Signers[0].TimeStampInfo == nil {
				t.Fatalf("%.1500s", got.raw)
			}

			// Once more: the document stays as it is and nobody is asked.
			calls := w.tsaCall.Load()
			again := w.post(t, pathStamp, b64(v.PKCS7))
			again.want(t, statusOK, MessageNone)
			if !bytes.Equal(again.PKCS7, v.PKCS7) || !strings.Contains(again.raw, `"timestampedSignerList":[]`) || w.tsaCall.Load() != calls {
				t.Errorf("%.1500s", again.raw)
			}

			// Two more signers: only they are stamped.
			document = v.PKCS7
			var want []string
			for _, name := range []string{"CN=SECOND", "CN=THIRD"} {
				who := w.User(t, name)
				want = append(want, who.Cert.SerialHex())
				var err error
				document, err = parsed(t, document).AddSigner(content, cms.Signer{Key: who.Key, Chain: who.Chain[:2], SigningTime: w.now()}, rand.Reader)
				if err != nil {
					t.Fatal(err)
				}
			}
			v = w.post(t, pathStamp, b64(document))
			v.want(t, statusOK, MessageNone)
			var got []string
			for _, c := range v.List {
				got = append(got, c.SerialNumber)
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("stamped %v, want %v", got, want)
			}
			all := verified(v.PKCS7)
			all.want(t, statusOK, MessageNone)
			for i, s := range all.PKCS7Info.Signers {
				if s.TimeStampInfo == nil {
					t.Errorf("signer %d has no timestamp", i)
				}
			}
		})
	}
}

func TestTimestampUsesTheDigestOfTheSignersFamily(t *testing.T) {
	for _, spec := range []string{"ozmst", "rsa:2048", "ecdsa:P-256"} {
		w := newWorldOf(t, testpki.New(t, spec))
		v := w.post(t, pathStamp, b64(w.sign(t, "x")))
		v.want(t, statusOK, MessageNone)
		w.post(t, pathAttached, b64(v.PKCS7)).want(t, statusOK, MessageNone)
	}
}

func TestTimestampRefusesWhatCannotBeStamped(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		document []byte
		message  Message
	}{
		"no document":    {[]byte("hello, this is no document"), MessageNotPKCS7},
		"cut":            {w.sign(t, "x")[:100], MessageNotPKCS7},
		"no certificate": {withoutItsCertificate(t, w.sign(t, "x")), MessageTimestampImpossible},
	} {
		t.Run(name, func(t *testing.T) {
			v := w.post(t, pathStamp, b64(c.document))
			v.want(t, statusSignature, c.message)
			if v.PKCS7 != nil || len(v.List) != 0 {
				t.Errorf("%.1500s", v.raw)
			}
		})
	}
	if w.tsaCall.Load() != 0 {
		t.Error("the authority was asked")
	}
}

// withoutItsCertificate changes the serial number of the certificate in a
// document, so that it is no longer the one the signer names.
func withoutItsCertificate(t testing.TB, document []byte) []byte {
	t.Helper()
	serial := parsed(t, document).SignerInfos[0].SID.Serial.Bytes()
	if bytes.Count(document, serial) != 2 {
		t.Fatal("the serial number is not there twice")
	}
	out := bytes.Clone(document)
	out[bytes.Index(out, serial)+len(serial)-1] ^= 1
	return out
}

// brokenAuthorities answer for a timestamp authority in ways after which
// nothing may be attached.
func (w *world) brokenAuthorities(t *testing.T) map[string]http.HandlerFunc {
	foreign := testpki.New(t, "ozdst")
	expired := w.Issue(t, w.CA, tsaTemplate(t, w, func(tmpl *cert.Template) { tmpl.NotAfter = w.Now.AddDate(0, 0, -1) }), w.KeySpec)
	answer := func(change func(*tsp.Authority)) http.HandlerFunc {
		authority := w.authority
		change(&authority)
		return func(rw http.ResponseWriter, r *http.Request) {
			request, _ := io.ReadAll(r.Body)
			rw.Write(authority.Respond(r.Context(), request))
		}
	}
	d, err := alg.DigestByName(dataDigest)
	if err != nil {
		t.Fatal(err)
	}
	old := w.authority.Respond(t.Context(), tsp.NewRequest(d, d.Sum([]byte("x")), nil, true).Marshal())
	return map[string]http.HandlerFunc{
		"down":     func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"HTTP 500": func(rw http.ResponseWriter, _ *http.Request) { http.Error(rw, "x", http.StatusInternalServerError) },
		"garbage":  func(rw http.ResponseWriter, _ *http.Request) { io.WriteString(rw, "<html>") },
		"endless":  func(rw http.ResponseWriter, _ *http.Request) { endless(rw) },
		"refusal":  answer(func(a *tsp.Authority) { a.Serial = func() (*big.Int, error) { return nil, io.ErrUnexpectedEOF } }),
		"slow": func(_ http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		},
		"an old token":       func(rw http.ResponseWriter, _ *http.Request) { rw.Write(old) },
		"another hierarchy":  answer(func(a *tsp.Authority) { a.Key, a.Chain = foreign.TSA.Key, foreign.TSA.Chain[:2] }),
		"expired":            answer(func(a *tsp.Authority) { a.Key, a.Chain = expired.Key, expired.Chain[:2] }),
		"from the future":    answer(func(a *tsp.Authority) { a.Now = func() time.Time { return w.now().Add(time.Hour) } }),
		"unknown passengers": answer(func(a *tsp.Authority) { a.Chain = append(slices.Clone(a.Chain), foreign.User(t, "CN=PASSENGER").Cert) }),
	}
}

func TestTimestampWithoutATrustworthyTokenIs503(t *testing.T) {
	w := newWorld(t)
	w.server.patience = 300 * time.Millisecond
	for name, broken := range w.brokenAuthorities(t) {
		t.Run(name, func(t *testing.T) {
			w.breakTSA(broken)
			for _, c := range []struct{ path, body string }{{pathStamp, b64(w.sign(t, "x"))}, {pathData, b64([]byte("x"))}} {
				before := w.tsaCall.Load()
				rec := w.call("POST", c.path, c.body)
				if rec.Code != http.StatusServiceUnavailable || w.tsaCall.Load() == before {
					t.Errorf("%s: HTTP %d %.300s", c.path, rec.Code, rec.Body)
				}
				plainLine(t, rec)
			}
		})
	}
}

func TestTimestampAuthorityInTheCertificateIsAskedOnlyWhenACAWroteIt(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *Deps) { c.TSPURLs = nil })
	withTSA := func(tmpl *cert.Template) {
		tmpl.OCSPServers, tmpl.CAIssuers = nil, nil
		uri := ber.Tagged(ber.Context(6), []byte(w.tsa.URL+"/cams/tst"))
		tmpl.Extra = append(tmpl.Extra, cert.Extension{OID: cert.OIDAuthorityInfoAccess, Value: ber.Sequence(
			ber.Sequence(ber.MustOID("1.3.6.1.5.5.7.48.3").DER(), ber.Tagged(ber.Context(6), []byte("ldap://x/"))),
			ber.Sequence(ber.MustOID("1.3.6.1.5.5.7.48.3").DER(), uri),
		)})
	}
	v := w.post(t, pathStamp, b64(w.signAs(t, w.User(t, "CN=WITH TSA", withTSA), "x")))
	v.want(t, statusOK, MessageNone)
	if len(v.List) != 1 || w.tsaCall.Load() != 1 {
		t.Errorf("%.1500s", v.raw)
	}

	foreign := testpki.New(t, "ozdst")
	for name, who := range map[string]testpki.Entity{"self-made": foreign.User(t, "CN=FOREIGN", withTSA), "none named": w.user} {
		rec := w.call("POST", pathStamp, b64(w.signAs(t, who, "x")))
		if rec.Code != http.StatusServiceUnavailable || !strings.Contains(rec.Body.String(), "tsp.url") {
			t.Errorf("%s: HTTP %d %s", name, rec.Code, rec.Body)
		}
	}
	if rec := w.call("POST", pathData, b64([]byte("x"))); rec.Code != http.StatusServiceUnavailable || !strings.Contains(rec.Body.String(), "tsp.url") {
		t.Errorf("data: HTTP %d %s", rec.Code, rec.Body)
	}
	if w.tsaCall.Load() != 1 {
		t.Error("an address that nobody vouches for was called")
	}
}

func TestTimestampOfDataIsATokenOverItsDigest(t *testing.T) {
	w := newWorld(t)
	v := w.post(t, pathData, b64([]byte("some document")))
	v.want(t, statusOK, MessageNone)
	tok, err := tsp.ParseToken(v.Token)
	if err != nil {
		t.Fatal(err)
	}
	if err := tok.CheckImprint([]byte("some document")); err != nil {
		t.Error(err)
	}
	if got := fmt.Sprintf("%x", tok.Info.HashedMessage); got != "3369cd520c8e556502b9bc0ac34ca69cafee96f2f4a8371a63d4dd7d3a458d05" {
		t.Errorf("imprint %s", got)
	}
	if err := tok.VerifySignature(); err != nil {
		t.Error(err)
	}
	if want := `{"timestampTokenB64":"`; !strings.HasPrefix(v.raw, want) || !strings.HasSuffix(v.raw, `","status":1,"message":"","code":"ok"}`) {
		t.Errorf("%.200s", v.raw)
	}
}

// countingTSA lets a test see with which signer the server asks.
type countingTSA struct{ signers []*cert.Certificate }

func (c *countingTSA) Stamp(_ context.Context, signer *cert.Certificate, _ *alg.Digest, _ []byte) (*tsp.Token, error) {
	c.signers = append(c.signers, signer)
	return nil, io.ErrUnexpectedEOF
}

func TestAnotherTSAFitsIn(t *testing.T) {
	var tsa countingTSA
	w := newWorld(t, func(_ *Config, d *Deps) { d.TSA = &tsa })
	if rec := w.call("POST", pathStamp, b64(w.sign(t, "x"))); rec.Code != http.StatusServiceUnavailable {
		t.Errorf("HTTP %d", rec.Code)
	}
	if len(tsa.signers) != 1 || !tsa.signers[0].Equal(w.user.Cert) {
		t.Errorf("asked for %v", tsa.signers)
	}
}

func TestMakeAttachedPutsTheSignedDocumentIn(t *testing.T) {
	w := newWorld(t)
	document := w.stamped(t, w.sign(t, "some document", detached))
	v := w.post(t, pathMake, b64([]byte("some document"))+"|"+b64(document))
	v.want(t, statusOK, MessageNone)
	back := w.post(t, pathAttached, b64(v.PKCS7))
	back.want(t, statusOK, MessageNone)
	if string(*back.PKCS7Info.DocumentBase64) != "some document" || back.PKCS7Info.Signers[0].TimeStampInfo == nil {
		t.Errorf("%.1500s", back.raw)
	}
	for name, c := range map[string]struct {
		body    string
		message Message
	}{
		"another document": {b64([]byte("some documenT")) + "|" + b64(document), MessageDocumentDiffers},
		"attached already": {b64([]byte("some document")) + "|" + b64(w.sign(t, "some document")), MessageAlreadyAttached},
		"no PKCS#7":        {b64([]byte("some document")) + "|" + b64([]byte("some document")), MessageNotPKCS7},
		"parts swapped":    {b64(document) + "|" + b64([]byte("some document")), MessageNotPKCS7},
	} {
		t.Run(name, func(t *testing.T) {
			v := w.post(t, pathMake, c.body)
			v.want(t, statusSignature, c.message)
			if v.PKCS7 != nil {
				t.Errorf("%.1500s", v.raw)
			}
		})
	}
}

func TestJoinKeepsAllSignersAndTokens(t *testing.T) {
	w := newWorld(t)
	second := w.User(t, "CN=SECOND")
	a, b := w.stamped(t, w.sign(t, "some document")), w.stamped(t, w.signAs(t, second, "some document"))
	v := w.post(t, pathJoin, b64(a)+"|"+b64(b))
	v.want(t, statusOK, MessageNone)
	back := w.post(t, pathAttached, b64(v.PKCS7))
	back.want(t, statusOK, MessageNone)
	signers := back.PKCS7Info.Signers
	if len(signers) != 2 || signers[0].SignerID.SubjectSerialNumber != w.user.Cert.SerialHex() || signers[1].SignerID.SubjectSerialNumber != second.Cert.SerialHex() ||
		signers[0].TimeStampInfo == nil || signers[1].TimeStampInfo == nil {
		t.Errorf("%.1500s", back.raw)
	}
	// A document joined with itself is itself.
	v = w.post(t, pathJoin, b64(a)+"|"+b64(a))
	v.want(t, statusOK, MessageNone)
	if n := len(parsed(t, v.PKCS7).SignerInfos); n != 1 {
		t.Errorf("%d signers", n)
	}
	for name, c := range map[string]struct {
		body    string
		message Message
	}{
		"different contents": {b64(a) + "|" + b64(w.sign(t, "another document")), MessageDocumentsDiffer},
		"first detached":     {b64(w.sign(t, "some document", detached)) + "|" + b64(a), MessageNotAttached},
		"second detached":    {b64(a) + "|" + b64(w.sign(t, "some document", detached)), MessageNotAttached},
		"first no PKCS#7":    {b64([]byte("some document")) + "|" + b64(a), MessageNotPKCS7},
		"second no PKCS#7":   {b64(a) + "|" + b64([]byte("some document")), MessageNotPKCS7},
	} {
		t.Run(name, func(t *testing.T) {
			v := w.post(t, pathJoin, c.body)
			v.want(t, statusSignature, c.message)
			if v.PKCS7 != nil {
				t.Errorf("%.1500s", v.raw)
			}
		})
	}
}
