package up

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"imzo/internal/testpki/peer"
)

// TestDemoSiteWorksInABrowser goes the way of a person: a wrong password, the
// right one, log in, sign attached with a timestamp and detached without.
func TestDemoSiteWorksInABrowser(t *testing.T) {
	path := peer.Chromium(t)
	r := start(t, t.TempDir(), "127.0.0.1:0")
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()))
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium refuses root otherwise
	}
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	// The first call owns the browser, so only what follows is limited.
	do(t, ctx, chromedp.Navigate(r.demo))
	ctx, cancel = context.WithTimeout(ctx, time.Minute)
	defer cancel()

	do(t, ctx,
		chromedp.WaitReady("#key option"),
		chromedp.SendKeys("#password", "x"),
		chromedp.Click("#login"),
		chromedp.WaitVisible("#login-message.bad"))
	wrong := text(t, ctx, "#login-message")
	do(t, ctx,
		chromedp.SetValue("#password", KeyPassword),
		chromedp.Click("#login"),
		chromedp.WaitVisible("#login-message.good"))
	person := text(t, ctx, "#person-data")
	do(t, ctx,
		chromedp.Click("#sign"),
		chromedp.WaitVisible("#result"))
	attached, checks := text(t, ctx, "#sign-message"), text(t, ctx, "#checks")
	do(t, ctx,
		chromedp.Click("#timestamp"),
		chromedp.Click("#detached"),
		chromedp.Click("#sign"),
		chromedp.WaitVisible("#result"),
		chromedp.WaitVisible("#sign-message.good"))
	detached, answer := text(t, ctx, "#sign-message"), text(t, ctx, "#answer")
	do(t, ctx,
		chromedp.Click("#logout"),
		chromedp.WaitVisible("#login"))
	for what, ok := range map[string]bool{
		"wrong password told":         wrong == "wrong password",
		"person shown":                strings.Contains(person, "VALIYEVA") || strings.Contains(person, "IVANOV"),
		"attached signature valid":    attached == "The signature is valid.",
		"timestamp shown":             strings.Contains(checks, "Timestamp"),
		"detached signature valid":    detached == "The signature is valid.",
		"no timestamp without asking": !strings.Contains(answer, "timeStampInfo"),
		"no document in the answer":   !strings.Contains(answer, "documentBase64"),
	} {
		if !ok {
			t.Errorf("not so: %s", what)
		}
	}
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
