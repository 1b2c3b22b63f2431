package mobile

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func testSites(t *testing.T) (*Sites, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	s, err := OpenSites(dir, func() time.Time { return time.Date(2026, 7, 1, 12, 0, 0, 5, time.UTC) })
	if err != nil {
		t.Fatal(err)
	}
	return s, dir
}

func TestSitesAreKeptAndFoundInAnyCase(t *testing.T) {
	s, dir := testSites(t)
	first, err := s.Add(t.Context(), Site{SiteID: "20E2", Name: "Bozor", UploadURL: "https://example.uz/frontend/mobile/upload"}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	want := Site{SiteID: "20E2", Name: "Bozor", Domain: "example.uz", UploadURL: "https://example.uz/frontend/mobile/upload", Added: time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)}
	if diff := cmp.Diff(want, first); diff != "" {
		t.Error(diff)
	}
	second, err := s.Add(t.Context(), Site{UploadURL: "http://127.0.0.1:8080/u?x=1"}, bytes.NewReader([]byte{0, 0, 0x20, 0xe2, 0x0a, 0xbc}))
	if err != nil || second.SiteID != "0abc" || second.Name != "127.0.0.1" {
		t.Errorf("drawn %+v, %v", second, err)
	}
	again, err := OpenSites(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	list, err := again.List()
	if diff := cmp.Diff([]Site{second, first}, list); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	for _, id := range []string{"20e2", "20E2", "20eE"} {
		got, err := again.Find(id)
		if found := id != "20eE"; found != (err == nil) || found && got != first || !found && !errors.Is(err, ErrNoSite) {
			t.Errorf("%s: %+v, %v", id, got, err)
		}
	}
	// A change by another process is seen.
	if _, err := again.Remove(t.Context(), "20e2"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Find("20e2"); !errors.Is(err, ErrNoSite) {
		t.Errorf("a removed site: %v", err)
	}
	if _, err := s.Remove(t.Context(), "20e2"); !errors.Is(err, ErrNoSite) {
		t.Errorf("removed twice: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, SitesFile)); err != nil {
		t.Fatal(err)
	}
	if list, err := s.List(); len(list) != 0 || err != nil {
		t.Errorf("without its file: %v, %v", list, err)
	}
}

func TestPutTakesThePlaceOfASite(t *testing.T) {
	s, _ := testSites(t)
	for _, port := range []string{"1", "2"} {
		if _, err := s.Put(t.Context(), Site{SiteID: "20e2", Name: "Bozor", UploadURL: "http://127.0.0.1:" + port + "/"}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Put(t.Context(), Site{SiteID: "20E2", UploadURL: "http://127.0.0.1:3/"}); err != nil {
		t.Fatal(err)
	}
	list, err := s.List()
	if err != nil || len(list) != 1 || list[0].SiteID != "20E2" || list[0].UploadURL != "http://127.0.0.1:3/" || list[0].Name != "127.0.0.1" {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := s.Put(t.Context(), Site{UploadURL: "http://127.0.0.1:3/"}); !errors.Is(err, ErrSite) {
		t.Errorf("without a SiteID: %v", err)
	}
}

func TestAddRefusesWhatCannotBeASite(t *testing.T) {
	s, _ := testSites(t)
	const url = "https://example.uz/upload"
	if _, err := s.Add(t.Context(), Site{SiteID: "20e2", UploadURL: url}, rand.Reader); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		site Site
		want error
	}{
		{Site{SiteID: "20E2", UploadURL: url}, ErrSiteExists},
		{Site{SiteID: "20e", UploadURL: url}, ErrSite},
		{Site{SiteID: "20e2a", UploadURL: url}, ErrSite},
		{Site{SiteID: "20eg", UploadURL: url}, ErrSite},
		{Site{}, ErrSite},
		{Site{UploadURL: "ftp://example.uz/"}, ErrSite},
		{Site{UploadURL: "example.uz"}, ErrSite},
		{Site{UploadURL: "https:///upload"}, ErrSite},
		{Site{UploadURL: "https://user:pw@example.uz/"}, ErrSite},
		{Site{UploadURL: "https://example.uz/#a"}, ErrSite},
		{Site{UploadURL: "https://example.uz/" + strings.Repeat("a", maxURL)}, ErrSite},
		{Site{UploadURL: "https://exa mple.uz/\x7f"}, ErrSite},
		{Site{UploadURL: url, Name: "a\u202eb"}, ErrSite},
		{Site{UploadURL: url, Name: "a\nb"}, ErrSite},
		{Site{UploadURL: url, Name: " a"}, ErrSite},
		{Site{UploadURL: url, Name: "\xff"}, ErrSite},
		{Site{UploadURL: url, Domain: strings.Repeat("a", maxName+1)}, ErrSite},
	}
	for _, test := range tests {
		if _, err := s.Add(t.Context(), test.site, rand.Reader); !errors.Is(err, test.want) {
			t.Errorf("%+v: %v, want %v", test.site, err, test.want)
		}
	}
	if _, err := s.Add(t.Context(), Site{UploadURL: url}, iotest.ErrReader(errors.New("dry"))); err == nil || !strings.Contains(err.Error(), "dry") {
		t.Errorf("without randomness: %v", err)
	}
	if _, err := s.Add(t.Context(), Site{UploadURL: url}, zeros{}); !errors.Is(err, ErrSite) {
		t.Errorf("randomness that repeats itself: %v", err)
	}
	if list, err := s.List(); len(list) != 1 || err != nil {
		t.Errorf("%v, %v", list, err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestADamagedFileIsToldAndLeftAlone(t *testing.T) {
	good := `{"format":"imzo-mobile-sites","version":1,"sites":[{"siteId":"20e2","name":"a","domain":"a","uploadUrl":"https://a/","added":"2026-07-01T12:00:00Z"}]}`
	for name, content := range map[string]string{
		"empty":           "",
		"cut":             good[:len(good)-2],
		"something after": good + "{}",
		"another format":  strings.Replace(good, "imzo-mobile-sites", "x", 1),
		"another version": strings.Replace(good, `"version":1`, `"version":2`, 1),
		"unknown field":   strings.Replace(good, `"version":1`, `"version":1,"more":1`, 1),
		"bad id":          strings.Replace(good, "20e2", "20e", 1),
		"bad address":     strings.Replace(good, "https://a/", "file:///etc/passwd", 1),
		"twice":           strings.Replace(good, `[{"siteId":"20e2"`, `[{"siteId":"20E2","name":"a","domain":"a","uploadUrl":"https://a/"},{"siteId":"20e2"`, 1),
	} {
		s, dir := testSites(t)
		if _, err := s.Add(t.Context(), Site{UploadURL: "https://a/"}, rand.Reader); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, SitesFile)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Find("20e2"); !errors.Is(err, ErrSitesFile) {
			t.Errorf("%s: find: %v", name, err)
		}
		if _, err := s.Add(t.Context(), Site{UploadURL: "https://b/"}, rand.Reader); !errors.Is(err, ErrSitesFile) {
			t.Errorf("%s: add: %v", name, err)
		}
		if _, err := s.Remove(t.Context(), "20e2"); !errors.Is(err, ErrSitesFile) {
			t.Errorf("%s: remove: %v", name, err)
		}
		if _, err := OpenSites(dir, nil); !errors.Is(err, ErrSitesFile) {
			t.Errorf("%s: open: %v", name, err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != content {
			t.Errorf("%s: the file is now %q, %v", name, b, err)
		}
		if err := os.WriteFile(path, []byte(good), 0o600); err != nil {
			t.Fatal(err)
		}
		if site, err := s.Find("20e2"); err != nil || site.UploadURL != "https://a/" {
			t.Errorf("%s: mended: %+v, %v", name, site, err)
		}
	}
}

func TestALinkInThePlaceOfTheFileIsRefused(t *testing.T) {
	s, dir := testSites(t)
	other := filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(other, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(other, filepath.Join(dir, SitesFile)); err != nil {
		t.Skip(err)
	}
	if _, err := s.List(); !errors.Is(err, ErrSitesFile) {
		t.Error(err)
	}
}

// Several registries stand for several processes: each has a lock of its own.
func TestConcurrentAdditionsAreAllKept(t *testing.T) {
	_, dir := testSites(t)
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			s, err := OpenSites(dir, nil)
			if err != nil {
				t.Error(err)
				return
			}
			for j := range 5 {
				if _, err := s.Add(context.Background(), Site{SiteID: fmt.Sprintf("%02x%02x", i, j), UploadURL: "https://a/"}, rand.Reader); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	s, err := OpenSites(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if list, err := s.List(); err != nil || len(list) != 20 {
		t.Errorf("%d sites, %v", len(list), err)
	}
}

func FuzzParseSites(f *testing.F) {
	f.Add([]byte(`{"format":"imzo-mobile-sites","version":1,"sites":[]}`))
	f.Add([]byte(`{"format":"imzo-mobile-sites","version":1,"sites":[{"siteId":"20e2","name":"a","domain":"a","uploadUrl":"https://a/","added":"2026-07-01T12:00:00Z"}]}`))
	f.Add([]byte(`{"format":"imzo-mobile-sites","version":1,"sites":[{"siteId":"20E2","name":"a","domain":"a","uploadUrl":"https://[::1"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := parseSites(b)
		if err != nil {
			if !errors.Is(err, ErrSitesFile) {
				t.Fatalf("%v", err)
			}
			return
		}
		for _, site := range list {
			if i, found := search(list, strings.ToUpper(site.SiteID)); !found || list[i] != site {
				t.Fatalf("%+v is not found", site)
			}
			if !strings.HasPrefix(strings.ToLower(site.UploadURL), "http") {
				t.Fatalf("would call %q", site.UploadURL)
			}
		}
	})
}
