package page

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"imzo/client/deeplink"
	"imzo/internal/eimzo/mobile"
	"imzo/internal/eimzo/mobile/phone"
	"imzo/internal/qr"
	"imzo/internal/testpki"
	"imzo/internal/testpki/peer"
	"imzo/pki/cert"
	"imzo/pki/token"
	"imzo/pki/token/soft"
)

const pin = "2468"

// world is a gateway with the page, a site, and a folder of cards.
type world struct {
	t       *testing.T
	pki     *testpki.PKI
	cards   string
	address string // of the gateway
	link    string
	log     *lockedBuffer

	mu      sync.Mutex
	uploads []string // DocumentIDs
	reply   string
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newWorld(t *testing.T, change func(*Options)) *world {
	t.Helper()
	w := &world{t: t, pki: testpki.NewAt(t, "ozdst:C", time.Now()), cards: t.TempDir(), log: new(lockedBuffer), reply: `{"status":1,"message":null}`}
	upload := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.uploads = append(w.uploads, r.PostFormValue("document_id"))
		fmt.Fprint(out, w.reply)
	}))
	t.Cleanup(upload.Close)
	sites, err := mobile.OpenSites(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sites.Add(t.Context(), mobile.Site{SiteID: "20e2", Name: `Bozor <b>"1"</b>`, Domain: "example.uz", UploadURL: upload.URL}, rand.Reader); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(w.log, nil))
	gateway, err := mobile.New(mobile.Options{Sites: sites, Anchors: w.pki.Anchors(), Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		Gateway: func(r *http.Request) phone.Gateway { return gateway.For(gateway.Address(r)) },
		Cards:   soft.Folder(w.cards), Language: "en", Logger: log,
	}
	if change != nil {
		change(&o)
	}
	handler, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	gateway.HandlePhone(handler)
	server := httptest.NewServer(gateway)
	t.Cleanup(server.Close)
	w.address = server.URL
	code, err := deeplink.New("20e2", "850FF727", []byte("some document"))
	if err != nil {
		t.Fatal(err)
	}
	w.link = code.URL()
	return w
}

// makeCard makes a card of a new user.
func (w *world) makeCard(name string, tries int) testpki.Entity {
	w.t.Helper()
	card, err := soft.Create(filepath.Join(w.cards, name+soft.Extension), soft.Options{Kind: token.KindIDCard, Name: name, PIN: []byte(pin), MaxTries: tries})
	if err != nil {
		w.t.Fatal(err)
	}
	session, err := card.Open(w.t.Context(), []byte(pin))
	if err != nil {
		w.t.Fatal(err)
	}
	defer session.Close()
	key, err := session.GenerateKey(w.t.Context(), "")
	if err != nil {
		w.t.Fatal(err)
	}
	user := w.pki.User(w.t, testpki.Person, func(c *cert.Template) { c.PublicKey = key.PublicKey() })
	if err := session.Personalize(w.t.Context(), user.Chain, []byte(pin)); err != nil {
		w.t.Fatal(err)
	}
	return user
}

// call is what the page's script does.
func (w *world) call(what string, body any, change func(*http.Request)) (int, answer) {
	w.t.Helper()
	b, ok := body.([]byte)
	if !ok {
		var err error
		if b, err = json.Marshal(body); err != nil {
			w.t.Fatal(err)
		}
	}
	r, err := http.NewRequestWithContext(w.t.Context(), "POST", w.address+Path+"api/"+what+"?lang=en", bytes.NewReader(b))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if change != nil {
		change(r)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	var a answer
	_ = json.NewDecoder(response.Body).Decode(&a) // refusals are plain text
	return response.StatusCode, a
}

func TestACardSignsAndItsTriesAreCounted(t *testing.T) {
	w := newWorld(t, nil)
	user := w.makeCard("Ali", 2)
	if err := os.WriteFile(filepath.Join(w.cards, "broken.card"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := soft.Create(filepath.Join(w.cards, "empty.card"), soft.Options{Kind: token.KindIDCard, PIN: []byte(pin)}); err != nil {
		t.Fatal(err)
	}
	code, a := w.call("open", map[string]string{"link": w.link}, nil)
	if code != 200 || a.Site.Domain != "example.uz" || a.DocumentID != "850FF727" || strings.Join(a.Groups, "") != w.link[len("eimzo://sign?qc=")+12:][:64] {
		t.Fatalf("%d %+v", code, a)
	}
	if len(a.Cards) != 1 || a.Cards[0] != (card{ID: "Ali", Holder: "IVANOV IVAN IVANOVICH", Serial: user.Cert.SerialHex(), Until: user.Cert.NotAfter.Format("2006-01-02"), TriesLeft: 2}) {
		t.Errorf("cards %+v", a.Cards)
	}
	sign := func(pin string) (int, answer) {
		return w.call("sign", map[string]string{"link": w.link, "card": "Ali", "pin": pin}, nil)
	}
	if code, a := sign("1111"); code != 422 || a.Error != "pin" || a.TriesLeft == nil || *a.TriesLeft != 1 || !strings.Contains(a.Message, "1") {
		t.Errorf("wrong PIN: %d %+v", code, a)
	}
	if code, a := sign("12 4"); code != 422 || a.Error != "pinLength" {
		t.Errorf("no PIN: %d %+v", code, a)
	}
	if code, a := sign(pin); code != 200 || a.Outcome == nil || !a.Outcome.Accepted || !strings.Contains(a.Message, "the site has") {
		t.Errorf("right PIN: %d %+v", code, a)
	}
	w.mu.Lock()
	if len(w.uploads) != 1 || w.uploads[0] != "850FF727" {
		t.Errorf("uploads %v", w.uploads)
	}
	w.reply = `{"status":-2,"message":"gone"}`
	w.mu.Unlock()
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) // another signing time, another submission
	if code, a := sign(pin); code != 200 || a.Outcome.Accepted || a.Outcome.Code != phone.SiteRefused || a.Outcome.Site.Message != "gone" {
		t.Errorf("refused: %d %+v", code, a)
	}
	sign("1111")
	for range 2 {
		if code, a := sign("1111"); code != 422 || a.Error != "blocked" {
			t.Errorf("blocked: %d %+v", code, a)
		}
	}
	if code, a := sign(pin); code != 422 || a.Error != "blocked" {
		t.Errorf("blocked, right PIN: %d %+v", code, a)
	}
	if strings.Contains(w.log.String(), pin) || strings.Contains(w.log.String(), "1111") {
		t.Error("the log has a PIN")
	}
	if !strings.Contains(w.log.String(), "broken") {
		t.Error("the log has nothing of the broken card")
	}
}

func TestWhatIsNoCodeOrNoSiteIsRefusedBeforeThePIN(t *testing.T) {
	w := newWorld(t, nil)
	w.makeCard("Ali", 5)
	other, err := deeplink.New("0001", "850FF727", nil)
	if err != nil {
		t.Fatal(err)
	}
	broken := w.link[:len(w.link)-1] + "x"
	for link, want := range map[string]string{"": "code", broken: "code", other.String(): "site"} {
		for _, what := range []string{"open", "sign"} {
			if code, a := w.call(what, map[string]string{"link": link, "card": "Ali", "pin": "1"}, nil); code != 422 || a.Error != want || a.Message == "" {
				t.Errorf("%s %q: %d %+v", what, link, code, a)
			}
		}
	}
	if code, a := w.call("sign", map[string]string{"link": w.link, "card": "Vali", "pin": pin}, nil); code != 422 || a.Error != "card" {
		t.Errorf("a card there is not: %d %+v", code, a)
	}
	for _, body := range []string{"", "{", `{"link":"a","more":1}`, `{}1`, `{"link":"` + strings.Repeat("a", maxBody) + `"}`} {
		if code, _ := w.call("open", []byte(body), nil); code != http.StatusBadRequest {
			t.Errorf("%.20s: HTTP %d", body, code)
		}
	}
	c, err := soft.Open(filepath.Join(w.cards, "Ali.card"))
	if err != nil {
		t.Fatal(err)
	}
	if info, err := c.Info(t.Context()); err != nil || info.TriesLeft != 5 {
		t.Errorf("tries %+v, %v", info, err)
	}
}

func TestOtherPagesCannotUseThePhone(t *testing.T) {
	w := newWorld(t, nil)
	body := map[string]string{"link": w.link}
	for name, change := range map[string]func(*http.Request){
		"another site":     func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"another port":     func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") },
		"another origin":   func(r *http.Request) { r.Header.Set("Origin", "http://127.0.0.1:1") },
		"an opaque origin": func(r *http.Request) { r.Header.Set("Origin", "null") },
		"a form":           func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") },
		"another name":     func(r *http.Request) { r.Host = "example.uz" },
		"a rebound name":   func(r *http.Request) { r.Host = "127.0.0.1.example.uz" },
	} {
		if code, a := w.call("open", body, change); code != http.StatusForbidden || a.Site.Name != "" {
			t.Errorf("%s: HTTP %d %+v", name, code, a)
		}
	}
	for name, change := range map[string]func(*http.Request){
		"itself": func(r *http.Request) {
			r.Header.Set("Origin", w.address)
			r.Header.Set("Sec-Fetch-Site", "same-origin")
		},
		"localhost": func(r *http.Request) { r.Host = "localhost:1234" },
		"IPv6":      func(r *http.Request) { r.Host = "[::1]" },
	} {
		if code, _ := w.call("open", body, change); code != 200 {
			t.Errorf("%s: HTTP %d", name, code)
		}
	}
	open := newWorld(t, func(o *Options) { o.Anywhere = true })
	if code, _ := open.call("open", map[string]string{"link": open.link}, func(r *http.Request) { r.Host = "phone.example.uz" }); code != 200 {
		t.Errorf("anywhere: HTTP %d", code)
	}
}

func TestPINsAreNotTriedWithoutEnd(t *testing.T) {
	now := time.Now()
	w := newWorld(t, func(o *Options) { o.Now = func() time.Time { return now } })
	last := 0
	for range signsPerMinute + 1 {
		last, _ = w.call("sign", map[string]string{"link": w.link, "card": "none", "pin": "1"}, nil)
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("HTTP %d", last)
	}
}

func TestThePageIsWrittenInThreeLanguages(t *testing.T) {
	w := newWorld(t, nil)
	for query, want := range map[string]string{"": `lang="en"`, "?lang=ru": "Подписать", "?lang=uz": "Imzolash", "?lang=xx": "Refuse"} {
		response, err := http.Get(w.address + Path + query)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		b.ReadFrom(response.Body)
		response.Body.Close()
		if response.StatusCode != 200 || !strings.Contains(b.String(), want) || response.Header.Get("Content-Security-Policy") != policy {
			t.Errorf("%s: %d %s", query, response.StatusCode, b.String())
		}
	}
	for _, name := range []string{"phone.js", "jsQR.js", "jsQR.LICENSE", "phone.css"} {
		response, err := http.Get(w.address + Path + name)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != 200 || response.ContentLength == 0 {
			t.Errorf("%s: HTTP %d", name, response.StatusCode)
		}
	}
}

func TestNewNeedsAGatewayAndCards(t *testing.T) {
	for _, o := range []Options{{}, {Cards: soft.Folder("")}, {Gateway: func(*http.Request) phone.Gateway { return nil }}} {
		if _, err := New(o); !errors.Is(err, ErrOptions) {
			t.Error(err)
		}
	}
	if _, err := New(Options{Cards: soft.Folder(""), Gateway: func(*http.Request) phone.Gateway { return nil }}); err != nil {
		t.Error(err)
	}
}

// photograph is a QR code as a camera sees it on a screen: small, off the
// middle, grey.
func photograph(t *testing.T, text string) string {
	t.Helper()
	code, err := qr.Encode(text)
	if err != nil {
		t.Fatal(err)
	}
	b, err := code.PNG(5)
	if err != nil {
		t.Fatal(err)
	}
	small, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	photo := image.NewRGBA(image.Rect(0, 0, 900, 700))
	draw.Draw(photo, photo.Bounds(), image.NewUniform(color.Gray{200}), image.Point{}, draw.Src)
	draw.Draw(photo, small.Bounds().Add(image.Pt(310, 120)), small, image.Point{}, draw.Src)
	path := filepath.Join(t.TempDir(), "photo.png")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, photo); err != nil {
		t.Fatal(err)
	}
	return path
}

func run(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	for i, step := range steps {
		if _, err := chromedp.Run(ctx, step); err != nil {
			t.Fatalf("step %d: %v", i+1, err)
		}
	}
}

func text(t *testing.T, ctx context.Context, selector string) string {
	t.Helper()
	out, err := chromedp.Run(ctx, chromedp.Text(selector))
	if err != nil {
		t.Fatalf("%s: %v", selector, err)
	}
	return strings.TrimSpace(out)
}

// browse opens an address in a browser of its own.
func browse(t *testing.T, path, address string, more ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(390, 844))
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), append(options, more...)...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	run(t, ctx, chromedp.Navigate(address)) // the first call owns the browser
	ctx, cancel = context.WithTimeout(ctx, 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// TestThePhoneReadsTheQROfASitesPage has the site's script draw a code in one
// tab, and the phone in another read the picture of it.
func TestThePhoneReadsTheQROfASitesPage(t *testing.T) {
	path := peer.Chromium(t)
	w := newWorld(t, nil)
	w.makeCard("Ali", 3)
	shop := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(out, `<!doctype html><body style="background:#fc8"><script src="%s/e-imzo-mobile.js"></script><div id="qr"></div>
<script>EIMZOMobile.drawQR(document.getElementById('qr'), EIMZOMobile.code('20e2', '850FF727', 'some document'), {size: 220});</script>`, w.address)
	}))
	defer shop.Close()
	ctx := browse(t, path, shop.URL)
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "screen.png")
	if err := os.WriteFile(file, picture, 0o600); err != nil {
		t.Fatal(err)
	}
	tab, cancel := chromedp.NewContext(ctx)
	defer cancel()
	run(t, tab, chromedp.Navigate(w.address+Path+"?lang=en"), chromedp.SetUploadFiles("#picture", []string{file}), chromedp.WaitVisible("#request"),
		chromedp.SendKeys("#pin", pin), chromedp.Click("#sign"), chromedp.WaitVisible("#result-text.good"))
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.uploads) != 1 || w.uploads[0] != "850FF727" {
		t.Errorf("uploads %v", w.uploads)
	}
}

// TestThePhoneReadsACodeByCamera gives the browser a film in the place of its
// camera.
func TestThePhoneReadsACodeByCamera(t *testing.T) {
	path := peer.Chromium(t)
	w := newWorld(t, nil)
	code, err := deeplink.Parse(w.link)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(photograph(t, code.String()))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	photo, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	// YUV4MPEG2: a header, and frames of luminance and twice no colour.
	width, height := photo.Bounds().Dx(), photo.Bounds().Dy()
	film := fmt.Appendf(nil, "YUV4MPEG2 W%d H%d F10:1 Ip C420jpeg\n", width, height)
	for range 3 {
		film = append(film, "FRAME\n"...)
		for y := range height {
			for x := range width {
				film = append(film, color.GrayModel.Convert(photo.At(x, y)).(color.Gray).Y)
			}
		}
		film = append(film, bytes.Repeat([]byte{128}, 2*(width/2)*(height/2))...)
	}
	file := filepath.Join(t.TempDir(), "film.y4m")
	if err := os.WriteFile(file, film, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx := browse(t, path, w.address+Path+"?lang=en", chromedp.Flag("use-fake-device-for-media-stream", true),
		chromedp.Flag("use-fake-ui-for-media-stream", true), chromedp.Flag("use-file-for-fake-video-capture", file))
	run(t, ctx, chromedp.Click("#camera"), chromedp.WaitVisible("#request"))
	if got := text(t, ctx, "#document-id"); got != "850FF727" {
		t.Errorf("document %q", got)
	}
	if got := text(t, ctx, "#error"); got != "There is no card that could sign." {
		t.Errorf("without a card: %q", got)
	}
}

// TestAPersonSignsWithThePhoneInABrowser goes the whole way of the page: a
// picture that is no code, a photograph of one, a wrong PIN, the right one; and
// then a link as the parameter.
func TestAPersonSignsWithThePhoneInABrowser(t *testing.T) {
	path := peer.Chromium(t)
	w := newWorld(t, nil)
	w.makeCard("Ali", 3)
	w.makeCard("Vali", 3)
	ctx := browse(t, path, w.address+Path+"?lang=en")

	code, err := deeplink.Parse(w.link)
	if err != nil {
		t.Fatal(err)
	}
	run(t, ctx, chromedp.SetUploadFiles("#picture", []string{photograph(t, "a text that is no code")}), chromedp.WaitVisible("#error"))
	if got := text(t, ctx, "#error"); !strings.Contains(got, "no code") {
		t.Errorf("another code: %q", got)
	}
	run(t, ctx, chromedp.SetUploadFiles("#picture", []string{photograph(t, code.String())}), chromedp.WaitVisible("#request"))
	groups := code.Groups()
	for selector, want := range map[string]string{
		"#site": `Bozor <b>"1"</b>`, "#domain": "example.uz", "#site-id": "20e2", "#document-id": "850FF727", "#groups": strings.Join(groups[:], "\n"),
	} {
		if got := text(t, ctx, selector); got != want {
			t.Errorf("%s shows %q, want %q", selector, got, want)
		}
	}
	run(t, ctx, chromedp.SetValue("#card", "Vali"), chromedp.SendKeys("#pin", "1111"), chromedp.Click("#sign"), chromedp.WaitVisible("#error"))
	if got := text(t, ctx, "#error"); !strings.Contains(got, "wrong") || !strings.Contains(got, "2") {
		t.Errorf("wrong PIN: %q", got)
	}
	shoot(t, ctx, "phone-wrong-pin")
	run(t, ctx, chromedp.SendKeys("#pin", pin), chromedp.Click("#sign"), chromedp.WaitVisible("#result"))
	if got := text(t, ctx, "#result-text"); !strings.Contains(got, "the site has the signature") {
		t.Errorf("result: %q", got)
	}
	shoot(t, ctx, "phone-signed")
	w.mu.Lock()
	if len(w.uploads) != 1 {
		t.Errorf("uploads %v", w.uploads)
	}
	w.reply = `{"status":-2,"message":"DocumentID is unknown"}`
	w.mu.Unlock()

	// A link as the parameter, on another site's word.
	query := "?lang=ru&link=" + strings.NewReplacer(":", "%3A", "/", "%2F", "?", "%3F", "=", "%3D").Replace(w.link)
	run(t, ctx, chromedp.Navigate(w.address+Path+query), chromedp.WaitVisible("#request"), chromedp.SendKeys("#pin", pin), chromedp.Click("#sign"), chromedp.WaitVisible("#result"))
	if got := text(t, ctx, "#result-text"); got != "Сайт не принял подпись." {
		t.Errorf("refused: %q", got)
	}
	if got := text(t, ctx, "#result-detail"); !strings.Contains(got, "DocumentID is unknown") {
		t.Errorf("what the site said: %q", got)
	}
	run(t, ctx, chromedp.Click("#again"), chromedp.WaitVisible("#scan"), chromedp.SendKeys("#link", w.link[:40]), chromedp.Click("#open"), chromedp.WaitVisible("#error"))
	if got := text(t, ctx, "#error"); !strings.Contains(got, "не код") {
		t.Errorf("half a link: %q", got)
	}
}

// shoot keeps a picture of the page where IMZO_OUT names a folder.
func shoot(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	out := os.Getenv("IMZO_OUT")
	if out == "" {
		return
	}
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(out, name+".png"), picture, 0o644); err != nil {
		t.Fatal(err)
	}
}
