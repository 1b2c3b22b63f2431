package localca

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"imzo/internal/testpki/peer"
)

func TestChromiumOpensThePageOnlyWhenItTrustsTheAuthority(t *testing.T) {
	path := peer.Chromium(t)
	a := open(t, folder(t), Options{})
	u := serve(t, a, "127.0.0.1:0")
	for _, test := range []struct {
		name    string
		trusted bool
	}{{"with the CA", true}, {"without it", false}} {
		t.Run(test.name, func(t *testing.T) {
			home := t.TempDir()
			db := nss(t, filepath.Join(home, ".pki", "nssdb"), "")
			if test.trusted {
				if _, err := a.Install(t.Context(), Stores{NSS: true, NSSDirs: []string{db}}); err != nil {
					t.Fatal(err)
				}
			}
			options := append(chromedp.DefaultExecAllocatorOptions[:],
				chromedp.ExecPath(path), chromedp.DisableGPU, chromedp.UserDataDir(filepath.Join(home, "profile")),
				chromedp.Env("HOME="+home, "XDG_DATA_HOME=", "XDG_CONFIG_HOME="))
			if os.Getuid() == 0 {
				options = append(options, chromedp.NoSandbox) // Chromium refuses root otherwise
			}
			ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
			defer cancel()
			ctx, cancel = chromedp.NewContext(ctx)
			defer cancel()
			// The first call owns the browser, so only what follows is limited.
			if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
				t.Fatal(err)
			}
			limited, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			for _, host := range []string{"127.0.0.1", "localhost"} {
				err := chromedp.Do(limited, chromedp.Navigate("https://"+host+":"+u.Port()+"/"))
				if !test.trusted {
					if err == nil || !strings.Contains(err.Error(), "ERR_CERT_AUTHORITY_INVALID") {
						t.Errorf("%s: %v", host, err)
					}
					continue
				}
				if err != nil {
					t.Errorf("%s: %v", host, err)
					continue
				}
				title, err := chromedp.Run(limited, chromedp.Title())
				if err != nil || title != "salom" {
					t.Errorf("%s: %q %v", host, title, err)
				}
			}
		})
	}
}
