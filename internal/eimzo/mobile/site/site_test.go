package site

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/chromedp/chromedp"

	"imzo/client/deeplink"
	"imzo/gost/gost341194"
	"imzo/internal/testpki/peer"
)

// tab is a page with the script, in a browser.
type tab struct {
	t   *testing.T
	ctx context.Context
	// status answers /status, by the number of the call.
	status func(w http.ResponseWriter, r *http.Request, call int)
}

func newTab(t *testing.T) *tab {
	t.Helper()
	path := peer.Chromium(t)
	b := &tab{t: t}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /e-imzo-mobile.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
		w.Write(Script())
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		// What a site's policy may be: no inline script, and no styles.
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; connect-src 'self'")
		fmt.Fprint(w, `<!doctype html><meta charset="utf-8"><title>site</title><script src="/e-imzo-mobile.js"></script><div id="svg"></div><canvas id="canvas"></canvas>`)
	})
	mux.HandleFunc("POST /auth", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `{"status":1,"message":null,"siteId":"0000","documentId":"B7735734","challange":"AB8C"}`)
	})
	mux.HandleFunc("POST /down", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `{"status":-1,"message":"store is down"}`)
	})
	var mu sync.Mutex
	calls := 0
	mux.HandleFunc("POST /status", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		calls++
		n := calls
		mu.Unlock()
		b.status(w, r, n)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(800, 800))
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if _, err := chromedp.Run(ctx, chromedp.Navigate(server.URL)); err != nil {
		t.Fatal(err)
	}
	b.ctx, cancel = context.WithTimeout(ctx, 60*time.Second)
	t.Cleanup(cancel)
	return b
}

// eval runs an expression, which may be a promise, and returns its value; ""
// and the message when it throws.
func (b *tab) eval(expression string, args ...any) (value, thrown string) {
	b.t.Helper()
	for i, a := range args {
		j, err := json.Marshal(a)
		if err != nil {
			b.t.Fatal(err)
		}
		args[i] = string(j)
	}
	script := fmt.Sprintf(`(async () => { try { return JSON.stringify({value: await (async () => (`+expression+`))()}); } catch (e) { return JSON.stringify({thrown: String(e)}); } })()`, args...)
	out, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](script, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	var v struct {
		Value  json.RawMessage
		Thrown string
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		b.t.Fatalf("%s gives %s: %v", expression, out, err)
	}
	var text string
	if json.Unmarshal(v.Value, &text) != nil {
		text = string(v.Value)
	}
	return text, v.Thrown
}

func TestTheScriptHashesAsTheGuideDoes(t *testing.T) {
	b := newTab(t)
	for text, want := range map[string]string{
		"":                       "981e5f3ca30c841487830f84fb433e13ac1101569b9c13584ac483234cd656c0",
		"a":                      "e74c52dd282183bf37af0079c9f78055715a103f17e3133ceff1aacf2f403011",
		"abc":                    "b285056dbf18d7392d7677369524dd14747459ed8143997e163b2986f92fd42c",
		"message digest":         "bc6041dd2aa401ebfa6e9886734174febdb4729aa972d60f549ac39b29721ba0",
		"some document":          "3369cd520c8e556502b9bc0ac34ca69cafee96f2f4a8371a63d4dd7d3a458d05",
		strings.Repeat("U", 64):  "b99adceae55fc4a515f5d729e8c05bd78a8c1f4a1c1505f2dd29cba1ac511e78",
		strings.Repeat("U", 128): "1c4ac7614691bbf427fa2316216be8f10d92edfd37cd1027514c1008f649c4e8",
		"привет":                 "3d5a691f03d1bf4f1970ff44664df2fdb2ea7864651ddeefec584a2bbcff69da",
		"emoji \U0001F600":       "05ba5f3bbd63606dafa1ab6166e714c6fe4fc3011ad897a7a5589c8da416b0f9",
		"The quick brown fox jumps over the lazy dog":        "9004294a361a508c586fe53d1f1b02746765e71b765472786e4770d565830a76",
		"This is message, length=32 bytes":                   "2cefc2f7b7bdc514e18ea57fa74ff357e7fa17d652c75f69cb1be7893ede48eb",
		"Suppose the original message has length = 50 bytes": "c3730c5cbccacf915ac292676f21e8bd4ef75331d9405e5f1a61dc3130a65011",
	} {
		if got, thrown := b.eval("EIMZOMobile.hash(%s)", text); got != want {
			t.Errorf("%.20q: %s %s, want %s", text, got, thrown, want)
		}
	}
	if got, _ := b.eval("EIMZOMobile.hash(%s, {cesu8: true})", "emoji \U0001F600"); got != "4c39761a5c996aacd4fabc4ff501f6b22ca29e7667e94f0c274e4c8254ee8706" {
		t.Errorf("CESU-8: %s", got)
	}
	if got, _ := b.eval("EIMZOMobile.hash('привет', {cesu8: true})"); got != "3d5a691f03d1bf4f1970ff44664df2fdb2ea7864651ddeefec584a2bbcff69da" {
		t.Errorf("CESU-8 without need: %s", got)
	}
	// Octets of all lengths around the blocks, and a file in pieces, against
	// our own.
	data := make([]byte, 3_000_001)
	for i := range data {
		data[i] = byte(i * i >> 3)
	}
	const octets = `Uint8Array.from(atob(%s), c => c.charCodeAt(0))`
	for _, n := range []int{1, 31, 32, 33, 63, 64, 65, 255, 256, 1000} {
		want := hex.EncodeToString(sum(data[:n]))
		encoded := base64.StdEncoding.EncodeToString(data[:n])
		if got, thrown := b.eval("EIMZOMobile.hash("+octets+")", encoded); got != want {
			t.Errorf("%d octets: %s %s, want %s", n, got, thrown, want)
		}
		if got, _ := b.eval("EIMZOMobile.hash("+octets+".buffer)", encoded); got != want {
			t.Errorf("%d octets in a buffer: %s", n, got)
		}
	}
	got, thrown := b.eval(`EIMZOMobile.hashFile(new Blob([new Uint8Array(3000001).map((_, i) => Math.floor(i * i / 8))]))`)
	if want := hex.EncodeToString(sum(data)); got != want {
		t.Errorf("a file: %s %s, want %s", got, thrown, want)
	}
	if _, thrown := b.eval("EIMZOMobile.hash(7)"); !strings.Contains(thrown, "TypeError") {
		t.Errorf("a number: %q", thrown)
	}
}

func sum(b []byte) []byte {
	digest := gost341194.Sum256(b)
	return digest[:]
}

func TestTheScriptMakesTheCodesOfTheDeeplinkPackage(t *testing.T) {
	b := newTab(t)
	if got, _ := b.eval("EIMZOMobile.crc32(new TextEncoder().encode('123456789')).toString(16)"); got != "cbf43926" {
		t.Errorf("CRC-32 %s", got)
	}
	for _, v := range [][3]string{
		{"b552", "362811E9", "abc"}, {"0000", "b7735734", "AB8C2ED52B12DCBAB3FBD8C11007E4C0C7BF6A2F5818C05DEB61F3EE39052BDC"},
		{"0000", "2944F1F2", "F8D2181DC6C02EA819B88FF3EF49BE0C"}, {"20E2", "850FF727", "some document"},
	} {
		want, err := deeplink.New(v[0], v[1], []byte(v[2]))
		if err != nil {
			t.Fatal(err)
		}
		code, thrown := b.eval("EIMZOMobile.code(%s, %s, %s)", v[0], v[1], v[2])
		if code != want.String() {
			t.Errorf("%v: %s %s, want %s", v, code, thrown, want)
		}
		if got, _ := b.eval("EIMZOMobile.codeOfHash(%s, %s, %s)", v[0], v[1], strings.ToUpper(hex.EncodeToString(want.Hash[:]))); got != code {
			t.Errorf("of the hash: %s", got)
		}
		if got, _ := b.eval("EIMZOMobile.link(%s)", code); got != want.URL() {
			t.Errorf("link %s", got)
		}
		groups := want.Groups()
		for _, text := range []string{code, hex.EncodeToString(want.Hash[:])} {
			if got, _ := b.eval("EIMZOMobile.groups(%s).join(' ')", text); got != strings.Join(groups[:], " ") {
				t.Errorf("groups %s", got)
			}
		}
	}
	for _, call := range []string{
		"code('000', '850FF727', '')", "code('0000', '850FF72', '')", "code('000g', '850FF727', '')", "codeOfHash('0000', '850FF727', 'ab')",
		"link('ab')", "groups('ab')", "code(0, '850FF727', '')",
	} {
		if got, thrown := b.eval("EIMZOMobile." + call); !strings.Contains(thrown, "hexadecimal digits") {
			t.Errorf("%s gives %s, %q", call, got, thrown)
		}
	}
}

// The codes that the page draws are read from its picture by another program.
func TestDrawnCodesAreRead(t *testing.T) {
	b := newTab(t)
	zbar := peer.ZBar(t)
	code, err := deeplink.New("b552", "362811E9", []byte("abc"))
	if err != nil {
		t.Fatal(err)
	}
	texts := []string{code.String(), code.URL(), "a", "twenty octets of tex", strings.Repeat("forty ", 7), strings.Repeat("x", 62), strings.Repeat("y", 106), "привет"}
	for i, text := range texts {
		for _, selector := range []string{"#svg", "#canvas"} {
			if _, thrown := b.eval("EIMZOMobile.drawQR(document.querySelector(%s), %s, {size: 330}) && 1", selector, text); thrown != "" {
				t.Fatal(thrown)
			}
			picture, err := chromedp.Run(b.ctx, chromedp.Screenshot(selector))
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "qr.png")
			if err := os.WriteFile(path, picture, 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command(zbar, "--raw", "-q", path).Output()
			if err != nil || strings.TrimSpace(string(out)) != strings.TrimSpace(text) {
				t.Errorf("text %d in %s is read as %q, %v", i, selector, out, err)
			}
		}
	}
	if got, _ := b.eval("document.querySelector('#svg svg').getAttribute('role') + document.querySelectorAll('#svg svg').length"); got != "img1" {
		t.Errorf("SVG %s", got)
	}
	if _, thrown := b.eval("EIMZOMobile.modules(%s)", strings.Repeat("x", 107)); !strings.Contains(thrown, "RangeError") {
		t.Errorf("a long text: %q", thrown)
	}
}

func TestPollingEndsWithAnyOtherStatus(t *testing.T) {
	b := newTab(t)
	type seen struct {
		Status  int
		Message *string
		Timeout bool
	}
	poll := func(options string) (v seen, thrown string) {
		t.Helper()
		got, thrown := b.eval("EIMZOMobile.poll({url: '/status', documentId: 'B7 1', every: 5, " + options + "})")
		if thrown == "" {
			if err := json.Unmarshal([]byte(got), &v); err != nil {
				t.Fatalf("%s: %v", got, err)
			}
		}
		return v, thrown
	}
	var first int
	after := func(n int, last string) {
		first = 0
		b.status = func(w http.ResponseWriter, r *http.Request, call int) {
			if first == 0 {
				first = call
			}
			if r.PostFormValue("documentId") != "B7 1" {
				t.Errorf("documentId %q", r.PostFormValue("documentId"))
			}
			switch k := call - first; {
			case k >= n:
				fmt.Fprint(w, last)
			case k%3 == 1:
				w.WriteHeader(http.StatusBadGateway)
			case k%3 == 2:
				panic(http.ErrAbortHandler) // the connection is lost
			default:
				fmt.Fprint(w, `{"status":2,"message":null}`)
			}
		}
	}
	after(4, `{"status":1,"message":null}`)
	if v, thrown := poll("most: 20000"); v.Status != 1 || v.Timeout {
		t.Errorf("success: %+v %s", v, thrown)
	}
	after(1, `{"status":-2,"message":"expired"}`)
	if v, thrown := poll("most: 20000"); v.Status != -2 || v.Message == nil || *v.Message != "expired" {
		t.Errorf("expired: %+v %s", v, thrown)
	}
	after(1_000_000, "")
	if v, thrown := poll("most: 150"); v.Status != 2 || !v.Timeout {
		t.Errorf("time is over: %+v %s", v, thrown)
	}
	if v, thrown := poll("most: 20000, signal: AbortSignal.timeout(50)"); thrown == "" {
		t.Errorf("stopped: %+v", v)
	}
	ticks, thrown := b.eval(`(async () => { const ticks = []; await EIMZOMobile.poll({url: '/status', documentId: 'B7 1', every: 50, most: 1500, onTick: s => ticks.push(s)}); return [ticks[0], ticks[ticks.length - 1]]; })()`)
	if ticks != "[2,0]" {
		t.Errorf("ticks %s %s", ticks, thrown)
	}
	if got, thrown := b.eval("EIMZOMobile.start('/auth').then(a => a.challange)"); got != "AB8C" {
		t.Errorf("start: %s %s", got, thrown)
	}
	if _, thrown := b.eval("EIMZOMobile.start('/down')"); !strings.Contains(thrown, "store is down") {
		t.Errorf("a server whose store is down: %s", thrown)
	}
	if _, thrown := b.eval("EIMZOMobile.start('/none')"); !strings.Contains(thrown, "404") {
		t.Errorf("no server: %s", thrown)
	}
}

func TestScriptIsACopy(t *testing.T) {
	Script()[0] = 'x'
	if !bytes.HasPrefix(Script(), []byte("// e-imzo-mobile.js")) {
		t.Error("a caller can change the script")
	}
	for _, r := range string(Script()) {
		if r > 127 || len(utf16.Encode([]rune{r})) > 1 {
			t.Fatalf("%q depends on the encoding of the page", r)
		}
	}
}
