package origin

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Keys that every page brings (guide 1.1), and one of the vendor's own site.
const (
	localhostKey = "96D0C1491615C82B9A54D9989779DF825B690748224C2B04F500F370D51827CE2644D8D4A82C18184D73AB8530BB8ED537269603F61DB0D03D2104ABF789970B"
	loopbackKey  = "A7BCFA5D490B351BE0754130DF03A068F855DB4333D43921125B9CF2670EF6A40370C646B90401955E1F7BC9CDBF59CE0B2C5467D820BE189C845D0B79CFC96F"
	nullKey      = "E0A205EC4E7B78BBB56AFF83A733A1BB9FD39D562E67978CC5E7D73B0951DB1954595A20672A63332535E13CC6EC1E1FC8857BB09E0855D7E76E411B6FA16E9D"
	testKey      = "DE783306B4717AFE4AE1B185E1D967C265AA397A35D8955C7D7E38A36F02798AA62FBABE2ABA15C888FE2F057474F35A5FC783D23005E4347A3E34D6C1DDBAE5"
)

var quiet = slog.New(slog.DiscardHandler)

func TestDomainsAreHostsOfOrigins(t *testing.T) {
	for header, want := range map[string]string{
		"https://example.uz": "example.uz", "https://Example.UZ:8443": "example.uz", "http://localhost:3000": "localhost", "http://127.0.0.1": "127.0.0.1",
		"http://[::1]:80": "::1", "https://user@example.uz": "example.uz", "": Null, "null": Null, "file://": Null, "file:///home": Null, "example.uz": Null,
		"https://": Null, "://x": Null, "mailto:a@b.uz": Null, "https://a b": Null, "https://" + strings.Repeat("a", 2000): Null,
		"chrome-extension://abcdef": "abcdef",
	} {
		if got := Domain(header); got != want {
			t.Errorf("%q: %q, want %q", header, got, want)
		}
	}
}

func TestKeysSurviveRestartsAndAreVerifiedAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	k, err := OpenKeys(path, quiet)
	if err != nil {
		t.Fatal(err)
	}
	var bad *KeyError
	if err := k.Register([]string{"localhost", localhostKey, "example.uz", testKey}); !errors.As(err, &bad) || bad.Domain != "example.uz" || k.Has("localhost") {
		t.Error(err)
	}
	for range 2 {
		if err := k.Register([]string{"localhost", localhostKey, "127.0.0.1", strings.ToLower(loopbackKey), "null", " " + nullKey + "\n"}); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Error(info, err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// Somebody writes into the file.
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), `"localhost"`, `"example.uz"`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	k, err = OpenKeys(path, quiet)
	if err != nil || k.Has("example.uz") || k.Has("localhost") || !k.Has("127.0.0.1") || !k.Has(Null) {
		t.Error(k.keys, err)
	}
	if err := os.WriteFile(path, text[:20], 0o600); err != nil {
		t.Fatal(err)
	}
	if k, err = OpenKeys(path, quiet); err != nil || k.Has("127.0.0.1") || k.Register([]string{"null", nullKey}) != nil {
		t.Error(err)
	}
	if k, err = OpenKeys(path, quiet); err != nil || !k.Has(Null) {
		t.Error(err)
	}
	if _, err := OpenKeys(t.TempDir(), quiet); err == nil {
		t.Error("a folder was read")
	}
}

func TestKeysAreLookedUpOnceForAll(t *testing.T) {
	var asked atomic.Int32
	answers := map[string]string{"/get/test.e-imzo.uz": testKey + "\n", "/get/example.uz": testKey}
	vendor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if text, ok := answers[r.URL.Path]; ok {
			_, _ = w.Write([]byte(text))
			return
		}
		http.NotFound(w, r)
	}))
	defer vendor.Close()
	keys, _ := OpenKeys("", quiet)
	now := time.Now()
	g := &Gate{Keys: keys, LookupURL: vendor.URL + "/get/", HTTP: vendor.Client(), Now: func() time.Time { return now }, Log: quiet}
	allowed := func(domain string, want bool, questions int32) {
		t.Helper()
		asked.Store(0)
		if got := g.Allowed(t.Context(), "https://"+domain, domain, nil); got != want || asked.Load() != questions {
			t.Errorf("%s: %v after %d questions", domain, got, asked.Load())
		}
	}
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			if !g.Allowed(t.Context(), "https://test.e-imzo.uz", "test.e-imzo.uz", nil) {
				t.Error("refused")
			}
		})
	}
	wait.Wait()
	if asked.Load() > 2 {
		t.Errorf("%d questions", asked.Load())
	}
	allowed("test.e-imzo.uz", true, 0)
	allowed("example.uz", false, 1) // another's key
	allowed("example.uz", false, 0)
	allowed("none.uz", false, 1)
	allowed(Null, false, 0)
	now = now.Add(lookupAgain)
	allowed("none.uz", false, 1)
	g.LookupURL = ""
	now = now.Add(lookupAgain)
	allowed("none.uz", false, 0)
}

func TestDevelopersAreAsked(t *testing.T) {
	keys, _ := OpenKeys("", quiet)
	g := &Gate{Keys: keys, Log: quiet, Now: time.Now}
	asked, allow, forever := 0, false, false
	var failure error
	ask := func(context.Context) (bool, bool, error) { asked++; return allow, forever, failure }
	want := func(header string, want bool, questions int) {
		t.Helper()
		asked = 0
		if got := g.Allowed(t.Context(), header, Domain(header), ask); got != want || asked != questions {
			t.Errorf("%s: %v after %d questions", header, got, asked)
		}
	}
	want("https://a.uz", false, 0)
	g.Developer = true
	failure = errors.New("cancelled")
	want("https://a.uz", false, 1)
	failure = nil
	allow = true
	want("https://a.uz", true, 1) // once
	forever = true
	want("https://a.uz", true, 1)
	want("https://a.uz", true, 0)
	want("https://a.uz:8443", true, 1) // another page
	allow = false
	want("https://b.uz", false, 1)
	allow = true
	want("https://b.uz", false, 0)
	if err := keys.Register([]string{"localhost", localhostKey}); err != nil {
		t.Fatal(err)
	}
	want("http://localhost:3000", true, 0)
}

// TestAKeyThatCannotBeStoredIsTakenAllTheSame: it is kept in memory.
func TestAKeyThatCannotBeStoredIsTakenAllTheSame(t *testing.T) {
	var told bytes.Buffer
	k, err := OpenKeys(filepath.Join(t.TempDir(), "absent", "apikeys.json"), slog.New(slog.NewTextHandler(&told, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Register([]string{"localhost", localhostKey}); err != nil || !k.Has("localhost") {
		t.Error(err)
	}
	if !strings.Contains(told.String(), "cannot be stored") {
		t.Error(told.String())
	}
}
