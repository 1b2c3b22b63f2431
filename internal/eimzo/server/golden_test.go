package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"imzo/pki/cert"
)

func sample(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "guide", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// elided are the values that the guide's samples shorten, which leaves no
// base64.
var elided = regexp.MustCompile(`"MI[A-Za-z0-9+/]*\.\.\.[A-Za-z0-9+/=]*"`)

func TestViewsWriteTheSamplesOfTheGuide(t *testing.T) {
	for name, view := range map[string]any{
		"ping": &pingView{}, "info": &infoView{}, "challenge": &challengeView{}, "auth": &authView{},
		"timestamp-pkcs7": &timestampView{}, "verify-attached": &verifyView{}, "make-attached": &documentView{}, "join": &documentView{},
	} {
		t.Run(name, func(t *testing.T) {
			text := elided.ReplaceAll(sample(t, name), []byte(`"MIIGdTCBrw=="`))
			d := json.NewDecoder(bytes.NewReader(text))
			d.DisallowUnknownFields()
			if err := d.Decode(view); err != nil {
				t.Fatal(err)
			}
			var compact bytes.Buffer
			if err := json.Compact(&compact, text); err != nil {
				t.Fatal(err)
			}
			want := strings.ReplaceAll(compact.String(), "=", `\u003d`)
			if name == "info" { // its maps are not in alphabetical order
				want = strings.Replace(want, `"UID":"9","CN":"test.e-imzo.uz"`, `"CN":"test.e-imzo.uz","UID":"9"`, 1)
			}
			rec := httptest.NewRecorder()
			writeJSON(rec, view)
			if got := rec.Body.String(); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			if got, want := rec.Header().Get("Content-Length"), fmt.Sprint(rec.Body.Len()); got != want {
				t.Errorf("Content-Length %s, want %s", got, want)
			}
		})
	}
}

// formats name the formats of texts, the first that fits counts.
var formats = []struct {
	name    string
	pattern *regexp.Regexp
}{
	{"empty", regexp.MustCompile(`^$`)},
	{"date", regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$`)},
	{"dotted date", regexp.MustCompile(`^\d{4}\.\d\d\.\d\d \d\d:\d\d:\d\d$`)},
	{"uuid", regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)},
	{"signature", regexp.MustCompile(`^[0-9a-f]{128}$`)},
	{"digest", regexp.MustCompile(`^[0-9a-f]{64}$`)},
	{"ip", regexp.MustCompile(`^\d+\.\d+\.\d+\.\d+$`)},
	{"oid", regexp.MustCompile(`^\d+(\.\d+){4,}$`)},
	{"tsa", regexp.MustCompile(`^6: http://`)},
	{"name", regexp.MustCompile(`^CN=`)},
	{"algorithm", regexp.MustCompile(`^OZDST-`)},
	{"base64", regexp.MustCompile(`^(MI[A-Z]|c29t)[A-Za-z0-9+/.]*=*$`)},
	{"serial", regexp.MustCompile(`^[1-9a-f][0-9a-f]{0,39}$`)},
	{"text", regexp.MustCompile(`.`)},
}

func format(text string) string {
	for _, f := range formats {
		if f.pattern.MatchString(text) {
			return f.name
		}
	}
	return "?"
}

// shape lists the fields of a JSON text in their order, each with the type and
// format of its value.
func shape(t testing.TB, text []byte) string {
	t.Helper()
	// What the original does not have, at the end of every reply.
	text = bytes.Replace(text, []byte(`,"code":"ok"}`), []byte("}"), 1)
	var out strings.Builder
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	next := func() json.Token {
		v, err := d.Token()
		if err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		return v
	}
	var value func(path string)
	value = func(path string) {
		switch v := next().(type) {
		case json.Delim:
			fmt.Fprintf(&out, "%s %s\n", path, v)
			for i := 0; d.More(); i++ {
				if v == '{' {
					value(path + "." + next().(string))
				} else {
					value(fmt.Sprintf("%s[%d]", path, i))
				}
			}
			next()
		case string:
			fmt.Fprintf(&out, "%s string %s\n", path, format(v))
		case json.Number:
			fmt.Fprintf(&out, "%s number %s\n", path, v)
		default:
			fmt.Fprintf(&out, "%s %v\n", path, v)
		}
	}
	value("")
	return out.String()
}

func wantShape(t *testing.T, name string, got []byte) {
	t.Helper()
	if got, want := shape(t, got), shape(t, sample(t, name)); got != want {
		gotLines, wantLines := strings.Split(got, "\n"), strings.Split(want, "\n")
		for i := range min(len(gotLines), len(wantLines)) {
			if gotLines[i] != wantLines[i] {
				t.Fatalf("line %d: got %q, want %q\nwhole:\n%s", i, gotLines[i], wantLines[i], got)
			}
		}
		t.Fatalf("got %d lines, want %d\n%s", len(gotLines), len(wantLines), got)
	}
}

// TestRepliesHaveTheShapeOfTheGuide compares real replies with the samples:
// the same fields in the same order and nesting, the same types, formats,
// booleans and statuses.
func TestRepliesHaveTheShapeOfTheGuide(t *testing.T) {
	w := newWorld(t, func(_ *Config, d *Deps) { d.Version = "1.11.4" })
	vpn := w.Issue(t, w.CA, func(tmpl *cert.Template) {
		w.UserTemplate(t, tmpl, "CN=Client")
	}, w.KeySpec)

	t.Run("ping", func(t *testing.T) {
		s := w.newServer(t, func(_ *Config, d *Deps) { d.VPNKey = vpn.Cert })
		wantShape(t, "ping", callServer(s, "GET", "/ping", "").Body.Bytes())
	})
	t.Run("info", func(t *testing.T) {
		s := w.newServer(t, func(_ *Config, d *Deps) {
			d.Version = "1.11.4"
			d.VPNKey = w.Issue(t, w.CA, func(tmpl *cert.Template) { w.UserTemplate(t, tmpl, "CN=test.e-imzo.uz,UID=9") }, w.KeySpec).Cert
			root := w.SelfSigned(t, func(tmpl *cert.Template) { w.rootLikeTheSample(t, tmpl) }, w.KeySpec)
			d.Anchors = cert.NewPool(root.Cert)
		})
		got := callServer(s, "GET", "/info", "").Body.Bytes()
		swapped := bytes.Replace(sample(t, "info"), []byte(`"UID":"9","CN":"test.e-imzo.uz"`), []byte(`"CN":"test.e-imzo.uz","UID":"9"`), 1)
		if got, want := shape(t, got), shape(t, swapped); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
	t.Run("challenge", func(t *testing.T) {
		wantShape(t, "challenge", w.call("GET", "/frontend/challenge?_uc=1700000000000_123", "").Body.Bytes())
		wantShape(t, "challenge", w.call("POST", "/frontend/challenge", "").Body.Bytes())
	})
	t.Run("auth", func(t *testing.T) {
		body := b64(w.sign(t, w.challenge(t)))
		wantShape(t, "auth", w.call("POST", pathAuth, body).Body.Bytes())
	})
	t.Run("timestamp-pkcs7", func(t *testing.T) {
		body := b64(w.sign(t, "some document"))
		wantShape(t, "timestamp-pkcs7", w.call("POST", pathStamp, body).Body.Bytes())
	})
	t.Run("verify-attached", func(t *testing.T) {
		body := b64(w.stamped(t, w.sign(t, "some document")))
		got := w.call("POST", pathAttached, body).Body.Bytes()
		wantShape(t, "verify-attached", got)
		// What does not depend on keys and dates is the same text.
		for _, field := range []string{
			`"documentBase64":"c29tZSBkb2N1bWVudA\u003d\u003d"`, `"digest":"3369cd520c8e556502b9bc0ac34ca69cafee96f2f4a8371a63d4dd7d3a458d05"`,
			`"subjectName":"CN\u003dsfasdfa s asdfasd,1.2.860.3.16.1.2\u003d11111111111111"`, `"issuer":"CN\u003dTestCA,O\u003dtest.e-imzo.uz"`,
			`"keyAlgName":"OZDST-1092-2009-2"`, `"signAlgName":"OZDST-1106-2009-2-AwithOZDST-1092-2009-2"`, `"tsaPolicy":"1.2.860.3.2.11.1"`,
			`"hashAlgorithm":"1.2.860.3.15.1.3.2.1.1"`, `"tsa":"6: http://test.e-imzo.uz/cams/tst"`, `"status":1,"message":"","code":"ok"}`,
		} {
			if !bytes.Contains(got, []byte(field)) {
				t.Errorf("no %s in %s", field, got)
			}
		}
	})
	t.Run("verify-detached", func(t *testing.T) {
		// The reply is that of attached without documentBase64 (guide 2.2.5).
		body := b64([]byte("some document")) + "|" + b64(w.stamped(t, w.sign(t, "some document", detached)))
		want := strings.Replace(shape(t, sample(t, "verify-attached")), ".pkcs7Info.documentBase64 string base64\n", "", 1)
		if got := shape(t, w.call("POST", pathDetached, body).Body.Bytes()); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
	t.Run("make-attached", func(t *testing.T) {
		body := b64([]byte("some document")) + "|" + b64(w.sign(t, "some document", detached))
		wantShape(t, "make-attached", w.call("POST", pathMake, body).Body.Bytes())
	})
	t.Run("join", func(t *testing.T) {
		other := w.User(t, "CN=OTHER")
		body := b64(w.sign(t, "some document")) + "|" + b64(w.signAs(t, other, "some document"))
		wantShape(t, "join", w.call("POST", pathJoin, body).Body.Bytes())
	})
}

// rootLikeTheSample names a root as the sample of /info does.
func (w *world) rootLikeTheSample(t *testing.T, tmpl *cert.Template) {
	name, err := cert.ParseName("C=UZ,CN=TestRoot,O=test.e-imzo.uz")
	if err != nil {
		t.Fatal(err)
	}
	tmpl.Subject = name
}

func TestDatesAreInTheConfiguredZone(t *testing.T) {
	w := newWorld(t) // its time is 2026-01-01 12:00:00 UTC
	body := b64(w.sign(t, "x", signedAt(time.Date(2026, 1, 1, 11, 30, 0, 0, time.UTC))))
	for zone, want := range map[string][2]string{
		"Asia/Tashkent": {"2026-01-01 16:30:00", "2026.01.01 17:00:00"},
		"UTC":           {"2026-01-01 11:30:00", "2026.01.01 12:00:00"},
		"Europe/Kyiv":   {"2026-01-01 13:30:00", "2026.01.01 14:00:00"},
	} {
		location, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		s := w.newServer(t, func(c *Config, _ *Deps) { c.Location = location })
		v := decode(t, callServer(s, "POST", pathAttached, body))
		if got := v.PKCS7Info.Signers[0].SigningTime; got != want[0] {
			t.Errorf("%s: signingTime %s, want %s", zone, got, want[0])
		}
		if got := callServer(s, "GET", "/info", "").Body.String(); !strings.Contains(got, `"serverTime":"`+want[1]+`"`) {
			t.Errorf("%s: %s, want %s", zone, got, want[1])
		}
	}
	if w.server.config.Location.String() != "Asia/Tashkent" {
		t.Error("the default zone is not Tashkent")
	}
}

func TestJSONIsEscapedAsGsonDoes(t *testing.T) {
	rec := httptest.NewRecorder()
	writeJSON(rec, result{Status: -1, Message: "a=b 'c' <d> & \"e\" \\ / \u2028\u2029 Ўзбекча\t\x01\xff"})
	want := `{"status":-1,"message":"a\u003db \u0027c\u0027 \u003cd\u003e \u0026 \"e\" \\ / \u2028\u2029 Ўзбекча\t\u0001` + `\ufffd"}`
	if got := rec.Body.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	big := documentView{PKCS7: bytes.Repeat([]byte{1, 2}, 1<<20), result: result{Status: 1}}
	rec = httptest.NewRecorder()
	writeJSON(rec, big)
	var back documentView
	if err := json.Unmarshal(rec.Body.Bytes(), &back); err != nil || !bytes.Equal(back.PKCS7, big.PKCS7) || rec.Header().Get("Content-Length") != fmt.Sprint(rec.Body.Len()) {
		t.Errorf("a large reply: %v", err)
	}
}
