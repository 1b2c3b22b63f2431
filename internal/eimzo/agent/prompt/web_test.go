package prompt

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"imzo/internal/i18n"
)

// asked is a question that waits in a page.
type asked struct {
	t      *testing.T
	url    string
	client *http.Client
	answer chan Answer
	err    chan error
	cancel context.CancelFunc
}

// askWeb asks, and returns when the address is known.
func askWeb(t *testing.T, r Request) *asked {
	t.Helper()
	w := &Web{}
	s := httptest.NewServer(w)
	t.Cleanup(s.Close)
	w.Base = func() string { return s.URL }
	opened := make(chan string, 1)
	w.Open = func(address string) error { opened <- address; return nil }
	ctx, cancel := context.WithTimeout(t.Context(), Timeout)
	t.Cleanup(cancel)
	q := &asked{t: t, client: browser(t), answer: make(chan Answer, 1), err: make(chan error, 1), cancel: cancel}
	go func() {
		a, err := w.Ask(ctx, r)
		q.answer <- a
		q.err <- err
	}()
	q.url = <-opened
	if !regexp.MustCompile(`^http://127\.0\.0\.1:\d+/prompt/[A-Z2-7]{26}$`).MatchString(q.url) {
		t.Errorf("address %s", q.url)
	}
	return q
}

func browser(t *testing.T) *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar}
}

func (q *asked) do(client *http.Client, method, address, body string, header http.Header) (int, string, http.Header) {
	q.t.Helper()
	r, err := http.NewRequestWithContext(q.t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		q.t.Fatal(err)
	}
	if header != nil {
		r.Header = header
	}
	response, err := client.Do(r)
	if err != nil {
		q.t.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		q.t.Fatal(err)
	}
	return response.StatusCode, string(b), response.Header
}

var formField = regexp.MustCompile(`name="form" value="([A-Z2-7]+)"`)

// open opens the page and returns it with what the form has to bring back.
func (q *asked) open() (page, form string) {
	q.t.Helper()
	status, page, _ := q.do(q.client, "GET", q.url, "", nil)
	found := formField.FindStringSubmatch(page)
	if status != 200 || found == nil {
		q.t.Fatalf("%d %s", status, page)
	}
	return page, found[1]
}

func (q *asked) send(values url.Values) (int, string) {
	q.t.Helper()
	status, page, _ := q.do(q.client, "POST", q.url, values.Encode(), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Origin": {strings.TrimSuffix(q.url, q.url[strings.Index(q.url, "/prompt/"):])}, "Sec-Fetch-Site": {"same-origin"}})
	return status, page
}

func (q *asked) ended() (Answer, error) {
	q.t.Helper()
	select {
	case a := <-q.answer:
		return a, <-q.err
	case <-time.After(20 * time.Second):
		q.t.Fatal("no answer")
		return Answer{}, nil
	}
}

var signing = Request{
	Kind: KindPassword, Origin: "https://bank.uz", Domain: "bank.uz", Function: "pkcs7.create_pkcs7",
	Key:     &Key{Owner: "IVANOV <b>IVAN</b>", File: "DS1", Serial: "78ff70c3", Expiry: time.Date(2027, 1, 2, 12, 0, 0, 0, time.UTC)},
	Content: NewContent([]byte("pay <script>1</script> sum")), Remember: true, Language: i18n.English,
}

func TestThePageShowsWhatIsSignedForWhom(t *testing.T) {
	q := askWeb(t, signing)
	page, form := q.open()
	for _, want := range []string{
		"https://bank.uz", "IVANOV &lt;b&gt;IVAN&lt;/b&gt;", "78ff70c3", "DS1", "2027-01-02", "pkcs7.create_pkcs7", "26 bytes",
		"pay &lt;script&gt;1&lt;/script&gt; sum", "Remember for 6 hours", `lang="en"`, "OZDST-1106-2009-2-A ",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in %s", want, page)
		}
	}
	status, page := q.send(url.Values{"form": {form}, "action": {"agree"}, "secret": {""}})
	if status != 200 || !strings.Contains(page, "Type the password.") {
		t.Errorf("%d %s", status, page)
	}
	const password = "pä +&=%s\""
	if status, page = q.send(url.Values{"form": {form}, "action": {"agree"}, "secret": {password}, "remember": {"yes"}}); status != 200 || !strings.Contains(page, "Done.") || strings.Contains(page, "<form") {
		t.Errorf("%d %s", status, page)
	}
	a, err := q.ended()
	if err != nil || a.Secret.Text() != password || !a.Remember {
		t.Errorf("%+v %v", a, err)
	}
	a.Secret.Wipe()
	if status, page, _ := q.do(q.client, "GET", q.url, "", nil); status != 404 || strings.Contains(page, "<form") {
		t.Errorf("asked again: %d %s", status, page)
	}
}

func TestOnlyTheFirstBrowserGetsTheQuestion(t *testing.T) {
	q := askWeb(t, signing)
	_, form := q.open()
	other := browser(t)
	if status, page, _ := q.do(other, "GET", q.url, "", nil); status != 404 || strings.Contains(page, "bank.uz") {
		t.Errorf("%d %s", status, page)
	}
	agree := url.Values{"form": {form}, "action": {"agree"}, "secret": {"x"}}.Encode()
	if status, page, _ := q.do(other, "POST", q.url, agree, nil); status != 404 || strings.Contains(page, "bank.uz") {
		t.Errorf("%d %s", status, page)
	}
	if page, _ := q.open(); !strings.Contains(page, "bank.uz") {
		t.Error("the first may not reload")
	}
	for name, body := range map[string]string{
		"no form":      "action=agree&secret=x",
		"wrong form":   "action=agree&secret=x&form=" + strings.Repeat("A", 26),
		"a large form": "form=" + form + "&action=agree&secret=" + strings.Repeat("x", maxForm),
		"bad percent":  "form=" + form + "&action=agree&secret=%zz",
		"cut percent":  "form=" + form + "&action=agree&secret=%4",
	} {
		if status, _, _ := q.do(q.client, "POST", q.url, body, nil); status != 400 {
			t.Errorf("%s: %d", name, status)
		}
	}
	if status, _, _ := q.do(q.client, "PUT", q.url, "", nil); status != 405 {
		t.Error(status)
	}
	q.send(url.Values{"form": {form}, "action": {"refuse"}, "secret": {"x"}})
	if a, err := q.ended(); !errors.Is(err, ErrCancelled) || a.Secret != nil {
		t.Errorf("%+v %v", a, err)
	}
}

func TestPagesOfOthersGetNothing(t *testing.T) {
	q := askWeb(t, signing)
	for _, header := range []http.Header{
		{"Sec-Fetch-Site": {"cross-site"}}, {"Sec-Fetch-Site": {"same-site"}}, {"Origin": {"https://evil.example"}}, {"Origin": {"null"}}, {"Origin": {"http://127.0.0.1:1"}}, {"Origin": {"%"}},
	} {
		for _, method := range []string{"GET", "POST", "OPTIONS"} {
			status, page, got := q.do(browser(t), method, q.url, "action=agree", header)
			if status != 403 || strings.Contains(page, "bank.uz") || got.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%v %s: %d %s", header, method, status, page)
			}
		}
	}
	// None of these has used the address up.
	_, _, header := q.do(q.client, "GET", q.url, "", http.Header{"Sec-Fetch-Site": {"none"}})
	for name, want := range map[string]string{
		"X-Frame-Options": "DENY", "Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
	} {
		if header.Get(name) != want {
			t.Errorf("%s: %q", name, header.Get(name))
		}
	}
	if csp := header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "unsafe") {
		t.Error(csp)
	}
	if cookie := header.Get("Set-Cookie"); !strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=Strict") || !strings.Contains(cookie, "Path=/prompt/") {
		t.Error(cookie)
	}
	for path, kind := range map[string]string{"question.js": "text/javascript", "question.css": "text/css"} {
		if status, body, header := q.do(browser(t), "GET", q.url[:strings.LastIndexByte(q.url, '/')+1]+path, "", nil); status != 200 || body == "" || !strings.HasPrefix(header.Get("Content-Type"), kind) {
			t.Errorf("%s: %d", path, status)
		}
	}
	if status, _, _ := q.do(browser(t), "GET", q.url+"A", "", nil); status != 404 {
		t.Error(status)
	}
	q.cancel()
	if _, err := q.ended(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestEachKindHasItsForm(t *testing.T) {
	for name, c := range map[string]struct {
		r      Request
		has    []string
		values url.Values
		want   Answer
		secret string
		err    error
	}{
		"PIN":              {Request{Kind: KindPIN}, []string{"PIN-код"}, url.Values{"action": {"agree"}, "secret": {"12"}, "remember": {"yes"}}, Answer{}, "12", nil},
		"allow once":       {Request{Kind: KindPermission, Question: "may <it>?"}, []string{"may &lt;it&gt;?", `value="always"`, "Запретить"}, url.Values{"action": {"agree"}}, Answer{Allowed: true}, "", nil},
		"allow always":     {Request{Kind: KindPermission}, nil, url.Values{"action": {"always"}}, Answer{Allowed: true, Always: true}, "", nil},
		"deny":             {Request{Kind: KindPermission}, nil, url.Values{"action": {"refuse"}}, Answer{}, "", nil},
		"yes":              {Request{Kind: KindConfirm}, []string{"Да", "Нет"}, url.Values{"action": {"agree"}}, Answer{Allowed: true}, "", nil},
		"no":               {Request{Kind: KindConfirm}, nil, url.Values{"action": {"always"}}, Answer{}, "", nil},
		"always is no yes": {Request{Kind: KindPassword}, nil, url.Values{"action": {"always"}, "secret": {"x"}}, Answer{}, "", ErrCancelled},
		"new":              {Request{Kind: KindNewPassword, Language: i18n.Uzbek}, []string{"Yangi parol", "Unutilgan"}, url.Values{"action": {"agree"}, "secret": {"ABcd123456"}, "again": {"ABcd123456"}}, Answer{}, "ABcd123456", nil},
		"new key":          {Request{Kind: KindNewKey, Disks: []string{"/a/", "/b/"}, FileName: "DS9"}, []string{"/b/", "DS9"}, url.Values{"action": {"agree"}, "secret": {"ABcd123456"}, "again": {"ABcd123456"}, "disk": {"/b/"}}, Answer{Disk: "/b/"}, "ABcd123456", nil},
		"program":          {Request{Kind: KindPassword}, []string{"программа на этом компьютере"}, url.Values{"action": {"agree"}, "secret": {"1"}}, Answer{}, "1", nil},
		"digest":           {Request{Kind: KindPassword, Content: &Content{Size: -1, Digest: []byte{1}}}, []string{"только хеш"}, url.Values{"action": {"agree"}, "secret": {"1"}}, Answer{}, "1", nil},
		"no text":          {Request{Kind: KindPassword, Retry: "once more", Content: NewContent([]byte{0})}, []string{"не текст", "once more"}, url.Values{"action": {"agree"}, "secret": {"1"}}, Answer{}, "1", nil},
	} {
		t.Run(name, func(t *testing.T) {
			q := askWeb(t, c.r)
			page, form := q.open()
			for _, want := range c.has {
				if !strings.Contains(page, want) {
					t.Errorf("no %q in %s", want, page)
				}
			}
			c.values.Set("form", form)
			q.send(c.values)
			a, err := q.ended()
			text := a.Secret.Text()
			a.Secret.Wipe()
			a.Secret = nil
			if !errors.Is(err, c.err) || a != c.want || text != c.secret {
				t.Errorf("%+v %q %v", a, text, err)
			}
		})
	}
}

func TestNewPasswordsAreAskedForUntilTheyFit(t *testing.T) {
	q := askWeb(t, Request{Kind: KindNewKey, Disks: []string{"/a/", "/b/"}, Language: i18n.English})
	_, form := q.open()
	for _, c := range []struct{ disk, secret, again, want string }{
		{"/b/", "ABcd123456", "ABcd123457", "The two passwords differ."},
		{"/b/", "short", "short", "at least 10 characters"},
		{"/c/", "ABcd123456", "ABcd123456", "Where to keep the key"},
	} {
		_, page := q.send(url.Values{"form": {form}, "action": {"agree"}, "disk": {c.disk}, "secret": {c.secret}, "again": {c.again}})
		if !strings.Contains(page, c.want) || !strings.Contains(page, `id="error"`) || strings.Contains(page, c.secret) {
			t.Errorf("%+v: %s", c, page)
		}
		if c.disk == "/b/" && !strings.Contains(page, "selected>/b/") {
			t.Error("the choice is lost")
		}
	}
	q.send(url.Values{"form": {form}, "action": {"agree"}, "disk": {"/b/"}, "secret": {"ABcd123456"}, "again": {"ABcd123456"}})
	if a, err := q.ended(); err != nil || a.Disk != "/b/" || a.Secret.Text() != "ABcd123456" {
		t.Errorf("%+v %v", a, err)
	}
}

func TestAQuestionWhoseTimeIsOverTakesNoAnswer(t *testing.T) {
	q := askWeb(t, signing)
	_, form := q.open()
	q.cancel()
	if _, err := q.ended(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if status, page := q.send(url.Values{"form": {form}, "action": {"agree"}, "secret": {"x"}}); status != 404 || !strings.Contains(page, "Эту страницу") {
		t.Errorf("%d %s", status, page)
	}
}

func TestTheAddressIsTold(t *testing.T) {
	var out bytes.Buffer
	w := &Web{Base: func() string { return "http://127.0.0.1:64646" }, Out: &out}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Ask(ctx, Request{Language: i18n.English}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if !strings.Contains(out.String(), "Open this page:\n  http://127.0.0.1:64646/prompt/") {
		t.Error(out.String())
	}
	w.Out = nil
	if _, err := w.Ask(t.Context(), Request{}); !errors.Is(err, ErrUnavailable) {
		t.Error(err)
	}
	w.Open = func(string) error { return errors.New("no browser") }
	if _, err := w.Ask(t.Context(), Request{}); !errors.Is(err, ErrUnavailable) {
		t.Error(err)
	}
}

func FuzzReadForm(f *testing.F) {
	f.Add("a=b&c=%41+x")
	f.Add("%=%&&=")
	f.Add("secret=%zz")
	f.Fuzz(func(t *testing.T, body string) {
		got, err := readForm(strings.NewReader(body))
		if len(body) > maxForm || err != nil {
			return
		}
		want, err := url.ParseQuery(body)
		if err != nil {
			return // it refuses semicolons, which browsers escape
		}
		for name, values := range want {
			if last := values[len(values)-1]; string(got[name]) != last {
				t.Errorf("%q: %q, want %q", name, got[name], last)
			}
		}
	})
}
