package up

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	"imzo/internal/eimzo/agent/prompt"
	"imzo/internal/testpki/peer"
)

// outVariable names the folder for screenshots; without it there are none.
const outVariable = "IMZO_OUT"

// visit is a browser with the demo site, and the person before it.
type visit struct {
	t       *testing.T
	site    context.Context // the tab of the site
	prompts *regexp.Regexp
	r       *running
	seen    int // pages of questions
}

func newVisit(t *testing.T) *visit {
	t.Helper()
	path := peer.Chromium(t)
	r := startWith(t, Options{Dir: t.TempDir(), Listen: "127.0.0.1:0", Form: prompt.FormWeb})
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1100, 1400))
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium refuses root otherwise
	}
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	// The first call owns the browser, so only what follows is limited.
	do(t, ctx, chromedp.Navigate(r.demo))
	ctx, cancel = context.WithTimeout(ctx, 90*time.Second)
	t.Cleanup(cancel)
	return &visit{t: t, site: ctx, r: r, prompts: regexp.MustCompile(`http://127\.0\.0\.1:\d+/prompt/[A-Z2-7]+`)}
}

// answers waits for the next question of the agent, opens its page in a tab of
// its own and does what steps say.
func (v *visit) answers(name string, steps ...chromedp.Action[chromedp.Void]) (page string) {
	v.t.Helper()
	var address string
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if all := v.prompts.FindAllString(v.r.output(), -1); len(all) > v.seen {
			address = all[v.seen]
			v.seen++
			break
		}
		if time.Now().After(deadline) {
			v.t.Fatalf("%s: the agent asks nothing", name)
		}
	}
	tab, cancel := chromedp.NewContext(v.site, chromedp.WithNewWindow(true))
	defer cancel()
	do(v.t, tab, chromedp.Navigate(address), chromedp.WaitVisible("#agree"))
	page = text(v.t, tab, "main")
	v.shoot(tab, name)
	do(v.t, tab, steps...)
	do(v.t, tab, chromedp.WaitVisible("#note"))
	return page
}

// types is the person's password.
func types(password string) []chromedp.Action[chromedp.Void] {
	return []chromedp.Action[chromedp.Void]{chromedp.SendKeys("#secret", password), chromedp.Click("#agree")}
}

// shoot keeps a picture of a tab.
func (v *visit) shoot(tab context.Context, name string) {
	v.t.Helper()
	out := os.Getenv(outVariable)
	if out == "" {
		return
	}
	picture, err := chromedp.Run(tab, chromedp.FullScreenshot(100))
	if err != nil {
		v.t.Fatal(err)
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		v.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(out, name+".png"), picture, 0o644); err != nil {
		v.t.Fatal(err)
	}
}

// TestAPersonLogsInAndSignsInABrowser goes the whole way: the demo site, its
// agent, the page that asks for the password, the server.
func TestAPersonLogsInAndSignsInABrowser(t *testing.T) {
	v := newVisit(t)
	do(t, v.site, chromedp.WaitReady("#key option"))
	keys := text(t, v.site, "#key")

	// Refuse once; then a wrong password, then the right one.
	do(t, v.site, chromedp.Click("#login"))
	v.answers("1-refused", chromedp.Click("#refuse"))
	do(t, v.site, chromedp.WaitVisible("#login-message.bad"))
	refused := text(t, v.site, "#login-message")
	do(t, v.site, chromedp.Click("#login"))
	v.answers("2-wrong-password", types("wrong")...)
	again := v.answers("3-password", types(KeyPassword)...)
	do(t, v.site, chromedp.WaitVisible("#login-message.good"))
	person := text(t, v.site, "#person-data")
	v.shoot(v.site, "4-logged-in")

	// The password is still remembered: a text, with a timestamp.
	do(t, v.site, chromedp.Click("#sign"), chromedp.WaitVisible("#result"), chromedp.WaitVisible("#sign-message.good"))
	attached, answer := text(t, v.site, "#checks"), text(t, v.site, "#answer")
	v.shoot(v.site, "5-text-attached")

	// Another key: a file, detached, without a timestamp.
	file := filepath.Join(t.TempDir(), "contract.pdf")
	if err := os.WriteFile(file, []byte("%PDF-1.7\n\x00\x01 a contract"), 0o600); err != nil {
		t.Fatal(err)
	}
	do(t, v.site, chromedp.SetValue("#key", "1"), chromedp.SetUploadFiles("#file", []string{file}), chromedp.Click("#timestamp"), chromedp.Click("#detached"), chromedp.Click("#sign"))
	filePage := v.answers("6-file-password", types(KeyPassword)...)
	do(t, v.site, chromedp.WaitVisible("#result"), chromedp.WaitVisible("#sign-message.good"))
	detached, detachedAnswer := text(t, v.site, "#checks"), text(t, v.site, "#answer")
	v.shoot(v.site, "7-file-detached")

	// The same file attached, and the text detached.
	do(t, v.site, chromedp.Click("#detached"), chromedp.Click("#sign"), chromedp.WaitVisible("#result"), chromedp.WaitVisible("#sign-message.good"))
	fileAttached := text(t, v.site, "#answer")
	v.shoot(v.site, "8-file-attached")

	// The ID card.
	do(t, v.site, chromedp.SetValue("#key", "idcard"), chromedp.Click("#sign"))
	cardPage := v.answers("9-card-pin", types(KeyPassword)...)
	do(t, v.site, chromedp.WaitVisible("#result"), chromedp.WaitVisible("#sign-message.good"))
	card := text(t, v.site, "#checks")
	v.shoot(v.site, "10-card")
	do(t, v.site, chromedp.Click("#logout"), chromedp.WaitVisible("#login"))

	for what, ok := range map[string]bool{
		"both keys are listed":              strings.Contains(keys, "IVANOV IVAN") && strings.Contains(keys, "VALIYEVA NODIRA"),
		"a refusal is told":                 refused == "The password was not entered" || strings.Contains(refused, "password"),
		"the second question says why":      strings.Contains(again, "wrong"),
		"the question shows the site":       strings.Contains(again, v.r.demo),
		"the question shows the challenge":  regexp.MustCompile(`[0-9a-f]{32}|[0-9A-Za-z-]{20}`).MatchString(again),
		"the person is shown":               strings.Contains(person, "IVANOV"),
		"the text is signed with a stamp":   strings.Contains(attached, "Timestamp") && strings.Contains(answer, "timeStampInfo"),
		"the file is shown as no text":      strings.Contains(filePage, "no text"),
		"the file is signed by the second":  strings.Contains(detached, "VALIYEVA"),
		"detached answers have no document": !strings.Contains(detachedAnswer, "documentBase64") && !strings.Contains(detachedAnswer, "timeStampInfo"),
		"the card asks for its PIN":         strings.Contains(cardPage, "PIN") && strings.Contains(cardPage, "Virtual ID card"),
		"the card signs":                    strings.Contains(card, "IVANOV"),
		"attached answers have it":          strings.Contains(fileAttached, "documentBase64"),
	} {
		if !ok {
			t.Errorf("not so: %s", what)
		}
	}
	if t.Failed() {
		t.Logf("refused %q\nagain %q\nfile %q", refused, again, filePage)
	}
}

// TestAnotherSiteCannotReadTheQuestion opens the page of a question in a frame
// and by script of another origin.
func TestAnotherSiteCannotReadTheQuestion(t *testing.T) {
	v := newVisit(t)
	do(t, v.site, chromedp.WaitReady("#key option"), chromedp.Click("#login"))
	var address string
	for deadline := time.Now().Add(30 * time.Second); address == ""; time.Sleep(10 * time.Millisecond) {
		address = v.prompts.FindString(v.r.output())
		if time.Now().After(deadline) {
			t.Fatal("the agent asks nothing")
		}
	}
	// The site's own policy must not be what keeps it out.
	tab, cancel := chromedp.NewContext(v.site, chromedp.WithNewWindow(true))
	defer cancel()
	do(t, tab, chromedp.Navigate("data:text/html,<iframe id=f></iframe>"))
	read, err := chromedp.Run(tab, chromedp.Evaluate[string](`(async () => {
		const address = "`+address+`";
		let got = [];
		for (const init of [{}, {mode: "no-cors"}, {method: "POST", body: "action=agree"}]) {
			try { const r = await fetch(address, init); got.push(r.type + " " + r.status + " " + await r.text()); } catch (e) { got.push("refused"); }
		}
		const frame = document.getElementById("f");
		await new Promise((done) => { frame.onload = done; frame.src = address; setTimeout(done, 3000); });
		try { got.push("frame " + frame.contentDocument.body.textContent); } catch (e) { got.push("frame refused"); }
		return got.join("; ");
	})()`, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(read, "IVANOV") || strings.Contains(read, "200") {
		t.Errorf("another page reads: %s", read)
	}
	// None of it has used up the address: the person still gets the question.
	if page := v.answers("11-after-attack", types(KeyPassword)...); !strings.Contains(page, "IVANOV IVAN") {
		t.Error(page)
	}
	do(t, v.site, chromedp.WaitVisible("#login-message.good"))
}

func do(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

// text returns what an element holds, whether it is shown or folded away.
func text(t *testing.T, ctx context.Context, selector string) string {
	t.Helper()
	s, err := chromedp.Run(ctx, chromedp.TextContent(selector))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Pages use the script's Base64 as that of js-base64 2.x, which E-IMZO's own
// script brings along.
func TestBase64OfTheScriptIsThatOfPages(t *testing.T) {
	v := newVisit(t)
	got, err := chromedp.Run(v.site, chromedp.Evaluate[map[string]string](`(() => {
		const own = Base64, all = String.fromCharCode(...Array(256).keys());
		const r = {
			"encode": Base64.encode("Шартнома № 1 😀"),
			"encode, URL alphabet": Base64.encode("~~~???>>", true),
			"encodeURI": Base64.encodeURI("~~~???>>"),
			"toBase64": Base64.toBase64("a"),
			"decode": Base64.decode("0KjQsNGA0YLQvdC+0LzQsCDihJYgMSDwn5iA"),
			"decode, URL alphabet and no padding": Base64.decode("fn5-Pz8_Pj4"),
			"decode, line ends and spaces": Base64.decode("0KjQsNGA\r\n 0YLQ vdC+0LzQsA=="),
			"fromBase64": Base64.fromBase64("YQ"),
			"atob": Array.from(Base64.atob("AP+A/w"), (c) => c.charCodeAt(0)).join(),
			"btoa": Base64.btoa("\x00\xff\x80\xff"),
			"utob and btou": Base64.btou(Base64.utob("ў")) + Base64.utob("ў").length,
			"all octets": String(Base64.atob(Base64.btoa(all)) === all),
			"VERSION": Base64.VERSION.split(".")[0],
		};
		r["noConflict"] = String(Base64.noConflict() === own && window.Base64 !== own);
		window.Base64 = own;
		return r;
	})()`))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"encode": "0KjQsNGA0YLQvdC+0LzQsCDihJYgMSDwn5iA", "encode, URL alphabet": "fn5-Pz8_Pj4", "encodeURI": "fn5-Pz8_Pj4", "toBase64": "YQ==",
		"decode": "Шартнома № 1 😀", "decode, URL alphabet and no padding": "~~~???>>", "decode, line ends and spaces": "Шартнома", "fromBase64": "a",
		"atob": "0,255,128,255", "btoa": "AP+A/w==", "utob and btou": "ў2", "all octets": "true", "VERSION": "2", "noConflict": "true",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +\n%s", diff)
	}
}
