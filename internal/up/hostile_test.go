package up

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"imzo/internal/eimzo/server"
)

func run(t *testing.T, dir, listen string, stdout writerFunc) error {
	t.Helper()
	return Run(t.Context(), Options{Dir: dir, Listen: listen, Stdout: stdout, Logger: slog.New(slog.DiscardHandler), Version: "test", Now: time.Now})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestUpTakesEveryFormOfAddress(t *testing.T) {
	for _, listen := range []string{":0", "localhost:0", "[::1]:0", "0.0.0.0:0"} {
		t.Run(listen, func(t *testing.T) {
			dir := t.TempDir()
			r := start(t, dir, listen)
			if code, body := fetch(t, "GET", r.server+"/ping", "", ""); code != 200 {
				t.Errorf("ping: %d %s", code, body)
			}
			if strings.Contains(r.text, "curl http://[") {
				t.Errorf("a shell would take the brackets for a pattern:\n%s", r.text)
			}
			// The next start reads what was written.
			if _, _, err := server.LoadConfig(filepath.Join(dir, configFile), nil); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestUpTouchesNothingForAWrongAddress(t *testing.T) {
	for _, listen := range []string{"9000", "127.0.0.1:99999", "127.0.0.1:port"} {
		dir := filepath.Join(t.TempDir(), "d")
		if err := run(t, dir, listen, nil); !errors.Is(err, ErrListen) {
			t.Errorf("%s: %v, want ErrListen", listen, err)
		}
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the folder was made", listen)
		}
	}
}

func TestUpEndsWithAnErrorWhenItCannotSayWhereItIs(t *testing.T) {
	full := errors.New("disk full")
	err := run(t, t.TempDir(), "127.0.0.1:0", func([]byte) (int, error) { return 0, full })
	if !errors.Is(err, full) {
		t.Errorf("ended with %v", err)
	}
}

func TestUpSweepsUpAfterAKilledRun(t *testing.T) {
	dir := t.TempDir()
	left := []string{
		filepath.Join(dir, ".trust-123", "keys", "root.pfx"),
		filepath.Join(dir, ".new-123"),
		filepath.Join(dir, keysDir, ".new-456"),
	}
	for _, path := range left {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("half a key"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	start(t, dir, "127.0.0.1:0").stop()
	for _, path := range left {
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there", path)
		}
	}
	// Also a lost sample comes back: the printed commands need it.
	if err := os.Remove(filepath.Join(dir, sampleFile)); err != nil {
		t.Fatal(err)
	}
	r := start(t, dir, "127.0.0.1:0")
	sample, err := os.ReadFile(filepath.Join(dir, sampleFile))
	if err != nil {
		t.Fatal(err)
	}
	if _, body := fetch(t, "POST", r.server+"/backend/pkcs7/verify/attached", "", string(sample)); status(t, body) != 1 {
		t.Errorf("the sample does not verify: %s", body)
	}
}

func TestUpRefusesTheRootOfAnotherHierarchy(t *testing.T) {
	dir := t.TempDir()
	start(t, dir, "127.0.0.1:0").stop()
	if err := os.RemoveAll(filepath.Join(dir, trustDir)); err != nil {
		t.Fatal(err)
	}
	if err := run(t, dir, "127.0.0.1:0", nil); err == nil || !strings.Contains(err.Error(), "is not of the hierarchy") {
		t.Errorf("ended with %v", err)
	}
}

func TestUpTrustsTheRootOfItsFolderAndNotOfTheWorkingFolder(t *testing.T) {
	dir, work := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(work, rootFile), []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(work)
	start(t, dir, "127.0.0.1:0").stop()
}

func TestAddressesOfOtherServicesStay(t *testing.T) {
	for _, tt := range []struct{ address, want string }{
		{"http://127.0.0.1:8090/cams/ocsp", "http://127.0.0.1:1/cams/ocsp"},
		{"http://ocsp.example.uz/cams/ocsp", "http://ocsp.example.uz/cams/ocsp"},
	} {
		got := []string{tt.address}
		moveURLs(got, "http://127.0.0.1:8090/cams/ocsp", "http://127.0.0.1:8090", "http://127.0.0.1:1")
		if got[0] != tt.want {
			t.Errorf("%q became %q, want %q", tt.address, got[0], tt.want)
		}
	}
}
